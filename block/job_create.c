/*
 * The job that makes an image: a file by its name, or a format inside a node.
 *
 * Steps on a worker thread take turns with the main thread, which alone touches the graph: the file
 * is opened, written, opened again as an image where clusters are to be allocated, and let go.
 */
#include <string.h>

#include "context.h"
#include "job.h"
#include "rhea_error.h"

typedef struct CreateJob {
    Job job;
    BlockWork work;
    const BlockDriver *driver;
    KeyVal *opts;                       /* in the words of create() */
    uint64_t size;
    char *filename;                     /* protocols */
    BlockUse *use;                      /* formats: the file, while it is written */
    BlockNode *node;                    /* the new image, while its clusters are allocated */
    BlockPrealloc prealloc;
    GError *error;                      /* the worker's */
} CreateJob;

static void create_free(Job *job)
{
    CreateJob *create = (CreateJob *)job;

    keyval_free(create->opts);
    g_free(create->filename);
    g_free(create);
}

/* ---- steps ---- */

static void finish(CreateJob *create)
{
    block_use_free(g_steal_pointer(&create->use));
    block_node_unref(g_steal_pointer(&create->node));
    job_end(&create->job, g_steal_pointer(&create->error));
}

static CreateJob *create_of(BlockWork *work)
{
    return (CreateJob *)((char *)work - G_STRUCT_OFFSET(CreateJob, work));
}

static void start(CreateJob *create, void (*run)(BlockWork *), void (*finished)(BlockWork *))
{
    create->work.run = run;
    create->work.finished = finished;
    block_worker_start(block_context_main(), &create->work);
}

static void run_preallocate(BlockWork *work)
{
    CreateJob *create = create_of(work);

    if (create->driver->preallocate(create->node, create->prealloc, &create->error)) {
        block_node_flush(create->node);
    }
}

static void preallocated(BlockWork *work)
{
    finish(create_of(work));
}

/* The image is there; its clusters may be to come. */
static void written(BlockWork *work)
{
    CreateJob *create = create_of(work);
    BlockNode *file;
    KeyVal *opts;

    if (create->error != NULL || create->prealloc == BLOCK_PREALLOC_OFF || create->use == NULL) {
        finish(create);
        return;
    }
    file = block_node_ref(create->use->node);
    opts = keyval_new();
    keyval_add(opts, "file", file->name);
    block_use_free(g_steal_pointer(&create->use));      /* the image wants it for itself */
    create->node = block_node_open(NULL, create->driver->name, opts,
                                   BLOCK_OPEN_RDWR | BLOCK_OPEN_NO_BACKING, &create->error);
    block_node_unref(file);
    if (create->node == NULL) {
        finish(create);
        return;
    }
    start(create, run_preallocate, preallocated);
}

static void run_create(BlockWork *work)
{
    CreateJob *create = create_of(work);

    if (create->use == NULL) {
        create->driver->create(create->filename, create->size, create->opts, &create->error);
    } else {
        create->driver->create_in(create->use->node, create->size, create->opts, &create->error);
    }
}

/* ---- options ---- */

/* "cluster-size" of the wire is cluster_size to create(), and version its compat. */
static KeyVal *create_options(const KeyVal *opts)
{
    static const char *const own[] = { "driver", "size", "filename", "file", NULL };
    KeyVal *to = keyval_new();

    for (size_t i = 0; i < keyval_count(opts); i++) {
        g_autofree char *key = g_strdelimit(g_strdup(keyval_key(opts, i)), "-", '_');

        if (!g_strv_contains(own, key) && !g_str_has_prefix(key, "file.")) {
            keyval_add(to, g_str_equal(key, "version") ? "compat" : key, keyval_value(opts, i));
        }
    }
    return to;
}

static BlockNode *open_file(KeyVal *opts, GError **error)
{
    const char *reference = keyval_get(opts, "file");

    return reference != NULL ? block_node_open_reference(reference, error)
                             : block_node_open(NULL, NULL, keyval_take_prefix(opts, "file"),
                                               BLOCK_OPEN_RDWR, error);
}

static bool take_file(CreateJob *create, KeyVal *opts, GError **error)
{
    g_autofree char *who = g_strdup_printf("job '%s'", create->job.id);
    BlockNode *file;

    if (create->driver->create_in == NULL) {
        create->filename = g_strdup(keyval_get(opts, "filename"));
        return true;
    }
    if (create->size % BLOCK_SECTOR_SIZE != 0) {
        set_error(error, "Image size must be a multiple of %u bytes", BLOCK_SECTOR_SIZE);
        return false;
    }
    file = open_file(opts, error);
    if (file == NULL) {
        return false;
    }
    create->use = block_use_new(file, BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE, BLOCK_PERM_ALL, who,
                                "root", error);
    return create->use != NULL;
}

static bool take_options(CreateJob *create, KeyVal *opts, GError **error)
{
    const char *prealloc = keyval_get(opts, "preallocation");

    for (int i = 0; prealloc != NULL && block_prealloc_names[i] != NULL; i++) {
        if (g_str_equal(prealloc, block_prealloc_names[i])) {
            create->prealloc = i;
        }
    }
    create->opts = create_options(opts);
    return keyval_get_size(opts, "size", 1, &create->size, error) &&
           take_file(create, opts, error);
}

bool job_create_image(Vm *vm, const char *id, const char *driver_name, KeyVal *opts,
                      GError **error)
{
    g_autoptr(KeyVal) own = opts;
    const BlockDriver *driver = block_driver_find(driver_name);
    CreateJob *create;

    if (driver == NULL || (driver->create_in == NULL && !(driver->protocol && driver->create))) {
        set_error(error, "Driver does not support blockdev-create");
        return false;
    }
    create = g_new0(CreateJob, 1);
    create->job.type = "create";
    create->job.free = create_free;
    create->driver = driver;
    if (!job_begin(&create->job, vm, id, error)) {
        create_free(&create->job);
        return false;
    }
    if (take_options(create, own, &create->error)) {
        start(create, run_create, written);
    } else {
        finish(create);
    }
    return true;
}
