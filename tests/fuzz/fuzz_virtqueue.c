/*
 * A guest that does anything to a virtio device's registers and rings.  Reaches: both interfaces of
 * the PCI transport, MSI-X, descriptor chains direct and indirect, and the requests of virtio-blk,
 * virtio-serial, virtio-balloon and virtio-rng.  The first byte chooses the device; then the input
 * is a list of accesses to registers, rings and buffers.
 */
#include <stdint.h>
#include <string.h>

#include "block.h"
#include "rng.h"
#include "virtio_devices.h"

static unsigned chosen_devfn;
#define VIO_DEVFN chosen_devfn
#include "virtio_board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, size;
    uint16_t where;
    uint32_t value;
} Access;

enum { QUEUES = 4, DISK_BYTES = 1 << 20 };

static const struct { const DeviceType *type; const char *props; } devices[] = {
    { &virtio_blk_pci_type, "drive=d0,queue-size=16" },
    { &virtio_serial_pci_type, "max_ports=3" },
    { &virtio_balloon_pci_type, "free-page-reporting=on" },
    { &virtio_rng_pci_type, "" },
};

static void add_drive(void)
{
    g_autofree char *text = g_strdup_printf("if=none,id=d0,driver=null-co,size=%d,read-zeroes=on",
                                            DISK_BYTES);

    g_assert(block_drive_new(keyval_parse(text, NULL, NULL), "ide", false, NULL) != NULL);
}

static void setup(void)
{
    bare_setup();
    add_drive();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    vm.msi_send = vio_msi;
    for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autofree char *addr = g_strdup_printf("%u", 3 + i);

        vio_add(devices[i].type, addr, devices[i].props);
    }
    vm_start(&vm);
}

/* From scratch, the way a driver would: so that what follows meets a device at work. */
static void bring_up(uint32_t value)
{
    uint64_t features = vio_offered() & (value | ~UINT64_C(0xffffffff));

    wr(VIO_COMMON + 0x14, 0, 1);
    vio_accept(features | VIRTIO_BIT(VIRTIO_F_VERSION_1));
    for (unsigned n = 0; n < QUEUES; n++) {
        vio_queue(n, RING_SIZE);
    }
    wr(VIO_COMMON + 0x14, 15, 1);
}

/* A descriptor whose fields are near what makes sense. */
static void lay_descriptor(const Access *access)
{
    uint64_t table = access->size & 0x80 ? 0x300000 : RING_DESC(access->where % QUEUES);
    uint64_t addr = access->size & 0x40 ? 0x300000 : BUFFER(access->value % 16);
    uint32_t len = access->value >> 8 & 0xffff;

    desc_at(table, access->where >> 4 & 15, addr, len, access->size & 7, access->value >> 24);
}

static void carry_out(const Access *access)
{
    unsigned size = 1u << access->size % 4;

    switch (access->kind % 12) {
    case 0: wr(VIO_COMMON + (access->where & 0x3f), access->value, size); break;
    case 1: rd(VIO_COMMON + (access->where & 0x3fff), size); break;
    case 2: wr(VIO_DEVICE + (access->where & 0x7f), access->value, size); break;
    case 3: wr(VIO_MSIX + (access->where & 0xfff), access->value, size); break;
    case 4: cfg_out(VIO_DEVFN, access->where & 0xff, access->value, MIN(size, 4)); break;
    case 5: out(VIO_IO + (access->where & 0x3f), access->value, MIN(size, 4)); break;
    case 6: in(VIO_IO + (access->where & 0x3f), MIN(size, 4)); break;
    case 7: lay_descriptor(access); break;
    case 8: offer(access->where % QUEUES, access->value); break;
    case 9: kick(access->where % QUEUES); break;
    case 10: wr(BUFFER(access->where % 16) + (access->where >> 4 & 0xff), access->value, 4); break;
    case 11: bring_up(access->value); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    Access access;

    if (size < 1) {
        return 0;
    }
    if (!ready) {
        setup();
        ready = true;
    }
    devices_reset(&vm);
    chosen_devfn = (3 + data[0] % G_N_ELEMENTS(devices)) << 3;
    vio_place();
    for (size_t at = 1; at + sizeof(access) <= size; at += sizeof(access)) {
        memcpy(&access, data + at, sizeof(access));
        carry_out(&access);
    }
    devices_reset(&vm);
    block_drain_all();
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    return 0;
}
