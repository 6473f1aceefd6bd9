/*
 * usb-kbd: a boot keyboard (HID 1.11, appendix B.1): a bit for each modifier, six keys at once,
 * five LEDs.
 *
 * Key codes wait as a PS/2 keyboard would send them in set 1; each report takes one.  When too many
 * wait, the oldest take effect without a report of their own, so that no key hangs.
 */
#include <string.h>

#include "hid.h"
#include "keys.h"

#define QUEUE_LEN       16
#define KEYS_MAX        16              /* held at once, as far as we follow */
#define KEYS_REPORTED   6
#define USAGE_ROLLOVER  0x01
#define USAGE_MODIFIERS 0xe0            /* left Ctrl; then Shift, Alt, GUI, and the right ones */
#define BREAK           0x80            /* of a set 1 code */

enum { LED_NUM = 1, LED_CAPS = 2, LED_SCROLL = 4 };     /* HID 1.11, appendix B.1 */

typedef struct UsbKeyboard {
    UsbHid hid;
    /* guest-visible state */
    uint32_t keycodes[QUEUE_LEN];
    uint32_t head, n;
    uint16_t modifiers;
    uint8_t leds;
    uint8_t key[KEYS_MAX];              /* usages of the keys held, `keys` of them */
    int32_t keys;
} UsbKeyboard;

#define PAUSE_PREFIX    0xe1

/* 0: the keyboard has no such key. */
static uint8_t usage_of(uint8_t prefix, uint8_t code)
{
    const KeyInfo *info = key_info(key_from_set1(prefix << 8 | code));

    if (info == NULL && prefix == 0) {
        info = key_info(key_from_set1(code | BREAK));       /* Hangul and Hanja have bit 7 set */
    }
    return info != NULL ? info->usage : 0;
}

/* ---- keys held ---- */

static void hold_key(UsbKeyboard *kbd, uint8_t usage)
{
    if (!memchr(kbd->key, usage, kbd->keys) && kbd->keys < KEYS_MAX) {
        kbd->key[kbd->keys++] = usage;
    }
}

static void release_key(UsbKeyboard *kbd, uint8_t usage)
{
    uint8_t *held = memchr(kbd->key, usage, kbd->keys);

    if (held) {
        *held = kbd->key[--kbd->keys];
    }
}

static uint8_t next_byte(UsbKeyboard *kbd)
{
    uint8_t byte = kbd->keycodes[kbd->head];

    kbd->head = (kbd->head + 1) % QUEUE_LEN;
    kbd->n--;
    return byte;
}

/* The oldest key that waits goes down or up. */
static void take_key(UsbKeyboard *kbd)
{
    uint8_t byte = next_byte(kbd), prefix = 0, usage;

    if ((byte == 0xe0 || byte == PAUSE_PREFIX) && kbd->n > 0) {
        prefix = byte;
        byte = next_byte(kbd);
    }
    usage = usage_of(prefix, byte & ~BREAK);
    if (usage >= USAGE_MODIFIERS) {
        uint16_t bit = 1u << (usage - USAGE_MODIFIERS);

        kbd->modifiers = byte & BREAK ? kbd->modifiers & ~bit : kbd->modifiers | bit;
    } else if (byte & BREAK) {
        release_key(kbd, usage);
    } else if (usage) {
        hold_key(kbd, usage);
    }
}

/* ---- input ---- */

static void queue_byte(UsbKeyboard *kbd, uint8_t byte)
{
    kbd->keycodes[(kbd->head + kbd->n++) % QUEUE_LEN] = byte;
}

static void keyboard_input(void *opaque, const InputEvent *event)
{
    UsbKeyboard *kbd = opaque;
    const KeyInfo *info = key_info(event->code);

    if (!info) {
        return;
    }
    while (kbd->n > QUEUE_LEN - 2) {
        take_key(kbd);
    }
    if (info->set1 >> 8) {
        queue_byte(kbd, info->set1 >> 8);
    }
    queue_byte(kbd, (info->set1 & 0x7f) | (event->value ? 0 : BREAK));
    usb_wakeup(&kbd->hid.usb);
}

/* ---- reports ---- */

static bool keyboard_has_news(const UsbHid *hid)
{
    return ((const UsbKeyboard *)hid)->n > 0;
}

static unsigned keyboard_report(UsbHid *hid, uint8_t out[HID_REPORT_MAX])
{
    UsbKeyboard *kbd = (UsbKeyboard *)hid;

    if (kbd->n > 0) {
        take_key(kbd);
        if (kbd->n == 0) {
            input_drained(&hid->input);
        }
    }
    memset(out, 0, HID_REPORT_MAX);
    out[0] = kbd->modifiers;
    if (kbd->keys > KEYS_REPORTED) {
        memset(out + 2, USAGE_ROLLOVER, KEYS_REPORTED);
    } else {
        memcpy(out + 2, kbd->key, kbd->keys);
    }
    return HID_REPORT_MAX;
}

static bool keyboard_output(UsbHid *hid, const uint8_t *data, unsigned len)
{
    if (len < 1) {
        return false;
    }
    ((UsbKeyboard *)hid)->leds = data[0];
    return true;
}

static unsigned keyboard_waiting(void *opaque)
{
    return ((const UsbKeyboard *)opaque)->n;
}

static unsigned keyboard_leds(void *opaque)
{
    uint8_t leds = ((const UsbKeyboard *)opaque)->leds;

    return (leds & LED_NUM ? INPUT_LED_NUM : 0) | (leds & LED_CAPS ? INPUT_LED_CAPS : 0) |
           (leds & LED_SCROLL ? INPUT_LED_SCROLL : 0);
}

static void keyboard_forget(UsbHid *hid)
{
    UsbKeyboard *kbd = (UsbKeyboard *)hid;

    memset(kbd->keycodes, 0, sizeof(kbd->keycodes));
    memset(kbd->key, 0, sizeof(kbd->key));
    kbd->head = kbd->n = 0;
    kbd->keys = 0;
    kbd->modifiers = 0;
    kbd->leds = 0;
    input_drained(&hid->input);
}

/* ---- state ---- */

static const StateField keyboard_hid_fields[] = {
    STATE_UINT32_ARRAY(UsbKeyboard, keycodes, .range = { 0, 0xff }),
    STATE_UINT32(UsbKeyboard, head, .range = { 0, QUEUE_LEN - 1 }),
    STATE_UINT32(UsbKeyboard, n, .range = { 0, QUEUE_LEN }),
    STATE_UINT16(UsbKeyboard, modifiers),
    STATE_UINT8(UsbKeyboard, leds),
    STATE_UINT8_ARRAY(UsbKeyboard, key),
    STATE_INT32(UsbKeyboard, keys, .range = { 0, KEYS_MAX }),
    STATE_INT32(UsbKeyboard, hid.protocol, .range = { 0, 1 }),
    STATE_UINT8(UsbKeyboard, hid.idle),
    {}
};
static const StateDesc keyboard_hid_state = {
    .name = "HIDKeyboardDevice", .version = 1, .fields = keyboard_hid_fields,
};

static bool keyboard_loaded(void *opaque, GError **error)
{
    UsbKeyboard *kbd = opaque;

    kbd->hid.next_idle_ns = vm_clock_ns(kbd->hid.usb.dev.vm);
    return true;
}

static const StateField keyboard_fields[] = {
    STATE_STRUCT(UsbKeyboard, hid.usb, UsbDevice, usb_device_state),
    { .name = "hid", .kind = STATE_KIND_STRUCT, .size = sizeof(UsbKeyboard), .count = 1,
      .desc = &keyboard_hid_state },
    {}
};
static const StateDesc keyboard_state = {
    .name = "usb-kbd", .version = 1, .fields = keyboard_fields, .loaded = keyboard_loaded,
};

static const Property keyboard_props[] = {
    PROP_UINT32(UsbKeyboard, hid.usb_version, .name = "usb_version", .def = 2, .help = "1 or 2"),
    PROP_STRING(UsbKeyboard, hid.display, .name = "display",
                .help = "display device at which it stands"),
    {}
};

/* ---- life ---- */

static bool keyboard_realize(Device *dev, GError **error)
{
    UsbKeyboard *kbd = DEVICE_CAST(dev, UsbKeyboard);

    if (!hid_check(&kbd->hid, error)) {
        return false;
    }
    kbd->hid.input = (InputHandler){
        .name = "QEMU HID Keyboard", .mask = INPUT_MASK(INPUT_KEY), .event = keyboard_input,
        .waiting = keyboard_waiting, .leds = keyboard_leds, .opaque = kbd,
    };
    input_register(dev->vm, &kbd->hid.input);
    input_activate(&kbd->hid.input);
    return true;
}

static void keyboard_unrealize(Device *dev)
{
    input_unregister(&DEVICE_CAST(dev, UsbKeyboard)->hid.input);
}

/* HID 1.11, appendix B.1 */
static const uint8_t keyboard_report_desc[] = {
    0x05, 0x01,                 /* generic desktop */
    0x09, 0x06,                 /* keyboard */
    0xa1, 0x01,                 /* application { */
    0x75, 0x01, 0x95, 0x08, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,     /* eight modifiers */
    0x15, 0x00, 0x25, 0x01, 0x81, 0x02,                             /* a bit each */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,                             /* a byte of padding */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05,     /* LEDs 1 to 5 */
    0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01,                 /* out, with padding */
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0xff,                 /* six keys */
    0x05, 0x07, 0x19, 0x00, 0x29, 0xff, 0x81, 0x00,
    0xc0,                       /* } */
};
static const uint8_t keyboard_hid_desc[] = {
    9, 0x21, 0x11, 0x01, 0, 1, 0x22, sizeof(keyboard_report_desc), 0,
};

static const UsbEndpointDesc keyboard_endpoint = {
    .address = HID_INPUT_EP, .attributes = USB_ENDPOINT_INTERRUPT, .max_packet = 8, .interval = 10,
};
static const UsbInterfaceDesc keyboard_interface = {
    .class_id = 3, .subclass = 1, .protocol = 1,            /* boot interface, keyboard */
    .extra = keyboard_hid_desc, .extra_len = sizeof(keyboard_hid_desc),
    .endpoints = &keyboard_endpoint, .n_endpoints = 1,
};
static const char *const keyboard_strings[] = {
    [1] = "QEMU", [4] = "QEMU USB Keyboard", [8] = "HID Keyboard", [11] = "68284",
};
static const UsbDesc keyboard_desc = {
    .usb_version = 0x0200, .vendor_id = 0x0627, .product_id = 0x0001, .max_packet0 = 8,
    .manufacturer = 1, .product = 4, .serial = 11, .config_string = 8,
    .attributes = USB_CONFIG_ONE | USB_CONFIG_WAKEUP, .max_power = 50,
    .interfaces = &keyboard_interface, .n_interfaces = 1,
    .strings = keyboard_strings, .n_strings = G_N_ELEMENTS(keyboard_strings),
    .selective_suspend = true,
};
static const HidClass keyboard_class = {
    .usb = { .desc = &keyboard_desc, .product = "QEMU USB Keyboard", .reset = hid_usb_reset,
             .control = hid_control, .data = hid_data, .has_news = hid_has_news },
    .report_desc = keyboard_report_desc, .report_desc_len = sizeof(keyboard_report_desc),
    .boots = true, .has_news = keyboard_has_news, .report = keyboard_report,
    .forget = keyboard_forget, .output = keyboard_output,
};

const DeviceType usb_kbd_type = {
    .name = "usb-kbd", .category = "input", .bus = &usb_bus_type, .size = sizeof(UsbKeyboard),
    .props = keyboard_props, .state = &keyboard_state, .bus_class = &keyboard_class,
    .realize = keyboard_realize, .unrealize = keyboard_unrealize,
};
