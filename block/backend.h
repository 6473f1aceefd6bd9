/* The struct of a backend, for the files that make it up. */
#pragma once

#include "context.h"

struct BlockBackend {
    char *name;                         /* -drive id; "": anonymous */
    BlockUse *use;                      /* its root node; NULL: no medium */
    BlockContext *context;
    bool from_drive;                    /* -drive: goes with the device it was given to */
    /* the device's */
    Device *dev;
    Vm *vm;                             /* where errors are told; NULL: a tool */
    const BlockDeviceOps *ops;
    void *opaque;
    bool writable, removable, share_rw;
    bool had_device;                    /* one that was realized has let go */
    unsigned claims;                    /* "drive" properties that name it */
    /* settings */
    bool write_cache, read_only, account_invalid, account_failed;
    BlockErrorPolicy rerror, werror;
    char *serial;
    /* what -drive said */
    char *interface;
    int bus, unit;
    bool cdrom;
    /*
     * Requests.  `in_flight` belongs to who holds the machine lock; with an iothread, to `lock`.
     * `idle` is signalled when it is 0.
     */
    unsigned in_flight;
    GMutex lock;                        /* guards `parked`, too */
    GCond idle;
    BlockReq *parked, **parked_last;
    BlockStats stats, snapshot;         /* stats: atomic; snapshot: what a door was given */
    int64_t last_access_ns;             /* atomic */
    unsigned io_status;                 /* atomic BlockIoStatus */
};

typedef enum BlockIoStatus { BLOCK_IO_OK, BLOCK_IO_FAILED, BLOCK_IO_NOSPACE } BlockIoStatus;

static inline BlockNode *backend_node(const BlockBackend *blk)
{
    return blk->use != NULL ? blk->use->node : NULL;
}

/* request.c: carries out one request that has been checked; block_request_done() follows. */
void block_request_start(BlockReq *req);
/* Only tells, later: for requests that fail at once. */
void block_request_defer(BlockReq *req, int ret);

/* backend_io.c: the context's thread. */
void block_request_done(BlockReq *req, int ret, bool refused);
void block_backend_resume(BlockBackend *blk);           /* sends the parked again */

/* Permissions its device needs of a node. */
void block_backend_perms(const BlockBackend *blk, unsigned *perm, unsigned *shared);
/* Puts in a node (a reference, taken); the medium before must be out. */
bool block_backend_insert(BlockBackend *blk, BlockNode *node, GError **error);
void block_backend_remove(BlockBackend *blk);           /* drains, lets go of the node */
BlockBackend *block_backend_new(const char *name);
void block_backend_free(BlockBackend *blk);

/* The five cache modes of -drive cache=; false: no such mode. */
bool block_parse_cache_mode(const char *text, bool *write_cache, bool *direct, bool *no_flush);
/* A new writable node over `base` whose changes go when it does. */
BlockNode *block_node_temporary(BlockNode *base, GError **error);
