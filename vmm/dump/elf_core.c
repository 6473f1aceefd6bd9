/*
 * An ELF core file (gABI chapters 4 and 5): header, program headers, notes, memory.
 *
 * Always of class 64, as the firmware's memory ends at 4 GiB.  Each piece of memory is in the file
 * once; with paging several program headers may show it.
 */
#include <elf.h>
#include <string.h>

#include "dump_parts.h"
#include "rhea_error.h"

typedef struct Layout {
    Elf64_Ehdr header;
    Elf64_Shdr section;                 /* holds the number of program headers if that is large */
    GArray *program;                    /* Elf64_Phdr */
    bool has_section;
} Layout;

static void add_load(Layout *layout, uint64_t virt, uint64_t phys, uint64_t len, uint64_t offset)
{
    Elf64_Phdr load = { .p_type = PT_LOAD, .p_offset = offset, .p_vaddr = virt, .p_paddr = phys,
                        .p_filesz = len, .p_memsz = len };

    g_array_append_val(layout->program, load);
}

/* Offsets count from the first byte of memory in the file. */
static void add_mapped(Layout *layout, const Dump *dump, const DumpMapping *mapping)
{
    uint64_t offset = 0;

    for (guint i = 0; i < dump->ranges->len; i++) {
        const DumpRange *range = &g_array_index(dump->ranges, DumpRange, i);
        uint64_t first = MAX(mapping->phys, range->phys);
        uint64_t end = MIN(mapping->phys + mapping->len, range->phys + range->len);

        if (first < end) {
            add_load(layout, mapping->virt + (first - mapping->phys), first, end - first,
                     offset + (first - range->phys));
        }
        offset += range->len;
    }
}

static bool add_mappings(Layout *layout, const Dump *dump, GError **error)
{
    g_autoptr(GArray) mappings = dump_mappings(dump, error);

    for (guint i = 0; mappings != NULL && i < mappings->len; i++) {
        add_mapped(layout, dump, &g_array_index(mappings, DumpMapping, i));
    }
    return mappings != NULL;
}

static void add_ranges(Layout *layout, const Dump *dump)
{
    uint64_t offset = 0;

    for (guint i = 0; i < dump->ranges->len; i++) {
        const DumpRange *range = &g_array_index(dump->ranges, DumpRange, i);

        add_load(layout, range->phys, range->phys, range->len, offset);
        offset += range->len;
    }
}

/* Now that the number of program headers is known, so is where everything lies. */
static void place(Layout *layout, const Dump *dump)
{
    uint64_t offset = sizeof(Elf64_Ehdr) + layout->program->len * sizeof(Elf64_Phdr);
    Elf64_Phdr *note = &g_array_index(layout->program, Elf64_Phdr, 0);

    layout->has_section = layout->program->len >= PN_XNUM;
    if (layout->has_section) {
        layout->header.e_phnum = PN_XNUM;
        layout->header.e_shnum = 1;
        layout->header.e_shentsize = sizeof(Elf64_Shdr);
        layout->header.e_shoff = offset;
        layout->section.sh_info = layout->program->len;
        offset += sizeof(Elf64_Shdr);
    } else {
        layout->header.e_phnum = layout->program->len;
    }
    note->p_offset = offset;
    note->p_filesz = note->p_memsz = dump->notes->len;
    offset += dump->notes->len;
    for (guint i = 1; i < layout->program->len; i++) {
        g_array_index(layout->program, Elf64_Phdr, i).p_offset += offset;
    }
}

static bool lay_out(Layout *layout, const Dump *dump, GError **error)
{
    Elf64_Phdr note = { .p_type = PT_NOTE };

    layout->header = (Elf64_Ehdr){
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_CORE, .e_machine = dump->long_mode ? EM_X86_64 : EM_386,
        .e_version = EV_CURRENT, .e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
    };
    g_array_append_val(layout->program, note);
    if (!dump->options.paging) {
        add_ranges(layout, dump);
    } else if (!add_mappings(layout, dump, error)) {
        return false;
    }
    if (layout->program->len == 1) {                    /* no CPU uses paging */
        add_ranges(layout, dump);
    }
    place(layout, dump);
    return true;
}

bool elf_core_write(Dump *dump, GError **error)
{
    Layout layout = { .program = g_array_new(FALSE, FALSE, sizeof(Elf64_Phdr)) };
    bool ok = lay_out(&layout, dump, error) &&
              dump_file_write(&dump->file, &layout.header, sizeof(layout.header), error) &&
              dump_file_write(&dump->file, layout.program->data,
                              layout.program->len * sizeof(Elf64_Phdr), error) &&
              (!layout.has_section ||
               dump_file_write(&dump->file, &layout.section, sizeof(layout.section), error)) &&
              dump_file_write(&dump->file, dump->notes->data, dump->notes->len, error) &&
              dump_write_ranges(dump, error);

    g_array_unref(layout.program);
    return ok;
}
