/* The debug log of -d ITEMS / -D FILE and HMP's log and logfile.  Any thread may log. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum LogItem {
    LOG_IN_ASM      = 1 << 0,   /* guest code of each block as it is translated */
    LOG_INT         = 1 << 1,   /* interrupts and exceptions */
    LOG_EXEC        = 1 << 2,   /* each block entered */
    LOG_CPU         = 1 << 3,   /* registers before each block entered */
    LOG_PCALL       = 1 << 4,   /* far calls and task switches */
    LOG_CPU_RESET   = 1 << 5,   /* registers at CPU reset */
    LOG_UNIMP       = 1 << 6,   /* guest use of what is not modelled */
    LOG_GUEST_ERROR = 1 << 7,   /* guest use that no hardware would take */
    LOG_MMU         = 1 << 8,   /* page walks that fault */
    LOG_OP          = 1 << 9,   /* micro-ops of each block */
} LogItem;

typedef struct LogItemInfo {
    LogItem item;
    const char *name, *help;
} LogItemInfo;

extern const LogItemInfo log_items[];   /* ends with a NULL name */
extern unsigned log_mask;               /* read it through log_on() */

#define log_on(item) G_UNLIKELY(__atomic_load_n(&log_mask, __ATOMIC_RELAXED) & (item))

/* Comma separated names; "none" clears; an unknown name is refused with the nearest one. */
bool log_set_items(const char *names, GError **error);

/* NULL: standard error. The file is truncated and line buffered. */
bool log_set_file(const char *path, GError **error);

/* Writes if `item` is on.  Guest-triggered messages go through log_guest(), limited per second. */
void log_write(LogItem item, const char *format, ...) G_GNUC_PRINTF(2, 3);
void log_guest(const char *format, ...) G_GNUC_PRINTF(1, 2);
