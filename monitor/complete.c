/* Completion of a monitor line from the commands' rows. */
#include "complete.h"

#include <string.h>

/* A line taken apart, up to the word being completed. */
typedef struct LineParts {
    const char *line;
    GPtrArray *words;                       /* char *, whole ones */
    GArray *starts;                         /* size_t: where each begins */
} LineParts;

static void split_line(LineParts *parts, const char *line, size_t from, size_t end)
{
    parts->line = line;
    parts->words = g_ptr_array_new_with_free_func(g_free);
    parts->starts = g_array_new(FALSE, FALSE, sizeof(size_t));
    while (from < end) {
        size_t start = from;

        while (from < end && !g_ascii_isspace(line[from])) {
            from++;
        }
        if (from > start) {
            g_ptr_array_add(parts->words, g_strndup(line + start, from - start));
            g_array_append_val(parts->starts, start);
        }
        from++;
    }
}

static void clear_parts(LineParts *parts)
{
    g_ptr_array_unref(parts->words);
    g_array_unref(parts->starts);
}

static const char *word_at(const LineParts *parts, guint i)
{
    return g_ptr_array_index(parts->words, i);
}

/* ---- which argument it is ---- */

static bool takes_word(const CmdArg *arg)
{
    return arg->kind != ARG_FLAG && arg->kind != ARG_OPTION && arg->kind != ARG_FORMAT &&
           arg->kind != ARG_DOT_INT32;
}

/* The argument that the `n`th word behind the command belongs to; NULL: none. */
static const CmdArg *arg_at(const Command *cmd, unsigned n)
{
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (takes_word(arg) && (n-- == 0 || arg->kind == ARG_REST || arg->kind == ARG_LINE)) {
            return arg;
        }
    }
    return NULL;
}

static const CmdArg *arg_of_kind(const Command *cmd, CmdArgKind kind, char flag)
{
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (arg->kind == kind && (flag == 0 || arg->flag == flag)) {
            return arg;
        }
    }
    return NULL;
}

/* "-f" and "/8x" are no words; anything else that begins so is. */
static bool is_flag(const Command *cmd, const char *word)
{
    if (word[0] == '/') {
        return arg_of_kind(cmd, ARG_FORMAT, 0) != NULL;
    }
    return word[0] == '-' && word[1] != '\0' &&
           (arg_of_kind(cmd, ARG_FLAG, word[1]) || arg_of_kind(cmd, ARG_OPTION, word[1]));
}

/* ---- candidates ---- */

static void add_commands(const GPtrArray *list, GPtrArray *out)
{
    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(out, g_strdup(((const Command *)g_ptr_array_index(list, i))->name));
    }
}

static void add_flags(const Command *cmd, GPtrArray *out)
{
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (arg->kind == ARG_FLAG || arg->kind == ARG_OPTION) {
            g_ptr_array_add(out, g_strdup_printf("-%c", arg->flag));
        }
    }
}

void complete_values(Monitor *mon, const CmdArg *arg, const CompleteAt *at, GPtrArray *candidates)
{
    for (const char *const *word = arg->choices; word != NULL && *word != NULL; word++) {
        g_ptr_array_add(candidates, g_strdup(*word));
    }
    if (arg->kind == ARG_BOOL) {
        g_ptr_array_add(candidates, g_strdup("on"));
        g_ptr_array_add(candidates, g_strdup("off"));
    }
    if (arg->complete != NULL) {
        arg->complete(mon, candidates);
    }
    if (arg->complete_at != NULL) {
        arg->complete_at(mon, at, candidates);
    }
}

/* Behind the last separator a new word begins: "ctrl-al", "$rsp+$r". */
static size_t behind_separator(const CmdArg *arg, const char *line, size_t start)
{
    size_t at = strlen(line);

    while (at > start && strchr(arg->separators, line[at - 1]) == NULL) {
        at--;
    }
    return at;
}

static void add_values(Monitor *mon, const CmdArg *arg, const char *line, const GPtrArray *words,
                       Completion *result)
{
    size_t start = result->start;
    g_autofree char *text = NULL;
    CompleteAt at = { (const char *const *)words->pdata, words->len, NULL };

    if (arg->separators != NULL) {
        result->start = behind_separator(arg, line, start);
    }
    text = g_strndup(line + start, result->start - start);
    at.text = text;
    at.word = line + result->start;
    complete_values(mon, arg, &at, result->words);
    result->files = arg->kind == ARG_FILE;
    result->no_space = arg->separators != NULL && arg->complete_at != NULL;
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
    for (guint i = words->len; i > 1; i--) {
        if (g_str_equal(g_ptr_array_index(words, i - 1), g_ptr_array_index(words, i - 2))) {
            g_ptr_array_remove_index(words, i - 1);
        }
    }
}

static void complete_from(Monitor *mon, const char *line, size_t from, Completion *result);

/* Behind the command (or topic) `cmd`, whose arguments begin at word `first`. */
static void complete_args(Monitor *mon, const Command *cmd, const LineParts *parts, guint first,
                          Completion *result)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    const CmdArg *option = NULL, *arg;

    for (guint i = first; i < parts->words->len; i++) {
        const char *word = word_at(parts, i);

        arg = arg_at(cmd, words->len);
        if (!is_flag(cmd, word)) {
            if (arg != NULL && arg->kind == ARG_LINE) {
                complete_from(mon, parts->line, g_array_index(parts->starts, size_t, i), result);
                return;
            }
            g_ptr_array_add(words, (gpointer)word);
        } else if (word[0] == '-' && arg_of_kind(cmd, ARG_OPTION, word[1])) {
            option = ++i == parts->words->len ? arg_of_kind(cmd, ARG_OPTION, word[1]) : NULL;
        }
    }
    arg = option != NULL ? option : arg_at(cmd, words->len);
    if (parts->line[result->start] == '-' && option == NULL) {
        add_flags(cmd, result->words);
    }
    if (arg != NULL && arg->kind == ARG_LINE) {
        complete_from(mon, parts->line, result->start, result);
    }
    if (arg != NULL) {
        add_values(mon, arg, parts->line, words, result);
    }
}

/* "x/8i" is the command x. */
static const Command *find_typed(const GPtrArray *list, const char *word)
{
    g_autofree char *name = g_strndup(word, strcspn(word, "/"));

    return command_find(list, name);
}

/* A command line begins at `from`. */
static void complete_from(Monitor *mon, const char *line, size_t from, Completion *result)
{
    LineParts parts;
    const Command *cmd;

    split_line(&parts, line, from, result->start);
    cmd = parts.words->len > 0 ? find_typed(monitor_commands(), word_at(&parts, 0)) : NULL;
    if (parts.words->len == 0) {
        add_commands(monitor_commands(), result->words);
    } else if (cmd != NULL && g_str_equal(cmd->name, "info")) {
        const Command *topic =
            parts.words->len > 1 ? command_find(monitor_topics(), word_at(&parts, 1)) : NULL;

        if (parts.words->len == 1) {
            add_commands(monitor_topics(), result->words);
        } else if (topic != NULL) {
            complete_args(mon, topic, &parts, 2, result);
        }
    } else if (cmd != NULL) {
        complete_args(mon, cmd, &parts, 1, result);
    }
    clear_parts(&parts);
}

void complete_line(Monitor *mon, const char *line, Completion *result)
{
    size_t start = strlen(line);

    while (start > 0 && !g_ascii_isspace(line[start - 1])) {
        start--;
    }
    *result = (Completion){ .words = g_ptr_array_new_with_free_func(g_free), .start = start };
    complete_from(mon, line, 0, result);
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
