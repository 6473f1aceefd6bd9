/*
 * pvpanic: reading the port tells which events the device takes, writing reports one: the guest has
 * panicked, or is about to run a crash kernel.
 */
#include "pvpanic.h"

#include "isa.h"
#include "vm_core.h"

#define PVPANIC_PANICKED        (1u << 0)
#define PVPANIC_CRASH_LOADED    (1u << 1)

typedef struct PvPanic {
    Device dev;
    /* configuration */
    uint16_t ioport;
    uint8_t events;
    /* wiring */
    MemRegion io;
} PvPanic;

static uint64_t pvpanic_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((PvPanic *)opaque)->events;
}

static void pvpanic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PvPanic *panic = opaque;

    value &= panic->events;
    if (value & PVPANIC_PANICKED) {
        vm_request_guest_panic(panic->dev.vm, "pause");
    } else if (value & PVPANIC_CRASH_LOADED) {
        vm_request_guest_panic(panic->dev.vm, "run");
    }
}

static const MemOps pvpanic_ops = { pvpanic_read, pvpanic_write, .max_size = 1 };

static const Property pvpanic_props[] = {
    PROP_UINT16(PvPanic, ioport, .name = "ioport", .def = 0x505, .help = "the port"),
    PROP_UINT8(PvPanic, events, .name = "events", .def = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
               .help = "events the guest may report: 1 panicked, 2 crash kernel loaded"),
    {}
};

uint16_t pvpanic_port(const Device *dev)
{
    return ((const PvPanic *)dev)->ioport;
}

static bool pvpanic_realize(Device *dev, GError **error)
{
    PvPanic *panic = DEVICE_CAST(dev, PvPanic);

    mem_region_init_io(&panic->io, &dev->obj, "pvpanic", 1, &pvpanic_ops, panic);
    mem_region_add(&dev->vm->system_io, panic->ioport, &panic->io);
    return true;
}

static void pvpanic_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, PvPanic)->io);
}

const DeviceType pvpanic_type = {
    .name = "pvpanic", .category = "misc", .bus = &isa_bus_type, .size = sizeof(PvPanic),
    .props = pvpanic_props, .realize = pvpanic_realize, .unrealize = pvpanic_unrealize,
};
