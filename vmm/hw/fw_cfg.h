/*
 * fw_cfg: the machine's description for its firmware, as numbered items and named files.
 *
 * The interface is the published one of QEMU's fw_cfg device (selector and data ports, DMA).
 * Items are added by the board before the guest runs and may be replaced later; the guest only
 * reads.  Machine lock.
 */
#pragma once

#include "device.h"

enum {
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04, FW_CFG_NB_CPUS = 0x05, FW_CFG_MACHINE_ID = 0x06,
    FW_CFG_KERNEL_ADDR = 0x07, FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b, FW_CFG_BOOT_DEVICE = 0x0c, FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e, FW_CFG_MAX_CPUS = 0x0f, FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_FILE_DIR = 0x19, FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_ARCH_LOCAL = 0x8000,
    FW_CFG_ACPI_TABLES = 0x8000, FW_CFG_SMBIOS_ENTRIES = 0x8001, FW_CFG_IRQ0_OVERRIDE = 0x8002,
    FW_CFG_E820_TABLE = 0x8003, FW_CFG_HPET = 0x8004,
};

#define FW_CFG_FILE_NAME_MAX 55

extern const DeviceType fw_cfg_io_type;

/* Sets item `key`; the bytes are copied. */
void fw_cfg_set(Device *dev, uint16_t key, const void *data, size_t len);
void fw_cfg_set_uint(Device *dev, uint16_t key, uint64_t value, unsigned size);  /* little endian */

/* Adds or replaces a file; false when the directory is full or the name too long. */
bool fw_cfg_set_file(Device *dev, const char *name, const void *data, size_t len, GError **error);
