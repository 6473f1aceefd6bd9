/* The struct of a backend, for the files that make it up. */
#pragma once

#include "context.h"

/* Requests that wait, oldest first. */
typedef struct BlockThrottle BlockThrottle;
typedef struct BlockReqList { BlockReq *first, **last; } BlockReqList;

/* Why a request may not begin at once. */
enum { BLOCK_HOLD_QUIET = 1, BLOCK_HOLD_THROTTLE = 2 };

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
    GMutex lock;                        /* guards the lists, too */
    GCond idle;
    unsigned hold;                      /* atomic BLOCK_HOLD_*; set by the main thread */
    BlockReqList parked;                /* failed, and sent again on resume */
    BlockReqList held;                  /* came while all was to be quiet; not in flight */
    BlockThrottle *throttle;            /* NULL: no limits; changes on the context's thread */
    BlockReqList throttled[2];          /* in flight, and waiting; the group's lock */
    unsigned limits_off;                /* being drained; the group's lock */
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

/* throttle.c: true: the request waits, and counts as in flight; block_request_begin() follows. */
bool block_throttle_take(BlockBackend *blk, BlockReq *req);
void block_throttle_bypass(BlockBackend *blk, bool on); /* nothing of it waits; nests */
void block_throttle_leave(BlockBackend *blk);

/* backend_io.c: the context's thread. */
void block_backend_enter(BlockBackend *blk);            /* one more under way */
void block_request_begin(BlockReq *req);                /* of one that is */
void block_backend_set_throttled(BlockBackend *blk, bool on);
void block_request_done(BlockReq *req, int ret, bool refused);
void block_backend_resume(BlockBackend *blk);           /* sends the parked again */
bool block_backend_is_busy(BlockBackend *blk);          /* something is under way */

/* Requests that are submitted stay in `held`, until they are let go. */
void block_backend_hold(BlockBackend *blk);
void block_backend_unhold(BlockBackend *blk);

static inline void block_req_list_add(BlockReqList *list, BlockReq *req)
{
    req->next = NULL;
    *list->last = req;
    list->last = &req->next;
}

static inline void block_req_list_init(BlockReqList *list)
{
    list->first = NULL;
    list->last = &list->first;
}

/*
 * quiesce.c: between these nothing is under way anywhere, and nothing begins.  Main thread, machine
 * lock held; they nest.
 */
void block_quiesce_begin(void);
void block_quiesce_end(void);

/* Permissions its device needs of a node. */
void block_backend_perms(const BlockBackend *blk, unsigned *perm, unsigned *shared);
/* Puts in a node (a reference, taken); the medium before must be out. */
bool block_backend_insert(BlockBackend *blk, BlockNode *node, GError **error);
void block_backend_remove(BlockBackend *blk);           /* drains, lets go of the node */
BlockBackend *block_backend_new(const char *name);
void block_backend_free(BlockBackend *blk);

/* The five cache modes of -drive cache=; false: no such mode. */
bool block_parse_cache_mode(const char *text, bool *write_cache, bool *direct, bool *no_flush);
/* drive_limits.c: what a -drive says of its traffic, and whether a key of it is about that. */
bool block_drive_limits_take(KeyVal *kv, BlockLimits *limits, const char **group, GError **error);
bool block_drive_limits_own(const char *key);
/* A new writable node over `base` whose changes go when it does. */
BlockNode *block_node_temporary(BlockNode *base, GError **error);
