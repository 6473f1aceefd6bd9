/* CPUID: what the kernel can give a guest, and telling it what a vCPU shall answer. */
#include "kvm.h"

#include <errno.h>
#include <string.h>

#include "cpuid.h"
#include "rhea_error.h"

#define MAX_ENTRIES 256u                /* the kernel takes no more (KVM_MAX_CPUID_ENTRIES) */

enum { EAX, EBX, ECX, EDX };

bool kvm_cpuid_init(GError **error)
{
    for (unsigned count = 64; count <= MAX_ENTRIES; count *= 2) {
        kvm.cpuid = g_realloc(kvm.cpuid,
                              sizeof(*kvm.cpuid) + count * sizeof(kvm.cpuid->entries[0]));
        memset(kvm.cpuid, 0, sizeof(*kvm.cpuid));
        kvm.cpuid->nent = count;
        if (ioctl(kvm.fd, KVM_GET_SUPPORTED_CPUID, kvm.cpuid) == 0) {
            return true;
        }
        if (errno != E2BIG) {
            break;
        }
    }
    set_errno_error(error, errno, "kvm does not tell which CPUID features it supports");
    return false;
}

static const struct kvm_cpuid_entry2 *entry_find(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < kvm.cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &kvm.cpuid->entries[i];

        if (entry->function == leaf &&
            (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf)) {
            return entry;
        }
    }
    return NULL;
}

/* What depends on the interrupt controllers is not in the kernel's list as such (api.rst 4.47). */
static void adjust_features(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    bool lapic_in_kernel = kvm.irqchip != IRQCHIP_USER;

    if (leaf == 1) {
        out[ECX] |= 1u << 31;                                   /* hypervisor */
        out[ECX] &= ~(1u << 24);
        if (lapic_in_kernel && kvm.has_tsc_deadline) {
            out[ECX] |= 1u << 24;                               /* TSC deadline */
        }
        if (!lapic_in_kernel) {
            out[ECX] &= ~(1u << 21);                       /* x2APIC MSRs need the kernel's LAPIC */
        }
        out[EDX] |= 1u << 28 | 1u << 9 | 1u << 7;               /* HT, APIC, MCE */
    } else if (leaf == 6) {
        out[EAX] |= 1u << 2;                                    /* the LAPIC timer never stops */
    } else if (leaf == 7 && subleaf == 0 && kvm.irqchip == IRQCHIP_USER) {
        out[ECX] &= ~(1u << 5);
    } else if (leaf == 0x40000001 && !lapic_in_kernel) {
        out[EAX] &= ~(1u << 6 | 1u << 4 | 1u << 14 | 1u << 11); /* PV EOI, async faults, PV IPI */
    }
}

void kvm_engine_cpuid(Vm *vm, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct kvm_cpuid_entry2 *entry = entry_find(leaf, subleaf);

    memset(out, 0, 4 * sizeof(out[0]));
    if (entry) {
        memcpy(out, &entry->eax, 4 * sizeof(out[0]));
    }
    adjust_features(leaf, subleaf, out);
}

/* ---- a vCPU's answers ---- */

typedef struct Builder {
    const X86Cpu *cpu;
    struct kvm_cpuid2 *list;
} Builder;

static bool add_entry(Builder *builder, uint32_t leaf, uint32_t subleaf, bool indexed)
{
    struct kvm_cpuid_entry2 *entry = &builder->list->entries[builder->list->nent];
    uint32_t out[4];

    if (builder->list->nent == MAX_ENTRIES) {
        return false;
    }
    x86_cpuid(builder->cpu, leaf, subleaf, out);
    *entry = (struct kvm_cpuid_entry2){
        .function = leaf, .index = subleaf, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = out[EAX], .ebx = out[EBX], .ecx = out[ECX], .edx = out[EDX],
    };
    builder->list->nent++;
    return true;
}

/* Leaves whose answer depends on ECX, and how many subleaves there are to ask for. */
static unsigned subleaves(uint32_t leaf)
{
    switch (leaf) {
    case 4: return 5;
    case 7: return 2;
    case 0xb: return 3;
    case 0xd: return 63;
    case 0x8000001d: return 5;
    default: return 0;
    }
}

static bool add_leaf(Builder *builder, uint32_t leaf)
{
    unsigned count = subleaves(leaf);

    if (count == 0) {
        return add_entry(builder, leaf, 0, false);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t out[4];

        x86_cpuid(builder->cpu, leaf, i, out);
        if (i > 0 && !(out[EAX] | out[EBX] | out[ECX] | out[EDX])) {
            continue;                   /* what is not listed answers zero */
        }
        if (!add_entry(builder, leaf, i, true)) {
            return false;
        }
    }
    return true;
}

static bool add_range(Builder *builder, uint32_t first, uint32_t last)
{
    for (uint32_t leaf = first; leaf <= last; leaf++) {
        if (!add_leaf(builder, leaf)) {
            return false;
        }
    }
    return true;
}

bool kvm_cpuid_set(X86Cpu *cpu, GError **error)
{
    g_autofree struct kvm_cpuid2 *list =
        g_malloc0(sizeof(*list) + MAX_ENTRIES * sizeof(list->entries[0]));
    Builder builder = { cpu, list };
    const X86CpuModel *model = cpu->model;
    bool whole = add_range(&builder, 0, MIN(model->level, 0x20));

    if (model->kvm) {
        whole = whole && add_range(&builder, 0x40000000, 0x40000001);
    }
    if (model->xlevel >= 0x80000000) {
        whole = whole && add_range(&builder, 0x80000000, MIN(model->xlevel, 0x80000020));
    }
    if (!whole || ioctl(kvm_cpu(cpu)->fd, KVM_SET_CPUID2, list) < 0) {
        set_errno_error(error, whole ? errno : E2BIG, "kvm does not take the CPU model '%s'",
                        model->name);
        return false;
    }
    return true;
}
