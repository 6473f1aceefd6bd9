/*
 * Where the guest's picture lies in its window: as large as fits, in its own proportions, in the
 * middle.  Pure functions.
 */
#pragma once

#include <stdbool.h>

typedef struct SdlView {
    unsigned picture_width, picture_height;
    unsigned x, y, width, height;       /* in the window */
} SdlView;

/*
 * No size is 0.  Pixels are a whole number of the window's where that costs but a narrow border.
 */
SdlView sdl_view_fit(unsigned picture_width, unsigned picture_height, unsigned width,
                     unsigned height);
/* How many pixels of the window a pixel is wide and high; 0: it is no whole number. */
unsigned sdl_view_factor(const SdlView *view);
/* The pixel under a point of the window, the nearest one beside the picture. */
void sdl_view_point(const SdlView *view, int x, int y, unsigned *picture_x, unsigned *picture_y);
/* The size the window gets a quarter of the picture larger or smaller, in steps of quarters. */
void sdl_view_zoom(const SdlView *view, bool in, unsigned *width, unsigned *height);
