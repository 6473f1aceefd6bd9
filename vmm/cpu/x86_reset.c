/*
 * What reset, INIT and SIPI make of a CPU, and the mode summary.  SDM volume 3A: table 9-1
 * (register values), 8.4 (multiprocessor start-up), 9.1.4 (the first instruction).
 */
#include <string.h>
#include <x86intrin.h>

#include "cpuid.h"
#include "fpu_state.h"
#include "x86_cpu.h"

#define REAL_CODE_ATTR  0x009b          /* present, DPL 0, code, readable, accessed */
#define REAL_DATA_ATTR  0x0093          /* present, DPL 0, data, writable, accessed */
#define REAL_LDT_ATTR   0x0082
#define REAL_TSS_ATTR   0x008b          /* busy 32-bit TSS */
#define REAL_LIMIT      0xffff

#define DR6_RESET       0xffff0ff0u
#define DR7_RESET       0x400u
#define PAT_RESET       UINT64_C(0x0007040600070406)
#define SMBASE_RESET    0x30000u

#define MCG_BANKS       10u
#define MCG_CTL_P       (1u << 8)
#define MCG_SER_P       (1u << 24)
#define MISC_ENABLE_FAST_STRING 1u

/* ---- mode summary ---- */

/* Writable, expand-up data (SDM 3A 3.4.5.1) over the first 4 GiB. */
static bool seg_is_flat(const X86Seg *seg)
{
    const uint16_t wanted = SEG_ATTR_P | SEG_ATTR_S | 2, looked_at = wanted | 8 | 4;

    return seg->base == 0 && seg->limit == UINT32_MAX && (seg->attr & looked_at) == wanted;
}

static uint32_t segment_mode(const X86Cpu *cpu)
{
    const X86Seg *cs = &cpu->seg[SEG_CS], *ss = &cpu->seg[SEG_SS];
    uint32_t mode = 0;

    if (cpu->efer & EFER_LMA) {
        mode |= CPU_MODE_LMA;
        if (cs->attr & SEG_ATTR_L) {
            return mode | CPU_MODE_CS64 | CPU_MODE_CS32 | CPU_MODE_SS32 | CPU_MODE_FLAT;
        }
    }
    if (cs->attr & SEG_ATTR_DB) {
        mode |= CPU_MODE_CS32;
    }
    if (ss->attr & SEG_ATTR_DB) {
        mode |= CPU_MODE_SS32;
    }
    if (cpu->cr0 & CR0_PE && seg_is_flat(&cpu->seg[SEG_DS]) && seg_is_flat(&cpu->seg[SEG_ES]) &&
        seg_is_flat(ss)) {
        mode |= CPU_MODE_FLAT;
    }
    return mode;
}

static uint32_t privilege_mode(const X86Cpu *cpu)
{
    unsigned cpl = 0, iopl = cpu->rflags >> 12 & 3;
    uint32_t mode = 0;

    if (cpu->cr0 & CR0_PE) {
        mode |= CPU_MODE_PE;
        cpl = seg_dpl(&cpu->seg[SEG_SS]);
        if (cpu->rflags & RFLAGS_VM) {
            mode |= CPU_MODE_VM86;
            cpl = 3;
        }
    }
    if (iopl >= cpl) {
        mode |= CPU_MODE_IOPL3;
    }
    if (cpl == 3 && cpu->cr0 & CR0_AM && cpu->rflags & RFLAGS_AC) {
        mode |= CPU_MODE_AC;
    }
    return mode | cpl;
}

static uint32_t feature_mode(const X86Cpu *cpu)
{
    static const struct { uint32_t bit, mode; } cr0_bits[] = {
        { CR0_PG, CPU_MODE_PG }, { CR0_TS, CPU_MODE_TS }, { CR0_EM, CPU_MODE_EM },
        { CR0_MP, CPU_MODE_MP },
    };
    uint32_t mode = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(cr0_bits); i++) {
        mode |= cpu->cr0 & cr0_bits[i].bit ? cr0_bits[i].mode : 0;
    }
    mode |= cpu->cr4 & CR4_OSFXSR ? CPU_MODE_OSFXSR : 0;
    mode |= cpu->cr4 & CR4_OSXSAVE ? CPU_MODE_OSXSAVE : 0;
    mode |= cpu->rflags & RFLAGS_TF || cpu->single_step ? CPU_MODE_TF : 0;
    mode |= cpu->in_smm ? CPU_MODE_SMM : 0;
    return mode;
}

void x86_update_mode(X86Cpu *cpu)
{
    uint32_t mode = segment_mode(cpu) | privilege_mode(cpu) | feature_mode(cpu);

    if (cpu->dr[7] & 0xff) {                                /* L0–L3 and G0–G3 */
        mode |= CPU_MODE_BREAKS;
    }
    cpu->mode = mode;
}

/* ---- segments ---- */

void x86_load_real_seg(X86Cpu *cpu, int seg, uint16_t selector)
{
    cpu->seg[seg] = (X86Seg){
        .selector = selector, .base = (uint32_t)selector << 4, .limit = REAL_LIMIT,
        .attr = seg == SEG_CS ? REAL_CODE_ATTR : REAL_DATA_ATTR,
    };
}

static void reset_segments(X86Cpu *cpu)
{
    for (int seg = 0; seg < SEG_COUNT; seg++) {
        x86_load_real_seg(cpu, seg, 0);
    }
    /* The first instruction lies 16 bytes below 4 GiB: 9.1.4. */
    cpu->seg[SEG_CS].selector = 0xf000;
    cpu->seg[SEG_CS].base = 0xffff0000u;
    cpu->ldt = (X86Seg){ .limit = REAL_LIMIT, .attr = REAL_LDT_ATTR };
    cpu->tr = (X86Seg){ .limit = REAL_LIMIT, .attr = REAL_TSS_ATTR };
    cpu->gdt = cpu->idt = (X86Table){ .limit = REAL_LIMIT };
}

/* ---- reset and INIT ---- */

/* CPUID.1:EAX, which table 9-1 also wants in EDX. */
static uint32_t signature(const X86CpuModel *model)
{
    uint32_t family, extended;

    if (model == NULL) {
        return 0;
    }
    family = MIN(model->family, 15u);
    extended = model->family - family;
    return extended << 20 | (model->model >> 4 & 15) << 16 | family << 8 |
           (model->model & 15) << 4 | (model->stepping & 15);
}

static void clear_events_in_progress(X86Cpu *cpu)
{
    cpu->halted = false;
    cpu->nmi_blocked = false;
    cpu->intr_shadow = 0;
    cpu->exception = EXC_NONE;
    cpu->exception_has_error = cpu->exception_injected = false;
    cpu->exception_error = 0;
    cpu->interrupt_injected = -1;
    cpu->interrupt_soft = false;
    __atomic_fetch_and(&cpu->events, CPU_EVENT_KICK, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&cpu->events, CPU_EVENT_TLB_FLUSH, __ATOMIC_SEQ_CST);
}

/* What INIT and reset have in common. */
static void reset_registers(X86Cpu *cpu, uint64_t cr0)
{
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[R_RDX] = signature(cpu->model);
    cpu->rip = 0xfff0;
    cpu->rflags = RFLAGS_FIXED;
    reset_segments(cpu);
    cpu->cr0 = cr0;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
    memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr[6] = DR6_RESET;
    cpu->dr[7] = DR7_RESET;
    cpu->debugctl = 0;
    cpu->mp_state = cpu->is_bsp ? MP_RUNNABLE : MP_WAIT_FOR_SIPI;
    cpu->state_changed = true;
    clear_events_in_progress(cpu);
    x86_update_mode(cpu);
}

static void reset_msrs(X86Cpu *cpu)
{
    cpu->star = cpu->lstar = cpu->cstar = cpu->fmask = cpu->kernel_gs_base = 0;
    cpu->sysenter_cs = 0;
    cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->pat = PAT_RESET;
    cpu->mtrr_deftype = 0;
    memset(cpu->mtrr_fixed, 0, sizeof(cpu->mtrr_fixed));
    memset(cpu->mtrr_var, 0, sizeof(cpu->mtrr_var));
    cpu->tsc_adjust = cpu->tsc_aux = 0;
    cpu->misc_enable = MISC_ENABLE_FAST_STRING;
    cpu->spec_ctrl = cpu->feature_control = cpu->xss = 0;
    cpu->smbase = SMBASE_RESET;
    cpu->mcg_cap = MCG_BANKS | MCG_CTL_P | MCG_SER_P;
    cpu->mcg_status = 0;
    cpu->mcg_ctl = UINT64_MAX;
    for (unsigned i = 0; i < MCG_BANKS; i++) {
        memset(cpu->mc_banks[i], 0, sizeof(cpu->mc_banks[i]));
        cpu->mc_banks[i][0] = UINT64_MAX;           /* MCi_CTL: report everything */
    }
    cpu->kvm_system_time = cpu->kvm_wall_clock = cpu->kvm_async_pf_en = 0;
    cpu->kvm_steal_time = cpu->kvm_pv_eoi = 0;
    cpu->kvm_poll = 1;
    cpu->xcr0 = XSTATE_X87;
}

/* The counters of all CPUs start at 0 together: guests check that they agree. */
static uint64_t tsc_offset_at_reset(const X86Cpu *cpu)
{
    if (cpu->vm != NULL && cpu->vm->cpus != NULL && cpu->index > 0 && cpu->vm->cpus->len > 0) {
        const X86Cpu *first = g_ptr_array_index(cpu->vm->cpus, 0);

        return first->tsc_offset;
    }
    return -(cpu->vm != NULL ? vm_clock_tsc(cpu->vm) : __rdtsc());
}

void x86_cpu_reset(X86Cpu *cpu)
{
    cpu->in_smm = false;
    reset_msrs(cpu);
    cpu->tsc_offset = tsc_offset_at_reset(cpu);
    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    fpu_reset(&cpu->fpu);
    reset_registers(cpu, CR0_ET | CR0_CD | CR0_NW);
    cpu->debug_hit = DEBUG_NONE;
    cpu->debug_pass = false;
    if (cpu->intc.reset != NULL) {
        cpu->intc.reset(cpu->intc.opaque, false);
    }
}

void x86_cpu_init(X86Cpu *cpu)
{
    reset_registers(cpu, CR0_ET | (cpu->cr0 & (CR0_CD | CR0_NW)));
    if (cpu->intc.reset != NULL) {
        cpu->intc.reset(cpu->intc.opaque, true);
    }
}

/* 8.4.3: the vector is the page at which the CPU starts in real mode. */
void x86_cpu_sipi(X86Cpu *cpu, uint8_t vector)
{
    x86_load_real_seg(cpu, SEG_CS, (uint16_t)(vector << 8));
    cpu->rip = 0;
    cpu->halted = false;
    cpu->mp_state = MP_RUNNABLE;
    cpu->state_changed = true;
    x86_update_mode(cpu);
}
