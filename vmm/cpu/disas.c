/*
 * AT&T text of one instruction, in the spelling of LLVM's printer that `x/i` users know.
 *
 * Zydis decodes; its own AT&T formatter spells mnemonics differently (no size suffixes, jz for je),
 * so the text is made here from the decoded operands.
 */
#include "disas.h"

#include <Zydis/Zydis.h>
#include <glib.h>
#include <inttypes.h>
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
    { "xlat", "xlatb" }, { "fwait", "wait" }, { "retf", "lret" },
};

/* Integer instructions that wear a size suffix. Sorted. */
static const char *const suffixed[] = {
    "adc", "adcx", "add", "adox", "and", "andn", "bextr", "blsi", "blsmsk", "blsr", "bsf",
    "bsr", "bswap", "bt", "btc", "btr", "bts", "bzhi", "call", "cmp", "cmpxchg", "crc32", "dec",
    "div", "idiv", "imul", "in", "inc", "jmp", "lar", "lds", "lea", "les", "lfs", "lgdt", "lgs",
    "lidt", "lldt", "lmsw", "lsl", "lss", "ltr", "lzcnt", "mov", "movbe", "movnti", "mul",
    "mulx", "neg", "nop", "not", "or", "out", "pdep", "pext", "pop", "popcnt", "push", "rcl",
    "rcr", "rdfsbase", "rdgsbase", "rdrand", "rdseed", "ret", "rol", "ror", "rorx", "sar",
    "sarx", "sbb", "sgdt", "shl", "shld", "shlx", "shr", "shrd", "shrx", "sidt", "sldt", "smsw",
    "str", "sub", "sysexit", "sysret", "test", "tzcnt", "wrfsbase", "wrgsbase", "xadd", "xchg",
    "xor",
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

    ZydisInstructionCategory category = insn->in.meta.category;

    if (category != ZYDIS_CATEGORY_COND_BR && category != ZYDIS_CATEGORY_CMOV &&
        category != ZYDIS_CATEGORY_SETCC) {
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

/* AT&T swapped fsub with fsubr and fdiv with fdivr where the destination is not the stack top. */
static void put_x87_name(GString *out, const Insn *insn, const char *name)
{
    static const char *const swapped[][2] = {
        { "fsub", "fsubr" }, { "fsubp", "fsubrp" }, { "fdiv", "fdivr" }, { "fdivp", "fdivrp" },
    };
    bool swap = (insn->in.opcode == 0xdc || insn->in.opcode == 0xde) &&
                insn->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER;

    for (unsigned i = 0; swap && i < G_N_ELEMENTS(swapped); i++) {
        for (unsigned side = 0; side < 2; side++) {
            if (strcmp(name, swapped[i][side]) == 0) {
                g_string_append(out, swapped[i][1 - side]);
                return;
            }
        }
    }
    g_string_append(out, name);
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
    put_x87_name(out, insn, name);
    if (op && (op->element_type == ZYDIS_ELEMENT_TYPE_INT || name[1] == 'i')) {
        integer = true;
    } else if (op && (op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT32 ||
                      op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT64 ||
                      op->element_type == ZYDIS_ELEMENT_TYPE_FLOAT80)) {
        integer = false;
    } else {
        return true;
    }
    if (op->size == 80) {
        g_string_append_c(out, 't');
    } else if (integer) {
        g_string_append(out, op->size == 64 ? "ll" : op->size == 32 ? "l" : "s");
    } else {
        g_string_append(out, op->size == 64 ? "l" : "s");
    }
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

    if (put_string(out, insn, name) || put_extend(out, insn)) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(renamed); i++) {
        if (strcmp(name, renamed[i].zydis) == 0) {
            g_string_append(out, renamed[i].att);
            return;
        }
    }
    if (put_x87(out, insn, name)) {
        return;
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

/* Small numbers are decimal, others hexadecimal. */
static void put_number(GString *out, uint64_t value)
{
    g_string_append_printf(out, value > 9 ? "0x%" PRIx64 : "%" PRIu64, value);
}

static void put_signed(GString *out, int64_t value)
{
    g_string_append(out, value < 0 ? "-" : "");
    put_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static uint64_t low_bits(unsigned bits)
{
    return bits == 0 || bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static void put_register(GString *out, ZydisRegister reg)
{
    const char *name = ZydisRegisterGetString(reg);

    if (reg >= ZYDIS_REGISTER_ST0 && reg <= ZYDIS_REGISTER_ST7) {
        g_string_append_printf(out, "%%st(%u)", reg - ZYDIS_REGISTER_ST0);
    } else {
        g_string_append_printf(out, "%%%s", name);
    }
}

/* The segment a prefix names, also where 64-bit code ignores it; NONE without a prefix. */
static ZydisRegister segment_override(const Insn *insn)
{
    static const struct { uint8_t prefix; ZydisRegister segment; } overrides[] = {
        { 0x26, ZYDIS_REGISTER_ES }, { 0x2e, ZYDIS_REGISTER_CS }, { 0x36, ZYDIS_REGISTER_SS },
        { 0x3e, ZYDIS_REGISTER_DS }, { 0x64, ZYDIS_REGISTER_FS }, { 0x65, ZYDIS_REGISTER_GS },
    };

    for (unsigned p = insn->in.raw.prefix_count; p-- > 0;) {
        for (unsigned i = 0; i < G_N_ELEMENTS(overrides); i++) {
            if (insn->in.raw.prefixes[p].value == overrides[i].prefix) {
                return overrides[i].segment;
            }
        }
    }
    return ZYDIS_REGISTER_NONE;
}

/*
 * What is printed before the address: an override, or the ES of string destinations outside 64-bit
 * code.
 */
static ZydisRegister shown_segment(const Insn *insn, const ZydisDecodedOperand *op)
{
    if (is_string(insn) && op->mem.segment == ZYDIS_REGISTER_ES) {
        return insn->in.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? ZYDIS_REGISTER_NONE
                                                                  : ZYDIS_REGISTER_ES;
    }
    return segment_override(insn);
}

static void put_memory(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    const ZydisDecodedOperandMem *mem = &op->mem;
    ZydisRegister segment = shown_segment(insn, op);
    bool bare = mem->base == ZYDIS_REGISTER_NONE && mem->index == ZYDIS_REGISTER_NONE;

    if (segment != ZYDIS_REGISTER_NONE) {
        put_register(out, segment);
        g_string_append_c(out, ':');
    }
    if (bare) {
        put_number(out, mem->disp.value & low_bits(insn->in.address_width));
        return;
    }
    if (mem->disp.has_displacement && mem->disp.value) {
        put_signed(out, mem->disp.value);
    }
    g_string_append_c(out, '(');
    if (mem->base != ZYDIS_REGISTER_NONE) {
        put_register(out, mem->base);
    }
    if (mem->index != ZYDIS_REGISTER_NONE) {
        g_string_append(out, ", ");
        put_register(out, mem->index);
        if (mem->scale > 1) {
            g_string_append_printf(out, ", %u", mem->scale);
        }
    }
    g_string_append_c(out, ')');
}

/*
 * A number as wide as what it works on has no sign, nor has a mask; one that is extended to a wider
 * operand shows its sign.
 */
static bool immediate_is_signed(const Insn *insn, const ZydisDecodedOperand *op)
{
    switch (insn->in.mnemonic) {
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
        return false;
    case ZYDIS_MNEMONIC_PUSH:
        return insn->in.raw.imm[0].size == 8;
    default:
        return op->imm.is_signed && insn->in.raw.imm[0].size < insn->op[0].size;
    }
}

static void put_immediate(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    unsigned bits = insn->op[0].size;

    if (op->imm.is_relative) {
        uint64_t target = insn->address + insn->in.length + op->imm.value.u;

        bits = insn->in.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? 64 : insn->in.operand_width;
        put_number(out, target & low_bits(bits));
        return;
    }
    g_string_append_c(out, '$');
    if (immediate_is_signed(insn, op)) {
        put_signed(out, op->imm.value.s);
    } else {
        put_number(out, op->imm.value.u & low_bits(op->imm.is_signed ? bits : 64));
    }
}

static void put_operand(GString *out, const Insn *insn, const ZydisDecodedOperand *op)
{
    bool indirect = (insn->in.meta.category == ZYDIS_CATEGORY_CALL ||
                     insn->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR) &&
                    op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                    op->type != ZYDIS_OPERAND_TYPE_POINTER;

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
        g_string_append_printf(out, "$0x%x:$0x%x", op->ptr.segment, op->ptr.offset);
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        put_immediate(out, insn, op);
        break;
    default:
        break;
    }
}

/* Registers string instructions use beside what they move: pointers, flags. */
static bool is_index(ZydisRegister reg)
{
    static const ZydisRegister used[] = {
        ZYDIS_REGISTER_SI, ZYDIS_REGISTER_ESI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_DI,
        ZYDIS_REGISTER_EDI, ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_FLAGS, ZYDIS_REGISTER_EFLAGS,
        ZYDIS_REGISTER_RFLAGS,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(used); i++) {
        if (reg == used[i]) {
            return true;
        }
    }
    return false;
}

static bool operand_is_shown(const Insn *insn, unsigned i)
{
    const ZydisDecodedOperand *op = &insn->op[i];

    if (is_string(insn)) {
        /* What moves is shown, the counter and the flags are not. */
        return op->type == ZYDIS_OPERAND_TYPE_MEMORY ||
               (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value != ZYDIS_REGISTER_RCX &&
                op->reg.value != ZYDIS_REGISTER_ECX && op->reg.value != ZYDIS_REGISTER_CX &&
                !is_index(op->reg.value));
    }
    if (op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
        return false;
    }
    if (insn->in.mnemonic == ZYDIS_MNEMONIC_NOP && i > 0) {
        return false;
    }
    if (insn->in.mnemonic == ZYDIS_MNEMONIC_FNSTSW) {
        return i == 0;
    }
    /* x87: the stack top goes without saying, except as the source of a DC form. */
    return insn->in.meta.category != ZYDIS_CATEGORY_X87_ALU || insn->in.opcode == 0xdc ||
           op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
           op->visibility != ZYDIS_OPERAND_VISIBILITY_IMPLICIT;
}

static void put_operands(GString *out, const Insn *insn)
{
    bool forward = insn->in.mnemonic == ZYDIS_MNEMONIC_ENTER ||
                   (insn->in.mnemonic == ZYDIS_MNEMONIC_XCHG && (insn->in.opcode & 0xf8) == 0x90);
    unsigned count = is_string(insn) ? insn->in.operand_count : insn->in.operand_count_visible;
    bool any = false;

    for (unsigned n = 0; n < count; n++) {
        unsigned i = forward ? n : count - 1 - n;

        if (operand_is_shown(insn, i)) {
            g_string_append(out, any ? ", " : "");
            put_operand(out, insn, &insn->op[i]);
            any = true;
        }
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

DisasRef x86_disassemble_ref(int bits, uint64_t address, const uint8_t *code, size_t avail,
                             uint64_t *target)
{
    Insn insn = { .address = address };

    if (!decode(bits, code, avail, &insn)) {
        return DISAS_REF_NONE;
    }
    for (unsigned i = 0; i < insn.in.operand_count_visible; i++) {
        const ZydisDecodedOperand *op = &insn.op[i];
        bool branch = op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative;
        bool memory = op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.base == ZYDIS_REGISTER_RIP;

        if ((branch || memory) &&
            ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&insn.in, op, address, target))) {
            return branch ? DISAS_REF_BRANCH : DISAS_REF_MEMORY;
        }
    }
    return DISAS_REF_NONE;
}

size_t x86_call_length(int bits, const uint8_t *code, size_t avail)
{
    const ZydisInstructionAttributes repeated =
        ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
    Insn insn = { .address = 0 };

    if (!decode(bits, code, avail, &insn)) {
        return 0;
    }
    switch (insn.in.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_INTERRUPT:
        return insn.in.length;
    case ZYDIS_CATEGORY_SYSCALL:
        return insn.in.mnemonic == ZYDIS_MNEMONIC_SYSCALL ? insn.in.length : 0;
    case ZYDIS_CATEGORY_STRINGOP:
    case ZYDIS_CATEGORY_IOSTRINGOP:
        return insn.in.attributes & repeated ? insn.in.length : 0;
    default:
        return 0;
    }
}
