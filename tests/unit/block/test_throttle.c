/* Limits of traffic: which may be set, that they are kept, and that nothing waits for ever. */
#include "backend.h"
#include "check_main.h"
#include "image.h"
#include "iothread.h"

#define LEN 4096

/* ---- which may be set ---- */

/* bps total, read, write, then iops; each rate, burst, seconds. */
static const struct { BlockLimits limits; const char *error; } checks[] = {
    { { { { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 5, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      NULL },
    { { { { 9, 20, 7 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 5, 0, 1 }, { 6, 6, 1 } }, 512 },
      NULL },
    { { { { 5, 0, 1 }, { 4, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      "bps/iops/max total values and read/write values cannot be used at the same time" },
    { { { { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 5, 9, 1 }, { 0, 0, 1 }, { 0, 9, 1 } }, 0 },
      "bps/iops/max total values and read/write values cannot be used at the same time" },
    { { { { UINT64_MAX, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } } },
      "bps/iops/max values must be within [0, 1000000000000000]" },
    { { { { 0, 9, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      "bps_max/iops_max require corresponding bps/iops values" },
    { { { { 9, 8, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      "bps_max/iops_max cannot be lower than bps/iops" },
    { { { { 9, 9, 0 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      "the burst length cannot be 0" },
    { { { { 9, 0, 2 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 0 },
      "burst length set without burst rate" },
    { { { { 9, 1000000, 1000000001 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 },
          { 0, 0, 1 } }, 0 },
      "burst length too high for this burst rate" },
    { { { { 9, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 0, 0, 1 } }, 512 },
      "iops size requires an iops value to be set" },
};

START_TEST(check_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(block_limits_check(&checks[_i].limits, &error), checks[_i].error == NULL);
    ck_assert_pstr_eq(error != NULL ? error->message : NULL, checks[_i].error);
}
END_TEST

/* ---- that they are kept ---- */

typedef struct Crowd {
    BlockBackend *blk;
    BlockOp op;
    unsigned n, done;                   /* done: atomic */
    BlockReq *reqs;
    struct iovec iov;
    char buf[LEN];
} Crowd;

static void crowd_done(BlockReq *req, int ret)
{
    Crowd *crowd = req->opaque;

    ck_assert_int_eq(ret, 0);
    __atomic_fetch_add(&crowd->done, 1, __ATOMIC_RELAXED);
}

static void crowd_submit(void *opaque)
{
    Crowd *crowd = opaque;

    crowd->iov = (struct iovec){ crowd->buf, LEN };
    crowd->reqs = g_new0(BlockReq, crowd->n);
    for (unsigned i = 0; i < crowd->n; i++) {
        crowd->reqs[i] = (BlockReq){ .op = crowd->op, .offset = i * LEN, .len = LEN,
                                     .iov = &crowd->iov, .niov = 1, .done = crowd_done,
                                     .opaque = crowd };
        block_submit(crowd->blk, &crowd->reqs[i]);
    }
}

static bool crowd_is_done(Crowd *crowd)
{
    return __atomic_load_n(&crowd->done, __ATOMIC_RELAXED) == crowd->n;
}

static BlockBackend *null_backend(const char *name)
{
    BlockBackend *blk = block_backend_new(name);

    ck_assert(block_backend_insert(blk, open_ok(NULL, "null-co", "size=1G", BLOCK_OPEN_RDWR),
                                   NULL));
    return blk;
}

static void limit(BlockBackend *blk, BlockLimitKind kind, uint64_t rate, const char *group)
{
    BlockLimits limits;

    block_limits_init(&limits);
    limits.limit[kind].rate = rate;
    ck_assert(block_backend_set_limits(blk, &limits, group, NULL));
}

/* A tenth of a second's worth is free. The rest of 30 requests takes its time, at least. */
static const struct { BlockLimitKind kind; uint64_t rate; BlockOp op; double seconds; } rates[] = {
    { BLOCK_LIMIT_IOPS_TOTAL, 100, BLOCK_READ, 0.17 },
    { BLOCK_LIMIT_IOPS_TOTAL, 100, BLOCK_WRITE, 0.17 },
    { BLOCK_LIMIT_IOPS_READ, 100, BLOCK_READ, 0.17 },
    { BLOCK_LIMIT_IOPS_READ, 100, BLOCK_WRITE, 0 },
    { BLOCK_LIMIT_BPS_TOTAL, 100 * LEN, BLOCK_READ, 0.17 },
    { BLOCK_LIMIT_BPS_WRITE, 100 * LEN, BLOCK_ZERO, 0.17 },
    { BLOCK_LIMIT_BPS_WRITE, 100 * LEN, BLOCK_READ, 0 },
    { BLOCK_LIMIT_BPS_WRITE, 1, BLOCK_DISCARD, 0 },
};

START_TEST(rate_row)
{
    Crowd crowd = { .blk = null_backend("d"), .op = rates[_i].op, .n = 30 };
    gint64 begin = g_get_monotonic_time();

    limit(crowd.blk, rates[_i].kind, rates[_i].rate, "g");
    crowd_submit(&crowd);
    while (!crowd_is_done(&crowd)) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert(g_get_monotonic_time() - begin >= rates[_i].seconds * G_USEC_PER_SEC);
    block_backend_free(crowd.blk);
    g_free(crowd.reqs);
}
END_TEST

START_TEST(a_group_shares)
{
    Crowd crowds[2] = { { .op = BLOCK_READ, .n = 15 }, { .op = BLOCK_READ, .n = 15 } };
    gint64 begin = g_get_monotonic_time();
    const char *group;

    for (int i = 0; i < 2; i++) {
        crowds[i].blk = null_backend(i == 0 ? "a" : "b");
        limit(crowds[i].blk, BLOCK_LIMIT_IOPS_TOTAL, 100, "g");
    }
    crowd_submit(&crowds[0]);
    crowd_submit(&crowds[1]);
    while (!crowd_is_done(&crowds[0]) || !crowd_is_done(&crowds[1])) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert(g_get_monotonic_time() - begin >= 0.17 * G_USEC_PER_SEC);
    limit(crowds[0].blk, BLOCK_LIMIT_IOPS_TOTAL, 7, NULL);      /* for both */
    ck_assert_uint_eq(
        block_backend_limits(crowds[1].blk, &group)->limit[BLOCK_LIMIT_IOPS_TOTAL].rate, 7);
    ck_assert_str_eq(group, "g");
    limit(crowds[0].blk, BLOCK_LIMIT_IOPS_TOTAL, 0, NULL);      /* for it alone */
    ck_assert_ptr_null(block_backend_limits(crowds[0].blk, &group));
    ck_assert_ptr_nonnull(block_backend_limits(crowds[1].blk, &group));
    for (int i = 0; i < 2; i++) {
        block_backend_free(crowds[i].blk);
        g_free(crowds[i].reqs);
    }
}
END_TEST

/* ---- nothing waits for ever: one request in a thousand seconds, and an end to all of them ---- */

static void end_by_drain(BlockBackend *blk)
{
    block_drain(blk);
}

static void end_by_no_limit(BlockBackend *blk)
{
    limit(blk, BLOCK_LIMIT_BPS_TOTAL, 0, NULL);
    block_drain(blk);
}

static void end_by_rest(BlockBackend *blk)
{
    block_quiesce_begin();
    block_quiesce_end();
}

static void (*const ends[])(BlockBackend *) = { end_by_drain, end_by_no_limit, end_by_rest };

static void run_end(void (*end)(BlockBackend *), bool on_iothread)
{
    Crowd crowd = { .blk = null_backend("d"), .op = BLOCK_WRITE, .n = 200 };
    IoThread *thread = on_iothread ? iothread_new("io0", NULL) : NULL;

    limit(crowd.blk, BLOCK_LIMIT_BPS_TOTAL, 4, "g");
    if (thread != NULL) {
        block_backend_set_context(crowd.blk, block_context_of(thread));
        context_run(thread->context, crowd_submit, &crowd);
    } else {
        crowd_submit(&crowd);
    }
    ck_assert(!crowd_is_done(&crowd));
    end(crowd.blk);
    ck_assert(crowd_is_done(&crowd));
    block_backend_set_context(crowd.blk, NULL);
    block_backend_free(crowd.blk);
    if (thread != NULL) {
        iothread_free(thread);
    }
    g_free(crowd.reqs);
}

START_TEST(end_row)
{
    run_end(ends[_i], false);
    run_end(ends[_i], true);
}
END_TEST

CHECK_MAIN("throttle", CASES(check_row, checks), CASES(rate_row, rates), CASE(a_group_shares),
           CASES(end_row, ends))
