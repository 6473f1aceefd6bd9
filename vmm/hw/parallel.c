/*
 * A PC's parallel port (IBM PC/AT Technical Reference, "Printer Adapter"; IEEE 1284, compatibility
 * mode).  A printer that is always ready hands each byte to the character device; one that is a
 * host's port takes the registers as they are.
 *
 * Not modelled: the printer's port as an input and its errors, EPP and ECP; a host port's interrupt.
 */
#include "parallel.h"

#include "chardev.h"
#include "isa.h"
#include "rhea_error.h"
#include "vm_core.h"

enum { REG_DATA = 0, REG_STATUS = 1, REG_CONTROL = 2, REGS = 8 };

#define STATUS_BUSY     0x80            /* inverted: 0 while the printer is busy */
#define STATUS_ACK      0x40            /* inverted */
#define STATUS_ONLINE   0x10
#define STATUS_ERROR    0x08            /* inverted */
#define STATUS_UNUSED   0x01
#define STATUS_IDLE     (STATUS_BUSY | STATUS_ACK | STATUS_ONLINE | STATUS_ERROR | STATUS_UNUSED)

#define CONTROL_STROBE  0x01
#define CONTROL_INIT    0x04            /* 0 initializes the printer */
#define CONTROL_SELECT  0x08
#define CONTROL_INTEN   0x10
#define CONTROL_UNUSED  0xc0
#define CONTROL_RESET   (CONTROL_INIT | CONTROL_SELECT | CONTROL_UNUSED)

#define PLACES 3

typedef struct Parallel {
    Device dev;
    /* configuration: UINT32_MAX takes the next place, or the place's own */
    uint32_t index, iobase, irq;
    CharFrontend chr;
    /* wiring */
    MemRegion io;
    IrqLine line;
    /* guest-visible state */
    uint8_t data, status, control;
    bool irq_pending;
} Parallel;

static const uint16_t places[PLACES] = { 0x378, 0x278, 0x3bc };

static void parallel_update(Parallel *port)
{
    irq_set(&port->line, port->irq_pending && port->control & CONTROL_INTEN);
}

/* The printer takes a byte as the strobe falls into place, and acknowledges it as it goes. */
static void control_write(Parallel *port, uint8_t value)
{
    uint8_t changed = port->control ^ value;
    bool selected = value & CONTROL_INIT && value & CONTROL_SELECT;

    port->control = value | CONTROL_UNUSED;
    if (changed & CONTROL_STROBE && value & CONTROL_STROBE && selected) {
        chardev_write(&port->chr, &port->data, 1);
        port->status &= ~STATUS_BUSY;
    } else if (!(value & CONTROL_STROBE)) {
        port->irq_pending |= !(port->status & STATUS_BUSY);
        port->status = STATUS_IDLE;
    }
    port->irq_pending = port->irq_pending && value & CONTROL_INTEN;
    parallel_update(port);
}

static uint8_t status_read(Parallel *port)
{
    port->irq_pending = false;
    parallel_update(port);
    return port->status;
}

static uint64_t parallel_read(void *opaque, uint64_t offset, unsigned size)
{
    Parallel *port = opaque;
    uint8_t value;

    if (offset <= REG_CONTROL && chardev_port_read(&port->chr, (CharPort)offset, &value)) {
        return value;
    }
    switch (offset) {
    case REG_DATA:
        return port->data;
    case REG_STATUS:
        return status_read(port);
    case REG_CONTROL:
        return port->control;
    }
    return 0xff;
}

static void parallel_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Parallel *port = opaque;

    if (offset <= REG_CONTROL && chardev_port_write(&port->chr, (CharPort)offset, value)) {
        return;
    }
    switch (offset) {
    case REG_DATA:
        port->data = value;
        break;
    case REG_CONTROL:
        control_write(port, value);
        break;
    }
}

static const MemOps parallel_ops = { parallel_read, parallel_write, .max_size = 1 };

static bool parallel_loaded(void *opaque, GError **error)
{
    parallel_update(opaque);
    return true;
}

static const StateField parallel_fields[] = {
    STATE_UINT8(Parallel, data), STATE_UINT8(Parallel, status), STATE_UINT8(Parallel, control),
    STATE_BOOL(Parallel, irq_pending),
    {}
};
static const StateDesc parallel_state = {
    .name = "parallel_isa", .version = 1, .fields = parallel_fields, .loaded = parallel_loaded,
};

static const Property parallel_props[] = {
    PROP_UINT32(Parallel, index, .name = "index", .def = UINT32_MAX,
                .help = "which of the three, from 0"),
    PROP_UINT32(Parallel, iobase, .name = "iobase", .def = UINT32_MAX, .help = "first port"),
    PROP_UINT32(Parallel, irq, .name = "irq", .def = 7, .help = "ISA interrupt"),
    PROP_CHARDEV(Parallel, chr, .name = "chardev", .help = "what the printer prints on"),
    {}
};

static void count_below(Device *dev, void *opaque)
{
    uint32_t *next = opaque;

    if (dev->type == &isa_parallel_type && dev->realized) {
        *next = MAX(*next, DEVICE_CAST(dev, Parallel)->index + 1);
    }
}

static bool parallel_place(Parallel *port, GError **error)
{
    if (port->index == UINT32_MAX) {
        port->index = 0;
        devices_foreach(port->dev.vm, count_below, &port->index);
    }
    if (port->index >= PLACES) {
        set_error(error, "Max. supported number of parallel ports is %d.", PLACES);
        return false;
    }
    if (port->iobase == UINT32_MAX) {
        port->iobase = places[port->index];
    }
    if (port->irq > 15) {
        set_error(error, "irq %u is not an ISA interrupt: expected 0 to 15", port->irq);
        return false;
    }
    return true;
}

static bool parallel_realize(Device *dev, GError **error)
{
    Parallel *port = DEVICE_CAST(dev, Parallel);

    if (!port->chr.chr) {
        set_error(error, "Can't create parallel device, empty char device");
        return false;
    }
    if (!parallel_place(port, error)) {
        return false;
    }
    port->line = vm_isa_irq(dev->vm, port->irq);
    mem_region_init_io(&port->io, &dev->obj, "parallel", REGS, &parallel_ops, port);
    mem_region_add(&dev->vm->system_io, port->iobase & 0xffff, &port->io);
    return true;
}

static void parallel_unrealize(Device *dev)
{
    Parallel *port = DEVICE_CAST(dev, Parallel);

    if (port->io.ops) {
        mem_region_finish(&port->io);
    }
}

static void parallel_reset(Device *dev)
{
    Parallel *port = DEVICE_CAST(dev, Parallel);

    port->data = 0xff;
    port->status = STATUS_IDLE;
    port->control = CONTROL_RESET;
    port->irq_pending = false;
    parallel_update(port);
}

const DeviceType isa_parallel_type = {
    .name = "isa-parallel", .category = "input", .bus = &isa_bus_type, .size = sizeof(Parallel),
    .props = parallel_props, .state = &parallel_state, .realize = parallel_realize,
    .unrealize = parallel_unrealize, .reset = parallel_reset,
};
