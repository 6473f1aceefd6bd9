#include "yank.h"

#include <sys/socket.h>

#include "rhea_error.h"

struct YankEntry { YankType type; char *name; int fd; };

static GMutex lock;                     /* for what follows */
static GPtrArray *entries;              /* YankEntry * */

static void entry_free(gpointer data)
{
    YankEntry *entry = data;

    g_free(entry->name);
    g_free(entry);
}

static YankEntry *find(YankType type, const char *name)
{
    for (guint i = 0; entries != NULL && i < entries->len; i++) {
        YankEntry *entry = g_ptr_array_index(entries, i);

        if (entry->type == type && g_str_equal(entry->name, name)) {
            return entry;
        }
    }
    return NULL;
}

YankEntry *yank_add(YankType type, const char *name)
{
    YankEntry *entry = g_new0(YankEntry, 1);

    *entry = (YankEntry){ type, g_strdup(name), -1 };
    g_mutex_lock(&lock);
    if (entries == NULL) {
        entries = g_ptr_array_new_with_free_func(entry_free);
    }
    g_ptr_array_add(entries, entry);
    g_mutex_unlock(&lock);
    return entry;
}

void yank_remove(YankEntry *entry)
{
    if (entry != NULL) {
        g_mutex_lock(&lock);
        g_ptr_array_remove(entries, entry);
        g_mutex_unlock(&lock);
    }
}

void yank_rename(YankEntry *entry, const char *name)
{
    if (entry != NULL) {
        g_mutex_lock(&lock);
        g_free(entry->name);
        entry->name = g_strdup(name);
        g_mutex_unlock(&lock);
    }
}

void yank_set_fd(YankEntry *entry, int fd)
{
    if (entry != NULL) {
        g_mutex_lock(&lock);
        entry->fd = fd;
        g_mutex_unlock(&lock);
    }
}

bool yank_cut(const YankKey *keys, size_t n, GError **error)
{
    bool ok = true;

    g_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        ok = ok && find(keys[i].type, keys[i].name) != NULL;
    }
    for (size_t i = 0; ok && i < n; i++) {
        const YankEntry *entry = find(keys[i].type, keys[i].name);

        if (entry->fd >= 0) {
            shutdown(entry->fd, SHUT_RDWR);
        }
    }
    g_mutex_unlock(&lock);
    if (!ok) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Instance not found");
    }
    return ok;
}

void yank_foreach(void (*fn)(const YankKey *key, void *opaque), void *opaque)
{
    g_mutex_lock(&lock);
    for (guint i = 0; entries != NULL && i < entries->len; i++) {
        const YankEntry *entry = g_ptr_array_index(entries, i);

        fn(&(YankKey){ entry->type, entry->name }, opaque);
    }
    g_mutex_unlock(&lock);
}
