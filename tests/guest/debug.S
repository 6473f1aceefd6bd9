/* The guest's own debugging: single-step, INT3, breakpoints in code and on data, general detect. */
        .include "payload.inc"

        .set    STEPS, FREE
        .set    LAST_DR6, FREE + 4
        .set    LAST_EIP, FREE + 8
        .set    WATCHED, FREE + 0x40

main:
        movl    $1, %ecx
        movl    $count_debug, %eax
        call    set_gate

        /* single-step: a trap behind each instruction, the one that set TF excepted */
        movl    $0, STEPS
        pushfl
        orl     $0x100, (%esp)
        popfl
        nop
        nop
        movl    $0x5, %eax
0:      pushfl
        andl    $~0x100, (%esp)
        popfl
        CHECK_MEM "single-step: traps", STEPS, 6
        movl    LAST_DR6, %eax
        andl    $0x4000, %eax
        CHECK   "single-step: DR6", %eax, 0x4000
        PASS    "single-step"

        /* MOV SS holds the trap off for one instruction */
        movl    $0, STEPS
        movl    %ss, %ebx
        pushfl
        orl     $0x100, (%esp)
        popfl
        movw    %bx, %ss
        nop
        pushfl
        andl    $~0x100, (%esp)
        popfl
        CHECK_MEM "after MOV SS: traps", STEPS, 4
        PASS    "single-step over MOV SS"

        /* a breakpoint in code is met before the instruction */
        movl    $0, STEPS
        movl    $at, %eax
        movl    %eax, %dr0
        movl    $0, %eax
        movl    %eax, %dr6
        movl    $0x402, %eax
        movl    %eax, %dr7
        movl    $0, %ebx
        nop
at:     incl    %ebx
        movl    $0x400, %eax
        movl    %eax, %dr7
        CHECK_MEM "breakpoint: traps", STEPS, 1
        CHECK_MEM "breakpoint: address", LAST_EIP, at
        CHECK   "breakpoint: the instruction ran once", %ebx, 1
        movl    LAST_DR6, %eax
        andl    $0x400f, %eax
        CHECK   "breakpoint: DR6", %eax, 1
        PASS    "breakpoint"

        /* a watchpoint on writes is met behind the instruction; reads pass */
        movl    $0, STEPS
        movl    $WATCHED, %eax
        movl    %eax, %dr1
        movl    $0, %eax
        movl    %eax, %dr6
        movl    $0x00d00408, %eax       /* G1, write, four bytes */
        movl    %eax, %dr7
        movl    WATCHED, %ecx
        movl    %ecx, WATCHED - 4
        movb    $1, WATCHED + 3
behind: movl    %ecx, WATCHED + 4
        movl    $0x400, %eax
        movl    %eax, %dr7
        CHECK_MEM "watchpoint: traps", STEPS, 1
        CHECK_MEM "watchpoint: address", LAST_EIP, behind
        movl    LAST_DR6, %eax
        andl    $0x400f, %eax
        CHECK   "watchpoint: DR6", %eax, 2
        PASS    "watchpoint"

        /* INT1 and a debug register access under general detect */
        movl    $0, STEPS
        movl    $0, %eax
        movl    %eax, %dr6
        movl    $0x2400, %eax
        movl    %eax, %dr7
        movl    %dr7, %eax              /* faults; the handler steps over it */
after_gd:
        CHECK_MEM "general detect: traps", STEPS, 1
        movl    LAST_DR6, %eax
        andl    $0x2000, %eax
        CHECK   "general detect: DR6", %eax, 0x2000
        PASS    "general detect"
        jmp     finish

/* Counts, notes DR6 and the address, and gets out of the way: RF for code breakpoints. */
count_debug:
        pushl   %eax
        incl    STEPS
        movl    %dr6, %eax
        movl    %eax, LAST_DR6
        movl    4(%esp), %eax
        movl    %eax, LAST_EIP
        orl     $0x10000, 12(%esp)
        testl   $0x2000, LAST_DR6
        jz      1f
        movl    $after_gd, 4(%esp)
1:      xorl    %eax, %eax
        movl    %eax, %dr6
        popl    %eax
        iret
        PAYLOAD_END
