/*
 * -drive: one line that makes a backend, its nodes, and says which connector of the board it is
 * for.  What is not the line's own is an option of the root node.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "rhea_error.h"

/* Connectors: units of one bus (0: any number), whether media and error policy mean anything. */
static const struct Interface {
    const char *name;
    int max_units;
    bool media_in_name, has_policy;
} interfaces[] = {
    { "ide", 2, true, true },
    { "scsi", 7, true, true },
    { "virtio", 0, false, true },
    { "none", 0, false, true },
    { "floppy", 2, false, false },
    { "pflash", 0, false, false },
    { "mtd", 0, false, false },
    { "sd", 0, false, false },
    { "xen", 0, false, false },
};

/* What the line itself says; strings are borrowed from it. */
typedef struct DriveLine {
    const struct Interface *interface;
    const char *id, *file, *format, *serial;
    int bus, unit;
    bool cdrom, read_only, snapshot, write_cache, direct, no_flush;
    bool account_invalid, account_failed;
    BlockErrorPolicy rerror, werror;
    BlockLimits limits;
    const char *group;                  /* of the limits; NULL: the drive's own */
} DriveLine;

/* ---- the line's own options ---- */

static bool take_interface(KeyVal *kv, const char *default_if, DriveLine *line, GError **error)
{
    const char *text = keyval_get(kv, "if");
    const char *names[G_N_ELEMENTS(interfaces)];

    text = text != NULL ? text : default_if;
    for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
        names[i] = interfaces[i].name;
        if (g_str_equal(text, names[i])) {
            line->interface = &interfaces[i];
            return true;
        }
    }
    set_error(error, "unsupported bus type '%s'", text);
    error_suggest(error, nearest_name(text, names, G_N_ELEMENTS(names)));
    return false;
}

static bool take_media(KeyVal *kv, DriveLine *line, GError **error)
{
    const char *text = keyval_get(kv, "media");

    if (text != NULL && !g_str_equal(text, "disk") && !g_str_equal(text, "cdrom")) {
        set_error(error, "'%s' invalid media", text);
        error_add_hint(error, "Expected 'disk' or 'cdrom'.");
        return false;
    }
    line->cdrom = text != NULL && g_str_equal(text, "cdrom");
    if (!keyval_get_bool(kv, "readonly", &line->read_only, error) ||
        !keyval_get_bool(kv, "read-only", &line->read_only, error)) {
        return false;
    }
    line->read_only |= line->cdrom;
    return true;
}

static const struct CacheMode {
    const char *name;
    bool write_cache, direct, no_flush;
} cache_modes[] = {
    { "none", true, true, false },
    { "off", true, true, false },
    { "writeback", true, false, false },
    { "writethrough", false, false, false },
    { "directsync", false, true, false },
    { "unsafe", true, false, true },
};

bool block_parse_cache_mode(const char *text, bool *write_cache, bool *direct, bool *no_flush)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cache_modes); i++) {
        const struct CacheMode *mode = &cache_modes[i];

        if (g_str_equal(text, mode->name)) {
            *write_cache = mode->write_cache;
            *direct = mode->direct;
            *no_flush = mode->no_flush;
            return true;
        }
    }
    return false;
}

static bool take_cache(KeyVal *kv, DriveLine *line, GError **error)
{
    const char *text = keyval_get(kv, "cache");

    line->write_cache = true;
    if (text != NULL && !block_parse_cache_mode(text, &line->write_cache, &line->direct,
                                                &line->no_flush)) {
        set_error(error, "invalid cache option");
        error_add_hint(error, "Expected 'none', 'writeback', 'writethrough', 'directsync' or "
                       "'unsafe', not '%s'.", text);
        return false;
    }
    return keyval_get_bool(kv, "cache.writeback", &line->write_cache, error) &&
           keyval_get_bool(kv, "cache.direct", &line->direct, error) &&
           keyval_get_bool(kv, "cache.no-flush", &line->no_flush, error);
}

static bool take_policy(KeyVal *kv, const char *key, bool read, const DriveLine *line,
                        BlockErrorPolicy *policy, GError **error)
{
    const char *text = keyval_get(kv, key);

    if (text == NULL) {
        return true;
    }
    if (!line->interface->has_policy) {
        set_error(error, "%s is not supported by this bus type", key);
        return false;
    }
    for (int i = BLOCK_ERROR_REPORT; i < BLOCK_ERROR_AUTO; i++) {
        if (g_str_equal(text, block_error_policy_names[i]) && !(read && i == BLOCK_ERROR_ENOSPC)) {
            *policy = i;
            return true;
        }
    }
    set_error(error, "'%s' invalid %s error action", text, read ? "read" : "write");
    return false;
}

static bool take_id(KeyVal *kv, DriveLine *line, GError **error)
{
    line->id = keyval_get(kv, "id");
    if (line->id != NULL && !block_is_identifier(line->id)) {
        set_error(error, "Parameter 'id' expects an identifier");
        error_add_hint(error, "Identifiers consist of letters, digits, '-', '.', '_', starting "
                       "with a letter.");
        return false;
    }
    return true;
}

/* ---- its place ---- */

static BlockBackend *find_place(const char *interface, int bus, int unit)
{
    const GPtrArray *list = block_backends();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);

        if (blk->from_drive && g_strcmp0(blk->interface, interface) == 0 && blk->bus == bus &&
            blk->unit == unit) {
            return blk;
        }
    }
    return NULL;
}

static bool take_place(KeyVal *kv, DriveLine *line, GError **error)
{
    const char *interface = line->interface->name;
    int most = line->interface->max_units;
    bool placed = keyval_has(kv, "bus") || keyval_has(kv, "unit");
    bool numbered = keyval_has(kv, "index");
    uint64_t bus = 0, unit = 0, index = 0;

    if (!keyval_get_uint(kv, "bus", 255, &bus, error) ||
        !keyval_get_uint(kv, "unit", 1023, &unit, error) ||
        !keyval_get_uint(kv, "index", 1023, &index, error)) {
        return false;
    }
    if (numbered && placed) {
        set_error(error, "index cannot be used with bus and unit");
        return false;
    }
    line->bus = numbered && most > 0 ? index / most : bus;
    line->unit = !numbered ? unit : most > 0 ? index % most : index;
    if (!numbered && !keyval_has(kv, "unit")) {
        while (find_place(interface, line->bus, line->unit) != NULL) {      /* the next one free */
            line->unit++;
            if (most > 0 && line->unit >= most) {
                line->unit -= most;
                line->bus++;
            }
        }
    }
    if (most > 0 && line->unit >= most) {
        set_error(error, "unit %d too big (max is %d)", line->unit, most - 1);
        return false;
    }
    if (find_place(interface, line->bus, line->unit) != NULL) {
        set_error(error, "drive with bus=%d, unit=%d (index=%d) exists", line->bus, line->unit,
                  line->bus * most + line->unit);
        return false;
    }
    return true;
}

static char *default_id(const DriveLine *line)
{
    const struct Interface *interface = line->interface;
    const char *media = !interface->media_in_name ? "" : line->cdrom ? "-cd" : "-hd";

    if (interface->max_units > 0) {
        return g_strdup_printf("%s%d%s%d", interface->name, line->bus, media, line->unit);
    }
    return g_strdup_printf("%s%s%d", interface->name, media, line->unit);
}

/* ---- what we do not have ---- */

static bool check_supported(KeyVal *kv, GError **error)
{
    bool copy = false;

    if (!keyval_get_bool(kv, "copy-on-read", &copy, error)) {
        return false;
    }
    if (copy) {
        set_error(error, "copy-on-read is not supported");
        return false;
    }
    return true;
}

static bool take_line(KeyVal *kv, const char *default_if, DriveLine *line, GError **error)
{
    line->file = keyval_get(kv, "file");
    line->format = keyval_get(kv, "format");
    line->serial = keyval_get(kv, "serial");
    if (line->format == NULL) {
        line->format = keyval_get(kv, "driver");
    }
    line->rerror = BLOCK_ERROR_REPORT;
    line->werror = BLOCK_ERROR_ENOSPC;
    line->account_invalid = line->account_failed = true;
    return take_id(kv, line, error) && take_interface(kv, default_if, line, error) &&
           take_media(kv, line, error) && take_cache(kv, line, error) &&
           check_supported(kv, error) &&
           block_drive_limits_take(kv, &line->limits, &line->group, error) &&
           take_policy(kv, "werror", false, line, &line->werror, error) &&
           take_policy(kv, "rerror", true, line, &line->rerror, error) &&
           keyval_get_bool(kv, "snapshot", &line->snapshot, error) &&
           keyval_get_bool(kv, "stats-account-invalid", &line->account_invalid, error) &&
           keyval_get_bool(kv, "stats-account-failed", &line->account_failed, error) &&
           take_place(kv, line, error);
}

/* ---- its nodes ---- */

static const char *const own_keys[] = {
    "if", "id", "file", "format", "driver", "serial", "media", "readonly", "read-only", "cache",
    "cache.writeback", "cache.direct", "cache.no-flush", "werror", "rerror", "index", "bus", "unit",
    "snapshot", "copy-on-read", "stats-account-invalid", "stats-account-failed", NULL
};

static void add_bool(KeyVal *opts, const char *key, bool value)
{
    keyval_add(opts, key, value ? "on" : "off");
}

/* Options of the root node; *any: there are some that make it more than an empty drive. */
static KeyVal *node_options(KeyVal *kv, const DriveLine *line, bool *any)
{
    KeyVal *opts = keyval_new();

    keyval_add(opts, "auto-read-only", "on");
    add_bool(opts, "read-only", line->read_only || line->snapshot);
    add_bool(opts, "cache.direct", line->direct);
    add_bool(opts, "cache.no-flush", line->no_flush);
    *any = line->file != NULL && *line->file != '\0';
    for (size_t i = 0; i < keyval_count(kv); i++) {
        const char *key = keyval_key(kv, i);

        if (!g_strv_contains(own_keys, key) && !block_drive_limits_own(key)) {
            keyval_get(kv, key);
            keyval_add(opts, key, keyval_value(kv, i));
            *any |= !g_str_equal(key, "aio") && !g_str_equal(key, "discard") &&
                    !g_str_equal(key, "detect-zeroes");
        }
    }
    return opts;
}

/* A file that has no name any more once it is open. */
static BlockNode *open_temporary(BlockNode *base, const char *path, GError **error)
{
    KeyVal *opts = keyval_new();

    keyval_add(opts, "driver", "qcow2");
    keyval_add(opts, "backing", base->name);
    keyval_add(opts, "cache.no-flush", "on");
    keyval_add(opts, "discard", "unmap");
    return block_node_open(path, NULL, opts, BLOCK_OPEN_RDWR, error);
}

BlockNode *block_node_temporary(BlockNode *base, GError **error)
{
    const char *folder = g_getenv("TMPDIR") != NULL ? g_getenv("TMPDIR") : "/var/tmp";
    g_autofree char *path = g_strdup_printf("%s/rhea-XXXXXX", folder);
    const BlockDriver *qcow2 = block_driver_find("qcow2");
    BlockNode *node = NULL;
    int fd;

    if (qcow2 == NULL || qcow2->create == NULL) {
        set_error(error, "snapshot=on needs the qcow2 format, which this build does not have");
        return NULL;
    }
    fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        set_errno_error(error, errno, "Could not get temporary filename in '%s'", folder);
        return NULL;
    }
    close(fd);
    if (qcow2->create(path, block_node_size(base), NULL, error)) {
        node = open_temporary(base, path, error);
    }
    unlink(path);
    return node;
}

static BlockNode *open_line(KeyVal *opts, const DriveLine *line, GError **error)
{
    unsigned flags = line->read_only || line->snapshot ? 0 : BLOCK_OPEN_RDWR;
    const char *file = line->file != NULL && *line->file != '\0' ? line->file : NULL;
    BlockNode *node = block_node_open(file, line->format, opts, flags, error), *over;

    if (node == NULL || !line->snapshot || line->read_only) {
        return node;
    }
    over = block_node_temporary(node, error);
    block_node_unref(node);
    return over;
}

static BlockBackend *make_backend(const DriveLine *line, const char *id, BlockNode *node,
                                  GError **error)
{
    BlockBackend *blk = block_backend_new(id);

    blk->from_drive = true;
    blk->interface = g_strdup(line->interface->name);
    blk->bus = line->bus;
    blk->unit = line->unit;
    blk->cdrom = line->cdrom;
    blk->read_only = line->read_only;
    blk->write_cache = line->write_cache;
    blk->rerror = line->rerror;
    blk->werror = line->werror;
    blk->account_invalid = line->account_invalid;
    blk->account_failed = line->account_failed;
    blk->serial = g_strdup(line->serial);
    if ((node != NULL && !block_backend_insert(blk, node, error)) ||
        !block_backend_set_limits(blk, &line->limits, line->group != NULL ? line->group : id,
                                  error)) {
        block_backend_free(blk);
        return NULL;
    }
    return blk;
}

BlockBackend *block_drive_new(KeyVal *kv, const char *default_if, bool snapshot, GError **error)
{
    DriveLine line = { .snapshot = snapshot };
    g_autofree char *id = NULL;
    BlockNode *node = NULL;
    KeyVal *opts;
    bool any;

    if (!take_line(kv, default_if, &line, error)) {
        return NULL;
    }
    id = line.id != NULL ? g_strdup(line.id) : default_id(&line);
    if (block_backend_find(id) != NULL) {
        set_error(error, "Duplicate ID '%s' for drive", id);
        return NULL;
    }
    if (block_node_find(id) != NULL) {
        set_error(error, "Device with id=%s is conflicting with a node-name", id);
        return NULL;
    }
    opts = node_options(kv, &line, &any);
    if (any || line.format != NULL) {
        node = open_line(opts, &line, error);
        if (node == NULL) {
            return NULL;
        }
    } else {
        keyval_free(opts);
    }
    return make_backend(&line, id, node, error);
}

bool block_drive_delete(const char *id, GError **error)
{
    BlockBackend *blk = block_backend_find(id);

    if (blk == NULL && block_node_find(id) != NULL) {
        return block_node_delete(id, error);
    }
    if (blk == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    if (blk->dev == NULL && blk->claims == 0) {
        block_backend_free(blk);
        return true;
    }
    block_drop_parked(blk);
    block_backend_remove(blk);
    g_free(blk->name);
    blk->name = g_strdup("");                   /* the device keeps what is left */
    return true;
}
