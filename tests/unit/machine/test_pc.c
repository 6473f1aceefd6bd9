#include <stdio.h>
#include <unistd.h>

#include "check_main.h"
#include "pc_machine.h"
#include "pci.h"
#include "sizes.h"

/* A 64 KiB image of HLTs stands for a BIOS. */
static char bios_path[] = "/tmp/rhea-bios-XXXXXX";

static void make_bios(size_t size)
{
    g_autofree uint8_t *image = g_malloc(size);
    int fd = g_mkstemp(bios_path);

    memset(image, 0xf4, size);
    ck_assert_int_eq(write(fd, image, size), size);
    close(fd);
    vm.config.bios = g_strdup(bios_path);
}

static void setup(uint64_t ram_bytes, unsigned cpus)
{
    g_autoptr(GError) error = NULL;
    bool ok;

    pc_configure(ram_bytes, cpus);
    make_bios(64 * KIB);
    ok = pc_start(&error);
    unlink(bios_path);
    ck_assert_msg(ok, "%s", error ? error->message : "");
}

static void out(uint16_t port, uint32_t value, unsigned size)
{
    mem_store(&vm.io, port, value, size);
}

static uint32_t in(uint16_t port, unsigned size)
{
    return mem_load(&vm.io, port, size, NULL);
}

static uint8_t cmos(uint8_t index)
{
    out(0x70, index, 1);
    return in(0x71, 1);
}

/* ---- memory ---- */

static const struct { uint64_t ram, below, above; uint16_t extended, above_16m; uint32_t above_4g; }
    splits[] = {
    { 128 * MIB, 128 * MIB, 0, 65535, 1792, 0 },
    { 2 * MIB, 2 * MIB, 0, 1024, 0, 0 },
    { 3584 * MIB - 4 * KIB, 3584 * MIB - 4 * KIB, 0, 65535, 57087, 0 },
    { 3584 * MIB, 3 * GIB, 512 * MIB, 65535, 48896, 8192 },
    { 6 * GIB, 3 * GIB, 3 * GIB, 65535, 48896, 49152 },
};

START_TEST(memory_row)
{
    setup(splits[_i].ram, 1);
    ck_assert_uint_eq(vm.ram_below_4g, splits[_i].below);
    ck_assert_uint_eq(vm.ram_above_4g, splits[_i].above);
    ck_assert_uint_eq(cmos(0x15) | cmos(0x16) << 8, 640);
    ck_assert_uint_eq(cmos(0x17) | cmos(0x18) << 8, splits[_i].extended);
    ck_assert_uint_eq(cmos(0x30) | cmos(0x31) << 8, splits[_i].extended);
    ck_assert_uint_eq(cmos(0x34) | cmos(0x35) << 8, splits[_i].above_16m);
    ck_assert_uint_eq(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, splits[_i].above_4g);
    if (splits[_i].above) {
        mem_store(&vm.memory, 4 * GIB + splits[_i].above - 8, 0x1234, 8);
        ck_assert_uint_eq(mem_load(&vm.memory, 4 * GIB + splits[_i].above - 8, 8, NULL), 0x1234);
    }
}
END_TEST

START_TEST(bios_is_at_the_top_and_below_one_mib)
{
    setup(16 * MIB, 1);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xfffffff0, 1, NULL), 0xf4);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xffff0, 1, NULL), 0xf4);
    mem_store(&vm.memory, 0xffff0, 0, 1);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xffff0, 1, NULL), 0xf4);
    ck_assert_uint_eq(mem_load(&vm.memory, 0xc0000, 1, NULL), 0);
}
END_TEST

/* ---- interrupts ---- */

static X86Cpu *cpu(unsigned index)
{
    return g_ptr_array_index(vm.cpus, index);
}

START_TEST(isa_interrupts_reach_the_pic)
{
    setup(16 * MIB, 1);
    out(0x20, 0x11, 1);
    out(0x21, 0x20, 1);
    out(0x21, 0x04, 1);
    out(0x21, 0x01, 1);
    out(0x21, 0x00, 1);
    IrqLine line = vm_isa_irq(&vm, 4);
    irq_set(&line, 1);
    ck_assert_int_eq(vm.pic_acknowledge(&vm), 0x24);
}
END_TEST

static X86Cpu *first_cpu(void)
{
    return cpu(0);
}

START_TEST(the_timer_reaches_ioapic_pin_2)
{
    setup(16 * MIB, 1);
    vm.current_cpu = first_cpu;
    mem_store(&vm.memory, 0xfee000f0, 0x1ff, 4);            /* LAPIC on */
    mem_store(&vm.memory, 0xfec00000, 0x10 + 2 * 2, 4);     /* pin 2: vector 41, to APIC 0 */
    mem_store(&vm.memory, 0xfec00010, 0x41, 4);
    irq_set(&vm.gsi[0], 1);
    ck_assert_uint_ne(cpu(0)->events & CPU_EVENT_INTR, 0);
    ck_assert_int_eq(cpu(0)->intc.acknowledge(cpu(0)->intc.opaque), 0x41);
}
END_TEST

static const struct { unsigned sockets, cores, threads, index; uint32_t id; } topologies[] = {
    { 4, 1, 1, 3, 3 }, { 1, 4, 1, 3, 3 }, { 1, 3, 2, 5, 5 }, { 2, 3, 2, 6, 8 }, { 2, 3, 1, 5, 6 },
};

START_TEST(apic_id_row)
{
    unsigned cpus = topologies[_i].sockets * topologies[_i].cores * topologies[_i].threads;
    g_autoptr(GError) error = NULL;

    pc_configure(16 * MIB, cpus);
    vm.config.topo.sockets = topologies[_i].sockets;
    vm.config.topo.cores = topologies[_i].cores;
    vm.config.topo.threads = topologies[_i].threads;
    make_bios(64 * KIB);
    ck_assert_msg(pc_start(&error), "%s", error ? error->message : "");
    unlink(bios_path);
    ck_assert_uint_eq(cpu(topologies[_i].index)->apic_id, topologies[_i].id);
    ck_assert_uint_eq(cmos(0x5f), cpus - 1);
}
END_TEST

/* ---- what is refused ---- */

static void without_memory(void) { vm.config.ram_bytes = 1 * MIB; }
static void append_alone(void) { vm.config.append = g_strdup("x"); }
static void initrd_alone(void) { vm.config.initrd = g_strdup("x"); }
static void kernel_and_bios(void) { vm.config.kernel = g_strdup("x"); }
static void no_such_bios(void) { vm.config.bios = g_strdup("no-such-file"); }
static void bad_order(void) { vm.config.boot_order = g_strdup("cx"); }
static void long_order(void) { vm.config.boot_order = g_strdup("cdna"); }
static void no_such_cpu(void) { vm.config.cpu_model = g_strdup("z80"); }

static const struct { void (*spoil)(void); const char *message; } refusals[] = {
    { without_memory, "at least 2 MiB" },
    { append_alone, "-append only allowed with -kernel option" },
    { initrd_alone, "-initrd only allowed with -kernel option" },
    { kernel_and_bios, "exclude each other" },
    { no_such_bios, "could not load PC BIOS 'no-such-file'" },
    { bad_order, "Invalid boot device for PC: 'x'" },
    { long_order, "Too many boot devices for PC" },
    { no_such_cpu, "z80" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) error = NULL;

    pc_configure(16 * MIB, 1);
    make_bios(64 * KIB);
    refusals[_i].spoil();
    ck_assert(!pc_start(&error));
    unlink(bios_path);
    ck_assert_msg(strstr(error->message, refusals[_i].message) != NULL, "%s", error->message);
}
END_TEST

static const struct { const char *order; uint8_t first, third; } orders[] = {
    { "cad", 0x12, 0x30 }, { "n", 0x04, 0 }, { "dc", 0x23, 0 }, { "", 0, 0 },
};

START_TEST(boot_order_row)
{
    setup(16 * MIB, 1);
    ck_assert(vm.board->set_boot_order(&vm, orders[_i].order, NULL));
    ck_assert_uint_eq(cmos(0x3d), orders[_i].first);
    ck_assert_uint_eq(cmos(0x38), orders[_i].third);
}
END_TEST

/* ---- a guest that does anything ---- */

START_TEST(random_accesses_do_no_harm)
{
    GRand *rand = g_rand_new_with_seed(_i);
    static const uint32_t windows[] = { 0xfec00000, 0xfed00000, 0xfee00000, 0xa0000, 0xf0000 };

    setup(16 * MIB, 2);
    vm.current_cpu = first_cpu;
    for (int n = 0; n < 20000; n++) {
        unsigned size = 1u << g_rand_int_range(rand, 0, 3);
        uint32_t value = g_rand_int(rand);
        uint16_t port = value & 1 ? g_rand_int_range(rand, 0, 0x10000)
                                  : g_rand_int_range(rand, 0, 0x500);
        uint64_t addr = windows[g_rand_int_range(rand, 0, G_N_ELEMENTS(windows))] +
                        (g_rand_int_range(rand, 0, 0x1000) & -(int)size);

        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            out(port, value, size);
            break;
        case 1:
            in(port, size);
            break;
        case 2:
            out(0xcf8, 0x80000000 | (value & 0x1ffc), 4);
            out(0xcfc + (value >> 30), g_rand_int(rand), 1u << g_rand_int_range(rand, 0, 3));
            break;
        case 3:
            mem_store(&vm.memory, addr, value, size);
            break;
        case 4:
            mem_load(&vm.memory, addr, size, NULL);
            break;
        case 5:
            vm_clock_set_manual(&vm, vm_clock_ns(&vm) + value % (10 * NS_PER_MS));
            break;
        }
    }
    vm_reset(&vm, SHUTDOWN_CAUSE_NONE);
    ck_assert_uint_eq(cmos(0x15), 640 & 0xff);
    g_rand_free(rand);
}
END_TEST

CHECK_MAIN("machine/pc",
           CASES(memory_row, splits),
           CASE(bios_is_at_the_top_and_below_one_mib),
           CASE(isa_interrupts_reach_the_pic),
           CASE(the_timer_reaches_ioapic_pin_2),
           CASES(apic_id_row, topologies),
           CASES(refusal_row, refusals),
           CASES(boot_order_row, orders),
           TIMES(random_accesses_do_no_harm, 4))
