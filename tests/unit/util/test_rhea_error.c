#include <errno.h>
#include <glib.h>

#include "check_main.h"
#include "rhea_error.h"

static const char *const names[] = { "cont", "stop", "system_reset", "quit" };

static const struct { const char *typed, *nearest; } typos[] = {
    { "stpo", "stop" },                         /* neighbours swapped: one slip */
    { "sotp", "stop" },
    { "STOP", "stop" },
    { "con", "cont" },
    { "system_rest", "system_reset" },
    { "sistem_rezet", "system_reset" },
    { "balloon", NULL },
    { "x", NULL },
    { "0123456789012345678901234567890123456789012345678901234567890123456789", NULL },
};

START_TEST(nearest_row)
{
    ck_assert_pstr_eq(nearest_name(typos[_i].typed, names, G_N_ELEMENTS(names)),
                      typos[_i].nearest);
}
END_TEST

START_TEST(an_error_is_one_phrase_with_hints_below)
{
    g_autoptr(GError) error = NULL;

    set_errno_error(&error, ENOENT, "cannot open '%s'", "x");
    ck_assert(g_error_matches(error, RHEA_ERROR, RHEA_ERROR_GENERIC));
    ck_assert_str_eq(error->message, "cannot open 'x': No such file or directory");
    error_suggest(&error, NULL);
    ck_assert_str_eq(error->message, "cannot open 'x': No such file or directory");
    error_suggest(&error, "y");
    error_add_hint(&error, "%d more", 2);
    ck_assert_str_eq(error->message,
                     "cannot open 'x': No such file or directory\nDid you mean 'y'?\n2 more");
}
END_TEST

START_TEST(nobody_need_ask_why)
{
    g_autoptr(GError) none = NULL;

    set_error(NULL, "lost");
    set_errno_error(NULL, EIO, "lost");
    error_add_hint(NULL, "lost");
    error_add_hint(&none, "lost");
    ck_assert_ptr_null(none);
}
END_TEST

CHECK_MAIN("rhea_error", CASES(nearest_row, typos), CASE(an_error_is_one_phrase_with_hints_below),
           CASE(nobody_need_ask_why))
