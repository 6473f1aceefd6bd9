/* The PCI transport: identity, capabilities, negotiation, the old interface, MSI-X and INTx. */
#include "check_main.h"
#include "virtio_echo.h"

#define V1 VIRTIO_BIT(VIRTIO_F_VERSION_1)

static void setup(const DeviceType *type, const char *props)
{
    bare_setup();
    vio_board(type, props);
}

/* ---- identity ---- */

static const struct {
    const DeviceType *type;
    const char *props;
    uint16_t id, subsystem;
    uint8_t revision, bars;                     /* bit n: BAR n is there */
} kinds[] = {
    { &echo_pci_type, "", 0x1005, 4, 0, 0x13 },
    { &echo_pci_type, "disable-legacy=on", 0x1044, 0x1100, 1, 0x12 },
    { &echo_pci_type, "disable-modern=on", 0x1005, 4, 0, 0x03 },
    { &echo_pci_type, "vectors=0", 0x1005, 4, 0, 0x11 },
    { &echo_pci_type, "modern-pio-notify=on", 0x1005, 4, 0, 0x17 },
    { &echo_pci_transitional_type, "", 0x1005, 4, 0, 0x13 },
    { &echo_pci_non_transitional_type, "", 0x1044, 0x1100, 1, 0x12 },
};

START_TEST(kind_row)
{
    setup(kinds[_i].type, kinds[_i].props);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0, 2), 0x1af4);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 2, 2), kinds[_i].id);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 8, 1), kinds[_i].revision);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x2c, 2), 0x1af4);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x2e, 2), kinds[_i].subsystem);
    for (unsigned n = 0; n < 6; n++) {
        ck_assert_int_eq(((PciDevice *)vio)->bars[n].region != NULL, kinds[_i].bars >> n & 1);
    }
}
END_TEST

START_TEST(neither_interface_is_refused)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    dev = device_new(&vm, &echo_pci_type, NULL);
    ck_assert(device_set(dev, "disable-legacy", "on", NULL));
    ck_assert(device_set(dev, "disable-modern", "on", NULL));
    ck_assert(!device_realize(dev, (Bus *)bare_bus, &error));
    ck_assert_str_eq(error->message,
                     "device cannot work as neither modern nor legacy mode is enabled\n"
                     "Set either disable-modern or disable-legacy to off");
}
END_TEST

START_TEST(packed_rings_are_refused)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    dev = device_new(&vm, &echo_pci_type, NULL);
    ck_assert(device_set(dev, "packed", "on", NULL));           /* the part's, through the outside */
    ck_assert(!device_realize(dev, (Bus *)bare_bus, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "packed=off"));
}
END_TEST

/* ---- capabilities ---- */

static const struct { uint8_t at, id, next, len, type, bar; uint32_t offset, size; } caps[] = {
    { 0x40, 9, 0x00, 16, 1, 4, 0x0000, 0x1000 }, { 0x50, 9, 0x40, 16, 3, 4, 0x1000, 0x1000 },
    { 0x60, 9, 0x50, 16, 4, 4, 0x2000, 0x1000 }, { 0x70, 9, 0x60, 20, 2, 4, 0x3000, 0x1000 },
    { 0x84, 9, 0x70, 20, 5, 0, 0, 0 },
};

START_TEST(capability_row)
{
    uint8_t at = caps[_i].at;

    setup(&echo_pci_type, "");
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x34, 1), 0x98);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 6, 2) & 0x10, 0x10);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at, 1), caps[_i].id);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 1, 1), caps[_i].next);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 2, 1), caps[_i].len);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 3, 1), caps[_i].type);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 4, 1), caps[_i].bar);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 8, 4), caps[_i].offset);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at + 12, 4), caps[_i].size);
    cfg_out(VIO_DEVFN, at, 0, 4);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, at, 1), caps[_i].id);
}
END_TEST

START_TEST(msix_capability)
{
    setup(&echo_pci_type, "");
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x98, 4), 0x00028411);      /* three vectors */
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x9c, 4), 0x00000001);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0xa0, 4), 0x00000801);
}
END_TEST

/* The capability through which firmware reaches the windows without their BAR. */
START_TEST(access_capability)
{
    setup(&echo_pci_type, "");
    echo->value = 0x12345678;
    cfg_out(VIO_DEVFN, 0x84 + 4, 4, 1);
    cfg_out(VIO_DEVFN, 0x84 + 8, 0x2000, 4);
    cfg_out(VIO_DEVFN, 0x84 + 12, 4, 4);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0x84 + 16, 4), 0x12345678);
    cfg_out(VIO_DEVFN, 0x84 + 16, 0xcafe, 4);
    ck_assert_uint_eq(echo->value, 0xcafe);
    cfg_out(VIO_DEVFN, 0x84 + 12, 3, 4);                            /* no such width */
    cfg_out(VIO_DEVFN, 0x84 + 16, 1, 4);
    ck_assert_uint_eq(echo->value, 0xcafe);
    cfg_out(VIO_DEVFN, 0x84 + 12, 4, 4);
    cfg_out(VIO_DEVFN, 0x84 + 8, 0xfffffffc, 4);                    /* nothing there */
    cfg_out(VIO_DEVFN, 0x84 + 16, 1, 4);
    cfg_out(VIO_DEVFN, 0x84 + 4, 1, 1);
    cfg_in(VIO_DEVFN, 0x84 + 16, 4);
    ck_assert_uint_eq(echo->value, 0xcafe);
}
END_TEST

/* ---- negotiation ---- */

#define OFFERED (VIRTIO_BIT(ECHO_BIT) | VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) | \
                 VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | V1 | VIRTIO_BIT(VIRTIO_F_RING_RESET))

static const struct { const char *props; uint64_t offered; } offers[] = {
    { "", OFFERED },
    { "indirect_desc=off", OFFERED & ~VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) },
    { "event_idx=off", OFFERED & ~VIRTIO_BIT(VIRTIO_F_EVENT_IDX) },
    { "queue_reset=off", OFFERED & ~VIRTIO_BIT(VIRTIO_F_RING_RESET) },
    { "iommu_platform=on", OFFERED | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) },
};

START_TEST(offer_row)
{
    setup(&echo_pci_type, offers[_i].props);
    ck_assert_uint_eq(vio_offered(), offers[_i].offered);
    wr(VIO_COMMON + 0, 2, 4);
    ck_assert_uint_eq(rd(VIO_COMMON + 4, 4), 0);
}
END_TEST

static const struct { uint64_t features; bool taken; } accepts[] = {
    { V1, true }, { OFFERED, true }, { V1 | VIRTIO_BIT(ECHO_BIT), true },
    { 0, false }, { OFFERED & ~V1, false }, { V1 | VIRTIO_BIT(4), false },
    { V1 | VIRTIO_BIT(63), false }, { V1 | VIRTIO_BIT(VIRTIO_F_RING_PACKED), false },
    { V1 | VIRTIO_BIT(VIRTIO_F_NOTIFY_ON_EMPTY), false },
};

START_TEST(accept_row)
{
    setup(&echo_pci_type, "");
    vio_accept(accepts[_i].features);
    ck_assert_uint_eq(vio_status(), accepts[_i].taken ? 11 : 3);
    ck_assert_uint_eq(vio_device()->features, accepts[_i].taken ? accepts[_i].features : 0);
}
END_TEST

START_TEST(life_of_a_driver)
{
    setup(&echo_pci_type, "");
    ck_assert_uint_eq(rd(VIO_COMMON + 0x12, 2), 2);                 /* queues */
    vio_start(OFFERED, 2);
    ck_assert_uint_eq(echo->starts, 1);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x20, 4), RING_DESC(1));
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1e, 2), 1);
    wr(VIO_COMMON + 0x20, 0x1000, 4);                               /* enabled: as it is */
    wr(VIO_COMMON + 0x18, 2, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x20, 4), RING_DESC(1));
    ck_assert_uint_eq(rd(VIO_COMMON + 0x18, 2), RING_SIZE);
    wr(VIO_COMMON + 8, 0, 4);
    wr(VIO_COMMON + 12, 0, 4);                                      /* features too */
    ck_assert_uint_eq(vio_device()->features, OFFERED);
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert_uint_eq(echo->stops, 1);
    ck_assert_uint_eq(vio_status(), 0);
    wr(VIO_COMMON + 0x16, 1, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1c, 2), 0);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x18, 2), 16);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1a, 2), 0xffff);
    wr(VIO_COMMON + 0x16, 2, 2);                                    /* no such queue */
    wr(VIO_COMMON + 0x1c, 1, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x18, 2), 0);
    kick(5);
    kick(500);
}
END_TEST

static const struct { uint32_t size; uint16_t taken; } sizes[] = {
    { 1, 1 }, { 8, 8 }, { 16, 16 }, { 32, 16 }, { 0, 16 }, { 3, 16 }, { 0x8000, 16 },
};

START_TEST(queue_size_row)
{
    setup(&echo_pci_type, "");
    wr(VIO_COMMON + 0x18, sizes[_i].size, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x18, 2), sizes[_i].taken);
}
END_TEST

START_TEST(one_queue_is_reset)
{
    setup(&echo_pci_type, "");
    vio_start(OFFERED, 2);
    wr(VIO_COMMON + 0x16, 0, 2);
    wr(VIO_COMMON + 0x3a, 1, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1c, 2), 0);
    wr(VIO_COMMON + 0x16, 1, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1c, 2), 1);
    vio_queue(0, 4);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 1);
    ck_assert_uint_eq(echo->starts, 1);
}
END_TEST

START_TEST(configuration_space)
{
    setup(&echo_pci_type, "");
    vio_start(V1, 1);
    echo->value = 0x44332211;
    ck_assert_uint_eq(rd(VIO_DEVICE, 4), 0x44332211);
    ck_assert_uint_eq(rd(VIO_DEVICE + 1, 1), 0x22);
    ck_assert_uint_eq(rd(VIO_DEVICE + 4, 4), 0xffffffff);
    wr(VIO_DEVICE + 2, 0xaabb, 2);
    ck_assert_uint_eq(echo->value, 0xaabb2211);
    wr(VIO_DEVICE + 4, 1, 4);
    uint8_t generation = rd(VIO_COMMON + 0x15, 1);
    virtio_config_changed(vio_device());
    ck_assert_uint_ne(rd(VIO_COMMON + 0x15, 1), generation);
    ck_assert_uint_eq(msi_last, 0x40);
}
END_TEST

/* No queue is looked at before DRIVER_OK, nor while bus mastering is off. */
START_TEST(when_queues_are_served)
{
    setup(&echo_pci_type, "");
    vio_msix(2);
    vio_accept(V1);
    vio_queue(0, RING_SIZE);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 0);
    wr(VIO_COMMON + 0x14, 15, 1);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert_uint_eq(used_index(0), 1);                    /* what was there before */
    cfg_out(VIO_DEVFN, 4, 2, 2);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 1);
    cfg_out(VIO_DEVFN, 4, 6, 2);
    kick(0);
    ck_assert_uint_eq(used_index(0), 2);
}
END_TEST

START_TEST(doorbells_without_eventfds)
{
    setup(&echo_pci_type, "ioeventfd=off,page-per-vq=on");
    vio_start(V1, 2);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    unsigned before = echo->handled;
    wr(VIO_NOTIFY + 4, 0, 2);                               /* still queue 0's page */
    ck_assert_uint_gt(echo->handled, before);               /* at once */
    ck_assert_uint_eq(used_index(0), 1);
}
END_TEST

START_TEST(a_stopped_machine_serves_nothing)
{
    setup(&echo_pci_type, "");
    vio_start(V1, 2);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    vm_stop(&vm, RUN_STATE_PAUSED);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(used_index(0), 0);
    vm_start(&vm);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert_uint_eq(used_index(0), 1);
    ck_assert_uint_eq(echo->starts, 1);
}
END_TEST

/* ---- interrupts ---- */

START_TEST(masked_vectors_wait)
{
    setup(&echo_pci_type, "");
    vio_start(V1, 2);
    msi_count = 0;
    wr(VIO_MSIX + 16 + 12, 1, 4);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(msi_count, 0);
    ck_assert_uint_eq(rd(VIO_MSIX + 0x800, 8), 2);
    wr(VIO_MSIX + 0x800, 0, 4);                             /* read only */
    wr(VIO_MSIX + 16 + 12, 0, 4);
    ck_assert_uint_eq(msi_count, 1);
    ck_assert_uint_eq(msi_last, 0x41);
    ck_assert_uint_eq(rd(VIO_MSIX + 0x800, 8), 0);

    cfg_out(VIO_DEVFN, 0x9a, 0xc000, 2);                    /* the whole function */
    offer(0, 0);
    kick(0);
    ck_assert_uint_eq(msi_count, 1);
    cfg_out(VIO_DEVFN, 0x9a, 0x8000, 2);
    ck_assert_uint_eq(msi_count, 2);
}
END_TEST

START_TEST(vectors_that_are_not_there)
{
    setup(&echo_pci_type, "");
    wr(VIO_COMMON + 0x1a, 2, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1a, 2), 2);
    wr(VIO_COMMON + 0x1a, 3, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x1a, 2), 0xffff);
    wr(VIO_COMMON + 0x10, 0x7fff, 2);
    ck_assert_uint_eq(rd(VIO_COMMON + 0x10, 2), 0xffff);
    ck_assert_uint_eq(rd(VIO_MSIX + 48, 4), 0xffffffff);
    wr(VIO_MSIX + 48, 1, 4);
}
END_TEST

static int pin_level(void)
{
    return ((PciDevice *)vio)->irq_state[0];
}

START_TEST(pin_and_isr)
{
    setup(&echo_pci_type, "");
    vio_accept(V1);
    vio_queue(0, RING_SIZE);
    wr(VIO_COMMON + 0x14, 15, 1);
    desc(0, 0, BUFFER(0), 4, 0, 0);
    offer(0, 0);
    kick(0);
    ck_assert_int_eq(pin_level(), 1);
    ck_assert_uint_eq(rd(VIO_ISR, 1), 1);
    ck_assert_int_eq(pin_level(), 0);
    ck_assert_uint_eq(rd(VIO_ISR, 1), 0);
    virtio_config_changed(vio_device());
    ck_assert_int_eq(pin_level(), 1);
    ck_assert_uint_eq(rd(VIO_ISR, 1), 3);
    virtio_config_changed(vio_device());
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert_int_eq(pin_level(), 0);
}
END_TEST

/* ---- the old interface ---- */

#define LEGACY_PAGE 0x200000u

static void legacy_offer(uint16_t index)
{
    uint32_t avail = LEGACY_PAGE + 16 * 16;

    wr(avail + 4, 0, 2);
    wr(avail + 2, index, 2);
    out(VIO_IO + 16, 0, 2);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

START_TEST(legacy_driver)
{
    uint32_t used = LEGACY_PAGE + 4096;

    setup(&echo_pci_type, "");
    ck_assert_uint_eq(in(VIO_IO, 4), (uint32_t)OFFERED | 1u << VIRTIO_F_NOTIFY_ON_EMPTY |
                      1u << VIRTIO_F_ANY_LAYOUT | 1u << VIRTIO_F_BAD_FEATURE);
    cfg_out(VIO_DEVFN, 4, 3, 2);                            /* no bus mastering, as long ago */
    out(VIO_IO + 18, 1, 1);
    out(VIO_IO + 18, 3, 1);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 4, 2) & 4, 4);
    out(VIO_IO + 4, VIRTIO_BIT(ECHO_BIT), 4);
    ck_assert_uint_eq(vio_device()->features, VIRTIO_BIT(ECHO_BIT));
    out(VIO_IO + 14, 0, 2);
    ck_assert_uint_eq(in(VIO_IO + 12, 2), 16);
    out(VIO_IO + 8, LEGACY_PAGE >> 12, 4);
    ck_assert_uint_eq(in(VIO_IO + 8, 4), LEGACY_PAGE >> 12);
    desc_at(LEGACY_PAGE, 0, BUFFER(0), 4, 0, 0);
    legacy_offer(1);                                        /* before DRIVER_OK: served */
    ck_assert_uint_eq(rd(used + 2, 2), 1);
    ck_assert_uint_eq(in(VIO_IO + 19, 1), 1);
    out(VIO_IO + 18, 7, 1);
    legacy_offer(2);
    ck_assert_uint_eq(rd(used + 2, 2), 2);
    ck_assert_uint_eq(echo->starts, 1);
    out(VIO_IO + 18, 0, 1);
    ck_assert_uint_eq(in(VIO_IO + 8, 4), 0);
    ck_assert_uint_eq(echo->stops, 1);
}
END_TEST

START_TEST(legacy_configuration_moves_with_msix)
{
    setup(&echo_pci_type, "");
    echo->value = 0x55667788;
    ck_assert_uint_eq(in(VIO_IO + 20, 4), 0x55667788);
    cfg_out(VIO_DEVFN, 0x9a, 0x8000, 2);
    ck_assert_uint_eq(in(VIO_IO + 24, 4), 0x55667788);
    ck_assert_uint_eq(in(VIO_IO + 20, 2), 0xffff);
    out(VIO_IO + 20, 1, 2);
    ck_assert_uint_eq(in(VIO_IO + 20, 2), 1);
    out(VIO_IO + 22, 9, 2);
    ck_assert_uint_eq(in(VIO_IO + 22, 2), 0xffff);
    out(VIO_IO + 24, 0x99, 1);
    ck_assert_uint_eq(echo->value, 0x55667799);
}
END_TEST

START_TEST(legacy_driver_that_takes_all)
{
    setup(&echo_pci_type, "");
    out(VIO_IO + 4, UINT32_MAX, 4);
    ck_assert_uint_eq(vio_device()->features, 0);
}
END_TEST

/* ---- leaving ---- */

START_TEST(unplugging_at_work)
{
    setup(&echo_pci_type, "");
    vio_start(OFFERED, 2);
    desc(1, 0, BUFFER(0), 4, 0, 0);
    offer(1, 0);
    kick(1);
    device_free(vio);
    ck_assert_uint_eq(rd(VIO_COMMON, 4), 0xffffffff);
    wr(VIO_NOTIFY, 0, 2);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}
END_TEST

CHECK_MAIN("virtio_pci", CASES(kind_row, kinds), CASE(neither_interface_is_refused),
           CASE(packed_rings_are_refused), CASES(capability_row, caps), CASE(msix_capability),
           CASE(access_capability), CASES(offer_row, offers), CASES(accept_row, accepts),
           CASE(life_of_a_driver), CASES(queue_size_row, sizes), CASE(one_queue_is_reset),
           CASE(configuration_space), CASE(when_queues_are_served),
           CASE(doorbells_without_eventfds), CASE(a_stopped_machine_serves_nothing),
           CASE(masked_vectors_wait), CASE(vectors_that_are_not_there), CASE(pin_and_isr),
           CASE(legacy_driver), CASE(legacy_configuration_moves_with_msix),
           CASE(legacy_driver_that_takes_all), CASE(unplugging_at_work))
