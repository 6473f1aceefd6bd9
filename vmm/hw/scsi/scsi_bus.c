/* The SCSI bus: addresses, and news for the host adapter. */
#include "rhea_error.h"
#include "scsi_core.h"

static bool scsi_same_target(const ScsiDevice *dev, uint32_t channel, uint32_t id)
{
    return dev->channel == channel && dev->scsi_id == id;
}

/* The device at exactly this address, realized or being realized; not `but`. */
static ScsiDevice *scsi_at(const ScsiBus *bus, uint32_t channel, uint32_t id, uint32_t lun,
                           const ScsiDevice *but)
{
    for (guint i = 0; i < bus->bus.devices->len; i++) {
        ScsiDevice *dev = g_ptr_array_index(bus->bus.devices, i);

        if (dev != but && scsi_same_target(dev, channel, id) && dev->lun == lun) {
            return dev;
        }
    }
    return NULL;
}

ScsiDevice *scsi_bus_find(ScsiBus *bus, uint32_t channel, uint32_t id, uint32_t lun)
{
    ScsiDevice *other = NULL;

    for (guint i = 0; i < bus->bus.devices->len; i++) {
        ScsiDevice *dev = g_ptr_array_index(bus->bus.devices, i);

        if (!dev->dev.realized || !scsi_same_target(dev, channel, id)) {
            continue;
        }
        if (dev->lun == lun) {
            return dev;
        }
        other = other ? other : dev;
    }
    return other;
}

/* ---- plugging ---- */

static bool scsi_check_address(const ScsiBus *bus, const ScsiDevice *dev, GError **error)
{
    if (dev->channel > bus->max_channel) {
        set_error(error, "bad scsi channel id: %u", dev->channel);
    } else if (dev->scsi_id != UINT32_MAX && dev->scsi_id > bus->max_target) {
        set_error(error, "bad scsi device id: %u", dev->scsi_id);
    } else if (dev->lun != UINT32_MAX && dev->lun > bus->max_lun) {
        set_error(error, "bad scsi device lun: %u", dev->lun);
    } else {
        return true;
    }
    return false;
}

/* Without an id the next target whose LUN is free; with one but no LUN, the next of its LUNs. */
static bool scsi_choose_address(const ScsiBus *bus, ScsiDevice *dev, GError **error)
{
    if (dev->scsi_id == UINT32_MAX) {
        uint32_t lun = dev->lun == UINT32_MAX ? 0 : dev->lun, id = 0;

        while (id <= bus->max_target && scsi_at(bus, dev->channel, id, lun, dev)) {
            id++;
        }
        if (id > bus->max_target) {
            set_error(error, "no free target");
            return false;
        }
        dev->scsi_id = id;
        dev->lun = lun;
        return true;
    }
    if (dev->lun == UINT32_MAX) {
        uint32_t lun = 0;

        while (lun <= bus->max_lun && scsi_at(bus, dev->channel, dev->scsi_id, lun, dev)) {
            lun++;
        }
        if (lun > bus->max_lun) {
            set_error(error, "no free lun");
            return false;
        }
        dev->lun = lun;
        return true;
    }
    if (scsi_at(bus, dev->channel, dev->scsi_id, dev->lun, dev)) {
        set_error(error, "lun already used by another device at channel %u, scsi-id %u, lun %u",
                  dev->channel, dev->scsi_id, dev->lun);
        return false;
    }
    return true;
}

static bool scsi_plug(Bus *qbus, Device *qdev, GError **error)
{
    ScsiBus *bus = (ScsiBus *)qbus;
    ScsiDevice *dev = DEVICE_CAST(qdev, ScsiDevice);

    if (!scsi_check_address(bus, dev, error) || !scsi_choose_address(bus, dev, error)) {
        return false;
    }
    dev->unit.bus = bus;
    dev->unit.dev = dev;
    dev->unit.lun = dev->lun;
    return true;
}

static bool scsi_realized(Bus *qbus, Device *qdev, GError **error)
{
    ScsiBus *bus = (ScsiBus *)qbus;

    if (bus->ops && bus->ops->added) {
        bus->ops->added(bus, DEVICE_CAST(qdev, ScsiDevice));
    }
    return true;
}

static void scsi_unplug(Bus *qbus, Device *qdev)
{
    ScsiBus *bus = (ScsiBus *)qbus;

    if (qdev->realized && bus->ops && bus->ops->removed) {
        bus->ops->removed(bus, DEVICE_CAST(qdev, ScsiDevice));
    }
}

static char *scsi_firmware_path(const Device *qdev)
{
    const ScsiDevice *dev = DEVICE_CAST(qdev, const ScsiDevice);

    return g_strdup_printf("channel@%x/disk@%x,%x", dev->channel, dev->scsi_id, dev->lun);
}

static const Property scsi_bus_props[] = {
    PROP_UINT32(ScsiDevice, channel, .name = "channel", .help = "channel of the address"),
    PROP_UINT32(ScsiDevice, scsi_id, .name = "scsi-id", .def = UINT32_MAX,
                .help = "target of the address; default: the next free one"),
    PROP_UINT32(ScsiDevice, lun, .name = "lun", .def = UINT32_MAX,
                .help = "logical unit of the address; default: the next free one"),
    {}
};

const BusType scsi_bus_type = {
    .name = "SCSI", .size = sizeof(ScsiBus), .device_props = scsi_bus_props, .plug = scsi_plug,
    .realized = scsi_realized, .unplug = scsi_unplug, .firmware_path = scsi_firmware_path,
};

ScsiBus *scsi_bus_new(Device *parent, const char *name, const ScsiBusOps *ops, void *opaque,
                      uint32_t max_channel, uint32_t max_target, uint32_t max_lun)
{
    ScsiBus *bus = (ScsiBus *)bus_new(parent, &scsi_bus_type, name);

    bus->ops = ops;
    bus->opaque = opaque;
    bus->max_channel = max_channel;
    bus->max_target = max_target;
    bus->max_lun = max_lun;
    bus->bus.hotplug = &plain_hotplug;
    bus->bus.hotplug_handler = parent;
    return bus;
}
