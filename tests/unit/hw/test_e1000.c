#include "check_main.h"
#include "e1000.h"
#include "nic_board.h"

/* Registers and bits the tests use, from the manual. */
enum {
    CTRL = 0x00, STATUS = 0x08, EECD = 0x10, EERD = 0x14, MDIC = 0x20, VET = 0x38, ICR = 0xc0,
    ITR = 0xc4, ICS = 0xc8, IMS = 0xd0, IMC = 0xd8, RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800,
    RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810,
    TDT = 0x3818, MPC = 0x4010, GPRC = 0x4074, GPTC = 0x4080, GOTCL = 0x4088 + 8, MTA = 0x5200,
    VFTA = 0x5600,
};
#define RING        0x100000u
#define RX_RING     0x110000u
#define BUFFERS     0x200000u
#define RX_BUFFERS  0x400000u
#define ENTRIES     16

#define EOP 0x01000000u
#define IFCS 0x02000000u
#define TSE 0x04000000u
#define RS 0x08000000u
#define DEXT 0x20000000u
#define VLE 0x40000000u
#define DATA 0x00100000u

static unsigned tail;

static uint32_t rd(uint32_t offset)
{
    return nic_in(offset, 4);
}

static void wr(uint32_t offset, uint32_t value)
{
    nic_out(offset, value, 4);
}

static void setup(void)
{
    nic_board(&e1000_type, 0, 1);
    wr(TDBAL, RING);
    wr(TDLEN, ENTRIES * 16);
    wr(TCTL, 2);
    tail = 0;
}

static void tx_desc(uint64_t addr, uint32_t command, uint32_t upper)
{
    poke64(RING + 16 * tail, addr);
    poke32(RING + 16 * tail + 8, command);
    poke32(RING + 16 * tail + 12, upper);
    tail = (tail + 1) % ENTRIES;
}

static void rx_setup(uint32_t rctl, unsigned descriptors)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        poke64(RX_RING + 16 * i, RX_BUFFERS + 4096 * i);
        poke64(RX_RING + 16 * i + 8, 0);
    }
    wr(RDBAL, RX_RING);
    wr(RDLEN, ENTRIES * 16);
    wr(RDH, 0);
    wr(RCTL, 2 | rctl);
    wr(RDT, descriptors);
}

static unsigned rx_length(unsigned n) { return peek(RX_RING + 16 * n + 8, 2); }
static unsigned rx_status(unsigned n) { return peek(RX_RING + 16 * n + 12, 1); }

/* ---- EEPROM and PHY ---- */

static uint16_t eerd(unsigned word)
{
    wr(EERD, word << 8 | 1);
    ck_assert_uint_eq(rd(EERD) & 0x10, 0x10);
    return rd(EERD) >> 16;
}

static void clock_bit(unsigned bit)
{
    wr(EECD, 0x42 | bit << 2);
    wr(EECD, 0x43 | bit << 2);
    wr(EECD, 0x42 | bit << 2);
}

/* The way drivers of the time did it: bit by bit. */
static uint16_t microwire(unsigned word)
{
    unsigned command = 6u << 6 | word, value = 0;

    wr(EECD, 0x40);
    wr(EECD, 0x42);
    for (int bit = 8; bit >= 0; bit--) {
        clock_bit(command >> bit & 1);
    }
    for (int bit = 0; bit < 16; bit++) {
        wr(EECD, 0x43);
        value = value << 1 | (rd(EECD) >> 3 & 1);
        wr(EECD, 0x42);
    }
    wr(EECD, 0x40);
    return value;
}

START_TEST(eeprom_holds_the_address_and_sums_up)
{
    uint16_t sum = 0;

    setup();
    for (unsigned word = 0; word < 64; word++) {
        sum += eerd(word);
        ck_assert_uint_eq(microwire(word), eerd(word));
    }
    ck_assert_uint_eq(sum, 0xbaba);
    ck_assert_uint_eq(eerd(0), 0x5452);
    ck_assert_uint_eq(eerd(2), 0x5634);
    ck_assert_uint_eq(eerd(200), 0);
}
END_TEST

static const struct { unsigned phy, reg; uint32_t value; } phy[] = {
    { 1, 0, 0x18201140 }, { 1, 1, 0x1821794d }, { 1, 2, 0x18220141 }, { 1, 3, 0x18230c20 },
    { 1, 5, 0x182501e0 }, { 1, 7, 0x58270000 }, { 1, 17, 0x1831ac00 }, { 2, 1, 0x58410000 },
};

START_TEST(phy_row)
{
    setup();
    wr(MDIC, 2u << 26 | phy[_i].phy << 21 | phy[_i].reg << 16);
    ck_assert_uint_eq(rd(MDIC), phy[_i].value);
}
END_TEST

/* ---- transmit ---- */

START_TEST(a_frame_goes_out)
{
    uint8_t data[100];
    const uint8_t *sent;
    size_t len;

    setup();
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    tx_desc(BUFFERS, EOP | IFCS | RS | 100, 0);
    wr(IMS, 1);
    wr(TDT, tail);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(frames->len, 1);
    ck_assert_uint_eq(len, 100);
    ck_assert_int_eq(memcmp(sent, data, 100), 0);
    ck_assert_uint_eq(rd(TDH), 1);
    ck_assert_uint_eq(peek(RING + 12, 1), 1);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 8);
    ck_assert_uint_eq(rd(ICR), 3);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 0);
    ck_assert_uint_eq(rd(GPTC), 1);
    ck_assert_uint_eq(rd(GPTC), 0);
    ck_assert_uint_eq(rd(GOTCL), 104);
}
END_TEST

START_TEST(a_frame_in_pieces_goes_out_when_it_is_whole)
{
    uint8_t data[100];
    size_t len;

    setup();
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    tx_desc(BUFFERS, 20, 0);
    wr(TDT, tail);
    tx_desc(BUFFERS + 20, 50, 0);
    wr(TDT, tail);
    ck_assert_uint_eq(frames->len, 0);
    tx_desc(BUFFERS + 70, EOP | 30, 0);
    wr(TDT, tail);
    ck_assert_int_eq(memcmp(frame_at(0, &len), data, 100), 0);
    ck_assert_uint_eq(len, 100);
    ck_assert_uint_eq(peek(RING + 12, 1), 0);           /* no RS, no write-back */
}
END_TEST

static void context(uint32_t command, unsigned hdr_len, unsigned mss, uint32_t paylen)
{
    tx_desc(14 | 24 << 8 | 33u << 16 | UINT64_C(34) << 32 | UINT64_C(50) << 40,
            DEXT | command | paylen, hdr_len << 8 | mss << 16);
}

START_TEST(checksums_are_inserted)
{
    uint8_t data[TCP_HEADERS + 101];
    const uint8_t *sent;
    size_t len;

    setup();
    make_tcp(data, 101, true);
    poke(BUFFERS, data, sizeof(data));
    context(0x03000000, 0, 0, 0);
    tx_desc(BUFFERS, DEXT | DATA | EOP | RS | sizeof(data), 0x0300);
    wr(TDT, tail);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(len, sizeof(data));
    ck_assert(tcp_is_valid(sent, len));
    ck_assert_int_eq(memcmp(sent + TCP_HEADERS, data + TCP_HEADERS, 101), 0);
}
END_TEST

static const struct { unsigned payload, mss, segments, last; } tso[] = {
    { 3000, 1460, 3, 80 }, { 2920, 1460, 2, 1460 }, { 10, 1460, 1, 10 }, { 60000, 536, 112, 504 },
};

START_TEST(segmentation_row)
{
    unsigned payload = tso[_i].payload, mss = tso[_i].mss;
    g_autofree uint8_t *data = g_malloc(TCP_HEADERS + payload);
    size_t len, done = 0;

    setup();
    make_tcp(data, payload, false);
    poke(BUFFERS, data, TCP_HEADERS + payload);
    context(0x07000000, TCP_HEADERS, mss, payload);
    tx_desc(BUFFERS, DEXT | DATA | TSE | TCP_HEADERS, 0x0300);
    tx_desc(BUFFERS + TCP_HEADERS, DEXT | DATA | TSE | EOP | RS | payload, 0x0300);
    wr(TDT, tail);
    ck_assert_uint_eq(frames->len, tso[_i].segments);
    for (unsigned i = 0; i < frames->len; i++) {
        const uint8_t *sent = frame_at(i, &len);
        bool last = i + 1 == frames->len;

        ck_assert_uint_eq(len, TCP_HEADERS + (last ? tso[_i].last : mss));
        ck_assert(tcp_is_valid(sent, len));
        ck_assert_uint_eq(sent[16] << 8 | sent[17], len - 14);
        ck_assert_uint_eq(sent[18] << 8 | sent[19], 0x1234 + i);
        ck_assert_uint_eq((uint32_t)sent[38] << 24 | sent[39] << 16 | sent[40] << 8 | sent[41],
                          0x10203040 + done);
        ck_assert_uint_eq(sent[47], last ? 0x19 : 0x10);
        ck_assert_int_eq(memcmp(sent + TCP_HEADERS, data + TCP_HEADERS + done,
                                len - TCP_HEADERS), 0);
        done += len - TCP_HEADERS;
    }
    ck_assert_uint_eq(done, payload);
}
END_TEST

START_TEST(a_tag_is_inserted)
{
    uint8_t data[64];
    const uint8_t *sent;
    size_t len;

    setup();
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    wr(CTRL, rd(CTRL) | 0x40000000);
    tx_desc(BUFFERS, EOP | VLE | 64, 0x60050000);
    wr(TDT, tail);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(len, 68);
    ck_assert_int_eq(memcmp(sent + 12, "\x81\x00\x60\x05\x88\xb5", 6), 0);
}
END_TEST

START_TEST(loopback_comes_back)
{
    uint8_t data[64];

    setup();
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    rx_setup(0x40, 8);
    tx_desc(BUFFERS, EOP | 64, 0);
    wr(TDT, tail);
    ck_assert_uint_eq(frames->len, 0);
    ck_assert_uint_eq(rx_length(0), 68);
}
END_TEST

/* ---- receive ---- */

#define UPE 0x8
#define MPE 0x10
#define BAM 0x8000

static const struct { uint32_t rctl; uint8_t dest[6]; bool taken; } filters[] = {
    { 0,   { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 }, true },
    { 0,   { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 }, false },
    { UPE, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 }, true },
    { UPE, { 0x33, 0x33, 0x00, 0x12, 0x34, 0x57 }, false },
    { MPE, { 0x33, 0x33, 0x00, 0x12, 0x34, 0x57 }, true },
    { MPE, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 }, false },
    { 0,   { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, false },
    { BAM, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true },
    { 0,   { 0x01, 0x00, 0x5e, 0x00, 0x34, 0x12 }, true },      /* hash 123h is set below */
    { 0,   { 0x01, 0x00, 0x5e, 0x00, 0x34, 0x13 }, false },
    { 0x3000, { 0x01, 0x00, 0x5e, 0x00, 0x23, 0xf1 }, true },   /* the low 12 bits */
    { 0x3000, { 0x01, 0x00, 0x5e, 0x00, 0x34, 0x12 }, false },
};

START_TEST(filter_row)
{
    uint8_t data[60];

    setup();
    wr(MTA + 4 * (0x123 / 32), 1u << (0x123 % 32));
    rx_setup(filters[_i].rctl, 8);
    make_frame(data, filters[_i].dest, sizeof(data));
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(rd(RDH), filters[_i].taken);
    ck_assert_uint_eq(rd(GPRC), filters[_i].taken);
}
END_TEST

static const struct { uint32_t rctl; unsigned len, lengths[4]; } stored[] = {
    { 0,          1514, { 1518 } },
    { 0,          1518, { 1522 } },
    { 0,          1519, { 0 } },                        /* too long without LPE */
    { 0x20,       9000, { 2048, 2048, 2048, 2048 } },
    { 0x04000000, 60,   { 60 } },                       /* SECRC */
    { 0,          20,   { 64 } },                       /* padded */
    { 0x30000,    600,  { 256, 256, 92 } },
    { 0x02030000, 4090, { 4094 } },
    { 0x02030020, 5000, { 4096, 908 } },
    { 0x20,       16381, { 0 } },
};

START_TEST(stored_row)
{
    unsigned len = stored[_i].len, at = 0;
    g_autofree uint8_t *data = g_malloc(len);

    setup();
    rx_setup(stored[_i].rctl | (len == 4090 ? 0x20 : 0), 15);
    make_frame(data, nic_mac, len);
    from_wire(data, len);
    for (unsigned i = 0; i < 4 && stored[_i].lengths[i]; i++) {
        unsigned n = stored[_i].lengths[i];
        uint8_t got[4096];

        mem_read(&vm.memory, RX_BUFFERS + 4096 * i, got, n);
        ck_assert_uint_eq(rx_length(i), n);
        if (at < len) {
            ck_assert_int_eq(memcmp(got, data + at, MIN(n, len - at)), 0);
        }
        at += n;
        ck_assert_uint_eq(rx_status(i), at >= len ? 0x07 : 0x05);
    }
    ck_assert_uint_eq(rd(RDH) != 0, stored[_i].lengths[0] != 0);
}
END_TEST

START_TEST(a_tag_is_taken_out_and_filtered)
{
    uint8_t data[64], got[60];

    setup();
    make_frame(data, nic_mac, sizeof(data));
    memcpy(data + 12, "\x81\x00\x60\x05\x88\xb5", 6);
    wr(CTRL, rd(CTRL) | 0x40000000);
    rx_setup(0x40000, 8);
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(rd(RDH), 0);
    wr(VFTA, 1 << 5);
    from_wire(data, sizeof(data));
    ck_assert_uint_eq(rd(RDH), 1);
    ck_assert_uint_eq(rx_length(0), 64);
    ck_assert_uint_eq(rx_status(0), 0x0f);
    ck_assert_uint_eq(peek(RX_RING + 14, 2), 0x6005);
    mem_read(&vm.memory, RX_BUFFERS, got, 60);
    ck_assert_int_eq(memcmp(got, data, 12), 0);
    ck_assert_int_eq(memcmp(got + 12, data + 16, 48), 0);
}
END_TEST

START_TEST(frames_wait_for_descriptors)
{
    uint8_t data[60];

    setup();
    make_frame(data, nic_mac, sizeof(data));
    rx_setup(0, 2);
    for (int i = 0; i < 5; i++) {
        from_wire(data, sizeof(data));
    }
    ck_assert_uint_eq(rd(RDH), 2);
    ck_assert_uint_eq(rd(ICR) & 0x90, 0x90);
    wr(RDT, 4);
    ck_assert_uint_eq(rd(RDH), 4);
    wr(RDT, 14);
    ck_assert_uint_eq(rd(RDH), 5);
    ck_assert_uint_eq(rd(MPC), 0);
}
END_TEST

/* ---- interrupt and link ---- */

START_TEST(interrupts_are_throttled)
{
    setup();
    wr(ITR, 1000);                                      /* 256 us */
    wr(IMS, 4);
    wr(ICS, 4);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 8);
    ck_assert_uint_eq(rd(ICR), 4);
    wr(ICS, 4);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 0);
    vm_clock_set_manual(&vm, 255 * NS_PER_US);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 0);
    vm_clock_set_manual(&vm, 257 * NS_PER_US);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 8);
    wr(IMC, 4);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 0);
}
END_TEST

START_TEST(the_link_follows_its_ends)
{
    setup();
    ck_assert_uint_eq(rd(STATUS), 0x80080783);
    ck_assert(net_set_link("nic", false, NULL));
    ck_assert_uint_eq(rd(STATUS) & 2, 0);
    ck_assert_uint_eq(rd(ICR), 4);
    ck_assert(net_set_link("nic", true, NULL));
    ck_assert_uint_eq(rd(STATUS) & 2, 0);               /* it negotiates */
    vm_clock_set_manual(&vm, 501 * NS_PER_MS);
    ck_assert_uint_eq(rd(STATUS) & 2, 2);
    ck_assert_uint_eq(rd(ICR), 4);
    wr(MDIC, 1u << 26 | 1 << 21 | 0x1340);              /* negotiate again */
    ck_assert_uint_eq(rd(STATUS) & 2, 0);
    vm_clock_set_manual(&vm, 1002 * NS_PER_MS);
    ck_assert_uint_eq(rd(STATUS) & 2, 2);
}
END_TEST

START_TEST(software_reset_through_the_ports)
{
    setup();
    wr(IMS, 0xff);
    wr(MTA, 1);
    out(NIC_IO, CTRL, 4);
    ck_assert_uint_eq(in(NIC_IO + 4, 4), 0x00140240);
    out(NIC_IO + 4, 0x04000000, 4);
    ck_assert_uint_eq(rd(CTRL), 0x00140240);
    ck_assert_uint_eq(rd(IMS), 0);
    ck_assert_uint_eq(rd(MTA), 0);
    ck_assert_uint_eq(rd(0x5400), 0x12005452);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x10, 4), NIC_MEM);
}
END_TEST

/* ---- a hostile guest ---- */

/* Whatever the ring says, a write ends and nothing is touched that should not be. */
static const struct {
    uint32_t base, len, head, tail, command, upper;
    uint64_t addr;
} hostile[] = {
    { RING, 256, 0xffff, 3, EOP | 100, 0, BUFFERS },
    { RING, 256, 0, 0xffff, EOP | 100, 0, BUFFERS },
    { RING, 0, 0, 5, EOP | 100, 0, BUFFERS },
    { RING, 0xfff80, 1, 0, EOP | RS | 0xffff, 0, BUFFERS },
    { RING, 0xfff80, 1, 0, 0xffff, 0, BUFFERS },
    { NIC_MEM, 0x1000, 1, 0, EOP | 100, 0, BUFFERS },
    { NIC_MEM + TDT - 12, 256, 0, 9, EOP | RS | 100, 0, BUFFERS },
    { RING, 256, 0, 15, EOP | RS | 0xffff, 0, NIC_MEM + TDT },
    { RING, 256, 0, 15, EOP | RS | 0xffff, 0, UINT64_MAX - 5 },
    { RING, 256, 0, 15, DEXT | DATA | TSE | EOP | 0xfffff, 0x0300, BUFFERS },
    { RING, 256, 0, 15, DEXT | EOP | TSE | 0xfffff, 0xffffff00, UINT64_MAX },
    { RING, 256, 0, 15, EOP | 3, 0, BUFFERS },
    { RING, 256, 0, 15, EOP | 0x04000000 | 20 | 0xff0000, 0xff00, BUFFERS },
    { 0xfffffff0, 0xfff80, 0, 0xfff, EOP | RS | 60, 0, BUFFERS },
};

START_TEST(hostile_row)
{
    setup();
    for (unsigned i = 0; i < ENTRIES; i++) {
        tx_desc(hostile[_i].addr, hostile[_i].command, hostile[_i].upper);
    }
    context(0x07000000, 255, 1, 0xfffff);
    wr(TDBAL, hostile[_i].base);
    wr(TDLEN, hostile[_i].len);
    wr(TDH, hostile[_i].head);
    rx_setup(0x8060, 15);
    wr(TDT, hostile[_i].tail);
    for (int i = 0; i < 5; i++) {
        vm_clock_set_manual(&vm, vm_clock_ns(&vm) + NS_PER_MS);
    }
    ck_assert_uint_le(frames->len, 40000);
}
END_TEST

START_TEST(hostile_receive_row)
{
    uint8_t data[1514];

    setup();
    make_frame(data, nic_mac, sizeof(data));
    rx_setup(0x8020 | 0x30000, 15);
    for (unsigned i = 0; i < ENTRIES; i++) {
        poke64(RX_RING + 16 * i, hostile[_i].addr);
    }
    wr(RDBAL, hostile[_i].base);
    wr(RDLEN, hostile[_i].len);
    wr(RDH, hostile[_i].head);
    wr(RDT, hostile[_i].tail);
    for (int i = 0; i < 20; i++) {
        from_wire(data, sizeof(data));
    }
    ck_assert_uint_eq(rd(RDBAL), hostile[_i].base);
}
END_TEST

/* ---- saved state ---- */

START_TEST(state_goes_round)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = e1000_type.state;
    uint8_t data[100];
    size_t pos = 0, len;

    setup();
    make_frame(data, nic_mac, sizeof(data));
    poke(BUFFERS, data, sizeof(data));
    tx_desc(BUFFERS, 40, 0);
    wr(TDT, tail);
    wr(IMS, 4);
    wr(ICS, 4);
    state_save(state, nic_dev, saved);
    devices_reset(&vm);
    ck_assert(state_load(state, nic_dev, state->version, saved->data, saved->len, &pos, NULL));
    ck_assert_uint_eq(pos, saved->len);
    state_save(state, nic_dev, again);
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0x06, 2) & 8, 8);
    tx_desc(BUFFERS + 40, EOP | 60, 0);
    wr(TDT, tail);
    ck_assert_int_eq(memcmp(frame_at(0, &len), data, 100), 0);
    ck_assert_uint_eq(len, 100);
}
END_TEST

START_TEST(a_nic_comes_and_goes)
{
    setup();
    device_free(nic_dev);
    ck_assert_uint_eq(cfg_in(NIC_DEVFN, 0, 4), 0xffffffff);
    from_wire((const uint8_t *)"nobody is there to hear it, and it is no matter at all.......", 60);
}
END_TEST

CHECK_MAIN("hw/e1000",
           CASE(eeprom_holds_the_address_and_sums_up), CASES(phy_row, phy),
           CASE(a_frame_goes_out), CASE(a_frame_in_pieces_goes_out_when_it_is_whole),
           CASE(checksums_are_inserted), CASES(segmentation_row, tso), CASE(a_tag_is_inserted),
           CASE(loopback_comes_back), CASES(filter_row, filters), CASES(stored_row, stored),
           CASE(a_tag_is_taken_out_and_filtered), CASE(frames_wait_for_descriptors),
           CASE(interrupts_are_throttled), CASE(the_link_follows_its_ends),
           CASE(software_reset_through_the_ports), CASES(hostile_row, hostile),
           CASES(hostile_receive_row, hostile), CASE(state_goes_round),
           CASE(a_nic_comes_and_goes))
