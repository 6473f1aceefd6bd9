#include <glib.h>

#include "check_main.h"
#include "object.h"

/*
 * /machine/peripheral/net0/queue, /machine/unattached/device[0]/queue,
 * /machine/unattached/device[1] and /chardevs/net0
 */
static Object net0, net0_queue, device0, device0_queue, device1, chardev;

static void add(Object *parent, const char *name, Object *obj)
{
    object_init(obj, "toy");
    object_add_child(parent, name, obj);
}

static void setup(void)
{
    add(object_container("/machine/peripheral"), "net0", &net0);
    add(&net0, "queue", &net0_queue);
    add(object_container("/machine/unattached"), "device[*]", &device0);
    add(object_container("/machine/unattached"), "device[*]", &device1);
    add(&device0, "queue", &device0_queue);
    add(object_container("/chardevs"), "net0", &chardev);
}

static const struct { const char *path; Object *found; bool ambiguous; } paths[] = {
    { "/machine/peripheral/net0", &net0 },
    { "/machine/peripheral/net0/", &net0 },
    { "//machine//peripheral/net0", &net0 },
    { "/machine/unattached/device[1]", &device1 },
    { "/chardevs/net0", &chardev },
    { "/net0", NULL },                          /* absolute: no search */
    { "/machine/peripheral/net1", NULL },
    { "/machine/peripheral/net0/queue/deeper", NULL },
    { "peripheral/net0", &net0 },
    { "chardevs/net0", &chardev },
    { "device[1]", &device1 },
    { "net0/queue", &net0_queue },
    { "device[0]/queue", &device0_queue },
    { "net0", NULL, true },
    { "queue", NULL, true },
    { "nothing", NULL },
    { "", NULL },
};

START_TEST(resolve_row)
{
    bool ambiguous = !paths[_i].ambiguous;

    setup();
    ck_assert_ptr_eq(object_resolve(paths[_i].path, &ambiguous), paths[_i].found);
    ck_assert_int_eq(ambiguous, paths[_i].ambiguous);
    ck_assert_ptr_eq(object_resolve(paths[_i].path, NULL), paths[_i].found);
}
END_TEST

static const struct { Object *obj; const char *path; } names[] = {
    { &net0_queue, "/machine/peripheral/net0/queue" },
    { &device0, "/machine/unattached/device[0]" },
    { &device1, "/machine/unattached/device[1]" },
};

START_TEST(path_row)
{
    g_autofree char *path = NULL;

    setup();
    path = object_path(names[_i].obj);
    ck_assert_str_eq(path, names[_i].path);
}
END_TEST

START_TEST(the_root_is_a_slash)
{
    g_autofree char *path = object_path(object_resolve("/", NULL));

    ck_assert_str_eq(path, "/");
}
END_TEST

START_TEST(what_left_the_tree_has_no_path)
{
    setup();
    object_remove(&net0);
    ck_assert_ptr_null(object_path(&net0));
    ck_assert_ptr_null(object_path(&net0_queue));
    ck_assert_ptr_eq(object_resolve("net0", NULL), &chardev);       /* the other one is gone */
}
END_TEST

START_TEST(a_free_number_is_taken_again)
{
    g_autofree char *path = NULL;
    Object another;

    setup();
    object_finish(&device0);
    add(object_container("/machine/unattached"), "device[*]", &another);
    path = object_path(&another);
    ck_assert_str_eq(path, "/machine/unattached/device[0]");
    ck_assert_ptr_null(object_path(&device0_queue));                /* orphaned, not freed */
}
END_TEST

CHECK_MAIN("object", CASES(resolve_row, paths), CASES(path_row, names), CASE(the_root_is_a_slash),
           CASE(what_left_the_tree_has_no_path), CASE(a_free_number_is_taken_again))
