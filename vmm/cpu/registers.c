/* Text of `info registers`: QEMU 7.2's layout, which scripts and people's eyes parse. */
#include "x86_cpu.h"

static const char *const gpr_names[16] = {
    "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI",
    "8 ", "9 ", "10", "11", "12", "13", "14", "15",
};
/* The order of the dump is not that of the register numbers. */
static const uint8_t gpr_order[16] = {
    R_RAX, R_RBX, R_RCX, R_RDX, R_RSI, R_RDI, R_RBP, R_RSP,
    R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15,
};
static const char *const seg_names[SEG_COUNT] = { "ES", "CS", "SS", "DS", "FS", "GS" };

/* System descriptor types outside and in long mode: SDM volume 3A table 3-2. */
static const char *const system_types[2][16] = {
    { "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16",
      "TrapGate16", "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved",
      "IntGate32", "TrapGate32" },
    { "<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
      "Reserved", "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64",
      "TrapGate64" },
};

static void print_general(const X86Cpu *cpu, GString *out)
{
    bool wide = cpu->mode & CPU_MODE_CS64;
    unsigned count = wide ? 16 : 8;

    for (unsigned i = 0; i < count; i++) {
        unsigned reg = gpr_order[i];
        char end = i % 4 == 3 ? '\n' : ' ';

        if (wide) {
            g_string_append_printf(out, "R%s=%016" G_GINT64_MODIFIER "x%c", gpr_names[reg],
                                   cpu->gpr[reg], end);
        } else {
            g_string_append_printf(out, "E%s=%08x%c", gpr_names[reg], (uint32_t)cpu->gpr[reg], end);
        }
    }
}

static void print_pointer_and_flags(const X86Cpu *cpu, GString *out)
{
    static const struct { uint32_t bit; char letter; } flags[] = {
        { RFLAGS_DF, 'D' }, { RFLAGS_OF, 'O' }, { RFLAGS_SF, 'S' }, { RFLAGS_ZF, 'Z' },
        { RFLAGS_AF, 'A' }, { RFLAGS_PF, 'P' }, { RFLAGS_CF, 'C' },
    };
    char letters[G_N_ELEMENTS(flags) + 1] = "";

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        letters[i] = cpu->rflags & flags[i].bit ? flags[i].letter : '-';
    }
    if (cpu->mode & CPU_MODE_CS64) {
        g_string_append_printf(out, "RIP=%016" G_GINT64_MODIFIER "x RFL=", cpu->rip);
    } else {
        g_string_append_printf(out, "EIP=%08x EFL=", (uint32_t)cpu->rip);
    }
    g_string_append_printf(out, "%08x [%s] CPL=%u II=%d A20=%d SMM=%d HLT=%d\n",
                           (uint32_t)cpu->rflags, letters, x86_cpl(cpu), cpu->intr_shadow != 0,
                           cpu->vm->a20, cpu->in_smm, cpu->halted);
}

/* The descriptor's second word without its base bits, as the dump shows it. */
static uint32_t descriptor_word(const X86Seg *seg)
{
    unsigned limit_high = seg->attr & SEG_ATTR_G ? seg->limit >> 28 : seg->limit >> 16 & 0xf;

    return (uint32_t)seg->attr << 8 | limit_high << 16;
}

static void print_descriptor_kind(const X86Seg *seg, bool lma, GString *out)
{
    unsigned type = seg->attr & SEG_ATTR_TYPE;

    g_string_append_printf(out, " DPL=%u ", seg_dpl(seg));
    if (!(seg->attr & SEG_ATTR_S)) {
        g_string_append(out, system_types[lma][type]);
        return;
    }
    if (type & 8) {
        g_string_append(out, seg->attr & SEG_ATTR_L ? "CS64"
                             : seg->attr & SEG_ATTR_DB ? "CS32" : "CS16");
        g_string_append_printf(out, " [%c%c", type & 4 ? 'C' : '-', type & 2 ? 'R' : '-');
    } else {
        g_string_append(out, seg->attr & SEG_ATTR_DB || lma ? "DS  " : "DS16");
        g_string_append_printf(out, " [%c%c", type & 4 ? 'E' : '-', type & 2 ? 'W' : '-');
    }
    g_string_append_printf(out, "%c]", type & 1 ? 'A' : '-');
}

static void print_segment(const X86Cpu *cpu, const char *name, const X86Seg *seg, GString *out)
{
    bool lma = cpu->mode & CPU_MODE_LMA;

    g_string_append_printf(out, "%-3s=%04x ", name, seg->selector);
    g_string_append_printf(out, lma ? "%016" G_GINT64_MODIFIER "x" : "%08" G_GINT64_MODIFIER "x",
                           lma ? seg->base : (uint64_t)(uint32_t)seg->base);
    g_string_append_printf(out, " %08x %08x", seg->limit, descriptor_word(seg));
    if (cpu->cr0 & CR0_PE && seg->attr & SEG_ATTR_P) {
        print_descriptor_kind(seg, lma, out);
    }
    g_string_append_c(out, '\n');
}

static void print_system(const X86Cpu *cpu, GString *out)
{
    bool lma = cpu->mode & CPU_MODE_LMA;
    int digits = lma ? 16 : 8;
    uint64_t mask = lma ? UINT64_MAX : UINT32_MAX;

    g_string_append_printf(out, "GDT=     %0*" G_GINT64_MODIFIER "x %08x\n", digits,
                           cpu->gdt.base & mask, cpu->gdt.limit);
    g_string_append_printf(out, "IDT=     %0*" G_GINT64_MODIFIER "x %08x\n", digits,
                           cpu->idt.base & mask, cpu->idt.limit);
    g_string_append_printf(out, "CR0=%08x CR2=%0*" G_GINT64_MODIFIER "x CR3=%0*" G_GINT64_MODIFIER
                           "x CR4=%08x\n", (uint32_t)cpu->cr0, digits, cpu->cr2 & mask, digits,
                           cpu->cr3 & mask, (uint32_t)cpu->cr4);
    for (unsigned i = 0; i < 4; i++) {
        g_string_append_printf(out, "DR%u=%016" G_GINT64_MODIFIER "x ", i, cpu->dr[i]);
    }
    g_string_append_printf(out, "\nDR6=%016" G_GINT64_MODIFIER "x DR7=%016" G_GINT64_MODIFIER "x\n",
                           cpu->dr[6], cpu->dr[7]);
    g_string_append_printf(out, "EFER=%016" G_GINT64_MODIFIER "x\n", cpu->efer);
}

static void print_fpu(const X86Cpu *cpu, GString *out)
{
    const X86Fpu *fpu = &cpu->fpu;

    g_string_append_printf(out, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x\n", fpu->fcw,
                           fpu->fsw, fpu->fsw >> 11 & 7, fpu->ftw, fpu->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        g_string_append_printf(out, "FPR%u=%016" G_GINT64_MODIFIER "x %04x%c", i,
                               fpu->r[i].mantissa, fpu->r[i].sign_exp, i % 2 ? '\n' : ' ');
    }
}

/* XCR0 bits 1 and 2: SSE and AVX state enabled (SDM volume 1, 13.3). */
static void print_vectors(const X86Cpu *cpu, GString *out)
{
    unsigned count = cpu->mode & CPU_MODE_CS64 ? 16 : 8;
    bool avx = cpu->cr4 & CR4_OSXSAVE && (cpu->xcr0 & 6) == 6;

    for (unsigned i = 0; i < count; i++) {
        const uint64_t *q = cpu->fpu.v[i].u64;

        if (avx) {
            g_string_append_printf(out, "YMM%02u=%016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER
                                   "x %016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER "x\n",
                                   i, q[3], q[2], q[1], q[0]);
        } else {
            g_string_append_printf(out, "XMM%02u=%016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER
                                   "x%c", i, q[1], q[0], i % 2 ? '\n' : ' ');
        }
    }
}

void x86_print_registers(const X86Cpu *cpu, GString *out)
{
    g_string_append_printf(out, "\nCPU#%u\n", cpu->index);
    print_general(cpu, out);
    print_pointer_and_flags(cpu, out);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        print_segment(cpu, seg_names[i], &cpu->seg[i], out);
    }
    print_segment(cpu, "LDT", &cpu->ldt, out);
    print_segment(cpu, "TR", &cpu->tr, out);
    print_system(cpu, out);
    print_fpu(cpu, out);
    print_vectors(cpu, out);
}
