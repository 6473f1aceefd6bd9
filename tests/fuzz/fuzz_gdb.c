/*
 * A hostile gdb at a live machine: the pc board on the software CPU, with its firmware.  Reaches:
 * framing, packets, registers, memory, points, steps, resuming, and what the guest then makes of
 * registers and memory it never had.  The input's lines become packets with their checksums; one
 * that begins with a tab goes as it is.  Monitor commands are left out.
 */
#include <stdint.h>

#include "gdb.h"
#include "pc_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKETS_MAX = 64, RUN_US = 500 };

static void no_write(void *opaque, const void *buf, size_t len)
{
    const volatile uint8_t *bytes = buf;

    if (len > 0) {                                      /* the sanitizer looks at both ends */
        (void)bytes[0];
        (void)bytes[len - 1];
    }
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    pc_configure(16 * 1024 * 1024, 2);
    if (!accel_start(&vm, &accel_tcg, &error) || !pc_start(&error) || !vcpus_create(&vm, &error)) {
        g_error("%s", error->message);
    }
    vm.built = true;
}

static void feed(GdbSession *session, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t taken = gdb_session_receive(session, bytes, len);

        bytes += taken;
        len -= taken;
    }
}

/* A machine that was let go runs for a moment. */
static void run(void)
{
    gint64 end_us = g_get_monotonic_time() + RUN_US;

    do {
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        if (vm_is_running(&vm)) {
            machine_unlock();
            g_usleep(50);
            machine_lock();
        }
    } while (vm_is_running(&vm) && g_get_monotonic_time() < end_us);
}

static void send_line(GdbSession *session, const uint8_t *line, size_t len)
{
    g_autoptr(GString) packet = g_string_new("$");
    uint8_t sum = 0;

    if (len > 0 && line[0] == '\t') {
        feed(session, line + 1, len - 1);
    } else {
        for (size_t i = 0; i < len; i++) {
            g_string_append_c(packet, (char)line[i]);
            sum += line[i];
        }
        g_string_append_printf(packet, "#%02x", sum);
        feed(session, (const uint8_t *)packet->str, packet->len);
    }
    run();
}

/* Whatever has become of it: as it was. */
static void restore(void)
{
    vm_stop(&vm, RUN_STATE_PAUSED);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    __atomic_store_n(&vm.pending_requests, 0, __ATOMIC_SEQ_CST);
    vm.quitting = false;
    vm_reset(&vm, SHUTDOWN_CAUSE_NONE);
    vm_set_run_state(&vm, RUN_STATE_PRELAUNCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    GdbSession *session;

    if (vm.board == NULL) {
        setup();
    }
    session = gdb_session_new(&vm, no_write, NULL);
    for (unsigned n = 0; data < end && n < PACKETS_MAX; n++) {
        const uint8_t *next = memchr(data, '\n', end - data);
        size_t len = (next != NULL ? next : end) - data;

        send_line(session, data, len);
        data += MIN(len + 1, (size_t)(end - data));
    }
    gdb_session_free(session);
    restore();
    return 0;
}
