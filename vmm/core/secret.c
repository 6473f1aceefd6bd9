#include "secret.h"

#include <string.h>

#include "rhea_error.h"

typedef enum SecretFormat { SECRET_RAW, SECRET_BASE64 } SecretFormat;

typedef struct Secret {
    UserObject obj;
    char *data, *file, *keyid, *iv;
    int format;
    GBytes *bytes;
} Secret;

static void secret_wipe(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
        g_clear_pointer(text, g_free);
    }
}

static char *read_file(const char *path, gsize *len, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(GMappedFile) map = g_mapped_file_new(path, FALSE, &why);

    if (map == NULL) {
        set_error(error, "Unable to read %s: %s", path, why->message);
        return NULL;
    }
    *len = g_mapped_file_get_length(map);
    if (*len > SECRET_MAX) {
        set_error(error, "'%s' is too large for a secret: at most 1 MiB is expected", path);
        return NULL;
    }
    return *len > 0 ? g_memdup2(g_mapped_file_get_contents(map), *len) : g_strdup("");
}

/* Takes `text`.  Line ends are allowed between the groups. */
static GBytes *decode_base64(char *text, gsize len, GError **error)
{
    g_autofree G_GNUC_UNUSED char *owned = text;        /* freed at the end */
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n";
    g_autofree char *copy = g_strndup(text, len);
    guchar *bytes;
    gsize n;

    if (strlen(copy) != len || strspn(copy, letters) != len) {
        set_error(error, "Base64 data contains invalid characters");
        return NULL;
    }
    bytes = g_base64_decode(copy, &n);
    explicit_bzero(copy, len);
    return g_bytes_new_take(bytes, n);
}

static bool secret_complete(UserObject *obj, GError **error)
{
    Secret *secret = OBJECT_CAST(obj, Secret);
    char *text;
    gsize len = 0;

    if (secret->keyid != NULL || secret->iv != NULL) {
        set_error(error, "'%s' is not supported: an unencrypted secret is expected in 'data' or "
                  "'file'", secret->keyid != NULL ? "keyid" : "iv");
        return false;
    }
    if (secret->data != NULL && secret->file != NULL) {
        set_error(error, "'file' and 'data' are mutually exclusive");
        return false;
    }
    if (secret->data == NULL && secret->file == NULL) {
        set_error(error, "Either 'file' or 'data' must be provided");
        return false;
    }
    text = secret->file != NULL ? read_file(secret->file, &len, error) : g_strdup(secret->data);
    if (text == NULL) {
        return false;
    }
    if (secret->file == NULL) {
        len = strlen(text);
    }
    secret->bytes = secret->format == SECRET_BASE64 ? decode_base64(text, len, error)
                                                    : g_bytes_new_take(text, len);
    secret_wipe(&secret->data);
    return secret->bytes != NULL;
}

static void secret_finish(UserObject *obj)
{
    Secret *secret = OBJECT_CAST(obj, Secret);

    secret_wipe(&secret->data);
    g_clear_pointer(&secret->bytes, g_bytes_unref);
}

GBytes *secret_lookup(const char *id, GError **error)
{
    UserObject *obj = user_object_find(id);

    if (obj == NULL) {
        set_error(error, "No secret with id '%s'", id);
        return NULL;
    }
    if (obj->type != &secret_type) {
        set_error(error, "Object with id '%s' is not a secret", id);
        return NULL;
    }
    return g_bytes_ref(OBJECT_CAST(obj, Secret)->bytes);
}

static const char *const format_names[] = { "raw", "base64", NULL };

static const Property secret_props[] = {
    PROP_STRING(Secret, data, .name = "data", .help = "the secret; others can see it in the "
                "process list"),
    PROP_STRING(Secret, file, .name = "file", .help = "file that holds the secret"),
    PROP_ENUM(Secret, format, .name = "format", .names = format_names, .help = "raw or base64"),
    PROP_STRING(Secret, keyid, .name = "keyid", .help = "secret it is encrypted with: refused"),
    PROP_STRING(Secret, iv, .name = "iv", .help = "initialisation vector of the encryption: "
                "refused"),
    {}
};

const ObjectType secret_type = {
    .name = "secret", .help = "password or key", .size = sizeof(Secret), .props = secret_props,
    .complete = secret_complete, .finish = secret_finish,
};
