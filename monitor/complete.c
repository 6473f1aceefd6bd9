/* Completion of a monitor line from the commands' rows. */
#include "complete.h"

#include <string.h>

static bool takes_word(const CmdArg *arg)
{
    return arg->kind != ARG_FLAG && arg->kind != ARG_FORMAT && arg->kind != ARG_DOT_INT32;
}

/* The argument that the `n`th word behind the command belongs to; NULL: none. */
static const CmdArg *arg_at(const Command *cmd, unsigned n)
{
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (takes_word(arg) && (n-- == 0 || arg->kind == ARG_REST)) {
            return arg;
        }
    }
    return NULL;
}

static void add_commands(const GPtrArray *list, GPtrArray *out)
{
    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(out, g_strdup(((const Command *)g_ptr_array_index(list, i))->name));
    }
}

static void add_flags(const Command *cmd, GPtrArray *out)
{
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (arg->kind == ARG_FLAG) {
            g_ptr_array_add(out, g_strdup_printf("-%c", arg->flag));
        }
    }
}

/* Behind the last separator a new word begins: "ctrl-al", "$rsp+$r". */
static void start_behind_separator(const CmdArg *arg, const char *line, Completion *result)
{
    size_t at = strlen(line);

    while (at > result->start && strchr(arg->separators, line[at - 1]) == NULL) {
        at--;
    }
    result->start = at;
}

static void add_values(Monitor *mon, const CmdArg *arg, const char *line, Completion *result)
{
    if (arg->separators != NULL) {
        start_behind_separator(arg, line, result);
    }
    for (const char *const *word = arg->choices; word != NULL && *word != NULL; word++) {
        g_ptr_array_add(result->words, g_strdup(*word));
    }
    if (arg->kind == ARG_BOOL) {
        g_ptr_array_add(result->words, g_strdup("on"));
        g_ptr_array_add(result->words, g_strdup("off"));
    }
    if (arg->complete != NULL) {
        arg->complete(mon, result->words);
    }
    result->files = arg->kind == ARG_FILE;
}

static gint compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void keep_matching(GPtrArray *words, const char *prefix)
{
    for (guint i = words->len; i > 0; i--) {
        if (!g_str_has_prefix(g_ptr_array_index(words, i - 1), prefix)) {
            g_ptr_array_remove_index_fast(words, i - 1);
        }
    }
    g_ptr_array_sort(words, compare_words);
}

/* Behind the command (or topic) `cmd`: words[0..n) are complete, the one being typed follows. */
static void complete_args(Monitor *mon, const Command *cmd, char **words, unsigned n,
                          const char *line, Completion *result)
{
    unsigned place = 0;
    const CmdArg *arg;

    for (unsigned i = 0; i < n; i++) {
        place += words[i][0] != '-' && words[i][0] != '/';
    }
    if (line[result->start] == '-') {
        add_flags(cmd, result->words);
    }
    arg = arg_at(cmd, place);
    if (arg != NULL) {
        add_values(mon, arg, line, result);
    }
}

static char **split_words(const char *text, size_t len, unsigned *count)
{
    g_autofree char *copy = g_strndup(text, len);
    char **words = g_strsplit_set(copy, " \t", -1);
    unsigned n = 0;

    for (unsigned i = 0; words[i] != NULL; i++) {
        if (words[i][0] != '\0') {
            words[n++] = words[i];
        } else {
            g_free(words[i]);
        }
    }
    words[n] = NULL;
    *count = n;
    return words;
}

/* "x/8i" is the command x. */
static const Command *find_typed(const GPtrArray *list, char *word)
{
    char *slash = strchr(word, '/');

    if (slash != NULL) {
        *slash = '\0';
    }
    return command_find(list, word);
}

void complete_line(Monitor *mon, const char *line, Completion *result)
{
    size_t len = strlen(line), start = len;
    g_auto(GStrv) words = NULL;
    unsigned n;

    while (start > 0 && !g_ascii_isspace(line[start - 1])) {
        start--;
    }
    *result = (Completion){ .words = g_ptr_array_new_with_free_func(g_free), .start = start };
    words = split_words(line, start, &n);
    if (n == 0) {
        add_commands(monitor_commands(), result->words);
    } else {
        const Command *cmd = find_typed(monitor_commands(), words[0]);
        bool about = cmd != NULL && g_str_equal(cmd->name, "help");

        if (cmd != NULL && g_str_equal(cmd->name, "info") && n == 1) {
            add_commands(monitor_topics(), result->words);
        } else if (about && n == 2 && g_str_equal(words[1], "info")) {
            add_commands(monitor_topics(), result->words);
        } else if (cmd != NULL && g_str_equal(cmd->name, "info")) {
            const Command *topic = command_find(monitor_topics(), words[1]);

            if (topic != NULL) {
                complete_args(mon, topic, words + 2, n - 2, line, result);
            }
        } else if (cmd != NULL && !(about && n > 1)) {
            complete_args(mon, cmd, words + 1, n - 1, line, result);
        }
    }
    keep_matching(result->words, line + result->start);
}

void completion_finish(Completion *result)
{
    g_ptr_array_unref(result->words);
    result->words = NULL;
}

char *completion_common(const Completion *result)
{
    const char *first;
    size_t len;

    if (result->words->len == 0) {
        return g_strdup("");
    }
    first = g_ptr_array_index(result->words, 0);
    len = strlen(first);
    for (guint i = 1; i < result->words->len; i++) {
        const char *word = g_ptr_array_index(result->words, i);
        size_t same = 0;

        while (same < len && word[same] == first[same]) {
            same++;
        }
        len = same;
    }
    return g_strndup(first, len);
}
