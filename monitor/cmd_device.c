/* Devices and objects that come and go. */
#include "command.h"
#include "qmp_api.h"
#include "user_object.h"

/* ---- candidates ---- */

static void complete_types(Monitor *mon, GPtrArray *candidates)
{
    for (const DeviceType *const *type = device_type_list(); *type != NULL; type++) {
        if (!(*type)->board_only) {
            g_ptr_array_add(candidates, g_strdup((*type)->name));
        }
    }
}

static void complete_devices(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *children = object_container("/machine/peripheral")->children;

    for (guint i = 0; children != NULL && i < children->len; i++) {
        const Object *child = g_ptr_array_index(children, i);

        g_ptr_array_add(candidates, g_strdup(child->name));
    }
}

static void complete_object_types(Monitor *mon, GPtrArray *candidates)
{
    for (const ObjectType *const *type = user_object_types(); *type != NULL; type++) {
        g_ptr_array_add(candidates, g_strdup((*type)->name));
    }
}

static void add_object_id(UserObject *obj, void *opaque)
{
    g_ptr_array_add(opaque, g_strdup(obj->id));
}

static void complete_objects(Monitor *mon, GPtrArray *candidates)
{
    user_objects_foreach(NULL, add_object_id, candidates);
}

/* ---- devices ---- */

static const CmdArg device_add_args[] = {
    { .name = "device", .kind = ARG_WORD, .optional = true, .separators = ",",
      .help = "type and properties; 'help' lists types, 'TYPE,help' properties",
      .complete = complete_types },
    {}
};

static bool cmd_device_add(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *text = cmd_text(args, "device") != NULL ? cmd_text(args, "device") : "";
    g_autofree char *help = NULL;
    g_autoptr(KeyVal) kv = NULL;

    if (!vm_device_help(text, &help, error)) {
        return false;
    }
    if (help != NULL) {
        monitor_printf(mon, "%s", help);
        return true;
    }
    kv = keyval_parse_either(text, "driver", error);
    return kv != NULL && vm_device_add(mon->vm, kv, error) != NULL;
}

static const CmdArg device_del_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "id or path of the device",
      .complete = complete_devices },
    {}
};

static bool cmd_device_del(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_device_del(mon->vm, cmd_text(args, "id"), error);
}

/* ---- objects ---- */

static const CmdArg object_add_args[] = {
    { .name = "object", .kind = ARG_WORD, .separators = ",",
      .help = "type, id and properties; 'help' lists types, 'TYPE,help' properties",
      .complete = complete_object_types },
    {}
};

static bool cmd_object_add(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *text = cmd_text(args, "object");
    g_autofree char *help = NULL;
    g_autoptr(KeyVal) kv = NULL;

    if (!user_object_help(text, &help, error)) {
        return false;
    }
    if (help != NULL) {
        monitor_printf(mon, "%s", help);
        return true;
    }
    kv = keyval_parse_either(text, "qom-type", error);
    return kv != NULL && user_object_new(mon->vm, kv, error) != NULL;
}

static const CmdArg object_del_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "id of the object", .complete = complete_objects },
    {}
};

static bool cmd_object_del(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_object_del(mon->vm, cmd_text(args, "id"), error);
}

const Command monitor_device_commands[] = {
    { .name = "device_add", .args = device_add_args, .params = "driver[,prop=value][,...]",
      .run = cmd_device_add, .help = "add a device, like -device on the command line" },
    { .name = "device_del", .args = device_del_args, .params = "device", .run = cmd_device_del,
      .help = "take a device away" },
    { .name = "object_add", .args = object_add_args,
      .params = "[qom-type=]type,id=str[,prop=value][,...]", .run = cmd_object_add,
      .help = "make an object" },
    { .name = "object_del", .args = object_del_args, .params = "id", .run = cmd_object_del,
      .help = "delete an object" },
    {}
};
