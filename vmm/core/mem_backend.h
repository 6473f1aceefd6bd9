/*
 * Memory for guests as objects: -object memory-backend-ram, -file, -memfd.
 *
 * The machine's own memory is one too: "pc.ram", or the one -machine memory-backend= names.  Main
 * thread, machine lock.
 */
#pragma once

#include "memmap.h"
#include "user_object.h"

#define MEMORY_BACKEND "memory-backend"         /* base of the three types */

extern const ObjectType mem_backend_ram_type, mem_backend_file_type, mem_backend_memfd_type;

typedef struct MemBackend {
    UserObject obj;
    /* configuration */
    uint64_t size, align, hugetlb_size;
    bool share, prealloc, reserve, dump, merge, readonly, discard_data, pmem, hugetlb, seal;
    bool canonical_name;
    uint32_t prealloc_threads;
    int policy;
    char *host_nodes, *mem_path;
    /* wiring */
    RamBlock *ram;                              /* the region's, once there is one */
    MemRegion region;
    bool mapped;                                /* part of the machine: it stays */
} MemBackend;

extern const char *const mem_policy_names[];

/*
 * The machine's memory: the backend -machine memory-backend= names, else one called `name` made
 * from -m, -mem-path and -mem-prealloc.  Marks it mapped.  NULL: error.
 */
MemBackend *mem_backend_for_machine(Vm *vm, const char *name, GError **error);
MemBackend *mem_backend_find(const char *id);               /* NULL: none of that name and kind */
