/*
 * USB: devices, the ports they are plugged into, and the bus a host controller makes of them.
 * Universal Serial Bus Specification 2.0, chapters 8 (packets), 9 (device framework).
 *
 * A host controller has root ports and carries packets: it asks usb_find_device() who answers to an
 * address and gives that device each packet with usb_packet().  A device that cannot answer yet
 * says USB_NAK, as on the wire, and calls usb_wakeup() once it can; so no packet outlives the call
 * that carries it, and unplugging needs no cancelling.
 *
 * A type fills in a UsbClass (DeviceType.bus_class) with its descriptors and two functions;
 * standard requests and the stages of control transfers are handled here.  Machine lock for
 * everything.
 *
 * Not modelled: high speed (every device works at full speed), isochronous transfers, data toggles
 * and bit-level errors (nothing is ever lost between here and there), alternate settings, power.
 */
#pragma once

#include "vm_core.h"

typedef struct UsbDevice UsbDevice;
typedef struct UsbBus UsbBus;
typedef struct UsbPort UsbPort;

/* ---- packets ---- */

/* Table 8-1, with their check bits. */
enum { USB_PID_SETUP = 0x2d, USB_PID_IN = 0x69, USB_PID_OUT = 0xe1 };

/* What a packet came to: the bytes that went over, or one of these. */
enum {
    USB_NAK = -1,                       /* not now: ask again */
    USB_STALL = -2,                     /* endpoint halted or request refused */
    USB_BABBLE = -3,                    /* the device had more than the packet holds */
    USB_NO_ANSWER = -4,                 /* nobody there */
};

typedef struct UsbPacket {
    uint8_t pid;
    uint8_t endpoint;                   /* 0 to 15, without direction */
    uint8_t *data;                      /* IN: room for `len` bytes */
    uint32_t len;
} UsbPacket;

/* ---- requests (chapter 9.3) ---- */

typedef struct UsbSetup {
    uint8_t type, request;
    uint16_t value, index, length;
} UsbSetup;

#define USB_DIR_IN          0x80        /* of request types and endpoint addresses */
#define USB_TYPE_MASK       0x60
#define USB_TYPE_CLASS      0x20
#define USB_TYPE_VENDOR     0x40
enum { USB_TO_DEVICE = 0, USB_TO_INTERFACE = 1, USB_TO_ENDPOINT = 2, USB_TO_OTHER = 3 };

/* Table 9-4. */
enum {
    USB_GET_STATUS = 0, USB_CLEAR_FEATURE = 1, USB_SET_FEATURE = 3, USB_SET_ADDRESS = 5,
    USB_GET_DESCRIPTOR = 6, USB_GET_CONFIGURATION = 8, USB_SET_CONFIGURATION = 9,
    USB_GET_INTERFACE = 10, USB_SET_INTERFACE = 11,
};
/* Table 9-5. */
enum { USB_DESC_DEVICE = 1, USB_DESC_CONFIG = 2, USB_DESC_STRING = 3, USB_DESC_INTERFACE = 4,
       USB_DESC_ENDPOINT = 5 };
/* Table 9-6. */
enum { USB_FEATURE_ENDPOINT_HALT = 0, USB_FEATURE_REMOTE_WAKEUP = 1 };

#define USB_CONFIG_ONE          0x80    /* bmAttributes: reserved, always set */
#define USB_CONFIG_SELF_POWERED 0x40
#define USB_CONFIG_WAKEUP       0x20
enum { USB_ENDPOINT_CONTROL = 0, USB_ENDPOINT_BULK = 2, USB_ENDPOINT_INTERRUPT = 3 };

/* ---- descriptors (chapter 9.6), one configuration and one setting of each interface ---- */

typedef struct UsbEndpointDesc {
    uint8_t address, attributes;
    uint16_t max_packet;
    uint8_t interval;
} UsbEndpointDesc;

typedef struct UsbInterfaceDesc {
    uint8_t class_id, subclass, protocol;
    uint8_t string;
    const uint8_t *extra;               /* the class's own descriptors, or NULL */
    uint8_t extra_len;
    const UsbEndpointDesc *endpoints;
    uint8_t n_endpoints;
} UsbInterfaceDesc;

typedef struct UsbDesc {
    uint16_t usb_version;               /* BCD */
    uint16_t vendor_id, product_id, version;
    uint8_t class_id, subclass, protocol;
    uint8_t max_packet0;
    uint8_t manufacturer, product, serial;      /* numbers of strings */
    uint8_t config_string, attributes, max_power;       /* power in units of 2 mA */
    const UsbInterfaceDesc *interfaces;
    uint8_t n_interfaces;
    const char *const *strings;         /* by number, 0 unused; the serial one is a prefix */
    uint8_t n_strings;
    bool selective_suspend;             /* tells Windows so in its own descriptors */
} UsbDesc;

/* ---- devices ---- */

typedef struct UsbClass {
    const UsbDesc *desc;
    const char *product;                /* "QEMU USB Tablet" */
    bool keeps_ports;                   /* a hub: not put behind another to spare root ports */
    /* Bus reset and SET_CONFIGURATION; may be NULL. */
    void (*reset)(UsbDevice *dev);
    /*
     * Requests beyond the standard ones.  IN: fills data (setup->length bytes) and returns how
     * many; OUT: takes setup->length bytes, returns 0.  USB_STALL refuses.  NULL: refuses all.
     */
    int (*control)(UsbDevice *dev, const UsbSetup *setup, uint8_t *data);
    /* Any endpoint but 0 that the descriptors name and that is not halted. */
    int (*data)(UsbDevice *dev, const UsbPacket *packet);
    void (*halt_cleared)(UsbDevice *dev, uint8_t endpoint);     /* by the guest; may be NULL */
    /* Something waits to be fetched from it; NULL: never. */
    bool (*has_news)(const UsbDevice *dev);
    /* A hub: who answers to `address` behind its enabled ports.  NULL elsewhere. */
    UsbDevice *(*find)(UsbDevice *dev, uint8_t address);
} UsbClass;

#define USB_CONTROL_MAX 4096            /* longest data stage */

/* Values as they are saved. */
typedef enum UsbState {
    USB_NOT_ATTACHED = 0, USB_ATTACHED = 1, USB_POWERED = 2, USB_DEFAULT = 3, USB_ADDRESS = 4,
    USB_CONFIGURED = 5, USB_SUSPENDED = 6
} UsbState;
enum { USB_STAGE_IDLE = 0, USB_STAGE_DATA = 2, USB_STAGE_STATUS = 3 };

struct UsbDevice {
    Device dev;
    /* configuration */
    char *port_path, *serial, *pcap;
    bool msos_desc;
    /* wiring */
    UsbPort *port;                      /* NULL: on none */
    bool attached;                      /* the guest sees it in its port */
    bool detached_by_user;              /* attached=off */
    /* guest-visible state */
    uint8_t addr;
    int32_t state;                      /* UsbState */
    int32_t remote_wakeup;              /* the guest lets it wake the bus */
    int32_t setup_state, setup_len, setup_index;        /* the control transfer under way */
    uint8_t setup_buf[8];
    uint8_t data_buf[USB_CONTROL_MAX];
    uint32_t halted;                    /* endpoints: bit n OUT, bit n + 16 IN */
};

static inline const UsbClass *usb_class(const UsbDevice *dev)
{
    return dev->dev.type->bus_class;
}

extern const BusType usb_bus_type;
extern const StateDesc usb_device_state;        /* embed first in a type's table */

/* A device could not answer before and can now, or its state changed: polls and wakes the bus. */
void usb_wakeup(UsbDevice *dev);
/*
 * For the port that suspends it: news may have come just before, too early to wake anybody, and is
 * signalled now.
 */
bool usb_wants_resume(const UsbDevice *dev);
/* `endpoint` as in its descriptor: refuses packets until the guest clears the halt. */
void usb_halt(UsbDevice *dev, uint8_t endpoint);

/* ---- the side of hosts and hubs ---- */

typedef struct UsbPortOps {
    void (*attached)(UsbPort *port);            /* port->dev is there */
    void (*detached)(UsbPort *port);            /* and here it still is */
    void (*wakeup)(UsbPort *port);              /* its device asks for resume */
} UsbPortOps;

struct UsbPort {
    const UsbPortOps *ops;
    void *opaque;
    unsigned index;                     /* from 0 */
    UsbDevice *dev;                     /* claimed it; NULL: free */
    char path[16];                      /* "1", "2.4" */
    /* wiring of the bus */
    UsbBus *bus;                        /* NULL: not registered */
    GList link;
};

struct UsbBus {
    Bus bus;
    unsigned number;
    char host_path[32];                 /* in serial numbers: "0000:00:01.2" */
    GQueue free, used;                  /* UsbPort *, in order of release and of claim */
    void (*wakeup)(void *host);         /* a device has something to say */
    void *host;
};

UsbBus *usb_bus_new(Device *host, const char *host_path, void (*wakeup)(void *host), void *opaque);
/* `parent_path`: of the hub's own port, NULL for root ports. */
void usb_port_register(UsbBus *bus, UsbPort *port, const UsbPortOps *ops, void *opaque,
                       unsigned index, const char *parent_path);
/* Frees the device in it first. */
void usb_port_unregister(UsbPort *port);

/* Who answers to `address` in that port or behind it; NULL: nobody. */
UsbDevice *usb_find_device(const UsbPort *port, uint8_t address);
int usb_packet(UsbDevice *dev, const UsbPacket *packet);
/* Of an endpoint that is only polled: its device calls usb_wakeup() when it has news. */
bool usb_is_interrupt(const UsbDevice *dev, const UsbPacket *packet);
void usb_bus_reset(UsbDevice *dev);     /* the port's reset signalling */
static inline bool usb_port_connected(const UsbPort *port)
{
    return port->dev && port->dev->attached;
}

/* ---- for people ---- */
/* `info usb`; false: the machine has no USB. */
bool usb_print(Vm *vm, GString *out);

/* ---- inside the folder ---- */
/* Bytes of a descriptor, cut to `max`; USB_STALL: there is no such. */
int usb_descriptor(const UsbDevice *dev, uint8_t type, uint8_t index, uint8_t *out, size_t max);
/* Microsoft's requests for its own descriptors. */
int usb_msos_request(const UsbDevice *dev, const UsbSetup *setup, uint8_t *out);
char *usb_serial_text(const UsbDevice *dev);
const UsbEndpointDesc *usb_endpoint(const UsbDevice *dev, uint8_t address);     /* NULL: none */
#define USB_MSOS_REQUEST 'Q'            /* bRequest our string 0xee names */
#define USB_MSOS_STRING 0xee

extern const DeviceType usb_hub_type, usb_kbd_type, usb_mouse_type, usb_storage_type,
    usb_tablet_type, piix3_uhci_type;
