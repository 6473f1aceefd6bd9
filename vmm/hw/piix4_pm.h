/* Intel PIIX4 (82371AB) function 3: ACPI, power management, SMBus (290562). */
#pragma once

#include "pci.h"

extern const DeviceType piix4_pm_type;

#define PIIX4_GPE_BASE  0xafe0
#define PIIX4_SMI_PORT  0xb2
#define PIIX4_ACPI_ENABLE   0xf1        /* values of the SMI command port, named in the FADT */
#define PIIX4_ACPI_DISABLE  0xf0

/* Places the PM registers and switches ACPI mode on, as firmware does, for direct boot. */
void piix4_pm_firmware_init(Device *dev, uint16_t pm_base, uint16_t smbus_base);
