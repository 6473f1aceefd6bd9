/* virtio-blk: requests and what they answer, limits, stops and resets at work. */
#include "check_main.h"
#include "disk_board.h"
#include "virtio_board.h"
#include "virtio_devices.h"

#define SECTORS 64u
#define V1      VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define WCE     VIRTIO_BIT(11)
#define DISCARD VIRTIO_BIT(13)
#define ZEROES  VIRTIO_BIT(14)
#define HEADER  BUFFER(0)
#define DATA    BUFFER(2)
#define STATUS  BUFFER(15)

static int image;

static void setup(const char *drive, const char *props, uint64_t features)
{
    g_autofree char *all = g_strdup_printf("drive=d0%s", props);

    bare_setup();
    image = image_patterned(SECTORS);
    drive_new("d0", image, drive);
    vio_board(&virtio_blk_pci_type, all);
    vio_start(features, 1);
    msi_count = 0;
}

/* Lays out one request: header, `len` bytes at DATA, status; offers it. */
static void request(uint32_t type, uint64_t sector, uint32_t len)
{
    bool to_guest = type == 0 || type == 8;

    wr(HEADER, type, 4);
    wr(HEADER + 8, sector, 8);
    wr(STATUS, 0xee, 1);
    desc(0, 0, HEADER, 16, D_NEXT, len > 0 ? 1 : 2);
    desc(0, 1, DATA, len, D_NEXT | (to_guest ? D_WRITE : 0), 2);
    desc(0, 2, STATUS, 1, D_WRITE, 0);
    offer(0, 0);
}

static uint8_t carried_out(uint32_t type, uint64_t sector, uint32_t len)
{
    uint16_t before = used_index(0);

    request(type, sector, len);
    wr(VIO_NOTIFY, 0, 2);
    wait_used(0, before + 1);
    return rd(STATUS, 1);
}

static uint8_t disk_byte(uint64_t sector)
{
    uint8_t byte;

    g_assert(pread(image, &byte, 1, sector * 512) == 1);
    return byte;
}

/* ---- requests ---- */

static const struct { uint32_t type; uint64_t sector; uint32_t len; uint8_t status; } rows[] = {
    { 0, 0, 512, 0 }, { 0, 7, 4096, 0 }, { 0, SECTORS - 1, 512, 0 }, { 0, 3, 0, 0 },
    { 0, SECTORS, 512, 1 }, { 0, SECTORS - 1, 1024, 1 }, { 0, UINT64_MAX, 512, 1 },
    { 0, UINT64_C(1) << 55, 512, 1 }, { 0, 0, 100, 1 },
    { 1, 5, 512, 0 }, { 1, SECTORS, 512, 1 }, { 1, 0, 513, 1 },
    { 4, 0, 0, 0 }, { 8, 0, 20, 0 }, { 8, 0, 4, 0 },
    { 2, 0, 0, 2 }, { 11, 0, 16, 2 }, { 13, 0, 16, 2 }, { 99, 0, 512, 2 }, { UINT32_MAX, 0, 0, 2 },
};

START_TEST(request_row)
{
    uint32_t len = rows[_i].len;

    setup("", ",serial=number-1", V1);
    mem_write(&vm.memory, DATA, "written.", 8);
    ck_assert_uint_eq(carried_out(rows[_i].type, rows[_i].sector, len), rows[_i].status);
    ck_assert_uint_eq(msi_count, 1);
    ck_assert_uint_eq(vio_status(), 15);
    if (rows[_i].status == 0 && rows[_i].type == 0 && len > 0) {
        ck_assert_uint_eq(rd(DATA, 1), pattern(rows[_i].sector));
        ck_assert_uint_eq(rd(DATA + len - 1, 1), pattern(rows[_i].sector + len / 512 - 1));
        ck_assert_uint_eq(used_len(0, 0), len + 1);
    } else if (rows[_i].status == 0 && rows[_i].type == 1) {
        ck_assert_uint_eq(disk_byte(rows[_i].sector), 'w');
    } else if (rows[_i].type == 8) {
        ck_assert_uint_eq(rd(DATA, 4), 0x626d756e);             /* "numb" */
    }
}
END_TEST

/* Header and status may lie in pieces, and the status behind data in one of them. */
START_TEST(any_layout)
{
    setup("", "", V1);
    wr(HEADER, 0, 4);
    wr(HEADER + 8, 9, 8);
    desc(0, 0, HEADER, 3, D_NEXT, 3);
    desc(0, 3, HEADER + 3, 13, D_NEXT, 1);
    desc(0, 1, DATA, 500, D_NEXT | D_WRITE, 2);
    desc(0, 2, DATA + 500, 13, D_WRITE, 0);
    wr(DATA + 512, 0xee, 1);
    offer(0, 0);
    wr(VIO_NOTIFY, 0, 2);
    wait_used(0, 1);
    ck_assert_uint_eq(rd(DATA + 512, 1), 0);
    ck_assert_uint_eq(rd(DATA + 511, 1), pattern(9));
}
END_TEST

static const struct { uint32_t out, in; } stumps[] = { { 15, 1 }, { 16, 0 }, { 0, 1 }, { 0, 0 } };

START_TEST(stump_row)
{
    setup("", "", V1);
    desc(0, 0, HEADER, stumps[_i].out, D_NEXT, 1);
    desc(0, 1, STATUS, stumps[_i].in, D_WRITE, 0);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(vio_status(), 15 | 64);
    wr(VIO_COMMON + 0x14, 0, 1);
    vio_start(V1, 1);
    ck_assert_uint_eq(carried_out(0, 0, 512), 0);
}
END_TEST

static const struct { uint32_t type, count, flags; uint64_t sector; uint8_t status, first; } ranges[] = {
    { 13, 4, 0, 8, 0, 0 }, { 13, 4, 1, 8, 0, 0 }, { 11, 8, 0, 8, 0, 0 },
    { 13, 4, 2, 8, 2, 57 }, { 11, 4, 1, 8, 2, 57 },
    { 13, 1, 0, SECTORS, 1, 57 }, { 13, UINT32_MAX, 0, 8, 1, 57 }, { 11, 4, 0, UINT64_MAX, 1, 57 },
};

START_TEST(range_row)
{
    setup(",discard=unmap", "", V1 | DISCARD | ZEROES);
    wr(DATA, ranges[_i].sector, 8);
    wr(DATA + 8, ranges[_i].count, 4);
    wr(DATA + 12, ranges[_i].flags, 4);
    ck_assert_uint_eq(carried_out(ranges[_i].type, 0, 16), ranges[_i].status);
    ck_assert_uint_eq(disk_byte(8), ranges[_i].first);
    ck_assert_uint_eq(disk_byte(7), pattern(7));
}
END_TEST

/* ---- configuration ---- */

static const struct { const char *props; uint32_t offset, size; uint64_t value; } fields[] = {
    { "", 0, 8, SECTORS }, { "", 12, 4, 254 }, { ",queue-size=64", 12, 4, 62 },
    { ",seg-max-adjust=off", 12, 4, 126 }, { "", 18, 1, 16 }, { "", 19, 1, 63 },
    { "", 20, 4, 512 }, { ",physical_block_size=4096", 24, 1, 3 },
    { ",logical_block_size=4096", 20, 4, 4096 }, { ",min_io_size=4096", 26, 2, 8 },
    { ",opt_io_size=65536", 28, 4, 128 }, { "", 32, 1, 0 }, { "", 34, 2, 1 },
    { "", 36, 4, 4194303 }, { ",max-discard-sectors=9", 36, 4, 9 }, { "", 40, 4, 1 },
    { "", 44, 4, 1 }, { ",discard_granularity=4096", 44, 4, 8 }, { "", 48, 4, 4194303 },
    { ",discard=off", 36, 4, 0 }, { "", 56, 1, 1 }, { "", 60, 4, 0xffffffff },
};

START_TEST(field_row)
{
    uint64_t value = 0;

    setup("", fields[_i].props, V1);
    for (unsigned i = 0; i < fields[_i].size; i += 4) {
        value |= rd(VIO_DEVICE + fields[_i].offset + i, MIN(fields[_i].size, 4)) << 8 * i;
    }
    ck_assert_uint_eq(value, fields[_i].value);
}
END_TEST

static const struct { const char *drive, *props; uint64_t present, absent; } features[] = {
    { "", "", UINT64_C(0x6e54), VIRTIO_BIT(5) | VIRTIO_BIT(7) | VIRTIO_BIT(12) },
    { ",readonly=on", "", VIRTIO_BIT(5), 0 },
    { "", ",config-wce=off", VIRTIO_BIT(9), WCE }, { "", ",discard=off", ZEROES, DISCARD },
    { "", ",write-zeroes=off", DISCARD, ZEROES },
};

START_TEST(feature_row)
{
    setup(features[_i].drive, features[_i].props, V1);
    uint64_t offered = vio_offered();
    ck_assert_uint_eq(offered & features[_i].present, features[_i].present);
    ck_assert_uint_eq(offered & features[_i].absent, 0);
}
END_TEST

START_TEST(the_write_cache)
{
    BlockBackend *blk;

    setup("", "", V1 | WCE);
    blk = block_backend_find("d0");
    ck_assert(block_backend_write_cache(blk));
    wr(VIO_DEVICE + 32, 0, 1);
    ck_assert(!block_backend_write_cache(blk));
    ck_assert_uint_eq(rd(VIO_DEVICE + 32, 1), 0);
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert(block_backend_write_cache(blk));
    vio_start(V1, 1);                           /* knows neither flush nor the switch */
    ck_assert(!block_backend_write_cache(blk));
}
END_TEST

/* ---- at work ---- */

static void fill_ring(void)
{
    for (unsigned i = 0; i < RING_SIZE; i++) {
        wr(HEADER + 32 * i, 0, 4);
        wr(HEADER + 32 * i + 8, i, 8);
        desc_at(0x300000, 3 * i, HEADER + 32 * i, 16, D_NEXT, 1);
        desc_at(0x300000, 3 * i + 1, DATA + 512 * i, 512, D_NEXT | D_WRITE, 2);
        desc_at(0x300000, 3 * i + 2, STATUS + i, 1, D_WRITE, 0);
        desc(0, i, 0x300000 + 48 * i, 48, D_INDIRECT, 0);
        offer(0, i);
    }
}

START_TEST(a_batch)
{
    setup("", "", V1 | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC));
    fill_ring();
    wr(VIO_NOTIFY, 0, 2);
    wait_used(0, RING_SIZE);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert_uint_le(msi_count, RING_SIZE);
    ck_assert_uint_ge(msi_count, 1);
    for (unsigned i = 0; i < RING_SIZE; i++) {
        ck_assert_uint_eq(rd(DATA + 512 * i, 1), pattern(i));
        ck_assert_uint_eq(rd(STATUS + i, 1), 0);
    }
}
END_TEST

/* Whatever ends a driver's work waits for the requests it has begun. */
static void end_by_status(void) { wr(VIO_COMMON + 0x14, 0, 1); }
static void end_by_reset(void) { devices_reset(&vm); }
static void end_by_stop(void) { vm_stop(&vm, RUN_STATE_PAUSED); }
static void end_by_unplug(void) { device_free(vio); }
static void (*const ends[])(void) = { end_by_status, end_by_reset, end_by_stop, end_by_unplug };

START_TEST(end_row)
{
    setup("", "", V1 | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC));
    fill_ring();
    wr(VIO_NOTIFY, 0, 2);
    g_main_context_iteration(NULL, FALSE);
    ends[_i]();
    ck_assert_uint_eq(used_index(0) == 0 || used_index(0) == RING_SIZE, 1);
}
END_TEST

/* ---- what is refused ---- */

static const struct { const char *prop, *value, *error; } bad[] = {
    { "num-queues", "2", "num-queues=2: one queue is modelled" },
    { "queue-size", "100", "invalid queue-size property (100), must be a power of 2 (max 1024)" },
    { "queue-size", "2", "invalid queue-size property (2), must be a power of 2 (max 1024)" },
    { "scsi", "on", "scsi=on: SCSI commands are not passed through; leave scsi=off" },
    { "max-discard-sectors", "0",
      "invalid max-discard-sectors property (0), must be between 1 and 4194303" },
};

START_TEST(bad_row)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    drive_new("d0", image_new(4096), "");
    dev = device_new(&vm, &virtio_blk_pci_type, NULL);
    ck_assert(device_set(dev, "drive", "d0", NULL));
    ck_assert(device_set(dev, bad[_i].prop, bad[_i].value, NULL));
    ck_assert(!device_realize(dev, (Bus *)bare_bus, &error));
    ck_assert_str_eq(error->message, bad[_i].error);
}
END_TEST

CHECK_MAIN("virtio_blk", CASES(request_row, rows), CASE(any_layout), CASES(stump_row, stumps),
           CASES(range_row, ranges), CASES(field_row, fields), CASES(feature_row, features),
           CASE(the_write_cache), CASE(a_batch), CASES(end_row, ends), CASES(bad_row, bad))
