#include "job.h"

#include <string.h>

#include "block_internal.h"
#include "rhea_error.h"

static GPtrArray *list;                 /* Job *, oldest first */

const char *const job_status_names[] = {
    "created", "running", "waiting", "pending", "aborting", "concluded", "null", NULL
};

const GPtrArray *jobs(void)
{
    if (list == NULL) {
        list = g_ptr_array_new();
    }
    return list;
}

static Job *find(const char *id)
{
    for (guint i = 0; i < jobs()->len; i++) {
        Job *job = g_ptr_array_index(list, i);

        if (g_str_equal(job->id, id)) {
            return job;
        }
    }
    return NULL;
}

Job *job_find(const char *id, GError **error)
{
    Job *job = find(id);

    if (job == NULL) {
        set_error(error, "Job not found");
    }
    return job;
}

static void set_status(Job *job, JobStatus status)
{
    VmEvent event = { .kind = VM_EVENT_JOB_STATUS, .device = job->id,
                      .action = job_status_names[status] };

    job->status = status;
    if (job->vm != NULL) {
        vm_emit(job->vm, &event);
    }
}

bool job_begin(Job *job, Vm *vm, const char *id, GError **error)
{
    if (!block_is_identifier(id)) {
        set_error(error, "Invalid job ID '%s'", id);
        error_add_hint(error, "Letters, digits, '-', '.' and '_', a letter first.");
        return false;
    }
    if (find(id) != NULL) {
        set_error(error, "Job ID '%s' already in use", id);
        return false;
    }
    job->id = g_strdup(id);
    job->vm = vm;
    job->progress_total = 1;
    g_ptr_array_add(list, job);
    set_status(job, JOB_CREATED);
    set_status(job, JOB_RUNNING);
    return true;
}

void job_end(Job *job, GError *error)
{
    job->progress_current = job->progress_total;
    job->error = error;
    if (error != NULL) {
        set_status(job, JOB_ABORTING);
    } else {
        set_status(job, JOB_WAITING);
        set_status(job, JOB_PENDING);
    }
    set_status(job, JOB_CONCLUDED);
}

bool job_dismiss(Job *job, GError **error)
{
    if (job->status != JOB_CONCLUDED) {
        set_error(error, "Job '%s' in state '%s' cannot accept command verb 'dismiss'", job->id,
                  job_status_names[job->status]);
        return false;
    }
    set_status(job, JOB_NULL);
    g_ptr_array_remove(list, job);
    g_clear_error(&job->error);
    g_free(job->id);
    job->free(job);
    return true;
}
