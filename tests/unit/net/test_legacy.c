/* -nic and -net: what they make, what they wish for, what they refuse. */
#include "check_main.h"
#include "net_probe.h"

static GString *made;

static bool make(Vm *vm, const NicWish *wish, GError **error)
{
    g_string_append_printf(made, "%s@%s mac=%s\n", wish->model != NULL ? wish->model : "default",
                           wish->netdev, wish->mac != NULL ? wish->mac : "-");
    return true;
}

static bool add(Vm *vm, const char *text, GError **error)
{
    bool is_nic = g_str_has_prefix(text, "-nic ");
    g_autoptr(KeyVal) kv = keyval_parse(text + 5, "type", error);

    return kv != NULL && net_add_legacy(vm, kv, is_nic, error);
}

static const struct { const char *options[4], *nics, *network; } lines[] = {
    { { "-net nic,model=e1000,macaddr=52:54:00:a5:41:1e", "-net socket,id=s,udp=127.0.0.1:1,"
        "localaddr=127.0.0.1:0" },
      "e1000@hub0port0 mac=52:54:00:a5:41:1e\n",
      "hub 0\n \\ hub0port1: s: index=0,type=socket,socket: udp=127.0.0.1:1\n \\ hub0port0\n" },
    { { "-nic socket,id=s,udp=127.0.0.1:1,localaddr=127.0.0.1:0,model=rtl8139", "-net nic" },
      "rtl8139@s mac=-\ndefault@hub0port0 mac=-\n",
      "hub 0\n \\ hub0port0\ns: index=0,type=socket,socket: udp=127.0.0.1:1\n" },
    { { "-net nic", "-nic hubport,hubid=5,id=p" }, "default@p mac=-\ndefault@hub0port0 mac=-\n",
      "hub 5\n \\ p\nhub 0\n \\ hub0port0\n" },
    { { "-nic none", "-net none" }, "", "" },
    { { "-net nic,vlan=3" }, "default@hub3port0 mac=-\n", "hub 3\n \\ hub3port0\n" },
};

START_TEST(line_row)
{
    g_autoptr(GString) text = g_string_new(NULL);
    GError *error = NULL;
    Vm vm = { 0 };

    made = g_string_new(NULL);
    for (unsigned i = 0; lines[_i].options[i] != NULL; i++) {
        ck_assert_msg(add(&vm, lines[_i].options[i], &error), "%s", error ? error->message : "");
    }
    ck_assert(net_legacy_devices(&vm, make, NULL));
    ck_assert_str_eq(made->str, lines[_i].nics);
    net_print(text);
    ck_assert_str_eq(text->str, lines[_i].network);
    g_string_free(made, TRUE);
}
END_TEST

static const struct { const char *option, *error; } refused[] = {
    { "-nic foo", "Parameter 'type' does not accept value 'foo'" },
    { "-nic bridge", "Parameter 'type' does not accept value 'bridge'" },
    { "-nic hubport", "Parameter 'hubid' is missing" },
    { "-nic socket,mac=zz", "invalid syntax for ethernet address" },
    { "-nic socket,mac=01:00:00:00:00:00", "NIC cannot have multicast MAC address" },
    { "-nic socket,netdev=x", "Invalid parameter 'netdev'" },
    { "-net nic,macaddr=zz", "invalid syntax for ethernet address" },
    { "-net nic,bogus=1", "Invalid parameter 'bogus'" },
    { "-net hubport,hubid=1", "every -net stands on a hub already: use -netdev hubport" },
    { "-net socket,id=1x,listen=:1", "Parameter 'id' expects an identifier" },
    { "-net ", "Parameter 'type' is missing" },
};

START_TEST(refused_row)
{
    g_auto(GStrv) text = NULL;
    GError *error = NULL;
    Vm vm = { 0 };

    ck_assert(!add(&vm, refused[_i].option, &error));
    text = g_strsplit(error->message, "\n", 2);
    ck_assert_str_eq(text[0], refused[_i].error);
    g_error_free(error);
}
END_TEST

START_TEST(a_netdev_that_is_not_there)
{
    GError *error = NULL;
    Vm vm = { 0 };

    ck_assert(add(&vm, "-net nic,netdev=zz", NULL));
    ck_assert(!net_legacy_devices(&vm, make, &error));
    ck_assert(g_str_has_prefix(error->message, "netdev 'zz' not found"));
    g_error_free(error);
}
END_TEST

CHECK_MAIN("legacy", CASES(line_row, lines), CASES(refused_row, refused),
           CASE(a_netdev_that_is_not_there))
