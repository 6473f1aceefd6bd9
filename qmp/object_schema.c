#include "object_schema.h"

#include "user_object.h"

static const QmpType *property_schema(const Property *prop)
{
    static const QmpType *const plain[] = {
        [PROP_JSON_BOOL] = &qmp_type_bool, [PROP_JSON_INT] = &qmp_type_int,
        [PROP_JSON_STRING] = &qmp_type_str, [PROP_JSON_VALUE] = &qmp_type_any,
    };
    QmpType *type;

    if (prop->names == NULL) {
        return plain[prop->type->json];
    }
    type = g_new0(QmpType, 1);
    *type = (QmpType){ .name = prop->type->name, .kind = QMP_ENUM, .values = prop->names };
    return type;
}

static void add_members(GArray *members, const Property *props)
{
    for (; props != NULL && props->name != NULL; props++) {
        QmpMember member = { .name = props->name, .type = property_schema(props),
                             .optional = true };

        if (!props->read_only) {
            g_array_append_val(members, member);
        }
    }
}

static const QmpType *variant_schema(const ObjectType *object)
{
    GArray *members = g_array_new(TRUE, TRUE, sizeof(QmpMember));
    QmpType *type = g_new0(QmpType, 1);

    add_members(members, object->props);
    add_members(members, object->base_props);
    *type = (QmpType){ .name = object->name, .kind = QMP_STRUCT };
    type->members = (const QmpMember *)g_array_free(members, FALSE);
    return type;
}

static QmpType *make_schema(void)
{
    GPtrArray *names = g_ptr_array_new(), *cases = g_ptr_array_new();
    QmpType *tag = g_new0(QmpType, 1), *type = g_new0(QmpType, 1);
    QmpMember *members = g_new0(QmpMember, 3);

    for (const ObjectType *const *object = user_object_types(); *object != NULL; object++) {
        g_ptr_array_add(names, (char *)(*object)->name);
        g_ptr_array_add(cases, (void *)variant_schema(*object));
    }
    g_ptr_array_add(names, NULL);
    *tag = (QmpType){ .name = "ObjectType", .kind = QMP_ENUM };
    tag->values = (const char *const *)g_ptr_array_free(names, FALSE);
    members[0] = (QmpMember){ .name = "qom-type", .type = tag };
    members[1] = (QmpMember){ .name = "id", .type = &qmp_type_str };
    *type = (QmpType){ .name = "object-add", .kind = QMP_STRUCT, .members = members,
                       .tag = members };
    type->cases = (const QmpType *const *)g_ptr_array_free(cases, FALSE);
    return type;
}

const QmpType *object_add_schema(void)
{
    static const QmpType *schema;

    if (schema == NULL) {
        schema = make_schema();
    }
    return schema;
}
