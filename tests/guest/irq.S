/*
 * Interrupts: 8254 through the 8259s and through the IOAPIC, RTC on the second PIC, LAPIC timer and
 * self-IPI.
 */
        .include "payload.inc"

        .set    TICKS, FREE             /* counted by each handler */
        .set    RTC_TICKS, FREE + 4
        .set    APIC_TICKS, FREE + 8
        .set    SELF_IPIS, FREE + 12
        .set    ORDER, FREE + 16        /* vectors in the order they were taken, one byte each */
        .set    LAPIC, 0xfee00000
        .set    IOAPIC, 0xfec00000

        .macro  OUT port, value
        movb    $\value, %al
        outb    %al, $\port
        .endm

/* Waits with HLT until the counter has reached the value; gives up after many wakings. */
        .macro  AWAIT counter, value
        movl    $1000, %ecx
8:      cmpl    $\value, \counter
        jae     8f
        sti
        hlt
        cli
        decl    %ecx
        jnz     8b
8:      cli
        .endm

/*
 * Lets in what waits. A port write, for a kvm that emulates looks for interrupts now and then only.
 */
        .macro  WINDOW
        sti
        outb    %al, $0x80
        outb    %al, $0x80
        outb    %al, $0x80
        cli
        .endm

init_pics:
        OUT     0x20, 0x11
        OUT     0x21, 0x20              /* vectors 20–27 */
        OUT     0x21, 0x04
        OUT     0x21, 0x01
        OUT     0xa0, 0x11
        OUT     0xa1, 0x28
        OUT     0xa1, 0x02
        OUT     0xa1, 0x01
        OUT     0x21, 0xff
        OUT     0xa1, 0xff
        ret

/* Counter 0, mode 2, a thousand times a second. */
start_pit:
        OUT     0x43, 0x34
        OUT     0x40, (1193 & 0xff)
        OUT     0x40, (1193 >> 8)
        ret

main:
        movl    $0x20, %ecx
        movl    $pit_handler, %eax
        call    set_gate
        movl    $0x28, %ecx
        movl    $rtc_handler, %eax
        call    set_gate
        movl    $0x41, %ecx
        movl    $ioapic_handler, %eax
        call    set_gate
        movl    $0x42, %ecx
        movl    $apic_timer_handler, %eax
        call    set_gate
        movl    $0x52, %ecx
        movl    $ipi_low_handler, %eax
        call    set_gate
        movl    $0x63, %ecx
        movl    $ipi_high_handler, %eax
        call    set_gate
        xorl    %eax, %eax
        movl    $FREE, %edi
        movl    $16, %ecx
        cld
        rep stosl
        call    init_pics
        movl    $0x1ff, LAPIC + 0xf0    /* on, and LINT0 takes the PICs' interrupts */
        movl    $0x700, LAPIC + 0x350

        /* timer through the first PIC */
        call    start_pit
        OUT     0x21, 0xfe
        AWAIT   TICKS, 5
        OUT     0x21, 0xff
        movl    TICKS, %eax
        cmpl    $5, %eax
        setae   %al
        movzbl  %al, %eax
        CHECK   "timer through the PIC", %eax, 1
        PASS    "timer through the PIC"

        /* masked: the request waits, no interrupt comes */
        movl    $0, TICKS
        OUT     0x20, 0x0a              /* read IRR */
1:      inb     $0x20, %al
        testb   $1, %al
        jz      1b
        WINDOW
        CHECK_MEM "masked", TICKS, 0
        PASS    "mask and request register"

        /* periodic interrupt of the clock, on the second PIC */
        movb    $0x8a, %al
        outb    %al, $0x70
        OUT     0x71, 0x26              /* 1024 a second */
        movb    $0x8b, %al
        outb    %al, $0x70
        OUT     0x71, 0x42              /* PIE, 24 hours */
        movb    $0x0c, %al
        outb    %al, $0x70
        inb     $0x71, %al
        OUT     0x21, 0xfb
        OUT     0xa1, 0xfe
        AWAIT   RTC_TICKS, 3
        OUT     0xa1, 0xff
        OUT     0x21, 0xff
        movl    RTC_TICKS, %eax
        cmpl    $3, %eax
        setae   %al
        movzbl  %al, %eax
        CHECK   "clock through the second PIC", %eax, 1
        movb    $0x0b, %al
        outb    %al, $0x70
        OUT     0x71, 0x02
        PASS    "clock through the second PIC"

        /* LINT0 masked: the PICs are out of the way */
        movl    $0x10700, LAPIC + 0x350
        movl    LAPIC + 0x30, %eax
        andl    $0xf0, %eax
        CHECK   "local APIC version", %eax, 0x10

        /* timer through the IOAPIC's pin 2 */
        movl    $0x14, IOAPIC           /* entry 2 */
        movl    $0x41, IOAPIC + 0x10
        movl    $0x15, IOAPIC
        movl    LAPIC + 0x20, %eax
        movl    %eax, IOAPIC + 0x10
        movl    $0, TICKS
        AWAIT   TICKS, 3
        movl    $0x14, IOAPIC
        movl    $0x10041, IOAPIC + 0x10
        movl    TICKS, %eax
        cmpl    $3, %eax
        setae   %al
        movzbl  %al, %eax
        CHECK   "timer through the IOAPIC", %eax, 1
        PASS    "timer through the IOAPIC"

        /* LAPIC timer, periodic, divided by 16 */
        movl    $3, LAPIC + 0x3e0
        movl    $0x20042, LAPIC + 0x320
        movl    $20000, LAPIC + 0x380
        AWAIT   APIC_TICKS, 3
        movl    $0x10042, LAPIC + 0x320
        movl    $0, LAPIC + 0x380
        movl    APIC_TICKS, %eax
        cmpl    $3, %eax
        setae   %al
        movzbl  %al, %eax
        CHECK   "LAPIC timer", %eax, 1
        movl    $1, LAPIC + 0x80
        PASS    "LAPIC timer"

        /* two IPIs to itself: the higher vector goes first, whatever the order they were sent in */
        movl    $0, ORDER
        movl    $0, SELF_IPIS
        movl    $0, LAPIC + 0x80
        movl    $0x44052, LAPIC + 0x300
        movl    $0x44063, LAPIC + 0x300
        WINDOW
        CHECK_MEM "IPIs to itself", SELF_IPIS, 2
        CHECK_MEM "IPIs: order", ORDER, 0x6352
        PASS    "IPIs to itself"

        /* a task priority holds the lower one back */
        movl    $0, ORDER
        movl    $0, SELF_IPIS
        movl    $0x5f, LAPIC + 0x80
        movl    $0x44052, LAPIC + 0x300
        movl    $0x44063, LAPIC + 0x300
        WINDOW
        CHECK_MEM "task priority: before", SELF_IPIS, 1
        movl    LAPIC + 0x220, %eax     /* IRR, vectors 40–5f */
        andl    $0x40000, %eax
        CHECK   "task priority: request waits", %eax, 0x40000
        movl    $0, LAPIC + 0x80
        WINDOW
        CHECK_MEM "task priority: after", ORDER, 0x6352
        PASS    "task priority"

        /* STI holds interrupts off for one instruction */
        movl    $0, SELF_IPIS
        movl    $0x44052, LAPIC + 0x300
        sti
        movl    SELF_IPIS, %eax
        cli
        CHECK   "shadow of STI", %eax, 0
        WINDOW
        CHECK_MEM "after the shadow of STI", SELF_IPIS, 1
        PASS    "shadow of STI"
        jmp     finish

pit_handler:
        pushl   %eax
        incl    TICKS
        OUT     0x20, 0x20
        popl    %eax
        iret
rtc_handler:
        pushl   %eax
        incl    RTC_TICKS
        movb    $0x0c, %al
        outb    %al, $0x70
        inb     $0x71, %al
        OUT     0xa0, 0x20
        OUT     0x20, 0x20
        popl    %eax
        iret
ioapic_handler:
        incl    TICKS
        movl    $0, LAPIC + 0xb0
        iret
apic_timer_handler:
        incl    APIC_TICKS
        movl    $0, LAPIC + 0xb0
        iret
ipi_low_handler:
        shll    $8, ORDER
        addl    $0x52, ORDER
        jmp     1f
ipi_high_handler:
        shll    $8, ORDER
        addl    $0x63, ORDER
1:      incl    SELF_IPIS
        movl    $0, LAPIC + 0xb0
        iret
        PAYLOAD_END
