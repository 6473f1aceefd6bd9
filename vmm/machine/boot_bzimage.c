/*
 * Linux bzImage (Linux documentation: "The Linux/x86 Boot Protocol" and "zero page").
 *
 * The 64-bit entry is taken where the image offers one, the 32-bit entry otherwise.  Images older
 * than protocol 2.05, or with a kernel below 1 MiB, are refused: they need real-mode firmware.
 */
#include <string.h>

#include "boot.h"
#include "rhea_error.h"
#include "sizes.h"
#include "vga_text_mode.h"

enum {
    SETUP_SECTS = 0x1f1, VID_MODE = 0x1fa, BOOT_FLAG = 0x1fe, JUMP_LENGTH = 0x201, HEADER = 0x202,
    VERSION = 0x206, TYPE_OF_LOADER = 0x210, LOADFLAGS = 0x211, CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c,
    RELOCATABLE = 0x234, XLOADFLAGS = 0x236, CMDLINE_SIZE = 0x238, PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260, HEADER_END = 0x268,
    /* boot_params beside the header; the first ones are its screen_info */
    CURSOR_X = 0x000, CURSOR_Y = 0x001, VIDEO_MODE = 0x006, VIDEO_COLUMNS = 0x007, EGA_BX = 0x00a,
    VIDEO_ROWS = 0x00e, VIDEO_IS_VGA = 0x00f, VIDEO_POINTS = 0x010,
    ACPI_RSDP_ADDR = 0x070, ALT_MEM_K = 0x1e0, E820_ENTRIES = 0x1e8, E820_TABLE = 0x2d0,
    BOOT_PARAMS_SIZE = 0x1000,
};

#define LOADFLAGS_LOADED_HIGH   0x01
#define XLF_KERNEL_64           0x0001
#define LOADER_UNDEFINED        0xff
#define VID_MODE_NORMAL         0xffff
#define ENTRY64_OFFSET          0x200
#define EGA_BX_COLOR_256K       0x0003      /* INT 10h function 12h, BL = 10h: color, 256 KiB */

#define PROTOCOL_RELOCATABLE    0x205
#define PROTOCOL_CMDLINE_SIZE   0x206
#define PROTOCOL_PREF_ADDRESS   0x20a
#define PROTOCOL_XLOADFLAGS     0x20c

static uint64_t field(const BootPlan *plan, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, plan->head + offset, size);
    return value;
}

static void put(uint8_t *params, unsigned offset, uint64_t value, unsigned size)
{
    memcpy(params + offset, &value, size);
}

static bool bzimage_matches(const BootPlan *plan)
{
    return plan->head_bytes >= HEADER + 4 && memcmp(plan->head + HEADER, "HdrS", 4) == 0;
}

typedef struct BzImage {
    unsigned version;
    uint64_t setup_bytes, payload_bytes, load_addr, run_bytes;
    uint64_t initrd_addr, initrd_bytes;
    bool long_mode;
} BzImage;

static bool bzimage_check(BootPlan *plan, BzImage *image, GError **error)
{
    unsigned sectors = plan->head[SETUP_SECTS];

    image->version = field(plan, VERSION, 2);
    image->setup_bytes = ((sectors ? sectors : 4) + 1) * 512;       /* 0 means 4, for old images */
    if (plan->head_bytes < HEADER_END || image->setup_bytes >= plan->kernel.size_bytes) {
        set_error(error, "'%s' is a truncated Linux image", plan->kernel.path);
        return false;
    }
    if (image->version < PROTOCOL_RELOCATABLE ||
        !(plan->head[LOADFLAGS] & LOADFLAGS_LOADED_HIGH)) {
        set_error(error, "'%s' has Linux boot protocol %u.%02u and needs a BIOS to start it",
                  plan->kernel.path, image->version >> 8, image->version & 0xff);
        error_add_hint(error, "images of protocol 2.05 and later that load above 1 MiB can be "
                       "booted directly");
        return false;
    }
    image->payload_bytes = plan->kernel.size_bytes - image->setup_bytes;
    image->long_mode = image->version >= PROTOCOL_XLOADFLAGS &&
                       field(plan, XLOADFLAGS, 2) & XLF_KERNEL_64;
    return true;
}

static bool bzimage_place(BootPlan *plan, BzImage *image, GError **error)
{
    bool has_pref = image->version >= PROTOCOL_PREF_ADDRESS;
    uint64_t run = has_pref ? field(plan, INIT_SIZE, 4) : 0;

    image->load_addr = BOOT_HIGH;
    if (has_pref && plan->head[RELOCATABLE]) {
        image->load_addr = MAX(field(plan, PREF_ADDRESS, 8), BOOT_HIGH);
    }
    image->run_bytes = MAX(run, image->payload_bytes);
    return boot_add(plan, &(BootPiece){
        .what = "kernel", .addr = image->load_addr, .size_bytes = image->payload_bytes,
        .spare_bytes = image->run_bytes - image->payload_bytes,
        .file = &plan->kernel, .file_offset = image->setup_bytes,
    }, error);
}

static bool bzimage_cmdline(BootPlan *plan, const BzImage *image, GError **error)
{
    const char *text = plan->vm->config.append ? plan->vm->config.append : "";

    return boot_add_cmdline(plan, text, image->version >= PROTOCOL_CMDLINE_SIZE
                            ? field(plan, CMDLINE_SIZE, 4) : 255, error);
}

/* The text mode that direct boot leaves a VGA in: what the kernel would ask the BIOS for. */
static void put_screen(uint8_t *params, Vm *vm)
{
    if (vga_is_present(vm)) {
        params[VIDEO_MODE] = VGA_TEXT_MODE;
        params[VIDEO_COLUMNS] = VGA_TEXT_COLUMNS;
        params[VIDEO_ROWS] = VGA_TEXT_ROWS;
        params[VIDEO_IS_VGA] = 1;
        put(params, VIDEO_POINTS, VGA_TEXT_POINTS, 2);
        put(params, EGA_BX, EGA_BX_COLOR_256K, 2);
        params[CURSOR_X] = params[CURSOR_Y] = 0;
    }
}

/* The zero page. */
static bool bzimage_params(BootPlan *plan, const BzImage *image, GError **error)
{
    g_autofree uint8_t *params = g_malloc0(BOOT_PARAMS_SIZE);
    unsigned end = MIN(HEADER + plan->head[JUMP_LENGTH], 0x290);
    uint64_t high_kib = (plan->high_end - BOOT_HIGH) / KIB;

    memcpy(params + SETUP_SECTS, plan->head + SETUP_SECTS, MAX(end, HEADER_END) - SETUP_SECTS);
    put_screen(params, plan->vm);
    params[TYPE_OF_LOADER] = LOADER_UNDEFINED;
    put(params, VID_MODE, VID_MODE_NORMAL, 2);
    put(params, CODE32_START, image->load_addr, 4);
    put(params, RAMDISK_IMAGE, image->initrd_addr, 4);
    put(params, RAMDISK_SIZE, image->initrd_bytes, 4);
    put(params, CMD_LINE_PTR, BOOT_CMDLINE, 4);
    put(params, ACPI_RSDP_ADDR, plan->rsdp_addr, 8);
    put(params, ALT_MEM_K, MIN(high_kib, UINT32_MAX), 4);
    params[E820_ENTRIES] = plan->e820.count;
    memcpy(params + E820_TABLE, plan->e820.entries, plan->e820.count * sizeof(E820Entry));
    return boot_add_bytes(plan, "boot parameters", BOOT_INFO, params, BOOT_PARAMS_SIZE, error);
}

static bool bzimage_plan(BootPlan *plan, GError **error)
{
    BzImage image = { 0 };

    if (!bzimage_check(plan, &image, error) || !bzimage_place(plan, &image, error) ||
        !boot_add_initrd(plan, image.load_addr + image.run_bytes,
                         field(plan, INITRD_ADDR_MAX, 4) + 1, &image.initrd_addr,
                         &image.initrd_bytes, error) ||
        !bzimage_cmdline(plan, &image, error) || !bzimage_params(plan, &image, error)) {
        return false;
    }
    plan->entry = (BootEntry){
        .long_mode = image.long_mode,
        .rip = image.load_addr + (image.long_mode ? ENTRY64_OFFSET : 0),
        .rsi = BOOT_INFO, .cs = BOOT_CS, .ds = BOOT_DS,
    };
    return true;
}

const BootFormat boot_bzimage = {
    .name = "Linux bzImage", .matches = bzimage_matches, .plan = bzimage_plan,
};
