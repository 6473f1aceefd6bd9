/*
 * Motorola MC146818A real-time clock with 128 bytes of battery-backed memory (data sheet, 1988).
 *
 * The time is an offset to a reference clock (-rtc clock=): the host's wall clock, or the
 * machine's, which stands while the machine is stopped.  Flags nobody waits for are worked out when
 * register C is read; timers run only for interrupts that are enabled.
 */
#include "mc146818.h"

#include <string.h>
#include <time.h>

#include "isa.h"
#include "rhea_error.h"
#include "vm_core.h"

/* ---- registers ---- */
enum { RTC_SECONDS, RTC_SECONDS_ALARM, RTC_MINUTES, RTC_MINUTES_ALARM, RTC_HOURS, RTC_HOURS_ALARM,
       RTC_WEEKDAY, RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_A, RTC_B, RTC_C, RTC_D };
#define RTC_CENTURY     0x32            /* a PC's; ACPI FADT names it */

#define RTC_A_UIP       0x80
#define RTC_A_DV        0x70
#define RTC_A_DV_RUN    0x20
#define RTC_A_RS        0x0f
#define RTC_B_SET       0x80
#define RTC_B_PIE       0x40
#define RTC_B_AIE       0x20
#define RTC_B_UIE       0x10
#define RTC_B_DM_BINARY 0x04
#define RTC_B_24        0x02
#define RTC_C_IRQF      0x80
#define RTC_C_PF        0x40
#define RTC_C_AF        0x20
#define RTC_C_UF        0x10
#define RTC_D_VRT       0x80
#define RTC_PM          0x80            /* in the hours of 12-hour mode */
#define ALARM_ANY       0xc0            /* "don't care" */

#define RTC_HZ          32768
#define UIP_NS          244000          /* UIP rises this long before the update */
#define SECONDS_A_DAY   86400
#define MAX_COALESCED   1000
#define TIME_MIN        INT64_C(-4000000000)    /* 1843 */
#define TIME_MAX        INT64_C(8000000000)     /* 2223 */
#define OFFSET_MAX      (INT64_C(7000000000) * NS_PER_SEC)

typedef struct Rtc {
    Device dev;
    /* configuration */
    int32_t base_year;
    uint32_t iobase;
    uint8_t irq;
    int lost_tick_policy;
    /* wiring */
    MemRegion io, index_io;
    IrqLine out;
    VmTimer periodic, update, change;
    int64_t base_ns;                    /* what -rtc base= lies ahead of the host's UTC */
    /* guest-visible state */
    uint8_t cmos[128], index;
    int64_t offset_ns;                  /* RTC time since the epoch - reference clock */
    int64_t stopped_ns;                 /* the time while SET or the divider holds it */
    int64_t flags_ns;                   /* register C is right up to here (RTC time) */
    int64_t periodic_ns;                /* last periodic edge (vm clock) */
    uint32_t coalesced;                 /* periodic interrupts the guest still has to get */
} Rtc;

enum { LOST_DISCARD, LOST_SLEW };

/* ---- time ---- */

static int64_t reference_ns(const Rtc *rtc)
{
    return rtc->dev.vm->config.rtc_clock_vm ? vm_clock_ns(rtc->dev.vm) : host_wall_ns();
}

static bool halted(const Rtc *rtc)
{
    return (rtc->cmos[RTC_B] & RTC_B_SET) || (rtc->cmos[RTC_A] & RTC_A_DV) != RTC_A_DV_RUN;
}

static int64_t rtc_now(const Rtc *rtc)
{
    return halted(rtc) ? rtc->stopped_ns : reference_ns(rtc) + rtc->offset_ns;
}

static void rtc_set_now(Rtc *rtc, int64_t ns)
{
    rtc->stopped_ns = ns;
    rtc->offset_ns = ns - reference_ns(rtc);
    rtc->flags_ns = ns;
}

static uint8_t encode(const Rtc *rtc, unsigned value)
{
    return rtc->cmos[RTC_B] & RTC_B_DM_BINARY ? value : value / 10 << 4 | value % 10;
}

static unsigned decode(const Rtc *rtc, uint8_t value)
{
    return rtc->cmos[RTC_B] & RTC_B_DM_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const Rtc *rtc, unsigned hour)
{
    if (rtc->cmos[RTC_B] & RTC_B_24) {
        return encode(rtc, hour);
    }
    return encode(rtc, hour % 12 != 0 ? hour % 12 : 12) | (hour >= 12 ? RTC_PM : 0);
}

static unsigned decode_hour(const Rtc *rtc, uint8_t value)
{
    if (rtc->cmos[RTC_B] & RTC_B_24) {
        return decode(rtc, value);
    }
    return decode(rtc, value & ~RTC_PM) % 12 + (value & RTC_PM ? 12 : 0);
}

static void time_to_cmos(Rtc *rtc, int64_t ns)
{
    time_t seconds = ns / NS_PER_SEC;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    rtc->cmos[RTC_SECONDS] = encode(rtc, tm.tm_sec);
    rtc->cmos[RTC_MINUTES] = encode(rtc, tm.tm_min);
    rtc->cmos[RTC_HOURS] = encode_hour(rtc, tm.tm_hour);
    rtc->cmos[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
    rtc->cmos[RTC_DAY] = encode(rtc, tm.tm_mday);
    rtc->cmos[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
    rtc->cmos[RTC_YEAR] = encode(rtc, (tm.tm_year + 1900 - rtc->base_year) % 100);
    rtc->cmos[RTC_CENTURY] = encode(rtc, (tm.tm_year + 1900 - rtc->base_year) / 100);
}

/*
 * Out-of-range fields carry over, as timegm() does it; years too far off for nanoseconds stop
 * there.
 */
static int64_t time_from_cmos(const Rtc *rtc)
{
    struct tm tm = {
        .tm_sec = decode(rtc, rtc->cmos[RTC_SECONDS]),
        .tm_min = decode(rtc, rtc->cmos[RTC_MINUTES]),
        .tm_hour = decode_hour(rtc, rtc->cmos[RTC_HOURS]),
        .tm_mday = decode(rtc, rtc->cmos[RTC_DAY]),
        .tm_mon = (int)decode(rtc, rtc->cmos[RTC_MONTH]) - 1,
        .tm_year = decode(rtc, rtc->cmos[RTC_YEAR]) + decode(rtc, rtc->cmos[RTC_CENTURY]) * 100 +
                   rtc->base_year - 1900,
    };

    return CLAMP(timegm(&tm), TIME_MIN, TIME_MAX) * NS_PER_SEC;
}

/* ---- alarm ---- */

static bool matches(const Rtc *rtc, unsigned reg, unsigned value)
{
    uint8_t alarm = rtc->cmos[reg];

    if ((alarm & ALARM_ANY) == ALARM_ANY) {
        return true;
    }
    return (reg == RTC_HOURS_ALARM ? decode_hour(rtc, alarm) : decode(rtc, alarm)) == value;
}

/* The first full second after `from_ns` at which the alarm matches; -1: it never does. */
static int64_t next_alarm(const Rtc *rtc, int64_t from_ns)
{
    int64_t start = from_ns / NS_PER_SEC + 1;

    for (int64_t s = start; s <= start + SECONDS_A_DAY;) {
        unsigned of_day = s % SECONDS_A_DAY;

        if (!matches(rtc, RTC_HOURS_ALARM, of_day / 3600)) {
            s += 3600 - of_day % 3600;
        } else if (!matches(rtc, RTC_MINUTES_ALARM, of_day / 60 % 60)) {
            s += 60 - of_day % 60;
        } else if (!matches(rtc, RTC_SECONDS_ALARM, of_day % 60)) {
            s++;
        } else {
            return s * NS_PER_SEC;
        }
    }
    return -1;
}

/* ---- flags and interrupt ---- */

static int64_t period_ns(const Rtc *rtc)
{
    unsigned rate = rtc->cmos[RTC_A] & RTC_A_RS;

    if (rate == 0) {
        return 0;
    }
    if (rate < 3) {
        rate += 7;                                      /* 1 and 2 are 256 and 128 Hz */
    }
    return NS_PER_SEC * (1 << (rate - 1)) / RTC_HZ;
}

static void update_irq(Rtc *rtc)
{
    bool active = (rtc->cmos[RTC_B] & rtc->cmos[RTC_C] & (RTC_C_PF | RTC_C_AF | RTC_C_UF)) != 0;

    rtc->cmos[RTC_C] = (rtc->cmos[RTC_C] & ~RTC_C_IRQF) | (active ? RTC_C_IRQF : 0);
    irq_set(&rtc->out, active);
}

/* Sets the flags of everything that happened since they were last looked at. */
static void catch_up(Rtc *rtc)
{
    int64_t now = rtc_now(rtc), clock = vm_clock_ns(rtc->dev.vm), alarm;

    if (!halted(rtc) && now / NS_PER_SEC > rtc->flags_ns / NS_PER_SEC) {
        rtc->cmos[RTC_C] |= RTC_C_UF;
        alarm = next_alarm(rtc, rtc->flags_ns);
        if (alarm >= 0 && alarm <= now) {
            rtc->cmos[RTC_C] |= RTC_C_AF;
        }
    }
    rtc->flags_ns = now;
    if (!(rtc->cmos[RTC_B] & RTC_B_PIE) && period_ns(rtc) != 0 &&
        clock - rtc->periodic_ns >= period_ns(rtc)) {
        rtc->cmos[RTC_C] |= RTC_C_PF;
        rtc->periodic_ns = clock - (clock - rtc->periodic_ns) % period_ns(rtc);
    }
}

static void arm_update(Rtc *rtc)
{
    int64_t now = rtc_now(rtc), next = -1;

    if (rtc->cmos[RTC_B] & RTC_B_UIE) {
        next = (now / NS_PER_SEC + 1) * NS_PER_SEC;
    } else if (rtc->cmos[RTC_B] & RTC_B_AIE) {
        next = next_alarm(rtc, now);
    }
    bool off = next < 0 || halted(rtc);

    vm_timer_set(&rtc->update,
                 off ? VM_TIMER_OFF : vm_clock_ns(rtc->dev.vm) + (next - now) + 1);
}

static void arm_periodic(Rtc *rtc)
{
    int64_t period = period_ns(rtc);
    bool on = period != 0 && (rtc->cmos[RTC_B] & RTC_B_PIE);

    vm_timer_set(&rtc->periodic, on ? rtc->periodic_ns + period : VM_TIMER_OFF);
}

static void update_fire(void *opaque)
{
    Rtc *rtc = opaque;

    catch_up(rtc);
    update_irq(rtc);
    arm_update(rtc);
}

/* Interrupts that came while the guest had not read the last: thrown away, or given later. */
static void periodic_fire(void *opaque)
{
    Rtc *rtc = opaque;
    int64_t period = period_ns(rtc), clock = vm_clock_ns(rtc->dev.vm);
    int64_t edges = (clock - rtc->periodic_ns) / period;

    if (rtc->lost_tick_policy == LOST_SLEW) {
        edges -= !(rtc->cmos[RTC_C] & RTC_C_PF);
        rtc->coalesced = MIN(rtc->coalesced + MAX(edges, 0), MAX_COALESCED);
    }
    rtc->periodic_ns = clock - (clock - rtc->periodic_ns) % period;
    rtc->cmos[RTC_C] |= RTC_C_PF;
    update_irq(rtc);
    arm_periodic(rtc);
}

/* ---- register access ---- */

/* Events belong to the main loop, where timers fire; several changes in a row are one. */
static void change_fire(void *opaque)
{
    const Rtc *rtc = opaque;
    int64_t offset_ns = rtc_now(rtc) - host_wall_ns() - rtc->base_ns;

    vm_emit(rtc->dev.vm, &(VmEvent){
        .kind = VM_EVENT_RTC_CHANGE, .offset_s = (offset_ns + NS_PER_SEC / 2) / NS_PER_SEC,
    });
}

static void time_was_set(Rtc *rtc)
{
    vm_timer_set(&rtc->change, vm_clock_ns(rtc->dev.vm));
}

static void write_time(Rtc *rtc, unsigned reg, uint8_t value)
{
    bool running = !halted(rtc);

    if (running) {
        time_to_cmos(rtc, rtc_now(rtc));
    }
    rtc->cmos[reg] = value;
    if (running) {
        rtc_set_now(rtc, time_from_cmos(rtc) + rtc_now(rtc) % NS_PER_SEC);
        time_was_set(rtc);
        arm_update(rtc);
    }
}

/* Registers A and B can stop the clock; on the way back the time is what the registers say. */
static void write_control(Rtc *rtc, unsigned reg, uint8_t value)
{
    bool was_halted = halted(rtc), was_set = (rtc->cmos[RTC_B] & RTC_B_SET) != 0;
    int64_t now = rtc_now(rtc), period = period_ns(rtc);

    catch_up(rtc);
    if (!was_halted) {
        time_to_cmos(rtc, now);
    }
    rtc->cmos[reg] = reg == RTC_A ? value & ~RTC_A_UIP : value;
    if (!was_halted && halted(rtc)) {
        rtc->stopped_ns = now;
    } else if (was_halted && !halted(rtc)) {
        int64_t set = time_from_cmos(rtc);

        /* starting the divider begins a second that is half over (data sheet, divider control) */
        rtc_set_now(rtc, was_set ? set : set + NS_PER_SEC / 2);
        time_was_set(rtc);
    }
    if (period != period_ns(rtc) || (reg == RTC_B && !vm_timer_is_set(&rtc->periodic))) {
        rtc->periodic_ns = vm_clock_ns(rtc->dev.vm);
    }
    arm_periodic(rtc);
    arm_update(rtc);
    update_irq(rtc);
}

static void write_register(Rtc *rtc, unsigned reg, uint8_t value)
{
    switch (reg) {
    case RTC_SECONDS_ALARM:
    case RTC_MINUTES_ALARM:
    case RTC_HOURS_ALARM:
        catch_up(rtc);
        rtc->cmos[reg] = value;
        arm_update(rtc);
        break;
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        write_time(rtc, reg, value);
        break;
    case RTC_A:
    case RTC_B:
        write_control(rtc, reg, value);
        break;
    case RTC_C:
    case RTC_D:
        break;                                          /* read-only */
    default:
        rtc->cmos[reg] = value;
    }
}

static uint8_t read_flags(Rtc *rtc)
{
    uint8_t flags;

    catch_up(rtc);
    update_irq(rtc);
    flags = rtc->cmos[RTC_C];
    rtc->cmos[RTC_C] = 0;
    update_irq(rtc);
    if (rtc->coalesced > 0 && (rtc->cmos[RTC_B] & RTC_B_PIE)) {
        rtc->coalesced--;
        rtc->cmos[RTC_C] = RTC_C_PF;
        update_irq(rtc);
    }
    return flags;
}

static uint8_t read_register(Rtc *rtc, unsigned reg)
{
    bool updating = !halted(rtc) && rtc_now(rtc) % NS_PER_SEC >= NS_PER_SEC - UIP_NS;

    switch (reg) {
    case RTC_A:
        return rtc->cmos[RTC_A] | (updating ? RTC_A_UIP : 0);
    case RTC_C:
        return read_flags(rtc);
    case RTC_D:
        return RTC_D_VRT;
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        if (!halted(rtc)) {
            time_to_cmos(rtc, rtc_now(rtc));
        }
        return rtc->cmos[reg];
    default:
        return rtc->cmos[reg];
    }
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned size)
{
    Rtc *rtc = opaque;

    return offset & 1 ? read_register(rtc, rtc->index) : 0xff;
}

static void rtc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rtc *rtc = opaque;

    if (offset & 1) {
        write_register(rtc, rtc->index, value);
    } else {
        rtc->index = value & 0x7f;                      /* bit 7 would mask NMIs */
    }
}

static const MemOps rtc_ops = { rtc_read, rtc_write, .max_size = 1 };

/* ---- for the board ---- */

void mc146818_set_cmos(Device *dev, unsigned index, uint8_t value)
{
    g_assert(index < sizeof(DEVICE_CAST(dev, Rtc)->cmos));
    DEVICE_CAST(dev, Rtc)->cmos[index] = value;
}

void mc146818_forget_ticks(Device *rtc)
{
    DEVICE_CAST(rtc, Rtc)->coalesced = 0;
}

void mc146818_connect(Device *dev, IrqLine out)
{
    DEVICE_CAST(dev, Rtc)->out = out;
}

static bool parse_date(const char *text, int64_t *seconds)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (end == NULL) {
        memset(&tm, 0, sizeof(tm));
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    *seconds = timegm(&tm);
    return end != NULL && *end == '\0' && *seconds >= TIME_MIN && *seconds <= TIME_MAX;
}

bool mc146818_check_base(const char *text, GError **error)
{
    int64_t seconds;

    if (text == NULL || g_str_equal(text, "utc") || g_str_equal(text, "localtime") ||
        parse_date(text, &seconds)) {
        return true;
    }
    set_error(error, "invalid datetime format '%s': valid formats are 'utc', 'localtime', "
              "'2006-06-17T16:01:21' and '2006-06-17'", text);
    return false;
}

static int64_t first_time_ns(const Vm *vm)
{
    const char *base = vm->config.rtc_base;
    int64_t seconds;

    if (base != NULL && g_str_equal(base, "localtime")) {
        time_t now = host_wall_ns() / NS_PER_SEC;
        struct tm tm;

        localtime_r(&now, &tm);
        return host_wall_ns() + tm.tm_gmtoff * NS_PER_SEC;
    }
    if (base != NULL && parse_date(base, &seconds)) {
        return seconds * NS_PER_SEC;
    }
    return host_wall_ns();
}

/* ---- state ---- */

static bool rtc_loaded(void *opaque, GError **error)
{
    Rtc *rtc = opaque;

    arm_periodic(rtc);
    arm_update(rtc);
    update_irq(rtc);
    return true;
}

static const StateField rtc_fields[] = {
    STATE_UINT8_ARRAY(Rtc, cmos), STATE_UINT8(Rtc, index, .range = { 0, 127 }),
    STATE_INT64(Rtc, offset_ns, .range = { -OFFSET_MAX, OFFSET_MAX }),
    STATE_INT64(Rtc, stopped_ns, .range = { -OFFSET_MAX, INT64_MAX }),
    STATE_INT64(Rtc, flags_ns, .range = { -OFFSET_MAX, INT64_MAX }),
    STATE_INT64(Rtc, periodic_ns, .range = { 0, INT64_MAX / 2 }),
    STATE_UINT32(Rtc, coalesced, .range = { 0, MAX_COALESCED }),
    {}
};
static const StateDesc rtc_state = {
    .name = "mc146818rtc", .version = 1, .fields = rtc_fields, .loaded = rtc_loaded,
};

/* ---- life ---- */

static const char *const lost_tick_policies[] = { "discard", "slew", NULL };

static const Property rtc_props[] = {
    PROP_INT32(Rtc, base_year, .name = "base_year", .help = "year the two digits count from"),
    PROP_UINT32(Rtc, iobase, .name = "iobase", .def = 0x70, .help = "first port"),
    PROP_UINT8(Rtc, irq, .name = "irq", .def = 8, .help = "ISA interrupt"),
    PROP_ENUM(Rtc, lost_tick_policy, .name = "lost_tick_policy", .names = lost_tick_policies,
              .help = "periodic interrupts the guest missed"),
    {}
};

static bool rtc_realize(Device *dev, GError **error)
{
    Rtc *rtc = DEVICE_CAST(dev, Rtc);

    if (!mc146818_check_base(dev->vm->config.rtc_base, error)) {
        return false;
    }
    if (dev->vm->config.rtc_slew) {
        rtc->lost_tick_policy = LOST_SLEW;
    }
    if (rtc->out.set == NULL) {
        rtc->out = vm_isa_irq(dev->vm, rtc->irq);
    }
    dev->gpio_out = 1;
    vm_timer_init(&rtc->periodic, dev->vm, periodic_fire, rtc);
    vm_timer_init(&rtc->update, dev->vm, update_fire, rtc);
    vm_timer_init(&rtc->change, dev->vm, change_fire, rtc);
    mem_region_init_io(&rtc->io, &dev->obj, "rtc", 2, &rtc_ops, rtc);
    mem_region_add(&dev->vm->system_io, rtc->iobase & 0xffff, &rtc->io);
    mem_region_init_io(&rtc->index_io, &dev->obj, "rtc-index", 1, &rtc_ops, rtc);
    mem_region_add(&rtc->io, 0, &rtc->index_io);
    rtc->cmos[RTC_A] = RTC_A_DV_RUN | 0x06;             /* 1024 Hz */
    rtc->cmos[RTC_B] = RTC_B_24;
    rtc_set_now(rtc, first_time_ns(dev->vm));
    rtc->base_ns = rtc_now(rtc) - host_wall_ns();
    dev->vm->rtc = dev;
    return true;
}

static void rtc_unrealize(Device *dev)
{
    Rtc *rtc = DEVICE_CAST(dev, Rtc);

    vm_timer_finish(&rtc->periodic);
    vm_timer_finish(&rtc->update);
    vm_timer_finish(&rtc->change);
    mem_region_finish(&rtc->index_io);
    mem_region_finish(&rtc->io);
}

/* RESET clears the interrupt enables and flags; the time and the memory live on a battery. */
static void rtc_reset(Device *dev)
{
    Rtc *rtc = DEVICE_CAST(dev, Rtc);

    rtc->cmos[RTC_B] &= ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE);
    rtc->cmos[RTC_C] = 0;
    rtc->coalesced = 0;
    arm_periodic(rtc);
    arm_update(rtc);
    update_irq(rtc);
}

const DeviceType mc146818_type = {
    .name = "mc146818rtc", .help = "real-time clock", .category = "misc", .bus = &isa_bus_type,
    .size = sizeof(Rtc), .props = rtc_props,
    .state = &rtc_state, .board_only = true, .realize = rtc_realize, .unrealize = rtc_unrealize,
    .reset = rtc_reset,
};
