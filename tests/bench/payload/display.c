/*
 * A screen of 1024 by 768 pixels, 32 bits each, on the Bochs VBE interface of a VGA in slot 2.
 * Rows of work of some seconds each: nothing moves; text scrolls by a line of characters, 25 times
 * a second; every pixel changes as often.  Time is the real-time clock's.
 * Bochs VBE: ports 1ce and 1cf; MC146818: register A's update bit, register 0 the seconds.
 */
#include "payload.h"

enum { WIDTH = 1024, HEIGHT = 768, LINE = 16, SECONDS = 6, FRAMES = 25 };
#define SCREEN          0xe0000000u

static void dispi(uint16_t index, uint16_t value)
{
    out16(0x1ce, index);
    out16(0x1cf, value);
}

static uint64_t counter(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static uint8_t second(void)
{
    uint8_t value;

    out8(0x70, 0);
    __asm__ volatile("inb $0x71, %0" : "=a"(value) : : "memory");
    return value;
}

static void next_second(void)
{
    uint8_t now = second();

    while (second() == now) {
        __asm__ volatile("pause");
    }
}

static void copy(volatile uint32_t *to, const volatile uint32_t *from, uint32_t pixels)
{
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(pixels) : : "memory");
}

/* Something like text: cells of 8 by 16 with a few colors, different from line to line. */
static void draw_line(volatile uint32_t *at, uint32_t seed)
{
    for (unsigned i = 0; i < WIDTH * LINE; i++) {
        unsigned column = i % WIDTH / 8, dot = i % WIDTH % 8, row = i / WIDTH;
        uint32_t glyph = (column * 2654435761u ^ seed * 40503u) >> 7;
        uint32_t lit = glyph >> ((dot * 3 + row * 5) % 19) & 1;

        at[i] = lit != 0 && row > 2 && row < 14 ? 0xaaaaaa : 0;
    }
}

static void nothing(volatile uint32_t *screen, uint32_t frame)
{
}

static void scroll(volatile uint32_t *screen, uint32_t frame)
{
    copy(screen, screen + WIDTH * LINE, WIDTH * (HEIGHT - LINE));
    draw_line(screen + WIDTH * (HEIGHT - LINE), frame);
}

static void change(volatile uint32_t *screen, uint32_t frame)
{
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++) {
        screen[i] = ((i % WIDTH + frame * 3) & 255) << 16 | ((i / WIDTH + frame) & 255) << 8 | 0x40;
    }
}

static void run(void (*frame)(volatile uint32_t *screen, uint32_t frame), uint64_t per_frame)
{
    uint64_t next = counter();

    mark('b');
    for (uint32_t i = 0; i < SECONDS * FRAMES; i++) {
        frame((volatile uint32_t *)SCREEN, i);
        for (next += per_frame; counter() < next;) {
            __asm__ volatile("pause");
        }
    }
    mark('e');
}

void payload(void)
{
    uint64_t begin;

    pci_write(2, 0x10, SCREEN);
    pci_write(2, 0x04, 3);
    dispi(4, 0);
    dispi(1, WIDTH);
    dispi(2, HEIGHT);
    dispi(3, 32);
    dispi(4, 0x41);
    __asm__ volatile("inb %%dx, %%al" : : "d"(0x3da) : "al", "memory");
    out8(0x3c0, 0x20);                          /* the attribute controller shows the screen */
    for (unsigned i = 0; i < HEIGHT / LINE; i++) {
        draw_line((volatile uint32_t *)SCREEN + i * WIDTH * LINE, i * 7);
    }
    next_second();
    begin = counter();
    next_second();
    begin = (counter() - begin) / FRAMES;
    run(nothing, begin);
    run(scroll, begin);
    run(change, begin);
    mark('.');
    for (;;) {
    }
}
