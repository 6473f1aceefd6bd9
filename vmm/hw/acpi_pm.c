/*
 * ACPI fixed hardware.
 *
 * Sleep types follow what the board's \_S3, \_S4 and \_S5 objects name: 0 is soft off, 1 suspend to
 * RAM, s4_type suspend to disk, which for the machine is off as well.
 * Not modelled: bus master status, throttling, the global lock's SMI.
 */
#include "acpi_pm.h"

#include <string.h>

#include "vm_log.h"

enum { PM1_STS = 0, PM1_EN = 2 };

#define PM1_STS_ALL     (PM1_STS_TMR | PM1_STS_GBL | PM1_STS_PWRBTN | PM1_STS_RTC | PM1_STS_WAK)
#define PM1_EN_ALL      (PM1_STS_TMR | PM1_STS_GBL | PM1_STS_PWRBTN | PM1_STS_RTC)
#define PM1_CNT_SLP_EN  0x2000
#define PM1_CNT_SLP_TYP(cnt) ((cnt) >> 10 & 7)

enum { SLP_TYP_S5 = 0, SLP_TYP_S3 = 1 };

/* ---- the PM timer: 24 bits, TMR_STS whenever the top bit changes ---- */

static uint64_t pm_ticks(const AcpiPm *pm)
{
    return muldiv64(vm_clock_ns(pm->vm), ACPI_TIMER_HZ, NS_PER_SEC);
}

/* The instant of the next change of bit 23. */
static int64_t pm_next_overflow(const AcpiPm *pm)
{
    uint64_t tick = (pm_ticks(pm) | 0x7fffff) + 1;

    return muldiv64(tick, NS_PER_SEC, ACPI_TIMER_HZ) + 1;
}

static void pm_catch_overflow(AcpiPm *pm)
{
    if (vm_clock_ns(pm->vm) >= pm->overflow_ns) {
        pm->pm1_sts |= PM1_STS_TMR;
    }
}

/* ---- outputs ---- */

static void acpi_pm_update(AcpiPm *pm)
{
    bool level = pm->pm1_sts & pm->pm1_en & PM1_EN_ALL;
    bool wants_timer = pm->pm1_en & PM1_STS_TMR && !(pm->pm1_sts & PM1_STS_TMR);

    for (int i = 0; i < ACPI_GPE_BYTES; i++) {
        level |= pm->gpe_sts[i] & pm->gpe_en[i];
    }
    irq_set(&pm->sci, level && pm->pm1_cnt & PM1_CNT_SCI_EN);
    vm_timer_set(&pm->overflow, wants_timer ? pm->overflow_ns : VM_TIMER_OFF);
}

static void pm_overflow_fire(void *opaque)
{
    AcpiPm *pm = opaque;

    pm_catch_overflow(pm);
    acpi_pm_update(pm);
}

/* ---- PM1a event block ---- */

static uint64_t evt_read(void *opaque, uint64_t offset, unsigned size)
{
    AcpiPm *pm = opaque;

    pm_catch_overflow(pm);
    return offset == PM1_STS ? pm->pm1_sts : pm->pm1_en;
}

static void evt_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;

    if (offset == PM1_STS) {
        pm_catch_overflow(pm);
        if (pm->pm1_sts & value & PM1_STS_TMR) {
            pm->overflow_ns = pm_next_overflow(pm);
        }
        pm->pm1_sts &= ~value;
    } else {
        pm->pm1_en = value & PM1_EN_ALL;
    }
    acpi_pm_update(pm);
}

static const MemOps evt_ops = {
    .read = evt_read, .write = evt_write, .min_size = 2, .max_size = 2,
};

/* ---- PM1a control block ---- */

static void pm_sleep(AcpiPm *pm, unsigned type)
{
    if (type == SLP_TYP_S5) {
        vm_request_shutdown(pm->vm, SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else if (type == SLP_TYP_S3 && !pm->no_s3) {
        vm_request_suspend(pm->vm);
    } else if (type == pm->s4_type && !pm->no_s4) {
        vm_request_shutdown(pm->vm, SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else {
        log_guest("acpi: no sleep state has type %u\n", type);
    }
}

static uint64_t cnt_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((const AcpiPm *)opaque)->pm1_cnt;
}

static void cnt_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;

    /* SLP_EN is write-only (4.7.3.2.1). */
    pm->pm1_cnt = value & ~PM1_CNT_SLP_EN;
    if (value & PM1_CNT_SLP_EN) {
        pm_sleep(pm, PM1_CNT_SLP_TYP(value));
    }
    acpi_pm_update(pm);
}

static const MemOps cnt_ops = {
    .read = cnt_read, .write = cnt_write, .min_size = 2, .max_size = 2,
};

void acpi_pm_set_acpi_mode(AcpiPm *pm, bool on)
{
    pm->pm1_cnt = on ? pm->pm1_cnt | PM1_CNT_SCI_EN : pm->pm1_cnt & ~PM1_CNT_SCI_EN;
    acpi_pm_update(pm);
}

/* ---- PM timer ---- */

static uint64_t tmr_read(void *opaque, uint64_t offset, unsigned size)
{
    return pm_ticks(opaque) & 0xffffff;
}

static const MemOps tmr_ops = { .read = tmr_read, .min_size = 4, .max_size = 4, .unlocked = true };

/* ---- general purpose events ---- */

static uint64_t gpe_read(void *opaque, uint64_t offset, unsigned size)
{
    const AcpiPm *pm = opaque;

    return offset < ACPI_GPE_BYTES ? pm->gpe_sts[offset] : pm->gpe_en[offset - ACPI_GPE_BYTES];
}

static void gpe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;

    if (offset < ACPI_GPE_BYTES) {
        pm->gpe_sts[offset] &= ~value;
    } else {
        pm->gpe_en[offset - ACPI_GPE_BYTES] = value;
    }
    acpi_pm_update(pm);
}

static const MemOps gpe_ops = {
    .read = gpe_read, .write = gpe_write, .min_size = 1, .max_size = 1,
};

void acpi_pm_raise_gpe(AcpiPm *pm, unsigned n)
{
    g_assert(n < 8 * ACPI_GPE_BYTES);
    pm->gpe_sts[n / 8] |= 1u << (n % 8);
    acpi_pm_update(pm);
}

/* ---- what the machine tells us ---- */

static void pm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    AcpiPm *pm = opaque;

    switch (event->kind) {
    case VM_EVENT_POWERDOWN:
        pm->pm1_sts |= PM1_STS_PWRBTN;
        break;
    case VM_EVENT_WAKEUP:
        pm->pm1_sts |= PM1_STS_WAK | PM1_STS_PWRBTN;
        break;
    default:
        return;
    }
    acpi_pm_update(pm);
}

/* ---- state ---- */

static bool acpi_pm_loaded(void *opaque, GError **error)
{
    acpi_pm_update(opaque);
    return true;
}

static const StateField acpi_pm_fields[] = {
    STATE_UINT16(AcpiPm, pm1_sts),
    STATE_UINT16(AcpiPm, pm1_en),
    STATE_UINT16(AcpiPm, pm1_cnt),
    STATE_INT64(AcpiPm, overflow_ns, .range = { 0, INT64_MAX }),
    STATE_UINT8_ARRAY(AcpiPm, gpe_sts),
    STATE_UINT8_ARRAY(AcpiPm, gpe_en),
    {}
};

const StateDesc acpi_pm_state = {
    .name = "acpi_pm", .version = 1, .fields = acpi_pm_fields, .loaded = acpi_pm_loaded,
};

void acpi_pm_init(AcpiPm *pm, Vm *vm, Object *owner, IrqLine sci)
{
    pm->vm = vm;
    pm->sci = sci;
    mem_region_init_io(&pm->evt, owner, "acpi-evt", 4, &evt_ops, pm);
    mem_region_init_io(&pm->cnt, owner, "acpi-cnt", 2, &cnt_ops, pm);
    mem_region_init_io(&pm->tmr, owner, "acpi-tmr", 4, &tmr_ops, pm);
    mem_region_init_io(&pm->gpe, owner, "acpi-gpe0", 2 * ACPI_GPE_BYTES, &gpe_ops, pm);
    vm_timer_init(&pm->overflow, vm, pm_overflow_fire, pm);
    vm_subscribe(vm, pm_event, pm);
}

void acpi_pm_finish(AcpiPm *pm)
{
    if (!pm->vm) {
        return;
    }
    vm_unsubscribe(pm->vm, pm_event, pm);
    vm_timer_finish(&pm->overflow);
    mem_region_finish(&pm->gpe);
    mem_region_finish(&pm->tmr);
    mem_region_finish(&pm->cnt);
    mem_region_finish(&pm->evt);
    pm->vm = NULL;
}

void acpi_pm_reset(AcpiPm *pm)
{
    pm->pm1_sts = 0;
    pm->pm1_en = 0;
    pm->pm1_cnt = 0;
    memset(pm->gpe_sts, 0, sizeof(pm->gpe_sts));
    memset(pm->gpe_en, 0, sizeof(pm->gpe_en));
    pm->overflow_ns = pm_next_overflow(pm);
    acpi_pm_update(pm);
}
