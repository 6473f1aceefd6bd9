/*
 * AT&T text of one instruction, in the spelling of LLVM's printer that `x/i` users know.
 *
 * Zydis decodes; its own AT&T formatter spells mnemonics differently (no size suffixes, jz for je),
 * so the text is made here from the decoded operands.
 */
#include "disas.h"

#include <Zydis/Zydis.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct Insn {
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint64_t address;
    unsigned shown;                     /* explicit operands */
} Insn;

/* ---- mnemonics ---- */

/* Instructions whose name is simply another one. */
static const struct { const char *zydis, *att; } renamed[] = {
    { "cbw", "cbtw" }, { "cdq", "cltd" }, { "cdqe", "cltq" }, { "cqo", "cqto" }, { "cwd", "cwtd" },
    { "cwde", "cwtl" }, { "iret", "iretw" }, { "iretd", "iretl" }, { "popf", "popfw" },
    { "popfd", "popfl" }, { "pushf", "pushfw" }, { "pushfd", "pushfl" }, { "popad", "popal" },
    { "popa", "popaw" }, { "pushad", "pushal" }, { "pusha", "pushaw" }, { "salc", "salc" },
    { "xlat", "xlatb" }, { "fwait", "wait" },
};

/* Integer instructions that wear a size suffix. Sorted. */
static const char *const suffixed[] = {
    "adc", "adcx", "add", "adox", "and", "andn", "bextr", "blsi", "blsmsk", "blsr", "bsf", "bsr",
    "bswap", "bt", "btc", "btr", "bts", "bzhi", "call", "cmp", "cmpxchg", "crc32", "dec", "div",
    "enter", "idiv", "imul", "in", "inc", "jmp", "lar", "lea", "leave", "lgdt", "lidt", "lldt", "lmsw", "lsl", "ltr", "lzcnt",
    "mov", "movbe", "movnti", "mul", "mulx", "neg", "nop", "not", "or", "out", "pdep", "pext", "pop",
    "popcnt", "push", "rcl", "rcr", "rdfsbase", "rdgsbase", "rdrand", "rdseed", "ret", "rol", "ror",
    "rorx", "sar", "sarx", "sbb", "sgdt", "shl", "shld", "shlx", "shr", "shrd", "shrx", "sidt", "sldt", "smsw", "str", "sub", "sysexit", "sysret", "test",
    "tzcnt", "wrfsbase", "wrgsbase", "xadd", "xchg", "xor",
};

/* Condition names: Zydis names the flag, AT&T the comparison. */
static const struct { const char *zydis, *att; } conditions[] = {
    { "nbe", "a" }, { "nle", "g" }, { "nb", "ae" }, { "nl", "ge" }, { "nz", "ne" }, { "z", "e" },
};

static bool name_in(const char *name, const char *const *sorted, size_t count)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, sorted[middle]);

        if (order == 0) {
            return true;
        }
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return false;
}

static const char *suffix_of(unsigned bits)
{
    return bits == 8 ? "b" : bits == 16 ? "w" : bits == 32 ? "l" : bits == 64 ? "q" : "";
}

static bool is_string(const Insn *insn)
{
    return insn->in.meta.category == ZYDIS_CATEGORY_STRINGOP ||
           insn->in.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

/* "jz" → "je", "cmovnbe" → "cmova". */
static bool put_condition(GString *out, const Insn *insn, const char *name)
{
    static const char *const stems[] = { "cmov", "set", "j" };

    if (insn->in.meta.category != ZYDIS_CATEGORY_COND_BR && insn->in.meta.category != ZYDIS_CATEGORY_CMOV &&
        insn->in.meta.category != ZYDIS_CATEGORY_SETCC) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(stems); i++) {
        size_t len = strlen(stems[i]);

        if (strncmp(name, stems[i], len) != 0) {
            continue;
        }
        for (unsigned c = 0; c < G_N_ELEMENTS(conditions); c++) {
            if (strcmp(name + len, conditions[c].zydis) == 0) {
                g_string_append_printf(out, "%s%s", stems[i], conditions[c].att);
                return true;
            }
        }
    }
    g_string_append(out, name);
    return true;
}

/* movzx, movsx, movsxd: both sizes in the name. */
static bool put_extend(GString *out, const Insn *insn)
{
    ZydisMnemonic m = insn->in.mnemonic;

    if (m != ZYDIS_MNEMONIC_MOVZX && m != ZYDIS_MNEMONIC_MOVSX && m != ZYDIS_MNEMONIC_MOVSXD) {
        return false;
    }
    g_string_append_printf(out, "%s%s%s", m == ZYDIS_MNEMONIC_MOVZX ? "movz" : "movs",
                           suffix_of(insn->op[1].size), suffix_of(insn->op[0].size));
    return true;
}

/* String instructions: the letter is Zydis's last one, with d spelled l. */
static bool put_string(GString *out, const Insn *insn, const char *name)
{
    size_t len = strlen(name);

    if (!is_string(insn)) {
        return false;
    }
    g_string_append_len(out, name, len - 1);
    g_string_append_c(out, name[len - 1] == 'd' ? 'l' : name[len - 1]);
    return true;
}

/* x87 memory forms: s, l and t for floats, s, l and ll for integers. */
static bool put_x87(GString *out, const Insn *insn, const char *name)
{
    const ZydisDecodedOperand *op = NULL;
    bool integer;

    if (insn->in.meta.category != ZYDIS_CATEGORY_X87_ALU) {
        return false;
    }
    for (unsigned i = 0; i < insn->shown; i++) {
        op = insn->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY ? &insn->op[i] : op;
    }
    g_string_append(out, name);
    if (op && (op->element_type == ZYDIS_ELEMENT_TYPE_INT || name[1] == 'i')) {
        integer = true;
    } else if (op && (op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT32 ||
                      op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT64 ||
                      op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT80)) {
        integer = false;
    } else {
        return true;
    }
    g_string_append(out, op->size == 80 ? "t" : integer ? (op->size == 64 ? "ll" : op->size == 32 ? "l" : "s")
                                                        : (op->size == 64 ? "l" : "s"));
    return true;
}

/* Bits that give the suffix: the operand's, or the mode's for what works on the stack. */
static unsigned suffix_bits(const Insn *insn)
{
    switch (insn->in.mnemonic) {
    case ZYDIS_MNEMONIC_IN:
    case ZYDIS_MNEMONIC_CRC32:
        return insn->in.mnemonic == ZYDIS_MNEMONIC_IN ? insn->op[0].size : insn->op[1].size;
    case ZYDIS_MNEMONIC_OUT:
        return insn->op[1].size;
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
        return insn->in.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? 64 : insn->in.operand_width;
    case ZYDIS_MNEMONIC_LLDT:
    case ZYDIS_MNEMONIC_LTR:
    case ZYDIS_MNEMONIC_LMSW:
        return 16;
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
        return insn->op[0].size;
    case ZYDIS_MNEMONIC_MOV:
        /* to and from segment, control and debug registers the general register tells */
        for (unsigned i = 0; i < 2; i++) {
            if (insn->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                ZydisRegisterGetClass(insn->op[i].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
                return insn->op[1 - i].size;
            }
        }
        return insn->op[0].size;
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
        return insn->in.attributes & ZYDIS_ATTRIB_HAS_REX && insn->in.raw.rex.W ? 64 : 32;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_JMP:
        return insn->in.operand_width;
    default:
        return insn->shown > 0 ? insn->op[0].size : 0;
    }
}

static bool is_far(const Insn *insn)
{
    return insn->in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static void put_suffixed(GString *out, const Insn *insn, const char *name)
{
    ZydisMnemonic m = insn->in.mnemonic;
    bool relative = insn->shown > 0 && insn->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                    insn->op[0].imm.is_relative;
    bool wide_imm = m == ZYDIS_MNEMONIC_MOV && insn->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                    insn->in.raw.imm[0].size == 64;
    bool moffs = m == ZYDIS_MNEMONIC_MOV && insn->in.raw.disp.size == 64;

    if (is_far(insn)) {
        g_string_append_c(out, 'l');
    }
    g_string_append(out, name);
    if (wide_imm || moffs) {
        g_string_append(out, "abs");
    }
    if ((m == ZYDIS_MNEMONIC_JMP && relative) || (m == ZYDIS_MNEMONIC_NOP && insn->shown == 0)) {
        return;
    }
    g_string_append(out, suffix_of(suffix_bits(insn)));
}

static void put_mnemonic(GString *out, const Insn *insn)
{
    const char *name = ZydisMnemonicGetString(insn->in.mnemonic);

    if (put_string(out, insn, name) || put_extend(out, insn) || put_x87(out, insn, name)) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(renamed); i++) {
        if (strcmp(name, renamed[i].zydis) == 0) {
            g_string_append(out, renamed[i].att);
            return;
        }
    }
    if (put_condition(out, insn, name)) {
        if (insn->in.meta.category == ZYDIS_CATEGORY_CMOV) {
            g_string_append(out, suffix_of(insn->op[0].size));
        }
        return;
    }
    if (name_in(name, suffixed, G_N_ELEMENTS(suffixed))) {
        put_suffixed(out, insn, name);
    } else {
        g_string_append(out, name);
    }
}

static void put_prefixes(GString *out, const Insn *insn)
{
    static const struct { ZydisInstructionAttributes attribute; const char *text; } prefixes[] = {
        { ZYDIS_ATTRIB_HAS_LOCK, "lock " }, { ZYDIS_ATTRIB_HAS_REPNE, "repne " },
        { ZYDIS_ATTRIB_HAS_REPE, "repe " }, { ZYDIS_ATTRIB_HAS_REP, "rep " },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (insn->in.attributes & prefixes[i].attribute) {
            g_string_append(out, prefixes[i].text);
        }
    }
}

/* ---- operands ---- */

/* Small numbers are decimal, others hexadecimal, negative ones with a sign. */
static void put_number(GString *out, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

    g_string_append_printf(out, magnitude > 9 ? "%s0x%" G_GINT64_MODIFIER "x" : "%s%" G_GINT64_MODIFIER "u",
                           value < 0 ? "-" : "", magnitude);
}

static void put_register(GString *out, ZydisRegister reg)
{
    const char *name = ZydisRegisterGetString(reg);

    if (reg >= ZYDIS_REGISTER_ST0 && reg <= ZYDIS_REGISTER_ST7) {
        g_string_append_printf(out, reg == ZYDIS_REGISTER_ST0 ? "%%st" : "%%st(%u)",
                               reg - ZYDIS_REGISTER_ST0);
    } else {
        g_string_append_printf(out, "%%%s", name);
    }
}

static bool segment_is_implied(const Insn *insn, const ZydisDecodedOperand *op)
{
    const ZydisInstructionAttributes overrides =
        ZYDIS_ATTRIB_HAS_SEGMENT_CS | ZYDIS_ATTRIB_HAS_SEGMENT_SS | ZYDIS_ATTRIB_HAS_SEGMENT_DS |
        ZYDIS_ATTRIB_HAS_SEGMENT_ES | ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS;

    if (is_string(insn) && op->mem.segment == ZYDIS_REGISTER_ES) {
        return false;
    }
    return !(insn->in.attributes & overrides) || insn->in.mnemonic == ZYDIS_MNEMONIC_LEA;
}

static void put_memory(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    const ZydisDecodedOperandMem *mem = &op->mem;
    bool bare = mem->base == ZYDIS_REGISTER_NONE && mem->index == ZYDIS_REGISTER_NONE;

    if (!segment_is_implied(insn, op)) {
        put_register(out, mem->segment);
        g_string_append_c(out, ':');
    }
    if (bare) {
        uint64_t mask = insn->in.address_width == 64 ? UINT64_MAX
                        : (UINT64_C(1) << insn->in.address_width) - 1;

        put_number(out, mem->disp.value & mask);
        return;
    }
    if (mem->disp.has_displacement && mem->disp.value) {
        put_number(out, mem->disp.value);
    }
    g_string_append_c(out, '(');
    if (mem->base != ZYDIS_REGISTER_NONE) {
        put_register(out, mem->base);
    }
    if (mem->index != ZYDIS_REGISTER_NONE) {
        g_string_append(out, ", ");
        put_register(out, mem->index);
        if (mem->scale > 1 || mem->base == ZYDIS_REGISTER_NONE) {
            g_string_append_printf(out, ", %u", mem->scale);
        }
    }
    g_string_append_c(out, ')');
}

/* Immediates that are sign-extended show their sign; ports, vectors and masks do not. */
static void put_immediate(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    int64_t value = op->imm.value.s;

    if (op->imm.is_relative) {
        uint64_t target = insn->address + insn->in.length + op->imm.value.u;
        unsigned bits = insn->in.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? 64
                        : insn->in.operand_width;

        put_number(out, bits == 64 ? target : target & ((UINT64_C(1) << bits) - 1));
        return;
    }
    g_string_append_c(out, '$');
    if (op->imm.is_signed && insn->in.raw.imm[0].size < 64) {
        put_number(out, value);
    } else if (insn->in.raw.imm[0].size == 64) {
        g_string_append_printf(out, "0x%" G_GINT64_MODIFIER "x", op->imm.value.u);
    } else {
        put_number(out, value);
    }
}

static void put_operand(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    bool indirect = (insn->in.meta.category == ZYDIS_CATEGORY_CALL ||
                     insn->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR) &&
                    op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE && op->type != ZYDIS_OPERAND_TYPE_POINTER;

    if (indirect) {
        g_string_append_c(out, '*');
    }
    switch (op->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if (insn->in.mnemonic == ZYDIS_MNEMONIC_IN || insn->in.mnemonic == ZYDIS_MNEMONIC_OUT) {
            g_string_append(out, op->reg.value == ZYDIS_REGISTER_DX ? "%dx" : "");
            if (op->reg.value == ZYDIS_REGISTER_DX) {
                break;
            }
        }
        put_register(out, op->reg.value);
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        put_memory(out, insn, op);
        break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        g_string_append_printf(out, "$0x%x, $0x%x", op->ptr.segment, op->ptr.offset);
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        put_immediate(out, insn, op);
        break;
    default:
        break;
    }
}

/* A shift by one, encoded without its count, is printed without it. */
static bool operand_is_silent(const Insn *insn, const ZydisDecodedOperand *op)
{
    return op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
           (op->visibility == ZYDIS_OPERAND_VISIBILITY_IMPLICIT &&
            op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && insn->in.mnemonic != ZYDIS_MNEMONIC_INT1);
}

static void put_operands(GString *out, const Insn *insn)
{
    bool any = false;

    for (unsigned i = insn->shown; i-- > 0;) {
        if (operand_is_silent(insn, &insn->op[i])) {
            continue;
        }
        g_string_append(out, any ? ", " : "");
        put_operand(out, insn, &insn->op[i]);
        any = true;
    }
}

/* ---- the door ---- */

static bool decode(int bits, const uint8_t *code, size_t avail, Insn *insn)
{
    ZydisDecoder decoder;

    if (bits == 64) {
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    } else if (bits == 32) {
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    } else {
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    }
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, avail, &insn->in, insn->op));
}

size_t x86_disassemble(int bits, uint64_t address, const uint8_t *code, size_t avail, char *text,
                       size_t text_size)
{
    g_autoptr(GString) mnemonic = g_string_new(NULL);
    g_autoptr(GString) operands = g_string_new(NULL);
    Insn insn = { .address = address };

    if (!decode(bits, code, avail, &insn)) {
        return 0;
    }
    insn.shown = insn.in.operand_count_visible;
    put_prefixes(mnemonic, &insn);
    put_mnemonic(mnemonic, &insn);
    put_operands(operands, &insn);
    g_snprintf(text, text_size, "%-8s %s", mnemonic->str, operands->str);
    return insn.in.length;
}
