/* -display and its relatives: finds the display asked for and opens it once the machine stands. */
#include "display.h"

#include <stdio.h>
#include <string.h>

#include "keymap.h"
#include "rhea_error.h"
#include "vnc.h"

static char *layout;                        /* of -k; NULL: not said */
static bool full_screen;

static const DisplayType *const types[] = {
#ifdef HAVE_CURSES
    &display_curses,
#endif
#ifdef HAVE_VNC
    &display_vnc,
#endif
#ifdef HAVE_SDL
    &display_sdl,
#endif
    NULL
};

const char *display_layout(void)
{
    return layout != NULL ? layout : "en-us";
}

bool display_full_screen(void)
{
    return full_screen;
}

void displays_close(void)
{
    for (size_t i = 0; types[i] != NULL; i++) {
        types[i]->close();
    }
}

/* ---- -display ---- */

/* Name as in `text` up to a comma or an equals sign; *opts: what follows that. */
static const DisplayType *find_type(const char *text, const char **opts)
{
    size_t len = strcspn(text, ",=");

    *opts = text + len + (text[len] != '\0');
    for (size_t i = 0; types[i] != NULL; i++) {
        if (strlen(types[i]->name) == len && strncmp(types[i]->name, text, len) == 0) {
            return types[i];
        }
    }
    return NULL;
}

static bool open_display(Vm *vm, const char *text, GError **error)
{
    const char *opts;

    return find_type(text, &opts)->open(vm, opts, error);
}

bool displays_want_terminal(const Options *options)
{
    const GPtrArray *late = options->stages[OPTION_STAGE_DISPLAY];

    for (guint i = 0; i < late->len; i++) {
        const LateOption *option = g_ptr_array_index(late, i);

        if (option->carry_out == open_display && (g_str_equal(option->text, "curses") ||
                                                  g_str_has_prefix(option->text, "curses,"))) {
            return true;
        }
    }
    return false;
}

static void print_types(void)
{
    printf("Available display backend types:\nnone\n");
    for (size_t i = 0; types[i] != NULL; i++) {
        printf("%s\n", types[i]->name);
    }
}

static const char *const absent_types[] = { "gtk", "dbus", "egl-headless", "spice-app", "cocoa" };

static void fail_type(const char *text, GError **error)
{
    g_autofree char *name = g_strndup(text, strcspn(text, ",="));
    const char *names[G_N_ELEMENTS(types) + 1] = { "none" };
    const char *near;
    size_t n = 1;

    for (size_t i = 0; types[i] != NULL; i++) {
        names[n++] = types[i]->name;
    }
    set_error(error, "Parameter 'type' does not accept value '%s'", name);
    for (size_t i = 0; i < G_N_ELEMENTS(absent_types); i++) {
        if (g_str_equal(name, absent_types[i])) {
            error_add_hint(error, "This program has no display '%s'; '-display help' lists those it "
                           "has.", name);
            return;
        }
    }
    near = nearest_name(name, names, n);
    if (near != NULL) {
        error_add_hint(error, "Did you mean '%s'?", near);
    }
}

static bool opt_display(Options *options, const char *arg, GError **error)
{
    const char *opts;

    if (option_wants_help(arg)) {
        print_types();
        options->done = true;
        return true;
    }
    if (!g_str_equal(arg, "none")) {
        if (find_type(arg, &opts) == NULL) {
            fail_type(arg, error);
            return false;
        }
        options_later(options, OPTION_STAGE_DISPLAY, "display", arg, open_display);
    }
    options->has_display = true;
    return true;
}

static bool opt_full_screen(Options *options, const char *arg, GError **error)
{
    full_screen = true;
    return true;
}

static bool opt_vnc(Options *options, const char *arg, GError **error)
{
    options_later(options, OPTION_STAGE_DISPLAY, "vnc", arg, vnc_open);
    options->has_display = true;
    return true;
}

static bool opt_layout(Options *options, const char *arg, GError **error)
{
    if (option_wants_help(arg)) {
        for (const char *const *name = keymap_names(); *name != NULL; name++) {
            printf("%s\n", *name);
        }
        options->done = true;
        return true;
    }
    if (keymap_find(arg, error) == NULL) {
        return false;
    }
    option_replace(&layout, arg);
    return true;
}

static bool opt_absent(Options *options, const char *arg, GError **error)
{
    set_error(error, "there is no such display here: '-display help' lists those there are");
    return false;
}

/* ---- by default ---- */

#define DEFAULT_VNC "vnc=localhost:0,to=99,id=default"

void displays_default(Options *options)
{
    static const char *const texts[] = { "sdl", DEFAULT_VNC };
    bool windows = !options->daemonize && (g_getenv("DISPLAY") != NULL ||
                                           g_getenv("WAYLAND_DISPLAY") != NULL);
    const char *opts;

    if (options->has_display || options->nographic) {
        return;
    }
    for (size_t i = windows ? 0 : 1; i < G_N_ELEMENTS(texts); i++) {
        if (find_type(texts[i], &opts) != NULL) {
            options_later(options, OPTION_STAGE_DISPLAY, "display", texts[i], open_display);
            return;
        }
    }
}

/* ---- rows ---- */

const Option display_options[] = {
    { "display", "TYPE[,KEY=VALUE…]", "show the screens: none, or of '-display help'",
      opt_display },
    { "full-screen", NULL, "a window begins with the whole screen", opt_full_screen },
    { "vnc", "HOST:DISPLAY[,KEY=VALUE…]", "a VNC server; also unix:PATH, none; several are possible",
      opt_vnc, "vnc", vnc_fields },
    { "k", "LAYOUT", "the guest's keyboard layout: 'en-us', 'de', …; '-k help' lists them",
      opt_layout },
    { "spice", "OPTIONS", "refused: use -display", opt_absent },
    {}
};
