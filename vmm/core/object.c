#include "object.h"

#include <stdio.h>
#include <string.h>

#include "rhea_error.h"

static Object root = { .type_name = "container", .name = (char *)"" };

bool object_check_id(const char *id, GError **error)
{
    bool ok = g_ascii_isalpha(*id);

    for (const char *c = id; ok && *c != '\0'; c++) {
        ok = g_ascii_isalnum(*c) || strchr("-._", *c) != NULL;
    }
    if (!ok) {
        set_error(error, "Parameter 'id' expects an identifier");
        error_add_hint(error, "Identifiers consist of letters, digits, '-', '.', '_', starting "
                       "with a letter.");
    }
    return ok;
}

void object_init(Object *obj, const char *type_name)
{
    memset(obj, 0, sizeof(*obj));
    obj->type_name = type_name;
}

void object_finish(Object *obj)
{
    object_remove(obj);
    if (obj->children != NULL) {
        for (guint i = 0; i < obj->children->len; i++) {
            Object *child = g_ptr_array_index(obj->children, i);

            child->parent = NULL;
        }
        g_clear_pointer(&obj->children, g_ptr_array_unref);
    }
    g_clear_pointer(&obj->name, g_free);
}

Object *object_child(Object *parent, const char *name)
{
    for (guint i = 0; parent->children != NULL && i < parent->children->len; i++) {
        Object *child = g_ptr_array_index(parent->children, i);

        if (g_str_equal(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

static char *free_numbered_name(Object *parent, const char *name)
{
    for (unsigned n = 0;; n++) {
        char *candidate = g_strdup_printf("%.*s[%u]", (int)strlen(name) - 3, name, n);

        if (object_child(parent, candidate) == NULL) {
            return candidate;
        }
        g_free(candidate);
    }
}

void object_add_child(Object *parent, const char *name, Object *child)
{
    g_assert(child->parent == NULL);
    g_free(child->name);
    child->name = g_str_has_suffix(name, "[*]") ? free_numbered_name(parent, name)
                                                : g_strdup(name);
    g_assert(object_child(parent, child->name) == NULL);
    if (parent->children == NULL) {
        parent->children = g_ptr_array_new();
    }
    g_ptr_array_add(parent->children, child);
    child->parent = parent;
}

void object_remove(Object *child)
{
    if (child->parent != NULL) {
        g_ptr_array_remove(child->parent->children, child);
        child->parent = NULL;
    }
}

Object *object_container(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    Object *obj = &root;

    for (char **part = parts; *part != NULL; part++) {
        Object *child;

        if (**part == '\0') {
            continue;
        }
        child = object_child(obj, *part);
        if (child == NULL) {
            child = g_new0(Object, 1);
            object_init(child, "container");
            object_add_child(obj, *part, child);
        }
        obj = child;
    }
    return obj;
}

static Object *resolve_from(Object *from, char **parts)
{
    Object *obj = from;

    for (char **part = parts; *part != NULL && obj != NULL; part++) {
        if (**part != '\0') {
            obj = object_child(obj, *part);
        }
    }
    return obj;
}

/*
 * A partial path names any object below which all its parts follow; two such objects are one too
 * many.
 */
static void resolve_partial(Object *from, char **parts, Object **found, unsigned *matches)
{
    Object *here = resolve_from(from, parts);

    if (here != NULL) {
        *found = here;
        (*matches)++;
    }
    for (guint i = 0; from->children != NULL && i < from->children->len && *matches < 2; i++) {
        resolve_partial(g_ptr_array_index(from->children, i), parts, found, matches);
    }
}

Object *object_resolve(const char *path, bool *ambiguous)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    Object *found = NULL;
    unsigned matches = 0;

    if (ambiguous != NULL) {
        *ambiguous = false;
    }
    if (*path == '/') {
        return resolve_from(&root, parts);
    }
    if (*path == '\0') {
        return NULL;
    }
    resolve_partial(&root, parts, &found, &matches);
    if (matches > 1) {
        if (ambiguous != NULL) {
            *ambiguous = true;
        }
        return NULL;
    }
    return found;
}

char *object_path(const Object *obj)
{
    GString *path = g_string_new(NULL);

    if (obj == &root) {
        return g_string_free(g_string_append_c(path, '/'), FALSE);
    }
    for (; obj != NULL && obj != &root; obj = obj->parent) {
        g_string_prepend(path, obj->name != NULL ? obj->name : "");
        g_string_prepend_c(path, '/');
    }
    if (obj == NULL) {
        g_string_free(path, TRUE);
        return NULL;
    }
    return g_string_free(path, FALSE);
}
