/* The gate between aligned writes and changes of part of a block. */
#include "block_internal.h"

struct BlockGate {
    GMutex lock;
    GCond cond;
    unsigned sharing, waiting;
    bool alone;
};

BlockGate *block_gate_new(void)
{
    BlockGate *gate = g_new0(BlockGate, 1);

    g_mutex_init(&gate->lock);
    g_cond_init(&gate->cond);
    return gate;
}

void block_gate_free(BlockGate *gate)
{
    if (gate != NULL) {
        g_mutex_clear(&gate->lock);
        g_cond_clear(&gate->cond);
        g_free(gate);
    }
}

bool block_gate_try_share(BlockGate *gate)
{
    bool open;

    g_mutex_lock(&gate->lock);
    open = !gate->alone && gate->waiting == 0;
    gate->sharing += open;
    g_mutex_unlock(&gate->lock);
    return open;
}

void block_gate_share(BlockGate *gate)
{
    g_mutex_lock(&gate->lock);
    while (gate->alone || gate->waiting > 0) {
        g_cond_wait(&gate->cond, &gate->lock);
    }
    gate->sharing++;
    g_mutex_unlock(&gate->lock);
}

void block_gate_unshare(BlockGate *gate)
{
    g_mutex_lock(&gate->lock);
    if (--gate->sharing == 0) {
        g_cond_broadcast(&gate->cond);
    }
    g_mutex_unlock(&gate->lock);
}

void block_gate_enter(BlockGate *gate)
{
    g_mutex_lock(&gate->lock);
    gate->waiting++;
    while (gate->alone || gate->sharing > 0) {
        g_cond_wait(&gate->cond, &gate->lock);
    }
    gate->waiting--;
    gate->alone = true;
    g_mutex_unlock(&gate->lock);
}

void block_gate_leave(BlockGate *gate)
{
    g_mutex_lock(&gate->lock);
    gate->alone = false;
    g_cond_broadcast(&gate->cond);
    g_mutex_unlock(&gate->lock);
}
