/* A socket whose bytes arrive on another thread, and descriptors that come with them. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev.h"
#include "check_main.h"

/* A front end: bytes counted where they arrive, events on the main thread. */
typedef struct Counter {
    CharFrontend fe;
    int bytes, off_main;                /* atomic; off_main: of those, arrived elsewhere */
    int fd;                             /* atomic: the last one that came */
    GThread *main;
    GString *events;
} Counter;

static char *folder, *path;

static int counter_can_receive(void *opaque)
{
    return 4096;
}

static void counter_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Counter *counter = opaque;
    int fd = chardev_take_fd(&counter->fe);

    if (fd >= 0) {
        g_atomic_int_set(&counter->fd, fd);
    }
    if (g_thread_self() != counter->main) {
        g_atomic_int_add(&counter->off_main, len);
    }
    g_atomic_int_add(&counter->bytes, len);
}

static void counter_event(void *opaque, CharEvent event)
{
    Counter *counter = opaque;

    ck_assert_ptr_eq(g_thread_self(), counter->main);
    g_string_append_c(counter->events, event == CHAR_EVENT_OPENED ? 'O' : 'C');
}

static int leave;                       /* atomic */

static gpointer run_loop(gpointer opaque)
{
    while (!g_atomic_int_get(&leave)) {
        g_main_context_iteration(opaque, TRUE);
    }
    return NULL;
}

typedef struct Setup {
    Counter counter;
    Chardev *chr;
    GMainContext *context;
    GThread *thread;
} Setup;

static void set_up(Setup *s)
{
    g_autofree char *options = NULL;

    folder = g_dir_make_tmp("chardev-XXXXXX", NULL);
    path = g_build_filename(folder, "s", NULL);
    options = g_strdup_printf("socket,id=c,path=%s,server=on,wait=off", path);
    *s = (Setup){ .counter = { .main = g_thread_self(), .events = g_string_new(NULL), .fd = -1 } };
    s->counter.fe = (CharFrontend){ .opaque = &s->counter, .can_receive = counter_can_receive,
                                    .receive = counter_receive, .event = counter_event };
    s->chr = chardev_new_from_opts(options, NULL);
    ck_assert(chardev_attach(&s->counter.fe, s->chr, NULL));
    s->context = g_main_context_new();
    g_atomic_int_set(&leave, false);
    s->thread = g_thread_new("input", run_loop, s->context);
}

static void tear_down(Setup *s)
{
    chardev_detach(&s->counter.fe);
    ck_assert(chardev_remove("c", NULL));
    g_atomic_int_set(&leave, true);
    g_main_context_wakeup(s->context);
    g_thread_join(s->thread);
    g_main_context_unref(s->context);
    g_string_free(s->counter.events, TRUE);
    g_rmdir(folder);
    g_free(folder);
    g_free(path);
}

static void await_events(Setup *s, const char *events)
{
    while (!g_str_equal(s->counter.events->str, events)) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static int connect_peer(Setup *s, const char *events)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    await_events(s, events);
    return fd;
}

static gboolean tick(gpointer opaque)
{
    return G_SOURCE_CONTINUE;
}

/* While this waits, the main loop runs: a client's end is told there. */
static void await_bytes(Setup *s, int total)
{
    guint source = g_timeout_add(1, tick, NULL);

    while (g_atomic_int_get(&s->counter.bytes) < total) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(source);
    ck_assert_int_eq(g_atomic_int_get(&s->counter.bytes), total);
}

START_TEST(bytes_arrive_on_the_thread)
{
    char block[1000] = "";
    int total = 0, peer;
    Setup s;

    set_up(&s);
    ck_assert(chardev_input_can_move(s.chr));
    for (int round = 1; round <= 20; round++) {
        g_string_truncate(s.counter.events, 0);
        peer = connect_peer(&s, "O");
        ck_assert(chardev_set_input_context(&s.counter.fe, round % 2 ? s.context : NULL));
        for (int i = 0; i < 20; i++) {
            ck_assert_int_eq(send(peer, block, sizeof(block), 0), sizeof(block));
            total += sizeof(block);
        }
        if (round % 3 == 0) {                           /* moves while bytes are under way */
            chardev_set_input_context(&s.counter.fe, round % 2 ? NULL : s.context);
        }
        await_bytes(&s, total);
        close(peer);
        await_events(&s, "OC");
    }
    ck_assert_int_gt(s.counter.off_main, 0);
    tear_down(&s);
}
END_TEST

START_TEST(goes_while_bytes_come)
{
    char block[1000] = "";
    int peer;
    Setup s;

    set_up(&s);
    peer = connect_peer(&s, "O");
    ck_assert(chardev_set_input_context(&s.counter.fe, s.context));
    while (send(peer, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0 &&
           g_atomic_int_get(&s.counter.bytes) < 1000000) {
    }
    tear_down(&s);                                      /* the thread may be in the middle of it */
    close(peer);
}
END_TEST

static void send_fds(int peer, const int *fds, int n)
{
    char control[CMSG_SPACE(20 * sizeof(int))] __attribute__((aligned(8))) = "";
    struct iovec piece = { (char[]){ 'x' }, 1 };
    struct msghdr msg = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(head), fds, n * sizeof(int));
    ck_assert_int_eq(sendmsg(peer, &msg, 0), 1);
}

static int open_fds(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    int n = 0;

    while (g_dir_read_name(dir) != NULL) {
        n++;
    }
    return n;
}

START_TEST(descriptors_come_along)
{
    int fds[20], before, peer;
    Setup s;

    for (int i = 0; i < 20; i++) {
        fds[i] = 0;
    }
    set_up(&s);
    peer = connect_peer(&s, "O");
    before = open_fds();
    send_fds(peer, fds, 1);
    await_bytes(&s, 1);
    ck_assert_int_ge(s.counter.fd, 0);
    ck_assert(fcntl(s.counter.fd, F_GETFD) & FD_CLOEXEC);
    close(s.counter.fd);
    send_fds(peer, fds, 20);                            /* more than there is room for */
    await_bytes(&s, 2);
    close(s.counter.fd);
    ck_assert_int_le(open_fds(), before + 15);
    send_fds(peer, fds, 1);                             /* takes the place of those nobody took */
    await_bytes(&s, 3);
    close(s.counter.fd);
    ck_assert_int_eq(open_fds(), before);
    send_fds(peer, fds, 3);
    await_bytes(&s, 4);
    close(s.counter.fd);
    close(peer);
    await_events(&s, "OC");
    ck_assert_int_eq(open_fds(), before - 2);           /* both ends, and what was left */
    tear_down(&s);
}
END_TEST

CHECK_MAIN("input_thread", CASE(bytes_arrive_on_the_thread), CASE(goes_while_bytes_come),
           CASE(descriptors_come_along))
