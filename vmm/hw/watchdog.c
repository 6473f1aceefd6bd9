#include "watchdog.h"

#include "rhea_error.h"
#include "x86_cpu.h"

static void act_reset(Vm *vm)
{
    vm_request_reset(vm, SHUTDOWN_CAUSE_GUEST_RESET);
}

static void act_shutdown(Vm *vm)
{
    vm_request_powerdown(vm);
}

static void act_poweroff(Vm *vm)
{
    vm_request_exit(vm, 0);
}

static void act_inject_nmi(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        cpu_raise(g_ptr_array_index(vm->cpus, i), CPU_EVENT_NMI);
    }
}

static void act_pause(Vm *vm)
{
    vm_request_stop(vm, RUN_STATE_WATCHDOG);
}

static void act_debug(Vm *vm)
{
    report_warning("watchdog: timer fired");
}

static void act_none(Vm *vm)
{
}

const char *const watchdog_actions[] = {
    "reset", "shutdown", "poweroff", "inject-nmi", "pause", "debug", "none", NULL
};
static void (*const act[])(Vm *vm) = {
    act_reset, act_shutdown, act_poweroff, act_inject_nmi, act_pause, act_debug, act_none,
};

void watchdog_expired(Vm *vm)
{
    const char *wanted = vm->config.watchdog_action;
    unsigned n = 0;

    for (unsigned i = 0; wanted && watchdog_actions[i]; i++) {
        n = g_str_equal(wanted, watchdog_actions[i]) ? i : n;
    }
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_WATCHDOG, .action = watchdog_actions[n] });
    act[n](vm);
}
