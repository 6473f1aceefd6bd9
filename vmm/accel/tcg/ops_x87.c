/*
 * x87: the exact way to run any instruction, control instructions, and the group's decode table.
 *
 * The exact way hands the instruction to the host's FPU together with the guest's whole stack,
 * tags, control and status words.  Stack faults, C0–C3, TOP, masked and unmasked responses come out
 * as the host has them.  An exception the guest does not mask stays pending in the host (the next
 * instruction after it is FNSAVE, which does not wait), so the host never traps.
 *
 * FIP, FCS, FDP and FDS follow every non-control instruction; FOP only those that left an unmasked
 * exception (SDM volume 1, 8.1.9: processors without fopcode compatibility mode).
 */
#include "tcg_x87.h"

#include "vm_core.h"

/* ---- pending exceptions ---- */

void x87_raise_pending(TcgCpu *cpu, const UOp *u)
{
    tcg_raise(cpu, u, EXC_MF);
}

static void drive_ferr(TcgCpu *cpu)
{
    Vm *vm = cpu->x86.vm;

    if (vm->isa_irq != NULL) {
        machine_lock();
        irq_set(&vm->isa_irq[13], 1);
        machine_unlock();
    }
}

void x87_signal_ferr(TcgCpu *cpu)
{
    if (cpu->x86.fpu.fsw & FSW_ES && !(cpu->x86.cr0 & CR0_NE)) {
        drive_ferr(cpu);
    }
}

/* ---- the exact way ---- */

static void image_from_fpu(X87Image *image, const X86Fpu *fpu)
{
    memset(image, 0, sizeof(*image));
    image->fcw = fpu->fcw;
    image->fsw = fpu->fsw;
    for (unsigned n = 0; n < 8; n++) {
        image->ftw |= fpu->ftw >> n & 1 ? 0 : 3u << (2 * n);
    }
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image->st[i], &fpu->r[x87_phys(fpu, i)], 10);
    }
}

static void image_to_fpu(X86Fpu *fpu, const X87Image *image)
{
    fpu->fsw = image->fsw;
    fpu_set_full_tag_word(fpu, image->ftw);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&fpu->r[x87_phys(fpu, i)], image->st[i], 10);
    }
}

/*
 * With CR0.NE clear a pending exception does not stop the next instruction (IGNNE# is taken for asserted while
 * the interrupt is served), but it would on the host: it is put aside meanwhile.
 */
static uint64_t image_run(TcgCpu *cpu, X87Image *image, void *operand, const void *code)
{
    uint16_t pending;
    uint64_t flags;

    image_from_fpu(image, &cpu->x86.fpu);
    pending = image->fsw & ~image->fcw & FCW_MASKS;
    if (pending != 0) {
        pending |= FSW_ES | FSW_B;
        image->fsw &= (uint16_t)~pending;
    }
    flags = x87_host_run(image, operand, code, cpu->x86.rflags & RFLAGS_ARITH);
    image->pad1 = pending;              /* for image_commit() */
    cpu->x87_live = false;              /* FNSAVE left the default control word */
    return flags;
}

static void image_commit(TcgCpu *cpu, const X87Image *image, uint16_t fop)
{
    image_to_fpu(&cpu->x86.fpu, image);
    cpu->x86.fpu.fsw |= image->pad1;
    if (cpu->x86.fpu.fsw & FSW_ES) {
        cpu->x86.fpu.fop = fop;
        x87_signal_ferr(cpu);
    }
    x87_make_live(cpu);                 /* the next instruction may take the short way */
}

/* FOP: the low three bits of the first opcode byte and the ModRM byte. */
static uint16_t reg_fop(const UOp *u)
{
    unsigned index = ((const uint8_t *)u->ptr - &x87_reg_code[0][0][0]) / 4;

    return index / 64 << 8 | 0xc0 | index % 64;
}

static uint16_t mem_fop(const UOp *u)
{
    unsigned index = ((const uint8_t *)u->ptr - &x87_mem_code[0][0][0]) / 4;

    return index / 8 << 8 | u->r2;
}

static G_GNUC_NO_INLINE uint64_t exact_reg(TcgCpu *cpu, const UOp *u)
{
    X87Image image;

    x87_wait(cpu, u);
    uint64_t flags = image_run(cpu, &image, NULL, u->ptr);

    x87_note(cpu, u);
    image_commit(cpu, &image, reg_fop(u));
    return flags;
}

const UOp *op_x87_reg(TcgCpu *cpu, const UOp *u)
{
    exact_reg(cpu, u);
    NEXT(u);
}

/* FCOMI and its kin. */
const UOp *op_x87_reg_flags(TcgCpu *cpu, const UOp *u)
{
    uint64_t flags = exact_reg(cpu, u);

    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_ARITH) | (flags & RFLAGS_ARITH);
    NEXT(u);
}

static G_GNUC_NO_INLINE void exact_load(TcgCpu *cpu, const UOp *u)
{
    X87Image image;
    uint8_t operand[16];

    x87_wait(cpu, u);
    tcg_load_bytes(cpu, u, tcg_ea(cpu, u, u->aux, ACCESS_READ), operand, u->aux);
    image_run(cpu, &image, operand, u->ptr);
    x87_note_mem(cpu, u);
    image_commit(cpu, &image, mem_fop(u));
}

const UOp *op_x87_load(TcgCpu *cpu, const UOp *u)
{
    exact_load(cpu, u);
    NEXT(u);
}

/*
 * A store that met an unmasked exception other than precision leaves memory alone (SDM volume 1,
 * 8.5).
 */
static bool image_stored(const X87Image *image)
{
    return !(image->fsw & ~image->fcw & (FCW_MASKS & ~FSW_PE));
}

static G_GNUC_NO_INLINE void exact_store(TcgCpu *cpu, const UOp *u)
{
    X87Image image;
    uint8_t operand[16];

    x87_wait(cpu, u);
    uint64_t addr = tcg_ea(cpu, u, u->aux, ACCESS_WRITE);

    /* A page fault comes before whatever the instruction raises itself. */
    mmu_probe(cpu, u, addr, u->aux, ACCESS_WRITE);
    image_run(cpu, &image, operand, u->ptr);
    if (image_stored(&image)) {
        tcg_store_bytes(cpu, u, addr, operand, u->aux);
    }
    x87_note_mem(cpu, u);
    image_commit(cpu, &image, mem_fop(u));
}

const UOp *op_x87_store(TcgCpu *cpu, const UOp *u)
{
    exact_store(cpu, u);
    NEXT(u);
}

/* ---- control ---- */

/* A new control word, taken over by the host's if it can be. */
static void set_control(TcgCpu *cpu, uint16_t fcw)
{
    X86Fpu *fpu = &cpu->x86.fpu;
    bool was_pending = fpu->fsw & FSW_ES;

    fpu_set_control(fpu, fcw);
    if (cpu->x87_live && (fpu->fcw & FCW_MASKS) == FCW_MASKS) {
        __asm__ volatile("fldcw %0" : : "m"(fpu->fcw));
        return;
    }
    x87_drop(cpu);
    if (!was_pending) {
        x87_signal_ferr(cpu);
    }
}

static const UOp *op_fldcw(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    set_control(cpu, tcg_load16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_READ)));
    NEXT(u);
}

static const UOp *op_fnstcw(TcgCpu *cpu, const UOp *u)
{
    tcg_store16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_WRITE), cpu->x86.fpu.fcw);
    NEXT(u);
}

static const UOp *op_fnstsw_mem(TcgCpu *cpu, const UOp *u)
{
    tcg_store16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_WRITE), cpu->x86.fpu.fsw);
    NEXT(u);
}

static const UOp *op_fnstsw_ax(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg16(cpu, R_RAX) = cpu->x86.fpu.fsw;
    NEXT(u);
}

static const UOp *op_fnclex(TcgCpu *cpu, const UOp *u)
{
    x87_drop(cpu);
    fpu_set_status(&cpu->x86.fpu, cpu->x86.fpu.fsw & ~(FSW_FLAGS | FSW_SF));
    NEXT(u);
}

static const UOp *op_fninit(TcgCpu *cpu, const UOp *u)
{
    x87_drop(cpu);
    fpu_init_x87(&cpu->x86.fpu);
    NEXT(u);
}

static const UOp *op_fwait(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    NEXT(u);
}

/* ---- decode ---- */

static const ZydisDecodedOperand *mem_operand(const DecodeContext *d)
{
    for (unsigned i = 0; i < d->insn->operand_count_visible; i++) {
        if (op_is_mem(&d->ops[i])) {
            return &d->ops[i];
        }
    }
    return NULL;
}

static void emit_mem(DecodeContext *d, UOpFn fn, const ZydisDecodedOperand *mem)
{
    const ZydisDecodedInstruction *insn = d->insn;
    bool writes = mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    UOp *u;

    if (fn == NULL) {
        fn = writes ? op_x87_store : op_x87_load;
    }
    u = decode_emit(d, fn);
    decode_mem(d, u, mem);
    u->ptr = x87_mem_code[insn->opcode & 7][insn->raw.modrm.reg];
    u->r1 = mem->mem.segment - ZYDIS_REGISTER_ES;
    u->r2 = insn->raw.modrm.mod << 6 | insn->raw.modrm.reg << 3 | insn->raw.modrm.rm;
    u->aux = mem->size / 8;
}

/*
 * Destination and source of the stack registers an instruction names; both the same if it names one
 * or none.
 */
static void stack_operands(const DecodeContext *d, UOp *u)
{
    unsigned count = d->insn->operand_count_visible;

    u->r1 = count > 0 && op_is_reg(&d->ops[0]) ? decode_reg(&d->ops[0]) : 0;
    u->r2 = count > 1 && op_is_reg(&d->ops[1]) ? decode_reg(&d->ops[1]) : u->r1;
}

static bool emit_x87(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *mem = mem_operand(d);
    const ZydisDecodedInstruction *insn = d->insn;
    UOpFn fn = x87_fast_form(d, mem);

    if (mem != NULL) {
        emit_mem(d, fn, mem);
        return true;
    }
    UOp *u = decode_emit(d, fn != NULL ? fn : row->fn != NULL ? row->fn : op_x87_reg);

    u->ptr = x87_reg_code[insn->opcode & 7][insn->raw.modrm.reg << 3 | insn->raw.modrm.rm];
    stack_operands(d, u);
    return true;
}

/* Control instructions: their own micro-op, `mm_fn` being the form with a register. */
static bool emit_control(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *mem = mem_operand(d);
    UOp *u = decode_emit(d, mem == NULL && row->mm_fn != NULL ? row->mm_fn : row->fn);

    if (mem != NULL) {
        decode_mem(d, u, mem);
        u->aux = d->operand_bits == 16 ? 2 : 4;         /* of an environment's field */
    }
    return true;
}

/* FENI, FDISI and FSETPM mean nothing since the 387. */
static bool emit_nothing(DecodeContext *d, const FpRow *row)
{
    return true;
}

static bool emit_fwait(DecodeContext *d, const FpRow *row)
{
    decode_emit(d, op_fwait);
    return true;
}

#define X87(name)           { ZYDIS_MNEMONIC_##name, emit_x87 }
#define X87_FLAGS(name)     { ZYDIS_MNEMONIC_##name, emit_x87, op_x87_reg_flags }
#define CONTROL(name, ...)  { ZYDIS_MNEMONIC_##name, emit_control, __VA_ARGS__ }

const FpRow x87_rows[] = {
    X87(F2XM1), X87(FABS), X87(FADD), X87(FADDP), X87(FBLD), X87(FBSTP), X87(FCHS), X87(FCMOVB),
    X87(FCMOVBE), X87(FCMOVE), X87(FCMOVNB), X87(FCMOVNBE), X87(FCMOVNE), X87(FCMOVNU), X87(FCMOVU),
    X87(FCOM), X87_FLAGS(FCOMI), X87_FLAGS(FCOMIP), X87(FCOMP), X87(FCOMPP), X87(FCOS),
    X87(FDECSTP), X87(FDIV), X87(FDIVP), X87(FDIVR), X87(FDIVRP), X87(FFREE), X87(FFREEP),
    X87(FIADD), X87(FICOM), X87(FICOMP), X87(FIDIV), X87(FIDIVR), X87(FILD), X87(FIMUL),
    X87(FINCSTP), X87(FIST), X87(FISTP), X87(FISTTP), X87(FISUB), X87(FISUBR), X87(FLD), X87(FLD1),
    X87(FLDL2E), X87(FLDL2T), X87(FLDLG2), X87(FLDLN2), X87(FLDPI), X87(FLDZ), X87(FMUL),
    X87(FMULP), X87(FNOP), X87(FPATAN), X87(FPREM), X87(FPREM1), X87(FPTAN), X87(FRNDINT),
    X87(FSCALE), X87(FSIN), X87(FSINCOS), X87(FSQRT), X87(FST), X87(FSTP), X87(FSTPNCE), X87(FSUB),
    X87(FSUBP), X87(FSUBR), X87(FSUBRP), X87(FTST), X87(FUCOM), X87_FLAGS(FUCOMI),
    X87_FLAGS(FUCOMIP), X87(FUCOMP), X87(FUCOMPP), X87(FXAM), X87(FXCH), X87(FXTRACT), X87(FYL2X),
    X87(FYL2XP1), CONTROL(FLDCW, op_fldcw), CONTROL(FLDENV, op_fldenv), CONTROL(FNCLEX, op_fnclex),
    CONTROL(FNINIT, op_fninit), CONTROL(FNSAVE, op_fnsave), CONTROL(FNSTCW, op_fnstcw),
    CONTROL(FNSTENV, op_fnstenv), CONTROL(FNSTSW, op_fnstsw_mem, op_fnstsw_ax),
    CONTROL(FRSTOR, op_frstor),
    { ZYDIS_MNEMONIC_FENI8087_NOP, emit_nothing }, { ZYDIS_MNEMONIC_FDISI8087_NOP, emit_nothing },
    { ZYDIS_MNEMONIC_FSETPM287_NOP, emit_nothing }, { ZYDIS_MNEMONIC_FWAIT, emit_fwait },
    {}
};
