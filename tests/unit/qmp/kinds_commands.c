#include "kinds_commands.h"

#include "json_text.h"
#include "rhea_error.h"

bool qmp_qmp_capabilities(QmpSession *session, const bool *oob, GError **error)
{
    session->negotiated = true;
    session->oob_enabled = oob != NULL && *oob;
    return true;
}

/* Through C and back: every field is copied by its own kind. */
QmpEverything *qmp_echo(Vm *vm, const QmpEverything *args, GError **error)
{
    json_object *copy = qmp_everything_to_json(args);
    QmpEverything *result = NULL;
    const QmpCommand *echo = qmp_command_find(kinds_commands, "echo");

    qmp_value_parse(echo->args, "", copy, &result, error);
    json_object_put(copy);
    return result;
}

bool qmp_add(Vm *vm, int64_t a, const int64_t *b, json_object **value, GError **error)
{
    *value = json_object_new_int64(a + (b != NULL ? *b : 0));
    return true;
}

char *qmp_join(Vm *vm, const GPtrArray *names, GError **error)
{
    GString *all = g_string_new(NULL);

    for (guint i = 0; i < names->len; i++) {
        g_string_append(all, g_ptr_array_index(names, i));
    }
    return g_string_free(all, FALSE);
}

bool qmp_fail(Vm *vm, int64_t class, GError **error)
{
    g_set_error(error, RHEA_ERROR, CLAMP(class, 0, RHEA_ERROR_KVM_MISSING_CAP), "failed");
    error_add_hint(error, "a hint for people");
    return false;
}

QmpPending *kinds_pending;

static void later_cancel(void *opaque)
{
    kinds_pending = NULL;
}

bool qmp_later(QmpSession *session, bool cancel, bool fail, GError **error)
{
    kinds_pending = qmp_session_defer(session, cancel ? later_cancel : NULL, NULL);
    if (fail) {
        qmp_pending_drop(g_steal_pointer(&kinds_pending));
        set_error(error, "too late");
    }
    return !fail;
}

int kinds_fd = -1;

bool qmp_take_fd(QmpSession *session, const bool *fail, GError **error)
{
    if (fail != NULL && *fail) {
        set_error(error, "left it");
        return false;
    }
    kinds_fd = qmp_session_take_fd(session);
    return true;
}

bool qmp_nothing(Vm *vm, GError **error)
{
    return true;
}
