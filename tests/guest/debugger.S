/*
 * What a debugger outside looks at: a loop that calls and writes, for ever, in RAM at places
 * tests/machine/test_debug.py knows.
 */
        .include "payload.inc"

        .set    COUNTER, FREE           /* times round */
        .set    WRITTEN, FREE + 8
        .set    CODE, 0x9000

main:
        cld
        movl    $program, %esi
        movl    $CODE, %edi
        movl    $(program_end - program), %ecx
        rep movsb
        movl    $0, COUNTER
        movl    $0, %ebp
        movl    $CODE, %eax
        jmp     *%eax

        .balign 16
program:
loop:                                   /* 9000 */
        incl    COUNTER
        movl    COUNTER, %eax
        call    work                    /* 900b */
        movl    %eax, WRITTEN           /* 9010 */
        jmp     loop                    /* 9015 */

        .org    program + 0x40
work:                                   /* 9040 */
        pushl   %ebp
        movl    %esp, %ebp              /* 9041 */
        movl    $3, %ecx                /* 9043 */
        call    deeper                  /* 9048 */
        popl    %ebp                    /* 904d */
        ret

        .org    program + 0x60
deeper:                                 /* 9060: calls itself until ecx is 0 */
        pushl   %ebp
        movl    %esp, %ebp
        decl    %ecx
        jz      1f
        call    deeper
1:      popl    %ebp
        ret
program_end:
        PAYLOAD_END
