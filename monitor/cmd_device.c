/* Devices and objects that come and go. */
#include "candidates.h"
#include "qmp_api.h"
#include "user_object.h"

/* ---- devices ---- */

static const CmdArg device_add_args[] = {
    { .name = "device", .kind = ARG_WORD, .optional = true, .separators = OPTION_SEPARATORS,
      .help = "type and properties; 'help' lists types, 'TYPE,help' properties",
      .complete_at = candidates_device_text },
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
      .complete = candidates_devices, .qmp = "id" },
    {}
};

static bool cmd_device_del(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_device_del(mon->vm, cmd_text(args, "id"), error);
}

/* ---- objects ---- */

static const CmdArg object_add_args[] = {
    { .name = "object", .kind = ARG_WORD, .separators = OPTION_SEPARATORS,
      .help = "type, id and properties; 'help' lists types, 'TYPE,help' properties",
      .complete_at = candidates_object_text },
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
    { .name = "id", .kind = ARG_WORD, .help = "id of the object", .complete = candidates_objects,
      .qmp = "id" },
    {}
};

static bool cmd_object_del(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_object_del(mon->vm, cmd_text(args, "id"), error);
}

const Command monitor_device_commands[] = {
    { .name = "device_add", .args = device_add_args, .params = "driver[,prop=value][,...]",
      .run = cmd_device_add, .help = "add a device, like -device on the command line",
      .example = "device_add virtio-net-pci,netdev=net1,id=nic1", .qmp = "device_add" },
    { .name = "device_del", .args = device_del_args, .params = "device", .run = cmd_device_del,
      .help = "take a device away", .example = "device_del nic1", .qmp = "device_del" },
    { .name = "object_add", .args = object_add_args,
      .params = "[qom-type=]type,id=str[,prop=value][,...]", .run = cmd_object_add,
      .help = "make an object", .example = "object_add iothread,id=io1", .qmp = "object-add" },
    { .name = "object_del", .args = object_del_args, .params = "id", .run = cmd_object_del,
      .help = "delete an object", .example = "object_del io1", .qmp = "object-del" },
    {}
};
