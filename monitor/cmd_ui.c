/* Commands about screens. */
#include "command.h"
#include "qmp_api.h"

static void complete_screens(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *list = console_list(mon->vm);

    for (guint i = 0; i < list->len; i++) {
        const Device *dev = console_device(g_ptr_array_index(list, i));

        g_ptr_array_add(candidates, dev->id != NULL ? g_strdup(dev->id) : object_path(&dev->obj));
    }
}

static const CmdArg screendump_args[] = {
    { .name = "filename", .kind = ARG_FILE, .help = "the file" },
    { .name = "format", .kind = ARG_OPTION, .flag = 'f', .optional = true,
      .choices = qmp_image_format_names, .help = "ppm if not given" },
    { .name = "device", .kind = ARG_WORD, .optional = true, .complete = complete_screens,
      .help = "the adapter whose screen it is; the first screen if not given" },
    { .name = "head", .kind = ARG_INT32, .optional = true, .help = "the adapter's output" },
    {}
};

static bool cmd_screendump(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *name = cmd_text(args, "format");
    int64_t head = (int32_t)cmd_number(args, "head", 0);
    int index = name != NULL ? qmp_enum_index(qmp_image_format_names, name) : QMP_IMAGE_FORMAT_PPM;
    QmpImageFormat format = index;

    if (index < 0) {
        set_error(error, "there is no format '%s': 'ppm' or 'png'", name);
        return false;
    }
    return qmp_screendump(mon->vm, cmd_text(args, "filename"), cmd_text(args, "device"),
                          cmd_given(args, "head") ? &head : NULL, &format, error);
}

const Command monitor_ui_commands[] = {
    { .name = "screendump", .args = screendump_args, .run = cmd_screendump,
      .params = "filename [-f format] [device [head]]",
      .help = "write what a screen shows to a file", .example = "screendump screen.png -f png",
      .qmp = "screendump" },
    {}
};
