#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "vm_log.h"

static const struct { const char *items; bool ok; unsigned mask; } rows[] = {
    { "int", true, LOG_INT },
    { "int,exec", true, LOG_INT | LOG_EXEC },
    { "guest_errors,unimp,cpu_reset", true, LOG_GUEST_ERROR | LOG_UNIMP | LOG_CPU_RESET },
    { "all", true, ~0u },
    { "int,none", true, 0 },
    { "none,mmu", true, LOG_MMU },
    { "itn", false, LOG_CPU },                  /* refused as a whole: what was on stays on */
    { "int,", false, LOG_CPU },
    { "", true, 0 },
};

START_TEST(items_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert(log_set_items("cpu", NULL));
    ck_assert_int_eq(log_set_items(rows[_i].items, &error), rows[_i].ok);
    ck_assert_int_eq(error == NULL, rows[_i].ok);
    ck_assert_uint_eq(log_mask, rows[_i].mask);
}
END_TEST

START_TEST(every_item_is_named_once)
{
    unsigned seen = 0;

    for (const LogItemInfo *info = log_items; info->name != NULL; info++) {
        ck_assert_uint_eq(seen & info->item, 0);
        seen |= info->item;
        ck_assert(log_set_items(info->name, NULL));
        ck_assert_uint_eq(log_mask, info->item);
    }
}
END_TEST

/* What the log holds after write() ran with `items` on. */
static char *logged(const char *items, void (*write)(void))
{
    g_autofree char *path = NULL;
    char *text = NULL;
    int fd = g_file_open_tmp("vm-log-XXXXXX", &path, NULL);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(log_set_file(path, NULL));
    ck_assert(log_set_items(items, NULL));
    write();
    ck_assert(log_set_file(NULL, NULL));
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    g_unlink(path);
    return text;
}

static void write_three(void)
{
    log_write(LOG_INT, "vector %d", 14);
    log_write(LOG_EXEC, "not wanted");
    log_write(LOG_INT, "whole line\n");
}

START_TEST(only_what_is_on_is_written_a_line_each)
{
    g_autofree char *text = logged("int", write_three);

    ck_assert_str_eq(text, "vector 14\nwhole line\n");
}
END_TEST

static void complain_in_a_loop(void)
{
    for (int i = 0; i < 100000; i++) {
        log_guest("odd");
    }
}

START_TEST(a_guest_in_a_loop_does_not_fill_the_disk)
{
    g_autofree char *text = logged("guest_errors", complain_in_a_loop);

    ck_assert_uint_ge(strlen(text), strlen("odd\n"));
    ck_assert_uint_lt(strlen(text), 10000 * strlen("odd\n"));
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_an_error)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!log_set_file("/nonexistent/log", &error));
    ck_assert_str_eq(error->message,
                     "cannot open log file '/nonexistent/log': No such file or directory");
}
END_TEST

CHECK_MAIN("vm_log", CASES(items_row, rows), CASE(every_item_is_named_once),
           CASE(only_what_is_on_is_written_a_line_each),
           CASE(a_guest_in_a_loop_does_not_fill_the_disk),
           CASE(a_file_that_cannot_be_opened_is_an_error))
