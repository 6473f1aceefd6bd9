/* The parts of a dump, for the files of this folder.  All run on the worker unless they say so. */
#pragma once

#include "guest_dump.h"
#include "x86_cpu.h"

/* Physical memory with something in it. */
typedef struct DumpRange { uint64_t phys, len; const uint8_t *host; } DumpRange;

/* How a piece of physical memory is seen. */
typedef struct DumpMapping { uint64_t virt, phys, len; } DumpMapping;

/* The file: written front to back, so that it may be a pipe. */
typedef struct DumpFile {
    int fd;
    const int *cancel;                  /* atomic: give up */
} DumpFile;
bool dump_file_write(DumpFile *file, const void *buf, size_t len, GError **error);

typedef struct Dump {
    Vm *vm;
    GuestDumpOptions options;
    DumpFile file;
    GArray *ranges;                     /* DumpRange, by address, none overlapping */
    GByteArray *notes;                  /* the registers, as ELF notes */
    bool long_mode;                     /* of the first CPU: which machine the file is of */
    uint64_t total;                     /* bytes in `ranges` */
    uint64_t completed;                 /* atomic */
} Dump;

/* Main thread.  RAM and ROM inside the limits. */
GArray *dump_ranges(Vm *vm, const GuestDumpOptions *options);
/* DumpMapping, by virtual address; NULL: too many, or no CPU uses paging. */
GArray *dump_mappings(const Dump *dump, GError **error);
/* Main thread.  CPUs are synced. */
GByteArray *dump_notes(Vm *vm, bool long_mode);
bool dump_write_ranges(Dump *dump, GError **error);           /* every range, one behind the other */
bool elf_core_write(Dump *dump, GError **error);
