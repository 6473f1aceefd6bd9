#include "lock.h"

static GMutex lock;
static __thread bool held;

void machine_lock(void)
{
    g_assert(!held);
    g_mutex_lock(&lock);
    held = true;
}

void machine_unlock(void)
{
    g_assert(held);
    held = false;
    g_mutex_unlock(&lock);
}

bool machine_lock_held(void)
{
    return held;
}

void machine_lock_wait(GCond *cond)
{
    g_assert(held);
    held = false;
    g_cond_wait(cond, &lock);
    held = true;
}

bool machine_lock_wait_until(GCond *cond, gint64 end_us)
{
    bool signalled;

    g_assert(held);
    held = false;
    signalled = g_cond_wait_until(cond, &lock, end_us);
    held = true;
    return signalled;
}

bool machine_lock_enter(void)
{
    if (held) {
        return false;
    }
    machine_lock();
    return true;
}
