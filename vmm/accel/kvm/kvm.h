/*
 * The KVM engine: shared by all files of this folder, seen by no other.
 *
 *   kvm.c          opening, capabilities, AccelOps
 *   kvm_cpuid.c    what KVM lets a guest see of CPUID
 *   kvm_memory.c   memory slots, dirty log, ioeventfds: listeners of the memory map
 *   kvm_vcpu.c     a vCPU's life and its run loop
 *   kvm_state.c    X86Cpu to and from the kernel;  kvm_msr.c its model-specific registers
 *   kvm_irq.c      in-kernel interrupt controllers: routes, lines, messages
 *   kvm_chips.c    those controllers and the timer as devices;  kvm_apic.c the LAPICs
 *   kvm_debug.c    breakpoints and single-step
 *
 * ABI: the kernel's Documentation/virt/kvm/api.rst, whose section numbers comments cite.
 */
#pragma once

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "accel.h"

/* The process's KVM virtual machine. Set up by kvm_init(), constant after the board was built. */
typedef struct KvmVm {
    Vm *vm;
    int fd, vm_fd;
    IrqchipKind irqchip;
    size_t run_size;                    /* of a vCPU's shared page(s) */
    size_t xsave_size;
    uint32_t sync_regs;                 /* KVM_SYNC_X86_*: registers it leaves in the shared page */
    unsigned max_slots;
    bool has_xcrs, has_debugregs, has_readonly, has_manual_dirty, has_smm;
    bool has_kvmclock_ctrl, has_adjust_clock, has_tsc_deadline, has_eventfd_any;
    bool has_set_guest_debug, has_user_nmi, has_signal_msi;
    bool has_irqfd, has_irqfd_resample;
    uint32_t block_irq;                 /* KVM_GUESTDBG_BLOCKIRQ, if it keeps interrupts from steps */
    struct kvm_cpuid2 *cpuid;           /* what the kernel supports */
    struct kvm_msr_list *msrs;          /* what it saves and restores */
    uint32_t slots_generation;          /* atomic: counts changes of the memory slots */
    uint64_t stopped_clock_ns;          /* kvmclock while the machine stands */
    bool clock_stopped;
    BreakPoint *breakpoints;            /* vCPUs standing when it changes */
    size_t n_breakpoints;
} KvmVm;

extern KvmVm kvm;

/* A vCPU's kernel side; X86Cpu.engine. */
typedef struct KvmCpu {
    int fd;
    struct kvm_run *run;
    uint8_t *xsave;                    /* last XSAVE image: holds components X86Fpu does not know */
    bool xsave_valid;                   /* it is the guest's, fetched since the last run */
    bool fetched;                       /* so is the rest: get_state() came after the last run */
    bool stepping_past;                 /* one instruction, without the points at past_addr */
    uint64_t past_addr;
    bool debugging;                     /* the kernel has breakpoints or stepping on */
    bool interpreting;                  /* the last exit was an instruction it does not emulate */
    uint32_t shared;                    /* KVM_SYNC_X86_*: run->s.regs is the guest's now */
    struct kvm_vcpu_events events;
    uint32_t mp_state_seen;
    int64_t tsc_offset_seen;            /* what get_state() stored; another value is written back */
    bool tsc_known;
    bool lapic_reset;                   /* put_state() restores `lapic_pristine` */
    bool lapic_loaded;                  /* put_state() writes `lapic` */
    struct kvm_lapic_state lapic_pristine, lapic;
    uint64_t apic_base;
    uint8_t cr8;
    uint32_t generation;                /* slots_generation when it last entered the guest */
    uint64_t interpreted;               /* instructions handed to the software CPU */
} KvmCpu;

/* IA32_APIC_BASE: SDM volume 3A figure 11-5. */
#define APIC_BASE_RESET UINT64_C(0xfee00800)
#define APIC_BASE_BSP   (1u << 8)

static inline KvmCpu *kvm_cpu(const X86Cpu *cpu)
{
    return cpu->engine;
}

/* kvm_cpuid.c */
bool kvm_cpuid_init(GError **error);
void kvm_engine_cpuid(Vm *vm, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
bool kvm_cpuid_set(X86Cpu *cpu, GError **error);

/* kvm_memory.c */
bool kvm_memory_init(Vm *vm, GError **error);
void kvm_memory_listen_smm(Vm *vm);         /* once the board has its SMRAM */
void kvm_memory_finish(Vm *vm);
void kvm_sync_dirty(Vm *vm, DirtyClient client);

/* kvm_vcpu.c */
bool kvm_cpu_init(X86Cpu *cpu, GError **error);
void kvm_cpu_finish(X86Cpu *cpu);
void kvm_cpu_reset(X86Cpu *cpu);
RunExit kvm_run_cpu(X86Cpu *cpu);
void kvm_kick(X86Cpu *cpu);
void kvm_install_kick_handler(void);
#define KICK_SIGNAL SIGUSR1                 /* makes KVM_RUN return */

/* kvm_state.c, kvm_msr.c */
void kvm_get_state(X86Cpu *cpu);
/* For vm->port_registers. */
void kvm_port_registers(X86Cpu *cpu, bool put);
void kvm_put_state(X86Cpu *cpu);
/*
 * As put_state(), when KVM_RUN comes next: registers may wait in the shared page for it.  Whoever
 * does not run after all hands them over with kvm_flush_state().
 */
void kvm_put_state_before_run(X86Cpu *cpu);
void kvm_flush_state(X86Cpu *cpu);
void kvm_get_msrs(X86Cpu *cpu);
void kvm_put_msrs(X86Cpu *cpu);

/* kvm_irq.c */
bool kvm_irq_init(Vm *vm, GError **error);
void kvm_gsi_set(void *vm, int gsi, int level);
void kvm_msi_send(Vm *vm, uint64_t address, uint32_t data);
bool kvm_irqfd(Vm *vm, int gsi, int eventfd, int resample_fd, bool assign, GError **error);
void kvm_ioapic_route(Vm *vm, unsigned pin, uint64_t address, uint32_t data);

/* kvm_apic.c */
bool kvm_apic_new(X86Cpu *cpu, GError **error);         /* machine lock held */
void kvm_apics_finish(void);

/* kvm_debug.c */
bool kvm_set_breakpoints(Vm *vm, const BreakPoint *list, size_t n, GError **error);
void kvm_points_live(Vm *vm, bool live);
RunExit kvm_step_past(X86Cpu *cpu);
void kvm_debug_finish(void);
void kvm_update_debug(X86Cpu *cpu); /* before a run: hands breakpoints and stepping to the kernel */
/* A debug exit: true if it is the debugger's; otherwise the exception goes back to the guest. */
bool kvm_debug_exit(X86Cpu *cpu);
/* The instruction at rip, which the kernel could not emulate, is an INT3 of the debugger's. */
bool kvm_debug_patched(X86Cpu *cpu);
