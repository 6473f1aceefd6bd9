/*
 * The local APIC: acceptance and priorities, registers by page and by MSR, the CPU's side of it.
 *
 * Not modelled: moving the page from fee00000 (the base is kept, the page stays), CMCI, suppressing
 * EOI broadcasts.
 */
#include "apic_state.h"

#include <string.h>

#include "cpuid.h"
#include "lock.h"
#include "vm_core.h"

#define MSR_APIC_BASE       0x1b
#define MSR_TSC_DEADLINE    0x6e0
#define MSR_X2APIC_FIRST    0x800
#define MSR_X2APIC_LAST     0x8ff

#define X2APIC_BIT          21              /* CPUID leaf 1 ECX */
#define TSC_DEADLINE_BIT    24

#define SPURIOUS_RESET      0xffu
#define VERSION_LVT_SHIFT   16

/* Bits of each LVT row that can be written (figure 10-8). */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff, [LVT_ERROR] = 0x100ff,
};

/* ---- 256-bit registers ---- */

static void bits_set(uint32_t *bits, uint8_t n)
{
    bits[n >> 5] |= 1u << (n & 31);
}

static void bits_clear(uint32_t *bits, uint8_t n)
{
    bits[n >> 5] &= ~(1u << (n & 31));
}

static bool bits_test(const uint32_t *bits, uint8_t n)
{
    return bits[n >> 5] >> (n & 31) & 1;
}

static int bits_highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--) {
        if (bits[i] != 0) {
            return i * 32 + 31 - __builtin_clz(bits[i]);
        }
    }
    return -1;
}

/* ---- priorities and the CPU's pin ---- */

uint8_t apic_ppr(const Apic *apic)
{
    int served = bits_highest(apic->isr);
    uint8_t class = served >= 0 ? served & 0xf0 : 0;

    return (apic->tpr & 0xf0) >= class ? apic->tpr : class;
}

/* The vector to be delivered next, or -1. */
static int apic_next(const Apic *apic)
{
    int wanted = bits_highest(apic->irr);

    if (!apic_enabled(apic) || wanted < 0) {
        return -1;
    }
    return (wanted & 0xf0) > (apic_ppr(apic) & 0xf0) ? wanted : -1;
}

/*
 * The PIC reaches the CPU through LINT0 as ExtINT, or directly past an APIC that is off (10.4.3).
 */
static bool extint_pending(const Apic *apic)
{
    uint32_t lint0 = apic->lvt[LVT_LINT0];

    if (apic->extint) {
        return true;
    }
    if (!(apic->lint & 1)) {
        return false;
    }
    return !(apic->apicbase & APIC_BASE_EN) ||
           (!(lint0 & LVT_MASKED) && LVT_DELIVERY(lint0) == DELIVER_EXTINT);
}

void apic_update(Apic *apic)
{
    if (extint_pending(apic) || apic_next(apic) >= 0) {
        cpu_raise(apic->cpu, CPU_EVENT_INTR);
    } else {
        cpu_lower(apic->cpu, CPU_EVENT_INTR);
    }
}

void apic_request(Apic *apic, uint8_t vector, bool level)
{
    if (vector < 16) {
        apic_error(apic, ESR_RECEIVE_ILLEGAL);
        return;
    }
    bits_set(apic->irr, vector);
    if (level) {
        bits_set(apic->tmr, vector);
    } else {
        bits_clear(apic->tmr, vector);
    }
    apic_update(apic);
}

/* ---- local events ---- */

void apic_local(Apic *apic, unsigned row)
{
    uint32_t *lvt = &apic->lvt[row];
    bool level = *lvt & LVT_LEVEL && (row == LVT_LINT0 || row == LVT_LINT1);

    if (*lvt & LVT_MASKED || !(apic->apicbase & APIC_BASE_EN)) {
        return;
    }
    switch (LVT_DELIVERY(*lvt)) {
    case DELIVER_FIXED:
        if (level && *lvt & LVT_REMOTE_IRR) {
            return;
        }
        *lvt |= level ? LVT_REMOTE_IRR : 0;
        apic_request(apic, *lvt, level);
        break;
    case DELIVER_SMI:
        cpu_raise(apic->cpu, CPU_EVENT_SMI);
        break;
    case DELIVER_NMI:
        cpu_raise(apic->cpu, CPU_EVENT_NMI);
        break;
    case DELIVER_INIT:
        cpu_raise(apic->cpu, CPU_EVENT_INIT);
        break;
    }
}

void apic_error(Apic *apic, uint32_t error)
{
    bool first = !(apic->errors & error);
    uint32_t lvt = apic->lvt[LVT_ERROR];

    apic->errors |= error;
    /* An illegal vector in this row must not report itself for ever. */
    if (first && !(lvt & LVT_MASKED) && (lvt & 0xff) >= 16) {
        apic_local(apic, LVT_ERROR);
    }
}

static void lint_set(void *opaque, int pin, int level)
{
    Apic *apic = opaque;
    uint8_t bit = 1u << pin;
    bool rises = level && !(apic->lint & bit);

    apic->lint = level ? apic->lint | bit : apic->lint & ~bit;
    if (rises) {
        apic_local(apic, LVT_LINT0 + pin);
    }
    apic_update(apic);
}

/* ---- EOI ---- */

static void lint_eoi(Apic *apic, uint8_t vector)
{
    for (unsigned pin = 0; pin < 2; pin++) {
        uint32_t *lvt = &apic->lvt[LVT_LINT0 + pin];

        if (*lvt & LVT_REMOTE_IRR && (uint8_t)*lvt == vector) {
            *lvt &= ~LVT_REMOTE_IRR;
            if (apic->lint >> pin & 1) {
                apic_local(apic, LVT_LINT0 + pin);
            }
        }
    }
}

static void apic_eoi(Apic *apic)
{
    Vm *vm = apic->dev.vm;
    int vector = bits_highest(apic->isr);

    if (vector < 0) {
        return;
    }
    bits_clear(apic->isr, vector);
    if (bits_test(apic->tmr, vector)) {
        lint_eoi(apic, vector);
        if (vm->ioapic_eoi != NULL) {
            vm->ioapic_eoi(vm, vector);
        }
    }
    apic_update(apic);
}

/* ---- registers, the same for page and MSRs unless a line says so ---- */

static uint32_t ldr_read(const Apic *apic)
{
    uint32_t id = apic->cpu->apic_id;

    return apic_x2(apic) ? (id >> 4) << 16 | 1u << (id & 15) : (uint32_t)apic->log_dest << 24;
}

static bool register_read(Apic *apic, unsigned reg, uint32_t *value)
{
    switch (reg) {
    case APIC_ID:
        *value = apic_x2(apic) ? apic->cpu->apic_id : (uint32_t)apic->id << 24;
        return true;
    case APIC_VERSION:
        *value = apic->version | (LVT_COUNT - 1) << VERSION_LVT_SHIFT;
        return true;
    case APIC_TPR:
        *value = apic->tpr;
        return true;
    case APIC_APR:
        *value = apic->arb_id;
        return !apic_x2(apic);
    case APIC_PPR:
        *value = apic_ppr(apic);
        return true;
    case APIC_LDR:
        *value = ldr_read(apic);
        return true;
    case APIC_DFR:
        *value = (uint32_t)apic->dest_mode << 28 | 0x0fffffff;
        return !apic_x2(apic);
    case APIC_SVR:
        *value = apic->spurious_vec;
        return true;
    case APIC_ISR ... APIC_ISR + 7:
        *value = apic->isr[reg - APIC_ISR];
        return true;
    case APIC_TMR ... APIC_TMR + 7:
        *value = apic->tmr[reg - APIC_TMR];
        return true;
    case APIC_IRR ... APIC_IRR + 7:
        *value = apic->irr[reg - APIC_IRR];
        return true;
    case APIC_ESR:
        *value = apic->esr;
        return true;
    case APIC_ICR:
    case APIC_ICR2:
        *value = apic->icr[reg - APIC_ICR];
        return true;
    case APIC_LVT ... APIC_LVT + LVT_COUNT - 1:
        *value = apic->lvt[reg - APIC_LVT];
        return true;
    case APIC_TIMER_INITIAL:
        *value = apic->initial_count;
        return true;
    case APIC_TIMER_CURRENT:
        *value = apic_timer_current(apic);
        return true;
    case APIC_TIMER_DIVIDE:
        *value = apic->divide_conf;
        return true;
    }
    return false;
}

static void lvt_write(Apic *apic, unsigned row, uint32_t value)
{
    uint32_t kept = apic->lvt[row] & LVT_REMOTE_IRR;

    value &= lvt_writable[row];
    if (!(apic->spurious_vec & SVR_ENABLED)) {
        value |= LVT_MASKED;                    /* 10.4.7.2 */
    }
    if (row == LVT_TIMER) {
        apic_timer_set_lvt(apic, value);
        return;
    }
    apic->lvt[row] = value | (value & LVT_LEVEL ? kept : 0);
    if ((row == LVT_LINT0 || row == LVT_LINT1) && value & LVT_LEVEL &&
        apic->lint >> (row - LVT_LINT0) & 1) {
        apic_local(apic, row);
    }
    apic_update(apic);
}

static void svr_write(Apic *apic, uint32_t value)
{
    apic->spurious_vec = value & 0x3ff;
    if (!(value & SVR_ENABLED)) {
        for (unsigned row = 0; row < LVT_COUNT; row++) {
            lvt_write(apic, row, apic->lvt[row]);
        }
    }
    apic_update(apic);
}

static void icr_write(Apic *apic, uint32_t value)
{
    apic->icr[0] = value & 0x000ccfff;
    apic_send_ipi(apic);
}

/* False: no such register to write. */
static bool register_write(Apic *apic, unsigned reg, uint32_t value)
{
    switch (reg) {
    case APIC_TPR:
        apic->tpr = value;
        apic_update(apic);
        return true;
    case APIC_EOI:
        apic_eoi(apic);
        return true;
    case APIC_SVR:
        svr_write(apic, value);
        return true;
    case APIC_ESR:
        apic->esr = apic->errors;               /* 10.5.3: a write latches what was gathered */
        apic->errors = 0;
        return true;
    case APIC_ICR:
        icr_write(apic, value);
        return true;
    case APIC_LVT ... APIC_LVT + LVT_COUNT - 1:
        lvt_write(apic, reg - APIC_LVT, value);
        return true;
    case APIC_TIMER_INITIAL:
        apic_timer_set_initial(apic, value);
        return true;
    case APIC_TIMER_DIVIDE:
        apic_timer_set_divide(apic, value);
        return true;
    }
    return false;
}

/* ---- the page: xAPIC mode ---- */

/* Registers that MSRs do not have, or have read-only. */
static bool page_only_write(Apic *apic, unsigned reg, uint32_t value)
{
    switch (reg) {
    case APIC_ID:
        apic->id = value >> 24;
        return true;
    case APIC_LDR:
        apic->log_dest = value >> 24;
        return true;
    case APIC_DFR:
        apic->dest_mode = value >> 28;
        return true;
    case APIC_ICR2:
        apic->icr[1] = value;
        return true;
    }
    return false;
}

/* The APIC whose page this thread sees, or NULL. */
static Apic *page_owner(const Apic *any)
{
    const Vm *vm = any->dev.vm;
    const X86Cpu *cpu = vm->current_cpu != NULL ? vm->current_cpu() : NULL;
    Apic *apic = cpu != NULL && cpu->apic != NULL ? DEVICE_CAST(cpu->apic, Apic) : NULL;

    return apic != NULL && apic->apicbase & APIC_BASE_EN && !apic_x2(apic) ? apic : NULL;
}

static uint64_t page_read(void *opaque, uint64_t offset, unsigned size)
{
    Apic *apic = offset < 0x1000 ? page_owner(opaque) : NULL;
    uint32_t value;

    if (apic == NULL || offset & 0xf || size != 4) {
        return 0;
    }
    if (!register_read(apic, offset >> 4, &value)) {
        apic_error(apic, ESR_REGISTER);
        return 0;
    }
    return value;
}

static void page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const Apic *any = opaque;
    Apic *apic = offset < 0x1000 ? page_owner(any) : NULL;
    unsigned reg = offset >> 4;

    if (size != 4) {
        return;
    }
    if (apic == NULL) {
        apic_msi(any->dev.vm, APIC_BASE_DEFAULT + offset, value);
    } else if ((offset & 0xf) == 0 && !register_write(apic, reg, value) &&
               !page_only_write(apic, reg, value)) {
        apic_error(apic, ESR_REGISTER);
    }
}

static const MemOps page_ops = {
    .read = page_read, .write = page_write, .min_size = 1, .max_size = 4,
};

/* ---- MSRs: x2APIC mode ---- */

static bool x2apic_read(Apic *apic, unsigned reg, uint64_t *value)
{
    uint32_t low;

    if (!apic_x2(apic) || reg == APIC_ICR2 || !register_read(apic, reg, &low)) {
        return false;
    }
    *value = low | (reg == APIC_ICR ? (uint64_t)apic->icr[1] << 32 : 0);
    return true;
}

/* Bits that fault when set (10.12.1.2). */
static uint64_t x2apic_reserved(unsigned reg)
{
    switch (reg) {
    case APIC_TPR:
    case APIC_SELF_IPI:
        return ~UINT64_C(0xff);
    case APIC_EOI:
    case APIC_ESR:
        return UINT64_MAX;
    case APIC_SVR:
        return ~UINT64_C(0x3ff);
    case APIC_ICR:
        return UINT64_C(0xfff32000);
    case APIC_LVT ... APIC_LVT + LVT_COUNT - 1:
        return ~(uint64_t)(lvt_writable[reg - APIC_LVT] | LVT_PENDING | LVT_REMOTE_IRR);
    case APIC_TIMER_DIVIDE:
        return ~UINT64_C(0xb);
    }
    return ~UINT64_C(0xffffffff);
}

static bool x2apic_write(Apic *apic, unsigned reg, uint64_t value)
{
    if (!apic_x2(apic) || value & x2apic_reserved(reg)) {
        return false;
    }
    if (reg == APIC_SELF_IPI) {
        apic_request(apic, value, false);
        return true;
    }
    if (reg == APIC_ICR) {
        apic->icr[1] = value >> 32;
    }
    return register_write(apic, reg, value);
}

static bool msr_read(Apic *apic, uint32_t msr, uint64_t *value)
{
    if (msr == MSR_TSC_DEADLINE) {
        *value = apic->tsc_deadline;
        return x86_cpu_has(apic->cpu->model, FEAT_1_ECX, TSC_DEADLINE_BIT);
    }
    return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST &&
           x2apic_read(apic, msr - MSR_X2APIC_FIRST, value);
}

static bool msr_write(Apic *apic, uint32_t msr, uint64_t value)
{
    if (msr == MSR_TSC_DEADLINE) {
        apic_timer_set_deadline(apic, value);
        return x86_cpu_has(apic->cpu->model, FEAT_1_ECX, TSC_DEADLINE_BIT);
    }
    return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST &&
           x2apic_write(apic, msr - MSR_X2APIC_FIRST, value);
}

/* ---- reset ---- */

/* INIT keeps the base and the ID (10.4.7.3). */
static void apic_init(Apic *apic)
{
    apic->arb_id = 0;
    apic->tpr = 0;
    apic->spurious_vec = SPURIOUS_RESET;
    apic->log_dest = 0;
    apic->dest_mode = DFR_FLAT;
    memset(apic->isr, 0, sizeof(apic->isr));
    memset(apic->tmr, 0, sizeof(apic->tmr));
    memset(apic->irr, 0, sizeof(apic->irr));
    for (unsigned row = 0; row < LVT_COUNT; row++) {
        apic->lvt[row] = LVT_MASKED;
    }
    apic->esr = apic->errors = 0;
    apic->icr[0] = apic->icr[1] = 0;
    apic->extint = 0;
    apic_timer_reset(apic);
    apic_update(apic);
}

static void apic_power_on(Apic *apic)
{
    apic->apicbase = APIC_BASE_DEFAULT | APIC_BASE_EN | (apic->cpu->is_bsp ? APIC_BASE_BSP : 0);
    apic->id = apic->initial_id;
    apic_init(apic);
}

void apic_virtual_wire(Device *dev)
{
    Apic *apic = DEVICE_CAST(dev, Apic);

    svr_write(apic, SPURIOUS_RESET | SVR_ENABLED);
    lvt_write(apic, LVT_LINT0, DELIVER_EXTINT << 8);
    lvt_write(apic, LVT_LINT1, DELIVER_NMI << 8);
}

/* ---- the CPU's side ---- */

static bool base_allowed(const Apic *apic, uint64_t value)
{
    uint32_t known = APIC_BASE_ADDRESS | APIC_BASE_BSP | APIC_BASE_EN;
    bool x2 = value & APIC_BASE_EXTD, on = value & APIC_BASE_EN;

    if (x86_cpu_has(apic->cpu->model, FEAT_1_ECX, X2APIC_BIT)) {
        known |= APIC_BASE_EXTD;
    }
    if (value & ~(uint64_t)known || (x2 && !on)) {
        return false;
    }
    /* Figure 10-27: into x2APIC mode only from xAPIC mode, out of it only by switching off. */
    if (x2 && !apic_x2(apic)) {
        return apic->apicbase & APIC_BASE_EN;
    }
    return x2 || !apic_x2(apic) || !on;
}

static bool base_write(Apic *apic, uint64_t value)
{
    uint32_t old = apic->apicbase;

    if (!base_allowed(apic, value)) {
        return false;
    }
    apic->apicbase = value;
    if (old & APIC_BASE_EN && !(value & APIC_BASE_EN)) {
        apic->id = apic->initial_id;
        apic_init(apic);                        /* 10.4.3: what it knew is gone */
    }
    apic_update(apic);
    return true;
}

static int apic_acknowledge(Apic *apic)
{
    Vm *vm = apic->dev.vm;
    int vector = apic_next(apic);

    if (vector >= 0) {
        bits_clear(apic->irr, vector);
        bits_set(apic->isr, vector);
        if (!bits_test(apic->tmr, vector) && vm->ioapic_taken != NULL) {
            vm->ioapic_taken(vm, vector);
        }
    } else if (extint_pending(apic)) {
        apic->extint = 0;
        vector = vm->pic_acknowledge != NULL ? vm->pic_acknowledge(vm) : -1;
    }
    apic_update(apic);
    return vector;
}

/* The engine calls these on the vCPU's thread; each takes the lock around what it wraps. */

static int intc_acknowledge(void *opaque)
{
    bool taken = machine_lock_enter();
    int vector = apic_acknowledge(opaque);

    machine_lock_leave(taken);
    return vector;
}

static uint8_t intc_get_tpr(void *opaque)
{
    return __atomic_load_n(&((Apic *)opaque)->tpr, __ATOMIC_RELAXED) >> 4;
}

static void intc_set_tpr(void *opaque, uint8_t tpr)
{
    bool taken = machine_lock_enter();

    register_write(opaque, APIC_TPR, (uint32_t)(tpr & 0xf) << 4);
    machine_lock_leave(taken);
}

static uint64_t intc_get_base(void *opaque)
{
    return __atomic_load_n(&((Apic *)opaque)->apicbase, __ATOMIC_RELAXED);
}

static bool intc_set_base(void *opaque, uint64_t value)
{
    bool taken = machine_lock_enter();
    bool ok = base_write(opaque, value);

    machine_lock_leave(taken);
    return ok;
}

static bool intc_read_msr(void *opaque, uint32_t msr, uint64_t *value)
{
    bool taken = machine_lock_enter();
    bool ok = msr_read(opaque, msr, value);

    machine_lock_leave(taken);
    return ok;
}

static bool intc_write_msr(void *opaque, uint32_t msr, uint64_t value)
{
    bool taken = machine_lock_enter();
    bool ok = msr_write(opaque, msr, value);

    machine_lock_leave(taken);
    return ok;
}

static void intc_reset(void *opaque, bool init)
{
    bool taken = machine_lock_enter();

    if (init) {
        apic_init(opaque);
    } else {
        apic_power_on(opaque);
    }
    machine_lock_leave(taken);
}

static const CpuIntc apic_intc = {
    .acknowledge = intc_acknowledge, .get_tpr = intc_get_tpr, .set_tpr = intc_set_tpr,
    .get_base = intc_get_base, .set_base = intc_set_base, .read_msr = intc_read_msr,
    .write_msr = intc_write_msr, .reset = intc_reset,
};

/* ---- state ---- */

static bool apic_loaded(void *opaque, GError **error)
{
    apic_timer_update(opaque);
    apic_update(opaque);
    return true;
}

static bool extra_needed(const void *opaque)
{
    const Apic *apic = opaque;

    return apic->errors != 0 || apic->tsc_deadline != 0 || apic->lint != 0 || apic->extint;
}

static const StateField extra_fields[] = {
    STATE_UINT32(Apic, errors),
    STATE_UINT64(Apic, tsc_deadline),
    STATE_UINT8(Apic, lint, .range = { 0, 3 }),
    STATE_UINT8(Apic, extint, .range = { 0, 1 }),
    {}
};
static const StateDesc extra_state = {
    .name = "apic/pending", .version = 1, .fields = extra_fields, .needed = extra_needed,
};
static const StateDesc *const apic_subsections[] = { &extra_state, NULL };

static const StateField apic_fields[] = {
    STATE_UINT32(Apic, apicbase),
    STATE_UINT8(Apic, id),
    STATE_UINT8(Apic, arb_id),
    STATE_UINT8(Apic, tpr),
    STATE_UINT32(Apic, spurious_vec, .range = { 0, 0x3ff }),
    STATE_UINT8(Apic, log_dest),
    STATE_UINT8(Apic, dest_mode, .range = { 0, 15 }),
    STATE_UINT32_ARRAY(Apic, isr),
    STATE_UINT32_ARRAY(Apic, tmr),
    STATE_UINT32_ARRAY(Apic, irr),
    STATE_UINT32_ARRAY(Apic, lvt),
    STATE_UINT32(Apic, esr),
    STATE_UINT32_ARRAY(Apic, icr),
    STATE_UINT32(Apic, divide_conf, .range = { 0, 0x0b }),
    STATE_UINT32(Apic, initial_count),
    STATE_INT64(Apic, initial_count_load_time, .range = { -(INT64_C(1) << 40), INT64_MAX / 2 }),
    STATE_INT64(Apic, next_time, .range = { VM_TIMER_OFF, INT64_MAX / 2 }),
    {}
};
static const StateDesc apic_state = {
    .name = "apic", .version = 4, .fields = apic_fields, .subsections = apic_subsections,
    .loaded = apic_loaded,
};

static const Property apic_props[] = {
    PROP_UINT32(Apic, initial_id, .name = "id", .help = "APIC ID"),
    PROP_UINT8(Apic, version, .name = "version", .def = 0x14, .help = "version register"),
    PROP_BOOL(Apic, vapic, .name = "vapic", .def = true, .help = "kept for compatibility"),
    {}
};

/* ---- life ---- */

static const BusType cpu_bus_type = { .name = "CPU" };

static void apic_view(Device *dev, DeviceView view, GString *out)
{
    if (view == VIEW_LAPIC) {
        apic_print(DEVICE_CAST(dev, const Apic), out);
    }
}

static bool apic_realize(Device *dev, GError **error)
{
    Apic *apic = DEVICE_CAST(dev, Apic);
    X86Cpu *cpu = apic->cpu;

    apic_timer_init(apic);
    cpu->apic = dev;
    cpu->intc = apic_intc;
    cpu->intc.opaque = apic;
    if (dev->vm->msi_send == NULL) {
        mem_region_init_io(&apic->io, &dev->obj, "apic-msi", 0x100000, &page_ops, apic);
        mem_region_add_priority(&dev->vm->system_memory, APIC_BASE_DEFAULT, &apic->io, 0x1000);
        dev->vm->msi_send = apic_msi;
    }
    apic_power_on(apic);
    return true;
}

static void apic_unrealize(Device *dev)
{
    Apic *apic = DEVICE_CAST(dev, Apic);

    if (apic->io.name != NULL) {
        mem_region_finish(&apic->io);
        dev->vm->msi_send = NULL;
    }
    vm_timer_finish(&apic->timer);
    apic->cpu->apic = NULL;
    apic->cpu->intc = (CpuIntc){ 0 };
}

static void apic_reset(Device *dev)
{
    apic_power_on(DEVICE_CAST(dev, Apic));
}

Device *apic_new(Vm *vm, X86Cpu *cpu, GError **error)
{
    Device *dev = device_new(vm, &apic_type, NULL);
    Apic *apic = DEVICE_CAST(dev, Apic);
    Bus *bus = bus_new(NULL, &cpu_bus_type, "apic");

    apic->cpu = cpu;
    apic->initial_id = cpu->apic_id;
    if (cpu->obj.parent != NULL) {
        object_add_child(&cpu->obj, "lapic", &dev->obj);
    }
    return device_realize(dev, bus, error) ? dev : NULL;
}

IrqLine apic_lint(Device *dev, unsigned pin)
{
    g_assert(pin < 2);
    return (IrqLine){ lint_set, dev, (int)pin };
}

const DeviceType apic_type = {
    .name = "apic", .help = "local APIC",
    .bus = &cpu_bus_type, .size = sizeof(Apic), .props = apic_props, .state = &apic_state,
    .board_only = true, .realize = apic_realize, .unrealize = apic_unrealize, .reset = apic_reset,
    .view = apic_view,
};
