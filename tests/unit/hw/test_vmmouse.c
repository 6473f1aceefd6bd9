#include "check_main.h"
#include "i8042.h"
#include "isa_board.h"
#include "ps2.h"
#include "vmmouse.h"
#include "vmport.h"
#include "x86_cpu.h"

#define MAGIC   0x564d5868
#define UPPER   0xaaaa000000000000u

enum { DATA = 39, STATUS = 40, COMMAND = 41 };
enum { ENABLE = 0x45414552, DISABLE = 0xf5, RELATIVE = 0x4c455252, ABSOLUTE = 0x53424152 };

static X86Cpu cpu;
static Device *kbc;

static X86Cpu *the_cpu(void)
{
    return &cpu;
}

static void vmware_board(void)
{
    Device *port, *mouse;

    kbc = isa_board(&i8042_type);
    port = device_new(&vm, &vmport_type, NULL);
    mouse = device_new(&vm, &vmmouse_type, NULL);
    g_assert(device_realize(port, isa, NULL) && device_realize(mouse, isa, NULL));
    vmmouse_connect(mouse, port, i8042_mouse(kbc));
    devices_reset(&vm);
    vm.current_cpu = the_cpu;
    vm_start(&vm);
}

static uint32_t call(unsigned command, uint32_t argument)
{
    uint32_t eax;

    cpu.gpr[R_RAX] = MAGIC;
    cpu.gpr[R_RBX] = argument | UPPER;
    cpu.gpr[R_RCX] = command;
    cpu.gpr[R_RDX] = 0x5658;
    eax = mem_load(&vm.io, 0x5658, 4, NULL);
    return eax;
}

static void expect_packet(uint32_t flags, uint32_t x, uint32_t y, uint32_t z)
{
    ck_assert_uint_eq(call(STATUS, 0) & 3, 0);
    ck_assert_uint_eq(call(DATA, 4), flags);
    ck_assert_uint_eq(cpu.gpr[R_RBX], x);
    ck_assert_uint_eq(cpu.gpr[R_RCX], y);
    ck_assert_uint_eq(cpu.gpr[R_RDX], z);
}

static void enable(uint32_t kind)
{
    call(COMMAND, ENABLE);
    ck_assert_uint_eq(call(STATUS, 0), 1);
    ck_assert_uint_eq(call(DATA, 1), 0x3442554a);
    call(COMMAND, kind);
}

static void count_pointer(const InputHandler *handler, bool current, void *opaque)
{
    GString *list = opaque;

    g_string_append_printf(list, "%s%s;", handler->name, current ? "*" : "");
}

static void expect_pointers(const char *what)
{
    g_autoptr(GString) list = g_string_new(NULL);

    input_foreach_pointer(&vm, count_pointer, list);
    ck_assert_str_eq(list->str, what);
}

static void move(InputKind kind, int x, int y)
{
    input_send(&vm, &(InputEvent){ kind, INPUT_AXIS_X, x });
    input_send(&vm, &(InputEvent){ kind, INPUT_AXIS_Y, y });
    input_sync(&vm);
}

START_TEST(the_port)
{
    vmware_board();
    ck_assert_uint_eq(call(10, 0), 6);
    ck_assert_uint_eq(cpu.gpr[R_RBX], MAGIC);
    ck_assert_uint_eq(cpu.gpr[R_RCX], 2);
    ck_assert_uint_eq(call(99, 7), UINT32_MAX);
    ck_assert_uint_eq(cpu.gpr[R_RBX], 7 | UPPER);       /* untouched, upper half and all */
    ck_assert_uint_eq(call(0xffff, 0), UINT32_MAX);
    cpu.gpr[R_RAX] = 0;
    ck_assert_uint_eq(mem_load(&vm.io, 0x5658, 4, NULL), UINT32_MAX);
    mem_store(&vm.io, 0x5658, 0, 4);
    vm.current_cpu = NULL;
    ck_assert_uint_eq(mem_load(&vm.io, 0x5658, 4, NULL), UINT32_MAX);
}
END_TEST

START_TEST(positions)
{
    vmware_board();
    ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
    expect_pointers("QEMU PS/2 Mouse*;");
    enable(ABSOLUTE);
    expect_pointers("QEMU PS/2 Mouse;vmmouse*;");
    ck_assert(input_is_absolute(&vm));
    move(INPUT_ABS, 0, INPUT_ABS_MAX);
    input_button(&vm, INPUT_BUTTON_LEFT, true);
    input_button(&vm, INPUT_BUTTON_WHEEL_UP, true);
    expect_packet(0, 0, 0xffff, 0);
    expect_packet(0x20, 0, 0xffff, 0);
    expect_packet(0x20, 0, 0xffff, UINT32_MAX);
    ck_assert_uint_eq(call(STATUS, 0), 0);
    call(COMMAND, DISABLE);
    ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
    expect_pointers("QEMU PS/2 Mouse*;");
}
END_TEST

START_TEST(motion)
{
    vmware_board();
    enable(RELATIVE);
    ck_assert(!input_is_absolute(&vm));
    move(INPUT_REL, 5, 3);
    expect_packet(0x10000, 5, (uint32_t)-3, 0);
    call(COMMAND, ABSOLUTE);
    ck_assert(input_is_absolute(&vm));
}
END_TEST

/* The PS/2 mouse says that there is something to read, once the guest has enabled it. */
START_TEST(the_ps2_mouse_tells)
{
    vmware_board();
    enable(ABSOLUTE);
    move(INPUT_ABS, 1, 1);
    ck_assert_uint_eq(in8(0x64) & 1, 0);
    out8(0x64, 0xd4);
    out8(0x60, 0xf4);
    ck_assert_uint_eq(in8(0x60), 0xfa);
    move(INPUT_ABS, 2, 2);
    ck_assert_uint_eq(in8(0x64) & 0x21, 0x21);
    ck_assert_uint_eq(in8(0x60), 0x08);
    ck_assert_uint_eq(in8(0x60), 0);
    ck_assert_uint_eq(in8(0x60), 0);
}
END_TEST

START_TEST(a_guest_that_loses_its_place)
{
    vmware_board();
    enable(ABSOLUTE);
    for (int i = 0; i < 1000; i++) {
        move(INPUT_ABS, i, i);
    }
    ck_assert_uint_eq(call(STATUS, 0), 1024);
    call(DATA, 7);
    ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
    call(DATA, UINT32_MAX);
    call(DATA, 0);
    call(COMMAND, ABSOLUTE);                            /* not enabled: no pointer */
    expect_pointers("QEMU PS/2 Mouse*;");
    enable(ABSOLUTE);
    devices_reset(&vm);
    expect_pointers("QEMU PS/2 Mouse*;");
}
END_TEST

CHECK_MAIN("vmmouse",
    CASE(the_port),
    CASE(positions),
    CASE(motion),
    CASE(the_ps2_mouse_tells),
    CASE(a_guest_that_loses_its_place))
