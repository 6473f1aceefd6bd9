/*
 * Input: the guest's keyboards and pointers, and the way events take to them.
 *
 * A keyboard, mouse or tablet registers an InputHandler and says which kinds of event it takes.  An
 * event goes to the first handler of the list that takes its kind; the list begins in order of
 * registration, input_activate() moves a handler to the front.  PS/2 devices leave the list as it
 * is, a USB keyboard comes to the front when plugged and a USB pointer when the guest begins to
 * use it.
 *
 * Displays, monitors and QMP send events with input_send() and end each group that belongs together
 * with input_sync().  Nothing arrives while the machine stands, as no hardware would see it; what
 * was let go of meanwhile is up when it goes on.
 * Machine lock; handlers are called on the thread that sends.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

typedef enum InputKind { INPUT_KEY, INPUT_BUTTON, INPUT_REL, INPUT_ABS } InputKind;
#define INPUT_MASK(kind) (1u << (kind))
#define INPUT_MASK_POINTER (INPUT_MASK(INPUT_REL) | INPUT_MASK(INPUT_ABS))

typedef enum InputButton {
    INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT, INPUT_BUTTON_WHEEL_UP,
    INPUT_BUTTON_WHEEL_DOWN, INPUT_BUTTON_SIDE, INPUT_BUTTON_EXTRA, INPUT_BUTTON_WHEEL_LEFT,
    INPUT_BUTTON_WHEEL_RIGHT, INPUT_BUTTONS
} InputButton;

typedef enum InputAxis { INPUT_AXIS_X, INPUT_AXIS_Y, INPUT_AXES } InputAxis;

#define INPUT_ABS_MAX 0x7fff            /* right and lower edge of the screen; 0: left and upper */

typedef struct InputEvent {
    InputKind kind;
    unsigned code;                      /* key number of keys.h, InputButton, InputAxis */
    int32_t value;                      /* key and button: 1 down, 0 up; else motion or position */
} InputEvent;

typedef struct InputHandler InputHandler;
typedef struct Input Input;

struct InputHandler {
    /* its owner's, before input_register() */
    const char *name;                   /* "QEMU PS/2 Mouse", as people see it */
    unsigned mask;                      /* of the kinds it takes */
    void (*event)(void *opaque, const InputEvent *event);
    void (*sync)(void *opaque);         /* may be NULL */
    /* A keyboard's: codes the guest has not read yet, and its lights; NULL: not known. */
    unsigned (*waiting)(void *opaque);
    unsigned (*leds)(void *opaque);     /* INPUT_LED_… */
    void *opaque;
    /* the registry's */
    Input *input;                       /* NULL: not registered */
    unsigned index;                     /* "Mouse #2"; never used again */
    bool pending;                       /* had an event since the last input_sync() */
};

void input_register(Vm *vm, InputHandler *handler);
void input_unregister(InputHandler *handler);
void input_activate(InputHandler *handler);
/* A keyboard's: the guest has read the last code that waited. */
void input_drained(InputHandler *handler);

/* ---- events ---- */

/* Whether a handler takes events of that kind. */
bool input_takes(Vm *vm, InputKind kind);
void input_send(Vm *vm, const InputEvent *event);
void input_sync(Vm *vm);
/* Each with its sync. */
void input_key(Vm *vm, unsigned key, bool down);
void input_button(Vm *vm, InputButton button, bool down);
bool input_reaches_guest(Vm *vm);                       /* the machine runs, or sleeps */
/* The lights of the keyboard in use, as the guest has set them. */
enum { INPUT_LED_SCROLL = 1, INPUT_LED_NUM = 2, INPUT_LED_CAPS = 4 };
unsigned input_leds(Vm *vm);

/* ---- typing ---- */

/*
 * Typists: those who press keys one after another and would be too fast for the guest.
 *
 * Steps wait in a typist's queue; each is taken when the guest has read all codes of the keyboard
 * in use and the time the step before asked for has passed, on the machine's clock.  A guest that
 * reads nothing for TYPIST_PATIENCE_NS loses what waits, and a reset ends all typing.
 *
 * A typist lets go only of keys that it holds, and a key that two hold is down until both let go.
 */
typedef struct InputTypist InputTypist;

typedef enum TypistEnd { TYPIST_DONE, TYPIST_UNREAD, TYPIST_RESET } TypistEnd;

typedef struct TypistOps {
    /* A step's turn has come; it may press and let go of a few keys. */
    void (*step)(void *opaque, uint32_t what, bool down);
    /*
     * Nothing waits any more and the guest has read it, or what waited was lost; may be NULL.  On
     * the main loop, never from within a function of these; it may free the typist.
     */
    void (*ended)(void *opaque, TypistEnd end);
} TypistOps;

#define TYPIST_STEPS_MAX    (512 * 1024)
#define TYPIST_PATIENCE_NS  (10 * NS_PER_SEC)

InputTypist *input_typist_new(Vm *vm, const TypistOps *ops, void *opaque);
void input_typist_free(InputTypist *typist);            /* what waits is lost; lets go of all keys */
/* Waits that long after it at least.  False: too much waits. */
bool input_typist_add(InputTypist *typist, uint32_t what, bool down, int64_t wait_ns);
size_t input_typist_waiting(const InputTypist *typist);     /* steps */
bool input_typist_is_idle(const InputTypist *typist);   /* and the guest has read them all */
void input_typist_hold(InputTypist *typist, unsigned key, bool down);   /* now, with its sync */
bool input_is_held(Vm *vm, unsigned key);               /* by any typist */
bool input_is_down(Vm *vm, unsigned key);               /* as the guest was told */


/* ---- pointers ---- */

/* The pointer in use wants positions (a tablet) rather than motion. */
bool input_is_absolute(Vm *vm);
const InputHandler *input_find(Vm *vm, unsigned index);     /* of any kind; NULL: none */
/* Makes the pointer of that index the one in use; false: there is none. */
bool input_select_pointer(Vm *vm, unsigned index);
typedef void (*InputPointerFn)(const InputHandler *handler, bool current, void *opaque);
void input_foreach_pointer(Vm *vm, InputPointerFn fn, void *opaque);    /* last in the list first */

/* ---- used by the machine itself ---- */
Input *input_new(Vm *vm);
void input_free(Input *input);
