/* Ids, types, keys and values that completion offers. */
#include "candidates.h"

#include <string.h>

#include "block_driver.h"
#include "char_opts.h"
#include "iothread.h"
#include "net.h"
#include "qmp_api.h"
#include "qmp_dispatch.h"
#include "tls_creds.h"
#include "user_object.h"

static const char *const on_off[] = { "on", "off", NULL };

static void add(GPtrArray *out, const char *word)
{
    g_ptr_array_add(out, g_strdup(word));
}

static void add_all(GPtrArray *out, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        add(out, *words);
    }
}

static void add_key(GPtrArray *out, const char *name)
{
    g_ptr_array_add(out, g_strconcat(name, "=", NULL));
}

/* ---- ids ---- */

void candidates_chardevs(Monitor *mon, GPtrArray *out)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        add(out, chardev_label(g_ptr_array_index(list, i)));
    }
}

void candidates_chardev_backends(Monitor *mon, GPtrArray *out)
{
    add_all(out, chardev_backend_names());
}

void candidates_cpus(Monitor *mon, GPtrArray *out)
{
    for (guint i = 0; i < mon->vm->cpus->len; i++) {
        g_ptr_array_add(out, g_strdup_printf("%u", i));
    }
}

void candidates_devices(Monitor *mon, GPtrArray *out)
{
    const GPtrArray *children = object_container("/machine/peripheral")->children;

    for (guint i = 0; children != NULL && i < children->len; i++) {
        add(out, ((const Object *)g_ptr_array_index(children, i))->name);
    }
}

void candidates_drives(Monitor *mon, GPtrArray *out)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        const char *name = block_backend_name(g_ptr_array_index(block_backends(), i));

        if (*name != '\0') {
            add(out, name);
        }
    }
}

static void add_net_clients(GPtrArray *out, bool netdevs)
{
    const GPtrArray *list = net_clients();

    for (guint i = 0; i < list->len; i++) {
        const NetClient *client = g_ptr_array_index(list, i);

        if (netdevs ? client->is_netdev : !client->closed) {
            add(out, client->name);
        }
    }
}

void candidates_net_clients(Monitor *mon, GPtrArray *out)
{
    add_net_clients(out, false);
}

void candidates_netdevs(Monitor *mon, GPtrArray *out)
{
    add_net_clients(out, true);
}

static void add_object(UserObject *obj, void *opaque)
{
    add(opaque, obj->id);
}

void candidates_objects(Monitor *mon, GPtrArray *out)
{
    user_objects_foreach(NULL, add_object, out);
}

/* ---- the object tree ---- */

/* Children of the object whose path stands before the last slash. */
void candidates_path(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    size_t len = strlen(at->text);
    g_autofree char *path = g_strndup(at->text, len > 1 ? len - 1 : len);
    bool ambiguous;
    const Object *obj = len > 0 ? object_resolve(path, &ambiguous) : NULL;

    if (len == 0) {
        g_ptr_array_add(out, g_strdup("/"));
    }
    for (guint i = 0; obj != NULL && obj->children != NULL && i < obj->children->len; i++) {
        const Object *child = g_ptr_array_index(obj->children, i);

        g_ptr_array_add(out, g_strdup(child->name));
    }
}

/* ---- "TYPE,key=value,…" ---- */

typedef struct OptionPlace {
    char *type;                             /* NULL: it is the type that is being completed */
    char *key;                              /* whose value is; NULL: a key is */
} OptionPlace;

static void place_clear(OptionPlace *place)
{
    g_free(place->type);
    g_free(place->key);
}

/* `type_key`: what the type may be called when it is not just the first word ("driver=e1000"). */
static OptionPlace place_find(const char *text, const char *type_key)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    guint n = g_strv_length(parts);
    const char *first = n > 0 ? parts[0] : "", *last = n > 0 ? parts[n - 1] : "";
    const char *equals = strchr(last, '=');
    OptionPlace place = { NULL, NULL };

    if (g_str_has_prefix(first, type_key) && first[strlen(type_key)] == '=') {
        first += strlen(type_key) + 1;
    }
    if (n > 1) {
        place.type = g_strdup(first);
        place.key = equals != NULL ? g_strndup(last, equals - last) : NULL;
    }
    return place;
}

/* ---- properties ---- */

static const Property *table_find(const Property *table, const char *name)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (g_str_equal(table->name, name)) {
            return table;
        }
    }
    return NULL;
}

static void add_keys(const Property *table, GPtrArray *out)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (!table->read_only) {
            add_key(out, table->name);
        }
    }
}

/* Properties whose values are ids of something. */
static const struct {
    const PropType *type;
    void (*add)(Monitor *mon, GPtrArray *out);
} id_types[] = {
    { &prop_chardev, candidates_chardevs },
    { &prop_drive, candidates_drives },
    { &prop_netdev, candidates_netdevs },
};

static void add_prop_values(Monitor *mon, const Property *prop, GPtrArray *out)
{
    if (prop->type == &prop_bool) {
        add_all(out, on_off);
    } else if (prop->type == &prop_on_off_auto) {
        add_all(out, on_off_auto_names);
    } else if (prop->type == &prop_link || prop->type == &prop_iothread) {
        user_objects_foreach(prop->type == &prop_link ? prop->link : "iothread", add_object, out);
    }
    add_all(out, prop->names);
    for (size_t i = 0; i < G_N_ELEMENTS(id_types); i++) {
        if (id_types[i].type == prop->type) {
            id_types[i].add(mon, out);
        }
    }
}

/* ---- devices ---- */

static void add_device_types(GPtrArray *out)
{
    for (const DeviceType *const *type = device_type_list(); *type != NULL; type++) {
        if (!(*type)->board_only) {
            add(out, (*type)->name);
        }
    }
}

typedef struct BusSearch { const BusType *type; GPtrArray *out; } BusSearch;

static void add_buses(Device *dev, void *opaque)
{
    const BusSearch *search = opaque;

    for (guint i = 0; dev->buses != NULL && i < dev->buses->len; i++) {
        const Bus *bus = g_ptr_array_index(dev->buses, i);

        if (bus->type == search->type) {
            add(search->out, bus->name);
        }
    }
}

static void add_device_keys(const DeviceType *type, GPtrArray *out)
{
    add_key(out, "id");
    add_key(out, "bus");
    for (; type != NULL; type = type->part) {
        add_keys(type->props, out);
        add_keys(type->bus != NULL ? type->bus->device_props : NULL, out);
    }
}

static void add_device_values(Monitor *mon, const DeviceType *type, const char *key, GPtrArray *out)
{
    const Property *prop = NULL;

    if (g_str_equal(key, "bus")) {
        devices_foreach(mon->vm, add_buses, &(BusSearch){ type->bus, out });
    }
    for (; type != NULL && prop == NULL; type = type->part) {
        prop = table_find(type->props, key);
        if (prop == NULL && type->bus != NULL) {
            prop = table_find(type->bus->device_props, key);
        }
    }
    if (prop != NULL) {
        add_prop_values(mon, prop, out);
    }
}

void candidates_device_text(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    OptionPlace place = place_find(at->text, "driver");
    const DeviceType *type = place.type != NULL ? device_type_find(place.type) : NULL;

    if (place.type == NULL) {
        add_device_types(out);
    } else if (type != NULL && place.key == NULL) {
        add_device_keys(type, out);
    } else if (type != NULL) {
        add_device_values(mon, type, place.key, out);
    }
    place_clear(&place);
}

/* ---- objects ---- */

void candidates_object_text(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    OptionPlace place = place_find(at->text, "qom-type");
    const ObjectType *type = place.type != NULL ? user_object_type_find(place.type) : NULL;
    const Property *prop;

    for (const ObjectType *const *row = user_object_types(); place.type == NULL && *row; row++) {
        add(out, (*row)->name);
    }
    if (type != NULL && place.key == NULL) {
        add_key(out, "id");
        add_keys(type->props, out);
        add_keys(type->base_props, out);
    } else if (type != NULL) {
        prop = table_find(type->props, place.key);
        prop = prop != NULL ? prop : table_find(type->base_props, place.key);
        if (prop != NULL) {
            add_prop_values(mon, prop, out);
        }
    }
    place_clear(&place);
}

/* ---- drives: "file=x,if=none" has no type in front ---- */

static const char *const drive_caches[] = {
    "none", "writeback", "writethrough", "directsync", "unsafe", NULL
};
static const char *const drive_errors[] = { "ignore", "report", "stop", "enospc", NULL };

static const struct { const char *name; const char *const *values; } drive_keys[] = {
    { "file" }, { "format" }, { "id" }, { "serial" },
    { "if", (const char *const[]){ "none", "ide", "scsi", "virtio", "floppy", "pflash", NULL } },
    { "media", (const char *const[]){ "disk", "cdrom", NULL } }, { "cache", drive_caches },
    { "readonly", on_off }, { "snapshot", on_off }, { "copy-on-read", on_off },
    { "werror", drive_errors }, { "rerror", drive_errors }, { "index" }, { "bus" }, { "unit" },
};

void candidates_drive_text(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    const char *comma = strrchr(at->text, ','), *last = comma != NULL ? comma + 1 : at->text;
    size_t len = strcspn(last, "=");

    for (size_t i = 0; i < G_N_ELEMENTS(drive_keys); i++) {
        if (last[len] == '\0') {
            add_key(out, drive_keys[i].name);
        } else if (strlen(drive_keys[i].name) == len && !strncmp(drive_keys[i].name, last, len)) {
            add_all(out, drive_keys[i].values);
        }
    }
    if (last[len] == '=' && len == strlen("format") && g_str_has_prefix(last, "format")) {
        for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
            add(out, (*driver)->name);
        }
    }
}

/* ---- network back ends: the schema knows their options ---- */

static const QmpMember *member_find(const QmpType *type, const char *name)
{
    for (const QmpMember *m = type != NULL ? type->members : NULL; m && m->name; m++) {
        if (g_str_equal(m->name, name)) {
            return m;
        }
    }
    return NULL;
}

static void add_members(const QmpType *type, const QmpMember *tag, GPtrArray *out)
{
    for (const QmpMember *m = type != NULL ? type->members : NULL; m && m->name; m++) {
        if (m->type->kind == QMP_STRUCT) {
            g_ptr_array_add(out, g_strconcat(m->name, ".", NULL));
        } else if (tag == NULL || !g_str_equal(m->name, tag->name)) {
            add_key(out, m->name);
        }
    }
}

static void add_member_values(Monitor *mon, const QmpMember *member, GPtrArray *out)
{
    if (member->type->kind == QMP_BOOL) {
        add_all(out, on_off);
    } else if (member->type->kind == QMP_ENUM) {
        add_all(out, member->type->values);
    } else if (g_str_equal(member->name, "netdev")) {
        candidates_netdevs(mon, out);
    }
}

void candidates_netdev_text(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    const QmpType *all = qmp_command_find(qmp_commands, "netdev_add")->args, *own = NULL;
    OptionPlace place = place_find(at->text, "type");
    const QmpMember *member = NULL;
    int index;

    if (place.type == NULL) {
        add_all(out, netdev_type_names());
        return;
    }
    index = qmp_enum_index(all->tag->type->values, place.type);
    own = index >= 0 ? all->cases[index] : NULL;
    if (place.key == NULL) {
        add_members(all, all->tag, out);
        add_members(own, NULL, out);
    } else {
        member = member_find(own, place.key);
    }
    if (member != NULL) {
        add_member_values(mon, member, out);
    }
    place_clear(&place);
}

/* ---- character devices ---- */

void candidates_chardev_text(Monitor *mon, const CompleteAt *at, GPtrArray *out)
{
    OptionPlace place = place_find(at->text, "backend");

    if (place.type == NULL) {
        candidates_chardev_backends(mon, out);
        return;
    }
    if (place.key == NULL) {
        add_key(out, "id");
    }
    for (unsigned i = 0; i < CHAR_OPTION_TABLES; i++) {
        const CharOption *option = char_options_of(place.type, i);

        for (; option != NULL && option->name != NULL; option++) {
            if (place.key == NULL) {
                add_key(out, option->name);
            } else if (g_str_equal(option->name, place.key) && option->kind == CHAR_OPTION_BOOL) {
                add_all(out, on_off);
            } else if (g_str_equal(option->name, place.key) &&
                       g_str_equal(option->name, "tls-creds")) {
                user_objects_foreach(TLS_CREDS_BASE, add_object, out);
            }
        }
    }
    place_clear(&place);
}
