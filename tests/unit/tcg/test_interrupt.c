#include "check_main.h"
#include "sys_machine.h"

static UOp insn = { .insn_len = 2 };

#define HANDLER 0xa000u

static void start(bool is_long, unsigned cpl)
{
    sys_setup();
    if (is_long) {
        sys_long(cpl);
    } else {
        sys_protected(cpl);
    }
    sys_cpu->x86.gpr[GPR_BLOCK_RIP] = SYS_CODE;
    sys_cpu->x86.rflags |= RFLAGS_IF | RFLAGS_TF;
}

static uint64_t gate_at(unsigned vector)
{
    return SYS_IDT + vector * (sys_cpu->x86.efer & EFER_LMA ? 16 : 8);
}

static void put_gate(unsigned vector, unsigned type, unsigned dpl)
{
    sys_put_gate(gate_at(vector), SEL_CODE0, HANDLER, type, dpl, 0);
}

/* ---- where an event goes and what it pushes ---- */

typedef struct Event {
    unsigned cpl;
    unsigned gate_type, gate_dpl;
    unsigned vector;
    bool soft, has_error;
    uint32_t rsp_below;                 /* stack bytes used */
    bool if_after;
    unsigned reported;                  /* `vector`, or that of what failed instead */
    uint32_t error;                     /* pushed on top */
} Event;

/* Protected mode; vectors 11 and 13 have 32-bit interrupt gates always. */
static const Event events[] = {
    { 0, SYS_INT32, 0, 32, false, false, 12, false, 32 },
    { 0, SYS_TRAP32, 0, 32, false, false, 12, true, 32 },
    { 3, SYS_INT32, 0, 32, false, false, 20, false, 32 },
    { 0, SYS_INT16, 0, 32, false, false, 6, false, 32 },
    { 3, SYS_INT32, 0, 14, false, true, 24, false, 14, 0x1234 },
    { 3, SYS_INT32, 3, 0x80, true, false, 20, false, 0x80 },
    { 3, SYS_INT32, 0, 0x80, true, false, 24, false, 13, 0x80 * 8 + 2 },        /* gate's DPL */
    { 3, SYS_LDT, 0, 32, false, false, 24, false, 13, 32 * 8 + 3 },         /* not a gate; EXT */
};

START_TEST(event_row)
{
    const Event *event = &events[_i];
    unsigned size = event->gate_type == SYS_INT16 ? 2 : 4;
    X86Cpu *x86;
    uint64_t top, sp;

    start(false, event->cpl);
    x86 = &sys_cpu->x86;
    put_gate(11, SYS_INT32, 0);
    put_gate(13, SYS_INT32, 0);
    put_gate(event->vector, event->gate_type, event->gate_dpl);
    sys_deliver(event->vector, event->soft, event->has_error, 0x1234, SYS_CODE + 2);
    ck_assert_uint_eq(x86->rip, HANDLER);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, SEL_CODE0);
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK0 - event->rsp_below);
    ck_assert_int_eq((x86->rflags & RFLAGS_IF) != 0, event->if_after);
    ck_assert_uint_eq(x86->rflags & RFLAGS_TF, 0);
    ck_assert_uint_eq(x86_cpl(x86), 0);
    top = x86->gpr[R_RSP];
    sp = top;
    if (event->has_error || event->reported != event->vector) {
        ck_assert_uint_eq(sys_peek(sp, size), event->error);
        sp += size;
    }
    ck_assert_uint_eq(sys_peek(sp, size),
                      event->reported == event->vector ? SYS_CODE + 2u : SYS_CODE);
    ck_assert_uint_eq(sys_peek(sp + size, 2), event->cpl ? SEL_CODE3 : SEL_CODE0);
    ck_assert_uint_ne(sys_peek(sp + 2 * size, size) & RFLAGS_TF, 0);
    if (event->cpl == 3) {
        ck_assert_uint_eq(sys_peek(sp + 3 * size, size), SYS_STACK3);
        ck_assert_uint_eq(sys_peek(sp + 4 * size, 2), SEL_DATA3);
    }
}
END_TEST

static void run_iret(void *arg)
{
    tcg_iret(sys_cpu, &insn, *(unsigned *)arg);
}

START_TEST(iret_undoes_an_interrupt)
{
    unsigned bits = _i & 1 ? 64 : 32, cpl = _i & 2 ? 3 : 0;
    uint64_t flags, rsp;
    X86Cpu *x86;

    start(_i & 1, cpl);
    x86 = &sys_cpu->x86;
    x86->nmi_blocked = true;
    flags = x86->rflags;
    rsp = x86->gpr[R_RSP];
    put_gate(33, SYS_INT32, 0);
    sys_deliver(33, false, false, 0, SYS_CODE + 5);
    ck_assert_uint_eq(x86->rip, HANDLER);
    ck_assert(!sys_try(run_iret, &bits).raised);
    ck_assert_uint_eq(x86->rip, SYS_CODE + 5);
    ck_assert_uint_eq(x86->rflags, flags);
    ck_assert_uint_eq(x86->gpr[R_RSP], rsp);
    ck_assert_uint_eq(x86_cpl(x86), cpl);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, cpl ? SEL_DATA3 : SEL_DATA0);
    ck_assert(!x86->nmi_blocked);
}
END_TEST

/* ---- long mode ---- */

START_TEST(long_mode_frame_is_aligned)
{
    X86Cpu *x86;

    start(true, 0);
    x86 = &sys_cpu->x86;
    x86->gpr[R_RSP] = SYS_STACK0 - 4;
    put_gate(14, SYS_INT32, 0);
    sys_deliver(14, false, true, 6, SYS_CODE);
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK0 - 16 - 48);
    ck_assert_uint_eq(sys_peek(x86->gpr[R_RSP], 8), 6);
    ck_assert_uint_eq(sys_peek(x86->gpr[R_RSP] + 8, 8), SYS_CODE);
    ck_assert_uint_eq(sys_peek(x86->gpr[R_RSP] + 32, 8), SYS_STACK0 - 4);
    ck_assert_uint_eq(sys_peek(x86->gpr[R_RSP] + 40, 8), SEL_DATA0);
}
END_TEST

START_TEST(interrupt_stack_table)
{
    X86Cpu *x86;

    start(true, 3);
    x86 = &sys_cpu->x86;
    sys_poke(SYS_TSS + 36 + 8, 0x6000, 8);              /* IST2 */
    put_gate(8, SYS_INT32, 0);
    sys_poke(gate_at(8) + 4, 2, 1);
    sys_deliver(8, false, true, 0, SYS_CODE);
    ck_assert_uint_eq(x86->gpr[R_RSP], 0x6000 - 48);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, 0);
}
END_TEST

/* ---- real and virtual-8086 mode ---- */

START_TEST(real_mode_vector)
{
    unsigned bits = 16;
    X86Cpu *x86;

    sys_setup();
    x86 = &sys_cpu->x86;
    tcg_load_seg(sys_cpu, &insn, SEG_CS, 0x100);
    x86->rflags |= RFLAGS_IF;
    x86->gpr[R_RSP] = 0x2000;
    sys_poke(0x21 * 4, 0x12340056, 4);
    sys_deliver(0x21, true, false, 0, 0x77);
    ck_assert_uint_eq(x86->seg[SEG_CS].base, 0x12340);
    ck_assert_uint_eq(x86->rip, 0x56);
    ck_assert_uint_eq(x86->rflags & RFLAGS_IF, 0);
    ck_assert_uint_eq(sys_peek(0x1ffa, 4), 0x01000077);
    ck_assert(!sys_try(run_iret, &bits).raised);
    ck_assert_uint_eq(x86->rip, 0x77);
    ck_assert_uint_ne(x86->rflags & RFLAGS_IF, 0);
}
END_TEST

static void enter_vm86(unsigned iopl)
{
    static const uint32_t frame[] = { 0x100, 0x200, 0, 0x1000, 0x300, 0x400, 0x500, 0x600, 0x700 };
    X86Cpu *x86 = &sys_cpu->x86;
    unsigned bits = 32;

    x86->gpr[R_RSP] = SYS_STACK0 - sizeof(frame);
    for (size_t i = 0; i < G_N_ELEMENTS(frame); i++) {
        sys_poke(SYS_STACK0 - sizeof(frame) + 4 * i, frame[i], 4);
    }
    sys_poke(SYS_STACK0 - sizeof(frame) + 8, RFLAGS_VM | RFLAGS_IF | iopl << 12 | 2, 4);
    x86->rflags &= ~(uint64_t)RFLAGS_TF;
    ck_assert(!sys_try(run_iret, &bits).raised);
}

START_TEST(to_virtual_8086_and_back)
{
    X86Cpu *x86;

    start(false, 0);
    x86 = &sys_cpu->x86;
    enter_vm86(0);
    ck_assert_uint_eq(x86->rip, 0x100);
    ck_assert_uint_eq(x86->seg[SEG_CS].base, 0x2000);
    ck_assert_uint_eq(x86->seg[SEG_DS].base, 0x5000);
    ck_assert_uint_eq(x86->gpr[R_RSP], 0x1000);
    ck_assert_uint_eq(x86_cpl(x86), 3);
    ck_assert_uint_ne(x86->mode & CPU_MODE_VM86, 0);
    put_gate(13, SYS_INT32, 0);
    sys_deliver(13, false, true, 0, x86->rip);
    ck_assert_uint_eq(x86_cpl(x86), 0);
    ck_assert_uint_eq(x86->mode & CPU_MODE_VM86, 0);
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK0 - 40);
    ck_assert_uint_eq(sys_peek(SYS_STACK0 - 4, 4), 0x700);      /* GS */
    ck_assert_uint_eq(sys_peek(SYS_STACK0 - 16, 4), 0x400);     /* ES */
    ck_assert_uint_eq(x86->seg[SEG_DS].selector, 0);
}
END_TEST

START_TEST(virtual_8086_iret_needs_iopl)
{
    unsigned bits = 16;
    SysResult result;

    start(false, 0);
    enter_vm86(0);
    result = sys_try(run_iret, &bits);
    ck_assert(result.raised);
    ck_assert_uint_eq(result.vector, EXC_GP);
}
END_TEST

/* ---- faults in delivery ---- */

static const struct {
    unsigned first;
    bool has_error;
    unsigned gates[3];                  /* vectors that have a handler */
    unsigned handled;                   /* by this one; 0: shutdown */
    uint32_t error;
} nested[] = {
    { 13, true, { 13 }, 13, 0x55 },
    { 13, true, { 8 }, 8, 0 },                          /* #GP, then #GP for its gate */
    { 14, true, { 8 }, 8, 0 },
    { 0, false, { 8 }, 8, 0 },
    { 6, false, { 13 }, 13, 6 * 8 + 3 },                /* #UD is benign: the second is delivered */
    { 33, false, { 13 }, 13, 33 * 8 + 3 },
    { 6, false, { 8 }, 8, 0 },                          /* #UD, #GP, #GP */
    { 13, true, { 6 }, 0, 0 },
};

START_TEST(nested_row)
{
    SysResult result;

    start(false, 0);
    /* An empty descriptor is not a gate: #GP. */
    for (unsigned i = 0; i < 3 && nested[_i].gates[i] != 0; i++) {
        put_gate(nested[_i].gates[i], SYS_INT32, 0);
        sys_poke(gate_at(nested[_i].gates[i]), HANDLER + nested[_i].gates[i] * 16, 2);
    }
    result = sys_deliver(nested[_i].first, false, nested[_i].has_error, 0x55, SYS_CODE);
    ck_assert_int_eq(result.left, nested[_i].handled == 0);
    if (result.left) {
        ck_assert_int_eq(result.exit, RUN_EXIT_SHUTDOWN);
    } else {
        ck_assert_uint_eq(sys_cpu->x86.rip, HANDLER + nested[_i].handled * 16);
        ck_assert_uint_eq(sys_peek(sys_cpu->x86.gpr[R_RSP], 4), nested[_i].error);
    }
    ck_assert_uint_eq(sys_cpu->delivering, 0);
}
END_TEST

/* ---- IRET's checks ---- */

static const struct {
    uint32_t eip, cs, flags, esp, ss;
    unsigned vector;
    uint32_t error;
} frames[] = {
    { 0x100, SEL_CODE0, 2, 0, 0, 0xff },
    { 0x100, SEL_CODE3, 2, SYS_STACK3, SEL_DATA3, 0xff },
    { 0x100, 0, 2, 0, 0, EXC_GP, 0 },
    { 0x100, SEL_DATA0, 2, 0, 0, EXC_GP, SEL_DATA0 },
    { 0x100, SEL_CODE0 | 3, 2, SYS_STACK3, SEL_DATA3, EXC_GP, SEL_CODE0 },
    { 0x100, SEL_CODE3, 2, SYS_STACK3, SEL_DATA0, EXC_GP, SEL_DATA0 },
    { 0x100, SEL_CODE3, 2, SYS_STACK3, 3, EXC_GP, 0 },
};

START_TEST(iret_row)
{
    const uint32_t *frame = &frames[_i].eip;
    unsigned bits = 32;
    SysResult result;

    start(false, 0);
    sys_cpu->x86.gpr[R_RSP] = SYS_STACK0 - 20;
    for (unsigned i = 0; i < 5; i++) {
        sys_poke(SYS_STACK0 - 20 + 4 * i, frame[i], 4);
    }
    result = sys_try(run_iret, &bits);
    ck_assert_int_eq(result.raised, frames[_i].vector != 0xff);
    if (result.raised) {
        ck_assert_uint_eq(result.vector, frames[_i].vector);
        ck_assert_uint_eq(result.error, frames[_i].error);
        ck_assert_uint_eq(sys_cpu->x86.gpr[R_RSP], SYS_STACK0 - 20);
    } else {
        ck_assert_uint_eq(sys_cpu->x86.rip, 0x100);
    }
}
END_TEST

/* Ring 3 changes neither IOPL nor, without it, IF. */
START_TEST(iret_in_ring_3_keeps_privileged_flags)
{
    unsigned bits = 32;

    start(false, 3);
    sys_poke(SYS_STACK3 - 12, SYS_CODE, 4);
    sys_poke(SYS_STACK3 - 8, SEL_CODE3, 4);
    sys_poke(SYS_STACK3 - 4, 3u << 12 | RFLAGS_CF | 2, 4);
    sys_cpu->x86.gpr[R_RSP] = SYS_STACK3 - 12;
    ck_assert(!sys_try(run_iret, &bits).raised);
    ck_assert_uint_eq(sys_cpu->x86.rflags & (RFLAGS_IOPL | RFLAGS_IF | RFLAGS_CF),
                      RFLAGS_IF | RFLAGS_CF);
}
END_TEST

CHECK_MAIN("tcg/interrupt",
    CASES(event_row, events), TIMES(iret_undoes_an_interrupt, 2 * 2),
    CASE(long_mode_frame_is_aligned), CASE(interrupt_stack_table), CASE(real_mode_vector),
    CASE(to_virtual_8086_and_back), CASE(virtual_8086_iret_needs_iopl), CASES(nested_row, nested),
    CASES(iret_row, frames), CASE(iret_in_ring_3_keeps_privileged_flags))
