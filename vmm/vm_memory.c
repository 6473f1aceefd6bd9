/* Guest memory as bytes, for doors: only what is memory, and all of it or nothing. */
#include <inttypes.h>

#include "epoch.h"
#include "vm.h"

/* ---- physical memory ---- */

typedef struct Gap { uint64_t address; const char *why; } Gap;

/* Whether [address, address + len) is memory throughout, else where it first is not. */
static bool is_memory(Vm *vm, uint64_t address, uint64_t len, Gap *gap)
{
    bool ok = true;

    epoch_enter();
    while (ok && len > 0) {
        const FlatRange *range = mem_view_find(address_space_view(&vm->memory), address);

        ok = range != NULL && range->host != NULL;
        if (!ok) {
            *gap = (Gap){ address, range == NULL ? "nothing is there" : "a device is there" };
        } else {
            uint64_t piece = MIN(len - 1, range->last - address) + 1;

            address += piece;
            len -= piece;
        }
    }
    epoch_leave();
    return ok;
}

static bool refuse(const Gap *gap, const char *kind, GError **error)
{
    set_error(error, "There is no memory at %s address 0x%" PRIx64 ": %s", kind, gap->address,
              gap->why);
    return false;
}

static bool check_physical(Vm *vm, uint64_t address, uint64_t len, GError **error)
{
    Gap gap;

    if (len > 0 && address + (len - 1) < address) {
        gap = (Gap){ UINT64_MAX, "addresses end there" };
        return refuse(&gap, "physical", error);
    }
    return is_memory(vm, address, len, &gap) || refuse(&gap, "physical", error);
}

/* ---- virtual memory, as a CPU translates it ---- */

static bool check_virtual(Vm *vm, const X86Cpu *cpu, uint64_t address, uint64_t len, GError **error)
{
    while (len > 0) {
        PageMapping page;
        uint64_t piece, phys;
        Gap gap = { address, "no page is mapped there" };

        if (!x86_translate(cpu, address, &page)) {
            return refuse(&gap, "virtual", error);
        }
        phys = page.phys + (address & (page.size - 1));
        piece = MIN(len, page.size - (address & (page.size - 1)));
        if (!is_memory(vm, phys, piece, &gap)) {
            gap.address = address + (gap.address - phys);
            return refuse(&gap, "virtual", error);
        }
        address += piece;
        len -= piece;
    }
    return true;
}

/* The CPU that translates, *cpu NULL: none does. */
static bool find_cpu(Vm *vm, const uint32_t *cpu_index, X86Cpu **cpu, GError **error)
{
    *cpu = cpu_index != NULL ? vm_cpu(vm, *cpu_index) : NULL;
    if (cpu_index != NULL && *cpu == NULL) {
        set_error(error, "Parameter 'cpu-index' expects a CPU number");
        return false;
    }
    return true;
}

bool vm_memory_read(Vm *vm, const uint32_t *cpu_index, uint64_t address, void *buf, uint64_t len,
                    GError **error)
{
    X86Cpu *cpu;

    if (!find_cpu(vm, cpu_index, &cpu, error)) {
        return false;
    }
    if (cpu == NULL) {
        return check_physical(vm, address, len, error) &&
               mem_read_debug(&vm->memory, address, buf, len) == MEM_OK;
    }
    return check_virtual(vm, cpu, address, len, error) && x86_read_linear(cpu, address, buf, len);
}

bool vm_memory_write(Vm *vm, const uint32_t *cpu_index, uint64_t address, const void *buf,
                     uint64_t len, GError **error)
{
    X86Cpu *cpu;

    if (!find_cpu(vm, cpu_index, &cpu, error)) {
        return false;
    }
    if (cpu == NULL) {
        return check_physical(vm, address, len, error) &&
               mem_write_debug(&vm->memory, address, buf, len) == MEM_OK;
    }
    return check_virtual(vm, cpu, address, len, error) && x86_write_linear(cpu, address, buf, len);
}

/* ---- what is behind it ---- */

void vm_memory_foreach(Vm *vm, void (*fn)(const VmMemoryRange *range, void *opaque), void *opaque)
{
    const MemView *view;

    epoch_enter();
    view = address_space_view(&vm->memory);
    for (unsigned i = 0; i < view->count; i++) {
        const FlatRange *flat = &view->ranges[i];
        VmMemoryRange range = { .address = flat->addr, .size = flat->last - flat->addr + 1,
                                .readonly = flat->readonly };

        range.block = flat->host != NULL ? ram_block_of(flat->host, &range.offset) : NULL;
        if (range.block != NULL) {
            fn(&range, opaque);
        }
    }
    epoch_leave();
}
