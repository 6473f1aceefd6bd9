/*
 * Symbols of a System.map: a line each, "address type name".  A copy of the guest's /proc/kallsyms
 * has the same form, with a module's name in brackets behind its symbols.
 */
#include "symbols_build.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rhea_error.h"

#define FILE_BYTES_MAX  (128u << 20)

/* The whole file and a zero behind it; NULL: error. */
static char *read_file(const char *file, size_t *len, GError **error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    g_autofree char *text = NULL;
    struct stat st;
    ssize_t got = -1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        set_errno_error(error, errno, "cannot open '%s'", file);
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
        set_error(error, "'%s': not a list of symbols", file);
    } else {
        text = g_malloc(st.st_size + 1);
        got = read(fd, text, st.st_size);
        if (got < 0) {
            set_errno_error(error, errno, "cannot read '%s'", file);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0) {
        return NULL;
    }
    text[got] = '\0';
    *len = got;
    return g_steal_pointer(&text);
}

/* "ffffffff81000000 T _text"; the end of the line is where `line` + strcspn() says. */
static bool parse_line(const char *line, SymbolRow *row)
{
    char *end;

    if (!g_ascii_isxdigit(line[0])) {
        return false;
    }
    row->addr = g_ascii_strtoull(line, &end, 16);
    if (end - line > 16 || end[0] != ' ' || !g_ascii_isgraph(end[1]) || end[2] != ' ') {
        return false;
    }
    row->type = end[1];
    row->name = end + 3;
    row->len = strcspn(row->name, " \t\r\n");
    return row->len > 0;
}

SymbolTable *symbols_from_system_map(const char *file, GError **error)
{
    g_autoptr(SymbolBuild) build = symbol_build_new();
    g_autofree char *what = g_strdup_printf("'%s'", file);
    size_t len = 0;
    g_autofree char *text = read_file(file, &len, error);
    const char *next = text;
    unsigned number = 1;
    uint64_t any = 0;

    for (const char *line = text; line != NULL && *line != '\0'; line = next, number++) {
        SymbolRow row = { .rank = SYMBOL_RANK_BEST };

        next = strchr(line, '\n');
        next = next != NULL ? next + 1 : line + strlen(line);
        if (!parse_line(line, &row)) {
            set_error(error, "'%s' line %u: 'ADDRESS TYPE NAME' expected", file, number);
            return NULL;
        }
        any |= row.addr;
        if (!symbol_build_add(build, &row, error)) {
            g_prefix_error(error, "'%s': ", file);
            return NULL;
        }
    }
    if (text != NULL && number > 1 && any == 0) {
        set_error(error, "'%s': all its addresses are 0; the guest hid them (kptr_restrict)", file);
        return NULL;
    }
    return text != NULL ? symbol_build_finish(g_steal_pointer(&build), what, error) : NULL;
}

SymbolTable *symbols_from_file(const char *file, GError **error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char magic[SELFMAG] = "";
    bool elf;

    if (fd < 0) {
        set_errno_error(error, errno, "cannot open '%s'", file);
        return NULL;
    }
    elf = read(fd, magic, SELFMAG) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
    close(fd);
    return elf ? symbols_from_elf(file, error) : symbols_from_system_map(file, error);
}
