#include <string.h>

#include "check_main.h"
#include "gdb_link.h"

/* What a link did: packets in brackets, ^C, and what it wrote as it is. */
static GString *did;

static void note_packet(void *opaque, const char *body, size_t len)
{
    g_string_append_printf(did, "[");
    g_string_append_len(did, body, len);
    g_string_append(did, "]");
}

static void note_interrupt(void *opaque)
{
    g_string_append(did, "^C");
}

static void note_write(void *opaque, const void *buf, size_t len)
{
    g_string_append_len(did, buf, len);
}

static GdbLink *link_new(bool no_ack)
{
    GdbLink *link = g_new0(GdbLink, 1);

    *link = (GdbLink){ .packet = note_packet, .interrupt = note_interrupt, .write = note_write,
                       .no_ack = no_ack };
    gdb_link_init(link);
    did = g_string_new(NULL);
    return link;
}

static void link_free(GdbLink *link)
{
    gdb_link_finish(link);
    g_free(link);
    g_string_free(did, TRUE);
}

static void feed(GdbLink *link, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        at += gdb_link_receive(link, (const uint8_t *)text + at, len - at);
    }
}

static const struct { const char *in, *out; bool no_ack; } inputs[] = {
    { "$g#67", "+[g]" },
    { "$g#67", "[g]", true },
    { "$m0,4#fd$g#67", "+[m0,4]+[g]" },
    { "$#00", "+[]" },
    { "+++$g#67", "+[g]" },                         /* acknowledgments of nothing */
    { "$g#68", "-" },
    { "$g#68", "", true },
    { "$g#6x", "-" },
    { "$g#x7", "-" },
    { "$g$g#67", "+[g]" },                          /* the first one's end was lost */
    { "junk\r\n$g#67", "+[g]" },
    { "\x03", "^C" },
    { "$\x03#03", "+[\x03]" },                      /* inside a packet it is a byte */
    { "$X0,1:}\x03#9f", "+[X0,1:#]" },
    { "$X0,1:}]#f9", "+[X0,1:}]" },
    { "$G#47", "+[G]" },
};

START_TEST(input_row)
{
    GdbLink *link = link_new(inputs[_i].no_ack);

    feed(link, inputs[_i].in, strlen(inputs[_i].in));
    ck_assert_str_eq(did->str, inputs[_i].out);
    link_free(link);
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    static const char text[] = "$qC#b4\x03$g#67";
    GdbLink *link = link_new(false);

    for (size_t i = 0; i < strlen(text); i++) {
        feed(link, text + i, 1);
    }
    ck_assert_str_eq(did->str, "+[qC]^C+[g]");
    link_free(link);
}
END_TEST

START_TEST(returns_to_its_owner_after_each)
{
    static const char text[] = "$g#67$g#67";
    GdbLink *link = link_new(false);

    ck_assert_uint_eq(gdb_link_receive(link, (const uint8_t *)text, strlen(text)), 5);
    ck_assert_str_eq(did->str, "+[g]");
    link_free(link);
}
END_TEST

START_TEST(too_long_a_packet)
{
    GdbLink *link = link_new(true);
    g_autoptr(GString) text = g_string_new("$");
    uint8_t sum = 0;

    for (unsigned i = 0; i < 3 * GDB_PACKET_MAX; i++) {
        g_string_append_c(text, 'a');
        sum += 'a';
    }
    g_string_append_printf(text, "#%02x$g#67", sum);
    feed(link, text->str, text->len);
    ck_assert_str_eq(did->str, "$E22#a9[g]");
    ck_assert_uint_le(link->body->allocated_len, 2 * GDB_PACKET_MAX);
    link_free(link);
}
END_TEST

/* The next one goes when the one before it has arrived; a lost one goes again. */
START_TEST(waits_for_acknowledgments)
{
    GdbLink *link = link_new(false);

    gdb_link_send(link, "O61", 3);
    gdb_link_send(link, "OK", 2);
    ck_assert_str_eq(did->str, "$O61#b6");
    feed(link, "-", 1);
    ck_assert_str_eq(did->str, "$O61#b6$O61#b6");
    feed(link, "+", 1);
    ck_assert_str_eq(did->str, "$O61#b6$O61#b6$OK#9a");
    feed(link, "+-+", 3);
    ck_assert_str_eq(did->str, "$O61#b6$O61#b6$OK#9a");
    link_free(link);
}
END_TEST

START_TEST(a_new_packet_gives_up_old_answers)
{
    GdbLink *link = link_new(false);

    gdb_link_send(link, "O61", 3);
    gdb_link_send(link, "OK", 2);
    feed(link, "$g#67", 5);
    gdb_link_send(link, "E01", 3);
    ck_assert_str_eq(did->str, "$O61#b6+[g]$E01#a6");
    link_free(link);
}
END_TEST

START_TEST(no_acknowledgments)
{
    GdbLink *link = link_new(true);

    gdb_link_send(link, "OK", 2);
    gdb_link_send(link, "", 0);
    ck_assert_str_eq(did->str, "$OK#9a$#00");
    link_free(link);
}
END_TEST

START_TEST(escapes)
{
    g_autoptr(GString) out = g_string_new(NULL);

    gdb_append_escaped(out, "a#$*}b", 6);
    ck_assert_str_eq(out->str, "a}\x03}\x04}\x0a}]b");
    g_string_truncate(out, 0);
    gdb_append_hex(out, "\x00\x9f", 2);
    ck_assert_str_eq(out->str, "009f");
}
END_TEST

CHECK_MAIN("gdb_link", CASES(input_row, inputs), CASE(one_byte_at_a_time),
           CASE(returns_to_its_owner_after_each), CASE(too_long_a_packet),
           CASE(waits_for_acknowledgments), CASE(a_new_packet_gives_up_old_answers),
           CASE(no_acknowledgments), CASE(escapes))
