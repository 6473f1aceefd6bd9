/* A vCPU in the kernel: making it, running it, and what its exits ask for (api.rst section 5). */
#include "kvm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpuid.h"
#include "rhea_error.h"
#include "vm_log.h"

/* ---- kicks: a signal that makes KVM_RUN return ---- */

/* Between the last look at `events` and KVM_RUN the flag does what the signal alone could not. */
static void kick_arrived(int signal)
{
    if (current_cpu && current_cpu->engine) {
        kvm_cpu(current_cpu)->run->immediate_exit = 1;
    }
}

void kvm_install_kick_handler(void)
{
    struct sigaction action = { .sa_handler = kick_arrived };

    sigaction(KICK_SIGNAL, &action, NULL);
}

void kvm_kick(X86Cpu *cpu)
{
    syscall(SYS_tgkill, getpid(), cpu->thread_id, KICK_SIGNAL);
}

/* ---- the LAPIC in the kernel, as the CPU's other parts see it ---- */

static int kernel_lapic_acknowledge(void *opaque)
{
    return -1;                          /* it never asks us */
}

static uint8_t kernel_lapic_get_tpr(void *opaque)
{
    return kvm_cpu(opaque)->cr8;
}

static void kernel_lapic_set_tpr(void *opaque, uint8_t tpr)
{
    kvm_cpu(opaque)->cr8 = tpr;
}

static uint64_t kernel_lapic_get_base(void *opaque)
{
    return kvm_cpu(opaque)->apic_base;
}

static bool kernel_lapic_set_base(void *opaque, uint64_t value)
{
    kvm_cpu(opaque)->apic_base = value;
    return true;
}

typedef struct OneMsr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
} OneMsr;

static bool kernel_lapic_read_msr(void *opaque, uint32_t msr, uint64_t *value)
{
    OneMsr one = { .head.nmsrs = 1, .entry.index = msr };

    if (ioctl(kvm_cpu(opaque)->fd, KVM_GET_MSRS, &one) != 1) {
        return false;
    }
    *value = one.entry.data;
    return true;
}

static bool kernel_lapic_write_msr(void *opaque, uint32_t msr, uint64_t value)
{
    OneMsr one = { .head.nmsrs = 1, .entry = { .index = msr, .data = value } };

    return ioctl(kvm_cpu(opaque)->fd, KVM_SET_MSRS, &one) == 1;
}

static void kernel_lapic_reset(void *opaque, bool init)
{
    X86Cpu *cpu = opaque;

    kvm_cpu(cpu)->lapic_reset = true;
    kvm_cpu(cpu)->cr8 = 0;
    if (!init) {
        kvm_cpu(cpu)->apic_base = APIC_BASE_RESET | (cpu->is_bsp ? APIC_BASE_BSP : 0);
    }
}

static void use_kernel_lapic(X86Cpu *cpu)
{
    cpu->intc = (CpuIntc){
        .opaque = cpu,
        .acknowledge = kernel_lapic_acknowledge,
        .get_tpr = kernel_lapic_get_tpr,
        .set_tpr = kernel_lapic_set_tpr,
        .get_base = kernel_lapic_get_base,
        .set_base = kernel_lapic_set_base,
        .read_msr = kernel_lapic_read_msr,
        .write_msr = kernel_lapic_write_msr,
        .reset = kernel_lapic_reset,
    };
    ioctl(kvm_cpu(cpu)->fd, KVM_GET_LAPIC, &kvm_cpu(cpu)->lapic_pristine);
    kernel_lapic_reset(cpu, false);
}

/* ---- life ---- */

static bool set_up_mce(X86Cpu *cpu)
{
    uint64_t supported = 0;

    if (ioctl(kvm.fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) < 0) {
        return false;
    }
    /* Bits 7:0 count banks; the others are capabilities. */
    uint64_t most = (uint64_t)MAX(ioctl(kvm.fd, KVM_CHECK_EXTENSION, KVM_CAP_MCE), 0);
    uint64_t banks = MIN(cpu->mcg_cap & 0xff, most);
    uint64_t cap = (cpu->mcg_cap & supported & ~UINT64_C(0xff)) | banks;

    cpu->mcg_cap = cap;
    return ioctl(kvm_cpu(cpu)->fd, KVM_X86_SETUP_MCE, &cap) == 0;
}

bool kvm_cpu_init(X86Cpu *cpu, GError **error)
{
    KvmCpu *k = g_new0(KvmCpu, 1);

    cpu->engine = k;
    k->fd = ioctl(kvm.vm_fd, KVM_CREATE_VCPU, cpu->apic_id);
    if (k->fd < 0) {
        set_errno_error(error, errno, "kvm makes no vCPU %u", cpu->index);
        goto failed;
    }
    k->run = mmap(NULL, kvm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
    if (k->run == MAP_FAILED) {
        k->run = NULL;
        set_errno_error(error, errno, "cannot map kvm's vCPU %u", cpu->index);
        goto failed;
    }
    k->xsave = g_aligned_alloc0(1, kvm.xsave_size, 64);
    if (!kvm_cpuid_set(cpu, error)) {
        goto failed;
    }
    set_up_mce(cpu);
    if (kvm.irqchip != IRQCHIP_USER) {
        use_kernel_lapic(cpu);
        if (!cpu->apic && !kvm_apic_new(cpu, error)) {
            goto failed;
        }
    }
    kvm_memory_listen_smm(cpu->vm);
    cpu->state_changed = true;
    return true;

failed:
    kvm_cpu_finish(cpu);
    return false;
}

void kvm_cpu_finish(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    cpu->engine = NULL;
    if (!k) {
        return;
    }
    if (k->run) {
        munmap(k->run, kvm.run_size);
    }
    if (k->fd >= 0) {
        close(k->fd);
    }
    g_aligned_free(k->xsave);
    g_free(k);
}

void kvm_cpu_reset(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    if (k) {
        k->fetched = k->xsave_valid = false;
        k->shared = 0;
        k->run->kvm_dirty_regs = 0;
    }
}

/* ---- interrupts that are ours to inject ---- */

static int next_vector(X86Cpu *cpu)
{
    if (kvm.irqchip == IRQCHIP_USER && cpu->intc.acknowledge) {
        return cpu->intc.acknowledge(cpu->intc.opaque);
    }
    if (cpu->is_bsp && cpu->vm->pic_acknowledge) {
        bool taken = machine_lock_enter();
        int vector = cpu->vm->pic_acknowledge(cpu->vm);

        machine_lock_leave(taken);
        return vector;
    }
    return -1;
}

/*
 * Injects the interrupt that waits, if the guest takes one now; else asks the kernel to come back
 * as soon as it does (api.rst 4.16 and section 5, request_interrupt_window).
 */
static void inject_interrupt(X86Cpu *cpu, KvmCpu *k)
{
    struct kvm_interrupt interrupt;
    int vector;

    if (k->run->ready_for_interrupt_injection && k->run->if_flag) {
        vector = next_vector(cpu);
        if (vector >= 0) {
            interrupt.irq = (uint32_t)vector;
            ioctl(k->fd, KVM_INTERRUPT, &interrupt);
            k->run->ready_for_interrupt_injection = 0;
        }
    }
    k->run->request_interrupt_window =
        __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & CPU_EVENT_INTR ? 1 : 0;
}

static void before_run(X86Cpu *cpu, KvmCpu *k)
{
    uint32_t events = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);

    if (events & (CPU_EVENT_NMI | CPU_EVENT_SMI)) {
        kvm_flush_state(cpu);           /* events waiting in the page would undo these */
    }
    if (events & CPU_EVENT_NMI) {
        cpu_lower(cpu, CPU_EVENT_NMI);
        ioctl(k->fd, KVM_NMI);
    }
    if (events & CPU_EVENT_SMI) {
        cpu_lower(cpu, CPU_EVENT_SMI);
        if (kvm.has_smm) {
            ioctl(k->fd, KVM_SMI);
        }
    }
    if (kvm.irqchip == IRQCHIP_KERNEL) {
        return;
    }
    if (kvm.irqchip == IRQCHIP_USER) {
        cpu->halted = false;            /* vcpu.c would not have come here otherwise */
        if (cpu->intc.get_tpr) {
            k->cr8 = cpu->intc.get_tpr(cpu->intc.opaque);
            k->run->cr8 = k->cr8;
        }
    }
    if (events & CPU_EVENT_INTR) {
        inject_interrupt(cpu, k);
    } else {
        k->run->request_interrupt_window = 0;
    }
}

/* What our LAPIC and vcpu.c must know of a run that has come back. */
static void after_run(X86Cpu *cpu, KvmCpu *k)
{
    cpu->in_smm = k->run->flags & KVM_RUN_X86_SMM;
    if (kvm.irqchip != IRQCHIP_USER) {
        return;
    }
    cpu->rflags = (cpu->rflags & ~RFLAGS_IF) | (k->run->if_flag ? RFLAGS_IF : 0);
    if (k->run->cr8 != k->cr8 && cpu->intc.set_tpr) {
        k->cr8 = (uint8_t)k->run->cr8;
        cpu->intc.set_tpr(cpu->intc.opaque, k->cr8);
    }
    if (k->run->apic_base != k->apic_base && cpu->intc.set_base) {
        k->apic_base = k->run->apic_base;
        cpu->intc.set_base(cpu->intc.opaque, k->apic_base);
    }
}

/* ---- exits ---- */

/* The run loop goes on. */
#define RUN_ON ((RunExit)-1)

static RunExit exit_io(X86Cpu *cpu, KvmCpu *k)
{
    struct kvm_run *run = k->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    AddressSpace *ports = &cpu->vm->io;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint64_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_IN) {
            value = mem_load(ports, run->io.port, run->io.size, NULL);
            memcpy(data, &value, run->io.size);
        } else {
            memcpy(&value, data, run->io.size);
            mem_store(ports, run->io.port, value, run->io.size);
        }
    }
    return RUN_ON;
}

static RunExit exit_mmio(X86Cpu *cpu, KvmCpu *k)
{
    struct kvm_run *run = k->run;
    unsigned len = MIN(run->mmio.len, sizeof(run->mmio.data));
    uint64_t addr = run->mmio.phys_addr, value = 0;
    AddressSpace *as = &cpu->vm->memory;

    if (cpu->in_smm && cpu->vm->smm_memory.root) {
        as = &cpu->vm->smm_memory;
    }
    if (len & (len - 1)) {
        /* The emulator's odd pieces of a longer access. */
        if (run->mmio.is_write) {
            mem_write(as, addr, run->mmio.data, len);
        } else {
            mem_read(as, addr, run->mmio.data, len);
        }
    } else if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, len);
        mem_store(as, addr, value, len);
    } else {
        value = mem_load(as, addr, len, NULL);
        memcpy(run->mmio.data, &value, len);
    }
    return RUN_ON;
}

static RunExit exit_hlt(X86Cpu *cpu, KvmCpu *k)
{
    return RUN_EXIT_HALT;
}

static RunExit exit_go_on(X86Cpu *cpu, KvmCpu *k)
{
    return RUN_ON;
}

static RunExit exit_shutdown(X86Cpu *cpu, KvmCpu *k)
{
    return RUN_EXIT_SHUTDOWN;
}

static RunExit exit_debug(X86Cpu *cpu, KvmCpu *k)
{
    return kvm_debug_exit(cpu) ? RUN_EXIT_DEBUG : RUN_ON;
}

static RunExit exit_eoi(X86Cpu *cpu, KvmCpu *k)
{
    if (cpu->vm->ioapic_eoi) {
        bool taken = machine_lock_enter();

        cpu->vm->ioapic_eoi(cpu->vm, k->run->eoi.vector);
        machine_lock_leave(taken);
    }
    return RUN_ON;
}

static RunExit exit_system_event(X86Cpu *cpu, KvmCpu *k)
{
    if (k->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN) {
        vm_request_shutdown(cpu->vm, SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        return RUN_EXIT_KICK;
    }
    if (k->run->system_event.type == KVM_SYSTEM_EVENT_CRASH) {
        vm_request_guest_panic(cpu->vm, "pause");
        return RUN_EXIT_KICK;
    }
    return RUN_EXIT_SHUTDOWN;
}

static RunExit exit_fail_entry(X86Cpu *cpu, KvmCpu *k)
{
    report_warning("KVM: entry failed, hardware error 0x%llx",
                   (unsigned long long)k->run->fail_entry.hardware_entry_failure_reason);
    return RUN_EXIT_INTERNAL_ERROR;
}

/* An instruction the kernel's emulator does not know: the software CPU executes that one. */
static RunExit interpret_one(X86Cpu *cpu, KvmCpu *k)
{
    kvm_get_state(cpu);
    if (kvm_debug_patched(cpu)) {
        return RUN_EXIT_DEBUG;
    }
    k->interpreted++;
    k->interpreting = true;
    if (log_on(LOG_UNIMP)) {
        log_write(LOG_UNIMP,
                  "CPU %u: kvm does not emulate the instruction at %016" G_GINT64_MODIFIER "x\n",
                  cpu->index, cpu->rip);
    }
    if (!tcg_interpret_one(cpu)) {
        return RUN_EXIT_SHUTDOWN;
    }
    kvm_put_state_before_run(cpu);
    return cpu->halted && kvm.irqchip == IRQCHIP_USER ? RUN_EXIT_HALT : RUN_ON;
}

static RunExit exit_internal_error(X86Cpu *cpu, KvmCpu *k)
{
    uint32_t suberror = k->run->internal.suberror;

    if (suberror != KVM_INTERNAL_ERROR_EMULATION) {
        report_warning("KVM internal error. Suberror: %u", suberror);
        return RUN_EXIT_INTERNAL_ERROR;
    }
    /* The code may have been in memory that was just being moved. */
    bool taken = machine_lock_enter();
    bool moved = k->generation != __atomic_load_n(&kvm.slots_generation, __ATOMIC_SEQ_CST);

    machine_lock_leave(taken);
    return moved ? RUN_ON : interpret_one(cpu, k);
}

typedef RunExit (*ExitFn)(X86Cpu *cpu, KvmCpu *k);

static const ExitFn exits[] = {
    [KVM_EXIT_IO] = exit_io,
    [KVM_EXIT_DEBUG] = exit_debug,
    [KVM_EXIT_HLT] = exit_hlt,
    [KVM_EXIT_MMIO] = exit_mmio,
    [KVM_EXIT_IRQ_WINDOW_OPEN] = exit_go_on,
    [KVM_EXIT_SHUTDOWN] = exit_shutdown,
    [KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
    [KVM_EXIT_INTR] = exit_go_on,
    [KVM_EXIT_SET_TPR] = exit_go_on,
    [KVM_EXIT_NMI] = exit_go_on,
    [KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
    [KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
    [KVM_EXIT_IOAPIC_EOI] = exit_eoi,
};

static RunExit handle_exit(X86Cpu *cpu, KvmCpu *k)
{
    uint32_t reason = k->run->exit_reason;

    if (reason >= G_N_ELEMENTS(exits) || !exits[reason]) {
        report_warning("KVM: unknown exit reason %u", reason);
        return RUN_EXIT_INTERNAL_ERROR;
    }
    return exits[reason](cpu, k);
}

static RunExit run_failed(int error)
{
    if (error == EINTR || error == EAGAIN) {
        return RUN_EXIT_KICK;
    }
    report_warning("KVM: running the guest failed: %s", g_strerror(error));
    return RUN_EXIT_INTERNAL_ERROR;
}

/* An access the guest made is finished by the kernel at the next KVM_RUN (api.rst section 5). */
static bool exit_is_unfinished(const struct kvm_run *run)
{
    return run->exit_reason == KVM_EXIT_IO || run->exit_reason == KVM_EXIT_MMIO;
}

/*
 * KVM_RUN, or the error it ended with.  Registers are asked for with the exit where it is likely
 * that they are read then; elsewhere they would only make exits slower.
 */
static int enter_guest(X86Cpu *cpu, KvmCpu *k)
{
    int error;

    k->run->kvm_valid_regs = k->debugging || k->interpreting ? kvm.sync_regs : 0;
    error = ioctl(k->fd, KVM_RUN, 0) < 0 ? errno : 0;
    if (error == EINVAL && k->run->kvm_dirty_regs) {
        /* It refuses a value: one request each, and the log says which. */
        kvm_put_state(cpu);
        error = ioctl(k->fd, KVM_RUN, 0) < 0 ? errno : 0;
    }
    k->fetched = k->xsave_valid = k->interpreting = false;
    k->shared = error == 0 || error == EINTR || error == EAGAIN ? k->run->kvm_valid_regs : 0;
    return error;
}

static RunExit run_until_exit(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    bool unfinished = false;
    RunExit why;

    do {
        int error;

        __atomic_store_n(&k->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & CPU_EVENT_KICK) {
            if (!unfinished) {
                return RUN_EXIT_KICK;
            }
            k->run->immediate_exit = 1;
        } else {
            before_run(cpu, k);
        }
        k->generation = __atomic_load_n(&kvm.slots_generation, __ATOMIC_SEQ_CST);
        error = enter_guest(cpu, k);
        after_run(cpu, k);
        if (error) {
            return run_failed(error);
        }
        why = handle_exit(cpu, k);
        unfinished = exit_is_unfinished(k->run);
    } while (why == RUN_ON);
    return why;
}

RunExit kvm_run_cpu(X86Cpu *cpu)
{
    RunExit why;

    kvm_update_debug(cpu);
    cpu->state_in_engine = true;
    why = run_until_exit(cpu);
    kvm_flush_state(cpu);
    return why;
}
