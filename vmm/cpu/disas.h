/* Disassembly through Zydis, AT&T syntax, as `x/i` prints it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * `bits` is 16, 32 or 64. Returns the instruction's length; 0: `code` holds no whole instruction.
 */
size_t x86_disassemble(int bits, uint64_t address, const uint8_t *code, size_t avail, char *text,
                       size_t text_size);

/*
 * The address an instruction names: where a direct branch goes, or what an operand relative to rip
 * means.  For what `code` holds no whole instruction of: DISAS_REF_NONE.
 */
typedef enum DisasRef { DISAS_REF_NONE, DISAS_REF_BRANCH, DISAS_REF_MEMORY } DisasRef;
DisasRef x86_disassemble_ref(int bits, uint64_t address, const uint8_t *code, size_t avail,
                             uint64_t *target);
/*
 * Length of an instruction that does a lot and then comes back behind itself: a call, a software
 * interrupt, a system call, a repeated string instruction.  0: it is none of these.
 */
size_t x86_call_length(int bits, const uint8_t *code, size_t avail);
