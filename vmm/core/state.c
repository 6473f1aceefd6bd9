#include "state.h"

#include <inttypes.h>
#include <string.h>

#include "rhea_error.h"

/* Begins a subsection in the stream. */
enum { STATE_SUBSECTION = 0x05 };

static unsigned kind_width(StateKind kind)
{
    static const uint8_t widths[] = {
        [STATE_KIND_BOOL] = 1, [STATE_KIND_U8] = 1, [STATE_KIND_U16] = 2, [STATE_KIND_U32] = 4,
        [STATE_KIND_U64] = 8, [STATE_KIND_I8] = 1, [STATE_KIND_I16] = 2, [STATE_KIND_I32] = 4,
        [STATE_KIND_I64] = 8,
    };

    return kind < G_N_ELEMENTS(widths) ? widths[kind] : 0;
}

static bool kind_is_signed(StateKind kind)
{
    return kind >= STATE_KIND_I8 && kind <= STATE_KIND_I64;
}

/* A scalar as 64 bits, sign extended where the kind has a sign. */
static uint64_t scalar_get(StateKind kind, const void *p)
{
    switch (kind) {
    case STATE_KIND_BOOL: return *(const bool *)p;
    case STATE_KIND_U8:   return *(const uint8_t *)p;
    case STATE_KIND_U16:  return *(const uint16_t *)p;
    case STATE_KIND_U32:  return *(const uint32_t *)p;
    case STATE_KIND_I8:   return (int64_t)*(const int8_t *)p;
    case STATE_KIND_I16:  return (int64_t)*(const int16_t *)p;
    case STATE_KIND_I32:  return (int64_t)*(const int32_t *)p;
    default:              return *(const uint64_t *)p;
    }
}

static void scalar_set(StateKind kind, void *p, uint64_t value)
{
    switch (kind_width(kind)) {
    case 1: *(uint8_t *)p = kind == STATE_KIND_BOOL ? value != 0 : value; break;
    case 2: *(uint16_t *)p = value; break;
    case 4: *(uint32_t *)p = value; break;
    case 8: *(uint64_t *)p = value; break;
    }
}

static uint64_t sign_extend(StateKind kind, uint64_t value)
{
    unsigned unused_bits = 64 - 8 * kind_width(kind);

    return kind_is_signed(kind) ? (uint64_t)((int64_t)(value << unused_bits) >> unused_bits)
                                : value;
}

static unsigned field_count(const StateField *field, const void *opaque)
{
    if (!field->has_count) {
        return field->count;
    }
    return MIN(*(const uint32_t *)((const char *)opaque + field->count_offset), field->count);
}

static bool field_present(const StateField *field, const void *opaque, int version)
{
    return version >= field->since_version &&
           (field->exists == NULL || field->exists(opaque, version));
}

/* ---- save ---- */

void state_put_be(GByteArray *out, uint64_t value, unsigned width)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < width; i++) {
        bytes[i] = value >> (8 * (width - 1 - i));
    }
    g_byte_array_append(out, bytes, width);
}

static void save_element(const StateField *field, void *p, GByteArray *out)
{
    switch (field->kind) {
    case STATE_KIND_BYTES:
        g_byte_array_append(out, p, field->size);
        break;
    case STATE_KIND_STRUCT:
        state_save(field->desc, p, out);
        break;
    case STATE_KIND_UNUSED: {
        guint at = out->len;

        g_byte_array_set_size(out, at + field->size);
        memset(out->data + at, 0, field->size);
        break;
    }
    case STATE_KIND_CUSTOM:
        field->custom->save(p, out);
        break;
    default:
        state_put_be(out, scalar_get(field->kind, p), kind_width(field->kind));
    }
}

static void save_fields(const StateDesc *desc, void *opaque, GByteArray *out)
{
    if (desc->saving != NULL) {
        desc->saving(opaque);
    }
    for (const StateField *field = desc->fields; field->name != NULL; field++) {
        if (!field_present(field, opaque, desc->version)) {
            continue;
        }
        for (unsigned i = 0; i < field_count(field, opaque); i++) {
            save_element(field, (char *)opaque + field->offset + i * field->size, out);
        }
    }
}

void state_save(const StateDesc *desc, void *opaque, GByteArray *out)
{
    save_fields(desc, opaque, out);
    for (const StateDesc *const *sub = desc->subsections; sub != NULL && *sub != NULL; sub++) {
        if ((*sub)->needed == NULL || (*sub)->needed(opaque)) {
            state_put_be(out, STATE_SUBSECTION, 1);
            state_put_be(out, strlen((*sub)->name), 1);
            g_byte_array_append(out, (const guint8 *)(*sub)->name, strlen((*sub)->name));
            state_put_be(out, (*sub)->version, 4);
            state_save(*sub, opaque, out);
        }
    }
}

/* ---- load ---- */

bool state_read(StateReader *in, void *p, size_t len, GError **error)
{
    if (len > in->size - in->pos) {
        set_error(error, "the data ends after %zu of %zu bytes", in->size - in->pos, len);
        return false;
    }
    memcpy(p, in->data + in->pos, len);
    in->pos += len;
    return true;
}

bool state_read_be(StateReader *in, unsigned width, uint64_t *value, GError **error)
{
    uint8_t bytes[8];

    if (!state_read(in, bytes, width, error)) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < width; i++) {
        *value = *value << 8 | bytes[i];
    }
    return true;
}

static bool in_range(const StateField *field, uint64_t value, GError **error)
{
    bool any = field->range.min == 0 && field->range.max == 0;
    bool too_big = !kind_is_signed(field->kind) && value > INT64_MAX;

    if (any || (!too_big && (int64_t)value >= field->range.min &&
                (int64_t)value <= field->range.max)) {
        return true;
    }
    set_error(error, "value %" PRIu64 " is not in %" PRId64 "…%" PRId64, value, field->range.min,
              field->range.max);
    return false;
}

static bool load_desc(const StateDesc *desc, void *opaque, int version, StateReader *in,
                      GError **error);

static bool load_scalar(const StateField *field, void *p, StateReader *in, GError **error)
{
    uint64_t value;

    if (!state_read_be(in, kind_width(field->kind), &value, error)) {
        return false;
    }
    value = sign_extend(field->kind, value);
    if (field->kind == STATE_KIND_BOOL && value > 1) {
        set_error(error, "value %" PRIu64 " is neither true nor false", value);
        return false;
    }
    if (!in_range(field, value, error)) {
        return false;
    }
    scalar_set(field->kind, p, value);
    return true;
}

static bool load_element(const StateField *field, void *p, StateReader *in, GError **error)
{
    switch (field->kind) {
    case STATE_KIND_BYTES:
        return state_read(in, p, field->size, error);
    case STATE_KIND_STRUCT:
        return load_desc(field->desc, p, field->desc->version, in, error);
    case STATE_KIND_UNUSED:
        if (field->size > in->size - in->pos) {
            set_error(error, "the data ends in unused bytes");
            return false;
        }
        in->pos += field->size;
        return true;
    case STATE_KIND_CUSTOM:
        return field->custom->load(p, in, error);
    default:
        return load_scalar(field, p, in, error);
    }
}

static bool load_field(const StateField *field, void *opaque, StateReader *in, GError **error)
{
    const uint32_t *count = (const uint32_t *)((const char *)opaque + field->count_offset);

    if (field->has_count && *count > field->count) {
        set_error(error, "%s: %u elements where at most %u fit", field->name, *count, field->count);
        return false;
    }
    for (unsigned i = 0; i < field_count(field, opaque); i++) {
        if (!load_element(field, (char *)opaque + field->offset + i * field->size, in, error)) {
            g_prefix_error(error, "%s: ", field->name);
            return false;
        }
    }
    return true;
}

/*
 * A subsection starts here only if its name is one of `desc`'s; else the byte belongs to what
 * follows.
 */
static const StateDesc *peek_subsection(const StateDesc *desc, const StateReader *in)
{
    const uint8_t *at = in->data + in->pos;
    size_t left = in->size - in->pos;

    if (left < 2 || at[0] != STATE_SUBSECTION || left < 2u + at[1] + 4) {
        return NULL;
    }
    for (const StateDesc *const *sub = desc->subsections; sub != NULL && *sub != NULL; sub++) {
        if (strlen((*sub)->name) == at[1] && memcmp((*sub)->name, at + 2, at[1]) == 0) {
            return *sub;
        }
    }
    return NULL;
}

static bool load_subsections(const StateDesc *desc, void *opaque, StateReader *in, GError **error)
{
    const StateDesc *sub;

    while ((sub = peek_subsection(desc, in)) != NULL) {
        uint64_t version;

        in->pos += 2 + strlen(sub->name);
        if (!state_read_be(in, 4, &version, error) || !load_desc(sub, opaque, version, in, error)) {
            return false;
        }
    }
    return true;
}

static bool load_desc(const StateDesc *desc, void *opaque, int version, StateReader *in,
                      GError **error)
{
    int min_version = desc->min_version != 0 ? desc->min_version : desc->version;

    if (version > desc->version || version < min_version) {
        set_error(error, "%s: version %d is not between %d and %d", desc->name, version,
                  min_version, desc->version);
        return false;
    }
    for (const StateField *field = desc->fields; field->name != NULL; field++) {
        if (field_present(field, opaque, version) && !load_field(field, opaque, in, error)) {
            g_prefix_error(error, "%s.", desc->name);
            return false;
        }
    }
    if (!load_subsections(desc, opaque, in, error)) {
        return false;
    }
    return desc->loaded == NULL || desc->loaded(opaque, error);
}

bool state_load(const StateDesc *desc, void *opaque, int version, const uint8_t *data, size_t size,
                size_t *pos, GError **error)
{
    StateReader in = { data, size, *pos };
    bool ok = load_desc(desc, opaque, version, &in, error);

    *pos = in.pos;
    return ok;
}

/* ---- dump ---- */

static void dump_fields(const StateDesc *desc, const void *opaque, const char *prefix,
                        GString *out);

static void dump_element(const StateField *field, const void *p, const char *name, GString *out)
{
    switch (field->kind) {
    case STATE_KIND_STRUCT:
        dump_fields(field->desc, p, name, out);
        break;
    case STATE_KIND_BYTES:
        g_string_append_printf(out, "%s =", name);
        for (size_t i = 0; i < field->size; i++) {
            g_string_append_printf(out, " %02x", ((const uint8_t *)p)[i]);
        }
        g_string_append_c(out, '\n');
        break;
    case STATE_KIND_UNUSED:
        break;
    case STATE_KIND_CUSTOM: {
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        field->custom->save((void *)p, bytes);
        g_string_append_printf(out, "%s = %u bytes\n", name, bytes->len);
        break;
    }
    default:
        g_string_append_printf(out, "%s = 0x%" PRIx64 "\n", name, scalar_get(field->kind, p));
    }
}

static void dump_fields(const StateDesc *desc, const void *opaque, const char *prefix, GString *out)
{
    for (const StateField *field = desc->fields; field->name != NULL; field++) {
        unsigned count = field_count(field, opaque);

        for (unsigned i = 0; i < count && field_present(field, opaque, desc->version); i++) {
            const void *p = (const char *)opaque + field->offset + i * field->size;
            g_autofree char *index = count > 1 ? g_strdup_printf("[%u]", i) : g_strdup("");
            g_autofree char *name = g_strdup_printf("%s.%s%s", prefix, field->name, index);

            dump_element(field, p, name, out);
        }
    }
}

void state_dump(const StateDesc *desc, const void *opaque, GString *out)
{
    dump_fields(desc, opaque, desc->name, out);
    for (const StateDesc *const *sub = desc->subsections; sub != NULL && *sub != NULL; sub++) {
        if ((*sub)->needed == NULL || (*sub)->needed(opaque)) {
            state_dump(*sub, opaque, out);
        }
    }
}
