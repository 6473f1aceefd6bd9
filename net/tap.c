/*
 * -netdev tap: an interface of the host's kernel (Linux Documentation/networking/tuntap.rst).
 *
 * With vnet_hdr the kernel puts a virtio_net_hdr in front of every packet; a NIC that speaks it
 * gets it, for the others it is taken off and put on here.
 *
 * Left out: several queues, the bridge helper.  vhost=on is accepted with a warning: packets go
 * through the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"

#define DEFAULT_SCRIPT      "/etc/qemu-ifup"
#define DEFAULT_DOWNSCRIPT  "/etc/qemu-ifdown"
#define HEADER_LEN          sizeof(struct virtio_net_hdr)
#define MAX_HEADER          sizeof(struct virtio_net_hdr_v1_hash)

typedef struct TapOptions {
    char *ifname, *fd, *fds, *script, *downscript, *br, *helper, *vhostfd, *vhostfds;
    uint64_t sndbuf;
    unsigned queues, poll_us;
    bool vnet_hdr, vhost, vhostforce;
} TapOptions;

typedef struct Tap {
    NetClient client;
    int fd;
    char *ifname, *downscript;              /* downscript NULL: none */
    bool has_header, has_ufo;
    unsigned header_len;                    /* the kernel's; 0: has_header is false */
    NetWatch watch;
    uint8_t buf[NET_MAX_PACKET + MAX_HEADER];
} Tap;

/* ---- traffic ---- */

static void tap_sent(NetClient *client, void *opaque)
{
    net_watch_set(&((Tap *)client)->watch, G_IO_IN, true);
}

/* The NIC does not speak the header: off with the kernel's. */
static bool strips_header(const Tap *tap)
{
    return tap->has_header && tap->client.header_len == 0;
}

static void tap_read(Tap *tap)
{
    size_t skip = strips_header(tap) ? tap->header_len : 0;

    for (unsigned n = 0; n < NET_READ_BUDGET; n++) {
        ssize_t got = read(tap->fd, tap->buf, sizeof(tap->buf));
        struct iovec iov = { tap->buf + skip, got - skip };

        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                net_watch_set(&tap->watch, G_IO_IN, false);     /* the interface is gone */
            }
            return;
        }
        if ((size_t)got > skip && !net_send(&tap->client, &iov, 1, tap_sent, NULL)) {
            net_watch_set(&tap->watch, G_IO_IN, false);
            return;
        }
    }
}

static void tap_ready(void *opaque, GIOCondition condition)
{
    Tap *tap = opaque;

    if (condition & G_IO_OUT) {
        net_watch_set(&tap->watch, G_IO_OUT, false);
        net_flush(&tap->client);
    }
    if (condition & ~G_IO_OUT) {
        tap_read(tap);
    }
}

static ssize_t tap_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    Tap *tap = (Tap *)client;
    static const uint8_t no_header[MAX_HEADER];
    struct iovec all[IOV_MAX];
    unsigned n = 0;
    ssize_t put;

    if (strips_header(tap)) {
        all[n++] = (struct iovec){ (void *)no_header, tap->header_len };
    }
    if (niov > G_N_ELEMENTS(all) - n) {
        return len;
    }
    memcpy(all + n, iov, niov * sizeof(*iov));
    do {
        put = writev(tap->fd, all, n + niov);
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno == EAGAIN) {
        net_watch_set(&tap->watch, G_IO_OUT, true);
        return 0;
    }
    return len;                             /* what the kernel refuses is lost, as on a wire */
}

/* ---- the header ---- */

static bool tap_has_header(NetClient *client)
{
    return ((Tap *)client)->has_header;
}

static bool tap_set_header(NetClient *client, unsigned len)
{
    Tap *tap = (Tap *)client;
    int value = len > 0 ? len : HEADER_LEN;

    if (!tap->has_header || len > MAX_HEADER ||
        ioctl(tap->fd, TUNSETVNETHDRSZ, &value) != 0) {
        return false;
    }
    tap->header_len = value;
    return true;
}

static void tap_get_offloads(NetClient *client, NetOffloads *can)
{
    const Tap *tap = (const Tap *)client;

    can->csum = can->tso4 = can->tso6 = can->ecn = tap->has_header;
    can->ufo = tap->has_ufo;
}

static void tap_set_offloads(NetClient *client, const NetOffloads *offloads)
{
    unsigned flags = 0;

    if (offloads->csum) {
        flags = TUN_F_CSUM | (offloads->tso4 ? TUN_F_TSO4 : 0) | (offloads->tso6 ? TUN_F_TSO6 : 0) |
                (offloads->ufo ? TUN_F_UFO : 0);
        if (offloads->ecn && flags & (TUN_F_TSO4 | TUN_F_TSO6)) {
            flags |= TUN_F_TSO_ECN;
        }
    }
    if (ioctl(((Tap *)client)->fd, TUNSETOFFLOAD, flags) != 0 && flags & TUN_F_UFO) {
        ioctl(((Tap *)client)->fd, TUNSETOFFLOAD, flags & ~TUN_F_UFO);
    }
}

/* ---- scripts ---- */

static bool is_script(const char *path)
{
    return path != NULL && *path != '\0' && !g_str_equal(path, "no");
}

static bool run_script(const char *script, const char *ifname, GError **error)
{
    char *argv[] = { (char *)script, (char *)ifname, NULL };
    g_autoptr(GError) why = NULL;
    int status;

    if (g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                     &status, &why) &&
        g_spawn_check_wait_status(status, &why)) {
        return true;
    }
    set_error(error, "network script %s failed: %s", script, why->message);
    error_add_hint(error, "script=no runs none.");
    return false;
}

static void tap_close(NetClient *client)
{
    Tap *tap = (Tap *)client;
    g_autoptr(GError) why = NULL;

    net_watch_finish(&tap->watch);
    if (is_script(tap->downscript) && !run_script(tap->downscript, tap->ifname, &why)) {
        report_warning("netdev %s: %s", client->name, why->message);
    }
    close(tap->fd);
    g_free(tap->ifname);
    g_free(tap->downscript);
}

static const NetClientType tap_type = {
    .name = "tap", .size = sizeof(Tap), .receive = tap_receive, .close = tap_close,
    .has_header = tap_has_header, .set_header = tap_set_header, .get_offloads = tap_get_offloads,
    .set_offloads = tap_set_offloads,
};

/* ---- opening ---- */

#define TEXT(name_, field_) { name_, KEY_STRING, offsetof(TapOptions, field_) }
static const KeyField tap_fields[] = {
    TEXT("ifname", ifname), TEXT("fd", fd), TEXT("fds", fds), TEXT("script", script),
    TEXT("downscript", downscript), TEXT("br", br), TEXT("helper", helper),
    TEXT("vhostfd", vhostfd), TEXT("vhostfds", vhostfds),
    { "sndbuf", KEY_SIZE, offsetof(TapOptions, sndbuf) },
    { "vnet_hdr", KEY_BOOL, offsetof(TapOptions, vnet_hdr) },
    { "vhost", KEY_BOOL, offsetof(TapOptions, vhost) },
    { "vhostforce", KEY_BOOL, offsetof(TapOptions, vhostforce) },
    { "queues", KEY_UINT, offsetof(TapOptions, queues) },
    { "poll-us", KEY_UINT, offsetof(TapOptions, poll_us) },
    {}
};

static void options_clear(TapOptions *options)
{
    for (const KeyField *field = tap_fields; field->name != NULL; field++) {
        if (field->kind == KEY_STRING) {
            g_free(*(char **)((char *)options + field->offset));
        }
    }
}

static bool options_agree(const TapOptions *options, KeyVal *kv, GError **error)
{
    if (options->fds != NULL || options->vhostfds != NULL || options->queues > 1) {
        set_error(error, "several queues (fds=, vhostfds=, queues=) are not supported: use fd=");
    } else if (options->helper != NULL || options->br != NULL) {
        set_error(error, "helper= and br= are not supported: make the interface in the bridge and "
                  "name it with ifname=, or hand it over with fd=");
    } else if (options->fd != NULL && (options->ifname || options->script || options->downscript ||
                                       keyval_has(kv, "vnet_hdr"))) {
        set_error(error, "ifname=, script=, downscript=, vnet_hdr=, helper=, queues=, fds=, and "
                  "vhostfds= are invalid with fd=");
    } else if (options->ifname != NULL && strlen(options->ifname) >= IFNAMSIZ) {
        set_error(error, "ifname= takes at most %u characters", IFNAMSIZ - 1);
    } else {
        return true;
    }
    return false;
}

static bool kernel_has_header(int fd)
{
    unsigned features = 0;

    return ioctl(fd, TUNGETFEATURES, &features) == 0 && features & IFF_VNET_HDR;
}

/* /dev/net/tun, with an interface of its own; *ifname becomes its name. */
static int tap_create(const TapOptions *options, bool explicit_header, char **ifname, bool *header,
                      GError **error)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        set_errno_error(error, errno, "could not open /dev/net/tun");
        return -1;
    }
    *header = options->vnet_hdr && kernel_has_header(fd);
    if (options->vnet_hdr && explicit_header && !*header) {
        set_error(error, "vnet_hdr=1 requested, but no kernel support for IFF_VNET_HDR available");
        close(fd);
        return -1;
    }
    ifr.ifr_flags |= *header ? IFF_VNET_HDR : 0;
    g_strlcpy(ifr.ifr_name, options->ifname != NULL ? options->ifname : "tap%d", IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, &ifr) != 0) {
        set_errno_error(error, errno, "could not configure /dev/net/tun (%s)", ifr.ifr_name);
        close(fd);
        return -1;
    }
    *ifname = g_strdup(ifr.ifr_name);
    return fd;
}

/* fd=: an interface somebody opened for us. */
static int tap_inherit(const char *netdev, const TapOptions *options, char **ifname, bool *header,
                       GError **error)
{
    struct ifreq ifr = { 0 };
    int fd = net_inherited_fd(netdev != NULL ? netdev : "tap", options->fd, error);

    if (fd < 0) {
        return -1;
    }
    if (ioctl(fd, TUNGETIFF, &ifr) != 0) {
        set_errno_error(error, errno, "Unable to query TUNGETIFF on FD %d", fd);
        passed_fd_drop(options->fd, fd);
        return -1;
    }
    if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI)) {
        set_error(error, "FD %d: a tap interface without packet information (IFF_TAP | IFF_NO_PI) "
                  "is expected", fd);
        passed_fd_drop(options->fd, fd);
        return -1;
    }
    *ifname = g_strdup(ifr.ifr_name);
    *header = ifr.ifr_flags & IFF_VNET_HDR;
    return fd;
}

static NetClient *tap_start(const char *name, int fd, char *ifname, bool header)
{
    NetClient *client = net_client_new(&tap_type, "tap", name);
    Tap *tap = (Tap *)client;

    tap->fd = fd;
    tap->ifname = ifname;
    tap->has_header = header;
    if (header) {
        tap_set_header(client, 0);
        tap->has_ufo = ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_UFO) == 0;
        ioctl(fd, TUNSETOFFLOAD, 0);
    }
    net_watch_init(&tap->watch, fd, tap_ready, tap);
    net_watch_set(&tap->watch, G_IO_IN, true);
    return client;
}

static bool tap_set_up(Tap *tap, const TapOptions *options, GError **error)
{
    int sndbuf = options->sndbuf == 0 || options->sndbuf > INT32_MAX ? INT32_MAX : options->sndbuf;
    const char *script = options->script != NULL ? options->script : DEFAULT_SCRIPT;
    const char *down = options->downscript != NULL ? options->downscript : DEFAULT_DOWNSCRIPT;

    if (ioctl(tap->fd, TUNSETSNDBUF, &sndbuf) != 0 && options->sndbuf > 0) {
        set_errno_error(error, errno, "TUNSETSNDBUF ioctl failed");
        return false;
    }
    if (options->vhost || options->vhostforce || options->vhostfd != NULL) {
        report_warning("netdev %s: vhost is not used, packets go through this process",
                       tap->client.name);
    }
    if (options->fd != NULL) {
        net_client_set_info(&tap->client, "fd=%d", tap->fd);
        return true;
    }
    net_client_set_info(&tap->client, "ifname=%s,script=%s,downscript=%s", tap->ifname, script,
                        down);
    if (is_script(script) && !run_script(script, tap->ifname, error)) {
        return false;
    }
    tap->downscript = g_strdup(down);
    return true;
}

static NetClient *tap_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    TapOptions options = { .vnet_hdr = true };
    NetClient *client = NULL;
    char *ifname = NULL;
    bool header = false;
    int fd = -1;

    if (keyval_fill(kv, tap_fields, &options, error) && options_agree(&options, kv, error)) {
        fd = options.fd != NULL
                 ? tap_inherit(name, &options, &ifname, &header, error)
                 : tap_create(&options, keyval_has(kv, "vnet_hdr"), &ifname, &header, error);
    }
    if (fd >= 0) {
        client = tap_start(name, fd, ifname, header);
        if (!tap_set_up((Tap *)client, &options, error)) {
            net_client_free(client);
            client = NULL;
        }
    }
    options_clear(&options);
    return client;
}

const NetBackend net_tap_backend = { "tap", tap_open };
