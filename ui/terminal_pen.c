/* Select graphic rendition (ECMA-48 8.3.117, xterm): what a terminal's characters look like. */
#include <glib.h>
#include <limits.h>

#include "terminal_screen.h"

static const TerminalPen plain = { .foreground = 7 };

/* A VGA's colors as its BIOS sets them, in the order of SGR, where red and blue are swapped. */
static const uint32_t colors_rgb[16] = {
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
    0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

static uint8_t vga_color(unsigned sgr)
{
    return (sgr & 0x0a) | (sgr & 1) << 2 | (sgr >> 2 & 1);
}

static uint8_t nearest_color(unsigned red, unsigned green, unsigned blue)
{
    unsigned best = 0, best_distance = UINT_MAX;

    for (unsigned i = 0; i < G_N_ELEMENTS(colors_rgb); i++) {
        int dr = (int)red - (int)(colors_rgb[i] >> 16);
        int dg = (int)green - (int)(colors_rgb[i] >> 8 & 0xff);
        int db = (int)blue - (int)(colors_rgb[i] & 0xff);
        unsigned distance = dr * dr + dg * dg + db * db;

        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return vga_color(best);
}

/* xterm's 256: sixteen, a cube of 6 levels, 24 greys. */
static uint8_t indexed_color(unsigned n)
{
    static const uint8_t levels[6] = { 0, 0x5f, 0x87, 0xaf, 0xd7, 0xff };
    unsigned grey;

    if (n < 16) {
        return vga_color(n);
    }
    if (n < 232) {
        n -= 16;
        return nearest_color(levels[n / 36], levels[n / 6 % 6], levels[n % 6]);
    }
    grey = 8 + (MIN(n, 255) - 232) * 10;
    return nearest_color(grey, grey, grey);
}

/* The parameters of a CSI m. */
typedef struct Rendition {
    const unsigned *params;
    unsigned n;
    uint16_t colons;
} Rendition;

static unsigned param(const Rendition *r, unsigned n)
{
    return n < r->n ? r->params[n] : 0;
}

/*
 * What follows a 38 or 48 at n: "5;INDEX" or "2;RED;GREEN;BLUE"; with colons (ITU T.416) a color
 * space stands before red.  Returns the last parameter it took.
 */
static unsigned extended_color(const Rendition *r, unsigned n, uint8_t *color)
{
    unsigned rgb = n + 2;

    if (param(r, n + 1) == 5) {
        *color = indexed_color(param(r, n + 2));
        return n + 2;
    }
    if (param(r, n + 1) != 2) {
        return r->n;
    }
    rgb += n + 5 < TERMINAL_PARAMS_MAX && r->colons >> (n + 5) & 1;
    *color = nearest_color(MIN(param(r, rgb), 255), MIN(param(r, rgb + 1), 255),
                           MIN(param(r, rgb + 2), 255));
    return rgb + 2;
}

static void set_one(TerminalPen *pen, unsigned n)
{
    if (n == 0) {
        *pen = plain;
    } else if (n >= 30 && n <= 37) {
        pen->foreground = vga_color(n - 30);
    } else if (n >= 40 && n <= 47) {
        pen->background = vga_color(n - 40);
    } else if (n >= 90 && n <= 97) {
        pen->foreground = vga_color(n - 90 + 8);
    } else if (n >= 100 && n <= 107) {
        pen->background = vga_color(n - 100 + 8);
    } else if (n == 39) {
        pen->foreground = plain.foreground;
    } else if (n == 49) {
        pen->background = plain.background;
    } else if (n == 1 || n == 22) {
        pen->bold = n == 1;
    } else if (n == 4 || n == 24) {
        pen->underlined = n == 4;
    } else if (n == 7 || n == 27) {
        pen->reverse = n == 7;
    } else if (n == 8 || n == 28) {
        pen->hidden = n == 8;
    }
}

void pen_select(TerminalPen *pen, const unsigned *params, unsigned n, uint16_t colons)
{
    const Rendition r = { params, n, colons };

    for (unsigned i = 0; i < n; i++) {
        if (params[i] == 38) {
            i = extended_color(&r, i, &pen->foreground);
        } else if (params[i] == 48) {
            i = extended_color(&r, i, &pen->background);
        } else if (!(colons >> i & 1)) {            /* not the kind of an underline */
            set_one(pen, params[i]);
        }
    }
}
