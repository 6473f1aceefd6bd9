/* -drive's limits of traffic: throttling.*, and the names these had before. */
#include <string.h>

#include "backend.h"
#include "rhea_error.h"

#define ROW(name_, old_, field_) \
    { "throttling." name_, old_, G_STRUCT_OFFSET(BlockLimits, field_) }
#define LIMIT(name_, old_, kind_) \
    ROW(name_, old_, limit[kind_].rate), \
    ROW(name_ "-max", old_ "_max", limit[kind_].burst), \
    ROW(name_ "-max-length", NULL, limit[kind_].burst_seconds)

static const struct { const char *name, *old; size_t offset; } rows[] = {
    LIMIT("bps-total", "bps", BLOCK_LIMIT_BPS_TOTAL),
    LIMIT("bps-read", "bps_rd", BLOCK_LIMIT_BPS_READ),
    LIMIT("bps-write", "bps_wr", BLOCK_LIMIT_BPS_WRITE),
    LIMIT("iops-total", "iops", BLOCK_LIMIT_IOPS_TOTAL),
    LIMIT("iops-read", "iops_rd", BLOCK_LIMIT_IOPS_READ),
    LIMIT("iops-write", "iops_wr", BLOCK_LIMIT_IOPS_WRITE),
    ROW("iops-size", "iops_size", op_size),
};

bool block_drive_limits_take(KeyVal *kv, BlockLimits *limits, const char **group, GError **error)
{
    block_limits_init(limits);
    *group = keyval_get(kv, "throttling.group");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool has_old = rows[i].old != NULL && keyval_has(kv, rows[i].old);
        const char *name = has_old ? rows[i].old : rows[i].name;

        if (has_old && keyval_has(kv, rows[i].name)) {
            set_error(error, "'%s' and its alias '%s' can't be used at the same time",
                      rows[i].name, rows[i].old);
            return false;
        }
        if (!keyval_get_uint(kv, name, UINT64_MAX,
                             (uint64_t *)((char *)limits + rows[i].offset), error)) {
            return false;
        }
    }
    return block_limits_check(limits, error);
}

bool block_drive_limits_own(const char *key)
{
    bool own = g_str_equal(key, "throttling.group");

    for (size_t i = 0; i < G_N_ELEMENTS(rows) && !own; i++) {
        own = g_str_equal(key, rows[i].name) || g_strcmp0(key, rows[i].old) == 0;
    }
    return own;
}
