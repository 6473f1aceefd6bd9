/*
 * One terminal for several front ends: `-nographic` puts the serial port and the monitor on stdio.
 *
 * All front ends' output reaches the terminal; what is typed goes to the one that has the focus.
 * An escape byte (Ctrl-a) and a key steer the mux itself.  While a front end that edits a line
 * has the focus, the others' output waits for the main loop, so that the line can step aside for
 * it.
 */
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "clock.h"

/* Typed ahead per front end; beyond it the terminal is not read (and Ctrl-a waits). */
#define MUX_INPUT_LIMIT 4096
#define MUX_ENDS_MAX    8
/* A line without an end that is shown in pieces while another front end edits one. */
#define MUX_LINE_MAX    512

typedef struct MuxEnd {
    CharFrontend *fe;
    GByteArray *input;
} MuxEnd;

typedef struct CharMux {
    Chardev chr;
    Chardev *base;
    CharFrontend base_fe;
    /* main thread */
    GPtrArray *ends;                        /* MuxEnd * */
    bool escaped;                           /* the last byte was the escape byte */
    /* write_lock */
    MuxEnd *focus;                          /* NULL: no front end */
    bool timestamps, line_start;
    int64_t zero_ns;                        /* host clock when timestamps were turned on */
    GByteArray *held;                       /* output of others, waiting for the main loop */
    GSource *held_source;
} CharMux;

static uint8_t escape_byte = 0x01;
static void (*quit_handler)(void *opaque);
static void *quit_opaque;

void chardev_set_escape(uint8_t byte)
{
    escape_byte = byte;
}

void chardev_set_quit_handler(void (*fn)(void *opaque), void *opaque)
{
    quit_handler = fn;
    quit_opaque = opaque;
}

Chardev *chardev_mux_base(const Chardev *chr)
{
    return chardev_is_mux(chr) ? ((const CharMux *)chr)->base : NULL;
}

/* ---- output ---- */

static void emit_stamp(CharMux *mux)
{
    int64_t ms = (host_clock_ns() - mux->zero_ns) / NS_PER_MS;
    char stamp[32];

    snprintf(stamp, sizeof(stamp), "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000 % 100),
             (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
    chardev_write(&mux->base_fe, stamp, strlen(stamp));
}

/* write_lock held. */
static void emit(CharMux *mux, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        const uint8_t *newline = mux->timestamps ? memchr(buf, '\n', len) : NULL;
        size_t piece = newline != NULL ? (size_t)(newline - buf) + 1 : len;

        if (mux->timestamps && mux->line_start) {
            emit_stamp(mux);
        }
        chardev_write(&mux->base_fe, buf, piece);
        mux->line_start = buf[piece - 1] == '\n';
        buf += piece;
        len -= piece;
    }
}

/* A line being edited steps aside (`before`) and comes back. Main thread. */
static void tell_focus(CharMux *mux, bool before)
{
    MuxEnd *focus = mux->focus;

    if (focus != NULL && focus->fe->others_write != NULL) {
        focus->fe->others_write(focus->fe->opaque, before);
    }
}

/* The mux's own words. */
static void emit_text(CharMux *mux, const char *text)
{
    tell_focus(mux, true);
    g_mutex_lock(&mux->chr.write_lock);
    emit(mux, (const uint8_t *)text, strlen(text));
    g_mutex_unlock(&mux->chr.write_lock);
    tell_focus(mux, false);
}

/* write_lock held: what is held up to the last line's end (`all`: everything), or NULL. */
static GBytes *take_held(CharMux *mux, bool all)
{
    const uint8_t *end;
    GBytes *taken;
    size_t len;

    if (mux->held_source != NULL) {
        g_source_destroy(mux->held_source);
        g_clear_pointer(&mux->held_source, g_source_unref);
    }
    if (mux->held == NULL || mux->held->len == 0) {
        return NULL;
    }
    end = memrchr(mux->held->data, '\n', mux->held->len);
    len = end != NULL && !all ? (size_t)(end - mux->held->data) + 1 : mux->held->len;
    taken = g_bytes_new(mux->held->data, len);
    g_byte_array_remove_range(mux->held, 0, len);
    return taken;
}

/*
 * Main thread. The line being edited steps aside, the others' output is shown, the line comes
 * back.
 */
static gboolean held_ready(gpointer opaque)
{
    CharMux *mux = opaque;
    GBytes *held;

    g_mutex_lock(&mux->chr.write_lock);
    held = take_held(mux, false);
    g_mutex_unlock(&mux->chr.write_lock);
    if (held == NULL) {
        return G_SOURCE_REMOVE;
    }
    tell_focus(mux, true);
    g_mutex_lock(&mux->chr.write_lock);
    emit(mux, g_bytes_get_data(held, NULL), g_bytes_get_size(held));
    if (!mux->line_start) {
        emit(mux, (const uint8_t *)"\r\n", 2);
    }
    g_mutex_unlock(&mux->chr.write_lock);
    tell_focus(mux, false);
    g_bytes_unref(held);
    return G_SOURCE_REMOVE;
}

/* Nobody edits a line any more: the rest follows as it is. */
static void release_held(CharMux *mux)
{
    GBytes *held;

    g_mutex_lock(&mux->chr.write_lock);
    held = take_held(mux, true);
    if (held != NULL) {
        emit(mux, g_bytes_get_data(held, NULL), g_bytes_get_size(held));
        g_bytes_unref(held);
    }
    g_mutex_unlock(&mux->chr.write_lock);
}

/*
 * write_lock held.  Guests write byte by byte: lines are shown when they are whole, so that the
 * line being edited does not come back for each byte; a very long one is broken.
 */
static void hold(CharMux *mux, const uint8_t *buf, size_t len)
{
    if (mux->held == NULL) {
        mux->held = g_byte_array_new();
    }
    if (len > CHAR_OUT_LIMIT) {
        buf += len - CHAR_OUT_LIMIT;
        len = CHAR_OUT_LIMIT;
    }
    if (mux->held->len + len > CHAR_OUT_LIMIT) {
        g_byte_array_remove_range(mux->held, 0, mux->held->len + len - CHAR_OUT_LIMIT);
    }
    g_byte_array_append(mux->held, buf, len);
    if (mux->held_source == NULL &&
        (memchr(buf, '\n', len) != NULL || mux->held->len > MUX_LINE_MAX)) {
        mux->held_source = g_idle_source_new();
        g_source_set_callback(mux->held_source, held_ready, mux, NULL);
        g_source_attach(mux->held_source, NULL);
    }
}

static void mux_write_from(Chardev *chr, CharFrontend *fe, const uint8_t *buf, size_t len)
{
    CharMux *mux = (CharMux *)chr;
    MuxEnd *focus;

    g_mutex_lock(&chr->write_lock);
    focus = mux->focus;
    if (focus != NULL && focus->fe != fe && focus->fe->others_write != NULL) {
        hold(mux, buf, len);
    } else {
        emit(mux, buf, len);
    }
    g_mutex_unlock(&chr->write_lock);
}

static size_t mux_write_room(Chardev *chr)
{
    return chardev_io_room(((CharMux *)chr)->base);
}

/* ---- focus and keys ---- */

static void end_event(MuxEnd *end, CharEvent event)
{
    if (end != NULL && end->fe->event != NULL) {
        end->fe->event(end->fe->opaque, event);
    }
}

static void set_focus(CharMux *mux, MuxEnd *end)
{
    MuxEnd *old = mux->focus;

    if (end == old) {
        return;
    }
    end_event(old, CHAR_EVENT_MUX_OUT);
    release_held(mux);
    g_mutex_lock(&mux->chr.write_lock);
    mux->focus = end;
    if (end != NULL && end->fe->others_write != NULL && !mux->line_start) {
        emit(mux, (const uint8_t *)"\r\n", 2);         /* a line to edit begins at the margin */
    }
    g_mutex_unlock(&mux->chr.write_lock);
    end_event(end, CHAR_EVENT_MUX_IN);
}

static void key_switch(CharMux *mux)
{
    for (guint i = 0; i < mux->ends->len; i++) {
        if (g_ptr_array_index(mux->ends, i) == mux->focus) {
            set_focus(mux, g_ptr_array_index(mux->ends, (i + 1) % mux->ends->len));
            return;
        }
    }
}

static void key_break(CharMux *mux)
{
    end_event(mux->focus, CHAR_EVENT_BREAK);
}

static void key_timestamps(CharMux *mux)
{
    g_mutex_lock(&mux->chr.write_lock);
    mux->timestamps = !mux->timestamps;
    mux->zero_ns = host_clock_ns();
    mux->line_start = false;
    g_mutex_unlock(&mux->chr.write_lock);
}

static void key_save(CharMux *mux)
{
    emit_text(mux, "\r\nno disk holds unsaved changes\r\n");
}

static void key_quit(CharMux *mux)
{
    emit_text(mux, "\r\nrhea: terminated\r\n");
    if (quit_handler != NULL) {
        quit_handler(quit_opaque);
    }
}

static void key_help(CharMux *mux);

static const struct MuxKey {
    char key;
    void (*press)(CharMux *mux);
    const char *help;
} mux_keys[] = {
    { 'c', key_switch, "go to the next of console and monitor" },
    { 'x', key_quit, "end the machine" },
    { 'b', key_break, "send a break (magic SysRq on a Linux console)" },
    { 't', key_timestamps, "start or stop putting the time in front of lines" },
    { 's', key_save, "write the changes of snapshot disks back" },
    { 'h', key_help, "show these keys" },
    { '?', key_help, NULL },
};

/* "Ctrl-a" for 0x01, as the user would type it. */
static char *escape_name(void)
{
    if (escape_byte > 0 && escape_byte < 0x20) {
        return g_strdup_printf("Ctrl-%c", g_ascii_tolower(escape_byte + '@'));
    }
    return g_strdup_printf("%c", escape_byte);
}

static void key_help(CharMux *mux)
{
    g_autofree char *escape = escape_name();
    g_autoptr(GString) text = g_string_new("\r\n");

    for (size_t i = 0; i < G_N_ELEMENTS(mux_keys); i++) {
        if (mux_keys[i].help != NULL) {
            g_string_append_printf(text, "%s %c       %s\r\n", escape, mux_keys[i].key,
                                   mux_keys[i].help);
        }
    }
    g_string_append_printf(text, "%s %s  type %s itself\r\n", escape, escape, escape);
    emit_text(mux, text->str);
}

/* ---- input ---- */

static bool mux_pending(Chardev *chr)
{
    CharMux *mux = (CharMux *)chr;

    for (guint i = 0; i < mux->ends->len; i++) {
        MuxEnd *end = g_ptr_array_index(mux->ends, i);

        if (end->input->len > 0 && end->fe->can_receive != NULL &&
            end->fe->can_receive(end->fe->opaque) > 0) {
            return true;
        }
    }
    return false;
}

static void end_feed(MuxEnd *end)
{
    CharFrontend *fe = end->fe;

    while (end->input->len > 0 && fe->receive != NULL && fe->can_receive != NULL) {
        uint8_t piece[256];
        int room = fe->can_receive(fe->opaque);
        size_t len = MIN(MIN(MAX(room, 0), sizeof(piece)), end->input->len);

        if (len == 0) {
            break;
        }
        memcpy(piece, end->input->data, len);
        g_byte_array_remove_range(end->input, 0, len);
        fe->receive(fe->opaque, piece, len);
    }
}

static void mux_input(Chardev *chr)
{
    CharMux *mux = (CharMux *)chr;

    for (guint i = 0; i < mux->ends->len; i++) {
        end_feed(g_ptr_array_index(mux->ends, i));
    }
}

static void type_byte(CharMux *mux, uint8_t byte)
{
    if (mux->focus != NULL) {
        g_byte_array_append(mux->focus->input, &byte, 1);
    }
}

static void press_key(CharMux *mux, uint8_t key)
{
    if (key == escape_byte) {
        type_byte(mux, key);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(mux_keys); i++) {
        if (key == mux_keys[i].key) {
            mux_input(&mux->chr);           /* what was typed before the key comes first */
            mux_keys[i].press(mux);
            return;
        }
    }
}

static int base_can_receive(void *opaque)
{
    CharMux *mux = opaque;

    return mux->focus != NULL ? MUX_INPUT_LIMIT - (int)MIN(mux->focus->input->len, MUX_INPUT_LIMIT)
                              : 1;
}

static void base_receive(void *opaque, const uint8_t *buf, size_t len)
{
    CharMux *mux = opaque;

    for (size_t i = 0; i < len; i++) {
        if (mux->escaped) {
            mux->escaped = false;
            press_key(mux, buf[i]);
        } else if (buf[i] == escape_byte && escape_byte != 0) {
            mux->escaped = true;
        } else {
            type_byte(mux, buf[i]);
        }
    }
    mux_input(&mux->chr);
}

static void base_event(void *opaque, CharEvent event)
{
    CharMux *mux = opaque;

    if (event == CHAR_EVENT_BREAK) {
        end_event(mux->focus, event);
        return;
    }
    mux->chr.open = event == CHAR_EVENT_OPENED;
    for (guint i = 0; i < mux->ends->len; i++) {
        MuxEnd *end = g_ptr_array_index(mux->ends, i);

        end->fe->is_open = mux->chr.open;
        end_event(end, event);
    }
}

/* ---- life ---- */

static void end_free(gpointer opaque)
{
    MuxEnd *end = opaque;

    g_byte_array_unref(end->input);
    g_free(end);
}

static MuxEnd *end_find(CharMux *mux, const CharFrontend *fe)
{
    for (guint i = 0; i < mux->ends->len; i++) {
        MuxEnd *end = g_ptr_array_index(mux->ends, i);

        if (end->fe == fe) {
            return end;
        }
    }
    return NULL;
}

static bool mux_attach(Chardev *chr, CharFrontend *fe, GError **error)
{
    CharMux *mux = (CharMux *)chr;
    MuxEnd *end;

    if (mux->ends->len >= MUX_ENDS_MAX) {
        set_error(error, "too many uses of multiplexed chardev '%s' (maximum is %d)", chr->label,
                  MUX_ENDS_MAX);
        return false;
    }
    end = g_new0(MuxEnd, 1);
    end->fe = fe;
    end->input = g_byte_array_new();
    g_ptr_array_add(mux->ends, end);
    if (mux->focus == NULL || !fe->background) {
        set_focus(mux, end);
    }
    return true;
}

static void mux_detach(Chardev *chr, CharFrontend *fe)
{
    CharMux *mux = (CharMux *)chr;
    MuxEnd *end = end_find(mux, fe);

    if (end == NULL) {
        return;
    }
    if (mux->focus == end) {
        g_mutex_lock(&chr->write_lock);
        mux->focus = NULL;
        g_mutex_unlock(&chr->write_lock);
    }
    g_ptr_array_remove(mux->ends, end);
    if (mux->focus == NULL && mux->ends->len > 0) {
        set_focus(mux, g_ptr_array_index(mux->ends, 0));
    }
}

static bool mux_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharMux *mux = (CharMux *)chr;

    mux->ends = g_ptr_array_new_with_free_func(end_free);
    mux->line_start = true;
    mux->base_fe = (CharFrontend){ .opaque = mux, .can_receive = base_can_receive,
                                   .receive = base_receive, .event = base_event };
    chardev_watch_input(chr, CHAR_PENDING_ONLY);
    return true;
}

bool chardev_mux_over(Chardev *chr, Chardev *base, GError **error)
{
    CharMux *mux = (CharMux *)chr;

    mux->base = base;
    return chardev_attach(&mux->base_fe, base, error);
}

static void mux_close(Chardev *chr)
{
    CharMux *mux = (CharMux *)chr;

    release_held(mux);
    for (guint i = 0; i < mux->ends->len; i++) {
        MuxEnd *end = g_ptr_array_index(mux->ends, i);

        end->fe->chr = NULL;
        end->fe->is_open = false;
    }
    mux->focus = NULL;
    chardev_detach(&mux->base_fe);
    g_clear_pointer(&mux->held, g_byte_array_unref);
    g_ptr_array_unref(mux->ends);
}

bool chardev_mux_in_use(const Chardev *chr)
{
    return chardev_is_mux(chr) && ((const CharMux *)chr)->ends->len > 0;
}

bool chardev_has_focus(const CharFrontend *fe)
{
    const CharMux *mux = (const CharMux *)fe->chr;

    return fe->chr != NULL && (!chardev_is_mux(fe->chr) ||
                               (mux->focus != NULL && mux->focus->fe == fe));
}

static bool mux_is_terminal(const Chardev *chr)
{
    const Chardev *base = ((const CharMux *)chr)->base;

    return base != NULL && chardev_is_terminal(base);
}

static void mux_set_echo(Chardev *chr, bool echo)
{
    chardev_set_echo(&((CharMux *)chr)->base_fe, echo);
}

const ChardevType chardev_mux_type = {
    .name = "mux", .size = sizeof(CharMux),
    .open = mux_open, .close = mux_close, .write_from = mux_write_from,
    .write_room = mux_write_room, .input = mux_input, .pending = mux_pending,
    .attach = mux_attach, .detach = mux_detach, .set_echo = mux_set_echo,
    .is_terminal = mux_is_terminal,
};
