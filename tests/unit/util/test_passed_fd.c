/* Descriptors by name and in sets. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check_main.h"
#include "passed_fd.h"
#include "rhea_error.h"

static const char one, other;           /* owners */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* The error a function leaves. */
#define WHY(call_, text_) \
    do { \
        g_autoptr(GError) error = NULL; \
        call_; \
        ck_assert_ptr_nonnull(error); \
        ck_assert_str_eq(error->message, text_); \
    } while (0)

START_TEST(names)
{
    int first = dup(0), second = dup(0);

    WHY(passed_fd_name(&one, "1a", dup(0), &error),
        "Parameter 'fdname' expects a name not starting with a digit");
    ck_assert(passed_fd_name(&one, "a", first, NULL));
    WHY(passed_fd_close(&other, "a", &error), "File descriptor named 'a' not found");
    ck_assert(passed_fd_name(&one, "a", second, NULL));
    ck_assert(!is_open(first));
    WHY(passed_fd_take("a", &error), "File descriptor named 'a' has not been found");
    passed_fd_set_owner(&one);
    ck_assert_int_eq(passed_fd_take("a", NULL), second);
    WHY(passed_fd_take("a", &error), "File descriptor named 'a' has not been found");
    passed_fd_drop("a", second);
    ck_assert(!is_open(second));
    ck_assert_int_eq(passed_fd_take("0", NULL), 0);
    passed_fd_drop("0", 0);
    ck_assert(is_open(0));
    WHY(passed_fd_take("9x", &error), "Invalid file descriptor number '9x'");
    passed_fd_name(&one, "a", second = dup(0), NULL);
    passed_fd_close_all(&other);
    ck_assert(is_open(second));
    passed_fd_close_all(&one);
    ck_assert(!is_open(second));
}
END_TEST

static void list(const FdSet *set, void *opaque)
{
    g_string_append_printf(opaque, "%d:", (int)set->id);
    for (guint i = 0; i < set->members->len; i++) {
        const char *text = g_array_index(set->members, FdSetMember, i).opaque;

        g_string_append(opaque, text != NULL ? text : "-");
    }
    g_string_append_c(opaque, ' ');
}

static void sets_are(const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);

    fdset_foreach(list, text);
    ck_assert_str_eq(text->str, expected);
}

static int64_t add(int64_t id, int flags, const char *opaque)
{
    ck_assert(fdset_add(&id, open("/dev/null", flags), opaque, NULL));
    return id;
}

START_TEST(sets)
{
    int fd;

    ck_assert_int_eq(add(-1, O_RDONLY, "r"), 0);
    ck_assert_int_eq(add(2, O_RDONLY, NULL), 2);
    ck_assert_int_eq(add(-1, O_RDONLY, "x"), 1);
    ck_assert_int_eq(add(0, O_RDWR, "w"), 0);
    sets_are("0:wr 1:x 2:- ");
    fd = passed_fd_open("/dev/fdset/0", O_RDWR, 0);
    ck_assert(is_open(fd));
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    ck_assert_int_eq(passed_fd_open("/dev/fdset/0", O_WRONLY, 0), -1);
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(passed_fd_open("/dev/fdset/9", O_RDWR, 0), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(passed_fd_open("/dev/fdset/x", O_RDWR, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(passed_fd_open("/dev/fdset/0", O_RDWR | O_CREAT | O_EXCL, 0600), -1);
    ck_assert_int_eq(errno, EEXIST);
    fdset_drop_unused();                                /* 0 is in use */
    sets_are("0:wr ");
    ck_assert(fdset_remove(0, NULL, NULL));
    sets_are("0: ");
    ck_assert_int_eq(add(-1, O_RDONLY, "n"), 1);        /* the number is not free yet */
    passed_fd_release(fd);
    ck_assert(!is_open(fd));
    sets_are("1:n ");
    WHY(fdset_remove(0, NULL, &error), "File descriptor named 'fdset-id:0' not found");
    WHY(fdset_remove(1, &(int64_t){ 5000 }, &error),
        "File descriptor named 'fdset-id:1, fd:5000' not found");
    ck_assert(fdset_remove(1, NULL, NULL));
}
END_TEST

START_TEST(files_outside)
{
    int fd = passed_fd_open("/dev/null", O_RDONLY, 0);

    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    passed_fd_release(fd);
    ck_assert(!is_open(fd));
    ck_assert_int_eq(passed_fd_open("/nosuch/file", O_RDONLY, 0), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(limit)
{
    int64_t id = 0;

    for (int i = 0; i < PASSED_FD_MAX; i++) {
        ck_assert(fdset_add(&id, -1, NULL, NULL));      /* the number does not matter here */
    }
    WHY(fdset_add(&id, dup(0), NULL, &error),
        "Too many file descriptors are held: at most 1024, close some first");
    WHY(passed_fd_name(&one, "a", dup(0), &error),
        "Too many file descriptors are held: at most 1024, close some first");
    fdset_drop_unused();
    ck_assert(passed_fd_name(&one, "a", dup(0), NULL));
    passed_fd_close_all(&one);
}
END_TEST

CHECK_MAIN("passed_fd", CASE(names), CASE(sets), CASE(files_outside), CASE(limit))
