/*
 * Virtio SCSI host: VIRTIO 1.2, 5.6.
 *
 * Modelled: one control and one event queue, request queues, task management, events for devices
 * that come, go or change.
 * Not modelled: bidirectional commands, protection information, asynchronous notification, an
 * iothread of its own.
 */
#include <string.h>

#include "iothread.h"
#include "rhea_error.h"
#include "scsi.h"
#include "virtio_devices.h"
#include "virtio_pci.h"

/* Feature bits: 5.6.3. */
enum { SCSI_F_HOTPLUG = 1, SCSI_F_CHANGE = 2 };

/* Configuration space: 5.6.4. */
typedef struct ScsiConfig {
    uint32_t num_queues, seg_max, max_sectors, cmd_per_lun, event_info_size, sense_size, cdb_size;
    uint16_t max_channel, max_target;
    uint32_t max_lun;
} ScsiConfig;
enum { SENSE_SIZE_DEFAULT = 96, CDB_SIZE_DEFAULT = 32, SENSE_SIZE_LIMIT = 252,
       CDB_SIZE_LIMIT = 255 };
enum { MAX_CHANNEL = 0, MAX_TARGET = 255, MAX_LUN = 16383 };

/* 5.6.6.1: what comes before the CDB and before the sense data. */
typedef struct __attribute__((packed)) ScsiHead {
    uint8_t lun[8];
    uint64_t id;
    uint8_t task_attr, prio, crn;
} ScsiHead;
typedef struct __attribute__((packed)) ScsiAnswer {
    uint32_t sense_len, residual;
    uint16_t status_qualifier;
    uint8_t status, response;
} ScsiAnswer;

/* 5.6.6.1 and 5.6.6.2: responses. */
enum {
    RESPONSE_OK = 0, RESPONSE_OVERRUN = 1, RESPONSE_ABORTED = 2, RESPONSE_BAD_TARGET = 3,
    RESPONSE_FAILURE = 9,
    TMF_COMPLETE = 0, TMF_SUCCEEDED = 10, TMF_REJECTED = 11, TMF_INCORRECT_LUN = 12,
};

/* 5.6.6.2: the control queue. */
enum { CONTROL_TMF = 0, CONTROL_AN_QUERY = 1, CONTROL_AN_SUBSCRIBE = 2 };
enum {
    TMF_ABORT_TASK = 0, TMF_ABORT_TASK_SET = 1, TMF_CLEAR_TASK_SET = 3, TMF_NEXUS_RESET = 4,
    TMF_LUN_RESET = 5, TMF_QUERY_TASK = 6, TMF_QUERY_TASK_SET = 7,
};
typedef struct __attribute__((packed)) ScsiTmf {
    uint32_t type, subtype;
    uint8_t lun[8];
    uint64_t id;
} ScsiTmf;
typedef struct __attribute__((packed)) ScsiAn {
    uint32_t type;
    uint8_t lun[8];
    uint32_t events;
} ScsiAn;
typedef struct __attribute__((packed)) ScsiAnAnswer {
    uint32_t events;
    uint8_t response;
} ScsiAnAnswer;

/* 5.6.6.3: the event queue. */
enum { EVENT_NONE = 0, EVENT_TRANSPORT_RESET = 1, EVENT_PARAM_CHANGE = 3 };
#define EVENTS_MISSED 0x80000000u
enum { REASON_RESCAN = 1, REASON_REMOVED = 2 };
typedef struct __attribute__((packed)) ScsiEvent {
    uint32_t event;
    uint8_t lun[8];
    uint32_t reason;
} ScsiEvent;

#define QUEUES_AUTO     UINT32_MAX
#define FIXED_QUEUES    2

typedef struct VirtioScsi {
    VirtioDevice vdev;
    /* configuration */
    uint32_t num_queues, queue_size, max_sectors, cmd_per_lun;
    bool seg_max_adjust, hotplug, param_change;
    IoThread *iothread;
    /* wiring */
    VirtQueue *control, *event;
    ScsiBus *bus;
    struct ScsiCmd *commands;               /* in the devices' hands */
    bool dropping;                          /* stop(): commands that end are not told of */
    /* guest-visible state */
    uint32_t sense_size, cdb_size;
    bool events_missed;
} VirtioScsi;

/* A task management function that waits for what it aborted. */
typedef struct ScsiTmfReq {
    VirtElem elem;                          /* first */
    unsigned waits;
    uint8_t response;
} ScsiTmfReq;

typedef struct ScsiCmd {
    VirtElem elem;                          /* first */
    VirtioScsi *vs;
    struct ScsiCmd *next, **link;           /* vs->commands */
    ScsiTmfReq *tmf;                        /* that aborts it; NULL: none */
    ScsiRequest req;
    uint64_t tag;
    struct iovec *data;                     /* its own copy of the data's pieces; NULL: none */
    uint64_t room;                          /* bytes of it */
} ScsiCmd;

/* ---- addresses: 5.6.6.1 ---- */

static uint32_t lun_of(const uint8_t *lun)
{
    return (lun[2] << 8 | lun[3]) & 0x3fff;
}

static bool lun_is_valid(const uint8_t *lun)
{
    return lun[0] == 1 && (lun[2] == 0 || (lun[2] >= 0x40 && lun[2] < 0x80));
}

static ScsiDevice *device_at(VirtioScsi *vs, const uint8_t *lun)
{
    return lun_is_valid(lun) ? scsi_bus_find(vs->bus, 0, lun[1], lun_of(lun)) : NULL;
}

static void put_address(uint8_t *lun, const ScsiDevice *dev)
{
    memset(lun, 0, 8);
    lun[0] = 1;
    lun[1] = dev->scsi_id;
    lun[2] = dev->lun < 256 ? 0 : 0x40 | dev->lun >> 8;
    lun[3] = dev->lun;
}

/* ---- ends of commands ---- */

static uint32_t answer_size(const VirtioScsi *vs)
{
    return sizeof(ScsiAnswer) + vs->sense_size;
}

static void cmd_answer(ScsiCmd *cmd, const ScsiAnswer *answer, const uint8_t *sense)
{
    VirtQueue *vq = cmd->elem.vq;
    uint32_t written = answer_size(cmd->vs);

    iov_from_buf(cmd->elem.in, cmd->elem.n_in, 0, answer, sizeof(*answer));
    iov_from_buf(cmd->elem.in, cmd->elem.n_in, sizeof(*answer), sense, answer->sense_len);
    if (cmd->req.dir == SCSI_FROM_DEVICE) {
        written += cmd->req.transferred;
    }
    g_clear_pointer(&cmd->data, g_free);
    virtqueue_push(vq, cmd, written);
    virtqueue_notify(vq);
}

static void cmd_refuse(ScsiCmd *cmd, uint8_t response)
{
    ScsiAnswer answer = { .response = response };

    cmd_answer(cmd, &answer, NULL);
}

static void tmf_answer(ScsiTmfReq *tmf)
{
    VirtQueue *vq = tmf->elem.vq;

    iov_from_buf(tmf->elem.in, tmf->elem.n_in, 0, &tmf->response, 1);
    virtqueue_push(vq, tmf, 1);
    virtqueue_notify(vq);
}

static void cmd_unlink(ScsiCmd *cmd)
{
    *cmd->link = cmd->next;
    if (cmd->next) {
        cmd->next->link = cmd->link;
    }
}

static void cmd_done(ScsiRequest *req)
{
    ScsiCmd *cmd = req->opaque;
    VirtioScsi *vs = cmd->vs;
    ScsiTmfReq *tmf = cmd->tmf;
    uint8_t sense[SCSI_SENSE_SIZE];
    ScsiAnswer answer = { .status = req->status };

    cmd_unlink(cmd);
    if (vs->dropping) {
        g_free(cmd->data);
        virtqueue_drop(cmd->elem.vq, cmd);
        return;
    }
    if (req->cancelled) {
        answer.status = 0;
        answer.response = RESPONSE_ABORTED;
    } else {
        answer.residual = req->len - req->transferred;
        answer.sense_len = scsi_request_take_sense(req, sense, MIN(sizeof(sense), vs->sense_size));
    }
    cmd_answer(cmd, &answer, sense);
    if (tmf && --tmf->waits == 0) {
        tmf_answer(tmf);
    }
}

static const ScsiHostOps cmd_ops = { .done = cmd_done };

/* ---- commands ---- */

/* The pieces of the data behind the first `skip` bytes. */
static void cmd_take_data(ScsiCmd *cmd, const struct iovec *iov, unsigned niov, size_t skip)
{
    while (niov && iov->iov_len <= skip) {
        skip -= iov->iov_len;
        iov++;
        niov--;
    }
    cmd->room = iov_size(iov, niov) - skip;
    if (skip) {
        cmd->data = g_memdup2(iov, niov * sizeof(*iov));
        cmd->data->iov_base = (uint8_t *)cmd->data->iov_base + skip;
        cmd->data->iov_len -= skip;
        iov = cmd->data;
    }
    cmd->req.iov = iov;
    cmd->req.niov = niov;
}

/* Puts the host's memory to the request; false: it does not fit what the CDB asks for. */
static bool cmd_attach_data(ScsiCmd *cmd)
{
    const VirtElem *elem = &cmd->elem;
    size_t head = sizeof(ScsiHead) + cmd->vs->cdb_size, answer = answer_size(cmd->vs);

    switch (cmd->req.dir) {
    case SCSI_FROM_DEVICE:
        cmd_take_data(cmd, elem->in, elem->n_in, answer);
        break;
    case SCSI_TO_DEVICE:
        cmd_take_data(cmd, elem->out, elem->n_out, head);
        break;
    case SCSI_NO_DATA:
        break;
    }
    return cmd->room >= cmd->req.len;
}

static void cmd_run(VirtioScsi *vs, ScsiCmd *cmd)
{
    uint8_t cdb[CDB_SIZE_LIMIT];
    ScsiHead head;
    size_t head_len = sizeof(head) + vs->cdb_size;
    const VirtElem *elem = &cmd->elem;

    iov_to_buf(elem->out, elem->n_out, 0, &head, sizeof(head));
    iov_to_buf(elem->out, elem->n_out, sizeof(head), cdb, vs->cdb_size);
    cmd->tag = head.id;
    ScsiDevice *dev = device_at(vs, head.lun);
    if (!dev) {
        cmd_refuse(cmd, RESPONSE_BAD_TARGET);
        return;
    }
    if (elem->out_len > head_len && elem->in_len > answer_size(vs)) {
        cmd_refuse(cmd, RESPONSE_FAILURE);          /* bidirectional was not offered */
        return;
    }
    scsi_request_init(&cmd->req, &dev->unit, &cmd_ops, cmd, lun_of(head.lun), cdb, vs->cdb_size);
    if (!cmd_attach_data(cmd)) {
        cmd_refuse(cmd, RESPONSE_OVERRUN);
        return;
    }
    cmd->next = vs->commands;
    cmd->link = &vs->commands;
    if (cmd->next) {
        cmd->next->link = &cmd->next;
    }
    vs->commands = cmd;
    scsi_request_start(&cmd->req);
}

static bool cmd_take(VirtioScsi *vs, VirtQueue *vq)
{
    ScsiCmd *cmd = virtqueue_pop(vq);

    if (!cmd) {
        return false;
    }
    if (cmd->elem.out_len < sizeof(ScsiHead) + vs->cdb_size || cmd->elem.in_len < answer_size(vs)) {
        virtio_error(&vs->vdev, "a command without header or room for its answer");
        virtqueue_drop(vq, cmd);
        return false;
    }
    cmd->vs = vs;
    cmd->tmf = NULL;
    cmd->data = NULL;
    cmd->room = 0;
    memset(&cmd->req, 0, sizeof(cmd->req));
    cmd_run(vs, cmd);
    return true;
}

static void handle_commands(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);
    unsigned budget = 2 * vs->queue_size;           /* a driver may not keep us here for ever */

    do {
        virtqueue_set_notification(vq, false);
        while (budget > 0 && cmd_take(vs, vq)) {
            budget--;
        }
        virtqueue_set_notification(vq, true);
    } while (budget > 0 && !virtqueue_empty(vq));
    if (budget == 0) {
        virtqueue_reschedule(vq);
    }
}

/* ---- task management ---- */

static bool cmd_matches(const ScsiCmd *cmd, const ScsiTmf *head, const ScsiDevice *dev)
{
    const ScsiUnit *unit = cmd->req.unit;

    switch (head->subtype) {
    case TMF_ABORT_TASK:
    case TMF_QUERY_TASK:
        return unit == &dev->unit && cmd->tag == head->id;
    case TMF_NEXUS_RESET:
        return unit->dev->scsi_id == dev->scsi_id;
    default:
        return unit == &dev->unit;
    }
}

static void tmf_abort(VirtioScsi *vs, ScsiTmfReq *tmf, const ScsiTmf *head, const ScsiDevice *dev)
{
    for (ScsiCmd *cmd = vs->commands, *next; cmd; cmd = next) {
        next = cmd->next;
        if (cmd_matches(cmd, head, dev) && !cmd->tmf) {
            cmd->tmf = tmf;
            tmf->waits++;
            scsi_request_cancel(&cmd->req);
        }
    }
}

static void tmf_clear_units(VirtioScsi *vs, const ScsiTmf *head, const ScsiDevice *dev)
{
    for (guint i = 0; i < vs->bus->bus.devices->len; i++) {
        ScsiDevice *each = g_ptr_array_index(vs->bus->bus.devices, i);

        if (each == dev || (head->subtype == TMF_NEXUS_RESET && each->scsi_id == dev->scsi_id)) {
            scsi_unit_clear(&each->unit);
        }
    }
}

static uint8_t tmf_query(const VirtioScsi *vs, const ScsiTmf *head, const ScsiDevice *dev)
{
    for (const ScsiCmd *cmd = vs->commands; cmd; cmd = cmd->next) {
        if (cmd_matches(cmd, head, dev)) {
            return TMF_SUCCEEDED;
        }
    }
    return TMF_COMPLETE;
}

static uint8_t tmf_run(VirtioScsi *vs, ScsiTmfReq *tmf, const ScsiTmf *head)
{
    const ScsiDevice *dev = device_at(vs, head->lun);

    if (!dev) {
        return RESPONSE_BAD_TARGET;
    }
    if (head->subtype != TMF_NEXUS_RESET && dev->lun != lun_of(head->lun)) {
        return TMF_INCORRECT_LUN;
    }
    switch (head->subtype) {
    case TMF_QUERY_TASK:
    case TMF_QUERY_TASK_SET:
        return tmf_query(vs, head, dev);
    case TMF_LUN_RESET:
    case TMF_NEXUS_RESET:
        tmf_clear_units(vs, head, dev);
        tmf_abort(vs, tmf, head, dev);
        return TMF_COMPLETE;
    case TMF_ABORT_TASK:
    case TMF_ABORT_TASK_SET:
    case TMF_CLEAR_TASK_SET:
        tmf_abort(vs, tmf, head, dev);
        return TMF_COMPLETE;
    default:
        return TMF_REJECTED;
    }
}

/* False: the driver broke a rule. */
static bool control_tmf(VirtioScsi *vs, ScsiTmfReq *tmf)
{
    ScsiTmf head;

    if (tmf->elem.out_len < sizeof(head) || tmf->elem.in_len < 1) {
        return false;
    }
    iov_to_buf(tmf->elem.out, tmf->elem.n_out, 0, &head, sizeof(head));
    tmf->waits = 1;                                 /* of this function */
    tmf->response = tmf_run(vs, tmf, &head);
    if (--tmf->waits == 0) {
        tmf_answer(tmf);
    }
    return true;
}

/* 5.6.6.2: there is no asynchronous event to ask or subscribe for. */
static bool control_an(VirtioScsi *vs, ScsiTmfReq *tmf)
{
    ScsiAnAnswer answer = { 0, RESPONSE_OK };
    VirtQueue *vq = tmf->elem.vq;
    ScsiAn head;

    if (tmf->elem.out_len < sizeof(head) || tmf->elem.in_len < sizeof(answer)) {
        return false;
    }
    iov_to_buf(tmf->elem.out, tmf->elem.n_out, 0, &head, sizeof(head));
    answer.response = device_at(vs, head.lun) ? RESPONSE_OK : RESPONSE_BAD_TARGET;
    iov_from_buf(tmf->elem.in, tmf->elem.n_in, 0, &answer, sizeof(answer));
    virtqueue_push(vq, tmf, sizeof(answer));
    virtqueue_notify(vq);
    return true;
}

static void handle_control(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);
    unsigned budget = 2 * vs->queue_size;
    ScsiTmfReq *tmf;

    while (budget-- > 0 && (tmf = virtqueue_pop(vq))) {
        uint32_t type = UINT32_MAX;
        bool ok = false;

        iov_to_buf(tmf->elem.out, tmf->elem.n_out, 0, &type, sizeof(type));
        if (type == CONTROL_TMF) {
            ok = control_tmf(vs, tmf);
        } else if (type == CONTROL_AN_QUERY || type == CONTROL_AN_SUBSCRIBE) {
            ok = control_an(vs, tmf);
        }
        if (!ok) {
            virtio_error(vdev, "a control request of type %u that is not whole", type);
            virtqueue_drop(vq, tmf);
            return;
        }
    }
    if (!virtqueue_empty(vq)) {
        virtqueue_reschedule(vq);
    }
}

/* ---- events ---- */

static void send_event(VirtioScsi *vs, const ScsiDevice *dev, uint32_t event, uint32_t reason)
{
    ScsiEvent answer = { .event = event, .reason = reason };

    if (!vs->vdev.started || !virtqueue_ready(vs->event)) {
        return;
    }
    VirtElem *elem = virtqueue_pop(vs->event);
    if (!elem) {
        vs->events_missed = true;
        return;
    }
    if (elem->in_len < sizeof(answer)) {
        virtio_error(&vs->vdev, "an event buffer of %zu bytes", elem->in_len);
        virtqueue_drop(vs->event, elem);
        return;
    }
    if (vs->events_missed) {
        answer.event |= EVENTS_MISSED;
        vs->events_missed = false;
    }
    if (dev) {
        put_address(answer.lun, dev);
    }
    iov_from_buf(elem->in, elem->n_in, 0, &answer, sizeof(answer));
    virtqueue_push(vs->event, elem, sizeof(answer));
    virtqueue_notify(vs->event);
}

static void handle_event(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);

    if (vs->events_missed) {
        send_event(vs, NULL, EVENT_NONE, 0);
    }
}

static void device_added(ScsiBus *bus, ScsiDevice *dev)
{
    VirtioScsi *vs = bus->opaque;

    if (dev->dev.vm->built && virtio_has(&vs->vdev, SCSI_F_HOTPLUG)) {
        send_event(vs, dev, EVENT_TRANSPORT_RESET, REASON_RESCAN);
    }
}

static void device_removed(ScsiBus *bus, ScsiDevice *dev)
{
    VirtioScsi *vs = bus->opaque;

    if (virtio_has(&vs->vdev, SCSI_F_HOTPLUG)) {
        send_event(vs, dev, EVENT_TRANSPORT_RESET, REASON_REMOVED);
    }
}

static void device_changed(ScsiBus *bus, ScsiDevice *dev, ScsiSense what)
{
    VirtioScsi *vs = bus->opaque;

    if (virtio_has(&vs->vdev, SCSI_F_CHANGE) && dev->unit.kind != SCSI_CD) {
        send_event(vs, dev, EVENT_PARAM_CHANGE, what.asc | what.ascq << 8);
    }
}

static const ScsiBusOps bus_ops = {
    .added = device_added, .removed = device_removed, .changed = device_changed,
};

/* ---- configuration space ---- */

static void scsi_config_get(VirtioDevice *vdev, uint8_t *config)
{
    const VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);
    ScsiConfig values = {
        .num_queues = vs->num_queues,
        .seg_max = (vs->seg_max_adjust ? vs->queue_size : 128) - 2,
        .max_sectors = vs->max_sectors, .cmd_per_lun = vs->cmd_per_lun,
        .event_info_size = sizeof(ScsiEvent),
        .sense_size = vs->sense_size, .cdb_size = vs->cdb_size,
        .max_channel = MAX_CHANNEL, .max_target = MAX_TARGET, .max_lun = MAX_LUN,
    };

    memcpy(config, &values, sizeof(values));
}

static void scsi_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);
    ScsiConfig values;

    memcpy(&values, config, sizeof(values));
    if (vs->commands) {
        return;                             /* 5.6.4.1: set before there are commands */
    }
    if (values.sense_size > SENSE_SIZE_LIMIT || !values.cdb_size ||
        values.cdb_size > CDB_SIZE_LIMIT) {
        virtio_error(vdev, "sense size %u, CDB size %u", values.sense_size, values.cdb_size);
        return;
    }
    vs->sense_size = values.sense_size;
    vs->cdb_size = values.cdb_size;
}

static uint64_t scsi_features(VirtioDevice *vdev)
{
    const VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);

    return (vs->hotplug ? VIRTIO_BIT(SCSI_F_HOTPLUG) : 0) |
           (vs->param_change ? VIRTIO_BIT(SCSI_F_CHANGE) : 0);
}

/* ---- starting and stopping ---- */

static void foreach_unit(VirtioScsi *vs, void (*fn)(ScsiUnit *unit))
{
    for (guint i = 0; vs->bus && i < vs->bus->bus.devices->len; i++) {
        ScsiDevice *dev = g_ptr_array_index(vs->bus->bus.devices, i);

        if (dev->unit.owner) {
            fn(&dev->unit);
        }
    }
}

static void unit_drain(ScsiUnit *unit)
{
    if (unit->requests) {
        block_drain(unit->conf->blk);
    }
}

/* Task management that waited goes with the commands it waited for. */
static void scsi_stop(VirtioDevice *vdev)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);

    for (ScsiCmd *cmd = vs->commands; cmd; cmd = cmd->next) {
        ScsiTmfReq *tmf = cmd->tmf;

        cmd->tmf = NULL;
        if (tmf && --tmf->waits == 0) {
            virtqueue_drop(tmf->elem.vq, tmf);
        }
    }
    vs->dropping = true;
    if (vs->commands) {
        foreach_unit(vs, scsi_unit_purge);
    }
    vs->dropping = false;
    vs->events_missed = false;
}

static void scsi_queue_stop(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);

    foreach_unit(vs, scsi_unit_purge);
}

static void scsi_running(VirtioDevice *vdev, bool running)
{
    if (!running) {
        foreach_unit(DEVICE_CAST(&vdev->dev, VirtioScsi), unit_drain);
    }
}

static void scsi_reset(VirtioDevice *vdev)
{
    VirtioScsi *vs = DEVICE_CAST(&vdev->dev, VirtioScsi);

    vs->sense_size = SENSE_SIZE_DEFAULT;
    vs->cdb_size = CDB_SIZE_DEFAULT;
    foreach_unit(vs, scsi_unit_reset);
}

/* ---- saved state ---- */

static const StateField scsi_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc scsi_state = {
    .name = "virtio-scsi", .version = 1, .fields = scsi_fields,
};

/* ---- properties ---- */

static const Property scsi_props[] = {
    PROP_UINT32(VirtioScsi, num_queues, .name = "num_queues", .def = QUEUES_AUTO,
                .help = "request queues; default: 1"),
    PROP_UINT32(VirtioScsi, queue_size, .name = "virtqueue_size", .def = 256,
                .help = "entries of a queue, a power of two"),
    PROP_BOOL(VirtioScsi, seg_max_adjust, .name = "seg_max_adjust", .def = true,
              .help = "pieces of a command follow from virtqueue_size"),
    PROP_UINT32(VirtioScsi, max_sectors, .name = "max_sectors", .def = 0xffff,
                .help = "longest transfer told to the guest, sectors of 512 bytes"),
    PROP_UINT32(VirtioScsi, cmd_per_lun, .name = "cmd_per_lun", .def = 128,
                .help = "commands of a logical unit at once, as told to the guest"),
    PROP_BOOL(VirtioScsi, hotplug, .name = "hotplug", .def = true,
              .help = "tell the guest of devices that come and go"),
    PROP_BOOL(VirtioScsi, param_change, .name = "param_change", .def = true,
              .help = "tell the guest of capacities that change"),
    PROP_IOTHREAD(VirtioScsi, iothread, .name = "iothread", .hidden = true,
                  .help = "must be left out: the queues are the main thread's"),
    {}
};

/* ---- life ---- */

static bool scsi_check(VirtioScsi *vs, GError **error)
{
    if (vs->num_queues == QUEUES_AUTO) {
        vs->num_queues = 1;
    }
    if (vs->num_queues == 0 || vs->num_queues > VIRTIO_MAX_QUEUES - FIXED_QUEUES) {
        set_error(error, "Invalid number of queues (= %u), must be a positive integer less than "
                  "%d.", vs->num_queues, VIRTIO_MAX_QUEUES - FIXED_QUEUES + 1);
        return false;
    }
    if (vs->queue_size <= 2 || vs->queue_size > VIRTQUEUE_MAX_SIZE ||
        vs->queue_size & (vs->queue_size - 1)) {
        set_error(error, "invalid virtqueue_size property (= %u), must be a power of 2 (max %d)",
                  vs->queue_size, VIRTQUEUE_MAX_SIZE);
        return false;
    }
    if (vs->iothread) {
        set_error(error, "iothread=: virtio-scsi has no data path of its own; leave it out");
        return false;
    }
    return true;
}

static bool scsi_realize(Device *dev, GError **error)
{
    VirtioScsi *vs = DEVICE_CAST(dev, VirtioScsi);
    const char *id = dev->outside ? dev->outside->id : dev->id;
    g_autofree char *name = id ? g_strdup_printf("%s.0", id) : NULL;

    if (!scsi_check(vs, error)) {
        return false;
    }
    virtio_init(&vs->vdev, sizeof(ScsiConfig));
    vs->control = virtio_add_queue(&vs->vdev, vs->queue_size, handle_control, sizeof(ScsiTmfReq));
    vs->event = virtio_add_queue(&vs->vdev, vs->queue_size, handle_event, sizeof(VirtElem));
    for (uint32_t i = 0; i < vs->num_queues; i++) {
        virtio_add_queue(&vs->vdev, vs->queue_size, handle_commands, sizeof(ScsiCmd));
    }
    vs->sense_size = SENSE_SIZE_DEFAULT;
    vs->cdb_size = CDB_SIZE_DEFAULT;
    vs->bus = scsi_bus_new(dev, name, &bus_ops, vs, MAX_CHANNEL, MAX_TARGET, MAX_LUN);
    return true;
}

/* The bus and what was on it are gone already, and with them every command. */
static void scsi_unrealize(Device *dev)
{
    VirtioScsi *vs = DEVICE_CAST(dev, VirtioScsi);

    vs->bus = NULL;
    if (vs->control) {
        virtio_finish(&vs->vdev);
    }
}

static const VirtioClass scsi_class = {
    .device_id = VIRTIO_ID_SCSI, .name = "virtio-scsi", .features = scsi_features,
    .config_get = scsi_config_get, .config_set = scsi_config_set, .stop = scsi_stop,
    .reset = scsi_reset, .queue_stop = scsi_queue_stop, .running = scsi_running,
};

const DeviceType virtio_scsi_device_type = {
    .name = "virtio-scsi-device", .category = "storage", .bus = &virtio_bus_type,
    .bus_class = &scsi_class, .size = sizeof(VirtioScsi), .props = scsi_props,
    .state = &scsi_state,
    .realize = scsi_realize, .unrealize = scsi_unrealize,
};

#define SCSI_PCI_PROPS \
    VIRTIO_PCI_PROP_IOEVENTFD, VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), \
    VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_scsi_pci, "virtio-scsi", "storage", virtio_scsi_device_type,
                 SCSI_PCI_PROPS, .class_id = 0x0100)
