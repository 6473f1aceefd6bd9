/*
 * Something to debug: counts in a loop, calls, writes and reads memory, until a debugger sets QUIT.
 * Registers hold values a debugger can tell apart.
 */
        .include "payload.inc"

        .set    COUNT, FREE
        .set    MIRROR, FREE + 8
        .set    QUIT, FREE + 16
        .set    WRITTEN, FREE + 24

        .globl  main, again, work, mirrored, counted
main:
        movl    %cr4, %eax
        orl     $0x600, %eax            /* OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        fninit
        fldpi
        fld1
        movl    $0x11111111, %ebx
        movd    %ebx, %xmm0
        pshufd  $0, %xmm0, %xmm1
        movl    $0x22222222, %ecx
        movl    $0x33333333, %esi
        movl    $0x44444444, %edi
        movl    $0x55555555, %ebp
        movl    $0, COUNT
        movl    $0, QUIT
again:
        incl    COUNT
counted:
        call    work
        cmpl    $0, QUIT
        je      again
        CHECK_MEM "written by the debugger", WRITTEN, 0xfeedface
        PASS    "gdb"
        jmp     finish

work:   movl    COUNT, %edx
        movl    %edx, MIRROR
mirrored:
        ret
        PAYLOAD_END
