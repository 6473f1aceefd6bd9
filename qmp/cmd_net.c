/* Network back ends and links. */
#include "net.h"
#include "qmp_api.h"
#include "qmp_dispatch.h"
#include "vm.h"

/* Checked against the schema by now: the back end reads its options as from everywhere else. */
bool qmp_netdev_add(Vm *vm, const QmpNetdev *args, GError **error)
{
    const QmpCommand *command = qmp_command_find(qmp_commands, "netdev_add");
    json_object *json = qmp_value_to_json(command->args, &args);
    g_autoptr(KeyVal) kv = keyval_from_json(json, error);

    json_object_put(json);
    return kv != NULL && netdev_add(vm, kv, error);
}

bool qmp_netdev_del(Vm *vm, const char *id, GError **error)
{
    return netdev_del(id, error);
}

bool qmp_set_link(Vm *vm, const char *name, bool up, GError **error)
{
    return net_set_link(name, up, error);
}
