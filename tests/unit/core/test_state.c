#include <glib.h>
#include <string.h>

#include "check_main.h"
#include "state.h"

typedef struct Inner { uint16_t word; } Inner;
typedef struct Sample {
    bool armed;
    uint8_t byte;
    uint32_t dword;
    int64_t deadline;
    uint16_t list[3];
    uint32_t used;
    uint8_t queue[4];
    uint8_t raw[2];
    Inner inner;
    uint32_t rare;
} Sample;

static const StateField inner_fields[] = { STATE_UINT16(Inner, word), {} };
static const StateDesc inner_state = { .name = "inner", .version = 1, .fields = inner_fields };

static bool rare_needed(const void *opaque)
{
    return ((const Sample *)opaque)->rare != 0;
}

static const StateField rare_fields[] = { STATE_UINT32(Sample, rare), {} };
static const StateDesc rare_state = {
    .name = "sample/rare", .version = 1, .fields = rare_fields, .needed = rare_needed,
};
static const StateDesc *const subsections[] = { &rare_state, NULL };

static bool loaded_is_sane(void *opaque, GError **error)
{
    return true;
}

static const StateField sample_fields[] = {
    STATE_BOOL(Sample, armed),
    STATE_UINT8(Sample, byte),
    STATE_UINT32(Sample, dword, .since_version = 2),
    STATE_INT64(Sample, deadline, .range = { -1, INT64_MAX }),
    STATE_UINT16_ARRAY(Sample, list),
    STATE_UINT32(Sample, used),
    STATE_UINT8_ARRAY(Sample, queue, .has_count = true, .count_offset = offsetof(Sample, used)),
    STATE_UNUSED(1),
    STATE_BYTES(Sample, raw),
    STATE_STRUCT(Sample, inner, Inner, inner_state),
    {}
};
static const StateDesc sample_state = {
    .name = "sample", .version = 2, .min_version = 1, .fields = sample_fields,
    .subsections = subsections, .loaded = loaded_is_sane,
};

static const Sample sample = {
    .armed = true, .byte = 0x12, .dword = 0x3456789a, .deadline = -1, .list = { 1, 2, 0xfffe },
    .used = 2, .queue = { 7, 8, 9, 10 }, .raw = { 0xaa, 0xbb }, .inner = { 0x1234 }, .rare = 5,
};

/* The form on the wire; migration depends on every byte. */
static const uint8_t golden[] = {
    0x01, 0x12, 0x34, 0x56, 0x78, 0x9a,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x00, 0x01, 0x00, 0x02, 0xff, 0xfe,
    0x00, 0x00, 0x00, 0x02, 0x07, 0x08, 0x00, 0xaa, 0xbb, 0x12, 0x34,
    0x05, 11, 's', 'a', 'm', 'p', 'l', 'e', '/', 'r', 'a', 'r', 'e', 0, 0, 0, 1, 0, 0, 0, 5,
};

START_TEST(save_gives_the_golden_bytes)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    Sample copy = sample;

    state_save(&sample_state, &copy, out);
    ck_assert_uint_eq(out->len, sizeof(golden));
    ck_assert_mem_eq(out->data, golden, sizeof(golden));
}
END_TEST

START_TEST(load_restores_every_field)
{
    Sample copy = { .queue = { 0, 0, 9, 10 } };
    size_t pos = 0;

    ck_assert(state_load(&sample_state, &copy, 2, golden, sizeof(golden), &pos, NULL));
    ck_assert_uint_eq(pos, sizeof(golden));
    ck_assert_mem_eq(&copy, &sample, offsetof(Sample, raw));
    ck_assert_uint_eq(copy.inner.word, 0x1234);
    ck_assert_uint_eq(copy.rare, 5);
}
END_TEST

START_TEST(an_older_version_lacks_newer_fields)
{
    uint8_t old[sizeof(golden) - 4];
    Sample copy = { .dword = 77 };
    size_t pos = 0;

    memcpy(old, golden, 2);
    memcpy(old + 2, golden + 6, sizeof(golden) - 6);
    ck_assert(state_load(&sample_state, &copy, 1, old, sizeof(old), &pos, NULL));
    ck_assert_uint_eq(copy.dword, 77);
    ck_assert_uint_eq(copy.rare, 5);
}
END_TEST

static const struct {
    size_t at;
    uint8_t value;
    int version;
    size_t size;
    const char *error;
} bad[] = {
    { 0, 2, 2, sizeof(golden), "sample.armed: value 2 is neither true nor false" },
    { 6, 0x80, 2, sizeof(golden),
      "sample.deadline: value 9295429630892703743 is not in -1…9223372036854775807" },
    { 23, 5, 2, sizeof(golden), "sample.queue: 5 elements where at most 4 fit" },
    { 0, 1, 3, sizeof(golden), "sample: version 3 is not between 1 and 2" },
    { 0, 1, 0, sizeof(golden), "sample: version 0 is not between 1 and 2" },
    { 0, 1, 2, 10, "sample.deadline: the data ends after 4 of 8 bytes" },
};

START_TEST(bad_row)
{
    g_autoptr(GError) error = NULL;
    uint8_t data[sizeof(golden)];
    Sample copy = { 0 };
    size_t pos = 0;

    memcpy(data, golden, sizeof(golden));
    data[bad[_i].at] = bad[_i].value;
    ck_assert(!state_load(&sample_state, &copy, bad[_i].version, data, bad[_i].size, &pos, &error));
    ck_assert_str_eq(error->message, bad[_i].error);
}
END_TEST

/* All of it but the subsection, which may be absent. */
START_TEST(every_truncation_is_refused)
{
    for (size_t size = 0; size < sizeof(golden) - 21; size++) {
        Sample copy = { 0 };
        size_t pos = 0;

        ck_assert(!state_load(&sample_state, &copy, 2, golden, size, &pos, NULL));
        ck_assert_uint_le(pos, size);
    }
}
END_TEST

CHECK_MAIN("state", CASE(save_gives_the_golden_bytes), CASE(load_restores_every_field),
           CASE(an_older_version_lacks_newer_fields), CASES(bad_row, bad),
           CASE(every_truncation_is_refused))
