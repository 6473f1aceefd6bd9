#include "check_main.h"
#include "i8257.h"
#include "isa_board.h"

static void dma_board(void)
{
    isa_board(&i8257_type);
    ck_assert(i8257_pair_new(&vm, isa, NULL));
    devices_reset(&vm);
}

/* Address and count ports of each channel, and its page. */
static const struct { uint16_t address, count, page, clear; } channels[] = {
    { 0x00, 0x01, 0x87, 0x0c }, { 0x02, 0x03, 0x83, 0x0c }, { 0x04, 0x05, 0x81, 0x0c },
    { 0x06, 0x07, 0x82, 0x0c }, { 0xc0, 0xc2, 0x8f, 0xd8 }, { 0xc4, 0xc6, 0x8b, 0xd8 },
    { 0xc8, 0xca, 0x89, 0xd8 }, { 0xcc, 0xce, 0x8a, 0xd8 },
};

START_TEST(a_channel_keeps_its_registers)
{
    dma_board();
    out8(channels[_i].clear, 0);
    out8(channels[_i].address, 0x34);
    out8(channels[_i].address, 0x12);
    out8(channels[_i].count, 0xff);
    out8(channels[_i].count, 0x01);
    out8(channels[_i].page, 0x56);
    ck_assert_uint_eq(in8(channels[_i].address), 0x34);
    ck_assert_uint_eq(in8(channels[_i].address), 0x12);
    ck_assert_uint_eq(in8(channels[_i].count), 0xff);
    ck_assert_uint_eq(in8(channels[_i].count), 0x01);
    ck_assert_uint_eq(in8(channels[_i].page), 0x56);
}
END_TEST

START_TEST(masks)
{
    dma_board();
    ck_assert_uint_eq(in8(0x0f), 0x0f);
    out8(0x0a, 0x02);
    ck_assert_uint_eq(in8(0x0f), 0x0b);
    out8(0x0a, 0x06);
    ck_assert_uint_eq(in8(0x0f), 0x0f);
    out8(0x0e, 0);
    ck_assert_uint_eq(in8(0x0f), 0);
    out8(0x0d, 0);
    ck_assert_uint_eq(in8(0x0f), 0x0f);
    ck_assert_uint_eq(in8(0xde), 0x0f);
}
END_TEST

CHECK_MAIN("i8257", CASES(a_channel_keeps_its_registers, channels), CASE(masks))
