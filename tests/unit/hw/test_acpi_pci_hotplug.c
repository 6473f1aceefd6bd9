#include "acpi_pci_hotplug.h"
#include "check_main.h"
#include "bare_board.h"

enum { UP = 0xae00, DOWN = 0xae04, EJECT = 0xae08, REMOVABLE = 0xae0c, BUS = 0xae10,
       INDEX = 0xae14, GPE_STATUS = 0xafe0 };
#define SLOT(n) (UINT32_C(1) << (n))

/* A function with an io BAR and an interrupt pin. */
typedef struct Toy {
    PciDevice pci;
    MemRegion io;
} Toy;

static unsigned freed;

static uint64_t toy_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a;
}

static const MemOps toy_ops = { .read = toy_read };

static bool toy_realize(Device *dev, GError **error)
{
    Toy *toy = DEVICE_CAST(dev, Toy);

    toy->pci.config[PCI_INTERRUPT_PIN] = 1;
    mem_region_init_io(&toy->io, &dev->obj, "toy-io", 0x20, &toy_ops, toy);
    pci_register_bar(&toy->pci, 0, PCI_BAR_IO, &toy->io);
    return true;
}

static void toy_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, Toy)->io);
    freed++;
}

static void toy_reset(Device *dev)
{
    pci_reset(DEVICE_CAST(dev, PciDevice));
}

static const PciClass toy_class = { .vendor_id = 0x1af4, .device_id = 0x1234, .class_id = 0x0200 };
static const DeviceType toy_type = {
    .name = "toy-pci", .bus = &pci_bus_type, .size = sizeof(Toy), .bus_class = &toy_class,
    .realize = toy_realize, .unrealize = toy_unrealize, .reset = toy_reset,
};
static const DeviceType stuck_type = {
    .name = "stuck-pci", .bus = &pci_bus_type, .size = sizeof(Toy), .bus_class = &toy_class,
    .no_hotplug = true, .realize = toy_realize, .unrealize = toy_unrealize, .reset = toy_reset,
};

static void setup(void)
{
    Device *piix3;

    bare_setup();
    freed = 0;
    bare_add(&i440fx_type, (Bus *)bare_bus, "0.0");
    piix3 = device_new(&vm, &piix3_type, NULL);
    ck_assert(device_set(piix3, "addr", "1.0", NULL));
    ck_assert(device_set(piix3, "multifunction", "on", NULL));
    ck_assert(device_realize(piix3, (Bus *)bare_bus, NULL));
    bare_add(&piix4_pm_type, (Bus *)bare_bus, "1.3");
    devices_reset(&vm);
}

static Toy *plug(const DeviceType *type, const char *id, const char *addr, const char *index)
{
    Device *dev = device_new(&vm, type, id);
    g_autoptr(GError) error = NULL;

    dev->by_user = true;
    if (!device_set(dev, "addr", addr, &error) || !device_set(dev, "acpi-index", index, &error) ||
        !device_realize(dev, (Bus *)bare_bus, &error)) {
        g_error("%s", error->message);
    }
    return DEVICE_CAST(dev, Toy);
}

static void run_main_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

START_TEST(news_of_a_slot_are_read_once)
{
    setup();
    plug(&toy_type, "cold", "4", "0");
    ck_assert_uint_eq(in(UP, 4), 0);
    vm.built = true;
    plug(&toy_type, "hot", "5", "0");
    ck_assert_uint_eq(in(GPE_STATUS, 1) & SLOT(ACPI_PCI_HOTPLUG_GPE), 2);
    ck_assert_uint_eq(in(UP, 4), SLOT(5));
    ck_assert_uint_eq(in(UP, 4), 0);
}
END_TEST

START_TEST(the_guest_ejects_what_was_asked_to_go)
{
    g_autoptr(GError) error = NULL;
    Toy *toy;

    setup();
    toy = plug(&toy_type, "t0", "5", "0");
    vm.built = true;
    cfg_out(5 << 3, PCI_BAR0, 0xc000, 4);
    cfg_out(5 << 3, PCI_COMMAND, PCI_COMMAND_IO, 2);
    pci_set_intx(&toy->pci, 1);
    ck_assert_uint_eq(in(0xc000, 1), 0x5a);
    ck_assert(device_unplug(&toy->pci.dev, NULL));
    ck_assert(!device_unplug(&toy->pci.dev, &error));
    ck_assert_str_eq(error->message, "Device t0 is already in the process of unplug");
    ck_assert_uint_eq(in(DOWN, 4), SLOT(5));
    ck_assert_uint_eq(in(0xc000, 1), 0x5a);
    out(EJECT, SLOT(5), 4);
    ck_assert_uint_eq(in(DOWN, 4), 0);
    ck_assert_uint_eq(in(0xc000, 1), 0xff);             /* at once, for the guest */
    ck_assert_uint_eq(cfg_in(5 << 3, 0, 4), UINT32_MAX);
    ck_assert_uint_eq(freed, 0);
    run_main_loop();
    ck_assert_uint_eq(freed, 1);
    ck_assert_ptr_null(device_find(&vm, "t0"));
    plug(&toy_type, "t0", "5", "0");
    ck_assert_uint_eq(in(UP, 4), SLOT(5));
}
END_TEST

START_TEST(all_functions_of_a_slot_go)
{
    Device *first;

    setup();
    first = device_new(&vm, &toy_type, "f0");
    first->by_user = true;
    ck_assert(device_set(first, "addr", "5.0", NULL));
    ck_assert(device_set(first, "multifunction", "on", NULL));
    ck_assert(device_realize(first, (Bus *)bare_bus, NULL));
    plug(&toy_type, "f1", "5.1", "0");
    out(EJECT, SLOT(5), 4);
    out(EJECT, SLOT(5), 4);
    run_main_loop();
    ck_assert_uint_eq(freed, 2);
}
END_TEST

static const struct { uint32_t slots; const char *why; } kept[] = {
    { SLOT(0), "host bridge" }, { SLOT(1), "chipset" }, { SLOT(6), "a type that stays" },
    { SLOT(9), "nothing there" }, { 0, "no slot" },
};

START_TEST(kept_row)
{
    unsigned before;

    setup();
    plug(&stuck_type, "s0", "6", "0");
    before = bare_bus->bus.devices->len;
    out(EJECT, kept[_i].slots, 4);
    run_main_loop();
    ck_assert_msg(bare_bus->bus.devices->len == before, "%s", kept[_i].why);
    ck_assert_uint_eq(in(REMOVABLE, 4), ~(SLOT(0) | SLOT(1) | SLOT(6)));
}
END_TEST

START_TEST(reset_unplugs_what_was_asked_to_go)
{
    Toy *toy;

    setup();
    toy = plug(&toy_type, "t0", "5", "0");
    plug(&toy_type, "t1", "6", "0");
    vm.built = true;
    ck_assert(device_unplug(&toy->pci.dev, NULL));
    devices_reset(&vm);
    run_main_loop();
    ck_assert_uint_eq(freed, 1);
    ck_assert_ptr_nonnull(device_find(&vm, "t1"));
    ck_assert_uint_eq(in(DOWN, 4), 0);
}
END_TEST

START_TEST(another_bus_is_empty)
{
    setup();
    vm.built = true;
    plug(&toy_type, "t0", "5", "3");
    out(BUS, 7, 4);
    ck_assert_uint_eq(in(BUS, 4), 7);
    ck_assert_uint_eq(in(UP, 4), 0);
    ck_assert_uint_eq(in(REMOVABLE, 4), 0);
    out(EJECT, SLOT(5), 4);
    out(INDEX, SLOT(5), 4);
    run_main_loop();
    ck_assert_uint_eq(freed, 0);
    out(BUS, 0, 4);
    ck_assert_uint_eq(in(UP, 4), SLOT(5));
    ck_assert_uint_eq(in(INDEX, 4), 0);
}
END_TEST

static const struct { uint32_t slots, index; } indices[] = {
    { SLOT(5), 3 }, { SLOT(6), 0 }, { SLOT(7), 0 }, { 0, 0 }, { SLOT(5) | SLOT(6), 3 },
};

START_TEST(index_row)
{
    setup();
    plug(&toy_type, "t0", "5", "3");
    plug(&toy_type, "t1", "6", "0");
    out(INDEX, indices[_i].slots, 4);
    ck_assert_uint_eq(in(INDEX, 4), indices[_i].index);
}
END_TEST

CHECK_MAIN("hw/acpi_pci_hotplug", CASE(news_of_a_slot_are_read_once),
           CASE(the_guest_ejects_what_was_asked_to_go), CASE(all_functions_of_a_slot_go),
           CASES(kept_row, kept), CASE(reset_unplugs_what_was_asked_to_go),
           CASE(another_bus_is_empty), CASES(index_row, indices))
