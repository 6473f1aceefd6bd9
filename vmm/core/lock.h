/*
 * The machine lock, and the order of all locks.
 *
 * The machine lock guards device state, the device tree, the memory map's writers, run state and
 * everything that says nothing else.  The main thread holds it except while it waits for events; a
 * vCPU thread takes it around a device access only, and not where the region says `unlocked`.
 *
 * Lock order (take from top to bottom, never upwards):
 *   1. tcg bus lock            locked accesses that cross a cache line or meet code (accel/tcg)
 *   2. machine lock
 *   3. X86Cpu.work_lock        one per vCPU, its queue of work from other threads
 *   4. tcg code lock           the block cache's tables (accel/tcg)
 *   5. chardev: the thread input comes on (char_io.c); a QMP connection's lock; write locks
 *   6. block: a node's gate, a format's own locks from the overlay down to its file (block/)
 *   7. block: a throttle group's lock; then a backend's, a context's list, the pool of workers
 *   8. epoch list lock, log lock, a TLS session's, a VNC server's passwords, a VNC door's name,
 *      what a VNC viewer's thread and the main one tell each other (ui/vnc_viewer.h), and the
 *      terminal's and the main one (ui/curses_thread.c)
 * A thread inside a lock below the machine lock never calls device code.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

void machine_lock(void);
void machine_unlock(void);
bool machine_lock_held(void);               /* by the calling thread */

/* Waits on `cond`, with the machine lock released meanwhile. */
void machine_lock_wait(GCond *cond);
/* The same until g_get_monotonic_time() says `end_us`; false: it is that late. */
bool machine_lock_wait_until(GCond *cond, gint64 end_us);

/* Takes the lock unless this thread has it; returns whether it took it. For dispatch code only. */
bool machine_lock_enter(void);
static inline void machine_lock_leave(bool taken)
{
    if (taken) {
        machine_unlock();
    }
}
