/* info topics about virtio devices, their drivers and queues. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static void complete_path(Monitor *mon, GPtrArray *candidates)
{
    g_autoptr(GPtrArray) list = qmp_x_query_virtio(mon->vm, NULL);

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(candidates, g_strdup(((QmpVirtioInfo *)g_ptr_array_index(list, i))->path));
    }
}

static const CmdArg path_args[] = {
    { .name = "path", .kind = ARG_WORD, .help = "the device, as info virtio lists it",
      .complete = complete_path, .qmp = "path" },
    {}
};

static const CmdArg queue_args[] = {
    { .name = "path", .kind = ARG_WORD, .help = "the device, as info virtio lists it",
      .complete = complete_path, .qmp = "path" },
    { .name = "queue", .kind = ARG_INT32, .help = "number of the queue", .qmp = "queue" },
    {}
};

static const CmdArg element_args[] = {
    { .name = "path", .kind = ARG_WORD, .help = "the device, as info virtio lists it",
      .complete = complete_path, .qmp = "path" },
    { .name = "queue", .kind = ARG_INT32, .help = "number of the queue", .qmp = "queue" },
    { .name = "index", .kind = ARG_INT32, .optional = true, .qmp = "index",
      .help = "place in the driver's ring; the one the device takes next" },
    {}
};

static bool info_virtio(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_x_query_virtio(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpVirtioInfo *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "%s [%s]\n", info->path, info->name);
    }
    if (list != NULL && list->len == 0) {
        monitor_printf(mon, "No VirtIO devices\n");
    }
    return list != NULL;
}

static const char *yes_no(bool value)
{
    return value ? "true" : "false";
}

/* An empty list is an empty line. */
static void print_names(Monitor *mon, const GPtrArray *names)
{
    if (names->len == 0) {
        monitor_printf(mon, "\n");
    }
    for (guint i = 0; i < names->len; i++) {
        monitor_printf(mon, "\t%s%s\n", (const char *)g_ptr_array_index(names, i),
                       i + 1 < names->len ? "," : "");
    }
}

static void print_features(Monitor *mon, const char *title, const QmpVirtioDeviceFeatures *features)
{
    monitor_printf(mon, "  %s:\n", title);
    print_names(mon, features->transports);
    if (features->dev_features->len > 0) {
        print_names(mon, features->dev_features);
    }
    if (features->has_unknown_dev_features) {
        monitor_printf(mon, "  unknown-features(0x%016" PRIx64 ")\n",
                       features->unknown_dev_features);
    }
}

static bool info_status(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *path = cmd_text(args, "path");
    g_autoptr(QmpVirtioStatus) s = qmp_x_query_virtio_status(mon->vm, path, error);

    if (s == NULL) {
        return false;
    }
    monitor_printf(mon, "%s:\n", path);
    monitor_printf(mon, "  device_name:             %s \n", s->name);
    monitor_printf(mon, "  device_id:               %u\n", s->device_id);
    monitor_printf(mon, "  vhost_started:           %s\n", yes_no(s->vhost_started));
    monitor_printf(mon, "  bus_name:                %s\n", s->bus_name);
    monitor_printf(mon, "  broken:                  %s\n", yes_no(s->broken));
    monitor_printf(mon, "  disabled:                %s\n", yes_no(s->disabled));
    monitor_printf(mon, "  disable_legacy_check:    %s\n", yes_no(s->disable_legacy_check));
    monitor_printf(mon, "  started:                 %s\n", yes_no(s->started));
    monitor_printf(mon, "  use_started:             %s\n", yes_no(s->use_started));
    monitor_printf(mon, "  start_on_kick:           %s\n", yes_no(s->start_on_kick));
    monitor_printf(mon, "  use_guest_notifier_mask: %s\n", yes_no(s->use_guest_notifier_mask));
    monitor_printf(mon, "  vm_running:              %s\n", yes_no(s->vm_running));
    monitor_printf(mon, "  num_vqs:                 %" PRId64 "\n", s->num_vqs);
    monitor_printf(mon, "  queue_sel:               %u\n", s->queue_sel);
    monitor_printf(mon, "  isr:                     %u\n", s->isr);
    monitor_printf(mon, "  endianness:              %s\n", s->device_endian);
    monitor_printf(mon, "  status:\n");
    print_names(mon, s->status->statuses);
    print_features(mon, "Guest features", s->guest_features);
    print_features(mon, "Host features", s->host_features);
    print_features(mon, "Backend features", s->backend_features);
    return true;
}

static bool short_number(const CmdValues *args, const char *name, uint16_t *n, GError **error)
{
    uint64_t value = cmd_number(args, name, 0);

    if (value > UINT16_MAX) {
        set_error(error, "Parameter '%s' expects a number up to %u", name, UINT16_MAX);
        return false;
    }
    *n = value;
    return true;
}

static bool info_queue(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *path = cmd_text(args, "path");
    g_autoptr(QmpVirtQueueStatus) q = NULL;
    uint16_t n;

    if (!short_number(args, "queue", &n, error)) {
        return false;
    }
    q = qmp_x_query_virtio_queue_status(mon->vm, path, n, error);
    if (q == NULL) {
        return false;
    }
    monitor_printf(mon, "%s:\n", path);
    monitor_printf(mon, "  device_name:          %s\n", q->name);
    monitor_printf(mon, "  queue_index:          %u\n", q->queue_index);
    monitor_printf(mon, "  inuse:                %u\n", q->inuse);
    monitor_printf(mon, "  used_idx:             %u\n", q->used_idx);
    monitor_printf(mon, "  signalled_used:       %u\n", q->signalled_used);
    monitor_printf(mon, "  signalled_used_valid: %s\n", yes_no(q->signalled_used_valid));
    monitor_printf(mon, "  last_avail_idx:       %u\n", q->last_avail_idx);
    monitor_printf(mon, "  shadow_avail_idx:     %u\n", q->shadow_avail_idx);
    monitor_printf(mon, "  VRing:\n");
    monitor_printf(mon, "    num:          %u\n", q->vring_num);
    monitor_printf(mon, "    num_default:  %u\n", q->vring_num_default);
    monitor_printf(mon, "    align:        %u\n", q->vring_align);
    monitor_printf(mon, "    desc:         0x%016" PRIx64 "\n", q->vring_desc);
    monitor_printf(mon, "    avail:        0x%016" PRIx64 "\n", q->vring_avail);
    monitor_printf(mon, "    used:         0x%016" PRIx64 "\n", q->vring_used);
    return true;
}

static void print_desc(Monitor *mon, const QmpVirtioRingDesc *desc, bool last)
{
    monitor_printf(mon, "        addr 0x%" PRIx64 " len %u", desc->addr, desc->len);
    for (guint i = 0; i < desc->flags->len; i++) {
        monitor_printf(mon, "%s%s", i == 0 ? " (" : ", ",
                       (const char *)g_ptr_array_index(desc->flags, i));
    }
    monitor_printf(mon, "%s%s\n", desc->flags->len > 0 ? ")" : "", last ? "" : ",");
}

static bool info_element(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *path = cmd_text(args, "path");
    uint16_t n, index;
    g_autoptr(QmpVirtioQueueElement) e = NULL;

    if (!short_number(args, "queue", &n, error) || !short_number(args, "index", &index, error)) {
        return false;
    }
    e = qmp_x_query_virtio_queue_element(mon->vm, path, n,
                                         cmd_given(args, "index") ? &index : NULL, error);
    if (e == NULL) {
        return false;
    }
    monitor_printf(mon, "%s:\n  device_name: %s\n  index:   %u\n  desc:\n    descs:\n", path, e->name,
                   e->index);
    for (guint i = 0; i < e->descs->len; i++) {
        print_desc(mon, g_ptr_array_index(e->descs, i), i + 1 == e->descs->len);
    }
    monitor_printf(mon, "  avail:\n    flags: %u\n    idx:   %u\n    ring:  %u\n", e->avail->flags,
                   e->avail->idx, e->avail->ring);
    monitor_printf(mon, "  used:\n    flags: %u\n    idx:   %u\n", e->used->flags, e->used->idx);
    return true;
}

static bool info_balloon(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpBalloonInfo) info = qmp_query_balloon(mon->vm, error);

    if (info != NULL) {
        monitor_printf(mon, "balloon: actual=%" PRId64 "\n", info->actual >> 20);
    }
    return info != NULL;
}

const Command info_virtio_topics[] = {
    { .name = "balloon", .run = info_balloon, .help = "memory the balloon leaves the guest",
      .example = "info balloon", .qmp = "query-balloon" },
    { .name = "virtio", .run = info_virtio, .help = "the virtio devices there are",
      .example = "info virtio", .qmp = "x-query-virtio" },
    { .name = "virtio-status", .args = path_args, .run = info_status,
      .help = "a virtio device and what its driver has made of it",
      .example = "info virtio-status /machine/peripheral/disk0/virtio-backend",
      .qmp = "x-query-virtio-status" },
    { .name = "virtio-queue-status", .args = queue_args, .run = info_queue,
      .help = "a queue of a virtio device",
      .example = "info virtio-queue-status /machine/peripheral/disk0/virtio-backend 0",
      .qmp = "x-query-virtio-queue-status" },
    { .name = "virtio-queue-element", .args = element_args, .run = info_element,
      .help = "what the driver has put into a queue",
      .example = "info virtio-queue-element /machine/peripheral/disk0/virtio-backend 0",
      .qmp = "x-query-virtio-queue-element" },
    {}
};
