/*
 * Guest page tables read from outside (monitor, loader): no A/D updates, no faults.
 * SDM volume 3A chapter 4.  vCPU standing (vcpu_sync) or the caller accepts a torn read.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "x86_cpu.h"

typedef struct PageMapping {
    uint64_t virt, phys;
    uint64_t size;                      /* 4 KiB, 2 or 4 MiB, 1 GiB */
    uint64_t entry;                     /* the last-level entry, for `info tlb` */
    bool user, writable, no_execute;    /* combined over all levels */
} PageMapping;

/* Physical address of a linear one; false: not mapped.  Identity while paging is off. */
bool x86_translate(const X86Cpu *cpu, uint64_t virt, PageMapping *mapping);

/* Every mapping in order of address, until fn returns false. */
void x86_walk_pages(const X86Cpu *cpu, bool (*fn)(const PageMapping *m, void *opaque),
                    void *opaque);

/*
 * Reads/writes linear memory through the tables, debug access (writes reach ROM). False: unmapped.
 */
bool x86_read_linear(const X86Cpu *cpu, uint64_t addr, void *buf, size_t len);
bool x86_write_linear(const X86Cpu *cpu, uint64_t addr, const void *buf, size_t len);

/* Texts of `info mem` and `info tlb`, in QEMU's layout. */
void x86_print_mem(const X86Cpu *cpu, GString *out);
void x86_print_tlb(const X86Cpu *cpu, GString *out);
