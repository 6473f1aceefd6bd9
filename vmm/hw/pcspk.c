/*
 * Port 61 of the PC/AT: bit 0 gates counter 2 of the timer, bit 1 lets its output through to the
 * speaker, bit 4 toggles with every memory refresh, bit 5 reads the counter's output.
 * Not modelled: sound.
 */
#include "pcspk.h"

#include "i8254.h"
#include "isa.h"
#include "vm_core.h"

#define PORT61_GATE2    (1u << 0)
#define PORT61_SPEAKER  (1u << 1)
#define PORT61_REFRESH  (1u << 4)
#define PORT61_OUT2     (1u << 5)

/*
 * A refresh request every 15 µs: bit 4 changes then (IBM PC/AT technical reference, system board).
 */
#define REFRESH_NS      15085

typedef struct PcSpk {
    Device dev;
    /* configuration */
    uint32_t iobase;
    char *audiodev;
    bool migrate;
    /* wiring */
    MemRegion io;
    Device *pit;
    /* guest-visible state */
    bool speaker;
} PcSpk;

static uint64_t pcspk_read(void *opaque, uint64_t offset, unsigned size)
{
    PcSpk *spk = opaque;
    bool refresh = vm_clock_ns(spk->dev.vm) / REFRESH_NS & 1;

    return (spk->pit != NULL && i8254_gate2(spk->pit) ? PORT61_GATE2 : 0) |
           (spk->speaker ? PORT61_SPEAKER : 0) | (refresh ? PORT61_REFRESH : 0) |
           (spk->pit != NULL && i8254_out2(spk->pit) ? PORT61_OUT2 : 0);
}

static void pcspk_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PcSpk *spk = opaque;

    spk->speaker = (value & PORT61_SPEAKER) != 0;
    if (spk->pit != NULL) {
        i8254_set_gate2(spk->pit, (value & PORT61_GATE2) != 0);
    }
}

static const MemOps pcspk_ops = { pcspk_read, pcspk_write, .max_size = 1 };

static const StateField pcspk_fields[] = { STATE_BOOL(PcSpk, speaker), {} };
static const StateDesc pcspk_state = { .name = "pcspk", .version = 1, .fields = pcspk_fields };

static const Property pcspk_props[] = {
    PROP_STRING(PcSpk, audiodev, .name = "audiodev", .read_only = true,
                .help = "there is no sound"),
    PROP_UINT32(PcSpk, iobase, .name = "iobase", .def = 0x61, .help = "the port"),
    PROP_BOOL(PcSpk, migrate, .name = "migrate", .def = true, .help = "migrate its state"),
    {}
};

void pcspk_connect(Device *pcspk, Device *pit)
{
    DEVICE_CAST(pcspk, PcSpk)->pit = pit;
}

static bool pcspk_realize(Device *dev, GError **error)
{
    PcSpk *spk = DEVICE_CAST(dev, PcSpk);

    mem_region_init_io(&spk->io, &dev->obj, "pcspk", 1, &pcspk_ops, spk);
    mem_region_add(&dev->vm->system_io, spk->iobase & 0xffff, &spk->io);
    return true;
}

static void pcspk_unrealize(Device *dev)
{
    mem_region_finish(&DEVICE_CAST(dev, PcSpk)->io);
}

static void pcspk_reset(Device *dev)
{
    DEVICE_CAST(dev, PcSpk)->speaker = false;
}

const DeviceType pcspk_type = {
    .name = "isa-pcspk", .help = "speaker", .category = "sound", .bus = &isa_bus_type,
    .size = sizeof(PcSpk), .props = pcspk_props,
    .state = &pcspk_state, .board_only = true, .realize = pcspk_realize,
    .unrealize = pcspk_unrealize, .reset = pcspk_reset,
};
