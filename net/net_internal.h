/* What the files of net/ share and nobody else needs. */
#pragma once

#include "net.h"

/* ---- queue.c ---- */

/* Drops what waits for the peer; `tell`: as if it had gone. */
void net_queue_clear(NetClient *client, bool tell);
/* The main loop delivers what can go. */
void net_queue_kick(void);

/*
 * A watcher of a back end's traffic.  `packet` gets whole frames; `received`: the back end is
 * handed it, else it sends it.
 */
struct NetFilter {
    NetClient *client;                      /* NULL: it was closed */
    void (*packet)(NetFilter *filter, const struct iovec *iov, unsigned niov, bool received);
};
void net_filter_add(NetClient *client, NetFilter *filter);
void net_filter_remove(NetFilter *filter);
void net_filters_drop(NetClient *client);       /* it goes; its filters stay, watching nothing */

/* ---- net.c ---- */
void net_suggest_client(GError **error, const char *name);      /* the nearest, as a hint */
