/*
 * Intel 8254 programmable interval timer (data sheet 231164): three counters at 1.193182 MHz.
 *
 * A counter's value and output are computed from the time since it was loaded; the only timer there
 * is serves counter 0, at the rising edges of its output.
 */
#include "i8254.h"

#include "isa.h"
#include "rhea_error.h"
#include "tick_debt.h"

/* ---- control word ---- */
#define CW_BCD          0x01
#define CW_MODE_SHIFT   1
#define CW_RW_SHIFT     4
#define CW_COUNTER_SHIFT 6
#define RW_LATCH        0
#define RW_LSB          1
#define RW_MSB          2
#define RW_WORD         3
#define READ_BACK       3               /* in the place of the counter's number */
#define READ_BACK_NO_COUNT  0x20
#define READ_BACK_NO_STATUS 0x10
#define STATUS_OUT      0x80
#define STATUS_NULL     0x40

#define PIT_GSI         0               /* what OUT 0 leads to */

enum { MODE_TERMINAL_COUNT, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_SOFT_STROBE,
       MODE_HARD_STROBE };

typedef struct Counter {
    /* guest-visible state */
    uint8_t mode, rw, bcd;
    uint8_t write_low;                  /* LSB of a word write that waits for its MSB */
    bool expect_msb_write, expect_msb_read, gate, loaded;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
    uint32_t count;                     /* as loaded: 1 to 65536, in ticks */
    int64_t start_ns;                   /* when it was loaded or triggered */
    int64_t frozen_ticks;               /* ticks counted when the gate closed; -1: counting */
} Counter;

typedef struct Pit {
    Device dev;
    /* configuration */
    uint32_t iobase;
    /* wiring */
    MemRegion io;
    IrqLine out;
    VmTimer timer;
    TickDebt debt;                      /* of counter 0; the host's, not the guest's */
    bool muted;
    /* guest-visible state */
    Counter counters[3];
    int64_t next_ns;
} Pit;

/* ---- counting ---- */

static bool is_periodic(const Counter *c)
{
    return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

static uint64_t ticks(const Pit *pit, const Counter *c)
{
    int64_t now_ns = vm_clock_ns(pit->dev.vm);

    if (c->frozen_ticks >= 0) {
        return c->frozen_ticks;
    }
    return now_ns > c->start_ns ? muldiv64(now_ns - c->start_ns, I8254_HZ, NS_PER_SEC) : 0;
}

/* The first moment at which ticks() is `n`. */
static int64_t tick_ns(const Counter *c, uint64_t n)
{
    return c->start_ns + muldiv64(n, NS_PER_SEC, I8254_HZ) + 1;
}

static bool counter_out(const Pit *pit, const Counter *c)
{
    uint64_t d = ticks(pit, c);

    if (!c->loaded) {
        return c->mode != MODE_TERMINAL_COUNT;
    }
    switch (c->mode) {
    case MODE_TERMINAL_COUNT:
    case MODE_ONE_SHOT:
        return d >= c->count;
    case MODE_RATE:
        return !c->gate || d % c->count != c->count - 1;
    case MODE_SQUARE:
        return !c->gate || d % c->count < (c->count + 1) / 2;
    default:
        return d != c->count;           /* a strobe is low for one tick */
    }
}

static uint16_t to_bcd(uint32_t value)
{
    return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;
}

static uint16_t counter_value(const Pit *pit, const Counter *c)
{
    uint64_t d = ticks(pit, c);
    uint32_t turn = c->bcd ? 10000 : 65536, value;

    if (c->mode == MODE_RATE) {
        value = c->count - d % c->count;
    } else if (c->mode == MODE_SQUARE) {
        value = c->count - 2 * d % c->count;            /* it counts by twos, twice a period */
    } else {
        value = (c->count + turn - d % turn) % turn;
    }
    return c->bcd ? to_bcd(value % turn) : value;
}

/* ---- output of counter 0 ---- */

/* Edges of a period too short to follow are lost. */
static int64_t min_wait_ns(const Counter *c)
{
    bool too_short = muldiv64(c->count, NS_PER_SEC, I8254_HZ) < VM_TIMER_MIN_PERIOD_NS;

    return too_short ? VM_TIMER_MIN_PERIOD_NS : 0;
}

static void arm(Pit *pit)
{
    Counter *c = &pit->counters[0];
    uint64_t d = ticks(pit, c);

    pit->next_ns = VM_TIMER_OFF;
    if (c->loaded && c->frozen_ticks < 0) {
        if (is_periodic(c)) {
            pit->next_ns = MAX(tick_ns(c, (d / c->count + 1) * c->count),
                               vm_clock_ns(pit->dev.vm) + min_wait_ns(c));
        } else if (d < c->count) {
            pit->next_ns = tick_ns(c, c->count);
        }
    }
    vm_timer_set(&pit->timer, pit->next_ns);
}

/* A periodic output goes low and high again here: what counts is its rising edge. */
static void send_edge(Pit *pit)
{
    const Counter *c = &pit->counters[0];

    if (c->mode != MODE_TERMINAL_COUNT && c->mode != MODE_ONE_SHOT) {
        irq_set(&pit->out, 0);
    }
    irq_set(&pit->out, 1);
}

static bool sends_ticks(const Pit *pit)
{
    const Counter *c = &pit->counters[0];

    return is_periodic(c) && !pit->muted && pit->next_ns != VM_TIMER_OFF &&
           muldiv64(c->count, NS_PER_SEC, I8254_HZ) >= TICK_DEBT_MIN_PERIOD_NS;
}

static void pit_fire(void *opaque)
{
    Pit *pit = opaque;
    const Counter *c = &pit->counters[0];

    if (sends_ticks(pit)) {
        uint64_t due = muldiv64(MAX(pit->next_ns - c->start_ns, 0), I8254_HZ, NS_PER_SEC);

        tick_debt_add(&pit->debt, pit->dev.vm, PIT_GSI, 1 + (ticks(pit, c) - due) / c->count);
    }
    if (!pit->muted) {
        send_edge(pit);
    }
    arm(pit);
}

void i8254_taken(Device *dev)
{
    Pit *pit = DEVICE_CAST(dev, Pit);
    bool next = sends_ticks(pit) && tick_debt_next(&pit->debt);

    if (sends_ticks(pit) && vm_clock_ns(dev->vm) >= pit->next_ns) {
        pit_fire(pit);                                  /* its own call is late too */
    } else if (next) {
        send_edge(pit);
    }
}

static void counter_start(Pit *pit, Counter *c)
{
    c->start_ns = vm_clock_ns(pit->dev.vm);
    c->frozen_ticks = c->gate || c->mode == MODE_ONE_SHOT || c->mode == MODE_HARD_STROBE ? -1 : 0;
    if (c == &pit->counters[0]) {
        pit->debt = (TickDebt){ 0 };
        if (!pit->muted) {
            irq_set(&pit->out, counter_out(pit, c));
        }
        arm(pit);
    }
}

static void counter_load(Pit *pit, Counter *c, uint32_t value)
{
    if (c->bcd) {
        value = (value & 15) + (value >> 4 & 15) * 10 + (value >> 8 & 15) * 100 +
                (value >> 12) * 1000;
    }
    c->count = value != 0 ? value : c->bcd ? 10000 : 65536;
    c->loaded = true;
    counter_start(pit, c);
}

/* ---- register access ---- */

static void latch_count(Pit *pit, Counter *c)
{
    if (!c->count_latched) {                    /* a second latch before the read is ignored */
        c->latched_count = counter_value(pit, c);
        c->count_latched = true;
    }
}

static void latch_status(Pit *pit, Counter *c)
{
    if (!c->status_latched) {
        c->latched_status = (counter_out(pit, c) ? STATUS_OUT : 0) | (c->loaded ? 0 : STATUS_NULL) |
                            c->rw << CW_RW_SHIFT | c->mode << CW_MODE_SHIFT | c->bcd;
        c->status_latched = true;
    }
}

static void read_back(Pit *pit, uint8_t command)
{
    for (unsigned i = 0; i < 3; i++) {
        if (command & 2u << i) {
            if (!(command & READ_BACK_NO_COUNT)) {
                latch_count(pit, &pit->counters[i]);
            }
            if (!(command & READ_BACK_NO_STATUS)) {
                latch_status(pit, &pit->counters[i]);
            }
        }
    }
}

static void write_control(Pit *pit, uint8_t value)
{
    unsigned n = value >> CW_COUNTER_SHIFT, rw = value >> CW_RW_SHIFT & 3;
    unsigned mode = value >> CW_MODE_SHIFT & 7;
    Counter *c = &pit->counters[n % 3];

    if (n == READ_BACK) {
        read_back(pit, value);
        return;
    }
    if (rw == RW_LATCH) {
        latch_count(pit, c);
        return;
    }
    c->rw = rw;
    c->mode = mode > MODE_HARD_STROBE ? mode & 3 : mode;    /* 6 and 7 are 2 and 3 */
    c->bcd = value & CW_BCD;
    c->expect_msb_read = c->expect_msb_write = c->loaded = false;
    c->count_latched = c->status_latched = false;
    if (n == 0) {
        pit->debt = (TickDebt){ 0 };
        if (!pit->muted) {
            irq_set(&pit->out, counter_out(pit, c));
        }
        arm(pit);
    }
}

static void write_counter(Pit *pit, Counter *c, uint8_t value)
{
    if (c->rw == RW_LSB) {
        counter_load(pit, c, value);
    } else if (c->rw == RW_MSB) {
        counter_load(pit, c, value << 8);
    } else if (c->expect_msb_write) {
        c->expect_msb_write = false;
        counter_load(pit, c, c->write_low | value << 8);
    } else {
        c->write_low = value;
        c->expect_msb_write = true;
    }
}

static uint8_t read_counter(Pit *pit, Counter *c)
{
    uint16_t value;

    if (c->status_latched) {
        c->status_latched = false;
        return c->latched_status;
    }
    value = c->count_latched ? c->latched_count : counter_value(pit, c);
    if (c->rw == RW_WORD && !c->expect_msb_read) {
        c->expect_msb_read = true;
        return value;
    }
    c->expect_msb_read = c->count_latched = false;
    return c->rw == RW_LSB ? value : value >> 8;
}

static uint64_t pit_read(void *opaque, uint64_t offset, unsigned size)
{
    Pit *pit = opaque;

    return offset < 3 ? read_counter(pit, &pit->counters[offset]) : 0;
}

static void pit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pit *pit = opaque;

    if (offset == 3) {
        write_control(pit, value);
    } else {
        write_counter(pit, &pit->counters[offset], value);
    }
}

static const MemOps pit_ops = { pit_read, pit_write, .max_size = 1 };

/* ---- wires ---- */

void i8254_connect(Device *dev, IrqLine out)
{
    DEVICE_CAST(dev, Pit)->out = out;
}

void i8254_set_muted(Device *dev, bool muted)
{
    Pit *pit = DEVICE_CAST(dev, Pit);

    pit->muted = muted;
    irq_set(&pit->out, !muted && counter_out(pit, &pit->counters[0]));
}

bool i8254_gate2(const Device *dev)
{
    return ((const Pit *)dev)->counters[2].gate;
}

/* A rising gate triggers modes 1, 2, 3 and 5; a low one holds modes 0 and 4. */
void i8254_set_gate2(Device *dev, bool gate)
{
    Pit *pit = DEVICE_CAST(dev, Pit);
    Counter *c = &pit->counters[2];
    bool rises = gate && !c->gate, falls = !gate && c->gate;

    if (falls &&
        (c->mode == MODE_TERMINAL_COUNT || c->mode == MODE_SOFT_STROBE || is_periodic(c))) {
        c->frozen_ticks = ticks(pit, c);
    }
    c->gate = gate;
    if (!rises) {
        return;
    }
    if (c->mode == MODE_TERMINAL_COUNT || c->mode == MODE_SOFT_STROBE) {
        c->start_ns = vm_clock_ns(dev->vm) -
                      muldiv64(MAX(c->frozen_ticks, 0), NS_PER_SEC, I8254_HZ);
        c->frozen_ticks = -1;
    } else {
        counter_start(pit, c);
    }
}

bool i8254_out2(const Device *dev)
{
    const Pit *pit = (const Pit *)dev;

    return counter_out(pit, &pit->counters[2]);
}

/* ---- state ---- */

static bool pit_loaded(void *opaque, GError **error)
{
    vm_timer_set(&((Pit *)opaque)->timer, ((Pit *)opaque)->next_ns);
    return true;
}

static const StateField counter_fields[] = {
    STATE_UINT8(Counter, mode, .range = { 0, MODE_HARD_STROBE }),
    STATE_UINT8(Counter, rw, .range = { 0, 3 }),
    STATE_UINT8(Counter, bcd, .range = { 0, 1 }), STATE_UINT8(Counter, write_low),
    STATE_BOOL(Counter, expect_msb_write), STATE_BOOL(Counter, expect_msb_read),
    STATE_BOOL(Counter, gate), STATE_BOOL(Counter, loaded), STATE_BOOL(Counter, count_latched),
    STATE_BOOL(Counter, status_latched), STATE_UINT16(Counter, latched_count),
    STATE_UINT8(Counter, latched_status), STATE_UINT32(Counter, count, .range = { 1, 65536 }),
    STATE_INT64(Counter, start_ns, .range = { -INT64_MAX / 2, INT64_MAX / 2 }),
    STATE_INT64(Counter, frozen_ticks, .range = { -1, INT64_MAX / 2048 }),
    {}
};
static const StateDesc counter_state = {
    .name = "counter", .version = 1, .fields = counter_fields,
};

static const StateField pit_fields[] = {
    STATE_STRUCT_ARRAY(Pit, counters, Counter, counter_state),
    STATE_INT64(Pit, next_ns, .range = { VM_TIMER_OFF, INT64_MAX }),
    {}
};
static const StateDesc pit_state = {
    .name = "i8254", .version = 1, .fields = pit_fields, .loaded = pit_loaded,
};

/* ---- life ---- */

static const Property pit_props[] = {
    PROP_UINT32(Pit, iobase, .name = "iobase", .def = 0x40, .help = "first port"),
    {}
};

static bool pit_realize(Device *dev, GError **error)
{
    Pit *pit = DEVICE_CAST(dev, Pit);

    if (pit->out.set == NULL) {
        pit->out = vm_isa_irq(dev->vm, 0);
    }
    dev->gpio_in = dev->gpio_out = 1;
    vm_timer_init(&pit->timer, dev->vm, pit_fire, pit);
    mem_region_init_io(&pit->io, &dev->obj, "pit", 4, &pit_ops, pit);
    mem_region_add(&dev->vm->system_io, pit->iobase & 0xffff, &pit->io);
    return true;
}

static void pit_unrealize(Device *dev)
{
    vm_timer_finish(&DEVICE_CAST(dev, Pit)->timer);
    mem_region_finish(&DEVICE_CAST(dev, Pit)->io);
}

/*
 * The data sheet leaves everything undefined until programmed; counters 0 and 1 have their gates
 * tied high.
 */
static void pit_reset(Device *dev)
{
    Pit *pit = DEVICE_CAST(dev, Pit);

    for (unsigned i = 0; i < 3; i++) {
        pit->counters[i] = (Counter){
            .mode = MODE_SQUARE, .rw = RW_WORD, .gate = i < 2, .count = 65536, .frozen_ticks = -1,
        };
    }
    pit->muted = false;
    pit->debt = (TickDebt){ 0 };
    arm(pit);
}

const DeviceType i8254_type = {
    .name = "isa-pit", .bus = &isa_bus_type, .size = sizeof(Pit), .props = pit_props,
    .state = &pit_state, .board_only = true, .realize = pit_realize, .unrealize = pit_unrealize,
    .reset = pit_reset,
};
