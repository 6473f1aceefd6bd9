/* Time sources: 8254 counter, refresh bit, clock registers, PM timer, HPET, time stamp counter. */
        .include "payload.inc"

        .set    PM_BASE, 0x600
        .set    HPET, 0xfed00000

/* %eax: milliseconds, by the 8254's counter 2 in mode 0. */
delay:
        pushl   %edx
        movl    $1193, %edx
        mull    %edx
        movl    %eax, %ecx
        inb     $0x61, %al
        andb    $0xfc, %al
        orb     $1, %al                 /* gate on, speaker off */
        outb    %al, $0x61
        movb    $0xb0, %al              /* counter 2, both bytes, mode 0 */
        outb    %al, $0x43
        movb    %cl, %al
        outb    %al, $0x42
        movb    %ch, %al
        outb    %al, $0x42
1:      inb     $0x61, %al
        testb   $0x20, %al
        jz      1b
        popl    %edx
        ret

main:
        /* counter 0 counts down */
        movb    $0x34, %al
        outb    %al, $0x43
        movb    $0xff, %al
        outb    %al, $0x40
        outb    %al, $0x40
        xorl    %eax, %eax              /* latch */
        outb    %al, $0x43
        inb     $0x40, %al
        movb    %al, %bl
        inb     $0x40, %al
        movb    %al, %bh
        movl    $2, %eax
        call    delay
        xorl    %eax, %eax
        outb    %al, $0x43
        inb     $0x40, %al
        movb    %al, %dl
        inb     $0x40, %al
        movb    %al, %dh
        subw    %dx, %bx                /* ticks gone by: 2 ms are 2386 */
        movzwl  %bx, %ebx
        xorl    %eax, %eax
        cmpl    $2300, %ebx
        setae   %al
        CHECK   "8254 counts down", %eax, 1
        /* read-back: status of counter 0 */
        movb    $0xe2, %al
        outb    %al, $0x43
        inb     $0x40, %al
        andl    $0x3f, %eax
        CHECK   "8254 status", %eax, 0x34
        PASS    "8254"

        /* the refresh bit toggles */
        inb     $0x61, %al
        movb    %al, %bl
        movl    $100000, %ecx
1:      inb     $0x61, %al
        xorb    %bl, %al
        testb   $0x10, %al
        jnz     1f
        loop    1b
1:      andl    $0x10, %eax
        CHECK   "refresh bit", %eax, 0x10
        PASS    "refresh bit"

        /* clock: a plausible BCD date, RAM that remembers, valid battery */
        movb    $0x0d, %al
        outb    %al, $0x70
        inb     $0x71, %al
        andl    $0x80, %eax
        CHECK   "battery", %eax, 0x80
        movb    $0x40, %al
        outb    %al, $0x70
        movb    $0xa7, %al
        outb    %al, $0x71
        movb    $0x41, %al
        outb    %al, $0x70
        movb    $0x58, %al
        outb    %al, $0x71
        movb    $0x40, %al
        outb    %al, $0x70
        xorl    %eax, %eax
        inb     $0x71, %al
        CHECK   "clock RAM", %eax, 0xa7
        movb    $0x08, %al
        outb    %al, $0x70
        inb     $0x71, %al              /* month */
        decb    %al
        cmpb    $0x12, %al
        setb    %al
        movzbl  %al, %eax
        CHECK   "month", %eax, 1
        PASS    "clock"

        /* PM timer: the PIIX4's function 3 is told where and to answer */
        movl    $0x80000b40, %eax
        movw    $0xcf8, %dx
        outl    %eax, %dx
        movw    $0xcfc, %dx
        movl    $(PM_BASE + 1), %eax
        outl    %eax, %dx
        movl    $0x80000b80, %eax
        movw    $0xcf8, %dx
        outl    %eax, %dx
        movw    $0xcfc, %dx
        movb    $1, %al
        outb    %al, %dx
        movw    $(PM_BASE + 8), %dx
        inl     %dx, %eax
        movl    %eax, %ebx
        movl    $5, %eax
        call    delay
        inl     %dx, %eax
        subl    %ebx, %eax
        andl    $0xffffff, %eax         /* 5 ms are 17897 ticks */
        movl    %eax, %ebx
        xorl    %eax, %eax
        cmpl    $17000, %ebx
        setae   %al
        CHECK   "PM timer", %eax, 1
        PASS    "PM timer"

        /* HPET: capabilities, and a counter that runs when enabled */
        movl    HPET, %eax
        andl    $0xffff0000, %eax
        CHECK   "HPET vendor", %eax, 0x80860000
        movl    HPET + 4, %eax
        CHECK   "HPET period", %eax, 10000000
        movl    HPET + 0xf0, %eax
        movl    HPET + 0xf0, %ebx
        subl    %eax, %ebx
        CHECK   "HPET stands", %ebx, 0
        movl    $1, HPET + 0x10
        movl    HPET + 0xf0, %ebx
        movl    $2, %eax
        call    delay
        movl    HPET + 0xf0, %eax
        subl    %ebx, %eax              /* 2 ms are 200000 ticks */
        movl    %eax, %ebx
        xorl    %eax, %eax
        cmpl    $190000, %ebx
        setae   %al
        CHECK   "HPET runs", %eax, 1
        movl    $0, HPET + 0x10
        PASS    "HPET"

        /* the time stamp counter goes up */
        rdtsc
        movl    %eax, %ebx
        movl    %edx, %esi
        movl    $1, %eax
        call    delay
        rdtsc
        subl    %ebx, %eax
        sbbl    %esi, %edx
        movl    %edx, %ebx
        xorl    %eax, %eax
        testl   %ebx, %ebx
        setns   %al
        CHECK   "time stamp counter", %eax, 1
        PASS    "time stamp counter"
        jmp     finish
        PAYLOAD_END
