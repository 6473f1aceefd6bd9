/*
 * Which parts of a picture changed, in tiles of VNC_TILE by VNC_TILE pixels.
 *
 * Whoever owns a set locks it.
 */
#pragma once

#include "console.h"

enum { VNC_TILE = 16 };

typedef struct VncTiles {
    unsigned width, height;             /* pixels */
    unsigned columns, rows;             /* tiles */
    unsigned stride;                    /* words of a row */
    uint64_t bits[];
} VncTiles;

VncTiles *vnc_tiles_new(unsigned width, unsigned height);       /* none is in it */
/* Is one in it that `area` touches? */
bool vnc_tiles_any(const VncTiles *tiles, const ConsoleRect *area);
/* Those the rectangle touches, cut to the picture. */
void vnc_tiles_add(VncTiles *tiles, const ConsoleRect *rect);
void vnc_tiles_fill(VncTiles *tiles);
void vnc_tiles_clear(VncTiles *tiles);
/* Both of pictures of one size. */
void vnc_tiles_merge(VncTiles *tiles, const VncTiles *more);
/* Moves those `area` touches from one set to another of the same size; false: there are none. */
bool vnc_tiles_move(VncTiles *to, VncTiles *from, const ConsoleRect *area);
/*
 * Takes a rectangle of tiles out of the set: a run of the first row that has any, and what is the
 * same below it.  False: the set is empty.
 */
bool vnc_tiles_take(VncTiles *tiles, ConsoleRect *rect);

/*
 * Copies a rectangle of a surface into a picture of the same size; `changed` gets the tiles that
 * were different.
 */
void vnc_tiles_copy(VncTiles *changed, Surface *to, const Surface *from, const ConsoleRect *rect);
