/* Who called: the kernel's tables first, then frame pointers, then guesses. */
#include "unwind.h"

#include <string.h>

#include "pagewalk.h"
#include "unwind_state.h"

#define FRAME_BYTES_MAX (1u << 20)          /* a frame is not larger */
#define GUESS_WORDS     512                 /* looked at for one guess */
#define GUESSES_MAX     32                  /* in a row */
#define CALL_BYTES_MAX  7                   /* of a call: opcode, ModRM, SIB, displacement */

bool unwind_read(const UnwindState *s, uint64_t addr, uint64_t *value)
{
    *value = 0;
    return x86_read_linear(s->cpu, addr, value, s->word);
}

/* ---- return addresses ---- */

bool unwind_is_code(const UnwindState *s, uint64_t addr)
{
    PageMapping mapping;

    return x86_translate(s->cpu, addr, &mapping) && !mapping.no_execute;
}

/*
 * How long the call through a register or memory with this ModRM byte is (SDM volume 2A table 2-2,
 * FF /2); 0: it is none.
 */
static unsigned indirect_call_bytes(uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;
    unsigned sib = mod != 3 && rm == 4;
    unsigned disp = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;

    return (modrm >> 3 & 7) == 2 ? 2 + sib + disp : 0;
}

/* Does a call end where `addr` begins?  Calls stay in the kernel's half, or out of it. */
static bool is_behind_call(const UnwindState *s, uint64_t addr)
{
    uint8_t before[CALL_BYTES_MAX];
    int32_t distance;

    if ((addr ^ s->rip) >> 63 != 0 || !unwind_is_code(s, addr) ||
        !x86_read_linear(s->cpu, addr - CALL_BYTES_MAX, before, CALL_BYTES_MAX)) {
        return false;
    }
    memcpy(&distance, before + CALL_BYTES_MAX - 4, sizeof(distance));
    if (before[CALL_BYTES_MAX - 5] == 0xe8 &&
        unwind_is_code(s, s->word == 8 ? addr + distance : (uint32_t)(addr + distance))) {
        return true;
    }
    for (unsigned n = 2; n <= CALL_BYTES_MAX; n++) {
        const uint8_t *at = before + CALL_BYTES_MAX - n;

        if (at[0] == 0xff && indirect_call_bytes(at[1]) == n) {
            return true;
        }
    }
    return false;
}

static void go_to_caller(UnwindState *s, uint64_t rip, uint64_t sp)
{
    s->rip = rip;
    s->sp = sp;
    s->exact = false;
    s->regs = REGS_NONE;
}

/* ---- frame pointers ---- */

/* Where a function that has only begun, or is about to return, keeps its return address: bytes
 * above sp.  -1: nobody can tell. */
static int shallow_return(const UnwindState *s)
{
    static const struct { uint8_t code[4]; unsigned len, words; } rows[] = {
        { { 0xf3, 0x0f, 0x1e, 0xfa }, 4, 0 },       /* endbr64 */
        { { 0x55 }, 1, 0 },                         /* push %rbp */
        { { 0x48, 0x89, 0xe5 }, 3, 1 },             /* mov %rsp,%rbp, behind the push */
        { { 0x89, 0xe5 }, 2, 1 },                   /* mov %esp,%ebp */
        { { 0xc3 }, 1, 0 },                         /* ret */
    };
    uint8_t code[4];
    Symbol symbol;

    if (!s->exact) {
        return -1;
    }
    if (!unwind_is_code(s, s->rip)) {
        return 0;                                   /* a call through a wild pointer */
    }
    if (s->symbols != NULL && symbols_by_addr(s->symbols, s->rip, &symbol) &&
        symbol.addr == s->rip) {
        return 0;
    }
    if (x86_read_linear(s->cpu, s->rip, code, sizeof(code))) {
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
            if (memcmp(code, rows[i].code, rows[i].len) == 0) {
                return rows[i].words * s->word;
            }
        }
    }
    return -1;
}

static bool shallow_step(UnwindState *s)
{
    int above = shallow_return(s);
    uint64_t rip, bp = s->bp;

    if (above < 0 || !unwind_read(s, s->sp + above, &rip) || !is_behind_call(s, rip) ||
        (above > 0 && !unwind_read(s, s->sp, &bp))) {
        return false;
    }
    go_to_caller(s, rip, s->sp + above + s->word);
    s->bp = bp;
    return true;
}

static UnwindStep frame_pointer_step(UnwindState *s)
{
    uint64_t rip, bp;

    if (shallow_step(s)) {
        return STEP_DONE;
    }
    if (s->bp == 0 && s->chained) {
        return STEP_END;                            /* System V ABI: marks the outermost frame */
    }
    if (s->bp % s->word != 0 || s->bp < s->sp || s->bp - s->sp > FRAME_BYTES_MAX ||
        !unwind_read(s, s->bp, &bp) || !unwind_read(s, s->bp + s->word, &rip) ||
        (bp != 0 && bp <= s->bp) || !is_behind_call(s, rip)) {
        return STEP_UNKNOWN;
    }
    go_to_caller(s, rip, s->bp + 2 * s->word);
    s->bp = bp;
    s->chained = true;
    return STEP_DONE;
}

/* ---- guesses ---- */

/*
 * Functions that save a frame pointer push it first, right below the return address.  Anything
 * there that points a bit up the stack is taken for one.
 */
static void guess_frame_pointer(UnwindState *s, uint64_t slot)
{
    uint64_t bp;

    if (unwind_read(s, slot - s->word, &bp) && bp % s->word == 0 && bp > slot &&
        bp - slot < FRAME_BYTES_MAX) {
        s->bp = bp;
    }
}

static UnwindStep guess_step(UnwindState *s)
{
    uint64_t at = s->sp & ~(uint64_t)(s->word - 1), rip;

    for (unsigned i = 0; i < GUESS_WORDS; i++, at += s->word) {
        if (!unwind_read(s, at, &rip)) {
            break;
        }
        if (is_behind_call(s, rip)) {
            guess_frame_pointer(s, at);
            go_to_caller(s, rip, at + s->word);
            s->chained = false;
            return STEP_DONE;
        }
    }
    return STEP_UNKNOWN;
}

/* ---- all of it ---- */

static void begin(UnwindState *s, Vm *vm, const X86Cpu *cpu)
{
    bool wide = cpu->mode & CPU_MODE_CS64;

    *s = (UnwindState){
        .cpu = cpu, .symbols = vm_symbols(vm, NULL),
        .rip = x86_linear_rip(cpu), .sp = cpu->gpr[R_RSP], .bp = cpu->gpr[R_RBP],
        .word = wide ? 8 : 4, .user = x86_cpl(cpu) == 3, .exact = true, .regs = REGS_OF_CPU,
    };
    if (!wide) {
        s->sp = (uint32_t)(cpu->gpr[R_RSP] + cpu->seg[SEG_SS].base);
        s->bp = (uint32_t)(cpu->gpr[R_RBP] + cpu->seg[SEG_SS].base);
    }
}

static UnwindStep step(const OrcTable *orc, UnwindState *s, unsigned guesses, UnwindHow *how)
{
    UnwindStep result = orc_step(orc, s);

    *how = UNWIND_ORC;
    if (result == STEP_UNKNOWN) {
        result = frame_pointer_step(s);
        *how = UNWIND_FRAME_POINTER;
    }
    if (result == STEP_UNKNOWN && guesses < GUESSES_MAX) {
        result = guess_step(s);
        *how = UNWIND_GUESS;
    }
    return result;
}

size_t unwind(Vm *vm, X86Cpu *cpu, UnwindFrame *frames, size_t max)
{
    UnwindState s;
    OrcTable orc;
    unsigned guesses = 0;
    size_t n = 1;

    begin(&s, vm, cpu);
    orc_find(&orc, &s);
    frames[0] = (UnwindFrame){ s.rip, 0, UNWIND_REGISTERS };
    /* frames of 16-bit code have no common form */
    while (n < max && cpu->mode & (CPU_MODE_CS64 | CPU_MODE_CS32)) {
        UnwindHow how;

        if (step(&orc, &s, guesses, &how) != STEP_DONE) {
            break;
        }
        guesses = how == UNWIND_GUESS ? guesses + 1 : 0;
        frames[n - 1].cfa = how == UNWIND_GUESS ? 0 : s.sp;
        frames[n++] = (UnwindFrame){ s.rip, 0, how };
    }
    return n;
}
