/* qcow2: the header and its extensions ("Header", "Header extensions", "Feature name table"). */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "qcow2_internal.h"
#include "rhea_error.h"

#define V2_LENGTH       72u
#define V3_LENGTH       104u
#define V3_LENGTH_NOW   112u            /* with compression_type and its padding */
#define MAX_BACKING     1023u
#define FEATURE_BYTES   48u

typedef enum { KIND_INCOMPATIBLE, KIND_COMPATIBLE, KIND_AUTOCLEAR } FeatureKind;

static const struct { FeatureKind kind; uint8_t bit; const char *name; } feature_names[] = {
    { KIND_INCOMPATIBLE, 0, "dirty bit" },
    { KIND_INCOMPATIBLE, 1, "corrupt bit" },
    { KIND_INCOMPATIBLE, 2, "external data file" },
    { KIND_INCOMPATIBLE, 3, "compression type" },
    { KIND_INCOMPATIBLE, 4, "extended L2 entries" },
    { KIND_COMPATIBLE, 0, "lazy refcounts" },
    { KIND_AUTOCLEAR, 0, "bitmaps" },
    { KIND_AUTOCLEAR, 1, "raw external data" },
};

/* Where the fixed fields lie, and how wide they are. */
typedef struct FieldRow { uint8_t offset, width; uint16_t member; } FieldRow;
#define FIELD(offset_, width_, member_) { offset_, width_, offsetof(Qcow2Header, member_) }
static const FieldRow v2_fields[] = {
    FIELD(4, 4, version), FIELD(20, 4, cluster_bits), FIELD(24, 8, size),
    FIELD(32, 4, crypt_method), FIELD(36, 4, l1_entries), FIELD(40, 8, l1_offset),
    FIELD(48, 8, rt_offset), FIELD(56, 4, rt_clusters), FIELD(60, 4, snapshots),
    FIELD(64, 8, snapshots_offset),
};
static const FieldRow v3_fields[] = {
    FIELD(72, 8, incompatible), FIELD(80, 8, compatible), FIELD(88, 8, autoclear),
    FIELD(96, 4, refcount_order), FIELD(100, 4, length),
};

static void load_fields(Qcow2Header *header, const uint8_t *bytes, const FieldRow *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *member = (char *)header + rows[i].member;

        if (rows[i].width == 4) {
            *(uint32_t *)member = get_be32(bytes + rows[i].offset);
        } else {
            *(uint64_t *)member = get_be64(bytes + rows[i].offset);
        }
    }
}

static void store_fields(const Qcow2Header *header, uint8_t *bytes, const FieldRow *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const void *member = (const char *)header + rows[i].member;

        if (rows[i].width == 4) {
            put_be32(bytes + rows[i].offset, *(const uint32_t *)member);
        } else {
            put_be64(bytes + rows[i].offset, *(const uint64_t *)member);
        }
    }
}

static void extension_clear(gpointer data)
{
    g_free(((Qcow2Extension *)data)->data);
}

GArray *qcow2_extensions_new(void)
{
    GArray *extensions = g_array_new(FALSE, FALSE, sizeof(Qcow2Extension));

    g_array_set_clear_func(extensions, extension_clear);
    return extensions;
}

void qcow2_header_clear(Qcow2Header *header)
{
    g_clear_pointer(&header->extensions, g_array_unref);
    g_clear_pointer(&header->unknown, g_free);
    g_clear_pointer(&header->backing_file, g_free);
    g_clear_pointer(&header->backing_format, g_free);
}

const Qcow2Extension *qcow2_header_extension(const Qcow2Header *header, uint32_t type)
{
    for (guint i = 0; i < header->extensions->len; i++) {
        const Qcow2Extension *ext = &g_array_index(header->extensions, Qcow2Extension, i);

        if (ext->type == type) {
            return ext;
        }
    }
    return NULL;
}

void qcow2_header_drop_extension(Qcow2Header *header, uint32_t type)
{
    for (guint i = header->extensions->len; i-- > 0;) {
        if (g_array_index(header->extensions, Qcow2Extension, i).type == type) {
            g_array_remove_index(header->extensions, i);
        }
    }
}

static void add_extension(Qcow2Header *header, uint32_t type, const void *data, uint32_t len)
{
    Qcow2Extension ext = { type, len, g_memdup2(data, len) };

    g_array_append_val(header->extensions, ext);
}

/* `end`: of the area they may use. */
static bool read_extensions(Qcow2Header *header, const uint8_t *bytes, size_t at, size_t end,
                            GError **error)
{
    while (at + 8 <= end) {
        uint32_t type = get_be32(bytes + at), len = get_be32(bytes + at + 4);

        at += 8;
        if (type == QCOW2_EXT_END) {
            return true;
        }
        if (len > end - at) {
            set_error(error, "Header extension too large");
            return false;
        }
        if (type == QCOW2_EXT_BACKING_FORMAT) {
            g_free(header->backing_format);
            header->backing_format = g_strndup((const char *)bytes + at, len);
        } else {
            add_extension(header, type, bytes + at, len);
        }
        at += MIN(ROUND_UP(len, 8), end - at);
    }
    return true;
}

/* The name the image gives to a feature, or ours, or its number. New string. */
static char *feature_name(const Qcow2Header *header, FeatureKind kind, unsigned bit)
{
    const Qcow2Extension *table = qcow2_header_extension(header, QCOW2_EXT_FEATURES);

    for (size_t at = 0; table != NULL && at + FEATURE_BYTES <= table->len; at += FEATURE_BYTES) {
        if (table->data[at] == kind && table->data[at + 1] == bit && table->data[at + 2] != 0) {
            g_autofree char *raw = g_strndup((const char *)table->data + at + 2, FEATURE_BYTES - 2);

            return g_strescape(raw, NULL);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(feature_names); i++) {
        if (feature_names[i].kind == kind && feature_names[i].bit == bit) {
            return g_strdup(feature_names[i].name);
        }
    }
    return g_strdup_printf("Unknown incompatible feature: %" G_GINT64_MODIFIER "x",
                           UINT64_C(1) << bit);
}

static bool check_features(const Qcow2Header *header, GError **error)
{
    const uint64_t known = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT |
                           QCOW2_INCOMPAT_COMPRESSION;
    uint64_t refused = header->incompatible & ~known;
    g_autoptr(GString) names = NULL;

    if (refused == 0) {
        return true;
    }
    names = g_string_new(NULL);
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((refused >> bit) & 1) {
            g_autofree char *name = feature_name(header, KIND_INCOMPATIBLE, bit);

            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
        }
    }
    set_error(error, "Unsupported qcow2 feature(s): %s", names->str);
    return false;
}

static bool check_compression(const Qcow2Header *header, GError **error)
{
    bool flagged = header->incompatible & QCOW2_INCOMPAT_COMPRESSION;

    if (flagged != (header->compression != QCOW2_ZLIB)) {
        set_error(error, "qcow2: Compression type incompatible feature bit must %sbe set",
                  flagged ? "not " : "");
        return false;
    }
    if (header->compression > QCOW2_ZSTD) {
        set_error(error, "qcow2: unknown compression type: %u", header->compression);
        return false;
    }
    return true;
}

static bool read_v3(Qcow2Header *header, const uint8_t *bytes, size_t have, GError **error)
{
    if (have < V3_LENGTH) {
        set_error(error, "qcow2 header is cut off");
        return false;
    }
    load_fields(header, bytes, v3_fields, G_N_ELEMENTS(v3_fields));
    if (header->length < V3_LENGTH) {
        set_error(error, "qcow2 header too short");
        return false;
    }
    if (header->length > (1u << header->cluster_bits) || header->length > have) {
        set_error(error, "qcow2 header exceeds cluster size");
        return false;
    }
    if (header->length > V3_LENGTH) {
        header->compression = bytes[V3_LENGTH];
    }
    if (header->length > V3_LENGTH_NOW) {
        header->unknown_len = header->length - V3_LENGTH_NOW;
        header->unknown = g_memdup2(bytes + V3_LENGTH_NOW, header->unknown_len);
    }
    return true;
}

static bool read_backing(Qcow2Header *header, const uint8_t *bytes, size_t have, size_t *ext_end,
                         GError **error)
{
    uint64_t offset = get_be64(bytes + 8);
    uint32_t len = get_be32(bytes + 16);

    if (offset == 0) {
        return true;
    }
    if (offset > (1u << header->cluster_bits) || offset < header->length || offset > have) {
        set_error(error, "Invalid backing file offset");
        return false;
    }
    *ext_end = offset;
    if (len > MAX_BACKING || len > have - offset) {
        set_error(error, "Backing file name too long");
        return false;
    }
    if (len > 0) {
        header->backing_file = g_strndup((const char *)bytes + offset, len);
    }
    return true;
}

static bool parse(Qcow2Header *header, const uint8_t *bytes, size_t have, GError **error)
{
    size_t ext_end = have;

    header->refcount_order = 4;
    header->length = V2_LENGTH;
    if (header->version >= 3 && !read_v3(header, bytes, have, error)) {
        return false;
    }
    return read_backing(header, bytes, have, &ext_end, error) &&
           read_extensions(header, bytes, header->length, ext_end, error) &&
           check_features(header, error) && check_compression(header, error);
}

static bool check_start(const Qcow2Header *header, uint32_t magic, GError **error)
{
    if (magic != QCOW2_MAGIC) {
        set_error(error, "Image is not in qcow2 format");
        return false;
    }
    if (header->version < 2 || header->version > 3) {
        set_error(error, "Unsupported qcow2 version %u", header->version);
        return false;
    }
    if (header->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
        header->cluster_bits > QCOW2_MAX_CLUSTER_BITS) {
        set_error(error, "Unsupported cluster size: 2^%u", header->cluster_bits);
        return false;
    }
    return true;
}

bool qcow2_header_read(BlockNode *file, Qcow2Header *header, GError **error)
{
    g_autofree uint8_t *bytes = NULL;
    uint8_t start[V2_LENGTH] = { 0 };
    size_t have = MIN(block_node_size(file), sizeof(start));
    int ret = block_node_pread(file, 0, start, have);

    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read qcow2 header");
        return false;
    }
    load_fields(header, start, v2_fields, G_N_ELEMENTS(v2_fields));
    header->extensions = qcow2_extensions_new();
    if (have < sizeof(start)) {
        set_error(error, "Image is not in qcow2 format");
        return false;
    }
    if (!check_start(header, get_be32(start), error)) {
        return false;
    }
    have = MIN(block_node_size(file), UINT64_C(1) << header->cluster_bits);
    bytes = g_malloc(have);
    ret = block_node_pread(file, 0, bytes, have);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read qcow2 header");
        return false;
    }
    return parse(header, bytes, have, error);
}

/* ---- writing ---- */

static void put_extension(GByteArray *out, uint32_t type, const void *data, uint32_t len)
{
    static const uint8_t padding[8];
    uint8_t head[8];

    put_be32(head, type);
    put_be32(head + 4, len);
    g_byte_array_append(out, head, sizeof(head));
    g_byte_array_append(out, data, len);
    g_byte_array_append(out, padding, ROUND_UP(len, 8) - len);
}

static void put_fixed(const Qcow2Header *header, uint8_t *bytes)
{
    put_be32(bytes, QCOW2_MAGIC);
    store_fields(header, bytes, v2_fields, G_N_ELEMENTS(v2_fields));
    if (header->version >= 3) {
        store_fields(header, bytes, v3_fields, G_N_ELEMENTS(v3_fields));
    }
    if (header->length > V3_LENGTH) {
        bytes[V3_LENGTH] = header->compression;
    }
}

uint8_t *qcow2_header_bytes(const Qcow2Header *header, size_t *len, GError **error)
{
    GByteArray *out = g_byte_array_new();
    uint32_t name_len = header->backing_file != NULL ? strlen(header->backing_file) : 0;

    g_byte_array_set_size(out, header->length);
    memset(out->data, 0, out->len);
    if (header->unknown_len > 0) {
        memcpy(out->data + V3_LENGTH_NOW, header->unknown, header->unknown_len);
    }
    if (header->backing_format != NULL) {
        put_extension(out, QCOW2_EXT_BACKING_FORMAT, header->backing_format,
                      strlen(header->backing_format));
    }
    for (guint i = 0; i < header->extensions->len; i++) {
        const Qcow2Extension *ext = &g_array_index(header->extensions, Qcow2Extension, i);

        put_extension(out, ext->type, ext->data, ext->len);
    }
    put_extension(out, QCOW2_EXT_END, NULL, 0);
    put_fixed(header, out->data);
    if (name_len > 0) {
        put_be64(out->data + 8, out->len);
        put_be32(out->data + 16, name_len);
        g_byte_array_append(out, (const uint8_t *)header->backing_file, name_len);
    }
    if (name_len > MAX_BACKING || out->len > (1u << header->cluster_bits)) {
        set_error(error, "The image header with its backing file name does not fit %u bytes",
                  1u << header->cluster_bits);
        g_byte_array_unref(out);
        return NULL;
    }
    *len = out->len;
    return g_byte_array_free(out, FALSE);
}

/* In place: what lies behind the fixed fields (and the backing file's name) stays. */
int qcow2_header_write_fields(Qcow2 *q)
{
    uint8_t bytes[V3_LENGTH_NOW];
    int ret = qcow2_file_read(q, 0, bytes, sizeof(bytes));

    if (ret < 0) {
        return ret;
    }
    put_fixed(&q->header, bytes);
    ret = qcow2_file_write(q, 0, bytes, MIN(q->header.length, sizeof(bytes)));
    return ret < 0 ? ret : qcow2_file_sync(q);
}

bool qcow2_header_rewrite(Qcow2 *q, GError **error)
{
    g_autofree uint8_t *cluster = g_malloc0(q->cluster_size);
    size_t len;
    g_autofree uint8_t *bytes = qcow2_header_bytes(&q->header, &len, error);
    int ret;

    if (bytes == NULL) {
        return false;
    }
    memcpy(cluster, bytes, len);
    ret = qcow2_file_write(q, 0, cluster, q->cluster_size);
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not update qcow2 header");
    }
    return ret == 0;
}

void qcow2_header_add_feature_names(Qcow2Header *header)
{
    uint8_t table[G_N_ELEMENTS(feature_names) * FEATURE_BYTES] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(feature_names); i++) {
        uint8_t *row = table + i * FEATURE_BYTES;

        row[0] = feature_names[i].kind;
        row[1] = feature_names[i].bit;
        g_strlcpy((char *)row + 2, feature_names[i].name, FEATURE_BYTES - 2);
    }
    add_extension(header, QCOW2_EXT_FEATURES, table, sizeof(table));
}
