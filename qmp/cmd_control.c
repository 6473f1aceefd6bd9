/* Commands about the connection and the program itself. */
#include "qmp.h"
#include "qmp_api.h"
#include "vm.h"

static QmpHumanMonitorFn human_monitor;

void qmp_set_human_monitor(QmpHumanMonitorFn fn)
{
    human_monitor = fn;
}

bool qmp_qmp_capabilities(QmpSession *session, const GArray *enable, GError **error)
{
    bool oob = enable != NULL && enable->len > 0;       /* the only one there is */

    if (oob && !session->oob_offered) {
        set_error(error, "Capability oob not available");
        return false;
    }
    session->oob_enabled = oob;
    session->negotiated = true;
    return true;
}

QmpVersionInfo *qmp_query_version(Vm *vm, GError **error)
{
    QmpVersionInfo *info = g_new0(QmpVersionInfo, 1);

    info->qemu = g_new0(QmpVersionTriple, 1);
    info->qemu->major = QEMU_VERSION_MAJOR;
    info->qemu->minor = QEMU_VERSION_MINOR;
    info->qemu->micro = QEMU_VERSION_MICRO;
    info->package = g_strdup(RHEA_VERSION_TEXT);
    return info;
}

static bool cpu_number(Vm *vm, const int64_t *given, int *index, GError **error)
{
    *index = -1;
    if (given == NULL) {
        return true;
    }
    if (*given < 0 || *given >= vm->cpus->len) {
        set_error(error, "Parameter 'cpu-index' expects a CPU number");
        return false;
    }
    *index = *given;
    return true;
}

char *qmp_human_monitor_command(Vm *vm, const char *line, const int64_t *cpu_index, GError **error)
{
    int index;

    if (human_monitor == NULL) {
        set_error(error, "this program has no human monitor");
        return NULL;
    }
    return cpu_number(vm, cpu_index, &index, error) ? human_monitor(vm, line, index) : NULL;
}

/* The machine ends before the reply is written: SHUTDOWN comes in front of it. */
bool qmp_quit(Vm *vm, GError **error)
{
    vm_quit(vm, SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    vm_run_requests(vm);
    return true;
}
