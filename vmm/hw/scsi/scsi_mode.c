/*
 * Mode pages: SPC-3 6.8–6.11 and 7.4, SBC-3 6.4 (disks), MMC-5 7 and MMC-3 for page 2a (CD).
 *
 * A page is a row: its code, the kinds that have it, and a function that fills in the current
 * values, or with `changeable` the mask of what MODE SELECT may change.  Only the write cache may.
 */
#include <string.h>

#include "scsi_core.h"

enum { CONTROL_CURRENT, CONTROL_CHANGEABLE, CONTROL_DEFAULT, CONTROL_SAVED };

enum { PAGE_CACHING = 0x08, PAGE_ALL = 0x3f };
#define CACHING_WCE     0x04
#define SELECT_PF       0x10
#define SELECT_SP       0x01
#define SENSE_DBD       0x08
#define PARAM_WP        0x80
#define PARAM_DPOFUA    0x10

#define MODE_MAX 256

typedef struct ModePage {
    uint8_t code, kinds, len;                       /* len: without the two bytes of its head */
    void (*fill)(const ScsiUnit *unit, uint8_t *body, bool changeable);     /* NULL: all 0 */
} ModePage;

/* ---- pages ---- */

static void page_error_recovery(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (!changeable) {
        body[0] = 0x80;                             /* blocks are put elsewhere when written */
        body[1] = unit->kind == SCSI_CD ? 0x20 : 0;
    }
}

static void page_geometry(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (!changeable) {
        body[0] = unit->conf->cyls >> 16;
        put_be16(body + 1, unit->conf->cyls);
        body[3] = unit->conf->heads;
        put_be16(body + 18, unit->rotation_rate ? unit->rotation_rate : 5400);
    }
}

static void page_flexible(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (!changeable) {
        put_be16(body, 5000);                       /* kbit/s */
        body[2] = unit->conf->heads;
        body[3] = unit->conf->secs;
        put_be16(body + 4, unit->block_size);
        put_be16(body + 6, MIN(unit->conf->cyls, UINT16_MAX));
        put_be16(body + 26, unit->rotation_rate ? unit->rotation_rate : 5400);
    }
}

static void page_caching(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (changeable || (unit->conf->blk && block_backend_write_cache(unit->conf->blk))) {
        body[0] = CACHING_WCE;
    }
}

static void page_audio(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (!changeable) {
        body[0] = 0x04;                             /* PLAY answers at once */
    }
}

static void page_capabilities(const ScsiUnit *unit, uint8_t *body, bool changeable)
{
    if (changeable) {
        return;
    }
    body[0] = 0x3b;                                 /* reads CD-R, CD-RW, DVD-ROM, -R, -RAM */
    body[2] = 0x70;                                 /* multi-session, mode 2 forms 1 and 2 */
    body[4] = 0x29 | (unit->locked ? 0x02 : 0);     /* tray that can be locked and ejected */
    put_be16(body + 6, 50 * 176);                   /* speed, kB/s: 50x */
    put_be16(body + 8, 2);                          /* volume levels */
    put_be16(body + 10, 2048);                      /* buffer, KiB */
    put_be16(body + 12, 16 * 176);                  /* speed now */
}

static const ModePage mode_pages[] = {
    { 0x01, SCSI_FOR_ALL, 10, page_error_recovery },
    { 0x04, SCSI_FOR_DISK, 22, page_geometry },
    { 0x05, SCSI_FOR_DISK, 30, page_flexible },
    { PAGE_CACHING, SCSI_FOR_ALL, 18, page_caching },
    { 0x0e, SCSI_FOR_CD, 14, page_audio },
    { 0x2a, SCSI_FOR_CD, 20, page_capabilities },
};

static bool unit_has_page(const ScsiUnit *unit, const ModePage *page)
{
    if (page->code == PAGE_CACHING && unit->atapi) {
        return false;
    }
    return page->kinds & (unit->kind == SCSI_CD ? SCSI_FOR_CD : SCSI_FOR_DISK);
}

static size_t put_page(const ScsiUnit *unit, const ModePage *page, unsigned control, uint8_t *out)
{
    memset(out, 0, page->len + 2);
    out[0] = page->code;
    out[1] = page->len;
    page->fill(unit, out + 2, control == CONTROL_CHANGEABLE);
    return page->len + 2;
}

/* ---- MODE SENSE ---- */

/* 7.4.4: head of 4 or 8 bytes; returns its length. */
static size_t put_head(const ScsiUnit *unit, bool ten, uint8_t *out)
{
    uint8_t specific = 0, medium_type = 0;
    size_t at = ten ? 8 : 4;

    if (unit->kind == SCSI_DISK) {
        specific = (block_backend_read_only(unit->conf->blk) ? PARAM_WP : 0) |
                   (unit->dpofua ? PARAM_DPOFUA : 0);
    } else if (unit->atapi) {
        /* SFF-8020i 10.8.5: 70: door closed, no disc; 71: open; 01: data CD */
        medium_type = unit->tray_open ? 0x71 : scsi_unit_has_medium(unit) ? 0x01 : 0x70;
    }
    memset(out, 0, at);
    out[ten ? 2 : 1] = medium_type;
    out[ten ? 3 : 2] = specific;
    return at;
}

static size_t put_block_descriptor(const ScsiUnit *unit, uint8_t *out)
{
    uint64_t blocks = scsi_unit_blocks(unit);

    memset(out, 0, 8);
    put_be32(out, blocks > 0xffffff ? 0 : blocks);
    put_be32(out + 4, unit->block_size);
    out[4] = 0;                                     /* density, beside 24 bits of block size */
    return 8;
}

static bool put_pages(const ScsiUnit *unit, uint8_t code, unsigned control, uint8_t *out,
                      size_t *at)
{
    bool found = code == PAGE_ALL;

    for (size_t i = 0; i < G_N_ELEMENTS(mode_pages); i++) {
        const ModePage *page = &mode_pages[i];

        if ((code == PAGE_ALL || code == page->code) && unit_has_page(unit, page)) {
            *at += put_page(unit, page, control, out + *at);
            found = true;
        }
    }
    return found;
}

void scsi_cmd_mode_sense(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    bool ten = req->cdb[0] == 0x5a;
    uint8_t out[MODE_MAX], code = req->cdb[2] & 0x3f;
    unsigned control = req->cdb[2] >> 6;

    if (control == CONTROL_SAVED) {
        scsi_fail(req, sense_no_saving);
        return;
    }
    size_t at = put_head(unit, ten, out);
    if (unit->kind == SCSI_DISK && !(req->cdb[1] & SENSE_DBD) && scsi_unit_blocks(unit)) {
        out[ten ? 7 : 3] = 8;
        at += put_block_descriptor(unit, out + at);
    }
    if (!put_pages(unit, code, control, out, &at) || (req->cdb[3] && req->cdb[3] != 0xff)) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    if (ten) {
        put_be16(out, at - 2);
    } else {
        out[0] = at - 1;
    }
    scsi_send(req, out, at);
}

/* ---- MODE SELECT ---- */

static const ModePage *find_page(const ScsiUnit *unit, uint8_t code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mode_pages); i++) {
        if (mode_pages[i].code == code && unit_has_page(unit, &mode_pages[i])) {
            return &mode_pages[i];
        }
    }
    return NULL;
}

/* A page may differ from the current values only where they can be changed. */
static bool page_acceptable(const ScsiUnit *unit, const ModePage *page, const uint8_t *wanted)
{
    uint8_t now[MODE_MAX], mask[MODE_MAX];

    put_page(unit, page, CONTROL_CURRENT, now);
    put_page(unit, page, CONTROL_CHANGEABLE, mask);
    for (size_t i = 2; i < page->len + 2u; i++) {
        if ((now[i] ^ wanted[i]) & ~mask[i]) {
            return false;
        }
    }
    return true;
}

/* Checks each page of the list, and takes it over when `apply`. False: the request has failed. */
static bool walk_pages(ScsiRequest *req, const uint8_t *list, size_t len, bool apply)
{
    const ScsiUnit *unit = req->unit;

    while (len >= 2) {
        const ModePage *page = list[0] & 0x40 ? NULL : find_page(unit, list[0] & 0x3f);

        if (!page || list[1] != page->len) {
            scsi_fail(req, sense_bad_parameter);
            return false;
        }
        if (len < page->len + 2u) {
            scsi_fail(req, sense_parameter_length);
            return false;
        }
        if (!page_acceptable(unit, page, list)) {
            scsi_fail(req, sense_bad_parameter);
            return false;
        }
        if (apply && page->code == PAGE_CACHING && unit->conf->blk) {
            block_backend_set_write_cache(unit->conf->blk, list[2] & CACHING_WCE);
        }
        list += page->len + 2;
        len -= page->len + 2;
    }
    if (len) {
        scsi_fail(req, sense_parameter_length);
    }
    return !len;
}

static void mode_received(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    bool ten = req->cdb[0] == 0x55;
    const uint8_t *list = req->buf;
    size_t len = req->len, head = ten ? 8 : 4;

    if (!len) {
        scsi_good(req);
        return;
    }
    if (len < head) {
        scsi_fail(req, sense_parameter_length);
        return;
    }
    size_t descriptors = ten ? get_be16(list + 6) : list[3];
    if (descriptors > len - head || (descriptors && descriptors != 8)) {
        scsi_fail(req, descriptors > len - head ? sense_parameter_length : sense_bad_parameter);
        return;
    }
    list += head + descriptors;
    len -= head + descriptors;
    if (!walk_pages(req, list, len, false) || !walk_pages(req, list, len, true)) {
        return;
    }
    if (unit->conf->blk && !block_backend_read_only(unit->conf->blk) &&
        !block_backend_write_cache(unit->conf->blk)) {
        scsi_submit(req, BLOCK_FLUSH, 0, 0, 0, NULL, 0, scsi_good);     /* the cache is off now */
    } else {
        scsi_good(req);
    }
}

void scsi_cmd_mode_select(ScsiRequest *req)
{
    if ((req->cdb[1] & (SELECT_PF | SELECT_SP)) != SELECT_PF) {
        scsi_fail(req, sense_bad_field);            /* pages of old, or to be saved */
        return;
    }
    scsi_receive(req, mode_received);
}
