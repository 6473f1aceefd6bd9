/*
 * The IDE bus master of one channel (SFF-8038i revision 1.0, 290550 chapter 2.6).
 *
 * The descriptor table is read as the transfer goes: each entry is read once, and what it says is
 * used as read.  A transfer takes place in pieces of guest RAM; parts that are not RAM go through
 * a small buffer.
 */
#include <string.h>

#include "ide_core.h"

#define PRD_LAST        0x80000000u         /* SFF-8038i 1.2: end of table */
#define PRD_ADDR_MASK   0xfffffffeu

enum { BM_REG_COMMAND = 0, BM_REG_STATUS = 2 };

/* ---- walking the descriptors ---- */

static Object *bm_owner(const IdeBusMaster *bm)
{
    return &bm->pci->dev.obj;
}

/* Makes piece_left nonzero; false at the end of the table. */
static bool bm_next_descriptor(IdeBusMaster *bm)
{
    uint8_t prd[8];

    if (bm->piece_left) {
        return true;
    }
    if (bm->last) {
        return false;
    }
    dma_read(&bm->pci->dma, bm_owner(bm), bm->next, prd, sizeof(prd));
    bm->next += sizeof(prd);
    uint32_t flags = pci_get_long(prd + 4);
    bm->piece_addr = pci_get_long(prd) & PRD_ADDR_MASK;
    bm->piece_left = flags & 0xfffe ? flags & 0xfffe : 0x10000;
    bm->last = flags & PRD_LAST;
    return true;
}

static void bm_rewind(IdeBusMaster *bm)
{
    bm->next = bm->addr;
    bm->piece_left = 0;
    bm->last = false;
}

static unsigned bm_bounced(const IdeBusMaster *bm)
{
    unsigned used = 0;

    for (unsigned i = 0; i < bm->count; i++) {
        used += bm->pieces[i].bounced ? bm->pieces[i].len : 0;
    }
    return used;
}

/* Takes up to `max` bytes of the current descriptor as one piece. */
static void bm_add_piece(IdeBusMaster *bm, uint32_t max, uint32_t max_bounce, bool to_device)
{
    uint64_t len = MIN(bm->piece_left, max);
    uint8_t *host = dma_map(&bm->pci->dma, bm->piece_addr, &len, !to_device);
    BmPiece *piece = &bm->pieces[bm->count];

    if (!host) {
        len = MIN(MIN(bm->piece_left, max), max_bounce);
        host = bm->bounce + bm_bounced(bm);
        if (to_device) {
            dma_read(&bm->pci->dma, bm_owner(bm), bm->piece_addr, host, len);
        }
        *piece = (BmPiece){ bm->piece_addr, len, true };
    } else {
        *piece = (BmPiece){ bm->piece_addr, len, false };
    }
    bm->iov[bm->count++] = (struct iovec){ host, len };
    bm->piece_addr += len;
    bm->piece_left -= len;
    bm->total += len;
}

/*
 * A transfer ends between units.  A descriptor can be as short as 2 bytes, so a new unit is begun
 * only while unit/2 pieces and a unit of bounce buffer are left, and near the limit one at a time.
 */
uint32_t ide_bm_collect(IdeBusMaster *bm, uint32_t want, uint32_t unit, bool to_device)
{
    bm->count = bm->total = 0;
    while (bm->total < want) {
        uint32_t in_unit = bm->total % unit;
        bool near = bm->count + unit / 2 + 1 > BM_MAX_PIECES;
        bool full = near || bm_bounced(bm) + unit > BM_BOUNCE_SIZE;

        if ((!in_unit && full) || !bm_next_descriptor(bm)) {
            break;
        }
        uint32_t to_boundary = MIN(unit - in_unit, want - bm->total);
        bm_add_piece(bm, full ? to_boundary : want - bm->total, to_boundary, to_device);
    }
    return bm->total - bm->total % unit;
}

void ide_bm_written(IdeBusMaster *bm)
{
    for (unsigned i = 0; i < bm->count; i++) {
        const BmPiece *piece = &bm->pieces[i];

        if (piece->bounced) {
            dma_write(&bm->pci->dma, bm_owner(bm), piece->addr, bm->iov[i].iov_base, piece->len);
        } else {
            dma_written(bm->iov[i].iov_base, piece->len);
        }
    }
    bm->count = 0;
}

/* ---- the drive's side ---- */

static void bm_go(IdeDrive *drive)
{
    if (drive->dma == IDE_DMA_PACKET_IN || drive->dma == IDE_DMA_PACKET_OUT) {
        ide_packet_dma(drive);
    } else {
        ide_disk_dma(drive);
    }
}

void ide_dma_ready(IdeDrive *drive)
{
    IdeBusMaster *bm = drive->channel->bm;

    drive->regs.status = IDE_DRDY | IDE_DSC | IDE_DRQ;
    if (bm && bm->status & BM_ACTIVE && bm->command & BM_START) {
        bm_go(drive);
    }
}

void ide_dma_end(IdeDrive *drive)
{
    IdeBusMaster *bm = drive->channel->bm;

    if (drive->dma == IDE_DMA_NONE) {
        return;
    }
    drive->dma = IDE_DMA_NONE;
    /* 2.1: active stays set where the descriptors had room for more */
    if (bm && bm->last && !bm->piece_left) {
        bm->status &= ~BM_ACTIVE;
    }
}

/* 2.1: neither active nor an interrupt; the drive still wants to move data. */
void ide_dma_short(IdeDrive *drive)
{
    drive->channel->bm->status &= ~BM_ACTIVE;
    drive->regs.status = IDE_DRDY | IDE_DSC | IDE_DRQ;
}

/* ---- registers ---- */

static IdeDrive *bm_waiting_drive(const IdeBusMaster *bm)
{
    for (int unit = 0; unit < 2; unit++) {
        IdeDrive *drive = bm->channel->drives[unit];

        if (drive && drive->dma != IDE_DMA_NONE && !drive->busy) {
            return drive;
        }
    }
    return NULL;
}

static void bm_drain(IdeBusMaster *bm)
{
    for (int unit = 0; unit < 2; unit++) {
        IdeDrive *drive = bm->channel->drives[unit];

        if (drive && drive->dma != IDE_DMA_NONE && drive->busy) {
            block_drain(drive->conf.blk);
        }
    }
}

static void bm_write_command(IdeBusMaster *bm, uint8_t value)
{
    bool was_started = bm->command & BM_START, start = value & BM_START;

    bm->command = value & (BM_START | BM_TO_MEMORY);
    if (was_started && !start) {
        bm->status &= ~BM_ACTIVE;
        bm_drain(bm);                   /* nothing moves after this */
    } else if (start && !was_started) {
        IdeDrive *drive = bm_waiting_drive(bm);

        bm_rewind(bm);
        bm->status |= BM_ACTIVE;
        if (drive) {
            bm_go(drive);
        }
    }
}

static uint64_t bm_read(void *opaque, uint64_t offset, unsigned size)
{
    const IdeBusMaster *bm = opaque;

    switch (offset) {
    case BM_REG_COMMAND:
        return bm->command;
    case BM_REG_STATUS:
        return bm->status;
    }
    return 0xff;
}

static void bm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    IdeBusMaster *bm = opaque;

    switch (offset) {
    case BM_REG_COMMAND:
        bm_write_command(bm, value);
        break;
    case BM_REG_STATUS:
        bm->status = (bm->status & ~BM_DRIVES_DMA & ~(value & (BM_ERROR | BM_INTERRUPT))) |
                     (value & BM_DRIVES_DMA);
        break;
    }
}

static const MemOps bm_ops = { .read = bm_read, .write = bm_write, .min_size = 1, .max_size = 1 };

static uint64_t bm_addr_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((const IdeBusMaster *)opaque)->addr >> (8 * offset);
}

static void bm_addr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    IdeBusMaster *bm = opaque;
    uint32_t mask = (uint32_t)((UINT64_C(1) << (8 * size)) - 1) << (8 * offset);

    bm->addr = ((bm->addr & ~mask) | ((uint32_t)value << (8 * offset) & mask)) & ~3u;
}

static const MemOps bm_addr_ops = {
    .read = bm_addr_read, .write = bm_addr_write, .min_size = 1, .max_size = 4,
};

/* ---- state ---- */

static const StateField ide_bm_fields[] = {
    STATE_UINT8(IdeBusMaster, command),
    STATE_UINT8(IdeBusMaster, status),
    STATE_UINT32(IdeBusMaster, addr),
    STATE_UINT32(IdeBusMaster, next),
    STATE_UINT32(IdeBusMaster, piece_addr),
    STATE_UINT32(IdeBusMaster, piece_left, .range = { 0, 0x10000 }),
    STATE_BOOL(IdeBusMaster, last),
    {}
};
const StateDesc ide_bm_state = { .name = "ide bmdma", .version = 3, .fields = ide_bm_fields };

/* ---- life ---- */

void ide_bm_init(IdeBusMaster *bm, PciDevice *pci, IdeChannel *channel)
{
    bm->pci = pci;
    bm->channel = channel;
    channel->bm = bm;
    mem_region_init_io(&bm->regs_io, &pci->dev.obj, "piix-bmdma", 4, &bm_ops, bm);
    mem_region_init_io(&bm->addr_io, &pci->dev.obj, "bmdma", 4, &bm_addr_ops, bm);
}

void ide_bm_finish(IdeBusMaster *bm)
{
    mem_region_finish(&bm->regs_io);
    mem_region_finish(&bm->addr_io);
}

void ide_bm_reset(IdeBusMaster *bm)
{
    bm->command = bm->status = 0;
    bm->addr = 0;
    bm_rewind(bm);
}
