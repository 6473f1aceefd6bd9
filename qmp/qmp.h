/* QMP monitors, for the program.  Main thread, machine lock. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Vm Vm;

/*
 * A QMP monitor on a character device, for as long as the process lives.  `pretty` indents what it
 * sends.  Each client that connects is greeted and negotiates anew.
 */
bool qmp_monitor_new(const char *chardev_label, bool pretty, GError **error);

/*
 * What human-monitor-command calls: runs one line of the human monitor, with `cpu_index` as its
 * CPU (negative: the first), and returns what it printed (new string, lines ended by CR LF).
 * Until it is set the command answers with an error.
 */
typedef char *(*QmpHumanMonitorFn)(Vm *vm, const char *line, int cpu_index);
void qmp_set_human_monitor(QmpHumanMonitorFn fn);
