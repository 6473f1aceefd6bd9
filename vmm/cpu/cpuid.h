/*
 * CPU models, feature names and CPUID leaves.
 *
 * A model is a row: vendor, family/model/stepping, feature words.  -cpu
 * MODEL,+flag,-flag,flag=on|off edits a copy.  Flags the engine cannot give are dropped with one
 * warning each.  Flag names are QEMU's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm_core.h"

typedef enum FeatureWord {
    FEAT_1_EDX, FEAT_1_ECX, FEAT_7_0_EBX, FEAT_7_0_ECX, FEAT_7_0_EDX, FEAT_7_1_EAX,
    FEAT_8000_0001_EDX, FEAT_8000_0001_ECX, FEAT_8000_0007_EDX,
    FEAT_8000_0008_EBX, FEAT_8000_000A_EDX,
    FEAT_XSAVE, FEAT_6_EAX, FEAT_KVM, FEAT_ARCH_CAPABILITIES,
    FEATURE_WORDS
} FeatureWord;

typedef struct X86CpuModel X86CpuModel;
typedef struct X86Cpu X86Cpu;

struct X86CpuModel {
    char *name;                         /* "qemu64" */
    char vendor[13];
    uint32_t family, model, stepping;
    uint32_t features[FEATURE_WORDS];
    uint32_t level, xlevel;             /* highest basic and extended leaf */
    char model_id[49];
    uint8_t phys_bits, virt_bits;
    uint32_t user_phys_bits;            /* phys-bits=, 0: not given */
    bool host_phys_bits;                /* as many as the host has */
    bool level_given, xlevel_given;     /* by the user: features do not raise them */
    bool host_passthrough;              /* host/max under kvm: leaves come from the engine */
    bool check, enforce;
    bool quiet;                         /* says nothing of what the engine cannot give */
    bool migratable;                    /* max, host: without what pins a guest to its host */
    uint32_t filtered[FEATURE_WORDS];   /* asked for, and not to be had of this engine */
    bool pmu, hypervisor, kvm, lapic_x2;
    CpuTopology topo;
};

/*
 * From -cpu text (NULL: the default model, qemu64) for this machine's engine: drops what the engine
 * cannot give (warning once per flag unless the model is "max"/"host"), fails on unknown names.
 */
X86CpuModel *x86_cpu_model_parse(Vm *vm, const char *text, GError **error);
/* The same to ask and not to run: without a warning.  `edits`: "flag=on" and the like, or NULL. */
X86CpuModel *x86_cpu_model_try(Vm *vm, const char *name, char **edits, GError **error);
void x86_cpu_model_free(X86CpuModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X86CpuModel, x86_cpu_model_free)
const char *const *x86_cpu_model_names(void);          /* NULL-terminated, for -cpu help */
bool x86_cpu_has(const X86CpuModel *model, FeatureWord word, unsigned bit);
/* Bits of CR4 and EFER that software may set; NULL: those of any model. */
uint64_t x86_cr4_bits(const X86CpuModel *model);
uint64_t x86_efer_bits(const X86CpuModel *model);

/* Feature bit by name ("sse4.2", "lm"), false if unknown. */
bool x86_feature_find(const char *name, FeatureWord *word, unsigned *bit);

/* What CPUID answers on this CPU, run-time bits (OSXSAVE, APIC id, XSAVE sizes) included. */
void x86_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/*
 * XCR0 bits this CPU can set (0: no XSAVE), and the size of a standard XSAVE area with
 * `components`.
 */
uint64_t x86_xcr0_mask(const X86Cpu *cpu);
uint32_t x86_xsave_size(const X86Cpu *cpu, uint64_t components);

/* What tcg implements; the filter for its models. */
extern const uint32_t tcg_features[FEATURE_WORDS];
