/* Character devices in use: bytes in and out, peers that come and go, bounds, the mux. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev.h"
#include "check_main.h"

/* A front end that remembers what happened to it. */
typedef struct Probe {
    CharFrontend fe;
    GString *got, *events;                  /* bytes; one letter per event */
    int room;
    GString *seen;                          /* others_write: '(' before, ')' after */
} Probe;

static int probe_can_receive(void *opaque)
{
    return ((Probe *)opaque)->room;
}

static void probe_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Probe *probe = opaque;

    ck_assert_int_le(len, probe->room);
    g_string_append_len(probe->got, (const char *)buf, len);
    probe->room -= len;
}

static void probe_event(void *opaque, CharEvent event)
{
    static const char letters[] = { [CHAR_EVENT_OPENED] = 'O', [CHAR_EVENT_CLOSED] = 'C',
                                    [CHAR_EVENT_BREAK] = 'B', [CHAR_EVENT_MUX_IN] = '+',
                                    [CHAR_EVENT_MUX_OUT] = '-' };

    g_string_append_c(((Probe *)opaque)->events, letters[event]);
}

static void probe_others_write(void *opaque, bool before)
{
    g_string_append_c(((Probe *)opaque)->seen, before ? '(' : ')');
}

static void probe_init(Probe *probe, Chardev *chr)
{
    *probe = (Probe){ .got = g_string_new(NULL), .events = g_string_new(NULL),
                      .seen = g_string_new(NULL), .room = 1 << 20 };
    probe->fe.opaque = probe;
    probe->fe.can_receive = probe_can_receive;
    probe->fe.receive = probe_receive;
    probe->fe.event = probe_event;
    ck_assert(chardev_attach(&probe->fe, chr, NULL));
}

static Chardev *make(const char *format, ...) G_GNUC_PRINTF(1, 2);
static Chardev *make(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    va_list args;
    Chardev *chr;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    chr = chardev_new_from_opts(text, &error);
    ck_assert_msg(chr != NULL, "%s: %s", text, error ? error->message : "");
    return chr;
}

static void spin(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* Runs the loop until `text` has arrived. */
static void await(const GString *where, const char *text)
{
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

    while (strcmp(where->str, text) != 0 && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert_str_eq(where->str, text);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

static char *temp_dir(void)
{
    char *dir = g_dir_make_tmp("chardev-XXXXXX", NULL);

    ck_assert_ptr_nonnull(dir);
    return dir;
}

static char *info_of(Chardev *chr)
{
    ChardevInfo info;

    chardev_info(chr, &info);
    return info.filename;
}

START_TEST(labels_are_unique_and_newest_is_first)
{
    g_autoptr(GError) error = NULL;

    make("null,id=a");
    make("null,id=b");
    ck_assert_ptr_null(chardev_new_from_opts("null,id=a", &error));
    ck_assert_str_eq(error->message, "Duplicate ID 'a' for chardev");
    ck_assert_str_eq(chardev_label(g_ptr_array_index(chardev_list(), 0)), "b");
    ck_assert(chardev_remove("a", NULL));
    ck_assert_ptr_null(chardev_find("a"));
    chardev_close_all();
}
END_TEST

START_TEST(one_front_end_only)
{
    g_autoptr(GError) error = NULL;
    CharFrontend other = { 0 };
    Probe probe;

    probe_init(&probe, make("null,id=n"));
    ck_assert(!chardev_attach(&other, chardev_find("n"), &error));
    ck_assert_str_eq(error->message, "Device 'n' is in use");
    ck_assert(!chardev_remove("n", NULL));
    chardev_detach(&probe.fe);
    ck_assert(chardev_attach(&other, chardev_find("n"), NULL));
    chardev_close_all();
    chardev_write(&other, "x", 1);          /* gone: vanishes */
}
END_TEST

START_TEST(socket_server_takes_clients_in_turn)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "s", NULL), *info = NULL;
    Chardev *chr = make("socket,id=s,path=%s,server=on,wait=off", path);
    char buf[16] = "";
    Probe probe;
    int first, second;

    probe_init(&probe, chr);
    info = info_of(chr);
    ck_assert(g_str_has_prefix(info, "disconnected:unix:"));
    first = connect_unix(path);
    second = connect_unix(path);
    ck_assert_int_eq(write(first, "one", 3), 3);
    await(probe.got, "one");
    chardev_write(&probe.fe, "hi", 2);
    ck_assert_int_eq(read(first, buf, sizeof(buf)), 2);
    ck_assert_int_eq(write(second, "two", 3), 3);
    spin();
    ck_assert_str_eq(probe.got->str, "one");
    close(first);
    await(probe.got, "onetwo");
    ck_assert_str_eq(probe.events->str, "OCO");
    close(second);
    await(probe.events, "OCOC");
    chardev_close_all();
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    rmdir(dir);
}
END_TEST

START_TEST(input_waits_for_room)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "s", NULL);
    Probe probe;
    int fd;

    probe_init(&probe, make("socket,id=s,path=%s,server=on,wait=off", path));
    probe.room = 2;
    fd = connect_unix(path);
    ck_assert_int_eq(write(fd, "abcdef", 6), 6);
    await(probe.got, "ab");
    spin();
    ck_assert_str_eq(probe.got->str, "ab");
    probe.room = 10;
    chardev_accept_input(&probe.fe);
    await(probe.got, "abcdef");
    close(fd);
    chardev_close_all();
    rmdir(dir);
}
END_TEST

static void count_call(void *opaque)
{
    ++*(int *)opaque;
}

/*
 * A peer that does not read: output is kept up to a bound, the oldest goes, and room is
 * announced.
 */
START_TEST(slow_peer_costs_bounded_memory)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "s", NULL);
    g_autofree char *block = g_malloc0(65536), *sink = g_malloc(1 << 20);
    size_t full, total = 0;
    int fd, calls = 0;
    Probe probe;

    probe_init(&probe, make("socket,id=s,path=%s,server=on,wait=off", path));
    full = chardev_write_room(&probe.fe);
    fd = connect_unix(path);
    await(probe.events, "O");
    for (int i = 0; i < 100; i++) {
        chardev_write(&probe.fe, block, 65536);
    }
    chardev_write(&probe.fe, "end", 3);
    ck_assert_uint_eq(chardev_write_room(&probe.fe), 0);
    chardev_notify_room(&probe.fe, count_call, &calls);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (calls == 0) {
        ssize_t got = read(fd, sink, 1 << 20);

        total += got > 0 ? got : 0;
        g_main_context_iteration(NULL, FALSE);
    }
    for (ssize_t got; (got = read(fd, sink, 1 << 20)) > 0;) {
        total += got;
        ck_assert(got < 3 || memcmp(sink + got - 3, "end", 3) == 0 || sink[got - 1] == 0);
    }
    ck_assert_uint_lt(total, 100 * 65536);
    ck_assert_uint_eq(chardev_write_room(&probe.fe), full);
    close(fd);
    chardev_close_all();
    rmdir(dir);
}
END_TEST

START_TEST(client_comes_back)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "s", NULL);
    Probe client, server;

    probe_init(&client, make("socket,id=c,path=%s,reconnect=1", path));
    spin();
    ck_assert_str_eq(client.events->str, "");
    probe_init(&server, make("socket,id=s,path=%s,server=on,wait=off", path));
    await(client.events, "O");
    chardev_write(&client.fe, "hello", 5);
    await(server.got, "hello");
    chardev_close_all();
    rmdir(dir);
}
END_TEST

START_TEST(client_without_a_server_is_refused)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(chardev_new_from_opts("socket,id=c,path=/nosuch/s", &error));
    ck_assert_str_eq(error->message, "Failed to connect to '/nosuch/s': No such file or directory");
    ck_assert_ptr_null(chardev_find("c"));
}
END_TEST

static const struct { const char *opts, *message; } refusals[] = {
    { "socket,id=c", "chardev: socket: exactly one of *" },
    { "socket,id=c,path=/x,host=h,port=1", "chardev: socket: exactly one of *" },
    { "socket,id=c,path=/x,wait=off", "'wait' option is incompatible with socket in client*" },
    { "socket,id=c,path=/x,server=on,reconnect=1", "'reconnect' option is incompatible*" },
    { "socket,id=c,host=127.0.0.1", "chardev: socket: no port given" },
    { "socket,id=c,path=/x,server=on,telnet=on,websocket=on", "*exclude each other*" },
    { "socket,id=c,path=/x,websocket=on", "*expected server=on*" },
    { "socket,id=c,path=/x,server=on,tn3270=on", "*tn3270 is not supported*" },
    { "socket,id=c,host=127.0.0.1,port=65536", "'65536' is no port: at most 65535 is expected" },
    { "socket,id=c,path=/x,tls-creds=t", "No TLS credentials with id 't'*" },
    { "socket,id=c,host=127.0.0.1,port=1,tls-authz=t", "*tls-authz is not supported*" },
    { "socket,id=c,fd=zz", "File descriptor named 'zz' has not been found" },
    { "socket,id=c,fd=0", "File descriptor '0' is not a stream socket" },
    { "socket,id=c,path=/nosuch/d/s,server=on,wait=off",
      "Failed to bind socket to /nosuch/d/s: *" },
    { "file,id=c", "chardev: file: no filename given" },
    { "file,id=c,path=/nosuch/d/f", "Could not open '/nosuch/d/f': No such file or directory" },
    { "pipe,id=c,path=/nosuch/p", "Could not open '/nosuch/p': No such file or directory" },
    { "ringbuf,id=c,size=1000", "size of ringbuf chardev must be power of two" },
    { "ringbuf,id=c,size=1T", "size of ringbuf chardev must be at most *" },
    { "null,id=c,logfile=/nosuch/d/l", "Unable to open logfile /nosuch/d/l: *" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(chardev_new_from_opts(refusals[_i].opts, &error));
    ck_assert_msg(g_pattern_match_simple(refusals[_i].message, error->message), "got: %s",
                  error->message);
    ck_assert_uint_eq(chardev_list()->len, 0);
}
END_TEST

START_TEST(files_are_truncated_or_appended_to)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "f", NULL);
    static const char *const modes[] = { "", "", ",append=on" };
    g_autofree char *text = NULL;

    for (int i = 0; i < 3; i++) {
        Probe probe;

        probe_init(&probe, make("file,id=f,path=%s%s", path, modes[i]));
        chardev_write(&probe.fe, "ab", 2);
        chardev_close_all();
    }
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, "abab");
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(pipe_is_a_pair_of_fifos)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "p", NULL);
    g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
    char buf[8];
    Probe probe;
    int fd;

    ck_assert_int_eq(mkfifo(in, 0600), 0);
    ck_assert_int_eq(mkfifo(out, 0600), 0);
    probe_init(&probe, make("pipe,id=p,path=%s", path));
    for (int i = 0; i < 2; i++) {                       /* a writer that leaves ends nothing */
        fd = open(in, O_WRONLY);
        ck_assert_int_eq(write(fd, "in", 2), 2);
        close(fd);
        await(probe.got, i == 0 ? "in" : "inin");
    }
    chardev_write(&probe.fe, "out", 3);
    fd = open(out, O_RDONLY | O_NONBLOCK);
    ck_assert_int_eq(read(fd, buf, sizeof(buf)), 3);
    close(fd);
    chardev_close_all();
    unlink(in);
    unlink(out);
    rmdir(dir);
}
END_TEST

START_TEST(sockets_can_be_inherited)
{
    Probe probe;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    probe_init(&probe, make("socket,id=s,fd=%d", pair[0]));
    ck_assert_str_eq(probe.events->str, "O");
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    await(probe.got, "x");
    close(pair[1]);
    await(probe.events, "OC");
    chardev_close_all();
}
END_TEST

START_TEST(log_file_gets_a_copy)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "l", NULL), *text = NULL;
    Probe probe;

    probe_init(&probe, make("null,id=n,logfile=%s", path));
    chardev_write(&probe.fe, "copy", 4);
    chardev_close_all();
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, "copy");
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(ringbuf_keeps_the_newest)
{
    Chardev *chr = make("ringbuf,id=r,size=8");
    uint8_t buf[16];
    Probe probe;

    probe_init(&probe, chr);
    chardev_write(&probe.fe, "0123456789", 10);
    ck_assert_uint_eq(chardev_ringbuf_read(chr, buf, 3), 3);
    ck_assert_mem_eq(buf, "234", 3);
    ck_assert_uint_eq(chardev_ringbuf_read(chr, buf, sizeof(buf)), 5);
    ck_assert_mem_eq(buf, "56789", 5);
    ck_assert_uint_eq(chardev_ringbuf_read(chr, buf, sizeof(buf)), 0);
    chardev_close_all();
}
END_TEST

START_TEST(pty_comes_and_goes)
{
    Chardev *chr = make("pty,id=p");
    g_autofree char *name = info_of(chr);
    char buf[8];
    Probe probe;
    int fd;

    ck_assert(g_str_has_prefix(name, "pty:/dev/"));
    probe_init(&probe, chr);
    chardev_write(&probe.fe, "lost", 4);
    for (int i = 0; i < 2; i++) {
        fd = open(name + 4, O_RDWR | O_NOCTTY);
        ck_assert_int_ge(fd, 0);
        await(probe.events, i == 0 ? "O" : "OCO");
        chardev_write(&probe.fe, "out", 3);
        ck_assert_int_eq(read(fd, buf, sizeof(buf)), 3);
        ck_assert_mem_eq(buf, "out", 3);
        ck_assert_int_eq(write(fd, "in", 2), 2);
        await(probe.got, i == 0 ? "in" : "inin");
        close(fd);
        await(probe.events, i == 0 ? "OC" : "OCOC");
    }
    chardev_close_all();
}
END_TEST

START_TEST(udp_hands_on_in_pieces)
{
    Probe a, b;

    probe_init(&a, make("udp,id=a,host=127.0.0.1,port=39472,localaddr=127.0.0.1,localport=39471"));
    probe_init(&b, make("udp,id=b,host=127.0.0.1,port=39471,localaddr=127.0.0.1,localport=39472"));
    b.room = 3;
    chardev_write(&a.fe, "abcdef", 6);
    await(b.got, "abc");
    b.room = 10;
    chardev_accept_input(&b.fe);
    await(b.got, "abcdef");
    chardev_close_all();
}
END_TEST

/* vCPUs write while the main thread sends, and the peer takes it all. */
static gpointer write_lines(gpointer opaque)
{
    for (int i = 0; i < 1000; i++) {
        chardev_write(opaque, "0123456789abcde\n", 16);
    }
    return NULL;
}

START_TEST(threads_may_write)
{
    g_autofree char *dir = temp_dir(), *path = g_build_filename(dir, "s", NULL);
    g_autofree char *sink = g_malloc(1 << 16);
    GThread *threads[2];
    size_t total = 0;
    Probe probe;
    int fd;

    probe_init(&probe, make("socket,id=s,path=%s,server=on,wait=off,mux=on", path));
    fd = connect_unix(path);
    await(probe.events, "+O");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        threads[i] = g_thread_new("writer", write_lines, &probe.fe);
    }
    while (total < 2 * 1000 * 16) {
        ssize_t got = read(fd, sink, 1 << 16);

        for (ssize_t b = 0; b < got; b++) {             /* no line is torn */
            ck_assert_int_eq(sink[b], "0123456789abcde\n"[(total + b) % 16]);
        }
        total += got > 0 ? got : 0;
        g_main_context_iteration(NULL, FALSE);
    }
    for (int i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
    }
    close(fd);
    chardev_close_all();
    rmdir(dir);
}
END_TEST

/* ---- mux ---- */

typedef struct MuxSetup {
    char *dir, *path;
    int fd;
    Probe serial, monitor;
} MuxSetup;

static void mux_setup(MuxSetup *m)
{
    m->dir = temp_dir();
    m->path = g_build_filename(m->dir, "s", NULL);
    make("socket,id=m,path=%s,server=on,wait=off,mux=on", m->path);
    probe_init(&m->serial, chardev_find("m"));
    m->monitor = (Probe){ .got = g_string_new(NULL), .events = g_string_new(NULL),
                          .seen = g_string_new(NULL), .room = 1 << 20 };
    m->monitor.fe = m->serial.fe;
    m->monitor.fe.chr = NULL;
    m->monitor.fe.opaque = &m->monitor;
    m->monitor.fe.background = true;
    m->monitor.fe.others_write = probe_others_write;
    ck_assert(chardev_attach(&m->monitor.fe, chardev_find("m"), NULL));
    m->fd = connect_unix(m->path);
    await(m->serial.events, "+O");
    fcntl(m->fd, F_SETFL, O_NONBLOCK);
}

static void mux_type(MuxSetup *m, const char *text)
{
    ck_assert_int_eq(write(m->fd, text, strlen(text)), strlen(text));
    spin();
}

/* What the terminal shows since the last look. */
static char *mux_shown(MuxSetup *m)
{
    char *buf = g_malloc0(8192);

    spin();
    ck_assert_int_ge(read(m->fd, buf, 8191) >= 0 || errno == EAGAIN, 1);
    return buf;
}

static void mux_finish(MuxSetup *m)
{
    close(m->fd);
    chardev_close_all();
    rmdir(m->dir);
}

START_TEST(mux_switches_the_keyboard)
{
    MuxSetup m;

    mux_setup(&m);
    mux_type(&m, "ab\001ccd\001cef\001\001");
    ck_assert_str_eq(m.serial.got->str, "abef\001");
    ck_assert_str_eq(m.monitor.got->str, "cd");
    ck_assert_str_eq(m.serial.events->str, "+O-+");
    ck_assert_str_eq(m.monitor.events->str, "O+-");
    mux_type(&m, "\001b");
    ck_assert_str_eq(m.serial.events->str, "+O-+B");
    mux_finish(&m);
}
END_TEST

START_TEST(mux_escape_can_be_another_key)
{
    MuxSetup m;

    chardev_set_escape(0x02);
    mux_setup(&m);
    mux_type(&m, "\001c\002cx");
    ck_assert_str_eq(m.serial.got->str, "\001c");
    ck_assert_str_eq(m.monitor.got->str, "x");
    chardev_set_escape(0x01);
    mux_finish(&m);
}
END_TEST

/* A guest that reads nothing must not lock the user out. */
START_TEST(mux_keys_work_while_the_guest_is_deaf)
{
    MuxSetup m;

    mux_setup(&m);
    m.serial.room = 0;
    mux_type(&m, "typed\001cnow");
    ck_assert_str_eq(m.monitor.got->str, "now");
    m.serial.room = 100;
    chardev_accept_input(&m.serial.fe);
    await(m.serial.got, "typed");
    mux_finish(&m);
}
END_TEST

/* Whole lines at once, however they were written; a line's beginning waits for its end. */
START_TEST(mux_lets_an_edited_line_step_aside)
{
    g_autofree char *shown = NULL, *lines = NULL, *rest = NULL;
    MuxSetup m;

    mux_setup(&m);
    chardev_write(&m.serial.fe, "guest\n", 6);
    shown = mux_shown(&m);
    ck_assert_str_eq(shown, "guest\n");
    ck_assert_str_eq(m.monitor.seen->str, "");
    mux_type(&m, "\001c");
    for (const char *c = "one\ntwo\nthr"; *c != '\0'; c++) {
        chardev_write(&m.serial.fe, c, 1);
    }
    ck_assert_str_eq(m.monitor.seen->str, "");          /* not before the main loop runs */
    lines = mux_shown(&m);
    ck_assert_str_eq(lines, "one\ntwo\n");
    ck_assert_str_eq(m.monitor.seen->str, "()");
    mux_type(&m, "\001c");
    rest = mux_shown(&m);
    ck_assert_str_eq(rest, "thr");
    ck_assert_str_eq(m.monitor.seen->str, "()");
    mux_finish(&m);
}
END_TEST

START_TEST(mux_shows_endless_lines_in_pieces)
{
    g_autofree char *text = g_strnfill(3000, 'x'), *shown = NULL;
    MuxSetup m;

    mux_setup(&m);
    chardev_write(&m.serial.fe, "/ # ", 4);
    mux_type(&m, "\001c");
    chardev_write(&m.serial.fe, text, strlen(text));
    shown = mux_shown(&m);
    ck_assert(g_str_has_prefix(shown, "/ # \r\nxxx"));
    ck_assert(g_str_has_suffix(shown, "xxx\r\n"));
    mux_finish(&m);
}
END_TEST

static void set_flag(void *opaque)
{
    *(bool *)opaque = true;
}

START_TEST(mux_quits_and_helps)
{
    g_autofree char *help = NULL;
    bool quit = false;
    MuxSetup m;

    mux_setup(&m);
    chardev_set_quit_handler(set_flag, &quit);
    mux_type(&m, "\001h");
    help = mux_shown(&m);
    ck_assert_ptr_nonnull(strstr(help, "Ctrl-a c"));
    ck_assert(!quit);
    mux_type(&m, "\001x");
    ck_assert(quit);
    mux_finish(&m);
}
END_TEST

CHECK_MAIN("chardev", CASE(labels_are_unique_and_newest_is_first), CASE(one_front_end_only),
           CASE(socket_server_takes_clients_in_turn), CASE(input_waits_for_room),
           CASE(slow_peer_costs_bounded_memory), CASE(client_comes_back),
           CASE(client_without_a_server_is_refused), CASES(refusal_row, refusals),
           CASE(files_are_truncated_or_appended_to), CASE(pipe_is_a_pair_of_fifos),
           CASE(sockets_can_be_inherited), CASE(log_file_gets_a_copy),
           CASE(ringbuf_keeps_the_newest), CASE(pty_comes_and_goes), CASE(udp_hands_on_in_pieces),
           CASE(threads_may_write), CASE(mux_switches_the_keyboard),
           CASE(mux_escape_can_be_another_key), CASE(mux_keys_work_while_the_guest_is_deaf),
           CASE(mux_lets_an_edited_line_step_aside), CASE(mux_shows_endless_lines_in_pieces),
           CASE(mux_quits_and_helps))
