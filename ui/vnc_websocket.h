/*
 * A viewer inside a browser: WebSocket (RFC 6455) on its socket, a plain stream on ours.
 *
 * A thread carries bytes between the two, at most so many as are under way at a time.
 */
#pragma once

typedef struct VncWebsocket VncWebsocket;

/* *stream: our end, the caller's.  `fd` stays the caller's and open.  NULL: out of descriptors. */
VncWebsocket *vnc_websocket_new(int fd, int *stream);
/* Waits until what was written to our end, closed by now, is sent or the socket is shut down. */
void vnc_websocket_free(VncWebsocket *socket);
