/* The common part of all character devices: who is known, who is attached to whom, property. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "passed_fd.h"

/* Every character device, newest first. */
static GPtrArray *devices;

const GPtrArray *chardev_list(void)
{
    if (devices == NULL) {
        devices = g_ptr_array_new();
    }
    return devices;
}

Chardev *chardev_find(const char *label)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        Chardev *chr = g_ptr_array_index(list, i);

        if (strcmp(chr->label, label) == 0) {
            return chr;
        }
    }
    return NULL;
}

const char *chardev_label(const Chardev *chr)
{
    return chr->label;
}

/* ---- life ---- */

static void chardev_free(Chardev *chr)
{
    if (chr == NULL) {
        return;
    }
    if (devices != NULL) {
        g_ptr_array_remove(devices, chr);
    }
    if (chr->type->close != NULL) {
        chr->type->close(chr);
    }
    chardev_io_finish(chr);
    if (chr->log_fd >= 0) {
        passed_fd_release(chr->log_fd);
    }
    g_mutex_clear(&chr->write_lock);
    g_free(chr->label);
    g_free(chr);
}

static bool open_log(Chardev *chr, const CharOpts *opts, GError **error)
{
    const char *path = char_opts_string(opts, "logfile");
    int how = char_opts_bool(opts, "logappend", false) ? O_APPEND : O_TRUNC;

    if (path == NULL) {
        return true;
    }
    chr->log_fd = passed_fd_open(path, O_WRONLY | O_CREAT | how, 0666);
    if (chr->log_fd < 0) {
        set_errno_error(error, errno, "Unable to open logfile %s", path);
        return false;
    }
    return true;
}

Chardev *chardev_new(const ChardevType *type, const CharOpts *opts, GError **error)
{
    Chardev *chr;

    chardev_list();
    if (chardev_find(opts->id) != NULL) {
        set_error(error, "Duplicate ID '%s' for chardev", opts->id);
        return NULL;
    }
    chr = g_malloc0(type->size);
    chr->type = type;
    chr->label = g_strdup(opts->id);
    chr->log_fd = chr->in_fd = chr->out_fd = -1;
    g_mutex_init(&chr->write_lock);
    g_ptr_array_insert(devices, 0, chr);
    if (!open_log(chr, opts, error) || (type->open != NULL && !type->open(chr, opts, error))) {
        chardev_free(chr);
        return NULL;
    }
    return chr;
}

/* A mux keeps the id the user gave; what it stands on gets "-base" behind it. */
static Chardev *open_mux(const CharOpts *opts, GError **error)
{
    g_autofree char *base_id = g_strconcat(opts->id, "-base", NULL);
    g_autoptr(CharOpts) mux_opts = char_opts_new(&chardev_mux_type, opts->id);
    CharOpts base_opts = { .type = opts->type, .id = base_id, .values = opts->values };
    Chardev *mux, *base;

    base = chardev_new(opts->type, &base_opts, error);
    if (base == NULL) {
        return NULL;
    }
    mux = chardev_new(&chardev_mux_type, mux_opts, error);
    if (mux == NULL || !chardev_mux_over(mux, base, error)) {
        chardev_free(mux);
        chardev_free(base);
        return NULL;
    }
    return mux;
}

Chardev *chardev_open_opts(const CharOpts *opts, GError **error)
{
    if (char_opts_bool(opts, "mux", false)) {
        return open_mux(opts, error);
    }
    return chardev_new(opts->type, opts, error);
}

Chardev *chardev_new_from_opts(const char *text, GError **error)
{
    g_autoptr(CharOpts) opts = char_opts_parse(text, error);

    return opts != NULL ? chardev_open_opts(opts, error) : NULL;
}

Chardev *chardev_new_from_legacy(const char *label, const char *word, bool with_mux, GError **error)
{
    g_autoptr(CharOpts) opts = NULL;

    if (g_str_equal(word, "none")) {
        return NULL;
    }
    if (g_str_has_prefix(word, "chardev:")) {
        const char *id = word + strlen("chardev:");
        Chardev *chr = chardev_find(id);

        if (chr == NULL) {
            set_error(error, "chardev \"%s\" not found", id);
        }
        return chr;
    }
    if (!with_mux && g_str_has_prefix(word, "mon:")) {
        set_error(error, "'%s': a monitor cannot share this device", word);
        return NULL;
    }
    opts = char_opts_from_legacy(label, word, error);
    return opts != NULL ? chardev_open_opts(opts, error) : NULL;
}

/* The new one takes label and front end only once it stands; until then nothing has changed. */
bool chardev_change(const CharOpts *opts, GError **error)
{
    g_autofree char *interim = g_strconcat(opts->id, "-next", NULL);
    CharOpts next = { .type = opts->type, .id = interim, .values = opts->values };
    Chardev *old = chardev_find(opts->id), *chr;
    CharFrontend *fe;

    if (old == NULL) {
        set_error(error, "Chardev '%s' does not exist", opts->id);
        return false;
    }
    if (chardev_is_mux(old) || chardev_mux_in_use(old) || char_opts_bool(opts, "mux", false)) {
        set_error(error, "Chardev '%s' cannot be changed: a mux has several users", opts->id);
        return false;
    }
    chr = chardev_new(opts->type, &next, error);
    if (chr == NULL) {
        return false;
    }
    fe = old->fe;
    if (fe != NULL) {
        chardev_set_open(old, false);
        chardev_detach(fe);
    }
    chardev_free(old);
    g_free(chr->label);
    chr->label = g_strdup(opts->id);
    yank_rename(chr->yank, chr->label);
    if (chr->type->renamed != NULL) {
        chr->type->renamed(chr);
    }
    if (fe != NULL) {
        chardev_attach(fe, chr, NULL);
    }
    return true;
}

bool chardev_remove(const char *label, GError **error)
{
    Chardev *chr = chardev_find(label), *base;

    if (chr == NULL) {
        set_error(error, "Chardev '%s' not found", label);
        return false;
    }
    if (chr->fe != NULL || chardev_mux_in_use(chr)) {
        set_error(error, "Chardev '%s' is busy", label);
        return false;
    }
    base = chardev_mux_base(chr);
    chardev_free(chr);
    chardev_free(base);
    return true;
}

/* Muxes go before what they stand on. */
void chardev_close_all(void)
{
    for (guint i = 0; devices != NULL && i < devices->len;) {
        Chardev *chr = g_ptr_array_index(devices, i);

        if (chardev_is_mux(chr)) {
            chardev_free(chr);
            i = 0;
        } else {
            i++;
        }
    }
    while (devices != NULL && devices->len > 0) {
        Chardev *chr = g_ptr_array_index(devices, 0);

        if (chr->fe != NULL) {
            chardev_detach(chr->fe);
        }
        chardev_free(chr);
    }
}

void chardev_info(Chardev *chr, ChardevInfo *info)
{
    info->label = chr->label;
    info->filename = chr->type->filename != NULL ? chr->type->filename(chr)
                                                 : g_strdup(chr->type->name);
    info->frontend_open = chr->fe != NULL || chardev_mux_in_use(chr);
}

bool chardev_is_mux(const Chardev *chr)
{
    return chr->type == &chardev_mux_type;
}

bool chardev_is_terminal(const Chardev *chr)
{
    return chr->type->is_terminal != NULL && chr->type->is_terminal(chr);
}

/* ---- front ends ---- */

/* On a mux, attaching may give the front end the focus: it must be able to write by then. */
static bool attach(CharFrontend *fe, Chardev *chr, GError **error)
{
    chardev_detach(fe);
    if (chr->type->attach == NULL && chr->fe != NULL) {
        set_error(error, "Device '%s' is in use", chr->label);
        return false;
    }
    fe->chr = chr;
    fe->is_open = chr->open;
    if (chr->type->attach == NULL) {
        chr->fe = fe;
        return true;
    }
    if (!chr->type->attach(chr, fe, error)) {
        fe->chr = NULL;
        fe->is_open = false;
        return false;
    }
    return true;
}

bool chardev_attach(CharFrontend *fe, Chardev *chr, GError **error)
{
    if (fe->chr != chr && !attach(fe, chr, error)) {
        return false;
    }
    if (chr->open && fe->event != NULL) {
        fe->event(fe->opaque, CHAR_EVENT_OPENED);
    }
    return true;
}

void chardev_detach(CharFrontend *fe)
{
    Chardev *chr = fe->chr;

    if (chr == NULL) {
        return;
    }
    chardev_set_input_context(fe, NULL);
    g_mutex_lock(&chr->write_lock);
    if (chr->room_opaque == fe->opaque) {
        chr->room_fn = NULL;
    }
    g_mutex_unlock(&chr->write_lock);
    if (chr->type->detach != NULL) {
        chr->type->detach(chr, fe);
    } else if (chr->fe == fe) {
        chr->fe = NULL;
    }
    fe->chr = NULL;
    fe->is_open = false;
}

void chardev_deliver_event(Chardev *chr, CharEvent event)
{
    CharFrontend *fe = chr->fe;

    if (fe != NULL && fe->event != NULL) {
        fe->event(fe->opaque, event);
    }
}

void chardev_set_open(Chardev *chr, bool open)
{
    if (chr->open == open) {
        return;
    }
    chr->open = open;
    if (chr->fe != NULL) {
        chr->fe->is_open = open;
    }
    chardev_deliver_event(chr, open ? CHAR_EVENT_OPENED : CHAR_EVENT_CLOSED);
}

/* A front end that takes no input at all must not keep the peer's end of file from being seen. */
size_t chardev_can_deliver(Chardev *chr)
{
    CharFrontend *fe = chr->fe;
    int room;

    if (chr->type->handshaking != NULL && chr->type->handshaking(chr)) {
        return 1;
    }
    if (fe == NULL) {
        return 0;
    }
    if (fe->receive == NULL || fe->can_receive == NULL) {
        return 4096;
    }
    room = fe->can_receive(fe->opaque);
    return room > 0 ? room : 0;
}

void chardev_deliver(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharFrontend *fe = chr->fe;

    if (fe != NULL && fe->receive != NULL && fe->can_receive != NULL) {
        fe->receive(fe->opaque, buf, len);
    }
}

void chardev_write(CharFrontend *fe, const void *buf, size_t len)
{
    Chardev *chr = fe->chr;

    if (chr == NULL || len == 0) {
        return;
    }
    if (chr->type->write_from != NULL) {
        chr->type->write_from(chr, fe, buf, len);
    } else {
        chardev_io_write(chr, buf, len);
    }
}

size_t chardev_write_room(CharFrontend *fe)
{
    Chardev *chr = fe->chr;

    if (chr == NULL) {
        return CHAR_OUT_LIMIT;
    }
    return chr->type->write_room != NULL ? chr->type->write_room(chr) : chardev_io_room(chr);
}

void chardev_notify_room(CharFrontend *fe, void (*fn)(void *opaque), void *opaque)
{
    Chardev *chr = fe->chr;

    if (chr == NULL) {
        return;
    }
    if (chardev_mux_base(chr) != NULL) {
        chr = chardev_mux_base(chr);
    }
    g_mutex_lock(&chr->write_lock);
    chr->room_fn = fn;
    chr->room_opaque = opaque;
    g_mutex_unlock(&chr->write_lock);
}

/* Input sources ask their front ends each time the loop prepares to wait: waking it is enough. */
void chardev_accept_input(CharFrontend *fe)
{
    if (fe->chr != NULL) {
        g_main_context_wakeup(fe->chr->in_context);
    }
}

bool chardev_input_can_move(const Chardev *chr)
{
    if (chr->type->attach != NULL) {
        return false;
    }
    return chr->type->input == NULL ||
           (chr->type->input_can_move != NULL && chr->type->input_can_move(chr));
}

int chardev_take_fd(CharFrontend *fe)
{
    Chardev *chr = fe->chr;

    return chr != NULL && chr->type->take_fd != NULL ? chr->type->take_fd(chr) : -1;
}

void chardev_set_echo(CharFrontend *fe, bool echo)
{
    if (fe->chr != NULL && fe->chr->type->set_echo != NULL) {
        fe->chr->type->set_echo(fe->chr, echo);
    }
}

void chardev_send_break(CharFrontend *fe, bool on)
{
    if (fe->chr != NULL && fe->chr->type->send_break != NULL) {
        fe->chr->type->send_break(fe->chr, on);
    }
}

void chardev_set_line(CharFrontend *fe, const CharLine *line)
{
    if (fe->chr != NULL && fe->chr->type->set_line != NULL) {
        fe->chr->type->set_line(fe->chr, line);
    }
}

bool chardev_port_read(CharFrontend *fe, CharPort reg, uint8_t *value)
{
    return fe->chr != NULL && fe->chr->type->port_read != NULL &&
           fe->chr->type->port_read(fe->chr, reg, value);
}

bool chardev_port_write(CharFrontend *fe, CharPort reg, uint8_t value)
{
    bool is_port = fe->chr != NULL && fe->chr->type->port_write != NULL;

    if (is_port) {
        fe->chr->type->port_write(fe->chr, reg, value);
    }
    return is_port;
}

bool chardev_inject_break(const char *label, GError **error)
{
    Chardev *chr = chardev_find(label);

    if (chr == NULL) {
        set_error(error, "Chardev '%s' not found", label);
        return false;
    }
    chardev_deliver_event(chr, CHAR_EVENT_BREAK);
    return true;
}

/* ---- property: a chardev by label ---- */

static bool prop_chardev_parse(Object *obj, const Property *prop, void *field, const char *text,
                               GError **error)
{
    CharFrontend *fe = field;
    Chardev *chr = chardev_find(text);

    if (chr == NULL) {
        set_error(error, "Property '%s.%s' can't find value '%s'", obj->type_name, prop->name,
                  text);
        return false;
    }
    if (!chardev_attach(fe, chr, NULL)) {
        set_error(error, "Property '%s.%s' can't take value '%s', it's in use", obj->type_name,
                  prop->name, text);
        return false;
    }
    return true;
}

static char *prop_chardev_print(const Object *obj, const Property *prop, const void *field)
{
    const CharFrontend *fe = field;

    return g_strdup(fe->chr != NULL ? fe->chr->label : "");
}

static char *prop_chardev_qtree(const Object *obj, const Property *prop, const void *field)
{
    const CharFrontend *fe = field;

    return g_strdup_printf("\"%s\"", fe->chr != NULL ? fe->chr->label : "");
}

static void prop_chardev_release(Object *obj, const Property *prop, void *field)
{
    chardev_detach(field);
}

const PropType prop_chardev = { "str", PROP_JSON_STRING, prop_chardev_parse, prop_chardev_print,
                                prop_chardev_qtree, prop_chardev_release };
