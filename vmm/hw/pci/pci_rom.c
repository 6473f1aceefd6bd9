/* Expansion ROM images: PCI Firmware Specification 3.0, chapter 5.1; PCI Local Bus 3.0, 6.3.1. */
#include "pci.h"

#include <string.h>

/* The header of an image, then the structure it points at. */
enum {
    ROM_SIGNATURE = 0x00, ROM_SPARE = 0x06, ROM_PCIR = 0x18, ROM_HEADER_SIZE = 0x1a,
    PCIR_VENDOR = 0x04, PCIR_DEVICE = 0x06, PCIR_LENGTH = 0x10, PCIR_CODE_TYPE = 0x14,
    PCIR_INDICATOR = 0x15, PCIR_SIZE = 0x18,
};
#define ROM_MAGIC           0xaa55
#define ROM_UNIT            512
#define PCIR_CODE_PC        0
#define PCIR_LAST           0x80

/* A PC image sums up to zero; a byte its header leaves to the maker makes up for the change. */
static void image_set(uint8_t *image, uint8_t *field, uint16_t value, bool summed)
{
    uint8_t change = field[0] + field[1] - (value & 0xff) - (value >> 8);

    pci_set_word(field, value);
    if (summed) {
        image[ROM_SPARE] += change;
    }
}

void pci_rom_set_identity(uint8_t *rom, size_t size, uint16_t vendor, uint16_t device)
{
    size_t at = 0;

    while (at + ROM_HEADER_SIZE <= size && pci_get_word(rom + at + ROM_SIGNATURE) == ROM_MAGIC) {
        uint8_t *image = rom + at;
        size_t pcir_at = pci_get_word(image + ROM_PCIR);

        if (at + pcir_at + PCIR_SIZE > size || memcmp(image + pcir_at, "PCIR", 4)) {
            return;
        }
        uint8_t *pcir = image + pcir_at;
        size_t len = (size_t)pci_get_word(pcir + PCIR_LENGTH) * ROM_UNIT;
        bool summed = pcir[PCIR_CODE_TYPE] == PCIR_CODE_PC;
        image_set(image, pcir + PCIR_VENDOR, vendor, summed);
        image_set(image, pcir + PCIR_DEVICE, device, summed);
        if (pcir[PCIR_INDICATOR] & PCIR_LAST || !len) {
            return;
        }
        at += len;
    }
}
