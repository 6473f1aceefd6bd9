/*
 * The one door to the machine for monitor/ and qmp/.
 *
 * Life cycle, notifiers and lookups.  Main thread, machine lock held, unless a line says otherwise.
 * It re-exports the core's types that doors print.
 */
#pragma once

#include "accel.h"
#include "block.h"
#include "chardev.h"
#include "cpuid.h"
#include "disas.h"
#include "keyval.h"
#include "pagewalk.h"
#include "rhea_error.h"
#include "sizes.h"
#include "vm_core.h"
#include "vm_log.h"
#include "x86_cpu.h"

#define RHEA_VERSION_TEXT "rhea " RHEA_VERSION      /* QMP's `package`; RHEA_VERSION from meson */
#define QEMU_VERSION_MAJOR 7
#define QEMU_VERSION_MINOR 2
#define QEMU_VERSION_MICRO 22

/* ---- life cycle: main.c ---- */
typedef struct Options Options;
/*
 * Builds the machine `options` describe (their strings move into it) and resets it.  *monitors
 * gets a MonitorSpec * (options.h) for each monitor to attach.  False: the process should report
 * and leave.
 */
bool vm_create(Vm *vm, Options *options, GPtrArray **monitors, GError **error);
void vm_run(Vm *vm);                    /* starts unless -S, returns when the machine has ended */
void vm_destroy(Vm *vm);          /* threads, terminals, the engine; memory goes with the process */

/* Machine types -machine takes, by number. False: there are no more. */
typedef struct VmMachineType {
    const char *name, *alias, *default_cpu;             /* alias and CPU may be NULL */
    unsigned max_cpus;
    bool is_default;
} VmMachineType;
bool vm_machine_type(unsigned n, VmMachineType *type);

Vm *vm_instance(void);                  /* the process's machine */
const AccelChoice *vm_accel_choice(void);
/* Stops the main loop; the SHUTDOWN event names the cause. */
void vm_quit(Vm *vm, ShutdownCause cause);

X86Cpu *vm_cpu(Vm *vm, unsigned index);                 /* NULL: none. State is synced. */

/*
 * -device and device_add.  `kv` has driver, and may have id, bus and the type's properties.  NULL:
 * error.  vm_device_help(): *text is what "help" or "DRIVER,help" asks for, NULL if `opts` asks
 * for no help.
 */
Device *vm_device_add(Vm *vm, KeyVal *kv, GError **error);
bool vm_device_help(const char *opts, char **text, GError **error);
char *vm_device_types_text(bool all);           /* `all`: those of boards too */
/* device_del: by id or path. */
bool vm_device_del(Vm *vm, const char *id_or_path, GError **error);

/* cont/stop/reset/… with QMP's error texts (e.g. resetting after shutdown). */
bool vm_cmd_cont(Vm *vm, GError **error);
bool vm_cmd_stop(Vm *vm, GError **error);
void vm_cmd_forget_ticks(Vm *vm);           /* those the real-time clock owes the guest */
bool vm_cmd_inject_nmi(Vm *vm, GError **error);
bool vm_cmd_memsave(Vm *vm, unsigned cpu, uint64_t addr, uint64_t size, const char *file,
                    GError **error);
bool vm_cmd_pmemsave(Vm *vm, uint64_t addr, uint64_t size, const char *file, GError **error);
bool vm_cmd_boot_set(Vm *vm, const char *order, GError **error);

/*
 * Memory as bytes (vm_memory.c): physical, or with a CPU's number as that CPU translates addresses.
 * RAM and ROM only; where one byte is neither, nothing is done and the error names its address.
 */
bool vm_memory_read(Vm *vm, const uint32_t *cpu_index, uint64_t address, void *buf, uint64_t len,
                    GError **error);
bool vm_memory_write(Vm *vm, const uint32_t *cpu_index, uint64_t address, const void *buf,
                     uint64_t len, GError **error);
/* Each range of physical memory by address, and where in which block it lies. */
typedef struct VmMemoryRange {
    uint64_t address, size;
    const RamBlock *block;
    uint64_t offset;                        /* in the block */
    bool readonly;
} VmMemoryRange;
void vm_memory_foreach(Vm *vm, void (*fn)(const VmMemoryRange *range, void *opaque), void *opaque);

/*
 * What the machine has done so far (vm_load.c): processor time of its vCPUs' threads, bytes of its
 * disks, and bytes as its NICs see them.  Less than before when a part has been unplugged.
 */
typedef struct VmLoad {
    uint64_t cpu_ns, disk_read, disk_written, net_received, net_sent;
} VmLoad;
void vm_load(Vm *vm, VmLoad *load);

/* The memory balloon (vm_virtio.c): what the guest is asked to get along with, and has. */
bool vm_balloon(Vm *vm, uint64_t bytes, GError **error);
bool vm_balloon_actual(Vm *vm, uint64_t *bytes, GError **error);

/* Texts of info topics that only the inner parts know; QEMU's layout. */
void vm_print_pci(Vm *vm, GString *out);
bool vm_print_usb(Vm *vm, GString *out);                /* false: the machine has no USB */
void vm_print_mtree(Vm *vm, bool flat, GString *out);
void vm_print_roms(Vm *vm, GString *out);
void vm_print_ramblock(GString *out);
void vm_print_numa(Vm *vm, GString *out);
bool vm_numa_node(const Vm *vm, unsigned cpu_index, unsigned *node);    /* false: no NUMA */
void vm_print_qom_tree(Vm *vm, const char *path, GString *out);
void vm_print_view(Vm *vm, DeviceView view, int cpu_index, GString *out);   /* pic, irq, lapic */
