/* What doors ask of virtio devices. */
#include "virtio_balloon.h"
#include "vm.h"

bool vm_balloon(Vm *vm, uint64_t bytes, GError **error)
{
    return balloon_set_target(vm, bytes, error);
}

bool vm_balloon_actual(Vm *vm, uint64_t *bytes, GError **error)
{
    return balloon_actual(vm, bytes, error);
}
