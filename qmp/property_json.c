#include "property_json.h"

#include "rhea_error.h"
#include "sizes.h"

json_object *property_json_value(PropJson kind, const char *text)
{
    bool flag = false;

    switch (kind) {
    case PROP_JSON_BOOL:
        parse_bool(text, &flag, NULL);
        return json_object_new_boolean(flag);
    case PROP_JSON_INT:
        return text[0] == '-' ? json_object_new_int64(g_ascii_strtoll(text, NULL, 0))
                              : json_object_new_uint64(g_ascii_strtoull(text, NULL, 0));
    case PROP_JSON_VALUE:
        return json_tokener_parse(text);
    case PROP_JSON_STRING:
        break;
    }
    return json_object_new_string(text);
}

char *property_json_text(const char *property, json_object *value, GError **error)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return g_strdup(json_object_get_boolean(value) ? "on" : "off");
    case json_type_int:
    case json_type_string:
        return g_strdup(json_object_get_string(value));
    default:
        set_error(error, "Invalid parameter type for '%s', expected: string, integer or boolean",
                  property);
        return NULL;
    }
}
