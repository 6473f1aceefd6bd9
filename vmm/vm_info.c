/* Texts of info topics that are walks over the machine's parts. */
#include <inttypes.h>
#include <string.h>

#include "machine.h"
#include "numa.h"
#include "pci.h"
#include "rom.h"
#include "usb.h"
#include "vm.h"

bool vm_machine_type(unsigned n, VmMachineType *type)
{
    for (const Board *const *board = boards; *board != NULL; board++) {
        if (n-- == 0) {
            *type = (VmMachineType){ (*board)->name, (*board)->alias, (*board)->default_cpu,
                                     (*board)->max_cpus, (*board)->is_default };
            return true;
        }
    }
    return false;
}

void vm_print_pci(Vm *vm, GString *out)
{
    PciBus *root = pci_root_bus(vm);

    if (root != NULL) {
        pci_print(root, out);
    }
}

bool vm_print_usb(Vm *vm, GString *out)
{
    return usb_print(vm, out);
}

void vm_print_numa(Vm *vm, GString *out)
{
    numa_print(vm, out);
}

bool vm_numa_node(const Vm *vm, unsigned cpu_index, unsigned *node)
{
    *node = numa_node_of_cpu(vm, cpu_index);
    return vm->config.numa != NULL;
}

/* A power of two with the unit it is whole in: "4 KiB". */
static char *whole_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = bytes != 0 ? __builtin_ctzll(bytes) / 10 : 0;

    return g_strdup_printf("%" PRIu64 " %s", bytes >> (unit * 10), units[unit]);
}

void vm_print_ramblock(GString *out)
{
    const GPtrArray *blocks = ram_blocks();

    g_string_append_printf(out, "%24s %8s  %18s %18s %18s\n", "Block Name", "PSize", "Offset", "Used",
                           "Total");
    for (guint i = 0; i < blocks->len; i++) {
        const RamBlock *block = g_ptr_array_index(blocks, i);
        g_autofree char *page = whole_size(block->page_bytes);

        g_string_append_printf(out, "%24s %8s  0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n",
                               block->name, page, block->offset, block->size_bytes,
                               block->size_bytes);
    }
}

void vm_print_roms(Vm *vm, GString *out)
{
    rom_print(out);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(Object *const *)a)->name, (*(Object *const *)b)->name);
}

static void print_object(const Object *obj, GString *out, int indent)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();

    g_string_append_printf(out, "%*s/%s (%s)\n", indent, "", obj->name, obj->type_name);
    for (guint i = 0; obj->children != NULL && i < obj->children->len; i++) {
        g_ptr_array_add(sorted, g_ptr_array_index(obj->children, i));
    }
    g_ptr_array_sort(sorted, by_name);
    for (guint i = 0; i < sorted->len; i++) {
        print_object(g_ptr_array_index(sorted, i), out, indent + 2);
    }
}

void vm_print_qom_tree(Vm *vm, const char *path, GString *out)
{
    const Object *obj = object_resolve(path != NULL ? path : "/machine", NULL);

    if (obj == NULL) {
        g_string_append_printf(out, "Path '%s' could not be resolved.\n", path);
        return;
    }
    print_object(obj, out, 0);
}

static void collect_device(Device *dev, void *opaque)
{
    g_ptr_array_add(opaque, dev);
}

static void view_device(Device *dev, DeviceView view, GString *out)
{
    if (dev->type->view != NULL) {
        dev->type->view(dev, view, out);
    }
}

/* The newest device first, as everywhere devices are listed. */
static void view_devices(Vm *vm, DeviceView view, GString *out)
{
    g_autoptr(GPtrArray) devices = g_ptr_array_new();

    devices_foreach(vm, collect_device, devices);
    for (guint i = devices->len; i-- > 0;) {
        view_device(g_ptr_array_index(devices, i), view, out);
    }
}

void vm_print_view(Vm *vm, DeviceView view, int cpu_index, GString *out)
{
    X86Cpu *cpu;

    if (view != VIEW_LAPIC) {
        view_devices(vm, view, out);
        return;
    }
    cpu = vm_cpu(vm, cpu_index);
    if (cpu == NULL || cpu->apic == NULL) {
        g_string_append(out, "Local APIC state not available\n");
        return;
    }
    view_device(cpu->apic, view, out);
}
