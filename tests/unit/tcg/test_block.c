/* The block cache: code that changes, pages, arenas, links between blocks. */
#include "tcg_machine.h"

#include "check_main.h"

SNIPPET(smc_ahead);
SNIPPET(smc_string);
SNIPPET(smc_loop);
SNIPPET(smc_locked);
SNIPPET(smc_push);
SNIPPET(smc_straddle);
SNIPPET(smc_neighbour);
SNIPPET(smc_many);
SNIPPET(event_chain);
SNIPPET(event_handler);
SNIPPET(moffs);
SNIPPET(wrap16);
SNIPPET(halt16);
SNIPPET(loop16);

#define PROGRAM(name) name, name##_end

/* Programs that halt by themselves, and what RAX is then. */
static const struct {
    const uint8_t *code, *end;
    MachineMode mode;
    uint64_t rax;
} programs[] = {
    { PROGRAM(smc_ahead), MODE_LONG, 0x77 },
    { PROGRAM(smc_ahead), MODE_LONG, 0x77 },
    { PROGRAM(smc_string), MODE_LONG, 0x77 },
    { PROGRAM(smc_loop), MODE_LONG, 5050 },
    { PROGRAM(smc_locked), MODE_LONG, 0x77 },
    { PROGRAM(smc_push), MODE_LONG, 0x77 },
    { PROGRAM(smc_straddle), MODE_LONG, 0x77 },
    { PROGRAM(smc_neighbour), MODE_LONG, 1000 },
    { PROGRAM(smc_many), MODE_LONG, (uint32_t)(UINT64_C(400000) * 400001 / 2) },
    { PROGRAM(moffs), MODE_LONG, UINT64_C(0x1122334455667788) },
    { PROGRAM(loop16), MODE_PROT32, 3 },
};

START_TEST(program_row)
{
    MachineEnd end;

    machine_setup();
    machine_mode(programs[_i].mode);
    machine_load(MACHINE_CODE, programs[_i].code, programs[_i].end);
    end = machine_run();
    ck_assert_int_eq(end.exit, RUN_EXIT_HALT);
    ck_assert_uint_eq(end.vector, NO_VECTOR);
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], programs[_i].rax);
    machine_teardown();
}
END_TEST

/* The same bytes again after the program changed them, then others at the same place. */
START_TEST(bytes_loaded_again)
{
    machine_setup();
    for (int i = 0; i < 3; i++) {
        machine_mode(MODE_LONG);
        LOAD(smc_ahead);
        machine_run();
        ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], 0x77);
        machine_mode(MODE_LONG);
        LOAD(moffs);
        machine_run();
        ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], UINT64_C(0x1122334455667788));
    }
    machine_teardown();
}
END_TEST

START_TEST(jump_wraps_at_64k)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_REAL);
    LOAD(wrap16);
    machine_load(0xf, halt16, halt16_end);
    end = machine_run();
    ck_assert_uint_eq(end.vector, NO_VECTOR);
    ck_assert_uint_eq((uint16_t)machine_cpu->x86.gpr[R_RAX], 0x1234);
    machine_teardown();
}
END_TEST

static void raise_nmi(uint64_t value)
{
    cpu_raise(&machine_cpu->x86, CPU_EVENT_NMI);
}

/* The block behind the interrupted one must not become the handler's. */
START_TEST(event_between_linked_blocks)
{
    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(event_chain);
    machine_load(MACHINE_HANDLERS + 2 * 16, event_handler, event_handler_end);
    machine_on_mmio = raise_nmi;
    machine_run();
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], 150);
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_R8], 50);
    machine_teardown();
}
END_TEST

/* ---- fetch ---- */

static const uint8_t nop_then_long_add[] = { 0x90, 0x81, 0xc0, 1, 0, 0, 0 };    /* add $1, %eax */

/* An instruction that crosses into a page that is not there: the fault names the second page. */
START_TEST(fetch_fault_on_second_page)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_load(MACHINE_CODE + 0xffd, nop_then_long_add,
                 nop_then_long_add + sizeof(nop_then_long_add));
    *machine_pte(MACHINE_CODE + 0x1000) = 0;
    machine_cpu->x86.rip = MACHINE_CODE + 0xffd;
    end = machine_run();
    ck_assert_uint_eq(end.vector, EXC_PF);
    ck_assert_uint_eq(end.rip, MACHINE_CODE + 0xffe);
    ck_assert_uint_eq(machine_cpu->x86.cr2, MACHINE_CODE + 0x1000);
    machine_teardown();
}
END_TEST

START_TEST(fetch_from_no_execute_page)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(halt16);
    *machine_pte(MACHINE_CODE) |= UINT64_C(1) << 63;
    end = machine_run();
    ck_assert_uint_eq(end.vector, EXC_PF);
    ck_assert_uint_eq(end.error, 0x11);
    machine_teardown();
}
END_TEST

/* The same physical page at two addresses, and another one in place of the first. */
START_TEST(page_is_remapped)
{
    static const uint8_t one[] = { 0xb8, 1, 0, 0, 0, 0xf4 }, two[] = { 0xb8, 2, 0, 0, 0, 0xf4 };

    machine_setup();
    machine_load(0x10000, one, one + sizeof(one));
    machine_load(0x11000, two, two + sizeof(two));
    for (unsigned i = 0; i < 4; i++) {
        machine_mode(MODE_LONG);
        *machine_pte(MACHINE_CODE) = (i & 1 ? 0x11000 : 0x10000) | 7;
        machine_run();
        ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], i & 1 ? 2 : 1);
    }
    machine_teardown();
}
END_TEST

CHECK_MAIN("block", CASES(program_row, programs), CASE(bytes_loaded_again), CASE(jump_wraps_at_64k),
           CASE(event_between_linked_blocks), CASE(fetch_fault_on_second_page),
           CASE(fetch_from_no_execute_page), CASE(page_is_remapped))
