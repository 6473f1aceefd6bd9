/* Framing, checksums, acknowledgments, escapes. */
#include "gdb_link.h"

#define ESCAPE      '}'
#define ESCAPE_XOR  0x20
#define INTERRUPT   0x03

void gdb_link_init(GdbLink *link)
{
    link->state = GDB_LINK_IDLE;
    link->body = g_string_new(NULL);
    g_queue_init(&link->unacked);
}

static void free_text(gpointer text)
{
    g_string_free(text, TRUE);
}

static void forget_unacked(GdbLink *link)
{
    g_queue_clear_full(&link->unacked, free_text);
}

void gdb_link_finish(GdbLink *link)
{
    forget_unacked(link);
    g_string_free(link->body, TRUE);
}

/* ---- out ---- */

static uint8_t checksum(const char *text, size_t len)
{
    uint8_t sum = 0;

    while (len-- > 0) {
        sum += (uint8_t)*text++;
    }
    return sum;
}

static void write_first(GdbLink *link)
{
    const GString *first = g_queue_peek_head(&link->unacked);

    if (first != NULL) {
        link->write(link->opaque, first->str, first->len);
    }
}

void gdb_link_send(GdbLink *link, const char *body, size_t len)
{
    GString *text = g_string_sized_new(len + 4);

    g_string_append_c(text, '$');
    g_string_append_len(text, body, len);
    g_string_append_printf(text, "#%02x", checksum(body, len));
    if (link->no_ack) {
        link->write(link->opaque, text->str, text->len);
        g_string_free(text, TRUE);
        return;
    }
    g_queue_push_tail(&link->unacked, text);
    if (link->unacked.length == 1) {
        write_first(link);
    }
}

static void acknowledged(GdbLink *link)
{
    GString *first = g_queue_pop_head(&link->unacked);

    if (first != NULL) {
        g_string_free(first, TRUE);
        write_first(link);
    }
}

/* ---- in ---- */

static void answer(GdbLink *link, char how)
{
    if (!link->no_ack) {
        link->write(link->opaque, &how, 1);
    }
}

static void begin(GdbLink *link)
{
    forget_unacked(link);
    g_string_truncate(link->body, 0);
    link->escaped = link->too_long = false;
    link->sum = 0;
    link->state = GDB_LINK_BODY;
}

/* These say whether it is time to return to the owner. */

static bool between_packets(GdbLink *link, uint8_t byte)
{
    switch (byte) {
    case '$':
        begin(link);
        return false;
    case '+':
        acknowledged(link);
        return true;
    case '-':
        write_first(link);
        return true;
    case INTERRUPT:
        link->interrupt(link->opaque);
        return true;
    default:
        return false;
    }
}

static bool in_body(GdbLink *link, uint8_t byte)
{
    if (byte == '#') {
        link->state = GDB_LINK_SUM_HIGH;
        return false;
    }
    if (byte == '$') {                  /* the start of the next one: this one's end was lost */
        begin(link);
        return false;
    }
    link->sum += byte;
    if (byte == ESCAPE) {
        link->escaped = true;
    } else if (link->body->len >= GDB_PACKET_MAX) {
        link->too_long = true;
    } else {
        g_string_append_c(link->body, link->escaped ? byte ^ ESCAPE_XOR : byte);
        link->escaped = false;
    }
    return false;
}

static bool in_sum_high(GdbLink *link, uint8_t byte)
{
    int digit = g_ascii_xdigit_value(byte);

    link->sum_sent = digit < 0 ? -1 : digit << 4;
    link->state = GDB_LINK_SUM_LOW;
    return false;
}

/* A packet that is too long arrived as it was sent: sending it again would not help. */
static bool in_sum_low(GdbLink *link, uint8_t byte)
{
    int digit = g_ascii_xdigit_value(byte);

    link->state = GDB_LINK_IDLE;
    if (digit < 0 || link->sum_sent < 0 || (link->sum_sent | digit) != link->sum) {
        answer(link, '-');
        return true;
    }
    answer(link, '+');
    if (link->too_long) {
        gdb_link_send(link, "E22", 3);
    } else {
        link->packet(link->opaque, link->body->str, link->body->len);
    }
    return true;
}

size_t gdb_link_receive(GdbLink *link, const uint8_t *buf, size_t len)
{
    static bool (*const states[])(GdbLink *link, uint8_t byte) = {
        [GDB_LINK_IDLE] = between_packets, [GDB_LINK_BODY] = in_body,
        [GDB_LINK_SUM_HIGH] = in_sum_high, [GDB_LINK_SUM_LOW] = in_sum_low,
    };
    size_t taken = 0;

    while (taken < len && !states[link->state](link, buf[taken++])) {
    }
    return taken;
}

/* ---- texts ---- */

void gdb_append_hex(GString *out, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (const uint8_t *byte = data; len-- > 0; byte++) {
        g_string_append_c(out, digits[*byte >> 4]);
        g_string_append_c(out, digits[*byte & 15]);
    }
}

void gdb_append_escaped(GString *out, const void *data, size_t len)
{
    for (const char *byte = data; len-- > 0; byte++) {
        if (*byte == '#' || *byte == '$' || *byte == '*' || *byte == ESCAPE) {
            g_string_append_c(out, ESCAPE);
            g_string_append_c(out, *byte ^ ESCAPE_XOR);
        } else {
            g_string_append_c(out, *byte);
        }
    }
}
