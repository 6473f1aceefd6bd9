/*
 * The human monitor, for the program and for QMP's human-monitor-command. Main thread, machine
 * lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vm.h"

/* Puts a monitor on a character device, for as long as the process lives. */
bool hmp_monitor_new(const char *label, GError **error);

/*
 * Carries out one line; returns what it printed, lines ending in CR LF (new string).  cpu_index <
 * 0: the first CPU.
 */
char *hmp_run(Vm *vm, const char *line, int cpu_index);
