/* -object filter-dump: the packets of a back end in a file that tcpdump and Wireshark read. */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "net_internal.h"
#include "pcap.h"
#include "rhea_error.h"

/* ---- the format ---- */

#define PCAP_MAGIC      0xa1b2c3d4u         /* written in the host's order: readers see which */
#define LINKTYPE_ETHERNET 1

void pcap_header(uint8_t buf[PCAP_HEADER_LEN], uint32_t snap_len)
{
    const uint16_t version[2] = { 2, 4 };
    const uint32_t head = PCAP_MAGIC, tail[4] = { 0, 0, snap_len, LINKTYPE_ETHERNET };

    memcpy(buf, &head, 4);
    memcpy(buf + 4, version, 4);
    memcpy(buf + 8, tail, 16);
}

void pcap_record(uint8_t buf[PCAP_RECORD_LEN], int64_t wall_ns, uint32_t kept, uint32_t len)
{
    const uint32_t fields[4] = { wall_ns / NS_PER_SEC, wall_ns % NS_PER_SEC / NS_PER_US, kept,
                                 len };

    memcpy(buf, fields, sizeof(fields));
}

/* ---- the object ---- */

enum { QUEUE_ALL, QUEUE_RX, QUEUE_TX };
static const char *const queue_names[] = { "all", "rx", "tx", NULL };
enum { STATUS_ON, STATUS_OFF };
static const char *const status_names[] = { "on", "off", NULL };

typedef struct FilterDump {
    UserObject obj;
    /* configuration */
    char *netdev, *file, *insert, *position;
    int queue, status;
    uint32_t max_len;
    /* wiring */
    NetFilter filter;
    int fd;                                 /* -1: not open, or it failed */
} FilterDump;

static void write_packet(FilterDump *dump, const struct iovec *iov, unsigned niov, size_t len)
{
    uint8_t record[PCAP_RECORD_LEN];
    struct iovec out[IOV_MAX];
    size_t left = MIN(len, dump->max_len), total = PCAP_RECORD_LEN + left;
    unsigned n = 1;

    pcap_record(record, host_wall_ns(), left, len);
    out[0] = (struct iovec){ record, sizeof(record) };
    for (unsigned i = 0; i < niov && left > 0 && n < G_N_ELEMENTS(out); i++) {
        out[n] = (struct iovec){ iov[i].iov_base, MIN(iov[i].iov_len, left) };
        left -= out[n++].iov_len;
    }
    if (left == 0 && writev(dump->fd, out, n) == (ssize_t)total) {
        return;
    }
    report_warning("filter-dump %s: cannot write '%s': %s: it ends here", dump->obj.id, dump->file,
                   g_strerror(errno));
    close(dump->fd);
    dump->fd = -1;
}

/* The virtio_net_hdr two ends may have agreed on is no part of the packet. */
static void dump_packet(NetFilter *filter, const struct iovec *iov, unsigned niov, bool received)
{
    FilterDump *dump = (FilterDump *)((char *)filter - offsetof(FilterDump, filter));
    size_t skip = filter->client->header_len, len = 0;
    struct iovec body[IOV_MAX];
    unsigned n = 0;

    if (dump->fd < 0 || dump->status == STATUS_OFF ||
        dump->queue == (received ? QUEUE_TX : QUEUE_RX)) {
        return;
    }
    for (unsigned i = 0; i < niov && n < G_N_ELEMENTS(body); i++) {
        size_t cut = MIN(skip, iov[i].iov_len);

        skip -= cut;
        body[n] = (struct iovec){ (uint8_t *)iov[i].iov_base + cut, iov[i].iov_len - cut };
        len += body[n++].iov_len;
    }
    write_packet(dump, body, n, len);
}

static bool open_file(FilterDump *dump, GError **error)
{
    uint8_t header[PCAP_HEADER_LEN];

    dump->fd = open(dump->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (dump->fd < 0) {
        set_errno_error(error, errno, "net dump: can't open %s", dump->file);
        return false;
    }
    pcap_header(header, dump->max_len);
    if (write(dump->fd, header, sizeof(header)) != sizeof(header)) {
        set_errno_error(error, errno, "net dump: can't write to %s", dump->file);
        return false;
    }
    return true;
}

static bool dump_complete(UserObject *obj, GError **error)
{
    FilterDump *dump = OBJECT_CAST(obj, FilterDump);
    NetClient *client;

    dump->fd = -1;
    if (dump->netdev == NULL || dump->file == NULL) {
        set_error(error, "filter-dump: property '%s' has not been set",
                  dump->netdev == NULL ? "netdev" : "file");
        return false;
    }
    client = net_client_find(dump->netdev);
    if (client == NULL || client->nic != NULL) {
        set_error(error, "Parameter 'netdev' expects a network backend id");
        net_suggest_client(error, dump->netdev);
        return false;
    }
    if (!open_file(dump, error)) {
        return false;
    }
    dump->filter.packet = dump_packet;
    net_filter_add(client, &dump->filter);
    return true;
}

static void dump_finish(UserObject *obj)
{
    FilterDump *dump = OBJECT_CAST(obj, FilterDump);

    net_filter_remove(&dump->filter);
    if (dump->filter.packet != NULL && dump->fd >= 0) {
        close(dump->fd);
    }
}

static const Property filter_props[] = {
    PROP_STRING(FilterDump, insert, .name = "insert", .def_text = "behind",
                .help = "accepted; dumps see every packet wherever they stand"),
    PROP_STRING(FilterDump, netdev, .name = "netdev", .help = "the back end to watch"),
    PROP_STRING(FilterDump, position, .name = "position", .def_text = "tail",
                .help = "accepted; dumps see every packet wherever they stand"),
    PROP_ENUM(FilterDump, queue, .name = "queue", .names = queue_names,
              .help = "rx: what the back end is handed, tx: what it sends, all"),
    PROP_ENUM(FilterDump, status, .name = "status", .names = status_names, .live = true,
              .help = "off: packets pass unseen"),
    {}
};

static const Property dump_props[] = {
    PROP_STRING(FilterDump, file, .name = "file", .help = "the file to write"),
    PROP_UINT32(FilterDump, max_len, .name = "maxlen", .def = 65536,
                .help = "bytes kept of each packet"),
    {}
};

const ObjectType filter_dump_type = {
    .name = "filter-dump", .base = "netfilter", .help = "packets of a network back end in a file",
    .size = sizeof(FilterDump), .props = dump_props, .base_props = filter_props,
    .after_backends = true, .complete = dump_complete, .finish = dump_finish,
};
