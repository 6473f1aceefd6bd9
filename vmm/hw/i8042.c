/*
 * The keyboard controller of the PC/AT and PS/2 (IBM Personal System/2 Hardware Interface Technical
 * Reference, "Keyboard and auxiliary device controller"): port 60 data, port 64 command and status.
 *
 * The output buffer is filled from the controller's own replies, then the keyboard, then the mouse,
 * and drives interrupt 1 or 12 while it is full.  Bytes arrive as soon as there is room.  Scan code
 * set 2 is translated to set 1 here, as the chip's own table does it.
 */
#include "i8042.h"

#include "isa.h"
#include "port92.h"
#include "ps2.h"
#include "vm_core.h"

#define I8042_DATA_PORT 0x60
#define I8042_CMD_PORT  0x64

#define STAT_OBF        0x01
#define STAT_SYS        0x04            /* passed its self test */
#define STAT_CMD        0x08            /* the last write was to port 64 */
#define STAT_UNLOCKED   0x10
#define STAT_AUX        0x20            /* the output buffer holds a byte of the mouse */

#define MODE_KBD_INT        0x01
#define MODE_AUX_INT        0x02
#define MODE_SYS            0x04
#define MODE_KBD_DISABLED   0x10
#define MODE_AUX_DISABLED   0x20
#define MODE_TRANSLATE      0x40
#define MODE_WRITABLE       0x7f

#define OUT_NO_RESET    0x01
#define OUT_A20         0x02
#define OUT_KBD_OBF     0x10
#define OUT_AUX_OBF     0x20
#define OUT_RESET_VALUE 0xcf

enum {
    CMD_READ_RAM = 0x20, CMD_WRITE_RAM = 0x60,
    CMD_AUX_DISABLE = 0xa7, CMD_AUX_ENABLE = 0xa8, CMD_AUX_TEST = 0xa9, CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab, CMD_KBD_DISABLE = 0xad, CMD_KBD_ENABLE = 0xae, CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1, CMD_WRITE_KBD_OBF = 0xd2,
    CMD_WRITE_AUX_OBF = 0xd3, CMD_WRITE_AUX = 0xd4, CMD_A20_OFF = 0xdd, CMD_A20_ON = 0xdf,
    CMD_PULSE = 0xf0,
};
#define SELF_TEST_OK    0x55
#define INPUT_PORT      0x80            /* keyboard not locked */
#define PULSE_RESET     0x01            /* low: pulled */

#define SET2_BREAK      0xf0
#define SET1_BREAK      0x80

#define THROTTLE_NS     NS_PER_MS

enum { NO_REPLY, REPLY_KBD, REPLY_AUX };

typedef struct I8042 {
    Device dev;
    /* configuration */
    bool extended_state, throttle;
    uint8_t kbd_irq, aux_irq;
    /* wiring */
    MemRegion data_io, cmd_io;
    Device *kbd, *aux;
    IrqLine kbd_line, aux_line;
    VmTimer throttle_timer;
    bool throttled, filling;
    /* guest-visible state */
    uint8_t write_cmd;                  /* command that waits for a byte on port 60, or 0 */
    uint8_t status, mode, outport;
    uint8_t obdata;
    uint8_t reply, reply_source;        /* the controller's own byte, still to come */
    uint8_t break_seen;                 /* translation: f0 came */
} I8042;

/* Set 2 codes to set 1; codes past the table stay as they are, but for 83 (F7) and 84 (SysRq). */
static const uint8_t set2_to_set1[0x80] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

/* ---- the output buffer ---- */

static void set_lines(I8042 *kbc)
{
    bool full = kbc->status & STAT_OBF, aux = kbc->status & STAT_AUX;

    irq_set(&kbc->kbd_line, full && !aux && kbc->mode & MODE_KBD_INT);
    irq_set(&kbc->aux_line, full && aux && kbc->mode & MODE_AUX_INT);
}

static void fill_buffer(I8042 *kbc, uint8_t byte, bool aux)
{
    kbc->obdata = byte;
    kbc->status = (kbc->status & ~STAT_AUX) | STAT_OBF | (aux ? STAT_AUX : 0);
}

static uint8_t translate(uint8_t byte)
{
    if (byte < sizeof(set2_to_set1)) {
        return set2_to_set1[byte];
    }
    return byte == 0x83 ? 0x41 : byte == 0x84 ? 0x54 : byte;
}

/*
 * Takes the keyboard's next byte; the prefix of a break code only turns on a bit of the byte after
 * it.
 */
static bool take_kbd_byte(I8042 *kbc)
{
    while (ps2_pending(kbc->kbd)) {
        uint8_t byte = ps2_read(kbc->kbd);

        if (!(kbc->mode & MODE_TRANSLATE)) {
            fill_buffer(kbc, byte, false);
            return true;
        }
        if (byte != SET2_BREAK) {
            fill_buffer(kbc, translate(byte) | (kbc->break_seen ? SET1_BREAK : 0), false);
            kbc->break_seen = 0;
            return true;
        }
        kbc->break_seen = 1;
    }
    return false;
}

static void fill(I8042 *kbc)
{
    if (kbc->reply_source != NO_REPLY) {
        fill_buffer(kbc, kbc->reply, kbc->reply_source == REPLY_AUX);
        kbc->reply_source = NO_REPLY;
    } else if (!kbc->throttled) {
        if (!(kbc->mode & MODE_KBD_DISABLED) && take_kbd_byte(kbc)) {
            return;
        }
        if (!(kbc->mode & MODE_AUX_DISABLED) && ps2_pending(kbc->aux)) {
            fill_buffer(kbc, ps2_read(kbc->aux), true);
        }
    }
}

/* The lines go down before the next byte comes, so that each byte is an edge. */
static void i8042_update(I8042 *kbc)
{
    if (kbc->filling) {
        return;                         /* taking a byte moves the device's line */
    }
    set_lines(kbc);
    if (!(kbc->status & STAT_OBF)) {
        kbc->filling = true;
        fill(kbc);
        kbc->filling = false;
        set_lines(kbc);
    }
}

static void device_line(void *opaque, int n, int level)
{
    i8042_update(opaque);
}

static void throttle_fire(void *opaque)
{
    I8042 *kbc = opaque;

    kbc->throttled = false;
    i8042_update(kbc);
}

/* ---- port 60 ---- */

static uint64_t data_read(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *kbc = opaque;
    uint8_t byte = kbc->obdata;

    if (kbc->status & STAT_OBF) {
        kbc->status &= ~(STAT_OBF | STAT_AUX);
        if (kbc->throttle) {
            kbc->throttled = true;
            vm_timer_set(&kbc->throttle_timer, vm_clock_ns(kbc->dev.vm) + THROTTLE_NS);
        }
        i8042_update(kbc);
    }
    return byte;
}

static void reply_with(I8042 *kbc, uint8_t byte)
{
    kbc->reply = byte;
    kbc->reply_source = REPLY_KBD;
}

static void write_output_port(I8042 *kbc, uint8_t value)
{
    Vm *vm = kbc->dev.vm;

    kbc->outport = value & ~(OUT_KBD_OBF | OUT_AUX_OBF);
    a20_set(vm, value & OUT_A20);
    if (!(value & OUT_NO_RESET)) {
        vm_request_reset(vm, SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static void write_mode(I8042 *kbc, uint8_t value)
{
    kbc->mode = value & MODE_WRITABLE;
    kbc->status = (kbc->status & ~STAT_SYS) | (value & MODE_SYS ? STAT_SYS : 0);
}

/* The byte on port 60 that the command before it asked for. */
static void take_argument(I8042 *kbc, uint8_t command, uint8_t value)
{
    switch (command) {
    case CMD_WRITE_RAM:
        write_mode(kbc, value);
        break;
    case CMD_WRITE_OUTPUT:
        write_output_port(kbc, value);
        break;
    case CMD_WRITE_KBD_OBF:
    case CMD_WRITE_AUX_OBF:
        kbc->reply = value;
        kbc->reply_source = command == CMD_WRITE_AUX_OBF ? REPLY_AUX : REPLY_KBD;
        break;
    case CMD_WRITE_AUX:
        kbc->mode &= ~MODE_AUX_DISABLED;        /* sending opens the interface */
        ps2_write(kbc->aux, value);
        break;
    }
}

static void data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *kbc = opaque;
    uint8_t command = kbc->write_cmd;

    kbc->status &= ~STAT_CMD;
    kbc->write_cmd = 0;
    if (command != 0) {
        take_argument(kbc, command, value);
    } else {
        kbc->mode &= ~MODE_KBD_DISABLED;
        ps2_write(kbc->kbd, value);
    }
    i8042_update(kbc);
}

static const MemOps data_ops = {
    .read = data_read, .write = data_write, .min_size = 1, .max_size = 1,
};

/* ---- port 64 ---- */

static uint8_t read_output_port(const I8042 *kbc)
{
    uint8_t value = (kbc->outport & ~OUT_A20) | (kbc->dev.vm->a20 ? OUT_A20 : 0);

    if (kbc->status & STAT_OBF) {
        value |= kbc->status & STAT_AUX ? OUT_AUX_OBF : OUT_KBD_OBF;
    }
    return value;
}

static void self_test(I8042 *kbc)
{
    kbc->status |= STAT_SYS;
    kbc->mode |= MODE_SYS;
    reply_with(kbc, SELF_TEST_OK);
}

static void pulse_outputs(I8042 *kbc, uint8_t low)
{
    if (low & PULSE_RESET) {
        vm_request_reset(kbc->dev.vm, SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static void do_command(I8042 *kbc, uint8_t command)
{
    switch (command) {
    case CMD_READ_RAM:
        reply_with(kbc, kbc->mode);
        break;
    case CMD_WRITE_RAM:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_KBD_OBF:
    case CMD_WRITE_AUX_OBF:
    case CMD_WRITE_AUX:
        kbc->write_cmd = command;
        break;
    case CMD_AUX_DISABLE:
        kbc->mode |= MODE_AUX_DISABLED;
        break;
    case CMD_AUX_ENABLE:
        kbc->mode &= ~MODE_AUX_DISABLED;
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        reply_with(kbc, 0);
        break;
    case CMD_SELF_TEST:
        self_test(kbc);
        break;
    case CMD_KBD_DISABLE:
        kbc->mode |= MODE_KBD_DISABLED;
        break;
    case CMD_KBD_ENABLE:
        kbc->mode &= ~MODE_KBD_DISABLED;
        break;
    case CMD_READ_INPUT:
        reply_with(kbc, INPUT_PORT);
        break;
    case CMD_READ_OUTPUT:
        reply_with(kbc, read_output_port(kbc));
        break;
    case CMD_A20_OFF:
    case CMD_A20_ON:
        a20_set(kbc->dev.vm, command == CMD_A20_ON);
        break;
    case CMD_PULSE ... 0xff:
        pulse_outputs(kbc, ~command);
        break;
    }
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((const I8042 *)opaque)->status;
}

static void command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *kbc = opaque;

    kbc->status |= STAT_CMD;
    kbc->write_cmd = 0;
    do_command(kbc, value);
    i8042_update(kbc);
}

static const MemOps cmd_ops = {
    .read = status_read, .write = command_write, .min_size = 1, .max_size = 1,
};

/* ---- state ---- */

static bool i8042_loaded(void *opaque, GError **error)
{
    i8042_update(opaque);
    return true;
}

static const StateField i8042_fields[] = {
    STATE_UINT8(I8042, write_cmd),
    STATE_UINT8(I8042, status),
    STATE_UINT8(I8042, mode),
    STATE_UINT8(I8042, outport),
    STATE_UINT8(I8042, obdata),
    STATE_UINT8(I8042, reply),
    STATE_UINT8(I8042, reply_source, .range = { NO_REPLY, REPLY_AUX }),
    STATE_UINT8(I8042, break_seen, .range = { 0, 1 }),
    {}
};
static const StateDesc i8042_state = {
    .name = "pckbd", .version = 4, .fields = i8042_fields, .loaded = i8042_loaded,
};

static const Property i8042_props[] = {
    PROP_BOOL(I8042, extended_state, .name = "extended-state", .def = true,
              .help = "kept for compatibility: all state is always saved"),
    PROP_BOOL(I8042, throttle, .name = "kbd-throttle",
              .help = "let a millisecond pass between two bytes"),
    PROP_UINT8(I8042, kbd_irq, .name = "kbd-irq", .def = 1, .help = "interrupt of the keyboard"),
    PROP_UINT8(I8042, aux_irq, .name = "mouse-irq", .def = 12, .help = "interrupt of the mouse"),
    {}
};

/* ---- life ---- */

/* Keyboard and mouse belong to the system bus, and go with it. */
static Device *add_port(I8042 *kbc, const DeviceType *type, const char *name, GError **error)
{
    Device *dev = device_new(kbc->dev.vm, type, NULL);

    object_add_child(&kbc->dev.obj, name, &dev->obj);
    if (!device_realize(dev, NULL, error)) {
        return NULL;
    }
    ps2_connect(dev, (IrqLine){ device_line, kbc, 0 });
    return dev;
}

static bool i8042_realize(Device *dev, GError **error)
{
    I8042 *kbc = DEVICE_CAST(dev, I8042);
    Vm *vm = dev->vm;

    kbc->kbd = add_port(kbc, &ps2_kbd_type, "ps2kbd", error);
    kbc->aux = kbc->kbd != NULL ? add_port(kbc, &ps2_mouse_type, "ps2mouse", error)
                                : NULL;
    if (kbc->aux == NULL) {
        return false;
    }
    kbc->kbd_line = vm_isa_irq(vm, kbc->kbd_irq);
    kbc->aux_line = vm_isa_irq(vm, kbc->aux_irq);
    vm_timer_init(&kbc->throttle_timer, vm, throttle_fire, kbc);
    mem_region_init_io(&kbc->data_io, &dev->obj, "i8042-data", 1, &data_ops, kbc);
    mem_region_add(&vm->system_io, I8042_DATA_PORT, &kbc->data_io);
    mem_region_init_io(&kbc->cmd_io, &dev->obj, "i8042-cmd", 1, &cmd_ops, kbc);
    mem_region_add(&vm->system_io, I8042_CMD_PORT, &kbc->cmd_io);
    return true;
}

static void i8042_unrealize(Device *dev)
{
    I8042 *kbc = DEVICE_CAST(dev, I8042);

    mem_region_finish(&kbc->cmd_io);
    mem_region_finish(&kbc->data_io);
    vm_timer_finish(&kbc->throttle_timer);
}

static void i8042_reset(Device *dev)
{
    I8042 *kbc = DEVICE_CAST(dev, I8042);

    /* Their own turn comes later; until then they must not have bytes for us. */
    kbc->kbd->type->reset(kbc->kbd);
    kbc->aux->type->reset(kbc->aux);
    kbc->write_cmd = 0;
    kbc->mode = MODE_KBD_INT | MODE_AUX_INT;
    kbc->status = STAT_CMD | STAT_UNLOCKED;
    kbc->outport = OUT_RESET_VALUE;
    kbc->obdata = 0;
    kbc->reply_source = NO_REPLY;
    kbc->break_seen = 0;
    kbc->throttled = false;
    vm_timer_set(&kbc->throttle_timer, VM_TIMER_OFF);
    i8042_update(kbc);
}

Device *i8042_keyboard(Device *dev)
{
    return DEVICE_CAST(dev, I8042)->kbd;
}

Device *i8042_mouse(Device *dev)
{
    return DEVICE_CAST(dev, I8042)->aux;
}

static const DeviceGpio i8042_gpios[] = {
    { "in", "ps2-mouse-input-irq", 1 }, { "in", "ps2-kbd-input-irq", 1 }, { "out", "", 2 },
    { "out", "a20", 1 }, {}
};

const DeviceType i8042_type = {
    .name = "i8042", .help = "keyboard controller", .category = "input",
    .bus = &isa_bus_type, .size = sizeof(I8042), .props = i8042_props, .state = &i8042_state,
    .board_only = true, .gpios = i8042_gpios, .realize = i8042_realize,
    .unrealize = i8042_unrealize, .reset = i8042_reset,
};
