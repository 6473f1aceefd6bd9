/* The text after -vnc, taken apart.  Main thread. */
#pragma once

#include "keyval.h"
#include "vnc.h"
#include "vnc_screen.h"

typedef struct VncOptions {
    char *vnc, *id;                         /* vnc: HOST:DISPLAY, unix:PATH, none, "" */
    char *display; unsigned head;
    char *share, *websocket, *audiodev;
    char *password_secret, *tls_creds, *tls_authz, *sasl_authz;
    bool reverse, password, lossy, non_adaptive, lock_key_sync, power_control, sasl;
    bool ipv4, ipv6;
    unsigned to, connections, key_delay_ms;
    /* derived */
    const char *ipv4_text, *ipv6_text;      /* "on", "off", NULL: not said */
    VncShare share_policy;
} VncOptions;

/* vnc_fields[] of vnc.h describes these. */
/* False: `options` is to be finished all the same. */
bool vnc_options_parse(VncOptions *options, const char *text, GError **error);
void vnc_options_finish(VncOptions *options);
/* There is a server to make. */
bool vnc_options_wanted(const VncOptions *options);
