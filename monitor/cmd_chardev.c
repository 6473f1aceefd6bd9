/* Character devices: made, changed, removed; those that keep their output in memory. */
#include "char_opts.h"
#include "command.h"
#include "qmp_api.h"

static void complete_chardevs(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(candidates, g_strdup(chardev_label(g_ptr_array_index(list, i))));
    }
}

static void complete_backends(Monitor *mon, GPtrArray *candidates)
{
    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        g_ptr_array_add(candidates, g_strdup(*name));
    }
}

static const CmdArg add_args[] = {
    { .name = "args", .kind = ARG_WORD, .help = "as -chardev takes it",
      .complete = complete_backends },
    {}
};

static bool cmd_chardev_add(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(CharOpts) opts = char_opts_parse(cmd_text(args, "args"), error);

    return opts != NULL && chardev_open_opts(opts, error) != NULL;
}

static const CmdArg change_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "the device to replace",
      .complete = complete_chardevs },
    { .name = "args", .kind = ARG_WORD, .help = "as -chardev takes it, without an id",
      .complete = complete_backends },
    {}
};

static bool cmd_chardev_change(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("%s,id=%s", cmd_text(args, "args"), cmd_text(args, "id"));
    g_autoptr(CharOpts) opts = char_opts_parse(text, error);

    return opts != NULL && chardev_change(opts, error);
}

static const CmdArg id_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "its id", .complete = complete_chardevs },
    {}
};

static bool cmd_chardev_remove(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_chardev_remove(mon->vm, cmd_text(args, "id"), error);
}

static bool cmd_chardev_send_break(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_chardev_send_break(mon->vm, cmd_text(args, "id"), error);
}

static void complete_ringbufs(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        if (chardev_is_ringbuf(g_ptr_array_index(list, i))) {
            g_ptr_array_add(candidates, g_strdup(chardev_label(g_ptr_array_index(list, i))));
        }
    }
}

static const CmdArg read_args[] = {
    { .name = "device", .kind = ARG_WORD, .help = "its id", .complete = complete_ringbufs },
    { .name = "size", .kind = ARG_INT32, .help = "bytes at most" },
    {}
};

/* Bytes that a terminal would act on are shown as JSON writes them. */
static bool cmd_ringbuf_read(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autofree char *data = NULL;

    data = qmp_ringbuf_read(mon->vm, cmd_text(args, "device"), cmd_number(args, "size", 0), NULL,
                            error);
    if (data == NULL) {
        return false;
    }
    for (const unsigned char *p = (const unsigned char *)data; *p != '\0'; p++) {
        bool control = (*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f;

        monitor_printf(mon, control ? "\\u%04X" : *p == '\\' ? "\\\\" : "%c", *p);
    }
    monitor_printf(mon, "\n");
    return true;
}

static const CmdArg write_args[] = {
    { .name = "device", .kind = ARG_WORD, .help = "its id", .complete = complete_ringbufs },
    { .name = "data", .kind = ARG_WORD, .help = "text to add" },
    {}
};

static bool cmd_ringbuf_write(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_ringbuf_write(mon->vm, cmd_text(args, "device"), cmd_text(args, "data"), NULL,
                             error);
}

const Command monitor_chardev_commands[] = {
    { .name = "chardev-add", .args = add_args, .run = cmd_chardev_add,
      .help = "make a character device" },
    { .name = "chardev-change", .args = change_args, .run = cmd_chardev_change,
      .help = "put another character device in the place of one, under its user" },
    { .name = "chardev-remove", .args = id_args, .run = cmd_chardev_remove,
      .help = "remove a character device that nothing uses" },
    { .name = "chardev-send-break", .args = id_args, .run = cmd_chardev_send_break,
      .help = "let the user of a character device see a line break" },
    { .name = "ringbuf_read", .args = read_args, .run = cmd_ringbuf_read,
      .help = "take bytes from a ringbuf device" },
    { .name = "ringbuf_write", .args = write_args, .run = cmd_ringbuf_write,
      .help = "put bytes into a ringbuf device" },
    {}
};
