#include "vm_core.h"

#include <string.h>

#include "vm_log.h"

/* Bits of Vm.pending_requests, in the order they are carried out. */
enum VmRequest {
    REQUEST_STOP     = 1 << 0,
    REQUEST_PANIC    = 1 << 1,
    REQUEST_SUSPEND  = 1 << 2,
    REQUEST_SHUTDOWN = 1 << 3,
    REQUEST_RESET    = 1 << 4,
    REQUEST_WAKEUP   = 1 << 5,
    REQUEST_POWERDOWN = 1 << 6,
    REQUEST_EXIT     = 1 << 7,
    REQUEST_DEBUG    = 1 << 8,
};

typedef struct Subscriber {
    VmEventFn fn;
    void *opaque;
} Subscriber;

typedef struct ResetHook {
    VmResetFn fn;
    void *opaque;
} ResetHook;

/* ---- main loop: the lock is free exactly while the main thread waits ---- */

static gint poll_unlocked(GPollFD *fds, guint n, gint timeout_ms)
{
    bool held = machine_lock_held();
    gint ready;

    if (held) {
        machine_unlock();
    }
    ready = g_poll(fds, n, timeout_ms);
    if (held) {
        machine_lock();
    }
    return ready;
}

typedef struct RequestSource {
    GSource source;
    Vm *vm;
} RequestSource;

static bool requests_pending(GSource *source)
{
    Vm *vm = ((RequestSource *)source)->vm;

    return __atomic_load_n(&vm->pending_requests, __ATOMIC_ACQUIRE) != 0;
}

static gboolean requests_prepare(GSource *source, gint *timeout_ms)
{
    *timeout_ms = -1;
    return requests_pending(source);
}

static gboolean requests_check(GSource *source)
{
    return requests_pending(source);
}

static gboolean requests_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    vm_run_requests(((RequestSource *)source)->vm);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs request_funcs = {
    .prepare = requests_prepare, .check = requests_check, .dispatch = requests_dispatch,
};

/* ---- life ---- */

/* A port nobody answers reads all ones. */
static const MemOps no_port_ops = { .unlocked = true };

void vm_core_init(Vm *vm, GMainContext *context, const DeviceType *const *device_types)
{
    memset(vm, 0, sizeof(*vm));
    vm->context = context;
    vm->device_types = device_types;
    device_types_set(device_types);
    vm->run_state = RUN_STATE_PRELAUNCH;
    vm->a20 = true;
    vm->cpus = g_ptr_array_new();
    vm->subscribers = g_ptr_array_new_with_free_func(g_free);
    vm->reset_hooks = g_ptr_array_new_with_free_func(g_free);
    g_main_context_set_poll_func(context, poll_unlocked);
    vm->request_source = g_source_new(&request_funcs, sizeof(RequestSource));
    ((RequestSource *)vm->request_source)->vm = vm;
    g_source_set_priority(vm->request_source, G_PRIORITY_HIGH);
    g_source_attach(vm->request_source, context);
    vm_clock_init(&vm->clock, vm, context);
    vm->input = input_new(vm);
    vm->consoles = g_ptr_array_new();
    vm->system_bus = bus_new(NULL, &system_bus_type, "main-system-bus");
    object_add_child(object_container("/machine/unattached"), "sysbus", &vm->system_bus->obj);
    mem_region_init(&vm->system_memory, NULL, "system", MEM_SIZE_ALL);
    object_add_child(object_container("/machine/unattached"), "system[*]", &vm->system_memory.obj);
    mem_region_init_io(&vm->system_io, NULL, "io", 0x10000, &no_port_ops, NULL);
    object_add_child(object_container("/machine/unattached"), "io[*]", &vm->system_io.obj);
    address_space_init(&vm->memory, "memory", &vm->system_memory);
    address_space_init(&vm->io, "I/O", &vm->system_io);
}

void vm_config_finish(VmConfig *config)
{
    char *const owned[] = {
        config->name, config->process_name, config->mem_backend, config->mem_path, config->cpu_model,
        config->boot_once, config->boot_splash, config->kernel,
        config->initrd, config->append, config->bios, config->dtb, config->data_dir,
        config->kernel_irqchip, config->vmport, config->boot_order, config->rtc_base,
        config->panic_action, config->watchdog_action,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(owned); i++) {
        g_free(owned[i]);
    }
}

void vm_core_finish(Vm *vm)
{
    bus_free(vm->system_bus);
    address_space_finish(&vm->smm_memory);
    address_space_finish(&vm->io);
    address_space_finish(&vm->memory);
    mem_region_finish(&vm->system_io);
    mem_region_finish(&vm->system_memory);
    input_free(vm->input);
    g_ptr_array_unref(vm->consoles);
    vm_clock_finish(&vm->clock);
    g_source_destroy(vm->request_source);
    g_source_unref(vm->request_source);
    g_ptr_array_unref(vm->subscribers);
    g_ptr_array_unref(vm->reset_hooks);
    g_ptr_array_unref(vm->cpus);
    vm_config_finish(&vm->config);
}

/* ---- requests ---- */

static void vm_request(Vm *vm, unsigned bit)
{
    __atomic_fetch_or(&vm->pending_requests, bit, __ATOMIC_SEQ_CST);
    g_main_context_wakeup(vm->context);
}

void vm_request_reset(Vm *vm, ShutdownCause cause)
{
    bool shut_down = vm->config.no_reboot && cause != SHUTDOWN_CAUSE_SUBSYSTEM_RESET;

    __atomic_store_n(shut_down ? &vm->shutdown_cause : &vm->reset_cause, cause, __ATOMIC_RELAXED);
    vm_request(vm, shut_down ? REQUEST_SHUTDOWN : REQUEST_RESET);
}

void vm_request_shutdown(Vm *vm, ShutdownCause cause)
{
    __atomic_store_n(&vm->shutdown_cause, cause, __ATOMIC_RELAXED);
    vm_request(vm, REQUEST_SHUTDOWN);
}

void vm_request_powerdown(Vm *vm)
{
    vm_request(vm, REQUEST_POWERDOWN);
}

void vm_request_suspend(Vm *vm)
{
    vm_request(vm, REQUEST_SUSPEND);
}

void vm_request_wakeup(Vm *vm)
{
    vm_request(vm, REQUEST_WAKEUP);
}

void vm_request_stop(Vm *vm, RunState state)
{
    __atomic_store_n(&vm->stop_state, state, __ATOMIC_RELAXED);
    vm_request(vm, REQUEST_STOP);
}

void vm_request_debug(Vm *vm)
{
    vm_request(vm, REQUEST_DEBUG);
}

void vm_request_guest_panic(Vm *vm, const char *action)
{
    __atomic_store_n(&vm->panic_event, action, __ATOMIC_RELAXED);
    vm_request(vm, REQUEST_PANIC);
}

void vm_request_exit(Vm *vm, int code)
{
    __atomic_store_n(&vm->exit_code, code, __ATOMIC_RELAXED);
    vm_request(vm, REQUEST_EXIT);
}

static void leave_main_loop(Vm *vm)
{
    vm->quitting = true;
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_EXIT });
}

static void do_shutdown(Vm *vm)
{
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_SHUTDOWN, .cause = vm->shutdown_cause });
    if (vm->config.no_shutdown && vm->shutdown_cause != SHUTDOWN_CAUSE_HOST_QMP_QUIT &&
        vm->shutdown_cause != SHUTDOWN_CAUSE_HOST_SIGNAL) {
        vm_stop(vm, RUN_STATE_SHUTDOWN);
        return;
    }
    leave_main_loop(vm);
}

static void do_reset(Vm *vm)
{
    vm_reset(vm, vm->reset_cause);
    if (vm->run_state != RUN_STATE_RUNNING && vm->run_state != RUN_STATE_INMIGRATE &&
        vm->run_state != RUN_STATE_FINISH_MIGRATE) {
        vm_set_run_state(vm, RUN_STATE_PRELAUNCH);
    }
}

static void do_suspend(Vm *vm)
{
    if (vm_is_running(vm)) {
        vm->cpus_pause(vm);
        vm_set_run_state(vm, RUN_STATE_SUSPENDED);
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_SUSPEND });
    }
}

/*
 * Waking from S3 is a reset that the firmware or the kernel's waking vector tells from a cold one.
 */
static void do_wakeup(Vm *vm)
{
    if (vm->run_state != RUN_STATE_SUSPENDED) {
        return;
    }
    vm_reset(vm, SHUTDOWN_CAUSE_NONE);
    vm_set_run_state(vm, RUN_STATE_RUNNING);
    vm->cpus_resume(vm);
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_WAKEUP });
}

/* -action panic=: pause (the machine stands for a look), shutdown, exit-failure, none. */
static void do_panic(Vm *vm)
{
    const char *action = vm->config.panic_action != NULL ? vm->config.panic_action : "shutdown";
    const char *crash = __atomic_load_n(&vm->panic_event, __ATOMIC_RELAXED);
    bool loaded = g_strcmp0(crash, "run") == 0;

    if (loaded || g_str_equal(action, "none")) {
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_GUEST_PANICKED, .action = "run" });
        return;
    }
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_GUEST_PANICKED, .action = "pause" });
    vm_stop(vm, RUN_STATE_GUEST_PANICKED);
    if (g_str_equal(action, "shutdown")) {
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_GUEST_PANICKED, .action = "poweroff" });
        vm->shutdown_cause = SHUTDOWN_CAUSE_GUEST_PANIC;
        do_shutdown(vm);
    } else if (g_str_equal(action, "exit-failure")) {
        vm->exit_code = 1;
        leave_main_loop(vm);
    }
}

static void do_exit(Vm *vm)
{
    leave_main_loop(vm);
}

static void do_stop(Vm *vm)
{
    vm_stop(vm, vm->stop_state);
}

static void do_debug(Vm *vm)
{
    if (vm->debug_settle != NULL) {
        vm->debug_settle(vm);
    }
}

static void do_powerdown(Vm *vm)
{
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_POWERDOWN });
}

void vm_run_requests(Vm *vm)
{
    static const struct { unsigned bit; void (*run)(Vm *vm); } requests[] = {
        { REQUEST_EXIT, do_exit },
        { REQUEST_STOP, do_stop },
        { REQUEST_DEBUG, do_debug },
        { REQUEST_PANIC, do_panic },
        { REQUEST_SUSPEND, do_suspend },
        { REQUEST_SHUTDOWN, do_shutdown },
        { REQUEST_RESET, do_reset },
        { REQUEST_WAKEUP, do_wakeup },
        { REQUEST_POWERDOWN, do_powerdown },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(requests) && !vm->quitting; i++) {
        unsigned bit = requests[i].bit;

        if (__atomic_fetch_and(&vm->pending_requests, ~bit, __ATOMIC_SEQ_CST) & bit) {
            requests[i].run(vm);
        }
    }
    if (vm->quitting) {
        __atomic_store_n(&vm->pending_requests, 0, __ATOMIC_SEQ_CST);
    }
}

/* ---- run state ---- */

bool vm_is_running(const Vm *vm)
{
    return __atomic_load_n(&vm->run_state, __ATOMIC_RELAXED) == RUN_STATE_RUNNING;
}

void vm_set_run_state(Vm *vm, RunState state)
{
    if (vm->run_state == state) {
        return;
    }
    if (!run_state_can_follow(vm->run_state, state)) {
        g_error("run state '%s' cannot become '%s'", run_state_name(vm->run_state),
                run_state_name(state));
    }
    __atomic_store_n(&vm->run_state, state, __ATOMIC_RELAXED);
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_RUN_STATE });
}

void vm_start(Vm *vm)
{
    if (vm_is_running(vm)) {
        return;
    }
    vm_clock_start(vm);
    vm_set_run_state(vm, RUN_STATE_RUNNING);
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_RESUME });
    if (vm->cpus_resume != NULL) {
        vm->cpus_resume(vm);
    }
}

void vm_stop(Vm *vm, RunState state)
{
    bool was_running = vm_is_running(vm);

    if (was_running) {
        if (vm->cpus_pause != NULL) {
            vm->cpus_pause(vm);
        }
        vm_clock_stop(vm);
    }
    if (was_running || run_state_can_follow(vm->run_state, state)) {
        vm_set_run_state(vm, state);
    }
    if (was_running) {
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_STOP });
    }
}

void vm_reset(Vm *vm, ShutdownCause cause)
{
    bool running = vm_is_running(vm);

    if (running && vm->cpus_pause != NULL) {
        vm->cpus_pause(vm);
    }
    devices_reset(vm);
    if (vm->cpus_reset != NULL) {
        vm->cpus_reset(vm);
    }
    for (guint i = 0; i < vm->reset_hooks->len; i++) {
        ResetHook *hook = g_ptr_array_index(vm->reset_hooks, i);

        hook->fn(hook->opaque);
    }
    if (cause != SHUTDOWN_CAUSE_NONE) {
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_RESET, .cause = cause });
    }
    if (running && vm->cpus_resume != NULL) {
        vm->cpus_resume(vm);
    }
}

void vm_add_reset(Vm *vm, VmResetFn fn, void *opaque)
{
    ResetHook *hook = g_new(ResetHook, 1);

    *hook = (ResetHook){ fn, opaque };
    g_ptr_array_add(vm->reset_hooks, hook);
}

/* ---- events ---- */

void vm_subscribe(Vm *vm, VmEventFn fn, void *opaque)
{
    Subscriber *sub = g_new(Subscriber, 1);

    *sub = (Subscriber){ fn, opaque };
    g_ptr_array_add(vm->subscribers, sub);
}

void vm_unsubscribe(Vm *vm, VmEventFn fn, void *opaque)
{
    for (guint i = 0; i < vm->subscribers->len; i++) {
        Subscriber *sub = g_ptr_array_index(vm->subscribers, i);

        if (sub->fn == fn && sub->opaque == opaque) {
            sub->fn = NULL;             /* marked: vm_emit() may be walking the list */
        }
    }
}

void vm_emit(Vm *vm, const VmEvent *event)
{
    vm->emitting++;
    for (guint i = 0; i < vm->subscribers->len; i++) {
        Subscriber *sub = g_ptr_array_index(vm->subscribers, i);

        if (sub->fn != NULL) {
            sub->fn(vm, event, sub->opaque);
        }
    }
    if (--vm->emitting == 0) {
        for (guint i = vm->subscribers->len; i-- > 0;) {
            if (((Subscriber *)g_ptr_array_index(vm->subscribers, i))->fn == NULL) {
                g_ptr_array_remove_index(vm->subscribers, i);
            }
        }
    }
}

IrqLine vm_isa_irq(Vm *vm, unsigned n)
{
    return vm->isa_irq != NULL && n < 16 ? vm->isa_irq[n] : (IrqLine){ NULL, NULL, 0 };
}
