/* Registers by gdb's numbers, and the packets that move them. */
#include <string.h>

#include "cpuid.h"
#include "fpu_state.h"
#include "gdb.h"
#include "gdb_regs.h"

#define CPUID_1_ECX_AVX 28

static bool is_64(const X86Cpu *cpu)
{
    return cpu->mode & CPU_MODE_CS64;
}

/* What the code that runs sees of a register of 64 bits. */
static uint64_t visible(const X86Cpu *cpu, uint64_t value)
{
    return is_64(cpu) ? value : (uint32_t)value;
}

static void store(uint8_t *bytes, uint64_t value, unsigned size)
{
    value = GUINT64_TO_LE(value);
    memcpy(bytes, &value, size);
}

static uint64_t load(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size);
    return GUINT64_FROM_LE(value);
}

/* ---- general registers ---- */

static const uint8_t gpr_order[16] = { R_RAX, R_RBX, R_RCX, R_RDX, R_RSI, R_RDI, R_RBP, R_RSP, R_R8,
                                       R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15 };

static void get_gpr(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, n < 8 || is_64(cpu) ? visible(cpu, cpu->gpr[gpr_order[n]]) : 0, 8);
}

static bool put_gpr(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    if (n < 8 || is_64(cpu)) {
        cpu->gpr[gpr_order[n]] = visible(cpu, load(bytes, 8));
    }
    return true;
}

static void get_frame(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    get_gpr(cpu, 6 + n, bytes);
}

static bool put_frame(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return put_gpr(cpu, 6 + n, bytes);
}

static void get_high_gpr(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    get_gpr(cpu, 8 + n, bytes);
}

static bool put_high_gpr(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return put_gpr(cpu, 8 + n, bytes);
}

static void get_rip(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, visible(cpu, cpu->rip), 8);
}

static bool put_rip(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    cpu->rip = visible(cpu, load(bytes, 8));
    return true;
}

static void get_eflags(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->rflags, 4);
}

static bool put_eflags(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_rflags(cpu, load(bytes, 4));
}

/* ---- segments and control ---- */

static const uint8_t seg_order[SEG_COUNT] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };

static void get_seg(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->seg[seg_order[n]].selector, 4);
}

static bool put_seg(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_segment(cpu, seg_order[n], (uint16_t)load(bytes, 4));
}

static void get_base(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, visible(cpu, cpu->seg[SEG_FS + n].base), 8);
}

static bool put_base(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    cpu->seg[SEG_FS + n].base = visible(cpu, load(bytes, 8));
    return true;
}

static void get_kernel_gs(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, visible(cpu, cpu->kernel_gs_base), 8);
}

static bool put_kernel_gs(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    cpu->kernel_gs_base = visible(cpu, load(bytes, 8));
    return true;
}

static void get_cr0(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->cr0, 8);
}

static bool put_cr0(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_cr0(cpu, load(bytes, 8));
}

static void get_cr2(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, visible(cpu, cpu->cr2), 8);
}

static bool put_cr2(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    cpu->cr2 = visible(cpu, load(bytes, 8));
    return true;
}

static void get_cr3(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->cr3, 8);
}

static bool put_cr3(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_cr3(cpu, load(bytes, 8));
}

static void get_cr4(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->cr4, 8);
}

static bool put_cr4(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_cr4(cpu, load(bytes, 8));
}

static void get_cr8(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->intc.get_tpr != NULL ? cpu->intc.get_tpr(cpu->intc.opaque) : 0, 8);
}

static bool put_cr8(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    uint64_t tpr = load(bytes, 8);

    if (tpr > 15) {
        return false;
    }
    if (cpu->intc.set_tpr != NULL) {
        cpu->intc.set_tpr(cpu->intc.opaque, (uint8_t)tpr);
    }
    return true;
}

static void get_efer(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->efer, 8);
}

static bool put_efer(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    return gdb_put_efer(cpu, load(bytes, 8));
}

/* ---- floating point and vectors ---- */

static unsigned physical_st(const X86Cpu *cpu, unsigned n)
{
    return ((cpu->fpu.fsw >> 11) + n) & 7;
}

static void get_st(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    memcpy(bytes, cpu->fpu.r[physical_st(cpu, n)].bytes, 10);
}

static bool put_st(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    memcpy(cpu->fpu.r[physical_st(cpu, n)].bytes, bytes, 10);
    return true;
}

enum { FCTRL, FSTAT, FTAG, FISEG, FIOFF, FOSEG, FOOFF, FOP, FP_CONTROLS };

static void get_fp_control(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    const X86Fpu *fpu = &cpu->fpu;
    const uint32_t values[FP_CONTROLS] = {
        [FCTRL] = fpu->fcw, [FSTAT] = fpu->fsw, [FTAG] = fpu_full_tag_word(fpu),
        [FISEG] = fpu->fcs, [FIOFF] = (uint32_t)fpu->fip, [FOSEG] = fpu->fds,
        [FOOFF] = (uint32_t)fpu->fdp, [FOP] = fpu->fop,
    };

    store(bytes, values[n], 4);
}

static bool put_fp_control(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    X86Fpu *fpu = &cpu->fpu;
    uint32_t value = (uint32_t)load(bytes, 4);

    switch (n) {
    case FCTRL:
        fpu_set_control(fpu, (uint16_t)value);
        break;
    case FSTAT:
        fpu_set_status(fpu, (uint16_t)value);
        break;
    case FTAG:
        fpu_set_full_tag_word(fpu, (uint16_t)value);
        break;
    case FISEG:
        fpu->fcs = (uint16_t)value;
        break;
    case FIOFF:
        fpu->fip = value;
        break;
    case FOSEG:
        fpu->fds = (uint16_t)value;
        break;
    case FOOFF:
        fpu->fdp = value;
        break;
    case FOP:
        fpu->fop = value & 0x7ff;                       /* SDM volume 1, 8.1.9 */
        break;
    }
    return true;
}

static void get_xmm(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    memcpy(bytes, &cpu->fpu.v[n].u8[0], 16);
}

static bool put_xmm(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    memcpy(&cpu->fpu.v[n].u8[0], bytes, 16);
    return true;
}

static void get_ymm_high(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    memcpy(bytes, &cpu->fpu.v[n].u8[16], 16);
}

static bool put_ymm_high(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    memcpy(&cpu->fpu.v[n].u8[16], bytes, 16);
    return true;
}

static void get_mxcsr(const X86Cpu *cpu, unsigned n, uint8_t *bytes)
{
    store(bytes, cpu->fpu.mxcsr, 4);
}

static bool put_mxcsr(X86Cpu *cpu, unsigned n, const uint8_t *bytes)
{
    uint32_t value = (uint32_t)load(bytes, 4);

    if (value & ~MXCSR_MASK) {
        return false;
    }
    cpu->fpu.mxcsr = value;
    return true;
}

/* ---- the table ---- */

#define NAMES(...) (const char *const[]){ __VA_ARGS__ }

const GdbRegRun gdb_reg_runs[] = {
    { GDB_FEATURE_CORE, 6, 8, NAMES("rax", "rbx", "rcx", "rdx", "rsi", "rdi"), .type = "int64",
      .get = get_gpr, .put = put_gpr },
    { GDB_FEATURE_CORE, 2, 8, NAMES("rbp", "rsp"), .type = "data_ptr",
      .get = get_frame, .put = put_frame },
    { GDB_FEATURE_CORE, 8, 8, NAMES("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
      .type = "int64", .get = get_high_gpr, .put = put_high_gpr },
    { GDB_FEATURE_CORE, 1, 8, NAMES("rip"), .type = "code_ptr", .get = get_rip, .put = put_rip },
    { GDB_FEATURE_CORE, 1, 4, NAMES("eflags"), .type = "eflags",
      .get = get_eflags, .put = put_eflags },
    { GDB_FEATURE_CORE, 6, 4, NAMES("cs", "ss", "ds", "es", "fs", "gs"), .type = "int32",
      .get = get_seg, .put = put_seg },
    { GDB_FEATURE_SEGMENTS, 2, 8, NAMES("fs_base", "gs_base"), .type = "int64",
      .get = get_base, .put = put_base },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("k_gs_base"), .type = "int64",
      .get = get_kernel_gs, .put = put_kernel_gs },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("cr0"), .type = "cr0", .get = get_cr0, .put = put_cr0 },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("cr2"), .type = "int64", .get = get_cr2, .put = put_cr2 },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("cr3"), .type = "cr3", .get = get_cr3, .put = put_cr3 },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("cr4"), .type = "cr4", .get = get_cr4, .put = put_cr4 },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("cr8"), .type = "int64", .get = get_cr8, .put = put_cr8 },
    { GDB_FEATURE_SYSTEM, 1, 8, NAMES("efer"), .type = "efer", .get = get_efer, .put = put_efer },
    { GDB_FEATURE_CORE, 8, 10, .prefix = "st", .type = "i387_ext",
      .get = get_st, .put = put_st },
    { GDB_FEATURE_CORE, FP_CONTROLS, 4,
      NAMES("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"), .type = "int",
      .group = "float", .get = get_fp_control, .put = put_fp_control },
    { GDB_FEATURE_SSE, 16, 16, .prefix = "xmm", .type = "vec128",
      .get = get_xmm, .put = put_xmm },
    { GDB_FEATURE_SSE, 1, 4, NAMES("mxcsr"), .type = "mxcsr", .group = "vector",
      .get = get_mxcsr, .put = put_mxcsr },
    { GDB_FEATURE_AVX, 16, 16, .prefix = "ymm", .suffix = "h", .type = "uint128",
      .get = get_ymm_high, .put = put_ymm_high },
};
const size_t gdb_reg_run_count = G_N_ELEMENTS(gdb_reg_runs);

bool gdb_has_feature(const X86Cpu *cpu, GdbFeature feature)
{
    return feature != GDB_FEATURE_AVX || x86_cpu_has(cpu->model, FEAT_1_ECX, CPUID_1_ECX_AVX);
}

/* The run a register belongs to; *n is its place there.  NULL: no such register. */
static const GdbRegRun *find(const X86Cpu *cpu, unsigned number, unsigned *n)
{
    for (size_t i = 0; i < gdb_reg_run_count; i++) {
        const GdbRegRun *run = &gdb_reg_runs[i];

        if (number < run->count) {
            *n = number;
            return gdb_has_feature(cpu, run->feature) ? run : NULL;
        }
        number -= run->count;
    }
    return NULL;
}

unsigned gdb_reg_size(const X86Cpu *cpu, unsigned number)
{
    unsigned n;
    const GdbRegRun *run = find(cpu, number, &n);

    return run != NULL ? run->bytes : 0;
}

unsigned gdb_reg_get(const X86Cpu *cpu, unsigned number, uint8_t bytes[GDB_REG_BYTES_MAX])
{
    unsigned n;
    const GdbRegRun *run = find(cpu, number, &n);

    if (run == NULL) {
        return 0;
    }
    run->get(cpu, n, bytes);
    return run->bytes;
}

bool gdb_reg_put(X86Cpu *cpu, unsigned number, const uint8_t *bytes)
{
    unsigned n;
    const GdbRegRun *run = find(cpu, number, &n);
    bool ok = run != NULL && run->put(cpu, n, bytes);

    vcpu_mark_dirty(cpu);
    return ok;
}

/* ---- packets ---- */

/* g */
GdbAnswer gdb_read_all(GdbSession *session, GdbCursor args)
{
    const X86Cpu *cpu = gdb_cpu(session, session->cpu);
    uint8_t bytes[GDB_REG_BYTES_MAX];
    unsigned size;

    for (unsigned number = 0; (size = gdb_reg_get(cpu, number, bytes)) > 0; number++) {
        gdb_append_hex(session->reply, bytes, size);
    }
    return GDB_REPLY;
}

/* G XX…: as many registers as there are bytes */
GdbAnswer gdb_write_all(GdbSession *session, GdbCursor args)
{
    X86Cpu *cpu = gdb_cpu(session, session->cpu);
    uint8_t bytes[GDB_REG_BYTES_MAX];

    for (unsigned number = 0; gdb_left(&args) > 0; number++) {
        unsigned size = gdb_reg_size(cpu, number);

        if (size == 0 || !gdb_take_bytes(&args, bytes, size) || !gdb_reg_put(cpu, number, bytes)) {
            return GDB_INVALID;
        }
    }
    return GDB_OK;
}

/* p NUMBER */
GdbAnswer gdb_read_one(GdbSession *session, GdbCursor args)
{
    uint8_t bytes[GDB_REG_BYTES_MAX];
    uint64_t number;
    unsigned size;

    if (!gdb_take_number(&args, &number) || gdb_left(&args) > 0) {
        return GDB_INVALID;
    }
    size = gdb_reg_get(gdb_cpu(session, session->cpu), (unsigned)MIN(number, UINT_MAX), bytes);
    gdb_append_hex(session->reply, bytes, size);
    return size > 0 ? GDB_REPLY : GDB_NO_MEMORY;
}

/* P NUMBER=XX… */
GdbAnswer gdb_write_one(GdbSession *session, GdbCursor args)
{
    X86Cpu *cpu = gdb_cpu(session, session->cpu);
    uint8_t bytes[GDB_REG_BYTES_MAX];
    uint64_t number;
    unsigned size;

    if (!gdb_take_number(&args, &number) || !gdb_take(&args, "=")) {
        return GDB_INVALID;
    }
    size = gdb_reg_size(cpu, (unsigned)MIN(number, UINT_MAX));
    return size > 0 && gdb_take_bytes(&args, bytes, size) && gdb_left(&args) == 0 &&
           gdb_reg_put(cpu, (unsigned)number, bytes) ? GDB_OK : GDB_INVALID;
}
