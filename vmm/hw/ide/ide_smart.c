/*
 * SMART (ATA-6 8.55): health and thresholds of a disk that does not wear, empty logs.
 *
 * Modelled: enable, disable, return status, attribute autosave, read data and thresholds, the log
 * directory, the summary error log and the self-test log.
 * Not modelled: self-tests, writing logs.
 */
#include <string.h>

#include "ide_core.h"

enum {
    SMART_READ_DATA = 0xd0, SMART_READ_THRESHOLDS = 0xd1, SMART_AUTOSAVE = 0xd2,
    SMART_READ_LOG = 0xd5, SMART_ENABLE = 0xd8, SMART_DISABLE = 0xd9, SMART_STATUS = 0xda,
};
/* 8.55: in LBA mid and high with every subcommand; status turns them round for bad news. */
#define SMART_MID  0x4f
#define SMART_HIGH 0xc2

enum { LOG_DIRECTORY = 0x00, LOG_ERRORS = 0x01, LOG_SELF_TESTS = 0x06 };

typedef struct SmartAttribute {
    uint8_t id, value, worst, threshold;
    uint16_t flags;                     /* bit 0: below the threshold means failure soon */
    uint8_t raw;
} SmartAttribute;

static const SmartAttribute smart_attributes[] = {
    { 0x01, 100, 100, 6, 0x0003, 0 },               /* read errors */
    { 0x03, 100, 100, 0, 0x0003, 0 },               /* spin-up time */
    { 0x04, 100, 100, 20, 0x0002, 1 },              /* starts and stops */
    { 0x05, 100, 100, 36, 0x0003, 0 },              /* sectors put elsewhere */
    { 0x09, 100, 100, 0, 0x0003, 1 },               /* hours of power */
    { 0x0c, 100, 100, 0, 0x0003, 1 },               /* power cycles */
    { 0xbe, 69, 69, 50, 0x0003, 31 },               /* air flow temperature, °C */
};

static void smart_send(IdeDrive *drive)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < IDE_SECTOR - 1; i++) {
        sum += drive->buf[i];
    }
    drive->buf[IDE_SECTOR - 1] = -sum;
    drive->filled = IDE_SECTOR;
    ide_window(drive, IDE_PHASE_IN, 0, IDE_SECTOR, true);
}

static void smart_read_data(IdeDrive *drive)
{
    uint8_t *page = memset(drive->buf, 0, IDE_SECTOR);

    page[0] = 0x01;
    for (size_t i = 0; i < G_N_ELEMENTS(smart_attributes); i++) {
        const SmartAttribute *attr = &smart_attributes[i];
        uint8_t *entry = page + 2 + 12 * i;

        entry[0] = attr->id;
        pci_set_word(entry + 1, attr->flags);
        entry[3] = attr->value;
        entry[4] = attr->worst;
        entry[5] = attr->raw;
    }
    page[362] = 0x02;                               /* offline collection never started, auto */
    page[368] = 0x03;                               /* saves attributes */
    page[370] = 0x01;                               /* has an error log */
    smart_send(drive);
}

static void smart_read_thresholds(IdeDrive *drive)
{
    uint8_t *page = memset(drive->buf, 0, IDE_SECTOR);

    page[0] = 0x01;
    for (size_t i = 0; i < G_N_ELEMENTS(smart_attributes); i++) {
        page[2 + 12 * i] = smart_attributes[i].id;
        page[3 + 12 * i] = smart_attributes[i].threshold;
    }
    smart_send(drive);
}

static void smart_read_log(IdeDrive *drive)
{
    uint8_t *page = memset(drive->buf, 0, IDE_SECTOR);

    switch (drive->regs.lba_low) {
    case LOG_DIRECTORY:
        page[0] = 0x01;
        page[2 * LOG_ERRORS] = page[2 * LOG_SELF_TESTS] = 1;        /* a sector each */
        break;
    case LOG_ERRORS:
    case LOG_SELF_TESTS:
        page[0] = 0x01;
        break;
    default:
        ide_abort(drive);
        return;
    }
    smart_send(drive);
}

void ide_cmd_smart(IdeDrive *drive)
{
    uint8_t sub = drive->regs.feature;

    if (drive->regs.lba_mid != SMART_MID || drive->regs.lba_high != SMART_HIGH ||
        (drive->smart_off && sub != SMART_ENABLE)) {
        ide_abort(drive);
        return;
    }
    switch (sub) {
    case SMART_READ_DATA:
        smart_read_data(drive);
        break;
    case SMART_READ_THRESHOLDS:
        smart_read_thresholds(drive);
        break;
    case SMART_READ_LOG:
        smart_read_log(drive);
        break;
    case SMART_ENABLE:
    case SMART_DISABLE:
        drive->smart_off = sub == SMART_DISABLE;
        ide_done(drive);
        break;
    case SMART_AUTOSAVE:
    case SMART_STATUS:                              /* the registers stay: no threshold exceeded */
        ide_done(drive);
        break;
    default:
        ide_abort(drive);
    }
}
