/* A monitor on a character device: greeting, lines in, text out, page by page on a terminal. */
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "editor.h"
#include "monitor.h"
#include "passed_fd.h"
#include "screen_text.h"

#define HISTORY_MAX     64                  /* lines `info history` and the arrow keys go back */
#define INPUT_MAX       4096
#define ANSWER_MAX      255
#define LATE_MAX        65536               /* bytes that wait for a prompt; older ones go */

#define PAGE_PROMPT     "\033[7m--More--\033[27m (space, Enter, q)"
#define PAGE_ROWS_MIN   4                   /* a smaller terminal has no pages */
#define PAGE_END_NONE   SIZE_MAX

/* xterm and all that followed it: a second screen, and the cursor off. */
#define WATCH_BEGIN     "\033[?1049h\033[?25l"
#define WATCH_END       "\033[?25h\033[?1049l"

/* Who gets the bytes that are typed. */
typedef enum ConsoleMode {
    MODE_BUSY,                              /* nobody: text goes out, or another has the focus */
    MODE_EDIT,                              /* the line editor */
    MODE_PAGE,                              /* a page is full */
    MODE_WATCH,                             /* a line is repainted until a key comes */
    MODE_ANSWER,                            /* the line is the answer to a question */
} ConsoleMode;

typedef struct Console {
    Monitor mon;
    CharFrontend fe;
    const EditorOps *ops;
    void *editor;
    bool terminal;                          /* it makes CR LF of a newline by itself */
    bool greeted;
    ConsoleMode mode;
    bool processing;                        /* console_process() is on the stack */
    GPtrArray *history;
    GByteArray *input;                      /* typed while output is still going out */
    GString *unsent;                        /* a command's text, */
    size_t sent;                            /* of which the device has had room for this much */
    size_t page_end;                        /* and that may be sent up to here; or PAGE_END_NONE */
    GString *late;                          /* of monitor_async_print(), for the next prompt */
    GString *answer;                        /* typed so far, in MODE_ANSWER */
    guint watch_timer;                      /* 0: none */
    ScreenView watched;
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

static void console_size(const Console *con, unsigned *rows, unsigned *columns)
{
    struct winsize size;

    *rows = 24;
    *columns = 80;
    if (con->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
        size.ws_col > 0) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
}

static void console_flush_late(Console *con)
{
    if (con->late->len > 0) {
        console_write_lines(con, con->late->str);
        g_string_truncate(con->late, 0);
    }
}

static void watch_begin(Console *con);

/* The command is done: the next line, or the picture it asked for. */
static void console_next(Console *con)
{
    if (con->mon.watch != NULL) {
        watch_begin(con);
        return;
    }
    console_flush_late(con);
    if (con->mon.question != NULL) {
        con->mode = MODE_ANSWER;
        g_string_truncate(con->answer, 0);
        console_write(con, con->mon.question, strlen(con->mon.question));
        return;
    }
    con->mode = MODE_EDIT;
    con->ops->prompt(con->editor);
}

static void console_say(Console *con, const char *text)
{
    if (con->mode == MODE_EDIT) {
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

void monitor_async_cpu(unsigned index)
{
    for (guint i = 0; consoles != NULL && i < consoles->len; i++) {
        ((Console *)g_ptr_array_index(consoles, i))->mon.cpu_index = index;
    }
}

static void console_process(Console *con);

static void console_clear_unsent(Console *con)
{
    g_string_free(con->unsent, TRUE);       /* it may have been large */
    con->unsent = g_string_new(NULL);
    con->sent = 0;
    con->page_end = PAGE_END_NONE;
}

/* Lets so many rows more go out; 0: a page. */
static void console_turn_page(Console *con, unsigned rows)
{
    unsigned height, columns;

    console_size(con, &height, &columns);
    if (!con->mon.settings.pager || height < PAGE_ROWS_MIN) {
        con->page_end = PAGE_END_NONE;
        return;
    }
    con->page_end = con->sent + screen_text_fit(con->unsent->str + con->sent,
                                                con->unsent->len - con->sent, columns,
                                                rows > 0 ? rows : height - 1);
}

/*
 * Sends what there is room for; the rest when the device asks for it or the reader has read the
 * page, and the prompt behind it.
 */
static void console_drain(void *opaque)
{
    Console *con = opaque;
    size_t end = MIN(con->page_end, con->unsent->len);
    size_t len = MIN(chardev_write_room(&con->fe), end - con->sent);

    chardev_write(&con->fe, con->unsent->str + con->sent, len);
    con->sent += len;
    if (con->sent < end) {
        chardev_notify_room(&con->fe, console_drain, con);
        return;
    }
    if (con->sent == con->unsent->len) {
        console_clear_unsent(con);
    }
    if (con->mode != MODE_BUSY || !chardev_has_focus(&con->fe)) {
        return;
    }
    if (con->unsent->len > 0) {
        con->mode = MODE_PAGE;
        console_write(con, PAGE_PROMPT, strlen(PAGE_PROMPT));
    } else {
        console_next(con);
    }
    console_process(con);
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
    console_turn_page(con, 0);
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

/* The process ends, there is no new prompt.  False: it does not. */
static bool console_leave(Console *con)
{
    if (!con->mon.leaving) {
        return false;
    }
    chardev_write(&con->fe, con->unsent->str + con->sent, con->unsent->len - con->sent);
    console_clear_unsent(con);
    con->mon.leaving = false;
    return true;
}

static void console_line(void *opaque, const char *line)
{
    Console *con = opaque;

    con->mode = MODE_BUSY;
    history_add(con, line);
    passed_fd_set_owner(&con->mon);
    monitor_run_line(&con->mon, line);
    passed_fd_set_owner(NULL);
    console_take_output(con);
    if (!console_leave(con)) {
        console_drain(con);
    }
}

static void console_complete(void *opaque, const char *line, Completion *result)
{
    complete_line(&((Console *)opaque)->mon, line, result);
}

/* ---- keys at the end of a page ---- */

static const struct { char key; unsigned rows; bool stop; } page_keys[] = {
    { ' ', 0 }, { 'f', 0 }, { '\r', 1 }, { '\n', 1 }, { 'j', 1 },
    { 'q', .stop = true }, { 'Q', .stop = true }, { 0x03, .stop = true }, { 0x04, .stop = true },
};

static void page_byte(Console *con, uint8_t byte)
{
    for (size_t i = 0; i < G_N_ELEMENTS(page_keys); i++) {
        if (page_keys[i].key == byte) {
            console_write(con, "\r\033[K", 4);
            con->mode = MODE_BUSY;
            if (page_keys[i].stop) {
                console_clear_unsent(con);
            } else {
                console_turn_page(con, page_keys[i].rows);
            }
            console_drain(con);
            return;
        }
    }
}

/* ---- watch ---- */

static void watch_end(Console *con)
{
    if (con->watch_timer != 0) {
        g_source_remove(con->watch_timer);
        con->watch_timer = 0;
        screen_view_finish(&con->watched);
        console_write(con, WATCH_END, strlen(WATCH_END));
    }
    g_clear_pointer(&con->mon.watch, g_free);
}

/* A picture the terminal has no room for is left out: the next one comes soon. */
static void watch_paint(Console *con)
{
    bool color = con->mon.settings.color;
    g_autofree char *title = g_strdup_printf("Every %.1fs: %s  (a key ends it)",
                                             con->mon.watch_ms / 1000.0, con->mon.watch);
    g_autofree char *bytes = NULL;
    unsigned rows, columns;
    GString *text;

    con->mon.settings.color = false;
    monitor_run_line(&con->mon, con->mon.watch);
    con->mon.settings.color = color;
    text = monitor_take_text(&con->mon, "\n");
    console_size(con, &rows, &columns);
    bytes = screen_view_paint(&con->watched, title, text->str, rows, columns);
    g_string_free(text, TRUE);
    if (chardev_write_room(&con->fe) >= strlen(bytes)) {
        console_write(con, bytes, strlen(bytes));
    }
}

static gboolean watch_tick(gpointer opaque)
{
    Console *con = opaque;

    watch_paint(con);
    if (con->mon.leaving) {
        watch_end(con);
        con->mode = MODE_BUSY;
    }
    return G_SOURCE_CONTINUE;
}

static void watch_begin(Console *con)
{
    con->mode = MODE_WATCH;
    screen_view_init(&con->watched);
    console_write(con, WATCH_BEGIN, strlen(WATCH_BEGIN));
    con->watch_timer = g_timeout_add(con->mon.watch_ms, watch_tick, con);
    watch_paint(con);
}

static void watch_byte(Console *con, uint8_t byte)
{
    watch_end(con);
    con->mode = MODE_BUSY;
    console_drain(con);
}

/* ---- answers ---- */

static void answer_end(Console *con, bool given)
{
    const char *line_end = con->terminal ? "\n" : "\r\n";

    console_write(con, line_end, strlen(line_end));
    con->mode = MODE_BUSY;
    monitor_run_answer(&con->mon, given ? con->answer->str : NULL);
    explicit_bzero(con->answer->str, con->answer->len);
    g_string_truncate(con->answer, 0);
    console_take_output(con);
    console_drain(con);
}

static void answer_byte(Console *con, uint8_t byte)
{
    if (byte == '\r' || byte == '\n' || byte == 0x03 || byte == 0x04) {
        answer_end(con, byte == '\r' || byte == '\n');
    } else if (byte == '\b' || byte == 0x7f) {
        if (con->answer->len > 0) {
            g_string_truncate(con->answer, con->answer->len - 1);
            console_write(con, "\b \b", 3);
        }
    } else if (byte >= ' ' && con->answer->len < ANSWER_MAX) {
        g_string_append_c(con->answer, byte);
        console_write(con, "*", 1);
    }
}

/* ---- bytes typed ---- */

static void edit_byte(Console *con, uint8_t byte)
{
    con->ops->byte(con->editor, byte);
}

static void (*const mode_byte[])(Console *con, uint8_t byte) = {
    [MODE_EDIT] = edit_byte, [MODE_PAGE] = page_byte, [MODE_WATCH] = watch_byte,
    [MODE_ANSWER] = answer_byte,
};

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
    while (done < con->input->len && con->mode != MODE_BUSY) {
        mode_byte[con->mode](con, con->input->data[done++]);
    }
    con->processing = false;
    g_byte_array_remove_range(con->input, 0, MIN(done, con->input->len));
}

/* ---- the front end ---- */

static int console_can_receive(void *opaque)
{
    Console *con = opaque;

    return con->mode != MODE_BUSY && con->input->len == 0 ? INPUT_MAX : 0;
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
    if (con->mode == MODE_BUSY) {
        console_drain(con);
    }
}

/* What the peer can show, as far as one can know. */
static void console_settings(Console *con)
{
    const char *term = g_getenv("TERM"), *no_color = g_getenv("NO_COLOR");
    bool terminal = con->terminal && term != NULL && !g_str_equal(term, "dumb");

    con->mon.settings = (MonitorSettings){
        .terminal = terminal, .pager = terminal,
        .color = terminal && (no_color == NULL || *no_color == '\0'),
    };
}

static void console_forget(Console *con)
{
    watch_end(con);
    con->mode = MODE_BUSY;
    con->greeted = false;
    con->mon.question = NULL;
    g_string_truncate(con->answer, 0);
    console_settings(con);
    g_byte_array_set_size(con->input, 0);
    g_string_truncate(con->late, 0);
    console_clear_unsent(con);
}

/* What stands half done is taken up again when the focus is back; a picture is not. */
static void console_lose_focus(Console *con)
{
    ConsoleMode mode = con->mode;

    con->mode = MODE_BUSY;
    if (mode == MODE_EDIT) {
        con->ops->leave(con->editor);
    } else if (mode == MODE_PAGE || mode == MODE_ANSWER) {
        console_write(con, "\r\n", 2);
    } else {
        watch_end(con);
    }
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
        passed_fd_close_all(&con->mon);
        break;
    case CHAR_EVENT_MUX_IN:
        if (con->fe.is_open) {
            console_greet(con);
        }
        break;
    case CHAR_EVENT_MUX_OUT:
        console_lose_focus(con);
        break;
    case CHAR_EVENT_BREAK:
        break;
    }
}

static void console_others_write(void *opaque, bool before)
{
    Console *con = opaque;

    if (con->mode == MODE_EDIT) {
        (before ? con->ops->hide : con->ops->show)(con->editor);
    } else if (con->mode == MODE_PAGE) {
        const char *text = before ? "\r\033[K" : PAGE_PROMPT;

        console_write(con, text, strlen(text));
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
    con->page_end = PAGE_END_NONE;
    con->late = g_string_new(NULL);
    con->answer = g_string_new(NULL);
    con->mon.history = con->history;
    con->mon.fe = &con->fe;
    con->mon.interactive = true;
    console_settings(con);
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
        vm_subscribe(con->mon.vm, monitor_debug_event, NULL);
    }
    g_ptr_array_add(consoles, con);
    return true;
}
