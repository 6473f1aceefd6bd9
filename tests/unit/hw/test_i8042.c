#include "check_main.h"
#include "i8042.h"
#include "isa_board.h"
#include "keys.h"
#include "ps2.h"

static Device *kbc;

static void kbc_board(void)
{
    kbc = isa_board(&i8042_type);
    vm_start(&vm);                              /* input reaches only a guest that runs */
}

static bool full(void)
{
    return in8(0x64) & 1;
}

static void write_mode(uint8_t mode)
{
    out8(0x64, 0x60);
    out8(0x60, mode);
}

/* Everything there is to read, as hex. */
static void expect_bytes(const char *name, const char *hex)
{
    g_autoptr(GString) got = g_string_new(NULL);

    while (full() && got->len < 200) {
        g_string_append_printf(got, "%s%02x", got->len > 0 ? " " : "", in8(0x60));
    }
    ck_assert_msg(strcmp(got->str, hex) == 0, "%s: '%s' for '%s'", name, got->str, hex);
}

static void tap(const char *name)
{
    ps2_key_event(i8042_keyboard(kbc), key_find(name), true);
    ps2_key_event(i8042_keyboard(kbc), key_find(name), false);
}

/* ---- the controller ---- */

static const struct { uint8_t command; const char *reply; } commands[] = {
    { 0x20, "03" }, { 0xaa, "55" }, { 0xab, "00" }, { 0xa9, "00" }, { 0xc0, "80" }, { 0xd0, "cf" },
    { 0xad, "" },   { 0x99, "" },
};

START_TEST(controller_command)
{
    kbc_board();
    out8(0x64, commands[_i].command);
    expect_bytes("command", commands[_i].reply);
}
END_TEST

START_TEST(status_bits)
{
    kbc_board();
    ck_assert_uint_eq(in8(0x64), 0x18);
    out8(0x64, 0xaa);
    ck_assert_uint_eq(in8(0x64), 0x1d);
    in8(0x60);
    out8(0x64, 0xd3);                   /* a byte as if from the mouse */
    out8(0x60, 0x77);
    ck_assert_uint_eq(in8(0x64), 0x35);
    ck_assert_uint_eq(in8(0x60), 0x77);
}
END_TEST

START_TEST(address_line_20)
{
    kbc_board();
    out8(0x64, 0xd1);
    out8(0x60, 0xcd);
    ck_assert(!vm.a20);
    out8(0x64, 0xdf);
    ck_assert(vm.a20);
    out8(0x64, 0xdd);
    ck_assert(!vm.a20);
}
END_TEST

START_TEST(each_byte_is_an_edge)
{
    kbc_board();
    out8(0x60, 0xf2);                   /* keyboard: identify */
    ck_assert_uint_eq(edges[1], 1);
    ck_assert_uint_eq(in8(0x60), 0xfa);
    ck_assert_uint_eq(edges[1], 2);
    ck_assert_uint_eq(in8(0x60), 0xab);
    ck_assert_uint_eq(edges[1], 3);
    ck_assert_uint_eq(in8(0x60), 0x83);
    ck_assert_int_eq(levels[1], 0);
    ck_assert_uint_eq(in8(0x60), 0x83); /* the last byte again */
    out8(0x64, 0xd4);
    out8(0x60, 0xf2);
    ck_assert_uint_eq(edges[12], 1);
    ck_assert_uint_eq(edges[1], 3);
}
END_TEST

START_TEST(a_closed_interface_holds_its_bytes)
{
    kbc_board();
    out8(0x64, 0xad);
    ps2_key_event(i8042_keyboard(kbc), key_find("a"), true);
    ck_assert(!full());
    out8(0x64, 0xae);
    expect_bytes("after opening", "1c");
}
END_TEST

START_TEST(throttled_bytes_come_a_millisecond_apart)
{
    device_global_set("i8042", "kbd-throttle", "on");
    kbc_board();
    tap("a");
    expect_bytes("first", "1c");
    advance_ns(999 * NS_PER_US);
    ck_assert(!full());
    advance_ns(NS_PER_US);
    expect_bytes("second", "f0");
}
END_TEST

/* ---- the keyboard ---- */

static const struct { const char *send, *reply; } exchanges[] = {
    { "ff",       "fa aa" },
    { "ee",       "ee" },
    { "ed 07",    "fa fa" },
    { "ed ee",    "fa ee" },            /* a command in the place of the argument */
    { "f0 00",    "fa fa 02" },
    { "f0 03 f0 00", "fa fa fa fa 03" },
    { "f0 04",    "fa fe" },
    { "f2",       "fa ab 83" },
    { "f3 20 f4", "fa fa fa" },
    { "f5",       "fa" },
    { "f7",       "fa" },
    { "fc 1c 32 f4", "fa fa fa fa" },
    { "f2 fe",    "fa ab 83 fa" },      /* resend: nothing was read yet but the first */
    { "01",       "fe" },
    { "ef",       "fe" },
};

START_TEST(keyboard_exchange)
{
    g_auto(GStrv) bytes = g_strsplit(exchanges[_i].send, " ", 0);

    kbc_board();
    for (char **byte = bytes; *byte != NULL; byte++) {
        out8(0x60, strtoul(*byte, NULL, 16));
    }
    expect_bytes(exchanges[_i].send, exchanges[_i].reply);
}
END_TEST

static const struct { const char *key, *set1, *set2, *set3; } codes[] = {
    { "a",          "1e 9e",             "1c f0 1c",                   "1c f0 1c" },
    { "f7",         "41 c1",             "83 f0 83",                   "37 f0 37" },
    { "left",       "e0 4b e0 cb",       "e0 6b e0 f0 6b",             "61 f0 61" },
    { "ctrl_r",     "e0 1d e0 9d",       "e0 14 e0 f0 14",             "58 f0 58" },
    { "kp_5",       "4c cc",             "73 f0 73",                   "73 f0 73" },
    { "sysrq",      "54 d4",             "84 f0 84",                   "57 f0 57" },
    { "print",      "e0 2a e0 37 e0 b7 e0 aa", "e0 12 e0 7c e0 f0 7c e0 f0 12", "57 f0 57" },
    { "pause",      "e1 1d 45 e1 9d c5", "e1 14 77 e1 f0 14 f0 77",    "62 f0 62" },
    { "lang1",      "f2",                "f2",                         "" },
    { "volumeup",   "e0 30 e0 b0",       "e0 32 e0 f0 32",             "" },
};

static void use_set(uint8_t set)
{
    out8(0x60, 0xf0);
    out8(0x60, set);
    expect_bytes("set", "fa fa");
}

START_TEST(codes_of_a_key)
{
    kbc_board();
    tap(codes[_i].key);
    expect_bytes(codes[_i].key, codes[_i].set2);
    use_set(1);
    tap(codes[_i].key);
    expect_bytes(codes[_i].key, codes[_i].set1);
    use_set(3);
    tap(codes[_i].key);
    expect_bytes(codes[_i].key, codes[_i].set3);
}
END_TEST

START_TEST(translation_makes_set_1)
{
    kbc_board();
    write_mode(0x43);
    tap(codes[_i].key);
    expect_bytes(codes[_i].key, codes[_i].set1);
}
END_TEST

/* The two columns of the key table agree with the controller's translation. */
START_TEST(tables_agree)
{
    kbc_board();
    write_mode(0x43);
    for (unsigned key = 1; key_info(key) != NULL; key++) {
        const KeyInfo *info = key_info(key);
        uint8_t last = 0;

        if (info->set1 >> 8 == 0xe1) {
            continue;                   /* pause: a sequence */
        }
        ps2_key_event(i8042_keyboard(kbc), key, true);
        while (full()) {
            last = in8(0x60);
        }
        ck_assert_msg(last == (info->set1 & 0xff), "%s: %02x", info->name, last);
        ps2_key_event(i8042_keyboard(kbc), key, false);
        while (full()) {
            in8(0x60);
        }
        ck_assert_uint_eq(key_find(info->name), key);
    }
}
END_TEST

START_TEST(a_held_key_repeats)
{
    kbc_board();
    ps2_key_event(i8042_keyboard(kbc), key_find("a"), true);
    expect_bytes("press", "1c");
    advance_ns(499 * NS_PER_MS);
    expect_bytes("before the delay", "");
    advance_ns(2 * NS_PER_MS);
    expect_bytes("after the delay", "1c");
    advance_ns(92 * NS_PER_MS);
    expect_bytes("a period later", "1c");
    ps2_key_event(i8042_keyboard(kbc), key_find("a"), false);
    expect_bytes("release", "f0 1c");
    advance_ns(NS_PER_SEC);
    expect_bytes("afterwards", "");
}
END_TEST

START_TEST(a_full_keyboard_drops_whole_keys)
{
    kbc_board();
    out8(0x64, 0xad);
    for (int i = 0; i < 40; i++) {
        tap("left");
    }
    out8(0x64, 0xae);
    expect_bytes("queue", "e0 6b e0 f0 6b e0 6b e0 f0 6b e0 6b e0 f0 6b");
}
END_TEST

/* ---- the mouse ---- */

static void mouse_send(const char *hex)
{
    g_auto(GStrv) bytes = g_strsplit(hex, " ", 0);

    for (char **byte = bytes; *byte != NULL; byte++) {
        out8(0x64, 0xd4);
        out8(0x60, strtoul(*byte, NULL, 16));
        while (full()) {
            in8(0x60);
        }
    }
}

static const struct { const char *set_up, *ask, *reply; } mouse_exchanges[] = {
    { "f4",                         "ff", "fa aa 00" },
    { "f4",                         "f2", "fa 00" },
    { "f3 c8 f3 64 f3 50",          "f2", "fa 03" },
    { "f3 c8 f3 c8 f3 50",          "f2", "fa 00" },        /* needs the wheel first */
    { "f3 c8 f3 64 f3 50 f3 c8 f3 c8 f3 50", "f2", "fa 04" },
    { "f6",                         "e9", "fa 00 02 64" },
    { "f4 e7 e8 03 f3 28",          "e9", "fa 30 03 28" },
    { "ee",                         "42", "42" },           /* wrap mode */
    { "ee",                         "ec", "fa" },
    { "f0",                         "eb", "fa 08 00 00" },
    { "f4",                         "e5", "fe" },
};

START_TEST(mouse_exchange)
{
    kbc_board();
    mouse_send(mouse_exchanges[_i].set_up);
    out8(0x64, 0xd4);
    out8(0x60, strtoul(mouse_exchanges[_i].ask, NULL, 16));
    expect_bytes(mouse_exchanges[_i].set_up, mouse_exchanges[_i].reply);
}
END_TEST

#define WHEEL    "f3 c8 f3 64 f3 50 f4"
#define EXPLORER "f3 c8 f3 64 f3 50 f3 c8 f3 c8 f3 50 f4"

static const struct {
    const char *set_up;
    int dx, dy, dz;
    unsigned buttons;
    const char *packet;
} moves[] = {
    { "f4",     5,   0,   0, 0,           "08 05 00" },
    { "f4",     -5,  3,   0, MOUSE_LEFT,  "39 fb fd" },
    { "f4",     0,   -1,  0, MOUSE_RIGHT, "0a 00 01" },
    { "f4",     300, 0,   0, 0,           "08 ff 00 08 2d 00" },
    { "f4",     0,   0,   1, 0,           "08 00 00" },
    { WHEEL,    0,   0,   1, 0,           "08 00 00 01" },
    { WHEEL,    0,   0,  -1, 0,           "08 00 00 ff" },
    { EXPLORER, 0,   0,  -1, MOUSE_SIDE,  "08 00 00 1f" },
    { EXPLORER, 1,   0,   0, MOUSE_EXTRA | MOUSE_MIDDLE, "0c 01 00 20" },
    { "f5",     5,   0,   0, 0,           "" },
};

START_TEST(mouse_packet)
{
    kbc_board();
    mouse_send(moves[_i].set_up);
    ps2_mouse_event(i8042_mouse(kbc), moves[_i].dx, moves[_i].dy, moves[_i].dz, moves[_i].buttons);
    expect_bytes(moves[_i].set_up, moves[_i].packet);
}
END_TEST

START_TEST(state_survives)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Device *kbd;
    size_t pos = 0;

    kbc_board();
    kbd = i8042_keyboard(kbc);
    out8(0x64, 0xad);
    use_set(1);
    out8(0x64, 0xad);
    ps2_key_event(kbd, key_find("q"), true);
    state_save(kbd->type->state, kbd, bytes);
    devices_reset(&vm);
    ck_assert(!full());
    ck_assert(state_load(kbd->type->state, kbd, 4, bytes->data, bytes->len, &pos, NULL));
    expect_bytes("loaded", "10");
}
END_TEST

CHECK_MAIN("i8042",
    CASES(controller_command, commands),
    CASE(status_bits),
    CASE(address_line_20),
    CASE(each_byte_is_an_edge),
    CASE(a_closed_interface_holds_its_bytes),
    CASE(throttled_bytes_come_a_millisecond_apart),
    CASES(keyboard_exchange, exchanges),
    CASES(codes_of_a_key, codes),
    CASES(translation_makes_set_1, codes),
    CASE(tables_agree),
    CASE(a_held_key_repeats),
    CASE(a_full_keyboard_drops_whole_keys),
    CASES(mouse_exchange, mouse_exchanges),
    CASES(mouse_packet, moves),
    CASE(state_survives))
