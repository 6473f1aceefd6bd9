/*
 * Properties: typed, documented fields of a device or object struct, set by name.
 *
 * A property's type knows how to read text, print, and which JSON type its values have.  Base
 * types are here; a library with its own kind (chardev, netdev, PCI address) defines another
 * PropType.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object.h"

/* VALUE: printed as JSON text, of any type */
typedef enum PropJson {
    PROP_JSON_BOOL, PROP_JSON_INT, PROP_JSON_STRING, PROP_JSON_VALUE
} PropJson;

typedef struct PropType {
    const char *name;       /* as in device-list-properties: "uint32", "bool", "str", "OnOffAuto" */
    PropJson json;
    /* `field` points at the field in the object. Text and JSON doors both arrive here as text. */
    bool (*parse)(Object *obj, const Property *prop, void *field, const char *text, GError **error);
    /* qom-get: plain */
    char *(*print)(const Object *obj, const Property *prop, const void *field);
    /* NULL: print */
    char *(*print_qtree)(const Object *obj, const Property *prop, const void *field);
    void (*release)(Object *obj, const Property *prop, void *field);       /* NULL: nothing owned */
} PropType;

struct Property {
    const char *name;                   /* NULL ends a table */
    const PropType *type;
    size_t offset;
    int64_t def;                        /* default for numeric types */
    const char *def_text;               /* default as text, for others; NULL: leave zero */
    const char *help;
    const char *const *names;           /* enums: NULL-terminated value names, index = value */
    bool live;                          /* may change while realized */
    bool hidden;                        /* not shown in qtree */
    bool read_only;
    const char *link;                   /* links: the type or base of -object that is wanted */
};

extern const PropType prop_bool, prop_uint8, prop_uint16, prop_uint32, prop_uint64, prop_int32,
    prop_int64, prop_int, prop_size, prop_string, prop_enum, prop_on_off_auto;
/*
 * Place among what firmware tries to boot, -1: not tried.  The field is an int32_t; device.h has
 * PROP_BOOTINDEX and DeviceType.boot_suffix.
 */
extern const PropType prop_bootindex;

extern const char *const on_off_auto_names[];
typedef enum OnOffAuto { ON_OFF_AUTO_AUTO, ON_OFF_AUTO_ON, ON_OFF_AUTO_OFF } OnOffAuto;

#define PROP_OF(ptype_, ctype_, s_, f_, ...) \
    { .type = &(ptype_), .offset = offsetof(s_, f_) + 0 * sizeof((ctype_ *)0 == &((s_ *)0)->f_), \
      __VA_ARGS__ }
#define PROP_BOOL(s, f, ...)        PROP_OF(prop_bool, bool, s, f, __VA_ARGS__)
#define PROP_UINT8(s, f, ...)       PROP_OF(prop_uint8, uint8_t, s, f, __VA_ARGS__)
#define PROP_UINT16(s, f, ...)      PROP_OF(prop_uint16, uint16_t, s, f, __VA_ARGS__)
#define PROP_UINT32(s, f, ...)      PROP_OF(prop_uint32, uint32_t, s, f, __VA_ARGS__)
#define PROP_UINT64(s, f, ...)      PROP_OF(prop_uint64, uint64_t, s, f, __VA_ARGS__)
#define PROP_INT32(s, f, ...)       PROP_OF(prop_int32, int32_t, s, f, __VA_ARGS__)
#define PROP_INT64(s, f, ...)       PROP_OF(prop_int64, int64_t, s, f, __VA_ARGS__)
#define PROP_INT(s, f, ...)         PROP_OF(prop_int, int64_t, s, f, __VA_ARGS__)
#define PROP_SIZE(s, f, ...)        PROP_OF(prop_size, uint64_t, s, f, __VA_ARGS__)
#define PROP_STRING(s, f, ...)      PROP_OF(prop_string, char *, s, f, __VA_ARGS__)
#define PROP_ENUM(s, f, ...)        PROP_OF(prop_enum, int, s, f, __VA_ARGS__)
#define PROP_ON_OFF_AUTO(s, f, ...) PROP_OF(prop_on_off_auto, OnOffAuto, s, f, __VA_ARGS__)

/*
 * Each over every table of the object, in order.  The first two look into its inner object too; the
 * others do not.
 */
const Property *property_find(const Object *obj, const char *name);
const Property *property_nearest(const Object *obj, const char *name);
void properties_set_defaults(Object *obj);
void properties_release(Object *obj);
/* Errors: "Property 'isa-serial.bogus' not found", "Parameter 'index' expects uint32" … */
bool property_set(Object *obj, const char *name, const char *text, GError **error);
char *property_get(const Object *obj, const char *name, GError **error);    /* new string */
/* What help and listings call its type: "uint32", "link<rng-backend>". */
const char *property_type_name(const Property *prop);
static inline void *property_field(const Object *obj, const Property *prop)
{
    return (char *)obj + prop->offset;
}
