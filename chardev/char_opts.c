/* From the text of -chardev, -serial, -monitor and -qmp to a back end and its checked options. */
#include "char_opts.h"

#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "sizes.h"

static const ChardevType *const own_types[] = {
    &chardev_null_type, &chardev_socket_type, &chardev_udp_type, &chardev_stdio_type,
    &chardev_file_type, &chardev_pipe_type, &chardev_pty_type, &chardev_ringbuf_type,
    &chardev_memory_type, &chardev_serial_type, &chardev_parallel_type,
};

/* Those and the ones of chardev_add_type(), and their names with a NULL at the end. */
static GPtrArray *types, *type_names;

static void list_type(const ChardevType *type)
{
    g_ptr_array_add(types, (gpointer)type);
    g_ptr_array_insert(type_names, type_names->len - 1, (gpointer)type->name);
}

static void list_types(void)
{
    if (types == NULL) {
        types = g_ptr_array_new();
        type_names = g_ptr_array_new();
        g_ptr_array_add(type_names, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(own_types); i++) {
            list_type(own_types[i]);
        }
    }
}

void chardev_add_type(const ChardevType *type)
{
    list_types();
    list_type(type);
}

/* Known to QEMU's users and absent here; the text says what is missing. */
static const struct { const char *name, *why; } absent[] = {
    { "msmouse", "serial mice are not supported" },
    { "wctablet", "serial tablets are not supported" },
    { "braille", "Braille displays are not supported" },
    { "spicevmc", "SPICE is not supported" },
    { "spiceport", "SPICE is not supported" },
    { "testdev", "it is not supported" },
};

/* Every back end takes these. */
static const CharOption common_options[] = {
    { "mux", CHAR_OPTION_BOOL, "share it between several front ends, switched by Ctrl-a c" },
    { "logfile", CHAR_OPTION_STRING, "file that gets a copy of all output" },
    { "logappend", CHAR_OPTION_BOOL, "keep what the log file holds already" },
    {}
};

const char *const *chardev_backend_names(void)
{
    list_types();
    return (const char *const *)type_names->pdata;
}

/* Names of QEMU's past, which warns of them. */
static const struct { const char *old, *name; } aliases[] = {
    { "tty", "serial" }, { "parport", "parallel" },
};

static const char *today_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (g_str_equal(aliases[i].old, name)) {
            return aliases[i].name;
        }
    }
    return name;
}

static const ChardevType *type_find(const char *name, GError **error)
{
    const char *near;

    name = today_name(name);
    list_types();
    for (guint i = 0; i < types->len; i++) {
        const ChardevType *type = g_ptr_array_index(types, i);

        if (g_str_equal(type->name, name)) {
            return type;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (g_str_equal(absent[i].name, name)) {
            set_error(error, "no character device '%s': %s", name, absent[i].why);
            return NULL;
        }
    }
    set_error(error, "'%s' is not a valid char driver name", name);
    near = nearest_name(name, chardev_backend_names(), types->len);
    error_suggest(error, near);
    return NULL;
}

const CharOption *char_options_of(const char *backend, unsigned table)
{
    const ChardevType *type = type_find(backend, NULL);

    return type == NULL ? NULL : table == 0 ? type->options : common_options;
}

/* ---- values ---- */

CharOpts *char_opts_new(const ChardevType *type, const char *id)
{
    CharOpts *opts = g_new0(CharOpts, 1);

    opts->type = type;
    opts->id = g_strdup(id);
    opts->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return opts;
}

void char_opts_free(CharOpts *opts)
{
    if (opts != NULL) {
        g_hash_table_destroy(opts->values);
        g_free(opts->id);
        g_free(opts);
    }
}

static const CharOption *option_in(const CharOption *table, const char *name)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (g_str_equal(table->name, name)) {
            return table;
        }
    }
    return NULL;
}

static const CharOption *option_find(const ChardevType *type, const char *name)
{
    const CharOption *option = option_in(type->options, name);

    return option != NULL ? option : option_in(common_options, name);
}

static bool refuse_option(const ChardevType *type, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const CharOption *const tables[] = { type->options, common_options };
    const char *near;

    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
        for (const CharOption *option = tables[t]; option && option->name; option++) {
            g_ptr_array_add(names, (gpointer)option->name);
        }
    }
    set_error(error, "Invalid parameter '%s'", name);
    near = nearest_name(name, (const char *const *)names->pdata, names->len);
    if (near != NULL) {
        error_add_hint(error, "Did you mean '%s'?", near);
    } else {
        g_autofree char *all = NULL;

        g_ptr_array_add(names, NULL);
        all = g_strjoinv(", ", (char **)names->pdata);
        error_add_hint(error, "'%s' takes: id, %s", type->name, all);
    }
    return false;
}

static bool value_ok(const CharOption *option, const char *text)
{
    uint64_t number;
    bool flag;

    switch (option->kind) {
    case CHAR_OPTION_BOOL:
        return parse_bool(text, &flag, NULL);
    case CHAR_OPTION_NUMBER:
        return parse_uint(text, UINT64_MAX, &number, NULL);
    case CHAR_OPTION_SIZE:
        return parse_size(text, &number, NULL);
    case CHAR_OPTION_STRING:
        break;
    }
    return true;
}

bool char_opts_set(CharOpts *opts, const char *name, const char *text, GError **error)
{
    static const char *const expected[] = {
        [CHAR_OPTION_BOOL] = "'on' or 'off'",
        [CHAR_OPTION_NUMBER] = "a number",
        [CHAR_OPTION_SIZE] = "a non-negative number below 2^64",
    };
    const CharOption *option = option_find(opts->type, name);

    if (option == NULL) {
        return refuse_option(opts->type, name, error);
    }
    if (!value_ok(option, text)) {
        set_error(error, "Parameter '%s' expects %s", name, expected[option->kind]);
        return false;
    }
    g_hash_table_insert(opts->values, g_strdup(name), g_strdup(text));
    return true;
}

const char *char_opts_string(const CharOpts *opts, const char *name)
{
    return g_hash_table_lookup(opts->values, name);
}

bool char_opts_bool(const CharOpts *opts, const char *name, bool def)
{
    const char *text = char_opts_string(opts, name);

    if (text != NULL) {
        parse_bool(text, &def, NULL);
    }
    return def;
}

uint64_t char_opts_number(const CharOpts *opts, const char *name, uint64_t def)
{
    const CharOption *option = option_find(opts->type, name);
    const char *text = char_opts_string(opts, name);

    if (text != NULL && option->kind == CHAR_OPTION_SIZE) {
        parse_size(text, &def, NULL);
    } else if (text != NULL) {
        parse_uint(text, UINT64_MAX, &def, NULL);
    }
    return def;
}

bool char_id_valid(const char *text)
{
    if (!g_ascii_isalpha(text[0])) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!g_ascii_isalnum(*text) && strchr("-._", *text) == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- text ---- */

/* The next piece of `*text` up to a single comma; two commas stand for one.  Moves behind it. */
static char *next_piece(const char **text)
{
    GString *piece = g_string_new(NULL);
    const char *p = *text;

    for (; *p != '\0'; p++) {
        if (*p == ',' && *++p != ',') {
            break;
        }
        g_string_append_c(piece, *p);
    }
    *text = p;
    return g_string_free(piece, FALSE);
}

/*
 * "server" and "nowait": a boolean's bare name, or "no" and the name. `warn`: say how to write
 * it.
 */
static bool set_short_form(CharOpts *opts, const char *word, bool warn, GError **error)
{
    const CharOption *option = option_find(opts->type, word);
    const char *name = word;
    bool on = true;

    if (option == NULL && g_str_has_prefix(word, "no")) {
        name = word + 2;
        option = option_find(opts->type, name);
        on = false;
    }
    if (option == NULL) {
        return refuse_option(opts->type, word, error);
    }
    if (option->kind != CHAR_OPTION_BOOL) {
        set_error(error, "Parameter '%s' needs a value: %s=VALUE", name, name);
        return false;
    }
    if (warn) {
        report_warning("short-form boolean option '%s' deprecated\nPlease use %s=%s instead", word,
                       name, on ? "on" : "off");
    }
    return char_opts_set(opts, name, on ? "on" : "off", error);
}

static bool set_piece(CharOpts *opts, char *piece, bool warn, GError **error)
{
    char *value = strchr(piece, '=');

    if (value == NULL) {
        return set_short_form(opts, piece, warn, error);
    }
    *value++ = '\0';
    return char_opts_set(opts, piece, value, error);
}

static bool check_id(const char *id, GError **error)
{
    if (!char_id_valid(id)) {
        set_error(error, "Parameter 'id' expects an identifier");
        error_add_hint(error, "An id is a letter, then letters, digits, '-', '.' and '_'.");
        return false;
    }
    return true;
}

CharOpts *char_opts_for(const char *backend, const char *id, GError **error)
{
    const ChardevType *type = type_find(backend, error);

    return type != NULL && check_id(id, error) ? char_opts_new(type, id) : NULL;
}

/* The id may stand anywhere, and options are checked against the back end: find both first. */
CharOpts *char_opts_parse(const char *text, GError **error)
{
    g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CharOpts) opts = NULL;
    const ChardevType *type;
    const char *name, *id = NULL;

    do {
        g_ptr_array_add(pieces, next_piece(&text));
    } while (*text != '\0');
    name = g_ptr_array_index(pieces, 0);
    name += g_str_has_prefix(name, "backend=") ? strlen("backend=") : 0;
    type = type_find(name, error);
    if (type == NULL) {
        return NULL;
    }
    if (today_name(name) != name) {
        report_warning("The alias '%s' is deprecated, use '%s' instead", name, type->name);
    }
    for (guint i = 1; i < pieces->len; i++) {
        const char *piece = g_ptr_array_index(pieces, i);

        if (g_str_has_prefix(piece, "id=")) {
            id = piece + 3;
        }
    }
    if (id == NULL) {
        set_error(error, "chardev: no id specified");
        return NULL;
    }
    if (!check_id(id, error)) {
        return NULL;
    }
    opts = char_opts_new(type, id);
    for (guint i = 1; i < pieces->len; i++) {
        char *piece = g_ptr_array_index(pieces, i);

        if (!g_str_has_prefix(piece, "id=") && *piece != '\0' &&
            !set_piece(opts, piece, true, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&opts);
}

/* ---- legacy words ---- */

static bool set_rest(CharOpts *opts, const char *text, GError **error)
{
    while (*text != '\0') {
        g_autofree char *piece = next_piece(&text);

        if (!set_piece(opts, piece, false, error)) {
            return false;
        }
    }
    return true;
}

/* "HOST:PORT"; an IPv6 address stands in brackets; an empty host is allowed. */
static bool split_address(const char *text, char **host, char **port)
{
    const char *colon = strrchr(text, ':');

    if (colon == NULL) {
        return false;
    }
    if (text[0] == '[' && colon > text && colon[-1] == ']') {
        *host = g_strndup(text + 1, colon - text - 2);
    } else {
        *host = g_strndup(text, colon - text);
    }
    *port = g_strdup(colon + 1);
    return true;
}

static bool set_address(CharOpts *opts, const char *text, const char *host_name,
                        const char *port_name, GError **error)
{
    g_autofree char *host = NULL, *port = NULL;

    if (!split_address(text, &host, &port)) {
        set_error(error, "'%s' is not an address: expected HOST:PORT", text);
        return false;
    }
    return (*host == '\0' || char_opts_set(opts, host_name, host, error)) &&
           char_opts_set(opts, port_name, port, error);
}

/* tcp:HOST:PORT[,opts] */
static bool legacy_tcp(CharOpts *opts, const char *text, GError **error)
{
    g_autofree char *address = next_piece(&text);

    return set_address(opts, address, "host", "port", error) && set_rest(opts, text, error);
}

/* telnet:HOST:PORT[,opts], websocket:… */
static bool legacy_telnet(CharOpts *opts, const char *text, GError **error)
{
    return char_opts_set(opts, "telnet", "on", error) && legacy_tcp(opts, text, error);
}

static bool legacy_websocket(CharOpts *opts, const char *text, GError **error)
{
    return char_opts_set(opts, "websocket", "on", error) && legacy_tcp(opts, text, error);
}

/* unix:PATH[,opts] */
static bool legacy_unix(CharOpts *opts, const char *text, GError **error)
{
    g_autofree char *path = next_piece(&text);

    return char_opts_set(opts, "path", path, error) && set_rest(opts, text, error);
}

/* udp:[HOST]:PORT[@[HOST]:PORT] */
static bool legacy_udp(CharOpts *opts, const char *text, GError **error)
{
    g_auto(GStrv) ends = g_strsplit(text, "@", 2);

    return set_address(opts, ends[0], "host", "port", error) &&
           (ends[1] == NULL || set_address(opts, ends[1], "localaddr", "localport", error));
}

/* file:PATH and pipe:PATH take the whole rest: a path may hold commas. */
static bool legacy_path(CharOpts *opts, const char *text, GError **error)
{
    return char_opts_set(opts, "path", text, error);
}

/* /dev/NAME is its own path. */
static bool legacy_device(CharOpts *opts, const char *text, GError **error)
{
    g_autofree char *path = g_strconcat("/dev/", text, NULL);

    return char_opts_set(opts, "path", path, error);
}

static bool legacy_parport(CharOpts *opts, const char *text, GError **error)
{
    g_autofree char *path = g_strconcat("/dev/parport", text, NULL);

    return char_opts_set(opts, "path", path, error);
}

/* vc:WIDTHxHEIGHT in pixels, vc:COLUMNSCxROWSC in characters. */
static bool legacy_vc(CharOpts *opts, const char *text, GError **error)
{
    char width[6], height[6];
    int end = -1;                           /* behind what matched, if all of it did */

    if (sscanf(text, "%5[0-9]x%5[0-9]%n", width, height, &end) == 2 && text[end] == '\0') {
        return char_opts_set(opts, "width", width, error) &&
               char_opts_set(opts, "height", height, error);
    }
    end = -1;
    if (sscanf(text, "%5[0-9]Cx%5[0-9]C%n", width, height, &end) == 2 && end >= 0 &&
        text[end] == '\0') {
        return char_opts_set(opts, "cols", width, error) &&
               char_opts_set(opts, "rows", height, error);
    }
    set_error(error, "'%s' is not a size: expected WIDTHxHEIGHT in pixels, or COLUMNSCxROWSC", text);
    return false;
}

typedef struct LegacyWord {
    const char *prefix;                     /* a whole word where `set` is NULL */
    const char *type;
    bool (*set)(CharOpts *opts, const char *text, GError **error);
} LegacyWord;

static const LegacyWord legacy_words[] = {
    { "null", "null" }, { "pty", "pty" }, { "stdio", "stdio" }, { "ringbuf", "ringbuf" },
    { "msmouse", "msmouse" }, { "wctablet", "wctablet" }, { "braille", "braille" },
    { "testdev", "testdev" }, { "vc", "vc" },
    { "vc:", "vc", legacy_vc },
    { "tcp:", "socket", legacy_tcp },
    { "telnet:", "socket", legacy_telnet },
    { "websocket:", "socket", legacy_websocket },
    { "unix:", "socket", legacy_unix },
    { "udp:", "udp", legacy_udp },
    { "file:", "file", legacy_path },
    { "pipe:", "pipe", legacy_path },
    { "/dev/parport", "parallel", legacy_parport },
    { "/dev/", "serial", legacy_device },
};

/* Protocols over tcp: that QEMU has. */
static const char *const absent_protocols[] = { "tn3270:" };

static const LegacyWord *legacy_find(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(legacy_words); i++) {
        const LegacyWord *row = &legacy_words[i];

        if (row->set != NULL ? g_str_has_prefix(word, row->prefix)
                             : g_str_equal(word, row->prefix)) {
            return row;
        }
    }
    return NULL;
}

CharOpts *char_opts_from_legacy(const char *label, const char *word, GError **error)
{
    bool mon = g_str_has_prefix(word, "mon:");
    const char *rest = mon ? word + 4 : word;
    const LegacyWord *row = legacy_find(rest);
    g_autoptr(CharOpts) opts = NULL;
    const ChardevType *type;

    for (size_t i = 0; i < G_N_ELEMENTS(absent_protocols); i++) {
        if (g_str_has_prefix(rest, absent_protocols[i])) {
            set_error(error, "'%s': the %.*s protocol is not supported; use tcp: or unix:", word,
                      (int)strlen(absent_protocols[i]) - 1, absent_protocols[i]);
            return NULL;
        }
    }
    if (row == NULL) {
        set_error(error, "'%s' is not a valid char driver", rest);
        return NULL;
    }
    type = type_find(row->type, error);
    if (type == NULL) {
        return NULL;
    }
    opts = char_opts_new(type, label);
    if (row->set != NULL && !row->set(opts, rest + strlen(row->prefix), error)) {
        return NULL;
    }
    if (mon && !char_opts_set(opts, "mux", "on", error)) {
        return NULL;
    }
    /* A muxed terminal hands Ctrl-C to whoever has it, usually the guest. */
    if (mon && type == &chardev_stdio_type && !char_opts_set(opts, "signal", "off", error)) {
        return NULL;
    }
    return g_steal_pointer(&opts);
}
