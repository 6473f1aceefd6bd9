/*
 * SMBus host controller with an empty bus: every transaction ends at once with a device error,
 * which is what the chip reports when no slave acknowledges.
 * Not modelled: slave mode, the completion interrupt (drivers poll).
 */
#include "pm_smbus.h"

#include <string.h>

enum {
    SMBHSTSTS = 0x00, SMBSLVSTS = 0x01, SMBHSTCNT = 0x02, SMBHSTCMD = 0x03, SMBHSTADD = 0x04,
    SMBHSTDAT0 = 0x05, SMBHSTDAT1 = 0x06, SMBBLKDAT = 0x07, SMBSLVCNT = 0x08,
    SMBUS_IO_SIZE = 0x40,
};

#define HSTSTS_DEV_ERR  0x04
#define HSTSTS_FAILED   0x10
#define HSTSTS_CLEARABLE 0x1e   /* INTER, DEV_ERR, BUS_ERR, FAILED: cleared by writing 1 */
#define HSTCNT_KILL     0x02
#define HSTCNT_START    0x40

static uint64_t smbus_read(void *opaque, uint64_t offset, unsigned size)
{
    const PmSmbus *smbus = opaque;

    switch (offset) {
    case SMBHSTSTS:
        return smbus->status;
    case SMBHSTCNT:
        return smbus->control;
    case SMBHSTCMD:
        return smbus->command;
    case SMBHSTADD:
        return smbus->address;
    case SMBHSTDAT0:
        return smbus->data0;
    case SMBHSTDAT1:
        return smbus->data1;
    case SMBSLVCNT:
        return smbus->slave_control;
    default:
        return 0;
    }
}

static void smbus_control(PmSmbus *smbus, uint8_t value)
{
    smbus->control = value & ~HSTCNT_START;
    if (value & HSTCNT_KILL) {
        smbus->status |= HSTSTS_FAILED;
    } else if (value & HSTCNT_START) {
        smbus->status |= HSTSTS_DEV_ERR;
    }
}

static void smbus_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PmSmbus *smbus = opaque;

    switch (offset) {
    case SMBHSTSTS:
        smbus->status &= ~(value & HSTSTS_CLEARABLE);
        break;
    case SMBHSTCNT:
        smbus_control(smbus, value);
        break;
    case SMBHSTCMD:
        smbus->command = value;
        break;
    case SMBHSTADD:
        smbus->address = value;
        break;
    case SMBHSTDAT0:
        smbus->data0 = value;
        break;
    case SMBHSTDAT1:
        smbus->data1 = value;
        break;
    case SMBSLVCNT:
        smbus->slave_control = value;
        break;
    }
}

static const MemOps smbus_ops = {
    .read = smbus_read, .write = smbus_write, .min_size = 1, .max_size = 1,
};

static const StateField pm_smbus_fields[] = {
    STATE_UINT8(PmSmbus, status),
    STATE_UINT8(PmSmbus, control),
    STATE_UINT8(PmSmbus, command),
    STATE_UINT8(PmSmbus, address),
    STATE_UINT8(PmSmbus, data0),
    STATE_UINT8(PmSmbus, data1),
    STATE_UINT8(PmSmbus, slave_control),
    {}
};

const StateDesc pm_smbus_state = { .name = "pmsmb", .version = 1, .fields = pm_smbus_fields };

void pm_smbus_init(PmSmbus *smbus, Object *owner)
{
    mem_region_init_io(&smbus->io, owner, "pm-smbus", SMBUS_IO_SIZE, &smbus_ops, smbus);
}

void pm_smbus_finish(PmSmbus *smbus)
{
    mem_region_finish(&smbus->io);
}

void pm_smbus_reset(PmSmbus *smbus)
{
    smbus->status = smbus->control = smbus->command = smbus->address = 0;
    smbus->data0 = smbus->data1 = smbus->slave_control = 0;
}
