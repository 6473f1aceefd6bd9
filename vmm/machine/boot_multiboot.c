/*
 * Multiboot (specification version 0.6.96): a header within the first 8 KiB names the load
 * addresses, or the image is a 32-bit ELF file.  -initrd takes a list of modules, "file
 * arguments,file arguments".
 * Not modelled: the video mode fields (there is no display to set), drives, APM and the ROM table.
 */
#include <elf.h>
#include <string.h>

#include "boot.h"
#include "elf_image.h"
#include "rhea_error.h"
#include "sizes.h"

#define HEADER_MAGIC        0x1badb002
#define LOADER_MAGIC        0x2badb002
#define SEARCH_BYTES        8192

#define HEADER_PAGE_ALIGN   0x00000001
#define HEADER_MEMORY_INFO  0x00000002
#define HEADER_VIDEO_MODE   0x00000004
#define HEADER_ADDRESSES    0x00010000
#define HEADER_MUST_KNOW    0x0000ffff      /* flags a loader has to understand */

#define INFO_MEMORY         0x001
#define INFO_CMDLINE        0x004
#define INFO_MODULES        0x008
#define INFO_MMAP           0x040
#define INFO_LOADER_NAME    0x200

enum { MODULES_MAX = 64 };

typedef struct MultibootHeader {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
} MultibootHeader;

typedef struct MultibootInfo {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name,
             apm_table;
} MultibootInfo;

typedef struct MultibootModule { uint32_t start, end, string, reserved; } MultibootModule;

typedef struct __attribute__((packed)) MultibootMmap {
    uint32_t size;                          /* of the rest */
    uint64_t addr, length;
    uint32_t type;
} MultibootMmap;

/* At BOOT_INFO. */
typedef struct InfoPage {
    MultibootInfo info;
    MultibootMmap mmap[E820_MAX];
    char loader_name[8];
} InfoPage;

/* Offset of the header, or -1. */
static int multiboot_find(const BootPlan *plan, MultibootHeader *header)
{
    size_t end = MIN(plan->head_bytes, SEARCH_BYTES);

    for (size_t at = 0; at + 12 <= end; at += 4) {
        memcpy(header, plan->head + at, 12);
        if (header->magic == HEADER_MAGIC &&
            header->magic + header->flags + header->checksum == 0) {
            /* `head` has zeros behind a short file. */
            memcpy(header, plan->head + at, sizeof(*header));
            return at;
        }
    }
    return -1;
}

static bool multiboot_matches(const BootPlan *plan)
{
    MultibootHeader header;

    return multiboot_find(plan, &header) >= 0;
}

/* 3.1.3: the image is copied as it lies in the file, from load_addr on. */
static bool plan_flat(BootPlan *plan, const MultibootHeader *header, unsigned at, uint64_t *end,
                      GError **error)
{
    uint64_t skip = (uint64_t)header->header_addr - header->load_addr;
    uint64_t offset = at - skip;

    if (header->load_addr > header->header_addr || skip > at) {
        set_error(error, "'%s': its multiboot header loads from before the file",
                  plan->kernel.path);
        return false;
    }
    uint64_t size = header->load_end_addr ? (uint64_t)header->load_end_addr - header->load_addr
                                          : plan->kernel.size_bytes - offset;
    uint64_t zero = header->bss_end_addr > header->load_addr + size
                    ? header->bss_end_addr - header->load_addr - size : 0;
    if (header->load_end_addr && header->load_end_addr < header->load_addr) {
        set_error(error, "'%s': its multiboot header ends before it loads", plan->kernel.path);
        return false;
    }
    *end = header->load_addr + size + zero;
    plan->entry.rip = header->entry_addr;
    return boot_add(plan, &(BootPiece){ .what = "kernel", .addr = header->load_addr,
                                        .size_bytes = size, .zero_bytes = zero,
                                        .file = &plan->kernel, .file_offset = offset }, error);
}

/* The entry point of an ELF file is virtual; the segment it lies in says where that is. */
static uint64_t physical_entry(const ElfImage *elf)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const ElfSegment *segment = &elf->segments[i];

        if (segment->type == PT_LOAD && elf->entry >= segment->vaddr &&
            elf->entry - segment->vaddr < segment->memory_bytes) {
            return segment->paddr + (elf->entry - segment->vaddr);
        }
    }
    return elf->entry;
}

static bool plan_elf(BootPlan *plan, uint64_t *end, GError **error)
{
    ElfImage elf = { 0 };

    if (!elf_is_elf(plan->head, plan->head_bytes)) {
        set_error(error, "'%s' has a multiboot header without addresses and is no ELF file",
                  plan->kernel.path);
        return false;
    }
    if (!elf_read(&plan->kernel, &elf, error)) {
        return false;
    }
    if (elf.wide) {
        set_error(error, "'%s' is a 64-bit ELF file; multiboot enters 32-bit code",
                  plan->kernel.path);
        return false;
    }
    plan->entry.rip = physical_entry(&elf);
    return elf_add_segments(plan, &elf, end, error);
}

/* ---- modules ---- */

typedef struct Modules {
    unsigned count;
    MultibootModule list[MODULES_MAX];
    GByteArray *strings;                    /* module strings, at BOOT_MODULES */
    uint64_t next;                          /* free memory above the kernel */
} Modules;

static bool add_module(BootPlan *plan, Modules *modules, const char *text, GError **error)
{
    g_autofree char *path = g_strndup(text, strcspn(text, " "));
    const BootFile *file;
    uint64_t addr = (modules->next + 0xfff) & ~UINT64_C(0xfff);

    if (modules->count >= MODULES_MAX) {
        set_error(error, "more than %d multiboot modules", MODULES_MAX);
        return false;
    }
    file = boot_open(plan, path, error);
    if (!file || !boot_add(plan, &(BootPiece){ .what = "module", .addr = addr, .file = file,
                                               .size_bytes = file->size_bytes }, error)) {
        return false;
    }
    modules->list[modules->count++] = (MultibootModule){
        .start = addr, .end = addr + file->size_bytes,
        .string = BOOT_MODULES + modules->strings->len,
    };
    modules->next = addr + file->size_bytes;
    g_byte_array_append(modules->strings, (const uint8_t *)text, strlen(text) + 1);
    return true;
}

static bool add_modules(BootPlan *plan, Modules *modules, GError **error)
{
    g_auto(GStrv) texts =
        g_strsplit(plan->vm->config.initrd ? plan->vm->config.initrd : "", ",", -1);

    for (char **text = texts; *text; text++) {
        if (!add_module(plan, modules, *text, error)) {
            return false;
        }
    }
    if (!modules->count) {
        return true;
    }
    while (modules->strings->len % 4) {
        g_byte_array_append(modules->strings, (const uint8_t *)"", 1);
    }
    uint64_t list = BOOT_MODULES + modules->strings->len;
    g_byte_array_append(modules->strings, (const uint8_t *)modules->list,
                        modules->count * sizeof(modules->list[0]));
    modules->next = list;
    return boot_add_bytes(plan, "module list", BOOT_MODULES, modules->strings->data,
                          modules->strings->len, error);
}

/* ---- information ---- */

static bool add_cmdline(BootPlan *plan, GError **error)
{
    const char *append = plan->vm->config.append;
    g_autofree char *text = g_strdup_printf("%s%s%s", plan->kernel.path, append ? " " : "",
                                            append ? append : "");

    return boot_add_cmdline(plan, text, BOOT_CMDLINE_MAX - 1, error);
}

static bool add_info(BootPlan *plan, const Modules *modules, GError **error)
{
    InfoPage page = {
        .info = {
            .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_LOADER_NAME,
            .mem_lower = BOOT_LOW_END / KIB,
            .mem_upper = (plan->high_end - BOOT_HIGH) / KIB,
            .cmdline = BOOT_CMDLINE,
            .mmap_addr = BOOT_INFO + offsetof(InfoPage, mmap),
            .mmap_length = plan->e820.count * sizeof(MultibootMmap),
            .boot_loader_name = BOOT_INFO + offsetof(InfoPage, loader_name),
        },
        .loader_name = "rhea",
    };

    if (modules->count) {
        page.info.flags |= INFO_MODULES;
        page.info.mods_count = modules->count;
        page.info.mods_addr = modules->next;
    }
    for (unsigned i = 0; i < plan->e820.count; i++) {
        const E820Entry *from = &plan->e820.entries[i];

        page.mmap[i] = (MultibootMmap){ sizeof(MultibootMmap) - 4, from->addr, from->size_bytes,
                                        from->type };
    }
    return boot_add_bytes(plan, "multiboot information", BOOT_INFO, &page, sizeof(page), error);
}

static bool multiboot_plan(BootPlan *plan, GError **error)
{
    g_autoptr(GByteArray) strings = g_byte_array_new();
    Modules modules = { .strings = strings };
    MultibootHeader header;
    int at = multiboot_find(plan, &header);
    uint64_t end;

    if (header.flags & HEADER_MUST_KNOW &
        ~(HEADER_PAGE_ALIGN | HEADER_MEMORY_INFO | HEADER_VIDEO_MODE)) {
        set_error(error, "'%s' asks for multiboot features 0x%x that are not known",
                  plan->kernel.path, header.flags & HEADER_MUST_KNOW);
        return false;
    }
    if (!(header.flags & HEADER_ADDRESSES ? plan_flat(plan, &header, at, &end, error)
                                          : plan_elf(plan, &end, error))) {
        return false;
    }
    modules.next = MAX(end, BOOT_HIGH);
    if (!add_modules(plan, &modules, error) || !add_cmdline(plan, error) ||
        !add_info(plan, &modules, error)) {
        return false;
    }
    plan->entry.rax = LOADER_MAGIC;
    plan->entry.rbx = BOOT_INFO;
    plan->entry.cs = BOOT_CS;
    plan->entry.ds = BOOT_DS;
    return true;
}

const BootFormat boot_multiboot = {
    .name = "multiboot", .matches = multiboot_matches, .plan = multiboot_plan,
};
