#include <glib.h>
#include <string.h>

#include "check_main.h"
#include "disas.h"

static const struct { int bits; uint64_t address; const char *bytes, *text; } insns[] = {
    { 64, 0xffffffff81a17a0b, "e9d0a43e00", "jmp      0xffffffff81e01ee0" },
    { 64, 0xffffffff81a17a10, "eb07", "jmp      0xffffffff81a17a19" },
    { 64, 0, "0f002d79135f00", "verw     0x5f1379(%rip)" },
    { 64, 0, "f4", "hlt      " },
    { 64, 0, "cc", "int3     " },
    { 64, 0, "0f1f440000", "nopl     (%rax, %rax)" },
    { 64, 0, "662e0f1f840000000000", "nopw     %cs:(%rax, %rax)" },
    { 64, 0, "53", "pushq    %rbx" },
    { 64, 0, "488d25513fa001", "leaq     0x1a03f51(%rip), %rsp" },
    { 64, 0, "488d3df2ffffff", "leaq     -0xe(%rip), %rdi" },
    { 64, 0, "b9010100c0", "movl     $0xc0000101, %ecx" },
    { 64, 0, "48c7c200000081", "movq     $-0x7f000000, %rdx" },
    { 64, 0, "4829d0", "subq     %rdx, %rax" },
    { 64, 0, "baffffffff", "movl     $0xffffffff, %edx" },
    { 64, 0, "4983e2f0", "andq     $0xfffffffffffffff0, %r10" },
    { 64, 0, "48d1eb", "shrq     $1, %rbx" },
    { 64, 0, "f348ab", "rep stosq %rax, (%rdi)" },
    { 64, 0, "f3a4", "rep movsb (%rsi), (%rdi)" },
    { 64, 0, "480f44c8", "cmoveq   %rax, %rcx" },
    { 64, 0, "0f94c0", "sete     %al" },
    { 64, 0, "480fb6c0", "movzbq   %al, %rax" },
    { 64, 0, "4863d0", "movslq   %eax, %rdx" },
    { 64, 0, "65488b042528000000", "movq     %gs:0x28, %rax" },
    { 64, 0, "f0480fb10a", "lock cmpxchgq %rcx, (%rdx)" },
    { 64, 0, "ff10", "callq    *(%rax)" },
    { 64, 0, "c3", "retq     " },
    { 64, 0, "48cf", "iretq    " },
    { 64, 0, "0f30", "wrmsr    " },
    { 64, 0, "ec", "inb      %dx, %al" },
    { 64, 0, "e680", "outb     %al, $0x80" },
    { 64, 0, "4898", "cltq     " },
    { 64, 0, "f20f5cc1", "subsd    %xmm1, %xmm0" },
    { 64, 0, "dec9", "fmulp    %st(1)" },
    { 64, 0, "ddd8", "fstp     %st(0)" },
    { 32, 0, "50", "pushl    %eax" },
    { 32, 0, "8b04b5e0c04000", "movl     0x40c0e0(, %esi, 4), %eax" },
    { 32, 0, "f3ab", "rep stosl %eax, %es:(%edi)" },
    { 16, 0xfff0, "ea5be000f0", "ljmpw    $0xf000:$0xe05b" },
    { 16, 0x100, "75fe", "jne      0x100" },
    { 16, 0, "8e d8", "movw     %ax, %ds" },
};

static size_t parse_hex(const char *text, uint8_t *bytes)
{
    size_t n = 0;

    for (; *text; text++) {
        if (*text != ' ') {
            bytes[n++] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
            text++;
        }
    }
    return n;
}

START_TEST(insn_row)
{
    uint8_t bytes[16];
    size_t n = parse_hex(insns[_i].bytes, bytes);
    char text[128];

    ck_assert_uint_eq(x86_disassemble(insns[_i].bits, insns[_i].address, bytes, n, text,
                                      sizeof(text)), n);
    ck_assert_str_eq(text, insns[_i].text);
}
END_TEST

START_TEST(what_is_no_instruction_has_no_length)
{
    char text[128];

    ck_assert_uint_eq(x86_disassemble(64, 0, (const uint8_t *)"\xea", 1, text, sizeof(text)), 0);
    ck_assert_uint_eq(x86_disassemble(64, 0, (const uint8_t *)"\x48", 1, text, sizeof(text)), 0);
    ck_assert_uint_eq(x86_disassemble(64, 0, (const uint8_t *)"", 0, text, sizeof(text)), 0);
}
END_TEST

START_TEST(any_bytes_are_safe)
{
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[15];
        char text[48];

        for (unsigned b = 0; b < sizeof(bytes); b++) {
            bytes[b] = (uint8_t)g_random_int();
        }
        size_t n = x86_disassemble(16 << i % 3, g_random_int(), bytes, i % 16, text, sizeof(text));
        ck_assert_uint_le(n, i % 16);
    }
}
END_TEST

CHECK_MAIN("disas", CASES(insn_row, insns), CASE(what_is_no_instruction_has_no_length),
           CASE(any_bytes_are_safe))
