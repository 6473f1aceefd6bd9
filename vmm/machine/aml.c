/* ACPI Specification 2.0, chapter 17 (the AML grammar). */
#include "aml.h"

#include <string.h>

enum {
    AML_ZERO = 0x00, AML_NAME_OP = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b, AML_DWORD = 0x0c, AML_STRING = 0x0d,
    AML_QWORD = 0x0e, AML_SCOPE_OP = 0x10, AML_PACKAGE_OP = 0x12, AML_EXT = 0x5b,
    AML_EXT_DEVICE = 0x82, AML_ROOT = '\\', AML_DUAL_NAME = 0x2e, AML_MULTI_NAME, AML_METHOD_OP = 0x14,
    AML_ARG0 = 0x68, AML_ARG1, AML_ARG2, AML_ARG3, AML_AND = 0x7b, AML_NOTIFY = 0x86,
    AML_IF = 0xa0, AML_RETURN = 0xa4,
};
#define AML_METHOD_SERIALIZED 0x08

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
    unsigned bytes = body->len + 1 < 0x40 ? 0 : body->len + 2 < 0x1000 ? 1 : 2;
    uint32_t len = body->len + 1 + bytes;

    g_assert(len < 0x100000);
    aml_byte(aml, bytes == 0 ? len : bytes << 6 | (len & 0x0f));
    for (unsigned i = 0; i < bytes; i++) {
        aml_byte(aml, len >> (4 + 8 * i));
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

/* ---- PCI slots ---- */

static void aml_name_int(GByteArray *aml, const char *segment, uint64_t value)
{
    aml_byte(aml, AML_NAME_OP);
    aml_segment(aml, segment);
    aml_int(aml, value);
}

/* Method (segment, n_args) around `body`. */
static void aml_method(GByteArray *aml, const char *segment, unsigned n_args,
                       const GByteArray *body)
{
    g_autoptr(GByteArray) inner = g_byte_array_new();

    aml_segment(inner, segment);
    aml_byte(inner, n_args | AML_METHOD_SERIALIZED);
    g_byte_array_append(inner, body->data, body->len);
    aml_byte(aml, AML_METHOD_OP);
    aml_package_body(aml, inner);
}

/* Method (_EJ0, 1) { SLEJ (_SUN) } and Method (_DSM, 4) { Return (SLDM (Arg0 … Arg3, _SUN)) } */
static void aml_slot_methods(GByteArray *aml)
{
    g_autoptr(GByteArray) eject = g_byte_array_new(), describe = g_byte_array_new();

    aml_segment(eject, "SLEJ");
    aml_segment(eject, "_SUN");
    aml_method(aml, "_EJ0", 1, eject);
    aml_byte(describe, AML_RETURN);
    aml_segment(describe, "SLDM");
    for (unsigned arg = AML_ARG0; arg <= AML_ARG3; arg++) {
        aml_byte(describe, arg);
    }
    aml_segment(describe, "_SUN");
    aml_method(aml, "_DSM", 4, describe);
}

static void aml_slot_device(GByteArray *aml, unsigned slot)
{
    g_autoptr(GByteArray) device = g_byte_array_new();
    g_autofree char *segment = g_strdup_printf("S%02X_", slot << 3);

    aml_segment(device, segment);
    aml_name_int(device, "_ADR", slot << 16);
    aml_name_int(device, "_SUN", slot);
    aml_slot_methods(device);
    aml_byte(aml, AML_EXT);
    aml_byte(aml, AML_EXT_DEVICE);
    aml_package_body(aml, device);
}

/* If (Arg0 & bit) { Notify (Snn, Arg1) } */
static void aml_slot_notify(GByteArray *aml, unsigned slot)
{
    g_autoptr(GByteArray) inner = g_byte_array_new();
    g_autofree char *segment = g_strdup_printf("S%02X_", slot << 3);

    aml_byte(inner, AML_AND);
    aml_byte(inner, AML_ARG0);
    aml_int(inner, UINT32_C(1) << slot);
    aml_byte(inner, AML_ZERO);                          /* no target */
    aml_byte(inner, AML_NOTIFY);
    aml_segment(inner, segment);
    aml_byte(inner, AML_ARG1);
    aml_byte(aml, AML_IF);
    aml_package_body(aml, inner);
}

/* Method (SLEV) { SLNT (SLUP (), 1)  SLNT (SLDN (), 3) }: device check, eject request. */
static void aml_slot_events(GByteArray *aml)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    aml_segment(body, "SLNT");
    aml_segment(body, "SLUP");
    aml_int(body, 1);
    aml_segment(body, "SLNT");
    aml_segment(body, "SLDN");
    aml_int(body, 3);
    aml_method(aml, "SLEV", 0, body);
}

/* Scope (\_GPE) { Method (_E01) { \_SB.PCI0.SLEV () } } */
static void aml_event_1(GByteArray *aml)
{
    g_autoptr(GByteArray) scope = g_byte_array_new(), body = g_byte_array_new();

    aml_byte(body, AML_ROOT);
    aml_byte(body, AML_MULTI_NAME);
    aml_byte(body, 3);
    aml_segment(body, "_SB_");
    aml_segment(body, "PCI0");
    aml_segment(body, "SLEV");
    aml_byte(scope, AML_ROOT);
    aml_segment(scope, "_GPE");
    aml_method(scope, "_E01", 0, body);
    aml_byte(aml, AML_SCOPE_OP);
    aml_package_body(aml, scope);
}

void aml_pci_slots(GByteArray *aml, uint32_t slots)
{
    g_autoptr(GByteArray) scope = g_byte_array_new(), notify = g_byte_array_new();

    aml_byte(scope, AML_ROOT);
    aml_byte(scope, AML_DUAL_NAME);
    aml_segment(scope, "_SB_");
    aml_segment(scope, "PCI0");
    for (unsigned slot = 0; slot < 32; slot++) {
        if (slots >> slot & 1) {
            aml_slot_device(scope, slot);
            aml_slot_notify(notify, slot);
        }
    }
    aml_method(scope, "SLNT", 2, notify);
    aml_slot_events(scope);
    aml_byte(aml, AML_SCOPE_OP);
    aml_package_body(aml, scope);
    aml_event_1(aml);
}
