/* A monitor on a character device: greeting, lines in, text out. */
#include <stdarg.h>
#include <string.h>

#include "command.h"
#include "editor.h"
#include "monitor.h"

#define HISTORY_MAX     64                  /* lines `info history` and the arrow keys go back */
#define INPUT_MAX       4096
#define LATE_MAX        65536               /* bytes that wait for a prompt; older ones go */

typedef struct Console {
    Monitor mon;
    CharFrontend fe;
    const EditorOps *ops;
    void *editor;
    bool terminal;                          /* it makes CR LF of a newline by itself */
    bool greeted, active;                   /* active: a line is being edited */
    bool processing;                        /* console_process() is on the stack */
    GPtrArray *history;
    GByteArray *input;                      /* typed while output is still going out */
    GString *unsent;                        /* a command's text, */
    size_t sent;                            /* of which the device has had room for this much */
    GString *late;                          /* of monitor_async_print(), for the next prompt */
} Console;

static GPtrArray *consoles;                 /* Console *, all there are */

/* ---- output ---- */

static void console_write(void *opaque, const char *text, size_t len)
{
    Console *con = opaque;

    chardev_write(&con->fe, text, len);
}

/* The same text with the line ends of this monitor. */
static void console_write_lines(Console *con, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *joined = g_strjoinv(con->terminal ? "\n" : "\r\n", lines);

    console_write(con, joined, strlen(joined));
}

static void console_prompt(Console *con)
{
    if (con->late->len > 0) {
        console_write_lines(con, con->late->str);
        g_string_truncate(con->late, 0);
    }
    con->active = true;
    con->ops->prompt(con->editor);
}

static void console_say(Console *con, const char *text)
{
    if (con->active) {
        con->ops->hide(con->editor);
        console_write_lines(con, text);
        con->ops->show(con->editor);
    } else if (con->fe.is_open) {
        g_string_append(con->late, text);
        if (con->late->len > LATE_MAX) {
            g_string_erase(con->late, 0, con->late->len - LATE_MAX);
        }
    }
}

void monitor_async_print(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    for (guint i = 0; consoles != NULL && i < consoles->len; i++) {
        console_say(g_ptr_array_index(consoles, i), text);
    }
}

static void console_process(Console *con);

static void console_clear_unsent(Console *con)
{
    g_string_free(con->unsent, TRUE);       /* it may have been large */
    con->unsent = g_string_new(NULL);
    con->sent = 0;
}

/* Sends what there is room for; the rest when the device asks for it, and the prompt behind it. */
static void console_drain(void *opaque)
{
    Console *con = opaque;
    size_t len = MIN(chardev_write_room(&con->fe), con->unsent->len - con->sent);

    chardev_write(&con->fe, con->unsent->str + con->sent, len);
    con->sent += len;
    if (con->sent == con->unsent->len) {
        console_clear_unsent(con);
    }
    if (con->unsent->len > 0) {
        chardev_notify_room(&con->fe, console_drain, con);
    } else if (!con->active && chardev_has_focus(&con->fe)) {
        console_prompt(con);
        console_process(con);
    }
}

/* The command's text, with line ends the other side understands. */
static void console_take_output(Console *con)
{
    GString *text = monitor_take_text(&con->mon, con->terminal ? "\n" : "\r\n");

    if (con->unsent->len == 0) {
        g_string_free(con->unsent, TRUE);
        con->unsent = text;
    } else {
        g_string_append_len(con->unsent, text->str, text->len);
        g_string_free(text, TRUE);
    }
}

/* ---- lines ---- */

static void history_add(Console *con, const char *line)
{
    if (line[0] == '\0') {
        return;
    }
    for (guint i = 0; i < con->history->len; i++) {
        if (g_str_equal(g_ptr_array_index(con->history, i), line)) {
            g_ptr_array_remove_index(con->history, i);
            break;
        }
    }
    if (con->history->len == HISTORY_MAX) {
        g_ptr_array_remove_index(con->history, 0);
    }
    g_ptr_array_add(con->history, g_strdup(line));
}

static void console_line(void *opaque, const char *line)
{
    Console *con = opaque;

    con->active = false;
    history_add(con, line);
    monitor_run_line(&con->mon, line);
    console_take_output(con);
    if (con->mon.leaving) {                 /* the process ends: no new prompt */
        chardev_write(&con->fe, con->unsent->str, con->unsent->len);
        console_clear_unsent(con);
        con->mon.leaving = false;
        return;
    }
    console_drain(con);
}

static void console_complete(void *opaque, const char *line, Completion *result)
{
    complete_line(&((Console *)opaque)->mon, line, result);
}

/*
 * Each byte may run a command, whose output may have to wait: then so does the rest of the input.
 */
static void console_process(Console *con)
{
    size_t done = 0;

    if (con->processing) {                  /* a command's prompt: the loop below goes on */
        return;
    }
    con->processing = true;
    while (done < con->input->len && con->active) {
        con->ops->byte(con->editor, con->input->data[done++]);
    }
    con->processing = false;
    g_byte_array_remove_range(con->input, 0, MIN(done, con->input->len));
}

/* ---- the front end ---- */

static int console_can_receive(void *opaque)
{
    Console *con = opaque;

    return con->active && con->input->len == 0 ? INPUT_MAX : 0;
}

static void console_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Console *con = opaque;

    g_byte_array_append(con->input, buf, len);
    console_process(con);
}

static void console_greet(Console *con)
{
    if (!con->greeted) {
        con->greeted = true;
        g_string_append_printf(con->mon.out,
                               "QEMU %d.%d.%d monitor - type 'help' for more information\n",
                               QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR, QEMU_VERSION_MICRO);
        console_take_output(con);
    }
    if (!con->active) {
        console_drain(con);
    }
}

static void console_forget(Console *con)
{
    con->active = con->greeted = false;
    g_byte_array_set_size(con->input, 0);
    g_string_truncate(con->late, 0);
    console_clear_unsent(con);
}

static void console_event(void *opaque, CharEvent event)
{
    Console *con = opaque;

    switch (event) {
    case CHAR_EVENT_OPENED:
        if (chardev_has_focus(&con->fe)) {
            console_greet(con);
        }
        break;
    case CHAR_EVENT_CLOSED:
        console_forget(con);
        break;
    case CHAR_EVENT_MUX_IN:
        if (con->fe.is_open) {
            console_greet(con);
        }
        break;
    case CHAR_EVENT_MUX_OUT:
        if (con->active) {
            con->active = false;
            con->ops->leave(con->editor);
        }
        break;
    case CHAR_EVENT_BREAK:
        break;
    }
}

static void console_others_write(void *opaque, bool before)
{
    Console *con = opaque;

    if (con->active) {
        (before ? con->ops->hide : con->ops->show)(con->editor);
    }
}

bool hmp_monitor_new(const char *label, GError **error)
{
    Chardev *chr = chardev_find(label);
    Console *con;

    if (chr == NULL) {
        set_error(error, "chardev \"%s\" not found", label);
        return false;
    }
    con = g_new0(Console, 1);
    monitor_init(&con->mon, vm_instance());
    con->terminal = chardev_is_terminal(chr);
    con->history = g_ptr_array_new_with_free_func(g_free);
    con->input = g_byte_array_new();
    con->unsent = g_string_new(NULL);
    con->late = g_string_new(NULL);
    con->mon.history = con->history;
    con->ops = con->terminal && readline_available() ? &readline_editor : &line_editor;
    con->editor = con->ops->create(&(EditorHost){
        .opaque = con, .write = console_write, .line = console_line, .complete = console_complete,
        .history = con->history });
    con->fe = (CharFrontend){ .opaque = con, .can_receive = console_can_receive,
                              .receive = console_receive, .event = console_event,
                              .others_write = console_others_write, .background = true };
    if (!chardev_attach(&con->fe, chr, error)) {
        monitor_finish(&con->mon);
        return false;
    }
    chardev_set_echo(&con->fe, false);
    if (consoles == NULL) {
        consoles = g_ptr_array_new();
    }
    g_ptr_array_add(consoles, con);
    return true;
}
