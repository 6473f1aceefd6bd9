/*
 * Kernel images.  Reaches: the bzImage, ELF, PVH and multiboot readers, placing, loading,
 * entering.
 */
#include <glib.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot.h"
#include "lock.h"
#include "x86_cpu.h"

#define RAM (16u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Vm vm;
static MemRegion ram;
static X86Cpu cpu;

static void setup(void)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), NULL);
    if (!mem_region_init_ram(&ram, NULL, "pc.ram", RAM, NULL)) {
        g_error("no memory");
    }
    vm.ram_region = &ram;
    vm.ram_below_4g = RAM;
    cpu.vm = &vm;
    g_ptr_array_add(vm.cpus, &cpu);
    vm.config.append = g_strdup("console=ttyS0");
    vm.config.initrd = g_strdup("/dev/null");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    E820Map map = { 0 };
    BootPlan *plan;

    if (!ram.ram) {
        setup();
    }
    int fd = memfd_create("kernel", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        g_error("cannot write the image");
    }
    g_free(vm.config.kernel);
    vm.config.kernel = g_strdup_printf("/proc/self/fd/%d", fd);
    /* A regular file as initrd and modules: the image itself. */
    g_free(vm.config.initrd);
    vm.config.initrd = g_strdup(vm.config.kernel);
    e820_add(&map, 0, BOOT_LOW_END, E820_RAM);
    e820_add(&map, BOOT_HIGH, RAM, E820_RAM);
    plan = boot_plan_new(&vm, &map, 0xff000, &error);
    if ((plan != NULL) == (error != NULL)) {
        g_error("a plan and an error, or neither");
    }
    for (int n = 0; plan && n < 2; n++) {
        if (!boot_plan_load(plan, NULL)) {
            g_error("a plan that cannot be carried out");
        }
        boot_plan_enter(plan);
    }
    boot_plan_free(plan);
    close(fd);
    return 0;
}
