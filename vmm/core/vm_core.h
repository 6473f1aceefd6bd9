/*
 * The machine, as devices and engines see it.  Doors (monitor/, qmp/) use vm.h instead.
 *
 * One Vm per process.  Fields are set up in vm_core_init() and by the board; after that they change
 * only under the machine lock.
 */
#pragma once

#include "clock.h"
#include "console.h"
#include "device.h"
#include "input.h"
#include "irq.h"
#include "lock.h"
#include "memmap.h"
#include "runstate.h"

typedef struct X86Cpu X86Cpu;
typedef struct AccelOps AccelOps;
typedef struct Board Board;

/* -smp */
typedef struct CpuTopology { unsigned cpus, sockets, dies, cores, threads, max_cpus; } CpuTopology;

/* What the command line decided; strings are owned. */
typedef struct VmConfig {
    char *name, *process_name;              /* -name */
    uint8_t uuid[16]; bool has_uuid;        /* -uuid */
    uint64_t ram_bytes, max_ram_bytes;      /* -m */
    char *mem_backend;                      /* -machine memory-backend= */
    char *mem_path; bool mem_prealloc;      /* of the machine's memory without a backend */
    CpuTopology topo;                       /* -smp */
    char *cpu_model;                        /* -cpu: whole text; NULL: the board's default */
    char *kernel, *initrd, *append, *bios, *dtb;
    char *data_dir;                         /* -L */
    char *kernel_irqchip;                   /* on|off|split or NULL */
    char *vmport;                           /* on|off|auto or NULL: auto */
    bool hpet, acpi, smm, graphics, pit;    /* -machine suboptions; graphics: -nographic clears */
    bool usb;                               /* a USB controller on the board */
    bool dump_guest_core, mem_merge;        /* of the machine's memory without a backend */
    char *boot_order;                       /* -boot order= ; boot_set changes it */
    char *boot_once, *boot_splash;          /* -boot once=, splash= */
    bool boot_menu, boot_strict;
    int32_t boot_splash_ms, boot_retry_ms;  /* splash-time, reboot-timeout; -1: not given */
    bool start_stopped;                     /* -S */
    bool no_reboot, no_shutdown;
    char *rtc_base; bool rtc_clock_vm, rtc_slew;    /* -rtc: "utc", "localtime" or a date */
    char *panic_action;                     /* -action panic= */
    char *watchdog_action;                  /* -action watchdog=; NULL: reset */
    bool nodefaults;
    bool snapshot;                          /* -snapshot: drives write to temporary files */
    bool mem_lock;                          /* -overcommit mem-lock */
    struct NumaConfig *numa;                /* -numa (machine/numa.h); NULL: none */
    struct SmbiosConfig *smbios;            /* -smbios (machine/smbios.h); NULL: nothing said */
} VmConfig;
void vm_config_finish(VmConfig *config);          /* its strings */

struct Vm {
    VmConfig config;
    const Board *board;
    void *board_data;                       /* the board's own; NULL: none */
    const AccelOps *accel;

    /* memory: board puts RAM and devices into these */
    MemRegion system_memory, system_io;
    AddressSpace memory, io;
    AddressSpace smm_memory;         /* what a CPU in SMM sees; root NULL: the board has no SMRAM */
    MemRegion *ram_region;                  /* pc.ram */
    uint64_t ram_below_4g, ram_above_4g;

    /* parts */
    Bus *system_bus;
    GPtrArray *cpus;                        /* X86Cpu *, by index */
    /*
     * Set by accel_start(): size of an X86Cpu with its engine's part behind it, and the CPUID bits
     * the engine can give (NULL: tcg_features of cpuid.h).
     */
    size_t cpu_size;
    void (*engine_cpuid)(Vm *vm, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    const DeviceType *const *device_types;
    IrqLine *isa_irq;                       /* 16 inputs, set by the board; NULL: no ISA */
    IrqLine *gsi;                           /* 24 inputs */
    unsigned n_gsi;
    Device *rtc, *fw_cfg, *pm;              /* found by other parts; NULL: the board has none */
    Device *balloon;                        /* virtio-balloon; NULL: none */
    Device *pic, *ioapic;                   /* first 8259 */
    /* the interrupt acknowledge of the 8259 pair: vector or -1; set by the board */
    int (*pic_acknowledge)(Vm *vm);
    /* what core asks of the vCPU threads; filled in by accel's vcpus_create(), NULL without CPUs */
    void (*cpus_pause)(Vm *vm);
    void (*cpus_resume)(Vm *vm);
    void (*cpus_reset)(Vm *vm);
    void (*sync_dirty)(Vm *vm, DirtyClient client);     /* engine's dirty log; NULL: it has none */
    void (*cpu_kick)(X86Cpu *cpu);          /* any thread: wake it or make it leave the guest */
    /* a vCPU stands at a point of the debugger's; set by whoever sets points */
    void (*debug_settle)(Vm *vm);
    /*
     * The general registers of the vCPU that is in the middle of a port access, fetched from its
     * engine or put back; NULL: they are in the struct.
     */
    void (*port_registers)(X86Cpu *cpu, bool put);
    X86Cpu *(*current_cpu)(void);         /* the vCPU whose thread this is, or NULL; set by accel */
    /* an MSI write from a device: (address, data) */
    void (*msi_send)(Vm *vm, uint64_t address, uint32_t data);
    bool msi_any_thread;                    /* msi_send needs no machine lock (the kernel's APICs) */
    /* split irqchip: the kernel's LAPIC ended that vector */
    void (*ioapic_eoi)(Vm *vm, uint8_t vector);
    /* our LAPIC gave its CPU that vector, an edge; NULL: nobody asks */
    void (*ioapic_taken)(Vm *vm, uint8_t vector);
    /* whether an edge on that line would be remembered, rather than lost on a mask; NULL: unknown */
    bool (*gsi_open)(Vm *vm, unsigned gsi);
    bool a20;                               /* address line 20 enabled */
    void (*a20_changed)(Vm *vm);

    VmClock clock;
    Input *input;                           /* keyboards and pointers */
    GPtrArray *consoles;                    /* Console * */
    bool built;                             /* complete: devices come and go by hot-plug alone */
    RunState run_state;
    GMainContext *context;                  /* main loop's */
    GSource *request_source;
    GPtrArray *subscribers, *reset_hooks;
    unsigned emitting;                      /* depth of vm_emit() */
    /* requests from any thread, carried out by the main loop in this order */
    unsigned pending_requests;              /* atomic bits of VmRequest */
    ShutdownCause reset_cause, shutdown_cause;
    RunState stop_state;
    const char *panic_event;               /* "pause": panicked, "run": a crash kernel was loaded */
    int exit_code;
    bool quitting;
};

/* `device_types`: every type the program knows. */
void vm_core_init(Vm *vm, GMainContext *context, const DeviceType *const *device_types);
void vm_core_finish(Vm *vm);

/* ---- requests: any thread, carried out soon on the main loop ---- */
void vm_request_reset(Vm *vm, ShutdownCause cause);
void vm_request_shutdown(Vm *vm, ShutdownCause cause);
void vm_request_powerdown(Vm *vm);
void vm_request_suspend(Vm *vm);
void vm_request_wakeup(Vm *vm);
/* DEBUG, INTERNAL_ERROR, IO_ERROR, GUEST_PANICKED, … */
void vm_request_stop(Vm *vm, RunState state);
/* A vCPU stands at a point of the debugger's. */
void vm_request_debug(Vm *vm);
void vm_request_guest_panic(Vm *vm, const char *action);
/* -device isa-debug-exit: leave with this code, at once. */
void vm_request_exit(Vm *vm, int code);
void vm_run_requests(Vm *vm);                       /* main loop only */

/* ---- run state: main thread, machine lock ---- */
bool vm_is_running(const Vm *vm);                   /* any thread */
void vm_start(Vm *vm);                              /* clocks, vCPUs; RESUME */
void vm_stop(Vm *vm, RunState state);               /* waits until every vCPU stands; STOP */
/* g_assert on a transition QMP's table does not have */
void vm_set_run_state(Vm *vm, RunState state);
/* CPUs, devices, then RESET event unless cause is NONE */
void vm_reset(Vm *vm, ShutdownCause cause);

/* ---- reset hooks: after all devices, in order of registration (boot loader, CPUs) ---- */
typedef void (*VmResetFn)(void *opaque);
void vm_add_reset(Vm *vm, VmResetFn fn, void *opaque);

/* ---- events ---- */
typedef void (*VmEventFn)(Vm *vm, const VmEvent *event, void *opaque);
/* called on the main thread, machine lock held */
void vm_subscribe(Vm *vm, VmEventFn fn, void *opaque);
void vm_unsubscribe(Vm *vm, VmEventFn fn, void *opaque);
void vm_emit(Vm *vm, const VmEvent *event);                 /* main thread */

/* The IRQ input of an ISA pin: vm->isa_irq[n], or an unconnected line. */
IrqLine vm_isa_irq(Vm *vm, unsigned n);
