/*
 * Intel 82093AA I/O APIC.
 *
 * Three windows in its page: IOREGSEL picks a register, IOWIN is that register, EOI ends vectors
 * (from version 20h on).  A pin sends its message through vm->msi_send().  Lines are active when
 * high: the polarity bit is kept, but boards wire every source so.
 */
#include "ioapic.h"

#include <inttypes.h>
#include <string.h>

#include "vm_core.h"

/* Offsets in the page. */
enum { IOAPIC_IOREGSEL = 0x00, IOAPIC_IOWIN = 0x10, IOAPIC_EOI = 0x40 };
/* Registers behind IOWIN. */
enum { IOAPIC_ID = 0x00, IOAPIC_VER = 0x01, IOAPIC_ARB = 0x02, IOAPIC_REDTBL = 0x10 };

#define IOAPIC_ID_SHIFT 24
#define IOAPIC_ID_MASK  0x0f

/* Redirection entry (3.2.4). */
#define RTE_VECTOR(rte)     ((uint8_t)(rte))
#define RTE_DELIVERY(rte)   ((unsigned)((rte) >> 8) & 7)
#define RTE_LOGICAL         (UINT64_C(1) << 11)
#define RTE_STATUS          (UINT64_C(1) << 12)
#define RTE_ACTIVE_LOW      (UINT64_C(1) << 13)
#define RTE_REMOTE_IRR      (UINT64_C(1) << 14)
#define RTE_LEVEL           (UINT64_C(1) << 15)
#define RTE_MASKED          (UINT64_C(1) << 16)
#define RTE_DEST(rte)       ((unsigned)((rte) >> 56))
#define RTE_READ_ONLY       (RTE_STATUS | RTE_REMOTE_IRR)

/* Messages (Intel SDM volume 3A, 10.11). */
#define MSI_ADDRESS         0xfee00000u
#define MSI_DEST_SHIFT      12
#define MSI_LOGICAL         (1u << 2)
#define MSI_DATA_ASSERT     (1u << 14)
#define MSI_DATA_LEVEL      (1u << 15)

typedef struct Ioapic {
    Device dev;
    /* configuration */
    uint8_t version;
    /* wiring */
    MemRegion io;
    void (*route)(Vm *vm, unsigned pin, uint64_t address, uint32_t data);
    void (*taken)(void *opaque, unsigned pin);
    void *taken_opaque;
    uint64_t irq_count[IOAPIC_PINS];    /* for `info irq` */
    /* guest-visible state */
    uint8_t id;
    uint8_t ioregsel;
    uint32_t irr;                       /* requests not yet sent */
    uint32_t levels;                    /* of the pins */
    uint64_t ioredtbl[IOAPIC_PINS];
} Ioapic;

/* ---- messages ---- */

static uint64_t rte_address(uint64_t rte)
{
    return MSI_ADDRESS | RTE_DEST(rte) << MSI_DEST_SHIFT | (rte & RTE_LOGICAL ? MSI_LOGICAL : 0);
}

static uint32_t rte_data(uint64_t rte)
{
    return RTE_VECTOR(rte) | RTE_DELIVERY(rte) << 8 | MSI_DATA_ASSERT |
           (rte & RTE_LEVEL ? MSI_DATA_LEVEL : 0);
}

static void ioapic_send(Ioapic *ioapic, unsigned pin)
{
    Vm *vm = ioapic->dev.vm;
    uint64_t rte = ioapic->ioredtbl[pin];

    if (vm->msi_send != NULL) {
        vm->msi_send(vm, rte_address(rte), rte_data(rte));
    }
}

static void ioapic_service(Ioapic *ioapic, unsigned pin)
{
    uint64_t *rte = &ioapic->ioredtbl[pin];
    uint32_t bit = 1u << pin;

    if (!(ioapic->irr & bit) || *rte & RTE_MASKED) {
        return;
    }
    if (*rte & RTE_LEVEL) {
        if (*rte & RTE_REMOTE_IRR) {
            return;
        }
        *rte |= RTE_REMOTE_IRR;
    } else {
        ioapic->irr &= ~bit;
    }
    ioapic_send(ioapic, pin);
}

static void ioapic_tell_route(Ioapic *ioapic, unsigned pin)
{
    uint64_t rte = ioapic->ioredtbl[pin];

    if (ioapic->route != NULL) {
        ioapic->route(ioapic->dev.vm, pin, rte_address(rte), rte & RTE_MASKED ? 0 : rte_data(rte));
    }
}

/* ---- inputs ---- */

static void ioapic_set_pin(void *opaque, int pin, int level)
{
    Ioapic *ioapic = opaque;
    uint64_t rte = ioapic->ioredtbl[pin];
    uint32_t bit = 1u << pin;
    bool rises = level && !(ioapic->levels & bit);

    if (rises) {
        /* The timer is interrupt 0 everywhere else. */
        ioapic->irq_count[pin == 2 ? 0 : pin]++;
    }
    ioapic->levels = level ? ioapic->levels | bit : ioapic->levels & ~bit;
    if (rte & RTE_LEVEL) {
        ioapic->irr = level ? ioapic->irr | bit : ioapic->irr & ~bit;
    } else if (rises && !(rte & RTE_MASKED)) {      /* 3.2.4: edges on a masked pin are lost */
        ioapic->irr |= bit;
    }
    ioapic_service(ioapic, pin);
}

void ioapic_eoi(Device *dev, uint8_t vector)
{
    Ioapic *ioapic = DEVICE_CAST(dev, Ioapic);

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *rte = &ioapic->ioredtbl[pin];

        if (RTE_VECTOR(*rte) == vector && *rte & RTE_LEVEL && *rte & RTE_REMOTE_IRR) {
            *rte &= ~RTE_REMOTE_IRR;
            ioapic_service(ioapic, pin);
        }
    }
}

bool ioapic_open(const Device *dev, unsigned pin)
{
    return !(DEVICE_CAST(dev, const Ioapic)->ioredtbl[pin] & RTE_MASKED);
}

static void vector_taken(Vm *vm, uint8_t vector)
{
    const Ioapic *ioapic = DEVICE_CAST(vm->ioapic, const Ioapic);

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t rte = ioapic->ioredtbl[pin];

        if (RTE_VECTOR(rte) == vector && !(rte & (RTE_LEVEL | RTE_MASKED))) {
            ioapic->taken(ioapic->taken_opaque, pin);
        }
    }
}

/* ---- registers ---- */

static bool regsel_pin(const Ioapic *ioapic, unsigned *pin)
{
    *pin = (ioapic->ioregsel - IOAPIC_REDTBL) >> 1;
    return ioapic->ioregsel >= IOAPIC_REDTBL && *pin < IOAPIC_PINS;
}

static uint32_t window_read(const Ioapic *ioapic)
{
    unsigned pin;

    switch (ioapic->ioregsel) {
    case IOAPIC_ID:
    case IOAPIC_ARB:
        return (uint32_t)ioapic->id << IOAPIC_ID_SHIFT;
    case IOAPIC_VER:
        return ioapic->version | (IOAPIC_PINS - 1) << 16;
    }
    if (!regsel_pin(ioapic, &pin)) {
        return 0;
    }
    return ioapic->ioregsel & 1 ? ioapic->ioredtbl[pin] >> 32 : (uint32_t)ioapic->ioredtbl[pin];
}

static void rte_write(Ioapic *ioapic, unsigned pin, uint32_t value, bool high)
{
    uint64_t *rte = &ioapic->ioredtbl[pin];
    uint32_t bit = 1u << pin;

    if (high) {
        *rte = (uint32_t)*rte | (uint64_t)value << 32;
    } else {
        *rte = (*rte & (RTE_READ_ONLY | UINT64_C(0xffffffff00000000))) |
               (value & ~(uint32_t)RTE_READ_ONLY & 0x1ffff);
    }
    if (*rte & RTE_LEVEL) {
        ioapic->irr = (ioapic->irr & ~bit) | (ioapic->levels & bit);
    } else {
        *rte &= ~RTE_REMOTE_IRR;
    }
    ioapic_tell_route(ioapic, pin);
    ioapic_service(ioapic, pin);
}

static void window_write(Ioapic *ioapic, uint32_t value)
{
    unsigned pin;

    if (ioapic->ioregsel == IOAPIC_ID) {
        ioapic->id = value >> IOAPIC_ID_SHIFT & IOAPIC_ID_MASK;
    } else if (regsel_pin(ioapic, &pin)) {
        rte_write(ioapic, pin, value, ioapic->ioregsel & 1);
    }
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned size)
{
    const Ioapic *ioapic = opaque;

    switch (offset & 0xff) {
    case IOAPIC_IOREGSEL:
        return ioapic->ioregsel;
    case IOAPIC_IOWIN:
        return window_read(ioapic);
    }
    return 0;
}

static void ioapic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ioapic *ioapic = opaque;

    switch (offset & 0xff) {
    case IOAPIC_IOREGSEL:
        ioapic->ioregsel = value;
        break;
    case IOAPIC_IOWIN:
        window_write(ioapic, value);
        break;
    case IOAPIC_EOI:
        if (ioapic->version >= 0x20) {
            ioapic_eoi(&ioapic->dev, value);
        }
        break;
    }
}

static const MemOps ioapic_ops = {
    .read = ioapic_read, .write = ioapic_write, .min_size = 1, .max_size = 4,
};

/* ---- views ---- */

static const char *const delivery_names[8] = {
    "fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT",
};

static void print_pins(GString *out, const char *title, uint32_t pins)
{
    g_string_append(out, title);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if (pins >> pin & 1) {
            g_string_append_printf(out, " %u", pin);
        }
    }
    g_string_append(out, pins != 0 ? "\n" : " (none)\n");
}

static void print_ioapic(const Ioapic *ioapic, GString *out)
{
    uint32_t remote_irr = 0;
    unsigned selected;

    g_string_append_printf(out, "ioapic0: ver=0x%x id=0x%02x sel=0x%02x", ioapic->version,
                           ioapic->id, ioapic->ioregsel);
    if (regsel_pin(ioapic, &selected)) {
        g_string_append_printf(out, " (redir[%u])", selected);
    }
    g_string_append_c(out, '\n');
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t rte = ioapic->ioredtbl[pin];

        g_string_append_printf(out, "  pin %-2u 0x%016" PRIx64 " dest=%x vec=%-3u active-%s %-5s "
                               "%-6s %-6s %s\n", pin, rte, RTE_DEST(rte), RTE_VECTOR(rte),
                               rte & RTE_ACTIVE_LOW ? "lo" : "hi",
                               rte & RTE_LEVEL ? "level" : "edge",
                               rte & RTE_MASKED ? "masked" : "", delivery_names[RTE_DELIVERY(rte)],
                               rte & RTE_LOGICAL ? "logical" : "physical");
        remote_irr |= rte & RTE_LEVEL && rte & RTE_REMOTE_IRR ? 1u << pin : 0;
    }
    print_pins(out, "  IRR     ", ioapic->irr);
    print_pins(out, "  Remote IRR", remote_irr);
}

static void ioapic_view(Device *dev, DeviceView view, GString *out)
{
    const Ioapic *ioapic = DEVICE_CAST(dev, const Ioapic);

    if (view == VIEW_PIC) {
        print_ioapic(ioapic, out);
    } else if (view == VIEW_IRQ) {
        g_string_append_printf(out, "IRQ statistics for %s:\n", dev->type->name);
        for (unsigned n = 0; n < IOAPIC_PINS; n++) {
            if (ioapic->irq_count[n] > 0) {
                g_string_append_printf(out, "%2u: %" PRIu64 "\n", n, ioapic->irq_count[n]);
            }
        }
    }
}

/* ---- state ---- */

static bool ioapic_loaded(void *opaque, GError **error)
{
    Ioapic *ioapic = opaque;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        ioapic_tell_route(ioapic, pin);
    }
    return true;
}

static bool levels_needed(const void *opaque)
{
    return ((const Ioapic *)opaque)->levels != 0;
}

static const StateField levels_fields[] = {
    STATE_UINT32(Ioapic, levels, .range = { 0, (1 << IOAPIC_PINS) - 1 }),
    {}
};
static const StateDesc levels_state = {
    .name = "ioapic/levels", .version = 1, .fields = levels_fields, .needed = levels_needed,
};
static const StateDesc *const ioapic_subsections[] = { &levels_state, NULL };

static const StateField ioapic_fields[] = {
    STATE_UINT8(Ioapic, id, .range = { 0, IOAPIC_ID_MASK }),
    STATE_UINT8(Ioapic, ioregsel),
    STATE_UNUSED(8),
    STATE_UINT32(Ioapic, irr, .range = { 0, (1 << IOAPIC_PINS) - 1 }),
    STATE_UINT64_ARRAY(Ioapic, ioredtbl),
    {}
};
static const StateDesc ioapic_state = {
    .name = "ioapic", .version = 3, .fields = ioapic_fields, .subsections = ioapic_subsections,
    .loaded = ioapic_loaded,
};

static const Property ioapic_props[] = {
    PROP_UINT8(Ioapic, version, .name = "version", .def = 0x20, .help = "version register"),
    {}
};

/* ---- life ---- */

static bool ioapic_realize(Device *dev, GError **error)
{
    Ioapic *ioapic = DEVICE_CAST(dev, Ioapic);

    dev->gpio_in = IOAPIC_PINS;
    mem_region_init_io(&ioapic->io, &dev->obj, "ioapic", 0x1000, &ioapic_ops, ioapic);
    device_add_mmio(dev, &ioapic->io);
    return true;
}

static void ioapic_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, Ioapic)->io);
    if (dev->vm->ioapic == dev) {
        dev->vm->ioapic = NULL;
        dev->vm->ioapic_eoi = NULL;
        dev->vm->ioapic_taken = NULL;
    }
}

static void ioapic_reset(Device *dev)
{
    Ioapic *ioapic = DEVICE_CAST(dev, Ioapic);

    ioapic->id = 0;
    ioapic->ioregsel = 0;
    ioapic->irr = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        ioapic->ioredtbl[pin] = RTE_MASKED;
        ioapic_tell_route(ioapic, pin);
    }
}

static void end_of_interrupt(Vm *vm, uint8_t vector)
{
    if (vm->ioapic != NULL) {
        ioapic_eoi(vm->ioapic, vector);
    }
}

Device *ioapic_new(Vm *vm, uint64_t base, GError **error)
{
    Device *dev = device_new(vm, &ioapic_type, NULL);

    if (!device_realize(dev, NULL, error)) {
        return NULL;
    }
    mem_region_add(&vm->system_memory, base, &DEVICE_CAST(dev, Ioapic)->io);
    vm->ioapic = dev;
    vm->ioapic_eoi = end_of_interrupt;
    return dev;
}

IrqLine ioapic_input(Device *dev, unsigned pin)
{
    g_assert(pin < IOAPIC_PINS);
    return (IrqLine){ ioapic_set_pin, dev, (int)pin };
}

void ioapic_set_route(Device *dev, void (*route)(Vm *vm, unsigned pin, uint64_t address,
                                                 uint32_t data))
{
    DEVICE_CAST(dev, Ioapic)->route = route;
}

void ioapic_set_taken(Device *dev, void (*taken)(void *opaque, unsigned pin), void *opaque)
{
    Ioapic *ioapic = DEVICE_CAST(dev, Ioapic);

    ioapic->taken = taken;
    ioapic->taken_opaque = opaque;
    dev->vm->ioapic_taken = vector_taken;
}

const DeviceType ioapic_type = {
    .name = "ioapic", .help = "82093AA I/O APIC",
    .bus = &system_bus_type, .size = sizeof(Ioapic), .props = ioapic_props, .state = &ioapic_state,
    .board_only = true, .realize = ioapic_realize, .unrealize = ioapic_unrealize,
    .reset = ioapic_reset, .view = ioapic_view,
};
