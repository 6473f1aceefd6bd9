#include <errno.h>
#include <linux/ppdev.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backend.h"
#include "check_main.h"

/* What the back end asked of the host, and what it is told. */
static struct { unsigned long request; int value; } asked[32];
static unsigned n_asked;
static uint8_t answer;
static int problem;

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
    unsigned bytes = _IOC_SIZE(request);

    asked[n_asked].request = request;
    asked[n_asked].value = _IOC_DIR(request) != _IOC_WRITE ? 0
                           : bytes == sizeof(int) ? *(int *)arg : *(uint8_t *)arg;
    n_asked++;
    if (_IOC_DIR(request) == _IOC_READ) {
        *(uint8_t *)arg = answer;
    }
    errno = problem;
    return problem != 0 ? -1 : 0;
}

static CharFrontend fe;

static void setup(void)
{
    Chardev *chr;

    chardev_parallel_ioctl = fake_ioctl;
    chr = chardev_new_from_opts("parallel,id=p,path=/dev/null", NULL);
    ck_assert_ptr_nonnull(chr);
    ck_assert(chardev_attach(&fe, chr, NULL));
    ck_assert_uint_eq(n_asked, 1);
    ck_assert_uint_eq(asked[0].request, PPCLAIM);
    n_asked = 0;
}

static const struct {
    CharPort reg;
    unsigned long request;
    uint8_t answer, value;
} reads[] = {
    { CHAR_PORT_DATA, PPRDATA, 0x5a, 0x5a },
    { CHAR_PORT_STATUS, PPRSTATUS, 0x78, 0x78 },
    { CHAR_PORT_CONTROL, PPRCONTROL, 0x0c, 0xcc },
};

START_TEST(registers_are_read)
{
    uint8_t value = 0;

    setup();
    answer = reads[_i].answer;
    ck_assert(chardev_port_read(&fe, reads[_i].reg, &value));
    ck_assert_uint_eq(value, reads[_i].value);
    ck_assert_uint_eq(n_asked, 1);
    ck_assert_uint_eq(asked[0].request, reads[_i].request);
    problem = ENODEV;
    ck_assert(!chardev_port_read(&fe, reads[_i].reg, &value));
}
END_TEST

START_TEST(data_is_written_and_the_status_is_not)
{
    setup();
    ck_assert(chardev_port_write(&fe, CHAR_PORT_DATA, 0xa5));
    ck_assert(chardev_port_write(&fe, CHAR_PORT_STATUS, 0xff));
    ck_assert_uint_eq(n_asked, 1);
    ck_assert_uint_eq(asked[0].request, PPWDATA);
    ck_assert_int_eq(asked[0].value, 0xa5);
}
END_TEST

START_TEST(the_direction_goes_its_own_way)
{
    uint8_t value;

    setup();
    chardev_port_write(&fe, CHAR_PORT_CONTROL, 0xec);
    chardev_port_write(&fe, CHAR_PORT_CONTROL, 0xed);
    ck_assert_uint_eq(n_asked, 3);
    ck_assert_uint_eq(asked[0].request, PPDATADIR);
    ck_assert_int_eq(asked[0].value, 1);
    ck_assert_uint_eq(asked[1].request, PPWCONTROL);
    ck_assert_int_eq(asked[1].value, 0x0c);
    ck_assert_int_eq(asked[2].value, 0x0d);
    answer = 0x0d;
    ck_assert(chardev_port_read(&fe, CHAR_PORT_CONTROL, &value));
    ck_assert_uint_eq(value, 0xed);
    chardev_port_write(&fe, CHAR_PORT_CONTROL, 0xcd);
    ck_assert_uint_eq(asked[4].request, PPDATADIR);
    ck_assert_int_eq(asked[4].value, 0);
}
END_TEST

START_TEST(the_port_is_let_go)
{
    setup();
    chardev_detach(&fe);
    ck_assert(chardev_remove("p", NULL));
    ck_assert_uint_eq(n_asked, 1);
    ck_assert_uint_eq(asked[0].request, PPRELEASE);
}
END_TEST

START_TEST(a_stream_has_no_registers)
{
    uint8_t value;

    ck_assert(chardev_attach(&fe, chardev_new_from_opts("null,id=n", NULL), NULL));
    ck_assert(!chardev_port_read(&fe, CHAR_PORT_STATUS, &value));
    ck_assert(!chardev_port_write(&fe, CHAR_PORT_DATA, 1));
}
END_TEST

static const struct { const char *opts, *error; } wrong[] = {
    { "parallel,id=p", "chardev: parallel: no device path given" },
    { "parallel,id=p,path=/nonexistent", "Could not open '/nonexistent': No such file" },
    { "parallel,id=p,path=/dev/null", "'/dev/null' is not a parallel port: Inappropriate ioctl" },
    { "parport,id=p,path=/nonexistent", "Could not open '/nonexistent'" },
};

START_TEST(what_is_no_port_is_refused)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(chardev_new_from_opts(wrong[_i].opts, &error));
    ck_assert_msg(g_str_has_prefix(error->message, wrong[_i].error), "%s", error->message);
    ck_assert_ptr_null(chardev_find("p"));
}
END_TEST

START_TEST(the_legacy_word_is_a_path)
{
    g_autoptr(CharOpts) opts = char_opts_from_legacy("parallel0", "/dev/parport3", NULL);

    ck_assert_ptr_eq(opts->type, &chardev_parallel_type);
    ck_assert_str_eq(char_opts_string(opts, "path"), "/dev/parport3");
}
END_TEST

CHECK_MAIN("char_parallel", CASES(registers_are_read, reads),
           CASE(data_is_written_and_the_status_is_not), CASE(the_direction_goes_its_own_way),
           CASE(the_port_is_let_go), CASE(a_stream_has_no_registers),
           CASES(what_is_no_port_is_refused, wrong), CASE(the_legacy_word_is_a_path))
