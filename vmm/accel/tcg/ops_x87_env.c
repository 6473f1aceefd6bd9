/*
 * FNSTENV, FLDENV, FNSAVE, FRSTOR: the x87 environment in its four layouts (SDM volume 1, figures
 * 8-9 to 8-12), by operand size and by real or protected mode.
 */
#include "tcg_x87.h"

/* The environment as seven fields, whatever their width in memory. */
enum { ENV_FCW, ENV_FSW, ENV_FTW, ENV_FIP, ENV_FCS, ENV_FDP, ENV_FDS, ENV_FIELDS };
enum { ST_BYTES = 80, ENV_MAX = 28 };

static bool real_layout(const TcgCpu *cpu)
{
    return !(cpu->x86.mode & CPU_MODE_PE) || cpu->x86.mode & CPU_MODE_VM86;
}

/*
 * Real-mode layouts hold linear addresses: the low 16 bits, then the rest from bit 12 of the next
 * field.
 */
static void fields_real(const X86Fpu *fpu, uint32_t *field)
{
    uint32_t ip = fpu->fip + fpu->fcs * 16u, dp = fpu->fdp + fpu->fds * 16u;

    field[ENV_FIP] = ip & 0xffff;
    field[ENV_FCS] = (ip >> 16 & 0xffff) << 12 | (fpu->fop & 0x7ff);
    field[ENV_FDP] = dp & 0xffff;
    field[ENV_FDS] = (dp >> 16 & 0xffff) << 12;
}

static void fields_protected(const X86Fpu *fpu, uint32_t *field)
{
    field[ENV_FIP] = fpu->fip;
    field[ENV_FCS] = (uint32_t)(fpu->fop & 0x7ff) << 16 | fpu->fcs;
    field[ENV_FDP] = fpu->fdp;
    field[ENV_FDS] = 0xffff0000u | fpu->fds;
}

static unsigned env_to_bytes(const TcgCpu *cpu, unsigned field_bytes, uint8_t *out)
{
    const X86Fpu *fpu = &cpu->x86.fpu;
    uint32_t field[ENV_FIELDS] = {
        [ENV_FCW] = 0xffff0000u | fpu->fcw,
        [ENV_FSW] = 0xffff0000u | fpu->fsw,
        [ENV_FTW] = 0xffff0000u | fpu_full_tag_word(fpu),
    };

    if (real_layout(cpu)) {
        fields_real(fpu, field);
    } else {
        fields_protected(fpu, field);
    }
    for (unsigned i = 0; i < ENV_FIELDS; i++) {
        memcpy(out + i * field_bytes, &field[i], field_bytes);
    }
    return ENV_FIELDS * field_bytes;
}

static void env_pointers(TcgCpu *cpu, const uint32_t *field, unsigned field_bytes)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    if (real_layout(cpu)) {
        fpu->fip = (field[ENV_FIP] & 0xffff) | (field[ENV_FCS] >> 12 & 0xffff) << 16;
        fpu->fdp = (field[ENV_FDP] & 0xffff) | (field[ENV_FDS] >> 12 & 0xffff) << 16;
        fpu->fcs = fpu->fds = 0;
        fpu->fop = field[ENV_FCS] & 0x7ff;
        return;
    }
    fpu->fip = field[ENV_FIP];
    fpu->fdp = field[ENV_FDP];
    fpu->fcs = field[ENV_FCS];
    fpu->fds = field[ENV_FDS];
    if (field_bytes == 4) {
        fpu->fop = field[ENV_FCS] >> 16 & 0x7ff;
    }
}

static void env_from_bytes(TcgCpu *cpu, unsigned field_bytes, const uint8_t *in)
{
    X86Fpu *fpu = &cpu->x86.fpu;
    uint32_t field[ENV_FIELDS] = { 0 };

    for (unsigned i = 0; i < ENV_FIELDS; i++) {
        memcpy(&field[i], in + i * field_bytes, field_bytes);
    }
    x87_drop(cpu);
    fpu->fsw = field[ENV_FSW];
    fpu_set_control(fpu, field[ENV_FCW]);
    fpu_set_full_tag_word(fpu, field[ENV_FTW]);
    env_pointers(cpu, field, field_bytes);
}

/* UOp.aux: bytes of a field, 2 or 4. */
static void store_env(TcgCpu *cpu, const UOp *u)
{
    uint8_t bytes[ENV_MAX];
    unsigned size = env_to_bytes(cpu, u->aux, bytes);

    tcg_store_bytes(cpu, u, tcg_ea(cpu, u, size, ACCESS_WRITE), bytes, size);
    x87_drop(cpu);
    /* All exceptions are masked behind it (SDM, FSTENV). */
    fpu_set_control(&cpu->x86.fpu, cpu->x86.fpu.fcw | FCW_MASKS);
}

const UOp *op_fnstenv(TcgCpu *cpu, const UOp *u)
{
    store_env(cpu, u);
    NEXT(u);
}

static void load_env(TcgCpu *cpu, const UOp *u)
{
    uint8_t bytes[ENV_MAX];
    unsigned size = ENV_FIELDS * u->aux;

    x87_wait(cpu, u);
    tcg_load_bytes(cpu, u, tcg_ea(cpu, u, size, ACCESS_READ), bytes, size);
    env_from_bytes(cpu, u->aux, bytes);
    x87_signal_ferr(cpu);
}

const UOp *op_fldenv(TcgCpu *cpu, const UOp *u)
{
    load_env(cpu, u);
    NEXT(u);
}

static void save_all(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;
    uint8_t bytes[ENV_MAX + ST_BYTES];
    unsigned size = env_to_bytes(cpu, u->aux, bytes);

    for (unsigned i = 0; i < 8; i++) {
        memcpy(bytes + size, &fpu->r[x87_phys(fpu, i)], 10);
        size += 10;
    }
    tcg_store_bytes(cpu, u, tcg_ea(cpu, u, size, ACCESS_WRITE), bytes, size);
    x87_drop(cpu);
    fpu_init_x87(fpu);
}

const UOp *op_fnsave(TcgCpu *cpu, const UOp *u)
{
    save_all(cpu, u);
    NEXT(u);
}

static void restore_all(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;
    uint8_t bytes[ENV_MAX + ST_BYTES];
    unsigned env = ENV_FIELDS * u->aux, size = env + ST_BYTES;

    x87_wait(cpu, u);
    tcg_load_bytes(cpu, u, tcg_ea(cpu, u, size, ACCESS_READ), bytes, size);
    env_from_bytes(cpu, u->aux, bytes);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&fpu->r[x87_phys(fpu, i)], bytes + env + 10 * i, 10);
    }
    x87_signal_ferr(cpu);
}

const UOp *op_frstor(TcgCpu *cpu, const UOp *u)
{
    restore_all(cpu, u);
    NEXT(u);
}
