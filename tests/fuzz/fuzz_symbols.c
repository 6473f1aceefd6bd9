/*
 * Names of addresses.  Reaches: ELF files, System.maps; kallsyms, modules, ORC tables and stacks in
 * a guest's memory.
 *
 * Byte 0 picks: an ELF file, a list, or a guest.  A guest begins as a good one that `patches`
 * spoil: 3 bytes of place, 1 of length, then that many bytes.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux_image.h"
#include "unwind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ImageSymbol kernel[] = {
    { "A__per_cpu_start", 0, true }, { "T_text", 0 }, { "Tstart", 0x1000 }, { "T_etext", 0x2000 },
    { "D__start_orc_unwind_ip", PUT_ORC }, { "D__stop_orc_unwind_ip", PUT_ORC + 4 * 4 },
    { "D__start_orc_unwind", PUT_ORC + 0x1000 }, { "Dmodules", PUT_MODULES },
};

static bool count_names(const Symbol *symbol, void *opaque)
{
    return strlen(symbol->name) > 0 && ++*(unsigned *)opaque < 1000;
}

/* Asks for what a table has, and for what lies beside it. */
static void use_table(SymbolTable *table)
{
    unsigned n = 0;
    Symbol symbol;

    if (table == NULL) {
        return;
    }
    symbols_each(table, "", count_names, &n);
    symbols_each(table, "a", count_names, &n);
    for (uint64_t addr = 1; addr != 0; addr <<= 1) {
        if (symbols_by_addr(table, -addr, &symbol) && symbol.addr > -addr) {
            g_error("a symbol behind what it names");
        }
    }
    symbols_relocate(table, 0x1e00000);
    symbols_by_name(table, "_text", &symbol);
    symbols_nearest(table, "_tetx");
    symbols_free(table);
}

static void fuzz_file(const uint8_t *data, size_t size, bool elf)
{
    g_autoptr(GError) error = NULL;
    int fd = memfd_create("symbols", MFD_CLOEXEC);
    g_autofree char *file = g_strdup_printf("/proc/self/fd/%d", fd);
    SymbolTable *table;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        g_error("cannot write the file");
    }
    table = elf ? symbols_from_elf(file, &error) : symbols_from_file(file, &error);
    if ((table != NULL) == (error != NULL)) {
        g_error("a table and an error, or neither");
    }
    use_table(table);
    close(fd);
}

/* A frame by sp, one by bp, saved registers, an end. */
static void put_orc(LinuxImage *image)
{
    static const uint16_t flags[] = { 5 | 1 << 4 | 2 << 8, 4 | 2 << 8, 5 | 3 << 8, 1 << 8 };

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        uint8_t *entry = image_at(image, PUT_ORC + 0x1000 + i * 6);

        put32(image_at(image, PUT_ORC + i * 4), 0x1000 + i * 0x100 - (PUT_ORC + i * 4));
        put16(entry, 16);
        put16(entry + 2, -16);
        put16(entry + 4, flags[i]);
    }
}

/* One guest, with its memory as it was when it was good. */
static LinuxImage *good_guest(ImageLayout layout)
{
    static LinuxImage *image;
    static uint8_t *memory[LAYOUT_COUNT];
    size_t bytes = 1 << 20;

    if (image == NULL) {
        image = image_new(0);
        put_orc(image);
        image_put_module(image, 0x150, true);
        for (int i = 0; i < LAYOUT_COUNT; i++) {
            memset(image_at(image, PUT_TABLES), 0, PUT_STACK - PUT_TABLES);
            image_put_kallsyms(image, kernel + (i == LAYOUT_7),
                               G_N_ELEMENTS(kernel) - (i == LAYOUT_7), i, true);
            memory[i] = g_memdup2(image->bare->ram.ram->host, bytes);
        }
    }
    memcpy(image->bare->ram.ram->host, memory[layout], bytes);
    return image;
}

static void fuzz_guest(const uint8_t *data, size_t size, ImageLayout layout)
{
    LinuxImage *image = good_guest(layout);
    UnwindFrame frames[UNWIND_MAX];
    Vm *vm = &image->bare->vm;

    while (size > 4) {
        uint32_t place = (data[0] | data[1] << 8 | data[2] << 16) % (1 << 20);
        size_t len = MIN(MIN(data[3], size - 4), (1u << 20) - place);

        memcpy(image->bare->ram.ram->host + place, data + 4, len);
        data += 4 + len;
        size -= 4 + len;
    }
    image->cpu->rip = image->base + 0x1010;
    image->cpu->gpr[R_RSP] = image->base + PUT_STACK;
    image->cpu->gpr[R_RBP] = image->base + PUT_STACK + 0x20;
    use_table(symbols_from_kallsyms(image->cpu, NULL));
    vm_symbols_load(vm, NULL, NULL);
    if (unwind(vm, image->cpu, frames, UNWIND_MAX) - 1 >= UNWIND_MAX) {
        g_error("more frames than there is room for");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] < 2) {
        fuzz_file(data + 1, size - 1, data[0] == 0);
    } else {
        fuzz_guest(data + 1, size - 1, data[0] % LAYOUT_COUNT);
    }
    return 0;
}
