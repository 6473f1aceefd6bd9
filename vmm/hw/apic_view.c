/* Text of `info lapic`. */
#include "apic_state.h"

static const char *const delivery_names[8] = {
    "Fixed", "Lowest", "SMI", "...", "NMI", "INIT", "...", "ExtINT",
};
static const char *const timer_modes[4] = { "one-shot", "periodic", "tsc-deadline", "..." };
static const char *const shorthands[4] = { "no-shorthand", "self", "all-self", "all" };

static void print_lvt(const Apic *apic, unsigned row, const char *name, GString *out)
{
    uint32_t lvt = apic->lvt[row];

    g_string_append_printf(out, "%s\t 0x%08x active-%s %-5s %-6s %-7s %-12s %-6s", name, lvt,
                           lvt & LVT_ACTIVE_LOW ? "lo" : "hi", lvt & LVT_LEVEL ? "level" : "edge",
                           lvt & LVT_MASKED ? "masked" : "", lvt & LVT_PENDING ? "pending" : "",
                           row == LVT_TIMER ? timer_modes[LVT_TIMER_MODE(lvt)] : "",
                           delivery_names[LVT_DELIVERY(lvt)]);
    if (LVT_DELIVERY(lvt) != DELIVER_NMI) {
        g_string_append_printf(out, " (vec %u)", lvt & 0xff);
    }
    g_string_append_c(out, '\n');
}

static void print_binary(uint32_t value, unsigned digits, GString *out)
{
    while (digits-- > 0) {
        g_string_append_c(out, value >> digits & 1 ? '1' : '0');
    }
}

static void print_logical(const Apic *apic, uint32_t dest, GString *out)
{
    unsigned digits = apic_x2(apic) ? 16 : apic->dest_mode == DFR_FLAT ? 8 : 4;

    if (digits != 8) {
        g_string_append_printf(out, " cluster %u", dest >> digits);
    }
    g_string_append(out, " mask ");
    print_binary(dest, digits, out);
    g_string_append(out, " (APIC ID)");
}

static void print_icr(const Apic *apic, GString *out)
{
    uint32_t icr = apic->icr[0];
    uint32_t dest = apic_x2(apic) ? apic->icr[1] : apic->icr[1] >> 24;

    g_string_append_printf(out, "ICR\t 0x%08x %s %s %s %s\n", icr,
                           icr & ICR_LOGICAL ? "logical" : "physical",
                           icr & ICR_LEVEL ? "level" : "edge",
                           icr & ICR_ASSERT ? "assert" : "de-assert",
                           shorthands[ICR_SHORTHAND(icr)]);
    g_string_append_printf(out, "ICR2\t 0x%08x", apic->icr[1]);
    if (ICR_SHORTHAND(icr) == SHORTHAND_NONE) {
        if (icr & ICR_LOGICAL) {
            print_logical(apic, dest, out);
        } else {
            g_string_append_printf(out, " cpu %u (APIC ID)", dest);
        }
    }
    g_string_append_c(out, '\n');
}

static void print_vectors(const Apic *apic, const char *name, const uint32_t *bits, GString *out)
{
    bool any = false;

    g_string_append_printf(out, "%s\t ", name);
    for (unsigned n = 0; n < 256; n++) {
        if (bits[n >> 5] >> (n & 31) & 1) {
            bool level = apic->tmr[n >> 5] >> (n & 31) & 1;

            g_string_append_printf(out, "%u%s ", n, level ? "(level)" : "");
            any = true;
        }
    }
    g_string_append(out, any ? "\n" : "(none)\n");
}

void apic_print(const Apic *apic, GString *out)
{
    g_string_append_printf(out, "dumping local APIC state for CPU %-2u\n\n", apic->cpu->index);
    print_lvt(apic, LVT_LINT0, "LVT0", out);
    print_lvt(apic, LVT_LINT1, "LVT1", out);
    print_lvt(apic, LVT_PERF, "LVTPC", out);
    print_lvt(apic, LVT_ERROR, "LVTERR", out);
    print_lvt(apic, LVT_THERMAL, "LVTTHMR", out);
    print_lvt(apic, LVT_TIMER, "LVTT", out);
    g_string_append_printf(out, "Timer\t DCR=0x%x (divide by %u) initial_count = %u "
                           "current_count = %u\n", apic->divide_conf, 1u << apic_timer_shift(apic),
                           apic->initial_count, apic_timer_current(apic));
    g_string_append_printf(out, "SPIV\t 0x%08x APIC %s, focus=%s, spurious vec %u\n",
                           apic->spurious_vec,
                           apic->spurious_vec & SVR_ENABLED ? "enabled" : "disabled",
                           apic->spurious_vec & SVR_FOCUS ? "on" : "off",
                           apic->spurious_vec & 0xff);
    print_icr(apic, out);
    g_string_append_printf(out, "ESR\t 0x%08x\n", apic->esr);
    print_vectors(apic, "ISR", apic->isr, out);
    print_vectors(apic, "IRR", apic->irr, out);
    g_string_append_printf(out, "\nAPR 0x%02x TPR 0x%02x DFR 0x%02x LDR 0x%02x", apic->arb_id,
                           apic->tpr, apic->dest_mode, apic->log_dest);
    if (apic->dest_mode != DFR_FLAT) {
        g_string_append_printf(out, "(cluster %u: id %u)", apic->log_dest >> 4,
                               apic->log_dest & 0xf);
    }
    g_string_append_printf(out, " PPR 0x%02x\n", apic_ppr(apic));
}
