/* Commands about character devices. */
#include <string.h>

#include "qmp_api.h"
#include "vm.h"

GPtrArray *qmp_query_chardev(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_chardev_info_list_new();
    const GPtrArray *devices = chardev_list();

    for (guint i = 0; i < devices->len; i++) {
        QmpChardevInfo *entry = g_new0(QmpChardevInfo, 1);
        ChardevInfo info = { 0 };

        chardev_info(g_ptr_array_index(devices, i), &info);
        entry->label = g_strdup(info.label);
        entry->filename = info.filename;                /* ours now */
        entry->frontend_open = info.frontend_open;
        g_ptr_array_add(list, entry);
    }
    return list;
}

GPtrArray *qmp_query_chardev_backends(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_chardev_backend_info_list_new();

    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        QmpChardevBackendInfo *entry = g_new0(QmpChardevBackendInfo, 1);

        entry->name = g_strdup(*name);
        g_ptr_array_add(list, entry);
    }
    return list;
}

bool qmp_chardev_remove(Vm *vm, const char *id, GError **error)
{
    return chardev_remove(id, error);
}

/* ---- ring buffers ---- */

#define RINGBUF_READ_MAX (16 << 20)     /* who wants more asks again */

static Chardev *find_ringbuf(const char *label, GError **error)
{
    Chardev *chr = chardev_find(label);

    if (chr == NULL) {
        set_error(error, "Device '%s' not found", label);
        return NULL;
    }
    if (!chardev_is_ringbuf(chr)) {
        set_error(error, "%s is not a ringbuf device", label);
        return NULL;
    }
    return chr;
}

char *qmp_ringbuf_read(Vm *vm, const char *device, int64_t size, const QmpDataFormat *format,
                       GError **error)
{
    Chardev *chr = find_ringbuf(device, error);
    g_autofree uint8_t *data = NULL;
    size_t got;

    if (chr == NULL) {
        return NULL;
    }
    if (size <= 0) {
        set_error(error, "size must be greater than zero");
        return NULL;
    }
    size = MIN(size, RINGBUF_READ_MAX);
    data = g_malloc0(size + 1);
    got = chardev_ringbuf_read(chr, data, size);
    if (format != NULL && *format == QMP_DATA_FORMAT_BASE64) {
        return g_base64_encode(data, got);
    }
    return (char *)g_steal_pointer(&data);
}

static guchar *decode_base64(const char *text, gsize *len, GError **error)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/=";

    if (text[strspn(text, alphabet)] != '\0') {
        set_error(error, "Base64 data contains invalid characters");
        return NULL;
    }
    return g_base64_decode(text, len);
}

bool qmp_ringbuf_write(Vm *vm, const char *device, const char *data, const QmpDataFormat *format,
                       GError **error)
{
    Chardev *chr = find_ringbuf(device, error);
    g_autofree guchar *decoded = NULL;
    gsize len = strlen(data);

    if (chr == NULL) {
        return false;
    }
    if (format != NULL && *format == QMP_DATA_FORMAT_BASE64) {
        decoded = decode_base64(data, &len, error);
        if (decoded == NULL) {
            return false;
        }
    }
    chardev_ringbuf_write(chr, decoded != NULL ? decoded : (const guchar *)data, len);
    return true;
}
