/*
 * Descriptors that clients hand over: by name (getfd), and in numbered sets (add-fd) whose members
 * are opened as files called /dev/fdset/N.  Any thread, but the names: those on the main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Names and members of sets, all together: what more comes is refused. */
enum { PASSED_FD_MAX = 1024 };

/* ---- names; each owner (a client's connection) has its own ---- */
/* Takes `fd` over, also when it fails.  A name that is there already gets the new one. */
bool passed_fd_name(const void *owner, const char *name, int fd, GError **error);
bool passed_fd_close(const void *owner, const char *name, GError **error);
void passed_fd_close_all(const void *owner);
/* Whose names passed_fd_take() knows from here on: that of the command being run; NULL: nobody's. */
void passed_fd_set_owner(const void *owner);
/*
 * The descriptor that an option's text means, the caller's now: a name is forgotten with it, a
 * number is one the process was started with, open or not.  -1: error.
 */
int passed_fd_take(const char *text, GError **error);
/* When it turns out to be of no use: closed, but for a number, which may be anybody's. */
void passed_fd_drop(const char *text, int fd);

/* ---- sets ---- */
typedef struct FdSetMember { int fd; char *opaque; } FdSetMember;
typedef struct FdSet {
    int64_t id;
    GArray *members;                    /* FdSetMember, newest first */
    GArray *opened;                     /* int: what passed_fd_open() made of them */
} FdSet;

/* Takes `fd` over, also when it fails.  *id < 0: the smallest free number, and becomes it. */
bool fdset_add(int64_t *id, int fd, const char *opaque, GError **error);
/* fd NULL: all of the set. What was opened through it stays. */
bool fdset_remove(int64_t id, const int64_t *fd, GError **error);
void fdset_foreach(void (*fn)(const FdSet *set, void *opaque), void *opaque);   /* by number */
/* The last client has gone: sets that nothing has been opened from are given up. */
void fdset_drop_unused(void);

/*
 * open(2); a path /dev/fdset/N gives a copy of the member of that set that is opened for the same
 * access.  -1 and errno: error.  What it gives is closed with passed_fd_release().
 */
int passed_fd_open(const char *path, int flags, mode_t mode);
void passed_fd_release(int fd);
bool passed_fd_is_set(const char *path);                /* it is called /dev/fdset/… */
