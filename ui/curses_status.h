/* The status line: what the machine does, how much, and which screens there are. */
#pragma once

#include "vm.h"

typedef struct CursesMeter {
    VmLoad last;
    int64_t last_us;                    /* 0: never */
    /* per second */
    unsigned cpu_percent;               /* of all vCPUs together */
    uint64_t disk_read, disk_written, net_received, net_sent;
} CursesMeter;

/* Takes a reading; rates are since the one before. */
void curses_meter_read(CursesMeter *meter, Vm *vm);
/* `current`: an index in console_list(), -1: none.  New string. */
char *curses_status_text(Vm *vm, const CursesMeter *meter, int current);
