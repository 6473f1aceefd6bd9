/*
 * Random bytes as code, in every mode: whatever they do, each step comes back with a halt, a stop
 * or a fault that was delivered.  RANDOM_SEED repeats a run.
 */
#include "tcg_machine.h"

#include <stdlib.h>

#include "check_main.h"

enum { PROGRAMS = 4000, STEPS = 24, BYTES = 64 };

static const struct { MachineMode mode; const char *name; } modes[] = {
    { MODE_REAL, "real" }, { MODE_PROT16, "16-bit" }, { MODE_PROT32, "32-bit" },
    { MODE_LONG, "64-bit" }, { MODE_USER32, "32-bit user" }, { MODE_USER64, "64-bit user" },
};

static guint32 seed(void)
{
    const char *given = getenv("RANDOM_SEED");

    return given != NULL ? (guint32)strtoul(given, NULL, 0) : g_random_int();
}

/* Prefixes and two-byte opcodes are too rare in plain noise. */
static uint8_t random_byte(GRand *rand)
{
    static const uint8_t favourites[] = { 0x0f, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x0f, 0x38, 0x3a, 0x2e };
    guint32 value = g_rand_int(rand);

    return value >> 30 == 0 ? favourites[(value & 0xff) % sizeof(favourites)] : (uint8_t)value;
}

static void random_registers(GRand *rand)
{
    X86Cpu *x86 = &machine_cpu->x86;

    for (unsigned i = 0; i < 16; i++) {
        x86->gpr[i] = g_rand_boolean(rand) ? MACHINE_DATA + g_rand_int_range(rand, 0, 4096)
                                           : (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    }
    x86->gpr[R_RSP] = MACHINE_STACK - 1024;
    x86->rflags = RFLAGS_FIXED | (g_rand_int(rand) & (RFLAGS_ARITH | RFLAGS_DF | RFLAGS_AC));
}

/* REP counts are kept small: a long string is no fault, only slow. */
static void limit_count(void)
{
    machine_cpu->x86.gpr[R_RCX] &= 0xff;
}

static void run_program(GRand *rand, MachineMode mode)
{
    X86Cpu *x86 = &machine_cpu->x86;
    uint8_t code[BYTES];

    for (unsigned i = 0; i < BYTES; i++) {
        code[i] = random_byte(rand);
    }
    machine_mode(mode);
    machine_load(MACHINE_CODE, code, code + BYTES);
    random_registers(rand);
    x86->single_step = true;
    for (unsigned i = 0; i < STEPS; i++) {
        RunExit why;

        limit_count();
        why = accel_tcg.run(x86);
        ck_assert_int_ne(why, RUN_EXIT_INTERNAL_ERROR);
        if (why != RUN_EXIT_DEBUG) {
            break;
        }
    }
    x86->single_step = false;
}

START_TEST(mode_row)
{
    guint32 first = seed();
    g_autoptr(GRand) rand = g_rand_new_with_seed(first + (guint32)_i);

    machine_setup();
    g_print("%s: RANDOM_SEED=%u\n", modes[_i].name, first);
    for (unsigned i = 0; i < PROGRAMS; i++) {
        run_program(rand, modes[_i].mode);
    }
    machine_teardown();
}
END_TEST

CHECK_MAIN("random", CASES(mode_row, modes))
