/* Commands that stop, start and reset the machine.  Their events come in front of their replies. */
#include "qmp_api.h"
#include "vm.h"

QmpStatusInfo *qmp_query_status(Vm *vm, GError **error)
{
    QmpStatusInfo *info = g_new0(QmpStatusInfo, 1);

    info->running = vm_is_running(vm);
    info->status = vm->run_state;
    return info;
}

bool qmp_stop(Vm *vm, GError **error)
{
    return vm_cmd_stop(vm, error);
}

bool qmp_cont(Vm *vm, GError **error)
{
    return vm_cmd_cont(vm, error);
}

bool qmp_system_reset(Vm *vm, GError **error)
{
    vm_request_reset(vm, SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    vm_run_requests(vm);
    return true;
}

bool qmp_system_powerdown(Vm *vm, GError **error)
{
    vm_request_powerdown(vm);
    vm_run_requests(vm);
    return true;
}

bool qmp_system_wakeup(Vm *vm, GError **error)
{
    if (vm->run_state != RUN_STATE_SUSPENDED) {
        set_error(error, "Unable to wake up: guest is not in suspended state");
        return false;
    }
    vm_request_wakeup(vm);
    vm_run_requests(vm);
    return true;
}

bool qmp_inject_nmi(Vm *vm, GError **error)
{
    return vm_cmd_inject_nmi(vm, error);
}

bool qmp_watchdog_set_action(Vm *vm, QmpWatchdogAction action, GError **error)
{
    g_free(vm->config.watchdog_action);
    vm->config.watchdog_action = g_strdup(qmp_watchdog_action_names[action]);
    return true;
}

bool qmp_set_action(Vm *vm, const QmpRebootAction *reboot, const QmpShutdownAction *shutdown,
                    const QmpPanicAction *panic, const QmpWatchdogAction *watchdog,
                    GError **error)
{
    VmConfig *config = &vm->config;

    if (reboot != NULL) {
        config->no_reboot = *reboot == QMP_REBOOT_ACTION_SHUTDOWN;
    }
    if (shutdown != NULL) {
        config->no_shutdown = *shutdown == QMP_SHUTDOWN_ACTION_PAUSE;
    }
    if (panic != NULL) {
        g_free(config->panic_action);
        config->panic_action = g_strdup(qmp_panic_action_names[*panic]);
    }
    return watchdog == NULL || qmp_watchdog_set_action(vm, *watchdog, error);
}
