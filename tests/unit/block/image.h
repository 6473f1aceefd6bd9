/* Images for tests: files that go with the test. */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block_driver.h"

/* A new file of `size` bytes, byte n holding a pattern of n. Its name, in *text if not NULL. */
static inline char *image_new(size_t size)
{
    char *path = g_strdup_printf("%s/rhea-image-XXXXXX", g_get_tmp_dir());
    g_autofree char *bytes = g_malloc(size + 1);
    int fd = g_mkstemp(path);

    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = i ^ (i >> 8) ^ (i >> 16);
    }
    ck_assert_int_eq(write(fd, bytes, size), size);
    close(fd);
    return path;
}

static inline char image_byte(size_t i)
{
    return i ^ (i >> 8) ^ (i >> 16);
}

static inline void image_free(char *path)
{
    g_unlink(path);
    g_free(path);
}

static inline KeyVal *options(const char *text)
{
    KeyVal *kv = keyval_parse(text, NULL, NULL);

    ck_assert_ptr_nonnull(kv);
    return kv;
}

/* Opens, and fails the test with the reason if that fails. */
static inline BlockNode *open_ok(const char *filename, const char *format, const char *opts,
                                 unsigned flags)
{
    GError *error = NULL;
    BlockNode *node = block_node_open(filename, format, opts != NULL ? options(opts) : NULL, flags,
                                      &error);

    ck_assert_msg(node != NULL, "%s", error != NULL ? error->message : "");
    return node;
}
