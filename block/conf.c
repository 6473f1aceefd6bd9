/* The properties disks share: sizes of sectors, error policy, geometry. */
#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "rhea_error.h"
#include "sizes.h"

#define MAX_BLOCK_SIZE  (2 * MIB)

const char *const block_error_policy_names[] = {
    "report", "ignore", "enospc", "stop", "auto", NULL
};

/* ---- a size in 32 bits ---- */

static bool size32_parse(Object *obj, const Property *prop, void *field, const char *text,
                         GError **error)
{
    uint64_t bytes;

    if (!parse_size(text, &bytes, error)) {
        g_prefix_error(error, "Property '%s.%s': ", obj->type_name, prop->name);
        return false;
    }
    if (bytes > UINT32_MAX) {
        set_error(error, "Property %s.%s doesn't take value %" PRIu64 " (maximum: %u)",
                  obj->type_name, prop->name, bytes, UINT32_MAX);
        return false;
    }
    *(uint32_t *)field = bytes;
    return true;
}

static char *size32_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("%u", *(const uint32_t *)field);
}

static char *size32_print_qtree(const Object *obj, const Property *prop, const void *field)
{
    g_autofree char *human = format_size(*(const uint32_t *)field);

    return g_strdup_printf("%u (%s)", *(const uint32_t *)field, human);
}

const PropType prop_size32 = { "size", PROP_JSON_INT, size32_parse, size32_print,
                               size32_print_qtree, NULL };

/* ---- block sizes ---- */

static bool check_block_size(const char *name, uint32_t size, GError **error)
{
    if (size < BLOCK_SECTOR_SIZE || size > MAX_BLOCK_SIZE) {
        set_error(error, "Property .%s doesn't take value %u (minimum: 512, maximum: 2097152)",
                  name, size);
        return false;
    }
    if ((size & (size - 1)) != 0) {
        set_error(error, "Property .%s doesn't take value '%u', it's not a power of 2", name,
                  size);
        return false;
    }
    return true;
}

static bool check_multiple(const BlockConf *conf, const char *name, uint32_t size, GError **error)
{
    if (size % conf->logical_block_size == 0) {
        return true;
    }
    set_error(error, "%s must be a multiple of logical_block_size", name);
    return false;
}

/* What requests must be multiples of on the host. */
static uint32_t host_block_size(const BlockConf *conf)
{
    const BlockNode *node = backend_node(conf->blk);
    uint32_t size = BLOCK_SECTOR_SIZE;

    for (; node != NULL; node = node->file) {
        size = MAX(size, node->request_alignment);
    }
    return size;
}

static bool check_sizes(BlockConf *conf, GError **error)
{
    if (conf->logical_block_size == 0) {
        conf->logical_block_size =
            conf->backend_defaults == ON_OFF_AUTO_ON ? host_block_size(conf) : BLOCK_SECTOR_SIZE;
    }
    if (conf->physical_block_size == 0) {
        conf->physical_block_size = conf->logical_block_size;
    }
    if (!check_block_size("logical_block_size", conf->logical_block_size, error) ||
        !check_block_size("physical_block_size", conf->physical_block_size, error)) {
        return false;
    }
    if (conf->logical_block_size > conf->physical_block_size) {
        set_error(error, "logical_block_size > physical_block_size not supported");
        return false;
    }
    return check_multiple(conf, "min_io_size", conf->min_io_size, error) &&
           check_multiple(conf, "opt_io_size", conf->opt_io_size, error) &&
           (conf->discard_granularity == UINT32_MAX ||
            check_multiple(conf, "discard_granularity", conf->discard_granularity, error));
}

static bool apply(BlockConf *conf, GError **error)
{
    BlockBackend *blk = conf->blk;

    if (conf->rerror == BLOCK_ERROR_ENOSPC) {
        set_error(error, "rerror does not take 'enospc': reads need no space");
        return false;
    }
    blk->rerror = conf->rerror != BLOCK_ERROR_AUTO ? (BlockErrorPolicy)conf->rerror : blk->rerror;
    blk->werror = conf->werror != BLOCK_ERROR_AUTO ? (BlockErrorPolicy)conf->werror : blk->werror;
    if (conf->write_cache != ON_OFF_AUTO_AUTO) {
        blk->write_cache = conf->write_cache == ON_OFF_AUTO_ON;
    }
    if (conf->account_invalid != ON_OFF_AUTO_AUTO) {
        blk->account_invalid = conf->account_invalid == ON_OFF_AUTO_ON;
    }
    if (conf->account_failed != ON_OFF_AUTO_AUTO) {
        blk->account_failed = conf->account_failed == ON_OFF_AUTO_ON;
    }
    blk->share_rw = conf->share_rw;
    return true;
}

bool block_conf_realize(BlockConf *conf, const BlockAttach *attach, GError **error)
{
    if (conf->blk == NULL) {
        set_error(error, "drive property not set");
        return false;
    }
    if (conf->blk->dev != NULL) {
        set_error(error, "Drive '%s' is already in use by another device", conf->blk->name);
        return false;
    }
    return check_sizes(conf, error) && apply(conf, error) &&
           block_backend_attach(conf->blk, attach, error);
}

/* ---- geometry ---- */

#define MBR_TABLE       0x1be           /* four entries of 16 bytes */
#define MBR_END_HEAD    5               /* within an entry, CHS of the last sector */
#define MBR_END_SECTOR  6
#define MBR_SECTORS     12              /* length, little-endian 32 bits */
#define MAX_CYLS        16383           /* ATA's limit of the CHS words */

/* A partition ends at the last head and sector of a cylinder, by old custom. */
static bool geometry_from_mbr(BlockConf *conf, uint64_t sectors)
{
    uint8_t mbr[BLOCK_SECTOR_SIZE];

    if (block_pread(conf->blk, 0, mbr, sizeof(mbr)) < 0 || mbr[510] != 0x55 || mbr[511] != 0xaa) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        const uint8_t *entry = mbr + MBR_TABLE + 16 * i;
        unsigned heads = entry[MBR_END_HEAD] + 1, secs = entry[MBR_END_SECTOR] & 63;
        uint32_t length;

        memcpy(&length, entry + MBR_SECTORS, sizeof(length));
        if (length == 0 || entry[MBR_END_HEAD] == 0 || secs == 0 || heads > 16) {
            continue;
        }
        if (sectors / (heads * secs) >= 1 && sectors / (heads * secs) <= MAX_CYLS) {
            conf->cyls = sectors / (heads * secs);
            conf->heads = heads;
            conf->secs = secs;
            return true;
        }
    }
    return false;
}

void block_conf_geometry(BlockConf *conf)
{
    uint64_t sectors = conf->blk != NULL ? block_backend_size(conf->blk) / BLOCK_SECTOR_SIZE : 0;

    if (conf->cyls != 0 || conf->heads != 0 || conf->secs != 0 || sectors == 0 ||
        geometry_from_mbr(conf, sectors)) {
        return;
    }
    conf->heads = 16;
    conf->secs = 63;
    conf->cyls = CLAMP(sectors / (16 * 63), 2, MAX_CYLS);
}
