/* The protocol on a character device: one client at a time, output that waits for it. */
#include "gdbstub.h"

#include <string.h>

#include "gdb.h"
#include "rhea_error.h"

#define LABEL       "gdb"
#define TCP         "tcp:"
#define TCP_OPTIONS ",server=on,wait=off,nodelay=on"

enum { INPUT_MAX = 4096 };

/* The process's one server. */
typedef struct GdbServer {
    Vm *vm;                             /* NULL: not listening */
    CharFrontend fe;
    bool own_chardev;                   /* made here, not by -chardev */
    GdbSession *session;                /* NULL: no client */
    GByteArray *input;                  /* bytes that wait for output to leave */
    GByteArray *output;                 /* what the device had no room for */
    bool processing;                    /* inside a packet: the session must stay */
    bool left, came;                    /* news of clients from meanwhile */
} GdbServer;

static GdbServer server;

void gdbstub_set_command(char *(*run)(Vm *vm, const char *line, int cpu_index))
{
    gdb_run_command = run;
}

/* ---- output ---- */

static void drain(void)
{
    size_t len = MIN(server.output->len, chardev_write_room(&server.fe));

    chardev_write(&server.fe, server.output->data, len);
    g_byte_array_remove_range(server.output, 0, (guint)len);
}

static void on_session_write(void *opaque, const void *buf, size_t len)
{
    g_byte_array_append(server.output, buf, (guint)len);
    drain();
}

/* ---- input ---- */

static void client_leaves(void)
{
    gdb_session_free(g_steal_pointer(&server.session));
    g_byte_array_set_size(server.input, 0);
    g_byte_array_set_size(server.output, 0);
}

static void client_comes(void)
{
    client_leaves();
    server.session = gdb_session_new(server.vm, on_session_write, NULL);
}

/* A command of gdb's own may have closed or changed the device it came by. */
static void catch_up(void)
{
    if (server.left) {
        client_leaves();
    }
    if (server.came) {
        client_comes();
    }
    server.left = server.came = false;
}

/* One packet after the other, each only when the answers before it have left. */
static void process(void)
{
    if (server.processing) {
        return;
    }
    while (server.session != NULL && server.input->len > 0 && server.output->len == 0) {
        size_t taken;

        server.processing = true;
        taken = gdb_session_receive(server.session, server.input->data, server.input->len);
        server.processing = false;
        g_byte_array_remove_range(server.input, 0, (guint)taken);
        catch_up();
    }
}

static void on_room(void *opaque)
{
    drain();
    process();
    chardev_accept_input(&server.fe);
}

static int on_can_receive(void *opaque)
{
    return server.session != NULL && server.input->len == 0 && server.output->len == 0 ? INPUT_MAX
                                                                                       : 0;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
    g_byte_array_append(server.input, buf, (guint)len);
    process();
}

static void on_event(void *opaque, CharEvent event)
{
    switch (event) {
    case CHAR_EVENT_OPENED:
        chardev_notify_room(&server.fe, on_room, NULL);
        server.came = true;
        break;
    case CHAR_EVENT_CLOSED:
        server.left = true;
        server.came = false;
        break;
    case CHAR_EVENT_BREAK:
        if (server.session != NULL) {
            gdb_session_interrupt(server.session);
        }
        break;
    case CHAR_EVENT_MUX_IN:
    case CHAR_EVENT_MUX_OUT:
        break;
    }
    if (!server.processing) {
        catch_up();
    }
}

/* ---- starting and stopping ---- */

/* gdb's tcp: always listens, and nobody but this host reaches it unless an address is given. */
static char *device_word(const char *device)
{
    const char *rest = device + strlen(TCP);

    if (!g_str_has_prefix(device, TCP)) {
        return g_strdup(device);
    }
    return g_strconcat(TCP, *rest == ':' ? "127.0.0.1" : "", rest, TCP_OPTIONS, NULL);
}

void gdbstub_stop(Vm *vm)
{
    bool own = server.own_chardev;

    if (server.vm == NULL) {
        return;
    }
    client_leaves();
    chardev_detach(&server.fe);
    if (own) {
        chardev_remove(LABEL, NULL);
    }
    g_byte_array_unref(server.input);
    g_byte_array_unref(server.output);
    server = (GdbServer){ 0 };
}

/* false without an error: "none" */
static bool listen_on(Vm *vm, const char *device, GError **error)
{
    g_autofree char *word = device_word(device);
    Chardev *chr = chardev_new_from_legacy(LABEL, word, false, error);

    if (chr == NULL) {
        return false;
    }
    server = (GdbServer){
        .vm = vm, .own_chardev = !g_str_has_prefix(word, "chardev:"),
        .input = g_byte_array_new(), .output = g_byte_array_new(),
        .fe = { .can_receive = on_can_receive, .receive = on_receive, .event = on_event },
    };
    if (!chardev_attach(&server.fe, chr, error)) {
        gdbstub_stop(vm);
        return false;
    }
    return true;
}

bool gdbstub_start(Vm *vm, const char *device, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (vm->cpus->len == 0) {
        set_error(error, "gdbstub: meaningless to attach gdb to a machine without any CPU.");
        return false;
    }
    if (server.processing) {
        set_error(error, "gdb cannot change the device it is connected by");
        return false;
    }
    gdbstub_stop(vm);
    if (!listen_on(vm, device, &why) && why != NULL) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    return true;
}
