/* `info mtree`: region trees and flattened views, in QEMU's layout. */
#include <inttypes.h>

#include "epoch.h"
#include "vm.h"

static const char *region_kind(const MemRegion *mr, bool readonly)
{
    switch (mr->kind) {
    case MEM_RAM:        return readonly ? "rom" : "ram";
    case MEM_ROM:        return "rom";
    case MEM_ROM_DEVICE: return "romd";
    default:             return "i/o";
    }
}

static uint64_t region_last(const MemRegion *mr)
{
    return mr->size - 1;                        /* MEM_SIZE_ALL: the highest address */
}

static const MemRegion *alias_target(const MemRegion *mr)
{
    while (mr->kind == MEM_ALIAS) {
        mr = mr->alias;
    }
    return mr;
}

static void note_target(GPtrArray *targets, MemRegion *mr)
{
    if (!g_ptr_array_find(targets, mr, NULL)) {
        g_ptr_array_add(targets, mr);
    }
}

static void print_region(GString *out, const MemRegion *mr, uint64_t base, int indent,
                         GPtrArray *targets)
{
    uint64_t first = base + mr->addr;

    g_string_append_printf(out, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): ", indent, "",
                           first, first + region_last(mr), mr->priority,
                           region_kind(alias_target(mr), mr->readonly));
    if (mr->kind == MEM_ALIAS) {
        note_target(targets, mr->alias);
        g_string_append_printf(out, "alias %s @%s %016" PRIx64 "-%016" PRIx64 "\n", mr->name,
                               mr->alias->name, mr->alias_offset,
                               mr->alias_offset + region_last(mr));
    } else {
        g_string_append_printf(out, "%s\n", mr->name);
    }
}

static gint by_address(gconstpointer a, gconstpointer b)
{
    const MemRegion *left = *(MemRegion *const *)a, *right = *(MemRegion *const *)b;

    if (left->addr != right->addr) {
        return left->addr < right->addr ? -1 : 1;
    }
    return right->priority - left->priority;
}

static void print_tree(GString *out, MemRegion *mr, uint64_t base, int indent, GPtrArray *targets)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();

    if (mr->enabled) {
        print_region(out, mr, base, indent, targets);
    }
    for (guint i = 0; mr->subregions != NULL && i < mr->subregions->len; i++) {
        g_ptr_array_add(sorted, g_ptr_array_index(mr->subregions, i));
    }
    g_ptr_array_sort(sorted, by_address);
    for (guint i = 0; i < sorted->len; i++) {
        print_tree(out, g_ptr_array_index(sorted, i), base + mr->addr, indent + 2, targets);
    }
}

/* Address spaces with one root are listed together above its tree. */
static void print_space(GString *out, guint n, GPtrArray *targets)
{
    const GPtrArray *spaces = address_spaces();
    AddressSpace *as = g_ptr_array_index(spaces, n);

    for (guint i = 0; i < n; i++) {
        if (((AddressSpace *)g_ptr_array_index(spaces, i))->root == as->root) {
            return;
        }
    }
    for (guint i = n; i < spaces->len; i++) {
        AddressSpace *other = g_ptr_array_index(spaces, i);

        if (other->root == as->root) {
            g_string_append_printf(out, "address-space: %s\n", other->name);
        }
    }
    print_tree(out, as->root, 0, 2, targets);
    g_string_append_c(out, '\n');
}

static void print_trees(GString *out)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new();

    for (guint i = 0; i < address_spaces()->len; i++) {
        print_space(out, i, targets);
    }
    for (guint i = 0; i < targets->len; i++) {          /* grows while aliases name new targets */
        MemRegion *mr = g_ptr_array_index(targets, i);

        g_string_append_printf(out, "memory-region: %s\n", mr->name);
        print_tree(out, mr, 0, 2, targets);
        g_string_append_c(out, '\n');
    }
}

static bool same_view(const MemView *a, const MemView *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (unsigned i = 0; i < a->count; i++) {
        const FlatRange *left = &a->ranges[i], *right = &b->ranges[i];

        if (left->addr != right->addr || left->last != right->last || left->mr != right->mr ||
            left->offset != right->offset || left->readonly != right->readonly) {
            return false;
        }
    }
    return true;
}

static void print_range(GString *out, const FlatRange *range)
{
    g_string_append_printf(out, "  %016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s", range->addr,
                           range->last, range->mr->priority,
                           region_kind(range->mr, range->readonly), range->mr->name);
    if (range->offset != 0) {
        g_string_append_printf(out, " @%016" PRIx64, range->offset);
    }
    g_string_append_c(out, '\n');
}

/* Address spaces that look alike share one FlatView. */
static void print_views(GString *out)
{
    const GPtrArray *spaces = address_spaces();
    g_autofree bool *done = g_new0(bool, spaces->len);
    unsigned n = 0;

    for (guint i = 0; i < spaces->len; i++) {
        AddressSpace *as = g_ptr_array_index(spaces, i);
        const MemView *view = address_space_view(as);

        if (done[i]) {
            continue;
        }
        g_string_append_printf(out, "FlatView #%u\n", n++);
        for (guint k = i; k < spaces->len; k++) {
            AddressSpace *other = g_ptr_array_index(spaces, k);

            if (!done[k] && same_view(view, address_space_view(other))) {
                done[k] = true;
                g_string_append_printf(out, " AS \"%s\", root: %s\n", other->name,
                                       other->root->name);
            }
        }
        g_string_append_printf(out, " Root memory region: %s\n",
                               view->count > 0 ? as->root->name : "(none)");
        for (unsigned k = 0; k < view->count; k++) {
            print_range(out, &view->ranges[k]);
        }
        g_string_append(out, view->count > 0 ? "\n" : "  No rendered FlatView\n\n");
    }
}

void vm_print_mtree(Vm *vm, bool flat, GString *out)
{
    epoch_enter();
    if (flat) {
        print_views(out);
    } else {
        print_trees(out);
    }
    epoch_leave();
}
