/* ELF executables of 32 and 64 bits, reduced to what a loader needs.  Every number is checked. */
#pragma once

#include "boot.h"

enum { ELF_SEGMENTS_MAX = 64 };

typedef struct ElfSegment {
    uint32_t type;                      /* PT_LOAD, PT_NOTE, … */
    uint64_t offset, paddr, vaddr, file_bytes, memory_bytes;
} ElfSegment;

typedef struct ElfImage {
    bool wide;                          /* ELFCLASS64 */
    uint16_t machine;
    uint64_t entry;                     /* virtual */
    unsigned n_segments;
    ElfSegment segments[ELF_SEGMENTS_MAX];
} ElfImage;

bool elf_is_elf(const uint8_t *head, size_t len);
bool elf_read(const BootFile *file, ElfImage *elf, GError **error);
/* Plans every PT_LOAD at its physical address; *end is the highest byte used, plus one. */
bool elf_add_segments(BootPlan *plan, const ElfImage *elf, uint64_t *end, GError **error);
