/* Every driver there is; the order is that of help texts. */
#include "block_internal.h"

extern const BlockDriver block_file, block_host_device, block_nbd, block_null_co, block_qcow2,
                         block_raw;

const BlockDriver *const block_drivers[] = {
    &block_file,
    &block_host_device,
    &block_nbd,
    &block_null_co,
    &block_qcow2,
    &block_raw,
    NULL
};

const char *const block_prealloc_names[] = { "off", "metadata", "falloc", "full", NULL };

const BlockDriver *block_driver_find(const char *name)
{
    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        if (g_str_equal((*driver)->name, name)) {
            return *driver;
        }
    }
    return NULL;
}
