/*
 * The bare board with a piix3-ide, and disks whose images are files without a name.  Requests end
 * in the default main context: settle() runs it.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bare_board.h"
#include "block.h"
#include "ide.h"
#include "iov.h"
#include "scsi.h"

static Device *ide;

/* The descriptor stays open: tests look into the image with pread(). */
static inline int image_new(uint64_t size)
{
    char path[] = "/tmp/rhea-disk-XXXXXX";
    int fd = mkstemp(path);

    g_assert(fd >= 0 && unlink(path) == 0 && ftruncate(fd, size) == 0);
    return fd;
}

/* Sector n of a patterned image is filled with this byte. */
static inline uint8_t pattern(uint64_t sector)
{
    return sector * 7 + 1;
}

static inline int image_patterned(unsigned sectors)
{
    int fd = image_new((uint64_t)sectors * 512);
    uint8_t buf[512];

    for (unsigned n = 0; n < sectors; n++) {
        memset(buf, pattern(n), sizeof(buf));
        g_assert(pwrite(fd, buf, sizeof(buf), (off_t)n * 512) == sizeof(buf));
    }
    return fd;
}

/* A drive called `id` on the image; `more`: further suboptions of -drive, or "". */
static inline BlockBackend *drive_new(const char *id, int fd, const char *more)
{
    g_autofree char *text = g_strdup_printf("if=none,id=%s,file=/proc/self/fd/%d,format=raw,"
                                            "file.locking=off%s", id, fd, more);
    g_autoptr(GError) error = NULL;
    KeyVal *kv = keyval_parse(text, NULL, &error);
    BlockBackend *blk = kv ? block_drive_new(kv, "ide", false, &error) : NULL;

    if (!blk) {
        g_error("%s: %s", text, error->message);
    }
    return blk;
}

/* A drive that answers with zeroes and forgets what is written. */
static inline BlockBackend *null_drive_new(const char *id, uint64_t size)
{
    g_autofree char *text = g_strdup_printf("if=none,id=%s,driver=null-co,size=%" G_GUINT64_FORMAT
                                            ",read-zeroes=on", id, size);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = block_drive_new(keyval_parse(text, NULL, NULL), "ide", false, &error);

    if (!blk) {
        g_error("%s: %s", text, error->message);
    }
    return blk;
}

/* `props`: "name=value,…"; NULL: none.  Fails the test if the device is refused. */
static inline Device *disk_add(const DeviceType *type, Bus *bus, const char *drive,
                               const char *props)
{
    Device *dev = device_new(&vm, type, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(props ? props : "", NULL, NULL);
    bool ok = !drive || device_set(dev, "drive", drive, &error);

    for (size_t n = 0; ok && n < keyval_count(kv); n++) {
        ok = device_set(dev, keyval_key(kv, n), keyval_value(kv, n), &error);
    }
    if (!ok || !device_realize(dev, bus, &error)) {
        g_error("%s: %s", type->name, error->message);
    }
    return dev;
}

static inline Bus *ide_bus_at(unsigned n)
{
    return bus_find(&vm, n ? "ide.1" : "ide.0", NULL);
}

#define IDE_DEVFN 0x09
#define BM_PORT   0xc000

static inline void disk_board(void)
{
    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    ((PciDevice *)bare_bus->slots[8])->multifunction = true;
    ide = bare_add(&piix3_ide_type, (Bus *)bare_bus, "1.1");
    vm_start(&vm);
}

/* After the drives are there: reset, and the bus master's ports at BM_PORT. */
static inline void disk_board_ready(void)
{
    devices_reset(&vm);
    cfg_out(IDE_DEVFN, 0x20, BM_PORT, 4);
    cfg_out(IDE_DEVFN, 0x04, 0x05, 2);
}

#define settle(condition_) \
    do { \
        while (!(condition_)) { \
            g_main_context_iteration(NULL, TRUE); \
        } \
    } while (0)
