/*
 * IDE as boards see it: the PIIX3's two channels and what plugs into them.
 * ATA/ATAPI-6 (T13 1410D), SFF-8038i (bus master), Intel 290550 (PIIX3 function 1).
 */
#pragma once

#include "block.h"
#include "pci.h"

extern const BusType ide_bus_type;                  /* "IDE": one channel, units 0 and 1 */
extern const DeviceType piix3_ide_type, ide_hd_type, ide_cd_type;

/* Switches both channels on as firmware does, for direct boot. */
void piix3_ide_firmware_init(Device *ide);

/* What a BIOS wants to know of the hard disks from CMOS; n = 2 * channel + unit. */
typedef struct IdeDiskGeometry {
    uint32_t cyls, heads, secs;
    unsigned translation;               /* 0: none, 1: LBA, 2: large, 3: revised CHS */
} IdeDiskGeometry;
bool piix3_ide_geometry(Device *ide, unsigned n, IdeDiskGeometry *geometry);
