/*
 * A bare board with one PCI NIC, wired to an end of the test that keeps frames, as far as they fit.  BARs stand at
 * NIC_MEM and NIC_IO; the machine runs on a clock the test drives.
 */
#pragma once

#include "bare_board.h"
#include "net.h"

#define NIC_DEVFN   (3 << 3)
#define NIC_MEM     0xe0000000u
#define NIC_IO      0xc000
#define FRAMES_KEPT 1000

typedef struct Wire {
    NetClient client;
} Wire;

static NetClient *wire;
static Device *nic_dev;
static GPtrArray *frames;               /* GBytes *: what the NIC sent */
static bool wire_busy;

static const uint8_t nic_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

static ssize_t wire_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    GByteArray *frame;

    if (frames->len == FRAMES_KEPT) {
        return len;
    }
    frame = g_byte_array_new();
    for (unsigned i = 0; i < niov; i++) {
        g_byte_array_append(frame, iov[i].iov_base, iov[i].iov_len);
    }
    g_ptr_array_add(frames, g_byte_array_free_to_bytes(frame));
    return len;
}

static bool wire_can_receive(NetClient *client)
{
    return !wire_busy;
}

static const NetClientType wire_type = {
    .name = "wire", .size = sizeof(Wire), .can_receive = wire_can_receive,
    .receive = wire_receive,
};

static inline void nic_place(unsigned mem_bar, unsigned io_bar)
{
    cfg_out(NIC_DEVFN, 0x10 + 4 * mem_bar, NIC_MEM, 4);
    cfg_out(NIC_DEVFN, 0x10 + 4 * io_bar, NIC_IO, 4);
    cfg_out(NIC_DEVFN, 0x04, 7, 2);
}

static inline void wire_new(const NetClientType *type)
{
    frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    wire = net_client_new(type, "wire", "n0");
}

static inline void nic_board(const DeviceType *type, unsigned mem_bar, unsigned io_bar)
{
    g_autoptr(GError) error = NULL;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    wire_new(&wire_type);
    nic_dev = device_new(&vm, type, "nic");
    if (!device_set(nic_dev, "netdev", "n0", &error) || !device_set(nic_dev, "addr", "3", &error) ||
        !device_set(nic_dev, "romfile", "", &error) ||
        !device_realize(nic_dev, (Bus *)bare_bus, &error)) {
        g_error("%s", error->message);
    }
    vm_start(&vm);
    devices_reset(&vm);
    nic_place(mem_bar, io_bar);
}

static inline uint32_t nic_in(uint32_t offset, unsigned size)
{
    return mem_load(&vm.memory, NIC_MEM + offset, size, NULL);
}

static inline void nic_out(uint32_t offset, uint32_t value, unsigned size)
{
    mem_store(&vm.memory, NIC_MEM + offset, value, size);
}

/* ---- guest memory ---- */

static inline void poke(uint64_t addr, const void *data, size_t len)
{
    mem_write(&vm.memory, addr, data, len);
}

static inline uint64_t peek(uint64_t addr, unsigned size)
{
    return mem_load(&vm.memory, addr, size, NULL);
}

static inline void poke64(uint64_t addr, uint64_t value)
{
    poke(addr, &value, 8);
}

static inline void poke32(uint64_t addr, uint32_t value)
{
    poke(addr, &value, 4);
}

/* ---- frames ---- */

static inline const uint8_t *frame_at(unsigned n, size_t *len)
{
    return n < frames->len ? g_bytes_get_data(g_ptr_array_index(frames, n), len) : NULL;
}

/* `len` bytes: to `dest`, type 88b5 (local experiments), then a counter. */
static inline void make_frame(uint8_t *frame, const uint8_t *dest, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        frame[i] = i;
    }
    memcpy(frame, dest, 6);
    memset(frame + 6, 0x22, 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
}

static inline void from_wire(const uint8_t *frame, size_t len)
{
    net_send_buf(wire, frame, len);
}

/* IPv4 TCP as a driver hands it over: IP sum 0, in the TCP sum the pseudo header. */
#define TCP_HEADERS 54
static inline void make_tcp(uint8_t *p, size_t payload, bool with_length)
{
    static const uint8_t headers[TCP_HEADERS] = {
        0x52, 0x55, 0x0a, 0x00, 0x02, 0x02, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x00,
        0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2,
        0x30, 0x39, 0, 80, 0x10, 0x20, 0x30, 0x40, 0, 0, 0, 1, 0x50, 0x19, 0x10, 0, 0, 0, 0, 0,
    };
    uint32_t sum = 0;

    memcpy(p, headers, sizeof(headers));
    for (size_t i = 0; i < payload; i++) {
        p[TCP_HEADERS + i] = i * 7;
    }
    p[16] = (40 + payload) >> 8;
    p[17] = 40 + payload;
    sum = net_checksum_add(p + 26, 8, 6 + (with_length ? 20 + payload : 0));
    sum = (uint16_t)~net_checksum_finish(sum);
    p[50] = sum >> 8;
    p[51] = sum;
}

/* Both sums of a frame from make_tcp() are right. */
static inline bool tcp_is_valid(const uint8_t *p, size_t len)
{
    uint32_t pseudo = net_checksum_add(p + 26, 8, 6 + len - 34);

    return net_checksum(p + 14, 20, 0) == 0 && net_checksum(p + 34, len - 34, pseudo) == 0;
}
