/* Commands that use the guest's keyboard and mouse. */
#include <inttypes.h>

#include "display.h"
#include "keys.h"
#include "qmp_api.h"
#include "typing.h"
#include "vm.h"

#define HOLD_MS_MAX 60000

/* One key as sendkey's text names it; false: a number that is no scan code. */
static bool append_key(GString *text, const QmpKeyValue *key, GError **error)
{
    if (text->len > 0) {
        g_string_append_c(text, '-');
    }
    if (key->type == QMP_KEY_VALUE_KIND_QCODE) {
        g_string_append(text, qmp_q_key_code_names[key->u.qcode.data]);
        return true;
    }
    if (key->u.number.data < 0 || key->u.number.data > 0xff) {
        set_error(error, "Parameter 'data' expects a scan code from 0 to 255");
        return false;
    }
    g_string_append_printf(text, "0x%02" PRIx64, key->u.number.data);
    return true;
}

bool qmp_send_key(Vm *vm, const GPtrArray *keys, const int64_t *hold_time, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (hold_time != NULL && (*hold_time < 0 || *hold_time > HOLD_MS_MAX)) {
        set_error(error, "Parameter 'hold-time' expects milliseconds, at most %d", HOLD_MS_MAX);
        return false;
    }
    for (guint i = 0; i < keys->len; i++) {
        if (!append_key(text, g_ptr_array_index(keys, i), error)) {
            return false;
        }
    }
    return text->len == 0 || typing_keys(vm, text->str, hold_time != NULL ? *hold_time : 0, error);
}

/* ---- type ---- */

static void on_typed(void *opaque, const GError *error)
{
    if (error != NULL) {
        qmp_pending_fail(opaque, error);
    } else {
        qmp_pending_return(opaque, NULL);
    }
}

bool qmp_type(QmpSession *session, const char *text, const char *layout, const bool *wait,
              GError **error)
{
    TypedFn done = wait != NULL && *wait ? on_typed : NULL;
    QmpPending *pending;

    /* This connection's `cont` would wait for the reply. */
    if (done != NULL && !input_reaches_guest(session->vm)) {
        set_error(error, "VM not running");
        return false;
    }
    pending = qmp_session_defer(session, NULL, NULL);
    if (!typing_text(session->vm, text, layout != NULL ? layout : display_layout(), done, pending,
                     error)) {
        qmp_pending_drop(pending);
        return false;
    }
    if (done == NULL) {
        qmp_pending_return(pending, NULL);
    }
    return true;
}

/* ---- query-mice ---- */

static void add_mouse(const InputHandler *handler, bool current, void *opaque)
{
    QmpMouseInfo *info = g_new0(QmpMouseInfo, 1);

    info->name = g_strdup(handler->name);
    info->index = handler->index;
    info->current = current;
    info->absolute = handler->mask & INPUT_MASK(INPUT_ABS);
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_mice(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_mouse_info_list_new();

    input_foreach_pointer(vm, add_mouse, list);
    return list;
}

/* ---- input-send-event ---- */

static bool read_key(const QmpKeyValue *key, unsigned *number, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!append_key(text, key, error)) {
        return false;
    }
    *number = key_find(text->str);
    return true;                            /* a key nobody has reaches nobody */
}

/* The schema and the input core count kinds, buttons and axes in the same order. */
static bool read_event(const QmpInputEvent *from, InputEvent *to, GError **error)
{
    const QmpInputMoveEvent *move;

    switch (from->type) {
    case QMP_INPUT_EVENT_KIND_KEY:
        *to = (InputEvent){ .kind = INPUT_KEY, .value = from->u.key.data->down };
        return read_key(from->u.key.data->key, &to->code, error);
    case QMP_INPUT_EVENT_KIND_BTN:
        *to = (InputEvent){ INPUT_BUTTON, (unsigned)from->u.btn.data->button,
                            from->u.btn.data->down };
        return true;
    default:
        move = from->type == QMP_INPUT_EVENT_KIND_REL ? from->u.rel.data : from->u.abs.data;
        if (move->value < INT32_MIN || move->value > INT32_MAX) {
            set_error(error, "Parameter 'value' expects a 32-bit number");
            return false;
        }
        *to = (InputEvent){ from->type == QMP_INPUT_EVENT_KIND_REL ? INPUT_REL : INPUT_ABS,
                            (unsigned)move->axis, move->value };
        return true;
    }
}

/* Every keyboard and pointer is at every screen: which one it is decides nothing more. */
static bool is_screen(Vm *vm, const char *id, int64_t head, GError **error)
{
    const Device *device = device_find(vm, id);

    if (device == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    if (head < 0 || head > UINT_MAX || console_of(vm, device, head) == NULL) {
        set_error(error, "Device %s (head %" PRId64 ") is not bound to a QemuConsole", id, head);
        return false;
    }
    return true;
}

bool qmp_input_send_event(Vm *vm, const char *device, const int64_t *head, const GPtrArray *events,
                          GError **error)
{
    g_autofree InputEvent *list = g_new0(InputEvent, events->len + 1);

    if (device != NULL && !is_screen(vm, device, head != NULL ? *head : 0, error)) {
        return false;
    }
    if (!vm_is_running(vm) && vm->run_state != RUN_STATE_SUSPENDED) {
        set_error(error, "VM not running");
        return false;
    }
    for (guint i = 0; i < events->len; i++) {
        const QmpInputEvent *event = g_ptr_array_index(events, i);

        if (!read_event(event, &list[i], error)) {
            return false;
        }
        if (!input_takes(vm, list[i].kind)) {
            set_error(error, "Input handler not found for event type %s",
                      qmp_input_event_kind_names[event->type]);
            return false;
        }
    }
    for (guint i = 0; i < events->len; i++) {
        input_send(vm, &list[i]);
    }
    input_sync(vm);
    return true;
}
