/*
 * Sectors of an ATA disk: reading, writing and verifying by PIO and DMA, flush, trim.
 * ATA-6 8.27–8.62, 9.5–9.8 (protocols); DATA SET MANAGEMENT from ATA8-ACS 7.10.
 *
 * A PIO read fetches up to IDE_BUF_SECTORS at once and hands them over block by block; a PIO write
 * collects as many before it writes.  DMA goes straight between image and guest memory.
 */
#include <string.h>

#include "ide_core.h"

/* ---- addresses: CHS, 28 and 48 bits ---- */

/* False: a CHS address that does not exist. */
static bool ide_get_lba(const IdeDrive *drive, uint64_t *lba)
{
    const IdeRegs *r = &drive->regs;
    uint32_t low = r->lba_low | r->lba_mid << 8 | (uint32_t)r->lba_high << 16;

    if (drive->lba48) {
        *lba = low | (uint64_t)(r->hob_low | r->hob_mid << 8 | (uint32_t)r->hob_high << 16) << 24;
        return true;
    }
    if (r->select & IDE_LBA) {
        *lba = low | (uint32_t)(r->select & IDE_HEAD) << 24;
        return true;
    }
    uint32_t cyl = r->lba_mid | r->lba_high << 8, head = r->select & IDE_HEAD;
    *lba = ((uint64_t)cyl * drive->heads + head) * drive->secs + r->lba_low - 1;
    return r->lba_low >= 1 && r->lba_low <= drive->secs && head < drive->heads;
}

static void ide_put_lba(IdeDrive *drive, uint64_t lba)
{
    IdeRegs *r = &drive->regs;

    if (!drive->lba48 && !(r->select & IDE_LBA)) {
        uint32_t track = lba / MAX(1, drive->secs), heads = MAX(1, drive->heads);

        r->lba_low = lba % MAX(1, drive->secs) + 1;
        r->lba_mid = track / heads;
        r->lba_high = track / heads >> 8;
        r->select = (r->select & ~IDE_HEAD) | track % heads;
        return;
    }
    r->lba_low = lba;
    r->lba_mid = lba >> 8;
    r->lba_high = lba >> 16;
    if (drive->lba48) {
        r->hob_low = lba >> 24;
        r->hob_mid = lba >> 32;
        r->hob_high = lba >> 40;
    } else {
        r->select = (r->select & ~IDE_HEAD) | (lba >> 24 & IDE_HEAD);
    }
}

static uint32_t ide_get_count(const IdeDrive *drive)
{
    uint32_t count = drive->regs.count, most = 0x100;

    if (drive->lba48) {
        count |= drive->regs.hob_count << 8;
        most = 0x10000;
    }
    return count ? count : most;
}

/* Takes the command's range; false: aborted, for it does not exist. */
static bool ide_take_range(IdeDrive *drive)
{
    uint64_t lba;
    uint32_t count = ide_get_count(drive);

    if (!ide_get_lba(drive, &lba) || lba >= drive->capacity || count > drive->capacity - lba) {
        ide_fail(drive, IDE_IDNF | IDE_ABRT);
        return false;
    }
    drive->lba = lba;
    drive->left = count;
    return true;
}

/* The medium failed somewhere in the request that began at drive->lba. */
static void ide_medium_error(IdeDrive *drive, int ret)
{
    ide_put_lba(drive, drive->lba);
    drive->left = 0;
    ide_fail(drive, ret == -ECANCELED ? IDE_ABRT : IDE_UNC);
}

static void ide_submit_buf(IdeDrive *drive, BlockOp op, uint32_t len,
                           void (*ended)(IdeDrive *drive, int ret))
{
    drive->iov = (struct iovec){ drive->buf, len };
    ide_submit(drive, op, drive->lba * IDE_SECTOR, len, &drive->iov, 1, ended);
}

static void ide_advance(IdeDrive *drive, uint32_t bytes)
{
    drive->lba += bytes / IDE_SECTOR;
    drive->left -= bytes / IDE_SECTOR;
}

/* ---- PIO in ---- */

static void ide_open_in_window(IdeDrive *drive, uint32_t pos)
{
    ide_window(drive, IDE_PHASE_IN, pos, MIN(drive->filled - pos, drive->block * IDE_SECTOR), true);
}

static void ide_pio_read_ended(IdeDrive *drive, int ret)
{
    if (ret < 0) {
        ide_medium_error(drive, ret);
        return;
    }
    ide_advance(drive, drive->filled);
    ide_put_lba(drive, drive->lba - 1);
    ide_open_in_window(drive, 0);
}

static void ide_pio_read(IdeDrive *drive)
{
    drive->filled = MIN(drive->left, IDE_BUF_SECTORS) * IDE_SECTOR;
    ide_submit_buf(drive, BLOCK_READ, drive->filled, ide_pio_read_ended);
}

void ide_disk_in_done(IdeDrive *drive)
{
    if (drive->end < drive->filled) {
        ide_open_in_window(drive, drive->end);
    } else if (drive->left) {
        ide_pio_read(drive);
    } else {
        ide_done_quietly(drive);
    }
}

void ide_cmd_read(IdeDrive *drive)
{
    if (!drive->block) {
        ide_abort(drive);               /* READ MULTIPLE without SET MULTIPLE */
    } else if (ide_take_range(drive)) {
        ide_pio_read(drive);
    }
}

/* ---- PIO out ---- */

/* `filled` is where the next window starts. */
static void ide_open_out_window(IdeDrive *drive, bool irq)
{
    uint32_t sectors = MIN(drive->left - drive->filled / IDE_SECTOR, drive->block);

    sectors = MIN(sectors, IDE_BUF_SECTORS - drive->filled / IDE_SECTOR);
    ide_window(drive, IDE_PHASE_OUT, drive->filled, sectors * IDE_SECTOR, irq);
}

static void ide_pio_write_ended(IdeDrive *drive, int ret)
{
    if (ret < 0) {
        ide_medium_error(drive, ret);
        return;
    }
    ide_advance(drive, drive->filled);
    drive->filled = 0;
    if (drive->left) {
        ide_open_out_window(drive, true);
    } else {
        ide_put_lba(drive, drive->lba - 1);
        ide_done(drive);
    }
}

void ide_disk_out_done(IdeDrive *drive)
{
    drive->filled = drive->end;
    if (drive->filled == IDE_BUF_SIZE || drive->filled / IDE_SECTOR == drive->left) {
        ide_submit_buf(drive, BLOCK_WRITE, drive->filled, ide_pio_write_ended);
    } else {
        ide_open_out_window(drive, true);
    }
}

void ide_cmd_write(IdeDrive *drive)
{
    if (!drive->block) {
        ide_abort(drive);
    } else if (ide_take_range(drive)) {
        ide_open_out_window(drive, false);          /* 9.6: no interrupt before the first block */
    }
}

/* ---- DMA ---- */

static void ide_dma_ended(IdeDrive *drive, int ret)
{
    IdeBusMaster *bm = drive->channel->bm;

    if (ret < 0) {
        ide_medium_error(drive, ret);
        return;
    }
    if (drive->dma == IDE_DMA_READ) {
        ide_bm_written(bm);
    }
    ide_advance(drive, bm->total);
    if (!drive->left) {
        ide_put_lba(drive, drive->lba - 1);
        ide_done(drive);
    } else {
        ide_dma_ready(drive);
    }
}

static void ide_trim_dma(IdeDrive *drive)
{
    IdeBusMaster *bm = drive->channel->bm;
    uint32_t len = ide_bm_collect(bm, IDE_SECTOR - drive->dma_done, 2, true);

    if (!len) {
        ide_dma_short(drive);
        return;
    }
    for (unsigned i = 0; i < bm->count; i++) {
        memcpy(drive->buf + drive->dma_done, bm->iov[i].iov_base, bm->iov[i].iov_len);
        drive->dma_done += bm->iov[i].iov_len;
    }
    if (drive->dma_done < IDE_SECTOR) {
        ide_dma_ready(drive);
        return;
    }
    drive->dma_done = 0;
    ide_trim_done(drive);
}

void ide_disk_dma(IdeDrive *drive)
{
    IdeBusMaster *bm = drive->channel->bm;
    bool write = drive->dma == IDE_DMA_WRITE;

    if (drive->dma == IDE_DMA_TRIM) {
        ide_trim_dma(drive);
        return;
    }
    uint32_t want = MIN(drive->left, 0x8000) * IDE_SECTOR;
    uint32_t len = ide_bm_collect(bm, want, IDE_SECTOR, write);
    if (!len) {
        ide_dma_short(drive);
        return;
    }
    unsigned n = bm->count;
    for (uint32_t over = bm->total - len; over; ) {     /* the table ended inside a sector */
        uint32_t cut = MIN(over, bm->iov[n - 1].iov_len);

        bm->iov[n - 1].iov_len -= cut;
        bm->pieces[n - 1].len -= cut;
        over -= cut;
        n -= bm->iov[n - 1].iov_len == 0;
    }
    bm->count = n;
    bm->total = len;
    ide_submit(drive, write ? BLOCK_WRITE : BLOCK_READ, drive->lba * IDE_SECTOR, len, bm->iov, n,
               ide_dma_ended);
}

static void ide_start_dma(IdeDrive *drive, IdeDma dma)
{
    if (!drive->channel->bm) {
        ide_abort(drive);
    } else if (ide_take_range(drive)) {
        drive->dma = dma;
        ide_dma_ready(drive);
    }
}

void ide_cmd_read_dma(IdeDrive *drive)
{
    ide_start_dma(drive, IDE_DMA_READ);
}

void ide_cmd_write_dma(IdeDrive *drive)
{
    ide_start_dma(drive, IDE_DMA_WRITE);
}

/* ---- without data ---- */

static void ide_nothing_more(IdeDrive *drive, int ret)
{
    if (ret < 0) {
        ide_medium_error(drive, ret);
    } else {
        ide_done(drive);
    }
}

/* There is no medium to look at: a range that exists is well. */
void ide_cmd_verify(IdeDrive *drive)
{
    if (ide_take_range(drive)) {
        drive->left = 0;
        ide_done(drive);
    }
}

void ide_cmd_flush(IdeDrive *drive)
{
    ide_submit(drive, BLOCK_FLUSH, 0, 0, NULL, 0, ide_nothing_more);
}

void ide_cmd_native_max(IdeDrive *drive)
{
    uint64_t last = drive->capacity - 1;

    if (!drive->lba48 && !(drive->regs.select & IDE_LBA)) {
        ide_abort(drive);               /* 8.35: only by LBA */
        return;
    }
    ide_put_lba(drive, drive->lba48 ? last : MIN(last, 0xfffffff));
    ide_done(drive);
}

/* ---- trim ---- */

static void ide_trim_next(IdeDrive *drive);

static void ide_trim_ended(IdeDrive *drive, int ret)
{
    if (ret < 0) {
        drive->left = 0;
        ide_fail(drive, IDE_ABRT);
    } else {
        drive->pos += 8;
        ide_trim_next(drive);
    }
}

/* ACS 7.10.3.1: entries of 48 bits of address and 16 of count; count 0 is nothing. */
static void ide_trim_next(IdeDrive *drive)
{
    for (; drive->pos < IDE_SECTOR; drive->pos += 8) {
        const uint8_t *entry = drive->buf + drive->pos;
        uint64_t lba = pci_get_long(entry) | (uint64_t)pci_get_word(entry + 4) << 32;
        uint32_t count = pci_get_word(entry + 6);

        if (count && (lba >= drive->capacity || count > drive->capacity - lba)) {
            drive->left = 0;
            ide_fail(drive, IDE_IDNF | IDE_ABRT);
            return;
        }
        if (count) {
            ide_submit(drive, BLOCK_DISCARD, lba * IDE_SECTOR, (uint64_t)count * IDE_SECTOR, NULL,
                       0, ide_trim_ended);
            return;
        }
    }
    drive->pos = 0;
    if (--drive->left) {
        ide_dma_ready(drive);
    } else {
        ide_done(drive);
    }
}

/* A page of ranges is in the buffer. */
void ide_trim_done(IdeDrive *drive)
{
    drive->pos = 0;
    ide_trim_next(drive);
}

void ide_cmd_trim(IdeDrive *drive)
{
    uint32_t pages = ide_get_count(drive);

    if (!(drive->regs.feature & 1) || !drive->channel->bm || pages > IDE_TRIM_PAGES) {
        ide_abort(drive);
        return;
    }
    drive->left = pages;
    drive->dma = IDE_DMA_TRIM;
    ide_dma_ready(drive);
}
