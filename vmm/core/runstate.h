/*
 * Run states, with QMP's RunState names and transitions, and what subscribers hear about.
 * Constants and pure functions: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum RunState {
    RUN_STATE_DEBUG, RUN_STATE_INMIGRATE, RUN_STATE_INTERNAL_ERROR, RUN_STATE_IO_ERROR,
    RUN_STATE_PAUSED, RUN_STATE_POSTMIGRATE, RUN_STATE_PRELAUNCH, RUN_STATE_FINISH_MIGRATE,
    RUN_STATE_RESTORE_VM, RUN_STATE_RUNNING, RUN_STATE_SAVE_VM, RUN_STATE_SHUTDOWN,
    RUN_STATE_SUSPENDED, RUN_STATE_WATCHDOG, RUN_STATE_GUEST_PANICKED, RUN_STATE_COLO,
    RUN_STATE__COUNT
} RunState;

const char *run_state_name(RunState state);             /* "guest-panicked" */

bool run_state_can_follow(RunState from, RunState to);  /* QMP's transitions */

typedef enum ShutdownCause {                            /* QMP's ShutdownCause */
    SHUTDOWN_CAUSE_NONE, SHUTDOWN_CAUSE_HOST_ERROR, SHUTDOWN_CAUSE_HOST_QMP_QUIT,
    SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET, SHUTDOWN_CAUSE_HOST_SIGNAL, SHUTDOWN_CAUSE_HOST_UI,
    SHUTDOWN_CAUSE_GUEST_SHUTDOWN, SHUTDOWN_CAUSE_GUEST_RESET, SHUTDOWN_CAUSE_GUEST_PANIC,
    SHUTDOWN_CAUSE_SUBSYSTEM_RESET, SHUTDOWN_CAUSE_SNAPSHOT_LOAD, SHUTDOWN_CAUSE__COUNT
} ShutdownCause;

bool shutdown_cause_is_guest(ShutdownCause cause);

/* What happened, for whoever subscribes.  One row per QMP event about the machine. */
typedef enum VmEventKind {
    VM_EVENT_STOP, VM_EVENT_RESUME, VM_EVENT_RESET, VM_EVENT_SHUTDOWN, VM_EVENT_POWERDOWN,
    VM_EVENT_SUSPEND, VM_EVENT_WAKEUP, VM_EVENT_GUEST_PANICKED, VM_EVENT_WATCHDOG,
    VM_EVENT_RTC_CHANGE, VM_EVENT_DEVICE_DELETED,
    VM_EVENT_BLOCK_IO_ERROR, VM_EVENT_TRAY_MOVED, VM_EVENT_JOB_STATUS,
    VM_EVENT_BLOCK_WRITE_THRESHOLD,
    VM_EVENT_NETDEV_STREAM_CONNECTED, VM_EVENT_NETDEV_STREAM_DISCONNECTED,
    VM_EVENT_BALLOON_CHANGE, VM_EVENT_VSERPORT_CHANGE, VM_EVENT_RX_FILTER_CHANGED,
    VM_EVENT_DUMP_COMPLETED,            /* `reason`: why it failed, or NULL */
    VM_EVENT_DEBUG,                     /* a point or a step has stopped the machine: debug.h */
    VM_EVENT_RUN_STATE,                 /* any transition; not a QMP event */
    VM_EVENT_EXIT,                      /* the process is about to leave its main loop */
} VmEventKind;

/* A socket's address: host and port, path, or str, as its type has them. */
typedef struct VmEventAddress {
    const char *type;                   /* "inet", "unix", "fd" */
    const char *host, *port, *path, *str;
    bool ipv6;
} VmEventAddress;

typedef struct VmEvent {
    VmEventKind kind;
    ShutdownCause cause;                /* RESET, SHUTDOWN */
    /*
     * GUEST_PANICKED: "pause", "poweroff", "run"; WATCHDOG: its action; BLOCK_IO_ERROR: "report",
     * "ignore", "stop"; JOB_STATUS: the status of job `device`
     */
    const char *action;
    int64_t offset_s;                   /* RTC_CHANGE */
    const char *device, *path;          /* DEVICE_*: id (may be NULL) and object path */
    int cpu_index;                      /* DEBUG */
    uint64_t actual_bytes;              /* BALLOON_CHANGE: memory the guest has */
    bool port_open;                     /* VSERPORT_CHANGE, of `device` */
    const VmEventAddress *address;      /* NETDEV_STREAM_CONNECTED; `device` is the netdev */
    /* BLOCK_IO_ERROR and TRAY_MOVED (of `device`, a drive) */
    const char *node_name, *operation, *reason;
    bool nospace, tray_open;
    uint64_t threshold_bytes, exceeded_bytes;   /* BLOCK_WRITE_THRESHOLD, of `node_name` */
} VmEvent;
