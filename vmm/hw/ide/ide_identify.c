/*
 * IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA-6 8.15.8 and 8.16.8; words 105, 106, 169 and
 * 217 from ATA8-ACS).  The word numbers are the standard's.
 */
#include <string.h>

#include "ide_core.h"

typedef struct IdWord { uint16_t word, value; } IdWord;

static void id_put(uint8_t *page, unsigned word, uint16_t value)
{
    pci_set_word(page + 2 * word, value);
}

static void id_put_words(uint8_t *page, const IdWord *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        id_put(page, rows[i].word, rows[i].value);
    }
}

static void id_put_long(uint8_t *page, unsigned word, uint32_t value)
{
    pci_set_long(page + 2 * word, value);
}

/* ASCII, two characters a word, the first in the high byte; padded with spaces. */
static void id_put_string(uint8_t *page, unsigned word, unsigned chars, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    for (unsigned i = 0; i < chars; i++) {
        page[2 * word + (i ^ 1)] = i < len ? text[i] : ' ';
    }
}

/* 8.15.57: the sum of all 512 bytes is 0. */
static void id_put_checksum(uint8_t *page)
{
    uint8_t sum = 0;

    page[510] = 0xa5;
    for (unsigned i = 0; i < 511; i++) {
        sum += page[i];
    }
    page[511] = -sum;
}

/* Supported modes in the low byte, the selected one in the high. */
static uint16_t id_modes(const IdeDrive *drive, uint8_t kind, uint8_t supported)
{
    uint8_t mode = drive->transfer_mode;

    return supported | (mode >> 3 == kind ? 0x100 << (mode & 7) : 0);
}

static void id_put_common(const IdeDrive *drive, uint8_t *page, const char *model)
{
    memset(page, 0, IDE_SECTOR);
    id_put_string(page, 10, 20, drive->serial);
    id_put_string(page, 23, 8, drive->version);
    id_put_string(page, 27, 40, drive->model ? drive->model : model);
    id_put(page, 62, 0);
    id_put(page, 63, id_modes(drive, 4, 0x07));     /* multiword DMA 0–2 */
    id_put(page, 64, 0x0003);                       /* PIO 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        id_put(page, word, 120);                    /* shortest cycles, ns */
    }
    id_put(page, 80, 0x00f0);                       /* ATA/ATAPI-4 to -7 */
    id_put(page, 88, id_modes(drive, 8, 0x3f));     /* Ultra DMA 0–5 */
    id_put(page, 93, 0x6000 | (drive->unit ? 0x0b00 : 0x000b));    /* 80 wires, jumpers */
}

static void id_put_wwn(const IdeDrive *drive, uint8_t *page)
{
    for (unsigned i = 0; i < 4 && drive->wwn; i++) {
        id_put(page, 108 + i, drive->wwn >> (48 - 16 * i));
    }
}

/* ---- disks ---- */

static const IdWord disk_words[] = {
    { 0, 0x0040 },                                  /* fixed, not removable */
    { 47, 0x8000 | IDE_MAX_MULTIPLE },
    { 48, 0x0001 },
    { 49, 0x0f00 },                                 /* LBA, DMA, IORDY */
    { 50, 0x4000 },
    { 51, 0x0200 }, { 52, 0x0200 },
    { 53, 0x0007 },                                 /* words 54–58, 64–70 and 88 are valid */
    { 82, 0x4061 },                                 /* NOP, look-ahead, write cache, SMART */
    { 83, 0x7400 },                                 /* LBA48, both flushes */
    { 84, 0x4020 },                                 /* SMART self-test log */
    { 86, 0x3400 },
    { 87, 0x4020 },
    { 105, IDE_TRIM_PAGES },
    { 169, 0x0001 },                                /* trim */
};

static void id_put_geometry(const IdeDrive *drive, uint8_t *page)
{
    uint32_t cyls = drive->conf.cyls, heads = drive->heads, secs = drive->secs;
    uint64_t lba28 = MIN(drive->capacity, 0xfffffff);

    if (heads != drive->conf.heads || secs != drive->conf.secs) {
        cyls = MIN(drive->capacity / (heads * secs), 65535);
    }
    id_put(page, 1, drive->conf.cyls);
    id_put(page, 3, drive->conf.heads);
    id_put(page, 6, drive->conf.secs);
    id_put(page, 54, cyls);
    id_put(page, 55, heads);
    id_put(page, 56, secs);
    id_put_long(page, 57, MIN((uint64_t)cyls * heads * secs, lba28));
    id_put_long(page, 60, lba28);
    id_put_long(page, 100, drive->capacity);
    id_put_long(page, 102, drive->capacity >> 32);
}

/* ACS 7.16.7.50: log2 of logical sectors to a physical one. */
static uint16_t id_sector_sizes(const IdeDrive *drive)
{
    uint32_t per_physical = drive->conf.physical_block_size / IDE_SECTOR;
    unsigned exponent = 0;

    while (per_physical > 1 && exponent < 15) {
        per_physical /= 2;
        exponent++;
    }
    return exponent ? 0x6000 | exponent : 0x4000;
}

void ide_identify_disk(const IdeDrive *drive, uint8_t *page)
{
    bool cache = block_backend_write_cache(drive->conf.blk);

    id_put_common(drive, page, "QEMU HARDDISK");
    id_put_words(page, disk_words, G_N_ELEMENTS(disk_words));
    id_put_geometry(drive, page);
    id_put(page, 59, drive->multiple ? 0x0100 | drive->multiple : 0);
    id_put(page, 85, 0x4000 | (cache ? 0x20 : 0) | (drive->smart_off ? 0 : 1) |
           (drive->read_look_ahead_off ? 0 : 0x40));
    if (drive->wwn) {
        id_put(page, 84, 0x4120);
        id_put(page, 87, 0x4120);
        id_put_wwn(drive, page);
    }
    id_put(page, 106, id_sector_sizes(drive));
    id_put(page, 217, drive->rotation_rate);
    id_put_checksum(page);
}

/* ---- CD drives ---- */

static const IdWord packet_words[] = {
    { 0, 0x85c0 },                                  /* CD-ROM, removable, 12-byte packets, 50 µs */
    { 49, 0x0f00 },
    { 53, 0x0006 },
    { 82, 0x4210 },                                 /* NOP, DEVICE RESET, packets */
    { 83, 0x4000 }, { 84, 0x4000 },
    { 85, 0x4210 }, { 86, 0x0000 }, { 87, 0x4000 },
};

void ide_identify_packet(const IdeDrive *drive, uint8_t *page)
{
    id_put_common(drive, page, "QEMU DVD-ROM");
    id_put_words(page, packet_words, G_N_ELEMENTS(packet_words));
    if (drive->wwn) {
        id_put(page, 84, 0x4100);
        id_put(page, 87, 0x4100);
        id_put_wwn(drive, page);
    }
    id_put_checksum(page);
}
