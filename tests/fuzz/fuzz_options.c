/* The command line, its words separated by line ends.  Reaches: options, keyval, sizes. */
#include <stdint.h>
#include <stdio.h>

#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return freopen("/dev/null", "w", stdout) == NULL;   /* what -help prints */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strdup_printf("rhea\n%.*s", (int)size, (const char *)data);
    g_auto(GStrv) words = g_strsplit(text, "\n", -1);
    g_autoptr(Options) options = options_new();
    g_autoptr(GError) error = NULL;

    if (options_parse(options, g_strv_length(words), words, &error) == (error != NULL)) {
        g_error("success and an error, or neither");
    }
    return 0;
}
