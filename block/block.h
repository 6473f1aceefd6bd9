/*
 * Disks on the host: what devices, monitors and tools see of them.
 *
 * A BlockNode is a named node of the graph that -drive and -blockdev build: a protocol (file,
 * host_device, null-co, nbd) at the bottom, formats (raw, qcow2) over it, a backing chain beside
 * it.  A BlockBackend is the socket a guest's disk plugs into: it holds a root node (none: an empty
 * drive), error policy, statistics and the requests under way.  Nodes are counted; a backend, a
 * parent node and the monitor's -blockdev each hold a reference.
 *
 * Threads: graph and backends change on the main thread under the machine lock.  Requests of a
 * backend are submitted and completed on the thread of its BlockContext: the main thread (machine
 * lock held in `done`), or an iothread (not held).  The work in between happens in the kernel
 * (io_uring) or on worker threads.
 *
 * Errors of requests are negative errno values; of everything else GError.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "iothread.h"
#include "keyval.h"
#include "vm_core.h"

#define BLOCK_SECTOR_SIZE   512
/* More than this in one request is refused with -EINVAL: no caller's buffer is larger. */
#define BLOCK_MAX_REQUEST   (UINT64_C(2) << 30)

typedef struct BlockNode BlockNode;
typedef struct BlockBackend BlockBackend;
typedef struct BlockContext BlockContext;
typedef struct BlockReq BlockReq;

/* ---- requests ---- */

typedef enum BlockOp { BLOCK_READ, BLOCK_WRITE, BLOCK_ZERO, BLOCK_DISCARD, BLOCK_FLUSH,
                       BLOCK_OPS } BlockOp;

enum {
    BLOCK_REQ_FUA = 1,              /* WRITE, ZERO: on stable storage when done */
    BLOCK_REQ_MAY_UNMAP = 2,        /* ZERO: the range may become a hole */
    BLOCK_REQ_NO_FALLBACK = 4,      /* ZERO: -ENOTSUP rather than writing zeroes */
};

/*
 * One request.  The struct and its buffers belong to the caller, who keeps them until done() is
 * called, exactly once and never from within block_submit().  A request past the end gets -EINVAL
 * (and so does one that is not aligned to the sector size of a node that asks for it).
 */
struct BlockReq {
    /* the caller's */
    BlockOp op;
    unsigned flags;
    uint64_t offset, len;           /* bytes; READ and WRITE: len is the sum of iov */
    const struct iovec *iov;
    unsigned niov;
    void (*done)(BlockReq *req, int ret);               /* 0 or -errno */
    void *opaque;
    /* the block layer's */
    BlockBackend *blk;
    BlockReq *next;
    int64_t begin_ns;
    int ret;
};

void block_submit(BlockBackend *blk, BlockReq *req);
/* Between these, requests are collected and handed to the kernel together. Same thread; nest. */
void block_plug(BlockBackend *blk);
void block_unplug(BlockBackend *blk);
/*
 * From done(): end(opaque) is called once when everything that ended together has been told, so
 * that a guest gets one interrupt for it.  The struct is the caller's, and is queued or not.
 */
typedef struct BlockBatch {
    void (*end)(void *opaque);
    void *opaque;
    struct BlockBatch *next;
    bool queued;
} BlockBatch;
void block_batch_add(BlockBackend *blk, BlockBatch *batch);

/*
 * Waits until nothing is under way but requests parked by werror=stop.  Main thread, machine lock
 * held; calls done() of what ends meanwhile.  For an iothread's backend it waits for that thread.
 */
void block_drain(BlockBackend *blk);
void block_drain_all(void);
/* Completes parked requests with -ECANCELED; a device's reset does it. */
void block_drop_parked(BlockBackend *blk);

/* Blocking, for tools, firmware helpers and realize: main thread or a thread of a tool's own. */
int block_pread(BlockBackend *blk, uint64_t offset, void *buf, uint64_t len);
int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, uint64_t len, unsigned flags);
int block_flush(BlockBackend *blk);

/* ---- backends ---- */

typedef enum BlockErrorPolicy {
    BLOCK_ERROR_REPORT, BLOCK_ERROR_IGNORE, BLOCK_ERROR_ENOSPC, BLOCK_ERROR_STOP, BLOCK_ERROR_AUTO
} BlockErrorPolicy;

typedef struct BlockStats {         /* by BlockOp where indexed */
    uint64_t bytes[BLOCK_OPS], operations[BLOCK_OPS], failed[BLOCK_OPS], invalid[BLOCK_OPS],
             time_ns[BLOCK_OPS];
    uint64_t write_highest_offset;
} BlockStats;

/* What a device with a removable medium answers; all on the main thread. NULL members: no. */
typedef struct BlockDeviceOps {
    void (*media_changed)(void *opaque, bool loaded);
    void (*eject_request)(void *opaque, bool force);
    bool (*tray_open)(void *opaque);
    bool (*locked)(void *opaque);
    void (*resized)(void *opaque);
} BlockDeviceOps;

BlockBackend *block_backend_find(const char *name);         /* -drive id; NULL: none */
const GPtrArray *block_backends(void);                      /* BlockBackend *, oldest first */
const char *block_backend_name(const BlockBackend *blk);    /* "": made for a -blockdev */
BlockNode *block_backend_node(const BlockBackend *blk);     /* NULL: no medium */
Device *block_backend_device(const BlockBackend *blk);      /* NULL: none */
/* How clients know it: its id, the path of one without.  New string; NULL: no device. */
char *block_backend_device_name(const BlockBackend *blk);
const BlockStats *block_backend_stats(const BlockBackend *blk);     /* as it was when asked */
/* Since the last request ended; 0: none did. */
int64_t block_backend_idle_ns(const BlockBackend *blk);
void block_backend_accounting(const BlockBackend *blk, bool *invalid, bool *failed);
bool block_backend_read_only(const BlockBackend *blk);
bool block_backend_write_cache(const BlockBackend *blk);    /* off: every write is as FUA */
void block_backend_set_write_cache(BlockBackend *blk, bool on);
uint64_t block_backend_size(const BlockBackend *blk);       /* bytes; 0: no medium */
const char *block_backend_serial(const BlockBackend *blk);  /* -drive serial=; NULL */

/*
 * A device takes its backend in realize and lets go in unrealize.  Refused: another device has it;
 * a writable device on a read-only node; no medium where the device's is not removable.
 */
typedef struct BlockAttach {
    Device *dev;
    const BlockDeviceOps *ops;              /* may be NULL */
    void *opaque;
    bool read_only, removable;
} BlockAttach;
bool block_backend_attach(BlockBackend *blk, const BlockAttach *attach, GError **error);
void block_backend_detach(BlockBackend *blk);               /* drains first */
/* The guest moved the tray by itself: tells who listens. */
void block_backend_tray_moved(BlockBackend *blk, bool open);
/* Where its requests live from now on; NULL: the main loop. Drains first. */
void block_backend_set_context(BlockBackend *blk, BlockContext *context);

/*
 * What a device has on "drive": the field is a BlockBackend *.  Takes a -drive's id or a node name,
 * for which an anonymous backend is made.
 */
extern const PropType prop_drive;
#define PROP_DRIVE(s, f, ...) PROP_OF(prop_drive, BlockBackend *, s, f, __VA_ARGS__)

/* The properties every disk shares: a device embeds a BlockConf and names these in its table. */
typedef struct BlockConf {
    BlockBackend *blk;                      /* drive */
    uint32_t logical_block_size, physical_block_size;       /* 0: from the node, at least 512 */
    uint32_t min_io_size, opt_io_size, discard_granularity; /* discard_granularity ~0: from node */
    OnOffAuto backend_defaults;             /* on: sizes left open are the node's */
    OnOffAuto write_cache;
    bool share_rw;
    OnOffAuto account_invalid, account_failed;
    int rerror, werror;                     /* BlockErrorPolicy; AUTO: the drive's */
    int32_t bootindex;                      /* -1: none */
    uint32_t cyls, heads, secs;             /* 0: guessed */
    uint32_t lcyls, lheads, lsecs;          /* what a BIOS is to show; 0: its own choice */
} BlockConf;
/* uint32_t bytes; printed like sizes. */
extern const PropType prop_size32;
#define PROP_SIZE32(s, f, ...) PROP_OF(prop_size32, uint32_t, s, f, __VA_ARGS__)
#define BLOCK_CONF_PROPS(s, f) \
    PROP_DRIVE(s, f.blk, .name = "drive", .help = "node name or id of the drive"), \
    PROP_ON_OFF_AUTO(s, f.backend_defaults, .name = "backend_defaults", \
                     .help = "block sizes are those of the image's host"), \
    PROP_SIZE32(s, f.logical_block_size, .name = "logical_block_size", \
                .help = "sector size the guest sees, bytes"), \
    PROP_SIZE32(s, f.physical_block_size, .name = "physical_block_size", \
                .help = "physical sector size the guest sees, bytes"), \
    PROP_SIZE32(s, f.min_io_size, .name = "min_io_size", .help = "smallest good transfer, bytes"), \
    PROP_SIZE32(s, f.opt_io_size, .name = "opt_io_size", .help = "best transfer, bytes"), \
    PROP_SIZE32(s, f.discard_granularity, .name = "discard_granularity", .def = UINT32_MAX, \
                .help = "smallest range worth discarding, bytes"), \
    PROP_ON_OFF_AUTO(s, f.write_cache, .name = "write-cache", \
                     .help = "the guest sees a volatile write cache"), \
    PROP_BOOL(s, f.share_rw, .name = "share-rw", .help = "others may write the image too"), \
    PROP_ON_OFF_AUTO(s, f.account_invalid, .name = "account-invalid", \
                     .help = "count refused requests"), \
    PROP_ON_OFF_AUTO(s, f.account_failed, .name = "account-failed", \
                     .help = "count failed requests")
extern const char *const block_error_policy_names[];       /* by BlockErrorPolicy */
#define BLOCK_ERROR_PROPS(s, f) \
    PROP_ENUM(s, f.rerror, .name = "rerror", .def = BLOCK_ERROR_AUTO, \
              .names = block_error_policy_names, .help = "what a read error does"), \
    PROP_ENUM(s, f.werror, .name = "werror", .def = BLOCK_ERROR_AUTO, \
              .names = block_error_policy_names, .help = "what a write error does")
#define BLOCK_GEOMETRY_PROPS(s, f) \
    PROP_UINT32(s, f.cyls, .name = "cyls", .help = "cylinders"), \
    PROP_UINT32(s, f.heads, .name = "heads", .help = "heads"), \
    PROP_UINT32(s, f.secs, .name = "secs", .help = "sectors of a track"), \
    PROP_UINT32(s, f.lcyls, .name = "lcyls", .help = "cylinders the BIOS shows"), \
    PROP_UINT32(s, f.lheads, .name = "lheads", .help = "heads the BIOS shows"), \
    PROP_UINT32(s, f.lsecs, .name = "lsecs", .help = "sectors of a track the BIOS shows")
/* Checks block sizes, fills in what was left to the node, attaches. In realize. */
bool block_conf_realize(BlockConf *conf, const BlockAttach *attach, GError **error);
/* Cylinders, heads and sectors for ATA and SCSI: asked for, from an MBR, or by size. */
void block_conf_geometry(BlockConf *conf);

/* ---- limits of traffic (throttle.c): main thread, machine lock ---- */
typedef enum BlockLimitKind {
    BLOCK_LIMIT_BPS_TOTAL, BLOCK_LIMIT_BPS_READ, BLOCK_LIMIT_BPS_WRITE,
    BLOCK_LIMIT_IOPS_TOTAL, BLOCK_LIMIT_IOPS_READ, BLOCK_LIMIT_IOPS_WRITE, BLOCK_LIMITS
} BlockLimitKind;
typedef struct BlockLimit {
    uint64_t rate;                              /* bytes or requests per second; 0: no limit */
    uint64_t burst, burst_seconds;              /* rate of a burst (0: none), and its length */
} BlockLimit;
typedef struct BlockLimits {
    BlockLimit limit[BLOCK_LIMITS];
    uint64_t op_size;                           /* bytes that count as one request; 0: any number */
} BlockLimits;
void block_limits_init(BlockLimits *limits);    /* none */
bool block_limits_check(const BlockLimits *limits, GError **error);
/*
 * Backends of a group share its limits.  `group` may be NULL for a backend that has one.  Without
 * any limit the backend leaves its group.
 */
bool block_backend_set_limits(BlockBackend *blk, const BlockLimits *limits, const char *group,
                              GError **error);
const BlockLimits *block_backend_limits(const BlockBackend *blk, const char **group); /* or NULL */

/* ---- opening ---- */

/*
 * -drive: `kv` has file, if, id, format, media, cache, aio, … ; returns the backend.  The caller
 * looks at what it said of the interface (if=, index=) with block_drive_info().
 */
BlockBackend *block_drive_new(KeyVal *kv, const char *default_if, bool snapshot, GError **error);
typedef struct BlockDriveInfo {
    const char *interface;                  /* "ide", "virtio", "scsi", "none", … */
    int bus, unit;                          /* -1: next */
    bool cdrom;
} BlockDriveInfo;
void block_drive_info(const BlockBackend *blk, BlockDriveInfo *info);
/*
 * HMP's drive_del, of a drive or a -blockdev node: a device that has it finds no medium from now
 * on.
 */
bool block_drive_delete(const char *id, GError **error);
/* Deletes a backend no device has. */
bool block_backend_delete(BlockBackend *blk, GError **error);

/*
 * -blockdev and blockdev-add: flat options ("driver", "node-name", "file.driver", …, or
 * "file" naming a node).  The monitor holds the reference until block_node_delete().
 */
BlockNode *block_node_add(KeyVal *kv, GError **error);
bool block_node_delete(const char *node_name, GError **error);      /* refused while in use */
BlockNode *block_node_find(const char *node_name);
const char *block_node_filename(const BlockNode *node);
const GPtrArray *block_nodes(void);         /* BlockNode *, oldest first; every named node */

/* At the end: ends what is under way and lets go of every image, cleanly. */
void block_close_all(void);

/*
 * ---- removable media: change, eject, blockdev-change-medium ----
 * A door's "device" is a drive's id, its "id" the id or path of the guest's device.
 */
BlockBackend *block_backend_lookup(const char *device, const char *id, GError **error);
bool block_backend_is_removable(const BlockBackend *blk);
bool block_backend_has_tray(const BlockBackend *blk);
bool block_backend_is_tray_open(const BlockBackend *blk);
bool block_backend_is_locked(const BlockBackend *blk);
const char *block_backend_io_status(const BlockBackend *blk);   /* "ok", "failed", "nospace" */
bool block_backend_insert_medium(BlockBackend *blk, const char *node_name, GError **error);
bool block_backend_remove_medium(BlockBackend *blk, GError **error);
bool block_backend_resize(BlockBackend *blk, uint64_t size, GError **error);
bool block_backend_eject(BlockBackend *blk, bool force, GError **error);
bool block_backend_change(BlockBackend *blk, const char *filename, const char *format,
                          const char *read_only_mode, bool force, GError **error);
bool block_backend_open_tray(BlockBackend *blk, bool force, GError **error);
bool block_backend_close_tray(BlockBackend *blk, GError **error);

/*
 * ---- changes of the graph under a running guest: all of them, or none ----
 * Nothing is under way between new and end; an action that fails leaves nothing behind, and what
 * went before it is taken back by an end without commit.
 */
typedef struct BlockTransaction BlockTransaction;
BlockTransaction *block_transaction_new(void);
void block_transaction_end(BlockTransaction *transaction, bool commit);
/* Whoever uses `node` uses `overlay` from then on, whose backing it becomes. */
bool block_transaction_snapshot(BlockTransaction *transaction, const char *node,
                                const char *overlay, GError **error);
/* The same into a file, which is made first unless it is `existing`. */
typedef struct BlockSnapshotFile {
    const char *device, *node_name;             /* one of them, the other NULL */
    const char *file, *format, *new_node_name;  /* format and name: NULL is qcow2, generated */
    bool existing;
} BlockSnapshotFile;
bool block_transaction_snapshot_file(BlockTransaction *transaction, const BlockSnapshotFile *args,
                                     GError **error);
/* What `image` (of the chain of `device`) records of its backing file. Names of either kind. */
bool block_change_backing_file(const char *device, const char *image, const char *backing_file,
                               GError **error);

/*
 * Tells of the first write to a protocol's node that ends behind `threshold`, by an event; 0: no
 * more.
 */
bool block_node_set_write_threshold(Vm *vm, const char *node_name, uint64_t threshold,
                                    GError **error);
/*
 * HMP's commit: what the medium holds is written into its backing file, and then dropped from it.
 * The backend has a medium.
 */
bool block_backend_commit(BlockBackend *blk, GError **error);

/* ---- contexts: one per iothread ---- */
BlockContext *block_context_main(void);
BlockContext *block_context_new(GMainContext *context);     /* sources run on its thread */
void block_context_free(BlockContext *context);
/* The one that goes with an iothread, made when first asked for; freed with the iothread. */
BlockContext *block_context_of(IoThread *iothread);
