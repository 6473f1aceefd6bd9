/*
 * -object secret: a password or key other objects name by its id.  Main thread, machine lock.
 */
#pragma once

#include "user_object.h"

#define SECRET_MAX (1024 * 1024)

extern const ObjectType secret_type;

/* The bytes, decoded; a new reference.  NULL: no such secret. */
GBytes *secret_lookup(const char *id, GError **error);
