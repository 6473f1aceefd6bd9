/* Tables of names: from ELF files, System.maps and kallsyms, and what they answer. */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_main.h"
#include "linux_image.h"
#include "symbols.h"

/* ---- files ---- */

/* A name under which `bytes` can be opened, as long as *fd is open. */
static char *file_of(const void *bytes, size_t len, int *fd)
{
    *fd = memfd_create("symbols", MFD_CLOEXEC);
    ck_assert_int_eq(write(*fd, bytes, len), (ssize_t)len);
    return g_strdup_printf("/proc/self/fd/%d", *fd);
}

static SymbolTable *from_text(const char *text, GError **error)
{
    int fd;
    g_autofree char *file = file_of(text, strlen(text), &fd);
    SymbolTable *table = symbols_from_file(file, error);

    close(fd);
    return table;
}

#define MAP \
    "0000000000000000 D __per_cpu_start\n" \
    "0000000000001000 D cpu_number\n" \
    "ffffffff81000000 T _text\n" \
    "ffffffff81000000 T startup_64\n" \
    "ffffffff81000100 t local\n" \
    "ffffffff81000200 T start_kernel\n" \
    "ffffffff81000300 T local\n" \
    "ffffffff82000000 B _end\n"

static const struct { const char *text, *message; } bad_maps[] = {
    { "", "has no symbols" },
    { "nonsense\n", "line 1: 'ADDRESS TYPE NAME' expected" },
    { "10 T a\n10 Tb\n", "line 2: 'ADDRESS TYPE NAME' expected" },
    { "10 T \n", "line 1: 'ADDRESS TYPE NAME' expected" },
    { "11112222333344445 T a\n", "line 1: 'ADDRESS TYPE NAME' expected" },
    { "0 T a\n0 T b\n", "all its addresses are 0; the guest hid them (kptr_restrict)" },
    { "10 T a\1b\n", "has no symbols" },
};

START_TEST(bad_map_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(from_text(bad_maps[_i].text, &error));
    ck_assert_msg(strstr(error->message, bad_maps[_i].message) != NULL, "%s", error->message);
}
END_TEST

static const struct { uint64_t addr; const char *name; uint64_t begin; } places[] = {
    { 0x1008, NULL, 0 },                            /* an offset in a CPU's area is no address */
    { 0xffffffff80ffffff, NULL, 0 },
    { 0xffffffff81000000, "_text", 0xffffffff81000000 },
    { 0xffffffff8100000f, "_text", 0xffffffff81000000 },
    { 0xffffffff81000100, "local", 0xffffffff81000100 },
    { 0xffffffff810002ff, "start_kernel", 0xffffffff81000200 },
    { 0xffffffff8200ffff, "_end", 0xffffffff82000000 },
    { 0xffffffff82010000, NULL, 0 },                /* nothing is near */
    { UINT64_MAX, NULL, 0 },
};

START_TEST(place_row)
{
    SymbolTable *table = from_text(MAP, NULL);
    Symbol symbol = { 0 };

    ck_assert_int_eq(symbols_by_addr(table, places[_i].addr, &symbol), places[_i].name != NULL);
    ck_assert_str_eq(symbol.name ? symbol.name : "", places[_i].name ? places[_i].name : "");
    ck_assert_uint_eq(symbol.addr, places[_i].begin);
    symbols_free(table);
}
END_TEST

START_TEST(names_are_found)
{
    SymbolTable *table = from_text(MAP, NULL);
    Symbol symbol;

    ck_assert_uint_eq(symbols_count(table), 8);
    ck_assert(symbols_by_name(table, "cpu_number", &symbol));
    ck_assert_uint_eq(symbol.addr, 0x1000);
    ck_assert_int_eq(symbol.type, 'D');
    ck_assert(symbols_by_name(table, "local", &symbol));        /* the global one */
    ck_assert_uint_eq(symbol.addr, 0xffffffff81000300);
    ck_assert(!symbols_by_name(table, "loca", &symbol));
    ck_assert_str_eq(symbols_nearest(table, "start_kernle"), "start_kernel");
    ck_assert_ptr_null(symbols_nearest(table, "zzz"));
    symbols_relocate(table, 0x1e00000);
    ck_assert(symbols_by_name(table, "startup_64", &symbol));
    ck_assert_uint_eq(symbol.addr, 0xffffffff82e00000);
    ck_assert(symbols_by_name(table, "cpu_number", &symbol));
    ck_assert_uint_eq(symbol.addr, 0x1000);
    symbols_free(table);
}
END_TEST

static bool join(const Symbol *symbol, void *opaque)
{
    GString *out = opaque;

    g_string_append_printf(out, "%s ", symbol->name);
    return out->len < 24;
}

static const struct { const char *prefix, *names; } prefixes[] = {
    { "s", "start_kernel startup_64 " },
    { "start_", "start_kernel " },
    { "", "__per_cpu_start _end _text " },          /* until it has enough */
    { "loc", "local local " },
    { "zzz", "" },
};

START_TEST(prefix_row)
{
    SymbolTable *table = from_text(MAP, NULL);
    g_autoptr(GString) out = g_string_new(NULL);

    symbols_each(table, prefixes[_i].prefix, join, out);
    ck_assert_str_eq(out->str, prefixes[_i].names);
    symbols_free(table);
}
END_TEST

/* ---- ELF ---- */

typedef struct SmallElf {
    Elf64_Ehdr head;
    Elf64_Shdr sections[4];             /* null, .text, .symtab, .strtab */
    Elf64_Sym symbols[5];
    char strings[32];
} SmallElf;

static SmallElf small_elf(void)
{
    SmallElf elf = {
        .head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                  .e_shoff = offsetof(SmallElf, sections), .e_shentsize = sizeof(Elf64_Shdr),
                  .e_shnum = 4 },
        .sections = {
            [1] = { .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR },
            [2] = { .sh_type = SHT_SYMTAB, .sh_offset = offsetof(SmallElf, symbols),
                    .sh_size = sizeof(elf.symbols), .sh_entsize = sizeof(Elf64_Sym), .sh_link = 3 },
            [3] = { .sh_type = SHT_STRTAB, .sh_offset = offsetof(SmallElf, strings),
                    .sh_size = sizeof(elf.strings) },
        },
        .symbols = {
            [1] = { 1, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1, 0x1000, 0 },
            [2] = { 7, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1000, 0x20 },
            [3] = { 12, ELF64_ST_INFO(STB_LOCAL, STT_FILE), 0, SHN_ABS, 0, 0 },
            [4] = { 17, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF, 0, 0 },
        },
        .strings = "\0label\0main\0a.c\0puts",
    };

    return elf;
}

static SymbolTable *read_elf(const SmallElf *elf, size_t len, GError **error)
{
    int fd;
    g_autofree char *file = file_of(elf, len, &fd);
    SymbolTable *table = symbols_from_file(file, error);

    close(fd);
    return table;
}

START_TEST(elf_names_code)
{
    SmallElf elf = small_elf();
    SymbolTable *table = read_elf(&elf, sizeof(elf), NULL);
    Symbol symbol;

    ck_assert_uint_eq(symbols_count(table), 2);
    ck_assert(symbols_by_addr(table, 0x1004, &symbol));
    ck_assert_str_eq(symbol.name, "main");                  /* rather than a label */
    ck_assert_int_eq(symbol.type, 'T');
    ck_assert_uint_eq(symbol.size, 0x20);
    symbols_free(table);
}
END_TEST

static void no_sections(SmallElf *elf) { elf->head.e_shentsize = 0; }
static void far_sections(SmallElf *elf) { elf->head.e_shoff = UINT64_MAX - 8; }
static void big_endian(SmallElf *elf) { elf->head.e_ident[EI_DATA] = ELFDATA2MSB; }
static void huge_table(SmallElf *elf) { elf->sections[2].sh_size = UINT64_MAX; }
static void far_table(SmallElf *elf) { elf->sections[2].sh_offset = 1 << 20; }
static void odd_entries(SmallElf *elf) { elf->sections[2].sh_entsize = 1; }
static void wild_link(SmallElf *elf) { elf->sections[2].sh_link = 4; }
static void no_table(SmallElf *elf) { elf->sections[2].sh_type = SHT_NULL; }

static void wild_names(SmallElf *elf)
{
    for (size_t i = 0; i < G_N_ELEMENTS(elf->symbols); i++) {
        elf->symbols[i].st_name = UINT32_MAX - i;
    }
}

static const struct { void (*spoil)(SmallElf *elf); const char *message; } bad_elfs[] = {
    { no_sections, "it has no section headers" },
    { far_sections, "the file ends too early" },
    { big_endian, "not a little-endian ELF file" },
    { huge_table, "a symbol section is larger than the file" },
    { far_table, "the file ends too early" },
    { odd_entries, "its symbol table has an unknown form" },
    { wild_link, "its symbol table has an unknown form" },
    { no_table, "has no symbols" },
    { wild_names, "has no symbols" },
};

START_TEST(bad_elf_row)
{
    g_autoptr(GError) error = NULL;
    SmallElf elf = small_elf();

    bad_elfs[_i].spoil(&elf);
    ck_assert_ptr_null(read_elf(&elf, sizeof(elf), &error));
    ck_assert_msg(strstr(error->message, bad_elfs[_i].message) != NULL, "%s", error->message);
}
END_TEST

START_TEST(elf_may_end_anywhere)
{
    SmallElf elf = small_elf();

    for (size_t len = 4; len < offsetof(SmallElf, strings) + sizeof(elf.strings); len++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(read_elf(&elf, len, &error));
        ck_assert_ptr_nonnull(error);
    }
}
END_TEST

/* ---- kallsyms ---- */

static const ImageSymbol kernel[] = {
    { "A__per_cpu_start", 0, true },
    { "Acpu_number", 0x1c0, true },
    { "T_text", 0 },
    { "Tstart_kernel", 0x100 },
    { "tdo_one.isra.0", 0x180 },
    { "T_etext", 0x1000 },
    { "Dmodules", PUT_MODULES },
};

static const struct { ImageLayout layout; bool percpu; uint64_t moved_by, cr3; } kernels[] = {
    { LAYOUT_6_1, true, 0, 0x30000 },
    { LAYOUT_6_1, true, 0x1e00000, 0x30000 },
    { LAYOUT_6_2, true, 0, 0x30000 },
    { LAYOUT_6_4, true, 0, 0x30000 },
    { LAYOUT_6_4, false, 0x3e600000, 0x30000 },
    { LAYOUT_7, false, 0, 0x30000 },
    { LAYOUT_7, false, 0x600000, 0x30000 },
    { LAYOUT_6_4, true, 0, USER_TABLES | 0x801 },       /* in user mode, page tables isolated */
};

static LinuxImage *kernel_image(ImageLayout layout, bool percpu, uint64_t moved_by)
{
    LinuxImage *image = image_new(moved_by);
    unsigned skip = percpu ? 0 : 2;

    image_put_kallsyms(image, kernel + skip, G_N_ELEMENTS(kernel) - skip, layout, percpu);
    return image;
}

START_TEST(kallsyms_row)
{
    g_autoptr(GError) error = NULL;
    LinuxImage *image = kernel_image(kernels[_i].layout, kernels[_i].percpu, kernels[_i].moved_by);
    SymbolTable *table;
    Symbol symbol;

    image->cpu->cr3 = kernels[_i].cr3;
    table = symbols_from_kallsyms(image->cpu, &error);
    ck_assert_msg(table != NULL, "%s", error ? error->message : "");
    ck_assert_uint_eq(symbols_count(table), IMAGE_NAMES);
    ck_assert(symbols_by_name(table, "do_one.isra.0", &symbol));
    ck_assert_uint_eq(symbol.addr, image->base + 0x180);
    ck_assert_int_eq(symbol.type, 't');
    ck_assert(symbols_by_addr(table, image->base + 0x17f, &symbol));
    ck_assert_str_eq(symbol.name, "start_kernel");
    ck_assert(symbols_by_name(table, "filler_299", &symbol));
    ck_assert_uint_eq(symbol.addr, image->base + 0x10000 + 299 * 16);
    ck_assert_int_eq(symbols_by_name(table, "cpu_number", &symbol), kernels[_i].percpu);
    symbols_free(table);
    image_free(image);
}
END_TEST

/* A guest may write anything there; what is found then is a table or none. */
START_TEST(kallsyms_may_lie)
{
    LinuxImage *image = kernel_image(_i, _i != LAYOUT_7, 0);

    for (size_t at = PUT_TABLES; at < image->kallsyms_end; at += 61) {
        uint8_t *byte = image_at(image, at), was = *byte;

        *byte = ~was;
        symbols_free(symbols_from_kallsyms(image->cpu, NULL));
        *byte = was;
    }
    image_free(image);
}
END_TEST

static const char no_kallsyms[] =
    "no kallsyms in the guest's memory: not a Linux kernel, or not that far";

START_TEST(no_kernel_no_names)
{
    g_autoptr(GError) error = NULL, early = NULL;
    LinuxImage *image = image_new(0);

    ck_assert_ptr_null(symbols_from_kallsyms(image->cpu, &error));
    ck_assert_str_eq(error->message, no_kallsyms);
    image->cpu->efer = 0;
    image->cpu->cr0 = 0;
    ck_assert_ptr_null(symbols_from_kallsyms(image->cpu, &early));
    ck_assert_str_eq(early->message, no_kallsyms);
    image_free(image);
}
END_TEST

/* ---- the machine's ---- */

#define SYSTEM_MAP(end_) \
    "0000000000000000 A __per_cpu_start\n" \
    "ffffffff81000000 T _text\n" \
    "ffffffff81000240 T only_in_the_file\n" \
    "ffffffff8100" end_ " T _etext\n"

static bool load(LinuxImage *image, const char *text, GError **error)
{
    int fd;
    g_autofree char *file = file_of(text, strlen(text), &fd);
    bool ok = vm_symbols_load(&image->bare->vm, file, error);

    close(fd);
    return ok;
}

START_TEST(machine_finds_its_kernel)
{
    LinuxImage *image = kernel_image(LAYOUT_6_1, true, 0x200000);
    g_autoptr(GString) out = g_string_new(NULL);

    ck_assert(vm_symbol_print(&image->bare->vm, image->base + 0x1c0, out));
    ck_assert_str_eq(out->str, "do_one.isra.0+0x40");
    ck_assert_str_eq(vm_symbols_source(&image->bare->vm), "kallsyms");
    ck_assert(!vm_symbol_print(&image->bare->vm, 0x1c0, out));
    /* another kernel takes its place without a reset */
    memset(image_at(image, PUT_TABLES), 0, image->kallsyms_end - PUT_TABLES);
    while (vm_symbol_print(&image->bare->vm, image->base + 0x1c0, out)) {   /* is seen in 10 ms */
    }
    ck_assert_ptr_null(vm_symbols_source(&image->bare->vm));
    image_free(image);
}
END_TEST

/* Modules come and go while the guest runs; that is seen within 10 ms. */
START_TEST(modules_are_followed)
{
    LinuxImage *image = kernel_image(_i == 0 ? LAYOUT_6_1 : LAYOUT_6_4, true, 0);
    Vm *vm = &image->bare->vm;
    g_autoptr(GString) out = g_string_new(NULL);
    Symbol symbol;

    put64(image_at(image, PUT_MODULES), image->base + PUT_MODULES);
    ck_assert(!symbols_by_name(vm_symbols(vm, NULL), "fake_run", &symbol));
    image_put_module(image, _i == 0 ? 0x150 : 0x2c8, true);
    while (!symbols_by_name(vm_symbols(vm, NULL), "fake_run", &symbol)) {
    }
    ck_assert_uint_eq(symbol.addr, image->base + MODULE_CODE);
    ck_assert(vm_symbol_print(vm, image->base + MODULE_CODE + 0x104, out));
    ck_assert_str_eq(out->str, "fake_data+0x4");
    ck_assert(!symbols_by_name(vm_symbols(vm, NULL), "printk", &symbol));
    ck_assert(symbols_by_name(vm_symbols(vm, NULL), "start_kernel", &symbol));
    put64(image_at(image, PUT_MODULES), image->base + PUT_MODULES);
    while (symbols_by_name(vm_symbols(vm, NULL), "fake_run", &symbol)) {
    }
    image_free(image);
}
END_TEST

static const uint32_t module_words[] = {
    0, 0x108, 0x110, 0x118, 0x250, 0x258, 0x260, 0x268, 0x900, 0x908, 0x910, 0x918, 0x958, 0x970,
    0xb00, 0xb04,
};

/* Links, counts and pointers may be anything. */
START_TEST(modules_may_lie)
{
    static const uint64_t values[] = { 0, 1, 0xffff, UINT64_MAX, 0xffffffff8100a108,
                                       0xffffffff8105fff8, 0xffffffff90000000 };

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        LinuxImage *image = kernel_image(LAYOUT_6_1, true, 0);
        Vm *vm = &image->bare->vm;

        image_put_module(image, 0x150, false);
        put64(image_at(image, PUT_MODULES + module_words[_i]), values[i]);
        ck_assert_ptr_nonnull(vm_symbols(vm, NULL));
        ck_assert_uint_ge(symbols_count(vm_symbols(vm, NULL)), IMAGE_NAMES);
        vm_symbols_load(vm, NULL, NULL);
        image_free(image);
    }
}
END_TEST

START_TEST(file_goes_where_the_kernel_is)
{
    g_autoptr(GError) error = NULL;
    LinuxImage *image = kernel_image(LAYOUT_6_1, true, 0x200000);
    g_autoptr(GString) out = g_string_new(NULL);

    ck_assert(!load(image, SYSTEM_MAP("2000"), &error));
    ck_assert_ptr_nonnull(strstr(error->message, "is not of the kernel that runs"));
    ck_assert(load(image, SYSTEM_MAP("1000"), NULL));
    ck_assert(vm_symbol_print(&image->bare->vm, image->base + 0x250, out));
    ck_assert_str_eq(out->str, "only_in_the_file+0x10");
    ck_assert(g_str_has_prefix(vm_symbols_source(&image->bare->vm), "/proc/"));
    ck_assert(vm_symbols_load(&image->bare->vm, NULL, NULL));
    ck_assert_ptr_nonnull(vm_symbols(&image->bare->vm, NULL));
    ck_assert_str_eq(vm_symbols_source(&image->bare->vm), "kallsyms");
    image_free(image);
}
END_TEST

/* Given before its kernel runs, it does not serve another one. */
START_TEST(file_of_another_kernel_is_left_aside)
{
    LinuxImage *image = kernel_image(LAYOUT_6_1, true, 0x200000);
    Vm *vm = &image->bare->vm;
    Symbol symbol;

    image->cpu->cr3 = 0;
    ck_assert(load(image, SYSTEM_MAP("2000"), NULL));
    ck_assert(symbols_by_name(vm_symbols(vm, NULL), "only_in_the_file", &symbol));
    image->cpu->cr3 = 0x30000;
    while (symbols_by_name(vm_symbols(vm, NULL), "only_in_the_file", &symbol)) {
    }
    ck_assert_str_eq(vm_symbols_source(vm), "kallsyms");
    image_free(image);
}
END_TEST

/* After a reset the next kernel may lie elsewhere. */
START_TEST(reset_begins_anew)
{
    LinuxImage *image = kernel_image(LAYOUT_6_1, true, 0x200000);
    Vm *vm = &image->bare->vm;
    g_autoptr(GString) out = g_string_new(NULL);

    ck_assert(load(image, SYSTEM_MAP("1000"), NULL));
    ck_assert(vm_symbol_print(vm, image->base + 0x240, out));
    image->cpu->cr3 = 0;
    vm_reset(vm, SHUTDOWN_CAUSE_NONE);
    ck_assert(!vm_symbol_print(vm, image->base + 0x240, out));
    ck_assert(vm_symbol_print(vm, IMAGE_LINKED + 0x240, out));
    ck_assert_str_eq(out->str, "only_in_the_fileonly_in_the_file");
    image_free(image);
}
END_TEST

CHECK_MAIN("symbols", CASES(bad_map_row, bad_maps), CASES(place_row, places),
           CASE(names_are_found), CASES(prefix_row, prefixes), CASE(elf_names_code),
           CASES(bad_elf_row, bad_elfs), CASE(elf_may_end_anywhere), CASES(kallsyms_row, kernels),
           TIMES(kallsyms_may_lie, LAYOUT_COUNT), CASE(no_kernel_no_names),
           CASE(machine_finds_its_kernel), TIMES(modules_are_followed, 2),
           CASES(modules_may_lie, module_words), CASE(file_goes_where_the_kernel_is),
           CASE(file_of_another_kernel_is_left_aside),
           CASE(reset_begins_anew))
