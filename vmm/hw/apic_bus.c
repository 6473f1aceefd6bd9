/*
 * Messages between local APICs, from the IOAPIC and from devices: who is meant, and what arrives
 * (SDM volume 3A, 10.6, 10.11 and 10.12.10).
 */
#include "apic_state.h"

typedef struct Message {
    uint32_t dest;
    bool wide;                  /* 32-bit destination, from an x2APIC's ICR */
    bool logical;
    bool level, assert;
    uint8_t delivery, vector;
} Message;

#define MSI_DEST(address)   ((uint32_t)(address) >> 12 & 0xff)
#define MSI_REDIRECT        (1u << 3)
#define MSI_LOGICAL         (1u << 2)
#define MSI_DATA_ASSERT     (1u << 14)
#define MSI_DATA_LEVEL      (1u << 15)

/* ---- who ---- */

static bool is_broadcast(const Message *msg)
{
    return msg->dest == (msg->wide ? UINT32_MAX : 0xff);
}

static bool matches_physical(const Apic *apic, const Message *msg)
{
    return msg->dest == (apic_x2(apic) ? apic->cpu->apic_id : apic->id);
}

/* 10.12.10.2: cluster in the high half, one bit for each of its 16 members below. */
static bool matches_x2_logical(const Apic *apic, const Message *msg)
{
    uint32_t id = apic->cpu->apic_id;

    return msg->dest >> 16 == id >> 4 && msg->dest >> (id & 15) & 1;
}

static bool matches_logical(const Apic *apic, const Message *msg)
{
    if (apic_x2(apic)) {
        return matches_x2_logical(apic, msg);
    }
    if (apic->dest_mode == DFR_FLAT) {
        return apic->log_dest & msg->dest;
    }
    return apic->log_dest >> 4 == (msg->dest >> 4 & 0xf) && apic->log_dest & msg->dest & 0xf;
}

static bool is_destination(const Apic *apic, const Message *msg)
{
    if (!(apic->apicbase & APIC_BASE_EN)) {
        return false;
    }
    return is_broadcast(msg) ||
           (msg->logical ? matches_logical(apic, msg) : matches_physical(apic, msg));
}

/* ---- what ---- */

static void deliver(Apic *apic, const Message *msg)
{
    switch (msg->delivery) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        if (apic_enabled(apic)) {
            apic_request(apic, msg->vector, msg->level);
        }
        break;
    case DELIVER_SMI:
        cpu_raise(apic->cpu, CPU_EVENT_SMI);
        break;
    case DELIVER_NMI:
        cpu_raise(apic->cpu, CPU_EVENT_NMI);
        break;
    case DELIVER_INIT:
        if (msg->level && !msg->assert) {
            apic->arb_id = apic->id;    /* table 10-3: de-assert only synchronises arbitration */
        } else {
            cpu_raise(apic->cpu, CPU_EVENT_INIT);
        }
        break;
    case DELIVER_SIPI:
        __atomic_store_n(&apic->cpu->sipi_vector, msg->vector, __ATOMIC_SEQ_CST);
        cpu_raise(apic->cpu, CPU_EVENT_SIPI);
        break;
    case DELIVER_EXTINT:
        if (apic_enabled(apic)) {
            apic->extint = 1;
            apic_update(apic);
        }
        break;
    }
}

typedef struct Route {
    const Apic *sender;
    unsigned shorthand;
} Route;

static bool is_target(const Apic *apic, const Message *msg, const Route *route)
{
    switch (route->shorthand) {
    case SHORTHAND_SELF:
        return apic == route->sender;
    case SHORTHAND_ALL:
        return apic->apicbase & APIC_BASE_EN;
    case SHORTHAND_OTHERS:
        return apic != route->sender && apic->apicbase & APIC_BASE_EN;
    }
    return is_destination(apic, msg);
}

static Apic *nth_apic(const Vm *vm, guint n)
{
    const X86Cpu *cpu = g_ptr_array_index(vm->cpus, n);

    return cpu->apic != NULL && cpu->apic->type == &apic_type ? DEVICE_CAST(cpu->apic, Apic) : NULL;
}

static void send_lowest(Vm *vm, const Message *msg, const Route *route)
{
    Apic *best = NULL;

    for (guint i = 0; i < vm->cpus->len; i++) {
        Apic *apic = nth_apic(vm, i);

        if (apic != NULL && apic_enabled(apic) && is_target(apic, msg, route) &&
            (best == NULL || apic_ppr(apic) < apic_ppr(best))) {
            best = apic;
        }
    }
    if (best != NULL) {
        deliver(best, msg);
    }
}

static void send(Vm *vm, const Message *msg, const Route *route)
{
    if (msg->delivery == DELIVER_LOWEST) {
        send_lowest(vm, msg, route);
        return;
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        Apic *apic = nth_apic(vm, i);

        if (apic != NULL && is_target(apic, msg, route)) {
            deliver(apic, msg);
        }
    }
}

/* ---- senders ---- */

void apic_send_ipi(Apic *apic)
{
    uint32_t icr = apic->icr[0];
    Message msg = {
        .dest = apic_x2(apic) ? apic->icr[1] : apic->icr[1] >> 24, .wide = apic_x2(apic),
        .logical = icr & ICR_LOGICAL, .level = icr & ICR_LEVEL, .assert = icr & ICR_ASSERT,
        .delivery = icr >> 8 & 7, .vector = icr,
    };
    Route route = { apic, ICR_SHORTHAND(icr) };

    if (msg.delivery <= DELIVER_LOWEST) {
        msg.level = false;              /* table 10-3: IPIs with a vector are edges */
        if (msg.vector < 16) {
            apic_error(apic, ESR_SEND_ILLEGAL);
            return;
        }
    }
    send(apic->dev.vm, &msg, &route);
}

void apic_msi(Vm *vm, uint64_t address, uint32_t data)
{
    Message msg = {
        .dest = MSI_DEST(address), .logical = address & MSI_LOGICAL, .level = data & MSI_DATA_LEVEL,
        .assert = data & MSI_DATA_ASSERT, .delivery = data >> 8 & 7, .vector = data,
    };
    Route route = { NULL, SHORTHAND_NONE };

    if (msg.delivery == DELIVER_FIXED && msg.logical && address & MSI_REDIRECT) {
        msg.delivery = DELIVER_LOWEST;  /* 10.11.1: redirection hint */
    }
    if (msg.delivery != DELIVER_SIPI) {
        send(vm, &msg, &route);
    }
}

void apic_inject_nmi(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        Apic *apic = nth_apic(vm, i);

        if (apic != NULL) {
            apic_local(apic, LVT_LINT1);
        }
    }
}
