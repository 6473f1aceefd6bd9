#include "bare_cpu.h"
#include "check_main.h"

/* What CPUID answered in a guest of QEMU 7.2's software CPU, feature words aside. */
static const struct {
    const char *model;
    unsigned cores, threads;
    uint32_t apic_id, leaf, subleaf, out[4];
} answers[] = {
    { "qemu64", 1, 1, 0, 0x0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
    { "qemu64", 1, 1, 0, 0x2, 0, { 0, 0, 0, 0 } },
    { "qemu64", 1, 1, 0, 0x4, 0, { 0, 0, 0, 0 } },
    { "qemu64", 1, 1, 0, 0x5, 0, { 0, 0, 3, 0 } },
    { "qemu64", 1, 1, 0, 0xb, 0, { 0, 1, 0x100, 0 } },
    { "qemu64", 1, 1, 0, 0xb, 1, { 0, 1, 0x201, 0 } },
    { "qemu64", 1, 1, 0, 0xb, 2, { 0, 0, 2, 0 } },
    { "qemu64", 1, 1, 0, 0xd, 0, { 0, 0, 0, 0 } },
    { "qemu64", 1, 1, 0, 0x40000000, 0, { 0x40000001, 0x54474354, 0x43544743, 0x47435447 } },
    { "qemu64", 1, 1, 0, 0x80000000, 0, { 0x8000000a, 0x68747541, 0x444d4163, 0x69746e65 } },
    { "qemu64", 1, 1, 0, 0x80000002, 0, { 0x554d4551, 0x72695620, 0x6c617574, 0x55504320 } },
    { "qemu64", 1, 1, 0, 0x80000003, 0, { 0x72657620, 0x6e6f6973, 0x352e3220, 0x2b } },
    { "qemu64", 1, 1, 0, 0x80000005, 0, { 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140 } },
    { "qemu64", 1, 1, 0, 0x80000006, 0, { 0, 0x42004200, 0x02008140, 0x00808140 } },
    { "qemu64", 1, 1, 0, 0x80000008, 0, { 0x3028, 0, 0, 0 } },
    { "qemu64", 1, 1, 0, 0xc0000000, 0, { 0, 0, 0, 0 } },
    { "Haswell", 2, 2, 0, 0x0, 0, { 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 } },
    { "Haswell", 2, 2, 0, 0x2, 0, { 1, 0, 0x4d, 0x002c307d } },
    { "Haswell", 2, 2, 0, 0x4, 0, { 0x04004121, 0x01c0003f, 0x3f, 1 } },
    { "Haswell", 2, 2, 0, 0x4, 2, { 0x04004143, 0x03c0003f, 0xfff, 1 } },
    { "Haswell", 2, 2, 0, 0x4, 3, { 0x0400c163, 0x03c0003f, 0x3fff, 6 } },
    { "Haswell", 2, 2, 0, 0x4, 4, { 0, 0, 0, 0 } },
    { "Haswell", 2, 2, 3, 0xb, 0, { 1, 2, 0x100, 3 } },
    { "Haswell", 2, 2, 3, 0xb, 1, { 2, 4, 0x201, 3 } },
    { "Haswell", 2, 2, 0, 0x80000008, 0, { 0x3028, 0, 0x2003, 0 } },
    { "EPYC", 2, 2, 0, 0x80000005, 0, { 0x01ff01ff, 0x01ff01ff, 0x20080140, 0x40040140 } },
    { "EPYC", 2, 2, 0, 0x80000006, 0, { 0, 0x42004200, 0x02006140, 0x00408140 } },
    { "EPYC", 2, 2, 0, 0x8000001d, 0, { 0x4121, 0x01c0003f, 0x3f, 1 } },
    { "EPYC", 2, 2, 0, 0x8000001d, 1, { 0x4122, 0x00c0003f, 0xff, 1 } },
    { "EPYC", 2, 2, 0, 0x8000001d, 2, { 0x4043, 0x01c0003f, 0x3ff, 0 } },
    { "EPYC", 2, 2, 0, 0x8000001d, 3, { 0xc163, 0x03c0003f, 0x1fff, 6 } },
    { "EPYC", 2, 2, 0, 0x8000001e, 0, { 0, 0x100, 0, 0 } },
    { "core2duo", 2, 2, 0, 0x80000004, 0, { 0x30303737, 0x20402020, 0x30342e32, 0x007a4847 } },
};

START_TEST(cpuid_row)
{
    g_autofree char *text = g_strdup_printf("%s,check=off", answers[_i].model);
    BareCpu *bare = bare_cpu_new(text, answers[_i].cores, answers[_i].threads, answers[_i].apic_id);
    uint32_t out[4];

    x86_cpuid(bare->cpu, answers[_i].leaf, answers[_i].subleaf, out);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_msg(out[i] == answers[_i].out[i], "leaf %x.%x register %u: %08x, not %08x",
                      answers[_i].leaf, answers[_i].subleaf, i, out[i], answers[_i].out[i]);
    }
    bare_cpu_free(bare);
}
END_TEST

START_TEST(version_leaf_tells_run_time_state)
{
    BareCpu *bare = bare_cpu_new("qemu64,+xsave", 2, 2, 3);
    uint32_t out[4];

    x86_cpuid(bare->cpu, 1, 0, out);
    ck_assert_uint_eq(out[0], 0x00060fb1);
    ck_assert_uint_eq(out[1], 3u << 24 | 4 << 16 | 8 << 8);
    ck_assert_uint_eq(out[2] >> 27 & 1, 0);
    bare->cpu->cr4 |= CR4_OSXSAVE;
    x86_cpuid(bare->cpu, 1, 0, out);
    ck_assert_uint_eq(out[2] >> 27 & 1, 1);
    x86_cpuid(bare->cpu, 0xd, 0, out);
    ck_assert_uint_eq(out[0], 3);
    ck_assert_uint_eq(out[2], 576);
    bare_cpu_free(bare);
}
END_TEST

CHECK_MAIN("cpuid", CASES(cpuid_row, answers), CASE(version_leaf_tells_run_time_state))
