/*
 * rhea-img convert.
 *
 * Workers take pieces of the source one after the other, read them and write what is not zero.
 * Unless -W allows otherwise they write in the order of the source, so that the new image lies in
 * order; compressed clusters are written as they are ready.
 */
#include <errno.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"
#include "sizes.h"

#define PIECE_BYTES     (2u << 20)
#define MAX_WORKERS     16u
#define MAX_SPARSE      (2u << 20)

typedef struct Convert {
    ImgArgs *args;
    BlockNode *source, *target;
    uint64_t size, piece, cluster;      /* cluster: of the target */
    uint64_t sparse;                    /* zeroes of at least this many bytes are not written */
    bool compress, target_zero, keep_backing, any_order;
    /* guarded by lock */
    GMutex lock;
    GCond turn;
    uint64_t next, written;             /* where the next piece begins; written so far in order */
    int ret;
    ImgProgress progress;
} Convert;

/* ---- one piece ---- */

static int write_zeroes(Convert *job, uint64_t at, uint64_t len)
{
    return job->target_zero ? 0 : block_node_zero(job->target, at, len, BLOCK_REQ_MAY_UNMAP);
}

static int write_data(Convert *job, uint64_t at, const uint8_t *buf, uint64_t len)
{
    uint64_t step = job->sparse > 0 ? job->sparse : len;
    int ret = 0;

    for (uint64_t done = 0; done < len && ret == 0;) {
        bool zero = job->sparse > 0 && block_is_zero(buf + done, MIN(step, len - done));
        uint64_t n = MIN(step, len - done);

        while (done + n < len && job->sparse > 0 &&
               block_is_zero(buf + done + n, MIN(step, len - done - n)) == zero) {
            n += MIN(step, len - done - n);
        }
        ret = zero ? write_zeroes(job, at + done, n)
                   : block_node_pwrite(job->target, at + done, buf + done, n);
        done += n;
    }
    return ret;
}

static int write_compressed(Convert *job, uint64_t at, const uint8_t *buf, uint64_t len)
{
    int ret = 0;

    for (uint64_t done = 0; done < len && ret == 0; done += job->cluster) {
        uint64_t n = MIN(job->cluster, len - done);

        ret = block_is_zero(buf + done, n)
            ? write_zeroes(job, at + done, n)
            : job->target->driver->pwrite_compressed(job->target, at + done, buf + done, n);
    }
    return ret;
}

typedef struct Stretch { uint64_t len; bool skip, zero; } Stretch;

/* What to do from `at` on.  With -B only what the source's own layer holds is copied. */
static int look(Convert *job, uint64_t at, uint64_t len, Stretch *stretch)
{
    BlockStatus status;
    unsigned depth;
    int ret = job->keep_backing
        ? block_node_status(job->source, at, len, &status)
        : block_node_status_above(job->source, at, len, &status, &depth);

    *stretch = (Stretch){ status.len, job->keep_backing &&
                          !(status.flags & BLOCK_STATUS_ALLOCATED),
                          status.flags & BLOCK_STATUS_ZERO };
    return ret;
}

/* Reads all of a piece; false in *any where there is nothing to write at all. */
static int read_piece(Convert *job, uint64_t at, uint64_t len, uint8_t *buf, GArray *stretches)
{
    int ret = 0;

    g_array_set_size(stretches, 0);
    for (uint64_t done = 0; done < len && ret == 0;) {
        Stretch stretch;

        ret = look(job, at + done, len - done, &stretch);
        if (ret < 0) {
            break;
        }
        if (job->compress) {                    /* whole clusters only */
            stretch = (Stretch){ MIN(ROUND_UP(stretch.len, job->cluster), len - done),
                                 stretch.skip && stretch.len % job->cluster == 0,
                                 stretch.zero && stretch.len % job->cluster == 0 };
        }
        if (!stretch.skip && !stretch.zero) {
            ret = block_node_pread(job->source, at + done, buf + done, stretch.len);
        }
        g_array_append_val(stretches, stretch);
        done += stretch.len;
    }
    return ret;
}

static int write_piece(Convert *job, uint64_t at, const uint8_t *buf, const GArray *stretches)
{
    int ret = 0;

    for (guint i = 0; i < stretches->len && ret == 0; i++) {
        const Stretch *stretch = &g_array_index(stretches, Stretch, i);

        if (stretch->zero && !stretch->skip) {
            ret = write_zeroes(job, at, stretch->len);
        } else if (!stretch->skip) {
            ret = job->compress ? write_compressed(job, at, buf, stretch->len)
                                : write_data(job, at, buf, stretch->len);
        }
        at += stretch->len;
        buf += stretch->len;
    }
    return ret;
}

/* ---- workers ---- */

static bool take_piece(Convert *job, uint64_t *at, uint64_t *len)
{
    bool more;

    g_mutex_lock(&job->lock);
    more = job->ret == 0 && job->next < job->size;
    *at = job->next;
    *len = MIN(job->piece, job->size - MIN(job->next, job->size));
    job->next += *len;
    g_mutex_unlock(&job->lock);
    return more;
}

static void wait_for_turn(Convert *job, uint64_t at)
{
    g_mutex_lock(&job->lock);
    while (!job->any_order && job->written != at && job->ret == 0) {
        g_cond_wait(&job->turn, &job->lock);
    }
    g_mutex_unlock(&job->lock);
}

static void piece_done(Convert *job, uint64_t len, int ret)
{
    g_mutex_lock(&job->lock);
    job->written += len;
    job->ret = job->ret == 0 ? ret : job->ret;
    img_progress_set(&job->progress, job->written, job->size);
    g_cond_broadcast(&job->turn);
    g_mutex_unlock(&job->lock);
}

static gpointer work(gpointer opaque)
{
    Convert *job = opaque;
    uint8_t *buf = block_alloc_aligned(job->source, job->piece);
    g_autoptr(GArray) stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
    uint64_t at, len;

    while (take_piece(job, &at, &len)) {
        int ret = buf == NULL ? -ENOMEM : read_piece(job, at, len, buf, stretches);

        wait_for_turn(job, at);
        piece_done(job, len, ret == 0 ? write_piece(job, at, buf, stretches) : ret);
    }
    free(buf);
    return NULL;
}

static int copy(Convert *job, unsigned workers)
{
    GThread *threads[MAX_WORKERS];

    g_mutex_init(&job->lock);
    g_cond_init(&job->turn);
    img_progress_begin(&job->progress, job->args);
    for (unsigned i = 0; i < workers; i++) {
        threads[i] = g_thread_new("convert", work, job);
    }
    for (unsigned i = 0; i < workers; i++) {
        g_thread_join(threads[i]);
    }
    img_progress_end(&job->progress);
    g_mutex_clear(&job->lock);
    g_cond_clear(&job->turn);
    return job->ret;
}

/* ---- setting up ---- */

static BlockNode *open_source(ImgArgs *args, GError **error)
{
    ImgOpen how = { .name = args->names[0], .format = args->value['f'], .cache = args->value['T'],
                    .image_opts = args->given[IMG_IMAGE_OPTS],
                    .flags = args->given['U'] ? BLOCK_OPEN_FORCE_SHARE : 0 };
    BlockNode *node = img_open(&how, error);

    if (node != NULL && args->given['l'] && !img_view_snapshot(node, args->value['l'], error)) {
        block_node_unref(node);
        return NULL;
    }
    return node;
}

static bool make_target(ImgArgs *args, const BlockDriver *driver, uint64_t size, bool *has_backing,
                        GError **error)
{
    g_autoptr(KeyVal) opts = img_parse_options(args->options->str, error);

    if (opts == NULL) {
        return false;
    }
    if (driver->create == NULL) {
        set_error(error, "Format driver '%s' does not support image creation", driver->name);
        return false;
    }
    if (args->given['B']) {
        keyval_add(opts, "backing_file", args->value['B']);
    }
    if (args->given['F']) {
        keyval_add(opts, "backing_fmt", args->value['F']);
    }
    *has_backing = keyval_has(opts, "backing_file");
    if (args->given['c'] && keyval_has(opts, "preallocation") &&
        !g_str_equal(keyval_get(opts, "preallocation"), "off")) {
        set_error(error, "Compression and preallocation not supported at the same time");
        return false;
    }
    if (*has_backing && !keyval_has(opts, "backing_fmt")) {
        set_error(error, "backing file specified without backing format");
        return false;
    }
    if (!driver->create(args->names[1], size, opts, error)) {
        g_prefix_error(error, "%s: error while converting %s: ", args->names[1], driver->name);
        return false;
    }
    return true;
}

static BlockNode *open_target(ImgArgs *args, const char *format, GError **error)
{
    ImgOpen how = { .name = args->names[1], .format = format, .flags = BLOCK_OPEN_RDWR,
                    .image_opts = args->given[IMG_TARGET_IMAGE_OPTS],
                    .cache = args->value['t'] != NULL ? args->value['t'] : "unsafe" };

    how.format = how.image_opts ? NULL : format;
    return img_open(&how, error);
}

static bool set_limits(Convert *job, unsigned *workers, GError **error)
{
    ImgArgs *args = job->args;
    uint64_t n = 8;
    BlockInfo info = { 0 };

    job->sparse = 4096;
    if (args->given['S'] && (!img_parse_size(args->value['S'], "buffer size for sparse output",
                                             &job->sparse, error))) {
        return false;
    }
    if (job->sparse > MAX_SPARSE || job->sparse % BLOCK_SECTOR_SIZE != 0) {
        set_error(error, "Invalid buffer size for sparse output specified. Valid sizes are "
                  "multiples of %u up to %u. Select 0 to disable sparse detection (fully allocates "
                  "output).", BLOCK_SECTOR_SIZE, MAX_SPARSE);
        return false;
    }
    if (args->given['m'] && (!parse_uint(args->value['m'], MAX_WORKERS, &n, NULL) || n == 0)) {
        set_error(error, "Invalid number of coroutines. Allowed number of coroutines is between 1 "
                  "and %u", MAX_WORKERS);
        return false;
    }
    *workers = n;
    if (job->target->driver->info != NULL) {
        job->target->driver->info(job->target, &info);
    }
    job->cluster = MAX(info.cluster_size, 65536);
    if (info.cluster_size > 0) {
        job->cluster = info.cluster_size;
    }
    block_info_clear(&info);
    job->piece = MAX(PIECE_BYTES, job->cluster);
    return true;
}

static int convert(Convert *job)
{
    unsigned workers;
    GError *error = NULL;
    int ret;

    if (job->compress && job->target->driver->pwrite_compressed == NULL) {
        return img_fail("Compression not supported for this file format");
    }
    if (block_node_size(job->target) < job->size) {
        return img_fail("output file is smaller than input file");
    }
    if (!set_limits(job, &workers, &error)) {
        return img_fail_error(error);
    }
    job->any_order = job->compress || job->args->given['W'];
    if (job->sparse == 0) {
        job->target_zero = false;
    }
    ret = copy(job, workers);
    if (ret < 0) {
        return img_fail("error while converting: %s", g_strerror(-ret));
    }
    return img_finish(job->target, &error) ? 0 : img_fail_error(error);
}

static bool check_args(ImgArgs *args, GError **error)
{
    if (args->n_names < 2) {
        set_error(error, "Must specify image file name");
    } else if (args->n_names > 2) {
        set_error(error, "joining several images is not supported: expected one source and one "
                  "target, got '%s' as well", args->names[2]);
    } else if (args->given['n'] && (args->given['o'] || args->given['B'])) {
        set_error(error, "-o and -B have no effect on an image that exists already (-n)");
    } else if (args->given['c'] && args->given['S'] && g_str_equal(args->value['S'], "0")) {
        set_error(error, "-c and -S 0 exclude each other");
    } else if (args->given['C']) {
        set_error(error, "copy offloading (-C) is not supported");
    } else {
        return true;
    }
    return false;
}

int img_convert(ImgArgs *args)
{
    const char *format = args->value['O'] != NULL ? args->value['O'] : "raw";
    g_autoptr(BlockNode) source = NULL;
    g_autoptr(BlockNode) target = NULL;
    Convert job = { .args = args, .compress = args->given['c'] };
    const BlockDriver *driver;
    GError *error = NULL;
    bool new = !args->given['n'];

    if (!check_args(args, &error)) {
        return img_fail_error(error);
    }
    source = open_source(args, &error);
    driver = source != NULL ? img_find_format(format, &error) : NULL;
    if (driver == NULL || (new && !make_target(args, driver, block_node_size(source),
                                               &job.keep_backing, &error))) {
        return img_fail_error(error);
    }
    target = open_target(args, format, &error);
    if (target == NULL) {
        return img_fail_error(error);
    }
    job.source = source;
    job.target = target;
    job.size = block_node_size(source);
    job.target_zero = (new && !job.keep_backing) || args->given[IMG_TARGET_IS_ZERO];
    return convert(&job);
}
