/* The command block, PIO and DMA of an ATA disk, and reset. */
#include "check_main.h"
#include "disk_board.h"

#define CMD  0x1f0
#define CTL  0x3f6
#define SECTORS 2000

static int image;

static void setup(void)
{
    disk_board();
    image = image_patterned(SECTORS);
    drive_new("d0", image, "");
    disk_add(&ide_hd_type, ide_bus_at(0), "d0", "unit=0");
    disk_board_ready();
}

static uint8_t status(void)
{
    return in(CTL, 1);
}

static void wait_idle(void)
{
    settle(!(status() & 0x80));
}

static void command(uint8_t opcode, uint64_t lba, unsigned count, bool ext)
{
    if (ext) {
        out(CMD + 2, count >> 8, 1);
        out(CMD + 3, lba >> 24, 1);
        out(CMD + 4, lba >> 32, 1);
        out(CMD + 5, lba >> 40, 1);
    }
    out(CMD + 2, count, 1);
    out(CMD + 3, lba, 1);
    out(CMD + 4, lba >> 8, 1);
    out(CMD + 5, lba >> 16, 1);
    out(CMD + 6, 0x40 | (ext ? 0 : lba >> 24 & 0xf), 1);
    out(CMD + 7, opcode, 1);
}

static void read_words(uint16_t *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        to[i] = in(CMD, 2);
    }
}

/* ---- identification ---- */

static const struct { unsigned word; uint16_t value; } identity[] = {
    { 0, 0x0040 }, { 1, 2 }, { 3, 16 }, { 6, 63 }, { 47, 0x8010 }, { 49, 0x0f00 }, { 53, 0x0007 },
    { 60, SECTORS }, { 61, 0 }, { 83, 0x7400 }, { 100, SECTORS }, { 101, 0 }, { 169, 1 },
    { 27, 'Q' << 8 | 'E' }, { 10, 'Q' << 8 | 'M' }, { 23, '2' << 8 | '.' },
};

START_TEST(identify_row)
{
    uint16_t page[256];
    uint8_t sum = 0;

    setup();
    command(0xec, 0, 0, false);
    ck_assert_uint_eq(status(), 0x58);
    ck_assert_int_eq(bare_levels[14], 1);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x58);
    ck_assert_int_eq(bare_levels[14], 0);
    read_words(page, 256);
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_uint_eq(page[identity[_i].word], identity[_i].value);
    for (unsigned i = 0; i < 512; i++) {
        sum += ((uint8_t *)page)[i];
    }
    ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(absent_drives_read_as_nothing)
{
    setup();
    out(CMD + 6, 0xb0, 1);
    ck_assert_uint_eq(status(), 0);
    ck_assert_uint_eq(in(CMD + 2, 1), 0);
    out(CMD + 7, 0xec, 1);
    ck_assert_int_eq(bare_levels[14], 0);
    ck_assert_uint_eq(in(0x177, 1), 0);
}
END_TEST

/* ---- PIO ---- */

static const struct { uint8_t opcode; bool ext; unsigned lba, count, block; } reads[] = {
    { 0x20, false, 0, 1, 1 },
    { 0x20, false, 5, 3, 1 },
    { 0x20, false, 100, 0, 1 },             /* 0 means 256 */
    { 0x24, true, 17, 300, 1 },             /* more than the buffer holds */
    { 0xc4, false, 40, 20, 16 },
    { 0x29, true, 1000, 513, 16 },
};

START_TEST(read_row)
{
    unsigned count = reads[_i].count ? reads[_i].count : 256, done = 0;
    uint16_t words[16 * 256];

    setup();
    command(reads[_i].opcode, reads[_i].lba, reads[_i].count, reads[_i].ext);
    while (done < count) {
        unsigned n = MIN(reads[_i].block, count - done);

        n = MIN(n, 256 - done % 256);
        settle(bare_levels[14]);
        ck_assert_uint_eq(in(CMD + 7, 1), 0x58);
        read_words(words, n * 256);
        for (unsigned i = 0; i < n * 256; i++) {
            ck_assert_uint_eq(words[i], pattern(reads[_i].lba + done + i / 256) * 0x101);
        }
        done += n;
    }
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_int_eq(bare_levels[14], 0);
}
END_TEST

static void write_blocks(unsigned count, unsigned block)
{
    for (unsigned done = 0; done < count; ) {
        unsigned n = MIN(MIN(block, count - done), 256 - done % 256);

        ck_assert_uint_eq(status(), 0x58);
        for (unsigned i = 0; i < n * 128; i++) {
            out(CMD, 0xa5000000 | (done + i / 128), 4);
        }
        done += n;
        settle(bare_levels[14]);
        in(CMD + 7, 1);
    }
}

static const struct { uint8_t opcode; bool ext; unsigned lba, count, block; } writes[] = {
    { 0x30, false, 3, 1, 1 },
    { 0x34, true, 8, 257, 1 },
    { 0xc5, false, 600, 33, 16 },
    { 0xce, true, 77, 16, 16 },
};

START_TEST(write_row)
{
    uint32_t sector[128];

    setup();
    command(writes[_i].opcode, writes[_i].lba, writes[_i].count, writes[_i].ext);
    ck_assert_int_eq(bare_levels[14], 0);
    write_blocks(writes[_i].count, writes[_i].block);
    ck_assert_uint_eq(status(), 0x50);
    for (unsigned n = 0; n < writes[_i].count; n++) {
        ck_assert_int_eq(pread(image, sector, 512, (writes[_i].lba + n) * 512), 512);
        ck_assert_uint_eq(sector[0], 0xa5000000 | n);
        ck_assert_uint_eq(sector[127], 0xa5000000 | n);
    }
    ck_assert_int_eq(pread(image, sector, 512, (writes[_i].lba + writes[_i].count) * 512), 512);
    ck_assert_uint_eq(sector[0] & 0xff, pattern(writes[_i].lba + writes[_i].count));
}
END_TEST

START_TEST(sectors_by_chs)
{
    setup();
    out(CMD + 2, 1, 1);
    out(CMD + 3, 5, 1);
    out(CMD + 4, 1, 1);
    out(CMD + 5, 0, 1);
    out(CMD + 6, 0xa2, 1);
    out(CMD + 7, 0x20, 1);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(CMD, 2), pattern((16 + 2) * 63 + 4) * 0x101);
}
END_TEST

static const struct { uint8_t opcode; uint64_t lba; unsigned count; bool ext; uint8_t error; }
failures[] = {
    { 0x20, SECTORS, 1, false, 0x14 },
    { 0x20, SECTORS - 1, 2, false, 0x14 },
    { 0x25, UINT64_C(0xffffffffffff), 1, true, 0x14 },
    { 0x34, SECTORS - 100, 0, true, 0x14 },
    { 0x40, SECTORS, 1, false, 0x14 },
    { 0xf7, 0, 0, false, 0x04 },            /* no such command */
    { 0xa0, 0, 0, false, 0x04 },            /* a packet for a disk */
    { 0xef, 0, 0, false, 0x04 },            /* no such feature */
    { 0xb0, 0, 0, false, 0x04 },            /* SMART without its signature */
    { 0x00, 0, 0, false, 0x04 },
    { 0x06, 0, 1, true, 0x04 },             /* no trim bit */
};

START_TEST(failure_row)
{
    setup();
    command(failures[_i].opcode, failures[_i].lba, failures[_i].count, failures[_i].ext);
    wait_idle();
    ck_assert_uint_eq(status(), 0x51);
    ck_assert_uint_eq(in(CMD + 1, 1), failures[_i].error);
    ck_assert_int_eq(bare_levels[14], 1);
}
END_TEST

static const struct { uint8_t opcode, feature, count, mid, high; } successes[] = {
    { 0x10 }, { 0x40, 0, 1 }, { 0x70 }, { 0x91, 0, 63 }, { 0xc6, 0, 8 }, { 0xe0 }, { 0xe5 },
    { 0xe7 }, { 0xea }, { 0xef, 0x03, 0x45 }, { 0xef, 0x02 }, { 0xef, 0x82 }, { 0xf8 },
    { 0xb0, 0xda, 0, 0x4f, 0xc2 }, { 0xb0, 0xd8, 0, 0x4f, 0xc2 },
};

START_TEST(success_row)
{
    setup();
    out(CMD + 1, successes[_i].feature, 1);
    out(CMD + 2, successes[_i].count, 1);
    out(CMD + 3, 0, 1);
    out(CMD + 4, successes[_i].mid, 1);
    out(CMD + 5, successes[_i].high, 1);
    out(CMD + 6, 0xe0, 1);
    out(CMD + 7, successes[_i].opcode, 1);
    wait_idle();
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_int_eq(bare_levels[14], 1);
}
END_TEST

/* ---- DMA ---- */

#define PRD 0x1000

typedef struct Piece { uint32_t addr, len; } Piece;

static void put_descriptors(const Piece *pieces)
{
    uint32_t at = PRD;

    for (; pieces->len; pieces++, at += 8) {
        mem_store(&vm.memory, at, pieces->addr, 4);
        mem_store(&vm.memory, at + 4, (pieces->len & 0xffff) | (pieces[1].len ? 0 : 0x80000000u),
                  4);
    }
    out(BM_PORT + 4, PRD, 4);
}

static const struct { unsigned lba, count; Piece pieces[6]; } transfers[] = {
    { 9, 1, { { 0x4000, 512 } } },
    { 20, 4, { { 0x5000, 2048 } } },
    { 20, 4, { { 0x5002, 500 }, { 0x9000, 12 }, { 0x20000, 1536 } } },
    { 30, 3, { { 0x5002, 2 }, { 0x9000, 1022 }, { 0x20000, 4 }, { 0x21000, 508 } } },
    { 0, 256, { { 0x100000, 0x10000 }, { 0x200000, 0x10000 } } },
};

/* Where byte n of the transfer lies. */
static uint32_t place(const Piece *pieces, uint32_t n)
{
    while (n >= pieces->len) {
        n -= pieces->len;
        pieces++;
    }
    return pieces->addr + n;
}

START_TEST(dma_read_row)
{
    setup();
    put_descriptors(transfers[_i].pieces);
    command(0x25, transfers[_i].lba, transfers[_i].count, true);
    ck_assert_uint_eq(status(), 0x58);
    out(BM_PORT, 0x09, 1);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(BM_PORT + 2, 1), 0x04);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x50);
    for (uint32_t n = 0; n < transfers[_i].count * 512; n += 2) {
        ck_assert_uint_eq(mem_load(&vm.memory, place(transfers[_i].pieces, n), 1, NULL),
                          pattern(transfers[_i].lba + n / 512));
    }
    out(BM_PORT, 0, 1);
    out(BM_PORT + 2, 0x04, 1);
    ck_assert_uint_eq(in(BM_PORT + 2, 1), 0);
}
END_TEST

START_TEST(dma_write_row)
{
    uint8_t sector[512];

    setup();
    for (uint32_t n = 0; n < transfers[_i].count * 512; n++) {
        mem_store(&vm.memory, place(transfers[_i].pieces, n), (n * 3 + n / 512) & 0xff, 1);
    }
    put_descriptors(transfers[_i].pieces);
    out(BM_PORT, 0x01, 1);                      /* started before the command */
    command(0x35, transfers[_i].lba, transfers[_i].count, true);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x50);
    for (unsigned s = 0; s < transfers[_i].count; s++) {
        ck_assert_int_eq(pread(image, sector, 512, (transfers[_i].lba + s) * 512), 512);
        for (unsigned i = 0; i < 512; i++) {
            uint32_t n = s * 512 + i;
            ck_assert_uint_eq(sector[i], (n * 3 + n / 512) & 0xff);
        }
    }
}
END_TEST

/* SFF-8038i 3.1: the interrupt and active bits tell which of both ran out first. */
static const struct { uint32_t bytes; uint8_t bm_status, status; } uneven[] = {
    { 512, 0x00, 0x58 }, { 1024, 0x04, 0x50 }, { 4096, 0x05, 0x50 }, { 700, 0x00, 0x58 },
};

START_TEST(uneven_descriptors_row)
{
    setup();
    put_descriptors((const Piece[]){ { 0x4000, uneven[_i].bytes }, {} });
    command(0xc8, 10, 2, false);
    out(BM_PORT, 0x09, 1);
    wait_idle();
    settle(in(BM_PORT + 2, 1) == uneven[_i].bm_status);
    ck_assert_uint_eq(status(), uneven[_i].status);
}
END_TEST

/* Descriptors in the open, and data for what is not memory: nothing happens but the transfer. */
START_TEST(dma_to_nowhere_ends)
{
    setup();
    put_descriptors((const Piece[]){ { 0xe0000000, 0x10000 }, {} });
    command(0xc8, 0, 128, false);
    out(BM_PORT, 0x09, 1);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x50);
}
END_TEST

START_TEST(dma_in_shreds)
{
    setup();
    for (unsigned n = 0; n < 8192; n++) {       /* 16 KiB in pieces of 2 bytes */
        mem_store(&vm.memory, 0x10000 + 8 * n, 0x80000 + 4 * n, 4);
        mem_store(&vm.memory, 0x10004 + 8 * n, 2 | (n == 8191 ? 0x80000000u : 0), 4);
    }
    out(BM_PORT + 4, 0x10000, 4);
    command(0xc8, 50, 32, false);
    out(BM_PORT, 0x09, 1);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(BM_PORT + 2, 1), 0x04);
    for (unsigned n = 0; n < 8192; n++) {
        ck_assert_uint_eq(mem_load(&vm.memory, 0x80000 + 4 * n, 2, NULL),
                          pattern(50 + n / 256) * 0x101);
    }
}
END_TEST

START_TEST(trim_makes_zeroes)
{
    uint8_t sector[512];

    setup();
    memset(sector, 0, sizeof(sector));
    for (unsigned i = 0; i < 512; i += 4) {
        mem_store(&vm.memory, 0x4000 + i, 0, 4);
    }
    mem_store(&vm.memory, 0x4000, 64, 4);               /* 16 sectors from 64 on */
    mem_store(&vm.memory, 0x4006, 16, 2);
    put_descriptors((const Piece[]){ { 0x4000, 512 }, {} });
    out(CMD + 1, 1, 1);
    command(0x06, 0, 1, true);
    out(BM_PORT, 0x01, 1);
    settle(bare_levels[14]);
    ck_assert_uint_eq(in(CMD + 7, 1), 0x50);
}
END_TEST

START_TEST(pages_of_trim_are_few)
{
    setup();
    out(CMD + 1, 1, 1);
    command(0x06, 0, 9, true);
    ck_assert_uint_eq(status(), 0x51);
    ck_assert_uint_eq(in(CMD + 1, 1), 0x04);
    out(CMD + 1, 1, 1);
    command(0x06, 0, 8, true);
    ck_assert_uint_eq(status(), 0x58);
}
END_TEST

/* ---- reset ---- */

START_TEST(soft_reset_ends_a_command)
{
    setup();
    command(0x20, 0, 8, false);
    settle(bare_levels[14]);
    out(CTL, 0x04, 1);
    ck_assert_uint_eq(status(), 0xd0);
    ck_assert_int_eq(bare_levels[14], 0);
    out(CTL, 0, 1);
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_uint_eq(in(CMD + 1, 1), 1);
    ck_assert_uint_eq(in(CMD + 2, 1), 1);
    ck_assert_uint_eq(in(CMD + 4, 1) | in(CMD + 5, 1), 0);
    ck_assert_uint_eq(in(CMD, 2), 0);
}
END_TEST

START_TEST(reset_in_the_middle_of_dma)
{
    setup();
    put_descriptors(transfers[4].pieces);
    command(0x25, 0, 256, true);
    out(BM_PORT, 0x09, 1);
    devices_reset(&vm);
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_int_eq(bare_levels[14], 0);
}
END_TEST

START_TEST(stopping_waits_for_the_image)
{
    setup();
    put_descriptors(transfers[4].pieces);
    command(0x25, 0, 256, true);
    out(BM_PORT, 0x09, 1);
    vm_stop(&vm, RUN_STATE_PAUSED);
    ck_assert_uint_eq(status(), 0x50);
    ck_assert_int_eq(bare_levels[14], 1);
}
END_TEST

START_TEST(interrupts_can_be_masked)
{
    setup();
    out(CTL, 0x02, 1);
    command(0xe5, 0, 0, false);
    ck_assert_int_eq(bare_levels[14], 0);
    out(CTL, 0, 1);
    ck_assert_int_eq(bare_levels[14], 1);
}
END_TEST

/* ---- state ---- */

START_TEST(a_transfer_survives_its_saving)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    Device *drive;
    uint16_t words[512];
    size_t pos = 0;

    setup();
    drive = g_ptr_array_index(ide_bus_at(0)->devices, 0);
    command(0x20, 4, 2, false);
    settle(bare_levels[14]);
    read_words(words, 100);
    state_save(drive->type->state, drive, saved);
    devices_reset(&vm);
    ck_assert(state_load(drive->type->state, drive, drive->type->state->version, saved->data,
                         saved->len, &pos, NULL));
    read_words(words, 156);
    ck_assert_uint_eq(words[155], pattern(4) * 0x101);
    settle(in(CTL, 1) == 0x58);
    read_words(words, 256);
    ck_assert_uint_eq(words[0], pattern(5) * 0x101);
    ck_assert_uint_eq(status(), 0x50);
}
END_TEST

CHECK_MAIN("hw/ide",
           CASES(identify_row, identity),
           CASE(absent_drives_read_as_nothing),
           CASES(read_row, reads),
           CASES(write_row, writes),
           CASE(sectors_by_chs),
           CASES(failure_row, failures),
           CASES(success_row, successes),
           CASES(dma_read_row, transfers),
           CASES(dma_write_row, transfers),
           CASES(uneven_descriptors_row, uneven),
           CASE(dma_to_nowhere_ends),
           CASE(dma_in_shreds),
           CASE(trim_makes_zeroes),
           CASE(pages_of_trim_are_few),
           CASE(soft_reset_ends_a_command),
           CASE(reset_in_the_middle_of_dma),
           CASE(stopping_waits_for_the_image),
           CASE(interrupts_can_be_masked),
           CASE(a_transfer_survives_its_saving))
