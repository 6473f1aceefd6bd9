/* Programs of test_block.c and test_exec.c, one SNIPPET each; they run at 0x8000 (MACHINE_CODE). */

        .macro  SNIPPET name, bits
        .code\bits
        .balign 16
        .globl  \name, \name\()_end
\name:
        .endm

        .section .rodata

/* ---- code that writes code ---- */

/* The immediate of the next instruction but one, in the running block. */
SNIPPET smc_ahead, 64
        movl    $0x77, 1f+1(%rip)
        nop
1:      movl    $0x11, %eax
        hlt
smc_ahead_end:

/* Its own later part: a byte at a time, the string goes on over the instruction behind it. */
SNIPPET smc_string, 64
        leaq    2f(%rip), %rsi
        leaq    1f(%rip), %rdi
        movl    $5, %ecx
        rep movsb
1:      movl    $0x11, %eax
        hlt
2:      movl    $0x77, %eax
smc_string_end:

/* A block that ran before, in a loop. */
SNIPPET smc_loop, 64
        xorl    %edx, %edx
        movl    $100, %ecx
1:      movl    %ecx, 2f+1(%rip)
        jmp     2f
2:      movl    $0, %eax
        addl    %eax, %edx
        decl    %ecx
        jnz     1b
        movl    %edx, %eax
        hlt
smc_loop_end:

/* By a LOCKed instruction, and by PUSH with the stack in the code. */
SNIPPET smc_locked, 64
        movl    $0x66, %ecx
        lock addl %ecx, 1f+1(%rip)
        nop
1:      movl    $0x11, %eax
        hlt
smc_locked_end:

SNIPPET smc_push, 64
        leaq    1f+8(%rip), %rsp
        movabs  $0xf400000077b8, %rcx
        pushq   %rcx
1:      movl    $0x11, %eax
        hlt
        nop
        nop
smc_push_end:

/* An instruction of the next page, reached by falling through; the pad makes it straddle. */
SNIPPET smc_straddle, 64
        movl    $2, %ecx
        jmp     3f
1:      .fill   0x1000 - 3 - (1b - smc_straddle), 1, 0x90
2:      movl    $0x11, %eax
        decl    %ecx
        jz      4f
3:      movl    $0x77, 2b+1(%rip)
        jmp     1b
4:      hlt
smc_straddle_end:

/* Data beside code: the loop's counter is in the loop's page. */
SNIPPET smc_neighbour, 64
        movl    $1000, %ecx
1:      incl    2f(%rip)
        decl    %ecx
        jnz     1b
        movl    2f(%rip), %eax
        hlt
        .balign 4
2:      .long   0
smc_neighbour_end:

/* Enough new blocks to fill the arenas several times over. */
SNIPPET smc_many, 64
        xorl    %edx, %edx
        movl    $400000, %ecx
1:      movl    %ecx, 2f+1(%rip)
        jmp     2f
2:      movl    $0, %eax
        addl    %eax, %edx
        .rept   40
        xorl    %eax, %ebx
        .endr
        decl    %ecx
        jnz     1b
        movl    %edx, %eax
        hlt
smc_many_end:

/* ---- events ---- */

/* A store to the device in the middle of a block; what follows must run once it is back. */
SNIPPET event_chain, 64
        movl    $50, %ecx
1:      movl    %ecx, 0x300000
        addl    $3, %eax
        jmp     2f
        nop
2:      decl    %ecx
        jnz     1b
        hlt
event_chain_end:

SNIPPET event_handler, 64
        incl    %r8d
        iretq
event_handler_end:

/* STI and MOV SS hold an interrupt off for one instruction. */
SNIPPET shadow_sti, 64
        sti
        incl    %eax
        incl    %eax
        hlt
shadow_sti_end:

SNIPPET shadow_ss, 16
        movw    %ax, %ss
        incl    %ebx
        incl    %ebx
        hlt
shadow_ss_end:

SNIPPET sti_hlt, 64
        sti
        hlt
sti_hlt_end:

SNIPPET long_string, 64
        movl    $0x20000, %edi
        movl    $0x300000, %esi
        movl    $64, %ecx
        movl    %ecx, (%rsi)
        rep stosb
        hlt
long_string_end:

/* ---- stepping ---- */

SNIPPET steps, 64
        incl    %eax
        incl    %eax
        jmp     1f
        hlt
1:      incl    %eax
        hlt
steps_end:

/* rbx: data.  Each access is one of several instructions of its block. */
SNIPPET accesses, 64
        incl    %eax
        movl    (%rbx), %ecx
        incl    %eax
        movl    %eax, (%rbx)
        incl    %eax
        lock addl $1, (%rbx)
        incl    %eax
        hlt
accesses_end:

SNIPPET trap_flag, 64
        pushfq
        orl     $0x100, (%rsp)
        popfq
        nop
        hlt
trap_flag_end:

/* ---- far, wide, odd ---- */

/* The displacement of MOV's absolute form has 64 bits. */
SNIPPET moffs, 64
        movabs  $0x1122334455667788, %rax
        movabs  %rax, 0x20000
        xorl    %eax, %eax
        movabs  0x20000, %rax
        hlt
moffs_end:

SNIPPET wrap16, 16
        /* IP wraps when a 16-bit jump passes ffff */
        .byte   0xe9
        .word   0xffff - 0x8003 + 0x10
wrap16_end:

SNIPPET halt16, 16
        movw    $0x1234, %ax
        hlt
halt16_end:

/* LOOP with a 16-bit count in 32-bit code. */
SNIPPET loop16, 32
        movl    $0x10003, %ecx
        xorl    %eax, %eax
1:      incl    %eax
        addr16 loop 1b
        hlt
loop16_end:

        .section .note.GNU-stack, "", @progbits
