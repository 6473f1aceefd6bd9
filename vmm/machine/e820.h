/*
 * The memory map a PC's firmware reports (ACPI 2.0 chapter 14), as firmware and kernels
 * get it.  Addresses and sizes in bytes.  Machine lock.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum E820Type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 } E820Type;

typedef struct __attribute__((packed)) E820Entry {
    uint64_t addr, size_bytes;          /* little endian, as the host is */
    uint32_t type;
} E820Entry;
G_STATIC_ASSERT(sizeof(E820Entry) == 20);

enum { E820_MAX = 16 };

typedef struct E820Map {
    unsigned count;
    E820Entry entries[E820_MAX];        /* in order of address */
} E820Map;

/* Appends [addr, end) when it is not empty. */
void e820_add(E820Map *map, uint64_t addr, uint64_t end, E820Type type);
