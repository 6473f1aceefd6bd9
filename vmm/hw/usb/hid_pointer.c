/*
 * usb-mouse and usb-tablet: motion as relative steps, or positions on the screen.
 *
 * Reports wait in a queue; motion with the same buttons held adds to the last one waiting.
 */
#include <string.h>

#include "hid.h"

#define QUEUE_LEN   16
#define STEP_MAX    127                 /* in one report of the mouse or the wheel */
#define MOTION_MAX  0x7fffff            /* what may gather */

/* Bits of a report's first byte. */
enum { REPORT_LEFT = 1, REPORT_RIGHT = 2, REPORT_MIDDLE = 4, REPORT_SIDE = 8, REPORT_EXTRA = 16 };

typedef struct PointerReport {
    int32_t xdx, ydy, dz, buttons_state;
} PointerReport;

typedef struct Pointer {
    UsbHid hid;
    /* configuration */
    uint32_t screen_head;
    /* wiring: what came since the last input_sync() */
    PointerReport next;
    /* guest-visible state: reports from head on, and behind them the one sent last */
    PointerReport queue[QUEUE_LEN];
    uint32_t head, n;
} Pointer;

static bool is_tablet(const Pointer *ptr)
{
    return ptr->hid.usb.dev.type == &usb_tablet_type;
}

/* ---- input ---- */

static int32_t gather(int32_t gathered, int32_t more)
{
    return CLAMP((int64_t)gathered + more, -MOTION_MAX, MOTION_MAX);
}

static void press(Pointer *ptr, unsigned button, bool down)
{
    static const uint8_t bits[INPUT_BUTTONS] = {
        [INPUT_BUTTON_LEFT] = REPORT_LEFT, [INPUT_BUTTON_RIGHT] = REPORT_RIGHT,
        [INPUT_BUTTON_MIDDLE] = REPORT_MIDDLE, [INPUT_BUTTON_SIDE] = REPORT_SIDE,
        [INPUT_BUTTON_EXTRA] = REPORT_EXTRA,
    };
    /* Positive away from the user. */
    int wheel = (button == INPUT_BUTTON_WHEEL_UP) - (button == INPUT_BUTTON_WHEEL_DOWN);

    if (down) {
        ptr->next.buttons_state |= bits[button];
        ptr->next.dz = gather(ptr->next.dz, wheel);
    } else {
        ptr->next.buttons_state &= ~bits[button];
    }
}

static void pointer_input(void *opaque, const InputEvent *event)
{
    Pointer *ptr = opaque;
    int32_t *axis = event->code == INPUT_AXIS_X ? &ptr->next.xdx : &ptr->next.ydy;

    switch (event->kind) {
    case INPUT_BUTTON:
        press(ptr, event->code, event->value);
        break;
    case INPUT_REL:
        *axis = gather(*axis, event->value);
        break;
    case INPUT_ABS:
        *axis = CLAMP(event->value, 0, INPUT_ABS_MAX);
        break;
    default:
        break;
    }
}

static PointerReport *report_at(Pointer *ptr, uint32_t i)
{
    return &ptr->queue[(ptr->head + i) % QUEUE_LEN];
}

/* Adds `next` to a report that waits; one slot stays for the report sent last. */
static void merge(Pointer *ptr, PointerReport *waiting)
{
    if (is_tablet(ptr)) {
        waiting->xdx = ptr->next.xdx;
        waiting->ydy = ptr->next.ydy;
    } else {
        waiting->xdx = gather(waiting->xdx, ptr->next.xdx);
        waiting->ydy = gather(waiting->ydy, ptr->next.ydy);
    }
    waiting->dz = gather(waiting->dz, ptr->next.dz);
    waiting->buttons_state = ptr->next.buttons_state;
}

static void pointer_sync(void *opaque)
{
    Pointer *ptr = opaque;
    PointerReport *last = ptr->n > 0 ? report_at(ptr, ptr->n - 1) : NULL;

    if (last && (last->buttons_state == ptr->next.buttons_state || ptr->n == QUEUE_LEN - 1)) {
        merge(ptr, last);
    } else {
        *report_at(ptr, ptr->n++) = ptr->next;
    }
    ptr->next.dz = 0;
    if (!is_tablet(ptr)) {
        ptr->next.xdx = ptr->next.ydy = 0;
    }
    usb_wakeup(&ptr->hid.usb);
}

/* ---- reports ---- */

static bool pointer_has_news(const UsbHid *hid)
{
    return ((const Pointer *)hid)->n > 0;
}

static int take(int32_t *gathered)
{
    int step = CLAMP(*gathered, -STEP_MAX, STEP_MAX);

    *gathered -= step;
    return step;
}

static unsigned mouse_report(UsbHid *hid, uint8_t out[HID_REPORT_MAX])
{
    Pointer *ptr = (Pointer *)hid;
    PointerReport *report = report_at(ptr, ptr->n > 0 ? 0 : QUEUE_LEN - 1);

    out[0] = report->buttons_state;
    out[1] = take(&report->xdx);
    out[2] = take(&report->ydy);
    out[3] = take(&report->dz);
    if (ptr->n > 0 && !report->xdx && !report->ydy && !report->dz) {
        ptr->head = (ptr->head + 1) % QUEUE_LEN;
        ptr->n--;
    }
    return 4;
}

static unsigned tablet_report(UsbHid *hid, uint8_t out[HID_REPORT_MAX])
{
    Pointer *ptr = (Pointer *)hid;
    PointerReport *report = report_at(ptr, ptr->n > 0 ? 0 : QUEUE_LEN - 1);

    out[0] = report->buttons_state;
    out[1] = report->xdx;
    out[2] = report->xdx >> 8;
    out[3] = report->ydy;
    out[4] = report->ydy >> 8;
    out[5] = take(&report->dz);
    if (ptr->n > 0 && !report->dz) {
        ptr->head = (ptr->head + 1) % QUEUE_LEN;
        ptr->n--;
    }
    return 6;
}

static void pointer_forget(UsbHid *hid)
{
    Pointer *ptr = (Pointer *)hid;

    memset(ptr->queue, 0, sizeof(ptr->queue));
    memset(&ptr->next, 0, sizeof(ptr->next));
    ptr->head = ptr->n = 0;
}

/* A guest that begins to use this pointer means it to be the one in use. */
static void pointer_claimed(UsbHid *hid)
{
    input_activate(&hid->input);
}

/* ---- state ---- */

static const StateField report_fields[] = {
    STATE_INT32(PointerReport, xdx, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_INT32(PointerReport, ydy, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_INT32(PointerReport, dz, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_INT32(PointerReport, buttons_state),
    {}
};
static const StateDesc report_state = {
    .name = "HIDPointerEventQueue", .version = 1, .fields = report_fields,
};

static const StateField pointer_hid_fields[] = {
    STATE_STRUCT_ARRAY(Pointer, queue, PointerReport, report_state),
    STATE_UINT32(Pointer, head, .range = { 0, QUEUE_LEN - 1 }),
    STATE_UINT32(Pointer, n, .range = { 0, QUEUE_LEN - 1 }),
    STATE_INT32(Pointer, hid.protocol, .range = { 0, 1 }),
    STATE_UINT8(Pointer, hid.idle),
    {}
};
static const StateDesc pointer_hid_state = {
    .name = "HIDPointerDevice", .version = 1, .fields = pointer_hid_fields,
};

static bool pointer_loaded(void *opaque, GError **error)
{
    Pointer *ptr = opaque;

    ptr->hid.next_idle_ns = vm_clock_ns(ptr->hid.usb.dev.vm);
    return true;
}

static const StateField pointer_fields[] = {
    STATE_STRUCT(Pointer, hid.usb, UsbDevice, usb_device_state),
    { .name = "hid", .kind = STATE_KIND_STRUCT, .size = sizeof(Pointer), .count = 1,
      .desc = &pointer_hid_state },
    {}
};
static const StateDesc pointer_state = {
    .name = "usb-ptr", .version = 1, .fields = pointer_fields, .loaded = pointer_loaded,
};

static const Property mouse_props[] = {
    PROP_UINT32(Pointer, hid.usb_version, .name = "usb_version", .def = 2, .help = "1 or 2"),
    {}
};

static const Property tablet_props[] = {
    PROP_UINT32(Pointer, hid.usb_version, .name = "usb_version", .def = 2, .help = "1 or 2"),
    PROP_STRING(Pointer, hid.display, .name = "display",
                .help = "display device whose screen it points at"),
    PROP_UINT32(Pointer, screen_head, .name = "head", .help = "which screen of that device"),
    {}
};

/* ---- life ---- */

static bool pointer_realize(Device *dev, GError **error)
{
    Pointer *ptr = DEVICE_CAST(dev, Pointer);
    bool tablet = is_tablet(ptr);

    if (!hid_check(&ptr->hid, error)) {
        return false;
    }
    ptr->hid.input = (InputHandler){
        .name = tablet ? "QEMU HID Tablet" : "QEMU HID Mouse",
        .mask = INPUT_MASK(tablet ? INPUT_ABS : INPUT_REL) | INPUT_MASK(INPUT_BUTTON),
        .event = pointer_input, .sync = pointer_sync, .opaque = ptr,
    };
    input_register(dev->vm, &ptr->hid.input);
    return true;
}

static void pointer_unrealize(Device *dev)
{
    input_unregister(&DEVICE_CAST(dev, Pointer)->hid.input);
}

/* Report descriptors: HID 1.11, 6.2.2; usages: HID Usage Tables, pages 1 and 9. */
static const uint8_t mouse_report_desc[] = {
    0x05, 0x01,                 /* generic desktop */
    0x09, 0x02,                 /* mouse */
    0xa1, 0x01,                 /* application { */
    0x09, 0x01,                 /*   pointer */
    0xa1, 0x00,                 /*   physical { */
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05,                     /* buttons 1 to 5 */
    0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01,         /* five bits */
    0x81, 0x02,                                             /* variable, absolute */
    0x95, 0x01, 0x75, 0x03, 0x81, 0x01,                     /* three bits of padding */
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38,         /* x, y, wheel */
    0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03,         /* -127 to 127, three bytes */
    0x81, 0x06,                                             /* variable, relative */
    0xc0, 0xc0,                 /* } } */
};

static const uint8_t tablet_report_desc[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
    0x05, 0x09, 0x19, 0x01, 0x29, 0x03,                     /* buttons 1 to 3 */
    0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x05, 0x81, 0x01,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31,                     /* x, y */
    0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f,     /* 0 to 0x7fff */
    0x75, 0x10, 0x95, 0x02, 0x81, 0x02,                     /* two words, absolute */
    0x05, 0x01, 0x09, 0x38,                                 /* wheel */
    0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06,
    0xc0, 0xc0,
};

/* HID descriptors, 6.2.1: version, country, one report descriptor of this length. */
static const uint8_t mouse_hid_desc[] = {
    9, 0x21, 0x01, 0x00, 0, 1, 0x22, sizeof(mouse_report_desc), 0,
};
static const uint8_t tablet_hid_desc[] = {
    9, 0x21, 0x01, 0x00, 0, 1, 0x22, sizeof(tablet_report_desc), 0,
};

static const UsbEndpointDesc mouse_endpoint = {
    .address = HID_INPUT_EP, .attributes = USB_ENDPOINT_INTERRUPT, .max_packet = 4, .interval = 10,
};
static const UsbEndpointDesc tablet_endpoint = {
    .address = HID_INPUT_EP, .attributes = USB_ENDPOINT_INTERRUPT, .max_packet = 8, .interval = 10,
};
static const UsbInterfaceDesc mouse_interface = {
    .class_id = 3, .subclass = 1, .protocol = 2,            /* boot interface, mouse */
    .extra = mouse_hid_desc, .extra_len = sizeof(mouse_hid_desc),
    .endpoints = &mouse_endpoint, .n_endpoints = 1,
};
static const UsbInterfaceDesc tablet_interface = {
    .class_id = 3, .extra = tablet_hid_desc, .extra_len = sizeof(tablet_hid_desc),
    .endpoints = &tablet_endpoint, .n_endpoints = 1,
};

static const char *const pointer_strings[] = {
    [1] = "QEMU", [2] = "QEMU USB Mouse", [3] = "QEMU USB Tablet", [6] = "HID Mouse",
    [7] = "HID Tablet", [9] = "89126", [10] = "28754",
};
static const UsbDesc mouse_desc = {
    .usb_version = 0x0200, .vendor_id = 0x0627, .product_id = 0x0001, .max_packet0 = 8,
    .manufacturer = 1, .product = 2, .serial = 9, .config_string = 6,
    .attributes = USB_CONFIG_ONE | USB_CONFIG_WAKEUP, .max_power = 50,
    .interfaces = &mouse_interface, .n_interfaces = 1,
    .strings = pointer_strings, .n_strings = G_N_ELEMENTS(pointer_strings),
    .selective_suspend = true,
};
static const UsbDesc tablet_desc = {
    .usb_version = 0x0200, .vendor_id = 0x0627, .product_id = 0x0001, .max_packet0 = 8,
    .manufacturer = 1, .product = 3, .serial = 10, .config_string = 7,
    .attributes = USB_CONFIG_ONE | USB_CONFIG_WAKEUP, .max_power = 50,
    .interfaces = &tablet_interface, .n_interfaces = 1,
    .strings = pointer_strings, .n_strings = G_N_ELEMENTS(pointer_strings),
    .selective_suspend = true,
};

static const HidClass mouse_class = {
    .usb = { .desc = &mouse_desc, .product = "QEMU USB Mouse", .reset = hid_usb_reset,
             .control = hid_control, .data = hid_data, .has_news = hid_has_news },
    .report_desc = mouse_report_desc, .report_desc_len = sizeof(mouse_report_desc), .boots = true,
    .has_news = pointer_has_news, .report = mouse_report, .forget = pointer_forget,
    .claimed = pointer_claimed,
};
static const HidClass tablet_class = {
    .usb = { .desc = &tablet_desc, .product = "QEMU USB Tablet", .reset = hid_usb_reset,
             .control = hid_control, .data = hid_data, .has_news = hid_has_news },
    .report_desc = tablet_report_desc, .report_desc_len = sizeof(tablet_report_desc),
    .has_news = pointer_has_news, .report = tablet_report, .forget = pointer_forget,
    .claimed = pointer_claimed,
};

const DeviceType usb_mouse_type = {
    .name = "usb-mouse", .category = "input", .bus = &usb_bus_type, .size = sizeof(Pointer),
    .props = mouse_props, .state = &pointer_state, .bus_class = &mouse_class,
    .realize = pointer_realize, .unrealize = pointer_unrealize,
};

const DeviceType usb_tablet_type = {
    .name = "usb-tablet", .category = "input", .bus = &usb_bus_type, .size = sizeof(Pointer),
    .props = tablet_props, .state = &pointer_state, .bus_class = &tablet_class,
    .realize = pointer_realize, .unrealize = pointer_unrealize,
};
