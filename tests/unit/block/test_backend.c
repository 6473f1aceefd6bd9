/* Requests of a backend: through io_uring and workers, with errors, parked, drained. */
#include <errno.h>

#include "backend.h"
#include "check_main.h"
#include "image.h"
#include "lock.h"
#include "rhea_error.h"

#define SIZE (256 * 1024)

/* ---- a request that remembers its end ---- */

typedef struct Job {
    BlockReq req;
    struct iovec iov[3];
    int ret;
    bool done;
} Job;

static void job_done(BlockReq *req, int ret)
{
    Job *job = (Job *)req;

    ck_assert(!job->done);
    job->ret = ret;
    job->done = true;
}

static void submit(BlockBackend *blk, Job *job, BlockOp op, uint64_t offset, void *buf, size_t len)
{
    *job = (Job){ .req = { .op = op, .offset = offset, .len = len, .done = job_done } };
    job->iov[0] = (struct iovec){ buf, len / 3 };
    job->iov[1] = (struct iovec){ (char *)buf + len / 3, len - len / 3 };
    job->req.iov = job->iov;
    job->req.niov = 2;
    block_submit(blk, &job->req);
    ck_assert(!job->done);                              /* never from within */
}

static int run(BlockBackend *blk, BlockOp op, uint64_t offset, void *buf, size_t len)
{
    Job job;

    submit(blk, &job, op, offset, buf, len);
    block_drain(blk);
    ck_assert(job.done);
    return job.ret;
}

static BlockBackend *backend_on(BlockNode *node)
{
    BlockBackend *blk = block_backend_new("d");

    ck_assert(block_backend_insert(blk, node, NULL));
    return blk;
}

/* ---- the same requests by every way ---- */

static const struct { bool ring; const char *opts; } ways[] = {
    { true,  NULL },
    { false, NULL },
    { true,  "aio=threads" },
    { true,  "cache.direct=on" },
    { false, "cache.direct=on" },
    { true,  "offset=4608" },
    { true,  "detect-zeroes=on" },
    { true,  "cache.no-flush=on" },
};

static const struct { uint64_t offset; size_t len; } ranges[] = {
    { 0, 512 }, { 512, 4096 }, { 4096, 65536 }, { 100, 1 }, { 4095, 2 }, { 5000, 70001 },
};

START_TEST(read_write_row)
{
    char *path = image_new(SIZE);
    BlockBackend *blk;
    BlockNode *node;

    block_context_set_ring_allowed(ways[_i].ring);
    node = open_ok(path, "raw", ways[_i].opts, BLOCK_OPEN_RDWR);
    blk = backend_on(node);
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_autofree char *out = g_malloc(ranges[i].len), *in = g_malloc0(ranges[i].len);

        memset(out, 0x40 + i, ranges[i].len);
        ck_assert_int_eq(run(blk, BLOCK_WRITE, ranges[i].offset, out, ranges[i].len), 0);
        ck_assert_int_eq(run(blk, BLOCK_READ, ranges[i].offset, in, ranges[i].len), 0);
        ck_assert_mem_eq(in, out, ranges[i].len);
        ck_assert_int_eq(run(blk, BLOCK_FLUSH, 0, NULL, 0), 0);
    }
    ck_assert_uint_eq(block_backend_stats(blk)->operations[BLOCK_WRITE], G_N_ELEMENTS(ranges));
    block_backend_free(blk);
    image_free(path);
}
END_TEST

START_TEST(zero_and_discard)
{
    char *path = image_new(SIZE);
    BlockBackend *blk = backend_on(open_ok(path, "raw", "discard=unmap", BLOCK_OPEN_RDWR));
    char buf[8192];

    ck_assert_int_eq(run(blk, BLOCK_ZERO, 100, NULL, 5000), 0);
    ck_assert_int_eq(run(blk, BLOCK_READ, 0, buf, sizeof(buf)), 0);
    for (size_t i = 0; i < sizeof(buf); i++) {
        ck_assert_int_eq(buf[i], i >= 100 && i < 5100 ? 0 : image_byte(i));
    }
    ck_assert_int_eq(run(blk, BLOCK_DISCARD, 65536, NULL, 65536), 0);
    ck_assert_int_eq(run(blk, BLOCK_READ, 65536, buf, sizeof(buf)), 0);
    block_backend_free(blk);
    image_free(path);
}
END_TEST

static const struct { BlockOp op; uint64_t offset, len; int ret; } refused[] = {
    { BLOCK_READ,  SIZE, 512, -EINVAL },
    { BLOCK_READ,  SIZE - 511, 512, -EINVAL },
    { BLOCK_READ,  UINT64_MAX - 10, 512, -EINVAL },
    { BLOCK_WRITE, SIZE, 512, -EPERM },
    { BLOCK_ZERO,  0, 512, -EPERM },
    { BLOCK_DISCARD, 0, 512, -EPERM },
    { BLOCK_FLUSH, 0, 0, 0 },
};

START_TEST(refused_row)
{
    char *path = image_new(SIZE), buf[512];
    BlockBackend *blk = backend_on(open_ok(path, "raw", NULL, 0));

    ck_assert_int_eq(run(blk, refused[_i].op, refused[_i].offset, buf, refused[_i].len),
                     refused[_i].ret);
    block_backend_free(blk);
    image_free(path);
}
END_TEST

START_TEST(no_medium)
{
    BlockBackend *blk = block_backend_new("empty");
    char buf[512];

    ck_assert_int_eq(run(blk, BLOCK_READ, 0, buf, 512), -ENOMEDIUM);
    ck_assert_int_eq(block_pread(blk, 0, buf, 512), -ENOMEDIUM);
    block_backend_free(blk);
}
END_TEST

/* The file is cut behind the node's back: what is gone reads as zeroes. */
START_TEST(file_shrinks)
{
    char *path = image_new(SIZE), buf[8192];
    BlockBackend *blk = backend_on(open_ok(path, "raw", NULL, 0));

    ck_assert_int_eq(truncate(path, SIZE / 2 + 100), 0);
    ck_assert_int_eq(run(blk, BLOCK_READ, SIZE / 2, buf, sizeof(buf)), 0);
    for (size_t i = 0; i < sizeof(buf); i++) {
        ck_assert_int_eq(buf[i], i < 100 ? image_byte(SIZE / 2 + i) : 0);
    }
    block_backend_free(blk);
    image_free(path);
}
END_TEST

/* ---- many at once ---- */

START_TEST(many)
{
    enum { N = 1500, LEN = 512 };
    char *path = image_new(N * LEN);
    BlockBackend *blk = backend_on(open_ok(path, "raw", NULL, BLOCK_OPEN_RDWR));
    g_autofree Job *jobs = g_new0(Job, N);
    g_autofree char *bytes = g_malloc(N * LEN);

    block_plug(blk);
    for (int i = 0; i < N; i++) {
        submit(blk, &jobs[i], BLOCK_READ, i * LEN, bytes + i * LEN, LEN);
    }
    block_unplug(blk);
    block_drain(blk);
    for (int i = 0; i < N * LEN; i++) {
        ck_assert_int_eq(bytes[i], image_byte(i));
    }
    block_backend_free(blk);
    image_free(path);
}
END_TEST

/* The loop's own dispatch ends requests, too. */
START_TEST(main_loop_completes)
{
    char *path = image_new(SIZE), buf[512];
    BlockBackend *blk = backend_on(open_ok(path, "raw", NULL, 0));
    Job job;

    submit(blk, &job, BLOCK_READ, 512, buf, sizeof(buf));
    while (!job.done) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_int_eq(job.ret, 0);
    block_backend_free(blk);
    image_free(path);
}
END_TEST

/* A device may wait for the rest from within done(). */
static BlockBackend *drained;
static unsigned drains;

static void drain_done(BlockReq *req, int ret)
{
    block_drain(drained);
    drains++;
}

START_TEST(drain_in_done_row)
{
    char *path = image_new(SIZE), bufs[4][512];
    Job jobs[4];

    block_context_set_ring_allowed(_i == 0);
    drained = backend_on(open_ok(path, "raw", NULL, 0));
    for (int i = 0; i < 4; i++) {
        submit(drained, &jobs[i], BLOCK_READ, 512 * i, bufs[i], sizeof(bufs[i]));
        jobs[i].req.done = drain_done;
    }
    block_drain(drained);
    ck_assert_uint_eq(drains, 4);
    block_backend_free(drained);
    image_free(path);
}
END_TEST

/* ---- on an iothread ---- */

typedef struct Batch {
    BlockBackend *blk;
    Job jobs[64];
    char bytes[64][512];
} Batch;

static void submit_batch(void *opaque)
{
    Batch *batch = opaque;

    block_plug(batch->blk);
    for (int i = 0; i < 64; i++) {
        submit(batch->blk, &batch->jobs[i], BLOCK_READ, 512 * i, batch->bytes[i], 512);
    }
    block_unplug(batch->blk);
}

START_TEST(iothread_row)
{
    char *path = image_new(SIZE);
    Batch *batch = g_new0(Batch, 1);
    IoThread *thread;

    block_context_set_ring_allowed(_i == 0);
    batch->blk = backend_on(open_ok(path, "raw", NULL, 0));
    thread = iothread_new("io0", NULL);
    block_backend_set_context(batch->blk, block_context_of(thread));
    context_run(thread->context, submit_batch, batch);
    block_drain(batch->blk);
    for (int i = 0; i < 64; i++) {
        ck_assert_int_eq(batch->jobs[i].ret, 0);
        ck_assert_int_eq(batch->bytes[i][0], image_byte(512 * i));
    }
    block_backend_set_context(batch->blk, NULL);
    ck_assert_uint_eq(block_backend_stats(batch->blk)->operations[BLOCK_READ], 64);
    block_backend_free(batch->blk);
    iothread_free(thread);
    g_free(batch);
    image_free(path);
}
END_TEST

/* The medium goes while the iothread goes on asking for it. */
typedef struct Hammer {
    Job job;
    BlockBackend *blk;
    char buf[512];
    unsigned good, gone;
} Hammer;

static void hammer_done(BlockReq *req, int ret)
{
    Hammer *hammer = (Hammer *)req;

    ck_assert(ret == 0 || ret == -ENOMEDIUM);
    hammer->good += ret == 0;
    hammer->gone += ret != 0;
    if (hammer->gone < 100) {
        block_submit(hammer->blk, req);
    }
}

static void hammer_start(void *opaque)
{
    Hammer *hammer = opaque;

    submit(hammer->blk, &hammer->job, BLOCK_READ, 0, hammer->buf, sizeof(hammer->buf));
    hammer->job.req.done = hammer_done;
}

START_TEST(medium_goes_under_way)
{
    char *path = image_new(SIZE);
    Hammer hammer = { .blk = backend_on(open_ok(path, "raw", NULL, 0)) };
    IoThread *thread = iothread_new("io0", NULL);

    block_backend_set_context(hammer.blk, block_context_of(thread));
    context_run(thread->context, hammer_start, &hammer);
    while (block_backend_stats(hammer.blk)->operations[BLOCK_READ] < 100) {
        g_thread_yield();
    }
    block_backend_remove(hammer.blk);
    block_drain(hammer.blk);
    ck_assert_uint_eq(hammer.gone, 100);
    ck_assert_uint_eq(block_nodes()->len, 0);
    block_backend_set_context(hammer.blk, NULL);
    block_backend_free(hammer.blk);
    iothread_free(thread);
    image_free(path);
}
END_TEST

/* ---- errors: a node that fails as it is told ---- */

typedef struct FaultyNode {
    BlockNode node;
    int error, flush_error;
} FaultyNode;

static int faulty_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len)
{
    return ((FaultyNode *)node)->error;
}

static int faulty_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                         uint64_t len, unsigned flags)
{
    return ((FaultyNode *)node)->error;
}

static int faulty_flush(BlockNode *node)
{
    return ((FaultyNode *)node)->flush_error;
}

static const BlockDriver faulty_driver = {
    .name = "faulty", .protocol = true, .size = sizeof(FaultyNode), .pread = faulty_pread,
    .pwrite = faulty_pwrite, .flush = faulty_flush,
};

static FaultyNode *faulty_new(int error)
{
    FaultyNode *faulty = (FaultyNode *)block_node_alloc(&faulty_driver, keyval_new());

    faulty->node.size_bytes = SIZE;
    faulty->node.filename = g_strdup("faulty");
    faulty->error = error;
    ck_assert(block_node_insert(&faulty->node, NULL, NULL));
    return faulty;
}

/* What a machine saw: its events, one letter each, and the last error's words. */
typedef struct Witness {
    Vm vm;
    Device dev;
    GString *seen;
    char *node_name;
} Witness;

static void witness_event(Vm *vm, const VmEvent *event, void *opaque)
{
    Witness *witness = opaque;

    if (event->kind == VM_EVENT_BLOCK_IO_ERROR) {
        g_string_append_printf(witness->seen, "[%s %s %s%s]", event->device, event->operation,
                               event->action, event->nospace ? " nospace" : "");
    } else if (event->kind == VM_EVENT_STOP) {
        g_string_append(witness->seen, "[stop]");
    }
}

static const DeviceType *const no_types[] = { NULL };
static const DeviceType disk_type = { .name = "disk" };

static Witness *witness_new(void)
{
    Witness *witness = g_new0(Witness, 1);

    machine_lock();
    vm_core_init(&witness->vm, g_main_context_default(), no_types);
    witness->seen = g_string_new(NULL);
    witness->dev.type = &disk_type;
    witness->dev.vm = &witness->vm;
    object_init(&witness->dev.obj, "disk");
    vm_subscribe(&witness->vm, witness_event, witness);
    vm_start(&witness->vm);
    return witness;
}

static void witness_free(Witness *witness)
{
    vm_core_finish(&witness->vm);
    g_string_free(witness->seen, TRUE);
    object_finish(&witness->dev.obj);
    g_free(witness);
    machine_unlock();
}

/* Lets the loop tell what happened, and stop the machine if it was asked to. */
static void settle(Witness *witness)
{
    while (g_main_context_iteration(NULL, FALSE)) {
        continue;
    }
}

static const struct {
    BlockErrorPolicy rerror, werror;
    BlockOp op;
    int error, ret;                                     /* ret 1: parked */
    const char *seen;
} policies[] = {
    { BLOCK_ERROR_REPORT, BLOCK_ERROR_ENOSPC, BLOCK_READ, -EIO, -EIO, "[d read report]" },
    { BLOCK_ERROR_REPORT, BLOCK_ERROR_ENOSPC, BLOCK_WRITE, -EIO, -EIO, "[d write report]" },
    { BLOCK_ERROR_REPORT, BLOCK_ERROR_ENOSPC, BLOCK_WRITE, -ENOSPC, 1,
      "[d write stop nospace][stop]" },
    { BLOCK_ERROR_REPORT, BLOCK_ERROR_REPORT, BLOCK_WRITE, -ENOSPC, -ENOSPC,
      "[d write report nospace]" },
    { BLOCK_ERROR_STOP, BLOCK_ERROR_STOP, BLOCK_READ, -EIO, 1, "[d read stop][stop]" },
    { BLOCK_ERROR_STOP, BLOCK_ERROR_STOP, BLOCK_WRITE, -EIO, 1, "[d write stop][stop]" },
    { BLOCK_ERROR_IGNORE, BLOCK_ERROR_IGNORE, BLOCK_READ, -EIO, 0, "[d read ignore]" },
    { BLOCK_ERROR_IGNORE, BLOCK_ERROR_IGNORE, BLOCK_WRITE, -EIO, 0, "[d write ignore]" },
};

START_TEST(policy_row)
{
    Witness *witness = witness_new();
    FaultyNode *faulty = faulty_new(policies[_i].error);
    BlockBackend *blk = backend_on(&faulty->node);
    BlockAttach attach = { .dev = &witness->dev };
    char buf[512];
    Job job;

    ck_assert(block_backend_attach(blk, &attach, NULL));
    blk->rerror = policies[_i].rerror;
    blk->werror = policies[_i].werror;
    submit(blk, &job, policies[_i].op, 0, buf, sizeof(buf));
    block_drain(blk);
    settle(witness);
    ck_assert_str_eq(witness->seen->str, policies[_i].seen);
    if (policies[_i].ret == 1) {
        ck_assert(!job.done);
        ck_assert_int_eq(witness->vm.run_state, RUN_STATE_IO_ERROR);
        faulty->error = 0;                              /* somebody made room */
        vm_start(&witness->vm);
        block_drain(blk);
        ck_assert(job.done);
        ck_assert_int_eq(job.ret, 0);
        ck_assert_str_eq(block_backend_io_status(blk), "ok");
    } else {
        ck_assert_int_eq(job.ret, policies[_i].ret);
    }
    block_backend_detach(blk);
    block_backend_free(blk);
    witness_free(witness);
}
END_TEST

/* A reset forgets what waits; the device hears of each. */
START_TEST(drop_parked)
{
    Witness *witness = witness_new();
    FaultyNode *faulty = faulty_new(-EIO);
    BlockBackend *blk = backend_on(&faulty->node);
    BlockAttach attach = { .dev = &witness->dev };
    char buf[512];
    Job jobs[3];

    ck_assert(block_backend_attach(blk, &attach, NULL));
    blk->werror = BLOCK_ERROR_STOP;
    for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++) {
        submit(blk, &jobs[i], BLOCK_WRITE, 512 * i, buf, sizeof(buf));
    }
    block_drain(blk);
    ck_assert(!jobs[0].done);
    ck_assert_str_eq(block_backend_io_status(blk), "failed");
    block_drop_parked(blk);
    for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++) {
        ck_assert_int_eq(jobs[i].ret, -ECANCELED);
    }
    settle(witness);
    block_backend_detach(blk);
    block_backend_free(blk);
    witness_free(witness);
}
END_TEST

/* Without a write cache a write is on stable storage, or it failed. */
START_TEST(write_through_flushes)
{
    FaultyNode *faulty = faulty_new(0);
    BlockBackend *blk = backend_on(&faulty->node);
    char buf[512];

    faulty->flush_error = -EIO;
    ck_assert_int_eq(run(blk, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
    block_backend_set_write_cache(blk, false);
    ck_assert_int_eq(run(blk, BLOCK_WRITE, 0, buf, sizeof(buf)), -EIO);
    block_backend_free(blk);
}
END_TEST

/* ---- a node in many pieces ---- */

typedef struct PatchNode {
    BlockNode node;
    int open_maps;                      /* atomic: map() without its map_end() */
} PatchNode;

/* Blocks of 1 KiB: from the file, zeroes, by hand, in turn. */
static void patch_map(BlockNode *node, bool write, uint64_t offset, uint64_t len,
                      BlockExtent *extent)
{
    uint64_t block = offset / 1024;

    extent->len = MIN(len, 1024 - offset % 1024);
    extent->offset = offset;
    extent->node = node->file;
    extent->kind = block % 3 == 0 ? BLOCK_MAP_DATA :
                   block % 3 == 1 && !write ? BLOCK_MAP_ZERO : BLOCK_MAP_SLOW;
    if (extent->kind == BLOCK_MAP_DATA) {
        __atomic_add_fetch(&((PatchNode *)node)->open_maps, 1, __ATOMIC_SEQ_CST);
    }
}

static void patch_map_end(BlockNode *node, const BlockExtent *extent)
{
    __atomic_sub_fetch(&((PatchNode *)node)->open_maps, 1, __ATOMIC_SEQ_CST);
}

static int patch_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        uint64_t at = offset + done, take = MIN(len - done, 1024 - at % 1024);
        struct iovec part[8];
        unsigned n = block_iov_slice(part, 8, iov, niov, done, take);

        if (at / 1024 % 3 == 1) {
            block_iov_fill(part, n, 0, take);
        } else if (block_node_preadv(node->file, at, part, n, take) < 0) {
            return -EIO;
        }
        done += take;
    }
    return 0;
}

static const BlockDriver patch_driver = {
    .name = "patch", .size = sizeof(PatchNode), .map = patch_map, .map_end = patch_map_end,
    .pread = patch_pread,
};

static const struct { uint64_t offset; size_t len; } patches[] = {
    { 0, 1024 }, { 1000, 100 }, { 0, 8192 }, { 1, 60000 }, { 500, 3000 },
};

START_TEST(patches_row)
{
    char *path = image_new(SIZE), *buf = g_malloc(65536);
    PatchNode *patch = (PatchNode *)block_node_alloc(&patch_driver, keyval_new());
    BlockBackend *blk;

    patch->node.size_bytes = SIZE;
    ck_assert(block_node_set_file(&patch->node, open_ok(path, "file", NULL, BLOCK_OPEN_RDWR),
                                  NULL));
    ck_assert(block_node_insert(&patch->node, NULL, NULL));
    blk = backend_on(&patch->node);
    memset(buf, 0x55, 65536);
    ck_assert_int_eq(run(blk, BLOCK_READ, patches[_i].offset, buf, patches[_i].len), 0);
    for (size_t i = 0; i < patches[_i].len; i++) {
        uint64_t at = patches[_i].offset + i;

        ck_assert_int_eq(buf[i], at / 1024 % 3 == 1 ? 0 : image_byte(at));
    }
    ck_assert_int_eq(patch->open_maps, 0);
    block_backend_free(blk);
    g_free(buf);
    image_free(path);
}
END_TEST

CHECK_MAIN("block/backend", CASES(read_write_row, ways), CASE(zero_and_discard),
           CASES(refused_row, refused), CASE(no_medium), CASE(file_shrinks), CASE(many),
           CASE(main_loop_completes), TIMES(drain_in_done_row, 2), TIMES(iothread_row, 2),
           CASE(medium_goes_under_way), CASES(policy_row, policies),
           CASE(drop_parked), CASE(write_through_flushes), CASES(patches_row, patches))
