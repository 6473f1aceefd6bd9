#include <string.h>

#include "bare_board.h"
#include "chardev.h"
#include "check_main.h"
#include "pci_serial.h"

#define DEVFN   (3 << 3)
#define PORTS   0xc000

static Chardev *rings[4];
static Device *card;

static const struct { const DeviceType *type; unsigned uarts; uint32_t id; } rows[] = {
    { &pci_serial_type, 1, 0x00021b36 },
    { &pci_serial_2x_type, 2, 0x00031b36 },
    { &pci_serial_4x_type, 4, 0x00041b36 },
};

static void setup(unsigned row)
{
    unsigned n = rows[row].uarts;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    card = device_new(&vm, rows[row].type, NULL);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *opts = g_strdup_printf("ringbuf,id=ring%u", i);
        g_autofree char *label = g_strdup_printf("ring%u", i);
        g_autofree char *prop = n == 1 ? g_strdup("chardev") : g_strdup_printf("chardev%u", i + 1);

        rings[i] = chardev_new_from_opts(opts, NULL);
        ck_assert(device_set(card, prop, label, NULL));
    }
    ck_assert(device_set(card, "addr", "3", NULL));
    ck_assert(device_realize(card, (Bus *)bare_bus, NULL));
    vm_start(&vm);
    devices_reset(&vm);
    cfg_out(DEVFN, 0x10, PORTS, 4);
    cfg_out(DEVFN, 0x04, 1, 2);
}

START_TEST(identity_row)
{
    setup(_i);
    ck_assert_uint_eq(cfg_in(DEVFN, 0, 4), rows[_i].id);
    ck_assert_uint_eq(cfg_in(DEVFN, 8, 4), 0x07000201);
    cfg_out(DEVFN, 0x10, 0xffffffff, 4);
    ck_assert_uint_eq(cfg_in(DEVFN, 0x10, 4), (0xffffffff & ~(8 * rows[_i].uarts - 1)) | 1);
}
END_TEST

START_TEST(each_uart_has_its_ports)
{
    setup(_i);
    for (unsigned i = 0; i < rows[_i].uarts; i++) {
        uint8_t byte = 0;

        out(PORTS + 8 * i, 'a' + i, 1);
        ck_assert_uint_eq(chardev_ringbuf_read(rings[i], &byte, 1), 1);
        ck_assert_uint_eq(byte, 'a' + i);
    }
    ck_assert_uint_eq(in(PORTS + 8 * rows[_i].uarts, 1), 0xff);
}
END_TEST

static bool line_is_high(void)
{
    return cfg_in(DEVFN, 0x06, 2) & 8;
}

START_TEST(the_line_is_high_while_one_uart_wants_it)
{
    setup(1);
    out(PORTS + 1, 2, 1);                               /* transmitter empty */
    ck_assert(line_is_high());
    out(PORTS + 9, 2, 1);
    in(PORTS + 2, 1);
    ck_assert(line_is_high());
    in(PORTS + 10, 1);
    ck_assert(!line_is_high());
}
END_TEST

START_TEST(state_goes_round)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = rows[_i].type->state;
    size_t pos = 0;

    setup(_i);
    out(PORTS + 7, 0x5a, 1);
    state_save(state, card, saved);
    devices_reset(&vm);
    ck_assert(state_load(state, card, state->version, saved->data, saved->len, &pos, NULL));
    ck_assert_uint_eq(in(PORTS + 7, 1), 0x5a);
    state_save(state, card, again);
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
}
END_TEST

START_TEST(a_card_comes_and_goes)
{
    setup(_i);
    device_free(card);
    ck_assert_uint_eq(cfg_in(DEVFN, 0, 4), 0xffffffff);
}
END_TEST

CHECK_MAIN("hw/pci_serial", CASES(identity_row, rows), CASES(each_uart_has_its_ports, rows),
           CASE(the_line_is_high_while_one_uart_wants_it), CASES(state_goes_round, rows),
           CASES(a_card_comes_and_goes, rows))
