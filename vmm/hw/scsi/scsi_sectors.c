/*
 * Blocks of the medium: reading, writing, verifying, unmapping, capacity.
 * SBC-3 chapter 5, READ CD from MMC-5 6.20.
 *
 * Not modelled: protection information, comparing VERIFY, raw CD sectors.
 */
#include <string.h>

#include "iov.h"
#include "scsi_core.h"

#define CDB_FUA         0x08
#define VERIFY_COMPARE  0x06            /* BYTCHK */
#define SAME_UNMAP      0x08
#define PROTECT_MASK    0xe0

/* False: the request has failed. */
static bool check_range(ScsiRequest *req, uint64_t lba, uint64_t count)
{
    uint64_t blocks = scsi_unit_blocks(req->unit);

    if (lba > blocks || count > blocks - lba) {
        scsi_fail(req, sense_bad_lba);
        return false;
    }
    return true;
}

static bool check_writable(ScsiRequest *req)
{
    if (block_backend_read_only(req->unit->conf->blk)) {
        scsi_fail(req, sense_write_protected);
        return false;
    }
    return true;
}

/* ---- sectors between host and image ---- */

static unsigned write_flags(const ScsiRequest *req)
{
    bool fua = req->cdb[0] >> 5 && req->cdb[1] & CDB_FUA;
    bool verify = req->cdb[0] == 0x2e || req->cdb[0] == 0x8e || req->cdb[0] == 0xae;

    return req->dir == SCSI_TO_DEVICE && (fua || verify) ? BLOCK_REQ_FUA : 0;
}

static void whole_done(ScsiRequest *req)
{
    req->transferred = req->end - req->offset;
    scsi_good(req);
}

/* The host's memory as it is; cut where it has room for more than the command moves. */
static void transfer_whole(ScsiRequest *req, BlockOp op)
{
    uint64_t len = req->end - req->offset;
    const struct iovec *iov = req->iov;
    unsigned niov = req->niov;

    if (len > BLOCK_MAX_REQUEST) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (iov_size(iov, niov) != len) {
        req->slice = g_new(struct iovec, niov);
        niov = iov_slice(req->slice, niov, iov, niov, 0, len);
        iov = req->slice;
        if (!niov) {
            scsi_fail(req, sense_target_failure);   /* less memory than the data */
            return;
        }
    }
    scsi_submit(req, op, write_flags(req), req->offset, len, iov, niov, whole_done);
}

static void window_next(ScsiRequest *req);

static uint32_t window_size(const ScsiRequest *req)
{
    return MIN(req->end - req->offset, SCSI_WINDOW);
}

static void window_was_read(ScsiRequest *req)
{
    uint32_t len = window_size(req);

    req->offset += len;
    req->step = window_next;
    scsi_window(req, len);
}

static void window_was_written(ScsiRequest *req)
{
    req->offset += window_size(req);
    window_next(req);
}

static void window_filled(ScsiRequest *req)
{
    uint32_t len = window_size(req);

    req->window_iov = (struct iovec){ req->buf, len };
    scsi_submit(req, BLOCK_WRITE, write_flags(req), req->offset, len, &req->window_iov, 1,
                window_was_written);
}

static void window_next(ScsiRequest *req)
{
    uint32_t len = window_size(req);

    if (!len) {
        scsi_good(req);
    } else if (req->dir == SCSI_TO_DEVICE) {
        req->step = window_filled;
        scsi_window(req, len);
    } else {
        req->window_iov = (struct iovec){ req->buf, len };
        scsi_submit(req, BLOCK_READ, 0, req->offset, len, &req->window_iov, 1, window_was_read);
    }
}

static void transfer(ScsiRequest *req, uint64_t lba, uint64_t count)
{
    if (!check_range(req, lba, count)) {
        return;
    }
    req->offset = lba * req->unit->block_size;
    req->end = req->offset + count * req->unit->block_size;
    if (!count) {
        scsi_good(req);
    } else if (req->iov) {
        transfer_whole(req, req->dir == SCSI_TO_DEVICE ? BLOCK_WRITE : BLOCK_READ);
    } else {
        scsi_buffer(req, window_size(req));
        window_next(req);
    }
}

void scsi_cmd_read(ScsiRequest *req)
{
    if (req->cdb[0] >> 5 && req->cdb[1] & PROTECT_MASK && req->unit->kind == SCSI_DISK) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    transfer(req, scsi_cdb_lba(req->cdb), scsi_cdb_count(req->cdb));
}

void scsi_cmd_write(ScsiRequest *req)
{
    if (req->cdb[0] >> 5 && req->cdb[1] & PROTECT_MASK) {
        scsi_fail(req, sense_bad_field);
    } else if (check_writable(req)) {
        transfer(req, scsi_cdb_lba(req->cdb), scsi_cdb_count(req->cdb));
    }
}

/* Only the user data of a sector: what is there in every image of a data CD. */
void scsi_cmd_read_cd(ScsiRequest *req)
{
    uint8_t wanted = req->cdb[9] & 0xf8;

    if (!wanted) {
        scsi_good(req);
    } else if (wanted != 0x10) {
        scsi_fail(req, sense_bad_field);
    } else {
        transfer(req, get_be32(req->cdb + 2), get_be24(req->cdb + 6));
    }
}

/* ---- without data ---- */

void scsi_cmd_verify(ScsiRequest *req)
{
    if (req->cdb[1] & (VERIFY_COMPARE | PROTECT_MASK)) {
        scsi_fail(req, sense_bad_field);
    } else if (check_range(req, scsi_cdb_lba(req->cdb), scsi_cdb_count(req->cdb))) {
        scsi_good(req);
    }
}

void scsi_cmd_seek(ScsiRequest *req)
{
    if (scsi_cdb_lba(req->cdb) >= scsi_unit_blocks(req->unit)) {
        scsi_fail(req, sense_bad_lba);
    } else {
        scsi_good(req);
    }
}

void scsi_cmd_synchronize(ScsiRequest *req)
{
    if (block_backend_read_only(req->unit->conf->blk)) {
        scsi_good(req);                             /* nothing was ever written */
    } else {
        scsi_submit(req, BLOCK_FLUSH, 0, 0, 0, NULL, 0, scsi_good);
    }
}

/* ---- UNMAP: SBC-3 5.28 ---- */

/* In unmap, `offset` and `end` are of the descriptors in buf. */
static void unmap_next(ScsiRequest *req)
{
    uint32_t bs = req->unit->block_size;

    for (; req->offset + 16 <= req->end; req->offset += 16) {
        uint8_t *entry = req->buf + req->offset;
        uint64_t lba = get_be64(entry);
        uint32_t count = get_be32(entry + 8);
        uint32_t part = MIN(count, BLOCK_MAX_REQUEST / bs);

        if (!check_range(req, lba, count)) {
            return;
        }
        if (count) {
            put_be64(entry, lba + part);            /* what is left of it */
            put_be32(entry + 8, count - part);
            scsi_submit(req, BLOCK_DISCARD, 0, lba * bs, (uint64_t)part * bs, NULL, 0, unmap_next);
            return;
        }
    }
    scsi_good(req);
}

static void unmap_received(ScsiRequest *req)
{
    const uint8_t *list = req->buf;

    if (req->len < 8) {
        if (req->len) {
            scsi_fail(req, sense_parameter_length);
        } else {
            scsi_good(req);
        }
        return;
    }
    uint32_t len = get_be16(list), descriptors = get_be16(list + 2);
    if (len + 2 > req->len || descriptors + 8 > req->len) {
        scsi_fail(req, sense_parameter_length);
        return;
    }
    req->offset = 8;
    req->end = 8 + descriptors / 16 * 16;
    unmap_next(req);
}

void scsi_cmd_unmap(ScsiRequest *req)
{
    if (req->cdb[1] & 0x01) {
        scsi_fail(req, sense_bad_field);            /* anchored blocks */
    } else if (check_writable(req)) {
        scsi_receive(req, unmap_received);
    }
}

/* ---- WRITE SAME: SBC-3 5.43 ---- */

static void same_next(ScsiRequest *req);

static void same_did_some(ScsiRequest *req)
{
    req->offset += window_size(req);
    same_next(req);
}

/* buf is full of copies of the block. */
static void same_next(ScsiRequest *req)
{
    uint32_t len = window_size(req);

    if (!len) {
        scsi_good(req);
        return;
    }
    req->window_iov = (struct iovec){ req->buf, len };
    scsi_submit(req, BLOCK_WRITE, 0, req->offset, len, &req->window_iov, 1, same_did_some);
}

static void same_zero(ScsiRequest *req)
{
    unsigned flags = req->cdb[1] & SAME_UNMAP ? BLOCK_REQ_MAY_UNMAP : 0;
    uint64_t offset = req->offset, len = MIN(req->end - offset, BLOCK_MAX_REQUEST);

    if (!len) {
        scsi_good(req);
        return;
    }
    req->offset += len;
    scsi_submit(req, BLOCK_ZERO, flags, offset, len, NULL, 0, same_zero);
}

static bool is_zero(const uint8_t *data, uint32_t len)
{
    return !data[0] && memcmp(data, data + 1, len - 1) == 0;
}

static void same_received(ScsiRequest *req)
{
    uint32_t bs = req->unit->block_size;

    if (is_zero(req->buf, bs)) {
        same_zero(req);
        return;
    }
    g_autofree uint8_t *block = g_steal_pointer(&req->buf);
    req->buf_len = 0;
    uint8_t *copies = scsi_buffer(req, MAX(bs, window_size(req)));
    for (uint32_t at = 0; at + bs <= req->buf_len; at += bs) {
        memcpy(copies + at, block, bs);
    }
    same_next(req);
}

void scsi_cmd_write_same(ScsiRequest *req)
{
    uint64_t lba = scsi_cdb_lba(req->cdb), count = scsi_cdb_count(req->cdb);

    if (!count || req->cdb[1] & (PROTECT_MASK | 0x16)) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (!check_writable(req) || !check_range(req, lba, count)) {
        return;
    }
    req->offset = lba * req->unit->block_size;
    req->end = req->offset + count * req->unit->block_size;
    if (scsi_cdb_has_no_block(req->cdb)) {
        same_zero(req);
    } else {
        scsi_receive(req, same_received);
    }
}

/* ---- capacity ---- */

void scsi_cmd_read_capacity(ScsiRequest *req)
{
    uint64_t blocks = scsi_unit_blocks(req->unit);
    uint8_t out[8];

    if (!(req->cdb[8] & 0x01) && get_be32(req->cdb + 2)) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (!blocks) {
        scsi_fail(req, sense_no_medium);
        return;
    }
    put_be32(out, MIN(blocks - 1, UINT32_MAX));
    put_be32(out + 4, req->unit->block_size);
    scsi_send(req, out, sizeof(out));
}

void scsi_cmd_service_action_in(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    uint64_t blocks = scsi_unit_blocks(unit);
    uint8_t out[32] = { 0 };
    unsigned exponent = 0;

    if ((req->cdb[1] & 0x1f) != 0x10) {             /* READ CAPACITY(16) */
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (!blocks) {
        scsi_fail(req, sense_no_medium);
        return;
    }
    while (unit->conf->physical_block_size >> exponent > unit->block_size && exponent < 15) {
        exponent++;
    }
    put_be64(out, blocks - 1);
    put_be32(out + 8, unit->block_size);
    out[13] = exponent;
    if (unit->conf->discard_granularity) {
        out[14] = 0x80;                             /* blocks can be unmapped */
    }
    scsi_send(req, out, sizeof(out));
}
