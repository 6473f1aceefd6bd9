/*
 * Descriptors, segment registers and limit checks: SDM volume 3A chapters 3.4, 3.5, 5.
 */
#include "tcg_sys.h"

#define DESC_ACCESSED   (1u << 8)       /* in the second word */
#define VM86_ATTR       0x00f3          /* present, DPL 3, data, writable, accessed */

/* ---- faults ---- */

G_NORETURN void tcg_fault_selector(TcgCpu *cpu, const UOp *u, unsigned vector, uint16_t selector)
{
    tcg_raise_error(cpu, u, vector, (uint32_t)(selector & ~SEL_RPL) | cpu->ext);
}

/* ---- descriptors in memory ---- */

/* The linear address of `size` bytes at the selector's index. */
static bool desc_address(const TcgCpu *cpu, uint16_t selector, unsigned size, uint64_t *addr)
{
    const X86Cpu *x86 = &cpu->x86;
    uint32_t index = selector & ~7u, limit;

    if (selector & SEL_TI) {
        if (!(x86->ldt.attr & SEG_ATTR_P)) {
            return false;
        }
        limit = x86->ldt.limit;
        *addr = x86->ldt.base + index;
    } else {
        if (selector_is_null(selector)) {
            return false;
        }
        limit = x86->gdt.limit;
        *addr = x86->gdt.base + index;
    }
    if (!(x86->efer & EFER_LMA)) {
        *addr &= UINT32_MAX;
    }
    return index + size - 1 <= limit;
}

bool desc_load(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc)
{
    uint64_t words;

    if (!desc_address(cpu, selector, 8, &desc->addr)) {
        return false;
    }
    words = mmu_load_sys(cpu, u, desc->addr, 8);
    desc->low = (uint32_t)words;
    desc->high = (uint32_t)(words >> 32);
    desc->attr = desc->high >> 8 & 0xf0ff;
    return true;
}

bool desc_load_upper(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc,
                     uint32_t *base_high)
{
    uint64_t addr;

    if (!desc_address(cpu, selector, 16, &addr)) {
        return false;
    }
    *base_high = (uint32_t)mmu_load_sys(cpu, u, desc->addr + 8, 4);
    return true;
}

static uint32_t desc_limit(const Desc *desc)
{
    uint32_t limit = (desc->low & 0xffff) | (desc->high & 0xf0000);

    return desc->attr & SEG_ATTR_G ? limit << 12 | 0xfff : limit;
}

X86Seg desc_to_seg(const Desc *desc, uint16_t selector)
{
    return (X86Seg){
        .selector = selector, .attr = desc->attr, .limit = desc_limit(desc),
        .base = desc->low >> 16 | (desc->high & 0xff) << 16 | (desc->high & 0xff000000u),
    };
}

void desc_set_accessed(TcgCpu *cpu, const UOp *u, Desc *desc)
{
    if (desc->attr & TYPE_ACCESSED) {
        return;
    }
    desc->high |= DESC_ACCESSED;
    desc->attr |= TYPE_ACCESSED;
    mmu_store_sys(cpu, u, desc->addr + 5, desc->high >> 8 & 0xff, 1);
}

/* ---- segment registers ---- */

void tcg_mode_changed(TcgCpu *cpu)
{
    x86_update_mode(&cpu->x86);
    mmu_update_class(cpu);
}

void seg_set(TcgCpu *cpu, int n, const X86Seg *seg)
{
    cpu->x86.seg[n] = *seg;
    if (n <= SEG_DS) {
        tcg_mode_changed(cpu);
    }
}

X86Seg seg_null(uint16_t selector)
{
    return (X86Seg){ .selector = selector, .attr = SEG_ATTR_NULL };
}

X86Seg seg_vm86(int n, uint16_t selector)
{
    return (X86Seg){
        .selector = selector, .base = (uint32_t)selector << 4, .limit = 0xffff, .attr = VM86_ATTR,
    };
}

X86Seg seg_data_checked(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl, unsigned vector)
{
    unsigned rpl = selector & SEL_RPL;
    bool conforming;
    Desc desc;

    if (!desc_load(cpu, u, selector, &desc) || desc_is_system(&desc) ||
        (desc_is_code(&desc) && !(desc.attr & TYPE_READABLE))) {
        tcg_fault_selector(cpu, u, vector, selector);
    }
    conforming = desc_is_code(&desc) && desc.attr & TYPE_CONFORMING;
    if (!conforming && (rpl > desc_dpl(&desc) || cpl > desc_dpl(&desc))) {
        tcg_fault_selector(cpu, u, vector, selector);
    }
    if (!(desc.attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_NP, selector);
    }
    desc_set_accessed(cpu, u, &desc);
    return desc_to_seg(&desc, selector);
}

X86Seg seg_stack_checked(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl,
                         unsigned vector)
{
    Desc desc;

    if (!desc_load(cpu, u, selector, &desc) || !desc_is_writable_data(&desc) ||
        (selector & SEL_RPL) != cpl || desc_dpl(&desc) != cpl) {
        tcg_fault_selector(cpu, u, vector, selector);
    }
    if (!(desc.attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_SS, selector);
    }
    desc_set_accessed(cpu, u, &desc);
    return desc_to_seg(&desc, selector);
}

/* A null SS serves 64-bit code above CPL 3; its DPL still says the CPL. */
static X86Seg stack_null_checked(TcgCpu *cpu, const UOp *u, uint16_t selector)
{
    unsigned cpl = x86_cpl(&cpu->x86);
    X86Seg seg = seg_null(selector);

    if (!(cpu->x86.mode & CPU_MODE_CS64) || cpl == 3 || (selector & SEL_RPL) != cpl) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    seg.attr = (uint16_t)(cpl << 5);
    return seg;
}

/* 20.1.1: the base follows the selector; the limit stays (a program may have raised it in
 * protected mode). */
static void load_seg_real(TcgCpu *cpu, int n, uint16_t selector)
{
    X86Seg seg = cpu->x86.seg[n];

    if (!(seg.attr & SEG_ATTR_P)) {
        seg.limit = 0xffff;
    }
    seg.selector = selector;
    seg.base = (uint32_t)selector << 4;
    seg.attr = (seg.attr & (SEG_ATTR_DB | SEG_ATTR_G)) | 0x93;
    seg_set(cpu, n, &seg);
}

void tcg_load_seg(TcgCpu *cpu, const UOp *u, int n, uint16_t selector)
{
    unsigned cpl = x86_cpl(&cpu->x86);
    X86Seg seg;

    if (!(cpu->x86.mode & CPU_MODE_PE)) {
        load_seg_real(cpu, n, selector);
        return;
    }
    if (cpu->x86.mode & CPU_MODE_VM86) {
        seg = seg_vm86(n, selector);
    } else if (selector_is_null(selector)) {
        seg = n == SEG_SS ? stack_null_checked(cpu, u, selector) : seg_null(selector);
    } else if (n == SEG_SS) {
        seg = seg_stack_checked(cpu, u, selector, cpl, EXC_GP);
    } else {
        seg = seg_data_checked(cpu, u, selector, cpl, EXC_GP);
    }
    seg_set(cpu, n, &seg);
}

/* ---- LDTR and TR ---- */

/* A system descriptor of the GDT with its whole base; *desc for later. */
static X86Seg load_system_seg(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned type_mask,
                              Desc *desc)
{
    uint32_t base_high = 0;
    X86Seg seg;

    if (selector & SEL_TI || !desc_load(cpu, u, selector, desc) || !desc_is_system(desc) ||
        !(type_mask >> desc_type(desc) & 1)) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    if (cpu->x86.efer & EFER_LMA &&
        !desc_load_upper(cpu, u, selector, desc, &base_high)) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    if (!(desc->attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_NP, selector);
    }
    seg = desc_to_seg(desc, selector);
    seg.base |= (uint64_t)base_high << 32;
    if (!tcg_canonical(seg.base)) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    return seg;
}

static void check_system_load(TcgCpu *cpu, const UOp *u)
{
    if (!(cpu->x86.mode & CPU_MODE_PE) || cpu->x86.mode & CPU_MODE_VM86) {
        tcg_raise(cpu, u, EXC_UD);
    }
    if (x86_cpl(&cpu->x86) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}

void tcg_lldt(TcgCpu *cpu, const UOp *u, uint16_t selector)
{
    Desc desc;

    check_system_load(cpu, u);
    cpu->x86.ldt = selector_is_null(selector)
                       ? seg_null(selector)
                       : load_system_seg(cpu, u, selector, 1u << SYS_LDT, &desc);
}

void tcg_ltr(TcgCpu *cpu, const UOp *u, uint16_t selector)
{
    unsigned types = 1u << SYS_TSS32;
    X86Seg seg;
    Desc desc;

    check_system_load(cpu, u);
    if (selector_is_null(selector)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    if (!(cpu->x86.efer & EFER_LMA)) {
        types |= 1u << SYS_TSS16;
    }
    seg = load_system_seg(cpu, u, selector, types, &desc);
    mmu_store_sys(cpu, u, desc.addr + 5, (desc.high >> 8 & 0xff) | SYS_BUSY_BIT, 1);
    seg.attr |= SYS_BUSY_BIT;
    cpu->x86.tr = seg;
}

/* ---- LAR, LSL, VERR, VERW ---- */

/* System types LAR knows, and those of them LSL knows: SDM 2A, tables of LAR and LSL. */
#define LAR_TYPES   (1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_CALL16 | \
                     1u << SYS_TASK_GATE | 1u << SYS_TSS32 | 1u << SYS_TSS32_BUSY | \
                     1u << SYS_CALL32)
#define LAR_TYPES64 (1u << SYS_LDT | 1u << SYS_TSS32 | 1u << SYS_TSS32_BUSY | 1u << SYS_CALL32)
#define LSL_TYPES   (1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_TSS32 | \
                     1u << SYS_TSS32_BUSY)
#define LSL_TYPES64 (1u << SYS_LDT | 1u << SYS_TSS32 | 1u << SYS_TSS32_BUSY)

/* Whether the descriptor can be seen from here: privilege and type. */
static bool desc_visible(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned types, Desc *desc)
{
    unsigned level = MAX(x86_cpl(&cpu->x86), (unsigned)(selector & SEL_RPL));

    if (!(cpu->x86.mode & CPU_MODE_PE) || cpu->x86.mode & CPU_MODE_VM86) {
        tcg_raise(cpu, u, EXC_UD);
    }
    if (!desc_load(cpu, u, selector, desc)) {
        return false;
    }
    if (desc_is_system(desc) && !(types >> desc_type(desc) & 1)) {
        return false;
    }
    if (desc_is_code(desc) && desc->attr & TYPE_CONFORMING) {
        return true;
    }
    return level <= desc_dpl(desc);
}

bool tcg_lar(TcgCpu *cpu, const UOp *u, uint16_t selector, uint32_t *value)
{
    unsigned types = cpu->x86.efer & EFER_LMA ? LAR_TYPES64 : LAR_TYPES;
    Desc desc;

    if (!desc_visible(cpu, u, selector, types, &desc)) {
        return false;
    }
    *value = desc.high & 0x00f0ff00;
    return true;
}

bool tcg_lsl(TcgCpu *cpu, const UOp *u, uint16_t selector, uint32_t *value)
{
    unsigned types = cpu->x86.efer & EFER_LMA ? LSL_TYPES64 : LSL_TYPES;
    Desc desc;

    if (!desc_visible(cpu, u, selector, types, &desc)) {
        return false;
    }
    *value = desc_limit(&desc);
    return true;
}

bool tcg_verify(TcgCpu *cpu, const UOp *u, uint16_t selector, bool write)
{
    Desc desc;

    if (!desc_visible(cpu, u, selector, 0, &desc)) {
        return false;
    }
    if (desc_is_code(&desc)) {
        return !write && desc.attr & TYPE_READABLE;
    }
    return !write || desc.attr & TYPE_WRITABLE;
}

/* ---- one access ---- */

bool seg_limit_ok(const X86Seg *seg, uint64_t offset, unsigned size)
{
    const uint16_t kind = SEG_ATTR_S | TYPE_CODE | TYPE_EXPAND_DOWN;
    uint64_t last = offset + size - 1;

    if ((seg->attr & kind) == (SEG_ATTR_S | TYPE_EXPAND_DOWN)) {
        return offset > seg->limit && last <= (seg->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff);
    }
    /* With a limit of 4 GiB - 1 addresses wrap instead: 5.3 leaves that to the processor. */
    return last <= seg->limit || seg->limit == UINT32_MAX;
}

static bool seg_type_ok(const X86Seg *seg, int access)
{
    if (!(seg->attr & SEG_ATTR_P)) {
        return false;
    }
    if (seg->attr & TYPE_CODE) {
        return access == ACCESS_EXEC || (access == ACCESS_READ && seg->attr & TYPE_READABLE);
    }
    return access != ACCESS_WRITE || seg->attr & TYPE_WRITABLE;
}

static uint64_t check64(TcgCpu *cpu, const UOp *u, int n, uint64_t offset, unsigned size)
{
    uint64_t addr = n == SEG_FS || n == SEG_GS ? cpu->x86.seg[n].base + offset : offset;

    if (G_UNLIKELY(!tcg_canonical(addr) || !tcg_canonical(addr + size - 1))) {
        tcg_raise_error(cpu, u, n == SEG_SS ? EXC_SS : EXC_GP, 0);
    }
    return addr;
}

uint64_t tcg_seg_check(TcgCpu *cpu, const UOp *u, int n, uint64_t offset, unsigned size, int access)
{
    const X86Seg *seg = &cpu->x86.seg[n];
    bool typed = (cpu->x86.mode & (CPU_MODE_PE | CPU_MODE_VM86)) == CPU_MODE_PE;

    if (cpu->x86.mode & CPU_MODE_CS64) {
        return check64(cpu, u, n, offset, size);
    }
    if ((typed && !seg_type_ok(seg, access)) || !seg_limit_ok(seg, offset, size)) {
        tcg_raise_error(cpu, u, n == SEG_SS ? EXC_SS : EXC_GP, 0);
    }
    return (uint32_t)(seg->base + offset);
}
