/*
 * Devices and buses.
 *
 * A DeviceType is a row: what the device is called, which bus it sits on, its properties, its state
 * and a few functions.  device_new() → properties → device_realize(); device_free() ends it.  The
 * struct of a device starts with a Device and has three parts: configuration (properties), wiring
 * (rebuilt by realize, never migrated), guest-visible state (in its state table).
 *
 * Everything under the machine lock.
 */
#pragma once

#include "clock.h"
#include "irq.h"
#include "memmap.h"
#include "object.h"
#include "property.h"
#include "state.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct Bus Bus;
typedef struct BusType BusType;

struct BusType {
    const char *name;                       /* "PCI", "ISA", "System" */
    size_t size;              /* of its struct, Bus first; 0: a plain Bus. bus_new() allocates it */
    const Property *device_props;           /* every device on such a bus has these; may be NULL.
                                             * Offsets are from the bus's device base struct */
    /* Checks the address, gives one if none was asked for. Called before the device's realize. */
    bool (*plug)(Bus *bus, Device *dev, GError **error);
    void (*unplug)(Bus *bus, Device *dev);
    /* Called around a type's own realize (e.g. PCI: registers BARs after it). May be NULL. */
    bool (*realized)(Bus *bus, Device *dev, GError **error);
    /* Lines of `info qtree` below the properties, each indented by `indent` spaces. */
    void (*print_device)(const Bus *bus, const Device *dev, GString *out, int indent);
    /* The device's part of an OpenFirmware path: "scsi@4".  New string; NULL: it adds none. */
    char *(*firmware_path)(const Device *dev);
    unsigned max_devices;                   /* 0: plug() decides */
};

/*
 * What the owner of a bus does about devices that come and go while the machine stands complete.
 * Main thread.
 */
typedef struct HotplugOps {
    void (*plugged)(Device *handler, Device *dev);          /* tells the guest; may be NULL */
    /*
     * device_del: asks the guest to let go, which some day ends in device_unplug_later().  NULL:
     * there is nobody to ask, the device is unplugged at once.
     */
    bool (*unplug_request)(Device *handler, Device *dev, GError **error);
} HotplugOps;
extern const HotplugOps plain_hotplug;      /* nobody to tell or ask: USB, SCSI */

struct Bus {
    Object obj;
    const BusType *type;
    const char *name;                       /* "pci.0" */
    Device *parent;                         /* bridge; NULL: the main system bus */
    GPtrArray *devices;                     /* Device *, newest last */
    const HotplugOps *hotplug;              /* NULL: what is on it stays.  Set by the bus's owner */
    Device *hotplug_handler;                /* first argument of its functions */
};

/* What a device can show of itself in a monitor; all append text in QEMU's layout. */
typedef enum DeviceView { VIEW_PIC, VIEW_IRQ, VIEW_LAPIC } DeviceView;

/* Named lines of a type, as `info qtree` lists them. */
typedef struct DeviceGpio { const char *direction, *name; unsigned count; } DeviceGpio;

struct DeviceType {
    const char *name;                       /* what -device takes */
    const char *alias;                      /* another name it answers to, or NULL */
    const char *help;                       /* one phrase: `desc` in -device help */
    /* "input", "network", "storage", "misc", … of -device help; NULL: uncategorized */
    const char *category;
    const BusType *bus;              /* the kind of bus it sits on; &system_bus_type: board parts */
    size_t size;                            /* of its struct, Device first */
    const Property *props;                  /* may be NULL */
    const StateDesc *state;                 /* opaque is the device; NULL: no state */
    bool board_only;                        /* part of a board, not for -device */
    const DeviceGpio *gpios;                /* direction "in" or "out", NULL ends; may be NULL */
    const void *bus_class;                /* constant facts for the bus: PciClass for PCI devices */
    bool no_hotplug;                        /* stays even where its bus lets others go */
    const char *firmware_name;              /* "ide": instead of what its bus would call it */
    /* What firmware adds to the device's path to boot from it: "/disk@0,0".  NULL: nothing */
    const char *(*boot_suffix)(const Device *dev);
    /*
     * A device of this type is the outside of another (virtio-blk-pci of a virtio-blk-device),
     * made with it and freed with it.  The part's properties can be set and read through the
     * outside, whose realize puts it on a bus of its own with device_realize_part().
     */
    const DeviceType *part;
    const char *part_name;                  /* its name in the object tree: "virtio-backend" */
    bool (*realize)(Device *dev, GError **error);
    void (*unrealize)(Device *dev);         /* also after a realize that failed half way */
    void (*reset)(Device *dev);
    void (*view)(Device *dev, DeviceView view, GString *out);
};

struct Device {
    Object obj;
    const DeviceType *type;
    Vm *vm;
    GError *global_error;                   /* a -global this type refused */
    const char *id;                         /* the user's id, or NULL; owned */
    Bus *bus;
    GPtrArray *buses;                       /* child buses: Bus *; NULL: none */
    Device *part, *outside;                 /* the device inside; the one this is inside of */
    const Property *prop_tables[4];         /* obj.props points here: own, bus's */
    bool realized, by_user;                 /* by_user: from -device or device_add */
    bool hotplugged;                        /* came while the machine stood complete */
    bool unplug_pending;                    /* the guest was asked to let go of it */
    GSource *unplug_source;                 /* of device_unplug_later(); NULL: none */
    GPtrArray *mmio;                    /* MemRegion * shown as `mmio` lines in qtree; NULL: none */
    unsigned gpio_in, gpio_out;             /* unnamed lines, shown in qtree before type->gpios */
};

#define DEVICE_CAST(dev, T) ((T *)(dev))   /* dev is the first member; types are fixed by the row */

extern const BusType system_bus_type;

/*
 * Every type the program knows, NULL-terminated; written out in vmm/machine/device_list.c, which
 * sees all of hw.  Core gets it from vm_core_init so that core needs no arrow outwards.
 */
const DeviceType *device_type_find(const char *name);       /* by name or alias; NULL: none */
const char *device_type_nearest(const char *name);
const DeviceType *const *device_type_list(void);
void device_types_set(const DeviceType *const *list);         /* by vm_core_init() */

#define PROP_BOOTINDEX(s, f, ...) \
    PROP_OF(prop_bootindex, int32_t, s, f, .name = "bootindex", .def = -1, .live = true, \
            .hidden = true, .help = "place among what firmware tries to boot", __VA_ARGS__)

/* A device with default properties, not yet on a bus. Owned by the tree once realized. */
Device *device_new(Vm *vm, const DeviceType *type, const char *id);
bool device_set(Device *dev, const char *prop, const char *text, GError **error);

/*
 * -global: `prop` of every device of type `driver` made from now on starts as `text`.  A value the
 * type refuses fails device_realize().
 */
void device_global_set(const char *driver, const char *prop, const char *text);
void device_globals_check(void);            /* warns of those that can reach no device */

/*
 * Puts `dev` on `bus` (NULL: the first bus of the right kind with room), realizes it and places it
 * in the object tree: a board part under /machine/unattached, a user's under
 * /machine/peripheral(-anon).  On failure the device is freed.
 */
bool device_realize(Device *dev, Bus *bus, GError **error);
bool device_realize_part(Device *outside, Bus *bus, GError **error);
/*
 * Unrealizes first if need be; DEVICE_DELETED for each device that had been realized.  What other
 * threads may still read of it (its regions) goes once they have left.  Main thread.
 */
void device_free(Device *dev);

/* device_del.  True: it is gone, or its guest was asked (HotplugOps). */
bool device_unplug(Device *dev, GError **error);
/* The guest let go: frees the device from the main loop, soon.  Any thread, machine lock. */
void device_unplug_later(Device *dev);

/* parent NULL: system.  name NULL: "ID.n" after the parent's id, else "pci.n" after the type. */
Bus *bus_new(Device *parent, const BusType *type, const char *name);
void bus_free(Bus *bus);
Bus *bus_find(Vm *vm, const char *name, const BusType *type);   /* either may be NULL */

/* "pci.0", or a way through the tree: "/i440FX-pcihost/pci.0", "scsi0/scsi0.0". */
Bus *bus_find_path(Vm *vm, const char *path, GError **error);

Device *device_find(Vm *vm, const char *id_or_path);            /* NULL: none */
char *device_firmware_path(const Device *dev);      /* "/pci@i0cf8/scsi@4"; new string */
/*
 * What firmware is to try, by bootindex: paths ending in newlines ("bootorder" of fw_cfg).
 * NULL: no device has a bootindex.
 */
char *devices_boot_order(Vm *vm);
bool device_bootindex_free(Vm *vm, const Device *dev);      /* no other device has its bootindex */
void device_add_mmio(Device *dev, MemRegion *mr);               /* show in qtree */
/* parents first */
void devices_foreach(Vm *vm, void (*fn)(Device *dev, void *opaque), void *opaque);
void devices_reset(Vm *vm);

/* Text of `info qtree`. */
void devices_print_tree(Vm *vm, GString *out);
