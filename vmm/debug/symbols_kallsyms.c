/*
 * The names a 64-bit Linux guest keeps of itself (CONFIG_KALLSYMS), read from its memory.
 *
 * Read-only data of the kernel holds, each part aligned to 8 bytes up to Linux 6:
 *   offsets        a 32-bit number for each symbol, in order of address
 *   relative base  the address offsets count from; the kernel relocates it when KASLR moves it
 *   num_syms       32 bits
 *   names          per symbol: how many tokens (one byte, or two when bit 7 is set), then those
 *                  token numbers; put together, a letter for the type and the name
 *   markers        32 bits for every 256th symbol: where its name begins
 *   (seqs of names, Linux 6.2 and 6.3: not needed here)
 *   token table    256 strings
 *   token index    16 bits each: where a token's string begins
 * Since Linux 6.4 offsets and relative base stand behind the token index.  With per-CPU symbols
 * kept absolute (up to Linux 6.14) an offset below 0 is relative to base - 1, downwards, and one
 * not below 0 is an address by itself.  Linux 7 aligns to 4 bytes and has no base: an offset counts
 * from where it lies itself.
 *
 * The token table is found by the digits, which stand for themselves in it.  All that is read is
 * the guest's, so every part is held against the others before it is believed, and the kernel's
 * image, the tables' sizes and the number of attempts have limits.
 */
#include "symbols_build.h"

#include <string.h>

#include "pagewalk.h"
#include "rhea_error.h"

/* Linux's x86-64 memory map: the kernel image's mapping, moved in steps of 2 MiB by KASLR. */
#define IMAGE_MAP_FIRST     UINT64_C(0xffffffff80000000)
#define IMAGE_MAP_END       UINT64_C(0xffffffffc0000000)
#define IMAGE_STEP          (2u << 20)
#define IMAGE_BYTES_MAX     (128u << 20)
#define PTI_USER_TABLES     (UINT64_C(1) << 12)     /* in CR3: page table isolation's user half */

#define SCAN_BYTES          (1u << 20)
#define TOKENS              256
#define TOKEN_BYTES_MAX     (16u << 10)             /* of the token table */
#define BEFORE_BYTES        (24u << 20)             /* from the first part to the token table */
#define AFTER_BYTES         (8u << 20)              /* from the token index to the last part */
#define LOOKS               1024                    /* at what might be a token table */
#define ATTEMPTS            4                       /* to read what lies around one */
#define NAMES_WALKED_MAX    (16u << 20)             /* in one attempt */
#define SYMBOLS_MIN         256
#define NAME_MAX_BYTES      512

static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

/* ---- the image ---- */

typedef struct Image {
    KernelView view;
    uint64_t start, end;
} Image;

/*
 * A vCPU in user mode may stand on tables that show next to nothing of the kernel (page table
 * isolation); those with all of it lie one page below, and are tried second.  False: there is no
 * such try, or the CPU is not in long mode.
 */
static bool look_through(KernelView *view, const X86Cpu *cpu, unsigned try)
{
    uint64_t cr3 = try == 0 ? cpu->cr3 : cpu->cr3 & ~PTI_USER_TABLES;

    view->cpu = (X86Cpu){
        .vm = cpu->vm, .cr0 = cpu->cr0, .cr3 = cr3, .cr4 = cpu->cr4, .efer = cpu->efer,
    };
    return cpu->efer & EFER_LMA && (try == 0 || (try == 1 && cr3 != cpu->cr3));
}

/* From the first mapped step to the last one. */
static bool image_find(Image *image)
{
    PageMapping mapping;

    image->start = 0;
    for (uint64_t addr = IMAGE_MAP_FIRST; addr < IMAGE_MAP_END; addr += IMAGE_STEP) {
        if (image->start != 0 && addr - image->start >= IMAGE_BYTES_MAX) {
            break;
        }
        if (x86_translate(&image->view.cpu, addr, &mapping)) {
            image->start = image->start != 0 ? image->start : addr;
            image->end = addr + IMAGE_STEP;
        }
    }
    return image->start != 0;
}

void kernel_read(const KernelView *view, uint64_t addr, void *buf, size_t len)
{
    uint8_t *to = buf;

    while (len > 0) {
        PageMapping mapping = { .size = PAGE_SIZE_4K };
        bool mapped = x86_translate(&view->cpu, addr, &mapping);
        uint64_t at = addr & (mapping.size - 1);
        size_t piece = MIN(len, mapping.size - at);

        if (!mapped ||
            mem_read_debug(&view->cpu.vm->memory, mapping.phys + at, to, piece) != MEM_OK) {
            memset(to, 0, piece);
        }
        addr += piece;
        to += piece;
        len -= piece;
    }
}

/* A piece of the image in memory of ours. */
typedef struct Window {
    uint64_t addr;
    size_t len;
    uint8_t *bytes;
} Window;

static void window_open(Window *window, const Image *image, uint64_t first, uint64_t end)
{
    window->addr = MAX(first, image->start) & ~UINT64_C(7);     /* places are aligned in it */
    window->len = MIN(end, image->end) - window->addr;
    window->bytes = g_malloc(window->len);
    kernel_read(&image->view, window->addr, window->bytes, window->len);
}

static uint32_t get32(const Window *window, size_t at)
{
    uint32_t value;

    memcpy(&value, window->bytes + at, sizeof(value));
    return value;
}

static uint64_t get64(const Window *window, size_t at)
{
    uint64_t value;

    memcpy(&value, window->bytes + at, sizeof(value));
    return value;
}

static size_t align_up(size_t at, size_t align)
{
    return (at + align - 1) & ~(align - 1);
}

/* ---- tokens ---- */

/* What an offset counts from. */
typedef enum Origin { FROM_BASE, FROM_BASE_OR_NOTHING, FROM_ITSELF } Origin;

/* Places in the window. */
typedef struct Tables {
    const Window *window;
    size_t align;
    size_t tokens, index;
    size_t names, names_end;
    uint32_t count;
    uint32_t names_left;        /* to walk over before giving up */
    size_t offsets;
    Origin origin;
    uint64_t base;
} Tables;

static uint16_t token_offset(const Tables *t, unsigned token)
{
    uint16_t value;

    memcpy(&value, t->window->bytes + t->index + token * sizeof(value), sizeof(value));
    return value;
}

/* Is the index at `index` that of the table whose digits are at `found` and whose end at `end`? */
static bool index_matches(Tables *t, size_t index, size_t found, size_t end)
{
    t->index = index;
    if (index + TOKENS * 2 > t->window->len || token_offset(t, 0) != 0 ||
        token_offset(t, '0') > found) {
        return false;
    }
    t->tokens = found - token_offset(t, '0');
    for (unsigned i = 1; i < TOKENS; i++) {
        size_t at = t->tokens + token_offset(t, i);

        if (token_offset(t, i) <= token_offset(t, i - 1) || at >= end ||
            t->window->bytes[at - 1] != '\0') {
            return false;
        }
    }
    return true;
}

/* The token table around the digits at `found`, and the index behind it. */
static bool find_tokens(Tables *t, size_t found)
{
    const Window *window = t->window;
    size_t end = found, limit = MIN(window->len, found + TOKEN_BYTES_MAX);

    for (unsigned i = '0'; i < TOKENS && end < limit; i++) {
        const uint8_t *zero = memchr(window->bytes + end, 0, limit - end);

        if (zero == NULL) {
            return false;
        }
        end = zero - window->bytes + 1;
    }
    for (t->align = 8; t->align >= 4; t->align /= 2) {
        if (index_matches(t, align_up(end, t->align), found, end)) {
            return true;
        }
    }
    return false;
}

/* ---- names ---- */

/* The bytes of the name at `at`, and its head's; 0: there is none. */
static size_t name_bytes(const Tables *t, size_t at, size_t *head)
{
    const uint8_t *bytes = t->window->bytes + at;
    size_t len;

    if (at + 2 > t->tokens) {
        return 0;
    }
    *head = bytes[0] & 0x80 ? 2 : 1;
    len = bytes[0] & 0x80 ? (bytes[0] & 0x7f) | bytes[1] << 7 : bytes[0];
    return len <= t->tokens - at - *head ? len : 0;
}

/* Walks over the names; with `markers` not 0 also holds them against those. */
static bool walk_names(Tables *t, size_t markers)
{
    size_t at = t->names, head = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        size_t len = t->names_left > 0 ? name_bytes(t, at, &head) : 0;

        if (len == 0 || (markers != 0 && i % 256 == 0 &&
                         get32(t->window, markers + i / 256 * 4) != at - t->names)) {
            return false;
        }
        at += head + len;
        t->names_left--;
    }
    t->names_end = at;
    return true;
}

/* A number of symbols, and behind it that many names, and behind those the right markers. */
static bool names_at(Tables *t, size_t at)
{
    size_t markers;

    t->count = get32(t->window, at);
    t->names = at + t->align;
    if (t->count < SYMBOLS_MIN || t->count > SYMBOLS_MAX || t->count > (t->tokens - at) / 2 ||
        (t->align == 8 && get32(t->window, at + 4) != 0) || !walk_names(t, 0)) {
        return false;
    }
    markers = align_up(t->names_end, t->align);
    return markers + (t->count + 255) / 256 * 4 <= t->tokens && walk_names(t, markers);
}

/* Tables whose ends happen to be aligned to 8 may be aligned to 4 nevertheless. */
static bool find_names(Tables *t)
{
    for (t->align = 8; t->align >= 4; t->align /= 2) {
        t->names_left = NAMES_WALKED_MAX;
        for (size_t at = t->tokens & ~(t->align - 1); at >= 16 && t->names_left > 0;) {
            at -= t->align;
            if (at + 16 < t->tokens && names_at(t, at)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- addresses ---- */

static uint64_t address_of(const Tables *t, uint32_t n)
{
    size_t at = t->offsets + (size_t)n * 4;
    uint32_t offset = get32(t->window, at);
    int64_t distance = (int32_t)offset;

    switch (t->origin) {
    case FROM_BASE_OR_NOTHING:
        return distance >= 0 ? offset : t->base - 1 - distance;
    case FROM_ITSELF:
        return t->window->addr + at + distance;
    default:
        return t->base + offset;
    }
}

/* They rise, and lead into the image or (absolute ones) nowhere. */
static bool addresses_make_sense(const Tables *t, const Image *image)
{
    uint32_t inside = 0;
    uint64_t last = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        uint64_t addr = address_of(t, i);

        if (addr < last) {
            return false;
        }
        inside += addr >= image->start && addr < image->end + IMAGE_STEP;
        last = addr;
    }
    return inside > t->count / 2;
}

/* Offsets at `offsets`, relative to what `base_at` holds. */
static bool offsets_with_base(Tables *t, const Image *image, size_t offsets, size_t base_at)
{
    uint32_t negative = 0;

    if (base_at + 8 > t->window->len) {
        return false;
    }
    t->offsets = offsets;
    t->base = get64(t->window, base_at);
    if (t->base < image->start || t->base >= image->end) {
        return false;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        negative += (int32_t)get32(t->window, offsets + (size_t)i * 4) < 0;
    }
    t->origin = negative > t->count / 2 ? FROM_BASE_OR_NOTHING : FROM_BASE;
    return addresses_make_sense(t, image);
}

static bool find_offsets(Tables *t, const Image *image)
{
    size_t bytes = align_up((size_t)t->count * 4, 8), head = t->names - t->align;
    size_t behind = align_up(t->index + TOKENS * 2, t->align);

    if (head >= bytes + 8 && offsets_with_base(t, image, head - 8 - bytes, head - 8)) {
        return true;                                            /* up to Linux 6.3 */
    }
    if (offsets_with_base(t, image, behind, behind + bytes)) {
        return true;
    }
    t->offsets = behind;
    t->origin = FROM_ITSELF;
    return behind + (size_t)t->count * 4 <= t->window->len && addresses_make_sense(t, image);
}

/* ---- the table ---- */

/* The text of the name at `at`, at most NAME_MAX_BYTES; moves *at behind it. */
static size_t expand_name(const Tables *t, size_t *at, char *text)
{
    size_t head = 0, len = name_bytes(t, *at, &head), used = 0;
    const uint8_t *numbers = t->window->bytes + *at + head;

    for (size_t i = 0; i < len; i++) {
        const char *token = (const char *)t->window->bytes + t->tokens +
                            token_offset(t, numbers[i]);

        for (; *token != '\0' && used < NAME_MAX_BYTES; token++) {
            text[used++] = *token;
        }
    }
    *at += head + len;
    return used;
}

static SymbolTable *build_table(const Tables *t, GError **error)
{
    g_autoptr(SymbolBuild) build = symbol_build_new();
    size_t at = t->names;

    for (uint32_t i = 0; i < t->count; i++) {
        char text[NAME_MAX_BYTES];
        size_t len = expand_name(t, &at, text);
        SymbolRow row = { text + 1, len - 1, address_of(t, i), 0, text[0], SYMBOL_RANK_BEST };

        if (len > 1 && g_ascii_isalpha(text[0]) && !symbol_build_add(build, &row, error)) {
            return NULL;
        }
    }
    return symbol_build_finish(g_steal_pointer(&build), "kallsyms", error);
}

/* The tables around the digits at `found`. */
static SymbolTable *read_tables(const Image *image, uint64_t found, KallsymsMark *mark)
{
    Window window;
    Tables tables = { .window = &window };
    SymbolTable *table = NULL;

    window_open(&window, image, found - MIN(found, BEFORE_BYTES), found + AFTER_BYTES);
    if (find_tokens(&tables, found - window.addr) && find_names(&tables) &&
        find_offsets(&tables, image)) {
        table = build_table(&tables, NULL);
        *mark = (KallsymsMark){ window.addr + tables.names, get64(&window, tables.names) };
    }
    g_free(window.bytes);
    return table;
}

/* Is there a token table?  A small look before the large one. */
static bool tokens_around(const Image *image, uint64_t found)
{
    Window window;
    Tables tables = { .window = &window };
    bool ok;

    window_open(&window, image, found - TOKEN_BYTES_MAX, found + 2 * TOKEN_BYTES_MAX);
    ok = find_tokens(&tables, found - window.addr);
    g_free(window.bytes);
    return ok;
}

static SymbolTable *scan_image(const Image *image, KallsymsMark *mark)
{
    g_autofree uint8_t *chunk = g_malloc(SCAN_BYTES + sizeof(digits));
    SymbolTable *table = NULL;
    unsigned looks = 0, attempts = 0;

    for (uint64_t addr = image->start; addr < image->end; addr += SCAN_BYTES) {
        size_t len = MIN(SCAN_BYTES + sizeof(digits), image->end - addr);
        const uint8_t *at = chunk, *hit;

        kernel_read(&image->view, addr, chunk, len);
        while ((hit = memmem(at, chunk + len - at, digits, sizeof(digits))) != NULL) {
            uint64_t found = addr + (hit - chunk);

            at = hit + sizeof(digits);
            if (++looks > LOOKS || attempts == ATTEMPTS) {
                return NULL;
            }
            if (tokens_around(image, found)) {
                attempts++;
                table = read_tables(image, found, mark);
            }
            if (table != NULL) {
                return table;
            }
        }
    }
    return NULL;
}

SymbolTable *symbols_find_kallsyms(const X86Cpu *cpu, KallsymsMark *mark, GError **error)
{
    SymbolTable *table = NULL;
    Image image;

    for (unsigned try = 0; table == NULL && look_through(&image.view, cpu, try); try++) {
        if (image_find(&image)) {
            table = scan_image(&image, mark);
        }
    }
    if (table == NULL) {
        set_error(error, "no kallsyms in the guest's memory: not a Linux kernel, or not that far");
    }
    return table;
}

SymbolTable *symbols_from_kallsyms(X86Cpu *cpu, GError **error)
{
    KallsymsMark mark;

    return symbols_find_kallsyms(cpu, &mark, error);
}

bool kernel_view(const X86Cpu *cpu, const KallsymsMark *mark, KernelView *view)
{
    for (unsigned try = 0; look_through(view, cpu, try); try++) {
        uint64_t value;

        if (x86_read_linear(&view->cpu, mark->addr, &value, sizeof(value)) &&
            value == mark->value) {
            return true;
        }
    }
    return false;
}
