/* rhea-img check. */
#include <inttypes.h>

#include "img.h"
#include "rhea_error.h"

/* Exit statuses of the command */
enum { CHECK_FAILED = 1, CHECK_ERRORS = 2, CHECK_LEAKS = 3, CHECK_UNSUPPORTED = 63 };

static void print_finding(void *opaque, const char *line)
{
    fprintf(stderr, "%s\n", line);
}

static void print_json(BlockNode *node, const BlockCheck *check)
{
    const struct { const char *name; uint64_t value; bool always; } rows[] = {
        { "image-end-offset", check->image_end, false },
        { "total-clusters", check->total_clusters, false },
        { "check-errors", check->check_errors, true },
        { "corruptions", check->errors, false },
        { "corruptions-fixed", check->errors_fixed, false },
        { "leaks", check->leaks, false },
        { "leaks-fixed", check->leaks_fixed, false },
        { "allocated-clusters", check->allocated_clusters, false },
        { "compressed-clusters", check->compressed_clusters, false },
        { "fragmented-clusters", check->fragmented_clusters, false },
    };
    ImgJson json = { 0 };

    img_json_begin(&json, NULL, '{');
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].always || rows[i].value != 0) {
            img_json_number(&json, rows[i].name, rows[i].value);
        }
    }
    img_json_string(&json, "filename", node->filename);
    img_json_string(&json, "format", node->driver->name);
    img_json_end(&json, '}');
    img_json_print(&json);
}

static void print_human(const BlockCheck *check)
{
    if (check->errors == 0 && check->leaks == 0 && check->check_errors == 0) {
        printf("No errors were found on the image.\n");
    }
    if (check->errors > 0) {
        printf("\n%" PRIu64 " errors were found on the image.\n"
               "Data may be corrupted, or further writes to the image may corrupt it.\n",
               check->errors);
    }
    if (check->leaks > 0) {
        printf("\n%" PRIu64 " leaked clusters were found on the image.\n"
               "This means waste of disk space, but no harm to data.\n", check->leaks);
    }
    if (check->check_errors > 0) {
        printf("\n%" PRIu64 " internal errors have occurred during the check.\n",
               check->check_errors);
    }
    if (check->total_clusters > 0 && check->allocated_clusters > 0) {
        printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, "
               "%0.2f%% compressed clusters\n", check->allocated_clusters, check->total_clusters,
               check->allocated_clusters * 100.0 / check->total_clusters,
               check->fragmented_clusters * 100.0 / check->allocated_clusters,
               check->compressed_clusters * 100.0 / check->allocated_clusters);
    }
    if (check->image_end > 0) {
        printf("Image end offset: %" PRIu64 "\n", check->image_end);
    }
}

static void print_repairs(const BlockCheck *check)
{
    printf("The following inconsistencies were found and repaired:\n\n"
           "    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n"
           "Double checking the fixed image now...\n", check->leaks_fixed, check->errors_fixed);
}

/* Once more without repairing: what is reported is what is there now. */
static bool check_twice(BlockNode *node, ImgArgs *args, BlockCheck *check, GError **error)
{
    BlockCheck second = { .report = print_finding };
    bool ok = node->driver->check(node, check, error);

    if (!ok || (check->errors_fixed == 0 && check->leaks_fixed == 0)) {
        return ok;
    }
    if (!args->json && !args->given['q']) {
        print_repairs(check);
    }
    ok = node->driver->check(node, &second, error);
    second.errors_fixed = check->errors_fixed;
    second.leaks_fixed = check->leaks_fixed;
    *check = second;
    return ok;
}

static bool read_repair(ImgArgs *args, BlockCheck *check)
{
    const char *what = args->value['r'];

    check->fix_leaks = what != NULL;
    check->fix_errors = g_strcmp0(what, "all") == 0;
    return what == NULL || check->fix_errors || g_str_equal(what, "leaks");
}

int img_check(ImgArgs *args)
{
    g_autoptr(BlockNode) node = NULL;
    BlockCheck check = { .report = print_finding };
    GError *error = NULL;

    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    if (!read_repair(args, &check)) {
        return img_fail_usage("-r expects 'leaks' or 'all', not '%s'", args->value['r']);
    }
    node = img_open_arg(args, 0, BLOCK_OPEN_CHECK | BLOCK_OPEN_NO_BACKING |
                        (check.fix_leaks ? BLOCK_OPEN_RDWR : 0), &error);
    if (node == NULL) {
        return img_fail_error(error);
    }
    if (node->driver->check == NULL) {
        img_fail("This image format does not support checks");
        return CHECK_UNSUPPORTED;
    }
    if (!check_twice(node, args, &check, &error)) {
        return img_fail_error(error);
    }
    if (args->json) {
        print_json(node, &check);
    } else if (!args->given['q']) {
        print_human(&check);
    }
    return check.check_errors > 0 ? CHECK_FAILED : check.errors > 0 ? CHECK_ERRORS
         : check.leaks > 0 ? CHECK_LEAKS : 0;
}
