#include "vnc_listen.h"

#include "check_main.h"

/* ---- places ---- */

static const struct {
    const char *text;
    unsigned base, last;
    const char *place;                      /* as vnc_place_format(); NULL: refused */
    unsigned last_port;
} places[] = {
    { ":0", 5900, 0, "127.0.0.1:5900", 5900 }, { "127.0.0.1:13", 5900, 0, "127.0.0.1:5913", 5913 },
    { "0.0.0.0:13", 5900, 20, "0.0.0.0:5913", 5920 }, { "host:13", 5900, 3, "host:5913", 5913 },
    { "[::1]:13", 5900, 0, "[::1]:5913", 5913 }, { "::1:13", 5900, 0, "[::1]:5913", 5913 },
    { "h:59635", 5900, 0, "h:65535", 65535 }, { "h:59636", 5900, 0, NULL },
    { "h:5901", 0, 0, "h:5901", 5901 }, { "h:65535", 0, 0, "h:65535", 65535 },
    { "h:65536", 0, 0, NULL }, { "h:99999999999999999999", 0, 0, NULL },
    { "h:1", 5900, 4000000000u, "h:5901", 65535 },
    { "unix:/run/x", 5900, 0, "/run/x" }, { "unix:x:1", 5900, 0, "x:1" }, { "unix:", 5900, 0, NULL },
    { "", 5900, 0, NULL }, { "h", 5900, 0, NULL }, { "h:", 5900, 0, NULL }, { "h: 1", 5900, 0, NULL },
    { "h:-1", 5900, 0, NULL }, { "h:+1", 5900, 0, NULL }, { "h:1x", 5900, 0, NULL },
    { "[]:1", 5900, 0, "127.0.0.1:5901", 5901 },
};

START_TEST(place_row)
{
    VncPlace place = {};
    GError *error = NULL;
    bool ok = vnc_place_parse(&place, places[_i].text, places[_i].base, places[_i].last, &error);

    ck_assert_int_eq(ok, places[_i].place != NULL);
    ck_assert_int_eq(ok, error == NULL);
    if (ok) {
        g_autofree char *text = vnc_place_format(&place);

        ck_assert_str_eq(text, places[_i].place);
        ck_assert_uint_eq(place.last_port, places[_i].last_port);
    }
    g_clear_error(&error);
    vnc_place_finish(&place);
}
END_TEST

/* Which loopback is meant where no host is given. */
static const struct { const char *ipv4, *ipv6, *place; } loopbacks[] = {
    { NULL, NULL, "127.0.0.1:5901" }, { "on", NULL, "127.0.0.1:5901" },
    { NULL, "on", "[::1]:5901" }, { "off", NULL, "[::1]:5901" }, { "on", "on", "127.0.0.1:5901" },
    { NULL, "off", "127.0.0.1:5901" },
};

START_TEST(loopback_row)
{
    VncPlace place = { .host = (char *)"", .port = 5901, .ipv4 = loopbacks[_i].ipv4,
                       .ipv6 = loopbacks[_i].ipv6 };
    g_autofree char *text = vnc_place_format(&place);

    ck_assert_str_eq(text, loopbacks[_i].place);
}
END_TEST

/* ---- ports ---- */

static void accepted(void *opaque, VncListener *listener, int fd)
{
}

START_TEST(the_next_free_port_is_taken)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)vnc_listener_free);
    VncPlace place = { .host = (char *)"127.0.0.1" };
    GError *error = NULL;

    ck_assert(vnc_listen(list, &place, accepted, NULL, &error));        /* any port */
    const VncListener *first = g_ptr_array_index(list, 0);
    ck_assert_str_eq(first->address.host, "127.0.0.1");
    ck_assert(first->loopback);
    place.port = g_ascii_strtoull(first->address.service, NULL, 10);
    ck_assert(!vnc_listen(list, &place, accepted, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "Address already in use"));
    g_clear_error(&error);
    if (place.port < 65000) {
        place.last_port = place.port + 500;
        ck_assert(vnc_listen(list, &place, accepted, NULL, &error));
        ck_assert_uint_eq(list->len, 2);
    }
    g_ptr_array_unref(list);
}
END_TEST

CHECK_MAIN("vnc_listen", CASES(place_row, places), CASES(loopback_row, loopbacks),
           CASE(the_next_free_port_is_taken))
