#include <glib.h>

#include "check_main.h"
#include "epoch.h"
#include "vm_core.h"

/* A bus "slot.0" whose owner is told and asked, and "fixed.0", whose devices stay. */
typedef struct Gadget {
    Device dev;
    int32_t bootindex;
    uint32_t lanes;
    MemRegion io;
    unsigned resets;
    Bus *inside;
} Gadget;

static unsigned plugged, asked, freed;
static Device *asked_for;

static uint64_t gadget_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a;
}

static const MemOps gadget_ops = { .read = gadget_read };

static bool gadget_realize(Device *dev, GError **error)
{
    Gadget *gadget = DEVICE_CAST(dev, Gadget);

    mem_region_init_io(&gadget->io, &dev->obj, "gadget", 4, &gadget_ops, gadget);
    mem_region_add(&dev->vm->system_io, 0x100, &gadget->io);
    return true;
}

static void gadget_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, Gadget)->io);
    freed++;
}

static void gadget_reset(Device *dev)
{
    DEVICE_CAST(dev, Gadget)->resets++;
}

static char *slot_path(const Device *dev)
{
    return g_strdup_printf("gadget@%s", dev->id);
}

static const char *gadget_suffix(const Device *dev)
{
    return "/disk@0";
}

static const Property gadget_props[] = {
    PROP_BOOTINDEX(Gadget, bootindex),
    PROP_UINT32(Gadget, lanes, .name = "lanes", .def = 2),
    {}
};

static const BusType slot_bus_type = { .name = "SLOT", .firmware_path = slot_path,
                                       .max_devices = 3 };
static const BusType fixed_bus_type = { .name = "FIXED" };
static const BusType inner_bus_type = { .name = "INNER" };

static const DeviceType gadget_type = {
    .name = "gadget", .bus = &slot_bus_type, .size = sizeof(Gadget), .props = gadget_props,
    .realize = gadget_realize, .unrealize = gadget_unrealize, .reset = gadget_reset,
    .boot_suffix = gadget_suffix,
};
static const DeviceType stuck_type = {
    .name = "stuck", .bus = &slot_bus_type, .size = sizeof(Gadget), .no_hotplug = true,
};
static const DeviceType fixed_type = {
    .name = "fixed", .bus = &fixed_bus_type, .size = sizeof(Device),
};
static const DeviceType core_type = {
    .name = "core", .bus = &inner_bus_type, .size = sizeof(Gadget), .props = gadget_props,
};

/* The outside of a core, as virtio's PCI devices are. */
static bool shell_realize(Device *dev, GError **error)
{
    return device_realize_part(dev, bus_new(dev, &inner_bus_type, "inner"), error);
}

static const DeviceType shell_type = {
    .name = "shell", .bus = &slot_bus_type, .size = sizeof(Device), .part = &core_type,
    .part_name = "core", .realize = shell_realize,
};

static const DeviceType bridge_type = {
    .name = "bridge", .bus = &system_bus_type, .size = sizeof(Device), .board_only = true,
    .firmware_name = "bridge@0",
};
static const DeviceType *const types[] = {
    &gadget_type, &stuck_type, &fixed_type, &shell_type, &core_type, &bridge_type, NULL
};

static void slot_plugged(Device *handler, Device *dev)
{
    plugged++;
}

static bool slot_unplug_request(Device *handler, Device *dev, GError **error)
{
    asked++;
    asked_for = dev;
    return true;
}

static const HotplugOps slot_ops = { .plugged = slot_plugged,
                                     .unplug_request = slot_unplug_request };

static Vm vm;
static Bus *slots;
static GString *deleted;

static void on_event(Vm *machine, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_DEVICE_DELETED) {
        g_string_append_printf(deleted, "%s:%s\n", event->device != NULL ? event->device : "",
                               event->path);
    }
}

static void setup(void)
{
    Device *bridge;

    plugged = asked = freed = 0;
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), types);
    bridge = device_new(&vm, &bridge_type, NULL);
    ck_assert(device_realize(bridge, NULL, NULL));
    slots = bus_new(bridge, &slot_bus_type, "slot.0");
    slots->hotplug = &slot_ops;
    slots->hotplug_handler = bridge;
    bus_new(bridge, &fixed_bus_type, "fixed.0");
    deleted = g_string_new(NULL);
    vm_subscribe(&vm, on_event, NULL);
}

static Device *add(const DeviceType *type, const char *id, const char *bootindex, GError **error)
{
    Device *dev = device_new(&vm, type, id);

    dev->by_user = true;
    if (bootindex != NULL && !device_set(dev, "bootindex", bootindex, error)) {
        device_free(dev);
        return NULL;
    }
    return device_realize(dev, NULL, error) ? dev : NULL;
}

START_TEST(only_newcomers_of_a_complete_machine_are_announced)
{
    Device *early, *late;

    setup();
    early = add(&gadget_type, "early", NULL, NULL);
    vm.built = true;
    ck_assert(!early->hotplugged);
    ck_assert_uint_eq(plugged, 0);
    ck_assert_uint_eq(DEVICE_CAST(early, Gadget)->resets, 0);
    device_free(early);
    late = add(&gadget_type, "late", NULL, NULL);
    ck_assert(late->hotplugged);
    ck_assert_uint_eq(plugged, 1);
    ck_assert_uint_eq(DEVICE_CAST(late, Gadget)->resets, 1);
}
END_TEST

static const struct { const DeviceType *type; const char *plug, *unplug; } refusals[] = {
    { &fixed_type, "Bus 'fixed.0' does not support hotplugging",
      "Bus 'fixed.0' does not support hotplugging" },
    { &stuck_type, "Device 'stuck' does not support hotplugging",
      "Device 'stuck' does not support hotplugging" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) plug = NULL, unplug = NULL;
    Device *dev;

    setup();
    dev = add(refusals[_i].type, "x", NULL, NULL);
    ck_assert_ptr_nonnull(dev);
    vm.built = true;
    ck_assert(!device_unplug(dev, &unplug));
    ck_assert_str_eq(unplug->message, refusals[_i].unplug);
    ck_assert_ptr_null(add(refusals[_i].type, "y", NULL, &plug));
    ck_assert_str_eq(plug->message, refusals[_i].plug);
    ck_assert_str_eq(deleted->str, "");
}
END_TEST

START_TEST(the_owner_of_the_bus_is_asked_and_the_main_loop_frees)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    setup();
    vm.built = true;
    dev = add(&gadget_type, "g0", NULL, NULL);
    ck_assert(device_unplug(dev, NULL));
    ck_assert_uint_eq(asked, 1);
    ck_assert_ptr_eq(asked_for, dev);
    ck_assert_uint_eq(freed, 0);
    device_unplug_later(dev);
    device_unplug_later(dev);
    ck_assert_uint_eq(freed, 0);
    ck_assert(!device_unplug(dev, &error));
    ck_assert_str_eq(error->message, "Device g0 is already in the process of unplug");
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert_uint_eq(freed, 1);
    ck_assert_ptr_null(device_find(&vm, "g0"));
    ck_assert_str_eq(deleted->str, "g0:/machine/peripheral/g0\n");
    ck_assert_ptr_nonnull(add(&gadget_type, "g0", NULL, NULL));
}
END_TEST

START_TEST(a_part_goes_before_its_outside)
{
    setup();
    slots->hotplug = &plain_hotplug;
    vm.built = true;
    ck_assert(device_unplug(add(&shell_type, "s0", NULL, NULL), NULL));
    ck_assert_str_eq(deleted->str, ":/machine/peripheral/s0/core\ns0:/machine/peripheral/s0\n");
    ck_assert_uint_eq(slots->devices->len, 0);
    ck_assert_ptr_null(object_resolve("/machine/peripheral/s0", NULL));
}
END_TEST

START_TEST(a_part_cannot_go_alone)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    setup();
    vm.built = true;
    dev = add(&shell_type, "s0", NULL, NULL);
    ck_assert(!device_unplug(dev->part, &error));
    ck_assert_ptr_eq(device_find(&vm, "/machine/peripheral/s0/core"), dev->part);
}
END_TEST

START_TEST(the_outside_has_the_parts_properties)
{
    g_autofree char *lanes = NULL;
    Device *dev;

    setup();
    dev = device_new(&vm, &shell_type, "s0");
    ck_assert(device_set(dev, "lanes", "8", NULL));
    ck_assert_uint_eq(DEVICE_CAST(dev->part, Gadget)->lanes, 8);
    lanes = property_get(&dev->obj, "lanes", NULL);
    ck_assert_str_eq(lanes, "8");
    device_free(dev);
}
END_TEST

/* A vCPU found the region, then waited for the machine lock while the device went. */
START_TEST(an_access_under_way_meets_nothing)
{
    const FlatRange *range;
    Device *dev;

    setup();
    slots->hotplug = &plain_hotplug;
    vm.built = true;
    dev = add(&gadget_type, "g0", NULL, NULL);
    epoch_enter();
    range = mem_view_find(address_space_view(&vm.io), 0x100);
    ck_assert_uint_eq(mem_region_load(range->mr, 0, 1), 0x5a);
    ck_assert(device_unplug(dev, NULL));
    ck_assert_uint_eq(mem_region_load(range->mr, 0, 1), 0xff);
    mem_region_store(range->mr, 0, 0, 1);
    epoch_leave();
    ck_assert_uint_eq(mem_load(&vm.io, 0x100, 1, NULL), 0xff);
}
END_TEST

/* ---- finding buses ---- */

static const struct { const char *path, *found, *error; } paths[] = {
    { "slot.0", "slot.0", NULL },
    { "/bridge/slot.0", "slot.0", NULL },
    { "/", "main-system-bus", NULL },
    { "slot.0/s0", "inner", NULL },
    { "slot.0/s0/inner", "inner", NULL },
    { "nothing", NULL, "Bus 'nothing' not found" },
    { "", NULL, "Bus '' not found" },
    { "/bridge", NULL, "Device 'bridge' has multiple child buses: name one" },
    { "/bridge/nothing", NULL, "Bus 'nothing' not found" },
    { "/nothing/slot.0", NULL, "Device 'nothing' not found" },
    { "slot.0/g0", NULL, "Device 'g0' has no child bus" },
};

START_TEST(path_row)
{
    g_autoptr(GError) error = NULL;
    const Bus *bus;

    setup();
    add(&shell_type, "s0", NULL, NULL);
    add(&gadget_type, "g0", NULL, NULL);
    bus = bus_find_path(&vm, paths[_i].path, &error);
    if (paths[_i].found != NULL) {
        ck_assert_ptr_nonnull(bus);
        ck_assert_str_eq(bus->name, paths[_i].found);
    } else {
        ck_assert_ptr_null(bus);
        ck_assert_str_eq(error->message, paths[_i].error);
    }
}
END_TEST

START_TEST(a_full_bus_takes_no_more)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    setup();
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(add(&gadget_type, NULL, NULL, NULL));
    }
    ck_assert_ptr_null(add(&gadget_type, NULL, NULL, &error));
    ck_assert_str_eq(error->message, "No 'SLOT' bus found for device 'gadget'");
    g_clear_error(&error);
    dev = device_new(&vm, &gadget_type, NULL);
    ck_assert(!device_realize(dev, slots, &error));
    ck_assert_str_eq(error->message, "Bus 'slot.0' is full");
}
END_TEST

START_TEST(nameless_buses_are_numbered)
{
    Device *with_id, *without;

    setup();
    with_id = add(&gadget_type, "g0", NULL, NULL);
    without = add(&gadget_type, NULL, NULL, NULL);
    ck_assert_str_eq(bus_new(with_id, &inner_bus_type, NULL)->name, "g0.0");
    ck_assert_str_eq(bus_new(with_id, &inner_bus_type, NULL)->name, "g0.1");
    ck_assert_str_eq(bus_new(without, &inner_bus_type, NULL)->name, "inner.0");
    ck_assert_str_eq(bus_new(without, &inner_bus_type, NULL)->name, "inner.1");
}
END_TEST

/* ---- boot order ---- */

START_TEST(firmware_gets_paths_in_order)
{
    g_autofree char *none = NULL, *order = NULL, *later = NULL;
    Device *first;

    setup();
    none = devices_boot_order(&vm);
    ck_assert_ptr_null(none);
    first = add(&gadget_type, "b", "7", NULL);
    add(&gadget_type, "a", "2", NULL);
    add(&gadget_type, "c", NULL, NULL);
    order = devices_boot_order(&vm);
    ck_assert_str_eq(order, "/bridge@0/gadget@a/disk@0\n/bridge@0/gadget@b/disk@0\n");
    ck_assert(device_set(first, "bootindex", "1", NULL));
    later = devices_boot_order(&vm);
    ck_assert_str_eq(later, "/bridge@0/gadget@b/disk@0\n/bridge@0/gadget@a/disk@0\n");
}
END_TEST

START_TEST(two_devices_cannot_be_the_same_in_order)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert_ptr_nonnull(add(&gadget_type, "a", "1", NULL));
    ck_assert_ptr_null(add(&gadget_type, "b", "1", &error));
    ck_assert_str_eq(error->message, "The bootindex 1 has already been used");
}
END_TEST

START_TEST(a_place_in_order_changes_to_a_free_one)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    setup();
    add(&gadget_type, "a", "1", NULL);
    dev = add(&gadget_type, "b", "2", NULL);
    ck_assert(!device_set(dev, "bootindex", "1", &error));
    ck_assert_str_eq(error->message, "The bootindex 1 has already been used");
    ck_assert_int_eq(DEVICE_CAST(dev, Gadget)->bootindex, 2);
    ck_assert(device_set(dev, "bootindex", "3", NULL));
    ck_assert_int_eq(DEVICE_CAST(dev, Gadget)->bootindex, 3);
}
END_TEST

CHECK_MAIN("hotplug", CASE(only_newcomers_of_a_complete_machine_are_announced),
           CASES(refusal_row, refusals), CASE(the_owner_of_the_bus_is_asked_and_the_main_loop_frees),
           CASE(a_part_goes_before_its_outside), CASE(a_part_cannot_go_alone),
           CASE(the_outside_has_the_parts_properties), CASE(an_access_under_way_meets_nothing),
           CASES(path_row, paths), CASE(a_full_bus_takes_no_more),
           CASE(nameless_buses_are_numbered), CASE(firmware_gets_paths_in_order),
           CASE(two_devices_cannot_be_the_same_in_order),
           CASE(a_place_in_order_changes_to_a_free_one))
