/*
 * Types of the QMP schema as tables, and the three things done with a value of any type: read it
 * from JSON, write it as JSON, free what it owns.
 *
 * A value lives in a slot of its type's size.  Scalars and enums are in the slot itself; strings,
 * structs, unions, alternates, arrays and `any` are pointers to memory the slot owns.  The
 * generator emits the C structs and these rows from the same schema entry.
 */
#pragma once

#include <glib.h>
#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum QmpKind {
    QMP_BOOL, QMP_INT, QMP_UINT, QMP_NUMBER, QMP_NULL, QMP_ENUM,        /* in the slot */
    QMP_STRING,             /* char * */
    QMP_ANY,                /* json_object * */
    QMP_STRUCT,             /* unions are structs with a tag */
    QMP_ALTERNATE,
    QMP_ARRAY,              /* GPtrArray * of pointer elements, GArray * of others */
} QmpKind;

typedef struct QmpType QmpType;
typedef struct QmpMember QmpMember;

struct QmpMember {
    const char *name;                   /* NULL ends a list */
    const QmpType *type;
    size_t offset;
    bool optional;
    bool flagged;                       /* optional, and a bool at has_offset says if it is there */
    size_t has_offset;                  /* else a NULL pointer says that it is not */
    const char *const *features;        /* NULL-terminated; may be NULL */
};

struct QmpType {
    const char *name;                   /* as in the schema; what errors call it */
    QmpKind kind;
    size_t slot_size;
    size_t size;                        /* STRUCT, ALTERNATE: of what the slot points to */
    const char *const *values;          /* ENUM: NULL-terminated */
    const QmpType *element;             /* ARRAY */
    const QmpMember *members;           /* STRUCT: in order; ALTERNATE: one for each choice */
    /* STRUCT: members beyond these may be there; the whole object, borrowed, is at all_offset */
    bool open;
    size_t all_offset;
    /*
     * unions: `tag` is an enum member; cases[value] (NULL: nothing more) is the struct at u_offset
     */
    const QmpMember *tag;
    const QmpType *const *cases;
    size_t u_offset;
    const char *const *features;
    GDestroyNotify free;                /* kinds that are pointers, but arrays */
};

/* ALTERNATE: the first field says which member is there, by index. */
typedef struct QmpAlternateHead { unsigned choice; } QmpAlternateHead;

extern const QmpType qmp_type_bool, qmp_type_int, qmp_type_int8, qmp_type_int16, qmp_type_int32,
    qmp_type_int64, qmp_type_uint8, qmp_type_uint16, qmp_type_uint32, qmp_type_uint64,
    qmp_type_size, qmp_type_number, qmp_type_null, qmp_type_str, qmp_type_any;

/*
 * Fills the slot from `value`.  False: the slot owns nothing, `error` names the member by its path
 * from `name` ("" for the arguments of a command).
 */
bool qmp_value_parse(const QmpType *type, const char *name, json_object *value, void *slot,
                     GError **error);
json_object *qmp_value_to_json(const QmpType *type, const void *slot);
void qmp_value_clear(const QmpType *type, void *slot);      /* the slot is all zero afterwards */

/* The position of `name` in an enum's list of names, -1: it is not there. */
int qmp_enum_index(const char *const *names, const char *name);

/* For generated code: frees a struct, union or alternate with what it owns. */
void qmp_object_free(const QmpType *type, void *object);

static inline bool qmp_kind_is_pointer(QmpKind kind)
{
    return kind >= QMP_STRING;
}
