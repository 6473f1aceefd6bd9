/* -drive lines, media, and the devices drives are given to. */
#include "backend.h"
#include "check_main.h"
#include "image.h"

#define SIZE (64 * 1024)

static char *with_image(const char *text, const char *image)
{
    g_auto(GStrv) parts = g_strsplit(text, "%", -1);

    return g_strjoinv(image, parts);
}

static BlockBackend *drive(const char *text, const char *image, GError **error)
{
    g_autofree char *full = with_image(text, image);
    g_autoptr(KeyVal) kv = keyval_parse(full, NULL, error);

    return kv != NULL ? block_drive_new(kv, "ide", false, error) : NULL;
}

static const struct { const char *text, *name, *error; int bus, unit; } lines[] = {
    { "file=%,format=raw", "ide0-hd0", NULL, 0, 0 },
    { "file=%,format=raw,index=3", "ide1-hd1", NULL, 1, 1 },
    { "file=%,format=raw,index=2,media=cdrom", "ide1-cd0", NULL, 1, 0 },
    { "file=%,format=raw,bus=1,unit=1", "ide1-hd1", NULL, 1, 1 },
    { "file=%,format=raw,if=virtio", "virtio0", NULL, 0, 0 },
    { "file=%,format=raw,if=virtio,index=5", "virtio5", NULL, 0, 5 },
    { "file=%,format=raw,if=none", "none0", NULL, 0, 0 },
    { "file=%,format=raw,if=scsi,index=9", "scsi1-hd2", NULL, 1, 2 },
    { "file=%,format=raw,if=none,id=x", "x", NULL, 0, 0 },
    { "if=none,id=x", "x", NULL, 0, 0 },
    { "file=,if=none,id=x", "x", NULL, 0, 0 },
    { "driver=null-co,if=none,id=x,size=1M", "x", NULL, 0, 0 },
    { "file.filename=%,format=raw,if=none,id=x", "x", NULL, 0, 0 },
    { "file=%,format=raw,cache=bogus", NULL, "invalid cache option", 0, 0 },
    { "file=%,format=raw,if=bogus", NULL, "unsupported bus type 'bogus'", 0, 0 },
    { "file=%,format=raw,media=bogus", NULL, "'bogus' invalid media", 0, 0 },
    { "file=%,format=bogus", NULL, "Unknown driver 'bogus'", 0, 0 },
    { "file=%,format=raw,bogus=1", NULL,
      "Block format 'raw' does not support the option 'bogus'", 0, 0 },
    { "file=%,format=raw,file.bogus=1", NULL,
      "Block protocol 'file' doesn't support the option 'bogus'", 0, 0 },
    { "file=%,format=raw,id=1x", NULL, "Parameter 'id' expects an identifier", 0, 0 },
    { "file=%,format=raw,snapshot=maybe", NULL, "Parameter 'snapshot' expects 'on' or 'off'", 0,
      0 },
    { "file=%,format=raw,aio=native", NULL, "aio=native was specified, but it requires "
      "cache.direct=on, which was not specified.", 0, 0 },
    { "file=%,format=raw,aio=foo", NULL, "invalid aio option", 0, 0 },
    { "file=%,format=raw,discard=foo", NULL, "Invalid discard option", 0, 0 },
    { "file=%,format=raw,werror=foo", NULL, "'foo' invalid write error action", 0, 0 },
    { "file=%,format=raw,rerror=enospc", NULL, "'enospc' invalid read error action", 0, 0 },
    { "file=%,format=raw,unit=2", NULL, "unit 2 too big (max is 1)", 0, 0 },
    { "file=%,format=raw,index=1,unit=1", NULL, "index cannot be used with bus and unit", 0, 0 },
    { "file=%,format=raw,copy-on-read=on", NULL, "copy-on-read is not supported", 0, 0 },
    { "file=%,format=raw,throttling.iops-total=100,iops-max=200", NULL,
      "Block format 'raw' does not support the option 'iops-max'", 0, 0 },
    { "file=%,format=raw,bps=5,throttling.bps-read=4", NULL,
      "bps/iops/max total values and read/write values cannot be used at the same time", 0, 0 },
    { "file=%,format=raw,iops=x", NULL, "Parameter 'iops': 'x' is not a number", 0, 0 },
    { "help", NULL, "Must specify either driver or file", 0, 0 },
};

START_TEST(line_row)
{
    char *image = image_new(SIZE);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = drive(lines[_i].text, image, &error);

    if (lines[_i].error != NULL) {
        ck_assert_ptr_null(blk);
        ck_assert_msg(g_str_has_prefix(error->message, lines[_i].error), "'%s' is not '%s'",
                      error->message, lines[_i].error);
    } else {
        BlockDriveInfo info;

        ck_assert_msg(blk != NULL, "%s", error != NULL ? error->message : "");
        block_drive_info(blk, &info);
        ck_assert_str_eq(block_backend_name(blk), lines[_i].name);
        ck_assert_int_eq(info.bus, lines[_i].bus);
        ck_assert_int_eq(info.unit, lines[_i].unit);
        block_backend_free(blk);
    }
    ck_assert_uint_eq(block_backends()->len, 0);
    ck_assert_uint_eq(block_nodes()->len, 0);
    image_free(image);
}
END_TEST

static const struct { const char *mode; bool write_cache, direct, no_flush; } caches[] = {
    { "writeback", true, false, false }, { "none", true, true, false },
    { "unsafe", true, false, true }, { "writethrough", false, false, false },
    { "directsync", false, true, false }, { "writeback,cache.direct=on", true, true, false },
};

START_TEST(cache_row)
{
    char *image = image_new(SIZE);
    g_autofree char *line = g_strdup_printf("file=%%,format=raw,cache=%s", caches[_i].mode);
    BlockBackend *blk = drive(line, image, NULL);

    ck_assert_ptr_nonnull(blk);
    ck_assert_int_eq(block_backend_write_cache(blk), caches[_i].write_cache);
    ck_assert_int_eq(block_backend_node(blk)->file->direct, caches[_i].direct);
    ck_assert_int_eq(block_backend_node(blk)->file->no_flush, caches[_i].no_flush);
    block_backend_free(blk);
    image_free(image);
}
END_TEST

/* Names and places are given once; the next free place is found. */
START_TEST(places)
{
    char *image = image_new(SIZE);
    g_autoptr(GError) error = NULL;
    const char *names[] = { "ide0-hd0", "ide0-hd1", "ide1-hd0" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        ck_assert_ptr_nonnull(drive("file=%,format=raw,readonly=on", image, NULL));
        ck_assert_ptr_nonnull(block_backend_find(names[i]));
    }
    ck_assert_ptr_null(drive("file=%,format=raw,index=1", image, &error));
    ck_assert_str_eq(error->message, "drive with bus=0, unit=1 (index=1) exists");
    g_clear_error(&error);
    ck_assert_ptr_null(drive("if=none,id=ide0-hd0", image, &error));
    ck_assert_str_eq(error->message, "Duplicate ID 'ide0-hd0' for drive");
    block_close_all();
    ck_assert_uint_eq(block_nodes()->len, 0);
    image_free(image);
}
END_TEST

/* ---- a device with a tray ---- */

typedef struct Player {
    Device dev;
    bool open, locked, loaded;
    unsigned asked;
} Player;

static void player_changed(void *opaque, bool loaded)
{
    Player *player = opaque;

    player->open = !loaded && !player->open;
    player->loaded = loaded;
}

static void player_asked(void *opaque, bool force)
{
    ((Player *)opaque)->asked++;
}

static bool player_open(void *opaque)
{
    return ((Player *)opaque)->open;
}

static bool player_locked(void *opaque)
{
    return ((Player *)opaque)->locked;
}

static const BlockDeviceOps player_ops = {
    .media_changed = player_changed, .eject_request = player_asked, .tray_open = player_open,
    .locked = player_locked,
};

START_TEST(tray)
{
    char *image = image_new(SIZE), *other = image_new(512);
    BlockBackend *blk = drive("file=%,format=raw,media=cdrom,id=cd", image, NULL);
    Player player = { .locked = true };
    BlockAttach attach = { &player.dev, &player_ops, &player, .read_only = true,
                           .removable = true };
    g_autoptr(GError) error = NULL;

    ck_assert(block_backend_attach(blk, &attach, NULL));
    ck_assert(!block_backend_eject(blk, false, &error));
    ck_assert_str_eq(error->message, "Device 'cd' is locked and force was not specified, wait for "
                     "tray to open and try again");
    ck_assert_uint_eq(player.asked, 1);
    ck_assert(block_backend_eject(blk, true, NULL));
    ck_assert(player.open && block_backend_node(blk) == NULL);
    player.locked = false;
    g_clear_error(&error);
    ck_assert(!block_backend_change(blk, "/nosuch", "raw", NULL, false, &error));
    ck_assert(block_backend_change(blk, other, "raw", NULL, false, NULL));
    ck_assert(player.loaded && !player.open);
    ck_assert_uint_eq(block_backend_size(blk), 512);
    g_clear_error(&error);
    ck_assert(!block_backend_insert_medium(blk, "nosuch", &error));
    ck_assert_str_eq(error->message, "Node 'nosuch' not found");
    ck_assert(!block_backend_remove_medium(blk, NULL));         /* the tray is closed */
    block_backend_detach(blk);
    block_backend_free(blk);
    image_free(image);
    image_free(other);
}
END_TEST

START_TEST(fixed_disk)
{
    char *image = image_new(SIZE);
    BlockBackend *blk = drive("file=%,format=raw,id=hd", image, NULL);
    Player player = { .dev = { .vm = NULL } };
    BlockAttach attach = { .dev = &player.dev };
    g_autoptr(GError) error = NULL;

    ck_assert(block_backend_attach(blk, &attach, NULL));
    ck_assert(!block_backend_attach(blk, &attach, &error));
    ck_assert_str_eq(error->message, "Drive 'hd' is already in use by another device");
    g_clear_error(&error);
    ck_assert(!block_backend_eject(blk, true, &error));
    ck_assert_str_eq(error->message, "Device 'hd' is not removable");
    ck_assert(!block_backend_delete(blk, NULL));
    ck_assert(block_backend_resize(blk, 2 * SIZE, NULL));
    ck_assert_uint_eq(block_backend_size(blk), 2 * SIZE);
    ck_assert(block_drive_delete("hd", NULL));              /* the device keeps an empty drive */
    ck_assert_ptr_null(block_backend_find("hd"));
    ck_assert_ptr_null(block_backend_node(blk));
    block_backend_detach(blk);
    block_backend_free(blk);
    image_free(image);
}
END_TEST

/* ---- sizes of sectors, geometry ---- */

static const struct { uint32_t logical, physical, min_io; const char *error; } sectors[] = {
    { 0, 0, 0, NULL },
    { 4096, 0, 0, NULL },
    { 512, 4096, 4096, NULL },
    { 100, 0, 0, "Property .logical_block_size doesn't take value 100 (minimum: 512, maximum: "
                 "2097152)" },
    { 1536, 0, 0, "Property .logical_block_size doesn't take value '1536', it's not a power of 2" },
    { 4096, 512, 0, "logical_block_size > physical_block_size not supported" },
    { 0, 0, 100, "min_io_size must be a multiple of logical_block_size" },
};

START_TEST(sector_row)
{
    char *image = image_new(SIZE);
    Player player = { .dev = { .vm = NULL } };
    BlockAttach attach = { .dev = &player.dev };
    BlockConf conf = { .blk = drive("file=%,format=raw", image, NULL),
                       .logical_block_size = sectors[_i].logical,
                       .physical_block_size = sectors[_i].physical,
                       .min_io_size = sectors[_i].min_io, .discard_granularity = UINT32_MAX,
                       .rerror = BLOCK_ERROR_AUTO, .werror = BLOCK_ERROR_STOP };
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(block_conf_realize(&conf, &attach, &error), sectors[_i].error == NULL);
    if (error != NULL) {
        ck_assert_str_eq(error->message, sectors[_i].error);
    } else {
        ck_assert_uint_ge(conf.logical_block_size, 512);
        ck_assert_uint_ge(conf.physical_block_size, conf.logical_block_size);
        ck_assert_int_eq(conf.blk->werror, BLOCK_ERROR_STOP);
        ck_assert_int_eq(conf.blk->rerror, BLOCK_ERROR_REPORT);
        block_backend_detach(conf.blk);
    }
    block_backend_free(conf.blk);
    image_free(image);
}
END_TEST

static const struct { uint64_t size; uint32_t cyls, heads, secs; } geometries[] = {
    { UINT64_C(1) << 30, 2080, 16, 63 },
    { UINT64_C(1) << 40, 16383, 16, 63 },
    { 65536, 2, 16, 63 },
};

START_TEST(geometry_row)
{
    g_autofree char *line =
        g_strdup_printf("driver=null-co,read-zeroes=on,size=%" G_GUINT64_FORMAT,
                        geometries[_i].size);
    BlockConf conf = { .blk = drive(line, "", NULL) };

    block_conf_geometry(&conf);
    ck_assert_uint_eq(conf.cyls, geometries[_i].cyls);
    ck_assert_uint_eq(conf.heads, geometries[_i].heads);
    ck_assert_uint_eq(conf.secs, geometries[_i].secs);
    block_backend_free(conf.blk);
}
END_TEST

CHECK_MAIN("block/drive", CASES(line_row, lines), CASES(cache_row, caches), CASE(places),
           CASE(tray), CASE(fixed_disk), CASES(sector_row, sectors),
           CASES(geometry_row, geometries))
