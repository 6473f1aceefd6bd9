/*
 * A port whose writes end the process with exit code value * 2 + 1, so that 0 stays for other ends.
 */
#include "debugexit.h"

#include "isa.h"
#include "vm_core.h"

typedef struct DebugExit {
    Device dev;
    /* configuration */
    uint32_t iobase, iosize;
    /* wiring */
    MemRegion io;
} DebugExit;

static uint64_t debugexit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void debugexit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    DebugExit *dbg = opaque;

    vm_request_exit(dbg->dev.vm, (int)(value << 1 | 1));
}

static const MemOps debugexit_ops = { debugexit_read, debugexit_write, .max_size = 4 };

static const Property debugexit_props[] = {
    PROP_UINT32(DebugExit, iobase, .name = "iobase", .def = 0x501, .help = "first port"),
    PROP_UINT32(DebugExit, iosize, .name = "iosize", .def = 2, .help = "number of ports"),
    {}
};

static bool debugexit_realize(Device *dev, GError **error)
{
    DebugExit *dbg = DEVICE_CAST(dev, DebugExit);

    mem_region_init_io(&dbg->io, &dev->obj, "isa-debug-exit", CLAMP(dbg->iosize, 1, 0x100),
                       &debugexit_ops, dbg);
    mem_region_add(&dev->vm->system_io, dbg->iobase & 0xffff, &dbg->io);
    return true;
}

static void debugexit_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, DebugExit)->io);
}

const DeviceType isa_debug_exit_type = {
    .name = "isa-debug-exit", .category = "misc", .bus = &isa_bus_type, .size = sizeof(DebugExit),
    .props = debugexit_props, .realize = debugexit_realize, .unrealize = debugexit_unrealize,
};
