/* The boards there are. */
#include <string.h>

#include "machine.h"
#include "none.h"
#include "pc.h"

const Board *const boards[] = { &pc_board_7_2, &none_board, NULL };

const Board *board_find(const char *name)
{
    for (const Board *const *board = boards; *board; board++) {
        if (strcmp((*board)->name, name) == 0 ||
            ((*board)->alias && strcmp((*board)->alias, name) == 0)) {
            return *board;
        }
    }
    return NULL;
}

/* Releases of the pc type, and distributions that named one after theirs. */
static const struct { const char *prefix; unsigned major, first, last; } old_releases[] = {
    { "pc-", 0, 10, 15 },
    { "pc-", 1, 0, 3 },
    { "pc-i440fx-", 1, 4, 7 },
    { "pc-i440fx-", 2, 0, 12 },
    { "pc-i440fx-", 3, 0, 1 },
    { "pc-i440fx-", 4, 0, 2 },
    { "pc-i440fx-", 5, 0, 2 },
    { "pc-i440fx-", 6, 0, 2 },
    { "pc-i440fx-", 7, 0, 1 },
};

static const char *const old_names[] = {
    "pc-i440fx-trusty", "pc-i440fx-utopic", "pc-i440fx-vivid", "pc-i440fx-wily",
    "pc-i440fx-xenial", "pc-i440fx-yakkety", "pc-i440fx-zesty", "pc-i440fx-artful",
    "pc-i440fx-bionic", "pc-i440fx-cosmic", "pc-i440fx-disco", "pc-i440fx-eoan",
    "pc-i440fx-focal", "pc-i440fx-groovy", "pc-i440fx-hirsute", "pc-i440fx-impish",
    "pc-i440fx-jammy", "ubuntu", "rhel6.0.0", "rhel6.1.0", "rhel6.2.0", "rhel6.3.0", "rhel6.4.0",
    "rhel6.5.0", "rhel6.6.0", "pc-i440fx-rhel7.0.0", "pc-i440fx-rhel7.1.0", "pc-i440fx-rhel7.2.0",
    "pc-i440fx-rhel7.3.0", "pc-i440fx-rhel7.4.0", "pc-i440fx-rhel7.5.0", "pc-i440fx-rhel7.6.0",
    NULL
};

static bool is_old_release(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(old_releases); i++) {
        for (unsigned minor = old_releases[i].first; minor <= old_releases[i].last; minor++) {
            g_autofree char *release = g_strdup_printf("%s%u.%u", old_releases[i].prefix,
                                                       old_releases[i].major, minor);

            if (strcmp(name, release) == 0) {
                return true;
            }
        }
    }
    return false;
}

const Board *board_find_historic(const char *name)
{
    return g_strv_contains(old_names, name) || is_old_release(name) ? &pc_board_7_2 : NULL;
}
