#include <string.h>

#include "check_main.h"
#include "chardev.h"
#include "isa_board.h"
#include "serial.h"

#define COM1 0x3f8

static Chardev *ring;
static Device *port;

static void serial_board(void)
{
    Device *dev = isa_board(&isa_serial_type);

    device_free(dev);
    ring = chardev_new_from_opts("ringbuf,id=ring", NULL);
    port = device_new(&vm, &isa_serial_type, NULL);
    ck_assert(device_set(port, "chardev", "ring", NULL));
    ck_assert(device_realize(port, isa, NULL));
    devices_reset(&vm);
}

START_TEST(places_follow_the_index)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    serial_board();
    for (unsigned i = 1; i < 4; i++) {
        ck_assert(device_realize(device_new(&vm, &isa_serial_type, NULL), isa, NULL));
    }
    devices_reset(&vm);
    ck_assert_uint_eq(in8(0x2f8 + 5), 0x60);
    ck_assert_uint_eq(in8(0x3e8 + 5), 0x60);
    ck_assert_uint_eq(in8(0x2e8 + 5), 0x60);
    dev = device_new(&vm, &isa_serial_type, NULL);
    ck_assert(!device_realize(dev, isa, &error));
    ck_assert_str_eq(error->message, "Max. supported number of ISA serial ports is 4.");
}
END_TEST

START_TEST(what_is_written_reaches_the_chardev)
{
    uint8_t buf[8] = { 0 };

    serial_board();
    for (const char *p = "hello"; *p != '\0'; p++) {
        ck_assert_uint_eq(in8(COM1 + 5) & 0x60, 0x60);
        out8(COM1, *p);
    }
    ck_assert_uint_eq(chardev_ringbuf_read(ring, buf, sizeof(buf)), 5);
    ck_assert_str_eq((char *)buf, "hello");
}
END_TEST

START_TEST(the_transmitter_interrupts_when_enabled_and_after_each_byte)
{
    serial_board();
    out8(COM1 + 1, 0x02);
    ck_assert_int_eq(levels[4], 1);
    ck_assert_uint_eq(in8(COM1 + 2), 0x02);
    ck_assert_int_eq(levels[4], 0);             /* reading IIR acknowledges it */
    ck_assert_uint_eq(in8(COM1 + 2), 0x01);
    out8(COM1, 'x');
    ck_assert_int_eq(levels[4], 1);
}
END_TEST

START_TEST(loop_back_brings_bytes_and_modem_lines_round)
{
    serial_board();
    out8(COM1 + 4, 0x1a);                       /* LOOP, OUT2, RTS */
    ck_assert_uint_eq(in8(COM1 + 6) & 0xf0, 0x90);
    out8(COM1, 0x5a);
    ck_assert_uint_eq(in8(COM1 + 5) & 1, 1);
    ck_assert_uint_eq(in8(COM1), 0x5a);
    ck_assert_uint_eq(in8(COM1 + 5) & 1, 0);
}
END_TEST

START_TEST(the_fifo_fills_overruns_and_times_out)
{
    serial_board();
    out8(COM1 + 2, 0xc1);                       /* trigger level 14 */
    out8(COM1 + 1, 0x01);
    out8(COM1 + 4, 0x10);
    for (unsigned i = 0; i < 13; i++) {
        out8(COM1, i);
    }
    ck_assert_int_eq(levels[4], 0);
    advance_ns(NS_PER_SEC / 100);               /* four characters at 9600 baud, 4.2 ms */
    ck_assert_uint_eq(in8(COM1 + 2), 0xcc);
    ck_assert_uint_eq(in8(COM1), 0);
    ck_assert_int_eq(levels[4], 0);
    out8(COM1, 13);
    out8(COM1, 14);
    ck_assert_uint_eq(in8(COM1 + 2), 0xc4);
    out8(COM1, 15);
    out8(COM1, 16);
    out8(COM1, 17);                             /* the seventeenth */
    ck_assert_uint_eq(in8(COM1 + 5) & 0x02, 0x02);
    ck_assert_uint_eq(in8(COM1 + 5) & 0x02, 0);
    for (unsigned i = 1; i <= 16; i++) {
        ck_assert_uint_eq(in8(COM1), i);
    }
}
END_TEST

START_TEST(the_divisor_hides_behind_dlab)
{
    serial_board();
    out8(COM1 + 3, 0x83);
    out8(COM1, 0x34);
    out8(COM1 + 1, 0x12);
    ck_assert_uint_eq(in8(COM1), 0x34);
    ck_assert_uint_eq(in8(COM1 + 1), 0x12);
    out8(COM1 + 3, 0x03);
    ck_assert_uint_eq(in8(COM1 + 1), 0);
    ck_assert_uint_eq(in8(COM1 + 3), 0x03);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    size_t pos = 0;

    serial_board();
    out8(COM1 + 4, 0x10);
    out8(COM1 + 2, 0x01);
    out8(COM1, 0x41);
    out8(COM1, 0x42);
    state_save(port->type->state, port, out);
    devices_reset(&vm);
    ck_assert_uint_eq(in8(COM1 + 5) & 1, 0);
    ck_assert(state_load(port->type->state, port, port->type->state->version, out->data, out->len,
                         &pos,
                         NULL));
    ck_assert_uint_eq(pos, out->len);
    ck_assert_uint_eq(in8(COM1), 0x41);
    ck_assert_uint_eq(in8(COM1), 0x42);
}
END_TEST

CHECK_MAIN("uart", CASE(places_follow_the_index), CASE(what_is_written_reaches_the_chardev),
           CASE(the_transmitter_interrupts_when_enabled_and_after_each_byte),
           CASE(loop_back_brings_bytes_and_modem_lines_round),
           CASE(the_fifo_fills_overruns_and_times_out), CASE(the_divisor_hides_behind_dlab),
           CASE(state_survives_a_round_trip))
