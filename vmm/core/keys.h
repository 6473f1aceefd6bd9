/*
 * Keys by the names QEMU gives them ("a", "ret", "ctrl", "kp_1"), and the codes keyboards send for
 * them.  Tables are constant: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a key is called inside: its row in the table. KEY_INVALID: no such key. */
#define KEY_INVALID 0u

typedef struct KeyInfo {
    const char *name;
    uint16_t set1, set2;            /* make codes; e0xx: extended */
    uint8_t set3;
    uint8_t usage;                  /* of a USB keyboard: page 7 of the HID usage tables */
} KeyInfo;

unsigned key_find(const char *name);                    /* by name; "0x1e": by its set 1 code */
/* By code, KEY_INVALID for 0; in set 1 e0xx may also be xx with bit 7 set. */
unsigned key_from_set1(unsigned code);
unsigned key_from_hid(unsigned usage);
const KeyInfo *key_info(unsigned key);                  /* NULL: no such key */
const char *const *key_names(void);                     /* NULL-terminated, in table order */
