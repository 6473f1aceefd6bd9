/* ACPI Specification 2.0, chapter 17 (the AML grammar). */
#include "aml.h"

#include <string.h>

enum {
    AML_NAME_OP = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b, AML_DWORD = 0x0c, AML_STRING = 0x0d,
    AML_QWORD = 0x0e, AML_SCOPE_OP = 0x10, AML_PACKAGE_OP = 0x12, AML_EXT = 0x5b,
    AML_EXT_DEVICE = 0x82, AML_ROOT = '\\',
};

static void aml_byte(GByteArray *aml, uint8_t byte)
{
    g_byte_array_append(aml, &byte, 1);
}

static void aml_segment(GByteArray *aml, const char *segment)
{
    g_assert(strlen(segment) == 4);
    g_byte_array_append(aml, (const uint8_t *)segment, 4);
}

static void aml_int(GByteArray *aml, uint64_t value)
{
    static const struct { uint64_t max; uint8_t prefix, bytes; } forms[] = {
        { UINT8_MAX, AML_BYTE, 1 }, { UINT16_MAX, AML_WORD, 2 }, { UINT32_MAX, AML_DWORD, 4 },
        { UINT64_MAX, AML_QWORD, 8 },
    };
    unsigned form = 0;

    while (value > forms[form].max) {
        form++;
    }
    aml_byte(aml, forms[form].prefix);
    for (unsigned i = 0; i < forms[form].bytes; i++) {
        aml_byte(aml, value >> (8 * i));
    }
}

/* Appends `body` behind its PkgLength (17.2.4), which counts itself. */
static void aml_package_body(GByteArray *aml, const GByteArray *body)
{
    if (body->len + 1 < 0x40) {
        aml_byte(aml, body->len + 1);
    } else {
        uint32_t len = body->len + 2;

        g_assert(len < 0x1000);
        aml_byte(aml, 0x40 | (len & 0x0f));
        aml_byte(aml, len >> 4);
    }
    g_byte_array_append(aml, body->data, body->len);
}

void aml_patch_int(uint8_t *aml, size_t len, const char *segment, uint64_t value, unsigned size)
{
    const uint8_t prefix = size == 1 ? AML_BYTE : AML_DWORD;

    for (size_t at = 0; at + 6 + size <= len; at++) {
        if (aml[at] == AML_NAME_OP && memcmp(aml + at + 1, segment, 4) == 0 &&
            aml[at + 5] == prefix) {
            memcpy(aml + at + 6, &value, size);
            return;
        }
    }
    g_assert_not_reached();
}

void aml_name_sleep(GByteArray *aml, const char *segment, uint8_t type)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    aml_byte(aml, AML_NAME_OP);
    aml_byte(aml, AML_ROOT);
    aml_segment(aml, segment);
    aml_byte(aml, AML_PACKAGE_OP);
    aml_byte(body, 4);
    aml_int(body, type);
    aml_int(body, type);
    aml_int(body, 0);
    aml_int(body, 0);
    aml_package_body(aml, body);
}

void aml_cpu_device(GByteArray *aml, unsigned index)
{
    static const char hid[] = "ACPI0007";
    g_autoptr(GByteArray) scope = g_byte_array_new(), device = g_byte_array_new();
    g_autofree char *segment = g_strdup_printf("C%03X", index);

    aml_segment(device, segment);
    aml_byte(device, AML_NAME_OP);
    aml_segment(device, "_HID");
    aml_byte(device, AML_STRING);
    g_byte_array_append(device, (const uint8_t *)hid, sizeof(hid));
    aml_byte(device, AML_NAME_OP);
    aml_segment(device, "_UID");
    aml_int(device, index);

    aml_byte(scope, AML_ROOT);
    aml_segment(scope, "_SB_");
    aml_byte(scope, AML_EXT);
    aml_byte(scope, AML_EXT_DEVICE);
    aml_package_body(scope, device);

    aml_byte(aml, AML_SCOPE_OP);
    aml_package_body(aml, scope);
}
