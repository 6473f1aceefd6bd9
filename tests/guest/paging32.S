/* 32-bit paging with 4 KiB and 4 MiB pages: faults, accessed and dirty bits, INVLPG, user mode. */
        .include "payload.inc"

        .set    PD, 0x10000
        .set    PT, 0x11000
        .set    PAGE, 0x20000           /* a page that is played with, mapped at 300000 too */
        .set    ALIAS, 0x300000

/* Identity tables for the first 2 MiB. */
make_tables:
        movl    $PD, %edi
        movl    $0x2000 / 4, %ecx
        xorl    %eax, %eax
        cld
        rep stosl
        movl    $(PT + 7), PD
        movl    $7, %eax
        movl    $PT, %edi
        movl    $512, %ecx
1:      stosl
        addl    $0x1000, %eax
        loop    1b
        ret

main:
        call    make_tables
        movl    $PD, %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        EXPECT  unavailable                     /* some hosts' kvm knows no 32-bit paging */
        movl    %eax, %cr0
        jmp     1f
1:      movl    $0, FAULT_RESUME
        PASS    "paging on"

        /* not present, read */
        EXPECT  1f
0:      movl    ALIAS, %eax
1:      FAULTED "not present", 14, 0
        CHECK_MEM "not present: address", FAULT_CR2, ALIAS
        CHECK_MEM "not present: instruction", FAULT_EIP, 0b
        PASS    "not present"

        /* not present, write, second byte of the page */
        EXPECT  1f
        movb    %al, ALIAS + 1
1:      FAULTED "write to not present", 14, 2
        CHECK_MEM "write to not present: address", FAULT_CR2, (ALIAS+1)
        PASS    "write to not present"

        /* an access that begins in a page and ends in a hole: the address is the hole's */
        movl    $(PAGE + 7), (PT + 0x2ff * 4)
        EXPECT  1f
        movl    ALIAS - 2, %eax
1:      FAULTED "across a page border", 14, 0
        CHECK_MEM "across a page border: address", FAULT_CR2, ALIAS
        PASS    "across a page border"

        /* accessed and dirty bits */
        movl    $(PAGE + 7), (PT + 0x300 * 4)
        movl    ALIAS, %eax
        movl    (PT + 0x300 * 4), %eax
        andl    $0x60, %eax
        CHECK   "accessed after a read", %eax, 0x20
        movl    $0x1234, ALIAS
        movl    (PT + 0x300 * 4), %eax
        andl    $0x60, %eax
        CHECK   "dirty after a write", %eax, 0x60
        CHECK_MEM "two addresses of one page", PAGE, 0x1234
        PASS    "accessed and dirty bits"

        /* read-only: supervisor writes pass without CR0.WP, fault with it */
        movl    $(PAGE + 5), (PT + 0x300 * 4)
        invlpg  ALIAS
        movl    $0x4321, ALIAS
        CHECK_MEM "supervisor write without WP", PAGE, 0x4321
        movl    %cr0, %eax
        orl     $0x10000, %eax
        movl    %eax, %cr0
        EXPECT  1f
        movl    %eax, ALIAS
1:      FAULTED "supervisor write with WP", 14, 3
        PASS    "write protection"

        /* remapping is seen after INVLPG */
        movl    $0x77, (PAGE + 0x1000)
        movl    $(PAGE + 0x1007), (PT + 0x300 * 4)
        invlpg  ALIAS
        movl    ALIAS, %eax
        CHECK   "after INVLPG", %eax, 0x77
        movl    $0x78, PAGE
        movl    $(PAGE + 7), (PT + 0x300 * 4)
        movl    %cr3, %eax
        movl    %eax, %cr3
        movl    ALIAS, %eax
        CHECK   "after a write to CR3", %eax, 0x78
        PASS    "remapping"

        /* user mode: its own page is read, a supervisor's faults with the user bit */
        movl    $(PAGE + 3), (PT + 0x300 * 4)
        invlpg  ALIAS
        EXPECT  1f
        USER    user_read
user_read:
        movl    PAGE, %eax
0:      movl    ALIAS, %eax
1:      FAULTED "user read of a supervisor page", 14, 5
        CHECK_MEM "user read of a supervisor page: instruction", FAULT_EIP, 0b
        EXPECT  1f
        USER    user_write
user_write:
        movl    $1, ALIAS
1:      FAULTED "user write to a supervisor page", 14, 7
        movl    $(PAGE + 5), (PT + 0x300 * 4)
        invlpg  ALIAS
        EXPECT  1f
        USER    user_write_readonly
user_write_readonly:
        movl    ALIAS, %eax
        movl    $1, ALIAS
1:      FAULTED "user write to a read-only page", 14, 7
        PASS    "user pages"

        /* a 4 MiB page: 400000 maps memory from 0 on */
        movl    %cr4, %eax
        orl     $0x10, %eax
        movl    %eax, %cr4
        movl    $0x83, PD + 4
        movl    $0x55aa, PAGE
        movl    (0x400000 + PAGE), %eax
        CHECK   "4 MiB page", %eax, 0x55aa
        movl    %eax, (0x400000 + PAGE)
        movl    PD + 4, %eax
        andl    $0x60, %eax
        CHECK   "4 MiB page: accessed and dirty", %eax, 0x60
        PASS    "4 MiB page"

        jmp     finish
        PAYLOAD_END
