/*
 * A guest that does anything to its drives.  Reaches: the ports of both IDE channels and their bus
 * masters with descriptors in the guest's hands, packets of the CD drive, CDBs of SCSI units
 * carried whole and in windows, cancelling, resets, and loading damaged state.  The images are
 * null-co.  The input is a list of accesses.
 */
#include <stdint.h>
#include <string.h>

#include "disk_board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, size;
    uint16_t where;
    uint32_t value;
} Access;

#define WHOLE_MAX (256 * 1024)

/* A SCSI host with a few commands at once. */
typedef struct Command {
    ScsiRequest req;
    bool running, waiting;              /* waiting: it has a window */
    struct iovec iov[2];
    uint8_t data[WHOLE_MAX];
} Command;

static const uint16_t ports[] = { 0x1f0, 0x170, 0x3f6, 0x376, BM_PORT, BM_PORT + 8 };
static Command commands[4];
static uint8_t cdb[16];
static ScsiBus *bus;

static void host_data(ScsiRequest *req, uint8_t *window, uint32_t len)
{
    Command *command = req->opaque;

    g_assert(len > 0 && len <= SCSI_WINDOW);
    if (req->dir == SCSI_TO_DEVICE) {
        memset(window, cdb[15], len);
        memcpy(window, cdb, MIN(len, sizeof(cdb)));
    }
    command->waiting = true;
}

static void host_done(ScsiRequest *req)
{
    Command *command = req->opaque;

    g_assert(command->running && req->transferred <= req->len);
    command->running = command->waiting = false;
}

static const ScsiHostOps host_ops = { .data = host_data, .done = host_done };

static void setup(void)
{
    static const DeviceType host_type = { .name = "host", .bus = &system_bus_type,
                                          .size = sizeof(Device), .board_only = true };
    Device *host;

    disk_board();
    null_drive_new("hd0", 64 << 20);
    null_drive_new("cd0", 16 << 20);
    null_drive_new("hd1", UINT64_C(8) << 40);
    null_drive_new("cd1", 5 << 20);
    disk_add(&ide_hd_type, ide_bus_at(0), "hd0", "unit=0");
    disk_add(&ide_cd_type, ide_bus_at(0), "cd0", "unit=1");
    disk_add(&ide_cd_type, ide_bus_at(1), NULL, NULL);
    host = device_new(&vm, &host_type, "s");
    g_assert(device_realize(host, NULL, NULL));
    bus = scsi_bus_new(host, NULL, NULL, NULL, 0, 7, 255);
    disk_add(&scsi_hd_type, (Bus *)bus, "hd1", "scsi-id=0,lun=0,serial=x,wwn=1,port_wwn=2");
    disk_add(&scsi_cd_type, (Bus *)bus, "cd1", "scsi-id=0,lun=1");
    disk_board_ready();
}

static void start_command(const Access *access)
{
    Command *command = &commands[access->where & 3];
    ScsiDevice *dev = scsi_bus_find(bus, 0, 0, access->where >> 2 & 1);

    if (command->running) {
        return;
    }
    scsi_request_init(&command->req, &dev->unit, &host_ops, command, access->where >> 2 & 3, cdb,
                      sizeof(cdb));
    if (access->size & 1 && command->req.len <= WHOLE_MAX && command->req.len > 0) {
        uint32_t cut = access->value % command->req.len;

        command->iov[0] = (struct iovec){ command->data, cut };
        command->iov[1] = (struct iovec){ command->data + cut, WHOLE_MAX - cut };
        command->req.iov = command->iov;
        command->req.niov = 2;
    }
    command->running = true;
    scsi_request_start(&command->req);
}

static void poke_command(const Access *access)
{
    Command *command = &commands[access->where & 3];

    if (command->running && access->size & 1) {
        scsi_request_cancel(&command->req);
    } else if (command->waiting) {
        command->waiting = false;
        scsi_request_continue(&command->req);
    }
}

/* Saves a drive, damages a byte, loads what is left. */
static void damage_state(const Access *access)
{
    const Bus *buses[] = { ide_bus_at(0), ide_bus_at(1), (Bus *)bus };
    const Bus *from = buses[access->where % 3];
    Device *dev = g_ptr_array_index(from->devices, access->where / 4 % from->devices->len);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    size_t pos = 0;

    dev->type->reset(dev);
    state_save(dev->type->state, dev, bytes);
    bytes->data[access->value % bytes->len] ^= access->value >> 16;
    if (!state_load(dev->type->state, dev, dev->type->state->version, bytes->data, bytes->len, &pos,
                    NULL)) {
        dev->type->reset(dev);
    }
}

static void carry_out(const Access *access)
{
    unsigned size = 1u << access->size % 3;
    uint16_t port = ports[access->where / 8 % G_N_ELEMENTS(ports)] + access->where % 8;

    switch (access->kind % 10) {
    case 0:
    case 1:
    case 2:
        mem_store(&vm.io, port, access->value, size);
        break;
    case 3:
        mem_load(&vm.io, port, size, NULL);
        break;
    case 4:
        mem_store(&vm.memory, access->where, access->value, 4);
        break;
    case 5:
        memcpy(cdb + access->where % 13, &access->value, 4);
        cdb[0] = access->size & 0x80 ? access->size : cdb[0];
        break;
    case 6:
        start_command(access);
        break;
    case 7:
        poke_command(access);
        break;
    case 8:
        g_main_context_iteration(NULL, FALSE);
        break;
    case 9:
        damage_state(access);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!ide) {
        setup();
    }
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        carry_out(&access);
    }
    disk_board_ready();
    for (size_t n = 0; n < G_N_ELEMENTS(commands); n++) {
        g_assert(!commands[n].running);
    }
    return 0;
}
