/*
 * One IDE channel: command block and control block registers (ATA-6 chapter 7), the data port,
 * reset, the interrupt line, and the dispatch of commands.
 *
 * Modelled: two drives, each with its own copy of the registers that the host writes to both;
 * 8, 16 and 32-bit access to the data port.
 * Not modelled: overlap and queueing, the busy time of commands that touch no medium.
 */
#include <string.h>

#include "ide_core.h"
#include "rhea_error.h"

enum {
    ATA_DATA, ATA_FEATURE, ATA_COUNT, ATA_LBA_LOW, ATA_LBA_MID, ATA_LBA_HIGH, ATA_DEVICE,
    ATA_COMMAND
};
#define ATA_CMD_DEVICE_RESET 0x08

static IdeDrive *ide_selected(const IdeChannel *channel)
{
    return channel->drives[channel->unit];
}

/* ---- interrupt ---- */

void ide_update_irq(IdeChannel *channel)
{
    irq_set(&channel->irq, channel->irq_pending && !(channel->control & IDE_NIEN));
}

void ide_raise_irq(IdeChannel *channel)
{
    if (channel->bm) {
        channel->bm->status |= BM_INTERRUPT;
    }
    channel->irq_pending = true;
    ide_update_irq(channel);
}

static void ide_lower_irq(IdeChannel *channel)
{
    channel->irq_pending = false;
    ide_update_irq(channel);
}

/* ---- ends of a command ---- */

void ide_done_quietly(IdeDrive *drive)
{
    drive->phase = IDE_PHASE_NONE;
    drive->pos = drive->end = 0;
    drive->regs.status = IDE_DRDY | IDE_DSC;
    drive->regs.error = 0;
    ide_dma_end(drive);
}

void ide_done(IdeDrive *drive)
{
    ide_done_quietly(drive);
    ide_raise_irq(drive->channel);
}

void ide_fail(IdeDrive *drive, uint8_t error)
{
    ide_done_quietly(drive);
    drive->regs.status |= IDE_ERR;
    drive->regs.error = error;
    ide_raise_irq(drive->channel);
}

void ide_abort(IdeDrive *drive)
{
    ide_fail(drive, IDE_ABRT);
}

void ide_window(IdeDrive *drive, IdePhase phase, uint32_t pos, uint32_t len, bool irq)
{
    g_assert(len > 0 && pos + len <= IDE_BUF_SIZE);
    drive->phase = phase;
    drive->pos = pos;
    drive->end = pos + len;
    drive->regs.status = IDE_DRDY | IDE_DSC | IDE_DRQ;
    if (irq) {
        ide_raise_irq(drive->channel);
    }
}

/* ---- requests to the image ---- */

static void ide_req_done(BlockReq *req, int ret)
{
    IdeDrive *drive = req->opaque;

    drive->busy = false;
    drive->ended(drive, ret);
}

void ide_submit(IdeDrive *drive, BlockOp op, uint64_t offset, uint64_t len,
                const struct iovec *iov, unsigned niov, void (*ended)(IdeDrive *drive, int ret))
{
    g_assert(!drive->busy);
    drive->busy = true;
    drive->ended = ended;
    drive->req = (BlockReq){
        .op = op, .offset = offset, .len = len, .iov = iov, .niov = niov,
        .flags = drive->fua && op == BLOCK_WRITE ? BLOCK_REQ_FUA : 0,
        .done = ide_req_done, .opaque = drive,
    };
    drive->phase = IDE_PHASE_NONE;
    drive->regs.status |= IDE_BSY;
    block_submit(drive->conf.blk, &drive->req);
}

static void ide_forget(IdeDrive *drive, int ret)
{
}

void ide_cancel(IdeDrive *drive)
{
    if (drive->busy) {
        drive->ended = ide_forget;
        block_drop_parked(drive->conf.blk);
        block_drain(drive->conf.blk);
    }
    if (drive->packet_active) {
        scsi_unit_purge(&drive->logical_unit);
    }
    drive->phase = IDE_PHASE_NONE;
    drive->pos = drive->end = drive->left = drive->filled = 0;
    drive->dma = IDE_DMA_NONE;
}

/* ---- reset ---- */

/* ATA-6 9.12: what tells an ATA drive from a packet one. */
void ide_set_signature(IdeDrive *drive)
{
    drive->regs.select &= ~IDE_HEAD;
    drive->regs.count = drive->regs.lba_low = 1;
    drive->regs.lba_mid = drive->cd ? 0x14 : 0;
    drive->regs.lba_high = drive->cd ? 0xeb : 0;
}

static void ide_soft_reset(IdeDrive *drive)
{
    ide_cancel(drive);
    drive->multiple = drive->cd ? 0 : IDE_MAX_MULTIPLE;
    drive->heads = drive->conf.heads;
    drive->secs = drive->conf.secs;
    drive->regs.select = IDE_DEV_ONES | (drive->regs.select & IDE_DEV);
    drive->regs.status = drive->cd ? 0 : IDE_DRDY | IDE_DSC;
    drive->regs.error = 0x01;                       /* diagnostics passed */
    ide_set_signature(drive);
}

void ide_drive_reset(IdeDrive *drive)
{
    memset(&drive->regs, 0, sizeof(drive->regs));
    drive->smart_off = drive->read_look_ahead_off = drive->lba48 = false;
    drive->transfer_mode = 0;
    ide_soft_reset(drive);
}

void ide_channel_reset(IdeChannel *channel)
{
    channel->unit = 0;
    channel->control = 0;
    for (int unit = 0; unit < 2; unit++) {
        if (channel->drives[unit]) {
            ide_drive_reset(channel->drives[unit]);
        }
    }
    ide_lower_irq(channel);
}

/* 9.3: both drives reset while SRST is set, and are ready after it. */
static void ide_write_control(IdeChannel *channel, uint8_t value)
{
    bool was_reset = channel->control & IDE_SRST, reset = value & IDE_SRST;

    channel->control = value;
    for (int unit = 0; unit < 2; unit++) {
        IdeDrive *drive = channel->drives[unit];

        if (drive && was_reset != reset) {
            ide_soft_reset(drive);
            drive->regs.select &= ~IDE_DEV;
            drive->regs.status |= reset ? IDE_BSY : 0;
        }
    }
    if (was_reset != reset) {
        channel->unit = 0;
        channel->irq_pending = false;
    }
    ide_update_irq(channel);
}

/* ---- commands ---- */

static void ide_execute(IdeChannel *channel, uint8_t opcode)
{
    IdeDrive *drive = ide_selected(channel);
    const IdeCommand *command = &ide_commands[opcode];

    if (!drive || channel->control & IDE_SRST) {
        return;
    }
    if (drive->regs.status & (IDE_BSY | IDE_DRQ) &&
        !(opcode == ATA_CMD_DEVICE_RESET && drive->cd)) {
        return;
    }
    ide_lower_irq(channel);
    drive->regs.status = IDE_DRDY | IDE_DSC;
    drive->regs.error = 0;
    drive->filled = drive->left = 0;
    drive->dma_done = 0;
    drive->lba48 = command->variant & IDE_RW_EXT;
    drive->fua = command->variant & IDE_RW_FUA;
    if (!command->run || !(command->drives & (drive->cd ? IDE_CD : IDE_HD))) {
        ide_abort(drive);
        return;
    }
    drive->block = command->variant & IDE_RW_MULTIPLE ? drive->multiple : 1;
    command->run(drive);
}

/* ---- registers ---- */

static void ide_write_pair(uint8_t *now, uint8_t *before, uint8_t value)
{
    *before = *now;
    *now = value;
}

static void ide_write_reg(IdeRegs *regs, unsigned reg, uint8_t value)
{
    switch (reg) {
    case ATA_FEATURE:
        ide_write_pair(&regs->feature, &regs->hob_feature, value);
        break;
    case ATA_COUNT:
        ide_write_pair(&regs->count, &regs->hob_count, value);
        break;
    case ATA_LBA_LOW:
        ide_write_pair(&regs->lba_low, &regs->hob_low, value);
        break;
    case ATA_LBA_MID:
        ide_write_pair(&regs->lba_mid, &regs->hob_mid, value);
        break;
    case ATA_LBA_HIGH:
        ide_write_pair(&regs->lba_high, &regs->hob_high, value);
        break;
    case ATA_DEVICE:
        regs->select = value | IDE_DEV_ONES;
        break;
    }
}

static void ide_write_byte(IdeChannel *channel, unsigned reg, uint8_t value)
{
    const IdeDrive *selected = ide_selected(channel);

    if (reg == ATA_COMMAND) {
        ide_execute(channel, value);
        return;
    }
    if (selected && selected->regs.status & (IDE_BSY | IDE_DRQ)) {
        return;
    }
    channel->control &= ~IDE_HOB;                   /* 6.20: any command block write ends it */
    for (int unit = 0; unit < 2; unit++) {
        if (channel->drives[unit]) {
            ide_write_reg(&channel->drives[unit]->regs, reg, value);
        }
    }
    if (reg == ATA_DEVICE) {
        channel->unit = value & IDE_DEV ? 1 : 0;
    }
}

static uint8_t ide_status(const IdeChannel *channel)
{
    const IdeDrive *drive = ide_selected(channel);

    return drive ? drive->regs.status : 0;
}

/* An absent drive reads as 0: drive 0 answers for drive 1, and nothing pulls an empty cable up. */
static uint8_t ide_read_byte(IdeChannel *channel, unsigned reg)
{
    const IdeDrive *drive = ide_selected(channel);
    bool hob = channel->control & IDE_HOB;

    if (!drive) {
        return 0;
    }
    const IdeRegs *regs = &drive->regs;
    switch (reg) {
    case ATA_FEATURE:
        return hob ? regs->hob_feature : regs->error;
    case ATA_COUNT:
        return hob ? regs->hob_count : regs->count;
    case ATA_LBA_LOW:
        return hob ? regs->hob_low : regs->lba_low;
    case ATA_LBA_MID:
        return hob ? regs->hob_mid : regs->lba_mid;
    case ATA_LBA_HIGH:
        return hob ? regs->hob_high : regs->lba_high;
    case ATA_DEVICE:
        return regs->select;
    default:
        ide_lower_irq(channel);
        return regs->status;
    }
}

/* ---- the data port ---- */

static void (*const phase_done[IDE_PHASES])(IdeDrive *drive) = {
    [IDE_PHASE_IN] = ide_disk_in_done,
    [IDE_PHASE_OUT] = ide_disk_out_done,
    [IDE_PHASE_CDB] = ide_packet_received,
    [IDE_PHASE_PACKET_IN] = ide_packet_in_done,
    [IDE_PHASE_PACKET_OUT] = ide_packet_out_done,
};

static bool ide_phase_is_in(IdePhase phase)
{
    return phase == IDE_PHASE_IN || phase == IDE_PHASE_PACKET_IN;
}

static void ide_data_moved(IdeDrive *drive, unsigned size)
{
    drive->pos = MIN(drive->pos + size, drive->end);
    if (drive->pos == drive->end) {
        drive->regs.status &= ~IDE_DRQ;
        phase_done[drive->phase](drive);
    }
}

static uint32_t ide_read_data(IdeChannel *channel, unsigned size)
{
    IdeDrive *drive = ide_selected(channel);
    uint32_t value = 0;

    if (!drive || !(drive->regs.status & IDE_DRQ) || !ide_phase_is_in(drive->phase)) {
        return 0;
    }
    memcpy(&value, drive->buf + drive->pos, MIN(size, drive->end - drive->pos));
    ide_data_moved(drive, size);
    return value;
}

static void ide_write_data(IdeChannel *channel, uint32_t value, unsigned size)
{
    IdeDrive *drive = ide_selected(channel);

    if (!drive || !(drive->regs.status & IDE_DRQ) || drive->phase == IDE_PHASE_NONE ||
        ide_phase_is_in(drive->phase)) {
        return;
    }
    memcpy(drive->buf + drive->pos, &value, MIN(size, drive->end - drive->pos));
    ide_data_moved(drive, size);
}

static uint64_t ide_io_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    if (offset == ATA_DATA) {
        return ide_read_data(opaque, size);
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)ide_read_byte(opaque, offset + i) << (8 * i);
    }
    return value;
}

static void ide_io_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset == ATA_DATA) {
        ide_write_data(opaque, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        ide_write_byte(opaque, offset + i, value >> (8 * i));
    }
}

static const MemOps ide_io_ops = {
    .read = ide_io_read, .write = ide_io_write, .min_size = 1, .max_size = 4,
};

static uint64_t ide_control_read(void *opaque, uint64_t offset, unsigned size)
{
    return ide_status(opaque);
}

static void ide_control_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ide_write_control(opaque, value);
}

static const MemOps ide_control_ops = {
    .read = ide_control_read, .write = ide_control_write, .min_size = 1, .max_size = 1,
};

/* ---- the bus ---- */

static bool ide_plug(Bus *bus, Device *dev, GError **error)
{
    IdeChannel *channel = (IdeChannel *)bus;
    IdeDrive *drive = DEVICE_CAST(dev, IdeDrive);

    if (drive->unit == UINT32_MAX) {
        drive->unit = channel->drives[0] ? 1 : 0;
    }
    if (drive->unit > 1) {
        set_error(error, "Can't create IDE unit %u, bus supports only 2 units", drive->unit);
        return false;
    }
    if (channel->drives[drive->unit]) {
        set_error(error, "IDE unit %u is in use", drive->unit);
        return false;
    }
    return true;
}

static char *ide_firmware_path(const Device *dev)
{
    return g_strdup_printf("drive@%x", ((const IdeChannel *)dev->bus)->number);
}

const BusType ide_bus_type = {
    .name = "IDE", .size = sizeof(IdeChannel), .plug = ide_plug, .max_devices = 2,
    .firmware_path = ide_firmware_path,
};

IdeChannel *ide_channel_new(Device *parent, const char *name, unsigned number, IrqLine irq)
{
    IdeChannel *channel = (IdeChannel *)bus_new(parent, &ide_bus_type, name);

    channel->number = number;
    channel->irq = irq;
    return channel;
}

void ide_channel_init_io(IdeChannel *channel, Object *owner, MemRegion *command,
                         MemRegion *control)
{
    mem_region_init_io(command, owner, "ide", 8, &ide_io_ops, channel);
    mem_region_init_io(control, owner, "ide", 1, &ide_control_ops, channel);
}
