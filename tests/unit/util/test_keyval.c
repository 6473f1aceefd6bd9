#include <glib.h>

#include "check_main.h"
#include "keyval.h"
#include "rhea_error.h"

static const struct { const char *text, *implied, *pairs; } texts[] = {
    { "a=1,b=2", NULL, "a=1 b=2 " },
    { "pc,accel=kvm", "type", "type=pc accel=kvm " },
    { "id=x,path=a,,b,server", NULL, "id=x path=a,b server=on " },
    { "id=x,nowait", NULL, "id=x wait=off " },
    { "a=", NULL, "a= " },
    { "", NULL, "" },
    { "a=b=c", NULL, "a=b=c " },
    { "a=1,,", NULL, "a=1, " },
};

START_TEST(parse_row)
{
    g_autoptr(KeyVal) kv = keyval_parse(texts[_i].text, texts[_i].implied, NULL);
    g_autoptr(GString) out = g_string_new(NULL);

    ck_assert_ptr_nonnull(kv);
    for (size_t i = 0; i < keyval_count(kv); i++) {
        g_string_append_printf(out, "%s=%s ", keyval_key(kv, i), keyval_value(kv, i));
    }
    ck_assert_str_eq(out->str, texts[_i].pairs);
}
END_TEST

START_TEST(last_value_wins)
{
    g_autoptr(KeyVal) kv = keyval_parse("a=1,a=2", NULL, NULL);

    ck_assert_str_eq(keyval_get(kv, "a"), "2");
}
END_TEST

static const struct { const char *text, *pairs; } objects[] = {
    { "{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", \"locking\": true}}",
      "driver=qcow2 file.driver=file file.locking=on " },
    { "{\"hosts\": [1, 2], \"a\": false}", "hosts.0=1 hosts.1=2 a=off " },
    { "{}", "" },
    { "[1]", NULL },
    { "{\"a\": null}", NULL },
    { "{\"a\": 1} x", NULL },
    { "{\"a\":", NULL },
    { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
      "{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}", NULL },
};

START_TEST(json_row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse_json(objects[_i].text, &error);
    g_autoptr(GString) out = g_string_new(NULL);

    ck_assert_int_eq(kv != NULL, objects[_i].pairs != NULL);
    ck_assert_int_eq(error == NULL, objects[_i].pairs != NULL);
    for (size_t i = 0; kv != NULL && i < keyval_count(kv); i++) {
        g_string_append_printf(out, "%s=%s ", keyval_key(kv, i), keyval_value(kv, i));
    }
    if (kv != NULL) {
        ck_assert_str_eq(out->str, objects[_i].pairs);
    }
}
END_TEST

START_TEST(a_prefix_is_taken_off)
{
    g_autoptr(KeyVal) kv = keyval_parse_either("file.driver=file,file.x.y=1,filex=2", NULL, NULL);
    g_autoptr(KeyVal) sub = keyval_take_prefix(kv, "file");

    ck_assert_uint_eq(keyval_count(sub), 2);
    ck_assert_str_eq(keyval_get(sub, "driver"), "file");
    ck_assert_str_eq(keyval_get(sub, "x.y"), "1");
    ck_assert_str_eq(keyval_get(kv, "filex"), "2");
    ck_assert(keyval_check_known(kv, NULL));
}
END_TEST

typedef struct Target { char *name, *mode; bool on; unsigned count; uint64_t size; } Target;

static const char *const modes[] = { "fast", "slow", NULL };
static const KeyField fields[] = {
    { "name", KEY_STRING, offsetof(Target, name) },
    { "mode", KEY_CHOICE, offsetof(Target, mode), modes },
    { "on", KEY_BOOL, offsetof(Target, on) },
    { "count", KEY_UINT, offsetof(Target, count) },
    { "size", KEY_SIZE, offsetof(Target, size), .unit = 1024 },
    {}
};

static const struct { const char *text, *error; } fills[] = {
    { "name=x,mode=fast,on=on,count=3,size=2", NULL },
    { "nane=x", "Invalid parameter 'nane'\nDid you mean 'name'?" },
    { "mode=fst", "Parameter 'mode' does not accept value 'fst'\nDid you mean 'fast'?" },
    { "on=maybe", "Parameter 'on' expects 'on' or 'off'" },
    { "count=-1", "Parameter 'count': '-1' is not a number" },
    { "size=big",
      "Parameter 'size': 'big' is not a size: expected a number with an optional suffix "
                  "B, K, M, G, T, P or E" },
};

START_TEST(fill_row)
{
    g_autoptr(KeyVal) kv = keyval_parse(fills[_i].text, NULL, NULL);
    g_autoptr(GError) error = NULL;
    Target target = { 0 };

    ck_assert_int_eq(keyval_fill(kv, fields, &target, &error), fills[_i].error == NULL);
    if (fills[_i].error != NULL) {
        ck_assert_str_eq(error->message, fills[_i].error);
    } else {
        ck_assert_str_eq(target.name, "x");
        ck_assert_str_eq(target.mode, "fast");
        ck_assert(target.on);
        ck_assert_uint_eq(target.count, 3);
        ck_assert_uint_eq(target.size, 2048);
    }
    g_free(target.name);
    g_free(target.mode);
}
END_TEST

START_TEST(missing_key_is_refused)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(keyval_parse("=x", NULL, &error));
    ck_assert_str_eq(error->message, "a key is missing in front of '=x'");
}
END_TEST

static const struct { const char *typed, *nearest; } names[] = {
    { "isa-seriel", "isa-serial" }, { "isa-srial", "isa-serial" }, { "hept", "hpet" },
    { "completely-else", NULL }, { "", NULL },
};

START_TEST(nearest_row)
{
    static const char *const known[] = { "isa-serial", "hpet", "isa-debugcon" };

    ck_assert_pstr_eq(nearest_name(names[_i].typed, known, 3), names[_i].nearest);
}
END_TEST

CHECK_MAIN("keyval", CASES(parse_row, texts), CASES(json_row, objects),
           CASE(a_prefix_is_taken_off), CASE(last_value_wins), CASES(fill_row, fills),
           CASE(missing_key_is_refused), CASES(nearest_row, names))
