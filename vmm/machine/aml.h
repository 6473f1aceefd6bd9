/* The little AML that is made or changed at run time: integers, sleep packages, processors. */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * Gives Name (SEGMENT, integer) in compiled AML another value of the same width (1 or 4 bytes).
 * The name must be there: it is our own ASL.
 */
void aml_patch_int(uint8_t *aml, size_t len, const char *segment, uint64_t value, unsigned size);
/* Package { t, t, 0, 0 } */
void aml_name_sleep(GByteArray *aml, const char *segment, uint8_t type);
/*
 * What hot-plug of `slots` (a bit each) of the PCI root needs: Device (Snn) with _ADR, _SUN, _EJ0 and
 * _DSM for each, and the method of event 1, which notifies those with news and those to be emptied.
 */
void aml_pci_slots(GByteArray *aml, uint32_t slots);
/* Device (\_SB.Cnnn) with _HID ACPI0007 and _UID. */
void aml_cpu_device(GByteArray *aml, unsigned index);
