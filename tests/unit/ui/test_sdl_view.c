#include <glib.h>

#include "check_main.h"
#include "sdl_view.h"

static const struct {
    unsigned picture[2], window[2], place[4];
    unsigned factor;
} fits[] = {
    { { 640, 480 }, { 640, 480 }, { 0, 0, 640, 480 }, 1 },
    { { 640, 480 }, { 1280, 960 }, { 0, 0, 1280, 960 }, 2 },
    { { 640, 480 }, { 1290, 970 }, { 5, 5, 1280, 960 }, 2 },        /* a narrow border */
    { { 640, 480 }, { 1000, 750 }, { 0, 0, 1000, 750 }, 0 },
    { { 640, 480 }, { 1000, 480 }, { 180, 0, 640, 480 }, 1 },       /* beside it */
    { { 640, 480 }, { 640, 1000 }, { 0, 260, 640, 480 }, 1 },       /* above and below */
    { { 640, 480 }, { 320, 240 }, { 0, 0, 320, 240 }, 0 },
    { { 1360, 768 }, { 1366, 768 }, { 3, 0, 1360, 768 }, 1 },
    { { 1, 1 }, { 7, 3 }, { 2, 0, 3, 3 }, 3 },
    { { 16384, 1 }, { 100, 100 }, { 0, 49, 100, 1 }, 0 },
    { { 1, 16384 }, { 100, 100 }, { 49, 0, 1, 100 }, 0 },
    { { 16384, 16384 }, { 16384, 16384 }, { 0, 0, 16384, 16384 }, 1 },
};

START_TEST(fit_row)
{
    SdlView view = sdl_view_fit(fits[_i].picture[0], fits[_i].picture[1], fits[_i].window[0],
                                fits[_i].window[1]);

    ck_assert_uint_eq(view.x, fits[_i].place[0]);
    ck_assert_uint_eq(view.y, fits[_i].place[1]);
    ck_assert_uint_eq(view.width, fits[_i].place[2]);
    ck_assert_uint_eq(view.height, fits[_i].place[3]);
    ck_assert_uint_eq(sdl_view_factor(&view), fits[_i].factor);
}
END_TEST

/* Whatever the sizes are, the picture is in the window and not empty. */
START_TEST(always_inside)
{
    for (unsigned i = 0; i < 200000; i++) {
        unsigned size[4];
        SdlView view;

        for (unsigned k = 0; k < 4; k++) {
            size[k] = 1 + g_random_int_range(0, 1 << g_random_int_range(1, 15));
        }
        view = sdl_view_fit(size[0], size[1], size[2], size[3]);
        ck_assert(view.width > 0 && view.height > 0);
        ck_assert(view.x + view.width <= size[2] && view.y + view.height <= size[3]);
    }
}
END_TEST

static const struct { int at[2]; unsigned picture[2]; } points[] = {    /* 640 × 480, doubled */
    { { 10, 20 }, { 0, 0 } }, { { 12, 20 }, { 1, 0 } }, { { 11, 23 }, { 0, 1 } },
    { { 1289, 979 }, { 639, 479 } }, { { 0, 0 }, { 0, 0 } }, { { -5, 2000 }, { 0, 479 } },
    { { 1300, 990 }, { 639, 479 } },
};

START_TEST(point_row)
{
    SdlView view = { .picture_width = 640, .picture_height = 480, .x = 10, .y = 20,
                     .width = 1280, .height = 960 };
    unsigned x, y;

    sdl_view_point(&view, points[_i].at[0], points[_i].at[1], &x, &y);
    ck_assert_uint_eq(x, points[_i].picture[0]);
    ck_assert_uint_eq(y, points[_i].picture[1]);
}
END_TEST

static const struct { unsigned width; bool in; unsigned result[2]; } zooms[] = {
    { 640, true, { 800, 600 } }, { 640, false, { 480, 360 } }, { 1000, true, { 1120, 840 } },
    { 1000, false, { 960, 720 } }, { 160, false, { 160, 120 } }, { 5120, true, { 5120, 3840 } },
    { 10, true, { 160, 120 } },
};

START_TEST(zoom_row)
{
    SdlView view = sdl_view_fit(640, 480, zooms[_i].width, zooms[_i].width);
    unsigned width, height;

    sdl_view_zoom(&view, zooms[_i].in, &width, &height);
    ck_assert_uint_eq(width, zooms[_i].result[0]);
    ck_assert_uint_eq(height, zooms[_i].result[1]);
}
END_TEST

CHECK_MAIN("sdl_view", CASES(fit_row, fits), CASE(always_inside), CASES(point_row, points),
           CASES(zoom_row, zooms))
