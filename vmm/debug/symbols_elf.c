/*
 * Symbols of an ELF file.  System V ABI, chapter 4: "ELF Header", "Sections", "Symbol Table".
 *
 * Sections are read one at a time; what a header says of the file is held against its length.
 */
#include "symbols_build.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rhea_error.h"

#define SECTION_BYTES_MAX   (256u << 20)

/* Either class in the form of the wide one. */
typedef struct ElfFile {
    int fd;
    uint64_t size_bytes;
    const char *path;
    bool wide;
    uint64_t sections_at;
    unsigned n_sections, section_bytes;
    Elf64_Shdr *sections;
} ElfFile;

static bool elf_bad(const ElfFile *elf, const char *why, GError **error)
{
    set_error(error, "'%s': %s", elf->path, why);
    return false;
}

static bool elf_read(const ElfFile *elf, uint64_t offset, void *buf, size_t len, GError **error)
{
    if (offset > elf->size_bytes || len > elf->size_bytes - offset ||
        pread(elf->fd, buf, len, offset) != (ssize_t)len) {
        return elf_bad(elf, "the file ends too early", error);
    }
    return true;
}

static bool read_header(ElfFile *elf, GError **error)
{
    Elf64_Ehdr head;
    const Elf32_Ehdr *narrow = (const Elf32_Ehdr *)&head;

    if (!elf_read(elf, 0, &head, sizeof(*narrow), error)) {
        return false;
    }
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_DATA] != ELFDATA2LSB) {
        return elf_bad(elf, "not a little-endian ELF file", error);
    }
    elf->wide = head.e_ident[EI_CLASS] == ELFCLASS64;
    if (elf->wide) {
        if (!elf_read(elf, 0, &head, sizeof(head), error)) {
            return false;
        }
        elf->sections_at = head.e_shoff;
        elf->n_sections = head.e_shnum;
        elf->section_bytes = head.e_shentsize;
    } else {
        elf->sections_at = narrow->e_shoff;
        elf->n_sections = narrow->e_shnum;
        elf->section_bytes = narrow->e_shentsize;
    }
    if (elf->section_bytes != (elf->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr))) {
        return elf_bad(elf, "it has no section headers", error);
    }
    return true;
}

static bool read_sections(ElfFile *elf, GError **error)
{
    g_autofree uint8_t *bytes = g_malloc0((size_t)elf->n_sections * elf->section_bytes);

    elf->sections = g_new0(Elf64_Shdr, elf->n_sections);
    if (!elf_read(elf, elf->sections_at, bytes, (size_t)elf->n_sections * elf->section_bytes,
                  error)) {
        return false;
    }
    for (unsigned i = 0; i < elf->n_sections; i++) {
        if (elf->wide) {
            memcpy(&elf->sections[i], bytes + i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
        } else {
            Elf32_Shdr sh;

            memcpy(&sh, bytes + i * sizeof(sh), sizeof(sh));
            elf->sections[i] = (Elf64_Shdr){
                .sh_type = sh.sh_type, .sh_flags = sh.sh_flags, .sh_offset = sh.sh_offset,
                .sh_size = sh.sh_size, .sh_link = sh.sh_link, .sh_entsize = sh.sh_entsize,
            };
        }
    }
    return true;
}

/* The full table, or the dynamic linker's where a file was stripped. */
static const Elf64_Shdr *find_symbol_section(const ElfFile *elf)
{
    static const uint32_t types[] = { SHT_SYMTAB, SHT_DYNSYM };

    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        for (unsigned i = 0; i < elf->n_sections; i++) {
            if (elf->sections[i].sh_type == types[t]) {
                return &elf->sections[i];
            }
        }
    }
    return NULL;
}

/* A section's bytes and a zero behind them; NULL: error. */
static char *read_section(const ElfFile *elf, const Elf64_Shdr *section, GError **error)
{
    char *bytes;

    if (section->sh_type == SHT_NOBITS || section->sh_size > SECTION_BYTES_MAX ||
        section->sh_size > elf->size_bytes) {
        elf_bad(elf, "a symbol section is larger than the file", error);
        return NULL;
    }
    bytes = g_malloc(section->sh_size + 1);
    if (!elf_read(elf, section->sh_offset, bytes, section->sh_size, error)) {
        g_free(bytes);
        return NULL;
    }
    bytes[section->sh_size] = '\0';
    return bytes;
}

/* nm's letter, capital for what other files see. */
static char symbol_letter(const ElfFile *elf, const Elf64_Sym *sym)
{
    unsigned bind = ELF64_ST_BIND(sym->st_info);
    char letter = 'a';

    if (sym->st_shndx < elf->n_sections) {
        const Elf64_Shdr *section = &elf->sections[sym->st_shndx];

        letter = section->sh_flags & SHF_EXECINSTR ? 't' :
                 section->sh_type == SHT_NOBITS ? 'b' :
                 section->sh_flags & SHF_WRITE ? 'd' : 'r';
    }
    return bind == STB_WEAK ? 'W' : bind == STB_LOCAL ? letter : g_ascii_toupper(letter);
}

static SymbolRank symbol_rank(const Elf64_Sym *sym)
{
    return ELF64_ST_TYPE(sym->st_info) == STT_NOTYPE ? SYMBOL_RANK_LABEL :
           ELF64_ST_BIND(sym->st_info) == STB_LOCAL ? SYMBOL_RANK_LOCAL : SYMBOL_RANK_BEST;
}

/* Names of code and data, and no assembler's labels. */
static bool symbol_counts(const Elf64_Sym *sym, const char *name)
{
    unsigned type = ELF64_ST_TYPE(sym->st_info);

    return sym->st_shndx != SHN_UNDEF && name[0] != '$' && !g_str_has_prefix(name, ".L") &&
           (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC || type == STT_GNU_IFUNC);
}

static Elf64_Sym symbol_at(const ElfFile *elf, const char *bytes, size_t n)
{
    Elf64_Sym wide;
    Elf32_Sym sym;

    if (elf->wide) {
        memcpy(&wide, bytes + n * sizeof(wide), sizeof(wide));
        return wide;
    }
    memcpy(&sym, bytes + n * sizeof(sym), sizeof(sym));
    return (Elf64_Sym){ .st_name = sym.st_name, .st_value = sym.st_value, .st_size = sym.st_size,
                        .st_info = sym.st_info, .st_shndx = sym.st_shndx };
}

static bool add_symbols(const ElfFile *elf, const Elf64_Shdr *section, SymbolBuild *build,
                        GError **error)
{
    size_t one = elf->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    g_autofree char *symbols = NULL, *strings = NULL;
    const Elf64_Shdr *names;

    if (section->sh_entsize != one || section->sh_link >= elf->n_sections) {
        return elf_bad(elf, "its symbol table has an unknown form", error);
    }
    names = &elf->sections[section->sh_link];
    symbols = read_section(elf, section, error);
    strings = symbols != NULL ? read_section(elf, names, error) : NULL;
    if (strings == NULL) {
        return false;
    }
    for (size_t i = 0; i < section->sh_size / one; i++) {
        Elf64_Sym sym = symbol_at(elf, symbols, i);
        const char *name = sym.st_name < names->sh_size ? strings + sym.st_name : "";
        SymbolRow row = { name, strlen(name), sym.st_value, sym.st_size,
                          symbol_letter(elf, &sym), symbol_rank(&sym) };

        if (symbol_counts(&sym, name) && !symbol_build_add(build, &row, error)) {
            g_prefix_error(error, "'%s': ", elf->path);
            return false;
        }
    }
    return true;
}

static SymbolTable *read_symbols(ElfFile *elf, GError **error)
{
    g_autoptr(SymbolBuild) build = symbol_build_new();
    g_autofree char *what = g_strdup_printf("'%s'", elf->path);
    const Elf64_Shdr *section;

    if (!read_header(elf, error) || !read_sections(elf, error)) {
        return NULL;
    }
    section = find_symbol_section(elf);
    if (section != NULL && !add_symbols(elf, section, build, error)) {
        return NULL;
    }
    return symbol_build_finish(g_steal_pointer(&build), what, error);
}

SymbolTable *symbols_from_elf(const char *file, GError **error)
{
    ElfFile elf = { .fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = file };
    SymbolTable *table = NULL;
    struct stat st;

    if (elf.fd < 0 || fstat(elf.fd, &st) < 0) {
        set_errno_error(error, errno, "cannot open '%s'", file);
    } else if (!S_ISREG(st.st_mode)) {
        elf_bad(&elf, "not a file", error);
    } else {
        elf.size_bytes = st.st_size;
        table = read_symbols(&elf, error);
    }
    if (elf.fd >= 0) {
        close(elf.fd);
    }
    g_free(elf.sections);
    return table;
}
