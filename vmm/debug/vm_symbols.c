/*
 * The machine's symbols: a file's, or what its kernel keeps of itself.
 *
 * A file's addresses are those the kernel was linked for.  Where it runs is seen in the guest's own
 * kallsyms, so the file's names move there once those can be read, and back at a reset.  Looking
 * for kallsyms in vain is not repeated before it would cost a small part of the time.
 */
#include "symbols_build.h"

#include <inttypes.h>
#include <string.h>

#include "accel.h"
#include "rhea_error.h"

/* After a search in vain that took t none begins for this many times t. */
#define REST_FACTOR 20
/* How often the guest is asked whether it has still the same kernel and modules. */
#define CHECK_US    10000

/* Machine lock. */
static struct {
    bool started;
    SymbolTable *file;          /* of the user's file or the -kernel ELF; NULL: none */
    char *file_name;
    bool placed;                /* the file's addresses are where the kernel runs */
    int64_t moved_by;           /* from where it was linked, while it is placed */
    bool by_file;               /* it is what was answered last */
    SymbolTable *kallsyms;
    KallsymsMark mark;
    SymbolTable *with_modules;  /* the file or kallsyms, and modules; NULL: there are none */
    GArray *modules, *orcs;     /* what it was made of: uint64_t, ModuleOrc */
    int64_t not_before_us;      /* for the next search, monotonic time */
    int64_t checked_us;         /* when the guest was last asked; 0: ask now */
} known;

static void forget_modules(void)
{
    symbols_free(known.with_modules);
    known.with_modules = NULL;
    g_array_set_size(known.modules, 0);
    g_array_set_size(known.orcs, 0);
    known.checked_us = 0;
}

/* What comes now is another kernel, or the same one elsewhere. */
static void forget_kernel(void)
{
    forget_modules();
    symbols_free(known.kallsyms);
    known.kallsyms = NULL;
    known.not_before_us = 0;
    if (known.placed) {
        symbols_relocate(known.file, -known.moved_by);
    }
    known.placed = false;
}

static void symbols_reset(void *opaque)
{
    forget_kernel();
}

static void take_file(SymbolTable *table, const char *name)
{
    forget_modules();
    symbols_free(known.file);
    g_free(known.file_name);
    known.file = table;
    known.file_name = g_strdup(name);
    known.placed = false;
}

/* The -kernel file, where it is an ELF with symbols. */
static void take_kernel_file(Vm *vm)
{
    SymbolTable *table = vm->config.kernel != NULL ? symbols_from_elf(vm->config.kernel, NULL)
                                                   : NULL;

    take_file(table, table != NULL ? vm->config.kernel : NULL);
}

static void start(Vm *vm)
{
    if (!known.started) {
        known.started = true;
        known.modules = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        known.orcs = g_array_new(FALSE, FALSE, sizeof(ModuleOrc));
        vm_add_reset(vm, symbols_reset, NULL);
        take_kernel_file(vm);
    }
}

/* ---- kallsyms ---- */

/* Any vCPU that runs the kernel shows it; the first one most likely. */
static SymbolTable *search_kallsyms(Vm *vm, GError **error)
{
    SymbolTable *table = NULL;

    for (guint i = 0; i < vm->cpus->len && table == NULL; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        g_clear_error(error);
        vcpu_sync(cpu);
        if (cpu->mp_state == MP_RUNNABLE) {
            table = symbols_find_kallsyms(cpu, &known.mark, error);
        }
    }
    return table;
}

static const SymbolTable *find_kallsyms(Vm *vm, GError **error)
{
    g_autoptr(GError) why = NULL;
    int64_t before = g_get_monotonic_time(), after;

    if (known.kallsyms == NULL && before >= known.not_before_us) {
        known.kallsyms = search_kallsyms(vm, &why);
        after = g_get_monotonic_time();
        known.not_before_us = after + (after - before) * REST_FACTOR;
    }
    if (known.kallsyms == NULL) {
        set_error(error, "no symbols: %s", why != NULL ? why->message
                                                       : "the guest shows no kallsyms");
        error_add_hint(error, "'symbol-file FILE' reads a kernel's ELF file or its System.map");
    }
    return known.kallsyms;
}

/* ---- a file's place ---- */

/*
 * How far the running kernel lies from where `file` says.  False: it is another kernel.  Two names
 * are compared: the beginning, which KASLR moves, and the end of the code, which it does not move
 * against the beginning.
 */
static bool find_distance(const SymbolTable *file, const SymbolTable *running, int64_t *distance)
{
    Symbol linked, there, linked_end, there_end;

    if (!symbols_by_name(file, "_text", &linked) || !symbols_by_name(running, "_text", &there)) {
        return false;
    }
    *distance = there.addr - linked.addr;
    return !symbols_by_name(file, "_etext", &linked_end) ||
           !symbols_by_name(running, "_etext", &there_end) ||
           linked_end.addr - linked.addr == there_end.addr - there.addr;
}

/*
 * A file that is no kernel's stays where it is; so does a kernel's until it can be placed.  False:
 * the kernel that runs is another one.
 */
static bool place_file(Vm *vm)
{
    const SymbolTable *running;
    Symbol text;
    int64_t distance;

    if (known.placed || !symbols_by_name(known.file, "_text", &text)) {
        return true;
    }
    running = find_kallsyms(vm, NULL);
    if (running == NULL) {
        return true;
    }
    if (!find_distance(known.file, running, &distance)) {
        return false;
    }
    symbols_relocate(known.file, distance);
    known.moved_by = distance;
    known.placed = true;
    return true;
}

/* ---- what changes while the guest runs ---- */

/* A look at the kernel that was found, through any vCPU; false: it is gone. */
static bool find_view(Vm *vm, KernelView *view)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        vcpu_sync(cpu);
        if (kernel_view(cpu, &known.mark, view)) {
            return true;
        }
    }
    return false;
}

static bool same_modules(const GArray *modules)
{
    size_t bytes = modules->len * sizeof(uint64_t);

    return modules->len == known.modules->len &&
           (bytes == 0 || memcmp(modules->data, known.modules->data, bytes) == 0);
}

/* A table that cannot be made (too many names) leaves the kernel's own. */
static void read_modules(const KernelView *view, const SymbolTable *base, GArray *modules)
{
    g_autoptr(SymbolBuild) build = symbol_build_new();

    forget_modules();
    g_array_append_vals(known.modules, modules->data, modules->len);
    if (modules->len > 0 && symbol_build_add_table(build, base, NULL) &&
        modules_read(view, modules, build, known.orcs, NULL)) {
        known.with_modules = symbol_build_finish(g_steal_pointer(&build), "the kernel", NULL);
    }
}

/* Asks the guest, not too often, whether its kernel and its modules are those we know. */
static void follow_guest(Vm *vm, const SymbolTable *base)
{
    g_autoptr(GArray) modules = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    int64_t now = g_get_monotonic_time();
    KernelView view;
    Symbol head;

    if (known.kallsyms == NULL || (known.checked_us != 0 && now - known.checked_us < CHECK_US)) {
        return;
    }
    if (!find_view(vm, &view)) {
        forget_kernel();
        return;
    }
    if (symbols_by_name(base, "modules", &head)) {
        modules_list(&view, head.addr, modules);
        if (!same_modules(modules)) {
            read_modules(&view, base, modules);
        }
    }
    known.checked_us = now;
}

const ModuleOrc *vm_module_orc(uint64_t addr)
{
    for (guint i = 0; known.orcs != NULL && i < known.orcs->len; i++) {
        const ModuleOrc *orc = &g_array_index(known.orcs, ModuleOrc, i);

        if (addr >= orc->first && addr < orc->last) {
            return orc;
        }
    }
    return NULL;
}

/* ---- the doors ---- */

/* The table without modules. */
static const SymbolTable *find_base(Vm *vm, GError **error)
{
    bool by_file = known.file != NULL && place_file(vm);

    if (by_file != known.by_file) {
        forget_modules();                               /* they were put to the other one */
    }
    known.by_file = by_file;
    return known.by_file ? known.file : find_kallsyms(vm, error);
}

const SymbolTable *vm_symbols(Vm *vm, GError **error)
{
    const SymbolTable *base;

    start(vm);
    base = find_base(vm, error);
    follow_guest(vm, base);
    if (base != NULL && !known.by_file && known.kallsyms == NULL) {
        base = find_base(vm, error);                    /* it has just gone */
    }
    return known.with_modules != NULL ? known.with_modules : base;
}

bool vm_symbols_load(Vm *vm, const char *file, GError **error)
{
    const SymbolTable *running;
    SymbolTable *table;
    int64_t distance;
    Symbol text;

    start(vm);
    known.not_before_us = 0;
    if (file == NULL) {
        forget_kernel();
        take_kernel_file(vm);
        return true;
    }
    table = symbols_from_file(file, error);
    if (table == NULL) {
        return false;
    }
    running = symbols_by_name(table, "_text", &text) ? find_kallsyms(vm, NULL) : NULL;
    if (running != NULL && !find_distance(table, running, &distance)) {
        set_error(error, "'%s' is not of the kernel that runs: its code has another size", file);
        symbols_free(table);
        return false;
    }
    take_file(table, file);
    return true;
}

const char *vm_symbols_source(Vm *vm)
{
    return known.by_file ? known.file_name : known.kallsyms != NULL ? "kallsyms" : NULL;
}

bool vm_symbol_print(Vm *vm, uint64_t addr, GString *out)
{
    const SymbolTable *table = vm_symbols(vm, NULL);
    Symbol symbol;

    if (table == NULL || !symbols_by_addr(table, addr, &symbol)) {
        return false;
    }
    g_string_append(out, symbol.name);
    if (addr != symbol.addr) {
        g_string_append_printf(out, "+0x%" PRIx64, addr - symbol.addr);
    }
    return true;
}
