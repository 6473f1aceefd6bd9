/*
 * Intel 82540EM: registers, interrupt, reset and the device.
 *
 * Not modelled: wake-up and management (their registers keep what is written), flow control, the
 * packet buffer as memory, the delays of single interrupts (RDTR, RADV, TIDV, TADV: an interrupt
 * comes at once, and ITR throttles all of them), the check of received checksums (descriptors say
 * so, and drivers check themselves), collisions and errors of the wire.
 */
#include "e1000.h"

#include <string.h>

#include "e1000_regs.h"
#include "vm_core.h"

#define IO_SIZE         0x40            /* 13.1.4 */
#define IO_ADDR         0x0
#define IO_DATA         0x4
#define ITR_UNIT_NS     256             /* 13.4.18 */
#define ITR_INTERVAL    0xffff

/* ---- statistics ---- */

void e1000_count(E1000 *nic, uint32_t offset, uint32_t n)
{
    uint32_t *reg = e1000_reg(nic, offset);

    *reg = *reg > UINT32_MAX - n ? UINT32_MAX : *reg + n;
}

void e1000_count64(E1000 *nic, uint32_t low, uint32_t n)
{
    uint64_t sum = *e1000_reg(nic, low) | (uint64_t)*e1000_reg(nic, low + 4) << 32;

    sum = sum > UINT64_MAX - n ? UINT64_MAX : sum + n;
    *e1000_reg(nic, low) = sum;
    *e1000_reg(nic, low + 4) = sum >> 32;
}

void e1000_count_size(E1000 *nic, uint32_t first, size_t len)
{
    static const uint16_t limits[] = { 64, 127, 255, 511, 1023 };
    unsigned n = 0;

    while (n < G_N_ELEMENTS(limits) && len > limits[n]) {
        n++;
    }
    e1000_count(nic, first + 4 * n, 1);
}

/* ---- interrupt ---- */

/*
 * 13.4.18: after an interrupt the next one waits until the interval of ITR is over.  The line falls
 * as soon as no cause is left.
 */
static void update_irq(E1000 *nic)
{
    bool pending = *e1000_reg(nic, ICR) & *e1000_reg(nic, IMS);
    uint32_t interval = nic->mitigation ? *e1000_reg(nic, ITR) & ITR_INTERVAL : 0;

    if (pending && !nic->irq_level) {
        if (vm_timer_is_set(&nic->throttle_timer)) {
            return;
        }
        if (interval) {
            vm_timer_set(&nic->throttle_timer,
                         vm_clock_ns(nic->pci.dev.vm) + (int64_t)interval * ITR_UNIT_NS);
        }
    }
    nic->irq_level = pending;
    pci_set_intx(&nic->pci, pending);
}

static void throttle_over(void *opaque)
{
    update_irq(opaque);
}

void e1000_interrupt(E1000 *nic, uint32_t causes)
{
    *e1000_reg(nic, ICR) |= causes;
    update_irq(nic);
}

static uint32_t icr_read(E1000 *nic, uint32_t offset)
{
    uint32_t causes = *e1000_reg(nic, ICR);

    *e1000_reg(nic, ICR) = 0;
    update_irq(nic);
    return causes;
}

static void icr_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, ICR) &= ~value;
    update_irq(nic);
}

static void ics_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    e1000_interrupt(nic, value & 0xffff);
}

static void ims_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, IMS) |= value;
    update_irq(nic);
}

static void imc_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, IMS) &= ~value;
    update_irq(nic);
}

/* ---- registers with a behaviour of their own ---- */

static void chip_reset(E1000 *nic);

static void ctrl_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    if (value & CTRL_RST) {
        chip_reset(nic);
    } else {
        *e1000_reg(nic, CTRL) = value;
    }
}

static void rctl_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, RCTL) = value;
    net_flush(nic->nic);
}

static void rdt_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, RDT) = value & 0xffff;
    net_flush(nic->nic);
}

static void tctl_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    *e1000_reg(nic, offset) = value;
    *e1000_reg(nic, TDT) &= 0xffff;
    e1000_transmit(nic);
}

/* 13.7: reading clears; of a pair, reading the high half clears both. */
static uint32_t counter_read(E1000 *nic, uint32_t offset)
{
    uint32_t value = *e1000_reg(nic, offset);

    *e1000_reg(nic, offset) = 0;
    return value;
}

static uint32_t counter_high_read(E1000 *nic, uint32_t offset)
{
    *e1000_reg(nic, offset - 4) = 0;
    return counter_read(nic, offset);
}

typedef struct RegRow {
    uint32_t offset;
    uint16_t count;                     /* registers in a row, four bytes each */
    uint32_t mask;                      /* bits a plain write keeps */
    uint32_t (*read)(E1000 *nic, uint32_t offset);                  /* NULL: what is kept */
    void (*write)(E1000 *nic, uint32_t offset, uint32_t value);     /* NULL: by mask */
} RegRow;

/* By offset. Anything else reads 0 and takes no write. */
static const RegRow reg_rows[] = {
    { CTRL,     1, 0, NULL, ctrl_write },
    { STATUS,   1, 0 },
    { EECD,     1, 0, e1000_eecd_read, e1000_eecd_write },
    { EERD,     1, 0xffffffff, e1000_eerd_read },
    { CTRL_EXT, 1, 0xffffffff },
    { MDIC,     1, 0, NULL, e1000_mdic_write },
    { FCAL,     3, 0xffffffff },
    { VET,      1, 0xffffffff },
    { ICR,      1, 0, icr_read, icr_write },
    { ITR,      1, 0xffff },
    { ICS,      1, 0, NULL, ics_write },
    { IMS,      1, 0, NULL, ims_write },
    { IMC,      1, 0, NULL, imc_write },
    { RCTL,     1, 0, NULL, rctl_write },
    { FCTTV,    1, 0xffff },
    { TXCW,     1, 0xffffffff },
    { TCTL,     1, 0, NULL, tctl_write },
    { TIPG,     1, 0xffffffff },
    { AIT,      1, 0xffff },
    { LEDCTL,   1, 0xffffffff },
    { PBA,      1, 0xffffffff },
    { FCRTL,    1, 0xffffffff },
    { FCRTH,    1, 0xffffffff },
    { RDFH,     9, 0x1fff },                            /* RDFH, RDFT, RDFHS, RDFTS, RDFPC */
    { RDBAL,    1, 0xffffffff },
    { RDBAH,    1, 0xffffffff },
    { RDLEN,    1, 0xfff80 },
    { RDH,      1, 0xffff },
    { RDT,      1, 0, NULL, rdt_write },
    { RDTR,     1, 0xffff },
    { RXDCTL,   1, 0xffffffff },
    { RADV,     1, 0xffff },
    { RSRPD,    1, 0xfff },
    { TXDMAC,   1, 1 },
    { TDFH,     9, 0x1fff },                            /* TDFH, TDFT, TDFHS, TDFTS, TDFPC */
    { TDBAL,    1, 0xffffffff },
    { TDBAH,    1, 0xffffffff },
    { TDLEN,    1, 0xfff80 },
    { TDH,      1, 0xffff },
    { TDT,      1, 0, NULL, tctl_write },
    { TIDV,     1, 0xffff },
    { TXDCTL,   1, 0xffffffff },
    { TADV,     1, 0xffff },
    { TSPMT,    1, 0xffffffff },
    { STATS,    0x22, 0, counter_read },                /* to GPTC and the hole behind it */
    { GORCL,    1, 0 },
    { GORCH,    1, 0, counter_high_read },
    { GOTCL,    1, 0 },
    { GOTCH,    1, 0, counter_high_read },
    { RNBC,     8, 0, counter_read },                   /* to MGTPTC */
    { TORL,     1, 0 },
    { TORH,     1, 0, counter_high_read },
    { TOTL,     1, 0 },
    { TOTH,     1, 0, counter_high_read },
    { TPR,      12, 0, counter_read },                  /* to TSCTFC */
    { RXCSUM,   1, 0xffffffff },
    { MTA,      128, 0xffffffff },
    { RA,       32, 0xffffffff },
    { VFTA,     128, 0xffffffff },
    { WUC,      1, 0xffffffff },
    { WUFC,     1, 0xffffffff },
    { WUS,      1, 0xffffffff },
    { MANC,     1, 0xffffffff },
    { IPAV,     1, 0xffffffff },
    { IP4AT,    7, 0xffffffff },
    { IP6AT,    4, 0xffffffff },
    { WUPM,     32, 0xffffffff },
    { SWSM,     1, 0xffffffff },
    { FFLT,     7, 0x7ff },
    { FFMT,     255, 0xf },
    { FFVT,     255, 0xffffffff },
    { PBM,      0x4000, 0xffffffff },
};

static int row_order(const void *key, const void *row)
{
    uint32_t offset = *(const uint32_t *)key;
    const RegRow *reg = row;

    if (offset < reg->offset) {
        return -1;
    }
    return offset >= reg->offset + 4u * reg->count;
}

static const RegRow *reg_find(uint32_t offset)
{
    return bsearch(&offset, reg_rows, G_N_ELEMENTS(reg_rows), sizeof(RegRow), row_order);
}

/* ---- access ---- */

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    E1000 *nic = opaque;
    uint32_t at = offset & ~3u;
    const RegRow *row = reg_find(at);

    if (!row) {
        return 0;
    }
    return row->read ? row->read(nic, at) : *e1000_reg(nic, at);
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000 *nic = opaque;
    uint32_t at = offset & ~3u;
    const RegRow *row = reg_find(at);

    if (row && row->write) {
        row->write(nic, at, value);
    } else if (row && row->mask) {
        *e1000_reg(nic, at) = value & row->mask;
    }
}

static const MemOps mmio_ops = { mmio_read, mmio_write, .min_size = 4, .max_size = 4 };

/* The window of two ports: which register, and that register (13.1.4). */
static uint64_t io_read(void *opaque, uint64_t offset, unsigned size)
{
    E1000 *nic = opaque;

    switch (offset & ~3u) {
    case IO_ADDR:
        return nic->io_addr;
    case IO_DATA:
        return nic->io_addr < E1000_MMIO_SIZE ? mmio_read(nic, nic->io_addr, 4) : 0;
    }
    return 0;
}

static void io_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000 *nic = opaque;

    switch (offset & ~3u) {
    case IO_ADDR:
        nic->io_addr = value;
        break;
    case IO_DATA:
        if (nic->io_addr < E1000_MMIO_SIZE) {
            mmio_write(nic, nic->io_addr, value, 4);
        }
        break;
    }
}

static const MemOps io_ops = { io_read, io_write, .min_size = 4, .max_size = 4 };

/* ---- state ---- */

static bool regs_are_saved(const void *opaque)
{
    return ((const E1000 *)opaque)->extra_mac_registers;
}

static bool mitigation_is_on(const void *opaque)
{
    return ((const E1000 *)opaque)->mitigation;
}

static bool tso_is_saved(const void *opaque)
{
    return ((const E1000 *)opaque)->migrate_tso_props;
}

static bool io_addr_is_set(const void *opaque)
{
    return ((const E1000 *)opaque)->io_addr != 0;
}

static const StateField tx_tso_fields[] = {
    STATE_UINT8(E1000, tx.tso.ipcss), STATE_UINT8(E1000, tx.tso.ipcso),
    STATE_UINT16(E1000, tx.tso.ipcse), STATE_UINT8(E1000, tx.tso.tucss),
    STATE_UINT8(E1000, tx.tso.tucso), STATE_UINT16(E1000, tx.tso.tucse),
    STATE_UINT32(E1000, tx.tso.paylen), STATE_UINT8(E1000, tx.tso.hdr_len),
    STATE_UINT16(E1000, tx.tso.mss), STATE_INT8(E1000, tx.tso.ip), STATE_INT8(E1000, tx.tso.tcp),
    {}
};
static const StateDesc tx_tso_state = {
    .name = "e1000/tx_tso_state", .version = 1, .fields = tx_tso_fields, .needed = tso_is_saved,
};

#define STATE_MAC(offset_) \
    { .name = #offset_, .kind = STATE_KIND_U32, .count = 1, .size = sizeof(uint32_t), \
      .offset = offsetof(E1000, mac) + (offset_) }
#define STATE_MAC_RANGE(offset_, n_) \
    { .name = #offset_, .kind = STATE_KIND_U32, .count = (n_), .size = sizeof(uint32_t), \
      .offset = offsetof(E1000, mac) + (offset_) }

static const StateField mit_fields[] = {
    STATE_MAC(RDTR), STATE_MAC(RADV), STATE_MAC(TADV), STATE_MAC(ITR),
    STATE_BOOL(E1000, irq_level),
    {}
};
static const StateDesc mit_state = {
    .name = "e1000/mit_state", .version = 1, .fields = mit_fields, .needed = mitigation_is_on,
};

static const StateField full_mac_fields[] = { STATE_MAC_RANGE(CTRL, E1000_REGS), {} };
static const StateDesc full_mac_state = {
    .name = "e1000/full_mac_state", .version = 1, .fields = full_mac_fields,
    .needed = regs_are_saved,
};

static const StateField io_addr_fields[] = { STATE_UINT32(E1000, io_addr), {} };
static const StateDesc io_addr_state = {
    .name = "e1000/io_addr", .version = 1, .fields = io_addr_fields, .needed = io_addr_is_set,
};

static void e1000_saving(void *opaque)
{
    E1000 *nic = opaque;

    nic->rxbuf_size = e1000_rx_buffer_size(nic);
    nic->rxbuf_min_shift = (*e1000_reg(nic, RCTL) >> 8 & 3) + 1;
}

/* Which packet was under way is not saved: its next descriptor tells again. */
static bool e1000_loaded(void *opaque, GError **error)
{
    E1000 *nic = opaque;

    nic->tx.is_tso = nic->tx.options_known = false;
    nic->irq_level = *e1000_reg(nic, ICR) & *e1000_reg(nic, IMS);
    vm_timer_set(&nic->throttle_timer, VM_TIMER_OFF);
    update_irq(nic);
    vm_timer_set(&nic->autoneg_timer, VM_TIMER_OFF);
    if (e1000_autoneg_pending(nic)) {
        e1000_link_changed(nic, true);
    }
    vm_timer_set(&nic->tx_timer, vm_clock_ns(nic->pci.dev.vm));
    return true;
}

static const StateField e1000_fields[] = {
    STATE_STRUCT(E1000, pci, PciDevice, pci_device_state),
    STATE_UNUSED(4),
    STATE_UINT32(E1000, rxbuf_size), STATE_UINT32(E1000, rxbuf_min_shift),
    STATE_UINT32(E1000, eecd.val_in), STATE_UINT16(E1000, eecd.bitnum_in),
    STATE_UINT16(E1000, eecd.bitnum_out), STATE_UINT16(E1000, eecd.reading),
    STATE_UINT32(E1000, eecd.old_eecd),
    STATE_UINT8(E1000, tx.checksum.ipcss), STATE_UINT8(E1000, tx.checksum.ipcso),
    STATE_UINT16(E1000, tx.checksum.ipcse), STATE_UINT8(E1000, tx.checksum.tucss),
    STATE_UINT8(E1000, tx.checksum.tucso), STATE_UINT16(E1000, tx.checksum.tucse),
    STATE_UINT32(E1000, tx.checksum.paylen), STATE_UINT8(E1000, tx.checksum.hdr_len),
    STATE_UINT16(E1000, tx.checksum.mss),
    STATE_UINT16(E1000, tx.size), STATE_UINT16(E1000, tx.tso_frames),
    STATE_UINT8(E1000, tx.sum_needed), STATE_INT8(E1000, tx.checksum.ip),
    STATE_INT8(E1000, tx.checksum.tcp),
    STATE_BYTES(E1000, tx.header), STATE_BYTES(E1000, tx.data),
    STATE_UINT16_ARRAY(E1000, eeprom), STATE_UINT16_ARRAY(E1000, phy),
    STATE_MAC(CTRL), STATE_MAC(EECD), STATE_MAC(EERD), STATE_MAC(GPRC), STATE_MAC(GPTC),
    STATE_MAC(ICR), STATE_MAC(ICS), STATE_MAC(IMC), STATE_MAC(IMS), STATE_MAC(LEDCTL),
    STATE_MAC(MANC), STATE_MAC(MDIC), STATE_MAC(MPC), STATE_MAC(PBA), STATE_MAC(RCTL),
    STATE_MAC(RDBAH), STATE_MAC(RDBAL), STATE_MAC(RDH), STATE_MAC(RDLEN), STATE_MAC(RDT),
    STATE_MAC(STATUS), STATE_MAC(SWSM), STATE_MAC(TCTL), STATE_MAC(TDBAH), STATE_MAC(TDBAL),
    STATE_MAC(TDH), STATE_MAC(TDLEN), STATE_MAC(TDT), STATE_MAC(TORH), STATE_MAC(TORL),
    STATE_MAC(TOTH), STATE_MAC(TOTL), STATE_MAC(TPR), STATE_MAC(TPT), STATE_MAC(TXDCTL),
    STATE_MAC(WUFC), STATE_MAC(VET),
    STATE_MAC_RANGE(RA, 32), STATE_MAC_RANGE(MTA, 128), STATE_MAC_RANGE(VFTA, 128),
    {}
};
static const StateDesc *const e1000_subsections[] = {
    &mit_state, &full_mac_state, &tx_tso_state, &io_addr_state, NULL
};
static const StateDesc e1000_state = {
    .name = "e1000", .version = 2, .fields = e1000_fields, .subsections = e1000_subsections,
    .saving = e1000_saving, .loaded = e1000_loaded,
};

/* ---- properties ---- */

static const Property e1000_props[] = {
    NIC_PROPS(E1000, conf),
    PROP_BOOTINDEX(E1000, conf.bootindex),
    PROP_BOOL(E1000, autonegotiation, .name = "autonegotiation", .def = true,
              .help = "the link comes up half a second after the driver asks for negotiation"),
    PROP_BOOL(E1000, mitigation, .name = "mitigation", .def = true,
              .help = "the guest's interrupt throttling takes effect"),
    PROP_BOOL(E1000, extra_mac_registers, .name = "extra_mac_registers", .def = true,
              .help = "save every register"),
    PROP_BOOL(E1000, migrate_tso_props, .name = "migrate_tso_props", .def = true,
              .help = "save the context of segmented packets"),
    PROP_BOOL(E1000, init_vet, .name = "init-vet", .def = true,
              .help = "the VLAN type register starts as 8100h"),
    {}
};

/* ---- lifecycle ---- */

/* Registers after reset (13.4); those not here are 0. */
static const struct { uint32_t offset, value; } reset_values[] = {
    { CTRL,   0x00140240 },
    { STATUS, 0x80080783 },
    { LEDCTL, 0x00000602 },
    { PBA,    0x00100030 },
    { MANC,   0x00222300 },
};

static void chip_reset(E1000 *nic)
{
    const uint8_t *mac = nic->conf.mac;

    vm_timer_set(&nic->throttle_timer, VM_TIMER_OFF);
    vm_timer_set(&nic->tx_timer, VM_TIMER_OFF);
    memset(nic->mac, 0, PBM);
    for (unsigned i = 0; i < G_N_ELEMENTS(reset_values); i++) {
        *e1000_reg(nic, reset_values[i].offset) = reset_values[i].value;
    }
    *e1000_reg(nic, VET) = nic->init_vet ? 0x8100 : 0;
    *e1000_reg(nic, RA) = pci_get_long(mac);
    *e1000_reg(nic, RA + 4) = pci_get_word(mac + 4) | 1u << 31;
    memset(&nic->tx, 0, offsetof(TxPacket, header));
    e1000_phy_reset(nic);
    update_irq(nic);
}

static const NicOps e1000_nic_ops = {
    .can_receive = e1000_can_receive, .receive = e1000_receive, .link_changed = e1000_link_changed,
};

static bool e1000_realize(Device *dev, GError **error)
{
    E1000 *nic = DEVICE_CAST(dev, E1000);

    nic->nic = nic_new(&nic->conf, dev, &e1000_nic_ops, nic, error);
    if (!nic->nic) {
        return false;
    }
    vm_timer_init(&nic->autoneg_timer, dev->vm, e1000_autoneg_done, nic);
    vm_timer_init(&nic->throttle_timer, dev->vm, throttle_over, nic);
    vm_timer_init(&nic->tx_timer, dev->vm, e1000_transmit, nic);
    e1000_eeprom_init(nic);
    nic->pci.config[PCI_INTERRUPT_PIN] = 1;
    mem_region_init_io(&nic->mmio, &dev->obj, "e1000-mmio", E1000_MMIO_SIZE, &mmio_ops, nic);
    mem_region_init_io(&nic->io, &dev->obj, "e1000-io", IO_SIZE, &io_ops, nic);
    pci_register_bar(&nic->pci, 0, PCI_BAR_MEM, &nic->mmio);
    pci_register_bar(&nic->pci, 1, PCI_BAR_IO, &nic->io);
    return true;
}

static void e1000_unrealize(Device *dev)
{
    E1000 *nic = DEVICE_CAST(dev, E1000);

    if (!nic->nic) {
        return;
    }
    vm_timer_finish(&nic->autoneg_timer);
    vm_timer_finish(&nic->throttle_timer);
    vm_timer_finish(&nic->tx_timer);
    mem_region_finish(&nic->mmio);
    mem_region_finish(&nic->io);
    net_client_free(nic->nic);
}

static void e1000_reset(Device *dev)
{
    E1000 *nic = DEVICE_CAST(dev, E1000);

    pci_reset(&nic->pci);
    memset(&nic->eecd, 0, sizeof(nic->eecd));
    nic->io_addr = 0;
    chip_reset(nic);
}

static const char *e1000_boot_suffix(const Device *dev)
{
    return "/ethernet-phy@0";
}

static const PciClass e1000_class = {
    .vendor_id = 0x8086, .device_id = 0x100e, .class_id = 0x0200, .revision = 3,
    .romfile = "efi-e1000.rom",
};

const DeviceType e1000_type = {
    .name = "e1000", .alias = "e1000-82540em", .help = "Intel Gigabit Ethernet",
    .category = "network", .bus = &pci_bus_type, .size = sizeof(E1000), .props = e1000_props,
    .state = &e1000_state, .bus_class = &e1000_class, .boot_suffix = e1000_boot_suffix,
    .realize = e1000_realize, .unrealize = e1000_unrealize, .reset = e1000_reset,
};
