/* Options about the network. */
#include <stdio.h>
#include <string.h>

#include "net.h"
#include "option_row.h"
#include "rhea_error.h"
#include "vm.h"
#include "vm_net.h"

static bool make_netdev(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "type", error);

    return kv != NULL && netdev_add(vm, kv, error);
}

static bool make_nic(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);

    return kv != NULL && net_add_legacy(vm, kv, true, error);
}

static bool make_net(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);

    return kv != NULL && net_add_legacy(vm, kv, false, error);
}

static void print_and_leave(Options *options, char *text)
{
    fputs(text, stdout);
    g_free(text);
    options->done = true;
}

static bool opt_netdev(Options *options, const char *arg, GError **error)
{
    options->has_net = true;
    if (option_wants_help(arg)) {
        print_and_leave(options, netdev_help_text());
    } else {
        options_later(options, OPTION_STAGE_NET, "netdev", arg, make_netdev);
    }
    return true;
}

static bool wants_models(const char *arg)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "type", NULL);
    const char *model = kv != NULL ? keyval_get(kv, "model") : NULL;

    return model != NULL && option_wants_help(model);
}

static bool legacy(Options *options, const char *name, const char *arg, OptionFn make)
{
    options->has_net = true;
    if (wants_models(arg)) {
        print_and_leave(options, vm_nic_models_text());
    } else {
        options_later(options, OPTION_STAGE_NET, name, arg, make);
    }
    return true;
}

static bool opt_nic(Options *options, const char *arg, GError **error)
{
    if (option_wants_help(arg)) {
        print_and_leave(options, netdev_help_text());
        return true;
    }
    return legacy(options, "nic", arg, make_nic);
}

static bool opt_net(Options *options, const char *arg, GError **error)
{
    option_tell_today("-net", "-nic, or -netdev and -device");
    return legacy(options, "net", arg, make_net);
}

/* -redir [tcp|udp]:hostport:[guestaddr]:guestport, as it was until QEMU 2.11. */
static bool opt_redir(Options *options, const char *arg, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(arg, ":", 4);

    set_error(error, "this option is gone");
    if (g_strv_length(parts) == 4) {
        error_add_hint(error, "Use -nic user,hostfwd=%s::%s-%s:%s", parts[0], parts[1], parts[2],
                       parts[3]);
    } else {
        error_add_hint(error, "Use -nic user,hostfwd=[tcp|udp]:[hostaddr]:hostport-[guestaddr]:"
                       "guestport");
    }
    return false;
}

const Option net_options[] = {
    { "netdev", "TYPE,id=ID[,OPT=VALUE]…", "a network back end ('help' lists them)", opt_netdev,
      "netdev" },
    { "nic", "TYPE[,model=MODEL][,mac=MAC][,OPT=VALUE]…",
      "a NIC and the back end behind it; 'none': no NIC ('model=help' lists models)", opt_nic,
      "nic" },
    { "net", "nic|TYPE[,OPT=VALUE]…", "a NIC or a back end on a hub that all -net share", opt_net,
      "net" },
    { "redir", "RULE", "gone: says what to write instead", opt_redir },
    {}
};
