/* Commands about drives, their media, and the nodes of the block graph. */
#include "block_driver.h"
#include "block_info.h"
#include "vm.h"

GPtrArray *qmp_query_block(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_block_info_list_new();

    for (guint i = 0; i < block_backends()->len; i++) {
        g_ptr_array_add(list, qmp_block_info_of(g_ptr_array_index(block_backends(), i)));
    }
    return list;
}

GPtrArray *qmp_query_named_block_nodes(Vm *vm, const bool *flat, GError **error)
{
    GPtrArray *list = qmp_block_device_info_list_new();

    for (guint i = block_nodes()->len; i-- > 0;) {
        BlockNode *node = g_ptr_array_index(block_nodes(), i);

        g_ptr_array_add(list, qmp_block_device_info_of(node, true, flat == NULL || !*flat));
    }
    return list;
}

GPtrArray *qmp_query_blockstats(Vm *vm, const bool *query_nodes, GError **error)
{
    GPtrArray *list = qmp_block_stats_list_new();
    bool nodes = query_nodes != NULL && *query_nodes;

    for (guint i = 0; nodes && i < block_nodes()->len; i++) {
        g_ptr_array_add(list,
                        qmp_block_stats_of_node(g_ptr_array_index(block_nodes(), i), false));
    }
    for (guint i = 0; !nodes && i < block_backends()->len; i++) {
        g_ptr_array_add(list, qmp_block_stats_of(g_ptr_array_index(block_backends(), i)));
    }
    return list;
}

/* ---- nodes ---- */

bool qmp_blockdev_add(Vm *vm, const QmpBlockdevOptions *args, GError **error)
{
    json_object *json = qmp_blockdev_options_to_json(args);
    g_autoptr(KeyVal) kv = keyval_from_json(json, error);

    json_object_put(json);
    return kv != NULL && block_node_add(kv, error) != NULL;
}

bool qmp_blockdev_del(Vm *vm, const char *node_name, GError **error)
{
    return block_node_delete(node_name, error);
}

/* The backend that has the node as its root, which hears of a new size. */
static BlockBackend *backend_of_node(const BlockNode *node)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);

        if (block_backend_node(blk) == node) {
            return blk;
        }
    }
    return NULL;
}

bool qmp_block_resize(Vm *vm, const char *device, const char *node_name, int64_t size,
                      GError **error)
{
    BlockBackend *blk = device != NULL ? block_backend_find(device) : NULL;
    BlockNode *node = node_name != NULL ? block_node_find(node_name) : NULL;

    if ((blk == NULL || block_backend_node(blk) == NULL) && node == NULL) {
        set_error(error, "Cannot find device='%s' nor node-name='%s'",
                  device != NULL ? device : "", node_name != NULL ? node_name : "");
        return false;
    }
    if (size < 0) {
        set_error(error, "Parameter 'size' expects a >0 size");
        return false;
    }
    blk = blk != NULL ? blk : backend_of_node(node);
    return blk != NULL ? block_backend_resize(blk, size, error) :
                         block_node_truncate(node, size, BLOCK_PREALLOC_OFF, error);
}

bool qmp_block_set_write_threshold(Vm *vm, const char *node_name, uint64_t write_threshold,
                                   GError **error)
{
    return block_node_set_write_threshold(vm, node_name, write_threshold, error);
}

/* ---- limits ---- */

#define TAKE_LIMIT(to_, args_, name_) \
    (to_)->rate = (args_)->name_; \
    (to_)->burst = (args_)->has_##name_##_max ? (args_)->name_##_max : 0; \
    (to_)->burst_seconds = (args_)->has_##name_##_max_length ? (args_)->name_##_max_length : 1

bool qmp_block_set_io_throttle(Vm *vm, const QmpBlockSetIoThrottleArgs *args, GError **error)
{
    BlockBackend *blk = block_backend_lookup(args->device, args->id, error);
    const char *group = args->group, *old_group;
    BlockLimits limits;

    if (blk == NULL) {
        return false;
    }
    if (block_backend_node(blk) == NULL) {
        set_error(error, "Device has no medium");
        return false;
    }
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_BPS_TOTAL], args, bps);
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_BPS_READ], args, bps_rd);
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_BPS_WRITE], args, bps_wr);
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_IOPS_TOTAL], args, iops);
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_IOPS_READ], args, iops_rd);
    TAKE_LIMIT(&limits.limit[BLOCK_LIMIT_IOPS_WRITE], args, iops_wr);
    limits.op_size = args->has_iops_size ? args->iops_size : 0;
    if (group == NULL && block_backend_limits(blk, &old_group) == NULL) {
        group = args->device != NULL ? args->device : args->id;
    }
    return block_backend_set_limits(blk, &limits, group, error);
}

/* ---- media ---- */

bool qmp_eject(Vm *vm, const char *device, const char *id, const bool *force, GError **error)
{
    BlockBackend *blk = block_backend_lookup(device, id, error);

    return blk != NULL && block_backend_eject(blk, force != NULL && *force, error);
}

bool qmp_blockdev_open_tray(Vm *vm, const char *device, const char *id, const bool *force,
                            GError **error)
{
    BlockBackend *blk = block_backend_lookup(device, id, error);

    return blk != NULL && block_backend_open_tray(blk, force != NULL && *force, error);
}

bool qmp_blockdev_close_tray(Vm *vm, const char *device, const char *id, GError **error)
{
    BlockBackend *blk = block_backend_lookup(device, id, error);

    return blk != NULL && block_backend_close_tray(blk, error);
}

bool qmp_blockdev_remove_medium(Vm *vm, const char *id, GError **error)
{
    BlockBackend *blk = block_backend_lookup(NULL, id, error);

    return blk != NULL && block_backend_remove_medium(blk, error);
}

bool qmp_blockdev_insert_medium(Vm *vm, const char *id, const char *node_name, GError **error)
{
    BlockBackend *blk = block_backend_lookup(NULL, id, error);

    return blk != NULL && block_backend_insert_medium(blk, node_name, error);
}

bool qmp_blockdev_change_medium(Vm *vm, const QmpBlockdevChangeMediumArgs *args, GError **error)
{
    BlockBackend *blk = block_backend_lookup(args->device, args->id, error);
    const char *mode = args->has_read_only_mode
                           ? qmp_blockdev_change_read_only_mode_names[args->read_only_mode] : NULL;

    return blk != NULL && block_backend_change(blk, args->filename, args->format, mode,
                                               args->has_force && args->force, error);
}
