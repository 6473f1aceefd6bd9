/*
 * usb-storage: a SCSI disk or CD drive behind the bulk-only transport (Universal Serial Bus Mass
 * Storage Class, Bulk-Only Transport 1.0).
 *
 * A command goes host → CBW → data → CSW → host.  The disk hands over its data in windows; an
 * endpoint says NAK while there is none.  A host that asks for more than the disk gives gets zeroes
 * (6.7.2, case 5), one whose data goes the wrong way or asks for less gets a phase error.
 */
#include "rhea_error.h"
#include "scsi.h"
#include "usb.h"
#include "vm_log.h"

#include <string.h>

#define STORAGE_IN_EP   0x81
#define STORAGE_OUT_EP  0x02

/* Class requests, 3 */
enum { STORAGE_GET_MAX_LUN = 0xfe, STORAGE_RESET = 0xff };

/* Command block wrapper, 5.1: signature, tag, length, flags, LUN, length of the CDB, CDB */
#define CBW_SIZE        31
#define CBW_SIGNATURE   0x43425355
enum {
    CBW_TAG = 4, CBW_DATA_LEN = 8, CBW_FLAGS = 12, CBW_LUN = 13, CBW_CDB_LEN = 14, CBW_CDB = 15,
};
#define CBW_FLAG_IN     0x80

/* Command status wrapper, 5.2: signature, tag, residue, status */
#define CSW_SIZE        13
#define CSW_SIGNATURE   0x53425355
enum { CSW_TAG = 4, CSW_RESIDUE = 8, CSW_STATUS = 12 };
enum { STATUS_PASSED = 0, STATUS_FAILED = 1, STATUS_PHASE_ERROR = 2 };

/* What the host is to do next. */
typedef enum StorageMode { MODE_CBW = 0, MODE_DATA_OUT = 1, MODE_DATA_IN = 2, MODE_CSW = 3 }
StorageMode;

typedef struct Storage {
    UsbDevice usb;
    /* configuration */
    BlockConf conf;
    bool removable, commandlog;
    /* wiring */
    ScsiBus *bus;
    ScsiRequest req;
    bool running;                       /* req is the disk's */
    uint8_t *window;                    /* the disk's memory, NULL: none now */
    /* guest-visible state; of a command under way only what is needed to fail it */
    uint32_t mode;                      /* StorageMode */
    uint32_t scsi_len, scsi_off;        /* the window's length, and what of it is done */
    uint32_t data_len;                  /* what the host still transfers */
    uint32_t tag, residue;
    uint8_t status;
    /* the saved form */
    uint8_t saved_status;
} Storage;

static uint32_t le32_at(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void le32_put(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = value >> (8 * i);
    }
}

/* ---- the disk's side ---- */

static void storage_window(ScsiRequest *req, uint8_t *window, uint32_t len)
{
    Storage *storage = req->opaque;

    storage->window = window;
    storage->scsi_len = len;
    storage->scsi_off = 0;
    usb_wakeup(&storage->usb);
}

static void storage_done(ScsiRequest *req)
{
    Storage *storage = req->opaque;

    storage->running = false;
    storage->window = NULL;
    if (storage->status == STATUS_PASSED && req->status != SCSI_GOOD) {
        storage->status = STATUS_FAILED;
    }
    usb_wakeup(&storage->usb);
}

static const ScsiHostOps storage_host_ops = { .data = storage_window, .done = storage_done };

/* Gives a window back that is done with; the next may be there when this returns. */
static void finish_window(Storage *storage)
{
    if (storage->window && storage->scsi_off == storage->scsi_len) {
        storage->window = NULL;
        scsi_request_continue(&storage->req);
    }
}

static void cancel_request(Storage *storage)
{
    if (storage->running) {
        storage->window = NULL;
        scsi_request_cancel(&storage->req);
    }
}

static void storage_forget(UsbDevice *dev)
{
    Storage *storage = (Storage *)dev;

    cancel_request(storage);
    storage->mode = MODE_CBW;
    storage->data_len = 0;
}

/* ---- commands ---- */

/* Whether data can go as the host means to let it go, 6.7. */
static bool directions_agree(const Storage *storage, bool host_reads)
{
    const ScsiRequest *req = &storage->req;

    switch (req->dir) {
    case SCSI_FROM_DEVICE:
        return storage->data_len > 0 && host_reads;
    case SCSI_TO_DEVICE:
        return storage->data_len >= req->len && !host_reads;
    default:
        return true;
    }
}

static void log_command(const Storage *storage, const uint8_t *cdb, unsigned len)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < len; i++) {
        g_string_append_printf(text, " %02x", cdb[i]);
    }
    log_guest("usb-storage %s: command%s, %u bytes of data\n", storage->usb.port->path, text->str,
              storage->data_len);
}

static bool cbw_is_valid(const UsbPacket *packet)
{
    const uint8_t *cbw = packet->data;

    return packet->len == CBW_SIZE && le32_at(cbw) == CBW_SIGNATURE && cbw[CBW_CDB_LEN] >= 1 &&
           cbw[CBW_CDB_LEN] <= SCSI_CDB_MAX;
}

static int take_command(Storage *storage, const UsbPacket *packet)
{
    const uint8_t *cbw = packet->data;
    ScsiDevice *disk = scsi_bus_find(storage->bus, 0, 0, 0);
    bool reads;

    if (storage->running) {
        return USB_NAK;                     /* a cancelled command is still on its way out */
    }
    if (!cbw_is_valid(packet) || !disk) {
        /* 6.6.1: neither endpoint goes on before the host has cleaned up */
        usb_halt(&storage->usb, STORAGE_IN_EP);
        usb_halt(&storage->usb, STORAGE_OUT_EP);
        return USB_STALL;
    }
    reads = cbw[CBW_FLAGS] & CBW_FLAG_IN;
    storage->tag = le32_at(cbw + CBW_TAG);
    storage->data_len = storage->residue = le32_at(cbw + CBW_DATA_LEN);
    storage->status = STATUS_PASSED;
    storage->mode = !storage->data_len ? MODE_CSW : reads ? MODE_DATA_IN : MODE_DATA_OUT;
    if (storage->commandlog) {
        log_command(storage, cbw + CBW_CDB, cbw[CBW_CDB_LEN]);
    }
    scsi_request_init(&storage->req, &disk->unit, &storage_host_ops, storage, cbw[CBW_LUN] & 0x0f,
                      cbw + CBW_CDB, cbw[CBW_CDB_LEN]);
    if (directions_agree(storage, reads)) {
        storage->running = true;
        scsi_request_start(&storage->req);
    } else {
        storage->status = STATUS_PHASE_ERROR;
    }
    return packet->len;
}

/* ---- data ---- */

/* Between a window and a packet, as much as both have; then on to the next window. */
static uint32_t copy_windows(Storage *storage, uint8_t *data, uint32_t len, bool to_host)
{
    uint32_t done = 0;

    while (done < len && storage->window) {
        uint32_t n = MIN(len - done, storage->scsi_len - storage->scsi_off);
        uint8_t *window = storage->window + storage->scsi_off;

        memcpy(to_host ? data + done : window, to_host ? window : data + done, n);
        storage->scsi_off += n;
        done += n;
        finish_window(storage);
    }
    storage->residue -= done;
    return done;
}

static void data_went_over(Storage *storage, uint32_t len)
{
    storage->data_len -= len;
    if (storage->data_len == 0) {
        storage->mode = MODE_CSW;
    }
}

static int data_in(Storage *storage, const UsbPacket *packet)
{
    uint32_t len = MIN(packet->len, storage->data_len), copied;

    if (storage->running && !storage->window) {
        return USB_NAK;
    }
    copied = copy_windows(storage, packet->data, len, true);
    memset(packet->data + copied, 0, len - copied);
    data_went_over(storage, len);
    return len;
}

static int data_out(Storage *storage, const UsbPacket *packet)
{
    uint32_t len = MIN(packet->len, storage->data_len);

    if (storage->running && !storage->window) {
        return USB_NAK;
    }
    if (copy_windows(storage, packet->data, len, false) < len && storage->running) {
        storage->status = STATUS_PHASE_ERROR;       /* odd packets that do not fill a window */
    }
    data_went_over(storage, len);
    return packet->len;
}

static int send_status(Storage *storage, const UsbPacket *packet)
{
    if (storage->window) {
        storage->status = STATUS_PHASE_ERROR;       /* the disk has more than the host wants */
        cancel_request(storage);
    }
    if (storage->running) {
        return USB_NAK;
    }
    if (packet->len < CSW_SIZE) {
        return USB_BABBLE;
    }
    le32_put(packet->data, CSW_SIGNATURE);
    le32_put(packet->data + CSW_TAG, storage->tag);
    le32_put(packet->data + CSW_RESIDUE, storage->residue);
    packet->data[CSW_STATUS] = storage->status;
    storage->mode = MODE_CBW;
    return CSW_SIZE;
}

static int storage_data(UsbDevice *dev, const UsbPacket *packet)
{
    Storage *storage = (Storage *)dev;

    if (packet->pid == USB_PID_OUT) {
        return storage->mode == MODE_CBW ? take_command(storage, packet)
               : storage->mode == MODE_DATA_OUT ? data_out(storage, packet) : USB_STALL;
    }
    return storage->mode == MODE_DATA_IN ? data_in(storage, packet)
           : storage->mode == MODE_CSW ? send_status(storage, packet) : USB_STALL;
}

static int storage_control(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->type == (USB_TYPE_CLASS | USB_TO_INTERFACE) && setup->request == STORAGE_RESET) {
        storage_forget(dev);
        return 0;
    }
    if (setup->type == (USB_DIR_IN | USB_TYPE_CLASS | USB_TO_INTERFACE) &&
        setup->request == STORAGE_GET_MAX_LUN) {
        data[0] = 0;
        return 1;
    }
    return USB_STALL;
}

/* ---- state ---- */

/* A command that is under way does not travel: the host sees it fail and tries again. */
static void storage_saving(void *opaque)
{
    Storage *storage = opaque;

    storage->saved_status = storage->running ? STATUS_PHASE_ERROR : storage->status;
}

static bool storage_loaded(void *opaque, GError **error)
{
    Storage *storage = opaque;

    cancel_request(storage);
    storage->status = storage->saved_status;
    storage->scsi_len = storage->scsi_off = 0;
    return true;
}

static const StateField storage_fields[] = {
    STATE_STRUCT(Storage, usb, UsbDevice, usb_device_state),
    STATE_UINT32(Storage, mode, .range = { MODE_CBW, MODE_CSW }),
    STATE_UINT32(Storage, scsi_len),
    STATE_UINT32(Storage, scsi_off),
    STATE_UINT32(Storage, data_len),
    STATE_UINT32(Storage, tag),
    STATE_UINT32(Storage, residue),
    STATE_UINT8(Storage, saved_status, .range = { STATUS_PASSED, STATUS_PHASE_ERROR }),
    {}
};
static const StateDesc storage_state = {
    .name = "usb-storage", .version = 1, .fields = storage_fields, .saving = storage_saving,
    .loaded = storage_loaded,
};

static const Property storage_props[] = {
    BLOCK_CONF_PROPS(Storage, conf),
    BLOCK_ERROR_PROPS(Storage, conf),
    PROP_BOOL(Storage, removable, .name = "removable", .help = "the medium can be taken out"),
    PROP_BOOL(Storage, commandlog, .name = "commandlog",
              .help = "the guest's commands in the log of -d guest_errors"),
    PROP_BOOTINDEX(Storage, conf.bootindex),
    {}
};

/* ---- life ---- */

/* What the disk takes over from the bridge, as far as it knows the property. */
static bool pass_properties(Storage *storage, Device *disk, GError **error)
{
    static const char *const names[] = {
        "logical_block_size", "physical_block_size", "min_io_size", "opt_io_size",
        "discard_granularity", "write-cache", "share-rw", "account-invalid", "account-failed",
        "rerror", "werror", "removable", "bootindex", "drive",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = property_get(&storage->usb.dev.obj, names[i], error);

        if (!text) {
            return false;
        }
        if (property_find(&disk->obj, names[i]) && !device_set(disk, names[i], text, error)) {
            return false;
        }
    }
    return !storage->usb.serial || device_set(disk, "serial", storage->usb.serial, error);
}

static Device *make_disk(Storage *storage, GError **error)
{
    Vm *vm = storage->usb.dev.vm;
    BlockDriveInfo info;
    Device *disk;

    block_drive_info(storage->conf.blk, &info);
    disk = device_new(vm, info.cdrom ? &scsi_cd_type : &scsi_hd_type, NULL);
    if (!device_set(disk, "scsi-id", "0", error) || !pass_properties(storage, disk, error)) {
        device_free(disk);
        return NULL;
    }
    object_add_child(&storage->bus->bus.obj, "legacy[0]", &disk->obj);
    return disk;
}

/* Sizes that were left to the drive, for people to see. */
static bool show_block_sizes(Storage *storage, const Device *disk, GError **error)
{
    static const char *const names[] = { "logical_block_size", "physical_block_size" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = property_get(&disk->obj, names[i], error);

        if (!text || !property_set(&storage->usb.dev.obj, names[i], text, error)) {
            return false;
        }
    }
    return true;
}

static bool storage_realize(Device *dev, GError **error)
{
    Storage *storage = DEVICE_CAST(dev, Storage);
    Device *disk;

    if (!storage->conf.blk) {
        set_error(error, "drive property not set");
        return false;
    }
    storage->bus = scsi_bus_new(dev, NULL, NULL, NULL, 0, 0, 0);
    disk = make_disk(storage, error);
    if (!disk) {
        return false;
    }
    /* From here on the drive and its place in the boot order are the disk's. */
    storage->conf.bootindex = -1;
    return property_set(&dev->obj, "drive", "", error) &&
           device_realize(disk, &storage->bus->bus, error) &&
           show_block_sizes(storage, disk, error);
}

static const UsbEndpointDesc storage_endpoints[] = {
    { .address = STORAGE_IN_EP, .attributes = USB_ENDPOINT_BULK, .max_packet = 64 },
    { .address = STORAGE_OUT_EP, .attributes = USB_ENDPOINT_BULK, .max_packet = 64 },
};
static const UsbInterfaceDesc storage_interface = {
    .class_id = 8, .subclass = 6, .protocol = 0x50,         /* SCSI, bulk-only */
    .endpoints = storage_endpoints, .n_endpoints = G_N_ELEMENTS(storage_endpoints),
};
static const char *const storage_strings[] = {
    [1] = "QEMU", [2] = "QEMU USB HARDDRIVE", [3] = "1", [4] = "Full speed config (usb 1.1)",
};
static const UsbDesc storage_desc = {
    .usb_version = 0x0200, .vendor_id = 0x46f4, .product_id = 0x0001, .max_packet0 = 8,
    .manufacturer = 1, .product = 2, .serial = 3, .config_string = 4,
    .attributes = USB_CONFIG_ONE | USB_CONFIG_SELF_POWERED,
    .interfaces = &storage_interface, .n_interfaces = 1,
    .strings = storage_strings, .n_strings = G_N_ELEMENTS(storage_strings),
};
static const UsbClass storage_class = {
    .desc = &storage_desc, .product = "QEMU USB MSD", .reset = storage_forget,
    .control = storage_control, .data = storage_data,
};

const DeviceType usb_storage_type = {
    .name = "usb-storage", .category = "storage", .firmware_name = "storage",
    .bus = &usb_bus_type, .size = sizeof(Storage), .props = storage_props,
    .state = &storage_state, .bus_class = &storage_class, .realize = storage_realize,
};
