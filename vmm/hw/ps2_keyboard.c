/*
 * The PS/2 keyboard (IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard (101-
 * and 102-key)"): scan code sets 1 to 3, typematic repeat, per-key modes of set 3 for all keys at
 * once.
 *
 * Commands are answered at once.  The keyboard sends set 2 after reset; the controller translates.
 * Not modelled: set 3 modes of single keys (their lists are taken and acknowledged).
 */
#include <string.h>

#include "keys.h"
#include "ps2_port.h"
#include "vm_core.h"

/* Commands of the host. */
enum {
    KBD_SET_LEDS = 0xed, KBD_ECHO = 0xee, KBD_SET_SCANCODES = 0xf0, KBD_ID = 0xf2,
    KBD_SET_TYPEMATIC = 0xf3, KBD_ENABLE = 0xf4, KBD_DISABLE = 0xf5, KBD_DEFAULTS = 0xf6,
    KBD_ALL_REPEAT = 0xf7, KBD_ALL_MAKE_BREAK = 0xf8, KBD_ALL_MAKE = 0xf9, KBD_ALL = 0xfa,
    KBD_KEY_REPEAT = 0xfb, KBD_KEY_MAKE_BREAK = 0xfc, KBD_KEY_MAKE = 0xfd, KBD_RESEND = 0xfe,
    KBD_RESET = 0xff,
};

#define KBD_ID_0            0xab
#define KBD_ID_1            0x83
#define BREAK_PREFIX        0xf0            /* sets 2 and 3 */
#define SET1_BREAK          0x80
#define TYPEMATIC_DEFAULT   0x2b            /* 10.9 characters a second after 500 ms */
#define SET1_PAUSE          0xe11d
#define SET1_PRINT          0xe037
#define SET3_REPEATS        1               /* bits of set3_mode */
#define SET3_BREAKS         2

#define MAX_KEYS            256

typedef struct Keyboard {
    Ps2Port port;
    /* wiring */
    VmTimer repeat;
    /* guest-visible state */
    bool scan_enabled;
    uint8_t scancode_set;
    uint8_t leds, typematic, set3_mode;
    uint8_t down[MAX_KEYS / 8];
    uint32_t repeat_key;                    /* held and repeating, or KEY_INVALID */
} Keyboard;

/* ---- codes ---- */

typedef struct Code { uint8_t bytes[8]; size_t n; } Code;

static void code_add(Code *code, uint8_t byte)
{
    code->bytes[code->n++] = byte;
}

static void add_set1(Code *code, uint16_t key, bool down)
{
    if (key >> 8 != 0) {
        code_add(code, key >> 8);
    }
    code_add(code, (key & 0xff) | (down ? 0 : SET1_BREAK));
}

static void add_set2(Code *code, uint16_t key, bool down)
{
    if (key >> 8 != 0) {
        code_add(code, key >> 8);
    }
    if (!down) {
        code_add(code, BREAK_PREFIX);
    }
    code_add(code, key);
}

static void code_of_pause(const Keyboard *kbd, bool down, Code *code)
{
    static const uint8_t set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const uint8_t set2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };

    if (down) {                             /* it has no break code */
        code->n = kbd->scancode_set == 1 ? sizeof(set1) : sizeof(set2);
        memcpy(code->bytes, kbd->scancode_set == 1 ? set1 : set2, code->n);
    }
}

/* Print Screen wraps itself in a left shift that the user did not press. */
static void code_of_print(const Keyboard *kbd, bool down, Code *code)
{
    void (*add)(Code *, uint16_t, bool) = kbd->scancode_set == 1 ? add_set1 : add_set2;
    uint16_t shift = kbd->scancode_set == 1 ? 0xe02a : 0xe012;
    uint16_t print = kbd->scancode_set == 1 ? 0xe037 : 0xe07c;

    add(code, down ? shift : print, down);
    add(code, down ? print : shift, down);
}

static void code_of(const Keyboard *kbd, const KeyInfo *info, bool down, Code *code)
{
    code->n = 0;
    if (kbd->scancode_set == 3) {
        if (info->set3 != 0 && (down || kbd->set3_mode & SET3_BREAKS)) {
            add_set2(code, info->set3, down);
        }
    } else if (info->set1 == SET1_PAUSE) {
        code_of_pause(kbd, down, code);
    } else if (info->set1 == SET1_PRINT) {
        code_of_print(kbd, down, code);
    } else if (info->set1 >= 0x80 && info->set1 <= 0xff) {
        if (down) {                         /* Hangul and Hanja: make only */
            code_add(code, info->set1);
        }
    } else if (kbd->scancode_set == 1) {
        add_set1(code, info->set1, down);
    } else {
        add_set2(code, info->set2, down);
    }
}

static void send_key(Keyboard *kbd, unsigned key, bool down)
{
    const KeyInfo *info = key_info(key);
    Code code;

    if (info != NULL && kbd->scan_enabled) {
        code_of(kbd, info, down, &code);
        ps2_report(&kbd->port, code.bytes, code.n);
    }
}

/* ---- typematic ---- */

static int64_t repeat_delay_ns(const Keyboard *kbd)
{
    return ((kbd->typematic >> 5 & 3) + 1) * 250 * NS_PER_MS;
}

/* (8 + A) * 2^B * 4.17 ms, A in bits 2–0, B in bits 4–3. */
static int64_t repeat_period_ns(const Keyboard *kbd)
{
    int64_t a = kbd->typematic & 7, b = kbd->typematic >> 3 & 3;

    return (8 + a) * (INT64_C(1) << b) * 4170 * NS_PER_US;
}

static void set_repeat(Keyboard *kbd, unsigned key)
{
    Vm *vm = kbd->port.dev.vm;

    if (kbd->scancode_set == 3 && !(kbd->set3_mode & SET3_REPEATS)) {
        key = KEY_INVALID;
    }
    kbd->repeat_key = key;
    vm_timer_set(&kbd->repeat, key != KEY_INVALID ? vm_clock_ns(vm) + repeat_delay_ns(kbd)
                                                  : VM_TIMER_OFF);
}

static void repeat_fire(void *opaque)
{
    Keyboard *kbd = opaque;

    send_key(kbd, kbd->repeat_key, true);
    vm_timer_set(&kbd->repeat, vm_clock_ns(kbd->port.dev.vm) + repeat_period_ns(kbd));
}

/* ---- keys ---- */

static bool repeats(unsigned key)
{
    return key_info(key)->set1 != SET1_PAUSE;
}

void ps2_key_event(Device *dev, unsigned key, bool down)
{
    Keyboard *kbd = DEVICE_CAST(dev, Keyboard);
    uint8_t bit = 1u << (key & 7);

    if (key >= MAX_KEYS || key_info(key) == NULL || down == !!(kbd->down[key / 8] & bit)) {
        return;
    }
    kbd->down[key / 8] ^= bit;
    send_key(kbd, key, down);
    if (down) {
        set_repeat(kbd, repeats(key) ? key : KEY_INVALID);
    } else if (key == kbd->repeat_key) {
        set_repeat(kbd, KEY_INVALID);
    }
}

static void kbd_input(void *opaque, const InputEvent *event)
{
    ps2_key_event(opaque, event->code, event->value != 0);
}

/* Bit 0 is Scroll Lock, 1 Num Lock, 2 Caps Lock: as the core has them. */
static unsigned kbd_leds(void *opaque)
{
    return ((const Keyboard *)opaque)->leds;
}

/* ---- commands ---- */

static void set_defaults(Keyboard *kbd)
{
    kbd->typematic = TYPEMATIC_DEFAULT;
    kbd->set3_mode = SET3_REPEATS | SET3_BREAKS;
    set_repeat(kbd, KEY_INVALID);
    ps2_drop_events(&kbd->port);
}

static void power_on(Keyboard *kbd)
{
    kbd->scancode_set = 2;
    kbd->scan_enabled = true;
    kbd->leds = 0;
    set_defaults(kbd);
}

static void set_scancodes(Keyboard *kbd, uint8_t set)
{
    if (set > 3) {
        ps2_reply(&kbd->port, PS2_RESEND);
        return;
    }
    ps2_reply(&kbd->port, PS2_ACK);
    if (set == 0) {
        ps2_reply(&kbd->port, kbd->scancode_set);
    } else {
        kbd->scancode_set = set;
    }
}

/* The byte after a command that takes one. */
static void take_argument(Keyboard *kbd, uint8_t command, uint8_t byte)
{
    kbd->port.write_cmd = PS2_NO_COMMAND;
    switch (command) {
    case KBD_SET_LEDS:
        kbd->leds = byte & 7;
        ps2_reply(&kbd->port, PS2_ACK);
        break;
    case KBD_SET_TYPEMATIC:
        kbd->typematic = byte & 0x7f;
        ps2_reply(&kbd->port, PS2_ACK);
        break;
    case KBD_SET_SCANCODES:
        set_scancodes(kbd, byte);
        break;
    default:                                /* set 3 modes: more keys until a command */
        kbd->port.write_cmd = command;
        ps2_reply(&kbd->port, PS2_ACK);
        break;
    }
}

static void do_command(Keyboard *kbd, uint8_t byte)
{
    static const uint8_t set3_modes[] = {
        [KBD_ALL_REPEAT - KBD_ALL_REPEAT] = SET3_REPEATS,
        [KBD_ALL_MAKE_BREAK - KBD_ALL_REPEAT] = SET3_BREAKS,
        [KBD_ALL_MAKE - KBD_ALL_REPEAT] = 0,
        [KBD_ALL - KBD_ALL_REPEAT] = SET3_REPEATS | SET3_BREAKS,
    };

    ps2_reply(&kbd->port, PS2_ACK);
    switch (byte) {
    case KBD_SET_LEDS:
    case KBD_SET_SCANCODES:
    case KBD_SET_TYPEMATIC:
    case KBD_KEY_REPEAT:
    case KBD_KEY_MAKE_BREAK:
    case KBD_KEY_MAKE:
        kbd->port.write_cmd = byte;
        break;
    case KBD_ID:
        ps2_reply(&kbd->port, KBD_ID_0);
        ps2_reply(&kbd->port, KBD_ID_1);
        break;
    case KBD_ENABLE:
        kbd->scan_enabled = true;
        break;
    case KBD_DISABLE:
        set_defaults(kbd);
        kbd->scan_enabled = false;
        break;
    case KBD_DEFAULTS:
        set_defaults(kbd);
        break;
    case KBD_ALL_REPEAT ... KBD_ALL:
        kbd->set3_mode = set3_modes[byte - KBD_ALL_REPEAT];
        break;
    case KBD_RESET:
        power_on(kbd);
        ps2_reply(&kbd->port, PS2_BAT_OK);
        break;
    }
}

void ps2_kbd_command(Ps2Port *port, uint8_t byte)
{
    Keyboard *kbd = (Keyboard *)port;
    int32_t command = port->write_cmd;

    /* Arguments are below the commands; a command in the place of one ends the wait. */
    if (command != PS2_NO_COMMAND && byte < KBD_SET_LEDS) {
        take_argument(kbd, command, byte);
        return;
    }
    port->write_cmd = PS2_NO_COMMAND;
    if (byte == KBD_ECHO) {
        ps2_reply(port, KBD_ECHO);
    } else if (byte == KBD_RESEND) {
        ps2_reply(port, port->last);
    } else if (byte < KBD_SET_LEDS || byte == 0xef || byte == 0xf1) {
        ps2_reply(port, PS2_RESEND);
    } else {
        do_command(kbd, byte);
    }
}

/* ---- state ---- */

static bool kbd_loaded(void *opaque, GError **error)
{
    Keyboard *kbd = opaque;

    set_repeat(kbd, key_info(kbd->repeat_key) != NULL ? kbd->repeat_key : KEY_INVALID);
    ps2_port_update(&kbd->port);
    return true;
}

static const StateField kbd_fields[] = {
    STATE_STRUCT(Keyboard, port, Ps2Port, ps2_port_state),
    STATE_BOOL(Keyboard, scan_enabled),
    STATE_UINT8(Keyboard, scancode_set, .range = { 1, 3 }),
    STATE_UINT8(Keyboard, leds, .range = { 0, 7 }),
    STATE_UINT8(Keyboard, typematic, .range = { 0, 0x7f }),
    STATE_UINT8(Keyboard, set3_mode, .range = { 0, 3 }),
    STATE_UINT8_ARRAY(Keyboard, down),
    STATE_UINT32(Keyboard, repeat_key),
    {}
};
static const StateDesc kbd_state = {
    .name = "ps2kbd", .version = 4, .fields = kbd_fields, .loaded = kbd_loaded,
};

/* ---- life ---- */

static bool kbd_realize(Device *dev, GError **error)
{
    Keyboard *kbd = DEVICE_CAST(dev, Keyboard);

    vm_timer_init(&kbd->repeat, dev->vm, repeat_fire, kbd);
    kbd->port.input = (InputHandler){
        .name = "QEMU PS/2 Keyboard", .mask = INPUT_MASK(INPUT_KEY), .event = kbd_input,
        .waiting = ps2_waiting, .leds = kbd_leds, .opaque = kbd,
    };
    input_register(dev->vm, &kbd->port.input);
    return true;
}

static void kbd_unrealize(Device *dev)
{
    Keyboard *kbd = DEVICE_CAST(dev, Keyboard);

    input_unregister(&kbd->port.input);
    vm_timer_finish(&kbd->repeat);
}

static void kbd_reset(Device *dev)
{
    Keyboard *kbd = DEVICE_CAST(dev, Keyboard);

    ps2_port_reset(&kbd->port);
    power_on(kbd);
}

static const DeviceGpio kbd_gpios[] = { { "out", "", 1 }, {} };

const DeviceType ps2_kbd_type = {
    .name = "ps2-kbd", .help = "PS/2 keyboard", .category = "input",
    .bus = &system_bus_type, .size = sizeof(Keyboard), .state = &kbd_state, .board_only = true,
    .gpios = kbd_gpios, .realize = kbd_realize, .unrealize = kbd_unrealize, .reset = kbd_reset,
};
