/*
 * A one-port console: writes go to a character device, reads answer with a fixed byte that tells
 * software the console is there.
 */
#include "debugcon.h"

#include "chardev.h"
#include "isa.h"
#include "vm_core.h"

typedef struct DebugCon {
    Device dev;
    /* configuration */
    uint32_t iobase, readback;
    CharFrontend chr;
    /* wiring */
    MemRegion io;
} DebugCon;

static uint64_t debugcon_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((DebugCon *)opaque)->readback;
}

static void debugcon_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    uint8_t byte = value;

    chardev_write(&((DebugCon *)opaque)->chr, &byte, 1);
}

static const MemOps debugcon_ops = {
    debugcon_read, debugcon_write, .max_size = 1, .unlocked = true,
};

static const Property debugcon_props[] = {
    PROP_UINT32(DebugCon, iobase, .name = "iobase", .def = 0xe9, .help = "the port"),
    PROP_CHARDEV(DebugCon, chr, .name = "chardev", .help = "where the bytes go"),
    PROP_UINT32(DebugCon, readback, .name = "readback", .def = 0xe9,
                .help = "what the port reads as"),
    {}
};

static bool debugcon_realize(Device *dev, GError **error)
{
    DebugCon *con = DEVICE_CAST(dev, DebugCon);

    mem_region_init_io(&con->io, &dev->obj, "isa-debugcon", 1, &debugcon_ops, con);
    mem_region_add(&dev->vm->system_io, con->iobase & 0xffff, &con->io);
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    DebugCon *con = DEVICE_CAST(dev, DebugCon);

    mem_region_finish(&con->io);
    chardev_detach(&con->chr);
}

const DeviceType isa_debugcon_type = {
    .name = "isa-debugcon", .category = "misc", .bus = &isa_bus_type, .size = sizeof(DebugCon),
    .props = debugcon_props, .realize = debugcon_realize, .unrealize = debugcon_unrealize,
};
