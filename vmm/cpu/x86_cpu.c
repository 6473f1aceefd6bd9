/*
 * The life of an X86Cpu: creation, events from other threads, and the table of its saved state.
 * What reset and INIT do to it is in x86_reset.c.
 */
#include "x86_cpu.h"

#include "cpu_properties.h"
#include "cpuid.h"
#include "rhea_error.h"

/* ---- creation ---- */

X86Cpu *x86_cpu_new(Vm *vm, unsigned index, uint32_t apic_id, const X86CpuModel *model)
{
    g_autofree char *type_name = g_strconcat(model->name, CPU_TYPE_SUFFIX, NULL);
    X86Cpu *cpu;

    g_assert(vm->cpu_size >= sizeof(X86Cpu) || !vm->accel);     /* accel_start() comes first */
    cpu = g_aligned_alloc0(1, MAX(vm->cpu_size, sizeof(X86Cpu)), 64);
    cpu->vm = vm;
    cpu->index = index;
    cpu->apic_id = apic_id;
    cpu->is_bsp = index == 0;
    cpu->model = model;
    cpu->exception = EXC_NONE;
    cpu->interrupt_injected = -1;
    g_mutex_init(&cpu->work_lock);
    g_queue_init(&cpu->work);
    object_init(&cpu->obj, g_intern_string(type_name));
    cpu->obj.props = x86_cpu_properties();
    object_add_child(object_container("/machine/unattached"), "device[*]", &cpu->obj);
    g_ptr_array_add(vm->cpus, cpu);
    x86_cpu_reset(cpu);
    return cpu;
}

void x86_cpu_free(X86Cpu *cpu)
{
    if (!cpu) {
        return;
    }
    g_assert(!cpu->thread);
    g_ptr_array_remove(cpu->vm->cpus, cpu);
    object_finish(&cpu->obj);
    g_queue_clear(&cpu->work);
    g_mutex_clear(&cpu->work_lock);
    g_aligned_free(cpu);
}

/* ---- events ---- */

void cpu_raise(X86Cpu *cpu, uint32_t events)
{
    uint32_t before = __atomic_fetch_or(&cpu->events, events, __ATOMIC_SEQ_CST);

    if ((before & events) != events && cpu->vm->cpu_kick) {
        cpu->vm->cpu_kick(cpu);
    }
}

void cpu_lower(X86Cpu *cpu, uint32_t events)
{
    __atomic_fetch_and(&cpu->events, ~events, __ATOMIC_SEQ_CST);
}

/* SDM volume 3A 6.8.1 (IF masks interrupts), 8.4.4.1 (only INIT and SIPI reach a waiting AP). */
bool x86_cpu_has_work(X86Cpu *cpu)
{
    uint32_t events = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);

    if (cpu->mp_state == MP_WAIT_FOR_SIPI) {
        return events & (CPU_EVENT_INIT | CPU_EVENT_SIPI);
    }
    if (events & CPU_EVENT_INTR && cpu->rflags & RFLAGS_IF) {
        return true;
    }
    if (events & CPU_EVENT_NMI && !cpu->nmi_blocked) {
        return true;
    }
    return events & (CPU_EVENT_SMI | CPU_EVENT_INIT | CPU_EVENT_MCE);
}

/* ---- saved state ---- */

#define STATE_UINT64_TABLE(s, f) \
    { .name = #f, .kind = STATE_KIND_U64, .offset = offsetof(s, f), .size = sizeof(uint64_t), \
      .count = sizeof(((s *)0)->f) / sizeof(uint64_t) }

static const StateField seg_fields[] = {
    STATE_UINT16(X86Seg, selector),
    STATE_UINT16(X86Seg, attr),
    STATE_UINT32(X86Seg, limit),
    STATE_UINT64(X86Seg, base),
    {}
};

static const StateDesc seg_state = { .name = "x86-segment", .version = 1, .fields = seg_fields };

static const StateField table_fields[] = {
    STATE_UINT64(X86Table, base),
    STATE_UINT16(X86Table, limit),
    {}
};

static const StateDesc table_state = { .name = "x86-table", .version = 1, .fields = table_fields };

static const StateField fpu_fields[] = {
    STATE_BYTES(X86Fpu, r),
    STATE_UINT16(X86Fpu, fcw),
    STATE_UINT16(X86Fpu, fsw),
    STATE_UINT16(X86Fpu, fop),
    STATE_UINT8(X86Fpu, ftw),
    STATE_UINT64(X86Fpu, fip),
    STATE_UINT64(X86Fpu, fdp),
    STATE_UINT16(X86Fpu, fcs),
    STATE_UINT16(X86Fpu, fds),
    STATE_UINT32(X86Fpu, mxcsr, .range = { 0, 0xffff }),
    STATE_BYTES(X86Fpu, v),
    {}
};

static const StateDesc fpu_state = { .name = "x86-fpu", .version = 1, .fields = fpu_fields };

static const StateField x86_cpu_fields[] = {
    { .name = "gpr", .kind = STATE_KIND_U64, .offset = offsetof(X86Cpu, gpr),
      .size = sizeof(uint64_t), .count = 16 },
    STATE_UINT64(X86Cpu, rip),
    STATE_UINT64(X86Cpu, rflags),
    STATE_UINT32(X86Cpu, events),
    STATE_STRUCT_ARRAY(X86Cpu, seg, X86Seg, seg_state),
    STATE_STRUCT(X86Cpu, ldt, X86Seg, seg_state),
    STATE_STRUCT(X86Cpu, tr, X86Seg, seg_state),
    STATE_STRUCT(X86Cpu, gdt, X86Table, table_state),
    STATE_STRUCT(X86Cpu, idt, X86Table, table_state),
    STATE_UINT64(X86Cpu, cr0),
    STATE_UINT64(X86Cpu, cr2),
    STATE_UINT64(X86Cpu, cr3),
    STATE_UINT64(X86Cpu, cr4),
    STATE_UINT64(X86Cpu, xcr0),
    STATE_UINT64(X86Cpu, efer),
    STATE_UINT64_ARRAY(X86Cpu, dr),
    STATE_UINT64(X86Cpu, star),
    STATE_UINT64(X86Cpu, lstar),
    STATE_UINT64(X86Cpu, cstar),
    STATE_UINT64(X86Cpu, fmask),
    STATE_UINT64(X86Cpu, kernel_gs_base),
    STATE_UINT32(X86Cpu, sysenter_cs),
    STATE_UINT64(X86Cpu, sysenter_esp),
    STATE_UINT64(X86Cpu, sysenter_eip),
    STATE_UINT64(X86Cpu, pat),
    STATE_UINT64(X86Cpu, mtrr_deftype),
    STATE_UINT64_ARRAY(X86Cpu, mtrr_fixed),
    STATE_UINT64_TABLE(X86Cpu, mtrr_var),
    STATE_UINT64(X86Cpu, tsc_offset),
    STATE_UINT64(X86Cpu, tsc_adjust),
    STATE_UINT64(X86Cpu, tsc_aux),
    STATE_UINT64(X86Cpu, misc_enable),
    STATE_UINT64(X86Cpu, debugctl),
    STATE_UINT64(X86Cpu, spec_ctrl),
    STATE_UINT64(X86Cpu, smbase),
    STATE_UINT64(X86Cpu, feature_control),
    STATE_UINT64(X86Cpu, mcg_cap),
    STATE_UINT64(X86Cpu, mcg_status),
    STATE_UINT64(X86Cpu, mcg_ctl),
    STATE_UINT64_TABLE(X86Cpu, mc_banks),
    STATE_UINT64(X86Cpu, kvm_system_time),
    STATE_UINT64(X86Cpu, kvm_wall_clock),
    STATE_UINT64(X86Cpu, kvm_async_pf_en),
    STATE_UINT64(X86Cpu, kvm_steal_time),
    STATE_UINT64(X86Cpu, kvm_pv_eoi),
    STATE_UINT64(X86Cpu, kvm_poll),
    STATE_UINT64(X86Cpu, xss),
    STATE_STRUCT(X86Cpu, fpu, X86Fpu, fpu_state),
    STATE_BOOL(X86Cpu, halted),
    STATE_BOOL(X86Cpu, nmi_blocked),
    STATE_BOOL(X86Cpu, in_smm),
    STATE_UINT8(X86Cpu, intr_shadow, .range = { 0, 2 }),
    STATE_UINT8(X86Cpu, exception),
    STATE_BOOL(X86Cpu, exception_has_error),
    STATE_BOOL(X86Cpu, exception_injected),
    STATE_UINT32(X86Cpu, exception_error),
    STATE_INT16(X86Cpu, interrupt_injected, .range = { -1, 255 }),
    STATE_BOOL(X86Cpu, interrupt_soft),
    STATE_UINT8(X86Cpu, sipi_vector),
    STATE_UINT32(X86Cpu, mp_state, .range = { MP_RUNNABLE, MP_WAIT_FOR_SIPI }),
    {}
};

static bool x86_cpu_loaded(void *opaque, GError **error)
{
    X86Cpu *cpu = opaque;

    if (cpu->exception != EXC_NONE && cpu->exception > 31) {
        set_error(error, "CPU %u: no exception has vector %u", cpu->index, cpu->exception);
        return false;
    }
    if (cpu->rflags & RFLAGS_VM && !(cpu->cr0 & CR0_PE)) {
        set_error(error, "CPU %u: virtual-8086 flag in real mode", cpu->index);
        return false;
    }
    /* Kicks and flushes are requests of this process, not state. */
    cpu->events &= ~(CPU_EVENT_KICK | CPU_EVENT_A20);
    cpu->events |= CPU_EVENT_TLB_FLUSH;
    cpu->rflags |= RFLAGS_FIXED;
    cpu->gpr[16] = 0;
    cpu->state_changed = true;
    x86_update_mode(cpu);
    return true;
}

const StateDesc x86_cpu_state = {
    .name = "cpu", .version = 1, .fields = x86_cpu_fields, .loaded = x86_cpu_loaded,
};
