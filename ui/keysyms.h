/* X keysyms of the keys that are no characters (X.org, keysymdef.h), for whoever maps such keys. */
#pragma once

enum {
    KEYSYM_BACKSPACE = 0xff08, KEYSYM_TAB = 0xff09, KEYSYM_RETURN = 0xff0d, KEYSYM_ESCAPE = 0xff1b,
    KEYSYM_HOME = 0xff50, KEYSYM_LEFT, KEYSYM_UP, KEYSYM_RIGHT, KEYSYM_DOWN, KEYSYM_PAGE_UP,
    KEYSYM_PAGE_DOWN, KEYSYM_END,
    KEYSYM_INSERT = 0xff63,
    KEYSYM_SHIFT_L = 0xffe1,
    KEYSYM_DELETE = 0xffff,
};
#define KEYSYM_F(n) (0xffbe + (n) - 1)
