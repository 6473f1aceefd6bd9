/* Descriptors that come over the connection. */
#include <unistd.h>

#include "passed_fd.h"
#include "qmp_api.h"
#include "vm.h"

static int received_fd(QmpSession *session, GError **error)
{
    int fd = qmp_session_take_fd(session);

    if (fd < 0) {
        set_error(error, "No file descriptor supplied via SCM_RIGHTS");
    }
    return fd;
}

bool qmp_getfd(QmpSession *session, const char *fdname, GError **error)
{
    int fd = received_fd(session, error);

    return fd >= 0 && passed_fd_name(session, fdname, fd, error);
}

bool qmp_closefd(QmpSession *session, const char *fdname, GError **error)
{
    return passed_fd_close(session, fdname, error);
}

QmpAddfdInfo *qmp_add_fd(QmpSession *session, const int64_t *fdset_id, const char *opaque,
                         GError **error)
{
    int fd = received_fd(session, error);
    int64_t id = fdset_id != NULL ? *fdset_id : -1;
    QmpAddfdInfo *info;

    if (fd < 0) {
        return NULL;
    }
    if (fdset_id != NULL && id < 0) {
        set_error(error, "Parameter 'fdset-id' expects a non-negative value");
        close(fd);
        return NULL;
    }
    if (!fdset_add(&id, fd, opaque, error)) {
        return NULL;
    }
    info = g_new0(QmpAddfdInfo, 1);
    info->fdset_id = id;
    info->fd = fd;
    return info;
}

bool qmp_remove_fd(Vm *vm, int64_t fdset_id, const int64_t *fd, GError **error)
{
    return fdset_remove(fdset_id, fd, error);
}

static void add_set(const FdSet *set, void *opaque)
{
    QmpFdsetInfo *info = g_new0(QmpFdsetInfo, 1);

    info->fdset_id = set->id;
    info->fds = qmp_fdset_fd_info_list_new();
    for (guint i = 0; i < set->members->len; i++) {
        const FdSetMember *member = &g_array_index(set->members, FdSetMember, i);
        QmpFdsetFdInfo *fd = g_new0(QmpFdsetFdInfo, 1);

        fd->fd = member->fd;
        fd->opaque = g_strdup(member->opaque);
        g_ptr_array_add(info->fds, fd);
    }
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_fdsets(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_fdset_info_list_new();

    fdset_foreach(add_set, list);
    return list;
}
