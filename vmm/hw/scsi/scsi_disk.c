/*
 * scsi-hd and scsi-cd: logical units on a SCSI bus.
 *
 * Not modelled: passing commands on to a device of the host (scsi-block, scsi-generic), and the
 * page quirks for one vendor's old systems.
 */
#include <string.h>

#include "rhea_error.h"
#include "scsi_core.h"

#define SCSI_VERSION_TEXT "2.5+"
#define SERIAL_MAX        36

typedef struct ScsiDisk {
    ScsiDevice scsi;
    /* configuration */
    BlockConf conf;
    char *version, *serial, *vendor, *product, *device_id;
    bool removable, dpofua;
    uint64_t wwn, port_wwn;
    uint16_t port_index, rotation_rate;
    uint64_t max_unmap_size, max_io_size;
    int32_t scsi_version;
} ScsiDisk;

/* ---- state ---- */

static const StateField scsi_disk_fields[] = {
    STATE_STRUCT(ScsiDisk, scsi.unit, ScsiUnit, scsi_unit_state),
    {}
};
static const StateDesc scsi_disk_state = {
    .name = "scsi-disk", .version = 1, .fields = scsi_disk_fields,
};

/* ---- properties ---- */

#define SCSI_NAME_PROPS \
    PROP_STRING(ScsiDisk, version, .name = "ver", .help = "revision, 4 characters"), \
    PROP_STRING(ScsiDisk, serial, .name = "serial", .help = "serial number, 36 characters"), \
    PROP_STRING(ScsiDisk, vendor, .name = "vendor", .help = "vendor, 8 characters"), \
    PROP_STRING(ScsiDisk, product, .name = "product", .help = "product, 16 characters"), \
    PROP_STRING(ScsiDisk, device_id, .name = "device_id", \
                .help = "identifier of VPD page 83; default: the serial number or the drive's id")
#define SCSI_PORT_PROPS \
    PROP_UINT64(ScsiDisk, wwn, .name = "wwn", .help = "world wide name; 0: none"), \
    PROP_UINT64(ScsiDisk, port_wwn, .name = "port_wwn", \
                .help = "world wide name of the port; 0: none"), \
    PROP_UINT16(ScsiDisk, port_index, .name = "port_index", .help = "number of the port; 0: none")
#define SCSI_IO_PROP \
    PROP_UINT64(ScsiDisk, max_io_size, .name = "max_io_size", .def = INT32_MAX, \
                .help = "longest transfer told to the guest, bytes")
#define SCSI_VERSION_PROP \
    PROP_INT32(ScsiDisk, scsi_version, .name = "scsi_version", .def = 5, \
               .help = "version of the standard told by INQUIRY")

static const Property scsi_hd_props[] = {
    BLOCK_CONF_PROPS(ScsiDisk, conf),
    BLOCK_ERROR_PROPS(ScsiDisk, conf),
    SCSI_NAME_PROPS,
    PROP_BOOL(ScsiDisk, removable, .name = "removable", .help = "the medium can be taken out"),
    PROP_BOOL(ScsiDisk, dpofua, .name = "dpofua", .help = "tell of cache bits in commands"),
    SCSI_PORT_PROPS,
    PROP_UINT64(ScsiDisk, max_unmap_size, .name = "max_unmap_size", .def = 1 << 30,
                .help = "most bytes of one UNMAP told to the guest"),
    SCSI_IO_PROP,
    PROP_UINT16(ScsiDisk, rotation_rate, .name = "rotation_rate",
                .help = "revolutions per minute; 1: solid state, 0: not told"),
    SCSI_VERSION_PROP,
    BLOCK_GEOMETRY_PROPS(ScsiDisk, conf),
    PROP_BOOTINDEX(ScsiDisk, conf.bootindex),
    {}
};

static const Property scsi_cd_props[] = {
    BLOCK_CONF_PROPS(ScsiDisk, conf),
    BLOCK_ERROR_PROPS(ScsiDisk, conf),
    SCSI_NAME_PROPS,
    SCSI_PORT_PROPS,
    SCSI_IO_PROP,
    SCSI_VERSION_PROP,
    PROP_BOOTINDEX(ScsiDisk, conf.bootindex),
    {}
};

/* ---- life ---- */

static void scsi_changed(ScsiUnit *unit, ScsiSense what)
{
    ScsiBus *bus = unit->bus;

    if (bus->ops && bus->ops->changed) {
        bus->ops->changed(bus, (ScsiDevice *)unit->dev, what);
    }
}

static void default_text(char **text, const char *value)
{
    if (!*text && value) {
        *text = g_strdup(value);
    }
}

static void scsi_default_strings(ScsiDisk *disk, const char *product)
{
    BlockBackend *blk = disk->conf.blk;

    default_text(&disk->version, SCSI_VERSION_TEXT);
    default_text(&disk->vendor, "QEMU");
    default_text(&disk->product, product);
    if (!blk) {
        return;
    }
    default_text(&disk->serial, block_backend_serial(blk));
    if (disk->serial && *disk->serial) {
        default_text(&disk->device_id, disk->serial);
    } else if (*block_backend_name(blk)) {
        default_text(&disk->device_id, block_backend_name(blk));
    }
}

static bool scsi_disk_start(ScsiDisk *disk, ScsiKind kind, const char *product, GError **error)
{
    ScsiUnit *unit = &disk->scsi.unit;

    scsi_default_strings(disk, product);
    if (disk->serial && strlen(disk->serial) > SERIAL_MAX) {
        set_error(error, "The serial number can't be longer than %d characters", SERIAL_MAX);
        return false;
    }
    unit->kind = kind;
    unit->removable = disk->removable || kind == SCSI_CD;
    unit->dpofua = disk->dpofua;
    unit->conf = &disk->conf;
    unit->vendor = disk->vendor;
    unit->product = disk->product;
    unit->version = disk->version;
    unit->serial = disk->serial;
    unit->device_id = disk->device_id;
    unit->wwn = disk->wwn;
    unit->port_wwn = disk->port_wwn;
    unit->port_index = disk->port_index;
    unit->rotation_rate = disk->rotation_rate;
    unit->max_io_size = disk->max_io_size;
    unit->max_unmap_size = disk->max_unmap_size;
    unit->scsi_version = disk->scsi_version;
    unit->changed = scsi_changed;
    if (!scsi_unit_realize(unit, &disk->scsi.dev, error)) {
        return false;
    }
    scsi_set_attention(unit, sense_reset);
    return true;
}

static bool scsi_hd_realize(Device *dev, GError **error)
{
    return scsi_disk_start(DEVICE_CAST(dev, ScsiDisk), SCSI_DISK, "QEMU HARDDISK", error);
}

static bool scsi_cd_realize(Device *dev, GError **error)
{
    return scsi_disk_start(DEVICE_CAST(dev, ScsiDisk), SCSI_CD, "QEMU CD-ROM", error);
}

static void scsi_disk_unrealize(Device *dev)
{
    scsi_unit_unrealize(&DEVICE_CAST(dev, ScsiDisk)->scsi.unit);
}

static void scsi_disk_reset(Device *dev)
{
    scsi_unit_reset(&DEVICE_CAST(dev, ScsiDisk)->scsi.unit);
}

const DeviceType scsi_hd_type = {
    .name = "scsi-hd", .help = "virtual SCSI disk", .category = "storage", .bus = &scsi_bus_type,
    .size = sizeof(ScsiDisk), .props = scsi_hd_props, .state = &scsi_disk_state,
    .realize = scsi_hd_realize, .unrealize = scsi_disk_unrealize, .reset = scsi_disk_reset,
};

const DeviceType scsi_cd_type = {
    .name = "scsi-cd", .help = "virtual SCSI CD-ROM", .category = "storage",
    .bus = &scsi_bus_type, .size = sizeof(ScsiDisk), .props = scsi_cd_props,
    .state = &scsi_disk_state, .realize = scsi_cd_realize, .unrealize = scsi_disk_unrealize,
    .reset = scsi_disk_reset,
};
