/* Exceptions: vector, error code and where they point, in 32-bit protected mode. */
        .include "payload.inc"

main:
        /* divide by zero points at the instruction */
        EXPECT  1f
        xorl    %edx, %edx
        xorl    %ecx, %ecx
        movl    $1, %eax
0:      divl    %ecx
1:      FAULTED "divide error", 0, 0
        CHECK_MEM "divide error: address", FAULT_EIP, 0b
        PASS    "divide error"

        /* quotient too large */
        EXPECT  1f
        movl    $2, %edx
        movl    $1, %ecx
        divl    %ecx
1:      FAULTED "divide overflow", 0, 0
        PASS    "divide overflow"

        /* INT3 points behind itself */
        EXPECT  1f
0:      int3
1:      FAULTED "breakpoint", 3, 0
        CHECK_MEM "breakpoint: address", FAULT_EIP, (0b+1)
        PASS    "breakpoint"

        EXPECT  1f
        movb    $0x7f, %al
        addb    $1, %al
0:      into
1:      FAULTED "overflow", 4, 0
        CHECK_MEM "overflow: address", FAULT_EIP, (0b+1)
        PASS    "overflow"

        EXPECT  1f
        movl    $5, FREE
        movl    $9, FREE + 4
        movl    $10, %eax
0:      boundl  %eax, FREE
1:      FAULTED "bound range", 5, 0
        CHECK_MEM "bound range: address", FAULT_EIP, 0b
        PASS    "bound range"

        EXPECT  1f
0:      ud2
1:      FAULTED "undefined opcode", 6, 0
        CHECK_MEM "undefined opcode: address", FAULT_EIP, 0b
        PASS    "undefined opcode"

        /* LOCK where it is not allowed */
        EXPECT  1f
        .byte   0xf0, 0x89, 0xc0
1:      FAULTED "lock on a register", 6, 0
        PASS    "lock on a register"

        /* x87 with CR0.EM */
        movl    %cr0, %eax
        orl     $4, %eax
        movl    %eax, %cr0
        EXPECT  1f
        fnop
1:      FAULTED "device not available", 7, 0
        movl    %cr0, %eax
        andl    $~4, %eax
        movl    %eax, %cr0
        PASS    "device not available"

        /* a selector that is not present: SPARE is a data segment without its P bit */
        movl    $0x0000ffff, GDT + SPARE
        movl    $0x00cf1300, GDT + SPARE + 4
        EXPECT  1f
        movl    $SPARE, %eax
        movw    %ax, %fs
1:      FAULTED "segment not present", 11, SPARE
        PASS    "segment not present"

        EXPECT  1f
        movl    $SPARE, %eax
        movw    %ax, %ss
1:      FAULTED "stack segment not present", 12, SPARE
        PASS    "stack segment not present"

        /* beyond the table */
        EXPECT  1f
        movl    $0x1238, %eax
        movw    %ax, %fs
1:      FAULTED "selector beyond the table", 13, 0x1238
        PASS    "selector beyond the table"

        /* a limit of 4095 */
        movl    $0x80000fff, GDT + SPARE
        movl    $0x00409300, GDT + SPARE + 4
        movl    $SPARE, %eax
        movw    %ax, %fs
        movl    $0x5a, %fs:0xffc
        EXPECT  1f
0:      movl    %fs:0xffd, %eax
1:      FAULTED "beyond the limit", 13, 0
        CHECK_MEM "beyond the limit: address", FAULT_EIP, 0b
        CHECK_MEM "base of a segment", 0x8ffc, 0x5a
        PASS    "beyond the limit"

        /* expand-down: offsets above the limit are inside */
        movl    $0x00000fff, GDT + SPARE
        movl    $0x00409700, GDT + SPARE + 4
        movw    %ax, %ax
        movl    $SPARE, %eax
        movw    %ax, %fs
        movl    %fs:0x1000, %eax
        EXPECT  1f
        movl    %fs:0xffc, %eax
1:      FAULTED "expand-down limit", 13, 0
        PASS    "expand-down limit"

        /* read-only data, and writing through CS */
        movl    $0x0000ffff, GDT + SPARE
        movl    $0x00cf9100, GDT + SPARE + 4
        movl    $SPARE, %eax
        movw    %ax, %fs
        EXPECT  1f
        movl    %eax, %fs:FREE
1:      FAULTED "write to read-only data", 13, 0
        EXPECT  1f
        movl    %eax, %cs:FREE
1:      FAULTED "write through CS", 13, 0
        PASS    "read-only segments"

        /* null selectors load, using them faults */
        xorl    %eax, %eax
        movw    %ax, %gs
        EXPECT  1f
        movl    %gs:0, %eax
1:      FAULTED "null selector", 13, 0
        PASS    "null selector"

        /* a gate that is not there: error code names the IDT entry */
        EXPECT  1f
0:      int     $0x40
1:      FAULTED "no gate", 13, 0x202
        CHECK_MEM "no gate: address", FAULT_EIP, 0b
        PASS    "no gate"

        /* RSVD bit of CR4 */
        EXPECT  1f
        movl    $0x80000000, %eax
        movl    %eax, %cr4
1:      FAULTED "reserved bit of CR4", 13, 0
        PASS    "reserved bit of CR4"

        /* paging without protection */
        EXPECT  1f
        movl    $0x80000010, %eax
        movl    %eax, %cr0
1:      FAULTED "PG without PE", 13, 0
        PASS    "PG without PE"

        jmp     finish
        PAYLOAD_END
