/*
 * What the files of the block layer share among themselves: who uses a node and how, the worker
 * threads, and a context's way to run a request.  Drivers need block_driver.h only.
 */
#pragma once

#include "block_driver.h"

#define BLOCK_MAX_DEPTH 200             /* of a backing chain, and of nested options */
#define BLOCK_PROBE_BYTES 2048

/* ---- uses: edges of the graph, with permissions (graph.c) ---- */

typedef struct BlockUse {
    BlockNode *node;                    /* a reference */
    unsigned perm, shared;              /* BLOCK_PERM_* */
    char *who;                          /* "node 'x'", "block device 'drive0'" */
    const char *role;                   /* "file", "backing", "root" */
    BlockNode **field;                  /* the parent's own pointer, kept in step; NULL: none */
} BlockUse;

/* Takes over the caller's reference, which is dropped on failure too. */
BlockUse *block_use_new(BlockNode *node, unsigned perm, unsigned shared, const char *who,
                        const char *role, GError **error);
void block_use_free(BlockUse *use);     /* NULL: nothing */
/* Refused when another user of the node, or of the image, is in the way; then nothing changed. */
bool block_use_set(BlockUse *use, unsigned perm, unsigned shared, GError **error);
/*
 * Makes the edge lead to another node, which has to grant what the first did.  Refused: nothing
 * changed.  No request may be under way.
 */
bool block_use_move(BlockUse *use, BlockNode *node, GError **error);
/* "node 'x'", new string, for `who`; NULL: it has no name yet. */
char *block_node_label(const BlockNode *node);
unsigned block_node_used_perms(const BlockNode *node);          /* what its users ask for */
/* What the node needs of its file, given what its users do. */
void block_node_file_perms(const BlockNode *node, unsigned *perm, unsigned *shared);

/* ---- nodes (graph.c) ---- */
/* Letters, digits, '-', '.' and '_', a letter first: what ids and node names are made of. */
bool block_is_identifier(const char *name);
BlockNode *block_node_alloc(const BlockDriver *driver, KeyVal *options);    /* options: taken */
/* `name` NULL: a generated one. The node is found by it until it goes. */
bool block_node_insert(BlockNode *node, const char *name, GError **error);
/* Makes `child` (a reference, taken) the node's file or backing, which it has none of yet. */
bool block_node_set_file(BlockNode *node, BlockNode *child, GError **error);
bool block_node_set_backing(BlockNode *node, BlockNode *child, GError **error);
void block_node_drop_backing(BlockNode *node);
/* `below` is the node itself or stands somewhere under it. */
bool block_node_reaches(const BlockNode *node, const BlockNode *below);
/* The node a door names, by its own name or as the medium of a drive; borrowed. */
BlockNode *block_node_lookup(const char *device, const char *node_name, GError **error);

/* ---- changing a node that is in use (reopen.c); no request may be under way ---- */
/*
 * From read-only to writable and back.  A child of the node's own changes with it; one that was
 * given by name has to be writable already.
 */
bool block_node_set_read_only(BlockNode *node, bool read_only, GError **error);

/* ---- opening with inherited settings (open.c) ---- */
BlockNode *block_node_open_reference(const char *name, GError **error);     /* new reference */
/* Tells of a raw image nobody said was raw, in the words people know. */
void block_warn_probed_raw(const char *filename);
/* Of a protocol, on any thread: for write_highest_offset and write_threshold. */
void block_node_note_write(BlockNode *node, uint64_t end);
void block_write_threshold_passed(BlockNode *node, uint64_t threshold, uint64_t end);
/* The format whose magic stands in `head`; raw if none does. */
const BlockDriver *block_probe(const uint8_t *head, size_t len, const char *filename);

/*
 * Unaligned writes below O_DIRECT are read, changed and written back, so nothing else may write
 * meanwhile.  Aligned writers share the gate, one that changes part of a block has it alone.
 */
typedef struct BlockGate BlockGate;
BlockGate *block_gate_new(void);
void block_gate_free(BlockGate *gate);
bool block_gate_try_share(BlockGate *gate);     /* never waits */
void block_gate_share(BlockGate *gate);
void block_gate_unshare(BlockGate *gate);
void block_gate_enter(BlockGate *gate);
void block_gate_leave(BlockGate *gate);

/* ---- vectors (iov.c) ---- */
/* At most `max` pieces of `len` bytes at `skip`; returns how many. */
unsigned block_iov_slice(struct iovec *out, unsigned max, const struct iovec *iov, unsigned niov,
                         uint64_t skip, uint64_t len);
void block_iov_fill(const struct iovec *iov, unsigned niov, uint64_t skip, uint64_t len);  /* 0 */
void block_iov_from_buf(const struct iovec *iov, unsigned niov, const void *buf, uint64_t len);
void block_iov_to_buf(const struct iovec *iov, unsigned niov, void *buf, uint64_t len);
bool block_iov_is_zero(const struct iovec *iov, unsigned niov);
bool block_iov_is_aligned(const struct iovec *iov, unsigned niov, uint32_t alignment);
