#include "check_main.h"
#include "apic_board.h"

static uint32_t reg_get(unsigned reg)
{
    mem_store(&vm.memory, IOAPIC_BASE, reg, 4);
    return mem_load(&vm.memory, IOAPIC_BASE + 0x10, 4, NULL);
}

static void reg_set(unsigned reg, uint32_t value)
{
    mem_store(&vm.memory, IOAPIC_BASE, reg, 4);
    mem_store(&vm.memory, IOAPIC_BASE + 0x10, value, 4);
}

static void pin(unsigned n, int level)
{
    IrqLine input = ioapic_input(ioapic, n);

    irq_set(&input, level);
}

static void ioapic_board(void)
{
    apic_board();
    for (int i = 0; i < 2; i++) {
        accessing = cpus[i];
        apic_set(0xf0, 0x1ff);
    }
    accessing = cpus[0];
}

static void eoi(void)
{
    apic_set(0xb0, 0);
}

START_TEST(registers)
{
    ioapic_board();
    ck_assert_uint_eq(reg_get(1), 0x00170020);
    reg_set(0, 0xffffffff);
    ck_assert_uint_eq(reg_get(0), 0x0f000000);
    ck_assert_uint_eq(reg_get(2), 0x0f000000);
    ck_assert_uint_eq(reg_get(0x10 + 2 * 23), 0x00010000);
    reg_set(0x10, 0xffffffff);
    ck_assert_uint_eq(reg_get(0x10), 0x0001afff);       /* status and remote IRR are read-only */
    ck_assert_uint_eq(reg_get(0x40), 0);                /* no 24th pin */
    reg_set(0x40, 5);
}
END_TEST

START_TEST(an_edge_is_sent_once)
{
    ioapic_board();
    reg_set(0x10 + 2 * 4, 0x31);
    reg_set(0x11 + 2 * 4, 1u << 24);
    pin(4, 1);
    ck_assert_int_eq(take_vector(cpus[1]), 0x31);
    ck_assert_int_eq(take_vector(cpus[1]), -1);
    accessing = cpus[1];
    eoi();
    pin(4, 1);
    ck_assert_int_eq(take_vector(cpus[1]), -1);
    pin(4, 0);
    pin(4, 1);
    ck_assert_int_eq(take_vector(cpus[1]), 0x31);
}
END_TEST

START_TEST(an_edge_on_a_masked_pin_is_lost)
{
    ioapic_board();
    reg_set(0x10 + 2 * 4, 0x10031);
    pin(4, 1);
    reg_set(0x10 + 2 * 4, 0x31);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
}
END_TEST

START_TEST(a_level_is_sent_again_after_its_end)
{
    ioapic_board();
    reg_set(0x10 + 2 * 11, 0x8042);
    pin(11, 1);
    ck_assert_uint_eq(reg_get(0x10 + 2 * 11), 0xc042);
    ck_assert_int_eq(take_vector(cpus[0]), 0x42);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
    eoi();
    ck_assert_int_eq(take_vector(cpus[0]), 0x42);
    pin(11, 0);
    eoi();
    ck_assert_uint_eq(reg_get(0x10 + 2 * 11), 0x8042);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
}
END_TEST

START_TEST(a_level_waits_behind_a_mask)
{
    ioapic_board();
    reg_set(0x10 + 2 * 11, 0x18042);
    pin(11, 1);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
    reg_set(0x10 + 2 * 11, 0x8042);
    ck_assert_int_eq(take_vector(cpus[0]), 0x42);
}
END_TEST

START_TEST(the_eoi_register_ends_vectors)
{
    ioapic_board();
    reg_set(0x10 + 2 * 11, 0x8042);
    pin(11, 1);
    pin(11, 0);
    mem_store(&vm.memory, IOAPIC_BASE + 0x40, 0x43, 4);
    ck_assert_uint_eq(reg_get(0x10 + 2 * 11), 0xc042);
    mem_store(&vm.memory, IOAPIC_BASE + 0x40, 0x42, 4);
    ck_assert_uint_eq(reg_get(0x10 + 2 * 11), 0x8042);
}
END_TEST

static uint32_t routes[24];

static void record_route(Vm *machine, unsigned n, uint64_t address, uint32_t data)
{
    routes[n] = data;
}

START_TEST(routes_are_told)
{
    ioapic_board();
    ioapic_set_route(ioapic, record_route);
    reg_set(0x10 + 2 * 9, 0x8051);
    ck_assert_uint_eq(routes[9], 0xc051);
    reg_set(0x10 + 2 * 9, 0x18051);
    ck_assert_uint_eq(routes[9], 0);
}
END_TEST

static const struct { unsigned n; const char *text; } printed[] = {
    { 0,  "ioapic0: ver=0x20 id=0x00 sel=0x2e (redir[15])" },
    { 1,  "  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical" },
    { 2,  "  pin 1  0x0100000000000823 dest=1 vec=35  active-hi edge         fixed  logical" },
    { 11, "  pin 10 0x000000000000882b dest=0 vec=43  active-hi level        fixed  logical" },
    { 25, "  IRR      (none)" },
    { 26, "  Remote IRR (none)" },
};

START_TEST(info_pic)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;

    ioapic_board();
    reg_set(0x10 + 2 * 1, 0x823);
    reg_set(0x11 + 2 * 1, 1u << 24);
    reg_set(0x10 + 2 * 10, 0x882b);
    mem_store(&vm.memory, IOAPIC_BASE, 0x2e, 4);
    ioapic->type->view(ioapic, VIEW_PIC, out);
    lines = g_strsplit(out->str, "\n", 0);
    for (size_t i = 0; i < G_N_ELEMENTS(printed); i++) {
        ck_assert_str_eq(lines[printed[i].n], printed[i].text);
    }
}
END_TEST

static unsigned taken_pins, taken_inputs;

static void record_pin(void *opaque, unsigned n)
{
    taken_pins |= 1u << n;
}

static void record_input(void *opaque, unsigned n)
{
    taken_inputs |= 1u << n;
}

START_TEST(edges_are_told_of_when_a_cpu_takes_them)
{
    ioapic_board();
    ioapic_set_taken(ioapic, record_pin, NULL);
    ck_assert(!ioapic_open(ioapic, 4));
    reg_set(0x10 + 2 * 4, 0x31);
    reg_set(0x10 + 2 * 5, 0x8032);              /* level */
    ck_assert(ioapic_open(ioapic, 4));
    pin(4, 1);
    pin(5, 1);
    ck_assert_uint_eq(taken_pins, 0);
    ck_assert_int_eq(take_vector(cpus[0]), 0x32);
    eoi();
    ck_assert_uint_eq(taken_pins, 0);
    pin(5, 0);
    ck_assert_int_eq(take_vector(cpus[0]), 0x32);       /* it was still high at the EOI */
    eoi();
    ck_assert_int_eq(take_vector(cpus[0]), 0x31);
    ck_assert_uint_eq(taken_pins, 1u << 4);
}
END_TEST

START_TEST(so_are_inputs_of_the_8259s)
{
    IrqLine input;

    ioapic_board();
    i8259_pair_set_taken(pics, record_input, NULL);
    for (unsigned port = 0x20; port <= 0xa0; port += 0x80) {
        out8(port, 0x11);
        out8(port + 1, port == 0x20 ? 0x30 : 0x38);
        out8(port + 1, port == 0x20 ? 4 : 2);
        out8(port + 1, 1);
        out8(port + 1, 0xfe & ~(port == 0x20 ? 4 : 0));     /* inputs 0, 2 and 8 */
    }
    ck_assert(i8259_pair_open(pics, 0) && i8259_pair_open(pics, 8));
    ck_assert(!i8259_pair_open(pics, 1) && !i8259_pair_open(pics, 9));
    input = i8259_pair_input(pics, 8);
    irq_set(&input, 1);
    ck_assert_int_eq(i8259_acknowledge(pics), 0x38);
    ck_assert_uint_eq(taken_inputs, 1u << 8 | 1u << 2);
}
END_TEST

CHECK_MAIN("ioapic",
    CASE(registers),
    CASE(an_edge_is_sent_once),
    CASE(an_edge_on_a_masked_pin_is_lost),
    CASE(a_level_is_sent_again_after_its_end),
    CASE(a_level_waits_behind_a_mask),
    CASE(the_eoi_register_ends_vectors),
    CASE(routes_are_told),
    CASE(edges_are_told_of_when_a_cpu_takes_them),
    CASE(so_are_inputs_of_the_8259s),
    CASE(info_pic))
