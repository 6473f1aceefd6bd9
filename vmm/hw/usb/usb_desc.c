/* Descriptors as bytes (USB 2.0, 9.6; Microsoft OS 1.0 Descriptors Specification). */
#include "usb.h"

#include <string.h>

#define LANGUAGE_US_ENGLISH 0x0409

/* A descriptor under construction; what does not fit is counted and left out. */
typedef struct Bytes { uint8_t *out; size_t max, len; } Bytes;

static void put8(Bytes *b, uint8_t value)
{
    if (b->len < b->max) {
        b->out[b->len] = value;
    }
    b->len++;
}

static void put16(Bytes *b, uint16_t value)
{
    put8(b, value);
    put8(b, value >> 8);
}

static void put32(Bytes *b, uint32_t value)
{
    put16(b, value);
    put16(b, value >> 16);
}

static void put_bytes(Bytes *b, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        put8(b, data[i]);
    }
}

/* ASCII as UTF-16. */
static void put_text(Bytes *b, const char *text)
{
    for (; *text; text++) {
        put16(b, (uint8_t)*text);
    }
}

static int end_of(const Bytes *b)
{
    return MIN(b->len, b->max);
}

/* ---- device and configuration ---- */

static int device_descriptor(const UsbDesc *desc, Bytes *b)
{
    put8(b, 18);
    put8(b, USB_DESC_DEVICE);
    put16(b, desc->usb_version);
    put8(b, desc->class_id);
    put8(b, desc->subclass);
    put8(b, desc->protocol);
    put8(b, desc->max_packet0);
    put16(b, desc->vendor_id);
    put16(b, desc->product_id);
    put16(b, desc->version);
    put8(b, desc->manufacturer);
    put8(b, desc->product);
    put8(b, desc->serial);
    put8(b, 1);                             /* configurations */
    return end_of(b);
}

static void put_endpoint(Bytes *b, const UsbEndpointDesc *ep)
{
    put8(b, 7);
    put8(b, USB_DESC_ENDPOINT);
    put8(b, ep->address);
    put8(b, ep->attributes);
    put16(b, ep->max_packet);
    put8(b, ep->interval);
}

static void put_interface(Bytes *b, const UsbInterfaceDesc *iface, unsigned number)
{
    put8(b, 9);
    put8(b, USB_DESC_INTERFACE);
    put8(b, number);
    put8(b, 0);                             /* setting */
    put8(b, iface->n_endpoints);
    put8(b, iface->class_id);
    put8(b, iface->subclass);
    put8(b, iface->protocol);
    put8(b, iface->string);
    put_bytes(b, iface->extra, iface->extra_len);
    for (unsigned i = 0; i < iface->n_endpoints; i++) {
        put_endpoint(b, &iface->endpoints[i]);
    }
}

static unsigned config_length(const UsbDesc *desc)
{
    unsigned len = 9;

    for (unsigned i = 0; i < desc->n_interfaces; i++) {
        len += 9 + desc->interfaces[i].extra_len + 7 * desc->interfaces[i].n_endpoints;
    }
    return len;
}

static int config_descriptor(const UsbDesc *desc, Bytes *b)
{
    put8(b, 9);
    put8(b, USB_DESC_CONFIG);
    put16(b, config_length(desc));
    put8(b, desc->n_interfaces);
    put8(b, 1);                             /* its value */
    put8(b, desc->config_string);
    put8(b, desc->attributes);
    put8(b, desc->max_power);
    for (unsigned i = 0; i < desc->n_interfaces; i++) {
        put_interface(b, &desc->interfaces[i], i);
    }
    return end_of(b);
}

/* ---- strings ---- */

/* The user's own, or one that tells where the device sits: "28754-0000:00:01.2-1". */
char *usb_serial_text(const UsbDevice *dev)
{
    const UsbDesc *desc = usb_class(dev)->desc;

    if (dev->serial) {
        return g_strdup(dev->serial);
    }
    return g_strdup_printf("%s-%s-%s", desc->strings[desc->serial], dev->port->bus->host_path,
                           dev->port->path);
}

static int text_descriptor(const char *text, Bytes *b)
{
    size_t len = MIN(strlen(text), 126);    /* bLength is a byte */
    g_autofree char *cut = g_strndup(text, len);

    put8(b, 2 + 2 * len);
    put8(b, USB_DESC_STRING);
    put_text(b, cut);
    return end_of(b);
}

static int msos_string(Bytes *b)
{
    put8(b, 18);
    put8(b, USB_DESC_STRING);
    put_text(b, "MSFT100");
    put16(b, USB_MSOS_REQUEST);
    return end_of(b);
}

static int string_descriptor(const UsbDevice *dev, uint8_t index, Bytes *b)
{
    const UsbDesc *desc = usb_class(dev)->desc;

    if (index == 0) {
        put8(b, 4);
        put8(b, USB_DESC_STRING);
        put16(b, LANGUAGE_US_ENGLISH);
        return end_of(b);
    }
    if (index == USB_MSOS_STRING && dev->msos_desc && desc->selective_suspend) {
        return msos_string(b);
    }
    if (index == desc->serial) {
        g_autofree char *serial = usb_serial_text(dev);

        return text_descriptor(serial, b);
    }
    if (index >= desc->n_strings || !desc->strings[index]) {
        return USB_STALL;
    }
    return text_descriptor(desc->strings[index], b);
}

int usb_descriptor(const UsbDevice *dev, uint8_t type, uint8_t index, uint8_t *out, size_t max)
{
    Bytes b = { out, max, 0 };

    switch (type) {
    case USB_DESC_DEVICE:
        return device_descriptor(usb_class(dev)->desc, &b);
    case USB_DESC_CONFIG:
        return index == 0 ? config_descriptor(usb_class(dev)->desc, &b) : USB_STALL;
    case USB_DESC_STRING:
        return string_descriptor(dev, index, &b);
    default:
        return USB_STALL;
    }
}

/* ---- Microsoft's own ---- */

#define MSOS_VERSION        0x0100
#define MSOS_COMPAT_ID      4
#define MSOS_PROPERTIES     5
#define MSOS_REG_DWORD      4

static int msos_compat_ids(Bytes *b)
{
    put32(b, 16);
    put16(b, MSOS_VERSION);
    put16(b, MSOS_COMPAT_ID);
    put32(b, 0);                            /* no function needs one */
    put32(b, 0);
    return end_of(b);
}

static int msos_properties(Bytes *b)
{
    static const char name[] = "SelectiveSuspendEnabled";
    unsigned name_len = 2 * sizeof(name), section_len = 4 + 4 + 2 + name_len + 4 + 4;

    put32(b, 10 + section_len);
    put16(b, MSOS_VERSION);
    put16(b, MSOS_PROPERTIES);
    put16(b, 1);                            /* sections */
    put32(b, section_len);
    put32(b, MSOS_REG_DWORD);
    put16(b, name_len);
    put_text(b, name);
    put16(b, 0);
    put32(b, 4);
    put32(b, 1);
    return end_of(b);
}

int usb_msos_request(const UsbDevice *dev, const UsbSetup *setup, uint8_t *out)
{
    Bytes b = { out, setup->length, 0 };

    switch (setup->index) {
    case MSOS_COMPAT_ID:
        return msos_compat_ids(&b);
    case MSOS_PROPERTIES:
        return msos_properties(&b);
    default:
        return USB_STALL;
    }
}
