/* Option objects given as JSON, made flat: {"a": {"b": true}} is a.b=on. */
#include <json.h>
#include <string.h>

#include "keyval.h"
#include "rhea_error.h"

#define MAX_DEPTH   16
#define MAX_TEXT    (1024 * 1024)

static bool add_value(KeyVal *kv, const char *key, struct json_object *value, GError **error);

static char *join(const char *key, const char *member)
{
    return *key == '\0' ? g_strdup(member) : g_strdup_printf("%s.%s", key, member);
}

static bool add_object(KeyVal *kv, const char *key, struct json_object *object, GError **error)
{
    json_object_object_foreach(object, member, value) {
        g_autofree char *name = join(key, member);

        if (!add_value(kv, name, value, error)) {
            return false;
        }
    }
    return true;
}

static bool add_array(KeyVal *kv, const char *key, struct json_object *array, GError **error)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        g_autofree char *name = g_strdup_printf("%s.%zu", key, i);

        if (!add_value(kv, name, json_object_array_get_idx(array, i), error)) {
            return false;
        }
    }
    return true;
}

static bool add_value(KeyVal *kv, const char *key, struct json_object *value, GError **error)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return add_object(kv, key, value, error);
    case json_type_array:
        return add_array(kv, key, value, error);
    case json_type_boolean:
        keyval_add(kv, key, json_object_get_boolean(value) ? "on" : "off");
        return true;
    case json_type_null:
        if (g_str_equal(key, "backing") || g_str_has_suffix(key, ".backing")) {
            keyval_add(kv, key, "");                    /* blockdev-add's way to say none */
            return true;
        }
        set_error(error, "Parameter '%s' expects a value, not null", key);
        return false;
    default:
        keyval_add(kv, key, json_object_get_string(value));
        return true;
    }
}

KeyVal *keyval_from_json(struct json_object *object, GError **error)
{
    KeyVal *kv = keyval_new();

    if (!add_object(kv, "", object, error)) {
        keyval_free(kv);
        return NULL;
    }
    return kv;
}

KeyVal *keyval_parse_json(const char *text, GError **error)
{
    struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    size_t len = strlen(text);
    struct json_object *object = NULL;
    KeyVal *kv = NULL;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    if (len < MAX_TEXT) {
        object = json_tokener_parse_ex(tokener, text, len + 1);
    }
    if (object == NULL) {
        set_error(error, "JSON parse error at character %zu: %s", json_tokener_get_parse_end(tokener),
                  len < MAX_TEXT ? json_tokener_error_desc(json_tokener_get_error(tokener)) :
                                   "too long");
    } else if (json_object_get_type(object) != json_type_object) {
        set_error(error, "a JSON object is expected");
    } else {
        kv = keyval_from_json(object, error);
    }
    json_object_put(object);
    json_tokener_free(tokener);
    return kv;
}
