#include "clock.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "lock.h"
#include "vm_core.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t host_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t host_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* ---- time: a seqlock, so that reading it costs a guest nothing but two loads ---- */

int64_t vm_clock_ns(Vm *vm)
{
    VmClock *clock = &vm->clock;
    unsigned seq;
    int64_t ns;

    do {
        seq = __atomic_load_n(&clock->seq, __ATOMIC_ACQUIRE);
        ns = __atomic_load_n(&clock->running, __ATOMIC_ACQUIRE)
                 ? host_clock_ns() + __atomic_load_n(&clock->offset_ns, __ATOMIC_ACQUIRE)
                 : __atomic_load_n(&clock->stopped_ns, __ATOMIC_ACQUIRE);
    } while ((seq & 1) || seq != __atomic_load_n(&clock->seq, __ATOMIC_RELAXED));
    return ns;
}

/* Changes only while no CPU runs. */
uint64_t vm_clock_tsc(const Vm *vm)
{
    const VmClock *clock = &vm->clock;
    bool stands = clock->tsc_stands && !clock->manual &&
                  !__atomic_load_n(&clock->running, __ATOMIC_ACQUIRE);

    return (stands ? clock->tsc_stopped : __rdtsc()) - clock->tsc_lost;
}

static void clock_publish(VmClock *clock, bool running, int64_t offset_ns, int64_t stopped_ns)
{
    __atomic_fetch_add(&clock->seq, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&clock->running, running, __ATOMIC_RELEASE);
    __atomic_store_n(&clock->offset_ns, offset_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&clock->stopped_ns, stopped_ns, __ATOMIC_RELEASE);
    __atomic_fetch_add(&clock->seq, 1, __ATOMIC_SEQ_CST);
}

/* ---- timers: a binary heap by deadline, and one timerfd for its head ---- */

static VmTimer *heap_at(VmClock *clock, uint32_t pos)
{
    return g_ptr_array_index(clock->heap, pos);
}

static void heap_put(VmClock *clock, uint32_t pos, VmTimer *timer)
{
    g_ptr_array_index(clock->heap, pos) = timer;
    timer->heap_pos = pos;
}

static void heap_up(VmClock *clock, uint32_t pos, VmTimer *timer)
{
    while (pos > 1 && heap_at(clock, pos / 2)->deadline_ns > timer->deadline_ns) {
        heap_put(clock, pos, heap_at(clock, pos / 2));
        pos /= 2;
    }
    heap_put(clock, pos, timer);
}

static void heap_down(VmClock *clock, uint32_t pos, VmTimer *timer)
{
    uint32_t len = clock->heap->len - 1, child;

    for (; (child = pos * 2) <= len; pos = child) {
        if (child < len &&
            heap_at(clock, child + 1)->deadline_ns < heap_at(clock, child)->deadline_ns) {
            child++;
        }
        if (heap_at(clock, child)->deadline_ns >= timer->deadline_ns) {
            break;
        }
        heap_put(clock, pos, heap_at(clock, child));
    }
    heap_put(clock, pos, timer);
}

static void heap_remove(VmClock *clock, VmTimer *timer)
{
    uint32_t pos = timer->heap_pos, last = clock->heap->len - 1;
    VmTimer *moved = heap_at(clock, last);

    g_ptr_array_set_size(clock->heap, last);
    timer->heap_pos = 0;
    if (moved != timer) {
        heap_put(clock, pos, moved);
        heap_down(clock, pos, moved);
        heap_up(clock, moved->heap_pos, moved);
    }
}

/* Never zero: that would disarm the timerfd instead of firing it at once. */
static void clock_arm(VmClock *clock)
{
    struct itimerspec when = { 0 };

    if (clock->running && clock->heap->len > 1) {
        int64_t host_ns;

        if (__builtin_sub_overflow(heap_at(clock, 1)->deadline_ns, clock->offset_ns, &host_ns)) {
            host_ns = INT64_MAX;
        }
        host_ns = MAX(host_ns, 1);
        when.it_value.tv_sec = host_ns / NS_PER_SEC;
        when.it_value.tv_nsec = host_ns % NS_PER_SEC;
    }
    timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void clock_run_due(Vm *vm)
{
    VmClock *clock = &vm->clock;
    int64_t now_ns = vm_clock_ns(vm);

    while (clock->heap->len > 1 && heap_at(clock, 1)->deadline_ns <= now_ns) {
        VmTimer *timer = heap_at(clock, 1);

        heap_remove(clock, timer);
        timer->deadline_ns = VM_TIMER_OFF;
        timer->fire(timer->opaque);
    }
}

static gboolean clock_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    Vm *vm = opaque;
    uint64_t expirations;

    if (read(fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN) {
        return G_SOURCE_CONTINUE;
    }
    if (vm->clock.running) {
        clock_run_due(vm);
        clock_arm(&vm->clock);
    }
    return G_SOURCE_CONTINUE;
}

void vm_timer_init(VmTimer *timer, Vm *vm, VmTimerFn fire, void *opaque)
{
    *timer = (VmTimer){ .vm = vm, .fire = fire, .opaque = opaque, .deadline_ns = VM_TIMER_OFF };
}

void vm_timer_set(VmTimer *timer, int64_t deadline_ns)
{
    VmClock *clock;
    bool was_head, is_head;

    if (timer->vm == NULL || timer->deadline_ns == deadline_ns) {
        return;
    }
    clock = &timer->vm->clock;
    was_head = timer->heap_pos == 1;
    if (timer->heap_pos != 0) {
        heap_remove(clock, timer);
    }
    timer->deadline_ns = deadline_ns;
    if (deadline_ns != VM_TIMER_OFF) {
        g_ptr_array_add(clock->heap, timer);
        heap_up(clock, clock->heap->len - 1, timer);
    }
    is_head = timer->heap_pos == 1;
    if (was_head || is_head) {
        clock_arm(clock);
    }
}

void vm_timer_finish(VmTimer *timer)
{
    vm_timer_set(timer, VM_TIMER_OFF);
    timer->vm = NULL;
}

/* ---- the machine's side ---- */

void vm_clock_init(VmClock *clock, Vm *vm, GMainContext *context)
{
    *clock = (VmClock){ .heap = g_ptr_array_new(), .tsc_stopped = __rdtsc() };
    g_ptr_array_add(clock->heap, NULL);             /* position 0 is unused */
    clock->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    g_assert(clock->timer_fd >= 0);
    clock->source = g_unix_fd_source_new(clock->timer_fd, G_IO_IN);
    g_source_set_priority(clock->source, G_PRIORITY_HIGH);
    g_source_set_callback(clock->source, G_SOURCE_FUNC(clock_ready), vm, NULL);
    g_source_attach(clock->source, context);
}

void vm_clock_finish(VmClock *clock)
{
    g_source_destroy(clock->source);
    g_source_unref(clock->source);
    close(clock->timer_fd);
    g_ptr_array_unref(clock->heap);
}

void vm_clock_start(Vm *vm)
{
    VmClock *clock = &vm->clock;

    if (!clock->running && !clock->manual) {
        clock->tsc_lost += clock->tsc_stands ? __rdtsc() - clock->tsc_stopped : 0;
        clock_publish(clock, true, clock->stopped_ns - host_clock_ns(), clock->stopped_ns);
        clock_arm(clock);
    }
}

void vm_clock_stop(Vm *vm)
{
    VmClock *clock = &vm->clock;

    if (clock->running) {
        clock->tsc_stopped = __rdtsc();
        clock_publish(clock, false, 0, vm_clock_ns(vm));
        clock_arm(clock);
    }
}

void vm_clock_set_manual(Vm *vm, int64_t ns)
{
    VmClock *clock = &vm->clock;

    clock->manual = true;
    /* Timers fire each at their own time, so that periodic ones see every period. */
    while (clock->heap->len > 1 && heap_at(clock, 1)->deadline_ns <= ns) {
        clock_publish(clock, false, 0, MAX(heap_at(clock, 1)->deadline_ns, clock->stopped_ns));
        clock_run_due(vm);
    }
    clock_publish(clock, false, 0, ns);
}
