/*
 * Objects: the tree of named things a user can walk (qom-list, info qom-tree).
 *
 * An Object is embedded first in whatever has a path: devices, regions, back ends, containers.
 * Paths are derived from the tree: "/machine/peripheral/net0".  The tree owns names, never the
 * objects.  Machine lock for everything.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Object Object;
typedef struct Property Property;

struct Object {
    const char *type_name;              /* "isa-serial", "memory-region", "container" */
    char *name;                         /* path component, NULL while not in the tree */
    Object *parent;
    GPtrArray *children;                /* Object *, in order of addition; NULL: none */
    const Property *const *props;       /* NULL-terminated list of property tables; may be NULL */
    Object *inner;                      /* whose properties are this one's too; NULL: none */
};

/* Whether a user may call something so: letters, digits and -._, a letter first. */
bool object_check_id(const char *id, GError **error);

void object_init(Object *obj, const char *type_name);
void object_finish(Object *obj);        /* leaves the tree; children are orphaned */

/* `name` may end in "[*]": the first free number is taken. The name must be free otherwise. */
void object_add_child(Object *parent, const char *name, Object *child);
void object_remove(Object *child);
Object *object_child(Object *parent, const char *name);         /* NULL: none */
Object *object_container(const char *path);         /* made on demand: "/machine/peripheral" */

/*
 * Absolute ("/machine/x") or partial paths; *ambiguous set where a partial path has several
 * matches.
 */
Object *object_resolve(const char *path, bool *ambiguous);
char *object_path(const Object *obj);                      /* new string; NULL if not in the tree */
