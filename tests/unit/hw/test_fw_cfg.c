#include <string.h>

#include "check_main.h"
#include "bare_board.h"

static Device *cfg;

static void setup(void)
{
    bare_setup();
    cfg = bare_add(&fw_cfg_io_type, NULL, NULL);
    ck_assert(fw_cfg_set_file(cfg, "opt/b", "bee", 3, NULL));
    ck_assert(fw_cfg_set_file(cfg, "opt/a", "first", 5, NULL));
    fw_cfg_set_uint(cfg, FW_CFG_NB_CPUS, 0x0102, 2);
}

static const struct { uint16_t key; const char *bytes; size_t len; } items[] = {
    { FW_CFG_SIGNATURE, "QEMU\0\0", 6 },
    { FW_CFG_ID, "\3\0\0\0\0", 5 },
    { FW_CFG_NB_CPUS, "\2\1\0", 3 },
    { 0x20, "first\0", 6 },
    { 0x21, "bee\0", 4 },
    { 0x22, "\0\0", 2 },
    { 0x3fff, "\0", 1 },
    { 0xc020, "\0", 1 },
};

START_TEST(item_row)
{
    setup();
    out(0x510, items[_i].key, 2);
    for (size_t n = 0; n < items[_i].len; n++) {
        ck_assert_uint_eq(in(0x511, 1), (uint8_t)items[_i].bytes[n]);
    }
}
END_TEST

START_TEST(directory_is_sorted_and_big_endian)
{
    uint8_t bytes[4 + 2 * 64];

    setup();
    out(0x510, FW_CFG_FILE_DIR, 2);
    for (size_t n = 0; n < sizeof(bytes); n++) {
        bytes[n] = in(0x511, 1);
    }
    ck_assert_mem_eq(bytes, "\0\0\0\2", 4);
    ck_assert_mem_eq(bytes + 4, "\0\0\0\5\0\x20\0\0opt/a\0", 14);
    ck_assert_mem_eq(bytes + 68, "\0\0\0\3\0\x21\0\0opt/b\0", 14);
}
END_TEST

static const struct {
    uint32_t control, length;
    uint64_t address;
    uint32_t result;
    const char *expected;
    size_t n_expected;
} requests[] = {
    { 0x0020000a, 5, 0x8000, 0, "first.", 6 },
    { 0x0020000a, 8, 0x8000, 0, "first\0\0\0.", 9 },             /* past the end: zeros */
    { 0x00200008, 0, 0x8000, 0, ".", 1 },
    { 0x00000004, 2, 0x8000, 0, ".", 1 },
    { 0x00210010, 3, 0x8000, 1, ".", 1 },                       /* write */
    { 0x0020000a, 0xffffffff, BARE_RAM - 16, 1, ".", 1 },       /* runs off the end of memory */
};

START_TEST(dma_row)
{
    struct { uint32_t control, length; uint64_t address; } request = {
        GUINT32_TO_BE(requests[_i].control), GUINT32_TO_BE(requests[_i].length),
        GUINT64_TO_BE(requests[_i].address),
    };
    uint32_t result;

    setup();
    memset(bare_ram.ram->host + 0x8000, '.', 16);
    mem_write(&vm.memory, 0x7000, &request, sizeof(request));
    out(0x514, 0, 4);
    out(0x518, GUINT32_TO_BE(0x7000), 4);
    mem_read(&vm.memory, 0x7000, &result, sizeof(result));
    ck_assert_uint_eq(GUINT32_FROM_BE(result), requests[_i].result);
    ck_assert_mem_eq(bare_ram.ram->host + 0x8000, requests[_i].expected, requests[_i].n_expected);
}
END_TEST

START_TEST(dma_register_reads_its_signature)
{
    setup();
    ck_assert_uint_eq(in(0x514, 1), 'Q');
    ck_assert_uint_eq(in(0x51b, 1), 'G');
    ck_assert_uint_eq(in(0x514, 4), GUINT32_FROM_LE(0x554d4551));
}
END_TEST

START_TEST(the_directory_fills_up)
{
    setup();
    for (int n = 2; n < 32; n++) {
        g_autofree char *name = g_strdup_printf("opt/%d", n);

        ck_assert(fw_cfg_set_file(cfg, name, "", 0, NULL));
    }
    ck_assert(!fw_cfg_set_file(cfg, "opt/x", "", 0, NULL));
    ck_assert(fw_cfg_set_file(cfg, "opt/a", "again", 5, NULL));
}
END_TEST

CHECK_MAIN("hw/fw_cfg",
           CASES(item_row, items),
           CASE(directory_is_sorted_and_big_endian),
           CASES(dma_row, requests),
           CASE(dma_register_reads_its_signature),
           CASE(the_directory_fills_up))
