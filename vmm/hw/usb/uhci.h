/* The inside of the UHCI controller: uhci.c has its registers, uhci_schedule.c its schedule. */
#pragma once

#include "pci.h"
#include "usb.h"

#define UHCI_PORTS      2
#define UHCI_FRAME_NS   NS_PER_MS
#define UHCI_FRNUM_MASK 0x7ff

/* USBCMD, 2.1.1 */
#define CMD_RS          0x0001
#define CMD_HCRESET     0x0002
#define CMD_GRESET      0x0004
#define CMD_EGSM        0x0008
#define CMD_FGR         0x0010
/* USBSTS, 2.1.2 */
#define STS_USBINT      0x0001
#define STS_USBERR      0x0002
#define STS_RD          0x0004
#define STS_HSERR       0x0008
#define STS_HCPERR      0x0010
#define STS_HCHALTED    0x0020

/* PORTSC, 2.1.7 */
#define PORT_CCS        0x0001          /* connected */
#define PORT_CSC        0x0002          /* that changed */
#define PORT_PE         0x0004          /* enabled */
#define PORT_PEC        0x0008          /* that changed by itself */
#define PORT_DPLUS      0x0010
#define PORT_RD         0x0040
#define PORT_ALWAYS     0x0080
#define PORT_PR         0x0200          /* reset */
#define PORT_SUSP       0x1000

/* Why STS_USBINT is set, which the guest enables separately. */
#define STS2_IOC        0x01
#define STS2_SHORT      0x02

typedef struct UhciPort {
    UsbPort port;
    uint16_t ctrl;
} UhciPort;

typedef struct Uhci {
    PciDevice pci;
    /* configuration */
    uint32_t bandwidth;                 /* bytes a frame carries */
    uint32_t maxframes;                 /* frames made up for when late */
    /* wiring */
    MemRegion io;
    bool has_io;
    UsbBus *usb;
    VmTimer timer;
    unsigned idle_frames;               /* since something last went over */
    /* guest-visible state */
    UhciPort ports[UHCI_PORTS];
    uint16_t cmd, status, intr, frnum;
    uint32_t fl_base_addr;
    uint8_t sof_timing, status2;
    int64_t expire_time;                /* when the next frame begins */
    uint32_t pending_int_mask;
    /* the saved form */
    uint8_t num_ports_vmstate;
    int64_t frame_timer;
} Uhci;

/* What one frame came to. */
typedef struct UhciFrame {
    uint16_t status;                    /* STS_USBERR, STS_HSERR, STS_HCPERR */
    uint8_t status2;
    uint32_t bytes;
    bool busy;                          /* the guest is at work, beyond polling for reports */
} UhciFrame;

/* Walks the list of frame uhci->frnum. */
void uhci_run_frame(Uhci *uhci, UhciFrame *frame);
