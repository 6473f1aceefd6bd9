/*
 * Random instructions and states.
 *
 * A class is a predicate on decoded instructions.  Its opcodes are found by decoding every
 * combination of prefix, opcode and ModRM form; a case picks a mnemonic, then one of its forms,
 * then fills the rest with random bytes and decodes again.  Memory operands are kept inside the
 * data page: some registers always point into its middle, some are always small, and no instruction
 * but the last of a run may change them at will.
 */
#include "native.h"

#include <string.h>

#include <Zydis/Zydis.h>

#include "x86_cpu.h"

enum { MAX_INSN = 15, MAX_OPS = ZYDIS_MAX_OPERAND_COUNT, TRIES = 4000 };

/* Registers memory operands may use. */
#define POINTERS    (1u << R_RSP | 1u << R_RBX | 1u << R_RBP | 1u << R_RSI | 1u << R_RDI | \
                     1u << R_R10 | 1u << R_R13)
#define SMALL       (1u << R_R9 | 1u << R_R15)
#define SMALL_32    (1u << R_RDX)
/* Nothing an instruction of a run may touch is further from a pointer. */
enum { DATA_MIDDLE = NATIVE_PAGE / 2, POINTER_SPREAD = 256, DISP_SPREAD = 256, SMALL_MAX = 16 };

typedef struct Head {
    uint8_t bytes[6];                   /* prefixes, opcode, and the ModRM byte */
    uint8_t length, modrm;              /* modrm: offset, 0: none */
    ZydisMnemonic mnemonic;
} Head;

typedef struct Insn {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand ops[MAX_OPS];
} Insn;

struct NativeClass {
    unsigned row;
    NativeMode mode;
    uint32_t small;                     /* SMALL of that mode */
    GArray *heads;                      /* Head, sorted by mnemonic */
    GArray *starts;                     /* unsigned: first head of each mnemonic */
    ZydisDecoder decoder;
};

/* ---- what belongs to a class ---- */

typedef bool (*Predicate)(const Insn *i);

static bool has_register(const Insn *i, ZydisRegisterClass wanted)
{
    for (unsigned n = 0; n < i->insn.operand_count; n++) {
        if (i->ops[n].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(i->ops[n].reg.value) == wanted) {
            return true;
        }
    }
    return false;
}

static bool has_vector(const Insn *i)
{
    return has_register(i, ZYDIS_REGCLASS_XMM) || has_register(i, ZYDIS_REGCLASS_MMX);
}

static bool has_mmx(const Insn *i)
{
    return has_register(i, ZYDIS_REGCLASS_MMX);
}

static bool has_category(const Insn *i, const ZydisInstructionCategory *list, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (i->insn.meta.category == list[k]) {
            return true;
        }
    }
    return false;
}
#define IN(i, ...) has_category(i, (const ZydisInstructionCategory[]) { __VA_ARGS__ }, \
    sizeof((ZydisInstructionCategory[]) { __VA_ARGS__ }) / sizeof(ZydisInstructionCategory))

/* The sets this software CPU offers for floating point and vectors. */
static bool is_offered_vector(const Insn *i)
{
    switch (i->insn.meta.isa_set) {
    case ZYDIS_ISA_SET_PENTIUMMMX: case ZYDIS_ISA_SET_SSE: case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX: case ZYDIS_ISA_SET_SSE3: case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX: case ZYDIS_ISA_SET_SSE4: case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_AES: case ZYDIS_ISA_SET_PCLMULQDQ: case ZYDIS_ISA_SET_SSEMXCSR:
        return i->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
    default:
        return false;
    }
}

static bool is_muldiv(const Insn *i)
{
    ZydisMnemonic m = i->insn.mnemonic;

    return m == ZYDIS_MNEMONIC_MUL || m == ZYDIS_MNEMONIC_IMUL || m == ZYDIS_MNEMONIC_DIV ||
           m == ZYDIS_MNEMONIC_IDIV;
}

static bool is_alu(const Insn *i)
{
    return !has_vector(i) && !is_muldiv(i) && i->insn.meta.isa_set != ZYDIS_ISA_SET_ADOX_ADCX &&
           IN(i, ZYDIS_CATEGORY_BINARY, ZYDIS_CATEGORY_LOGICAL, ZYDIS_CATEGORY_FLAGOP,
              ZYDIS_CATEGORY_DECIMAL);
}

static bool is_shift(const Insn *i)
{
    return IN(i, ZYDIS_CATEGORY_SHIFT, ZYDIS_CATEGORY_ROTATE);
}

static bool is_bits(const Insn *i)
{
    ZydisMnemonic m = i->insn.mnemonic;

    return m == ZYDIS_MNEMONIC_POPCNT || m == ZYDIS_MNEMONIC_CRC32 || m == ZYDIS_MNEMONIC_LZCNT ||
           (!has_vector(i) && i->insn.meta.isa_set != ZYDIS_ISA_SET_SSE4A &&
            i->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
            IN(i, ZYDIS_CATEGORY_BITBYTE, ZYDIS_CATEGORY_CMOV, ZYDIS_CATEGORY_SETCC,
               ZYDIS_CATEGORY_SEMAPHORE));
}

static bool is_base_set(const Insn *i)
{
    switch (i->insn.meta.isa_set) {
    case ZYDIS_ISA_SET_I86: case ZYDIS_ISA_SET_I386: case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_LONGMODE: case ZYDIS_ISA_SET_MOVBE:
        return true;
    default:
        return false;
    }
}

/* No segment, control or debug registers. */
static bool is_move(const Insn *i)
{
    for (unsigned n = 0; n < i->insn.operand_count_visible; n++) {
        if (i->ops[n].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(i->ops[n].reg.value) > ZYDIS_REGCLASS_GPR64) {
            return false;
        }
    }
    return is_base_set(i) && !has_register(i, ZYDIS_REGCLASS_SEGMENT) &&
           (i->insn.mnemonic == ZYDIS_MNEMONIC_LEA ||
            IN(i, ZYDIS_CATEGORY_DATAXFER, ZYDIS_CATEGORY_CONVERT));
}

/* POPF may set TF and AC, which the host's kernel would see. */
static bool is_stack(const Insn *i)
{
    ZydisMnemonic m = i->insn.mnemonic;

    if (has_register(i, ZYDIS_REGCLASS_SEGMENT)) {
        return false;
    }
    return m == ZYDIS_MNEMONIC_PUSH || m == ZYDIS_MNEMONIC_POP || m == ZYDIS_MNEMONIC_LEAVE ||
           m == ZYDIS_MNEMONIC_PUSHF || m == ZYDIS_MNEMONIC_PUSHFD || m == ZYDIS_MNEMONIC_PUSHFQ ||
           m == ZYDIS_MNEMONIC_PUSHA || m == ZYDIS_MNEMONIC_PUSHAD || m == ZYDIS_MNEMONIC_POPA ||
           m == ZYDIS_MNEMONIC_POPAD;
}

static bool is_string(const Insn *i)
{
    return IN(i, ZYDIS_CATEGORY_STRINGOP) && !has_vector(i);
}

/*
 * Prefixes on branches mean one thing to AMD and another to Intel: the operand size's, REP before
 * LOOPcc.
 */
static bool is_branch(const Insn *i)
{
    for (unsigned n = 0; n < i->insn.raw.prefix_count; n++) {
        uint8_t prefix = i->insn.raw.prefixes[n].value;

        if (prefix == 0x66 || prefix == 0xf2 || prefix == 0xf3) {
            return false;
        }
    }
    return i->insn.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR &&
           i->insn.mnemonic != ZYDIS_MNEMONIC_IRET && i->insn.mnemonic != ZYDIS_MNEMONIC_IRETD &&
           i->insn.mnemonic != ZYDIS_MNEMONIC_IRETQ &&
           IN(i, ZYDIS_CATEGORY_COND_BR, ZYDIS_CATEGORY_UNCOND_BR, ZYDIS_CATEGORY_CALL,
              ZYDIS_CATEGORY_RET) &&
           i->insn.mnemonic != ZYDIS_MNEMONIC_XABORT && i->insn.mnemonic != ZYDIS_MNEMONIC_XBEGIN;
}

static bool is_x87(const Insn *i)
{
    switch (i->insn.mnemonic) {
    case ZYDIS_MNEMONIC_FNSAVE: case ZYDIS_MNEMONIC_FNSTENV:   /* hold FIP, FDP */
    case ZYDIS_MNEMONIC_FENI8087_NOP: case ZYDIS_MNEMONIC_FDISI8087_NOP:
    case ZYDIS_MNEMONIC_FSETPM287_NOP:
        return false;
    default:
        return IN(i, ZYDIS_CATEGORY_X87_ALU, ZYDIS_CATEGORY_FCMOV);
    }
}

static bool is_mmx(const Insn *i)
{
    return is_offered_vector(i) && (has_mmx(i) || i->insn.mnemonic == ZYDIS_MNEMONIC_EMMS);
}

static bool is_float_mnemonic(const Insn *i)
{
    const char *name = ZydisMnemonicGetString(i->insn.mnemonic);
    size_t length = strlen(name);
    const char *end = name + length - 2;

    return name[0] != 'p' && (!strcmp(end, "ps") || !strcmp(end, "pd") || !strcmp(end, "ss") ||
                              !strcmp(end, "sd"));
}

static bool is_convert(const Insn *i)
{
    return is_offered_vector(i) && !strncmp(ZydisMnemonicGetString(i->insn.mnemonic), "cvt", 3);
}

static bool is_sse_float(const Insn *i)
{
    return is_offered_vector(i) && !has_mmx(i) && !is_convert(i) &&
           (is_float_mnemonic(i) || i->insn.meta.isa_set == ZYDIS_ISA_SET_SSEMXCSR);
}

static bool is_text(const Insn *i)
{
    return !strncmp(ZydisMnemonicGetString(i->insn.mnemonic), "pcmp", 4) &&
           strstr(ZydisMnemonicGetString(i->insn.mnemonic), "str") != NULL;
}

static bool is_sse_integer(const Insn *i)
{
    return is_offered_vector(i) && has_vector(i) && !has_mmx(i) && !is_convert(i) &&
           !is_float_mnemonic(i) && !is_text(i);
}

static bool is_sse_text(const Insn *i)
{
    return is_offered_vector(i) && is_text(i);
}

const NativeClassRow native_classes[] = {
    { "alu", 20000, 6 }, { "shift", 12000, 4 }, { "muldiv", 8000, 2 }, { "bits", 12000, 4 },
    { "move", 12000, 6 }, { "stack", 6000, 6 }, { "string", 10000, 2 }, { "branch", 8000, 4 },
    { "x87", 40000, 6 },
    { "mmx", 24000, 4 }, { "sse-integer", 40000, 4 }, { "sse-float", 40000, 4 },
    { "convert", 24000, 4 }, { "sse-text", 8000, 2 }, {}
};

static const Predicate predicates[] = {
    is_alu, is_shift, is_muldiv, is_bits, is_move, is_stack, is_string, is_branch, is_x87,
    is_mmx, is_sse_integer, is_sse_float, is_convert, is_sse_text,
};

/* ---- finding opcodes ---- */

static bool is_x87_opcode(uint8_t byte) { return byte >= 0xd8 && byte <= 0xdf; }

static bool decode(const NativeClass *cls, const uint8_t *bytes, Insn *out)
{
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&cls->decoder, bytes, MAX_INSN, &out->insn,
                                               out->ops));
}

static bool belongs(const NativeClass *cls, const Insn *i)
{
    return i->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && predicates[cls->row](i) &&
           !(i->insn.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
}

static void try_head(NativeClass *cls, const uint8_t *bytes, unsigned modrm_at)
{
    Insn i;

    if (!decode(cls, bytes, &i) || !belongs(cls, &i)) {
        return;
    }
    bool has_modrm = i.insn.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    Head head = { .length = has_modrm ? modrm_at + 1 : modrm_at, .modrm = has_modrm ? modrm_at : 0,
                  .mnemonic = i.insn.mnemonic };

    memcpy(head.bytes, bytes, sizeof(head.bytes));
    g_array_append_val(cls->heads, head);
}

/*
 * A form for each ModRM.reg with memory and with a register; ST(i) and the like need each rm too.
 */
static void try_opcode(NativeClass *cls, const uint8_t *head, unsigned length)
{
    uint8_t bytes[MAX_INSN + 1] = { 0 };
    unsigned rms = is_x87_opcode(head[length - 1]) ? 8 : 1;

    memcpy(bytes, head, length);
    for (unsigned reg = 0; reg < 8; reg++) {
        bytes[length] = reg << 3 | 3;
        try_head(cls, bytes, length);
        for (unsigned rm = 0; rm < rms; rm++) {
            bytes[length] = 0xc0 | reg << 3 | rm;
            try_head(cls, bytes, length);
        }
    }
}

static void try_map(NativeClass *cls, const uint8_t *escape, unsigned escape_length)
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };

    for (unsigned p = 0; p < G_N_ELEMENTS(prefixes); p++) {
        for (unsigned rex = 0; rex < (cls->mode == NATIVE_64 ? 2 : 1); rex++) {
            uint8_t head[6];
            unsigned length = 0;

            if (prefixes[p]) {
                head[length++] = prefixes[p];
            }
            if (rex) {
                head[length++] = 0x48;
            }
            memcpy(head + length, escape, escape_length);
            length += escape_length;
            for (unsigned opcode = 0; opcode < 256; opcode++) {
                head[length] = opcode;
                try_opcode(cls, head, length + 1);
            }
        }
    }
}

static int by_mnemonic(const void *a, const void *b)
{
    return (int)((const Head *)a)->mnemonic - (int)((const Head *)b)->mnemonic;
}

NativeClass *native_class_new(unsigned row, NativeMode mode)
{
    static const struct { uint8_t bytes[2]; unsigned length; } maps[] = {
        { { 0 }, 0 }, { { 0x0f }, 1 }, { { 0x0f, 0x38 }, 2 }, { { 0x0f, 0x3a }, 2 },
    };
    NativeClass *cls = g_new0(NativeClass, 1);

    cls->row = row;
    cls->mode = mode;
    cls->small = mode == NATIVE_64 ? SMALL : SMALL_32;
    cls->heads = g_array_new(false, false, sizeof(Head));
    cls->starts = g_array_new(false, false, sizeof(unsigned));
    if (mode == NATIVE_64) {
        ZydisDecoderInit(&cls->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    } else {
        ZydisDecoderInit(&cls->decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
    }
    for (unsigned m = 0; m < G_N_ELEMENTS(maps); m++) {
        try_map(cls, maps[m].bytes, maps[m].length);
    }
    g_array_sort(cls->heads, by_mnemonic);
    for (unsigned h = 0; h < cls->heads->len; h++) {
        if (h == 0 || g_array_index(cls->heads, Head, h).mnemonic !=
                      g_array_index(cls->heads, Head, h - 1).mnemonic) {
            g_array_append_val(cls->starts, h);
        }
    }
    return cls;
}

void native_class_free(NativeClass *cls)
{
    g_array_free(cls->heads, true);
    g_array_free(cls->starts, true);
    g_free(cls);
}

unsigned native_class_size(const NativeClass *cls)
{
    return cls->starts->len;
}

/* ---- one instruction ---- */

static uint32_t reg_bit(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

    if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) {
        return 0;
    }
    return 1u << ZydisRegisterGetId(whole);
}

/* Displacements are made small, or absolute where no pointer is involved. */
static bool fix_memory(const NativeClass *cls, const Insn *i, const ZydisDecodedOperand *op,
                       uint8_t *bytes, unsigned at, GRand *rand)
{
    unsigned offset = i->insn.raw.disp.offset, size = i->insn.raw.disp.size / 8;
    int32_t disp = g_rand_int_range(rand, -DISP_SPREAD, DISP_SPREAD);
    ZydisRegister base = op->mem.base;

    if (op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
        /* The stack, a string, MASKMOVQ's: which of the latter fault under an empty mask varies. */
        return reg_bit(base) & POINTERS &&
               (i->insn.address_width > 16 || i->insn.meta.category != ZYDIS_CATEGORY_DATAXFER);
    }
    if (op->mem.index != ZYDIS_REGISTER_NONE && !(reg_bit(op->mem.index) & cls->small)) {
        return false;
    }
    if (base == ZYDIS_REGISTER_RIP || base == ZYDIS_REGISTER_EIP) {
        disp += NATIVE_DATA + DATA_MIDDLE - (NATIVE_CODE + NATIVE_CODE_START + at + i->insn.length);
    } else if (base == ZYDIS_REGISTER_NONE) {
        disp += NATIVE_DATA + DATA_MIDDLE;
    } else if (!(reg_bit(base) & POINTERS)) {
        return false;
    }
    if (size == 4) {
        memcpy(bytes + offset, &disp, 4);
    }
    return size != 8;                   /* MOV's 64-bit absolute form: nothing there */
}

/* A relative branch goes beyond the longest run, where the page holds INT3. */
static void fix_branch(const Insn *i, uint8_t *bytes, GRand *rand)
{
    unsigned offset = i->insn.raw.imm[0].offset, size = i->insn.raw.imm[0].size / 8;
    int32_t distance = g_rand_int_range(rand, NATIVE_MAX_INSNS * MAX_INSN, size == 1 ? 128 : 2000);

    if (size > 0 && i->insn.raw.imm[0].is_relative) {
        memcpy(bytes + offset, &distance, size);
    }
}

/* A register as bit offset reaches far. */
static bool reaches_far(const NativeClass *cls, const Insn *i)
{
    switch (i->insn.mnemonic) {
    case ZYDIS_MNEMONIC_BT: case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BTR: case ZYDIS_MNEMONIC_BTS:
        return i->ops[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
               i->ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               !(reg_bit(i->ops[1].reg.value) & cls->small);
    default:
        return false;
    }
}

/* Registers it may leave with any value. */
static uint32_t spoils(const Insn *i)
{
    uint32_t mask = 0;
    bool moves_pointers = IN(i, ZYDIS_CATEGORY_STRINGOP, ZYDIS_CATEGORY_PUSH, ZYDIS_CATEGORY_POP);

    if (i->insn.mnemonic == ZYDIS_MNEMONIC_POPA || i->insn.mnemonic == ZYDIS_MNEMONIC_POPAD) {
        return UINT32_MAX;
    }

    for (unsigned n = 0; n < i->insn.operand_count; n++) {
        const ZydisDecodedOperand *op = &i->ops[n];

        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
            op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
            !(moves_pointers && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)) {
            mask |= reg_bit(op->reg.value);
        }
    }
    return i->insn.mnemonic == ZYDIS_MNEMONIC_LEAVE ? mask | 1u << R_RSP : mask;
}

/* The address-size prefix now and then. */
static unsigned random_prefix(GRand *rand, uint8_t *bytes)
{
    if (g_rand_int_range(rand, 0, 24) == 0) {
        bytes[0] = 0x67;
        return 1;
    }
    return 0;
}

/* The same kind of operand (memory or register), any of them; x87 opcodes reach into rm. */
static uint8_t random_modrm(const Head *head, GRand *rand)
{
    uint8_t modrm = head->bytes[head->modrm];

    if (modrm < 0xc0) {
        return (modrm & 0x38) | g_rand_int_range(rand, 0, 3) << 6 | g_rand_int_range(rand, 0, 8);
    }
    if (is_x87_opcode(head->bytes[head->modrm - 1])) {
        return modrm;
    }
    return (modrm & 0xf8) | g_rand_int_range(rand, 0, 8);
}

/* Bytes of one try: REX and ModRM are drawn anew around the head's fixed bits. */
static void random_bytes(const NativeClass *cls, const Head *head, GRand *rand, uint8_t *bytes)
{
    unsigned at = random_prefix(rand, bytes), skip = 0;

    for (unsigned k = at; k < MAX_INSN; k++) {
        bytes[k] = g_rand_int_range(rand, 0, 256);
    }
    /* A mandatory prefix stays in front of REX. */
    while (skip < head->length && (head->bytes[skip] == 0x66 || head->bytes[skip] == 0xf2 ||
                                   head->bytes[skip] == 0xf3)) {
        bytes[at++] = head->bytes[skip++];
    }
    if (cls->mode == NATIVE_64) {
        unsigned wide = head->bytes[skip] == 0x48;

        if (wide || g_rand_boolean(rand)) {
            bytes[at++] = 0x40 | wide << 3 | g_rand_int_range(rand, 0, 8);
        }
        skip += wide;
    }
    for (; skip < head->length; skip++) {
        bytes[at++] = head->modrm && skip == head->modrm ? random_modrm(head, rand)
                                                         : head->bytes[skip];
    }
}

/* A group's ModRM.reg is part of the opcode; elsewhere any register will do. */
static void vary_reg(NativeClass *cls, GRand *rand, uint8_t *bytes, const Insn *i)
{
    Insn other;
    uint8_t old = bytes[i->insn.raw.modrm.offset];

    if (!(i->insn.attributes & ZYDIS_ATTRIB_HAS_MODRM)) {
        return;
    }
    bytes[i->insn.raw.modrm.offset] = (old & 0xc7) | g_rand_int_range(rand, 0, 8) << 3;
    if (!decode(cls, bytes, &other) || other.insn.mnemonic != i->insn.mnemonic) {
        bytes[i->insn.raw.modrm.offset] = old;
    }
}

static bool usable(const NativeClass *cls, const Insn *i, uint8_t *bytes, unsigned at, bool last,
                   GRand *rand)
{
    if (reaches_far(cls, i) || (!last && spoils(i) & (POINTERS | cls->small))) {
        return false;
    }
    fix_branch(i, bytes, rand);
    for (unsigned n = 0; n < i->insn.operand_count; n++) {
        const ZydisDecodedOperand *op = &i->ops[n];

        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
            !fix_memory(cls, i, op, bytes, at, rand)) {
            return false;
        }
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && (op->mem.segment == ZYDIS_REGISTER_FS ||
                                                      op->mem.segment == ZYDIS_REGISTER_GS)) {
            return false;
        }
    }
    return true;
}

/* Every mnemonic is as likely as any other, and every form of it. */
static const Head *random_head(const NativeClass *cls, GRand *rand)
{
    unsigned group = g_rand_int_range(rand, 0, cls->starts->len);
    unsigned first = g_array_index(cls->starts, unsigned, group), end = cls->heads->len;

    if (group + 1 < cls->starts->len) {
        end = g_array_index(cls->starts, unsigned, group + 1);
    }
    return &g_array_index(cls->heads, Head, g_rand_int_range(rand, first, end));
}

static bool make_insn(NativeClass *cls, GRand *rand, unsigned at, bool last, uint8_t *bytes,
                      Insn *out)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        const Head *head = random_head(cls, rand);

        for (unsigned same = 0; same < 40; same++) {
            random_bytes(cls, head, rand, bytes);
            if (!decode(cls, bytes, out) || out->insn.mnemonic != head->mnemonic) {
                continue;
            }
            vary_reg(cls, rand, bytes, out);
            if (decode(cls, bytes, out) && belongs(cls, out) &&
                usable(cls, out, bytes, at, last, rand)) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t undefined_behind(const Insn *i, uint32_t before)
{
    const ZydisAccessedFlags *flags = i->insn.cpu_flags;

    if (flags == NULL) {
        return before;
    }
    return (before & ~(flags->modified | flags->set_0 | flags->set_1)) | flags->undefined;
}

void native_make_code(NativeClass *cls, GRand *rand, NativeCode *code)
{
    unsigned count = g_rand_int_range(rand, 1, native_classes[cls->row].max_insns + 1);
    uint32_t undefined = 0;

    code->mode = cls->mode;
    code->length = 0;
    for (code->n_insns = 0; code->n_insns < count; code->n_insns++) {
        uint8_t bytes[MAX_INSN + 1] = { 0 };
        Insn insn;

        if (!make_insn(cls, rand, code->length, code->n_insns + 1 == count, bytes, &insn)) {
            g_error("class '%s' makes no instructions", native_classes[cls->row].name);
        }
        if (insn.insn.cpu_flags != NULL && insn.insn.cpu_flags->tested & undefined) {
            break;                      /* its input is anything: the run ends before it */
        }
        memcpy(code->bytes + code->length, bytes, insn.insn.length);
        code->length += insn.insn.length;
        undefined = undefined_behind(&insn, undefined);
        code->ends[code->n_insns] = code->length;
        code->undefined[code->n_insns] = undefined;
    }
}

char *native_disassemble(const NativeCode *code)
{
    ZydisFormatter formatter;
    GString *text = g_string_new(NULL);

    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    for (unsigned n = 0, at = 0; n < code->n_insns; at = code->ends[n++]) {
        ZydisDisassembledInstruction insn;

        ZydisDisassembleIntel(code->mode == NATIVE_64 ? ZYDIS_MACHINE_MODE_LONG_64
                                                      : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                              NATIVE_CODE + NATIVE_CODE_START + at,
                              code->bytes + at, code->ends[n] - at, &insn);
        g_string_append_printf(text, "    %-40s ;", insn.text);
        for (unsigned k = at; k < code->ends[n]; k++) {
            g_string_append_printf(text, " %02x", code->bytes[k]);
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, false);
}

/* ---- states ---- */

static uint64_t random64(GRand *rand)
{
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

static uint64_t interesting64(GRand *rand)
{
    static const uint64_t values[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
        INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX, UINT64_MAX - 1, 0xaaaaaaaaaaaaaaaa,
        0x0123456789abcdef,
    };

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        return values[g_rand_int_range(rand, 0, G_N_ELEMENTS(values))];
    case 1:
        return random64(rand) >> g_rand_int_range(rand, 0, 64);
    default:
        return random64(rand);
    }
}

static uint32_t interesting_single(GRand *rand)
{
    static const uint32_t values[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000,
        0x7f800001, 0xff812345, 1, 0x807fffff, 0x007fffff, 0x00800000, 0x80800000, 0x7f7fffff,
        0xff7fffff, 0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000, 0xdf000000, 0x3f000000,
        0x3fc00000, 0x40200000,
    };

    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return values[g_rand_int_range(rand, 0, G_N_ELEMENTS(values))];
    case 1:                             /* exponents near 1, 24 and the ends, so that sums meet */
        return (g_rand_int(rand) & 0x807fffff) | g_rand_int_range(rand, 110, 160) << 23;
    default:
        return g_rand_int(rand);
    }
}

static uint64_t interesting_double(GRand *rand)
{
    static const uint64_t values[] = {
        0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001,
        0xfff4123456789abc, 1, 0x800fffffffffffff, 0x000fffffffffffff, 0x0010000000000000,
        0x7fefffffffffffff, 0xffefffffffffffff, 0x41dfffffffc00000, 0x41e0000000000000,
        0xc1e0000000000000, 0xc1e0000000200000, 0x43e0000000000000, 0xc3e0000000000000,
        0x3fe0000000000000, 0x3ff8000000000000, 0x36a0000000000000, 0x3810000000000000,
        0x47efffffe0000000, 0x380fffffe0000000,
    };

    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return values[g_rand_int_range(rand, 0, G_N_ELEMENTS(values))];
    case 1:
        return (random64(rand) & 0x800fffffffffffff) |
               (uint64_t)g_rand_int_range(rand, 990, 1090) << 52;
    default:
        return random64(rand);
    }
}

#define ONE UINT64_C(0x8000000000000000)        /* the mantissa of 1.0 */

/* Valid numbers mostly; zeros, infinities, NaNs, denormals, and encodings no operation makes. */
static void interesting_extended(GRand *rand, uint8_t *at)
{
    static const struct { uint64_t mantissa; uint16_t sign_exp; } values[] = {
        { 0, 0 }, { 0, 0x8000 }, { ONE, 0x3fff }, { ONE, 0xbfff }, { ONE, 0x7fff }, { ONE, 0xffff },
        { ONE | ONE >> 1, 0x7fff }, { ONE | ONE >> 1, 0xffff }, { ONE + 1, 0x7fff }, { 1, 0 },
        { UINT64_MAX >> 1, 0x8000 }, { ONE, 0 }, { UINT64_MAX, 0x7ffe }, { UINT64_MAX, 0xfffe },
        { ONE, 1 }, { 1, 0x3fff }, { 0, 0x7fff }, { ONE, 0x403e }, { ONE, 0xc03e }, { ONE, 0x3ffe },
        { UINT64_C(0xc90fdaa22168c235), 0x4000 },
    };
    uint64_t mantissa = random64(rand) | ONE;
    uint16_t sign_exp = (g_rand_int(rand) & 0x8000) | (0x3fff + g_rand_int_range(rand, -80, 80));

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
    case 1: {
        unsigned n = g_rand_int_range(rand, 0, G_N_ELEMENTS(values));

        mantissa = values[n].mantissa;
        sign_exp = values[n].sign_exp;
        break;
    }
    case 2:
        sign_exp = g_rand_int(rand);
        break;
    default:
        break;
    }
    memcpy(at, &mantissa, 8);
    memcpy(at + 8, &sign_exp, 2);
}

/* Ten or sixteen bytes of one kind of value. */
static void random_vector(GRand *rand, uint8_t *at)
{
    uint64_t q[2];

    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
    case 1:
        q[0] = interesting_single(rand) | (uint64_t)interesting_single(rand) << 32;
        q[1] = interesting_single(rand) | (uint64_t)interesting_single(rand) << 32;
        break;
    case 2:
    case 3:
        q[0] = interesting_double(rand);
        q[1] = interesting_double(rand);
        break;
    default:
        q[0] = interesting64(rand);
        q[1] = interesting64(rand);
        break;
    }
    memcpy(at, q, 16);
}

static void random_data(GRand *rand, uint8_t *data)
{
    enum { BUSY = 2 * (POINTER_SPREAD + DISP_SPREAD) };

    memset(data, 0x55, NATIVE_PAGE);
    for (unsigned at = DATA_MIDDLE - BUSY / 2; at < DATA_MIDDLE + BUSY / 2; at += 16) {
        if (g_rand_int_range(rand, 0, 4) == 0) {
            interesting_extended(rand, data + at);
        } else {
            random_vector(rand, data + at);
        }
    }
}

static void put16(uint8_t *at, uint16_t value) { memcpy(at, &value, 2); }
static void put32(uint8_t *at, uint32_t value) { memcpy(at, &value, 4); }

/* Mostly everything masked, sometimes not; a pending x87 exception now and then. */
static void random_fpu(GRand *rand, uint8_t *fx)
{
    uint16_t fcw = 0x37f, fsw = g_rand_int(rand) & 0x7f40;
    uint32_t mxcsr = 0x1f80;

    memset(fx, 0, 512);
    if (g_rand_boolean(rand)) {
        fcw = 0x7f | (g_rand_int(rand) & 0x1f00);
    }
    if (g_rand_int_range(rand, 0, 6) == 0) {
        fcw &= ~(g_rand_int(rand) & 0x3f);
    }
    fsw |= g_rand_int(rand) & fcw & 0x3f;
    if (g_rand_int_range(rand, 0, 40) == 0) {
        fsw |= g_rand_int(rand) & 0x3f;
    }
    if (g_rand_boolean(rand)) {
        mxcsr |= g_rand_int(rand) & 0xe07f;
    }
    if (g_rand_int_range(rand, 0, 6) == 0) {
        mxcsr &= ~(g_rand_int(rand) & 0x1f80);
    }
    put16(fx + FX_FCW, fcw);
    put16(fx + FX_FSW, fsw);
    fx[FX_FTW] = g_rand_boolean(rand) ? 0xff : g_rand_int(rand);
    put32(fx + FX_MXCSR, mxcsr);
    put32(fx + FX_MXCSR + 4, 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        interesting_extended(rand, fx + FX_ST + 16 * i);
    }
    for (unsigned i = 0; i < 16; i++) {
        random_vector(rand, fx + FX_XMM + 16 * i);
    }
}

static uint64_t pointer(GRand *rand)
{
    uint64_t value = NATIVE_DATA + DATA_MIDDLE +
                     g_rand_int_range(rand, -POINTER_SPREAD, POINTER_SPREAD);

    return g_rand_int_range(rand, 0, 4) ? value & ~UINT64_C(15) : value;
}

void native_make_state(NativeClass *cls, GRand *rand, NativeState *state)
{
    for (unsigned i = 0; i < 16; i++) {
        state->gpr[i] = POINTERS >> i & 1 ? pointer(rand) :
                        cls->small >> i & 1 ? (uint64_t)g_rand_int_range(rand, 0, SMALL_MAX) :
                        interesting64(rand);
        state->gpr[i] &= cls->mode == NATIVE_64 ? UINT64_MAX : UINT32_MAX;
    }
    if (predicates[cls->row] == is_string) {
        state->gpr[R_RCX] = g_rand_int_range(rand, 0, SMALL_MAX);
    }
    if (predicates[cls->row] == is_sse_text && g_rand_boolean(rand)) {
        state->gpr[R_RAX] = g_rand_int_range(rand, -20, 20);
        state->gpr[R_RDX] = g_rand_int_range(rand, -20, 20);
    }
    state->rip = NATIVE_CODE + NATIVE_CODE_START;
    state->rflags = RFLAGS_FIXED | RFLAGS_IF | (g_rand_int(rand) & RFLAGS_ARITH) |
                    (g_rand_int_range(rand, 0, 4) ? 0 : RFLAGS_DF);
    random_fpu(rand, state->fx);
    random_data(rand, state->data);
    state->vector = 0;
}
