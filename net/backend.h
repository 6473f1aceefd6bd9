/*
 * Back ends: what their files share.
 *
 * A back end is a row: the name -netdev takes and the function that opens one from its options.
 * The type and id are read already; whatever else stands in `kv` is the back end's to read or to
 * refuse (keyval_check_known()).
 */
#pragma once

#include <sys/socket.h>
#include <netinet/in.h>

#include "net_internal.h"
#include "rhea_error.h"

typedef struct NetBackend {
    const char *name;
    /* `name` NULL: make one up */
    NetClient *(*open)(Vm *vm, const char *name, KeyVal *kv, GError **error);
} NetBackend;

extern const NetBackend net_dgram_backend, net_hubport_backend, net_socket_backend,
    net_stream_backend, net_tap_backend, net_user_backend;

/* ---- watch.c: a descriptor on the main loop ---- */

typedef struct NetWatch {
    GSource *source;
    int fd;
    GIOCondition events;
    gpointer tag;                           /* NULL: not polled */
    void (*ready)(void *opaque, GIOCondition condition);
    void *opaque;
} NetWatch;

/* Nothing is watched yet.  `ready` may finish the watch. */
void net_watch_init(NetWatch *watch, int fd, void (*ready)(void *opaque, GIOCondition condition),
                    void *opaque);
void net_watch_set(NetWatch *watch, GIOCondition events, bool on);
void net_watch_finish(NetWatch *watch);     /* also one that was never set up, all zero */

/* Packets read from a descriptor before everybody else on the main loop has a turn. */
#define NET_READ_BUDGET 64

/* ---- frames.c: packets on a byte stream, each behind its length, 32 bits big-endian ---- */

typedef struct FrameReader {
    uint8_t *buf;                           /* FRAME_BUFFER bytes */
    size_t start, end;                      /* what is in it */
} FrameReader;
#define FRAME_HEADER 4
#define FRAME_BUFFER (2 * (NET_MAX_PACKET + FRAME_HEADER))

typedef enum FrameResult { FRAME_NONE, FRAME_OK, FRAME_BAD } FrameResult;

/* Where bytes may be put, and how many; never none unless frames wait to be taken. */
uint8_t *frame_reader_room(FrameReader *reader, size_t *len);
void frame_reader_added(FrameReader *reader, size_t len);
/* The next whole frame; valid until the next call.  BAD: no peer of ours sends such a length. */
FrameResult frame_reader_next(FrameReader *reader, const uint8_t **frame, size_t *len);
void frame_reader_reset(FrameReader *reader);

/* A connection that carries a client's packets. */
typedef struct FrameLink {
    NetClient *client;
    void (*lost)(NetClient *client);        /* the peer went; the link is closed. Main thread */
    int fd;                                 /* -1: none */
    NetWatch watch;
    FrameReader reader;
    GByteArray *out;                        /* the rest of a packet the socket did not take */
    size_t out_done;
    bool paused;                            /* the client's peer is busy */
    bool bad;                               /* the peer talks nonsense: about to be closed */
} FrameLink;

void frame_link_init(FrameLink *link, NetClient *client, void (*lost)(NetClient *client));
void frame_link_open(FrameLink *link, int fd);          /* takes fd */
void frame_link_close(FrameLink *link);                 /* may be opened again */
void frame_link_finish(FrameLink *link);
/* A receive() of NetClientType. */
ssize_t frame_link_send(FrameLink *link, const struct iovec *iov, unsigned niov, size_t len);

/* ---- datagrams.c: each packet one datagram ---- */

typedef struct DatagramLink {
    NetClient *client;
    int fd;
    struct sockaddr_storage to;             /* to_len 0: the socket is connected */
    socklen_t to_len;
    NetWatch watch;
} DatagramLink;

void datagram_link_open(DatagramLink *link, NetClient *client, int fd);     /* takes fd */
void datagram_link_close(DatagramLink *link);
ssize_t datagram_link_send(DatagramLink *link, const struct iovec *iov, unsigned niov, size_t len);
typedef struct NetAddress NetAddress;
/* A nonblocking socket bound to `local`; -1: error. */
int datagram_socket_bound(const NetAddress *local, GError **error);
/*
 * One that hears the group; `interface` 0: the kernel's choice.  Packets sent come back to every
 * listener on this host, the sender too: a group is a wire, not a switch.
 */
int datagram_socket_group(const NetAddress *group, struct in_addr interface, GError **error);

/* ---- options.c ---- */

struct NetAddress {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* "HOST:PORT", IPv4; an empty host is any address. */
bool net_address_parse(NetAddress *address, const char *text, GError **error);
/* "IPV4", without a port. */
bool net_address_parse_host(struct in_addr *address, const char *text, GError **error);
char *net_address_format(const NetAddress *address);    /* "127.0.0.1:80", "/run/x" */
/* A descriptor the user named; closed with the back end.  -1: error. */
int net_inherited_fd(const char *netdev, const char *text, GError **error);
bool net_fd_set_nonblocking(int fd, GError **error);
/* ",…" lists of QMP and repeated keys: all values of `key`, also "KEY.N" and "KEY.N.str". */
GPtrArray *net_take_list(KeyVal *kv, const char *key);

/* ---- socket_options.c: "PREFIX.type=inet,PREFIX.host=…" ---- */

typedef enum NetSocketKind { NET_SOCKET_NONE, NET_SOCKET_INET, NET_SOCKET_UNIX, NET_SOCKET_FD }
    NetSocketKind;

typedef struct NetSocketOptions {
    NetSocketKind kind;                     /* NONE: nothing with this prefix was given */
    char *type, *host, *port, *path, *str;
    char *ipv4, *ipv6;                      /* "on", "off" or NULL */
    bool abstract, tight, keep_alive, mptcp, numeric;
    unsigned last_port;                     /* to= */
} NetSocketOptions;

/* Takes the keys with that prefix from `kv`. */
bool net_socket_options_take(NetSocketOptions *options, KeyVal *kv, const char *prefix,
                             GError **error);
void net_socket_options_clear(NetSocketOptions *options);
/* INET or UNIX: the first address found, for datagrams. */
bool net_socket_options_resolve(const NetSocketOptions *options, NetAddress *address,
                                GError **error);

/* ---- hub.c ---- */

/* A new port; `name` NULL: "hub0port1". */
NetClient *net_hub_port_new(unsigned hub, const char *name);
bool net_hub_of(const NetClient *client, unsigned *hub);    /* its own, or its peer's */
void net_hubs_print(GString *out);
void net_hubs_check(void);

/* ---- netdev.c ---- */

const NetBackend *net_backend_find(const char *name, GError **error);
void net_client_print(const NetClient *client, GString *out);

/* ---- user.c ---- */
bool net_is_user(const NetClient *client);
