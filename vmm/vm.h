/*
 * The one door to the machine for monitor/, qmp/ and ui/.
 *
 * Life cycle, notifiers and lookups.  Main thread, machine lock held, unless a line says otherwise.
 * It re-exports the core's types that doors print.
 */
#pragma once

#include "accel.h"
#include "chardev.h"
#include "cpuid.h"
#include "disas.h"
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

Vm *vm_instance(void);                  /* the process's machine */
const AccelChoice *vm_accel_choice(void);
/* Stops the main loop; the SHUTDOWN event names the cause. */
void vm_quit(Vm *vm, ShutdownCause cause);

X86Cpu *vm_cpu(Vm *vm, unsigned index);                 /* NULL: none. State is synced. */

/* cont/stop/reset/… with QMP's error texts (e.g. resetting after shutdown). */
bool vm_cmd_cont(Vm *vm, GError **error);
bool vm_cmd_stop(Vm *vm, GError **error);
bool vm_cmd_inject_nmi(Vm *vm, GError **error);
bool vm_cmd_memsave(Vm *vm, unsigned cpu, uint64_t addr, uint64_t size, const char *file, GError **error);
bool vm_cmd_pmemsave(Vm *vm, uint64_t addr, uint64_t size, const char *file, GError **error);
bool vm_cmd_boot_set(Vm *vm, const char *order, GError **error);

/* Key events by QEMU's key names ("ctrl-alt-delete"), for sendkey. hold_ms 0: 100 ms. */
bool vm_send_keys(Vm *vm, const char *keys, unsigned hold_ms, GError **error);

/* Texts of info topics that only the inner parts know; QEMU's layout. */
void vm_print_pci(Vm *vm, GString *out);
void vm_print_mtree(Vm *vm, bool flat, GString *out);
void vm_print_roms(Vm *vm, GString *out);
void vm_print_qom_tree(Vm *vm, const char *path, GString *out);
void vm_print_view(Vm *vm, DeviceView view, int cpu_index, GString *out);   /* pic, irq, lapic */
