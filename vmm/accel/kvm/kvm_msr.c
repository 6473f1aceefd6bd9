/* Model-specific registers to and from the kernel (api.rst 4.18, 4.19). */
#include "kvm.h"

#include <string.h>
#include <x86intrin.h>

#include "cpuid.h"
#include "vm_log.h"

#define MSR_TSC         0x10u
#define MSR_TSC_ADJUST  0x3bu
#define MSR_MTRR_VAR    0x200u
#define MSR_MTRR_DEF    0x2ffu
#define MSR_MC_BANKS    0x400u

/* Which register is which field. */
static const struct { uint32_t msr; size_t offset; bool is_32; } rows[] = {
#define MSR(number, field) { number, offsetof(X86Cpu, field), sizeof(((X86Cpu *)0)->field) == 4 }
    MSR(MSR_TSC_ADJUST, tsc_adjust),
    MSR(0x3a, feature_control),
    MSR(0x48, spec_ctrl),
    MSR(0x9e, smbase),
    MSR(0x174, sysenter_cs),
    MSR(0x175, sysenter_esp),
    MSR(0x176, sysenter_eip),
    MSR(0x17a, mcg_status),
    MSR(0x17b, mcg_ctl),
    MSR(0x1a0, misc_enable),
    MSR(0x1d9, debugctl),
    MSR(0x277, pat),
    MSR(0xda0, xss),
    MSR(0xc0000081, star),
    MSR(0xc0000082, lstar),
    MSR(0xc0000083, cstar),
    MSR(0xc0000084, fmask),
    MSR(0xc0000102, kernel_gs_base),
    MSR(0xc0000103, tsc_aux),
    MSR(0x4b564d00, kvm_wall_clock),
    MSR(0x4b564d01, kvm_system_time),
    MSR(0x4b564d02, kvm_async_pf_en),
    MSR(0x4b564d03, kvm_steal_time),
    MSR(0x4b564d04, kvm_pv_eoi),
    MSR(0x4b564d05, kvm_poll),
#undef MSR
};

static const uint32_t mtrr_fixed[11] = {
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
};

#define MTRR_RANGES 8u
#define MC_BANKS    10u
#define MAX_MSRS (G_N_ELEMENTS(rows) + 1 + 11 + 2 * MTRR_RANGES + 1 + 4 * MC_BANKS)

/* A request under construction, and where each answer goes. */
typedef struct MsrBatch {
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entries[MAX_MSRS];
    } list;
    void *field[MAX_MSRS];
    bool is_32[MAX_MSRS];
} MsrBatch;

static void batch_add(MsrBatch *batch, uint32_t msr, void *field, bool is_32)
{
    unsigned i = batch->list.head.nmsrs++;

    g_assert(i < MAX_MSRS);
    batch->list.entries[i].index = msr;
    batch->list.entries[i].data = is_32 ? *(uint32_t *)field : *(uint64_t *)field;
    batch->field[i] = field;
    batch->is_32[i] = is_32;
}

static bool kernel_lists(uint32_t msr)
{
    for (unsigned i = 0; i < kvm.msrs->nmsrs; i++) {
        if (kvm.msrs->indices[i] == msr) {
            return true;
        }
    }
    return false;
}

/* A kvmclock of the guest's is set up again only if it had one: writing the MSR starts it. */
static bool row_applies(const X86Cpu *cpu, uint32_t msr)
{
    static const struct { uint32_t msr; unsigned bit; } features[] = {
        { 0x4b564d00, 3 }, { 0x4b564d01, 3 }, { 0x4b564d02, 4 }, { 0x4b564d03, 5 },
        { 0x4b564d04, 6 }, { 0x4b564d05, 12 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        if (msr == features[i].msr && !x86_cpu_has(cpu->model, FEAT_KVM, features[i].bit)) {
            return false;
        }
    }
    if (msr == 0x9e) {
        return kvm.has_smm;
    }
    return kernel_lists(msr) || msr == 0x17a || msr == 0x17b;
}

/* Not in the kernel's list although it keeps them: memory types and machine checks. */
static void batch_add_tables(MsrBatch *batch, X86Cpu *cpu)
{
    if (x86_cpu_has(cpu->model, FEAT_1_EDX, 12)) {              /* mtrr */
        batch_add(batch, MSR_MTRR_DEF, &cpu->mtrr_deftype, false);
        for (unsigned i = 0; i < G_N_ELEMENTS(mtrr_fixed); i++) {
            batch_add(batch, mtrr_fixed[i], &cpu->mtrr_fixed[i], false);
        }
        for (unsigned i = 0; i < MTRR_RANGES; i++) {
            batch_add(batch, MSR_MTRR_VAR + 2 * i, &cpu->mtrr_var[i][0], false);
            batch_add(batch, MSR_MTRR_VAR + 2 * i + 1, &cpu->mtrr_var[i][1], false);
        }
    }
    for (unsigned bank = 0; bank < MIN(cpu->mcg_cap & 0xff, MC_BANKS); bank++) {
        for (unsigned i = 0; i < 4; i++) {
            batch_add(batch, MSR_MC_BANKS + 4 * bank + i, &cpu->mc_banks[bank][i], false);
        }
    }
}

static void batch_fill(MsrBatch *batch, X86Cpu *cpu)
{
    batch->list.head.nmsrs = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (row_applies(cpu, rows[i].msr)) {
            batch_add(batch, rows[i].msr, (char *)cpu + rows[i].offset, rows[i].is_32);
        }
    }
    batch_add_tables(batch, cpu);
}

/* Moves all of them; the kernel stops at the first it refuses, which is then left out. */
static void batch_move(MsrBatch *batch, X86Cpu *cpu, unsigned long what)
{
    unsigned done = 0, count = batch->list.head.nmsrs;

    while (done < count) {
        MsrBatch part;
        int moved;

        part.list.head.nmsrs = count - done;
        memcpy(part.list.entries, batch->list.entries + done,
               (count - done) * sizeof(part.list.entries[0]));
        moved = ioctl(kvm_cpu(cpu)->fd, what, &part.list);
        if (moved < 0) {
            moved = 0;
        }
        memcpy(batch->list.entries + done, part.list.entries, moved * sizeof(part.list.entries[0]));
        done += moved;
        if (done < count) {
            if (log_on(LOG_UNIMP)) {
                log_write(LOG_UNIMP, "kvm refuses MSR 0x%x\n", batch->list.entries[done].index);
            }
            batch->field[done] = NULL;
            done++;
        }
    }
}

/*
 * The time stamp counter goes on by itself: writing back what was read a moment ago would set it
 * back, so it is written only if somebody changed the offset.
 */
static void get_tsc(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    MsrBatch batch = { .list.head.nmsrs = 0 };
    uint64_t tsc = 0;

    batch_add(&batch, MSR_TSC, &tsc, false);
    batch_move(&batch, cpu, KVM_GET_MSRS);
    cpu->tsc_offset = batch.list.entries[0].data - __rdtsc();
    k->tsc_offset_seen = cpu->tsc_offset;
    k->tsc_known = true;
}

static void put_tsc(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    MsrBatch batch = { .list.head.nmsrs = 0 };
    uint64_t tsc;

    if (k->tsc_known && k->tsc_offset_seen == (int64_t)cpu->tsc_offset) {
        return;
    }
    tsc = __rdtsc() + cpu->tsc_offset;
    batch_add(&batch, MSR_TSC, &tsc, false);
    batch_move(&batch, cpu, KVM_SET_MSRS);
    k->tsc_offset_seen = cpu->tsc_offset;
    k->tsc_known = true;
}

void kvm_get_msrs(X86Cpu *cpu)
{
    MsrBatch batch;

    batch_fill(&batch, cpu);
    batch_move(&batch, cpu, KVM_GET_MSRS);
    for (unsigned i = 0; i < batch.list.head.nmsrs; i++) {
        uint64_t value = batch.list.entries[i].data;

        if (batch.field[i] && batch.is_32[i]) {
            *(uint32_t *)batch.field[i] = (uint32_t)value;
        } else if (batch.field[i]) {
            *(uint64_t *)batch.field[i] = value;
        }
    }
    get_tsc(cpu);
}

void kvm_put_msrs(X86Cpu *cpu)
{
    MsrBatch batch;

    put_tsc(cpu);
    batch_fill(&batch, cpu);
    batch_move(&batch, cpu, KVM_SET_MSRS);
}
