/* Character devices that keep their output in memory. */
#include "command.h"
#include "qmp_api.h"

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
    { .name = "ringbuf_read", .args = read_args, .run = cmd_ringbuf_read,
      .help = "take bytes from a ringbuf device" },
    { .name = "ringbuf_write", .args = write_args, .run = cmd_ringbuf_write,
      .help = "put bytes into a ringbuf device" },
    {}
};
