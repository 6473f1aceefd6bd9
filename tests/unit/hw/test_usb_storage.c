#include "check_main.h"
#include "disk_board.h"
#include "usb_board.h"

#define ADDRESS     1
#define SECTORS     64
#define READS       0x80
#define WRITES      0x00

static int image;
static Device *stick;

static void storage_board_with(const char *more)
{
    g_autoptr(GError) error = NULL;

    usb_board();
    image = image_patterned(SECTORS);
    drive_new("d", image, more);
    stick = device_new(&vm, &usb_storage_type, "stick");
    if (!device_set(stick, "drive", "d", &error) || !device_realize(stick, &usb->bus, &error)) {
        g_error("%s", error->message);
    }
    enumerate(0, ADDRESS);
}

static void storage_board(void)
{
    storage_board_with("");
}

static void send_cbw(uint32_t len, uint8_t flags, const uint8_t *cdb, uint8_t cdb_len)
{
    uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 0x78, 0x56, 0x34, 0x12, len, len >> 8, len >> 16,
                        len >> 24, flags, 0, cdb_len };

    memcpy(cbw + 15, cdb, MIN(cdb_len, 16));
    memcpy(buffer(0), cbw, sizeof(cbw));
}

/* One transaction, asked for again each time the disk has got on while it was put off. */
static uint32_t bulk(uint8_t pid, uint32_t len)
{
    uint32_t ctrl = transact(pid, ADDRESS, pid == IN ? 1 : 2, len);

    while (ctrl & ACTIVE) {
        g_main_context_iteration(NULL, TRUE);
        ctrl = transact(pid, ADDRESS, pid == IN ? 1 : 2, len);
    }
    return ctrl;
}

static void expect_csw(const char *what, uint32_t residue, uint8_t status)
{
    const uint8_t *csw = buffer(0);

    ck_assert_msg(!(bulk(IN, 13) & STALLED) && td_actual(0) == 13, "%s: no status", what);
    ck_assert_msg(memcmp(csw, "USBS\x78\x56\x34\x12", 8) == 0, "%s: no status", what);
    ck_assert_msg((csw[8] | csw[9] << 8) == residue && csw[12] == status,
                  "%s: residue %u, status %u", what, csw[8] | csw[9] << 8, csw[12]);
}

static void read_bytes(uint8_t *out, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        uint32_t n = MIN(64, len - done);

        ck_assert(!(bulk(IN, n) & STALLED));
        ck_assert_uint_eq(td_actual(0), n);
        memcpy(out + done, buffer(0), n);
        done += n;
    }
}

static void write_bytes(const uint8_t *data, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        uint32_t n = MIN(64, len - done);

        memcpy(buffer(0), data + done, n);
        ck_assert(!(bulk(OUT, n) & STALLED));
        done += n;
    }
}

static void command(uint32_t len, uint8_t flags, const char *cdb, uint8_t cdb_len)
{
    send_cbw(len, flags, (const uint8_t *)cdb, cdb_len);
    ck_assert(!(bulk(OUT, 31) & STALLED));
}

#define CDB(text_) text_, sizeof(text_) - 1

/* The unit attention that follows power-on. */
static void get_ready(void)
{
    command(0, WRITES, CDB("\0\0\0\0\0\0"));
    expect_csw("attention", 0, 1);
}

/* ---- commands ---- */

START_TEST(inquiry)
{
    uint8_t data[36];

    storage_board();
    command(36, READS, CDB("\x12\0\0\0\x24\0"));
    read_bytes(data, 36);
    expect_csw("inquiry", 0, 0);
    ck_assert_int_eq(data[0], 0);
    ck_assert(memcmp(data + 8, "QEMU    QEMU HARDDISK   2.5+", 28) == 0);
}
END_TEST

START_TEST(reads_sectors)
{
    static uint8_t data[40 * 512];

    storage_board();
    get_ready();
    command(sizeof(data), READS, CDB("\x28\0\0\0\0\x05\0\0\x28\0"));
    read_bytes(data, sizeof(data));
    expect_csw("read", 0, 0);
    for (unsigned i = 0; i < sizeof(data); i++) {
        ck_assert_uint_eq(data[i], pattern(5 + i / 512));
    }
}
END_TEST

START_TEST(writes_sectors)
{
    uint8_t data[1024], back[1024];

    storage_board();
    get_ready();
    memset(data, 0xa5, sizeof(data));
    command(sizeof(data), WRITES, CDB("\x2a\0\0\0\0\x07\0\0\x02\0"));
    write_bytes(data, sizeof(data));
    expect_csw("write", 0, 0);
    ck_assert_int_eq(pread(image, back, sizeof(back), 7 * 512), sizeof(back));
    ck_assert_mem_eq(back, data, sizeof(back));
}
END_TEST

/* What a host and a disk may disagree on, 6.7 of the transport. */
static const struct {
    const char *what; uint32_t len; uint8_t flags; const char *cdb; uint8_t cdb_len;
    uint32_t residue; uint8_t status;
} disagreements[] = {
    { "nothing to say",         0,    WRITES, CDB("\0\0\0\0\0\0"), 0, 0 },
    { "host reads nothing",     64,   READS,  CDB("\0\0\0\0\0\0"), 64, 0 },
    { "host writes nothing",    64,   WRITES, CDB("\0\0\0\0\0\0"), 64, 0 },
    { "host reads too much",    512,  READS,  CDB("\x12\0\0\0\x24\0"), 476, 0 },
    { "host reads too little",  512,  READS,  CDB("\x28\0\0\0\0\0\0\0\x02\0"), 0, 2 },
    { "host wants no data",     0,    WRITES, CDB("\x28\0\0\0\0\0\0\0\x01\0"), 0, 2 },
    { "host writes a read",     512,  WRITES, CDB("\x28\0\0\0\0\0\0\0\x01\0"), 512, 2 },
    { "host reads a write",     512,  READS,  CDB("\x2a\0\0\0\0\0\0\0\x01\0"), 512, 2 },
    { "host writes too little", 512,  WRITES, CDB("\x2a\0\0\0\0\0\0\0\x02\0"), 512, 2 },
    { "host writes too much",   1024, WRITES, CDB("\x2a\0\0\0\0\0\0\0\x01\0"), 512, 0 },
    { "past the end",           512,  READS,  CDB("\x28\0\0\0\x99\0\0\0\x01\0"), 512, 1 },
    { "no such command",        0,    READS,  CDB("\xff\0\0\0\0\0"), 0, 1 },
};

START_TEST(disagreement_row)
{
    static uint8_t data[1024];

    storage_board();
    get_ready();
    command(disagreements[_i].len, disagreements[_i].flags, disagreements[_i].cdb,
            disagreements[_i].cdb_len);
    if (disagreements[_i].flags & READS) {
        read_bytes(data, disagreements[_i].len);
    } else {
        write_bytes(data, disagreements[_i].len);
    }
    expect_csw(disagreements[_i].what, disagreements[_i].residue, disagreements[_i].status);
    command(0, WRITES, CDB("\0\0\0\0\0\0"));                    /* and on it goes */
    expect_csw("next", 0, 0);
}
END_TEST

/* ---- wrong wrappers ---- */

static const struct { const char *what; unsigned offset; uint8_t value; uint32_t len; } wrong[] = {
    { "signature", 3, 'S', 31 }, { "short", 0, 'U', 30 }, { "long", 0, 'U', 32 },
    { "no command", 14, 0, 31 }, { "long command", 14, 17, 31 },
};

START_TEST(wrong_row)
{
    storage_board();
    get_ready();
    send_cbw(0, 0, (const uint8_t *)"\0\0\0\0\0\0", 6);
    ((uint8_t *)buffer(0))[wrong[_i].offset] = wrong[_i].value;
    ck_assert_msg(transact(OUT, ADDRESS, 2, wrong[_i].len) & STALLED, "%s", wrong[_i].what);
    ck_assert(transact(IN, ADDRESS, 1, 13) & STALLED);
    ck_assert_int_eq(control(ADDRESS, 0x21, 0xff, 0, 0, 0, NULL), 0);
    ck_assert_int_eq(control(ADDRESS, 0x02, 1, 0, 0x81, 0, NULL), 0);
    ck_assert_int_eq(control(ADDRESS, 0x02, 1, 0, 0x02, 0, NULL), 0);
    command(0, WRITES, CDB("\0\0\0\0\0\0"));
    expect_csw("recovered", 0, 0);
}
END_TEST

START_TEST(one_unit)
{
    uint8_t max = 9;

    storage_board();
    ck_assert_int_eq(control(ADDRESS, 0xa1, 0xfe, 0, 0, 1, &max), 1);
    ck_assert_uint_eq(max, 0);
}
END_TEST

/* ---- ends in the middle ---- */

static void reset_storage(void)
{
    ck_assert_int_eq(control(ADDRESS, 0x21, 0xff, 0, 0, 0, NULL), 0);
}

static void reset_port(void)
{
    enumerate(0, ADDRESS);
}

static void reset_machine(void)
{
    devices_reset(&vm);
    cfg_out(UHCI_DEVFN, 0x20, UHCI_IO, 4);
    cfg_out(UHCI_DEVFN, 0x04, 0x05, 2);
    out(UHCI_IO + 8, FRAME_LIST, 4);
    set_reg(0, 0x01);
    enumerate(0, ADDRESS);
}

static const struct { void (*end)(void); uint8_t next_status; } ends[] = {
    { reset_storage, 0 }, { reset_port, 0 }, { reset_machine, 1 },
};

START_TEST(end_row)
{
    uint8_t data[64];

    storage_board();
    get_ready();
    command(8192, READS, CDB("\x28\0\0\0\0\0\0\0\x10\0"));
    read_bytes(data, sizeof(data));
    ends[_i].end();
    command(0, WRITES, CDB("\0\0\0\0\0\0"));
    expect_csw("after the reset", 0, ends[_i].next_status);
}
END_TEST

START_TEST(pulled_in_the_middle)
{
    storage_board();
    get_ready();
    command(8192, READS, CDB("\x28\0\0\0\0\0\0\0\x10\0"));
    device_free(stick);
    ck_assert(transact(IN, ADDRESS, 1, 64) & TIMEOUT);
    ck_assert_uint_eq(usb->bus.devices->len, 0);
}
END_TEST

/* ---- what it is made of ---- */

static const struct { const char *more, *type; } kinds[] = {
    { "", "scsi-hd" }, { ",media=cdrom", "scsi-cd" },
};

START_TEST(kind_row)
{
    Bus *bus;
    Device *disk;

    storage_board_with(kinds[_i].more);
    bus = g_ptr_array_index(stick->buses, 0);
    disk = g_ptr_array_index(bus->devices, 0);
    ck_assert_str_eq(bus->name, "stick.0");
    ck_assert_str_eq(disk->type->name, kinds[_i].type);
    g_autofree char *own = property_get(&stick->obj, "drive", NULL);
    g_autofree char *drive = property_get(&disk->obj, "drive", NULL);
    ck_assert_str_eq(own, "");
    ck_assert_str_eq(drive, "d");
    g_autofree char *path = device_firmware_path(disk);
    ck_assert_str_eq(path, "/pci@i0cf8/usb@2/storage@1/channel@0/disk@0,0");
}
END_TEST

START_TEST(needs_a_drive)
{
    g_autoptr(GError) error = NULL;

    usb_board();
    ck_assert(!device_realize(device_new(&vm, &usb_storage_type, NULL), &usb->bus, &error));
    ck_assert_str_eq(error->message, "drive property not set");
}
END_TEST

/* A command under way is not saved: its host hears of a phase error and tries again. */
START_TEST(saved_in_the_middle)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    uint8_t data[512];
    size_t pos = 0;

    storage_board();
    get_ready();
    command(512, READS, CDB("\x28\0\0\0\0\0\0\0\x01\0"));
    state_save(stick->type->state, stick, bytes);
    ck_assert_msg(state_load(stick->type->state, stick, 1, bytes->data, bytes->len, &pos, &error),
                  "%s", error ? error->message : "");
    read_bytes(data, sizeof(data));
    expect_csw("loaded", 512, 2);
}
END_TEST

CHECK_MAIN("hw/usb_storage",
           CASE(inquiry),
           CASE(reads_sectors),
           CASE(writes_sectors),
           CASES(disagreement_row, disagreements),
           CASES(wrong_row, wrong),
           CASE(one_unit),
           CASES(end_row, ends),
           CASE(pulled_in_the_middle),
           CASES(kind_row, kinds),
           CASE(needs_a_drive),
           CASE(saved_in_the_middle))
