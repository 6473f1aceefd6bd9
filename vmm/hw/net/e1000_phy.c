/* The 82540EM's EEPROM, its M88E1000 PHY and the state of the link (5.3, 5.6, 8.2, 13.4.3). */
#include <string.h>

#include "e1000_regs.h"
#include "vm_core.h"

/* ---- EEPROM ---- */
#define EECD_SK         0x001
#define EECD_CS         0x002
#define EECD_DI         0x004
#define EECD_DO         0x008
#define EECD_FWE        0x030
#define EECD_REQ        0x040
#define EECD_GNT        0x080
#define EECD_PRES       0x100

#define EERD_START      0x01
#define EERD_DONE       0x10

#define MICROWIRE_COMMAND_BITS  9       /* start bit, two of operation, six of address */
#define MICROWIRE_READ          6       /* start bit and operation 10 */

/* 5.6.1: words 00h to 3fh add up to this. */
#define EEPROM_SUM      0xbaba

/* Chapter 5, table 5-2: what an 82540EM's EEPROM holds; the rest is erased. */
static const struct { uint8_t word; uint16_t value; } eeprom_words[] = {
    { 0x03, 0x0000 }, { 0x05, 0x0000 }, { 0x06, 0x0000 }, { 0x07, 0x0000 },
    { 0x08, 0x3000 }, { 0x09, 0x1000 },                     /* board number */
    { 0x0a, 0x6403 },                                       /* initialization control 1 */
    { 0x0b, 0x100e }, { 0x0c, 0x8086 }, { 0x0d, 0x100e }, { 0x0e, 0x8086 },     /* PCI identity */
    { 0x0f, 0x3040 },                                       /* initialization control 2 */
    { 0x10, 0x0008 }, { 0x11, 0x2000 }, { 0x12, 0x7e14 }, { 0x13, 0x0048 },
    { 0x14, 0x1000 }, { 0x15, 0x00d8 }, { 0x16, 0x0000 }, { 0x17, 0x2700 },
    { 0x18, 0x6cc9 }, { 0x19, 0x3150 }, { 0x1a, 0x0722 }, { 0x1b, 0x040b },
    { 0x1c, 0x0984 }, { 0x1d, 0x0000 }, { 0x1e, 0xc000 }, { 0x1f, 0x0706 },
    { 0x20, 0x1008 }, { 0x21, 0x0000 },                     /* software defined pins, D0 */
    { 0x22, 0x0f04 }, { 0x23, 0x7fff }, { 0x24, 0x4d01 },
    { 0x30, 0x0100 }, { 0x31, 0x4000 }, { 0x32, 0x121c },   /* network boot */
};

void e1000_eeprom_init(E1000 *nic)
{
    uint16_t sum = 0;

    memset(nic->eeprom, 0xff, sizeof(nic->eeprom));
    for (unsigned i = 0; i < G_N_ELEMENTS(eeprom_words); i++) {
        nic->eeprom[eeprom_words[i].word] = eeprom_words[i].value;
    }
    for (unsigned i = 0; i < 3; i++) {
        nic->eeprom[i] = nic->conf.mac[2 * i] | nic->conf.mac[2 * i + 1] << 8;
    }
    for (unsigned i = 0; i < E1000_EEPROM_WORDS - 1; i++) {
        sum += nic->eeprom[i];
    }
    nic->eeprom[E1000_EEPROM_WORDS - 1] = EEPROM_SUM - sum;
}

/* A word leaves highest bit first, then the next word follows. */
static bool eeprom_out_bit(const E1000 *nic)
{
    unsigned word = nic->eecd.bitnum_out / 16 % E1000_EEPROM_WORDS;

    return nic->eeprom[word] >> (15 - nic->eecd.bitnum_out % 16) & 1;
}

uint32_t e1000_eecd_read(E1000 *nic, uint32_t offset)
{
    bool out = !nic->eecd.reading || eeprom_out_bit(nic);

    return EECD_PRES | EECD_GNT | nic->eecd.old_eecd | (out ? EECD_DO : 0);
}

static void eeprom_clock(Eecd *eecd, bool in)
{
    eecd->val_in = eecd->val_in << 1 | in;
    if (eecd->reading) {
        eecd->bitnum_out++;
    } else if (++eecd->bitnum_in == MICROWIRE_COMMAND_BITS) {
        eecd->reading = (eecd->val_in >> 6 & 7) == MICROWIRE_READ;
        /* The next clock gives the first bit. */
        eecd->bitnum_out = (eecd->val_in & 0x3f) * 16 - 1;
    }
}

void e1000_eecd_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    Eecd *eecd = &nic->eecd;
    uint32_t rose = value & ~eecd->old_eecd;

    eecd->old_eecd = value & (EECD_SK | EECD_CS | EECD_DI | EECD_FWE | EECD_REQ);
    if (!(value & EECD_CS)) {
        return;
    }
    if (rose & EECD_CS) {
        eecd->val_in = 0;
        eecd->bitnum_in = eecd->bitnum_out = 0;
        eecd->reading = 0;
    }
    if (rose & EECD_SK) {
        eeprom_clock(eecd, value & EECD_DI);
    }
}

uint32_t e1000_eerd_read(E1000 *nic, uint32_t offset)
{
    uint32_t value = *e1000_reg(nic, EERD);
    unsigned word = value >> 8 & 0xff;

    if (!(value & EERD_START)) {
        return value & ~EERD_DONE;
    }
    uint32_t data = word < E1000_EEPROM_WORDS ? nic->eeprom[word] : 0;
    return (value & 0xff00) | EERD_DONE | data << 16;
}

/* ---- link ---- */
#define AUTONEG_NS              (500 * NS_PER_MS)

#define PHY_CTRL_RESET          0x8000
#define PHY_CTRL_AUTONEG        0x1000
#define PHY_CTRL_RESTART        0x0200
#define PHY_CTRL_RESERVED       0x003f
#define PHY_STATUS_LINK         0x0004
#define PHY_STATUS_AUTONEG_DONE 0x0020
#define PHY_LP_ACKNOWLEDGE      0x4000
#define PHY_SPEC_STATUS_LINK    0x0400

static bool autoneg_enabled(const E1000 *nic)
{
    return nic->autonegotiation && nic->phy[PHY_CTRL] & PHY_CTRL_AUTONEG;
}

bool e1000_autoneg_pending(const E1000 *nic)
{
    return autoneg_enabled(nic) && nic_link_up(nic->nic) &&
           !(nic->mac[STATUS / 4] & STATUS_LU);
}

static void link_set(E1000 *nic, bool up)
{
    if (up) {
        *e1000_reg(nic, STATUS) |= STATUS_LU;
        nic->phy[PHY_STATUS] |= PHY_STATUS_LINK;
        nic->phy[PHY_SPEC_STATUS] |= PHY_SPEC_STATUS_LINK;
    } else {
        *e1000_reg(nic, STATUS) &= ~STATUS_LU;
        nic->phy[PHY_STATUS] &= ~(PHY_STATUS_LINK | PHY_STATUS_AUTONEG_DONE);
        nic->phy[PHY_SPEC_STATUS] &= ~PHY_SPEC_STATUS_LINK;
        nic->phy[PHY_LP_ABILITY] &= ~PHY_LP_ACKNOWLEDGE;
    }
}

static void autoneg_start(E1000 *nic)
{
    vm_timer_set(&nic->autoneg_timer, vm_clock_ns(nic->pci.dev.vm) + AUTONEG_NS);
}

void e1000_autoneg_done(void *opaque)
{
    E1000 *nic = opaque;

    if (!nic_link_up(nic->nic)) {
        return;
    }
    link_set(nic, true);
    nic->phy[PHY_LP_ABILITY] |= PHY_LP_ACKNOWLEDGE;
    nic->phy[PHY_STATUS] |= PHY_STATUS_AUTONEG_DONE;
    e1000_interrupt(nic, ICR_LSC);
    net_flush(nic->nic);
}

void e1000_link_changed(void *opaque, bool up)
{
    E1000 *nic = opaque;
    uint32_t before = *e1000_reg(nic, STATUS);

    if (!up) {
        vm_timer_set(&nic->autoneg_timer, VM_TIMER_OFF);
        link_set(nic, false);
    } else if (autoneg_enabled(nic) && !(nic->phy[PHY_STATUS] & PHY_STATUS_AUTONEG_DONE)) {
        autoneg_start(nic);
    } else {
        link_set(nic, true);
    }
    if (*e1000_reg(nic, STATUS) != before) {
        e1000_interrupt(nic, ICR_LSC);
    }
}

/* ---- PHY ---- */

typedef enum PhyAccess { PHY_NONE, PHY_RO, PHY_RW } PhyAccess;

static const struct { PhyAccess access; uint16_t reset; } phy_regs[E1000_PHY_REGS] = {
    [PHY_CTRL]          = { PHY_RW, 0x1140 },
    [PHY_STATUS]        = { PHY_RO, 0x794d },
    [PHY_ID1]           = { PHY_RO, 0x0141 },
    [PHY_ID2]           = { PHY_RO, 0x0c20 },
    [PHY_AUTONEG_ADV]   = { PHY_RW, 0x0de1 },
    [PHY_LP_ABILITY]    = { PHY_RO, 0x01e0 },
    [PHY_AUTONEG_EXP]   = { PHY_RO, 0x0000 },
    [PHY_1000T_CTRL]    = { PHY_RW, 0x0e00 },
    [PHY_1000T_STATUS]  = { PHY_RO, 0x3c00 },
    [PHY_SPEC_CTRL]     = { PHY_RW, 0x0360 },
    [PHY_SPEC_STATUS]   = { PHY_RO, 0xac00 },
    [PHY_INT_ENABLE]    = { PHY_RW, 0x0000 },
    [PHY_EXT_SPEC_CTRL] = { PHY_RW, 0x0d60 },
    [PHY_RX_ERRORS]     = { PHY_RO, 0x0000 },
};

void e1000_phy_reset(E1000 *nic)
{
    vm_timer_set(&nic->autoneg_timer, VM_TIMER_OFF);
    for (unsigned i = 0; i < E1000_PHY_REGS; i++) {
        nic->phy[i] = phy_regs[i].reset;
    }
    link_set(nic, nic_link_up(nic->nic));
}

static void phy_write(E1000 *nic, unsigned reg, uint16_t value)
{
    if (phy_regs[reg].access != PHY_RW) {
        return;
    }
    nic->phy[reg] = value;
    if (reg != PHY_CTRL) {
        return;
    }
    nic->phy[reg] &= ~(PHY_CTRL_RESERVED | PHY_CTRL_RESET | PHY_CTRL_RESTART);
    if (value & PHY_CTRL_RESTART && autoneg_enabled(nic)) {
        link_set(nic, false);
        autoneg_start(nic);
    }
}

#define MDIC_OP_WRITE   (1u << 26)
#define MDIC_OP_READ    (1u << 27)
#define MDIC_READY      (1u << 28)
#define MDIC_INT        (1u << 29)
#define MDIC_ERROR      (1u << 30)
#define MDIC_PHY_ADDR   1

void e1000_mdic_write(E1000 *nic, uint32_t offset, uint32_t value)
{
    unsigned reg = value >> 16 & 0x1f, addr = value >> 21 & 0x1f;

    value &= ~(MDIC_READY | MDIC_ERROR);
    if (addr != MDIC_PHY_ADDR || phy_regs[reg].access == PHY_NONE) {
        value |= MDIC_ERROR;
    } else if (value & MDIC_OP_READ) {
        value = (value & ~0xffffu) | nic->phy[reg];
    } else if (value & MDIC_OP_WRITE) {
        phy_write(nic, reg, value);
    }
    *e1000_reg(nic, MDIC) = value | MDIC_READY;
    if (value & MDIC_INT) {
        e1000_interrupt(nic, ICR_MDAC);
    }
}
