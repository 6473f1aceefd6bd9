#include "epoch.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Each thread publishes the epoch it entered in; 0 means it reads nothing.  An object retired in
 * epoch E may be freed when no thread is in an epoch ≤ E: whoever enters later finds the new
 * pointer.
 */
typedef struct Reader {
    uint64_t entered;               /* atomic */
    unsigned depth;                 /* own thread only */
    struct Reader *next;
} Reader;

typedef struct Retired {
    void *object;
    GDestroyNotify free_func;
    uint64_t epoch;
} Retired;

static GMutex list_lock;            /* guards `readers`, `retired`; a leaf lock */
static Reader *readers;
static GArray *retired;
static uint64_t current_epoch = 1;  /* atomic */

static void reader_free(gpointer data)
{
    Reader *self = data;

    g_mutex_lock(&list_lock);
    for (Reader **link = &readers; *link != NULL; link = &(*link)->next) {
        if (*link == self) {
            *link = self->next;
            break;
        }
    }
    g_mutex_unlock(&list_lock);
    g_free(self);
}

static __thread Reader *self;
static GPrivate self_owner = G_PRIVATE_INIT(reader_free);

static Reader *reader_register(void)
{
    Reader *reader = g_new0(Reader, 1);

    g_mutex_lock(&list_lock);
    reader->next = readers;
    readers = reader;
    g_mutex_unlock(&list_lock);
    g_private_set(&self_owner, reader);
    return reader;
}

void epoch_enter(void)
{
    if (G_UNLIKELY(self == NULL)) {
        self = reader_register();
    }
    if (self->depth++ == 0) {
        /* Sequentially consistent: the store is visible before any pointer is read. */
        __atomic_store_n(&self->entered, __atomic_load_n(&current_epoch, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
    }
}

void epoch_leave(void)
{
    g_assert(self != NULL && self->depth > 0);
    if (--self->depth == 0) {
        __atomic_store_n(&self->entered, 0, __ATOMIC_RELEASE);
    }
}

static uint64_t oldest_entered(void)
{
    uint64_t oldest = UINT64_MAX;

    for (Reader *reader = readers; reader != NULL; reader = reader->next) {
        uint64_t entered = __atomic_load_n(&reader->entered, __ATOMIC_SEQ_CST);

        if (entered != 0) {
            oldest = MIN(oldest, entered);
        }
    }
    return oldest;
}

void epoch_retire(void *object, GDestroyNotify free_func)
{
    Retired entry = { object, free_func, 0 };
    g_autoptr(GArray) ready = g_array_new(FALSE, FALSE, sizeof(Retired));
    uint64_t oldest;
    guint kept = 0;

    g_mutex_lock(&list_lock);
    if (retired == NULL) {
        retired = g_array_new(FALSE, FALSE, sizeof(Retired));
    }
    entry.epoch = __atomic_fetch_add(&current_epoch, 1, __ATOMIC_SEQ_CST);
    g_array_append_val(retired, entry);
    oldest = oldest_entered();
    for (guint i = 0; i < retired->len; i++) {
        Retired *item = &g_array_index(retired, Retired, i);

        if (item->epoch < oldest) {
            g_array_append_val(ready, *item);
        } else {
            g_array_index(retired, Retired, kept++) = *item;
        }
    }
    g_array_set_size(retired, kept);
    g_mutex_unlock(&list_lock);

    for (guint i = 0; i < ready->len; i++) {
        Retired *item = &g_array_index(ready, Retired, i);

        item->free_func(item->object);
    }
}
