/*
 * query-qmp-schema, query-commands and query-events, out of the tables the generator emits.
 *
 * Types are numbered in the order in which they are met: their names are no part of the protocol.
 * Builtin types keep their names, and an array is called after its element: "[str]", "[17]".
 */
#include <string.h>

#include "object_schema.h"
#include "qmp_api.h"

typedef struct Walk {
    GPtrArray *out;
    GHashTable *names;                  /* QmpType → its name (owned), for types in `out` */
    GHashTable *arrays;                 /* names of those of them that are arrays */
    unsigned n_types;
} Walk;

static const char *type_name(Walk *walk, const QmpType *type);

static GPtrArray *copy_features(const char *const *features)
{
    GPtrArray *copy = NULL;

    for (; features != NULL && *features != NULL; features++) {
        if (copy == NULL) {
            copy = g_ptr_array_new_with_free_func(g_free);
        }
        g_ptr_array_add(copy, g_strdup(*features));
    }
    return copy;
}

static QmpSchemaInfo *add_entry(Walk *walk, const char *name, QmpSchemaMetaType meta,
                                const char *const *features)
{
    QmpSchemaInfo *info = g_new0(QmpSchemaInfo, 1);

    info->name = g_strdup(name);
    info->meta_type = meta;
    info->features = copy_features(features);
    g_ptr_array_add(walk->out, info);
    return info;
}

/* ---- types ---- */

static const struct { const char *name; QmpJSONType json; } builtins[] = {
    [QMP_BOOL] = { "bool", QMP_JSON_TYPE_BOOLEAN }, [QMP_INT] = { "int", QMP_JSON_TYPE_INT },
    [QMP_UINT] = { "int", QMP_JSON_TYPE_INT }, [QMP_NUMBER] = { "number", QMP_JSON_TYPE_NUMBER },
    [QMP_NULL] = { "null", QMP_JSON_TYPE_NULL }, [QMP_STRING] = { "str", QMP_JSON_TYPE_STRING },
    [QMP_ANY] = { "any", QMP_JSON_TYPE_VALUE },
};

static void describe_enum(Walk *walk, const QmpType *type, const char *name)
{
    QmpSchemaInfoEnum *info =
        &add_entry(walk, name, QMP_SCHEMA_META_TYPE_ENUM, type->features)->u.enum_;

    info->members = qmp_schema_info_enum_member_list_new();
    info->values = g_ptr_array_new_with_free_func(g_free);
    for (const char *const *value = type->values; *value != NULL; value++) {
        QmpSchemaInfoEnumMember *member = g_new0(QmpSchemaInfoEnumMember, 1);

        member->name = g_strdup(*value);
        g_ptr_array_add(info->members, member);
        g_ptr_array_add(info->values, g_strdup(*value));
    }
}

static GPtrArray *describe_members(Walk *walk, const QmpType *type)
{
    GPtrArray *list = qmp_schema_info_object_member_list_new();

    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        QmpSchemaInfoObjectMember *info = g_new0(QmpSchemaInfoObjectMember, 1);

        info->name = g_strdup(member->name);
        info->type = g_strdup(type_name(walk, member->type));
        info->has_default_ = member->optional;
        info->features = copy_features(member->features);
        g_ptr_array_add(list, info);
    }
    return list;
}

static void describe_object(Walk *walk, const QmpType *type, const char *name)
{
    QmpSchemaInfoObject *info =
        &add_entry(walk, name, QMP_SCHEMA_META_TYPE_OBJECT, type->features)->u.object;

    info->members = describe_members(walk, type);
    if (type->tag == NULL) {
        return;
    }
    info->tag = g_strdup(type->tag->name);
    info->variants = qmp_schema_info_object_variant_list_new();
    for (int i = 0; type->tag->type->values[i] != NULL; i++) {
        QmpSchemaInfoObjectVariant *variant = g_new0(QmpSchemaInfoObjectVariant, 1);

        variant->case_ = g_strdup(type->tag->type->values[i]);
        variant->type = g_strdup(type_name(walk, type->cases[i]));
        g_ptr_array_add(info->variants, variant);
    }
}

static void describe_alternate(Walk *walk, const QmpType *type, const char *name)
{
    QmpSchemaInfoAlternate *info =
        &add_entry(walk, name, QMP_SCHEMA_META_TYPE_ALTERNATE, type->features)->u.alternate;

    info->members = qmp_schema_info_alternate_member_list_new();
    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        QmpSchemaInfoAlternateMember *choice = g_new0(QmpSchemaInfoAlternateMember, 1);

        choice->type = g_strdup(type_name(walk, member->type));
        g_ptr_array_add(info->members, choice);
    }
}

static void describe_type(Walk *walk, const QmpType *type, const char *name)
{
    switch (type->kind) {
    case QMP_ENUM:
        describe_enum(walk, type, name);
        break;
    case QMP_STRUCT:
        describe_object(walk, type, name);
        break;
    case QMP_ALTERNATE:
        describe_alternate(walk, type, name);
        break;
    case QMP_ARRAY:
        add_entry(walk, name, QMP_SCHEMA_META_TYPE_ARRAY, NULL)->u.array.element_type =
            g_strdup(type_name(walk, type->element));
        break;
    default:
        add_entry(walk, name, QMP_SCHEMA_META_TYPE_BUILTIN, NULL)->u.builtin.json_type =
            builtins[type->kind].json;
        break;
    }
}

static const QmpMember no_members[] = { {} };
static const QmpType empty_object = { "nothing", QMP_STRUCT, .members = no_members };

/* All widths of integers are one type on the wire, and so are all structs without members. */
static const QmpType *wire_type(const QmpType *type)
{
    if (type == NULL || (type->kind == QMP_STRUCT && type->members->name == NULL)) {
        return &empty_object;
    }
    return type->kind == QMP_INT || type->kind == QMP_UINT ? &qmp_type_int : type;
}

/* The name of a type, which is described first if it was not met before. */
static const char *type_name(Walk *walk, const QmpType *given)
{
    const QmpType *type = wire_type(given);
    /* first: an array can be met again while its element is described */
    const char *element = type->kind == QMP_ARRAY ? type_name(walk, type->element) : NULL;
    const char *known = g_hash_table_lookup(walk->names, type);
    char *name;

    if (known != NULL) {
        return known;
    }
    if (element != NULL) {
        name = g_strdup_printf("[%s]", element);
    } else if ((size_t)type->kind < G_N_ELEMENTS(builtins) && builtins[type->kind].name != NULL) {
        name = g_strdup(builtins[type->kind].name);
    } else {
        name = g_strdup_printf("%u", walk->n_types++);
    }
    g_hash_table_insert(walk->names, (void *)type, name);
    /* arrays of integers of several widths are one */
    if (element == NULL || g_hash_table_add(walk->arrays, name)) {
        describe_type(walk, type, name);
    }
    return name;
}

/* ---- the commands ---- */

static void describe_command(Walk *walk, const QmpCommand *command)
{
    QmpSchemaInfoCommand *info =
        &add_entry(walk, command->name, QMP_SCHEMA_META_TYPE_COMMAND, command->features)->u.command;

    info->arg_type = g_strdup(type_name(walk, g_str_equal(command->name, "object-add")
                                                  ? object_add_schema() : command->args));
    info->ret_type = g_strdup(type_name(walk, command->ret));
    info->has_allow_oob = info->allow_oob = command->oob;
}

GPtrArray *qmp_query_qmp_schema(Vm *vm, GError **error)
{
    Walk walk = { .out = qmp_schema_info_list_new(),
                  .names = g_hash_table_new_full(NULL, NULL, NULL, g_free),
                  .arrays = g_hash_table_new(g_str_hash, g_str_equal) };

    for (const QmpCommand *command = qmp_commands; command->name != NULL; command++) {
        describe_command(&walk, command);
    }
    for (const QmpEventType *event = qmp_events; event->name != NULL; event++) {
        QmpSchemaInfo *info = add_entry(&walk, event->name, QMP_SCHEMA_META_TYPE_EVENT,
                                        event->features);

        info->u.event.arg_type = g_strdup(type_name(&walk, event->data));
    }
    g_hash_table_unref(walk.arrays);
    g_hash_table_unref(walk.names);
    return walk.out;
}

GPtrArray *qmp_query_commands(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_command_info_list_new();

    for (const QmpCommand *command = qmp_commands; command->name != NULL; command++) {
        QmpCommandInfo *info = g_new0(QmpCommandInfo, 1);

        info->name = g_strdup(command->name);
        g_ptr_array_add(list, info);
    }
    return list;
}

GPtrArray *qmp_query_events(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_event_info_list_new();

    for (const QmpEventType *event = qmp_events; event->name != NULL; event++) {
        QmpEventInfo *info = g_new0(QmpEventInfo, 1);

        info->name = g_strdup(event->name);
        g_ptr_array_add(list, info);
    }
    return list;
}
