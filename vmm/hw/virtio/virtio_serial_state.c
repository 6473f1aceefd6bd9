/*
 * The ports in a virtio console device's saved state: size of the console (0), how many ports there
 * could be and which there are, then for each whether both sides are connected, and how far the
 * element is that the character device has not taken all of.
 */
#include <inttypes.h>

#include "rhea_error.h"
#include "virtio_serial.h"

static unsigned map_words(const VirtioSerial *vser)
{
    return (vser->max_ports + 31) / 32;
}

static uint32_t map_word(const VirtioSerial *vser, unsigned word)
{
    uint32_t map = 0;

    for (unsigned n = 32 * word; n < vser->max_ports && n < 32 * (word + 1); n++) {
        map |= vser->ports[n] != NULL ? 1u << n % 32 : 0;
    }
    return map;
}

static void save_port(const SerialPort *port, GByteArray *out)
{
    state_put_be(out, port->nr, 4);
    state_put_be(out, port->guest_connected, 1);
    state_put_be(out, port->host_connected, 1);
    state_put_be(out, port->sending != NULL, 4);
    if (port->sending != NULL) {
        state_put_be(out, 0, 4);                    /* pieces that are through, bytes beyond */
        state_put_be(out, port->sent, 8);
        state_put_be(out, virtqueue_head(port->sending), 2);
    }
}

static void ports_save(void *opaque, GByteArray *out)
{
    const VirtioSerial *vser = opaque;
    unsigned count = 0;

    state_put_be(out, 0, 2);
    state_put_be(out, 0, 2);
    state_put_be(out, vser->max_ports, 4);
    for (unsigned word = 0; word < map_words(vser); word++) {
        uint32_t map = map_word(vser, word);

        state_put_be(out, map, 4);
        count += __builtin_popcount(map);
    }
    state_put_be(out, count, 4);
    for (unsigned n = 0; n < vser->max_ports; n++) {
        if (vser->ports[n] != NULL) {
            save_port(vser->ports[n], out);
        }
    }
}

static bool load_sending(SerialPort *port, StateReader *in, GError **error)
{
    uint64_t pieces, sent, head;

    if (!state_read_be(in, 4, &pieces, error) || !state_read_be(in, 8, &sent, error) ||
        !state_read_be(in, 2, &head, error)) {
        return false;
    }
    port->sent = sent;
    port->loaded_head = head;
    return true;
}

static bool load_port(VirtioSerial *vser, StateReader *in, GError **error)
{
    uint64_t nr, guest, host, sending;

    if (!state_read_be(in, 4, &nr, error) || !state_read_be(in, 1, &guest, error) ||
        !state_read_be(in, 1, &host, error) || !state_read_be(in, 4, &sending, error)) {
        return false;
    }
    if (nr >= vser->max_ports || vser->ports[nr] == NULL) {
        set_error(error, "there is no port %" PRIu64 " here", nr);
        return false;
    }
    SerialPort *port = vser->ports[nr];

    port->guest_connected = guest;              /* the host's side is as it is on this host */
    return sending == 0 || load_sending(port, in, error);
}

static bool ports_load(void *opaque, StateReader *in, GError **error)
{
    VirtioSerial *vser = opaque;
    uint64_t size, max_ports, map, count;

    if (!state_read_be(in, 4, &size, error) || !state_read_be(in, 4, &max_ports, error)) {
        return false;
    }
    if (max_ports != vser->max_ports) {
        set_error(error, "room for %" PRIu64 " ports, where there is for %u", max_ports,
                  vser->max_ports);
        return false;
    }
    for (unsigned word = 0; word < map_words(vser); word++) {
        if (!state_read_be(in, 4, &map, error)) {
            return false;
        }
        if (map != map_word(vser, word)) {
            set_error(error, "other ports are here than in the saved state");
            return false;
        }
    }
    if (!state_read_be(in, 4, &count, error)) {
        return false;
    }
    for (uint64_t n = 0; n < count && n < vser->max_ports; n++) {
        if (!load_port(vser, in, error)) {
            return false;
        }
    }
    vser->driver_ready = true;                  /* it had ports to tell of, or soon will */
    return true;
}

const StateCustom virtio_serial_ports_custom = { ports_save, ports_load };
