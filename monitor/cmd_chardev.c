/* Character devices that keep their output in memory. */
#include <string.h>

#include "command.h"

static void complete_ringbufs(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        if (chardev_is_ringbuf(g_ptr_array_index(list, i))) {
            g_ptr_array_add(candidates, g_strdup(chardev_label(g_ptr_array_index(list, i))));
        }
    }
}

static Chardev *find_ringbuf(const CmdValues *args, GError **error)
{
    const char *label = cmd_text(args, "device");
    Chardev *chr = chardev_find(label);

    if (chr == NULL) {
        set_error(error, "Device '%s' not found", label);
    } else if (!chardev_is_ringbuf(chr)) {
        set_error(error, "%s is not a ringbuf device", label);
        chr = NULL;
    }
    return chr;
}

static const CmdArg read_args[] = {
    { .name = "device", .kind = ARG_WORD, .help = "its id", .complete = complete_ringbufs },
    { .name = "size", .kind = ARG_INT32, .help = "bytes at most" },
    {}
};

/* Bytes that a terminal would act on are shown as they are written in C. */
static bool cmd_ringbuf_read(Monitor *mon, const CmdValues *args, GError **error)
{
    Chardev *chr = find_ringbuf(args, error);
    uint64_t left = cmd_number(args, "size", 0);
    uint8_t buf[4096];
    size_t got;

    if (chr == NULL) {
        return false;
    }
    while (left > 0 && (got = chardev_ringbuf_read(chr, buf, MIN(left, sizeof(buf)))) > 0) {
        for (size_t i = 0; i < got; i++) {
            bool control = (buf[i] < 0x20 && buf[i] != '\n' && buf[i] != '\t') || buf[i] == 0x7f;

            monitor_printf(mon, control ? "\\u%04X" : buf[i] == '\\' ? "\\\\" : "%c", buf[i]);
        }
        left -= got;
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
    Chardev *chr = find_ringbuf(args, error);
    const char *data = cmd_text(args, "data");

    if (chr == NULL) {
        return false;
    }
    chardev_ringbuf_write(chr, (const uint8_t *)data, strlen(data));
    return true;
}

const Command monitor_chardev_commands[] = {
    { .name = "ringbuf_read", .args = read_args, .run = cmd_ringbuf_read,
      .help = "take bytes from a ringbuf device" },
    { .name = "ringbuf_write", .args = write_args, .run = cmd_ringbuf_write,
      .help = "put bytes into a ringbuf device" },
    {}
};
