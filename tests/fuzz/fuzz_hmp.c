/*
 * Lines of the human monitor on a machine of 64 KiB that only notes what it is asked to do.
 * Reaches: monitor, parse, complete, expr, dump and the commands' own argument checks.  Lines that
 * would write files or open sockets are left out.
 */
#include <stdint.h>
#include <string.h>

#include "fake_vm.h"
#include "monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool leaves_the_process(const char *line)
{
    static const char *const words[] = { "save", "log", "chardev", "history" };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strstr(line, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *line = g_strndup((const char *)data, size);

    if (!leaves_the_process(line)) {
        g_free(hmp_run(fake_vm(), line, -1));
        g_string_truncate(fake_calls, 0);
    }
    return 0;
}
