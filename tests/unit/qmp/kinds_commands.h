/* What the connection and value tests share: the schema of kinds.json with its functions. */
#pragma once

#include "kinds_api.h"

extern QmpPending *kinds_pending;        /* of the command `later`; NULL: none, or its client has gone */
extern int kinds_fd;                    /* what `take-fd` got; -1: nothing */

extern const QmpCommand kinds_commands[];
extern const QmpEventType kinds_events[];
