/*
 * What a monitor tells of itself.  VESA Enhanced EDID Standard, release A, revision 2 (EDID 1.4);
 * timings after VESA CVT 1.2, reduced blanking.
 */
#pragma once

#include <stdint.h>

enum { EDID_BYTES = 128, EDID_WIDTH = 1280, EDID_HEIGHT = 800 };

typedef struct EdidWish {
    uint32_t width, height;             /* preferred; 0: the two above */
    uint32_t width_max, height_max;     /* largest of the others; 0: any */
    uint32_t refresh_mhz;               /* frames in 1000 seconds; 0: 60 Hz */
} EdidWish;

/* Fills `out`, whatever is wished for: what the format cannot say is cut to what it can. */
void edid_make(uint8_t out[EDID_BYTES], const EdidWish *wish);
