/* Opening KVM, and the engine's row. */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "rhea_error.h"

/* Three pages of the TSS and one page table that Intel processors may need; below the BIOS,
 * reserved in the e820 map (api.rst 4.31, 4.41). */
#define IDENTITY_MAP_ADDR   UINT64_C(0xfeffc000)
#define TSS_ADDR            UINT64_C(0xfeffd000)
#define TSS_END             UINT64_C(0xff000000)

KvmVm kvm = { .fd = -1, .vm_fd = -1 };

static int check(int cap)
{
    return ioctl(kvm.vm_fd, KVM_CHECK_EXTENSION, cap);
}

static bool open_kvm(GError **error)
{
    int version;

    kvm.fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm.fd < 0) {
        set_errno_error(error, errno, "Could not access KVM kernel module");
        return false;
    }
    version = ioctl(kvm.fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        set_error(error, "/dev/kvm speaks version %d of its interface, not %d", version,
                  KVM_API_VERSION);
        return false;
    }
    do {
        kvm.vm_fd = ioctl(kvm.fd, KVM_CREATE_VM, 0);
    } while (kvm.vm_fd < 0 && errno == EINTR);
    if (kvm.vm_fd < 0) {
        set_errno_error(error, errno, "/dev/kvm makes no virtual machine");
        return false;
    }
    return true;
}

static bool check_capabilities(GError **error)
{
    static const struct { int cap; const char *name; } needed[] = {
        { KVM_CAP_USER_MEMORY, "user memory" }, { KVM_CAP_EXT_CPUID, "extended CPUID" },
        { KVM_CAP_VCPU_EVENTS, "vCPU events" }, { KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
        { KVM_CAP_MP_STATE, "multiprocessor states" }, { KVM_CAP_XSAVE, "XSAVE state" },
        { KVM_CAP_SET_TSS_ADDR, "TSS address" },
    };
    const struct { int cap; bool *has; } optional[] = {
        { KVM_CAP_XCRS, &kvm.has_xcrs }, { KVM_CAP_DEBUGREGS, &kvm.has_debugregs },
        { KVM_CAP_READONLY_MEM, &kvm.has_readonly }, { KVM_CAP_X86_SMM, &kvm.has_smm },
        { KVM_CAP_KVMCLOCK_CTRL, &kvm.has_kvmclock_ctrl },
        { KVM_CAP_ADJUST_CLOCK, &kvm.has_adjust_clock },
        { KVM_CAP_TSC_DEADLINE_TIMER, &kvm.has_tsc_deadline },
        { KVM_CAP_IOEVENTFD_ANY_LENGTH, &kvm.has_eventfd_any },
        { KVM_CAP_SET_GUEST_DEBUG, &kvm.has_set_guest_debug },
        { KVM_CAP_USER_NMI, &kvm.has_user_nmi }, { KVM_CAP_SIGNAL_MSI, &kvm.has_signal_msi },
        { KVM_CAP_IRQFD, &kvm.has_irqfd },
        { KVM_CAP_IRQFD_RESAMPLE, &kvm.has_irqfd_resample },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (check(needed[i].cap) <= 0) {
            set_error(error, "this host's kvm is too old: it lacks %s", needed[i].name);
            return false;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(optional); i++) {
        *optional[i].has = check(optional[i].cap) > 0;
    }
    kvm.xsave_size = MAX(check(KVM_CAP_XSAVE2), (int)sizeof(struct kvm_xsave));
    kvm.sync_regs = (uint32_t)MAX(check(KVM_CAP_SYNC_REGS), 0) &
                    (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS);
    kvm.block_irq = (uint32_t)MAX(check(KVM_CAP_SET_GUEST_DEBUG2), 0) & KVM_GUESTDBG_BLOCKIRQ;
    kvm.max_slots = MAX(check(KVM_CAP_NR_MEMSLOTS), 32);
    return true;
}

/* Optional behaviour the kernel turns on when told to; a refusal leaves it off. */
static void enable_capabilities(Vm *vm)
{
    int manual = check(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
    struct kvm_enable_cap dirty = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
                                    .args = { manual & 1 } };

    kvm.has_manual_dirty = manual > 0 && ioctl(kvm.vm_fd, KVM_ENABLE_CAP, &dirty) == 0;
    kvm.has_smm &= vm->config.smm && check(KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
}

static bool get_msr_list(GError **error)
{
    struct kvm_msr_list probe = { 0 };

    /* The first call fails with E2BIG and tells how many there are (api.rst 4.3). */
    if (ioctl(kvm.fd, KVM_GET_MSR_INDEX_LIST, &probe) < 0 && errno != E2BIG) {
        set_errno_error(error, errno, "kvm does not list its MSRs");
        return false;
    }
    kvm.msrs = g_malloc0(sizeof(probe) + probe.nmsrs * sizeof(probe.indices[0]));
    kvm.msrs->nmsrs = probe.nmsrs;
    if (ioctl(kvm.fd, KVM_GET_MSR_INDEX_LIST, kvm.msrs) < 0) {
        set_errno_error(error, errno, "kvm does not list its MSRs");
        return false;
    }
    return true;
}

static bool set_fixed_addresses(GError **error)
{
    uint64_t identity = IDENTITY_MAP_ADDR;

    if (ioctl(kvm.vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
        ioctl(kvm.vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0) {
        set_errno_error(error, errno, "kvm does not take its private pages");
        return false;
    }
    return true;
}

/* ---- kvmclock: guest time stands while the machine does ---- */

static void stop_clock(void)
{
    struct kvm_clock_data data = { 0 };

    if (kvm.has_adjust_clock && !kvm.clock_stopped && ioctl(kvm.vm_fd, KVM_GET_CLOCK, &data) == 0) {
        kvm.stopped_clock_ns = data.clock;
        kvm.clock_stopped = true;
    }
}

static void tell_paused(X86Cpu *cpu, void *opaque)
{
    /* Fails where the guest has no kvmclock; then there is nobody to tell. */
    ioctl(kvm_cpu(cpu)->fd, KVM_KVMCLOCK_CTRL, 0);
}

static void start_clock(Vm *vm)
{
    struct kvm_clock_data data = { .clock = kvm.stopped_clock_ns };

    if (!kvm.clock_stopped) {
        return;
    }
    kvm.clock_stopped = false;
    ioctl(kvm.vm_fd, KVM_SET_CLOCK, &data);
    for (guint i = 0; kvm.has_kvmclock_ctrl && i < vm->cpus->len; i++) {
        vcpu_run_async(g_ptr_array_index(vm->cpus, i), tell_paused, NULL);
    }
}

static void machine_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_STOP) {
        stop_clock();
    } else if (event->kind == VM_EVENT_RESUME) {
        start_clock(vm);
    }
}

/* ---- the engine ---- */

static void kvm_finish(Vm *vm)
{
    vm_unsubscribe(vm, machine_event, NULL);
    kvm_apics_finish();
    kvm_memory_finish(vm);
    g_clear_pointer(&kvm.cpuid, g_free);
    g_clear_pointer(&kvm.msrs, g_free);
    kvm_debug_finish();
    if (kvm.vm_fd >= 0) {
        close(kvm.vm_fd);
    }
    if (kvm.fd >= 0) {
        close(kvm.fd);
    }
    kvm.vm_fd = kvm.fd = -1;
    vm->engine_cpuid = NULL;
    vm->port_registers = NULL;
}

static bool kvm_init(Vm *vm, GError **error)
{
    int run_size;

    memset(&kvm, 0, sizeof(kvm));
    kvm.fd = kvm.vm_fd = -1;
    kvm.vm = vm;
    if (!open_kvm(error) || !check_capabilities(error)) {
        goto failed;
    }
    enable_capabilities(vm);
    run_size = ioctl(kvm.fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size < (int)sizeof(struct kvm_run)) {
        set_error(error, "kvm's vCPU page has %d bytes", run_size);
        goto failed;
    }
    kvm.run_size = run_size;
    if (!set_fixed_addresses(error) || !get_msr_list(error) || !kvm_irq_init(vm, error) ||
        !kvm_cpuid_init(error) || !kvm_memory_init(vm, error)) {
        goto failed;
    }
    kvm_install_kick_handler();
    vm->engine_cpuid = kvm_engine_cpuid;
    vm->port_registers = kvm_port_registers;
    vm_subscribe(vm, machine_event, NULL);
    return true;

failed:
    kvm_finish(vm);
    return false;
}

static IrqchipKind kvm_irqchip(Vm *vm)
{
    return kvm.irqchip;
}

static bool kvm_has_smm(Vm *vm)
{
    return kvm.has_smm;
}

const AccelOps accel_kvm = {
    .name = "kvm",
    .cpu_size = sizeof(X86Cpu),
    .reserved = { IDENTITY_MAP_ADDR, TSS_END },
    .init = kvm_init,
    .finish = kvm_finish,
    .irqchip = kvm_irqchip,
    .has_smm = kvm_has_smm,
    .cpu_init = kvm_cpu_init,
    .cpu_finish = kvm_cpu_finish,
    .cpu_reset = kvm_cpu_reset,
    .run = kvm_run_cpu,
    .kick = kvm_kick,
    .get_state = kvm_get_state,
    .put_state = kvm_put_state,
    .set_breakpoints = kvm_set_breakpoints,
    .points_live = kvm_points_live,
    .step_past = kvm_step_past,
    .gsi_set = kvm_gsi_set,
    .msi_send = kvm_msi_send,
    .irqfd = kvm_irqfd,
    .ioapic_route = kvm_ioapic_route,
    .host_cpuid = kvm_engine_cpuid,
    .sync_dirty = kvm_sync_dirty,
};
