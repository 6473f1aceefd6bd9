/* A monitor's self-description, made to order. */
#include "edid.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define DEFAULT_MHZ         60000
#define TIMING_MAX          4095        /* a detailed timing has 12 bits for a size */
#define CLOCK_MAX_10KHZ     65535
#define DOTS_PER_INCH       100

/* CVT 1.2, reduced blanking: dots, lines and microseconds */
#define RB_H_BLANK          160
#define RB_H_FRONT          48
#define RB_H_SYNC           32
#define RB_V_FRONT          3
#define RB_V_SYNC           5
#define RB_V_BLANK_US       460

static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };

#define LETTER(c) ((c) - '@')

/* 3.4: three letters of five bits; product, serial number, when it was made, EDID 1.4 */
static const uint8_t identity[12] = {
    LETTER('R') << 2 | LETTER('H') >> 3, (LETTER('H') & 7) << 5 | LETTER('T'),
    0x34, 0x12, 0, 0, 0, 0, 0, 2014 - 1990, 1, 4,
};

/* sRGB's, 3.7 */
static const uint8_t chromaticity[10] = {
    0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
};

/* Sizes at 60 Hz, 3.9, or with a bit of their own in the established timings, 3.8. */
static const struct { uint16_t width, height; uint8_t byte, bit; } sizes[] = {
    { 640, 480, 0, 5 }, { 800, 600, 0, 0 }, { 1024, 768, 1, 3 },
    { 1920, 1080 }, { 1280, 720 }, { 1440, 900 }, { 1680, 1050 }, { 1280, 1024 }, { 1600, 1200 },
    { 1920, 1200 }, { 1280, 960 },
};

/* The two bits a standard timing has for the sides' ratio. */
static int aspect_bits(unsigned width, unsigned height)
{
    static const struct { unsigned width, height; } ratios[4] = {
        { 16, 10 }, { 4, 3 }, { 5, 4 }, { 16, 9 },
    };

    for (int i = 0; i < 4; i++) {
        if (width * ratios[i].height == height * ratios[i].width) {
            return i;
        }
    }
    return -1;
}

static bool fits(const EdidWish *wish, unsigned n)
{
    return (wish->width_max == 0 || sizes[n].width <= wish->width_max) &&
           (wish->height_max == 0 || sizes[n].height <= wish->height_max);
}

static void put_sizes(uint8_t out[EDID_BYTES], const EdidWish *wish)
{
    uint8_t *established = out + 35, *standard = out + 38;

    memset(standard, 1, 16);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        int aspect = aspect_bits(sizes[i].width, sizes[i].height);

        if (!fits(wish, i)) {
            continue;
        }
        if (i < 3) {
            established[sizes[i].byte] |= 1 << sizes[i].bit;
        } else if (aspect >= 0) {
            *standard++ = sizes[i].width / 8 - 31;
            *standard++ = aspect << 6;
        }
    }
}

/* 3.10.2: a timing in 18 bytes */
static void put_timing(uint8_t *out, unsigned width, unsigned height, uint32_t mhz)
{
    unsigned v_blank = RB_V_FRONT + RB_V_SYNC + 6, total = width + RB_H_BLANK;
    double line_us = (1e9 / mhz - RB_V_BLANK_US) / height;
    unsigned width_mm = width * 254 / 10 / DOTS_PER_INCH;
    unsigned height_mm = height * 254 / 10 / DOTS_PER_INCH;
    uint64_t clock;

    if (line_us > 0) {
        v_blank = MAX(v_blank, (unsigned)(RB_V_BLANK_US / line_us) + 1);
    }
    clock = MIN((uint64_t)total * (height + v_blank) * mhz / 10000000, CLOCK_MAX_10KHZ);
    out[0] = clock;
    out[1] = clock >> 8;
    out[2] = width;
    out[3] = RB_H_BLANK;
    out[4] = width >> 8 << 4;
    out[5] = height;
    out[6] = v_blank;
    out[7] = height >> 8 << 4 | v_blank >> 8;
    out[8] = RB_H_FRONT;
    out[9] = RB_H_SYNC;
    out[10] = RB_V_FRONT << 4 | RB_V_SYNC;
    out[12] = width_mm;
    out[13] = height_mm;
    out[14] = width_mm >> 8 << 4 | height_mm >> 8;
    out[17] = 0x1a;                     /* separate syncs, horizontal positive, vertical negative */
}

/* 3.10.3: text in 13 bytes behind a tag */
static void put_text(uint8_t *out, uint8_t tag, const char *text)
{
    size_t len = strlen(text);

    out[3] = tag;
    memset(out + 5, ' ', 13);
    memcpy(out + 5, text, len);
    out[5 + len] = '\n';
}

/* 3.10.3.3: 1 to 255 Hz, 1 to 255 kHz, 2550 MHz; no formula */
static void put_limits(uint8_t *out)
{
    static const uint8_t limits[] = { 0, 0, 0, 0xfd, 0, 1, 255, 1, 255, 255, 1, '\n' };

    memset(out, ' ', 18);
    memcpy(out, limits, sizeof(limits));
}

void edid_make(uint8_t out[EDID_BYTES], const EdidWish *wish)
{
    unsigned width = MIN(wish->width != 0 ? wish->width : EDID_WIDTH, TIMING_MAX);
    unsigned height = MIN(wish->height != 0 ? wish->height : EDID_HEIGHT, TIMING_MAX);
    uint32_t mhz = CLAMP(wish->refresh_mhz != 0 ? wish->refresh_mhz : DEFAULT_MHZ, 1000, 500000);
    uint8_t sum = 0;

    memset(out, 0, EDID_BYTES);
    memcpy(out, header, sizeof(header));
    memcpy(out + 8, identity, sizeof(identity));
    out[20] = 0xa5;                                     /* digital, 8 bits a color, DisplayPort */
    out[21] = MIN(width * 254 / 100 / DOTS_PER_INCH, 255);              /* cm */
    out[22] = MIN(height * 254 / 100 / DOTS_PER_INCH, 255);
    out[23] = 120;                                      /* gamma 2.2 */
    out[24] = 0x06;                                     /* sRGB; the first timing is the best */
    memcpy(out + 25, chromaticity, sizeof(chromaticity));
    put_sizes(out, wish);
    put_timing(out + 54, width, height, mhz);
    put_limits(out + 72);
    put_text(out + 90, 0xfc, "QEMU Monitor");
    put_text(out + 108, 0xfe, "");
    for (unsigned i = 0; i < EDID_BYTES - 1; i++) {
        sum += out[i];
    }
    out[EDID_BYTES - 1] = -sum;
}
