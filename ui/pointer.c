/* A viewer's pointer on the way to the guest. */
#include "pointer.h"

#define WHEEL_CLICKS_MAX 16             /* at once */

static void send_move(Vm *vm, InputKind kind, InputAxis axis, int value)
{
    input_send(vm, &(InputEvent){ kind, axis, value });
}

static void send_buttons(Pointer *pointer, unsigned buttons)
{
    unsigned changed = pointer->buttons ^ buttons;

    for (unsigned button = 0; button < INPUT_BUTTONS; button++) {
        if (changed >> button & 1) {
            input_send(pointer->vm, &(InputEvent){ INPUT_BUTTON, button, buttons >> button & 1 });
        }
    }
    pointer->buttons = buttons & ((1u << INPUT_BUTTONS) - 1);
}

/* Rounded up: a guest that scales down to pixels again cuts the fraction off. */
static int scale(unsigned at, unsigned size)
{
    return size > 1 ? ((uint64_t)MIN(at, size - 1) * INPUT_ABS_MAX + size - 2) / (size - 1) : 0;
}

void pointer_at(Pointer *pointer, unsigned x, unsigned y, unsigned width, unsigned height,
                unsigned buttons)
{
    Vm *vm = pointer->vm;
    bool moved = !pointer->known || x != pointer->x || y != pointer->y;

    if (moved && input_is_absolute(vm)) {
        send_move(vm, INPUT_ABS, INPUT_AXIS_X, scale(x, width));
        send_move(vm, INPUT_ABS, INPUT_AXIS_Y, scale(y, height));
    } else if (moved && pointer->known) {
        send_move(vm, INPUT_REL, INPUT_AXIS_X, (int)(x - pointer->x));
        send_move(vm, INPUT_REL, INPUT_AXIS_Y, (int)(y - pointer->y));
    }
    pointer->known = true;
    pointer->x = x;
    pointer->y = y;
    send_buttons(pointer, buttons);
    input_sync(vm);
}

void pointer_moved(Pointer *pointer, int dx, int dy, unsigned buttons)
{
    send_move(pointer->vm, INPUT_REL, INPUT_AXIS_X, dx);
    send_move(pointer->vm, INPUT_REL, INPUT_AXIS_Y, dy);
    pointer->known = false;
    send_buttons(pointer, buttons);
    input_sync(pointer->vm);
}

static void click(Vm *vm, InputButton button, int times)
{
    for (int i = 0; i < MIN(times, WHEEL_CLICKS_MAX); i++) {
        input_button(vm, button, true);
        input_button(vm, button, false);
    }
}

void pointer_wheel(Pointer *pointer, int horizontal, int vertical)
{
    click(pointer->vm, INPUT_BUTTON_WHEEL_UP, vertical);
    click(pointer->vm, INPUT_BUTTON_WHEEL_DOWN, vertical < 0 ? -MAX(vertical, -INT_MAX) : 0);
    click(pointer->vm, INPUT_BUTTON_WHEEL_RIGHT, horizontal);
    click(pointer->vm, INPUT_BUTTON_WHEEL_LEFT, horizontal < 0 ? -MAX(horizontal, -INT_MAX) : 0);
}

void pointer_release(Pointer *pointer)
{
    send_buttons(pointer, 0);
    input_sync(pointer->vm);
    pointer->known = false;
}
