/*
 * Rows of the command line, for the opt_*.c files that fill them in, one file per topic, one table
 * per section of -help.
 */
#pragma once

#include "options.h"

struct Option {
    const char *name;                   /* without dash; NULL ends a section's table */
    const char *arg;                    /* what follows, for -help; NULL: nothing */
    const char *help;
    bool (*run)(Options *options, const char *arg, GError **error);
    /* What a config file and query-command-line-options call it, where it has keys; NULL: none. */
    const char *group;
    const KeyField *fields;             /* the keys; NULL: they depend on the first of them */
};

extern const Option machine_options[], boot_options[], device_options[], monitor_options[],
    run_options[], net_options[], historic_options[], usb_options[],
    block_options[];

extern const KeyField boot_fields[];

bool option_disk_image(Options *options, const char *file);         /* a bare file name */
bool option_audiodev_exists(const char *id);                /* of an -audiodev */
bool option_wants_help(const char *arg);                    /* "help" or "?" */
void option_replace(char **field, const char *value);       /* with a copy, or NULL */
void option_add_late(GPtrArray *list, const char *option, const char *text);    /* LateOption */

/* One line: `old` is an old spelling, `now` is how it is written today. */
void option_tell_today(const char *old, const char *now);
bool option_make_device(Vm *vm, const char *text, GError **error);  /* carries out -device */
bool option_uuid(Options *options, const char *text, GError **error);     /* of the machine */
bool opt_boot(Options *options, const char *arg, GError **error);
bool opt_object(Options *options, const char *arg, GError **error);
bool opt_readconfig(Options *options, const char *arg, GError **error);
bool opt_smbios(Options *options, const char *arg, GError **error);

#define STRING_OPTION(function_, field_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        option_replace(&options->field_, arg); \
        return true; \
    }
#define SWITCH_OPTION(function_, field_, value_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        options->field_ = value_; \
        return true; \
    }
#define LATE_OPTION(function_, list_, name_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        option_add_late(options->list_, name_, arg); \
        return true; \
    }
/* Carried out by `carry_out` (OptionFn) when the machine is built, in the order of stages. */
#define STAGED_OPTION(function_, stage_, name_, carry_out_) \
    static bool function_(Options *options, const char *arg, GError **error) \
    { \
        options_later(options, stage_, name_, arg, carry_out_); \
        return true; \
    }
