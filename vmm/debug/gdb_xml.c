/* The target description: gdb manual, appendix G. */
#include <string.h>

#include "gdb_regs.h"

typedef struct FlagBit { const char *name; uint8_t start, end; } FlagBit;

/* A register whose bits gdb shows by name.  SDM volume 3A 2.3, 2.5, 4.5; volume 1 10.2.3. */
typedef struct FlagType {
    const char *id;
    GdbFeature feature;
    unsigned bytes;
    const FlagBit *bits;                /* from the highest; ends with a NULL name */
} FlagType;

#define BIT(name_, n_) { name_, n_, n_ }
#define BITS(...) (const FlagBit[]){ __VA_ARGS__, {} }

static const FlagType flag_types[] = {
    { "eflags", GDB_FEATURE_CORE, 4,
      BITS(BIT("ID", 21), BIT("VIP", 20), BIT("VIF", 19), BIT("AC", 18), BIT("VM", 17),
           BIT("RF", 16), BIT("NT", 14), { "IOPL", 12, 13 }, BIT("OF", 11), BIT("DF", 10),
           BIT("IF", 9), BIT("TF", 8), BIT("SF", 7), BIT("ZF", 6), BIT("AF", 4), BIT("PF", 2),
           BIT("CF", 0)) },
    { "cr0", GDB_FEATURE_SYSTEM, 8,
      BITS(BIT("PG", 31), BIT("CD", 30), BIT("NW", 29), BIT("AM", 18), BIT("WP", 16),
           BIT("NE", 5), BIT("ET", 4), BIT("TS", 3), BIT("EM", 2), BIT("MP", 1),
           BIT("PE", 0)) },
    { "cr3", GDB_FEATURE_SYSTEM, 8, BITS({ "PDBR", 12, 63 }, { "PCID", 0, 11 }) },
    { "cr4", GDB_FEATURE_SYSTEM, 8,
      BITS(BIT("PKE", 22), BIT("SMAP", 21), BIT("SMEP", 20), BIT("OSXSAVE", 18),
           BIT("PCIDE", 17), BIT("FSGSBASE", 16), BIT("SMXE", 14), BIT("VMXE", 13),
           BIT("LA57", 12), BIT("UMIP", 11), BIT("OSXMMEXCPT", 10), BIT("OSFXSR", 9),
           BIT("PCE", 8), BIT("PGE", 7), BIT("MCE", 6), BIT("PAE", 5), BIT("PSE", 4),
           BIT("DE", 3), BIT("TSD", 2), BIT("PVI", 1), BIT("VME", 0)) },
    { "efer", GDB_FEATURE_SYSTEM, 8,
      BITS(BIT("TCE", 15), BIT("FFXSR", 14), BIT("LMSLE", 13), BIT("SVME", 12),
           BIT("NXE", 11), BIT("LMA", 10), BIT("LME", 8), BIT("SCE", 0)) },
    { "mxcsr", GDB_FEATURE_SSE, 4,
      BITS(BIT("FZ", 15), { "RC", 13, 14 }, BIT("PM", 12), BIT("UM", 11), BIT("OM", 10),
           BIT("ZM", 9), BIT("DM", 8), BIT("IM", 7), BIT("DAZ", 6), BIT("PE", 5),
           BIT("UE", 4), BIT("OE", 3), BIT("ZE", 2), BIT("DE", 1), BIT("IE", 0)) },
};

/* The ways gdb shows 16 bytes; their names are those of its own descriptions. */
static const struct { const char *id, *type; unsigned count; } vectors[] = {
    { "v4_float", "ieee_single", 4 },   { "v2_double", "ieee_double", 2 },
    { "v16_int8", "int8", 16 },         { "v8_int16", "int16", 8 },
    { "v4_int32", "int32", 4 },         { "v2_int64", "int64", 2 },
};

static const struct { const char *file, *name; } features[GDB_FEATURES] = {
    [GDB_FEATURE_CORE] = { "64bit-core.xml", "org.gnu.gdb.i386.core" },
    [GDB_FEATURE_SEGMENTS] = { "64bit-segments.xml", "org.gnu.gdb.i386.segments" },
    [GDB_FEATURE_SYSTEM] = { "64bit-system.xml", "org.rhea.i386.system" },
    [GDB_FEATURE_SSE] = { "64bit-sse.xml", "org.gnu.gdb.i386.sse" },
    [GDB_FEATURE_AVX] = { "64bit-avx.xml", "org.gnu.gdb.i386.avx" },
};

static void append_flags(const FlagType *type, GString *out)
{
    g_string_append_printf(out, "<flags id=\"%s\" size=\"%u\">\n", type->id, type->bytes);
    for (const FlagBit *bit = type->bits; bit->name != NULL; bit++) {
        g_string_append_printf(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", bit->name,
                               bit->start, bit->end);
    }
    g_string_append(out, "</flags>\n");
}

static void append_vectors(GString *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_string_append_printf(out, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>\n",
                               vectors[i].id, vectors[i].type, vectors[i].count);
    }
    g_string_append(out, "<union id=\"vec128\">\n");
    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_string_append_printf(out, "<field name=\"%s\" type=\"%s\"/>\n", vectors[i].id,
                               vectors[i].id);
    }
    g_string_append(out, "<field name=\"uint128\" type=\"uint128\"/>\n</union>\n");
}

static void append_run(const GdbRegRun *run, unsigned number, GString *out)
{
    for (unsigned n = 0; n < run->count; n++) {
        g_string_append(out, "<reg name=\"");
        if (run->names != NULL) {
            g_string_append(out, run->names[n]);
        } else {
            g_string_append_printf(out, "%s%u%s", run->prefix, n,
                                   run->suffix != NULL ? run->suffix : "");
        }
        g_string_append_printf(out, "\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", 8 * run->bytes,
                               run->type, number + n);
        if (run->group != NULL) {
            g_string_append_printf(out, " group=\"%s\"", run->group);
        }
        g_string_append(out, "/>\n");
    }
}

static char *feature_xml(GdbFeature feature)
{
    GString *out = g_string_new("<?xml version=\"1.0\"?>\n"
                                "<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n");
    unsigned number = 0;

    g_string_append_printf(out, "<feature name=\"%s\">\n", features[feature].name);
    for (size_t i = 0; i < G_N_ELEMENTS(flag_types); i++) {
        if (flag_types[i].feature == feature) {
            append_flags(&flag_types[i], out);
        }
    }
    if (feature == GDB_FEATURE_SSE) {
        append_vectors(out);
    }
    for (size_t i = 0; i < gdb_reg_run_count; i++) {
        if (gdb_reg_runs[i].feature == feature) {
            append_run(&gdb_reg_runs[i], number, out);
        }
        number += gdb_reg_runs[i].count;
    }
    g_string_append(out, "</feature>\n");
    return g_string_free(out, FALSE);
}

static char *target_xml(const X86Cpu *cpu)
{
    GString *out = g_string_new("<?xml version=\"1.0\"?>\n"
                                "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                                "<target>\n<architecture>i386:x86-64</architecture>\n");

    for (unsigned i = 0; i < GDB_FEATURES; i++) {
        if (gdb_has_feature(cpu, i)) {
            g_string_append_printf(out, "<xi:include href=\"%s\"/>\n", features[i].file);
        }
    }
    g_string_append(out, "</target>\n");
    return g_string_free(out, FALSE);
}

char *gdb_target_xml(const X86Cpu *cpu, const char *name)
{
    if (g_str_equal(name, "target.xml")) {
        return target_xml(cpu);
    }
    for (unsigned i = 0; i < GDB_FEATURES; i++) {
        if (g_str_equal(name, features[i].file)) {
            return gdb_has_feature(cpu, i) ? feature_xml(i) : NULL;
        }
    }
    return NULL;
}
