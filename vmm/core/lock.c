#include "lock.h"

/*
 * GLib's mutexes are futexes of its own, which the thread sanitizer cannot see unless it is told.
 */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define TSAN_ACQUIRE(addr) __tsan_acquire(addr)
#define TSAN_RELEASE(addr) __tsan_release(addr)
#else
#define TSAN_ACQUIRE(addr) ((void)0)
#define TSAN_RELEASE(addr) ((void)0)
#endif

static GMutex lock;
static __thread bool held;

static void lock_got(void)
{
    TSAN_ACQUIRE(&lock);
    held = true;
}

static void lock_going(void)
{
    held = false;
    TSAN_RELEASE(&lock);
}

void machine_lock(void)
{
    g_assert(!held);
    g_mutex_lock(&lock);
    lock_got();
}

void machine_unlock(void)
{
    g_assert(held);
    lock_going();
    g_mutex_unlock(&lock);
}

bool machine_lock_held(void)
{
    return held;
}

void machine_lock_wait(GCond *cond)
{
    g_assert(held);
    lock_going();
    g_cond_wait(cond, &lock);
    lock_got();
}

bool machine_lock_enter(void)
{
    if (held) {
        return false;
    }
    machine_lock();
    return true;
}
