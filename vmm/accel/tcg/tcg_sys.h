/* Shared by the system half of the software CPU: mmu*.c seg.c stack.c far.c task.c interrupt.c
 * sysreg.c msr.c debugreg.c smm.c. */
#pragma once

#include "tcg.h"

/* TcgCpu.delivering: what kind of event is under way, for double faults (SDM 3A table 6-4). */
typedef enum FaultClass { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE, FAULT_DOUBLE } FaultClass;

/* ---- page walks (mmu_walk.c) ---- */

/* A walk's result: what one leaf entry maps, with the rights of all levels combined. */
typedef struct Walk {
    uint64_t phys;                      /* of the 4 KiB page that holds the address */
    uint64_t size;                      /* of the mapping: 4 KiB, 2 or 4 MiB, 1 GiB */
    bool user, writable, no_execute;
    bool global, dirty;
} Walk;

/* Page-fault error code bits (SDM 3A 4.7). */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/*
 * Translates for one access; sets A, and D for a write.  False: *error is the page-fault error
 * code.  `user` is whether the access is a user-mode one.
 */
bool mmu_walk(TcgCpu *cpu, uint64_t addr, int access, int mmu_class, Walk *walk, uint32_t *error);
/* Whether a translation already walked allows the access. */
bool mmu_allowed(const TcgCpu *cpu, const Walk *walk, int access, int mmu_class);
/* Reserved bits of the four PAE directory pointers CR3 leads to; false: #GP. */
bool mmu_check_pdptes(TcgCpu *cpu, uint64_t cr3);

/* ---- physical pages (mmu.c) ---- */

typedef struct PhysPage {
    uint64_t page;                      /* address; PHYS_NONE: empty slot */
    uint8_t *host;                      /* NULL: not memory */
    RamBlock *ram;
    uint64_t ram_page;                  /* page number in `ram` */
    bool writable;                      /* RAM proper: stores go straight to host */
} PhysPage;
const PhysPage *mmu_phys_page(TcgCpu *cpu, uint64_t phys);
uint64_t mmu_phys_mask(const TcgCpu *cpu);              /* A20 */
AddressSpace *mmu_space(const TcgCpu *cpu);             /* SMM has its own */
uint64_t mmu_phys_bits_mask(const TcgCpu *cpu);         /* ones below MAXPHYADDR */

typedef struct Mmu Mmu;

/* mmu_probe() for a system access. */
void mmu_probe_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access);

/* ---- debug registers (debugreg.c) ---- */

/* A data breakpoint or watchpoint touches the page, so its accesses must take the slow path. */
bool tcg_debug_page_watched(const TcgCpu *cpu, uint64_t page);
/* An access to ports: I/O breakpoints (CR4.DE). */
void tcg_debug_io(TcgCpu *cpu, uint16_t port, unsigned size);

/* ---- descriptors and segments (seg.c): SDM 3A chapters 3 and 5 ---- */

enum { SEL_RPL = 3, SEL_TI = 4 };

/* Types of system descriptors: SDM 3A table 3-2. */
enum { SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK_GATE = 5,
       SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12,
       SYS_INT32 = 14, SYS_TRAP32 = 15 };
#define SYS_BUSY_BIT 2u

/* Type bits of code and data descriptors: table 3-1. */
enum { TYPE_ACCESSED = 1, TYPE_WRITABLE = 2, TYPE_READABLE = 2, TYPE_EXPAND_DOWN = 4,
       TYPE_CONFORMING = 4, TYPE_CODE = 8 };

typedef struct Desc {
    uint32_t low, high;
    uint64_t addr;                      /* linear, of its first byte */
    uint16_t attr;                      /* as X86Seg.attr */
} Desc;

static inline unsigned desc_type(const Desc *desc) { return desc->attr & SEG_ATTR_TYPE; }
static inline unsigned desc_dpl(const Desc *desc) { return desc->attr >> 5 & 3; }
static inline bool desc_is_system(const Desc *desc) { return !(desc->attr & SEG_ATTR_S); }
static inline bool desc_is_code(const Desc *desc)
{
    return desc->attr & SEG_ATTR_S && desc->attr & TYPE_CODE;
}
static inline bool desc_is_writable_data(const Desc *desc)
{
    return (desc->attr & (SEG_ATTR_S | TYPE_CODE | TYPE_WRITABLE)) == (SEG_ATTR_S | TYPE_WRITABLE);
}
static inline bool selector_is_null(uint16_t selector) { return (selector & ~SEL_RPL) == 0; }

/* False: the selector is null or points outside its table (8 bytes). */
bool desc_load(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc);
/* The upper 8 bytes of a 16-byte system descriptor; false: outside the table. */
bool desc_load_upper(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc,
                     uint32_t *base_high);
X86Seg desc_to_seg(const Desc *desc, uint16_t selector);
void desc_set_accessed(TcgCpu *cpu, const UOp *u, Desc *desc);

/* A fault whose error code is a selector; adds EXT while an event is being delivered. */
G_NORETURN void tcg_fault_selector(TcgCpu *cpu, const UOp *u, unsigned vector, uint16_t selector);

/* Null in `seg`: unusable. */
X86Seg seg_null(uint16_t selector);
/* RPL, DPL and type checks of a data segment for DS, ES, FS, GS; faults with `vector`, or #NP. */
X86Seg seg_data_checked(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl,
                        unsigned vector);
/* The same for SS with a given CPL; #SS if not present. */
X86Seg seg_stack_checked(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl,
                         unsigned vector);
/* Offset allowed in a segment that is not 64-bit code. */
bool seg_limit_ok(const X86Seg *seg, uint64_t offset, unsigned size);
/* Makes `seg` the CPU's, and what follows from it (mode, TLB class). */
void seg_set(TcgCpu *cpu, int n, const X86Seg *seg);
void tcg_mode_changed(TcgCpu *cpu);             /* x86_update_mode() and mmu_update_class() */
X86Seg seg_vm86(int n, uint16_t selector);

/* ---- a stack that may not be the CPU's yet (stack.c) ---- */

typedef struct Stack {
    X86Seg seg;
    uint64_t sp, mask;
    bool is64, user;                    /* user: accesses are user-mode ones */
    uint16_t selector;                  /* reported by #SS; 0 for the CPU's own stack */
} Stack;

Stack stack_current(const TcgCpu *cpu);
/* An inner stack: 64-bit ones have a null selector. */
Stack stack_new(const X86Seg *seg, uint64_t sp, bool is64, unsigned cpl);
void stack_push(TcgCpu *cpu, const UOp *u, Stack *stack, uint64_t value, unsigned size);
uint64_t stack_pop(TcgCpu *cpu, const UOp *u, Stack *stack, unsigned size);
uint64_t stack_peek(TcgCpu *cpu, const UOp *u, const Stack *stack, uint64_t offset, unsigned size);
void stack_commit(TcgCpu *cpu, const Stack *stack);     /* RSP; SS is the caller's */

/* SS:SP for a privilege level, from the TSS; faults with #TS. Not in long mode. */
void tss_stack(TcgCpu *cpu, const UOp *u, unsigned level, uint16_t *ss, uint32_t *sp);
/* RSP0–2 (slots 0–2) or IST1–7 (slots 4–10) of a 64-bit TSS. */
uint64_t tss_stack64(TcgCpu *cpu, const UOp *u, unsigned slot);

/* ---- code segments (far.c) ---- */

/* A gate's target, taken apart. */
typedef struct Gate {
    uint16_t selector;
    uint64_t offset;
    unsigned type, dpl, params, ist;
    bool present;
} Gate;

/* Long mode's L and D rule, and present; faults with #GP or #NP (selector). */
void code_check_present(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc);
/* New rip allowed in the code segment, else #GP(0). */
void code_check_offset(TcgCpu *cpu, const UOp *u, const X86Seg *cs, uint64_t rip);
/* CS:rip with the given CPL in the selector; SS is the caller's. Sets the accessed bit. */
X86Seg code_seg(TcgCpu *cpu, const UOp *u, Desc *desc, uint16_t selector, unsigned cpl);
/* The code segment RET or IRET goes back to. */
void code_load_return(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc);
/* SS it pops with it; null is good for 64-bit code above CPL 3. */
X86Seg stack_load_return(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl, bool to64);
/* After a return to an outer level: DS, ES, FS, GS that it may not keep become null. */
void segs_drop_inner(TcgCpu *cpu, unsigned cpl);


/* ---- linear addresses ---- */
static inline bool tcg_canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}
