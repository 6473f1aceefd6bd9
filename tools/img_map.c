/* rhea-img map and compare. */
#include <inttypes.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"

#define COMPARE_BYTES (2u << 20)

/* ---- map ---- */

typedef struct Entry {
    uint64_t start, len, offset;
    unsigned flags, depth;
    BlockNode *file;
} Entry;

static bool continues(const Entry *entry, const Entry *next)
{
    return entry->len > 0 && entry->flags == next->flags && entry->depth == next->depth &&
           entry->file == next->file &&
           (!(entry->flags & BLOCK_STATUS_OFFSET) || entry->offset + entry->len == next->offset);
}

static bool is_data(const Entry *entry)
{
    return (entry->flags & BLOCK_STATUS_DATA) && !(entry->flags & BLOCK_STATUS_ZERO);
}

static void print_json_entry(const Entry *entry, bool first)
{
    printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64 ", \"depth\": %u, \"present\": %s, "
           "\"zero\": %s, \"data\": %s", first ? "[" : ",\n", entry->start, entry->len,
           entry->depth, entry->flags & BLOCK_STATUS_ALLOCATED ? "true" : "false",
           entry->flags & BLOCK_STATUS_ZERO ? "true" : "false", is_data(entry) ? "true" : "false");
    if (entry->flags & BLOCK_STATUS_OFFSET) {
        printf(", \"offset\": %" PRIu64, entry->offset);
    }
    printf("}");
}

static bool print_entry(const Entry *entry)
{
    if (!is_data(entry)) {
        return true;
    }
    if (!(entry->flags & BLOCK_STATUS_OFFSET)) {
        img_fail("File contains external, encrypted or compressed clusters.");
        return false;
    }
    printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", entry->start, entry->len,
           entry->offset, entry->file != NULL ? entry->file->filename : "");
    return true;
}

static bool get_entry(BlockNode *node, uint64_t at, uint64_t len, Entry *entry)
{
    BlockStatus status;
    unsigned depth;
    int ret = block_node_status_above(node, at, len, &status, &depth);

    if (ret < 0) {
        img_fail("Could not read file metadata: %s", g_strerror(-ret));
        return false;
    }
    *entry = (Entry){ at, status.len, status.offset, status.flags, depth, status.file };
    return true;
}

static int map_range(BlockNode *node, bool json, uint64_t start, uint64_t end)
{
    Entry entry = { 0 }, next;
    bool first = true;

    if (!json) {
        printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    }
    for (uint64_t at = start; at <= end; at += next.len) {
        next = (Entry){ 0 };
        if (at < end && !get_entry(node, at, end - at, &next)) {
            return 1;
        }
        if (at < end && continues(&entry, &next)) {
            entry.len += next.len;
            continue;
        }
        if (entry.len > 0) {
            if (json) {
                print_json_entry(&entry, first);
            } else if (!print_entry(&entry)) {
                return 1;
            }
            first = false;
        }
        entry = next;
        if (at == end) {
            break;
        }
    }
    if (json) {
        printf("%s]\n", first ? "[" : "");
    }
    return 0;
}

int img_map(ImgArgs *args)
{
    const char *from = args->value[IMG_START_OFFSET] != NULL ? args->value[IMG_START_OFFSET]
                                                             : args->value['s'];
    const char *most = args->value[IMG_MAX_LENGTH] != NULL ? args->value[IMG_MAX_LENGTH]
                                                           : args->value['l'];
    uint64_t start = 0, len = INT64_MAX, size;
    g_autoptr(BlockNode) node = NULL;
    GError *error = NULL;

    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    if ((from != NULL && !img_parse_size(from, "start offset", &start, &error)) ||
        (most != NULL && !img_parse_size(most, "max length", &len, &error))) {
        return img_fail_error(error);
    }
    node = img_open_arg(args, 0, 0, &error);
    if (node == NULL) {
        return img_fail_error(error);
    }
    size = block_node_size(node);
    start = MIN(start, size);
    return map_range(node, args->json, start, start + MIN(len, size - start));
}

/* ---- compare ---- */

typedef struct Compare {
    ImgArgs *args;
    BlockNode *nodes[2];
    uint8_t *bufs[2];
    ImgProgress progress;
} Compare;

/* Status 2 and up of this command are failures, 1 says the images differ. */
static int fail_compare(GError *error)
{
    img_fail_error(error);
    return 2;
}

static void say(const Compare *cmp, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void say(const Compare *cmp, const char *format, ...)
{
    va_list args;

    if (!cmp->args->given['q']) {
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
    }
}

static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t len)
{
    for (uint64_t i = 0; i < len; i += 512) {
        if (memcmp(a + i, b + i, MIN(512, len - i)) != 0) {
            return i;
        }
    }
    return len;
}

/* 0: the same; 1: they differ, said so; -errno. *len is cut to what was looked at. */
static int compare_at(Compare *cmp, uint64_t at, uint64_t *len)
{
    BlockStatus status[2];
    unsigned depth;
    int ret = 0;

    for (int i = 0; i < 2 && ret == 0; i++) {
        ret = block_node_status_above(cmp->nodes[i], at, *len, &status[i], &depth);
        *len = ret == 0 ? MIN(*len, status[i].len) : *len;
    }
    if (ret < 0) {
        return ret;
    }
    if (cmp->args->given['s'] && (status[0].flags & ~BLOCK_STATUS_OFFSET) !=
                                 (status[1].flags & ~BLOCK_STATUS_OFFSET)) {
        say(cmp, "Strict mode: Offset %" PRIu64 " block status mismatch!\n", at);
        return 1;
    }
    if ((status[0].flags & BLOCK_STATUS_ZERO) && (status[1].flags & BLOCK_STATUS_ZERO)) {
        return 0;
    }
    *len = MIN(*len, COMPARE_BYTES);
    for (int i = 0; i < 2 && ret == 0; i++) {
        ret = block_node_pread(cmp->nodes[i], at, cmp->bufs[i], *len);
    }
    if (ret == 0 && memcmp(cmp->bufs[0], cmp->bufs[1], *len) != 0) {
        say(cmp, "Content mismatch at offset %" PRIu64 "!\n",
            at + first_difference(cmp->bufs[0], cmp->bufs[1], *len));
        return 1;
    }
    return ret;
}

/* What only the longer image has must be zeroes. */
static int compare_rest(Compare *cmp, BlockNode *node, uint64_t at)
{
    uint64_t size = block_node_size(node);

    say(cmp, "Warning: Image size mismatch!\n");
    while (at < size) {
        BlockStatus status;
        unsigned depth;
        int ret = block_node_status_above(node, at, size - at, &status, &depth);
        uint64_t len = status.len;

        if (ret == 0 && !(status.flags & BLOCK_STATUS_ZERO)) {
            len = MIN(len, COMPARE_BYTES);
            ret = block_node_pread(node, at, cmp->bufs[0], len);
            if (ret == 0 && !block_is_zero(cmp->bufs[0], len)) {
                say(cmp, "Content mismatch at offset %" PRIu64 "!\n", at);
                return 1;
            }
        }
        if (ret < 0) {
            return ret;
        }
        at += len;
        img_progress_set(&cmp->progress, at, size);
    }
    return 0;
}

static int compare_all(Compare *cmp)
{
    uint64_t sizes[2] = { block_node_size(cmp->nodes[0]), block_node_size(cmp->nodes[1]) };
    uint64_t common = MIN(sizes[0], sizes[1]), len;
    int ret = 0;

    if (sizes[0] != sizes[1] && cmp->args->given['s']) {
        say(cmp, "Strict mode: Image size mismatch!\n");
        return 1;
    }
    for (uint64_t at = 0; at < common && ret == 0; at += len) {
        len = common - at;
        ret = compare_at(cmp, at, &len);
        img_progress_set(&cmp->progress, at + len, MAX(sizes[0], sizes[1]));
    }
    if (ret == 0 && sizes[0] != sizes[1]) {
        ret = compare_rest(cmp, cmp->nodes[sizes[1] > sizes[0]], common);
    }
    if (ret == 0) {
        say(cmp, "Images are identical.\n");
    }
    return ret;
}

int img_compare(ImgArgs *args)
{
    g_autoptr(BlockNode) first = NULL;
    g_autoptr(BlockNode) second = NULL;
    Compare cmp = { .args = args };
    GError *error = NULL;
    int ret;

    if (args->n_names != 2) {
        return img_fail_usage("Expecting two image file names");
    }
    first = img_open_arg(args, 0, 0, &error);
    if (first != NULL) {
        args->value['f'] = args->value['F'];
        second = img_open_arg(args, 1, 0, &error);
    }
    if (second == NULL) {
        return fail_compare(error);
    }
    cmp.nodes[0] = first;
    cmp.nodes[1] = second;
    cmp.bufs[0] = g_malloc(COMPARE_BYTES);
    cmp.bufs[1] = g_malloc(COMPARE_BYTES);
    img_progress_begin(&cmp.progress, args);
    ret = compare_all(&cmp);
    img_progress_end(&cmp.progress);
    g_free(cmp.bufs[0]);
    g_free(cmp.bufs[1]);
    if (ret < 0) {
        img_fail("Error while comparing: %s", g_strerror(-ret));
        return 2;
    }
    return ret;
}
