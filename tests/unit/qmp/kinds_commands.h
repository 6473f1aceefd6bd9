/* What the connection and value tests share: the schema of kinds.json with its functions. */
#pragma once

#include "kinds_api.h"

extern const QmpCommand kinds_commands[];
extern const QmpEventType kinds_events[];
