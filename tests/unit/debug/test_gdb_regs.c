#include <string.h>

#include "../cpu/bare_cpu.h"
#include "accel.h"
#include "check_main.h"
#include "gdb_regs.h"

/* Numbers gdb scripts and other stubs' captures rely on. */
enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8, RIP = 16, EFLAGS, CS, SS, DS, ES, FS, GS,
       FS_BASE, GS_BASE, K_GS_BASE, CR0, CR2, CR3, CR4, CR8, EFER, ST0, FCTRL = 41, FSTAT, FTAG,
       XMM0 = 49, MXCSR = 65, YMM0H };

static BareCpu *bare;

static void setup(void)
{
    bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);
    bare->model->features[FEAT_1_ECX] |= 1u << 28;          /* AVX, as an engine might have it */
}

static void set64(void)
{
    X86Cpu *cpu = bare->cpu;

    cpu->cr0 = CR0_PE | CR0_ET | CR0_PG;
    cpu->cr4 = CR4_PAE;
    cpu->efer = EFER_LME | EFER_LMA;
    cpu->seg[SEG_CS] = (X86Seg){ .selector = 0x10, .attr = 0xa09b, .limit = UINT32_MAX };
    cpu->seg[SEG_SS] = (X86Seg){ .selector = 0x18, .attr = 0xc093, .limit = UINT32_MAX };
    x86_update_mode(cpu);
}

static uint64_t get(unsigned number)
{
    uint8_t bytes[GDB_REG_BYTES_MAX] = { 0 };
    uint64_t value;

    ck_assert_uint_gt(gdb_reg_get(bare->cpu, number, bytes), 0);
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static bool put(unsigned number, uint64_t value)
{
    uint8_t bytes[GDB_REG_BYTES_MAX] = { 0 };

    memcpy(bytes, &value, sizeof(value));
    return gdb_reg_put(bare->cpu, number, bytes);
}

START_TEST(numbers_and_sizes)
{
    static const struct { unsigned number, size; } rows[] = {
        { RAX, 8 }, { RIP, 8 }, { EFLAGS, 4 }, { CS, 4 }, { GS, 4 }, { FS_BASE, 8 },
        { K_GS_BASE, 8 }, { CR0, 8 }, { EFER, 8 }, { ST0, 10 }, { FCTRL, 4 }, { XMM0, 16 },
        { MXCSR, 4 }, { YMM0H, 16 }, { YMM0H + 15, 16 }, { YMM0H + 16, 0 }, { UINT_MAX, 0 },
    };

    setup();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert_uint_eq(gdb_reg_size(bare->cpu, rows[i].number), rows[i].size);
    }
}
END_TEST

START_TEST(avx_only_where_the_cpu_has_it)
{
    g_autofree char *target = NULL;

    bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);
    ck_assert_uint_eq(gdb_reg_size(bare->cpu, YMM0H), 0);
    ck_assert_ptr_null(gdb_target_xml(bare->cpu, "64bit-avx.xml"));
    target = gdb_target_xml(bare->cpu, "target.xml");
    ck_assert_ptr_null(strstr(target, "avx"));
}
END_TEST

/* At reset, as QEMU 7.2 shows it. */
START_TEST(reset_values)
{
    setup();
    ck_assert_uint_eq(get(RIP), 0xfff0);
    ck_assert_uint_eq(get(EFLAGS), 2);
    ck_assert_uint_eq(get(CS), 0xf000);
    ck_assert_uint_eq(get(CR0), 0x60000010);
    ck_assert_uint_eq(get(FCTRL), 0x37f);
    ck_assert_uint_eq(get(FTAG), 0xffff);
    ck_assert_uint_eq(get(MXCSR), 0x1f80);
}
END_TEST

START_TEST(code_of_32_bits_has_32)
{
    setup();
    bare->cpu->gpr[R_RAX] = UINT64_MAX;
    bare->cpu->gpr[R_R8] = 8;
    ck_assert_uint_eq(get(RAX), UINT32_MAX);
    ck_assert_uint_eq(get(R8), 0);
    ck_assert(put(RBX, UINT64_C(0x1122334455667788)));
    ck_assert_uint_eq(bare->cpu->gpr[R_RBX], 0x55667788);
    ck_assert(put(R8, 1));
    ck_assert_uint_eq(bare->cpu->gpr[R_R8], 8);
    set64();
    ck_assert_uint_eq(get(RAX), UINT64_MAX);
    ck_assert_uint_eq(get(R8), 8);
}
END_TEST

/* Registers that take any value and give it back. */
START_TEST(round_trip)
{
    static const unsigned numbers[] = { RAX, RSP, R8 + 7, RIP, FS_BASE, GS_BASE, K_GS_BASE, CR2,
                                        ST0, ST0 + 7, XMM0, XMM0 + 15, YMM0H, YMM0H + 15 };

    setup();
    set64();
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        ck_assert(put(numbers[i], UINT64_C(0xfedcba9876543210)));
        ck_assert_uint_eq(get(numbers[i]), UINT64_C(0xfedcba9876543210));
    }
    ck_assert_uint_eq(bare->cpu->gpr[R_R15], UINT64_C(0xfedcba9876543210));
    ck_assert_uint_eq(bare->cpu->fpu.v[15].u64[0], UINT64_C(0xfedcba9876543210));
    ck_assert_uint_eq(bare->cpu->fpu.v[15].u64[2], UINT64_C(0xfedcba9876543210));
    ck_assert(bare->cpu->state_changed);
}
END_TEST

/* ST(n) moves with TOP. */
START_TEST(stack_registers)
{
    setup();
    bare->cpu->fpu.r[7].mantissa = 77;
    ck_assert(put(FSTAT, 7 << 11));
    ck_assert_uint_eq(get(ST0), 77);
    ck_assert(put(FTAG, 0x3fff));
    ck_assert_uint_eq(bare->cpu->fpu.ftw, 0x80);
}
END_TEST

/* What the CPU would answer with a fault is refused and changes nothing. */
static const struct { unsigned number; uint64_t value; bool ok, in64; } values[] = {
    { CR0, 0x60000011, true },
    { CR0, 0x80000010, false },                     /* PG without PE */
    { CR0, 0x20000010, false },                     /* NW without CD */
    { CR0, UINT64_C(1) << 32, false },
    { CR0, CR0_PE | CR0_PG | CR0_WP, true, true },  /* ET stays set by itself */
    { CR0, CR0_PE, false, true },                   /* no way out of paging in 64-bit code */
    { CR3, 0x12345000, true },
    { CR3, UINT64_C(0x100000000), false },
    { CR3, UINT64_C(0x100000000), true, true },
    { CR3, UINT64_C(1) << 63, false, true },
    { CR4, CR4_PAE | CR4_PGE, true, true },
    { CR4, 0, false, true },                        /* PAE holds long mode up */
    { CR4, CR4_VMXE, false },
    { CR4, CR4_PCIDE, false },
    { CR8, 15, true },
    { CR8, 16, false },
    { EFER, EFER_LME | EFER_SCE | EFER_NXE, true, true },
    { EFER, EFER_SCE, false, true },                /* LME cannot go while paging is on */
    { EFER, EFER_LME, true },
    { EFER, EFER_SVME, false },
    { MXCSR, 0x1fc0, true },
    { MXCSR, 0x11f80, false },
    { EFLAGS, RFLAGS_IF | RFLAGS_FIXED, true },
    { CS, 0x1234, true },
    { CS, 0x08, false, true },                      /* beyond the GDT */
    { SS, 0, true, true },
    { CS, 0, false, true },
    { DS, 0, true, true },
};

START_TEST(value_row)
{
    uint64_t before;

    setup();
    if (values[_i].in64) {
        set64();
        bare->cpu->gdt.limit = 7;
    }
    before = get(values[_i].number);
    ck_assert_int_eq(put(values[_i].number, values[_i].value), values[_i].ok);
    if (!values[_i].ok) {
        ck_assert_uint_eq(get(values[_i].number), before);
    }
}
END_TEST

START_TEST(long_mode_follows_paging)
{
    setup();
    set64();
    bare->cpu->seg[SEG_CS].attr = 0xc09b;           /* compatibility mode */
    x86_update_mode(bare->cpu);
    ck_assert(put(CR0, CR0_PE | CR0_ET));
    ck_assert_uint_eq(get(EFER), EFER_LME);
    ck_assert(put(CR0, CR0_PE | CR0_ET | CR0_PG));
    ck_assert_uint_eq(get(EFER), EFER_LME | EFER_LMA);
}
END_TEST

START_TEST(real_mode_segments)
{
    setup();
    ck_assert(put(DS, 0x1234));
    ck_assert_uint_eq(bare->cpu->seg[SEG_DS].base, 0x12340);
    ck_assert_uint_eq(bare->cpu->seg[SEG_DS].limit, 0xffff);
    ck_assert(put(CS, 0xf000));                     /* no change: the base at reset stays */
    ck_assert_uint_eq(bare->cpu->seg[SEG_CS].base, 0xffff0000);
}
END_TEST

/* Data and code at DPL 0 and 3, a system segment, one that is not present. */
static const struct { unsigned number; uint16_t selector; bool ok; } selectors[] = {
    { CS, 0x08, true }, { DS, 0x08, true }, { SS, 0x08, false },
    { DS, 0x10, true }, { SS, 0x10, true }, { CS, 0x10, false },
    { DS, 0x1b, true }, { SS, 0x1b, false }, { CS, 0x23, false },
    { DS, 0x28, false }, { DS, 0x30, false }, { DS, 0x38, false }, { DS, 0x0c, false },
};

START_TEST(selector_row)
{
    static const uint64_t gdt[] = {
        0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00cf93000000ffff), UINT64_C(0x00cff3120034ffff),
        UINT64_C(0x00cffb000000ffff), UINT64_C(0x00008b0000000067), UINT64_C(0x00cf13000000ffff),
    };

    setup();
    memcpy(bare->ram.ram->host + 0x1000, gdt, sizeof(gdt));
    bare->cpu->gdt = (X86Table){ 0x1000, sizeof(gdt) - 1 };
    bare->cpu->cr0 |= CR0_PE;
    x86_update_mode(bare->cpu);
    ck_assert_int_eq(put(selectors[_i].number, selectors[_i].selector), selectors[_i].ok);
    if (selectors[_i].selector == 0x1b && selectors[_i].ok) {
        ck_assert_uint_eq(bare->cpu->seg[SEG_DS].base, 0x120034);
        ck_assert_uint_eq(bare->cpu->seg[SEG_DS].limit, UINT32_MAX);
        ck_assert_uint_eq(bare->cpu->seg[SEG_DS].attr, 0xc0f3);
    }
}
END_TEST

/* Every register stands in exactly one file that target.xml includes, under its own number. */
START_TEST(description)
{
    static const char *const files[] = { "64bit-core.xml", "64bit-segments.xml",
                                         "64bit-system.xml", "64bit-sse.xml", "64bit-avx.xml" };
    g_autofree char *target = NULL;
    g_autoptr(GString) all = g_string_new(NULL);

    setup();
    target = gdb_target_xml(bare->cpu, "target.xml");
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *xml = gdb_target_xml(bare->cpu, files[i]);

        ck_assert_ptr_nonnull(strstr(target, files[i]));
        g_string_append(all, xml);
    }
    for (unsigned number = 0; gdb_reg_size(bare->cpu, number) > 0; number++) {
        g_autofree char *text = g_strdup_printf("regnum=\"%u\"", number);
        const char *found = strstr(all->str, text);

        ck_assert_ptr_nonnull(found);
        ck_assert_ptr_null(strstr(found + 1, text));
    }
    ck_assert_ptr_nonnull(strstr(all->str, "<reg name=\"ymm15h\" bitsize=\"128\" type=\"uint128\" "
                                           "regnum=\"81\"/>"));
    ck_assert_ptr_nonnull(strstr(all->str, "<reg name=\"cr3\" bitsize=\"64\" type=\"cr3\" "
                                           "regnum=\"29\"/>"));
    ck_assert_ptr_null(gdb_target_xml(bare->cpu, "../target.xml"));
}
END_TEST

CHECK_MAIN("gdb_regs", CASE(numbers_and_sizes), CASE(avx_only_where_the_cpu_has_it),
           CASE(reset_values), CASE(code_of_32_bits_has_32), CASE(round_trip),
           CASE(stack_registers), CASES(value_row, values), CASE(long_mode_follows_paging),
           CASE(real_mode_segments), CASES(selector_row, selectors), CASE(description))
