#include "property.h"

#include <inttypes.h>
#include <string.h>

#include "rhea_error.h"
#include "sizes.h"

/* ---- numbers: one reader and two printers serve every width ---- */

static bool set_unsigned(const Object *obj, const Property *prop, const char *text, uint64_t max,
                         uint64_t *value, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (parse_uint(text, max, value, &why)) {
        return true;
    }
    set_error(error, "Property '%s.%s': %s", obj->type_name, prop->name, why->message);
    return false;
}

static bool set_signed(const Object *obj, const Property *prop, const char *text, int64_t min,
                       int64_t max, int64_t *value, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (parse_int(text, min, max, value, &why)) {
        return true;
    }
    set_error(error, "Property '%s.%s': %s", obj->type_name, prop->name, why->message);
    return false;
}

#define NUMBER_PROP(name_, ctype_, wide_, format_, set_, type_name_) \
    static bool name_##_parse(Object *obj, const Property *prop, void *field, const char *text, \
                              GError **error) \
    { \
        wide_ value; \
        if (!(set_)) { \
            return false; \
        } \
        *(ctype_ *)field = value; \
        return true; \
    } \
    static char *name_##_print(const Object *obj, const Property *prop, const void *field) \
    { \
        return g_strdup_printf("%" format_, (wide_)*(const ctype_ *)field); \
    } \
    static char *name_##_qtree(const Object *obj, const Property *prop, const void *field) \
    { \
        wide_ value = *(const ctype_ *)field; \
        return g_strdup_printf("%" format_ " (0x%" PRIx64 ")", value, (uint64_t)value); \
    } \
    const PropType name_ = { type_name_, PROP_JSON_INT, name_##_parse, name_##_print, \
                             name_##_qtree, NULL };
#define UNSIGNED_PROP(name_, ctype_, max_, type_name_) \
    NUMBER_PROP(name_, ctype_, uint64_t, PRIu64, \
                set_unsigned(obj, prop, text, max_, &value, error), type_name_)
#define SIGNED_PROP(name_, ctype_, min_, max_, type_name_) \
    NUMBER_PROP(name_, ctype_, int64_t, PRId64, \
                set_signed(obj, prop, text, min_, max_, &value, error), type_name_)

UNSIGNED_PROP(prop_uint8, uint8_t, UINT8_MAX, "uint8")
UNSIGNED_PROP(prop_uint16, uint16_t, UINT16_MAX, "uint16")
UNSIGNED_PROP(prop_uint32, uint32_t, UINT32_MAX, "uint32")
UNSIGNED_PROP(prop_uint64, uint64_t, UINT64_MAX, "uint64")
SIGNED_PROP(prop_int32, int32_t, INT32_MIN, INT32_MAX, "int32")
SIGNED_PROP(prop_int64, int64_t, INT64_MIN, INT64_MAX, "int64")
SIGNED_PROP(prop_int, int64_t, INT64_MIN, INT64_MAX, "int")      /* of -object: any integer */

/* ---- size ---- */

static bool prop_size_parse(Object *obj, const Property *prop, void *field, const char *text,
                            GError **error)
{
    if (parse_size(text, field, error)) {
        return true;
    }
    g_prefix_error(error, "Property '%s.%s': ", obj->type_name, prop->name);
    return false;
}

static char *prop_size_qtree(const Object *obj, const Property *prop, const void *field)
{
    uint64_t bytes = *(const uint64_t *)field;
    g_autofree char *human = format_size(bytes);

    return g_strdup_printf("%" PRIu64 " (%s)", bytes, human);
}

const PropType prop_size = { "size", PROP_JSON_INT, prop_size_parse, prop_uint64_print,
                             prop_size_qtree, NULL };

/* ---- bool ---- */

static bool prop_bool_parse(Object *obj, const Property *prop, void *field, const char *text,
                            GError **error)
{
    if (parse_bool(text, field, NULL)) {
        return true;
    }
    set_error(error, "Parameter '%s' expects 'on' or 'off'", prop->name);
    return false;
}

static char *prop_bool_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup(*(const bool *)field ? "true" : "false");
}

const PropType prop_bool = { "bool", PROP_JSON_BOOL, prop_bool_parse, prop_bool_print, NULL, NULL };

/* ---- string ---- */

static bool prop_string_parse(Object *obj, const Property *prop, void *field, const char *text,
                              GError **error)
{
    char **owned = field;

    g_free(*owned);
    *owned = g_strdup(text);
    return true;
}

static char *prop_string_print(const Object *obj, const Property *prop, const void *field)
{
    const char *text = *(char *const *)field;

    return g_strdup(text != NULL ? text : "");
}

static char *prop_string_qtree(const Object *obj, const Property *prop, const void *field)
{
    const char *text = *(char *const *)field;

    return g_strdup_printf("\"%s\"", text != NULL ? text : "");
}

static void prop_string_release(Object *obj, const Property *prop, void *field)
{
    g_clear_pointer((char **)field, g_free);
}

const PropType prop_string = { "str", PROP_JSON_STRING, prop_string_parse, prop_string_print,
                               prop_string_qtree, prop_string_release };

/* ---- enums ---- */

static bool parse_enum(const Property *prop, const char *const *names, int *field,
                       const char *text, GError **error)
{
    const char *near;

    for (int i = 0; names[i] != NULL; i++) {
        if (g_str_equal(names[i], text)) {
            *field = i;
            return true;
        }
    }
    set_error(error, "Parameter '%s' does not accept value '%s'", prop->name, text);
    near = nearest_name(text, names, g_strv_length((char **)names));
    error_suggest(error, near);
    return false;
}

static bool prop_enum_parse(Object *obj, const Property *prop, void *field, const char *text,
                            GError **error)
{
    return parse_enum(prop, prop->names, field, text, error);
}

static char *prop_enum_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup(prop->names[*(const int *)field]);
}

static char *prop_enum_qtree(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("\"%s\"", prop->names[*(const int *)field]);
}

const PropType prop_enum = { "str", PROP_JSON_STRING, prop_enum_parse, prop_enum_print,
                             prop_enum_qtree, NULL };

const char *const on_off_auto_names[] = { "auto", "on", "off", NULL };

static bool prop_on_off_auto_parse(Object *obj, const Property *prop, void *field,
                                   const char *text, GError **error)
{
    int value;

    if (!parse_enum(prop, on_off_auto_names, &value, text, error)) {
        return false;
    }
    *(OnOffAuto *)field = value;
    return true;
}

static char *prop_on_off_auto_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup(on_off_auto_names[*(const OnOffAuto *)field]);
}

static char *prop_on_off_auto_qtree(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("\"%s\"", on_off_auto_names[*(const OnOffAuto *)field]);
}

const PropType prop_on_off_auto = { "OnOffAuto", PROP_JSON_STRING, prop_on_off_auto_parse,
                                    prop_on_off_auto_print, prop_on_off_auto_qtree, NULL };

/* ---- bootindex ---- */

static bool prop_bootindex_parse(Object *obj, const Property *prop, void *field, const char *text,
                                 GError **error)
{
    int64_t value;

    if (!set_signed(obj, prop, text, -1, INT32_MAX, &value, error)) {
        return false;
    }
    *(int32_t *)field = value;
    return true;
}

const PropType prop_bootindex = { "int32", PROP_JSON_INT, prop_bootindex_parse, prop_int32_print,
                                  NULL, NULL };

/* ---- objects ---- */

#define FOREACH_PROPERTY(obj_, prop_)                                                              \
    for (const Property *const *table_ = (obj_)->props; table_ != NULL && *table_ != NULL;         \
         table_++)                                                                                 \
        for (const Property *prop_ = *table_; prop_->name != NULL; prop_++)

static const Property *own_property(const Object *obj, const char *name)
{
    FOREACH_PROPERTY(obj, prop) {
        if (g_str_equal(prop->name, name)) {
            return prop;
        }
    }
    return NULL;
}

/* The object whose field property `name` of `obj` is: itself, or the one inside. */
static const Object *property_holder(const Object *obj, const char *name)
{
    while (obj->inner != NULL && own_property(obj, name) == NULL) {
        obj = obj->inner;
    }
    return obj;
}

const Property *property_find(const Object *obj, const char *name)
{
    return own_property(property_holder(obj, name), name);
}

const Property *property_nearest(const Object *obj, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *near;

    for (const Object *at = obj; at != NULL; at = at->inner) {
        FOREACH_PROPERTY(at, prop) {
            g_ptr_array_add(names, (char *)prop->name);
        }
    }
    near = nearest_name(name, (const char *const *)names->pdata, names->len);
    return near != NULL ? property_find(obj, near) : NULL;
}

static void set_number(void *field, const PropType *type, int64_t value)
{
    if (type == &prop_bool) {
        *(bool *)field = value;
    } else if (type == &prop_uint8) {
        *(uint8_t *)field = value;
    } else if (type == &prop_uint16) {
        *(uint16_t *)field = value;
    } else if (type == &prop_uint64 || type == &prop_int64 || type == &prop_int ||
               type == &prop_size) {
        *(int64_t *)field = value;
    } else {                                    /* 32 bits, and enums */
        *(int32_t *)field = value;
    }
}

void properties_set_defaults(Object *obj)
{
    FOREACH_PROPERTY(obj, prop) {
        void *field = property_field(obj, prop);

        if (prop->def_text != NULL) {
            bool ok = prop->type->parse(obj, prop, field, prop->def_text, NULL);

            g_assert(ok);
        } else if (prop->def != 0) {
            set_number(field, prop->type, prop->def);
        }
    }
}

void properties_release(Object *obj)
{
    FOREACH_PROPERTY(obj, prop) {
        if (prop->type->release != NULL) {
            prop->type->release(obj, prop, property_field(obj, prop));
        }
    }
}

static const Property *find_or_fail(const Object *obj, const char *name, GError **error)
{
    const Property *prop = property_find(obj, name), *near;

    if (prop == NULL) {
        set_error(error, "Property '%s.%s' not found", obj->type_name, name);
        near = property_nearest(obj, name);
        error_suggest(error, near != NULL ? near->name : NULL);
    }
    return prop;
}

const char *property_type_name(const Property *prop)
{
    g_autofree char *link = NULL;

    if (prop->link == NULL) {
        return prop->type->name;
    }
    link = g_strdup_printf("link<%s>", prop->link);
    return g_intern_string(link);
}

bool property_set(Object *obj, const char *name, const char *text, GError **error)
{
    const Property *prop = find_or_fail(obj, name, error);

    if (prop == NULL) {
        return false;
    }
    if (prop->read_only) {
        set_error(error, "Property '%s.%s' is not writable", obj->type_name, name);
        return false;
    }
    obj = (Object *)property_holder(obj, name);
    return prop->type->parse(obj, prop, property_field(obj, prop), text, error);
}

char *property_get(const Object *obj, const char *name, GError **error)
{
    const Property *prop = find_or_fail(obj, name, error);

    obj = property_holder(obj, name);
    return prop != NULL ? prop->type->print(obj, prop, property_field(obj, prop)) : NULL;
}
