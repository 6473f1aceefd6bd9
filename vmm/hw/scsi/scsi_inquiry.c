/*
 * What a logical unit is: INQUIRY with its vital product data, REPORT LUNS, REQUEST SENSE.
 * SPC-3 6.4, 6.21, 6.27, 7.6; SBC-3 6.5 for the block pages.
 */
#include <string.h>

#include "scsi_core.h"

enum { PERIPHERAL_DISK = 0x00, PERIPHERAL_CD = 0x05, PERIPHERAL_NONE = 0x7f };

#define VPD_MAX 255                 /* of a page, without its head */

static uint8_t peripheral(const ScsiRequest *req)
{
    return req->wrong_lun ? PERIPHERAL_NONE
                          : req->unit->kind == SCSI_CD ? PERIPHERAL_CD : PERIPHERAL_DISK;
}

/* Left-aligned ASCII, padded with spaces. */
static void put_text(uint8_t *at, size_t size, const char *text)
{
    size_t len = text ? MIN(strlen(text), size) : 0;

    memset(at, ' ', size);
    memcpy(at, text ? text : "", len);
}

/* ---- vital product data: each fills in a page's body and returns its length ---- */

static size_t vpd_supported(const ScsiUnit *unit, uint8_t *out);

static size_t vpd_serial(const ScsiUnit *unit, uint8_t *out)
{
    size_t len = unit->serial ? MIN(strlen(unit->serial), 36) : 0;

    memcpy(out, unit->serial ? unit->serial : "", len);
    return len;
}

/* 7.6.3: code set, what it names and of which kind, length, the identifier. */
static size_t put_designator(uint8_t *out, uint8_t code_set, uint8_t type, const void *id,
                             size_t len)
{
    out[0] = code_set;
    out[1] = type;
    out[2] = 0;
    out[3] = len;
    memcpy(out + 4, id, len);
    return 4 + len;
}

static size_t vpd_identification(const ScsiUnit *unit, uint8_t *out)
{
    size_t len = 0;
    uint8_t number[8];

    if (unit->device_id && *unit->device_id) {
        len += put_designator(out, 2, 0x00, unit->device_id, MIN(strlen(unit->device_id), 255 - 8));
    }
    if (unit->wwn) {
        put_be64(number, unit->wwn);
        len += put_designator(out + len, 1, 0x03, number, 8);
    }
    if (unit->port_wwn) {
        put_be64(number, unit->port_wwn);
        len += put_designator(out + len, 0x61, 0x93, number, 8);
    }
    if (unit->port_index) {
        put_be32(number, unit->port_index);
        len += put_designator(out + len, 0x61, 0x94, number, 4);
    }
    return len;
}

static uint32_t in_blocks(const ScsiUnit *unit, uint64_t bytes)
{
    return MIN(bytes / unit->block_size, UINT32_MAX);
}

static size_t vpd_block_limits(const ScsiUnit *unit, uint8_t *out)
{
    memset(out, 0, 0x3c);
    out[0] = 1;                                     /* WRITE SAME of 0 blocks is refused */
    put_be16(out + 2, MIN(in_blocks(unit, unit->conf->min_io_size), UINT16_MAX));
    put_be32(out + 4, in_blocks(unit, unit->max_io_size));
    put_be32(out + 8, in_blocks(unit, unit->conf->opt_io_size));
    put_be32(out + 16, in_blocks(unit, unit->max_unmap_size));
    put_be32(out + 20, 255);                        /* ranges of an UNMAP */
    put_be32(out + 24, in_blocks(unit, unit->conf->discard_granularity));
    return 0x3c;
}

static size_t vpd_characteristics(const ScsiUnit *unit, uint8_t *out)
{
    memset(out, 0, 0x3c);
    put_be16(out, unit->rotation_rate);
    return 0x3c;
}

static size_t vpd_provisioning(const ScsiUnit *unit, uint8_t *out)
{
    out[0] = 0;
    out[1] = 0xe0;                                  /* UNMAP and both forms of WRITE SAME unmap */
    out[2] = unit->conf->discard_granularity ? 2 : 1;     /* thin, or by resources */
    out[3] = 0;
    return 4;
}

static const struct {
    uint8_t page, kinds;
    size_t (*fill)(const ScsiUnit *unit, uint8_t *out);
} vpd_pages[] = {
    { 0x00, SCSI_FOR_ALL, vpd_supported },
    { 0x80, SCSI_FOR_ALL, vpd_serial },
    { 0x83, SCSI_FOR_ALL, vpd_identification },
    { 0xb0, SCSI_FOR_DISK, vpd_block_limits },
    { 0xb1, SCSI_FOR_DISK, vpd_characteristics },
    { 0xb2, SCSI_FOR_DISK, vpd_provisioning },
};

static bool has_page(const ScsiUnit *unit, size_t row)
{
    if (vpd_pages[row].fill == vpd_serial && (!unit->serial || !*unit->serial)) {
        return false;
    }
    return vpd_pages[row].kinds & (unit->kind == SCSI_CD ? SCSI_FOR_CD : SCSI_FOR_DISK);
}

static size_t vpd_supported(const ScsiUnit *unit, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(vpd_pages); i++) {
        if (has_page(unit, i)) {
            out[n++] = vpd_pages[i].page;
        }
    }
    return n;
}

static void inquiry_page(ScsiRequest *req)
{
    uint8_t out[4 + VPD_MAX + 64] = { peripheral(req), req->cdb[2] };

    for (size_t i = 0; i < G_N_ELEMENTS(vpd_pages); i++) {
        if (vpd_pages[i].page == req->cdb[2] && has_page(req->unit, i)) {
            size_t len = vpd_pages[i].fill(req->unit, out + 4);

            put_be16(out + 2, len);
            scsi_send(req, out, 4 + len);
            return;
        }
    }
    scsi_fail(req, sense_bad_field);
}

void scsi_cmd_inquiry(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    uint8_t out[36] = { peripheral(req) };

    if (req->cdb[1] & 0x01) {
        inquiry_page(req);
        return;
    }
    if (req->cdb[2]) {
        scsi_fail(req, sense_bad_field);            /* a page code without the page bit */
        return;
    }
    out[1] = unit->removable ? 0x80 : 0;
    out[2] = unit->atapi ? 0 : unit->scsi_version;
    out[3] = unit->atapi ? 0x21 : 0x02;             /* MMC-5 6.12: ATAPI's; SPC: its data format */
    out[4] = sizeof(out) - 5;
    out[7] = unit->atapi ? 0 : 0x12;                /* synchronous transfers, command queueing */
    put_text(out + 8, 8, unit->vendor);
    put_text(out + 16, 16, unit->product);
    put_text(out + 32, 4, unit->version);
    scsi_send(req, out, sizeof(out));
}

/* ---- REPORT LUNS ---- */

/* SAM-3 4.9.4: single level structure, flat above 255. */
static void put_lun(uint8_t *at, uint32_t lun)
{
    memset(at, 0, 8);
    at[0] = lun < 256 ? 0 : 0x40 | lun >> 8;
    at[1] = lun;
}

#define LUNS_MAX 1024

void scsi_cmd_report_luns(ScsiRequest *req)
{
    const ScsiUnit *unit = req->unit;
    g_autofree uint8_t *out = g_malloc0(8 + 8 * LUNS_MAX);
    size_t n = 1;                                   /* LUN 0 is always listed */

    if (req->cdb[2] > 2) {
        scsi_fail(req, sense_bad_field);
        return;
    }
    for (guint i = 0; unit->bus && i < unit->bus->bus.devices->len; i++) {
        const ScsiDevice *dev = g_ptr_array_index(unit->bus->bus.devices, i);

        if (dev->dev.realized && dev->lun && n < LUNS_MAX && dev->channel == unit->dev->channel &&
            dev->scsi_id == unit->dev->scsi_id) {
            put_lun(out + 8 + 8 * n++, dev->lun);
        }
    }
    n = req->cdb[2] == 1 ? 0 : n;                   /* only well-known ones were asked for */
    put_be32(out, 8 * n);
    scsi_send(req, out, 8 + 8 * n);
}

/* ---- REQUEST SENSE ---- */

void scsi_cmd_request_sense(ScsiRequest *req)
{
    ScsiUnit *unit = req->unit;
    uint8_t out[SCSI_SENSE_SIZE];
    ScsiSense sense = unit->sense;

    if (req->wrong_lun) {
        sense = sense_bad_lun;
    } else if (!sense.key && unit->attention.key) {
        sense = unit->attention;
        unit->attention = sense_none;
    }
    unit->sense = sense_none;
    scsi_send(req, out, scsi_build_sense(sense, req->cdb[1] & 0x01, out));
}
