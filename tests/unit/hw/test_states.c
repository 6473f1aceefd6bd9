/* Of every ISA device: what is saved, loaded and saved again is the same, at a fixed size. */
#include "check_main.h"
#include "i8042.h"
#include "i8254.h"
#include "i8257.h"
#include "i8259.h"
#include "isa_board.h"
#include "mc146818.h"
#include "pcspk.h"
#include "port92.h"
#include "serial.h"
#include "testdev.h"

typedef struct Poke { uint16_t port; uint8_t value; } Poke;

static const struct { const DeviceType *type; unsigned bytes; Poke pokes[8]; } rows[] = {
    { &i8254_type,      107, { { 0x43, 0x34 }, { 0x40, 0x10 }, { 0x40, 0x27 }, { 0x43, 0x00 } } },
    { &i8257_type,      44,  { { 0x00, 0x12 }, { 0x0a, 0x02 }, { 0x87, 0x55 } } },
    { &i8259_type,      16,  { { 0x20, 0x11 }, { 0x21, 0x30 }, { 0x21, 0x04 }, { 0x21, 0x01 } } },
    { &i8042_type,      8,   { { 0x64, 0x60 }, { 0x60, 0x47 }, { 0x60, 0xf2 } } },
    { &isa_serial_type, 55,
      { { 0x3fb, 0x83 }, { 0x3f8, 0x01 }, { 0x3fb, 0x03 }, { 0x3fa, 0xc1 } } },
    { &mc146818_type,   165, { { 0x70, 0x40 }, { 0x71, 0x99 }, { 0x70, 0x0b }, { 0x71, 0x42 } } },
    { &pcspk_type,      1,   { { 0x61, 0x03 } } },
    { &port92_type,     1,   { { 0x92, 0x02 } } },
    { &testdev_type,    65540, { { 0xe0, 0x77 } } },
};

START_TEST(a_state_survives)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = rows[_i].type->state;
    Device *dev = isa_board(rows[_i].type);
    size_t pos = 0;

    for (const Poke *poke = rows[_i].pokes; poke->port != 0 || poke->value != 0; poke++) {
        out8(poke->port, poke->value);
    }
    state_save(state, dev, saved);
    ck_assert_msg(saved->len == rows[_i].bytes, "%s: %u bytes", state->name, saved->len);
    devices_reset(&vm);
    ck_assert(state_load(state, dev, state->version, saved->data, saved->len, &pos, NULL));
    ck_assert_uint_eq(pos, saved->len);
    state_save(state, dev, again);
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
}
END_TEST

START_TEST(a_short_state_is_refused)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    const StateDesc *state = rows[_i].type->state;
    Device *dev = isa_board(rows[_i].type);
    size_t pos = 0;

    state_save(state, dev, saved);
    ck_assert(!state_load(state, dev, state->version, saved->data, saved->len - 1, &pos, NULL));
}
END_TEST

CHECK_MAIN("states", CASES(a_state_survives, rows), CASES(a_short_state_is_refused, rows))
