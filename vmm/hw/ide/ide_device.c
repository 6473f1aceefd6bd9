/*
 * The drives: ide-hd, an ATA disk with sectors of 512 bytes, and ide-cd, an ATAPI CD/DVD drive
 * around a logical unit of SCSI's.
 *
 * Not modelled: removable ATA disks, host protected area, security, other sector sizes.
 */
#include <string.h>

#include "ide_core.h"
#include "rhea_error.h"

#define IDE_VERSION "2.5+"

/* ---- state ---- */

static bool ide_has_data(const void *opaque)
{
    const IdeDrive *drive = opaque;

    return drive->phase != IDE_PHASE_NONE && drive->phase < IDE_PHASE_PACKET_IN;
}

static bool ide_window_is_possible(const IdeDrive *drive)
{
    switch (drive->phase) {
    case IDE_PHASE_IN:
        return drive->end <= drive->filled;
    case IDE_PHASE_OUT:
        return !drive->cd && drive->end % IDE_SECTOR == 0 &&
               drive->end / IDE_SECTOR <= drive->left;
    default:
        return drive->cd && drive->end == IDE_CDB_SIZE;
    }
}

static bool ide_data_loaded(void *opaque, GError **error)
{
    IdeDrive *drive = opaque;

    if (drive->pos >= drive->end || !drive->block || drive->block > IDE_BUF_SECTORS ||
        !ide_window_is_possible(drive)) {
        set_error(error, "the data in transfer does not fit the drive");
        return false;
    }
    return true;
}

/* A packet whose data was on its way is not in the state: its host gets it back as aborted. */
static bool ide_drive_loaded(void *opaque, GError **error)
{
    IdeDrive *drive = opaque;

    if (drive->cd) {
        drive->dma = IDE_DMA_NONE;
        if (drive->regs.status & (IDE_BSY | IDE_DRQ) && !ide_has_data(drive)) {
            drive->phase = IDE_PHASE_NONE;
            drive->regs.status = IDE_DRDY | IDE_ERR;
            drive->regs.error = IDE_ABRT;
        }
        return true;
    }
    bool trim = drive->dma == IDE_DMA_TRIM;

    if (!drive->heads || !drive->secs || drive->lba > drive->capacity ||
        (!trim && drive->left > drive->capacity - drive->lba) ||
        (trim && (!drive->left || drive->left > IDE_TRIM_PAGES)) ||
        drive->dma_done >= IDE_SECTOR) {
        set_error(error, "the command in progress does not fit the disk");
        return false;
    }
    return true;
}

static const StateField ide_data_fields[] = {
    STATE_UINT8(IdeDrive, phase, .range = { 0, IDE_PHASE_CDB }),
    STATE_UINT32(IdeDrive, pos, .range = { 0, IDE_BUF_SIZE }),
    STATE_UINT32(IdeDrive, end, .range = { 0, IDE_BUF_SIZE }),
    STATE_UINT32(IdeDrive, filled, .range = { 0, IDE_BUF_SIZE }),
    STATE_UINT32(IdeDrive, block),
    STATE_BYTES(IdeDrive, buf),
    {}
};
static const StateDesc ide_data_state = {
    .name = "ide_drive/pio_state", .version = 1, .fields = ide_data_fields,
    .needed = ide_has_data, .loaded = ide_data_loaded,
};

static const StateField ide_regs_fields[] = {
    STATE_UINT8(IdeRegs, feature),
    STATE_UINT8(IdeRegs, error),
    STATE_UINT8(IdeRegs, count),
    STATE_UINT8(IdeRegs, lba_low),
    STATE_UINT8(IdeRegs, lba_mid),
    STATE_UINT8(IdeRegs, lba_high),
    STATE_UINT8(IdeRegs, hob_feature),
    STATE_UINT8(IdeRegs, hob_low),
    STATE_UINT8(IdeRegs, hob_count),
    STATE_UINT8(IdeRegs, hob_mid),
    STATE_UINT8(IdeRegs, hob_high),
    STATE_UINT8(IdeRegs, select),
    STATE_UINT8(IdeRegs, status),
    {}
};
static const StateDesc ide_regs_state = {
    .name = "ide registers", .version = 1, .fields = ide_regs_fields,
};

static const StateField ide_drive_fields[] = {
    STATE_STRUCT(IdeDrive, regs, IdeRegs, ide_regs_state),
    STATE_UINT8(IdeDrive, multiple, .range = { 0, IDE_MAX_MULTIPLE }),
    STATE_UINT8(IdeDrive, transfer_mode),
    STATE_BOOL(IdeDrive, lba48),
    STATE_BOOL(IdeDrive, fua),
    STATE_BOOL(IdeDrive, smart_off),
    STATE_BOOL(IdeDrive, read_look_ahead_off),
    STATE_UINT32(IdeDrive, heads, .range = { 0, 16 }),
    STATE_UINT32(IdeDrive, secs, .range = { 0, 255 }),
    STATE_UINT64(IdeDrive, lba),
    STATE_UINT32(IdeDrive, left, .range = { 0, 0x10000 }),
    STATE_UINT8(IdeDrive, dma, .range = { IDE_DMA_NONE, IDE_DMA_TRIM }),
    STATE_UINT32(IdeDrive, dma_done, .range = { 0, IDE_SECTOR }),
    STATE_STRUCT(IdeDrive, logical_unit, ScsiUnit, scsi_unit_state),
    {}
};
static const StateDesc ide_drive_state = {
    .name = "ide_drive", .version = 1, .fields = ide_drive_fields,
    .subsections = (const StateDesc *const[]){ &ide_data_state, NULL },
    .loaded = ide_drive_loaded,
};

/* ---- properties ---- */

enum { TRANSLATION_AUTO, TRANSLATION_NONE, TRANSLATION_LBA };
static const char *const translation_names[] = { "auto", "none", "lba", "large", "rechs", NULL };

#define IDE_DRIVE_PROPS \
    PROP_STRING(IdeDrive, version, .name = "ver", .help = "firmware revision, 8 characters"), \
    PROP_UINT64(IdeDrive, wwn, .name = "wwn", .help = "world wide name; 0: none"), \
    PROP_STRING(IdeDrive, serial, .name = "serial", .help = "serial number, 20 characters"), \
    PROP_STRING(IdeDrive, model, .name = "model", .help = "model name, 40 characters"), \
    PROP_BOOTINDEX(IdeDrive, conf.bootindex)
#define IDE_UNIT_PROP \
    PROP_UINT32(IdeDrive, unit, .name = "unit", .def = UINT32_MAX, \
                .help = "0: master, 1: slave; default: the first that is free")

static const Property ide_hd_props[] = {
    BLOCK_CONF_PROPS(IdeDrive, conf),
    BLOCK_ERROR_PROPS(IdeDrive, conf),
    IDE_DRIVE_PROPS,
    BLOCK_GEOMETRY_PROPS(IdeDrive, conf),
    PROP_ENUM(IdeDrive, chs_translation, .name = "bios-chs-trans", .names = translation_names,
              .help = "how the BIOS is to translate CHS addresses"),
    PROP_UINT16(IdeDrive, rotation_rate, .name = "rotation_rate",
                .help = "revolutions per minute; 1: solid state, 0: not told"),
    IDE_UNIT_PROP,
    {}
};

static const Property ide_cd_props[] = {
    BLOCK_CONF_PROPS(IdeDrive, conf),
    BLOCK_ERROR_PROPS(IdeDrive, conf),
    IDE_DRIVE_PROPS,
    IDE_UNIT_PROP,
    {}
};

/* ---- life ---- */

static bool ide_check_strings(const IdeDrive *drive, GError **error)
{
    const struct { const char *name, *text; size_t max; } rows[] = {
        { "ver", drive->version, 8 }, { "serial", drive->serial, 20 },
        { "model", drive->model, 40 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].text && strlen(rows[i].text) > rows[i].max) {
            set_error(error, "%s can't be longer than %zu characters", rows[i].name, rows[i].max);
            return false;
        }
    }
    return true;
}

static void ide_default_strings(IdeDrive *drive, const IdeChannel *channel)
{
    const char *serial = drive->conf.blk ? block_backend_serial(drive->conf.blk) : NULL;

    if (!drive->version) {
        drive->version = g_strdup(IDE_VERSION);
    }
    if (!drive->serial && serial) {
        drive->serial = g_strdup(serial);
    } else if (!drive->serial) {
        drive->serial = g_strdup_printf("QM%05u", 2 * channel->number + drive->unit + 1);
    }
}

static void ide_join(IdeDrive *drive, IdeChannel *channel)
{
    drive->channel = channel;
    channel->drives[drive->unit] = drive;
    ide_drive_reset(drive);
}

/* False: it never joined. */
static bool ide_leave(IdeDrive *drive)
{
    if (!drive->channel) {
        return false;
    }
    ide_cancel(drive);
    drive->channel->drives[drive->unit] = NULL;
    drive->channel = NULL;
    return true;
}

static const char *ide_boot_suffix(const Device *dev)
{
    return DEVICE_CAST(dev, const IdeDrive)->unit ? "/disk@1" : "/disk@0";
}

static void ide_hd_reset(Device *dev)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);

    ide_drive_reset(drive);
    block_backend_set_write_cache(drive->conf.blk, drive->original_cache);
}

/* ---- ide-hd ---- */

static bool ide_hd_realize(Device *dev, GError **error)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);
    IdeChannel *channel = (IdeChannel *)dev->bus;
    BlockAttach attach = { .dev = dev, .opaque = drive };

    if (!drive->conf.blk) {
        set_error(error, "No drive specified");
        return false;
    }
    ide_default_strings(drive, channel);
    if (!ide_check_strings(drive, error)) {
        return false;
    }
    if (block_backend_read_only(drive->conf.blk)) {
        set_error(error, "Block node is read-only");
        return false;
    }
    if (drive->conf.logical_block_size && drive->conf.logical_block_size != IDE_SECTOR) {
        set_error(error, "logical_block_size must be 512 for IDE");
        return false;
    }
    if (!block_conf_realize(&drive->conf, &attach, error)) {
        return false;
    }
    if (drive->conf.discard_granularity == UINT32_MAX) {
        drive->conf.discard_granularity = IDE_SECTOR;
    }
    drive->capacity = block_backend_size(drive->conf.blk) / IDE_SECTOR;
    block_conf_geometry(&drive->conf);
    drive->original_cache = block_backend_write_cache(drive->conf.blk);
    if (!drive->capacity) {
        set_error(error, "a disk of no size");
    } else if (drive->conf.logical_block_size != IDE_SECTOR) {
        set_error(error, "logical_block_size must be 512 for IDE");
    } else if (!drive->conf.cyls || drive->conf.cyls > 65535 || !drive->conf.heads ||
               drive->conf.heads > 16 || !drive->conf.secs || drive->conf.secs > 255) {
        set_error(error, "cyls must be between 1 and 65535, heads between 1 and 16, secs between "
                  "1 and 255");
    } else {
        if (!drive->chs_translation) {
            drive->chs_translation = drive->conf.cyls <= 1024 ? TRANSLATION_NONE : TRANSLATION_LBA;
        }
        ide_join(drive, channel);
        return true;
    }
    block_backend_detach(drive->conf.blk);
    return false;
}

static void ide_hd_unrealize(Device *dev)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);

    if (ide_leave(drive)) {
        block_backend_detach(drive->conf.blk);
    }
}

const DeviceType ide_hd_type = {
    .name = "ide-hd", .help = "virtual IDE disk", .category = "storage", .bus = &ide_bus_type,
    .size = sizeof(IdeDrive), .props = ide_hd_props, .state = &ide_drive_state,
    .no_hotplug = true, .firmware_name = "drive", .boot_suffix = ide_boot_suffix,
    .realize = ide_hd_realize, .unrealize = ide_hd_unrealize, .reset = ide_hd_reset,
};

/* ---- ide-cd ---- */

static bool ide_cd_realize(Device *dev, GError **error)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);
    IdeChannel *channel = (IdeChannel *)dev->bus;

    ide_default_strings(drive, channel);
    if (!ide_check_strings(drive, error)) {
        return false;
    }
    drive->cd = true;
    drive->logical_unit = (ScsiUnit){
        .kind = SCSI_CD, .atapi = true, .removable = true, .conf = &drive->conf,
        .vendor = "QEMU", .product = drive->model ? drive->model : "QEMU DVD-ROM",
        .version = drive->version, .serial = drive->serial, .wwn = drive->wwn,
    };
    if (!scsi_unit_realize(&drive->logical_unit, dev, error)) {
        return false;
    }
    ide_join(drive, channel);
    return true;
}

static void ide_cd_unrealize(Device *dev)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);

    if (ide_leave(drive)) {
        scsi_unit_unrealize(&drive->logical_unit);
    }
}

static void ide_cd_reset(Device *dev)
{
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);

    ide_drive_reset(drive);
    scsi_unit_reset(&drive->logical_unit);
}

const DeviceType ide_cd_type = {
    .name = "ide-cd", .help = "virtual IDE CD-ROM", .category = "storage", .bus = &ide_bus_type,
    .size = sizeof(IdeDrive), .props = ide_cd_props, .state = &ide_drive_state,
    .no_hotplug = true, .firmware_name = "drive", .boot_suffix = ide_boot_suffix,
    .realize = ide_cd_realize, .unrealize = ide_cd_unrealize, .reset = ide_cd_reset,
};
