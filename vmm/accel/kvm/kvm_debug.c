/*
 * Breakpoints and single-step of the debugger (api.rst 4.87).
 *
 * Hardware breakpoints and watchpoints take the guest's debug registers over while they are set.  A
 * software breakpoint is an INT3 in guest memory, which stands there only while vCPUs run: whoever
 * looks at or changes a stopped guest's memory meets the guest's own bytes, and what was loaded
 * over an INT3 gets a new one when the machine goes on.
 */
#include "kvm.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "pagewalk.h"
#include "rhea_error.h"

/* timer_create(2) names the field; C libraries before 2.37 forgot it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define INT3 0xcc
#define DR6_BS (1u << 14)

/* How long a vCPU may take over one instruction while the others stand. */
#define STEP_LIMIT_NS (50 * 1000 * 1000)

/* ---- software breakpoints ---- */

/*
 * A place for an INT3.  Page tables come and go with processes, so its physical address is kept;
 * the code that was there tells whether it is still the same memory.
 */
typedef struct Patch {
    uint64_t addr;                      /* linear */
    bool found;                         /* the fields below are known */
    bool inserted;
    AddressSpace *as;
    uint64_t phys;
    uint8_t code[16];
    size_t code_len;                    /* at most up to the end of the page */
} Patch;

/* vCPUs standing, machine lock. */
static GArray *patches;                 /* Patch, one for each address */

static bool patch_is_there(const Patch *patch)
{
    uint8_t now[sizeof(patch->code)];

    return patch->found &&
           mem_read_debug(patch->as, patch->phys, now, patch->code_len) == MEM_OK &&
           memcmp(now, patch->code, patch->code_len) == 0;
}

static bool patch_find_by(Patch *patch, X86Cpu *cpu)
{
    Vm *vm = cpu->vm;
    PageMapping m;

    if (!x86_translate(cpu, patch->addr, &m)) {
        return false;
    }
    patch->as = cpu->in_smm && vm->smm_memory.root != NULL ? &vm->smm_memory : &vm->memory;
    patch->phys = m.phys + (patch->addr & (m.size - 1));
    patch->code_len = MIN(sizeof(patch->code), PAGE_SIZE_4K - (patch->addr & (PAGE_SIZE_4K - 1)));
    return mem_read_debug(patch->as, patch->phys, patch->code, patch->code_len) == MEM_OK;
}

/* Where it is, as any of the CPUs sees it. */
static bool patch_find(Patch *patch, Vm *vm)
{
    if (patch_is_there(patch)) {
        return true;
    }
    patch->found = false;
    for (guint i = 0; i < vm->cpus->len && !patch->found; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        vcpu_sync(cpu);
        patch->found = patch_find_by(patch, cpu);
    }
    return patch->found;
}

static void patch_insert(Patch *patch)
{
    const uint8_t int3 = INT3;

    patch->inserted = mem_write_debug(patch->as, patch->phys, &int3, 1) == MEM_OK;
}

/* What the guest has written there since is the guest's. */
static void patch_lift(Patch *patch)
{
    uint8_t now = 0;

    patch->inserted = false;
    if (mem_read_debug(patch->as, patch->phys, &now, 1) == MEM_OK && now == INT3) {
        mem_write_debug(patch->as, patch->phys, patch->code, 1);
    }
}

static Patch *patch_at(GArray *list, uint64_t addr)
{
    for (guint i = 0; list != NULL && i < list->len; i++) {
        if (g_array_index(list, Patch, i).addr == addr) {
            return &g_array_index(list, Patch, i);
        }
    }
    return NULL;
}

/* While vCPUs run, debug reads of their memory show the guest's bytes all the same. */
static void hide_patches(AddressSpace *as, uint64_t addr, uint8_t *buf, uint64_t len)
{
    for (guint i = 0; i < patches->len; i++) {
        const Patch *patch = &g_array_index(patches, Patch, i);

        if (patch->inserted && patch->as == as && patch->phys - addr < len &&
            buf[patch->phys - addr] == INT3) {
            buf[patch->phys - addr] = patch->code[0];
        }
    }
}

/* Backwards, so that two addresses of the same memory leave it as it was. */
static void lift_all(void)
{
    mem_set_debug_overlay(NULL);
    for (guint i = patches->len; i-- > 0;) {
        Patch *patch = &g_array_index(patches, Patch, i);

        if (patch->inserted) {
            patch_lift(patch);
        }
    }
}

void kvm_points_live(Vm *vm, bool live)
{
    if (patches == NULL) {
        return;
    }
    lift_all();
    if (!live) {
        return;
    }
    for (guint i = 0; i < patches->len; i++) {
        Patch *patch = &g_array_index(patches, Patch, i);

        if (patch_find(patch, vm)) {
            patch_insert(patch);
        }
    }
    mem_set_debug_overlay(hide_patches);
}

/* ---- the list ---- */

/* The kernel's instruction emulator looks at breakpoints for code, not at those for data. */
static bool sees_accesses(void)
{
    AccelProbe probe = { 0 };

    return !accel_probe(&probe) || !probe.kvm_emulates;
}

static bool check_watch(const BreakPoint *point, GError **error)
{
    uint64_t len = point->len;

    if (point->kind == WATCH_READ) {
        set_error(error, "kvm watches writes or all accesses, not reads alone");
        return false;
    }
    if ((len != 1 && len != 2 && len != 4 && len != 8) || point->addr & (len - 1)) {
        set_error(error, "kvm watches 1, 2, 4 or 8 bytes at a multiple of that");
        return false;
    }
    if (!sees_accesses()) {
        set_error(error, "this host's kvm emulates kernel code and does not see its accesses; "
                         "watchpoints need -accel tcg here");
        return false;
    }
    return true;
}

static bool check_hardware(const BreakPoint *list, size_t n, GError **error)
{
    unsigned used = 0;

    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == BREAK_SOFT) {
            continue;
        }
        if (++used > 4) {
            set_error(error, "a CPU has four hardware breakpoints");
            return false;
        }
        if (list[i].kind != BREAK_HARD && !check_watch(&list[i], error)) {
            return false;
        }
    }
    return true;
}

/* The patches of a list; those there are already keep what they know.  NULL: an address is bad. */
static GArray *make_patches(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    g_autoptr(GArray) made = g_array_new(FALSE, TRUE, sizeof(Patch));

    for (size_t i = 0; i < n; i++) {
        const Patch *known = patch_at(patches, list[i].addr);
        Patch patch = known != NULL ? *known : (Patch){ .addr = list[i].addr };

        if (list[i].kind != BREAK_SOFT || patch_at(made, list[i].addr) != NULL) {
            continue;
        }
        if (known == NULL && !patch_find(&patch, vm)) {
            set_error(error, "no memory at 0x%" G_GINT64_MODIFIER "x for a breakpoint",
                      list[i].addr);
            return NULL;
        }
        g_array_append_val(made, patch);
    }
    return g_steal_pointer(&made);
}

bool kvm_set_breakpoints(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    GArray *made;

    if (!kvm.has_set_guest_debug || vm->cpus->len == 0) {
        set_error(error, "this host's kvm has no guest debugging");
        return false;
    }
    if (!check_hardware(list, n, error)) {
        return false;
    }
    kvm_points_live(vm, false);
    made = make_patches(vm, list, n, error);
    if (made == NULL) {
        return false;
    }
    g_clear_pointer(&patches, g_array_unref);
    patches = made;
    g_free(kvm.breakpoints);
    kvm.breakpoints = n > 0 ? g_memdup2(list, n * sizeof(*list)) : NULL;
    kvm.n_breakpoints = n;
    return true;
}

void kvm_debug_finish(void)
{
    mem_set_debug_overlay(NULL);
    g_clear_pointer(&patches, g_array_unref);
    g_clear_pointer(&kvm.breakpoints, g_free);
    kvm.n_breakpoints = 0;
}

/* ---- what the kernel is told ---- */

/* DR7: SDM volume 3A 17.2.4. */
static uint64_t dr7_bits(unsigned slot, const BreakPoint *point)
{
    static const uint8_t len_code[9] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
    unsigned rw = point->kind == BREAK_HARD ? 0 : point->kind == WATCH_WRITE ? 1 : 3;
    unsigned len = point->kind == BREAK_HARD ? 0 : len_code[MIN(point->len, 8)];

    return UINT64_C(2) << 2 * slot | (uint64_t)(rw | len << 2) << (16 + 4 * slot);
}

void kvm_update_debug(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_guest_debug debug = { 0 };
    unsigned slot = 0;

    for (size_t i = 0; i < kvm.n_breakpoints; i++) {
        const BreakPoint *point = &kvm.breakpoints[i];

        debug.control |= KVM_GUESTDBG_ENABLE;
        if (point->kind == BREAK_SOFT) {
            debug.control |= KVM_GUESTDBG_USE_SW_BP;
            continue;
        }
        debug.control |= KVM_GUESTDBG_USE_HW_BP;
        debug.arch.debugreg[slot] = point->addr;
        if (!(k->stepping_past && point->kind == BREAK_HARD && point->addr == k->past_addr)) {
            debug.arch.debugreg[7] |= 0x600 | dr7_bits(slot, point);
        }
        slot++;
    }
    if (cpu->single_step || k->stepping_past) {
        debug.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        /* A CPU that waits for an interrupt gets it. */
        debug.control |= cpu->halted || cpu->step_interrupts ? 0 : kvm.block_irq;
    }
    if (debug.control || k->debugging) {
        ioctl(k->fd, KVM_SET_GUEST_DEBUG, &debug);
        k->debugging = debug.control != 0;
    }
}

/* ---- past a point ---- */

/* The signal makes KVM_RUN return if the instruction does not end, say in a fault's handler. */
static bool start_limit(X86Cpu *cpu, timer_t *timer)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL };
    struct itimerspec when = { .it_value.tv_nsec = STEP_LIMIT_NS };

    event.sigev_notify_thread_id = cpu->thread_id;
    if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0) {
        return false;
    }
    timer_settime(*timer, 0, &when, NULL);
    return true;
}

RunExit kvm_step_past(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    Patch *patch = patch_at(patches, cpu->debug_pass_addr);
    gint64 end_us = g_get_monotonic_time() + STEP_LIMIT_NS / 1000;
    timer_t timer;
    RunExit why;

    if (!start_limit(cpu, &timer)) {
        return RUN_EXIT_KICK;
    }
    if (patch != NULL && patch->inserted) {
        patch_lift(patch);
    }
    k->stepping_past = true;
    k->past_addr = cpu->debug_pass_addr;
    do {
        /* What a kick wanted to be looked at is looked at afterwards. */
        __atomic_fetch_and(&cpu->events, ~CPU_EVENT_KICK, __ATOMIC_SEQ_CST);
        why = kvm_run_cpu(cpu);
    } while (why == RUN_EXIT_KICK && g_get_monotonic_time() < end_us);
    k->stepping_past = false;
    timer_delete(timer);
    if (patch != NULL && patch_is_there(patch)) {
        patch_insert(patch);
    }
    return why;
}

/* ---- debug exits ---- */

static const BreakPoint *hit_slot(unsigned wanted)
{
    unsigned slot = 0;

    for (size_t i = 0; i < kvm.n_breakpoints; i++) {
        if (kvm.breakpoints[i].kind != BREAK_SOFT && slot++ == wanted) {
            return &kvm.breakpoints[i];
        }
    }
    return NULL;
}

static bool soft_at(uint64_t addr)
{
    for (size_t i = 0; i < kvm.n_breakpoints; i++) {
        if (kvm.breakpoints[i].kind == BREAK_SOFT && kvm.breakpoints[i].addr == addr) {
            return true;
        }
    }
    return false;
}

static bool hardware_hit(X86Cpu *cpu, uint64_t dr6)
{
    for (unsigned slot = 0; slot < 4; slot++) {
        const BreakPoint *point = dr6 >> slot & 1 ? hit_slot(slot) : NULL;

        if (point) {
            cpu->debug_hit = point->kind == BREAK_HARD ? DEBUG_BREAK : DEBUG_WATCH;
            cpu->debug_addr = point->addr;
            return true;
        }
    }
    return false;
}

bool kvm_debug_patched(X86Cpu *cpu)
{
    uint64_t rip = x86_linear_rip(cpu);
    const Patch *patch = patch_at(patches, rip);

    if (patch == NULL || !patch->inserted) {
        return false;
    }
    cpu->debug_hit = DEBUG_BREAK;
    cpu->debug_addr = rip;
    return true;
}

bool kvm_debug_exit(X86Cpu *cpu)
{
    const struct kvm_debug_exit_arch *arch = &kvm_cpu(cpu)->run->debug.arch;

    if (arch->exception == EXC_DB) {
        if (hardware_hit(cpu, arch->dr6)) {
            return true;
        }
        if ((cpu->single_step || kvm_cpu(cpu)->stepping_past) && arch->dr6 & DR6_BS) {
            cpu->debug_hit = DEBUG_STEP;
            cpu->debug_addr = arch->pc;
            return true;
        }
    } else if (soft_at(arch->pc)) {
        cpu->debug_hit = DEBUG_BREAK;
        cpu->debug_addr = arch->pc;
        return true;
    }
    /* The guest's own: an INT3 of its, or a trap it asked for. */
    kvm_get_state(cpu);
    cpu->exception = (uint8_t)arch->exception;
    cpu->exception_has_error = false;
    if (arch->exception == EXC_DB) {
        cpu->dr[6] |= arch->dr6 & 0xe00f;
    }
    kvm_put_state_before_run(cpu);
    return false;
}
