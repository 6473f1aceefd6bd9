/* What the command line takes, out of its own tables. */
#include "options.h"
#include "qmp_api.h"
#include "vm.h"

static const QmpCommandLineParameterType key_types[] = {
    [KEY_STRING] = QMP_COMMAND_LINE_PARAMETER_TYPE_STRING,
    [KEY_CHOICE] = QMP_COMMAND_LINE_PARAMETER_TYPE_STRING,
    [KEY_BOOL] = QMP_COMMAND_LINE_PARAMETER_TYPE_BOOLEAN,
    [KEY_UINT] = QMP_COMMAND_LINE_PARAMETER_TYPE_NUMBER,
    [KEY_UINT64] = QMP_COMMAND_LINE_PARAMETER_TYPE_NUMBER,
    [KEY_SIZE] = QMP_COMMAND_LINE_PARAMETER_TYPE_SIZE,
};

static GPtrArray *describe_keys(const KeyField *fields)
{
    GPtrArray *list = qmp_command_line_parameter_info_list_new();

    for (const KeyField *field = fields; field != NULL && field->name != NULL; field++) {
        QmpCommandLineParameterInfo *info = g_new0(QmpCommandLineParameterInfo, 1);

        info->name = g_strdup(field->name);
        info->type = key_types[field->kind];
        info->help = g_strdup(field->help);
        g_ptr_array_add(list, info);
    }
    return list;
}

GPtrArray *qmp_query_command_line_options(Vm *vm, const char *option, GError **error)
{
    GPtrArray *list = qmp_command_line_option_info_list_new();
    OptionGroup group;

    for (unsigned i = 0; options_group(i, &group); i++) {
        QmpCommandLineOptionInfo *info;

        if (option != NULL && !g_str_equal(option, group.name)) {
            continue;
        }
        info = g_new0(QmpCommandLineOptionInfo, 1);
        info->option = g_strdup(group.name);
        info->parameters = describe_keys(group.fields);
        g_ptr_array_add(list, info);
    }
    if (option != NULL && list->len == 0) {
        set_error(error, "invalid option name: %s", option);
        g_ptr_array_unref(list);
        return NULL;
    }
    return list;
}
