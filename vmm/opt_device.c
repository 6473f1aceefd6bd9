/* Options that add devices and character devices. */
#include <stdio.h>
#include <string.h>

#include "chardev.h"
#include "option_row.h"
#include "rhea_error.h"
#include "vm.h"
#include "vm_vga.h"

static bool list_chardevs(Options *options)
{
    printf("Available chardev backend types: \n");
    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        printf("  %s\n", *name);
    }
    options->done = true;
    return true;
}

static bool make_chardev(Vm *vm, const char *text, GError **error)
{
    return chardev_new_from_opts(text, error) != NULL;
}

bool option_make_device(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "driver", error);

    return kv != NULL && vm_device_add(vm, kv, error) != NULL;
}

STAGED_OPTION(opt_chardev_late, OPTION_STAGE_CHARDEV, "chardev", make_chardev)
STAGED_OPTION(opt_device_late, OPTION_STAGE_DEVICE, "device", option_make_device)
LATE_OPTION(opt_serial, serials, "serial")
LATE_OPTION(opt_parallel, parallels, "parallel")
LATE_OPTION(opt_debugcon, debugcons, "debugcon")

static GPtrArray *audiodevs;                /* char *, ids */

bool option_audiodev_exists(const char *id)
{
    return audiodevs != NULL &&
           g_ptr_array_find_with_equal_func(audiodevs, id, g_str_equal, NULL);
}

static bool add_audiodev(const char *id, GError **error)
{
    if (!object_check_id(id, error)) {
        return false;
    }
    if (option_audiodev_exists(id)) {
        set_error(error, "Duplicate ID '%s' for audiodev", id);
        return false;
    }
    if (audiodevs == NULL) {
        audiodevs = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(audiodevs, g_strdup(id));
    return true;
}

/* A sound back end.  No device makes sound, so the silent one is all there is. */
static bool opt_audiodev(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(arg, "driver", error);
    const char *driver = kv != NULL ? keyval_get(kv, "driver") : NULL;
    const char *id = kv != NULL ? keyval_get(kv, "id") : NULL;

    if (option_wants_help(arg)) {
        printf("Available audio drivers:\nnone\n");
        options->done = true;
        return true;
    }
    if (kv == NULL || !keyval_check_known(kv, error)) {
        return false;
    }
    if (driver == NULL || id == NULL) {
        set_error(error, "Parameter '%s' is missing", driver == NULL ? "driver" : "id");
        return false;
    }
    if (!g_str_equal(driver, "none")) {
        set_error(error, "Parameter 'driver' does not accept value '%s': this build has no sound, "
                  "only 'none'", driver);
        return false;
    }
    return add_audiodev(id, error);
}

static bool opt_chardev(Options *options, const char *arg, GError **error)
{
    return option_wants_help(arg) ? list_chardevs(options) : opt_chardev_late(options, arg, error);
}

static bool opt_device(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = NULL;

    if (!vm_device_help(arg, &text, error)) {
        return false;
    }
    if (text != NULL) {
        fputs(text, stdout);
        options->done = true;
        return true;
    }
    return opt_device_late(options, arg, error);
}

/* DRIVER.PROPERTY=VALUE, or the three by their names. */
static char *global_text(const char *arg, GError **error)
{
    const char *dot = strchr(arg, '.'), *equals = strchr(arg, '='), *value;
    g_autoptr(KeyVal) kv = NULL;

    if (dot != NULL && equals != NULL && dot < equals) {
        return g_strdup(arg);
    }
    kv = equals != NULL ? keyval_parse(arg, NULL, error) : NULL;
    if (equals != NULL && kv == NULL) {
        return NULL;
    }
    value = kv != NULL ? keyval_get(kv, "value") : NULL;
    if (value == NULL || keyval_get(kv, "driver") == NULL || keyval_get(kv, "property") == NULL) {
        set_error(error, "expected DRIVER.PROPERTY=VALUE");
        return NULL;
    }
    return keyval_check_known(kv, error)
               ? g_strdup_printf("%s.%s=%s", keyval_get(kv, "driver"), keyval_get(kv, "property"),
                                 value)
               : NULL;
}

static bool opt_global(Options *options, const char *arg, GError **error)
{
    char *text = global_text(arg, error);

    if (text != NULL) {
        g_ptr_array_add(options->globals, text);
    }
    return text != NULL;
}

const Option device_options[] = {
    { "device", "DRIVER[,PROP=VALUE]…",
      "add a device ('help' lists them, 'DRIVER,help' its properties)", opt_device,
      "device" },
    { "global", "DRIVER.PROPERTY=VALUE", "default of a device property", opt_global,
      "global" },
    { "vga", "MODEL", "the display adapter, std unless told ('help' lists them)", opt_vga },
    { "object", "TYPE,id=ID[,PROP=VALUE]…",
      "an object that devices and back ends refer to ('help' lists them)", opt_object,
      "object" },
    { "readconfig", "FILE", "options as groups in a file", opt_readconfig },
    { "chardev", "BACKEND,id=ID[,OPT=VALUE]…", "a character device ('help' lists them)",
      opt_chardev, "chardev" },
    { "serial", "DEV", "a serial port on this character device", opt_serial },
    { "parallel", "DEV", "a parallel port on this character device", opt_parallel },
    { "audiodev", "none,id=ID", "a sound back end; there is no device that makes sound",
      opt_audiodev },
    { "debugcon", "DEV", "the debug console, port 0xe9, on this character device", opt_debugcon },
    {}
};
