/*
 * Limits on the traffic of disks: up to six leaky buckets for each group of backends.
 *
 * What a request takes of a limit is poured into its bucket, which empties at the limit's rate; a
 * request has to wait while the bucket is above what may be had at once.  That is a tenth of a
 * second's worth, or with a burst rate as much as that gives in the burst's length; a burst of more
 * than a second has a bucket of its own, which empties at the burst's rate.
 *
 * Requests wait in their backend, reads apart from writes.  The group's timer, on the main loop,
 * lets those go whose time has come, one of each backend in turn; they begin on the thread of their
 * context.  While a backend is drained nothing of it waits.
 */
#include <string.h>

#include "backend.h"
#include "rhea_error.h"

#define MAX_RATE        UINT64_C(1000000000000000)
#define NS_PER_SECOND   1e9

enum { READS, WRITES, DIRECTIONS };

typedef struct Bucket { double level, burst_level; } Bucket;

struct BlockThrottle {
    char *name;
    GSource *timer;
    GMutex lock;                        /* guards all below, and the members' throttled lists */
    GPtrArray *members;                 /* BlockBackend *; changed by the main thread */
    BlockLimits limits;
    Bucket buckets[BLOCK_LIMITS];
    int64_t leaked_ns;                  /* when they were last seen to */
    unsigned waiting[DIRECTIONS], turn[DIRECTIONS];
};

static GPtrArray *groups;               /* BlockThrottle *; the main thread */

/* The limits each direction is subject to. */
static const BlockLimitKind kinds_of[DIRECTIONS][4] = {
    { BLOCK_LIMIT_BPS_TOTAL, BLOCK_LIMIT_BPS_READ, BLOCK_LIMIT_IOPS_TOTAL, BLOCK_LIMIT_IOPS_READ },
    { BLOCK_LIMIT_BPS_TOTAL, BLOCK_LIMIT_BPS_WRITE, BLOCK_LIMIT_IOPS_TOTAL,
      BLOCK_LIMIT_IOPS_WRITE },
};

static int64_t now_ns(void)
{
    return g_get_monotonic_time() * 1000;
}

/* ---- buckets ---- */

static void leak(BlockThrottle *group, int64_t now)
{
    double seconds = MAX(now - group->leaked_ns, 0) / NS_PER_SECOND;

    group->leaked_ns = MAX(now, group->leaked_ns);
    for (int i = 0; i < BLOCK_LIMITS; i++) {
        const BlockLimit *limit = &group->limits.limit[i];
        Bucket *bucket = &group->buckets[i];

        bucket->level = MAX(bucket->level - limit->rate * seconds, 0);
        bucket->burst_level = MAX(bucket->burst_level - limit->burst * seconds, 0);
    }
}

/* Seconds until something may be poured in. */
static double bucket_wait(const BlockLimit *limit, const Bucket *bucket)
{
    double room = limit->burst > 0 ? (double)limit->burst * limit->burst_seconds
                                   : limit->rate / 10.0;
    double wait = 0;

    if (limit->rate == 0) {
        return 0;
    }
    if (bucket->level > room) {
        wait = (bucket->level - room) / limit->rate;
    }
    if (limit->burst_seconds > 1 && bucket->burst_level > limit->burst / 10.0) {
        wait = MAX(wait, (bucket->burst_level - limit->burst / 10.0) / limit->burst);
    }
    return wait;
}

static int64_t wait_ns(const BlockThrottle *group, int direction)
{
    double wait = 0;

    for (int i = 0; i < 4; i++) {
        BlockLimitKind kind = kinds_of[direction][i];

        wait = MAX(wait, bucket_wait(&group->limits.limit[kind], &group->buckets[kind]));
    }
    return wait * NS_PER_SECOND;
}

static void charge(BlockThrottle *group, const BlockReq *req, int direction)
{
    uint64_t op_size = group->limits.op_size;
    double ops = op_size > 0 && req->len > op_size ? (double)req->len / op_size : 1;

    for (int i = 0; i < 4; i++) {
        BlockLimitKind kind = kinds_of[direction][i];
        double units = kind < BLOCK_LIMIT_IOPS_TOTAL ? req->len : ops;

        group->buckets[kind].level += units;
        group->buckets[kind].burst_level += units;
    }
}

/* ---- letting go ---- */

typedef struct Release {
    BlockWork work;
    BlockReqList list;
} Release;

static void release_finished(BlockWork *work)
{
    Release *release = (Release *)work;
    BlockReq *list = release->list.first, *req;

    while ((req = list) != NULL) {
        list = req->next;
        block_request_begin(req);
    }
    g_free(release);
}

static BlockReq *list_pop(BlockReqList *list)
{
    BlockReq *req = list->first;

    list->first = req->next;
    if (list->first == NULL) {
        block_req_list_init(list);
    }
    return req;
}

static void post(BlockBackend *blk, const BlockReqList *list)
{
    Release *release;

    if (list->first == NULL) {
        return;
    }
    release = g_new0(Release, 1);
    release->work.finished = release_finished;
    release->list.first = list->first;
    block_context_defer(blk->context, &release->work);
}

/* The next member, in turn, with something to let go; there is one. */
static BlockBackend *next_member(BlockThrottle *group, int direction)
{
    BlockBackend *blk;

    do {
        group->turn[direction] = (group->turn[direction] + 1) % group->members->len;
        blk = g_ptr_array_index(group->members, group->turn[direction]);
    } while (blk->throttled[direction].first == NULL);
    return blk;
}

static bool release_one(BlockThrottle *group, int direction)
{
    BlockBackend *blk;
    BlockReqList one;
    BlockReq *req;

    if (group->waiting[direction] == 0 || wait_ns(group, direction) > 0) {
        return false;
    }
    blk = next_member(group, direction);
    req = list_pop(&blk->throttled[direction]);
    group->waiting[direction]--;
    charge(group, req, direction);
    block_req_list_init(&one);
    block_req_list_add(&one, req);
    post(blk, &one);
    return true;
}

/* For the earliest of those that still wait. */
static void set_timer(BlockThrottle *group, int64_t now)
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < DIRECTIONS; i++) {
        if (group->waiting[i] > 0) {
            due = MIN(due, now + wait_ns(group, i));
        }
    }
    g_source_set_ready_time(group->timer, due < INT64_MAX ? due / 1000 + 1 : -1);
}

static gboolean timer_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    BlockThrottle *group = opaque;
    int64_t now = now_ns();
    bool any;

    g_mutex_lock(&group->lock);
    leak(group, now);
    do {
        any = release_one(group, READS);
        any |= release_one(group, WRITES);
    } while (any);
    set_timer(group, now);
    g_mutex_unlock(&group->lock);
    return G_SOURCE_CONTINUE;
}

/* ---- requests ---- */

bool block_throttle_take(BlockBackend *blk, BlockReq *req)
{
    BlockThrottle *group = blk->throttle;
    int direction = req->op == BLOCK_READ ? READS : WRITES;
    int64_t now = now_ns();
    bool waits;

    if (req->op == BLOCK_FLUSH || req->op == BLOCK_DISCARD) {
        return false;
    }
    g_mutex_lock(&group->lock);
    leak(group, now);
    waits = blk->limits_off == 0 &&
            (group->waiting[direction] > 0 || wait_ns(group, direction) > 0);
    if (waits) {
        block_backend_enter(blk);
        block_req_list_add(&blk->throttled[direction], req);
        if (group->waiting[direction]++ == 0) {
            set_timer(group, now);
        }
    } else {
        charge(group, req, direction);
    }
    g_mutex_unlock(&group->lock);
    return waits;
}

void block_throttle_bypass(BlockBackend *blk, bool on)
{
    BlockThrottle *group = blk->throttle;

    if (group == NULL) {
        return;
    }
    g_mutex_lock(&group->lock);
    blk->limits_off += on ? 1 : -1;
    for (int i = 0; on && i < DIRECTIONS; i++) {
        for (BlockReq *req = blk->throttled[i].first; req != NULL; req = req->next) {
            group->waiting[i]--;
        }
        post(blk, &blk->throttled[i]);
        block_req_list_init(&blk->throttled[i]);
    }
    g_mutex_unlock(&group->lock);
}

/* ---- limits ---- */

static bool uses_both(const BlockLimit *total, bool burst)
{
    return burst ? total[0].burst != 0 && (total[1].burst != 0 || total[2].burst != 0)
                 : total[0].rate != 0 && (total[1].rate != 0 || total[2].rate != 0);
}

static bool check_totals(const BlockLimits *limits, GError **error)
{
    for (int i = 0; i < BLOCK_LIMITS; i += BLOCK_LIMIT_IOPS_TOTAL) {
        if (uses_both(&limits->limit[i], false) || uses_both(&limits->limit[i], true)) {
            set_error(error, "bps/iops/max total values and read/write values cannot be used at "
                      "the same time");
            return false;
        }
    }
    return true;
}

static const char *limit_mistake(const BlockLimit *limit)
{
    if (limit->rate > MAX_RATE || limit->burst > MAX_RATE) {
        return "bps/iops/max values must be within [0, 1000000000000000]";
    }
    if (limit->burst_seconds == 0) {
        return "the burst length cannot be 0";
    }
    if (limit->burst_seconds > 1 && limit->burst == 0) {
        return "burst length set without burst rate";
    }
    if (limit->burst != 0 && limit->burst_seconds > MAX_RATE / limit->burst) {
        return "burst length too high for this burst rate";
    }
    if (limit->burst != 0 && limit->rate == 0) {
        return "bps_max/iops_max require corresponding bps/iops values";
    }
    if (limit->burst != 0 && limit->burst < limit->rate) {
        return "bps_max/iops_max cannot be lower than bps/iops";
    }
    return NULL;
}

void block_limits_init(BlockLimits *limits)
{
    *limits = (BlockLimits){ 0 };
    for (int i = 0; i < BLOCK_LIMITS; i++) {
        limits->limit[i].burst_seconds = 1;
    }
}

bool block_limits_check(const BlockLimits *limits, GError **error)
{
    const BlockLimit *iops = &limits->limit[BLOCK_LIMIT_IOPS_TOTAL];

    if (!check_totals(limits, error)) {
        return false;
    }
    if (limits->op_size > 0 && iops[0].rate == 0 && iops[1].rate == 0 && iops[2].rate == 0) {
        set_error(error, "iops size requires an iops value to be set");
        return false;
    }
    for (int i = 0; i < BLOCK_LIMITS; i++) {
        const char *mistake = limit_mistake(&limits->limit[i]);

        if (mistake != NULL) {
            set_error(error, "%s", mistake);
            return false;
        }
    }
    return true;
}

static bool any_limit(const BlockLimits *limits)
{
    for (int i = 0; i < BLOCK_LIMITS; i++) {
        if (limits->limit[i].rate > 0) {
            return true;
        }
    }
    return false;
}

/* ---- groups ---- */

static BlockThrottle *group_find(const char *name)
{
    for (guint i = 0; groups != NULL && i < groups->len; i++) {
        BlockThrottle *group = g_ptr_array_index(groups, i);

        if (g_str_equal(group->name, name)) {
            return group;
        }
    }
    return NULL;
}

static BlockThrottle *group_new(const char *name)
{
    static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };
    BlockThrottle *group = g_new0(BlockThrottle, 1);

    group->name = g_strdup(name);
    group->members = g_ptr_array_new();
    group->leaked_ns = now_ns();
    g_mutex_init(&group->lock);
    group->timer = g_source_new(&timer_funcs, sizeof(GSource));
    g_source_set_name(group->timer, "throttle");
    g_source_set_callback(group->timer, NULL, group, NULL);
    g_source_attach(group->timer, NULL);
    groups = groups != NULL ? groups : g_ptr_array_new();
    g_ptr_array_add(groups, group);
    return group;
}

static void group_free(BlockThrottle *group)
{
    g_ptr_array_remove(groups, group);
    g_source_destroy(group->timer);
    g_source_unref(group->timer);
    g_ptr_array_unref(group->members);
    g_mutex_clear(&group->lock);
    g_free(group->name);
    g_free(group);
}

/* On the context's thread, which submits nothing meanwhile. */
typedef struct Membership { BlockBackend *blk; BlockThrottle *group; } Membership;

static void change_membership(void *opaque)
{
    Membership *change = opaque;

    change->blk->throttle = change->group;
    block_backend_set_throttled(change->blk, change->group != NULL);
}

static void leave(BlockBackend *blk)
{
    BlockThrottle *group = blk->throttle;
    Membership change = { blk, NULL };

    block_throttle_bypass(blk, true);
    block_context_call(blk->context, change_membership, &change);
    blk->limits_off = 0;
    g_mutex_lock(&group->lock);
    g_ptr_array_remove(group->members, blk);
    g_mutex_unlock(&group->lock);
    if (group->members->len == 0) {
        group_free(group);
    }
}

static void join(BlockBackend *blk, BlockThrottle *group)
{
    Membership change = { blk, group };

    g_mutex_lock(&group->lock);
    g_ptr_array_add(group->members, blk);
    g_mutex_unlock(&group->lock);
    block_context_call(blk->context, change_membership, &change);
}

static void set_limits(BlockThrottle *group, const BlockLimits *limits)
{
    int64_t now = now_ns();

    g_mutex_lock(&group->lock);
    leak(group, now);
    group->limits = *limits;
    memset(group->buckets, 0, sizeof(group->buckets));
    set_timer(group, now);
    g_mutex_unlock(&group->lock);
}

void block_throttle_leave(BlockBackend *blk)
{
    if (blk->throttle != NULL) {
        leave(blk);
    }
}

bool block_backend_set_limits(BlockBackend *blk, const BlockLimits *limits, const char *name,
                              GError **error)
{
    BlockThrottle *group;

    if (!block_limits_check(limits, error)) {
        return false;
    }
    if (!any_limit(limits)) {
        block_throttle_leave(blk);
        return true;
    }
    group = name != NULL ? group_find(name) : blk->throttle;
    if (group == NULL) {
        group = group_new(name);
    }
    if (blk->throttle != group) {
        block_throttle_leave(blk);
        join(blk, group);
    }
    set_limits(group, limits);
    return true;
}

const BlockLimits *block_backend_limits(const BlockBackend *blk, const char **group)
{
    if (blk->throttle == NULL) {
        return NULL;
    }
    *group = blk->throttle->name;
    return &blk->throttle->limits;
}
