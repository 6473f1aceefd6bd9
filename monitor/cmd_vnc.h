/* `change vnc password`, which is not about drives. */
#pragma once

#include "command.h"

/* what: "password" or nothing known; without a password somebody is asked. */
bool monitor_change_vnc(Monitor *mon, const char *what, const char *password, GError **error);
