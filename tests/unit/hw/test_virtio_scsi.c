/* The virtio SCSI host: commands, task management, events. */
#include "check_main.h"
#include "disk_board.h"
#include "virtio_board.h"
#include "virtio_devices.h"

enum { CONTROL, EVENT, COMMANDS };
enum { HEAD_LEN = 51, ANSWER_LEN = 108 };
#define HEAD   BUFFER(0)
#define ANSWER BUFFER(1)
#define DATA   BUFFER(8)

static ScsiDevice *disk;

static void setup(void)
{
    bare_setup();
    vio_board(&virtio_scsi_pci_type, "ioeventfd=off");     /* doorbells act at once */
    drive_new("hd", image_patterned(1000), "");
    disk = (ScsiDevice *)disk_add(&scsi_hd_type, bus_find(&vm, "scsi.0", &scsi_bus_type), "hd",
                                  "scsi-id=3,lun=1");
    vm.built = true;
    vio_start(VIRTIO_BIT(1) | VIRTIO_BIT(2), 3);
    disk->unit.attention = (ScsiSense){ 0 };
}

static void put_lun(uint32_t at, unsigned id, unsigned lun)
{
    wr(at, 1 | id << 8 | (lun & 0xff) << 24, 4);
    wr(at + 4, 0, 4);
}

/* Sends a command with `len` bytes of data. */
static void command(const uint8_t *cdb, unsigned id, unsigned lun, uint32_t len, bool to_device)
{
    put_lun(HEAD, id, lun);
    wr(HEAD + 8, 77, 8);
    for (unsigned i = 0; i < 32; i++) {
        wr(HEAD + 19 + i, i < 16 ? cdb[i] : 0, 1);
    }
    for (unsigned i = 0; i < ANSWER_LEN; i++) {
        wr(ANSWER + i, 0xee, 1);
    }
    if (to_device && len) {
        desc(COMMANDS, 0, HEAD, HEAD_LEN, D_NEXT, 1);
        desc(COMMANDS, 1, DATA, len, D_NEXT, 2);
        desc(COMMANDS, 2, ANSWER, ANSWER_LEN, D_WRITE, 0);
    } else {
        desc(COMMANDS, 0, HEAD, HEAD_LEN, D_NEXT, 1);
        desc(COMMANDS, 1, ANSWER, ANSWER_LEN, D_WRITE | (len ? D_NEXT : 0), 2);
        desc(COMMANDS, 2, DATA, len, D_WRITE, 0);
    }
    offer(COMMANDS, 0);
    wr(VIO_NOTIFY + 4 * COMMANDS, COMMANDS, 2);
}

#define CDB(...) ((const uint8_t[16]){ __VA_ARGS__ })

typedef struct Row {
    uint8_t cdb[16];
    unsigned id, lun;
    uint32_t len;
    bool to_device;
    uint8_t response, status, asc;
    uint32_t residual;
} Row;

static const Row rows[] = {
    { { 0x00 }, 3, 1, 0 },
    { { 0x28, 0, 0, 0, 0, 5, 0, 0, 4 }, 3, 1, 2048 },
    { { 0x28, 0, 0, 0, 0, 5, 0, 0, 4 }, 3, 1, 4096 },
    { { 0x2a, 0, 0, 0, 0, 9, 0, 0, 2 }, 3, 1, 1024, true },
    { { 0x12, 0, 0, 0, 96 }, 3, 1, 96, .residual = 60 },
    { { 0x28, 0, 0, 0, 9, 0, 0, 0, 1 }, 3, 1, 512, .status = 2, .asc = 0x21, .residual = 512 },
    { { 0xff }, 3, 1, 0, .status = 2, .asc = 0x20 },
    { { 0x00 }, 3, 0, 0, .status = 2, .asc = 0x25 },
    { { 0x00 }, 4, 0, 0, .response = 3 },
    { { 0x28, 0, 0, 0, 0, 5, 0, 0, 4 }, 3, 1, 512, .response = 1 },
    { { 0x28, 0, 0, 0, 0, 5, 0, 0, 4 }, 3, 1, 2048, true, .response = 1 },
};

START_TEST(command_row)
{
    const Row *row = &rows[_i];

    setup();
    command(row->cdb, row->id, row->lun, row->len, row->to_device);
    settle(used_index(COMMANDS) == 1);
    ck_assert_uint_eq(rd(ANSWER + 11, 1), row->response);
    ck_assert_uint_eq(rd(ANSWER + 10, 1), row->status);
    ck_assert_uint_eq(rd(ANSWER + 4, 4), row->residual);
    ck_assert_uint_eq(rd(ANSWER, 4), row->status ? 18 : 0);
    if (row->status) {
        ck_assert_uint_eq(rd(ANSWER + 12 + 12, 1), row->asc);
    }
    if (row->cdb[0] == 0x28 && !row->status && !row->response) {
        ck_assert_uint_eq(rd(DATA, 1), pattern(5));
        ck_assert_uint_eq(rd(DATA + 2047, 1), pattern(8));
    }
}
END_TEST

/* ---- task management ---- */

static const struct {
    uint32_t subtype;
    unsigned id, lun;
    uint64_t tag;
    uint8_t response;
    bool aborts;
} tmfs[] = {
    { 0, 3, 1, 77, 0, true },               /* abort task */
    { 0, 3, 1, 78, 0, false },              /* of another tag */
    { 1, 3, 1, 0, 0, true },                /* task set */
    { 4, 3, 1, 0, 0, true },                /* nexus reset */
    { 5, 3, 1, 0, 0, true },                /* unit reset */
    { 5, 3, 0, 0, 12, false },              /* of no such unit */
    { 5, 2, 0, 0, 3, false },               /* of no such target */
    { 6, 3, 1, 77, 10, false },             /* query: it is there */
    { 6, 3, 1, 78, 0, false },
    { 7, 3, 1, 0, 10, false },
    { 2, 3, 1, 0, 11, false },              /* clear ACA */
};

START_TEST(tmf_row)
{
    const uint32_t head = BUFFER(2), answer = BUFFER(3);

    setup();
    command(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 8), 3, 1, 4096, false);
    ck_assert_uint_eq(used_index(COMMANDS), 0);
    wr(head, 0, 4);
    wr(head + 4, tmfs[_i].subtype, 4);
    put_lun(head + 8, tmfs[_i].id, tmfs[_i].lun);
    wr(head + 16, tmfs[_i].tag, 8);
    wr(answer, 0xee, 1);
    desc(CONTROL, 0, head, 24, D_NEXT, 1);
    desc(CONTROL, 1, answer, 1, D_WRITE, 0);
    offer(CONTROL, 0);
    wr(VIO_NOTIFY + 4 * CONTROL, CONTROL, 2);
    settle(used_index(CONTROL) == 1 && used_index(COMMANDS) == 1);
    ck_assert_uint_eq(rd(answer, 1), tmfs[_i].response);
    ck_assert_uint_eq(rd(ANSWER + 11, 1), tmfs[_i].aborts ? 2 : 0);
}
END_TEST

START_TEST(a_reset_takes_commands_back)
{
    setup();
    command(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 8), 3, 1, 4096, false);
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert_ptr_null(disk->unit.requests);
    vio_start(0, 3);
    command(CDB(0x00), 3, 1, 0, false);
    settle(used_index(COMMANDS) == 1);
    ck_assert_uint_eq(rd(ANSWER + 12 + 12, 1), 0x29);
}
END_TEST

START_TEST(unplugging_with_a_command_under_way)
{
    setup();
    command(CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 8), 3, 1, 4096, false);
    device_free(&disk->dev);
    settle(used_index(COMMANDS) == 1);
    ck_assert_uint_eq(rd(ANSWER + 11, 1), 2);
}
END_TEST

START_TEST(half_a_header_breaks_the_device)
{
    setup();
    desc(COMMANDS, 0, HEAD, 20, D_NEXT, 1);
    desc(COMMANDS, 1, ANSWER, ANSWER_LEN, D_WRITE, 0);
    offer(COMMANDS, 0);
    wr(VIO_NOTIFY + 4 * COMMANDS, COMMANDS, 2);
    settle(vio_status() & 64);
}
END_TEST

/* ---- events ---- */

START_TEST(devices_that_come_and_go_are_told)
{
    const uint32_t event = BUFFER(4);

    setup();
    for (unsigned n = 0; n < 2; n++) {
        desc(EVENT, n, event + 16 * n, 16, D_WRITE, 0);
        offer(EVENT, n);
    }
    wr(VIO_NOTIFY + 4 * EVENT, EVENT, 2);
    Device *cd = disk_add(&scsi_cd_type, disk->dev.bus, NULL, "scsi-id=7,lun=2");
    settle(used_index(EVENT) == 1);
    ck_assert_uint_eq(rd(event, 4), 1);
    ck_assert_uint_eq(rd(event + 4, 4), 0x02000701);
    ck_assert_uint_eq(rd(event + 12, 4), 1);
    device_free(cd);
    settle(used_index(EVENT) == 2);
    ck_assert_uint_eq(rd(event + 16 + 12, 4), 2);
    device_free(disk_add(&scsi_cd_type, disk->dev.bus, NULL, NULL));   /* no buffer: missed */
    offer(EVENT, 0);
    wr(VIO_NOTIFY + 4 * EVENT, EVENT, 2);
    settle(used_index(EVENT) == 3);
    ck_assert_uint_eq(rd(event, 4), 0x80000000u);
}
END_TEST

CHECK_MAIN("hw/virtio_scsi",
           CASES(command_row, rows),
           CASES(tmf_row, tmfs),
           CASE(a_reset_takes_commands_back),
           CASE(unplugging_with_a_command_under_way),
           CASE(half_a_header_breaks_the_device),
           CASE(devices_that_come_and_go_are_told))
