/*
 * What a VGA's BIOS leaves behind: text mode 3 with a font, for a machine that starts its kernel
 * without any firmware.  Works through the ports and the window every VGA has, whatever card it is.
 *
 * Machine lock held.
 */
#pragma once

#include "vm_core.h"

enum { VGA_TEXT_MODE = 3, VGA_TEXT_COLUMNS = 80, VGA_TEXT_ROWS = 25, VGA_TEXT_POINTS = 16 };

/* Something answers on a VGA's ports. */
bool vga_is_present(Vm *vm);
/* 80 by 25 characters, nothing on the screen, the cursor at its top left.  A VGA is present. */
void vga_set_text_mode(Vm *vm);
