#include "check_main.h"
#include "sys_machine.h"

#include <string.h>

static UOp insn = { .insn_len = 2 };

enum { REAL, PROTECTED, LONG, RING3 };

static void start(int mode)
{
    sys_setup();
    if (mode == LONG) {
        sys_long(0);
    } else if (mode != REAL) {
        sys_protected(mode == RING3 ? 3 : 0);
    }
    sys_cpu->x86.gpr[GPR_BLOCK_RIP] = SYS_CODE;
}

/* ---- control registers ---- */

typedef struct Write {
    int mode;
    uint64_t cr4, efer;                 /* or-ed in before */
    unsigned n;
    uint64_t value;
    unsigned vector;                    /* 0xff: works */
} Write;

#define ON (CR0_PE | CR0_PG | CR0_ET)

static const Write writes[] = {
    { REAL, 0, 0, 0, CR0_PE | CR0_ET, 0xff },
    { REAL, 0, 0, 0, CR0_PG, EXC_GP },                          /* paging without protection */
    { REAL, 0, 0, 0, CR0_NW, EXC_GP },
    { REAL, 0, 0, 0, UINT64_C(1) << 32 | CR0_PE, EXC_GP },
    { PROTECTED, 0, 0, 0, ON, 0xff },
    { PROTECTED, CR4_PAE, EFER_LME, 0, ON, 0xff },
    { PROTECTED, 0, EFER_LME, 0, ON, EXC_GP },                  /* long mode needs PAE */
    { LONG, 0, 0, 0, CR0_PE, EXC_GP },                          /* not from 64-bit code */
    { RING3, 0, 0, 0, CR0_PE, EXC_GP },
    { LONG, 0, 0, 3, 0x5000, 0xff },
    { LONG, 0, 0, 3, UINT64_C(1) << 40, EXC_GP },
    { LONG, 0, 0, 3, UINT64_C(1) << 63, EXC_GP },
    { LONG, CR4_PCIDE, 0, 3, UINT64_C(1) << 63 | 0x5001, 0xff },
    { LONG, 0, 0, 4, CR4_PAE | CR4_PGE | CR4_SMEP, 0xff },
    { LONG, 0, 0, 4, 0, EXC_GP },                               /* PAE stays on */
    { LONG, 0, 0, 4, CR4_PAE | CR4_PCIDE, 0xff },
    { PROTECTED, 0, 0, 4, CR4_PCIDE, EXC_GP },
    { LONG, 0, 0, 4, CR4_PAE | CR4_LA57, EXC_GP },
    { LONG, 0, 0, 4, CR4_PAE | CR4_VMXE, EXC_GP },
    { LONG, 0, 0, 8, 15, 0xff },
    { LONG, 0, 0, 8, 16, EXC_GP },
    { LONG, 0, 0, 1, 0, EXC_UD },
    { LONG, 0, 0, 5, 0, EXC_UD },
};

static void run_write(void *arg)
{
    const Write *write = arg;

    tcg_write_cr(sys_cpu, &insn, write->n, write->value);
}

START_TEST(write_row)
{
    SysResult result;

    start(writes[_i].mode);
    sys_cpu->x86.cr4 |= writes[_i].cr4;
    sys_cpu->x86.efer |= writes[_i].efer;
    result = sys_try(run_write, (void *)&writes[_i]);
    ck_assert_int_eq(result.raised, writes[_i].vector != 0xff);
    if (result.raised) {
        ck_assert_uint_eq(result.vector, writes[_i].vector);
    }
}
END_TEST

START_TEST(long_mode_comes_and_goes)
{
    start(PROTECTED);
    sys_cpu->x86.cr4 = CR4_PAE;
    sys_cpu->x86.efer = EFER_LME;
    tcg_write_cr(sys_cpu, &insn, 0, ON);
    ck_assert_uint_eq(sys_cpu->x86.efer, EFER_LME | EFER_LMA);
    ck_assert_uint_ne(sys_cpu->x86.mode & CPU_MODE_LMA, 0);
    ck_assert_uint_eq(sys_cpu->x86.mode & CPU_MODE_CS64, 0);
    tcg_write_cr(sys_cpu, &insn, 0, CR0_PE | CR0_ET);
    ck_assert_uint_eq(sys_cpu->x86.efer, EFER_LME);
}
END_TEST

/* ---- MSRs ---- */

typedef struct Msr {
    uint32_t msr;
    uint64_t value;
    bool ok;
    uint64_t read_back;
} Msr;

static const Msr msrs[] = {
    { 0x277, UINT64_C(0x0007040600070406), true, UINT64_C(0x0007040600070406) },
    { 0x277, UINT64_C(0x0007040600070402), false },             /* PAT type 2 */
    { 0x2ff, 0xc06, true, 0xc06 },
    { 0x2ff, 0xc02, false },
    { 0x200, 0xe0000006, true, 0xe0000006 },
    { 0x20f, 0x800, true, 0x800 },
    { 0x210, 0, false },                                        /* a ninth range */
    { 0x250, UINT64_C(0x0606060606060606), true, UINT64_C(0x0606060606060606) },
    { 0x26f, UINT64_C(0x0303030303030303), false },
    { 0x174, 0x10, true, 0x10 },
    { 0x175, UINT64_C(0xffff800000000000), true, UINT64_C(0xffff800000000000) },
    { 0x175, UINT64_C(0x800000000000), false },
    { 0xfe, 0, false },
    { 0x179, 0, false },
    { 0x17a, 0, true, 0 },
    { 0x401, 0, true, 0 },
    { 0x401, 1, false },
    { 0x400, 0, true, 0 },
    { 0xc0000080, EFER_SCE | EFER_NXE, true, EFER_SCE | EFER_NXE },
    { 0xc0000080, EFER_LMA, true, 0 },                          /* LMA is the processor's */
    { 0xc0000080, 2, false },
    { 0xc0000082, UINT64_C(0xffffffff81000000), true, UINT64_C(0xffffffff81000000) },
    { 0xc0000084, 0x47700, true, 0x47700 },
    { 0xc0000101, UINT64_C(0x8000000000000000), false },
    { 0xc0000103, 3, true, 3 },
    { 0xc0010015, 0x10, true, 0 },
    { 0x8b, 0, true, 0x01000065 },
    { 0x12345, 0, false },
};

static void run_wrmsr(void *arg)
{
    tcg_wrmsr(sys_cpu, &insn);
}

static void run_rdmsr(void *arg)
{
    tcg_rdmsr(sys_cpu, &insn);
}

START_TEST(msr_row)
{
    uint64_t *gpr;
    SysResult result;

    start(PROTECTED);
    gpr = sys_cpu->x86.gpr;
    gpr[R_RCX] = msrs[_i].msr;
    gpr[R_RAX] = (uint32_t)msrs[_i].value;
    gpr[R_RDX] = msrs[_i].value >> 32;
    result = sys_try(run_wrmsr, NULL);
    ck_assert_int_eq(result.raised, !msrs[_i].ok);
    if (!result.raised) {
        ck_assert(!sys_try(run_rdmsr, NULL).raised);
        ck_assert_uint_eq(gpr[R_RAX] | gpr[R_RDX] << 32, msrs[_i].read_back);
    } else {
        ck_assert_uint_eq(result.vector, EXC_GP);
    }
}
END_TEST

START_TEST(msrs_need_ring_0)
{
    start(RING3);
    sys_cpu->x86.gpr[R_RCX] = 0x10;
    ck_assert_uint_eq(sys_try(run_rdmsr, NULL).vector, EXC_GP);
}
END_TEST

static uint64_t rdmsr(uint32_t msr)
{
    sys_cpu->x86.gpr[R_RCX] = msr;
    tcg_rdmsr(sys_cpu, &insn);
    return sys_cpu->x86.gpr[R_RAX] | sys_cpu->x86.gpr[R_RDX] << 32;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    sys_cpu->x86.gpr[R_RCX] = msr;
    sys_cpu->x86.gpr[R_RAX] = (uint32_t)value;
    sys_cpu->x86.gpr[R_RDX] = value >> 32;
    tcg_wrmsr(sys_cpu, &insn);
}

START_TEST(time_stamp_counter)
{
    uint64_t before;

    start(PROTECTED);
    wrmsr(0x10, UINT64_C(1) << 50);
    before = rdmsr(0x10);
    ck_assert_uint_ge(before, UINT64_C(1) << 50);
    ck_assert_uint_lt(before, (UINT64_C(1) << 50) + (UINT64_C(1) << 40));
    wrmsr(0x3b, rdmsr(0x3b) + (UINT64_C(1) << 52));
    ck_assert_uint_ge(rdmsr(0x10), before + (UINT64_C(1) << 52));
}
END_TEST

/* ---- fast system calls ---- */

START_TEST(syscall_and_back)
{
    X86Cpu *x86;

    start(LONG);
    sys_long(3);
    x86 = &sys_cpu->x86;
    x86->star = UINT64_C(0x0010000800000000);
    x86->lstar = 0x9000;
    x86->fmask = RFLAGS_IF | RFLAGS_DF;
    x86->rflags |= RFLAGS_IF | RFLAGS_CF;
    tcg_syscall(sys_cpu, &insn);
    ck_assert_uint_eq(x86->rip, 0x9000);
    ck_assert_uint_eq(x86->gpr[R_RCX], SYS_CODE + 2);
    ck_assert_uint_eq(x86->gpr[R_R11], RFLAGS_IF | RFLAGS_CF | 2);
    ck_assert_uint_eq(x86->rflags, RFLAGS_CF | 2);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, 8);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, 0x10);
    ck_assert_uint_eq(x86_cpl(x86), 0);
    tcg_sysret(sys_cpu, &insn, 64);
    ck_assert_uint_eq(x86->rip, SYS_CODE + 2);
    ck_assert_uint_eq(x86->rflags, RFLAGS_IF | RFLAGS_CF | 2);
    ck_assert_uint_eq(x86->seg[SEG_CS].selector, 0x23);
    ck_assert_uint_eq(x86->seg[SEG_SS].selector, 0x1b);
    ck_assert_uint_eq(x86_cpl(x86), 3);
    ck_assert_uint_ne(x86->mode & CPU_MODE_CS64, 0);
}
END_TEST

static void run_syscall(void *arg) { tcg_syscall(sys_cpu, &insn); }
static void run_sysenter(void *arg) { tcg_sysenter(sys_cpu, &insn); }

static const struct {
    const char *vendor;
    int mode;
    void (*fn)(void *arg);
    bool ok;
} vendors[] = {
    { "AuthenticAMD", LONG, run_syscall, true },
    { "AuthenticAMD", PROTECTED, run_syscall, true },
    { "GenuineIntel", LONG, run_syscall, true },
    { "GenuineIntel", PROTECTED, run_syscall, false },
    { "AuthenticAMD", LONG, run_sysenter, false },
    { "AuthenticAMD", PROTECTED, run_sysenter, true },
    { "GenuineIntel", LONG, run_sysenter, true },
    { "GenuineIntel", PROTECTED, run_sysenter, true },
};

START_TEST(vendor_row)
{
    SysResult result;

    start(vendors[_i].mode);
    strcpy(sys_model.vendor, vendors[_i].vendor);
    sys_cpu->x86.efer |= EFER_SCE;
    sys_cpu->x86.sysenter_cs = 8;
    result = sys_try(vendors[_i].fn, NULL);
    ck_assert_int_eq(result.raised, !vendors[_i].ok);
    if (result.raised) {
        ck_assert_uint_eq(result.vector, EXC_UD);
    }
}
END_TEST

/* ---- ports ---- */

typedef struct Port {
    uint16_t port;
    unsigned size, iopl;
    bool ok;
} Port;

/* The map allows 0x60 and 0x64 to 0x67 and ends behind 0xff. */
static const Port ports[] = {
    { 0x60, 1, 0, true }, { 0x60, 2, 0, false }, { 0x64, 4, 0, true }, { 0x65, 4, 0, false },
    { 0x61, 1, 0, false }, { 0x61, 1, 3, true }, { 0xffff, 1, 0, false }, { 0x100, 1, 0, false },
};

static void run_port(void *arg)
{
    const Port *port = arg;

    tcg_check_io(sys_cpu, &insn, port->port, port->size);
}

START_TEST(port_row)
{
    start(RING3);
    memset(sys_cpu->x86.gpr, 0, sizeof(sys_cpu->x86.gpr));
    for (unsigned i = 0; i < 33; i++) {
        sys_poke(SYS_TSS + 0x68 + i, i == 0x60 / 8 ? 0x0e : 0xff, 1);
    }
    sys_cpu->x86.tr.limit = 0x68 + 32;
    sys_cpu->x86.rflags |= ports[_i].iopl << 12;
    tcg_mode_changed(sys_cpu);
    ck_assert_int_eq(sys_try(run_port, (void *)&ports[_i]).raised, !ports[_i].ok);
}
END_TEST

/* ---- system-management mode ---- */

START_TEST(smm_round_trip)
{
    X86Cpu *x86;
    X86Cpu before;

    start(LONG);
    x86 = &sys_cpu->x86;
    x86->halted = true;
    x86->gpr[R_R15] = 15;
    x86->gpr[R_RAX] = 1;
    x86->rflags |= RFLAGS_IF;
    memcpy(&before, x86, sizeof(before));
    tcg_enter_smm(sys_cpu);
    ck_assert(x86->in_smm && !x86->halted);
    ck_assert_uint_eq(x86->rip, 0x8000);
    ck_assert_uint_eq(x86->seg[SEG_CS].base, 0x30000);
    ck_assert_uint_eq(x86->cr0 & (CR0_PE | CR0_PG), 0);
    ck_assert_uint_eq(x86->mode & (CPU_MODE_PE | CPU_MODE_LMA), 0);
    ck_assert_uint_eq(sys_peek(0x3fefc, 4), 0x20064);
    ck_assert_uint_eq(sys_peek(0x3fff8, 8), 1);
    ck_assert_uint_eq(sys_peek(0x3ff80, 8), 15);
    sys_poke(0x3ff00, 0xa0000, 4);                      /* SMBASE for the next time */
    tcg_rsm(sys_cpu, &insn);
    ck_assert(!x86->in_smm && x86->halted);
    ck_assert_uint_eq(x86->smbase, 0xa0000);
    ck_assert_uint_eq(x86->rip, before.rip);
    ck_assert_uint_eq(x86->rflags, before.rflags);
    ck_assert_uint_eq(x86->efer, before.efer);
    ck_assert_uint_eq(x86->cr0, before.cr0);
    ck_assert_uint_eq(x86->mode, before.mode);
    ck_assert_mem_eq(x86->gpr, before.gpr, sizeof(before.gpr));
    ck_assert_mem_eq(x86->seg, before.seg, sizeof(before.seg));
}
END_TEST

static void run_rsm(void *arg) { tcg_rsm(sys_cpu, &insn); }

START_TEST(smm_refuses_impossible_state)
{
    SysResult result;

    start(LONG);
    ck_assert_uint_eq(sys_try(run_rsm, NULL).vector, EXC_UD);
    tcg_enter_smm(sys_cpu);
    sys_poke(0x3ff58, CR0_PG, 8);
    result = sys_try(run_rsm, NULL);
    ck_assert(result.left);
    ck_assert_int_eq(result.exit, RUN_EXIT_SHUTDOWN);
}
END_TEST

CHECK_MAIN("tcg/sysreg",
    CASES(write_row, writes), CASE(long_mode_comes_and_goes), CASES(msr_row, msrs),
    CASE(msrs_need_ring_0), CASE(time_stamp_counter), CASE(syscall_and_back),
    CASES(vendor_row, vendors), CASES(port_row, ports), CASE(smm_round_trip),
    CASE(smm_refuses_impossible_state))
