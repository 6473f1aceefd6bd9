/* Option strings and sizes.  Reaches: keyval, sizes. */
#include <stdint.h>

#include "keyval.h"
#include "sizes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    KeyVal *kv = keyval_parse(text, "first", NULL);
    uint64_t bytes;
    bool flag;

    if (kv != NULL) {
        keyval_get_size(kv, "first", 1, &bytes, NULL);
        keyval_get_bool(kv, "on", &flag, NULL);
        keyval_get_uint(kv, "x", UINT64_MAX, &bytes, NULL);
        keyval_check_known(kv, NULL);
    }
    keyval_free(kv);
    return 0;
}
