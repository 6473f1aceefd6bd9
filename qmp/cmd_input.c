/* Commands that type on the guest's keyboard. */
#include <inttypes.h>

#include "qmp_api.h"
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
    return text->len == 0 || vm_send_keys(vm, text->str, hold_time != NULL ? *hold_time : 0, error);
}
