/* device_add and device_del. */
#include "qmp_api.h"
#include "vm.h"

bool qmp_device_add(Vm *vm, const char *driver, const char *bus, const char *id, json_object *all,
                    GError **error)
{
    g_autoptr(KeyVal) kv = keyval_from_json(all, error);

    return kv != NULL && vm_device_add(vm, kv, error) != NULL;
}

bool qmp_device_del(Vm *vm, const char *id, GError **error)
{
    return vm_device_del(vm, id, error);
}
