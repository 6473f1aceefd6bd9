/* How rhea-img says that something went wrong. */
#include <stdarg.h>

#include "img.h"

int img_fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "rhea-img: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 1;
}

int img_fail_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "rhea-img: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'rhea-img --help' for more information\n");
    return 1;
}

int img_fail_error(GError *error)
{
    img_fail("%s", error->message);
    g_error_free(error);
    return 1;
}
