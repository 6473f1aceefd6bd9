#include "check_main.h"
#include "pc.h"
#include "sizes.h"

static const AccelOps keeps_nothing = { .name = "none" };

static const struct {
    const AccelOps *engine;
    void (*describe)(const PcBoard *pc, E820Map *map);
    uint64_t above_4g;
    const char *map;                    /* "type:addr-end …" */
} maps[] = {
    { &keeps_nothing, pc_firmware_e820, 0, "1:0-8000000 " },
    { &keeps_nothing, pc_firmware_e820, GIB, "1:0-8000000 1:100000000-140000000 " },
    { &accel_tcg, pc_firmware_e820, 0, "1:0-8000000 " },
    { &accel_kvm, pc_firmware_e820, 0, "1:0-8000000 2:feffc000-ff000000 " },
    { &accel_kvm, pc_firmware_e820, GIB,
      "1:0-8000000 2:feffc000-ff000000 1:100000000-140000000 " },
    { &keeps_nothing, pc_direct_e820, GIB,
      "1:0-9fc00 2:9fc00-a0000 2:f0000-100000 1:100000-7ff0000 2:7ff0000-8000000 "
      "1:100000000-140000000 " },
    { &accel_kvm, pc_direct_e820, GIB,
      "1:0-9fc00 2:9fc00-a0000 2:f0000-100000 1:100000-7ff0000 2:7ff0000-8000000 "
      "2:feffc000-ff000000 1:100000000-140000000 " },
};

START_TEST(map_row)
{
    Vm vm = { .accel = maps[_i].engine, .ram_below_4g = 128 * MIB,
              .ram_above_4g = maps[_i].above_4g };
    PcBoard pc = { .vm = &vm, .acpi_addr = 128 * MIB - 64 * KIB };
    g_autoptr(GString) text = g_string_new(NULL);
    E820Map map = { 0 };

    maps[_i].describe(&pc, &map);
    for (unsigned i = 0; i < map.count; i++) {
        const E820Entry *entry = &map.entries[i];

        g_string_append_printf(text, "%u:%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x ",
                               entry->type, entry->addr, entry->addr + entry->size_bytes);
    }
    ck_assert_str_eq(text->str, maps[_i].map);
}
END_TEST

CHECK_MAIN("machine/e820", CASES(map_row, maps))
