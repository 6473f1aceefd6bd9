/* The guest's memory into a file. */
#include "guest_dump.h"
#include "qmp_api.h"
#include "vm.h"

/* The two count in the same order. */
G_STATIC_ASSERT((int)QMP_DUMP_STATUS_FAILED == GUEST_DUMP_FAILED);
G_STATIC_ASSERT((int)QMP_DUMP_GUEST_MEMORY_FORMAT_ELF == GUEST_DUMP_ELF);

static bool read_options(const QmpDumpGuestMemoryArgs *args, GuestDumpOptions *options,
                         GError **error)
{
    if (args->has_begin != args->has_length) {
        set_error(error, "Parameter '%s' is missing", args->has_begin ? "length" : "begin");
        return false;
    }
    *options = (GuestDumpOptions){
        .format = args->has_format ? (GuestDumpFormat)args->format : GUEST_DUMP_ELF,
        .paging = args->paging, .limited = args->has_begin, .begin = args->begin,
        .length = args->length,
    };
    return true;
}

static void on_done(void *opaque, const GError *error)
{
    if (error != NULL) {
        qmp_pending_fail(opaque, error);
    } else {
        qmp_pending_return(opaque, NULL);
    }
}

bool qmp_dump_guest_memory(QmpSession *session, const QmpDumpGuestMemoryArgs *args,
                           GError **error)
{
    bool detach = args->has_detach && args->detach;
    GuestDumpOptions options;
    QmpPending *pending;

    if (!read_options(args, &options, error)) {
        return false;
    }
    pending = qmp_session_defer(session, NULL, NULL);
    if (!guest_dump_start(session->vm, args->protocol, &options, detach ? NULL : on_done, pending,
                          error)) {
        qmp_pending_drop(pending);
        return false;
    }
    if (detach) {
        qmp_pending_return(pending, NULL);
    }
    return true;
}

QmpDumpQueryResult *qmp_query_dump(Vm *vm, GError **error)
{
    QmpDumpQueryResult *info = g_new0(QmpDumpQueryResult, 1);
    GuestDumpState state;

    guest_dump_query(&state);
    info->status = (QmpDumpStatus)state.status;
    info->completed = state.completed;
    info->total = state.total;
    return info;
}

QmpDumpGuestMemoryCapability *qmp_query_dump_guest_memory_capability(Vm *vm, GError **error)
{
    QmpDumpGuestMemoryCapability *info = g_new0(QmpDumpGuestMemoryCapability, 1);

    info->formats = g_array_new(FALSE, FALSE, sizeof(QmpDumpGuestMemoryFormat));
    for (int format = 0; qmp_dump_guest_memory_format_names[format] != NULL; format++) {
        g_array_append_val(info->formats, format);
    }
    return info;
}
