/*
 * Errors, as one phrase for whoever typed the command.
 *
 * A function that can fail returns bool (false: failed) or a pointer (NULL: failed) and takes a
 * `GError **error` last.  The layer that can act reports it, once.  RHEA_ERROR's codes are QMP's
 * error classes, so that a door which has classes need not guess them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum RheaErrorCode {
    RHEA_ERROR_GENERIC,
    RHEA_ERROR_COMMAND_NOT_FOUND,
    RHEA_ERROR_DEVICE_NOT_ACTIVE,
    RHEA_ERROR_DEVICE_NOT_FOUND,
    RHEA_ERROR_KVM_MISSING_CAP,
} RheaErrorCode;

#define RHEA_ERROR rhea_error_quark()
GQuark rhea_error_quark(void);

/* Sets a RHEA_ERROR_GENERIC error. `error` may be NULL, as everywhere in GLib. */
void set_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same with ": <strerror(errnum)>" appended. */
void set_errno_error(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Adds a hint line (what to do instead, the nearest valid name) below an error's message. */
void error_add_hint(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * Adds "Did you mean 'NAME'?"; nothing for NULL, so that nearest_name()'s answer goes straight in.
 */
void error_suggest(GError **error, const char *name);

/*
 * The name in `names` (`count` entries) nearest to `typed` by edit distance, or NULL when none is
 * near enough to be worth suggesting.  Borrowed from `names`.
 */
const char *nearest_name(const char *typed, const char *const *names, size_t count);

/*
 * Prints "rhea: <message>" (and hints) on standard error. The only places that call this are
 * doors.
 */
void report_error(const GError *error);
void report_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
void report_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Whether reports begin with the time, "2024-05-06T07:08:09.012345Z". */
void report_set_timestamps(bool on);

/* The path printed in front of reports; set once by main() from argv[0]. Default "rhea". */
void report_set_program(const char *name);
