#include "guest_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "accel.h"
#include "dump_parts.h"
#include "passed_fd.h"
#include "rhea_error.h"

/* The dump under way, or the last one's end. */
static struct {
    GuestDumpStatus status;
    Dump dump;
    bool resume;                        /* the machine ran */
    bool subscribed;
    GuestDumpDoneFn done;
    void *opaque;
    GThread *worker;
    GError *error;                      /* the worker's, until it is joined */
    GSource *ended;                     /* tells the main loop */
    int cancel;                         /* atomic */
    int finished;                       /* under lock: the worker has written its last */
    GMutex lock;
    GCond cond;
} session;

/* ---- the worker ---- */

static gboolean worker_ended(gpointer opaque);

static gpointer worker(gpointer opaque)
{
    elf_core_write(&session.dump, &session.error);
    g_mutex_lock(&session.lock);
    session.finished = true;
    g_cond_signal(&session.cond);
    g_mutex_unlock(&session.lock);
    g_source_attach(session.ended, session.dump.vm->context);
    return NULL;
}

/* ---- the end ---- */

static void release(Dump *dump)
{
    g_clear_pointer(&dump->ranges, g_array_unref);
    g_clear_pointer(&dump->notes, g_byte_array_unref);
    if (dump->file.fd >= 0) {
        passed_fd_release(dump->file.fd);
        dump->file.fd = -1;
    }
}

static void join_worker(void)
{
    g_thread_join(g_steal_pointer(&session.worker));
    g_source_destroy(session.ended);
    g_clear_pointer(&session.ended, g_source_unref);
    release(&session.dump);
    session.status = session.error == NULL ? GUEST_DUMP_COMPLETED : GUEST_DUMP_FAILED;
}

static void finish(void)
{
    g_autoptr(GError) error = NULL;
    Vm *vm = session.dump.vm;

    join_worker();
    error = g_steal_pointer(&session.error);
    vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_DUMP_COMPLETED,
                            .reason = error != NULL ? error->message : NULL });
    if (session.resume && vm->run_state == RUN_STATE_SAVE_VM) {
        vm_start(vm);
    }
    if (session.done != NULL) {
        session.done(session.opaque, error);
    }
}

static gboolean worker_ended(gpointer opaque)
{
    finish();
    return G_SOURCE_REMOVE;
}

/* The process ends: nobody waits for the file any more. */
static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_EXIT && session.status == GUEST_DUMP_ACTIVE) {
        __atomic_store_n(&session.cancel, true, __ATOMIC_RELAXED);
        join_worker();
        g_clear_error(&session.error);
    }
}

/* ---- the start ---- */

/* A pipe's other end may be slow or gone: writing to it must not block for good. */
static int prepare_fd(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return fd;
}

static int open_target(const char *target, GError **error)
{
    const char *path = target + strlen("file:");
    int fd;

    if (g_str_has_prefix(target, "fd:")) {
        fd = passed_fd_take(target + strlen("fd:"), error);
        return fd >= 0 ? prepare_fd(fd) : -1;
    }
    if (!g_str_has_prefix(target, "file:")) {
        set_error(error, "Invalid parameter 'protocol'");
        error_add_hint(error, "'file:' and a path, or 'fd:' and a descriptor's name are expected");
        return -1;
    }
    /* O_NONBLOCK: a FIFO nobody reads is an error, not a wait */
    fd = passed_fd_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, S_IRUSR);
    if (fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return -1;
    }
    return prepare_fd(fd);
}

static bool start(Vm *vm, Dump *dump, GError **error)
{
    for (guint i = 0; i < dump->ranges->len; i++) {
        dump->total += g_array_index(dump->ranges, DumpRange, i).len;
    }
    if (dump->total == 0) {
        set_error(error, "dump: no guest memory to dump");
        return false;
    }
    session.resume = vm_is_running(vm);
    if (session.resume) {
        vm_stop(vm, RUN_STATE_SAVE_VM);
    }
    for (guint i = 0; i < vm->cpus->len; i++) {
        vcpu_sync(g_ptr_array_index(vm->cpus, i));
    }
    dump->long_mode = vm->cpus->len > 0 &&
                      ((const X86Cpu *)g_ptr_array_index(vm->cpus, 0))->efer & EFER_LMA;
    dump->notes = dump_notes(vm, dump->long_mode);
    return true;
}

static void run_worker(Vm *vm)
{
    if (!session.subscribed) {
        session.subscribed = true;
        vm_subscribe(vm, on_vm_event, NULL);
    }
    session.status = GUEST_DUMP_ACTIVE;
    session.finished = false;
    session.ended = g_idle_source_new();
    g_source_set_priority(session.ended, G_PRIORITY_DEFAULT);
    g_source_set_callback(session.ended, worker_ended, NULL, NULL);
    session.worker = g_thread_new("dump", worker, NULL);
}

static bool options_agree(const GuestDumpOptions *options, GError **error)
{
    if (session.status == GUEST_DUMP_ACTIVE) {
        set_error(error, "There is a dump in process, please wait.");
    } else if (options->limited && options->length == 0) {
        set_error(error, "Invalid parameter 'length'");
    } else {
        return true;
    }
    return false;
}

bool guest_dump_start(Vm *vm, const char *target, const GuestDumpOptions *options,
                      GuestDumpDoneFn done, void *opaque, GError **error)
{
    int fd;

    if (!options_agree(options, error) || (fd = open_target(target, error)) < 0) {
        return false;
    }
    session.dump = (Dump){ .vm = vm, .options = *options, .file = { fd, &session.cancel },
                           .ranges = dump_ranges(vm, options) };
    if (!start(vm, &session.dump, error)) {
        release(&session.dump);
        session.status = GUEST_DUMP_FAILED;
        return false;
    }
    session.done = done;
    session.opaque = opaque;
    run_worker(vm);
    return true;
}

bool guest_dump_wait(unsigned timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
    bool over;

    if (session.status != GUEST_DUMP_ACTIVE) {
        return true;
    }
    g_mutex_lock(&session.lock);
    while (!session.finished && g_cond_wait_until(&session.cond, &session.lock, deadline)) {
    }
    over = session.finished;
    g_mutex_unlock(&session.lock);
    if (over) {
        finish();
    }
    return over;
}

void guest_dump_forget(void)
{
    session.done = NULL;
}

void guest_dump_query(GuestDumpState *state)
{
    *state = (GuestDumpState){
        .status = session.status, .total = session.dump.total,
        .completed = __atomic_load_n(&session.dump.completed, __ATOMIC_RELAXED),
    };
}

bool guest_dump_active(void)
{
    return session.status == GUEST_DUMP_ACTIVE;
}
