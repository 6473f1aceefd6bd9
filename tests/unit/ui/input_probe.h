/* A machine with one keyboard and one pointer that write down what they get. */
#pragma once

#include <glib.h>

#include "keys.h"
#include "lock.h"
#include "vm_core.h"

static Vm vm;
static GString *seen;                   /* "shift+ a+ a- shift-" */
static unsigned waiting, leds;          /* what the keyboard says of itself */
static InputHandler probe_keyboard, probe_pointer;

static inline void probe_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

static inline void probe_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (seen->len > 0) {
        g_string_append_c(seen, ' ');
    }
    g_string_append_vprintf(seen, format, args);
    va_end(args);
}

static inline void probe_event(void *opaque, const InputEvent *event)
{
    switch (event->kind) {
    case INPUT_KEY:
        probe_note("%s%c", key_info(event->code)->name, event->value ? '+' : '-');
        break;
    case INPUT_BUTTON:
        probe_note("b%u%c", event->code, event->value ? '+' : '-');
        break;
    default:
        probe_note("%c%s%d", event->code == INPUT_AXIS_X ? 'x' : 'y',
                   event->kind == INPUT_ABS ? "=" : event->value > 0 ? "+" : "", event->value);
        break;
    }
}

static inline void probe_sync(void *opaque)
{
    probe_note("|");
}

static inline unsigned probe_waiting(void *opaque)
{
    return waiting;
}

static inline unsigned probe_leds(void *opaque)
{
    return leds;
}

static inline void probe_machine(InputKind pointer)
{
    static const DeviceType *const types[] = { NULL };

    machine_lock();
    vm_core_init(&vm, g_main_context_default(), types);
    vm_clock_set_manual(&vm, NS_PER_SEC);
    probe_keyboard = (InputHandler){
        .name = "keyboard", .mask = INPUT_MASK(INPUT_KEY), .event = probe_event,
        .waiting = probe_waiting, .leds = probe_leds,
    };
    probe_pointer = (InputHandler){
        .name = "pointer", .mask = INPUT_MASK(pointer) | INPUT_MASK(INPUT_BUTTON),
        .event = probe_event, .sync = probe_sync,
    };
    input_register(&vm, &probe_keyboard);
    input_register(&vm, &probe_pointer);
    seen = g_string_new(NULL);
    waiting = leds = 0;
    vm_start(&vm);
}

/* What was seen since the last time. */
static inline void expect_seen(const char *what)
{
    ck_assert_str_eq(seen->str, what);
    g_string_truncate(seen, 0);
}

static inline void advance_ns(int64_t ns)
{
    vm_clock_set_manual(&vm, vm_clock_ns(&vm) + ns);
}
