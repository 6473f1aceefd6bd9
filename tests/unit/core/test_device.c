#include <glib.h>

#include "check_main.h"
#include "device.h"
#include "lock.h"
#include "vm_core.h"

typedef struct Toy {
    Device dev;
    uint16_t iobase;
    bool loud;
    char *name;
    int speed;
    unsigned resets;
} Toy;

static const char *const speeds[] = { "slow", "fast", NULL };
static const Property toy_props[] = {
    PROP_UINT16(Toy, iobase, .name = "iobase", .def = 0x3f8),
    PROP_BOOL(Toy, loud, .name = "loud", .def = true, .live = true),
    PROP_STRING(Toy, name, .name = "name"),
    PROP_ENUM(Toy, speed, .name = "speed", .names = speeds),
    {}
};

static bool toy_realize(Device *dev, GError **error)
{
    return DEVICE_CAST(dev, Toy)->iobase != 0;
}

static void toy_reset(Device *dev)
{
    DEVICE_CAST(dev, Toy)->resets++;
}

static const BusType toy_bus_type = { .name = "TOY" };
static const DeviceType toy_type = {
    .name = "toy", .alias = "plaything", .bus = &toy_bus_type, .size = sizeof(Toy),
    .props = toy_props,
    .realize = toy_realize, .reset = toy_reset,
};
static const DeviceType *const types[] = { &toy_type, NULL };

static Vm vm;

static void setup(void)
{
    static const DeviceType bridge_type = { .name = "bridge", .bus = &system_bus_type,
                                            .size = sizeof(Device), .board_only = true };
    Device *bridge;

    machine_lock();
    vm_core_init(&vm, g_main_context_default(), types);
    bridge = device_new(&vm, &bridge_type, NULL);
    ck_assert(device_realize(bridge, NULL, NULL));
    bus_new(bridge, &toy_bus_type, "toy.0");
}

static Toy *toy_new(const char *id)
{
    Device *dev = device_new(&vm, &toy_type, id);

    dev->by_user = true;
    return DEVICE_CAST(dev, Toy);
}

START_TEST(defaults_come_from_the_table)
{
    Toy *toy;

    setup();
    toy = toy_new(NULL);
    ck_assert_uint_eq(toy->iobase, 0x3f8);
    ck_assert(toy->loud);
    ck_assert_int_eq(toy->speed, 0);
    device_free(&toy->dev);
}
END_TEST

static const struct { const char *prop, *text, *error; } sets[] = {
    { "iobase", "0x2f8", NULL },
    { "speed", "fast", NULL },
    { "iobas", "1", "Property 'toy.iobas' not found\nDid you mean 'iobase'?" },
    { "iobase", "65536", "Property 'toy.iobase': '65536' is out of range: at most 65535" },
    { "loud", "perhaps", "Parameter 'loud' expects 'on' or 'off'" },
    { "speed", "fats", "Parameter 'speed' does not accept value 'fats'\nDid you mean 'fast'?" },
};

START_TEST(set_row)
{
    g_autoptr(GError) error = NULL;
    Toy *toy;

    setup();
    toy = toy_new(NULL);
    ck_assert_int_eq(device_set(&toy->dev, sets[_i].prop, sets[_i].text, &error),
                     sets[_i].error == NULL);
    if (sets[_i].error != NULL) {
        ck_assert_str_eq(error->message, sets[_i].error);
    }
    device_free(&toy->dev);
}
END_TEST

START_TEST(realized_devices_have_paths_and_reset)
{
    g_autofree char *path = NULL, *anonymous = NULL;
    Toy *toy, *other;

    setup();
    toy = toy_new("t0");
    other = toy_new(NULL);
    ck_assert(device_realize(&toy->dev, NULL, NULL));
    ck_assert(device_realize(&other->dev, NULL, NULL));
    path = object_path(&toy->dev.obj);
    anonymous = object_path(&other->dev.obj);
    ck_assert_str_eq(path, "/machine/peripheral/t0");
    ck_assert_str_eq(anonymous, "/machine/peripheral-anon/device[0]");
    ck_assert_ptr_eq(device_find(&vm, "t0"), &toy->dev);
    ck_assert_ptr_eq(device_find(&vm, path), &toy->dev);
    ck_assert_ptr_eq(object_resolve("peripheral/t0", NULL), &toy->dev.obj);
    devices_reset(&vm);
    ck_assert_uint_eq(toy->resets, 1);
    ck_assert(!device_set(&toy->dev, "iobase", "1", NULL));
    ck_assert(device_set(&toy->dev, "loud", "off", NULL));
    device_free(&toy->dev);
    ck_assert_ptr_null(device_find(&vm, "t0"));
}
END_TEST

START_TEST(a_failed_realize_leaves_nothing)
{
    Toy *toy;

    setup();
    toy = toy_new("t0");
    ck_assert(device_set(&toy->dev, "iobase", "0", NULL));
    ck_assert(!device_realize(&toy->dev, NULL, NULL));
    ck_assert_ptr_null(object_resolve("/machine/peripheral/t0", NULL));
    ck_assert_uint_eq(bus_find(&vm, "toy.0", NULL)->devices->len, 0);
}
END_TEST

START_TEST(qtree_has_qemus_layout)
{
    g_autoptr(GString) out = g_string_new(NULL);
    Toy *toy;

    setup();
    toy = toy_new("t0");
    ck_assert(device_set(&toy->dev, "name", "x", NULL));
    ck_assert(device_realize(&toy->dev, NULL, NULL));
    devices_print_tree(&vm, out);
    ck_assert_str_eq(out->str,
                     "bus: main-system-bus\n"
                     "  type System\n"
                     "  dev: bridge, id \"\"\n"
                     "    bus: toy.0\n"
                     "      type TOY\n"
                     "      dev: toy, id \"t0\"\n"
                     "        iobase = 1016 (0x3f8)\n"
                     "        loud = true\n"
                     "        name = \"x\"\n"
                     "        speed = \"slow\"\n");
}
END_TEST

START_TEST(types_are_found_by_name_and_alias)
{
    setup();
    ck_assert_ptr_eq(device_type_find("toy"), &toy_type);
    ck_assert_ptr_eq(device_type_find("plaything"), &toy_type);
    ck_assert_ptr_null(device_type_find("toys"));
    ck_assert_str_eq(device_type_nearest("tyo"), "toy");
}
END_TEST

CHECK_MAIN("device", CASE(defaults_come_from_the_table), CASES(set_row, sets),
           CASE(realized_devices_have_paths_and_reset), CASE(a_failed_realize_leaves_nothing),
           CASE(qtree_has_qemus_layout), CASE(types_are_found_by_name_and_alias))
