#include "keyval.h"

#include <string.h>

#include "rhea_error.h"
#include "sizes.h"

typedef struct Pair {
    char *key, *value;
    bool known;
} Pair;

struct KeyVal {
    GArray *pairs;
    GPtrArray *asked;                   /* interned keys, for suggestions */
};

static void pair_clear(gpointer data)
{
    Pair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
}

static Pair *pair_at(const KeyVal *kv, size_t n)
{
    return &g_array_index(kv->pairs, Pair, n);
}

static void add_pair(KeyVal *kv, char *key, char *value)
{
    Pair pair = { key, value, false };

    g_array_append_val(kv->pairs, pair);
}

/* One item up to a single comma, commas undoubled; *text moves behind it. */
static char *next_item(const char **text)
{
    GString *item = g_string_new(NULL);
    const char *p = *text;

    for (; *p != '\0'; p++) {
        if (*p == ',' && *++p != ',') {
            break;
        }
        g_string_append_c(item, *p);
    }
    *text = p;
    return g_string_free(item, FALSE);
}

static bool add_item(KeyVal *kv, const char *item, const char *implied_key, GError **error)
{
    const char *equals = strchr(item, '=');

    if (equals == item) {
        set_error(error, "a key is missing in front of '%s'", item);
        return false;
    }
    if (equals != NULL) {
        add_pair(kv, g_strndup(item, equals - item), g_strdup(equals + 1));
    } else if (implied_key != NULL) {
        add_pair(kv, g_strdup(implied_key), g_strdup(item));
    } else if (g_str_has_prefix(item, "no") && item[2] != '\0' && !g_str_equal(item, "node")) {
        add_pair(kv, g_strdup(item + 2), g_strdup("off"));
    } else {
        add_pair(kv, g_strdup(item), g_strdup("on"));
    }
    return true;
}

KeyVal *keyval_new(void)
{
    KeyVal *kv = g_new0(KeyVal, 1);

    kv->pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    g_array_set_clear_func(kv->pairs, pair_clear);
    kv->asked = g_ptr_array_new();
    return kv;
}

void keyval_add(KeyVal *kv, const char *key, const char *value)
{
    add_pair(kv, g_strdup(key), g_strdup(value));
}

KeyVal *keyval_take_prefix(KeyVal *kv, const char *prefix)
{
    KeyVal *sub = keyval_new();
    size_t len = strlen(prefix);

    for (size_t i = 0; i < kv->pairs->len; i++) {
        Pair *pair = pair_at(kv, i);

        if (strncmp(pair->key, prefix, len) == 0 && pair->key[len] == '.') {
            keyval_add(sub, pair->key + len + 1, pair->value);
            pair->known = true;
        }
    }
    return sub;
}

KeyVal *keyval_parse_either(const char *text, const char *implied_key, GError **error)
{
    return *text == '{' ? keyval_parse_json(text, error) : keyval_parse(text, implied_key, error);
}

KeyVal *keyval_parse(const char *text, const char *implied_key, GError **error)
{
    KeyVal *kv = keyval_new();

    while (*text != '\0') {
        g_autofree char *item = next_item(&text);

        if (*item != '\0' && !add_item(kv, item, implied_key, error)) {
            keyval_free(kv);
            return NULL;
        }
        implied_key = NULL;
    }
    return kv;
}

void keyval_free(KeyVal *kv)
{
    if (kv != NULL) {
        g_array_unref(kv->pairs);
        g_ptr_array_unref(kv->asked);
        g_free(kv);
    }
}

const char *keyval_get(KeyVal *kv, const char *key)
{
    const char *value = NULL;

    g_ptr_array_add(kv->asked, (char *)g_intern_string(key));
    for (size_t i = 0; i < kv->pairs->len; i++) {
        if (g_str_equal(pair_at(kv, i)->key, key)) {
            pair_at(kv, i)->known = true;
            value = pair_at(kv, i)->value;
        }
    }
    return value;
}

bool keyval_has(const KeyVal *kv, const char *key)
{
    for (size_t i = 0; i < kv->pairs->len; i++) {
        if (g_str_equal(pair_at(kv, i)->key, key)) {
            return true;
        }
    }
    return false;
}

bool keyval_get_bool(KeyVal *kv, const char *key, bool *value, GError **error)
{
    const char *text = keyval_get(kv, key);

    if (text == NULL || parse_bool(text, value, NULL)) {
        return true;
    }
    set_error(error, "Parameter '%s' expects 'on' or 'off'", key);
    return false;
}

bool keyval_get_uint(KeyVal *kv, const char *key, uint64_t max, uint64_t *value, GError **error)
{
    const char *text = keyval_get(kv, key);

    if (text == NULL || parse_uint(text, max, value, error)) {
        return true;
    }
    g_prefix_error(error, "Parameter '%s': ", key);
    return false;
}

bool keyval_get_size(KeyVal *kv, const char *key, uint64_t unit, uint64_t *bytes, GError **error)
{
    const char *text = keyval_get(kv, key);

    if (text == NULL || parse_size_unit(text, unit, bytes, error)) {
        return true;
    }
    g_prefix_error(error, "Parameter '%s': ", key);
    return false;
}

size_t keyval_count(const KeyVal *kv)
{
    return kv->pairs->len;
}

const char *keyval_key(const KeyVal *kv, size_t n)
{
    return pair_at(kv, n)->key;
}

const char *keyval_value(const KeyVal *kv, size_t n)
{
    return pair_at(kv, n)->value;
}

const char *keyval_first_unknown(const KeyVal *kv)
{
    for (size_t i = 0; i < kv->pairs->len; i++) {
        if (!pair_at(kv, i)->known) {
            return pair_at(kv, i)->key;
        }
    }
    return NULL;
}

bool keyval_check_known(KeyVal *kv, GError **error)
{
    for (size_t i = 0; i < kv->pairs->len; i++) {
        const char *near;

        if (pair_at(kv, i)->known) {
            continue;
        }
        set_error(error, "Invalid parameter '%s'", pair_at(kv, i)->key);
        near = nearest_name(pair_at(kv, i)->key, (const char *const *)kv->asked->pdata,
                            kv->asked->len);
        error_suggest(error, near);
        return false;
    }
    return true;
}

/* ---- tables ---- */

static bool fill_choice(const KeyField *field, const char *text, char **value, GError **error)
{
    const char *near;

    if (!g_strv_contains(field->choices, text)) {
        set_error(error, "Parameter '%s' does not accept value '%s'", field->name, text);
        near = nearest_name(text, field->choices, g_strv_length((char **)field->choices));
        error_suggest(error, near);
        return false;
    }
    g_free(*value);
    *value = g_strdup(text);
    return true;
}

static bool fill_field(KeyVal *kv, const KeyField *field, void *object, GError **error)
{
    void *p = (char *)object + field->offset;
    const char *text = keyval_get(kv, field->name);
    uint64_t number;

    if (text == NULL) {
        return true;
    }
    switch (field->kind) {
    case KEY_STRING:
        g_free(*(char **)p);
        *(char **)p = g_strdup(text);
        return true;
    case KEY_BOOL:
        return keyval_get_bool(kv, field->name, p, error);
    case KEY_UINT:
        if (!keyval_get_uint(kv, field->name, UINT32_MAX, &number, error)) {
            return false;
        }
        *(unsigned *)p = number;
        return true;
    case KEY_UINT64:
        return keyval_get_uint(kv, field->name, UINT64_MAX, p, error);
    case KEY_SIZE:
        return keyval_get_size(kv, field->name, MAX(field->unit, 1), p, error);
    case KEY_CHOICE:
        return fill_choice(field, text, p, error);
    }
    g_assert_not_reached();
}

bool keyval_fill(KeyVal *kv, const KeyField *fields, void *object, GError **error)
{
    for (const KeyField *field = fields; field->name != NULL; field++) {
        if (!fill_field(kv, field, object, error)) {
            return false;
        }
    }
    return keyval_check_known(kv, error);
}
