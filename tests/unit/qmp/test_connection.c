/* Conversations: requests and replies as a client sees them, over every kind of type there is. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "kinds_commands.h"
#include "qmp_connection.h"
#include "rhea_error.h"

static QmpConnection conn;

static json_object *greeting(void)
{
    json_object *object = json_object_new_object();

    json_object_object_add(object, "QMP", json_object_new_object());
    return object;
}

static void start(bool pretty)
{
    qmp_connection_init(&conn, NULL, kinds_commands, greeting(), pretty);
    qmp_connection_open(&conn);
}

/* What came since the last call. */
static char *take(void)
{
    char *text = g_strdup(conn.out->str);

    g_string_truncate(conn.out, 0);
    return text;
}

static void say(const char *request, const char *expected)
{
    g_autofree char *reply = NULL;

    qmp_connection_receive(&conn, request, strlen(request));
    reply = take();
    ck_assert_str_eq(reply, expected);
}

#define ERROR(class_, desc_) "{\"error\": {\"class\": \"" class_ "\", \"desc\": \"" desc_ "\"}}\r\n"
#define GENERIC(desc_) ERROR("GenericError", desc_)
#define ECHO(members_) "{\"execute\":\"echo\",\"arguments\":{" members_ "}}"

static const struct { const char *request, *reply; } rows[] = {
    { "{\"execute\":\"nothing\"}", "{\"return\": {}}\r\n" },
    { "{\"execute\":\"nothing\",\"id\":1}", "{\"return\": {}, \"id\": 1}\r\n" },
    { "{\"id\":{\"a\":[1,null]},\"execute\":\"nothing\"}",
      "{\"return\": {}, \"id\": {\"a\": [1, null]}}\r\n" },
    { "{\"execute\":\"nothing\",\"id\":null}", "{\"return\": {}, \"id\": null}\r\n" },
    { "{\"execute\":\"nothing\",\"arguments\":{}}", "{\"return\": {}}\r\n" },
    { "{\"execute\":\"add\",\"arguments\":{\"a\":40,\"b\":2}}", "{\"return\": 42}\r\n" },
    { "{\"execute\":\"add\",\"arguments\":{\"a\":40}}", "{\"return\": 40}\r\n" },
    { "{\"execute\":\"join\",\"arguments\":{\"names\":[\"a\",\"\",\"b\"]}}",
      "{\"return\": \"ab\"}\r\n" },
    /* requests that are none */
    { "[]", GENERIC("QMP input must be a JSON object") },
    { "null ", GENERIC("QMP input must be a JSON object") },
    { "{}", GENERIC("QMP input lacks member 'execute'") },
    { "{\"id\":1}", "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": "
      "\"QMP input lacks member 'execute'\"}}\r\n" },
    { "{\"execute\":5}", GENERIC("QMP input member 'execute' must be a string") },
    { "{\"execute\":\"nothing\",\"arguments\":5}",
      GENERIC("QMP input member 'arguments' must be an object") },
    { "{\"execute\":\"nothing\",\"arguments\":null}",
      GENERIC("QMP input member 'arguments' must be an object") },
    { "{\"execute\":\"nothing\",\"foo\":1}", GENERIC("QMP input member 'foo' is unexpected") },
    { "{\"execute\":\"nosuch\",\"id\":2}",
      "{\"id\": 2, \"error\": {\"class\": \"CommandNotFound\", "
      "\"desc\": \"The command nosuch has not been found\"}}\r\n" },
    { "{\"execute\":\"qmp_capabilities\"}", ERROR("CommandNotFound",
      "Capabilities negotiation is already complete, command ignored") },
    { "{\"exec-oob\":\"nothing\"}", GENERIC("QMP input member 'exec-oob' is unexpected") },
    { "{\"execute\":\"nothing\\u0000\"}", ERROR("CommandNotFound",
      "The command nothing\\u0000 has not been found") },
    { "{\"execute\"", "" }, { ":\"nothing\"}", "{\"return\": {}}\r\n" },
    /* errors of commands: their class, and no hint */
    { "{\"execute\":\"fail\",\"arguments\":{\"class\":0}}", GENERIC("failed") },
    { "{\"execute\":\"fail\",\"arguments\":{\"class\":1}}", ERROR("CommandNotFound", "failed") },
    { "{\"execute\":\"fail\",\"arguments\":{\"class\":2}}", ERROR("DeviceNotActive", "failed") },
    { "{\"execute\":\"fail\",\"arguments\":{\"class\":3}}", ERROR("DeviceNotFound", "failed") },
    { "{\"execute\":\"fail\",\"arguments\":{\"class\":4}}", ERROR("KVMMissingCap", "failed") },
    /* arguments */
    { "{\"execute\":\"add\"}", GENERIC("Parameter 'a' is missing") },
    { "{\"execute\":\"add\",\"arguments\":{\"a\":\"1\"}}",
      GENERIC("Invalid parameter type for 'a', expected: integer") },
    { "{\"execute\":\"add\",\"arguments\":{\"a\":1,\"c\":2}}",
      GENERIC("Parameter 'c' is unexpected") },
    { "{\"execute\":\"join\",\"arguments\":{\"names\":[\"a\",5]}}",
      GENERIC("Invalid parameter type for 'names[1]', expected: string") },
    { ECHO(""), "{\"return\": {}}\r\n" },
    { ECHO("'flag':true,'small':-128,'port':65535,'big':-1,'bytes':18446744073709551615,'ratio':0.5"),
      "{\"return\": {\"flag\": true, \"small\": -128, \"port\": 65535, \"big\": -1, "
      "\"bytes\": 18446744073709551615, \"ratio\": 0.5}}\r\n" },
    { ECHO("'text':'\xc3\xa9','nothing':null,'colour':'light-green','what':null,'default':3"),
      "{\"return\": {\"text\": \"\\u00E9\", \"nothing\": null, \"colour\": \"light-green\", "
      "\"what\": null, \"default\": 3}}\r\n" },
    { ECHO("'what':{'a':[1,{}]},'shape':{'kind':'circle','at':{'x':1,'y':-2},'radius':3}"),
      "{\"return\": {\"what\": {\"a\": [1, {}]}, \"shape\": {\"kind\": \"circle\", "
      "\"at\": {\"x\": 1, \"y\": -2}, \"radius\": 3}}}\r\n" },
    { ECHO("'either':'x'"), "{\"return\": {\"either\": \"x\"}}\r\n" },
    { ECHO("'either':5"), "{\"return\": {\"either\": 5}}\r\n" },
    { ECHO("'either':null"), "{\"return\": {\"either\": null}}\r\n" },
    { ECHO("'either':{'x':1}"), "{\"return\": {\"either\": {\"x\": 1}}}\r\n" },
    { ECHO("'numbers':[1,-2],'colours':['red','light-green'],'names':[]"),
      "{\"return\": {\"numbers\": [1, -2], \"colours\": [\"red\", \"light-green\"], \"names\": []}}\r\n" },
    { ECHO("'shapes':[{'kind':'dot','at':{'x':1}},{'at':{'x':2},'kind':'circle','radius':9}]"),
      "{\"return\": {\"shapes\": [{\"kind\": \"dot\", \"at\": {\"x\": 1}}, {\"kind\": \"circle\", "
      "\"at\": {\"x\": 2}, \"radius\": 9}]}}\r\n" },
    { ECHO("'flag':1"), GENERIC("Invalid parameter type for 'flag', expected: boolean") },
    { ECHO("'small':128"), GENERIC("Parameter 'small' expects int8_t") },
    { ECHO("'port':-1"), GENERIC("Parameter 'port' expects uint16_t") },
    { ECHO("'port':1.0"), GENERIC("Invalid parameter type for 'port', expected: integer") },
    { ECHO("'big':9223372036854775808"),
      GENERIC("Invalid parameter type for 'big', expected: integer") },
    { ECHO("'big':99999999999999999999"),
      GENERIC("Invalid parameter type for 'big', expected: integer") },
    { ECHO("'ratio':'x'"), GENERIC("Invalid parameter type for 'ratio', expected: number") },
    { ECHO("'text':5"), GENERIC("Invalid parameter type for 'text', expected: string") },
    { ECHO("'nothing':0"), GENERIC("Invalid parameter type for 'nothing', expected: null") },
    { ECHO("'colour':'blue'"), GENERIC("Parameter 'colour' does not accept value 'blue'") },
    { ECHO("'colour':5"), GENERIC("Invalid parameter type for 'colour', expected: string") },
    { ECHO("'colours':['blue']"), GENERIC("Parameter 'colours[0]' does not accept value 'blue'") },
    { ECHO("'shape':5"), GENERIC("Invalid parameter type for 'shape', expected: object") },
    { ECHO("'shape':{'at':{'x':1}}"), GENERIC("Parameter 'shape.kind' is missing") },
    { ECHO("'shape':{'kind':'circle','at':{'x':1}}"),
      GENERIC("Parameter 'shape.radius' is missing") },
    { ECHO("'shape':{'kind':'dot','at':{'x':1},'radius':1}"),
      GENERIC("Parameter 'shape.radius' is unexpected") },
    { ECHO("'shapes':[{'kind':'dot','at':{'y':1}}]"),
      GENERIC("Parameter 'shapes[0].at.x' is missing") },
    { ECHO("'shapes':[{'kind':'dot','at':{'x':1}},{'kind':'dot','at':{'x':'a'}}]"),
      GENERIC("Invalid parameter type for 'shapes[1].at.x', expected: integer") },
    { ECHO("'either':true"), GENERIC("Invalid parameter type for 'either', expected: Either") },
    { ECHO("'either':{'z':1}"), GENERIC("Parameter 'either.x' is missing") },
    { ECHO("'numbers':{}"), GENERIC("Invalid parameter type for 'numbers', expected: array") },
};

START_TEST(conversation_row)
{
    start(false);
    say("{\"execute\":\"qmp_capabilities\"}",
        "{\"QMP\": {}}\r\n{\"return\": {}}\r\n");
    if (rows[_i].request[0] == ':') {
        say(rows[_i - 1].request, "");
    }
    say(rows[_i].request, rows[_i].reply);
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(negotiation)
{
    static const char expecting[] =
        ERROR("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");

    start(false);
    say("", "{\"QMP\": {}}\r\n");
    say("{\"execute\":\"nothing\"}", expecting);
    say("{\"execute\":\"nosuch\"}", expecting);
    say("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"oob\":5}}",
        GENERIC("Invalid parameter type for 'oob', expected: boolean"));
    say("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"oob\":true}}", "{\"return\": {}}\r\n");
    say("{\"exec-oob\":\"nothing\"}", GENERIC("The command nothing does not support OOB"));
    say("{\"exec-oob\":\"add\",\"arguments\":{\"a\":1}}", "{\"return\": 1}\r\n");
    say("{\"execute\":\"add\",\"exec-oob\":\"add\"}",
        GENERIC("QMP input member 'execute' clashes with 'exec-oob'"));
    say("{\"execute\":", "");
    qmp_connection_close(&conn);                        /* a new client starts anew */
    qmp_connection_open(&conn);
    say("{\"execute\":\"nothing\"}",
        "{\"QMP\": {}}\r\n" ERROR("CommandNotFound",
                                  "Expecting capabilities negotiation with 'qmp_capabilities'"));
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(several_in_one_write)
{
    start(false);
    say("{\"execute\":\"qmp_capabilities\"}{\"execute\":\"nosuch\",\"id\":3}\n\n{\"execute\":"
        "\"nothing\"}]",
        "{\"QMP\": {}}\r\n{\"return\": {}}\r\n"
        "{\"id\": 3, \"error\": {\"class\": \"CommandNotFound\", "
        "\"desc\": \"The command nosuch has not been found\"}}\r\n"
        "{\"return\": {}}\r\n" GENERIC("JSON parse error, expecting value"));
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(pretty_replies)
{
    start(true);
    say("{\"execute\":\"qmp_capabilities\"}{\"execute\":\"echo\",\"arguments\":{\"numbers\":[1,2],"
        "\"names\":[]}}",
        "{\r\n    \"QMP\": {\r\n    }\r\n}\r\n"
        "{\r\n    \"return\": {\r\n    }\r\n}\r\n"
        "{\r\n    \"return\": {\r\n        \"numbers\": [\r\n            1,\r\n"
        "            2\r\n        ],"
        "\r\n        \"names\": [\r\n        ]\r\n    }\r\n}\r\n");
    qmp_connection_finish(&conn);
}
END_TEST

/* ---- answers that come later ---- */

#define NOTHING(id_) "{\"execute\":\"nothing\",\"id\":" id_ "}"
#define ANSWER(id_) "{\"return\": {}, \"id\": " id_ "}\r\n"
#define LATER(cancel_) \
    "{\"execute\":\"later\",\"id\":7,\"arguments\":{\"cancel\":" cancel_ ",\"fail\":false}}"

static void negotiate(void)
{
    start(false);
    say("{\"execute\":\"qmp_capabilities\",\"arguments\":{\"oob\":true}}",
        "{\"QMP\": {}}\r\n{\"return\": {}}\r\n");
}

START_TEST(later_holds_back_what_follows)
{
    negotiate();
    say(LATER("false") NOTHING("1") "]" NOTHING("2"), "");
    say("{\"exec-oob\":\"add\",\"arguments\":{\"a\":1},\"id\":3}",
        "{\"return\": 1, \"id\": 3}\r\n");
    qmp_pending_return(kinds_pending, json_object_new_int(5));
    say("", "{\"return\": 5, \"id\": 7}\r\n");
    qmp_connection_run(&conn);
    say("", ANSWER("1") GENERIC("JSON parse error, expecting value") ANSWER("2"));
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(later_fails)
{
    g_autoptr(GError) error = NULL;

    negotiate();
    say(LATER("false"), "");
    set_error(&error, "no");
    qmp_pending_fail(kinds_pending, error);
    say("", "{\"id\": 7, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n");
    say("{\"execute\":\"later\",\"arguments\":{\"cancel\":false,\"fail\":true}}",
        GENERIC("too late"));
    say(NOTHING("1"), ANSWER("1"));
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(later_and_the_client_goes)
{
    negotiate();
    say(LATER("true") NOTHING("1"), "");
    qmp_connection_close(&conn);
    ck_assert_ptr_null(kinds_pending);
    qmp_connection_open(&conn);
    say("{\"execute\":\"qmp_capabilities\"}", "{\"QMP\": {}}\r\n{\"return\": {}}\r\n");
    say(LATER("false") NOTHING("2"), "");
    qmp_connection_close(&conn);
    qmp_pending_return(kinds_pending, NULL);            /* too late: nobody hears it */
    qmp_connection_open(&conn);
    say("{\"execute\":\"qmp_capabilities\"}", "{\"QMP\": {}}\r\n{\"return\": {}}\r\n");
    qmp_connection_finish(&conn);
}
END_TEST

START_TEST(queue_has_a_limit)
{
    negotiate();
    say(LATER("true"), "");
    for (int i = 0; i < QMP_QUEUE_MAX; i++) {
        ck_assert(qmp_connection_wants_input(&conn));
        say(NOTHING("1"), "");
    }
    ck_assert(!qmp_connection_wants_input(&conn));
    qmp_connection_finish(&conn);
}
END_TEST

/* ---- descriptors ---- */

static int offered = -1;

static int take_offered(void *opaque)
{
    int fd = offered;

    offered = -1;
    return fd;
}

static void no_wake(void *opaque)
{
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(descriptors)
{
    static const QmpConnectionOps ops = { take_offered, no_wake };

    negotiate();
    conn.ops = &ops;
    offered = dup(0);
    say("{\"execute\":\"nothing\"}", "{\"return\": {}}\r\n");
    ck_assert(is_open(offered));                        /* not for this one */
    say("{\"execute\":\"take-fd\"}", "{\"return\": {}}\r\n");
    ck_assert(is_open(kinds_fd));
    offered = kinds_fd;
    say("{\"execute\":\"take-fd\",\"arguments\":{\"fail\":true}}", GENERIC("left it"));
    ck_assert(!is_open(kinds_fd));
    say("{\"execute\":\"take-fd\"}", "{\"return\": {}}\r\n");
    ck_assert_int_eq(kinds_fd, -1);
    say(LATER("true"), "");
    offered = dup(0);
    say("{\"execute\":\"take-fd\"}", "");
    ck_assert_int_eq(offered, -1);                      /* waits with its request */
    qmp_pending_return(kinds_pending, NULL);
    qmp_connection_run(&conn);
    ck_assert(is_open(kinds_fd));
    close(kinds_fd);
    qmp_connection_finish(&conn);
}
END_TEST

CHECK_MAIN("qmp_connection", CASES(conversation_row, rows), CASE(negotiation),
           CASE(several_in_one_write), CASE(pretty_replies), CASE(later_holds_back_what_follows),
           CASE(later_fails), CASE(later_and_the_client_goes), CASE(queue_has_a_limit),
           CASE(descriptors))
