#include "check_main.h"
#include "apic_board.h"

enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0,
       SVR = 0xf0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR2 = 0x310,
       LVTT = 0x320, LINT0 = 0x350, LINT1 = 0x360, LVTERR = 0x370, INITIAL = 0x380, CURRENT = 0x390,
       DIVIDE = 0x3e0 };

static void enable_all(void)
{
    for (int i = 0; i < 2; i++) {
        accessing = cpus[i];
        apic_set(SVR, 0x1ff);
    }
    accessing = cpus[0];
}

static bool msr_read(uint32_t msr, uint64_t *value)
{
    return accessing->intc.read_msr(accessing->intc.opaque, msr, value);
}

static bool msr_write(uint32_t msr, uint64_t value)
{
    return accessing->intc.write_msr(accessing->intc.opaque, msr, value);
}

static bool set_base(uint64_t value)
{
    return accessing->intc.set_base(accessing->intc.opaque, value);
}

/* ---- registers ---- */

static const struct { unsigned reg; uint32_t written, after; } registers[] = {
    { ID,      0,          0 },
    { VERSION, 0xffffffff, 0x00050014 },
    { TPR,     0x123,      0x23 },
    { LDR,     0xffffffff, 0xff000000 },
    { DFR,     0,          0x0fffffff },
    { SVR,     0xffffffff, 0x3ff },
    { LVTT,    0xffffffff, 0x700ff },
    { LINT0,   0xffffffff, 0x1a7ff },
    { LVTERR,  0xffffffff, 0x100ff },
    { ICR2,    0x05000000, 0x05000000 },
    { DIVIDE,  0xffffffff, 0x0b },
    { CURRENT, 5,          0 },
    { PPR,     5,          0 },
};

START_TEST(register_keeps_its_bits)
{
    apic_board();
    enable_all();
    apic_set(registers[_i].reg, registers[_i].written);
    ck_assert_uint_eq(apic_get(registers[_i].reg), registers[_i].after);
}
END_TEST

START_TEST(each_cpu_sees_its_own)
{
    apic_board();
    accessing = cpus[1];
    ck_assert_uint_eq(apic_get(ID), 1u << 24);
    apic_set(TPR, 0x40);
    accessing = cpus[0];
    ck_assert_uint_eq(apic_get(TPR), 0);
    accessing = NULL;                           /* a monitor sees no CPU's registers */
    ck_assert_uint_eq(apic_get(ID), 0);
}
END_TEST

START_TEST(rows_stay_masked_while_off)
{
    apic_board();
    apic_set(LINT0, 0x700);
    ck_assert_uint_eq(apic_get(LINT0), 0x10700);
    enable_all();
    apic_set(LINT0, 0x700);
    ck_assert_uint_eq(apic_get(LINT0), 0x700);
    apic_set(SVR, 0xff);
    ck_assert_uint_eq(apic_get(LINT0), 0x10700);
}
END_TEST

/* ---- acceptance ---- */

START_TEST(priorities)
{
    apic_board();
    enable_all();
    apic_set(ICR, 0x40031);                     /* to self, vector 31h */
    apic_set(ICR, 0x40051);
    ck_assert(cpu_wants(cpus[0], CPU_EVENT_INTR));
    ck_assert_int_eq(take_vector(cpus[0]), 0x51);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));
    ck_assert_uint_eq(apic_get(PPR), 0x50);
    ck_assert_uint_eq(apic_get(ISR + 0x20), 1u << 0x11);
    ck_assert_uint_eq(apic_get(IRR + 0x10), 1u << 0x11);
    apic_set(EOI, 0);
    ck_assert(cpu_wants(cpus[0], CPU_EVENT_INTR));
    apic_set(TPR, 0x30);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));
    ck_assert_int_eq(take_vector(cpus[0]), -1);
    cpus[0]->intc.set_tpr(cpus[0]->intc.opaque, 2);
    ck_assert_uint_eq(apic_get(TPR), 0x20);
    ck_assert_int_eq(take_vector(cpus[0]), 0x31);
}
END_TEST

/*
 * Which CPUs an IPI reaches: bit n for CPU n.  CPU 0 sends; LDRs are 1 and 2 (flat) or 11 and 12.
 */
static const struct { const char *name; uint32_t dfr, icr2, icr; unsigned reached; } ipis[] = {
    { "physical, other",    0xffffffff, 0x01000000, 0x00040, 2 },
    { "physical, self",     0xffffffff, 0x00000000, 0x00040, 1 },
    { "physical, nobody",   0xffffffff, 0x07000000, 0x00040, 0 },
    { "physical, all",      0xffffffff, 0xff000000, 0x00040, 3 },
    { "flat, both",         0xffffffff, 0x03000000, 0x00840, 3 },
    { "flat, second",       0xffffffff, 0x02000000, 0x00840, 2 },
    { "flat, none",         0xffffffff, 0x04000000, 0x00840, 0 },
    { "cluster 1, second",  0x0fffffff, 0x12000000, 0x00840, 2 },
    { "cluster 1, both",    0x0fffffff, 0x13000000, 0x00840, 3 },
    { "cluster 2",          0x0fffffff, 0x23000000, 0x00840, 0 },
    { "self",               0xffffffff, 0x01000000, 0x40040, 1 },
    { "all",                0xffffffff, 0,          0x80040, 3 },
    { "others",             0xffffffff, 0,          0xc0040, 2 },
    { "lowest, flat",       0xffffffff, 0x03000000, 0x00940, 2 },   /* CPU 0 is the busier */
};

START_TEST(ipi_reaches)
{
    unsigned reached = 0;

    apic_board();
    enable_all();
    for (int i = 0; i < 2; i++) {
        accessing = cpus[i];
        apic_set(DFR, ipis[_i].dfr);
        apic_set(LDR, (ipis[_i].dfr >> 28 ? 0u : 0x10000000u) | (uint32_t)(i + 1) << 24);
    }
    accessing = cpus[0];
    apic_set(TPR, 0x20);
    apic_set(ICR2, ipis[_i].icr2);
    apic_set(ICR, ipis[_i].icr);
    for (int i = 0; i < 2; i++) {
        reached |= take_vector(cpus[i]) == 0x40 ? 1u << i : 0;
    }
    ck_assert_msg(reached == ipis[_i].reached, "%s: %u", ipis[_i].name, reached);
}
END_TEST

static const struct { uint32_t icr; uint32_t event; } events[] = {
    { 0x00000200, CPU_EVENT_SMI },
    { 0x00000400, CPU_EVENT_NMI },
    { 0x0000c500, CPU_EVENT_INIT },
    { 0x00008500, 0 },                          /* INIT de-assert */
    { 0x0000069a, CPU_EVENT_SIPI },
};

START_TEST(message_without_vector)
{
    apic_board();
    cpus[1]->events = 0;
    apic_set(ICR2, 1u << 24);
    apic_set(ICR, events[_i].icr);
    ck_assert_uint_eq(cpus[1]->events, events[_i].event);
    if (events[_i].event == CPU_EVENT_SIPI) {
        ck_assert_uint_eq(cpus[1]->sipi_vector, 0x9a);
    }
}
END_TEST

START_TEST(illegal_vectors_are_errors)
{
    apic_board();
    enable_all();
    apic_set(LVTERR, 0xfe);
    apic_set(ICR, 0x40005);
    ck_assert_int_eq(take_vector(cpus[0]), 0xfe);
    ck_assert_uint_eq(apic_get(ESR), 0);
    apic_set(ESR, 0);
    ck_assert_uint_eq(apic_get(ESR), 0x20);
    apic_set(LVTERR, 0x05);                     /* must not report itself for ever */
    apic_set(ICR, 0x40005);
    apic_set(ESR, 0);
    ck_assert_uint_eq(apic_get(ESR), 0x20);
}
END_TEST

/* ---- messages and the PIC ---- */

START_TEST(devices_send_messages)
{
    apic_board();
    enable_all();
    vm.msi_send(&vm, 0xfee01000, 0x55);
    ck_assert_int_eq(take_vector(cpus[1]), 0x55);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
    accessing = NULL;                           /* a bus master's write to CPU 0 */
    mem_store(&vm.memory, 0xfee00000, 0x66, 4);
    ck_assert_int_eq(take_vector(cpus[0]), 0x66);
}
END_TEST

static void pic_init(void)
{
    out8(0x20, 0x11);
    out8(0x21, 0x08);
    out8(0x21, 0x04);
    out8(0x21, 0x01);
}

START_TEST(the_pic_comes_through_lint0)
{
    IrqLine timer;

    apic_board();
    timer = i8259_pair_input(pics, 0);
    pic_init();
    irq_set(&timer, 1);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));     /* masked after reset */
    apic_virtual_wire(cpus[0]->apic);
    ck_assert(cpu_wants(cpus[0], CPU_EVENT_INTR));
    ck_assert_int_eq(take_vector(cpus[0]), 8);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));
}
END_TEST

START_TEST(the_pic_passes_an_apic_that_is_off)
{
    IrqLine timer;

    apic_board();
    timer = i8259_pair_input(pics, 0);
    pic_init();
    ck_assert(set_base(0xfee00100));
    irq_set(&timer, 1);
    ck_assert_int_eq(take_vector(cpus[0]), 8);
    ck_assert_uint_eq(apic_get(VERSION), 0);
}
END_TEST

START_TEST(an_nmi_button_goes_through_lint1)
{
    apic_board();
    cpus[0]->events = cpus[1]->events = 0;
    apic_virtual_wire(cpus[0]->apic);
    apic_inject_nmi(&vm);
    ck_assert(cpu_wants(cpus[0], CPU_EVENT_NMI));
    ck_assert(!cpu_wants(cpus[1], CPU_EVENT_NMI));
}
END_TEST

/* ---- timer ---- */

static const struct { uint32_t divide, by; } divisors[] = {
    { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 },
};

START_TEST(timer_counts_down)
{
    uint32_t by = divisors[_i].by;

    apic_board();
    enable_all();
    apic_set(DIVIDE, divisors[_i].divide);
    apic_set(LVTT, 0x40);
    apic_set(INITIAL, 1000000);
    advance_ns(400000 * (int64_t)by);
    ck_assert_uint_eq(apic_get(CURRENT), 600000);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));
    advance_ns(600000 * (int64_t)by);
    ck_assert_int_eq(take_vector(cpus[0]), 0x40);
    ck_assert_uint_eq(apic_get(CURRENT), 0);
    apic_set(EOI, 0);
    advance_ns(NS_PER_SEC);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
}
END_TEST

START_TEST(periodic_timer_keeps_its_phase)
{
    apic_board();
    enable_all();
    apic_set(DIVIDE, 11);
    apic_set(LVTT, 0x20040);
    apic_set(INITIAL, 1000000);
    for (int i = 0; i < 5; i++) {
        advance_ns(1000000);
        ck_assert_int_eq(take_vector(cpus[0]), 0x40);
        apic_set(EOI, 0);
    }
    advance_ns(250000);
    ck_assert_uint_eq(apic_get(CURRENT), 750000);
    apic_set(INITIAL, 0);
    advance_ns(NS_PER_SEC);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
}
END_TEST

START_TEST(tiny_periods_do_not_spin)
{
    apic_board();
    enable_all();
    apic_set(DIVIDE, 11);
    apic_set(LVTT, 0x20040);
    apic_set(INITIAL, 1);
    advance_ns(1000000);                        /* returns at all */
    ck_assert_int_eq(take_vector(cpus[0]), 0x40);
}
END_TEST

START_TEST(masked_timer_is_silent)
{
    apic_board();
    enable_all();
    apic_set(DIVIDE, 11);
    apic_set(LVTT, 0x10040);
    apic_set(INITIAL, 1000);
    advance_ns(2000);
    apic_set(LVTT, 0x40);
    advance_ns(2000);
    ck_assert_int_eq(take_vector(cpus[0]), -1);
}
END_TEST

START_TEST(tsc_deadline)
{
    uint64_t value;

    apic_board();
    enable_all();
    ck_assert(msr_write(0x6e0, 1));             /* ignored outside the mode */
    ck_assert(msr_read(0x6e0, &value) && value == 0);
    apic_set(LVTT, 0x40040);
    ck_assert(msr_write(0x6e0, 1));             /* long past */
    advance_ns(1);
    ck_assert_int_eq(take_vector(cpus[0]), 0x40);
    ck_assert(msr_read(0x6e0, &value) && value == 0);
    ck_assert(msr_write(0x6e0, UINT64_MAX / 2));
    advance_ns(NS_PER_SEC);
    ck_assert(msr_read(0x6e0, &value) && value == UINT64_MAX / 2);
    apic_set(LVTT, 0x40);
    ck_assert(msr_read(0x6e0, &value) && value == 0);
}
END_TEST

/* ---- x2APIC ---- */

static const struct { uint64_t from, to; bool ok; } bases[] = {
    { 0xfee00900, 0xfee00d00, true },
    { 0xfee00900, 0xfee00100, true },
    { 0xfee00900, 0xfee00500, false },          /* EXTD without EN */
    { 0xfee00100, 0xfee00d00, false },          /* off to x2APIC */
    { 0xfee00d00, 0xfee00900, false },          /* x2APIC to xAPIC */
    { 0xfee00d00, 0xfee00100, true },
    { 0xfee00900, 0xfee00901, false },          /* reserved */
};

START_TEST(base_transition)
{
    apic_board();
    ck_assert(set_base(bases[_i].from));
    ck_assert_int_eq(set_base(bases[_i].to), bases[_i].ok);
    ck_assert_uint_eq(cpus[0]->intc.get_base(cpus[0]->intc.opaque),
                      bases[_i].ok ? bases[_i].to : bases[_i].from);
}
END_TEST

static const struct { uint32_t msr; uint64_t value; bool ok; } x2_writes[] = {
    { 0x808, 0x20, true },   { 0x808, 0x120, false },  { 0x80b, 0, true },      { 0x80b, 1, false },
    { 0x802, 0, false },     { 0x80d, 0, false },      { 0x80e, 0, false },
    { 0x80f, 0x1ff, true },  { 0x80f, 0x10000, false }, { 0x831, 0, false },
    { 0x83f, 0x40, true },   { 0x83f, 0x140, false },
    { 0x832, 0x20040, true }, { 0x832, 0x100000000, false }, { 0x830, 0x40040, true },
    { 0x828, 0, true },      { 0x828, 1, false },      { 0x83e, 0xb, true },    { 0x840, 0, false },
};

START_TEST(x2apic_write)
{
    apic_board();
    ck_assert(!msr_write(x2_writes[_i].msr, x2_writes[_i].value));     /* xAPIC mode */
    ck_assert(set_base(0xfee00d00));
    ck_assert_int_eq(msr_write(x2_writes[_i].msr, x2_writes[_i].value), x2_writes[_i].ok);
}
END_TEST

START_TEST(x2apic_ids_and_ipis)
{
    uint64_t value;

    apic_board();
    for (int i = 0; i < 2; i++) {
        accessing = cpus[i];
        ck_assert(set_base(i == 0 ? 0xfee00d00 : 0xfee00c00));
        ck_assert(msr_write(0x80f, 0x1ff));
    }
    ck_assert(msr_read(0x802, &value) && value == 1);
    ck_assert(msr_read(0x80d, &value) && value == 2);
    accessing = cpus[0];
    ck_assert(msr_write(0x830, UINT64_C(1) << 32 | 0x40));              /* physical */
    ck_assert_int_eq(take_vector(cpus[1]), 0x40);
    ck_assert(msr_write(0x830, UINT64_C(2) << 32 | 0x850));             /* logical, cluster 0 */
    ck_assert_int_eq(take_vector(cpus[1]), 0x50);
    ck_assert(msr_write(0x830, UINT64_C(0xffffffff) << 32 | 0x60));     /* all */
    ck_assert_int_eq(take_vector(cpus[0]), 0x60);
    ck_assert_int_eq(take_vector(cpus[1]), 0x60);
    ck_assert(msr_write(0x83f, 0x70));
    ck_assert_int_eq(take_vector(cpus[0]), 0x70);
    ck_assert_uint_eq(apic_get(VERSION), 0);                            /* no page in this mode */
}
END_TEST

/* ---- life ---- */

START_TEST(init_keeps_base_and_id)
{
    apic_board();
    enable_all();
    apic_set(ID, 5u << 24);
    apic_set(ICR, 0x40040);
    cpus[0]->intc.reset(cpus[0]->intc.opaque, true);
    ck_assert_uint_eq(apic_get(ID), 5u << 24);
    ck_assert_uint_eq(apic_get(SVR), 0xff);
    ck_assert(!cpu_wants(cpus[0], CPU_EVENT_INTR));
    cpus[0]->intc.reset(cpus[0]->intc.opaque, false);
    ck_assert_uint_eq(apic_get(ID), 0);
}
END_TEST

START_TEST(info_lapic_after_reset)
{
    g_autoptr(GString) out = g_string_new(NULL);

    apic_board();
    cpus[0]->apic->type->view(cpus[0]->apic, VIEW_LAPIC, out);
    ck_assert_str_eq(out->str,
        "dumping local APIC state for CPU 0 \n\n"
        "LVT0\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
        "LVT1\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
        "LVTPC\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
        "LVTERR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
        "LVTTHMR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
        "LVTT\t 0x00010000 active-hi edge  masked         one-shot     Fixed  (vec 0)\n"
        "Timer\t DCR=0x0 (divide by 2) initial_count = 0 current_count = 0\n"
        "SPIV\t 0x000000ff APIC disabled, focus=off, spurious vec 255\n"
        "ICR\t 0x00000000 physical edge de-assert no-shorthand\n"
        "ICR2\t 0x00000000 cpu 0 (APIC ID)\n"
        "ESR\t 0x00000000\n"
        "ISR\t (none)\n"
        "IRR\t (none)\n"
        "\nAPR 0x00 TPR 0x00 DFR 0x0f LDR 0x00 PPR 0x00\n");
}
END_TEST

START_TEST(info_lapic_of_a_cluster)
{
    g_autoptr(GString) out = g_string_new(NULL);

    apic_board();
    enable_all();
    apic_set(DFR, 0x0fffffff);
    apic_set(LINT0, 0xa734);
    apic_set(LINT1, 0x8400);
    apic_set(ICR, 0x40051);
    apic_set(ICR, 0x40061);
    apic_set(ICR2, 0x23000000);
    apic_set(ICR, 0xc950);
    cpus[0]->apic->type->view(cpus[0]->apic, VIEW_LAPIC, out);
    ck_assert_ptr_nonnull(strstr(out->str,
        "LVT0\t 0x0000a734 active-lo level                             ExtINT (vec 52)\n"
        "LVT1\t 0x00008400 active-hi level                             NMI   \n"));
    ck_assert_ptr_nonnull(strstr(out->str,
        "ICR\t 0x0000c950 logical level assert no-shorthand\n"
        "ICR2\t 0x23000000 cluster 2 mask 0011 (APIC ID)\n"
        "ESR\t 0x00000000\nISR\t (none)\nIRR\t 81 97 \n"));
    ck_assert_ptr_nonnull(strstr(out->str, "DFR 0x00 LDR 0x00(cluster 0: id 0) PPR 0x00\n"));
}
END_TEST

START_TEST(state_survives)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Device *dev;
    size_t pos = 0;

    apic_board();
    enable_all();
    dev = cpus[0]->apic;
    apic_set(DIVIDE, 11);
    apic_set(LVTT, 0x40);
    apic_set(INITIAL, 1000);
    apic_set(ICR, 0x40041);
    state_save(dev->type->state, dev, bytes);
    cpus[0]->intc.reset(cpus[0]->intc.opaque, false);
    ck_assert(state_load(dev->type->state, dev, 4, bytes->data, bytes->len, &pos, NULL));
    ck_assert_int_eq(take_vector(cpus[0]), 0x41);
    apic_set(EOI, 0);
    advance_ns(1000);
    ck_assert_int_eq(take_vector(cpus[0]), 0x40);
}
END_TEST

CHECK_MAIN("apic",
    CASES(register_keeps_its_bits, registers),
    CASE(each_cpu_sees_its_own),
    CASE(rows_stay_masked_while_off),
    CASE(priorities),
    CASES(ipi_reaches, ipis),
    CASES(message_without_vector, events),
    CASE(illegal_vectors_are_errors),
    CASE(devices_send_messages),
    CASE(the_pic_comes_through_lint0),
    CASE(the_pic_passes_an_apic_that_is_off),
    CASE(an_nmi_button_goes_through_lint1),
    CASES(timer_counts_down, divisors),
    CASE(periodic_timer_keeps_its_phase),
    CASE(tiny_periods_do_not_spin),
    CASE(masked_timer_is_silent),
    CASE(tsc_deadline),
    CASES(base_transition, bases),
    CASES(x2apic_write, x2_writes),
    CASE(x2apic_ids_and_ipis),
    CASE(init_keeps_base_and_id),
    CASE(info_lapic_after_reset),
    CASE(info_lapic_of_a_cluster),
    CASE(state_survives))
