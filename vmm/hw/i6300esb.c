/*
 * The 6300ESB watchdog: two stages, each of which counts down its own preload value.  Reloading
 * starts the first one again; the end of the second one is the end (watchdog.h).
 *
 * Not modelled: the interrupt at the end of the first stage; the pin of the second (the action
 * stands for it).
 */
#include "i6300esb.h"

#include "pci.h"
#include "vm_core.h"
#include "watchdog.h"

/* ---- registers: configuration space (16.4), then memory (16.5) ---- */
enum { ESB_CONFIG = 0x60, ESB_LOCK = 0x68 };
#define CONFIG_INT_TYPE     0x0003
#define CONFIG_PRESCALE     0x0004          /* 1 MHz instead of 1 kHz */
#define CONFIG_OUTPUT_OFF   0x0020          /* the second stage does nothing */
#define LOCK_LOCKED         0x01            /* until reset */
#define LOCK_ENABLE         0x02
#define LOCK_FREE_RUN       0x04

enum { ESB_PRELOAD1 = 0x00, ESB_PRELOAD2 = 0x04, ESB_INTERRUPT = 0x08, ESB_RELOAD = 0x0c,
       ESB_SIZE = 0x10 };
#define PRELOAD_MASK        0xfffff
#define RELOAD_RELOAD       0x0100
#define RELOAD_TIMEOUT      0x0200          /* it ran out; stays over a reset */
#define UNLOCK_FIRST        0x80
#define UNLOCK_SECOND       0x86

#define PCI_CLOCK_HZ        33000000
#define SLOW_SHIFT          15              /* PCI clocks in a count, 16.5.1 */
#define FAST_SHIFT          5

typedef struct I6300esb {
    PciDevice pci;
    /* wiring */
    MemRegion mmio;
    VmTimer timer;
    /* guest-visible state; the registers in configuration space are there */
    uint32_t preload1, preload2;
    int32_t stage;
    int32_t unlock;                         /* how much of the sequence was written: 0 to 2 */
    int32_t timed_out;
    int64_t deadline_ns;                    /* VM_TIMER_OFF: it stands */
} I6300esb;

static uint8_t *lock_reg(I6300esb *esb)
{
    return &esb->pci.config[ESB_LOCK];
}

/* ---- counting ---- */

static void esb_update(I6300esb *esb)
{
    vm_timer_set(&esb->timer, esb->deadline_ns);
}

static void stage_start(I6300esb *esb, int stage)
{
    bool fast = esb->pci.config[ESB_CONFIG] & CONFIG_PRESCALE;
    uint64_t counts = stage == 1 ? esb->preload1 : esb->preload2;
    int64_t ns = muldiv64(counts << (fast ? FAST_SHIFT : SLOW_SHIFT), NS_PER_SEC, PCI_CLOCK_HZ);

    esb->stage = stage;
    esb->deadline_ns = vm_clock_ns(esb->pci.dev.vm) + MAX(ns, VM_TIMER_MIN_PERIOD_NS);
    esb_update(esb);
}

static void esb_stop(I6300esb *esb)
{
    esb->stage = 1;
    esb->deadline_ns = VM_TIMER_OFF;
    esb_update(esb);
}

static void stage_over(void *opaque)
{
    I6300esb *esb = opaque;

    if (esb->stage == 1) {
        stage_start(esb, 2);
        return;
    }
    if (*lock_reg(esb) & LOCK_FREE_RUN) {
        stage_start(esb, 1);
    } else {
        esb_stop(esb);
    }
    if (!(esb->pci.config[ESB_CONFIG] & CONFIG_OUTPUT_OFF)) {
        esb->timed_out = true;
        watchdog_expired(esb->pci.dev.vm);
    }
}

/* ---- configuration space ---- */

static void esb_config_write(PciDevice *pci, uint32_t offset, uint32_t value, unsigned size)
{
    I6300esb *esb = DEVICE_CAST(&pci->dev, I6300esb);
    uint8_t before = *lock_reg(esb);

    pci_default_config_write(pci, offset, value, size);
    if (before & LOCK_LOCKED) {
        *lock_reg(esb) = before;
    }
    bool was_on = before & LOCK_ENABLE, is_on = *lock_reg(esb) & LOCK_ENABLE;
    if (is_on && !was_on) {
        stage_start(esb, 1);
    } else if (!is_on && was_on) {
        esb_stop(esb);
    }
}

/* ---- memory ---- */

static uint64_t esb_read(void *opaque, uint64_t offset, unsigned size)
{
    I6300esb *esb = opaque;

    uint32_t value = 0;

    switch (offset & ~3u) {
    case ESB_PRELOAD1:
        value = esb->preload1;
        break;
    case ESB_PRELOAD2:
        value = esb->preload2;
        break;
    case ESB_RELOAD:
        value = esb->timed_out ? RELOAD_TIMEOUT : 0;
        break;
    }
    return value >> 8 * (offset & 3);
}

/* Registers take a write only right behind 80h, 86h to the reload register (16.5.4). */
static bool unlock_step(I6300esb *esb, uint64_t offset, uint64_t value)
{
    bool open = esb->unlock == 2;

    if (offset == ESB_RELOAD && value == UNLOCK_FIRST) {
        esb->unlock = 1;
    } else if (offset == ESB_RELOAD && value == UNLOCK_SECOND && esb->unlock == 1) {
        esb->unlock = 2;
    } else {
        esb->unlock = 0;
        return open;
    }
    return false;
}

static void esb_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I6300esb *esb = opaque;

    if (!unlock_step(esb, offset, value)) {
        return;
    }
    switch (offset) {
    case ESB_PRELOAD1:
        esb->preload1 = value & PRELOAD_MASK;
        break;
    case ESB_PRELOAD2:
        esb->preload2 = value & PRELOAD_MASK;
        break;
    case ESB_RELOAD:
        if (value & RELOAD_TIMEOUT) {
            esb->timed_out = false;
        }
        if (value & RELOAD_RELOAD && *lock_reg(esb) & LOCK_ENABLE) {
            stage_start(esb, 1);
        }
        break;
    }
}

static const MemOps esb_ops = { esb_read, esb_write, .min_size = 1, .max_size = 4 };

/* ---- state ---- */

static bool esb_loaded(void *opaque, GError **error)
{
    esb_update(opaque);
    return true;
}

static const StateField esb_fields[] = {
    STATE_STRUCT(I6300esb, pci, PciDevice, pci_device_state),
    STATE_INT64(I6300esb, deadline_ns, .range = { VM_TIMER_OFF, INT64_MAX }),
    STATE_UINT32(I6300esb, preload1, .range = { 0, PRELOAD_MASK }),
    STATE_UINT32(I6300esb, preload2, .range = { 0, PRELOAD_MASK }),
    STATE_INT32(I6300esb, stage, .range = { 1, 2 }),
    STATE_INT32(I6300esb, unlock, .range = { 0, 2 }),
    STATE_INT32(I6300esb, timed_out, .range = { 0, 1 }),
    {}
};
static const StateDesc esb_state = {
    .name = "i6300esb_wdt", .version = 10000, .fields = esb_fields, .loaded = esb_loaded,
};

/* ---- lifecycle ---- */

static bool esb_realize(Device *dev, GError **error)
{
    I6300esb *esb = DEVICE_CAST(dev, I6300esb);

    vm_timer_init(&esb->timer, dev->vm, stage_over, esb);
    esb->pci.wmask[ESB_CONFIG] = CONFIG_INT_TYPE | CONFIG_PRESCALE | CONFIG_OUTPUT_OFF;
    esb->pci.wmask[ESB_LOCK] = LOCK_LOCKED | LOCK_ENABLE | LOCK_FREE_RUN;
    mem_region_init_io(&esb->mmio, &dev->obj, "i6300esb", ESB_SIZE, &esb_ops, esb);
    pci_register_bar(&esb->pci, 0, PCI_BAR_MEM, &esb->mmio);
    return true;
}

static void esb_unrealize(Device *dev)
{
    I6300esb *esb = DEVICE_CAST(dev, I6300esb);

    if (esb->mmio.ops) {
        vm_timer_finish(&esb->timer);
        mem_region_finish(&esb->mmio);
    }
}

/* What it says of a time-out stays, for the system that comes up after it. */
static void esb_reset(Device *dev)
{
    I6300esb *esb = DEVICE_CAST(dev, I6300esb);

    pci_reset(&esb->pci);
    pci_set_word(esb->pci.config + ESB_CONFIG, 0);
    *lock_reg(esb) = 0;
    esb->preload1 = esb->preload2 = PRELOAD_MASK;
    esb->unlock = 0;
    esb_stop(esb);
}

static const PciClass esb_class = {
    .vendor_id = 0x8086, .device_id = 0x25ab, .class_id = 0x0880, .config_write = esb_config_write,
};

const DeviceType i6300esb_type = {
    .name = "i6300esb", .help = "Intel 6300ESB", .category = "watchdog", .bus = &pci_bus_type,
    .size = sizeof(I6300esb), .state = &esb_state, .bus_class = &esb_class,
    .realize = esb_realize, .unrealize = esb_unrealize, .reset = esb_reset,
};
