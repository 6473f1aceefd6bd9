/*
 * What a debugger sees of a Linux kernel: page tables, code, a stack, kallsyms and ORC tables, all
 * made up, in the memory of a bare CPU.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "../cpu/bare_cpu.h"

#define IMAGE_LINKED    UINT64_C(0xffffffff81000000)
#define IMAGE_PHYS      0x80000
#define IMAGE_BYTES     0x60000
#define IMAGE_NAMES     300                     /* names in kallsyms */
#define PUT_TABLES      0x20000                 /* in the image: kallsyms */
#define PUT_ORC         0x8000                  /* ORC addresses, entries 0x1000 behind */
#define PUT_MODULES     0xa000                  /* the list's head, a struct module, its tables */
#define MODULE_CODE     0x4000                  /* which speak of code here */
#define PUT_STACK       0x50000
#define USER_VIRT       UINT64_C(0x400000)
#define USER_PHYS       0x20000
#define USER_BYTES      0x10000
#define USER_STACK      0x8000                  /* in user memory */
#define NO_EXECUTE      (UINT64_C(1) << 63)
#define USER_TABLES     0x31000                 /* CR3 of a user half; the kernel's is 0x30000 */

typedef enum ImageLayout {
    LAYOUT_6_1, LAYOUT_6_2, LAYOUT_6_4, LAYOUT_7, LAYOUT_COUNT
} ImageLayout;

typedef struct LinuxImage {
    BareCpu *bare;
    X86Cpu *cpu;
    uint64_t base;                              /* where KASLR has put it */
    size_t kallsyms_end;                        /* in the image */
} LinuxImage;

static inline uint8_t *image_at(LinuxImage *image, uint64_t offset)
{
    return image->bare->ram.ram->host + IMAGE_PHYS + offset;
}

static inline uint8_t *user_at(LinuxImage *image, uint64_t offset)
{
    return image->bare->ram.ram->host + USER_PHYS + offset;
}

static inline void put16(uint8_t *p, uint16_t value) { memcpy(p, &value, sizeof(value)); }
static inline void put32(uint8_t *p, uint32_t value) { memcpy(p, &value, sizeof(value)); }
static inline void put64(uint8_t *p, uint64_t value) { memcpy(p, &value, sizeof(value)); }

static inline void put_entry(LinuxImage *image, uint64_t table, uint64_t virt, unsigned shift,
                             uint64_t entry)
{
    put64(image->bare->ram.ram->host + table + (virt >> shift & 511) * 8, entry);
}

/* Tables at 30000 map image and user memory, those at 31000 user memory only. */
static inline void image_map(LinuxImage *image)
{
    put_entry(image, 0x30000, image->base, 39, 0x32003);
    put_entry(image, 0x32000, image->base, 30, 0x33003);
    put_entry(image, 0x33000, image->base, 21, 0x34003);
    for (uint64_t at = 0; at < IMAGE_BYTES; at += 4096) {
        put_entry(image, 0x34000, image->base + at, 12,
                  (IMAGE_PHYS + at) | (at < PUT_STACK ? 3 : NO_EXECUTE | 3));
    }
    for (unsigned half = 0; half < 2; half++) {
        put_entry(image, 0x30000 + half * 0x1000, USER_VIRT, 39, 0x35007);
    }
    put_entry(image, 0x35000, USER_VIRT, 30, 0x36007);
    put_entry(image, 0x36000, USER_VIRT, 21, 0x37007);
    for (uint64_t at = 0; at < USER_BYTES; at += 4096) {
        put_entry(image, 0x37000, USER_VIRT + at, 12,
                  (USER_PHYS + at) | (at < USER_STACK ? 7 : NO_EXECUTE | 7));
    }
}

static inline LinuxImage *image_new(uint64_t moved_by)
{
    LinuxImage *image = g_new0(LinuxImage, 1);

    image->bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);
    image->bare->vm.a20 = true;
    image->cpu = image->bare->cpu;
    image->base = IMAGE_LINKED + moved_by;
    image_map(image);
    image->cpu->cr3 = 0x30000;
    image->cpu->cr4 = CR4_PAE;
    image->cpu->efer = EFER_LME | EFER_LMA | EFER_NXE;
    image->cpu->cr0 |= CR0_PG | CR0_PE;
    image->cpu->seg[SEG_CS].attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_L | 0xb;
    image->cpu->seg[SEG_CS].selector = 0x10;
    x86_update_mode(image->cpu);
    return image;
}

static inline void image_free(LinuxImage *image)
{
    bare_cpu_free(image->bare);
    g_free(image);
}

/* ---- kallsyms ---- */

typedef struct ImageSymbol {
    const char *text;                           /* type and name: "T_text" */
    uint64_t at;                                /* in the image; `absolute`: an address */
    bool absolute;
} ImageSymbol;

static inline void append_align(GByteArray *out, size_t align)
{
    while (out->len % align != 0) {
        g_byte_array_append(out, (const uint8_t *)"", 1);
    }
}

/* Tokens are characters, but token 1, which is what fillers begin with. */
static inline void append_tokens(GByteArray *out, size_t align)
{
    uint16_t index[256];
    size_t start = out->len;

    for (unsigned i = 0; i < 256; i++) {
        char one[2] = { g_ascii_isgraph(i) ? i : '\0', '\0' };
        const char *token = i == 1 ? "tfiller_" : one;

        index[i] = out->len - start;
        g_byte_array_append(out, (const uint8_t *)token, strlen(token) + 1);
    }
    append_align(out, align);
    g_byte_array_append(out, (const uint8_t *)index, sizeof(index));
}

static inline void append32(GByteArray *out, uint32_t value)
{
    g_byte_array_append(out, (const uint8_t *)&value, sizeof(value));
}

/* Row n: one of `rows`, then fillers of 16 bytes each from `fill_at` on. */
static inline ImageSymbol image_row(const ImageSymbol *rows, size_t n_rows, size_t n, char *text)
{
    if (n < n_rows) {
        return rows[n];
    }
    sprintf(text, "tfiller_%03u", (unsigned)n);
    return (ImageSymbol){ text, 0x10000 + n * 16, false };
}

static inline void append_names(GByteArray *out, const ImageSymbol *rows, size_t n_rows,
                                size_t align)
{
    g_autoptr(GByteArray) names = g_byte_array_new();
    uint32_t markers[(IMAGE_NAMES + 255) / 256];
    char text[32];

    for (size_t i = 0; i < IMAGE_NAMES; i++) {
        ImageSymbol row = image_row(rows, n_rows, i, text);
        bool filler = g_str_has_prefix(row.text, "tfiller_");
        size_t len = strlen(row.text) - (filler ? 7 : 0);
        uint8_t head[2] = { len < 0x80 ? len : 0x80 | (len & 0x7f), len >> 7 };

        if (i % 256 == 0) {
            markers[i / 256] = names->len;
        }
        g_byte_array_append(names, head, len < 0x80 ? 1 : 2);
        g_byte_array_append(names, (const uint8_t *)(filler ? "\1" : ""), filler);
        g_byte_array_append(names, (const uint8_t *)row.text + (filler ? 8 : 0), len - filler);
    }
    append32(out, IMAGE_NAMES);
    append_align(out, align);
    g_byte_array_append(out, names->data, names->len);
    append_align(out, align);
    g_byte_array_append(out, (const uint8_t *)markers, sizeof(markers));
    append_align(out, align);
}

static inline void append_offsets(GByteArray *out, const LinuxImage *image, const ImageSymbol *rows,
                                  size_t n_rows, bool percpu)
{
    char text[32];

    for (size_t i = 0; i < IMAGE_NAMES; i++) {
        ImageSymbol row = image_row(rows, n_rows, i, text);

        append32(out, row.absolute || !percpu ? row.at : -1 - (int32_t)row.at);
    }
    append_align(out, 8);
    g_byte_array_append(out, (const uint8_t *)&image->base, 8);
}

/* Linux 7's: each counts from itself. */
static inline void append_own_offsets(GByteArray *out, const ImageSymbol *rows, size_t n_rows)
{
    char text[32];

    for (size_t i = 0; i < IMAGE_NAMES; i++) {
        ImageSymbol row = image_row(rows, n_rows, i, text);

        append32(out, row.at - (PUT_TABLES + out->len));
    }
}

/* Rows in order of address, absolute ones (`percpu` only) first. */
static inline void image_put_kallsyms(LinuxImage *image, const ImageSymbol *rows, size_t n_rows,
                                      ImageLayout layout, bool percpu)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    static const uint8_t seqs[IMAGE_NAMES * 3 + 4] = { 1, 2, 3 };
    size_t align = layout == LAYOUT_7 ? 4 : 8;

    if (layout < LAYOUT_6_4) {
        append_offsets(out, image, rows, n_rows, percpu);
    } else if (layout == LAYOUT_7) {
        append32(out, 0);                       /* so that nothing happens to be aligned to 8 */
    }
    append_names(out, rows, n_rows, align);
    if (layout == LAYOUT_6_2) {
        g_byte_array_append(out, seqs, sizeof(seqs));
        append_align(out, align);
    }
    append_tokens(out, align);
    if (layout == LAYOUT_6_4) {
        append_offsets(out, image, rows, n_rows, percpu);
    } else if (layout == LAYOUT_7) {
        append_own_offsets(out, rows, n_rows);
    }
    g_byte_array_append(out, seqs, sizeof(seqs));
    memcpy(image_at(image, PUT_TABLES), out->data, out->len);
    image->kallsyms_end = PUT_TABLES + out->len;
}

/* ---- a module ---- */

/*
 * "fake_mod" with a function at MODULE_CODE, whose caller lies 8 bytes up the stack, and data
 * behind it; `off` is where in the struct the interesting fields are.
 */
static inline void image_put_module(LinuxImage *image, unsigned off, bool typed)
{
    uint64_t head = image->base + PUT_MODULES, module = head + 0x100, tables = head + 0x900;
    uint8_t *at = image_at(image, PUT_MODULES + 0x100);
    uint8_t *put = image_at(image, PUT_MODULES + 0x900);
    static const char strings[] = "\0fake_run\0fake_data\0printk";
    static const struct { uint32_t name; uint8_t section; uint32_t value; } symbols[] = {
        { 1, 1, MODULE_CODE }, { 10, 2, MODULE_CODE + 0x100 }, { 20, 0, 0 },
    };

    put64(image_at(image, PUT_MODULES), module + 8);
    put64(at + 8, head);
    strcpy((char *)at + 24, "fake_mod");
    put64(at + off, tables);                            /* { symtab, count, strtab, types } */
    put64(put, tables + 0x40);
    put32(put + 8, G_N_ELEMENTS(symbols) + 1);
    put64(put + 16, tables + 0x100);
    put64(put + 24, tables + 0x180);
    for (size_t i = 0; i < G_N_ELEMENTS(symbols); i++) {
        uint8_t *sym = put + 0x40 + (i + 1) * 24;       /* Elf64_Sym */

        put32(sym, symbols[i].name);
        put16(sym + 6, symbols[i].section);
        put64(sym + 8, image->base + symbols[i].value);
    }
    memcpy(put + 0x100, strings, sizeof(strings));
    memcpy(put + 0x180, "?tdU", 4);
    put32(at + off + 8, 2);                             /* { count, ORC addresses, entries } */
    put64(at + off + 16, tables + 0x200);
    put64(at + off + 24, tables + 0x240);
    put32(put + 0x200, MODULE_CODE - (PUT_MODULES + 0x900 + 0x200));
    put32(put + 0x204, MODULE_CODE + 0x80 - (PUT_MODULES + 0x900 + 0x204));
    put16(put + 0x240, 8);
    put16(put + 0x244, 5 | (typed ? 2 : 0) << 8);       /* from sp; a call */
}
