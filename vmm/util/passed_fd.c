#include "passed_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "rhea_error.h"
#include "sizes.h"

#define SET_PREFIX "/dev/fdset/"

typedef struct NamedFd { const void *owner; char *name; int fd; } NamedFd;

static GPtrArray *names;                /* NamedFd *; main thread */
static const void *current_owner;
static GMutex lock;                     /* for what follows */
static GPtrArray *sets;                 /* FdSet *, by number */
static unsigned n_held;                 /* atomic: names and members */

/* Counts one more; false when there are too many. */
static bool hold(int fd, GError **error)
{
    if (__atomic_fetch_add(&n_held, 1, __ATOMIC_RELAXED) < PASSED_FD_MAX) {
        return true;
    }
    __atomic_fetch_sub(&n_held, 1, __ATOMIC_RELAXED);
    set_error(error, "Too many file descriptors are held: at most %d, close some first",
              PASSED_FD_MAX);
    close(fd);
    return false;
}

static void unhold(void)
{
    __atomic_fetch_sub(&n_held, 1, __ATOMIC_RELAXED);
}

/* ---- names ---- */

/* Closes it, if it still has one. */
static void named_fd_free(gpointer data)
{
    NamedFd *named = data;

    if (named->fd >= 0) {
        close(named->fd);
    }
    unhold();
    g_free(named->name);
    g_free(named);
}

static bool is_name(const char *text)
{
    return text[0] != '\0' && !g_ascii_isdigit(text[0]);
}

static NamedFd *find_name(const void *owner, const char *name)
{
    for (guint i = 0; names != NULL && i < names->len; i++) {
        NamedFd *named = g_ptr_array_index(names, i);

        if (named->owner == owner && g_str_equal(named->name, name)) {
            return named;
        }
    }
    return NULL;
}

bool passed_fd_name(const void *owner, const char *name, int fd, GError **error)
{
    NamedFd *named = find_name(owner, name);

    if (!is_name(name)) {
        set_error(error, "Parameter 'fdname' expects a name not starting with a digit");
        close(fd);
        return false;
    }
    if (named != NULL) {
        close(named->fd);
        named->fd = fd;
        return true;
    }
    if (!hold(fd, error)) {
        return false;
    }
    if (names == NULL) {
        names = g_ptr_array_new_with_free_func(named_fd_free);
    }
    named = g_new0(NamedFd, 1);
    *named = (NamedFd){ owner, g_strdup(name), fd };
    g_ptr_array_add(names, named);
    return true;
}

bool passed_fd_close(const void *owner, const char *name, GError **error)
{
    NamedFd *named = find_name(owner, name);

    if (named == NULL) {
        set_error(error, "File descriptor named '%s' not found", name);
        return false;
    }
    g_ptr_array_remove(names, named);
    return true;
}

void passed_fd_close_all(const void *owner)
{
    for (guint i = names != NULL ? names->len : 0; i > 0; i--) {
        const NamedFd *named = g_ptr_array_index(names, i - 1);

        if (named->owner == owner) {
            g_ptr_array_remove_index(names, i - 1);
        }
    }
}

void passed_fd_set_owner(const void *owner)
{
    current_owner = owner;
}

static int take_name(const char *name, GError **error)
{
    NamedFd *named = find_name(current_owner, name);
    int fd;

    if (named == NULL) {
        set_error(error, "File descriptor named '%s' has not been found", name);
        return -1;
    }
    fd = named->fd;
    named->fd = -1;
    g_ptr_array_remove(names, named);
    return fd;
}

int passed_fd_take(const char *text, GError **error)
{
    uint64_t number;

    if (is_name(text)) {
        return take_name(text, error);
    }
    if (!parse_uint(text, INT_MAX, &number, NULL)) {
        set_error(error, "Invalid file descriptor number '%s'", text);
        return -1;
    }
    return number;
}

void passed_fd_drop(const char *text, int fd)
{
    if (is_name(text)) {
        close(fd);
    }
}

/* ---- sets ---- */

static void member_clear(gpointer data)
{
    FdSetMember *member = data;

    close(member->fd);
    unhold();
    g_free(member->opaque);
}

static void set_free(gpointer data)
{
    FdSet *set = data;

    g_array_unref(set->members);
    g_array_unref(set->opened);
    g_free(set);
}

/* The set of that number, or NULL; *place: where it is or would be in the order. */
static FdSet *find_set(int64_t id, guint *place)
{
    guint i = 0;

    if (sets == NULL) {
        sets = g_ptr_array_new_with_free_func(set_free);
    }
    while (i < sets->len && ((FdSet *)g_ptr_array_index(sets, i))->id < id) {
        i++;
    }
    if (place != NULL) {
        *place = i;
    }
    return i < sets->len && ((FdSet *)g_ptr_array_index(sets, i))->id == id
               ? g_ptr_array_index(sets, i)
               : NULL;
}

static FdSet *make_set(int64_t id)
{
    guint place;
    FdSet *set = find_set(id, &place);

    if (set == NULL) {
        set = g_new0(FdSet, 1);
        set->id = id;
        set->members = g_array_new(FALSE, FALSE, sizeof(FdSetMember));
        g_array_set_clear_func(set->members, member_clear);
        set->opened = g_array_new(FALSE, FALSE, sizeof(int));
        g_ptr_array_insert(sets, place, set);
    }
    return set;
}

static void drop_empty(FdSet *set)
{
    if (set->members->len == 0 && set->opened->len == 0) {
        g_ptr_array_remove(sets, set);
    }
}

bool fdset_add(int64_t *id, int fd, const char *opaque, GError **error)
{
    FdSetMember member = { fd, g_strdup(opaque) };

    if (!hold(fd, error)) {
        g_free(member.opaque);
        return false;
    }
    g_mutex_lock(&lock);
    if (*id < 0) {
        for (*id = 0; find_set(*id, NULL) != NULL; ++*id) {
        }
    }
    g_array_prepend_val(make_set(*id)->members, member);
    g_mutex_unlock(&lock);
    return true;
}

static void not_found(int64_t id, const int64_t *fd, GError **error)
{
    g_autofree char *which = fd != NULL ? g_strdup_printf(", fd:%" G_GINT64_FORMAT, *fd) : NULL;

    set_error(error, "File descriptor named 'fdset-id:%" G_GINT64_FORMAT "%s' not found", id,
              which != NULL ? which : "");
}

bool fdset_remove(int64_t id, const int64_t *fd, GError **error)
{
    bool found = false;
    FdSet *set;

    g_mutex_lock(&lock);
    set = find_set(id, NULL);
    for (guint i = set != NULL ? set->members->len : 0; i > 0; i--) {
        if (fd == NULL || g_array_index(set->members, FdSetMember, i - 1).fd == *fd) {
            g_array_remove_index(set->members, i - 1);
            found = true;
        }
    }
    if (set != NULL) {
        drop_empty(set);
    }
    g_mutex_unlock(&lock);
    if (!found) {
        not_found(id, fd, error);
    }
    return found;
}

void fdset_foreach(void (*fn)(const FdSet *set, void *opaque), void *opaque)
{
    g_mutex_lock(&lock);
    for (guint i = 0; sets != NULL && i < sets->len; i++) {
        fn(g_ptr_array_index(sets, i), opaque);
    }
    g_mutex_unlock(&lock);
}

void fdset_drop_unused(void)
{
    g_mutex_lock(&lock);
    for (guint i = sets != NULL ? sets->len : 0; i > 0; i--) {
        const FdSet *set = g_ptr_array_index(sets, i - 1);

        if (set->opened->len == 0) {
            g_ptr_array_remove_index(sets, i - 1);
        }
    }
    g_mutex_unlock(&lock);
}

/* ---- opening ---- */

/* open(2)'s flags that a copy can still be given; they hold for every copy of the same file. */
#define LATE_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT)

static int copy_member(const FdSet *set, int flags)
{
    for (guint i = 0; i < set->members->len; i++) {
        int fd = g_array_index(set->members, FdSetMember, i).fd, now = fcntl(fd, F_GETFL), copy;

        if (now < 0 || (now & O_ACCMODE) != (flags & O_ACCMODE)) {
            continue;
        }
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0 && fcntl(copy, F_SETFL, (now & ~LATE_FLAGS) | (flags & LATE_FLAGS)) == 0 &&
            (!(flags & O_TRUNC) || ftruncate(copy, 0) == 0)) {
            return copy;
        }
        if (copy >= 0) {
            int why = errno;

            close(copy);
            errno = why;
        }
        return -1;
    }
    errno = EACCES;
    return -1;
}

static int open_in_set(const char *number, int flags)
{
    uint64_t id;
    FdSet *set;
    int fd = -1;

    if (!parse_uint(number, INT64_MAX, &id, NULL)) {
        errno = EINVAL;
        return -1;
    }
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    g_mutex_lock(&lock);
    set = find_set(id, NULL);
    if (set == NULL) {
        errno = ENOENT;
    } else {
        fd = copy_member(set, flags);
        if (fd >= 0) {
            g_array_append_val(set->opened, fd);
        }
    }
    g_mutex_unlock(&lock);
    return fd;
}

bool passed_fd_is_set(const char *path)
{
    return g_str_has_prefix(path, SET_PREFIX);
}

int passed_fd_open(const char *path, int flags, mode_t mode)
{
    return passed_fd_is_set(path) ? open_in_set(path + strlen(SET_PREFIX), flags)
                                  : open(path, flags | O_CLOEXEC, mode);
}

/* Closed under the lock: its number may come back at once. */
void passed_fd_release(int fd)
{
    g_mutex_lock(&lock);
    for (guint i = sets != NULL ? sets->len : 0; i > 0; i--) {
        FdSet *set = g_ptr_array_index(sets, i - 1);

        for (guint j = 0; j < set->opened->len; j++) {
            if (g_array_index(set->opened, int, j) == fd) {
                g_array_remove_index_fast(set->opened, j);
                drop_empty(set);
                break;
            }
        }
    }
    close(fd);
    g_mutex_unlock(&lock);
}
