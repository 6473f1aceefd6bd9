/* Break and watch points of the debugger under kvm. */
#include <string.h>

#include "check_main.h"
#include "kvm.h"
#include "kvm_machine.h"

#define MACHINE_OR_RETURN(name_) \
    KvmMachine *name_ = kvm_machine_new("on"); \
    if (!name_) { \
        return; \
    }

enum { CODE = 0x1000, DATA = 0x4000, ELSEWHERE = 0x1100 };

/* 32-bit code */
static const uint8_t code[] = {
    0xb0, 0x01,                                     /* 1000  mov    $1, %al */
    0x66, 0xba, 0x05, 0x01,                         /* 1002  mov    $0x105, %dx */
    0xee,                                           /* 1006  out    %al, %dx */
    0xfe, 0xc0,                                     /* 1007  inc    %al */
    0xee,                                           /* 1009  out    %al, %dx */
    0xc6, 0x05, 0x00, 0x40, 0x00, 0x00, 0x77,       /* 100a  movb   $0x77, 0x4000 */
    0xfe, 0xc0,                                     /* 1011  inc    %al */
    0xee,                                           /* 1013  out    %al, %dx */
    0x66, 0xba, 0xf0, 0x01,                         /* 1014  mov    $0x1f0, %dx */
    0xee,                                           /* 1018  out    %al, %dx: stops */
    0xeb, 0xfe,                                     /* 1019  jmp    1019 */
};

static void load(KvmMachine *machine)
{
    X86Cpu *cpu = machine->cpu;
    const X86Seg flat = { .selector = 0x10, .limit = UINT32_MAX,
                          .attr = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_DB | SEG_ATTR_G | 3 };

    kvm_machine_load(machine, code, sizeof(code));
    cpu->cr0 |= CR0_PE;
    for (int seg = 0; seg < SEG_COUNT; seg++) {
        cpu->seg[seg] = flat;
    }
    cpu->seg[SEG_CS].selector = 0x08;
    cpu->seg[SEG_CS].attr |= 8;
    vcpu_mark_dirty(cpu);
}

static uint8_t debug_byte(KvmMachine *machine, uint64_t addr)
{
    uint8_t byte = 0;

    mem_read_debug(&machine->vm.memory, addr, &byte, 1);
    return byte;
}

static const struct { BreakPoint at; int hit; uint64_t rip; const char *written; } points[] = {
    { { BREAK_SOFT, 0x1007, 1 }, DEBUG_BREAK, 0x1007, "out.b 5=1 " },
    { { BREAK_HARD, 0x1007, 1 }, DEBUG_BREAK, 0x1007, "out.b 5=1 " },
    { { BREAK_SOFT, 0x1000, 1 }, DEBUG_BREAK, 0x1000, "" },
    { { BREAK_SOFT, 0x1013, 1 }, DEBUG_BREAK, 0x1013, "out.b 5=1 out.b 5=2 " },
    { { BREAK_HARD, 0x1013, 1 }, DEBUG_BREAK, 0x1013, "out.b 5=1 out.b 5=2 " },
    { { WATCH_WRITE, DATA, 1 }, DEBUG_WATCH, 0x1011, "out.b 5=1 out.b 5=2 " },
    { { WATCH_ACCESS, DATA, 4 }, DEBUG_WATCH, 0x1011, "out.b 5=1 out.b 5=2 " },
};

/* It stops there once, and the rest runs as if nothing had been. */
START_TEST(point_row)
{
    g_autoptr(GError) error = NULL;
    MACHINE_OR_RETURN(machine);
    X86Cpu *cpu = machine->cpu;

    load(machine);
    if (!accel_kvm.set_breakpoints(&machine->vm, &points[_i].at, 1, &error)) {
        ck_assert_int_eq(points[_i].hit, DEBUG_WATCH);          /* a host that cannot says so */
        ck_assert(strstr(error->message, "watchpoints need -accel tcg here") != NULL);
        kvm_machine_free(machine);
        return;
    }
    kvm_machine_run(machine);
    ck_assert_int_eq(cpu->debug_hit, points[_i].hit);
    ck_assert_uint_eq(cpu->debug_addr, points[_i].at.addr);
    ck_assert_uint_eq(cpu->rip, points[_i].rip);
    ck_assert_str_eq(machine->written->str, points[_i].written);
    ck_assert_mem_eq(machine->ram.ram->host + CODE, code, sizeof(code));
    kvm_machine_run(machine);
    ck_assert(machine->stopped);
    ck_assert_str_eq(machine->written->str, "out.b 5=1 out.b 5=2 out.b 5=3 ");
    kvm_machine_free(machine);
}
END_TEST

START_TEST(a_step_goes_past_the_point_it_stands_on)
{
    const BreakPoint at = { BREAK_SOFT, 0x1007, 1 };
    MACHINE_OR_RETURN(machine);
    X86Cpu *cpu = machine->cpu;

    load(machine);
    ck_assert(accel_kvm.set_breakpoints(&machine->vm, &at, 1, NULL));
    kvm_machine_run(machine);
    cpu->single_step = true;
    kvm_machine_run(machine);
    ck_assert_int_eq(cpu->debug_hit, DEBUG_STEP);
    ck_assert_uint_eq(cpu->rip, 0x1009);
    kvm_machine_free(machine);
}
END_TEST

/* While the guest runs there is an INT3 in its memory, which no debug read sees. */
START_TEST(an_int3_is_there_only_while_it_runs)
{
    const BreakPoint at = { BREAK_SOFT, ELSEWHERE, 1 };
    MACHINE_OR_RETURN(machine);
    const uint8_t *host = machine->ram.ram->host + ELSEWHERE;

    load(machine);
    machine->cpu->rip = 0x1019;
    machine->ram.ram->host[ELSEWHERE] = 0x90;
    ck_assert(accel_kvm.set_breakpoints(&machine->vm, &at, 1, NULL));
    ck_assert_uint_eq(*host, 0x90);
    vm_start(&machine->vm);
    ck_assert_uint_eq(*host, 0xcc);
    ck_assert_uint_eq(debug_byte(machine, ELSEWHERE), 0x90);
    vm_stop(&machine->vm, RUN_STATE_PAUSED);
    ck_assert_uint_eq(*host, 0x90);
    /* Other code is loaded there, and has one again. */
    machine->ram.ram->host[ELSEWHERE] = 0x42;
    vm_start(&machine->vm);
    ck_assert_uint_eq(*host, 0xcc);
    ck_assert_uint_eq(debug_byte(machine, ELSEWHERE), 0x42);
    vm_stop(&machine->vm, RUN_STATE_PAUSED);
    ck_assert(accel_kvm.set_breakpoints(&machine->vm, NULL, 0, NULL));
    vm_start(&machine->vm);
    ck_assert_uint_eq(*host, 0x42);
    kvm_machine_free(machine);
}
END_TEST

static const struct { BreakPoint at; const char *what; } refusals[] = {
    { { BREAK_SOFT, 0x80000000, 1 }, "no memory at 0x80000000 for a breakpoint" },
    { { WATCH_READ, DATA, 1 }, "kvm watches writes or all accesses, not reads alone" },
    { { WATCH_WRITE, DATA + 1, 2 }, "kvm watches 1, 2, 4 or 8 bytes at a multiple of that" },
    { { WATCH_WRITE, DATA, 3 }, "kvm watches 1, 2, 4 or 8 bytes at a multiple of that" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) error = NULL;
    MACHINE_OR_RETURN(machine);

    ck_assert(!accel_kvm.set_breakpoints(&machine->vm, &refusals[_i].at, 1, &error));
    ck_assert_str_eq(error->message, refusals[_i].what);
    kvm_machine_free(machine);
}
END_TEST

START_TEST(four_hardware_points)
{
    BreakPoint list[5];
    MACHINE_OR_RETURN(machine);

    for (unsigned i = 0; i < 5; i++) {
        list[i] = (BreakPoint){ BREAK_HARD, CODE + i, 1 };
    }
    ck_assert(accel_kvm.set_breakpoints(&machine->vm, list, 4, NULL));
    ck_assert(!accel_kvm.set_breakpoints(&machine->vm, list, 5, NULL));
    kvm_machine_free(machine);
}
END_TEST

CHECK_MAIN("kvm/debug", CASES(point_row, points), CASE(a_step_goes_past_the_point_it_stands_on),
           CASE(an_int3_is_there_only_while_it_runs), CASES(refusal_row, refusals),
           CASE(four_hardware_points))
