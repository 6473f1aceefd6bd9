/* Tables of names and addresses, both ways: by address a binary search, by name a hash. */
#include "symbols_build.h"

#include <inttypes.h>
#include <string.h>

#include "rhea_error.h"

#define NAME_BYTES_MAX  (64u << 20)
/* How far a symbol without a size reaches where no other follows, and one with a size beyond it. */
#define REACH_BYTES     (64 * 1024)
/* Linux lives here; what its tables hold below are offsets in the areas each CPU has. */
#define KERNEL_HALF     (UINT64_C(1) << 63)

typedef struct Entry {
    uint64_t addr;
    uint32_t size;
    uint32_t name;              /* in `names`: the type's letter, the name, a zero */
} Entry;

struct SymbolTable {
    size_t count;
    Entry *entries;             /* by address */
    uint32_t *buckets;          /* 1 + an entry's index, or 0; open addressing */
    uint32_t mask;
    uint64_t seed;              /* of the hash, so that nobody can choose names that collide */
    GByteArray *names;
    bool kernel;                /* it names addresses of the kernel's half */
};

/* ---- making one ---- */

static const char *name_of(const SymbolTable *table, const Entry *entry)
{
    return (const char *)table->names->data + entry->name + 1;
}

static char type_of(const SymbolTable *table, const Entry *entry)
{
    return (char)table->names->data[entry->name];
}

typedef struct BuildEntry {
    uint64_t addr, size;
    uint32_t name, order;
    SymbolRank rank;
} BuildEntry;

struct SymbolBuild {
    GArray *entries;
    GByteArray *names;
    bool unsorted;
};

SymbolBuild *symbol_build_new(void)
{
    SymbolBuild *build = g_new0(SymbolBuild, 1);

    build->entries = g_array_new(FALSE, FALSE, sizeof(BuildEntry));
    build->names = g_byte_array_new();
    return build;
}

void symbol_build_free(SymbolBuild *build)
{
    if (build != NULL) {
        g_array_unref(build->entries);
        g_byte_array_unref(build->names);
        g_free(build);
    }
}

static bool name_is_good(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isgraph(name[i])) {
            return false;
        }
    }
    return len > 0;
}

static int compare_entries(const BuildEntry *a, const BuildEntry *b)
{
    return a->addr != b->addr ? (a->addr < b->addr ? -1 : 1) :
           a->rank != b->rank ? (a->rank < b->rank ? -1 : 1) :
           a->order < b->order ? -1 : a->order > b->order;
}

bool symbol_build_add(SymbolBuild *build, const SymbolRow *row, GError **error)
{
    BuildEntry entry = {
        .addr = row->addr, .size = row->size, .name = build->names->len,
        .order = build->entries->len, .rank = row->rank,
    };

    if (!name_is_good(row->name, row->len)) {
        return true;
    }
    if (build->entries->len == SYMBOLS_MAX || row->len > NAME_BYTES_MAX - build->names->len) {
        set_error(error, "more than %d symbols", SYMBOLS_MAX);
        return false;
    }
    g_byte_array_append(build->names, (const uint8_t *)&row->type, 1);
    g_byte_array_append(build->names, (const uint8_t *)row->name, row->len);
    g_byte_array_append(build->names, (const uint8_t *)"", 1);
    if (entry.order > 0) {
        const BuildEntry *last = &g_array_index(build->entries, BuildEntry, entry.order - 1);

        build->unsorted |= compare_entries(last, &entry) > 0;
    }
    g_array_append_val(build->entries, entry);
    return true;
}

bool symbol_build_add_table(SymbolBuild *build, const SymbolTable *table, GError **error)
{
    for (size_t i = 0; i < table->count; i++) {
        const Entry *entry = &table->entries[i];
        const char *name = name_of(table, entry);
        SymbolRow row = { name, strlen(name), entry->addr, entry->size, type_of(table, entry),
                          SYMBOL_RANK_BEST };

        if (!symbol_build_add(build, &row, error)) {
            return false;
        }
    }
    return true;
}

static gint compare_for_sort(gconstpointer a, gconstpointer b)
{
    return compare_entries(a, b);
}

/* Entries get their sizes from back to front: up to the next higher address. */
static void fill_entries(SymbolTable *table, const GArray *from)
{
    uint64_t next = 0, addr = 0;

    for (size_t i = table->count; i-- > 0;) {
        const BuildEntry *entry = &g_array_index(from, BuildEntry, i);
        uint64_t size = entry->size;

        if (i + 1 == table->count || entry->addr != addr) {
            next = i + 1 == table->count ? entry->addr + REACH_BYTES : addr;
            addr = entry->addr;
        }
        size = size != 0 ? size : next - addr;
        table->entries[i] = (Entry){ addr, MIN(size, UINT32_MAX), entry->name };
        table->kernel |= addr >= KERNEL_HALF;
    }
}

static uint32_t hash_name(const SymbolTable *table, const char *name)
{
    uint64_t hash = table->seed;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash >> 16;
}

/* Where the name is, or would be. */
static uint32_t *find_bucket(const SymbolTable *table, const char *name)
{
    for (uint32_t at = hash_name(table, name);; at++) {
        uint32_t *bucket = &table->buckets[at & table->mask];

        if (*bucket == 0 || strcmp(name_of(table, &table->entries[*bucket - 1]), name) == 0) {
            return bucket;
        }
    }
}

/* Two static functions may share a name: a global one goes first, then the lower address. */
static void fill_buckets(SymbolTable *table)
{
    uint32_t size = 2;

    while (size < table->count * 2) {
        size *= 2;
    }
    table->mask = size - 1;
    table->seed = (uint64_t)g_random_int() << 32 | g_random_int();
    table->buckets = g_new0(uint32_t, size);
    for (size_t i = 0; i < table->count; i++) {
        const Entry *entry = &table->entries[i];
        uint32_t *bucket = find_bucket(table, name_of(table, entry));

        if (*bucket == 0 || (g_ascii_isupper(type_of(table, entry)) &&
                             g_ascii_islower(type_of(table, &table->entries[*bucket - 1])))) {
            *bucket = i + 1;
        }
    }
}

SymbolTable *symbol_build_finish(SymbolBuild *build, const char *what, GError **error)
{
    SymbolTable *table = NULL;

    if (build->entries->len == 0) {
        set_error(error, "%s has no symbols", what);
    } else {
        if (build->unsorted) {
            g_array_sort(build->entries, compare_for_sort);
        }
        table = g_new0(SymbolTable, 1);
        table->count = build->entries->len;
        table->entries = g_new(Entry, table->count);
        table->names = g_byte_array_ref(build->names);
        fill_entries(table, build->entries);
        fill_buckets(table);
    }
    symbol_build_free(build);
    return table;
}

void symbols_free(SymbolTable *table)
{
    if (table != NULL) {
        g_free(table->entries);
        g_free(table->buckets);
        g_byte_array_unref(table->names);
        g_free(table);
    }
}

void symbols_relocate(SymbolTable *table, int64_t delta)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!table->kernel || table->entries[i].addr >= KERNEL_HALF) {
            table->entries[i].addr += delta;
        }
    }
}

/* ---- asking it ---- */

size_t symbols_count(const SymbolTable *table)
{
    return table->count;
}

static void fill_symbol(const SymbolTable *table, const Entry *entry, Symbol *symbol)
{
    *symbol = (Symbol){ name_of(table, entry), entry->addr, entry->size, type_of(table, entry) };
}

bool symbols_by_addr(const SymbolTable *table, uint64_t addr, Symbol *symbol)
{
    const Entry *entries = table->entries;
    size_t low = 0, high = table->count, next;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (entries[middle].addr <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    next = low;
    if (next == 0 || (table->kernel && addr < KERNEL_HALF)) {
        return false;
    }
    for (low--; low > 0 && entries[low - 1].addr == entries[low].addr; low--) {
    }
    if (table->kernel && entries[low].addr < KERNEL_HALF) {
        return false;
    }
    if (addr - entries[low].addr >= (uint64_t)entries[low].size + (next < table->count ?
                                                                   REACH_BYTES : 0)) {
        return false;
    }
    fill_symbol(table, &entries[low], symbol);
    return true;
}

bool symbols_by_name(const SymbolTable *table, const char *name, Symbol *symbol)
{
    uint32_t found = *find_bucket(table, name);

    if (found == 0) {
        return false;
    }
    fill_symbol(table, &table->entries[found - 1], symbol);
    return true;
}

static gint compare_by_name(gconstpointer a, gconstpointer b, gpointer opaque)
{
    const SymbolTable *table = opaque;
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    int order = strcmp(name_of(table, &table->entries[first]),
                       name_of(table, &table->entries[second]));

    return order != 0 ? order : first < second ? -1 : first > second;
}

void symbols_each(const SymbolTable *table, const char *prefix,
                  bool (*fn)(const Symbol *symbol, void *opaque), void *opaque)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    size_t len = strlen(prefix);

    for (uint32_t i = 0; i < table->count; i++) {
        if (strncmp(name_of(table, &table->entries[i]), prefix, len) == 0) {
            g_array_append_val(found, i);
        }
    }
    g_array_sort_with_data(found, compare_by_name, (gpointer)table);
    for (guint i = 0; i < found->len; i++) {
        Symbol symbol;

        fill_symbol(table, &table->entries[g_array_index(found, uint32_t, i)], &symbol);
        if (!fn(&symbol, opaque)) {
            return;
        }
    }
}

/* A slip of the fingers keeps the first letter and nearly the length; that makes them few. */
const char *symbols_nearest(const SymbolTable *table, const char *typed)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    size_t len = strlen(typed);

    for (size_t i = 0; i < table->count; i++) {
        const char *name = name_of(table, &table->entries[i]);
        size_t other = name[0] == typed[0] ? strlen(name) : SIZE_MAX;

        if (other != SIZE_MAX && other <= len + 2 && len <= other + 2) {
            g_ptr_array_add(names, (gpointer)name);
        }
    }
    return nearest_name(typed, (const char *const *)names->pdata, names->len);
}
