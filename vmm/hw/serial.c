/* A PC's serial port: a UART at one of the four usual places of the ISA bus. */
#include "serial.h"

#include "isa.h"
#include "rhea_error.h"
#include "uart.h"
#include "vm_core.h"

typedef struct IsaSerial {
    Device dev;
    /* configuration: UINT32_MAX takes the next place, or the place's own */
    uint32_t index, iobase, irq;
    /* the rest, state included, is the UART's */
    Uart uart;
} IsaSerial;

static const struct { uint16_t iobase; uint8_t irq; } places[ISA_SERIAL_MAX] = {
    { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 },
};

static const StateField serial_fields[] = { STATE_STRUCT(IsaSerial, uart, Uart, uart_state), {} };
static const StateDesc serial_state = { .name = "serial", .version = 3, .fields = serial_fields };

static const Property serial_props[] = {
    PROP_UINT32(IsaSerial, index, .name = "index", .def = UINT32_MAX,
                .help = "which of the four, from 0"),
    PROP_UINT32(IsaSerial, iobase, .name = "iobase", .def = UINT32_MAX, .help = "first port"),
    PROP_UINT32(IsaSerial, irq, .name = "irq", .def = UINT32_MAX, .help = "ISA interrupt"),
    PROP_CHARDEV(IsaSerial, uart.chr, .name = "chardev", .hidden = true,
                 .help = "what it is connected to"),
    PROP_UINT32(IsaSerial, uart.baudbase, .name = "baudbase", .def = 115200, .hidden = true,
                .help = "bits per second at divisor 1"),
    {}
};

static void count_below(Device *dev, void *opaque)
{
    uint32_t *next = opaque;

    if (dev->type == &isa_serial_type && dev->realized) {
        *next = MAX(*next, DEVICE_CAST(dev, IsaSerial)->index + 1);
    }
}

static bool serial_realize(Device *dev, GError **error)
{
    IsaSerial *serial = DEVICE_CAST(dev, IsaSerial);

    if (serial->index == UINT32_MAX) {
        serial->index = 0;
        devices_foreach(dev->vm, count_below, &serial->index);
    }
    if (serial->index >= ISA_SERIAL_MAX) {
        set_error(error, "Max. supported number of ISA serial ports is %d.", ISA_SERIAL_MAX);
        return false;
    }
    if (serial->iobase == UINT32_MAX) {
        serial->iobase = places[serial->index].iobase;
    }
    if (serial->irq == UINT32_MAX) {
        serial->irq = places[serial->index].irq;
    }
    if (serial->irq > 15) {
        set_error(error, "irq %u is not an ISA interrupt: expected 0 to 15", serial->irq);
        return false;
    }
    serial->uart.irq = vm_isa_irq(dev->vm, serial->irq);
    uart_init(&serial->uart, dev->vm, &dev->obj, "serial");
    mem_region_add(&dev->vm->system_io, serial->iobase & 0xffff, &serial->uart.io);
    return true;
}

static void serial_unrealize(Device *dev)
{
    uart_finish(&DEVICE_CAST(dev, IsaSerial)->uart);
}

static void serial_reset(Device *dev)
{
    uart_reset(&DEVICE_CAST(dev, IsaSerial)->uart);
}

const DeviceType isa_serial_type = {
    .name = "isa-serial", .category = "input", .bus = &isa_bus_type, .size = sizeof(IsaSerial),
    .props = serial_props, .state = &serial_state, .realize = serial_realize,
    .unrealize = serial_unrealize, .reset = serial_reset,
};
