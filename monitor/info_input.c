/* info topics about USB and what people hold in their hands. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static bool info_usb(Monitor *mon, const CmdValues *args, GError **error)
{
    if (!vm_print_usb(mon->vm, mon->out)) {
        set_error(error, "USB support not enabled");
        return false;
    }
    return true;
}

static bool info_mice(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_mice(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpMouseInfo *mouse = g_ptr_array_index(list, i);

        monitor_printf(mon, "%c Mouse #%" PRId64 ": %s%s\n", mouse->current ? '*' : ' ',
                       mouse->index, mouse->name, mouse->absolute ? " (absolute)" : "");
    }
    if (list != NULL && list->len == 0) {
        monitor_printf(mon, "No mouse devices connected\n");
    }
    return list != NULL;
}

const Command info_input_topics[] = {
    { .name = "usb", .run = info_usb, .help = "USB devices and their ports",
      .example = "info usb", .qmp = "x-query-usb" },
    { .name = "mice", .run = info_mice, .help = "pointers, and the one in use",
      .example = "info mice", .qmp = "query-mice" },
    {}
};
