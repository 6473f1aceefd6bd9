/* Cutting connections.  Out of band: these run on any thread, and touch nothing but yank.h. */
#include "qmp_api.h"
#include "yank.h"

G_STATIC_ASSERT((int)QMP_YANK_INSTANCE_TYPE_CHARDEV == YANK_CHARDEV);

bool qmp_yank(Vm *vm, const GPtrArray *instances, GError **error)
{
    g_autofree YankKey *keys = g_new(YankKey, instances->len);

    for (guint i = 0; i < instances->len; i++) {
        const QmpYankInstance *instance = g_ptr_array_index(instances, i);

        keys[i].type = (YankType)instance->type;
        keys[i].name = instance->type == QMP_YANK_INSTANCE_TYPE_CHARDEV
                           ? instance->u.chardev.id
                           : instance->u.block_node.node_name;
    }
    return yank_cut(keys, instances->len, error);
}

static void add_instance(const YankKey *key, void *opaque)
{
    QmpYankInstance *instance = g_new0(QmpYankInstance, 1);

    instance->type = (QmpYankInstanceType)key->type;
    if (key->type == YANK_CHARDEV) {
        instance->u.chardev.id = g_strdup(key->name);
    } else {
        instance->u.block_node.node_name = g_strdup(key->name);
    }
    g_ptr_array_add(opaque, instance);
}

GPtrArray *qmp_query_yank(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_yank_instance_list_new();

    yank_foreach(add_instance, list);
    return list;
}
