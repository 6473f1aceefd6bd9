/* Split rings: chains, what is refused, who is told when. */
#include "check_main.h"
#include "virtio_echo.h"

#define TABLE 0x300000u                         /* indirect tables */
#define ALL   (VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX))

static void setup(uint64_t features)
{
    bare_setup();
    vio_board(&echo_pci_type, "");
    vio_start(features, 2);
    msi_count = 0;
}

static void put_text(uint64_t addr, const char *text)
{
    mem_write(&vm.memory, addr, text, strlen(text));
}

static void check_text(uint64_t addr, const char *text)
{
    char found[64] = "";

    mem_read(&vm.memory, addr, found, strlen(text));
    ck_assert_str_eq(found, text);
}

/* ---- chains ---- */

typedef struct Piece { uint32_t addr, len; uint16_t flags, next; } Piece;

/* Each echoes "hello, ring" from BUFFER(0) on into the pieces at BUFFER(8) on. */
static const struct { bool indirect; Piece pieces[8]; } chains[] = {
    { false, { { BUFFER(0), 11, D_NEXT, 1 }, { BUFFER(8), 64, D_WRITE, 0 } } },
    { false, { { BUFFER(0), 5, D_NEXT, 3 }, { 0 }, { BUFFER(8), 11, D_WRITE, 0 },
               { BUFFER(0) + 5, 6, D_NEXT, 2 } } },
    { false, { { BUFFER(0), 11, D_NEXT, 1 }, { BUFFER(8), 4, D_WRITE | D_NEXT, 2 },
               { BUFFER(8) + 4, 7, D_WRITE, 0 } } },
    { false, { { BUFFER(0), 0, D_NEXT, 1 }, { BUFFER(0), 11, D_NEXT, 2 },
               { BUFFER(8), 11, D_WRITE, 0 } } },
    { true, { { BUFFER(0), 11, D_NEXT, 1 }, { BUFFER(8), 64, D_WRITE, 0 } } },
    { true, { { BUFFER(0), 1, D_NEXT, 2 }, { BUFFER(8), 11, D_WRITE, 0 },
              { BUFFER(0) + 1, 10, D_NEXT, 1 } } },
};

START_TEST(chain_row)
{
    setup(ALL);
    put_text(BUFFER(0), "hello, ring");
    for (unsigned i = 0; i < 8; i++) {
        const Piece *p = &chains[_i].pieces[i];

        desc_at(chains[_i].indirect ? TABLE : RING_DESC(0), i, p->addr, p->len, p->flags, p->next);
    }
    if (chains[_i].indirect) {
        desc(0, 5, TABLE, 8 * 16, D_INDIRECT, 0);
    }
    offer(0, chains[_i].indirect ? 5 : 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 1);
    ck_assert_uint_eq(used_head(0, 0), chains[_i].indirect ? 5 : 0);
    ck_assert_uint_eq(used_len(0, 0), 11);
    check_text(BUFFER(8), "hello, ring");
    ck_assert_uint_eq(msi_count, 1);
    ck_assert_uint_eq(msi_last, 0x41);
    ck_assert_uint_eq(vio_status(), 15);
}
END_TEST

/* Indices go round the ring and, by and by, round 16 bits. */
START_TEST(indices_wrap)
{
    setup(0);
    put_text(BUFFER(0), "x");
    desc(0, 0, BUFFER(0), 1, D_NEXT, 1);
    desc(0, 1, BUFFER(8), 1, D_WRITE, 0);
    for (unsigned i = 0; i < 66000; i++) {
        offer(0, 0);
        if (i % RING_SIZE == RING_SIZE - 1) {
            kick(0);
            ck_assert_uint_eq(used_index(0), (uint16_t)(i + 1));
        }
    }
    ck_assert_uint_eq(vio_status(), 15);
}
END_TEST

/* ---- what is refused ---- */

typedef struct Bad {
    const char *what;
    uint64_t features;
    uint16_t head, index;                       /* index: of the available ring, 0: one more */
    Piece pieces[4], table[3];
} Bad;

static const Bad bad[] = {
    { "head out of the ring", ALL, RING_SIZE, 0, { { BUFFER(0), 4, 0, 0 } }, { } },
    { "next out of the ring", ALL, 0, 0, { { BUFFER(0), 4, D_NEXT, RING_SIZE } }, { } },
    { "a loop of one", ALL, 0, 0, { { BUFFER(0), 4, D_NEXT, 0 } }, { } },
    { "a loop of two", ALL, 0, 0, { { BUFFER(0), 4, D_NEXT, 1 }, { BUFFER(0), 4, D_NEXT, 0 } },
      { } },
    { "read after write", ALL, 0, 0,
      { { BUFFER(0), 4, D_WRITE | D_NEXT, 1 }, { BUFFER(1), 4, 0, 0 } }, { } },
    { "not memory", ALL, 0, 0, { { 0xf0000000, 4, 0, 0 } }, { } },
    { "device registers", ALL, 0, 0, { { (uint32_t)VIO_MEM, 4, D_WRITE, 0 } }, { } },
    { "past the end of memory", ALL, 0, 0, { { BARE_RAM - 2, 4, 0, 0 } }, { } },
    { "4 GiB", ALL, 0, 0, { { 0, UINT32_MAX, D_WRITE, 0 } }, { } },
    { "table not agreed on", 0, 0, 0, { { TABLE, 16, D_INDIRECT, 0 } },
      { { BUFFER(0), 4, 0, 0 } } },
    { "empty table", ALL, 0, 0, { { TABLE, 0, D_INDIRECT, 0 } }, { } },
    { "odd table", ALL, 0, 0, { { TABLE, 17, D_INDIRECT, 0 } }, { { BUFFER(0), 4, 0, 0 } } },
    { "huge table", ALL, 0, 0, { { TABLE, 0x10000, D_INDIRECT, 0 } }, { } },
    { "table not in memory", ALL, 0, 0, { { 0xf0000000, 16, D_INDIRECT, 0 } }, { } },
    { "next behind a table", ALL, 0, 0, { { TABLE, 16, D_INDIRECT | D_NEXT, 1 } }, { } },
    { "table in a table", ALL, 0, 0, { { TABLE, 32, D_INDIRECT, 0 } },
      { { TABLE, 16, D_INDIRECT, 0 } } },
    { "table in the middle", ALL, 0, 0,
      { { BUFFER(0), 4, D_NEXT, 1 }, { TABLE, 16, D_INDIRECT, 0 } }, { { BUFFER(0), 4, 0, 0 } } },
    { "next out of the table", ALL, 0, 0, { { TABLE, 32, D_INDIRECT, 0 } },
      { { BUFFER(0), 4, D_NEXT, 2 } } },
    { "a loop in the table", ALL, 0, 0, { { TABLE, 32, D_INDIRECT, 0 } },
      { { BUFFER(0), 4, D_NEXT, 1 }, { BUFFER(0), 4, D_NEXT, 0 } } },
    { "index too far ahead", ALL, 0, RING_SIZE + 1, { { BUFFER(0), 4, 0, 0 } }, { } },
    { "index behind", ALL, 0, 0xffff, { { BUFFER(0), 4, 0, 0 } }, { } },
};

static void lay_out(const Bad *row)
{
    for (unsigned i = 0; i < 4; i++) {
        const Piece *p = &row->pieces[i];

        desc(0, i, p->addr, p->len, p->flags, p->next);
    }
    for (unsigned i = 0; i < 3; i++) {
        const Piece *p = &row->table[i];

        desc_at(TABLE, i, p->addr, p->len, p->flags, p->next);
    }
}

START_TEST(bad_row)
{
    setup(bad[_i].features);
    lay_out(&bad[_i]);
    offer(0, bad[_i].head);
    if (bad[_i].index != 0) {
        wr(RING_AVAIL(0) + 2, bad[_i].index, 2);
    }
    kick(0);
    ck_assert_msg(vio_status() == (15 | 64), "%s: status %02x", bad[_i].what, vio_status());
    ck_assert_uint_eq(used_index(0), 0);
    ck_assert_uint_eq(msi_last, 0x40);                  /* the configuration's vector */
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 0);                /* nothing more happens, until */

    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert_uint_eq(vio_status(), 0);
    vio_start(ALL, 2);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 1);
}
END_TEST

/* Where the parts of the ring are. */
static const struct { uint32_t reg; uint64_t addr; } bad_rings[] = {
    { 0x20, 0xf0000000 }, { 0x28, 0xf0000000 }, { 0x30, 0xf0000000 }, { 0x20, BARE_RAM - 64 },
    { 0x30, 0xfffff000 }, { 0x20, UINT64_C(0xfffffffffffffff0) }, { 0x28, RING_AVAIL(0) + 1 },
    { 0x30, RING_USED(0) + 2 }, { 0x20, RING_DESC(0) + 4 },
};

START_TEST(bad_ring_row)
{
    setup(ALL);
    wr(VIO_COMMON + 0x14, 0, 1);
    vio_accept(ALL | VIRTIO_BIT(VIRTIO_F_VERSION_1));
    vio_queue(0, RING_SIZE);
    wr(VIO_COMMON + 0x14, 0, 1);
    vio_accept(ALL | VIRTIO_BIT(VIRTIO_F_VERSION_1));
    wr(VIO_COMMON + 0x16, 0, 2);
    wr(VIO_COMMON + 0x20, RING_DESC(0), 4);
    wr(VIO_COMMON + 0x28, RING_AVAIL(0), 4);
    wr(VIO_COMMON + 0x30, RING_USED(0), 4);
    wr(VIO_COMMON + bad_rings[_i].reg, (uint32_t)bad_rings[_i].addr, 4);
    wr(VIO_COMMON + bad_rings[_i].reg + 4, bad_rings[_i].addr >> 32, 4);
    wr(VIO_COMMON + 0x1c, 1, 2);
    wr(VIO_COMMON + 0x14, 15, 1);
    kick(0);
    ck_assert_uint_eq(vio_status(), 15 | 64);
}
END_TEST

/* Fewer descriptors than the ring has entries, more elements at once than there can be. */
START_TEST(too_many_in_flight)
{
    setup(ALL);
    desc(1, 0, BUFFER(0), 4, 0, 0);
    for (unsigned i = 0; i < RING_SIZE; i++) {
        offer(1, 0);
        ck_assert_ptr_nonnull(virtqueue_pop(echo->hold));
    }
    offer(1, 0);
    ck_assert_ptr_null(virtqueue_pop(echo->hold));
    ck_assert_uint_eq(vio_status(), 15 | 64);
}
END_TEST

/* ---- who is told ---- */

/* used_event, then how many elements come one by one, and how many interrupts that gives. */
static const struct { uint16_t event; unsigned elements, interrupts; } events[] = {
    { 0, 1, 1 }, { 0, 5, 1 }, { 2, 5, 2 }, { 4, 5, 2 }, { 9, 5, 1 }, { 0xffff, 5, 1 },
};

START_TEST(used_event_row)
{
    setup(ALL);
    desc(0, 0, BUFFER(0), 1, 0, 0);
    wr(RING_AVAIL(0) + 4 + 2 * RING_SIZE, events[_i].event, 2);
    for (unsigned i = 0; i < events[_i].elements; i++) {
        offer(0, 0);
        kick(0);
    }
    ck_assert_uint_eq(msi_count, events[_i].interrupts);
}
END_TEST

START_TEST(flags_suppress_interrupts)
{
    setup(0);
    desc(0, 0, BUFFER(0), 1, 0, 0);
    wr(RING_AVAIL(0), 1, 2);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 1);
    ck_assert_uint_eq(msi_count, 0);
    wr(RING_AVAIL(0), 0, 2);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(msi_count, 1);
}
END_TEST

START_TEST(the_driver_is_told_when_to_ring)
{
    setup(ALL);
    desc(1, 0, BUFFER(0), 1, 0, 0);
    offer(1, 0);
    virtqueue_drop(echo->hold, virtqueue_pop(echo->hold));
    ck_assert_uint_eq(rd(RING_USED(1) + 4 + 8 * RING_SIZE, 2), 1);      /* avail_event */
    virtqueue_set_notification(echo->hold, false);
    offer(1, 0);
    virtqueue_drop(echo->hold, virtqueue_pop(echo->hold));
    ck_assert_uint_eq(rd(RING_USED(1) + 4 + 8 * RING_SIZE, 2), 1);
    virtqueue_set_notification(echo->hold, true);
    ck_assert_uint_eq(rd(RING_USED(1) + 4 + 8 * RING_SIZE, 2), 2);
}
END_TEST

START_TEST(the_driver_is_told_by_a_flag)
{
    setup(0);
    desc(1, 0, BUFFER(0), 1, 0, 0);
    offer(1, 0);
    virtqueue_drop(echo->hold, virtqueue_pop(echo->hold));
    virtqueue_set_notification(echo->hold, false);
    ck_assert_uint_eq(rd(RING_USED(1), 2), 1);
    virtqueue_set_notification(echo->hold, true);
    ck_assert_uint_eq(rd(RING_USED(1), 2), 0);
}
END_TEST

/* ---- taking back, and together ---- */

START_TEST(unpop_and_fill)
{
    VirtElem *first, *second;

    setup(ALL);
    desc(1, 0, BUFFER(0), 100, D_WRITE, 0);
    desc(1, 1, BUFFER(1), 200, D_WRITE, 0);
    offer(1, 0);
    offer(1, 1);
    ck_assert_uint_eq(virtqueue_in_bytes(echo->hold, 1000, 16), 300);
    ck_assert_uint_eq(virtqueue_in_bytes(echo->hold, 50, 16), 100);
    ck_assert_uint_eq(virtqueue_in_bytes(echo->hold, 1000, 1), 100);
    first = virtqueue_pop(echo->hold);
    second = virtqueue_pop(echo->hold);
    ck_assert_uint_eq(second->in_len, 200);
    virtqueue_unpop(echo->hold, second);
    second = virtqueue_pop(echo->hold);
    ck_assert_uint_eq(second->in_len, 200);
    ck_assert_uint_eq(virtqueue_inflight(echo->hold), 2);
    virtqueue_fill(echo->hold, first, 10);
    virtqueue_fill(echo->hold, second, 20);
    ck_assert_uint_eq(used_index(1), 0);
    virtqueue_flush(echo->hold);
    ck_assert_uint_eq(used_index(1), 2);
    ck_assert_uint_eq(used_len(1, 0), 10);
    ck_assert_uint_eq(used_len(1, 1), 20);
    ck_assert(virtqueue_empty(echo->hold));
    ck_assert_uint_eq(virtqueue_inflight(echo->hold), 0);
}
END_TEST

/* An element that outlives a reset is void. */
START_TEST(elements_of_before_a_reset)
{
    VirtElem *elem;

    setup(ALL);
    desc(1, 0, BUFFER(0), 100, D_WRITE, 0);
    offer(1, 0);
    elem = virtqueue_pop(echo->hold);
    wr(VIO_COMMON + 0x14, 0, 1);
    vio_start(ALL, 2);
    virtqueue_push(echo->hold, elem, 10);
    ck_assert_uint_eq(used_index(1), 0);
    ck_assert_uint_eq(virtqueue_inflight(echo->hold), 0);
}
END_TEST

/* Written memory is marked for those who follow writes, as far as it was written. */
START_TEST(writes_are_marked)
{
    unsigned long bits[2] = { 0 };
    RamBlock *ram;

    setup(ALL);
    ram = bare_ram.ram;
    put_text(BUFFER(0), "abc");
    ck_assert(ram_dirty_start(ram, DIRTY_DISPLAY));
    desc(0, 0, BUFFER(0), 3, D_NEXT, 1);
    desc(0, 1, BUFFER(8), 0x2000, D_WRITE, 0);
    offer(0, 0);
    ram_dirty_fetch(ram, DIRTY_DISPLAY, 0, 0x100, (unsigned long[4]){ 0 });
    kick(0);
    ck_assert(ram_dirty_fetch(ram, DIRTY_DISPLAY, BUFFER(8) >> 12, 2, bits));
    ck_assert_uint_eq(bits[0], 1);
    ck_assert(ram_dirty_fetch(ram, DIRTY_DISPLAY, RING_USED(0) >> 12, 1, bits));
}
END_TEST

CHECK_MAIN("virtqueue", CASES(chain_row, chains), CASE(indices_wrap), CASES(bad_row, bad),
           CASES(bad_ring_row, bad_rings), CASE(too_many_in_flight),
           CASES(used_event_row, events), CASE(flags_suppress_interrupts),
           CASE(the_driver_is_told_when_to_ring),
           CASE(the_driver_is_told_by_a_flag), CASE(unpop_and_fill),
           CASE(elements_of_before_a_reset), CASE(writes_are_marked))
