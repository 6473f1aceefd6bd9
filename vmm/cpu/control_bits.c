/* Which bits of control registers a CPU has: SDM volume 3A 2.5 and 2.2.1, by CPUID's features. */
#include "cpuid.h"
#include "x86_cpu.h"

typedef struct ControlBit { uint32_t bit; FeatureWord word; uint8_t feature; } ControlBit;

static const ControlBit cr4_bits[] = {
    { CR4_VME, FEAT_1_EDX, 1 },             { CR4_PVI, FEAT_1_EDX, 1 },
    { CR4_TSD, FEAT_1_EDX, 4 },             { CR4_DE, FEAT_1_EDX, 2 },
    { CR4_PSE, FEAT_1_EDX, 3 },             { CR4_PAE, FEAT_1_EDX, 6 },
    { CR4_MCE, FEAT_1_EDX, 7 },             { CR4_PGE, FEAT_1_EDX, 13 },
    { CR4_OSFXSR, FEAT_1_EDX, 24 },         { CR4_OSXMMEXCPT, FEAT_1_EDX, 25 },
    { CR4_UMIP, FEAT_7_0_ECX, 2 },          { CR4_FSGSBASE, FEAT_7_0_EBX, 0 },
    { CR4_PCIDE, FEAT_1_ECX, 17 },          { CR4_OSXSAVE, FEAT_1_ECX, 26 },
    { CR4_SMEP, FEAT_7_0_EBX, 7 },          { CR4_SMAP, FEAT_7_0_EBX, 20 },
};
static const ControlBit efer_bits[] = {
    { EFER_SCE, FEAT_8000_0001_EDX, 11 },   { EFER_NXE, FEAT_8000_0001_EDX, 20 },
    { EFER_FFXSR, FEAT_8000_0001_EDX, 25 }, { EFER_LME, FEAT_8000_0001_EDX, 29 },
    { EFER_LMA, FEAT_8000_0001_EDX, 29 },
};

static uint64_t bits_of(const X86CpuModel *model, const ControlBit *rows, size_t n)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        if (model == NULL || x86_cpu_has(model, rows[i].word, rows[i].feature)) {
            bits |= rows[i].bit;
        }
    }
    return bits;
}

uint64_t x86_cr4_bits(const X86CpuModel *model)
{
    return CR4_PCE | bits_of(model, cr4_bits, G_N_ELEMENTS(cr4_bits));
}

uint64_t x86_efer_bits(const X86CpuModel *model)
{
    return bits_of(model, efer_bits, G_N_ELEMENTS(efer_bits));
}
