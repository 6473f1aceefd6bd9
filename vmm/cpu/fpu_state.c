/*
 * X86Fpu to and from the memory images of FXSAVE and XSAVE (SDM volume 1, 10.5.1 and 13.4).
 *
 * Both images hold the x87 registers in stack order, ST(0) first, and the tags by physical
 * register.  ES and B of the status word are not state: a load derives them from the exception
 * flags and masks, as processors do.
 */
#include "fpu_state.h"

#include <string.h>

#define FCW_KEEP        0x1f3fu         /* bits that can be written */
#define FCW_FIXED       0x0040u         /* reads as 1 */
#define FCW_MASKS       0x003fu
#define FSW_FLAGS       0x003fu
#define FSW_ES          0x0080u
#define FSW_B           0x8000u
#define FSW_TOP(fsw)    ((fsw) >> 11 & 7)

/* Offsets in the legacy area, table 10-2 of the SDM. */
enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_FOP = 6, FX_FIP = 8, FX_FCS = 12, FX_FDP = 16,
       FX_FDS = 20, FX_MXCSR = 24, FX_MXCSR_MASK = 28, FX_ST = 32, FX_XMM = 160, FX_SIZE = 512 };
/* The XSAVE header, then component 2 at its fixed place (CPUID leaf 0xd, subleaf 2). */
enum { XS_BV = 512, XS_COMP_BV = 520, XS_RESERVED = 528, XS_HEADER_END = 576, XS_YMM = 576,
       XS_YMM_END = 832 };

static void put16(uint8_t *at, uint16_t value) { memcpy(at, &value, sizeof(value)); }
static void put32(uint8_t *at, uint32_t value) { memcpy(at, &value, sizeof(value)); }
static void put64(uint8_t *at, uint64_t value) { memcpy(at, &value, sizeof(value)); }

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

void fpu_set_control(X86Fpu *fpu, uint16_t fcw)
{
    fpu->fcw = (fcw & FCW_KEEP) | FCW_FIXED;
    fpu_set_status(fpu, fpu->fsw);
}

void fpu_set_status(X86Fpu *fpu, uint16_t fsw)
{
    fsw &= ~(FSW_ES | FSW_B);
    if (fsw & ~fpu->fcw & FCW_MASKS) {
        fsw |= FSW_ES | FSW_B;
    }
    fpu->fsw = fsw;
}

/* ---- tags ---- */

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned value_tag(const X86Reg80 *reg)
{
    unsigned exponent = reg->sign_exp & 0x7fff;

    if (exponent == 0 && reg->mantissa == 0) {
        return TAG_ZERO;
    }
    /* NaN, infinity; denormal; unnormal: the integer bit is explicit. */
    if (exponent == 0x7fff || exponent == 0 || !(reg->mantissa >> 63)) {
        return TAG_SPECIAL;
    }
    return TAG_VALID;
}

uint16_t fpu_full_tag_word(const X86Fpu *fpu)
{
    uint16_t word = 0;

    for (unsigned n = 0; n < 8; n++) {
        unsigned tag = fpu->ftw >> n & 1 ? value_tag(&fpu->r[n]) : TAG_EMPTY;

        word |= tag << (2 * n);
    }
    return word;
}

void fpu_set_full_tag_word(X86Fpu *fpu, uint16_t word)
{
    fpu->ftw = 0;
    for (unsigned n = 0; n < 8; n++) {
        fpu->ftw |= (word >> (2 * n) & 3) != TAG_EMPTY ? 1u << n : 0;
    }
}

void fpu_init_x87(X86Fpu *fpu)
{
    fpu->fcw = 0x37f;
    fpu->fsw = fpu->fop = 0;
    fpu->ftw = 0;
    fpu->fip = fpu->fdp = 0;
    fpu->fcs = fpu->fds = 0;
}

void fpu_reset(X86Fpu *fpu)
{
    fpu_init_x87(fpu);
    memset(fpu->r, 0, sizeof(fpu->r));
    fpu->mxcsr = 0x1f80;
    memset(fpu->v, 0, sizeof(fpu->v));
}

/* ---- the legacy area ---- */

static void x87_to_image(const X86Fpu *fpu, uint8_t *image, bool rex_w)
{
    put16(image + FX_FCW, fpu->fcw);
    put16(image + FX_FSW, fpu->fsw);
    put16(image + FX_FTW, fpu->ftw);
    put16(image + FX_FOP, fpu->fop & 0x7ff);
    if (rex_w) {
        put64(image + FX_FIP, fpu->fip);
        put64(image + FX_FDP, fpu->fdp);
    } else {
        put32(image + FX_FIP, (uint32_t)fpu->fip);
        put32(image + FX_FCS, fpu->fcs);
        put32(image + FX_FDP, (uint32_t)fpu->fdp);
        put32(image + FX_FDS, fpu->fds);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *at = image + FX_ST + 16 * i;

        memset(at, 0, 16);
        memcpy(at, &fpu->r[(FSW_TOP(fpu->fsw) + i) & 7], 10);
    }
}

static void x87_from_image(X86Fpu *fpu, const uint8_t *image, bool rex_w)
{
    fpu->fsw = get16(image + FX_FSW);
    fpu_set_control(fpu, get16(image + FX_FCW));
    fpu->ftw = image[FX_FTW];
    fpu->fop = get16(image + FX_FOP) & 0x7ff;
    fpu->fip = rex_w ? get64(image + FX_FIP) : get32(image + FX_FIP);
    fpu->fdp = rex_w ? get64(image + FX_FDP) : get32(image + FX_FDP);
    fpu->fcs = rex_w ? 0 : get16(image + FX_FCS);
    fpu->fds = rex_w ? 0 : get16(image + FX_FDS);
    for (unsigned i = 0; i < 8; i++) {
        X86Reg80 *reg = &fpu->r[(FSW_TOP(fpu->fsw) + i) & 7];

        memset(reg, 0, sizeof(*reg));
        memcpy(reg, image + FX_ST + 16 * i, 10);
    }
}

static void mxcsr_to_image(const X86Fpu *fpu, uint8_t *image)
{
    put32(image + FX_MXCSR, fpu->mxcsr);
    put32(image + FX_MXCSR_MASK, MXCSR_MASK);
}

static void sse_to_image(const X86Fpu *fpu, uint8_t *image)
{
    for (unsigned i = 0; i < 16; i++) {
        memcpy(image + FX_XMM + 16 * i, &fpu->v[i], 16);
    }
}

static void sse_from_image(X86Fpu *fpu, const uint8_t *image)
{
    for (unsigned i = 0; i < 16; i++) {
        memcpy(&fpu->v[i], image + FX_XMM + 16 * i, 16);
    }
}

void fpu_to_fxsave(const X86Fpu *fpu, uint8_t image[512], bool rex_w, bool with_sse)
{
    x87_to_image(fpu, image, rex_w);
    if (with_sse) {
        mxcsr_to_image(fpu, image);
        sse_to_image(fpu, image);
    } else {
        memset(image + FX_MXCSR, 0, 8);
    }
}

bool fpu_from_fxsave(X86Fpu *fpu, const uint8_t image[512], bool rex_w, bool with_sse)
{
    if (with_sse) {
        uint32_t mxcsr = get32(image + FX_MXCSR);

        if (mxcsr & ~MXCSR_MASK) {
            return false;
        }
        fpu->mxcsr = mxcsr;
        sse_from_image(fpu, image);
    }
    x87_from_image(fpu, image, rex_w);
    return true;
}

/* ---- XSAVE, standard format ---- */

static void ymm_clear_high(X86Fpu *fpu)
{
    for (unsigned i = 0; i < 16; i++) {
        memset(&fpu->v[i].u8[16], 0, 16);
    }
}

void fpu_to_xsave(const X86Fpu *fpu, uint8_t *image, size_t size, uint64_t components)
{
    if (size < XS_HEADER_END) {
        return;
    }
    if (size < XS_YMM_END) {
        components &= ~(uint64_t)XSTATE_AVX;
    }
    if (components & XSTATE_X87) {
        x87_to_image(fpu, image, true);
    }
    if (components & (XSTATE_SSE | XSTATE_AVX)) {
        mxcsr_to_image(fpu, image);
    }
    if (components & XSTATE_SSE) {
        sse_to_image(fpu, image);
    }
    for (unsigned i = 0; components & XSTATE_AVX && i < 16; i++) {
        memcpy(image + XS_YMM + 16 * i, &fpu->v[i].u8[16], 16);
    }
    uint64_t known = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;

    put64(image + XS_BV, (get64(image + XS_BV) & ~components) | (components & known));
}

static bool header_is_zero(const uint8_t *image)
{
    for (unsigned i = XS_COMP_BV; i < XS_RESERVED + 8; i++) {
        if (image[i] != 0) {
            return false;
        }
    }
    return true;
}

static void x87_load_component(X86Fpu *fpu, const uint8_t *image, bool present)
{
    if (present) {
        x87_from_image(fpu, image, true);
        return;
    }
    fpu_init_x87(fpu);
    memset(fpu->r, 0, sizeof(fpu->r));
}

bool fpu_from_xsave(X86Fpu *fpu, const uint8_t *image, size_t size, uint64_t components)
{
    uint64_t known = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
    uint32_t mxcsr = get32(image + FX_MXCSR);

    if (size < XS_HEADER_END || !header_is_zero(image)) {
        return false;
    }
    uint64_t present = get64(image + XS_BV);

    if (present & ~known || (present & components & XSTATE_AVX && size < XS_YMM_END)) {
        return false;
    }
    /* MXCSR goes with either vector component, present or not (SDM volume 1, 13.8.1). */
    if (components & (XSTATE_SSE | XSTATE_AVX)) {
        if (mxcsr & ~MXCSR_MASK) {
            return false;
        }
        fpu->mxcsr = mxcsr;
    }
    if (components & XSTATE_X87) {
        x87_load_component(fpu, image, present & XSTATE_X87);
    }
    if (components & XSTATE_SSE) {
        for (unsigned i = 0; i < 16; i++) {
            memset(&fpu->v[i], 0, 16);
        }
        if (present & XSTATE_SSE) {
            sse_from_image(fpu, image);
        }
    }
    if (components & XSTATE_AVX) {
        ymm_clear_high(fpu);
        for (unsigned i = 0; present & XSTATE_AVX && i < 16; i++) {
            memcpy(&fpu->v[i].u8[16], image + XS_YMM + 16 * i, 16);
        }
    }
    return true;
}
