/* Options that shape the machine: board, engine, CPUs, memory, identity, clock; and booting. */
#include <stdio.h>
#include <string.h>

#include "accel.h"
#include "cpuid.h"
#include "machine.h"
#include "numa.h"
#include "option_row.h"
#include "rhea_error.h"
#include "sizes.h"

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

static void add_accels(Options *options, const char *names)
{
    g_auto(GStrv) list = g_strsplit(names, ":", -1);

    for (char **name = list; *name != NULL; name++) {
        g_ptr_array_add(options->accels, g_strdup(*name));
    }
}

/* Three each: set_choice() names them. */
static const char *const irqchip_kinds[] = { "on", "off", "split", NULL };

static const char *const vmport_kinds[] = { "on", "off", "auto", NULL };

#define IN_CONFIG(field) offsetof(VmConfig, field)

static const KeyField machine_fields[] = {
    { "type", KEY_STRING, .help = "the board" },
    { "accel", KEY_STRING, .help = "CPU engines, with colons between them" },
    { "acpi", KEY_BOOL, IN_CONFIG(acpi), .help = "ACPI tables and power management" },
    { "append", KEY_STRING, IN_CONFIG(append), .help = "kernel command line" },
    { "dump-guest-core", KEY_BOOL, IN_CONFIG(dump_guest_core),
      .help = "guest memory is part of core dumps" },
    { "firmware", KEY_STRING, IN_CONFIG(bios), .help = "firmware image" },
    { "graphics", KEY_BOOL, IN_CONFIG(graphics), .help = "firmware uses a display" },
    { "hpet", KEY_BOOL, IN_CONFIG(hpet), .help = "the HPET timers" },
    { "initrd", KEY_STRING, IN_CONFIG(initrd), .help = "initial RAM disk" },
    { "kernel", KEY_STRING, IN_CONFIG(kernel), .help = "kernel image to boot directly" },
    { "kernel_irqchip", KEY_CHOICE, IN_CONFIG(kernel_irqchip), irqchip_kinds,
      .help = "interrupt controllers in the kernel" },
    { "mem-merge", KEY_BOOL, IN_CONFIG(mem_merge), .help = "the host may merge equal pages" },
    { "memory-backend", KEY_STRING, IN_CONFIG(mem_backend), .help = "the object that is memory" },
    { "pit", KEY_BOOL, IN_CONFIG(pit), .help = "the interval timer" },
    { "smm", KEY_BOOL, IN_CONFIG(smm), .help = "system management mode" },
    { "usb", KEY_BOOL, IN_CONFIG(usb), .help = "a USB controller" },
    { "vmport", KEY_CHOICE, IN_CONFIG(vmport), vmport_kinds,
      .help = "VMware's port and mouse; auto is on" },
    {}
};

static bool set_choice(Options *options, const KeyField *field, const char *value, GError **error)
{
    const char *const *kinds = field->choices;

    if (!g_strv_contains(kinds, value)) {
        set_error(error, "Parameter '%s' does not accept value '%s': expected %s, %s or %s",
                  field->name, value, kinds[0], kinds[1], kinds[2]);
        return false;
    }
    option_replace((char **)((char *)&options->config + field->offset), value);
    return true;
}

static bool unknown_machine_prop(const Options *options, const char *key, GError **error)
{
    const char *names[G_N_ELEMENTS(machine_fields) - 1], *near;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        names[i] = machine_fields[i].name;
    }
    set_error(error, "Property '%s-machine.%s' not found",
              options->machine != NULL ? options->machine : boards[0]->name, key);
    near = nearest_name(key, names, G_N_ELEMENTS(names));
    error_suggest(error, near);
    return false;
}

static const KeyField *machine_field(const char *key)
{
    if (g_str_equal(key, "kernel-irqchip")) {
        key = "kernel_irqchip";
    }
    for (const KeyField *field = machine_fields; field->name != NULL; field++) {
        if (g_str_equal(field->name, key)) {
            return field;
        }
    }
    return NULL;
}

static bool set_machine_prop(Options *options, const char *key, const char *value, GError **error)
{
    const KeyField *field = machine_field(key);
    void *place;

    if (g_str_equal(key, "accel")) {
        add_accels(options, value);
        return true;
    }
    if (field == NULL) {
        return unknown_machine_prop(options, key, error);
    }
    if (field->kind == KEY_CHOICE) {
        return set_choice(options, field, value, error);
    }
    place = (char *)&options->config + field->offset;
    if (field->kind == KEY_STRING) {
        option_replace(place, value);
        return true;
    }
    if (!parse_bool(value, place, error)) {
        g_prefix_error(error, "Parameter '%s': ", key);
        return false;
    }
    return true;
}

static bool opt_machine(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    if (option_wants_help(arg)) {
        return list_machines(options);
    }
    type = keyval_get(kv, "type");
    if (type != NULL) {
        option_replace(&options->machine, type);
    }
    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (!g_str_equal(keyval_key(kv, i), "type") &&
            !set_machine_prop(options, keyval_key(kv, i), keyval_value(kv, i), error)) {
            return false;
        }
    }
    return true;
}

typedef struct AccelArgs { char *accel, *irqchip, *thread; } AccelArgs;

static const KeyField accel_fields[] = {
    { "accel", KEY_STRING, offsetof(AccelArgs, accel), .help = "CPU engines, kvm or tcg" },
    { "kernel-irqchip", KEY_STRING, offsetof(AccelArgs, irqchip),
      .help = "interrupt controllers in the kernel: on, off or split" },
    { "thread", KEY_STRING, offsetof(AccelArgs, thread), .help = "multi: a thread for each CPU" },
    {}
};

static bool accel_apply(Options *options, const AccelArgs *args, GError **error)
{
    if (args->accel != NULL) {
        add_accels(options, args->accel);
    }
    if (args->thread != NULL && !g_str_equal(args->thread, "multi")) {
        set_error(error,
                  "Parameter 'thread' does not accept value '%s': every CPU has a thread of its "
                  "own ('multi')",
                  args->thread);
        return false;
    }
    return args->irqchip == NULL ||
           set_machine_prop(options, "kernel_irqchip", args->irqchip, error);
}

static bool opt_accel(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "accel", error);
    AccelArgs args = { 0 };
    bool ok;

    if (kv == NULL) {
        return false;
    }
    if (option_wants_help(arg)) {
        printf("Accelerators supported in QEMU binary:\ntcg\nkvm\n");
        options->done = true;
        return true;
    }
    ok = keyval_fill(kv, accel_fields, &args, error) && accel_apply(options, &args, error);
    g_free(args.accel);
    g_free(args.irqchip);
    g_free(args.thread);
    return ok;
}

static bool opt_enable_kvm(Options *options, const char *arg, GError **error)
{
    add_accels(options, "kvm");
    return true;
}

static bool opt_cpu(Options *options, const char *arg, GError **error)
{
    if (option_wants_help(arg)) {
        return list_cpus(options);
    }
    option_replace(&options->config.cpu_model, arg);
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

STRING_OPTION(opt_kernel, config.kernel)
STRING_OPTION(opt_initrd, config.initrd)
STRING_OPTION(opt_append, config.append)
STRING_OPTION(opt_bios, config.bios)
STRING_OPTION(opt_L, config.data_dir)
STRING_OPTION(opt_mem_path, config.mem_path)
SWITCH_OPTION(opt_mem_prealloc, config.mem_prealloc, true)
SWITCH_OPTION(opt_nodefaults, config.nodefaults, true)

static bool opt_no_user_config(Options *options, const char *arg, GError **error)
{
    return true;                            /* no configuration file is read in any case */
}

static bool opt_numa(Options *options, const char *arg, GError **error)
{
    return numa_option(&options->config.numa, arg, error);
}

typedef struct OvercommitArgs { bool mem_lock, cpu_pm; } OvercommitArgs;

static const KeyField overcommit_fields[] = {
    { "mem-lock", KEY_BOOL, offsetof(OvercommitArgs, mem_lock),
      .help = "all memory of the process stays in the host's" },
    { "cpu-pm", KEY_BOOL, offsetof(OvercommitArgs, cpu_pm),
      .help = "the guest's idle CPUs keep the host's (refused)" },
    {}
};

static bool opt_overcommit(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    OvercommitArgs args = { .mem_lock = options->config.mem_lock };

    if (kv == NULL || !keyval_fill(kv, overcommit_fields, &args, error)) {
        return false;
    }
    if (args.cpu_pm) {
        set_error(error, "Parameter 'cpu-pm' does not accept value 'on': the guest's idle CPUs "
                  "always sleep in the host");
        return false;
    }
    options->config.mem_lock = args.mem_lock;
    return true;
}

static bool opt_name(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "guest", error);
    NameArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, name_fields, &args, error);

    option_replace(&options->config.name, args.guest);
    option_replace(&options->config.process_name, args.process);
    g_free(args.guest);
    g_free(args.process);
    return ok;
}

bool option_uuid(Options *options, const char *arg, GError **error)
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
        option_replace(&options->config.rtc_base, args.base);
        options->config.rtc_clock_vm = g_strcmp0(args.clock, "vm") == 0;
        options->config.rtc_slew = g_strcmp0(args.driftfix, "slew") == 0;
    }
    g_free(args.base);
    g_free(args.clock);
    g_free(args.driftfix);
    return ok;
}

const Option machine_options[] = {
    { "machine", "[type=]NAME[,PROP=VALUE]…", "the board: pc or none ('help' lists them)",
      opt_machine, "machine", machine_fields },
    { "M", "NAME", "the same", opt_machine },
    { "accel", "NAME[:NAME][,kernel-irqchip=on|off|split]",
      "CPU engine, kvm or tcg; without it the faster one is picked", opt_accel, "accel",
      accel_fields },
    { "enable-kvm", NULL, "the same as -accel kvm", opt_enable_kvm },
    { "cpu", "MODEL[,+FLAG][,-FLAG][,FLAG=on|off]", "CPU model ('help' lists them)", opt_cpu },
    { "smp", "[cpus=]N[,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]", "CPUs and topology",
      opt_smp, "smp-opts", smp_fields },
    { "m", "[size=]SIZE", "guest memory, in MiB or with a suffix (128 MiB)", opt_m, "memory",
      mem_fields },
    { "mem-path", "PATH", "keep guest memory in this file, or in a file in this folder",
      opt_mem_path },
    { "mem-prealloc", NULL, "take all guest memory from the host at once", opt_mem_prealloc },
    { "numa", "node[,memdev=ID][,cpus=FIRST[-LAST]][,nodeid=N] | dist,src=N,dst=N,val=N",
      "a NUMA node, or how far one is from another", opt_numa, "numa" },
    { "name", "NAME[,process=NAME]", "name of the guest", opt_name, "name", name_fields },
    { "uuid", "UUID", "the machine's UUID", option_uuid },
    { "smbios", "type=N[,FIELD=VALUE]… | file=FILE",
      "what the SMBIOS tables say: types 0, 1, 2, 3, 4, 11 and 17", opt_smbios, "smbios" },
    { "rtc", "[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none|slew]",
      "the real-time clock", opt_rtc, "rtc", rtc_fields },
    { "overcommit", "[mem-lock=on|off][,cpu-pm=off]", "lock guest memory; CPU power states",
      opt_overcommit, "overcommit", overcommit_fields },
    { "nodefaults", NULL, "no serial port or monitor that was not asked for", opt_nodefaults },
    { "no-user-config", NULL, "read no configuration file (none is read anyway)",
      opt_no_user_config },
    {}
};

const Option boot_options[] = {
    { "boot", "[order=]DRIVES[,once=DRIVES][,menu=on|off][,strict=on|off]…",
      "what firmware boots from", opt_boot, "boot-opts", boot_fields },
    { "kernel", "FILE", "boot this Linux, PVH or multiboot image directly", opt_kernel },
    { "initrd", "FILE", "initial RAM disk, or multiboot modules", opt_initrd },
    { "append", "TEXT", "kernel command line", opt_append },
    { "bios", "FILE", "firmware image", opt_bios },
    { "L", "FOLDER", "where firmware images are looked for", opt_L },
    {}
};
