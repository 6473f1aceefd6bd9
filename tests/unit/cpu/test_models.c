#include <string.h>

#include "bare_cpu.h"
#include "check_main.h"

static Vm vm;

static X86CpuModel *parse(const char *text, GError **error)
{
    return x86_cpu_model_parse(&vm, text, error);
}

static const struct { const char *text, *message; } refused[] = {
    { "nosuch", "unable to find CPU model 'nosuch'" },
    { "", "unable to find CPU model ''" },
    { "host", "CPU model 'host' requires KVM or HVF" },
    { "qemu64,+bogus", "Property 'qemu64-x86_64-cpu.bogus' not found" },
    { "qemu64,bogus=on", "Property 'qemu64-x86_64-cpu.bogus' not found" },
    { "qemu64,sse=7", "Parameter 'sse' expects 'on' or 'off'" },
    { "qemu64,family=abc", "Parameter 'family' expects int64" },
    { "qemu64,family=9999", "Property .family doesn't take value 9999 (minimum: 0, maximum: 270)" },
    { "qemu64,vendor=abc", "Property '.vendor' doesn't take value 'abc'" },
    { "qemu64,check=off,+vmx,enforce=on", "TCG doesn't support requested features" },
};

START_TEST(refused_row)
{
    GError *error = NULL;

    ck_assert_ptr_null(parse(refused[_i].text, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(g_str_has_prefix(error->message, refused[_i].message), "%s", error->message);
    g_error_free(error);
}
END_TEST

static const struct { const char *text; FeatureWord word; unsigned bit; bool on; } edits[] = {
    { "qemu64", FEAT_1_EDX, 25, true },                             /* sse */
    { "qemu64", FEAT_8000_0001_ECX, 2, false },                  /* svm: nobody has it by default */
    { "qemu64,-sse", FEAT_1_EDX, 25, false },
    { "qemu64,sse=off,+sse", FEAT_1_EDX, 25, true },                /* + after assignments */
    { "qemu64,-sse,+sse", FEAT_1_EDX, 25, false },                  /* - after + */
    { "qemu64,sse4_1", FEAT_1_ECX, 19, true },                      /* old spelling */
    { "qemu64,+sse4.2", FEAT_1_ECX, 20, true },
    { "qemu32", FEAT_8000_0001_EDX, 29, false },                    /* lm */
    { "qemu64,xd=off", FEAT_8000_0001_EDX, 20, false },             /* another name for nx */
    { "qemu64", FEAT_8000_0001_EDX, 0, true },                      /* AMD repeats fpu */
    { "Nehalem", FEAT_8000_0001_EDX, 0, false },
    { "Nehalem", FEAT_1_ECX, 23, true },                            /* popcnt */
    { "Nehalem-v1", FEAT_1_ECX, 23, true },
    { "Penryn", FEAT_1_ECX, 23, false },
    { "max", FEAT_7_0_EBX, 7, true },                               /* smep */
    { "base", FEAT_1_EDX, 0, false },
};

START_TEST(edit_row)
{
    g_autofree char *text = g_strdup_printf("%s,check=off", edits[_i].text);
    X86CpuModel *model = parse(text, NULL);

    ck_assert_ptr_nonnull(model);
    ck_assert_int_eq(x86_cpu_has(model, edits[_i].word, edits[_i].bit), edits[_i].on);
    x86_cpu_model_free(model);
}
END_TEST

START_TEST(every_named_model_parses)
{
    for (const char *const *name = x86_cpu_model_names(); *name; name++) {
        g_autofree char *text = g_strdup_printf("%s,check=off", *name);
        X86CpuModel *model = parse(text, NULL);

        ck_assert_msg(model || strcmp(*name, "host") == 0, "%s", *name);
        if (model) {
            ck_assert_uint_le(strlen(model->model_id), 48);
            ck_assert(model->vendor[0] == 0 || strlen(model->vendor) == 12);
        }
        x86_cpu_model_free(model);
    }
}
END_TEST

START_TEST(features_raise_the_highest_leaf_unless_given)
{
    X86CpuModel *raised = parse("486,check=off,+smep", NULL);
    X86CpuModel *given = parse("486,check=off,+smep,level=2", NULL);

    ck_assert_uint_eq(raised->level, 7);
    ck_assert_uint_eq(given->level, 2);
    x86_cpu_model_free(raised);
    x86_cpu_model_free(given);
}
END_TEST

/* An engine that has everything: what a model's row holds comes out whole. */
static void engine_has_all(Vm *unused, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0xff, 16);
}

static const struct { const char *name; uint32_t edx_1, ecx_1, ebx_7, ecx_7, xsave; } full[] = {
    /* leaf 1 and 7 as Intel's processors answer, without what the hypervisor adds or hides */
    { "Haswell", 0x0789fbff & ~0x2, 0xf7d83203 & ~UINT32_C(0x08000000), 0x00000fb9 & ~0x2, 0, 0x1 },
};

START_TEST(engine_without_limits_gives_the_whole_row)
{
    X86CpuModel *model;

    vm.engine_cpuid = engine_has_all;
    model = parse(full[_i].name, NULL);
    vm.engine_cpuid = NULL;
    ck_assert_ptr_nonnull(model);
    ck_assert_uint_eq(model->features[FEAT_1_ECX] & full[_i].ecx_1, full[_i].ecx_1);
    ck_assert_uint_eq(model->features[FEAT_7_0_EBX], full[_i].ebx_7);
    ck_assert_uint_eq(model->features[FEAT_XSAVE], full[_i].xsave);
    x86_cpu_model_free(model);
}
END_TEST

CHECK_MAIN("models", CASES(refused_row, refused), CASES(edit_row, edits),
           CASE(every_named_model_parses),
           CASE(features_raise_the_highest_leaf_unless_given),
           CASES(engine_without_limits_gives_the_whole_row, full))
