/*
 * GNU readline as the line editor of the terminal the program was started on.
 *
 * Its callback interface is fed byte by byte from the character device and never reads or waits
 * by itself; what it draws goes out through a stream that ends in the character device, so that
 * it works below a mux and never blocks.  The terminal's modes are chardev's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "editor.h"

#define HISTORY_LINES   1000

/* Readline keeps everything in globals: so do we. */
static struct {
    bool taken, reading;                    /* there is a monitor; a line is being edited */
    EditorHost host;
    GByteArray *typed;                      /* not yet taken by readline */
    FILE *out;
    char *history_path;                     /* NULL: history is not kept */
    Completion completion;
    size_t word_start;                      /* where readline's word begins, at or before ours */
    guint next_word;
} rl;

bool readline_available(void)
{
    return !rl.taken;
}

/* ---- streams ---- */

static ssize_t stream_write(void *cookie, const char *buf, size_t len)
{
    rl.host.write(rl.host.opaque, buf, len);
    return len;
}

/* Readline only asks when a byte is there; where it would wait for more it gets an end of file. */
static int stream_getc(FILE *stream)
{
    uint8_t byte;

    if (rl.typed->len == 0) {
        return EOF;
    }
    byte = rl.typed->data[0];
    g_byte_array_remove_index(rl.typed, 0);
    return byte;
}

static int stream_available(void)
{
    return rl.typed->len > 0;
}

/* Bytes of the UTF-8 sequence that starts with this one: readline wants them together. */
static unsigned sequence_length(uint8_t first)
{
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 1;
}

/* ---- history ---- */

static void history_open(void)
{
    g_autofree char *folder = g_build_filename(g_get_user_state_dir(), "rhea", NULL);

    using_history();
    stifle_history(HISTORY_LINES);
    if (g_mkdir_with_parents(folder, 0700) != 0) {
        return;
    }
    rl.history_path = g_build_filename(folder, "history", NULL);
    read_history(rl.history_path);
    history_truncate_file(rl.history_path, HISTORY_LINES);
}

/* Each line is kept at once: the program may end at any time. */
static void history_keep(const char *line)
{
    HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    g_autofree char *text = g_strconcat(line, "\n", NULL);
    int fd;

    if (line[0] == '\0' || (last != NULL && g_str_equal(last->line, line))) {
        return;
    }
    add_history(line);
    if (rl.history_path == NULL) {
        return;
    }
    fd = open(rl.history_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0 || write(fd, text, strlen(text)) < 0) {
        g_clear_pointer(&rl.history_path, g_free);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* ---- completion ---- */

static char *next_candidate(const char *text, int state)
{
    size_t kept = rl.completion.start - rl.word_start;
    GString *word;
    char *result;

    if (state == 0) {
        rl.next_word = 0;
    }
    if (rl.next_word == rl.completion.words->len) {
        return NULL;
    }
    word = g_string_new_len(text, kept);    /* "ctrl-" of "ctrl-alt": readline replaces all of it */
    g_string_append(word, g_ptr_array_index(rl.completion.words, rl.next_word++));
    result = strdup(word->str);             /* readline frees it with free() */
    g_string_free(word, TRUE);
    return result;
}

static char **complete_word(const char *text, int start, int end)
{
    g_autofree char *line = g_strndup(rl_line_buffer, end);
    char **matches = NULL;

    rl.host.complete(rl.host.opaque, line, &rl.completion);
    rl.word_start = MIN((size_t)start, rl.completion.start);
    rl_completion_suppress_append = rl.completion.no_space;
    if (!rl.completion.files) {
        rl_attempted_completion_over = 1;
        matches = rl_completion_matches(text, next_candidate);
    }
    completion_finish(&rl.completion);
    return matches;
}

/* ---- the terminal ---- */

static void leave_terminal_alone(int meta)
{
}

static void learn_size(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        rl_set_screen_size(size.ws_row, size.ws_col);
    }
}

static void line_done(char *line)
{
    rl.reading = false;
    rl_callback_handler_remove();
    if (line == NULL) {                     /* Ctrl-D on an empty line */
        rl.host.write(rl.host.opaque, "\n", 1);
        rl.host.line(rl.host.opaque, "");
        return;
    }
    if (strlen(line) > MONITOR_LINE_MAX) {
        line[MONITOR_LINE_MAX] = '\0';
    }
    history_keep(line);
    rl.host.line(rl.host.opaque, line);
    free(line);
}

static void *readline_create(const EditorHost *host)
{
    cookie_io_functions_t io = { .write = stream_write };

    rl.taken = true;
    rl.host = *host;
    rl.typed = g_byte_array_new();
    rl.out = fopencookie(NULL, "w", io);
    setvbuf(rl.out, NULL, _IOFBF, 8192);
    rl_readline_name = "rhea";
    rl_outstream = rl.out;
    rl_getc_function = stream_getc;
    rl_input_available_hook = stream_available;
    rl_prep_term_function = leave_terminal_alone;
    rl_deprep_term_function = NULL;
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_attempted_completion_function = complete_word;
    rl_completer_word_break_characters = (char *)" \t";
    rl_completion_query_items = -1;         /* asking would wait for an answer */
    rl_initialize();
    rl_tty_set_echoing(1);
    rl_variable_bind("page-completions", "off");
    rl_variable_bind("enable-bracketed-paste", "off");
    history_open();
    return &rl;
}

static void readline_prompt(void *editor)
{
    learn_size();
    rl.reading = true;
    rl_callback_handler_install(MONITOR_PROMPT, line_done);
    fflush(rl.out);
}

static void readline_byte(void *editor, uint8_t byte)
{
    g_byte_array_append(rl.typed, &byte, 1);
    while (rl.reading && rl.typed->len >= sequence_length(rl.typed->data[0])) {
        rl_callback_read_char();
        fflush(rl.out);
        if (rl.typed->len == 0) {
            break;
        }
    }
}

static void readline_leave(void *editor)
{
    if (rl.reading) {
        rl.reading = false;
        rl_callback_handler_remove();
        rl.host.write(rl.host.opaque, "\n", 1);
    }
}

static void readline_hide(void *editor)
{
    if (rl.reading) {
        rl_clear_visible_line();
        fflush(rl.out);
    }
}

static void readline_show(void *editor)
{
    if (rl.reading) {
        rl_on_new_line();
        rl_redisplay();
        fflush(rl.out);
    }
}

const EditorOps readline_editor = {
    .create = readline_create, .prompt = readline_prompt, .byte = readline_byte,
    .leave = readline_leave, .hide = readline_hide, .show = readline_show,
};
