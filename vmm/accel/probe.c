/*
 * How fast this host's KVM runs supervisor code.
 *
 * Most hosts run it on the processor; some (nested ones without nested paging, hosts that
 * virtualise page tables) send it through KVM's instruction emulator, a hundred times slower.  A
 * throw-away VM runs a loop of a few thousand instructions in 64-bit supervisor mode and then some
 * port writes.  The answer holds until the host boots again and is kept in a file of the user's
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "accel.h"

/* ---- the guest ---- */

/* A loop between port writes that mark its begin and end; then port writes for ever. */
#define LOOPS 1000
static const uint8_t guest_code[] = {
    0xb9, LOOPS & 0xff, LOOPS >> 8, 0, 0,           /* mov $LOOPS, %ecx */
    0xe6, 0x80,                                     /* out %al, $0x80 */
    0xff, 0xc9,                                     /* 1: dec %ecx */
    0x75, 0xfc,                                     /* jnz 1b */
    0xe6, 0x80,                                     /* 2: out %al, $0x80 */
    0xeb, 0xfc,                                     /* jmp 2b */
};
#define EXIT_ROUNDS     32
#define TRIES           3
#define SLOW_MIPS       50.0            /* an emulator reaches a few, a processor thousands */

/* Guest memory: four pages of tables and code, which map its first 2 MiB onto itself. */
enum { PML4 = 0x0, PDPT = 0x1000, PD = 0x2000, CODE = 0x3000, GUEST_SIZE = 0x4000 };

typedef struct ProbeVm {
    int kvm, vm, vcpu;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
} ProbeVm;

static void probe_vm_finish(ProbeVm *probe)
{
    if (probe->run) {
        munmap(probe->run, probe->run_size);
    }
    const int fds[] = { probe->vcpu, probe->vm, probe->kvm };

    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (probe->memory) {
        munmap(probe->memory, GUEST_SIZE);
    }
}

static bool map_guest(ProbeVm *probe)
{
    void *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    probe->memory = memory;
    *(uint64_t *)(probe->memory + PML4) = PDPT | 3;
    *(uint64_t *)(probe->memory + PDPT) = PD | 3;
    *(uint64_t *)(probe->memory + PD) = 0x83;               /* a 2 MiB page */
    memcpy(probe->memory + CODE, guest_code, sizeof(guest_code));
    struct kvm_userspace_memory_region slot = {
        .memory_size = GUEST_SIZE, .userspace_addr = (uintptr_t)probe->memory,
    };
    return ioctl(probe->vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0;
}

static bool open_vm(ProbeVm *probe)
{
    int run_size;

    probe->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (probe->kvm < 0 || ioctl(probe->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
        return false;
    }
    probe->vm = ioctl(probe->kvm, KVM_CREATE_VM, 0);
    if (probe->vm < 0) {
        return false;
    }
    /* Where Intel processors without "unrestricted guest" keep a task state segment. */
    ioctl(probe->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    if (!map_guest(probe)) {
        return false;
    }
    probe->vcpu = ioctl(probe->vm, KVM_CREATE_VCPU, 0);
    run_size = ioctl(probe->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (probe->vcpu < 0 || run_size < (int)sizeof(struct kvm_run)) {
        return false;
    }
    probe->run_size = run_size;
    probe->run = mmap(NULL, probe->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, probe->vcpu, 0);
    if (probe->run == MAP_FAILED) {
        probe->run = NULL;
        return false;
    }
    return true;
}

/* 64-bit supervisor mode, interrupts off, at CODE. */
static bool set_start(ProbeVm *probe)
{
    const struct kvm_segment data = {
        .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
    };
    struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
    struct kvm_sregs sregs;

    if (ioctl(probe->vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return false;
    }
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cs = data;
    sregs.cs.selector = 8;
    sregs.cs.type = 11;
    sregs.cs.db = 0;
    sregs.cs.l = 1;
    sregs.cr3 = PML4;
    sregs.cr4 = 1u << 5;                        /* PAE */
    sregs.efer = 1u << 8 | 1u << 10;            /* LME, LMA */
    sregs.cr0 = 1u << 31 | 1u << 4 | 1u << 0;   /* PG, ET, PE */
    return ioctl(probe->vcpu, KVM_SET_SREGS, &sregs) == 0 &&
           ioctl(probe->vcpu, KVM_SET_REGS, &regs) == 0;
}

static bool run_to_port(ProbeVm *probe)
{
    int ret;

    do {
        ret = ioctl(probe->vcpu, KVM_RUN, 0);
    } while (ret < 0 && errno == EINTR);
    return ret == 0 && probe->run->exit_reason == KVM_EXIT_IO;
}

static double ns_since(int64_t start)
{
    return (double)(host_clock_ns() - start);
}

static bool measure_exits(ProbeVm *probe, AccelProbe *result)
{
    int64_t start = host_clock_ns();

    for (unsigned i = 0; i < EXIT_ROUNDS; i++) {
        if (!run_to_port(probe)) {
            return false;
        }
    }
    result->kvm_exit_ns = ns_since(start) / EXIT_ROUNDS;
    return true;
}

/* The best of a few tries: anything else that happens on the host makes one slower, none faster. */
static bool measure(ProbeVm *probe, AccelProbe *result)
{
    result->kvm_emulates = true;
    for (unsigned i = 0; i < TRIES && result->kvm_emulates; i++) {
        if (!set_start(probe) || !run_to_port(probe)) {
            return false;
        }
        int64_t start = host_clock_ns();
        if (!run_to_port(probe)) {
            return false;
        }
        double ns = ns_since(start);
        if (!measure_exits(probe, result)) {
            return false;
        }
        /* What an exit takes is measured apart; a loop shorter than the noise was fast. */
        double mips = 2 * LOOPS * 1e3 / MAX(ns - result->kvm_exit_ns, ns / 16);

        result->kvm_supervisor_mips = MAX(result->kvm_supervisor_mips, mips);
        result->kvm_emulates = result->kvm_supervisor_mips < SLOW_MIPS;
    }
    return true;
}

static bool probe_now(AccelProbe *result)
{
    ProbeVm probe = { .kvm = -1, .vm = -1, .vcpu = -1 };

    result->kvm_usable = open_vm(&probe) && measure(&probe, result);
    if (!result->kvm_usable) {
        g_snprintf(result->kvm_problem, sizeof(result->kvm_problem), "%s",
                   probe.kvm < 0 ? g_strerror(errno)
                   : probe.vcpu < 0 ? "/dev/kvm makes no virtual machine"
                                    : "a test machine did not run 64-bit code");
        if (probe.kvm < 0) {
            g_autofree char *text = g_strdup(result->kvm_problem);

            g_snprintf(result->kvm_problem, sizeof(result->kvm_problem), "/dev/kvm: %s", text);
        }
    }
    probe_vm_finish(&probe);
    return result->kvm_usable;
}

/* ---- the cache ---- */

#define CACHE_FORMAT "rhea-kvm-probe 1"

/* A folder of the user's own that lasts at most until the host goes down; NULL: there is none. */
static char *cache_folder(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *path = runtime && g_path_is_absolute(runtime)
                                ? g_build_filename(runtime, "rhea", NULL)
                                : g_strdup_printf("/tmp/rhea-%u", (unsigned)getuid());
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return NULL;
    }
    /* In /tmp anybody may have been here first. */
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() || st.st_mode & 077) {
        return NULL;
    }
    return g_steal_pointer(&path);
}

static bool boot_id(char id[64])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, id, 63);

    if (fd >= 0) {
        close(fd);
    }
    if (len <= 0) {
        return false;
    }
    id[len] = 0;
    g_strchomp(id);
    return true;
}

static bool cache_read(const char *file, const char *boot, AccelProbe *result)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[256], id[64];
    struct stat st;
    ssize_t len = -1;
    unsigned kips, exit_ns, emulates;

    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == getuid()) {
        len = read(fd, text, sizeof(text) - 1);
    }
    close(fd);
    if (len <= 0) {
        return false;
    }
    text[len] = 0;
    if (sscanf(text, CACHE_FORMAT " %63s %u %u %u", id, &kips, &exit_ns, &emulates) != 4 ||
        strcmp(id, boot) != 0) {
        return false;
    }
    result->kvm_supervisor_mips = kips / 1e3;
    result->kvm_exit_ns = exit_ns;
    result->kvm_emulates = emulates;
    return result->kvm_usable = result->cached = true;
}

/* Failing to write costs the next start ten milliseconds; nobody needs to hear of it. */
static void cache_write(const char *file, const char *boot, const AccelProbe *result)
{
    g_autofree char *temp = g_strdup_printf("%s.%d", file, (int)getpid());
    g_autofree char *text = g_strdup_printf(CACHE_FORMAT " %s %u %u %u\n", boot,
                                            (unsigned)(result->kvm_supervisor_mips * 1e3),
                                            (unsigned)result->kvm_exit_ns, result->kvm_emulates);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool whole;

    if (fd < 0) {
        return;
    }
    whole = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    if (!whole || rename(temp, file) < 0) {
        unlink(temp);
    }
}

bool accel_probe(AccelProbe *probe)
{
    g_autofree char *folder = cache_folder();
    g_autofree char *file = folder ? g_build_filename(folder, "kvm-probe", NULL) : NULL;
    char boot[64];
    bool have_boot = boot_id(boot);

    *probe = (AccelProbe){ 0 };
    /* What is cached is how fast it is; whether this process may use it is asked each time. */
    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        g_snprintf(probe->kvm_problem, sizeof(probe->kvm_problem), "/dev/kvm: %s",
                   g_strerror(errno));
        return false;
    }
    if (file && have_boot && cache_read(file, boot, probe)) {
        return true;
    }
    if (!probe_now(probe)) {
        return false;
    }
    if (file && have_boot) {
        cache_write(file, boot, probe);
    }
    return true;
}
