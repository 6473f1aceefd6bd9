/* The progress line of -p: rewritten in place, one line feed at the end. */
#include "img.h"

static void show(ImgProgress *progress, double percent)
{
    progress->last = percent;
    printf("    (%3.2f/100%%)\r", percent);
    fflush(stdout);
}

void img_progress_begin(ImgProgress *progress, ImgArgs *args)
{
    progress->on = args->given['p'] && !args->given['q'];
    if (progress->on) {
        show(progress, 0);
    }
}

void img_progress_set(ImgProgress *progress, uint64_t done, uint64_t total)
{
    double percent = total > 0 ? 100.0 * done / total : 100;

    if (progress->on && percent - progress->last >= 1) {
        show(progress, percent);
    }
}

void img_progress_end(ImgProgress *progress)
{
    if (progress->on) {
        show(progress, 100);
        printf("\n");
    }
}
