/* Nodes: how options become a graph, what is refused, who may share what. */
#include <sys/stat.h>

#include "block_internal.h"
#include "check_main.h"
#include "image.h"

#define SIZE (64 * 1024)

static char *image;

static void setup(void)
{
    image = image_new(SIZE);
}

/* "%" stands for the image's name. */
static char *with_image(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "%", -1);

    return g_strjoinv(image, parts);
}

static BlockNode *add(const char *text, GError **error)
{
    g_autofree char *full = with_image(text);
    g_autoptr(KeyVal) kv = keyval_parse_either(full, "driver", error);

    return kv != NULL ? block_node_add(kv, error) : NULL;
}

static const struct { const char *text, *error; } blockdevs[] = {
    { "null-co,node-name=n", NULL },
    { "file,filename=%,node-name=n", NULL },
    { "raw,file.driver=file,file.filename=%,node-name=n", NULL },
    { "{\"driver\":\"raw\",\"node-name\":\"n\",\"file\":{\"driver\":\"file\",\"filename\":\"%\"}}",
      NULL },
    { "raw,file.filename=%,node-name=n,offset=512,size=4096", NULL },
    { "raw,file.driver=file,file.filename=%", "'node-name' must be specified for the root node" },
    { "node-name=n", "Parameter 'driver' is missing" },
    { "nosuch,node-name=n", "Parameter 'driver' does not accept value 'nosuch'" },
    { "raw,node-name=n", "Parameter 'file' is missing" },
    { "file,node-name=n", "Parameter 'filename' is missing" },
    { "raw,node-name=n,file=nosuch", "Cannot find device='nosuch' nor node-name='nosuch'" },
    { "file,filename=%,node-name=n,bogus=1", "Parameter 'bogus' is unexpected" },
    { "raw,file.driver=file,file.filename=%,node-name=n,bogus=1",
      "Parameter 'bogus' is unexpected" },
    { "file,filename=%,node-name=#n", "Invalid node-name: '#n'" },
    { "file,filename=%,node-name=a23456789012345678901234567890123", "Node name too long" },
    { "file,filename=/nosuch/file,node-name=n",
      "Could not open '/nosuch/file': No such file or directory" },
    { "file,filename=/,node-name=n", "'file' driver requires '/' to be a regular file" },
    { "host_device,filename=%,node-name=n",
      "'host_device' driver requires '%' to be either a character or block device" },
    { "raw,file.filename=%,node-name=n,offset=1M",
      "Offset (1048576) cannot be greater than size of the containing file (65536)" },
    { "raw,file.filename=%,node-name=n,offset=512,size=64k",
      "The sum of offset (512) and size (65536) has to be smaller or equal to the  actual size of "
      "the containing file (65536)" },
    { "null-co,node-name=n,detect-zeroes=unmap",
      "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap" },
    { "null-co,node-name=n,force-share=on",
      "force-share=on can only be used with read-only images" },
    { "file,filename=%,node-name=n,aio=native", "aio=native was specified, but it requires "
      "cache.direct=on, which was not specified." },
    { "file,filename=%,node-name=n,aio=bogus", "invalid aio option" },
    { "file,filename=%,node-name=n,read-only=maybe",
      "Parameter 'read-only' expects 'on' or 'off'" },
    { "file,filename=%,node-name=n,locking=bogus",
      "Parameter 'locking' does not accept value 'bogus'" },
};

/* Messages end before their hints. */
static void check_message(GError *error, const char *expected)
{
    g_autofree char *full = expected != NULL ? with_image(expected) : NULL;

    if (expected == NULL) {
        ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
        return;
    }
    ck_assert_msg(error != NULL, "no error, but expected: %s", full);
    ck_assert_msg(g_str_has_prefix(error->message, full), "'%s' is not '%s'", error->message,
                  full);
}

START_TEST(blockdev_row)
{
    g_autoptr(GError) error = NULL;
    BlockNode *node;

    setup();
    node = add(blockdevs[_i].text, &error);
    check_message(error, blockdevs[_i].error);
    ck_assert_int_eq(node != NULL, blockdevs[_i].error == NULL);
    if (node != NULL) {
        ck_assert(block_node_delete("n", NULL));
    }
    ck_assert_uint_eq(block_nodes()->len, 0);           /* nothing is left behind */
    image_free(image);
}
END_TEST

START_TEST(names_and_references)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert_ptr_nonnull(add("file,filename=%,node-name=f", NULL));
    ck_assert_ptr_null(add("null-co,node-name=f", &error));
    check_message(error, "Duplicate nodes with node-name='f'");
    ck_assert_ptr_nonnull(add("raw,file=f,node-name=r", NULL));
    ck_assert_ptr_eq(block_node_find("r")->file, block_node_find("f"));
    g_clear_error(&error);
    ck_assert(!block_node_delete("f", &error));
    check_message(error, "Node f is in use");
    g_clear_error(&error);
    ck_assert(!block_node_delete("x", &error));
    check_message(error, "Failed to find node with node-name='x'");
    ck_assert(block_node_delete("r", NULL));
    ck_assert(block_node_delete("f", NULL));
    image_free(image);
}
END_TEST

START_TEST(guessed_format)
{
    BlockNode *node;

    setup();
    node = open_ok(image, NULL, NULL, 0);
    ck_assert_str_eq(node->driver->name, "raw");
    ck_assert(node->probed_raw && node->read_only && node->file->read_only);
    ck_assert_str_eq(node->filename, image);
    ck_assert_str_eq(node->file->driver->name, "file");
    block_node_unref(node);
    image_free(image);
}
END_TEST

START_TEST(json_file_name)
{
    g_autofree char *name = NULL;
    BlockNode *node;

    setup();
    name = g_strdup_printf("json:{\"driver\":\"raw\",\"offset\":1024,\"file.filename\":\"%s\"}",
                           image);
    node = open_ok(name, NULL, NULL, 0);
    ck_assert_uint_eq(block_node_size(node), SIZE - 1024);
    block_node_unref(node);
    image_free(image);
}
END_TEST

static const struct { const char *name, *error; } bad_names[] = {
    { "fat:dir", "Unknown protocol 'fat'" },
    { "iscsi://x/y", "Unknown protocol 'iscsi'" },
    { "json:{", "Could not parse the JSON options" },
    { "./with:colon", "Could not open './with:colon': No such file or directory" },
    { "file:nosuch", "Could not open 'nosuch': No such file or directory" },
};

START_TEST(bad_name_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(block_node_open(bad_names[_i].name, NULL, NULL, 0, &error));
    check_message(error, bad_names[_i].error);
    ck_assert_uint_eq(block_nodes()->len, 0);
}
END_TEST

static const struct { const char *image, *backing, *path; } backing_paths[] = {
    { "/a/b.qcow2", "c.qcow2", "/a/c.qcow2" },
    { "b.qcow2", "c.qcow2", "c.qcow2" },
    { "d/b.qcow2", "../c.qcow2", "d/../c.qcow2" },
    { "/a/b.qcow2", "/c.qcow2", "/c.qcow2" },
    { "/a/b.qcow2", "nbd:unix:/x", "nbd:unix:/x" },
    { "/a/b.qcow2", "sub/x:y", "/a/sub/x:y" },
    { NULL, "c", "c" },
};

START_TEST(backing_path_row)
{
    g_autofree char *path = block_backing_path(backing_paths[_i].image, backing_paths[_i].backing);

    ck_assert_str_eq(path, backing_paths[_i].path);
}
END_TEST

/* ---- permissions ---- */

enum { R = BLOCK_PERM_READ, W = BLOCK_PERM_WRITE, ALL = BLOCK_PERM_ALL };
static const struct { unsigned perm1, shared1, perm2, shared2; bool ok; } shares[] = {
    { R,     ALL,      R,     ALL,      true },
    { R | W, ALL & ~W, R,     ALL,      true },
    { R | W, ALL & ~W, R | W, ALL,      false },
    { R | W, ALL,      R | W, ALL,      true },
    { R | W, ALL,      R,     ALL & ~W, false },
    { R,     R,        R,     R,        true },
};

/* On one node, and on two nodes of one file, as two processes would. */
START_TEST(share_row)
{
    BlockNode *first, *second;
    BlockUse *one, *two;
    g_autoptr(GError) error = NULL;
    bool locks = _i >= (int)G_N_ELEMENTS(shares);
    int row = _i % G_N_ELEMENTS(shares);

    setup();
    first = open_ok(image, "raw", NULL, BLOCK_OPEN_RDWR);
    second = locks ? open_ok(image, "raw", NULL, BLOCK_OPEN_RDWR) : block_node_ref(first);
    one = block_use_new(first, shares[row].perm1, shares[row].shared1, "one", "root", NULL);
    ck_assert_ptr_nonnull(one);
    two = block_use_new(second, shares[row].perm2, shares[row].shared2, "two", "root", &error);
    ck_assert_int_eq(two != NULL, shares[row].ok);
    if (two == NULL) {
        ck_assert_msg(strstr(error->message, locks ? "\"write\" lock" : "Permission conflict"),
                      "%s", error->message);
    }
    block_use_free(two);
    /* what the second could not have, it can once the first is gone */
    block_use_free(one);
    second = open_ok(image, "raw", NULL, BLOCK_OPEN_RDWR);
    two = block_use_new(second, shares[row].perm2, shares[row].shared2, "two", "root", NULL);
    ck_assert_ptr_nonnull(two);
    block_use_free(two);
    ck_assert_uint_eq(block_nodes()->len, 0);
    image_free(image);
}
END_TEST

START_TEST(read_only_node)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert_ptr_null(block_use_new(open_ok(image, "raw", NULL, 0), W, ALL, "one", "root",
                                     &error));
    check_message(error, "Block node is read-only");
    image_free(image);
}
END_TEST

CHECK_MAIN("block/graph", CASES(blockdev_row, blockdevs), CASE(names_and_references),
           CASE(guessed_format), CASE(json_file_name), CASES(bad_name_row, bad_names),
           CASES(backing_path_row, backing_paths), TIMES(share_row, 2 * G_N_ELEMENTS(shares)),
           CASE(read_only_node))
