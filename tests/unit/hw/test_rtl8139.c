#include "check_main.h"
#include "nic_board.h"
#include "rtl8139.h"

/* Registers the tests use, from the data sheet. */
enum {
    IDR = 0x00, MAR = 0x08, TSD = 0x10, TSAD = 0x20, RBSTART = 0x30, CR = 0x37, CAPR = 0x38,
    CBR = 0x3a, IMR = 0x3c, ISR = 0x3e, TCR = 0x40, RCR = 0x44, TCTR = 0x48, MPC = 0x4c,
    EECR = 0x50, CONFIG1 = 0x52, TIMERINT = 0x54, MSR = 0x58, TSAD_ALL = 0x60, BMSR = 0x64,
    CSCR = 0x74, TPPOLL = 0xd9, CPCR = 0xe0, RDSAR = 0xe4,
};
#define RING        0x100000u
#define RX_RING     0x110000u
#define BUFFERS     0x200000u
#define RX_BUFFER   0x400000u

#define OWN 0x80000000u
#define EOR 0x40000000u
#define FS 0x20000000u
#define LS 0x10000000u
#define LGSEN 0x08000000u

static void setup(void)
{
    nic_board(&rtl8139_type, 1, 0);
}

static void start(uint32_t rcr)
{
    nic_out(RBSTART, RX_BUFFER, 4);
    nic_out(CR, 0x0c, 1);
    nic_out(RCR, rcr, 4);
}

static bool line_is_high(void)
{
    return cfg_in(NIC_DEVFN, 0x06, 2) & 8;
}

/* ---- registers ---- */

static const struct { unsigned offset, size; uint32_t value; } initial[] = {
    { IDR, 4, 0x12005452 }, { IDR + 4, 2, 0x5634 }, { TSD, 4, 0x2000 }, { TSD + 1, 1, 0x20 },
    { CR, 1, 0x01 }, { RBSTART + 4, 4, 0x01000000 }, { CAPR, 2, 0xfff0 }, { TCR, 4, 0x74800000 },
    { TCR + 2, 2, 0x7480 }, { CONFIG1, 1, 0x0c }, { MSR, 1, 0xd0 }, { MSR, 2, 0x01d0 },
    { TSAD_ALL, 2, 0x000f }, { BMSR, 2, 0x782d }, { 0x66, 2, 0x05e1 }, { CSCR, 2, 0x0340 },
    { 0xf0, 4, 0 },
};

START_TEST(initial_row)
{
    setup();
    ck_assert_uint_eq(nic_in(initial[_i].offset, initial[_i].size), initial[_i].value);
    ck_assert_uint_eq(in(NIC_IO + initial[_i].offset, initial[_i].size), initial[_i].value);
}
END_TEST

START_TEST(config_registers_are_locked)
{
    setup();
    nic_out(CONFIG1, 0xff, 1);
    ck_assert_uint_eq(nic_in(CONFIG1, 1), 0x0c);
    nic_out(EECR, 0xc0, 1);
    nic_out(CONFIG1, 0xf0, 1);
    ck_assert_uint_eq(nic_in(CONFIG1, 1), 0xfc);
}
END_TEST

static void eeprom_bit(unsigned lines)
{
    nic_out(EECR, 0x88 | lines, 1);
    nic_out(EECR, 0x8c | lines, 1);
    nic_out(EECR, 0x88 | lines, 1);
}

static uint16_t eeprom_word(unsigned word)
{
    unsigned command = 6u << 6 | word, value = 0;

    nic_out(EECR, 0x80, 1);
    nic_out(EECR, 0x88, 1);
    for (int bit = 10; bit >= 0; bit--) {                   /* two zeros lead */
        eeprom_bit(command >> bit & 1 ? 2 : 0);
    }
    for (int bit = 0; bit < 16; bit++) {
        nic_out(EECR, 0x8c, 1);
        value = value << 1 | (nic_in(EECR, 1) & 1);
        nic_out(EECR, 0x88, 1);
    }
    nic_out(EECR, 0x80, 1);
    return value;
}

START_TEST(eeprom_holds_the_address)
{
    static const uint16_t words[] = { 0x8129, 0x10ec, 0x8139, 0, 0, 0, 0, 0x5452, 0x1200, 0x5634 };

    setup();
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        ck_assert_uint_eq(eeprom_word(i), words[i]);
    }
}
END_TEST

START_TEST(the_timer_counts_and_interrupts)
{
    setup();
    nic_out(IMR, 0x4000, 2);
    nic_out(TCTR, 0, 4);
    nic_out(TIMERINT, 33000, 4);
    vm_clock_set_manual(&vm, 500 * NS_PER_US);
    ck_assert_uint_eq(nic_in(TCTR, 4), 16500);
    ck_assert(!line_is_high());
    vm_clock_set_manual(&vm, 1001 * NS_PER_US);
    ck_assert(line_is_high());
    ck_assert_uint_eq(nic_in(ISR, 2), 0x4000);
    nic_out(ISR + 1, 0x40, 1);
    ck_assert(!line_is_high());
}
END_TEST

START_TEST(the_link_follows_its_ends)
{
    setup();
    ck_assert(net_set_link("nic", false, NULL));
    ck_assert_uint_eq(nic_in(MSR, 1), 0xd4);
    ck_assert_uint_eq(nic_in(BMSR, 2), 0x7809);
    ck_assert_uint_eq(nic_in(ISR, 2), 0x20);
    ck_assert_uint_eq(nic_in(CSCR, 2), 0x0b40);
    ck_assert_uint_eq(nic_in(CSCR, 2), 0x0340);
    ck_assert(net_set_link("nic", true, NULL));
    ck_assert_uint_eq(nic_in(BMSR, 2), 0x782d);
}
END_TEST

/* ---- transmit, buffers ---- */

START_TEST(buffers_go_out_in_turn)
{
    uint8_t data[100];
    const uint8_t *sent;
    size_t len;

    setup();
    start(0);
    nic_out(IMR, 4, 2);
    for (unsigned i = 0; i < 6; i++) {
        make_frame(data, nic_mac, sizeof(data));
        data[20] = i;
        poke(BUFFERS + 2048 * (i % 4), data, sizeof(data));
        nic_out(TSAD + 4 * (i % 4), BUFFERS + 2048 * (i % 4), 4);
        nic_out(TSD + 4 * (i % 4), 60 + i, 4);
        sent = frame_at(i, &len);
        ck_assert_uint_eq(len, 60 + i);
        ck_assert_int_eq(memcmp(sent, data, len), 0);
        ck_assert_uint_eq(nic_in(TSD + 4 * (i % 4), 4), 0xa000 | (60 + i));
        ck_assert(line_is_high());
        nic_out(ISR, 4, 2);
        ck_assert(!line_is_high());
    }
    ck_assert_uint_eq(nic_in(TSAD_ALL, 2), 0xf00f);
}
END_TEST

START_TEST(a_transmitter_that_is_off_sends_nothing)
{
    setup();
    nic_out(TSD, 60, 4);
    ck_assert_uint_eq(frames->len, 0);
    ck_assert_uint_eq(nic_in(TSD, 4), 0x2000);
}
END_TEST

/* ---- receive, ring of bytes ---- */

static const struct { uint32_t rcr; uint8_t dest[6]; unsigned status; } filters[] = {
    { 0x02, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 }, 0x4001 },
    { 0x0e, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 }, 0 },
    { 0x01, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 }, 0x0001 },
    { 0x08, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0x2001 },
    { 0x06, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0 },
    { 0x04, { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 }, 0x8001 },   /* hash 31, set below */
    { 0x04, { 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb }, 0 },
    { 0x0a, { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 }, 0 },
};

START_TEST(filter_row)
{
    uint8_t data[60], got[60];

    setup();
    nic_out(MAR, 0x80000000, 4);
    start(filters[_i].rcr);
    make_frame(data, filters[_i].dest, sizeof(data));
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(peek(RX_BUFFER, 2), filters[_i].status);
    ck_assert_uint_eq(nic_in(CBR, 2), filters[_i].status ? 68 : 0);
    ck_assert_uint_eq(nic_in(CR, 1), filters[_i].status ? 0x0c : 0x0d);
    if (filters[_i].status) {
        ck_assert_uint_eq(peek(RX_BUFFER + 2, 2), 64);
        mem_read(&vm.memory, RX_BUFFER + 4, got, 60);
        ck_assert_int_eq(memcmp(got, data, 60), 0);
        ck_assert_uint_eq(nic_in(ISR, 2), 1);
    }
}
END_TEST

static uint8_t ring_byte(unsigned at, bool wrap)
{
    return peek(RX_BUFFER + (wrap ? at % 8192 : at), 1);
}

/* Frames of 1000 bytes until the ring goes round; `wrap`: what RCR.WRAP clear means. */
static const bool wraps[] = { true, false };

START_TEST(wrap_row)
{
    bool wrap = wraps[_i];
    unsigned at = 0;
    uint8_t data[1000];

    setup();
    start(wrap ? 0x02 : 0x82);
    make_frame(data, nic_mac, sizeof(data));
    for (unsigned i = 0; i < 20; i++) {
        data[30] = i;
        from_wire(data, sizeof(data));
        ck_assert_uint_eq(peek(RX_BUFFER + at, 4), 0x03ec4001);
        ck_assert_uint_eq(ring_byte(at + 4 + 30, wrap), i);
        ck_assert_uint_eq(ring_byte(at + 4 + 999, wrap), data[999]);
        at = (at + 1008) % 8192;
        nic_out(CAPR, at - 16, 2);
        ck_assert_uint_eq(nic_in(CR, 1) & 1, 1);
    }
    ck_assert_uint_eq(nic_in(CBR, 2), at);
}
END_TEST

START_TEST(frames_wait_for_room)
{
    uint8_t data[1000];

    setup();
    start(0x02);
    make_frame(data, nic_mac, sizeof(data));
    for (unsigned i = 0; i < 12; i++) {
        from_wire(data, sizeof(data));
    }
    ck_assert_uint_eq(nic_in(CBR, 2), 7 * 1008);
    ck_assert_uint_eq(nic_in(MPC, 4), 0);
    nic_out(CAPR, 7 * 1008 - 16, 2);
    ck_assert_uint_eq(nic_in(CBR, 2), 12 * 1008 % 8192);
}
END_TEST

/* ---- C+ ---- */

static void cplus_start(unsigned rx_descs, uint32_t rx_size)
{
    for (unsigned i = 0; i < rx_descs; i++) {
        poke32(RX_RING + 16 * i, OWN | (i + 1 == rx_descs ? EOR : 0) | rx_size);
        poke32(RX_RING + 16 * i + 4, 0);
        poke64(RX_RING + 16 * i + 8, RX_BUFFER + 4096 * i);
    }
    nic_out(CPCR, 0x43, 2);
    nic_out(TSAD, RING, 4);
    nic_out(TSAD + 4, 0, 4);
    nic_out(RDSAR, RX_RING, 4);
    nic_out(RDSAR + 4, 0, 4);
    start(0x0f);
}

static void cplus_desc(unsigned n, uint32_t word, uint32_t vlan, uint64_t addr)
{
    poke32(RING + 16 * n, word);
    poke32(RING + 16 * n + 4, vlan);
    poke64(RING + 16 * n + 8, addr);
}

START_TEST(cplus_frames_go_out)
{
    uint8_t data[100];
    const uint8_t *sent;
    size_t len;

    setup();
    cplus_start(4, 1600);
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    cplus_desc(0, OWN | FS | 40, 0, BUFFERS);
    cplus_desc(1, OWN | LS | 60, 0, BUFFERS + 40);
    cplus_desc(2, OWN | EOR | FS | LS | 64, 0x00020560, BUFFERS);
    nic_out(TPPOLL, 0x40, 1);
    ck_assert_uint_eq(frames->len, 2);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(len, 100);
    ck_assert_int_eq(memcmp(sent, data, 100), 0);
    sent = frame_at(1, &len);
    ck_assert_uint_eq(len, 68);
    ck_assert_int_eq(memcmp(sent + 12, "\x81\x00\x60\x05\x88\xb5", 6), 0);
    ck_assert_uint_eq(peek(RING, 4), FS | 40);
    ck_assert_uint_eq(nic_in(ISR, 2), 0x84);
}
END_TEST

START_TEST(cplus_inserts_checksums)
{
    uint8_t data[TCP_HEADERS + 101];
    size_t len;
    const uint8_t *sent;

    setup();
    cplus_start(4, 1600);
    make_tcp(data, 101, true);
    poke(BUFFERS, data, sizeof(data));
    cplus_desc(0, OWN | FS | LS | 0x50000 | sizeof(data), 0, BUFFERS);
    nic_out(TPPOLL, 0x40, 1);
    sent = frame_at(0, &len);
    ck_assert(tcp_is_valid(sent, len));
}
END_TEST

START_TEST(cplus_large_send)
{
    g_autofree uint8_t *data = g_malloc(TCP_HEADERS + 3000);
    size_t len;

    setup();
    cplus_start(4, 1600);
    make_tcp(data, 3000, false);
    poke(BUFFERS, data, TCP_HEADERS + 3000);
    cplus_desc(0, OWN | FS | LS | LGSEN | 1460u << 16 | (TCP_HEADERS + 3000), 0, BUFFERS);
    nic_out(TPPOLL, 0x40, 1);
    ck_assert_uint_eq(frames->len, 3);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *sent = frame_at(i, &len);

        ck_assert_uint_eq(len, TCP_HEADERS + (i < 2 ? 1460 : 80));
        ck_assert(tcp_is_valid(sent, len));
        ck_assert_uint_eq(sent[18] << 8 | sent[19], 0x1234 + i);
        ck_assert_uint_eq(sent[47], i < 2 ? 0x10 : 0x19);
    }
}
END_TEST

START_TEST(cplus_receives)
{
    uint8_t data[100], tagged[64];

    setup();
    cplus_start(3, 1600);
    make_frame(data, nic_mac, sizeof(data));
    make_frame(tagged, nic_mac, sizeof(tagged));
    memcpy(tagged + 12, "\x81\x00\x60\x05\x88\xb5", 6);
    from_wire(data, sizeof(data));
    from_wire(tagged, sizeof(tagged));
    ck_assert_uint_eq(peek(RX_RING, 4), FS | LS | 0x02000000 | 104);
    ck_assert_uint_eq(peek(RX_RING + 4, 4), 0);
    ck_assert_uint_eq(peek(RX_BUFFER + 99, 1), 99);
    ck_assert_uint_eq(peek(RX_RING + 16, 4), FS | LS | 0x02000000 | 64);
    ck_assert_uint_eq(peek(RX_RING + 20, 4), 0x00010560);
    ck_assert_uint_eq(peek(RX_BUFFER + 4096 + 12, 2), 0xb588);
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(peek(RX_RING + 32, 4), EOR | FS | LS | 0x02000000 | 104);
    from_wire(data, sizeof(data));                      /* nobody gave the first one back */
    ck_assert_uint_eq(nic_in(MPC, 4), 1);
    ck_assert_uint_eq(nic_in(ISR, 2), 0x11);
}
END_TEST

START_TEST(cplus_counters_are_stored)
{
    uint8_t data[60];

    setup();
    cplus_start(3, 1600);
    make_frame(data, nic_mac, sizeof(data));
    from_wire(data, sizeof(data));
    nic_out(TSD + 4, 0, 4);
    nic_out(TSD, BUFFERS | 8, 4);
    ck_assert_uint_eq(nic_in(TSD, 4), BUFFERS);
    ck_assert_uint_eq(peek(BUFFERS + 8, 8), 1);
    ck_assert_uint_eq(peek(BUFFERS + 40, 8), 1);
}
END_TEST

/* ---- a hostile guest ---- */

static const struct { uint32_t word; uint64_t ring, addr; uint32_t rx_size; } hostile[] = {
    { OWN | FS | 0xffff, RING, BUFFERS, 1 },
    { OWN | FS | LS | 0xffff, RING, BUFFERS, 0 },
    { OWN | EOR | FS | LS | 0xffff, RING, NIC_MEM, 0x1fff },
    { OWN | EOR | FS | LS | LGSEN | 1u << 16 | 0xffff, RING, BUFFERS, 3 },
    { OWN | EOR | FS | LS | LGSEN | 32u << 16 | 0xffff, RING, BUFFERS, 12 },
    { OWN | LS, RING, UINT64_MAX, 13 },
    { OWN | FS | LS | 0x70000, NIC_MEM, BUFFERS, 63 },
    { OWN | EOR | FS | LS | 60, NIC_MEM + TPPOLL - 9, NIC_MEM, 63 },
    { OWN | FS | LS | 5, UINT64_MAX - 20, BUFFERS, 64 },
};

START_TEST(hostile_row)
{
    uint8_t data[TCP_HEADERS + 4000];

    setup();
    cplus_start(8, hostile[_i].rx_size);
    make_tcp(data, sizeof(data) - TCP_HEADERS, true);
    data[16] = data[17] = 0xff;                         /* a length beyond the packet */
    poke(BUFFERS, data, sizeof(data));
    for (unsigned i = 0; i < 64; i++) {
        cplus_desc(i, hostile[_i].word, UINT32_MAX, hostile[_i].addr);
    }
    nic_out(TSAD, hostile[_i].ring, 4);
    nic_out(TSAD + 4, hostile[_i].ring >> 32, 4);
    nic_out(TPPOLL, 0xff, 1);
    for (int i = 0; i < 5; i++) {
        vm_clock_set_manual(&vm, vm_clock_ns(&vm) + NS_PER_MS);
    }
    for (unsigned i = 0; i < 10; i++) {
        from_wire(data, 60 + 100 * i);
    }
    ck_assert_uint_eq(nic_in(TSAD, 4), (uint32_t)hostile[_i].ring);
}
END_TEST

static const struct { uint32_t rcr, buffer; uint16_t capr; } hostile_bytes[] = {
    { 0x0f, NIC_MEM, 1 }, { 0x180f, 0xffffffff, 0xffff }, { 0x188f, RX_BUFFER, 7 },
    { 0x8f, 0xfffffff0, 8191 - 16 },
};

START_TEST(hostile_bytes_row)
{
    uint8_t data[4000];

    setup();
    make_frame(data, nic_mac, sizeof(data));
    start(hostile_bytes[_i].rcr);
    nic_out(RBSTART, hostile_bytes[_i].buffer, 4);
    for (unsigned i = 0; i < 100; i++) {
        nic_out(CAPR, hostile_bytes[_i].capr, 2);
        from_wire(data, 60 + 39 * i);
    }
    ck_assert_uint_lt(nic_in(CBR, 2), 65536);
}
END_TEST

/* ---- saved state ---- */

START_TEST(state_goes_round)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = rtl8139_type.state;
    uint8_t data[100];
    size_t pos = 0;

    setup();
    start(0x180f);
    nic_out(IMR, 0xffff, 2);
    make_frame(data, nic_mac, sizeof(data));
    from_wire(data, sizeof(data));
    state_save(state, nic_dev, saved);
    devices_reset(&vm);
    ck_assert(state_load(state, nic_dev, state->version, saved->data, saved->len, &pos, NULL));
    ck_assert_uint_eq(pos, saved->len);
    state_save(state, nic_dev, again);
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
    ck_assert(line_is_high());
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(nic_in(CBR, 2), 2 * 108);
}
END_TEST

START_TEST(a_nic_comes_and_goes)
{
    setup();
    cplus_start(4, 1600);
    cplus_desc(0, OWN | FS | 40, 0, BUFFERS);
    nic_out(TPPOLL, 0x40, 1);
    device_free(nic_dev);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0, 4), 0xffffffff);
}
END_TEST

CHECK_MAIN("hw/rtl8139",
           CASES(initial_row, initial), CASE(config_registers_are_locked),
           CASE(eeprom_holds_the_address), CASE(the_timer_counts_and_interrupts),
           CASE(the_link_follows_its_ends), CASE(buffers_go_out_in_turn),
           CASE(a_transmitter_that_is_off_sends_nothing), CASES(filter_row, filters),
           CASES(wrap_row, wraps), CASE(frames_wait_for_room), CASE(cplus_frames_go_out),
           CASE(cplus_inserts_checksums), CASE(cplus_large_send), CASE(cplus_receives),
           CASE(cplus_counters_are_stored), CASES(hostile_row, hostile),
           CASES(hostile_bytes_row, hostile_bytes), CASE(state_goes_round),
           CASE(a_nic_comes_and_goes))
