/* Backends: their registry, their medium, and the device they are plugged into. */
#include "backend.h"

#include <errno.h>
#include <string.h>

#include "rhea_error.h"

static GPtrArray *backends;             /* BlockBackend *, oldest first */

const GPtrArray *block_backends(void)
{
    if (backends == NULL) {
        backends = g_ptr_array_new();
    }
    return backends;
}

BlockBackend *block_backend_find(const char *name)
{
    const GPtrArray *list = block_backends();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);

        if (*blk->name != '\0' && g_str_equal(blk->name, name)) {
            return blk;
        }
    }
    return NULL;
}

BlockBackend *block_backend_new(const char *name)
{
    BlockBackend *blk = g_new0(BlockBackend, 1);

    block_backends();
    blk->name = g_strdup(name);
    blk->context = block_context_main();
    blk->write_cache = blk->account_invalid = blk->account_failed = true;
    blk->rerror = BLOCK_ERROR_REPORT;
    blk->werror = BLOCK_ERROR_ENOSPC;
    blk->bus = blk->unit = -1;
    block_req_list_init(&blk->parked);
    block_req_list_init(&blk->held);
    block_req_list_init(&blk->throttled[0]);
    block_req_list_init(&blk->throttled[1]);
    g_mutex_init(&blk->lock);
    g_cond_init(&blk->idle);
    g_ptr_array_add(backends, blk);
    return blk;
}

void block_backend_free(BlockBackend *blk)
{
    g_assert(blk->dev == NULL);
    block_throttle_leave(blk);
    block_drain(blk);
    block_use_free(blk->use);
    g_ptr_array_remove(backends, blk);
    g_mutex_clear(&blk->lock);
    g_cond_clear(&blk->idle);
    g_free(blk->name);
    g_free(blk->serial);
    g_free(blk->interface);
    g_free(blk);
}

bool block_backend_delete(BlockBackend *blk, GError **error)
{
    if (blk->dev != NULL) {
        set_error(error, "Device '%s' is in use", blk->name);
        return false;
    }
    block_backend_free(blk);
    return true;
}

/* ---- what it is ---- */

const char *block_backend_name(const BlockBackend *blk)
{
    return blk->name;
}

BlockNode *block_backend_node(const BlockBackend *blk)
{
    return backend_node(blk);
}

Device *block_backend_device(const BlockBackend *blk)
{
    return blk->dev;
}

void block_backend_accounting(const BlockBackend *blk, bool *invalid, bool *failed)
{
    *invalid = blk->account_invalid;
    *failed = blk->account_failed;
}

bool block_backend_read_only(const BlockBackend *blk)
{
    return blk->use != NULL ? backend_node(blk)->read_only : blk->read_only;
}

bool block_backend_write_cache(const BlockBackend *blk)
{
    return blk->write_cache;
}

void block_backend_set_write_cache(BlockBackend *blk, bool on)
{
    blk->write_cache = on;
}

uint64_t block_backend_size(const BlockBackend *blk)
{
    return blk->use != NULL ? block_node_size(backend_node(blk)) : 0;
}

const char *block_backend_serial(const BlockBackend *blk)
{
    return blk->serial;
}

const char *block_backend_io_status(const BlockBackend *blk)
{
    static const char *const names[] = { "ok", "failed", "nospace" };

    return names[__atomic_load_n(&blk->io_status, __ATOMIC_RELAXED)];
}

void block_drive_info(const BlockBackend *blk, BlockDriveInfo *info)
{
    *info = (BlockDriveInfo){ blk->interface != NULL ? blk->interface : "none", blk->bus,
                              blk->unit, blk->cdrom };
}

/* ---- its medium ---- */

void block_backend_perms(const BlockBackend *blk, unsigned *perm, unsigned *shared)
{
    *perm = BLOCK_PERM_READ;
    *shared = BLOCK_PERM_ALL;
    if (blk->dev != NULL) {
        *perm |= blk->writable ? BLOCK_PERM_WRITE : 0;
        *shared &= ~(blk->share_rw ? 0 : BLOCK_PERM_WRITE);
    }
}

/* An iothread looks at `use` with every request. */
typedef struct UseChange { BlockBackend *blk; BlockUse *use; } UseChange;

static void swap_use(void *opaque)
{
    UseChange *change = opaque;
    BlockUse *before = change->blk->use;

    change->blk->use = change->use;
    change->use = before;
}

bool block_backend_insert(BlockBackend *blk, BlockNode *node, GError **error)
{
    g_autofree char *who = *blk->name != '\0' ? g_strdup_printf("block device '%s'", blk->name)
                                              : g_strdup("an unnamed block device");
    UseChange change = { .blk = blk };
    unsigned perm, shared;

    g_assert(blk->use == NULL);
    block_backend_perms(blk, &perm, &shared);
    change.use = block_use_new(node, perm, shared, who, "root", error);
    if (change.use == NULL) {
        return false;
    }
    block_context_call(blk->context, swap_use, &change);
    return true;
}

void block_backend_remove(BlockBackend *blk)
{
    UseChange change = { .blk = blk };

    block_context_call(blk->context, swap_use, &change);
    block_drain(blk);                           /* of what still goes to the node */
    block_use_free(change.use);
}

/* ---- its device ---- */

static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    BlockBackend *blk = opaque;

    if (event->kind == VM_EVENT_RESUME) {
        block_backend_resume(blk);
    } else if (event->kind == VM_EVENT_STOP && blk->use != NULL) {
        block_drain(blk);                       /* whoever stops a machine may copy its disks */
        if (blk->writable) {
            block_flush(blk);
        }
    }
}

static bool take_perms(BlockBackend *blk, GError **error)
{
    unsigned perm, shared;

    block_backend_perms(blk, &perm, &shared);
    return blk->use == NULL || block_use_set(blk->use, perm, shared, error);
}

bool block_backend_attach(BlockBackend *blk, const BlockAttach *attach, GError **error)
{
    if (blk->dev != NULL) {
        set_error(error, "Drive '%s' is already in use by another device", blk->name);
        return false;
    }
    if (blk->use == NULL && !attach->removable) {
        set_error(error, "Device needs media, but drive is empty");
        return false;
    }
    blk->dev = attach->dev;
    blk->writable = !attach->read_only;
    if (!take_perms(blk, error)) {
        blk->dev = NULL;
        return false;
    }
    blk->vm = attach->dev != NULL ? attach->dev->vm : NULL;
    blk->ops = attach->ops;
    blk->opaque = attach->opaque;
    blk->removable = attach->removable;
    if (blk->vm != NULL) {
        vm_subscribe(blk->vm, on_vm_event, blk);
    }
    return true;
}

void block_backend_detach(BlockBackend *blk)
{
    if (blk->dev == NULL) {
        return;
    }
    block_drain(blk);
    block_drop_parked(blk);
    block_backend_set_context(blk, NULL);
    if (blk->vm != NULL) {
        vm_unsubscribe(blk->vm, on_vm_event, blk);
    }
    blk->had_device |= blk->dev->realized;
    blk->dev = NULL;
    blk->vm = NULL;
    blk->ops = NULL;
    blk->opaque = NULL;
    blk->share_rw = false;
    take_perms(blk, NULL);                      /* asking for less is never refused */
}

void block_backend_set_context(BlockBackend *blk, BlockContext *context)
{
    block_drain(blk);
    blk->context = context != NULL ? context : block_context_main();
}

void block_close_all(void)
{
    const GPtrArray *nodes = block_nodes();

    for (guint i = 0; i < block_backends()->len; i++) {
        block_backend_remove(g_ptr_array_index(backends, i));
    }
    for (guint i = nodes->len; i-- > 0;) {
        BlockNode *node = i < nodes->len ? g_ptr_array_index(nodes, i) : NULL;

        if (node != NULL && node->by_monitor) {
            node->by_monitor = false;
            block_node_unref(node);
        }
    }
}

/* ---- property "drive" ---- */

static void drive_drop(BlockBackend **field)
{
    BlockBackend *blk = *field;

    *field = NULL;
    if (blk == NULL) {
        return;
    }
    if (blk->claims > 0) {
        blk->claims--;
    }
    if (blk->dev == NULL && blk->claims == 0 &&
        (*blk->name == '\0' || (blk->from_drive && blk->had_device))) {
        block_backend_free(blk);
    }
}

static BlockBackend *drive_for_node(const char *text, GError **error)
{
    BlockNode *node = block_node_find(text);
    BlockBackend *blk;

    if (node == NULL) {
        return NULL;
    }
    blk = block_backend_new("");
    if (!block_backend_insert(blk, block_node_ref(node), error)) {
        block_backend_free(blk);
        return NULL;
    }
    return blk;
}

static bool drive_parse(Object *obj, const Property *prop, void *field, const char *text,
                        GError **error)
{
    g_autoptr(GError) why = NULL;
    BlockBackend *blk = NULL;

    if (*text != '\0') {
        blk = block_backend_find(text);
        blk = blk != NULL ? blk : drive_for_node(text, &why);
        if (why != NULL) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        if (blk == NULL) {
            set_error(error, "Property '%s.%s' can't find value '%s'", obj->type_name, prop->name,
                      text);
            return false;
        }
        if (blk->dev != NULL) {
            set_error(error, "Drive '%s' is already in use by another device", text);
            return false;
        }
        blk->claims++;
    }
    drive_drop(field);
    *(BlockBackend **)field = blk;
    return true;
}

static char *drive_print(const Object *obj, const Property *prop, const void *field)
{
    const BlockBackend *blk = *(BlockBackend *const *)field;

    if (blk == NULL) {
        return g_strdup("");
    }
    return g_strdup(*blk->name != '\0' || blk->use == NULL ? blk->name : backend_node(blk)->name);
}

static char *drive_print_qtree(const Object *obj, const Property *prop, const void *field)
{
    g_autofree char *text = drive_print(obj, prop, field);

    return g_strdup_printf("\"%s\"", text);
}

static void drive_release(Object *obj, const Property *prop, void *field)
{
    BlockBackend **blk = field;

    if (*blk != NULL && (*blk)->dev == (Device *)obj) {
        block_backend_detach(*blk);
    }
    drive_drop(blk);
}

const PropType prop_drive = {
    .name = "str", .json = PROP_JSON_STRING, .parse = drive_parse, .print = drive_print,
    .print_qtree = drive_print_qtree, .release = drive_release,
};
