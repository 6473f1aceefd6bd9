/*
 * Interrupt controllers in the kernel (api.rst 4.24 to 4.26, 4.52, 4.70, 4.75).
 *
 * on:    PIC, IOAPIC, LAPICs and PIT are the kernel's; lines go in by KVM_IRQ_LINE.
 * split: LAPICs only; our IOAPIC and devices send messages, and it tells the kernel what each pin
 *        would send, so that ends of level interrupts come back as exits.
 * off:   nothing; kvm_vcpu.c injects what our LAPICs or the PIC decide.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>

#include "rhea_error.h"

#define IOAPIC_PINS 24u

/* PIC pins 0–15 and IOAPIC pins 0–23. */
#define MAX_ROUTES (16u + IOAPIC_PINS)

static struct {
    struct kvm_irq_routing table;       /* its rows are the member below */
    struct kvm_irq_routing_entry rows[MAX_ROUTES];
} routes;

static struct kvm_irq_routing_entry *add_route(uint32_t gsi, uint32_t type)
{
    struct kvm_irq_routing_entry *row = &routes.rows[routes.table.nr++];

    *row = (struct kvm_irq_routing_entry){ .gsi = gsi, .type = type };
    return row;
}

static void add_chip_route(uint32_t gsi, uint32_t chip, uint32_t pin)
{
    struct kvm_irq_routing_entry *row = add_route(gsi, KVM_IRQ_ROUTING_IRQCHIP);

    row->u.irqchip.irqchip = chip;
    row->u.irqchip.pin = pin;
}

static bool send_routes(GError **error)
{
    if (ioctl(kvm.vm_fd, KVM_SET_GSI_ROUTING, &routes) < 0) {
        set_errno_error(error, errno, "kvm does not take the interrupt routes");
        return false;
    }
    return true;
}

/* As a PC is wired: ISA interrupts reach both the PICs and the IOAPIC, the timer its pin 2. */
static void make_pc_routes(void)
{
    for (uint32_t irq = 0; irq < 16; irq++) {
        if (irq != 2) {
            add_chip_route(irq, irq < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, irq % 8);
        }
    }
    for (uint32_t gsi = 0; gsi < IOAPIC_PINS; gsi++) {
        if (gsi != 2) {
            add_chip_route(gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
        }
    }
}

static bool init_kernel(Vm *vm, GError **error)
{
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

    if (ioctl(kvm.vm_fd, KVM_CREATE_IRQCHIP) < 0) {
        set_errno_error(error, errno, "kvm makes no interrupt controllers");
        return false;
    }
    if (vm->config.pit && ioctl(kvm.vm_fd, KVM_CREATE_PIT2, &pit) < 0) {
        set_errno_error(error, errno, "kvm makes no interval timer");
        return false;
    }
    make_pc_routes();
    return send_routes(error);
}

static bool init_split(GError **error)
{
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };

    if (ioctl(kvm.vm_fd, KVM_ENABLE_CAP, &split) < 0) {
        set_errno_error(error, errno, "kvm does not split its interrupt controllers");
        return false;
    }
    return true;
}

bool kvm_irq_init(Vm *vm, GError **error)
{
    const char *kind = vm->config.kernel_irqchip ? vm->config.kernel_irqchip : "on";

    memset(&routes, 0, sizeof(routes));
    if (strcmp(kind, "off") == 0) {
        kvm.irqchip = IRQCHIP_USER;
        return true;
    }
    if (strcmp(kind, "split") == 0) {
        kvm.irqchip = IRQCHIP_SPLIT;
        if (!init_split(error)) {
            return false;
        }
    } else {
        kvm.irqchip = IRQCHIP_KERNEL;
        if (!init_kernel(vm, error)) {
            return false;
        }
    }
    if (kvm.has_signal_msi) {
        vm->msi_send = kvm_msi_send;
        vm->msi_any_thread = true;
    }
    return true;
}

void kvm_gsi_set(void *vm, int gsi, int level)
{
    struct kvm_irq_level line = { .irq = (uint32_t)gsi, .level = level != 0 };

    if (kvm.irqchip == IRQCHIP_KERNEL) {
        ioctl(kvm.vm_fd, KVM_IRQ_LINE, &line);
    }
}

void kvm_msi_send(Vm *vm, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address, .address_hi = address >> 32, .data = data,
    };

    /* Fails for messages to nobody, which go nowhere on hardware too. */
    ioctl(kvm.vm_fd, KVM_SIGNAL_MSI, &msi);
}

/* Resampling needs the kernel to see the end of interrupt: its own PIC and IOAPIC. */
static bool check_irqfd(int gsi, int eventfd, bool resample, GError **error)
{
    if (kvm.irqchip == IRQCHIP_USER || !kvm.has_irqfd) {
        set_error(error, "an eventfd raises an interrupt only with interrupt controllers of kvm's");
    } else if (resample && (kvm.irqchip != IRQCHIP_KERNEL || !kvm.has_irqfd_resample)) {
        set_error(error, "kvm tells of acknowledged interrupts only with kernel-irqchip=on");
    } else if (gsi < 0 || (unsigned)gsi >= IOAPIC_PINS) {
        set_error(error, "there is no interrupt line %d for an eventfd", gsi);
    } else if (eventfd < 0) {
        set_error(error, "%d is no eventfd", eventfd);
    } else {
        return true;
    }
    return false;
}

bool kvm_irqfd(Vm *vm, int gsi, int eventfd, int resample_fd, bool assign, GError **error)
{
    bool resample = assign && resample_fd >= 0;
    struct kvm_irqfd request = {
        .fd = (uint32_t)eventfd, .gsi = (uint32_t)gsi,
        .flags = (assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN) | (resample ? KVM_IRQFD_FLAG_RESAMPLE : 0),
        .resamplefd = resample ? (uint32_t)resample_fd : 0,
    };

    if (!check_irqfd(gsi, eventfd, resample, error)) {
        return false;
    }
    if (ioctl(kvm.vm_fd, KVM_IRQFD, &request) < 0) {
        set_errno_error(error, errno, "kvm does not %s an eventfd for interrupt line %d",
                        assign ? "take" : "let go of", gsi);
        return false;
    }
    return true;
}

/* The kernel wants the whole table each time; unset pins are left out. */
void kvm_ioapic_route(Vm *vm, unsigned pin, uint64_t address, uint32_t data)
{
    static struct { uint64_t address; uint32_t data; } pins[IOAPIC_PINS];
    g_autoptr(GError) error = NULL;

    if (kvm.irqchip != IRQCHIP_SPLIT || pin >= IOAPIC_PINS ||
        (pins[pin].address == address && pins[pin].data == data)) {
        return;
    }
    pins[pin].address = address;
    pins[pin].data = data;
    routes.table.nr = 0;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        if (pins[i].data) {
            struct kvm_irq_routing_entry *row = add_route(i, KVM_IRQ_ROUTING_MSI);

            row->u.msi.address_lo = (uint32_t)pins[i].address;
            row->u.msi.address_hi = pins[i].address >> 32;
            row->u.msi.data = pins[i].data;
        }
    }
    if (!send_routes(&error)) {
        report_error(error);
    }
}
