/* One loop: the terminal's input, its output as it takes it, and what the main thread hands over. */
#include "curses_thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "curses_tty.h"

enum { EVENTS_MAX = 65536, READ_BYTES = 4096, WRITE_BYTES = 16384, NOTICE_MS = 10000 };

typedef enum FrameOwner { FRAME_MAIN, FRAME_LENT, FRAME_DRAWN } FrameOwner;

struct CursesThread {
    GThread *thread;
    GMainContext *context;
    const CursesThreadOps *ops;
    void *opaque;

    GMutex lock;                        /* guards this group; below the machine lock */
    FrameOwner owner;
    bool quit, hold;
    bool wanted;                        /* the same picture once more: it is shown otherwise */
    GArray *events;                     /* CursesEvent */
    GSource *post;                      /* NULL: the main thread was not told */

    CursesFrame frame;                  /* whose, says `owner` */

    /* the thread's alone */
    CursesScreen *screen;
    CursesView view;
    CursesDecoder decoder;
    GByteArray *out;                    /* not yet taken by the terminal */
    unsigned taken;                     /* of it */
    int64_t notice_ms;                  /* when view.notice came */
    bool hung_up;                       /* no more input */
};

/* ---- to the main thread ---- */

static gboolean on_post(gpointer opaque)
{
    CursesThread *thread = opaque;
    g_autoptr(GArray) events = NULL;
    bool drawn, again;

    g_mutex_lock(&thread->lock);
    g_clear_pointer(&thread->post, g_source_unref);
    events = thread->events;
    thread->events = g_array_new(FALSE, FALSE, sizeof(CursesEvent));
    drawn = thread->owner == FRAME_DRAWN;
    again = thread->wanted;
    thread->owner = drawn ? FRAME_MAIN : thread->owner;
    thread->wanted = false;
    g_mutex_unlock(&thread->lock);
    if (events->len >= EVENTS_MAX) {
        curses_tty_ring();                              /* it waits with reading on */
    }
    for (guint i = 0; i < events->len; i++) {
        thread->ops->input(&g_array_index(events, CursesEvent, i), thread->opaque);
    }
    if (drawn || again) {
        thread->ops->ready(again, thread->opaque);
    }
    return G_SOURCE_REMOVE;
}

/* lock held */
static void post(CursesThread *thread)
{
    if (thread->post == NULL) {
        thread->post = g_idle_source_new();
        g_source_set_priority(thread->post, G_PRIORITY_DEFAULT);
        g_source_set_callback(thread->post, on_post, thread, NULL);
        g_source_attach(thread->post, thread->context);
    }
}

static void want_picture(CursesThread *thread)
{
    g_mutex_lock(&thread->lock);
    thread->wanted = true;
    post(thread);
    g_mutex_unlock(&thread->lock);
}

/* ---- input ---- */

static void on_input(const CursesInput *input, void *opaque)
{
    CursesThread *thread = opaque;
    CursesEvent event = { .input = *input, .width = thread->view.width,
                          .height = thread->view.height };

    if (curses_view_key(&thread->view, input)) {
        want_picture(thread);
        return;
    }
    if (input->kind == CURSES_INPUT_MOUSE &&
        !curses_view_locate(&thread->view, input->column, input->row, &event.x, &event.y)) {
        return;
    }
    g_mutex_lock(&thread->lock);
    g_array_append_val(thread->events, event);
    post(thread);
    g_mutex_unlock(&thread->lock);
}

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void read_input(CursesThread *thread)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = read(curses_tty_input(), bytes, sizeof(bytes));

    if (n > 0) {
        curses_decode(&thread->decoder, bytes, n, now_ms());
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        thread->hung_up = true;                         /* SIGHUP says what to do about it */
    }
}

/* ---- output ---- */

static void draw(CursesThread *thread)
{
    unsigned columns, rows;
    CellShape shape;

    if (curses_tty_was_stopped()) {
        curses_screen_forget(thread->screen);
    }
    if (now_ms() - thread->notice_ms > NOTICE_MS) {
        g_clear_pointer(&thread->view.notice, g_free);
    }
    curses_tty_size(&columns, &rows, &shape);
    curses_view_draw(&thread->view, &thread->frame, columns, rows, shape);
    curses_screen_draw(thread->screen, &thread->view.sheet, thread->out);
}

static void frame_taken(CursesThread *thread)
{
    g_byte_array_set_size(thread->out, 0);
    thread->taken = 0;
    g_mutex_lock(&thread->lock);
    thread->owner = FRAME_DRAWN;
    post(thread);
    g_mutex_unlock(&thread->lock);
}

/* A terminal that is gone takes everything. */
static void write_output(CursesThread *thread)
{
    size_t left = thread->out->len - thread->taken;
    ssize_t n = write(curses_tty_output(), thread->out->data + thread->taken,
                      MIN(left, WRITE_BYTES));

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        n = left;
    }
    thread->taken += MAX(n, 0);
    if (thread->taken == thread->out->len) {
        frame_taken(thread);
    }
}

static void keep_errors(CursesThread *thread)
{
    char *line = curses_tty_keep_errors();

    if (line != NULL) {
        g_free(thread->view.notice);
        thread->view.notice = line;
        thread->notice_ms = now_ms();
        want_picture(thread);
    }
}

/* ---- the loop ---- */

typedef struct Orders { bool quit, draw, full; } Orders;

static Orders read_orders(CursesThread *thread)
{
    Orders orders;

    g_mutex_lock(&thread->lock);
    orders = (Orders){
        .quit = thread->quit,
        .draw = thread->owner == FRAME_LENT && thread->out->len == 0,
        .full = thread->hold || thread->events->len >= EVENTS_MAX,
    };
    g_mutex_unlock(&thread->lock);
    return orders;
}

static void wait_and_work(CursesThread *thread, bool full)
{
    bool writing = thread->out->len > 0;
    struct pollfd fds[] = {
        { .fd = curses_tty_wake(), .events = POLLIN },
        { .fd = thread->hung_up || full ? -1 : curses_tty_input(), .events = POLLIN },
        { .fd = curses_tty_errors(), .events = POLLIN },
        { .fd = writing ? curses_tty_output() : -1, .events = POLLOUT },
    };
    uint64_t count;

    if (poll(fds, G_N_ELEMENTS(fds), curses_decode_wait(&thread->decoder, now_ms())) < 0) {
        return;
    }
    if (fds[0].revents != 0 && read(fds[0].fd, &count, sizeof(count)) > 0 &&
        curses_tty_was_stopped()) {
        curses_screen_forget(thread->screen);
        want_picture(thread);
    }
    if (fds[1].revents != 0) {
        read_input(thread);
    }
    curses_decode_timeout(&thread->decoder, now_ms());
    if (fds[2].revents != 0) {
        keep_errors(thread);
    }
    if (fds[3].revents != 0) {
        write_output(thread);
    }
}

static gpointer thread_main(gpointer opaque)
{
    CursesThread *thread = opaque;
    Orders orders;

    while (!(orders = read_orders(thread)).quit) {
        if (orders.draw) {
            draw(thread);
            if (thread->out->len == 0) {
                frame_taken(thread);
            }
        }
        wait_and_work(thread, orders.full);
    }
    return NULL;
}

/* ---- the main thread's side ---- */

CursesThread *curses_thread_new(GMainContext *context, CursesScreen *screen, const CodePage *page,
                                const CursesThreadOps *ops, void *opaque)
{
    CursesThread *thread = g_new0(CursesThread, 1);

    thread->context = context;
    thread->ops = ops;
    thread->opaque = opaque;
    thread->screen = screen;
    thread->events = g_array_new(FALSE, FALSE, sizeof(CursesEvent));
    thread->out = g_byte_array_new();
    thread->view = (CursesView){ .page = page, .blocks = curses_screen_is_utf8(screen) };
    thread->decoder = (CursesDecoder){
        .sequences = curses_screen_keys(screen), .utf8 = curses_screen_is_utf8(screen),
        .erase_is_8 = curses_screen_erase_is_8(screen), .fn = on_input, .opaque = thread,
    };
    g_mutex_init(&thread->lock);
    thread->thread = g_thread_new("curses", thread_main, thread);
    return thread;
}

void curses_thread_free(CursesThread *thread)
{
    g_mutex_lock(&thread->lock);
    thread->quit = true;
    g_mutex_unlock(&thread->lock);
    curses_tty_ring();
    g_thread_join(thread->thread);
    if (thread->post != NULL) {
        g_source_destroy(thread->post);
        g_source_unref(thread->post);
    }
    curses_view_finish(&thread->view);
    curses_frame_finish(&thread->frame);
    g_array_unref(thread->events);
    g_byte_array_unref(thread->out);
    g_mutex_clear(&thread->lock);
    g_free(thread);
}

CursesFrame *curses_thread_frame(CursesThread *thread)
{
    bool mine;

    g_mutex_lock(&thread->lock);
    mine = thread->owner == FRAME_MAIN;
    g_mutex_unlock(&thread->lock);
    return mine ? &thread->frame : NULL;
}

void curses_thread_show(CursesThread *thread)
{
    g_mutex_lock(&thread->lock);
    thread->owner = FRAME_LENT;
    g_mutex_unlock(&thread->lock);
    curses_tty_ring();
}

void curses_thread_hold(CursesThread *thread, bool hold)
{
    bool changed;

    g_mutex_lock(&thread->lock);
    changed = thread->hold != hold;
    thread->hold = hold;
    g_mutex_unlock(&thread->lock);
    if (changed) {
        curses_tty_ring();
    }
}
