/*
 * pc-testdev, for the kernel test suites (kvm-unit-tests, x86/): a port that keeps what is written,
 * ports that drive interrupt lines, a window of scratch registers in memory.
 */
#include "testdev.h"

#include <string.h>

#include "isa.h"
#include "vm_core.h"

#define TESTDEV_PORT        0xe0        /* keeps 32 bits */
#define TESTDEV_FLUSH       0xe4        /* drops a cached page: there are none */
#define TESTDEV_BYTE_PORT   0xe8        /* as TESTDEV_PORT, but by bytes */
#define TESTDEV_IRQ         0x2000      /* one port a line: level of vm->gsi[n] */
#define TESTDEV_IRQ_LINES   24
#define TESTDEV_MEM         UINT64_C(0xff000000)
#define TESTDEV_MEM_SIZE    0x10000

typedef struct TestDev {
    Device dev;
    /* wiring */
    MemRegion port, byte_port, flush, irq, mem;
    /* guest-visible state */
    uint32_t value;
    uint8_t scratch[TESTDEV_MEM_SIZE];
} TestDev;

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((TestDev *)opaque)->value;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy(&((TestDev *)opaque)->value, &value, MIN(size, 4));
}

static const MemOps port_ops = { port_read, port_write, .max_size = 4 };

static uint64_t byte_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((TestDev *)opaque)->value >> (8 * offset) & 0xff;
}

static void byte_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy((uint8_t *)&((TestDev *)opaque)->value + offset, &value, 1);
}

static const MemOps byte_port_ops = { byte_port_read, byte_port_write, .max_size = 1 };

static const MemOps flush_ops = { .max_size = 4 };

static void irq_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Vm *vm = ((TestDev *)opaque)->dev.vm;

    if (vm->gsi != NULL && offset < vm->n_gsi) {
        irq_set(&vm->gsi[offset], (value & 0xff) != 0);
    }
}

static const MemOps irq_ops = { NULL, irq_write, .max_size = 1 };

static uint64_t mem_window_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, ((TestDev *)opaque)->scratch + offset, size);
    return value;
}

static void mem_window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy(((TestDev *)opaque)->scratch + offset, &value, size);
}

static const MemOps mem_window_ops = { mem_window_read, mem_window_write };

static const StateField testdev_fields[] = {
    STATE_UINT32(TestDev, value), STATE_UINT8_ARRAY(TestDev, scratch), {}
};
static const StateDesc testdev_state = {
    .name = "pc-testdev", .version = 1, .fields = testdev_fields,
};

static bool testdev_realize(Device *dev, GError **error)
{
    TestDev *test = DEVICE_CAST(dev, TestDev);
    Vm *vm = dev->vm;

    mem_region_init_io(&test->port, &dev->obj, "pc-testdev-ioport", 4, &port_ops, test);
    mem_region_init_io(&test->flush, &dev->obj, "pc-testdev-flush-page", 4, &flush_ops, test);
    mem_region_init_io(&test->byte_port, &dev->obj, "pc-testdev-ioport-byte", 4, &byte_port_ops,
                       test);
    mem_region_init_io(&test->irq, &dev->obj, "pc-testdev-irq-line", TESTDEV_IRQ_LINES, &irq_ops,
                       test);
    mem_region_init_io(&test->mem, &dev->obj, "pc-testdev-iomem", TESTDEV_MEM_SIZE, &mem_window_ops,
                       test);
    mem_region_add(&vm->system_io, TESTDEV_PORT, &test->port);
    mem_region_add(&vm->system_io, TESTDEV_FLUSH, &test->flush);
    mem_region_add(&vm->system_io, TESTDEV_BYTE_PORT, &test->byte_port);
    mem_region_add(&vm->system_io, TESTDEV_IRQ, &test->irq);
    mem_region_add(&vm->system_memory, TESTDEV_MEM, &test->mem);
    return true;
}

static void testdev_unrealize(Device *dev)
{
    TestDev *test = DEVICE_CAST(dev, TestDev);
    MemRegion *regions[] = { &test->port, &test->flush, &test->byte_port, &test->irq, &test->mem };

    for (size_t i = 0; i < G_N_ELEMENTS(regions); i++) {
        mem_region_finish(regions[i]);
    }
}

const DeviceType testdev_type = {
    .name = "pc-testdev", .category = "misc", .bus = &isa_bus_type, .size = sizeof(TestDev),
    .state = &testdev_state, .realize = testdev_realize, .unrealize = testdev_unrealize,
};
