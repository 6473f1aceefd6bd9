/* What an expansion ROM says it is for. */
#include <string.h>

#include "check_main.h"
#include "pci.h"

#define IMAGE 1024

static uint8_t rom[2 * IMAGE];

static void image(size_t at, uint8_t code_type, bool last)
{
    uint8_t *p = rom + at, sum = 0;

    p[0] = 0x55;
    p[1] = 0xaa;
    p[2] = IMAGE / 512;
    pci_set_word(p + 0x18, 0x40);
    memcpy(p + 0x40, "PCIR", 4);
    pci_set_word(p + 0x44, 0x1af4);
    pci_set_word(p + 0x46, 0x1041);
    pci_set_word(p + 0x50, IMAGE / 512);
    p[0x54] = code_type;
    p[0x55] = last ? 0x80 : 0;
    for (size_t i = 0; i < IMAGE - 1; i++) {
        sum += p[i];
    }
    p[IMAGE - 1] = -sum;
}

static uint8_t sum_of(size_t at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < IMAGE; i++) {
        sum += rom[at + i];
    }
    return sum;
}

START_TEST(every_image_changes_and_sums_up)
{
    image(0, 0, false);
    image(IMAGE, 3, true);
    pci_rom_set_identity(rom, sizeof(rom), 0x8086, 0x100e);
    for (size_t at = 0; at < sizeof(rom); at += IMAGE) {
        ck_assert_uint_eq(pci_get_word(rom + at + 0x44), 0x8086);
        ck_assert_uint_eq(pci_get_word(rom + at + 0x46), 0x100e);
    }
    ck_assert_uint_eq(sum_of(0), 0);
    ck_assert_uint_eq(rom[IMAGE + 6], 0);               /* other kinds have no sum */
}
END_TEST

/* A word of the first image, and how much of the ROM there is: nothing outside is touched. */
static const struct { size_t at; uint16_t value; size_t size; bool changes; } damaged[] = {
    { 0x00, 0x0000, IMAGE, false }, { 0x18, 0xffff, IMAGE, false }, { 0x18, 0x3f0, IMAGE, false },
    { 0x40, 0x0000, IMAGE, false }, { 0x50, 0x0000, IMAGE, true }, { 0x50, 0xffff, IMAGE, true },
    { 0x54, 0x0000, 0x57, false }, { 0x54, 0x0000, 0x10, false }, { 0x54, 0x0000, 1, false },
};

START_TEST(damaged_row)
{
    image(0, 0, false);
    pci_set_word(rom + damaged[_i].at, damaged[_i].value);
    uint8_t *copy = g_memdup2(rom, damaged[_i].size);
    pci_rom_set_identity(copy, damaged[_i].size, 0x8086, 0x100e);
    ck_assert_int_eq(memcmp(copy, rom, damaged[_i].size) != 0, damaged[_i].changes);
    g_free(copy);
}
END_TEST

CHECK_MAIN("hw/pci_rom", CASE(every_image_changes_and_sums_up), CASES(damaged_row, damaged))
