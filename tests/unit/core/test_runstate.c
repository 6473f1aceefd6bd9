#include <glib.h>

#include "check_main.h"
#include "runstate.h"

static const struct { RunState from, to; bool allowed; } steps[] = {
    { RUN_STATE_PRELAUNCH, RUN_STATE_RUNNING, true },
    { RUN_STATE_RUNNING, RUN_STATE_PAUSED, true },
    { RUN_STATE_PAUSED, RUN_STATE_RUNNING, true },
    { RUN_STATE_RUNNING, RUN_STATE_SUSPENDED, true },
    { RUN_STATE_SUSPENDED, RUN_STATE_RUNNING, true },
    { RUN_STATE_RUNNING, RUN_STATE_GUEST_PANICKED, true },
    { RUN_STATE_SHUTDOWN, RUN_STATE_PRELAUNCH, true },
    { RUN_STATE_SAVE_VM, RUN_STATE_PRELAUNCH, true },        /* a reset while memory is dumped */
    { RUN_STATE_SHUTDOWN, RUN_STATE_RUNNING, false },       /* a reset comes first */
    { RUN_STATE_INTERNAL_ERROR, RUN_STATE_RUNNING, false },
    { RUN_STATE_RUNNING, RUN_STATE_PRELAUNCH, false },
    { RUN_STATE_SUSPENDED, RUN_STATE_DEBUG, false },
};

START_TEST(step_row)
{
    ck_assert_int_eq(run_state_can_follow(steps[_i].from, steps[_i].to), steps[_i].allowed);
}
END_TEST

START_TEST(every_state_has_a_name_and_a_way_on)
{
    for (int from = 0; from < RUN_STATE__COUNT; from++) {
        bool way_on = false;

        ck_assert_ptr_nonnull(run_state_name(from));
        for (int to = 0; to < RUN_STATE__COUNT; to++) {
            way_on |= run_state_can_follow(from, to);
        }
        ck_assert(way_on);
    }
}
END_TEST

CHECK_MAIN("runstate", CASES(step_row, steps), CASE(every_state_has_a_name_and_a_way_on))
