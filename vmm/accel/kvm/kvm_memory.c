/*
 * Guest memory in the kernel: a slot per flat range with host memory behind it (api.rst 4.35), the
 * log of pages written (4.8, 4.117), and eventfds that stand for writes (4.59).
 *
 * Everything under the machine lock.  Between the deletion of a slot and the addition of its
 * successor a vCPU may find nothing where there is memory; kvm_vcpu.c asks slots_generation and
 * tries again.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>

#include "rhea_error.h"

typedef struct Slot {
    uint64_t addr, size;                /* size 0: free */
    uint8_t *host;
    RamBlock *block;
    uint64_t block_offset;
    bool readonly, logging;
} Slot;

typedef struct SlotSpace {
    MemListener listener;               /* first */
    AddressSpace *as;                   /* NULL: not listened to */
    unsigned id;                        /* 0: usual, 1: system management mode */
    GArray *slots;                      /* Slot, by number */
} SlotSpace;

static SlotSpace spaces[2];
static MemListener port_listener;

/* ---- slots ---- */

static bool slot_send(const SlotSpace *space, unsigned number, const Slot *slot, uint64_t size)
{
    struct kvm_userspace_memory_region region = {
        .slot = number | space->id << 16,
        .guest_phys_addr = slot->addr,
        .memory_size = size,
        .userspace_addr = (uintptr_t)slot->host,
        .flags = (slot->readonly ? KVM_MEM_READONLY : 0) |
                 (slot->logging ? KVM_MEM_LOG_DIRTY_PAGES : 0),
    };

    __atomic_fetch_add(&kvm.slots_generation, 1, __ATOMIC_SEQ_CST);
    return ioctl(kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

static Slot *slot_at(const SlotSpace *space, guint i)
{
    return &g_array_index(space->slots, Slot, i);
}

static guint free_slot(SlotSpace *space)
{
    guint i = 0;

    while (i < space->slots->len && slot_at(space, i)->size) {
        i++;
    }
    if (i == space->slots->len) {
        g_array_set_size(space->slots, i + 1);
    }
    return i;
}

static void mark_all_clients(RamBlock *block, uint64_t page)
{
    for (DirtyClient client = 0; client < DIRTY_CLIENTS; client++) {
        if (client != DIRTY_CODE && block->dirty[client]) {
            ram_dirty_set(block, client, page);
        }
    }
}

/*
 * The part of a range that whole pages cover, or false. What is left over is reached through exits.
 */
static bool range_to_slot(const FlatRange *range, Slot *slot)
{
    uint64_t start = (range->addr + PAGE_SIZE_4K - 1) & ~(PAGE_SIZE_4K - 1);
    uint64_t end = (range->last + 1) & ~(PAGE_SIZE_4K - 1);
    uint64_t offset;

    if (!range->host || end <= start) {
        return false;
    }
    *slot = (Slot){
        .addr = start, .size = end - start, .host = range->host + (start - range->addr),
        .readonly = range->readonly || range->mr->kind == MEM_ROM ||
                    range->mr->kind == MEM_ROM_DEVICE,
    };
    if ((uintptr_t)slot->host & (PAGE_SIZE_4K - 1) || (slot->readonly && !kvm.has_readonly)) {
        return false;
    }
    slot->block = ram_block_of(slot->host, &offset);
    slot->block_offset = slot->block ? offset : 0;
    return true;
}

/* ---- the dirty log ---- */

static void fetch_log(SlotSpace *space, guint number)
{
    Slot *slot = slot_at(space, number);
    uint64_t pages = slot->size >> PAGE_SHIFT, first = slot->block_offset >> PAGE_SHIFT;
    size_t words = (pages + 63) / 64;
    g_autofree uint64_t *bits = g_malloc0(words * sizeof(uint64_t));
    struct kvm_dirty_log log = { .slot = number | space->id << 16, .dirty_bitmap = bits };

    if (ioctl(kvm.vm_fd, KVM_GET_DIRTY_LOG, &log) < 0) {
        memset(bits, 0xff, words * sizeof(uint64_t));          /* rather too much than too little */
    } else if (kvm.has_manual_dirty) {
        struct kvm_clear_dirty_log clear = {
            .slot = log.slot, .num_pages = (uint32_t)pages, .dirty_bitmap = bits,
        };

        ioctl(kvm.vm_fd, KVM_CLEAR_DIRTY_LOG, &clear);
    }
    for (size_t w = 0; w < words; w++) {
        for (uint64_t left = bits[w]; left; left &= left - 1) {
            uint64_t page = w * 64 + __builtin_ctzll(left);

            if (page < pages) {
                mark_all_clients(slot->block, first + page);
            }
        }
    }
}

static void set_logging(SlotSpace *space, guint number, bool on)
{
    Slot *slot = slot_at(space, number);

    slot->logging = on;
    if (!slot_send(space, number, slot, slot->size)) {
        report_warning("kvm does not follow writes to memory at 0x%" G_GINT64_MODIFIER "x: %s",
                       slot->addr, g_strerror(errno));
        slot->logging = false;
    }
    /* Nobody knows what was written before. */
    for (uint64_t page = 0; on && page < slot->size >> PAGE_SHIFT; page++) {
        mark_all_clients(slot->block, (slot->block_offset >> PAGE_SHIFT) + page);
    }
}

void kvm_sync_dirty(Vm *vm, DirtyClient client)
{
    for (unsigned s = 0; s < G_N_ELEMENTS(spaces); s++) {
        for (guint i = 0; spaces[s].slots && i < spaces[s].slots->len; i++) {
            Slot *slot = slot_at(&spaces[s], i);
            bool wanted;

            if (!slot->size || !slot->block || slot->readonly) {
                continue;
            }
            wanted = slot->block->dirty[DIRTY_DISPLAY] || slot->block->dirty[DIRTY_MIGRATION];
            if (wanted != slot->logging) {
                set_logging(&spaces[s], i, wanted);
            } else if (wanted && slot->block->dirty[client]) {
                fetch_log(&spaces[s], i);
            }
        }
    }
}

/* ---- the memory map's changes ---- */

static void range_add(MemListener *listener, const FlatRange *range)
{
    SlotSpace *space = (SlotSpace *)listener;
    Slot slot;
    guint number;

    if (!range_to_slot(range, &slot)) {
        return;
    }
    number = free_slot(space);
    if (number >= kvm.max_slots || !slot_send(space, number, &slot, slot.size)) {
        report_warning("kvm does not take memory at 0x%" G_GINT64_MODIFIER
                       "x+0x%" G_GINT64_MODIFIER "x: %s",
                       slot.addr, slot.size, g_strerror(number >= kvm.max_slots ? ENOSPC : errno));
        return;
    }
    *slot_at(space, number) = slot;
}

static void range_del(MemListener *listener, const FlatRange *range)
{
    SlotSpace *space = (SlotSpace *)listener;
    Slot gone;

    if (!range_to_slot(range, &gone)) {
        return;
    }
    for (guint i = 0; i < space->slots->len; i++) {
        Slot *slot = slot_at(space, i);

        if (slot->size == gone.size && slot->addr == gone.addr) {
            if (slot->logging) {
                fetch_log(space, i);
            }
            slot_send(space, i, slot, 0);
            slot->size = 0;
            return;
        }
    }
}

static void range_commit(MemListener *listener)
{
    __atomic_fetch_add(&kvm.slots_generation, 1, __ATOMIC_SEQ_CST);
}

/* ---- eventfds ---- */

static void set_eventfd(uint64_t addr, const IoEventFd *event, uint32_t flags)
{
    struct kvm_ioeventfd request = {
        .datamatch = event->value, .addr = addr, .len = event->size, .fd = event->fd,
        .flags = flags | (event->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };

    if (event->size == 0 && !kvm.has_eventfd_any) {
        return;                         /* the device sees the write itself */
    }
    if (ioctl(kvm.vm_fd, KVM_IOEVENTFD, &request) < 0 && !(flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
        report_warning("kvm does not take an eventfd at 0x%" G_GINT64_MODIFIER "x: %s", addr,
                       g_strerror(errno));
    }
}

static void memory_eventfd_add(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    set_eventfd(addr, event, 0);
}

static void memory_eventfd_del(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    set_eventfd(addr, event, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void port_eventfd_add(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    set_eventfd(addr, event, KVM_IOEVENTFD_FLAG_PIO);
}

static void port_eventfd_del(MemListener *listener, uint64_t addr, const IoEventFd *event)
{
    set_eventfd(addr, event, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN);
}

/* ---- life ---- */

static void listen_to(SlotSpace *space, unsigned id, AddressSpace *as)
{
    space->listener = (MemListener){
        .range_add = range_add, .range_del = range_del, .commit = range_commit,
    };
    if (id == 0) {
        space->listener.eventfd_add = memory_eventfd_add;
        space->listener.eventfd_del = memory_eventfd_del;
    }
    space->id = id;
    space->as = as;
    space->slots = g_array_new(FALSE, TRUE, sizeof(Slot));
    address_space_listen(as, &space->listener);
}

bool kvm_memory_init(Vm *vm, GError **error)
{
    listen_to(&spaces[0], 0, &vm->memory);
    port_listener = (MemListener){ .eventfd_add = port_eventfd_add,
                                   .eventfd_del = port_eventfd_del };
    address_space_listen(&vm->io, &port_listener);
    return true;
}

void kvm_memory_listen_smm(Vm *vm)
{
    if (kvm.has_smm && vm->smm_memory.root && !spaces[1].as) {
        listen_to(&spaces[1], 1, &vm->smm_memory);
    }
}

void kvm_memory_finish(Vm *vm)
{
    if (spaces[0].as) {
        address_space_unlisten(&vm->io, &port_listener);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(spaces); i++) {
        if (spaces[i].as) {
            address_space_unlisten(spaces[i].as, &spaces[i].listener);
            g_array_unref(spaces[i].slots);
            spaces[i] = (SlotSpace){ 0 };
        }
    }
}
