/* 4-level paging with NX, seen from 64-bit code; PAE paging, its faults and user mode. */
        .include "payload.inc"

        .set    PML4, 0x12000
        .set    PDPT, 0x13000
        .set    PD64, 0x14000
        .set    PT64, 0x15000
        .set    PAGE, 0x20000           /* a page that is played with, mapped at ALIAS too */
        .set    ALIAS, 0x180000
        .set    ALIAS_PTE, (PT64 + 0x180 * 8)

main:
        movl    $PML4, %edi
        movl    $(0x4000 / 4), %ecx
        xorl    %eax, %eax
        cld
        rep stosl
        /* identity for 2 MiB; ALIAS leads to PAGE and is not executable */
        movl    $(PDPT + 7), PML4
        movl    $(PD64 + 7), PDPT
        movl    $(PT64 + 7), PD64
        movl    $PT64, %edi
        movl    $7, %eax
        movl    $512, %ecx
1:      stosl
        addl    $4, %edi
        addl    $0x1000, %eax
        loop    1b
        movl    $(PAGE + 7), ALIAS_PTE
        movl    $0x80000000, ALIAS_PTE + 4
        movl    $0x00c3c3c3, PAGE               /* ret */
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x900, %eax                    /* LME, NXE */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmp    $CODE64, $long
        .code64
long:   movl    $DATA32, %eax
        movl    %eax, %ds
        movl    %eax, %ss
        movl    $STACK, %esp
        movq    ALIAS, %rbx
        movabsq $0x123456789abcdef0, %rax
        movq    %rax, (PAGE + 0x100)
        movq    (ALIAS + 0x100), %rcx
        subq    %rax, %rcx
        movl    %ecx, FREE
        movq    %cr0, %rax
        ljmp    *pointer_compat
        .code32
compat: CHECK_MEM "4 levels: 64-bit read", FREE, 0
        PASS    "64-bit paging"
        /* leave long mode: faults are taken by the 32-bit table again */
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax
        movl    %eax, %cr0
        movl    $0xc0000080, %ecx
        rdmsr
        andl    $~0x100, %eax
        wrmsr
        movl    $(PDPT), %eax                   /* PAE: the same PDPT, without its U and W bits */
        movl    $(PD64 + 1), PDPT
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        EXPECT  unavailable                     /* some hosts' kvm knows no PAE outside long mode */
        movl    %eax, %cr0
        movl    $0, FAULT_RESUME
        movl    ALIAS, %eax
        CHECK   "PAE read", %eax, 0x00c3c3c3
        EXPECT  1f
        movl    $ALIAS, %ecx
        call    *%ecx
1:      FAULTED "executing a no-execute page", 14, 0x11
        CHECK_MEM "executing a no-execute page: instruction", FAULT_EIP, ALIAS
        movl    $0, ALIAS_PTE + 4
        invlpg  ALIAS
        call    *%ecx
        PASS    "no-execute"

        /* accessed, dirty, write protection and user mode with wide entries */
        movl    $(PAGE + 3), ALIAS_PTE
        invlpg  ALIAS
        movl    $0x1234, ALIAS
        movl    ALIAS_PTE, %eax
        andl    $0x60, %eax
        CHECK   "accessed and dirty", %eax, 0x60
        movl    %cr0, %eax
        orl     $0x10000, %eax
        movl    %eax, %cr0
        movl    $(PAGE + 1), ALIAS_PTE
        invlpg  ALIAS
        EXPECT  1f
        movl    %eax, ALIAS
1:      FAULTED "write to a read-only page", 14, 3
        CHECK_MEM "write to a read-only page: address", FAULT_CR2, ALIAS
        EXPECT  1f
        USER    user_read
user_read:
        movl    ALIAS, %eax
1:      FAULTED "user read of a supervisor page", 14, 5
        movl    $0, ALIAS_PTE
        invlpg  ALIAS
        EXPECT  1f
        movl    ALIAS + 4, %eax
1:      FAULTED "not present", 14, 0
        CHECK_MEM "not present: address", FAULT_CR2, (ALIAS+4)
        EXPECT  1f
        movl    $(PAGE + 3), ALIAS_PTE
        movl    $0x00100000, ALIAS_PTE + 4      /* an address bit no processor has: reserved */
        invlpg  ALIAS
        movl    ALIAS, %eax
1:      FAULTED "reserved bit", 14, 9
        PASS    "faults"
        jmp     finish

        .align  8
pointer_compat:
        .long   compat
        .word   CODE32
        PAYLOAD_END
