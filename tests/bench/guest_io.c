/*
 * Measures a disk or a TCP server from inside a guest, for tests/bench/compare; linked statically.
 *
 *   guest_io read|write DISK DEPTH BLOCK random|sequential TOTAL     bytes per second
 *   guest_io stream HOST PORT TOTAL                                  bytes per second
 *   guest_io round HOST PORT COUNT                                   round trips per second
 *
 * Disks are opened with O_DIRECT and kept DEPTH requests deep through the kernel's own asynchronous
 * I/O.  The stream server sends until it is cut off; the round server echoes single bytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 256

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- disks ---- */

typedef struct Disk {
    int fd;
    aio_context_t context;
    int write, random;
    uint64_t size, block, next, seed;
    struct iocb control[DEPTH_MAX];
} Disk;

static uint64_t next_offset(Disk *disk)
{
    uint64_t blocks = disk->size / disk->block;

    disk->seed = disk->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (disk->random ? (disk->seed >> 33) % blocks : disk->next++ % blocks) * disk->block;
}

static void submit(Disk *disk, struct iocb *control)
{
    control->aio_offset = next_offset(disk);
    if (syscall(SYS_io_submit, disk->context, 1, &control) != 1) {
        fail("io_submit");
    }
}

static void start(Disk *disk, unsigned slot)
{
    struct iocb *control = &disk->control[slot];
    void *buf;

    if (posix_memalign(&buf, 4096, disk->block) != 0) {
        fail("memory");
    }
    memset(buf, slot + 1, disk->block);
    control->aio_fildes = disk->fd;
    control->aio_lio_opcode = disk->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    control->aio_buf = (uintptr_t)buf;
    control->aio_nbytes = disk->block;
    control->aio_data = slot;
    submit(disk, control);
}

static void measure_disk(Disk *disk, unsigned depth, uint64_t total)
{
    uint64_t count = total / disk->block, done = 0;
    double begin = now();

    for (unsigned slot = 0; slot < depth; slot++) {
        start(disk, slot);
    }
    while (done < count) {
        struct io_event events[DEPTH_MAX];
        long got = syscall(SYS_io_getevents, disk->context, 1, depth, events, NULL);

        for (long i = 0; i < got; i++, done++) {
            if (events[i].res != (int64_t)disk->block) {
                fail("transfer");
            }
            if (done + depth < count) {
                submit(disk, &disk->control[events[i].data]);
            }
        }
    }
    if (disk->write) {
        fsync(disk->fd);
    }
    printf("%.0f\n", total / (now() - begin));
}

static int run_disk(char **arg)
{
    Disk disk = { .write = arg[1][0] == 'w', .random = arg[5][0] == 'r',
                  .block = strtoull(arg[4], NULL, 0), .seed = 1 };
    unsigned depth = atoi(arg[3]);

    disk.fd = open(arg[2], (disk.write ? O_RDWR : O_RDONLY) | O_DIRECT);
    if (disk.fd < 0 || ioctl(disk.fd, BLKGETSIZE64, &disk.size) != 0 || depth > DEPTH_MAX ||
        syscall(SYS_io_setup, DEPTH_MAX, &disk.context) != 0) {
        fail(arg[2]);
    }
    measure_disk(&disk, depth, strtoull(arg[6], NULL, 0));
    return 0;
}

/* ---- networks ---- */

static int run_net(char **arg)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(arg[3])) };
    uint64_t total = strtoull(arg[4], NULL, 0), done = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, round = arg[1][0] == 'r';
    static char buf[65536];
    double begin;

    inet_pton(AF_INET, arg[2], &addr.sin_addr);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        fail("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    begin = now();
    while (done < total) {
        ssize_t got;

        if (round && write(fd, buf, 1) != 1) {
            fail("write");
        }
        got = read(fd, buf, round ? 1 : sizeof(buf));
        if (got <= 0) {
            fail("read");
        }
        done += got;
    }
    printf("%.0f\n", done / (now() - begin));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 7 && (argv[1][0] == 'w' || strcmp(argv[1], "read") == 0)) {
        return run_disk(argv);
    }
    if (argc == 5) {
        return run_net(argv);
    }
    fprintf(stderr, "usage: see the head of guest_io.c\n");
    return 2;
}
