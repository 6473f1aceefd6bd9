/*
 * A local APIC in the kernel as a device: `info lapic` and saved state.  Register offsets and bits:
 * SDM volume 3A, table 11-1 and section 11.5.
 *
 * It sits on a bus of its own, below no other device: it belongs to its CPU, which resets it.
 */
#include "kvm.h"

#include <string.h>

#include "kvm_devices.h"
#include "rhea_error.h"

#define LAPIC_TPR       0x80
#define LAPIC_APR       0x90
#define LAPIC_PPR       0xa0
#define LAPIC_LDR       0xd0
#define LAPIC_DFR       0xe0
#define LAPIC_SPIV      0xf0
#define LAPIC_ISR       0x100
#define LAPIC_IRR       0x200
#define LAPIC_ESR       0x280
#define LAPIC_ICR       0x300
#define LAPIC_ICR2      0x310
#define LAPIC_LVTT      0x320
#define LAPIC_INITIAL   0x380
#define LAPIC_CURRENT   0x390
#define LAPIC_DIVIDE    0x3e0

#define LVT_PENDING     (1u << 12)
#define LVT_ACTIVE_LOW  (1u << 13)
#define LVT_LEVEL       (1u << 15)
#define LVT_MASKED      (1u << 16)
#define MODE_FIXED      0u
#define MODE_EXTINT     7u
#define SPIV_ENABLE     (1u << 8)
#define SPIV_FOCUS      (1u << 9)
#define ICR_LOGICAL     (1u << 11)
#define ICR_ASSERT      (1u << 14)
#define ICR_LEVEL       (1u << 15)

static const BusType cpu_bus_type = { .name = "cpu" };
static Bus *cpu_bus;

typedef struct KvmApic {
    Device dev;
    /* wiring */
    X86Cpu *cpu;
    /* guest-visible state: the kernel's, copied here while it is saved */
    struct kvm_lapic_state state;
} KvmApic;

static uint32_t reg_at(const KvmApic *apic, unsigned offset)
{
    uint32_t value;

    memcpy(&value, apic->state.regs + offset, sizeof(value));
    return value;
}

static void fetch_lapic(X86Cpu *cpu, void *opaque)
{
    KvmApic *apic = opaque;

    ioctl(kvm_cpu(cpu)->fd, KVM_GET_LAPIC, &apic->state);
}

/* ---- info lapic ---- */

static const char *const delivery_modes[8] = {
    "Fixed", "LowPri", "SMI", "...", "NMI", "INIT", "SIPI", "ExtINT",
};

static void print_lvt(const KvmApic *apic, const char *name, unsigned offset, bool timer,
                      GString *out)
{
    static const char *const timer_modes[4] = { "one-shot", "periodic", "tsc-deadline", "..." };
    uint32_t lvt = reg_at(apic, offset);
    unsigned mode = lvt >> 8 & 7;

    g_string_append_printf(out, "%s\t 0x%08x %s %-5s %-6s %-7s %-12s %-6s", name, lvt,
                           lvt & LVT_ACTIVE_LOW ? "active-lo" : "active-hi",
                           lvt & LVT_LEVEL ? "level" : "edge", lvt & LVT_MASKED ? "masked" : "",
                           lvt & LVT_PENDING ? "pending" : "",
                           timer ? timer_modes[lvt >> 17 & 3] : "",
                           delivery_modes[timer ? MODE_FIXED : mode]);
    if (timer || mode == MODE_FIXED || mode == MODE_EXTINT) {
        g_string_append_printf(out, " (vec %u)", lvt & 0xff);
    }
    g_string_append_c(out, '\n');
}

static void print_icr(const KvmApic *apic, GString *out)
{
    static const char *const shorthands[4] = { "no-shorthand", "self", "all-self", "all" };
    uint32_t icr = reg_at(apic, LAPIC_ICR), icr2 = reg_at(apic, LAPIC_ICR2);

    g_string_append_printf(out, "ICR\t 0x%08x %s %s %s %s\n", icr,
                           icr & ICR_LOGICAL ? "logical" : "physical",
                           icr & ICR_LEVEL ? "level" : "edge",
                           icr & ICR_ASSERT ? "assert" : "de-assert", shorthands[icr >> 18 & 3]);
    g_string_append_printf(out, "ICR2\t 0x%08x", icr2);
    if ((icr >> 18 & 3) == 0) {
        g_string_append_printf(out, icr & ICR_LOGICAL ? " mask %02x" : " cpu %u", icr2 >> 24);
        g_string_append(out, icr & ICR_LOGICAL ? "" : " (X2APIC ID)");
    }
    g_string_append_c(out, '\n');
}

static void print_vectors(const KvmApic *apic, const char *name, unsigned offset, GString *out)
{
    bool any = false;

    g_string_append_printf(out, "%s\t ", name);
    for (unsigned vector = 0; vector < 256; vector++) {
        if (reg_at(apic, offset + vector / 32 * 16) >> vector % 32 & 1) {
            g_string_append_printf(out, "%u ", vector);
            any = true;
        }
    }
    g_string_append(out, any ? "\n" : "(none)\n");
}

/* The divider's code is split over bits 3, 1 and 0; 7 divides by one. */
static unsigned timer_divider(uint32_t code)
{
    unsigned packed = (code & 3) | (code >> 1 & 4);

    return packed == 7 ? 1 : 2u << packed;
}

static void apic_view(Device *dev, DeviceView view, GString *out)
{
    static const struct { const char *name; unsigned offset; } lvts[] = {
        { "LVT0", 0x350 }, { "LVT1", 0x360 }, { "LVTPC", 0x340 }, { "LVTERR", 0x370 },
        { "LVTTHMR", 0x330 }, { "LVTT", LAPIC_LVTT },
    };
    KvmApic *apic = DEVICE_CAST(dev, KvmApic);
    uint32_t spiv;

    if (view != VIEW_LAPIC) {
        return;
    }
    vcpu_run_on(apic->cpu, fetch_lapic, apic);
    spiv = reg_at(apic, LAPIC_SPIV);
    g_string_append_printf(out, "dumping local APIC state for CPU %u \n\n", apic->cpu->index);
    for (unsigned i = 0; i < G_N_ELEMENTS(lvts); i++) {
        print_lvt(apic, lvts[i].name, lvts[i].offset, lvts[i].offset == LAPIC_LVTT, out);
    }
    g_string_append_printf(out, "Timer\t DCR=0x%x (divide by %u) initial_count = %u "
                           "current_count = %u\n", reg_at(apic, LAPIC_DIVIDE) & 0xf,
                           timer_divider(reg_at(apic, LAPIC_DIVIDE)),
                           reg_at(apic, LAPIC_INITIAL), reg_at(apic, LAPIC_CURRENT));
    g_string_append_printf(out, "SPIV\t 0x%08x APIC %s, focus=%s, spurious vec %u\n", spiv,
                           spiv & SPIV_ENABLE ? "enabled" : "disabled",
                           spiv & SPIV_FOCUS ? "on" : "off",
                           spiv & 0xff);
    print_icr(apic, out);
    g_string_append_printf(out, "ESR\t 0x%08x\n", reg_at(apic, LAPIC_ESR));
    print_vectors(apic, "ISR", LAPIC_ISR, out);
    print_vectors(apic, "IRR", LAPIC_IRR, out);
    g_string_append_printf(out, "\nAPR 0x%02x TPR 0x%02x DFR 0x%02x LDR 0x%02x PPR 0x%02x\n",
                           reg_at(apic, LAPIC_APR) & 0xff, reg_at(apic, LAPIC_TPR) & 0xff,
                           reg_at(apic, LAPIC_DFR) >> 28, reg_at(apic, LAPIC_LDR) >> 24,
                           reg_at(apic, LAPIC_PPR) & 0xff);
}

/* ---- saved state ---- */

static void apic_saving(void *opaque)
{
    KvmApic *apic = opaque;

    vcpu_run_on(apic->cpu, fetch_lapic, apic);
}

static bool apic_loaded(void *opaque, GError **error)
{
    KvmApic *apic = opaque;
    KvmCpu *k = kvm_cpu(apic->cpu);

    if (!k) {
        set_error(error, "CPU %u has no local APIC in the kernel", apic->cpu->index);
        return false;
    }
    k->lapic = apic->state;
    k->lapic_loaded = true;
    k->lapic_reset = false;
    apic->cpu->state_changed = true;
    return true;
}

static const StateField apic_fields[] = {
    { .name = "regs", .kind = STATE_KIND_BYTES, .offset = offsetof(KvmApic, state.regs),
      .size = sizeof(((KvmApic *)0)->state.regs), .count = 1 },
    {}
};

static const StateDesc apic_state = {
    .name = "kvm-apic", .version = 1, .fields = apic_fields, .saving = apic_saving,
    .loaded = apic_loaded,
};

/* ---- life ---- */

static bool apic_realize(Device *dev, GError **error)
{
    return true;
}

const DeviceType kvm_apic_type = {
    .name = "kvm-apic", .help = "a CPU's local APIC in the kernel", .bus = &cpu_bus_type,
    .size = sizeof(KvmApic), .state = &apic_state, .board_only = true, .realize = apic_realize,
    .view = apic_view,
};

bool kvm_apic_new(X86Cpu *cpu, GError **error)
{
    Device *dev = device_new(cpu->vm, &kvm_apic_type, NULL);

    if (!cpu_bus) {
        cpu_bus = bus_new(NULL, &cpu_bus_type, "cpu");
    }
    DEVICE_CAST(dev, KvmApic)->cpu = cpu;
    object_add_child(&cpu->obj, "lapic", &dev->obj);
    if (!device_realize(dev, cpu_bus, error)) {
        return false;
    }
    cpu->apic = dev;
    return true;
}

void kvm_apics_finish(void)
{
    g_clear_pointer(&cpu_bus, bus_free);
}
