/* Character devices: made, changed, removed; those that keep their output in memory. */
#include "candidates.h"
#include "char_opts.h"
#include "qmp_api.h"

static const CmdArg add_args[] = {
    { .name = "args", .kind = ARG_WORD, .help = "as -chardev takes it",
      .separators = OPTION_SEPARATORS, .complete_at = candidates_chardev_text },
    {}
};

static bool cmd_chardev_add(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(CharOpts) opts = char_opts_parse(cmd_text(args, "args"), error);

    return opts != NULL && chardev_open_opts(opts, error) != NULL;
}

static const CmdArg change_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "the device to replace",
      .complete = candidates_chardevs },
    { .name = "args", .kind = ARG_WORD, .help = "as -chardev takes it, without an id",
      .separators = OPTION_SEPARATORS, .complete_at = candidates_chardev_text },
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
    { .name = "id", .kind = ARG_WORD, .help = "its id", .complete = candidates_chardevs,
      .qmp = "id" },
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

#define ARG_RINGBUF \
    { .name = "device", .kind = ARG_WORD, .help = "its id", .complete = complete_ringbufs, \
      .qmp = "device" }

static const CmdArg read_args[] = {
    ARG_RINGBUF,
    { .name = "size", .kind = ARG_INT32, .help = "bytes at most", .qmp = "size" },
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
    ARG_RINGBUF,
    { .name = "data", .kind = ARG_WORD, .help = "text to add", .qmp = "data" },
    {}
};

static bool cmd_ringbuf_write(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_ringbuf_write(mon->vm, cmd_text(args, "device"), cmd_text(args, "data"), NULL,
                             error);
}

const Command monitor_chardev_commands[] = {
    { .name = "chardev-add", .args = add_args, .run = cmd_chardev_add,
      .help = "make a character device", .qmp = "chardev-add",
      .example = "chardev-add socket,id=c1,path=/run/c1.sock,server=on,wait=off" },
    { .name = "chardev-change", .args = change_args, .run = cmd_chardev_change,
      .help = "put another character device in the place of one, under its user",
      .example = "chardev-change serial0 file,path=/var/log/serial0", .qmp = "chardev-change" },
    { .name = "chardev-remove", .args = id_args, .run = cmd_chardev_remove,
      .help = "remove a character device that nothing uses", .example = "chardev-remove c1",
      .qmp = "chardev-remove" },
    { .name = "chardev-send-break", .args = id_args, .run = cmd_chardev_send_break,
      .help = "let the user of a character device see a line break",
      .example = "chardev-send-break serial0", .qmp = "chardev-send-break" },
    { .name = "ringbuf_read", .args = read_args, .run = cmd_ringbuf_read,
      .help = "take bytes from a ringbuf device", .example = "ringbuf_read log0 4096",
      .qmp = "ringbuf-read" },
    { .name = "ringbuf_write", .args = write_args, .run = cmd_ringbuf_write,
      .help = "put bytes into a ringbuf device", .example = "ringbuf_write log0 hello",
      .qmp = "ringbuf-write" },
    {}
};
