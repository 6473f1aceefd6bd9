#include "input_impl.h"

#include "vm_core.h"

/* ---- handlers ---- */

void input_register(Vm *vm, InputHandler *handler)
{
    handler->input = vm->input;
    handler->index = ++vm->input->last_index;
    handler->pending = false;
    g_ptr_array_add(vm->input->handlers, handler);
    input_typists_look(vm->input);
}

void input_unregister(InputHandler *handler)
{
    if (handler->input != NULL) {
        g_ptr_array_remove(handler->input->handlers, handler);
        input_typists_look(handler->input);
        handler->input = NULL;
    }
}

void input_activate(InputHandler *handler)
{
    GPtrArray *handlers = handler->input->handlers;

    if (g_ptr_array_index(handlers, 0) != handler) {
        g_ptr_array_remove(handlers, handler);
        g_ptr_array_insert(handlers, 0, handler);
        input_typists_look(handler->input);
    }
}

void input_drained(InputHandler *handler)
{
    if (handler->input != NULL) {
        input_typists_look(handler->input);
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

const InputHandler *input_keyboard(const Input *input)
{
    return find_handler(input, INPUT_MASK(INPUT_KEY));
}

bool input_takes(Vm *vm, InputKind kind)
{
    return find_handler(vm->input, INPUT_MASK(kind)) != NULL;
}

/* ---- events ---- */

bool input_reaches_guest(Vm *vm)
{
    return vm_is_running(vm) || vm->run_state == RUN_STATE_SUSPENDED;
}

/* What the guest believes to be down. */
static void note_down(Input *input, const InputEvent *event)
{
    if (event->kind == INPUT_KEY && event->code < INPUT_KEYS_MAX) {
        input->down[event->code] = event->value != 0;
        input->missed[event->code] = false;
    } else if (event->kind == INPUT_BUTTON && event->code < INPUT_BUTTONS) {
        unsigned bit = 1u << event->code;

        input->buttons = event->value != 0 ? input->buttons | bit : input->buttons & ~bit;
        input->missed_buttons &= ~bit;
    }
}

/* Nothing may stay down for the guest because the machine stood when it was let go of. */
static void note_missed(Input *input, const InputEvent *event)
{
    if (event->kind == INPUT_KEY && event->code < INPUT_KEYS_MAX) {
        input->missed[event->code] = event->value == 0 && input->down[event->code];
    } else if (event->kind == INPUT_BUTTON && event->code < INPUT_BUTTONS) {
        unsigned bit = 1u << event->code;

        input->missed_buttons = event->value == 0 ? input->missed_buttons | (input->buttons & bit)
                                                  : input->missed_buttons & ~bit;
    }
}

void input_send(Vm *vm, const InputEvent *event)
{
    InputHandler *handler = find_handler(vm->input, INPUT_MASK(event->kind));

    if (handler == NULL) {
        return;
    }
    if (!input_reaches_guest(vm)) {
        note_missed(vm->input, event);
        return;
    }
    note_down(vm->input, event);
    handler->pending = true;
    handler->event(handler->opaque, event);
}

static void send_missed(Input *input)
{
    for (unsigned key = 0; key < INPUT_KEYS_MAX; key++) {
        if (input->missed[key]) {
            input_key(input->vm, key, false);
        }
    }
    for (unsigned button = 0; button < INPUT_BUTTONS; button++) {
        if (input->missed_buttons >> button & 1) {
            input_button(input->vm, button, false);
        }
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

bool input_is_down(Vm *vm, unsigned key)
{
    return key < INPUT_KEYS_MAX && vm->input->down[key];
}

unsigned input_leds(Vm *vm)
{
    const InputHandler *keyboard = input_keyboard(vm->input);

    return keyboard != NULL && keyboard->leds != NULL ? keyboard->leds(keyboard->opaque) : 0;
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

static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_RESUME) {
        send_missed(opaque);
    } else if (event->kind == VM_EVENT_RESET) {
        input_typists_reset(opaque);
    }
}

Input *input_new(Vm *vm)
{
    Input *input = g_new0(Input, 1);

    input->vm = vm;
    input->handlers = g_ptr_array_new();
    vm->input = input;
    input_typists_init(input);
    vm_subscribe(vm, on_vm_event, input);
    return input;
}

void input_free(Input *input)
{
    vm_unsubscribe(input->vm, on_vm_event, input);
    input_typists_finish(input);
    g_ptr_array_unref(input->handlers);
    g_free(input);
}
