/*
 * The kernel's 8259 pair, IOAPIC and 8254 as devices, so that they reset, save and show like any
 * other.
 *
 * Their registers live in the kernel (api.rst 4.26, 4.71); the regions in the memory map only mark
 * the place.  What they are at reset is what the kernel made them, fetched when the device is
 * realized.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>

#include "kvm_devices.h"
#include "rhea_error.h"

/* The ISA bus of the board (hw/isa.c). */
extern const BusType isa_bus_type;

#define IOAPIC_BASE         UINT64_C(0xfec00000)
#define IOAPIC_SIZE         0x1000
#define IOAPIC_PINS         24u
#define IOAPIC_VERSION      0x11

/* IOAPIC redirection entries: 82093AA data sheet, 3.2.4. */
#define REDIR_VECTOR        0xffu
#define REDIR_MODE_SHIFT    8
#define REDIR_LOGICAL       (1u << 11)
#define REDIR_ACTIVE_LOW    (1u << 13)
#define REDIR_REMOTE_IRR    (1u << 14)
#define REDIR_LEVEL         (1u << 15)
#define REDIR_MASKED        (1u << 16)
#define REDIR_DEST_SHIFT    56

/* ---- what the three have in common ---- */

static uint64_t chip_read(void *opaque, uint64_t offset, unsigned size)
{
    return UINT64_MAX;
}

static void chip_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static const MemOps chip_ops = { .read = chip_read, .write = chip_write };

static bool chip_get(struct kvm_irqchip *chip, uint32_t id, GError **error)
{
    memset(chip, 0, sizeof(*chip));
    chip->chip_id = id;
    if (ioctl(kvm.vm_fd, KVM_GET_IRQCHIP, chip) < 0) {
        set_errno_error(error, errno, "kvm does not show its interrupt controller %u", id);
        return false;
    }
    return true;
}

static bool chip_set(const struct kvm_irqchip *chip, GError **error)
{
    struct kvm_irqchip copy = *chip;

    if (ioctl(kvm.vm_fd, KVM_SET_IRQCHIP, &copy) < 0) {
        set_errno_error(error, errno, "kvm does not take the state of its interrupt controller %u",
                        chip->chip_id);
        return false;
    }
    return true;
}

static bool engine_has_chips(Device *dev, GError **error)
{
    if (kvm.irqchip != IRQCHIP_KERNEL || kvm.vm_fd < 0) {
        set_error(error, "'%s' needs kvm with kernel-irqchip=on", dev->type->name);
        return false;
    }
    return true;
}

/* ---- 8259 ---- */

typedef struct KvmPic {
    Device dev;
    /* configuration */
    uint32_t iobase, elcr_addr;
    uint8_t elcr_mask;
    bool master;
    /* wiring */
    MemRegion ports, elcr;
    struct kvm_irqchip pristine;
    /* guest-visible state: the kernel's, copied here while it is saved */
    struct kvm_irqchip chip;
} KvmPic;

static uint32_t pic_id(const KvmPic *pic)
{
    return pic->master ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
}

static void pic_view(Device *dev, DeviceView view, GString *out)
{
    KvmPic *pic = DEVICE_CAST(dev, KvmPic);
    const struct kvm_pic_state *s = &pic->chip.chip.pic;

    if (view == VIEW_IRQ) {
        g_string_append(out, "IRQ statistics for kvm-i8259:\n");
    }
    if (view != VIEW_PIC || !chip_get(&pic->chip, pic_id(pic), NULL)) {
        return;
    }
    g_string_append_printf(out, "pic%d: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x "
                           "rr_sel=%d elcr=%02x fnm=%d\n", !pic->master, s->irr, s->imr, s->isr,
                           s->priority_add, s->irq_base, s->read_reg_select, s->elcr,
                           s->special_fully_nested_mode);
}

static void pic_saving(void *opaque)
{
    KvmPic *pic = opaque;

    chip_get(&pic->chip, pic_id(pic), NULL);
}

static bool pic_loaded(void *opaque, GError **error)
{
    KvmPic *pic = opaque;

    pic->chip.chip_id = pic_id(pic);
    pic->chip.chip.pic.elcr_mask = pic->elcr_mask;
    return chip_set(&pic->chip, error);
}

#define PIC_FIELD(name_) STATE_NESTED_U8(KvmPic, chip.chip.pic.name_, name_)
#define STATE_NESTED_U8(s_, path_, name_) \
    { .name = #name_, .kind = STATE_KIND_U8, .offset = offsetof(s_, path_), .size = 1, .count = 1 }

static const StateField pic_fields[] = {
    PIC_FIELD(last_irr), PIC_FIELD(irr), PIC_FIELD(imr), PIC_FIELD(isr), PIC_FIELD(priority_add),
    PIC_FIELD(irq_base), PIC_FIELD(read_reg_select), PIC_FIELD(poll), PIC_FIELD(special_mask),
    PIC_FIELD(init_state), PIC_FIELD(auto_eoi), PIC_FIELD(rotate_on_auto_eoi),
    PIC_FIELD(special_fully_nested_mode), PIC_FIELD(init4), PIC_FIELD(elcr),
    {}
};

static const StateDesc pic_state = {
    .name = "i8259", .version = 1, .fields = pic_fields, .saving = pic_saving, .loaded = pic_loaded,
};

static const Property pic_props[] = {
    PROP_UINT32(KvmPic, iobase, .name = "iobase", .def = 0, .help = "first port (0: a PC's)"),
    PROP_UINT32(KvmPic, elcr_addr, .name = "elcr_addr", .def = 0,
                .help = "port of the edge/level register"),
    PROP_UINT8(KvmPic, elcr_mask, .name = "elcr_mask", .def = 0, .help = "its writable bits"),
    PROP_BOOL(KvmPic, master, .name = "master", .def = 0, .help = "the first chip of the pair"),
    {}
};

static bool pic_realize(Device *dev, GError **error)
{
    KvmPic *pic = DEVICE_CAST(dev, KvmPic);

    if (!engine_has_chips(dev, error) || !chip_get(&pic->pristine, pic_id(pic), error)) {
        return false;
    }
    /* The addresses are the kernel's and those of every PC. */
    pic->iobase = pic->master ? 0x20 : 0xa0;
    pic->elcr_addr = pic->master ? 0x4d0 : 0x4d1;
    pic->elcr_mask = pic->master ? 0xf8 : 0xde;
    mem_region_init_io(&pic->ports, &dev->obj, "kvm-pic", 2, &chip_ops, pic);
    mem_region_add(&dev->vm->system_io, pic->iobase, &pic->ports);
    mem_region_init_io(&pic->elcr, &dev->obj, "kvm-elcr", 1, &chip_ops, pic);
    mem_region_add(&dev->vm->system_io, pic->elcr_addr, &pic->elcr);
    return true;
}

static void pic_unrealize(Device *dev)
{
    KvmPic *pic = DEVICE_CAST(dev, KvmPic);

    if (pic->ports.name) {
        mem_region_finish(&pic->elcr);
        mem_region_finish(&pic->ports);
    }
}

static void pic_reset(Device *dev)
{
    chip_set(&DEVICE_CAST(dev, KvmPic)->pristine, NULL);
}

const DeviceType kvm_i8259_type = {
    .name = "kvm-i8259", .help = "the kernel's 8259 interrupt controller", .bus = &isa_bus_type,
    .size = sizeof(KvmPic), .props = pic_props, .state = &pic_state, .board_only = true,
    .realize = pic_realize, .unrealize = pic_unrealize, .reset = pic_reset, .view = pic_view,
};

/* ---- IOAPIC ---- */

typedef struct KvmIoapic {
    Device dev;
    /* configuration */
    uint32_t gsi_base;
    /* wiring */
    MemRegion mmio;
    struct kvm_irqchip pristine;
    /* guest-visible state: the kernel's, copied here while it is saved */
    struct kvm_irqchip chip;
    uint8_t id, select;
    uint32_t irr;
    uint64_t redir[IOAPIC_PINS];
} KvmIoapic;

static void ioapic_fetch(KvmIoapic *ioapic)
{
    const struct kvm_ioapic_state *s = &ioapic->chip.chip.ioapic;

    if (chip_get(&ioapic->chip, KVM_IRQCHIP_IOAPIC, NULL)) {
        ioapic->id = (uint8_t)s->id;
        ioapic->select = (uint8_t)s->ioregsel;
        ioapic->irr = s->irr;
        for (unsigned i = 0; i < IOAPIC_PINS; i++) {
            ioapic->redir[i] = s->redirtbl[i].bits;
        }
    }
}

static void print_pin(unsigned pin, uint64_t entry, GString *out)
{
    static const char *const modes[8] = {
        "fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT",
    };

    g_string_append_printf(out, "  pin %-2u 0x%016" G_GINT64_MODIFIER "x dest=%x vec=%-3u "
                           "%s %-5s %-6s %-6s %s\n", pin, entry,
                           (unsigned)(entry >> REDIR_DEST_SHIFT),
                           (unsigned)(entry & REDIR_VECTOR),
                           entry & REDIR_ACTIVE_LOW ? "active-lo" : "active-hi",
                           entry & REDIR_LEVEL ? "level" : "edge",
                           entry & REDIR_MASKED ? "masked" : "",
                           modes[entry >> REDIR_MODE_SHIFT & 7],
                           entry & REDIR_LOGICAL ? "logical" : "physical");
}

static void print_pins(const char *title, uint32_t pins, GString *out)
{
    g_string_append_printf(out, "  %-8s ", title);
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        if (pins >> i & 1) {
            g_string_append_printf(out, "%u ", i);
        }
    }
    g_string_append(out, pins ? "\n" : "(none)\n");
}

static void ioapic_view(Device *dev, DeviceView view, GString *out)
{
    KvmIoapic *ioapic = DEVICE_CAST(dev, KvmIoapic);
    uint32_t remote_irr = 0;

    if (view == VIEW_IRQ) {
        g_string_append(out, "IRQ statistics for kvm-ioapic:\n");
    }
    if (view != VIEW_PIC) {
        return;
    }
    ioapic_fetch(ioapic);
    g_string_append_printf(out, "ioapic0: ver=0x%x id=0x%02x sel=0x%02x", IOAPIC_VERSION,
                           ioapic->id, ioapic->select);
    if (ioapic->select >= 0x10) {
        g_string_append_printf(out, " (redir[%u])", (ioapic->select - 0x10) / 2);
    }
    g_string_append_c(out, '\n');
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        print_pin(i, ioapic->redir[i], out);
        remote_irr |= ioapic->redir[i] & REDIR_REMOTE_IRR ? 1u << i : 0;
    }
    print_pins("IRR", ioapic->irr, out);
    print_pins("Remote IRR", remote_irr, out);
}

static void ioapic_saving(void *opaque)
{
    ioapic_fetch(opaque);
}

static bool ioapic_loaded(void *opaque, GError **error)
{
    KvmIoapic *ioapic = opaque;
    struct kvm_ioapic_state *s = &ioapic->chip.chip.ioapic;

    memset(&ioapic->chip, 0, sizeof(ioapic->chip));
    ioapic->chip.chip_id = KVM_IRQCHIP_IOAPIC;
    s->base_address = IOAPIC_BASE;
    s->id = ioapic->id;
    s->ioregsel = ioapic->select;
    s->irr = ioapic->irr;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        s->redirtbl[i].bits = ioapic->redir[i];
    }
    return chip_set(&ioapic->chip, error);
}

static const StateField ioapic_fields[] = {
    STATE_UINT8(KvmIoapic, id),
    STATE_UINT8(KvmIoapic, select),
    STATE_UINT32(KvmIoapic, irr),
    STATE_UINT64_ARRAY(KvmIoapic, redir),
    {}
};

static const StateDesc ioapic_state = {
    .name = "ioapic", .version = 1, .fields = ioapic_fields, .saving = ioapic_saving,
    .loaded = ioapic_loaded,
};

static const Property ioapic_props[] = {
    PROP_UINT32(KvmIoapic, gsi_base, .name = "gsi_base", .def = 0,
                .help = "first global interrupt"),
    {}
};

static bool ioapic_realize(Device *dev, GError **error)
{
    KvmIoapic *ioapic = DEVICE_CAST(dev, KvmIoapic);

    if (!engine_has_chips(dev, error) || !chip_get(&ioapic->pristine, KVM_IRQCHIP_IOAPIC, error)) {
        return false;
    }
    dev->gpio_in = IOAPIC_PINS;
    mem_region_init_io(&ioapic->mmio, &dev->obj, "kvm-ioapic", IOAPIC_SIZE, &chip_ops, ioapic);
    mem_region_add(&dev->vm->system_memory, IOAPIC_BASE, &ioapic->mmio);
    device_add_mmio(dev, &ioapic->mmio);
    return true;
}

static void ioapic_unrealize(Device *dev)
{
    KvmIoapic *ioapic = DEVICE_CAST(dev, KvmIoapic);

    if (ioapic->mmio.name) {
        mem_region_finish(&ioapic->mmio);
    }
}

static void ioapic_reset(Device *dev)
{
    chip_set(&DEVICE_CAST(dev, KvmIoapic)->pristine, NULL);
}

const DeviceType kvm_ioapic_type = {
    .name = "kvm-ioapic", .help = "the kernel's I/O APIC", .bus = &system_bus_type,
    .size = sizeof(KvmIoapic), .props = ioapic_props, .state = &ioapic_state, .board_only = true,
    .realize = ioapic_realize, .unrealize = ioapic_unrealize, .reset = ioapic_reset,
    .view = ioapic_view,
};

/* ---- 8254 ---- */

typedef struct KvmPit {
    Device dev;
    /* configuration */
    uint32_t iobase;
    int lost_tick_policy;
    /* wiring */
    MemRegion ports;
    struct kvm_pit_state2 pristine;
    /* guest-visible state: the kernel's, copied here while it is saved */
    struct kvm_pit_state2 pit;
} KvmPit;

static bool pit_get(struct kvm_pit_state2 *pit, GError **error)
{
    if (ioctl(kvm.vm_fd, KVM_GET_PIT2, pit) < 0) {
        set_errno_error(error, errno, "kvm does not show its interval timer");
        return false;
    }
    return true;
}

static bool pit_set(const struct kvm_pit_state2 *pit, GError **error)
{
    struct kvm_pit_state2 copy = *pit;

    if (ioctl(kvm.vm_fd, KVM_SET_PIT2, &copy) < 0) {
        set_errno_error(error, errno, "kvm does not take the state of its interval timer");
        return false;
    }
    return true;
}

void kvm_pit_set_muted(Device *dev, bool muted)
{
    struct kvm_pit_state2 pit;

    if (pit_get(&pit, NULL)) {
        pit.flags = (pit.flags & ~KVM_PIT_FLAGS_HPET_LEGACY) |
                    (muted ? KVM_PIT_FLAGS_HPET_LEGACY : 0);
        pit_set(&pit, NULL);
    }
}

static void pit_saving(void *opaque)
{
    pit_get(&((KvmPit *)opaque)->pit, NULL);
}

static bool pit_loaded(void *opaque, GError **error)
{
    KvmPit *pit = opaque;

    pit->pit.flags &= KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON;
    return pit_set(&pit->pit, error);
}

typedef struct kvm_pit_channel_state PitChannel;

static const StateField channel_fields[] = {
    STATE_UINT32(PitChannel, count),
    STATE_UINT16(PitChannel, latched_count),
    STATE_UINT8(PitChannel, count_latched),
    STATE_UINT8(PitChannel, status_latched),
    STATE_UINT8(PitChannel, status),
    STATE_UINT8(PitChannel, read_state),
    STATE_UINT8(PitChannel, write_state),
    STATE_UINT8(PitChannel, write_latch),
    STATE_UINT8(PitChannel, rw_mode),
    STATE_UINT8(PitChannel, mode),
    STATE_UINT8(PitChannel, bcd),
    STATE_UINT8(PitChannel, gate),
    { .name = "count_load_time", .kind = STATE_KIND_I64,
      .offset = offsetof(PitChannel, count_load_time), .size = 8, .count = 1 },
    {}
};

static const StateDesc channel_state = {
    .name = "pit channel", .version = 1, .fields = channel_fields,
};

static const StateField pit_fields[] = {
    { .name = "channels", .kind = STATE_KIND_STRUCT, .offset = offsetof(KvmPit, pit.channels),
      .size = sizeof(PitChannel), .count = 3, .desc = &channel_state },
    { .name = "flags", .kind = STATE_KIND_U32, .offset = offsetof(KvmPit, pit.flags), .size = 4,
      .count = 1 },
    {}
};

static const StateDesc pit_state = {
    .name = "i8254", .version = 1, .fields = pit_fields, .saving = pit_saving, .loaded = pit_loaded,
};

static const char *const lost_tick_policies[] = { "discard", "delay", NULL };

static const Property pit_props[] = {
    PROP_UINT32(KvmPit, iobase, .name = "iobase", .def = 0x40, .help = "first port",
                .read_only = true),
    PROP_ENUM(KvmPit, lost_tick_policy, .name = "lost_tick_policy", .names = lost_tick_policies,
              .help = "ticks a busy guest missed: discard them or deliver them late"),
    {}
};

static bool pit_realize(Device *dev, GError **error)
{
    KvmPit *pit = DEVICE_CAST(dev, KvmPit);
    struct kvm_reinject_control reinject = { .pit_reinject = pit->lost_tick_policy == 1 };

    if (!engine_has_chips(dev, error) || !pit_get(&pit->pristine, error)) {
        return false;
    }
    if (ioctl(kvm.vm_fd, KVM_REINJECT_CONTROL, &reinject) < 0 && reinject.pit_reinject) {
        set_errno_error(error, errno, "kvm does not deliver lost ticks late");
        return false;
    }
    dev->gpio_in = 1;
    mem_region_init_io(&pit->ports, &dev->obj, "kvm-pit", 4, &chip_ops, pit);
    mem_region_add(&dev->vm->system_io, pit->iobase, &pit->ports);
    return true;
}

static void pit_unrealize(Device *dev)
{
    KvmPit *pit = DEVICE_CAST(dev, KvmPit);

    if (pit->ports.name) {
        mem_region_finish(&pit->ports);
    }
}

static void pit_reset(Device *dev)
{
    pit_set(&DEVICE_CAST(dev, KvmPit)->pristine, NULL);
}

const DeviceType kvm_pit_type = {
    .name = "kvm-pit", .help = "the kernel's interval timer", .bus = &isa_bus_type,
    .size = sizeof(KvmPit), .props = pit_props, .state = &pit_state, .board_only = true,
    .realize = pit_realize, .unrealize = pit_unrealize, .reset = pit_reset,
};
