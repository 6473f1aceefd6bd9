/*
 * The SDL 2 library, loaded when a window is asked for.
 *
 * Linked in, it would bring some fifty libraries of sound and window systems into every run of the
 * program, windows or none.  The headers are those of the build; functions are called as
 * sdl.Init(), for SDL_Init().
 */
#pragma once

#include <SDL.h>
#include <glib.h>
#include <stdbool.h>

#define SDL_LIB_FUNCTIONS(F) \
    F(CreateRGBSurfaceWithFormat) F(CreateWindow) F(DestroyWindow) F(FillRect) F(FreeSurface) \
    F(GetCurrentVideoDriver) F(GetError) F(GetWindowID) F(GetWindowSurface) F(HideWindow) F(Init) \
    F(PollEvent) F(Quit) F(RaiseWindow) F(RestoreWindow) F(SetHint) F(SetRelativeMouseMode) \
    F(SetWindowFullscreen) F(SetWindowGrab) F(SetWindowSize) F(SetWindowTitle) F(ShowCursor) \
    F(ShowWindow) F(SoftStretchLinear) F(StartTextInput) F(StopTextInput) F(UpdateWindowSurface) \
    F(UpdateWindowSurfaceRects) F(UpperBlit) F(UpperBlitScaled)

typedef struct SdlLib {
#define SDL_LIB_MEMBER(name_) __typeof__(SDL_##name_) *name_;
    SDL_LIB_FUNCTIONS(SDL_LIB_MEMBER)
#undef SDL_LIB_MEMBER
} SdlLib;

extern SdlLib sdl;                      /* constant once sdl_lib_load() has succeeded */

bool sdl_lib_load(GError **error);
/*
 * A function of SDL_LIB, or of a library that SDL itself has loaded, "libX11.so.6"; NULL: it has
 * not.  After SDL_Init().
 */
#define SDL_LIB "libSDL2-2.0.so.0"
void *sdl_lib_function(const char *library, const char *function);
