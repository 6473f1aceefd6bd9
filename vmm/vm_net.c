#include "vm_net.h"

#include <string.h>

#include "net.h"
#include "pci.h"
#include "vm.h"

#define DEFAULT_NIC "e1000"

/* Names -net nic,model= has had for long. */
static const struct { const char *name, *type; } nic_aliases[] = {
    { "virtio", "virtio-net-pci" },
};

static bool is_nic_model(const DeviceType *type)
{
    return !type->board_only && type->bus == &pci_bus_type &&
           g_strcmp0(type->category, "network") == 0;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, NULL-terminated. */
static GPtrArray *nic_models(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (const DeviceType *const *type = device_type_list(); *type != NULL; type++) {
        if (is_nic_model(*type)) {
            g_ptr_array_add(names, (char *)(*type)->name);
        }
    }
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return names;
}

char *vm_nic_models_text(void)
{
    g_autoptr(GPtrArray) names = nic_models();
    g_autofree char *list = g_strjoinv("\n", (char **)names->pdata);

    return g_strdup_printf("Supported NIC models:\n%s\n", list);
}

static const DeviceType *nic_model_find(const char *model, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    const DeviceType *type;

    for (size_t i = 0; i < G_N_ELEMENTS(nic_aliases); i++) {
        model = g_str_equal(model, nic_aliases[i].name) ? nic_aliases[i].type : model;
    }
    type = device_type_find(model);
    if (type != NULL && is_nic_model(type)) {
        return type;
    }
    names = nic_models();
    set_error(error, "Unsupported NIC model: %s", model);
    error_suggest(error, nearest_name(model, (const char *const *)names->pdata, names->len - 1));
    return NULL;
}

static bool make_nic(Vm *vm, const NicWish *wish, GError **error)
{
    const DeviceType *type = nic_model_find(wish->model != NULL ? wish->model : DEFAULT_NIC, error);
    const struct { const char *prop, *value; } props[] = {
        { "netdev", wish->netdev }, { "mac", wish->mac }, { "addr", wish->addr },
        { "vectors", wish->vectors },
    };
    Device *dev;

    if (type == NULL) {
        return false;
    }
    if (bus_find(vm, NULL, &pci_bus_type) == NULL) {
        report_warning("requested NIC (%s, model %s) was not created (not supported by this "
                       "machine?)", wish->netdev, type->name);
        return true;
    }
    dev = device_new(vm, type, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(props); i++) {
        /* Not every NIC has `vectors`; QEMU lets it be said of all. */
        if (props[i].value != NULL &&
            !(g_str_equal(props[i].prop, "vectors") && !property_find(&dev->obj, "vectors")) &&
            !device_set(dev, props[i].prop, props[i].value, error)) {
            device_free(dev);
            return false;
        }
    }
    return device_realize(dev, NULL, error);
}

bool vm_make_nics(Vm *vm, const Options *options, GError **error)
{
    if (!options->has_net && !vm->config.nodefaults && device_type_find(DEFAULT_NIC) != NULL &&
        bus_find(vm, NULL, &pci_bus_type) != NULL) {
        net_add_default(vm);
    }
    return net_legacy_devices(vm, make_nic, error);
}
