/*
 * Host code for instructions with an immediate operand: one routine of 16 bytes per value,
 *     void routine(void *d, const void *s)        *d = insn(*d, *s, immediate)
 * and the frame for the string comparisons.  System V ABI for x86-64.
 */
        .section .note.GNU-stack, "", @progbits
        .text

.macro  IMMEDIATES name, count
        .globl  sse_code_\name
        .hidden sse_code_\name
        .balign 16
        .type   sse_code_\name, @object
sse_code_\name:
        .set    value, 0
        .rept   \count
        .balign 16
        movaps  (%rdi), %xmm0
        movaps  (%rsi), %xmm1
        \name   $value, %xmm1, %xmm0
        movaps  %xmm0, (%rdi)
        ret
        .set    value, value + 1
        .endr
        .size   sse_code_\name, . - sse_code_\name
.endm

/* Two operands: the destination and the immediate. */
.macro  IMMEDIATES_ALONE name, count
        .globl  sse_code_\name
        .hidden sse_code_\name
        .balign 16
        .type   sse_code_\name, @object
sse_code_\name:
        .set    value, 0
        .rept   \count
        .balign 16
        movaps  (%rdi), %xmm0
        \name   $value, %xmm0
        movaps  %xmm0, (%rdi)
        ret
        .set    value, value + 1
        .endr
        .size   sse_code_\name, . - sse_code_\name
.endm

        IMMEDIATES aeskeygenassist, 256
        IMMEDIATES blendpd, 4
        IMMEDIATES blendps, 16
        IMMEDIATES cmppd, 8
        IMMEDIATES cmpps, 8
        IMMEDIATES cmpsd, 8
        IMMEDIATES cmpss, 8
        IMMEDIATES dppd, 256
        IMMEDIATES dpps, 256
        IMMEDIATES insertps, 256
        IMMEDIATES mpsadbw, 8
        IMMEDIATES palignr, 33
        IMMEDIATES pblendw, 256
        IMMEDIATES pclmulqdq, 32
        IMMEDIATES pshufd, 256
        IMMEDIATES pshufhw, 256
        IMMEDIATES pshuflw, 256
        IMMEDIATES roundpd, 16
        IMMEDIATES roundps, 16
        IMMEDIATES roundsd, 16
        IMMEDIATES roundss, 16
        IMMEDIATES shufpd, 4
        IMMEDIATES shufps, 256
        IMMEDIATES_ALONE pslldq, 17
        IMMEDIATES_ALONE psrldq, 17

/* String comparisons: 8 bytes per immediate, operands in xmm0, xmm1, rax, rdx. */
.macro  STRINGS insn
        .globl  sse_code_\insn
        .hidden sse_code_\insn
        .balign 16
        .type   sse_code_\insn, @object
sse_code_\insn:
        .set    value, 0
        .rept   128
        .balign 8
        \insn   $value, %xmm1, %xmm0
        ret
        .set    value, value + 1
        .endr
        .size   sse_code_\insn, . - sse_code_\insn
.endm

        STRINGS pcmpestri
        STRINGS pcmpestrm
        STRINGS pcmpistri
        STRINGS pcmpistrm

/* void sse_string_run(const void *d, const void *s, const void *code, SseString *io) */
        .globl  sse_string_run
        .hidden sse_string_run
        .type   sse_string_run, @function
sse_string_run:
        movaps  (%rdi), %xmm0
        movaps  (%rsi), %xmm1
        movq    %rcx, %r8
        movq    %rdx, %r9
        movq    (%r8), %rax
        movq    8(%r8), %rdx
        call    *%r9
        pushfq
        popq    24(%r8)
        movq    %rcx, 16(%r8)
        movaps  %xmm0, 32(%r8)
        ret
        .size   sse_string_run, . - sse_string_run
