#include "sdl_view.h"

#include <glib.h>

#define BORDER_PARTS    32      /* a border of one part in so many is narrow */
#define QUARTERS_MAX    (8 * 4)

static unsigned scale(unsigned value, unsigned numerator, unsigned denominator)
{
    return ((guint64)value * numerator + denominator / 2) / denominator;
}

SdlView sdl_view_fit(unsigned picture_width, unsigned picture_height, unsigned width,
                     unsigned height)
{
    unsigned factor = MIN(width / picture_width, height / picture_height);
    SdlView view = { .picture_width = picture_width, .picture_height = picture_height,
                     .width = width, .height = height };

    if ((guint64)width * picture_height <= (guint64)height * picture_width) {
        view.height = MAX(scale(width, picture_height, picture_width), 1);
    } else {
        view.width = MAX(scale(height, picture_width, picture_height), 1);
    }
    if (factor > 0 && view.width - picture_width * factor <= view.width / BORDER_PARTS) {
        view.width = picture_width * factor;
        view.height = picture_height * factor;
    }
    view.x = (width - view.width) / 2;
    view.y = (height - view.height) / 2;
    return view;
}

unsigned sdl_view_factor(const SdlView *view)
{
    unsigned factor = view->width / view->picture_width;

    return view->width == view->picture_width * factor &&
           view->height == view->picture_height * factor ? factor : 0;
}

static unsigned point(int at, unsigned start, unsigned size, unsigned picture_size)
{
    int inside = CLAMP(at - (int)start, 0, (int)size - 1);

    return (guint64)inside * picture_size / size;
}

void sdl_view_point(const SdlView *view, int x, int y, unsigned *picture_x, unsigned *picture_y)
{
    *picture_x = point(x, view->x, view->width, view->picture_width);
    *picture_y = point(y, view->y, view->height, view->picture_height);
}

void sdl_view_zoom(const SdlView *view, bool in, unsigned *width, unsigned *height)
{
    guint64 quarters = (guint64)view->width * 4;

    if (in) {
        quarters = MIN(quarters / view->picture_width + 1, QUARTERS_MAX);
    } else {
        quarters = MAX((quarters + view->picture_width - 1) / view->picture_width, 2) - 1;
    }
    *width = MAX(view->picture_width * quarters / 4, 1);
    *height = MAX(view->picture_height * quarters / 4, 1);
}
