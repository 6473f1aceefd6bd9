/* Text of `info accel`. */
#include <string.h>

#include "accel.h"
#include "cpuid.h"

static void print_probe(const AccelProbe *probe, GString *out)
{
    if (!probe->kvm_usable) {
        g_string_append_printf(out, "kvm: not usable: %s\n", probe->kvm_problem);
        return;
    }
    g_string_append_printf(out, "kvm: %.1f million supervisor instructions a second (%s), "
                           "port exit %.0f ns%s\n", probe->kvm_supervisor_mips,
                           probe->kvm_emulates ? "emulated" : "native",
                           probe->kvm_exit_ns, probe->cached ? ", measured earlier" : "");
}

/* Flags that x86-64-v2 and v3 software looks for and this CPU does not have. */
static void print_missing(const X86Cpu *cpu, GString *out)
{
    static const char *const wanted[] = {
        "cx16", "lahf-lm", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3", "avx", "avx2", "bmi1",
        "bmi2", "f16c", "fma", "abm", "movbe", "xsave", "aes", "pclmulqdq", "rdrand", "fsgsbase",
        "smep", "smap", "pcid", "x2apic", "tsc-deadline",
    };
    bool any = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
        FeatureWord word;
        unsigned bit;

        if (x86_feature_find(wanted[i], &word, &bit) && !x86_cpu_has(cpu->model, word, bit)) {
            g_string_append_printf(out, "%s %s", any ? "" : "not in this CPU model:", wanted[i]);
            any = true;
        }
    }
    g_string_append(out, any ? "\n" : "");
}

void accel_print_info(Vm *vm, const AccelChoice *choice, GString *out)
{
    static const char *const irqchips[] = {
        [IRQCHIP_USER] = "in this process", [IRQCHIP_SPLIT] = "LAPIC in the kernel",
        [IRQCHIP_KERNEL] = "in the kernel",
    };

    AccelProbe probe = choice->probe;

    g_string_append_printf(out, "engine: %s, because %s\n", vm->accel->name, choice->reason);
    g_string_append_printf(out, "interrupt controllers: %s\n", irqchips[vm->accel->irqchip(vm)]);
    /*
     * An engine asked for by name was not measured against the other; now somebody wants to know.
     */
    if (!choice->probed) {
        accel_probe(&probe);
    }
    print_probe(&probe, out);
    if (vm->cpus->len > 0) {
        print_missing(g_ptr_array_index(vm->cpus, 0), out);
    }
}
