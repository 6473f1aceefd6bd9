/*
 * The schedule (UHCI Design Guide 1.1, chapter 3): a frame's list of queue heads and transfer
 * descriptors in guest memory.
 *
 * A transfer descriptor's transaction is carried out whole when it is met.  Its retries are: a
 * device that does not answer the first time does not the third time, so the error counter runs out
 * at once.  Not modelled: the order of isochronous traffic within a frame.
 */
#include <string.h>

#include "uhci.h"

/* Links, 3.1 */
#define LINK_T          0x1             /* ends here */
#define LINK_Q          0x2             /* to a queue head */
#define LINK_VF         0x4             /* of a TD: go on in this queue */
#define LINK_ADDR       (~UINT32_C(0xf))

/* Control and status of a TD, 3.2.2 */
#define TD_ACTLEN       0x7ff
#define TD_CRC_TIMEOUT  (UINT32_C(1) << 18)
#define TD_NAK          (UINT32_C(1) << 19)
#define TD_BABBLE       (UINT32_C(1) << 20)
#define TD_STALLED      (UINT32_C(1) << 22)
#define TD_ACTIVE       (UINT32_C(1) << 23)
#define TD_IOC          (UINT32_C(1) << 24)
#define TD_ISOCHRONOUS  (UINT32_C(1) << 25)
#define TD_C_ERR        (UINT32_C(3) << 27)
#define TD_SPD          (UINT32_C(1) << 29)

#define TD_MAX_LEN      1280            /* 3.2.3: beyond that the consistency check fails */

#define STEPS_MAX       256             /* descriptors looked at in a frame */

typedef struct Td { uint32_t link, ctrl, token, buffer; } Td;
typedef struct Qh { uint32_t link, element; } Qh;

/* Where the walk of a frame is. */
typedef struct Walk {
    Uhci *uhci;
    UhciFrame *frame;
    uint32_t link;                      /* what comes next */
    /*
     * Queues may link in a circle, to use what is left of a frame.  A lap in which nothing moved
     * ends it; laps are found by comparing with a queue head that is chosen anew after 1, 2, 4, …
     * of them.
     */
    uint32_t mark;
    unsigned since_mark, next_mark;
    bool moved;
    bool polled;                        /* the last transaction was with an interrupt endpoint */
} Walk;

/* ---- guest memory ---- */

static bool read_words(Walk *walk, uint32_t addr, uint32_t *words, unsigned n)
{
    Uhci *uhci = walk->uhci;

    if (dma_read(&uhci->pci.dma, &uhci->pci.dev.obj, addr, words, 4 * n) != MEM_OK) {
        walk->frame->status |= STS_HSERR;
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        words[i] = GUINT32_FROM_LE(words[i]);
    }
    return true;
}

static bool write_bytes(Walk *walk, uint32_t addr, const void *data, uint32_t len)
{
    Uhci *uhci = walk->uhci;

    if (dma_write(&uhci->pci.dma, &uhci->pci.dev.obj, addr, data, len) != MEM_OK) {
        walk->frame->status |= STS_HSERR;
        return false;
    }
    return true;
}

static bool write_word(Walk *walk, uint32_t addr, uint32_t word)
{
    word = GUINT32_TO_LE(word);
    return write_bytes(walk, addr, &word, sizeof(word));
}

/* ---- transactions ---- */

static uint32_t td_len(const Td *td)
{
    return ((td->token >> 21) + 1) & 0x7ff;
}

static UsbDevice *td_device(const Uhci *uhci, const Td *td)
{
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        const UhciPort *port = &uhci->ports[i];
        UsbDevice *dev;

        if (port->ctrl & PORT_PE && !(port->ctrl & PORT_SUSP)) {
            dev = usb_find_device(&port->port, td->token >> 8 & 0x7f);
            if (dev) {
                return dev;
            }
        }
    }
    return NULL;
}

/* One transaction: a length, USB_NAK, …; false: the guest's memory was not there. */
static bool transact(Walk *walk, const Td *td, int *result)
{
    Uhci *uhci = walk->uhci;
    uint8_t data[TD_MAX_LEN];
    UsbPacket packet = {
        .pid = td->token, .endpoint = td->token >> 15 & 0x0f, .data = data, .len = td_len(td),
    };
    UsbDevice *dev = td_device(uhci, td);

    *result = USB_NO_ANSWER;
    walk->polled = false;
    if (!dev) {
        return true;
    }
    if (packet.pid != USB_PID_IN && packet.len > 0 &&
        dma_read(&uhci->pci.dma, &uhci->pci.dev.obj, td->buffer, data, packet.len) != MEM_OK) {
        walk->frame->status |= STS_HSERR;
        return false;
    }
    walk->polled = usb_is_interrupt(dev, &packet);
    *result = usb_packet(dev, &packet);
    return packet.pid != USB_PID_IN || *result <= 0 ||
           write_bytes(walk, td->buffer, data, *result);
}

/* How a queue goes on after a descriptor. */
typedef enum TdOutcome {
    TD_DONE,                            /* to its next one */
    TD_WAITS,                           /* stays at this one */
    TD_FATAL,                           /* the controller stops */
} TdOutcome;

static TdOutcome td_failed(Walk *walk, Td *td, int result)
{
    td->ctrl &= ~TD_ACTIVE;
    td->ctrl |= TD_STALLED;
    if (result == USB_NO_ANSWER) {
        td->ctrl = (td->ctrl & ~TD_C_ERR) | TD_CRC_TIMEOUT;
    } else if (result == USB_BABBLE) {
        td->ctrl |= TD_BABBLE;
    }
    walk->frame->status |= STS_USBERR;
    return TD_WAITS;
}

static TdOutcome td_went_over(Walk *walk, Td *td, unsigned len)
{
    bool is_short = (td->token & 0xff) == USB_PID_IN && len < td_len(td);

    td->ctrl &= ~(TD_ACTIVE | TD_NAK | TD_STALLED | TD_ACTLEN);
    td->ctrl |= (len - 1) & TD_ACTLEN;
    walk->frame->bytes += len;
    if (is_short && td->ctrl & TD_SPD) {
        walk->frame->status2 |= STS2_SHORT;
        return TD_WAITS;
    }
    return TD_DONE;
}

static bool td_is_consistent(const Td *td)
{
    uint8_t pid = td->token;

    return td_len(td) <= TD_MAX_LEN &&
           (pid == USB_PID_IN || pid == USB_PID_OUT || pid == USB_PID_SETUP);
}

static TdOutcome td_run(Walk *walk, uint32_t addr, Td *td)
{
    uint32_t before = td->ctrl;
    TdOutcome outcome;
    int result;

    if (!(td->ctrl & TD_ACTIVE)) {
        /* 3.2.2: the interrupt comes even where nothing is done. */
        if (td->ctrl & TD_IOC) {
            walk->frame->status2 |= STS2_IOC;
            walk->frame->busy = true;
        }
        return TD_WAITS;
    }
    if (!td_is_consistent(td)) {
        walk->frame->status |= STS_HCPERR;
        return TD_FATAL;
    }
    if (!transact(walk, td, &result)) {
        return TD_FATAL;
    }
    if (result == USB_NAK) {
        td->ctrl |= TD_NAK;
        outcome = TD_WAITS;
    } else {
        outcome = result >= 0 ? td_went_over(walk, td, result) : td_failed(walk, td, result);
        walk->frame->status2 |= td->ctrl & TD_IOC ? STS2_IOC : 0;
        walk->moved = true;
        walk->frame->busy |= !walk->polled;
    }
    if (td->ctrl & TD_ISOCHRONOUS) {
        td->ctrl &= ~TD_ACTIVE;             /* its frame is over, whatever came of it */
        outcome = TD_DONE;
    }
    return td->ctrl == before || write_word(walk, addr + 4, td->ctrl) ? outcome : TD_FATAL;
}

/* ---- lists ---- */

/* The circle was walked once more and nothing had moved. */
static bool walked_in_vain(Walk *walk, uint32_t qh_addr)
{
    if (qh_addr == walk->mark) {
        if (!walk->moved) {
            return true;
        }
        walk->moved = false;
    }
    if (++walk->since_mark >= walk->next_mark) {
        walk->mark = qh_addr;
        walk->since_mark = 0;
        walk->next_mark *= 2;
        walk->moved = false;
    }
    return false;
}

static bool frame_is_full(const Walk *walk)
{
    return walk->frame->bytes >= walk->uhci->bandwidth;
}

/* A queue's descriptors, as far as they lead depth first.  False: the frame ends. */
static bool walk_queue(Walk *walk, uint32_t qh_addr, Qh *qh, unsigned *steps)
{
    while (!(qh->element & (LINK_T | LINK_Q))) {
        uint32_t addr = qh->element & LINK_ADDR;
        TdOutcome outcome;
        Td td;

        if (++*steps > STEPS_MAX || !read_words(walk, addr, &td.link, 4)) {
            return false;
        }
        outcome = td_run(walk, addr, &td);
        if (outcome == TD_FATAL) {
            return false;
        }
        if (outcome == TD_WAITS) {
            break;
        }
        qh->element = td.link;
        if (!write_word(walk, qh_addr + 4, qh->element)) {
            return false;
        }
        if (frame_is_full(walk)) {
            return false;
        }
        if (!(td.link & LINK_VF)) {
            break;
        }
    }
    return true;
}

static bool walk_qh(Walk *walk, unsigned *steps)
{
    uint32_t addr = walk->link & LINK_ADDR;
    Qh qh;

    if (walked_in_vain(walk, addr) || !read_words(walk, addr, &qh.link, 2)) {
        return false;
    }
    if ((qh.element & (LINK_T | LINK_Q)) == LINK_Q) {
        walk->link = qh.element;                /* a queue of queues */
        return true;
    }
    walk->link = qh.link;
    return walk_queue(walk, addr, &qh, steps);
}

/* Outside of queues every descriptor leads to the next, whatever came of it. */
static bool walk_td(Walk *walk)
{
    uint32_t addr = walk->link & LINK_ADDR;
    Td td;

    if (!read_words(walk, addr, &td.link, 4)) {
        return false;
    }
    walk->link = td.link;
    return td_run(walk, addr, &td) != TD_FATAL && !frame_is_full(walk);
}

void uhci_run_frame(Uhci *uhci, UhciFrame *frame)
{
    Walk walk = { .uhci = uhci, .frame = frame, .mark = LINK_T, .next_mark = 1 };
    unsigned steps = 0;
    bool more;

    *frame = (UhciFrame){ 0 };
    more = read_words(&walk, uhci->fl_base_addr + 4 * (uhci->frnum & 0x3ff), &walk.link, 1);
    while (more && !(walk.link & LINK_T) && ++steps <= STEPS_MAX) {
        more = walk.link & LINK_Q ? walk_qh(&walk, &steps) : walk_td(&walk);
    }
}
