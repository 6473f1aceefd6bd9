/*
 * Other processors: INIT and SIPI, locked counters, IPIs between them. Started with -smp 2 or more.
 */
        .include "payload.inc"

        .set    LAPIC, 0xfee00000
        .set    STARTED, FREE           /* processors that have come up */
        .set    COUNTER, FREE + 4
        .set    UNLOCKED, FREE + 8
        .set    GO, FREE + 12
        .set    DONE, FREE + 16
        .set    IPIS, FREE + 20
        .set    ANSWERS, FREE + 24
        .set    TRAMPOLINE, 0x9000
        .set    ROUNDS, 200

main:
        xorl    %eax, %eax
        movl    $FREE, %edi
        movl    $16, %ecx
        cld
        rep stosl
        movl    $0x60, %ecx
        movl    $ipi_handler, %eax
        call    set_gate
        movl    $0x1ff, LAPIC + 0xf0

        /* how many there are: fw_cfg item 5 */
        movw    $0x510, %dx
        movl    $5, %eax
        outw    %ax, %dx
        incl    %edx
        xorl    %eax, %eax
        inb     %dx, %al
        decl    %eax
        movl    %eax, %ebp              /* the others */

        movl    $trampoline, %esi
        movl    $TRAMPOLINE, %edi
        movl    $(trampoline_end - trampoline), %ecx
        rep movsb

        movl    $0x000c4500, LAPIC + 0x300      /* INIT, all but self */
        movl    $2000, %ecx
1:      loop    1b
        movl    $(0x000c4600 + TRAMPOLINE / 4096), LAPIC + 0x300

        movl    $20000000, %ecx
1:      cmpl    %ebp, STARTED
        jae     1f
        pause
        loop    1b
1:      movl    STARTED, %eax
        subl    %ebp, %eax
        CHECK   "processors started", %eax, 0
        PASS    "start-up"

        /* everybody counts under LOCK */
        movl    $1, GO
        movl    $ROUNDS, %ecx
1:      lock incl COUNTER
        pause
        loop    1b
1:      cmpl    %ebp, DONE
        pause
        jne     1b
        movl    %ebp, %eax
        incl    %eax
        imull   $ROUNDS, %eax
        subl    COUNTER, %eax
        CHECK   "locked counter", %eax, 0
        PASS    "locked counter"

        /* an IPI to all others, who wait in HLT and answer with one to us */
        movl    $0x000c4060, LAPIC + 0x300
        movl    $20000000, %ecx
1:      movl    IPIS, %eax              /* answers that come close together are one */
        cmpl    %ebp, %eax
        jb      2f
        cmpl    $0, ANSWERS
        jne     1f
2:
        sti
        pause
        pause
        cli
        loop    1b
1:      movl    IPIS, %eax
        subl    %ebp, %eax
        CHECK   "IPIs to the others", %eax, 0
        xorl    %eax, %eax
        cmpl    $0, ANSWERS
        setne   %al
        CHECK   "an answer", %eax, 1
        PASS    "IPIs"
        jmp     finish

/* The first processor counts answers, the others count and answer. */
ipi_handler:
        pushl   %eax
        movl    LAPIC + 0x20, %eax
        testl   $0xff000000, %eax
        jz      1f
        lock incl IPIS
        movl    $0, LAPIC + 0x310
        movl    $0x00004060, LAPIC + 0x300
        jmp     2f
1:      lock incl ANSWERS
2:      movl    $0, LAPIC + 0xb0
        popl    %eax
        iret

/* Runs at TRAMPOLINE in real mode. */
        .code16
trampoline:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   TRAMPOLINE + (tr_gdt - trampoline)
        lidtl   TRAMPOLINE + (tr_idt - trampoline)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $CODE32, $other
tr_gdt: .word   gdt_end - gdt - 1
        .long   GDT
tr_idt: .word   0x7ff
        .long   IDT
trampoline_end:
        .code32
other:  movl    $DATA32, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $1, %eax
        lock xaddl %eax, STARTED
        shll    $8, %eax
        leal    0xb000(%eax), %esp      /* 256 bytes of stack each */
        addl    $0x100, %esp
        movl    $0x1ff, LAPIC + 0xf0
1:      cmpl    $0, GO
        pause
        je      1b
        movl    $ROUNDS, %ecx
1:      lock incl COUNTER
        pause
        loop    1b
        lock incl DONE
1:      sti
        hlt
        jmp     1b
        PAYLOAD_END
