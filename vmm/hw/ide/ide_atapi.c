/*
 * The packet feature set (ATA-6 9.8 and 9.9, INF-8020i): carries command packets to the drive's
 * logical unit and its data through the data port or the bus master.
 */
#include <string.h>

#include "ide_core.h"

/* ATA-6 8.23.5: interrupt reason, in the count register */
enum { REASON_COMMAND = 0x01, REASON_TO_HOST = 0x02, REASON_MASK = 0x07 };

#define FEATURE_DMA 0x01

static void packet_reason(IdeDrive *drive, uint8_t reason)
{
    drive->regs.count = (drive->regs.count & ~REASON_MASK) | reason;
}

/* ---- data through the port ---- */

/* 8.23.4: the most bytes of a DRQ block; odd only where it is the last. */
static uint32_t packet_limit(const IdeDrive *drive)
{
    uint32_t limit = drive->regs.lba_mid | drive->regs.lba_high << 8;

    if (limit == 0xffff || limit < 2) {
        return 0xfffe;
    }
    return limit & ~1u;
}

static void packet_open_window(IdeDrive *drive)
{
    bool in = drive->packet.dir == SCSI_FROM_DEVICE;
    uint32_t len = MIN(drive->window_len - drive->window_pos, drive->block);

    packet_reason(drive, in ? REASON_TO_HOST : 0);
    drive->regs.lba_mid = len;
    drive->regs.lba_high = len >> 8;
    if (in) {
        memcpy(drive->buf, drive->window + drive->window_pos, len);
    }
    ide_window(drive, in ? IDE_PHASE_PACKET_IN : IDE_PHASE_PACKET_OUT, 0, len, true);
}

static void packet_window_moved(IdeDrive *drive)
{
    drive->window_pos += drive->end;
    if (drive->window_pos < drive->window_len) {
        packet_open_window(drive);
        return;
    }
    drive->regs.status = IDE_BSY;
    drive->phase = IDE_PHASE_NONE;
    drive->window = NULL;
    scsi_request_continue(&drive->packet);
}

void ide_packet_in_done(IdeDrive *drive)
{
    packet_window_moved(drive);
}

void ide_packet_out_done(IdeDrive *drive)
{
    memcpy(drive->window + drive->window_pos, drive->buf, drive->end);
    packet_window_moved(drive);
}

/* ---- data through the bus master ---- */

void ide_packet_dma(IdeDrive *drive)
{
    IdeBusMaster *bm = drive->channel->bm;
    bool to_device = drive->dma == IDE_DMA_PACKET_OUT;

    if (!drive->window) {
        return;                         /* the unit is at work on the next */
    }
    while (drive->window_pos < drive->window_len) {
        uint32_t want = drive->window_len - drive->window_pos;
        uint8_t *at = drive->window + drive->window_pos;

        ide_bm_collect(bm, want, 2, to_device);
        if (!bm->total) {
            ide_dma_short(drive);
            return;
        }
        for (unsigned i = 0; i < bm->count; i++) {
            if (to_device) {
                memcpy(at, bm->iov[i].iov_base, bm->iov[i].iov_len);
            } else {
                memcpy(bm->iov[i].iov_base, at, bm->iov[i].iov_len);
            }
            at += bm->iov[i].iov_len;
        }
        drive->window_pos += bm->total;
        if (!to_device) {
            ide_bm_written(bm);
        }
    }
    drive->regs.status = IDE_BSY;
    drive->window = NULL;
    scsi_request_continue(&drive->packet);
}

/* ---- the logical unit's side ---- */

static void packet_data(ScsiRequest *req, uint8_t *window, uint32_t len)
{
    IdeDrive *drive = req->opaque;

    drive->window = window;
    drive->window_len = len;
    drive->window_pos = 0;
    if (!(drive->regs.feature & FEATURE_DMA)) {
        packet_open_window(drive);
        return;
    }
    drive->dma = req->dir == SCSI_FROM_DEVICE ? IDE_DMA_PACKET_IN : IDE_DMA_PACKET_OUT;
    ide_dma_ready(drive);
}

static void packet_ended(ScsiRequest *req)
{
    IdeDrive *drive = req->opaque;

    drive->packet_active = false;
    drive->window = NULL;
    if (req->cancelled) {
        return;
    }
    packet_reason(drive, REASON_COMMAND | REASON_TO_HOST);
    if (req->status == SCSI_GOOD) {
        ide_done(drive);
    } else {
        ide_fail(drive, req->sense.key << 4 |
                 (req->sense.key == SENSE_ILLEGAL_REQUEST ? IDE_ABRT : 0));
    }
}

static const ScsiHostOps packet_ops = { .data = packet_data, .done = packet_ended };

/* ---- the command ---- */

void ide_cmd_packet(IdeDrive *drive)
{
    if (drive->regs.feature & FEATURE_DMA && !drive->channel->bm) {
        ide_abort(drive);
        return;
    }
    drive->block = packet_limit(drive);
    packet_reason(drive, REASON_COMMAND);
    ide_window(drive, IDE_PHASE_CDB, 0, IDE_CDB_SIZE, false);   /* word 0 of identification */
}

void ide_packet_received(IdeDrive *drive)
{
    drive->phase = IDE_PHASE_NONE;
    drive->regs.status = IDE_BSY;
    drive->packet_active = true;
    scsi_request_init(&drive->packet, &drive->logical_unit, &packet_ops, drive, 0, drive->buf,
                      IDE_CDB_SIZE);
    scsi_request_start(&drive->packet);
}
