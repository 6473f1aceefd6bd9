#include "check_main.h"
#include "sys_machine.h"

#include <string.h>

/* An instruction of two bytes at SYS_CODE. */
static UOp insn = { .insn_len = 2 };
#define NEXT_RIP (SYS_CODE + 2u)

enum { NONE = 0xff };                   /* no fault */

static void start(bool is_long, unsigned cpl)
{
    sys_setup();
    if (is_long) {
        sys_long(cpl);
    } else {
        sys_protected(cpl);
    }
    sys_cpu->x86.gpr[GPR_BLOCK_RIP] = SYS_CODE;
}

static void check_fault(SysResult result, unsigned vector, uint32_t error)
{
    ck_assert_int_eq(result.raised, vector != NONE);
    if (result.raised) {
        ck_assert_uint_eq(result.vector, vector);
        ck_assert_uint_eq(result.error, error);
    }
}

/* ---- loading segment registers ---- */

typedef struct Load {
    bool is_long;
    unsigned cpl;
    int seg;
    uint16_t selector;
    unsigned vector;
    uint32_t error;
} Load;

static const Load loads[] = {
    { false, 0, SEG_DS, SEL_DATA0, NONE },
    { false, 0, SEG_DS, SEL_DATA3, NONE },
    { false, 3, SEG_DS, SEL_DATA0, EXC_GP, SEL_DATA0 },
    { false, 3, SEG_DS, SEL_DATA0 | 3, EXC_GP, SEL_DATA0 },
    { false, 0, SEG_DS, SEL_DATA0 | 3, EXC_GP, SEL_DATA0 },
    { false, 0, SEG_DS, 0, NONE },
    { false, 0, SEG_DS, 3, NONE },
    { false, 0, SEG_SS, 0, EXC_GP, 0 },
    { false, 0, SEG_DS, SEL_CODE0, NONE },                  /* readable code */
    { false, 0, SEG_DS, SEL_EXEC_ONLY, EXC_GP, SEL_EXEC_ONLY },
    { false, 3, SEG_DS, SEL_CONFORMING, NONE },
    { false, 0, SEG_DS, SEL_TSS, EXC_GP, SEL_TSS },
    { false, 0, SEG_DS, SEL_ABSENT, EXC_NP, SEL_ABSENT },
    { false, 0, SEG_SS, SEL_ABSENT, EXC_SS, SEL_ABSENT },
    { false, 0, SEG_SS, SEL_READ_ONLY, EXC_GP, SEL_READ_ONLY },
    { false, 0, SEG_SS, SEL_DATA3, EXC_GP, SEL_DATA3 & ~3u },
    { false, 3, SEG_SS, SEL_DATA3, NONE },
    { false, 0, SEG_DS, 0x100, EXC_GP, 0x100 },             /* beyond the limit */
    { false, 0, SEG_DS, 0x0c, EXC_GP, 0x0c },               /* no LDT */
    { true, 0, SEG_SS, 0, NONE },
    { true, 0, SEG_SS, 3, EXC_GP, 0 },
    { true, 3, SEG_SS, 3, EXC_GP, 0 },
    { true, 3, SEG_SS, SEL_DATA3, NONE },
};

static void run_load(void *arg)
{
    const Load *load = arg;

    tcg_load_seg(sys_cpu, &insn, load->seg, load->selector);
}

START_TEST(load_row)
{
    const X86Seg *seg;
    SysResult result;
    X86Seg before;

    start(loads[_i].is_long, loads[_i].cpl);
    seg = &sys_cpu->x86.seg[loads[_i].seg];
    before = *seg;
    result = sys_try(run_load, (void *)&loads[_i]);
    check_fault(result, loads[_i].vector, loads[_i].error);
    if (result.raised) {
        ck_assert_mem_eq(seg, &before, sizeof(before));
    } else {
        ck_assert_uint_eq(seg->selector, loads[_i].selector);
        ck_assert_int_eq((seg->attr & SEG_ATTR_P) != 0, !selector_is_null(loads[_i].selector));
    }
}
END_TEST

START_TEST(accessed_bit_is_set)
{
    start(false, 0);
    sys_put_desc(SEL_FREE, 0x12345678, 0xabcde, 0x4092);
    tcg_load_seg(sys_cpu, &insn, SEG_ES, SEL_FREE);
    ck_assert_uint_eq(sys_peek(SYS_GDT + SEL_FREE + 5, 1), 0x93);
    ck_assert_uint_eq(sys_cpu->x86.seg[SEG_ES].base, 0x12345678);
    ck_assert_uint_eq(sys_cpu->x86.seg[SEG_ES].limit, 0xabcde);
    ck_assert_uint_eq(sys_cpu->x86.seg[SEG_ES].attr, 0x4093);
}
END_TEST

START_TEST(real_mode_keeps_the_limit)
{
    sys_setup();
    sys_cpu->x86.seg[SEG_DS].limit = UINT32_MAX;
    tcg_load_seg(sys_cpu, &insn, SEG_DS, 0x1234);
    ck_assert_uint_eq(sys_cpu->x86.seg[SEG_DS].base, 0x12340);
    ck_assert_uint_eq(sys_cpu->x86.seg[SEG_DS].limit, UINT32_MAX);
}
END_TEST

/* ---- limits ---- */

typedef struct Limit {
    uint16_t attr;
    uint32_t limit;
    uint64_t offset;
    unsigned size;
    int access;
    bool ok;
} Limit;

static const Limit limits[] = {
    { 0x4093, 0xfff, 0xffc, 4, ACCESS_WRITE, true },
    { 0x4093, 0xfff, 0xffd, 4, ACCESS_WRITE, false },
    { 0x4093, 0xfff, 0xffffffff, 1, ACCESS_READ, false },
    { 0xc093, 0xffffffff, 0xffffffff, 1, ACCESS_READ, true },
    { 0x4091, 0xfff, 0, 1, ACCESS_READ, true },
    { 0x4091, 0xfff, 0, 1, ACCESS_WRITE, false },
    { 0x4097, 0xfff, 0xfff, 1, ACCESS_WRITE, false },       /* expand-down */
    { 0x4097, 0xfff, 0x1000, 4, ACCESS_WRITE, true },
    { 0x4097, 0xfff, 0xfffffffd, 4, ACCESS_WRITE, false },
    { 0x0097, 0xfff, 0xfffe, 2, ACCESS_WRITE, true },
    { 0x0097, 0xfff, 0xffff, 2, ACCESS_WRITE, false },
    { 0x4099, 0xfff, 0, 1, ACCESS_READ, false },            /* execute-only */
    { 0x409b, 0xfff, 0, 1, ACCESS_READ, true },
    { 0x409b, 0xfff, 0, 1, ACCESS_WRITE, false },
    { 0, 0, 0, 1, ACCESS_READ, false },                     /* null */
};

static void run_limit(void *arg)
{
    const Limit *limit = arg;

    tcg_seg_check(sys_cpu, &insn, SEG_DS, limit->offset, limit->size, limit->access);
}

START_TEST(limit_row)
{
    start(false, 0);
    sys_cpu->x86.seg[SEG_DS].attr = limits[_i].attr;
    sys_cpu->x86.seg[SEG_DS].limit = limits[_i].limit;
    check_fault(sys_try(run_limit, (void *)&limits[_i]), limits[_i].ok ? NONE : EXC_GP, 0);
}
END_TEST

static void run_canonical(void *arg)
{
    tcg_seg_check(sys_cpu, &insn, *(int *)arg, UINT64_C(0x7ffffffffffd), 4, ACCESS_READ);
}

START_TEST(canonical_addresses)
{
    int seg = SEG_DS;

    start(true, 0);
    check_fault(sys_try(run_canonical, &seg), EXC_GP, 0);
    seg = SEG_SS;
    check_fault(sys_try(run_canonical, &seg), EXC_SS, 0);
    sys_cpu->x86.seg[SEG_FS].base = 0x1000;
    ck_assert_uint_eq(tcg_seg_check(sys_cpu, &insn, SEG_FS, 0x10, 4, ACCESS_READ), 0x1010);
}
END_TEST

/* ---- far transfers ---- */

typedef struct Far {
    unsigned cpl;
    bool call;
    uint16_t selector;
    unsigned vector;
    uint32_t error;
    uint16_t cs;                        /* afterwards */
} Far;

/* SEL_GATE leads to SEL_CODE0, DPL 3, two parameters. */
static const Far transfers[] = {
    { 0, false, SEL_CODE0, NONE, 0, SEL_CODE0 },
    { 0, true, SEL_CODE0, NONE, 0, SEL_CODE0 },
    { 3, false, SEL_CODE3, NONE, 0, SEL_CODE3 },
    { 3, false, SEL_CODE0, EXC_GP, SEL_CODE0, 0 },
    { 0, false, SEL_CODE3, EXC_GP, SEL_CODE3 & ~3u, 0 },
    { 3, true, SEL_CONFORMING, NONE, 0, SEL_CONFORMING | 3 },
    { 0, false, 0, EXC_GP, 0, 0 },
    { 0, false, SEL_DATA0, EXC_GP, SEL_DATA0, 0 },
    { 0, false, SEL_ABSENT, EXC_GP, SEL_ABSENT, 0 },        /* data before presence */
    { 0, false, 0x1f8, EXC_GP, 0x1f8, 0 },
    { 0, false, SEL_LDT, EXC_GP, SEL_LDT, 0 },
    { 0, false, SEL_GATE, NONE, 0, SEL_CODE0 },
    { 3, false, SEL_GATE, EXC_GP, SEL_CODE0, 0 },           /* a jump does not raise privilege */
    { 3, true, SEL_GATE, NONE, 0, SEL_CODE0 },
    { 0, true, SEL_GATE, NONE, 0, SEL_CODE0 },
};

static void run_far(void *arg)
{
    const Far *far = arg;

    if (far->call) {
        tcg_far_call(sys_cpu, &insn, far->selector, 0x9000, 32);
    } else {
        tcg_far_jump(sys_cpu, &insn, far->selector, 0x9000, 32);
    }
}

START_TEST(transfer_row)
{
    const Far *far = &transfers[_i];
    X86Cpu *x86;
    SysResult result;

    start(false, far->cpl);
    x86 = &sys_cpu->x86;
    sys_put_gate(SYS_GDT + SEL_GATE, SEL_CODE0, 0xa000, SYS_CALL32, 3, 2);
    sys_poke(SYS_STACK3, UINT64_C(0x2222222211111111), 8);
    result = sys_try(run_far, (void *)far);
    check_fault(result, far->vector, far->error);
    if (result.raised) {
        ck_assert_uint_eq(x86->rip, SYS_CODE);
        ck_assert_uint_eq(x86->gpr[R_RSP], far->cpl ? SYS_STACK3 : SYS_STACK0);
        return;
    }
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, far->cs);
    ck_assert_uint_eq(x86->rip, far->selector == SEL_GATE ? 0xa000 : 0x9000);
    if (far->call) {
        ck_assert_uint_eq(sys_peek(x86->gpr[R_RSP], 4), NEXT_RIP);
    }
    if (far->call && far->selector == SEL_GATE && far->cpl == 3) {
        ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK0 - 24);
        ck_assert_uint_eq(x86->seg[SEG_SS].selector, SEL_DATA0);
        ck_assert_uint_eq(x86_cpl(x86), 0);
        ck_assert_uint_eq(sys_peek(SYS_STACK0 - 20, 4), SEL_CODE3);
        ck_assert_uint_eq(sys_peek(SYS_STACK0 - 16, 4), 0x11111111);
        ck_assert_uint_eq(sys_peek(SYS_STACK0 - 12, 4), 0x22222222);
        ck_assert_uint_eq(sys_peek(SYS_STACK0 - 8, 4), SYS_STACK3);
        ck_assert_uint_eq(sys_peek(SYS_STACK0 - 4, 4), SEL_DATA3);
    }
}
END_TEST

START_TEST(call_and_return_through_a_gate)
{
    X86Cpu *x86;

    start(false, 3);
    x86 = &sys_cpu->x86;
    sys_put_gate(SYS_GDT + SEL_GATE, SEL_CODE0, 0xa000, SYS_CALL32, 3, 2);
    tcg_far_call(sys_cpu, &insn, SEL_GATE, 0, 32);
    tcg_load_seg(sys_cpu, &insn, SEG_ES, SEL_DATA0);
    tcg_far_return(sys_cpu, &insn, 32, 8);
    ck_assert_uint_eq(x86->rip, NEXT_RIP);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, SEL_CODE3);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, SEL_DATA3);
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK3 + 8);
    ck_assert_uint_eq(x86_cpl(x86), 3);
    ck_assert_uint_eq(x86->seg[SEG_ES].attr & SEG_ATTR_P, 0);       /* what ring 3 may not keep */
    ck_assert_uint_eq(x86->seg[SEG_DS].attr & SEG_ATTR_P, SEG_ATTR_P);
}
END_TEST

START_TEST(long_mode_gate)
{
    X86Cpu *x86;

    start(true, 3);
    x86 = &sys_cpu->x86;
    sys_put_gate(SYS_GDT + SEL_GATE, SEL_CODE0, UINT64_C(0xffff800000001000), SYS_CALL32, 3, 0);
    tcg_far_call(sys_cpu, &insn, SEL_GATE, 0, 32);
    ck_assert_uint_eq(x86->rip, UINT64_C(0xffff800000001000));
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK0 - 32);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, 0);
    tcg_far_return(sys_cpu, &insn, 64, 0);
    ck_assert_uint_eq(x86->rip, NEXT_RIP);
    ck_assert_uint_eq(x86->gpr[R_RSP], SYS_STACK3);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, SEL_DATA3);
}
END_TEST

START_TEST(real_mode_call)
{
    X86Cpu *x86;

    sys_setup();
    x86 = &sys_cpu->x86;
    tcg_load_seg(sys_cpu, &insn, SEG_CS, 0x100);
    x86->gpr[R_RSP] = 0x2000;
    x86->gpr[GPR_BLOCK_RIP] = 0x10;
    tcg_far_call(sys_cpu, &insn, 0x345, 0x678, 16);
    ck_assert_uint_eq(x86->seg[SEG_CS].base, 0x3450);
    ck_assert_uint_eq(x86->rip, 0x678);
    ck_assert_uint_eq(sys_peek(0x1ffc, 4), 0x01000012);
    tcg_far_return(sys_cpu, &insn, 16, 0);
    ck_assert_uint_eq(x86->rip, 0x12);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, 0x100);
    ck_assert_uint_eq(x86->gpr[R_RSP], 0x2000);
}
END_TEST

/* ---- LAR, LSL, VERR, VERW, LTR, LLDT ---- */

static const struct {
    unsigned cpl;
    uint16_t selector;
    bool lar, lsl, verr, verw;
} looks[] = {
    { 0, SEL_CODE0, true, true, true, false },
    { 3, SEL_CODE0, false, false, false, false },
    { 3, SEL_CONFORMING, true, true, true, false },
    { 0, SEL_EXEC_ONLY, true, true, false, false },
    { 0, SEL_READ_ONLY, true, true, true, false },
    { 0, SEL_DATA0, true, true, true, true },
    { 0, SEL_DATA0 | 3, false, false, false, false },
    { 3, SEL_DATA3, true, true, true, true },
    { 0, SEL_TSS, true, true, false, false },
    { 0, SEL_LDT, true, true, false, false },
    { 0, SEL_GATE, true, false, false, false },
    { 0, 0, false, false, false, false },
    { 0, 0x1f8, false, false, false, false },
};

START_TEST(look_row)
{
    uint32_t value = 0;

    start(false, looks[_i].cpl);
    sys_put_gate(SYS_GDT + SEL_GATE, SEL_CODE0, 0xa000, SYS_CALL32, 3, 2);
    ck_assert_int_eq(tcg_lar(sys_cpu, &insn, looks[_i].selector, &value), looks[_i].lar);
    ck_assert_int_eq(tcg_lsl(sys_cpu, &insn, looks[_i].selector, &value), looks[_i].lsl);
    ck_assert_int_eq(tcg_verify(sys_cpu, &insn, looks[_i].selector, false), looks[_i].verr);
    ck_assert_int_eq(tcg_verify(sys_cpu, &insn, looks[_i].selector, true), looks[_i].verw);
}
END_TEST

static void run_ltr(void *arg)
{
    tcg_ltr(sys_cpu, &insn, *(uint16_t *)arg);
}

static void run_lldt(void *arg)
{
    tcg_lldt(sys_cpu, &insn, *(uint16_t *)arg);
}

START_TEST(task_and_local_table_registers)
{
    uint16_t tss = SEL_TSS, ldt = SEL_LDT, null = 0;

    start(false, 0);
    check_fault(sys_try(run_ltr, &ldt), EXC_GP, SEL_LDT);
    check_fault(sys_try(run_ltr, &null), EXC_GP, 0);
    check_fault(sys_try(run_ltr, &tss), NONE, 0);
    ck_assert_uint_eq(sys_peek(SYS_GDT + SEL_TSS + 5, 1), 0x8b);
    check_fault(sys_try(run_ltr, &tss), EXC_GP, SEL_TSS);       /* busy now */
    check_fault(sys_try(run_lldt, &tss), EXC_GP, SEL_TSS);
    check_fault(sys_try(run_lldt, &ldt), NONE, 0);
    ck_assert_uint_eq(sys_cpu->x86.ldt.base, SYS_LDT_AT);
    check_fault(sys_try(run_lldt, &null), NONE, 0);
    ck_assert_uint_eq(sys_cpu->x86.ldt.attr, 0);
}
END_TEST

CHECK_MAIN("tcg/seg",
    CASES(load_row, loads), CASE(accessed_bit_is_set), CASE(real_mode_keeps_the_limit),
    CASES(limit_row, limits), CASE(canonical_addresses), CASES(transfer_row, transfers),
    CASE(call_and_return_through_a_gate), CASE(long_mode_gate), CASE(real_mode_call),
    CASES(look_row, looks), CASE(task_and_local_table_registers))
