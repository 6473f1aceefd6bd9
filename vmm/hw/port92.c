/*
 * System control port A of the PS/2 and later: bit 0 resets the processor on its rising edge, bit 1
 * is address line 20.
 */
#include "port92.h"

#include "isa.h"
#include "vm_core.h"

#define PORT92_RESET    (1u << 0)
#define PORT92_A20      (1u << 1)

typedef struct Port92 {
    Device dev;
    /* wiring */
    MemRegion io;
    /* guest-visible state */
    uint8_t outport;
} Port92;

void a20_set(Vm *vm, bool enabled)
{
    if (vm->a20 != enabled) {
        vm->a20 = enabled;
        if (vm->a20_changed != NULL) {
            vm->a20_changed(vm);
        }
    }
}

/* Reads what was written, with the line as the keyboard controller may have left it. */
static uint64_t port92_read(void *opaque, uint64_t offset, unsigned size)
{
    Port92 *port = opaque;

    return (port->outport & ~PORT92_A20) | (port->dev.vm->a20 ? PORT92_A20 : 0);
}

static void port92_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Port92 *port = opaque;
    bool reset = (value & PORT92_RESET) != 0 && (port->outport & PORT92_RESET) == 0;

    port->outport = value;
    a20_set(port->dev.vm, (value & PORT92_A20) != 0);
    if (reset) {
        vm_request_reset(port->dev.vm, SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static const MemOps port92_ops = { port92_read, port92_write, .max_size = 1 };

static const StateField port92_fields[] = { STATE_UINT8(Port92, outport), {} };
static const StateDesc port92_state = { .name = "port92", .version = 1, .fields = port92_fields };

static bool port92_realize(Device *dev, GError **error)
{
    Port92 *port = DEVICE_CAST(dev, Port92);

    mem_region_init_io(&port->io, &dev->obj, "port92", 1, &port92_ops, port);
    mem_region_add(&dev->vm->system_io, 0x92, &port->io);
    return true;
}

static void port92_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, Port92)->io);
}

static void port92_reset(Device *dev)
{
    DEVICE_CAST(dev, Port92)->outport = 0;
    a20_set(dev->vm, true);                         /* on a PC the firmware leaves it open */
}

static const DeviceGpio port92_gpios[] = { { "out", "a20", 1 }, {} };

const DeviceType port92_type = {
    .name = "port92", .bus = &isa_bus_type, .size = sizeof(Port92), .state = &port92_state,
    .board_only = true, .gpios = port92_gpios, .realize = port92_realize,
    .unrealize = port92_unrealize, .reset = port92_reset,
};
