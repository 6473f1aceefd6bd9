/*
 * -netdev user: a private network behind the host's own sockets, by libslirp.
 *
 * libslirp's timers count machine time, its sockets are polled on the main loop.  Unlike QEMU a
 * hostfwd without an address listens on 127.0.0.1 only: a port open to everybody is asked for by
 * name (tcp:0.0.0.0:2222-:22).
 *
 * Left out: smb= (an smbd started for the guest).
 */
#include <arpa/inet.h>
#include <libslirp.h>
#include <string.h>

#include "backend.h"
#include "chardev.h"
#include "user_rules.h"
#include "vm_log.h"

typedef struct UserOptions {
    UserNetText addresses;
    char *ip, *hostname, *tftp, *tftp_server_name, *bootfile, *domainname, *smb, *smbserver;
    bool ipv4, ipv6;
} UserOptions;

/* A port of the guest's network that leads to a character device. */
typedef struct GuestPort {
    struct User *user;
    struct in_addr server;
    unsigned port;
    CharFrontend fe;
    char *label;
} GuestPort;

typedef struct User {
    NetClient client;
    Vm *vm;
    Slirp *slirp;
    GSource *source;                        /* polls libslirp's sockets */
    GPtrArray *polls;                       /* GPollFD *, what the source polls */
    guint used;                             /* of them, in this round */
    int64_t due_us;                         /* libslirp wants a turn by then; -1: no matter when */
    bool woken;                             /* the main loop has been told of new sockets */
    GPtrArray *guest_ports;                 /* GuestPort * */
} User;

static const NetClientType user_type;

bool net_is_user(const NetClient *client)
{
    return client->type == &user_type && !client->closed;
}

/* ---- polling ---- */

typedef struct UserSource { GSource source; User *user; } UserSource;

static const struct { int slirp; GIOCondition glib; } poll_bits[] = {
    { SLIRP_POLL_IN, G_IO_IN }, { SLIRP_POLL_OUT, G_IO_OUT }, { SLIRP_POLL_PRI, G_IO_PRI },
    { SLIRP_POLL_ERR, G_IO_ERR }, { SLIRP_POLL_HUP, G_IO_HUP },
};

static void poll_remove(User *user, guint index)
{
    g_source_remove_poll(user->source, g_ptr_array_index(user->polls, index));
    g_ptr_array_remove_index(user->polls, index);
}

/*
 * libslirp names its sockets anew each round, mostly the same ones: what changed is changed in
 * place, so that GLib's list of descriptors stands still.
 */
static int add_poll(int fd, int events, void *opaque)
{
    User *user = opaque;
    GPollFD *poll = user->used < user->polls->len ? g_ptr_array_index(user->polls, user->used)
                                                  : NULL;

    if (poll == NULL || poll->fd != fd) {
        while (user->used < user->polls->len) {
            poll_remove(user, user->polls->len - 1);
        }
        poll = g_new0(GPollFD, 1);
        poll->fd = fd;
        g_ptr_array_add(user->polls, poll);
        g_source_add_poll(user->source, poll);
    }
    poll->events = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        poll->events |= events & poll_bits[i].slirp ? poll_bits[i].glib : 0;
    }
    return user->used++;
}

static int get_revents(int index, void *opaque)
{
    const User *user = opaque;
    const GPollFD *poll;
    int events = 0;

    if (index < 0 || (guint)index >= user->polls->len) {
        return 0;
    }
    poll = g_ptr_array_index(user->polls, index);
    for (size_t i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        events |= poll->revents & poll_bits[i].glib ? poll_bits[i].slirp : 0;
    }
    return events;
}

static gboolean user_prepare(GSource *source, gint *timeout)
{
    User *user = ((UserSource *)source)->user;
    uint32_t timeout_ms = UINT32_MAX;

    user->woken = false;
    user->used = 0;
    slirp_pollfds_fill(user->slirp, &timeout_ms, add_poll, user);
    while (user->polls->len > user->used) {
        poll_remove(user, user->polls->len - 1);
    }
    *timeout = timeout_ms == UINT32_MAX ? -1 : (gint)MIN(timeout_ms, INT32_MAX);
    user->due_us = *timeout < 0 ? -1 : g_get_monotonic_time() + *timeout * INT64_C(1000);
    return FALSE;
}

static gboolean user_check(GSource *source)
{
    const User *user = ((UserSource *)source)->user;

    for (guint i = 0; i < user->polls->len; i++) {
        if (((const GPollFD *)g_ptr_array_index(user->polls, i))->revents != 0) {
            return TRUE;
        }
    }
    return user->due_us >= 0 && g_get_monotonic_time() >= user->due_us;
}

static gboolean user_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    User *user = ((UserSource *)source)->user;

    slirp_pollfds_poll(user->slirp, 0, get_revents, user);
    for (guint i = 0; i < user->guest_ports->len; i++) {
        chardev_accept_input(&((GuestPort *)g_ptr_array_index(user->guest_ports, i))->fe);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs user_source_funcs = {
    .prepare = user_prepare, .check = user_check, .dispatch = user_dispatch,
};

/* The main loop may be waiting without the sockets libslirp has just opened. */
static void user_wake(User *user)
{
    if (!user->woken) {
        user->woken = true;
        g_main_context_wakeup(NULL);
    }
}

/* ---- libslirp's callbacks ---- */

static ssize_t user_send_packet(const void *buf, size_t len, void *opaque)
{
    User *user = opaque;

    net_send_buf(&user->client, buf, len);
    return len;
}

static void user_guest_error(const char *message, void *opaque)
{
    log_guest("slirp: %s", message);
}

static int64_t user_clock_ns(void *opaque)
{
    return vm_clock_ns(((User *)opaque)->vm);
}

static void *user_timer_new(SlirpTimerCb fire, void *fire_opaque, void *opaque)
{
    VmTimer *timer = g_new(VmTimer, 1);

    vm_timer_init(timer, ((User *)opaque)->vm, fire, fire_opaque);
    return timer;
}

static void user_timer_free(void *timer, void *opaque)
{
    vm_timer_finish(timer);
    g_free(timer);
}

static void user_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    vm_timer_set(timer, expire_ms * NS_PER_MS);
}

static void user_poll_changed(int fd, void *opaque)
{
    user_wake(opaque);
}

static void user_notify(void *opaque)
{
    user_wake(opaque);
}

static const SlirpCb user_callbacks = {
    .send_packet = user_send_packet, .guest_error = user_guest_error,
    .clock_get_ns = user_clock_ns, .timer_new = user_timer_new, .timer_free = user_timer_free,
    .timer_mod = user_timer_mod, .register_poll_fd = user_poll_changed,
    .unregister_poll_fd = user_poll_changed, .notify = user_notify,
};

/* ---- the client ---- */

static ssize_t user_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    User *user = (User *)client;
    uint8_t frame[NET_MAX_PACKET];
    size_t at = 0;

    if (niov == 1) {
        slirp_input(user->slirp, iov[0].iov_base, len);
    } else {
        for (unsigned i = 0; i < niov; at += iov[i++].iov_len) {
            memcpy(frame + at, iov[i].iov_base, iov[i].iov_len);
        }
        slirp_input(user->slirp, frame, len);
    }
    user_wake(user);
    return len;
}

static void guest_port_free(gpointer data)
{
    GuestPort *port = data;

    slirp_remove_guestfwd(port->user->slirp, port->server, port->port);
    chardev_detach(&port->fe);
    chardev_remove(port->label, NULL);
    g_free(port->label);
    g_free(port);
}

static void user_close(NetClient *client)
{
    User *user = (User *)client;

    g_clear_pointer(&user->guest_ports, g_ptr_array_unref);
    g_source_destroy(user->source);
    g_source_unref(user->source);
    g_ptr_array_unref(user->polls);
    slirp_cleanup(user->slirp);
}

static const NetClientType user_type = {
    .name = "user", .size = sizeof(User), .receive = user_receive, .close = user_close,
};

/* ---- forwarding ---- */

static bool add_host_forward(User *user, const char *text, GError **error)
{
    HostForward rule;

    if (!host_forward_parse(&rule, text, error)) {
        return false;
    }
    if (slirp_add_hostfwd(user->slirp, rule.udp, rule.host, rule.host_port, rule.guest,
                          rule.guest_port) < 0) {
        set_error(error, "Could not set up host forwarding rule '%s'", text);
        return false;
    }
    if (rule.any_host) {
        const char *dash = strchr(text, '-');

        report_note("hostfwd '%s' listens on 127.0.0.1 only; %s:0.0.0.0:%u%s listens on every "
                    "address", text, rule.udp ? "udp" : "tcp", rule.host_port, dash);
    }
    user_wake(user);
    return true;
}

static int port_can_receive(void *opaque)
{
    const GuestPort *port = opaque;

    return slirp_socket_can_recv(port->user->slirp, port->server, port->port);
}

static void port_receive(void *opaque, const uint8_t *buf, size_t len)
{
    const GuestPort *port = opaque;

    slirp_socket_recv(port->user->slirp, port->server, port->port, buf, len);
    user_wake(port->user);
}

static ssize_t port_write(const void *buf, size_t len, void *opaque)
{
    chardev_write(&((GuestPort *)opaque)->fe, buf, len);
    return len;
}

static bool add_guest_port(User *user, const GuestForward *rule, const char *text, GError **error)
{
    GuestPort *port = g_new0(GuestPort, 1);
    Chardev *chr;

    port->user = user;
    port->server = rule->server;
    port->port = rule->port;
    port->label = g_strdup_printf("guestfwd.tcp.%u", rule->port);
    port->fe = (CharFrontend){ .opaque = port, .can_receive = port_can_receive,
                               .receive = port_receive };
    chr = chardev_new_from_legacy(port->label, rule->target, false, error);
    if (chr == NULL || !chardev_attach(&port->fe, chr, error)) {
        g_prefix_error(error, "Could not open guest forwarding device '%s': ", port->label);
    } else if (slirp_add_guestfwd(user->slirp, port_write, port, &port->server, port->port) < 0) {
        set_error(error, "Conflicting/invalid host:port in guest forwarding rule '%s'", text);
        chardev_detach(&port->fe);
        chardev_remove(port->label, NULL);
    } else {
        g_ptr_array_add(user->guest_ports, port);
        return true;
    }
    g_free(port->label);
    g_free(port);
    return false;
}

static bool add_guest_forward(User *user, const char *text, GError **error)
{
    GuestForward rule;
    bool ok;

    if (!guest_forward_parse(&rule, text, error)) {
        return false;
    }
    if (!rule.command) {
        ok = add_guest_port(user, &rule, text, error);
    } else {
        ok = slirp_add_exec(user->slirp, rule.target, &rule.server, rule.port) >= 0;
        if (!ok) {
            set_error(error, "Conflicting/invalid host:port in guest forwarding rule '%s'", text);
        }
    }
    g_free(rule.target);
    return ok;
}

static bool add_each(User *user, const GPtrArray *rules,
                     bool (*add)(User *user, const char *text, GError **error), GError **error)
{
    for (guint i = 0; i < rules->len; i++) {
        if (!add(user, g_ptr_array_index(rules, i), error)) {
            return false;
        }
    }
    return true;
}

/* ---- opening ---- */

#define TEXT(name_, field_) { name_, KEY_STRING, offsetof(UserOptions, field_) }
static const KeyField user_fields[] = {
    TEXT("net", addresses.net), TEXT("ip", ip), TEXT("host", addresses.host),
    TEXT("dhcpstart", addresses.dhcpstart), TEXT("dns", addresses.dns),
    TEXT("ipv6-net", addresses.ipv6_net), TEXT("ipv6-prefix", addresses.ipv6_prefix),
    { "ipv6-prefixlen", KEY_UINT, offsetof(UserOptions, addresses.ipv6_prefixlen) },
    TEXT("ipv6-host", addresses.ipv6_host), TEXT("ipv6-dns", addresses.ipv6_dns),
    TEXT("hostname", hostname), TEXT("tftp", tftp), TEXT("tftp-server-name", tftp_server_name),
    TEXT("bootfile", bootfile), TEXT("domainname", domainname),
    TEXT("smb", smb), TEXT("smbserver", smbserver),
    { "restrict", KEY_BOOL, offsetof(UserOptions, addresses.restricted) },
    { "ipv4", KEY_BOOL, offsetof(UserOptions, ipv4) },
    { "ipv6", KEY_BOOL, offsetof(UserOptions, ipv6) },
    {}
};

static void options_clear(UserOptions *options)
{
    for (const KeyField *field = user_fields; field->name != NULL; field++) {
        if (field->kind == KEY_STRING) {
            g_free(*(char **)((char *)options + field->offset));
        }
    }
}

/* Asking for one of the two only means that one. */
static void choose_families(UserOptions *options, KeyVal *kv)
{
    bool has4 = keyval_has(kv, "ipv4"), has6 = keyval_has(kv, "ipv6");

    options->ipv4 = has4 ? options->ipv4 : !(has6 && options->ipv6);
    options->ipv6 = has6 ? options->ipv6 : !(has4 && options->ipv4);
}

static bool check_length(const char *name, const char *text, GError **error)
{
    if (text == NULL || strlen(text) <= 255) {
        return true;
    }
    set_error(error, "'%s' parameter cannot exceed 255 bytes", name);
    return false;
}

static bool options_agree(const UserOptions *options, GError **error)
{
    const UserNetText *text = &options->addresses;

    if (options->smb != NULL || options->smbserver != NULL) {
        set_error(error, "smb= is not supported: reach a file server of the host through its "
                  "address in the guest's network");
    } else if (!options->ipv4 && !options->ipv6) {
        set_error(error, "IPv4 and IPv6 disabled");
    } else if (!options->ipv4 && (text->net || text->host || text->dhcpstart || text->dns)) {
        set_error(error, "IPv4 disabled but netmask/host/dns provided");
    } else if (!options->ipv6 && (text->ipv6_net || text->ipv6_prefix || text->ipv6_host ||
                                  text->ipv6_dns)) {
        set_error(error, "IPv6 disabled but prefix/host6/dns6 provided");
    } else {
        return check_length("domainname", options->domainname, error) &&
               check_length("tftp-server-name", options->tftp_server_name, error);
    }
    return false;
}

static User *user_start(Vm *vm, const char *name, const UserOptions *options, const UserNet *net,
                        const GPtrArray *search)
{
    bool restricted = options->addresses.restricted;
    SlirpConfig config = {
        .version = 1, .restricted = restricted, .in_enabled = options->ipv4,
        .vnetwork = net->net, .vnetmask = net->mask, .vhost = net->host,
        .in6_enabled = options->ipv6, .vprefix_addr6 = net->prefix6,
        .vprefix_len = net->prefix6_len, .vhost6 = net->host6, .vhostname = options->hostname,
        .tftp_server_name = options->tftp_server_name, .tftp_path = options->tftp,
        .bootfile = options->bootfile, .vdhcp_start = net->dhcp, .vnameserver = net->dns,
        .vnameserver6 = net->dns6, .vdnssearch = (const char **)search->pdata,
        .vdomainname = options->domainname,
    };
    NetClient *client = net_client_new(&user_type, "user", name);
    User *user = (User *)client;
    char text[INET_ADDRSTRLEN];

    user->vm = vm;
    user->polls = g_ptr_array_new_with_free_func(g_free);
    user->guest_ports = g_ptr_array_new_with_free_func(guest_port_free);
    user->slirp = slirp_new(&config, &user_callbacks, user);
    g_assert(user->slirp != NULL);
    user->source = g_source_new(&user_source_funcs, sizeof(UserSource));
    ((UserSource *)user->source)->user = user;
    g_source_attach(user->source, NULL);
    net_client_set_info(client, "net=%s,restrict=%s",
                        inet_ntop(AF_INET, &net->net, text, sizeof(text)),
                        restricted ? "on" : "off");
    return user;
}

static bool read_options(UserOptions *options, UserNet *net, KeyVal *kv, GError **error)
{
    if (!keyval_fill(kv, user_fields, options, error)) {
        return false;
    }
    choose_families(options, kv);
    return options_agree(options, error) && user_net_parse(net, &options->addresses, error) &&
           user_net_parse6(net, &options->addresses, error);
}

static NetClient *user_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    g_autoptr(GPtrArray) host = net_take_list(kv, "hostfwd"), guest = net_take_list(kv, "guestfwd");
    g_autoptr(GPtrArray) search = net_take_list(kv, "dnssearch");
    UserOptions options = { 0 };
    UserNet net = { 0 };
    User *user = NULL;

    g_ptr_array_add(search, NULL);
    if (read_options(&options, &net, kv, error)) {
        user = user_start(vm, name, &options, &net, search);
    }
    options_clear(&options);
    if (user != NULL && (!add_each(user, host, add_host_forward, error) ||
                         !add_each(user, guest, add_guest_forward, error))) {
        net_client_free(&user->client);
        user = NULL;
    }
    return (NetClient *)user;
}

const NetBackend net_user_backend = { "user", user_open };

/* ---- doors ---- */

static User *find_user(const char *netdev, GError **error)
{
    const GPtrArray *list = net_clients();
    NetClient *client;

    for (guint i = 0; i < list->len && netdev == NULL; i++) {
        if (net_is_user(g_ptr_array_index(list, i))) {
            return g_ptr_array_index(list, i);
        }
    }
    if (netdev == NULL) {
        set_error(error, "user mode network stack not in use");
        return NULL;
    }
    client = net_client_find(netdev);
    if (client == NULL) {
        set_error(error, "unrecognized netdev id '%s'", netdev);
        net_suggest_client(error, netdev);
    } else if (!net_is_user(client)) {
        set_error(error, "invalid device specified");
        return NULL;
    }
    return (User *)client;
}

bool net_hostfwd_add(const char *netdev, const char *rule, GError **error)
{
    User *user = find_user(netdev, error);

    return user != NULL && add_host_forward(user, rule, error);
}

bool net_hostfwd_remove(const char *netdev, const char *text, GError **error)
{
    User *user = find_user(netdev, error);
    struct in_addr any = { htonl(INADDR_ANY) };
    HostForward rule;

    if (user == NULL || !host_forward_parse_removal(&rule, text, error)) {
        return false;
    }
    if (slirp_remove_hostfwd(user->slirp, rule.udp, rule.host, rule.host_port) == 0 ||
        (rule.any_host &&
         slirp_remove_hostfwd(user->slirp, rule.udp, any, rule.host_port) == 0)) {
        user_wake(user);
        return true;
    }
    set_error(error, "host forwarding rule for %s not found", text);
    return false;
}

void net_print_user(GString *out)
{
    const GPtrArray *list = net_clients();

    for (guint i = 0; i < list->len; i++) {
        NetClient *client = g_ptr_array_index(list, i);
        unsigned hub = 0;
        bool on_hub;
        char *text;

        if (net_is_user(client)) {
            on_hub = net_hub_of(client, &hub);
            text = slirp_connection_info(((User *)client)->slirp);
            g_string_append_printf(out, "Hub %d (%s):\n%s", on_hub ? (int)hub : -1, client->name,
                                   text);
            g_free(text);
        }
    }
}
