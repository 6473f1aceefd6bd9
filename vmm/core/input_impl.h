/* What input.c and input_typist.c share.  Only they include this. */
#pragma once

#include "input.h"

#define INPUT_KEYS_MAX 256              /* key numbers are below */

struct Input {
    Vm *vm;
    GPtrArray *handlers;                /* InputHandler *, the first that takes an event gets it */
    unsigned last_index;
    bool down[INPUT_KEYS_MAX];          /* as the guest was told last */
    bool missed[INPUT_KEYS_MAX];        /* let go of while the machine stood */
    unsigned buttons, missed_buttons;   /* the same, bits of 1 << InputButton */
    GPtrArray *typists;                 /* InputTypist * */
    unsigned holders[INPUT_KEYS_MAX];   /* typists that hold the key */
};

const InputHandler *input_keyboard(const Input *input);         /* in use; NULL: none */
/* Keyboards have come, gone or been read: typists see whether it is their turn. */
void input_typists_look(Input *input);
void input_typists_reset(Input *input);                 /* the machine was: nothing more comes */
void input_typists_init(Input *input);
void input_typists_finish(Input *input);
