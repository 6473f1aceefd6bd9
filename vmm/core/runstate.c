#include "runstate.h"

static const char *const run_state_names[RUN_STATE__COUNT] = {
    [RUN_STATE_DEBUG] = "debug",
    [RUN_STATE_INMIGRATE] = "inmigrate",
    [RUN_STATE_INTERNAL_ERROR] = "internal-error",
    [RUN_STATE_IO_ERROR] = "io-error",
    [RUN_STATE_PAUSED] = "paused",
    [RUN_STATE_POSTMIGRATE] = "postmigrate",
    [RUN_STATE_PRELAUNCH] = "prelaunch",
    [RUN_STATE_FINISH_MIGRATE] = "finish-migrate",
    [RUN_STATE_RESTORE_VM] = "restore-vm",
    [RUN_STATE_RUNNING] = "running",
    [RUN_STATE_SAVE_VM] = "save-vm",
    [RUN_STATE_SHUTDOWN] = "shutdown",
    [RUN_STATE_SUSPENDED] = "suspended",
    [RUN_STATE_WATCHDOG] = "watchdog",
    [RUN_STATE_GUEST_PANICKED] = "guest-panicked",
    [RUN_STATE_COLO] = "colo",
};

#define TO(state) (1u << RUN_STATE_##state)
/*
 * Every stopped state can be continued, migrated away from, restored into, or reset to prelaunch.
 */
#define TO_FROM_STOPPED \
    (TO(RUNNING) | TO(FINISH_MIGRATE) | TO(PRELAUNCH) | TO(COLO) | TO(POSTMIGRATE))
#define TO_WHILE_STOPPED \
    (TO(DEBUG) | TO(INTERNAL_ERROR) | TO(IO_ERROR) | TO(PAUSED) | TO(SHUTDOWN) | TO(WATCHDOG) | \
     TO(GUEST_PANICKED) | TO(SAVE_VM) | TO(RESTORE_VM))

static const unsigned followers[RUN_STATE__COUNT] = {
    [RUN_STATE_DEBUG] = TO_FROM_STOPPED | TO(SUSPENDED),
    [RUN_STATE_INMIGRATE] = TO_WHILE_STOPPED | TO(RUNNING) | TO(SUSPENDED) | TO(PRELAUNCH) |
                            TO(POSTMIGRATE) | TO(FINISH_MIGRATE) | TO(COLO),
    [RUN_STATE_INTERNAL_ERROR] = TO(PAUSED) | TO(FINISH_MIGRATE) | TO(PRELAUNCH),
    [RUN_STATE_IO_ERROR] = TO_FROM_STOPPED,
    [RUN_STATE_PAUSED] = TO_FROM_STOPPED | TO(DEBUG) | TO(SHUTDOWN) | TO(RESTORE_VM) | TO(SAVE_VM),
    [RUN_STATE_POSTMIGRATE] = TO(RUNNING) | TO(FINISH_MIGRATE) | TO(PRELAUNCH) | TO(SHUTDOWN),
    [RUN_STATE_PRELAUNCH] = TO(RUNNING) | TO(FINISH_MIGRATE) | TO(INMIGRATE) | TO(SHUTDOWN) |
                            TO(PAUSED) | TO(RESTORE_VM) | TO(SAVE_VM) | TO(DEBUG),
    [RUN_STATE_FINISH_MIGRATE] = TO(RUNNING) | TO(PAUSED) | TO(POSTMIGRATE) | TO(PRELAUNCH) |
                                 TO(COLO) | TO(INTERNAL_ERROR) | TO(IO_ERROR) | TO(SHUTDOWN) |
                                 TO(SUSPENDED) | TO(WATCHDOG) | TO(GUEST_PANICKED),
    [RUN_STATE_RESTORE_VM] = TO(RUNNING) | TO(PRELAUNCH) | TO(PAUSED),
    [RUN_STATE_RUNNING] = TO_WHILE_STOPPED | TO(FINISH_MIGRATE) | TO(SUSPENDED) | TO(COLO),
    [RUN_STATE_SAVE_VM] = TO(RUNNING) | TO(PAUSED) | TO(PRELAUNCH),
    [RUN_STATE_SHUTDOWN] = TO(PAUSED) | TO(FINISH_MIGRATE) | TO(PRELAUNCH),
    [RUN_STATE_SUSPENDED] = TO(RUNNING) | TO(FINISH_MIGRATE) | TO(PRELAUNCH) | TO(PAUSED) |
                            TO(SHUTDOWN),
    [RUN_STATE_WATCHDOG] = TO_FROM_STOPPED,
    [RUN_STATE_GUEST_PANICKED] = TO_FROM_STOPPED | TO(SHUTDOWN) | TO(PAUSED),
    [RUN_STATE_COLO] = TO(RUNNING) | TO(PRELAUNCH) | TO(SHUTDOWN),
};
#undef TO

bool run_state_can_follow(RunState from, RunState to)
{
    return followers[from] >> to & 1;
}

const char *run_state_name(RunState state)
{
    return run_state_names[state];
}

bool shutdown_cause_is_guest(ShutdownCause cause)
{
    return cause >= SHUTDOWN_CAUSE_GUEST_SHUTDOWN && cause != SHUTDOWN_CAUSE_SNAPSHOT_LOAD;
}
