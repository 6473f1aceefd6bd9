/*
 * The software CPU against the real one, class by class.  NATIVE_SEED repeats a run, NATIVE_CASES
 * sets how many cases each class gets.
 */
#include "native.h"

#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "x86_cpu.h"

enum { STATES_PER_CODE = 4, MAX_REPORTS = 5 };

static unsigned seed;

static void setup(void)
{
    const char *text = g_getenv("NATIVE_SEED");

    seed = text != NULL ? strtoul(text, NULL, 0) : (unsigned)g_get_real_time();
    native_host_setup();
    native_guest_setup();
}

static void teardown(void)
{
    native_guest_teardown();
}

/* ---- comparing ---- */

/* Flags that are undefined where the run stopped. */
static uint32_t undefined_at(const NativeCode *code, uint64_t rip)
{
    uint64_t offset = rip - (NATIVE_CODE + NATIVE_CODE_START);
    uint32_t undefined = 0;

    for (unsigned n = 0; n < code->n_insns && code->ends[n] <= offset; n++) {
        undefined = code->undefined[n];
    }
    return undefined;
}

static void differ(GString *out, const char *what, unsigned n, const void *was, const void *host,
                   const void *guest, unsigned bytes)
{
    const uint8_t *rows[] = { was, host, guest };
    static const char *const names[] = { "was", "real", "got" };

    if (memcmp(host, guest, bytes) == 0) {
        return;
    }
    g_string_append_printf(out, "  %s%u:", what, n);
    for (unsigned r = 0; r < 3; r++) {
        g_string_append_printf(out, " %s ", names[r]);
        for (unsigned i = bytes; i-- > 0;) {
            g_string_append_printf(out, "%02x", rows[r][i]);
        }
    }
    g_string_append_c(out, '\n');
}

/* Empty text: the same. */
static GString *compare(const NativeCode *code, const NativeState *was, const NativeState *host,
                        const NativeState *guest)
{
    GString *out = g_string_new(NULL);
    uint32_t watched = (RFLAGS_ARITH | RFLAGS_DF) & ~undefined_at(code, host->rip);
    uint64_t host_flags = host->rflags & watched, guest_flags = guest->rflags & watched;

    differ(out, "vector ", 0, &was->vector, &host->vector, &guest->vector, sizeof(was->vector));
    differ(out, "rip ", 0, &was->rip, &host->rip, &guest->rip, 8);
    differ(out, "rflags ", 0, &was->rflags, &host_flags, &guest_flags, 4);
    for (unsigned i = 0; i < (code->mode == NATIVE_64 ? 16 : 8); i++) {
        differ(out, "gpr", i, &was->gpr[i], &host->gpr[i], &guest->gpr[i], 8);
    }
    differ(out, "fcw ", 0, was->fx + FX_FCW, host->fx + FX_FCW, guest->fx + FX_FCW, 2);
    differ(out, "fsw ", 0, was->fx + FX_FSW, host->fx + FX_FSW, guest->fx + FX_FSW, 2);
    differ(out, "ftw ", 0, was->fx + FX_FTW, host->fx + FX_FTW, guest->fx + FX_FTW, 1);
    differ(out, "mxcsr ", 0, was->fx + FX_MXCSR, host->fx + FX_MXCSR, guest->fx + FX_MXCSR, 4);
    for (unsigned i = 0; i < 8; i++) {
        unsigned at = FX_ST + 16 * i;

        differ(out, "st", i, was->fx + at, host->fx + at, guest->fx + at, 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned at = FX_XMM + 16 * i;

        differ(out, "xmm", i, was->fx + at, host->fx + at, guest->fx + at, 16);
    }
    for (unsigned at = 0; at < NATIVE_PAGE; at += 16) {
        differ(out, "data+", at, was->data + at, host->data + at, guest->data + at, 16);
    }
    return out;
}

/* The real CPU took an MXCSR bit ours does not have (AMD's MM, bit 17): nothing to compare. */
static bool host_has_more(const NativeState *host)
{
    return host->fx[FX_MXCSR + 2] != 0 || host->fx[FX_MXCSR + 3] != 0;
}

/* Such a bit may have come and gone: looks after each instruction. */
static bool host_had_more(const NativeCode *code, const NativeState *start)
{
    static NativeState host;
    NativeCode part = *code;

    for (part.n_insns = 1; part.n_insns <= code->n_insns; part.n_insns++) {
        part.length = code->ends[part.n_insns - 1];
        host = *start;
        native_host_run(&part, &host);
        if (host_has_more(&host)) {
            return true;
        }
    }
    return false;
}

/* ---- running ---- */

static bool run_case(const NativeCode *code, const NativeState *start, bool quiet)
{
    static NativeState host, guest;

    host = guest = *start;
    native_host_run(code, &host);
    native_guest_run(code, &guest);
    g_autoptr(GString) text = compare(code, start, &host, &guest);

    if (text->len > 0 && host_had_more(code, start)) {
        return true;
    }
    if (text->len > 0 && !quiet) {
        g_autofree char *listing = native_disassemble(code);
        uint16_t fcw = start->fx[FX_FCW] | start->fx[FX_FCW + 1] << 8;
        uint16_t fsw = start->fx[FX_FSW] | start->fx[FX_FSW + 1] << 8;

        fprintf(stderr, "%s  from rcx %016" G_GINT64_MODIFIER "x fcw %04x fsw %04x ftw %02x\n%s",
                listing, start->gpr[R_RCX], fcw, fsw, start->fx[FX_FTW], text->str);
    }
    return text->len == 0;
}

/* The shortest beginning of the run that already differs. */
static void report(const NativeCode *code, const NativeState *start)
{
    NativeCode part = *code;

    for (part.n_insns = 1; part.n_insns < code->n_insns; part.n_insns++) {
        part.length = code->ends[part.n_insns - 1];
        native_guest_load(&part);
        if (!run_case(&part, start, true)) {
            break;
        }
    }
    part.length = code->ends[part.n_insns - 1];
    native_guest_load(&part);
    if (run_case(&part, start, false)) {
        fprintf(stderr, "  differs only as part of a longer run\n");
    }
}

START_TEST(class_row)
{
    const NativeClassRow *row = &native_classes[_i / NATIVE_MODES];
    NativeMode mode = _i % NATIVE_MODES;
    g_autofree char *name = g_strconcat(row->name, mode == NATIVE_32 ? "-32" : "", NULL);
    const char *text = g_getenv("NATIVE_CASES"), *only = g_getenv("NATIVE_CLASS");
    unsigned cases = text != NULL ? strtoul(text, NULL, 0) : row->cases, failed = 0;
    static NativeState start;
    NativeCode code;

    if (only != NULL && strcmp(only, name) != 0) {
        return;
    }
    NativeClass *cls = native_class_new(_i / NATIVE_MODES, mode);
    GRand *rand = g_rand_new_with_seed(seed);

    for (unsigned n = 0; n < cases && failed < MAX_REPORTS; n++) {
        if (n % STATES_PER_CODE == 0) {
            native_make_code(cls, rand, &code);
            native_guest_load(&code);
        }
        native_make_state(cls, rand, &start);
        if (!run_case(&code, &start, true)) {
            fprintf(stderr, "%s, case %u, NATIVE_SEED=%u:\n", name, n, seed);
            report(&code, &start);
            native_guest_load(&code);
            failed++;
        }
    }
    g_rand_free(rand);
    native_class_free(cls);
    ck_assert_uint_eq(failed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("native");
    TCase *tcase = tcase_create("classes");
    unsigned rows = 0;

    while (native_classes[rows].name != NULL) {
        rows++;
    }
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, class_row, 0, rows * NATIVE_MODES);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
