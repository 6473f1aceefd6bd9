#include <elf.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "check_main.h"
#include "lock.h"
#include "x86_cpu.h"

#define RAM (32u * 1024 * 1024)
#define HIGH_END (RAM - 0x10000)

static Vm vm;
static MemRegion ram;
static X86Cpu cpu;
static char path[] = "/tmp/rhea-boot-XXXXXX", initrd_path[] = "/tmp/rhea-initrd-XXXXXX";

static void write_file(char *name, const void *data, size_t len)
{
    int fd = g_mkstemp(name);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), len);
    close(fd);
}

static void setup(const void *image, size_t len)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), NULL);
    ck_assert(mem_region_init_ram(&ram, NULL, "pc.ram", RAM, NULL));
    vm.ram_region = &ram;
    vm.ram_below_4g = RAM;
    memset(&cpu, 0, sizeof(cpu));
    cpu.vm = &vm;
    g_ptr_array_add(vm.cpus, &cpu);
    write_file(path, image, len);
    vm.config.kernel = g_strdup(path);
}

static BootPlan *plan(GError **error)
{
    E820Map map = { 0 };

    e820_add(&map, 0, BOOT_LOW_END, E820_RAM);
    e820_add(&map, BOOT_HIGH, HIGH_END, E820_RAM);
    e820_add(&map, HIGH_END, RAM, E820_RESERVED);
    BootPlan *made = boot_plan_new(&vm, &map, 0xff000, error);
    g_unlink(path);
    return made;
}

static uint8_t *guest(uint64_t addr)
{
    return ram.ram->host + addr;
}

static void boot(BootPlan *made)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(boot_plan_load(made, &error), "%s", error ? error->message : "");
    boot_plan_enter(made);
}

static void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

/* ---- bzImage ---- */

#define BZ_SETUP 1024
#define BZ_SIZE (BZ_SETUP + 4096)

static uint8_t bz[BZ_SIZE];

static void make_bzimage(void)
{
    memset(bz, 0, sizeof(bz));
    bz[0x1f1] = BZ_SETUP / 512 - 1;
    put16(bz + 0x1fe, 0xaa55);
    bz[0x201] = 0x66;
    memcpy(bz + 0x202, "HdrS", 4);
    put16(bz + 0x206, 0x20f);
    bz[0x211] = 1;                      /* loads above 1 MiB */
    put32(bz + 0x22c, 0x7fffffff);
    bz[0x234] = 1;                      /* relocatable */
    put16(bz + 0x236, 1);               /* 64-bit entry */
    put32(bz + 0x238, 255);
    put64(bz + 0x258, 0x1000000);
    put32(bz + 0x260, 0x100000);
    memset(bz + BZ_SETUP, 0x90, 4096);
}

START_TEST(bzimage_is_entered_in_long_mode)
{
    g_autoptr(GError) error = NULL;
    BootPlan *made;
    uint32_t initrd;

    make_bzimage();
    setup(bz, sizeof(bz));
    write_file(initrd_path, "cpio!", 5);
    vm.config.initrd = g_strdup(initrd_path);
    vm.config.append = g_strdup("console=ttyS0");
    made = plan(&error);
    g_unlink(initrd_path);
    ck_assert_msg(made != NULL, "%s", error ? error->message : "");
    boot(made);
    ck_assert_uint_eq(cpu.rip, 0x1000200);
    ck_assert_uint_eq(cpu.gpr[R_RSI], BOOT_INFO);
    ck_assert_uint_eq(cpu.mode & (CPU_MODE_LMA | CPU_MODE_CS64 | CPU_MODE_PG),
                      CPU_MODE_LMA | CPU_MODE_CS64 | CPU_MODE_PG);
    ck_assert_uint_eq(cpu.seg[SEG_CS].selector, 0x10);
    ck_assert_uint_eq(cpu.seg[SEG_SS].selector, 0x18);
    ck_assert_uint_eq(*guest(0x1000000), 0x90);
    ck_assert_mem_eq(guest(BOOT_INFO + 0x202), "HdrS", 4);
    ck_assert_uint_eq(*guest(BOOT_INFO + 0x1e8), 3);
    ck_assert_str_eq((char *)guest(BOOT_CMDLINE), "console=ttyS0");
    memcpy(&initrd, guest(BOOT_INFO + 0x218), 4);
    ck_assert_uint_eq(initrd, (HIGH_END - 5) & ~0xfffu);
    ck_assert_mem_eq(guest(initrd), "cpio!", 5);
    memset(guest(0x1000000), 0, 4096);              /* a reset carries it out again */
    boot(made);
    ck_assert_uint_eq(*guest(0x1000fff), 0x90);
    boot_plan_free(made);
}
END_TEST

START_TEST(identity_map_covers_four_gib)
{
    BootPlan *made;
    uint64_t entry;

    make_bzimage();
    setup(bz, sizeof(bz));
    made = plan(NULL);
    boot(made);
    for (uint64_t gib = 0; gib < 4; gib++) {
        memcpy(&entry, guest(BOOT_PAGES + 0x1000 + 8 * gib), 8);
        ck_assert_uint_eq(entry & 3, 3);
        memcpy(&entry, guest((entry & ~UINT64_C(0xfff)) + 8 * 511), 8);
        ck_assert_uint_eq(entry, ((gib << 30) + (UINT64_C(511) << 21)) | 0x83);
    }
    boot_plan_free(made);
}
END_TEST

static void bz_old(void) { put16(bz + 0x206, 0x200); }
static void bz_low(void) { bz[0x211] = 0; }
static void bz_truncated(void) { bz[0x1f1] = 200; }
static void bz_not_relocatable(void) { bz[0x234] = 0; }
static void bz_too_big(void) { put32(bz + 0x260, RAM); }
static void bz_above_ram(void) { put64(bz + 0x258, UINT64_C(1) << 40); }
static void bz_short_cmdline(void) { put32(bz + 0x238, 3); }
static void bz_32_bit(void) { put16(bz + 0x236, 0); }
static void bz_no_magic(void) { bz[0x202] = 0; }
static void bz_hostile_jump(void) { bz[0x201] = 0xff; }

static const struct { void (*spoil)(void); uint64_t rip; const char *message; } bz_rows[] = {
    { bz_old, 0, "needs a BIOS" },
    { bz_low, 0, "needs a BIOS" },
    { bz_truncated, 0, "truncated" },
    { bz_not_relocatable, 0x100200, NULL },
    { bz_too_big, 0, "does not fit into memory" },
    { bz_above_ram, 0, "does not fit into memory" },
    { bz_short_cmdline, 0, "the command line has 4 characters" },
    { bz_32_bit, 0x1000000, NULL },
    { bz_no_magic, 0, "no kernel image" },
    { bz_hostile_jump, 0x1000200, NULL },
};

START_TEST(bzimage_row)
{
    g_autoptr(GError) error = NULL;
    BootPlan *made;

    make_bzimage();
    bz_rows[_i].spoil();
    setup(bz, sizeof(bz));
    vm.config.append = g_strdup("root");
    made = plan(&error);
    if (bz_rows[_i].message) {
        ck_assert_ptr_null(made);
        ck_assert_msg(strstr(error->message, bz_rows[_i].message) != NULL, "%s", error->message);
        return;
    }
    ck_assert_msg(made != NULL, "%s", error ? error->message : "");
    boot(made);
    ck_assert_uint_eq(cpu.rip, bz_rows[_i].rip);
    boot_plan_free(made);
}
END_TEST

START_TEST(an_initrd_that_does_not_fit_is_refused)
{
    g_autoptr(GError) error = NULL;

    make_bzimage();
    setup(bz, sizeof(bz));
    write_file(initrd_path, "x", 1);
    ck_assert_int_eq(truncate(initrd_path, RAM), 0);
    vm.config.initrd = g_strdup(initrd_path);
    ck_assert_ptr_null(plan(&error));
    g_unlink(initrd_path);
    ck_assert_msg(strstr(error->message, "is too large") != NULL, "%s", error->message);
}
END_TEST

/* ---- ELF: PVH and multiboot ---- */

static uint8_t elf[0x2000];

static void make_elf(void)
{
    Elf64_Ehdr *eh = (Elf64_Ehdr *)elf;
    Elf64_Phdr *ph = (Elf64_Phdr *)(elf + 64);

    memset(elf, 0, sizeof(elf));
    memcpy(eh->e_ident, ELFMAG, SELFMAG);
    eh->e_ident[EI_CLASS] = ELFCLASS64;
    eh->e_ident[EI_DATA] = ELFDATA2LSB;
    eh->e_machine = EM_X86_64;
    eh->e_phoff = 64;
    eh->e_phentsize = sizeof(*ph);
    eh->e_phnum = 2;
    ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x200000,
                          .p_vaddr = 0xffffffff80200000, .p_filesz = 0x800, .p_memsz = 0x2000 };
    ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x800, .p_filesz = 40 };
    put32(elf + 0x800, 4);              /* some other note first */
    put32(elf + 0x804, 4);
    put32(elf + 0x808, 1);
    memcpy(elf + 0x80c, "GNU", 4);
    put32(elf + 0x814, 4);
    put32(elf + 0x818, 4);
    put32(elf + 0x81c, 18);
    memcpy(elf + 0x820, "Xen", 4);
    put32(elf + 0x824, 0x200010);
    memset(elf + 0x1000, 0x90, 0x800);
}

START_TEST(pvh_is_entered_in_flat_32_bit_mode)
{
    g_autoptr(GError) error = NULL;
    BootPlan *made;
    uint64_t memmap;

    make_elf();
    setup(elf, sizeof(elf));
    made = plan(&error);
    ck_assert_msg(made != NULL, "%s", error ? error->message : "");
    boot(made);
    ck_assert_uint_eq(cpu.rip, 0x200010);
    ck_assert_uint_eq(cpu.gpr[R_RBX], BOOT_INFO);
    ck_assert_uint_eq(cpu.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    ck_assert_uint_eq(cpu.mode & (CPU_MODE_CS32 | CPU_MODE_LMA), CPU_MODE_CS32);
    ck_assert_mem_eq(guest(BOOT_INFO), "\x78\xc5\x6e\x33", 4);
    memcpy(&memmap, guest(BOOT_INFO + 40), 8);
    memcpy(&memmap, guest(memmap + 24 + 8), 8);     /* size of the second range */
    ck_assert_uint_eq(memmap, HIGH_END - BOOT_HIGH);
    memset(guest(0x200800), 0xff, 0x1800);          /* what the kernel left in its bss */
    boot(made);
    ck_assert_uint_eq(*guest(0x200800), 0);
    ck_assert_uint_eq(*guest(0x201fff), 0);
    boot_plan_free(made);
}
END_TEST

static void elf_no_note(void) { put32(elf + 0x81c, 17); }
static void elf_huge_note(void) { put32(elf + 0x800, 0xffffffff); }
static void elf_note_outside(void) { put64(elf + 64 + 56 + 8, UINT64_MAX - 3); }
static void elf_other_machine(void) { put16(elf + 18, EM_ARM); }
static void elf_big_endian(void) { elf[EI_DATA] = ELFDATA2MSB; }
static void elf_no_headers(void) { put16(elf + 56, 0); }
static void elf_many_headers(void) { put16(elf + 56, 0xffff); }
static void elf_headers_outside(void) { put64(elf + 32, UINT64_MAX - 8); }
static void elf_truncated_segment(void)
{
    put64(elf + 64 + 32, 0x100000);
    put64(elf + 64 + 40, 0x100000);
}
static void elf_offset_outside(void) { put64(elf + 64 + 8, UINT64_MAX); }
static void elf_shrinks(void) { put64(elf + 64 + 40, 1); }
static void elf_in_the_hole(void) { put64(elf + 64 + 24, 0xa0000); }
static void elf_wraps(void) { put64(elf + 64 + 40, UINT64_MAX); }
static void elf_over_info(void) { put64(elf + 64 + 24, BOOT_INFO - 0x800); }

static const struct { void (*spoil)(void); const char *message; } elf_rows[] = {
    { elf_no_note, "without a PVH entry note" },
    { elf_huge_note, "without a PVH entry note" },
    { elf_note_outside, "without a PVH entry note" },
    { elf_other_machine, "for another machine" },
    { elf_big_endian, "big endian" },
    { elf_no_headers, "no program headers" },
    { elf_many_headers, "no program headers, or too many" },
    { elf_headers_outside, "outside the file" },
    { elf_truncated_segment, "truncated" },
    { elf_offset_outside, "truncated" },
    { elf_shrinks, "larger in the file than in memory" },
    { elf_in_the_hole, "does not fit into memory" },
    { elf_wraps, "does not fit into memory" },
    { elf_over_info, "overlaps" },
};

START_TEST(elf_row)
{
    g_autoptr(GError) error = NULL;

    make_elf();
    elf_rows[_i].spoil();
    setup(elf, sizeof(elf));
    ck_assert_ptr_null(plan(&error));
    ck_assert_msg(strstr(error->message, elf_rows[_i].message) != NULL, "%s", error->message);
}
END_TEST

static uint8_t mb[0x1000];

static void make_multiboot(uint32_t flags)
{
    memset(mb, 0, sizeof(mb));
    put32(mb + 0x100, 0x1badb002);
    put32(mb + 0x104, flags);
    put32(mb + 0x108, -(0x1badb002 + flags));
    put32(mb + 0x10c, 0x100100);        /* header */
    put32(mb + 0x110, 0x100080);        /* load: skips 0x80 bytes of the file */
    put32(mb + 0x114, 0x100800);
    put32(mb + 0x118, 0x101000);
    put32(mb + 0x11c, 0x100200);
    mb[0x80] = 0x77;
}

START_TEST(multiboot_image_with_modules)
{
    g_autoptr(GError) error = NULL;
    BootPlan *made;
    uint32_t list, module[4];

    make_multiboot(0x10003);
    setup(mb, sizeof(mb));
    write_file(initrd_path, "module", 6);
    vm.config.initrd = g_strdup_printf("%s one two,%s", initrd_path, initrd_path);
    vm.config.append = g_strdup("arg");
    made = plan(&error);
    g_unlink(initrd_path);
    ck_assert_msg(made != NULL, "%s", error ? error->message : "");
    boot(made);
    ck_assert_uint_eq(cpu.gpr[R_RAX], 0x2badb002);
    ck_assert_uint_eq(cpu.rip, 0x100200);
    ck_assert_uint_eq(*guest(0x100080), 0x77);
    ck_assert(g_str_has_suffix((char *)guest(BOOT_CMDLINE), " arg"));
    ck_assert_uint_eq(*guest(BOOT_INFO + 20), 2);
    memcpy(&list, guest(BOOT_INFO + 24), 4);
    memcpy(module, guest(list), sizeof(module));
    ck_assert_uint_eq(module[0], 0x101000);
    ck_assert_uint_eq(module[1], 0x101006);
    ck_assert(g_str_has_suffix((char *)guest(module[2]), " one two"));
    ck_assert_mem_eq(guest(0x102000), "module", 6);
    boot_plan_free(made);
}
END_TEST

static void mb_load_after_header(void) { put32(mb + 0x110, 0x100200); }
static void mb_before_file(void) { put32(mb + 0x110, 0x10000); }
static void mb_end_before_load(void) { put32(mb + 0x114, 0x1000); }
static void mb_too_long(void) { put32(mb + 0x114, 0x110000); }

static const struct { uint32_t flags; void (*spoil)(void); const char *message; } mb_rows[] = {
    { 0x10008, NULL, "features 0x8" },
    { 0x3, NULL, "is no ELF file" },
    { 0x10000, mb_load_after_header, "before the file" },
    { 0x10000, mb_before_file, "before the file" },
    { 0x10000, mb_end_before_load, "ends before it loads" },
    { 0x10000, mb_too_long, "truncated" },
};

START_TEST(multiboot_row)
{
    g_autoptr(GError) error = NULL;

    make_multiboot(mb_rows[_i].flags);
    if (mb_rows[_i].spoil) {
        mb_rows[_i].spoil();
    }
    setup(mb, sizeof(mb));
    ck_assert_ptr_null(plan(&error));
    ck_assert_msg(strstr(error->message, mb_rows[_i].message) != NULL, "%s", error->message);
}
END_TEST

START_TEST(no_file_and_empty_file)
{
    g_autoptr(GError) missing = NULL, empty = NULL;

    setup("", 0);
    ck_assert_ptr_null(plan(&empty));
    ck_assert_msg(strstr(empty->message, "no kernel image") != NULL, "%s", empty->message);
    ck_assert_ptr_null(plan(&missing));                 /* plan() removed it */
    ck_assert_msg(strstr(missing->message, "could not open") != NULL, "%s", missing->message);
}
END_TEST

CHECK_MAIN("machine/boot",
           CASE(bzimage_is_entered_in_long_mode),
           CASE(identity_map_covers_four_gib),
           CASES(bzimage_row, bz_rows),
           CASE(an_initrd_that_does_not_fit_is_refused),
           CASE(pvh_is_entered_in_flat_32_bit_mode),
           CASES(elf_row, elf_rows),
           CASE(multiboot_image_with_modules),
           CASES(multiboot_row, mb_rows),
           CASE(no_file_and_empty_file))
