/* Which engine runs the guest. */
#include <string.h>

#include "accel.h"
#include "rhea_error.h"

const AccelOps *const accel_list[] = { &accel_kvm, &accel_tcg, NULL };

static const AccelOps *engine_find(const char *name, GError **error)
{
    const char *names[G_N_ELEMENTS(accel_list) - 1];

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(name, accel_list[i]->name) == 0) {
            return accel_list[i];
        }
        names[i] = accel_list[i]->name;
    }
    set_error(error, "invalid accelerator %s", name);
    error_suggest(error, nearest_name(name, names, G_N_ELEMENTS(names)));
    return NULL;
}

static void decide(AccelChoice *choice)
{
    const AccelProbe *probe = &choice->probe;

    choice->probed = true;
    if (!accel_probe(&choice->probe)) {
        choice->ops = &accel_tcg;
        choice->reason = g_strdup_printf("kvm cannot be used: %s", probe->kvm_problem);
    } else if (probe->kvm_emulates) {
        choice->ops = &accel_tcg;
        choice->reason = g_strdup_printf("this host's kvm runs supervisor code through an "
                                         "instruction emulator, %.1f million instructions a second",
                                         probe->kvm_supervisor_mips);
    } else {
        choice->ops = &accel_kvm;
        choice->reason = g_strdup("kvm runs the guest on the host's processor itself");
    }
}

static void take_first(AccelChoice *choice, const AccelOps *first)
{
    choice->probed = true;
    choice->ops = first == &accel_kvm && accel_probe(&choice->probe) ? first : &accel_tcg;
    choice->reason = g_strdup("it is the first that can be used, and no guest will run");
}

bool accel_choose(const char *const *names, bool idle, AccelChoice *choice, GError **error)
{
    unsigned count = names ? g_strv_length((char **)names) : 0;
    bool kvm = count == 0, tcg = count == 0;

    *choice = (AccelChoice){ 0 };
    for (unsigned i = 0; i < count; i++) {
        const AccelOps *ops = engine_find(names[i], error);

        if (!ops) {
            return false;
        }
        kvm |= ops == &accel_kvm;
        tcg |= ops == &accel_tcg;
    }
    if (kvm && tcg && count > 0 && idle) {
        take_first(choice, engine_find(names[0], NULL));
    } else if (kvm && tcg) {
        decide(choice);
    } else {
        choice->ops = kvm ? &accel_kvm : &accel_tcg;
        choice->reason = g_strdup("it was asked for by name");
    }
    return true;
}

bool accel_start(Vm *vm, const AccelOps *ops, GError **error)
{
    vm->accel = ops;
    /* kvm hands single instructions to the software CPU, so every CPU has room for it. */
    vm->cpu_size = MAX(accel_kvm.cpu_size, accel_tcg.cpu_size);
    if (!ops->init(vm, error)) {
        vm->accel = NULL;
        return false;
    }
    vm->sync_dirty = ops->sync_dirty;
    return true;
}
