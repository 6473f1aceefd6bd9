/* What is saved of a virtio device brings it back, at work; what is damaged is refused. */
#include "check_main.h"
#include "virtio_echo.h"
#include "virtqueue.h"

#define V1  VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define ALL (VIRTIO_BIT(ECHO_BIT) | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) | \
             VIRTIO_BIT(VIRTIO_F_EVENT_IDX))

static Device *inside(void)
{
    return &vio_device()->dev;
}

static void round_trips(unsigned n)
{
    uint16_t before = used_index(0);

    for (unsigned i = 0; i < n; i++) {
        offer(0, 0);
        kick(0);
    }
    ck_assert_uint_eq(used_index(0), (uint16_t)(before + n));
}

static void at_work(const char *props)
{
    bare_setup();
    vio_board(&echo_pci_type, props);
    vio_start(ALL, 2);
    desc(0, 0, BUFFER(0), 4, D_NEXT, 1);
    desc(0, 1, BUFFER(8), 4, D_WRITE, 0);
    round_trips(11);
}

static GByteArray *save(void)
{
    GByteArray *bytes = g_byte_array_new();

    state_save(&echo_state, inside(), bytes);
    return bytes;
}

static bool load(const GByteArray *bytes, GError **error)
{
    size_t pos = 0;

    return state_load(&echo_state, inside(), 1, bytes->data, bytes->len, &pos, error) &&
           pos == bytes->len;
}

static const struct { const char *props; } boards[] = { { "" }, { "ioeventfd=off" } };

START_TEST(state_row)
{
    g_autoptr(GByteArray) saved = NULL, again = NULL;
    g_autoptr(GError) error = NULL;

    at_work(boards[_i].props);
    saved = save();
    devices_reset(&vm);
    ck_assert_uint_eq(vio_device()->started, 0);
    ck_assert_msg(load(saved, &error), "%s", error ? error->message : "bytes are left");
    again = save();
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
    ck_assert_uint_eq(vio_status(), 15);
    ck_assert_uint_eq(rd(VIO_MSIX + 16 + 8, 4), 0x41);
    msi_count = 0;
    wr(RING_AVAIL(0) + 4 + 2 * RING_SIZE, used_index(0), 2);
    round_trips(20);
    ck_assert_uint_eq(msi_count, 1);
}
END_TEST

/* The head of the form, byte for byte as others read it. */
START_TEST(the_form)
{
    g_autoptr(GByteArray) saved = NULL;
    const uint8_t *at;

    at_work("");
    saved = save();
    at = saved->data + 4 + 256 + 16;                /* version, configuration, pins */
    ck_assert_uint_eq(saved->data[3], 2);
    ck_assert_uint_eq(saved->data[4], 0xf4);
    ck_assert_uint_eq(at[8], 0x40);                 /* MSI-X: data of the first of three vectors */
    at += 3 * 16 + 1;
    ck_assert_int_eq(memcmp(at, "\0\0" "\x0f" "\1" "\0\1", 6), 0);  /* vector, status, isr, queue */
    ck_assert_int_eq(memcmp(at + 6, "\x30\0\0\x08" "\0\0\0\4", 8), 0);
    at += 6 + 8 + 4;
    ck_assert_int_eq(memcmp(at, "\0\0\0\2" "\0\0\0\x08" "\0\0\0\0\0\x10\0\0" "\0\x0b" "\0\1", 20),
                     0);
}
END_TEST

START_TEST(the_legacy_interface)
{
    g_autoptr(GByteArray) saved = NULL;
    VirtQueue *vq;

    bare_setup();
    vio_board(&echo_pci_type, "disable-modern=on");
    out(VIO_IO + 18, 3, 1);
    out(VIO_IO + 4, VIRTIO_BIT(ECHO_BIT), 4);
    out(VIO_IO + 8, 0x200, 4);
    out(VIO_IO + 18, 7, 1);
    saved = save();
    devices_reset(&vm);
    ck_assert(load(saved, NULL));
    vq = echo->queue;
    ck_assert(virtqueue_ready(vq));
    ck_assert_uint_eq(in(VIO_IO + 8, 4), 0x200);
}
END_TEST

/* The guest's memory belongs to its state, too. */
static void put_ring_back(void)
{
    wr(RING_AVAIL(0) + 2, 11, 2);
    wr(RING_USED(0) + 2, 11, 2);
}

/* Any byte may be wrong: the load fails, or the device works, or it waits for a reset. */
START_TEST(damaged_states)
{
    g_autoptr(GByteArray) saved = NULL;

    at_work("");
    saved = save();
    for (guint i = 0; i < saved->len; i += i < 600 ? 1 : 97) {
        saved->data[i] ^= 0xff;
        put_ring_back();
        if (load(saved, NULL)) {
            offer(0, 0);
            virtqueue_reschedule(echo->queue);
            while (g_main_context_iteration(NULL, FALSE)) {
            }
        }
        saved->data[i] ^= 0xff;
    }
    put_ring_back();
    ck_assert(load(saved, NULL));
    for (guint len = 0; len < saved->len; len += 61) {
        GByteArray cut = { saved->data, len };

        ck_assert(!load(&cut, NULL));
    }
}
END_TEST

CHECK_MAIN("virtio_state", CASES(state_row, boards), CASE(the_form), CASE(the_legacy_interface),
           CASE(damaged_states))
