/*
 * Inside the qcow2 format: shared by block/qcow2_*.c.  Section names are those of the public format
 * specification ("qcow2.txt").
 *
 * Locks.  `lock` is held by whoever looks at or changes the tables; it may be held over metadata
 * I/O, never over guest data I/O.  `map_lock` is short, taken inside `lock`, and guards what map()
 * reads: the L1 table, the L2 cache and the counts of transfers under way.  L1 and L2 entries
 * change with both held, so either is enough to read them.
 *
 * Order on disk, so that a crash at any moment leaves at most leaked clusters: a count goes up
 * before a table refers to the cluster, a table's first content before its parent refers to it, and
 * a count goes down only after no table on disk refers to the cluster.  The first two are seen to
 * by qcow2_write_tables(), the last by the lists of pending frees (qcow2_free.c).
 */
#pragma once

#include "block_driver.h"

#define ROUND_UP(n, to)         (((n) + (to) - 1) / (to) * (to))

#define QCOW2_MAGIC             0x514649fbu
#define QCOW2_MIN_CLUSTER_BITS  9
#define QCOW2_MAX_CLUSTER_BITS  21
#define QCOW2_MAX_L1_BYTES      (32u << 20)
#define QCOW2_MAX_RT_BYTES      (8u << 20)
#define QCOW2_MAX_SNAPSHOTS     65536u
#define QCOW2_MAX_SNAPSHOT_TABLE (64u << 20)
#define QCOW2_MAX_EXTRA_DATA    1024u
#define QCOW2_MAX_BITMAPS       65535u
#define QCOW2_SLICE_BYTES       4096u       /* tables are cached in pieces of at most this */

/* L1 and L2 entries ("Cluster mapping") */
#define QCOW2_COPIED            (UINT64_C(1) << 63)
#define QCOW2_COMPRESSED        (UINT64_C(1) << 62)
#define QCOW2_ZERO              UINT64_C(1)
#define QCOW2_OFFSET_MASK       UINT64_C(0x00fffffffffffe00)
#define QCOW2_L1_RESERVED       UINT64_C(0x7f000000000001ff)
#define QCOW2_L2_RESERVED       UINT64_C(0x3f000000000001fe)

enum { QCOW2_INCOMPAT_DIRTY = 1, QCOW2_INCOMPAT_CORRUPT = 2, QCOW2_INCOMPAT_DATA_FILE = 4,
       QCOW2_INCOMPAT_COMPRESSION = 8, QCOW2_INCOMPAT_EXTL2 = 16 };
enum { QCOW2_COMPAT_LAZY = 1 };
enum { QCOW2_AUTOCLEAR_BITMAPS = 1, QCOW2_AUTOCLEAR_RAW_DATA = 2 };
typedef enum Qcow2Compression { QCOW2_ZLIB, QCOW2_ZSTD } Qcow2Compression;

/* Header extensions */
enum { QCOW2_EXT_END = 0, QCOW2_EXT_BACKING_FORMAT = 0xe2792aca, QCOW2_EXT_FEATURES = 0x6803f857,
       QCOW2_EXT_BITMAPS = 0x23852875, QCOW2_EXT_CRYPTO = 0x0537be77,
       QCOW2_EXT_DATA_FILE = 0x44415441 };

typedef struct Qcow2Extension {
    uint32_t type, len;
    uint8_t *data;
} Qcow2Extension;

typedef struct Qcow2Header {
    uint32_t version, cluster_bits, crypt_method, l1_entries, rt_clusters, snapshots;
    uint64_t size, l1_offset, rt_offset, snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order, length;
    uint8_t compression;
    uint8_t *unknown;               /* bytes past the fields known here, kept on rewriting */
    uint32_t unknown_len;
    GArray *extensions;             /* Qcow2Extension, other than the backing format; kept */
    char *backing_file, *backing_format;        /* NULL: none */
} Qcow2Header;

typedef struct Qcow2 Qcow2;

/* Write-back pieces of L2 tables or refcount blocks, by host offset (qcow2_cache.c). */
typedef struct Qcow2Slice {
    uint64_t offset;
    bool dirty, used;
    uint8_t *data;
} Qcow2Slice;
typedef struct Qcow2Cache {
    Qcow2 *q;
    bool shared;                    /* with map(): changes take map_lock */
    unsigned slice_bytes;
    size_t max, hand, dirty;
    GPtrArray *slices;              /* Qcow2Slice */
    GHashTable *by_offset;
} Qcow2Cache;

/* Clusters no table will refer to once what is in memory is on disk. */
typedef struct Qcow2Free {
    uint64_t cluster, count;
    bool discard;                   /* the guest asked: give the space back */
} Qcow2Free;

/* Guest clusters a writer has promised new host clusters to; others wait. */
typedef struct Qcow2Claim Qcow2Claim;
struct Qcow2Claim {
    uint64_t first, count;
    Qcow2Claim *next;
};

typedef struct Qcow2Snapshot {
    uint64_t l1_offset;
    uint32_t l1_entries, extra_len;
    uint8_t *extra;                 /* beyond the known 16 bytes */
    bool has_icount;
    BlockSnapshotInfo info;
} Qcow2Snapshot;

struct Qcow2 {
    BlockNode node;
    /* fixed by open() */
    unsigned cluster_bits, l2_bits, refcount_bits_log2;
    uint32_t cluster_size, l2_entries;
    uint64_t refcount_max, refcount_per_block;
    bool lazy, pass_discard, opened;
    /* guarded by lock */
    GMutex lock;
    GCond claim_cond;
    Qcow2Header header;
    GArray *snapshots;              /* Qcow2Snapshot */
    Qcow2Claim *claims;
    Qcow2Cache refcounts;
    uint64_t *rt;                   /* refcount table, host byte order */
    uint64_t rt_entries;
    bool rt_growing;
    GHashTable *rt_dirty, *l1_dirty;            /* sets of 512-byte pieces, by number + 1 */
    uint64_t free_hint;             /* no free cluster below this number */
    uint64_t fresh_from;            /* file offset from which on the file was never written */
    uint64_t packed_next;           /* where the next compressed cluster may go; 0: nowhere */
    uint64_t snapshots_bytes;       /* of the table of snapshots */
    bool counts_unsynced;           /* counts or copied data were written since the last sync */
    bool corrupt, broken;           /* atomic; broken: a write of tables failed half way */
    GArray *frees, *frees_waiting;  /* Qcow2Free */
    uint64_t frees_begin;           /* the number of the first of frees */
    uint64_t frees_sealed;          /* those before it grow no more */
    unsigned frees_generation;      /* of frees_waiting */
    GHashTable *metadata;           /* set of host clusters that hold tables, by number + 1 */
    /* guarded by map_lock, see above */
    GMutex map_lock;
    uint64_t *l1;                   /* host byte order */
    uint64_t l1_entries;
    Qcow2Cache l2;
    unsigned generation;            /* 0 or 1: where new transfers are counted */
    uint64_t transfers[2];
};

static inline uint64_t qcow2_clusters(const Qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->cluster_bits) + ((bytes & (q->cluster_size - 1)) != 0);
}

static inline uint64_t qcow2_within(const Qcow2 *q, uint64_t offset)
{
    return offset & (q->cluster_size - 1);
}

/* ---- file access (qcow2_file.c): reads past the end give zeroes ---- */
int qcow2_file_read(Qcow2 *q, uint64_t offset, void *buf, uint64_t len);
int qcow2_file_readv(Qcow2 *q, uint64_t offset, const struct iovec *iov, unsigned niov,
                     uint64_t len);
int qcow2_file_write(Qcow2 *q, uint64_t offset, const void *buf, uint64_t len);
int qcow2_file_sync(Qcow2 *q);
/* Zeroes whole clusters; `fresh`: they already are. */
int qcow2_file_clear(Qcow2 *q, uint64_t offset, uint64_t len, bool fresh);
int qcow2_backing_readv(Qcow2 *q, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len);
/* Sets the corrupt bit, refuses writes from now on, warns once; returns -EIO. */
int qcow2_corrupt(Qcow2 *q, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- header (qcow2_header.c) ---- */
bool qcow2_header_read(BlockNode *file, Qcow2Header *header, GError **error);
/* As bytes of one cluster; NULL with an error when it does not fit. */
uint8_t *qcow2_header_bytes(const Qcow2Header *header, size_t *len, GError **error);
GArray *qcow2_extensions_new(void);
void qcow2_header_clear(Qcow2Header *header);
int qcow2_header_write_fields(Qcow2 *q);            /* the fixed part, and waits for the disk */
bool qcow2_header_rewrite(Qcow2 *q, GError **error);
void qcow2_header_add_feature_names(Qcow2Header *header);
/* NULL: no such extension */
const Qcow2Extension *qcow2_header_extension(const Qcow2Header *header, uint32_t type);
void qcow2_header_drop_extension(Qcow2Header *header, uint32_t type);

/* ---- cache ---- */
void qcow2_cache_init(Qcow2Cache *cache, Qcow2 *q, bool shared, size_t max_bytes);
void qcow2_cache_finish(Qcow2Cache *cache);
/* The bytes at `offset`, until the next call for this cache.  lock held. */
int qcow2_cache_get(Qcow2Cache *cache, uint64_t offset, uint8_t **data);
uint8_t *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset);      /* NULL: not there */
void qcow2_cache_set_dirty(Qcow2Cache *cache, uint64_t offset);
int qcow2_cache_write(Qcow2Cache *cache);
void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t len);

/* ---- reference counts (qcow2_refcount.c), lock held ---- */
bool qcow2_refcount_open(Qcow2 *q, GError **error);
int qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *count);
int qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t count);     /* repair */
int qcow2_refcount_add(Qcow2 *q, uint64_t cluster, uint64_t n, int delta);
/* A free run of at least `min` and at most `want` clusters, counted once each. */
int qcow2_alloc(Qcow2 *q, uint64_t want, uint64_t min, uint64_t *cluster, uint64_t *n, bool *fresh);
int qcow2_alloc_packed(Qcow2 *q, uint64_t bytes, uint64_t *offset);
int qcow2_rt_write(Qcow2 *q);
uint64_t qcow2_refcount_read(const uint8_t *block, uint64_t index, unsigned order);
void qcow2_refcount_store(uint8_t *block, uint64_t index, unsigned order, uint64_t value);
/* Whether tables lie there; a guest write there would wreck the image. */
bool qcow2_is_metadata(Qcow2 *q, uint64_t cluster, uint64_t n);
void qcow2_metadata_add(Qcow2 *q, uint64_t offset, uint64_t bytes);
void qcow2_metadata_remove(Qcow2 *q, uint64_t offset, uint64_t bytes);

/* ---- order on disk and freeing (qcow2_free.c), lock held ---- */
int qcow2_write_tables(Qcow2 *q);
int qcow2_settle(Qcow2 *q);         /* all of it to the disk, and frees what can be freed */
void qcow2_free_later(Qcow2 *q, uint64_t cluster, uint64_t count, bool discard);
void qcow2_free_entry(Qcow2 *q, uint64_t entry, bool discard);
void qcow2_reclaim(Qcow2 *q);
int qcow2_flush(BlockNode *node);   /* takes the lock */
int qcow2_mark_dirty(Qcow2 *q);     /* lazy refcounts: before the first change */
unsigned qcow2_transfer_begin(Qcow2 *q);
void qcow2_transfer_end(Qcow2 *q, unsigned generation);

/* ---- cluster mapping (qcow2_cluster.c), lock held ---- */
typedef enum Qcow2Kind { QCOW2_KIND_NONE, QCOW2_KIND_ZERO, QCOW2_KIND_ZERO_ALLOCATED,
                         QCOW2_KIND_NORMAL, QCOW2_KIND_COMPRESSED, QCOW2_KIND_BAD } Qcow2Kind;
Qcow2Kind qcow2_kind(const Qcow2 *q, uint64_t entry);
void qcow2_compressed_range(const Qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *bytes);
int qcow2_l2_get(Qcow2 *q, uint64_t guest_cluster, uint64_t *entry);
int qcow2_l2_set(Qcow2 *q, uint64_t guest_cluster, uint64_t entry);
int qcow2_l2_make(Qcow2 *q, uint64_t guest_cluster);        /* a table that may be written */
void qcow2_l1_set(Qcow2 *q, uint64_t index, uint64_t entry);
int qcow2_l1_write(Qcow2 *q);
int qcow2_l1_grow(Qcow2 *q, uint64_t entries);
int qcow2_bad_entry(Qcow2 *q, uint64_t guest_cluster, uint64_t entry);

/* ---- driver functions ---- */
extern const BlockDriver block_qcow2;
void qcow2_map(BlockNode *node, bool write, uint64_t offset, uint64_t len, BlockExtent *extent);
void qcow2_map_end(BlockNode *node, const BlockExtent *extent);
int qcow2_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                uint64_t len);
int qcow2_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                 uint64_t len, unsigned flags);
int qcow2_pwrite_compressed(BlockNode *node, uint64_t offset, const void *buf, uint64_t len);
int qcow2_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags);
int qcow2_discard(BlockNode *node, uint64_t offset, uint64_t len);
int qcow2_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status);
bool qcow2_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error);
bool qcow2_create(const char *filename, uint64_t size, KeyVal *opts, GError **error);
bool qcow2_create_in(BlockNode *file, uint64_t size, KeyVal *opts, GError **error);
bool qcow2_preallocate_all(BlockNode *node, BlockPrealloc prealloc, GError **error);
extern const BlockOption qcow2_create_options[];
bool qcow2_measure(uint64_t size, BlockNode *source, KeyVal *opts, BlockMeasure *measure,
                   GError **error);
bool qcow2_check(BlockNode *node, BlockCheck *check, GError **error);
bool qcow2_set_backing(BlockNode *node, const char *filename, const char *format, GError **error);
bool qcow2_preallocate(Qcow2 *q, uint64_t from, uint64_t to, BlockPrealloc prealloc,
                       GError **error);
/* Empties guest clusters; lock held.  `reveal_backing`: to nothing, else as a guest's discard. */
int qcow2_unmap(Qcow2 *q, uint64_t first, uint64_t count, bool reveal_backing);
void qcow2_claim_wait(Qcow2 *q, uint64_t first, uint64_t count);
int qcow2_writable(Qcow2 *q);       /* 0, or why not */
void qcow2_set_broken(Qcow2 *q);

/* ---- compression (qcow2_compress.c): one cluster each ---- */
/* Compressed bytes, at most `out_size`; -ENOSPC: it does not shrink to that. */
gssize qcow2_compress(Qcow2Compression type, void *out, size_t out_size, const void *in,
                      size_t len);
int qcow2_decompress(Qcow2Compression type, void *out, size_t out_size, const void *in, size_t len);

/* ---- snapshots (qcow2_snapshot.c) ---- */
bool qcow2_snapshots_read(Qcow2 *q, GError **error);
void qcow2_snapshot_clear(Qcow2Snapshot *snapshot);
uint64_t *qcow2_l1_read(Qcow2 *q, uint64_t offset, uint64_t entries, GError **error);
bool qcow2_snapshot_create(BlockNode *node, const char *name, GError **error);
bool qcow2_snapshot_delete(BlockNode *node, const char *name, GError **error);
bool qcow2_snapshot_apply(BlockNode *node, const char *name, GError **error);
bool qcow2_snapshot_view(BlockNode *node, const char *name, GError **error);
/* Makes the flags of the active tables agree with the counts; lock held. */
int qcow2_flag_active(Qcow2 *q, bool all_shared);

/* ---- references found by walking the tables (qcow2_refs.c) ---- */
typedef struct Qcow2Refs {
    GHashTable *pages;              /* number + 1 → Qcow2RefPage */
    struct Qcow2RefPage *last;      /* looked at last */
    uint64_t highest;               /* cluster */
    bool too_many;                  /* more than this process wants to remember */
} Qcow2Refs;
void qcow2_refs_init(Qcow2Refs *refs);
void qcow2_refs_finish(Qcow2Refs *refs);
void qcow2_refs_add(Qcow2Refs *refs, uint64_t cluster, uint64_t n);
uint64_t qcow2_refs_get(Qcow2Refs *refs, uint64_t cluster);
#define QCOW2_REF_PAGE 256u
/* The first clusters (uint64_t) of groups of QCOW2_REF_PAGE that have references; no order. */
GArray *qcow2_refs_pages(Qcow2Refs *refs);
/* Writes new counts from `refs`, which must leave out the old ones, behind the file's end. */
int qcow2_rebuild_refcounts(Qcow2 *q, Qcow2Refs *refs);
