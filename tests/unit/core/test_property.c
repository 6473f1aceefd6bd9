#include <glib.h>

#include "check_main.h"
#include "property.h"

typedef struct Kit {
    Object obj;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64, bytes;
    int32_t i32;
    int64_t i64;
    bool flag;
    char *text;
    int mode;
    OnOffAuto maybe;
    uint8_t fixed;
} Kit;

static const char *const modes[] = { "slow", "fast", NULL };
static const Property kit_props[] = {
    PROP_UINT8(Kit, u8, .name = "u8", .def = 200),
    PROP_UINT16(Kit, u16, .name = "u16"),
    PROP_UINT32(Kit, u32, .name = "u32", .def = 0xffffffff),
    PROP_UINT64(Kit, u64, .name = "u64"),
    PROP_SIZE(Kit, bytes, .name = "bytes", .def = INT64_C(2) << 30),
    PROP_INT32(Kit, i32, .name = "i32", .def = -1),
    PROP_INT64(Kit, i64, .name = "i64", .def = INT64_MIN),
    {}
};
static const Property kit_more_props[] = {
    PROP_BOOL(Kit, flag, .name = "flag", .def = true),
    PROP_STRING(Kit, text, .name = "text", .def_text = "hello"),
    PROP_ENUM(Kit, mode, .name = "mode", .names = modes, .def = 1),
    PROP_ON_OFF_AUTO(Kit, maybe, .name = "maybe"),
    PROP_UINT8(Kit, fixed, .name = "fixed", .def = 7, .read_only = true),
    {}
};
static const Property *const kit_tables[] = { kit_props, kit_more_props, NULL };

static Kit kit;

static void setup(void)
{
    object_init(&kit.obj, "kit");
    kit.obj.props = kit_tables;
    properties_set_defaults(&kit.obj);
}

/* A property's default, and how `info qtree` shows it; NULL: as it is printed. */
static const struct { const char *name, *text, *qtree; } defaults[] = {
    { "u8", "200", "200 (0xc8)" },
    { "u16", "0", "0 (0x0)" },
    { "u32", "4294967295", "4294967295 (0xffffffff)" },
    { "bytes", "2147483648", "2147483648 (2 GiB)" },
    { "i32", "-1", "-1 (0xffffffffffffffff)" },
    { "i64", "-9223372036854775808", "-9223372036854775808 (0x8000000000000000)" },
    { "flag", "true", NULL },
    { "text", "hello", "\"hello\"" },
    { "mode", "fast", "\"fast\"" },
    { "maybe", "auto", "\"auto\"" },
    { "fixed", "7", "7 (0x7)" },
};

START_TEST(default_row)
{
    g_autofree char *text = NULL, *qtree = NULL;
    const Property *prop;

    setup();
    text = property_get(&kit.obj, defaults[_i].name, NULL);
    ck_assert_str_eq(text, defaults[_i].text);
    prop = property_find(&kit.obj, defaults[_i].name);
    if (defaults[_i].qtree == NULL) {
        ck_assert(prop->type->print_qtree == NULL);
    } else {
        qtree = prop->type->print_qtree(&kit.obj, prop, property_field(&kit.obj, prop));
        ck_assert_str_eq(qtree, defaults[_i].qtree);
    }
    properties_release(&kit.obj);
}
END_TEST

/* What a property reads back after being set; NULL: refused, and the old value stays. */
static const struct { const char *name, *typed, *text; } sets[] = {
    { "u8", "0", "0" },
    { "u8", "0xff", "255" },
    { "u8", "256", NULL },
    { "u8", "-1", NULL },
    { "u16", "65535", "65535" },
    { "u16", "65536", NULL },
    { "u32", "4294967296", NULL },
    { "u64", "18446744073709551615", "18446744073709551615" },
    { "u64", "18446744073709551616", NULL },
    { "u64", "", NULL },
    { "bytes", "1.5G", "1610612736" },
    { "bytes", "64k", "65536" },
    { "bytes", "16E", NULL },
    { "i32", "-2147483648", "-2147483648" },
    { "i32", "2147483647", "2147483647" },
    { "i32", "2147483648", NULL },
    { "i32", "-2147483649", NULL },
    { "i64", "9223372036854775807", "9223372036854775807" },
    { "i64", "9223372036854775808", NULL },
    { "flag", "off", "false" },
    { "flag", "maybe", NULL },
    { "text", "", "" },
    { "text", "a,b=c", "a,b=c" },
    { "mode", "slow", "slow" },
    { "mode", "Slow", NULL },
    { "mode", "0", NULL },
    { "maybe", "off", "off" },
    { "maybe", "yes", NULL },
    { "fixed", "8", NULL },
    { "absent", "1", NULL },
};

START_TEST(set_row)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL, *after = NULL;

    setup();
    before = property_get(&kit.obj, sets[_i].name, NULL);
    ck_assert_int_eq(property_set(&kit.obj, sets[_i].name, sets[_i].typed, &error),
                     sets[_i].text != NULL);
    ck_assert_int_eq(error == NULL, sets[_i].text != NULL);
    after = property_get(&kit.obj, sets[_i].name, NULL);
    ck_assert_pstr_eq(after, sets[_i].text != NULL ? sets[_i].text : before);
    properties_release(&kit.obj);
}
END_TEST

static const struct { const char *name, *typed, *message; } errors[] = {
    { "absent", "1", "Property 'kit.absent' not found" },
    { "mod", "1", "Property 'kit.mod' not found\nDid you mean 'mode'?" },
    { "fixed", "8", "Property 'kit.fixed' is not writable" },
    { "flag", "2", "Parameter 'flag' expects 'on' or 'off'" },
    { "mode", "fasst",
      "Parameter 'mode' does not accept value 'fasst'\nDid you mean 'fast'?" },
    { "u8", "256", "Property 'kit.u8': '256' is out of range: at most 255" },
};

START_TEST(error_row)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert(!property_set(&kit.obj, errors[_i].name, errors[_i].typed, &error));
    ck_assert_str_eq(error->message, errors[_i].message);
    properties_release(&kit.obj);
}
END_TEST

CHECK_MAIN("property", CASES(default_row, defaults), CASES(set_row, sets),
           CASES(error_row, errors))
