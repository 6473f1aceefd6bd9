/* What the doors of -netdev user answer in a build without libslirp. */
#include "backend.h"

bool net_is_user(const NetClient *client)
{
    return false;
}

bool net_hostfwd_add(const char *netdev, const char *rule, GError **error)
{
    set_error(error, "user mode network stack not in use: this program was built without libslirp");
    return false;
}

bool net_hostfwd_remove(const char *netdev, const char *rule, GError **error)
{
    return net_hostfwd_add(netdev, rule, error);
}

void net_print_user(GString *out)
{
}
