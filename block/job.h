/*
 * Jobs: work that goes on after the command that asked for it, told of by events.
 *
 * A job is known by its id until somebody dismisses it.  Main thread, machine lock held; the work
 * itself is the business of whoever made the job.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "keyval.h"
#include "vm_core.h"

typedef enum JobStatus {
    JOB_CREATED, JOB_RUNNING, JOB_WAITING, JOB_PENDING, JOB_ABORTING, JOB_CONCLUDED, JOB_NULL
} JobStatus;
extern const char *const job_status_names[];            /* by JobStatus; NULL-terminated */

typedef struct Job {
    char *id;
    const char *type;                   /* "create" */
    Vm *vm;                             /* where events are told; NULL: nowhere */
    JobStatus status;
    uint64_t progress_current, progress_total;
    GError *error;                      /* why it failed; NULL: it did not */
    void (*free)(struct Job *job);      /* what is the maker's in it */
} Job;

const GPtrArray *jobs(void);                            /* Job *, oldest first */
Job *job_find(const char *id, GError **error);
/* `job`: of the maker's size, all zero but `free` and `type`. Refused: the id. */
bool job_begin(Job *job, Vm *vm, const char *id, GError **error);
/* The work is over; `error` (taken) says why it failed. */
void job_end(Job *job, GError *error);
/* Forgets a job that has concluded. */
bool job_dismiss(Job *job, GError **error);

/*
 * blockdev-create: an image of `driver` with the options of the wire ("cluster-size", "file", …;
 * taken), made on a worker thread.  False: no job was made.
 */
bool job_create_image(Vm *vm, const char *id, const char *driver, KeyVal *opts, GError **error);
