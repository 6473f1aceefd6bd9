/* Finding, loading and listing firmware files. */
#include "rom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rhea_error.h"

static const char *const rom_folders[] = {
    RHEA_DATA_DIR, "/usr/share/rhea", "/usr/share/seabios", "/usr/share/qemu", "/usr/lib/ipxe/qemu",
};

static GArray *rom_notes;

static bool rom_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

char *rom_find(Vm *vm, const char *name, GError **error)
{
    if (rom_is_file(name)) {
        return g_strdup(name);
    }
    if (vm->config.data_dir) {
        g_auto(GStrv) folders = g_strsplit(vm->config.data_dir, ":", -1);

        for (char **folder = folders; *folder; folder++) {
            g_autofree char *path = g_build_filename(*folder, name, NULL);

            if (rom_is_file(path)) {
                return g_steal_pointer(&path);
            }
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(rom_folders); i++) {
        g_autofree char *path = g_build_filename(rom_folders[i], name, NULL);

        if (rom_is_file(path)) {
            return g_steal_pointer(&path);
        }
    }
    set_error(error, "could not find ROM file '%s'", name);
    return NULL;
}

/* Reads at most `max` bytes, so that a pipe or a growing file cannot fill memory. */
static GBytes *rom_read(int fd, const char *path, uint64_t max, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint8_t buf[65536];
    ssize_t got;

    while ((got = read(fd, buf, sizeof(buf))) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            set_errno_error(error, errno, "cannot read '%s'", path);
            return NULL;
        }
        if (bytes->len + (uint64_t)got > max) {
            set_error(error, "'%s' is larger than %" G_GUINT64_FORMAT " bytes", path, max);
            return NULL;
        }
        g_byte_array_append(bytes, buf, got);
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

GBytes *rom_load(Vm *vm, const char *name, uint64_t max, GError **error)
{
    g_autofree char *path = rom_find(vm, name, error);

    if (!path) {
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        set_errno_error(error, errno, "cannot open '%s'", path);
        return NULL;
    }
    GBytes *bytes = rom_read(fd, path, max, error);
    close(fd);
    return bytes;
}

/* Firmware files first, then by address, then blobs in the order they were made. */
static bool rom_before(const RomNote *a, const RomNote *b)
{
    static const int rank[] = { [ROM_IN_FW_CFG] = 0, [ROM_AT_ADDRESS] = 1, [ROM_IN_REGION] = 2 };

    return a->place != b->place ? rank[a->place] < rank[b->place] : a->addr < b->addr;
}

void rom_note(const RomNote *note)
{
    RomNote copy = *note;
    guint at = 0;

    copy.name = g_intern_string(note->name);
    copy.where = g_intern_string(note->where);
    copy.mem = g_intern_string(note->mem);
    if (!rom_notes) {
        rom_notes = g_array_new(FALSE, FALSE, sizeof(RomNote));
    }
    while (at < rom_notes->len && !rom_before(&copy, &g_array_index(rom_notes, RomNote, at))) {
        at++;
    }
    g_array_insert_val(rom_notes, at, copy);
}

void rom_print(GString *out)
{
    for (guint i = 0; rom_notes && i < rom_notes->len; i++) {
        const RomNote *note = &g_array_index(rom_notes, RomNote, i);

        switch (note->place) {
        case ROM_AT_ADDRESS:
            g_string_append_printf(out, "addr=%016" G_GINT64_MODIFIER "x size=0x%06"
                                   G_GINT64_MODIFIER "x mem=%s name=\"%s\"\n",
                                   note->addr, note->size_bytes, note->mem, note->name);
            break;
        case ROM_IN_FW_CFG:
            g_string_append_printf(out, "fw=%s size=0x%06" G_GINT64_MODIFIER "x name=\"%s\"\n",
                                   note->where, note->size_bytes, note->name);
            break;
        case ROM_IN_REGION:
            g_string_append_printf(out, "%s size=0x%06" G_GINT64_MODIFIER "x name=\"%s\"\n",
                                   note->where, note->size_bytes, note->name);
            break;
        }
    }
}
