#include <linux/ppdev.h>
#include <string.h>
#include <sys/ioctl.h>

#include "char_opts.h"
#include "check_main.h"
#include "isa_board.h"
#include "parallel.h"

#define LPT1 0x378

static Chardev *ring;

static Device *port_new(const char *label)
{
    Device *dev = device_new(&vm, &isa_parallel_type, NULL);
    g_autofree char *opts = g_strdup_printf("ringbuf,id=%s", label);

    ring = chardev_new_from_opts(opts, NULL);
    ck_assert(device_set(dev, "chardev", label, NULL));
    return dev;
}

/* isa_board() realizes the type it is given, and the port needs its back end first. */
static void setup(void)
{
    static const DeviceType none = { .name = "none", .bus = &isa_bus_type,
                                     .size = sizeof(Device), .board_only = true };

    isa_board(&none);
    ck_assert(device_realize(port_new("ring"), isa, NULL));
    devices_reset(&vm);
}

static void print(uint8_t byte, uint8_t control)
{
    out8(LPT1, byte);
    out8(LPT1 + 2, control);
    out8(LPT1 + 2, control | 0x01);
    ck_assert_uint_eq(in8(LPT1 + 1), (control & 0x0c) == 0x0c ? 0x59 : 0xd9);
    out8(LPT1 + 2, control);
}

START_TEST(registers_start_as_a_ready_printer)
{
    setup();
    ck_assert_uint_eq(in8(LPT1), 0xff);
    ck_assert_uint_eq(in8(LPT1 + 1), 0xd9);
    ck_assert_uint_eq(in8(LPT1 + 2), 0xcc);
    ck_assert_uint_eq(in8(LPT1 + 3), 0xff);
}
END_TEST

/* A host's port that is three bytes; PP*DATA, PP*STATUS and PP*CONTROL by their direction. */
static uint8_t host[3];

static int host_ioctl(int fd, unsigned long request, void *arg)
{
    uint8_t *value = arg;

    switch (request) {
    case PPRDATA:
        *value = host[0];
        break;
    case PPRSTATUS:
        *value = host[1];
        break;
    case PPWDATA:
        host[0] = *value;
        break;
    case PPWCONTROL:
        host[2] = *value;
        break;
    }
    return 0;
}

START_TEST(a_hosts_port_has_its_own_registers)
{
    g_autoptr(CharOpts) opts = char_opts_parse("parallel,id=ring,path=/dev/null", NULL);

    setup();
    chardev_parallel_ioctl = host_ioctl;
    ck_assert(chardev_change(opts, NULL));
    host[1] = 0x78;
    ck_assert_uint_eq(in8(LPT1 + 1), 0x78);
    out8(LPT1, 0xa5);
    out8(LPT1 + 1, 0xff);
    out8(LPT1 + 2, 0x0d);
    ck_assert_uint_eq(host[0], 0xa5);
    ck_assert_uint_eq(host[1], 0x78);
    ck_assert_uint_eq(host[2], 0x0d);
    host[0] = 0x5a;
    ck_assert_uint_eq(in8(LPT1), 0x5a);
    ck_assert_uint_eq(in8(LPT1 + 3), 0xff);
}
END_TEST

START_TEST(bytes_are_printed_once_each)
{
    uint8_t buf[8] = { 0 };

    setup();
    for (const char *p = "hello"; *p != '\0'; p++) {
        print(*p, 0x0c);
        ck_assert_uint_eq(in8(LPT1 + 1), 0xd9);
    }
    print('x', 0x04);                                   /* not selected */
    print('y', 0x08);                                   /* held in reset */
    ck_assert_uint_eq(chardev_ringbuf_read(ring, buf, sizeof(buf)), 5);
    ck_assert_str_eq((char *)buf, "hello");
}
END_TEST

START_TEST(the_acknowledge_interrupts)
{
    setup();
    print('a', 0x0c);
    ck_assert_int_eq(levels[7], 0);
    print('b', 0x1c);
    ck_assert_int_eq(levels[7], 1);
    in8(LPT1 + 1);
    ck_assert_int_eq(levels[7], 0);
    print('c', 0x1c);
    out8(LPT1 + 2, 0x0c);
    ck_assert_int_eq(levels[7], 0);
}
END_TEST

START_TEST(places_follow_the_index)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert(device_realize(port_new("r1"), isa, NULL));
    ck_assert(device_realize(port_new("r2"), isa, NULL));
    devices_reset(&vm);
    ck_assert_uint_eq(in8(0x278 + 1), 0xd9);
    ck_assert_uint_eq(in8(0x3bc + 1), 0xd9);
    ck_assert(!device_realize(port_new("r3"), isa, &error));
    ck_assert_str_eq(error->message, "Max. supported number of parallel ports is 3.");
}
END_TEST

START_TEST(a_back_end_is_needed)
{
    g_autoptr(GError) error = NULL;

    setup();
    ck_assert(!device_realize(device_new(&vm, &isa_parallel_type, NULL), isa, &error));
    ck_assert_str_eq(error->message, "Can't create parallel device, empty char device");
}
END_TEST

CHECK_MAIN("hw/parallel", CASE(registers_start_as_a_ready_printer),
           CASE(a_hosts_port_has_its_own_registers),
           CASE(bytes_are_printed_once_each), CASE(the_acknowledge_interrupts),
           CASE(places_follow_the_index), CASE(a_back_end_is_needed))
