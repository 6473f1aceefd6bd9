/* The monitor's expressions.  Reaches: expr, with a CPU and without one. */
#include <stdint.h>

#include "expr.h"
#include "fake_vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    X86Cpu *cpu = vm_cpu(fake_vm(), 0);

    for (int with_cpu = 0; with_cpu < 2; with_cpu++) {
        g_autoptr(GError) error = NULL;
        const char *at = text;
        uint64_t value;

        if (expr_eval(with_cpu ? cpu : NULL, &at, &value, &error) == (error != NULL)) {
            g_error("success and an error, or neither");
        }
    }
    return 0;
}
