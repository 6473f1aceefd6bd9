/* info topics about USB and what people hold in their hands. */
#include "command.h"

static bool info_usb(Monitor *mon, const CmdValues *args, GError **error)
{
    if (!vm_print_usb(mon->vm, mon->out)) {
        set_error(error, "USB support not enabled");
        return false;
    }
    return true;
}

static void print_pointer(const InputHandler *handler, bool current, void *opaque)
{
    bool absolute = handler->mask & INPUT_MASK(INPUT_ABS);

    monitor_printf(opaque, "%c Mouse #%u: %s%s\n", current ? '*' : ' ', handler->index,
                   handler->name, absolute ? " (absolute)" : "");
}

static bool info_mice(Monitor *mon, const CmdValues *args, GError **error)
{
    GString *out = mon->out;
    gsize before = out->len;

    input_foreach_pointer(mon->vm, print_pointer, mon);
    if (out->len == before) {
        monitor_printf(mon, "No mouse devices connected\n");
    }
    return true;
}

const Command info_input_topics[] = {
    { .name = "usb", .run = info_usb, .help = "USB devices and their ports" },
    { .name = "mice", .run = info_mice, .help = "pointers, and the one in use" },
    {}
};
