/*
 * Packets on a byte stream, as QEMU's socket and stream back ends send them: the length, 32 bits
 * big-endian, then the packet.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"

/* ---- reading ---- */

uint8_t *frame_reader_room(FrameReader *reader, size_t *len)
{
    if (reader->buf == NULL) {
        reader->buf = g_malloc(FRAME_BUFFER);
    }
    if (reader->start > 0) {
        memmove(reader->buf, reader->buf + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    *len = FRAME_BUFFER - reader->end;
    return reader->buf + reader->end;
}

void frame_reader_added(FrameReader *reader, size_t len)
{
    reader->end += len;
}

FrameResult frame_reader_next(FrameReader *reader, const uint8_t **frame, size_t *len)
{
    const uint8_t *p = reader->buf + reader->start;
    size_t have = reader->end - reader->start, want;

    if (have < FRAME_HEADER) {
        return FRAME_NONE;
    }
    want = (size_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    if (want > NET_MAX_PACKET) {
        return FRAME_BAD;
    }
    if (have - FRAME_HEADER < want) {
        return FRAME_NONE;
    }
    reader->start += FRAME_HEADER + want;
    *frame = p + FRAME_HEADER;
    *len = want;
    return FRAME_OK;
}

void frame_reader_reset(FrameReader *reader)
{
    g_clear_pointer(&reader->buf, g_free);
    reader->start = reader->end = 0;
}

/* ---- a connection ---- */

static void link_lost(FrameLink *link)
{
    frame_link_close(link);
    net_flush(link->client);                /* what waited is dropped: nobody is there */
    if (link->lost != NULL) {
        link->lost(link->client);
    }
}

static void link_resume(NetClient *client, void *opaque);

/*
 * Also on a vCPU's thread, when a guest makes room: what it finds wrong is left to the main loop,
 * which the shutdown wakes.
 */
static void pass_frames(FrameLink *link)
{
    FrameResult result = FRAME_NONE;
    struct iovec iov;
    const uint8_t *frame;

    while (!link->paused && !link->bad && link->reader.buf != NULL &&
           (result = frame_reader_next(&link->reader, &frame, &iov.iov_len)) == FRAME_OK) {
        iov.iov_base = (void *)frame;
        link->paused = !net_send(link->client, &iov, 1, link_resume, link);
    }
    if (result == FRAME_BAD) {
        report_warning("netdev %s: a packet longer than %u bytes: connection closed",
                       link->client->name, NET_MAX_PACKET);
        link->bad = true;
        shutdown(link->fd, SHUT_RDWR);
    }
    if (link->fd >= 0) {
        net_watch_set(&link->watch, G_IO_IN, !link->paused);
    }
}

static void link_resume(NetClient *client, void *opaque)
{
    FrameLink *link = opaque;

    link->paused = false;
    pass_frames(link);
}

static void link_read(FrameLink *link)
{
    size_t room;
    uint8_t *at = frame_reader_room(&link->reader, &room);
    ssize_t got = recv(link->fd, at, room, MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        link_lost(link);
    } else if (got > 0) {
        frame_reader_added(&link->reader, got);
        pass_frames(link);
    }
}

/* The rest of a packet that was begun. False: the peer went. */
static bool link_write_rest(FrameLink *link)
{
    while (link->out_done < link->out->len) {
        ssize_t put = send(link->fd, link->out->data + link->out_done,
                           link->out->len - link->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put >= 0) {
            link->out_done += put;
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
    g_byte_array_set_size(link->out, 0);
    link->out_done = 0;
    return true;
}

static void link_ready(void *opaque, GIOCondition condition)
{
    FrameLink *link = opaque;

    if (link->bad) {
        link_lost(link);
        return;
    }
    if (condition & G_IO_OUT) {
        if (!link_write_rest(link)) {
            link_lost(link);
            return;
        }
        if (link->out->len == 0) {
            net_watch_set(&link->watch, G_IO_OUT, false);
            net_flush(link->client);
        }
    }
    if (condition & ~G_IO_OUT && link->fd >= 0 && !link->paused) {
        link_read(link);
    }
}

void frame_link_init(FrameLink *link, NetClient *client, void (*lost)(NetClient *client))
{
    *link = (FrameLink){ .client = client, .lost = lost, .fd = -1, .out = g_byte_array_new() };
}

void frame_link_open(FrameLink *link, int fd)
{
    link->fd = fd;
    net_watch_init(&link->watch, fd, link_ready, link);
    net_watch_set(&link->watch, G_IO_IN, !link->paused);
}

void frame_link_close(FrameLink *link)
{
    net_watch_finish(&link->watch);
    if (link->fd >= 0) {
        close(link->fd);
        link->fd = -1;
    }
    frame_reader_reset(&link->reader);
    link->bad = false;
    g_byte_array_set_size(link->out, 0);
    link->out_done = 0;
}

void frame_link_finish(FrameLink *link)
{
    frame_link_close(link);
    g_clear_pointer(&link->out, g_byte_array_unref);
}

static void keep_rest(FrameLink *link, const struct iovec *iov, unsigned niov, size_t skip)
{
    for (unsigned i = 0; i < niov; i++) {
        size_t cut = MIN(skip, iov[i].iov_len);

        skip -= cut;
        g_byte_array_append(link->out, (const guint8 *)iov[i].iov_base + cut,
                            iov[i].iov_len - cut);
    }
    net_watch_set(&link->watch, G_IO_OUT, true);
}

ssize_t frame_link_send(FrameLink *link, const struct iovec *iov, unsigned niov, size_t len)
{
    uint8_t header[FRAME_HEADER] = { len >> 24, len >> 16, len >> 8, len };
    g_autofree struct iovec *all = NULL;
    struct msghdr msg = { .msg_iovlen = niov + 1 };
    ssize_t put;

    if (link->fd < 0) {
        return len;                         /* nobody there: dropped */
    }
    if (link->out->len > 0) {
        return 0;
    }
    all = g_new(struct iovec, niov + 1);
    all[0] = (struct iovec){ header, sizeof(header) };
    memcpy(all + 1, iov, niov * sizeof(*iov));
    msg.msg_iov = all;
    do {
        put = sendmsg(link->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno == EAGAIN) {
        net_watch_set(&link->watch, G_IO_OUT, true);
        return 0;
    }
    if (put >= 0 && (size_t)put < len + sizeof(header)) {
        keep_rest(link, all, niov + 1, put);
    }
    return len;                             /* an error shows when the socket is read */
}
