/*
 * Intel 8237A DMA controller (data sheet 231466) with the page registers a PC has beside it.
 * Modelled: every register, so that software finds and programs the chip.  Not modelled: transfers,
 * as no device of this machine requests one.
 */
#include "i8257.h"

#include "isa.h"
#include "vm_core.h"

/* ---- registers, in units of one port (first chip) or two (second) ---- */
enum { DMA_STATUS_COMMAND, DMA_REQUEST, DMA_SINGLE_MASK, DMA_MODE, DMA_CLEAR_FLIPFLOP,
       DMA_MASTER_CLEAR, DMA_CLEAR_MASK, DMA_ALL_MASK };
#define CHANNEL_MASK    3
#define MASK_SET        4
#define ALL_MASKED      0x0f

/* Which channel's page is at offsets 1–3 and 7 of page-base. */
static const uint8_t page_channels[8] = { [1] = 2, [2] = 3, [3] = 1, [7] = 0 };

typedef struct DmaChannel {
    uint16_t base[2], current[2];       /* address, count */
    uint8_t mode, page;
} DmaChannel;

typedef struct Dma {
    Device dev;
    /* configuration */
    int32_t base, page_base, pageh_base, dshift;
    /* wiring */
    MemRegion channel_io, control_io, page_io[2];
    /* guest-visible state */
    DmaChannel channels[4];
    uint8_t command, status, mask, flipflop;
} Dma;

static void master_clear(Dma *dma)
{
    dma->command = dma->status = dma->flipflop = 0;
    dma->mask = ALL_MASKED;
}

/* ---- addresses and counts: a byte at a time, low first ---- */

static uint64_t channel_read(void *opaque, uint64_t offset, unsigned size)
{
    Dma *dma = opaque;
    unsigned reg = offset >> dma->dshift;
    uint16_t value = dma->channels[reg >> 1 & CHANNEL_MASK].current[reg & 1];

    dma->flipflop ^= 1;
    return dma->flipflop ? value & 0xff : value >> 8;
}

static void channel_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Dma *dma = opaque;
    unsigned reg = offset >> dma->dshift;
    DmaChannel *channel = &dma->channels[reg >> 1 & CHANNEL_MASK];
    uint16_t *base = &channel->base[reg & 1];

    dma->flipflop ^= 1;
    *base = dma->flipflop ? (*base & 0xff00) | value : (*base & 0x00ff) | value << 8;
    channel->current[reg & 1] = *base;
}

static const MemOps channel_ops = { channel_read, channel_write, .max_size = 1 };

/* ---- control ---- */

static uint64_t control_read(void *opaque, uint64_t offset, unsigned size)
{
    Dma *dma = opaque;
    uint8_t value;

    switch (offset >> dma->dshift) {
    case DMA_STATUS_COMMAND:
        value = dma->status;
        dma->status &= 0xf0;            /* reading clears the terminal counts */
        return value;
    case DMA_ALL_MASK:
        return dma->mask;
    default:
        return 0;
    }
}

static void control_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Dma *dma = opaque;

    switch (offset >> dma->dshift) {
    case DMA_STATUS_COMMAND:
        dma->command = value;
        break;
    case DMA_SINGLE_MASK:
        dma->mask &= ~(1u << (value & CHANNEL_MASK));
        dma->mask |= value & MASK_SET ? 1u << (value & CHANNEL_MASK) : 0;
        break;
    case DMA_MODE:
        dma->channels[value & CHANNEL_MASK].mode = value;
        break;
    case DMA_CLEAR_FLIPFLOP:
        dma->flipflop = 0;
        break;
    case DMA_MASTER_CLEAR:
        master_clear(dma);
        break;
    case DMA_CLEAR_MASK:
        dma->mask = 0;
        break;
    case DMA_ALL_MASK:
        dma->mask = value & ALL_MASKED;
        break;
    }
}

static const MemOps control_ops = { control_read, control_write, .max_size = 1 };

/* ---- page registers ---- */

static uint8_t *page_register(Dma *dma, unsigned n)
{
    return &dma->channels[page_channels[n & 7]].page;
}

/* Ports 1–3 and 7 of the page registers; each region knows where it starts. */
#define PAGE_REGION(n_, first_) \
    static uint64_t page_read_##n_(void *opaque, uint64_t offset, unsigned size) \
    { \
        return *page_register(opaque, first_ + offset); \
    } \
    static void page_write_##n_(void *opaque, uint64_t offset, uint64_t value, unsigned size) \
    { \
        *page_register(opaque, first_ + offset) = value; \
    } \
    static const MemOps page_ops_##n_ = { page_read_##n_, page_write_##n_, .max_size = 1 };

PAGE_REGION(low, 1)
PAGE_REGION(high, 7)

/* ---- state ---- */

static const StateField channel_fields[] = {
    STATE_UINT16_ARRAY(DmaChannel, base), STATE_UINT16_ARRAY(DmaChannel, current),
    STATE_UINT8(DmaChannel, mode), STATE_UINT8(DmaChannel, page), {}
};
static const StateDesc channel_state = {
    .name = "dma_channel", .version = 1, .fields = channel_fields,
};

static const StateField dma_fields[] = {
    STATE_STRUCT_ARRAY(Dma, channels, DmaChannel, channel_state), STATE_UINT8(Dma, command),
    STATE_UINT8(Dma, status), STATE_UINT8(Dma, mask), STATE_UINT8(Dma, flipflop, .range = { 0, 1 }),
    {}
};
static const StateDesc dma_state = { .name = "dma", .version = 1, .fields = dma_fields };

/* ---- life ---- */

static const Property dma_props[] = {
    PROP_INT32(Dma, base, .name = "base", .help = "first port"),
    PROP_INT32(Dma, page_base, .name = "page-base", .def = 0x80, .help = "first page port"),
    PROP_INT32(Dma, pageh_base, .name = "pageh-base", .def = -1,
               .help = "first high page port; -1: none"),
    PROP_INT32(Dma, dshift, .name = "dshift", .help = "ports per register, as a shift"),
    {}
};

static bool dma_realize(Device *dev, GError **error)
{
    Dma *dma = DEVICE_CAST(dev, Dma);
    MemRegion *io = &dev->vm->system_io;

    dma->dshift &= 1;
    mem_region_init_io(&dma->channel_io, &dev->obj, "dma-chan", 8 << dma->dshift, &channel_ops,
                       dma);
    mem_region_init_io(&dma->control_io, &dev->obj, "dma-cont", 8 << dma->dshift, &control_ops,
                       dma);
    mem_region_init_io(&dma->page_io[0], &dev->obj, "dma-page", 3, &page_ops_low, dma);
    mem_region_init_io(&dma->page_io[1], &dev->obj, "dma-page", 1, &page_ops_high, dma);
    mem_region_add(io, dma->base & 0xffff, &dma->channel_io);
    mem_region_add(io, (dma->base + (8 << dma->dshift)) & 0xffff, &dma->control_io);
    mem_region_add(io, (dma->page_base + 1) & 0xffff, &dma->page_io[0]);
    mem_region_add(io, (dma->page_base + 7) & 0xffff, &dma->page_io[1]);
    return true;
}

static void dma_unrealize(Device *dev)
{
    Dma *dma = DEVICE_CAST(dev, Dma);

    mem_region_finish(&dma->channel_io);
    mem_region_finish(&dma->control_io);
    mem_region_finish(&dma->page_io[0]);
    mem_region_finish(&dma->page_io[1]);
}

static void dma_reset(Device *dev)
{
    master_clear(DEVICE_CAST(dev, Dma));
}

const DeviceType i8257_type = {
    .name = "i8257", .bus = &isa_bus_type, .size = sizeof(Dma), .props = dma_props,
    .state = &dma_state, .board_only = true, .realize = dma_realize, .unrealize = dma_unrealize,
    .reset = dma_reset,
};

/* ---- a PC's pair: channels 0–3 at port 0, 4–7 at port c0 with registers two ports apart ---- */

static bool dma_new(Vm *vm, Bus *isa, int32_t base, int32_t page_base, int32_t dshift,
                    GError **error)
{
    Device *dev = device_new(vm, &i8257_type, NULL);
    Dma *dma = DEVICE_CAST(dev, Dma);

    dma->base = base;
    dma->page_base = page_base;
    dma->dshift = dshift;
    return device_realize(dev, isa, error);
}

bool i8257_pair_new(Vm *vm, Bus *isa, GError **error)
{
    return dma_new(vm, isa, 0x00, 0x80, 0, error) && dma_new(vm, isa, 0xc0, 0x88, 1, error);
}
