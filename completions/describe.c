/*
 * Prints the program's own tables as JSON, for the generators of completions and manual pages.
 * Runs at build time and is not installed.
 */
#include <json.h>
#include <stdio.h>
#include <string.h>

#include "char_opts.h"
#include "command.h"
#include "display.h"
#include "img.h"
#include "machine.h"
#include "net.h"
#include "object_list.h"
#include "options.h"
#include "qmp_api.h"
#include "qmp_dispatch.h"
#include "text_console.h"
#include "user_object.h"
#include "vm.h"

static void add_text(json_object *to, const char *key, const char *text)
{
    if (text != NULL) {
        json_object_object_add(to, key, json_object_new_string(text));
    }
}

static json_object *add_object(json_object *list)
{
    json_object *object = json_object_new_object();

    json_object_array_add(list, object);
    return object;
}

static json_object *add_list(json_object *to, const char *key)
{
    json_object *list = json_object_new_array();

    json_object_object_add(to, key, list);
    return list;
}

static void add_words(json_object *to, const char *key, const char *const *words)
{
    json_object *list = add_list(to, key);

    for (; words != NULL && *words != NULL; words++) {
        json_object_array_add(list, json_object_new_string(*words));
    }
}

static const char *const on_off[] = { "on", "off", NULL };

/* A key of an option text: name, help, values. */
static void add_key(json_object *list, const char *name, const char *help,
                    const char *const *values)
{
    json_object *key = add_object(list);

    add_text(key, "name", name);
    add_text(key, "help", help);
    if (values != NULL) {
        add_words(key, "values", values);
    }
}

/* ---- the command line ---- */

static void describe_fields(json_object *option, const KeyField *fields)
{
    json_object *keys = add_list(option, "keys");

    for (; fields != NULL && fields->name != NULL; fields++) {
        add_key(keys, fields->name, fields->help,
                fields->kind == KEY_BOOL ? on_off : fields->choices);
    }
}

static void describe_options(json_object *all)
{
    json_object *list = add_list(all, "options");
    OptionRow row;

    for (unsigned i = 0; options_row(i, &row); i++) {
        json_object *option = add_object(list);

        add_text(option, "section", row.section);
        add_text(option, "name", row.name);
        add_text(option, "arg", row.arg);
        add_text(option, "help", row.help);
        describe_fields(option, row.fields);
    }
}

/* ---- types that options name ---- */

static void describe_props(json_object *keys, const Property *prop)
{
    for (; prop != NULL && prop->name != NULL; prop++) {
        const char *const *values = prop->type == &prop_bool          ? on_off
                                    : prop->type == &prop_on_off_auto ? on_off_auto_names
                                                                      : prop->names;

        if (!prop->read_only) {
            add_key(keys, prop->name, prop->help, values);
        }
    }
}

static void describe_devices(json_object *all)
{
    json_object *list = add_list(all, "devices");

    for (const DeviceType *const *row = device_type_list(); *row != NULL; row++) {
        json_object *device, *keys;

        if ((*row)->board_only) {
            continue;
        }
        device = add_object(list);
        add_text(device, "name", (*row)->name);
        add_text(device, "help", (*row)->help);
        keys = add_list(device, "keys");
        add_key(keys, "id", "what to call it", NULL);
        add_key(keys, "bus", "the bus to put it on", NULL);
        for (const DeviceType *at = *row; at != NULL; at = at->part) {
            describe_props(keys, at->props);
            describe_props(keys, at->bus != NULL ? at->bus->device_props : NULL);
        }
    }
}

static void describe_objects(json_object *all)
{
    json_object *list = add_list(all, "objects");

    for (const ObjectType *const *row = user_object_types(); *row != NULL; row++) {
        json_object *object = add_object(list), *keys = add_list(object, "keys");

        add_text(object, "name", (*row)->name);
        add_text(object, "help", (*row)->help);
        add_key(keys, "id", "what to call it", NULL);
        describe_props(keys, (*row)->props);
        describe_props(keys, (*row)->base_props);
    }
}

static void describe_chardevs(json_object *all)
{
    json_object *list = add_list(all, "chardevs");

    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        json_object *chardev = add_object(list), *keys = add_list(chardev, "keys");

        add_text(chardev, "name", *name);
        add_key(keys, "id", "what to call it", NULL);
        for (unsigned i = 0; i < CHAR_OPTION_TABLES; i++) {
            for (const CharOption *opt = char_options_of(*name, i); opt && opt->name; opt++) {
                add_key(keys, opt->name, opt->help, opt->kind == CHAR_OPTION_BOOL ? on_off : NULL);
            }
        }
    }
}

/* Structs inside are written "addr.type=": only their names are known here. */
static void describe_members(json_object *keys, const QmpType *type, const QmpMember *tag)
{
    for (const QmpMember *m = type != NULL ? type->members : NULL; m && m->name; m++) {
        if (m->type->kind != QMP_STRUCT && (tag == NULL || !g_str_equal(m->name, tag->name))) {
            add_key(keys, m->name, NULL, m->type->kind == QMP_BOOL ? on_off : m->type->values);
        }
    }
}

/* A command whose arguments are a union: a type for each of its cases. */
static void describe_union(json_object *all, const char *name, const char *command)
{
    const QmpType *type = qmp_command_find(qmp_commands, command)->args;
    json_object *list = add_list(all, name);

    for (unsigned i = 0; type->tag->type->values[i] != NULL; i++) {
        json_object *one = add_object(list), *keys = add_list(one, "keys");

        add_text(one, "name", type->tag->type->values[i]);
        describe_members(keys, type, type->tag);
        describe_members(keys, type->cases[i], NULL);
    }
}

static void describe_machines(json_object *all)
{
    json_object *list = add_list(all, "machines");
    VmMachineType type;

    for (unsigned i = 0; vm_machine_type(i, &type); i++) {
        json_object_array_add(list, json_object_new_string(type.name));
        if (type.alias != NULL) {
            json_object_array_add(list, json_object_new_string(type.alias));
        }
    }
}

static void describe_formats(json_object *all)
{
    json_object *list = add_list(all, "formats");

    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        json_object *format = add_object(list), *keys = add_list(format, "create");

        add_text(format, "name", (*driver)->name);
        for (const BlockOption *row = (*driver)->create_options; row && row->name; row++) {
            add_key(keys, row->name, row->help, NULL);
        }
    }
}

/* ---- the monitor ---- */

static const char *const arg_kinds[] = {
    [ARG_WORD] = "word", [ARG_FILE] = "file", [ARG_DRIVE] = "drive", [ARG_REST] = "rest",
    [ARG_LINE] = "line", [ARG_INT32] = "expression", [ARG_INT64] = "expression",
    [ARG_SIZE] = "size", [ARG_MIB] = "expression", [ARG_BOOL] = "bool", [ARG_FORMAT] = "format",
    [ARG_FLAG] = "flag", [ARG_OPTION] = "option", [ARG_DOT_INT32] = "expression",
};

static void describe_command(json_object *list, const Command *cmd)
{
    g_autofree char *syntax = command_syntax(cmd);
    json_object *command = add_object(list), *args = add_list(command, "args");

    add_text(command, "name", cmd->name);
    add_text(command, "alias", cmd->alias);
    add_text(command, "syntax", syntax);
    add_text(command, "help", cmd->help);
    add_text(command, "example", cmd->example);
    add_text(command, "qmp", cmd->qmp);
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        json_object *row = add_object(args);

        add_text(row, "name", arg->name);
        add_text(row, "kind", arg_kinds[arg->kind]);
        add_text(row, "help", arg->help);
        if (arg->flag != '\0') {
            add_text(row, "flag", (char[]){ '-', arg->flag, '\0' });
        }
        if (arg->choices != NULL) {
            add_words(row, "values", arg->choices);
        }
    }
}

static void describe_commands(json_object *all, const char *name, const GPtrArray *commands)
{
    json_object *list = add_list(all, name);

    for (guint i = 0; i < commands->len; i++) {
        describe_command(list, g_ptr_array_index(commands, i));
    }
}

/* ---- rhea-img ---- */

static const char *long_name(int code)
{
    for (const struct option *row = img_long_options; row->name != NULL; row++) {
        if (row->val == code) {
            return row->name;
        }
    }
    return NULL;
}

static bool takes(const ImgCommand *command, int code)
{
    return strchr(code >= ' ' ? command->letters : command->longs, code) != NULL;
}

/* Of two rows for a letter, the command's own stands first. */
static void describe_img_options(json_object *list, const ImgCommand *command)
{
    int last = 0;

    for (const ImgOptionHelp *row = img_option_help; row->code != 0; row++) {
        json_object *option;

        if (!takes(command, row->code) || row->code == last ||
            (row->command != NULL && !g_str_equal(row->command, command->name))) {
            continue;
        }
        last = row->code;
        option = add_object(list);
        if (row->code >= ' ') {
            add_text(option, "letter", (char[]){ row->code, '\0' });
        }
        add_text(option, "long", long_name(row->code));
        add_text(option, "arg", row->arg);
        add_text(option, "help", row->help);
    }
}

static void describe_img(json_object *all)
{
    json_object *list = add_list(all, "img");

    for (const ImgCommand *row = img_commands; row->name != NULL; row++) {
        json_object *command = add_object(list);

        add_text(command, "name", row->name);
        add_text(command, "usage", row->usage);
        add_text(command, "help", row->help);
        describe_img_options(add_list(command, "options"), row);
    }
}

int main(void)
{
    json_object *all = json_object_new_object();

    device_types_set(device_types);
    user_object_types_set(object_types);
    options_set_displays(display_options);
    chardev_add_type(&chardev_vc);
    add_text(all, "version", RHEA_VERSION);
    describe_options(all);
    describe_machines(all);
    add_words(all, "cpus", x86_cpu_model_names());
    describe_devices(all);
    describe_objects(all);
    describe_chardevs(all);
    describe_union(all, "netdevs", "netdev_add");
    describe_union(all, "blockdevs", "blockdev-add");
    describe_formats(all);
    describe_commands(all, "commands", monitor_commands());
    describe_commands(all, "topics", monitor_topics());
    describe_img(all);
    puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
    json_object_put(all);
    return 0;
}
