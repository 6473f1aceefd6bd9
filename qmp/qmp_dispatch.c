#include "qmp_dispatch.h"

#include <string.h>
#include <unistd.h>

#include "event_ring.h"
#include "rhea_error.h"

static const char *const class_names[] = {
    [RHEA_ERROR_GENERIC] = "GenericError",
    [RHEA_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
    [RHEA_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    [RHEA_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
    [RHEA_ERROR_KVM_MISSING_CAP] = "KVMMissingCap",
};

struct QmpPending {
    QmpSession *session;                /* NULL: the client has gone */
    json_object *request;
    void (*cancel)(void *opaque);
    void *opaque;
};

typedef struct Request {
    const char *command;
    bool oob;
    json_object *arguments;             /* borrowed; NULL: none given */
} Request;

json_object *qmp_error_reply(const GError *error)
{
    json_object *reply = json_object_new_object(), *body = json_object_new_object();
    int code = error->domain == RHEA_ERROR ? error->code : RHEA_ERROR_GENERIC;

    json_object_object_add(body, "class", json_object_new_string(class_names[code]));
    json_object_object_add(body, "desc", json_object_new_string(error->message));
    json_object_object_add(reply, "error", body);
    return reply;
}

const QmpCommand *qmp_command_find(const QmpCommand *commands, const char *name)
{
    for (const QmpCommand *command = commands; command->name != NULL; command++) {
        if (g_str_equal(command->name, name)) {
            return command;
        }
    }
    return NULL;
}

/* ---- reading the request ---- */

static bool take_command(Request *request, const char *key, json_object *value, GError **error)
{
    if (!json_object_is_type(value, json_type_string)) {
        set_error(error, "QMP input member '%s' must be a string", key);
        return false;
    }
    if (request->command != NULL) {
        set_error(error, "QMP input member 'execute' clashes with 'exec-oob'");
        return false;
    }
    request->command = json_object_get_string(value);
    request->oob = g_str_equal(key, "exec-oob");
    return true;
}

static bool take_request_member(const QmpSession *session, Request *request, const char *key,
                                json_object *value, GError **error)
{
    if (g_str_equal(key, "execute") || (g_str_equal(key, "exec-oob") && session->oob_enabled)) {
        return take_command(request, key, value, error);
    }
    if (g_str_equal(key, "arguments")) {
        if (!json_object_is_type(value, json_type_object)) {
            set_error(error, "QMP input member 'arguments' must be an object");
            return false;
        }
        request->arguments = value;
        return true;
    }
    if (!g_str_equal(key, "id")) {
        set_error(error, "QMP input member '%s' is unexpected", key);
        return false;
    }
    return true;
}

static bool read_request(const QmpSession *session, json_object *input, Request *request,
                         GError **error)
{
    json_object_object_foreach(input, key, value) {
        if (!take_request_member(session, request, key, value, error)) {
            return false;
        }
    }
    if (request->command == NULL) {
        set_error(error, "QMP input lacks member 'execute'");
        return false;
    }
    return true;
}

static const QmpCommand *choose_command(const QmpSession *session, const Request *request,
                                        GError **error)
{
    const QmpCommand *command = qmp_command_find(session->commands, request->command);
    bool negotiates = g_str_equal(request->command, "qmp_capabilities");

    if (!session->negotiated && !negotiates) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_COMMAND_NOT_FOUND,
                    "Expecting capabilities negotiation with 'qmp_capabilities'");
        return NULL;
    }
    if (session->negotiated && negotiates) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_COMMAND_NOT_FOUND,
                    "Capabilities negotiation is already complete, command ignored");
        return NULL;
    }
    if (command == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_COMMAND_NOT_FOUND,
                    "The command %s has not been found", request->command);
        return NULL;
    }
    if (request->oob && !command->oob) {
        set_error(error, "The command %s does not support OOB", request->command);
        return NULL;
    }
    return command;
}

bool qmp_request_is_oob(const QmpSession *session, json_object *request)
{
    return session->oob_enabled && json_object_is_type(request, json_type_object) &&
           json_object_object_get_ex(request, "exec-oob", NULL) &&
           !json_object_object_get_ex(request, "execute", NULL);
}

bool qmp_request_takes_fd(const QmpSession *session, json_object *request)
{
    const QmpCommand *command;
    json_object *name;

    if (!json_object_is_type(request, json_type_object) ||
        !json_object_object_get_ex(request, "execute", &name) ||
        !json_object_is_type(name, json_type_string)) {
        return false;
    }
    command = qmp_command_find(session->commands, json_object_get_string(name));
    return command != NULL && command->fd;
}

/* ---- running it ---- */

/* The lines below the first are for people at a terminal; clients compare the first. */
static void drop_hints(GError *error)
{
    error->message[strcspn(error->message, "\n")] = '\0';
}

static json_object *run_command(QmpSession *session, const QmpCommand *command,
                                json_object *arguments, GError **error)
{
    json_object *given = arguments != NULL ? json_object_get(arguments) : json_object_new_object();
    json_object *reply = NULL, *value;
    QmpSlot ret = { 0 };
    void *args = NULL;
    bool ok = qmp_value_parse(command->args, "", given, &args, error);

    json_object_put(given);
    if (!ok) {
        return NULL;
    }
    if (!command->run(session, args, &ret, error)) {
        drop_hints(*error);
    } else if (!command->async) {
        value = command->ret != NULL ? qmp_value_to_json(command->ret, &ret)
                                     : json_object_new_object();
        reply = json_object_new_object();
        json_object_object_add(reply, "return", value);
    }
    if (command->ret != NULL && !command->async) {
        qmp_value_clear(command->ret, &ret);
    }
    qmp_object_free(command->args, args);
    return reply;
}

/* In front of an error, behind a result. */
static json_object *add_id(json_object *reply, json_object *request)
{
    json_object *id, *with_id;

    if (!json_object_object_get_ex(request, "id", &id)) {
        return reply;
    }
    if (json_object_object_get_ex(reply, "return", NULL)) {
        json_object_object_add(reply, "id", json_object_get(id));
        return reply;
    }
    with_id = json_object_new_object();
    json_object_object_add(with_id, "id", json_object_get(id));
    json_object_object_foreach(reply, key, value) {
        json_object_object_add(with_id, key, json_object_get(value));
    }
    json_object_put(reply);
    return with_id;
}

json_object *qmp_dispatch(QmpSession *session, json_object *input)
{
    g_autoptr(GError) error = NULL;
    const QmpCommand *command = NULL;
    Request request = { 0 };
    json_object *reply = NULL;

    if (!json_object_is_type(input, json_type_object)) {
        set_error(&error, "QMP input must be a JSON object");
        return qmp_error_reply(error);
    }
    if (read_request(session, input, &request, &error)) {
        command = choose_command(session, &request, &error);
    }
    if (command != NULL) {
        session->previous_mark = session->mark;
        session->mark = event_ring_end();
        session->request = input;
        reply = run_command(session, command, request.arguments, &error);
        if (reply == NULL && error == NULL) {
            return NULL;
        }
    }
    return add_id(reply != NULL ? reply : qmp_error_reply(error), input);
}

int qmp_session_take_fd(QmpSession *session)
{
    int fd = session->fd;

    session->fd = -1;
    return fd;
}

/* ---- answers that come later ---- */

QmpPending *qmp_session_defer(QmpSession *session, void (*cancel)(void *opaque), void *opaque)
{
    QmpPending *pending = g_new0(QmpPending, 1);

    g_assert(session->pending == NULL);
    *pending = (QmpPending){ session, json_object_get(session->request), cancel, opaque };
    session->pending = pending;
    return pending;
}

static void pending_free(QmpPending *pending)
{
    json_object_put(pending->request);
    g_free(pending);
}

void qmp_pending_drop(QmpPending *pending)
{
    pending->session->pending = NULL;
    pending_free(pending);
}

static void pending_answer(QmpPending *pending, json_object *reply)
{
    QmpSession *session = pending->session;

    reply = add_id(reply, pending->request);
    pending_free(pending);
    if (session != NULL) {
        session->pending = NULL;
        session->answer(session, reply);
    }
    json_object_put(reply);
}

void qmp_pending_return(QmpPending *pending, json_object *value)
{
    json_object *reply = json_object_new_object();

    json_object_object_add(reply, "return", value != NULL ? value : json_object_new_object());
    pending_answer(pending, reply);
}

void qmp_pending_fail(QmpPending *pending, const GError *error)
{
    pending_answer(pending, qmp_error_reply(error));
}

void qmp_session_end(QmpSession *session)
{
    QmpPending *pending = session->pending;

    session->pending = NULL;
    if (pending != NULL) {
        pending->session = NULL;
        if (pending->cancel != NULL) {
            pending->cancel(pending->opaque);
            pending_free(pending);
        }
    }
}
