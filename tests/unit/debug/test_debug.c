/* Points, stops and steps, on the toy engine. */
#include "toy_engine.h"

#include "check_main.h"

#define NOP     0x90
#define HLT     0xf4
#define STOSB   0xaa
#define AT(n_)  (TOY_CODE + (n_))

static const uint8_t nops[] = { NOP, NOP, NOP, NOP, HLT };

static unsigned add(ToyMachine *toy, DebugOwner owner, int kind, uint64_t addr, bool temporary)
{
    const BreakPoint at = { .kind = kind, .addr = addr, .len = 1 };
    unsigned id = 0;

    ck_assert(debug_add(&toy->vm, owner, &at, NULL, temporary, &id, NULL));
    return id;
}

static const DebugPoint *point(ToyMachine *toy, guint n)
{
    return g_ptr_array_index(debug_points(&toy->vm), n);
}

static void run(ToyMachine *toy)
{
    vm_start(&toy->vm);
    toy_wait(toy);
}

static void check_stop(ToyMachine *toy, DebugReason reason, unsigned id, uint64_t rip)
{
    const DebugStop *stop = debug_last_stop(&toy->vm);

    ck_assert_int_eq(toy->vm.run_state, RUN_STATE_DEBUG);
    ck_assert_int_eq(stop->reason, reason);
    ck_assert_uint_eq(stop->point_id, id);
    ck_assert_uint_eq(stop->rip, rip);
}

/* Only CPU 0 runs. */
static void go_alone(ToyMachine *toy, DebugAction action)
{
    const DebugAction actions[] = { action, DEBUG_HOLD };

    ck_assert(debug_resume(&toy->vm, DEBUG_OWNER_GDB, actions, TOY_CPUS, NULL));
    toy_wait(toy);
}

/* ---- the list ---- */

START_TEST(one_point_for_one_place)
{
    ToyMachine *toy = toy_new();

    ck_assert_uint_eq(add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, 0x10, true), 1);
    ck_assert_uint_eq(add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, 0x10, false), 1);
    ck_assert(!point(toy, 0)->temporary);
    ck_assert_uint_eq(add(toy, DEBUG_OWNER_MONITOR, BREAK_HARD, 0x10, false), 2);
    ck_assert_uint_eq(toy_n_points, 2);
    ck_assert_uint_eq(add(toy, DEBUG_OWNER_GDB, BREAK_SOFT, 0x10, false), 0);
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 3);
    ck_assert_uint_eq(toy_n_points, 2);             /* the engine needs it once */
    debug_remove_all(&toy->vm, DEBUG_OWNER_MONITOR);
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 1);
    ck_assert_uint_eq(toy_n_points, 1);
    ck_assert_uint_eq(add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, 0x20, false), 3);
    toy_free(toy);
}
END_TEST

START_TEST(points_go_by_number_or_place)
{
    const BreakPoint at = { .kind = BREAK_SOFT, .addr = 0x10, .len = 1 };
    ToyMachine *toy = toy_new();

    add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, 0x10, false);
    ck_assert(!debug_remove(&toy->vm, DEBUG_OWNER_GDB, &at, NULL));
    ck_assert(!debug_remove_id(&toy->vm, 2, NULL));
    ck_assert(!debug_remove_id(&toy->vm, 0, NULL));
    ck_assert(debug_remove_id(&toy->vm, 1, NULL));
    ck_assert_uint_eq(toy_n_points, 0);
    add(toy, DEBUG_OWNER_GDB, BREAK_SOFT, 0x10, false);
    ck_assert(!debug_remove_id(&toy->vm, 0, NULL));
    ck_assert(debug_remove(&toy->vm, DEBUG_OWNER_GDB, &at, NULL));
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 0);
    toy_free(toy);
}
END_TEST

static const BreakPoint bad_points[] = {
    { WATCH_WRITE, 0x10, 0 }, { WATCH_WRITE, 0x10, 4097 }, { WATCH_READ, UINT64_MAX, 2 },
};

START_TEST(bad_point_row)
{
    ToyMachine *toy = toy_new();

    ck_assert(!debug_add(&toy->vm, DEBUG_OWNER_MONITOR, &bad_points[_i], NULL, false, NULL, NULL));
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 0);
    toy_free(toy);
}
END_TEST

START_TEST(a_refused_point_is_not_there)
{
    const BreakPoint at = { .kind = BREAK_SOFT, .addr = 0x20, .len = 1 };
    g_autoptr(GError) error = NULL;
    ToyMachine *toy = toy_new();

    add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, 0x10, false);
    toy_refuses = true;
    ck_assert(!debug_add(&toy->vm, DEBUG_OWNER_MONITOR, &at, "there", false, NULL, &error));
    ck_assert_str_eq(error->message, "no room");
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 1);
    toy_refuses = false;
    toy_free(toy);
}
END_TEST

/* ---- stops ---- */

START_TEST(a_break_stops_and_is_passed)
{
    ToyMachine *toy = toy_new();
    unsigned id = add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(2), false);

    toy_load(toy, nops, sizeof(nops));
    toy->cpu[1]->rip = AT(4);
    run(toy);
    check_stop(toy, DEBUG_REASON_BREAK, id, AT(2));
    ck_assert_str_eq(toy->events->str, "RESUME STOP DEBUG ");
    ck_assert_uint_eq(point(toy, 0)->hits, 1);
    vm_start(&toy->vm);
    ck_assert_int_eq(debug_last_stop(&toy->vm)->reason, DEBUG_REASON_NONE);
    ck_assert(!debug_wait(&toy->vm, 20));
    vm_stop(&toy->vm, RUN_STATE_PAUSED);
    ck_assert_uint_eq(toy->cpu[0]->rip, AT(4));
    ck_assert_uint_eq(point(toy, 0)->hits, 1);
    toy_free(toy);
}
END_TEST

START_TEST(a_temporary_point_goes)
{
    ToyMachine *toy = toy_new();
    unsigned id = add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(1), true);

    toy_load(toy, nops, sizeof(nops));
    toy->cpu[1]->rip = AT(4);
    run(toy);
    check_stop(toy, DEBUG_REASON_BREAK, id, AT(1));
    ck_assert_uint_eq(debug_points(&toy->vm)->len, 0);
    ck_assert_uint_eq(toy_n_points, 0);
    toy_free(toy);
}
END_TEST

START_TEST(a_watch_stops_behind_the_access)
{
    static const uint8_t code[] = { NOP, STOSB, NOP, HLT };
    ToyMachine *toy = toy_new();
    unsigned id = add(toy, DEBUG_OWNER_MONITOR, WATCH_WRITE, TOY_DATA, false);

    /* ... where there is a point as well, which comes up when the machine goes on. */
    add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(2), false);
    toy_load(toy, code, sizeof(code));
    toy->cpu[0]->gpr[R_RDI] = TOY_DATA;
    toy->cpu[1]->rip = AT(3);
    run(toy);
    check_stop(toy, DEBUG_REASON_WATCH, id, AT(2));
    run(toy);
    check_stop(toy, DEBUG_REASON_BREAK, id + 1, AT(2));
    toy_free(toy);
}
END_TEST

START_TEST(the_monitor_hears_of_both_cpus_at_once)
{
    ToyMachine *toy = toy_new();
    size_t n;

    add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(2), false);
    toy_load(toy, nops, sizeof(nops));
    toy_rendezvous = 2;
    run(toy);
    debug_stops(&toy->vm, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(toy->events->str, "RESUME STOP DEBUG ");
    vm_start(&toy->vm);
    ck_assert(!debug_wait(&toy->vm, 20));
    toy_free(toy);
}
END_TEST

START_TEST(gdb_hears_of_one_after_the_other)
{
    ToyMachine *toy = toy_new();
    unsigned first;
    size_t n;

    add(toy, DEBUG_OWNER_GDB, BREAK_SOFT, AT(2), false);
    toy_load(toy, nops, sizeof(nops));
    toy_rendezvous = 2;
    run(toy);
    debug_stops(&toy->vm, &n);
    ck_assert_uint_eq(n, 1);
    first = debug_last_stop(&toy->vm)->cpu_index;
    toy_rendezvous = 0;
    run(toy);
    check_stop(toy, DEBUG_REASON_BREAK, 0, AT(2));
    ck_assert_uint_eq(debug_last_stop(&toy->vm)->cpu_index, 1 - first);
    ck_assert_str_eq(toy->events->str, "RESUME STOP DEBUG RESUME STOP DEBUG ");
    vm_start(&toy->vm);
    ck_assert(!debug_wait(&toy->vm, 20));
    toy_free(toy);
}
END_TEST

/* gdb takes its points away while the machine stands: what nobody was told is forgotten. */
START_TEST(what_waits_goes_with_its_point)
{
    ToyMachine *toy = toy_new();

    add(toy, DEBUG_OWNER_GDB, BREAK_SOFT, AT(2), false);
    toy_load(toy, nops, sizeof(nops));
    toy_rendezvous = 2;
    run(toy);
    debug_remove_all(&toy->vm, DEBUG_OWNER_GDB);
    vm_start(&toy->vm);
    ck_assert(!debug_wait(&toy->vm, 20));
    vm_stop(&toy->vm, RUN_STATE_PAUSED);
    ck_assert_uint_eq(toy->cpu[0]->rip, AT(4));
    ck_assert_uint_eq(toy->cpu[1]->rip, AT(4));
    toy_free(toy);
}
END_TEST

START_TEST(points_outlive_a_reset)
{
    ToyMachine *toy = toy_new();

    add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(2), false);
    toy_load(toy, nops, sizeof(nops));
    toy->cpu[1]->rip = AT(4);
    run(toy);
    vm_start(&toy->vm);
    vm_reset(&toy->vm, SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    toy_wait(toy);
    ck_assert_int_eq(debug_last_stop(&toy->vm)->reason, DEBUG_REASON_BREAK);
    ck_assert_uint_ge(point(toy, 0)->hits, 2);
    toy_free(toy);
}
END_TEST

/* ---- steps ---- */

START_TEST(one_instruction)
{
    ToyMachine *toy = toy_new();
    X86Cpu *cpu = toy->cpu[0];

    toy_load(toy, nops, sizeof(nops));
    for (unsigned i = 1; i <= 2; i++) {
        ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, cpu, DEBUG_STEP_INSN, NULL));
        ck_assert(debug_wait(&toy->vm, 5000));
        check_stop(toy, DEBUG_REASON_STEP, 0, AT(i));
        ck_assert(!cpu->single_step);
    }
    toy_free(toy);
}
END_TEST

START_TEST(a_step_to_a_point_meets_it)
{
    ToyMachine *toy = toy_new();
    unsigned id = add(toy, DEBUG_OWNER_MONITOR, BREAK_SOFT, AT(1), false);

    toy_load(toy, nops, sizeof(nops));
    toy->cpu[1]->rip = AT(4);
    ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, toy->cpu[0], DEBUG_STEP_INSN, NULL));
    toy_wait(toy);
    check_stop(toy, DEBUG_REASON_BREAK, id, AT(1));
    ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, toy->cpu[0], DEBUG_STEP_INSN, NULL));
    toy_wait(toy);
    check_stop(toy, DEBUG_REASON_STEP, 0, AT(2));
    toy_free(toy);
}
END_TEST

/* call +2; nop; hlt; f: 0x99, f again in itself, ret */
static const uint8_t recursion[] = { 0xe8, 2, 0, 0, 0, NOP, HLT, 0x99, 0xc3 };

static const struct { uint64_t from, to, depth; } overs[] = {
    { 0, 5, 3 },                        /* the call, with what it calls */
    { 5, 6, 1 },                        /* no call: one instruction */
};

START_TEST(over_row)
{
    ToyMachine *toy = toy_new();
    X86Cpu *cpu = toy->cpu[0];

    toy_load(toy, recursion, sizeof(recursion));
    cpu->rip = AT(overs[_i].from);
    cpu->gpr[R_RCX] = overs[_i].depth;
    toy->cpu[1]->rip = AT(6);
    ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, cpu, DEBUG_STEP_OVER, NULL));
    toy_wait(toy);
    check_stop(toy, DEBUG_REASON_STEP, 0, AT(overs[_i].to));
    ck_assert_uint_eq(cpu->gpr[R_RSP], TOY_STACK);
    ck_assert_uint_eq(toy_n_points, 0);
    toy_free(toy);
}
END_TEST

/* Another CPU comes by the place a step ends at, with a stack of its own, and meets its own end. */
START_TEST(others_pass_the_end_of_a_step)
{
    static const uint8_t code[] = { 0xe8, 2, 0, 0, 0, NOP, STOSB, HLT };
    ToyMachine *toy = toy_new();
    unsigned id = add(toy, DEBUG_OWNER_MONITOR, WATCH_WRITE, TOY_DATA, false);

    toy_load(toy, code, sizeof(code));
    toy->cpu[1]->rip = AT(5);
    toy->cpu[1]->gpr[R_RDI] = TOY_DATA;
    ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, toy->cpu[0], DEBUG_STEP_OVER, NULL));
    ck_assert_uint_eq(toy_n_points, 2);
    toy_wait(toy);
    check_stop(toy, DEBUG_REASON_WATCH, id, AT(7));
    ck_assert_uint_eq(debug_last_stop(&toy->vm)->cpu_index, 1);
    ck_assert_uint_eq(toy_n_points, 1);
    toy_free(toy);
}
END_TEST

START_TEST(a_step_ends_when_the_machine_is_stopped)
{
    static const uint8_t code[] = { 0xe8, 1, 0, 0, 0, NOP, HLT };
    ToyMachine *toy = toy_new();

    toy_load(toy, code, sizeof(code));
    ck_assert(debug_step(&toy->vm, DEBUG_OWNER_MONITOR, toy->cpu[1], DEBUG_STEP_OVER, NULL));
    vm_stop(&toy->vm, RUN_STATE_PAUSED);
    ck_assert_int_eq(debug_last_stop(&toy->vm)->reason, DEBUG_REASON_STEP_LOST);
    ck_assert_uint_eq(toy_n_points, 0);
    toy_free(toy);
}
END_TEST

START_TEST(held_cpus_stand)
{
    ToyMachine *toy = toy_new();

    toy_load(toy, nops, sizeof(nops));
    go_alone(toy, DEBUG_SINGLE);
    check_stop(toy, DEBUG_REASON_STEP, 0, AT(1));
    ck_assert_int_eq(debug_last_stop(&toy->vm)->owner, DEBUG_OWNER_GDB);
    add(toy, DEBUG_OWNER_GDB, BREAK_SOFT, AT(3), false);
    go_alone(toy, DEBUG_RUN);
    check_stop(toy, DEBUG_REASON_BREAK, 0, AT(3));
    ck_assert_uint_eq(toy->cpu[1]->rip, AT(0));
    /* Who goes on without actions goes on with all. */
    run(toy);
    ck_assert_uint_eq(debug_last_stop(&toy->vm)->cpu_index, 1);
    toy_free(toy);
}
END_TEST

static const struct { RunState state; bool waits; const char *what; } refusals[] = {
    { RUN_STATE_RUNNING, false, "the machine runs; stop it first" },
    { RUN_STATE_INTERNAL_ERROR, false, "Resetting the Virtual Machine is required" },
    { RUN_STATE_SUSPENDED, false, "the machine is suspended; system_wakeup wakes it" },
    { RUN_STATE_PRELAUNCH, true, "CPU 0 waits to be started by another one" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) error = NULL;
    ToyMachine *toy = toy_new();

    toy_load(toy, nops, sizeof(nops));
    if (refusals[_i].state != RUN_STATE_PRELAUNCH) {
        vm_start(&toy->vm);
    }
    if (refusals[_i].state != RUN_STATE_RUNNING && vm_is_running(&toy->vm)) {
        vm_stop(&toy->vm, refusals[_i].state);
    }
    if (refusals[_i].waits) {
        toy->cpu[0]->mp_state = MP_WAIT_FOR_SIPI;
    }
    ck_assert(!debug_step(&toy->vm, DEBUG_OWNER_MONITOR, toy->cpu[0], DEBUG_STEP_INSN, &error));
    ck_assert_str_eq(error->message, refusals[_i].what);
    toy_free(toy);
}
END_TEST

CHECK_MAIN("debug", CASE(one_point_for_one_place), CASE(points_go_by_number_or_place),
           CASES(bad_point_row, bad_points), CASE(a_refused_point_is_not_there),
           CASE(a_break_stops_and_is_passed), CASE(a_temporary_point_goes),
           CASE(a_watch_stops_behind_the_access), CASE(the_monitor_hears_of_both_cpus_at_once),
           CASE(gdb_hears_of_one_after_the_other), CASE(what_waits_goes_with_its_point),
           CASE(points_outlive_a_reset), CASE(one_instruction), CASE(a_step_to_a_point_meets_it),
           CASES(over_row, overs), CASE(others_pass_the_end_of_a_step),
           CASE(a_step_ends_when_the_machine_is_stopped), CASE(held_cpus_stand),
           CASES(refusal_row, refusals))
