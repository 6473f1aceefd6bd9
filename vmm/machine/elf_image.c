#include "elf_image.h"

#include <elf.h>
#include <string.h>

#include "rhea_error.h"

bool elf_is_elf(const uint8_t *head, size_t len)
{
    return len >= EI_NIDENT && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static bool elf_bad(const BootFile *file, const char *why, GError **error)
{
    set_error(error, "'%s' is not a bootable ELF file: %s", file->path, why);
    return false;
}

static ElfSegment segment_from_32(const Elf32_Phdr *ph)
{
    return (ElfSegment){ ph->p_type, ph->p_offset, ph->p_paddr, ph->p_vaddr, ph->p_filesz,
                         ph->p_memsz };
}

static ElfSegment segment_from_64(const Elf64_Phdr *ph)
{
    return (ElfSegment){ ph->p_type, ph->p_offset, ph->p_paddr, ph->p_vaddr, ph->p_filesz,
                         ph->p_memsz };
}

/* Where the program headers are. */
typedef struct HeaderTable {
    uint64_t offset;
    uint16_t count, entry_bytes;
} HeaderTable;

static bool elf_read_header(const BootFile *file, ElfImage *elf, HeaderTable *table, GError **error)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;

    if (!boot_file_read(file, 0, &narrow, sizeof(narrow), error)) {
        return false;
    }
    elf->wide = narrow.e_ident[EI_CLASS] == ELFCLASS64;
    if (narrow.e_ident[EI_DATA] != ELFDATA2LSB) {
        return elf_bad(file, "it is big endian", error);
    }
    if (elf->wide) {
        if (!boot_file_read(file, 0, &wide, sizeof(wide), error)) {
            return false;
        }
        elf->machine = wide.e_machine;
        elf->entry = wide.e_entry;
        *table = (HeaderTable){ wide.e_phoff, wide.e_phnum, wide.e_phentsize };
    } else {
        elf->machine = narrow.e_machine;
        elf->entry = narrow.e_entry;
        *table = (HeaderTable){ narrow.e_phoff, narrow.e_phnum, narrow.e_phentsize };
    }
    if (elf->machine != EM_386 && elf->machine != EM_X86_64) {
        return elf_bad(file, "it is for another machine", error);
    }
    return true;
}

bool elf_read(const BootFile *file, ElfImage *elf, GError **error)
{
    HeaderTable table;

    if (!elf_read_header(file, elf, &table, error)) {
        return false;
    }
    size_t needed = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (table.count == 0 || table.count > ELF_SEGMENTS_MAX || table.entry_bytes < needed) {
        return elf_bad(file, "no program headers, or too many", error);
    }
    for (unsigned i = 0; i < table.count; i++) {
        uint64_t at = table.offset + (uint64_t)i * table.entry_bytes;
        Elf64_Phdr wide;
        Elf32_Phdr narrow;

        if (at < table.offset || at > file->size_bytes) {
            return elf_bad(file, "its program headers lie outside the file", error);
        }
        if (!boot_file_read(file, at, elf->wide ? (void *)&wide : (void *)&narrow, needed, error)) {
            return false;
        }
        elf->segments[i] = elf->wide ? segment_from_64(&wide) : segment_from_32(&narrow);
    }
    elf->n_segments = table.count;
    return true;
}

bool elf_add_segments(BootPlan *plan, const ElfImage *elf, uint64_t *end, GError **error)
{
    *end = 0;
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const ElfSegment *segment = &elf->segments[i];

        if (segment->type != PT_LOAD || segment->memory_bytes == 0) {
            continue;
        }
        if (segment->memory_bytes < segment->file_bytes) {
            return elf_bad(&plan->kernel, "a segment is larger in the file than in memory", error);
        }
        BootPiece piece = {
            .what = "ELF segment", .addr = segment->paddr, .size_bytes = segment->file_bytes,
            .zero_bytes = segment->memory_bytes - segment->file_bytes,
            .file = &plan->kernel, .file_offset = segment->offset,
        };
        if (!boot_add(plan, &piece, error)) {
            return false;
        }
        *end = MAX(*end, segment->paddr + segment->memory_bytes);
    }
    if (*end == 0) {
        return elf_bad(&plan->kernel, "it has nothing to load", error);
    }
    return true;
}
