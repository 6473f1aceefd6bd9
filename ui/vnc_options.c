/* The text after -vnc. */
#include "vnc_options.h"

#include <string.h>

#include "option_row.h"
#include "rhea_error.h"

#define FIELD(name_, kind_, field_, help_) \
    { .name = name_, .kind = kind_, .offset = offsetof(VncOptions, field_), .help = help_ }

const KeyField vnc_fields[] = {
    FIELD("vnc", KEY_STRING, vnc, "HOST:DISPLAY, unix:PATH or none; the port is 5900 + DISPLAY"),
    FIELD("websocket", KEY_STRING, websocket,
          "on (port 5700 + DISPLAY), PORT or HOST:PORT: for viewers in a browser"),
    FIELD("tls-creds", KEY_STRING, tls_creds, "id of a tls-creds object: connections are TLS"),
    FIELD("share", KEY_STRING, share,
          "allow-exclusive, force-shared, ignore: whether a viewer can have it for itself"),
    FIELD("display", KEY_STRING, display, "id of the adapter whose screen it shows; the first"),
    FIELD("head", KEY_UINT, head, "the adapter's output"),
    FIELD("connections", KEY_UINT, connections, "viewers at a time; 32"),
    FIELD("to", KEY_UINT, to, "last display number to try when DISPLAY is in use"),
    FIELD("ipv4", KEY_BOOL, ipv4, "whether to use IPv4"),
    FIELD("ipv6", KEY_BOOL, ipv6, "whether to use IPv6"),
    FIELD("password", KEY_BOOL, password, "ask for a password; set_password sets it"),
    FIELD("password-secret", KEY_STRING, password_secret, "id of a secret: the password"),
    FIELD("reverse", KEY_BOOL, reverse, "connect to a viewer that listens at HOST:PORT"),
    FIELD("lock-key-sync", KEY_BOOL, lock_key_sync, "tell viewers of the keyboard's lights"),
    FIELD("key-delay-ms", KEY_UINT, key_delay_ms, "least time a key stays down; 10"),
    FIELD("sasl", KEY_BOOL, sasl, "refused: there is no SASL"),
    FIELD("tls-authz", KEY_STRING, tls_authz, "refused: there are no lists of names"),
    FIELD("sasl-authz", KEY_STRING, sasl_authz, "refused: there is no SASL"),
    FIELD("lossy", KEY_BOOL, lossy, "JPEG for viewers that ask for it"),
    FIELD("non-adaptive", KEY_BOOL, non_adaptive,
          "no guessing what is video; nothing is guessed here in any case"),
    FIELD("audiodev", KEY_STRING, audiodev, "id of a sound back end"),
    FIELD("power-control", KEY_BOOL, power_control, "viewers may shut down and reset the machine"),
    FIELD("id", KEY_STRING, id, "its name; default, vnc2, …"),
    {}
};

/* "password" alone for password=on, which will go away. */
static void warn_short_forms(const char *text)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    for (size_t i = 1; items[0] != NULL && items[i] != NULL; i++) {
        for (const KeyField *field = vnc_fields; field->name != NULL; field++) {
            if (field->kind == KEY_BOOL && g_str_equal(field->name, items[i])) {
                report_warning("-vnc %s: short-form boolean option '%s' deprecated\n"
                               "Please use %s=on instead", text, items[i], items[i]);
            }
        }
    }
}

static bool read_share(VncOptions *options, GError **error)
{
    static const char *const names[] = { "allow-exclusive", "force-shared", "ignore" };
    static const VncShare policies[] = {
        VNC_SHARE_ALLOW_EXCLUSIVE, VNC_SHARE_FORCE_SHARED, VNC_SHARE_IGNORE
    };

    for (size_t i = 0; options->share != NULL && i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(options->share, names[i])) {
            options->share_policy = policies[i];
            return true;
        }
    }
    if (options->share == NULL) {
        options->share_policy = VNC_SHARE_ALLOW_EXCLUSIVE;
        return true;
    }
    set_error(error, "unknown vnc share= option");
    error_add_hint(error, "'%s' is none of allow-exclusive, force-shared, ignore", options->share);
    error_suggest(error, nearest_name(options->share, names, G_N_ELEMENTS(names)));
    return false;
}

/* What does not go together, and what there is not. */
static bool check(const VncOptions *options, GError **error)
{
    const struct { bool wrong; const char *text; } rules[] = {
        { options->sasl, "sasl=on: this program has no SASL; there are password=on, "
          "password-secret= and tls-creds=" },
        { options->sasl_authz != NULL, "'sasl-authz' provided but SASL auth is not enabled" },
        { options->tls_authz != NULL, "tls-authz=: there are no authz objects; a tls-creds-x509 "
          "with verify-peer=on takes viewers with a certificate of its CA" },
        { options->power_control, "power-control=on: viewers cannot shut the machine down or reset "
          "it here" },
        { options->password && options->password_secret != NULL,
          "'password' flag is redundant with 'password-secret'" },
        { options->reverse && options->websocket != NULL,
          "Cannot use websockets in reverse mode" },
        { options->connections == 0, "Parameter 'connections' must be at least 1" },
        { options->key_delay_ms > 10000, "Parameter 'key-delay-ms' is 10000 at most" },
        { options->head > 15, "Parameter 'head' is 15 at most" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i].wrong) {
            set_error(error, "%s", rules[i].text);
            return false;
        }
    }
    if (options->audiodev != NULL && !option_audiodev_exists(options->audiodev)) {
        set_error(error, "Audiodev '%s' not found", options->audiodev);
        return false;
    }
    return options->id == NULL || object_check_id(options->id, error);
}

static const char *tristate(const KeyVal *kv, const char *key, bool on)
{
    return !keyval_has(kv, key) ? NULL : on ? "on" : "off";
}

bool vnc_options_parse(VncOptions *options, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "vnc", error);

    *options = (VncOptions){ .connections = 32, .key_delay_ms = 10, .lock_key_sync = true };
    if (kv == NULL || !keyval_fill(kv, vnc_fields, options, error)) {
        return false;
    }
    warn_short_forms(text);
    options->ipv4_text = tristate(kv, "ipv4", options->ipv4);
    options->ipv6_text = tristate(kv, "ipv6", options->ipv6);
    return read_share(options, error) && check(options, error);
}

void vnc_options_finish(VncOptions *options)
{
    for (const KeyField *field = vnc_fields; field->name != NULL; field++) {
        if (field->kind == KEY_STRING) {
            g_free(*(char **)((char *)options + field->offset));
        }
    }
}

bool vnc_options_wanted(const VncOptions *options)
{
    return options->vnc != NULL && *options->vnc != '\0' && !g_str_equal(options->vnc, "none");
}
