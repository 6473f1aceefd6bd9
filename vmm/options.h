/*
 * The command line, read into what it asks for.
 *
 * Options are rows: name, argument, help, function.  Parsing only fills this struct; vm.c and
 * main.c carry it out in the order the machine needs.  An error names the option as typed, what
 * was wrong, what was expected, and the nearest valid name.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "keyval.h"
#include "vm_core.h"

/* A monitor to attach to a character device once the machine stands. */
typedef struct MonitorSpec {
    char *chardev;                      /* label */
    bool control;                       /* QMP; else HMP */
    bool pretty;
} MonitorSpec;

/*
 * Stages of building the machine; an option is carried out in its stage, in command line order.
 * The board itself is built between NET and DEVICE, from what the stages before it made.
 */
typedef enum OptionStage {
    OPTION_STAGE_OBJECT,                /* -object: what back ends refer to */
    OPTION_STAGE_CHARDEV,
    OPTION_STAGE_BLOCK,                 /* -blockdev, -drive */
    OPTION_STAGE_NET,                   /* -netdev */
    OPTION_STAGE_DEVICE,                /* -device, -usbdevice … */
    OPTION_STAGE_DEBUG,                 /* -s, -gdb: the machine stands, reset */
    OPTION_STAGE_DISPLAY,               /* -display, -vnc: so do its screens */
    OPTION_STAGES
} OptionStage;
typedef bool (*OptionFn)(Vm *vm, const char *text, GError **error);

/* An option that is carried out later, with its place for error messages. */
typedef struct LateOption {
    char *place;                        /* "-device isa-serial,index=9" */
    char *text;
    bool control, pretty;               /* -qmp, -qmp-pretty, -mon */
    OptionFn carry_out;                 /* of staged options */
} LateOption;

typedef struct Options {
    VmConfig config;
    char *machine;                      /* name; NULL: the default board */
    GPtrArray *accels;                  /* char *, in order; "kvm:tcg" taken apart */
    GPtrArray *stages[OPTION_STAGES];   /* LateOption */
    GPtrArray *serials, *parallels, *monitors, *mons, *debugcons;       /* LateOption */
    GPtrArray *globals;                 /* "driver.property=value" */
    bool nographic, daemonize, has_display;
    bool has_net;                       /* -netdev, -nic or -net: no default NIC */
    bool has_vga;                       /* -vga */
    const char *vga;                    /* its device type; NULL: none */
    char *pidfile, *log_items, *log_file;
    bool done;                          /* -help, -version, -device help …: printed, leave with 0 */
} Options;

Options *options_new(void);
void options_free(Options *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

/*
 * The rows of the section "Displays", which those who show screens bring along: before anything is
 * parsed.  Kept.
 */
typedef struct Option Option;
void options_set_displays(const Option *rows);

/* argv[0] is skipped. False: `error` says what and where. */
bool options_parse(Options *options, int argc, char **argv, GError **error);

/* One option, by its name without the dash, as if it stood on the command line. */
bool options_apply(Options *options, const char *name, const char *arg, GError **error);

/* Adds to a stage; errors of `fn` get "-OPTION TEXT: " in front. Text is copied. */
void options_later(Options *options, OptionStage stage, const char *option, const char *text,
                   OptionFn fn);

/* A monitor was asked for, by whichever option: there is none by default then. */
bool options_has_monitor(const Options *options);
/* -nographic with something left to put on the terminal: a serial port or a monitor. */
bool options_share_terminal(const Options *options);

/* Whether a -device names one of the drivers. */
bool options_name_device(const Options *options, const char *const *drivers);

/* One option per line with its help, from the rows. New string. */
char *options_help(void);

/*
 * Options whose argument is keys and values, by number.  `name` is the group's: "memory" is -m.
 * False: there are no more.
 */
typedef struct OptionGroup {
    const char *name, *option;
    const KeyField *fields;             /* NULL: they depend on the first of them */
} OptionGroup;
bool options_group(unsigned n, OptionGroup *group);

/* The rows of -help by number.  False: there are no more. */
typedef struct OptionRow {
    const char *section, *name, *arg, *help;        /* arg may be NULL */
    const KeyField *fields;                         /* may be NULL */
} OptionRow;
bool options_row(unsigned n, OptionRow *row);

/* Every option name without its dash, NULL-terminated: completion, tests. Free with g_free(). */
const char **options_names(void);
