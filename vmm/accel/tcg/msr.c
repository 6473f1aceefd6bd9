/*
 * Model-specific registers: SDM volume 4 chapter 2, AMD APM volume 2 appendix A.
 *
 * Most are a row: where the value lives and which bits exist.  The local APIC answers for its own.
 * What no table has is #GP and a line in the log; guests probe for MSRs and expect that.
 */
#include <string.h>

#include "tcg_sys.h"

#include "cpuid.h"
#include "vm_log.h"

enum {
    MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_FEATURE_CONTROL = 0x3a, MSR_TSC_ADJUST = 0x3b,
    MSR_SPEC_CTRL = 0x48, MSR_UCODE_REV = 0x8b, MSR_MTRRCAP = 0xfe,
    MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_MCG_CTL = 0x17b,
    MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_VAR = 0x200, MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX4K = 0x268,
    MSR_PAT = 0x277, MSR_MTRR_DEFTYPE = 0x2ff, MSR_MC0_CTL = 0x400, MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff,
    MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_CSTAR = 0xc0000083,
    MSR_FMASK = 0xc0000084, MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS_BASE = 0xc0000102, MSR_TSC_AUX = 0xc0000103,
};

#define MTRR_VAR_COUNT  8u
#define MTRR_CAP        (MTRR_VAR_COUNT | 1u << 8 | 1u << 10)   /* 11.11.1: fixed, WC */
#define MC_BANKS        10u
#define MC_REGS         4u

/* ---- checks ---- */

typedef bool (*MsrCheck)(const TcgCpu *cpu, uint64_t value);

static bool check_canonical(const TcgCpu *cpu, uint64_t value)
{
    return tcg_canonical(value);
}

static bool is_memory_type(unsigned type)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6);          /* table 11-8 */
}

/* 11.12.2: eight entries; 7 (UC-) is legal here, 2 and 3 are not. */
static bool check_pat(const TcgCpu *cpu, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = value >> (8 * i) & 0xff;

        if (!is_memory_type(type) && type != 7) {
            return false;
        }
    }
    return true;
}

static bool check_mtrr_fixed(const TcgCpu *cpu, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!is_memory_type(value >> (8 * i) & 0xff)) {
            return false;
        }
    }
    return true;
}

static bool check_mtrr_deftype(const TcgCpu *cpu, uint64_t value)
{
    return !(value & ~UINT64_C(0xcff)) && is_memory_type(value & 0xff);
}

static bool check_32_bits(const TcgCpu *cpu, uint64_t value)
{
    return value >> 32 == 0;
}

/* 10.4.4 of the machine-check chapter: software can only clear them. */
static bool check_zero(const TcgCpu *cpu, uint64_t value)
{
    return value == 0;
}

static bool check_mcg_status(const TcgCpu *cpu, uint64_t value)
{
    return !(value & ~UINT64_C(7));
}

static bool check_all_or_none(const TcgCpu *cpu, uint64_t value)
{
    return value == 0 || value == UINT64_MAX;
}

static bool check_never(const TcgCpu *cpu, uint64_t value)
{
    return false;
}

/* ---- MSRs that are a field ---- */

typedef struct MsrField {
    uint32_t msr;
    uint16_t offset;                    /* in X86Cpu */
    uint8_t bytes;
    MsrCheck check;                     /* NULL: anything goes */
} MsrField;

#define FIELD(msr_, field_, ...) \
    { .msr = msr_, .offset = offsetof(X86Cpu, field_), \
      .bytes = sizeof(((X86Cpu *)0)->field_), ##__VA_ARGS__ }

static const MsrField fields[] = {
    FIELD(MSR_FEATURE_CONTROL, feature_control),
    FIELD(MSR_SYSENTER_CS, sysenter_cs),
    FIELD(MSR_SYSENTER_ESP, sysenter_esp, .check = check_canonical),
    FIELD(MSR_SYSENTER_EIP, sysenter_eip, .check = check_canonical),
    FIELD(MSR_MCG_CAP, mcg_cap, .check = check_never),
    FIELD(MSR_MCG_STATUS, mcg_status, .check = check_mcg_status),
    FIELD(MSR_MCG_CTL, mcg_ctl, .check = check_all_or_none),
    FIELD(MSR_MISC_ENABLE, misc_enable),
    FIELD(MSR_DEBUGCTL, debugctl),
    FIELD(MSR_PAT, pat, .check = check_pat),
    FIELD(MSR_MTRR_DEFTYPE, mtrr_deftype, .check = check_mtrr_deftype),
    FIELD(MSR_STAR, star),
    FIELD(MSR_LSTAR, lstar, .check = check_canonical),
    FIELD(MSR_CSTAR, cstar, .check = check_canonical),
    FIELD(MSR_FMASK, fmask, .check = check_32_bits),
    FIELD(MSR_FS_BASE, seg[SEG_FS].base, .check = check_canonical),
    FIELD(MSR_GS_BASE, seg[SEG_GS].base, .check = check_canonical),
    FIELD(MSR_KERNEL_GS_BASE, kernel_gs_base, .check = check_canonical),
    FIELD(MSR_TSC_AUX, tsc_aux, .check = check_32_bits),
};

static uint64_t field_get(const TcgCpu *cpu, const MsrField *field)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)&cpu->x86 + field->offset, field->bytes);
    return value;
}

static void field_set(TcgCpu *cpu, const MsrField *field, uint64_t value)
{
    memcpy((char *)&cpu->x86 + field->offset, &value, field->bytes);
}

static const MsrField *field_find(uint32_t msr)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (fields[i].msr == msr) {
            return &fields[i];
        }
    }
    return NULL;
}

/* ---- MSRs that are an array element ---- */

/* The element `msr` names, and its check. */
static uint64_t *array_find(TcgCpu *cpu, uint32_t msr, MsrCheck *check)
{
    X86Cpu *x86 = &cpu->x86;

    *check = NULL;
    if (msr - MSR_MTRR_VAR < 2 * MTRR_VAR_COUNT) {
        return &x86->mtrr_var[(msr - MSR_MTRR_VAR) / 2][msr & 1];
    }
    if (msr - MSR_MC0_CTL < MC_BANKS * MC_REGS) {
        unsigned reg = (msr - MSR_MC0_CTL) % MC_REGS;

        *check = reg == 0 ? check_all_or_none : reg == 1 ? check_zero : NULL;
        return &x86->mc_banks[(msr - MSR_MC0_CTL) / MC_REGS][reg];
    }
    *check = check_mtrr_fixed;
    if (msr == MSR_MTRR_FIX64K) {
        return &x86->mtrr_fixed[0];
    }
    if (msr - MSR_MTRR_FIX16K < 2) {
        return &x86->mtrr_fixed[1 + (msr - MSR_MTRR_FIX16K)];
    }
    if (msr - MSR_MTRR_FIX4K < 8) {
        return &x86->mtrr_fixed[3 + (msr - MSR_MTRR_FIX4K)];
    }
    return NULL;
}

/* ---- MSRs that do something ---- */

static bool read_tsc(TcgCpu *cpu, uint64_t *value)
{
    *value = tcg_tsc(cpu);
    return true;
}

/* 17.17.3: moving the counter moves IA32_TSC_ADJUST by as much, and the other way round. */
static bool write_tsc(TcgCpu *cpu, uint64_t value)
{
    uint64_t offset = value - vm_clock_tsc(cpu->x86.vm);

    cpu->x86.tsc_adjust += offset - cpu->x86.tsc_offset;
    cpu->x86.tsc_offset = offset;
    return true;
}

static bool read_tsc_adjust(TcgCpu *cpu, uint64_t *value)
{
    *value = cpu->x86.tsc_adjust;
    return true;
}

static bool write_tsc_adjust(TcgCpu *cpu, uint64_t value)
{
    cpu->x86.tsc_offset += value - cpu->x86.tsc_adjust;
    cpu->x86.tsc_adjust = value;
    return true;
}

static bool read_apic_base(TcgCpu *cpu, uint64_t *value)
{
    const CpuIntc *intc = &cpu->x86.intc;

    if (intc->get_base == NULL) {
        return false;
    }
    *value = intc->get_base(intc->opaque);
    return true;
}

static bool write_apic_base(TcgCpu *cpu, uint64_t value)
{
    const CpuIntc *intc = &cpu->x86.intc;

    return intc->set_base != NULL && intc->set_base(intc->opaque, value);
}

static bool read_efer(TcgCpu *cpu, uint64_t *value)
{
    *value = cpu->x86.efer;
    return true;
}

/* SDM volume 3A 2.2.1. */
static bool write_efer(TcgCpu *cpu, uint64_t value)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t changed = x86->efer ^ value;

    if (value & ~x86_efer_bits(x86->model) || (changed & EFER_LME && x86->cr0 & CR0_PG)) {
        return false;
    }
    x86->efer = (value & ~(uint64_t)EFER_LMA) | (x86->efer & EFER_LMA);
    tcg_mode_changed(cpu);
    if (changed & EFER_NXE) {
        mmu_flush_all(cpu);
    }
    return true;
}

static bool read_mtrr_cap(TcgCpu *cpu, uint64_t *value)
{
    *value = MTRR_CAP;
    return true;
}

static bool is_intel(const TcgCpu *cpu)
{
    return cpu->x86.model != NULL && strcmp(cpu->x86.model->vendor, "GenuineIntel") == 0;
}

/* No microcode is modelled; guests want to see a plausible revision. */
static bool read_ucode_rev(TcgCpu *cpu, uint64_t *value)
{
    *value = is_intel(cpu) ? UINT64_C(1) << 32 : 0x01000065;
    return true;
}

static bool ignore_write(TcgCpu *cpu, uint64_t value)
{
    return true;
}

static bool has_spec_ctrl(const TcgCpu *cpu)
{
    const X86CpuModel *model = cpu->x86.model;

    return model != NULL && (model->features[FEAT_7_0_EDX] >> 26 & 1 ||
                             model->features[FEAT_8000_0008_EBX] >> 14 & 1);
}

static bool read_spec_ctrl(TcgCpu *cpu, uint64_t *value)
{
    *value = cpu->x86.spec_ctrl;
    return has_spec_ctrl(cpu);
}

static bool write_spec_ctrl(TcgCpu *cpu, uint64_t value)
{
    cpu->x86.spec_ctrl = value;
    return has_spec_ctrl(cpu) && value <= 7;
}

typedef struct MsrCall {
    uint32_t msr;
    bool (*read)(TcgCpu *cpu, uint64_t *value);         /* NULL or false: #GP */
    bool (*write)(TcgCpu *cpu, uint64_t value);
} MsrCall;

static const MsrCall calls[] = {
    { MSR_TSC, read_tsc, write_tsc },
    { MSR_APIC_BASE, read_apic_base, write_apic_base },
    { MSR_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust },
    { MSR_SPEC_CTRL, read_spec_ctrl, write_spec_ctrl },
    { MSR_UCODE_REV, read_ucode_rev, ignore_write },
    { MSR_MTRRCAP, read_mtrr_cap, NULL },
    { MSR_EFER, read_efer, write_efer },
};

static const MsrCall *call_find(uint32_t msr)
{
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (calls[i].msr == msr) {
            return &calls[i];
        }
    }
    return NULL;
}

/* ---- MSRs that exist and do nothing ---- */

/*
 * Configuration of a real processor's clocks, caches and buses that operating systems read or set
 * without looking whether it is there.  They read 0 and swallow writes, as hypervisors commonly
 * let them.
 */
static const uint32_t inert[] = {
    0x17,                               /* IA32_PLATFORM_ID */
    0x2a,                               /* MSR_EBL_CR_POWERON */
    0x34,                               /* MSR_SMI_COUNT */
    0x79,                               /* IA32_BIOS_UPDT_TRIG */
    0xc0010010,                         /* SYSCFG */
    0xc0010015,                         /* HWCR */
    0xc001001f,                         /* NB_CFG */
    0xc0010055,                         /* interrupt pending message */
    0xc0010058,                         /* MMIO configuration base */
    0xc0010112, 0xc0010113,             /* SMM TSeg address, mask */
    0xc0010114,                         /* VM_CR */
    0xc0010117,                         /* VM_HSAVE_PA */
    0xc0010140, 0xc0010141,             /* OS visible work-arounds: length, status */
    0xc0011020, 0xc0011022, 0xc0011023, /* load-store, data cache, bus unit configuration */
    0xc0011029, 0xc001102a,             /* decode, bus unit 2 configuration */
};

static bool is_inert(uint32_t msr)
{
    for (size_t i = 0; i < G_N_ELEMENTS(inert); i++) {
        if (inert[i] == msr) {
            return true;
        }
    }
    /* AMD's and P6's performance counters: APM volume 2 13.2.1. */
    return msr - 0xc0010000u < 8 || msr - 0x186 < 2 || msr - 0xc1 < 2;
}

static bool is_apic_msr(uint32_t msr)
{
    return msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST);
}

/* ---- RDMSR and WRMSR ---- */

static bool msr_read(TcgCpu *cpu, uint32_t msr, uint64_t *value)
{
    const CpuIntc *intc = &cpu->x86.intc;
    const MsrField *field = field_find(msr);
    const MsrCall *call = call_find(msr);
    MsrCheck check;
    uint64_t *element = array_find(cpu, msr, &check);

    if (field != NULL) {
        *value = field_get(cpu, field);
        return true;
    }
    if (call != NULL) {
        return call->read != NULL && call->read(cpu, value);
    }
    if (element != NULL) {
        *value = *element;
        return true;
    }
    if (is_apic_msr(msr)) {
        return intc->read_msr != NULL && intc->read_msr(intc->opaque, msr, value);
    }
    *value = 0;
    return is_inert(msr);
}

static bool msr_write(TcgCpu *cpu, uint32_t msr, uint64_t value)
{
    const CpuIntc *intc = &cpu->x86.intc;
    const MsrField *field = field_find(msr);
    const MsrCall *call = call_find(msr);
    MsrCheck check;
    uint64_t *element = array_find(cpu, msr, &check);

    if (field != NULL) {
        if (field->check != NULL && !field->check(cpu, value)) {
            return false;
        }
        field_set(cpu, field, value);
        return true;
    }
    if (call != NULL) {
        return call->write != NULL && call->write(cpu, value);
    }
    if (element != NULL) {
        if (check != NULL && !check(cpu, value)) {
            return false;
        }
        *element = value;
        return true;
    }
    if (is_apic_msr(msr)) {
        return intc->write_msr != NULL && intc->write_msr(intc->opaque, msr, value);
    }
    return is_inert(msr);
}

static uint32_t checked_number(TcgCpu *cpu, const UOp *u)
{
    if (x86_cpl(&cpu->x86) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    return (uint32_t)cpu->x86.gpr[R_RCX];
}

void tcg_rdmsr(TcgCpu *cpu, const UOp *u)
{
    uint32_t msr = checked_number(cpu, u);
    uint64_t value;

    if (!msr_read(cpu, msr, &value)) {
        log_guest("read of MSR %#x at %#" G_GINT64_MODIFIER "x\n", msr, tcg_insn_rip(cpu, u));
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    cpu->x86.gpr[R_RAX] = (uint32_t)value;
    cpu->x86.gpr[R_RDX] = value >> 32;
}

void tcg_wrmsr(TcgCpu *cpu, const UOp *u)
{
    uint32_t msr = checked_number(cpu, u);
    uint64_t value = (uint32_t)cpu->x86.gpr[R_RAX] | cpu->x86.gpr[R_RDX] << 32;

    if (!msr_write(cpu, msr, value)) {
        log_guest("write of %#" G_GINT64_MODIFIER "x to MSR %#x at %#" G_GINT64_MODIFIER "x\n",
                  value, msr, tcg_insn_rip(cpu, u));
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}
