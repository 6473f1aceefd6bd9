#include "vm_vga.h"

#include <stdio.h>

#include "option_row.h"
#include "pci.h"
#include "rhea_error.h"
#include "vm.h"

#define DEFAULT_VGA "VGA"

/* `device` NULL: no adapter.  Only those whose device type is there are offered. */
static const struct { const char *name, *device, *help; } models[] = {
    { "none", NULL, "no graphic card" },
    { "std", "VGA", "standard VGA" },
    { "cirrus", "cirrus-vga", "Cirrus VGA" },
};

static bool is_there(const char *device)
{
    return device == NULL || device_type_find(device) != NULL;
}

static void print_models(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
        if (is_there(models[i].device)) {
            printf("%-20s %s%s\n", models[i].name, models[i].help,
                   g_strcmp0(models[i].device, DEFAULT_VGA) == 0 ? " (default)" : "");
        }
    }
}

static void fail_model(const char *arg, GError **error)
{
    const char *names[G_N_ELEMENTS(models)], *near;
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
        if (is_there(models[i].device)) {
            names[n++] = models[i].name;
        }
    }
    set_error(error, "there is no display adapter '%s': '-vga help' lists them", arg);
    near = nearest_name(arg, names, n);
    if (near != NULL) {
        error_add_hint(error, "Did you mean '%s'?", near);
    }
}

bool opt_vga(Options *options, const char *arg, GError **error)
{
    if (option_wants_help(arg)) {
        print_models();
        options->done = true;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
        if (g_str_equal(arg, models[i].name) && is_there(models[i].device)) {
            options->has_vga = true;
            options->vga = models[i].device;
            return true;
        }
    }
    fail_model(arg, error);
    return false;
}

bool vm_make_vga(Vm *vm, const Options *options, GError **error)
{
    static const char *const adapters[] = { "VGA", "cirrus-vga", NULL };
    const char *device = options->vga;

    if (!options->has_vga && !vm->config.nodefaults && !options_name_device(options, adapters)) {
        device = DEFAULT_VGA;
    }
    if (device == NULL || bus_find(vm, NULL, &pci_bus_type) == NULL) {
        return true;
    }
    return device_realize(device_new(vm, device_type_find(device), NULL), NULL, error);
}
