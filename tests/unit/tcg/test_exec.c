/*
 * The loop: halting, events and their shadows, stepping, breakpoints, one instruction for another
 * engine.
 */
#include "tcg_machine.h"

#include "check_main.h"

SNIPPET(shadow_sti);
SNIPPET(shadow_ss);
SNIPPET(sti_hlt);
SNIPPET(long_string);
SNIPPET(steps);
SNIPPET(accesses);
SNIPPET(trap_flag);

/* ---- an interrupt controller with one request ---- */

static int pending = -1;

static int take_pending(void *opaque)
{
    int vector = pending;

    pending = -1;
    cpu_lower(&machine_cpu->x86, CPU_EVENT_INTR);
    return vector;
}

static void request(int vector)
{
    machine_cpu->x86.intc.acknowledge = take_pending;
    pending = vector;
    cpu_raise(&machine_cpu->x86, CPU_EVENT_INTR);
}

START_TEST(sti_holds_off_one_instruction)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(shadow_sti);
    request(0x1f);
    end = machine_run();
    ck_assert_uint_eq(end.vector, 0x1f);
    ck_assert_uint_eq(end.rip, MACHINE_CODE + 3);
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], 1);
    machine_teardown();
}
END_TEST

START_TEST(mov_ss_holds_off_one_instruction)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_REAL);
    LOAD(shadow_ss);
    machine_cpu->x86.rflags |= RFLAGS_IF;
    machine_cpu->x86.intr_shadow = 2;               /* as if MOV SS came before as well */
    request(0x1f);
    end = machine_run();
    ck_assert_uint_eq(end.vector, 0x1f);
    ck_assert_uint_eq(end.rip, MACHINE_CODE + 2 + 2);
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_RBX], 1);
    machine_teardown();
}
END_TEST

/* The interrupt comes after HLT, not between. */
START_TEST(sti_hlt_wakes)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(sti_hlt);
    request(0x1e);
    end = machine_run();
    ck_assert_uint_eq(end.vector, 0x1e);
    ck_assert_uint_eq(end.rip, MACHINE_CODE + 2);
    machine_teardown();
}
END_TEST

START_TEST(interrupts_off_waits)
{
    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(steps);
    request(0x1e);
    ck_assert_uint_eq(machine_run().vector, NO_VECTOR);
    ck_assert_uint_eq(machine_cpu->x86.gpr[R_RAX], 3);
    ck_assert_int_eq(pending, 0x1e);
    machine_teardown();
}
END_TEST

START_TEST(nmi_blocks_nmi)
{
    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(steps);
    cpu_raise(&machine_cpu->x86, CPU_EVENT_NMI);
    ck_assert_uint_eq(machine_run().vector, EXC_NMI);
    ck_assert(machine_cpu->x86.nmi_blocked);
    cpu_raise(&machine_cpu->x86, CPU_EVENT_NMI);
    ck_assert(!x86_cpu_has_work(&machine_cpu->x86));
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_HALT);
    machine_teardown();
}
END_TEST

START_TEST(kick_leaves)
{
    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(steps);
    cpu_raise(&machine_cpu->x86, CPU_EVENT_KICK);
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_KICK);
    ck_assert_uint_eq(machine_cpu->x86.rip, MACHINE_CODE);
    machine_teardown();
}
END_TEST

/* ---- string instructions are left between iterations ---- */

static void request_kick(uint64_t value)
{
    cpu_raise(&machine_cpu->x86, CPU_EVENT_KICK);
}

START_TEST(string_is_interrupted)
{
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(long_string);
    machine_on_mmio = request_kick;
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_KICK);
    ck_assert_uint_eq(x86->gpr[R_RCX], 63);
    ck_assert_uint_eq(x86->gpr[R_RDI], MACHINE_DATA + 1);
    cpu_lower(x86, CPU_EVENT_KICK);
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_HALT);
    ck_assert_uint_eq(x86->gpr[R_RCX], 0);
    ck_assert_uint_eq(x86->gpr[R_RDI], MACHINE_DATA + 64);
    machine_teardown();
}
END_TEST

/* ---- stepping and breakpoints ---- */

START_TEST(single_step)
{
    static const uint64_t rips[] = { 2, 4, 7, 9 };
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(steps);
    x86->single_step = true;
    for (size_t i = 0; i < G_N_ELEMENTS(rips); i++) {
        ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
        ck_assert_int_eq(x86->debug_hit, DEBUG_STEP);
        ck_assert_uint_eq(x86->rip, MACHINE_CODE + rips[i]);
    }
    machine_teardown();
}
END_TEST

/* Told of, a breakpoint is passed; nothing else takes its turn. */
static void tell_break(X86Cpu *x86)
{
    x86->debug_pass = true;
    x86->debug_pass_addr = x86_linear_rip(x86);
}

START_TEST(breakpoint_stops_once)
{
    static const BreakPoint at = { .kind = BREAK_SOFT, .addr = MACHINE_CODE + 2, .len = 1 };
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(steps);
    ck_assert(accel_tcg.set_breakpoints(&machine_vm, &at, 1, NULL));
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
    ck_assert_int_eq(x86->debug_hit, DEBUG_BREAK);
    ck_assert_uint_eq(x86->rip, MACHINE_CODE + 2);
    ck_assert_uint_eq(x86->gpr[R_RAX], 1);
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
    ck_assert_uint_eq(x86->rip, MACHINE_CODE + 2);
    tell_break(x86);
    x86->rflags |= RFLAGS_IF;
    request(0x1f);
    x86->single_step = true;
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
    ck_assert_int_eq(x86->debug_hit, DEBUG_STEP);
    ck_assert_uint_eq(x86->rip, MACHINE_CODE + 4);
    x86->single_step = false;
    x86->rflags &= ~(uint64_t)RFLAGS_IF;
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_HALT);
    ck_assert_uint_eq(x86->gpr[R_RAX], 3);
    ck_assert(accel_tcg.set_breakpoints(&machine_vm, NULL, 0, NULL));
    machine_teardown();
}
END_TEST

/* A step that lets interrupts in ends behind the first instruction of the handler. */
START_TEST(single_step_into_a_handler)
{
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(steps);
    x86->rflags |= RFLAGS_IF;
    request(0x1f);
    x86->single_step = x86->step_interrupts = true;
    tell_break(x86);
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
    ck_assert_int_eq(x86->debug_hit, DEBUG_STEP);
    ck_assert_uint_eq(x86->rip & ~UINT64_C(0xfff), MACHINE_HANDLERS);
    machine_teardown();
}
END_TEST

/* A breakpoint comes into a block that is translated already, and goes again. */
START_TEST(breakpoint_cuts_a_block)
{
    static const BreakPoint at = { .kind = BREAK_SOFT, .addr = MACHINE_CODE + 2, .len = 1 };
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    for (unsigned i = 0; i < 3; i++) {
        machine_mode(MODE_LONG);
        LOAD(steps);
        x86->debug_hit = DEBUG_NONE;
        ck_assert(accel_tcg.set_breakpoints(&machine_vm, &at, i & 1, NULL));
        ck_assert_int_eq(machine_run().exit, i & 1 ? RUN_EXIT_DEBUG : RUN_EXIT_HALT);
        ck_assert_uint_eq(x86->gpr[R_RAX], i & 1 ? 1 : 3);
    }
    machine_teardown();
}
END_TEST

/* The stop comes right behind the access, each time. */
static const struct { int kind; uint64_t offset, len; unsigned rax[4]; } watches[] = {
    { WATCH_WRITE, 0, 4, { 2, 3, 0 } },
    { WATCH_READ, 0, 4, { 1, 0 } },
    { WATCH_ACCESS, 0, 4, { 1, 2, 3, 0 } },
    { WATCH_WRITE, 3, 1, { 2, 3, 0 } },
    { WATCH_ACCESS, 4, 8, { 0 } },
};

START_TEST(watch_row)
{
    const BreakPoint at = { .kind = watches[_i].kind, .addr = MACHINE_DATA + watches[_i].offset,
                            .len = watches[_i].len };
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(accesses);
    x86->gpr[R_RBX] = MACHINE_DATA;
    ck_assert(accel_tcg.set_breakpoints(&machine_vm, &at, 1, NULL));
    for (const unsigned *rax = watches[_i].rax; *rax != 0; rax++) {
        ck_assert_int_eq(machine_run().exit, RUN_EXIT_DEBUG);
        ck_assert_int_eq(x86->debug_hit, DEBUG_WATCH);
        ck_assert_uint_eq(x86->debug_addr, at.addr);
        ck_assert_uint_eq(x86->gpr[R_RAX], *rax);
        cpu_lower(x86, CPU_EVENT_KICK);             /* vcpu.c has looked */
    }
    ck_assert_int_eq(machine_run().exit, RUN_EXIT_HALT);
    ck_assert_uint_eq(x86->gpr[R_RAX], 4);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA], 3);
    ck_assert(accel_tcg.set_breakpoints(&machine_vm, NULL, 0, NULL));
    machine_teardown();
}
END_TEST

/* POPF that sets TF: the trap comes after the instruction behind it. */
START_TEST(trap_flag_traps_after_next)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    LOAD(trap_flag);
    end = machine_run();
    ck_assert_uint_eq(end.vector, EXC_DB);
    ck_assert_uint_eq(end.rip, MACHINE_CODE + (trap_flag_end - trap_flag) - 1);
    machine_teardown();
}
END_TEST

/* ---- decoding faults ---- */

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct {
    const uint8_t *code;
    size_t len;
    MachineMode mode;
    unsigned vector;
} faults[] = {
    { BYTES(0x0f, 0x0b), MODE_LONG, EXC_UD },
    { BYTES(0x0f, 0xff, 0xc0), MODE_LONG, EXC_UD },
    { BYTES(0x06), MODE_LONG, EXC_UD },                                 /* push %es */
    { BYTES(0x62, 0x00), MODE_LONG, EXC_UD },                           /* no EVEX */
    { BYTES(0xf0, 0x90), MODE_LONG, EXC_UD },                           /* lock nop */
    { BYTES(0xf0, 0x01, 0xc0), MODE_LONG, EXC_UD },                     /* lock add %eax, %eax */
    { BYTES(0xf0, 0x8b, 0x00), MODE_LONG, EXC_UD },                     /* lock mov (%rax), %eax */
    { BYTES(0xf0, 0x39, 0x00), MODE_LONG, EXC_UD },                     /* lock cmp %eax, (%rax) */
    { BYTES(0xf0, 0x0f, 0xa3, 0x00), MODE_LONG, EXC_UD },               /* lock bt %eax, (%rax) */
    { BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x90), MODE_LONG, EXC_GP },                                 /* 16 bytes */
    { BYTES(0x8e, 0xc8), MODE_LONG, EXC_UD },                           /* mov %eax, %cs */
    { BYTES(0x0f, 0x20, 0xc8), MODE_LONG, EXC_UD },                     /* mov %cr1, %rax */
    { BYTES(0x0f, 0x01, 0xc1), MODE_LONG, EXC_UD },                     /* vmcall */
    { BYTES(0x0f, 0xaa), MODE_LONG, EXC_UD },                           /* rsm outside SMM */
    { BYTES(0xf4), MODE_USER64, EXC_GP },                               /* hlt */
    { BYTES(0xfa), MODE_USER64, EXC_GP },                               /* cli */
    { BYTES(0x0f, 0x20, 0xc0), MODE_USER64, EXC_GP },
    { BYTES(0x0f, 0x01, 0xf8), MODE_USER64, EXC_GP },                   /* swapgs */
    { BYTES(0x0f, 0x01, 0xf8), MODE_USER32, EXC_UD },
    { BYTES(0x0f, 0x06), MODE_USER64, EXC_GP },                         /* clts */
    { BYTES(0x0f, 0x30), MODE_USER64, EXC_GP },                         /* wrmsr */
    { BYTES(0x0f, 0x33), MODE_LONG, EXC_GP },                           /* rdpmc */
    { BYTES(0xe4, 0x60), MODE_USER64, EXC_GP },                         /* in $0x60, %al */
    { BYTES(0xcc), MODE_USER64, EXC_BP },
    { BYTES(0xcd, 0x05), MODE_USER64, 5 },
    { BYTES(0xf1), MODE_USER64, EXC_DB },                               /* int1 */
    { BYTES(0xce), MODE_USER64, EXC_UD },                               /* into */
    { BYTES(0xf7, 0xf1), MODE_USER64, EXC_DE },                         /* div %ecx */
    { BYTES(0x63, 0xc0), MODE_REAL, EXC_UD },                           /* arpl */
    { BYTES(0x0f, 0x00, 0xc0), MODE_REAL, EXC_UD },                     /* sldt %ax */
    { BYTES(0x0f, 0x02, 0xc0), MODE_REAL, EXC_UD },                     /* lar %ax, %ax */
    { BYTES(0xd4, 0x00), MODE_REAL, EXC_DE },                           /* aam $0 */
};

START_TEST(fault_row)
{
    MachineEnd end;

    machine_setup();
    machine_mode(faults[_i].mode);
    memset(machine_ram + MACHINE_CODE, 0x90, 64);
    machine_load(MACHINE_CODE, faults[_i].code, faults[_i].code + faults[_i].len);
    end = machine_run();
    ck_assert_msg(end.vector == faults[_i].vector, "vector %u, not %u", end.vector,
                  faults[_i].vector);
    if (end.vector != EXC_BP && end.vector != 5 && end.vector != EXC_DB) {
        ck_assert_uint_eq(end.rip, MACHINE_CODE);
    } else {
        ck_assert_uint_eq(end.rip, MACHINE_CODE + faults[_i].len);
    }
    machine_teardown();
}
END_TEST

/* ---- another engine's instruction ---- */

START_TEST(interprets_one)
{
    X86Cpu *x86;

    machine_setup();
    x86 = &machine_cpu->x86;
    machine_mode(MODE_LONG);
    LOAD(steps);
    for (unsigned i = 1; i <= 2; i++) {
        ck_assert(tcg_interpret_one(x86));
        ck_assert_uint_eq(x86->gpr[R_RAX], i);
        ck_assert_uint_eq(x86->rip, MACHINE_CODE + 2 * i);
    }
    /* A fault is delivered. */
    machine_ram[MACHINE_CODE + 4] = 0x0f;
    machine_ram[MACHINE_CODE + 5] = 0x0b;
    ck_assert(tcg_interpret_one(x86));
    ck_assert_uint_eq(x86->rip, MACHINE_HANDLERS + EXC_UD * 16);
    machine_teardown();
}
END_TEST

CHECK_MAIN("exec", CASE(sti_holds_off_one_instruction), CASE(mov_ss_holds_off_one_instruction),
           CASE(sti_hlt_wakes), CASE(interrupts_off_waits), CASE(nmi_blocks_nmi), CASE(kick_leaves),
           CASE(string_is_interrupted), CASE(single_step), CASE(single_step_into_a_handler),
           CASE(breakpoint_stops_once), CASE(breakpoint_cuts_a_block), CASES(watch_row, watches),
           CASE(trap_flag_traps_after_next), CASES(fault_row, faults), CASE(interprets_one))
