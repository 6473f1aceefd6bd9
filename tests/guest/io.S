/*
 * Ports and memory-mapped registers of pc-testdev and others: sizes, string instructions, what
 * nobody answers.
 */
        .include "payload.inc"

        .set    LATCH, 0xe0             /* pc-testdev: what was written, by size */
        .set    MMIO, 0xff000000        /* 64 KiB of registers that remember */

main:
        /* each width */
        movw    $LATCH, %dx
        movl    $0x12345678, %eax
        outl    %eax, %dx
        xorl    %eax, %eax
        inl     %dx, %eax
        CHECK   "32-bit port", %eax, 0x12345678
        movl    $0x9abc, %eax
        outw    %ax, %dx
        xorl    %eax, %eax
        inw     %dx, %ax
        CHECK   "16-bit port", %eax, 0x9abc
        movl    $0x5d, %eax
        outb    %al, %dx
        xorl    %eax, %eax
        inb     %dx, %al
        CHECK   "8-bit port", %eax, 0x5d
        PASS    "port widths"

        /* string output and input */
        movl    $FREE, %esi
        movl    $0x11111111, FREE
        movl    $0x22222222, FREE + 4
        movl    $0x33333333, FREE + 8
        movl    $3, %ecx
        cld
        rep outsl
        CHECK   "rep outs: count", %ecx, 0
        CHECK   "rep outs: pointer", %esi, (FREE+12)
        movl    $(FREE + 0x20), %edi
        movl    $3, %ecx
        rep insl
        CHECK   "rep ins: pointer", %edi, (FREE+0x2c)
        CHECK_MEM "rep ins: last", FREE + 0x28, 0x33333333
        CHECK_MEM "rep ins: first", FREE + 0x20, 0x33333333
        /* backwards */
        std
        movl    $(FREE + 0x44), %edi
        movl    $0, FREE + 0x40
        movl    $2, %ecx
        rep insw
        cld
        CHECK   "backwards: pointer", %edi, (FREE+0x40)
        movzwl  FREE + 0x42, %eax
        CHECK   "backwards: value", %eax, 0x3333
        PASS    "string port instructions"

        /* nobody there reads as ones */
        movw    $0x2f0, %dx
        inl     %dx, %eax
        CHECK   "no device", %eax, 0xffffffff
        movl    0xfd000000, %eax
        CHECK   "no memory", %eax, 0xffffffff
        movl    %eax, 0xfd000000
        PASS    "nobody there"

        /* memory-mapped registers */
        movl    $MMIO, %ebx
        movl    $0xdeadbeef, 0x100(%ebx)
        movl    0x100(%ebx), %eax
        CHECK   "32-bit register", %eax, 0xdeadbeef
        movzbl  0x101(%ebx), %eax
        CHECK   "byte of a register", %eax, 0xbe
        movw    $0x7788, 0x102(%ebx)
        movl    0x100(%ebx), %eax
        CHECK   "half of a register", %eax, 0x7788beef
        addl    $1, 0x100(%ebx)
        orb     $0x0f, 0x103(%ebx)
        movl    0x100(%ebx), %eax
        CHECK   "read-modify-write", %eax, 0x7f88bef0
        movl    $0x13, %ecx
        xchgl   %ecx, 0x100(%ebx)
        CHECK   "exchange", %ecx, 0x7f88bef0
        PASS    "memory-mapped registers"

        /* string instructions between registers and memory */
        leal    0x200(%ebx), %edi
        movl    $FREE, %esi
        movl    $4, %ecx
        rep movsl
        movl    0x208(%ebx), %eax
        CHECK   "rep movs to registers", %eax, 0x33333333
        leal    0x200(%ebx), %esi
        movl    $(FREE + 0x80), %edi
        movl    $4, %ecx
        rep movsl
        CHECK_MEM "rep movs from registers", FREE + 0x84, 0x22222222
        pushl   0x204(%ebx)
        popl    %eax
        CHECK   "push from a register", %eax, 0x22222222
        PASS    "string instructions on registers"

        /* ROM takes no writes */
        movl    0xffffff00, %ecx
        movl    $0x12, 0xffffff00
        movl    0xffffff00, %eax
        subl    %ecx, %eax
        CHECK   "write to ROM", %eax, 0
        PASS    "read-only memory"
        jmp     finish
        PAYLOAD_END
