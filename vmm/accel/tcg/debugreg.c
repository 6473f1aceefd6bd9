/*
 * Debug registers DR0–DR7 and the debugger's watchpoints: SDM volume 3B 17.2 and 17.3.
 *
 * Pages that data breakpoints touch have no TLB tags, so mmu.c meets every access to them and
 * calls tcg_debug_data_hit(); the trap is due after the instruction.  Code breakpoints are
 * compared before each instruction while CPU_MODE_BREAKS is set.  The debugger's watchpoints need
 * no such mode: an instruction that meets one starts again in a block of its own, behind which the
 * loop looks.  Not modelled: branch tracing
 * (BTF), RTM.
 */
#include "tcg_sys.h"

#define DR6_FIXED   0xffff0ff0u
#define DR6_BD      (1u << 13)
#define DR6_BS      (1u << 14)
#define DR6_SET     (0xfu | DR6_BD | DR6_BS | 1u << 15)     /* what software can set */
#define DR7_GD      (1u << 13)
#define DR7_FIXED   (1u << 10)
#define DR7_ZERO    (1u << 11 | 1u << 12 | 1u << 14 | 1u << 15)

enum { BREAK_EXECUTE, BREAK_DATA_WRITE, BREAK_IO, BREAK_DATA_ACCESS };      /* R/Wn: 17.2.4 */

/* Set while the vCPUs stand, so readers need no lock. */
static GArray *watch_list;              /* BreakPoint, WATCH_* only */
bool tcg_watching;

static bool is_enabled(const X86Cpu *x86, unsigned n)
{
    return x86->dr[7] >> (2 * n) & 3;
}

static unsigned break_type(const X86Cpu *x86, unsigned n)
{
    return x86->dr[7] >> (16 + 4 * n) & 3;
}

static uint64_t break_length(const X86Cpu *x86, unsigned n)
{
    static const uint8_t lengths[] = { 1, 2, 8, 4 };                        /* LENn: 17.2.4 */

    return lengths[x86->dr[7] >> (18 + 4 * n) & 3];
}

/* Whether [a, a + a_len) and [b, b + b_len) meet; neither is longer than a page. */
static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return b - a < a_len || a - b < b_len;
}

static bool break_overlaps(const X86Cpu *x86, unsigned n, uint64_t addr, uint64_t len)
{
    uint64_t length = break_length(x86, n);

    return overlap(x86->dr[n] & ~(length - 1), length, addr, len);
}

/* ---- data ---- */

bool tcg_debug_page_watched(const TcgCpu *cpu, uint64_t page)
{
    const X86Cpu *x86 = &cpu->x86;

    for (unsigned n = 0; n < 4; n++) {
        if (x86->mode & CPU_MODE_BREAKS && is_enabled(x86, n) && break_type(x86, n) & 1 &&
            break_overlaps(x86, n, page, PAGE_SIZE_4K)) {
            return true;
        }
    }
    for (guint i = 0; watch_list != NULL && i < watch_list->len; i++) {
        const BreakPoint *watch = &g_array_index(watch_list, BreakPoint, i);

        if (overlap(watch->addr, watch->len, page, PAGE_SIZE_4K)) {
            return true;
        }
    }
    return false;
}

static const BreakPoint *find_watch(uint64_t addr, unsigned size, int access)
{
    for (guint i = 0; watch_list != NULL && i < watch_list->len; i++) {
        const BreakPoint *watch = &g_array_index(watch_list, BreakPoint, i);
        bool wanted = watch->kind == WATCH_ACCESS ||
                      (watch->kind == WATCH_WRITE) == (access == ACCESS_WRITE);

        if (wanted && overlap(watch->addr, watch->len, addr, size)) {
            return watch;
        }
    }
    return NULL;
}

void tcg_watch_before(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access)
{
    if (find_watch(addr, size, access) != NULL) {
        block_restart_alone(cpu, u);
    }
}

/* The kick brings control back to the loop, which stops for it. */
static void watch_hit(TcgCpu *cpu, uint64_t addr, unsigned size, int access)
{
    const BreakPoint *watch = find_watch(addr, size, access);

    if (watch != NULL) {
        cpu->x86.debug_hit = DEBUG_WATCH;
        cpu->x86.debug_addr = watch->addr;
        __atomic_fetch_or(&cpu->x86.events, CPU_EVENT_KICK, __ATOMIC_SEQ_CST);
    }
}

void tcg_debug_data_hit(TcgCpu *cpu, uint64_t addr, unsigned size, int access)
{
    const X86Cpu *x86 = &cpu->x86;

    for (unsigned n = 0; n < 4; n++) {
        unsigned type = break_type(x86, n);
        bool wanted = type == BREAK_DATA_ACCESS ||
                      (type == BREAK_DATA_WRITE && access == ACCESS_WRITE);

        if (x86->mode & CPU_MODE_BREAKS && is_enabled(x86, n) && wanted &&
            break_overlaps(x86, n, addr, size)) {
            cpu->pending_db |= 1u << n;
        }
    }
    watch_hit(cpu, addr, size, access);
}

void tcg_debug_io(TcgCpu *cpu, uint16_t port, unsigned size)
{
    const X86Cpu *x86 = &cpu->x86;

    if (!(x86->mode & CPU_MODE_BREAKS) || !(x86->cr4 & CR4_DE)) {
        return;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (is_enabled(x86, n) && break_type(x86, n) == BREAK_IO &&
            break_overlaps(x86, n, port, size)) {
            cpu->pending_db |= 1u << n;
        }
    }
}

void tcg_debug_set_watch(Vm *vm, const BreakPoint *list, size_t n)
{
    g_clear_pointer(&watch_list, g_array_unref);
    for (size_t i = 0; i < n; i++) {
        BreakPoint row = list[i];

        if (row.kind != WATCH_WRITE && row.kind != WATCH_READ && row.kind != WATCH_ACCESS) {
            continue;
        }
        if (watch_list == NULL) {
            watch_list = g_array_new(FALSE, FALSE, sizeof(BreakPoint));
        }
        row.len = MAX(row.len, 1);
        g_array_append_val(watch_list, row);
    }
    tcg_watching = watch_list != NULL;
    for (guint i = 0; i < vm->cpus->len; i++) {
        cpu_raise(g_ptr_array_index(vm->cpus, i), CPU_EVENT_TLB_FLUSH);
    }
}

/* ---- around an instruction ---- */

/* 17.2.3: the condition bits of the last exception are replaced, the others stay until software
 * clears them. */
static G_NORETURN void debug_exception(TcgCpu *cpu, const UOp *u, uint32_t dr6_bits)
{
    X86Cpu *x86 = &cpu->x86;

    x86->dr[6] = (x86->dr[6] & ~UINT64_C(0xf)) | DR6_FIXED | dr6_bits;
    tcg_raise(cpu, u, EXC_DB);
}

void tcg_debug_check_code(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t linear = x86->mode & CPU_MODE_CS64 ? x86->rip
                                                : (uint32_t)(x86->seg[SEG_CS].base + x86->rip);
    uint32_t hits = 0;

    if (x86->rflags & RFLAGS_RF) {
        x86->rflags &= ~(uint64_t)RFLAGS_RF;
        return;
    }
    if (x86->intr_shadow == 2) {                    /* after MOV SS, POP SS: 6.8.3 */
        return;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (is_enabled(x86, n) && break_type(x86, n) == BREAK_EXECUTE && x86->dr[n] == linear) {
            hits |= 1u << n;
        }
    }
    if (hits != 0) {
        debug_exception(cpu, NULL, hits);
    }
}

void tcg_debug_after_insn(TcgCpu *cpu, bool tf_before)
{
    X86Cpu *x86 = &cpu->x86;
    uint32_t bits;

    cpu->pending_db |= tf_before ? DR6_BS : 0;
    if (x86->debug_hit != DEBUG_NONE) {
        tcg_leave(cpu, RUN_EXIT_DEBUG);
    }
    if (x86->intr_shadow == 2) {
        return;
    }
    bits = cpu->pending_db;
    cpu->pending_db = 0;
    if (bits != 0) {
        debug_exception(cpu, NULL, bits);
    }
}

/* ---- MOV to and from DRn ---- */

/* The register meant by number, after the checks MOV DRn makes: SDM 2A, MOV debug registers. */
static unsigned checked_register(TcgCpu *cpu, const UOp *u, unsigned n)
{
    X86Cpu *x86 = &cpu->x86;

    if (n > 7 || ((n == 4 || n == 5) && x86->cr4 & CR4_DE)) {
        tcg_raise(cpu, u, EXC_UD);
    }
    if (x86_cpl(x86) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    if (x86->dr[7] & DR7_GD) {
        debug_exception(cpu, u, DR6_BD);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

uint64_t tcg_read_dr(TcgCpu *cpu, const UOp *u, unsigned n)
{
    return cpu->x86.dr[checked_register(cpu, u, n)];
}

void tcg_write_dr(TcgCpu *cpu, const UOp *u, unsigned n, uint64_t value)
{
    X86Cpu *x86 = &cpu->x86;
    bool was_armed = x86->dr[7] & 0xff;

    n = checked_register(cpu, u, n);
    if (n >= 6 && value >> 32) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    if (n == 6) {
        value = (value & DR6_SET) | DR6_FIXED;
    } else if (n == 7) {
        value = (value & ~(uint64_t)DR7_ZERO) | DR7_FIXED;
    }
    x86->dr[n] = value;
    x86_update_mode(x86);
    if (n != 6 && (was_armed || x86->dr[7] & 0xff)) {
        mmu_flush_all(cpu);
    }
}
