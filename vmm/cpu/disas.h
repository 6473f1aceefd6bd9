/* Disassembly through Zydis, AT&T syntax, as `x/i` prints it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * `bits` is 16, 32 or 64. Returns the instruction's length; 0: `code` holds no whole instruction.
 */
size_t x86_disassemble(int bits, uint64_t address, const uint8_t *code, size_t avail, char *text,
                       size_t text_size);
