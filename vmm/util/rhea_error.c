#include "rhea_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *program = "rhea";
static bool timestamps;

GQuark rhea_error_quark(void)
{
    return g_quark_from_static_string("rhea-error");
}

void set_error(GError **error, const char *format, ...)
{
    va_list args;

    if (error == NULL) {
        return;
    }
    va_start(args, format);
    g_propagate_error(error, g_error_new_valist(RHEA_ERROR, RHEA_ERROR_GENERIC, format, args));
    va_end(args);
}

void set_errno_error(GError **error, int errnum, const char *format, ...)
{
    va_list args;
    char *what;

    if (error == NULL) {
        return;
    }
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    set_error(error, "%s: %s", what, g_strerror(errnum));
    g_free(what);
}

void error_add_hint(GError **error, const char *format, ...)
{
    va_list args;
    char *hint, *message;

    if (error == NULL || *error == NULL) {
        return;
    }
    va_start(args, format);
    hint = g_strdup_vprintf(format, args);
    va_end(args);
    message = g_strdup_printf("%s\n%s", (*error)->message, hint);
    g_free((*error)->message);
    (*error)->message = message;
    g_free(hint);
}

void error_suggest(GError **error, const char *name)
{
    if (name != NULL) {
        error_add_hint(error, "Did you mean '%s'?", name);
    }
}

/* Edit distance with neighbouring letters swapped counting as one (optimal string alignment). */
static unsigned edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    unsigned rows[3][MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > MAX || lb > MAX) {
        return MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            bool same = g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 1]);

            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = MIN(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[la % 3][lb];
}

const char *nearest_name(const char *typed, const char *const *names, size_t count)
{
    const char *best = NULL;
    /* one slip in a short word, more in a long one */
    unsigned best_distance = strlen(typed) / 3 + 2;

    for (size_t i = 0; i < count; i++) {
        unsigned distance = edit_distance(typed, names[i]);

        if (distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}

void report_set_program(const char *name)
{
    program = name;
}

void report_set_timestamps(bool on)
{
    timestamps = on;
}

static void print_report(const char *kind, const char *text)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when =
        timestamps ? g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ ") : g_strdup("");

    fprintf(stderr, "%s%s: %s%s\n", when, program, kind, text);
}

void report_error(const GError *error)
{
    print_report("", error->message);
}

static void report(const char *kind, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);

    print_report(kind, text);
}

void report_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report("warning: ", format, args);
    va_end(args);
}

void report_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report("note: ", format, args);
    va_end(args);
}
