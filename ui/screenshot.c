/* PPM ("P6", 8 bits) and PNG (8 bits, RGB) of a surface. */
#include "screenshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#ifdef HAVE_PNG
#include <png.h>
#endif

#include "passed_fd.h"
#include "rhea_error.h"

static void line_to_rgb(const Surface *surface, unsigned y, uint8_t *rgb)
{
    const uint32_t *pixels = surface->pixels + (size_t)y * surface->width;

    for (unsigned x = 0; x < surface->width; x++) {
        *rgb++ = pixels[x] >> 16;
        *rgb++ = pixels[x] >> 8;
        *rgb++ = pixels[x];
    }
}

static bool write_ppm(const Surface *surface, FILE *file, GError **error)
{
    g_autofree uint8_t *line = g_malloc(surface->width * 3);

    fprintf(file, "P6\n%u %u\n255\n", surface->width, surface->height);
    for (unsigned y = 0; y < surface->height; y++) {
        line_to_rgb(surface, y, line);
        fwrite(line, 3, surface->width, file);
    }
    return true;
}

#ifdef HAVE_PNG
/* libpng leaves through longjmp: what is freed afterwards must not change meanwhile. */
static bool write_png_lines(const Surface *surface, FILE *file, png_structp png, png_infop info,
                            uint8_t *line)
{
    if (setjmp(png_jmpbuf(png))) {
        return false;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, surface->width, surface->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 1);                  /* screens are mostly even; soon is better */
    png_write_info(png, info);
    for (unsigned y = 0; y < surface->height; y++) {
        line_to_rgb(surface, y, line);
        png_write_row(png, line);
    }
    png_write_end(png, NULL);
    return true;
}

static bool write_png(const Surface *surface, FILE *file, GError **error)
{
    g_autofree uint8_t *line = g_malloc(surface->width * 3);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool ok = info != NULL && write_png_lines(surface, file, png, info, line);

    png_destroy_write_struct(&png, &info);
    if (!ok) {
        set_error(error, "libpng could not write the picture");
    }
    return ok;
}
#else
static bool write_png(const Surface *surface, FILE *file, GError **error)
{
    set_error(error, "this build writes no PNG, only PPM: libpng was not there");
    return false;
}
#endif

bool screenshot_write(const Surface *surface, const char *path, ImageFormat format, GError **error)
{
    int fd = passed_fd_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), copy;
    FILE *file;
    bool ok;

    if (fd < 0) {
        set_error(error, "failed to open file '%s': %s", path, g_strerror(errno));
        return false;
    }
    copy = dup(fd);                                     /* the stream closes its own */
    file = copy >= 0 ? fdopen(copy, "wb") : NULL;
    if (file == NULL) {
        set_error(error, "failed to write file '%s': %s", path, g_strerror(errno));
        passed_fd_release(fd);
        return false;
    }
    ok = (format == IMAGE_PNG ? write_png : write_ppm)(surface, file, error);
    if ((ferror(file) | fclose(file)) != 0 && ok) {
        set_error(error, "failed to write file '%s': %s", path, g_strerror(errno));
        ok = false;
    }
    passed_fd_release(fd);
    return ok;
}
