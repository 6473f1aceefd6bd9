/*
 * Objects a user makes: -object, object_add, object-add.
 *
 * An ObjectType is a row, as a DeviceType is: name, properties, and what turns properties into the
 * working thing.  Objects live at /objects/ID.  Others refer to one by a link property; as long as
 * one does, the object cannot be deleted.
 *
 * Main thread, machine lock.
 */
#pragma once

#include "keyval.h"
#include "object.h"
#include "property.h"

typedef struct Vm Vm;
typedef struct UserObject UserObject;

typedef struct ObjectType {
    const char *name;                       /* "rng-random" */
    const char *base;                       /* what links ask for: "rng-backend"; NULL: itself */
    const char *help;                       /* one phrase */
    size_t size;                            /* of its struct, UserObject first */
    const Property *props, *base_props;     /* either may be NULL */
    bool after_backends;                    /* refers to -chardev or -netdev: made after them */
    bool (*complete)(UserObject *obj, GError **error);      /* properties are set; may be NULL */
    void (*finish)(UserObject *obj);        /* also after a complete() that failed half way */
    bool (*can_be_deleted)(const UserObject *obj);          /* NULL: when no link refers to it */
} ObjectType;

struct UserObject {
    Object obj;
    const ObjectType *type;
    Vm *vm;
    char *id;                               /* owned */
    unsigned users;                         /* links that refer to it */
    bool complete;                          /* a property changes now only if it is `live` */
    const Property *prop_tables[3];
};

#define OBJECT_CAST(obj, T) ((T *)(obj))    /* obj is the first member; types are fixed by the row */

/* Every type there is, NULL-terminated; written out where all folders are seen. */
void user_object_types_set(const ObjectType *const *list);
const ObjectType *const *user_object_types(void);
const ObjectType *user_object_type_find(const char *name);              /* NULL: none */

/* `kv` has qom-type and id, and may have the type's properties. */
UserObject *user_object_new(Vm *vm, KeyVal *kv, GError **error);
/*
 * One that is not the user's: `kv` (NULL: none) has properties alone.  With an id it is placed at
 * /objects, without one the caller gives it a place.
 */
UserObject *user_object_new_typed(Vm *vm, const ObjectType *type, const char *id, KeyVal *kv,
                                  GError **error);
bool user_object_set(UserObject *obj, const char *prop, const char *text, GError **error);
bool user_object_del(const char *id, GError **error);
void user_object_free(UserObject *obj);     /* nobody refers to it */
UserObject *user_object_find(const char *id);                           /* NULL: none */
/* In order of making; `base` NULL: all. */
void user_objects_foreach(const char *base, void (*fn)(UserObject *obj, void *opaque),
                          void *opaque);

/* *text is what "help" or "TYPE,help" asks for, NULL if `opts` asks for no help. */
bool user_object_help(const char *opts, char **text, GError **error);

/*
 * A link: a field of type UserObject *, set by the id of an object of type or base `want`.  It holds
 * the object until it is released.  Not shown in qtree, as QEMU's are not.
 */
extern const PropType prop_link;
#define PROP_LINK(s, f, want, ...) \
    PROP_OF(prop_link, UserObject *, s, f, .link = (want), .hidden = true, __VA_ARGS__)
