/*
 * The vCPU threads: one per CPU, both engines.
 *
 * A thread holds the machine lock except inside ops->run() and while it sleeps.  Each time round it
 * does the work queued for it, stands while the machine is stopped, sleeps while its CPU is halted,
 * and otherwise runs the guest.
 *
 * It sleeps on the CPU's event word itself (futex): whoever wants something sets a bit first, so a
 * bit that changes between the last look and going to sleep cannot be missed, and no lock is needed
 * to wake it.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accel.h"
#include "lock.h"
#include "rhea_error.h"
#include "vm_log.h"

__thread X86Cpu *current_cpu;

/* Something about a vCPU that others wait for has changed; machine lock. */
static GCond vcpu_changed;

typedef struct VcpuWork {
    VcpuWorkFn fn;
    void *opaque;
    bool waited;                        /* somebody waits: it is theirs, not the queue's */
    bool done, taken;                   /* machine lock */
} VcpuWork;

static X86Cpu *get_current_cpu(void)
{
    return current_cpu;
}

bool vcpu_is_self(const X86Cpu *cpu)
{
    return cpu == current_cpu;
}

/* ---- sleeping and waking ---- */

static void vcpu_wake(X86Cpu *cpu)
{
    if (__atomic_load_n(&cpu->asleep, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, &cpu->events, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

/*
 * Returns when `events` no longer equals `seen`, or for no reason. Machine lock held; free
 * meanwhile.
 */
static void vcpu_sleep(X86Cpu *cpu, uint32_t seen)
{
    machine_unlock();
    __atomic_store_n(&cpu->asleep, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &cpu->events, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    __atomic_store_n(&cpu->asleep, 0, __ATOMIC_SEQ_CST);
    machine_lock();
}

/* An event bit was set: the CPU shall look at it. */
static void vcpu_notice(X86Cpu *cpu)
{
    if (vcpu_is_self(cpu)) {
        return;
    }
    vcpu_wake(cpu);
    if (__atomic_load_n(&cpu->in_run, __ATOMIC_SEQ_CST)) {
        cpu->vm->accel->kick(cpu);
    }
}

void vcpu_kick(X86Cpu *cpu)
{
    __atomic_fetch_or(&cpu->events, CPU_EVENT_KICK, __ATOMIC_SEQ_CST);
    vcpu_notice(cpu);
}

/* ---- work from other threads ---- */

static void queue_work(X86Cpu *cpu, VcpuWork *work)
{
    g_mutex_lock(&cpu->work_lock);
    g_queue_push_tail(&cpu->work, work);
    g_mutex_unlock(&cpu->work_lock);
    vcpu_kick(cpu);
}

static void do_queued_work(X86Cpu *cpu)
{
    for (;;) {
        VcpuWork *work;

        g_mutex_lock(&cpu->work_lock);
        work = g_queue_pop_head(&cpu->work);
        g_mutex_unlock(&cpu->work_lock);
        if (!work) {
            return;
        }
        work->fn(cpu, work->opaque);
        if (!work->waited) {
            g_free(work);
            continue;
        }
        /* The one who waits shall see the CPU as it is now: hand the lock over. */
        work->done = true;
        g_cond_broadcast(&vcpu_changed);
        while (!work->taken) {
            machine_lock_wait(&vcpu_changed);
        }
        g_free(work);
    }
}

void vcpu_run_on(X86Cpu *cpu, VcpuWorkFn fn, void *opaque)
{
    VcpuWork *work;

    if (vcpu_is_self(cpu) || !cpu->created) {
        fn(cpu, opaque);
        return;
    }
    work = g_new0(VcpuWork, 1);
    *work = (VcpuWork){ .fn = fn, .opaque = opaque, .waited = true };
    queue_work(cpu, work);
    while (!work->done) {
        if (current_cpu) {
            do_queued_work(current_cpu);        /* two vCPUs may wait for each other */
        }
        machine_lock_wait(&vcpu_changed);
    }
    work->taken = true;
    g_cond_broadcast(&vcpu_changed);
}

void vcpu_run_async(X86Cpu *cpu, VcpuWorkFn fn, void *opaque)
{
    VcpuWork *work = g_new0(VcpuWork, 1);

    *work = (VcpuWork){ .fn = fn, .opaque = opaque };
    queue_work(cpu, work);
}

static void fetch_state(X86Cpu *cpu, void *opaque)
{
    if (cpu->state_in_engine) {
        cpu->vm->accel->get_state(cpu);
    }
}

void vcpu_sync(X86Cpu *cpu)
{
    vcpu_run_on(cpu, fetch_state, NULL);
}

void vcpu_mark_dirty(X86Cpu *cpu)
{
    cpu->state_changed = true;
    x86_update_mode(cpu);
}

/* ---- one time round ---- */

/*
 * INIT and SIPI, for engines whose interrupt controller is a device of ours. SDM volume 3A 8.4.3.
 */
static void take_start_events(X86Cpu *cpu)
{
    uint32_t events = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);

    if (events & CPU_EVENT_INIT) {
        cpu_lower(cpu, CPU_EVENT_INIT);
        fetch_state(cpu, NULL);
        x86_cpu_init(cpu);
    }
    if (events & CPU_EVENT_SIPI) {
        cpu_lower(cpu, CPU_EVENT_SIPI);
        if (cpu->mp_state == MP_WAIT_FOR_SIPI) {
            fetch_state(cpu, NULL);
            x86_cpu_sipi(cpu, __atomic_load_n(&cpu->sipi_vector, __ATOMIC_SEQ_CST));
        }
    }
}

/* With the LAPIC in the engine it is the engine that sleeps. */
static bool vcpu_is_idle(X86Cpu *cpu)
{
    return cpu->vm->accel->irqchip(cpu->vm) == IRQCHIP_USER &&
           (cpu->halted || cpu->mp_state == MP_WAIT_FOR_SIPI) && !x86_cpu_has_work(cpu);
}

static void vcpu_stand(X86Cpu *cpu)
{
    cpu->stopped = true;
    g_cond_broadcast(&vcpu_changed);
}

static void handle_debug(X86Cpu *cpu)
{
    cpu->debug_told = false;
    vcpu_stand(cpu);
    vm_request_debug(cpu->vm);
}

static void handle_internal_error(X86Cpu *cpu)
{
    g_autoptr(GString) text = g_string_new(NULL);

    vcpu_stand(cpu);
    fetch_state(cpu, NULL);
    x86_print_registers(cpu, text);
    report_warning("CPU %u cannot go on; the machine is stopped%s", cpu->index, text->str);
    vm_request_stop(cpu->vm, RUN_STATE_INTERNAL_ERROR);
}

/* Machine lock held. */
static void handle_exit(X86Cpu *cpu, RunExit why)
{
    switch (why) {
    case RUN_EXIT_KICK:
        break;
    case RUN_EXIT_HALT:
        cpu->halted = true;
        break;
    case RUN_EXIT_DEBUG:
        handle_debug(cpu);
        break;
    case RUN_EXIT_SHUTDOWN:
        /* A triple fault; boards answer it with reset. */
        vcpu_stand(cpu);
        vm_request_reset(cpu->vm, SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    case RUN_EXIT_INTERNAL_ERROR:
        handle_internal_error(cpu);
        break;
    }
}

static void push_state(X86Cpu *cpu, void *opaque)
{
    if (cpu->state_changed) {
        cpu->vm->accel->put_state(cpu);
        cpu->state_changed = false;
    }
}

static RunExit vcpu_run(X86Cpu *cpu, RunExit (*run)(X86Cpu *cpu))
{
    RunExit why;

    push_state(cpu, NULL);
    machine_unlock();
    __atomic_store_n(&cpu->in_run, true, __ATOMIC_SEQ_CST);
    why = run(cpu);
    __atomic_store_n(&cpu->in_run, false, __ATOMIC_SEQ_CST);
    machine_lock();
    return why;
}

/* Before all go on: the instruction at a point that stopped this CPU, while the others stand. */
static void step_past(X86Cpu *cpu, void *opaque)
{
    RunExit why = vcpu_run(cpu, cpu->vm->accel->step_past);

    cpu->debug_pass = false;
    if (why == RUN_EXIT_DEBUG && cpu->debug_hit == DEBUG_STEP && !cpu->single_step) {
        cpu->debug_hit = DEBUG_NONE;
        return;
    }
    handle_exit(cpu, why);
}

static void vcpu_turn(X86Cpu *cpu)
{
    /* From here on a kick changes the word; everything asked for before it is looked at below. */
    uint32_t seen = __atomic_and_fetch(&cpu->events, ~CPU_EVENT_KICK, __ATOMIC_SEQ_CST);

    do_queued_work(cpu);
    if (cpu->exit_request) {
        return;
    }
    if (cpu->stop && !cpu->stopped) {
        vcpu_stand(cpu);
    }
    if (cpu->stopped) {
        vcpu_sleep(cpu, seen);
        return;
    }
    take_start_events(cpu);
    if (vcpu_is_idle(cpu)) {
        vcpu_sleep(cpu, seen);
        return;
    }
    handle_exit(cpu, vcpu_run(cpu, cpu->vm->accel->run));
}

/* ---- threads ---- */

typedef struct VcpuStart {
    X86Cpu *cpu;
    bool finished;
    GError *error;
} VcpuStart;

static gpointer vcpu_main(gpointer opaque)
{
    VcpuStart *start = opaque;
    X86Cpu *cpu = start->cpu;
    const AccelOps *ops = cpu->vm->accel;

    machine_lock();
    current_cpu = cpu;
    cpu->thread_id = (int)syscall(SYS_gettid);
    cpu->stopped = true;
    cpu->created = ops->cpu_init(cpu, &start->error);
    start->finished = true;
    g_cond_broadcast(&vcpu_changed);
    if (cpu->created) {
        while (!cpu->exit_request) {
            vcpu_turn(cpu);
        }
        ops->cpu_finish(cpu);
        cpu->created = false;
    }
    current_cpu = NULL;
    machine_unlock();
    return NULL;
}

static bool vcpu_start(X86Cpu *cpu, GError **error)
{
    g_autofree char *upper = g_ascii_strup(cpu->vm->accel->name, -1);
    g_autofree char *name = g_strdup_printf("CPU %u/%s", cpu->index, upper);
    VcpuStart start = { .cpu = cpu };

    cpu->exit_request = cpu->stop = false;
    cpu->thread = g_thread_try_new(name, vcpu_main, &start, error);
    if (!cpu->thread) {
        return false;
    }
    while (!start.finished) {
        machine_lock_wait(&vcpu_changed);
    }
    if (start.error) {
        g_propagate_error(error, start.error);
        return false;
    }
    return true;
}

static void vcpus_reset(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        cpu->state_in_engine = false;           /* what the engine held is history */
        if (vm->accel->cpu_reset) {
            vm->accel->cpu_reset(cpu);
        }
        x86_cpu_reset(cpu);
        if (log_on(LOG_CPU_RESET)) {
            g_autoptr(GString) text = g_string_new(NULL);

            x86_print_registers(cpu, text);
            log_write(LOG_CPU_RESET, "CPU Reset (CPU %u)%s", cpu->index, text->str);
        }
    }
}

static X86Cpu *this_cpu(void)
{
    return current_cpu;
}

bool vcpus_create(Vm *vm, GError **error)
{
    vm->current_cpu = this_cpu;
    vm->cpus_pause = vcpus_pause;
    vm->cpus_resume = vcpus_resume;
    vm->cpus_reset = vcpus_reset;
    vm->cpu_kick = vcpu_notice;
    vm->current_cpu = get_current_cpu;
    for (guint i = 0; i < vm->cpus->len; i++) {
        if (!vcpu_start(g_ptr_array_index(vm->cpus, i), error)) {
            vcpus_destroy(vm);
            return false;
        }
    }
    return true;
}

static void vcpu_join(X86Cpu *cpu)
{
    GThread *thread = g_steal_pointer(&cpu->thread);

    cpu->exit_request = true;
    vcpu_kick(cpu);
    machine_unlock();
    g_thread_join(thread);
    machine_lock();
    while (!g_queue_is_empty(&cpu->work)) {
        g_free(g_queue_pop_head(&cpu->work));
    }
}

void vcpus_destroy(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->thread) {
            vcpu_join(cpu);
        }
    }
    vm->cpus_pause = vm->cpus_resume = vm->cpus_reset = NULL;
    vm->cpu_kick = NULL;
    vm->current_cpu = NULL;
}

static bool all_stand(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->created && !cpu->stopped) {
            return false;
        }
    }
    return true;
}

void vcpus_pause(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        cpu->stop = true;
        vcpu_kick(cpu);
    }
    while (!all_stand(vm)) {
        machine_lock_wait(&vcpu_changed);
    }
    if (vm->accel->points_live != NULL) {
        vm->accel->points_live(vm, false);
    }
}

static void vcpu_resume(X86Cpu *cpu)
{
    if (cpu->debug_hold) {
        return;
    }
    if (cpu->debug_hit != DEBUG_NONE && !cpu->debug_told) {
        handle_debug(cpu);              /* met while something else stopped the machine */
        return;
    }
    cpu->stop = cpu->stopped = false;
    cpu->debug_hit = DEBUG_NONE;
    vcpu_kick(cpu);
}

/* All states go in before any CPU runs: the first one to run may send the others interrupts. */
void vcpus_resume(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->state_changed) {
            vcpu_run_on(cpu, push_state, NULL);
        }
    }
    if (vm->accel->points_live != NULL) {
        vm->accel->points_live(vm, true);
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (vm->accel->step_past != NULL && x86_passes_point(cpu) && !cpu->debug_hold) {
            vcpu_run_on(cpu, step_past, NULL);
        }
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        vcpu_resume(g_ptr_array_index(vm->cpus, i));
    }
}

static bool any_met(Vm *vm)
{
    for (guint i = 0; i < vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->stopped && cpu->debug_hit != DEBUG_NONE && !cpu->debug_told) {
            return true;
        }
    }
    return false;
}

void vcpus_wait_debug(Vm *vm, gint64 end_us)
{
    while (!any_met(vm) && machine_lock_wait_until(&vcpu_changed, end_us)) {
    }
}
