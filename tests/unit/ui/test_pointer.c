#include <limits.h>
#include <stdio.h>

#include "check_main.h"
#include "input_probe.h"
#include "pointer.h"

START_TEST(positions)
{
    Pointer pointer = { .vm = &vm };

    probe_machine(INPUT_ABS);
    pointer_at(&pointer, 0, 0, 640, 480, 0);
    expect_seen("x=0 y=0 |");
    pointer_at(&pointer, 639, 479, 640, 480, 1u << INPUT_BUTTON_LEFT);
    expect_seen("x=32767 y=32767 b0+ |");
    pointer_at(&pointer, 639, 479, 640, 480, 1u << INPUT_BUTTON_RIGHT);
    expect_seen("b0- b2+ |");
    pointer_at(&pointer, 5000, 0, 640, 480, 0);
    expect_seen("x=32767 y=0 b2- |");
    pointer_at(&pointer, 0, 0, 1, 1, 0);
    expect_seen("x=0 y=0 |");
    pointer_at(&pointer, 0, 0, 0, 0, 0);
    expect_seen("");
}
END_TEST

/* A guest that scales a position down again finds the very pixel. */
START_TEST(positions_come_back)
{
    Pointer pointer = { .vm = &vm };

    probe_machine(INPUT_ABS);
    for (unsigned x = 0; x < 1366; x++) {
        int value;

        g_string_truncate(seen, 0);
        pointer_at(&pointer, x, 0, 1366, 768, 0);
        ck_assert_int_eq(sscanf(seen->str, "x=%d", &value), 1);
        ck_assert_uint_eq(value * 1365 / INPUT_ABS_MAX, x);
    }
}
END_TEST

START_TEST(motion)
{
    Pointer pointer = { .vm = &vm };

    probe_machine(INPUT_REL);
    pointer_at(&pointer, 100, 100, 640, 480, 0);
    expect_seen("");
    pointer_at(&pointer, 110, 95, 640, 480, 0);
    expect_seen("x+10 y-5 |");
    pointer_moved(&pointer, -3, 4, 1u << INPUT_BUTTON_MIDDLE);
    expect_seen("x-3 y+4 b1+ |");
    pointer_release(&pointer);
    expect_seen("b1- |");
    pointer_at(&pointer, 300, 300, 640, 480, 0);        /* it has been elsewhere meanwhile */
    expect_seen("");
}
END_TEST

START_TEST(wheel)
{
    Pointer pointer = { .vm = &vm };

    probe_machine(INPUT_REL);
    pointer_wheel(&pointer, 0, 2);
    expect_seen("b3+ | b3- | b3+ | b3- |");
    pointer_wheel(&pointer, -1, -1);
    expect_seen("b4+ | b4- | b7+ | b7- |");
    pointer_wheel(&pointer, 1, 0);
    expect_seen("b8+ | b8- |");
    pointer_wheel(&pointer, INT_MIN, INT_MIN);          /* bounded */
    ck_assert_uint_lt(seen->len, 1000);
}
END_TEST

START_TEST(a_button_let_go_of_while_the_machine_stands)
{
    Pointer pointer = { .vm = &vm };

    probe_machine(INPUT_REL);
    pointer_moved(&pointer, 0, 0, 1u << INPUT_BUTTON_LEFT);
    g_string_truncate(seen, 0);
    vm_stop(&vm, RUN_STATE_PAUSED);
    pointer_moved(&pointer, 5, 5, 0);
    expect_seen("");
    vm_start(&vm);
    expect_seen("b0- |");
}
END_TEST

CHECK_MAIN("ui/pointer",
    CASE(positions),
    CASE(positions_come_back),
    CASE(motion),
    CASE(wheel),
    CASE(a_button_let_go_of_while_the_machine_stands))
