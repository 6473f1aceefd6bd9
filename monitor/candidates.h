/*
 * What words of a command can be: ids, types, and the keys and values of option texts.  In the form
 * of CmdArg's `complete` and `complete_at`.  Main thread, machine lock.
 */
#pragma once

#include "command.h"

void candidates_chardevs(Monitor *mon, GPtrArray *out);
void candidates_chardev_backends(Monitor *mon, GPtrArray *out);
void candidates_cpus(Monitor *mon, GPtrArray *out);
void candidates_devices(Monitor *mon, GPtrArray *out);          /* those that have ids */
void candidates_drives(Monitor *mon, GPtrArray *out);
void candidates_net_clients(Monitor *mon, GPtrArray *out);
void candidates_netdevs(Monitor *mon, GPtrArray *out);
void candidates_objects(Monitor *mon, GPtrArray *out);

/* Objects by path; the argument's separator is "/". */
void candidates_path(Monitor *mon, const CompleteAt *at, GPtrArray *out);

/* "TYPE,key=value,…"; the argument's separators are OPTION_SEPARATORS. */
#define OPTION_SEPARATORS ",="
void candidates_chardev_text(Monitor *mon, const CompleteAt *at, GPtrArray *out);
void candidates_device_text(Monitor *mon, const CompleteAt *at, GPtrArray *out);
void candidates_drive_text(Monitor *mon, const CompleteAt *at, GPtrArray *out);
void candidates_netdev_text(Monitor *mon, const CompleteAt *at, GPtrArray *out);
void candidates_object_text(Monitor *mon, const CompleteAt *at, GPtrArray *out);
