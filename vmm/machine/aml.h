/* The little AML that is made at run time: named integers and packages, scopes, processors. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* \SEGMENT = value, at the root of the name space. */
void aml_name_int(GByteArray *aml, const char *segment, uint64_t value);
void aml_name_sleep(GByteArray *aml, const char *segment, uint8_t type);    /* Package { t, t, 0, 0 } */
/* Device (\_SB.Cnnn) with _HID ACPI0007 and _UID. */
void aml_cpu_device(GByteArray *aml, unsigned index);
