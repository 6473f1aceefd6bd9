/* The local APIC's struct and the parts its files share.  Only apic*.c include this. */
#pragma once

#include "apic.h"

/*
 * Registers: offset in the page / 16, and MSR number - 0x800 (SDM volume 3A, tables 10-1 and 10-6).
 */
enum {
    APIC_ID = 0x02, APIC_VERSION = 0x03, APIC_TPR = 0x08, APIC_APR = 0x09, APIC_PPR = 0x0a,
    APIC_EOI = 0x0b, APIC_LDR = 0x0d, APIC_DFR = 0x0e, APIC_SVR = 0x0f, APIC_ISR = 0x10,
    APIC_TMR = 0x18, APIC_IRR = 0x20, APIC_ESR = 0x28, APIC_ICR = 0x30, APIC_ICR2 = 0x31,
    APIC_LVT = 0x32, APIC_TIMER_INITIAL = 0x38, APIC_TIMER_CURRENT = 0x39, APIC_TIMER_DIVIDE = 0x3e,
    APIC_SELF_IPI = 0x3f,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

#define LVT_DELIVERY(lvt)   ((lvt) >> 8 & 7)
#define LVT_PENDING         (1u << 12)
#define LVT_ACTIVE_LOW      (1u << 13)
#define LVT_REMOTE_IRR      (1u << 14)
#define LVT_LEVEL           (1u << 15)
#define LVT_MASKED          (1u << 16)
#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3)
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };

#define SVR_ENABLED         (1u << 8)
#define SVR_FOCUS           (1u << 9)

enum { DELIVER_FIXED, DELIVER_LOWEST, DELIVER_SMI, DELIVER_RESERVED, DELIVER_NMI, DELIVER_INIT,
       DELIVER_SIPI, DELIVER_EXTINT };

#define ICR_LOGICAL         (1u << 11)
#define ICR_BUSY            (1u << 12)
#define ICR_ASSERT          (1u << 14)
#define ICR_LEVEL           (1u << 15)
#define ICR_SHORTHAND(icr)  ((icr) >> 18 & 3)
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

#define ESR_SEND_ILLEGAL    (1u << 5)
#define ESR_RECEIVE_ILLEGAL (1u << 6)
#define ESR_REGISTER        (1u << 7)

#define APIC_BASE_BSP       (1u << 8)
#define APIC_BASE_EXTD      (1u << 10)      /* x2APIC mode */
#define APIC_BASE_EN        (1u << 11)
#define APIC_BASE_ADDRESS   0xfffff000u

#define DFR_FLAT            0x0f

typedef struct Apic {
    Device dev;
    /* configuration */
    uint32_t initial_id;
    uint8_t version;
    bool vapic;
    /* wiring */
    X86Cpu *cpu;
    VmTimer timer;
    MemRegion io;                   /* of the first CPU's APIC: the page of all of them */
    uint64_t tsc_start;             /* for the rate of the time stamp counter */
    int64_t tsc_start_ns;
    /* guest-visible state */
    uint32_t apicbase;
    uint8_t id, arb_id, tpr;
    uint32_t spurious_vec;
    uint8_t log_dest, dest_mode;    /* LDR bits 31–24, DFR bits 31–28 */
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t lvt[LVT_COUNT];
    uint32_t esr, errors;           /* as read; gathered since the last write */
    uint32_t icr[2];
    uint32_t divide_conf, initial_count;
    int64_t initial_count_load_time;
    int64_t next_time;              /* of the timer's next interrupt, VM_TIMER_OFF: none */
    uint64_t tsc_deadline;
    uint8_t lint;                   /* levels of LINT0 and LINT1 */
    uint8_t extint;                 /* an ExtINT message waits for its acknowledge */
} Apic;

static inline bool apic_x2(const Apic *apic)
{
    return apic->apicbase & APIC_BASE_EXTD;
}

static inline bool apic_enabled(const Apic *apic)
{
    return apic->apicbase & APIC_BASE_EN && apic->spurious_vec & SVR_ENABLED;
}

/* ---- apic.c ---- */
void apic_update(Apic *apic);                   /* the CPU's interrupt pin, from state */
uint8_t apic_ppr(const Apic *apic);
/* Requests a vector; what a fixed message does. */
void apic_request(Apic *apic, uint8_t vector, bool level);
void apic_error(Apic *apic, uint32_t error);
void apic_local(Apic *apic, unsigned lvt);      /* the event of this LVT row happened */

/* ---- apic_bus.c ---- */
void apic_send_ipi(Apic *apic);                 /* carries out icr */

/* ---- apic_timer.c ---- */
void apic_timer_init(Apic *apic);
void apic_timer_reset(Apic *apic);
void apic_timer_update(Apic *apic);             /* arms the host's timer, from state */
uint32_t apic_timer_current(const Apic *apic);
void apic_timer_set_initial(Apic *apic, uint32_t count);
void apic_timer_set_divide(Apic *apic, uint32_t divide);
void apic_timer_set_lvt(Apic *apic, uint32_t lvt);
void apic_timer_set_deadline(Apic *apic, uint64_t tsc);
unsigned apic_timer_shift(const Apic *apic);

/* ---- apic_view.c ---- */
void apic_print(const Apic *apic, GString *out);
