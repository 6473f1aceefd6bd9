/*
 * What the CPUID instruction answers.
 *
 * Layout of leaves: SDM volume 2A, CPUID; AMD APM volume 3, appendix E.  Caches are those QEMU 7.2
 * describes, so that a guest moved between the two keeps its view.  The software CPU asks for each
 * instruction; kvm asks once per leaf and hands the answers to the kernel.
 */
#include "cpuid.h"

#include <string.h>

#include "feature_table.h"
#include "x86_cpu.h"

#define LEAF_KVM_FEATURES   0x40000001u
#define XSAVE_HEADER_END    576u        /* SDM volume 1, 13.4: legacy area and header */
#define XSAVE_AVX_SIZE      256u

typedef struct Cache {
    uint8_t type;                       /* leaf 4: 1 data, 2 code, 3 both */
    uint8_t level;
    uint32_t ways, sets;
    bool self_init;
    uint8_t properties;            /* leaf 4 EDX: 1 no WBINVD reach, 2 inclusive, 4 complex index */
} Cache;

enum { CACHE_L1D, CACHE_L1I, CACHE_L2, CACHE_L3, CACHE_COUNT };
#define CACHE_LINE 64u

static const Cache intel_caches[CACHE_COUNT] = {
    { 1, 1, 8, 64, true, 1 }, { 2, 1, 8, 64, true, 1 }, { 3, 2, 16, 4096, true, 1 },
    { 3, 3, 16, 16384, true, 6 },
};
/* As leaves 8000_0005 and 8000_0006 tell it for models without leaf 8000_001d. */
static const Cache amd_caches[CACHE_COUNT] = {
    { 1, 1, 2, 512, true, 1 }, { 2, 1, 2, 512, true, 1 }, { 3, 2, 16, 512, true, 1 },
    { 3, 3, 16, 16384, true, 6 },
};
static const Cache zen_caches[CACHE_COUNT] = {
    { 1, 1, 8, 64, true, 1 }, { 2, 1, 4, 256, true, 1 }, { 3, 2, 8, 1024, false, 0 },
    { 3, 3, 16, 8192, true, 6 },
};

bool x86_cpu_has(const X86CpuModel *model, FeatureWord word, unsigned bit)
{
    return model->features[word] >> bit & 1;
}

static bool vendor_is_amd(const X86CpuModel *model)
{
    return strcmp(model->vendor, "AuthenticAMD") == 0 || strcmp(model->vendor, "HygonGenuine") == 0;
}

/* AMD family 17h on (Hygon: 18h) has the topology leaves; table of their caches differs too. */
static bool model_is_zen(const X86CpuModel *model)
{
    return vendor_is_amd(model) && model->family >= 23;
}

/* Bits an id needs to tell `count` things apart. */
static unsigned id_bits(unsigned count)
{
    return count <= 1 ? 0 : 32 - __builtin_clz(count - 1);
}

static unsigned threads_of(const CpuTopology *topo)
{
    return MAX(topo->threads, 1);
}

static unsigned package_threads(const CpuTopology *topo)
{
    return threads_of(topo) * MAX(topo->cores, 1) * MAX(topo->dies, 1);
}

static uint32_t signature(const X86CpuModel *model)
{
    uint32_t family = model->family > 15 ? 0xf00 | (model->family - 15) << 20 : model->family << 8;

    return family | (model->model & 0xf) << 4 | (model->model >> 4 & 0xf) << 16 |
           (model->stepping & 0xf);
}

/* Twelve characters into registers `r[at[0]]`, … in the leaf's order. */
static void put_text(uint32_t out[4], const char *text, const uint8_t order[3])
{
    for (unsigned i = 0; i < 3; i++) {
        memcpy(&out[order[i]], text + 4 * i, 4);
    }
}

/* ---- basic leaves ---- */

typedef void (*LeafFn)(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4]);

static void leaf_vendor(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                        uint32_t subleaf, uint32_t out[4])
{
    out[CPUID_EAX] = leaf ? model->xlevel : model->level;
    put_text(out, model->vendor, (const uint8_t[]){ CPUID_EBX, CPUID_EDX, CPUID_ECX });
}

static void leaf_version(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                         uint32_t subleaf, uint32_t out[4])
{
    unsigned threads = package_threads(&model->topo);

    out[CPUID_EAX] = signature(model);
    out[CPUID_EBX] = cpu->apic_id << 24 | CACHE_LINE / 8 << 8;
    out[CPUID_ECX] = model->features[FEAT_1_ECX];
    if (cpu->cr4 & CR4_OSXSAVE) {
        out[CPUID_ECX] |= 1u << 27;
    }
    out[CPUID_EDX] = model->features[FEAT_1_EDX];
    if (threads > 1) {
        out[CPUID_EBX] |= MIN(threads, 255) << 16;
        out[CPUID_EDX] |= 1u << 28;
    }
}

/* One-byte cache descriptors: L1 32 KiB code 30h and data 2ch, L2 2 MiB 7dh, L3 16 MiB 4dh. */
static void leaf_descriptors(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                             uint32_t subleaf, uint32_t out[4])
{
    if (!vendor_is_amd(model)) {
        out[CPUID_EAX] = 1;
        out[CPUID_ECX] = 0x4d;
        out[CPUID_EDX] = 0x2c307d;
    }
}

static void put_cache(const X86CpuModel *model, const Cache *cache, uint32_t out[4])
{
    unsigned sharing = cache->level == 3 ? 1u << id_bits(package_threads(&model->topo))
                                         : threads_of(&model->topo);

    out[CPUID_EAX] = cache->type | cache->level << 5 | cache->self_init << 8 | (sharing - 1) << 14;
    out[CPUID_EBX] = (CACHE_LINE - 1) | (cache->ways - 1) << 22;
    out[CPUID_ECX] = cache->sets - 1;
    out[CPUID_EDX] = cache->properties;
}

static void leaf_caches(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                        uint32_t subleaf, uint32_t out[4])
{
    if (vendor_is_amd(model) || subleaf >= CACHE_COUNT) {
        return;
    }
    put_cache(model, &intel_caches[subleaf], out);
    out[CPUID_EAX] |= (MAX(model->topo.cores, 1) - 1) << 26;
}

/* MONITOR line sizes are unknown (0); its extensions are enumerated and interrupts break MWAIT. */
static void leaf_monitor(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                         uint32_t subleaf, uint32_t out[4])
{
    out[CPUID_ECX] = 3;
}

static void leaf_power(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    out[CPUID_EAX] = model->features[FEAT_6_EAX];
}

static void leaf_extended_features(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                                   uint32_t subleaf, uint32_t out[4])
{
    if (subleaf == 0) {
        out[CPUID_EAX] = model->features[FEAT_7_1_EAX] != 0;
        out[CPUID_EBX] = model->features[FEAT_7_0_EBX];
        out[CPUID_ECX] = model->features[FEAT_7_0_ECX];
        if (cpu->cr4 & CR4_PKE) {
            out[CPUID_ECX] |= 1u << 4;
        }
        out[CPUID_EDX] = model->features[FEAT_7_0_EDX];
    } else if (subleaf == 1) {
        out[CPUID_EAX] = model->features[FEAT_7_1_EAX];
    }
}

static void leaf_pmu(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                     uint32_t out[4])
{
    if (model->pmu && cpu->vm->engine_cpuid) {
        cpu->vm->engine_cpuid(cpu->vm, leaf, subleaf, out);
    }
}

static void leaf_topology(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                          uint32_t subleaf, uint32_t out[4])
{
    unsigned threads = threads_of(&model->topo), all = package_threads(&model->topo);
    unsigned core_bits = id_bits(threads);
    unsigned package_bits = core_bits + id_bits(MAX(model->topo.cores, 1)) +
                            id_bits(MAX(model->topo.dies, 1));

    out[CPUID_ECX] = subleaf & 0xff;
    out[CPUID_EDX] = cpu->apic_id;
    if (subleaf == 0) {
        out[CPUID_EAX] = core_bits;
        out[CPUID_EBX] = threads;
        out[CPUID_ECX] |= 1u << 8;
    } else if (subleaf == 1) {
        out[CPUID_EAX] = package_bits;
        out[CPUID_EBX] = all;
        out[CPUID_ECX] |= 2u << 8;
    }
}

/* ---- XSAVE: leaf d ---- */

/* Size and offset of a state component beyond x87 and SSE; false: not there. */
static bool xsave_component(const X86Cpu *cpu, unsigned bit, uint32_t out[4])
{
    if (cpu->vm->engine_cpuid) {
        cpu->vm->engine_cpuid(cpu->vm, 0xd, bit, out);
    } else if (bit == 2) {
        out[CPUID_EAX] = XSAVE_AVX_SIZE;
        out[CPUID_EBX] = XSAVE_HEADER_END;
    }
    return out[CPUID_EAX] != 0;
}

uint64_t x86_xcr0_mask(const X86Cpu *cpu)
{
    const X86CpuModel *model = cpu->model;
    uint64_t mask = 3, engine = 7;

    if (!x86_cpu_has(model, FEAT_1_ECX, 26)) {
        return 0;
    }
    if (cpu->vm->engine_cpuid) {
        uint32_t out[4] = { 0 };

        cpu->vm->engine_cpuid(cpu->vm, 0xd, 0, out);
        engine = out[CPUID_EAX] | (uint64_t)out[CPUID_EDX] << 32;
    }
    if (x86_cpu_has(model, FEAT_1_ECX, 28)) {
        mask |= 1u << 2;                                /* AVX */
    }
    if (x86_cpu_has(model, FEAT_7_0_EBX, 16)) {
        mask |= 7u << 5;                               /* AVX-512: opmask and both register parts */
    }
    if (x86_cpu_has(model, FEAT_7_0_ECX, 3)) {
        mask |= 1u << 9;                                /* protection keys */
    }
    return mask & (engine | 3);
}

uint32_t x86_xsave_size(const X86Cpu *cpu, uint64_t components)
{
    uint32_t size = XSAVE_HEADER_END;

    for (unsigned bit = 2; bit < 63; bit++) {
        uint32_t part[4] = { 0 };

        if (components >> bit & 1 && xsave_component(cpu, bit, part)) {
            size = MAX(size, part[CPUID_EBX] + part[CPUID_EAX]);
        }
    }
    return size;
}

static void leaf_xsave(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    uint64_t mask = x86_xcr0_mask(cpu);

    if (!mask) {
        return;
    }
    if (subleaf == 0) {
        out[CPUID_EAX] = (uint32_t)mask;
        out[CPUID_EBX] = x86_xsave_size(cpu, cpu->xcr0);
        out[CPUID_ECX] = x86_xsave_size(cpu, mask);
        out[CPUID_EDX] = mask >> 32;
    } else if (subleaf == 1) {
        out[CPUID_EAX] = model->features[FEAT_XSAVE];
        /* The compacted size is told where XSAVEC or XSAVES exist. */
        out[CPUID_EBX] = out[CPUID_EAX] & 0xa ? x86_xsave_size(cpu, cpu->xcr0 | cpu->xss) : 0;
    } else if (subleaf < 63 && mask >> subleaf & 1) {
        if (xsave_component(cpu, subleaf, out)) {
            out[CPUID_ECX] &= 6;                        /* aligned in the compacted form; XFD */
            out[CPUID_EDX] = 0;
        }
    }
}

/* ---- hypervisor leaves ---- */

static void leaf_hypervisor(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                            uint32_t subleaf, uint32_t out[4])
{
    static const uint8_t order[3] = { CPUID_EBX, CPUID_ECX, CPUID_EDX };

    if (leaf == LEAF_KVM_FEATURES) {
        out[CPUID_EAX] = model->features[FEAT_KVM];
        return;
    }
    if (!cpu->vm->engine_cpuid) {
        out[CPUID_EAX] = LEAF_KVM_FEATURES;
        put_text(out, "TCGTCGTCGTCG", order);
    } else if (model->kvm) {
        out[CPUID_EAX] = LEAF_KVM_FEATURES;
        put_text(out, "KVMKVMKVM\0\0", order);
    }
}

/* ---- extended leaves ---- */

static void leaf_extended_version(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                                  uint32_t subleaf, uint32_t out[4])
{
    out[CPUID_EAX] = signature(model);
    out[CPUID_ECX] = model->features[FEAT_8000_0001_ECX];
    out[CPUID_EDX] = model->features[FEAT_8000_0001_EDX];
    if (package_threads(&model->topo) > 1 && vendor_is_amd(model)) {
        out[CPUID_ECX] |= 1u << 1;                      /* CmpLegacy */
    }
}

static void leaf_brand(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    char text[48] = "";

    memcpy(text, model->model_id, strnlen(model->model_id, sizeof(text)));
    memcpy(out, text + (leaf - 0x80000002u) * 16, 16);
}

static const Cache *amd_cache_table(const X86CpuModel *model)
{
    return model_is_zen(model) ? zen_caches : amd_caches;
}

static uint32_t cache_kib(const Cache *cache)
{
    return cache->ways * cache->sets * CACHE_LINE / 1024;
}

/* Both TLBs: 255 entries, one way per entry. */
static void leaf_l1(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                    uint32_t out[4])
{
    const Cache *caches = amd_cache_table(model);

    out[CPUID_EAX] = out[CPUID_EBX] = 0x01ff01ff;
    for (unsigned i = 0; i < 2; i++) {
        const Cache *cache = &caches[i == 0 ? CACHE_L1D : CACHE_L1I];

        out[CPUID_ECX + i] = cache_kib(cache) << 24 | cache->ways << 16 | 1u << 8 | CACHE_LINE;
    }
}

/* Associativity codes of leaf 8000_0006: APM volume 3, table E-4. */
static uint32_t associativity_code(uint32_t ways)
{
    return ways == 16 ? 8 : ways == 8 ? 6 : ways == 4 ? 4 : ways == 2 ? 2 : 1;
}

static void leaf_l2(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                    uint32_t out[4])
{
    const Cache *l2 = &amd_cache_table(model)[CACHE_L2], *l3 = &amd_cache_table(model)[CACHE_L3];

    out[CPUID_EBX] = 0x42004200;        /* 512-entry 4-way TLBs for 4 KiB pages */
    out[CPUID_ECX] = cache_kib(l2) << 16 | associativity_code(l2->ways) << 12 | 1u << 8 |
                     CACHE_LINE;
    out[CPUID_EDX] = cache_kib(l3) / 512 << 18 | associativity_code(l3->ways) << 12 | 1u << 8 |
                     CACHE_LINE;
}

static void leaf_power_amd(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                           uint32_t subleaf, uint32_t out[4])
{
    out[CPUID_EDX] = model->features[FEAT_8000_0007_EDX];
}

static void leaf_address_sizes(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                               uint32_t subleaf, uint32_t out[4])
{
    unsigned threads = package_threads(&model->topo);

    out[CPUID_EAX] = model->phys_bits | model->virt_bits << 8;
    out[CPUID_EBX] = model->features[FEAT_8000_0008_EBX];
    if (threads > 1) {
        out[CPUID_ECX] = id_bits(threads) << 12 | (threads - 1);
    }
}

/* Revision 1, 16 address space ids. */
static void leaf_svm(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf, uint32_t subleaf,
                     uint32_t out[4])
{
    if (x86_cpu_has(model, FEAT_8000_0001_ECX, 2)) {
        out[CPUID_EAX] = 1;
        out[CPUID_EBX] = 16;
        out[CPUID_EDX] = model->features[FEAT_8000_000A_EDX];
    }
}

static void leaf_caches_amd(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                            uint32_t subleaf, uint32_t out[4])
{
    if (model_is_zen(model) && subleaf < CACHE_COUNT) {
        put_cache(model, &zen_caches[subleaf], out);
    }
}

static void leaf_topology_amd(const X86Cpu *cpu, const X86CpuModel *model, uint32_t leaf,
                              uint32_t subleaf, uint32_t out[4])
{
    unsigned threads = threads_of(&model->topo);
    unsigned cores = MAX(model->topo.cores, 1);
    unsigned core = cpu->apic_id >> id_bits(threads) & ((1u << id_bits(cores)) - 1);

    if (model_is_zen(model)) {
        out[CPUID_EAX] = cpu->apic_id;
        out[CPUID_EBX] = (threads - 1) << 8 | core;
    }
}

/* ---- dispatch ---- */

static const struct { uint32_t first, last; LeafFn fn; } leaves[] = {
    { 0x0, 0x0, leaf_vendor },
    { 0x1, 0x1, leaf_version },
    { 0x2, 0x2, leaf_descriptors },
    { 0x4, 0x4, leaf_caches },
    { 0x5, 0x5, leaf_monitor },
    { 0x6, 0x6, leaf_power },
    { 0x7, 0x7, leaf_extended_features },
    { 0xa, 0xa, leaf_pmu },
    { 0xb, 0xb, leaf_topology },
    { 0xd, 0xd, leaf_xsave },
    { 0x40000000, LEAF_KVM_FEATURES, leaf_hypervisor },
    { 0x80000000, 0x80000000, leaf_vendor },
    { 0x80000001, 0x80000001, leaf_extended_version },
    { 0x80000002, 0x80000004, leaf_brand },
    { 0x80000005, 0x80000005, leaf_l1 },
    { 0x80000006, 0x80000006, leaf_l2 },
    { 0x80000007, 0x80000007, leaf_power_amd },
    { 0x80000008, 0x80000008, leaf_address_sizes },
    { 0x8000000a, 0x8000000a, leaf_svm },
    { 0x8000001d, 0x8000001d, leaf_caches_amd },
    { 0x8000001e, 0x8000001e, leaf_topology_amd },
};

/* A leaf beyond its range answers as the highest basic one does (SDM volume 2A, CPUID). */
static uint32_t clamp_leaf(const X86CpuModel *model, uint32_t leaf)
{
    uint32_t limit = leaf >= 0x80000000 ? model->xlevel
                     : leaf >= 0x40000000 ? LEAF_KVM_FEATURES : model->level;

    return leaf > limit ? model->level : leaf;
}

void x86_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const X86CpuModel *model = cpu->model;

    memset(out, 0, 4 * sizeof(out[0]));
    leaf = clamp_leaf(model, leaf);
    for (unsigned i = 0; i < G_N_ELEMENTS(leaves); i++) {
        if (leaf >= leaves[i].first && leaf <= leaves[i].last) {
            leaves[i].fn(cpu, model, leaf, subleaf, out);
            return;
        }
    }
}
