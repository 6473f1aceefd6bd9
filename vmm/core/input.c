#include "input.h"

#include "vm_core.h"

#define MAX_STEPS 1024                  /* key presses and releases that may wait */

typedef struct KeyStep {
    unsigned key;
    bool down;
    int64_t wait_ns;                    /* before the step after this one */
} KeyStep;

struct Input {
    Vm *vm;
    GPtrArray *handlers;                /* InputHandler *, the first that takes an event gets it */
    unsigned last_index;
    VmTimer typing;
    GQueue steps;                       /* KeyStep * */
};

/* ---- handlers ---- */

void input_register(Vm *vm, InputHandler *handler)
{
    handler->input = vm->input;
    handler->index = ++vm->input->last_index;
    handler->pending = false;
    g_ptr_array_add(vm->input->handlers, handler);
}

void input_unregister(InputHandler *handler)
{
    if (handler->input != NULL) {
        g_ptr_array_remove(handler->input->handlers, handler);
        handler->input = NULL;
    }
}

void input_activate(InputHandler *handler)
{
    GPtrArray *handlers = handler->input->handlers;

    if (g_ptr_array_index(handlers, 0) != handler) {
        g_ptr_array_remove(handlers, handler);
        g_ptr_array_insert(handlers, 0, handler);
    }
}

static InputHandler *find_handler(const Input *input, unsigned mask)
{
    for (guint i = 0; i < input->handlers->len; i++) {
        InputHandler *handler = g_ptr_array_index(input->handlers, i);

        if (handler->mask & mask) {
            return handler;
        }
    }
    return NULL;
}

bool input_takes(Vm *vm, InputKind kind)
{
    return find_handler(vm->input, INPUT_MASK(kind)) != NULL;
}

/* ---- events ---- */

static bool guest_sees_input(const Vm *vm)
{
    return vm_is_running(vm) || vm->run_state == RUN_STATE_SUSPENDED;
}

void input_send(Vm *vm, const InputEvent *event)
{
    InputHandler *handler = find_handler(vm->input, INPUT_MASK(event->kind));

    if (handler != NULL && guest_sees_input(vm)) {
        handler->pending = true;
        handler->event(handler->opaque, event);
    }
}

void input_sync(Vm *vm)
{
    /* From the back: a handler may come to the front meanwhile. */
    for (guint i = vm->input->handlers->len; i-- > 0;) {
        InputHandler *handler = g_ptr_array_index(vm->input->handlers, i);

        if (handler->pending) {
            handler->pending = false;
            if (handler->sync != NULL) {
                handler->sync(handler->opaque);
            }
        }
    }
}

void input_key(Vm *vm, unsigned key, bool down)
{
    input_send(vm, &(InputEvent){ INPUT_KEY, key, down });
    input_sync(vm);
}

void input_button(Vm *vm, InputButton button, bool down)
{
    input_send(vm, &(InputEvent){ INPUT_BUTTON, button, down });
    input_sync(vm);
}

/* ---- typing ---- */

static void typing_fire(void *opaque)
{
    Input *input = opaque;
    KeyStep *step;

    while ((step = g_queue_pop_head(&input->steps)) != NULL) {
        int64_t wait_ns = step->wait_ns;

        input_key(input->vm, step->key, step->down);
        g_free(step);
        if (wait_ns > 0) {
            vm_timer_set(&input->typing, vm_clock_ns(input->vm) + wait_ns);
            return;
        }
    }
}

static void add_step(Input *input, unsigned key, bool down, int64_t wait_ns)
{
    KeyStep *step = g_new(KeyStep, 1);

    *step = (KeyStep){ key, down, wait_ns };
    g_queue_push_tail(&input->steps, step);
}

bool input_type_keys(Vm *vm, const unsigned *keys, size_t n, int64_t hold_ns)
{
    Input *input = vm->input;

    if (n > MAX_STEPS / 2 || input->steps.length + 2 * n > MAX_STEPS) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        add_step(input, keys[i], true, i + 1 == n ? hold_ns : 0);
    }
    for (size_t i = n; i-- > 0;) {
        add_step(input, keys[i], false, i == 0 ? hold_ns : 0);
    }
    if (!vm_timer_is_set(&input->typing)) {
        vm_timer_set(&input->typing, vm_clock_ns(vm));
    }
    return true;
}

/* ---- pointers ---- */

bool input_is_absolute(Vm *vm)
{
    const InputHandler *handler = find_handler(vm->input, INPUT_MASK_POINTER);

    return handler != NULL && handler->mask & INPUT_MASK(INPUT_ABS);
}

static InputHandler *find_index(const Input *input, unsigned index)
{
    for (guint i = 0; i < input->handlers->len; i++) {
        InputHandler *handler = g_ptr_array_index(input->handlers, i);

        if (handler->index == index) {
            return handler;
        }
    }
    return NULL;
}

const InputHandler *input_find(Vm *vm, unsigned index)
{
    return find_index(vm->input, index);
}

bool input_select_pointer(Vm *vm, unsigned index)
{
    InputHandler *handler = find_index(vm->input, index);

    if (handler == NULL || !(handler->mask & INPUT_MASK_POINTER)) {
        return false;
    }
    input_activate(handler);
    return true;
}

void input_foreach_pointer(Vm *vm, InputPointerFn fn, void *opaque)
{
    const InputHandler *current = find_handler(vm->input, INPUT_MASK_POINTER);

    for (guint i = vm->input->handlers->len; i-- > 0;) {
        const InputHandler *handler = g_ptr_array_index(vm->input->handlers, i);

        if (handler->mask & INPUT_MASK_POINTER) {
            fn(handler, handler == current, opaque);
        }
    }
}

/* ---- life ---- */

Input *input_new(Vm *vm)
{
    Input *input = g_new0(Input, 1);

    input->vm = vm;
    input->handlers = g_ptr_array_new();
    g_queue_init(&input->steps);
    vm_timer_init(&input->typing, vm, typing_fire, input);
    return input;
}

void input_free(Input *input)
{
    vm_timer_finish(&input->typing);
    g_queue_clear_full(&input->steps, g_free);
    g_ptr_array_unref(input->handlers);
    g_free(input);
}
