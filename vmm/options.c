#include "options.h"

#include <string.h>

#include "device.h"
#include "machine.h"
#include "object_list.h"
#include "option_row.h"
#include "rhea_error.h"

bool option_wants_help(const char *arg)
{
    return g_str_equal(arg, "help") || g_str_equal(arg, "?");
}

void option_replace(char **field, const char *value)
{
    char *copy = g_strdup(value);

    g_free(*field);
    *field = copy;
}

void option_add_late(GPtrArray *list, const char *option, const char *text)
{
    LateOption *late = g_new0(LateOption, 1);

    late->place = g_strdup_printf("-%s %s", option, text);
    late->text = g_strdup(text);
    g_ptr_array_add(list, late);
}

void options_later(Options *options, OptionStage stage, const char *option, const char *text,
                   OptionFn fn)
{
    GPtrArray *list = options->stages[stage];

    option_add_late(list, option, text);
    ((LateOption *)g_ptr_array_index(list, list->len - 1))->carry_out = fn;
}

static const Option no_options[] = { {} };

static struct { const char *title; const Option *options; } sections[] = {
    { "Machine", machine_options },
    { "Boot", boot_options },
    { "Devices", device_options },
    { "Disks", block_options },
    { "USB", usb_options },
    { "Network", net_options },
    { "Monitors", monitor_options },
    { "Displays", no_options },
    { "Running", run_options },
    { "Old spellings", historic_options },
};

void options_set_displays(const Option *rows)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        if (g_str_equal(sections[i].title, "Displays")) {
            sections[i].options = rows;
        }
    }
}

/* ---- parsing ---- */

static void late_free(gpointer data)
{
    LateOption *late = data;

    g_free(late->place);
    g_free(late->text);
    g_free(late);
}

Options *options_new(void)
{
    Options *options = g_new0(Options, 1);
    GPtrArray **late[] = { &options->serials, &options->parallels, &options->monitors,
                           &options->mons, &options->debugcons };

    for (size_t i = 0; i < G_N_ELEMENTS(late); i++) {
        *late[i] = g_ptr_array_new_with_free_func(late_free);
    }
    for (size_t i = 0; i < OPTION_STAGES; i++) {
        options->stages[i] = g_ptr_array_new_with_free_func(late_free);
    }
    options->accels = g_ptr_array_new_with_free_func(g_free);
    options->globals = g_ptr_array_new_with_free_func(g_free);
    options->config.acpi = options->config.hpet = options->config.smm = true;
    options->config.graphics = options->config.pit = true;
    options->config.dump_guest_core = options->config.mem_merge = true;
    options->config.boot_splash_ms = options->config.boot_retry_ms = -1;
    options->config.topo = (CpuTopology){ 1, 1, 1, 1, 1, 1 };
    return options;
}

void options_free(Options *options)
{
    GPtrArray *lists[] = { options->serials, options->parallels, options->monitors, options->mons,
                           options->debugcons, options->accels, options->globals };

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_ptr_array_unref(lists[i]);
    }
    for (size_t i = 0; i < OPTION_STAGES; i++) {
        g_ptr_array_unref(options->stages[i]);
    }
    g_free(options->machine);
    g_free(options->pidfile);
    g_free(options->log_items);
    g_free(options->log_file);
    vm_config_finish(&options->config);         /* what did not go to the Vm */
    g_free(options);
}

static const Option *option_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            if (g_str_equal(option->name, name)) {
                return option;
            }
        }
    }
    return NULL;
}

const char **options_names(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            g_ptr_array_add(names, (char *)option->name);
        }
    }
    g_ptr_array_add(names, NULL);
    return (const char **)g_ptr_array_free(names, FALSE);
}

bool options_group(unsigned n, OptionGroup *group)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            if (option->group != NULL && n-- == 0) {
                *group = (OptionGroup){ option->group, option->name, option->fields };
                return true;
            }
        }
    }
    return false;
}

bool options_row(unsigned n, OptionRow *row)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            if (n-- == 0) {
                *row = (OptionRow){ sections[i].title, option->name, option->arg, option->help,
                                    option->fields };
                return true;
            }
        }
    }
    return false;
}

static void fail_unknown(const char *word, const char *name, GError **error)
{
    g_autofree const char **names = options_names();
    const char *near = nearest_name(name, names, g_strv_length((char **)names));

    set_error(error, "%s: invalid option", word);
    if (near != NULL) {
        error_add_hint(error, "Did you mean '-%s'?", near);
    }
}

static bool run_option(Options *options, const Option *option, const char *arg, GError **error)
{
    if (option->run(options, arg, error)) {
        return true;
    }
    g_prefix_error(error, "-%s%s%s: ", option->name, arg != NULL ? " " : "",
                   arg != NULL ? arg : "");
    return false;
}

static bool parse_one(Options *options, int argc, char **argv, int *at, GError **error)
{
    const char *word = argv[(*at)++], *arg = NULL;
    const char *name = *word == '\0' ? word : word + 1 + (word[1] == '-');
    const Option *option;

    if (*word != '-') {
        return option_disk_image(options, word);
    }
    option = option_find(name);
    if (option == NULL) {
        fail_unknown(word, name, error);
        return false;
    }
    if (option->arg != NULL) {
        if (*at >= argc) {
            set_error(error, "%s: requires an argument: %s", word, option->arg);
            return false;
        }
        arg = argv[(*at)++];
    }
    return run_option(options, option, arg, error);
}

bool options_apply(Options *options, const char *name, const char *arg, GError **error)
{
    const Option *option = option_find(name);

    if (option == NULL) {
        fail_unknown(name, name, error);
        return false;
    }
    return run_option(options, option, arg, error);
}

bool options_parse(Options *options, int argc, char **argv, GError **error)
{
    device_types_set(device_types);                 /* -device help needs no machine */
    user_object_types_set(object_types);
    for (int at = 1; at < argc && !options->done;) {
        if (!parse_one(options, argc, argv, &at, error)) {
            return false;
        }
    }
    return true;
}

bool options_has_monitor(const Options *options)
{
    for (guint i = 0; i < options->serials->len; i++) {
        const LateOption *late = g_ptr_array_index(options->serials, i);

        if (g_str_has_prefix(late->text, "mon:")) {
            return true;
        }
    }
    return options->monitors->len > 0 || options->mons->len > 0;
}

bool options_share_terminal(const Options *options)
{
    return options->nographic && !options->config.nodefaults &&
           (options->serials->len == 0 || !options_has_monitor(options));
}

bool options_name_device(const Options *options, const char *const *drivers)
{
    const GPtrArray *list = options->stages[OPTION_STAGE_DEVICE];

    for (guint i = 0; i < list->len; i++) {
        const LateOption *late = g_ptr_array_index(list, i);
        g_autoptr(KeyVal) kv = keyval_parse_either(late->text, "driver", NULL);
        const char *driver = kv != NULL ? keyval_get(kv, "driver") : NULL;

        if (driver != NULL && g_strv_contains(drivers, driver)) {
            return true;
        }
    }
    return false;
}

char *options_help(void)
{
    GString *out = g_string_new("usage: rhea [options]\n");

    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
        g_string_append_printf(out, "\n%s:\n", sections[i].title);
        for (const Option *option = sections[i].options; option->name != NULL; option++) {
            g_autofree char *left =
                g_strdup_printf("-%s%s%s", option->name, option->arg != NULL ? " " : "",
                                option->arg != NULL ? option->arg : "");
            const char *gap =
                g_utf8_strlen(left, -1) < 28 ? "" : "\n                              ";
            int pad = *gap == '\0' ? 28 - (int)g_utf8_strlen(left, -1) : 0;

            g_string_append_printf(out, "  %s%s%*s%s\n", left, gap, pad, "", option->help);
        }
    }
    g_string_append(out,
                    "\nIn the terminal of -nographic, Ctrl-a c switches to the monitor and back, "
                    "Ctrl-a x leaves, Ctrl-a h lists the keys.\n");
    return g_string_free(out, FALSE);
}
