/*
 * The 82540EM's registers and descriptors, and its struct, for the files that make up the chip:
 * e1000.c (registers, interrupt, life), e1000_phy.c (EEPROM, PHY, link), e1000_rx.c, e1000_tx.c.
 */
#pragma once

#include "net.h"
#include "pci.h"

/* ---- register offsets (13.2, tables 13-2 and 13-3) ---- */
enum {
    CTRL = 0x0000, STATUS = 0x0008, EECD = 0x0010, EERD = 0x0014, CTRL_EXT = 0x0018, MDIC = 0x0020,
    FCAL = 0x0028, FCAH = 0x002c, FCT = 0x0030, VET = 0x0038, ICR = 0x00c0, ITR = 0x00c4,
    ICS = 0x00c8, IMS = 0x00d0, IMC = 0x00d8, RCTL = 0x0100, FCTTV = 0x0170, TXCW = 0x0178,
    TCTL = 0x0400, TIPG = 0x0410, AIT = 0x0458, LEDCTL = 0x0e00, PBA = 0x1000, FCRTL = 0x2160,
    FCRTH = 0x2168, RDFH = 0x2410, RDFPC = 0x2430, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808,
    RDH = 0x2810, RDT = 0x2818, RDTR = 0x2820, RXDCTL = 0x2828, RADV = 0x282c, RSRPD = 0x2c00,
    TXDMAC = 0x3000, TDFH = 0x3410, TDFPC = 0x3430, TDBAL = 0x3800, TDBAH = 0x3804,
    TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, TIDV = 0x3820, TXDCTL = 0x3828, TADV = 0x382c,
    TSPMT = 0x3830, STATS = 0x4000, MPC = 0x4010, RLEC = 0x4040, FCRUC = 0x4058, PRC64 = 0x405c,
    PRC127 = 0x4060, PRC255 = 0x4064, PRC511 = 0x4068, PRC1023 = 0x406c, PRC1522 = 0x4070,
    GPRC = 0x4074, BPRC = 0x4078, MPRC = 0x407c, GPTC = 0x4080, GORCL = 0x4088, GORCH = 0x408c,
    GOTCL = 0x4090, GOTCH = 0x4094, RNBC = 0x40a0, RUC = 0x40a4, ROC = 0x40ac, TORL = 0x40c0,
    TORH = 0x40c4, TOTL = 0x40c8, TOTH = 0x40cc, TPR = 0x40d0, TPT = 0x40d4, PTC64 = 0x40d8,
    PTC1522 = 0x40ec, MPTC = 0x40f0, BPTC = 0x40f4, TSCTC = 0x40f8, TSCTFC = 0x40fc,
    RXCSUM = 0x5000, MTA = 0x5200, RA = 0x5400, VFTA = 0x5600, WUC = 0x5800, WUFC = 0x5808,
    WUS = 0x5810, MANC = 0x5820, IPAV = 0x5838, IP4AT = 0x5840, IP6AT = 0x5880, WUPM = 0x5a00,
    SWSM = 0x5b50, FFLT = 0x5f00, FFMT = 0x9000, FFVT = 0x9800, PBM = 0x10000,
};

#define CTRL_SLU            (1u << 6)
#define CTRL_RST            (1u << 26)
#define CTRL_VME            (1u << 30)
#define STATUS_LU           (1u << 1)

#define ICR_TXDW            (1u << 0)
#define ICR_TXQE            (1u << 1)
#define ICR_LSC             (1u << 2)
#define ICR_RXDMT0          (1u << 4)
#define ICR_RXO             (1u << 6)
#define ICR_RXT0            (1u << 7)
#define ICR_MDAC            (1u << 9)

#define RCTL_EN             (1u << 1)
#define RCTL_SBP            (1u << 2)
#define RCTL_UPE            (1u << 3)
#define RCTL_MPE            (1u << 4)
#define RCTL_LPE            (1u << 5)
#define RCTL_LBM_MAC        (1u << 6)
#define RCTL_BAM            (1u << 15)
#define RCTL_VFE            (1u << 18)
#define RCTL_BSEX           (1u << 25)
#define RCTL_SECRC          (1u << 26)

#define TCTL_EN             (1u << 1)

/* PHY registers (8.2, M88E1000's) */
enum {
    PHY_CTRL = 0, PHY_STATUS = 1, PHY_ID1 = 2, PHY_ID2 = 3, PHY_AUTONEG_ADV = 4,
    PHY_LP_ABILITY = 5, PHY_AUTONEG_EXP = 6, PHY_1000T_CTRL = 9, PHY_1000T_STATUS = 10,
    PHY_SPEC_CTRL = 16, PHY_SPEC_STATUS = 17, PHY_INT_ENABLE = 18, PHY_EXT_SPEC_CTRL = 20,
    PHY_RX_ERRORS = 21,
};
#define PHY_CTRL_LOOPBACK   0x4000

#define E1000_MMIO_SIZE     0x20000
#define E1000_REGS          (E1000_MMIO_SIZE / 4)
#define E1000_RA_ENTRIES    16
#define E1000_EEPROM_WORDS  64
#define E1000_PHY_REGS      32
#define E1000_DESC_SIZE     16
#define E1000_FCS_LEN       4
#define E1000_VLAN_LEN      4

/* What the last context descriptor said (3.3.6); kept apart for segmentation and for checksums. */
typedef struct TxContext {
    uint8_t ipcss, ipcso, tucss, tucso, hdr_len;
    uint16_t ipcse, tucse, mss;
    uint32_t paylen;
    int8_t ip, tcp;                         /* 1: IPv4, 1: TCP */
} TxContext;

/* The packet whose descriptors are being fetched. */
typedef struct TxPacket {
    TxContext checksum, tso;
    bool is_tso;                            /* its first descriptor had TSE */
    bool options_known;                     /* a descriptor of it was seen */
    uint8_t sum_needed;                     /* POPTS of its first descriptor */
    uint16_t size;                          /* bytes in data */
    uint16_t tso_frames;                    /* segments sent so far */
    uint8_t header[256];                    /* the prototype header of a segmented packet */
    uint8_t data[0x10000];
} TxPacket;

typedef struct Eecd {
    uint32_t val_in, old_eecd;
    uint16_t bitnum_in, bitnum_out, reading;
} Eecd;

typedef struct E1000 {
    PciDevice pci;
    /* configuration */
    NicConf conf;
    bool autonegotiation, mitigation, extra_mac_registers, migrate_tso_props, init_vet;
    /* wiring */
    NetClient *nic;
    MemRegion mmio, io;
    VmTimer autoneg_timer, throttle_timer, tx_timer;
    bool transmitting;
    /* guest-visible state */
    uint32_t mac[E1000_REGS];               /* registers, by offset / 4 */
    uint16_t phy[E1000_PHY_REGS];
    uint16_t eeprom[E1000_EEPROM_WORDS];
    uint32_t io_addr;
    Eecd eecd;
    TxPacket tx;
    bool irq_level;
    /* saved for the stream only: follow from RCTL */
    uint32_t rxbuf_size, rxbuf_min_shift;
} E1000;

static inline uint32_t *e1000_reg(E1000 *nic, uint32_t offset)
{
    return &nic->mac[offset / 4];
}

/* Adds causes of an interrupt and recomputes the line. */
void e1000_interrupt(E1000 *nic, uint32_t causes);
/* Statistics stick at their maximum (13.7); a 64-bit one is a pair of registers, low first. */
void e1000_count(E1000 *nic, uint32_t offset, uint32_t n);
void e1000_count64(E1000 *nic, uint32_t low, uint32_t n);
/* The counter of frames of that size, from the first of six in a row (PRC64, PTC64). */
void e1000_count_size(E1000 *nic, uint32_t first, size_t len);

/* e1000_phy.c */
void e1000_phy_reset(E1000 *nic);
void e1000_eeprom_init(E1000 *nic);
uint32_t e1000_eecd_read(E1000 *nic, uint32_t offset);
void e1000_eecd_write(E1000 *nic, uint32_t offset, uint32_t value);
uint32_t e1000_eerd_read(E1000 *nic, uint32_t offset);
void e1000_mdic_write(E1000 *nic, uint32_t offset, uint32_t value);
void e1000_link_changed(void *opaque, bool up);
void e1000_autoneg_done(void *opaque);
bool e1000_autoneg_pending(const E1000 *nic);

/* e1000_rx.c */
bool e1000_can_receive(void *opaque);
ssize_t e1000_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len);
/* A frame from the wire, or the chip's own in a loopback mode. */
void e1000_receive_frame(E1000 *nic, const struct iovec *iov, unsigned niov, size_t len);
uint32_t e1000_rx_buffer_size(const E1000 *nic);

/* e1000_tx.c */
void e1000_transmit(void *opaque);          /* what is in the ring, as far as one turn goes */
