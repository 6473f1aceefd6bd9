/*
 * Modes and the ways between them: real, unreal, 16- and 32-bit protected, virtual 8086, gates,
 * tasks.
 */
        .include "payload.inc"

        .set    TSS2, 0x3000            /* a second task */
        .set    V86_SS, 0x0700
        .set    REAL_STACK, 0x6000

main:
        /* 16-bit protected code and back */
        movl    $0, FREE
        ljmp    $CODE16, $(code16 - base)
        .code16
code16: movw    $0x1234, %ax
        addw    $0xf000, %ax            /* sets carry in 16 bits */
        setc    %bl
        ljmpl   $CODE32, $1f
        .code32
1:      movzbl  %bl, %ebx
        CHECK   "16-bit addition", %ebx, 1
        PASS    "16-bit protected mode"

        /* to real mode and back, by way of 16-bit segments */
        movl    %esp, FREE + 0x10
        movl    $DATA16, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        ljmp    $CODE16, $(leave - base)
        .code16
leave:  movl    %cr0, %eax
        andl    $~1, %eax
        movl    %eax, %cr0
        ljmp    $0xf000, $(real - base)
real:   xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $REAL_STACK, %sp
        movw    $0x1000, %ax
        movw    %ax, %es
        movw    $0xbeef, %es:0x10       /* linear 10010 */
        /* an interrupt through the vector table */
        lidtl   %cs:(real_idt - base)
        movw    $(real_handler - base), 0x60 * 4
        movw    $0xf000, 0x60 * 4 + 2
        movw    $0, FREE + 0x20
        int     $0x60
        lgdtl   %cs:(gdt_pointer - base)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        /* a flat FS stays loaded in real mode: "unreal" */
        movw    $DATA32, %ax
        movw    %ax, %fs
        movl    %cr0, %eax
        andl    $~1, %eax
        movl    %eax, %cr0
        ljmp    $0xf000, $(unreal - base)
unreal: movl    $0x00110000, %esi
        movl    $0xcafe, %fs:(%esi)
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $CODE32, $back
real_handler:
        movw    $0x5a5a, %ss:FREE + 0x20
        iret
real_idt:
        .word   0x3ff
        .long   0
        .code32
back:   movl    $DATA32, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %ss
        movl    FREE + 0x10, %esp
        lidt    idt_pointer
        movzwl  0x10010, %eax
        CHECK   "real mode segment", %eax, 0xbeef
        movzwl  FREE + 0x20, %eax
        CHECK   "real mode interrupt", %eax, 0x5a5a
        CHECK_MEM "big real mode", 0x110000, 0xcafe
        PASS    "real mode"

        /* virtual 8086: segments are paragraphs, HLT faults out to the monitor */
        movl    $STACK, 0x524
        movl    $DATA32, 0x528
        movl    $TSS, %eax
        ltr     %ax
        EXPECT  1f
        movl    %esp, FREE + 0x10
        movl    $0, FREE + 0x30
        pushl   $0                      /* GS FS DS ES SS SP EFLAGS CS IP */
        pushl   $0
        pushl   $(FREE >> 4)
        pushl   $0
        pushl   $V86_SS
        pushl   $0x0ff0
        pushl   $0x20002
        pushl   $0xf000
        pushl   $(v86 - base)
        iret
        .code16
v86:    movw    $0x8086, 0x30
        pushw   %ds
        popw    %ax
        movw    %ax, 0x32
0:      hlt
        .code32
1:      FAULTED "virtual 8086 leaves by HLT", 13, 0
        CHECK_MEM "virtual 8086: address", FAULT_EIP, (0b-base)
        CHECK_MEM "virtual 8086: what it wrote", FREE + 0x30, 0x08008086
        movl    FREE + 0x10, %esp
        PASS    "virtual 8086 mode"

        /* a call gate to a 32-bit procedure with a parameter, from user mode */
        movl    $(gate_target), %eax
        movl    %eax, %edx
        andl    $0xffff, %eax
        orl     $(CODE32 << 16), %eax
        movl    %eax, GDT + SPARE
        andl    $0xffff0000, %edx
        orl     $0xec01, %edx           /* 386 call gate, DPL 3, one parameter */
        movl    %edx, GDT + SPARE + 4
        EXPECT  1f
        USER    user_calls
user_calls:
        pushl   $0x1337
        lcall   $(SPARE + 3), $0
gate_target:
        movl    8(%esp), %eax           /* behind the return address */
        movl    %eax, FREE + 0x40
        movl    16(%esp), %eax          /* the caller's SS */
        movl    %eax, FREE + 0x44
        movl    $0, FREE + 0x48
        movw    %cs, FREE + 0x48
        ud2
1:      movl    $STACK, %esp
        CHECK_MEM "call gate: parameter", FREE + 0x40, 0x1337
        CHECK_MEM "call gate: caller's stack segment", FREE + 0x44, USER_DATA32
        CHECK_MEM "call gate: privilege", FREE + 0x48, CODE32
        PASS    "call gate"

        /* a task switch by JMP to a TSS, and back by IRET from a CALL */
        movl    $TSS2, %edi
        movl    $26, %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $(TSS2 + 0x10), %edi
        movl    $task, TSS2 + 0x20
        movl    $2, TSS2 + 0x24
        movl    $0x7777, TSS2 + 0x28    /* EAX */
        movl    $(STACK - 0x800), TSS2 + 0x38
        movl    $DATA32, TSS2 + 0x48
        movl    $CODE32, TSS2 + 0x4c
        movl    $DATA32, TSS2 + 0x50
        movl    $DATA32, TSS2 + 0x54
        movw    $0x68, TSS2 + 0x66
        movl    $((TSS2 & 0xffff) << 16 | 0x67), GDT + SPARE2
        movl    $0x8900, GDT + SPARE2 + 4
        movl    $0, FREE + 0x50
        movl    $0x1111, %ebx
        lcall   $SPARE2, $0
        CHECK   "task: registers of the caller", %ebx, 0x1111
        CHECK_MEM "task: its register", FREE + 0x50, 0x7777
        CHECK_MEM "task: its link", FREE + 0x54, TSS
        str     %eax
        CHECK   "task: back in the first", %eax, TSS
        PASS    "task switch"
        jmp     finish

task:   movl    %eax, FREE + 0x50
        movzwl  TSS2, %eax
        movl    %eax, FREE + 0x54
        movl    $0x2222, %ebx
        iret
        PAYLOAD_END
