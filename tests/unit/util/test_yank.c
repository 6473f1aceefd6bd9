/* Cutting connections by name. */
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "rhea_error.h"
#include "yank.h"

static void count(const YankKey *key, void *opaque)
{
    ++*(int *)opaque;
}

static bool cut(YankType type, const char *name)
{
    return yank_cut(&(YankKey){ type, name }, 1, NULL);
}

/* The other end has been told, without waiting. */
static bool is_cut(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(cuts_what_is_named)
{
    YankEntry *chardev = yank_add(YANK_CHARDEV, "a"), *node = yank_add(YANK_BLOCK_NODE, "a");
    const YankKey both[] = { { YANK_CHARDEV, "b" }, { YANK_CHARDEV, "nosuch" } };
    g_autoptr(GError) error = NULL;
    int pair[2], n = 0;

    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    yank_set_fd(chardev, pair[0]);
    ck_assert(cut(YANK_BLOCK_NODE, "a"));               /* has no connection */
    yank_rename(chardev, "b");
    ck_assert(!cut(YANK_CHARDEV, "a"));
    ck_assert(!yank_cut(both, 2, &error));              /* all or none */
    ck_assert(g_error_matches(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND));
    ck_assert(!is_cut(pair[1]));
    ck_assert(cut(YANK_CHARDEV, "b"));
    ck_assert(is_cut(pair[1]));
    yank_foreach(count, &n);
    ck_assert_int_eq(n, 2);
    yank_set_fd(chardev, -1);
    ck_assert(cut(YANK_CHARDEV, "b"));
    yank_remove(chardev);
    yank_remove(node);
    yank_remove(NULL);
    ck_assert(!cut(YANK_CHARDEV, "b"));
    close(pair[0]);
    close(pair[1]);
}
END_TEST

CHECK_MAIN("yank", CASE(cuts_what_is_named))
