/* What the machine tells its watchers, as QMP events. */
#include "vm_events.h"

#include "qmp_api.h"

static void on_reset(Vm *vm, const VmEvent *event)
{
    qmp_event_reset(shutdown_cause_is_guest(event->cause), event->cause);
}

static void on_shutdown(Vm *vm, const VmEvent *event)
{
    qmp_event_shutdown(shutdown_cause_is_guest(event->cause), event->cause);
}

static void on_panic(Vm *vm, const VmEvent *event)
{
    int action = qmp_enum_index(qmp_guest_panic_action_names, event->action);

    if (action == QMP_GUEST_PANIC_ACTION_RUN && g_strcmp0(vm->panic_event, "run") == 0) {
        qmp_event_guest_crashloaded(action);
    } else if (action >= 0) {
        qmp_event_guest_panicked(action);
    }
}

static void on_watchdog(Vm *vm, const VmEvent *event)
{
    int action = qmp_enum_index(qmp_watchdog_action_names, event->action);

    if (action >= 0) {
        qmp_event_watchdog(action);
    }
}

static void on_rtc_change(Vm *vm, const VmEvent *event)
{
    g_autofree char *path = vm->rtc != NULL ? object_path(&vm->rtc->obj) : NULL;

    qmp_event_rtc_change(event->offset_s, path != NULL ? path : "");
}

static void on_device_deleted(Vm *vm, const VmEvent *event)
{
    qmp_event_device_deleted(event->device, event->path);
}

static void on_balloon_change(Vm *vm, const VmEvent *event)
{
    qmp_event_balloon_change(event->actual_bytes);
}

static void on_dump_completed(Vm *vm, const VmEvent *event)
{
    g_autoptr(QmpDumpQueryResult) result = qmp_query_dump(vm, NULL);

    qmp_event_dump_completed(result, event->reason);
}

static void on_vserport_change(Vm *vm, const VmEvent *event)
{
    qmp_event_vserport_change(event->device, event->port_open);
}

static void on_rx_filter_changed(Vm *vm, const VmEvent *event)
{
    qmp_event_nic_rx_filter_changed(event->device, event->path);
}

static void on_stop(Vm *vm, const VmEvent *event)
{
    qmp_event_stop();
}

static void on_resume(Vm *vm, const VmEvent *event)
{
    qmp_event_resume();
}

static void on_powerdown(Vm *vm, const VmEvent *event)
{
    qmp_event_powerdown();
}

static void on_suspend(Vm *vm, const VmEvent *event)
{
    qmp_event_suspend();
}

static void on_wakeup(Vm *vm, const VmEvent *event)
{
    qmp_event_wakeup();
}

static void on_stream_connected(Vm *vm, const VmEvent *event)
{
    const VmEventAddress *from = event->address;
    int type = qmp_enum_index(qmp_socket_address_type_names, from->type);
    QmpSocketAddress addr = { .type = type };

    switch (type) {
    case QMP_SOCKET_ADDRESS_TYPE_INET:
        addr.u.inet = (QmpInetSocketAddress){
            .host = (char *)from->host, .port = (char *)from->port, .has_ipv4 = !from->ipv6,
            .ipv4 = true, .has_ipv6 = from->ipv6, .ipv6 = true,
        };
        break;
    case QMP_SOCKET_ADDRESS_TYPE_UNIX:
        addr.u.unix_.path = (char *)from->path;
        break;
    case QMP_SOCKET_ADDRESS_TYPE_FD:
        addr.u.fd.str = (char *)from->str;
        break;
    default:
        return;
    }
    qmp_event_netdev_stream_connected(event->device, &addr);
}

static void on_stream_disconnected(Vm *vm, const VmEvent *event)
{
    qmp_event_netdev_stream_disconnected(event->device);
}

static void on_block_io_error(Vm *vm, const VmEvent *event)
{
    int operation = qmp_enum_index(qmp_io_operation_type_names, event->operation);
    int action = qmp_enum_index(qmp_block_error_action_names, event->action);

    qmp_event_block_io_error(event->device, event->node_name, operation, action, &event->nospace,
                             event->reason);
}

static void on_tray_moved(Vm *vm, const VmEvent *event)
{
    qmp_event_device_tray_moved(event->device, event->path, event->tray_open);
}

static void on_write_threshold(Vm *vm, const VmEvent *event)
{
    qmp_event_block_write_threshold(event->node_name, event->exceeded_bytes,
                                    event->threshold_bytes);
}

static void on_job_status(Vm *vm, const VmEvent *event)
{
    qmp_event_job_status_change(event->device,
                                qmp_enum_index(qmp_job_status_names, event->action));
}

static void on_debug(Vm *vm, const VmEvent *event)
{
    qmp_debug_event(vm);
}

static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    static void (*const handlers[])(Vm *vm, const VmEvent *event) = {
        [VM_EVENT_STOP] = on_stop, [VM_EVENT_RESUME] = on_resume, [VM_EVENT_RESET] = on_reset,
        [VM_EVENT_SHUTDOWN] = on_shutdown, [VM_EVENT_POWERDOWN] = on_powerdown,
        [VM_EVENT_SUSPEND] = on_suspend, [VM_EVENT_WAKEUP] = on_wakeup,
        [VM_EVENT_GUEST_PANICKED] = on_panic, [VM_EVENT_WATCHDOG] = on_watchdog,
        [VM_EVENT_DEBUG] = on_debug, [VM_EVENT_BALLOON_CHANGE] = on_balloon_change,
        [VM_EVENT_VSERPORT_CHANGE] = on_vserport_change,
        [VM_EVENT_RX_FILTER_CHANGED] = on_rx_filter_changed,
        [VM_EVENT_DUMP_COMPLETED] = on_dump_completed,
        [VM_EVENT_BLOCK_IO_ERROR] = on_block_io_error, [VM_EVENT_TRAY_MOVED] = on_tray_moved,
        [VM_EVENT_JOB_STATUS] = on_job_status,
        [VM_EVENT_BLOCK_WRITE_THRESHOLD] = on_write_threshold,
        [VM_EVENT_RTC_CHANGE] = on_rtc_change, [VM_EVENT_DEVICE_DELETED] = on_device_deleted,
        [VM_EVENT_NETDEV_STREAM_CONNECTED] = on_stream_connected,
        [VM_EVENT_NETDEV_STREAM_DISCONNECTED] = on_stream_disconnected,
    };

    if ((size_t)event->kind < G_N_ELEMENTS(handlers) && handlers[event->kind] != NULL) {
        handlers[event->kind](vm, event);
    }
}

void qmp_vm_events_start(Vm *vm)
{
    vm_subscribe(vm, on_vm_event, NULL);
    qmp_vnc_events_start();
}
