#include "check_main.h"
#include "usb_board.h"

/* ---- registers ---- */

static const struct { const char *what; unsigned offset; uint16_t write, read; } registers[] = {
    { "command",                0x00, 0x00c0, 0x00c0 },
    { "interrupt enable",       0x04, 0xffff, 0x000f },
    { "frame number",           0x06, 0xffff, 0x07ff },
    { "frame list, low",        0x08, 0xffff, 0xf000 },
    { "frame list, high",       0x0a, 0xabcd, 0xabcd },
    { "start of frame",         0x0c, 0x00ff, 0x007f },
    { "an empty port",          0x10, 0x0004, 0x0080 },
    { "port 2",                 0x12, 0x1000, 0x1080 },
    { "no port 3",              0x14, 0x0000, 0xff7f },
};

START_TEST(register_row)
{
    usb_board();
    set_reg(0, 0);
    set_reg(registers[_i].offset, registers[_i].write);
    ck_assert_msg(reg(registers[_i].offset) == registers[_i].read, "%s: %04x", registers[_i].what,
                  reg(registers[_i].offset));
}
END_TEST

START_TEST(identity)
{
    usb_board();
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 0, 4), 0x70208086);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 8, 4), 0x0c030001);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 0x3d, 1), 4);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 0x60, 1), 0x10);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 0xc0, 2), 0x2000);
}
END_TEST

START_TEST(reset_values)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    set_reg(0, 2);
    ck_assert_uint_eq(reg(0x00), 0);
    ck_assert_uint_eq(reg(0x02), 0x20);
    ck_assert_uint_eq(reg(0x06), 0);
    ck_assert_uint_eq(reg(0x0c), 0x40);
    ck_assert_uint_eq(reg(0x10), 0x93);
    ck_assert_uint_eq(reg(0x12), 0x80);
}
END_TEST

START_TEST(frame_numbers_follow_the_clock)
{
    usb_board();
    ck_assert_uint_eq(reg(6), 0);
    run_frames(5);
    ck_assert_uint_eq(reg(6), 5);
    run_frames(2047);
    ck_assert_uint_eq(reg(6), 4);
    set_reg(6, 100);                                /* not while it runs */
    ck_assert_uint_eq(reg(6), 4);
    set_reg(0, 0);
    run_frames(10);
    ck_assert_uint_eq(reg(6), 4);
    ck_assert_uint_eq(reg(2), 0x20);
}
END_TEST

/* ---- ports ---- */

START_TEST(ports_tell_what_comes_and_goes)
{
    Device *tablet;

    usb_board();
    tablet = usb_add(&usb_tablet_type, NULL);
    ck_assert_uint_eq(reg(0x10), 0x93);
    set_reg(0x10, 0x02);
    ck_assert_uint_eq(reg(0x10), 0x91);
    reset_root_port(0);
    ck_assert_uint_eq(reg(0x10), 0x95);
    device_free(tablet);
    ck_assert_uint_eq(reg(0x10), 0x8a);
    set_reg(0x10, 0x0a);
    ck_assert_uint_eq(reg(0x10), 0x80);
}
END_TEST

START_TEST(a_plug_wakes_a_suspended_bus)
{
    usb_board();
    set_reg(0, 0x08);
    ck_assert_uint_eq(reg(2), 0x20);
    usb_add(&usb_tablet_type, NULL);
    ck_assert_uint_eq(reg(0), 0x18);
    ck_assert_uint_eq(reg(2), 0x24);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 6, 2) & 8, 8);         /* the interrupt pin */
    set_reg(2, 0x04);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 6, 2) & 8, 0);
}
END_TEST

/* ---- transactions ---- */

START_TEST(nobody_answers)
{
    usb_board();
    ck_assert_uint_eq(transact(IN, 5, 0, 8) & (ACTIVE | STALLED | TIMEOUT), STALLED | TIMEOUT);
    ck_assert_uint_eq(reg(2), 2);
    set_reg(2, 2);
    ck_assert_uint_eq(reg(2), 0);
}
END_TEST

START_TEST(a_disabled_port_hides_its_device)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    ck_assert(transact(IN, 0, 0, 8) & TIMEOUT);
    reset_root_port(0);
    ck_assert(!(transact(IN, 0, 0, 8) & TIMEOUT));
    set_reg(0x10, 0x1004);                                      /* suspended */
    ck_assert(transact(IN, 0, 0, 8) & TIMEOUT);
}
END_TEST

START_TEST(a_chain_of_descriptors_in_one_frame)
{
    static const uint8_t get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };

    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 3);
    memcpy(buffer(0), get_device, 8);
    put_td(0, (TDS + 16) | 4, ACTIVE, SETUP, 3, 0, 8);
    put_td(1, (TDS + 32) | 4, ACTIVE | SPD, IN, 3, 0, 8);
    put_td(2, (TDS + 48) | 4, ACTIVE | SPD, IN, 3, 0, 8);
    put_td(3, END, ACTIVE | SPD | IOC, IN, 3, 0, 8);
    poke32(QUEUE + 4, TDS);
    run_frames(1);
    ck_assert_uint_eq(td_actual(2), 8);
    ck_assert_uint_eq(td_actual(3), 2);
    ck_assert_uint_eq(((uint8_t *)buffer(1))[7], 8);            /* packet size of endpoint 0 */
    ck_assert_uint_eq(peek32(QUEUE + 4), (TDS + 48) | 4);       /* short: the queue stays */
    ck_assert_uint_eq(reg(2), 1);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 6, 2) & 8, 8);
    set_reg(2, 1);
    ck_assert_uint_eq(cfg_in(UHCI_DEVFN, 6, 2) & 8, 0);
}
END_TEST

START_TEST(breadth_first_takes_one_descriptor_a_frame)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    memcpy(buffer(0), (uint8_t[]){ 0, 9, 1, 0, 0, 0, 0, 0 }, 8);
    put_td(0, TDS + 16, ACTIVE, SETUP, 1, 0, 8);
    put_td(1, END, ACTIVE, IN, 1, 0, 0x800);
    poke32(QUEUE + 4, TDS);
    run_frames(1);
    ck_assert_uint_eq(peek32(QUEUE + 4), TDS + 16);
    ck_assert(td_status(1) & ACTIVE);
    run_frames(1);
    ck_assert(!(td_status(1) & ACTIVE));
    ck_assert_uint_eq(peek32(QUEUE + 4), END);
}
END_TEST

START_TEST(a_frame_has_an_end)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    for (unsigned i = 0; i < 200; i++) {
        put_td(i, (TDS + 16 * (i + 1)) | 4, ACTIVE, SETUP, 1, 0, 8);
    }
    put_td(200, END, 0, SETUP, 1, 0, 8);
    poke32(QUEUE + 4, TDS);
    run_frames(1);
    ck_assert_uint_eq(peek32(QUEUE + 4), (TDS + 16 * 160) | 4);         /* 1280 bytes */
    run_frames(1);
    ck_assert_uint_eq(peek32(QUEUE + 4), (TDS + 16 * 200) | 4);
}
END_TEST

/* An inactive descriptor still interrupts where it asks for it. */
START_TEST(interrupt_without_work)
{
    usb_board();
    put_td(0, END, IOC, IN, 1, 0, 8);
    poke32(QUEUE + 4, TDS);
    run_frames(1);
    ck_assert_uint_eq(reg(2), 1);
    ck_assert_uint_eq(peek32(QUEUE + 4), TDS);
}
END_TEST

/* ---- a hostile schedule ---- */

static void queue_in_circle(void)
{
    poke32(QUEUE, QUEUE | 2);
}

static void queue_of_itself(void)
{
    poke32(QUEUE + 4, QUEUE | 2);
}

static void td_in_circle(void)
{
    put_td(0, TDS | 4, IOC, IN, 1, 0, 8);
    poke32(FRAME_LIST + 4, TDS);
}

static void two_circles(void)
{
    poke32(QUEUE, (QUEUE + 16) | 2);
    poke32(QUEUE + 16, (QUEUE + 32) | 2);
    poke32(QUEUE + 20, END);
    poke32(QUEUE + 32, (QUEUE + 16) | 2);
    poke32(QUEUE + 36, END);
}

static void list_in_nowhere(void)
{
    set_reg(0x0a, 0xfff0);
}

static void queue_in_nowhere(void)
{
    poke32(QUEUE, 0xfffffff0 | 2);
}

static void buffer_in_nowhere(void)
{
    put_td(0, END, ACTIVE, SETUP, 0, 0, 8);
    poke32(TDS + 12, 0xfffffffc);
    poke32(QUEUE + 4, TDS);
}

static void packet_too_long(void)
{
    put_td(0, END, ACTIVE, IN, 0, 0, 1281);
    poke32(QUEUE + 4, TDS);
}

static void no_such_packet(void)
{
    put_td(0, END, ACTIVE, 0xff, 0, 0, 8);
    poke32(QUEUE + 4, TDS);
}

static void no_bus_mastering(void)
{
    cfg_out(UHCI_DEVFN, 0x04, 0x01, 2);
}

static const struct { const char *what; void (*make)(void); uint16_t status; } hostile[] = {
    { "circle of queues",   queue_in_circle,   0x00 },
    { "queue in itself",    queue_of_itself,   0x00 },
    { "circle of TDs",      td_in_circle,      0x01 },
    { "two circles",        two_circles,       0x00 },
    { "no frame list",      list_in_nowhere,   0x28 },
    { "no queue",           queue_in_nowhere,  0x28 },
    { "no buffer",          buffer_in_nowhere, 0x28 },
    { "packet too long",    packet_too_long,   0x30 },
    { "packet of no kind",  no_such_packet,    0x30 },
    { "no bus mastering",   no_bus_mastering,  0x28 },
};

START_TEST(hostile_row)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    reset_root_port(0);
    hostile[_i].make();
    run_frames(1000);
    ck_assert_msg(reg(2) == hostile[_i].status, "%s: %02x", hostile[_i].what, reg(2));
}
END_TEST

/* ---- idling ---- */

START_TEST(an_idle_schedule_rests)
{
    unsigned wakeups = 0;

    usb_board();
    run_frames(500);
    /* The heap's head is the next wake-up. */
    for (int64_t end = now_ns + 160 * NS_PER_MS; now_ns < end; wakeups++) {
        VmTimer *next = g_ptr_array_index(vm.clock.heap, 1);

        now_ns = next->deadline_ns;
        vm_clock_set_manual(&vm, now_ns);
    }
    ck_assert_uint_le(wakeups, 11);
    ck_assert_uint_eq(reg(6), now_ns / NS_PER_MS & 0x7ff);
}
END_TEST

START_TEST(a_halted_controller_sleeps)
{
    usb_board();
    run_frames(10);
    set_reg(0, 0);
    ck_assert_uint_eq(vm.clock.heap->len, 1);
}
END_TEST

START_TEST(a_device_ends_the_rest)
{
    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 1);
    put_td(0, END, ACTIVE, IN, 1, 1, 8);
    poke32(QUEUE + 4, TDS);
    run_frames(1000);
    ck_assert_uint_eq(td_status(0) & (ACTIVE | NAKED), ACTIVE | NAKED);
    input_button(&vm, INPUT_BUTTON_LEFT, true);
    run_frames(1);
    ck_assert(!(td_status(0) & ACTIVE));
    ck_assert_uint_eq(td_actual(0), 6);
}
END_TEST

/* ---- saved state ---- */

START_TEST(state_survives_a_round_trip)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    size_t pos = 0;

    usb_board();
    usb_add(&usb_tablet_type, NULL);
    enumerate(0, 7);
    run_frames(100);
    state_save(uhci->type->state, uhci, bytes);
    set_reg(0, 2);
    ck_assert_msg(state_load(uhci->type->state, uhci, 3, bytes->data, bytes->len, &pos, &error),
                  "%s", error ? error->message : "");
    ck_assert_uint_eq(pos, bytes->len);
    ck_assert_uint_eq(reg(0x10), 0x95);
    run_frames(5);
    ck_assert_uint_eq(transact(IN, 7, 1, 8) & (ACTIVE | NAKED), ACTIVE | NAKED);
}
END_TEST

CHECK_MAIN("hw/uhci",
           CASES(register_row, registers),
           CASE(identity),
           CASE(reset_values),
           CASE(frame_numbers_follow_the_clock),
           CASE(ports_tell_what_comes_and_goes),
           CASE(a_plug_wakes_a_suspended_bus),
           CASE(nobody_answers),
           CASE(a_disabled_port_hides_its_device),
           CASE(a_chain_of_descriptors_in_one_frame),
           CASE(breadth_first_takes_one_descriptor_a_frame),
           CASE(a_frame_has_an_end),
           CASE(interrupt_without_work),
           CASES(hostile_row, hostile),
           CASE(an_idle_schedule_rests),
           CASE(a_halted_controller_sleeps),
           CASE(a_device_ends_the_rest),
           CASE(state_survives_a_round_trip))
