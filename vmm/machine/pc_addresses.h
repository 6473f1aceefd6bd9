/* Where things are on the pc board. */
#pragma once

#define PC_PM_BASE          0x600           /* as firmware places the PIIX4's blocks */
#define PC_SMBUS_BASE       0x700
#define PC_CMOS_CENTURY     0x32
#define PC_IOAPIC_BASE      0xfec00000u
#define PC_HPET_BASE        0xfed00000u
#define PC_LAPIC_BASE       0xfee00000u
#define PC_PCI_HOLE_LAST    0xfebfffffu     /* below the IOAPIC */
#define PC_EBDA             0x9fc00u        /* end of conventional memory */
#define PC_BIOS_END         0x100000u
