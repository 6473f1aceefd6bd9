/* What somebody may have meant whose command failed: the nearest of what completion knows. */
#include "suggest.h"

#include <string.h>

#include "complete.h"

/* The nearest candidate to `word`; NULL: it is one of them, or none is near. New string. */
static char *nearest_candidate(Monitor *mon, const CmdArg *arg, const CompleteAt *at,
                               const char *word)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(g_free);

    complete_values(mon, arg, at, candidates);
    for (guint i = 0; i < candidates->len; i++) {
        char *candidate = g_ptr_array_index(candidates, i);

        if (g_str_has_suffix(candidate, "=")) {
            candidate[strlen(candidate) - 1] = '\0';
        }
        if (g_str_equal(candidate, word)) {
            return NULL;
        }
    }
    return g_strdup(nearest_name(word, (const char *const *)candidates->pdata, candidates->len));
}

/* Words parted by separators are looked at one by one: "e1000,netdv=n0". */
static char *nearest_part(Monitor *mon, const CmdArg *arg, CompleteAt *at, const char *text)
{
    const char *separators = arg->separators != NULL ? arg->separators : "";
    const char *p = text;

    for (;;) {
        size_t len = strcspn(p, separators);
        g_autofree char *word = g_strndup(p, len), *before = g_strndup(text, p - text);
        char *near;

        at->text = before;
        at->word = word;
        near = len > 0 ? nearest_candidate(mon, arg, at, word) : NULL;
        if (near != NULL || p[len] == '\0') {
            return near;
        }
        p += len + 1;
    }
}

void suggest_value(Monitor *mon, const CmdValues *values)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (unsigned i = 0; i < values->count; i++) {
        CompleteAt at = { (const char *const *)words->pdata, words->len, NULL };
        const char *text = values->row[i].text;
        g_autofree char *near = NULL;

        if (text == NULL || values->row[i].arg->kind == ARG_LINE) {
            continue;
        }
        near = nearest_part(mon, values->row[i].arg, &at, text);
        if (near != NULL) {
            monitor_print_styled(mon, STYLE_HINT, "Did you mean '%s'?\n", near);
            return;
        }
        g_ptr_array_add(words, (gpointer)text);
    }
}
