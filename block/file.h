/* The struct behind file and host_device, shared by file.c and file_lock.c. */
#pragma once

#include "block_internal.h"

typedef enum FileLocking { FILE_LOCKING_AUTO, FILE_LOCKING_ON, FILE_LOCKING_OFF } FileLocking;

typedef struct FileNode {
    BlockNode node;
    int fd;                             /* -1: not open */
    FileLocking locking;
    unsigned locked_perm, locked_unshared;      /* BLOCK_PERM_* with a lock on their byte */
    bool no_zero_range, no_punch_hole;  /* atomic: the file system said so */
} FileNode;

#define FILE_NODE(node_) ((FileNode *)(node_))

bool file_lock_parse(FileNode *file, GError **error);           /* option "locking" */
bool file_lock_set(BlockNode *node, unsigned perm, unsigned shared, GError **error);
/* Takes the same locks through another descriptor of the same file. */
bool file_lock_move(FileNode *file, int fd, GError **error);
/* A file about to be emptied: is nobody using it? */
bool file_lock_new(const char *filename, int fd, GError **error);
