/*
 * Direct boot, the part all formats share: pieces of memory, the GDT and page tables, the first
 * CPU's registers.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rhea_error.h"
#include "x86_cpu.h"

#define HEAD_MAX (64 * 1024)            /* covers every header we look for */
#define PAGE 0x1000u

static const BootFormat *const boot_formats[] = { &boot_multiboot, &boot_bzimage, &boot_pvh };

/* ---- files ---- */

static bool file_open(BootFile *file, const char *path, GError **error)
{
    struct stat st;

    file->path = g_strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) < 0) {
        set_errno_error(error, errno, "could not open '%s'", path);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        set_error(error, "'%s' is not a regular file", path);
        return false;
    }
    file->size_bytes = st.st_size;
    return true;
}

static void file_close(BootFile *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    g_free(file->path);
}

static void file_free(gpointer opaque)
{
    file_close(opaque);
    g_free(opaque);
}

const BootFile *boot_open(BootPlan *plan, const char *path, GError **error)
{
    BootFile *file = g_new0(BootFile, 1);

    file->fd = -1;
    g_ptr_array_add(plan->files, file);
    return file_open(file, path, error) ? file : NULL;
}

bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
    uint8_t *out = buf;

    while (len > 0) {
        ssize_t got = pread(file->fd, out, len, offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            set_errno_error(error, errno, "cannot read '%s'", file->path);
            return false;
        }
        if (got == 0) {
            set_error(error, "'%s' is shorter than its headers say", file->path);
            return false;
        }
        out += got;
        offset += got;
        len -= got;
    }
    return true;
}

/* ---- pieces ---- */

/* RAM below 4 GiB by the map we hand out. */
static bool range_is_ram(const BootPlan *plan, uint64_t addr, uint64_t size)
{
    for (unsigned i = 0; i < plan->e820.count; i++) {
        const E820Entry *entry = &plan->e820.entries[i];

        if (entry->type == E820_RAM && addr >= entry->addr && addr < 4 * (UINT64_C(1) << 30) &&
            size <= entry->size_bytes && addr - entry->addr <= entry->size_bytes - size) {
            return true;
        }
    }
    return false;
}

static uint64_t piece_bytes(const BootPiece *piece)
{
    return piece->size_bytes + piece->zero_bytes + piece->spare_bytes;
}

static bool check_file(const BootPiece *piece, GError **error)
{
    const BootFile *file = piece->file;

    if (file && (piece->file_offset > file->size_bytes ||
                 piece->size_bytes > file->size_bytes - piece->file_offset)) {
        set_error(error, "'%s' is truncated: its headers name 0x%" G_GINT64_MODIFIER
                  "x bytes at 0x%" G_GINT64_MODIFIER "x, it has 0x%" G_GINT64_MODIFIER "x",
                  file->path, piece->size_bytes, piece->file_offset, file->size_bytes);
        return false;
    }
    return true;
}

bool boot_add(BootPlan *plan, const BootPiece *piece, GError **error)
{
    uint64_t size = piece_bytes(piece);

    if (!check_file(piece, error)) {
        return false;
    }
    if (size < piece->size_bytes || !range_is_ram(plan, piece->addr, size)) {
        set_error(error, "'%s': %s (0x%" G_GINT64_MODIFIER "x bytes at 0x%" G_GINT64_MODIFIER
                  "x) does not fit into memory", plan->kernel.path, piece->what, size, piece->addr);
        return false;
    }
    for (guint i = 0; i < plan->pieces->len; i++) {
        const BootPiece *other = &g_array_index(plan->pieces, BootPiece, i);

        if (piece->addr < other->addr + piece_bytes(other) && other->addr < piece->addr + size) {
            set_error(error, "'%s': %s (at 0x%" G_GINT64_MODIFIER "x) overlaps the %s",
                      plan->kernel.path, piece->what, piece->addr, other->what);
            return false;
        }
    }
    g_array_append_val(plan->pieces, *piece);
    return true;
}

bool boot_add_bytes(BootPlan *plan, const char *what, uint64_t addr, const void *data, size_t len,
                    GError **error)
{
    BootPiece piece = { .what = what, .addr = addr, .size_bytes = len };

    piece.bytes = g_bytes_new(data, len);
    if (boot_add(plan, &piece, error)) {
        return true;
    }
    g_bytes_unref(piece.bytes);
    return false;
}

bool boot_add_initrd(BootPlan *plan, uint64_t floor, uint64_t limit, uint64_t *addr, uint64_t *size,
                     GError **error)
{
    const char *path = plan->vm->config.initrd;

    *addr = *size = 0;
    if (!path) {
        return true;
    }
    const BootFile *file = boot_open(plan, path, error);
    if (!file) {
        return false;
    }
    if (file->size_bytes == 0) {
        return true;
    }
    uint64_t end = MIN(limit, plan->high_end);
    if (end < floor || file->size_bytes > end - floor ||
        ((end - file->size_bytes) & ~UINT64_C(0xfff)) < floor) {
        set_error(error, "initrd '%s' is too large: it has %" G_GUINT64_FORMAT " bytes, there is "
                  "room for %" G_GUINT64_FORMAT " next to the kernel", path, file->size_bytes,
                  end > floor ? end - floor : 0);
        return false;
    }
    *addr = (end - file->size_bytes) & ~UINT64_C(0xfff);
    *size = file->size_bytes;
    return boot_add(plan, &(BootPiece){ .what = "initrd", .addr = *addr, .size_bytes = *size,
                                        .file = file }, error);
}

bool boot_add_cmdline(BootPlan *plan, const char *text, size_t max, GError **error)
{
    size_t len = strlen(text);

    max = MIN(max, BOOT_CMDLINE_MAX - 1);
    if (len > max) {
        set_error(error, "the command line has %zu characters; '%s' takes %zu", len,
                  plan->kernel.path, max);
        return false;
    }
    return boot_add_bytes(plan, "command line", BOOT_CMDLINE, text, len + 1, error);
}

/* ---- what the CPU needs ---- */

/* SDM 3A 3.4.5: null, unused, code, data; all flat.  Code is 64-bit or 32-bit. */
static bool add_gdt(BootPlan *plan, GError **error)
{
    uint64_t gdt[4] = {
        0, 0,
        plan->entry.long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff),
        UINT64_C(0x00cf93000000ffff),
    };

    return boot_add_bytes(plan, "GDT", BOOT_GDT, gdt, sizeof(gdt), error);
}

/* Identity maps the first 4 GiB with 2 MiB pages. */
static bool add_page_tables(BootPlan *plan, GError **error)
{
    enum { PRESENT_WRITABLE = 3, LARGE = 0x80, TABLES = 6, ENTRIES = 512 };
    g_autofree uint64_t *pages = g_new0(uint64_t, TABLES * ENTRIES);

    pages[0] = (BOOT_PAGES + PAGE) | PRESENT_WRITABLE;
    for (unsigned i = 0; i < 4; i++) {
        pages[ENTRIES + i] = (BOOT_PAGES + (2 + i) * PAGE) | PRESENT_WRITABLE;
    }
    for (uint64_t i = 0; i < 4 * ENTRIES; i++) {
        pages[2 * ENTRIES + i] = i << 21 | PRESENT_WRITABLE | LARGE;
    }
    return boot_add_bytes(plan, "page tables", BOOT_PAGES, pages, TABLES * PAGE, error);
}

static X86Seg flat_segment(uint16_t selector, uint16_t attr)
{
    return (X86Seg){ .selector = selector, .attr = attr, .limit = UINT32_MAX };
}

void boot_plan_enter(BootPlan *plan)
{
    const BootEntry *entry = &plan->entry;
    X86Cpu *cpu = g_ptr_array_index(plan->vm->cpus, 0);
    uint16_t code = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_G | 0xb |
                    (entry->long_mode ? SEG_ATTR_L : SEG_ATTR_DB);
    uint16_t data = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_G | SEG_ATTR_DB | 0x3;

    cpu->seg[SEG_CS] = flat_segment(entry->cs, code);
    for (int seg = 0; seg < SEG_COUNT; seg++) {
        if (seg != SEG_CS) {
            cpu->seg[seg] = flat_segment(entry->ds, data);
        }
    }
    cpu->gdt = (X86Table){ BOOT_GDT, 31 };
    cpu->idt = (X86Table){ 0, 0 };
    cpu->tr = (X86Seg){ .attr = SEG_ATTR_P | 0xb, .limit = 0x67 };      /* busy 32-bit TSS */
    cpu->cr0 = CR0_PE | CR0_ET;
    if (entry->long_mode) {
        cpu->cr4 = CR4_PAE;
        cpu->cr3 = BOOT_PAGES;
        cpu->efer = EFER_LME | EFER_LMA;
        cpu->cr0 |= CR0_PG;
    }
    cpu->rflags = RFLAGS_FIXED;
    cpu->rip = entry->rip;
    cpu->gpr[R_RAX] = entry->rax;
    cpu->gpr[R_RBX] = entry->rbx;
    cpu->gpr[R_RSI] = entry->rsi;
    cpu->gpr[R_RSP] = BOOT_LOW_END - 16;
    x86_update_mode(cpu);
    cpu->state_changed = true;
}

/* ---- loading ---- */

/* Loads what lies `done` bytes into the piece and in one RAM block; *len is cut to that. */
static bool load_part(const BootPlan *plan, const BootPiece *piece, uint64_t done, uint64_t *len,
                      GError **error)
{
    uint64_t at, left = done < piece->size_bytes ? piece->size_bytes - done : 0;
    RamBlock *ram = mem_region_ram_at(plan->vm->ram_region, piece->addr + done, &at);

    *len = MIN(left != 0 ? left : *len, ram->size_bytes - at);
    if (left == 0) {
        /* Fresh memory is zero already; writing it would only make the host commit it. */
        if (plan->loaded_before) {
            memset(ram->host + at, 0, *len);
        }
    } else if (piece->bytes) {
        memcpy(ram->host + at, (const uint8_t *)g_bytes_get_data(piece->bytes, NULL) + done, *len);
    } else if (!boot_file_read(piece->file, piece->file_offset + done, ram->host + at, *len,
                               error)) {
        return false;
    }
    ram_mark_dirty(ram, at, *len);
    return true;
}

static bool piece_load(const BootPlan *plan, const BootPiece *piece, GError **error)
{
    uint64_t total = piece->size_bytes + piece->zero_bytes;

    for (uint64_t done = 0, len; done < total; done += len) {
        len = total - done;
        if (!load_part(plan, piece, done, &len, error)) {
            return false;
        }
    }
    return true;
}

bool boot_plan_load(BootPlan *plan, GError **error)
{
    for (guint i = 0; i < plan->pieces->len; i++) {
        if (!piece_load(plan, &g_array_index(plan->pieces, BootPiece, i), error)) {
            return false;
        }
    }
    plan->loaded_before = true;
    return true;
}

/* ---- planning ---- */

static bool plan_read_head(BootPlan *plan, GError **error)
{
    plan->head_bytes = MIN(plan->kernel.size_bytes, HEAD_MAX);
    plan->head = g_malloc0(HEAD_MAX);
    return boot_file_read(&plan->kernel, 0, plan->head, plan->head_bytes, error);
}

static bool plan_format(BootPlan *plan, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(boot_formats); i++) {
        if (boot_formats[i]->matches(plan)) {
            return boot_formats[i]->plan(plan, error);
        }
    }
    set_error(error, "'%s' is no kernel image that can be booted", plan->kernel.path);
    error_add_hint(error, "expected: a Linux bzImage, an ELF file with a PVH entry note, or a "
                   "multiboot image");
    return false;
}

static uint64_t end_of_high_ram(const E820Map *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (map->entries[i].addr == BOOT_HIGH && map->entries[i].type == E820_RAM) {
            return map->entries[i].addr + map->entries[i].size_bytes;
        }
    }
    return BOOT_HIGH;
}

BootPlan *boot_plan_new(Vm *vm, const E820Map *e820, uint64_t rsdp_addr, GError **error)
{
    BootPlan *plan = g_new0(BootPlan, 1);

    plan->vm = vm;
    plan->kernel.fd = -1;
    plan->pieces = g_array_new(FALSE, FALSE, sizeof(BootPiece));
    plan->files = g_ptr_array_new_with_free_func(file_free);
    plan->e820 = *e820;
    plan->rsdp_addr = rsdp_addr;
    plan->high_end = end_of_high_ram(e820);
    if (file_open(&plan->kernel, vm->config.kernel, error) && plan_read_head(plan, error) &&
        plan_format(plan, error) && add_gdt(plan, error) &&
        (!plan->entry.long_mode || add_page_tables(plan, error))) {
        return plan;
    }
    boot_plan_free(plan);
    return NULL;
}

void boot_plan_free(BootPlan *plan)
{
    if (!plan) {
        return;
    }
    for (guint i = 0; i < plan->pieces->len; i++) {
        BootPiece *piece = &g_array_index(plan->pieces, BootPiece, i);

        g_clear_pointer(&piece->bytes, g_bytes_unref);
    }
    g_array_unref(plan->pieces);
    g_ptr_array_unref(plan->files);
    file_close(&plan->kernel);
    g_free(plan->head);
    g_free(plan);
}
