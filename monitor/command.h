/*
 * Commands of the human monitor: a row each, next to the function that carries it out.
 *
 * The parser, `help`, completion and the printed syntax read the same rows.  A command appends its
 * text to the monitor's output; an error it returns is printed behind "Error: ".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm.h"

/* What `set` changes.  All are off where nobody sits at a terminal. */
typedef struct MonitorSettings {
    bool terminal;                      /* it obeys escape sequences; what follows needs that */
    bool pager;                         /* long output waits after each page */
    bool color;
} MonitorSettings;

/* One conversation: what commands remember between lines. */
typedef struct Monitor {
    Vm *vm;
    unsigned cpu_index;                 /* the `cpu` command's choice */
    char format;                        /* of x, xp, print: the last one used stays */
    unsigned format_size;
    GString *out;
    bool full;                          /* the command has printed all it may */
    bool leaving;                       /* the line was `quit` */
    bool failed;                        /* the command has said so: monitor_fail() */
    bool interactive;                   /* lines come one by one; not human-monitor-command */
    MonitorSettings settings;
    char *watch;                        /* set by `watch`: the line to repaint; owned */
    unsigned watch_ms;
    const GPtrArray *history;           /* char *, lines typed; NULL: none kept */
    CharFrontend *fe;                   /* its device: progress, descriptors; NULL: it has none */
    const char *question;               /* set by monitor_ask() */
    bool (*answer)(struct Monitor *mon, const char *text, GError **error);
} Monitor;

/* Where a command's text ends, however much memory it was asked to show. */
#define MONITOR_OUT_LIMIT (16u << 20)

void monitor_init(Monitor *mon, Vm *vm);
void monitor_finish(Monitor *mon);
void monitor_printf(Monitor *mon, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A failure that is known without "Error: " in front; the nearest name follows by itself. */
void monitor_fail(Monitor *mon, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Text that stands out on a terminal and is plain text everywhere else. */
typedef enum MonitorStyle {
    STYLE_STRONG,                       /* names one looks for */
    STYLE_KEY, STYLE_VALUE,             /* of JSON and other pairs */
    STYLE_ERROR, STYLE_HINT,
} MonitorStyle;
void monitor_print_styled(Monitor *mon, MonitorStyle style, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/*
 * The next line typed is no command but the answer, and not shown; `question` is a constant.  False:
 * nobody is there to answer.
 */
bool monitor_ask(Monitor *mon, const char *question,
                 bool (*answer)(Monitor *mon, const char *text, GError **error));
void monitor_run_answer(Monitor *mon, const char *text);        /* text NULL: there was none */
X86Cpu *monitor_cpu(Monitor *mon);      /* NULL: the machine has none */
/*
 * Lines for whoever sits at a monitor, at a time of their own ("stopped at break point 1"): a line
 * being edited steps aside; while a command's text goes out they wait for the next prompt.  Each
 * should end in a newline.  human-monitor-command does not see them.
 */
void monitor_async_print(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same people's current CPU becomes this one. */
void monitor_async_cpu(unsigned index);
/* A subscriber, for the first monitor: tells of stops at break points that no command waits for. */
void monitor_debug_event(Vm *vm, const VmEvent *event, void *opaque);
/* What commands have printed since the last call; every newline becomes `line_end`. */
GString *monitor_take_text(Monitor *mon, const char *line_end);
/* Parses and carries out one line; the text is in mon->out. */
void monitor_run_line(Monitor *mon, const char *line);

typedef enum CmdArgKind {
    ARG_WORD,                           /* up to a space, or quoted */
    ARG_FILE,                           /* the same, a file's name */
    ARG_DRIVE,                          /* the same, a drive's id */
    ARG_REST,                           /* the rest of the line */
    ARG_LINE,                           /* the same, a line of this monitor */
    ARG_INT32, ARG_INT64,               /* an expression */
    ARG_SIZE,                           /* 64k, 1.5G; a bare number counts in `unit` */
    ARG_MIB,                            /* an expression, in MiB; the value is bytes */
    ARG_BOOL,                           /* on or off */
    ARG_FORMAT,                         /* "/8xw" */
    ARG_FLAG,                           /* -a */
    ARG_OPTION,                         /* -n WORD */
    ARG_DOT_INT32,                      /* ".N" behind the argument before */
} CmdArgKind;

/* Where in a line a word is being completed. */
typedef struct CompleteAt {
    const char *const *words;           /* the arguments before this one, without flags */
    unsigned n_words;
    const char *text;                   /* this argument up to the word: "e1000,netdev=" */
    const char *word;                   /* what is typed of the word, for those with very many */
} CompleteAt;

typedef struct CmdArg {
    const char *name;                   /* NULL ends a table */
    CmdArgKind kind;
    bool optional;
    char flag;                          /* ARG_FLAG, ARG_OPTION: its letter */
    uint64_t unit;                      /* ARG_SIZE */
    const char *help;
    const char *separators;             /* bytes that part words inside it ("a,b"), or NULL */
    const char *const *choices;         /* NULL-terminated words to complete, or NULL */
    /* Candidates that depend on the machine: appended as new strings. May be NULL. */
    void (*complete)(Monitor *mon, GPtrArray *candidates);
    /* The same where they depend on what stands before, too. */
    void (*complete_at)(Monitor *mon, const CompleteAt *at, GPtrArray *candidates);
    const char *qmp;                    /* the QMP twin's argument it fills; NULL: none */
} CmdArg;

typedef struct CmdFormat { unsigned count; char letter; unsigned size; } CmdFormat;

enum { CMD_ARGS_MAX = 8 };
typedef struct CmdValues {
    struct { const CmdArg *arg; uint64_t number; char *text; CmdFormat format; } row[CMD_ARGS_MAX];
    unsigned count;                     /* arguments that were given */
} CmdValues;

bool cmd_given(const CmdValues *values, const char *name);
uint64_t cmd_number(const CmdValues *values, const char *name, uint64_t def);
const char *cmd_text(const CmdValues *values, const char *name);        /* NULL: not given */
CmdFormat cmd_format(const CmdValues *values, const char *name);

typedef struct Command {
    const char *name;                   /* NULL ends a table */
    const char *alias;
    const CmdArg *args;                 /* NULL: none */
    const char *params;                 /* syntax, where the arguments do not tell it */
    bool (*run)(Monitor *mon, const CmdValues *values, GError **error);
    const char *help;
    const char *example;                /* a line one could type, for `help CMD`; or NULL */
    const char *qmp;                    /* the QMP command that does the same, or NULL */
} Command;

/* ---- the tables, one per file ---- */
extern const Command monitor_help_commands[], monitor_machine_commands[], monitor_memory_commands[],
    monitor_log_commands[], monitor_chardev_commands[], monitor_device_commands[];
extern const Command monitor_console_commands[], monitor_json_commands[], monitor_qom_commands[];
extern const Command monitor_dump_commands[], info_dump_topics[], monitor_fd_commands[];
extern const Command monitor_input_commands[], info_input_topics[], monitor_ui_commands[];
extern const Command monitor_block_commands[], info_block_topics[];
extern const Command monitor_vnc_commands[], info_vnc_topics[];
extern const Command monitor_net_commands[], info_net_topics[];
extern const Command monitor_symbol_commands[], info_symbol_topics[];
extern const Command monitor_virtio_commands[], info_virtio_topics[];
extern const Command monitor_gdb_commands[];
extern const Command monitor_debug_commands[], info_debug_topics[];
extern const Command info_machine_topics[], info_cpu_topics[], info_device_topics[];

/* All commands, sorted by name; all topics of `info`.  Borrowed. */
const GPtrArray *monitor_commands(void);
const GPtrArray *monitor_topics(void);
const Command *command_find(const GPtrArray *list, const char *name);   /* by name or alias */
char *command_full_name(const Command *cmd);                            /* "stop|s" */
char *command_syntax(const Command *cmd);                               /* "[-a|vcpu]" */
void command_print_help(Monitor *mon, const Command *cmd, const char *prefix);
/*
 * The command, or topic of `info`, at the beginning of a line; *rest is behind it.  NULL: nobody
 * has that name (*name, a new string, says which was typed).
 */
const Command *command_of_line(const char *line, const char **rest, char **name);
/* "Did you mean 'x'?" for a name nobody has, or nothing. */
void command_suggest(Monitor *mon, const GPtrArray *list, const char *typed);
