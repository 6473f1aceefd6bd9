/*
 * Writing the guest's memory and registers to a file.
 *
 * One dump at a time.  The machine stands while a worker thread writes; it goes on afterwards if it
 * ran before.  Main thread, machine lock.
 */
#pragma once

#include "vm_core.h"

typedef enum GuestDumpFormat { GUEST_DUMP_ELF } GuestDumpFormat;    /* QMP's order */

typedef struct GuestDumpOptions {
    GuestDumpFormat format;
    bool paging;                        /* the file tells virtual addresses, as CPUs translate them */
    bool limited;                       /* only physical memory from `begin` on, `length` bytes */
    uint64_t begin, length;
} GuestDumpOptions;

typedef enum GuestDumpStatus {          /* QMP's DumpStatus */
    GUEST_DUMP_NONE, GUEST_DUMP_ACTIVE, GUEST_DUMP_COMPLETED, GUEST_DUMP_FAILED
} GuestDumpStatus;

typedef struct GuestDumpState {
    GuestDumpStatus status;
    uint64_t completed, total;          /* bytes of memory */
} GuestDumpState;

/* `error` NULL: all is written.  Behind VM_EVENT_DUMP_COMPLETED. */
typedef void (*GuestDumpDoneFn)(void *opaque, const GError *error);

/*
 * `target`: "file:PATH", or "fd:NAME", a descriptor a monitor was given.  `done` (may be NULL) is
 * called later, unless this fails.
 */
bool guest_dump_start(Vm *vm, const char *target, const GuestDumpOptions *options,
                      GuestDumpDoneFn done, void *opaque, GError **error);
/*
 * Waits for the dump to end, up to `timeout_ms`; false: it goes on.  For doors that show progress
 * by themselves: `done` is called in here.
 */
bool guest_dump_wait(unsigned timeout_ms);
void guest_dump_forget(void);           /* `done` is not called any more */
void guest_dump_query(GuestDumpState *state);
bool guest_dump_active(void);
