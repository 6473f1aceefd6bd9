/*
 * A logical unit: the life of its requests, sense data and unit attentions, its drive.
 * SPC-3 4.5 (sense data), SAM-3 5 (task execution).
 *
 * Not modelled: task attributes other than simple, ACA, reservations, descriptor sense by mode
 * page, deferred errors.
 */
#include "scsi_core.h"

#include <string.h>

#include "iov.h"
#include "rhea_error.h"

#define CD_BLOCK_SIZE 2048

/* ---- CDBs ---- */

uint64_t scsi_cdb_lba(const uint8_t *cdb)
{
    switch (cdb[0] >> 5) {
    case 0:
        return get_be24(cdb + 1) & 0x1fffff;
    case 4:
        return get_be64(cdb + 2);
    default:
        return get_be32(cdb + 2);
    }
}

uint32_t scsi_cdb_count(const uint8_t *cdb)
{
    switch (cdb[0] >> 5) {
    case 0:
        return cdb[4] ? cdb[4] : 256;
    case 4:
        return get_be32(cdb + 10);
    case 5:
        return get_be32(cdb + 6);
    default:
        return get_be16(cdb + 7);
    }
}

bool scsi_cdb_has_no_block(const uint8_t *cdb)
{
    return cdb[0] == 0x93 && cdb[1] & 0x01;
}

static uint64_t cdb_length(const ScsiUnit *unit, const uint8_t *cdb, ScsiLength kind)
{
    switch (kind) {
    case LENGTH_NONE:
        break;
    case LENGTH_8_AT_4:
        return cdb[4];
    case LENGTH_16_AT_3:
        return get_be16(cdb + 3);
    case LENGTH_16_AT_7:
        return get_be16(cdb + 7);
    case LENGTH_16_AT_8:
        return get_be16(cdb + 8);
    case LENGTH_32_AT_6:
        return get_be32(cdb + 6);
    case LENGTH_32_AT_10:
        return get_be32(cdb + 10);
    case LENGTH_BLOCKS:
        return (uint64_t)scsi_cdb_count(cdb) * unit->block_size;
    case LENGTH_BLOCK:
        return scsi_cdb_has_no_block(cdb) ? 0 : unit->block_size;
    case LENGTH_8:
        return 8;
    case LENGTH_READ_CD:
        return cdb[9] & 0xf8 ? (uint64_t)get_be24(cdb + 6) * CD_BLOCK_SIZE : 0;
    }
    return 0;
}

void scsi_request_init(ScsiRequest *req, ScsiUnit *unit, const ScsiHostOps *ops, void *opaque,
                       uint32_t lun, const uint8_t *cdb, size_t cdb_len)
{
    *req = (ScsiRequest){
        .ops = ops, .opaque = opaque, .unit = unit, .lun = lun, .wrong_lun = lun != unit->lun,
    };
    memcpy(req->cdb, cdb, MIN(cdb_len, SCSI_CDB_MAX));
    req->command = &scsi_commands[req->cdb[0]];
    if (!(req->command->kinds & (unit->kind == SCSI_CD ? SCSI_FOR_CD : SCSI_FOR_DISK)) ||
        (unit->atapi && req->command->flags & SCSI_RAW_ONLY)) {
        req->command = NULL;
        return;
    }
    req->len = cdb_length(unit, req->cdb, req->command->length);
    if (req->len) {
        req->dir = req->command->flags & SCSI_OUT ? SCSI_TO_DEVICE : SCSI_FROM_DEVICE;
    }
}

/* ---- ends ---- */

static void request_end(ScsiRequest *req, uint8_t status)
{
    ScsiRequest **link = &req->unit->requests;

    g_assert(req->running && !req->in_block);
    while (*link != req) {
        link = &(*link)->next;
    }
    *link = req->next;
    req->running = false;
    req->status = status;
    g_clear_pointer(&req->buf, g_free);
    g_clear_pointer(&req->slice, g_free);
    req->ops->done(req);
}

void scsi_good(ScsiRequest *req)
{
    request_end(req, SCSI_GOOD);
}

void scsi_fail(ScsiRequest *req, ScsiSense sense)
{
    req->sense = sense;
    req->unit->sense = sense;
    request_end(req, SCSI_CHECK_CONDITION);
}

void scsi_fail_errno(ScsiRequest *req, int ret)
{
    switch (ret) {
    case -ENOMEDIUM:
        scsi_fail(req, sense_no_medium);
        break;
    case -ENOMEM:
        scsi_fail(req, sense_target_failure);
        break;
    case -ENOSPC:
        scsi_fail(req, sense_no_space);
        break;
    case -EINVAL:
        scsi_fail(req, sense_bad_field);
        break;
    default:
        scsi_fail(req, req->block.op == BLOCK_READ ? sense_read_error : sense_write_error);
    }
}

static void request_cancelled(ScsiRequest *req)
{
    req->cancelled = true;
    request_end(req, SCSI_TASK_ABORTED);
}

/* ---- sense ---- */

unsigned scsi_build_sense(ScsiSense sense, bool descriptor, uint8_t *out)
{
    if (descriptor) {
        memcpy(out, (const uint8_t[8]){ 0x72, sense.key, sense.asc, sense.ascq }, 8);
        return 8;
    }
    memset(out, 0, SCSI_SENSE_SIZE);
    out[0] = 0x70;
    out[2] = sense.key;
    out[7] = SCSI_SENSE_SIZE - 8;
    out[12] = sense.asc;
    out[13] = sense.ascq;
    return SCSI_SENSE_SIZE;
}

unsigned scsi_request_take_sense(ScsiRequest *req, uint8_t *out, unsigned len)
{
    uint8_t sense[SCSI_SENSE_SIZE];

    if (req->status != SCSI_CHECK_CONDITION) {
        return 0;
    }
    req->unit->sense = sense_none;
    len = MIN(len, scsi_build_sense(req->sense, false, sense));
    memcpy(out, sense, len);
    return len;
}

void scsi_set_attention(ScsiUnit *unit, ScsiSense sense)
{
    /* SPC-3 4.5.6: a reset is the news that covers every other */
    if (memcmp(&unit->attention, &sense_reset, sizeof(sense)) != 0) {
        unit->attention = sense;
    }
}

/* ---- data phases ---- */

uint8_t *scsi_buffer(ScsiRequest *req, uint32_t len)
{
    g_assert(len <= SCSI_WINDOW);
    if (req->buf_len < len) {
        g_free(req->buf);
        req->buf = g_malloc(len);
        req->buf_len = len;
    }
    return req->buf;
}

void scsi_window(ScsiRequest *req, uint32_t len)
{
    g_assert(len > 0 && len <= req->buf_len && req->ops->data);
    req->window_len = len;
    req->ops->data(req, req->buf, len);
}

void scsi_request_continue(ScsiRequest *req)
{
    g_assert(req->running && req->window_len);
    req->transferred += req->window_len;
    req->window_len = 0;
    req->step(req);
}

void scsi_send(ScsiRequest *req, const void *data, uint32_t len)
{
    len = MIN(len, req->len);
    if (!len) {
        scsi_good(req);
    } else if (req->iov) {
        req->transferred = iov_from_buf(req->iov, req->niov, 0, data, len);
        scsi_good(req);
    } else {
        memcpy(scsi_buffer(req, len), data, len);
        req->step = scsi_good;
        scsi_window(req, len);
    }
}

void scsi_receive(ScsiRequest *req, void (*then)(ScsiRequest *req))
{
    if (req->len > SCSI_WINDOW) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    uint32_t len = req->len;
    scsi_buffer(req, MAX(1, len));
    if (!len) {
        then(req);
    } else if (req->iov) {
        req->transferred = iov_to_buf(req->iov, req->niov, 0, req->buf, len);
        then(req);
    } else {
        req->step = then;
        scsi_window(req, len);
    }
}

/* ---- the image ---- */

static void block_ended(BlockReq *block, int ret)
{
    ScsiRequest *req = block->opaque;

    req->in_block = false;
    if (req->cancelled) {
        request_cancelled(req);
    } else if (ret < 0) {
        scsi_fail_errno(req, ret);
    } else {
        req->step(req);
    }
}

void scsi_submit(ScsiRequest *req, BlockOp op, unsigned flags, uint64_t offset, uint64_t len,
                 const struct iovec *iov, unsigned niov, void (*then)(ScsiRequest *req))
{
    req->step = then;
    req->in_block = true;
    req->block = (BlockReq){
        .op = op, .flags = flags, .offset = offset, .len = len, .iov = iov, .niov = niov,
        .done = block_ended, .opaque = req,
    };
    block_submit(req->unit->conf->blk, &req->block);
}

/* ---- start and cancel ---- */

static bool refuse_without_medium(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;

    if (!(req->command->flags & SCSI_MEDIUM)) {
        return false;
    }
    if (!scsi_unit_has_medium(unit)) {
        scsi_fail(req, unit->tray_open ? sense_no_medium_open : sense_no_medium);
        return true;
    }
    return false;
}

void scsi_request_start(ScsiRequest *req)
{
    ScsiUnit *unit = req->unit;
    bool asks_sense = req->cdb[0] == 0x03;

    req->next = unit->requests;
    unit->requests = req;
    req->running = true;
    if (!asks_sense) {
        unit->sense = sense_none;
    }
    if (!req->command) {
        scsi_fail(req, req->wrong_lun ? sense_bad_lun : sense_bad_opcode);
        return;
    }
    if (req->wrong_lun && !(req->command->flags & SCSI_TARGET)) {
        scsi_fail(req, sense_bad_lun);
        return;
    }
    if (unit->attention.key && !req->wrong_lun && !(req->command->flags & SCSI_ANY_TIME)) {
        ScsiSense attention = unit->attention;

        unit->attention = sense_none;
        scsi_fail(req, attention);
        return;
    }
    if (!refuse_without_medium(req)) {
        req->command->run(req);
    }
}

void scsi_request_cancel(ScsiRequest *req)
{
    g_assert(req->running);
    if (req->in_block) {
        req->cancelled = true;
    } else {
        request_cancelled(req);
    }
}

void scsi_unit_purge(ScsiUnit *unit)
{
    bool wait = false;

    for (ScsiRequest *req = unit->requests, *next; req; req = next) {
        next = req->next;
        wait |= req->in_block;
        scsi_request_cancel(req);
    }
    if (wait) {
        block_drop_parked(unit->conf->blk);
        block_drain(unit->conf->blk);
    }
    g_assert(!unit->requests);
}

/* ---- the medium ---- */

bool scsi_unit_has_medium(const ScsiUnit *unit)
{
    return unit->conf->blk && block_backend_node(unit->conf->blk) && !unit->tray_open;
}

uint64_t scsi_unit_blocks(const ScsiUnit *unit)
{
    return scsi_unit_has_medium(unit) ? block_backend_size(unit->conf->blk) / unit->block_size : 0;
}

static void unit_changed(ScsiUnit *unit, ScsiSense what)
{
    scsi_set_attention(unit, what);
    if (unit->changed) {
        unit->changed(unit, what);
    }
}

static void unit_media_changed(void *opaque, bool loaded)
{
    ScsiUnit *unit = opaque;

    unit->tray_open = !loaded;
    unit->media_event = loaded ? SCSI_MEDIA_NEW : SCSI_MEDIA_REMOVED;
    unit_changed(unit, sense_new_medium);
}

static void unit_eject_request(void *opaque, bool force)
{
    ScsiUnit *unit = opaque;

    unit->media_event = SCSI_MEDIA_EJECT_REQUEST;
    if (force) {
        unit->tray_open = true;
        unit->locked = false;
        unit->media_event = SCSI_MEDIA_REMOVED;
    }
}

static bool unit_tray_open(void *opaque)
{
    return ((const ScsiUnit *)opaque)->tray_open;
}

static bool unit_locked(void *opaque)
{
    return ((const ScsiUnit *)opaque)->locked;
}

static void unit_resized(void *opaque)
{
    unit_changed(opaque, sense_new_capacity);
}

static const BlockDeviceOps removable_ops = {
    .media_changed = unit_media_changed, .eject_request = unit_eject_request,
    .tray_open = unit_tray_open, .locked = unit_locked, .resized = unit_resized,
};
static const BlockDeviceOps fixed_ops = { .resized = unit_resized };

/* ---- state ---- */

static const StateField scsi_sense_fields[] = {
    STATE_UINT8(ScsiSense, key, .range = { 0, 15 }),
    STATE_UINT8(ScsiSense, asc),
    STATE_UINT8(ScsiSense, ascq),
    {}
};
static const StateDesc scsi_sense_state = {
    .name = "SCSISense", .version = 1, .fields = scsi_sense_fields,
};
static const StateField scsi_unit_fields[] = {
    STATE_STRUCT(ScsiUnit, attention, ScsiSense, scsi_sense_state),
    STATE_STRUCT(ScsiUnit, sense, ScsiSense, scsi_sense_state),
    STATE_BOOL(ScsiUnit, tray_open),
    STATE_BOOL(ScsiUnit, locked),
    STATE_BOOL(ScsiUnit, stopped),
    STATE_UINT8(ScsiUnit, media_event, .range = { 0, SCSI_MEDIA_REMOVED }),
    {}
};
const StateDesc scsi_unit_state = {
    .name = "SCSIUnit", .version = 1, .fields = scsi_unit_fields,
};

/* ---- life ---- */

bool scsi_unit_realize(ScsiUnit *unit, Device *owner, GError **error)
{
    BlockAttach attach = {
        .dev = owner, .ops = unit->removable ? &removable_ops : &fixed_ops, .opaque = unit,
        .removable = unit->removable,
    };

    if (!unit->conf->blk && unit->kind == SCSI_DISK) {
        set_error(error, "drive property not set");
        return false;
    }
    attach.read_only = unit->kind == SCSI_CD || block_backend_read_only(unit->conf->blk);
    if (unit->conf->blk && !block_conf_realize(unit->conf, &attach, error)) {
        return false;
    }
    if (!unit->conf->logical_block_size) {
        unit->conf->logical_block_size = unit->conf->physical_block_size = BLOCK_SECTOR_SIZE;
    }
    if (unit->conf->discard_granularity == UINT32_MAX) {
        unit->conf->discard_granularity =
            unit->atapi ? BLOCK_SECTOR_SIZE : MAX(unit->conf->logical_block_size, 4096);
    }
    unit->owner = owner;
    unit->block_size = unit->kind == SCSI_CD ? CD_BLOCK_SIZE : unit->conf->logical_block_size;
    if (unit->kind == SCSI_DISK) {
        block_conf_geometry(unit->conf);
        unit->original_cache = block_backend_write_cache(unit->conf->blk);
    }
    return true;
}

void scsi_unit_unrealize(ScsiUnit *unit)
{
    if (!unit->owner) {
        return;
    }
    scsi_unit_purge(unit);
    if (unit->conf->blk) {
        block_backend_detach(unit->conf->blk);
    }
    unit->owner = NULL;
}

void scsi_unit_clear(ScsiUnit *unit)
{
    unit->sense = sense_none;
    unit->attention = unit->atapi ? sense_none : sense_reset;
    unit->locked = unit->stopped = false;
    unit->tray_open = false;
    unit->media_event = SCSI_MEDIA_SAME;
}

void scsi_unit_reset(ScsiUnit *unit)
{
    scsi_unit_purge(unit);
    scsi_unit_clear(unit);
    if (unit->kind == SCSI_DISK) {
        block_backend_set_write_cache(unit->conf->blk, unit->original_cache);
    }
}
