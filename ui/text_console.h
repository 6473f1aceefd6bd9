/*
 * "vc": a character device whose other end is a terminal on a screen of its own, which displays
 * show beside the adapters'.
 *
 * A guest's serial port or a monitor writes into it and hears what is typed while a display shows
 * it.  Written to from any thread; it draws only while somebody looks.
 */
#pragma once

#include "chardev.h"

extern const ChardevType chardev_vc;    /* for chardev_add_type() */
