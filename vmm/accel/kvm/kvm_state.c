/*
 * X86Cpu to and from the kernel.  vCPU thread, CPU outside KVM_RUN.
 *
 * The kernel holds more than X86Cpu does (AVX-512 registers, an NMI half way in, protection keys):
 * such state is kept in KvmCpu from the last get_state() and written back with the rest.  After a
 * reset nothing was fetched, and the rest starts from zero.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>

#include "fpu_state.h"
#include "rhea_error.h"
#include "vm_log.h"

#define XSTATE_KNOWN (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX)

/* One request; a refusal is our bug or a value no CPU has: say it once in the log and go on. */
static bool request(X86Cpu *cpu, unsigned long what, void *argument, const char *name)
{
    if (ioctl(kvm_cpu(cpu)->fd, what, argument) < 0) {
        log_guest("CPU %u: %s: %s", cpu->index, name, g_strerror(errno));
        return false;
    }
    return true;
}

#define REQUEST(cpu, what, argument) request(cpu, what, argument, #what)

/* ---- the shared page ---- */

/*
 * Three of the requests below have a place in the page shared with the kernel, which saves the call
 * (api.rst section 5, kvm_valid_regs and kvm_dirty_regs).
 */
static const struct { uint32_t bit; size_t offset, size; } shared_rows[] = {
#define SHARED(bit_, field_) \
    { bit_, offsetof(struct kvm_sync_regs, field_), sizeof(((struct kvm_sync_regs *)0)->field_) }
    SHARED(KVM_SYNC_X86_REGS, regs),
    SHARED(KVM_SYNC_X86_SREGS, sregs),
    SHARED(KVM_SYNC_X86_EVENTS, events),
#undef SHARED
};

typedef struct SharedPart {
    unsigned row;                       /* of shared_rows */
    unsigned long get, set;
    const char *get_name, *set_name;
} SharedPart;

#define SHARED_PART(row_, name_) \
    { row_, KVM_GET_##name_, KVM_SET_##name_, "KVM_GET_" #name_, "KVM_SET_" #name_ }

static const SharedPart part_regs = SHARED_PART(0, REGS), part_sregs = SHARED_PART(1, SREGS),
                        part_events = SHARED_PART(2, VCPU_EVENTS);

static void *shared_place(KvmCpu *k, const SharedPart *part)
{
    return (uint8_t *)&k->run->s.regs + shared_rows[part->row].offset;
}

static bool part_get(X86Cpu *cpu, const SharedPart *part, void *out)
{
    KvmCpu *k = kvm_cpu(cpu);

    if (k->shared & shared_rows[part->row].bit) {
        memcpy(out, shared_place(k, part), shared_rows[part->row].size);
        return true;
    }
    return request(cpu, part->get, out, part->get_name);
}

/* At once: what waited in the page is outdone. */
static bool part_set(X86Cpu *cpu, const SharedPart *part, void *from)
{
    KvmCpu *k = kvm_cpu(cpu);

    k->shared &= ~shared_rows[part->row].bit;
    k->run->kvm_dirty_regs &= ~(uint64_t)shared_rows[part->row].bit;
    return request(cpu, part->set, from, part->set_name);
}

/* With `later`, by way of the page if there is a place in it. */
static void part_put(X86Cpu *cpu, const SharedPart *part, void *from, bool later)
{
    KvmCpu *k = kvm_cpu(cpu);
    uint32_t bit = shared_rows[part->row].bit;

    if (!later || !(kvm.sync_regs & bit)) {
        part_set(cpu, part, from);
        return;
    }
    memcpy(shared_place(k, part), from, shared_rows[part->row].size);
    k->run->kvm_dirty_regs |= bit;
    k->shared |= bit;
}

static void part_flush(X86Cpu *cpu, const SharedPart *part)
{
    KvmCpu *k = kvm_cpu(cpu);

    if (k->run->kvm_dirty_regs & shared_rows[part->row].bit) {
        part_set(cpu, part, shared_place(k, part));
    }
}

void kvm_flush_state(X86Cpu *cpu)
{
    if (kvm_cpu(cpu)->run->kvm_dirty_regs) {
        part_flush(cpu, &part_regs);
        part_flush(cpu, &part_sregs);
        part_flush(cpu, &part_events);
    }
}

/* ---- general registers ---- */

/* In struct kvm_regs rax comes first; the order is its own. */
static uint64_t *kvm_gpr(struct kvm_regs *regs, unsigned n)
{
    uint64_t *const order[16] = {
        [R_RAX] = (uint64_t *)&regs->rax, [R_RCX] = (uint64_t *)&regs->rcx,
        [R_RDX] = (uint64_t *)&regs->rdx, [R_RBX] = (uint64_t *)&regs->rbx,
        [R_RSP] = (uint64_t *)&regs->rsp, [R_RBP] = (uint64_t *)&regs->rbp,
        [R_RSI] = (uint64_t *)&regs->rsi, [R_RDI] = (uint64_t *)&regs->rdi,
        [R_R8] = (uint64_t *)&regs->r8, [R_R9] = (uint64_t *)&regs->r9,
        [R_R10] = (uint64_t *)&regs->r10, [R_R11] = (uint64_t *)&regs->r11,
        [R_R12] = (uint64_t *)&regs->r12, [R_R13] = (uint64_t *)&regs->r13,
        [R_R14] = (uint64_t *)&regs->r14, [R_R15] = (uint64_t *)&regs->r15,
    };

    return order[n];
}

static void get_regs(X86Cpu *cpu)
{
    struct kvm_regs regs;

    if (part_get(cpu, &part_regs, &regs)) {
        for (unsigned i = 0; i < 16; i++) {
            cpu->gpr[i] = *kvm_gpr(&regs, i);
        }
        cpu->rip = regs.rip;
        cpu->rflags = regs.rflags;
    }
}

static void put_regs(X86Cpu *cpu, bool later)
{
    struct kvm_regs regs = { .rip = cpu->rip, .rflags = cpu->rflags | RFLAGS_FIXED };

    for (unsigned i = 0; i < 16; i++) {
        *kvm_gpr(&regs, i) = cpu->gpr[i];
    }
    part_put(cpu, &part_regs, &regs, later);
}

void kvm_port_registers(X86Cpu *cpu, bool put)
{
    if (put) {
        put_regs(cpu, false);
    } else {
        get_regs(cpu);
    }
}

/* ---- system registers ---- */

static X86Seg seg_from_kvm(const struct kvm_segment *from)
{
    return (X86Seg){
        .selector = from->selector, .limit = from->limit, .base = from->base,
        .attr = from->unusable ? SEG_ATTR_NULL
                               : from->type | from->s << 4 | from->dpl << 5 | from->present << 7 |
                                     from->avl << 12 | from->l << 13 | from->db << 14 |
                                     from->g << 15,
    };
}

static struct kvm_segment seg_to_kvm(const X86Seg *seg)
{
    uint16_t attr = seg->attr;

    return (struct kvm_segment){
        .base = seg->base, .limit = seg->limit, .selector = seg->selector,
        .type = attr & 15, .s = attr >> 4 & 1, .dpl = attr >> 5 & 3, .present = attr >> 7 & 1,
        .avl = attr >> 12 & 1, .l = attr >> 13 & 1, .db = attr >> 14 & 1, .g = attr >> 15 & 1,
        .unusable = !(attr & SEG_ATTR_P),
    };
}

/* Where each segment register is in struct kvm_sregs, by SEG_*. */
static struct kvm_segment *kvm_seg(struct kvm_sregs *sregs, unsigned n)
{
    struct kvm_segment *const order[SEG_COUNT] = {
        [SEG_ES] = &sregs->es, [SEG_CS] = &sregs->cs, [SEG_SS] = &sregs->ss,
        [SEG_DS] = &sregs->ds, [SEG_FS] = &sregs->fs, [SEG_GS] = &sregs->gs,
    };

    return order[n];
}

static void get_sregs(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_sregs sregs;

    if (!part_get(cpu, &part_sregs, &sregs)) {
        return;
    }
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->seg[i] = seg_from_kvm(kvm_seg(&sregs, i));
    }
    cpu->ldt = seg_from_kvm(&sregs.ldt);
    cpu->tr = seg_from_kvm(&sregs.tr);
    cpu->gdt = (X86Table){ sregs.gdt.base, sregs.gdt.limit };
    cpu->idt = (X86Table){ sregs.idt.base, sregs.idt.limit };
    cpu->cr0 = sregs.cr0;
    cpu->cr2 = sregs.cr2;
    cpu->cr3 = sregs.cr3;
    cpu->cr4 = sregs.cr4;
    cpu->efer = sregs.efer;
    k->cr8 = (uint8_t)sregs.cr8;
    k->apic_base = sregs.apic_base;
}

static void put_sregs(X86Cpu *cpu, bool later)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_sregs sregs = {
        .cr0 = cpu->cr0, .cr2 = cpu->cr2, .cr3 = cpu->cr3, .cr4 = cpu->cr4, .efer = cpu->efer,
        .gdt = { .base = cpu->gdt.base, .limit = cpu->gdt.limit },
        .idt = { .base = cpu->idt.base, .limit = cpu->idt.limit },
        .ldt = seg_to_kvm(&cpu->ldt), .tr = seg_to_kvm(&cpu->tr),
    };

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        *kvm_seg(&sregs, i) = seg_to_kvm(&cpu->seg[i]);
    }
    if (kvm.irqchip == IRQCHIP_USER && cpu->intc.get_base) {
        k->apic_base = cpu->intc.get_base(cpu->intc.opaque);
        k->cr8 = cpu->intc.get_tpr(cpu->intc.opaque);
    }
    sregs.apic_base = k->apic_base;
    sregs.cr8 = k->cr8;
    part_put(cpu, &part_sregs, &sregs, later);
}

/* ---- floating point and vectors ---- */

static void get_xsave(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    bool big = kvm.xsave_size > sizeof(struct kvm_xsave);

    if (request(cpu, big ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, k->xsave, "KVM_GET_XSAVE")) {
        fpu_from_xsave(&cpu->fpu, k->xsave, kvm.xsave_size, XSTATE_KNOWN);
        k->xsave_valid = true;
    }
}

static void put_xsave(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    if (!k->xsave_valid) {
        memset(k->xsave, 0, kvm.xsave_size);
    }
    fpu_to_xsave(&cpu->fpu, k->xsave, kvm.xsave_size, XSTATE_KNOWN);
    REQUEST(cpu, KVM_SET_XSAVE, k->xsave);
}

static void get_xcr0(X86Cpu *cpu)
{
    struct kvm_xcrs xcrs = { 0 };

    if (!kvm.has_xcrs || !REQUEST(cpu, KVM_GET_XCRS, &xcrs)) {
        return;
    }
    for (unsigned i = 0; i < MIN(xcrs.nr_xcrs, G_N_ELEMENTS(xcrs.xcrs)); i++) {
        if (xcrs.xcrs[i].xcr == 0) {
            cpu->xcr0 = xcrs.xcrs[i].value;
        }
    }
}

static void put_xcr0(X86Cpu *cpu)
{
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = cpu->xcr0 } } };

    if (kvm.has_xcrs) {
        REQUEST(cpu, KVM_SET_XCRS, &xcrs);
    }
}

/* ---- debug registers ---- */

static void get_debugregs(X86Cpu *cpu)
{
    struct kvm_debugregs regs;

    if (kvm.has_debugregs && REQUEST(cpu, KVM_GET_DEBUGREGS, &regs)) {
        for (unsigned i = 0; i < 4; i++) {
            cpu->dr[i] = regs.db[i];
        }
        cpu->dr[6] = regs.dr6;
        cpu->dr[7] = regs.dr7;
    }
}

static void put_debugregs(X86Cpu *cpu)
{
    struct kvm_debugregs regs = { .dr6 = cpu->dr[6], .dr7 = cpu->dr[7] };

    for (unsigned i = 0; i < 4; i++) {
        regs.db[i] = cpu->dr[i];
    }
    if (kvm.has_debugregs) {
        REQUEST(cpu, KVM_SET_DEBUGREGS, &regs);
    }
}

/* ---- events in progress: api.rst 4.31 ---- */

static const struct { uint8_t ours, kernels; } shadows[] = {
    { 1, KVM_X86_SHADOW_INT_STI }, { 2, KVM_X86_SHADOW_INT_MOV_SS },
};

static void get_events(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_vcpu_events *ev = &k->events;

    if (!part_get(cpu, &part_events, ev)) {
        return;
    }
    cpu->exception = ev->exception.injected ? ev->exception.nr : EXC_NONE;
    cpu->exception_injected = ev->exception.injected;
    cpu->exception_has_error = ev->exception.has_error_code;
    cpu->exception_error = ev->exception.error_code;
    cpu->interrupt_injected = ev->interrupt.injected ? ev->interrupt.nr : -1;
    cpu->interrupt_soft = ev->interrupt.soft;
    cpu->intr_shadow = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(shadows); i++) {
        if (ev->interrupt.shadow & shadows[i].kernels) {
            cpu->intr_shadow = shadows[i].ours;
        }
    }
    cpu->nmi_blocked = ev->nmi.masked;
    cpu->in_smm = kvm.has_smm && ev->smi.smm;
    if (ev->nmi.pending) {
        /* one place only: the event bit, handed back before the next run */
        ev->nmi.pending = 0;
        ev->flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
        part_set(cpu, &part_events, ev);
        __atomic_fetch_or(&cpu->events, CPU_EVENT_NMI, __ATOMIC_SEQ_CST);
    }
}

static void put_events(X86Cpu *cpu, bool later)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_vcpu_events ev = { .sipi_vector = cpu->sipi_vector };

    if (k->fetched) {
        ev.nmi.injected = k->events.nmi.injected;
    }
    ev.exception.injected = cpu->exception != EXC_NONE;
    ev.exception.nr = cpu->exception != EXC_NONE ? cpu->exception : 0;
    ev.exception.has_error_code = cpu->exception_has_error;
    ev.exception.error_code = cpu->exception_error;
    ev.interrupt.injected = cpu->interrupt_injected >= 0;
    ev.interrupt.nr = cpu->interrupt_injected >= 0 ? (uint8_t)cpu->interrupt_injected : 0;
    ev.interrupt.soft = cpu->interrupt_soft;
    ev.nmi.masked = cpu->nmi_blocked;
    ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
    /* After a reset nothing is pending; else what other CPUs sent meanwhile stays. */
    if (!k->fetched) {
        ev.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
        ev.flags |= kvm.irqchip != IRQCHIP_USER ? KVM_VCPUEVENT_VALID_SIPI_VECTOR : 0;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(shadows); i++) {
        if (cpu->intr_shadow == shadows[i].ours) {
            ev.interrupt.shadow = shadows[i].kernels;
        }
    }
    if (kvm.has_smm) {
        ev.smi.smm = cpu->in_smm;
        ev.smi.smm_inside_nmi = k->fetched && k->events.smi.smm_inside_nmi;
        ev.flags |= KVM_VCPUEVENT_VALID_SMM;
    }
    part_put(cpu, &part_events, &ev, later);
}

/* ---- multiprocessor state and LAPIC, where the kernel has them: api.rst 4.38, 4.57 ---- */

static uint32_t wanted_mp_state(const X86Cpu *cpu)
{
    return cpu->mp_state == MP_WAIT_FOR_SIPI ? KVM_MP_STATE_UNINITIALIZED
           : cpu->halted ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE;
}

static void get_mp_state(X86Cpu *cpu)
{
    struct kvm_mp_state state;

    if (kvm.irqchip == IRQCHIP_USER || !REQUEST(cpu, KVM_GET_MP_STATE, &state)) {
        return;
    }
    cpu->halted = state.mp_state == KVM_MP_STATE_HALTED;
    cpu->mp_state = state.mp_state == KVM_MP_STATE_UNINITIALIZED ||
                    state.mp_state == KVM_MP_STATE_INIT_RECEIVED ? MP_WAIT_FOR_SIPI : MP_RUNNABLE;
    kvm_cpu(cpu)->mp_state_seen = wanted_mp_state(cpu);
}

/* Only a change is written: between INIT and SIPI the kernel's state is finer than ours. */
static void put_mp_state(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);
    struct kvm_mp_state state = { .mp_state = wanted_mp_state(cpu) };

    if (kvm.irqchip != IRQCHIP_USER && (!k->fetched || state.mp_state != k->mp_state_seen)) {
        REQUEST(cpu, KVM_SET_MP_STATE, &state);
        k->mp_state_seen = state.mp_state;
    }
}

static void put_lapic(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    if (k->lapic_reset) {
        REQUEST(cpu, KVM_SET_LAPIC, &k->lapic_pristine);
    } else if (k->lapic_loaded) {
        REQUEST(cpu, KVM_SET_LAPIC, &k->lapic);
    }
    k->lapic_reset = k->lapic_loaded = false;
}

/* ---- the whole ---- */

void kvm_get_state(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    get_regs(cpu);
    get_sregs(cpu);
    get_xsave(cpu);
    get_xcr0(cpu);
    kvm_get_msrs(cpu);
    get_debugregs(cpu);
    get_events(cpu);
    get_mp_state(cpu);
    k->fetched = true;
    cpu->state_in_engine = false;
    x86_update_mode(cpu);
}

/* The LAPIC's mode follows from the base in the system registers, so these come first. */
static void put_state(X86Cpu *cpu, bool later)
{
    KvmCpu *k = kvm_cpu(cpu);

    put_regs(cpu, later);
    put_sregs(cpu, later);
    put_lapic(cpu);
    put_xcr0(cpu);
    put_xsave(cpu);
    kvm_put_msrs(cpu);
    put_debugregs(cpu);
    put_events(cpu, later);
    put_mp_state(cpu);
    k->run->ready_for_interrupt_injection = 0;
    cpu->state_changed = false;
    cpu->state_in_engine = true;
}

void kvm_put_state(X86Cpu *cpu)
{
    put_state(cpu, false);
}

/*
 * A LAPIC to be written needs its base before, and a CPU that does not run takes a start-up message
 * before it looks at the page.
 */
void kvm_put_state_before_run(X86Cpu *cpu)
{
    KvmCpu *k = kvm_cpu(cpu);

    put_state(cpu, k->fetched && !k->lapic_reset && !k->lapic_loaded &&
              cpu->mp_state == MP_RUNNABLE);
}
