/* Requests and reports of the HID class; what a report says is the matter of hid_*.c. */
#include "hid.h"

#include <string.h>

#include "rhea_error.h"

/* Class requests, 7.2 */
enum {
    HID_GET_REPORT = 0x01, HID_GET_IDLE = 0x02, HID_GET_PROTOCOL = 0x03,
    HID_SET_REPORT = 0x09, HID_SET_IDLE = 0x0a, HID_SET_PROTOCOL = 0x0b,
};
/* Descriptor types, 7.1 */
enum { DESC_HID = 0x21, DESC_REPORT = 0x22 };
/* Report types, 7.2.1 */
enum { REPORT_INPUT = 1, REPORT_OUTPUT = 2 };

#define IDLE_NS     (4 * NS_PER_MS)

static const HidClass *hid_class(const UsbHid *hid)
{
    return (const HidClass *)usb_class(&hid->usb);
}

/* The guest has a driver for it. */
static void hid_claimed(UsbHid *hid)
{
    if (!hid->claimed && hid_class(hid)->claimed) {
        hid_class(hid)->claimed(hid);
    }
    hid->claimed = true;
}

static unsigned hid_report(UsbHid *hid, uint8_t out[HID_REPORT_MAX])
{
    hid->next_idle_ns = vm_clock_ns(hid->usb.dev.vm) + hid->idle * IDLE_NS;
    return hid_class(hid)->report(hid, out);
}

/* ---- requests ---- */

static int get_hid_descriptor(const UsbHid *hid, const UsbSetup *setup, uint8_t *data)
{
    const UsbInterfaceDesc *iface = hid_class(hid)->usb.desc->interfaces;
    const uint8_t *from = setup->value >> 8 == DESC_HID ? iface->extra
                                                        : hid_class(hid)->report_desc;
    unsigned len = setup->value >> 8 == DESC_HID ? iface->extra_len
                                                 : hid_class(hid)->report_desc_len;

    if (setup->value >> 8 != DESC_HID && setup->value >> 8 != DESC_REPORT) {
        return USB_STALL;
    }
    len = MIN(len, setup->length);
    memcpy(data, from, len);
    return len;
}

static int get_report(UsbHid *hid, const UsbSetup *setup, uint8_t *data)
{
    uint8_t report[HID_REPORT_MAX];
    unsigned len;

    if (setup->value >> 8 != REPORT_INPUT) {
        return USB_STALL;
    }
    len = hid_report(hid, report);
    len = MIN(len, setup->length);
    memcpy(data, report, len);
    return len;
}

static int hid_read_request(UsbHid *hid, const UsbSetup *setup, uint8_t *data)
{
    switch (setup->request) {
    case HID_GET_REPORT:
        return get_report(hid, setup, data);
    case HID_GET_IDLE:
        data[0] = hid->idle;
        return 1;
    case HID_GET_PROTOCOL:
        data[0] = hid->protocol;
        return hid_class(hid)->boots ? 1 : USB_STALL;
    default:
        return USB_STALL;
    }
}

static int hid_write_request(UsbHid *hid, const UsbSetup *setup, const uint8_t *data)
{
    switch (setup->request) {
    case HID_SET_REPORT:
        return setup->value >> 8 == REPORT_OUTPUT && hid_class(hid)->output &&
               hid_class(hid)->output(hid, data, setup->length) ? 0 : USB_STALL;
    case HID_SET_IDLE:
        hid_claimed(hid);
        hid->idle = setup->value >> 8;
        hid->next_idle_ns = vm_clock_ns(hid->usb.dev.vm) + hid->idle * IDLE_NS;
        return 0;
    case HID_SET_PROTOCOL:
        if (!hid_class(hid)->boots || setup->value > 1) {
            return USB_STALL;
        }
        hid->protocol = setup->value;
        return 0;
    default:
        return USB_STALL;
    }
}

int hid_control(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    UsbHid *hid = (UsbHid *)dev;

    switch (setup->type) {
    case USB_DIR_IN | USB_TO_INTERFACE:
        return setup->request == USB_GET_DESCRIPTOR ? get_hid_descriptor(hid, setup, data)
                                                    : USB_STALL;
    case USB_DIR_IN | USB_TYPE_CLASS | USB_TO_INTERFACE:
        return hid_read_request(hid, setup, data);
    case USB_TYPE_CLASS | USB_TO_INTERFACE:
        return hid_write_request(hid, setup, data);
    default:
        return USB_STALL;
    }
}

/* ---- the interrupt endpoint ---- */

static bool report_is_due(const UsbHid *hid)
{
    return hid_class(hid)->has_news(hid) ||
           (hid->idle && vm_clock_ns(hid->usb.dev.vm) >= hid->next_idle_ns);
}

bool hid_has_news(const UsbDevice *dev)
{
    const UsbHid *hid = (const UsbHid *)dev;

    return hid_class(hid)->has_news(hid);
}

int hid_data(UsbDevice *dev, const UsbPacket *packet)
{
    UsbHid *hid = (UsbHid *)dev;
    uint8_t report[HID_REPORT_MAX];
    unsigned len;

    hid_claimed(hid);
    if (!report_is_due(hid)) {
        return USB_NAK;
    }
    len = hid_report(hid, report);
    len = MIN(len, packet->len);
    memcpy(packet->data, report, len);
    return len;
}

void hid_usb_reset(UsbDevice *dev)
{
    UsbHid *hid = (UsbHid *)dev;

    hid->protocol = 1;
    hid->idle = 0;
    hid->claimed = false;
    hid_class(hid)->forget(hid);
}

bool hid_check(const UsbHid *hid, GError **error)
{
    if (hid->usb_version != 1 && hid->usb_version != 2) {
        set_error(error, "Invalid usb version %u for usb hid device", hid->usb_version);
        return false;
    }
    if (hid->display && *hid->display && !device_find(hid->usb.dev.vm, hid->display)) {
        set_error(error, "Property '%s.display': there is no display device '%s'",
                  hid->usb.dev.type->name, hid->display);
        return false;
    }
    return true;
}
