#include "check_main.h"
#include "bare_board.h"

/* A function with an io BAR, a memory BAR and a 64-bit BAR. */
typedef struct Toy {
    PciDevice pci;
    MemRegion io, mem, wide;
} Toy;

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
    mem_region_init_io(&toy->mem, &dev->obj, "toy-mem", 0x1000, &toy_ops, toy);
    mem_region_init_io(&toy->wide, &dev->obj, "toy-wide", 0x4000, &toy_ops, toy);
    pci_register_bar(&toy->pci, 0, PCI_BAR_IO, &toy->io);
    pci_register_bar(&toy->pci, 1, PCI_BAR_MEM, &toy->mem);
    pci_register_bar(&toy->pci, 4, PCI_BAR_MEM | PCI_BAR_64 | PCI_BAR_PREFETCH, &toy->wide);
    return true;
}

static void toy_reset(Device *dev)
{
    pci_reset(DEVICE_CAST(dev, PciDevice));
}

static const StateField toy_fields[] = {
    STATE_STRUCT(Toy, pci, PciDevice, pci_device_state),
    {}
};
static const StateDesc toy_state = { .name = "toy", .version = 1, .fields = toy_fields };
static const PciClass toy_class = {
    .vendor_id = 0x1af4, .device_id = 0x1234, .class_id = 0x0200, .revision = 7,
};
static const DeviceType toy_type = {
    .name = "toy-pci", .bus = &pci_bus_type, .size = sizeof(Toy), .bus_class = &toy_class,
    .state = &toy_state, .realize = toy_realize, .reset = toy_reset,
};

static Toy *toy_at(const char *addr)
{
    return DEVICE_CAST(bare_add(&toy_type, (Bus *)bare_bus, addr), Toy);
}

#define DEVFN(slot, function) ((slot) << 3 | (function))

/* ---- configuration space ---- */

static const struct { unsigned offset, size; uint32_t value; } identity[] = {
    { 0x00, 4, 0x12341af4 }, { 0x02, 2, 0x1234 }, { 0x03, 1, 0x12 }, { 0x08, 1, 7 },
    { 0x0a, 2, 0x0200 }, { 0x2c, 4, 0x11001af4 }, { 0x3d, 1, 1 }, { 0xfc, 4, 0 },
};

START_TEST(identity_row)
{
    bare_setup();
    toy_at("5.0");
    ck_assert_uint_eq(cfg_in(DEVFN(5, 0), identity[_i].offset, identity[_i].size),
                      identity[_i].value);
    cfg_out(DEVFN(5, 0), identity[_i].offset, ~identity[_i].value, identity[_i].size);
    ck_assert_uint_eq(cfg_in(DEVFN(5, 0), identity[_i].offset, identity[_i].size),
                      identity[_i].value);
}
END_TEST

START_TEST(absent_functions_read_ones)
{
    bare_setup();
    ck_assert_uint_eq(cfg_in(DEVFN(9, 0), 0, 4), UINT32_MAX);
    ck_assert_uint_eq(cfg_in(DEVFN(9, 0), 0, 2), 0xffff);
    cfg_out(DEVFN(9, 0), 0, 0, 4);
    out(0xcf8, 0x80010000, 4);                          /* bus 1 */
    ck_assert_uint_eq(in(0xcfc, 4), UINT32_MAX);
    out(0xcf8, 0, 4);                                   /* not enabled */
    ck_assert_uint_eq(in(0xcfc, 4), UINT32_MAX);
}
END_TEST

START_TEST(only_a_double_word_sets_the_address)
{
    bare_setup();
    out(0xcf8, 0x80000000, 4);
    out(0xcf8, 0x12, 1);
    out(0xcfa, 0x34, 2);
    ck_assert_uint_eq(in(0xcf8, 4), 0x80000000);
}
END_TEST

/* ---- BARs ---- */

static const struct { unsigned offset; uint32_t sized; } sizes[] = {
    { 0x10, 0xffffffe1 }, { 0x14, 0xfffff000 }, { 0x18, 0 }, { 0x20, 0xffffc00c },
    { 0x24, 0xffffffff }, { 0x30, 0 },
};

START_TEST(bar_size_row)
{
    bare_setup();
    toy_at("5.0");
    cfg_out(DEVFN(5, 0), PCI_COMMAND, 3, 2);
    cfg_out(DEVFN(5, 0), sizes[_i].offset, UINT32_MAX, 4);
    ck_assert_uint_eq(cfg_in(DEVFN(5, 0), sizes[_i].offset, 4), sizes[_i].sized);
}
END_TEST

START_TEST(bars_decode_when_enabled)
{
    Toy *toy;

    bare_setup();
    toy = toy_at("5.0");
    cfg_out(DEVFN(5, 0), 0x10, 0xc000, 4);
    cfg_out(DEVFN(5, 0), 0x14, 0xfeb00000, 4);
    cfg_out(DEVFN(5, 0), 0x20, 0x00000000, 4);
    cfg_out(DEVFN(5, 0), 0x24, 0x00000001, 4);
    ck_assert_uint_eq(in(0xc000, 1), 0xff);
    cfg_out(DEVFN(5, 0), PCI_COMMAND, 3, 2);
    ck_assert_uint_eq(in(0xc01f, 1), 0x5a);
    ck_assert_uint_eq(in(0xc020, 1), 0xff);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xfeb00ffc, 1, NULL), 0x5a);
    ck_assert_uint_eq(mem_load(&vm.memory, UINT64_C(0x100003fff), 1, NULL), 0x5a);
    ck_assert_uint_eq(toy->pci.bars[4].addr, UINT64_C(0x100000000));
    cfg_out(DEVFN(5, 0), PCI_COMMAND, 1, 2);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xfeb00ffc, 1, NULL), 0xff);
    ck_assert_uint_eq(in(0xc000, 1), 0x5a);
    devices_reset(&vm);
    ck_assert_uint_eq(toy->pci.bars[0].addr, PCI_BAR_UNMAPPED);
    ck_assert_uint_eq(in(0xc000, 1), 0xff);
}
END_TEST

/* ---- interrupt pins ---- */

static const struct { const char *addr; int input; } pins[] = {
    { "2.0", 1 }, { "3.0", 2 }, { "4.0", 3 }, { "5.0", 0 }, { "1f.7", 2 },
};

START_TEST(pin_reaches_its_router_input)
{
    Device *piix3;
    Toy *toy;

    bare_setup();
    piix3 = bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    toy = toy_at(pins[_i].addr);
    devices_reset(&vm);
    piix3_set_route(piix3, pins[_i].input, 11);
    pci_set_intx(&toy->pci, 1);
    ck_assert_int_eq(bare_levels[11], 1);
    ck_assert_uint_eq(cfg_in(toy->pci.devfn, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT,
                      PCI_STATUS_INTERRUPT);
    cfg_out(toy->pci.devfn, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
    ck_assert_int_eq(bare_levels[11], 0);
    cfg_out(toy->pci.devfn, PCI_COMMAND, 0, 2);
    ck_assert_int_eq(bare_levels[11], 1);
    cfg_out(DEVFN(1, 0), 0x60 + pins[_i].input, 10, 1);     /* rerouted while asserted */
    ck_assert_int_eq(bare_levels[11], 0);
    ck_assert_int_eq(bare_levels[10], 1);
    pci_set_intx(&toy->pci, 0);
    ck_assert_int_eq(bare_levels[10], 0);
}
END_TEST

START_TEST(shared_pins_add_up)
{
    Device *piix3;
    Toy *one, *two;

    bare_setup();
    piix3 = bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    one = toy_at("2.0");
    two = toy_at("6.0");
    devices_reset(&vm);
    piix3_set_route(piix3, 1, 5);
    pci_set_intx(&one->pci, 1);
    pci_set_intx(&two->pci, 1);
    pci_set_intx(&one->pci, 0);
    ck_assert_int_eq(bare_levels[5], 1);
    device_free(&two->pci.dev);
    ck_assert_int_eq(bare_levels[5], 0);
}
END_TEST

/* ---- plugging ---- */

static const struct { const char *text; int devfn; } addresses[] = {
    { "4", DEVFN(4, 0) }, { "04.0", DEVFN(4, 0) }, { "0x4", DEVFN(4, 0) },
    { "0x1.0x2", DEVFN(1, 2) }, { "1f.7", DEVFN(0x1f, 7) }, { "20", -2 }, { "4.8", -2 },
    { "", -2 }, { "4.", -2 }, { "x", -2 }, { "4.0.0", -2 }, { " 4", -2 }, { "-1", -1 },
};

START_TEST(address_row)
{
    Device *dev;

    bare_setup();
    dev = device_new(&vm, &toy_type, NULL);
    ck_assert_int_eq(device_set(dev, "addr", addresses[_i].text, NULL), addresses[_i].devfn != -2);
    if (addresses[_i].devfn != -2) {
        ck_assert_int_eq(DEVICE_CAST(dev, PciDevice)->devfn, addresses[_i].devfn);
    }
    device_free(dev);
}
END_TEST

static const struct { const char *first, *second, *message; } clashes[] = {
    { "3.0", "3.0",
      "PCI: slot 3 function 0 not available for toy-pci, in use by toy-pci,id=(null)" },
    { "3.0", "3.1", "PCI: single function device can't be populated in function 3.1" },
    { "3.1", "3.0", "PCI: 3.0 indicates single function, but 3.1 is already populated." },
};

START_TEST(clash_row)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    bare_setup();
    toy_at(clashes[_i].first);
    dev = device_new(&vm, &toy_type, NULL);
    ck_assert(device_set(dev, "addr", clashes[_i].second, NULL));
    ck_assert(!device_realize(dev, (Bus *)bare_bus, &error));
    ck_assert_str_eq(error->message, clashes[_i].message);
}
END_TEST

START_TEST(a_full_bus_says_so)
{
    g_autoptr(GError) error = NULL;

    bare_setup();
    for (int i = 0; i < 32; i++) {
        toy_at(NULL);
    }
    ck_assert(!device_realize(device_new(&vm, &toy_type, NULL), (Bus *)bare_bus, &error));
    ck_assert_str_eq(error->message,
                     "PCI: no slot/function available for toy-pci, all in use or reserved");
}
END_TEST

/* ---- firmware's work, listings, state ---- */

static uint8_t line_of(int input)
{
    return 40 + input;
}

START_TEST(resources_are_assigned)
{
    const PciWindows windows = { .mem_base = 0xe0000000, .mem_last = 0xe0005fff,
                                 .io_base = 0xc000, .io_last = 0xc03f,
                                 .mem64_base = UINT64_C(1) << 33 };
    Toy *one, *two;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    one = toy_at("2.0");
    two = toy_at("3.0");
    pci_assign_resources(bare_bus, &windows, line_of);
    ck_assert_uint_eq(one->pci.bars[4].addr, 0xe0000000);
    ck_assert_uint_eq(two->pci.bars[4].addr, UINT64_C(1) << 33);     /* no room below */
    ck_assert_uint_eq(one->pci.bars[1].addr, 0xe0004000);
    ck_assert_uint_eq(two->pci.bars[1].addr, 0xe0005000);
    ck_assert_uint_eq(one->pci.bars[0].addr, 0xc000);
    ck_assert_uint_eq(two->pci.bars[0].addr, 0xc020);
    ck_assert_uint_eq(one->pci.config[PCI_INTERRUPT_LINE], 41);
    ck_assert_uint_eq(two->pci.config[PCI_INTERRUPT_LINE], 42);
}
END_TEST

START_TEST(listing_has_the_known_layout)
{
    GString *text = g_string_new(NULL);

    bare_setup();
    toy_at("3.0");
    pci_print(bare_bus, text);
    ck_assert_str_eq(text->str,
                     "  Bus  0, device   3, function 0:\n"
                     "    Ethernet controller: PCI device 1af4:1234\n"
                     "      PCI subsystem 1af4:1100\n"
                     "      IRQ 0, pin A\n"
                     "      BAR0: I/O at 0xffffffffffffffff [0x001e].\n"
                     "      BAR1: 32 bit memory at 0xffffffffffffffff [0x00000ffe].\n"
                     "      BAR4: 64 bit prefetchable memory at 0xffffffffffffffff [0x00003ffe].\n"
                     "      id \"\"\n");
    g_string_free(text, TRUE);
}
END_TEST

START_TEST(state_survives_and_is_checked)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    size_t pos = 0;
    Toy *toy;

    bare_setup();
    toy = toy_at("5.0");
    cfg_out(DEVFN(5, 0), 0x10, 0xc000, 4);
    cfg_out(DEVFN(5, 0), PCI_COMMAND, 1, 2);
    state_save(&toy_state, toy, bytes);
    devices_reset(&vm);
    ck_assert(state_load(&toy_state, toy, 1, bytes->data, bytes->len, &pos, &error));
    ck_assert_uint_eq(pos, bytes->len);
    ck_assert_uint_eq(in(0xc000, 1), 0x5a);
    bytes->data[4] ^= 1;                                /* another vendor */
    pos = 0;
    ck_assert(!state_load(&toy_state, toy, 1, bytes->data, bytes->len, &pos, &error));
    ck_assert_ptr_nonnull(error);
}
END_TEST

CHECK_MAIN("hw/pci",
           CASES(identity_row, identity),
           CASE(absent_functions_read_ones),
           CASE(only_a_double_word_sets_the_address),
           CASES(bar_size_row, sizes),
           CASE(bars_decode_when_enabled),
           CASES(pin_reaches_its_router_input, pins),
           CASE(shared_pins_add_up),
           CASES(address_row, addresses),
           CASES(clash_row, clashes),
           CASE(a_full_bus_says_so),
           CASE(resources_are_assigned),
           CASE(listing_has_the_known_layout),
           CASE(state_survives_and_is_checked))
