/*
 * Passwords of VNC servers: one per server, and those who guess at it.
 *
 * RFB's authentication (RFC 6143 §7.2.2) is a challenge the viewer encrypts with DES under the
 * password; 8 characters of it count.  Whoever answers wrong waits before the next answer is looked
 * at: a delay per address that doubles, and one answer at a time.  What is remembered is bounded.
 *
 * Any thread; no other lock is taken inside.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { VNC_CHALLENGE_SIZE = 16, VNC_PASSWORD_MAX = 8 };

typedef struct VncAuth VncAuth;

VncAuth *vnc_auth_new(const char *server);          /* no password yet: every answer is wrong */
VncAuth *vnc_auth_ref(VncAuth *auth);
void vnc_auth_unref(VncAuth *auth);                 /* NULL is fine */
void vnc_auth_set_password(VncAuth *auth, const char *password);        /* NULL: none */
/* From then on no password is right; G_MAXINT64: never.  Seconds since 1970. */
void vnc_auth_expire(VncAuth *auth, int64_t when);
/*
 * Whether `response` answers `challenge`.  Waits as long as `host` has to, and logs a wrong answer
 * as that of HOST:SERVICE.
 */
bool vnc_auth_check(VncAuth *auth, const char *host, const char *service,
                    const uint8_t challenge[VNC_CHALLENGE_SIZE],
                    const uint8_t response[VNC_CHALLENGE_SIZE]);
/* Those who wait in vnc_auth_check() are refused at once, now and from here on. */
void vnc_auth_close(VncAuth *auth);

/* What a viewer with that password answers; 8 bytes of it count. */
void vnc_auth_response(const char *password, const uint8_t challenge[VNC_CHALLENGE_SIZE],
                       uint8_t response[VNC_CHALLENGE_SIZE]);
