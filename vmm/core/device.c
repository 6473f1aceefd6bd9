#include "device.h"

#include "rhea_error.h"
#include "vm_core.h"

static char *system_firmware_path(const Device *dev)
{
    return g_strdup(dev->type->firmware_name);
}

const BusType system_bus_type = { .name = "System", .firmware_path = system_firmware_path };

/* ---- types ---- */

static const DeviceType *const *type_list;

void device_types_set(const DeviceType *const *list)
{
    type_list = list;
}

const DeviceType *const *device_type_list(void)
{
    return type_list;
}

const DeviceType *device_type_find(const char *name)
{
    for (const DeviceType *const *type = type_list; type != NULL && *type != NULL; type++) {
        if (g_str_equal((*type)->name, name) ||
            ((*type)->alias != NULL && g_str_equal((*type)->alias, name))) {
            return *type;
        }
    }
    return NULL;
}

const char *device_type_nearest(const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const DeviceType *const *type = type_list; type != NULL && *type != NULL; type++) {
        if (!(*type)->board_only) {
            g_ptr_array_add(names, (char *)(*type)->name);
        }
    }
    return nearest_name(name, (const char *const *)names->pdata, names->len);
}

/* ---- buses ---- */

/* Buses without a name of their own are numbered: below a parent with an id, or by type. */
static char *bus_number(const Device *parent, const BusType *type)
{
    static GHashTable *counts;
    g_autofree char *stem = NULL;
    unsigned n;

    if (parent->id != NULL) {
        return g_strdup_printf("%s.%u", parent->id, parent->buses != NULL ? parent->buses->len : 0);
    }
    if (counts == NULL) {
        counts = g_hash_table_new(g_str_hash, g_str_equal);
    }
    n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, type->name));
    g_hash_table_insert(counts, (char *)type->name, GUINT_TO_POINTER(n + 1));
    stem = g_ascii_strdown(type->name, -1);
    return g_strdup_printf("%s.%u", stem, n);
}

Bus *bus_new(Device *parent, const BusType *type, const char *name)
{
    Bus *bus = g_malloc0(MAX(type->size, sizeof(Bus)));

    object_init(&bus->obj, type->name);
    bus->type = type;
    bus->name = name != NULL ? g_strdup(name) : bus_number(parent, type);
    bus->parent = parent;
    bus->devices = g_ptr_array_new();
    if (parent != NULL) {
        if (parent->buses == NULL) {
            parent->buses = g_ptr_array_new();
        }
        g_ptr_array_add(parent->buses, bus);
        object_add_child(&parent->obj, bus->name, &bus->obj);
    }
    return bus;
}

void bus_free(Bus *bus)
{
    if (bus == NULL) {
        return;
    }
    while (bus->devices->len > 0) {
        device_free(g_ptr_array_index(bus->devices, bus->devices->len - 1));
    }
    if (bus->parent != NULL) {
        g_ptr_array_remove(bus->parent->buses, bus);
    }
    object_finish(&bus->obj);
    g_ptr_array_unref(bus->devices);
    g_free((char *)bus->name);
    g_free(bus);
}

static bool bus_is_full(const Bus *bus)
{
    return bus->type->max_devices != 0 && bus->devices->len >= bus->type->max_devices;
}

/* The newest that fits, as in QEMU; without a name one with room is meant. */
static Bus *bus_find_below(Bus *bus, const char *name, const BusType *type)
{
    if ((name == NULL ? !bus_is_full(bus) : g_str_equal(bus->name, name)) &&
        (type == NULL || bus->type == type)) {
        return bus;
    }
    for (guint i = bus->devices->len; i-- > 0;) {
        Device *dev = g_ptr_array_index(bus->devices, i);

        for (guint n = dev->buses != NULL ? dev->buses->len : 0; n-- > 0;) {
            Bus *found = bus_find_below(g_ptr_array_index(dev->buses, n), name, type);

            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

Bus *bus_find(Vm *vm, const char *name, const BusType *type)
{
    return bus_find_below(vm->system_bus, name, type);
}

/* One step of a path: a child bus of `dev`, by name. */
static Bus *child_bus(const Device *dev, const char *name)
{
    for (guint i = 0; dev->buses != NULL && i < dev->buses->len; i++) {
        Bus *bus = g_ptr_array_index(dev->buses, i);

        if (g_str_equal(bus->name, name)) {
            return bus;
        }
    }
    return NULL;
}

/* A device on `bus`, by id, else by type. */
static Device *child_device(const Bus *bus, const char *name)
{
    Device *by_type = NULL;

    for (guint i = 0; i < bus->devices->len; i++) {
        Device *dev = g_ptr_array_index(bus->devices, i);

        if (dev->id != NULL && g_str_equal(dev->id, name)) {
            return dev;
        }
        if (by_type == NULL && g_str_equal(dev->type->name, name)) {
            by_type = dev;
        }
    }
    return by_type;
}

/* A device at the end of a path stands for its only bus. */
static Bus *only_bus(const Device *dev, const char *name, GError **error)
{
    guint count = dev->buses != NULL ? dev->buses->len : 0;

    if (count == 1) {
        return g_ptr_array_index(dev->buses, 0);
    }
    set_error(error, "Device '%s' has %s", name,
              count == 0 ? "no child bus" : "multiple child buses: name one");
    return NULL;
}

/* `parts`: a device, then one of its buses, and so on. */
static Bus *walk_path(Bus *bus, char **parts, GError **error)
{
    for (; bus != NULL && *parts != NULL; parts++) {
        const Device *dev = child_device(bus, *parts);

        if (dev == NULL) {
            set_error(error, "Device '%s' not found", *parts);
            return NULL;
        }
        if (parts[1] == NULL) {
            return only_bus(dev, *parts, error);
        }
        parts++;
        bus = child_bus(dev, *parts);
        if (bus == NULL) {
            set_error(error, "Bus '%s' not found", *parts);
        }
    }
    return bus;
}

Bus *bus_find_path(Vm *vm, const char *path, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(*path == '/' ? path + 1 : path, "/", -1);
    Bus *bus;

    if (*path == '/') {
        return walk_path(vm->system_bus, parts, error);
    }
    bus = parts[0] != NULL ? bus_find(vm, parts[0], NULL) : NULL;
    if (bus == NULL) {
        set_error(error, "Bus '%s' not found", path);
        return NULL;
    }
    return walk_path(bus, parts + 1, error);
}

/* ---- -global ---- */

typedef struct Global {
    char *driver, *prop, *text;
    bool used;                              /* a device took it */
} Global;

static GArray *globals;

void device_global_set(const char *driver, const char *prop, const char *text)
{
    Global global = { g_strdup(driver), g_strdup(prop), g_strdup(text), false };

    if (globals == NULL) {
        globals = g_array_new(FALSE, FALSE, sizeof(Global));
    }
    g_array_append_val(globals, global);
}

static void apply_globals(Device *dev)
{
    for (guint i = 0; globals != NULL && i < globals->len; i++) {
        Global *global = &g_array_index(globals, Global, i);

        if (!g_str_equal(global->driver, dev->type->name) || dev->global_error != NULL) {
            continue;
        }
        global->used = true;
        if (!property_set(&dev->obj, global->prop, global->text, &dev->global_error)) {
            g_prefix_error(&dev->global_error, "can't apply global %s.%s=%s: ", global->driver,
                           global->prop, global->text);
        }
    }
}

/* A device of the type may still come, unless it is one that cannot be plugged. */
void device_globals_check(void)
{
    for (guint i = 0; globals != NULL && i < globals->len; i++) {
        const Global *global = &g_array_index(globals, Global, i);
        const DeviceType *type = device_type_find(global->driver);

        if (type == NULL) {
            report_warning("global %s.%s has invalid class name", global->driver, global->prop);
        } else if (type->no_hotplug && !global->used) {
            report_warning("global %s.%s=%s not used", global->driver, global->prop, global->text);
        }
    }
}

/* ---- life ---- */

Device *device_new(Vm *vm, const DeviceType *type, const char *id)
{
    Device *dev = g_malloc0(type->size);
    unsigned n = 0;

    object_init(&dev->obj, type->name);
    dev->type = type;
    dev->vm = vm;
    dev->id = g_strdup(id);
    if (type->props != NULL) {
        dev->prop_tables[n++] = type->props;
    }
    if (type->bus->device_props != NULL) {
        dev->prop_tables[n++] = type->bus->device_props;
    }
    dev->obj.props = dev->prop_tables;
    properties_set_defaults(&dev->obj);
    if (type->part != NULL) {
        dev->part = device_new(vm, type->part, NULL);
        dev->part->outside = dev;
        dev->obj.inner = &dev->part->obj;
        object_add_child(&dev->obj, type->part_name, &dev->part->obj);
    }
    apply_globals(dev);
    return dev;
}

static bool check_bootindex(const Device *dev, GError **error)
{
    g_autofree char *index = NULL;

    if (device_bootindex_free(dev->vm, dev)) {
        return true;
    }
    index = property_get(&dev->obj, "bootindex", NULL);
    set_error(error, "The bootindex %s has already been used", index);
    return false;
}

/* The place of a device among what is booted can change, to one that is free. */
static bool change_bootindex(Device *dev, const char *text, GError **error)
{
    g_autofree char *old = property_get(&dev->obj, "bootindex", NULL);
    Device *holder = dev;

    if (!property_set(&dev->obj, "bootindex", text, error)) {
        return false;
    }
    for (; holder != NULL; holder = holder->part) {
        if (!check_bootindex(holder, error)) {
            property_set(&dev->obj, "bootindex", old, NULL);
            return false;
        }
    }
    return true;
}

bool device_set(Device *dev, const char *prop, const char *text, GError **error)
{
    const Property *found = property_find(&dev->obj, prop);

    if (found != NULL && dev->realized && !found->live) {
        set_error(error, "Attempt to set property '%s' on device '%s' (type '%s') after it was "
                  "realized", prop, dev->id != NULL ? dev->id : "", dev->type->name);
        return false;
    }
    if (found != NULL && found->type == &prop_bootindex && dev->realized) {
        return change_bootindex(dev, text, error);
    }
    return property_set(&dev->obj, prop, text, error);
}

static bool choose_bus(Device *dev, Bus **bus, GError **error)
{
    const BusType *wanted = dev->type->bus;

    if (*bus == NULL) {
        *bus = bus_find(dev->vm, NULL, wanted);
    }
    if (*bus == NULL) {
        set_error(error, "No '%s' bus found for device '%s'", wanted->name, dev->type->name);
        return false;
    }
    if ((*bus)->type != wanted) {
        set_error(error, "Device '%s' can't go on %s bus", dev->type->name, (*bus)->type->name);
        return false;
    }
    if (bus_is_full(*bus)) {
        set_error(error, "Bus '%s' is full", (*bus)->name);
        return false;
    }
    if (dev->vm->built && dev->by_user && (*bus)->hotplug == NULL) {
        set_error(error, "Bus '%s' does not support hotplugging", (*bus)->name);
        return false;
    }
    if (dev->vm->built && dev->by_user && dev->type->no_hotplug) {
        set_error(error, "Device '%s' does not support hotplugging", dev->type->name);
        return false;
    }
    return true;
}

static void place_in_tree(Device *dev)
{
    if (dev->obj.parent != NULL) {
        return;                                 /* the board gave it a name */
    }
    if (!dev->by_user) {
        object_add_child(object_container("/machine/unattached"), "device[*]", &dev->obj);
    } else if (dev->id != NULL) {
        object_add_child(object_container("/machine/peripheral"), dev->id, &dev->obj);
    } else {
        object_add_child(object_container("/machine/peripheral-anon"), "device[*]", &dev->obj);
    }
}

/* A newcomer has not seen the machine's reset. */
static void device_hotplugged(Device *dev)
{
    const HotplugOps *ops = dev->bus->hotplug;

    dev->hotplugged = true;
    if (dev->type->reset != NULL) {
        dev->type->reset(dev);
    }
    if (ops != NULL && ops->plugged != NULL) {
        ops->plugged(dev->bus->hotplug_handler, dev);
    }
}

bool device_realize(Device *dev, Bus *bus, GError **error)
{
    if (dev->global_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&dev->global_error));
        device_free(dev);
        return false;
    }
    if (!choose_bus(dev, &bus, error)) {
        device_free(dev);
        return false;
    }
    place_in_tree(dev);
    dev->bus = bus;
    g_ptr_array_add(bus->devices, dev);
    if (!check_bootindex(dev, error)) {
        device_free(dev);
        return false;
    }
    mem_transaction_begin();
    dev->realized = (bus->type->plug == NULL || bus->type->plug(bus, dev, error)) &&
                    (dev->type->realize == NULL || dev->type->realize(dev, error)) &&
                    (bus->type->realized == NULL || bus->type->realized(bus, dev, error));
    mem_transaction_commit();
    if (!dev->realized) {
        device_free(dev);
        return false;
    }
    if (dev->vm->built) {
        device_hotplugged(dev);
    }
    return true;
}

bool device_realize_part(Device *outside, Bus *bus, GError **error)
{
    return device_realize(outside->part, bus, error);
}

/* The device is gone but for its memory, where a thread may just be finding it unplugged. */
static void device_release(Device *dev)
{
    g_autofree char *path = object_path(&dev->obj), *id = (char *)dev->id;
    Vm *vm = dev->vm;
    bool tell = dev->realized && path != NULL && vm->built && !vm->quitting;

    properties_release(&dev->obj);
    object_finish(&dev->obj);
    g_clear_pointer(&dev->buses, g_ptr_array_unref);
    g_clear_pointer(&dev->mmio, g_ptr_array_unref);
    g_clear_error(&dev->global_error);
    mem_retire(dev, g_free);
    if (tell) {
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_DEVICE_DELETED, .device = id, .path = path });
    }
}

void device_free(Device *dev)
{
    if (dev == NULL) {
        return;
    }
    if (dev->unplug_source != NULL) {
        g_source_destroy(dev->unplug_source);
        g_clear_pointer(&dev->unplug_source, g_source_unref);
    }
    if (dev->outside != NULL) {
        dev->outside->part = NULL;
        dev->outside->obj.inner = NULL;
    }
    if (dev->part != NULL && dev->part->bus == NULL) {
        device_free(dev->part);
    }
    while (dev->buses != NULL && dev->buses->len > 0) {
        bus_free(g_ptr_array_index(dev->buses, dev->buses->len - 1));
    }
    mem_transaction_begin();
    if (dev->bus != NULL) {
        if (dev->type->unrealize != NULL) {
            dev->type->unrealize(dev);
        }
        if (dev->bus->type->unplug != NULL) {
            dev->bus->type->unplug(dev->bus, dev);
        }
        g_ptr_array_remove(dev->bus->devices, dev);
    }
    mem_transaction_commit();
    device_release(dev);
}

void device_add_mmio(Device *dev, MemRegion *mr)
{
    if (dev->mmio == NULL) {
        dev->mmio = g_ptr_array_new();
    }
    g_ptr_array_add(dev->mmio, mr);
}

/* ---- walking ---- */

static void foreach_below(Bus *bus, void (*fn)(Device *dev, void *opaque), void *opaque)
{
    for (guint i = 0; i < bus->devices->len; i++) {
        Device *dev = g_ptr_array_index(bus->devices, i);

        fn(dev, opaque);
        for (guint n = 0; dev->buses != NULL && n < dev->buses->len; n++) {
            foreach_below(g_ptr_array_index(dev->buses, n), fn, opaque);
        }
    }
}

void devices_foreach(Vm *vm, void (*fn)(Device *dev, void *opaque), void *opaque)
{
    foreach_below(vm->system_bus, fn, opaque);
}

static void reset_one(Device *dev, void *opaque)
{
    if (dev->type->reset != NULL) {
        dev->type->reset(dev);
    }
}

void devices_reset(Vm *vm)
{
    mem_transaction_begin();
    devices_foreach(vm, reset_one, NULL);
    mem_transaction_commit();
}

typedef struct Search {
    const char *id;
    const Object *obj;
    Device *found;
} Search;

static void match_device(Device *dev, void *opaque)
{
    Search *search = opaque;

    if ((search->obj != NULL && &dev->obj == search->obj) ||
        (search->id != NULL && dev->id != NULL && g_str_equal(dev->id, search->id))) {
        search->found = dev;
    }
}

Device *device_find(Vm *vm, const char *id_or_path)
{
    Search search = { 0 };

    if (*id_or_path == '/') {
        search.obj = object_resolve(id_or_path, NULL);
        if (search.obj == NULL) {
            return NULL;
        }
    } else {
        search.id = id_or_path;
    }
    devices_foreach(vm, match_device, &search);
    return search.found;
}
