/*
 * What USB keyboards and pointers have in common (Device Class Definition for Human Interface
 * Devices 1.11).  Only hid*.c include this.
 */
#pragma once

#include "usb.h"

#define HID_REPORT_MAX 8
#define HID_INPUT_EP   0x81

typedef struct UsbHid {
    UsbDevice usb;
    /* configuration */
    uint32_t usb_version;
    char *display;
    /* wiring */
    InputHandler input;
    bool claimed;                       /* the guest has set its idle rate or asked for reports */
    int64_t next_idle_ns;               /* when an unchanged report goes again */
    /* guest-visible state */
    int32_t protocol;                   /* 0: boot, 1: report */
    uint8_t idle;                       /* 4 ms each; 0: reports only when something changes */
} UsbHid;

/* DeviceType.bus_class of a HID; `usb` comes first. */
typedef struct HidClass {
    UsbClass usb;
    const uint8_t *report_desc;
    uint16_t report_desc_len;
    bool boots;                         /* has a boot protocol */
    bool (*has_news)(const UsbHid *hid);
    /* The next report; the current state again when there is no news. */
    unsigned (*report)(UsbHid *hid, uint8_t out[HID_REPORT_MAX]);
    void (*forget)(UsbHid *hid);        /* bus reset */
    /* Output report, as to a keyboard's LEDs; NULL: takes none. */
    bool (*output)(UsbHid *hid, const uint8_t *data, unsigned len);
    void (*claimed)(UsbHid *hid);       /* the guest begins to use it; may be NULL */
} HidClass;

/* Functions of every HID's UsbClass. */
void hid_usb_reset(UsbDevice *dev);
int hid_control(UsbDevice *dev, const UsbSetup *setup, uint8_t *data);
int hid_data(UsbDevice *dev, const UsbPacket *packet);
bool hid_has_news(const UsbDevice *dev);

/* Its properties, in realize. */
bool hid_check(const UsbHid *hid, GError **error);
