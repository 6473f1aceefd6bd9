/*
 * Sources of random bytes: -object rng-random, rng-builtin.  Main thread, machine lock.
 */
#pragma once

#include "user_object.h"

extern const ObjectType rng_random_type, rng_builtin_type;
#define RNG_BACKEND "rng-backend"           /* PROP_LINK(VirtioRng, rng, RNG_BACKEND, …) */
#define RNG_MAX_REQUEST (64 * 1024)

/* `len` bytes, at least one and at most what was asked for; they are gone after the call. */
typedef void (*RngFn)(void *opaque, const uint8_t *bytes, size_t len);

/*
 * Asks for up to `len` bytes (1 to RNG_MAX_REQUEST).  `done` is called once, from the main loop and
 * never from within; requests are served in order.
 */
void rng_request(UserObject *rng, size_t len, RngFn done, void *opaque);
void rng_cancel(UserObject *rng, void *opaque);     /* all requests with this opaque; no more calls */
