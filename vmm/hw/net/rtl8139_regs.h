/*
 * The RTL8139C+'s struct and what its files share: rtl8139.c (registers, interrupt, timer, life),
 * rtl8139_rx.c, rtl8139_tx.c (the four buffers of old), rtl8139_cplus.c (the C+ transmit ring).
 */
#pragma once

#include "net.h"
#include "pci.h"

/* ---- registers, 5 ---- */
enum {
    REG_IDR = 0x00, REG_MAR = 0x08, REG_TSD = 0x10, REG_TSAD = 0x20, REG_RBSTART = 0x30,
    REG_CR = 0x37, REG_CAPR = 0x38, REG_CBR = 0x3a, REG_IMR = 0x3c, REG_ISR = 0x3e,
    REG_TCR = 0x40, REG_RCR = 0x44, REG_TCTR = 0x48, REG_MPC = 0x4c, REG_9346CR = 0x50,
    REG_CONFIG0 = 0x51, REG_CONFIG1 = 0x52, REG_TIMERINT = 0x54, REG_MSR = 0x58,
    REG_CONFIG3 = 0x59, REG_CONFIG4 = 0x5a, REG_MULINT = 0x5c, REG_TSAD_ALL = 0x60,
    REG_BMCR = 0x62, REG_BMSR = 0x64, REG_ANAR = 0x66, REG_ANLPAR = 0x68, REG_ANER = 0x6a,
    REG_CSCR = 0x74, REG_CONFIG5 = 0xd8, REG_TPPOLL = 0xd9, REG_CPCR = 0xe0, REG_RDSAR = 0xe4,
    REG_MTPS = 0xec,
};

#define TSD_SIZE        0x1fff
#define TSD_OWN         (1u << 13)
#define TSD_TUN         (1u << 14)
#define TSD_TOK         (1u << 15)
#define TSD_TABT        (1u << 30)

#define CR_BUFE         0x01
#define CR_TE           0x04
#define CR_RE           0x08
#define CR_RST          0x10

#define ISR_ROK         0x0001
#define ISR_RER         0x0002
#define ISR_TOK         0x0004
#define ISR_TER         0x0008
#define ISR_RXOVW       0x0010
#define ISR_LINK        0x0020          /* packet underrun, or the link changed */
#define ISR_TDU         0x0080          /* C+: the transmit ring ran empty */
#define ISR_SWINT       0x0100
#define ISR_TIMEOUT     0x4000

#define TCR_LOOPBACK    0x00060000

#define RCR_AAP         0x01
#define RCR_APM         0x02
#define RCR_AM          0x04
#define RCR_AB          0x08
#define RCR_WRAP        0x80

#define CPCR_TX         0x01
#define CPCR_RX         0x02
#define CPCR_RX_VLAN    0x40

#define RTL8139_TX_DESCS        4
#define RTL8139_RING_MAX        64      /* entries of a C+ ring; fewer if one says it is the last */
#define RTL8139_PACKET_MAX      0x10000
#define RTL8139_CRC_LEN         4
#define RTL8139_VLAN_LEN        4

/* The counters a driver has stored in its memory (5.2, DTCCR). */
typedef struct Tally {
    uint64_t tx_ok, rx_ok, tx_err;
    uint32_t rx_err;
    uint16_t missed, alignment;
    uint32_t tx_1col, tx_mcol;
    uint64_t rx_ok_phy, rx_ok_brd;
    uint32_t rx_ok_mul;
    uint16_t tx_abort, tx_underrun;
} Tally;

/* A 93C46: 64 words over a serial line, read only. */
typedef struct Eeprom93c46 {
    uint16_t contents[64];
    int32_t mode;
    uint32_t tick;
    uint8_t address;
    uint16_t input, output;
    uint8_t eecs, eesk, eedi, eedo;
} Eeprom93c46;

typedef struct Rtl8139 {
    PciDevice pci;
    /* configuration */
    NicConf conf;
    /* wiring */
    NetClient *nic;
    MemRegion mmio, io;
    VmTimer timer;                      /* of TimerInt */
    VmTimer tx_timer;                   /* continues a C+ ring */
    bool transmitting;
    uint8_t *packet;                    /* C+: the packet whose descriptors are being fetched */
    uint32_t packet_len;
    /* guest-visible state */
    uint8_t phys[6], mult[8];           /* IDR, MAR */
    uint32_t tx_status[RTL8139_TX_DESCS], tx_addr[RTL8139_TX_DESCS];
    uint32_t rx_buf;                    /* RBSTART */
    uint32_t rx_buf_size, rx_buf_ptr, rx_buf_addr;      /* ring of bytes: taken, filled up to */
    uint16_t isr, imr;
    uint32_t tx_config, rx_config, rx_missed;
    uint16_t cscr;
    uint8_t cfg9346, config0, config1, config3, config4, config5;
    uint8_t clock_enabled, command;
    uint16_t mulint, bmcr, bmsr, anar, anlpar, aner, cp_command;
    uint8_t tx_threshold;
    uint8_t address[6];                 /* the card's own, as it was given */
    uint32_t tx_desc, cp_rx_desc, cp_tx_desc;           /* next in turn */
    uint32_t rx_ring[2];                /* C+: low and high half of its address */
    Eeprom93c46 eeprom;
    uint32_t timer_int;
    int64_t timer_base_ns;
    Tally tally;
    uint32_t cplus_enabled;
} Rtl8139;

void rtl8139_interrupt(Rtl8139 *nic, uint16_t causes);
static inline bool rtl8139_receives(const Rtl8139 *nic) { return nic->command & CR_RE; }
static inline bool rtl8139_transmits(const Rtl8139 *nic) { return nic->command & CR_TE; }

/* rtl8139_rx.c */
bool rtl8139_can_receive(void *opaque);
ssize_t rtl8139_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len);
/* A frame from the wire, or the chip's own in loopback mode. */
void rtl8139_receive_frame(Rtl8139 *nic, const struct iovec *iov, unsigned niov, size_t len);
bool rtl8139_rx_is_empty(const Rtl8139 *nic);
void rtl8139_set_rx_config(Rtl8139 *nic, uint32_t value);

/* rtl8139_tx.c */
void rtl8139_transmit(Rtl8139 *nic);                    /* what is in the four buffers */
void rtl8139_send(Rtl8139 *nic, const uint8_t *data, size_t len, const uint8_t *tag);

/* rtl8139_cplus.c */
void rtl8139_cplus_transmit(void *opaque);              /* what is in the ring */
