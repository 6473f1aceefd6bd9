/* Jobs, and the one that makes images. */
#include <string.h>

#include "job.h"
#include "qmp_api.h"
#include "vm.h"

static QmpJobInfo *info_of(const Job *job)
{
    QmpJobInfo *info = g_new0(QmpJobInfo, 1);

    info->id = g_strdup(job->id);
    info->type = qmp_enum_index(qmp_job_type_names, job->type);
    info->status = qmp_enum_index(qmp_job_status_names, job_status_names[job->status]);
    info->current_progress = job->progress_current;
    info->total_progress = job->progress_total;
    if (job->error != NULL) {                           /* without the hints below */
        info->error = g_strndup(job->error->message, strcspn(job->error->message, "\n"));
    }
    return info;
}

GPtrArray *qmp_query_jobs(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_job_info_list_new();

    for (guint i = 0; i < jobs()->len; i++) {
        g_ptr_array_add(list, info_of(g_ptr_array_index(jobs(), i)));
    }
    return list;
}

/* None of our jobs moves a disk's data. */
GPtrArray *qmp_query_block_jobs(Vm *vm, GError **error)
{
    return qmp_block_job_info_list_new();
}

bool qmp_job_dismiss(Vm *vm, const char *id, GError **error)
{
    Job *job = job_find(id, error);

    return job != NULL && job_dismiss(job, error);
}

bool qmp_blockdev_create(Vm *vm, const char *job_id, const QmpBlockdevCreateOptions *options,
                         GError **error)
{
    json_object *json = qmp_blockdev_create_options_to_json(options);
    KeyVal *kv = keyval_from_json(json, error);

    json_object_put(json);
    return kv != NULL && job_create_image(vm, job_id, qmp_blockdev_driver_names[options->driver],
                                          kv, error);
}
