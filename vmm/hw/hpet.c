/*
 * High precision event timer (IA-PC HPET specification 1.0a): a 64-bit counter at 100 MHz and its
 * comparators, one-shot or periodic.
 * Not modelled: interrupts by message (front side bus delivery), which the capability bits deny.
 */
#include "hpet.h"

#include <inttypes.h>

#include "rhea_error.h"
#include "tick_debt.h"

/* ---- registers (2.3) ---- */
#define HPET_ID             0x000
#define HPET_PERIOD         0x004
#define HPET_CONFIG         0x010
#define HPET_STATUS         0x020
#define HPET_COUNTER        0x0f0
#define HPET_TIMERS         0x100
#define HPET_TIMER_STRIDE   0x020
#define HPET_TN_CONFIG      0x00
#define HPET_TN_CMP         0x08
#define HPET_SIZE           0x400

#define HPET_CONFIG_ENABLE  0x001
#define HPET_CONFIG_LEGACY  0x002

#define TN_LEVEL            0x0002
#define TN_ENABLE           0x0004
#define TN_PERIODIC         0x0008
#define TN_PERIODIC_CAP     0x0010
#define TN_SIZE_CAP         0x0020
#define TN_SETVAL           0x0040
#define TN_32BIT            0x0100
#define TN_ROUTE_SHIFT      9
#define TN_ROUTE_MASK       0x3e00
#define TN_WRITABLE         (TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SETVAL | TN_32BIT | \
                             TN_ROUTE_MASK)

#define HPET_TICK_NS        10
#define HPET_VENDOR         0x8086u
#define HPET_MAX_TIMERS     32
#define HPET_MIN_TIMERS     3

typedef struct HpetTimer {
    struct Hpet *hpet;
    VmTimer timer;
    TickDebt debt;                      /* the host's, not the guest's: forgotten when saved */
    uint8_t index;
    /* guest-visible state */
    uint64_t config, cmp, period;
} HpetTimer;

typedef struct Hpet {
    Device dev;
    /* configuration */
    uint8_t n_timers;
    uint32_t intcap;
    bool msi, offset_saved;
    /* wiring */
    MemRegion io;
    Device *pit;
    HpetMuteFn mute;
    uint32_t asserted;                  /* bit n: timer n holds its line */
    /* guest-visible state */
    HpetTimer timers[HPET_MAX_TIMERS];
    uint64_t config, status, counter;   /* counter: its value at start_ns, or while stopped */
    int64_t start_ns;                   /* since when it has been running */
    int pit_level, rtc_level;           /* what the legacy devices drive */
} Hpet;

/* ---- counter ---- */

static bool running(const Hpet *hpet)
{
    return (hpet->config & HPET_CONFIG_ENABLE) != 0;
}

static bool legacy(const Hpet *hpet)
{
    return (hpet->config & HPET_CONFIG_LEGACY) != 0;
}

static uint64_t ticks_since_start(const Hpet *hpet)
{
    int64_t passed_ns = vm_clock_ns(hpet->dev.vm) - hpet->start_ns;

    return running(hpet) && passed_ns > 0 ? (uint64_t)passed_ns / HPET_TICK_NS : 0;
}

static uint64_t counter_now(const Hpet *hpet)
{
    return hpet->counter + ticks_since_start(hpet);
}

static uint64_t width_mask(const HpetTimer *t)
{
    return t->config & TN_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* ---- interrupts: with legacy replacement as those of the PIT and the RTC, 2.4.2 ---- */

static unsigned timer_gsi(const HpetTimer *t)
{
    if (legacy(t->hpet) && t->index < 2) {
        return t->index == 0 ? 0 : 8;
    }
    return (t->config & TN_ROUTE_MASK) >> TN_ROUTE_SHIFT;
}

static void drive_gsi(Hpet *hpet, unsigned gsi, int level)
{
    if (hpet->dev.vm->gsi != NULL && gsi < hpet->dev.vm->n_gsi) {
        irq_set(&hpet->dev.vm->gsi[gsi], level);
    }
}

static void timer_update_irq(HpetTimer *t)
{
    Hpet *hpet = t->hpet;
    bool active = (hpet->status >> t->index & 1) && running(hpet) && (t->config & TN_ENABLE) &&
                  (t->config & TN_LEVEL);
    bool was = (hpet->asserted >> t->index & 1) != 0;

    if (active != was) {
        hpet->asserted ^= 1u << t->index;
        drive_gsi(hpet, timer_gsi(t), active);
    }
}

static void send_edge(const HpetTimer *t)
{
    drive_gsi(t->hpet, timer_gsi(t), 1);
    drive_gsi(t->hpet, timer_gsi(t), 0);
}

/* Its ticks are edges, and few enough to make up for. */
static bool sends_ticks(const HpetTimer *t)
{
    return (t->config & (TN_LEVEL | TN_ENABLE | TN_PERIODIC)) == (TN_ENABLE | TN_PERIODIC) &&
           t->period >= TICK_DEBT_MIN_PERIOD_NS / HPET_TICK_NS && running(t->hpet);
}

/* The counter met the comparator, `times` times since this was called last. */
static void timer_interrupt(HpetTimer *t, uint64_t times)
{
    Hpet *hpet = t->hpet;

    if (t->config & TN_LEVEL) {
        hpet->status |= UINT64_C(1) << t->index;
        timer_update_irq(t);
    } else if (t->config & TN_ENABLE) {
        if (sends_ticks(t)) {
            tick_debt_add(&t->debt, hpet->dev.vm, timer_gsi(t), times);
        }
        send_edge(t);
    }
}

/* ---- comparators ---- */

/* Ticks until the counter equals the comparator: a full turn if it does now. */
static uint64_t ticks_left(const HpetTimer *t)
{
    uint64_t left = (t->cmp - counter_now(t->hpet)) & width_mask(t);

    return left != 0 ? left : width_mask(t);
}

static void timer_arm(HpetTimer *t)
{
    Hpet *hpet = t->hpet;
    int64_t now_ns = vm_clock_ns(hpet->dev.vm), at_ns;
    uint64_t passed = ticks_since_start(hpet);
    uint64_t limit = (INT64_MAX - now_ns) / HPET_TICK_NS / 2;

    if (!running(hpet)) {
        vm_timer_set(&t->timer, VM_TIMER_OFF);
        return;
    }
    at_ns = hpet->start_ns + (int64_t)(passed + MIN(ticks_left(t), limit)) * HPET_TICK_NS;
    if (t->config & TN_PERIODIC && t->period < VM_TIMER_MIN_PERIOD_NS / HPET_TICK_NS) {
        at_ns = MAX(at_ns, now_ns + VM_TIMER_MIN_PERIOD_NS);
    }
    vm_timer_set(&t->timer, at_ns);
}

/* Has the counter passed the comparator?  Half the range counts as past. */
static bool passed(const HpetTimer *t, uint64_t now)
{
    return ((now - t->cmp) & width_mask(t)) <= width_mask(t) / 2;
}

static void timer_fire(void *opaque)
{
    HpetTimer *t = opaque;
    uint64_t now = counter_now(t->hpet), times = 1;

    if (!passed(t, now)) {
        timer_arm(t);
        return;
    }
    if ((t->config & TN_PERIODIC) && t->period != 0) {
        times += ((now - t->cmp) & width_mask(t)) / t->period;
        t->cmp = (t->cmp + times * t->period) & width_mask(t);
    }
    timer_arm(t);
    timer_interrupt(t, times);
}

static void timer_taken(HpetTimer *t)
{
    bool next = tick_debt_next(&t->debt);

    if (passed(t, counter_now(t->hpet))) {
        timer_fire(t);                                  /* its own call is late too */
    } else if (next) {
        send_edge(t);
    }
}

void hpet_line_taken(Device *dev, unsigned gsi)
{
    Hpet *hpet = DEVICE_CAST(dev, Hpet);

    for (unsigned i = 0; i < hpet->n_timers; i++) {
        if (sends_ticks(&hpet->timers[i]) && timer_gsi(&hpet->timers[i]) == gsi) {
            timer_taken(&hpet->timers[i]);
        }
    }
}

/* ---- register access: 64 bits, or either half ---- */

static void set_bits(uint64_t *reg, uint64_t value, uint64_t mask)
{
    *reg = (*reg & ~mask) | (value & mask);
}

static uint64_t capabilities(const Hpet *hpet)
{
    return (uint64_t)(HPET_TICK_NS * 1000000) << 32 | HPET_VENDOR << 16 | 0x8000 | 0x2000 |
           (hpet->n_timers - 1) << 8 | 0x01;            /* legacy capable, 64 bits, revision 1 */
}

static uint64_t timer_read(HpetTimer *t, unsigned reg)
{
    uint64_t caps = TN_PERIODIC_CAP | TN_SIZE_CAP | (uint64_t)t->hpet->intcap << 32;

    switch (reg) {
    case HPET_TN_CONFIG: return t->config | caps;
    case HPET_TN_CMP:    return t->cmp;
    default:             return 0;
    }
}

static uint64_t hpet_read(void *opaque, uint64_t offset, unsigned size)
{
    Hpet *hpet = opaque;
    uint64_t reg = offset & ~UINT64_C(7), value = 0;
    unsigned n = (reg - HPET_TIMERS) / HPET_TIMER_STRIDE;

    if (reg >= HPET_TIMERS) {
        value = n < hpet->n_timers
                    ? timer_read(&hpet->timers[n], reg & (HPET_TIMER_STRIDE - 1)) : 0;
    } else if (reg == HPET_ID) {
        value = capabilities(hpet);
    } else if (reg == HPET_CONFIG) {
        value = hpet->config;
    } else if (reg == HPET_STATUS) {
        value = hpet->status;
    } else if (reg == HPET_COUNTER) {
        value = counter_now(hpet);
    }
    return value >> (8 * (offset & 4));
}

static void write_config(HpetTimer *t, uint32_t value)
{
    uint32_t route = (value & TN_ROUTE_MASK) >> TN_ROUTE_SHIFT;
    uint64_t old = t->config;

    if (!(t->hpet->intcap >> route & 1)) {
        value = (value & ~TN_ROUTE_MASK) | (old & TN_ROUTE_MASK);   /* a line it cannot drive */
    }
    if (t->hpet->asserted >> t->index & 1) {
        drive_gsi(t->hpet, timer_gsi(t), 0);
        t->hpet->asserted &= ~(1u << t->index);
    }
    t->config = value & TN_WRITABLE;
    t->debt = (TickDebt){ 0 };
    if (t->config & TN_32BIT) {
        t->cmp &= UINT32_MAX;
        t->period &= UINT32_MAX;
    }
    if (!(t->config & TN_LEVEL)) {
        t->hpet->status &= ~(UINT64_C(1) << t->index);
    }
    timer_update_irq(t);
    timer_arm(t);
}

/*
 * Of a periodic timer a write sets the period, and with SETVAL before it the comparator itself too;
 * SETVAL clears with the write (2.3.9.2.2).
 */
static void write_cmp(HpetTimer *t, uint64_t value, uint64_t mask)
{
    bool periodic = (t->config & TN_PERIODIC) != 0;

    mask &= width_mask(t);
    if (!periodic || (t->config & TN_SETVAL)) {
        set_bits(&t->cmp, value, mask);
    }
    if (periodic) {
        set_bits(&t->period, value, mask);
        t->debt = (TickDebt){ 0 };
    }
    if (mask & 1) {
        t->config &= ~(uint64_t)TN_SETVAL;
    }
    timer_arm(t);
}

static void arm_all(Hpet *hpet)
{
    for (unsigned i = 0; i < hpet->n_timers; i++) {
        timer_arm(&hpet->timers[i]);
        timer_update_irq(&hpet->timers[i]);
    }
}

static void forget_debts(Hpet *hpet)
{
    for (unsigned i = 0; i < hpet->n_timers; i++) {
        hpet->timers[i].debt = (TickDebt){ 0 };
    }
}

static void set_config(Hpet *hpet, uint32_t value)
{
    uint64_t now = counter_now(hpet);
    bool was_legacy = legacy(hpet);

    hpet->config = value & (HPET_CONFIG_ENABLE | HPET_CONFIG_LEGACY);
    hpet->counter = now;
    hpet->start_ns = vm_clock_ns(hpet->dev.vm);
    forget_debts(hpet);
    if (was_legacy != legacy(hpet)) {
        if (hpet->pit != NULL) {
            hpet->mute(hpet->pit, legacy(hpet));
        }
        drive_gsi(hpet, 0, legacy(hpet) ? 0 : hpet->pit_level);
        drive_gsi(hpet, 8, legacy(hpet) ? 0 : hpet->rtc_level);
    }
    arm_all(hpet);
}

static void hpet_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Hpet *hpet = opaque;
    uint64_t reg = offset & ~UINT64_C(7), mask = size == 8 ? UINT64_MAX : UINT32_MAX;
    bool low = (offset & 4) == 0;
    unsigned n = (reg - HPET_TIMERS) / HPET_TIMER_STRIDE;

    if (!low) {
        value <<= 32;
        mask <<= 32;
    }
    if (reg >= HPET_TIMERS && n < hpet->n_timers) {
        if ((reg & (HPET_TIMER_STRIDE - 1)) == HPET_TN_CMP) {
            write_cmp(&hpet->timers[n], value, mask);
        } else if ((reg & (HPET_TIMER_STRIDE - 1)) == HPET_TN_CONFIG && low) {
            write_config(&hpet->timers[n], value);
        }
    } else if (reg == HPET_CONFIG && low) {
        set_config(hpet, value);
    } else if (reg == HPET_STATUS && low) {
        hpet->status &= ~value;
        arm_all(hpet);
    } else if (reg == HPET_COUNTER && !running(hpet)) {
        set_bits(&hpet->counter, value, mask);
    }
}

static const MemOps hpet_ops = { hpet_read, hpet_write, .min_size = 4, .max_size = 8 };

/* ---- lines of the devices it replaces ---- */

static void legacy_line(void *opaque, int gsi, int level)
{
    Hpet *hpet = opaque;

    *(gsi == 0 ? &hpet->pit_level : &hpet->rtc_level) = level;
    if (!legacy(hpet)) {
        drive_gsi(hpet, gsi, level);
    }
}

IrqLine hpet_pit_input(Device *dev)
{
    return (IrqLine){ legacy_line, dev, 0 };
}

IrqLine hpet_rtc_input(Device *dev)
{
    return (IrqLine){ legacy_line, dev, 8 };
}

void hpet_set_pit(Device *dev, Device *pit, HpetMuteFn mute)
{
    DEVICE_CAST(dev, Hpet)->pit = pit;
    DEVICE_CAST(dev, Hpet)->mute = mute;
}

/* ---- state ---- */

static void hpet_saving(void *opaque)
{
    Hpet *hpet = opaque;

    hpet->counter = counter_now(hpet);
    hpet->start_ns = vm_clock_ns(hpet->dev.vm);
}

static bool hpet_loaded(void *opaque, GError **error)
{
    Hpet *hpet = opaque;

    hpet->start_ns = vm_clock_ns(hpet->dev.vm);
    forget_debts(hpet);
    arm_all(hpet);
    return true;
}

static const StateField timer_fields[] = {
    STATE_UINT64(HpetTimer, config), STATE_UINT64(HpetTimer, cmp),
    STATE_UINT64(HpetTimer, period), {}
};
static const StateDesc timer_state = { .name = "hpet_timer", .version = 1, .fields = timer_fields };

static const StateField hpet_fields[] = {
    STATE_UINT64(Hpet, config), STATE_UINT64(Hpet, status), STATE_UINT64(Hpet, counter),
    STATE_STRUCT_ARRAY(Hpet, timers, HpetTimer, timer_state),
    {}
};
static const StateDesc hpet_state = {
    .name = "hpet", .version = 1, .fields = hpet_fields, .saving = hpet_saving,
    .loaded = hpet_loaded,
};

/* ---- life ---- */

static const Property hpet_props[] = {
    PROP_UINT8(Hpet, n_timers, .name = "timers", .def = HPET_MIN_TIMERS,
               .help = "comparators, 3 to 32"),
    PROP_BOOL(Hpet, msi, .name = "msi", .read_only = true,
              .help = "interrupts by message: there are none"),
    PROP_UINT32(Hpet, intcap, .name = "hpet-intcap", .help = "bit n: timers can drive line n"),
    PROP_BOOL(Hpet, offset_saved, .name = "hpet-offset-saved", .def = true,
              .help = "the offset of the counter travels with its state"),
    {}
};

Device *hpet_new(Vm *vm, uint64_t base, uint32_t intcap, GError **error)
{
    Device *dev = device_new(vm, &hpet_type, NULL);

    DEVICE_CAST(dev, Hpet)->intcap = intcap;
    if (!device_realize(dev, NULL, error)) {
        return NULL;
    }
    mem_region_add(&vm->system_memory, base, &DEVICE_CAST(dev, Hpet)->io);
    return dev;
}

static bool hpet_realize(Device *dev, GError **error)
{
    Hpet *hpet = DEVICE_CAST(dev, Hpet);

    if (hpet->n_timers < HPET_MIN_TIMERS || hpet->n_timers > HPET_MAX_TIMERS) {
        set_error(error, "Property 'hpet.timers': %u is not between %d and %d", hpet->n_timers,
                  HPET_MIN_TIMERS, HPET_MAX_TIMERS);
        return false;
    }
    for (unsigned i = 0; i < HPET_MAX_TIMERS; i++) {
        hpet->timers[i].hpet = hpet;
        hpet->timers[i].index = i;
        vm_timer_init(&hpet->timers[i].timer, dev->vm, timer_fire, &hpet->timers[i]);
    }
    mem_region_init_io(&hpet->io, &dev->obj, "hpet", HPET_SIZE, &hpet_ops, hpet);
    device_add_mmio(dev, &hpet->io);
    return true;
}

static void hpet_unrealize(Device *dev)
{
    Hpet *hpet = DEVICE_CAST(dev, Hpet);

    for (unsigned i = 0; i < HPET_MAX_TIMERS; i++) {
        vm_timer_finish(&hpet->timers[i].timer);
    }
    mem_region_finish(&hpet->io);
}

static void hpet_reset(Device *dev)
{
    Hpet *hpet = DEVICE_CAST(dev, Hpet);

    hpet->status = 0;
    for (unsigned i = 0; i < hpet->n_timers; i++) {
        HpetTimer *t = &hpet->timers[i];

        timer_update_irq(t);
        t->config = t->period = 0;
        t->cmp = UINT64_MAX;
    }
    set_config(hpet, 0);
    hpet->counter = 0;
}

static const DeviceGpio hpet_gpios[] = {
    { "in", "", 2 }, { "out", "", 1 }, { "out", "sysbus-irq", 32 }, {}
};

const DeviceType hpet_type = {
    .name = "hpet", .bus = &system_bus_type, .size = sizeof(Hpet), .props = hpet_props,
    .state = &hpet_state, .board_only = true, .gpios = hpet_gpios, .realize = hpet_realize,
    .unrealize = hpet_unrealize, .reset = hpet_reset,
};
