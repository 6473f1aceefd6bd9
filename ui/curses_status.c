/* The status line's text. */
#include "curses_status.h"

/* What was unplugged takes its count along. */
static uint64_t per_second(uint64_t now, uint64_t last, int64_t elapsed_us)
{
    return now > last ? (now - last) * G_USEC_PER_SEC / elapsed_us : 0;
}

void curses_meter_read(CursesMeter *meter, Vm *vm)
{
    int64_t now_us = g_get_monotonic_time(), elapsed_us = now_us - meter->last_us;
    const VmLoad last = meter->last;
    VmLoad load;

    vm_load(vm, &load);
    if (meter->last_us != 0 && elapsed_us > 0) {
        uint64_t cpu_ns = per_second(load.cpu_ns, last.cpu_ns, elapsed_us);

        meter->cpu_percent = MIN(cpu_ns * 100 / NS_PER_SEC / MAX(vm->cpus->len, 1), 100);
        meter->disk_read = per_second(load.disk_read, last.disk_read, elapsed_us);
        meter->disk_written = per_second(load.disk_written, last.disk_written, elapsed_us);
        meter->net_received = per_second(load.net_received, last.net_received, elapsed_us);
        meter->net_sent = per_second(load.net_sent, last.net_sent, elapsed_us);
    }
    meter->last = load;
    meter->last_us = now_us;
}

/* Three figures at most: "r0", "r999", "r1.2K", "r34M". */
static void append_rate(GString *out, char what, uint64_t rate)
{
    static const char units[] = "KMGTPE";
    uint64_t tenths = rate * 10;
    unsigned unit = 0;

    if (rate < 1000) {
        g_string_append_printf(out, " %c%u", what, (unsigned)rate);
        return;
    }
    for (tenths /= 1024; tenths >= 10000; tenths /= 1024) {
        unit++;
    }
    if (tenths < 100) {
        g_string_append_printf(out, " %c%u.%u%c", what, (unsigned)tenths / 10,
                               (unsigned)tenths % 10, units[unit]);
    } else {
        g_string_append_printf(out, " %c%u%c", what, (unsigned)tenths / 10, units[unit]);
    }
}

static void append_screens(GString *out, Vm *vm, int current)
{
    const GPtrArray *consoles = console_list(vm);

    for (guint i = 0; i < consoles->len && i < 9; i++) {
        const char *label = console_label(g_ptr_array_index(consoles, i));

        label += g_str_has_prefix(label, "compat_") ? strlen("compat_") : 0;
        g_string_append_printf(out, (int)i == current ? " [%u %s]" : " %u %s", i + 1, label);
    }
}

char *curses_status_text(Vm *vm, const CursesMeter *meter, int current)
{
    GString *out = g_string_new(run_state_name(vm->run_state));

    g_string_append_printf(out, "  %s  cpu %u%% ", vm->accel != NULL ? vm->accel->name : "no engine",
                           meter->cpu_percent);
    append_screens(out, vm, current);
    g_string_append(out, "  disk");
    append_rate(out, 'r', meter->disk_read);
    append_rate(out, 'w', meter->disk_written);
    g_string_append(out, "  net");
    append_rate(out, 'r', meter->net_received);
    append_rate(out, 's', meter->net_sent);
    return g_string_free(out, FALSE);
}
