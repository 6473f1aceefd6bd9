/* What guest memory accesses do when they miss the inline paths of tcg_mem.h. */
#include "tcg_ops.h"

#include "tcg_sys.h"

/* ---- addresses ---- */

uint64_t tcg_linear(TcgCpu *cpu, const UOp *u, int seg, uint64_t offset, unsigned size, int access)
{
    uint32_t mode = cpu->x86.mode;

    if (mode & CPU_MODE_CS64) {
        return seg == SEG_FS || seg == SEG_GS ? offset + cpu->x86.seg[seg].base : offset;
    }
    if (mode & CPU_MODE_FLAT && (seg == SEG_DS || seg == SEG_SS || seg == SEG_ES) &&
        offset + size - 1 <= UINT32_MAX) {
        return offset;
    }
    return tcg_seg_check(cpu, u, seg, offset, size, access);
}

uint64_t tcg_ea_segment(TcgCpu *cpu, const UOp *u, unsigned size, int access)
{
    return tcg_linear(cpu, u, u->seg, tcg_offset(cpu, u), size, access);
}

/* ---- misses ---- */

/* SDM 1, 3.3.7.1: a stack reference to a non-canonical address is #SS, any other #GP. */
static void check_canonical(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    bool stack;

    if (!(cpu->x86.mode & CPU_MODE_CS64) ||
        G_LIKELY(tcg_canonical(addr) && tcg_canonical(addr + size - 1))) {
        return;
    }
    stack = u->seg == SEG_SS || (u->seg == UOP_SEG_NONE && (u->base == R_RSP || u->base == R_RBP));
    tcg_raise_error(cpu, u, stack ? EXC_SS : EXC_GP, 0);
}

uint64_t tcg_load_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    check_canonical(cpu, u, addr, size);
    return mmu_load_slow(cpu, u, addr, size);
}

void tcg_store_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size)
{
    check_canonical(cpu, u, addr, size);
    mmu_store_slow(cpu, u, addr, value, size);
}

void *tcg_rmw_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    check_canonical(cpu, u, addr, size);
    return mmu_rmw_ptr(cpu, u, addr, size);
}

void tcg_load_bytes_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, void *buf, unsigned len)
{
    check_canonical(cpu, u, addr, len);
    mmu_load_bytes(cpu, u, addr, buf, len);
}

void tcg_store_bytes_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, const void *buf, unsigned len)
{
    check_canonical(cpu, u, addr, len);
    mmu_store_bytes(cpu, u, addr, buf, len);
}

/* ---- read, then write ---- */

uint64_t tcg_ea_modify(TcgCpu *cpu, const UOp *u, unsigned size)
{
    uint64_t addr = tcg_ea(cpu, u, size, ACCESS_WRITE);

    if (tcg_tlb_hit(cpu, addr, size, ACCESS_WRITE) == NULL) {
        check_canonical(cpu, u, addr, size);
        mmu_probe(cpu, u, addr, size, ACCESS_WRITE);
    }
    return addr;
}

void tcg_bus_lock(TcgCpu *cpu)
{
    mmu_bus_lock();
    cpu->bus_locked = true;
}

void tcg_bus_unlock(TcgCpu *cpu)
{
    cpu->bus_locked = false;
    mmu_bus_unlock();
}
