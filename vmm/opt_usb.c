/* -usb and -usbdevice. */
#include <string.h>

#include "option_row.h"
#include "rhea_error.h"
#include "vm.h"

static const struct { const char *name, *type; } usb_devices[] = {
    { "keyboard", "usb-kbd" }, { "mouse", "usb-mouse" }, { "tablet", "usb-tablet" },
};

/* Words that took parameters once, and what does their work today. */
static const struct { const char *prefix, *today; } parted_devices[] = {
    { "disk:",   "-drive if=none,id=ID,file=FILE -device usb-storage,drive=ID" },
    { "host:",   "a device of the host cannot be handed on" },
    { "net:",    "-nic model=virtio-net-pci" },
    { "serial:", "-chardev … -device pci-serial,chardev=ID" },
};

static bool refuse_usb_device(const char *word, GError **error)
{
    const char *names[G_N_ELEMENTS(usb_devices)];

    set_error(error, "could not add USB device '%s'", word);
    for (size_t i = 0; i < G_N_ELEMENTS(parted_devices); i++) {
        if (g_str_has_prefix(word, parted_devices[i].prefix)) {
            error_add_hint(error, "usbdevice parameters are not supported anymore; instead: %s",
                           parted_devices[i].today);
            return false;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(usb_devices); i++) {
        names[i] = usb_devices[i].name;
    }
    error_suggest(error, nearest_name(word, names, G_N_ELEMENTS(names)));
    return false;
}

static bool make_usb_device(Vm *vm, const char *word, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(usb_devices); i++) {
        if (g_str_equal(word, usb_devices[i].name)) {
            g_autoptr(KeyVal) kv = keyval_new();

            keyval_add(kv, "driver", usb_devices[i].type);
            return vm_device_add(vm, kv, error) != NULL;
        }
    }
    return refuse_usb_device(word, error);
}

static bool opt_usb(Options *options, const char *arg, GError **error)
{
    option_tell_today("-usb", "-machine usb=on");
    options->config.usb = true;
    return true;
}

STAGED_OPTION(opt_usbdevice_late, OPTION_STAGE_DEVICE, "usbdevice", make_usb_device)

static bool opt_usbdevice(Options *options, const char *arg, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(usb_devices); i++) {
        if (g_str_equal(arg, usb_devices[i].name)) {
            g_autofree char *now = g_strdup_printf("-device %s", usb_devices[i].type);

            option_tell_today("-usbdevice", now);
        }
    }
    options->config.usb = true;
    return opt_usbdevice_late(options, arg, error);
}

const Option usb_options[] = {
    { "usb", NULL, "a USB controller on the board (-machine usb=on)", opt_usb },
    { "usbdevice", "NAME", "a USB device on it: keyboard, mouse or tablet", opt_usbdevice },
    {}
};
