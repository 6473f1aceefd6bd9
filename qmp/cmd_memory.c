/* The guest's memory: its bytes, and where others find them. */
#include <unistd.h>

#include "qmp_api.h"
#include "vm.h"

/* The most that goes with one command; in base64 that is a third more. */
#define BYTES_MAX (16 * MIB)

static bool check_size(uint64_t size, GError **error)
{
    if (size > BYTES_MAX) {
        set_error(error, "%" G_GUINT64_FORMAT " bytes are too many: at most %u MiB go with one "
                  "command", size, (unsigned)(BYTES_MAX / MIB));
    }
    return size <= BYTES_MAX;
}

QmpMemoryData *qmp_memory_read(Vm *vm, uint64_t address, uint64_t size, const uint32_t *cpu_index,
                               GError **error)
{
    g_autofree uint8_t *bytes = NULL;
    QmpMemoryData *result;

    if (!check_size(size, error)) {
        return NULL;
    }
    bytes = g_malloc(size);
    if (!vm_memory_read(vm, cpu_index, address, bytes, size, error)) {
        return NULL;
    }
    result = g_new0(QmpMemoryData, 1);
    result->data = g_base64_encode(bytes, size);
    return result;
}

/* g_base64_decode() passes over what is no base64. */
static bool is_base64(const char *text)
{
    size_t digits = 0, pads = 0;

    for (; *text != '\0'; text++) {
        bool pad = *text == '=';

        if (pads > 0 ? !pad : !pad && !g_ascii_isalnum(*text) && *text != '+' && *text != '/') {
            return false;
        }
        pads += pad;
        digits++;
    }
    return digits % 4 == 0 && pads <= 2;
}

bool qmp_memory_write(Vm *vm, uint64_t address, const char *data, const uint32_t *cpu_index,
                      GError **error)
{
    g_autofree uint8_t *bytes = NULL;
    size_t size;

    if (!is_base64(data)) {
        set_error(error, "Parameter 'data' expects base64");
        return false;
    }
    bytes = g_base64_decode(data, &size);
    return check_size(size, error) &&
           vm_memory_write(vm, cpu_index, address, bytes, size, error);
}

static void add_range(const VmMemoryRange *range, void *opaque)
{
    QmpRamFdInfo *info = g_new0(QmpRamFdInfo, 1);

    info->address = range->address;
    info->size = range->size;
    info->name = g_strdup(range->block->name);
    info->read_only = range->readonly;
    info->shared = range->block->fd >= 0 && range->block->shared;
    info->host_address = (uintptr_t)range->block->host + range->offset;
    info->has_fd = info->has_offset = range->block->fd >= 0;
    if (info->has_fd) {
        info->fd = range->block->fd;
        info->offset = range->offset;
        info->path = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), range->block->fd);
    }
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_ram_fds(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_ram_fd_info_list_new();

    vm_memory_foreach(vm, add_range, list);
    return list;
}
