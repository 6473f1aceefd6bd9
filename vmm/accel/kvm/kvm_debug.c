/*
 * Breakpoints and single-step of the debugger (api.rst 4.87).
 *
 * Software breakpoints are an INT3 in guest memory; hardware ones and watchpoints take the guest's
 * debug registers over while they are set.
 */
#include "kvm.h"

#include <string.h>

#include "pagewalk.h"
#include "rhea_error.h"

#define INT3 0xcc
#define DR6_BS (1u << 14)

/* The byte an INT3 stands on, per entry of kvm.breakpoints. */
static GArray *saved_bytes;

static X86Cpu *first_cpu(Vm *vm)
{
    return vm->cpus->len > 0 ? g_ptr_array_index(vm->cpus, 0) : NULL;
}

/* Backwards: a second breakpoint at an address saved the first one's INT3. */
static void remove_all(Vm *vm)
{
    X86Cpu *cpu = first_cpu(vm);

    for (size_t i = kvm.n_breakpoints; i-- > 0;) {
        if (kvm.breakpoints[i].kind == BREAK_SOFT) {
            x86_write_linear(cpu, kvm.breakpoints[i].addr,
                             &g_array_index(saved_bytes, uint8_t, i), 1);
        }
    }
    kvm.n_breakpoints = 0;
    g_clear_pointer(&kvm.breakpoints, g_free);
    g_clear_pointer(&saved_bytes, g_array_unref);
}

static bool insert(X86Cpu *cpu, const BreakPoint *point, GError **error)
{
    const uint8_t int3 = INT3;
    uint8_t byte = 0;

    if (point->kind == BREAK_SOFT &&
        (!x86_read_linear(cpu, point->addr, &byte, 1) ||
         !x86_write_linear(cpu, point->addr, &int3, 1))) {
        set_error(error, "no memory at 0x%" G_GINT64_MODIFIER "x for a breakpoint", point->addr);
        return false;
    }
    g_array_append_val(saved_bytes, byte);
    return true;
}

static bool check_hardware(const BreakPoint *list, size_t n, GError **error)
{
    unsigned used = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t len = list[i].len;

        if (list[i].kind == BREAK_SOFT) {
            continue;
        }
        if (++used > 4) {
            set_error(error, "a CPU has four hardware breakpoints");
            return false;
        }
        if (list[i].kind != BREAK_HARD &&
            ((len != 1 && len != 2 && len != 4 && len != 8) || list[i].addr & (len - 1))) {
            set_error(error, "a watchpoint covers 1, 2, 4 or 8 bytes at a multiple of its size");
            return false;
        }
    }
    return true;
}

bool kvm_set_breakpoints(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    X86Cpu *cpu = first_cpu(vm);

    if (!kvm.has_set_guest_debug || !cpu) {
        set_error(error, "this host's kvm has no guest debugging");
        return false;
    }
    if (!check_hardware(list, n, error)) {
        return false;
    }
    vcpu_sync(cpu);
    remove_all(vm);
    kvm.breakpoints = n > 0 ? g_memdup2(list, n * sizeof(*list)) : NULL;
    saved_bytes = g_array_new(FALSE, TRUE, 1);
    for (kvm.n_breakpoints = 0; kvm.n_breakpoints < n; kvm.n_breakpoints++) {
        if (!insert(cpu, &list[kvm.n_breakpoints], error)) {
            remove_all(vm);
            return false;
        }
    }
    return true;
}

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
        debug.control |= KVM_GUESTDBG_ENABLE;
        if (kvm.breakpoints[i].kind == BREAK_SOFT) {
            debug.control |= KVM_GUESTDBG_USE_SW_BP;
        } else if (slot < 4) {
            debug.control |= KVM_GUESTDBG_USE_HW_BP;
            debug.arch.debugreg[slot] = kvm.breakpoints[i].addr;
            debug.arch.debugreg[7] |= 0x600 | dr7_bits(slot, &kvm.breakpoints[i]);
            slot++;
        }
    }
    if (cpu->single_step) {
        debug.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    }
    if (debug.control || k->debugging) {
        ioctl(k->fd, KVM_SET_GUEST_DEBUG, &debug);
        k->debugging = debug.control != 0;
    }
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

bool kvm_debug_exit(X86Cpu *cpu)
{
    const struct kvm_debug_exit_arch *arch = &kvm_cpu(cpu)->run->debug.arch;

    if (arch->exception == EXC_DB) {
        if (hardware_hit(cpu, arch->dr6)) {
            return true;
        }
        if (cpu->single_step && arch->dr6 & DR6_BS) {
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
