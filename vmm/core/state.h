/*
 * State tables: one list of fields drives save, load and a readable dump.
 *
 * The bytes are QEMU's: each field in table order, integers big endian, no padding; then
 * subsections, each as 0x05, length byte, name, 32-bit version, fields.  Nothing is trusted on
 * load: versions, ranges, array lengths and the end of the data are checked, and an error names
 * the field.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum StateKind {
    STATE_KIND_BOOL, STATE_KIND_U8, STATE_KIND_U16, STATE_KIND_U32, STATE_KIND_U64,
    STATE_KIND_I8, STATE_KIND_I16, STATE_KIND_I32, STATE_KIND_I64,
    STATE_KIND_BYTES,                   /* `size` bytes as they are */
    STATE_KIND_STRUCT,                  /* nested table */
    STATE_KIND_UNUSED,                  /* `size` zero bytes, skipped on load */
    STATE_KIND_CUSTOM,                  /* functions of its own, where no table can tell the form */
} StateKind;

typedef struct StateDesc StateDesc;

/* What a custom field reads from: nothing is read past the end. */
typedef struct StateReader {
    const uint8_t *data;
    size_t size, pos;
} StateReader;
bool state_read(StateReader *in, void *p, size_t len, GError **error);
bool state_read_be(StateReader *in, unsigned width, uint64_t *value, GError **error);
void state_put_be(GByteArray *out, uint64_t value, unsigned width);

/* `opaque` is the struct the field belongs to; several elements are the functions' own matter. */
typedef struct StateCustom {
    void (*save)(void *opaque, GByteArray *out);
    bool (*load)(void *opaque, StateReader *in, GError **error);
} StateCustom;

typedef struct StateField {
    const char *name;
    StateKind kind;
    size_t offset;                      /* in the struct */
    size_t size;                        /* of one element */
    unsigned count;                     /* elements; 1 for a scalar */
    size_t count_offset;       /* with has_count: a uint32_t in the struct ≤ count, loaded before */
    bool has_count;
    const StateDesc *desc;              /* STRUCT */
    const StateCustom *custom;          /* CUSTOM */
    bool (*exists)(const void *opaque, int version);
    int since_version;
    struct { int64_t min, max; } range; /* both 0: any value */
} StateField;

struct StateDesc {
    const char *name;
    int version, min_version;           /* min_version 0: same as version */
    const StateField *fields;           /* ends with a NULL name */
    const StateDesc *const *subsections;
    bool (*needed)(const void *opaque); /* of a subsection, or a whole section */
    void (*saving)(void *opaque);       /* before the fields are read */
    /* after all fields: check, then recompute outputs */
    bool (*loaded)(void *opaque, GError **error);
};

/* Appends to `out`. Machine stopped or lock held. */
void state_save(const StateDesc *desc, void *opaque, GByteArray *out);

/* Reads from data[*pos..size), advances *pos. On failure `opaque` may be partly changed. */
bool state_load(const StateDesc *desc, void *opaque, int version, const uint8_t *data, size_t size,
                size_t *pos, GError **error);

/* "field = value" lines for people. */
void state_dump(const StateDesc *desc, const void *opaque, GString *out);

/* Field macros; a wrong C type does not compile. */
#define STATE_CHECKED(type_, s_, f_) \
    (offsetof(s_, f_) + 0 * sizeof((type_ *)0 == &((s_ *)0)->f_))
#define STATE_SCALAR(kind_, type_, s_, f_, ...) \
    { .name = #f_, .kind = kind_, .offset = STATE_CHECKED(type_, s_, f_), \
      .size = sizeof(type_), .count = 1, __VA_ARGS__ }
#define STATE_ARRAY_OF(kind_, type_, s_, f_, ...) \
    { .name = #f_, .kind = kind_, .offset = STATE_CHECKED(type_, s_, f_[0]), \
      .size = sizeof(type_), .count = sizeof(((s_ *)0)->f_) / sizeof(type_), __VA_ARGS__ }
#define STATE_BOOL(s, f, ...)   STATE_SCALAR(STATE_KIND_BOOL, bool, s, f, __VA_ARGS__)
#define STATE_UINT8(s, f, ...)  STATE_SCALAR(STATE_KIND_U8, uint8_t, s, f, __VA_ARGS__)
#define STATE_UINT16(s, f, ...) STATE_SCALAR(STATE_KIND_U16, uint16_t, s, f, __VA_ARGS__)
#define STATE_UINT32(s, f, ...) STATE_SCALAR(STATE_KIND_U32, uint32_t, s, f, __VA_ARGS__)
#define STATE_UINT64(s, f, ...) STATE_SCALAR(STATE_KIND_U64, uint64_t, s, f, __VA_ARGS__)
#define STATE_INT8(s, f, ...)   STATE_SCALAR(STATE_KIND_I8, int8_t, s, f, __VA_ARGS__)
#define STATE_INT16(s, f, ...)  STATE_SCALAR(STATE_KIND_I16, int16_t, s, f, __VA_ARGS__)
#define STATE_INT32(s, f, ...)  STATE_SCALAR(STATE_KIND_I32, int32_t, s, f, __VA_ARGS__)
#define STATE_INT64(s, f, ...)  STATE_SCALAR(STATE_KIND_I64, int64_t, s, f, __VA_ARGS__)
#define STATE_UINT8_ARRAY(s, f, ...)  STATE_ARRAY_OF(STATE_KIND_U8, uint8_t, s, f, __VA_ARGS__)
#define STATE_UINT16_ARRAY(s, f, ...) STATE_ARRAY_OF(STATE_KIND_U16, uint16_t, s, f, __VA_ARGS__)
#define STATE_UINT32_ARRAY(s, f, ...) STATE_ARRAY_OF(STATE_KIND_U32, uint32_t, s, f, __VA_ARGS__)
#define STATE_UINT64_ARRAY(s, f, ...) STATE_ARRAY_OF(STATE_KIND_U64, uint64_t, s, f, __VA_ARGS__)
#define STATE_BYTES(s, f, ...) \
    { .name = #f, .kind = STATE_KIND_BYTES, .offset = offsetof(s, f), \
      .size = sizeof(((s *)0)->f), .count = 1, __VA_ARGS__ }
#define STATE_STRUCT(s, f, type_, desc_, ...) \
    { .name = #f, .kind = STATE_KIND_STRUCT, .offset = STATE_CHECKED(type_, s, f), \
      .size = sizeof(type_), .count = 1, .desc = &(desc_), __VA_ARGS__ }
#define STATE_STRUCT_ARRAY(s, f, type_, desc_, ...) \
    { .name = #f, .kind = STATE_KIND_STRUCT, .offset = STATE_CHECKED(type_, s, f[0]), \
      .size = sizeof(type_), .count = sizeof(((s *)0)->f) / sizeof(type_), .desc = &(desc_), \
      __VA_ARGS__ }
#define STATE_CUSTOM(name_, custom_, ...) \
    { .name = (name_), .kind = STATE_KIND_CUSTOM, .count = 1, .custom = &(custom_), __VA_ARGS__ }
#define STATE_UNUSED(n) { .name = "unused", .kind = STATE_KIND_UNUSED, .size = (n), .count = 1 }
