/* -netdev: back ends over sockets, their texts, events and refusals. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "net_probe.h"

static Vm vm;
static GString *events;
static char *folder;

static void on_event(Vm *machine, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_NETDEV_STREAM_CONNECTED) {
        g_string_append_printf(events, "+%s %s %s\n", event->device, event->address->type,
                               event->address->host != NULL ? event->address->host
                               : event->address->path != NULL ? event->address->path
                                                              : event->address->str);
    } else if (event->kind == VM_EVENT_NETDEV_STREAM_DISCONNECTED) {
        g_string_append_printf(events, "-%s\n", event->device);
    }
}

static void set_up(void)
{
    vm_core_init(&vm, g_main_context_default(), NULL);
    vm_subscribe(&vm, on_event, NULL);
    events = g_string_new(NULL);
    folder = g_dir_make_tmp("net-XXXXXX", NULL);
    ck_assert_int_eq(g_chdir(folder), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(g_chdir("/"), 0);
    g_rmdir(folder);
}

static bool add(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "type", error);

    return kv != NULL && netdev_add(&vm, kv, error);
}

static void must_add(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void must_add(const char *format, ...)
{
    g_autofree char *text = NULL;
    GError *error = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    ck_assert_msg(add(text, &error), "%s: %s", text, error ? error->message : "");
}

/* A port of the loopback nobody has just now. */
static unsigned free_port(int kind)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, kind, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* A probe behind the back end of that name. */
static Probe *behind(const char *name)
{
    g_autofree char *own = g_strconcat("probe-", name, NULL);
    Probe *probe = probe_new(own);

    net_plug(net_client_find(name), &probe->client);
    return probe;
}

static void expect_network(const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);

    net_print(text);
    ck_assert_str_eq(text->str, expected);
}

static void talk(const char *one, const char *two)
{
    Probe *a = behind(one), *b = behind(two);

    spin();
    probe_send(a, "hello");
    while (b->packets == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    probe_send(b, "you");
    while (a->packets == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_str_eq(b->got->str, "|hello");
    ck_assert_str_eq(a->got->str, "|you");
}

static const int fd_kinds[] = { SOCK_STREAM, SOCK_DGRAM };

START_TEST(socket_fd_row)
{
    int fds[2];

    set_up();
    ck_assert_int_eq(socketpair(AF_UNIX, fd_kinds[_i], 0, fds), 0);
    must_add("socket,id=a,fd=%d", fds[0]);
    must_add("socket,id=b,fd=%d", fds[1]);
    talk("a", "b");
    tear_down();
}
END_TEST

START_TEST(socket_listen_connect)
{
    unsigned port = free_port(SOCK_STREAM);
    g_autofree char *to = g_strdup_printf("socket: connect to 127.0.0.1:%u", port);

    set_up();
    must_add("socket,id=a,listen=127.0.0.1:%u", port);
    must_add("socket,id=b,connect=127.0.0.1:%u", port);
    talk("a", "b");
    ck_assert(g_str_has_prefix(net_client_find("a")->info, "socket: connection from 127.0.0.1:"));
    ck_assert_str_eq(net_client_find("b")->info, to);
    ck_assert(netdev_del("b", NULL));
    while (*net_client_find("a")->info != '\0') {
        g_main_context_iteration(NULL, TRUE);
    }
    must_add("socket,id=c,connect=127.0.0.1:%u", port);
    while (*net_client_find("a")->info == '\0') {
        g_main_context_iteration(NULL, TRUE);
    }
    tear_down();
}
END_TEST

START_TEST(socket_udp)
{
    unsigned one = free_port(SOCK_DGRAM), two = free_port(SOCK_DGRAM);
    g_autofree char *network = g_strdup_printf(
        "a: index=0,type=socket,socket: udp=127.0.0.1:%u\n"
        "b: index=0,type=socket,socket: udp=127.0.0.1:%u\n", one, two);

    set_up();
    must_add("socket,id=a,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u", one, two);
    must_add("socket,id=b,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u", two, one);
    expect_network(network);
    talk("a", "b");
    tear_down();
}
END_TEST

START_TEST(dgram_unix)
{
    set_up();
    must_add("dgram,id=a,local.type=unix,local.path=a,remote.type=unix,remote.path=b");
    must_add("dgram,id=b,local.type=unix,local.path=b,remote.type=unix,remote.path=a");
    expect_network("a: index=0,type=dgram,udp=a:b\nb: index=0,type=dgram,udp=b:a\n");
    talk("a", "b");
    ck_assert(netdev_del("a", NULL));
    ck_assert(netdev_del("b", NULL));
    ck_assert_int_ne(access("a", F_OK), 0);
    tear_down();
}
END_TEST

START_TEST(dgram_inet)
{
    unsigned one = free_port(SOCK_DGRAM), two = free_port(SOCK_DGRAM);
    g_autofree char *network = g_strdup_printf(
        "a: index=0,type=dgram,udp=127.0.0.1:%u/127.0.0.1:%u\n"
        "b: index=0,type=dgram,udp=127.0.0.1:%u/127.0.0.1:%u\n", one, two, two, one);

    set_up();
    must_add("dgram,id=a,local.type=inet,local.host=127.0.0.1,local.port=%u,"
             "remote.type=inet,remote.host=127.0.0.1,remote.port=%u", one, two);
    must_add("{\"type\":\"dgram\",\"id\":\"b\",\"local\":{\"type\":\"inet\",\"host\":\"127.0.0.1\","
             "\"port\":\"%u\"},\"remote\":{\"type\":\"inet\",\"host\":\"127.0.0.1\","
             "\"port\":\"%u\"}}", two, one);
    expect_network(network);
    talk("a", "b");
    tear_down();
}
END_TEST

static const struct { const char *server, *client, *server_up, *client_up; } streams[] = {
    { "stream,id=a,server=on,addr.type=unix,addr.path=s", "stream,id=b,addr.type=unix,addr.path=s",
      "+a unix s\n", "+b unix s\n" },
    { "stream,id=a,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=",
      "stream,id=b,addr.type=inet,addr.host=127.0.0.1,addr.port=", "+a inet 127.0.0.1\n",
      "+b inet 127.0.0.1\n" },
    { "stream,id=a,server=on,addr.type=unix,addr.abstract=on,addr.path=",
      "stream,id=b,addr.type=unix,addr.abstract=on,addr.path=", "+a unix ", "+b unix " },
};

START_TEST(stream_row)
{
    bool open = g_str_has_suffix(streams[_i].client, "=");     /* a free port is a free name, too */
    g_autofree char *port = open ? g_strdup_printf("%u", free_port(SOCK_STREAM)) : g_strdup("");

    set_up();
    must_add("%s%s", streams[_i].server, port);
    ck_assert_str_eq(net_client_find("a")->info, "");
    must_add("%s%s", streams[_i].client, port);
    talk("a", "b");
    ck_assert_ptr_nonnull(strstr(events->str, streams[_i].server_up));
    ck_assert_ptr_nonnull(strstr(events->str, streams[_i].client_up));
    ck_assert_str_ne(net_client_find("a")->info, "");
    g_string_truncate(events, 0);
    ck_assert(netdev_del("b", NULL));
    while (events->len == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_str_eq(events->str, "-a\n");
    ck_assert_str_eq(net_client_find("a")->info, "");
    must_add("%s%s", streams[_i].client, port);     /* the server waits for the next */
    while (*net_client_find("a")->info == '\0') {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert(netdev_del("a", NULL));
    ck_assert_int_ne(access("s", F_OK), 0);
    tear_down();
}
END_TEST

START_TEST(hubports)
{
    set_up();
    must_add("socket,id=s,udp=127.0.0.1:1,localaddr=127.0.0.1:0");
    must_add("hubport,id=p0,hubid=3");
    must_add("hubport,id=p1,hubid=3,netdev=s");
    expect_network("hub 3\n \\ p1: s: index=0,type=socket,socket: udp=127.0.0.1:1\n \\ p0\n");
    ck_assert(netdev_del("p1", NULL));
    ck_assert(netdev_del("p0", NULL));
    expect_network("s: index=0,type=socket,socket: udp=127.0.0.1:1\n");
    tear_down();
}
END_TEST

static const struct { const char *options, *error; } refused[] = {
    { "user", "Parameter 'id' is missing" },
    { "id=x", "Parameter 'type' is missing" },
    { "bogus,id=n0", "Parameter 'type' does not accept value 'bogus'" },
    { "bridge,id=n0", "Parameter 'type' does not accept value 'bridge'" },
    { "socket,id=1x", "Parameter 'id' expects an identifier" },
    { "socket,id=a", "exactly one of listen=, connect=, mcast= or udp= is required" },
    { "socket,id=a,listen=:5,connect=:6",
      "exactly one of listen=, connect=, mcast= or udp= is required" },
    { "socket,id=a,bogus=1", "Invalid parameter 'bogus'" },
    { "socket,id=a,listen=foo",
      "host address 'foo' doesn't contain ':' separating host from port" },
    { "socket,id=a,listen=:99999", "port number '99999' is invalid" },
    { "socket,id=a,udp=127.0.0.1:5", "localaddr= is mandatory with udp=" },
    { "socket,id=a,localaddr=x,listen=:9", "localaddr= is only valid with mcast= or udp=" },
    { "socket,id=a,mcast=10.0.0.1:5",
      "10.0.0.1:5 is not a multicast address (224.0.0.0 to 239.255.255.255)" },
    { "socket,id=a,fd=999", "a: Can't use file descriptor 999: Bad file descriptor" },
    { "socket,id=a,fd=x", "File descriptor named 'x' has not been found" },
    { "stream,id=a", "Parameter 'addr' is missing" },
    { "stream,id=a,addr.type=foo", "Parameter 'type' does not accept value 'foo'" },
    { "stream,id=a,addr.type=inet", "Parameter 'addr.host' is missing" },
    { "stream,id=a,addr.type=unix", "Parameter 'addr.path' is missing" },
    { "stream,id=a,addr.type=unix,addr.path=x,bogus=1", "Invalid parameter 'bogus'" },
    { "stream,id=a,addr.type=unix,addr.path=x,addr.port=1", "Invalid parameter 'port'" },
    { "stream,id=a,addr.type=unix,addr.path=nobody",
      "can't connect to nobody: No such file or directory" },
    { "dgram,id=a", "dgram requires local= parameter" },
    { "dgram,id=a,local.type=inet,local.host=127.0.0.1,local.port=5",
      "type=inet or type=unix requires remote parameter" },
    { "dgram,id=a,remote.type=inet,remote.host=127.0.0.1,remote.port=5",
      "dgram requires local= parameter" },
    { "hubport,id=a", "Parameter 'hubid' is missing" },
    { "hubport,id=a,hubid=1,netdev=zz", "netdev 'zz' not found" },
    { "tap,id=a,fd=3,ifname=x",
      "ifname=, script=, downscript=, vnet_hdr=, helper=, queues=, fds=, and vhostfds= are invalid "
      "with fd=" },
    { "tap,id=a,fd=999", "a: Can't use file descriptor 999: Bad file descriptor" },
    { "tap,id=a,fd=0", "Unable to query TUNGETIFF on FD 0: Inappropriate ioctl for device" },
    { "tap,id=a,ifname=waytoolonginterfacename", "ifname= takes at most 15 characters" },
};

START_TEST(refused_row)
{
    g_auto(GStrv) lines = NULL;
    GError *error = NULL;
    int null;

    set_up();
    null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    ck_assert(!add(refused[_i].options, &error));
    lines = g_strsplit(error->message, "\n", 2);
    ck_assert_str_eq(lines[0], refused[_i].error);
    g_error_free(error);
    ck_assert_uint_eq(net_clients()->len, 0);
    tear_down();
}
END_TEST

START_TEST(ids)
{
    GError *error = NULL;

    set_up();
    must_add("hubport,id=a,hubid=1");
    ck_assert(!add("hubport,id=a,hubid=1", &error));
    ck_assert_str_eq(error->message, "Duplicate ID 'a' for netdev");
    g_clear_error(&error);
    ck_assert(!netdev_del("b", &error));
    ck_assert(g_str_has_prefix(error->message, "Device 'b' not found"));
    g_clear_error(&error);
    probe_new("c");
    ck_assert(!netdev_del("c", NULL));              /* not from -netdev */
    tear_down();
}
END_TEST

CHECK_MAIN("backends", CASES(socket_fd_row, fd_kinds), CASE(socket_listen_connect),
           CASE(socket_udp), CASE(dgram_unix), CASE(dgram_inet), CASES(stream_row, streams),
           CASE(hubports), CASES(refused_row, refused), CASE(ids))
