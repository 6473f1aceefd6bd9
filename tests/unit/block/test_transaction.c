/* External snapshots under requests: whose data goes where, what is refused, what is taken back. */
#include <errno.h>

#include "backend.h"
#include "check_main.h"
#include "image.h"
#include "iothread.h"

#define SIZE (256 * 1024)

static char *base, *top;                /* images: a pattern; an empty qcow2 */

static void make_images(void)
{
    base = image_new(SIZE);
    top = image_new(0);
    ck_assert(block_driver_find("qcow2")->create(top, SIZE, NULL, NULL));
}

static void drop_images(void)
{
    ck_assert_uint_eq(block_nodes()->len, 0);
    image_free(base);
    image_free(top);
}

static BlockBackend *backend_on(BlockNode *node)
{
    BlockBackend *blk = block_backend_new("d");
    BlockAttach attach = { .dev = (Device *)g_malloc0(sizeof(Device)) };

    ck_assert(block_backend_insert(blk, node, NULL));
    ck_assert(block_backend_attach(blk, &attach, NULL));
    return blk;
}

static void backend_drop(BlockBackend *blk)
{
    Device *dev = blk->dev;

    block_backend_detach(blk);
    block_backend_free(blk);
    g_free(dev);
}

static BlockNode *open_base(void)
{
    return open_ok(base, "raw", "node-name=base", BLOCK_OPEN_RDWR);
}

static BlockNode *open_top(void)
{
    return open_ok(top, "qcow2", "node-name=top", BLOCK_OPEN_RDWR | BLOCK_OPEN_NO_BACKING);
}

static bool snapshot(const char *node, const char *overlay, bool commit, GError **error)
{
    BlockTransaction *transaction = block_transaction_new();
    bool ok = block_transaction_snapshot(transaction, node, overlay, error);

    block_transaction_end(transaction, ok && commit);
    return ok;
}

static char byte_at(BlockBackend *blk, uint64_t offset)
{
    char byte;

    ck_assert_int_eq(block_pread(blk, offset, &byte, 1), 0);
    return byte;
}

START_TEST(data_goes_to_the_overlay)
{
    BlockBackend *blk;
    BlockNode *node, *over;

    make_images();
    node = open_base();
    over = open_top();
    blk = backend_on(node);
    ck_assert_int_eq(block_pwrite(blk, 1000, "a", 1, 0), 0);
    ck_assert(snapshot("base", "top", true, NULL));
    ck_assert_ptr_eq(block_backend_node(blk), over);
    ck_assert(node->read_only && !over->read_only);
    ck_assert_int_eq(block_pwrite(blk, 1001, "b", 1, 0), 0);
    ck_assert_int_eq(byte_at(blk, 1000), 'a');
    ck_assert_int_eq(byte_at(blk, 1001), 'b');
    ck_assert_int_eq(byte_at(blk, 70000), image_byte(70000));
    backend_drop(blk);
    block_node_unref(over);
    node = open_base();
    blk = backend_on(node);
    ck_assert_int_eq(byte_at(blk, 1001), image_byte(1001));
    backend_drop(blk);
    drop_images();
}
END_TEST

START_TEST(abort_takes_it_back)
{
    BlockBackend *blk;
    BlockNode *node, *over;

    make_images();
    node = open_base();
    over = open_top();
    blk = backend_on(node);
    ck_assert(snapshot("base", "top", false, NULL));
    ck_assert_ptr_eq(block_backend_node(blk), node);
    ck_assert(!node->read_only && over->backing == NULL);
    ck_assert_int_eq(block_pwrite(blk, 5, "x", 1, 0), 0);
    ck_assert(snapshot("base", "top", true, NULL));             /* nothing was left behind */
    ck_assert_int_eq(byte_at(blk, 5), 'x');
    backend_drop(blk);
    block_node_unref(over);
    drop_images();
}
END_TEST

static const struct { const char *node, *overlay, *error; } refused[] = {
    { "nosuch", "top", "Cannot find device='nosuch' nor node-name='nosuch'" },
    { "base", "nosuch", "Cannot find device='nosuch' nor node-name='nosuch'" },
    { "empty", "top", "Device 'empty' has no medium" },
    { "base", "base", "The overlay is already in use" },
    { "base", "null", "The overlay does not support backing images" },
    { "base", "over", "The overlay already has a backing image" },
    { "under", "top", "Node 'under' is busy: node is used as backing hd of 'over'" },
    { "top", "top", "Making 'top' a backing child of 'top' would create a cycle" },
};

START_TEST(refused_row)
{
    BlockBackend *blk, *empty = block_backend_new("empty");
    GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)block_node_unref);
    GError *error = NULL;
    char *other = image_new(0);

    make_images();
    ck_assert(block_driver_find("qcow2")->create(other, SIZE, NULL, NULL));
    blk = backend_on(open_base());
    g_ptr_array_add(nodes, open_top());
    g_ptr_array_add(nodes, open_ok(NULL, "null-co", "node-name=null", BLOCK_OPEN_RDWR));
    g_ptr_array_add(nodes, open_ok(NULL, "null-co", "node-name=under", BLOCK_OPEN_RDWR));
    g_ptr_array_add(nodes, open_ok(other, "qcow2", "node-name=over,backing=under",
                                   BLOCK_OPEN_RDWR));
    ck_assert(!snapshot(refused[_i].node, refused[_i].overlay, true, &error));
    ck_assert_str_eq(error->message, refused[_i].error);
    ck_assert_str_eq(block_backend_node(blk)->name, "base");
    g_error_free(error);
    backend_drop(blk);
    block_backend_free(empty);
    for (guint i = nodes->len; i-- > 0;) {              /* users before what they use */
        g_ptr_array_remove_index(nodes, i);
    }
    g_ptr_array_unref(nodes);
    image_free(other);
    drop_images();
}
END_TEST

/* ---- into files ---- */

START_TEST(a_file_is_made)
{
    BlockBackend *blk;
    char *path = image_new(0);
    BlockSnapshotFile args = { .device = "d", .file = path };
    BlockTransaction *transaction;

    make_images();
    blk = backend_on(open_base());
    transaction = block_transaction_new();
    ck_assert(block_transaction_snapshot_file(transaction, &args, NULL));
    block_transaction_end(transaction, true);
    ck_assert_str_eq(block_backend_node(blk)->filename, path);
    ck_assert_str_eq(block_backend_node(blk)->backing_filename, base);
    ck_assert_str_eq(block_backend_node(blk)->backing_format, "raw");
    ck_assert(block_change_backing_file("d", block_backend_node(blk)->name, "elsewhere", NULL));
    ck_assert_str_eq(block_backend_node(blk)->backing_filename, "elsewhere");
    ck_assert_int_eq(byte_at(blk, 4711), image_byte(4711));
    backend_drop(blk);
    image_free(path);
    drop_images();
}
END_TEST

/* ---- while an iothread never stops writing ---- */

typedef struct Writer {
    BlockReq req;
    struct iovec iov;
    BlockBackend *blk;
    uint32_t block[512 / 4];
    unsigned written, stop;             /* atomic */
} Writer;

/* Sector n holds the number of the last write that went there; 64 sectors, in turn. */
static void write_next(Writer *writer)
{
    unsigned n = writer->written + 1;

    for (size_t i = 0; i < G_N_ELEMENTS(writer->block); i++) {
        writer->block[i] = n;
    }
    writer->req.offset = n % 64 * 4096;
    block_submit(writer->blk, &writer->req);
}

static void write_done(BlockReq *req, int ret)
{
    Writer *writer = (Writer *)req;

    ck_assert_int_eq(ret, 0);
    __atomic_fetch_add(&writer->written, 1, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&writer->stop, __ATOMIC_RELAXED)) {
        write_next(writer);
    }
}

static void start_writer(void *opaque)
{
    Writer *writer = opaque;

    writer->iov = (struct iovec){ writer->block, sizeof(writer->block) };
    writer->req = (BlockReq){ .op = BLOCK_WRITE, .len = sizeof(writer->block), .iov = &writer->iov,
                              .niov = 1, .done = write_done };
    write_next(writer);
}

static void wait_for_writes(Writer *writer, unsigned more)
{
    unsigned until = __atomic_load_n(&writer->written, __ATOMIC_RELAXED) + more;

    while (__atomic_load_n(&writer->written, __ATOMIC_RELAXED) < until) {
        g_thread_yield();
    }
}

/* Numbers of an image follow one another: nothing was written to it after its time, or too late. */
static void check_image(BlockNode *node, unsigned from, unsigned to)
{
    for (unsigned n = MAX(to, 64) - 63; n <= to; n++) {
        uint32_t found;

        ck_assert_int_eq(block_node_pread(node, n % 64 * 4096, &found, sizeof(found)), 0);
        ck_assert_uint_eq(found, n);
    }
    ck_assert_uint_ge(to, from);
}

START_TEST(under_an_iothread)
{
    enum { SNAPSHOTS = 6 };
    char *paths[SNAPSHOTS];
    unsigned at[SNAPSHOTS];
    IoThread *thread = iothread_new("io0", NULL);
    Writer writer = { 0 };
    BlockNode *node;

    make_images();
    writer.blk = backend_on(open_base());
    block_backend_set_context(writer.blk, block_context_of(thread));
    context_run(thread->context, start_writer, &writer);
    for (int i = 0; i < SNAPSHOTS; i++) {
        BlockSnapshotFile args = { .device = "d", .file = paths[i] = image_new(0) };
        BlockTransaction *transaction;

        wait_for_writes(&writer, 100);
        transaction = block_transaction_new();
        at[i] = __atomic_load_n(&writer.written, __ATOMIC_RELAXED);
        ck_assert(block_transaction_snapshot_file(transaction, &args, NULL));
        block_transaction_end(transaction, true);
    }
    wait_for_writes(&writer, 100);
    __atomic_store_n(&writer.stop, 1, __ATOMIC_RELAXED);
    block_drain(writer.blk);
    node = block_backend_node(writer.blk);
    check_image(node, 0, writer.written);
    for (int i = SNAPSHOTS - 1; i >= 0; i--) {
        node = node->backing;
        check_image(node, i > 0 ? at[i - 1] : 0, at[i]);
    }
    backend_drop(writer.blk);
    iothread_free(thread);
    for (int i = 0; i < SNAPSHOTS; i++) {
        image_free(paths[i]);
    }
    drop_images();
}
END_TEST

CHECK_MAIN("transaction", CASE(data_goes_to_the_overlay), CASE(abort_takes_it_back),
           CASES(refused_row, refused), CASE(a_file_is_made), CASE(under_an_iothread))
