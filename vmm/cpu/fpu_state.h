/* FXSAVE and XSAVE images of X86Fpu. SDM volume 1, 10.5.1 (FXSAVE), chapter 13 (XSAVE). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "x86_cpu.h"

#define XSTATE_X87 (1u << 0)
#define XSTATE_SSE (1u << 1)
#define XSTATE_AVX (1u << 2)
#define MXCSR_MASK 0xffffu

/*
 * The legacy 512-byte area. `rex_w`: 64-bit FIP/FDP form. Loading rejects reserved MXCSR bits
 * (false, and nothing changed).  Bytes 416–511 are left alone.
 */
void fpu_to_fxsave(const X86Fpu *fpu, uint8_t image[512], bool rex_w, bool with_sse);
bool fpu_from_fxsave(X86Fpu *fpu, const uint8_t image[512], bool rex_w, bool with_sse);

/*
 * Standard-format image: legacy area, header, AVX area. `components` masks what is moved; the
 * header's other bits stay.  A load of an image that XRSTOR would refuse returns false and changes
 * nothing.
 */
void fpu_to_xsave(const X86Fpu *fpu, uint8_t *image, size_t size, uint64_t components);
bool fpu_from_xsave(X86Fpu *fpu, const uint8_t *image, size_t size, uint64_t components);

uint16_t fpu_full_tag_word(const X86Fpu *fpu);      /* as FSTENV stores it */
void fpu_set_full_tag_word(X86Fpu *fpu, uint16_t word);
/*
 * Power-on.  FNINIT's values, as QEMU and KVM start their CPUs, rather than the FCW 0x40 and the
 * zeroed, non-empty registers of SDM 3A table 9-1: nothing may run x87 code before FNINIT anyway.
 */
void fpu_reset(X86Fpu *fpu);
void fpu_init_x87(X86Fpu *fpu);                     /* FNINIT: register contents stay */
/* Control and status words with their fixed bits; ES and B follow from the flags and masks. */
void fpu_set_control(X86Fpu *fpu, uint16_t fcw);
void fpu_set_status(X86Fpu *fpu, uint16_t fsw);
