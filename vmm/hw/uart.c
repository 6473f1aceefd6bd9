/*
 * National PC16550D UART (data sheet of June 1995).
 * Not modelled: the baud rate; characters leave as fast as the character device takes them, and the
 * rate only scales the receive time-out.  Parity and framing errors do not happen.
 */
#include "uart.h"

#include <string.h>

#include "vm_core.h"

/* ---- registers (8.0, table 2) ---- */
enum { REG_RBR_THR_DLL, REG_IER_DLM, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RDA         0x01
#define IER_THRE        0x02
#define IER_RLS         0x04
#define IER_MSI         0x08

#define IIR_NONE        0x01
#define IIR_MSI         0x00
#define IIR_THRE        0x02
#define IIR_RDA         0x04
#define IIR_RLS         0x06
#define IIR_TIMEOUT     0x0c
#define IIR_FIFO        0xc0

#define FCR_ENABLE      0x01
#define FCR_CLEAR_RX    0x02
#define FCR_CLEAR_TX    0x04
#define FCR_KEPT        0xc9            /* enable, DMA mode, trigger level */

#define LCR_BITS        0x03            /* 5 to 8 */
#define LCR_STOP        0x04
#define LCR_PARITY      0x08
#define LCR_EVEN        0x10
#define LCR_BREAK       0x40
#define LCR_DLAB        0x80

#define MCR_DTR         0x01
#define MCR_RTS         0x02
#define MCR_OUT1        0x04
#define MCR_OUT2        0x08
#define MCR_LOOP        0x10

#define LSR_DR          0x01
#define LSR_OE          0x02
#define LSR_BI          0x10
#define LSR_THRE        0x20
#define LSR_TEMT        0x40
#define LSR_ERRORS      0x1e

#define MSR_DCTS        0x01
#define MSR_DDSR        0x02
#define MSR_TERI        0x04
#define MSR_DDCD        0x08
#define MSR_CTS         0x10
#define MSR_DSR         0x20
#define MSR_RI          0x40
#define MSR_DCD         0x80
#define MSR_DELTAS      0x0f

/* ---- FIFOs ---- */

static bool fifo_push(UartFifo *fifo, uint8_t byte, unsigned depth)
{
    if (fifo->count >= depth) {
        return false;
    }
    fifo->data[(fifo->head + fifo->count) % UART_FIFO_SIZE] = byte;
    fifo->count++;
    return true;
}

static uint8_t fifo_pop(UartFifo *fifo)
{
    uint8_t byte = fifo->data[fifo->head];

    fifo->head = (fifo->head + 1) % UART_FIFO_SIZE;
    fifo->count--;
    return byte;
}

static unsigned depth(const Uart *uart)
{
    return uart->fcr & FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static unsigned trigger_level(const Uart *uart)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/* ---- interrupt: the highest of the pending ones, 8.6.1 ---- */

static uint8_t pending_interrupt(const Uart *uart)
{
    if ((uart->ier & IER_RLS) && (uart->lsr & LSR_ERRORS)) {
        return IIR_RLS;
    }
    if ((uart->ier & IER_RDA) && uart->rx.count >= trigger_level(uart)) {
        return IIR_RDA;
    }
    if ((uart->ier & IER_RDA) && uart->timeout_interrupt) {
        return IIR_TIMEOUT;
    }
    if ((uart->ier & IER_THRE) && uart->thr_interrupt) {
        return IIR_THRE;
    }
    if ((uart->ier & IER_MSI) && (uart->msr & MSR_DELTAS)) {
        return IIR_MSI;
    }
    return IIR_NONE;
}

static void uart_update(Uart *uart)
{
    uart->lsr &= ~(LSR_DR | LSR_THRE | LSR_TEMT);
    uart->lsr |= uart->rx.count > 0 ? LSR_DR : 0;
    uart->lsr |= uart->tx.count == 0 ? LSR_THRE | LSR_TEMT : 0;
    irq_set(&uart->irq, pending_interrupt(uart) != IIR_NONE);
}

/* Four characters' time without traffic while characters wait, 8.7. */
static void restart_timeout(Uart *uart)
{
    int64_t char_ns = NS_PER_SEC * 10 * MAX(uart->divisor, 1) / MAX(uart->baudbase, 1);

    uart->timeout_interrupt = false;
    uart->timeout_ns = (uart->fcr & FCR_ENABLE) && uart->rx.count > 0
                           ? vm_clock_ns(uart->vm) + 4 * char_ns : VM_TIMER_OFF;
    vm_timer_set(&uart->timeout, uart->timeout_ns);
}

static void uart_timed_out(void *opaque)
{
    Uart *uart = opaque;

    uart->timeout_ns = VM_TIMER_OFF;
    uart->timeout_interrupt = uart->rx.count > 0;
    uart_update(uart);
}

/* ---- receiving ---- */

static void receive_byte(Uart *uart, uint8_t byte)
{
    if (!fifo_push(&uart->rx, byte, depth(uart))) {
        uart->lsr |= LSR_OE;
    }
    restart_timeout(uart);
}

static int uart_can_receive(void *opaque)
{
    Uart *uart = opaque;

    return uart->mcr & MCR_LOOP ? 0 : depth(uart) - MIN(uart->rx.count, depth(uart));
}

static void uart_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Uart *uart = opaque;

    for (size_t i = 0; i < len; i++) {
        receive_byte(uart, buf[i]);
    }
    uart_update(uart);
}

static void set_modem_lines(Uart *uart, uint8_t lines)
{
    uint8_t old = uart->msr & 0xf0, changed = old ^ lines;

    uart->msr = (uart->msr & MSR_DELTAS) | lines;
    uart->msr |= (changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4;
    if ((old & MSR_RI) && !(lines & MSR_RI)) {
        uart->msr |= MSR_TERI;
    }
}

static void uart_event(void *opaque, CharEvent event)
{
    Uart *uart = opaque;

    if (event == CHAR_EVENT_BREAK && !(uart->mcr & MCR_LOOP)) {
        receive_byte(uart, 0);
        uart->lsr |= LSR_BI;
        uart_update(uart);
    }
}

/* ---- sending ---- */

static void uart_room(void *opaque);

static void transmit(Uart *uart)
{
    while (uart->tx.count > 0) {
        uint8_t byte;

        if (uart->mcr & MCR_LOOP) {
            receive_byte(uart, fifo_pop(&uart->tx));
            continue;
        }
        if (uart->chr.chr != NULL && chardev_write_room(&uart->chr) == 0) {
            chardev_notify_room(&uart->chr, uart_room, uart);
            return;
        }
        byte = fifo_pop(&uart->tx);
        chardev_write(&uart->chr, &byte, 1);
    }
    uart->thr_interrupt = true;
}

static void uart_room(void *opaque)
{
    Uart *uart = opaque;

    transmit(uart);
    uart_update(uart);
}

/* ---- register access ---- */

static uint8_t read_rbr(Uart *uart)
{
    uint8_t byte;

    if (uart->rx.count == 0) {
        return 0;
    }
    byte = fifo_pop(&uart->rx);
    restart_timeout(uart);
    chardev_accept_input(&uart->chr);
    return byte;
}

static uint8_t read_iir(Uart *uart)
{
    uint8_t pending = pending_interrupt(uart);

    if (pending == IIR_THRE) {
        uart->thr_interrupt = false;                    /* reading it here acknowledges it */
    }
    return pending | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned size)
{
    Uart *uart = opaque;
    bool dlab = (uart->lcr & LCR_DLAB) != 0;
    uint8_t value = 0;

    switch (offset) {
    case REG_RBR_THR_DLL:
        value = dlab ? uart->divisor & 0xff : read_rbr(uart);
        break;
    case REG_IER_DLM:
        value = dlab ? uart->divisor >> 8 : uart->ier;
        break;
    case REG_IIR_FCR:
        value = read_iir(uart);
        break;
    case REG_LCR:
        value = uart->lcr;
        break;
    case REG_MCR:
        value = uart->mcr;
        break;
    case REG_LSR:
        value = uart->lsr;
        uart->lsr &= ~LSR_ERRORS;
        break;
    case REG_MSR:
        value = uart->msr;
        uart->msr &= ~MSR_DELTAS;
        break;
    case REG_SCR:
        value = uart->scr;
        break;
    }
    uart_update(uart);
    return value;
}

static void write_thr(Uart *uart, uint8_t byte)
{
    uart->thr_interrupt = false;
    if (!fifo_push(&uart->tx, byte, depth(uart))) {
        /* The last one is overwritten. */
        uart->tx.data[(uart->tx.head + uart->tx.count - 1) % UART_FIFO_SIZE] = byte;
    }
    transmit(uart);
}

static void write_ier(Uart *uart, uint8_t value)
{
    bool thre_enabled = (value & IER_THRE) != 0 && (uart->ier & IER_THRE) == 0;

    uart->ier = value & 0x0f;
    if (thre_enabled && uart->tx.count == 0) {
        uart->thr_interrupt = true;             /* enabling it with an empty THR raises it */
    }
}

static void write_fcr(Uart *uart, uint8_t value)
{
    bool toggled = ((value ^ uart->fcr) & FCR_ENABLE) != 0;

    if (toggled || (value & FCR_CLEAR_RX)) {
        uart->rx.count = 0;
    }
    if (toggled || (value & FCR_CLEAR_TX)) {
        uart->tx.count = 0;
    }
    uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    restart_timeout(uart);
    chardev_accept_input(&uart->chr);
}

/* Drivers write the divisor first and leave DLAB after it, so that LCR is the last word. */
static void set_line(Uart *uart)
{
    CharLine line = {
        .bits_per_s = uart->baudbase / MAX(uart->divisor, 1),
        .data_bits = 5 + (uart->lcr & LCR_BITS),
        .stop_bits = uart->lcr & LCR_STOP ? 2 : 1,
        .parity = !(uart->lcr & LCR_PARITY) ? CHAR_PARITY_NONE :
                  uart->lcr & LCR_EVEN ? CHAR_PARITY_EVEN : CHAR_PARITY_ODD,
    };

    chardev_set_line(&uart->chr, &line);
}

static void write_lcr(Uart *uart, uint8_t value)
{
    if ((value ^ uart->lcr) & LCR_BREAK) {
        chardev_send_break(&uart->chr, (value & LCR_BREAK) != 0);
    }
    uart->lcr = value;
    set_line(uart);
}

/* The wires of loop-back mode, 8.8. */
static uint8_t modem_lines(const Uart *uart)
{
    if (!(uart->mcr & MCR_LOOP)) {
        return MSR_DCD | MSR_DSR | MSR_CTS;
    }
    return (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
           (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void uart_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Uart *uart = opaque;
    bool dlab = (uart->lcr & LCR_DLAB) != 0;

    switch (offset) {
    case REG_RBR_THR_DLL:
        if (dlab) {
            uart->divisor = (uart->divisor & 0xff00) | value;
        } else {
            write_thr(uart, value);
        }
        break;
    case REG_IER_DLM:
        if (dlab) {
            uart->divisor = (uart->divisor & 0x00ff) | value << 8;
        } else {
            write_ier(uart, value);
        }
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        write_lcr(uart, value);
        break;
    case REG_MCR:
        uart->mcr = value & 0x1f;
        set_modem_lines(uart, modem_lines(uart));
        chardev_accept_input(&uart->chr);
        break;
    case REG_SCR:
        uart->scr = value;
        break;
    }
    uart_update(uart);
}

static const MemOps uart_ops = { uart_read, uart_write, .max_size = 1 };

/* ---- state ---- */

static bool uart_loaded(void *opaque, GError **error)
{
    Uart *uart = opaque;

    vm_timer_set(&uart->timeout, uart->timeout_ns);
    if (uart->tx.count > 0) {
        transmit(uart);
    }
    uart_update(uart);
    return true;
}

static const StateField fifo_fields[] = {
    STATE_UINT8_ARRAY(UartFifo, data),
    STATE_UINT8(UartFifo, head, .range = { 0, UART_FIFO_SIZE - 1 }),
    STATE_UINT8(UartFifo, count, .range = { 0, UART_FIFO_SIZE }),
    {}
};
static const StateDesc fifo_state = { .name = "fifo", .version = 1, .fields = fifo_fields };

static const StateField uart_fields[] = {
    STATE_UINT16(Uart, divisor),
    STATE_UINT8(Uart, ier), STATE_UINT8(Uart, fcr), STATE_UINT8(Uart, lcr), STATE_UINT8(Uart, mcr),
    STATE_UINT8(Uart, lsr), STATE_UINT8(Uart, msr), STATE_UINT8(Uart, scr),
    STATE_BOOL(Uart, thr_interrupt), STATE_BOOL(Uart, timeout_interrupt),
    STATE_STRUCT(Uart, rx, UartFifo, fifo_state), STATE_STRUCT(Uart, tx, UartFifo, fifo_state),
    STATE_INT64(Uart, timeout_ns, .range = { VM_TIMER_OFF, INT64_MAX }),
    {}
};
const StateDesc uart_state = {
    .name = "serial", .version = 1, .fields = uart_fields, .loaded = uart_loaded,
};

/* ---- life ---- */

void uart_init(Uart *uart, Vm *vm, Object *owner, const char *region_name)
{
    uart->vm = vm;
    uart->chr.opaque = uart;
    uart->chr.can_receive = uart_can_receive;
    uart->chr.receive = uart_receive;
    uart->chr.event = uart_event;
    vm_timer_init(&uart->timeout, vm, uart_timed_out, uart);
    mem_region_init_io(&uart->io, owner, region_name, 8, &uart_ops, uart);
    if (uart->chr.chr != NULL) {
        chardev_attach(&uart->chr, uart->chr.chr, NULL);
    }
}

void uart_finish(Uart *uart)
{
    vm_timer_finish(&uart->timeout);
    mem_region_finish(&uart->io);
    chardev_detach(&uart->chr);
}

/* Master reset, table 1; the divisor is undefined there, 12 (9600 bits a second) here. */
void uart_reset(Uart *uart)
{
    uart->divisor = 12;
    uart->ier = uart->fcr = uart->lcr = uart->scr = 0;
    uart->mcr = MCR_OUT2;
    uart->lsr = 0;
    uart->msr = MSR_DCD | MSR_DSR | MSR_CTS;
    uart->thr_interrupt = false;
    uart->rx.count = uart->tx.count = 0;
    restart_timeout(uart);
    uart_update(uart);
    chardev_accept_input(&uart->chr);
}
