/*
 * Every x87 instruction as a four-byte routine, and the frame that runs one on the guest's state.
 * See x87_exact() in ops_x87.c.  System V ABI for x86-64.
 */
        .section .note.GNU-stack, "", @progbits
        .text

/* Register forms: D8–DF, C0–FF.  Those that are no instruction are never called. */
        .globl  x87_reg_code
        .hidden x87_reg_code
        .balign 16
        .type   x87_reg_code, @object
x87_reg_code:
        .set    opcode, 0xd8
        .rept   8
        .set    modrm, 0xc0
        .rept   64
        .byte   opcode, modrm
        ret
        nop
        .set    modrm, modrm + 1
        .endr
        .set    opcode, opcode + 1
        .endr
        .size   x87_reg_code, . - x87_reg_code

/* Memory forms with operand (%rdi): mod 00, rm 111. */
        .globl  x87_mem_code
        .hidden x87_mem_code
        .type   x87_mem_code, @object
x87_mem_code:
        .set    opcode, 0xd8
        .rept   8
        .set    modrm, 0x07
        .rept   8
        .byte   opcode, modrm
        ret
        nop
        .set    modrm, modrm + 8
        .endr
        .set    opcode, opcode + 1
        .endr
        .size   x87_mem_code, . - x87_mem_code

/* uint64_t x87_host_run(X87Image *image, void *operand, const void *code, uint64_t rflags) */
        .globl  x87_host_run
        .hidden x87_host_run
        .type   x87_host_run, @function
x87_host_run:
        pushq   %rbx
        movq    %rdi, %rbx
        movq    %rsi, %rdi
        frstor  (%rbx)
        pushq   %rcx
        popfq
        call    *%rdx
        pushfq
        popq    %rax
        fnsave  (%rbx)
        popq    %rbx
        ret
        .size   x87_host_run, . - x87_host_run
