/*
 * Intel 8259A, and the pair of them in a PC.
 *
 * Edge requests stay latched when their line falls again, as PC chip sets do it.  The input a
 * second chip hangs on follows that chip's INT pin.  Not modelled: 8080 mode (ICW4.uPM = 0
 * vectors), buffered mode.
 */
#include "i8259.h"

#include <string.h>

#include "isa.h"
#include "vm_core.h"
#include "x86_cpu.h"

enum { PIC_COMMAND = 0, PIC_DATA = 1 };

/* Written to PIC_COMMAND: ICW1, OCW2 or OCW3 by bits 4 and 3. */
#define ICW1_IC4        0x01
#define ICW1_SNGL       0x02
#define ICW1_LTIM       0x08
#define ICW1_SELECT     0x10
#define OCW3_SELECT     0x08
#define OCW3_RIS        0x01
#define OCW3_RR         0x02
#define OCW3_POLL       0x04
#define OCW3_SMM        0x20
#define OCW3_ESMM       0x40
/* ICW4 */
#define ICW4_AEOI       0x02
#define ICW4_SFNM       0x10

#define POLL_INTERRUPT  0x80
#define CASCADE_INPUT   2
#define PIC_INPUTS      8
#define SPURIOUS_INPUT  7

/* What the next write to PIC_DATA is. */
enum { INIT_DONE = 0, INIT_ICW2 = 1, INIT_ICW3 = 2, INIT_ICW4 = 3 };

typedef struct Pic {
    Device dev;
    /* configuration */
    uint32_t iobase, elcr_addr;
    uint8_t elcr_mask;                  /* inputs that can be level-triggered */
    bool master;
    /* wiring */
    MemRegion io, elcr_io;
    IrqLine out;
    struct Pic *upstream, *slave;
    void (*taken)(void *opaque, unsigned n);    /* of the first chip, for both */
    void *taken_opaque;
    uint64_t irq_count[16];             /* for `info irq`; the first chip counts for both */
    /* guest-visible state */
    uint8_t last_irr;                   /* levels of the inputs */
    uint8_t irr, imr, isr;
    uint8_t priority_add;               /* the input of highest priority */
    uint8_t irq_base;
    uint8_t read_reg_select;            /* ISR rather than IRR */
    uint8_t poll;
    uint8_t special_mask;
    uint8_t init_state;
    uint8_t auto_eoi, rotate_on_auto_eoi, special_fully_nested_mode;
    uint8_t init4, single_mode;
    uint8_t elcr;
    uint8_t ltim;
} Pic;

/* ---- priorities ---- */

static unsigned pic_priority(const Pic *pic, uint8_t inputs)
{
    for (unsigned n = 0; n < PIC_INPUTS; n++) {
        if (inputs >> ((n + pic->priority_add) & 7) & 1) {
            return n;
        }
    }
    return PIC_INPUTS;
}

/* Bits that follow their line instead of latching its rise. */
static uint8_t pic_level_inputs(const Pic *pic)
{
    uint8_t level = pic->ltim ? 0xff : pic->elcr;

    return pic->slave != NULL ? level | 1u << CASCADE_INPUT : level;
}

/* The input to be served next, or -1. */
static int pic_next(const Pic *pic)
{
    unsigned wanted = pic_priority(pic, pic->irr & ~pic->imr);
    uint8_t in_service = pic->isr;

    if (wanted == PIC_INPUTS) {
        return -1;
    }
    if (pic->special_mask) {
        in_service &= ~pic->imr;
    }
    if (pic->special_fully_nested_mode && pic->slave != NULL) {
        in_service &= ~(1u << CASCADE_INPUT);
    }
    return wanted < pic_priority(pic, in_service) ? (int)((wanted + pic->priority_add) & 7) : -1;
}

static void pic_update(Pic *pic)
{
    uint8_t level = pic_level_inputs(pic);

    pic->irr = (pic->irr & ~level) | (pic->last_irr & level);
    irq_set(&pic->out, pic_next(pic) >= 0);
}

/* ---- inputs and acknowledge ---- */

static void pic_count(Pic *pic, unsigned n)
{
    if (pic->upstream != NULL) {
        pic->upstream->irq_count[PIC_INPUTS + n]++;
    } else {
        pic->irq_count[n]++;
    }
}

static void pic_set_input(void *opaque, int n, int level)
{
    Pic *pic = opaque;
    uint8_t bit = 1u << n;
    bool rises = level && !(pic->last_irr & bit);

    if (rises) {
        pic->irr |= bit;
        if (pic->slave == NULL || n != CASCADE_INPUT) {
            pic_count(pic, n);
        }
    }
    pic->last_irr = level ? pic->last_irr | bit : pic->last_irr & ~bit;
    pic_update(pic);
}

static void pic_tell(const Pic *pic, unsigned n)
{
    const Pic *master = pic->upstream != NULL ? pic->upstream : pic;

    if (master->taken != NULL) {
        master->taken(master->taken_opaque, master == pic ? n : n + PIC_INPUTS);
    }
}

static void pic_serve(Pic *pic, unsigned n)
{
    uint8_t bit = 1u << n;

    if (!pic->auto_eoi) {
        pic->isr |= bit;
    } else if (pic->rotate_on_auto_eoi) {
        pic->priority_add = (n + 1) & 7;
    }
    pic->irr &= ~bit;
    pic_update(pic);
    pic_tell(pic, n);
}

int i8259_acknowledge(Device *dev)
{
    Pic *pic = DEVICE_CAST(dev, Pic);
    int n = pic_next(pic);

    if (n < 0) {
        return pic->irq_base + SPURIOUS_INPUT;
    }
    if (n == CASCADE_INPUT && pic->slave != NULL) {
        Pic *slave = pic->slave;
        int slave_n = pic_next(slave);

        pic_serve(pic, n);
        if (slave_n >= 0) {
            pic_serve(slave, slave_n);
        }
        return slave->irq_base + (slave_n >= 0 ? slave_n : SPURIOUS_INPUT);
    }
    pic_serve(pic, n);
    return pic->irq_base + n;
}

bool i8259_pending(const Device *dev)
{
    return pic_next(DEVICE_CAST(dev, const Pic)) >= 0;
}

/* ---- command words ---- */

static void pic_init(Pic *pic, uint8_t icw1)
{
    pic->irr = pic->imr = pic->isr = 0;
    pic->priority_add = 0;
    pic->irq_base = 0;
    pic->read_reg_select = pic->poll = pic->special_mask = 0;
    pic->auto_eoi = pic->rotate_on_auto_eoi = pic->special_fully_nested_mode = 0;
    pic->init_state = INIT_ICW2;
    pic->init4 = (icw1 & ICW1_IC4) != 0;
    pic->single_mode = (icw1 & ICW1_SNGL) != 0;
    pic->ltim = (icw1 & ICW1_LTIM) != 0;
}

static void pic_ocw3(Pic *pic, uint8_t value)
{
    if (value & OCW3_POLL) {
        pic->poll = 1;
    }
    if (value & OCW3_RR) {
        pic->read_reg_select = value & OCW3_RIS;
    }
    if (value & OCW3_ESMM) {
        pic->special_mask = (value & OCW3_SMM) != 0;
    }
}

/* The input in service that a non-specific EOI ends, or -1. */
static int pic_served(const Pic *pic)
{
    uint8_t isr = pic->special_mask ? pic->isr & ~pic->imr : pic->isr;
    unsigned n = pic_priority(pic, isr);

    return n < PIC_INPUTS ? (int)((n + pic->priority_add) & 7) : -1;
}

/* Bits 7–5 of OCW2: R, SL, EOI. */
enum {
    OCW2_ROTATE_AEOI_CLEAR, OCW2_EOI, OCW2_NOP, OCW2_SPECIFIC_EOI,
    OCW2_ROTATE_AEOI_SET, OCW2_ROTATE_EOI, OCW2_SET_PRIORITY, OCW2_ROTATE_SPECIFIC_EOI,
};

static void pic_ocw2(Pic *pic, uint8_t value)
{
    unsigned command = value >> 5;
    int n = value & 7;

    switch (command) {
    case OCW2_ROTATE_AEOI_CLEAR:
    case OCW2_ROTATE_AEOI_SET:
        pic->rotate_on_auto_eoi = command == OCW2_ROTATE_AEOI_SET;
        return;
    case OCW2_NOP:
        return;
    case OCW2_SET_PRIORITY:
        pic->priority_add = (n + 1) & 7;
        return;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI:
        n = pic_served(pic);
        if (n < 0) {
            return;
        }
        break;
    }
    pic->isr &= ~(1u << n);
    if (command == OCW2_ROTATE_EOI || command == OCW2_ROTATE_SPECIFIC_EOI) {
        pic->priority_add = (n + 1) & 7;
    }
}

static void pic_data_write(Pic *pic, uint8_t value)
{
    switch (pic->init_state) {
    case INIT_DONE:
        pic->imr = value;
        break;
    case INIT_ICW2:
        pic->irq_base = value & 0xf8;
        pic->init_state = !pic->single_mode ? INIT_ICW3 : pic->init4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3:                     /* the cascade is soldered */
        pic->init_state = pic->init4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        pic->special_fully_nested_mode = (value & ICW4_SFNM) != 0;
        pic->auto_eoi = (value & ICW4_AEOI) != 0;
        pic->init_state = INIT_DONE;
        break;
    }
}

static void pic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pic *pic = opaque;

    if (offset == PIC_DATA) {
        pic_data_write(pic, value);
    } else if (value & ICW1_SELECT) {
        pic_init(pic, value);
    } else if (value & OCW3_SELECT) {
        pic_ocw3(pic, value);
    } else {
        pic_ocw2(pic, value);
    }
    pic_update(pic);
}

/* A read after OCW3.P is an acknowledge that tells the input. */
static uint8_t pic_poll(Pic *pic)
{
    int n = pic_next(pic);

    pic->poll = 0;
    if (n < 0) {
        return 0;
    }
    pic_serve(pic, n);
    return POLL_INTERRUPT | n;
}

static uint64_t pic_read(void *opaque, uint64_t offset, unsigned size)
{
    Pic *pic = opaque;

    if (pic->poll) {
        return pic_poll(pic);
    }
    if (offset == PIC_DATA) {
        return pic->imr;
    }
    return pic->read_reg_select ? pic->isr : pic->irr;
}

static const MemOps pic_ops = {
    .read = pic_read, .write = pic_write, .min_size = 1, .max_size = 1,
};

static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((const Pic *)opaque)->elcr;
}

static void elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pic *pic = opaque;

    pic->elcr = value & pic->elcr_mask;
    pic_update(pic);
}

static const MemOps elcr_ops = {
    .read = elcr_read, .write = elcr_write, .min_size = 1, .max_size = 1,
};

/* ---- views ---- */

static void pic_view(Device *dev, DeviceView view, GString *out)
{
    const Pic *pic = DEVICE_CAST(dev, const Pic);

    if (view == VIEW_PIC) {
        g_string_append_printf(out, "pic%d: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x "
                               "rr_sel=%d elcr=%02x fnm=%d\n", pic->master ? 0 : 1, pic->irr,
                               pic->imr, pic->isr, pic->priority_add, pic->irq_base,
                               pic->read_reg_select, pic->elcr, pic->special_fully_nested_mode);
    } else if (view == VIEW_IRQ && pic->master) {
        g_string_append_printf(out, "IRQ statistics for %s:\n", dev->type->name);
        for (unsigned n = 0; n < G_N_ELEMENTS(pic->irq_count); n++) {
            if (pic->irq_count[n] > 0) {
                g_string_append_printf(out, "%2u: %" G_GUINT64_FORMAT "\n", n, pic->irq_count[n]);
            }
        }
    }
}

/* ---- state ---- */

static bool pic_loaded(void *opaque, GError **error)
{
    Pic *pic = opaque;

    pic->elcr &= pic->elcr_mask;
    pic_update(pic);
    return true;
}

static bool ltim_needed(const void *opaque)
{
    return ((const Pic *)opaque)->ltim != 0;
}

static const StateField ltim_fields[] = {
    STATE_UINT8(Pic, ltim),
    {}
};
static const StateDesc ltim_state = {
    .name = "i8259/ltim", .version = 1, .fields = ltim_fields, .needed = ltim_needed,
};
static const StateDesc *const pic_subsections[] = { &ltim_state, NULL };

static const StateField pic_fields[] = {
    STATE_UINT8(Pic, last_irr),
    STATE_UINT8(Pic, irr),
    STATE_UINT8(Pic, imr),
    STATE_UINT8(Pic, isr),
    STATE_UINT8(Pic, priority_add, .range = { 0, 7 }),
    STATE_UINT8(Pic, irq_base),
    STATE_UINT8(Pic, read_reg_select),
    STATE_UINT8(Pic, poll),
    STATE_UINT8(Pic, special_mask),
    STATE_UINT8(Pic, init_state, .range = { INIT_DONE, INIT_ICW4 }),
    STATE_UINT8(Pic, auto_eoi),
    STATE_UINT8(Pic, rotate_on_auto_eoi),
    STATE_UINT8(Pic, special_fully_nested_mode),
    STATE_UINT8(Pic, init4),
    STATE_UINT8(Pic, single_mode),
    STATE_UINT8(Pic, elcr),
    {}
};
static const StateDesc pic_state = {
    .name = "i8259", .version = 1, .fields = pic_fields, .subsections = pic_subsections,
    .loaded = pic_loaded,
};

static const Property pic_props[] = {
    PROP_UINT32(Pic, iobase, .name = "iobase", .def = 0x20, .help = "first of its two ports"),
    PROP_UINT32(Pic, elcr_addr, .name = "elcr_addr", .def = 0x4d0,
                .help = "port of the edge/level register"),
    PROP_UINT8(Pic, elcr_mask, .name = "elcr_mask", .def = 0xf8,
               .help = "inputs that can be level-triggered"),
    PROP_BOOL(Pic, master, .name = "master", .help = "the first chip of the pair"),
    {}
};

/* ---- life ---- */

static bool pic_realize(Device *dev, GError **error)
{
    Pic *pic = DEVICE_CAST(dev, Pic);

    dev->gpio_in = PIC_INPUTS;
    dev->gpio_out = 1;
    mem_region_init_io(&pic->io, &dev->obj, "pic", 2, &pic_ops, pic);
    mem_region_add(&dev->vm->system_io, pic->iobase, &pic->io);
    mem_region_init_io(&pic->elcr_io, &dev->obj, "elcr", 1, &elcr_ops, pic);
    mem_region_add(&dev->vm->system_io, pic->elcr_addr, &pic->elcr_io);
    return true;
}

static void pic_unrealize(Device *dev)
{
    Pic *pic = DEVICE_CAST(dev, Pic);

    mem_region_finish(&pic->elcr_io);
    mem_region_finish(&pic->io);
    if (pic->upstream != NULL) {
        pic->upstream->slave = NULL;
    }
    if (pic->slave != NULL) {
        pic->slave->upstream = NULL;
        pic->slave->out = (IrqLine){ 0 };
    }
    if (dev->vm->pic == dev) {
        dev->vm->pic = NULL;
        dev->vm->pic_acknowledge = NULL;
    }
}

static void pic_reset(Device *dev)
{
    Pic *pic = DEVICE_CAST(dev, Pic);

    pic_init(pic, 0);
    pic->init_state = INIT_DONE;
    pic->elcr = 0;
    pic_update(pic);
}

/* ---- wiring ---- */

void i8259_connect(Device *dev, IrqLine out)
{
    DEVICE_CAST(dev, Pic)->out = out;
}

IrqLine i8259_input(Device *dev, unsigned n)
{
    g_assert(n < PIC_INPUTS);
    return (IrqLine){ pic_set_input, dev, (int)n };
}

void i8259_set_slave(Device *dev, Device *slave_dev)
{
    Pic *pic = DEVICE_CAST(dev, Pic), *slave = DEVICE_CAST(slave_dev, Pic);

    pic->slave = slave;
    slave->upstream = pic;
    i8259_connect(slave_dev, i8259_input(dev, CASCADE_INPUT));
}

static int pair_acknowledge(Vm *vm)
{
    return vm->pic != NULL ? i8259_acknowledge(vm->pic) : -1;
}

static Device *pic_new(Vm *vm, Bus *isa, bool master, GError **error)
{
    Device *dev = device_new(vm, &i8259_type, NULL);
    Pic *pic = DEVICE_CAST(dev, Pic);

    pic->master = master;
    if (!master) {
        pic->iobase = 0xa0;
        pic->elcr_addr = 0x4d1;
        pic->elcr_mask = 0xde;          /* IRQ 8 and 13 are edges on any board */
    }
    return device_realize(dev, isa, error) ? dev : NULL;
}

Device *i8259_pair_new(Vm *vm, Bus *isa, GError **error)
{
    Device *master = pic_new(vm, isa, true, error), *slave;

    if (master == NULL) {
        return NULL;
    }
    slave = pic_new(vm, isa, false, error);
    if (slave == NULL) {
        device_free(master);
        return NULL;
    }
    i8259_set_slave(master, slave);
    vm->pic = master;
    vm->pic_acknowledge = pair_acknowledge;
    return master;
}

IrqLine i8259_pair_input(Device *dev, unsigned n)
{
    Pic *pic = DEVICE_CAST(dev, Pic);

    return n < PIC_INPUTS ? i8259_input(dev, n) : i8259_input(&pic->slave->dev, n - PIC_INPUTS);
}

bool i8259_pair_open(const Device *dev, unsigned n)
{
    const Pic *master = DEVICE_CAST(dev, const Pic);

    if (n < PIC_INPUTS) {
        return !(master->imr >> n & 1);
    }
    return !(master->imr >> CASCADE_INPUT & 1) && !(master->slave->imr >> (n - PIC_INPUTS) & 1);
}

void i8259_pair_set_taken(Device *dev, void (*taken)(void *opaque, unsigned n), void *opaque)
{
    Pic *master = DEVICE_CAST(dev, Pic);

    master->taken = taken;
    master->taken_opaque = opaque;
}

static void cpu_pin_set(void *opaque, int n, int level)
{
    if (level) {
        cpu_raise(opaque, CPU_EVENT_INTR);
    } else {
        cpu_lower(opaque, CPU_EVENT_INTR);
    }
}

static int cpu_acknowledge(void *opaque)
{
    bool taken = machine_lock_enter();
    int vector = i8259_pending(opaque) ? i8259_acknowledge(opaque) : -1;

    machine_lock_leave(taken);
    return vector;
}

void i8259_connect_cpu(Device *dev, X86Cpu *cpu)
{
    cpu->intc = (CpuIntc){ .opaque = dev, .acknowledge = cpu_acknowledge };
    i8259_connect(dev, (IrqLine){ cpu_pin_set, cpu, 0 });
}

const DeviceType i8259_type = {
    .name = "isa-i8259", .help = "8259A interrupt controller",
    .bus = &isa_bus_type, .size = sizeof(Pic), .props = pic_props, .state = &pic_state,
    .board_only = true, .realize = pic_realize, .unrealize = pic_unrealize, .reset = pic_reset,
    .view = pic_view,
};
