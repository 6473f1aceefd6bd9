#include "options.h"

#include <stdio.h>
#include <string.h>

#include "accel.h"
#include "chardev.h"
#include "cpuid.h"
#include "machine.h"
#include "rhea_error.h"
#include "sizes.h"
#include "vm.h"
#include "vm_log.h"

typedef struct Option {
    const char *name;                   /* without dash; NULL ends a section's table */
    const char *arg;                    /* what follows, for -help; NULL: nothing */
    const char *help;
    bool (*run)(Options *options, const char *arg, GError **error);
} Option;

/* ---- sub-options ---- */

typedef struct NameArgs { char *guest, *process; bool debug_threads; } NameArgs;

static const KeyField name_fields[] = {
    { "guest", KEY_STRING, offsetof(NameArgs, guest), .help = "name of the guest" },
    { "process", KEY_STRING, offsetof(NameArgs, process), .help = "name of the process" },
    { "debug-threads", KEY_BOOL, offsetof(NameArgs, debug_threads),
      .help = "threads have names (always)" },
    {}
};

typedef struct MemArgs { uint64_t size, maxmem; unsigned slots; } MemArgs;

static const KeyField mem_fields[] = {
    { "size", KEY_SIZE, offsetof(MemArgs, size), .unit = MIB,
      .help = "guest memory, in MiB by default" },
    { "maxmem", KEY_SIZE, offsetof(MemArgs, maxmem), .unit = MIB, .help = "upper limit of memory" },
    { "slots", KEY_UINT, offsetof(MemArgs, slots), .help = "slots for hot-plugged memory" },
    {}
};

static const KeyField smp_fields[] = {
    { "cpus", KEY_UINT, offsetof(CpuTopology, cpus), .help = "CPUs present at start" },
    { "maxcpus", KEY_UINT, offsetof(CpuTopology, max_cpus), .help = "CPUs there can be" },
    { "sockets", KEY_UINT, offsetof(CpuTopology, sockets), .help = "sockets on the board" },
    { "dies", KEY_UINT, offsetof(CpuTopology, dies), .help = "dies in a socket" },
    { "cores", KEY_UINT, offsetof(CpuTopology, cores), .help = "cores in a die" },
    { "threads", KEY_UINT, offsetof(CpuTopology, threads), .help = "threads in a core" },
    {}
};

typedef struct RtcArgs { char *base, *clock, *driftfix; } RtcArgs;
static const char *const rtc_clocks[] = { "host", "rt", "vm", NULL };
static const char *const rtc_driftfixes[] = { "none", "slew", NULL };

static const KeyField rtc_fields[] = {
    { "base", KEY_STRING, offsetof(RtcArgs, base), .help = "utc, localtime or a date" },
    { "clock", KEY_CHOICE, offsetof(RtcArgs, clock), rtc_clocks, .help = "what the clock follows" },
    { "driftfix", KEY_CHOICE, offsetof(RtcArgs, driftfix), rtc_driftfixes, .help = "lost ticks" },
    {}
};

typedef struct MonArgs { char *chardev, *mode, *id; bool pretty; } MonArgs;
static const char *const mon_modes[] = { "readline", "control", NULL };

static const KeyField mon_fields[] = {
    { "chardev", KEY_STRING, offsetof(MonArgs, chardev), .help = "id of the character device" },
    { "mode", KEY_CHOICE, offsetof(MonArgs, mode), mon_modes,
      .help = "for people or for programs" },
    { "pretty", KEY_BOOL, offsetof(MonArgs, pretty), .help = "indent JSON replies" },
    { "id", KEY_STRING, offsetof(MonArgs, id),
      .help = "a name for the monitor; nothing refers to it" },
    {}
};

typedef struct ActionArgs { char *reboot, *shutdown, *panic; } ActionArgs;
static const char *const reboot_actions[] = { "reset", "shutdown", NULL };
static const char *const shutdown_actions[] = { "poweroff", "pause", NULL };
static const char *const panic_actions[] = { "pause", "shutdown", "exit-failure", "none", NULL };

static const KeyField action_fields[] = {
    { "reboot", KEY_CHOICE, offsetof(ActionArgs, reboot), reboot_actions },
    { "shutdown", KEY_CHOICE, offsetof(ActionArgs, shutdown), shutdown_actions },
    { "panic", KEY_CHOICE, offsetof(ActionArgs, panic), panic_actions },
    {}
};

/* ---- help listings ---- */

static bool wants_help(const char *arg)
{
    return g_str_equal(arg, "help") || g_str_equal(arg, "?");
}

static bool list_machines(Options *options)
{
    printf("Supported machines are:\n");
    for (const Board *const *board = boards; *board != NULL; board++) {
        if ((*board)->alias != NULL) {
            printf("%-20s %s (alias of %s)\n", (*board)->alias, (*board)->help, (*board)->name);
        }
        printf("%-20s %s%s\n", (*board)->name, (*board)->help,
               (*board)->is_default ? " (default)" : "");
    }
    options->done = true;
    return true;
}

static bool list_cpus(Options *options)
{
    printf("Available CPUs:\n");
    for (const char *const *name = x86_cpu_model_names(); *name != NULL; name++) {
        printf("x86 %s\n", *name);
    }
    options->done = true;
    return true;
}

static bool list_log_items(Options *options)
{
    printf("Log items (comma separated):\n");
    for (const LogItemInfo *item = log_items; item->name != NULL; item++) {
        printf("%-15s %s\n", item->name, item->help);
    }
    options->done = true;
    return true;
}

static bool list_chardevs(Options *options)
{
    printf("Available chardev backend types: \n");
    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        printf("  %s\n", *name);
    }
    options->done = true;
    return true;
}

/* ---- options that fill the configuration ---- */

static void replace(char **field, const char *value)
{
    char *copy = g_strdup(value);

    g_free(*field);
    *field = copy;
}

static void add_late(GPtrArray *list, const char *option, const char *text)
{
    LateOption *late = g_new0(LateOption, 1);

    late->place = g_strdup_printf("-%s %s", option, text);
    late->text = g_strdup(text);
    g_ptr_array_add(list, late);
}

static void add_accels(Options *options, const char *names)
{
    g_auto(GStrv) list = g_strsplit(names, ":", -1);

    for (char **name = list; *name != NULL; name++) {
        g_ptr_array_add(options->accels, g_strdup(*name));
    }
}

static bool set_irqchip(Options *options, const char *value, GError **error)
{
    static const char *const kinds[] = { "on", "off", "split", NULL };

    if (!g_strv_contains(kinds, value)) {
        set_error(error,
                  "Parameter 'kernel_irqchip' does not accept value '%s': expected on, off or "
                  "split",
                  value);
        return false;
    }
    replace(&options->config.kernel_irqchip, value);
    return true;
}

typedef struct MachineSwitch { const char *name; size_t offset; } MachineSwitch;

static const MachineSwitch machine_switches[] = {
    { "acpi", offsetof(VmConfig, acpi) },
    { "graphics", offsetof(VmConfig, graphics) },
    { "hpet", offsetof(VmConfig, hpet) },
    { "pit", offsetof(VmConfig, pit) },
    { "smm", offsetof(VmConfig, smm) },
    {}
};

static bool set_machine_switch(Options *options, const char *key, const char *value, bool *known,
                               GError **error)
{
    for (const MachineSwitch *row = machine_switches; row->name != NULL; row++) {
        if (g_str_equal(row->name, key)) {
            *known = true;
            if (!parse_bool(value, (bool *)((char *)&options->config + row->offset), error)) {
                g_prefix_error(error, "Parameter '%s': ", key);
                return false;
            }
        }
    }
    return true;
}

static bool set_machine_prop(Options *options, const char *key, const char *value, GError **error)
{
    static const char *const names[] = { "accel", "acpi", "append", "graphics", "hpet", "initrd",
                                         "kernel", "kernel_irqchip", "pit", "smm", "type", "usb" };
    const char *near;
    bool known = false;

    if (g_str_equal(key, "accel")) {
        add_accels(options, value);
        return true;
    }
    if (g_str_equal(key, "kernel_irqchip") || g_str_equal(key, "kernel-irqchip")) {
        return set_irqchip(options, value, error);
    }
    if (g_str_equal(key, "kernel") || g_str_equal(key, "initrd") || g_str_equal(key, "append")) {
        replace(*key == 'k' ? &options->config.kernel :
                *key == 'i' ? &options->config.initrd : &options->config.append, value);
        return true;
    }
    if (g_str_equal(key, "usb") && g_str_equal(value, "off")) {
        return true;                                    /* there is no USB on the board */
    }
    if (!set_machine_switch(options, key, value, &known, error)) {
        return false;
    }
    if (!known) {
        set_error(error, "Property '%s-machine.%s' not found",
                  options->machine != NULL ? options->machine : boards[0]->name, key);
        near = nearest_name(key, names, G_N_ELEMENTS(names));
        if (near != NULL && !g_str_equal(near, key)) {
            error_add_hint(error, "Did you mean '%s'?", near);
        }
    }
    return known;
}

static bool opt_machine(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    if (wants_help(arg)) {
        return list_machines(options);
    }
    type = keyval_get(kv, "type");
    if (type != NULL) {
        replace(&options->machine, type);
    }
    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (!g_str_equal(keyval_key(kv, i), "type") &&
            !set_machine_prop(options, keyval_key(kv, i), keyval_value(kv, i), error)) {
            return false;
        }
    }
    return true;
}

static bool opt_accel(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "accel", error);
    const char *irqchip, *thread;
    bool multi = true;

    if (kv == NULL) {
        return false;
    }
    if (wants_help(arg)) {
        printf("Accelerators supported in QEMU binary:\ntcg\nkvm\n");
        options->done = true;
        return true;
    }
    if (keyval_get(kv, "accel") != NULL) {
        add_accels(options, keyval_get(kv, "accel"));
    }
    thread = keyval_get(kv, "thread");
    if (thread != NULL && !g_str_equal(thread, "multi")) {
        set_error(error,
                  "Parameter 'thread' does not accept value '%s': every CPU has a thread of its "
                  "own ('multi')",
                  thread);
        multi = false;
    }
    irqchip = keyval_get(kv, "kernel-irqchip");
    return multi && keyval_check_known(kv, error) &&
           (irqchip == NULL || set_irqchip(options, irqchip, error));
}

static bool opt_enable_kvm(Options *options, const char *arg, GError **error)
{
    add_accels(options, "kvm");
    return true;
}

static bool opt_cpu(Options *options, const char *arg, GError **error)
{
    if (wants_help(arg)) {
        return list_cpus(options);
    }
    replace(&options->config.cpu_model, arg);
    return true;
}

/* Fills in what was left out: sockets take the rest, as since QEMU 6.2 cores are preferred. */
static bool complete_topology(CpuTopology *topo, GError **error)
{
    unsigned dies = MAX(topo->dies, 1), threads = MAX(topo->threads, 1), cores = topo->cores;
    unsigned sockets = topo->sockets, max = topo->max_cpus != 0 ? topo->max_cpus : topo->cpus;

    if (max == 0) {
        max = MAX(sockets, 1) * dies * MAX(cores, 1) * threads;
    }
    if (sockets == 0 && cores == 0) {
        sockets = 1;
    }
    if (cores == 0) {
        cores = max / (sockets * dies * threads);
    } else if (sockets == 0) {
        sockets = max / (dies * cores * threads);
    }
    if (topo->cpus == 0) {
        topo->cpus = max;
    }
    if ((uint64_t)sockets * dies * cores * threads != max) {
        set_error(error,
                  "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets "
                  "(%u) * dies (%u) * cores (%u) * threads (%u) != maxcpus (%u)",
                  sockets, dies, cores, threads, max);
        return false;
    }
    if (topo->cpus > max) {
        set_error(error,
                  "Invalid CPU topology: maxcpus must be equal to or greater than smp: maxcpus "
                  "(%u) < smp_cpus (%u)",
                  max, topo->cpus);
        return false;
    }
    *topo = (CpuTopology){ topo->cpus, sockets, dies, cores, threads, max };
    return true;
}

static bool opt_smp(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "cpus", error);
    CpuTopology topo = { 0 };

    if (kv == NULL || !keyval_fill(kv, smp_fields, &topo, error)) {
        return false;
    }
    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (g_str_equal(keyval_value(kv, i), "0")) {
            set_error(error,
                      "Invalid CPU topology: CPU topology parameters must be greater than zero");
            return false;
        }
    }
    options->config.topo = topo;
    return complete_topology(&options->config.topo, error);
}

static bool opt_m(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "size", error);
    MemArgs args = { 0 };

    if (kv == NULL || !keyval_fill(kv, mem_fields, &args, error)) {
        return false;
    }
    if (args.slots != 0) {
        set_error(error, "memory slots are not supported: leave out 'slots'");
        return false;
    }
    if (args.maxmem != 0 && args.maxmem < args.size) {
        set_error(error,
                  "invalid value of maxmem: maximum memory size (0x%" G_GINT64_MODIFIER "x) must "
                  "be at least the initial memory size (0x%" G_GINT64_MODIFIER "x)",
                  args.maxmem, args.size);
        return false;
    }
    options->config.ram_bytes = (args.size + 8191) & ~UINT64_C(8191);
    options->config.max_ram_bytes = args.maxmem;
    return true;
}

#define STRING_OPTION(function_, field_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        replace(&options->field_, arg); \
        return true; \
    }
#define SWITCH_OPTION(function_, field_, value_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        options->field_ = value_; \
        return true; \
    }
#define LATE_OPTION(function_, list_, name_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        add_late(options->list_, name_, arg); \
        return true; \
    }

STRING_OPTION(opt_kernel, config.kernel)
STRING_OPTION(opt_initrd, config.initrd)
STRING_OPTION(opt_append, config.append)
STRING_OPTION(opt_bios, config.bios)
STRING_OPTION(opt_L, config.data_dir)
STRING_OPTION(opt_pidfile, pidfile)
STRING_OPTION(opt_D, log_file)
SWITCH_OPTION(opt_S, config.start_stopped, true)
SWITCH_OPTION(opt_no_reboot, config.no_reboot, true)
SWITCH_OPTION(opt_no_shutdown, config.no_shutdown, true)
SWITCH_OPTION(opt_no_hpet, config.hpet, false)
SWITCH_OPTION(opt_no_acpi, config.acpi, false)
SWITCH_OPTION(opt_nodefaults, config.nodefaults, true)
SWITCH_OPTION(opt_daemonize, daemonize, true)
LATE_OPTION(opt_chardev_late, chardevs, "chardev")
LATE_OPTION(opt_device_late, devices, "device")
LATE_OPTION(opt_serial, serials, "serial")
LATE_OPTION(opt_monitor, monitors, "monitor")
LATE_OPTION(opt_debugcon, debugcons, "debugcon")

static bool opt_nographic(Options *options, const char *arg, GError **error)
{
    options->nographic = true;
    options->config.graphics = false;
    return true;
}

static bool opt_no_user_config(Options *options, const char *arg, GError **error)
{
    return true;                            /* no configuration file is read in any case */
}

static bool opt_name(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "guest", error);
    NameArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, name_fields, &args, error);

    replace(&options->config.name, args.guest);
    replace(&options->config.process_name, args.process);
    g_free(args.guest);
    g_free(args.process);
    return ok;
}

static bool opt_uuid(Options *options, const char *arg, GError **error)
{
    unsigned n = 0;

    for (const char *p = arg; n < 16 && g_ascii_isxdigit(p[0]) && g_ascii_isxdigit(p[1]); p += 2) {
        options->config.uuid[n++] = g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
        if (p[2] == '-' && (n == 4 || n == 6 || n == 8 || n == 10)) {
            p++;
        }
    }
    if (n != 16 || !g_uuid_string_is_valid(arg)) {
        set_error(error, "failed to parse UUID string: wrong format: expected "
                  "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        return false;
    }
    options->config.has_uuid = true;
    return true;
}

static bool opt_rtc(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    RtcArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, rtc_fields, &args, error);

    if (ok) {
        replace(&options->config.rtc_base, args.base);
        options->config.rtc_clock_vm = g_strcmp0(args.clock, "vm") == 0;
        options->config.rtc_slew = g_strcmp0(args.driftfix, "slew") == 0;
    }
    g_free(args.base);
    g_free(args.clock);
    g_free(args.driftfix);
    return ok;
}

static bool opt_action(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    ActionArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, action_fields, &args, error);

    if (args.reboot != NULL) {
        options->config.no_reboot = g_str_equal(args.reboot, "shutdown");
    }
    if (args.shutdown != NULL) {
        options->config.no_shutdown = g_str_equal(args.shutdown, "pause");
    }
    if (args.panic != NULL) {
        replace(&options->config.panic_action, args.panic);
    }
    g_free(args.reboot);
    g_free(args.shutdown);
    g_free(args.panic);
    return ok;
}

static bool opt_qmp(Options *options, const char *arg, GError **error)
{
    LateOption *late;

    add_late(options->monitors, "qmp", arg);
    late = g_ptr_array_index(options->monitors, options->monitors->len - 1);
    late->control = true;
    return true;
}

static bool opt_qmp_pretty(Options *options, const char *arg, GError **error)
{
    LateOption *late;

    opt_qmp(options, arg, error);
    late = g_ptr_array_index(options->monitors, options->monitors->len - 1);
    late->pretty = true;
    return true;
}

static bool opt_mon(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "chardev", error);
    MonArgs args = { 0 };
    LateOption *late;
    bool ok = kv != NULL && keyval_fill(kv, mon_fields, &args, error);

    if (ok && keyval_get(kv, "chardev") == NULL) {
        set_error(error, "Parameter 'chardev' is missing");
        ok = false;
    }
    if (ok) {
        add_late(options->mons, "mon", keyval_get(kv, "chardev"));
        late = g_ptr_array_index(options->mons, options->mons->len - 1);
        late->control = g_strcmp0(args.mode, "control") == 0;
        late->pretty = args.pretty;
    }
    g_free(args.chardev);
    g_free(args.mode);
    g_free(args.id);
    return ok;
}

static bool opt_chardev(Options *options, const char *arg, GError **error)
{
    return wants_help(arg) ? list_chardevs(options) : opt_chardev_late(options, arg, error);
}

static bool opt_device(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = NULL;

    if (!vm_device_help(arg, &text, error)) {
        return false;
    }
    if (text != NULL) {
        fputs(text, stdout);
        options->done = true;
        return true;
    }
    return opt_device_late(options, arg, error);
}

static bool opt_global(Options *options, const char *arg, GError **error)
{
    const char *dot = strchr(arg, '.'), *equals = strchr(arg, '=');

    if (dot == NULL || equals == NULL || dot > equals) {
        set_error(error, "expected DRIVER.PROPERTY=VALUE");
        return false;
    }
    g_ptr_array_add(options->globals, g_strdup(arg));
    return true;
}

static bool opt_d(Options *options, const char *arg, GError **error)
{
    if (wants_help(arg)) {
        return list_log_items(options);
    }
    replace(&options->log_items, arg);
    return true;
}

static bool opt_display(Options *options, const char *arg, GError **error)
{
    if (wants_help(arg)) {
        printf("Available display backend types:\nnone\n");
        options->done = true;
        return true;
    }
    if (!g_str_equal(arg, "none")) {
        set_error(error,
                  "Parameter 'type' does not accept value '%s': this build has no displays, only "
                  "'none'",
                  arg);
        return false;
    }
    options->has_display = true;
    return true;
}

static bool opt_echr(Options *options, const char *arg, GError **error)
{
    uint64_t byte;

    if (!parse_uint(arg, 255, &byte, error)) {
        return false;
    }
    chardev_set_escape(byte);
    return true;
}

static bool opt_help(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = options_help();

    fputs(text, stdout);
    options->done = true;
    return true;
}

static bool opt_version(Options *options, const char *arg, GError **error)
{
    printf("QEMU emulator version %d.%d.%d (rhea " RHEA_VERSION ")\n", QEMU_VERSION_MAJOR,
           QEMU_VERSION_MINOR, QEMU_VERSION_MICRO);
    options->done = true;
    return true;
}

/* ---- the table ---- */

static const Option machine_options[] = {
    { "machine", "[type=]NAME[,PROP=VALUE]…", "the board: pc or none ('help' lists them)",
      opt_machine },
    { "M", "NAME", "the same", opt_machine },
    { "accel", "NAME[:NAME][,kernel-irqchip=on|off|split]",
      "CPU engine, kvm or tcg; without it the faster one is picked", opt_accel },
    { "enable-kvm", NULL, "the same as -accel kvm", opt_enable_kvm },
    { "cpu", "MODEL[,+FLAG][,-FLAG][,FLAG=on|off]", "CPU model ('help' lists them)", opt_cpu },
    { "smp", "[cpus=]N[,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]", "CPUs and topology",
      opt_smp },
    { "m", "[size=]SIZE", "guest memory, in MiB or with a suffix (128 MiB)", opt_m },
    { "name", "NAME[,process=NAME]", "name of the guest", opt_name },
    { "uuid", "UUID", "the machine's UUID", opt_uuid },
    { "rtc", "[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none|slew]",
      "the real-time clock", opt_rtc },
    { "no-hpet", NULL, "leave out the HPET", opt_no_hpet },
    { "no-acpi", NULL, "leave out the ACPI tables", opt_no_acpi },
    { "nodefaults", NULL, "no serial port or monitor that was not asked for", opt_nodefaults },
    { "no-user-config", NULL, "read no configuration file (none is read anyway)",
      opt_no_user_config },
    { "global", "DRIVER.PROPERTY=VALUE", "default of a device property", opt_global },
    {}
};

static const Option boot_options[] = {
    { "kernel", "FILE", "boot this Linux, PVH or multiboot image directly", opt_kernel },
    { "initrd", "FILE", "initial RAM disk, or multiboot modules", opt_initrd },
    { "append", "TEXT", "kernel command line", opt_append },
    { "bios", "FILE", "firmware image", opt_bios },
    { "L", "FOLDER", "where firmware images are looked for", opt_L },
    {}
};

static const Option device_options[] = {
    { "device", "DRIVER[,PROP=VALUE]…",
      "add a device ('help' lists them, 'DRIVER,help' its properties)", opt_device },
    { "chardev", "BACKEND,id=ID[,OPT=VALUE]…", "a character device ('help' lists them)",
      opt_chardev },
    { "serial", "DEV", "a serial port on this character device", opt_serial },
    { "debugcon", "DEV", "the debug console, port 0xe9, on this character device", opt_debugcon },
    {}
};

static const Option monitor_options[] = {
    { "monitor", "DEV", "the human monitor on this character device", opt_monitor },
    { "mon", "[chardev=]ID[,mode=readline|control][,pretty=on|off]", "a monitor on a -chardev",
      opt_mon },
    { "qmp", "DEV", "QMP on this character device", opt_qmp },
    { "qmp-pretty", "DEV", "QMP with indented replies", opt_qmp_pretty },
    { "nographic", NULL, "serial port and monitor share the terminal (Ctrl-a h)", opt_nographic },
    { "display", "none", "displays", opt_display },
    { "echr", "BYTE", "the terminal's escape key instead of 1, Ctrl-a", opt_echr },
    {}
};

static const Option run_options[] = {
    { "S", NULL, "do not start the CPUs ('c' in the monitor does)", opt_S },
    { "no-reboot", NULL, "leave instead of rebooting", opt_no_reboot },
    { "no-shutdown", NULL, "stop instead of leaving when the guest powers off", opt_no_shutdown },
    { "action",
      "[reboot=reset|shutdown][,shutdown=poweroff|pause][,panic=pause|shutdown|exit-failure|none]",
      "what to do when the guest does that", opt_action },
    { "pidfile", "FILE", "write the process id here", opt_pidfile },
    { "daemonize", NULL, "go to the background once the machine stands", opt_daemonize },
    { "d", "ITEM[,ITEM]…", "log these ('help' lists them)", opt_d },
    { "D", "FILE", "log here instead of standard error", opt_D },
    { "version", NULL, "print the version", opt_version },
    { "help", NULL, "print this", opt_help },
    { "h", NULL, "the same", opt_help },
    {}
};

static const struct { const char *title; const Option *options; } sections[] = {
    { "Machine", machine_options },
    { "Boot", boot_options },
    { "Devices", device_options },
    { "Monitors and displays", monitor_options },
    { "Running", run_options },
};

/* ---- parsing ---- */

static void late_free(gpointer data)
{
    LateOption *late = data;

    g_free(late->place);
    g_free(late->text);
    g_free(late);
}

Options *options_new(void)
{
    Options *options = g_new0(Options, 1);
    GPtrArray **late[] = {&options->machine_props, &options->chardevs, &options->devices,
                          &options->serials,       &options->monitors, &options->mons,
                          &options->debugcons};

    for (size_t i = 0; i < G_N_ELEMENTS(late); i++) {
        *late[i] = g_ptr_array_new_with_free_func(late_free);
    }
    options->accels = g_ptr_array_new_with_free_func(g_free);
    options->globals = g_ptr_array_new_with_free_func(g_free);
    options->config.acpi = options->config.hpet = options->config.smm = true;
    options->config.graphics = options->config.pit = true;
    options->config.topo = (CpuTopology){ 1, 1, 1, 1, 1, 1 };
    return options;
}

void options_free(Options *options)
{
    GPtrArray *lists[] = { options->machine_props, options->chardevs, options->devices,
                           options->serials, options->monitors, options->mons, options->debugcons,
                           options->accels, options->globals };

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_ptr_array_unref(lists[i]);
    }
    g_free(options->machine);
    g_free(options->pidfile);
    g_free(options->log_items);
    g_free(options->log_file);
    vm_config_finish(&options->config);         /* what did not go to the Vm */
    g_free(options);
}

static const Option *option_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            if (g_str_equal(option->name, name)) {
                return option;
            }
        }
    }
    return NULL;
}

const char **options_names(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            g_ptr_array_add(names, (char *)option->name);
        }
    }
    g_ptr_array_add(names, NULL);
    return (const char **)g_ptr_array_free(names, FALSE);
}

static void fail_unknown(const char *word, const char *name, GError **error)
{
    g_autofree const char **names = options_names();
    const char *near = nearest_name(name, names, g_strv_length((char **)names));

    set_error(error, "%s: invalid option", word);
    if (near != NULL) {
        error_add_hint(error, "Did you mean '-%s'?", near);
    }
}

static bool parse_one(Options *options, int argc, char **argv, int *at, GError **error)
{
    const char *word = argv[(*at)++], *arg = NULL;
    const char *name = *word == '\0' ? word : word + 1 + (word[1] == '-');
    const Option *option;

    if (*word != '-' || *name == '\0') {
        set_error(error, "%s: disk images are not supported: expected an option (-help lists them)",
                  word);
        return false;
    }
    option = option_find(name);
    if (option == NULL) {
        fail_unknown(word, name, error);
        return false;
    }
    if (option->arg != NULL) {
        if (*at >= argc) {
            set_error(error, "%s: requires an argument: %s", word, option->arg);
            return false;
        }
        arg = argv[(*at)++];
    }
    if (!option->run(options, arg, error)) {
        g_prefix_error(error, "-%s%s%s: ", option->name, arg != NULL ? " " : "",
                       arg != NULL ? arg : "");
        return false;
    }
    return true;
}

bool options_parse(Options *options, int argc, char **argv, GError **error)
{
    device_types_set(device_types);                 /* -device help needs no machine */
    for (int at = 1; at < argc && !options->done;) {
        if (!parse_one(options, argc, argv, &at, error)) {
            return false;
        }
    }
    return true;
}

char *options_help(void)
{
    GString *out = g_string_new("usage: rhea [options]\n");

    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        g_string_append_printf(out, "\n%s:\n", sections[i].title);
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            g_autofree char *left =
                g_strdup_printf("-%s%s%s", option->name, option->arg != NULL ? " " : "",
                                option->arg != NULL ? option->arg : "");
            const char *gap =
                g_utf8_strlen(left, -1) < 28 ? "" : "\n                              ";
            int pad = *gap == '\0' ? 28 - (int)g_utf8_strlen(left, -1) : 0;

            g_string_append_printf(out, "  %s%s%*s%s\n", left, gap, pad, "", option->help);
        }
    }
    g_string_append(out,
                    "\nIn the terminal of -nographic, Ctrl-a c switches to the monitor and back, "
                    "Ctrl-a x leaves, Ctrl-a h lists the keys.\n");
    return g_string_free(out, FALSE);
}
