/* External snapshots, alone and as actions of a transaction. */
#include "qmp_api.h"
#include "vm.h"

static bool add_snapshot(BlockTransaction *transaction, const QmpBlockdevSnapshot *args,
                         GError **error)
{
    return block_transaction_snapshot(transaction, args->node, args->overlay, error);
}

static bool add_snapshot_sync(BlockTransaction *transaction, const QmpBlockdevSnapshotSync *args,
                              GError **error)
{
    BlockSnapshotFile file = {
        .device = args->device, .node_name = args->node_name, .file = args->snapshot_file,
        .format = args->format, .new_node_name = args->snapshot_node_name,
        .existing = args->has_mode && args->mode == QMP_NEW_IMAGE_MODE_EXISTING,
    };

    return block_transaction_snapshot_file(transaction, &file, error);
}

static bool add_action(BlockTransaction *transaction, const QmpTransactionAction *action,
                       GError **error)
{
    switch (action->type) {
    case QMP_TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT:
        return add_snapshot(transaction, action->u.blockdev_snapshot.data, error);
    case QMP_TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_SYNC:
        return add_snapshot_sync(transaction, action->u.blockdev_snapshot_sync.data, error);
    case QMP_TRANSACTION_ACTION_KIND_ABORT:
        break;
    }
    set_error(error, "Transaction aborted using Abort action");
    return false;
}

/* No action we have leaves a job behind, so there is nothing to group. */
static bool check_properties(const GPtrArray *actions, const QmpTransactionProperties *properties,
                             GError **error)
{
    const QmpTransactionAction *first = actions->len > 0 ? g_ptr_array_index(actions, 0) : NULL;

    if (first == NULL || properties == NULL || !properties->has_completion_mode ||
        properties->completion_mode == QMP_ACTION_COMPLETION_MODE_INDIVIDUAL) {
        return true;
    }
    set_error(error, "Action '%s' does not support Transaction property completion-mode = grouped",
              qmp_transaction_action_kind_names[first->type]);
    return false;
}

bool qmp_transaction(Vm *vm, const GPtrArray *actions, const QmpTransactionProperties *properties,
                     GError **error)
{
    BlockTransaction *transaction;
    bool ok = true;

    if (!check_properties(actions, properties, error)) {
        return false;
    }
    transaction = block_transaction_new();
    for (guint i = 0; ok && i < actions->len; i++) {
        ok = add_action(transaction, g_ptr_array_index(actions, i), error);
    }
    block_transaction_end(transaction, ok);
    return ok;
}

bool qmp_blockdev_snapshot(Vm *vm, const QmpBlockdevSnapshot *args, GError **error)
{
    BlockTransaction *transaction = block_transaction_new();
    bool ok = add_snapshot(transaction, args, error);

    block_transaction_end(transaction, ok);
    return ok;
}

bool qmp_blockdev_snapshot_sync(Vm *vm, const QmpBlockdevSnapshotSync *args, GError **error)
{
    BlockTransaction *transaction = block_transaction_new();
    bool ok = add_snapshot_sync(transaction, args, error);

    block_transaction_end(transaction, ok);
    return ok;
}

bool qmp_change_backing_file(Vm *vm, const char *device, const char *image_node_name,
                             const char *backing_file, GError **error)
{
    return block_change_backing_file(device, image_node_name, backing_file, error);
}
