/*
 * Direct boot: a kernel is put in memory and entered without any firmware.
 *
 * boot_plan_new() reads the kernel's headers once and decides what goes where; every reset carries
 * the plan out again (boot_plan_load()) and enters the kernel (boot_plan_enter()).  File contents
 * are read into guest memory at that time, so they are held in memory once.  Machine lock, machine
 * stopped.
 */
#pragma once

#include "e820.h"
#include "vm_core.h"

/* What we put into conventional memory. */
#define BOOT_GDT        0x0500
#define BOOT_PAGES      0x1000          /* PML4, page directory pointers, four page directories */
#define BOOT_INFO       0x7000          /* boot_params, hvm_start_info or multiboot information */
#define BOOT_CMDLINE    0x10000
#define BOOT_CMDLINE_MAX 0x10000
#define BOOT_MODULES    0x20000         /* multiboot: module list and strings */
#define BOOT_LOW_END    0x9fc00
#define BOOT_HIGH       0x100000

/* A file that pieces are read from. Owned by the plan. */
typedef struct BootFile {
    int fd;
    uint64_t size_bytes;
    char *path;
} BootFile;

/*
 * Guest memory from `addr` on: bytes of a file or of `bytes`, then zeros, then room left as it is.
 */
typedef struct BootPiece {
    const char *what;                   /* for messages */
    uint64_t addr, size_bytes, zero_bytes, spare_bytes;
    const BootFile *file;
    uint64_t file_offset;
    GBytes *bytes;
} BootPiece;

/* How the first CPU enters the kernel. */
typedef struct BootEntry {
    bool long_mode;                     /* 64-bit, paging on; else 32-bit, paging off */
    uint64_t rip, rax, rbx, rsi;
    uint16_t cs, ds;                    /* selectors in our GDT */
} BootEntry;

#define BOOT_CS 0x10                    /* as the Linux boot protocol wants them */
#define BOOT_DS 0x18

typedef struct BootPlan {
    Vm *vm;
    BootFile kernel;
    GArray *pieces;                     /* BootPiece */
    GPtrArray *files;                   /* BootFile * besides the kernel */
    BootEntry entry;
    E820Map e820;
    uint64_t rsdp_addr;                 /* 0: no ACPI */
    uint64_t high_end;                  /* kernel and initrd go below this */
    bool loaded_before;
    /* start of the kernel file */
    uint8_t *head;
    size_t head_bytes;
} BootPlan;

/* `e820` and `rsdp_addr` describe the machine as the board prepares it. */
BootPlan *boot_plan_new(Vm *vm, const E820Map *e820, uint64_t rsdp_addr, GError **error);
void boot_plan_free(BootPlan *plan);
bool boot_plan_load(BootPlan *plan, GError **error);
void boot_plan_enter(BootPlan *plan);

/* ---- for the formats ---- */

typedef struct BootFormat {
    const char *name;
    bool (*matches)(const BootPlan *plan);
    bool (*plan)(BootPlan *plan, GError **error);
} BootFormat;
extern const BootFormat boot_multiboot, boot_bzimage, boot_pvh;

/*
 * The range must be RAM by the e820 map and free, the file long enough; else an error names the
 * piece.
 */
bool boot_add(BootPlan *plan, const BootPiece *piece, GError **error);
bool boot_add_bytes(BootPlan *plan, const char *what, uint64_t addr, const void *data, size_t len,
                    GError **error);
const BootFile *boot_open(BootPlan *plan, const char *path, GError **error);
bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len, GError **error);
/*
 * Places the initrd page aligned as high as it fits below `limit` and above `floor`; *addr and
 * *size are 0 without one.
 */
bool boot_add_initrd(BootPlan *plan, uint64_t floor, uint64_t limit, uint64_t *addr, uint64_t *size,
                     GError **error);
/* The command line, at most `max` bytes, at BOOT_CMDLINE. */
bool boot_add_cmdline(BootPlan *plan, const char *text, size_t max, GError **error);
