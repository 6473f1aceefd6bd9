/*
 * Realtek RTL8139C+: registers, EEPROM, interrupt, timer and the device.
 *
 * Not modelled: writing the EEPROM, wake-up and power management, early receive and transmit
 * (thresholds keep what is written), flow control, the high priority ring and the check of
 * received checksums (no protocol is reported: drivers check themselves).
 */
#include "rtl8139.h"

#include <string.h>

#include "rtl8139_regs.h"
#include "vm_core.h"

#define REGS_SIZE           0x100
#define TIMER_HZ            33000000    /* 5.25: the PCI clock */

#define CFG9346_EEDO        0x01
#define CFG9346_EEDI        0x02
#define CFG9346_EESK        0x04
#define CFG9346_EECS        0x08
#define CFG9346_MODE        0xc0
#define CFG9346_PROGRAM     0x80        /* mode: the lines are the EEPROM's */
#define CFG9346_UNLOCK      0xc0        /* mode: CONFIGn can be written */

#define TCR_VERSION         0x74800000  /* an RTL8139C+ */
#define TCR_MASK            0x030f07f0
#define MSR_VALUE           0xd0
#define MSR_LINK_DOWN       0x04
#define BMCR_KEPT           0x3100
#define BMCR_RESET          0x1000
#define BMSR_VALUE          0x7809
#define BMSR_LINK           0x0024      /* link, and negotiation has ended */
#define CSCR_VALUE          0x0340
#define CSCR_LINK_CHANGED   0x0800
#define TPPOLL_NPQ          0x40
#define TPPOLL_SWINT        0x01
#define DTCCR_COMMAND       0x08

/* ---- EEPROM: a 93C46 in 16-bit organization ---- */
enum { EEPROM_IDLE = 0, EEPROM_COMMAND = 1, EEPROM_READ = 3 };
#define EEPROM_COMMAND_BITS 9           /* start bit, two of operation, six of address */

static void eeprom_init(Rtl8139 *nic)
{
    uint16_t *words = nic->eeprom.contents;

    memset(words, 0, sizeof(nic->eeprom.contents));
    words[0] = 0x8129;                                      /* 6.1: the contents are valid */
    words[1] = 0x10ec;
    words[2] = 0x8139;
    for (unsigned i = 0; i < 3; i++) {
        words[7 + i] = nic->conf.mac[2 * i] | nic->conf.mac[2 * i + 1] << 8;
    }
}

static void eeprom_clock(Eeprom93c46 *eeprom)
{
    switch (eeprom->mode) {
    case EEPROM_COMMAND:
        /* Zeros in front of the start bit do not count. */
        if (eeprom->tick == 0 && !eeprom->eedi) {
            break;
        }
        eeprom->input = eeprom->input << 1 | eeprom->eedi;
        if (++eeprom->tick < EEPROM_COMMAND_BITS) {
            break;
        }
        eeprom->tick = 0;
        eeprom->address = eeprom->input & 0x3f;
        eeprom->mode = (eeprom->input >> 6 & 3) == 2 ? EEPROM_READ : EEPROM_IDLE;
        eeprom->output = eeprom->contents[eeprom->address];
        eeprom->eedo = 0;
        break;
    case EEPROM_READ:
        eeprom->eedo = eeprom->output >> 15;
        eeprom->output <<= 1;
        if (++eeprom->tick == 16) {
            eeprom->tick = 0;
            eeprom->address = (eeprom->address + 1) & 0x3f;
            eeprom->output = eeprom->contents[eeprom->address];
        }
        break;
    }
}

static void eeprom_lines(Eeprom93c46 *eeprom, bool cs, bool sk, bool di)
{
    bool rises = sk && !eeprom->eesk;

    eeprom->eedi = di;
    if (!cs) {
        eeprom->mode = EEPROM_IDLE;
        eeprom->eedo = 1;
    } else if (!eeprom->eecs) {
        eeprom->mode = EEPROM_COMMAND;
        eeprom->tick = 0;
        eeprom->input = 0;
    } else if (rises) {
        eeprom_clock(eeprom);
    }
    eeprom->eecs = cs;
    eeprom->eesk = sk;
}

/* ---- interrupt and timer ---- */

static void update_irq(Rtl8139 *nic)
{
    pci_set_intx(&nic->pci, (nic->isr & nic->imr) != 0);
}

void rtl8139_interrupt(Rtl8139 *nic, uint16_t causes)
{
    nic->isr |= causes;
    update_irq(nic);
}

static uint32_t timer_count(const Rtl8139 *nic)
{
    return muldiv64(vm_clock_ns(nic->pci.dev.vm) - nic->timer_base_ns, TIMER_HZ, NS_PER_SEC);
}

/* TimerInt is compared with a 32-bit counter that runs on. */
static void update_timer(Rtl8139 *nic)
{
    uint32_t left = nic->timer_int - timer_count(nic);
    uint64_t ticks = left ? left : UINT64_C(1) << 32;

    vm_timer_set(&nic->timer, nic->timer_int ? vm_clock_ns(nic->pci.dev.vm) +
                 (int64_t)muldiv64(ticks, NS_PER_SEC, TIMER_HZ) + 1 : VM_TIMER_OFF);
}

static void timer_fired(void *opaque)
{
    Rtl8139 *nic = opaque;

    rtl8139_interrupt(nic, ISR_TIMEOUT);
    update_timer(nic);
}

/* ---- registers with a behaviour of their own ---- */

static void chip_reset(Rtl8139 *nic);

static bool is_unlocked(const Rtl8139 *nic)
{
    return (nic->cfg9346 & CFG9346_MODE) == CFG9346_UNLOCK;
}

/* In C+ mode the first two hold the counters' address, and a bit that has them stored there. */
static void store_tally(Rtl8139 *nic)
{
    uint64_t addr = (uint64_t)nic->tx_status[1] << 32 | (nic->tx_status[0] & ~0x3fu);
    const Tally *tally = &nic->tally;
    uint8_t out[64];

    pci_set_long(out, tally->tx_ok);
    pci_set_long(out + 4, tally->tx_ok >> 32);
    pci_set_long(out + 8, tally->rx_ok);
    pci_set_long(out + 12, tally->rx_ok >> 32);
    pci_set_long(out + 16, tally->tx_err);
    pci_set_long(out + 20, tally->tx_err >> 32);
    pci_set_long(out + 24, tally->rx_err);
    pci_set_word(out + 28, tally->missed);
    pci_set_word(out + 30, tally->alignment);
    pci_set_long(out + 32, tally->tx_1col);
    pci_set_long(out + 36, tally->tx_mcol);
    pci_set_long(out + 40, tally->rx_ok_phy);
    pci_set_long(out + 44, tally->rx_ok_phy >> 32);
    pci_set_long(out + 48, tally->rx_ok_brd);
    pci_set_long(out + 52, tally->rx_ok_brd >> 32);
    pci_set_long(out + 56, tally->rx_ok_mul);
    pci_set_word(out + 60, tally->tx_abort);
    pci_set_word(out + 62, tally->tx_underrun);
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, addr, out, sizeof(out));
    nic->tx_status[0] &= ~DTCCR_COMMAND;
}

static void tsd_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    if (nic->cp_command & CPCR_TX) {
        nic->tx_status[n] = value;
        if (n == 0 && value & DTCCR_COMMAND) {
            store_tally(nic);
        }
        return;
    }
    if (rtl8139_transmits(nic)) {
        /* 5.3: status bits fall, the rest is the driver's. */
        nic->tx_status[n] = value & 0x003f3fff;
        rtl8139_transmit(nic);
    }
}

/* 5.17: who owns each buffer, and how each one fared. */
static uint32_t tsad_all_read(Rtl8139 *nic, unsigned n)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < RTL8139_TX_DESCS; i++) {
        uint32_t status = nic->tx_status[i];

        value |= (status & TSD_OWN ? 0x0001u : 0) << i | (status & TSD_TABT ? 0x0010u : 0) << i |
                 (status & TSD_TUN ? 0x0100u : 0) << i | (status & TSD_TOK ? 0x1000u : 0) << i;
    }
    return value;
}

static void tsad_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->tx_addr[n] = value;
    if (n < 2) {
        nic->cp_tx_desc = 0;                            /* of the C+ ring: it starts anew */
    }
}

static void rbstart_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->rx_buf = value;
    nic->rx_buf_ptr = nic->rx_buf_addr = 0;
}

static uint32_t cr_read(Rtl8139 *nic, unsigned n)
{
    return (nic->command & (CR_TE | CR_RE)) | (rtl8139_rx_is_empty(nic) ? CR_BUFE : 0);
}

static void cr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    if (value & CR_RST) {
        chip_reset(nic);
    }
    nic->command = value & (CR_TE | CR_RE);
    net_flush(nic->nic);
}

/* The register is 16 behind where the driver reads (RTL8139C 5.8). */
static uint32_t capr_read(Rtl8139 *nic, unsigned n)
{
    return (nic->rx_buf_ptr - 16) & 0xffff;
}

static void capr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->rx_buf_ptr = (value + 16) % nic->rx_buf_size;
    net_flush(nic->nic);
}

static uint32_t cbr_read(Rtl8139 *nic, unsigned n)
{
    return nic->rx_buf_addr;
}

static void imr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->imr = value & 0xe1ff;
    update_irq(nic);
}

static void isr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->isr &= ~value;
    update_irq(nic);
}

static void tcr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    if (rtl8139_transmits(nic)) {
        nic->tx_config = TCR_VERSION | (value & TCR_MASK);
    }
}

static void rcr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    rtl8139_set_rx_config(nic, value & 0x0f03ffbf);
    net_flush(nic->nic);
}

static uint32_t tctr_read(Rtl8139 *nic, unsigned n)
{
    return timer_count(nic);
}

static void tctr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->timer_base_ns = vm_clock_ns(nic->pci.dev.vm);
    update_timer(nic);
}

static void timer_int_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->timer_int = value;
    update_timer(nic);
}

static void mpc_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->rx_missed = 0;
}

static uint32_t cfg9346_read(Rtl8139 *nic, unsigned n)
{
    bool programs = (nic->cfg9346 & CFG9346_MODE) == CFG9346_PROGRAM;

    return nic->cfg9346 | (programs && nic->eeprom.eedo ? CFG9346_EEDO : 0);
}

static void cfg9346_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->cfg9346 = value & (CFG9346_MODE | CFG9346_EECS | CFG9346_EESK | CFG9346_EEDI);
    if ((value & CFG9346_MODE) == CFG9346_PROGRAM) {
        eeprom_lines(&nic->eeprom, value & CFG9346_EECS, value & CFG9346_EESK,
                     value & CFG9346_EEDI);
    }
}

static uint32_t msr_read(Rtl8139 *nic, unsigned n)
{
    return MSR_VALUE | (nic_link_up(nic->nic) ? 0 : MSR_LINK_DOWN);
}

static uint32_t bmsr_read(Rtl8139 *nic, unsigned n)
{
    return nic->bmsr | (nic_link_up(nic->nic) ? BMSR_LINK : 0);
}

static void bmcr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->bmcr = value & 0x8000 ? BMCR_RESET : value & BMCR_KEPT;
}

static uint32_t cscr_read(Rtl8139 *nic, unsigned n)
{
    uint32_t value = nic->cscr;

    nic->cscr &= ~CSCR_LINK_CHANGED;
    return value;
}

static void tppoll_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    if (value & TPPOLL_NPQ) {
        rtl8139_cplus_transmit(nic);
    }
    if (value & TPPOLL_SWINT) {
        rtl8139_interrupt(nic, ISR_SWINT);
    }
}

static void cpcr_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->cp_command = value & 0x007b;
    nic->cplus_enabled = 1;
    net_flush(nic->nic);
}

static void rdsar_write(Rtl8139 *nic, unsigned n, uint32_t value)
{
    nic->rx_ring[n] = value;
    nic->cp_rx_desc = 0;
}

/* ---- the table of registers ---- */

typedef struct RegRow {
    uint8_t offset, size, count;        /* `count` registers of `size` bytes */
    bool locked;                        /* writable only while 9346CR says so */
    bool clears;                        /* writing 1 clears: bytes not written count as 0 */
    uint16_t field;                     /* of the first in the struct; 0: none */
    uint32_t mask;                      /* bits a plain write changes */
    uint32_t (*read)(Rtl8139 *nic, unsigned n);                 /* NULL: the field */
    void (*write)(Rtl8139 *nic, unsigned n, uint32_t value);    /* NULL: the field, by mask */
} RegRow;

#define FIELD(f_) .field = offsetof(Rtl8139, f_)

/* By offset. What is not here reads 0 and takes no write. */
static const RegRow reg_rows[] = {
    { REG_IDR,      1, 6, FIELD(phys), .mask = 0xff },
    { REG_MAR,      1, 8, FIELD(mult), .mask = 0xff },
    { REG_TSD,      4, 4, FIELD(tx_status), .write = tsd_write },
    { REG_TSAD,     4, 4, FIELD(tx_addr), .write = tsad_write },
    { REG_RBSTART,  4, 1, FIELD(rx_buf), .write = rbstart_write },
    { REG_CR,       1, 1, .read = cr_read, .write = cr_write },
    { REG_CAPR,     2, 1, .read = capr_read, .write = capr_write },
    { REG_CBR,      2, 1, .read = cbr_read },
    { REG_IMR,      2, 1, FIELD(imr), .write = imr_write },
    { REG_ISR,      2, 1, .clears = true, FIELD(isr), .write = isr_write },
    { REG_TCR,      4, 1, FIELD(tx_config), .write = tcr_write },
    { REG_RCR,      4, 1, FIELD(rx_config), .write = rcr_write },
    { REG_TCTR,     4, 1, .read = tctr_read, .write = tctr_write },
    { REG_MPC,      4, 1, FIELD(rx_missed), .write = mpc_write },
    { REG_9346CR,   1, 1, .read = cfg9346_read, .write = cfg9346_write },
    { REG_CONFIG0,  1, 1, true, FIELD(config0), .mask = 0x07 },
    { REG_CONFIG1,  1, 1, true, FIELD(config1), .mask = 0xf3 },
    { REG_TIMERINT, 4, 1, FIELD(timer_int), .write = timer_int_write },
    { REG_MSR,      1, 1, .read = msr_read },
    { REG_CONFIG3,  1, 1, true, FIELD(config3), .mask = 0x70 },
    { REG_CONFIG4,  1, 1, true, FIELD(config4), .mask = 0xf5 },
    { REG_MULINT,   2, 1, FIELD(mulint), .mask = 0x0fff },
    { REG_TSAD_ALL, 2, 1, .read = tsad_all_read },
    { REG_BMCR,     2, 1, FIELD(bmcr), .write = bmcr_write },
    { REG_BMSR,     2, 1, .read = bmsr_read },
    { REG_ANAR,     2, 1, FIELD(anar), .mask = 0xffff },
    { REG_ANLPAR,   2, 1, FIELD(anlpar) },
    { REG_ANER,     2, 1, FIELD(aner), .mask = 0xffff },
    { REG_CSCR,     2, 1, .read = cscr_read },
    { REG_CONFIG5,  1, 1, FIELD(config5), .mask = 0x7f },
    { REG_TPPOLL,   1, 1, .clears = true, .write = tppoll_write },
    { REG_CPCR,     2, 1, FIELD(cp_command), .write = cpcr_write },
    { REG_RDSAR,    4, 2, FIELD(rx_ring), .write = rdsar_write },
    { REG_MTPS,     1, 1, FIELD(tx_threshold), .mask = 0xff },
};

static const RegRow *reg_find(unsigned offset)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(reg_rows); i++) {
        const RegRow *row = &reg_rows[i];

        if (offset >= row->offset && offset < row->offset + row->size * row->count) {
            return row;
        }
    }
    return NULL;
}

/* ---- access: of any size to registers of any size ---- */

/* The part of a register that an access meets. */
typedef struct Span {
    const RegRow *row;                  /* NULL: one byte of nothing */
    unsigned n, shift, bytes;           /* register of the row; its bytes from shift / 8 on */
} Span;

static Span span_at(unsigned offset, unsigned left)
{
    const RegRow *row = reg_find(offset);

    if (!row) {
        return (Span){ NULL, 0, 0, 1 };
    }
    unsigned from = (offset - row->offset) % row->size;
    return (Span){ row, (offset - row->offset) / row->size, 8 * from,
                   MIN(row->size - from, left) };
}

static uint32_t field_read(const Rtl8139 *nic, const RegRow *row, unsigned n)
{
    const char *field = (const char *)nic + row->field + n * row->size;

    if (!row->field) {
        return 0;
    }
    return row->size == 1 ? *(const uint8_t *)field : row->size == 2 ? *(const uint16_t *)field :
           *(const uint32_t *)field;
}

static void field_write(Rtl8139 *nic, const RegRow *row, unsigned n, uint32_t value)
{
    char *field = (char *)nic + row->field + n * row->size;

    if (row->size == 1) {
        *(uint8_t *)field = value;
    } else if (row->size == 2) {
        *(uint16_t *)field = value;
    } else {
        *(uint32_t *)field = value;
    }
}

static uint64_t regs_read(void *opaque, uint64_t offset, unsigned size)
{
    Rtl8139 *nic = opaque;
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        Span span = span_at(offset + done, size - done);
        uint64_t part = 0;

        if (span.row) {
            part = span.row->read ? span.row->read(nic, span.n)
                                  : field_read(nic, span.row, span.n);
            part = part >> span.shift & ((UINT64_C(1) << 8 * span.bytes) - 1);
        }
        value |= part << 8 * done;
        done += span.bytes;
    }
    return value;
}

static void span_write(Rtl8139 *nic, const Span *span, uint32_t value)
{
    const RegRow *row = span->row;
    uint32_t mask = ((UINT64_C(1) << 8 * span->bytes) - 1) << span->shift;

    if (row->locked && !is_unlocked(nic)) {
        return;
    }
    value = value << span->shift & mask;
    if (row->write) {
        uint32_t kept = row->clears ? 0 : row->read ? row->read(nic, span->n)
                                                    : field_read(nic, row, span->n);

        row->write(nic, span->n, (mask == UINT32_MAX ? 0 : kept & ~mask) | value);
    } else if (row->field) {
        mask &= row->mask;
        field_write(nic, row, span->n,
                    (field_read(nic, row, span->n) & ~mask) | (value & mask));
    }
}

static void regs_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rtl8139 *nic = opaque;

    for (unsigned done = 0; done < size;) {
        Span span = span_at(offset + done, size - done);

        if (span.row) {
            span_write(nic, &span, value >> 8 * done);
        }
        done += span.bytes;
    }
}

static const MemOps regs_ops = { regs_read, regs_write, .min_size = 1, .max_size = 4 };

/* ---- state ---- */

static bool rtl8139_loaded(void *opaque, GError **error)
{
    Rtl8139 *nic = opaque;

    rtl8139_set_rx_config(nic, nic->rx_config);
    nic->tx_desc %= RTL8139_TX_DESCS;
    nic->cp_rx_desc %= RTL8139_RING_MAX;
    nic->cp_tx_desc %= RTL8139_RING_MAX;
    nic->eeprom.address &= 0x3f;
    nic->packet_len = 0;
    nic->command &= CR_TE | CR_RE;
    update_timer(nic);
    update_irq(nic);
    vm_timer_set(&nic->tx_timer, vm_clock_ns(nic->pci.dev.vm));
    return true;
}

static const StateField tally_fields[] = {
    STATE_UINT64(Tally, tx_ok), STATE_UINT64(Tally, rx_ok), STATE_UINT64(Tally, tx_err),
    STATE_UINT32(Tally, rx_err), STATE_UINT16(Tally, missed), STATE_UINT16(Tally, alignment),
    STATE_UINT32(Tally, tx_1col), STATE_UINT32(Tally, tx_mcol), STATE_UINT64(Tally, rx_ok_phy),
    STATE_UINT64(Tally, rx_ok_brd), STATE_UINT32(Tally, rx_ok_mul),
    STATE_UINT16(Tally, tx_abort), STATE_UINT16(Tally, tx_underrun),
    {}
};
static const StateDesc tally_state = {
    .name = "tally_counters", .version = 1, .fields = tally_fields,
};

static const StateField rtl8139_fields[] = {
    STATE_STRUCT(Rtl8139, pci, PciDevice, pci_device_state),
    STATE_BYTES(Rtl8139, phys), STATE_BYTES(Rtl8139, mult),
    STATE_UINT32_ARRAY(Rtl8139, tx_status), STATE_UINT32_ARRAY(Rtl8139, tx_addr),
    STATE_UINT32(Rtl8139, rx_buf), STATE_UINT32(Rtl8139, rx_buf_size),
    STATE_UINT32(Rtl8139, rx_buf_ptr), STATE_UINT32(Rtl8139, rx_buf_addr),
    STATE_UINT16(Rtl8139, isr), STATE_UINT16(Rtl8139, imr),
    STATE_UINT32(Rtl8139, tx_config), STATE_UINT32(Rtl8139, rx_config),
    STATE_UINT32(Rtl8139, rx_missed), STATE_UINT16(Rtl8139, cscr),
    STATE_UINT8(Rtl8139, cfg9346), STATE_UINT8(Rtl8139, config0), STATE_UINT8(Rtl8139, config1),
    STATE_UINT8(Rtl8139, config3), STATE_UINT8(Rtl8139, config4), STATE_UINT8(Rtl8139, config5),
    STATE_UINT8(Rtl8139, clock_enabled), STATE_UINT8(Rtl8139, command),
    STATE_UINT16(Rtl8139, mulint), STATE_UINT16(Rtl8139, bmcr), STATE_UINT16(Rtl8139, bmsr),
    STATE_UINT16(Rtl8139, anar), STATE_UINT16(Rtl8139, anlpar), STATE_UINT16(Rtl8139, aner),
    STATE_UINT16(Rtl8139, cp_command), STATE_UINT8(Rtl8139, tx_threshold),
    STATE_UNUSED(4), STATE_BYTES(Rtl8139, address), STATE_UNUSED(4),
    STATE_UINT32(Rtl8139, tx_desc), STATE_UINT32(Rtl8139, cp_rx_desc),
    STATE_UINT32(Rtl8139, cp_tx_desc), STATE_UINT32_ARRAY(Rtl8139, rx_ring),
    STATE_UINT16_ARRAY(Rtl8139, eeprom.contents), STATE_INT32(Rtl8139, eeprom.mode),
    STATE_UINT32(Rtl8139, eeprom.tick), STATE_UINT8(Rtl8139, eeprom.address),
    STATE_UINT16(Rtl8139, eeprom.input), STATE_UINT16(Rtl8139, eeprom.output),
    STATE_UINT8(Rtl8139, eeprom.eecs), STATE_UINT8(Rtl8139, eeprom.eesk),
    STATE_UINT8(Rtl8139, eeprom.eedi), STATE_UINT8(Rtl8139, eeprom.eedo),
    STATE_UNUSED(4), STATE_UINT32(Rtl8139, timer_int), STATE_INT64(Rtl8139, timer_base_ns),
    STATE_STRUCT(Rtl8139, tally, Tally, tally_state),
    STATE_UINT32(Rtl8139, cplus_enabled),
    {}
};
static const StateDesc rtl8139_state = {
    .name = "rtl8139", .version = 5, .fields = rtl8139_fields, .loaded = rtl8139_loaded,
};

/* ---- properties ---- */

static const Property rtl8139_props[] = {
    NIC_PROPS(Rtl8139, conf),
    PROP_BOOTINDEX(Rtl8139, conf.bootindex),
    {}
};

/* ---- lifecycle ---- */

/* 5.7, RST: transmitter, receiver, FIFOs and rings; not the address filters and CONFIGn. */
static void chip_reset(Rtl8139 *nic)
{
    vm_timer_set(&nic->tx_timer, VM_TIMER_OFF);
    for (unsigned i = 0; i < RTL8139_TX_DESCS; i++) {
        nic->tx_status[i] = TSD_OWN;
        nic->tx_addr[i] = 0;
    }
    nic->tx_desc = nic->cp_tx_desc = nic->cp_rx_desc = 0;
    nic->rx_ring[0] = nic->rx_ring[1] = 0;
    nic->rx_buf = nic->rx_buf_ptr = nic->rx_buf_addr = 0;
    nic->packet_len = 0;
    nic->isr = nic->imr = 0;
    nic->rx_missed = 0;
    nic->tx_config = TCR_VERSION;
    rtl8139_set_rx_config(nic, 0);
    nic->cp_command = 0;
    nic->cplus_enabled = 0;
    nic->mulint = 0;
    nic->tx_threshold = 0;
    nic->command = 0;
    nic->bmcr = BMCR_RESET;
    nic->bmsr = BMSR_VALUE;
    nic->anar = nic->anlpar = 0x05e1;
    nic->aner = 0x0001;
    nic->cscr = CSCR_VALUE;
    nic->timer_int = 0;
    nic->timer_base_ns = vm_clock_ns(nic->pci.dev.vm);
    update_timer(nic);
    memset(&nic->tally, 0, sizeof(nic->tally));
    update_irq(nic);
}

static void rtl8139_link_changed(void *opaque, bool up)
{
    Rtl8139 *nic = opaque;

    nic->cscr |= CSCR_LINK_CHANGED;
    rtl8139_interrupt(nic, ISR_LINK);
}

static const NicOps rtl8139_nic_ops = {
    .can_receive = rtl8139_can_receive, .receive = rtl8139_receive,
    .link_changed = rtl8139_link_changed,
};

static bool rtl8139_realize(Device *dev, GError **error)
{
    Rtl8139 *nic = DEVICE_CAST(dev, Rtl8139);

    nic->nic = nic_new(&nic->conf, dev, &rtl8139_nic_ops, nic, error);
    if (!nic->nic) {
        return false;
    }
    vm_timer_init(&nic->timer, dev->vm, timer_fired, nic);
    vm_timer_init(&nic->tx_timer, dev->vm, rtl8139_cplus_transmit, nic);
    eeprom_init(nic);
    rtl8139_set_rx_config(nic, 0);
    nic->pci.config[PCI_INTERRUPT_PIN] = 1;
    /* Where a capability list would be, with no list announced: drivers compare it. */
    nic->pci.config[PCI_CAPABILITY_LIST] = 0xdc;
    mem_region_init_io(&nic->io, &dev->obj, "rtl8139", REGS_SIZE, &regs_ops, nic);
    mem_region_init_alias(&nic->mmio, &dev->obj, "rtl8139-mem", &nic->io, 0, REGS_SIZE);
    pci_register_bar(&nic->pci, 0, PCI_BAR_IO, &nic->io);
    pci_register_bar(&nic->pci, 1, PCI_BAR_MEM, &nic->mmio);
    return true;
}

static void rtl8139_unrealize(Device *dev)
{
    Rtl8139 *nic = DEVICE_CAST(dev, Rtl8139);

    if (!nic->nic) {
        return;
    }
    vm_timer_finish(&nic->timer);
    vm_timer_finish(&nic->tx_timer);
    mem_region_finish(&nic->mmio);
    mem_region_finish(&nic->io);
    net_client_free(nic->nic);
    g_free(nic->packet);
}

static void rtl8139_reset(Device *dev)
{
    Rtl8139 *nic = DEVICE_CAST(dev, Rtl8139);

    pci_reset(&nic->pci);
    memcpy(nic->phys, nic->conf.mac, 6);
    memcpy(nic->address, nic->conf.mac, 6);
    memset(nic->mult, 0, sizeof(nic->mult));
    nic->cfg9346 = 0;
    nic->config0 = 0;
    nic->config1 = 0x0c;                    /* mapped to memory and ports */
    nic->config3 = 0x01;                    /* fast back to back */
    nic->config4 = nic->config5 = 0;
    nic->clock_enabled = 1;
    eeprom_lines(&nic->eeprom, false, false, false);
    chip_reset(nic);
}

static const char *rtl8139_boot_suffix(const Device *dev)
{
    return "/ethernet-phy@0";
}

static const PciClass rtl8139_class = {
    .vendor_id = 0x10ec, .device_id = 0x8139, .class_id = 0x0200, .revision = 0x20,
    .romfile = "efi-rtl8139.rom",
};

const DeviceType rtl8139_type = {
    .name = "rtl8139", .category = "network", .bus = &pci_bus_type, .size = sizeof(Rtl8139),
    .props = rtl8139_props, .state = &rtl8139_state, .bus_class = &rtl8139_class,
    .boot_suffix = rtl8139_boot_suffix, .realize = rtl8139_realize,
    .unrealize = rtl8139_unrealize, .reset = rtl8139_reset,
};
