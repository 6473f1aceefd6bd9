/* How much the machine has done, for those who show it. */
#include <time.h>

#include "net.h"
#include "vm.h"

/* The clock of a thread's processor time, by the kernel's number for the thread: clock_getres(2). */
static clockid_t thread_clock(int thread_id)
{
    enum { PER_THREAD = 4, SCHEDULED_TIME = 2 };

    return (clockid_t)(~(unsigned)thread_id << 3 | PER_THREAD | SCHEDULED_TIME);
}

void vm_load(Vm *vm, VmLoad *load)
{
    const GPtrArray *disks = block_backends(), *clients = net_clients();

    *load = (VmLoad){ 0 };
    for (guint i = 0; i < vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);
        struct timespec spent;

        if (cpu->thread_id != 0 && clock_gettime(thread_clock(cpu->thread_id), &spent) == 0) {
            load->cpu_ns += spent.tv_sec * NS_PER_SEC + spent.tv_nsec;
        }
    }
    for (guint i = 0; i < disks->len; i++) {
        const BlockStats *stats = block_backend_stats(g_ptr_array_index(disks, i));

        load->disk_read += stats->bytes[BLOCK_READ];
        load->disk_written += stats->bytes[BLOCK_WRITE];
    }
    for (guint i = 0; i < clients->len; i++) {
        const NetClient *client = g_ptr_array_index(clients, i);

        if (client->nic != NULL) {
            load->net_received += client->received_bytes;
            load->net_sent += client->sent_bytes;
        }
    }
}
