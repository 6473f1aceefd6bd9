/* Operations on the running machine that doors share, with the texts clients know. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "epoch.h"
#include "guest_dump.h"
#include "machine.h"
#include "mc146818.h"
#include "passed_fd.h"
#include "vm.h"

bool vm_cmd_cont(Vm *vm, GError **error)
{
    if (guest_dump_active()) {
        set_error(error, "There is a dump in process, please wait.");
        return false;
    }
    switch (vm->run_state) {
    case RUN_STATE_INTERNAL_ERROR:
    case RUN_STATE_SHUTDOWN:
        set_error(error, "Resetting the Virtual Machine is required");
        return false;
    case RUN_STATE_SUSPENDED:
        return true;                            /* system_wakeup ends a suspension */
    default:
        vm_start(vm);
        return true;
    }
}

bool vm_cmd_stop(Vm *vm, GError **error)
{
    if (vm_is_running(vm)) {
        vm_stop(vm, RUN_STATE_PAUSED);
    } else {
        vm->config.start_stopped = true;        /* a stop before the start: do not start */
    }
    return true;
}

void vm_cmd_forget_ticks(Vm *vm)
{
    if (vm->rtc != NULL) {
        mc146818_forget_ticks(vm->rtc);
    }
}

bool vm_cmd_inject_nmi(Vm *vm, GError **error)
{
    if (vm->cpus->len == 0) {
        set_error(error, "machine does not provide NMIs");
        return false;
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        cpu_raise(g_ptr_array_index(vm->cpus, i), CPU_EVENT_NMI);
    }
    return true;
}

/* ---- saving memory to files ---- */

typedef bool (*ReadFn)(const void *opaque, uint64_t addr, void *buf, size_t len);

static bool read_virtual(const void *opaque, uint64_t addr, void *buf, size_t len)
{
    return x86_read_linear(opaque, addr, buf, len);
}

static bool read_physical(const void *opaque, uint64_t addr, void *buf, size_t len)
{
    mem_read_debug((AddressSpace *)opaque, addr, buf, len);
    return true;
}

static bool write_all(int fd, const uint8_t *buf, size_t len, GError **error)
{
    while (len > 0) {
        ssize_t put = write(fd, buf, len);

        if (put > 0) {
            buf += put;
            len -= put;
        } else if (put == 0 || errno != EINTR) {
            set_errno_error(error, errno, "writing memory to file failed");
            return false;
        }
    }
    return true;
}

static bool save(ReadFn read_fn, const void *opaque, uint64_t addr, uint64_t size, int fd,
                 GError **error)
{
    uint8_t buf[64 * KIB];
    uint64_t total = size;

    while (size > 0) {
        size_t piece = MIN(size, sizeof(buf) - (addr & (sizeof(buf) - 1)));

        if (!read_fn(opaque, addr, buf, piece)) {
            set_error(error, "Invalid addr 0x%016" PRIx64 "/size %" PRIu64 " specified", addr,
                      total);
            return false;
        }
        if (!write_all(fd, buf, piece, error)) {
            return false;
        }
        addr += piece;
        size -= piece;
    }
    return true;
}

static bool save_to(const char *path, ReadFn read_fn, const void *opaque, uint64_t addr,
                    uint64_t size, GError **error)
{
    int fd = passed_fd_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool ok;

    if (fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return false;
    }
    ok = save(read_fn, opaque, addr, size, fd, error);
    passed_fd_release(fd);
    return ok;
}

/* More than there is would only fill the disk. */
static bool check_size(Vm *vm, uint64_t addr, uint64_t size, GError **error)
{
    uint64_t end = 0;
    const MemView *view;

    epoch_enter();
    view = address_space_view(&vm->memory);
    for (unsigned i = 0; i < view->count; i++) {
        end = view->ranges[i].host != NULL ? view->ranges[i].last + 1 : end;
    }
    epoch_leave();
    if (size > end) {
        set_error(error, "Invalid addr 0x%016" PRIx64 "/size %" PRIu64 " specified: there are "
                  "%" PRIu64 " bytes of addresses", addr, size, end);
    }
    return size <= end;
}

bool vm_cmd_memsave(Vm *vm, unsigned index, uint64_t addr, uint64_t size, const char *file,
                    GError **error)
{
    X86Cpu *cpu = vm_cpu(vm, index);

    if (cpu == NULL) {
        set_error(error, "Parameter 'cpu-index' expects a CPU number");
        return false;
    }
    return check_size(vm, addr, size, error) &&
           save_to(file, read_virtual, cpu, addr, size, error);
}

bool vm_cmd_pmemsave(Vm *vm, uint64_t addr, uint64_t size, const char *file, GError **error)
{
    return check_size(vm, addr, size, error) &&
           save_to(file, read_physical, &vm->memory, addr, size, error);
}

bool vm_cmd_boot_set(Vm *vm, const char *order, GError **error)
{
    if (vm->board->set_boot_order == NULL) {
        set_error(error, "no function defined to set boot device list for this architecture");
        return false;
    }
    return vm->board->set_boot_order(vm, order, error);
}
