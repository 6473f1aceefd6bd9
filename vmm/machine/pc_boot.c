/*
 * What the pc board tells its firmware about booting: CMOS letters, the paths of devices with a
 * bootindex, menu, splash and waiting times.
 */
#include <string.h>

#include "fw_cfg.h"
#include "mc146818.h"
#include "pc.h"
#include "rhea_error.h"
#include "rom.h"
#include "sizes.h"

enum { CMOS_BOOT_THIRD = 0x38, CMOS_BOOT_FIRST = 0x3d };
#define SPLASH_MAX (16 * MIB)

/* Up to three of: a, b floppy; c disk; d CD-ROM; n to p network. */
bool pc_set_boot_order(Vm *vm, const char *order, GError **error)
{
    static const struct { char letter; uint8_t code; } devices[] = {
        { 'a', 1 }, { 'b', 1 }, { 'c', 2 }, { 'd', 3 }, { 'n', 4 }, { 'o', 4 }, { 'p', 4 },
    };
    Device *rtc = pc_board(vm)->rtc;
    uint8_t codes[3] = { 0 };

    if (strlen(order) > G_N_ELEMENTS(codes)) {
        set_error(error, "Too many boot devices for PC");
        return false;
    }
    for (unsigned i = 0; order[i]; i++) {
        for (size_t n = 0; n < G_N_ELEMENTS(devices); n++) {
            codes[i] = order[i] == devices[n].letter ? devices[n].code : codes[i];
        }
        if (!codes[i]) {
            set_error(error, "Invalid boot device for PC: '%c'", order[i]);
            return false;
        }
    }
    mc146818_set_cmos(rtc, CMOS_BOOT_FIRST, codes[1] << 4 | codes[0]);
    mc146818_set_cmos(rtc, CMOS_BOOT_THIRD, codes[2] << 4);
    return true;
}

/* "bootorder": paths, one to a line, the last without its newline but with a NUL. */
static bool fill_boot_order(PcBoard *pc, GError **error)
{
    Vm *vm = pc->vm;
    g_autofree char *order = devices_boot_order(vm);
    g_autofree char *whole = g_strconcat(order ? order : "", vm->config.boot_strict ? "HALT" : "",
                                         NULL);
    size_t len = strlen(whole);

    if (len && whole[len - 1] == '\n') {
        whole[len - 1] = '\0';
    }
    return fw_cfg_set_file(vm->fw_cfg, "bootorder", whole, len ? strlen(whole) + 1 : 0, error);
}

/*
 * A bootindex may have changed, devices come and gone.  -boot once= ends with the first reset after
 * the one that starts the machine.
 */
static void pc_boot_reset(void *opaque)
{
    PcBoard *pc = opaque;
    const VmConfig *config = &pc->vm->config;
    g_autoptr(GError) error = NULL;

    if (!fill_boot_order(pc, &error)) {
        report_error(error);
    }
    if (pc->boots < 2) {
        pc->boots++;
    }
    if (pc->boots == 2 && config->boot_once) {
        pc_set_boot_order(pc->vm, config->boot_order ? config->boot_order : PC_BOOT_ORDER, NULL);
        pc->boots++;
    }
}

static bool fill_splash(Vm *vm, GError **error)
{
    static const uint8_t jpeg[] = { 0xff, 0xd8 };
    const char *file = vm->config.boot_splash;
    g_autoptr(GBytes) picture = NULL;
    const uint8_t *data;
    bool is_jpeg, is_bmp;
    size_t len;

    if (!file) {
        return true;
    }
    picture = rom_load(vm, file, SPLASH_MAX, error);
    if (!picture) {
        g_prefix_error(error, "failed to find file '%s': ", file);
        return false;
    }
    data = g_bytes_get_data(picture, &len);
    is_jpeg = len > 2 && memcmp(data, jpeg, 2) == 0;
    is_bmp = len > 2 && memcmp(data, "BM", 2) == 0;
    if (!is_jpeg && !is_bmp) {
        set_error(error, "splash file '%s' format not recognized; must be JPEG or 24 bit BMP",
                  file);
        return false;
    }
    return fw_cfg_set_file(vm->fw_cfg, is_jpeg ? "bootsplash.jpg" : "bootsplash.bmp", data, len,
                           error);
}

bool pc_fill_boot(PcBoard *pc, GError **error)
{
    Vm *vm = pc->vm;
    const VmConfig *config = &vm->config;
    const char *order = config->boot_order ? config->boot_order : PC_BOOT_ORDER;
    uint8_t wait[2] = { config->boot_splash_ms, config->boot_splash_ms >> 8 };

    /* The later order is checked now, so that it can be set later. */
    if (!pc_set_boot_order(vm, order, error) ||
        (config->boot_once && !pc_set_boot_order(vm, config->boot_once, error))) {
        return false;
    }
    vm_add_reset(vm, pc_boot_reset, pc);
    fw_cfg_set_uint(vm->fw_cfg, FW_CFG_BOOT_MENU, config->boot_menu, 2);
    return fill_boot_order(pc, error) && fill_splash(vm, error) &&
           (config->boot_splash_ms < 0 ||
            fw_cfg_set_file(vm->fw_cfg, "etc/boot-menu-wait", wait, sizeof(wait), error)) &&
           fw_cfg_set_file(vm->fw_cfg, "etc/boot-fail-wait", &config->boot_retry_ms,
                           sizeof(config->boot_retry_ms), error);
}
