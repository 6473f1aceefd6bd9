/* Packets on an IDE channel: signature, data by PIO and DMA, errors, the medium. */
#include "check_main.h"
#include "disk_board.h"

#define CMD  0x170
#define CTL  0x376
#define BLOCKS 400
#define PRD  0x1000

static void setup(void)
{
    disk_board();
    drive_new("cd", image_patterned(BLOCKS * 4), ",media=cdrom");
    disk_add(&ide_cd_type, ide_bus_at(1), "cd", NULL);
    disk_board_ready();
}

static uint8_t status(void)
{
    return in(CTL, 1);
}

#define CDB(...) ((const uint8_t[12]){ __VA_ARGS__ })

static void packet(const uint8_t *cdb, bool dma, uint16_t limit)
{
    out(CMD + 6, 0xa0, 1);
    out(CMD + 1, dma, 1);
    out(CMD + 4, limit, 1);
    out(CMD + 5, limit >> 8, 1);
    out(CMD + 7, 0xa0, 1);
    ck_assert_uint_eq(status(), 0x58);
    ck_assert_uint_eq(in(CMD + 2, 1) & 7, 1);
    for (int i = 0; i < 12; i += 2) {
        out(CMD, cdb[i] | cdb[i + 1] << 8, 2);
    }
}

/* Takes what the drive sends; returns the bytes. The error register is 0 if the packet was well. */
static uint32_t take(uint8_t *data, uint32_t limit)
{
    uint32_t got = 0;

    for (;;) {
        settle(bare_levels[15]);
        if (!(in(CMD + 7, 1) & 0x08)) {
            ck_assert_uint_eq(in(CMD + 2, 1) & 7, 3);
            return got;
        }
        uint32_t len = in(CMD + 4, 1) | in(CMD + 5, 1) << 8;
        ck_assert_uint_eq(in(CMD + 2, 1) & 7, 2);
        ck_assert(len > 0 && len <= limit);
        for (uint32_t n = 0; n < len; n += 2) {
            uint16_t word = in(CMD, 2);

            memcpy(data + got + n, &word, MIN(2, len - n));
        }
        got += len;
    }
}

START_TEST(signature_and_identification)
{
    uint16_t page[256];

    setup();
    ck_assert_uint_eq(status(), 0);
    ck_assert_uint_eq(in(CMD + 4, 1), 0x14);
    ck_assert_uint_eq(in(CMD + 5, 1), 0xeb);
    out(CMD + 7, 0xec, 1);
    ck_assert_uint_eq(status(), 0x51);
    ck_assert_uint_eq(in(CMD + 5, 1), 0xeb);
    out(CMD + 7, 0xa1, 1);
    for (int i = 0; i < 256; i++) {
        page[i] = in(CMD, 2);
    }
    ck_assert_uint_eq(page[0], 0x85c0);
    ck_assert_uint_eq(page[27], 'Q' << 8 | 'E');
    ck_assert_uint_eq(page[10], 'Q' << 8 | 'M');
    ck_assert_uint_eq(page[13], '3' << 8 | ' ');
    out(CMD + 7, 0x08, 1);                              /* DEVICE RESET */
    ck_assert_uint_eq(status(), 0);
}
END_TEST

static const struct { uint16_t limit; uint32_t largest; unsigned lba, count; } reads[] = {
    { 2048, 2048, 0, 1 }, { 0, 0xfffe, 3, 40 }, { 0xffff, 0xfffe, 3, 40 }, { 777, 776, 8, 2 },
    { 0xf800, 0xf800, 10, 100 },
};

START_TEST(read_row)
{
    static uint8_t data[256 * 1024];

    setup();
    packet(CDB(0x28, 0, 0, 0, 0, reads[_i].lba, 0, 0, reads[_i].count), false, reads[_i].limit);
    ck_assert_uint_eq(take(data, reads[_i].largest), reads[_i].count * 2048);
    ck_assert_uint_eq(in(CMD + 1, 1), 0);
    for (uint32_t n = 0; n < reads[_i].count * 2048; n++) {
        ck_assert_uint_eq(data[n], pattern(reads[_i].lba * 4 + n / 512));
    }
}
END_TEST

START_TEST(read_by_dma)
{
    setup();
    mem_store(&vm.memory, PRD, 0x100000, 4);
    mem_store(&vm.memory, PRD + 4, 0x1000, 4);
    mem_store(&vm.memory, PRD + 8, 0x200000, 4);
    mem_store(&vm.memory, PRD + 12, 0x80000000u | 0xf000, 4);
    out(BM_PORT + 8 + 4, PRD, 4);
    packet(CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 32), true, 0);
    out(BM_PORT + 8, 0x09, 1);
    settle(bare_levels[15]);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x50);
    ck_assert_uint_eq(in(BM_PORT + 8 + 2, 1) & 0x04, 0x04);
    for (uint32_t n = 0; n < 0x10000; n += 3) {
        uint32_t at = n < 0x1000 ? 0x100000 + n : 0x200000 + n - 0x1000;

        ck_assert_uint_eq(mem_load(&vm.memory, at, 1, NULL), pattern(28 + n / 512));
    }
}
END_TEST

static const struct { uint8_t cdb[12], error, key, asc; } failures[] = {
    { { 0x28, 0, 0, 0, 1, 0x90, 0, 0, 1 }, 0x54, 5, 0x21 },
    { { 0xff }, 0x54, 5, 0x20 },
    { { 0x2a }, 0x54, 5, 0x20 },
    { { 0x1a }, 0x54, 5, 0x20 },                        /* not one of ATAPI's */
    { { 0x12, 1, 0xb0, 0, 64 }, 0x54, 5, 0x24 },
};

START_TEST(failure_row)
{
    uint8_t data[64];

    setup();
    packet(failures[_i].cdb, false, 64);
    ck_assert_uint_eq(take(data, 64), 0);
    ck_assert_uint_eq(status(), 0x51);
    ck_assert_uint_eq(in(CMD + 1, 1), failures[_i].error);
    packet(CDB(0x03, 0, 0, 0, 18), false, 64);
    ck_assert_uint_eq(take(data, 64), 18);
    ck_assert_uint_eq(data[2], failures[_i].key);
    ck_assert_uint_eq(data[12], failures[_i].asc);
}
END_TEST

START_TEST(inquiry_is_an_atapi_drives)
{
    uint8_t data[64];

    setup();
    packet(CDB(0x12, 0, 0, 0, 36), false, 0xfffe);
    ck_assert_uint_eq(take(data, 0xfffe), 36);
    ck_assert_uint_eq(data[0], 5);
    ck_assert_uint_eq(data[2], 0);
    ck_assert_uint_eq(data[3], 0x21);
    ck_assert_int_eq(memcmp(data + 8, "QEMU    QEMU DVD-ROM    2.5+", 28), 0);
}
END_TEST

START_TEST(no_medium_in_an_empty_drive)
{
    uint8_t data[64];

    disk_board();
    disk_add(&ide_cd_type, ide_bus_at(1), NULL, NULL);
    disk_board_ready();
    packet(CDB(0x00), false, 0);
    ck_assert_uint_eq(take(data, 64), 0);
    ck_assert_uint_eq(in(CMD + 1, 1), 0x20);
    packet(CDB(0x03, 0, 0, 0, 18), false, 0);
    take(data, 64);
    ck_assert_uint_eq(data[12], 0x3a);
}
END_TEST

START_TEST(reset_while_a_packet_has_data)
{
    setup();
    packet(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 10), false, 2048);
    settle(bare_levels[15]);
    in(CMD, 2);
    out(CTL, 0x04, 1);
    out(CTL, 0x00, 1);
    ck_assert_uint_eq(status(), 0);
    packet(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 10), false, 2048);
    devices_reset(&vm);
    ck_assert_uint_eq(status(), 0);
    packet(CDB(0x00), false, 0);
    settle(bare_levels[15]);
    ck_assert_uint_eq(in(CMD + 1, 1), 0);
}
END_TEST

/* Identification goes on where it was; a packet's data does not, and its host hears of it. */
START_TEST(what_is_saved_of_a_transfer)
{
    static const struct { uint8_t opcode, status; } rows[] = { { 0xa1, 0x58 }, { 0xa0, 0x41 } };

    setup();
    Device *drive = g_ptr_array_index(ide_bus_at(1)->devices, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) saved = g_byte_array_new();
        size_t pos = 0;

        if (rows[i].opcode == 0xa0) {
            packet(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 10), false, 2048);
            settle(bare_levels[15]);
        } else {
            out(CMD + 7, rows[i].opcode, 1);
        }
        state_save(drive->type->state, drive, saved);
        devices_reset(&vm);
        ck_assert(state_load(drive->type->state, drive, drive->type->state->version, saved->data,
                             saved->len, &pos, NULL));
        ck_assert_uint_eq(status(), rows[i].status);
        devices_reset(&vm);
    }
}
END_TEST

CHECK_MAIN("hw/ide_atapi",
           CASE(signature_and_identification),
           CASES(read_row, reads),
           CASE(read_by_dma),
           CASES(failure_row, failures),
           CASE(inquiry_is_an_atapi_drives),
           CASE(no_medium_in_an_empty_drive),
           CASE(reset_while_a_packet_has_data),
           CASE(what_is_saved_of_a_transfer))
