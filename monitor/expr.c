/* Expressions of the monitor. */
#include "expr.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "rhea_error.h"
#include "symbols.h"

/* Parentheses and unary operators nest; the line came from outside. */
#define EXPR_DEPTH_MAX  64

/* ---- registers ---- */

typedef struct RegRow {
    const char *name;
    uint16_t offset;
    uint8_t size;                           /* bytes; 0: linear instruction pointer */
} RegRow;

#define REG(name_, field_)  { name_, offsetof(X86Cpu, field_), sizeof(((X86Cpu *)0)->field_) }
#define GPR(a_, b_, i_)     REG(a_, gpr[i_]), REG(b_, gpr[i_])
#define SEGMENT(name_, i_) \
    REG(name_, seg[i_].selector), REG(name_ ".base", seg[i_].base), \
    REG(name_ ".limit", seg[i_].limit)

static const RegRow registers[] = {
    GPR("rax", "eax", R_RAX), GPR("rbx", "ebx", R_RBX), GPR("rcx", "ecx", R_RCX),
    GPR("rdx", "edx", R_RDX), GPR("rsi", "esi", R_RSI), GPR("rdi", "edi", R_RDI),
    GPR("rbp", "ebp", R_RBP), GPR("rsp", "esp", R_RSP),
    REG("fp", gpr[R_RBP]), REG("sp", gpr[R_RSP]),
    REG("r8", gpr[8]), REG("r9", gpr[9]), REG("r10", gpr[10]), REG("r11", gpr[11]),
    REG("r12", gpr[12]), REG("r13", gpr[13]), REG("r14", gpr[14]), REG("r15", gpr[15]),
    { "pc", 0, 0 }, { "eip", 0, 0 }, REG("rip", rip),
    REG("eflags", rflags), REG("rflags", rflags),
    SEGMENT("cs", SEG_CS), SEGMENT("ds", SEG_DS), SEGMENT("es", SEG_ES), SEGMENT("ss", SEG_SS),
    SEGMENT("fs", SEG_FS), SEGMENT("gs", SEG_GS),
    REG("ldt", ldt.selector), REG("ldt.base", ldt.base), REG("ldt.limit", ldt.limit),
    REG("tr", tr.selector), REG("tr.base", tr.base), REG("tr.limit", tr.limit),
    REG("gdt.base", gdt.base), REG("gdt.limit", gdt.limit),
    REG("idt.base", idt.base), REG("idt.limit", idt.limit),
    REG("cr0", cr0), REG("cr2", cr2), REG("cr3", cr3), REG("cr4", cr4), REG("efer", efer),
    REG("dr0", dr[0]), REG("dr1", dr[1]), REG("dr2", dr[2]), REG("dr3", dr[3]),
    REG("dr6", dr[6]), REG("dr7", dr[7]),
};

const char *const *expr_register_names(void)
{
    static const char *names[G_N_ELEMENTS(registers) + 1];

    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
        names[i] = registers[i].name;
    }
    return names;
}

static uint64_t register_value(const X86Cpu *cpu, const RegRow *row)
{
    uint64_t value = 0;

    if (row->size == 0) {
        return x86_linear_rip(cpu);
    }
    memcpy(&value, (const char *)cpu + row->offset, row->size);     /* little endian host */
    return value;
}

static bool read_register(const X86Cpu *cpu, const char **text, uint64_t *value, GError **error)
{
    const char *start = ++*text;
    size_t len;

    while (g_ascii_isalnum(**text) || **text == '_' || **text == '.') {
        ++*text;
    }
    len = *text - start;
    for (size_t i = 0; cpu != NULL && i < G_N_ELEMENTS(registers); i++) {
        if (strlen(registers[i].name) == len && memcmp(registers[i].name, start, len) == 0) {
            *value = register_value(cpu, &registers[i]);
            return true;
        }
    }
    set_error(error, "unknown register");
    return false;
}

/* ---- symbols ---- */

bool expr_name_starts(char c)
{
    return g_ascii_isalpha(c) || c == '_';
}

bool expr_name_goes_on(char c)
{
    return g_ascii_isalnum(c) || c == '_' || c == '.';
}

/* Where a machine has no symbols at all, a name is an odd character like any other. */
static bool read_symbol(const X86Cpu *cpu, const char **text, uint64_t *value, GError **error)
{
    const SymbolTable *table = cpu != NULL && cpu->vm != NULL ? vm_symbols(cpu->vm, NULL) : NULL;
    const char *end = *text;
    g_autofree char *name = NULL;
    Symbol symbol;

    if (table == NULL) {
        set_error(error, "invalid char '%c' in expression", **text);
        return false;
    }
    while (expr_name_goes_on(*end)) {
        end++;
    }
    name = g_strndup(*text, end - *text);
    if (!symbols_by_name(table, name, &symbol)) {
        set_error(error, "no symbol '%s' in %s", name, vm_symbols_source(cpu->vm));
        error_suggest(error, symbols_nearest(table, name));
        return false;
    }
    *value = symbol.addr;
    *text = end;
    return true;
}

/* ---- operands ---- */

typedef struct Parser {
    const X86Cpu *cpu;
    const char *p;
    unsigned depth;
} Parser;

static bool parse_level(Parser *ps, unsigned level, uint64_t *value, GError **error);

static void skip_spaces(Parser *ps)
{
    while (g_ascii_isspace(*ps->p)) {
        ps->p++;
    }
}

static bool parse_character(Parser *ps, uint64_t *value, GError **error)
{
    ps->p++;
    if (*ps->p == '\0') {
        set_error(error, "character constant expected");
        return false;
    }
    *value = (unsigned char)*ps->p++;
    if (*ps->p != '\'') {
        set_error(error, "missing terminating ' character");
        return false;
    }
    ps->p++;
    return true;
}

static bool parse_number(Parser *ps, uint64_t *value, GError **error)
{
    char *end;

    if (!g_ascii_isdigit(*ps->p)) {
        set_error(error, "invalid char '%c' in expression", *ps->p);
        return false;
    }
    errno = 0;
    *value = strtoull(ps->p, &end, 0);
    if (errno == ERANGE) {
        set_error(error, "number too large");
        return false;
    }
    ps->p = end;
    return true;
}

static bool parse_operand(Parser *ps, uint64_t *value, GError **error)
{
    bool ok;

    switch (*ps->p) {
    case '\0':
        set_error(error, "unexpected end of expression");
        return false;
    case '\'':
        ok = parse_character(ps, value, error);
        break;
    case '$':
        ok = read_register(ps->cpu, &ps->p, value, error);
        break;
    case '(':
        ps->p++;
        if (!parse_level(ps, 0, value, error)) {
            return false;
        }
        if (*ps->p != ')') {
            set_error(error, "')' expected");
            return false;
        }
        ps->p++;
        ok = true;
        break;
    default:
        ok = expr_name_starts(*ps->p) ? read_symbol(ps->cpu, &ps->p, value, error)
                                      : parse_number(ps, value, error);
        break;
    }
    skip_spaces(ps);
    return ok;
}

static bool parse_unary(Parser *ps, uint64_t *value, GError **error)
{
    char op;

    skip_spaces(ps);
    op = *ps->p;
    if (op == '\0' || strchr("+-~!", op) == NULL) {
        return parse_operand(ps, value, error);
    }
    if (++ps->depth > EXPR_DEPTH_MAX) {
        set_error(error, "expression is nested too deeply");
        return false;
    }
    ps->p++;
    if (!parse_unary(ps, value, error)) {
        return false;
    }
    ps->depth--;
    *value = op == '-' ? -*value : op == '~' ? ~*value : op == '!' ? !*value : *value;
    return true;
}

/* ---- binary operators ---- */

typedef enum Op {
    OP_OR, OP_AND, OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT, OP_SHL, OP_SHR, OP_PLUS, OP_MINUS,
    OP_BIT_AND, OP_BIT_OR, OP_BIT_XOR, OP_MUL, OP_DIV, OP_MOD,
} Op;

/* Longer spellings stand before their beginnings. */
static const struct { const char *text; uint8_t level; Op op; } operators[] = {
    { "||", 0, OP_OR }, { "&&", 1, OP_AND },
    { "==", 2, OP_EQ }, { "!=", 2, OP_NE }, { "<=", 2, OP_LE }, { ">=", 2, OP_GE },
    { "<<", 3, OP_SHL }, { ">>", 3, OP_SHR },
    { "<", 2, OP_LT }, { ">", 2, OP_GT },
    { "+", 4, OP_PLUS }, { "-", 4, OP_MINUS },
    { "&", 5, OP_BIT_AND }, { "|", 5, OP_BIT_OR }, { "^", 5, OP_BIT_XOR },
    { "*", 6, OP_MUL }, { "/", 6, OP_DIV }, { "%", 6, OP_MOD },
};
enum { UNARY_LEVEL = 7 };

/* The index of the operator at the parser's place, whatever its level; -1: none. */
static int find_operator(const Parser *ps)
{
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++) {
        if (g_str_has_prefix(ps->p, operators[i].text)) {
            return i;
        }
    }
    return -1;
}

static bool apply(Op op, uint64_t *a, uint64_t b, GError **error)
{
    if ((op == OP_DIV || op == OP_MOD) && b == 0) {
        set_error(error, "division by zero");
        return false;
    }
    switch (op) {
    case OP_OR:      *a = *a || b; break;
    case OP_AND:     *a = *a && b; break;
    case OP_EQ:      *a = *a == b; break;
    case OP_NE:      *a = *a != b; break;
    case OP_LE:      *a = *a <= b; break;
    case OP_GE:      *a = *a >= b; break;
    case OP_LT:      *a = *a < b; break;
    case OP_GT:      *a = *a > b; break;
    case OP_SHL:     *a = b < 64 ? *a << b : 0; break;
    case OP_SHR:     *a = b < 64 ? *a >> b : 0; break;
    case OP_PLUS:    *a += b; break;
    case OP_MINUS:   *a -= b; break;
    case OP_BIT_AND: *a &= b; break;
    case OP_BIT_OR:  *a |= b; break;
    case OP_BIT_XOR: *a ^= b; break;
    case OP_MUL:     *a *= b; break;
    case OP_DIV:     *a /= b; break;
    case OP_MOD:     *a %= b; break;
    }
    return true;
}

static bool parse_level(Parser *ps, unsigned level, uint64_t *value, GError **error)
{
    int i;

    if (level == UNARY_LEVEL) {
        return parse_unary(ps, value, error);
    }
    if (level == 0 && ++ps->depth > EXPR_DEPTH_MAX) {
        set_error(error, "expression is nested too deeply");
        return false;
    }
    if (!parse_level(ps, level + 1, value, error)) {
        return false;
    }
    while ((i = find_operator(ps)) >= 0 && operators[i].level == level) {
        uint64_t right;

        ps->p += strlen(operators[i].text);
        if (!parse_level(ps, level + 1, &right, error) ||
            !apply(operators[i].op, value, right, error)) {
            return false;
        }
    }
    ps->depth -= level == 0;
    return true;
}

bool expr_eval(const X86Cpu *cpu, const char **text, uint64_t *value, GError **error)
{
    Parser ps = { .cpu = cpu, .p = *text };

    if (!parse_level(&ps, 0, value, error)) {
        return false;
    }
    *text = ps.p;
    return true;
}
