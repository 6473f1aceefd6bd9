/*
 * National PC16550D UART: the part between a bus and a character device.
 *
 * Whoever embeds it (isa-serial, later pci-serial) places `io` and connects `irq`.  Machine lock.
 */
#pragma once

#include "chardev.h"
#include "device.h"

#define UART_FIFO_SIZE 16

typedef struct UartFifo {
    uint8_t data[UART_FIFO_SIZE];
    uint8_t head, count;
} UartFifo;

typedef struct Uart {
    /* configuration: set before uart_init() */
    uint32_t baudbase;                  /* bits per second at divisor 1 */
    CharFrontend chr;
    IrqLine irq;
    /* wiring */
    Vm *vm;
    MemRegion io;
    VmTimer timeout;                    /* characters wait in the FIFO with nobody told */
    /* guest-visible state: uart_state */
    uint16_t divisor;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    bool thr_interrupt, timeout_interrupt;
    UartFifo rx, tx;
    int64_t timeout_ns;
} Uart;

extern const StateDesc uart_state;

void uart_init(Uart *uart, Vm *vm, Object *owner, const char *region_name);
void uart_finish(Uart *uart);
void uart_reset(Uart *uart);
