/*
 * Names of CPUID feature bits, where each word of them lives, and what the software CPU has.
 *
 * Bits are those of the SDM volume 2A, CPUID, and of the AMD APM volume 3 appendix E; the names are
 * those QEMU's -cpu takes.  A NULL name is reserved, or is a bit that software sets elsewhere
 * (OSXSAVE).
 */
#include "cpuid.h"

#include <string.h>

#include "feature_table.h"

const FeatureWordInfo feature_words[FEATURE_WORDS] = {
    [FEAT_1_EDX] = { 1, 0, CPUID_EDX, {
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
        "cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov",
        "pat", "pse36", "pn", "clflush", NULL, "ds", "acpi", "mmx",
        "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" } },
    [FEAT_1_ECX] = { 1, 0, CPUID_ECX, {
        "pni", "pclmulqdq", "dtes64", "monitor", "ds-cpl", "vmx", "smx", "est",
        "tm2", "ssse3", "cid", NULL, "fma", "cx16", "xtpr", "pdcm",
        NULL, "pcid", "dca", "sse4.1", "sse4.2", "x2apic", "movbe", "popcnt",
        "tsc-deadline", "aes", "xsave", NULL, "avx", "f16c", "rdrand", "hypervisor" } },
    [FEAT_7_0_EBX] = { 7, 0, CPUID_EBX, {
        "fsgsbase", "tsc-adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep",
        "bmi2", "erms", "invpcid", "rtm", NULL, NULL, "mpx", NULL,
        "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "pcommit", "clflushopt",
        "clwb", "intel-pt", "avx512pf", "avx512er", "avx512cd", "sha-ni", "avx512bw",
        "avx512vl" } },
    [FEAT_7_0_ECX] = { 7, 0, CPUID_ECX, {
        [1] = "avx512vbmi", [2] = "umip", [3] = "pku", [5] = "waitpkg", [6] = "avx512vbmi2",
        [8] = "gfni", [9] = "vaes", [10] = "vpclmulqdq", [11] = "avx512vnni", [12] = "avx512bitalg",
        [14] = "avx512-vpopcntdq", [16] = "la57", [22] = "rdpid", [24] = "bus-lock-detect",
        [25] = "cldemote", [27] = "movdiri", [28] = "movdir64b", [30] = "sgxlc", [31] = "pks" } },
    [FEAT_7_0_EDX] = { 7, 0, CPUID_EDX, {
        [2] = "avx512-4vnniw", [3] = "avx512-4fmaps", [4] = "fsrm", [8] = "avx512-vp2intersect",
        [10] = "md-clear", [14] = "serialize", [16] = "tsx-ldtrk", [19] = "arch-lbr",
        [22] = "amx-bf16", [23] = "avx512-fp16", [24] = "amx-tile", [25] = "amx-int8",
        [26] = "spec-ctrl", [27] = "stibp", [29] = "arch-capabilities", [30] = "core-capability",
        [31] = "ssbd" } },
    [FEAT_7_1_EAX] = { 7, 1, CPUID_EAX, { [4] = "avx-vnni", [5] = "avx512-bf16" } },
    [FEAT_8000_0001_EDX] = { 0x80000001, 0, CPUID_EDX, {
        [11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr-opt", [26] = "pdpe1gb",
        [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow" } },
    [FEAT_8000_0001_ECX] = { 0x80000001, 0, CPUID_ECX, {
        "lahf-lm", "cmp-legacy", "svm", "extapic", "cr8legacy", "abm", "sse4a", "misalignsse",
        "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL, "lwp",
        "fma4", "tce", NULL, "nodeid-msr", NULL, "tbm", "topoext", "perfctr-core", "perfctr-nb" } },
    [FEAT_8000_0007_EDX] = { 0x80000007, 0, CPUID_EDX, { [8] = "invtsc" } },
    [FEAT_8000_0008_EBX] = { 0x80000008, 0, CPUID_EBX, {
        [0] = "clzero", [2] = "xsaveerptr", [9] = "wbnoinvd", [12] = "ibpb", [14] = "ibrs",
        [15] = "amd-stibp", [24] = "amd-ssbd", [25] = "virt-ssbd", [26] = "amd-no-ssb" } },
    [FEAT_8000_000A_EDX] = { 0x8000000a, 0, CPUID_EDX, {
        [0] = "npt", [1] = "lbrv", [2] = "svm-lock", [3] = "nrip-save", [4] = "tsc-scale",
        [5] = "vmcb-clean", [6] = "flushbyasid", [7] = "decodeassists", [10] = "pause-filter",
        [12] = "pfthreshold", [13] = "avic", [15] = "v-vmsave-vmload", [16] = "vgif",
        [28] = "svme-addr-chk" } },
    [FEAT_XSAVE] = { 0xd, 1, CPUID_EAX, { "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd" } },
    [FEAT_6_EAX] = { 6, 0, CPUID_EAX, { [2] = "arat" } },
    [FEAT_KVM] = { 0x40000001, 0, CPUID_EAX, {
        [0] = "kvmclock", [1] = "kvm-nopiodelay", [2] = "kvm-mmu", [3] = "kvmclock",
        [4] = "kvm-asyncpf", [5] = "kvm-steal-time", [6] = "kvm-pv-eoi", [7] = "kvm-pv-unhalt",
        [9] = "kvm-pv-tlb-flush", [11] = "kvm-pv-ipi", [12] = "kvm-poll-control",
        [13] = "kvm-pv-sched-yield", [14] = "kvm-asyncpf-int", [15] = "kvm-msi-ext-dest-id",
        [24] = "kvmclock-stable-bit" } },
    /* Bits of the MSR IA32_ARCH_CAPABILITIES, not of a leaf. */
    [FEAT_ARCH_CAPABILITIES] = { 0, 0, CPUID_NONE, {
        "rdctl-no", "ibrs-all", "rsba", "skip-l1dfl-vmentry", "ssb-no", "mds-no", "pschange-mc-no",
        "tsx-ctrl", "taa-no" } },
};

static const struct { const char *alias, *name; } feature_aliases[] = {
    { "ffxsr", "fxsr-opt" }, { "i64", "lm" }, { "lzcnt", "abm" }, { "pclmuldq", "pclmulqdq" },
    { "sse3", "pni" }, { "sse4-1", "sse4.1" }, { "sse4-2", "sse4.2" }, { "xd", "nx" },
};

/* Old spellings have underscores where new ones have dashes. */
static bool name_equal(const char *a, const char *b)
{
    for (; *a || *b; a++, b++) {
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) {
            return false;
        }
    }
    return true;
}

bool x86_feature_find(const char *name, FeatureWord *word, unsigned *bit)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(feature_aliases); i++) {
        if (name_equal(name, feature_aliases[i].alias)) {
            name = feature_aliases[i].name;
            break;
        }
    }
    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        for (unsigned b = 0; b < 32; b++) {
            if (feature_words[w].names[b] && name_equal(name, feature_words[w].names[b])) {
                *word = w;
                *bit = b;
                return true;
            }
        }
    }
    return false;
}

bool x86_features_set(uint32_t features[FEATURE_WORDS], const char *name, bool on)
{
    FeatureWord word;
    unsigned bit;

    if (!x86_feature_find(name, &word, &bit)) {
        return false;
    }
    /* kvmclock is one name for two bits: the old pair of MSRs and the new one. */
    uint32_t mask = word == FEAT_KVM && bit == 0 ? 1u << 0 | 1u << 3 : 1u << bit;

    features[word] = on ? features[word] | mask : features[word] & ~mask;
    return true;
}

/* ---- the software CPU ---- */

/* One row per word; the names in the comment are the bits, lowest first. */
const uint32_t tcg_features[FEATURE_WORDS] = {
    /* fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx
     * fxsr sse sse2 ss ht */
    [FEAT_1_EDX] = 0x1fcbfbfd,
    /* pni pclmulqdq ssse3 cx16 pcid sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave
     * rdrand hypervisor */
    [FEAT_1_ECX] = 0xc7fa2203,
    /* fsgsbase tsc-adjust smep erms invpcid rdseed smap clflushopt clwb */
    [FEAT_7_0_EBX] = 0x01940683,
    /* umip rdpid */
    [FEAT_7_0_ECX] = 0x00400004,
    /* fsrm */
    [FEAT_7_0_EDX] = 0x00000010,
    /* syscall nx pdpe1gb rdtscp lm */
    [FEAT_8000_0001_EDX] = 0x2c100800,
    /* lahf-lm cr8legacy abm 3dnowprefetch */
    [FEAT_8000_0001_ECX] = 0x00000131,
    /* xsaveopt */
    [FEAT_XSAVE] = 0x00000001,
    /* arat */
    [FEAT_6_EAX] = 0x00000004,
};
