/*
 * Inside the block layer: nodes, and what a protocol or format driver provides.
 *
 * A driver's work comes in two forms.  The slow functions (pread, pwrite, zero, discard, flush …)
 * are plain sequential code that may block; they run on worker threads, several at once on one
 * node, and lock what they share.  The fast function, map(), answers at once, on the submitting
 * thread, where in another node a range lies; when it can, the range is read or written there by
 * io_uring without a worker.  null-co, raw and allocated qcow2 clusters take the fast way.
 *
 * Offsets and lengths are bytes, checked against the node's size before a driver sees them (writes
 * may end past it only where `growable`).  Functions return 0 or -errno.
 */
#pragma once

#include "block.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockInfo BlockInfo;
typedef struct BlockCheck BlockCheck;
typedef struct BlockMeasure BlockMeasure;

typedef enum BlockMapKind {
    BLOCK_MAP_SLOW,                     /* ask the slow functions */
    BLOCK_MAP_DATA,                     /* `len` bytes lie at `offset` of `node` */
    BLOCK_MAP_ZERO,                     /* reads: `len` bytes of zeroes */
    BLOCK_MAP_NOTHING,                  /* nothing to transfer: null-co */
} BlockMapKind;

typedef struct BlockExtent {
    BlockMapKind kind;
    BlockNode *node;                    /* DATA: a child; the layer asks its map() in turn */
    uint64_t offset, len;               /* len ≥ 1, at most what was asked for */
    void *cookie;                       /* the driver's, for map_end() */
} BlockExtent;

/* What is known of a range, for map, convert, query-block: */
enum {
    BLOCK_STATUS_DATA = 1,              /* reads come from data somewhere */
    BLOCK_STATUS_ZERO = 2,              /* reads as zeroes */
    BLOCK_STATUS_OFFSET = 4,            /* `offset` in `file` is where it lies, uncompressed */
    BLOCK_STATUS_ALLOCATED = 8,         /* this layer decides; else the backing file does */
    BLOCK_STATUS_COMPRESSED = 16,
};
typedef struct BlockStatus {
    unsigned flags;
    uint64_t len;                       /* of the range like this, from the asked offset on */
    uint64_t offset;
    BlockNode *file;
} BlockStatus;

typedef enum BlockPrealloc { BLOCK_PREALLOC_OFF, BLOCK_PREALLOC_METADATA, BLOCK_PREALLOC_FALLOC,
                             BLOCK_PREALLOC_FULL } BlockPrealloc;

extern const char *const block_prealloc_names[];        /* by BlockPrealloc; NULL-terminated */

/* Options of one driver: names for errors and introspection; flat keys below the node's prefix. */
typedef struct BlockOption { const char *name, *help; } BlockOption;

struct BlockDriver {
    const char *name;                   /* "qcow2" */
    bool protocol;                      /* has no file child */
    bool growable;                      /* a write may extend it */
    bool fua;                           /* pwrite, zero heed BLOCK_REQ_FUA; else a flush follows */
    bool filter;                        /* passes its user's permissions on to its file: raw */
    size_t size;                        /* of its struct, BlockNode first */
    const BlockOption *options;         /* beyond the common ones; NULL name ends; may be NULL */
    /* 0–100: how surely the first bytes are this format; NULL: never guessed */
    int (*probe)(const uint8_t *head, size_t len, const char *filename);
    /*
     * node->file is open (formats); reads its options through node_option_*(), sets size_bytes and
     * limits, asks for its backing file with backing_filename/backing_format.
     */
    bool (*open)(BlockNode *node, GError **error);
    void (*close)(BlockNode *node);     /* also after an open that failed half way */
    /*
     * What the node's users need and do not share (BLOCK_PERM_*), before it changes; protocols lock
     * their image with it.  NULL: nothing to do.
     */
    bool (*set_perm)(BlockNode *node, unsigned perm, unsigned shared, GError **error);
    /*
     * The node is about to become read-only, or has just become writable; no request is under way.
     * NULL: nothing to do.
     */
    bool (*reopen)(BlockNode *node, bool read_only, GError **error);
    /* fast: never blocks; map_end() when the transfer of a DATA extent is over.  Any thread. */
    void (*map)(BlockNode *node, bool write, uint64_t offset, uint64_t len, BlockExtent *extent);
    void (*map_end)(BlockNode *node, const BlockExtent *extent);
    /* protocols whose data is a descriptor: used by io_uring, with the O_DIRECT alignment below */
    int (*fd)(BlockNode *node);
    /* slow: worker threads */
    int (*pread)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                 uint64_t len);
    int (*pwrite)(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                  uint64_t len, unsigned flags);
    int (*pwrite_compressed)(BlockNode *node, uint64_t offset, const void *buf, uint64_t len);
    int (*zero)(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags);  /* NULL: writes */
    int (*discard)(BlockNode *node, uint64_t offset, uint64_t len);              /* NULL: nothing */
    int (*flush)(BlockNode *node);              /* its own caches and then its file */
    int (*status)(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status);
    bool (*truncate)(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error);
    uint64_t (*allocated_bytes)(BlockNode *node);       /* on the host; NULL: the file's */
    /* Format facts for `info block -v`, query-block and rhea-img info. */
    void (*info)(BlockNode *node, BlockInfo *info);
    /* Makes an image; `opts` are -o options, all known afterwards or the call fails. */
    bool (*create)(const char *filename, uint64_t size, KeyVal *opts, GError **error);
    const BlockOption *create_options;
    /*
     * The same inside `file`, whatever that holds; a worker thread. What the option preallocation
     * asks for comes afterwards, with the new image open.  NULL: a protocol, or raw.
     */
    bool (*create_in)(BlockNode *file, uint64_t size, KeyVal *opts, GError **error);
    bool (*preallocate)(BlockNode *node, BlockPrealloc prealloc, GError **error);
    /* How large an image of `size` (or of what `source`, may be NULL, holds) would be. */
    bool (*measure)(uint64_t size, BlockNode *source, KeyVal *opts, BlockMeasure *measure,
                    GError **error);
    /*
     * Maintenance of an image nothing else uses: no request is under way.  NULL: not with this
     * format.  False: it could not be done; what was found wrong is in `check`.
     */
    bool (*check)(BlockNode *node, BlockCheck *check, GError **error);
    /* What the image records of its backing file (NULL: none); node->backing stays. */
    bool (*set_backing)(BlockNode *node, const char *filename, const char *format, GError **error);
    /* The backing file shows through everywhere. */
    bool (*make_empty)(BlockNode *node, GError **error);
    /* Internal snapshots; `name` is also looked for among the ids. */
    bool (*snapshot_create)(BlockNode *node, const char *name, GError **error);
    bool (*snapshot_delete)(BlockNode *node, const char *name, GError **error);
    bool (*snapshot_apply)(BlockNode *node, const char *name, GError **error);
    bool (*snapshot_view)(BlockNode *node, const char *name, GError **error);  /* read-only node */
};

/* Rows a format adds to its description; freed with block_info_clear(). */
typedef struct BlockSnapshotInfo {
    char *id, *name;
    uint64_t vm_state_size, date_sec, date_nsec, vm_clock_nsec, icount, disk_size;
} BlockSnapshotInfo;
struct BlockInfo {
    uint64_t cluster_size, vm_state_offset;
    bool dirty, corrupt;
    bool needs_compressed_writes;
    GArray *snapshots;                          /* BlockSnapshotInfo */
    GPtrArray *specific;                        /* pairs of char *: name, value ("compat", "1.1") */
};
void block_info_clear(BlockInfo *info);

/* One run of check(): what to do, and what came of it. */
struct BlockCheck {
    bool fix_leaks, fix_errors;
    void (*report)(void *opaque, const char *line);     /* each finding; may be NULL */
    void *opaque;
    uint64_t errors, leaks;                     /* left in the image */
    uint64_t errors_fixed, leaks_fixed, check_errors;
    uint64_t image_end, total_clusters, allocated_clusters, fragmented_clusters,
             compressed_clusters;
};

/* The size an image file would have. */
struct BlockMeasure {
    uint64_t required, fully_allocated;
    bool bitmaps;                               /* the source could have some */
};

/* What came of discards, where a hole is made in a file of the host. */
typedef struct BlockDiscardStats { uint64_t ok, failed, bytes; } BlockDiscardStats;

struct BlockNode {
    const BlockDriver *driver;
    char *name;                                 /* node-name; generated ones begin with '#' */
    unsigned refs;
    KeyVal *options;                            /* what it was opened with, below its prefix */
    char *filename;                             /* what a person calls it: "disk.qcow2" */
    BlockNode *file, *backing;                  /* children; NULL: none. References. */
    char *backing_filename, *backing_format;    /* as the image records them; NULL: none */
    uint64_t size_bytes;
    bool read_only, no_flush, direct;           /* direct: O_DIRECT below */
    bool discard_enabled, detect_zeroes, detect_zeroes_unmap, writethrough, auto_read_only;
    bool force_share;                           /* tools' -U: no image locks */
    unsigned open_flags;                        /* BLOCK_OPEN_*, as far as they concern this node */
    uint32_t request_alignment;                 /* of offset and length: 1, 512, 4096 */
    uint32_t memory_alignment;                  /* of buffers */
    uint64_t max_zero, discard_alignment;       /* 0: any */
    bool aio_uring;                             /* aio=io_uring or native; else worker threads */
    uint64_t write_highest_offset;              /* atomic: end of the furthest write; protocols */
    uint64_t write_threshold;                   /* atomic; protocols: told of when passed */
    Vm *threshold_vm;                           /* whom to tell */
    BlockDiscardStats discards;                 /* atomic; file, host_device */
    bool probed_raw;                            /* raw, because no format was given or found */
    /* graph.c's */
    GPtrArray *uses;                            /* BlockUse *: who uses this node */
    struct BlockUse *file_use, *backing_use;    /* how this node uses its children */
    bool by_monitor;                            /* -blockdev: the monitor holds a reference */
    bool of_parent;                             /* opened with the options of the node above it */
    struct BlockGate *gate;                     /* O_DIRECT: keeps unaligned writes apart */
};

/* What users of a node may ask for, and let others do meanwhile; the bits of QEMU's image locks. */
enum {
    BLOCK_PERM_READ = 1, BLOCK_PERM_WRITE = 2, BLOCK_PERM_WRITE_UNCHANGED = 4,
    BLOCK_PERM_RESIZE = 8, BLOCK_PERM_ALL = 15
};

extern const BlockDriver *const block_drivers[];        /* NULL-terminated (drivers.c) */
const BlockDriver *block_driver_find(const char *name);

/* ---- opening (graph.c) ---- */
enum { BLOCK_OPEN_RDWR = 1, BLOCK_OPEN_NO_BACKING = 2, BLOCK_OPEN_SNAPSHOT = 4,
       BLOCK_OPEN_FORCE_SHARE = 8, BLOCK_OPEN_CHECK = 16 };
/*
 * Opens `filename` (a path, "nbd://…", "json:{…}") with `format` (NULL: guessed from its first
 * bytes) and further flat options (may be NULL; taken).  A new reference.
 */
BlockNode *block_node_open(const char *filename, const char *format, KeyVal *opts, unsigned flags,
                           GError **error);
BlockNode *block_node_ref(BlockNode *node);
void block_node_unref(BlockNode *node);                 /* NULL: nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockNode, block_node_unref)
const char *block_node_option(BlockNode *node, const char *name);       /* NULL: not given */
bool block_node_option_bool(BlockNode *node, const char *name, bool *value, GError **error);
bool block_node_option_size(BlockNode *node, const char *name, uint64_t *value, GError **error);
/* For a driver's open(): its size may still be unknown. */
char *block_backing_path(const char *image, const char *backing);       /* relative to the image */

/*
 * ---- blocking access, with bounds, alignment, fallbacks and backing (node_io.c) ----
 * What lies behind the end of a growable node reads as zeroes; elsewhere that is -EINVAL.
 */
int block_node_pread(BlockNode *node, uint64_t offset, void *buf, uint64_t len);
int block_node_pwrite(BlockNode *node, uint64_t offset, const void *buf, uint64_t len);
int block_node_preadv(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len);
int block_node_pwritev(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len, unsigned flags);
int block_node_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags);
int block_node_discard(BlockNode *node, uint64_t offset, uint64_t len);
int block_node_flush(BlockNode *node);
int block_node_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status);
/* As status, down the backing chain: `depth` layers above the one that decides. */
int block_node_status_above(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status,
                            unsigned *depth);
bool block_is_zero(const uint8_t *buf, uint64_t len);
/* `len` bytes at `at`, by way of `buf`; zeroes may become holes. */
int block_node_copy(BlockNode *from, BlockNode *to, uint8_t *buf, uint64_t at, uint64_t len);
bool block_node_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error);
uint64_t block_node_allocated_bytes(BlockNode *node);   /* UINT64_MAX: cannot tell */
/* size_bytes, which a write on another thread may be moving. */
static inline uint64_t block_node_size(const BlockNode *node)
{
    return __atomic_load_n(&node->size_bytes, __ATOMIC_RELAXED);
}
void *block_alloc_aligned(const BlockNode *node, size_t len);   /* by memory_alignment; free() */
