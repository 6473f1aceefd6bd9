/* rhea-img snapshot: lists, takes, goes back to and deletes internal snapshots. */
#include <errno.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"

/* "snapshot.name=X", "snapshot.id=X" or just X. */
bool img_view_snapshot(BlockNode *node, const char *text, GError **error)
{
    const char *name = g_str_has_prefix(text, "snapshot.") ? strchr(text, '=') : NULL;

    name = name != NULL ? name + 1 : text;
    if (node->driver->snapshot_view == NULL) {
        set_error(error, "Failed to load snapshot: Device '%s' does not support internal snapshots",
                  node->filename);
        return false;
    }
    if (!node->driver->snapshot_view(node, name, error)) {
        g_prefix_error(error, "Failed to load snapshot: ");
        return false;
    }
    return true;
}

static int list(BlockNode *node)
{
    BlockInfo info = { 0 };

    if (node->driver->info != NULL) {
        node->driver->info(node, &info);
    }
    if (info.snapshots != NULL && info.snapshots->len > 0) {
        img_print_snapshots(&info);
    }
    block_info_clear(&info);
    return 0;
}

static int change(BlockNode *node, int action, const char *name)
{
    const BlockDriver *driver = node->driver;
    const struct {
        int letter;
        const char *verb;
        bool (*run)(BlockNode *node, const char *name, GError **error);
    } actions[] = {
        { 'c', "create", driver->snapshot_create },
        { 'a', "apply", driver->snapshot_apply },
        { 'd', "delete", driver->snapshot_delete },
    };
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (actions[i].letter != action) {
            continue;
        }
        if (actions[i].run == NULL) {
            return img_fail("Could not %s snapshot '%s': %d (%s)", actions[i].verb, name, -ENOTSUP,
                            g_strerror(ENOTSUP));
        }
        if (!actions[i].run(node, name, &error) || !img_finish(node, &error)) {
            return img_fail("Could not %s snapshot '%s': %s", actions[i].verb, name,
                            error->message);
        }
    }
    return 0;
}

int img_snapshot(ImgArgs *args)
{
    g_autoptr(BlockNode) node = NULL;
    GError *error = NULL;
    int action = 'l', n = 0;

    for (const char *letter = "acdl"; *letter != '\0'; letter++) {
        if (args->given[(int)*letter]) {
            action = *letter;
            n++;
        }
    }
    if (n > 1) {
        return img_fail_usage("Cannot mix '-l', '-a', '-c', '-d'");
    }
    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    node = img_open_arg(args, 0, BLOCK_OPEN_NO_BACKING | (action == 'l' ? 0 : BLOCK_OPEN_RDWR),
                        &error);
    if (node == NULL) {
        return img_fail_error(error);
    }
    return action == 'l' ? list(node) : change(node, action, args->value[action]);
}
