/* object-add, object-del, and lists of what they made. */
#include "iothread_object.h"
#include "mem_backend.h"
#include "qmp_api.h"
#include "user_object.h"
#include "vm.h"

bool qmp_object_add(Vm *vm, const char *qom_type, const char *id, json_object *all, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(all, error);

    return kv != NULL && user_object_new(vm, kv, error) != NULL;
}

bool qmp_object_del(Vm *vm, const char *id, GError **error)
{
    return user_object_del(id, error);
}

static void describe_iothread(UserObject *obj, void *opaque)
{
    const IoThreadObject *iothread = OBJECT_CAST(obj, IoThreadObject);
    QmpIOThreadInfo *info = g_new0(QmpIOThreadInfo, 1);

    info->id = g_strdup(obj->id);
    info->thread_id = iothread->thread->thread_id;
    info->poll_max_ns = iothread->poll_max_ns;
    info->poll_grow = iothread->poll_grow;
    info->poll_shrink = iothread->poll_shrink;
    info->aio_max_batch = iothread->aio_max_batch;
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_iothreads(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_io_thread_info_list_new();

    user_objects_foreach(iothread_object_type.name, describe_iothread, list);
    return list;
}

static void describe_memdev(UserObject *obj, void *opaque)
{
    const MemBackend *backend = OBJECT_CAST(obj, MemBackend);
    QmpMemdev *info = g_new0(QmpMemdev, 1);

    info->id = g_strdup(obj->id);
    info->size = backend->size;
    info->merge = backend->merge;
    info->dump = backend->dump;
    info->prealloc = backend->prealloc;
    info->share = backend->share;
    info->has_reserve = true;
    info->reserve = backend->reserve;
    info->host_nodes = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    info->policy = backend->policy;
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_memdev(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_memdev_list_new();

    user_objects_foreach(MEMORY_BACKEND, describe_memdev, list);
    return list;
}
