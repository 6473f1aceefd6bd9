/* Typists: queues of key steps, taken at the pace the guest reads its keyboard. */
#include "input_impl.h"
#include "vm_core.h"

typedef struct Step {
    uint32_t what;
    bool down;
    int64_t wait_ns;                    /* before the step after this one */
} Step;

struct InputTypist {
    Input *input;
    const TypistOps *ops;
    void *opaque;
    GArray *steps;                      /* Step, those before `taken` are over */
    guint taken;
    bool active;                        /* steps wait, or the guest has not read the last */
    int64_t ready_ns;                   /* when the next step may be taken */
    int64_t taken_ns;                   /* when the last one was */
    VmTimer timer;
    bool held[INPUT_KEYS_MAX];
};

size_t input_typist_waiting(const InputTypist *typist)
{
    return typist->steps->len - typist->taken;
}

bool input_typist_is_idle(const InputTypist *typist)
{
    return !typist->active;
}

/* ---- keys held ---- */

void input_typist_hold(InputTypist *typist, unsigned key, bool down)
{
    Input *input = typist->input;

    if (key >= INPUT_KEYS_MAX || typist->held[key] == down) {
        return;
    }
    typist->held[key] = down;
    input->holders[key] += down ? 1 : -1;
    if (input->holders[key] == down && input->down[key] != down) {      /* the first, the last */
        input_key(input->vm, key, down);
    }
}

static void let_go(InputTypist *typist)
{
    for (unsigned key = 0; key < INPUT_KEYS_MAX; key++) {
        input_typist_hold(typist, key, false);
    }
}

bool input_is_held(Vm *vm, unsigned key)
{
    return key < INPUT_KEYS_MAX && vm->input->holders[key] > 0;
}

/* ---- steps ---- */

static void end(InputTypist *typist, TypistEnd how)
{
    g_array_set_size(typist->steps, 0);
    typist->taken = 0;
    typist->active = false;
    vm_timer_set(&typist->timer, VM_TIMER_OFF);
    if (how != TYPIST_DONE) {
        let_go(typist);
    }
    if (typist->ops->ended != NULL) {
        typist->ops->ended(typist->opaque, how);
    }
}

static void take_step(InputTypist *typist, int64_t now)
{
    Step step = g_array_index(typist->steps, Step, typist->taken);

    if (++typist->taken == typist->steps->len) {
        g_array_set_size(typist->steps, 0);
        typist->taken = 0;
    }
    typist->taken_ns = now;
    typist->ready_ns = now + step.wait_ns;
    typist->ops->step(typist->opaque, step.what, step.down);
}

static bool guest_has_read(const Input *input)
{
    const InputHandler *keyboard = input_keyboard(input);

    return keyboard == NULL || keyboard->waiting == NULL ||
           keyboard->waiting(keyboard->opaque) == 0;
}

/* Whatever can be done now, and the timer for the rest; ends only if `may_end`. */
static void run(InputTypist *typist, bool may_end)
{
    Vm *vm = typist->input->vm;

    while (typist->active) {
        int64_t now = vm_clock_ns(vm);

        if (!input_reaches_guest(vm)) {
            vm_timer_set(&typist->timer, now);          /* with the clock */
            return;
        }
        if (!guest_has_read(typist->input)) {
            if (!may_end || now < typist->taken_ns + TYPIST_PATIENCE_NS) {
                vm_timer_set(&typist->timer, typist->taken_ns + TYPIST_PATIENCE_NS);
                return;
            }
            end(typist, TYPIST_UNREAD);
            return;
        }
        if (now < typist->ready_ns) {
            vm_timer_set(&typist->timer, typist->ready_ns);
            return;
        }
        if (input_typist_waiting(typist) > 0) {
            take_step(typist, now);
        } else if (may_end) {
            end(typist, TYPIST_DONE);
            return;
        } else {
            vm_timer_set(&typist->timer, now);
            return;
        }
    }
}

static void on_timer(void *opaque)
{
    run(opaque, true);
}

bool input_typist_add(InputTypist *typist, uint32_t what, bool down, int64_t wait_ns)
{
    Step step = { what, down, wait_ns };

    if (input_typist_waiting(typist) >= TYPIST_STEPS_MAX) {
        return false;
    }
    if (typist->taken > TYPIST_STEPS_MAX) {
        g_array_remove_range(typist->steps, 0, typist->taken);
        typist->taken = 0;
    }
    g_array_append_val(typist->steps, step);
    if (!typist->active) {
        typist->active = true;
        typist->taken_ns = vm_clock_ns(typist->input->vm);
    }
    run(typist, false);
    return true;
}

void input_typists_look(Input *input)
{
    for (guint i = 0; i < input->typists->len; i++) {
        InputTypist *typist = g_ptr_array_index(input->typists, i);

        /* Later: this may be in the middle of a step. */
        if (typist->active) {
            vm_timer_set(&typist->timer, MAX(vm_clock_ns(input->vm), typist->ready_ns));
        }
    }
}

/* ---- life of one ---- */

InputTypist *input_typist_new(Vm *vm, const TypistOps *ops, void *opaque)
{
    InputTypist *typist = g_new0(InputTypist, 1);

    typist->input = vm->input;
    typist->ops = ops;
    typist->opaque = opaque;
    typist->steps = g_array_new(FALSE, FALSE, sizeof(Step));
    vm_timer_init(&typist->timer, vm, on_timer, typist);
    g_ptr_array_add(vm->input->typists, typist);
    return typist;
}

void input_typist_free(InputTypist *typist)
{
    if (typist != NULL) {
        let_go(typist);
        g_ptr_array_remove(typist->input->typists, typist);
        vm_timer_finish(&typist->timer);
        g_array_unref(typist->steps);
        g_free(typist);
    }
}

/* ---- all of them ---- */

void input_typists_reset(Input *input)
{
    for (guint i = input->typists->len; i-- > 0;) {
        InputTypist *typist = g_ptr_array_index(input->typists, i);

        if (typist->active) {
            end(typist, TYPIST_RESET);
        }
    }
}

void input_typists_init(Input *input)
{
    input->typists = g_ptr_array_new();
}

void input_typists_finish(Input *input)
{
    g_ptr_array_unref(input->typists);
}
