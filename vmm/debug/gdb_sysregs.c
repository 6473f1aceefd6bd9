/*
 * Writing segment and control registers from outside.
 *
 * The rules are those of the instructions that write them (SDM volume 3A 2.5, 3.4.5, 4.1, 9.8.5;
 * volume 2, MOV): what would be a general protection fault is refused, so that an engine never
 * meets a CPU that could not be.  The current privilege level does not change.
 */
#include "cpuid.h"
#include "gdb_regs.h"
#include "pagewalk.h"

#define CR0_WRITABLE    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | \
                         CR0_CD | CR0_PG)
#define RFLAGS_WRITABLE (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | \
                         RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)
#define SELECTOR_LDT    (1u << 2)
#define TYPE_CODE       (1u << 3)
#define TYPE_CONFORMING (1u << 2)
#define TYPE_RW         (1u << 1)       /* code: readable, data: writable */

bool gdb_put_rflags(X86Cpu *cpu, uint64_t value)
{
    cpu->rflags = (value & RFLAGS_WRITABLE) | (cpu->rflags & ~(uint64_t)RFLAGS_WRITABLE);
    return true;
}

/* ---- control registers ---- */

/* Paging goes on or off, and IA-32e mode with it: 9.8.5. */
static bool may_switch_paging(const X86Cpu *cpu, bool on)
{
    if (!on) {
        return !(cpu->mode & CPU_MODE_CS64) && !(cpu->cr4 & CR4_PCIDE);
    }
    return !(cpu->efer & EFER_LME) ||
           (cpu->cr4 & CR4_PAE && !(cpu->seg[SEG_CS].attr & SEG_ATTR_L));
}

bool gdb_put_cr0(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed = (cpu->cr0 ^ value) & ~(uint64_t)CR0_ET;

    if (changed & ~(uint64_t)CR0_WRITABLE || (value & (CR0_PG | CR0_PE)) == CR0_PG ||
        (value & (CR0_NW | CR0_CD)) == CR0_NW ||
        (changed & CR0_PE && cpu->rflags & RFLAGS_VM) ||
        (changed & CR0_PG && !may_switch_paging(cpu, value & CR0_PG))) {
        return false;
    }
    cpu->cr0 = value | CR0_ET;
    if (changed & CR0_PG) {
        cpu->efer &= ~(uint64_t)EFER_LMA;
        cpu->efer |= value & CR0_PG && cpu->efer & EFER_LME ? EFER_LMA : 0;
    }
    return true;
}

bool gdb_put_cr3(X86Cpu *cpu, uint64_t value)
{
    unsigned bits = cpu->efer & EFER_LMA ? cpu->model->phys_bits : 32;

    if (value >> bits != 0) {
        return false;
    }
    cpu->cr3 = value;
    return true;
}

bool gdb_put_cr4(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed = cpu->cr4 ^ value;
    bool lma = cpu->efer & EFER_LMA;

    if (changed & ~x86_cr4_bits(cpu->model) ||
        (lma && !(value & CR4_PAE)) || (changed & CR4_PCIDE && value & CR4_PCIDE && !lma)) {
        return false;
    }
    cpu->cr4 = value;
    return true;
}

/* LMA follows from LME and paging: what is written there does not count. */
bool gdb_put_efer(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed = (cpu->efer ^ value) & ~(uint64_t)EFER_LMA;

    if (changed & ~x86_efer_bits(cpu->model) ||
        (changed & EFER_LME && cpu->cr0 & CR0_PG)) {
        return false;
    }
    cpu->efer ^= changed;
    return true;
}

/* ---- segments ---- */

/* Descriptor formats: figure 3-8. */
static bool read_descriptor(const X86Cpu *cpu, uint16_t selector, X86Seg *seg)
{
    bool local = selector & SELECTOR_LDT;
    uint64_t base = local ? cpu->ldt.base : cpu->gdt.base;
    uint32_t limit = local ? cpu->ldt.limit : cpu->gdt.limit, words[2];

    if ((selector | 7u) > limit || !x86_read_linear(cpu, base + (selector & ~7u), words, 8)) {
        return false;
    }
    *seg = (X86Seg){
        .selector = selector, .attr = words[1] >> 8 & 0xf0ff,
        .limit = (words[0] & 0xffff) | (words[1] & 0xf0000),
        .base = words[0] >> 16 | (words[1] & 0xff) << 16 | (words[1] & 0xff000000),
    };
    if (seg->attr & SEG_ATTR_G) {
        seg->limit = seg->limit << 12 | 0xfff;
    }
    return true;
}

static bool usable_as(const X86Cpu *cpu, const X86Seg *loaded, unsigned seg)
{
    unsigned type = loaded->attr & SEG_ATTR_TYPE, dpl = seg_dpl(loaded), cpl = x86_cpl(cpu);

    if ((loaded->attr & (SEG_ATTR_S | SEG_ATTR_P)) != (SEG_ATTR_S | SEG_ATTR_P)) {
        return false;
    }
    switch (seg) {
    case SEG_CS:
        return type & TYPE_CODE && (loaded->selector & 3u) == cpl &&
               (type & TYPE_CONFORMING ? dpl <= cpl : dpl == cpl) &&
               (loaded->attr & (SEG_ATTR_L | SEG_ATTR_DB)) != (SEG_ATTR_L | SEG_ATTR_DB);
    case SEG_SS:
        return !(type & TYPE_CODE) && type & TYPE_RW && dpl == cpl &&
               (loaded->selector & 3u) == cpl;
    default:
        return (!(type & TYPE_CODE) || type & TYPE_RW) &&
               ((type & TYPE_CODE && type & TYPE_CONFORMING) ||
                (dpl >= cpl && dpl >= (loaded->selector & 3u)));
    }
}

static bool put_null(X86Cpu *cpu, unsigned seg, uint16_t selector)
{
    unsigned cpl = x86_cpl(cpu);

    if (seg == SEG_CS || (seg == SEG_SS && (!(cpu->mode & CPU_MODE_CS64) || cpl == 3 ||
                                            (selector & 3u) != cpl))) {
        return false;
    }
    cpu->seg[seg] = (X86Seg){
        .selector = selector, .attr = SEG_ATTR_NULL | (seg == SEG_SS ? cpl << 5 : 0),
    };
    return true;
}

bool gdb_put_segment(X86Cpu *cpu, unsigned seg, uint16_t selector)
{
    X86Seg loaded;

    if (selector == cpu->seg[seg].selector) {
        return true;
    }
    if (!(cpu->cr0 & CR0_PE) || cpu->rflags & RFLAGS_VM) {
        cpu->seg[seg].selector = selector;
        cpu->seg[seg].base = (uint32_t)selector << 4;
        return true;
    }
    if (selector <= 3) {
        return put_null(cpu, seg, selector);
    }
    if (!read_descriptor(cpu, selector, &loaded) || !usable_as(cpu, &loaded, seg)) {
        return false;
    }
    cpu->seg[seg] = loaded;
    return true;
}
