/* -boot: what firmware tries, and how it asks. */
#include <string.h>

#include "option_row.h"
#include "rhea_error.h"
#include "sizes.h"

typedef struct BootArgs {
    char *order, *once, *splash, *splash_time, *reboot_timeout;
    bool menu, strict;
} BootArgs;

const KeyField boot_fields[] = {
    { "order", KEY_STRING, offsetof(BootArgs, order), .help = "drives to try: a, c, d, n" },
    { "once", KEY_STRING, offsetof(BootArgs, once), .help = "the same, for the first boot alone" },
    { "menu", KEY_BOOL, offsetof(BootArgs, menu), .help = "firmware offers a menu" },
    { "strict", KEY_BOOL, offsetof(BootArgs, strict), .help = "try devices with a bootindex alone" },
    { "splash", KEY_STRING, offsetof(BootArgs, splash), .help = "picture shown meanwhile" },
    { "splash-time", KEY_STRING, offsetof(BootArgs, splash_time),
      .help = "how long the menu waits, in ms" },
    { "reboot-timeout", KEY_STRING, offsetof(BootArgs, reboot_timeout),
      .help = "ms until the next try when nothing boots; -1: never" },
    {}
};

/* Drive letters are a to p, each once. */
static bool check_order(const char *order, GError **error)
{
    uint32_t seen = 0;

    for (const char *c = order; c != NULL && *c != '\0'; c++) {
        if (*c < 'a' || *c > 'p') {
            set_error(error, "Invalid boot device '%c'", *c);
            return false;
        }
        if (seen & 1u << (*c - 'a')) {
            set_error(error, "Boot device '%c' was given twice", *c);
            return false;
        }
        seen |= 1u << (*c - 'a');
    }
    return true;
}

static bool read_ms(const char *text, const char *what, int64_t min, int32_t *ms, GError **error)
{
    int64_t value;

    if (text == NULL) {
        return true;
    }
    if (!parse_int(text, min, UINT16_MAX, &value, NULL)) {
        set_error(error, "%s is invalid, it should be a value between %" G_GINT64_FORMAT " and %d",
                  what, min, UINT16_MAX);
        return false;
    }
    *ms = value;
    return true;
}

static bool boot_apply(VmConfig *config, const BootArgs *args, GError **error)
{
    if (!check_order(args->order, error) || !check_order(args->once, error) ||
        !read_ms(args->splash_time, "splash-time", 0, &config->boot_splash_ms, error) ||
        !read_ms(args->reboot_timeout, "reboot timeout", -1, &config->boot_retry_ms, error)) {
        return false;
    }
    if (args->order != NULL) {
        option_replace(&config->boot_order, args->order);
    }
    if (args->once != NULL) {
        option_replace(&config->boot_once, args->once);
    }
    if (args->splash != NULL) {
        option_replace(&config->boot_splash, args->splash);
    }
    config->boot_menu = args->menu;
    config->boot_strict = args->strict;
    return true;
}

bool opt_boot(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "order", error);
    BootArgs args = { .menu = options->config.boot_menu, .strict = options->config.boot_strict };
    bool ok = kv != NULL && keyval_fill(kv, boot_fields, &args, error) &&
              boot_apply(&options->config, &args, error);

    g_free(args.order);
    g_free(args.once);
    g_free(args.splash);
    g_free(args.splash_time);
    g_free(args.reboot_timeout);
    return ok;
}
