/* IN and OUT. */
#include "tcg_ops.h"

uint64_t tcg_port_read(TcgCpu *cpu, uint16_t port, unsigned size)
{
    tcg_fp_release(cpu);
    return mem_load(&cpu->x86.vm->io, port, size, NULL);
}

void tcg_port_write(TcgCpu *cpu, uint16_t port, uint64_t value, unsigned size)
{
    tcg_fp_release(cpu);
    mem_store(&cpu->x86.vm->io, port, size == 4 ? (uint32_t)value : size == 2 ? (uint16_t)value
                                                                            : (uint8_t)value, size);
}

/* `aux`: size; `imm`: port, or `r2` names DX. */
static uint16_t port_of(TcgCpu *cpu, const UOp *u)
{
    return u->r2 == R_RDX ? *tcg_reg16(cpu, R_RDX) : (uint16_t)u->imm;
}

static const UOp *op_in(TcgCpu *cpu, const UOp *u)
{
    uint16_t port = port_of(cpu, u);
    uint64_t value;

    tcg_check_io(cpu, u, port, u->aux);
    value = tcg_port_read(cpu, port, u->aux);
    switch (u->aux) {
    case 1: *tcg_reg8(cpu, 0) = (uint8_t)value; break;
    case 2: *tcg_reg16(cpu, R_RAX) = (uint16_t)value; break;
    default: tcg_set32(cpu, R_RAX, (uint32_t)value); break;
    }
    NEXT(u);
}

static const UOp *op_out(TcgCpu *cpu, const UOp *u)
{
    uint16_t port = port_of(cpu, u);

    tcg_check_io(cpu, u, port, u->aux);
    tcg_port_write(cpu, port, cpu->x86.gpr[R_RAX], u->aux);
    NEXT(u);
}

static void fill_port(UOp *u, const ZydisDecodedOperand *port, const ZydisDecodedOperand *data)
{
    u->aux = (uint8_t)MIN(data->size / 8, 4);
    if (op_is_imm(port)) {
        u->imm = (uint8_t)port->imm.value.u;
    } else {
        u->r2 = R_RDX;
    }
}

static bool emit_in(DecodeContext *d)
{
    fill_port(decode_emit(d, op_in), &d->ops[1], &d->ops[0]);
    decode_end(d);                      /* devices may have changed what the CPU sees */
    return true;
}

static bool emit_out(DecodeContext *d)
{
    fill_port(decode_emit(d, op_out), &d->ops[0], &d->ops[1]);
    decode_end(d);
    return true;
}

const DecodeRow decode_io_rows[] = {
    { ZYDIS_MNEMONIC_IN, emit_in, false },
    { ZYDIS_MNEMONIC_OUT, emit_out, false },
    {}
};
