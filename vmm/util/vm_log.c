#include "vm_log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rhea_error.h"

const LogItemInfo log_items[] = {
    { LOG_IN_ASM, "in_asm", "guest code of each block as it is translated" },
    { LOG_OP, "op", "micro-ops of each block" },
    { LOG_INT, "int", "interrupts and exceptions" },
    { LOG_EXEC, "exec", "each block entered" },
    { LOG_CPU, "cpu", "registers before each block entered" },
    { LOG_MMU, "mmu", "page walks that fault" },
    { LOG_PCALL, "pcall", "far calls and task switches" },
    { LOG_CPU_RESET, "cpu_reset", "registers at CPU reset" },
    { LOG_UNIMP, "unimp", "guest use of what is not modelled" },
    { LOG_GUEST_ERROR, "guest_errors", "guest use that no hardware would take" },
    { 0, NULL, NULL }
};

unsigned log_mask;

static GMutex log_lock;
static FILE *log_file;              /* log_lock; NULL: standard error */

enum { GUEST_LINES_PER_SECOND = 20 };

static bool find_item(const char *name, unsigned *mask, GError **error)
{
    const char *names[G_N_ELEMENTS(log_items)];
    const char *near;
    size_t n = 0;

    for (const LogItemInfo *info = log_items; info->name != NULL; info++) {
        if (g_str_equal(info->name, name)) {
            *mask |= info->item;
            return true;
        }
        names[n++] = info->name;
    }
    set_error(error, "unknown log item '%s'", name);
    near = nearest_name(name, names, n);
    error_suggest(error, near);
    return false;
}

bool log_set_items(const char *names, GError **error)
{
    g_auto(GStrv) words = g_strsplit(names, ",", -1);
    unsigned mask = 0;

    for (char **word = words; *word != NULL; word++) {
        if (g_str_equal(*word, "none")) {
            mask = 0;
        } else if (g_str_equal(*word, "all")) {
            mask = ~0u;
        } else if (!find_item(*word, &mask, error)) {
            return false;
        }
    }
    __atomic_store_n(&log_mask, mask, __ATOMIC_RELAXED);
    return true;
}

bool log_set_file(const char *path, GError **error)
{
    FILE *file = NULL;

    if (path != NULL) {
        file = fopen(path, "we");
        if (file == NULL) {
            set_errno_error(error, errno, "cannot open log file '%s'", path);
            return false;
        }
        setvbuf(file, NULL, _IOLBF, 0);
    }
    g_mutex_lock(&log_lock);
    if (log_file != NULL) {
        fclose(log_file);
    }
    log_file = file;
    g_mutex_unlock(&log_lock);
    return true;
}

static void log_line(const char *format, va_list args)
{
    char *text = g_strdup_vprintf(format, args);
    bool ends = g_str_has_suffix(text, "\n");

    g_mutex_lock(&log_lock);
    fprintf(log_file != NULL ? log_file : stderr, "%s%s", text, ends ? "" : "\n");
    g_mutex_unlock(&log_lock);
    g_free(text);
}

void log_write(LogItem item, const char *format, ...)
{
    va_list args;

    if (log_on(item)) {
        va_start(args, format);
        log_line(format, args);
        va_end(args);
    }
}

/* A window of one second; a guest that misbehaves in a loop costs a few lines, not a disk. */
static bool guest_line_allowed(void)
{
    static gint64 window_start_us;
    static unsigned lines;
    gint64 now_us = g_get_monotonic_time();
    bool allowed;

    g_mutex_lock(&log_lock);
    if (now_us - window_start_us > G_USEC_PER_SEC) {
        window_start_us = now_us;
        lines = 0;
    }
    allowed = lines++ < GUEST_LINES_PER_SECOND;
    g_mutex_unlock(&log_lock);
    return allowed;
}

void log_guest(const char *format, ...)
{
    va_list args;

    if (log_on(LOG_GUEST_ERROR) && guest_line_allowed()) {
        va_start(args, format);
        log_line(format, args);
        va_end(args);
    }
}
