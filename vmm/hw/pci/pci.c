/*
 * The PCI bus: where devices sit, how their BARs are decoded and their interrupt pins add up.
 *
 * Registers with common behaviour are handled here (command, status, BARs, ROM, interrupt line); a
 * type sees a write after that through its config_write.
 */
#include "pci.h"

#include <string.h>

#include "rhea_error.h"
#include "rom.h"

/* Where the list of capabilities may begin: behind the header. */
#define PCI_CAPABILITIES 0x40
/* What Linux has room for in the name of an onboard device. */
#define PCI_ACPI_INDEX_MAX (16 * 1024 - 1)
#define PCI_ROM_MAX (16 * 1024 * 1024)

/* ---- the addr= property: "4", "04.0", "0x1.0x2" ---- */

static bool devfn_parse(Object *obj, const Property *prop, void *field, const char *text,
                        GError **error)
{
    char *end;
    guint64 slot = g_ascii_strtoull(text, &end, 16);
    guint64 function = 0;
    bool ok = end != text && g_ascii_isxdigit(text[0]);

    if (g_str_equal(text, "-1")) {
        *(int32_t *)field = -1;
        return true;
    }
    if (ok && *end == '.') {
        const char *second = end + 1;

        function = g_ascii_strtoull(second, &end, 16);
        ok = end != second && g_ascii_isxdigit(second[0]);
    }
    if (!ok || *end || slot > 31 || function > 7) {
        set_error(error, "Property '%s.%s' doesn't take value '%s'", obj->type_name, prop->name,
                  text);
        error_add_hint(error, "a slot and function, 0.0 to 1f.7 in hexadecimal: addr=04.0");
        return false;
    }
    *(int32_t *)field = slot << 3 | function;
    return true;
}

static char *devfn_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("%d", *(const int32_t *)field);
}

static char *devfn_print_qtree(const Object *obj, const Property *prop, const void *field)
{
    int32_t devfn = *(const int32_t *)field;

    return devfn < 0 ? g_strdup("<unset>") : g_strdup_printf("%02x.%x", devfn >> 3, devfn & 7);
}

static const PropType prop_pci_devfn = {
    .name = "int32", .json = PROP_JSON_INT,
    .parse = devfn_parse, .print = devfn_print, .print_qtree = devfn_print_qtree,
};

static const Property pci_device_props[] = {
    PROP_OF(prop_pci_devfn, int32_t, PciDevice, devfn, .name = "addr", .def = -1,
            .help = "slot and function, as in 04.0; default: the next free slot"),
    PROP_STRING(PciDevice, romfile, .name = "romfile", .help = "option ROM file; empty: none"),
    PROP_UINT32(PciDevice, romsize, .name = "romsize", .def = UINT32_MAX,
                .help = "size of the option ROM's BAR, a power of two; default: the file's"),
    PROP_UINT32(PciDevice, rombar, .name = "rombar", .def = 1,
                .help = "0: hide the option ROM"),
    PROP_BOOL(PciDevice, multifunction, .name = "multifunction",
              .help = "other functions may share the slot"),
    PROP_BOOL(PciDevice, lnksta_dllla, .name = "x-pcie-lnksta-dllla", .def = true,
              .help = "PCI Express devices: report an active link"),
    PROP_BOOL(PciDevice, extcap_init, .name = "x-pcie-extcap-init", .def = true,
              .help = "PCI Express devices: clear extended capabilities"),
    PROP_STRING(PciDevice, failover_pair_id, .name = "failover_pair_id",
                .help = "standby network device; network cards only"),
    PROP_UINT32(PciDevice, acpi_index, .name = "acpi-index",
                .help = "index of the device in ACPI's naming of onboard devices"),
    {}
};

/* ---- interrupt pins ---- */

/* Moves the share of `dev` in its router input by what `delta` says. */
static void pci_route_pin(PciDevice *dev, int pin, int delta)
{
    PciBus *bus = dev->pci_bus;

    if (!bus->map_irq) {
        return;
    }
    int input = bus->map_irq(dev, pin);
    bus->irq_count[input] += delta;
    bus->set_irq(bus->irq_opaque, input, bus->irq_count[input] != 0);
}

static bool pci_intx_disabled(const PciDevice *dev)
{
    return pci_get_word(dev->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
}

static void pci_update_intx_status(PciDevice *dev)
{
    uint16_t status = pci_get_word(dev->config + PCI_STATUS) & ~PCI_STATUS_INTERRUPT;

    for (int pin = 0; pin < 4; pin++) {
        status |= dev->irq_state[pin] ? PCI_STATUS_INTERRUPT : 0;
    }
    pci_set_word(dev->config + PCI_STATUS, status);
}

void pci_set_intx(PciDevice *dev, int level)
{
    uint8_t pin = dev->config[PCI_INTERRUPT_PIN];

    g_assert(pin >= 1 && pin <= 4);
    if (dev->irq_state[pin - 1] == !!level) {
        return;
    }
    dev->irq_state[pin - 1] = !!level;
    pci_update_intx_status(dev);
    if (!pci_intx_disabled(dev)) {
        pci_route_pin(dev, pin - 1, level ? 1 : -1);
    }
}

/* The command register's INTX_DISABLE went from `was_disabled` to what config says. */
static void pci_update_intx_disable(PciDevice *dev, bool was_disabled)
{
    bool disabled = pci_intx_disabled(dev);

    if (disabled == was_disabled) {
        return;
    }
    for (int pin = 0; pin < 4; pin++) {
        if (dev->irq_state[pin]) {
            pci_route_pin(dev, pin, disabled ? -1 : 1);
        }
    }
}

/* ---- BARs ---- */

static uint32_t pci_bar_offset(unsigned n)
{
    return n == PCI_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BAR0 + 4 * n;
}

/* Where the guest placed BAR n, or PCI_BAR_UNMAPPED. */
static uint64_t pci_bar_address(const PciDevice *dev, unsigned n)
{
    const PciBar *bar = &dev->bars[n];
    const uint8_t *reg = dev->config + pci_bar_offset(n);
    uint16_t command = pci_get_word(dev->config + PCI_COMMAND);
    bool wide = bar->type & PCI_BAR_64;
    uint64_t limit = bar->type & PCI_BAR_IO ? UINT16_MAX : wide ? UINT64_MAX : UINT32_MAX;
    uint64_t addr = pci_get_long(reg);

    if (!(command & (bar->type & PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) {
        return PCI_BAR_UNMAPPED;
    }
    if (n == PCI_ROM_BAR && !(addr & PCI_ROM_ENABLE)) {
        return PCI_BAR_UNMAPPED;
    }
    if (wide) {
        addr |= (uint64_t)pci_get_long(reg + 4) << 32;
    }
    addr &= ~(bar->size - 1);
    /* All ones is what a driver writes to size the BAR, address 0 what reset leaves behind. */
    uint64_t last = addr + bar->size - 1;
    if (addr == 0 || last <= addr || last >= limit) {
        return PCI_BAR_UNMAPPED;
    }
    return addr;
}

void pci_update_bars(PciDevice *dev)
{
    mem_transaction_begin();
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        PciBar *bar = &dev->bars[n];
        MemRegion *space = bar->type & PCI_BAR_IO ? dev->pci_bus->io : dev->pci_bus->mem;
        uint64_t addr = bar->region ? pci_bar_address(dev, n) : PCI_BAR_UNMAPPED;

        if (!bar->region || addr == bar->addr) {
            continue;
        }
        if (bar->addr != PCI_BAR_UNMAPPED) {
            mem_region_remove(bar->region);
        }
        bar->addr = addr;
        if (addr != PCI_BAR_UNMAPPED) {
            mem_region_add_priority(space, addr, bar->region, 1);
        }
    }
    mem_transaction_commit();
}

void pci_register_bar(PciDevice *dev, unsigned n, uint8_t type, MemRegion *region)
{
    uint32_t offset = pci_bar_offset(n);
    uint64_t size = region->size;
    bool wide = type & PCI_BAR_64;

    g_assert(n < PCI_NUM_BARS && size >= 4 && !(size & (size - 1)));
    g_assert(!wide || n < PCI_ROM_BAR - 1);
    dev->bars[n] = (PciBar){ .region = region, .type = type, .size = size,
                             .addr = PCI_BAR_UNMAPPED };
    uint64_t mask = ~(size - 1);
    pci_set_long(dev->config + offset, n == PCI_ROM_BAR ? 0 : type);
    pci_set_long(dev->wmask + offset, mask | (n == PCI_ROM_BAR ? PCI_ROM_ENABLE : 0));
    if (wide) {
        pci_set_long(dev->config + offset + 4, 0);
        pci_set_long(dev->wmask + offset + 4, mask >> 32);
    }
}

/* ---- capabilities (6.7) ---- */

uint8_t pci_add_capability(PciDevice *dev, uint8_t id, unsigned size, GError **error)
{
    unsigned at = dev->cap_end != 0 ? dev->cap_end : PCI_CAPABILITIES;

    if (at + size > PCI_CONFIG_SIZE) {
        set_error(error, "%s: no room for another capability in configuration space",
                  dev->dev.type->name);
        return 0;
    }
    dev->config[at] = id;
    dev->config[at + 1] = dev->config[PCI_CAPABILITY_LIST];
    dev->config[PCI_CAPABILITY_LIST] = at;
    dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    dev->cap_end = (at + size + 3) & ~3u;
    return at;
}

/* ---- configuration space ---- */

uint32_t pci_default_config_read(PciDevice *dev, uint32_t offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_SIZE; i++) {
        value |= (uint32_t)dev->config[offset + i] << (8 * i);
    }
    return value;
}

static bool pci_touches(uint32_t offset, unsigned size, uint32_t first, uint32_t len)
{
    return offset < first + len && first < offset + size;
}

static void pci_update_bus_master(PciDevice *dev)
{
    mem_region_set_enabled(&dev->bus_master_alias,
                           pci_get_word(dev->config + PCI_COMMAND) & PCI_COMMAND_MASTER);
}

void pci_default_config_write(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size)
{
    bool was_disabled = pci_intx_disabled(dev);

    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_SIZE; i++) {
        uint8_t byte = value >> (8 * i), *reg = &dev->config[offset + i];
        uint8_t wmask = dev->wmask[offset + i];

        *reg = (*reg & ~wmask) | (byte & wmask);
        *reg &= ~(byte & dev->w1cmask[offset + i]);
    }
    bool command = pci_touches(offset, size, PCI_COMMAND, 2);
    if (command || pci_touches(offset, size, PCI_BAR0, 24) ||
        pci_touches(offset, size, PCI_ROM_ADDRESS, 4)) {
        pci_update_bars(dev);
    }
    if (command) {
        pci_update_intx_disable(dev, was_disabled);
        pci_update_bus_master(dev);
    }
}

static PciDevice *pci_target(PciBus *root, unsigned bus, unsigned devfn)
{
    return root && bus == 0 && devfn < 256 ? root->slots[devfn] : NULL;
}

uint32_t pci_config_read(PciBus *root, unsigned bus, unsigned devfn, uint32_t offset, unsigned size)
{
    PciDevice *dev = pci_target(root, bus, devfn);
    const PciClass *type = dev ? dev->dev.type->bus_class : NULL;

    if (!dev || offset + size > PCI_CONFIG_SIZE) {
        return size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * size)) - 1;
    }
    return type->config_read ? type->config_read(dev, offset, size)
                             : pci_default_config_read(dev, offset, size);
}

void pci_config_write(PciBus *root, unsigned bus, unsigned devfn, uint32_t offset, uint32_t value,
                      unsigned size)
{
    PciDevice *dev = pci_target(root, bus, devfn);
    const PciClass *type = dev ? dev->dev.type->bus_class : NULL;

    if (!dev || offset + size > PCI_CONFIG_SIZE) {
        return;
    }
    if (type->config_write) {
        type->config_write(dev, offset, value, size);
    } else {
        pci_default_config_write(dev, offset, value, size);
    }
}

void pci_reset(PciDevice *dev)
{
    uint16_t kept = pci_get_word(dev->config + PCI_STATUS) & ~PCI_STATUS_ERRORS;

    for (int pin = 0; pin < 4; pin++) {
        if (dev->irq_state[pin] && !pci_intx_disabled(dev)) {
            pci_route_pin(dev, pin, -1);
        }
        dev->irq_state[pin] = 0;
    }
    pci_set_word(dev->config + PCI_COMMAND, 0);
    pci_set_word(dev->config + PCI_STATUS, kept);
    pci_update_intx_status(dev);
    dev->config[PCI_CACHE_LINE_SIZE] = 0;
    dev->config[PCI_INTERRUPT_LINE] = 0;
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        const PciBar *bar = &dev->bars[n];
        uint8_t *reg = dev->config + pci_bar_offset(n);

        if (bar->region) {
            pci_set_long(reg, n == PCI_ROM_BAR ? 0 : bar->type);
        }
        if (bar->region && bar->type & PCI_BAR_64) {
            pci_set_long(reg + 4, 0);
        }
    }
    pci_update_bars(dev);
    pci_update_bus_master(dev);
}

/* ---- option ROM ---- */

static bool pci_has_default_rom(const PciDevice *dev)
{
    const PciClass *type = dev->dev.type->bus_class;

    return type->romfile && g_str_equal(dev->romfile, type->romfile);
}

/* The ROM a type has by default comes with a package of its own, which may not be there. */
static bool pci_lacks_default_rom(const PciDevice *dev)
{
    g_autofree char *path = NULL;

    if (!pci_has_default_rom(dev)) {
        return false;
    }
    path = rom_find(dev->dev.vm, dev->romfile, NULL);
    return !path;
}

static bool pci_load_rom(PciDevice *dev, GError **error)
{
    if (!dev->romfile || !*dev->romfile || !dev->rombar || pci_lacks_default_rom(dev)) {
        return true;
    }
    uint64_t max = dev->romsize == UINT32_MAX ? PCI_ROM_MAX : MIN(dev->romsize, PCI_ROM_MAX);
    g_autoptr(GBytes) rom = rom_load(dev->dev.vm, dev->romfile, max, error);
    if (!rom) {
        return false;
    }
    size_t len;
    const uint8_t *data = g_bytes_get_data(rom, &len);
    if (len == 0) {
        set_error(error, "romfile '%s' is empty", dev->romfile);
        return false;
    }
    /* 6.2.5.2: the expansion ROM register asks for at least 2 KiB. */
    uint64_t size = dev->romsize == UINT32_MAX ? 2048 : dev->romsize;
    while (size < len) {
        size <<= 1;
    }
    const DeviceType *type = dev->dev.type;
    /* as QEMU calls it: after what is saved of the device, if anything is */
    g_autofree char *name =
        g_strdup_printf("%s.rom", type->state != NULL ? type->state->name : type->name);
    if (!mem_region_init_rom(&dev->rom_region, &dev->dev.obj, name, size, error)) {
        return false;
    }
    dev->has_rom = true;
    dev->romsize = size;
    memset(dev->rom_region.ram->host, 0xff, size);
    memcpy(dev->rom_region.ram->host, data, len);
    /* Firmware runs it only if it names the device, and one ROM serves several. */
    if (pci_has_default_rom(dev)) {
        pci_rom_set_identity(dev->rom_region.ram->host, len,
                             pci_get_word(dev->config + PCI_VENDOR_ID),
                             pci_get_word(dev->config + PCI_DEVICE_ID));
    }
    pci_register_bar(dev, PCI_ROM_BAR, PCI_BAR_MEM, &dev->rom_region);
    return true;
}

/* ---- plugging ---- */

static bool pci_check_multifunction(PciBus *bus, PciDevice *dev, GError **error)
{
    unsigned slot = dev->devfn >> 3, function = dev->devfn & 7;
    const PciDevice *first = bus->slots[slot << 3];

    if (function) {
        if (first && !first->multifunction) {
            set_error(error, "PCI: single function device can't be populated in function %x.%x",
                      slot, function);
            return false;
        }
        return true;
    }
    for (function = 1; function < 8 && !dev->multifunction; function++) {
        if (bus->slots[slot << 3 | function]) {
            set_error(error, "PCI: %x.0 indicates single function, but %x.%x is already populated.",
                      slot, slot, function);
            return false;
        }
    }
    return true;
}

static bool pci_take_slot(PciBus *bus, PciDevice *dev, GError **error)
{
    for (int devfn = 0; dev->devfn < 0 && devfn < 256; devfn += 8) {
        if (!bus->slots[devfn]) {
            dev->devfn = devfn;
        }
    }
    if (dev->devfn < 0) {
        set_error(error, "PCI: no slot/function available for %s, all in use or reserved",
                  dev->dev.type->name);
        return false;
    }
    const PciDevice *other = bus->slots[dev->devfn];
    if (other) {
        set_error(error, "PCI: slot %d function %d not available for %s, in use by %s,id=%s",
                  dev->devfn >> 3, dev->devfn & 7, dev->dev.type->name, other->dev.type->name,
                  other->dev.id ? other->dev.id : "(null)");
        return false;
    }
    return pci_check_multifunction(bus, dev, error);
}

static void pci_init_config(PciDevice *dev, const PciClass *type)
{
    uint8_t *config = dev->config;

    pci_set_word(config + PCI_VENDOR_ID, type->vendor_id);
    pci_set_word(config + PCI_DEVICE_ID, type->device_id);
    config[PCI_REVISION_ID] = type->revision;
    config[PCI_CLASS_PROG] = type->prog_if;
    pci_set_word(config + PCI_CLASS_DEVICE, type->class_id);
    pci_set_word(config + PCI_SUBSYSTEM_VENDOR_ID,
                 type->subsystem_vendor_id ? type->subsystem_vendor_id : 0x1af4);
    pci_set_word(config + PCI_SUBSYSTEM_ID, type->subsystem_id ? type->subsystem_id : 0x1100);
    if (dev->multifunction) {
        config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
    }
    pci_set_word(dev->wmask + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                 PCI_COMMAND_MASTER | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
    pci_set_word(dev->w1cmask + PCI_STATUS, PCI_STATUS_ERRORS);
    dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    dev->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

static void pci_init_dma(PciDevice *dev)
{
    Vm *vm = dev->dev.vm;

    mem_region_init(&dev->bus_master, &dev->dev.obj, "bus master container", MEM_SIZE_ALL);
    mem_region_init_alias(&dev->bus_master_alias, &dev->dev.obj, "bus master",
                          &vm->system_memory, 0, MEM_SIZE_ALL);
    mem_region_set_enabled(&dev->bus_master_alias, false);
    mem_region_add(&dev->bus_master, 0, &dev->bus_master_alias);
    address_space_init(&dev->dma, dev->dev.type->name, &dev->bus_master);
}

static bool pci_check_index(const PciBus *bus, const PciDevice *dev, GError **error)
{
    for (unsigned devfn = 0; dev->acpi_index && devfn < G_N_ELEMENTS(bus->slots); devfn++) {
        const PciDevice *other = bus->slots[devfn];

        if (other && other != dev && other->acpi_index == dev->acpi_index) {
            set_error(error, "a PCI device with acpi-index = %u already exist", dev->acpi_index);
            return false;
        }
    }
    if (dev->acpi_index > PCI_ACPI_INDEX_MAX) {
        set_error(error, "acpi-index should be less or equal to %u", PCI_ACPI_INDEX_MAX);
        return false;
    }
    return true;
}

static bool pci_plug(Bus *qbus, Device *qdev, GError **error)
{
    PciBus *bus = (PciBus *)qbus;
    PciDevice *dev = DEVICE_CAST(qdev, PciDevice);
    const PciClass *type = qdev->type->bus_class;

    if (dev->failover_pair_id && *dev->failover_pair_id) {
        set_error(error, "failover_pair_id: '%s' is not a network card", qdev->type->name);
        return false;
    }
    if (dev->romsize != UINT32_MAX && (!dev->romsize || dev->romsize & (dev->romsize - 1))) {
        set_error(error, "ROM size %u is not a power of two", dev->romsize);
        return false;
    }
    if (!pci_check_index(bus, dev, error) || !pci_take_slot(bus, dev, error)) {
        return false;
    }
    dev->pci_bus = bus;
    bus->slots[dev->devfn] = dev;
    if (!dev->romfile && type->romfile) {
        dev->romfile = g_strdup(type->romfile);
    }
    pci_init_config(dev, type);
    pci_init_dma(dev);
    return true;
}

static bool pci_realized(Bus *bus, Device *qdev, GError **error)
{
    return pci_load_rom(DEVICE_CAST(qdev, PciDevice), error);
}

void pci_detach(PciDevice *dev)
{
    pci_reset(dev);
    if (dev->pci_bus->slots[dev->devfn] == dev) {
        dev->pci_bus->slots[dev->devfn] = NULL;
    }
}

static void pci_unplug(Bus *qbus, Device *qdev)
{
    PciBus *bus = (PciBus *)qbus;
    PciDevice *dev = DEVICE_CAST(qdev, PciDevice);

    if (dev->pci_bus != bus) {
        return;
    }
    pci_detach(dev);
    address_space_finish(&dev->dma);
    mem_region_finish(&dev->bus_master_alias);
    mem_region_finish(&dev->bus_master);
    if (dev->has_rom) {
        mem_region_finish(&dev->rom_region);
    }
    dev->pci_bus = NULL;
}

/* PCI Bus Binding to IEEE 1275: "scsi@4", "ide@1,1". */
static char *pci_firmware_path(const Device *qdev)
{
    const PciDevice *dev = (const PciDevice *)qdev;
    g_autofree char *plain = g_strdup_printf("pci%04x,%04x",
                                             pci_get_word(dev->config + PCI_VENDOR_ID),
                                             pci_get_word(dev->config + PCI_DEVICE_ID));
    const char *name = qdev->type->firmware_name;

    if (!name) {
        name = pci_class_firmware_name(pci_get_word(dev->config + PCI_CLASS_DEVICE));
    }
    return g_strdup_printf(dev->devfn & 7 ? "%s@%x,%x" : "%s@%x", name ? name : plain,
                           dev->devfn >> 3, dev->devfn & 7);
}

const BusType pci_bus_type = {
    .name = "PCI", .size = sizeof(PciBus), .device_props = pci_device_props,
    .plug = pci_plug, .realized = pci_realized, .unplug = pci_unplug,
    .print_device = pci_print_device, .firmware_path = pci_firmware_path,
};

PciBus *pci_bus_new(Device *parent, const char *name, MemRegion *mem, MemRegion *io)
{
    PciBus *bus = (PciBus *)bus_new(parent, &pci_bus_type, name);

    bus->mem = mem;
    bus->io = io;
    return bus;
}

PciBus *pci_root_bus(Vm *vm)
{
    return (PciBus *)bus_find(vm, NULL, &pci_bus_type);
}

/* ---- saved state ---- */

static void pci_saving(void *opaque)
{
    PciDevice *dev = opaque;

    dev->saved_version = 2;
    memcpy(dev->saved_config, dev->config, PCI_CONFIG_SIZE);
}

/* Bits the guest cannot change must be the ones this device has. */
static bool pci_loaded(void *opaque, GError **error)
{
    PciDevice *dev = opaque;

    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
        bool identity = i < PCI_COMMAND || (i >= PCI_REVISION_ID && i < PCI_CACHE_LINE_SIZE) ||
                        i == PCI_CAPABILITY_LIST || i == PCI_INTERRUPT_PIN;

        if (identity && dev->saved_config[i] != dev->config[i]) {
            set_error(error, "PCI %02x.%x: configuration byte 0x%x is 0x%02x here, 0x%02x in the "
                      "saved state", dev->devfn >> 3, dev->devfn & 7, i, dev->config[i],
                      dev->saved_config[i]);
            return false;
        }
    }
    memcpy(dev->config, dev->saved_config, PCI_CONFIG_SIZE);
    pci_update_bars(dev);
    pci_update_bus_master(dev);
    for (int pin = 0; pin < 4; pin++) {
        if (dev->irq_state[pin] && !pci_intx_disabled(dev)) {
            pci_route_pin(dev, pin, 1);
        }
    }
    return true;
}

static const StateField pci_device_fields[] = {
    STATE_SCALAR(STATE_KIND_I32, int32_t, PciDevice, saved_version, .range = { 2, 2 }),
    STATE_BYTES(PciDevice, saved_config),
    STATE_UINT32_ARRAY(PciDevice, irq_state, .range = { 0, 1 }),
    {}
};

const StateDesc pci_device_state = {
    .name = "PCIDevice", .version = 2, .min_version = 1, .fields = pci_device_fields,
    .saving = pci_saving, .loaded = pci_loaded,
};
