/*
 * Conventional PCI: configuration space, BARs, expansion ROMs, interrupt pins, one root bus.
 * PCI Local Bus Specification 3.0, chapters 2.2.6 (interrupt pins) and 6 (configuration space).
 *
 * A type's realize() finds its identity registers filled in from its PciClass; it registers BARs
 * and opens further registers to the guest in wmask.  Machine lock.
 *
 * Not modelled: bridges, so only bus 0 answers; PCI Express; parity and system
 * errors.
 */
#pragma once

#include "vm_core.h"

#define PCI_CONFIG_SIZE 256
#define PCI_NUM_BARS    7                   /* 6 and the expansion ROM */
#define PCI_ROM_BAR     6

enum {
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08, PCI_CLASS_PROG = 0x09, PCI_CLASS_DEVICE = 0x0a,
    PCI_CACHE_LINE_SIZE = 0x0c, PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10, PCI_SUBSYSTEM_VENDOR_ID = 0x2c, PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_CAPABILITY_LIST = 0x34, PCI_INTERRUPT_LINE = 0x3c, PCI_INTERRUPT_PIN = 0x3d,
};
#define PCI_COMMAND_IO      0x001
#define PCI_COMMAND_MEMORY  0x002
#define PCI_COMMAND_MASTER  0x004
#define PCI_COMMAND_SERR    0x100
#define PCI_COMMAND_INTX_DISABLE 0x400
#define PCI_STATUS_INTERRUPT 0x008
#define PCI_STATUS_CAP_LIST 0x010
#define PCI_STATUS_ERRORS   0xf900          /* each cleared by writing 1 */
#define PCI_STATUS_DEVSEL_MEDIUM 0x200
#define PCI_HEADER_MULTIFUNCTION 0x80
#define PCI_ROM_ENABLE      0x1

typedef struct PciDevice PciDevice;
typedef struct PciBus PciBus;

/* Constant facts of a type: DeviceType.bus_class. */
typedef struct PciClass {
    uint16_t vendor_id, device_id, class_id;
    uint8_t revision, prog_if;
    uint16_t subsystem_vendor_id, subsystem_id;     /* 0: 1af4:1100 */
    const char *romfile;                            /* option ROM by default, or NULL */
    /* NULL: the plain behaviour. A type's own version calls pci_default_*() as well. */
    uint32_t (*config_read)(PciDevice *dev, uint32_t offset, unsigned size);
    void (*config_write)(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size);
} PciClass;

#define PCI_BAR_UNMAPPED UINT64_MAX

typedef struct PciBar {
    MemRegion *region;                              /* NULL: BAR not present */
    uint8_t type;                         /* low bits of the register: 1 io, 4 64-bit, 8 prefetch */
    uint64_t size, addr;                            /* addr PCI_BAR_UNMAPPED: not decoded */
} PciBar;

struct PciDevice {
    Device dev;
    /* configuration */
    int32_t devfn;                                 /* slot << 3 | function; -1: next free (addr=) */
    char *romfile;
    uint32_t romsize, rombar;
    bool multifunction;
    bool lnksta_dllla, extcap_init;                 /* PCI Express devices only */
    char *failover_pair_id;
    uint32_t acpi_index;
    /* wiring */
    PciBus *pci_bus;
    PciBar bars[PCI_NUM_BARS];
    MemRegion rom_region;
    bool has_rom;
    uint16_t cap_end;                         /* of the capabilities there are; 0: none */
    MemRegion bus_master;                     /* what DMA sees: system memory while MASTER is set */
    MemRegion bus_master_alias;
    AddressSpace dma;
    uint8_t wmask[PCI_CONFIG_SIZE], w1cmask[PCI_CONFIG_SIZE];       /* fixed at realize */
    /* guest-visible state */
    uint8_t config[PCI_CONFIG_SIZE];
    uint32_t irq_state[4];                          /* level each pin INTA–INTD is driven to */
    /* the saved form: an image that is checked before it becomes config */
    int32_t saved_version;
    uint8_t saved_config[PCI_CONFIG_SIZE];
};

struct PciBus {
    Bus bus;
    MemRegion *mem, *io;                            /* where BARs are placed */
    PciDevice *slots[256];
    /* Wiring of the board: pin (0–3) of a slot → input of the interrupt router, and that router. */
    int (*map_irq)(PciDevice *dev, int pin);
    void (*set_irq)(void *opaque, int input, int level);
    void *irq_opaque;
    unsigned irq_count[4];                          /* devices that assert each router input */
};

extern const BusType pci_bus_type;

PciBus *pci_bus_new(Device *parent, const char *name, MemRegion *mem, MemRegion *io);
PciBus *pci_root_bus(Vm *vm);                       /* NULL: none */
uint32_t pci_default_config_read(PciDevice *dev, uint32_t offset, unsigned size);
void pci_default_config_write(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size);
/* Configuration cycle on bus:devfn. Absent devices read all ones. */
uint32_t pci_config_read(PciBus *root, unsigned bus, unsigned devfn, uint32_t offset,
                         unsigned size);
void pci_config_write(PciBus *root, unsigned bus, unsigned devfn, uint32_t offset, uint32_t value,
                      unsigned size);

/* In a type's realize: `type` is PCI_BAR_IO or PCI_BAR_MEM [| PCI_BAR_64 | PCI_BAR_PREFETCH]. */
#define PCI_BAR_MEM 0x0
#define PCI_BAR_IO 0x1
#define PCI_BAR_64 0x4
#define PCI_BAR_PREFETCH 0x8
void pci_register_bar(PciDevice *dev, unsigned n, uint8_t type, MemRegion *region);
/*
 * Adds a capability of `size` bytes, id and link included, at the head of the list; the rest is zero
 * and read-only.  0: configuration space is full.  In realize.
 */
enum { PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };
uint8_t pci_add_capability(PciDevice *dev, uint8_t id, unsigned size, GError **error);
void pci_set_intx(PciDevice *dev, int level);       /* the pin in PCI_INTERRUPT_PIN */
void pci_update_bars(PciDevice *dev);
/* The device answers no more cycles and drives no pin; its slot is free. It waits to be freed. */
void pci_detach(PciDevice *dev);
void pci_reset(PciDevice *dev);                     /* a type's reset calls this first */
/* The router's inputs as they are now, after the router's own registers changed. */
static inline bool pci_bus_input_level(const PciBus *bus, int input)
{
    return bus->irq_count[input] != 0;
}
extern const StateDesc pci_device_state;            /* embed first in a type's table */

/* Makes every image of an expansion ROM one for that device (pci_rom.c). */
void pci_rom_set_identity(uint8_t *rom, size_t size, uint16_t vendor, uint16_t device);

/* ---- firmware's work, for direct boot (pci_assign.c) ---- */
typedef struct PciWindows {
    uint64_t mem_base, mem_last;                    /* below 4 GiB */
    uint64_t io_base, io_last;
    uint64_t mem64_base;                          /* where 64-bit BARs go that find no room below */
} PciWindows;
/*
 * Gives every BAR an address and switches decoding on; interrupt lines get `irq(input)` of the
 * router input their pin leads to.
 */
void pci_assign_resources(PciBus *root, const PciWindows *windows, uint8_t (*irq)(int input));

/* ---- for people (pci_info.c) ---- */
/* "VGA controller"; NULL: a class without a name. */
const char *pci_class_name(uint16_t class_id);
/* "ethernet": what OpenFirmware calls it; NULL: it has no name. */
const char *pci_class_firmware_name(uint16_t class_id);
typedef void (*PciDeviceFn)(PciDevice *dev, void *opaque);
void pci_foreach(PciBus *bus, PciDeviceFn fn, void *opaque);        /* by devfn */
/*
 * Address of a BAR as a monitor shows it: all ones while unmapped. `bars[n].region` must be
 * present.
 */
static inline uint64_t pci_bar_last(const PciBar *bar) { return bar->addr + bar->size - 1; }
void pci_print(PciBus *root, GString *out);                         /* `info pci` */
/* `info qtree` */
void pci_print_device(const Bus *bus, const Device *dev, GString *out, int indent);

static inline void pci_set_word(uint8_t *p, uint16_t v)
{
    p[0] = v;
    p[1] = v >> 8;
}

static inline void pci_set_long(uint8_t *p, uint32_t v)
{
    pci_set_word(p, v);
    pci_set_word(p + 2, v >> 16);
}

static inline uint16_t pci_get_word(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static inline uint32_t pci_get_long(const uint8_t *p)
{
    return pci_get_word(p) | (uint32_t)pci_get_word(p + 2) << 16;
}
