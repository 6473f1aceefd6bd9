/* Looking at and saving guest memory, ports and expressions. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "command.h"
#include "complete_expr.h"
#include "dump.h"
#include "epoch.h"
#include "qmp_api.h"

/* The most one `sum` adds up: it runs on the main loop. */
#define SUM_MAX_BYTES (256 * MIB)

static bool have_cpu(Monitor *mon)
{
    if (monitor_cpu(mon) == NULL) {
        monitor_printf(mon, "No CPU available\n");
        return false;
    }
    return true;
}

/* ---- x, xp, print ---- */

static const CmdArg dump_args[] = {
    { .name = "fmt", .kind = ARG_FORMAT, .optional = true,
      .help = "count, then o d u x i or c, then b h w or g" },
    { ARG_EXPR("addr", ARG_INT64, "where to begin") },
    {}
};

static bool cmd_x(Monitor *mon, const CmdValues *args, GError **error)
{
    CmdFormat format = cmd_format(args, "fmt");

    if (have_cpu(mon)) {
        dump_memory(mon, &format, cmd_number(args, "addr", 0), true);
    }
    return true;
}

static bool cmd_xp(Monitor *mon, const CmdValues *args, GError **error)
{
    CmdFormat format = cmd_format(args, "fmt");

    if (format.letter != 'i' || have_cpu(mon)) {
        dump_memory(mon, &format, cmd_number(args, "addr", 0), false);
    }
    return true;
}

static const CmdArg print_args[] = {
    { .name = "fmt", .kind = ARG_FORMAT, .optional = true, .help = "o d u x or c" },
    { ARG_EXPR("expr", ARG_INT64, "what to work out") },
    {}
};

static bool cmd_print(Monitor *mon, const CmdValues *args, GError **error)
{
    char letter = cmd_format(args, "fmt").letter;
    uint64_t value = cmd_number(args, "expr", 0);

    dump_value(mon, letter, value);
    if (letter == 'x') {
        dump_name_of(mon, value);
    }
    monitor_printf(mon, "\n");
    return true;
}

/* ---- ports ---- */

static const CmdArg in_args[] = {
    { .name = "fmt", .kind = ARG_FORMAT, .optional = true, .help = "b h or w" },
    { .name = "addr", .kind = ARG_INT32, .help = "port" },
    { .name = "index", .kind = ARG_DOT_INT32, .optional = true,
      .help = "write this to the port first, then read the next port" },
    {}
};

/* Ports are at most 4 bytes wide. */
static unsigned port_size(const CmdFormat *format)
{
    return MIN(format->size != 0 ? format->size : 1, 4);
}

static bool cmd_in(Monitor *mon, const CmdValues *args, GError **error)
{
    static const char suffix[] = { [1] = 'b', [2] = 'w', [4] = 'l' };
    CmdFormat format = cmd_format(args, "fmt");
    unsigned size = port_size(&format);
    uint16_t port = cmd_number(args, "addr", 0);
    uint64_t value;

    if (cmd_given(args, "index")) {
        mem_store(&mon->vm->io, port++, (uint8_t)cmd_number(args, "index", 0), 1);
    }
    value = mem_load(&mon->vm->io, port, size, NULL);
    monitor_printf(mon, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", suffix[size], port, (int)size * 2,
                   value);
    return true;
}

static const CmdArg out_args[] = {
    { .name = "fmt", .kind = ARG_FORMAT, .optional = true, .help = "b h or w" },
    { .name = "addr", .kind = ARG_INT32, .help = "port" },
    { .name = "value", .kind = ARG_INT32, .help = "what to write" },
    {}
};

static bool cmd_out(Monitor *mon, const CmdValues *args, GError **error)
{
    CmdFormat format = cmd_format(args, "fmt");

    mem_store(&mon->vm->io, (uint16_t)cmd_number(args, "addr", 0), cmd_number(args, "value", 0),
              port_size(&format));
    return true;
}

/* ---- sum ---- */

static const CmdArg sum_args[] = {
    { ARG_EXPR("addr", ARG_INT32, "physical address") },
    { .name = "size", .kind = ARG_INT32, .help = "bytes" },
    {}
};

/* The BSD checksum: rotate right by one, add the byte, in 16 bits. */
static bool cmd_sum(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t addr = cmd_number(args, "addr", 0), left = cmd_number(args, "size", 0);
    g_autofree uint8_t *buf = g_malloc(64 * KIB);
    uint16_t sum = 0;

    if (left > SUM_MAX_BYTES) {
        set_error(error, "at most %u MiB can be summed at once", (unsigned)(SUM_MAX_BYTES / MIB));
        return false;
    }
    while (left > 0) {
        size_t len = MIN(left, 64 * KIB);

        mem_read_debug(&mon->vm->memory, addr, buf, len);
        for (size_t i = 0; i < len; i++) {
            sum = (uint16_t)(sum >> 1 | sum << 15) + buf[i];
        }
        addr += len;
        left -= len;
    }
    monitor_printf(mon, "%05d\n", sum);
    return true;
}

/* ---- addresses ---- */

static const CmdArg linear_args[] = { { ARG_EXPR("addr", ARG_INT64, "linear address") }, {} };
static const CmdArg physical_args[] = { { ARG_EXPR("addr", ARG_INT64, "physical address") }, {} };

static bool cmd_gva2gpa(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t addr = cmd_number(args, "addr", 0);
    PageMapping mapping;

    if (!have_cpu(mon)) {
        return true;
    }
    if (x86_translate(monitor_cpu(mon), addr, &mapping)) {
        monitor_printf(mon, "gpa: %#" PRIx64 "\n", mapping.phys + (addr & (mapping.size - 1)));
    } else {
        monitor_printf(mon, "Unmapped\n");
    }
    return true;
}

/* The host's address of guest memory; false after saying why there is none. */
static bool find_host(Monitor *mon, uint64_t addr, const uint8_t **host, const char **name)
{
    const FlatRange *range;
    bool ok = false;

    epoch_enter();
    range = mem_view_find(address_space_view(&mon->vm->memory), addr);
    if (range == NULL) {
        monitor_printf(mon, "No memory is mapped at address 0x%" PRIx64 "\n", addr);
    } else if (range->host == NULL) {
        monitor_printf(mon, "Memory at address 0x%" PRIx64 " is not RAM\n", addr);
    } else {
        *host = range->host + (addr - range->addr);
        *name = range->mr->name;
        ok = true;
    }
    epoch_leave();
    return ok;
}

static bool cmd_gpa2hva(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t addr = cmd_number(args, "addr", 0);
    const uint8_t *host;
    const char *name;

    if (find_host(mon, addr, &host, &name)) {
        monitor_printf(mon, "Host virtual address for 0x%" PRIx64 " (%s) is %p\n", addr, name,
                       host);
    }
    return true;
}

/* proc(5), /proc/pid/pagemap: bit 63 page present, bits 0–54 its frame (0 without privilege). */
static bool host_physical(const uint8_t *host, uint64_t *phys, GError **error)
{
    uint64_t page = sysconf(_SC_PAGESIZE), entry = 0;
    off_t at = (uintptr_t)host / page * sizeof(entry);
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        set_errno_error(error, errno, "cannot open /proc/self/pagemap");
        return false;
    }
    ok = pread(fd, &entry, sizeof(entry), at) == sizeof(entry);
    close(fd);
    if (!ok) {
        set_error(error, "cannot read /proc/self/pagemap");
    } else if (!(entry >> 63)) {
        set_error(error, "the page is not present in the host's memory");
        ok = false;
    } else {
        *phys = (entry & ((UINT64_C(1) << 55) - 1)) * page + (uintptr_t)host % page;
    }
    return ok;
}

static bool cmd_gpa2hpa(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t addr = cmd_number(args, "addr", 0), phys;
    const uint8_t *host;
    const char *name;

    if (!find_host(mon, addr, &host, &name)) {
        return true;
    }
    if (!host_physical(host, &phys, error)) {
        return false;
    }
    monitor_printf(mon, "Host physical address for 0x%" PRIx64 " (%s) is 0x%" PRIx64 "\n", addr,
                   name, phys);
    return true;
}

/* ---- saving ---- */

static const CmdArg save_args[] = {
    { ARG_EXPR("addr", ARG_INT64, "where to begin"), .qmp = "val" },
    { .name = "size", .kind = ARG_INT32, .help = "bytes", .qmp = "size" },
    { .name = "file", .kind = ARG_WORD, .help = "file to write", .qmp = "filename" },
    {}
};

static bool cmd_memsave(Monitor *mon, const CmdValues *args, GError **error)
{
    int64_t cpu_index = mon->cpu_index;

    return !have_cpu(mon) ||
           qmp_memsave(mon->vm, cmd_number(args, "addr", 0), cmd_number(args, "size", 0),
                       cmd_text(args, "file"), &cpu_index, error);
}

static bool cmd_pmemsave(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_pmemsave(mon->vm, cmd_number(args, "addr", 0), cmd_number(args, "size", 0),
                        cmd_text(args, "file"), error);
}

const Command monitor_memory_commands[] = {
    { .name = "x", .args = dump_args, .run = cmd_x, .help = "show memory at a linear address",
      .example = "x /8i $rip" },
    { .name = "xp", .args = dump_args, .run = cmd_xp, .help = "show memory at a physical address",
      .example = "xp /16xb 0x7c00" },
    { .name = "print", .alias = "p", .args = print_args, .run = cmd_print,
      .help = "work out an expression", .example = "print /x $rsp + 8" },
    { .name = "i", .args = in_args, .run = cmd_in, .help = "read an I/O port",
      .example = "i /b 0x3fd" },
    { .name = "o", .args = out_args, .run = cmd_out, .help = "write an I/O port",
      .example = "o /b 0x80 0x12" },
    { .name = "sum", .args = sum_args, .run = cmd_sum,
      .help = "16-bit BSD checksum of physical memory", .example = "sum 0xf0000 0x10000" },
    { .name = "gva2gpa", .args = linear_args, .run = cmd_gva2gpa,
      .help = "the physical address behind a linear one", .example = "gva2gpa $rsp" },
    { .name = "gpa2hva", .args = physical_args, .run = cmd_gpa2hva,
      .help = "where physical memory lies in this process", .example = "gpa2hva 0x100000" },
    { .name = "gpa2hpa", .args = physical_args, .run = cmd_gpa2hpa,
      .help = "where physical memory lies in the host's memory", .example = "gpa2hpa 0x100000" },
    { .name = "memsave", .args = save_args, .run = cmd_memsave,
      .help = "write linear memory of the current CPU to a file",
      .example = "memsave $rsp 4096 stack.bin", .qmp = "memsave" },
    { .name = "pmemsave", .args = save_args, .run = cmd_pmemsave,
      .help = "write physical memory to a file",
      .example = "pmemsave 0 0x100000 low.bin", .qmp = "pmemsave" },
    {}
};
