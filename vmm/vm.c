/* Building the machine from the options, running it, taking it down. */
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "debug.h"
#include "gdbstub.h"
#include "machine.h"
#include "mem_backend.h"
#include "net.h"
#include "options.h"
#include "vm_block.h"
#include "vm_net.h"
#include "vm_vga.h"

static Vm machine;
static AccelChoice choice;

Vm *vm_instance(void)
{
    return &machine;
}

const AccelChoice *vm_accel_choice(void)
{
    return &choice;
}

X86Cpu *vm_cpu(Vm *vm, unsigned index)
{
    X86Cpu *cpu = index < vm->cpus->len ? g_ptr_array_index(vm->cpus, index) : NULL;

    if (cpu != NULL) {
        vcpu_sync(cpu);
    }
    return cpu;
}

/* ---- parts the options ask for ---- */

static bool choose_board(Vm *vm, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree char *type_name = NULL;
    const char *near;

    for (const Board *const *board = boards; *board != NULL; board++) {
        if (name == NULL ? (*board)->is_default : board_find(name) == *board) {
            vm->board = *board;
        }
        g_ptr_array_add(names, (char *)(*board)->name);
        if ((*board)->alias != NULL) {
            g_ptr_array_add(names, (char *)(*board)->alias);
        }
    }
    if (vm->board == NULL) {
        vm->board = board_find_historic(name);
        if (vm->board != NULL) {
            report_warning("-machine %s: this machine type is gone; '%s' takes its place", name,
                           vm->board->name);
        }
    }
    if (vm->board == NULL) {
        set_error(error, "-machine %s: unsupported machine type", name);
        near = nearest_name(name, (const char *const *)names->pdata, names->len);
        error_suggest(error, near);
        error_add_hint(error, "Use -machine help to list supported machines");
        return false;
    }
    type_name = g_strdup_printf("%s-machine", vm->board->name);
    object_container("/machine")->type_name = g_intern_string(type_name);
    object_container("/machine/peripheral");
    object_container("/machine/peripheral-anon");
    return true;
}

static bool check_limits(Vm *vm, GError **error)
{
    VmConfig *config = &vm->config;

    if (config->ram_bytes == 0 && config->mem_backend == NULL) {
        config->ram_bytes = vm->board->default_ram_bytes;
    }
    if (config->mem_backend != NULL && config->mem_path != NULL) {
        set_error(error, "'-mem-path' can't be used together with '-machine memory-backend'");
        return false;
    }
    if (config->topo.max_cpus > vm->board->max_cpus) {
        set_error(error, "-smp: Invalid SMP CPUs %u. The max CPUs supported by machine '%s' is %u",
                  config->topo.max_cpus, vm->board->name, vm->board->max_cpus);
        return false;
    }
    return true;
}

/* Runs `fn` for each late option; an error gets the option in front. */
static bool each_late(Vm *vm, GPtrArray *list,
                      bool (*fn)(Vm *, const LateOption *, guint, GError **), GError **error)
{
    for (guint i = 0; i < list->len; i++) {
        const LateOption *late = g_ptr_array_index(list, i);

        if (!fn(vm, late, i, error)) {
            g_prefix_error(error, "%s: ", late->place);
            return false;
        }
    }
    return true;
}

static bool run_stage(Vm *vm, const Options *options, OptionStage stage, GError **error)
{
    const GPtrArray *list = options->stages[stage];

    for (guint i = 0; i < list->len; i++) {
        const LateOption *late = g_ptr_array_index(list, i);

        if (!late->carry_out(vm, late->text, error)) {
            g_prefix_error(error, "%s: ", late->place);
            return false;
        }
    }
    return true;
}

/* A device on a character device made from a legacy word; none at all for "none". */
static bool make_char_device(Vm *vm, const char *type, const char *label, const char *word,
                             const char *prop, const char *value, GError **error)
{
    g_autoptr(GError) why = NULL;
    Chardev *chr = chardev_new_from_legacy(label, word, true, &why);
    Device *dev;

    if (chr == NULL) {
        if (why == NULL) {
            return true;                                /* "none" */
        }
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    if (device_type_find(type) == NULL) {
        set_error(error, "this machine has no '%s'", type);
        return false;
    }
    dev = device_new(vm, device_type_find(type), NULL);
    if (!device_set(dev, "chardev", chardev_label(chr), error) ||
        (prop != NULL && !device_set(dev, prop, value, error))) {
        device_free(dev);
        return false;
    }
    return device_realize(dev, NULL, error);
}

static bool make_serial(Vm *vm, const LateOption *late, guint n, GError **error)
{
    g_autofree char *label = g_strdup_printf("serial%u", n);
    g_autofree char *index = g_strdup_printf("%u", n);

    return make_char_device(vm, "isa-serial", label, late->text, "index", index, error);
}

static bool make_parallel(Vm *vm, const LateOption *late, guint n, GError **error)
{
    g_autofree char *label = g_strdup_printf("parallel%u", n);
    g_autofree char *index = g_strdup_printf("%u", n);

    return make_char_device(vm, "isa-parallel", label, late->text, "index", index, error);
}

static bool make_debugcon(Vm *vm, const LateOption *late, guint n, GError **error)
{
    return make_char_device(vm, "isa-debugcon", "debugcon", late->text, NULL, NULL, error);
}

#define DEFAULT_VC  "vc:80Cx24C"

static void add_default(GPtrArray *list, const char *option, const char *text)
{
    LateOption *late = g_new0(LateOption, 1);

    late->text = g_strdup(text);
    late->place = g_strdup_printf("by default, -%s %s", option, text);
    g_ptr_array_add(list, late);
}

/*
 * What is there when nothing was asked for: with -nographic, serial port and monitor on the
 * terminal; where displays show consoles, one for the monitor and for each port.
 */
static void add_defaults(const Vm *vm, Options *options)
{
    static const char *const serial_devices[] = { "isa-serial", NULL };
    static const char *const parallel_devices[] = { "isa-parallel", NULL };
    bool has_ports = vm->board->default_cpu != NULL;            /* the empty board has none */
    bool serial = has_ports && options->serials->len == 0 &&
                  !options_name_device(options, serial_devices);
    bool parallel = has_ports && options->parallels->len == 0 &&
                    !options_name_device(options, parallel_devices);
    bool monitor = !options_has_monitor(options);

    if (vm->config.nodefaults) {
        return;
    }
    if (options->nographic && serial) {
        add_default(options->serials, "serial", monitor ? "mon:stdio" : "stdio");
    } else if (options->nographic && monitor) {
        add_default(options->monitors, "monitor", "stdio");
    } else if (!options->nographic && options->stages[OPTION_STAGE_DISPLAY]->len > 0) {
        if (monitor) {
            add_default(options->monitors, "monitor", DEFAULT_VC);
        }
        if (serial) {
            add_default(options->serials, "serial", DEFAULT_VC);
        }
        if (parallel) {
            add_default(options->parallels, "parallel", DEFAULT_VC);
        }
    }
}

static void add_monitor_spec(GPtrArray *specs, const char *chardev, bool control, bool pretty)
{
    MonitorSpec *spec = g_new0(MonitorSpec, 1);

    *spec = (MonitorSpec){ g_strdup(chardev), control, pretty };
    g_ptr_array_add(specs, spec);
}

static void monitor_spec_free(gpointer data)
{
    MonitorSpec *spec = data;

    g_free(spec->chardev);
    g_free(spec);
}

/* -monitor and -qmp make their own character devices, "mon:" words share a serial port's. */
static bool collect_monitors(Options *options, GPtrArray *specs, GError **error)
{
    unsigned n = 0;

    for (guint i = 0; i < options->serials->len; i++) {
        const LateOption *late = g_ptr_array_index(options->serials, i);
        g_autofree char *label = g_strdup_printf("serial%u", i);

        if (g_str_has_prefix(late->text, "mon:")) {
            add_monitor_spec(specs, label, false, false);
        }
    }
    for (guint i = 0; i < options->monitors->len; i++) {
        const LateOption *late = g_ptr_array_index(options->monitors, i);
        g_autofree char *label = g_strdup_printf("compat_monitor%u", n);
        g_autoptr(GError) why = NULL;
        Chardev *chr = chardev_new_from_legacy(label, late->text, true, &why);

        if (why != NULL) {
            g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s: ", late->place);
            return false;
        }
        if (chr != NULL) {
            add_monitor_spec(specs, chardev_label(chr), late->control, late->pretty);
            n++;
        }
    }
    for (guint i = 0; i < options->mons->len; i++) {
        const LateOption *late = g_ptr_array_index(options->mons, i);

        if (chardev_find(late->text) == NULL) {
            set_error(error, "%s: chardev \"%s\" not found", late->place, late->text);
            return false;
        }
        add_monitor_spec(specs, late->text, late->control, late->pretty);
    }
    return true;
}

static bool set_globals(Options *options, GError **error)
{
    for (guint i = 0; i < options->globals->len; i++) {
        const char *text = g_ptr_array_index(options->globals, i);
        const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
        g_autofree char *driver = g_strndup(text, dot - text);
        g_autofree char *prop = g_strndup(dot + 1, equals - dot - 1);

        device_global_set(driver, prop, equals + 1);
    }
    return true;
}

static bool start_log(const Options *options, GError **error)
{
    if (options->log_file != NULL && !log_set_file(options->log_file, error)) {
        return false;
    }
    if (options->log_items != NULL && !log_set_items(options->log_items, error)) {
        g_prefix_error(error, "-d %s: ", options->log_items);
        return false;
    }
    return true;
}

static bool start_engine(Vm *vm, const Options *options, GError **error)
{
    g_autofree const char **names = g_new0(const char *, options->accels->len + 1);
    bool idle;

    for (guint i = 0; i < options->accels->len; i++) {
        names[i] = g_ptr_array_index(options->accels, i);
    }
    idle = vm->board->default_cpu == NULL && vm->config.cpu_model == NULL;
    return accel_choose(names, idle, &choice, error) && accel_start(vm, choice.ops, error);
}

/* -machine memory-backend= brings its own size; -m may only repeat it. */
static bool settle_memory(Vm *vm, GError **error)
{
    VmConfig *config = &vm->config;
    const MemBackend *memory =
        config->mem_backend != NULL ? mem_backend_find(config->mem_backend) : NULL;

    if (memory == NULL && config->mem_backend != NULL) {
        set_error(error, "Memory backend '%s' not found", config->mem_backend);
        return false;
    }
    if (memory == NULL) {
        return true;
    }
    if (config->ram_bytes != 0 && config->ram_bytes != memory->size) {
        set_error(error, "Machine memory size does not match the size of the memory backend");
        return false;
    }
    config->ram_bytes = memory->size;
    return true;
}

static bool build(Vm *vm, Options *options, GPtrArray *monitors, GError **error)
{
    if (!start_log(options, error) || !choose_board(vm, options->machine, error)) {
        return false;
    }
    add_defaults(vm, options);
    return check_limits(vm, error) && set_globals(options, error) &&
           start_engine(vm, options, error) &&
           run_stage(vm, options, OPTION_STAGE_OBJECT, error) && settle_memory(vm, error) &&
           run_stage(vm, options, OPTION_STAGE_CHARDEV, error) &&
           collect_monitors(options, monitors, error) &&
           run_stage(vm, options, OPTION_STAGE_BLOCK, error) &&
           run_stage(vm, options, OPTION_STAGE_NET, error) && vm->board->build(vm, error) &&
           vm_make_vga(vm, options, error) && vm_make_nics(vm, options, error) &&
           vm_make_ide_drives(vm, options, error) &&
           each_late(vm, options->serials, make_serial, error) &&
           each_late(vm, options->parallels, make_parallel, error) &&
           each_late(vm, options->debugcons, make_debugcon, error) &&
           run_stage(vm, options, OPTION_STAGE_DEVICE, error) &&
           vm_make_virtio_drives(vm, error) && vcpus_create(vm, error);
}

bool vm_create(Vm *vm, Options *options, GPtrArray **monitors, GError **error)
{
    bool ok;

    vm_core_init(vm, g_main_context_default(), device_types);
    vm->config = options->config;
    memset(&options->config, 0, sizeof(options->config));
    *monitors = g_ptr_array_new_with_free_func(monitor_spec_free);
    mem_transaction_begin();
    ok = build(vm, options, *monitors, error);
    mem_transaction_commit();
    if (ok && vm->config.mem_lock && mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
        set_errno_error(error, errno, "-overcommit mem-lock=on: cannot lock the memory");
        ok = false;
    }
    if (!ok || (vm->board->finish != NULL && !vm->board->finish(vm, error))) {
        return false;
    }
    device_globals_check();
    net_check_peers();
    vm->built = true;
    vm_reset(vm, SHUTDOWN_CAUSE_NONE);
    return run_stage(vm, options, OPTION_STAGE_DEBUG, error) &&
           run_stage(vm, options, OPTION_STAGE_DISPLAY, error);
}

void vm_run(Vm *vm)
{
    if (!vm->config.start_stopped) {
        vm_start(vm);
    }
    while (!vm->quitting) {
        g_main_context_iteration(vm->context, TRUE);
    }
    if (vm_is_running(vm)) {
        vcpus_pause(vm);
    }
}

void vm_destroy(Vm *vm)
{
    gdbstub_stop(vm);
    debug_finish(vm);
    vcpus_destroy(vm);
    block_close_all();
    net_close_all();
    chardev_close_all();
    if (vm->accel != NULL && vm->accel->finish != NULL) {
        vm->accel->finish(vm);
    }
}

void vm_quit(Vm *vm, ShutdownCause cause)
{
    vm_request_shutdown(vm, cause);
}
