/* Regions, flattening, and publishing of views. */
#include "memmap.h"

#include <string.h>

#include "epoch.h"
#include "lock.h"

/* Addresses of regions inside regions can leave 64 bits on both sides. */
typedef __int128 Wide;

static GPtrArray *spaces;
static unsigned transaction_depth;
static bool map_changed;

static Wide region_size(const MemRegion *mr)
{
    return mr->size == MEM_SIZE_ALL ? (Wide)1 << 64 : (Wide)mr->size;
}

/* ---- making regions ---- */

void mem_region_init(MemRegion *mr, Object *owner, const char *name, uint64_t size)
{
    memset(mr, 0, sizeof(*mr));
    object_init(&mr->obj, "memory-region");
    mr->kind = MEM_CONTAINER;
    mr->size = size;
    mr->enabled = true;
    mr->owner = owner;
    mr->name = g_intern_string(name);
    if (owner != NULL) {
        g_autofree char *numbered = g_strdup_printf("%s[*]", name);

        object_add_child(owner, numbered, &mr->obj);
    }
}

void mem_region_init_io(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                        const MemOps *ops, void *opaque)
{
    mem_region_init(mr, owner, name, size);
    mr->kind = MEM_IO;
    mr->ops = ops;
    mr->opaque = opaque;
}

void mem_region_init_ram_block(MemRegion *mr, Object *owner, const char *name, RamBlock *block)
{
    mem_region_init(mr, owner, name, block->size_bytes);
    mr->kind = MEM_RAM;
    mr->ram = block;
}

bool mem_region_init_ram(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                         GError **error)
{
    RamBlock *block = ram_block_new(name, size, error);

    if (block == NULL) {
        return false;
    }
    mem_region_init_ram_block(mr, owner, name, block);
    return true;
}

bool mem_region_init_rom(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                         GError **error)
{
    if (!mem_region_init_ram(mr, owner, name, size, error)) {
        return false;
    }
    mr->kind = MEM_ROM;
    mr->readonly = true;
    return true;
}

void mem_region_init_alias(MemRegion *mr, Object *owner, const char *name, MemRegion *target,
                           uint64_t offset, uint64_t size)
{
    mem_region_init(mr, owner, name, size);
    mr->kind = MEM_ALIAS;
    mr->alias = target;
    mr->alias_offset = offset;
}

/* What an access finds that was on its way when the region was taken down. */
static const MemOps finished_ops;

void mem_region_finish(MemRegion *mr)
{
    if (mr->name == NULL) {
        return;
    }
    if (mr->ops != NULL) {
        __atomic_store_n(&mr->ops, &finished_ops, __ATOMIC_RELAXED);
    }
    mem_region_remove(mr);
    object_finish(&mr->obj);
    g_clear_pointer(&mr->subregions, g_ptr_array_unref);
    g_clear_pointer(&mr->ioeventfds, g_array_unref);
    ram_block_free(mr->ram);                    /* the pointer stays for who is reading */
    mr->name = NULL;
}

/* ---- placing regions ---- */

static void region_changed(void)
{
    mem_transaction_begin();
    map_changed = true;
    mem_transaction_commit();
}

void mem_region_add_priority(MemRegion *container, uint64_t addr, MemRegion *mr, int priority)
{
    guint at = 0;

    g_assert(mr->container == NULL);
    if (container->subregions == NULL) {
        container->subregions = g_ptr_array_new();
    }
    /* Newest first among equals, as the last one placed is the one meant to be seen. */
    while (at < container->subregions->len &&
           ((MemRegion *)g_ptr_array_index(container->subregions, at))->priority > priority) {
        at++;
    }
    g_ptr_array_insert(container->subregions, at, mr);
    mr->container = container;
    mr->addr = addr;
    mr->priority = priority;
    region_changed();
}

void mem_region_add(MemRegion *container, uint64_t addr, MemRegion *mr)
{
    mem_region_add_priority(container, addr, mr, 0);
}

void mem_region_remove(MemRegion *mr)
{
    if (mr->container != NULL) {
        g_ptr_array_remove(mr->container->subregions, mr);
        mr->container = NULL;
        region_changed();
    }
}

void mem_region_set_addr(MemRegion *mr, uint64_t addr)
{
    if (mr->addr != addr) {
        mr->addr = addr;
        region_changed();
    }
}

void mem_region_set_enabled(MemRegion *mr, bool enabled)
{
    if (mr->enabled != enabled) {
        mr->enabled = enabled;
        region_changed();
    }
}

void mem_region_set_readonly(MemRegion *mr, bool readonly)
{
    if (mr->readonly != readonly) {
        mr->readonly = readonly;
        region_changed();
    }
}

void mem_region_set_alias_offset(MemRegion *mr, uint64_t offset)
{
    if (mr->alias_offset != offset) {
        mr->alias_offset = offset;
        region_changed();
    }
}

static bool same_eventfd(const IoEventFd *a, const IoEventFd *b)
{
    return a->addr == b->addr && a->size == b->size && a->match == b->match &&
           a->value == b->value && a->fd == b->fd;
}

void mem_region_add_eventfd(MemRegion *mr, const IoEventFd *event)
{
    if (mr->ioeventfds == NULL) {
        mr->ioeventfds = g_array_new(FALSE, FALSE, sizeof(IoEventFd));
    }
    g_array_append_vals(mr->ioeventfds, event, 1);
    region_changed();
}

void mem_region_remove_eventfd(MemRegion *mr, const IoEventFd *event)
{
    for (guint i = 0; mr->ioeventfds != NULL && i < mr->ioeventfds->len; i++) {
        if (same_eventfd(&g_array_index(mr->ioeventfds, IoEventFd, i), event)) {
            g_array_remove_index(mr->ioeventfds, i);
            region_changed();
            return;
        }
    }
}

RamBlock *mem_region_ram_at(const MemRegion *mr, uint64_t offset, uint64_t *at)
{
    if (mr->ram != NULL && offset < mr->ram->size_bytes) {
        *at = offset;
        return mr->ram;
    }
    for (guint i = 0; mr->subregions != NULL && i < mr->subregions->len; i++) {
        const MemRegion *part = g_ptr_array_index(mr->subregions, i);

        if (offset - part->addr < part->size) {
            return mem_region_ram_at(part, offset - part->addr, at);
        }
    }
    return NULL;
}

/* ---- flattening ---- */

/* Puts [first, last] of `mr` into `out` where nothing is yet.  `out` stays sorted. */
static void fill_gaps(GArray *out, const FlatRange *range)
{
    uint64_t at = range->addr;
    guint i = 0;

    while (i < out->len && g_array_index(out, FlatRange, i).last < at) {
        i++;
    }
    for (;;) {
        bool end = i == out->len || g_array_index(out, FlatRange, i).addr > range->last;
        uint64_t gap_last = end ? range->last : g_array_index(out, FlatRange, i).addr - 1;

        if (end || g_array_index(out, FlatRange, i).addr > at) {
            FlatRange piece = *range;

            piece.addr = at;
            piece.last = gap_last;
            piece.offset += at - range->addr;
            piece.host = range->host != NULL ? range->host + (at - range->addr) : NULL;
            g_array_insert_val(out, i, piece);
            i++;
        }
        if (end || g_array_index(out, FlatRange, i).last >= range->last) {
            return;
        }
        at = g_array_index(out, FlatRange, i).last + 1;
        i++;
    }
}

/* `base` is where offset 0 of `mr` lies; only [first, last] of the address space may be filled. */
static void render(GArray *out, MemRegion *mr, Wide base, Wide first, Wide last, bool readonly)
{
    FlatRange range;

    first = MAX(first, base);
    last = MIN(last, base + region_size(mr) - 1);
    if (!mr->enabled || first > last) {
        return;
    }
    readonly |= mr->readonly;
    if (mr->kind == MEM_ALIAS) {
        render(out, mr->alias, base - mr->alias_offset, first, last, readonly);
        return;
    }
    for (guint i = 0; mr->subregions != NULL && i < mr->subregions->len; i++) {
        MemRegion *sub = g_ptr_array_index(mr->subregions, i);

        render(out, sub, base + sub->addr, first, last, readonly);
    }
    if (mr->kind == MEM_CONTAINER) {
        return;
    }
    range = (FlatRange){
        .addr = first, .last = last, .mr = mr, .offset = first - base, .readonly = readonly,
        .unlocked = mr->ops != NULL && mr->ops->unlocked,
        .host = mr->ram != NULL ? mr->ram->host + (uint64_t)(first - base) : NULL,
    };
    fill_gaps(out, &range);
}

static bool continues(const FlatRange *a, const FlatRange *b)
{
    return a->last + 1 == b->addr && a->mr == b->mr && a->readonly == b->readonly &&
           a->offset + (b->addr - a->addr) == b->offset;
}

static MemView *view_new(AddressSpace *as)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(FlatRange));
    MemView *view;

    render(ranges, as->root, 0, 0, as->last, false);
    view = g_malloc(sizeof(*view) + ranges->len * sizeof(FlatRange));
    view->count = 0;
    for (guint i = 0; i < ranges->len; i++) {
        const FlatRange *range = &g_array_index(ranges, FlatRange, i);

        if (view->count > 0 && continues(&view->ranges[view->count - 1], range)) {
            view->ranges[view->count - 1].last = range->last;
        } else {
            view->ranges[view->count++] = *range;
        }
    }
    return view;
}

const MemView *address_space_view(AddressSpace *as)
{
    return __atomic_load_n(&as->view, __ATOMIC_SEQ_CST);
}

const FlatRange *mem_view_find(const MemView *view, uint64_t addr)
{
    unsigned low = 0, high = view->count;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (view->ranges[mid].last < addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < view->count && view->ranges[low].addr <= addr ? &view->ranges[low] : NULL;
}

/* ---- telling listeners ---- */

static bool same_range(const FlatRange *a, const FlatRange *b)
{
    return a->addr == b->addr && a->last == b->last && a->mr == b->mr && a->offset == b->offset &&
           a->readonly == b->readonly;
}

static bool view_has(const MemView *view, const FlatRange *range)
{
    const FlatRange *found = view != NULL ? mem_view_find(view, range->addr) : NULL;

    return found != NULL && same_range(found, range);
}

static GArray *view_eventfds(const MemView *view)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(IoEventFd));

    for (unsigned i = 0; i < view->count; i++) {
        const FlatRange *range = &view->ranges[i];
        const GArray *events = range->mr->ioeventfds;

        for (guint n = 0; events != NULL && n < events->len; n++) {
            IoEventFd event = g_array_index(events, IoEventFd, n);

            if (event.addr >= range->offset &&
                event.addr - range->offset <= range->last - range->addr) {
                event.addr = range->addr + (event.addr - range->offset);
                g_array_append_val(all, event);
            }
        }
    }
    return all;
}

static bool has_eventfd(const GArray *events, const IoEventFd *event)
{
    for (guint i = 0; events != NULL && i < events->len; i++) {
        if (same_eventfd(&g_array_index(events, IoEventFd, i), event)) {
            return true;
        }
    }
    return false;
}

/* Tells `listener` of every range in `from` that `against` does not have. */
static void tell_ranges(MemListener *listener, const MemView *from, const MemView *against,
                        void (*fn)(MemListener *, const FlatRange *))
{
    for (unsigned i = 0; from != NULL && fn != NULL && i < from->count; i++) {
        if (!view_has(against, &from->ranges[i])) {
            fn(listener, &from->ranges[i]);
        }
    }
}

static void tell_eventfds(MemListener *listener, const GArray *from, const GArray *against,
                          void (*fn)(MemListener *, uint64_t, const IoEventFd *))
{
    for (guint i = 0; from != NULL && fn != NULL && i < from->len; i++) {
        const IoEventFd *event = &g_array_index(from, IoEventFd, i);

        if (!has_eventfd(against, event)) {
            fn(listener, event->addr, event);
        }
    }
}

static void tell_listener(MemListener *listener, const MemView *old, const MemView *new,
                          const GArray *old_events, const GArray *new_events)
{
    tell_eventfds(listener, old_events, new_events, listener->eventfd_del);
    tell_ranges(listener, old, new, listener->range_del);
    tell_ranges(listener, new, old, listener->range_add);
    tell_eventfds(listener, new_events, old_events, listener->eventfd_add);
    if (listener->commit != NULL) {
        listener->commit(listener);
    }
}

static void address_space_update(AddressSpace *as)
{
    MemView *old = as->view, *new = view_new(as);
    GArray *old_events = as->eventfds, *new_events = view_eventfds(new);

    __atomic_store_n(&as->view, new, __ATOMIC_SEQ_CST);
    as->eventfds = new_events;
    for (guint i = 0; i < as->listeners->len; i++) {
        tell_listener(g_ptr_array_index(as->listeners, i), old, new, old_events, new_events);
    }
    if (old != NULL) {
        epoch_retire(old, g_free);
        g_array_unref(old_events);
    }
}

typedef struct Retiring {
    void *object;
    GDestroyNotify free_func;
} Retiring;

static GArray *retiring;                        /* until the outermost commit */

static void retire_now(void)
{
    g_autoptr(GArray) ready = g_steal_pointer(&retiring);

    for (guint i = 0; ready != NULL && i < ready->len; i++) {
        const Retiring *item = &g_array_index(ready, Retiring, i);

        epoch_retire(item->object, item->free_func);
    }
}

void mem_retire(void *object, GDestroyNotify free_func)
{
    Retiring item = { object, free_func };

    if (object == NULL) {
        return;
    }
    if (transaction_depth == 0) {
        epoch_retire(object, free_func);
        return;
    }
    if (retiring == NULL) {
        retiring = g_array_new(FALSE, FALSE, sizeof(Retiring));
    }
    g_array_append_val(retiring, item);
}

void mem_transaction_begin(void)
{
    transaction_depth++;
}

void mem_transaction_commit(void)
{
    g_assert(transaction_depth > 0);
    if (--transaction_depth > 0) {
        return;
    }
    if (map_changed) {
        map_changed = false;
        for (guint i = 0; i < address_spaces()->len; i++) {
            address_space_update(g_ptr_array_index(spaces, i));
        }
    }
    retire_now();
}

/* ---- address spaces ---- */

const GPtrArray *address_spaces(void)
{
    if (spaces == NULL) {
        spaces = g_ptr_array_new();
    }
    return spaces;
}

void address_space_init(AddressSpace *as, const char *name, MemRegion *root)
{
    address_spaces();
    *as = (AddressSpace){
        .name = g_intern_string(name), .root = root, .listeners = g_ptr_array_new(),
        .last = root->size - 1,             /* MEM_SIZE_ALL: the highest address */
    };
    g_ptr_array_add(spaces, as);
    address_space_update(as);
}

void address_space_finish(AddressSpace *as)
{
    if (as->root == NULL) {
        return;
    }
    g_ptr_array_remove(spaces, as);
    g_ptr_array_unref(as->listeners);
    g_array_unref(as->eventfds);
    epoch_retire(as->view, g_free);
    memset(as, 0, sizeof(*as));
}

void address_space_listen(AddressSpace *as, MemListener *listener)
{
    g_ptr_array_add(as->listeners, listener);
    tell_listener(listener, NULL, as->view, NULL, as->eventfds);
}

void address_space_unlisten(AddressSpace *as, MemListener *listener)
{
    g_ptr_array_remove(as->listeners, listener);
    tell_listener(listener, as->view, NULL, as->eventfds, NULL);
}
