/* Pictures of a surface as files. Any thread that has a reference to the surface. */
#pragma once

#include "console.h"

typedef enum ImageFormat { IMAGE_PPM, IMAGE_PNG } ImageFormat;

/*
 * Writes the surface to `path` (a set of descriptors' name will do), which is made anew; it is
 * complete when this returns.  PNG needs libpng in the build.
 */
bool screenshot_write(const Surface *surface, const char *path, ImageFormat format,
                      GError **error);
