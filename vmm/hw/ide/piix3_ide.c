/*
 * Intel PIIX3 function 1 (290550): two IDE channels in compatibility mode, with bus masters.
 *
 * Modelled: the ports 1f0/3f6 and 170/376 with ISA interrupts 14 and 15, bus master registers at
 * BAR 4.
 * Not modelled: PIO and DMA timings, and so the decode enable bits of IDETIM: the ports always
 * answer; native mode, which the chip does not have.
 */
#include <string.h>

#include "ide_core.h"
#include "rhea_error.h"

enum { PIIX3_IDETIM = 0x40 };           /* 2.2.9: one word for each channel */
#define IDETIM_DECODE 0x8000

#define BMIBA_SIZE 16

static const struct { uint16_t command, control; unsigned irq; } piix3_channels[2] = {
    { 0x1f0, 0x3f6, 14 },
    { 0x170, 0x376, 15 },
};

typedef struct Piix3Ide {
    PciDevice pci;
    /* wiring */
    MemRegion bar, command[2], control[2];
    IdeChannel *channels[2];
    /* guest-visible state, beside configuration space */
    IdeBusMaster bm[2];
    /* the saved form of what the channels hold */
    struct { uint8_t control, unit; bool irq_pending; } saved[2];
} Piix3Ide;

/* ---- state ---- */

static void piix3_ide_saving(void *opaque)
{
    Piix3Ide *ide = opaque;

    for (unsigned n = 0; n < 2; n++) {
        ide->saved[n].control = ide->channels[n]->control;
        ide->saved[n].unit = ide->channels[n]->unit;
        ide->saved[n].irq_pending = ide->channels[n]->irq_pending;
    }
}

static bool piix3_ide_loaded(void *opaque, GError **error)
{
    Piix3Ide *ide = opaque;

    for (unsigned n = 0; n < 2; n++) {
        ide->channels[n]->control = ide->saved[n].control;
        ide->channels[n]->unit = ide->saved[n].unit;
        ide->channels[n]->irq_pending = ide->saved[n].irq_pending;
        ide_update_irq(ide->channels[n]);
    }
    return true;
}

static const StateField piix3_ide_fields[] = {
    STATE_STRUCT(Piix3Ide, pci, PciDevice, pci_device_state),
    STATE_STRUCT_ARRAY(Piix3Ide, bm, IdeBusMaster, ide_bm_state),
    STATE_UINT8(Piix3Ide, saved[0].control),
    STATE_UINT8(Piix3Ide, saved[0].unit, .range = { 0, 1 }),
    STATE_BOOL(Piix3Ide, saved[0].irq_pending),
    STATE_UINT8(Piix3Ide, saved[1].control),
    STATE_UINT8(Piix3Ide, saved[1].unit, .range = { 0, 1 }),
    STATE_BOOL(Piix3Ide, saved[1].irq_pending),
    {}
};
static const StateDesc piix3_ide_state = {
    .name = "ide", .version = 3, .fields = piix3_ide_fields, .saving = piix3_ide_saving,
    .loaded = piix3_ide_loaded,
};

/* ---- life ---- */

static bool piix3_ide_realize(Device *dev, GError **error)
{
    Piix3Ide *ide = DEVICE_CAST(dev, Piix3Ide);

    if (bus_find(dev->vm, "ide.0", &ide_bus_type)) {
        set_error(error, "ports 1f0 and 170 belong to another IDE controller of this machine");
        return false;
    }
    pci_set_long(ide->pci.wmask + PIIX3_IDETIM, UINT32_MAX);
    mem_region_init(&ide->bar, &dev->obj, "piix-bmdma-container", BMIBA_SIZE);
    for (unsigned n = 0; n < 2; n++) {
        g_autofree char *name = g_strdup_printf("ide.%u", n);

        ide->channels[n] = ide_channel_new(dev, name, n, vm_isa_irq(dev->vm,
                                                                    piix3_channels[n].irq));
        ide_channel_init_io(ide->channels[n], object_container("/machine/unattached"),
                            &ide->command[n], &ide->control[n]);
        mem_region_add(&dev->vm->system_io, piix3_channels[n].command, &ide->command[n]);
        mem_region_add(&dev->vm->system_io, piix3_channels[n].control, &ide->control[n]);
        ide_bm_init(&ide->bm[n], &ide->pci, ide->channels[n]);
        mem_region_add(&ide->bar, 8 * n, &ide->bm[n].regs_io);
        mem_region_add(&ide->bar, 8 * n + 4, &ide->bm[n].addr_io);
    }
    pci_register_bar(&ide->pci, 4, PCI_BAR_IO, &ide->bar);
    return true;
}

static void piix3_ide_unrealize(Device *dev)
{
    Piix3Ide *ide = DEVICE_CAST(dev, Piix3Ide);

    if (!ide->channels[0]) {
        return;
    }
    for (unsigned n = 0; n < 2; n++) {
        ide_bm_finish(&ide->bm[n]);
        mem_region_finish(&ide->command[n]);
        mem_region_finish(&ide->control[n]);
    }
    mem_region_finish(&ide->bar);
}

static void piix3_ide_reset(Device *dev)
{
    Piix3Ide *ide = DEVICE_CAST(dev, Piix3Ide);

    for (unsigned n = 0; n < 2; n++) {
        ide_channel_reset(ide->channels[n]);
        ide_bm_reset(&ide->bm[n]);
    }
    pci_reset(&ide->pci);
    pci_set_word(ide->pci.config + PCI_STATUS, PCI_STATUS_DEVSEL_MEDIUM | 0x80);
    pci_set_long(ide->pci.config + PIIX3_IDETIM, 0);
}

void piix3_ide_firmware_init(Device *dev)
{
    Piix3Ide *ide = DEVICE_CAST(dev, Piix3Ide);

    for (unsigned n = 0; n < 2; n++) {
        pci_set_word(ide->pci.config + PIIX3_IDETIM + 2 * n, IDETIM_DECODE);
    }
}

bool piix3_ide_geometry(Device *dev, unsigned n, IdeDiskGeometry *geometry)
{
    const IdeDrive *drive = DEVICE_CAST(dev, Piix3Ide)->channels[n / 2]->drives[n & 1];

    if (!drive || drive->cd) {
        return false;
    }
    *geometry = (IdeDiskGeometry){
        drive->conf.cyls, drive->conf.heads, drive->conf.secs,
        drive->chs_translation - 1,                 /* its first name is "auto" */
    };
    return true;
}

static const PciClass piix3_ide_class = {
    .vendor_id = 0x8086, .device_id = 0x7010, .class_id = 0x0101, .prog_if = 0x80,
};

const DeviceType piix3_ide_type = {
    .name = "piix3-ide", .category = "storage", .bus = &pci_bus_type, .size = sizeof(Piix3Ide),
    .no_hotplug = true, .state = &piix3_ide_state, .bus_class = &piix3_ide_class,
    .realize = piix3_ide_realize,
    .unrealize = piix3_ide_unrealize, .reset = piix3_ide_reset,
};
