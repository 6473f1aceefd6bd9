/*
 * The commands a drive knows, by opcode (ATA-6 table E.1 and chapter 8), and the small ones:
 * identification, features, power, translation.
 */
#include <string.h>

#include "ide_core.h"

/* ---- identification ---- */

static void ide_send_page(IdeDrive *drive)
{
    drive->filled = IDE_SECTOR;
    ide_window(drive, IDE_PHASE_IN, 0, IDE_SECTOR, true);
}

static void cmd_identify(IdeDrive *drive)
{
    if (drive->cd) {
        ide_set_signature(drive);       /* 8.15.5.2: this tells the host to ask the other way */
        ide_abort(drive);
        return;
    }
    ide_identify_disk(drive, drive->buf);
    ide_send_page(drive);
}

static void cmd_identify_packet(IdeDrive *drive)
{
    ide_identify_packet(drive, drive->buf);
    ide_send_page(drive);
}

/* ---- reset and diagnostics ---- */

static void cmd_device_reset(IdeDrive *drive)
{
    ide_cancel(drive);
    ide_set_signature(drive);
    drive->regs.select = IDE_DEV_ONES | (drive->regs.select & IDE_DEV);
    drive->regs.status = 0;                         /* 8.10: no interrupt */
    drive->regs.error = 0x01;
}

/* 8.11: both drives carry it out, drive 0 answers. */
static void cmd_diagnostic(IdeDrive *drive)
{
    IdeChannel *channel = drive->channel;

    for (int unit = 0; unit < 2; unit++) {
        IdeDrive *each = channel->drives[unit];

        if (each) {
            ide_set_signature(each);
            each->regs.select = IDE_DEV_ONES;
            each->regs.status = each->cd ? 0 : IDE_DRDY | IDE_DSC;
            each->regs.error = 0x01;
        }
    }
    channel->unit = 0;
    ide_raise_irq(channel);
}

static void cmd_nop(IdeDrive *drive)
{
    ide_abort(drive);                               /* 8.21: as defined */
}

static void cmd_well(IdeDrive *drive)
{
    ide_done(drive);
}

/* ---- translation ---- */

static void cmd_set_translation(IdeDrive *drive)
{
    uint32_t heads = (drive->regs.select & IDE_HEAD) + 1, secs = drive->regs.count;

    if (!secs) {
        ide_abort(drive);
        return;
    }
    drive->heads = heads;
    drive->secs = secs;
    ide_done(drive);
}

static void cmd_set_multiple(IdeDrive *drive)
{
    uint8_t count = drive->regs.count;

    if (count > IDE_MAX_MULTIPLE || count & (count - 1)) {
        ide_abort(drive);
        return;
    }
    drive->multiple = count;
    ide_done(drive);
}

/* ---- features ---- */

static void feature_well(IdeDrive *drive)
{
    ide_done(drive);
}

static void feature_cache_on(IdeDrive *drive)
{
    block_backend_set_write_cache(drive->conf.blk, true);
    ide_done(drive);
}

/* What was cached is on the medium when the command ends. */
static void feature_cache_off(IdeDrive *drive)
{
    block_backend_set_write_cache(drive->conf.blk, false);
    ide_cmd_flush(drive);
}

/* 8.46.10: bits 7–3 of the count are the kind, 2–0 the mode. */
static void feature_transfer_mode(IdeDrive *drive)
{
    static const uint8_t modes[] = { [0] = 2, [1] = 5, [4] = 3, [8] = 6 };  /* how many of each */
    uint8_t kind = drive->regs.count >> 3, mode = drive->regs.count & 7;

    if (kind >= G_N_ELEMENTS(modes) || mode >= modes[kind]) {
        ide_abort(drive);
        return;
    }
    drive->transfer_mode = drive->regs.count;
    ide_done(drive);
}

static void feature_look_ahead_on(IdeDrive *drive)
{
    drive->read_look_ahead_off = false;
    ide_done(drive);
}

static void feature_look_ahead_off(IdeDrive *drive)
{
    drive->read_look_ahead_off = true;
    ide_done(drive);
}

static const struct { uint8_t code, drives; void (*run)(IdeDrive *drive); } features[] = {
    { 0x02, IDE_HD, feature_cache_on },
    { 0x82, IDE_HD, feature_cache_off },
    { 0x03, IDE_ANY, feature_transfer_mode },
    { 0x05, IDE_HD, feature_well },                 /* power management level */
    { 0x85, IDE_HD, feature_well },
    { 0x55, IDE_HD, feature_look_ahead_off },
    { 0xaa, IDE_HD, feature_look_ahead_on },
    { 0x66, IDE_HD, feature_well },                 /* keep settings over a soft reset */
    { 0xcc, IDE_ANY, feature_well },
    { 0x42, IDE_HD, feature_well },                 /* acoustic management */
    { 0xc2, IDE_HD, feature_well },
};

static void cmd_set_features(IdeDrive *drive)
{
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        if (features[i].code == drive->regs.feature &&
            features[i].drives & (drive->cd ? IDE_CD : IDE_HD)) {
            features[i].run(drive);
            return;
        }
    }
    ide_abort(drive);
}

/* ---- power ---- */

static void cmd_power_mode(IdeDrive *drive)
{
    drive->regs.count = 0xff;                       /* 8.7: active or idle */
    ide_done(drive);
}

/* ---- the table ---- */

const IdeCommand ide_commands[256] = {
    [0x00] = { cmd_nop, IDE_ANY },
    [0x06] = { ide_cmd_trim, IDE_HD },                              /* DATA SET MANAGEMENT */
    [0x08] = { cmd_device_reset, IDE_CD },
    [0x10] = { cmd_well, IDE_HD },                                  /* RECALIBRATE */
    [0x20] = { ide_cmd_read, IDE_HD },                              /* READ SECTOR(S) */
    [0x21] = { ide_cmd_read, IDE_HD },
    [0x24] = { ide_cmd_read, IDE_HD, IDE_RW_EXT },
    [0x25] = { ide_cmd_read_dma, IDE_HD, IDE_RW_EXT },
    [0x27] = { ide_cmd_native_max, IDE_HD, IDE_RW_EXT },
    [0x29] = { ide_cmd_read, IDE_HD, IDE_RW_EXT | IDE_RW_MULTIPLE },
    [0x30] = { ide_cmd_write, IDE_HD },                             /* WRITE SECTOR(S) */
    [0x31] = { ide_cmd_write, IDE_HD },
    [0x34] = { ide_cmd_write, IDE_HD, IDE_RW_EXT },
    [0x35] = { ide_cmd_write_dma, IDE_HD, IDE_RW_EXT },
    [0x39] = { ide_cmd_write, IDE_HD, IDE_RW_EXT | IDE_RW_MULTIPLE },
    [0x3d] = { ide_cmd_write_dma, IDE_HD, IDE_RW_EXT | IDE_RW_FUA },
    [0x40] = { ide_cmd_verify, IDE_HD },
    [0x41] = { ide_cmd_verify, IDE_HD },
    [0x42] = { ide_cmd_verify, IDE_HD, IDE_RW_EXT },
    [0x70] = { cmd_well, IDE_HD },                                  /* SEEK */
    [0x90] = { cmd_diagnostic, IDE_ANY },
    [0x91] = { cmd_set_translation, IDE_HD },                       /* INITIALIZE DEVICE PARAM. */
    [0x94] = { cmd_well, IDE_HD },                                  /* 94–99: E0–E6 of old */
    [0x95] = { cmd_well, IDE_HD },
    [0x96] = { cmd_well, IDE_HD },
    [0x97] = { cmd_well, IDE_HD },
    [0x98] = { cmd_power_mode, IDE_HD },
    [0x99] = { cmd_well, IDE_HD },
    [0xa0] = { ide_cmd_packet, IDE_CD },
    [0xa1] = { cmd_identify_packet, IDE_CD },
    [0xb0] = { ide_cmd_smart, IDE_HD },
    [0xc4] = { ide_cmd_read, IDE_HD, IDE_RW_MULTIPLE },
    [0xc5] = { ide_cmd_write, IDE_HD, IDE_RW_MULTIPLE },
    [0xc6] = { cmd_set_multiple, IDE_HD },
    [0xc8] = { ide_cmd_read_dma, IDE_HD },
    [0xc9] = { ide_cmd_read_dma, IDE_HD },
    [0xca] = { ide_cmd_write_dma, IDE_HD },
    [0xcb] = { ide_cmd_write_dma, IDE_HD },
    [0xce] = { ide_cmd_write, IDE_HD, IDE_RW_EXT | IDE_RW_MULTIPLE | IDE_RW_FUA },
    [0xe0] = { cmd_well, IDE_ANY },                                 /* STANDBY IMMEDIATE */
    [0xe1] = { cmd_well, IDE_ANY },                                 /* IDLE IMMEDIATE */
    [0xe2] = { cmd_well, IDE_HD },                                  /* STANDBY */
    [0xe3] = { cmd_well, IDE_HD },                                  /* IDLE */
    [0xe5] = { cmd_power_mode, IDE_ANY },
    [0xe6] = { cmd_well, IDE_ANY },                                 /* SLEEP */
    [0xe7] = { ide_cmd_flush, IDE_HD },
    [0xea] = { ide_cmd_flush, IDE_HD },                             /* FLUSH CACHE EXT */
    [0xec] = { cmd_identify, IDE_ANY },
    [0xef] = { cmd_set_features, IDE_ANY },
    [0xf8] = { ide_cmd_native_max, IDE_HD },
};
