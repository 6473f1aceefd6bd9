#include "numa.h"

#include <inttypes.h>
#include <string.h>

#include "keyval.h"
#include "mem_backend.h"
#include "rhea_error.h"
#include "sizes.h"

#define CPUS_MAX        (sizeof(((NumaNode *)0)->cpus) * 8)
#define LOW_RAM_END     (640 * KIB)
#define HIGH_RAM        (1 * MIB)

/* ---- options ---- */

static bool range_parse(const char *text, uint64_t *first, uint64_t *last)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);

    return ends[0] != NULL && parse_uint(ends[0], CPUS_MAX - 1, first, NULL) &&
           parse_uint(ends[1] != NULL ? ends[1] : ends[0], CPUS_MAX - 1, last, NULL) &&
           *first <= *last;
}

static bool add_cpus(NumaNode *node, const char *text, GError **error)
{
    uint64_t first, last;

    if (!range_parse(text, &first, &last)) {
        set_error(error, "Parameter 'cpus': '%s' is no range: expected FIRST or FIRST-LAST, at "
                  "most %zu", text, CPUS_MAX - 1);
        return false;
    }
    for (uint64_t cpu = first; cpu <= last; cpu++) {
        node->cpus[cpu / 64] |= 1UL << (cpu % 64);
    }
    return true;
}

/* cpus= may stand several times. */
static bool add_all_cpus(NumaNode *node, KeyVal *kv, GError **error)
{
    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (g_str_equal(keyval_key(kv, i), "cpus") &&
            !add_cpus(node, keyval_value(kv, i), error)) {
            return false;
        }
    }
    keyval_get(kv, "cpus");
    return true;
}

static bool node_memory(NumaNode *node, KeyVal *kv, GError **error)
{
    node->memdev = g_strdup(keyval_get(kv, "memdev"));
    if (!keyval_get_size(kv, "mem", MIB, &node->mem_bytes, error)) {
        return false;
    }
    if (keyval_has(kv, "mem") && node->memdev != NULL) {
        set_error(error, "'mem' and 'memdev' exclude each other");
        return false;
    }
    if (keyval_has(kv, "mem")) {
        report_warning("-numa node,mem= is an old spelling: write -object memory-backend-ram,id=ID,"
                       "size=SIZE -numa node,memdev=ID");
    }
    return true;
}

static bool add_node(NumaConfig *config, KeyVal *kv, GError **error)
{
    uint64_t id = config->count;
    NumaNode *node;

    if (!keyval_get_uint(kv, "nodeid", UINT16_MAX, &id, error)) {
        return false;
    }
    if (id >= NUMA_NODES_MAX) {
        set_error(error, "Max number of NUMA nodes reached: %u", (unsigned)id);
        return false;
    }
    node = &config->nodes[id];
    if (node->present) {
        set_error(error, "Duplicate NUMA nodeid: %u", (unsigned)id);
        return false;
    }
    node->present = true;
    config->count++;
    return add_all_cpus(node, kv, error) && node_memory(node, kv, error) &&
           keyval_check_known(kv, error);
}

static bool add_distance(NumaConfig *config, KeyVal *kv, GError **error)
{
    uint64_t src = UINT64_MAX, dst = UINT64_MAX, val = 0;

    if (!keyval_get_uint(kv, "src", NUMA_NODES_MAX - 1, &src, error) ||
        !keyval_get_uint(kv, "dst", NUMA_NODES_MAX - 1, &dst, error) ||
        !keyval_get_uint(kv, "val", UINT8_MAX, &val, error) || !keyval_check_known(kv, error)) {
        return false;
    }
    if (src == UINT64_MAX || dst == UINT64_MAX || val == 0) {
        set_error(error, "'src', 'dst' and 'val' are all needed");
        return false;
    }
    if (val < NUMA_DISTANCE_MIN || (src == dst) != (val == NUMA_DISTANCE_MIN)) {
        set_error(error, "NUMA distance (%u) is invalid: it is %u to the node itself and more to "
                  "others", (unsigned)val, NUMA_DISTANCE_MIN);
        return false;
    }
    config->nodes[src].distance[dst] = val;
    config->distances = true;
    return true;
}

bool numa_option(NumaConfig **config, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    if (*config == NULL) {
        *config = g_new0(NumaConfig, 1);
    }
    type = keyval_get(kv, "type");
    if (g_strcmp0(type, "node") == 0) {
        return add_node(*config, kv, error);
    }
    if (g_strcmp0(type, "dist") == 0) {
        return add_distance(*config, kv, error);
    }
    set_error(error, "Parameter 'type' does not accept value '%s': expected node or dist",
              type != NULL ? type : "");
    return false;
}

/* ---- checks ---- */

static bool cpu_is_in(const NumaNode *node, unsigned cpu)
{
    return node->cpus[cpu / 64] >> (cpu % 64) & 1;
}

static bool check_cpu(const NumaConfig *config, unsigned cpu, unsigned *placed, GError **error)
{
    int found = -1;

    for (unsigned n = 0; n < config->count; n++) {
        if (cpu_is_in(&config->nodes[n], cpu)) {
            if (found >= 0) {
                set_error(error, "CPU %u is in NUMA nodes %d and %u", cpu, found, n);
                return false;
            }
            found = n;
        }
    }
    *placed += found >= 0;
    return true;
}

/* The nodes take the sockets in turn. */
static void place_by_socket(NumaConfig *config, const CpuTopology *topo)
{
    unsigned per_socket = MAX(1, topo->dies) * MAX(1, topo->cores) * MAX(1, topo->threads);

    for (unsigned cpu = 0; cpu < topo->max_cpus; cpu++) {
        NumaNode *node = &config->nodes[cpu / per_socket % config->count];

        node->cpus[cpu / 64] |= 1UL << (cpu % 64);
    }
}

static bool check_cpus(Vm *vm, NumaConfig *config, GError **error)
{
    const CpuTopology *topo = &vm->config.topo;
    unsigned placed = 0;

    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        unsigned before = placed;

        if (!check_cpu(config, cpu, &placed, error)) {
            return false;
        }
        if (placed > before && cpu >= topo->max_cpus) {
            set_error(error, "CPU index (%u) should be smaller than maxcpus (%u)", cpu,
                      topo->max_cpus);
            return false;
        }
    }
    if (placed == 0) {
        place_by_socket(config, topo);
    } else if (placed < topo->max_cpus) {
        report_warning("-numa: %u of %u CPUs are in no node: they count as node 0's",
                       topo->max_cpus - placed, topo->max_cpus);
    }
    return true;
}

static bool check_memory(Vm *vm, NumaConfig *config, GError **error)
{
    unsigned backends = 0;
    uint64_t total = 0;

    for (unsigned n = 0; n < config->count; n++) {
        NumaNode *node = &config->nodes[n];
        const MemBackend *backend = node->memdev != NULL ? mem_backend_find(node->memdev) : NULL;

        if (node->memdev != NULL && backend == NULL) {
            set_error(error, "memdev=%s is not a valid memory backend", node->memdev);
            return false;
        }
        if (backend != NULL) {
            node->mem_bytes = backend->size;
            backends++;
        }
        total += node->mem_bytes;
    }
    if (config->nodes[0].memdev != NULL && config->nodes[0].mem_bytes < 1 * MIB) {
        set_error(error, "node 0 needs at least 1 MiB of memory");
        return false;
    }
    if (total != vm->config.ram_bytes) {
        set_error(error, "total memory for NUMA nodes (0x%" PRIx64 ") should equal RAM size "
                  "(0x%" PRIx64 ")", total, vm->config.ram_bytes);
        return false;
    }
    for (unsigned n = 0; backends > 0 && n < config->count; n++) {
        if (config->nodes[n].memdev == NULL && config->nodes[n].mem_bytes > 0) {
            set_error(error, "numa configuration should use either memdev= or mem=, mixing both "
                      "is not allowed");
            return false;
        }
    }
    return true;
}

bool numa_check(Vm *vm, GError **error)
{
    NumaConfig *config = vm->config.numa;

    if (config == NULL) {
        return true;
    }
    for (unsigned n = 0; n < NUMA_NODES_MAX; n++) {
        if (config->nodes[n].present != (n < config->count)) {
            set_error(error, "numa: Node ID missing: %u", n < config->count ? n : config->count);
            return false;
        }
    }
    if (config->count == 0) {
        set_error(error, "NUMA distances need nodes: expected -numa node as well");
        return false;
    }
    if (!check_cpus(vm, config, error) || !check_memory(vm, config, error)) {
        g_prefix_error(error, "-numa: ");
        return false;
    }
    return true;
}

/* ---- what the board asks ---- */

unsigned numa_node_of_cpu(const Vm *vm, unsigned cpu_index)
{
    const NumaConfig *config = vm->config.numa;

    for (unsigned n = 0; config != NULL && n < config->count && cpu_index < CPUS_MAX; n++) {
        if (cpu_is_in(&config->nodes[n], cpu_index)) {
            return n;
        }
    }
    return 0;
}

static bool add_backend(MemRegion *ram, uint64_t offset, const char *id, GError **error)
{
    MemBackend *backend = mem_backend_find(id);

    if (backend->mapped) {
        set_error(error, "memory backend '%s' is used multiple times. Each -numa option must use a "
                  "different memdev value", id);
        return false;
    }
    backend->mapped = true;
    mem_region_add(ram, offset, &backend->region);
    return true;
}

MemRegion *numa_make_ram(Vm *vm, const char *name, GError **error)
{
    const NumaConfig *config = vm->config.numa;
    MemRegion *ram;
    uint64_t offset = 0;

    if (config == NULL || config->nodes[0].memdev == NULL) {
        return NULL;
    }
    ram = g_new0(MemRegion, 1);                         /* lives as long as the machine */
    mem_region_init(ram, object_container("/machine/unattached"), name, vm->config.ram_bytes);
    for (unsigned n = 0; n < config->count; n++) {
        if (config->nodes[n].memdev != NULL &&
            !add_backend(ram, offset, config->nodes[n].memdev, error)) {
            return NULL;
        }
        offset += config->nodes[n].mem_bytes;
    }
    return ram;
}

/* The nodes' memory follows each other, around the holes below 1 MiB and below 4 GiB. */
void numa_ranges(const Vm *vm, NumaRangeFn range, void *opaque)
{
    const struct { uint64_t addr, start, end; } pieces[] = {        /* offsets into all memory */
        { 0, 0, LOW_RAM_END },
        { HIGH_RAM, HIGH_RAM, vm->ram_below_4g },
        { 4 * GIB, vm->ram_below_4g, vm->ram_below_4g + vm->ram_above_4g },
    };
    const NumaConfig *config = vm->config.numa;
    uint64_t start = 0;

    for (unsigned n = 0; n < config->count; n++) {
        uint64_t end = start + config->nodes[n].mem_bytes;

        for (size_t p = 0; p < G_N_ELEMENTS(pieces); p++) {
            uint64_t from = MAX(start, pieces[p].start), to = MIN(end, pieces[p].end);

            if (from < to) {
                range(opaque, n, pieces[p].addr + (from - pieces[p].start), to - from);
            }
        }
        start = end;
    }
}

/* A way nobody measured is as long as the way back. */
uint8_t numa_distance(const NumaConfig *config, unsigned from, unsigned to)
{
    uint8_t there = config->nodes[from].distance[to], back = config->nodes[to].distance[from];

    return from == to ? NUMA_DISTANCE_MIN : there != 0 ? there :
           back != 0 ? back : NUMA_DISTANCE_DEFAULT;
}

void numa_print(Vm *vm, GString *out)
{
    const NumaConfig *config = vm->config.numa;

    g_string_append_printf(out, "%u nodes\n", config != NULL ? config->count : 0);
    for (unsigned n = 0; config != NULL && n < config->count; n++) {
        g_string_append_printf(out, "node %u cpus:", n);
        for (guint cpu = 0; cpu < vm->cpus->len; cpu++) {
            if (numa_node_of_cpu(vm, cpu) == n) {
                g_string_append_printf(out, " %u", cpu);
            }
        }
        g_string_append_printf(out, "\nnode %u size: %" PRIu64 " MB\nnode %u plugged: 0 MB\n", n,
                               config->nodes[n].mem_bytes / MIB, n);
    }
}
