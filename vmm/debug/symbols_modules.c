/*
 * Names and ORC tables of a Linux guest's modules.
 *
 * The kernel's symbol `modules` is the head of a list of struct modules, whose first fields are the
 * same everywhere: a state (8 bytes), the list's links, a name of at most 55 bytes.  Where the
 * others lie depends on how the kernel was configured, so they are told by what they point to:
 *   kallsyms       a pointer to { symtab, 32-bit count, strtab, types }, with an ELF symbol table
 *                  whose first entry is empty, and a string table that begins with a zero
 *   ORC            { 32-bit count, pointer to distances, pointer to entries } in the struct itself
 */
#include "symbols_build.h"

#include <elf.h>
#include <string.h>

#define KERNEL_HALF         (UINT64_C(1) << 63)
#define MODULES_MAX         1024
#define MODULE_BYTES        0x800               /* of struct module looked at */
#define MODULE_LINKS        8
#define MODULE_NAME         24
#define MODULE_NAME_BYTES   56
#define MODULE_FIELDS       80
#define MODULE_CODE_MAX     (64u << 20)         /* from a module's tables to its code */
#define SYMBOLS_READ_MAX    (1u << 19)          /* of all modules */
#define STRINGS_READ_MAX    (32u << 20)
#define NAME_BYTES          512
#define ORC_COUNT_MAX       (1u << 20)
#define ORC_PROBES          8

static uint32_t get32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

/* ---- the list ---- */

/* As modprobe has it: letters, digits, underscores. */
static bool is_module_name(const uint8_t *name)
{
    size_t n = 0;

    while (n < MODULE_NAME_BYTES && (g_ascii_isalnum(name[n]) || name[n] == '_')) {
        n++;
    }
    return n > 0 && n < MODULE_NAME_BYTES && name[n] == '\0';
}

void modules_list(const KernelView *view, uint64_t head, GArray *modules)
{
    uint8_t begin[MODULE_NAME + MODULE_NAME_BYTES];
    uint64_t link;

    kernel_read(view, head, &link, sizeof(link));
    while (link != head && link >= KERNEL_HALF && modules->len < MODULES_MAX) {
        uint64_t module = link - MODULE_LINKS;

        kernel_read(view, module, begin, sizeof(begin));
        if (!is_module_name(begin + MODULE_NAME)) {
            return;
        }
        g_array_append_val(modules, module);
        link = get64(begin + MODULE_LINKS);
    }
}

/* ---- names ---- */

typedef struct ModuleNames { uint64_t symbols, strings, types; uint32_t count; } ModuleNames;

typedef struct Reader {
    const KernelView *view;
    SymbolBuild *build;
    uint32_t symbols_left;
    size_t strings_left;
} Reader;

static bool names_at(const Reader *reader, uint64_t at, ModuleNames *names)
{
    const KernelView *view = reader->view;
    uint8_t bytes[32], zero[sizeof(Elf64_Sym)], first[sizeof(Elf64_Sym)];

    if (at < KERNEL_HALF || at % 8 != 0) {
        return false;
    }
    kernel_read(view, at, bytes, sizeof(bytes));
    *names = (ModuleNames){ get64(bytes), get64(bytes + 16), get64(bytes + 24), get32(bytes + 8) };
    if (names->symbols < KERNEL_HALF || names->strings < KERNEL_HALF ||
        names->types < KERNEL_HALF || names->count < 2 || names->count > reader->symbols_left) {
        return false;
    }
    memset(zero, 0, sizeof(zero));
    kernel_read(view, names->symbols, first, sizeof(first));
    kernel_read(view, names->strings, bytes, 2);
    return memcmp(first, zero, sizeof(zero)) == 0 && bytes[0] == '\0' && bytes[1] != '\0';
}

/* The string table as far as names reach. */
static char *read_strings(Reader *reader, const ModuleNames *names, const Elf64_Sym *symbols,
                          size_t *len)
{
    char *strings;

    *len = 1;
    for (uint32_t i = 0; i < names->count; i++) {
        *len = MAX(*len, symbols[i].st_name + (size_t)NAME_BYTES);
    }
    *len = MIN(*len, reader->strings_left);
    reader->strings_left -= *len;
    strings = g_malloc(*len + 1);
    kernel_read(reader->view, names->strings, strings, *len);
    strings[*len] = '\0';
    return strings;
}

static bool add_names(Reader *reader, const ModuleNames *names, GError **error)
{
    g_autofree Elf64_Sym *symbols = g_new(Elf64_Sym, names->count);
    g_autofree char *types = g_malloc(names->count), *strings = NULL;
    size_t strings_len;

    reader->symbols_left -= names->count;
    kernel_read(reader->view, names->symbols, symbols, names->count * sizeof(Elf64_Sym));
    kernel_read(reader->view, names->types, types, names->count);
    strings = read_strings(reader, names, symbols, &strings_len);
    for (uint32_t i = 0; i < names->count; i++) {
        const Elf64_Sym *sym = &symbols[i];
        const char *name = sym->st_name < strings_len ? strings + sym->st_name : "";
        SymbolRow row = { name, strnlen(name, NAME_BYTES), sym->st_value, 0, types[i],
                          SYMBOL_RANK_BEST };

        if (sym->st_shndx != SHN_UNDEF && sym->st_value >= KERNEL_HALF &&
            g_ascii_isalpha(types[i]) && !symbol_build_add(reader->build, &row, error)) {
            return false;
        }
    }
    return true;
}

/* ---- ORC ---- */

static uint64_t ip_at(const KernelView *view, const ModuleOrc *orc, uint32_t n)
{
    uint64_t at = orc->ips + (uint64_t)n * 4;
    int32_t distance;

    kernel_read(view, at, &distance, sizeof(distance));
    return at + distance;
}

static bool orc_at(const KernelView *view, const uint8_t *bytes, ModuleOrc *orc)
{
    uint64_t last = 0;

    *orc = (ModuleOrc){ .ips = get64(bytes + 8), .entries = get64(bytes + 16),
                        .count = get32(bytes) };
    if (orc->count < 2 || orc->count > ORC_COUNT_MAX || get32(bytes + 4) != 0 ||
        orc->ips < KERNEL_HALF || orc->entries < KERNEL_HALF || orc->ips % 4 != 0) {
        return false;
    }
    for (uint32_t i = 0; i <= ORC_PROBES; i++) {
        uint64_t ip = ip_at(view, orc, (uint64_t)(orc->count - 1) * i / ORC_PROBES);
        uint64_t away = ip > orc->ips ? ip - orc->ips : orc->ips - ip;

        if (ip < last || away > MODULE_CODE_MAX) {
            return false;
        }
        last = ip;
    }
    orc->first = ip_at(view, orc, 0);
    orc->last = last;
    return orc->first < orc->last;
}

/* ---- all of them ---- */

/* Looks at each word of one module's struct. */
static bool read_module(Reader *reader, uint64_t module, GArray *orcs, GError **error)
{
    uint8_t bytes[MODULE_BYTES];
    bool named = false, with_orc = false;
    ModuleNames names;
    ModuleOrc orc;

    kernel_read(reader->view, module, bytes, sizeof(bytes));
    for (size_t at = MODULE_FIELDS; at + 24 <= sizeof(bytes); at += 8) {
        if (!named && names_at(reader, get64(bytes + at), &names)) {
            named = true;
            if (!add_names(reader, &names, error)) {
                return false;
            }
        }
        if (!with_orc && orc_at(reader->view, bytes + at, &orc)) {
            with_orc = true;
            g_array_append_val(orcs, orc);
        }
    }
    return true;
}

bool modules_read(const KernelView *view, const GArray *modules, SymbolBuild *build, GArray *orcs,
                  GError **error)
{
    Reader reader = { view, build, SYMBOLS_READ_MAX, STRINGS_READ_MAX };

    for (guint i = 0; i < modules->len; i++) {
        if (!read_module(&reader, g_array_index(modules, uint64_t, i), orcs, error)) {
            return false;
        }
    }
    return true;
}
