/*
 * Universal Host Controller Interface (UHCI Design Guide 1.1), as function 2 of the PIIX3.
 *
 * The schedule is walked once per frame of a millisecond.  A controller on which nothing moves
 * wakes the host less often, up to every 16 frames, and then walks what is due at once; a register
 * access, or a device with something to say, brings it up to date.
 *
 * Not modelled: low speed, line state beyond J and SE0, loop back and single stepping, the frame
 * length that SOFMOD asks for, and the traps of LEGSUP, which make a PS/2 keyboard of a USB one in
 * system management mode.
 */
#include "uhci.h"

/* I/O registers, chapter 2 */
enum {
    UHCI_USBCMD = 0x00, UHCI_USBSTS = 0x02, UHCI_USBINTR = 0x04, UHCI_FRNUM = 0x06,
    UHCI_FRBASEADD = 0x08, UHCI_SOFMOD = 0x0c, UHCI_PORTSC1 = 0x10, UHCI_IO_SIZE = 0x20,
};

/* USBINTR, 2.1.3 */
#define INTR_TIMEOUT_CRC    0x0001
#define INTR_RESUME         0x0002
#define INTR_IOC            0x0004
#define INTR_SHORT          0x0008

#define STS_W1C             0x001f
#define PORT_W1C            (PORT_CSC | PORT_PEC)
#define PORT_WRITABLE       (PORT_PE | PORT_RD | PORT_PR | PORT_SUSP)
#define SOFMOD_DEFAULT      0x40        /* 12000 bit times */

/* PCI configuration, 2.2 and the PIIX3's data sheet */
enum { UHCI_SBRN = 0x60, UHCI_LEGSUP = 0xc0 };
#define SBRN_1_0            0x10
#define LEGSUP_DEFAULT      0x2000
#define LEGSUP_WRITABLE     0x20bf
#define LEGSUP_W1C          0x8f00

#define MAXFRAMES_LIMIT     1024

/* ---- interrupts ---- */

static void uhci_update_irq(Uhci *uhci)
{
    bool level = (uhci->status2 & STS2_IOC && uhci->intr & INTR_IOC) ||
                 (uhci->status2 & STS2_SHORT && uhci->intr & INTR_SHORT) ||
                 (uhci->status & STS_USBERR && uhci->intr & INTR_TIMEOUT_CRC) ||
                 (uhci->status & STS_RD && uhci->intr & INTR_RESUME) ||
                 uhci->status & (STS_HSERR | STS_HCPERR);

    pci_set_intx(&uhci->pci, level);
}

/* ---- frames ---- */

static void uhci_halt(Uhci *uhci)
{
    uhci->cmd &= ~CMD_RS;
    uhci->status |= STS_HCHALTED;
}

/* The next frame to wake up for: every one while something moves. */
static void uhci_update_timer(Uhci *uhci)
{
    static const struct { unsigned idle_frames, wait; } rows[] = {
        { 32, 1 }, { 128, 4 }, { UINT_MAX, 16 },
    };
    unsigned i = 0;

    if (!(uhci->cmd & CMD_RS)) {
        vm_timer_set(&uhci->timer, VM_TIMER_OFF);
        return;
    }
    while (uhci->idle_frames > rows[i].idle_frames) {
        i++;
    }
    vm_timer_set(&uhci->timer, uhci->expire_time + (rows[i].wait - 1) * UHCI_FRAME_NS);
}

/* 2.1.2: interrupts of a frame come at its end, at most one. */
static void uhci_end_frame(Uhci *uhci, const UhciFrame *frame)
{
    uhci->frnum = (uhci->frnum + 1) & UHCI_FRNUM_MASK;
    uhci->expire_time += UHCI_FRAME_NS;
    uhci->status |= frame->status;
    if (frame->status2) {
        uhci->status2 |= frame->status2;
        uhci->status |= STS_USBINT;
    }
    if (frame->status & (STS_HSERR | STS_HCPERR)) {
        uhci_halt(uhci);
    }
    uhci->idle_frames = frame->busy ? 0 : MIN(uhci->idle_frames + 1, 1000);
    uhci_update_irq(uhci);
}

/* Walks the frames that are due; those beyond maxframes pass with nothing done. */
static void uhci_catch_up(Uhci *uhci)
{
    int64_t now_ns = vm_clock_ns(uhci->pci.dev.vm);
    int64_t due, skipped;
    UhciFrame frame;

    if (!(uhci->cmd & CMD_RS) || now_ns < uhci->expire_time) {
        return;
    }
    due = (now_ns - uhci->expire_time) / UHCI_FRAME_NS + 1;
    skipped = MAX(0, due - (int64_t)uhci->maxframes);
    uhci->frnum = (uhci->frnum + skipped) & UHCI_FRNUM_MASK;
    uhci->expire_time += skipped * UHCI_FRAME_NS;
    for (; due > skipped && uhci->cmd & CMD_RS; due--) {
        uhci_run_frame(uhci, &frame);
        uhci_end_frame(uhci, &frame);
    }
    uhci_update_timer(uhci);
}

static void uhci_timer_fire(void *opaque)
{
    uhci_catch_up(opaque);
}

/* A device has something to say: not later than the next frame. */
static void uhci_wakeup(void *opaque)
{
    Uhci *uhci = opaque;

    uhci->idle_frames = 0;
    uhci_update_timer(uhci);
}

static void uhci_start(Uhci *uhci)
{
    uhci->cmd |= CMD_RS;
    uhci->status &= ~STS_HCHALTED;
    uhci->idle_frames = 0;
    uhci->expire_time = vm_clock_ns(uhci->pci.dev.vm) + UHCI_FRAME_NS;
    uhci_update_timer(uhci);
}

static void uhci_stop(Uhci *uhci)
{
    uhci_halt(uhci);
    uhci_update_timer(uhci);
}

/* ---- ports ---- */

/* 2.1.2: resume signalling on a port, while the bus is suspended as a whole. */
static void uhci_resume(Uhci *uhci)
{
    if (uhci->cmd & CMD_EGSM) {
        uhci->cmd |= CMD_FGR;
        uhci->status |= STS_RD;
        uhci_update_irq(uhci);
    }
}

static void uhci_port_attached(UsbPort *port)
{
    Uhci *uhci = port->opaque;

    uhci->ports[port->index].ctrl |= PORT_CCS | PORT_CSC;
    uhci_resume(uhci);
}

static void uhci_port_detached(UsbPort *port)
{
    Uhci *uhci = port->opaque;
    uint16_t *ctrl = &uhci->ports[port->index].ctrl;

    if (*ctrl & PORT_PE) {
        *ctrl |= PORT_PEC;
    }
    *ctrl = (*ctrl & ~(PORT_CCS | PORT_PE)) | PORT_CSC;
    uhci_resume(uhci);
}

static void uhci_port_wakeup(UsbPort *port)
{
    Uhci *uhci = port->opaque;
    uint16_t *ctrl = &uhci->ports[port->index].ctrl;

    if (*ctrl & PORT_SUSP && !(*ctrl & PORT_RD)) {
        *ctrl |= PORT_RD;
        uhci_resume(uhci);
    }
}

static const UsbPortOps uhci_port_ops = {
    .attached = uhci_port_attached, .detached = uhci_port_detached, .wakeup = uhci_port_wakeup,
};

static uint16_t uhci_port_read(const UhciPort *port)
{
    return port->ctrl | PORT_ALWAYS | (port->ctrl & PORT_CCS ? PORT_DPLUS : 0);
}

static void uhci_port_write(UhciPort *port, uint16_t value)
{
    uint16_t old = port->ctrl, writable = PORT_WRITABLE;

    if (!(old & PORT_CCS)) {
        writable &= ~PORT_PE;
    }
    port->ctrl = (old & ~writable & ~(value & PORT_W1C)) | (value & writable);
    if (value & PORT_SUSP && !(old & PORT_SUSP) && port->port.dev &&
        usb_wants_resume(port->port.dev)) {
        uhci_port_wakeup(&port->port);
    }
    if (value & PORT_PR && !(old & PORT_PR) && usb_port_connected(&port->port)) {
        usb_bus_reset(port->port.dev);
    }
}

/* ---- registers ---- */

static void uhci_reset_registers(Uhci *uhci)
{
    uhci->cmd = 0;
    uhci->status = STS_HCHALTED;
    uhci->status2 = 0;
    uhci->intr = 0;
    uhci->frnum = 0;
    uhci->fl_base_addr = 0;
    uhci->sof_timing = SOFMOD_DEFAULT;
    uhci->pending_int_mask = 0;
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        UhciPort *port = &uhci->ports[i];

        port->ctrl = usb_port_connected(&port->port) ? PORT_CCS | PORT_CSC : 0;
    }
    uhci_update_timer(uhci);
    uhci_update_irq(uhci);
}

static void uhci_reset_bus(Uhci *uhci)
{
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        if (usb_port_connected(&uhci->ports[i].port)) {
            usb_bus_reset(uhci->ports[i].port.dev);
        }
    }
}

static void uhci_write_cmd(Uhci *uhci, uint16_t value)
{
    bool was_running = uhci->cmd & CMD_RS;

    if (value & CMD_GRESET) {
        uhci_reset_bus(uhci);
        uhci_reset_registers(uhci);
        uhci->cmd = CMD_GRESET;
        return;
    }
    if (value & CMD_HCRESET) {
        uhci_reset_registers(uhci);
        return;
    }
    uhci->cmd = value;
    if (value & CMD_RS && !was_running) {
        uhci_start(uhci);
    } else if (!(value & CMD_RS)) {
        uhci_stop(uhci);
    }
    for (unsigned i = 0; i < UHCI_PORTS && value & CMD_EGSM; i++) {
        if (uhci->ports[i].ctrl & PORT_RD) {
            uhci_resume(uhci);              /* it asked before everything slept */
        }
    }
}

static void uhci_write_status(Uhci *uhci, uint16_t value)
{
    uhci->status &= ~(value & STS_W1C);
    if (value & STS_USBINT) {
        uhci->status2 = 0;
    }
    uhci_update_irq(uhci);
}

static uint64_t uhci_read(void *opaque, uint64_t offset, unsigned size)
{
    Uhci *uhci = opaque;

    uhci_catch_up(uhci);
    switch (offset) {
    case UHCI_USBCMD:
        return uhci->cmd;
    case UHCI_USBSTS:
        return uhci->status;
    case UHCI_USBINTR:
        return uhci->intr;
    case UHCI_FRNUM:
        return uhci->frnum;
    case UHCI_FRBASEADD:
        return uhci->fl_base_addr & 0xffff;
    case UHCI_FRBASEADD + 2:
        return uhci->fl_base_addr >> 16;
    case UHCI_SOFMOD:
        return uhci->sof_timing;
    case UHCI_PORTSC1 ... UHCI_PORTSC1 + 2 * UHCI_PORTS - 1:
        return uhci_port_read(&uhci->ports[(offset - UHCI_PORTSC1) / 2]);
    default:
        /* Drivers count ports by looking for the bit that is always set: these are none. */
        return offset >= UHCI_PORTSC1 ? 0xff7f : 0;
    }
}

static void uhci_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Uhci *uhci = opaque;

    uhci_catch_up(uhci);
    switch (offset) {
    case UHCI_USBCMD:
        uhci_write_cmd(uhci, value);
        break;
    case UHCI_USBSTS:
        uhci_write_status(uhci, value);
        break;
    case UHCI_USBINTR:
        uhci->intr = value & 0x0f;
        uhci_update_irq(uhci);
        break;
    case UHCI_FRNUM:
        if (uhci->status & STS_HCHALTED) {
            uhci->frnum = value & UHCI_FRNUM_MASK;
        }
        break;
    case UHCI_FRBASEADD:
        uhci->fl_base_addr = (uhci->fl_base_addr & 0xffff0000) | (value & 0xf000);
        break;
    case UHCI_FRBASEADD + 2:
        uhci->fl_base_addr = (uhci->fl_base_addr & 0xffff) | (uint32_t)value << 16;
        break;
    case UHCI_SOFMOD:
        uhci->sof_timing = value & 0x7f;
        break;
    case UHCI_PORTSC1 ... UHCI_PORTSC1 + 2 * UHCI_PORTS - 1:
        uhci_port_write(&uhci->ports[(offset - UHCI_PORTSC1) / 2], value);
        break;
    }
}

static const MemOps uhci_io_ops = {
    .read = uhci_read, .write = uhci_write, .min_size = 2, .max_size = 2,
};

/* ---- state ---- */

static void uhci_saving(void *opaque)
{
    Uhci *uhci = opaque;

    uhci->num_ports_vmstate = UHCI_PORTS;
    uhci->frame_timer = uhci->cmd & CMD_RS ? uhci->expire_time : -1;
}

static bool uhci_loaded(void *opaque, GError **error)
{
    Uhci *uhci = opaque;

    uhci->expire_time = MIN(uhci->expire_time, vm_clock_ns(uhci->pci.dev.vm) + UHCI_FRAME_NS);
    uhci->idle_frames = 0;
    uhci_update_timer(uhci);
    return true;
}

static const StateField uhci_port_fields[] = {
    STATE_UINT16(UhciPort, ctrl),
    {}
};
static const StateDesc uhci_port_state = {
    .name = "uhci port", .version = 1, .fields = uhci_port_fields,
};

static const StateField uhci_fields[] = {
    STATE_STRUCT(Uhci, pci, PciDevice, pci_device_state),
    STATE_UINT8(Uhci, num_ports_vmstate, .range = { UHCI_PORTS, UHCI_PORTS }),
    STATE_STRUCT_ARRAY(Uhci, ports, UhciPort, uhci_port_state),
    STATE_UINT16(Uhci, cmd),
    STATE_UINT16(Uhci, status),
    STATE_UINT16(Uhci, intr),
    STATE_UINT16(Uhci, frnum, .range = { 0, UHCI_FRNUM_MASK }),
    STATE_UINT32(Uhci, fl_base_addr),
    STATE_UINT8(Uhci, sof_timing),
    STATE_UINT8(Uhci, status2),
    STATE_INT64(Uhci, frame_timer),
    STATE_INT64(Uhci, expire_time, .range = { 0, INT64_MAX }),
    STATE_UINT32(Uhci, pending_int_mask),
    {}
};
static const StateDesc uhci_state = {
    .name = "uhci", .version = 3, .fields = uhci_fields, .saving = uhci_saving,
    .loaded = uhci_loaded,
};

static const Property uhci_props[] = {
    PROP_UINT32(Uhci, bandwidth, .name = "bandwidth", .def = 1280,
                .help = "bytes that go over in a frame"),
    PROP_UINT32(Uhci, maxframes, .name = "maxframes", .def = 128,
                .help = "frames made up for when the host was late"),
    {}
};

/* ---- life ---- */

static void uhci_init_config(Uhci *uhci)
{
    uint8_t *config = uhci->pci.config;

    config[PCI_INTERRUPT_PIN] = 4;          /* INTD */
    config[UHCI_SBRN] = SBRN_1_0;
    pci_set_word(config + UHCI_LEGSUP, LEGSUP_DEFAULT);
    pci_set_word(uhci->pci.wmask + UHCI_LEGSUP, LEGSUP_WRITABLE);
    pci_set_word(uhci->pci.w1cmask + UHCI_LEGSUP, LEGSUP_W1C);
}

static bool uhci_realize(Device *dev, GError **error)
{
    Uhci *uhci = DEVICE_CAST(dev, Uhci);
    int32_t devfn = uhci->pci.devfn;
    g_autofree char *path = g_strdup_printf("0000:00:%02x.%x", devfn >> 3, devfn & 7);

    uhci->maxframes = CLAMP(uhci->maxframes, 1, MAXFRAMES_LIMIT);
    uhci_init_config(uhci);
    vm_timer_init(&uhci->timer, dev->vm, uhci_timer_fire, uhci);
    uhci->usb = usb_bus_new(dev, path, uhci_wakeup, uhci);
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        usb_port_register(uhci->usb, &uhci->ports[i].port, &uhci_port_ops, uhci, i, NULL);
    }
    mem_region_init_io(&uhci->io, &dev->obj, "uhci", UHCI_IO_SIZE, &uhci_io_ops, uhci);
    uhci->has_io = true;
    pci_register_bar(&uhci->pci, 4, PCI_BAR_IO, &uhci->io);
    return true;
}

/* The bus and all on it are gone by now. */
static void uhci_unrealize(Device *dev)
{
    Uhci *uhci = DEVICE_CAST(dev, Uhci);

    if (uhci->has_io) {
        vm_timer_finish(&uhci->timer);
        mem_region_finish(&uhci->io);
    }
}

static void uhci_reset(Device *dev)
{
    Uhci *uhci = DEVICE_CAST(dev, Uhci);

    pci_reset(&uhci->pci);
    pci_set_word(uhci->pci.config + UHCI_LEGSUP, LEGSUP_DEFAULT);
    uhci_reset_bus(uhci);
    uhci_reset_registers(uhci);
}

static const PciClass uhci_class = {
    .vendor_id = 0x8086, .device_id = 0x7020, .class_id = 0x0c03, .revision = 0x01,
};

const DeviceType piix3_uhci_type = {
    .name = "piix3-usb-uhci", .category = "usb", .firmware_name = "usb", .no_hotplug = true,
    .bus = &pci_bus_type, .size = sizeof(Uhci), .props = uhci_props, .state = &uhci_state,
    .bus_class = &uhci_class, .realize = uhci_realize, .unrealize = uhci_unrealize,
    .reset = uhci_reset,
};
