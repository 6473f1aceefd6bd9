/*
 * Option strings: "value,key=value,flag,noflag" as on the command line, in -chardev, device_add ….
 *
 * ",," stands for one comma inside a value.  The first item may leave its key out if the caller
 * names an implied one.  A key without a value is the short form of key=on, "nokey" of key=off.
 * Later values of a key win.  Every read marks its key as known; keyval_check_known() refuses the
 * rest.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct KeyVal KeyVal;

KeyVal *keyval_parse(const char *text, const char *implied_key, GError **error);
/*
 * From a JSON object: members become pairs, nested ones with dotted keys ("file.driver",
 * "host-cpus.0"), booleans on and off.  Depth and size are limited.
 */
KeyVal *keyval_parse_json(const char *text, GError **error);
struct json_object;
/* The same from an object that has been read; borrowed. */
KeyVal *keyval_from_json(struct json_object *object, GError **error);
/* `text` is JSON if it begins with a brace, else an option string. */
KeyVal *keyval_parse_either(const char *text, const char *implied_key, GError **error);
KeyVal *keyval_new(void);
void keyval_add(KeyVal *kv, const char *key, const char *value);        /* both copied */
/* A new KeyVal of the pairs whose key begins with "PREFIX.", without it; they count as known. */
KeyVal *keyval_take_prefix(KeyVal *kv, const char *prefix);
void keyval_free(KeyVal *kv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyVal, keyval_free)

/* Borrowed value of the last `key`, or NULL.  Marks it known. */
const char *keyval_get(KeyVal *kv, const char *key);
bool keyval_has(const KeyVal *kv, const char *key);

/*
 * Leave *value alone when the key is absent; false and an error naming the key when it is
 * malformed.
 */
bool keyval_get_bool(KeyVal *kv, const char *key, bool *value, GError **error);
bool keyval_get_uint(KeyVal *kv, const char *key, uint64_t max, uint64_t *value, GError **error);
bool keyval_get_size(KeyVal *kv, const char *key, uint64_t unit, uint64_t *bytes, GError **error);

/* Every pair in order, known or not. */
size_t keyval_count(const KeyVal *kv);
const char *keyval_key(const KeyVal *kv, size_t n);
const char *keyval_value(const KeyVal *kv, size_t n);

/*
 * False, "Invalid parameter 'x'" and the nearest of the keys asked for so far, if any pair was not
 * read.
 */
bool keyval_check_known(KeyVal *kv, GError **error);

/* The first key nothing has read yet; NULL: every one is known. For errors of the caller's own. */
const char *keyval_first_unknown(const KeyVal *kv);

/* ---- tables: key → field of a struct ---- */
typedef enum KeyKind { KEY_STRING, KEY_BOOL, KEY_UINT, KEY_UINT64, KEY_SIZE, KEY_CHOICE } KeyKind;

typedef struct KeyField {
    const char *name;                   /* NULL ends a table */
    KeyKind kind;                    /* field: char *, bool, unsigned, uint64_t, uint64_t, char * */
    size_t offset;
    const char *const *choices;         /* CHOICE: NULL-terminated */
    uint64_t unit;                      /* SIZE: of a number without suffix; 0: bytes */
    const char *help;
} KeyField;

/*
 * Fills the fields named; strings replace (and free) what was there. Refuses keys not in the
 * table.
 */
bool keyval_fill(KeyVal *kv, const KeyField *fields, void *object, GError **error);
