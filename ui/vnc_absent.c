/* VNC in a build without libvncserver: there are no servers, and none can be made. */
#include "keyval.h"
#include "rhea_error.h"
#include "vnc.h"

const KeyField vnc_fields[] = { {} };

static bool refuse(GError **error)
{
    set_error(error, "this build has no VNC: it was made without libvncserver");
    return false;
}

bool vnc_open(Vm *vm, const char *text, GError **error)
{
    return g_str_equal(text, "none") || refuse(error);
}

void vnc_close_all(void)
{
}

const GPtrArray *vnc_servers(void)
{
    static GPtrArray *none;

    if (none == NULL) {
        none = g_ptr_array_new();
    }
    return none;
}

VncServer *vnc_find(const char *id)
{
    return NULL;
}

VncServer *vnc_first(void)
{
    return NULL;
}

bool vnc_set_places(VncServer *server, const VncPlace *places, size_t n, GError **error)
{
    return refuse(error);
}

bool vnc_add_client(VncServer *server, int fd, bool trusted, GError **error)
{
    return refuse(error);
}

bool vnc_reload_tls(VncServer *server, GError **error)
{
    return refuse(error);
}

bool vnc_set_password(VncServer *server, const char *password, GError **error)
{
    return refuse(error);
}

void vnc_expire_password(VncServer *server, int64_t when)
{
}

void vnc_info(const VncServer *server, VncServerInfo *info)
{
    *info = (VncServerInfo){};
}

void vnc_set_listener(void (*fn)(VncEvent event, const VncServer *server, const VncAddress *at,
                                 const VncPeer *peer))
{
}
