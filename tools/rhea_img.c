/*
 * rhea-img: makes, looks at and changes disk images; the options and the output are qemu-img's.
 *
 * Not here: amend, bench, bitmap, dd.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"

/* ---- arguments ---- */

static void print_help(void)
{
    printf("usage: rhea-img command [command options]\n"
           "Makes, looks at and changes disk images.\n\n"
           "    '-h', '--help'       display this help and exit\n"
           "    '-V', '--version'    output version information and exit\n\n"
           "Commands:\n");
    for (const ImgCommand *command = img_commands; command->name != NULL; command++) {
        printf("  %s %s\n", command->name, command->usage);
    }
    printf("\nSupported formats:");
    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        printf(" %s", (*driver)->name);
    }
    printf("\n");
}

static int refuse_option(int code, const ImgCommand *command, char **argv)
{
    g_autofree char *letter = g_strdup_printf("-%c", optopt);

    if (code == ':') {
        return img_fail_usage("missing argument for option '%s'", argv[optind - 1]);
    }
    return img_fail_usage("unrecognized option '%s'",
                          optopt > ' ' && optopt < 127 ? letter : argv[optind - 1]);
}

static bool allowed(const ImgCommand *command, int code)
{
    return code >= ' ' ? strchr(command->letters, code) != NULL
                       : strchr(command->longs, code) != NULL;
}

static int take_option(ImgArgs *args, int code)
{
    args->given[code] = true;
    args->value[code] = optarg;
    if (code == IMG_OBJECT) {
        return img_fail("--object is not supported: there are no encrypted images and no TLS here");
    }
    if (code == 'o') {
        g_string_append_printf(args->options, "%s%s", args->options->len > 0 ? "," : "", optarg);
    }
    if (code == IMG_OUTPUT) {
        args->json = g_str_equal(optarg, "json");
        if (!args->json && !g_str_equal(optarg, "human")) {
            return img_fail("--output must be used with human or json as argument.");
        }
    }
    return 0;
}

/* resize takes "-512k" for a size: the last argument then is none of getopt()'s. */
static bool ends_in_size(const ImgCommand *command, int argc, char **argv)
{
    return command->run == img_resize && argc > 2 && argv[argc - 1][0] == '-' &&
           g_ascii_isdigit(argv[argc - 1][1]);
}

static int run_command(const ImgCommand *command, int argc, char **argv)
{
    bool size_last = ends_in_size(command, argc, argv);
    g_autofree char *letters = g_strdup_printf(":%s", command->letters);
    ImgArgs args = { .options = g_string_new(NULL) };
    int code, status = 0;

    argc -= size_last;
    while (status == 0 && (code = getopt_long(argc, argv, letters, img_long_options, NULL)) != -1) {
        if (code == 'h') {
            print_help();
            g_string_free(args.options, TRUE);
            return 0;
        }
        status = code == '?' || code == ':' ? refuse_option(code, command, argv)
            : !allowed(command, code) ? img_fail_usage("unrecognized option '%s'", argv[optind - 1])
            : take_option(&args, code);
    }
    args.names = argv + optind;
    args.n_names = argc - optind + size_last;
    if (status == 0) {
        status = command->run(&args);
    }
    g_string_free(args.options, TRUE);
    return status;
}

int main(int argc, char **argv)
{
    report_set_program("rhea-img");
    if (argc < 2) {
        return img_fail_usage("Not enough arguments");
    }
    if (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h")) {
        print_help();
        return 0;
    }
    if (g_str_equal(argv[1], "--version") || g_str_equal(argv[1], "-V")) {
        printf("rhea-img version %s\n", RHEA_VERSION);
        return 0;
    }
    for (const ImgCommand *command = img_commands; command->name != NULL; command++) {
        if (g_str_equal(command->name, argv[1])) {
            return run_command(command, argc - 1, argv + 1);
        }
    }
    return img_fail_usage("Command not found: %s", argv[1]);
}
