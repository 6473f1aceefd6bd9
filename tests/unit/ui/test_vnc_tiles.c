#include "vnc_tiles.h"

#include <string.h>

#include "check_main.h"

/* What is added, and the rectangles that come out, in order. */
static const struct {
    unsigned width, height;
    ConsoleRect in[3], out[4];
} takes[] = {
    { 100, 100, { { 0, 0, 1, 1 } }, { { 0, 0, 16, 16 } } },
    { 100, 100, { { 15, 15, 2, 2 } }, { { 0, 0, 32, 32 } } },
    { 100, 100, { { 96, 96, 4, 4 } }, { { 96, 96, 4, 4 } } },           /* the edge's are smaller */
    { 100, 100, { { 90, 0, 1000, 1000 } }, { { 80, 0, 20, 100 } } },
    { 100, 100, { { 100, 0, 1, 1 }, { 0, 100, 1, 1 }, { 5, 5, 0, 9 } }, { { 0 } } },
    { 100, 100, { { 0, 0, 16, 16 }, { 32, 0, 16, 16 } },
      { { 0, 0, 16, 16 }, { 32, 0, 16, 16 } } },
    { 100, 100, { { 0, 0, 16, 48 }, { 16, 16, 16, 16 } },               /* a step sideways */
      { { 0, 0, 16, 48 }, { 16, 16, 16, 16 } } },
    { 100, 100, { { 16, 0, 16, 16 }, { 0, 16, 48, 16 } },
      { { 16, 0, 16, 32 }, { 0, 16, 16, 16 }, { 32, 16, 16, 16 } } },
    { 3000, 40, { { 1000, 0, 40, 20 } }, { { 992, 0, 48, 32 } } },      /* across words */
    { 1024, 16, { { 0, 0, 1024, 16 } }, { { 0, 0, 1024, 16 } } },       /* a whole word */
    { 1, 1, { { 0, 0, 1, 1 } }, { { 0, 0, 1, 1 } } },
    { 16384, 16384, { { 0, 0, 16384, 16384 } }, { { 0, 0, 16384, 16384 } } },
    { 64, 64, { { 0xffffffff, 0, 0xffffffff, 1 } }, { { 0 } } },
};

START_TEST(take_row)
{
    VncTiles *tiles = vnc_tiles_new(takes[_i].width, takes[_i].height);
    ConsoleRect rect;

    for (unsigned i = 0; i < 3; i++) {
        vnc_tiles_add(tiles, &takes[_i].in[i]);
    }
    for (unsigned i = 0; takes[_i].out[i].width != 0; i++) {
        ck_assert(vnc_tiles_take(tiles, &rect));
        ck_assert_mem_eq(&rect, &takes[_i].out[i], sizeof(rect));
    }
    ck_assert(!vnc_tiles_take(tiles, &rect));
    g_free(tiles);
}
END_TEST

START_TEST(move_takes_what_the_area_touches)
{
    VncTiles *from = vnc_tiles_new(2000, 100), *to = vnc_tiles_new(2000, 100);
    ConsoleRect area = { 1030, 20, 100, 10 }, left = { 0, 0, 1024, 100 }, rect;

    vnc_tiles_fill(from);
    ck_assert(vnc_tiles_any(from, &area));
    ck_assert(vnc_tiles_move(to, from, &area));
    ck_assert(!vnc_tiles_any(from, &area));
    ck_assert(!vnc_tiles_move(to, from, &area));
    ck_assert(vnc_tiles_any(from, &left));
    ck_assert(vnc_tiles_take(to, &rect));
    ck_assert_mem_eq(&rect, (&(ConsoleRect){ 1024, 16, 112, 16 }), sizeof(rect));
    vnc_tiles_merge(from, to);
    ck_assert(!vnc_tiles_any(from, &area));
    g_free(from);
    g_free(to);
}
END_TEST

/* A pixel that differs and the rectangle that is compared: which tile is found, if any. */
static const struct { unsigned x, y; ConsoleRect rect; bool found; } copies[] = {
    { 0, 0, { 0, 0, 50, 40 }, true },
    { 49, 39, { 0, 0, 50, 40 }, true },
    { 17, 5, { 17, 5, 1, 1 }, true },
    { 17, 5, { 18, 5, 9, 9 }, false },
    { 17, 5, { 0, 6, 50, 20 }, false },
    { 31, 15, { 30, 10, 4, 20 }, true },
};

START_TEST(copy_row)
{
    Surface *from = surface_new(50, 40), *to = surface_new(50, 40);
    VncTiles *changed = vnc_tiles_new(50, 40);
    ConsoleRect rect;

    from->pixels[copies[_i].y * 50 + copies[_i].x] = 0xffffff;
    vnc_tiles_copy(changed, to, from, &copies[_i].rect);
    ck_assert_int_eq(vnc_tiles_take(changed, &rect), copies[_i].found);
    if (copies[_i].found) {
        ck_assert_uint_eq(rect.x, copies[_i].x / 16 * 16);
        ck_assert_uint_eq(rect.y, copies[_i].y / 16 * 16);
        ck_assert_mem_eq(from->pixels, to->pixels, 50 * 40 * 4);
        vnc_tiles_copy(changed, to, from, &copies[_i].rect);
        ck_assert(!vnc_tiles_take(changed, &rect));
    }
    surface_unref(from);
    surface_unref(to);
    g_free(changed);
}
END_TEST

CHECK_MAIN("vnc_tiles", CASES(take_row, takes), CASE(move_takes_what_the_area_touches),
           CASES(copy_row, copies))
