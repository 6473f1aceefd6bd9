/* Shared by the system half of the software CPU: mmu*.c seg.c task.c interrupt.c sysreg.c msr.c smm.c. */
#pragma once

#include "tcg.h"

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
 * Translates for one access; sets A, and D for a write.  False: *error is the page-fault error code.  `user`
 * is whether the access is a user-mode one.
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

/* ---- linear addresses ---- */
static inline bool tcg_canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}
