/* What of the address space is memory, and where CPUs see it. */
#include "dump_parts.h"
#include "epoch.h"
#include "pagewalk.h"
#include "rhea_error.h"

/* More pieces than any kernel's tables have; a guest may point its tables anywhere. */
#define MAPPINGS_MAX (1u << 20)

/* Goes on where the one before ends, in the guest and in the host alike. */
static bool continues(const DumpRange *before, const DumpRange *range)
{
    return before->phys + before->len == range->phys && before->host + before->len == range->host;
}

static void add_range(GArray *ranges, DumpRange range)
{
    DumpRange *last = ranges->len > 0 ? &g_array_index(ranges, DumpRange, ranges->len - 1) : NULL;

    if (last != NULL && continues(last, &range)) {
        last->len += range.len;
    } else if (range.len > 0) {
        g_array_append_val(ranges, range);
    }
}

/* The part of [first, last] that the options ask for. */
static bool limit(const GuestDumpOptions *options, uint64_t *first, uint64_t *last)
{
    uint64_t end;

    if (!options->limited) {
        return true;
    }
    end = options->begin + (options->length - 1);
    if (end < options->begin) {
        end = UINT64_MAX;
    }
    *first = MAX(*first, options->begin);
    *last = MIN(*last, end);
    return *first <= *last;
}

GArray *dump_ranges(Vm *vm, const GuestDumpOptions *options)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(DumpRange));
    const MemView *view;

    epoch_enter();
    view = address_space_view(&vm->memory);
    for (unsigned i = 0; i < view->count; i++) {
        const FlatRange *flat = &view->ranges[i];
        uint64_t first = flat->addr, last = flat->last;

        if (flat->host != NULL && flat->mr->kind != MEM_ROM_DEVICE &&
            limit(options, &first, &last)) {
            add_range(ranges, (DumpRange){ first, last - first + 1,
                                           flat->host + (first - flat->addr) });
        }
    }
    epoch_leave();
    return ranges;
}

/* ---- mappings ---- */

typedef struct Collect { GArray *mappings; bool full; } Collect;

static bool collect(const PageMapping *page, void *opaque)
{
    Collect *to = opaque;
    GArray *list = to->mappings;
    DumpMapping *last = list->len > 0 ? &g_array_index(list, DumpMapping, list->len - 1) : NULL;
    DumpMapping mapping = { page->virt, page->phys, page->size };

    if (last != NULL && last->virt + last->len == page->virt &&
        last->phys + last->len == page->phys) {
        last->len += page->size;
    } else if (list->len < MAPPINGS_MAX) {
        g_array_append_val(list, mapping);
    } else {
        to->full = true;
    }
    return !to->full;
}

static gint compare_mappings(gconstpointer a, gconstpointer b)
{
    const DumpMapping *left = a, *right = b;

    return left->virt != right->virt ? (left->virt > right->virt) - (left->virt < right->virt)
                                     : (left->len < right->len) - (left->len > right->len);
}

/* What an earlier one covers in the same way is told already: CPUs share the kernel's half. */
static void drop_covered(GArray *list)
{
    guint kept = 0;

    for (guint i = 0; i < list->len; i++) {
        const DumpMapping *m = &g_array_index(list, DumpMapping, i);
        const DumpMapping *last = kept > 0 ? &g_array_index(list, DumpMapping, kept - 1) : NULL;

        if (last != NULL && m->virt - last->virt < last->len &&
            m->virt - last->virt + m->len <= last->len &&
            m->phys - last->phys == m->virt - last->virt) {
            continue;
        }
        g_array_index(list, DumpMapping, kept++) = *m;
    }
    g_array_set_size(list, kept);
}

GArray *dump_mappings(const Dump *dump, GError **error)
{
    Collect to = { g_array_new(FALSE, FALSE, sizeof(DumpMapping)), false };

    for (guint i = 0; i < dump->vm->cpus->len && !to.full; i++) {
        const X86Cpu *cpu = g_ptr_array_index(dump->vm->cpus, i);

        if (cpu->cr0 & CR0_PG) {
            x86_walk_pages(cpu, collect, &to);
        }
    }
    if (to.full) {
        g_array_unref(to.mappings);
        set_error(error, "dump: the guest's page tables make more than %u pieces: expected "
                  "paging=false", MAPPINGS_MAX);
        return NULL;
    }
    g_array_sort(to.mappings, compare_mappings);
    drop_covered(to.mappings);
    return to.mappings;
}
