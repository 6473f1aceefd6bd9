#include <glib.h>
#include <string.h>

#include "check_main.h"
#include "epoch.h"
#include "lock.h"
#include "memmap.h"

/* ---- a region that remembers ---- */

typedef struct Probe {
    MemRegion mr;
    uint64_t last_offset, last_value;
    unsigned last_size, reads, writes;
} Probe;

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
    Probe *probe = opaque;

    probe->reads++;
    probe->last_offset = offset;
    probe->last_size = size;
    return UINT64_C(0x8877665544332211) >> (8 * (offset & 7));
}

static void probe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Probe *probe = opaque;

    probe->writes++;
    probe->last_offset = offset;
    probe->last_value = value;
    probe->last_size = size;
}

static const MemOps any_size = { probe_read, probe_write };
static const MemOps dwords = { probe_read, probe_write, .min_size = 4, .max_size = 4 };

static MemRegion root;
static AddressSpace as;

static void setup(void)
{
    mem_region_init(&root, NULL, "root", MEM_SIZE_ALL);
    address_space_init(&as, "test", &root);
}

static char *view_text(void)
{
    GString *out = g_string_new(NULL);
    const MemView *view;

    epoch_enter();
    view = address_space_view(&as);
    for (unsigned i = 0; i < view->count; i++) {
        const FlatRange *range = &view->ranges[i];

        g_string_append_printf(
            out, "%s%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x:%s@%" G_GINT64_MODIFIER "x%s",
            i > 0 ? " " : "", range->addr, range->last, range->mr->name, range->offset,
            range->readonly ? "!" : "");
    }
    epoch_leave();
    return g_string_free(out, FALSE);
}

static void assert_view(const char *expected)
{
    g_autofree char *text = view_text();

    ck_assert_str_eq(text, expected);
}

START_TEST(higher_priority_wins)
{
    MemRegion low, high;

    setup();
    mem_region_init_io(&low, NULL, "low", 0x1000, &any_size, NULL);
    mem_region_init_io(&high, NULL, "high", 0x100, &any_size, NULL);
    mem_region_add(&root, 0x10000, &low);
    assert_view("10000-10fff:low@0");
    mem_region_add_priority(&root, 0x10200, &high, 1);
    assert_view("10000-101ff:low@0 10200-102ff:high@0 10300-10fff:low@300");
    mem_region_set_enabled(&high, false);
    assert_view("10000-10fff:low@0");
    mem_region_set_enabled(&high, true);
    mem_region_set_addr(&high, 0x10000);
    assert_view("10000-100ff:high@0 10100-10fff:low@100");
    mem_region_remove(&high);
    assert_view("10000-10fff:low@0");
}
END_TEST

START_TEST(holes_show_what_is_below)
{
    MemRegion below, container, child;

    setup();
    mem_region_init_io(&below, NULL, "below", 0x1000, &any_size, NULL);
    mem_region_init(&container, NULL, "container", 0x1000);
    mem_region_init_io(&child, NULL, "child", 0x10, &any_size, NULL);
    mem_region_add(&container, 0x20, &child);
    mem_region_add_priority(&root, 0, &below, -1);
    mem_region_add(&root, 0, &container);
    assert_view("0-1f:below@0 20-2f:child@0 30-fff:below@30");
}
END_TEST

START_TEST(aliases_show_part_of_a_region)
{
    MemRegion ram, alias, second;

    setup();
    ck_assert(mem_region_init_ram(&ram, NULL, "ram", 0x4000, NULL));
    mem_region_init_alias(&alias, NULL, "window", &ram, 0x1000, 0x1000);
    mem_region_add(&root, 0x100000, &alias);
    assert_view("100000-100fff:ram@1000");
    mem_region_init_alias(&second, NULL, "next", &ram, 0x2000, 0x1000);
    mem_region_add(&root, 0x101000, &second);
    assert_view("100000-101fff:ram@1000");                  /* contiguous ranges merge */
    mem_region_set_readonly(&second, true);
    assert_view("100000-100fff:ram@1000 101000-101fff:ram@2000!");
    mem_region_set_alias_offset(&second, 0);
    assert_view("100000-100fff:ram@1000 101000-101fff:ram@0!");
}
END_TEST

START_TEST(the_last_address_is_reachable)
{
    MemRegion top;

    setup();
    mem_region_init_io(&top, NULL, "top", 0x1000, &any_size, NULL);
    mem_region_add(&root, UINT64_MAX - 0xfff, &top);
    assert_view("fffffffffffff000-ffffffffffffffff:top@0");
}
END_TEST

static unsigned added, deleted;

static void count_add(MemListener *listener, const FlatRange *range)
{
    added++;
}

static void count_del(MemListener *listener, const FlatRange *range)
{
    deleted++;
}

START_TEST(listeners_hear_differences_once_per_transaction)
{
    MemListener listener = { .range_add = count_add, .range_del = count_del };
    MemRegion a, b;

    setup();
    added = deleted = 0;
    mem_region_init_io(&a, NULL, "a", 0x100, &any_size, NULL);
    mem_region_init_io(&b, NULL, "b", 0x100, &any_size, NULL);
    mem_region_add(&root, 0, &a);
    address_space_listen(&as, &listener);
    ck_assert_uint_eq(added, 1);                            /* what is there already */
    mem_transaction_begin();
    mem_region_add(&root, 0x1000, &b);
    mem_region_set_addr(&b, 0x2000);
    ck_assert_uint_eq(added, 1);
    mem_transaction_commit();
    ck_assert_uint_eq(added, 2);
    ck_assert_uint_eq(deleted, 0);
    address_space_unlisten(&as, &listener);
    ck_assert_uint_eq(deleted, 2);
}
END_TEST

/* ---- access ---- */

static const struct {
    const MemOps *ops; uint64_t offset; unsigned size;
    uint64_t value, last_offset; unsigned last_size, calls;
} loads[] = {
    { &any_size, 0, 1, 0x11, 0, 1, 1 },
    { &any_size, 1, 1, 0x22, 1, 1, 1 },
    { &any_size, 0, 8, UINT64_C(0x8877665544332211), 0, 8, 1 },
    { &dwords, 0, 4, 0x44332211, 0, 4, 1 },
    { &dwords, 1, 1, 0x22, 0, 4, 1 },                       /* widened */
    { &dwords, 2, 2, 0x4433, 0, 4, 1 },
    { &dwords, 0, 8, UINT64_C(0x8877665544332211), 4, 4, 2 },   /* split */
};

START_TEST(load_row)
{
    Probe probe = { .reads = 0 };
    MemResult met;

    setup();
    mem_region_init_io(&probe.mr, NULL, "probe", 0x10, loads[_i].ops, &probe);
    mem_region_add(&root, 0x1000, &probe.mr);
    ck_assert_uint_eq(mem_load(&as, 0x1000 + loads[_i].offset, loads[_i].size, &met),
                      loads[_i].value);
    ck_assert_int_eq(met, MEM_OK);
    ck_assert_uint_eq(probe.last_offset, loads[_i].last_offset);
    ck_assert_uint_eq(probe.last_size, loads[_i].last_size);
    ck_assert_uint_eq(probe.reads, loads[_i].calls);
}
END_TEST

START_TEST(nothing_reads_as_ones)
{
    uint8_t buf[4] = { 0 };
    MemResult met;

    setup();
    ck_assert_uint_eq(mem_load(&as, 0x5000, 4, &met), 0xffffffff);
    ck_assert_int_eq(met, MEM_UNMAPPED);
    ck_assert_int_eq(mem_read(&as, UINT64_MAX - 1, buf, 2), MEM_UNMAPPED);
    ck_assert_uint_eq(buf[0], 0xff);
    ck_assert_int_eq(mem_store(&as, 0x5000, 1, 4), MEM_UNMAPPED);
}
END_TEST

START_TEST(rom_takes_debug_writes_only)
{
    MemRegion rom;
    uint32_t value = 0x12345678;

    setup();
    ck_assert(mem_region_init_rom(&rom, NULL, "rom", 0x1000, NULL));
    mem_region_add(&root, 0, &rom);
    ck_assert_int_eq(mem_write(&as, 0, &value, 4), MEM_READONLY);
    ck_assert_int_eq(mem_store(&as, 0, value, 4), MEM_READONLY);
    ck_assert_uint_eq(mem_load(&as, 0, 4, NULL), 0);
    ck_assert_int_eq(mem_write_debug(&as, 0, &value, 4), MEM_OK);
    ck_assert_uint_eq(mem_load(&as, 0, 4, NULL), value);
}
END_TEST

START_TEST(copies_cross_ranges)
{
    MemRegion low, high;
    uint8_t out[0x20], in[0x20];

    setup();
    ck_assert(mem_region_init_ram(&low, NULL, "low", 0x1000, NULL));
    ck_assert(mem_region_init_ram(&high, NULL, "high", 0x1000, NULL));
    mem_region_add(&root, 0x1000, &low);
    mem_region_add(&root, 0x2000, &high);
    for (unsigned i = 0; i < sizeof(out); i++) {
        out[i] = i;
    }
    ck_assert_int_eq(mem_write(&as, 0x1ff0, out, sizeof(out)), MEM_OK);
    ck_assert_int_eq(mem_read(&as, 0x1ff0, in, sizeof(in)), MEM_OK);
    ck_assert_mem_eq(in, out, sizeof(out));
    ck_assert_uint_eq(mem_load(&as, 0x1ffe, 4, NULL), 0x11100f0e);
    ck_assert_uint_eq(high.ram->host[0], 0x10);
}
END_TEST

/* ---- DMA must not come back to its device ---- */

typedef struct Engine { Object obj; MemRegion mr; unsigned entries; MemResult met; } Engine;

static void engine_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Engine *engine = opaque;

    engine->entries++;
    ck_assert_uint_lt(engine->entries, 3);
    engine->met = dma_write(&as, &engine->obj, value, &value, 4);
}

static const MemOps engine_ops = { NULL, engine_write };

START_TEST(dma_does_not_reenter_its_device)
{
    Engine engine = { .entries = 0 };

    setup();
    object_init(&engine.obj, "engine");
    mem_region_init_io(&engine.mr, &engine.obj, "engine", 0x10, &engine_ops, &engine);
    mem_region_add(&root, 0x1000, &engine.mr);
    mem_store(&as, 0x1000, 0x1000, 4);
    ck_assert_uint_eq(engine.entries, 1);
}
END_TEST

START_TEST(writes_mark_pages_dirty)
{
    MemRegion ram;
    unsigned long bits;

    setup();
    ck_assert(mem_region_init_ram(&ram, NULL, "ram", 0x10000, NULL));
    mem_region_add(&root, 0, &ram);
    ck_assert(ram_dirty_start(ram.ram, DIRTY_DISPLAY));
    mem_write(&as, 0x1ffe, "abcd", 4);
    ck_assert(ram_dirty_test(ram.ram, DIRTY_DISPLAY, 1));
    ck_assert(ram_dirty_fetch(ram.ram, DIRTY_DISPLAY, 0, 16, &bits));
    ck_assert_uint_eq(bits, 0x6);
    ck_assert(!ram_dirty_fetch(ram.ram, DIRTY_DISPLAY, 0, 16, &bits));
}
END_TEST

START_TEST(mapping_stays_within_one_ram_range)
{
    MemRegion low, rom;
    uint64_t len = 0x2000;

    setup();
    ck_assert(mem_region_init_ram(&low, NULL, "low", 0x1000, NULL));
    ck_assert(mem_region_init_rom(&rom, NULL, "rom", 0x1000, NULL));
    mem_region_add(&root, 0x1000, &low);
    mem_region_add(&root, 0x2000, &rom);
    ck_assert(ram_dirty_start(low.ram, DIRTY_DISPLAY));
    ck_assert_ptr_eq(dma_map(&as, 0x1ff0, &len, true), low.ram->host + 0xff0);
    ck_assert_uint_eq(len, 0x10);
    dma_written(low.ram->host + 0xff0, len);
    ck_assert(ram_dirty_test(low.ram, DIRTY_DISPLAY, 0));
    ck_assert_ptr_null(dma_map(&as, 0x2000, &len, true));
    ck_assert_ptr_null(dma_map(&as, 0x9000, &len, false));
    len = 0;
    ck_assert_ptr_null(dma_map(&as, 0x1000, &len, false));
}
END_TEST

static GString *heard;

static void hear_eventfd_add(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    g_string_append_printf(heard, "+%" G_GINT64_MODIFIER "x:%d ", addr, event->fd);
}

static void hear_eventfd_del(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    g_string_append_printf(heard, "-%" G_GINT64_MODIFIER "x:%d ", addr, event->fd);
}

static void assert_heard(const char *expected)
{
    ck_assert_str_eq(heard->str, expected);
    g_string_truncate(heard, 0);
}

START_TEST(eventfds_follow_their_region)
{
    static const IoEventFd low = { .addr = 0x10, .size = 4, .fd = 7 };
    static const IoEventFd high = { .addr = 0x80, .size = 2, .match = true, .value = 1, .fd = 8 };
    MemListener listener = { .eventfd_add = hear_eventfd_add, .eventfd_del = hear_eventfd_del };
    Probe device = {}, cover = {};

    setup();
    heard = g_string_new(NULL);
    mem_region_init_io(&device.mr, NULL, "device", 0x100, &any_size, &device);
    mem_region_init_io(&cover.mr, NULL, "cover", 0x20, &any_size, &cover);
    mem_region_add_eventfd(&device.mr, &low);
    mem_region_add(&root, 0x1000, &device.mr);
    address_space_listen(&as, &listener);
    assert_heard("+1010:7 ");
    mem_region_add_eventfd(&device.mr, &high);
    assert_heard("+1080:8 ");
    mem_region_set_addr(&device.mr, 0x2000);
    assert_heard("-1010:7 -1080:8 +2010:7 +2080:8 ");
    mem_region_add_priority(&root, 0x2000, &cover.mr, 1);       /* what is covered hears nothing */
    assert_heard("-2010:7 ");
    mem_region_remove_eventfd(&device.mr, &high);
    assert_heard("-2080:8 ");
    mem_region_remove(&cover.mr);
    assert_heard("+2010:7 ");
    address_space_unlisten(&as, &listener);
    assert_heard("-2010:7 ");
    g_string_free(heard, TRUE);
}
END_TEST

CHECK_MAIN("memmap", CASE(higher_priority_wins), CASE(holes_show_what_is_below),
           CASE(aliases_show_part_of_a_region), CASE(the_last_address_is_reachable),
           CASE(listeners_hear_differences_once_per_transaction), CASES(load_row, loads),
           CASE(nothing_reads_as_ones), CASE(rom_takes_debug_writes_only),
           CASE(copies_cross_ranges), CASE(dma_does_not_reenter_its_device),
           CASE(writes_mark_pages_dirty), CASE(mapping_stays_within_one_ram_range),
           CASE(eventfds_follow_their_region))
