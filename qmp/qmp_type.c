#include "qmp_type.h"

#include <string.h>

#include "rhea_error.h"

#define SCALAR(cname_, name_, kind_, ctype_) \
    const QmpType qmp_type_##cname_ = { .name = name_, .kind = kind_, .slot_size = sizeof(ctype_) }

SCALAR(bool, "boolean", QMP_BOOL, bool);
SCALAR(int, "integer", QMP_INT, int64_t);
SCALAR(int8, "int8_t", QMP_INT, int8_t);
SCALAR(int16, "int16_t", QMP_INT, int16_t);
SCALAR(int32, "int32_t", QMP_INT, int32_t);
SCALAR(int64, "int64_t", QMP_INT, int64_t);
SCALAR(uint8, "uint8_t", QMP_UINT, uint8_t);
SCALAR(uint16, "uint16_t", QMP_UINT, uint16_t);
SCALAR(uint32, "uint32_t", QMP_UINT, uint32_t);
SCALAR(uint64, "uint64", QMP_UINT, uint64_t);
SCALAR(size, "uint64", QMP_UINT, uint64_t);
SCALAR(number, "number", QMP_NUMBER, double);
SCALAR(null, "null", QMP_NULL, uint8_t);

const QmpType qmp_type_str = {
    .name = "string", .kind = QMP_STRING, .slot_size = sizeof(char *), .free = g_free,
};

static void any_free(void *value)
{
    json_object_put(value);
}

const QmpType qmp_type_any = {
    .name = "any", .kind = QMP_ANY, .slot_size = sizeof(json_object *), .free = any_free,
};

/* ---- integers of any size ---- */

static int64_t load_int(const QmpType *type, const void *slot)
{
    switch (type->slot_size) {
    case 1:
        return *(const int8_t *)slot;
    case 2:
        return *(const int16_t *)slot;
    case 4:
        return *(const int32_t *)slot;
    default:
        return *(const int64_t *)slot;
    }
}

static uint64_t load_uint(const QmpType *type, const void *slot)
{
    uint64_t value = 0;

    memcpy(&value, slot, type->slot_size);              /* little endian: low bytes come first */
    return value;
}

static bool int_fits(const QmpType *type, json_object *value)
{
    unsigned bits = type->slot_size * 8;
    int64_t n = json_object_get_int64(value);

    if (bits == 64) {
        /* QMP clients may give a 64-bit unsigned number as the negative one with the same bits */
        return type->kind == QMP_UINT || json_object_get_uint64(value) <= INT64_MAX;
    }
    if (type->kind == QMP_UINT) {
        return n >= 0 && n < INT64_C(1) << bits;
    }
    return n >= -(INT64_C(1) << (bits - 1)) && n < INT64_C(1) << (bits - 1);
}

/* ---- where a member stands, for error messages ---- */

typedef struct Place {
    const struct Place *parent;
    const char *name;                   /* NULL: element `index` of the parent */
    size_t index;
} Place;

static void place_append(const Place *place, GString *out)
{
    if (place->parent != NULL) {
        place_append(place->parent, out);
    }
    if (place->name == NULL) {
        g_string_append_printf(out, "[%zu]", place->index);
    } else {
        g_string_append_printf(out, "%s%s", out->len > 0 ? "." : "", place->name);
    }
}

static char *place_path(const Place *place)
{
    GString *out = g_string_new(NULL);

    place_append(place, out);
    return g_string_free(out, FALSE);
}

/* The name a value error shows: the member alone, or the whole path of an array's element. */
static char *place_leaf(const Place *place)
{
    return place->name != NULL ? g_strdup(place->name) : place_path(place);
}

static bool wrong_type(const Place *place, const char *expected, GError **error)
{
    g_autofree char *path = place_path(place);

    set_error(error, "Invalid parameter type for '%s', expected: %s", path, expected);
    return false;
}

/* ---- JSON → slot ---- */

static bool parse_value(const QmpType *type, const Place *place, json_object *value, void *slot,
                        GError **error);

static bool parse_integer(const QmpType *type, const Place *place, json_object *value, void *slot,
                          GError **error)
{
    g_autofree char *leaf = NULL;
    int64_t n;

    if (!json_object_is_type(value, json_type_int)) {
        return wrong_type(place, "integer", error);
    }
    if (!int_fits(type, value)) {
        leaf = place_leaf(place);
        if (type->slot_size == 8) {
            return wrong_type(place, "integer", error);
        }
        set_error(error, "Parameter '%s' expects %s", leaf, type->name);
        return false;
    }
    n = json_object_get_int64(value);
    if (n == INT64_MAX) {
        n = json_object_get_uint64(value);
    }
    memcpy(slot, &n, type->slot_size);
    return true;
}

static bool parse_number(const Place *place, json_object *value, double *slot, GError **error)
{
    if (!json_object_is_type(value, json_type_int) &&
        !json_object_is_type(value, json_type_double)) {
        return wrong_type(place, "number", error);
    }
    *slot = json_object_get_double(value);
    return true;
}

int qmp_enum_index(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (g_strcmp0(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool parse_enum(const QmpType *type, const Place *place, json_object *value, int *slot,
                       GError **error)
{
    g_autofree char *leaf = NULL;
    const char *text;
    int found;

    if (!json_object_is_type(value, json_type_string)) {
        return wrong_type(place, "string", error);
    }
    text = json_object_get_string(value);
    found = qmp_enum_index(type->values, text);
    if (found >= 0) {
        *slot = found;
        return true;
    }
    leaf = place_leaf(place);
    set_error(error, "Parameter '%s' does not accept value '%s'", leaf, text);
    return false;
}

static bool parse_array(const QmpType *type, const Place *place, json_object *value, void *slot,
                        GError **error)
{
    const QmpType *element = type->element;
    bool pointers = qmp_kind_is_pointer(element->kind);
    size_t n;

    if (!json_object_is_type(value, json_type_array)) {
        return wrong_type(place, "array", error);
    }
    n = json_object_array_length(value);
    if (pointers) {
        *(GPtrArray **)slot = g_ptr_array_new_with_free_func(element->free);
    } else {
        *(GArray **)slot = g_array_new(FALSE, TRUE, element->slot_size);
    }
    for (size_t i = 0; i < n; i++) {
        Place at = { place, NULL, i };
        uint64_t item = 0;

        if (!parse_value(element, &at, json_object_array_get_idx(value, i), &item, error)) {
            qmp_value_clear(type, slot);
            return false;
        }
        if (pointers) {
            g_ptr_array_add(*(GPtrArray **)slot, (void *)(uintptr_t)item);
        } else {
            g_array_append_vals(*(GArray **)slot, &item, 1);
        }
    }
    return true;
}

static bool parse_member(const QmpMember *member, const Place *parent, json_object *object,
                         void *target, GError **error)
{
    Place place = { parent, member->name };
    json_object *value;
    g_autofree char *path = NULL;

    if (!json_object_object_get_ex(object, member->name, &value)) {
        if (!member->optional) {
            path = place_path(&place);
            set_error(error, "Parameter '%s' is missing", path);
        }
        return member->optional;
    }
    if (member->flagged) {
        *(bool *)((char *)target + member->has_offset) = true;
    }
    return parse_value(member->type, &place, value, (char *)target + member->offset, error);
}

static bool parse_members(const QmpType *type, const Place *place, json_object *object,
                          void *target, GError **error)
{
    const QmpType *chosen;

    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        if (!parse_member(member, place, object, target, error)) {
            return false;
        }
    }
    if (type->tag == NULL) {
        return true;
    }
    chosen = type->cases[*(int *)((char *)target + type->tag->offset)];
    return chosen == NULL ||
           parse_members(chosen, place, object, (char *)target + type->u_offset, error);
}

static bool has_member(const QmpType *type, const void *target, const char *name)
{
    const QmpType *chosen;

    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        if (g_str_equal(member->name, name)) {
            return true;
        }
    }
    if (type->tag == NULL) {
        return false;
    }
    chosen = type->cases[*(const int *)((const char *)target + type->tag->offset)];
    return chosen != NULL && has_member(chosen, (const char *)target + type->u_offset, name);
}

static bool refuse_unknown(const QmpType *type, const Place *place, json_object *object,
                           const void *target, GError **error)
{
    json_object_object_foreach(object, key, value) {
        Place at = { place, key };

        (void)value;
        if (!has_member(type, target, key)) {
            g_autofree char *path = place_path(&at);

            set_error(error, "Parameter '%s' is unexpected", path);
            return false;
        }
    }
    return true;
}

static bool parse_struct(const QmpType *type, const Place *place, json_object *value, void **slot,
                         GError **error)
{
    /* the arguments of a command stand in no member */
    const Place *inside = place->parent == NULL && place->name[0] == '\0' ? NULL : place;

    if (!json_object_is_type(value, json_type_object)) {
        return wrong_type(place, "object", error);
    }
    *slot = g_malloc0(type->size);
    if (!parse_members(type, inside, value, *slot, error) ||
        (!type->open && !refuse_unknown(type, inside, value, *slot, error))) {
        qmp_value_clear(type, slot);
        return false;
    }
    if (type->open) {
        *(json_object **)((char *)*slot + type->all_offset) = value;
    }
    return true;
}

static bool kind_takes(QmpKind kind, json_type json)
{
    switch (json) {
    case json_type_null:
        return kind == QMP_NULL;
    case json_type_boolean:
        return kind == QMP_BOOL;
    case json_type_int:
        return kind == QMP_INT || kind == QMP_UINT || kind == QMP_NUMBER;
    case json_type_double:
        return kind == QMP_NUMBER;
    case json_type_string:
        return kind == QMP_STRING || kind == QMP_ENUM;
    case json_type_object:
        return kind == QMP_STRUCT;
    case json_type_array:
        return kind == QMP_ARRAY;
    }
    return false;
}

/* The JSON type decides; the generator sees to it that no two choices take the same. */
static bool parse_alternate(const QmpType *type, const Place *place, json_object *value,
                            void **slot, GError **error)
{
    for (unsigned i = 0; type->members[i].name != NULL; i++) {
        const QmpMember *choice = &type->members[i];

        if (kind_takes(choice->type->kind, json_object_get_type(value))) {
            *slot = g_malloc0(type->size);
            ((QmpAlternateHead *)*slot)->choice = i;
            if (parse_value(choice->type, place, value, (char *)*slot + choice->offset, error)) {
                return true;
            }
            g_free(*slot);
            *slot = NULL;
            return false;
        }
    }
    return wrong_type(place, type->name, error);
}

static bool parse_value(const QmpType *type, const Place *place, json_object *value, void *slot,
                        GError **error)
{
    switch (type->kind) {
    case QMP_BOOL:
        *(bool *)slot = json_object_get_boolean(value);
        return json_object_is_type(value, json_type_boolean) || wrong_type(place, "boolean", error);
    case QMP_INT:
    case QMP_UINT:
        return parse_integer(type, place, value, slot, error);
    case QMP_NUMBER:
        return parse_number(place, value, slot, error);
    case QMP_NULL:
        return value == NULL || wrong_type(place, "null", error);
    case QMP_ENUM:
        return parse_enum(type, place, value, slot, error);
    case QMP_STRING:
        if (!json_object_is_type(value, json_type_string)) {
            return wrong_type(place, "string", error);
        }
        *(char **)slot = g_strdup(json_object_get_string(value));
        return true;
    case QMP_ANY:
        *(json_object **)slot = json_object_get(value);
        return true;
    case QMP_STRUCT:
        return parse_struct(type, place, value, slot, error);
    case QMP_ALTERNATE:
        return parse_alternate(type, place, value, slot, error);
    case QMP_ARRAY:
        return parse_array(type, place, value, slot, error);
    }
    g_assert_not_reached();
}

bool qmp_value_parse(const QmpType *type, const char *name, json_object *value, void *slot,
                     GError **error)
{
    Place place = { NULL, name };

    return parse_value(type, &place, value, slot, error);
}

/* ---- slot → JSON ---- */

static bool member_is_there(const QmpMember *member, const void *target)
{
    const char *at = (const char *)target + member->offset;

    if (!member->optional) {
        return true;
    }
    if (member->flagged) {
        return *(const bool *)((const char *)target + member->has_offset);
    }
    return *(void *const *)at != NULL;
}

static void add_members(const QmpType *type, const void *target, json_object *object)
{
    const QmpType *chosen;

    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        if (member_is_there(member, target)) {
            json_object_object_add(object, member->name,
                                   qmp_value_to_json(member->type,
                                                     (const char *)target + member->offset));
        }
    }
    if (type->tag != NULL) {
        chosen = type->cases[*(const int *)((const char *)target + type->tag->offset)];
        if (chosen != NULL) {
            add_members(chosen, (const char *)target + type->u_offset, object);
        }
    }
}

static json_object *array_to_json(const QmpType *type, const void *slot)
{
    const QmpType *element = type->element;
    json_object *array = json_object_new_array();

    if (qmp_kind_is_pointer(element->kind)) {
        const GPtrArray *items = *(GPtrArray *const *)slot;

        for (guint i = 0; items != NULL && i < items->len; i++) {
            json_object_array_add(array, qmp_value_to_json(element, &items->pdata[i]));
        }
    } else {
        const GArray *items = *(GArray *const *)slot;

        for (guint i = 0; items != NULL && i < items->len; i++) {
            json_object_array_add(array, qmp_value_to_json(element,
                                                           items->data + i * element->slot_size));
        }
    }
    return array;
}

static json_object *struct_to_json(const QmpType *type, const void *target)
{
    json_object *object = json_object_new_object();

    add_members(type, target, object);
    return object;
}

static json_object *alternate_to_json(const QmpType *type, const QmpAlternateHead *head)
{
    const QmpMember *choice = &type->members[head->choice];

    return qmp_value_to_json(choice->type, (const char *)head + choice->offset);
}

json_object *qmp_value_to_json(const QmpType *type, const void *slot)
{
    switch (type->kind) {
    case QMP_BOOL:
        return json_object_new_boolean(*(const bool *)slot);
    case QMP_INT:
        return json_object_new_int64(load_int(type, slot));
    case QMP_UINT:
        return json_object_new_uint64(load_uint(type, slot));
    case QMP_NUMBER:
        return json_object_new_double(*(const double *)slot);
    case QMP_NULL:
        return NULL;
    case QMP_ENUM:
        return json_object_new_string(type->values[*(const int *)slot]);
    case QMP_STRING:
        return json_object_new_string(*(char *const *)slot != NULL ? *(char *const *)slot : "");
    case QMP_ANY:
        return json_object_get(*(json_object *const *)slot);
    case QMP_STRUCT:
        return struct_to_json(type, *(void *const *)slot);
    case QMP_ALTERNATE:
        return alternate_to_json(type, *(void *const *)slot);
    case QMP_ARRAY:
        return array_to_json(type, slot);
    }
    g_assert_not_reached();
}

/* ---- freeing ---- */

static void clear_members(const QmpType *type, void *target)
{
    const QmpType *chosen;

    if (type->tag != NULL) {
        chosen = type->cases[*(int *)((char *)target + type->tag->offset)];
        if (chosen != NULL) {
            clear_members(chosen, (char *)target + type->u_offset);
        }
    }
    for (const QmpMember *member = type->members; member->name != NULL; member++) {
        qmp_value_clear(member->type, (char *)target + member->offset);
    }
}

void qmp_object_free(const QmpType *type, void *object)
{
    const QmpMember *choice;

    if (object == NULL) {
        return;
    }
    if (type->kind == QMP_ALTERNATE) {
        choice = &type->members[((QmpAlternateHead *)object)->choice];
        qmp_value_clear(choice->type, (char *)object + choice->offset);
    } else {
        clear_members(type, object);
    }
    g_free(object);
}

static void array_free(const QmpType *type, void *array)
{
    if (array != NULL && qmp_kind_is_pointer(type->element->kind)) {
        g_ptr_array_free(array, TRUE);
    } else if (array != NULL) {
        g_array_free(array, TRUE);
    }
}

void qmp_value_clear(const QmpType *type, void *slot)
{
    switch (type->kind) {
    case QMP_STRING:
        g_free(*(char **)slot);
        break;
    case QMP_ANY:
        json_object_put(*(json_object **)slot);
        break;
    case QMP_STRUCT:
    case QMP_ALTERNATE:
        qmp_object_free(type, *(void **)slot);
        break;
    case QMP_ARRAY:
        array_free(type, *(void **)slot);
        break;
    default:
        break;
    }
    memset(slot, 0, type->slot_size);
}
