#include "vnc_websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_codec.h"

enum { CHUNK = 16 * 1024 };

/* One way: nothing is read for it while something waits to be written. */
typedef struct Way {
    GByteArray *bytes;
    bool ended;                         /* nothing comes any more */
} Way;

struct VncWebsocket {
    int peer, stream;                   /* the viewer's socket, our end of the pair */
    GThread *thread;
    StreamCodec *codec;
    Way in, out;                        /* to the stream, to the peer */
};

/* Bytes that do not block; 0: the end; -1: none now. */
static ssize_t read_some(int fd, uint8_t *buf, size_t size)
{
    ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

    return n < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : MAX(n, 0);
}

/* False: the other end is gone. */
static bool write_some(int fd, GByteArray *bytes)
{
    ssize_t n = send(fd, bytes->data, bytes->len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0) {
        g_byte_array_remove_range(bytes, 0, n);
    }
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static void from_peer(VncWebsocket *ws)
{
    StreamDecoded decoded = { .payload = ws->in.bytes, .reply = ws->out.bytes };
    uint8_t buf[CHUNK];
    ssize_t n = read_some(ws->peer, buf, sizeof(buf));

    if (n >= 0) {
        ws->in.ended = n == 0 || !ws->codec->type->decode(ws->codec, buf, n, &decoded);
    }
}

static void from_stream(VncWebsocket *ws)
{
    uint8_t buf[CHUNK];
    ssize_t n = read_some(ws->stream, buf, sizeof(buf));

    if (n > 0) {
        ws->codec->type->encode(buf, n, ws->out.bytes);
    }
    ws->out.ended = n == 0;
}

/* False: one of the ends is gone. */
static bool carry(VncWebsocket *ws)
{
    bool reads_peer = !ws->in.ended && ws->in.bytes->len == 0 &&
                      ws->out.bytes->len < CHUNK;
    bool reads_stream = !ws->out.ended && ws->out.bytes->len == 0 && ws->codec->ready;
    short peer = (reads_peer ? POLLIN : 0) | (ws->out.bytes->len > 0 ? POLLOUT : 0);
    short stream = (reads_stream ? POLLIN : 0) | (ws->in.bytes->len > 0 ? POLLOUT : 0);
    /* An end that hangs up is told of as often as it is asked, so it is asked if that matters. */
    struct pollfd fds[] = {
        { .fd = peer != 0 ? ws->peer : -1, .events = peer },
        { .fd = stream != 0 ? ws->stream : -1, .events = stream },
    };

    if (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
        return errno == EINTR;
    }
    if (reads_peer && fds[0].revents != 0) {
        from_peer(ws);
    }
    if (reads_stream && fds[1].revents != 0) {
        from_stream(ws);
    }
    return (ws->out.bytes->len == 0 || write_some(ws->peer, ws->out.bytes)) &&
           (ws->in.bytes->len == 0 || write_some(ws->stream, ws->in.bytes));
}

static gpointer websocket_main(gpointer opaque)
{
    VncWebsocket *ws = opaque;

    while (!(ws->in.ended && ws->in.bytes->len == 0 && ws->out.bytes->len == 0) &&
           !(ws->out.ended && ws->out.bytes->len == 0) && carry(ws)) {
    }
    shutdown(ws->peer, SHUT_RDWR);
    shutdown(ws->stream, SHUT_RDWR);
    return NULL;
}

VncWebsocket *vnc_websocket_new(int fd, int *stream)
{
    VncWebsocket *websocket;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return NULL;
    }
    websocket = g_new(VncWebsocket, 1);
    *websocket = (VncWebsocket){
        .peer = fd, .stream = pair[0], .codec = stream_codec_new(&websocket_codec_type),
        .in.bytes = g_byte_array_new(), .out.bytes = g_byte_array_new(),
    };
    *stream = pair[1];
    websocket->thread = g_thread_new("vnc-websocket", websocket_main, websocket);
    return websocket;
}

void vnc_websocket_free(VncWebsocket *websocket)
{
    g_thread_join(websocket->thread);
    close(websocket->stream);
    g_byte_array_unref(websocket->in.bytes);
    g_byte_array_unref(websocket->out.bytes);
    g_free(websocket->codec);
    g_free(websocket);
}
