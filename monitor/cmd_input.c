/* Moving the guest's mouse. */
#include "command.h"

/* ---- mouse_move ---- */

static const CmdArg move_args[] = {
    { .name = "dx", .kind = ARG_WORD, .help = "steps to the right" },
    { .name = "dy", .kind = ARG_WORD, .help = "steps down" },
    { .name = "dz", .kind = ARG_WORD, .optional = true,
      .help = "not 0: a step of the wheel, away from the user or, below 0, towards them" },
    {}
};

static bool parse_step(const CmdValues *args, const char *name, int64_t *value, GError **error)
{
    const char *text = cmd_text(args, name);

    *value = 0;
    return text == NULL || parse_int(text, INT16_MIN, INT16_MAX, value, error);
}

static bool cmd_mouse_move(Monitor *mon, const CmdValues *args, GError **error)
{
    int64_t dx, dy, dz;

    if (!parse_step(args, "dx", &dx, error) || !parse_step(args, "dy", &dy, error) ||
        !parse_step(args, "dz", &dz, error)) {
        return false;
    }
    input_send(mon->vm, &(InputEvent){ INPUT_REL, INPUT_AXIS_X, dx });
    input_send(mon->vm, &(InputEvent){ INPUT_REL, INPUT_AXIS_Y, dy });
    input_sync(mon->vm);
    if (dz != 0) {
        InputButton wheel = dz > 0 ? INPUT_BUTTON_WHEEL_UP : INPUT_BUTTON_WHEEL_DOWN;

        input_button(mon->vm, wheel, true);
        input_button(mon->vm, wheel, false);
    }
    return true;
}

/* ---- mouse_button ---- */

static const CmdArg button_args[] = {
    { .name = "state", .kind = ARG_INT32, .help = "sum of 1 left, 2 right, 4 middle" },
    {}
};

static bool cmd_mouse_button(Monitor *mon, const CmdValues *args, GError **error)
{
    static const InputButton buttons[] = {
        INPUT_BUTTON_LEFT, INPUT_BUTTON_RIGHT, INPUT_BUTTON_MIDDLE,
    };
    static unsigned held;               /* what the last mouse_button left down */
    uint64_t state = cmd_number(args, "state", 0);

    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if ((state ^ held) >> i & 1) {
            input_send(mon->vm, &(InputEvent){ INPUT_BUTTON, buttons[i], state >> i & 1 });
        }
    }
    held = state;
    input_sync(mon->vm);
    return true;
}

/* ---- mouse_set ---- */

static void complete_pointer(const InputHandler *handler, bool current, void *opaque)
{
    g_ptr_array_add(opaque, g_strdup_printf("%u", handler->index));
}

static void complete_pointers(Monitor *mon, GPtrArray *candidates)
{
    input_foreach_pointer(mon->vm, complete_pointer, candidates);
}

static const CmdArg set_args[] = {
    { .name = "index", .kind = ARG_INT32, .help = "number of the pointer, from info mice",
      .complete = complete_pointers },
    {}
};

static bool cmd_mouse_set(Monitor *mon, const CmdValues *args, GError **error)
{
    unsigned index = cmd_number(args, "index", 0);
    const InputHandler *other;

    if (input_select_pointer(mon->vm, index)) {
        return true;
    }
    other = input_find(mon->vm, index);
    if (other != NULL) {
        monitor_fail(mon, "Input device '%s' is not a mouse\n", other->name);
    } else {
        monitor_fail(mon, "Mouse at index '%d' not found\n", (int)index);
    }
    return true;
}

const Command monitor_input_commands[] = {
    { .name = "mouse_move", .args = move_args, .params = "dx dy [dz]", .run = cmd_mouse_move,
      .help = "move the guest's mouse", .example = "mouse_move 10 -5",
      .qmp = "input-send-event" },
    { .name = "mouse_button", .args = button_args, .run = cmd_mouse_button,
      .help = "hold and release the guest's mouse buttons", .example = "mouse_button 1",
      .qmp = "input-send-event" },
    { .name = "mouse_set", .args = set_args, .run = cmd_mouse_set,
      .help = "choose the pointer that moves", .example = "mouse_set 2" },
    {}
};
