/*
 * A viewer's pointer, on the way to the guest: positions where the guest's pointer takes those,
 * else motion.
 *
 * Any thread, machine lock held.
 */
#pragma once

#include "console.h"
#include "input.h"

typedef struct Pointer {
    Vm *vm;
    unsigned buttons;                   /* bits of 1 << InputButton that are down */
    unsigned x, y;
    bool known;                         /* x and y are; motion is from there */
} Pointer;

/* The viewer's pointer is at x, y of a width × height picture with those buttons down. */
void pointer_at(Pointer *pointer, unsigned x, unsigned y, unsigned width, unsigned height,
                unsigned buttons);
/* It moved by that much, wherever it is. */
void pointer_moved(Pointer *pointer, int dx, int dy, unsigned buttons);
void pointer_wheel(Pointer *pointer, int horizontal, int vertical);     /* clicks; up, right: > 0 */
void pointer_release(Pointer *pointer);                         /* lets go of every button */
