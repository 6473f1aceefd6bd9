/*
 * SCSI: logical units, the bus they sit on, and the life of a request.
 *
 * A ScsiUnit emulates one logical unit over a BlockConf: a disk (SPC-3, SBC-3) or a CD/DVD drive
 * (MMC-5).  It is a part of a device: scsi-hd and scsi-cd on a SCSI bus, or ide-cd, whose ATAPI
 * packets are the same commands.  A host is whoever carries commands to it: virtio-scsi, a USB
 * mass storage bridge, an ATAPI channel.
 *
 * The life of a request, whose struct belongs to the host:
 *
 *   scsi_request_init()     the CDB is looked at: req->dir and req->len tell the data phase it asks
 *                           for; the host may refuse it here and forget the struct
 *   scsi_request_start()    done() will be called once, perhaps before this returns
 *
 * Data goes one of two ways, chosen by the host before the start:
 *
 *   whole     req->iov holds the host's memory for all of it, at least req->len bytes; disk sectors
 *             are read and written in place
 *   windows   req->iov is NULL.  ops->data() hands over a window of at most SCSI_WINDOW bytes: data
 *             to take (SCSI_FROM_DEVICE) or room to fill (SCSI_TO_DEVICE).  The host calls
 *             scsi_request_continue() once it has; from within data() or later.
 *
 * The data phase may be shorter than req->len (allocation lengths), never longer.
 *
 * Main thread, machine lock.
 */
#pragma once

#include "block.h"
#include "device.h"

#define SCSI_CDB_MAX    16
#define SCSI_SENSE_SIZE 18
#define SCSI_WINDOW     (64 * 1024)

typedef struct ScsiUnit ScsiUnit;
typedef struct ScsiRequest ScsiRequest;
typedef struct ScsiCommand ScsiCommand;
typedef struct ScsiBus ScsiBus;
typedef struct ScsiDevice ScsiDevice;

/* SAM-3 5.3.1 */
enum {
    SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_BUSY = 0x08, SCSI_TASK_SET_FULL = 0x28,
    SCSI_TASK_ABORTED = 0x40,
};

/* SPC-3 4.5.6 */
enum {
    SENSE_NO_SENSE = 0x0, SENSE_NOT_READY = 0x2, SENSE_MEDIUM_ERROR = 0x3,
    SENSE_HARDWARE_ERROR = 0x4, SENSE_ILLEGAL_REQUEST = 0x5, SENSE_UNIT_ATTENTION = 0x6,
    SENSE_DATA_PROTECT = 0x7, SENSE_ABORTED_COMMAND = 0xb,
};

typedef struct ScsiSense { uint8_t key, asc, ascq; } ScsiSense;

typedef enum ScsiDir { SCSI_NO_DATA, SCSI_FROM_DEVICE, SCSI_TO_DEVICE } ScsiDir;

typedef struct ScsiHostOps {
    void (*data)(ScsiRequest *req, uint8_t *window, uint32_t len);  /* NULL: always whole */
    void (*done)(ScsiRequest *req);         /* the struct is the host's again */
} ScsiHostOps;

struct ScsiRequest {
    /* the host's, between init and start */
    const ScsiHostOps *ops;
    void *opaque;
    const struct iovec *iov;
    unsigned niov;
    /* set by init */
    ScsiUnit *unit;
    uint8_t cdb[SCSI_CDB_MAX];
    uint32_t lun;
    bool wrong_lun;                         /* no such logical unit at this target */
    ScsiDir dir;
    uint64_t len;
    /* the outcome, from done() on */
    uint8_t status;
    bool cancelled;                         /* status is TASK ABORTED */
    uint64_t transferred;                   /* bytes of data that went over */
    ScsiSense sense;                        /* with CHECK CONDITION */
    /* the unit's */
    const ScsiCommand *command;
    ScsiRequest *next;                      /* unit->requests */
    void (*step)(ScsiRequest *req);         /* after the host is done with a window */
    uint8_t *buf;
    uint32_t buf_len;
    uint32_t window_len;                    /* what the host has now */
    uint64_t offset, end;                   /* sectors under way, bytes of the medium */
    struct iovec *slice;                    /* part of iov a block request is about */
    struct iovec window_iov;
    bool in_block, running;
    BlockReq block;
};

/* `cdb_len` beyond SCSI_CDB_MAX is cut.  `lun`: what was addressed; it need not be the unit's. */
void scsi_request_init(ScsiRequest *req, ScsiUnit *unit, const ScsiHostOps *ops, void *opaque,
                       uint32_t lun, const uint8_t *cdb, size_t cdb_len);
void scsi_request_start(ScsiRequest *req);
void scsi_request_continue(ScsiRequest *req);
/*
 * done() with TASK ABORTED: at once, or when the image request under way has ended.  For a request
 * that was started and is not done.
 */
void scsi_request_cancel(ScsiRequest *req);
/*
 * Fixed format sense data of an ended request, for hosts that deliver it with the status; the unit
 * then does not keep it for REQUEST SENSE.  Returns the length, at most SCSI_SENSE_SIZE.
 */
unsigned scsi_request_take_sense(ScsiRequest *req, uint8_t *out, unsigned len);

/* ---- logical units ---- */

typedef enum ScsiKind { SCSI_DISK, SCSI_CD } ScsiKind;

/* What the medium has been through since the host last asked (MMC-5 GET EVENT STATUS). */
typedef enum ScsiMediaEvent { SCSI_MEDIA_SAME, SCSI_MEDIA_EJECT_REQUEST, SCSI_MEDIA_NEW,
                              SCSI_MEDIA_REMOVED } ScsiMediaEvent;

struct ScsiUnit {
    /* configuration: the owner's, before scsi_unit_realize(); strings borrowed, NULL: none */
    ScsiKind kind;
    bool atapi;                             /* answers as an ATAPI drive, not as a SCSI one */
    bool removable, dpofua;
    BlockConf *conf;
    const char *vendor, *product, *version, *serial, *device_id;
    uint64_t wwn, port_wwn;
    uint16_t port_index, rotation_rate;
    uint64_t max_io_size, max_unmap_size;   /* bytes; 0: no limit told */
    int scsi_version;                       /* of INQUIRY: 5 is SPC-3 */
    uint32_t lun;
    ScsiBus *bus;                           /* NULL: not on one */
    const ScsiDevice *dev;                  /* on that bus */
    void (*changed)(ScsiUnit *unit, ScsiSense what);    /* capacity, medium; may be NULL */
    /* wiring */
    Device *owner;
    uint32_t block_size;
    bool original_cache;                    /* the write cache, before the guest switched it */
    ScsiRequest *requests;                  /* started, not done */
    /* guest-visible state: scsi_unit_state */
    ScsiSense sense;                        /* what REQUEST SENSE reports */
    ScsiSense attention;                    /* unit attention to report; key 0: none */
    bool tray_open, locked, stopped;
    uint8_t media_event;                    /* ScsiMediaEvent */
};

extern const StateDesc scsi_unit_state;

/* Checks the configuration and attaches the drive. In the owner's realize. */
bool scsi_unit_realize(ScsiUnit *unit, Device *owner, GError **error);
void scsi_unit_unrealize(ScsiUnit *unit);
void scsi_unit_reset(ScsiUnit *unit);           /* cancels everything first */
void scsi_unit_clear(ScsiUnit *unit);           /* what a reset does beside that */
/* Cancels all requests and waits for them: every done() was called when this returns. */
void scsi_unit_purge(ScsiUnit *unit);
bool scsi_unit_has_medium(const ScsiUnit *unit);
uint64_t scsi_unit_blocks(const ScsiUnit *unit);        /* capacity in blocks of block_size */

/* ---- the bus ---- */

extern const BusType scsi_bus_type;

/* What a host adapter wants to hear of; NULL members: nothing. */
typedef struct ScsiBusOps {
    void (*added)(ScsiBus *bus, ScsiDevice *dev);
    void (*removed)(ScsiBus *bus, ScsiDevice *dev);     /* its requests are done */
    void (*changed)(ScsiBus *bus, ScsiDevice *dev, ScsiSense what);
} ScsiBusOps;

struct ScsiBus {
    Bus bus;
    const ScsiBusOps *ops;                  /* NULL: hears nothing */
    void *opaque;
    uint32_t max_channel, max_target, max_lun;          /* highest address of each */
};

/* What scsi-hd and scsi-cd begin with. */
struct ScsiDevice {
    Device dev;
    /* configuration */
    uint32_t channel, scsi_id, lun;         /* UINT32_MAX: next free */
    /* wiring and state */
    ScsiUnit unit;
};

ScsiBus *scsi_bus_new(Device *parent, const char *name, const ScsiBusOps *ops, void *opaque,
                      uint32_t max_channel, uint32_t max_target, uint32_t max_lun);
/*
 * The device at an address; where the target has no such LUN, another of its devices, whose unit
 * then answers for the target (req->wrong_lun).  NULL: no such target.
 */
ScsiDevice *scsi_bus_find(ScsiBus *bus, uint32_t channel, uint32_t id, uint32_t lun);

extern const DeviceType scsi_hd_type, scsi_cd_type;
