#include "msix.h"

#include <string.h>

#include "rhea_error.h"

/* 6.8.2.1 to 6.8.2.9 */
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PBA = 8, MSIX_CAP_SIZE = 12 };
#define MSIX_CONTROL_ENABLE (1u << 15)
#define MSIX_CONTROL_MASK   (1u << 14)
enum { MSIX_ENTRY_DATA = 8, MSIX_ENTRY_CONTROL = 12 };
#define MSIX_ENTRY_MASKED   1u

static uint64_t read_bytes(const uint8_t *from, uint32_t len, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    if (offset < len && size <= len - offset) {
        memcpy(&value, from + offset, size);
    }
    return value;
}

static uint32_t table_bytes(const Msix *msix) { return msix->count * MSIX_ENTRY_SIZE; }
static uint32_t pending_bytes(const Msix *msix) { return (msix->count + 63) / 64 * 8; }

/* ---- sending ---- */

typedef struct Message { uint64_t address; uint32_t data; } Message;

static Message entry_message(const Msix *msix, unsigned vector)
{
    const uint8_t *entry = msix->table + vector * MSIX_ENTRY_SIZE;
    Message message;

    memcpy(&message.address, entry, 8);
    memcpy(&message.data, entry + MSIX_ENTRY_DATA, 4);
    return message;
}

static bool vector_masked(const Msix *msix, unsigned vector)
{
    return msix->masked || msix->table[vector * MSIX_ENTRY_SIZE + MSIX_ENTRY_CONTROL] &
                               MSIX_ENTRY_MASKED;
}

static void send(const Msix *msix, Message message)
{
    Vm *vm = msix->dev->dev.vm;

    if (vm->msi_send != NULL) {
        vm->msi_send(vm, message.address, message.data);
    }
}

bool msix_notify(Msix *msix, unsigned vector)
{
    Message message = { 0 };
    bool deliver = false;

    if (!msix->dev->dev.vm->msi_any_thread && !machine_lock_held()) {
        return false;
    }
    g_mutex_lock(&msix->lock);
    if (msix->enabled && vector < msix->count) {
        deliver = !vector_masked(msix, vector);
        message = entry_message(msix, vector);
        if (!deliver) {
            msix->pending[vector / 8] |= 1u << vector % 8;
        }
    }
    g_mutex_unlock(&msix->lock);
    if (deliver) {
        send(msix, message);
    }
    return true;
}

/* 6.8.3.5: what was kept pending goes out when nothing masks it any more. */
static void send_unmasked(Msix *msix)
{
    for (unsigned vector = 0; vector < msix->count; vector++) {
        bool deliver;

        g_mutex_lock(&msix->lock);
        deliver = msix->enabled && msix->pending[vector / 8] & 1u << vector % 8 &&
                  !vector_masked(msix, vector);
        Message message = entry_message(msix, vector);
        if (deliver) {
            msix->pending[vector / 8] &= ~(1u << vector % 8);
        }
        g_mutex_unlock(&msix->lock);
        if (deliver) {
            send(msix, message);
        }
    }
}

/* ---- registers ---- */

static uint64_t table_read(void *opaque, uint64_t offset, unsigned size)
{
    Msix *msix = opaque;

    return read_bytes(msix->table, table_bytes(msix), offset, size);
}

static void table_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Msix *msix = opaque;

    if (offset >= table_bytes(msix) || size > table_bytes(msix) - offset) {
        return;
    }
    g_mutex_lock(&msix->lock);
    memcpy(msix->table + offset, &value, size);
    g_mutex_unlock(&msix->lock);
    if (offset / MSIX_ENTRY_SIZE * MSIX_ENTRY_SIZE + MSIX_ENTRY_CONTROL < offset + size) {
        send_unmasked(msix);
    }
}

static uint64_t pending_read(void *opaque, uint64_t offset, unsigned size)
{
    Msix *msix = opaque;

    return read_bytes(msix->pending, pending_bytes(msix), offset, size);
}

static void pending_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    /* 6.8.2.10: read only */
}

static const MemOps table_ops = { table_read, table_write, .min_size = 4, .max_size = 8 };
static const MemOps pending_ops = { pending_read, pending_write, .min_size = 4, .max_size = 8 };

static void control_changed(Msix *msix)
{
    uint16_t control = pci_get_word(msix->dev->config + msix->cap + MSIX_CONTROL);

    g_mutex_lock(&msix->lock);
    msix->enabled = control & MSIX_CONTROL_ENABLE;
    msix->masked = control & MSIX_CONTROL_MASK;
    g_mutex_unlock(&msix->lock);
    send_unmasked(msix);
}

void msix_config_write(Msix *msix, uint32_t offset, unsigned size)
{
    uint32_t control = msix->cap + MSIX_CONTROL;

    if (msix->count > 0 && offset < control + 2 && control < offset + size) {
        control_changed(msix);
    }
}

void msix_loaded(Msix *msix)
{
    if (msix->count > 0) {
        control_changed(msix);
    }
}

bool msix_enabled(Msix *msix)
{
    bool enabled;

    if (msix->count == 0) {
        return false;
    }
    g_mutex_lock(&msix->lock);
    enabled = msix->enabled;
    g_mutex_unlock(&msix->lock);
    return enabled;
}

/* ---- life ---- */

void msix_reset(Msix *msix)
{
    if (msix->count == 0) {
        return;
    }
    uint8_t *control = msix->dev->config + msix->cap + MSIX_CONTROL;

    pci_set_word(control, pci_get_word(control) & ~(MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK));
    g_mutex_lock(&msix->lock);
    memset(msix->table, 0, table_bytes(msix));
    memset(msix->pending, 0, pending_bytes(msix));
    for (unsigned vector = 0; vector < msix->count; vector++) {
        msix->table[vector * MSIX_ENTRY_SIZE + MSIX_ENTRY_CONTROL] = MSIX_ENTRY_MASKED;
    }
    g_mutex_unlock(&msix->lock);
    control_changed(msix);
}

bool msix_init(Msix *msix, PciDevice *dev, unsigned count, unsigned bar, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s-msix", dev->dev.type->name);
    uint64_t size = 4096;

    if (count == 0 || count > MSIX_MAX_VECTORS) {
        set_error(error, "a device has 1 to %d MSI-X vectors, not %u", MSIX_MAX_VECTORS, count);
        return false;
    }
    while (size / 2 < count * MSIX_ENTRY_SIZE) {
        size *= 2;
    }
    msix->dev = dev;
    msix->cap = pci_add_capability(dev, PCI_CAP_MSIX, MSIX_CAP_SIZE, error);
    if (msix->cap == 0) {
        return false;
    }
    uint8_t *cap = dev->config + msix->cap;

    pci_set_word(cap + MSIX_CONTROL, count - 1);
    pci_set_word(dev->wmask + msix->cap + MSIX_CONTROL, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
    pci_set_long(cap + MSIX_TABLE, bar);
    pci_set_long(cap + MSIX_PBA, size / 2 | bar);
    msix->count = count;
    msix->table = g_malloc0(table_bytes(msix));
    msix->pending = g_malloc0(pending_bytes(msix));
    g_mutex_init(&msix->lock);
    mem_region_init(&msix->bar, &dev->dev.obj, name, size);
    mem_region_init_io(&msix->table_region, &dev->dev.obj, "msix-table", table_bytes(msix),
                       &table_ops, msix);
    mem_region_init_io(&msix->pending_region, &dev->dev.obj, "msix-pba", pending_bytes(msix),
                       &pending_ops, msix);
    mem_region_add(&msix->bar, 0, &msix->table_region);
    mem_region_add(&msix->bar, size / 2, &msix->pending_region);
    pci_register_bar(dev, bar, PCI_BAR_MEM, &msix->bar);
    msix_reset(msix);
    return true;
}

void msix_finish(Msix *msix)
{
    if (msix->count == 0) {
        return;
    }
    mem_region_finish(&msix->table_region);
    mem_region_finish(&msix->pending_region);
    mem_region_finish(&msix->bar);
    g_mutex_clear(&msix->lock);
    g_clear_pointer(&msix->table, g_free);
    g_clear_pointer(&msix->pending, g_free);
    msix->count = 0;
}
