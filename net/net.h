/*
 * Network: NICs and host back ends as two ends of a wire.
 *
 * A NetClient is one end: a guest's NIC, or a back end (user, tap, socket, stream, dgram, hub
 * port).  Two clients are peers; what one sends the other receives, or queues while it cannot.
 * All of it under the machine lock, on any thread that holds it; back ends watch their descriptors
 * on the main loop.
 *
 * Nobody is called back into while it works: what reaches a client that is inside its own receive()
 * or net_send() waits until the main loop comes round.
 *
 * A packet is an Ethernet frame without FCS, at most NET_MAX_PACKET bytes (more with segmentation
 * offload), preceded by a virtio_net_hdr only where both ends agreed (net_set_header_len).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "keyval.h"
#include "vm_core.h"

#define NET_MAX_PACKET  (64 * 1024 + 64)
/* What waits for one receiver; more is dropped. */
#define NET_QUEUE_LIMIT 1000                    /* packets */
#define NET_QUEUE_BYTES (16 << 20)

typedef struct NetClient NetClient;
typedef struct NetFilter NetFilter;

/* What checksum and segmentation work the peer can be asked to do, or offers to have done. */
typedef struct NetOffloads { bool csum, tso4, tso6, ecn, ufo; } NetOffloads;

typedef struct NetClientType {
    const char *name;                       /* "nic", "user", "tap", … as info network shows it */
    size_t size;                            /* of its struct, NetClient first */
    bool (*can_receive)(NetClient *client);                         /* NULL: always */
    /* A packet for this end. 0: cannot now, queue it; else taken (also if thrown away). */
    ssize_t (*receive)(NetClient *client, const struct iovec *iov, unsigned niov, size_t len);
    void (*link_changed)(NetClient *client);                        /* link_down, or the peer's */
    /* The peer takes packets again: whoever stands behind this end may send. NULL: nobody. */
    void (*peer_ready)(NetClient *client);
    void (*close)(NetClient *client);                               /* NULL: nothing of its own */
    /* tap: virtio_net_hdr in front of packets. NULL: never. */
    bool (*has_header)(NetClient *client);                          /* it can have one */
    bool (*set_header)(NetClient *client, unsigned len);            /* 0: none */
    void (*get_offloads)(NetClient *client, NetOffloads *can);
    void (*set_offloads)(NetClient *client, const NetOffloads *offloads);
    /* text of `info network` behind "type=NAME,"; kept in client->info by most */
} NetClientType;

struct NetClient {
    const NetClientType *type;
    char *name;                             /* -netdev id; of a NIC: the device's id or "model.N" */
    char *model;                            /* NIC: the device type; back end: its name */
    char *info;                             /* "net=10.0.2.0,restrict=off"; owned */
    NetClient *peer;                        /* NULL: unplugged */
    bool link_down;                         /* set_link on this end */
    bool is_netdev;                         /* from -netdev: deleted by that id */
    bool closed;                            /* deleted; its shell stays until its NIC goes */
    Device *nic;                            /* of a NIC end */
    GQueue *queue;                          /* packets for the peer that could not take them */
    size_t queue_bytes;
    unsigned header_len;                    /* of the virtio_net_hdr both ends agreed on */
    uint64_t sent_bytes, received_bytes;    /* as it sees it, since it was made */
    bool delivering;                        /* inside its receive() or net_send() */
    GPtrArray *filters;                     /* NetFilter *, NULL: none */
};

/* ---- NICs ---- */

/* What a NIC has on "netdev" and "mac"; embed in the device. */
typedef struct NicConf {
    NetClient *peer;                        /* netdev property */
    uint8_t mac[6];                         /* all zero: 52:54:00:12:34:56 and up */
    int32_t bootindex;
} NicConf;
extern const PropType prop_netdev, prop_mac;
bool mac_parse(const char *text, uint8_t mac[6]);           /* "52:54:00:12:34:56", or with '-' */
char *mac_format(const uint8_t mac[6]);                     /* new string */
#define NIC_PROPS(s, f) \
    { .name = "mac", .type = &prop_mac, .offset = offsetof(s, f.mac), \
      .help = "Ethernet address, 52:54:00:12:34:56 and up by default" }, \
    { .name = "netdev", .type = &prop_netdev, .offset = offsetof(s, f.peer), \
      .help = "id of the network back end" }

typedef struct NicOps {
    bool (*can_receive)(void *opaque);
    ssize_t (*receive)(void *opaque, const struct iovec *iov, unsigned niov, size_t len);
    void (*link_changed)(void *opaque, bool up);
} NicOps;
/*
 * The NIC's end, joined to conf->peer (none: a NIC without a link).  Fills in the MAC address and
 * the text of `info network`.  Packets come only while the machine runs.  Freed with
 * net_client_free() in unrealize.
 */
NetClient *nic_new(NicConf *conf, Device *dev, const NicOps *ops, void *opaque, GError **error);
bool nic_link_up(const NetClient *nic);         /* neither end is down and there is a peer */

/* ---- traffic ---- */

/*
 * Sends to the peer.  Returns true if it was taken (or dropped: no peer, link down); false: the
 * peer is busy, the packet is queued, and `sent` is called when it went; the caller should send no
 * more until then.  `sent` may be NULL: the packet is queued or dropped as the queue has room.
 */
bool net_send(NetClient *client, const struct iovec *iov, unsigned niov,
              void (*sent)(NetClient *client, void *opaque), void *opaque);
bool net_send_buf(NetClient *client, const void *buf, size_t len);
/* The client can receive again: delivers what its peer has queued. */
void net_flush(NetClient *client);
/* Drops what it has queued for its peer, without calling `sent`. */
void net_purge(NetClient *client);
bool net_can_send(NetClient *client);           /* the peer takes packets now */

/* The header before every packet, both ways, set up by the NIC; 0: off. False: the peer cannot. */
bool net_peer_has_header(const NetClient *nic);
bool net_set_header_len(NetClient *nic, unsigned len);
void net_peer_offloads(NetClient *nic, NetOffloads *can);
void net_set_offloads(NetClient *nic, const NetOffloads *offloads);

/* ---- checksums and segmentation helpers for NICs (checksum.c) ---- */
uint16_t net_checksum(const void *buf, size_t len, uint32_t sum);   /* add and finish in one */
uint32_t net_checksum_add(const void *buf, size_t len, uint32_t sum);
uint16_t net_checksum_finish(uint32_t sum);
/* Receive filter hash of a multicast address: big-endian CRC-32, all 32 bits. */
uint32_t net_crc32_be(const uint8_t *buf, size_t len);
uint32_t net_crc32_le(const uint8_t *buf, size_t len);

/* ---- clients ---- */
NetClient *net_client_new(const NetClientType *type, const char *model, const char *name);
void net_client_free(NetClient *client);        /* unplugs; the peer sees its link go down */
void net_client_set_info(NetClient *client, const char *format, ...) G_GNUC_PRINTF(2, 3);
NetClient *net_client_find(const char *name);   /* NULL: none */
const GPtrArray *net_clients(void);             /* NetClient *, oldest first */
/* The process ends: tap scripts run, sockets' files go. NICs are told nothing any more. */
void net_close_all(void);
void net_plug(NetClient *a, NetClient *b);
bool net_set_link(const char *name, bool up, GError **error);   /* either end; tells both */

/* ---- command line and doors ---- */
/* -netdev, netdev_add: `kv` has type and id. */
bool netdev_add(Vm *vm, KeyVal *kv, GError **error);
bool netdev_del(const char *id, GError **error);
/*
 * -nic and -net; the devices they ask for are made by net_legacy_devices() when the board stands:
 * those of -nic first, then those of -net.
 */
bool net_add_legacy(Vm *vm, KeyVal *kv, bool is_nic, GError **error);
typedef struct NicWish {
    char *model;                            /* device type; NULL: the board's favourite */
    char *netdev;                           /* NULL: none */
    char *mac, *addr;                       /* NULL: not given */
    char *vectors;
    bool from_net;                          /* -net nic, not -nic */
} NicWish;
typedef bool (*NetMakeNicFn)(Vm *vm, const NicWish *wish, GError **error);
bool net_legacy_devices(Vm *vm, NetMakeNicFn make, GError **error);
void net_add_default(Vm *vm);               /* for no option at all: -net nic -net user */
/* NULL-terminated, for help and completion: this build's back ends. */
const char *const *netdev_type_names(void);

bool net_hostfwd_add(const char *netdev, const char *rule, GError **error);
bool net_hostfwd_remove(const char *netdev, const char *rule, GError **error);

/* Warns of ends without a peer and of hubs that lead nowhere, once the machine stands. */
void net_check_peers(void);

char *netdev_help_text(void);               /* -netdev help; new string */
void net_print(GString *out);                   /* info network */
void net_print_user(GString *out);              /* info usernet */
