/* Shared by ops_x87.c, ops_x87_fast.c and ops_x87_env.c. */
#pragma once

#include "tcg_fp.h"

/*
 * Exact forms.  UOp.ptr is the host code (x87_host.S), aux the operand's bytes, and for memory
 * forms r1 the segment and r2 the ModRM byte.  Fast forms carry the same operands and fall back to
 * these; with registers only, r1 and r2 are the i of the destination and source ST(i).
 */
const UOp *op_x87_reg(TcgCpu *cpu, const UOp *u);
const UOp *op_x87_reg_flags(TcgCpu *cpu, const UOp *u);
const UOp *op_x87_load(TcgCpu *cpu, const UOp *u);
const UOp *op_x87_store(TcgCpu *cpu, const UOp *u);

const UOp *op_fnstenv(TcgCpu *cpu, const UOp *u);
const UOp *op_fldenv(TcgCpu *cpu, const UOp *u);
const UOp *op_fnsave(TcgCpu *cpu, const UOp *u);
const UOp *op_frstor(TcgCpu *cpu, const UOp *u);

/* The fast form of the instruction, or NULL. */
UOpFn x87_fast_form(const DecodeContext *d, const ZydisDecodedOperand *mem);

/* The host's control word is its own again. */
void x87_drop(TcgCpu *cpu);

static inline void x87_note(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    fpu->fip = tcg_insn_rip(cpu, u);
    fpu->fcs = cpu->x86.seg[SEG_CS].selector;
}

static inline void x87_note_mem(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    x87_note(cpu, u);
    fpu->fdp = tcg_offset(cpu, u);
    fpu->fds = cpu->x86.seg[u->r1].selector;
}
