/*
 * A QMP connection fed with anything.  Reaches: json_lexer, json_stream, json_string, json_text,
 * qmp_type (every kind, by the schema of the unit tests), qmp_dispatch, qmp_connection.
 */
#include <stdint.h>

#include "kinds_commands.h"
#include "qmp_connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    QmpConnection conn;

    qmp_connection_init(&conn, NULL, kinds_commands, json_object_new_object(), size % 2);
    qmp_connection_open(&conn);
    conn.session.negotiated = conn.session.oob_enabled = true;
    qmp_connection_receive(&conn, (const char *)data, size);
    qmp_connection_finish(&conn);
    return 0;
}
