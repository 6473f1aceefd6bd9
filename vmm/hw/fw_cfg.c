/*
 * fw_cfg on ports 510 (selector), 511 (data) and 514 (DMA).
 *
 * Modelled: reading items byte by byte and by DMA, skipping, selecting; the file directory.
 * Not modelled: items the guest may write (a DMA write reports an error).
 */
#include "fw_cfg.h"

#include <string.h>

#include "rhea_error.h"
#include "vm_core.h"

enum {
    FWCFG_PORT_SELECT = 0, FWCFG_PORT_DATA = 1, FWCFG_PORT_DMA = 4,
    FWCFG_ITEMS = 0x60,             /* per half: numbered items, then files */
};

#define FW_CFG_VERSION          0x01    /* bits of FW_CFG_ID */
#define FW_CFG_VERSION_DMA      0x02
#define FW_CFG_DMA_SIGNATURE    UINT64_C(0x51454d5520434647)    /* "QEMU CFG" */

#define DMA_CTL_ERROR   0x01
#define DMA_CTL_READ    0x02
#define DMA_CTL_SKIP    0x04
#define DMA_CTL_SELECT  0x08
#define DMA_CTL_WRITE   0x10

/* What the guest puts in memory for a DMA request; big endian. */
typedef struct DmaRequest {
    uint32_t control, length;
    uint64_t address;
} DmaRequest;

/* A row of the file directory; big endian. */
typedef struct DirEntry {
    uint32_t size;
    uint16_t key, reserved;
    char name[FW_CFG_FILE_NAME_MAX + 1];
} DirEntry;
G_STATIC_ASSERT(sizeof(DirEntry) == 64);

typedef struct FwCfg {
    Device dev;
    /* configuration */
    bool dma_enabled, acpi_mr_restore;
    uint16_t file_slots;
    /* wiring */
    MemRegion io, dma_io;
    bool placed;
    GBytes *items[2][FWCFG_ITEMS];  /* [0]: any machine's, [1]: FW_CFG_ARCH_LOCAL */
    GPtrArray *names;               /* char *: file names, sorted; file n has key FILE_FIRST + n */
    /* guest-visible state */
    uint16_t selected;
    uint32_t position;
    uint64_t dma_address;
} FwCfg;

/* ---- items ---- */

static GBytes **fw_cfg_slot(FwCfg *cfg, uint16_t key)
{
    unsigned index = key & 0x3fff;

    return index < FWCFG_ITEMS ? &cfg->items[!!(key & FW_CFG_ARCH_LOCAL)][index] : NULL;
}

static const uint8_t *fw_cfg_selected(FwCfg *cfg, size_t *len)
{
    GBytes **slot = fw_cfg_slot(cfg, cfg->selected);

    *len = 0;
    return slot && *slot ? g_bytes_get_data(*slot, len) : NULL;
}

void fw_cfg_set(Device *dev, uint16_t key, const void *data, size_t len)
{
    GBytes **slot = fw_cfg_slot(DEVICE_CAST(dev, FwCfg), key);

    g_assert(slot);
    g_clear_pointer(slot, g_bytes_unref);
    *slot = g_bytes_new(data, len);
}

void fw_cfg_set_uint(Device *dev, uint16_t key, uint64_t value, unsigned size)
{
    uint64_t little = GUINT64_TO_LE(value);

    fw_cfg_set(dev, key, &little, size);
}

/* ---- files ---- */

static void fw_cfg_update_directory(FwCfg *cfg)
{
    g_autoptr(GByteArray) dir = g_byte_array_new();
    uint32_t count = GUINT32_TO_BE(cfg->names->len);

    g_byte_array_append(dir, (const uint8_t *)&count, sizeof(count));
    for (guint i = 0; i < cfg->names->len; i++) {
        uint16_t key = FW_CFG_FILE_FIRST + i;
        DirEntry entry = {
            .size = GUINT32_TO_BE(g_bytes_get_size(*fw_cfg_slot(cfg, key))),
            .key = GUINT16_TO_BE(key),
        };

        g_strlcpy(entry.name, g_ptr_array_index(cfg->names, i), sizeof(entry.name));
        g_byte_array_append(dir, (const uint8_t *)&entry, sizeof(entry));
    }
    fw_cfg_set(&cfg->dev, FW_CFG_FILE_DIR, dir->data, dir->len);
}

/* Position of `name` in the sorted list, or where it belongs. */
static guint fw_cfg_name_position(const FwCfg *cfg, const char *name, bool *found)
{
    guint i = 0;

    *found = false;
    for (; i < cfg->names->len; i++) {
        int order = strcmp(g_ptr_array_index(cfg->names, i), name);

        if (order >= 0) {
            *found = order == 0;
            break;
        }
    }
    return i;
}

bool fw_cfg_set_file(Device *dev, const char *name, const void *data, size_t len, GError **error)
{
    FwCfg *cfg = DEVICE_CAST(dev, FwCfg);
    bool found;
    guint at = fw_cfg_name_position(cfg, name, &found);
    GBytes **files = &cfg->items[0][FW_CFG_FILE_FIRST];

    if (strlen(name) > FW_CFG_FILE_NAME_MAX || len > UINT32_MAX) {
        set_error(error, "fw_cfg: file '%s' has too long a name or is too large", name);
        return false;
    }
    if (!found) {
        if (cfg->names->len >= MIN(cfg->file_slots, FWCFG_ITEMS - FW_CFG_FILE_FIRST)) {
            set_error(error, "fw_cfg: no room for file '%s', all %u are taken", name,
                      cfg->names->len);
            return false;
        }
        memmove(&files[at + 1], &files[at], (cfg->names->len - at) * sizeof(files[0]));
        files[at] = NULL;
        g_ptr_array_insert(cfg->names, at, g_strdup(name));
    }
    fw_cfg_set(dev, FW_CFG_FILE_FIRST + at, data, len);
    fw_cfg_update_directory(cfg);
    return true;
}

/* ---- selector and data ports ---- */

static void fw_cfg_select(FwCfg *cfg, uint16_t key)
{
    cfg->selected = key;
    cfg->position = 0;
}

/* Bytes past the end of an item read as 0. */
static uint8_t fw_cfg_next(FwCfg *cfg)
{
    size_t len;
    const uint8_t *data = fw_cfg_selected(cfg, &len);

    return cfg->position < len ? data[cfg->position++] : 0;
}

static uint64_t fwcfg_read(void *opaque, uint64_t offset, unsigned size)
{
    return fw_cfg_next(opaque);
}

static void fwcfg_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset == FWCFG_PORT_SELECT && size == 2) {
        fw_cfg_select(opaque, value);
    }
}

static const MemOps fwcfg_ops = {
    .read = fwcfg_read, .write = fwcfg_write, .min_size = 1, .max_size = 2,
};

/* ---- DMA ---- */

static bool dma_zero(FwCfg *cfg, uint64_t addr, uint32_t len)
{
    static const uint8_t zeros[4096];
    AddressSpace *memory = &cfg->dev.vm->memory;

    while (len > 0) {
        uint32_t piece = MIN(len, sizeof(zeros));

        if (dma_write(memory, &cfg->dev.obj, addr, zeros, piece) != MEM_OK) {
            return false;
        }
        addr += piece;
        len -= piece;
    }
    return true;
}

static bool dma_copy_out(FwCfg *cfg, uint64_t addr, uint32_t len)
{
    size_t size;
    const uint8_t *data = fw_cfg_selected(cfg, &size);
    uint32_t have = cfg->position < size ? MIN(len, size - cfg->position) : 0;

    if (have && dma_write(&cfg->dev.vm->memory, &cfg->dev.obj, addr, data + cfg->position, have)
                != MEM_OK) {
        return false;
    }
    cfg->position += have;
    return dma_zero(cfg, addr + have, len - have);
}

static bool dma_run(FwCfg *cfg, uint32_t control, uint32_t length, uint64_t address)
{
    if (control & DMA_CTL_SELECT) {
        fw_cfg_select(cfg, control >> 16);
    }
    if (control & DMA_CTL_READ) {
        return dma_copy_out(cfg, address, length);
    }
    if (control & DMA_CTL_WRITE) {
        return false;
    }
    if (control & DMA_CTL_SKIP) {
        cfg->position = length > UINT32_MAX - cfg->position ? UINT32_MAX : cfg->position + length;
    }
    return true;
}

static void fw_cfg_dma(FwCfg *cfg)
{
    AddressSpace *memory = &cfg->dev.vm->memory;
    uint64_t addr = cfg->dma_address;
    DmaRequest request;
    uint32_t done;

    cfg->dma_address = 0;
    if (dma_read(memory, &cfg->dev.obj, addr, &request, sizeof(request)) != MEM_OK) {
        done = GUINT32_TO_BE(DMA_CTL_ERROR);
    } else {
        done = dma_run(cfg, GUINT32_FROM_BE(request.control), GUINT32_FROM_BE(request.length),
                       GUINT64_FROM_BE(request.address)) ? 0 : GUINT32_TO_BE(DMA_CTL_ERROR);
    }
    dma_write(memory, &cfg->dev.obj, addr, &done, sizeof(done));
}

static uint64_t fwcfg_dma_read(void *opaque, uint64_t offset, unsigned size)
{
    /* The register is big endian: its first byte, 'Q', is the signature's most significant. */
    return GUINT64_SWAP_LE_BE(FW_CFG_DMA_SIGNATURE) >> (8 * offset);
}

static void fwcfg_dma_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    FwCfg *cfg = opaque;

    if (size == 8) {
        cfg->dma_address = GUINT64_SWAP_LE_BE(value);
        fw_cfg_dma(cfg);
    } else if (size == 4 && offset == 0) {
        cfg->dma_address = (uint64_t)GUINT32_SWAP_LE_BE((uint32_t)value) << 32;
    } else if (size == 4 && offset == 4) {
        cfg->dma_address |= GUINT32_SWAP_LE_BE((uint32_t)value);
        fw_cfg_dma(cfg);
    }
}

static const MemOps fwcfg_dma_ops = {
    .read = fwcfg_dma_read, .write = fwcfg_dma_write, .min_size = 1, .max_size = 8,
};

/* ---- state, properties, life ---- */

static const StateField fw_cfg_fields[] = {
    STATE_UINT16(FwCfg, selected),
    STATE_UINT32(FwCfg, position),
    STATE_UINT64(FwCfg, dma_address),
    {}
};
static const StateDesc fw_cfg_state = { .name = "fw_cfg", .version = 2, .fields = fw_cfg_fields };

static const Property fw_cfg_props[] = {
    PROP_BOOL(FwCfg, dma_enabled, .name = "dma_enabled", .def = true,
              .help = "offer the DMA interface"),
    PROP_UINT16(FwCfg, file_slots, .name = "x-file-slots", .def = 32,
                .help = "room in the file directory"),
    PROP_BOOL(FwCfg, acpi_mr_restore, .name = "acpi-mr-restore", .def = true,
              .help = "keep the size of ACPI files over a migration"),
    {}
};

static bool fw_cfg_realize(Device *dev, GError **error)
{
    FwCfg *cfg = DEVICE_CAST(dev, FwCfg);
    MemRegion *io = &dev->vm->system_io;

    if (cfg->file_slots < 16) {
        set_error(error, "\"file_slots\" must be at least 0x10");
        return false;
    }
    cfg->names = g_ptr_array_new_with_free_func(g_free);
    mem_region_init_io(&cfg->io, &dev->obj, "fwcfg", 2, &fwcfg_ops, cfg);
    mem_region_add(io, 0x510, &cfg->io);
    if (cfg->dma_enabled) {
        mem_region_init_io(&cfg->dma_io, &dev->obj, "fwcfg.dma", 8, &fwcfg_dma_ops, cfg);
        mem_region_add(io, 0x510 + FWCFG_PORT_DMA, &cfg->dma_io);
    }
    cfg->placed = true;
    fw_cfg_set(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_set_uint(dev, FW_CFG_ID, FW_CFG_VERSION | (cfg->dma_enabled ? FW_CFG_VERSION_DMA : 0),
                    4);
    fw_cfg_update_directory(cfg);
    dev->vm->fw_cfg = dev;
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *cfg = DEVICE_CAST(dev, FwCfg);

    if (!cfg->placed) {
        return;
    }
    dev->vm->fw_cfg = NULL;
    if (cfg->dma_enabled) {
        mem_region_finish(&cfg->dma_io);
    }
    mem_region_finish(&cfg->io);
    for (unsigned i = 0; i < 2 * FWCFG_ITEMS; i++) {
        g_clear_pointer(&cfg->items[i / FWCFG_ITEMS][i % FWCFG_ITEMS], g_bytes_unref);
    }
    g_ptr_array_unref(cfg->names);
}

static void fw_cfg_reset(Device *dev)
{
    FwCfg *cfg = DEVICE_CAST(dev, FwCfg);

    fw_cfg_select(cfg, FW_CFG_SIGNATURE);
    cfg->dma_address = 0;
}

const DeviceType fw_cfg_io_type = {
    .name = "fw_cfg_io", .help = "machine description for firmware",
    .bus = &system_bus_type, .size = sizeof(FwCfg), .props = fw_cfg_props, .state = &fw_cfg_state,
    .board_only = true, .realize = fw_cfg_realize, .unrealize = fw_cfg_unrealize,
    .reset = fw_cfg_reset,
};
