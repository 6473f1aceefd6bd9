#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check_main.h"
#include "isa.h"
#include "kvm.h"
#include "kvm_devices.h"
#include "kvm_machine.h"

/* Without kvm there is nothing to test. */
#define MACHINE_OR_RETURN(name_, irqchip_) \
    KvmMachine *name_ = kvm_machine_new(irqchip_); \
    if (!name_) { \
        return; \
    }

#define STOP 0xba, 0xf0, 0x01, 0xee                     /* mov $0x1f0, %dx; out %al, %dx */
/* The same, and no step further before the machine stands: jmp to itself. */
#define STOP_HERE STOP, 0xeb, 0xfe

static const char *const irqchips[] = { "on", "split", "off" };

static const struct { const char *written; uint8_t code[32]; size_t len; } accesses[] = {
    { "out.b 5=12 ", { 0xb0, 0x12, 0xba, 0x05, 0x01, 0xee, STOP }, 10 },
    { "out.w 6=1234 ", { 0xb8, 0x34, 0x12, 0xba, 0x06, 0x01, 0xef, STOP }, 11 },
    { "out.l 0=12345678 ", { 0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xba, 0x00, 0x01, 0x66, 0xef,
                             STOP }, 15 },
    /* in (%dx) of port 103 gives 44; out to 100 */
    { "out.b 0=44 ", { 0xba, 0x03, 0x01, 0xec, 0xba, 0x00, 0x01, 0xee, STOP }, 12 },
    /* rep outsb of three bytes at ds:1000, the code itself */
    { "out.b 1=be out.b 1=0 out.b 1=10 ",
      { 0xbe, 0x00, 0x10, 0xb9, 0x03, 0x00, 0xba, 0x01, 0x01, 0xf3, 0x6e, STOP }, 15 },
};

START_TEST(port_access_row)
{
    MACHINE_OR_RETURN(machine, "off");

    kvm_machine_load(machine, accesses[_i].code, accesses[_i].len);
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_str_eq(machine->written->str, accesses[_i].written);
    kvm_machine_free(machine);
}
END_TEST

START_TEST(registers_in_memory)
{
    /* 32-bit addresses through DS, whose limit is raised */
    static const uint8_t code[] = {
        /* movl $…, 0xe0000004 */
        0x67, 0x66, 0xc7, 0x05, 0x04, 0x00, 0x00, 0xe0, 0x78, 0x56, 0x34, 0x12,
        0x67, 0x66, 0xa1, 0x02, 0x00, 0x00, 0xe0,                        /* movl 0xe0000002, %eax */
        0x67, 0xa2, 0x08, 0x00, 0x00, 0xe0,                               /* movb %al, 0xe0000008 */
        STOP,
    };
    MACHINE_OR_RETURN(machine, "on");

    kvm_machine_load(machine, code, sizeof(code));
    machine->cpu->seg[SEG_DS].limit = UINT32_MAX;
    machine->cpu->seg[SEG_DS].attr |= SEG_ATTR_G;
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_str_eq(machine->written->str, "mem.l 4=12345678 mem.b 8=33 ");
    kvm_machine_free(machine);
}
END_TEST

/* Every register that a door may set comes back from the kernel. */
static void scramble(X86Cpu *cpu)
{
    for (unsigned i = 0; i < 16; i++) {
        cpu->gpr[i] = 0x0123456789abcdef * (i + 1);
    }
    cpu->rip = 0xfffff00000001000 & 0x7fffffffffff;
    cpu->rflags = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_OF | RFLAGS_DF;
    cpu->seg[SEG_CS] = (X86Seg){ .selector = 8, .attr = 0xa09b, .limit = UINT32_MAX };
    cpu->seg[SEG_SS] = cpu->seg[SEG_DS] = (X86Seg){ .selector = 16, .attr = 0xc093,
                                                    .limit = UINT32_MAX };
    cpu->seg[SEG_GS].base = 0xffff888000000000;
    cpu->tr = (X86Seg){ .selector = 0x40, .attr = 0x8b, .limit = 0x4087,
                        .base = 0xfffffe0000003000 };
    cpu->gdt = (X86Table){ 0xfffffe0000001000, 0x7f };
    cpu->idt = (X86Table){ 0xfffffe0000000000, 0xfff };
    cpu->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
    cpu->cr2 = 0x1234567000;
    cpu->cr3 = 0x5000;
    cpu->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR;
    cpu->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    cpu->dr[0] = 0x1000;
    cpu->dr[3] = 0x3000;
    cpu->dr[6] = 0xffff0ff1;
    cpu->dr[7] = 0x402;
    cpu->star = 0x23001000000000;
    cpu->lstar = 0xffffffff81000000;
    cpu->fmask = 0x47700;
    cpu->kernel_gs_base = 0xffff888000001000;
    cpu->sysenter_cs = 0x10;
    cpu->sysenter_esp = 0xfffffe0000009000;
    cpu->sysenter_eip = 0xffffffff81001000;
    cpu->pat = 0x0407050600070106;
    cpu->mtrr_deftype = 0xc06;
    cpu->mtrr_var[1][0] = 0xc0000000;
    cpu->fpu.r[3] = (X86Reg80){ .mantissa = 0xc90fdaa22168c235, .sign_exp = 0x4000 };
    cpu->fpu.ftw = 1 << 3;
    cpu->fpu.fsw = 3 << 11;
    cpu->fpu.mxcsr = 0x1fa0;
    cpu->fpu.v[7].u64[0] = 0xfeedfacecafebeef;
    cpu->fpu.v[15].u64[1] = 0x1122334455667788;
    cpu->intr_shadow = 1;
    cpu->nmi_blocked = true;
}

static void engine_round_trip(X86Cpu *cpu, void *opaque)
{
    accel_kvm.put_state(cpu);
    accel_kvm.get_state(cpu);
}

#define SAME(field_) \
    ck_assert_msg(memcmp(&cpu->field_, &before->field_, sizeof(cpu->field_)) == 0, \
                  #field_ " changed")

START_TEST(state_survives_the_kernel)
{
    MACHINE_OR_RETURN(machine, irqchips[_i]);
    X86Cpu *cpu = machine->cpu;
    X86Cpu *before;

    vcpu_sync(cpu);
    scramble(cpu);
    x86_update_mode(cpu);
    before = g_aligned_alloc(1, sizeof(*before), 64);
    *before = *cpu;
    vcpu_run_on(cpu, engine_round_trip, NULL);
    SAME(gpr);
    SAME(rip);
    SAME(rflags);
    SAME(seg);
    SAME(tr);
    SAME(gdt.base);
    SAME(idt.limit);
    SAME(cr0);
    SAME(cr2);
    SAME(cr3);
    SAME(cr4);
    SAME(efer);
    SAME(dr);
    SAME(star);
    SAME(lstar);
    SAME(fmask);
    SAME(kernel_gs_base);
    SAME(sysenter_cs);
    SAME(sysenter_esp);
    SAME(sysenter_eip);
    SAME(pat);
    SAME(mtrr_deftype);
    SAME(mtrr_var);
    SAME(fpu.r[3].mantissa);
    SAME(fpu.r[3].sign_exp);
    SAME(fpu.ftw);
    SAME(fpu.fsw);
    SAME(fpu.mxcsr);
    SAME(fpu.v[7]);
    SAME(fpu.v[15]);
    SAME(intr_shadow);
    SAME(nmi_blocked);
    SAME(mode);
    g_aligned_free(before);
    kvm_machine_free(machine);
}
END_TEST

START_TEST(reset_starts_at_the_vector)
{
    MACHINE_OR_RETURN(machine, irqchips[_i]);
    X86Cpu *cpu = machine->cpu;

    vcpu_sync(cpu);
    scramble(cpu);
    vcpu_mark_dirty(cpu);
    vcpu_run_on(cpu, engine_round_trip, NULL);
    vm_reset(&machine->vm, SHUTDOWN_CAUSE_NONE);
    vcpu_run_on(cpu, engine_round_trip, NULL);
    ck_assert_uint_eq(cpu->rip, 0xfff0);
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0xffff0000);
    ck_assert_uint_eq(cpu->cr0, 0x60000010);
    ck_assert_uint_eq(cpu->efer, 0);
    ck_assert_uint_eq(cpu->fpu.v[7].u64[0], 0);
    ck_assert_uint_eq(cpu->fpu.mxcsr, 0x1f80);
    ck_assert(!cpu->nmi_blocked);
    kvm_machine_free(machine);
}
END_TEST

/* ---- interrupts that we inject ---- */

static int asked;

static int give_vector(void *opaque)
{
    KvmMachine *machine = opaque;

    asked++;
    cpu_lower(machine->cpu, CPU_EVENT_INTR);
    return 0x41;
}

START_TEST(interrupt_waits_until_the_guest_takes_it)
{
    /*
     * A handler at 2000 writes port 7.  cli, port 1 three times, sti, then port 2 three times: an
     * emulating kvm looks for interrupts at exits only.
     */
    static const uint8_t code[] = {
        0xfa, 0xba, 0x01, 0x01, 0xee, 0xee, 0xee, 0xfb, 0x90, 0xba, 0x02, 0x01, 0xee, 0xee, 0xee,
        STOP,
    };
    static const uint8_t handler[] = { 0x52, 0xba, 0x07, 0x01, 0xee, 0x5a, 0xcf };
    MACHINE_OR_RETURN(machine, "off");
    uint8_t *ram = machine->ram.ram->host;

    memcpy(ram + 0x2000, handler, sizeof(handler));
    memcpy(ram + 0x41 * 4, (uint8_t[]){ 0x00, 0x20, 0x00, 0x00 }, 4);
    machine->cpu->intc.opaque = machine;
    machine->cpu->intc.acknowledge = give_vector;
    asked = 0;
    kvm_machine_load(machine, code, sizeof(code));
    cpu_raise(machine->cpu, CPU_EVENT_INTR);
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_int_eq(asked, 1);
    ck_assert(g_str_has_prefix(machine->written->str, "out.b 1=0 out.b 1=0 out.b 1=0 out.b "));
    ck_assert_ptr_nonnull(strstr(machine->written->str, "out.b 7=0"));
    ck_assert(g_str_has_suffix(machine->written->str, "out.b 2=0 "));
    kvm_machine_free(machine);
}
END_TEST

START_TEST(halted_cpu_sleeps_until_an_interrupt)
{
    static const uint8_t code[] = { 0xfb, 0xf4, 0xba, 0x02, 0x01, 0xee, STOP };    /* sti; hlt; … */
    static const uint8_t handler[] = { 0xcf };
    MACHINE_OR_RETURN(machine, "off");
    uint8_t *ram = machine->ram.ram->host;
    X86Cpu *cpu = machine->cpu;

    memcpy(ram + 0x2000, handler, sizeof(handler));
    memcpy(ram + 0x41 * 4, (uint8_t[]){ 0x00, 0x20, 0x00, 0x00 }, 4);
    cpu->intc.opaque = machine;
    cpu->intc.acknowledge = give_vector;
    kvm_machine_load(machine, code, sizeof(code));
    vm_start(&machine->vm);
    for (;;) {
        vcpu_sync(cpu);           /* lets it run in between: the lock is let go of while it waits */
        if (cpu->halted) {
            break;
        }
        machine_unlock();
        g_thread_yield();
        machine_lock();
    }
    cpu_raise(cpu, CPU_EVENT_INTR);
    while (vm_is_running(&machine->vm)) {
        g_main_context_iteration(machine->vm.context, TRUE);
    }
    ck_assert_str_eq(machine->written->str, "out.b 2=0 ");
    kvm_machine_free(machine);
}
END_TEST

/* ---- eventfds that raise interrupts ---- */

static const struct { int gsi; const char *written; } irqfd_rows[] = {
    { 3, "out.b 0=8 out.b 1=0 " }, { 0, "out.b 0=1 out.b 1=0 " }, { 10, "out.b 0=4 out.b 1=4 " },
    { 23, "out.b 0=0 out.b 1=0 " },                     /* goes to the IOAPIC alone */
};

START_TEST(an_eventfd_raises_its_line)
{
    /* What the two PICs have requested (IRR) to ports 100 and 101. */
    static const uint8_t code[] = {
        0xe4, 0x20, 0xba, 0x00, 0x01, 0xee, 0xe4, 0xa0, 0xba, 0x01, 0x01, 0xee, STOP_HERE,
    };
    MACHINE_OR_RETURN(machine, "on");
    Vm *vm = &machine->vm;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), gsi = irqfd_rows[_i].gsi;
    g_autoptr(GError) error = NULL;

    ck_assert_msg(accel_kvm.irqfd(vm, gsi, fd, -1, true, &error), "%s", error->message);
    ck_assert_int_eq(eventfd_write(fd, 1), 0);
    /* Letting go waits for what is on its way. */
    ck_assert_msg(accel_kvm.irqfd(vm, gsi, fd, -1, false, &error), "%s", error->message);
    kvm_machine_load(machine, code, sizeof(code));
    kvm_machine_run(machine);
    ck_assert_str_eq(machine->written->str, irqfd_rows[_i].written);
    close(fd);
    kvm_machine_free(machine);
}
END_TEST

START_TEST(the_end_of_interrupt_reaches_the_resample_eventfd)
{
    /* sti; port 1 over and over, for a kvm that looks for interrupts at exits only. */
    static const uint8_t code[] = { 0xfb, 0xba, 0x01, 0x01, 0xee, 0xeb, 0xfd };
    /* Port 7, an unspecific end of interrupt, and that is all. */
    static const uint8_t handler[] = {
        0xba, 0x07, 0x01, 0xee, 0xb0, 0x20, 0xe6, 0x20, STOP_HERE,
    };
    MACHINE_OR_RETURN(machine, "on");
    Vm *vm = &machine->vm;
    uint8_t *ram = machine->ram.ram->host;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct pollfd wait = { .fd = done, .events = POLLIN };
    g_autoptr(GError) error = NULL;

    memcpy(ram + 0x2000, handler, sizeof(handler));
    /* The PIC as it is made: vectors from 0, nothing masked. */
    memcpy(ram + 3 * 4, (uint8_t[]){ 0x00, 0x20, 0x00, 0x00 }, 4);
    ck_assert_msg(accel_kvm.irqfd(vm, 3, fd, done, true, &error), "%s", error->message);
    kvm_machine_load(machine, code, sizeof(code));
    ck_assert_int_eq(eventfd_write(fd, 1), 0);
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_ptr_nonnull(strstr(machine->written->str, "out.b 7="));
    ck_assert_int_eq(poll(&wait, 1, 5000), 1);
    ck_assert_msg(accel_kvm.irqfd(vm, 3, fd, -1, false, &error), "%s", error->message);
    close(done);
    close(fd);
    kvm_machine_free(machine);
}
END_TEST

static const struct { const char *irqchip; int gsi, fd, resample; const char *message; }
    irqfd_refusals[] = {
    { "off", 3, 0, -1, "only with interrupt controllers of kvm's" },
    { "split", 3, 0, 0, "only with kernel-irqchip=on" },
    { "on", 24, 0, -1, "no interrupt line 24" },
    { "on", -1, 0, -1, "no interrupt line -1" },
    { "on", 3, -1, -1, "-1 is no eventfd" },
    { "on", 3, 9999, -1, "does not take an eventfd for interrupt line 3" },
};

START_TEST(irqfd_refusal_row)
{
    MACHINE_OR_RETURN(machine, irqfd_refusals[_i].irqchip);
    g_autoptr(GError) error = NULL;

    ck_assert(!accel_kvm.irqfd(&machine->vm, irqfd_refusals[_i].gsi, irqfd_refusals[_i].fd,
                               irqfd_refusals[_i].resample, true, &error));
    ck_assert_ptr_nonnull(strstr(error->message, irqfd_refusals[_i].message));
    kvm_machine_free(machine);
}
END_TEST

/* ---- the timer ---- */

static unsigned pit_flags(void)
{
    struct kvm_pit_state2 pit = { 0 };

    ck_assert_int_eq(ioctl(kvm.vm_fd, KVM_GET_PIT2, &pit), 0);
    ck_assert_uint_eq(pit.channels[0].count, 0x1234);
    return pit.flags & KVM_PIT_FLAGS_HPET_LEGACY;
}

START_TEST(the_kernels_timer_is_muted_and_keeps_its_count)
{
    /* Counter 0: mode 2, count 1234. */
    static const uint8_t code[] = {
        0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x34, 0xe6, 0x40, 0xb0, 0x12, 0xe6, 0x40, STOP_HERE,
    };
    static const DeviceType bridge_type = { .name = "bridge", .bus = &system_bus_type,
                                            .size = sizeof(Device), .board_only = true };
    MACHINE_OR_RETURN(machine, "on");
    Device *bridge = device_new(&machine->vm, &bridge_type, NULL);
    Device *pit = device_new(&machine->vm, &kvm_pit_type, NULL);

    ck_assert(device_realize(bridge, NULL, NULL));
    ck_assert(device_realize(pit, bus_new(bridge, &isa_bus_type, "isa.0"), NULL));
    kvm_machine_load(machine, code, sizeof(code));
    kvm_machine_run(machine);
    ck_assert_uint_eq(pit_flags(), 0);
    kvm_pit_set_muted(pit, true);
    ck_assert_uint_ne(pit_flags(), 0);
    kvm_pit_set_muted(pit, false);
    ck_assert_uint_eq(pit_flags(), 0);
    kvm_machine_free(machine);
}
END_TEST

/* ---- the debugger: state is read at every exit, written before the next run ---- */

START_TEST(steps_show_the_registers_they_left)
{
    static const uint8_t code[] = { 0xb8, 0x34, 0x12, 0x8e, 0xd8, 0x01, 0xc3, STOP_HERE };
    static const struct { uint64_t rip, rax, rbx, ds; } after[] = {
        { 0x1003, 0x1234, 1, 0 },               /* mov $0x1234, %ax */
        { 0x1005, 0x1234, 1, 0x12340 },         /* mov %ax, %ds */
        { 0x1007, 0x1234, 0x1235, 0x12340 },    /* add %ax, %bx */
        { 0x1007, 0x1234, 0x7771, 0x12340 },    /* the same, again from 1005, to another value */
    };
    MACHINE_OR_RETURN(machine, irqchips[_i]);
    X86Cpu *cpu = machine->cpu;

    kvm_machine_load(machine, code, sizeof(code));
    cpu->gpr[R_RAX] = 0;
    cpu->gpr[R_RBX] = 1;
    cpu->single_step = true;
    for (unsigned i = 0; i < G_N_ELEMENTS(after); i++) {
        if (i == 3) {
            cpu->rip = 0x1005;
            cpu->gpr[R_RBX] = 0x7771 - 0x1234;
            vcpu_mark_dirty(cpu);
        }
        kvm_machine_run(machine);
        ck_assert_int_eq(cpu->debug_hit, DEBUG_STEP);
        ck_assert_uint_eq(cpu->rip, after[i].rip);
        ck_assert_uint_eq(cpu->gpr[R_RAX], after[i].rax);
        ck_assert_uint_eq(cpu->gpr[R_RBX], after[i].rbx);
        ck_assert_uint_eq(cpu->seg[SEG_DS].base, after[i].ds);
    }
    cpu->single_step = false;
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    kvm_machine_free(machine);
}
END_TEST

START_TEST(int3_of_the_guest_goes_back_to_it)
{
    static const uint8_t code[] = { 0xb0, 0x05, 0xcc, 0xb0, 0x06, 0xcc, STOP_HERE };
    /* A handler at 2000 writes al to port 107; the debugger's breakpoint is elsewhere. */
    static const uint8_t handler[] = { 0xba, 0x07, 0x01, 0xee, 0xcf };
    static const BreakPoint elsewhere = { BREAK_SOFT, 0x3000, 1 };
    MACHINE_OR_RETURN(machine, irqchips[_i]);
    Vm *vm = &machine->vm;
    uint8_t *ram = machine->ram.ram->host;
    g_autoptr(GError) error = NULL;

    memcpy(ram + 0x2000, handler, sizeof(handler));
    memcpy(ram + 3 * 4, (uint8_t[]){ 0x00, 0x20, 0x00, 0x00 }, 4);
    kvm_machine_load(machine, code, sizeof(code));
    ck_assert(accel_kvm.set_breakpoints(vm, &elsewhere, 1, &error));
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_str_eq(machine->written->str, "out.b 7=5 out.b 7=6 ");
    ck_assert(accel_kvm.set_breakpoints(vm, NULL, 0, &error));
    kvm_machine_free(machine);
}
END_TEST

/* ---- the dirty log ---- */

START_TEST(written_pages_are_logged)
{
    static const uint8_t code[] = { 0xc6, 0x06, 0x00, 0x50, 0x77, STOP };   /* movb $0x77, 0x5000 */
    MACHINE_OR_RETURN(machine, "on");
    RamBlock *block = machine->ram.ram;
    unsigned long bits[MACHINE_RAM / 4096 / 64];

    ram_dirty_start(block, DIRTY_DISPLAY);
    accel_kvm.sync_dirty(&machine->vm, DIRTY_DISPLAY);
    ram_dirty_fetch(block, DIRTY_DISPLAY, 0, MACHINE_RAM / 4096, bits);
    ck_assert_uint_ne(bits[0], 0);                      /* nobody knows what came before */
    kvm_machine_load(machine, code, sizeof(code));
    kvm_machine_run(machine);
    accel_kvm.sync_dirty(&machine->vm, DIRTY_DISPLAY);
    ck_assert(ram_dirty_fetch(block, DIRTY_DISPLAY, 0, MACHINE_RAM / 4096, bits));
    ck_assert_uint_eq(bits[0] >> 5 & 1, 1);
    ck_assert_uint_eq(bits[0] >> 9 & 1, 0);
    accel_kvm.sync_dirty(&machine->vm, DIRTY_DISPLAY);
    ck_assert(!ram_dirty_fetch(block, DIRTY_DISPLAY, 0, MACHINE_RAM / 4096, bits));
    kvm_machine_free(machine);
}
END_TEST

/* ---- memory that moves while the guest runs ---- */

START_TEST(moving_memory_under_a_running_guest)
{
    static const uint8_t code[] = { 0xeb, 0xfe };                                /* jmp to itself */
    MACHINE_OR_RETURN(machine, "on");
    Vm *vm = &machine->vm;
    MemRegion extra;

    mem_region_init_ram(&extra, NULL, "extra", 65536, NULL);
    kvm_machine_load(machine, code, sizeof(code));
    vm_start(vm);
    for (unsigned i = 0; i < 20; i++) {
        mem_region_add_priority(&vm->system_memory, 0x40000, &extra, 1);
        machine_unlock();
        g_thread_yield();
        machine_lock();
        mem_region_remove(&extra);
        ck_assert(vm_is_running(vm));
    }
    vm_stop(vm, RUN_STATE_PAUSED);
    vcpu_sync(machine->cpu);
    ck_assert_uint_eq(machine->cpu->rip, 0x1000);
    mem_region_finish(&extra);
    kvm_machine_free(machine);
}
END_TEST

CHECK_MAIN("kvm", CASES(port_access_row, accesses), CASE(registers_in_memory),
           CASES(state_survives_the_kernel, irqchips), CASES(reset_starts_at_the_vector, irqchips),
           CASE(interrupt_waits_until_the_guest_takes_it),
           CASE(halted_cpu_sleeps_until_an_interrupt),
           CASES(an_eventfd_raises_its_line, irqfd_rows),
           CASE(the_end_of_interrupt_reaches_the_resample_eventfd),
           CASES(irqfd_refusal_row, irqfd_refusals),
           CASE(the_kernels_timer_is_muted_and_keeps_its_count),
           CASES(steps_show_the_registers_they_left, irqchips),
           CASES(int3_of_the_guest_goes_back_to_it, irqchips),
           CASE(written_pages_are_logged), CASE(moving_memory_under_a_running_guest))
