/* Logical units: commands of disks and CD drives, carried whole and in windows. */
#include "check_main.h"
#include "disk_board.h"

#define DISK_SECTORS 4096
#define CD_BLOCKS    500

static int disk_image;
static ScsiBus *bus;
static ScsiDevice *disk, *cd;

static void setup(void)
{
    static const DeviceType host_type = { .name = "host", .bus = &system_bus_type,
                                          .size = sizeof(Device), .board_only = true };
    Device *host;

    disk_board();
    host = device_new(&vm, &host_type, "s");
    g_assert(device_realize(host, NULL, NULL));
    bus = scsi_bus_new(host, NULL, NULL, NULL, 0, 7, 255);
    disk_image = image_patterned(DISK_SECTORS);
    drive_new("hd", disk_image, ",discard=unmap");
    drive_new("cd", image_patterned(CD_BLOCKS * 4), ",media=cdrom");
    disk = (ScsiDevice *)disk_add(&scsi_hd_type, (Bus *)bus, "hd",
                                  "scsi-id=2,lun=0,serial=abc,wwn=0x5000c50012345678");
    cd = (ScsiDevice *)disk_add(&scsi_cd_type, (Bus *)bus, "cd", NULL);
    disk->unit.attention = cd->unit.attention = (ScsiSense){ 0 };
}

/* ---- a host ---- */

typedef struct Host {
    ScsiRequest req;
    bool done, by_windows;
    uint8_t data[256 * 1024];
    uint32_t at, biggest;
    struct iovec iov;
} Host;

static Host host;

static void host_data(ScsiRequest *req, uint8_t *window, uint32_t len)
{
    ck_assert_uint_le(host.at + len, sizeof(host.data));
    host.biggest = MAX(host.biggest, len);
    if (req->dir == SCSI_FROM_DEVICE) {
        memcpy(host.data + host.at, window, len);
    } else {
        memcpy(window, host.data + host.at, len);
    }
    host.at += len;
    scsi_request_continue(req);
}

static void host_done(ScsiRequest *req)
{
    ck_assert(!host.done);
    host.done = true;
}

static const ScsiHostOps host_ops = { .data = host_data, .done = host_done };

static void begin(ScsiDevice *dev, const uint8_t *cdb, uint32_t lun)
{
    host.done = false;
    host.at = host.biggest = 0;
    scsi_request_init(&host.req, &dev->unit, &host_ops, NULL, lun, cdb, 16);
    ck_assert_uint_le(host.req.len, sizeof(host.data));
    if (!host.by_windows) {
        host.iov = (struct iovec){ host.data, sizeof(host.data) };
        host.req.iov = &host.iov;
        host.req.niov = 1;
    }
    scsi_request_start(&host.req);
}

/* Runs a command to its end and returns its status. */
static uint8_t run(ScsiDevice *dev, const uint8_t *cdb)
{
    begin(dev, cdb, dev->lun);
    settle(host.done);
    ck_assert_uint_le(host.req.transferred, host.req.len);
    return host.req.status;
}

#define CDB(...) ((const uint8_t[16]){ __VA_ARGS__ })

/* ---- reading and writing ---- */

static const struct { uint8_t cdb[16]; unsigned lba, count; } reads[] = {
    { { 0x08, 0x00, 0x00, 0x05, 1 }, 5, 1 },
    { { 0x08, 0x00, 0x01, 0x00, 0 }, 256, 256 },
    { { 0x28, 0, 0, 0, 0, 9, 0, 0, 3 }, 9, 3 },
    { { 0x28, 0, 0, 0, 1, 0, 0, 1, 44 }, 256, 300 },
    { { 0xa8, 0, 0, 0, 0, 2, 0, 0, 0, 17 }, 2, 17 },
    { { 0x88, 0, 0, 0, 0, 0, 0, 0, 15, 255, 0, 0, 0, 1 }, 4095, 1 },
    { { 0x28, 0, 0, 0, 16, 0, 0, 0, 0 }, 4096, 0 },
};

START_TEST(read_row)
{
    setup();
    for (int windows = 0; windows < 2; windows++) {
        host.by_windows = windows;
        memset(host.data, 0, sizeof(host.data));
        ck_assert_uint_eq(run(disk, reads[_i].cdb), SCSI_GOOD);
        ck_assert_uint_eq(host.req.transferred, reads[_i].count * 512);
        for (unsigned n = 0; n < reads[_i].count * 512; n++) {
            ck_assert_uint_eq(host.data[n], pattern(reads[_i].lba + n / 512));
        }
        ck_assert_uint_le(host.biggest, SCSI_WINDOW);
    }
}
END_TEST

static const struct { uint8_t cdb[16]; unsigned lba, count; } writes[] = {
    { { 0x0a, 0x00, 0x00, 0x05, 1 }, 5, 1 },
    { { 0x2a, 0x08, 0, 0, 0, 9, 0, 0, 200 }, 9, 200 },
    { { 0x2e, 0, 0, 0, 0, 9, 0, 0, 2 }, 9, 2 },
    { { 0xaa, 0, 0, 0, 0, 2, 0, 0, 0, 17 }, 2, 17 },
    { { 0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2 }, 3, 2 },
};

START_TEST(write_row)
{
    g_autofree uint8_t *back = g_malloc(writes[_i].count * 512);

    setup();
    for (int windows = 0; windows < 2; windows++) {
        host.by_windows = windows;
        for (unsigned n = 0; n < writes[_i].count * 512; n++) {
            host.data[n] = n * 5 + n / 512 + windows;
        }
        ck_assert_uint_eq(run(disk, writes[_i].cdb), SCSI_GOOD);
        ck_assert_int_eq(pread(disk_image, back, writes[_i].count * 512, writes[_i].lba * 512),
                         writes[_i].count * 512);
        ck_assert_int_eq(memcmp(back, host.data, writes[_i].count * 512), 0);
    }
}
END_TEST

START_TEST(same_block_again_and_again)
{
    uint8_t back[512 * 200];

    setup();
    memset(host.data, 0x3c, 512);
    ck_assert_uint_eq(run(disk, CDB(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 200)), SCSI_GOOD);
    ck_assert_int_eq(pread(disk_image, back, sizeof(back), 5120), sizeof(back));
    ck_assert(back[0] == 0x3c && memcmp(back, back + 1, sizeof(back) - 1) == 0);
    ck_assert_uint_eq(run(disk, CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 200)), SCSI_GOOD);
    ck_assert_int_eq(pread(disk_image, back, sizeof(back), 5120), sizeof(back));
    ck_assert(back[0] == 0 && memcmp(back, back + 1, sizeof(back) - 1) == 0);
    ck_assert_int_eq(pread(disk_image, back, 512, 210 * 512), 512);
    ck_assert_uint_eq(back[0], pattern(210));
}
END_TEST

START_TEST(unmapped_blocks_read_as_zeroes)
{
    static const uint8_t list[40] = {
        0, 38, 0, 32, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0, 0,
    };

    setup();
    memcpy(host.data, list, sizeof(list));
    ck_assert_uint_eq(run(disk, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40)), SCSI_GOOD);
    ck_assert_uint_eq(run(disk, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 130)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[7 * 512], pattern(7));
    ck_assert_uint_eq(host.data[8 * 512], 0);
    ck_assert_uint_eq(host.data[16 * 512], pattern(16));
    ck_assert_uint_eq(host.data[127 * 512 + 511], 0);
    ck_assert_uint_eq(host.data[128 * 512], pattern(128));
}
END_TEST

/* ---- failures ---- */

static const struct { uint8_t cdb[16]; bool cd; ScsiSense sense; } failures[] = {
    { { 0x28, 0, 0, 0, 16, 0, 0, 0, 1 }, false, { 5, 0x21, 0 } },
    { { 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1 }, false, { 5, 0x21, 0 } },
    { { 0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2 }, false,
      { 5, 0x21, 0 } },
    { { 0x2a, 0, 0, 0, 15, 255, 0, 0, 2 }, false, { 5, 0x21, 0 } },
    { { 0x28, 0xe0, 0, 0, 0, 0, 0, 0, 1 }, false, { 5, 0x24, 0 } },
    { { 0xff }, false, { 5, 0x20, 0 } },
    { { 0x43 }, false, { 5, 0x20, 0 } },                    /* READ TOC of a disk */
    { { 0x2a, 0, 0, 0, 0, 0, 0, 0, 1 }, true, { 5, 0x20, 0 } },
    { { 0x28, 0, 0, 0, 1, 0xf4, 0, 0, 1 }, true, { 5, 0x21, 0 } },
    { { 0x12, 0, 0x80, 0, 36 }, false, { 5, 0x24, 0 } },
    { { 0x12, 1, 0xb0, 0, 64 }, true, { 5, 0x24, 0 } },     /* a disk's page */
    { { 0x1a, 0, 0x37, 0, 64 }, false, { 5, 0x24, 0 } },
    { { 0x1a, 0, 0xc8, 0, 64 }, false, { 5, 0x39, 0 } },
    { { 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, false, { 5, 0x24, 0 } },
    { { 0x2f, 2, 0, 0, 0, 0, 0, 0, 1 }, false, { 5, 0x24, 0 } },
    { { 0x42, 0, 0, 0, 0, 0, 0, 0, 7 }, false, { 5, 0x1a, 0 } },
    { { 0x15, 0x10, 0, 0, 3 }, false, { 5, 0x1a, 0 } },
};

START_TEST(failure_row)
{
    ScsiDevice *dev;
    uint8_t sense[SCSI_SENSE_SIZE];

    setup();
    dev = failures[_i].cd ? cd : disk;
    memset(host.data, 0, sizeof(host.data));
    ck_assert_uint_eq(run(dev, failures[_i].cdb), SCSI_CHECK_CONDITION);
    ck_assert_int_eq(memcmp(&host.req.sense, &failures[_i].sense, sizeof(ScsiSense)), 0);
    ck_assert_uint_eq(scsi_request_take_sense(&host.req, sense, sizeof(sense)), 18);
    ck_assert_uint_eq(sense[0], 0x70);
    ck_assert_uint_eq(sense[2], failures[_i].sense.key);
    ck_assert_uint_eq(sense[12], failures[_i].sense.asc);
    /* taken with the status, it is gone */
    ck_assert_uint_eq(run(dev, CDB(0x03, 0, 0, 0, 18)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[2], 0);
}
END_TEST

START_TEST(sense_waits_to_be_asked_for)
{
    setup();
    ck_assert_uint_eq(run(disk, CDB(0xff)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(run(disk, CDB(0x03, 0, 0, 0, 18)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[2], 5);
    ck_assert_uint_eq(host.data[12], 0x20);
    ck_assert_uint_eq(run(disk, CDB(0x03, 1, 0, 0, 8)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[0], 0x72);
    ck_assert_uint_eq(host.data[1], 0);
}
END_TEST

START_TEST(attention_after_reset)
{
    setup();
    devices_reset(&vm);
    ck_assert_uint_eq(run(disk, CDB(0x12, 0, 0, 0, 36)), SCSI_GOOD);
    ck_assert_uint_eq(run(disk, CDB(0x00)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.key, SENSE_UNIT_ATTENTION);
    ck_assert_uint_eq(host.req.sense.asc, 0x29);
    ck_assert_uint_eq(run(disk, CDB(0x00)), SCSI_GOOD);
}
END_TEST

/* ---- pages ---- */

static const struct {
    uint8_t cdb[16];
    bool cd;
    uint32_t len;
    struct { uint8_t at, value; } bytes[8];
} pages[] = {
    { { 0x12, 0, 0, 0, 96 }, false, 36,
      { { 0, 0 }, { 1, 0 }, { 2, 5 }, { 4, 31 }, { 8, 'Q' }, { 16, 'Q' }, { 21, 'H' },
        { 32, '2' } } },
    { { 0x12, 0, 0, 0, 96 }, true, 36, { { 0, 5 }, { 1, 0x80 }, { 21, 'C' } } },
    { { 0x12, 0, 0, 0, 5 }, false, 5, { { 4, 31 } } },
    { { 0x12, 1, 0x00, 0, 96 }, false, 10, { { 3, 6 }, { 4, 0 }, { 5, 0x80 }, { 9, 0xb2 } } },
    { { 0x12, 1, 0x80, 0, 96 }, false, 7, { { 3, 3 }, { 4, 'a' }, { 6, 'c' } } },
    { { 0x12, 1, 0x83, 0, 96 }, false, 23,
      { { 4, 2 }, { 7, 3 }, { 8, 'a' }, { 11, 1 }, { 12, 3 }, { 14, 8 }, { 15, 0x50 } } },
    { { 0x12, 1, 0xb0, 0, 96 }, false, 64, { { 3, 0x3c }, { 4, 1 }, { 27, 255 }, { 31, 8 } } },
    { { 0x12, 1, 0xb2, 0, 96 }, false, 8, { { 5, 0xe0 }, { 6, 2 } } },
    { { 0x25 }, false, 8, { { 2, 15 }, { 3, 255 }, { 6, 2 } } },
    { { 0x25 }, true, 8, { { 2, 1 }, { 3, 243 }, { 6, 8 } } },
    { { 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32 }, false, 32,
      { { 6, 15 }, { 7, 255 }, { 10, 2 }, { 14, 0x80 } } },
    { { 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64 }, false, 16, { { 3, 8 } } },
    { { 0x1a, 0, 0x08, 0, 64 }, false, 32,
      { { 0, 31 }, { 3, 8 }, { 10, 2 }, { 12, 8 }, { 14, 4 } } },
    { { 0x5a, 8, 0x48, 0, 0, 0, 0, 0, 64 }, false, 28, { { 1, 26 }, { 8, 8 }, { 10, 4 } } },
    { { 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64 }, true, 30, { { 1, 28 }, { 8, 0x2a }, { 14, 0x29 } } },
    { { 0x43, 0, 0, 0, 0, 0, 0, 0, 64 }, true, 20,
      { { 1, 18 }, { 2, 1 }, { 5, 0x14 }, { 6, 1 }, { 14, 0xaa }, { 18, 1 }, { 19, 0xf4 } } },
    { { 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64 }, true, 12, { { 6, 0xaa }, { 10, 8 }, { 11, 50 } } },
    { { 0x43, 0, 1, 0, 0, 0, 0, 0, 64 }, true, 12, { { 1, 10 } } },
    { { 0x43, 0, 2, 0, 0, 0, 0, 0, 64 }, true, 48, { { 1, 46 }, { 7, 0xa0 }, { 40, 1 } } },
    { { 0x46, 0, 0, 0, 0, 0, 0, 0, 128 }, true, 76, { { 3, 72 }, { 7, 8 }, { 11, 8 } } },
    { { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, true, 8, { { 1, 6 }, { 2, 4 }, { 5, 2 } } },
    { { 0x51, 0, 0, 0, 0, 0, 0, 0, 34 }, true, 34, { { 1, 32 }, { 2, 0x0e } } },
    { { 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8 }, true, 8, { { 5, 1 } } },
};

START_TEST(page_row)
{
    setup();
    for (int windows = 0; windows < 2; windows++) {
        host.by_windows = windows;
        memset(host.data, 0xee, sizeof(host.data));
        ck_assert_uint_eq(run(pages[_i].cd ? cd : disk, pages[_i].cdb), SCSI_GOOD);
        ck_assert_uint_eq(host.req.transferred, pages[_i].len);
        for (int n = 0; n < 8 && (n == 0 || pages[_i].bytes[n].at); n++) {
            ck_assert_uint_eq(host.data[pages[_i].bytes[n].at], pages[_i].bytes[n].value);
        }
        ck_assert_uint_eq(host.data[pages[_i].len], 0xee);
    }
}
END_TEST

START_TEST(the_write_cache_is_a_mode)
{
    static const uint8_t off[24] = { 0, 0, 0, 0, 0x08, 18, 0x00 };

    setup();
    memcpy(host.data, off, sizeof(off));
    ck_assert_uint_eq(run(disk, CDB(0x15, 0x10, 0, 0, 24)), SCSI_GOOD);
    ck_assert_uint_eq(run(disk, CDB(0x1a, 8, 8, 0, 64)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[6], 0);
    memcpy(host.data, off, sizeof(off));
    host.data[8] = 1;                                       /* not to be changed */
    ck_assert_uint_eq(run(disk, CDB(0x15, 0x10, 0, 0, 24)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.asc, 0x26);
}
END_TEST

/* ---- the tray ---- */

START_TEST(a_tray_opens_unless_locked)
{
    setup();
    ck_assert_uint_eq(run(cd, CDB(0x1e, 0, 0, 0, 1)), SCSI_GOOD);
    ck_assert_uint_eq(run(cd, CDB(0x1b, 0, 0, 0, 2)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.asc, 0x53);
    ck_assert_uint_eq(run(cd, CDB(0x1e, 0, 0, 0, 0)), SCSI_GOOD);
    ck_assert_uint_eq(run(cd, CDB(0x1b, 0, 0, 0, 2)), SCSI_GOOD);
    ck_assert_uint_eq(run(cd, CDB(0x00)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.asc, 0x3a);
    ck_assert_uint_eq(run(cd, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[4], 3);                     /* removed */
    ck_assert_uint_eq(host.data[5], 1);                     /* tray open */
    ck_assert_uint_eq(run(cd, CDB(0x1b, 0, 0, 0, 3)), SCSI_GOOD);
    ck_assert_uint_eq(run(cd, CDB(0x00)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.asc, 0x28);
    ck_assert_uint_eq(run(cd, CDB(0x00)), SCSI_GOOD);
}
END_TEST

START_TEST(the_monitor_changes_the_medium)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert(block_backend_eject(cd->unit.conf->blk, false, &error));
    ck_assert_uint_eq(run(cd, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[5] & 2, 0);
    ck_assert_uint_eq(scsi_unit_blocks(&cd->unit), 0);
    run(cd, CDB(0x00));
    ck_assert_uint_eq(run(cd, CDB(0x00)), SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(host.req.sense.asc, 0x3a);
}
END_TEST

/* ---- addresses ---- */

START_TEST(units_of_a_target)
{
    setup();
    disk_add(&scsi_cd_type, (Bus *)bus, NULL, "scsi-id=2,lun=7");
    ck_assert_uint_eq(run(disk, CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64)), SCSI_GOOD);
    ck_assert_uint_eq(host.data[3], 16);
    ck_assert_uint_eq(host.data[8 + 8 + 1], 7);
    ck_assert_ptr_eq(scsi_bus_find(bus, 0, 2, 5), disk);
    begin(disk, CDB(0x12, 0, 0, 0, 36), 5);
    ck_assert(host.done && host.req.status == SCSI_GOOD);
    ck_assert_uint_eq(host.data[0], 0x7f);
    begin(disk, CDB(0x00), 5);
    ck_assert_uint_eq(host.req.sense.asc, 0x25);
    ck_assert_ptr_null(scsi_bus_find(bus, 0, 6, 0));
}
END_TEST

static const struct { const char *props, *error; } addresses[] = {
    { "scsi-id=8", "bad scsi device id: 8" },
    { "lun=256", "bad scsi device lun: 256" },
    { "channel=1", "bad scsi channel id: 1" },
    { "scsi-id=2,lun=0", "lun already used by another device at channel 0, scsi-id 2, lun 0" },
};

START_TEST(address_row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(addresses[_i].props, NULL, NULL);
    Device *dev;

    setup();
    dev = device_new(&vm, &scsi_cd_type, NULL);
    for (size_t n = 0; n < keyval_count(kv); n++) {
        ck_assert(device_set(dev, keyval_key(kv, n), keyval_value(kv, n), NULL));
    }
    ck_assert(!device_realize(dev, (Bus *)bus, &error));
    ck_assert_str_eq(error->message, addresses[_i].error);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_cancelled_command_ends_once)
{
    setup();
    begin(disk, CDB(0x28, 0, 0, 0, 0, 0, 0, 1, 0), 0);
    ck_assert(!host.done);
    scsi_request_cancel(&host.req);
    settle(host.done);
    ck_assert(host.req.cancelled);
    ck_assert_uint_eq(host.req.status, SCSI_TASK_ABORTED);
    begin(disk, CDB(0x28, 0, 0, 0, 0, 0, 0, 1, 0), 0);
    scsi_unit_purge(&disk->unit);
    ck_assert(host.done && host.req.cancelled);
    begin(disk, CDB(0x28, 0, 0, 0, 0, 0, 0, 1, 0), 0);
    device_free(&disk->dev);
    ck_assert(host.done && host.req.cancelled);
}
END_TEST

CHECK_MAIN("hw/scsi",
           CASES(read_row, reads),
           CASES(write_row, writes),
           CASE(same_block_again_and_again),
           CASE(unmapped_blocks_read_as_zeroes),
           CASES(failure_row, failures),
           CASE(sense_waits_to_be_asked_for),
           CASE(attention_after_reset),
           CASES(page_row, pages),
           CASE(the_write_cache_is_a_mode),
           CASE(a_tray_opens_unless_locked),
           CASE(the_monitor_changes_the_medium),
           CASE(units_of_a_target),
           CASES(address_row, addresses),
           CASE(a_cancelled_command_ends_once))
