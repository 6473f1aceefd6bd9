/*
 * Devices that leave while the machine stands complete.
 *
 * vCPUs stand still while a device is taken down, so that none has one of its pages in a TLB; who
 * else is on the way to one of its regions finds it finished (mem_region_finish()).
 */
#include "rhea_error.h"
#include "vm_core.h"

const HotplugOps plain_hotplug = { 0 };

static void take_down(Device *dev)
{
    Vm *vm = dev->vm;
    bool pause = vm_is_running(vm) && vm->cpus_pause != NULL;

    if (pause) {
        vm->cpus_pause(vm);
    }
    device_free(dev);
    if (pause) {
        vm->cpus_resume(vm);
    }
}

static gboolean unplug_now(gpointer opaque)
{
    take_down(opaque);
    return G_SOURCE_REMOVE;
}

void device_unplug_later(Device *dev)
{
    if (dev->unplug_source != NULL) {
        return;
    }
    dev->unplug_source = g_idle_source_new();
    g_source_set_priority(dev->unplug_source, G_PRIORITY_HIGH);
    g_source_set_callback(dev->unplug_source, unplug_now, dev, NULL);
    g_source_attach(dev->unplug_source, dev->vm->context);
}

bool device_unplug(Device *dev, GError **error)
{
    const HotplugOps *ops = dev->bus != NULL ? dev->bus->hotplug : NULL;

    if (dev->bus != NULL && ops == NULL) {
        set_error(error, "Bus '%s' does not support hotplugging", dev->bus->name);
        return false;
    }
    if (dev->type->no_hotplug || dev->outside != NULL || !dev->by_user) {
        set_error(error, "Device '%s' does not support hotplugging", dev->type->name);
        return false;
    }
    if (dev->unplug_source != NULL) {
        set_error(error, "Device %s is already in the process of unplug",
                  dev->id != NULL ? dev->id : dev->type->name);
        return false;
    }
    if (ops->unplug_request != NULL) {
        return ops->unplug_request(dev->bus->hotplug_handler, dev, error);
    }
    take_down(dev);
    return true;
}
