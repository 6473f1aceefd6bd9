/* The memory balloon. */
#include "qmp_api.h"
#include "vm.h"

bool qmp_balloon(Vm *vm, int64_t value, GError **error)
{
    if (value <= 0) {
        /* Without a balloon that is what the caller hears of, whatever the value. */
        return vm_balloon(vm, 0, error);
    }
    return vm_balloon(vm, value, error);
}

QmpBalloonInfo *qmp_query_balloon(Vm *vm, GError **error)
{
    uint64_t bytes;

    if (!vm_balloon_actual(vm, &bytes, error)) {
        return NULL;
    }
    QmpBalloonInfo *info = g_new0(QmpBalloonInfo, 1);

    info->actual = bytes;
    return info;
}
