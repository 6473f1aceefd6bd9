/* Values and memory as x, xp and print show them. */
#include "dump.h"

#include <inttypes.h>
#include <string.h>

#include "symbols.h"

#define INSN_MAX    15                      /* SDM volume 2A 2.3.11: the longest instruction */
#define INSN_COLUMN 8                       /* bytes shown on an instruction's first line */

/* A byte as C writes it in quotes. */
static void append_char(GString *out, uint8_t byte)
{
    switch (byte) {
    case '\'': g_string_append(out, "'\\''"); break;
    case '\\': g_string_append(out, "'\\\\'"); break;
    case '\n': g_string_append(out, "'\\n'"); break;
    case '\r': g_string_append(out, "'\\r'"); break;
    default:
        g_string_append_printf(out, byte >= 32 && byte <= 126 ? "'%c'" : "'\\x%02x'", byte);
        break;
    }
}

void dump_value(Monitor *mon, char letter, uint64_t value)
{
    switch (letter) {
    case 'o':
        monitor_printf(mon, "%#" PRIo64, value);
        break;
    case 'x':
        monitor_printf(mon, "%#" PRIx64, value);
        break;
    case 'u':
        monitor_printf(mon, "%" PRIu64, value);
        break;
    case 'c':
        append_char(mon->out, value);
        break;
    default:
        monitor_printf(mon, "%" PRId64, (int64_t)value);
        break;
    }
}

static bool read_memory(Monitor *mon, uint64_t addr, bool linear, void *buf, size_t len)
{
    if (linear) {
        return x86_read_linear(monitor_cpu(mon), addr, buf, len);
    }
    return mem_read(&mon->vm->memory, addr, buf, len) == MEM_OK;
}

/* " <startup_64+0x10>" behind a linear address somebody knows the name of. */
static void append_symbol(Monitor *mon, uint64_t addr, bool linear)
{
    size_t start = mon->out->len;

    g_string_append(mon->out, " <");
    if (linear && vm_symbol_print(mon->vm, addr, mon->out)) {
        g_string_append_c(mon->out, '>');
    } else {
        g_string_truncate(mon->out, start);
    }
}

/* A kernel's addresses are in the upper half; below it a number is more likely just that. */
void dump_name_of(Monitor *mon, uint64_t value)
{
    append_symbol(mon, value, value >> 47 == 0x1ffff);
}

/* ---- numbers and characters ---- */

/* Columns are as wide as the largest value of their size needs. */
static void append_number(GString *out, char letter, unsigned size, uint64_t value)
{
    unsigned bits = size * 8;

    g_string_append_c(out, ' ');
    switch (letter) {
    case 'o':
        g_string_append_printf(out, "%#*" PRIo64, (bits + 2) / 3, value);
        break;
    case 'x':
        g_string_append_printf(out, "0x%0*" PRIx64, bits / 4, value);
        break;
    case 'u':
        g_string_append_printf(out, "%*" PRIu64, (bits * 10 + 32) / 33, value);
        break;
    case 'd':
        g_string_append_printf(out, "%*" PRId64, (bits * 10 + 32) / 33, (int64_t)value);
        break;
    case 'c':
        append_char(out, value);
        break;
    }
}

static void dump_numbers(Monitor *mon, const CmdFormat *format, uint64_t addr, bool linear)
{
    uint64_t left = (uint64_t)format->count * format->size;
    unsigned line_size = format->size == 1 ? 8 : 16;
    unsigned size = format->letter == 'c' ? 1 : format->size;

    while (left > 0 && !mon->full) {
        uint8_t line[16];
        unsigned len = MIN(left, line_size);

        monitor_printf(mon, "%016" PRIx64, addr);
        append_symbol(mon, addr, linear);
        g_string_append_c(mon->out, ':');
        if (!read_memory(mon, addr, linear, line, len)) {
            monitor_printf(mon, " Cannot access memory\n");
            return;
        }
        for (unsigned i = 0; i < len; i += size) {
            uint64_t value = 0;

            memcpy(&value, line + i, size);             /* little endian host */
            append_number(mon->out, format->letter, size, value);
        }
        g_string_append_c(mon->out, '\n');
        addr += len;
        left -= len;
    }
}

/* ---- instructions ---- */

/* As many bytes as can be read, up to the longest instruction. */
static size_t read_code(Monitor *mon, uint64_t addr, bool linear, uint8_t *code)
{
    size_t room = PAGE_SIZE_4K - (addr & (PAGE_SIZE_4K - 1));
    size_t first = MIN(room, INSN_MAX);

    if (read_memory(mon, addr, linear, code, INSN_MAX)) {
        return INSN_MAX;
    }
    return read_memory(mon, addr, linear, code, first) ? first : 0;
}

static void append_bytes(GString *out, const uint8_t *code, size_t len)
{
    for (size_t i = 0; i < INSN_COLUMN; i++) {
        g_string_append_printf(out, i < len ? "%02x " : "   ", i < len ? code[i] : 0);
    }
}

/* The name of what the instruction branches to, or reads and writes relative to rip. */
static void append_ref(Monitor *mon, int bits, uint64_t addr, const uint8_t *code, size_t len)
{
    GString *out = mon->out;
    size_t start = out->len, named;
    uint64_t target = 0;
    DisasRef ref = x86_disassemble_ref(bits, addr, code, len, &target);

    if (ref == DISAS_REF_MEMORY) {
        g_string_append_printf(out, "  # 0x%" PRIx64, target);
    }
    named = out->len;
    append_symbol(mon, target, ref != DISAS_REF_NONE);
    if (out->len == named) {
        g_string_truncate(out, start);
    }
}

/* "0xfffffff0:  ea 5b e0 00 f0           ljmpw    $0xf000:$0xe05b"; long ones go on below. */
static void append_insn(Monitor *mon, int bits, uint64_t addr, bool linear, const uint8_t *code,
                        size_t len, const char *text)
{
    GString *out = mon->out;
    size_t shown = MIN(len, INSN_COLUMN);

    g_string_append_printf(out, "0x%08" PRIx64, addr);
    append_symbol(mon, addr, linear);
    g_string_append(out, ":  ");
    append_bytes(out, code, shown);
    g_string_append_printf(out, " %s", text);
    if (linear) {
        append_ref(mon, bits, addr, code, len);
    }
    g_string_append_c(out, '\n');
    if (len > shown) {
        g_string_append_printf(out, "0x%08" PRIx64 ":  ", addr + shown);
        for (size_t i = shown; i < len; i++) {
            g_string_append_printf(out, i + 1 < len ? "%02x " : "%02x\n", code[i]);
        }
    }
}

static void dump_code(Monitor *mon, unsigned count, uint64_t addr, bool linear)
{
    int bits = x86_code_bits(monitor_cpu(mon));

    for (; count > 0 && !mon->full; count--) {
        uint8_t code[INSN_MAX];
        char text[160];
        size_t avail = read_code(mon, addr, linear, code), len;

        if (avail == 0) {
            monitor_printf(mon, "0x%08" PRIx64 ": unable to read memory\n", addr);
            return;
        }
        len = x86_disassemble(bits, addr, code, avail, text, sizeof(text));
        if (len == 0) {
            len = 1;
            g_snprintf(text, sizeof(text), "%-8s 0x%02x", ".byte", code[0]);
        }
        append_insn(mon, bits, addr, linear, code, len, text);
        monitor_printf(mon, "%s", "");                  /* looks at the limit */
        addr += len;
    }
}

void dump_memory(Monitor *mon, const CmdFormat *format, uint64_t addr, bool linear)
{
    if (format->letter == 'i') {
        dump_code(mon, format->count, addr, linear);
    } else {
        dump_numbers(mon, format, addr, linear);
    }
}
