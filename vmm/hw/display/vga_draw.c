/*
 * What the monitor shows.
 *
 * A drawing begins with a look at the registers: which kind of picture, how large, which colors.  If
 * any of that changed since the last one everything is drawn; else text is compared cell by cell
 * with what was drawn, and graphics line by line where pages of memory were written.  Only pixels
 * that differ from the surface's are reported.
 *
 * Not modelled: panning by single dots, blinking graphics.
 */
#include "vga.h"

#include <string.h>

#define CURSOR_PHASE_NS     (266 * NS_PER_MS)       /* on for so long, then off */
#define BLINK_PHASE_NS      (532 * NS_PER_MS)
#define FONT_ROWS           32                      /* bytes of a character in plane 2 */

typedef enum PictureKind {
    PICTURE_BLANK, PICTURE_TEXT, PICTURE_PLANES, PICTURE_CGA, PICTURE_256, PICTURE_LINEAR
} PictureKind;

/* All that tells how memory becomes a picture; compared as bytes, so cleared before it is filled. */
typedef struct Picture {
    PictureKind kind;
    uint32_t width, height;             /* of the surface */
    uint32_t start, line_bytes;         /* of memory */
    uint32_t repeat;                    /* scan lines a line is shown on */
    uint32_t twice;                     /* a row of dots is shown on 1 << twice scan lines */
    uint32_t line_compare;              /* the scan line at which memory begins again at 0 */
    uint32_t bits;                      /* linear: 8, 15, 16, 24, 32 */
    uint32_t doubled;                   /* each dot twice */
    uint32_t row_bits[2];               /* address bits that are the row's number's; 0: none */
    uint32_t cell_width, cell_height, columns, rows;        /* text */
    uint32_t fonts[2], line_graphics, blink, cursor_first, cursor_last;
    uint32_t plane_mask, dac_mask;
    uint32_t palette[16], colors[256];  /* 0x00RRGGBB */
} Picture;

#define CELL_CURSOR     (1u << 31)
#define CELL_HIDDEN     (1u << 30)
#define CELL_NEVER      0xff            /* in each byte of a cell that was not drawn yet */

struct VgaShown {
    Picture picture;
    VgaPointer pointer;
    bool valid;
    uint32_t *cells;                    /* text: code, attribute and the flags above */
    unsigned n_cells;
    uint32_t *line;                     /* one line of pixels, at work */
    uint8_t *bytes;                     /* one line of memory that wraps round its end */
    unsigned long *dirty;
};

/* ---- the registers' meaning ---- */

uint32_t vga_color(const uint8_t c[3], bool eight_bits)
{
    uint32_t rgb = 0;

    for (unsigned i = 0; i < 3; i++) {
        rgb = rgb << 8 | (eight_bits ? c[i] : (c[i] & 0x3f) << 2 | (c[i] & 0x3f) >> 4);
    }
    return rgb;
}

static void find_colors(const Vga *vga, Picture *p)
{
    bool eight_bits = vbe_is_on(vga) && vga->vbe[VBE_ENABLE] & VBE_ENABLE_8BIT_DAC;

    p->dac_mask = vga->dac_mask;
    for (unsigned i = 0; i < 256; i++) {
        p->colors[i] = vga_color(&vga->dac[(i & vga->dac_mask) * 3], eight_bits);
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned n = vga->attr[i];

        n = vga->attr[ATTR_MODE] & ATTR_MODE_P54
            ? (vga->attr[ATTR_COLOR] & 0x0f) << 4 | (n & 0x0f)
            : (vga->attr[ATTR_COLOR] & 0x0c) << 4 | (n & 0x3f);
        p->palette[i] = p->colors[n];
    }
    p->plane_mask = vga->attr[ATTR_PLANES] & 0x0f;
}

static unsigned vertical_end(const Vga *vga)
{
    uint8_t overflow = vga->crtc[CRTC_OVERFLOW];

    return (vga->crtc[CRTC_V_END] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1;
}

static void find_scan(const Vga *vga, Picture *p)
{
    const uint8_t *crtc = vga->crtc;

    VgaScan scan = {
        .start = (crtc[CRTC_START_LOW] | crtc[CRTC_START_HIGH] << 8) * 4,
        .line_bytes = crtc[CRTC_OFFSET] * 8, .height = vertical_end(vga),
    };

    if (vga->chip->scan != NULL) {
        vga->chip->scan(vga, &scan);
    }
    p->start = scan.start;
    p->line_bytes = scan.line_bytes;
    p->height = scan.height;
    p->bits = scan.bits;
    p->line_compare = crtc[CRTC_LINE_COMPARE] | (crtc[CRTC_OVERFLOW] & 0x10) << 4 |
                      (crtc[CRTC_MAX_SCAN] & 0x40) << 3;
    p->doubled = (vga->seq[SEQ_CLOCK] & SEQ_CLOCK_HALF) != 0;
    p->repeat = (crtc[CRTC_MAX_SCAN] & 0x1f) + 1;
}

static uint32_t font_at(unsigned map)
{
    return (map & 3) * 0x4000 + (map & 4 ? 0x2000 : 0);
}

static void find_text(const Vga *vga, Picture *p)
{
    uint8_t font = vga->seq[SEQ_FONT];

    p->kind = PICTURE_TEXT;
    p->cell_width = vga->seq[SEQ_CLOCK] & SEQ_CLOCK_8_DOTS ? 8 : 9;
    p->cell_height = p->repeat;
    p->columns = vga->crtc[CRTC_H_END] + 1;
    p->rows = MAX(p->height / p->cell_height, 1);
    p->width = p->columns * (p->cell_width << p->doubled);
    p->height = p->rows * p->cell_height;
    p->fonts[0] = font_at((font & 3) | (font >> 4 & 1) << 2);
    p->fonts[1] = font_at((font >> 2 & 3) | (font >> 5 & 1) << 2);
    p->line_graphics = vga->attr[ATTR_MODE] & ATTR_MODE_LINE_GRAPHICS;
    p->blink = vga->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    p->cursor_first = vga->crtc[CRTC_CURSOR_START] & 0x1f;
    p->cursor_last = vga->crtc[CRTC_CURSOR_END] & 0x1f;
}

static void find_graphics(const Vga *vga, Picture *p)
{
    static const PictureKind kinds[4] = { PICTURE_PLANES, PICTURE_CGA, PICTURE_256, PICTURE_256 };

    p->kind = p->bits != 0 ? PICTURE_LINEAR : kinds[vga->gfx[GFX_MODE] >> 5 & 3];
    p->width = (vga->crtc[CRTC_H_END] + 1) * 8u << p->doubled;
    for (unsigned i = 0; i < 2; i++) {          /* memory address bits 13 and 14 */
        unsigned shift = vga->crtc[CRTC_MODE] & CRTC_MODE_BYTES ? 15 : 14;

        p->row_bits[i] = vga->crtc[CRTC_MODE] >> i & 1 ? 0 : 1u << (shift + i);
    }
    p->twice = vga->crtc[CRTC_MAX_SCAN] & CRTC_DOUBLE_SCAN ? 1 : 0;
    p->repeat <<= p->twice;
}

static void find_vbe(const Vga *vga, Picture *p)
{
    p->bits = vga->vbe[VBE_BPP];
    p->kind = p->bits == 4 ? PICTURE_PLANES : PICTURE_LINEAR;
    p->width = vga->vbe[VBE_XRES];
    p->height = vga->vbe[VBE_YRES];
    p->repeat = 1;
    p->line_compare = UINT32_MAX;
    p->line_bytes = vbe_line_bytes(vga);
    p->start = vbe_start(vga);
}

/* A chip's own modes are shown with the screen off, too: so vgabios-cirrus.bin leaves them. */
static bool is_blank(const Vga *vga, const Picture *p)
{
    bool off = !vbe_is_on(vga) && p->bits == 0 && vga->seq[SEQ_CLOCK] & SEQ_CLOCK_SCREEN_OFF;

    return off || !(vga->attr_index & ATTR_INDEX_ENABLE) ||
           (vga->chip->only_linear && (!vbe_is_on(vga) || p->bits < 15));
}

static void look(const Vga *vga, Picture *p)
{
    memset(p, 0, sizeof(*p));
    find_colors(vga, p);
    if (vbe_is_on(vga)) {
        find_vbe(vga, p);
    } else {
        find_scan(vga, p);
        if (vga->gfx[GFX_MISC] & GFX_MISC_GRAPHICS) {
            find_graphics(vga, p);
        } else {
            find_text(vga, p);
        }
    }
    if (is_blank(vga, p)) {                     /* black, as large as what was there */
        const Surface *surface = console_surface(vga->console);

        p->kind = PICTURE_BLANK;
        p->width = surface->width;
        p->height = surface->height;
    }
}

/* ---- memory ---- */

/* `len` bytes of memory from `at` on; the last byte is followed by the first. */
static const uint8_t *memory_at(Vga *vga, uint32_t at, uint32_t len)
{
    uint64_t from = at & (vga->vram_size - 1);

    if (from + len <= vga->vram_size) {
        return vga->vram.ram->host + from;
    }
    for (uint32_t i = 0; i < len; i++) {
        vga->shown->bytes[i] = vga->vram.ram->host[(from + i) & (vga->vram_size - 1)];
    }
    return vga->shown->bytes;
}

static bool is_dirty(const Vga *vga, uint32_t at, uint32_t len)
{
    uint64_t from = at & (vga->vram_size - 1), last = from + len - 1;

    if (last >= vga->vram_size) {
        return true;
    }
    for (uint64_t page = from / PAGE_SIZE_4K; page <= last / PAGE_SIZE_4K; page++) {
        if (vga->shown->dirty[page / 64] >> page % 64 & 1) {
            return true;
        }
    }
    return false;
}

/* ---- a line of pixels onto the surface ---- */

typedef struct Damage { unsigned x, end, y, bottom; } Damage;

static void damage_flush(Vga *vga, Damage *damage)
{
    if (damage->bottom > damage->y) {
        console_changed(vga->console, damage->x, damage->y, damage->end - damage->x,
                        damage->bottom - damage->y);
    }
    *damage = (Damage){ 0 };
}

static void damage_add(Vga *vga, Damage *damage, unsigned x, unsigned end, unsigned y)
{
    if (damage->bottom == y && damage->bottom > damage->y) {
        damage->x = MIN(damage->x, x);
        damage->end = MAX(damage->end, end);
        damage->bottom = y + 1;
    } else {
        damage_flush(vga, damage);
        *damage = (Damage){ x, end, y, y + 1 };
    }
}

/* Copies what differs, from the first such pixel to the last. */
static void put_line(Vga *vga, Damage *damage, unsigned y, const uint32_t *line)
{
    Surface *surface = console_surface(vga->console);
    uint32_t *to = surface->pixels + (size_t)y * surface->width;
    unsigned first = 0, end = surface->width;

    if (memcmp(to, line, (size_t)end * 4) == 0) {
        return;
    }
    while (to[first] == line[first]) {
        first++;
    }
    while (to[end - 1] == line[end - 1]) {
        end--;
    }
    memcpy(to + first, line + first, (size_t)(end - first) * 4);
    damage_add(vga, damage, first, end, y);
}

/* ---- graphics: bytes to pixels ---- */

/* 8 pixels to a word, a bit of each in each plane. */
static void draw_planes(const Picture *p, const uint8_t *bytes, uint32_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *word = bytes + i / 8 * 4;
        unsigned bit = 7 - i % 8, color = 0;

        for (unsigned plane = 0; plane < 4; plane++) {
            color |= (word[plane] >> bit & 1u) << plane;
        }
        out[i] = p->palette[color & p->plane_mask];
    }
}

/* 8 pixels to a word: four in planes 0 and 2, four in planes 1 and 3, two bits in each. */
static void draw_cga(const Picture *p, const uint8_t *bytes, uint32_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *word = bytes + i / 8 * 4;
        unsigned half = i / 4 % 2, shift = 6 - i % 4 * 2;
        unsigned color = (word[half] >> shift & 3) | (word[half + 2] >> shift & 3) << 2;

        out[i] = p->palette[color & p->plane_mask];
    }
}

/* A byte to a pixel, shown for two dots. */
static void draw_256(const Picture *p, const uint8_t *bytes, uint32_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        out[i] = p->colors[bytes[i / 2]];
    }
}

static uint32_t scale(unsigned value, unsigned bits)
{
    return bits == 5 ? value << 3 | value >> 2 : value << 2 | value >> 4;
}

static void draw_linear(const Picture *p, const uint8_t *bytes, uint32_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t v;

        switch (p->bits) {
        case 8:
            out[i] = p->colors[bytes[i]];
            break;
        case 15:
            v = bytes[2 * i] | bytes[2 * i + 1] << 8;
            out[i] = scale(v >> 10 & 31, 5) << 16 | scale(v >> 5 & 31, 5) << 8 | scale(v & 31, 5);
            break;
        case 16:
            v = bytes[2 * i] | bytes[2 * i + 1] << 8;
            out[i] = scale(v >> 11, 5) << 16 | scale(v >> 5 & 63, 6) << 8 | scale(v & 31, 5);
            break;
        case 24:
            out[i] = bytes[3 * i] | bytes[3 * i + 1] << 8 | bytes[3 * i + 2] << 16;
            break;
        default:
            memcpy(&v, bytes + 4 * i, 4);
            out[i] = v & 0xffffff;
            break;
        }
    }
}

/* Bytes of memory `n` pixels take. */
static uint32_t bytes_of(const Picture *p, unsigned n)
{
    switch (p->kind) {
    case PICTURE_256:
        return (n + 1) / 2;
    case PICTURE_LINEAR:
        return n * (p->bits == 15 ? 16 : p->bits) / 8;
    default:
        return (n + 7) / 8 * 4;
    }
}

static void draw_pixels(const Picture *p, const uint8_t *bytes, uint32_t *out)
{
    static void (*const draw[])(const Picture *p, const uint8_t *bytes, uint32_t *out, unsigned n) = {
        [PICTURE_PLANES] = draw_planes, [PICTURE_CGA] = draw_cga, [PICTURE_256] = draw_256,
        [PICTURE_LINEAR] = draw_linear,
    };
    unsigned n = p->width >> p->doubled;

    draw[p->kind](p, bytes, out, n);
    if (p->doubled) {
        for (unsigned i = p->width; i-- > 0;) {
            out[i] = out[i / 2];
        }
    }
}

/* ---- the chip's pointer ---- */

static bool is_below(const VgaPointer *pointer, unsigned y)
{
    return y >= pointer->y && y - pointer->y < pointer->size;
}

static void find_pointer(const Vga *vga, VgaPointer *pointer)
{
    memset(pointer, 0, sizeof(*pointer));
    if (vga->chip->pointer != NULL) {
        vga->chip->pointer(vga, pointer);
    }
}

static void draw_pointer(const Vga *vga, const VgaPointer *pointer, unsigned y, uint32_t *line)
{
    unsigned width = vga->shown->picture.width;
    uint64_t invert, paint;

    vga->chip->pointer_row(vga, pointer, y - pointer->y, &invert, &paint);
    for (unsigned i = 0; i < pointer->size && pointer->x + i < width; i++) {
        uint32_t *dot = &line[pointer->x + i];
        unsigned kind = (invert >> (63 - i) & 1) | (paint >> (63 - i) & 1) << 1;

        if (kind == 1) {
            *dot ^= 0xffffff;
        } else if (kind > 1) {
            *dot = pointer->colors[kind - 2];
        }
    }
}

/* Where in memory the scan line `y` begins. */
static uint32_t line_address(const Picture *p, unsigned y)
{
    unsigned from = y > p->line_compare ? p->line_compare + 1 : 0;
    unsigned line = (y - from) / p->repeat, row = (y - from) % p->repeat >> p->twice;
    uint32_t at = (from > 0 ? 0 : p->start) + line * p->line_bytes;

    for (unsigned i = 0; i < 2; i++) {          /* CGA's and Hercules' interleaved lines */
        at = (at & ~p->row_bits[i]) | (row >> i & 1 ? p->row_bits[i] : 0);
    }
    return at;
}

static void draw_graphics(Vga *vga, bool all)
{
    VgaShown *shown = vga->shown;
    const Picture *p = &shown->picture;
    uint32_t len = bytes_of(p, p->width >> p->doubled), last = 0;
    VgaPointer was = shown->pointer, *is = &shown->pointer;
    Damage damage = { 0 };
    bool have = false, moved;

    find_pointer(vga, is);
    moved = memcmp(&was, is, sizeof(was)) != 0 || (is->size > 0 && is_dirty(vga, is->at, is->bytes));
    for (unsigned y = 0; y < p->height; y++) {
        uint32_t at = line_address(p, y);

        if (!all && !is_dirty(vga, at, len) && !(moved && (is_below(&was, y) || is_below(is, y)))) {
            continue;
        }
        if (!have || at != last) {
            draw_pixels(p, memory_at(vga, at, len), shown->line);
            have = true;
            last = at;
        }
        if (is_below(is, y)) {
            draw_pointer(vga, is, y, shown->line);
            have = false;
        }
        put_line(vga, &damage, y, shown->line);
    }
    damage_flush(vga, &damage);
}

/* ---- text ---- */

static int cursor_cell(const Vga *vga, const Picture *p)
{
    unsigned at = vga->crtc[CRTC_CURSOR_LOW] | vga->crtc[CRTC_CURSOR_HIGH] << 8;
    unsigned start = p->start / 4, stride = MAX(p->line_bytes / 4, 1);

    if (vga->crtc[CRTC_CURSOR_START] & CRTC_CURSOR_OFF || p->cursor_first > p->cursor_last ||
        at < start ||
        (at - start) % stride >= p->columns || (at - start) / stride >= p->rows) {
        return -1;
    }
    return (at - start) / stride * p->columns + (at - start) % stride;
}

static void draw_cell(Vga *vga, unsigned column, unsigned row, uint32_t cell)
{
    const Picture *p = &vga->shown->picture;
    Surface *surface = console_surface(vga->console);
    unsigned attr = cell >> 8 & 0xff, code = cell & 0xff;
    uint32_t fg = p->palette[attr & 15], bg = p->palette[attr >> 4 & (p->blink ? 7 : 15)];
    uint32_t font = p->fonts[attr >> 3 & 1] + code * FONT_ROWS;
    unsigned width = p->cell_width << p->doubled;

    fg = cell & CELL_HIDDEN ? bg : fg;
    for (unsigned y = 0; y < p->cell_height; y++) {
        uint32_t *out = surface->pixels + (size_t)(row * p->cell_height + y) * surface->width +
                        column * width;
        unsigned dots = vga->vram.ram->host[((font + y) * 4 + 2) & (vga->vram_size - 1)] << 1;

        if (p->line_graphics && (code & 0xe0) == 0xc0) {
            dots |= dots >> 1 & 1;              /* the ninth dot is like the eighth */
        }
        if (cell & CELL_CURSOR && y >= p->cursor_first && y <= p->cursor_last) {
            dots = 0x1ff;
        }
        for (unsigned x = 0; x < width; x++) {
            out[x] = dots >> (8 - (x >> p->doubled)) & 1 ? fg : bg;
        }
    }
}

static bool phase_on(const Vga *vga, int64_t phase_ns)
{
    return vm_clock_ns(vga->dev->vm) / phase_ns % 2 == 0;
}

static void draw_row(Vga *vga, unsigned row, int cursor, bool lit)
{
    VgaShown *shown = vga->shown;
    const Picture *p = &shown->picture;
    const uint8_t *bytes = memory_at(vga, p->start + row * p->line_bytes, p->columns * 4);
    unsigned first = p->columns, last = 0, width = p->cell_width << p->doubled;

    for (unsigned column = 0; column < p->columns; column++) {
        unsigned n = row * p->columns + column;
        uint32_t cell = bytes[column * 4] | bytes[column * 4 + 1] << 8;

        cell |= (int)n == cursor ? CELL_CURSOR : 0;
        cell |= p->blink && cell & 0x8000 && !lit ? CELL_HIDDEN : 0;
        if (cell != shown->cells[n]) {
            shown->cells[n] = cell;
            draw_cell(vga, column, row, cell);
            first = MIN(first, column);
            last = column;
        }
    }
    if (first < p->columns) {
        console_changed(vga->console, first * width, row * p->cell_height,
                        (last - first + 1) * width, p->cell_height);
    }
}

static void draw_text(Vga *vga, bool all)
{
    VgaShown *shown = vga->shown;
    const Picture *p = &shown->picture;
    int cursor = phase_on(vga, CURSOR_PHASE_NS) ? cursor_cell(vga, p) : -1;
    bool lit = phase_on(vga, BLINK_PHASE_NS);

    if (all || vga->font_written) {
        shown->n_cells = p->columns * p->rows;
        shown->cells = g_renew(uint32_t, shown->cells, shown->n_cells);
        memset(shown->cells, CELL_NEVER, shown->n_cells * sizeof(uint32_t));
        vga->font_written = false;
    }
    for (unsigned row = 0; row < p->rows; row++) {
        draw_row(vga, row, cursor, lit);
    }
}

static void draw_blank(Vga *vga, bool all)
{
    Surface *surface = console_surface(vga->console);

    if (all) {
        memset(surface->pixels, 0, (size_t)surface->width * surface->height * 4);
        console_changed(vga->console, 0, 0, surface->width, surface->height);
    }
}

/* ---- the console's functions ---- */

static void make_room(Vga *vga, const Picture *p)
{
    VgaShown *shown = vga->shown;

    console_resize(vga->console, p->width, p->height);
    shown->line = g_renew(uint32_t, shown->line, p->width + 8);
    shown->bytes = g_realloc(shown->bytes, (size_t)p->width * 4 + 32);
}

static VgaShown *shown_new(const Vga *vga)
{
    VgaShown *shown = g_new0(VgaShown, 1);

    shown->dirty = g_new0(unsigned long, vga->vram_size / PAGE_SIZE_4K / 64 + 1);
    return shown;
}

void vga_update(void *opaque)
{
    Vga *vga = opaque;
    Vm *vm = vga->dev->vm;
    Picture picture;
    bool all;

    if (vga->shown == NULL) {
        vga->shown = shown_new(vga);
    }
    if (vm->sync_dirty != NULL) {
        vm->sync_dirty(vm, DIRTY_DISPLAY);
    }
    ram_dirty_fetch(vga->vram.ram, DIRTY_DISPLAY, 0, vga->vram_size / PAGE_SIZE_4K,
                    vga->shown->dirty);
    look(vga, &picture);
    all = !vga->shown->valid || memcmp(&picture, &vga->shown->picture, sizeof(picture)) != 0;
    if (all) {
        vga->shown->picture = picture;
        vga->shown->valid = true;
        make_room(vga, &picture);
    }
    if (picture.kind == PICTURE_BLANK) {
        draw_blank(vga, all);
    } else if (picture.kind == PICTURE_TEXT) {
        draw_text(vga, all);
    } else {
        draw_graphics(vga, all);
    }
}

void vga_invalidate(void *opaque)
{
    Vga *vga = opaque;

    if (vga->shown != NULL) {
        vga->shown->valid = false;
    }
}

bool vga_text(void *opaque, ConsoleText *text)
{
    Vga *vga = opaque;
    Picture p;
    int cursor;

    look(vga, &p);
    if (p.kind != PICTURE_TEXT || p.start + (uint64_t)p.rows * p.line_bytes > vga->vram_size) {
        return false;
    }
    cursor = cursor_cell(vga, &p);
    *text = (ConsoleText){
        .columns = p.columns, .rows = p.rows, .stride = p.line_bytes / 4,
        .cells = (const uint32_t *)(vga->vram.ram->host + p.start),
        .cursor_column = cursor < 0 ? -1 : cursor % (int)p.columns,
        .cursor_row = cursor < 0 ? -1 : cursor / (int)p.columns,
    };
    return true;
}

void vga_draw_free(Vga *vga)
{
    VgaShown *shown = g_steal_pointer(&vga->shown);

    if (shown != NULL) {
        g_free(shown->cells);
        g_free(shown->line);
        g_free(shown->bytes);
        g_free(shown->dirty);
        g_free(shown);
    }
}
