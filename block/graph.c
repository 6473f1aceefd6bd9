/* Nodes: their names, their life, and who may use them how. */
#include <string.h>

#include "block_internal.h"
#include "rhea_error.h"

static GPtrArray *nodes;                /* BlockNode *, named, oldest first */
static uint64_t generated_names;

const GPtrArray *block_nodes(void)
{
    if (nodes == NULL) {
        nodes = g_ptr_array_new();
    }
    return nodes;
}

BlockNode *block_node_find(const char *node_name)
{
    const GPtrArray *list = block_nodes();

    for (guint i = 0; i < list->len; i++) {
        BlockNode *node = g_ptr_array_index(list, i);

        if (g_str_equal(node->name, node_name)) {
            return node;
        }
    }
    return NULL;
}

const char *block_node_filename(const BlockNode *node)
{
    return node->filename != NULL ? node->filename : "";
}

/* ---- permissions ---- */

static const char *const perm_names[] = { "consistent read", "write", "write unchanged", "resize" };

static char *perms_text(unsigned perms)
{
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(perm_names); i++) {
        if (perms & (1 << i)) {
            g_string_append_printf(out, "%s%s", out->len > 0 ? ", " : "", perm_names[i]);
        }
    }
    return g_string_free(out, FALSE);
}

static void fail_conflict(const BlockNode *node, unsigned perms, const char *by,
                          const char *by_role, const BlockUse *other, GError **error)
{
    g_autofree char *text = perms_text(perms);

    set_error(error,
              "Permission conflict on node '%s': permissions '%s' are both required by %s "
              "(uses node '%s' as '%s' child) and unshared by %s (uses node '%s' as '%s' child).",
              node->name, text, by, node->name, by_role, other->who, node->name, other->role);
}

static bool check_conflicts(const BlockUse *use, unsigned perm, unsigned shared, GError **error)
{
    const BlockNode *node = use->node;

    for (guint i = 0; i < node->uses->len; i++) {
        const BlockUse *other = g_ptr_array_index(node->uses, i);

        if (other == use) {
            continue;
        }
        if (perm & ~other->shared) {
            fail_conflict(node, perm & ~other->shared, use->who, use->role, other, error);
            return false;
        }
        if (other->perm & ~shared) {
            fail_conflict(node, other->perm & ~shared, other->who, other->role, use, error);
            return false;
        }
    }
    return true;
}

/* What a format needs of its image does not depend on who uses the format. */
static void file_perms(const BlockNode *node, unsigned *perm, unsigned *shared)
{
    if (node->driver->filter) {
        return;
    }
    *perm = BLOCK_PERM_READ | (node->read_only ? 0 : BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE);
    *shared = node->force_share ? BLOCK_PERM_ALL : BLOCK_PERM_READ | BLOCK_PERM_WRITE_UNCHANGED;
}

static void backing_perms(const BlockNode *node, unsigned *perm, unsigned *shared)
{
    *perm = BLOCK_PERM_READ;
    *shared = node->force_share ? BLOCK_PERM_ALL : BLOCK_PERM_READ | BLOCK_PERM_WRITE_UNCHANGED;
}

/* The sum of what all users want, with `use` (NULL: none) counted as given. */
static void sum_uses(const BlockNode *node, const BlockUse *use, unsigned *perm, unsigned *shared)
{
    for (guint i = 0; i < node->uses->len; i++) {
        const BlockUse *other = g_ptr_array_index(node->uses, i);

        if (other != use) {
            *perm |= other->perm;
            *shared &= other->shared;
        }
    }
}

unsigned block_node_used_perms(const BlockNode *node)
{
    unsigned perm = 0, shared = BLOCK_PERM_ALL;

    sum_uses(node, NULL, &perm, &shared);
    return perm;
}

void block_node_file_perms(const BlockNode *node, unsigned *perm, unsigned *shared)
{
    *perm = 0;
    *shared = BLOCK_PERM_ALL;
    sum_uses(node, NULL, perm, shared);
    file_perms(node, perm, shared);
}

/* Hands the node's own needs to what it is made of. */
static bool node_set_perm(BlockNode *node, unsigned perm, unsigned shared, GError **error)
{
    if (node->file_use != NULL) {
        file_perms(node, &perm, &shared);
        return block_use_set(node->file_use, perm, shared, error);
    }
    return node->driver->set_perm == NULL || node->driver->set_perm(node, perm, shared, error);
}

bool block_use_set(BlockUse *use, unsigned perm, unsigned shared, GError **error)
{
    BlockNode *node = use->node;
    unsigned all_perm = perm, all_shared = shared;

    if ((perm & BLOCK_PERM_WRITE) && node->read_only) {
        set_error(error, "Block node is read-only");
        return false;
    }
    if (!check_conflicts(use, perm, shared, error)) {
        return false;
    }
    sum_uses(node, use, &all_perm, &all_shared);
    if (!node_set_perm(node, all_perm, all_shared, error)) {
        return false;
    }
    use->perm = perm;
    use->shared = shared;
    return true;
}

BlockUse *block_use_new(BlockNode *node, unsigned perm, unsigned shared, const char *who,
                        const char *role, GError **error)
{
    BlockUse *use = g_new0(BlockUse, 1);

    *use = (BlockUse){ node, 0, BLOCK_PERM_ALL, g_strdup(who), role };
    g_ptr_array_add(node->uses, use);
    if (!block_use_set(use, perm, shared, error)) {
        block_use_free(use);
        return NULL;
    }
    return use;
}

/* The node has a user less.  Letting go never fails. */
static void let_go(BlockNode *node, BlockUse *use)
{
    unsigned perm = 0, shared = BLOCK_PERM_ALL;

    g_ptr_array_remove(node->uses, use);
    sum_uses(node, NULL, &perm, &shared);
    node_set_perm(node, perm, shared, NULL);
}

void block_use_free(BlockUse *use)
{
    BlockNode *node;

    if (use == NULL) {
        return;
    }
    node = use->node;
    let_go(node, use);
    g_free(use->who);
    g_free(use);
    block_node_unref(node);
}

bool block_use_move(BlockUse *use, BlockNode *node, GError **error)
{
    BlockNode *before = use->node;

    use->node = block_node_ref(node);
    g_ptr_array_add(node->uses, use);
    if (!block_use_set(use, use->perm, use->shared, error)) {
        g_ptr_array_remove(node->uses, use);
        use->node = before;
        block_node_unref(node);
        return false;
    }
    let_go(before, use);
    if (use->field != NULL) {
        *use->field = node;
    }
    block_node_unref(before);
    return true;
}

/* ---- life ---- */

BlockNode *block_node_alloc(const BlockDriver *driver, KeyVal *options)
{
    BlockNode *node = g_malloc0(driver->size);

    node->driver = driver;
    node->refs = 1;
    node->options = options;
    node->request_alignment = node->memory_alignment = 1;
    node->uses = g_ptr_array_new();
    return node;
}

bool block_is_identifier(const char *name)
{
    if (!g_ascii_isalpha(*name)) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!g_ascii_isalnum(*name) && strchr("-._", *name) == NULL) {
            return false;
        }
    }
    return true;
}

static bool check_name(const char *name, GError **error)
{
    if (!block_is_identifier(name)) {
        set_error(error, "Invalid node-name: '%s'", name);
        return false;
    }
    if (strlen(name) > 31) {
        set_error(error, "Node name too long");
        error_add_hint(error, "At most 31 characters are allowed.");
        return false;
    }
    if (block_backend_find(name) != NULL) {
        set_error(error, "node-name=%s is conflicting with a device id", name);
        return false;
    }
    if (block_node_find(name) != NULL) {
        set_error(error, "Duplicate nodes with node-name='%s'", name);
        return false;
    }
    return true;
}

bool block_node_insert(BlockNode *node, const char *name, GError **error)
{
    if (name != NULL && !check_name(name, error)) {
        return false;
    }
    block_nodes();
    node->name = name != NULL ? g_strdup(name)
                              : g_strdup_printf("#block%" G_GUINT64_FORMAT "%02d",
                                                generated_names++, g_random_int_range(0, 100));
    g_ptr_array_add(nodes, node);
    return true;
}

char *block_node_label(const BlockNode *node)
{
    const char *name = node->name != NULL ? node->name : keyval_get(node->options, "node-name");

    return name != NULL ? g_strdup_printf("node '%s'", name) : NULL;
}

static bool set_child(BlockNode *node, BlockNode *child, const char *role, BlockNode **field,
                      BlockUse **use, unsigned perm, unsigned shared, GError **error)
{
    g_autofree char *own = block_node_label(node);
    g_autofree char *who = own != NULL ? g_steal_pointer(&own)
                                       : g_strdup_printf("the node of '%s'", child->filename);

    g_assert(*use == NULL);

    *use = block_use_new(child, perm, shared, who, role, error);
    if (*use == NULL) {
        return false;
    }
    (*use)->field = field;
    *field = child;
    return true;
}

bool block_node_set_file(BlockNode *node, BlockNode *child, GError **error)
{
    unsigned perm, shared;

    block_node_file_perms(node, &perm, &shared);
    return set_child(node, child, "file", &node->file, &node->file_use, perm, shared, error);
}

bool block_node_set_backing(BlockNode *node, BlockNode *child, GError **error)
{
    unsigned perm, shared;

    backing_perms(node, &perm, &shared);
    return set_child(node, child, "backing", &node->backing, &node->backing_use, perm, shared,
                     error);
}

void block_node_drop_backing(BlockNode *node)
{
    block_use_free(g_steal_pointer(&node->backing_use));
    node->backing = NULL;
}

bool block_node_reaches(const BlockNode *node, const BlockNode *below)
{
    for (; node != NULL; node = node->backing) {
        if (node == below || (node->file != NULL && block_node_reaches(node->file, below))) {
            return true;
        }
    }
    return false;
}

BlockNode *block_node_lookup(const char *device, const char *node_name, GError **error)
{
    BlockBackend *blk = device != NULL ? block_backend_find(device) : NULL;
    BlockNode *node = node_name != NULL ? block_node_find(node_name) : NULL;

    if (blk != NULL && block_backend_node(blk) == NULL) {
        set_error(error, "Device '%s' has no medium", device);
        return NULL;
    }
    if (blk != NULL) {
        return block_backend_node(blk);
    }
    if (node == NULL) {
        set_error(error, "Cannot find device='%s' nor node-name='%s'",
                  device != NULL ? device : "", node_name != NULL ? node_name : "");
    }
    return node;
}

BlockNode *block_node_ref(BlockNode *node)
{
    node->refs++;
    return node;
}

static void node_free(BlockNode *node)
{
    g_assert(node->uses->len == 0);
    if (node->driver->close != NULL) {
        node->driver->close(node);
    }
    if (node->name != NULL) {
        g_ptr_array_remove(nodes, node);
    }
    block_use_free(node->backing_use);
    block_use_free(node->file_use);
    block_gate_free(node->gate);
    g_ptr_array_unref(node->uses);
    keyval_free(node->options);
    g_free(node->backing_filename);
    g_free(node->backing_format);
    g_free(node->filename);
    g_free(node->name);
    g_free(node);
}

void block_node_unref(BlockNode *node)
{
    if (node != NULL && --node->refs == 0) {
        node_free(node);
    }
}

bool block_node_delete(const char *node_name, GError **error)
{
    BlockNode *node = block_node_find(node_name);

    if (node == NULL) {
        set_error(error, "Failed to find node with node-name='%s'", node_name);
        return false;
    }
    if (!node->by_monitor) {
        set_error(error, "Node %s is not owned by the monitor", node_name);
        return false;
    }
    if (node->refs > 1) {
        set_error(error, "Node %s is in use", node_name);
        return false;
    }
    block_node_unref(node);
    return true;
}
