/*
 * NUMA as -numa describes it: which CPUs and how much memory each node has, how far nodes are from
 * each other.  Main thread, machine lock.
 */
#pragma once

#include "acpi.h"
#include "vm_core.h"

#define NUMA_NODES_MAX      128
#define NUMA_DISTANCE_MIN   10              /* ACPI 6.4 5.2.17: to itself */
#define NUMA_DISTANCE_DEFAULT 20

typedef struct NumaNode {
    bool present;
    uint64_t mem_bytes;                     /* mem= or the backend's */
    char *memdev;                           /* NULL: a slice of the machine's memory */
    unsigned long cpus[4];                  /* bit n: CPU n, as asked for */
    uint8_t distance[NUMA_NODES_MAX];       /* 0: not said */
} NumaNode;

typedef struct NumaConfig {
    unsigned count;
    bool distances;                         /* some were given */
    NumaNode nodes[NUMA_NODES_MAX];
} NumaConfig;

/* -numa node,… and -numa dist,…: adds to vm->config.numa, made on first use. */
bool numa_option(NumaConfig **config, const char *text, GError **error);

/*
 * Once the topology is known: nodes are numbered without gaps, each CPU is in one, memory adds up.
 * CPUs nobody placed go to the nodes socket by socket.
 */
bool numa_check(Vm *vm, GError **error);
unsigned numa_node_of_cpu(const Vm *vm, unsigned cpu_index);    /* 0 without NUMA */

/*
 * The region of the machine's memory where nodes bring their own: a container with a backend per
 * node.  NULL without an error: they do not.
 */
MemRegion *numa_make_ram(Vm *vm, const char *name, GError **error);

/* SRAT's and SLIT's entries: calls `range` for each piece of a node's memory. */
typedef void (*NumaRangeFn)(void *opaque, unsigned node, uint64_t addr, uint64_t size);
void numa_ranges(const Vm *vm, NumaRangeFn range, void *opaque);
uint8_t numa_distance(const NumaConfig *config, unsigned from, unsigned to);

void numa_print(Vm *vm, GString *out);                          /* info numa */
