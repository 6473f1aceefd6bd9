/*
 * A firmware image that does nothing but get into 64-bit user mode with IOPL 3, where even hosts
 * that emulate supervisor code run at full speed, and call `payload` there.
 *
 * 4 GiB are mapped one to one for everybody.  No interrupts, no fault handlers.  SYSEXIT and not
 * IRET, which KVM's instruction emulator has no long form of.
 */
        .set    PML4, 0x1000
        .set    PDPT, 0x2000
        .set    PD, 0x3000              /* four of them */
        .set    STACK, 0x80000
        .set    MSR_SYSENTER_CS, 0x174
        .set    MSR_EFER, 0xc0000080

        .section .head, "ax"
        .code16
base:
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   gdt_pointer - base
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $0x08, $start32

        .align  8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 08 code, 32-bit */
        .quad   0x00cf93000000ffff      /* 10 data */
        .quad   0x00af9b000000ffff      /* 18 code, 64-bit */
        .quad   0
        .quad   0x00affb000000ffff      /* 28 code, 64-bit, user: what SYSEXIT loads */
        .quad   0x00cff3000000ffff      /* 30 data, user */
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt

        .code32
start32:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        cld
        movl    $PML4, %edi
        xorl    %eax, %eax
        movl    $(6 * 1024), %ecx
        rep stosl
        movl    $(PDPT + 7), PML4
        movl    $(PD + 7), %eax
        movl    $PDPT, %edi
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        cmpl    $(PDPT + 32), %edi
        jne     1b
        movl    $0x87, %eax             /* present, writable, user, 2 MiB */
        movl    $PD, %edi
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        jnc     2b
        movl    $0x20, %eax
        movl    %eax, %cr4
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        movl    $0x100, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $MSR_SYSENTER_CS, %ecx
        movl    $0x08, %eax
        wrmsr
        movl    $0x80000011, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $start64

        .code64
start64:
        movl    $STACK, %esp
        pushq   $0x3002
        popfq
        movl    $payload, %edx
        movl    $(STACK - 8), %ecx
        sysexitq

        .section .reset, "ax"
        .code16
        ljmpw   $0xf000, $0
        .align  16
