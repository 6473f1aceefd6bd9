#include "check_main.h"
#include "sys_machine.h"

#include <string.h>

static UOp insn = { .insn_len = 2 };

#define TASK_B      0x4000u             /* its TSS */
#define SEL_B       SEL_FREE
#define CODE_B      0xb000u
#define STACK_B     0x6000u

static void put_task_b(bool is32)
{
    unsigned width = is32 ? 4 : 2;
    static const uint16_t segs[] = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0 };
    uint64_t at = TASK_B + (is32 ? 0x20 : 0x0e);

    sys_put_desc(SEL_B, TASK_B, is32 ? 0x67 : 0x2b, is32 ? 0x89 : 0x81);
    sys_poke(at, CODE_B, width);
    sys_poke(at + width, 2, width);
    for (unsigned i = 0; i < 8; i++) {
        sys_poke(at + (2 + i) * width, i == R_RSP ? STACK_B : 0x1000 + i, width);
    }
    for (unsigned i = 0; i < 4; i++) {
        sys_poke(at + (10 + i) * width, segs[i], 2);
    }
}

static void start(bool is32)
{
    sys_setup();
    sys_protected(0);
    sys_cpu->x86.gpr[GPR_BLOCK_RIP] = SYS_CODE;
    sys_cpu->x86.gpr[R_RAX] = 0xaaaa5555;
    sys_poke(SYS_GDT + SEL_TSS + 5, 0x8b, 1);           /* busy: it runs */
    put_task_b(is32);
}

static unsigned desc_type_of(unsigned selector)
{
    return sys_peek(SYS_GDT + selector + 5, 1) & 15;
}

static void check_in_b(bool is32)
{
    const X86Cpu *x86 = &sys_cpu->x86;
    uint32_t upper = is32 ? 0 : 0xffff0000u;

    ck_assert_uint_eq(x86->tr.selector, SEL_B);
    ck_assert_uint_eq(x86->rip, CODE_B);
    ck_assert_uint_eq(x86->gpr[R_RAX], upper | 0x1000);
    ck_assert_uint_eq(x86->gpr[R_RDI], upper | 0x1007);
    ck_assert_uint_ne(x86->cr0 & CR0_TS, 0);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, SEL_CODE0);
    ck_assert_uint_eq(sys_peek(SYS_TSS + 0x20, 4), SYS_CODE + 2);
    ck_assert_uint_eq(sys_peek(SYS_TSS + 0x28, 4), 0xaaaa5555);
    ck_assert_uint_eq(sys_peek(SYS_TSS + 0x4c, 2), SEL_CODE0);
}

static const bool widths[] = { false, true };

START_TEST(jump_to_task)
{
    start(widths[_i]);
    tcg_far_jump(sys_cpu, &insn, SEL_B, 0, 32);
    check_in_b(widths[_i]);
    ck_assert_uint_eq(sys_cpu->x86.gpr[R_RSP] & 0xffff, STACK_B);
    ck_assert_uint_eq(desc_type_of(SEL_TSS), SYS_TSS32);
    ck_assert_uint_eq(desc_type_of(SEL_B) & 2, 2);
    ck_assert_uint_eq(sys_cpu->x86.rflags & RFLAGS_NT, 0);
}
END_TEST

START_TEST(call_and_return)
{
    start(widths[_i]);
    tcg_far_call(sys_cpu, &insn, SEL_B, 0, 32);
    check_in_b(widths[_i]);
    ck_assert_uint_eq(desc_type_of(SEL_TSS), SYS_TSS32_BUSY);
    ck_assert_uint_eq(desc_type_of(SEL_B) & 2, 2);
    ck_assert_uint_ne(sys_cpu->x86.rflags & RFLAGS_NT, 0);
    ck_assert_uint_eq(sys_peek(TASK_B, 2), SEL_TSS);
    sys_cpu->x86.gpr[GPR_BLOCK_RIP] = CODE_B;
    tcg_iret(sys_cpu, &insn, 32);
    ck_assert_uint_eq(sys_cpu->x86.tr.selector, SEL_TSS);
    ck_assert_uint_eq(sys_cpu->x86.rip, SYS_CODE + 2);
    ck_assert_uint_eq(sys_cpu->x86.gpr[R_RAX], 0xaaaa5555);
    ck_assert_uint_eq(desc_type_of(SEL_B) & 2, 0);
    ck_assert_uint_eq(sys_peek(TASK_B + (widths[_i] ? 0x20 : 0x0e), 2), CODE_B + 2);
    ck_assert_uint_eq(sys_cpu->x86.rflags & RFLAGS_NT, 0);
}
END_TEST

START_TEST(exception_through_task_gate)
{
    start(true);
    sys_put_gate(SYS_IDT + 8 * EXC_GP, SEL_B, 0, SYS_TASK_GATE, 0, 0);
    sys_deliver(EXC_GP, false, true, 0x1230, SYS_CODE + 2);
    check_in_b(true);
    ck_assert_uint_eq(sys_cpu->x86.gpr[R_RSP], STACK_B - 4);
    ck_assert_uint_eq(sys_peek(STACK_B - 4, 4), 0x1230);
    ck_assert_uint_ne(sys_cpu->x86.rflags & RFLAGS_NT, 0);
}
END_TEST

/* ---- refused ---- */

static void run_jump(void *arg)
{
    tcg_far_jump(sys_cpu, &insn, SEL_B, 0, 32);
}

static void make_busy(void) { sys_poke(SYS_GDT + SEL_B + 5, 0x8b, 1); }
static void make_absent(void) { sys_poke(SYS_GDT + SEL_B + 5, 0x09, 1); }
static void make_short(void) { sys_poke(SYS_GDT + SEL_B, 0x66, 2); }
static void bad_code(void) { sys_poke(TASK_B + 0x4c, SEL_DATA0, 2); }
static void bad_stack(void) { sys_poke(TASK_B + 0x50, SEL_DATA3, 2); }
static void bad_data(void) { sys_poke(TASK_B + 0x54, 0x1f8, 2); }
static void absent_data(void) { sys_poke(TASK_B + 0x54, SEL_ABSENT, 2); }
static void bad_ldt(void) { sys_poke(TASK_B + 0x60, SEL_DATA0, 2); }
static void trap_bit(void) { sys_poke(TASK_B + 0x64, 1, 2); }

static const struct {
    void (*spoil)(void);
    unsigned vector;
    uint32_t error;
    bool in_new;                        /* the fault belongs to the new task */
} refused[] = {
    { make_busy, EXC_GP, SEL_B, false },
    { make_absent, EXC_NP, SEL_B, false },
    { make_short, EXC_TS, SEL_B, false },
    { bad_code, EXC_TS, SEL_DATA0, true },
    { bad_stack, EXC_TS, SEL_DATA3 & ~3u, true },
    { bad_data, EXC_TS, 0x1f8, true },
    { absent_data, EXC_NP, SEL_ABSENT, true },
    { bad_ldt, EXC_TS, SEL_DATA0, true },
    { trap_bit, EXC_DB, 0, true },
};

START_TEST(refused_row)
{
    SysResult result;

    start(true);
    refused[_i].spoil();
    result = sys_try(run_jump, NULL);
    ck_assert(result.raised);
    ck_assert_uint_eq(result.vector, refused[_i].vector);
    ck_assert_uint_eq(result.error, refused[_i].error);
    ck_assert_uint_eq(sys_cpu->x86.tr.selector, refused[_i].in_new ? SEL_B : SEL_TSS);
    ck_assert_uint_eq(sys_cpu->x86.rip, refused[_i].in_new ? CODE_B : SYS_CODE);
}
END_TEST

CHECK_MAIN("tcg/task",
    CASES(jump_to_task, widths), CASES(call_and_return, widths), CASE(exception_through_task_gate),
    CASES(refused_row, refused))
