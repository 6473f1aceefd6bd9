/*
 * Traditional virtio memory balloon: VIRTIO 1.2, 5.5.
 *
 * The host sets how many pages it wants; the driver gives up pages through the inflate queue, whose
 * memory goes back to the host, and takes them again through the deflate queue.  The driver's
 * statistics come in a buffer that is held until they are wanted anew.  With free-page-reporting
 * the driver also lends pages it has no use for just now.
 *
 * Not modelled: free page hints (migration).
 */
#include "virtio_balloon.h"

#include <inttypes.h>
#include <string.h>

#include "rhea_error.h"
#include "sizes.h"
#include "virtio_devices.h"
#include "virtio_pci.h"

/* 5.5.3 */
enum { BALLOON_F_STATS_VQ = 1, BALLOON_F_DEFLATE_ON_OOM = 2, BALLOON_F_PAGE_POISON = 4,
       BALLOON_F_REPORTING = 5 };
/* 5.5.4 */
enum { BALLOON_NUM_PAGES = 0, BALLOON_ACTUAL = 4, BALLOON_POISON = 12, BALLOON_CONFIG_SIZE = 16,
       BALLOON_SMALL_CONFIG_SIZE = 8 };

enum {
    BALLOON_QUEUE_SIZE = 128, BALLOON_REPORT_QUEUE_SIZE = 32,
    BALLOON_MAX_PFNS = 4096,                /* of one buffer; drivers send hundreds */
    BALLOON_BUDGET = 16 * 1024,             /* page numbers before others have their turn */
};

/* 5.5.6.3: a statistic is a 16-bit tag and a 64-bit value, packed. */
enum { STAT_BYTES = 10, STAT_COUNT = 10 };
static const char *const stat_names[STAT_COUNT] = {
    "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory",
    "stat-total-memory", "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc",
    "stat-htlb-pgfail",
};

typedef struct VirtioBalloon {
    VirtioDevice vdev;
    /* configuration */
    bool deflate_on_oom, free_page_hint, page_poison, free_page_reporting, config_size_4_0;
    int64_t poll_interval_s;                /* of statistics; 0: not asked for */
    /* wiring */
    VirtQueue *inflate, *deflate, *stats_queue, *reporting;
    VirtElem *stats_elem;                   /* the driver's buffer while it waits here */
    VmTimer stats_timer, change_timer;
    /* guest-visible state */
    uint32_t num_pages, actual, poison;
    uint64_t stats[STAT_COUNT];             /* UINT64_MAX: not told */
    int64_t stats_time_s;                   /* when they came; 0: never */
} VirtioBalloon;

static VirtioBalloon *balloon_of(VirtioDevice *vdev)
{
    return DEVICE_CAST(&vdev->dev, VirtioBalloon);
}

/* ---- pages ---- */

/* The memory behind [addr, addr + len) goes back to the host, as far as it is RAM. */
static void discard_range(VirtioBalloon *balloon, uint64_t addr, uint64_t len)
{
    for (uint64_t n; len > 0; addr += n, len -= n) {
        n = len;
        uint64_t offset;
        uint8_t *host = dma_map(balloon->vdev.dma, addr, &n, true);
        RamBlock *block = host != NULL ? ram_block_of(host, &offset) : NULL;

        if (block == NULL) {
            n = MIN(len, PAGE_SIZE_4K);
        } else {
            ram_discard(block, offset, n);
        }
    }
}

/* Page numbers that follow each other, up or down, are given back together. */
typedef struct PageRun { uint64_t first, count; } PageRun;

static void run_end(VirtioBalloon *balloon, PageRun *run)
{
    if (run->count > 0) {
        discard_range(balloon, run->first << PAGE_SHIFT, run->count << PAGE_SHIFT);
        run->count = 0;
    }
}

static void run_add(VirtioBalloon *balloon, PageRun *run, uint32_t pfn)
{
    if (run->count > 0 && pfn == run->first + run->count) {
        run->count++;
    } else if (run->count > 0 && pfn + UINT64_C(1) == run->first) {
        run->first--;
        run->count++;
    } else {
        run_end(balloon, run);
        *run = (PageRun){ pfn, 1 };
    }
}

static void inflate_elem(VirtioBalloon *balloon, const VirtElem *elem, int *budget)
{
    PageRun run = { 0 };
    uint32_t pfn;

    for (unsigned n = 0; n < BALLOON_MAX_PFNS; n++, (*budget)--) {
        if (iov_to_buf(elem->out, elem->n_out, n * sizeof(pfn), &pfn, sizeof(pfn)) < sizeof(pfn)) {
            break;
        }
        run_add(balloon, &run, pfn);
    }
    run_end(balloon, &run);
}

static void report_elem(VirtioBalloon *balloon, const VirtElem *elem)
{
    for (unsigned i = 0; i < elem->n_in && balloon->poison == 0; i++) {
        uint64_t offset;
        RamBlock *block = ram_block_of(elem->in[i].iov_base, &offset);

        if (block != NULL) {
            ram_discard(block, offset, elem->in[i].iov_len);
        }
    }
}

static void balloon_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *balloon = balloon_of(vdev);
    int budget = BALLOON_BUDGET;
    VirtElem *elem;

    while (budget > 0 && (elem = virtqueue_pop(vq)) != NULL) {
        if (vq == balloon->inflate) {
            inflate_elem(balloon, elem, &budget);
        } else if (vq == balloon->reporting) {
            report_elem(balloon, elem);
        }
        virtqueue_push(vq, elem, 0);
        virtqueue_notify(vq);
        budget -= BALLOON_BUDGET / BALLOON_QUEUE_SIZE;
    }
    if (budget <= 0) {
        virtqueue_reschedule(vq);
    }
}

/* ---- statistics ---- */

static void arm_stats(VirtioBalloon *balloon)
{
    vm_timer_set(&balloon->stats_timer,
                 balloon->poll_interval_s > 0 ?
                 vm_clock_ns(balloon->vdev.dev.vm) + balloon->poll_interval_s * NS_PER_SEC :
                 VM_TIMER_OFF);
}

/* Giving the buffer back is how the driver is asked for new figures. */
static void ask_for_stats(void *opaque)
{
    VirtioBalloon *balloon = opaque;
    VirtElem *elem = balloon->stats_elem;

    if (elem == NULL) {
        arm_stats(balloon);
        return;
    }
    balloon->stats_elem = NULL;
    virtqueue_push(balloon->stats_queue, elem, 0);
    virtqueue_notify(balloon->stats_queue);
}

static void read_stats(VirtioBalloon *balloon, const VirtElem *elem)
{
    uint8_t stat[STAT_BYTES];

    memset(balloon->stats, 0xff, sizeof(balloon->stats));
    for (unsigned n = 0; n < 4 * STAT_COUNT; n++) {
        uint16_t tag;

        if (iov_to_buf(elem->out, elem->n_out, n * STAT_BYTES, stat, STAT_BYTES) < STAT_BYTES) {
            break;
        }
        memcpy(&tag, stat, sizeof(tag));
        if (tag < STAT_COUNT) {
            memcpy(&balloon->stats[tag], stat + sizeof(tag), sizeof(uint64_t));
        }
    }
    balloon->stats_time_s = host_wall_ns() / NS_PER_SEC;
}

static void stats_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBalloon *balloon = balloon_of(vdev);
    VirtElem *elem = virtqueue_pop(vq);

    if (elem == NULL) {
        return;
    }
    if (balloon->stats_elem != NULL) {      /* one buffer is what drivers send */
        virtqueue_push(vq, balloon->stats_elem, 0);
        virtqueue_notify(vq);
    }
    balloon->stats_elem = elem;
    read_stats(balloon, elem);
    arm_stats(balloon);
}

static char *stats_print(const Object *obj, const Property *prop, const void *field)
{
    const VirtioBalloon *balloon = (const VirtioBalloon *)obj;
    GString *text = g_string_new("{\"stats\": {");

    for (unsigned i = 0; i < STAT_COUNT; i++) {
        g_string_append_printf(text, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "", stat_names[i],
                               balloon->stats[i]);
    }
    g_string_append_printf(text, "}, \"last-update\": %" PRId64 "}", balloon->stats_time_s);
    return g_string_free(text, FALSE);
}

static bool stats_refuse(Object *obj, const Property *prop, void *field, const char *text,
                         GError **error)
{
    set_error(error, "Property '%s.%s' is not writable", obj->type_name, prop->name);
    return false;
}

static const PropType prop_guest_stats = {
    .name = "guest statistics", .json = PROP_JSON_VALUE, .parse = stats_refuse,
    .print = stats_print,
};

static bool interval_parse(Object *obj, const Property *prop, void *field, const char *text,
                           GError **error)
{
    VirtioBalloon *balloon = (VirtioBalloon *)obj;
    int64_t seconds;

    if (!parse_int(text, INT64_MIN, INT64_MAX, &seconds, error)) {
        return false;
    }
    if (seconds < 0) {
        set_error(error, "timer value must be greater than zero");
        return false;
    }
    if (seconds > UINT32_MAX) {
        set_error(error, "timer value is too big");
        return false;
    }
    balloon->poll_interval_s = seconds;
    if (balloon->vdev.dev.realized && seconds > 0) {
        vm_timer_set(&balloon->stats_timer, vm_clock_ns(balloon->vdev.dev.vm));
    } else if (balloon->vdev.dev.realized) {
        arm_stats(balloon);
    }
    return true;
}

static char *interval_print(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("%" PRId64, *(const int64_t *)field);
}

static const PropType prop_stats_interval = {
    .name = "int", .json = PROP_JSON_INT, .parse = interval_parse, .print = interval_print,
};

/* ---- configuration space ---- */

static uint64_t ram_now(const VirtioBalloon *balloon)
{
    uint64_t ram = balloon->vdev.dev.vm->config.ram_bytes;
    uint64_t given = (uint64_t)balloon->actual << PAGE_SHIFT;

    return given < ram ? ram - given : 0;
}

static void tell_change(void *opaque)
{
    const VirtioBalloon *balloon = opaque;

    vm_emit(balloon->vdev.dev.vm, &(VmEvent){ .kind = VM_EVENT_BALLOON_CHANGE,
                                              .actual_bytes = ram_now(balloon) });
}

static void balloon_config_get(VirtioDevice *vdev, uint8_t *config)
{
    const VirtioBalloon *balloon = balloon_of(vdev);

    memcpy(config + BALLOON_NUM_PAGES, &balloon->num_pages, 4);
    memcpy(config + BALLOON_ACTUAL, &balloon->actual, 4);
    if (vdev->config_len >= BALLOON_CONFIG_SIZE) {
        memcpy(config + BALLOON_POISON, &balloon->poison, 4);
    }
}

static void balloon_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioBalloon *balloon = balloon_of(vdev);
    uint32_t before = balloon->actual;

    memcpy(&balloon->actual, config + BALLOON_ACTUAL, 4);
    if (vdev->config_len >= BALLOON_CONFIG_SIZE && virtio_has(vdev, BALLOON_F_PAGE_POISON)) {
        memcpy(&balloon->poison, config + BALLOON_POISON, 4);
    }
    if (balloon->actual != before) {        /* events belong to the main loop, where timers fire */
        vm_timer_set(&balloon->change_timer, vm_clock_ns(vdev->dev.vm));
    }
}

static uint64_t balloon_features(VirtioDevice *vdev)
{
    const VirtioBalloon *balloon = balloon_of(vdev);

    return VIRTIO_BIT(BALLOON_F_STATS_VQ) |
           (balloon->deflate_on_oom ? VIRTIO_BIT(BALLOON_F_DEFLATE_ON_OOM) : 0) |
           (balloon->page_poison ? VIRTIO_BIT(BALLOON_F_PAGE_POISON) : 0) |
           (balloon->free_page_reporting ? VIRTIO_BIT(BALLOON_F_REPORTING) : 0);
}

/* ---- the host's side ---- */

bool balloon_set_target(Vm *vm, uint64_t bytes, GError **error)
{
    if (vm->balloon == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_ACTIVE,
                    "No balloon device has been activated");
        return false;
    }
    if (bytes == 0 || bytes > INT64_MAX) {
        set_error(error, "Parameter 'target' expects a size");
        return false;
    }
    VirtioBalloon *balloon = DEVICE_CAST(vm->balloon, VirtioBalloon);
    uint64_t pages = (vm->config.ram_bytes - MIN(bytes, vm->config.ram_bytes)) >> PAGE_SHIFT;

    balloon->num_pages = MIN(pages, UINT32_MAX);
    virtio_config_changed(&balloon->vdev);
    return true;
}

bool balloon_actual(Vm *vm, uint64_t *bytes, GError **error)
{
    if (vm->balloon == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_ACTIVE,
                    "No balloon device has been activated");
        return false;
    }
    *bytes = ram_now(DEVICE_CAST(vm->balloon, VirtioBalloon));
    return true;
}

/* ---- life ---- */

static void balloon_stop(VirtioDevice *vdev)
{
    VirtioBalloon *balloon = balloon_of(vdev);

    if (balloon->stats_elem != NULL) {
        virtqueue_drop(balloon->stats_queue, balloon->stats_elem);
        balloon->stats_elem = NULL;
    }
}

static void balloon_reset(VirtioDevice *vdev)
{
    balloon_of(vdev)->poison = 0;
}

/* The driver's buffer goes back into the queue, to be found again when the machine runs. */
static void balloon_running(VirtioDevice *vdev, bool running)
{
    VirtioBalloon *balloon = balloon_of(vdev);

    if (!running && balloon->stats_elem != NULL) {
        virtqueue_unpop(balloon->stats_queue, balloon->stats_elem);
        balloon->stats_elem = NULL;
    }
}

static bool poison_needed(const void *opaque)
{
    return virtio_has(opaque, BALLOON_F_PAGE_POISON);
}

static const StateField poison_fields[] = { STATE_UINT32(VirtioBalloon, poison), {} };
static const StateDesc poison_state = {         /* spelled as the stream has it */
    .name = "vitio-balloon-device/page-poison", .version = 1, .needed = poison_needed,
    .fields = poison_fields,
};
static const StateField own_fields[] = {
    STATE_UINT32(VirtioBalloon, num_pages), STATE_UINT32(VirtioBalloon, actual), {}
};
static const StateDesc *const own_subsections[] = { &poison_state, NULL };
static const StateDesc own_state = {
    .name = "virtio-balloon-device", .version = 1, .fields = own_fields,
    .subsections = own_subsections,
};
static const StateField balloon_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc balloon_state = {
    .name = "virtio-balloon", .version = 1, .fields = balloon_fields,
};

static const Property balloon_props[] = {
    PROP_BOOL(VirtioBalloon, deflate_on_oom, .name = "deflate-on-oom",
              .help = "the guest may take pages back when it runs out of memory"),
    PROP_BOOL(VirtioBalloon, free_page_hint, .name = "free-page-hint",
              .help = "hints for migration (only off)"),
    PROP_BOOL(VirtioBalloon, page_poison, .name = "page-poison", .def = true,
              .help = "the guest tells what it fills free pages with"),
    PROP_BOOL(VirtioBalloon, free_page_reporting, .name = "free-page-reporting",
              .help = "the guest lends pages it does not use"),
    PROP_BOOL(VirtioBalloon, config_size_4_0, .name = "qemu-4-0-config-size",
              .help = "configuration space of full size whatever is in it"),
    PROP_OF(prop_guest_stats, uint64_t, VirtioBalloon, stats[0], .name = "guest-stats",
            .hidden = true, .read_only = true, .help = "the guest's last figures"),
    PROP_OF(prop_stats_interval, int64_t, VirtioBalloon, poll_interval_s,
            .name = "guest-stats-polling-interval", .live = true, .hidden = true,
            .help = "seconds between figures; 0: none"),
    {}
};

static bool balloon_realize(Device *dev, GError **error)
{
    VirtioBalloon *balloon = DEVICE_CAST(dev, VirtioBalloon);
    VirtioDevice *vdev = &balloon->vdev;

    if (balloon->free_page_hint) {
        set_error(error, "free-page-hint=on: hints are not modelled; leave free-page-hint=off");
        return false;
    }
    if (dev->vm->balloon != NULL) {
        set_error(error, "Only one balloon device is supported");
        return false;
    }
    dev->vm->balloon = dev;
    virtio_init(vdev, balloon->page_poison || balloon->config_size_4_0 ? BALLOON_CONFIG_SIZE
                                                                       : BALLOON_SMALL_CONFIG_SIZE);
    balloon->inflate = virtio_add_queue(vdev, BALLOON_QUEUE_SIZE, balloon_handle, sizeof(VirtElem));
    balloon->deflate = virtio_add_queue(vdev, BALLOON_QUEUE_SIZE, balloon_handle, sizeof(VirtElem));
    balloon->stats_queue =
        virtio_add_queue(vdev, BALLOON_QUEUE_SIZE, stats_handle, sizeof(VirtElem));
    if (balloon->free_page_reporting) {
        balloon->reporting =
            virtio_add_queue(vdev, BALLOON_REPORT_QUEUE_SIZE, balloon_handle, sizeof(VirtElem));
    }
    memset(balloon->stats, 0xff, sizeof(balloon->stats));
    vm_timer_init(&balloon->stats_timer, dev->vm, ask_for_stats, balloon);
    vm_timer_init(&balloon->change_timer, dev->vm, tell_change, balloon);
    return true;
}

static void balloon_unrealize(Device *dev)
{
    VirtioBalloon *balloon = DEVICE_CAST(dev, VirtioBalloon);

    if (dev->vm->balloon != dev) {
        return;
    }
    dev->vm->balloon = NULL;
    virtio_finish(&balloon->vdev);
    vm_timer_finish(&balloon->stats_timer);
    vm_timer_finish(&balloon->change_timer);
}

static const VirtioClass balloon_class = {
    .device_id = VIRTIO_ID_BALLOON, .name = "virtio-balloon", .features = balloon_features,
    .config_get = balloon_config_get, .config_set = balloon_config_set, .stop = balloon_stop,
    .reset = balloon_reset, .running = balloon_running, .state = &own_state,
};

const DeviceType virtio_balloon_device_type = {
    .name = "virtio-balloon-device", .category = "misc", .bus = &virtio_bus_type,
    .bus_class = &balloon_class, .size = sizeof(VirtioBalloon), .props = balloon_props,
    .state = &balloon_state, .realize = balloon_realize, .unrealize = balloon_unrealize,
};

#define BALLOON_PCI_PROPS VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_balloon_pci, "virtio-balloon", "misc", virtio_balloon_device_type,
                 BALLOON_PCI_PROPS, .class_id = 0x00ff)
