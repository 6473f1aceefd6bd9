/* Using the guest's keyboard and mouse. */
#include "command.h"
#include "display.h"
#include "keymap.h"
#include "keys.h"
#include "typing.h"

/* ---- sendkey ---- */

static void add_names(const char *const *names, GPtrArray *candidates)
{
    for (; *names != NULL; names++) {
        g_ptr_array_add(candidates, g_strdup(*names));
    }
}

static void complete_keys(Monitor *mon, GPtrArray *candidates)
{
    add_names(key_names(), candidates);
}

static const CmdArg sendkey_args[] = {
    { .name = "keys", .kind = ARG_WORD, .help = "names joined by '-': ctrl-alt-f1",
      .separators = "-", .complete = complete_keys },
    { .name = "hold_ms", .kind = ARG_INT32, .optional = true,
      .help = "how long they stay down (100)" },
    {}
};

static bool cmd_sendkey(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!typing_keys(mon->vm, cmd_text(args, "keys"), cmd_number(args, "hold_ms", 0), &why)) {
        monitor_fail(mon, "%s\n", why->message);
    }
    return true;
}

/* ---- type ---- */

static void complete_layouts(Monitor *mon, GPtrArray *candidates)
{
    add_names(keymap_names(), candidates);
}

static const CmdArg type_args[] = {
    { .name = "layout", .kind = ARG_OPTION, .flag = 'l', .optional = true,
      .help = "keyboard layout the guest has loaded (that of -k)", .complete = complete_layouts,
      .qmp = "layout" },
    { .name = "text", .kind = ARG_REST,
      .help = "the rest of the line; \\n is Return, \\t Tab, \\b Backspace, \\e Escape, \\\\ a "
              "backslash", .qmp = "text" },
    {}
};

/* NULL: an escape that is none. */
static char *unescape(const char *text, GError **error)
{
    static const char escapes[] = "n\nt\tb\be\x1b\\\\";       /* pairs: as typed, as meant */
    g_autoptr(GString) out = g_string_new(NULL);

    for (; *text != '\0'; text++) {
        const char *escape = escapes;

        if (*text != '\\') {
            g_string_append_c(out, *text);
            continue;
        }
        text++;
        while (*escape != '\0' && *escape != *text) {
            escape += 2;
        }
        if (*escape == '\0') {
            set_error(error, "'\\%.1s' is no escape: there are \\n, \\t, \\b, \\e and \\\\", text);
            return NULL;
        }
        g_string_append_c(out, escape[1]);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static bool cmd_type(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *layout = cmd_given(args, "layout") ? cmd_text(args, "layout") : display_layout();
    g_autofree char *text = unescape(cmd_text(args, "text"), error);

    return text != NULL && typing_text(mon->vm, text, layout, NULL, NULL, error);
}

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
    { .name = "sendkey", .args = sendkey_args, .params = "keys [hold_ms]", .run = cmd_sendkey,
      .help = "press keys on the guest's keyboard", .example = "sendkey ctrl-alt-delete",
      .qmp = "send-key" },
    { .name = "type", .args = type_args, .params = "[-l layout] text", .run = cmd_type,
      .help = "type a text on the guest's keyboard, as fast as the guest reads it",
      .example = "type root\\n", .qmp = "type" },
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
