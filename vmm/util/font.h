/*
 * Characters as dots, for screens that have no font of their own: a text console's, and a VGA's
 * that was started without a BIOS.
 *
 * The glyphs are GNU Unifont's of half width; font_table.py puts them into the program when it is
 * built.  Tables are constant: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16 };

/* FONT_HEIGHT rows of dots from the top, the leftmost is bit 7.  A box: there is no such glyph. */
const uint8_t *font_glyph(uint32_t code_point);

/* Draws it at `to`, `stride` pixels a line; `inverse`: with the two colors exchanged. */
void font_draw(uint32_t *to, unsigned stride, uint32_t code_point, uint32_t front, uint32_t ground,
               bool inverse);

/* Code page 437, IBM's: what a VGA's characters look like, also those below 32. */
extern const uint16_t font_cp437[256];

/* ---- for font.c: what font_table.py writes ---- */
typedef struct FontRange { uint32_t first, last, glyph; } FontRange;    /* glyph: of `first` */
extern const FontRange font_ranges[];           /* in order */
extern const unsigned font_n_ranges;
extern const uint8_t font_dots[][FONT_HEIGHT];
