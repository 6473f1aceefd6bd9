#include "sdl_window.h"

#include <string.h>

#include "tsan.h"

/* ---- the picture ---- */

/*
 * A reader of a surface may meet the adapter that draws into it (console.h): such pixels come once
 * more with the next rectangle.
 */
static void take_pixels(SdlWindow *window, const ConsoleRect *rect)
{
    const Surface *surface = window->surface;
    uint8_t *to = window->picture->pixels;

    TSAN_IGNORE_BEGIN;
    for (unsigned y = rect->y; y < rect->y + rect->height; y++) {
        memcpy((uint32_t *)(to + (size_t)y * window->picture->pitch) + rect->x,
               surface->pixels + (size_t)y * surface->width + rect->x,
               rect->width * sizeof(uint32_t));
    }
    TSAN_IGNORE_END;
}

static void new_picture(SdlWindow *window)
{
    const Surface *surface = window->surface;

    sdl.FreeSurface(window->picture);
    window->picture = sdl.CreateRGBSurfaceWithFormat(0, surface->width, surface->height, 32,
                                                     SDL_PIXELFORMAT_RGB888);
}

/* ---- drawing ---- */

static void draw_all(SdlWindow *window, SDL_Surface *to)
{
    const SdlView *view = &window->view;
    SDL_Rect place = { view->x, view->y, view->width, view->height };
    bool smooth = sdl_view_factor(view) == 0 &&
                  to->format->format == window->picture->format->format;

    sdl.FillRect(to, NULL, 0);
    if (!smooth || sdl.SoftStretchLinear(window->picture, NULL, to, &place) < 0) {
        sdl.UpperBlitScaled(window->picture, NULL, to, &place);
    }
    sdl.UpdateWindowSurface(window->window);
}

static void draw_part(SdlWindow *window, SDL_Surface *to, const ConsoleRect *part, unsigned factor)
{
    SDL_Rect from = { part->x, part->y, part->width, part->height };
    SDL_Rect place = { window->view.x + part->x * factor, window->view.y + part->y * factor,
                       part->width * factor, part->height * factor };

    if (factor == 1) {
        sdl.UpperBlit(window->picture, &from, to, &place);
    } else {
        sdl.UpperBlitScaled(window->picture, &from, to, &place);
    }
    sdl.UpdateWindowSurfaceRects(window->window, &place, 1);
}

/* part: of the picture; NULL: all, and what is around it. */
static void draw(SdlWindow *window, const ConsoleRect *part)
{
    SDL_Surface *to = window->window != NULL ? sdl.GetWindowSurface(window->window) : NULL;
    SdlView view;
    unsigned factor;

    if (to == NULL || window->picture == NULL || !window->shown || to->w < 1 || to->h < 1) {
        return;
    }
    view = sdl_view_fit(window->picture->w, window->picture->h, to->w, to->h);
    if (memcmp(&view, &window->view, sizeof(view)) != 0) {
        window->view = view;
        part = NULL;
    }
    factor = sdl_view_factor(&view);
    if (part == NULL || factor == 0) {
        draw_all(window, to);
    } else {
        draw_part(window, to, part, factor);
    }
}

void sdl_window_redraw(SdlWindow *window)
{
    draw(window, NULL);
}

/* ---- sizes ---- */

static void set_size(SdlWindow *window, unsigned width, unsigned height)
{
    window->asked_width = width;
    window->asked_height = height;
    window->scaled = width != window->surface->width || height != window->surface->height;
    if (window->window != NULL && !window->full_screen) {
        sdl.SetWindowSize(window->window, width, height);
    }
}

bool sdl_window_resized(SdlWindow *window, unsigned width, unsigned height)
{
    bool asked = width == window->asked_width && height == window->asked_height;

    if (!window->full_screen) {
        window->scaled = width != window->surface->width || height != window->surface->height;
    }
    return !asked;
}

void sdl_window_set_full_screen(SdlWindow *window, bool on)
{
    if (sdl.SetWindowFullscreen(window->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) < 0) {
        return;
    }
    window->full_screen = on;
    if (!on && !window->scaled) {
        set_size(window, window->surface->width, window->surface->height);
    }
}

void sdl_window_unscale(SdlWindow *window)
{
    if (!window->full_screen) {
        sdl.RestoreWindow(window->window);
        set_size(window, window->surface->width, window->surface->height);
    }
}

void sdl_window_zoom(SdlWindow *window, bool in)
{
    unsigned width, height;

    if (!window->full_screen && window->view.picture_width > 0) {
        sdl_view_zoom(&window->view, in, &width, &height);
        set_size(window, width, height);
    }
}

/* ---- life ---- */

SdlWindow *sdl_window_new(SdlScreen *screen)
{
    SdlWindow *window = g_new0(SdlWindow, 1);

    window->screen = screen;
    return window;
}

void sdl_window_free(SdlWindow *window)
{
    sdl.FreeSurface(window->picture);
    if (window->window != NULL) {
        sdl.DestroyWindow(window->window);
    }
    g_clear_pointer(&window->surface, surface_unref);
    sdl_screen_unref(window->screen);
    g_free(window);
}

static void show(SdlWindow *window)
{
    Uint32 full_screen = window->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0;

    if (window->window == NULL) {
        window->window = sdl.CreateWindow("", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                          window->surface->width, window->surface->height,
                                          SDL_WINDOW_RESIZABLE | full_screen);
        window->asked_width = window->surface->width;
        window->asked_height = window->surface->height;
    } else {
        sdl.ShowWindow(window->window);
    }
    if (window->window != NULL) {
        sdl.RaiseWindow(window->window);
    }
}

static void take_surface(SdlWindow *window, Surface *surface)
{
    bool first = window->surface == NULL;

    g_clear_pointer(&window->surface, surface_unref);
    window->surface = surface;
    new_picture(window);
    if (!first && !window->scaled) {
        set_size(window, surface->width, surface->height);
    }
}

bool sdl_window_update(SdlWindow *window)
{
    SdlNews news;

    sdl_screen_take(window->screen, &news);
    if (news.gone) {
        g_clear_pointer(&news.surface, surface_unref);
        return false;
    }
    if (news.surface != NULL) {
        take_surface(window, news.surface);
    }
    if (window->surface == NULL) {
        return true;                            /* never watched so far */
    }
    if (news.dirty.width > 0 && window->picture != NULL) {
        take_pixels(window, &news.dirty);
    }
    if (news.shown != window->shown) {
        window->shown = news.shown;
        if (news.shown) {
            show(window);
        } else if (window->window != NULL) {
            sdl.HideWindow(window->window);
        }
        draw(window, NULL);
    } else if (news.dirty.width > 0) {
        draw(window, news.surface != NULL ? NULL : &news.dirty);
    }
    return true;
}

void sdl_window_set_title(SdlWindow *window, const char *title)
{
    if (window->window != NULL) {
        sdl.SetWindowTitle(window->window, title);
    }
}
