/*
 * Intel 440FX host bridge.
 *
 * Modelled: configuration mechanism 1 (ports cf8, cfc), the PAM registers that put RAM or PCI
 * behind c0000–fffff, SMRAM at a0000–bffff.
 * Not modelled: DRAM timing and row boundaries (the registers keep what is written), ECC and
 * errors, write-only PAM segments (reads of those see RAM).
 */
#include "i440fx.h"

#include <string.h>

enum {
    I440FX_PAM = 0x59,      /* PAM0: 0x59, high nibble only; PAM1–6: 0x5a–0x5f, two segments each */
    I440FX_SMRAM = 0x72,
    CONFIG_ADDRESS_ENABLE = 1u << 31,
};

#define SMRAM_C_BASE_SEG 0x02   /* hardwired: a0000 */
#define SMRAM_G_SMRAME   0x08
#define SMRAM_D_LCK      0x10
#define SMRAM_D_CLS      0x20
#define SMRAM_D_OPEN     0x40

#define SMRAM_BASE 0xa0000
#define SMRAM_SIZE 0x20000

#define PAM_SEGMENTS 13
enum { PAM_READ = 1, PAM_WRITE = 2, PAM_MODES = 4 };

typedef struct PamSegment {
    MemRegion mode[PAM_MODES];  /* indexed by PAM_READ | PAM_WRITE; one is enabled */
} PamSegment;

typedef struct I440fxHost {
    Device dev;
    /* configuration */
    uint64_t pci_hole64_size;
    uint32_t short_root_bus;
    bool pci_hole64_fix, config_reg_migration, bypass_iommu;
    /* wiring */
    PciBus *bus;
    MemRegion conf_idx, conf_data;
    MemRegion pci_memory;
    PamSegment pam[PAM_SEGMENTS];
    MemRegion smram_region, smram, smram_low;
    MemRegion smm_root, smm_smram, smm_system;
    /* guest-visible state */
    uint32_t config_address;
} I440fxHost;

typedef struct I440fx {
    PciDevice pci;
} I440fx;

static const struct { uint32_t base, size; } pam_ranges[PAM_SEGMENTS] = {
    { 0xf0000, 0x10000 },
    { 0xc0000, 0x4000 }, { 0xc4000, 0x4000 }, { 0xc8000, 0x4000 }, { 0xcc000, 0x4000 },
    { 0xd0000, 0x4000 }, { 0xd4000, 0x4000 }, { 0xd8000, 0x4000 }, { 0xdc000, 0x4000 },
    { 0xe0000, 0x4000 }, { 0xe4000, 0x4000 }, { 0xe8000, 0x4000 }, { 0xec000, 0x4000 },
};

/* ---- configuration ports ---- */

static uint64_t conf_idx_read(void *opaque, uint64_t offset, unsigned size)
{
    const I440fxHost *host = opaque;

    return host->config_address >> (8 * offset);
}

/* 3.1.1: anything but a double word at cf8 is an ordinary port access, and there is none there. */
static void conf_idx_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I440fxHost *host = opaque;

    if (offset == 0 && size == 4) {
        host->config_address = value & ~UINT32_C(0x7f000003);
    }
}

static const MemOps conf_idx_ops = {
    .read = conf_idx_read, .write = conf_idx_write, .min_size = 1, .max_size = 4,
};

static uint64_t conf_data_read(void *opaque, uint64_t offset, unsigned size)
{
    const I440fxHost *host = opaque;
    uint32_t addr = host->config_address;

    if (!(addr & CONFIG_ADDRESS_ENABLE)) {
        return UINT64_MAX;
    }
    return pci_config_read(host->bus, addr >> 16 & 0xff, addr >> 8 & 0xff,
                           (addr & 0xfc) | (offset & 3), size);
}

static void conf_data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const I440fxHost *host = opaque;
    uint32_t addr = host->config_address;

    if (addr & CONFIG_ADDRESS_ENABLE) {
        pci_config_write(host->bus, addr >> 16 & 0xff, addr >> 8 & 0xff,
                         (addr & 0xfc) | (offset & 3), value, size);
    }
}

static const MemOps conf_data_ops = {
    .read = conf_data_read, .write = conf_data_write, .min_size = 1, .max_size = 4,
};

/* ---- PAM and SMRAM ---- */

static unsigned pam_mode(const uint8_t *config, unsigned segment)
{
    /* Segment 0 is PAM0's high nibble; the others follow two to a register, low nibble first. */
    unsigned nibble = segment == 0 ? 1 : segment + 1;

    return config[I440FX_PAM + nibble / 2] >> 4 * (nibble & 1) & (PAM_READ | PAM_WRITE);
}

static I440fxHost *i440fx_host(I440fx *bridge)
{
    return DEVICE_CAST(bridge->pci.dev.bus->parent, I440fxHost);
}

/* Recomputes what is visible in the first megabyte. */
static void i440fx_update(I440fx *bridge)
{
    I440fxHost *host = i440fx_host(bridge);
    uint8_t smram = bridge->pci.config[I440FX_SMRAM];
    bool enabled = smram & SMRAM_G_SMRAME;

    mem_transaction_begin();
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        unsigned mode = pam_mode(bridge->pci.config, i);

        for (unsigned m = 0; m < PAM_MODES; m++) {
            mem_region_set_enabled(&host->pam[i].mode[m], m == mode);
        }
    }
    mem_region_set_enabled(&host->smram_region, !(enabled && smram & SMRAM_D_OPEN));
    mem_region_set_enabled(&host->smram, enabled);
    mem_transaction_commit();
}

/* 3.2.18: D_LCK freezes the register until reset and closes SMRAM. */
static void smram_write(uint8_t *reg, uint8_t old)
{
    uint8_t value = *reg;

    if (old & SMRAM_D_LCK) {
        value = old;
    } else if (value & SMRAM_D_LCK) {
        value &= ~SMRAM_D_OPEN;
    }
    *reg = (value & (SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME)) | SMRAM_C_BASE_SEG;
}

static void i440fx_config_write(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size)
{
    I440fx *bridge = DEVICE_CAST(dev, I440fx);
    uint8_t old = dev->config[I440FX_SMRAM];

    pci_default_config_write(dev, offset, value, size);
    if (offset <= I440FX_SMRAM && I440FX_SMRAM < offset + size) {
        smram_write(&dev->config[I440FX_SMRAM], old);
    }
    i440fx_update(bridge);
}

/* ---- state ---- */

static bool i440fx_loaded(void *opaque, GError **error)
{
    i440fx_update(opaque);
    return true;
}

static const StateField i440fx_fields[] = {
    STATE_STRUCT(I440fx, pci, PciDevice, pci_device_state),
    {}
};
static const StateDesc i440fx_state = {
    .name = "I440FX", .version = 3, .fields = i440fx_fields, .loaded = i440fx_loaded,
};

static const StateField i440fx_host_fields[] = {
    STATE_UINT32(I440fxHost, config_address),
    {}
};
static const StateDesc i440fx_host_state = {
    .name = "PCIHost", .version = 1, .fields = i440fx_host_fields,
};

static const Property i440fx_host_props[] = {
    PROP_SIZE(I440fxHost, pci_hole64_size, .name = "pci-hole64-size", .def = INT64_C(2) << 30,
              .help = "size of the window for 64-bit BARs"),
    PROP_UINT32(I440fxHost, short_root_bus, .name = "short_root_bus",
                .help = "1: call the root bus \"pci\" in device paths"),
    PROP_BOOL(I440fxHost, pci_hole64_fix, .name = "x-pci-hole64-fix", .def = true,
              .help = "report the whole 64-bit window"),
    PROP_BOOL(I440fxHost, config_reg_migration, .name = "x-config-reg-migration-enabled",
              .def = true, .help = "save the configuration address register"),
    PROP_BOOL(I440fxHost, bypass_iommu, .name = "bypass-iommu",
              .help = "devices of this bus are not translated by an IOMMU"),
    {}
};

/* ---- life ---- */

static void host_init_pam(I440fxHost *host)
{
    static const char *const names[PAM_MODES] = { "pam-pci", "pam-rom", "pam-pci", "pam-ram" };
    Vm *vm = host->dev.vm;

    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        for (unsigned m = 0; m < PAM_MODES; m++) {
            MemRegion *mr = &host->pam[i].mode[m];

            mem_region_init_alias(mr, &host->dev.obj, names[m],
                                  m == 0 ? &host->pci_memory : vm->ram_region,
                                  pam_ranges[i].base, pam_ranges[i].size);
            mem_region_set_readonly(mr, m == PAM_READ);
            mem_region_set_enabled(mr, m == 0);
            mem_region_add_priority(&vm->system_memory, pam_ranges[i].base, mr, 1);
        }
    }
}

static void host_init_smram(I440fxHost *host)
{
    Vm *vm = host->dev.vm;
    Object *owner = &host->dev.obj;

    mem_region_init_alias(&host->smram_region, owner, "smram-region", &host->pci_memory, SMRAM_BASE,
                          SMRAM_SIZE);
    mem_region_add_priority(&vm->system_memory, SMRAM_BASE, &host->smram_region, 1);
    mem_region_init(&host->smram, NULL, "smram", UINT64_C(1) << 32);
    mem_region_set_enabled(&host->smram, false);
    mem_region_init_alias(&host->smram_low, owner, "smram-low", vm->ram_region, SMRAM_BASE,
                          SMRAM_SIZE);
    mem_region_add(&host->smram, SMRAM_BASE, &host->smram_low);

    mem_region_init(&host->smm_root, owner, "memory", MEM_SIZE_ALL);
    mem_region_init_alias(&host->smm_smram, owner, "smram", &host->smram, 0, UINT64_C(1) << 32);
    mem_region_init_alias(&host->smm_system, owner, "memory", &vm->system_memory, 0, MEM_SIZE_ALL);
    mem_region_add_priority(&host->smm_root, 0, &host->smm_smram, 1);
    mem_region_add(&host->smm_root, 0, &host->smm_system);
    address_space_init(&vm->smm_memory, "cpu-smm-0", &host->smm_root);
}

static bool host_realize(Device *dev, GError **error)
{
    I440fxHost *host = DEVICE_CAST(dev, I440fxHost);
    Vm *vm = dev->vm;

    g_assert(vm->ram_region);
    mem_transaction_begin();
    mem_region_init(&host->pci_memory, NULL, "pci", MEM_SIZE_ALL);
    object_add_child(object_container("/machine/unattached"), "pci[*]", &host->pci_memory.obj);
    mem_region_add_priority(&vm->system_memory, 0, &host->pci_memory, -1);
    host->bus = pci_bus_new(dev, "pci.0", &host->pci_memory, &vm->system_io);
    mem_region_init_io(&host->conf_idx, &dev->obj, "pci-conf-idx", 4, &conf_idx_ops, host);
    mem_region_init_io(&host->conf_data, &dev->obj, "pci-conf-data", 4, &conf_data_ops, host);
    mem_region_add(&vm->system_io, 0xcf8, &host->conf_idx);
    mem_region_add(&vm->system_io, 0xcfc, &host->conf_data);
    host_init_pam(host);
    host_init_smram(host);
    mem_transaction_commit();
    return true;
}

static void host_unrealize(Device *dev)
{
    I440fxHost *host = DEVICE_CAST(dev, I440fxHost);

    if (!host->bus) {
        return;
    }
    mem_transaction_begin();
    address_space_finish(&dev->vm->smm_memory);
    memset(&dev->vm->smm_memory, 0, sizeof(dev->vm->smm_memory));
    mem_region_finish(&host->smm_smram);
    mem_region_finish(&host->smm_system);
    mem_region_finish(&host->smm_root);
    mem_region_finish(&host->smram_low);
    mem_region_finish(&host->smram);
    mem_region_finish(&host->smram_region);
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        for (unsigned m = 0; m < PAM_MODES; m++) {
            mem_region_finish(&host->pam[i].mode[m]);
        }
    }
    mem_region_finish(&host->conf_data);
    mem_region_finish(&host->conf_idx);
    mem_region_finish(&host->pci_memory);
    mem_transaction_commit();
}

static void host_reset(Device *dev)
{
    DEVICE_CAST(dev, I440fxHost)->config_address = 0;
}

/* The regions of SMRAM are the bridge's: its register opens and closes them. */
static void i440fx_take_smram(I440fx *bridge)
{
    I440fxHost *host = i440fx_host(bridge);
    const struct { const char *name; MemRegion *mr; } regions[] = {
        { "smram-region[*]", &host->smram_region }, { "smram[*]", &host->smram },
        { "smram-low[*]", &host->smram_low },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(regions); i++) {
        object_remove(&regions[i].mr->obj);
        object_add_child(&bridge->pci.dev.obj, regions[i].name, &regions[i].mr->obj);
    }
}

static bool i440fx_realize(Device *dev, GError **error)
{
    PciDevice *pci = DEVICE_CAST(dev, PciDevice);

    i440fx_take_smram(DEVICE_CAST(dev, I440fx));
    memset(pci->wmask + 0x40, 0xff, PCI_CONFIG_SIZE - 0x40);
    pci->config[I440FX_SMRAM] = SMRAM_C_BASE_SEG;
    return true;
}

static void i440fx_reset(Device *dev)
{
    I440fx *bridge = DEVICE_CAST(dev, I440fx);

    pci_reset(&bridge->pci);
    memset(bridge->pci.config + I440FX_PAM, 0, 7);
    bridge->pci.config[I440FX_SMRAM] = SMRAM_C_BASE_SEG;
    i440fx_update(bridge);
}

PciBus *i440fx_pci_bus(Device *host)
{
    return DEVICE_CAST(host, I440fxHost)->bus;
}

MemRegion *i440fx_pci_memory(Device *host)
{
    return &DEVICE_CAST(host, I440fxHost)->pci_memory;
}

const DeviceType i440fx_host_type = {
    .name = "i440FX-pcihost", .help = "440FX host bridge's bus side",
    .bus = &system_bus_type, .size = sizeof(I440fxHost), .props = i440fx_host_props,
    .state = &i440fx_host_state, .board_only = true, .no_hotplug = true,
    .firmware_name = "pci@i0cf8",           /* by its io port */
    .realize = host_realize, .unrealize = host_unrealize, .reset = host_reset,
};

static const PciClass i440fx_class = {
    .vendor_id = 0x8086, .device_id = 0x1237, .revision = 2, .class_id = 0x0600,
    .config_write = i440fx_config_write,
};

const DeviceType i440fx_type = {
    .name = "i440FX", .help = "440FX host bridge",
    .bus = &pci_bus_type, .size = sizeof(I440fx), .state = &i440fx_state, .board_only = true,
    .no_hotplug = true,
    .bus_class = &i440fx_class, .realize = i440fx_realize, .reset = i440fx_reset,
};
