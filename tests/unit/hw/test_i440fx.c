#include "check_main.h"
#include "bare_board.h"

static MemRegion rom;

static void setup(void)
{
    bare_setup();
    bare_add(&i440fx_type, (Bus *)bare_bus, "0.0");
    ck_assert(mem_region_init_rom(&rom, NULL, "rom", 0x60000, NULL));
    memset(rom.ram->host, 0xab, 0x60000);
    mem_region_add(i440fx_pci_memory(bare_host), 0xa0000, &rom);
    devices_reset(&vm);
}

static uint8_t peek(uint32_t addr)
{
    return mem_load(&vm.memory, addr, 1, NULL);
}

static void poke(uint32_t addr, uint8_t value)
{
    mem_store(&vm.memory, addr, value, 1);
}

/* A register's nibble, the first and the last byte of its segment. */
static const struct { uint8_t reg, shift; uint32_t first, last; } segments[] = {
    { 0x59, 4, 0xf0000, 0xfffff },
    { 0x5a, 0, 0xc0000, 0xc3fff }, { 0x5a, 4, 0xc4000, 0xc7fff },
    { 0x5b, 0, 0xc8000, 0xcbfff }, { 0x5b, 4, 0xcc000, 0xcffff },
    { 0x5c, 0, 0xd0000, 0xd3fff }, { 0x5c, 4, 0xd4000, 0xd7fff },
    { 0x5d, 0, 0xd8000, 0xdbfff }, { 0x5d, 4, 0xdc000, 0xdffff },
    { 0x5e, 0, 0xe0000, 0xe3fff }, { 0x5e, 4, 0xe4000, 0xe7fff },
    { 0x5f, 0, 0xe8000, 0xebfff }, { 0x5f, 4, 0xec000, 0xeffff },
};

START_TEST(pam_segment)
{
    uint8_t reg = segments[_i].reg, shift = segments[_i].shift;
    const uint32_t ends[] = { segments[_i].first, segments[_i].last };

    setup();
    for (int n = 0; n < 2; n++) {
        ck_assert_uint_eq(peek(ends[n]), 0xab);
    }
    cfg_out(0, reg, 3 << shift, 1);
    for (int n = 0; n < 2; n++) {
        poke(ends[n], 0x11);
        ck_assert_uint_eq(peek(ends[n]), 0x11);
    }
    if (segments[_i].first > 0xc0000) {
        ck_assert_uint_eq(peek(segments[_i].first - 1), 0xab);
    }
    cfg_out(0, reg, 1 << shift, 1);                     /* read only */
    poke(ends[0], 0x22);
    ck_assert_uint_eq(peek(ends[0]), 0x11);
    cfg_out(0, reg, 0, 1);
    ck_assert_uint_eq(peek(ends[0]), 0xab);
    cfg_out(0, reg, 3 << shift, 1);
    ck_assert_uint_eq(peek(ends[0]), 0x11);
    devices_reset(&vm);
    ck_assert_uint_eq(peek(ends[0]), 0xab);
}
END_TEST

static const struct { uint8_t write, reads, open; } smram[] = {
    { 0x00, 0x02, false }, { 0x48, 0x4a, true }, { 0x40, 0x42, false }, { 0x08, 0x0a, false },
    { 0x58, 0x1a, false }, { 0xff, 0x3a, false },
};

START_TEST(smram_row)
{
    setup();
    cfg_out(0, 0x72, smram[_i].write, 1);
    ck_assert_uint_eq(cfg_in(0, 0x72, 1), smram[_i].reads);
    ck_assert_uint_eq(peek(0xa0000), smram[_i].open ? 0 : 0xab);
}
END_TEST

START_TEST(locked_smram_stays_shut)
{
    setup();
    cfg_out(0, 0x72, 0x18, 1);
    cfg_out(0, 0x72, 0x48, 1);
    ck_assert_uint_eq(cfg_in(0, 0x72, 1), 0x1a);
    ck_assert_uint_eq(peek(0xa0000), 0xab);
    ck_assert_uint_eq(mem_load(&vm.smm_memory, 0xa0000, 1, NULL), 0);
    devices_reset(&vm);
    ck_assert_uint_eq(mem_load(&vm.smm_memory, 0xa0000, 1, NULL), 0xab);
}
END_TEST

CHECK_MAIN("hw/i440fx",
           CASES(pam_segment, segments),
           CASES(smram_row, smram),
           CASE(locked_smram_stays_shut))
