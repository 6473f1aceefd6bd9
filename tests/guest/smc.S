/*
 * Code that changes: itself, the next instruction, another page, through another mapping, by string
 * stores.
 */
        .include "payload.inc"

        .set    AREA, 0x10000

main:
        /* a routine in RAM, changed between calls */
        movl    $0x000001b8, AREA       /* mov $…, %eax; ret */
        movl    $0x00c30000, AREA + 4
        movl    $0xc3, AREA + 5
        movl    $AREA, %esi
        call    *%esi
        CHECK   "routine", %eax, 1
        movl    $2, AREA + 1
        call    *%esi
        CHECK   "routine after a change", %eax, 2
        movb    $0x40, AREA + 5         /* inc %eax; ret */
        movb    $0xc3, AREA + 6
        call    *%esi
        CHECK   "longer routine", %eax, 3
        PASS    "changed between calls"

        /* many changes, so that whatever caches code must notice each */
        xorl    %ebx, %ebx
        movl    $50, %ecx
1:      movl    %ecx, AREA + 1
        call    *%esi
        addl    %eax, %ebx
        loop    1b
        CHECK   "fifty changes", %ebx, 1325
        PASS    "changed in a loop"

        /* an instruction that changes the one behind it: code copied to RAM first */
        movl    $next_insn, %esi
        movl    $(AREA + 0x100), %edi
        movl    $(next_insn_end - next_insn), %ecx
        cld
        rep movsb
        movl    $(AREA + 0x100), %edi
        call    *%edi
        CHECK   "next instruction", %eax, 0x22
        PASS    "the next instruction"

        /* across a page border: the immediate lies in the next page */
        movb    $0xb8, AREA + 0xffe
        movl    $0x11, AREA + 0xfff
        movb    $0xc3, AREA + 0x1003
        movl    $(AREA + 0xffe), %esi
        call    *%esi
        CHECK   "over a page border", %eax, 0x11
        movl    $0x33, AREA + 0xfff
        call    *%esi
        CHECK   "over a page border, changed", %eax, 0x33
        movb    $0x44, AREA + 0x1000
        call    *%esi
        CHECK   "over a page border, second page changed", %eax, 0x4433
        PASS    "over a page border"

        /* by a string store and by a byte exchange */
        movl    $AREA, %edi
        movl    $0x90, %eax
        movl    $8, %ecx
        rep stosb
        movb    $0xc3, AREA + 8
        movl    $AREA, %esi
        movl    $0x55, %eax
        call    *%esi
        CHECK   "filled with NOPs", %eax, 0x55
        movb    $0x40, %al
        xchgb   %al, AREA + 3
        movl    $0x55, %eax
        call    *%esi
        CHECK   "exchanged a byte", %eax, 0x56
        lock incb AREA + 3              /* inc %ecx */
        movl    $7, %ecx
        call    *%esi
        CHECK   "locked increment of code", %ecx, 8
        PASS    "other kinds of stores"
        jmp     finish

next_insn:
        movb    $0x22, 1f - next_insn + 1(%edi)
        .byte   0xeb, 0                 /* jmp: what the manual asks for */
1:      movl    $0x11, %eax
        ret
next_insn_end:
        PAYLOAD_END
