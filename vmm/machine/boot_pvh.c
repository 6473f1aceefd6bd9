/*
 * PVH: an ELF file with a note that names a 32-bit entry point (Xen documentation: "x86/HVM direct
 * boot ABI").  Linux's vmlinux has one with CONFIG_PVH.
 */
#include <elf.h>
#include <string.h>

#include "boot.h"
#include "elf_image.h"
#include "rhea_error.h"

#define PHYS32_ENTRY_NOTE   18          /* XEN_ELFNOTE_PHYS32_ENTRY */
#define NOTES_MAX           (64 * 1024)
#define START_INFO_MAGIC    0x336ec578

typedef struct StartInfo {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
} StartInfo;
G_STATIC_ASSERT(sizeof(StartInfo) == 56);

typedef struct StartModule { uint64_t addr, size_bytes, cmdline, reserved; } StartModule;
typedef struct StartMemory { uint64_t addr, size_bytes; uint32_t type, reserved; } StartMemory;

/* All of it, one behind the other at BOOT_INFO. */
typedef struct StartPage {
    StartInfo info;
    StartModule module;
    StartMemory memory[E820_MAX];
} StartPage;

static bool pvh_matches(const BootPlan *plan)
{
    return elf_is_elf(plan->head, plan->head_bytes);
}

static uint64_t note_align(uint64_t value)
{
    return (value + 3) & ~UINT64_C(3);
}

/* Looks for the entry note in `len` bytes of notes; 0: not there. */
static uint64_t notes_find_entry(const uint8_t *notes, uint64_t len)
{
    uint64_t at = 0;

    while (len - at >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr note;
        uint64_t name, desc;

        memcpy(&note, notes + at, sizeof(note));
        name = at + sizeof(note);
        desc = name + note_align(note.n_namesz);
        if (desc > len || note.n_descsz > len - desc) {
            break;
        }
        if (note.n_type == PHYS32_ENTRY_NOTE && note.n_namesz == 4 &&
            memcmp(notes + name, "Xen", 4) == 0 && (note.n_descsz == 4 || note.n_descsz == 8)) {
            uint64_t entry = 0;

            memcpy(&entry, notes + desc, note.n_descsz);
            return entry;
        }
        at = desc + note_align(note.n_descsz);
        if (at > len) {
            break;
        }
    }
    return 0;
}

static bool pvh_entry(BootPlan *plan, const ElfImage *elf, uint64_t *entry, GError **error)
{
    *entry = 0;
    for (unsigned i = 0; i < elf->n_segments && !*entry; i++) {
        const ElfSegment *segment = &elf->segments[i];
        uint64_t len = MIN(segment->file_bytes, NOTES_MAX);

        if (segment->type == PT_NOTE && len && segment->offset < plan->kernel.size_bytes) {
            g_autofree uint8_t *notes = g_malloc(len);

            if (!boot_file_read(&plan->kernel, segment->offset, notes, len, error)) {
                return false;
            }
            *entry = notes_find_entry(notes, len);
        }
    }
    if (!*entry || *entry > UINT32_MAX) {
        set_error(error, "'%s' is an ELF file without a PVH entry note", plan->kernel.path);
        error_add_hint(error, "a Linux vmlinux needs CONFIG_PVH; other kernels a multiboot header");
        return false;
    }
    return true;
}

static bool pvh_start_info(BootPlan *plan, uint64_t initrd, uint64_t initrd_bytes, GError **error)
{
    StartPage page = {
        .info = {
            .magic = START_INFO_MAGIC, .version = 1, .cmdline = BOOT_CMDLINE,
            .rsdp = plan->rsdp_addr,
            .memmap = BOOT_INFO + offsetof(StartPage, memory),
            .memmap_entries = plan->e820.count,
        },
    };

    if (initrd_bytes) {
        page.info.n_modules = 1;
        page.info.modules = BOOT_INFO + offsetof(StartPage, module);
        page.module = (StartModule){ .addr = initrd, .size_bytes = initrd_bytes };
    }
    for (unsigned i = 0; i < plan->e820.count; i++) {
        const E820Entry *from = &plan->e820.entries[i];

        page.memory[i] = (StartMemory){ from->addr, from->size_bytes, from->type, 0 };
    }
    return boot_add_bytes(plan, "start info", BOOT_INFO, &page, sizeof(page), error);
}

static bool pvh_plan(BootPlan *plan, GError **error)
{
    const char *cmdline = plan->vm->config.append ? plan->vm->config.append : "";
    ElfImage elf = { 0 };
    uint64_t entry, end, initrd, initrd_bytes;

    if (!elf_read(&plan->kernel, &elf, error) || !pvh_entry(plan, &elf, &entry, error) ||
        !elf_add_segments(plan, &elf, &end, error) ||
        !boot_add_initrd(plan, MAX(end, BOOT_HIGH), UINT64_C(1) << 32, &initrd, &initrd_bytes,
                         error) ||
        !boot_add_cmdline(plan, cmdline, BOOT_CMDLINE_MAX - 1, error) ||
        !pvh_start_info(plan, initrd, initrd_bytes, error)) {
        return false;
    }
    plan->entry = (BootEntry){ .rip = entry, .rbx = BOOT_INFO, .cs = BOOT_CS, .ds = BOOT_DS };
    return true;
}

const BootFormat boot_pvh = { .name = "PVH ELF", .matches = pvh_matches, .plan = pvh_plan };
