/*
 * Virtio block device: VIRTIO 1.2, 5.2.
 *
 * With iothread= the queue is served on that thread without the machine lock, while the driver
 * runs it.  Requests go to the block layer as they come; what was popped together is submitted
 * together, and what ends together is told by one interrupt.
 *
 * Not modelled: several queues, SCSI pass-through, lifetime, secure erase, zones.
 */
#include <string.h>

#include "block.h"
#include "iothread.h"
#include "rhea_error.h"
#include "virtio_devices.h"
#include "virtio_pci.h"

/* Feature bits: 5.2.3. */
enum {
    BLK_F_SEG_MAX = 2, BLK_F_GEOMETRY = 4, BLK_F_RO = 5, BLK_F_BLK_SIZE = 6, BLK_F_FLUSH = 9,
    BLK_F_TOPOLOGY = 10, BLK_F_CONFIG_WCE = 11, BLK_F_DISCARD = 13, BLK_F_WRITE_ZEROES = 14,
};

/* Configuration space: 5.2.4. */
enum {
    BLK_CAPACITY = 0, BLK_SEG_MAX = 12, BLK_CYLINDERS = 16, BLK_HEADS = 18, BLK_SECTORS = 19,
    BLK_BLOCK_SIZE = 20, BLK_PHYSICAL_EXP = 24, BLK_MIN_IO = 26, BLK_OPT_IO = 28,
    BLK_WRITEBACK = 32, BLK_NUM_QUEUES = 34, BLK_MAX_DISCARD = 36, BLK_MAX_DISCARD_SEG = 40,
    BLK_DISCARD_ALIGN = 44, BLK_MAX_ZEROES = 48, BLK_MAX_ZEROES_SEG = 52, BLK_ZEROES_UNMAP = 56,
    BLK_CONFIG_SIZE = 60,
};

/* Requests: 5.2.6. */
enum { BLK_T_IN = 0, BLK_T_OUT = 1, BLK_T_FLUSH = 4, BLK_T_GET_ID = 8, BLK_T_DISCARD = 11,
       BLK_T_WRITE_ZEROES = 13 };
enum { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };
enum { BLK_ID_BYTES = 20, BLK_ZEROES_FLAG_UNMAP = 1 };
typedef struct BlkHeader { uint32_t type, ioprio; uint64_t sector; } BlkHeader;
typedef struct BlkRange { uint64_t sector; uint32_t count, flags; } BlkRange;

#define BLK_QUEUES_AUTO UINT16_MAX

typedef struct VirtioBlk {
    VirtioDevice vdev;
    /* configuration */
    BlockConf conf;
    IoThread *iothread;
    char *serial;
    bool config_wce, scsi, request_merging, seg_max_adjust, discard, report_discard_granularity;
    bool write_zeroes, enable_wce_if_config_wce;
    uint16_t num_queues, queue_size;
    uint32_t max_discard_sectors, max_zeroes_sectors;
    /* wiring */
    VirtQueue *queue;
    bool attached;
    bool original_wce;                      /* the drive's; a reset gives it back */
    /* the queue's thread */
    BlockBatch batch;
    bool unflushed;                         /* ended requests the driver was not told of */
    GQueue requests;                        /* BlkReq.link: under way, or parked by werror=stop */
    /* what a load found under way: uint16_t heads, sent again when the machine runs; NULL: none */
    GArray *loaded_heads;
} VirtioBlk;

typedef struct BlkReq {
    VirtElem elem;                          /* first */
    VirtioBlk *vblk;
    BlockReq block;
    GList link;                             /* in VirtioBlk.requests once submitted */
    uint8_t *status;                        /* the last byte the driver lets us write */
} BlkReq;

/* ---- ends of requests ---- */

static void blk_finish(BlkReq *req, uint8_t status)
{
    VirtioBlk *vblk = req->vblk;

    *req->status = status;
    dma_written(req->status, 1);
    virtqueue_fill(vblk->queue, req, req->elem.in_len);
    vblk->unflushed = true;
}

/* Everything that has ended so far, with one interrupt. */
static void blk_tell(void *opaque)
{
    VirtioBlk *vblk = opaque;

    if (vblk->unflushed) {
        vblk->unflushed = false;
        virtqueue_flush(vblk->queue);
        virtqueue_notify(vblk->queue);
    }
}

static void blk_done(BlockReq *block, int ret)
{
    BlkReq *req = block->opaque;
    VirtioBlk *vblk = req->vblk;

    g_queue_unlink(&vblk->requests, &req->link);
    blk_finish(req, ret < 0 ? BLK_S_IOERR : BLK_S_OK);
    block_batch_add(vblk->conf.blk, &vblk->batch);
}

/* ---- beginnings ---- */

static void blk_submit(BlkReq *req, BlockOp op, uint64_t offset, uint64_t len, unsigned flags)
{
    req->block = (BlockReq){ .op = op, .flags = flags, .offset = offset, .len = len,
                             .done = blk_done, .opaque = req };
    if (op == BLOCK_READ) {
        req->block.iov = req->elem.in;
        req->block.niov = req->elem.n_in;
    } else if (op == BLOCK_WRITE) {
        req->block.iov = req->elem.out;
        req->block.niov = req->elem.n_out;
    }
    req->link = (GList){ .data = req };
    g_queue_push_tail_link(&req->vblk->requests, &req->link);
    block_submit(req->vblk->conf.blk, &req->block);
}

/* A sector number may be any 64 bits: the end of the disk is the block layer's to check. */
static bool blk_offset(const VirtioBlk *vblk, uint64_t sector, uint64_t len, uint64_t *offset)
{
    *offset = sector * BLOCK_SECTOR_SIZE;
    return sector <= INT64_MAX / BLOCK_SECTOR_SIZE &&
           *offset % vblk->conf.logical_block_size == 0 && len % vblk->conf.logical_block_size == 0;
}

static void blk_transfer(BlkReq *req, uint64_t sector, BlockOp op)
{
    const VirtElem *elem = &req->elem;
    uint64_t len = op == BLOCK_READ ? iov_size(elem->in, elem->n_in)
                                    : iov_size(elem->out, elem->n_out);
    uint64_t offset;

    if (!blk_offset(req->vblk, sector, len, &offset)) {
        blk_finish(req, BLK_S_IOERR);
    } else if (len == 0) {
        blk_finish(req, BLK_S_OK);
    } else {
        blk_submit(req, op, offset, len, 0);
    }
}

/* 5.2.6.2: one range, as the configuration space says. */
static void blk_range(BlkReq *req, BlockOp op)
{
    const VirtioBlk *vblk = req->vblk;
    uint32_t max = op == BLOCK_ZERO ? vblk->max_zeroes_sectors : vblk->max_discard_sectors;
    uint32_t known = op == BLOCK_ZERO ? BLK_ZEROES_FLAG_UNMAP : 0;
    BlkRange range;
    uint64_t offset;

    if (iov_to_buf(req->elem.out, req->elem.n_out, 0, &range, sizeof(range)) != sizeof(range)) {
        blk_finish(req, BLK_S_IOERR);
    } else if (range.flags & ~known) {
        blk_finish(req, BLK_S_UNSUPP);
    } else if (range.count > max ||
               !blk_offset(vblk, range.sector, (uint64_t)range.count * BLOCK_SECTOR_SIZE,
                           &offset)) {
        blk_finish(req, BLK_S_IOERR);
    } else {
        blk_submit(req, op, offset, (uint64_t)range.count * BLOCK_SECTOR_SIZE,
                   range.flags & BLK_ZEROES_FLAG_UNMAP ? BLOCK_REQ_MAY_UNMAP : 0);
    }
}

static void blk_get_id(BlkReq *req)
{
    char id[BLK_ID_BYTES] = "";

    strncpy(id, req->vblk->serial != NULL ? req->vblk->serial : "", sizeof(id));
    iov_from_buf(req->elem.in, req->elem.n_in, 0, id, sizeof(id));
    blk_finish(req, BLK_S_OK);
}

static void blk_start(BlkReq *req, const BlkHeader *header)
{
    const VirtioDevice *vdev = &req->vblk->vdev;

    switch (header->type) {
    case BLK_T_IN:
        blk_transfer(req, header->sector, BLOCK_READ);
        return;
    case BLK_T_OUT:
        blk_transfer(req, header->sector, BLOCK_WRITE);
        return;
    case BLK_T_FLUSH:
        blk_submit(req, BLOCK_FLUSH, 0, 0, 0);
        return;
    case BLK_T_GET_ID:
        blk_get_id(req);
        return;
    case BLK_T_DISCARD:
        if (virtio_has(vdev, BLK_F_DISCARD)) {
            blk_range(req, BLOCK_DISCARD);
            return;
        }
        break;
    case BLK_T_WRITE_ZEROES:
        if (virtio_has(vdev, BLK_F_WRITE_ZEROES)) {
            blk_range(req, BLOCK_ZERO);
            return;
        }
        break;
    }
    blk_finish(req, BLK_S_UNSUPP);
}

/* Takes the header off the front and the status byte off the back. */
static bool blk_unwrap(VirtioBlk *vblk, BlkReq *req, BlkHeader *header)
{
    VirtElem *elem = &req->elem;

    req->vblk = vblk;
    if (elem->out_len < sizeof(*header) || elem->in_len < 1) {
        virtio_error(&vblk->vdev, "a request without header or status");
        return false;
    }
    iov_to_buf(elem->out, elem->n_out, 0, header, sizeof(*header));
    iov_drop_front(&elem->out, &elem->n_out, sizeof(*header));
    const struct iovec *last = &elem->in[elem->n_in - 1];
    req->status = (uint8_t *)last->iov_base + last->iov_len - 1;
    iov_drop_back(elem->in, &elem->n_in, 1);
    return true;
}

/* False: there was none, or none that makes sense. */
static bool blk_begin(VirtioBlk *vblk, BlkReq *req)
{
    BlkHeader header;

    if (req == NULL) {
        return false;
    }
    if (!blk_unwrap(vblk, req, &header)) {
        virtqueue_drop(vblk->queue, req);
        return false;
    }
    blk_start(req, &header);
    return true;
}

static void blk_begin_loaded(VirtioBlk *vblk)
{
    g_autoptr(GArray) heads = g_steal_pointer(&vblk->loaded_heads);

    for (guint i = 0; heads != NULL && i < heads->len; i++) {
        blk_begin(vblk, virtqueue_pop_head(vblk->queue, g_array_index(heads, uint16_t, i)));
    }
}

static void blk_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);
    unsigned budget = 2 * vblk->queue_size;         /* a driver may not keep us here for ever */

    block_plug(vblk->conf.blk);
    blk_begin_loaded(vblk);
    do {
        virtqueue_set_notification(vq, false);
        while (budget > 0 && blk_begin(vblk, virtqueue_pop(vq))) {
            budget--;
        }
        virtqueue_set_notification(vq, true);
    } while (budget > 0 && !virtqueue_empty(vq));
    block_unplug(vblk->conf.blk);
    blk_tell(vblk);
    if (budget == 0) {
        virtqueue_reschedule(vq);
    }
}

/* ---- configuration space ---- */

static void put16(uint8_t *config, unsigned offset, uint16_t value)
{
    memcpy(config + offset, &value, 2);
}

static void put32(uint8_t *config, unsigned offset, uint32_t value)
{
    memcpy(config + offset, &value, 4);
}

static uint32_t blk_seg_max(const VirtioBlk *vblk)
{
    return (vblk->seg_max_adjust ? vblk->queue_size : 128) - 2;
}

static uint32_t blk_discard_align(const VirtioBlk *vblk)
{
    uint32_t granularity = vblk->conf.discard_granularity;

    if (!vblk->report_discard_granularity || granularity == UINT32_MAX || granularity == 0) {
        granularity = vblk->conf.logical_block_size;
    }
    return granularity / BLOCK_SECTOR_SIZE;
}

static void blk_config_get(VirtioDevice *vdev, uint8_t *config)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);
    const BlockConf *conf = &vblk->conf;
    uint64_t sectors = block_backend_size(conf->blk) / BLOCK_SECTOR_SIZE;

    memset(config, 0, BLK_CONFIG_SIZE);
    memcpy(config + BLK_CAPACITY, &sectors, 8);
    put32(config, BLK_SEG_MAX, blk_seg_max(vblk));
    put16(config, BLK_CYLINDERS, MIN(conf->cyls, UINT16_MAX));
    config[BLK_HEADS] = conf->heads;
    config[BLK_SECTORS] = conf->secs;
    put32(config, BLK_BLOCK_SIZE, conf->logical_block_size);
    config[BLK_PHYSICAL_EXP] =
        __builtin_ctz(MAX(conf->physical_block_size / conf->logical_block_size, 1));
    put16(config, BLK_MIN_IO, conf->min_io_size / conf->logical_block_size);
    put32(config, BLK_OPT_IO, conf->opt_io_size / conf->logical_block_size);
    config[BLK_WRITEBACK] = block_backend_write_cache(conf->blk);
    put16(config, BLK_NUM_QUEUES, vblk->num_queues);
    put32(config, BLK_MAX_DISCARD, vblk->discard ? vblk->max_discard_sectors : 0);
    put32(config, BLK_MAX_DISCARD_SEG, vblk->discard);
    put32(config, BLK_DISCARD_ALIGN, vblk->discard ? blk_discard_align(vblk) : 0);
    put32(config, BLK_MAX_ZEROES, vblk->write_zeroes ? vblk->max_zeroes_sectors : 0);
    put32(config, BLK_MAX_ZEROES_SEG, vblk->write_zeroes);
    config[BLK_ZEROES_UNMAP] = vblk->write_zeroes;
}

static void blk_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);

    if (virtio_has(vdev, BLK_F_CONFIG_WCE)) {
        block_backend_set_write_cache(vblk->conf.blk, config[BLK_WRITEBACK] != 0);
    }
}

static uint64_t blk_features(VirtioDevice *vdev)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);
    const struct { bool on; unsigned bit; } rows[] = {
        { true, BLK_F_SEG_MAX }, { true, BLK_F_GEOMETRY }, { true, BLK_F_BLK_SIZE },
        { true, BLK_F_TOPOLOGY },
        { block_backend_read_only(vblk->conf.blk), BLK_F_RO },
        { block_backend_write_cache(vblk->conf.blk) ||
          (vblk->config_wce && vblk->enable_wce_if_config_wce), BLK_F_FLUSH },
        { vblk->config_wce, BLK_F_CONFIG_WCE },
        { vblk->discard, BLK_F_DISCARD },
        { vblk->write_zeroes, BLK_F_WRITE_ZEROES },
    };
    uint64_t features = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        features |= rows[i].on ? VIRTIO_BIT(rows[i].bit) : 0;
    }
    return features;
}

/* ---- starting and stopping ---- */

static void blk_start_device(VirtioDevice *vdev)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);

    /* 5.2.6.1: a driver that knows neither flush nor the cache's switch wants it written through. */
    if (!virtio_has(vdev, BLK_F_CONFIG_WCE)) {
        block_backend_set_write_cache(vblk->conf.blk, virtio_has(vdev, BLK_F_FLUSH));
    }
    if (vblk->iothread != NULL) {
        block_backend_set_context(vblk->conf.blk, block_context_of(vblk->iothread));
        virtio_queue_set_context(vblk->queue, vblk->iothread->context);
    }
}

static void nothing(void *opaque)
{
}

/* All requests ended, and their ends told: the iothread is not in the middle of either. */
static void blk_quiesce(VirtioBlk *vblk, bool drop_parked)
{
    if (drop_parked) {
        block_drop_parked(vblk->conf.blk);
    }
    block_drain(vblk->conf.blk);
    if (vblk->iothread != NULL && vblk->vdev.started) {
        context_run(vblk->iothread->context, nothing, NULL);
    }
}

static void blk_stop(VirtioDevice *vdev)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);

    blk_quiesce(vblk, true);
    if (vblk->iothread != NULL) {
        block_backend_set_context(vblk->conf.blk, NULL);
    }
}

static void blk_queue_stop(VirtioDevice *vdev, VirtQueue *vq)
{
    blk_quiesce(DEVICE_CAST(&vdev->dev, VirtioBlk), true);
}

static void blk_running(VirtioDevice *vdev, bool running)
{
    if (!running) {
        blk_quiesce(DEVICE_CAST(&vdev->dev, VirtioBlk), false);
    }
}

static void blk_reset(VirtioDevice *vdev)
{
    VirtioBlk *vblk = DEVICE_CAST(&vdev->dev, VirtioBlk);

    g_clear_pointer(&vblk->loaded_heads, g_array_unref);
    block_backend_set_write_cache(vblk->conf.blk, vblk->original_wce);
}

static void blk_resized(void *opaque)
{
    virtio_config_changed(opaque);
}

/* ---- saved state ---- */

/* A 1 and the head of each request that werror=stop has parked, then a 0. */
static void requests_save(void *opaque, GByteArray *out)
{
    const VirtioBlk *vblk = opaque;

    for (const GList *link = vblk->requests.head; link != NULL; link = link->next) {
        state_put_be(out, 1, 1);
        state_put_be(out, virtqueue_head(link->data), 2);
    }
    for (guint i = 0; vblk->loaded_heads != NULL && i < vblk->loaded_heads->len; i++) {
        state_put_be(out, 1, 1);
        state_put_be(out, g_array_index(vblk->loaded_heads, uint16_t, i), 2);
    }
    state_put_be(out, 0, 1);
}

static bool requests_load(void *opaque, StateReader *in, GError **error)
{
    VirtioBlk *vblk = opaque;
    uint64_t more, head;

    for (;;) {
        if (!state_read_be(in, 1, &more, error)) {
            return false;
        }
        if (more == 0) {
            return true;
        }
        if (!state_read_be(in, 2, &head, error)) {
            return false;
        }
        if (vblk->loaded_heads == NULL) {
            vblk->loaded_heads = g_array_new(FALSE, FALSE, sizeof(uint16_t));
        }
        if (vblk->loaded_heads->len >= vblk->queue_size) {
            set_error(error, "more requests under way than the queue has entries");
            return false;
        }
        uint16_t value = head;

        g_array_append_val(vblk->loaded_heads, value);
    }
}

static const StateCustom requests_custom = { requests_save, requests_load };
static const StateField own_fields[] = { STATE_CUSTOM("requests", requests_custom), {} };
static const StateDesc own_state = {
    .name = "virtio-blk-requests", .version = 1, .fields = own_fields,
};
static const StateField blk_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc blk_state = {
    .name = "virtio-blk", .version = 2, .min_version = 2, .fields = blk_fields,
};

/* ---- properties ---- */

static const Property blk_props[] = {
    BLOCK_CONF_PROPS(VirtioBlk, conf),
    BLOCK_ERROR_PROPS(VirtioBlk, conf),
    BLOCK_GEOMETRY_PROPS(VirtioBlk, conf),
    PROP_STRING(VirtioBlk, serial, .name = "serial", .help = "serial number, 20 bytes"),
    PROP_BOOL(VirtioBlk, config_wce, .name = "config-wce", .def = true,
              .help = "the guest can switch the write cache"),
    PROP_BOOL(VirtioBlk, scsi, .name = "scsi", .help = "SCSI pass-through (only off)"),
    PROP_BOOL(VirtioBlk, request_merging, .name = "request-merging", .def = true,
              .help = "neighbouring requests may go to the host as one"),
    PROP_UINT16(VirtioBlk, num_queues, .name = "num-queues", .def = BLK_QUEUES_AUTO,
                .help = "request queues (only 1)"),
    PROP_UINT16(VirtioBlk, queue_size, .name = "queue-size", .def = 256,
                .help = "entries of a queue, a power of two"),
    PROP_BOOL(VirtioBlk, seg_max_adjust, .name = "seg-max-adjust", .def = true,
              .help = "pieces of a request follow from queue-size"),
    PROP_BOOL(VirtioBlk, discard, .name = "discard", .def = true,
              .help = "the guest can discard"),
    PROP_BOOL(VirtioBlk, report_discard_granularity, .name = "report-discard-granularity",
              .def = true, .help = "tell the guest discard_granularity"),
    PROP_BOOL(VirtioBlk, write_zeroes, .name = "write-zeroes", .def = true,
              .help = "the guest can write zeroes without sending them"),
    PROP_UINT32(VirtioBlk, max_discard_sectors, .name = "max-discard-sectors",
                .def = INT32_MAX / BLOCK_SECTOR_SIZE, .help = "most sectors to discard at once"),
    PROP_UINT32(VirtioBlk, max_zeroes_sectors, .name = "max-write-zeroes-sectors",
                .def = INT32_MAX / BLOCK_SECTOR_SIZE, .help = "most sectors to zero at once"),
    PROP_BOOL(VirtioBlk, enable_wce_if_config_wce, .name = "x-enable-wce-if-config-wce",
              .def = true, .help = "offer flushing wherever the cache can be switched on"),
    PROP_BOOTINDEX(VirtioBlk, conf.bootindex),
    PROP_IOTHREAD(VirtioBlk, iothread, .name = "iothread", .hidden = true,
                  .help = "id of the iothread that serves the queue"),
    {}
};

/* ---- life ---- */

static bool check_sectors(const char *name, uint32_t value, GError **error)
{
    if (value == 0 || value > INT32_MAX / BLOCK_SECTOR_SIZE) {
        set_error(error, "invalid %s property (%u), must be between 1 and %d", name, value,
                  INT32_MAX / BLOCK_SECTOR_SIZE);
        return false;
    }
    return true;
}

static bool blk_check(VirtioBlk *vblk, GError **error)
{
    if (vblk->conf.blk == NULL) {
        set_error(error, "drive property not set");
        return false;
    }
    if (block_backend_node(vblk->conf.blk) == NULL) {
        set_error(error, "Device needs media, but drive is empty");
        return false;
    }
    if (vblk->num_queues == BLK_QUEUES_AUTO) {
        vblk->num_queues = 1;
    }
    if (vblk->num_queues != 1) {
        set_error(error, "num-queues=%u: one queue is modelled", vblk->num_queues);
        return false;
    }
    if (vblk->queue_size <= 2 || vblk->queue_size > VIRTQUEUE_MAX_SIZE ||
        vblk->queue_size & (vblk->queue_size - 1)) {
        set_error(error, "invalid queue-size property (%u), must be a power of 2 (max %d)",
                  vblk->queue_size, VIRTQUEUE_MAX_SIZE);
        return false;
    }
    if (vblk->scsi) {
        set_error(error, "scsi=on: SCSI commands are not passed through; leave scsi=off");
        return false;
    }
    return check_sectors("max-discard-sectors", vblk->max_discard_sectors, error) &&
           check_sectors("max-write-zeroes-sectors", vblk->max_zeroes_sectors, error);
}

static const BlockDeviceOps blk_ops = { .resized = blk_resized };

static bool blk_realize(Device *dev, GError **error)
{
    VirtioBlk *vblk = DEVICE_CAST(dev, VirtioBlk);
    BlockAttach attach = { .dev = dev, .ops = &blk_ops, .opaque = vblk };

    if (!blk_check(vblk, error)) {
        return false;
    }
    attach.read_only = block_backend_read_only(vblk->conf.blk);
    if (!block_conf_realize(&vblk->conf, &attach, error)) {
        return false;
    }
    vblk->attached = true;
    block_conf_geometry(&vblk->conf);
    vblk->original_wce = block_backend_write_cache(vblk->conf.blk);
    vblk->batch = (BlockBatch){ .end = blk_tell, .opaque = vblk };
    virtio_init(&vblk->vdev, BLK_CONFIG_SIZE);
    vblk->queue = virtio_add_queue(&vblk->vdev, vblk->queue_size, blk_handle, sizeof(BlkReq));
    return true;
}

static void blk_unrealize(Device *dev)
{
    VirtioBlk *vblk = DEVICE_CAST(dev, VirtioBlk);

    if (vblk->queue != NULL) {
        virtio_finish(&vblk->vdev);
    }
    g_clear_pointer(&vblk->loaded_heads, g_array_unref);
    if (vblk->attached) {
        block_backend_detach(vblk->conf.blk);
    }
}

static const VirtioClass blk_class = {
    .device_id = VIRTIO_ID_BLOCK, .name = "virtio-blk", .features = blk_features,
    .config_get = blk_config_get, .config_set = blk_config_set, .start = blk_start_device,
    .stop = blk_stop, .reset = blk_reset, .queue_stop = blk_queue_stop, .running = blk_running,
    .state = &own_state,
};

static const char *blk_boot_suffix(const Device *dev)
{
    return "/disk@0,0";
}

const DeviceType virtio_blk_device_type = {
    .name = "virtio-blk-device", .category = "storage", .bus = &virtio_bus_type,
    .bus_class = &blk_class, .size = sizeof(VirtioBlk), .props = blk_props,
    .state = &blk_state, .boot_suffix = blk_boot_suffix, .realize = blk_realize, .unrealize = blk_unrealize,
};

#define BLK_PCI_PROPS \
    VIRTIO_PCI_PROP_CLASS, VIRTIO_PCI_PROP_IOEVENTFD, \
    VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_blk_pci, "virtio-blk", "storage", virtio_blk_device_type, BLK_PCI_PROPS,
                 .class_id = 0x0100)
