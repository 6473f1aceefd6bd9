#include <string.h>

#include "check_main.h"
#include "numa.h"
#include "sizes.h"

/* Options separated by spaces; the error of the first that is refused, or of the check. */
static char *configure(Vm *vm, const char *options)
{
    g_auto(GStrv) words = g_strsplit(options, " ", -1);
    g_autoptr(GError) error = NULL;

    for (char **word = words; *word != NULL; word++) {
        if (!numa_option(&vm->config.numa, *word, &error)) {
            return g_strdup(error->message);
        }
    }
    return numa_check(vm, &error) ? NULL : g_strdup(error->message);
}

static Vm make_vm(void)
{
    Vm vm = { .ram_below_4g = 3 * GIB, .ram_above_4g = 2 * GIB };

    vm.config.ram_bytes = 5 * GIB;
    vm.config.topo = (CpuTopology){ 4, 2, 1, 2, 1, 4 };
    return vm;
}

static const struct { const char *options, *error; } refused[] = {
    { "nod", "Parameter 'type' does not accept value 'nod': expected node or dist" },
    { "node,cpus=2-1", "Parameter 'cpus': '2-1' is no range: expected FIRST or FIRST-LAST, at most 255" },
    { "node,cpus=x", "Parameter 'cpus': 'x' is no range: expected FIRST or FIRST-LAST, at most 255" },
    { "node,cpus=256", "Parameter 'cpus': '256' is no range: expected FIRST or FIRST-LAST, at most 255" },
    { "node,mem=1,memdev=m", "'mem' and 'memdev' exclude each other" },
    { "node,nodeid=128", "Max number of NUMA nodes reached: 128" },
    { "node node,nodeid=0", "Duplicate NUMA nodeid: 0" },
    { "node,nodeid=1", "numa: Node ID missing: 0" },
    { "dist,src=0,dst=0,val=20", "NUMA distance (20) is invalid: it is 10 to the node itself and "
                                 "more to others" },
    { "dist,src=0,dst=1", "'src', 'dst' and 'val' are all needed" },
    { "dist,src=0,dst=1,val=20", "NUMA distances need nodes: expected -numa node as well" },
    { "node,cpus=0 node,cpus=0", "-numa: CPU 0 is in NUMA nodes 0 and 1" },
    { "node,cpus=4", "-numa: CPU index (4) should be smaller than maxcpus (4)" },
    { "node,memdev=m", "-numa: memdev=m is not a valid memory backend" },
    { "node,mem=1G", "-numa: total memory for NUMA nodes (0x40000000) should equal RAM size "
                     "(0x140000000)" },
};

START_TEST(refused_row)
{
    Vm vm = make_vm();
    g_autofree char *error = configure(&vm, refused[_i].options);

    ck_assert_pstr_eq(error, refused[_i].error);
    g_free(vm.config.numa);
}
END_TEST

static const struct { const char *options; unsigned node[4]; } places[] = {
    { "node,mem=5G", { 0, 0, 0, 0 } },
    { "node,mem=2G node,mem=3G", { 0, 0, 1, 1 } },                  /* socket by socket */
    { "node,mem=2G,cpus=3 node,mem=3G,cpus=0-2", { 1, 1, 1, 0 } },
    { "node,mem=2G,cpus=1,cpus=3 node,mem=3G,cpus=0,cpus=2", { 1, 0, 1, 0 } },
    { "node,mem=2G node,mem=3G,cpus=2", { 0, 0, 1, 0 } },           /* the rest is node 0's */
};

START_TEST(place_row)
{
    Vm vm = make_vm();

    ck_assert_ptr_null(configure(&vm, places[_i].options));
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        ck_assert_uint_eq(numa_node_of_cpu(&vm, cpu), places[_i].node[cpu]);
    }
    g_free(vm.config.numa);
}
END_TEST

static void collect(void *opaque, unsigned node, uint64_t addr, uint64_t size)
{
    g_string_append_printf(opaque, "%u:%" G_GINT64_MODIFIER "x+%" G_GINT64_MODIFIER "x ", node,
                           addr, size);
}

START_TEST(memory_goes_around_the_holes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Vm vm = make_vm();

    ck_assert_ptr_null(configure(&vm, "node,mem=2G node,mem=2G node,mem=1G"));
    numa_ranges(&vm, collect, text);
    ck_assert_str_eq(text->str, "0:0+a0000 0:100000+7ff00000 1:80000000+40000000 "
                                "1:100000000+40000000 2:140000000+40000000 ");
    g_free(vm.config.numa);
}
END_TEST

START_TEST(a_way_back_is_as_long)
{
    Vm vm = make_vm();

    ck_assert_ptr_null(configure(&vm, "node,mem=4G node,mem=1G node dist,src=0,dst=1,val=31"));
    ck_assert_uint_eq(numa_distance(vm.config.numa, 0, 1), 31);
    ck_assert_uint_eq(numa_distance(vm.config.numa, 1, 0), 31);
    ck_assert_uint_eq(numa_distance(vm.config.numa, 2, 0), 20);
    ck_assert_uint_eq(numa_distance(vm.config.numa, 2, 2), 10);
    g_free(vm.config.numa);
}
END_TEST

CHECK_MAIN("machine/numa", CASES(refused_row, refused), CASES(place_row, places),
           CASE(memory_goes_around_the_holes), CASE(a_way_back_is_as_long))
