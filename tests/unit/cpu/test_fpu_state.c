#include "fpu_state.h"

#include <string.h>

#include "check_main.h"

enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_FOP = 6, FX_FIP = 8, FX_FCS = 12, FX_FDP = 16,
       FX_MXCSR = 24, FX_ST0 = 32, FX_XMM0 = 160, FX_FREE = 416, XS_BV = 512,
       XS_COMP_BV = 520, XS_BYTES = 576,
       XS_YMM_BYTES = 832 };

static uint64_t get(const uint8_t *image, unsigned at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, image + at, size);
    return value;
}

static void put(uint8_t *image, unsigned at, uint64_t value, unsigned size)
{
    memcpy(image + at, &value, size);
}

/* Something different in every field. */
static void fill(X86Fpu *fpu)
{
    memset(fpu, 0, sizeof(*fpu));
    for (unsigned i = 0; i < 8; i++) {
        fpu->r[i].mantissa = UINT64_C(0x8000000000000000) + i;
        fpu->r[i].sign_exp = 0x3fff + i;
    }
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned k = 0; k < 32; k++) {
            fpu->v[i].u8[k] = i * 16 + k;
        }
    }
    fpu->fcw = 0x27f;
    fpu->fsw = 5 << 11 | 0x4100;
    fpu->ftw = 0xe7;
    fpu->fop = 0x123;
    fpu->fip = UINT64_C(0x0000123456789abc);
    fpu->fdp = UINT64_C(0x0000fedcba987654);
    fpu->fcs = 0x33;
    fpu->fds = 0x2b;
    fpu->mxcsr = 0x5fa1;
}

START_TEST(fxsave_layout)
{
    uint8_t image[512];
    X86Fpu fpu;

    fill(&fpu);
    memset(image, 0xee, sizeof(image));
    fpu_to_fxsave(&fpu, image, false, true);
    ck_assert_uint_eq(get(image, FX_FCW, 2), 0x27f);
    ck_assert_uint_eq(get(image, FX_FSW, 2), fpu.fsw);
    ck_assert_uint_eq(get(image, FX_FTW, 2), 0xe7);
    ck_assert_uint_eq(get(image, FX_FOP, 2), 0x123);
    ck_assert_uint_eq(get(image, FX_FIP, 4), 0x56789abc);
    ck_assert_uint_eq(get(image, FX_FCS, 4), 0x33);
    ck_assert_uint_eq(get(image, FX_FDP, 8), UINT64_C(0x0000002bba987654));
    ck_assert_uint_eq(get(image, FX_MXCSR, 8), UINT64_C(0x0000ffff00005fa1));
    /* ST(0) is R5 */
    ck_assert_uint_eq(get(image, FX_ST0, 8), UINT64_C(0x8000000000000005));
    ck_assert_uint_eq(get(image, FX_ST0 + 8, 8), 0x4004);
    ck_assert_uint_eq(get(image, FX_ST0 + 16 * 3, 8), UINT64_C(0x8000000000000000));
    ck_assert_uint_eq(get(image, FX_XMM0 + 16 * 15, 1), 240);
    ck_assert_uint_eq(image[FX_FREE], 0xee);
    fpu_to_fxsave(&fpu, image, true, true);
    ck_assert_uint_eq(get(image, FX_FIP, 8), fpu.fip);
    ck_assert_uint_eq(get(image, FX_FDP, 8), fpu.fdp);
}
END_TEST

START_TEST(fxsave_comes_back)
{
    uint8_t image[512] = { 0 };
    X86Fpu fpu, again = { .v[3].u64 = { 0, 0, 7, 7 } };

    fill(&fpu);
    fpu_to_fxsave(&fpu, image, true, true);
    ck_assert(fpu_from_fxsave(&again, image, true, true));
    ck_assert_mem_eq(again.r, fpu.r, sizeof(fpu.r));
    ck_assert_uint_eq(again.fsw, fpu.fsw);
    ck_assert_uint_eq(again.ftw, fpu.ftw);
    ck_assert_uint_eq(again.fip, fpu.fip);
    ck_assert_uint_eq(again.mxcsr, fpu.mxcsr);
    ck_assert_mem_eq(again.v[3].u8, fpu.v[3].u8, 16);
    ck_assert_uint_eq(again.v[3].u64[2], 7);            /* not part of it */
}
END_TEST

START_TEST(fxrstor_refuses_reserved_mxcsr)
{
    uint8_t image[512] = { 0 };
    X86Fpu fpu, before;

    fill(&fpu);
    before = fpu;
    put(image, FX_MXCSR, 0x11f80, 4);
    ck_assert(!fpu_from_fxsave(&fpu, image, true, true));
    ck_assert_mem_eq(&fpu, &before, sizeof(fpu));
    ck_assert(fpu_from_fxsave(&fpu, image, true, false));
    ck_assert_uint_eq(fpu.mxcsr, before.mxcsr);
}
END_TEST

/* What a processor makes of control and status words it is given. */
static const struct { uint16_t fcw, fsw, want_fcw, want_fsw; } words[] = {
    { 0x037f, 0x0000, 0x037f, 0x0000 },
    { 0x037f, 0x80bf, 0x037f, 0x003f },         /* nothing unmasked: no ES, no B */
    { 0x037e, 0x0001, 0x037e, 0x8081 },
    { 0x0300, 0x003f, 0x0340, 0x80bf },         /* bit 6 of FCW reads as 1 */
    { 0xffff, 0x7800, 0x1f7f, 0x7800 },         /* reserved bits do not stick */
};

START_TEST(control_and_status_row)
{
    X86Fpu fpu = { 0 };

    fpu.fsw = words[_i].fsw;
    fpu_set_control(&fpu, words[_i].fcw);
    ck_assert_uint_eq(fpu.fcw, words[_i].want_fcw);
    ck_assert_uint_eq(fpu.fsw, words[_i].want_fsw);
}
END_TEST

static const struct { uint64_t mantissa; uint16_t sign_exp; unsigned tag; } tags[] = {
    { UINT64_C(1) << 63, 0x3fff, 0 },
    { 0, 0, 1 },
    { 0, 0x8000, 1 },
    { UINT64_C(1) << 63, 0x7fff, 2 },           /* infinity */
    { 1, 0, 2 },                                /* denormal */
    { 1, 0x3fff, 2 },                           /* unnormal */
};

START_TEST(tag_row)
{
    X86Fpu fpu = { .ftw = 1 << 4 };

    fpu.r[4].mantissa = tags[_i].mantissa;
    fpu.r[4].sign_exp = tags[_i].sign_exp;
    ck_assert_uint_eq(fpu_full_tag_word(&fpu), (0xffffu & ~(3u << 8)) | tags[_i].tag << 8);
    fpu_set_full_tag_word(&fpu, 0xfffc);
    ck_assert_uint_eq(fpu.ftw, 1);
}
END_TEST

static const struct { uint64_t components; } xsaves[] = {
    { XSTATE_X87 }, { XSTATE_SSE }, { XSTATE_X87 | XSTATE_SSE },
    { XSTATE_X87 | XSTATE_SSE | XSTATE_AVX }, { XSTATE_AVX },
};

START_TEST(xsave_row)
{
    uint8_t image[XS_YMM_BYTES] = { 0 };
    uint64_t components = xsaves[_i].components;
    X86Fpu fpu, again;

    fill(&fpu);
    memset(&again, 0, sizeof(again));
    put(image, XS_BV, UINT64_C(1) << 40, 8);            /* somebody else's bit stays */
    fpu_to_xsave(&fpu, image, sizeof(image), components);
    ck_assert_uint_eq(get(image, XS_BV, 8), UINT64_C(1) << 40 | components);
    put(image, XS_BV, components, 8);
    ck_assert(fpu_from_xsave(&again, image, sizeof(image), components));
    ck_assert_uint_eq(again.fip, components & XSTATE_X87 ? fpu.fip : 0);
    ck_assert_uint_eq(again.mxcsr, components & (XSTATE_SSE | XSTATE_AVX) ? fpu.mxcsr : 0);
    ck_assert_uint_eq(again.v[9].u8[5], components & XSTATE_SSE ? fpu.v[9].u8[5] : 0);
    ck_assert_uint_eq(again.v[9].u8[21], components & XSTATE_AVX ? fpu.v[9].u8[21] : 0);
}
END_TEST

/* A component that is asked for but absent goes to its initial state. */
START_TEST(xrstor_initialises)
{
    uint8_t image[XS_YMM_BYTES] = { 0 };
    X86Fpu fpu;

    fill(&fpu);
    put(image, FX_MXCSR, 0x1f80, 4);
    ck_assert(fpu_from_xsave(&fpu, image, sizeof(image), XSTATE_X87 | XSTATE_SSE));
    ck_assert_uint_eq(fpu.fcw, 0x37f);
    ck_assert_uint_eq(fpu.ftw, 0);
    ck_assert_uint_eq(fpu.mxcsr, 0x1f80);
    ck_assert_uint_eq(fpu.v[2].u64[0], 0);
    ck_assert_uint_ne(fpu.v[2].u64[2], 0);              /* AVX was not asked for */
}
END_TEST

static const struct { unsigned at; uint64_t value; size_t size; } refusals[] = {
    { XS_COMP_BV, UINT64_C(1) << 63, XS_YMM_BYTES },    /* compacted */
    { XS_COMP_BV + 8, 1, XS_YMM_BYTES },                /* reserved */
    { XS_BV, 8, XS_YMM_BYTES },                         /* a component nobody knows */
    { XS_BV, XSTATE_AVX, XS_BYTES },                    /* does not fit */
    { FX_MXCSR, 0x10000, XS_YMM_BYTES },
    { 0, 0, 512 },                                      /* no header */
};

START_TEST(xrstor_refuses_row)
{
    uint8_t image[XS_YMM_BYTES] = { 0 };
    X86Fpu fpu, before;

    fill(&fpu);
    before = fpu;
    put(image, refusals[_i].at, refusals[_i].value, 8);
    ck_assert(!fpu_from_xsave(&fpu, image, refusals[_i].size,
                              XSTATE_X87 | XSTATE_SSE | XSTATE_AVX));
    ck_assert_mem_eq(&fpu, &before, sizeof(fpu));
}
END_TEST

CHECK_MAIN("fpu_state", CASE(fxsave_layout), CASE(fxsave_comes_back),
           CASE(fxrstor_refuses_reserved_mxcsr), CASES(control_and_status_row, words),
           CASES(tag_row, tags), CASES(xsave_row, xsaves),
           CASE(xrstor_initialises), CASES(xrstor_refuses_row, refusals))
