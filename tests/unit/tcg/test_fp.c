/*
 * Floating point as an operating system meets it: which fault comes in which mode, pending
 * exceptions, state images, and the host's control registers.  What instructions compute is
 * compared in native_test.c.
 */
#include "tcg_machine.h"

#include <xmmintrin.h>

#include "check_main.h"
#include "fpu_state.h"

enum { MAX_CODE = 32 };

/* Runs `code`, which ends with HLT, from MACHINE_CODE. */
static MachineEnd run_bytes(const uint8_t *code, unsigned length)
{
    machine_load(MACHINE_CODE, code, code + length);
    return machine_run();
}
#define RUN(...) \
    run_bytes((const uint8_t[]) { __VA_ARGS__, 0xf4 }, sizeof((uint8_t[]) { __VA_ARGS__ }) + 1)

static uint16_t host_control_word(void)
{
    uint16_t fcw;

    __asm__ volatile("fnstcw %0" : "=m"(fcw));
    return fcw;
}

/* ---- which fault ---- */

#define BYTES(...) { __VA_ARGS__, 0xf4 }, sizeof((uint8_t[]) { __VA_ARGS__ }) + 1
#define FLD1        BYTES(0xd9, 0xe8)
#define FWAIT       BYTES(0x9b)
#define PADDB_MM    BYTES(0x0f, 0xfc, 0xc0)
#define PADDB_XMM   BYTES(0x66, 0x0f, 0xfc, 0xc0)
#define ADDPS       BYTES(0x0f, 0x58, 0xc1)
#define MOVQ2DQ     BYTES(0xf3, 0x0f, 0xd6, 0xc0)
#define FXSAVE_RBX  BYTES(0x0f, 0xae, 0x03)
#define XSAVE_RBX   BYTES(0x0f, 0xae, 0x23)
#define XGETBV      BYTES(0x0f, 0x01, 0xd0)
#define LDMXCSR     BYTES(0x0f, 0xae, 0x13)
#define MOVNTI      BYTES(0x0f, 0xc3, 0x03)
#define PREFETCH    BYTES(0x0f, 0x18, 0x00)
#define VADDPS      BYTES(0xc5, 0xf0, 0x58, 0xc2)

static const struct {
    uint8_t code[8];
    unsigned length;
    uint32_t cr0, cr4;
    unsigned vector;
} gates[] = {
    { FLD1, 0, 0, NO_VECTOR }, { FLD1, CR0_EM, 0, EXC_NM }, { FLD1, CR0_TS, 0, EXC_NM },
    { FWAIT, CR0_TS, 0, NO_VECTOR }, { FWAIT, CR0_EM, 0, NO_VECTOR },
    { FWAIT, CR0_TS | CR0_MP, 0, EXC_NM },
    { PADDB_MM, 0, 0, NO_VECTOR }, { PADDB_MM, CR0_EM, 0, EXC_UD }, { PADDB_MM, CR0_TS, 0, EXC_NM },
    { PADDB_XMM, 0, 0, EXC_UD }, { PADDB_XMM, 0, CR4_OSFXSR, NO_VECTOR },
    { PADDB_XMM, CR0_EM, CR4_OSFXSR, EXC_UD }, { PADDB_XMM, CR0_TS, CR4_OSFXSR, EXC_NM },
    { PADDB_XMM, CR0_TS, 0, EXC_UD },
    { ADDPS, 0, 0, EXC_UD }, { MOVQ2DQ, 0, 0, EXC_UD }, { MOVQ2DQ, CR0_TS, CR4_OSFXSR, EXC_NM },
    { LDMXCSR, 0, 0, EXC_UD }, { LDMXCSR, 0, CR4_OSFXSR, NO_VECTOR },
    { LDMXCSR, CR0_TS, CR4_OSFXSR, EXC_NM },
    { FXSAVE_RBX, 0, 0, NO_VECTOR }, { FXSAVE_RBX, CR0_EM, 0, EXC_NM },
    { FXSAVE_RBX, CR0_TS, 0, EXC_NM },
    { XSAVE_RBX, 0, 0, EXC_UD }, { XSAVE_RBX, 0, CR4_OSXSAVE, NO_VECTOR },
    { XSAVE_RBX, CR0_TS, CR4_OSXSAVE, EXC_NM },
    { XGETBV, 0, 0, EXC_UD }, { XGETBV, CR0_TS | CR0_EM, CR4_OSXSAVE, NO_VECTOR },
    { MOVNTI, CR0_TS | CR0_EM, 0, NO_VECTOR }, { PREFETCH, CR0_TS | CR0_EM, 0, NO_VECTOR },
    { VADDPS, 0, CR4_OSFXSR | CR4_OSXSAVE, EXC_UD },
};

START_TEST(gate_row)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.cr0 = (machine_cpu->x86.cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | gates[_i].cr0;
    machine_cpu->x86.cr4 = (machine_cpu->x86.cr4 & ~(CR4_OSFXSR | CR4_OSXSAVE)) | gates[_i].cr4;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    end = run_bytes(gates[_i].code, gates[_i].length);
    ck_assert_uint_eq(end.vector, gates[_i].vector);
    machine_teardown();
}
END_TEST

/* ---- x87 exceptions wait for the next instruction ---- */

static unsigned ferr_level;

static void set_ferr(void *opaque, int n, int level)
{
    ferr_level = level;
}

/* Divides by zero with that unmasked: fninit; fldcw [rbx]; fld1; fldz; fdivp; then `next`; hlt. */
#define DIVIDE 0xdb, 0xe3, 0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9
enum { DIVIDE_BYTES = 10 };

static const struct { uint8_t code[16]; unsigned length, vector; } pending[] = {
    { BYTES(DIVIDE, 0x90), NO_VECTOR },
    { BYTES(DIVIDE, 0xdf, 0xe0), NO_VECTOR },           /* fnstsw ax */
    { BYTES(DIVIDE, 0xdb, 0xe2), NO_VECTOR },           /* fnclex */
    { BYTES(DIVIDE, 0x0f, 0x58, 0xc1), NO_VECTOR },     /* addps */
    { BYTES(DIVIDE, 0x9b), EXC_MF },
    { BYTES(DIVIDE, 0xd9, 0xe8), EXC_MF },              /* fld1 */
    { BYTES(DIVIDE, 0xd9, 0x2b), EXC_MF },              /* fldcw */
    { BYTES(DIVIDE, 0x0f, 0x77), EXC_MF },              /* emms */
    { BYTES(DIVIDE, 0x0f, 0xfc, 0x00), EXC_MF },    /* paddb mm0, [rax]: before its page fault */
};

START_TEST(pending_row)
{
    const X86Fpu *fpu;
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    machine_cpu->x86.gpr[R_RAX] = 0x40000000;
    memcpy(machine_ram + MACHINE_DATA, &(uint16_t) { 0x37b }, 2);
    end = run_bytes(pending[_i].code, pending[_i].length);
    fpu = &machine_cpu->x86.fpu;
    ck_assert_uint_eq(end.vector, pending[_i].vector);
    if (end.vector == EXC_MF) {
        ck_assert_uint_eq(end.rip, MACHINE_CODE + DIVIDE_BYTES);
        ck_assert_uint_eq(fpu->fsw & 0x80ff, 0x8084);
    }
    /* The failed division popped nothing and left where it was. */
    ck_assert_uint_eq(fpu->ftw, 0xc0);
    ck_assert_uint_eq(fpu->fip, MACHINE_CODE + 8);
    ck_assert_uint_eq(fpu->fop, 0x6f9);
    machine_teardown();
}
END_TEST

START_TEST(ferr_instead)
{
    IrqLine lines[16] = { [13] = { .set = set_ferr } };
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_PROT32);
    machine_vm.isa_irq = lines;
    machine_cpu->x86.cr0 &= ~CR0_NE;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    memcpy(machine_ram + MACHINE_DATA, &(uint16_t) { 0x37b }, 2);
    ferr_level = 0;
    end = RUN(DIVIDE, 0x9b);
    ck_assert_uint_eq(end.vector, NO_VECTOR);
    ck_assert_uint_eq(ferr_level, 1);
    machine_vm.isa_irq = NULL;
    machine_teardown();
}
END_TEST

/* ---- faults leave everything as it was ---- */

/* fild word [rbx]; then a store to a page that is not there. */
static const struct { uint8_t code[16]; unsigned length; } stores[] = {
    { BYTES(0xdf, 0x03, 0xd9, 0x18) },                  /* fstp dword [rax] */
    { BYTES(0xdf, 0x03, 0xdf, 0x18) },                  /* fistp word [rax] */
    { BYTES(0xdf, 0x03, 0xdb, 0x38) },                  /* fstp tbyte [rax] */
    { BYTES(0xdf, 0x03, 0xdf, 0x30) },                  /* fbstp [rax] */
    { BYTES(0xdf, 0x03, 0xdd, 0x30) },                  /* fnsave [rax] */
};

START_TEST(faulting_store_row)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    machine_cpu->x86.gpr[R_RAX] = 0x40000000;
    end = run_bytes(stores[_i].code, stores[_i].length);
    ck_assert_uint_eq(end.vector, EXC_PF);
    ck_assert_uint_eq(machine_cpu->x86.fpu.fsw, 7 << 11);
    ck_assert_uint_eq(machine_cpu->x86.fpu.ftw, 0x80);
    machine_teardown();
}
END_TEST

/* ---- FSTENV's layouts ---- */

/* fninit; fld1; fld dword [bx]; fnstenv, at MACHINE_CODE and MACHINE_DATA or DS = 0 + 0x6000. */
static const struct {
    MachineMode mode;
    uint8_t code[16];
    unsigned length;
    uint32_t field[7];
} layouts[] = {
    { MODE_LONG, BYTES(0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0x03, 0xd9, 0x31),
      { 0xffff037f, 0xffff3000, 0xffff1fff, 0x8004, 0x00000008, 0x6000, 0xffff0010 } },
    { MODE_PROT32, BYTES(0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0x03, 0xd9, 0x31),
      { 0xffff037f, 0xffff3000, 0xffff1fff, 0x8004, 0x00000018, 0x6000, 0xffff0010 } },
    { MODE_REAL, BYTES(0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0x07, 0x66, 0xd9, 0x35),
      { 0xffff037f, 0xffff3000, 0xffff1fff, 0x8004, 0, 0x6000, 0 } },
};

START_TEST(layout_row)
{
    uint32_t field[7];

    machine_setup();
    machine_mode(layouts[_i].mode);
    machine_cpu->x86.gpr[R_RBX] = 0x6000;
    machine_cpu->x86.gpr[R_RCX] = machine_cpu->x86.gpr[R_RDI] = 0x6100;
    memset(machine_ram + 0x6000, 0, 4);
    ck_assert_uint_eq(run_bytes(layouts[_i].code, layouts[_i].length).vector, NO_VECTOR);
    memcpy(field, machine_ram + 0x6100, sizeof(field));
    for (unsigned i = 0; i < 7; i++) {
        ck_assert_uint_eq(field[i], layouts[_i].field[i]);
    }
    ck_assert_uint_eq(machine_cpu->x86.fpu.fcw, 0x37f);
    machine_teardown();
}
END_TEST

/* Twice the same way: FNSAVE, then FRSTOR, in each layout. */
static const struct { MachineMode mode; uint8_t code[16]; unsigned length; } round_trips[] = {
    { MODE_LONG, BYTES(0xdd, 0x33, 0xdd, 0x23) },
    { MODE_LONG, BYTES(0x66, 0xdd, 0x33, 0x66, 0xdd, 0x23) },
    { MODE_PROT32, BYTES(0xdd, 0x33, 0xdd, 0x23) },
    { MODE_PROT16, BYTES(0xdd, 0x37, 0xdd, 0x27) },
    { MODE_REAL, BYTES(0xdd, 0x37, 0xdd, 0x27) },
    { MODE_REAL, BYTES(0x66, 0xdd, 0x37, 0x66, 0xdd, 0x27) },
};

START_TEST(save_and_restore_row)
{
    X86Fpu *fpu, before;

    machine_setup();
    machine_mode(round_trips[_i].mode);
    fpu = &machine_cpu->x86.fpu;
    machine_cpu->x86.gpr[R_RBX] = 0x6000;
    fpu->fcw = 0xb7f;
    fpu->fsw = 3 << 11 | 0x4521;
    fpu->ftw = 0x5a;
    for (unsigned n = 0; n < 8; n++) {
        fpu->r[n] = (X86Reg80) { .mantissa = UINT64_C(1) << 63 | n, .sign_exp = 0x3fff + n };
    }
    before = *fpu;
    ck_assert_uint_eq(run_bytes(round_trips[_i].code, round_trips[_i].length).vector, NO_VECTOR);
    ck_assert_uint_eq(fpu->fcw, before.fcw);
    ck_assert_uint_eq(fpu->fsw, before.fsw);
    ck_assert_uint_eq(fpu->ftw, before.ftw);
    for (unsigned n = 0; n < 8; n++) {
        ck_assert_mem_eq(&fpu->r[n], &before.r[n], 10);
    }
    machine_teardown();
}
END_TEST

/* ---- FXSAVE and XSAVE ---- */

START_TEST(fxsave_outside_64_bit_mode)
{
    X86Fpu *fpu;

    machine_setup();
    machine_mode(MODE_PROT32);
    fpu = &machine_cpu->x86.fpu;
    machine_cpu->x86.cr4 |= CR4_OSFXSR;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    fpu->v[7].u64[0] = 7;
    fpu->v[8].u64[0] = 8;
    memset(machine_ram + MACHINE_DATA, 0xee, 512);
    ck_assert_uint_eq(RUN(0x0f, 0xae, 0x03).vector, NO_VECTOR);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 160 + 16 * 7], 7);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 160 + 16 * 8], 0xee);
    memset(machine_ram + MACHINE_DATA + 160, 0x77, 256);
    machine_mode(MODE_PROT32);
    machine_cpu->x86.cr4 |= CR4_OSFXSR;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    fpu->v[8].u64[0] = 8;
    ck_assert_uint_eq(RUN(0x0f, 0xae, 0x0b).vector, NO_VECTOR);
    ck_assert_uint_eq(fpu->v[7].u8[0], 0x77);
    ck_assert_uint_eq(fpu->v[8].u64[0], 8);
    machine_teardown();
}
END_TEST

#define FXRSTOR_RBX BYTES(0x0f, 0xae, 0x0b)
#define XRSTOR_RBX  BYTES(0x0f, 0xae, 0x2b)
#define MOVAPS      BYTES(0x0f, 0x28, 0x03)
#define ADDPS_RBX   BYTES(0x0f, 0x58, 0x03)
#define MOVUPS      BYTES(0x0f, 0x10, 0x03)
#define PCMPISTRI   BYTES(0x66, 0x0f, 0x3a, 0x63, 0x03, 0x00)

/* Where the operand lies, and a word written into it. */
static const struct { uint8_t code[8]; unsigned length; uint64_t at; unsigned put_at; uint32_t put;
                      unsigned vector; } operands[] = {
    { FXSAVE_RBX, MACHINE_DATA + 8, 0, 0, EXC_GP },
    { FXRSTOR_RBX, MACHINE_DATA + 8, 0, 0, EXC_GP },
    { FXRSTOR_RBX, MACHINE_DATA, 24, 0x10000, EXC_GP },         /* MXCSR */
    { FXRSTOR_RBX, MACHINE_DATA, 24, 0xffff, NO_VECTOR },
    { XSAVE_RBX, MACHINE_DATA + 16, 0, 0, EXC_GP },
    { XRSTOR_RBX, MACHINE_DATA + 32, 0, 0, EXC_GP },
    { XRSTOR_RBX, MACHINE_DATA, 0, 0, NO_VECTOR },
    { XRSTOR_RBX, MACHINE_DATA, 512, 4, EXC_GP },               /* not in XCR0 */
    { XRSTOR_RBX, MACHINE_DATA, 520, 1, EXC_GP },
    { XRSTOR_RBX, MACHINE_DATA, 528, 1, EXC_GP },
    { XRSTOR_RBX, MACHINE_DATA, 24, 0x10000, EXC_GP },
    { LDMXCSR, MACHINE_DATA, 0, 0x10000, EXC_GP },
    { MOVAPS, MACHINE_DATA + 4, 0, 0, EXC_GP },
    { ADDPS_RBX, MACHINE_DATA + 4, 0, 0, EXC_GP },
    { MOVUPS, MACHINE_DATA + 4, 0, 0, NO_VECTOR },
    { PCMPISTRI, MACHINE_DATA + 4, 0, 0, NO_VECTOR },
};

START_TEST(operand_row)
{
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.cr4 |= CR4_OSXSAVE;
    machine_cpu->x86.xcr0 = XSTATE_X87 | XSTATE_SSE;
    machine_cpu->x86.gpr[R_RBX] = operands[_i].at;
    machine_cpu->x86.gpr[R_RAX] = machine_cpu->x86.gpr[R_RDX] = UINT32_MAX;
    memset(machine_ram + MACHINE_DATA, 0, 1024);
    memcpy(machine_ram + MACHINE_DATA + operands[_i].put_at, &operands[_i].put, 4);
    end = run_bytes(operands[_i].code, operands[_i].length);
    ck_assert_uint_eq(end.vector, operands[_i].vector);
    machine_teardown();
}
END_TEST

/* XSAVE writes what EDX:EAX asks for and no other byte. */
START_TEST(xsave_writes_only_its_components)
{
    uint64_t header;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.cr4 |= CR4_OSXSAVE;
    machine_cpu->x86.xcr0 = XSTATE_X87 | XSTATE_SSE;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    machine_cpu->x86.gpr[R_RAX] = XSTATE_SSE | XSTATE_AVX;
    machine_cpu->x86.fpu.v[1].u64[1] = 0x1234;
    memset(machine_ram + MACHINE_DATA, 0xee, 1024);
    ck_assert_uint_eq(RUN(0x48, 0x0f, 0xae, 0x23).vector, NO_VECTOR);
    memcpy(&header, machine_ram + MACHINE_DATA + 512, 8);
    ck_assert_uint_eq(header, UINT64_C(0xeeeeeeeeeeeeeeee) | XSTATE_SSE);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA], 0xee);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 24], 0x80);            /* MXCSR 0x1f80 */
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 32], 0xee);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 160 + 24], 0x34);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 416], 0xee);
    ck_assert_uint_eq(machine_ram[MACHINE_DATA + 520], 0xee);
    machine_teardown();
}
END_TEST

/* ---- SSE exceptions, MXCSR ---- */

/* ldmxcsr [rbx]; divps xmm0, xmm1, with zeros: invalid. */
static const struct { uint32_t mxcsr, cr4; unsigned vector; } unmasked[] = {
    { 0x1f80, CR4_OSXMMEXCPT, NO_VECTOR },
    { 0x1f00, CR4_OSXMMEXCPT, EXC_XM },
    { 0x1f00, 0, EXC_UD },
    { 0x1e80, CR4_OSXMMEXCPT, NO_VECTOR },
};

START_TEST(unmasked_row)
{
    const uint64_t mark = UINT64_C(0x8000000000000000);
    MachineEnd end;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.cr4 = (machine_cpu->x86.cr4 & ~CR4_OSXMMEXCPT) | unmasked[_i].cr4;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    machine_cpu->x86.fpu.v[0].u64[1] = mark;
    memcpy(machine_ram + MACHINE_DATA, &unmasked[_i].mxcsr, 4);
    end = RUN(0x0f, 0xae, 0x13, 0x0f, 0x5e, 0xc1);
    ck_assert_uint_eq(end.vector, unmasked[_i].vector);
    ck_assert_uint_eq(machine_cpu->x86.fpu.mxcsr, unmasked[_i].mxcsr | 1);
    if (end.vector != NO_VECTOR) {
        ck_assert_uint_eq(end.rip, MACHINE_CODE + 3);
        ck_assert_uint_eq(machine_cpu->x86.fpu.v[0].u64[1], mark);
    }
    ck_assert_uint_eq(_mm_getcsr(), 0x1f80);
    machine_teardown();
}
END_TEST

static uint32_t mxcsr_in_device;
static uint16_t fcw_in_device;

static void note_control(uint64_t value)
{
    mxcsr_in_device = _mm_getcsr();
    fcw_in_device = host_control_word();
}

/*
 * Rounding up, flush to zero, x87 single precision; arithmetic, then a store to a device, then more
 * arithmetic: addss xmm0, xmm1; fld1; fadd st0; mov [rcx], eax; divss xmm0, xmm0; stmxcsr [rbx].
 */
START_TEST(devices_run_with_the_host_s_control_words)
{
    uint32_t mxcsr;

    machine_setup();
    machine_mode(MODE_LONG);
    machine_cpu->x86.fpu.mxcsr = 0xdf80;
    machine_cpu->x86.fpu.fcw = 0x87f;
    machine_cpu->x86.fpu.ftw = 0;
    machine_cpu->x86.gpr[R_RBX] = MACHINE_DATA;
    machine_cpu->x86.gpr[R_RCX] = MACHINE_MMIO;
    machine_on_mmio = note_control;
    mxcsr_in_device = 0;
    ck_assert_uint_eq(RUN(0xf3, 0x0f, 0x58, 0xc1, 0xd9, 0xe8, 0xd8, 0xc0, 0x89, 0x01,
                          0xf3, 0x0f, 0x5e, 0xc0, 0x0f, 0xae, 0x1b).vector, NO_VECTOR);
    machine_on_mmio = NULL;
    ck_assert_uint_eq(mxcsr_in_device, 0x1f80);
    ck_assert_uint_eq(fcw_in_device, 0x37f);
    ck_assert_uint_eq(_mm_getcsr(), 0x1f80);
    ck_assert_uint_eq(host_control_word(), 0x37f);
    memcpy(&mxcsr, machine_ram + MACHINE_DATA, 4);
    ck_assert_uint_eq(mxcsr, 0xdf81);                   /* 0 / 0 */
    machine_teardown();
}
END_TEST

CHECK_MAIN("fp", CASES(gate_row, gates), CASES(pending_row, pending), CASE(ferr_instead),
           CASES(faulting_store_row, stores), CASES(layout_row, layouts),
           CASES(save_and_restore_row, round_trips), CASE(fxsave_outside_64_bit_mode),
           CASES(operand_row, operands), CASE(xsave_writes_only_its_components),
           CASES(unmasked_row, unmasked), CASE(devices_run_with_the_host_s_control_words))
