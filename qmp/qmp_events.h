/* Events: from typed functions to every client that has negotiated.  Main thread, machine lock. */
#pragma once

#include "qmp_dispatch.h"

/* Called by the generated qmp_event_*(); `data` is the event's struct.  Main thread. */
void qmp_event_emit(const QmpEventType *event, const void *data);

/* Who gets the finished event; the server sets it once. */
typedef void (*QmpBroadcastFn)(json_object *event);
void qmp_events_start(QmpBroadcastFn broadcast);
