#include "check_main.h"
#include "usb_board.h"

#include "keys.h"

static char *hex(const void *data, size_t len)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(text, "%s%02x", i ? " " : "", ((const uint8_t *)data)[i]);
    }
    return g_string_free(text, FALSE);
}

static void expect_report(const char *what, unsigned len, const char *expected)
{
    uint32_t ctrl = transact(IN, 1, 1, len);
    g_autofree char *got = ctrl & ACTIVE ? g_strdup("") : hex(buffer(0), td_actual(0));

    ck_assert_msg(strcmp(got, expected) == 0, "%s: '%s' for '%s'", what, got, expected);
}

/* ---- descriptors ---- */

static const DeviceType *const types[] = {
    &usb_kbd_type, &usb_mouse_type, &usb_tablet_type, &usb_hub_type,
};

static const struct {
    unsigned type; uint8_t request_type; uint16_t value; const char *bytes;
} descriptors[] = {
    { 0, 0x80, 0x0100, "12 01 00 02 00 00 00 08 27 06 01 00 00 00 01 04 0b 01" },
    { 0, 0x80, 0x0200, "09 02 22 00 01 01 08 a0 32 09 04 00 00 01 03 01 01 00 09 21 11 01 00 01 "
                       "22 3f 00 07 05 81 03 08 00 0a" },
    { 0, 0x81, 0x2100, "09 21 11 01 00 01 22 3f 00" },
    { 1, 0x80, 0x0200, "09 02 22 00 01 01 06 a0 32 09 04 00 00 01 03 01 02 00 09 21 01 00 00 01 "
                       "22 34 00 07 05 81 03 04 00 0a" },
    { 1, 0x81, 0x2200, "05 01 09 02 a1 01 09 01 a1 00 05 09 19 01 29 05 15 00 25 01 95 05 75 01 "
                       "81 02 95 01 75 03 81 01 05 01 09 30 09 31 09 38 15 81 25 7f 75 08 95 03 "
                       "81 06 c0 c0" },
    { 2, 0x80, 0x0100, "12 01 00 02 00 00 00 08 27 06 01 00 00 00 01 03 0a 01" },
    { 2, 0x80, 0x0300, "04 03 09 04" },
    { 2, 0x80, 0x0301, "0a 03 51 00 45 00 4d 00 55 00" },
    { 2, 0x80, 0x03ee, "12 03 4d 00 53 00 46 00 54 00 31 00 30 00 30 00 51 00" },
    { 2, 0x80, 0x0305, NULL },
    { 2, 0x80, 0x03ff, NULL },
    { 2, 0x80, 0x0201, NULL },
    { 2, 0x80, 0x0600, NULL },
    { 3, 0x80, 0x0100, "12 01 10 01 09 00 00 08 09 04 aa 55 01 01 01 02 03 01" },
    { 3, 0x80, 0x0200, "09 02 19 00 01 01 00 e0 00 09 04 00 00 01 09 00 00 00 07 05 81 03 02 00 "
                       "ff" },
    { 3, 0xa0, 0x2900, "0b 29 08 12 00 01 00 00 00 ff ff" },
    { 3, 0x80, 0x03ee, NULL },
};

START_TEST(descriptor_row)
{
    uint8_t data[256];
    int len;

    usb_board();
    usb_add(types[descriptors[_i].type], NULL);
    enumerate(0, 1);
    len = control(1, descriptors[_i].request_type, 6, descriptors[_i].value, 0, sizeof(data), data);
    if (!descriptors[_i].bytes) {
        ck_assert_int_eq(len, -1);
        return;
    }
    ck_assert_int_ge(len, 0);
    g_autofree char *got = hex(data, len);
    ck_assert_str_eq(got, descriptors[_i].bytes);
}
END_TEST

START_TEST(serial_numbers_tell_the_place)
{
    Device *tablet;
    g_autofree char *serial = NULL;

    usb_board();
    tablet = usb_add(&usb_tablet_type, NULL);
    serial = usb_serial_text(DEVICE_CAST(tablet, UsbDevice));
    ck_assert_str_eq(serial, "28754-0000:00:02.0-1");
}
END_TEST

/* ---- standard requests ---- */

static const struct {
    const char *what; uint8_t type, request; uint16_t value, index, len; const char *answer;
} requests[] = {
    { "status",                 0x80, 0, 0, 0, 2, "00 00" },
    { "interface status",       0x81, 0, 0, 0, 2, "00 00" },
    { "endpoint status",        0x82, 0, 0, 0x81, 2, "00 00" },
    { "no such endpoint",       0x82, 0, 0, 0x82, 2, NULL },
    { "configuration",          0x80, 8, 0, 0, 1, "01" },
    { "interface",              0x81, 10, 0, 0, 1, "00" },
    { "no such interface",      0x81, 10, 0, 1, 1, NULL },
    { "setting 0",              0x01, 11, 0, 0, 0, "" },
    { "setting 1",              0x01, 11, 1, 0, 0, NULL },
    { "configuration 2",        0x00, 9, 2, 0, 0, NULL },
    { "address 128",            0x00, 5, 128, 0, 0, NULL },
    { "remote wake-up",         0x00, 3, 1, 0, 0, "" },
    { "test mode",              0x00, 3, 2, 0, 0, NULL },
    { "no such request",        0xc0, 0x77, 0, 0, 8, NULL },
    { "idle",                   0xa1, 2, 0, 0, 1, "00" },
    { "protocol of a tablet",   0xa1, 3, 0, 0, 1, NULL },
    { "report",                 0xa1, 1, 0x100, 0, 8, "00 00 00 00 00 00" },
    { "feature report",         0xa1, 1, 0x300, 0, 8, NULL },
    { "output to a tablet",     0x21, 9, 0x200, 0, 1, NULL },
    { "compatible ids",         0xc0, 'Q', 0, 4, 64,
      "10 00 00 00 00 01 04 00 00 00 00 00 00 00 00 00" },
    { "none of Microsoft's",    0xc0, 'Q', 0, 6, 64, NULL },
};

START_TEST(request_row)
{
    uint8_t data[64] = { 0 };
    int len;

    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    len = control(1, requests[_i].type, requests[_i].request, requests[_i].value,
                  requests[_i].index, requests[_i].len, data);
    ck_assert_msg((len >= 0) == (requests[_i].answer != NULL), "%s: %d", requests[_i].what, len);
    if (len > 0) {
        g_autofree char *got = hex(data, len);

        ck_assert_msg(!strcmp(got, requests[_i].answer), "%s: %s", requests[_i].what, got);
    }
}
END_TEST

START_TEST(a_halted_endpoint_stalls)
{
    uint8_t status[2];

    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    control(1, 0x02, 3, 0, 0x81, 0, NULL);
    ck_assert(transact(IN, 1, 1, 8) & STALLED);
    ck_assert_int_eq(control(1, 0x82, 0, 0, 0x81, 2, status), 2);
    ck_assert_uint_eq(status[0], 1);
    control(1, 0x02, 1, 0, 0x81, 0, NULL);
    expect_report("again", 8, "");
    ck_assert(!(td_status(0) & STALLED));
}
END_TEST

START_TEST(long_requests_are_refused)
{
    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    memcpy(buffer(0), (uint8_t[]){ 0x21, 9, 0, 2, 0, 0, 0xff, 0xff }, 8);
    ck_assert(transact(SETUP, 1, 0, 8) & STALLED);
    ck_assert(transact(OUT, 1, 0, 64) & STALLED);
    memcpy(buffer(0), (uint8_t[]){ 0x80, 6, 0, 1, 0, 0, 0xff, 0xff }, 8);
    ck_assert(!(transact(SETUP, 1, 0, 8) & STALLED));
    ck_assert(!(transact(IN, 1, 0, 64) & STALLED));
    ck_assert_uint_eq(td_actual(0), 18);
}
END_TEST

/* ---- the keyboard ---- */

static void key(const char *name, bool down)
{
    input_key(&vm, key_find(name), down);
}

START_TEST(keys_one_report_each)
{
    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    expect_report("nothing", 8, "");
    key("shift", true);
    key("a", true);
    key("a", false);
    key("shift", false);
    expect_report("shift", 8, "02 00 00 00 00 00 00 00");
    expect_report("a", 8, "02 00 04 00 00 00 00 00");
    expect_report("a up", 8, "02 00 00 00 00 00 00 00");
    expect_report("shift up", 8, "00 00 00 00 00 00 00 00");
    expect_report("nothing", 8, "");
}
END_TEST

static const struct { const char *name; const char *report; } keys[] = {
    { "ret",       "00 00 28 00 00 00 00 00" }, { "esc",       "00 00 29 00 00 00 00 00" },
    { "delete",    "00 00 4c 00 00 00 00 00" }, { "up",        "00 00 52 00 00 00 00 00" },
    { "kp_enter",  "00 00 58 00 00 00 00 00" }, { "f12",       "00 00 45 00 00 00 00 00" },
    { "pause",     "00 00 48 00 00 00 00 00" }, { "print",     "00 00 46 00 00 00 00 00" },
    { "alt_r",     "40 00 00 00 00 00 00 00" }, { "meta_l",    "08 00 00 00 00 00 00 00" },
    { "slash",     "00 00 38 00 00 00 00 00" }, { "kp_divide", "00 00 54 00 00 00 00 00" },
    { "less",      "00 00 64 00 00 00 00 00" }, { "lang1",     "00 00 90 00 00 00 00 00" },
    { "calculator", "00 00 00 00 00 00 00 00" },
};

START_TEST(key_row)
{
    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    key(keys[_i].name, true);
    expect_report(keys[_i].name, 8, keys[_i].report);
    key(keys[_i].name, false);
    expect_report("let go", 8, "00 00 00 00 00 00 00 00");
}
END_TEST

/* A storm of keys that nobody reads: none hangs, and the last state is the true one. */
START_TEST(no_key_hangs)
{
    static const char *const storm[] = { "a", "b", "c", "left", "right", "ctrl", "f1", "spc" };

    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(storm); i++) {
        key(storm[i % G_N_ELEMENTS(storm)], i < G_N_ELEMENTS(storm));
    }
    for (unsigned i = 0; i < 16; i++) {
        transact(IN, 1, 1, 8);
    }
    ck_assert(td_status(0) & NAKED);
    uint8_t report[8];
    ck_assert_int_eq(control(1, 0xa1, 1, 0x100, 0, 8, report), 8);
    g_autofree char *got = hex(report, 8);
    ck_assert_str_eq(got, "00 00 00 00 00 00 00 00");
}
END_TEST

START_TEST(seven_keys_roll_over)
{
    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    for (const char *c = "abcdefg"; *c; c++) {
        char name[2] = { *c, 0 };

        key(name, true);
        transact(IN, 1, 1, 8);
    }
    g_autofree char *got = hex(buffer(0), 8);
    ck_assert_str_eq(got, "00 00 01 01 01 01 01 01");
}
END_TEST

START_TEST(an_idle_rate_repeats_reports)
{
    usb_board();
    usb_add(&usb_kbd_type, NULL);
    enumerate(0, 1);
    ck_assert_int_eq(control(1, 0x21, 10, 0x0500, 0, 0, NULL), 0);      /* 20 ms */
    expect_report("at first", 8, "");
    run_frames(20);
    expect_report("later", 8, "00 00 00 00 00 00 00 00");
    expect_report("right after", 8, "");
}
END_TEST

/* ---- pointers ---- */

static void rel(int dx, int dy)
{
    input_send(&vm, &(InputEvent){ INPUT_REL, INPUT_AXIS_X, dx });
    input_send(&vm, &(InputEvent){ INPUT_REL, INPUT_AXIS_Y, dy });
    input_sync(&vm);
}

START_TEST(mouse_motion_adds_up)
{
    usb_board();
    usb_add(&usb_mouse_type, NULL);
    enumerate(0, 1);
    expect_report("first poll", 4, "");
    rel(3, -2);
    rel(200, 0);
    input_button(&vm, INPUT_BUTTON_RIGHT, true);
    input_button(&vm, INPUT_BUTTON_WHEEL_UP, true);
    expect_report("motion", 4, "00 7f fe 00");
    expect_report("the rest", 4, "00 4c 00 00");
    expect_report("button and wheel", 4, "02 00 00 01");
    expect_report("nothing", 4, "");
    input_button(&vm, INPUT_BUTTON_WHEEL_UP, false);
    expect_report("the wheel does not come up", 4, "02 00 00 00");
}
END_TEST

START_TEST(tablet_positions)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    expect_report("first poll", 8, "");
    ck_assert(input_is_absolute(&vm));
    input_send(&vm, &(InputEvent){ INPUT_ABS, INPUT_AXIS_X, 0x1234 });
    input_send(&vm, &(InputEvent){ INPUT_ABS, INPUT_AXIS_Y, 0x99999 });
    input_sync(&vm);
    expect_report("position", 8, "00 34 12 ff 7f 00");
    input_button(&vm, INPUT_BUTTON_LEFT, true);
    input_button(&vm, INPUT_BUTTON_LEFT, false);
    expect_report("press", 8, "01 34 12 ff 7f 00");
    expect_report("release", 8, "00 34 12 ff 7f 00");
}
END_TEST

START_TEST(a_full_queue_keeps_the_last_state)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    transact(IN, 1, 1, 8);
    for (int i = 0; i < 101; i++) {
        input_send(&vm, &(InputEvent){ INPUT_ABS, INPUT_AXIS_X, i });
        input_button(&vm, INPUT_BUTTON_LEFT, i % 2 == 0);
    }
    for (int i = 0; i < 15; i++) {
        ck_assert(!(transact(IN, 1, 1, 8) & ACTIVE));
    }
    g_autofree char *got = hex(buffer(0), 6);
    ck_assert_str_eq(got, "01 64 00 00 00 00");
    ck_assert(transact(IN, 1, 1, 8) & NAKED);
}
END_TEST

START_TEST(who_gets_the_events)
{
    Device *mouse;

    usb_board();
    mouse = usb_add(&usb_mouse_type, NULL);
    usb_add(&usb_tablet_type, NULL);
    ck_assert(!input_is_absolute(&vm));             /* the first in the list, not yet polled */
    enumerate(1, 1);                                /* behind the hub that spares a port: a hub */
    ck_assert(input_takes(&vm, INPUT_REL));
    ck_assert(input_select_pointer(&vm, 2));
    ck_assert(input_is_absolute(&vm));
    ck_assert(!input_select_pointer(&vm, 9));
    device_free(mouse);
    ck_assert(!input_takes(&vm, INPUT_REL));
    ck_assert(!input_find(&vm, 1));
}
END_TEST

/* ---- hubs ---- */

static unsigned port_status(uint8_t hub, unsigned port)
{
    uint8_t data[4];

    ck_assert_int_eq(control(hub, 0xa3, 0, 0, port, 4, data), 4);
    return data[0] | data[1] << 8 | data[2] << 16 | (unsigned)data[3] << 24;
}

START_TEST(a_device_behind_a_hub)
{
    Device *mouse;

    usb_board();
    usb_add(&usb_hub_type, "1");
    enumerate(0, 1);
    expect_report("no change", 2, "");
    mouse = usb_add(&usb_mouse_type, "1.3");
    expect_report("change of port 3", 2, "08 00");
    ck_assert_uint_eq(port_status(1, 3), 0x10101);
    control(1, 0x23, 1, 16, 3, 0, NULL);
    ck_assert_uint_eq(port_status(1, 3), 0x101);
    control(1, 0x23, 3, 4, 3, 0, NULL);             /* reset */
    ck_assert_uint_eq(port_status(1, 3), 0x100103);
    control(1, 0x23, 1, 20, 3, 0, NULL);
    ck_assert_int_eq(control(0, 0, 5, 2, 0, 0, NULL), 0);
    ck_assert_int_eq(control(2, 0, 9, 1, 0, 0, NULL), 0);
    ck_assert(transact(IN, 2, 1, 4) & NAKED);
    rel(1, 1);
    ck_assert_uint_eq(transact(IN, 2, 1, 4) & (ACTIVE | STALLED), 0);
    device_free(mouse);
    expect_report("it is gone", 2, "08 00");
    ck_assert_uint_eq(port_status(1, 3), 0x30100);
    ck_assert(transact(IN, 2, 1, 4) & TIMEOUT);
}
END_TEST

/* A change that comes before the port sleeps must not sleep with it. */
START_TEST(a_change_wakes_a_hub_that_is_put_to_sleep)
{
    usb_board();
    usb_add(&usb_hub_type, "1");
    enumerate(0, 1);
    ck_assert_int_eq(control(1, 0, 3, 1, 0, 0, NULL), 0);       /* may wake the bus */
    usb_add(&usb_mouse_type, "1.8");
    ck_assert_uint_eq(reg(0x10) & 0x1040, 0);
    set_reg(0x10, 0x1004);
    ck_assert_uint_eq(reg(0x10) & 0x1040, 0x1040);
    set_reg(0x10, 0x0004);
    expect_report("change of port 8", 2, "00 01");
}
END_TEST

static const struct { const char *what; uint8_t type, request; uint16_t value, index; bool ok; }
hub_requests[] = {
    { "port 0",             0x23, 3, 4, 0, false },
    { "port 9",             0x23, 3, 4, 9, false },
    { "reset nobody",       0x23, 3, 4, 1, true },
    { "no such feature",    0x23, 3, 30, 1, false },
    { "clear nonsense",     0x23, 1, 7, 1, false },
    { "hub feature",        0x20, 1, 0, 0, true },
    { "no hub feature",     0x20, 1, 5, 0, false },
    { "power",              0x23, 3, 8, 1, true },
};

START_TEST(hub_request_row)
{
    usb_board();
    usb_add(&usb_hub_type, "1");
    enumerate(0, 1);
    int result = control(1, hub_requests[_i].type, hub_requests[_i].request,
                         hub_requests[_i].value, hub_requests[_i].index, 0, NULL);
    ck_assert_msg((result >= 0) == hub_requests[_i].ok, "%s", hub_requests[_i].what);
}
END_TEST

START_TEST(a_hub_takes_its_devices_along)
{
    Device *hub;

    usb_board();
    hub = usb_add(&usb_hub_type, "1");
    usb_add(&usb_hub_type, "1.2");
    usb_add(&usb_mouse_type, "1.2.8");
    usb_add(&usb_kbd_type, "2");
    ck_assert_uint_eq(usb->used.length, 4);
    device_free(hub);
    ck_assert_uint_eq(usb->used.length, 1);
    ck_assert_uint_eq(usb->free.length, 1);
    ck_assert_uint_eq(usb->bus.devices->len, 1);
}
END_TEST

/* ---- where devices go ---- */

START_TEST(ports_are_given_out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    usb_board();
    usb_add(&usb_tablet_type, NULL);
    usb_add(&usb_mouse_type, NULL);
    usb_add(&usb_kbd_type, "2.7");
    ck_assert(usb_print(&vm, text));
    ck_assert_str_eq(text->str,
                     "  Device 0.0, Port 1, Speed 12 Mb/s, Product QEMU USB Tablet\n"
                     "  Device 0.0, Port 2, Speed 12 Mb/s, Product QEMU USB Hub\n"
                     "  Device 0.0, Port 2.1, Speed 12 Mb/s, Product QEMU USB Mouse\n"
                     "  Device 0.0, Port 2.7, Speed 12 Mb/s, Product QEMU USB Keyboard\n");
}
END_TEST

static const struct { const char *prop, *value, *error; } refused[] = {
    { "port", "3", "usb port 3 (bus usb-bus.0) not found (in use?)" },
    { "port", "1", "usb port 1 (bus usb-bus.0) not found (in use?)" },
    { "usb_version", "3", "Invalid usb version 3 for usb hid device" },
    { "pcap", "x", "Property 'usb-tablet.pcap': USB packets cannot be captured" },
};

START_TEST(refused_row)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    usb_board();
    usb_add(&usb_kbd_type, "1");
    dev = device_new(&vm, &usb_tablet_type, NULL);
    ck_assert(device_set(dev, refused[_i].prop, refused[_i].value, NULL));
    ck_assert(!device_realize(dev, &usb->bus, &error));
    ck_assert_str_eq(error->message, refused[_i].error);
}
END_TEST

START_TEST(hubs_end_somewhere)
{
    static const char *const ports[] = { "1", "1.1", "1.1.1", "1.1.1.1", "1.1.1.1.1" };
    g_autoptr(GError) error = NULL;
    Device *dev;

    usb_board();
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++) {
        usb_add(&usb_hub_type, ports[i]);
    }
    usb_add(&usb_mouse_type, "1.1.1.1.1.8");
    dev = device_new(&vm, &usb_hub_type, NULL);
    ck_assert(device_set(dev, "port", "1.1.1.1.1.1", NULL));
    ck_assert(!device_realize(dev, &usb->bus, &error));
    ck_assert_str_eq(error->message, "usb hub chain too deep");
}
END_TEST

START_TEST(the_plug_half_way_out)
{
    Device *tablet;

    usb_board();
    tablet = usb_add(&usb_tablet_type, NULL);
    set_reg(0x10, 0x0a);
    ck_assert(device_set(tablet, "attached", "off", NULL));
    ck_assert_uint_eq(reg(0x10), 0x82);
    ck_assert(device_set(tablet, "attached", "on", NULL));
    ck_assert_uint_eq(reg(0x10), 0x93);
}
END_TEST

/* ---- saved state ---- */

START_TEST(state_row)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GByteArray) again = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    size_t pos = 0;
    Device *dev;

    usb_board();
    dev = usb_add(types[_i], NULL);
    enumerate(0, 1);
    key("a", true);
    rel(5, 6);
    state_save(dev->type->state, dev, bytes);
    usb_bus_reset(DEVICE_CAST(dev, UsbDevice));
    ck_assert_msg(state_load(dev->type->state, dev, 1, bytes->data, bytes->len, &pos, &error),
                  "%s", error ? error->message : "");
    state_save(dev->type->state, dev, again);
    ck_assert_uint_eq(bytes->len, again->len);
    ck_assert_mem_eq(bytes->data, again->data, bytes->len);
}
END_TEST

CHECK_MAIN("hw/usb_hid",
           CASES(descriptor_row, descriptors),
           CASE(serial_numbers_tell_the_place),
           CASES(request_row, requests),
           CASE(a_halted_endpoint_stalls),
           CASE(long_requests_are_refused),
           CASE(keys_one_report_each),
           CASES(key_row, keys),
           CASE(no_key_hangs),
           CASE(seven_keys_roll_over),
           CASE(an_idle_rate_repeats_reports),
           CASE(mouse_motion_adds_up),
           CASE(tablet_positions),
           CASE(a_full_queue_keeps_the_last_state),
           CASE(who_gets_the_events),
           CASE(a_device_behind_a_hub),
           CASE(a_change_wakes_a_hub_that_is_put_to_sleep),
           CASES(hub_request_row, hub_requests),
           CASE(a_hub_takes_its_devices_along),
           CASE(ports_are_given_out),
           CASES(refused_row, refused),
           CASE(hubs_end_somewhere),
           CASE(the_plug_half_way_out),
           CASES(state_row, types))
