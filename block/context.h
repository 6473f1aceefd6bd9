/*
 * Where requests live: an event loop with an io_uring and the finished work of worker threads.
 *
 * The main context belongs to whoever holds the machine lock (vCPUs submit to it, too); the others
 * to their iothread.  Only block_context_defer() may be called from anywhere.
 */
#pragma once

#include "block_internal.h"

/* Something that ends with finished() on the context's thread. */
typedef struct BlockWork BlockWork;
struct BlockWork {
    BlockWork *next;
    BlockContext *context;
    void (*run)(BlockWork *work);               /* on a worker thread */
    void (*finished)(BlockWork *work);
};

typedef enum BlockTransferOp { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_SYNC } BlockTransferOp;

/* One operation of the kernel on a descriptor; the vector stays until finished(). */
typedef struct BlockTransfer {
    BlockWork work;
    BlockTransferOp op;
    int fd, result;                             /* result: bytes or -errno */
    const struct iovec *iov;
    unsigned niov;
    uint64_t offset;
    bool dsync;
} BlockTransfer;

/* Runs fn(opaque) on the context's thread between two events, and waits; not from that thread. */
void block_context_call(BlockContext *context, void (*fn)(void *opaque), void *opaque);
bool block_context_has_ring(const BlockContext *context);
void block_context_transfer(BlockContext *context, BlockTransfer *transfer);
void block_context_defer(BlockContext *context, BlockWork *work);  /* finished() soon; any thread */
void block_context_plug(BlockContext *context);
void block_context_unplug(BlockContext *context);
void block_context_batch(BlockContext *context, BlockBatch *batch);     /* block_batch_add() */
/* Calls finished() of what has ended; waits for something to end if nothing has. */
void block_context_wait(BlockContext *context);
/* Tests: contexts made from now on do without io_uring. */
void block_context_set_ring_allowed(bool allowed);

/* run() on a worker thread, then finished(). */
void block_worker_start(BlockContext *context, BlockWork *work);
