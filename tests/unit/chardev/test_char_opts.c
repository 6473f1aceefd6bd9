/* Option texts and legacy words: what they become, and how they are refused. */
#include <glib.h>

#include "backend.h"
#include "check_main.h"

static const struct { const char *text, *type, *id, *name, *value; } good[] = {
    { "null,id=c", "null", "c", NULL, NULL },
    { "id=c", NULL, NULL, NULL, NULL },                             /* the back end comes first */
    { "backend=null,id=c", "null", "c", NULL, NULL },
    { "socket,id=c,path=/x,server=on,wait=off", "socket", "c", "wait", "off" },
    { "socket,id=c,path=/x,server,nowait", "socket", "c", "wait", "off" },
    { "socket,path=/x,server=on,id=late", "socket", "late", "path", "/x" },
    { "socket,id=c,host=::1,port=5,nodelay", "socket", "c", "nodelay", "on" },
    { "file,id=c,path=a,,b", "file", "c", "path", "a,b" },          /* a doubled comma is a comma */
    { "file,id=c,path=x,logfile=l,logappend=on", "file", "c", "logfile", "l" },
    { "ringbuf,id=c,size=64k", "ringbuf", "c", "size", "64k" },
};

START_TEST(option_text_row)
{
    g_autoptr(CharOpts) opts = char_opts_parse(good[_i].text, NULL);

    ck_assert_int_eq(opts != NULL, good[_i].type != NULL);
    if (opts != NULL) {
        ck_assert_str_eq(opts->type->name, good[_i].type);
        ck_assert_str_eq(opts->id, good[_i].id);
        if (good[_i].name != NULL) {
            ck_assert_str_eq(char_opts_string(opts, good[_i].name), good[_i].value);
        }
    }
}
END_TEST

static const struct { const char *text, *message; } bad[] = {
    { "null", "chardev: no id specified" },
    { "null,id=1c", "Parameter 'id' expects an identifier*" },
    { "bogus,id=c", "'bogus' is not a valid char driver name" },
    { "sockt,id=c", "'sockt' is not a valid char driver name\nDid you mean 'socket'?" },
    { "vc,id=c", "'vc' is not a valid char driver name*" },          /* nobody has brought it */
    { "braille,id=c", "no character device 'braille': *" },
    { "null,id=c,foo=1", "Invalid parameter 'foo'*" },
    { "socket,id=c,pth=/x", "Invalid parameter 'pth'\nDid you mean 'path'?" },
    { "socket,id=c,path=/x,server=maybe", "Parameter 'server' expects 'on' or 'off'" },
    { "socket,id=c,path=/x,reconnect=soon", "Parameter 'reconnect' expects a number" },
    { "ringbuf,id=c,size=big", "Parameter 'size' expects a non-negative number below 2^64" },
    { "file,id=c,path", "Parameter 'path' needs a value*" },
    { "", "'' is not a valid char driver name*" },
    { ",,,", "*" },
};

START_TEST(bad_option_text_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(char_opts_parse(bad[_i].text, &error));
    ck_assert_msg(g_pattern_match_simple(bad[_i].message, error->message), "got: %s",
                  error->message);
}
END_TEST

static const CharOption screen_options[] = {
    { "width", CHAR_OPTION_NUMBER }, { "height", CHAR_OPTION_NUMBER },
    { "cols", CHAR_OPTION_NUMBER }, { "rows", CHAR_OPTION_NUMBER }, {}
};
static const ChardevType brought = { .name = "vc", .options = screen_options };

static const struct { const char *word, *type, *name, *value; } legacy[] = {
    { "stdio", "stdio", NULL, NULL },
    { "mon:stdio", "stdio", "mux", "on" },
    { "mon:stdio", "stdio", "signal", "off" },
    { "unix:/x,server=on,wait=off", "socket", "path", "/x" },
    { "unix:/x,server,nowait", "socket", "wait", "off" },
    { "tcp:localhost:44,server=on", "socket", "port", "44" },
    { "tcp::44,server=on,wait=off", "socket", "port", "44" },
    { "tcp:[::1]:44", "socket", "host", "::1" },
    { "udp:1.2.3.4:5@:6", "udp", "localport", "6" },
    { "udp::5", "udp", "port", "5" },
    { "file:a,b", "file", "path", "a,b" },
    { "pipe:/p", "pipe", "path", "/p" },
    { "vc", "vc", NULL, NULL },
    { "vc:800x600", "vc", "width", "800" },
    { "vc:800x600", "vc", "height", "600" },
    { "mon:vc:80Cx24C", "vc", "rows", "24" },
};

START_TEST(legacy_row)
{
    g_autoptr(CharOpts) opts = NULL;

    chardev_add_type(&brought);
    opts = char_opts_from_legacy("c", legacy[_i].word, NULL);
    ck_assert_ptr_nonnull(opts);
    ck_assert_str_eq(opts->type->name, legacy[_i].type);
    if (legacy[_i].name != NULL) {
        ck_assert_str_eq(char_opts_string(opts, legacy[_i].name), legacy[_i].value);
    }
}
END_TEST

static const struct { const char *word, *message; } bad_legacy[] = {
    { "bogus", "'bogus' is not a valid char driver" },
    { "vc:", "'' is not a size*" },
    { "vc:80x", "'80x' is not a size*" },
    { "vc:80x25C", "'80x25C' is not a size*" },
    { "vc:80Cx24C ", "'80Cx24C ' is not a size*" },
    { "vc:123456x1", "'123456x1' is not a size*" },
    { "tn3270:127.0.0.1:5,server", "*tn3270*not supported*" },
    { "tcp:nowhere", "'nowhere' is not an address*" },
    { "tcp:a:5,servr=on", "Invalid parameter 'servr'\nDid you mean 'server'?" },
    { "mon:", "'' is not a valid char driver" },
};

START_TEST(bad_legacy_row)
{
    g_autoptr(GError) error = NULL;

    chardev_add_type(&brought);
    ck_assert_ptr_null(char_opts_from_legacy("c", bad_legacy[_i].word, &error));
    ck_assert_msg(g_pattern_match_simple(bad_legacy[_i].message, error->message), "got: %s",
                  error->message);
}
END_TEST

CHECK_MAIN("char_opts", CASES(option_text_row, good), CASES(bad_option_text_row, bad),
           CASES(legacy_row, legacy), CASES(bad_legacy_row, bad_legacy))
