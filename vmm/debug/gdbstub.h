/*
 * gdb's remote serial protocol on a chardev.
 * GDB manual, appendix E "gdb Remote Serial Protocol"; target descriptions: appendix G.
 *
 * Main thread, machine lock held.  All breaking, stepping and going on is debug.h's.
 */
#pragma once

#include "chardev.h"
#include "debug.h"

/*
 * -gdb DEV and HMP's gdbserver: "tcp::1234", "unix:/path,server=on,wait=off", "stdio", any chardev;
 * "none" stops listening.  -s is GDBSTUB_DEFAULT.  "tcp:" always listens; without a host, on
 * 127.0.0.1 alone.  A device that is open already is closed first; gdb's own `monitor` command
 * cannot do that to itself.  The machine stops when a client comes.  When it detaches, the machine
 * goes on; when it just leaves, its points go and the machine stays as it is.
 */
#define GDBSTUB_DEFAULT "tcp::1234"
bool gdbstub_start(Vm *vm, const char *device, GError **error);
void gdbstub_stop(Vm *vm);                      /* points gone, chardev closed */

/*
 * `monitor CMD` of gdb (qRcmd): set by main.c, which sees the monitor. Returns owned text.
 * cpu_index: the thread gdb is looking at.
 */
void gdbstub_set_command(char *(*run)(Vm *vm, const char *line, int cpu_index));
