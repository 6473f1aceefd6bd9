/* The devices that are a port or two: port 92, port 61, pvpanic, isa-debug-exit, pc-testdev. */
#include "check_main.h"
#include "debugexit.h"
#include "i8254.h"
#include "isa_board.h"
#include "pcspk.h"
#include "port92.h"
#include "pvpanic.h"
#include "testdev.h"

/* ---- port 92 ---- */

START_TEST(port_92_opens_line_20)
{
    isa_board(&port92_type);
    ck_assert(vm.a20);
    out8(0x92, 0x00);
    ck_assert(!vm.a20);
    out8(0x92, 0x02);
    ck_assert(vm.a20);
    ck_assert_uint_eq(in8(0x92), 0x02);
    a20_set(&vm, false);                        /* by the keyboard controller */
    ck_assert_uint_eq(in8(0x92), 0x00);
}
END_TEST

START_TEST(port_92_resets_on_a_rising_edge)
{
    isa_board(&port92_type);
    out8(0x92, 0x03);
    ck_assert_uint_ne(vm.pending_requests, 0);
    vm.pending_requests = 0;
    out8(0x92, 0x03);
    ck_assert_uint_eq(vm.pending_requests, 0);
}
END_TEST

/* ---- port 61 ---- */

START_TEST(port_61_shows_timer_2)
{
    Device *pit = isa_board(&i8254_type), *spk = device_new(&vm, &pcspk_type, NULL);

    ck_assert(device_realize(spk, isa, NULL));
    pcspk_connect(spk, pit);
    out8(0x61, 0x01);
    ck_assert_uint_eq(in8(0x61) & 0x23, 0x21);      /* mode 3 idles high */
    out8(0x43, 0xb0);                               /* counter 2, mode 0 */
    out8(0x42, 100);
    out8(0x42, 0);
    ck_assert_uint_eq(in8(0x61) & 0x20, 0);
    advance_ns(NS_PER_MS);
    ck_assert_uint_eq(in8(0x61) & 0x20, 0x20);
    out8(0x61, 0x02);
    ck_assert_uint_eq(in8(0x61) & 0x03, 0x02);
}
END_TEST

START_TEST(port_61_toggles_with_refresh)
{
    Device *spk;
    uint8_t before;

    isa_board(&i8254_type);
    spk = device_new(&vm, &pcspk_type, NULL);
    ck_assert(device_realize(spk, isa, NULL));
    before = in8(0x61) & 0x10;
    advance_ns(15085);
    ck_assert_uint_eq(in8(0x61) & 0x10, before ^ 0x10);
}
END_TEST

/* ---- pvpanic ---- */

static const struct { uint8_t events, write, read; const char *told; } panics[] = {
    { 3, 1, 3, "pause" }, { 3, 2, 3, "run" }, { 3, 4, 3, NULL }, { 2, 1, 2, NULL },
    { 3, 3, 3, "pause" },
};

START_TEST(pvpanic_tells)
{
    Device *dev;
    g_autofree char *events = g_strdup_printf("%u", panics[_i].events);

    device_global_set("pvpanic", "events", events);
    dev = isa_board(&pvpanic_type);
    ck_assert_uint_eq(pvpanic_port(dev), 0x505);
    ck_assert_uint_eq(in8(0x505), panics[_i].read);
    out8(0x505, panics[_i].write);
    ck_assert_int_eq(vm.pending_requests != 0, panics[_i].told != NULL);
    if (panics[_i].told != NULL) {
        ck_assert_str_eq(vm.panic_event, panics[_i].told);
    }
}
END_TEST

/* ---- isa-debug-exit ---- */

static const struct { uint8_t value; int code; } exits[] = { { 0, 1 }, { 1, 3 }, { 0x10, 0x21 } };

START_TEST(debug_exit_code)
{
    isa_board(&isa_debug_exit_type);
    out8(0x501, exits[_i].value);
    ck_assert_uint_ne(vm.pending_requests, 0);
    ck_assert_int_eq(vm.exit_code, exits[_i].code);
}
END_TEST

/* ---- pc-testdev ---- */

START_TEST(testdev_keeps_values)
{
    isa_board(&testdev_type);
    mem_store(&vm.io, 0xe0, 0x12345678, 4);
    ck_assert_uint_eq(mem_load(&vm.io, 0xe0, 4, NULL), 0x12345678);
    ck_assert_uint_eq(mem_load(&vm.io, 0xe8, 4, NULL), 0x12345678);
    ck_assert_uint_eq(in8(0xe9), 0x56);
    mem_store(&vm.memory, 0xff00fff8, UINT64_C(0x1122334455667788), 8);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xff00fff8, 8, NULL), UINT64_C(0x1122334455667788));
    mem_load(&vm.memory, 0xff00fffd, 8, NULL);      /* over the end */
}
END_TEST

START_TEST(testdev_drives_lines)
{
    isa_board(&testdev_type);
    out8(0x2005, 1);
    ck_assert_int_eq(levels[5], 1);
    out8(0x2005, 0);
    ck_assert_int_eq(levels[5], 0);
}
END_TEST

CHECK_MAIN("ports",
    CASE(port_92_opens_line_20),
    CASE(port_92_resets_on_a_rising_edge),
    CASE(port_61_shows_timer_2),
    CASE(port_61_toggles_with_refresh),
    CASES(pvpanic_tells, panics),
    CASES(debug_exit_code, exits),
    CASE(testdev_keeps_values),
    CASE(testdev_drives_lines))
