/*
 * One step outwards by Linux's ORC tables (kernel documentation, "ORC unwinder"; x86's orc_types.h
 * tells the numbers).
 *
 * Two arrays of the same length, found by their symbols: 32-bit distances from each element to the
 * first instruction it speaks of, in order of address; and entries of 6 bytes:
 *   +0  sp offset, signed 16 bits    +2  bp offset, signed 16 bits
 *   +4  bits 0-3 sp base, 4-7 bp base, then
 *       up to Linux 6.3:  8-9 type (call, regs, partial regs), 10-11 signal and end flags
 *       since Linux 6.4:  8-10 type (undefined, end of stack, call, regs, partial regs), 11 signal
 * The caller's stack pointer ("previous sp") is the base plus the offset; a call's return address
 * lies right below it, registers saved by an interrupt or system call lie there.
 */
#include "unwind_state.h"

#include <string.h>

#include "pagewalk.h"
#include "symbols_build.h"

#define ENTRY_BYTES     6
#define ENTRIES_MAX     (1u << 24)
#define SAMPLE          256

/* Bases. */
enum { BASE_UNDEFINED, BASE_PREV_SP, BASE_DX, BASE_DI, BASE_BP, BASE_SP, BASE_R10, BASE_R13,
       BASE_BP_INDIRECT, BASE_SP_INDIRECT };

/* Types, numbered as Linux 6.4 does; before, they began with CALL as 0. */
enum { TYPE_UNDEFINED, TYPE_END, TYPE_CALL, TYPE_REGS, TYPE_REGS_PARTIAL };
#define OLD_ENDS    (3u << 10)

/* Linux's struct pt_regs; an interrupt itself saves what begins at IP. */
enum { PT_R13 = 16, PT_BP = 32, PT_R10 = 56, PT_DX = 96, PT_DI = 112,
       PT_IP = 128, PT_CS = 136, PT_SP = 152 };
#define LINUX_USER32_CS 0x23

typedef struct OrcEntry {
    int16_t sp_offset, bp_offset;
    unsigned sp_base, bp_base, type;
} OrcEntry;

/* ---- the tables ---- */

static uint16_t get16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

/*
 * Many entries are of functions that called, from sp: their type's number tells the layout.  False:
 * it is neither (Linux 7 numbers the bases otherwise).
 */
static bool find_layout(OrcTable *orc, const UnwindState *s)
{
    uint8_t bytes[SAMPLE * ENTRY_BYTES];
    uint64_t n = MIN(orc->count, SAMPLE);
    unsigned as_typed = 0, as_old = 0;

    if (!x86_read_linear(s->cpu, orc->entries + (orc->count - n) / 2 * ENTRY_BYTES, bytes,
                         n * ENTRY_BYTES)) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        unsigned flags = get16(bytes + i * ENTRY_BYTES + 4);

        as_typed += (flags & 15) == BASE_SP && (flags >> 8 & 7) == TYPE_CALL;
        as_old += (flags & 15) == BASE_SP && (flags >> 8 & 7) == 0;
    }
    orc->typed = as_typed > as_old;
    return MAX(as_typed, as_old) > n / 8;
}

static bool read_ip(const OrcTable *orc, const UnwindState *s, uint64_t n, uint64_t *ip)
{
    uint64_t at = orc->ips + n * 4;
    int32_t distance;

    if (!x86_read_linear(s->cpu, at, &distance, sizeof(distance))) {
        return false;
    }
    *ip = at + distance;
    return true;
}

void orc_find(OrcTable *orc, const UnwindState *s)
{
    Symbol ips, ips_end, entries;

    *orc = (OrcTable){ 0 };
    if (s->symbols == NULL || !symbols_by_name(s->symbols, "__start_orc_unwind_ip", &ips) ||
        !symbols_by_name(s->symbols, "__stop_orc_unwind_ip", &ips_end) ||
        !symbols_by_name(s->symbols, "__start_orc_unwind", &entries) ||
        ips_end.addr - ips.addr < 4 || ips_end.addr - ips.addr > (uint64_t)ENTRIES_MAX * 4) {
        return;
    }
    orc->ips = ips.addr;
    orc->entries = entries.addr;
    orc->count = (ips_end.addr - ips.addr) / 4;
    if (!find_layout(orc, s) || !read_ip(orc, s, 0, &orc->first) ||
        !read_ip(orc, s, orc->count - 1, &orc->last)) {
        orc->count = 0;
    }
}

/* The last entry not above `ip`, but not the very last: that one ends the kernel's code. */
static bool find_index(const OrcTable *orc, const UnwindState *s, uint64_t ip, uint64_t *index)
{
    uint64_t low = 0, high = orc->count, at;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (!read_ip(orc, s, middle, &at)) {
            return false;
        }
        if (at <= ip) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low - 1;
    return low > 0 && low < orc->count;
}

/* A module has tables of its own, in the layout of its kernel's. */
static void find_module_table(const OrcTable *kernel, uint64_t ip, OrcTable *orc)
{
    const ModuleOrc *module = vm_module_orc(ip);

    *orc = *kernel;
    if (module != NULL) {
        *orc = (OrcTable){ .ips = module->ips, .entries = module->entries, .count = module->count,
                           .typed = kernel->typed };
    }
}

static bool find_entry(const OrcTable *kernel, const UnwindState *s, OrcEntry *entry)
{
    uint64_t ip = s->exact ? s->rip : s->rip - 1, index = 0;
    uint8_t bytes[ENTRY_BYTES];
    OrcTable found, *orc = &found;
    unsigned flags;

    find_module_table(kernel, ip, orc);
    if (!find_index(orc, s, ip, &index) ||
        !x86_read_linear(s->cpu, orc->entries + index * ENTRY_BYTES, bytes, ENTRY_BYTES)) {
        return false;
    }
    flags = get16(bytes + 4);
    *entry = (OrcEntry){
        .sp_offset = (int16_t)get16(bytes), .bp_offset = (int16_t)get16(bytes + 2),
        .sp_base = flags & 15, .bp_base = flags >> 4 & 15, .type = flags >> 8 & 7,
    };
    if (!orc->typed) {
        entry->type = entry->sp_base != BASE_UNDEFINED ? TYPE_CALL + (flags >> 8 & 3)
                      : flags & OLD_ENDS ? TYPE_END : TYPE_UNDEFINED;
    }
    return true;
}

/* ---- a step ---- */

/* A register of the frame where all registers are known. */
static bool read_reg(const UnwindState *s, unsigned number, unsigned pt_offset, uint64_t *value)
{
    if (s->regs == REGS_OF_CPU) {
        *value = s->cpu->gpr[number];
        return true;
    }
    return s->regs == REGS_IN_MEMORY && unwind_read(s, s->regs_at + pt_offset, value);
}

static bool find_previous_sp(const UnwindState *s, const OrcEntry *entry, uint64_t *sp)
{
    switch (entry->sp_base) {
    case BASE_SP:
        *sp = s->sp + entry->sp_offset;
        return true;
    case BASE_BP:
        *sp = s->bp + entry->sp_offset;
        return true;
    case BASE_SP_INDIRECT:
        if (!unwind_read(s, s->sp, sp)) {
            return false;
        }
        *sp += entry->sp_offset;
        return true;
    case BASE_BP_INDIRECT:
        return unwind_read(s, s->bp + entry->sp_offset, sp);
    case BASE_R10:
        return read_reg(s, 10, PT_R10, sp);
    case BASE_R13:
        return read_reg(s, 13, PT_R13, sp);
    case BASE_DI:
        return read_reg(s, R_RDI, PT_DI, sp);
    case BASE_DX:
        return read_reg(s, R_RDX, PT_DX, sp);
    default:
        return false;
    }
}

/*
 * A few functions move the stack pointer behind the tables' back; what is taken for a return
 * address then is anything.  Code that ran at boot is unmapped later and still on the stack.
 */
static bool returns_to_code(const OrcTable *orc, const UnwindState *s)
{
    return (s->rip >= orc->first && s->rip < orc->last) || vm_module_orc(s->rip) != NULL ||
           unwind_is_code(s, s->rip);
}

/* Back to what an interrupt or a system call interrupted; the saved ip lies at `ip_at`. */
static bool cross_interrupt(UnwindState *s, uint64_t ip_at)
{
    uint64_t cs = 0;

    if (!unwind_read(s, ip_at, &s->rip) || !unwind_read(s, ip_at + PT_CS - PT_IP, &cs) ||
        !unwind_read(s, ip_at + PT_SP - PT_IP, &s->sp)) {
        return false;
    }
    s->user = (cs & 3) != 0;
    s->word = s->user && (uint16_t)cs == LINUX_USER32_CS ? 4 : 8;
    s->exact = true;
    return true;
}

static bool take_step(UnwindState *s, const OrcEntry *entry, uint64_t sp)
{
    switch (entry->type) {
    case TYPE_CALL:
        s->regs = REGS_NONE;
        s->exact = false;
        s->sp = sp;
        return unwind_read(s, sp - 8, &s->rip);
    case TYPE_REGS:
        s->regs = REGS_IN_MEMORY;
        s->regs_at = sp;
        return cross_interrupt(s, sp + PT_IP);
    case TYPE_REGS_PARTIAL:
        s->regs = REGS_NONE;
        return cross_interrupt(s, sp);
    default:
        return false;
    }
}

static bool find_previous_bp(UnwindState *s, const OrcEntry *entry, uint64_t sp)
{
    switch (entry->bp_base) {
    case BASE_PREV_SP:
        return unwind_read(s, sp + entry->bp_offset, &s->bp);
    case BASE_BP:
        return unwind_read(s, s->bp + entry->bp_offset, &s->bp);
    default:
        return s->regs != REGS_IN_MEMORY || unwind_read(s, s->regs_at + PT_BP, &s->bp);
    }
}

UnwindStep orc_step(const OrcTable *orc, UnwindState *s)
{
    UnwindState next = *s;
    OrcEntry entry;
    uint64_t sp = 0;

    if (orc->count == 0 || s->user || s->word != 8 || !find_entry(orc, s, &entry)) {
        return STEP_UNKNOWN;
    }
    if (entry.type == TYPE_END) {
        return STEP_END;
    }
    if (!find_previous_sp(s, &entry, &sp) || !take_step(&next, &entry, sp)) {
        return STEP_UNKNOWN;
    }
    next.chained = false;
    if (!find_previous_bp(&next, &entry, sp) ||
        (entry.type == TYPE_CALL && !returns_to_code(orc, &next))) {
        return STEP_UNKNOWN;
    }
    *s = next;
    return STEP_DONE;
}
