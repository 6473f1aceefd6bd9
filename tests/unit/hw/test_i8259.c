#include "check_main.h"
#include "i8259.h"
#include "isa_board.h"

static Device *master;
static int int_pin;

static void int_changed(void *opaque, int n, int level)
{
    int_pin = level;
}

static void pic_board(void)
{
    isa_board(&i8259_type);
    master = i8259_pair_new(&vm, isa, NULL);
    ck_assert_ptr_nonnull(master);
    i8259_connect(master, (IrqLine){ int_changed, NULL, 0 });
    devices_reset(&vm);
    int_pin = 0;
}

static void init_pair(uint8_t icw4)
{
    static const uint8_t ports[] = { 0x20, 0xa0 }, bases[] = { 0x30, 0x38 }, icw3[] = { 4, 2 };

    for (int i = 0; i < 2; i++) {
        out8(ports[i], 0x11);
        out8(ports[i] + 1, bases[i]);
        out8(ports[i] + 1, icw3[i]);
        out8(ports[i] + 1, icw4);
    }
}

static void line(unsigned n, int level)
{
    IrqLine input = i8259_pair_input(master, n);

    irq_set(&input, level);
}

/* All but 2, where the second chip hangs. */
static const int inputs[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* Every input alone: its vector, and the registers while it is served. */
START_TEST(each_input_has_its_vector)
{
    int n = inputs[_i];

    pic_board();
    init_pair(1);
    line(n, 1);
    ck_assert_int_eq(int_pin, 1);
    ck_assert_int_eq(i8259_acknowledge(master), 0x30 + n);
    ck_assert_int_eq(int_pin, 0);
    out8(0x20, 0x0b);
    ck_assert_uint_eq(in8(0x20), n < 8 ? 1u << n : 1u << 2);
    if (n >= 8) {
        out8(0xa0, 0x0b);
        ck_assert_uint_eq(in8(0xa0), 1u << (n - 8));
        out8(0xa0, 0x20);
        ck_assert_uint_eq(in8(0xa0), 0);
    }
    out8(0x20, 0x20);
    ck_assert_uint_eq(in8(0x20), 0);
    line(n, 0);
    ck_assert_int_eq(i8259_acknowledge(master), 0x37);      /* nothing there: spurious */
}
END_TEST

typedef struct Step { enum { END, RAISE, LOWER, OUT, IN, PIN, ACK } what; int a, b; } Step;

static const struct { const char *name; Step steps[16]; } stories[] = {
    { "a higher request interrupts a lower one", {
        { RAISE, 5 }, { ACK, 0x35 }, { RAISE, 6 }, { PIN, 0 }, { RAISE, 1 }, { PIN, 1 },
        { ACK, 0x31 }, { OUT, 0x20, 0x20 }, { PIN, 0 }, { OUT, 0x20, 0x20 }, { PIN, 1 },
        { ACK, 0x36 } } },
    { "a masked request waits", {
        { OUT, 0x21, 0x10 }, { RAISE, 4 }, { PIN, 0 }, { IN, 0x20, 0x10 }, { OUT, 0x21, 0 },
        { PIN, 1 }, { ACK, 0x34 } } },
    { "an edge counts once", {
        { RAISE, 3 }, { ACK, 0x33 }, { OUT, 0x20, 0x20 }, { PIN, 0 }, { RAISE, 3 }, { PIN, 0 },
        { LOWER, 3 }, { RAISE, 3 }, { PIN, 1 } } },
    { "a level counts while it lasts", {
        { OUT, 0x4d1, 0x08 }, { RAISE, 11 }, { ACK, 0x3b }, { OUT, 0xa0, 0x20 },
        { OUT, 0x20, 0x20 }, { PIN, 1 }, { LOWER, 11 }, { PIN, 0 } } },
    { "timer and keyboard are always edges", {
        { OUT, 0x4d0, 0xff }, { IN, 0x4d0, 0xf8 }, { OUT, 0x4d1, 0xff }, { IN, 0x4d1, 0xde } } },
    { "specific end of interrupt", {
        { RAISE, 5 }, { ACK, 0x35 }, { RAISE, 1 }, { ACK, 0x31 }, { OUT, 0x20, 0x65 },
        { OUT, 0x20, 0x0b }, { IN, 0x20, 0x02 } } },
    { "rotation makes the served one last", {
        { RAISE, 3 }, { ACK, 0x33 }, { OUT, 0x20, 0xa0 }, { LOWER, 3 }, { RAISE, 3 }, { RAISE, 4 },
        { ACK, 0x34 } } },
    { "set priority", {
        { OUT, 0x20, 0xc4 }, { RAISE, 0 }, { RAISE, 5 }, { ACK, 0x35 } } },
    { "special mask lets lower ones through", {
        { RAISE, 1 }, { ACK, 0x31 }, { RAISE, 6 }, { PIN, 0 }, { OUT, 0x20, 0x68 },
        { OUT, 0x21, 0x02 }, { PIN, 1 }, { ACK, 0x36 } } },
    { "polling acknowledges", {
        { OUT, 0x20, 0x0c }, { IN, 0x20, 0x00 }, { RAISE, 6 }, { OUT, 0x20, 0x0c },
        { IN, 0x20, 0x86 }, { PIN, 0 }, { OUT, 0x20, 0x0b }, { IN, 0x20, 0x40 } } },
    { "the first chip's mask hides the second", {
        { OUT, 0x21, 0x04 }, { RAISE, 8 }, { PIN, 0 }, { OUT, 0x21, 0 }, { PIN, 1 }, { LOWER, 8 },
        { ACK, 0x38 } } },
    { "initialisation forgets requests", {
        { RAISE, 7 }, { PIN, 1 }, { OUT, 0x20, 0x11 }, { PIN, 0 } } },
};

static void run_step(const char *story, int n, const Step *step)
{
    switch (step->what) {
    case RAISE: line(step->a, 1); break;
    case LOWER: line(step->a, 0); break;
    case OUT:   out8(step->a, step->b); break;
    case IN:
        ck_assert_msg(in8(step->a) == step->b, "%s, step %d", story, n);
        break;
    case PIN:
        ck_assert_msg(int_pin == step->a, "%s, step %d: INT is %d", story, n, int_pin);
        break;
    case ACK:
        ck_assert_msg(i8259_acknowledge(master) == step->a, "%s, step %d", story, n);
        break;
    case END:   break;
    }
}

START_TEST(story)
{
    pic_board();
    init_pair(1);
    for (int n = 0; stories[_i].steps[n].what != END; n++) {
        run_step(stories[_i].name, n, &stories[_i].steps[n]);
    }
}
END_TEST

START_TEST(automatic_end_of_interrupt)
{
    pic_board();
    init_pair(3);
    line(4, 1);
    ck_assert_int_eq(i8259_acknowledge(master), 0x34);
    out8(0x20, 0x0b);
    ck_assert_uint_eq(in8(0x20), 0);
}
END_TEST

START_TEST(info_pic)
{
    g_autoptr(GString) out = g_string_new(NULL);

    pic_board();
    init_pair(1);
    out8(0x21, 0xef);
    line(3, 1);
    master->type->view(master, VIEW_PIC, out);
    ck_assert_str_eq(out->str,
                     "pic0: irr=08 imr=ef isr=00 hprio=0 irq_base=30 rr_sel=0 elcr=00 fnm=0\n");
    g_string_truncate(out, 0);
    line(12, 1);
    master->type->view(master, VIEW_IRQ, out);
    ck_assert_str_eq(out->str, "IRQ statistics for isa-i8259:\n 3: 1\n12: 1\n");
}
END_TEST

START_TEST(state_survives)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const StateDesc *desc = i8259_type.state;
    size_t pos = 0;

    pic_board();
    init_pair(1);
    line(5, 1);
    i8259_acknowledge(master);
    line(1, 1);
    state_save(desc, master, bytes);
    ck_assert_uint_eq(bytes->len, 16);
    ck_assert_int_eq(memcmp(bytes->data, "\x22\x02\0\x20\0\x30\0\0\0\0\0\0\0\1\0\0", 16), 0);
    devices_reset(&vm);
    ck_assert_int_eq(int_pin, 0);
    ck_assert(state_load(desc, master, desc->version, bytes->data, bytes->len, &pos, NULL));
    ck_assert_int_eq(int_pin, 1);
    ck_assert_int_eq(i8259_acknowledge(master), 0x31);
}
END_TEST

CHECK_MAIN("i8259",
    CASES(each_input_has_its_vector, inputs),
    CASES(story, stories),
    CASE(automatic_end_of_interrupt),
    CASE(info_pic),
    CASE(state_survives))
