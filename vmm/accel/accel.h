/*
 * What an engine is, and the vCPU threads that drive it.
 *
 * Both engines run the same X86Cpu.  vcpu.c owns the threads: it waits while the machine is stopped
 * or the CPU halted, runs queued work, then calls ops->run(), which comes back when something
 * outside the engine has to happen (a kick, a halt, a debug stop, shutdown).  Port and memory
 * accesses are made by the engine itself through mem_load()/mem_store() on vm->io and vm->memory.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vm_core.h"
#include "x86_cpu.h"

/* Why ops->run() came back. */
typedef enum RunExit {
    RUN_EXIT_KICK,              /* look at events, work, run state, then run again */
    RUN_EXIT_HALT,              /* cpu->halted is set; sleep until x86_cpu_has_work() */
    RUN_EXIT_DEBUG,             /* breakpoint or single-step; cpu->debug_hit says which */
    RUN_EXIT_SHUTDOWN,          /* triple fault */
    RUN_EXIT_INTERNAL_ERROR,    /* the engine cannot go on; reason was logged */
} RunExit;

typedef enum IrqchipKind { IRQCHIP_USER, IRQCHIP_SPLIT, IRQCHIP_KERNEL } IrqchipKind;

typedef struct BreakPoint {
    enum { BREAK_SOFT, BREAK_HARD, WATCH_WRITE, WATCH_READ, WATCH_ACCESS } kind;
    uint64_t addr, len;
} BreakPoint;

struct AccelOps {
    const char *name;                                   /* "kvm", "tcg" */
    size_t cpu_size;                                  /* of the struct that starts with an X86Cpu */
    /* Guest-physical pages the engine keeps for itself, [addr, end): nothing of the guest's. */
    struct { uint64_t addr, end; } reserved;
    /* Called once, by accel_start(): opens /dev/kvm, starts listeners. */
    bool (*init)(Vm *vm, GError **error);
    void (*finish)(Vm *vm);
    IrqchipKind (*irqchip)(Vm *vm);
    bool (*cpu_init)(X86Cpu *cpu, GError **error);  /* on the vCPU's thread, before the first run */
    void (*cpu_finish)(X86Cpu *cpu);                    /* on the vCPU's thread */
    void (*cpu_reset)(X86Cpu *cpu);          /* forget what was kept beside X86Cpu; NULL: nothing */
    RunExit (*run)(X86Cpu *cpu);                        /* vCPU thread, machine lock NOT held */
    void (*kick)(X86Cpu *cpu);                          /* any thread: make run() come back soon */
    /* vCPU standing. get: engine → X86Cpu (kvm); put: X86Cpu → engine before the next run. */
    void (*get_state)(X86Cpu *cpu);
    void (*put_state)(X86Cpu *cpu);
    /*
     * The whole list replaces the old one; vCPUs standing. single_step per cpu in cpu->single_step.
     */
    bool (*set_breakpoints)(Vm *vm, const BreakPoint *list, size_t n, GError **error);
    /*
     * For an engine that keeps break points in guest memory; NULL: run() sees to cpu->debug_pass.
     * points_live: all vCPUs are about to run, or (not `live`) have come to stand.  step_past: one
     * instruction with no point at it; vCPU thread, the others standing, machine lock NOT held;
     * comes back soon, RUN_EXIT_KICK if the instruction could not be finished.
     */
    void (*points_live)(Vm *vm, bool live);
    RunExit (*step_past)(X86Cpu *cpu);
    /* In-kernel interrupt controllers only (NULL in tcg). */
    void (*gsi_set)(void *vm, int gsi, int level);
    void (*msi_send)(Vm *vm, uint64_t address, uint32_t data);
    /*
     * Takes an eventfd whose writes raise a line in the kernel from now on, or (not `assign`) lets
     * go of it; nothing arrives after that.  resample_fd >= 0: the line stays up until the guest
     * has acknowledged the interrupt, and that eventfd tells of it; -1: each write is one edge.
     */
    bool (*irqfd)(Vm *vm, int gsi, int eventfd, int resample_fd, bool assign, GError **error);
    /* split: the IOAPIC of ours tells what message a pin sends now (data 0: none), so that the
     * kernel knows whose EOI to report to vm->ioapic_eoi. */
    void (*ioapic_route)(Vm *vm, unsigned pin, uint64_t address, uint32_t data);
    bool (*has_smm)(Vm *vm);                            /* can deliver SMI; NULL: yes */
    /* CPUID values the engine can give; see cpuid.h. */
    void (*host_cpuid)(Vm *vm, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    void (*print_jit)(Vm *vm, GString *out);            /* `info jit`; NULL: not this engine */
    /* Copies pages written since the last call into the blocks' dirty bitmaps (kvm's dirty log). */
    void (*sync_dirty)(Vm *vm, DirtyClient client);
};

extern const AccelOps accel_tcg, accel_kvm;
extern const AccelOps *const accel_list[];              /* NULL-terminated */

/*
 * One instruction by the software CPU, whatever the engine (kvm's emulation failures).  vCPU
 * thread, not in run(), state fetched.  Faults are delivered to the guest.  False: that ended in
 * shutdown.
 */
bool tcg_interpret_one(X86Cpu *cpu);

/* ---- choosing ---- */

/* What the start-up probe found; cached per boot in the user's runtime folder. */
typedef struct AccelProbe {
    bool kvm_usable;                    /* /dev/kvm opens and makes a VM */
    char kvm_problem[128];              /* why not */
    double kvm_supervisor_mips;         /* million supervisor instructions a second */
    double kvm_exit_ns;                 /* a port-io exit, round trip */
    bool kvm_emulates;                  /* supervisor code runs in an instruction emulator */
    bool cached;
} AccelProbe;

/* Text of `info accel`: what was picked and why, exit cost, features missing. */
typedef struct AccelChoice {
    const AccelOps *ops;
    char *reason;                       /* one sentence */
    AccelProbe probe;
    bool probed;
} AccelChoice;

/*
 * `names`: the user's list in order ("kvm:tcg" split), NULL-terminated, or NULL/empty for "the
 * faster". One name is obeyed; several (or none) ask the probe.  An unknown name fails with the
 * nearest.  `idle`: no guest will run, so the first of several that can be used will do.
 */
bool accel_choose(const char *const *names, bool idle, AccelChoice *choice, GError **error);
/*
 * Makes `ops` this machine's engine: vm->accel, vm->cpu_size, ops->init(). Before the board is
 * built.
 */
bool accel_start(Vm *vm, const AccelOps *ops, GError **error);
void accel_print_info(Vm *vm, const AccelChoice *choice, GString *out);
bool accel_probe(AccelProbe *probe);        /* vmm/accel/probe.c; ≤ 10 ms when not cached */

/* ---- vCPU threads (vcpu.c) ---- */
/* threads for vm->cpus; they wait until vcpus_resume() */
bool vcpus_create(Vm *vm, GError **error);
void vcpus_destroy(Vm *vm);
void vcpus_pause(Vm *vm);         /* machine lock held by the main thread; returns when all stand */
void vcpus_resume(Vm *vm);        /* all but those with debug_hold */
/* A vCPU has met a point of the debugger's, or `end_us` is over.  Main thread, vCPUs running. */
void vcpus_wait_debug(Vm *vm, gint64 end_us);
void vcpu_kick(X86Cpu *cpu);                /* any thread */
bool vcpu_is_self(const X86Cpu *cpu);
extern __thread X86Cpu *current_cpu;        /* the vCPU this thread drives, or NULL */

/*
 * Runs fn on the vCPU's thread with the CPU outside run(); waits.  From the vCPU itself: at
 * once.  The machine lock is held by the caller, and by the vCPU's thread while fn runs; afterwards
 * the vCPU stays outside run() until the caller lets go of the lock.
 */
typedef void (*VcpuWorkFn)(X86Cpu *cpu, void *opaque);
void vcpu_run_on(X86Cpu *cpu, VcpuWorkFn fn, void *opaque);
void vcpu_run_async(X86Cpu *cpu, VcpuWorkFn fn, void *opaque);

/* State as of now; the vCPU stands until the caller lets go of the machine lock. Main thread. */
void vcpu_sync(X86Cpu *cpu);
/* The X86Cpu was changed by a door; goes to the engine before the next run. */
void vcpu_mark_dirty(X86Cpu *cpu);
