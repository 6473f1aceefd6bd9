/*
 * A guest that does anything to its USB.  Reaches: the UHCI registers and a schedule with lists,
 * queues and descriptors in the guest's hands, control transfers to a hub, a keyboard, a mouse, a
 * tablet and a stick, the stick's command wrappers and data, input events, plugging, resets, and
 * loading damaged state.  The stick's image is null-co.  The input is a list of accesses.
 */
#include <stdint.h>
#include <string.h>

#include "disk_board.h"
#include "usb_board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, detail;
    uint16_t where;
    uint32_t value;
} Access;

#define STICK_BYTES (1 << 20)

static const DeviceType *const types[] = {
    &usb_kbd_type, &usb_mouse_type, &usb_tablet_type, &usb_hub_type,
};
static const uint8_t pids[] = { IN, OUT, SETUP, 0xff };

static void setup(void)
{
    Device *stick;

    usb_board();
    null_drive_new("d", STICK_BYTES);
    stick = device_new(&vm, &usb_storage_type, NULL);
    g_assert(device_set(stick, "drive", "d", NULL) && device_set(stick, "port", "1", NULL) &&
             device_realize(stick, &usb->bus, NULL));
    usb_add(&usb_hub_type, "2");
    usb_add(&usb_kbd_type, "2.1");
    usb_add(&usb_tablet_type, "2.2");
}

/* The stick is 1, the hub 2, what is behind it 3 and 4; others stay strangers. */
static void enumerate_all(void)
{
    enumerate(0, 1);
    enumerate(1, 2);
    for (uint8_t port = 1; port <= 2; port++) {
        control(2, 0x23, 3, 4, port, 0, NULL);
        control(0, 0, 5, 2 + port, 0, 0, NULL);
        control(2 + port, 0, 9, 1, 0, 0, NULL);
    }
}

static void start(void)
{
    /* Damaged state may have pulled a plug. */
    for (guint i = 0; i < usb->bus.devices->len; i++) {
        device_set(g_ptr_array_index(usb->bus.devices, i), "attached", "on", NULL);
    }
    devices_reset(&vm);
    cfg_out(UHCI_DEVFN, 0x20, UHCI_IO, 4);
    cfg_out(UHCI_DEVFN, 0x04, 0x05, 2);
    for (int i = 0; i < 1024; i++) {
        poke32(FRAME_LIST + 4 * i, QUEUE | 2);
    }
    poke32(QUEUE, END);
    poke32(QUEUE + 4, END);
    out(UHCI_IO + 8, FRAME_LIST, 4);
    set_reg(4, 0x0f);
    set_reg(0, 0x01);
    enumerate_all();
}

/* ---- what a guest does ---- */

static void do_register(const Access *access)
{
    unsigned size = 1u << access->detail % 3;

    if (access->detail & 0x80) {
        in(UHCI_IO + access->where % 32, size);
    } else {
        out(UHCI_IO + access->where % 32, access->value, size);
    }
}

static void do_memory(const Access *access)
{
    static const uint32_t places[] = { FRAME_LIST, QUEUE, TDS, TDS };
    uint32_t addr = places[access->detail % 4] + access->where % 0x200 * 4;

    poke32(addr, access->detail & 0x80 ? QUEUE + (access->value & 0x11ff) : access->value);
}

static void do_transaction(const Access *access)
{
    uint8_t pid = pids[access->detail % 4];

    memcpy(buffer(0), &access->value, 4);
    transact(pid, access->where % 6, access->where >> 3 & 3, access->value % 80);
}

static void do_control(const Access *access)
{
    static uint8_t data[1024];

    control(access->where % 6, access->detail, access->where >> 8, access->value,
            access->value >> 16 & 0xff, access->value >> 24 << 2, data);
}

static void do_command(const Access *access)
{
    uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4 };

    memcpy(cbw + 8, &access->where, 2);
    cbw[12] = access->detail & 0x80;
    cbw[14] = 10;
    memcpy(cbw + 15, &access->detail, 1);
    memcpy(cbw + 19, &access->value, 4);
    memcpy(buffer(0), cbw, sizeof(cbw));
    transact(OUT, 1, 2, sizeof(cbw));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void do_data(const Access *access)
{
    for (unsigned i = 0; i < access->detail % 32; i++) {
        transact(access->where & 1 ? IN : OUT, 1, access->where & 1 ? 1 : 2, 64);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    transact(IN, 1, 1, 13);
}

static void do_input(const Access *access)
{
    InputEvent event = { access->detail % 4, access->where, (int32_t)access->value };

    if (event.kind == INPUT_BUTTON) {
        event.code %= INPUT_BUTTONS;
    } else if (event.kind != INPUT_KEY) {
        event.code %= INPUT_AXES;
    }
    input_send(&vm, &event);
    if (access->detail & 0x10) {
        input_sync(&vm);
    }
}

/* A device comes to one of the hub's last ports, or goes. */
static void do_plug(const Access *access)
{
    g_autofree char *port = g_strdup_printf("2.%u", 3 + access->where % 6);
    Device *dev;

    for (GList *link = usb->used.head; link; link = link->next) {
        UsbPort *used = link->data;

        if (g_str_equal(used->path, port)) {
            device_free(&used->dev->dev);
            return;
        }
    }
    dev = device_new(&vm, types[access->detail % G_N_ELEMENTS(types)], NULL);
    if (device_set(dev, "port", port, NULL)) {
        device_realize(dev, &usb->bus, NULL);
    }
}

/* Saves a device, damages a byte, loads what is left. */
static void do_damage(const Access *access)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint n = access->where % (usb->bus.devices->len + 1);
    Device *dev = n ? g_ptr_array_index(usb->bus.devices, n - 1) : uhci;
    const StateDesc *state = dev->type->state;
    size_t pos = 0;

    state_save(state, dev, bytes);
    bytes->data[access->value % bytes->len] ^= access->value >> 16;
    state_load(state, dev, state->version, bytes->data, bytes->len, &pos, NULL);
}

static void do_time(const Access *access)
{
    run_frames(access->value % 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const actions[])(const Access *) = {
        do_register, do_memory, do_transaction, do_control, do_command, do_data, do_input, do_plug,
        do_damage, do_time,
    };
    g_autoptr(GString) text = g_string_new(NULL);

    if (!uhci) {
        setup();
    }
    start();
    for (size_t at = 0; at + sizeof(Access) <= size && at < 512 * sizeof(Access);
         at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        actions[access.kind % G_N_ELEMENTS(actions)](&access);
    }
    usb_print(&vm, text);
    for (guint i = usb->bus.devices->len; i-- > 4;) {
        if (i < usb->bus.devices->len) {
            device_free(g_ptr_array_index(usb->bus.devices, i));
        }
    }
    return 0;
}
