/*
 * PCI cards with one, two or four 16550 UARTs, eight ports of one BAR each.  The UARTs share the
 * card's interrupt: it is high while one of theirs is.
 */
#include "pci_serial.h"

#include "pci.h"
#include "uart.h"
#include "vm_core.h"

#define UARTS_MAX   4
#define UART_PORTS  8

typedef struct PciSerial {
    PciDevice pci;
    /* configuration; the back ends and the clock are the UARTs' */
    uint8_t prog_if;
    bool wakeup;
    /* wiring */
    MemRegion io;
    unsigned uarts_made;
    /* guest-visible state */
    Uart uarts[UARTS_MAX];
    uint32_t levels[UARTS_MAX];
} PciSerial;

typedef struct PciSerialClass {
    PciClass pci;
    unsigned uarts;
} PciSerialClass;

static unsigned uart_count(const Device *dev)
{
    return ((const PciSerialClass *)dev->type->bus_class)->uarts;
}

static void serial_update(PciSerial *card)
{
    bool level = false;

    for (unsigned i = 0; i < UARTS_MAX; i++) {
        level |= card->levels[i] != 0;
    }
    pci_set_intx(&card->pci, level);
}

static void uart_irq(void *opaque, int n, int level)
{
    PciSerial *card = opaque;

    card->levels[n] = level;
    serial_update(card);
}

/* ---- state ---- */

static const StateField serial_fields[] = {
    STATE_STRUCT(PciSerial, pci, PciDevice, pci_device_state),
    STATE_STRUCT(PciSerial, uarts[0], Uart, uart_state),
    {}
};
static const StateDesc serial_state = {
    .name = "pci-serial", .version = 1, .fields = serial_fields,
};

static const StateField multi_fields[] = {
    STATE_STRUCT(PciSerial, pci, PciDevice, pci_device_state),
    STATE_STRUCT_ARRAY(PciSerial, uarts, Uart, uart_state),
    STATE_UINT32_ARRAY(PciSerial, levels),
    {}
};
static const StateDesc multi_state = {
    .name = "pci-serial-multi", .version = 1, .fields = multi_fields,
};

/* ---- properties ---- */

#define PROP_PROG_IF \
    PROP_UINT8(PciSerial, prog_if, .name = "prog_if", .def = 2, \
               .help = "programming interface: 2 means a 16550")
#define PROP_UART(n_) \
    PROP_CHARDEV(PciSerial, uarts[(n_) - 1].chr, .name = "chardev" #n_, \
                 .help = "what UART " #n_ " is connected to")

static const Property serial_props[] = {
    PROP_PROG_IF,
    PROP_CHARDEV(PciSerial, uarts[0].chr, .name = "chardev", .hidden = true,
                 .help = "what it is connected to"),
    PROP_UINT32(PciSerial, uarts[0].baudbase, .name = "baudbase", .def = 115200, .hidden = true,
                .help = "bits per second at divisor 1"),
    PROP_BOOL(PciSerial, wakeup, .name = "wakeup", .hidden = true,
              .help = "kept for command lines that have it: input wakes no suspended guest"),
    {}
};
static const Property serial_2x_props[] = { PROP_UART(1), PROP_UART(2), PROP_PROG_IF, {} };
static const Property serial_4x_props[] = {
    PROP_UART(1), PROP_UART(2), PROP_UART(3), PROP_UART(4), PROP_PROG_IF, {}
};

/* ---- lifecycle ---- */

static bool serial_realize(Device *dev, GError **error)
{
    PciSerial *card = DEVICE_CAST(dev, PciSerial);
    unsigned n = uart_count(dev);

    card->pci.config[PCI_CLASS_PROG] = card->prog_if;
    card->pci.config[PCI_INTERRUPT_PIN] = 1;
    mem_region_init(&card->io, &dev->obj, "serial", UART_PORTS * n);
    /* Saved state has all four of a card with several; those without ports stand still. */
    for (unsigned i = 0; i < (n > 1 ? UARTS_MAX : 1); i++) {
        Uart *uart = &card->uarts[i];

        uart->baudbase = uart->baudbase ? uart->baudbase : 115200;
        uart->irq = (IrqLine){ uart_irq, card, i };
        uart_init(uart, dev->vm, &dev->obj, "serial");
        card->uarts_made++;
        if (i < n) {
            mem_region_add(&card->io, UART_PORTS * i, &uart->io);
        }
    }
    pci_register_bar(&card->pci, 0, PCI_BAR_IO, &card->io);
    return true;
}

static void serial_unrealize(Device *dev)
{
    PciSerial *card = DEVICE_CAST(dev, PciSerial);

    if (!card->uarts_made) {
        return;
    }
    while (card->uarts_made) {
        uart_finish(&card->uarts[--card->uarts_made]);
    }
    mem_region_finish(&card->io);
}

static void serial_reset(Device *dev)
{
    PciSerial *card = DEVICE_CAST(dev, PciSerial);

    pci_reset(&card->pci);
    for (unsigned i = 0; i < card->uarts_made; i++) {
        uart_reset(&card->uarts[i]);
    }
    serial_update(card);
}

#define SERIAL_TYPE(type_, name_, uarts_, device_id_, props_, state_) \
    static const PciSerialClass type_##_class = { \
        .pci = { .vendor_id = 0x1b36, .device_id = (device_id_), .class_id = 0x0700, \
                 .revision = 1 }, \
        .uarts = (uarts_), \
    }; \
    const DeviceType type_ = { \
        .name = name_, .category = "input", .bus = &pci_bus_type, .size = sizeof(PciSerial), \
        .props = props_, .state = &(state_), .bus_class = &type_##_class, \
        .realize = serial_realize, .unrealize = serial_unrealize, .reset = serial_reset, \
    };
SERIAL_TYPE(pci_serial_type, "pci-serial", 1, 0x0002, serial_props, serial_state)
SERIAL_TYPE(pci_serial_2x_type, "pci-serial-2x", 2, 0x0003, serial_2x_props, multi_state)
SERIAL_TYPE(pci_serial_4x_type, "pci-serial-4x", 4, 0x0004, serial_4x_props, multi_state)
