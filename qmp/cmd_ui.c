/* Commands about screens. */
#include "qmp_api.h"
#include "screenshot.h"
#include "vm.h"

static Console *find_screen(Vm *vm, const char *device, const int64_t *head, GError **error)
{
    Device *dev = device != NULL ? device_find(vm, device) : NULL;
    Console *console;

    if (device == NULL && head != NULL) {
        set_error(error, "'head' must be specified together with 'device'");
        return NULL;
    }
    if (device == NULL) {
        console = console_first(vm);
        if (console == NULL) {
            set_error(error, "There is no console to take a screendump from");
        }
        return console;
    }
    if (dev == NULL) {
        set_error(error, "Device '%s' not found", device);
        return NULL;
    }
    console = console_of(vm, dev, head != NULL ? *head : 0);
    if (console == NULL) {
        set_error(error, "Device '%s' has no screen %" G_GINT64_FORMAT, device,
                  head != NULL ? *head : 0);
    }
    return console;
}

bool qmp_screendump(Vm *vm, const char *filename, const char *device, const int64_t *head,
                    const QmpImageFormat *format, GError **error)
{
    Console *console = find_screen(vm, device, head, error);

    if (console == NULL) {
        return false;
    }
    console_refresh(console);
    return screenshot_write(console_surface(console), filename,
                            format != NULL && *format == QMP_IMAGE_FORMAT_PNG ? IMAGE_PNG : IMAGE_PPM,
                            error);
}
