/* From a line's text to the values of a command's arguments. */
#include "parse.h"

#include <string.h>

#include "expr.h"

/* One argument being read. */
typedef struct ArgReader {
    Monitor *mon;
    const Command *cmd;
    const char *name;                       /* "stop|s", as messages say it */
    const char *p;
    CmdValues *values;
} ArgReader;

static void skip_spaces(const char **text)
{
    while (g_ascii_isspace(**text)) {
        ++*text;
    }
}

/* ---- words ---- */

static bool append_escape(GString *word, char c, GError **error)
{
    static const char from[] = "nr\\'\"", to[] = "\n\r\\'\"";
    const char *at = c != '\0' ? strchr(from, c) : NULL;

    if (at == NULL) {
        set_error(error, c != '\0' ? "unsupported escape code: '\\%c'" : "unterminated string", c);
        return false;
    }
    g_string_append_c(word, to[at - from]);
    return true;
}

static char *parse_quoted(const char **text, GError **error)
{
    g_autoptr(GString) word = g_string_new(NULL);
    const char *p = *text + 1;

    for (; *p != '"'; p++) {
        if (*p == '\0') {
            set_error(error, "unterminated string");
            return NULL;
        }
        if (*p != '\\') {
            g_string_append_c(word, *p);
        } else if (!append_escape(word, *++p, error)) {
            return NULL;
        }
    }
    *text = p + 1;
    return g_string_free(g_steal_pointer(&word), FALSE);
}

char *parse_word(const char **text, GError **error)
{
    const char *start;

    skip_spaces(text);
    if (**text == '\0') {
        return NULL;
    }
    if (**text == '"') {
        return parse_quoted(text, error);
    }
    start = *text;
    while (**text != '\0' && !g_ascii_isspace(**text)) {
        ++*text;
    }
    return g_strndup(start, *text - start);
}

/* ---- values ---- */

static void store(ArgReader *r, const CmdArg *arg, uint64_t number, char *text)
{
    unsigned i = r->values->count++;

    g_assert(i < CMD_ARGS_MAX);
    r->values->row[i].arg = arg;
    r->values->row[i].number = number;
    r->values->row[i].text = text;
}

static bool read_word(ArgReader *r, const CmdArg *arg, GError **error)
{
    g_autoptr(GError) why = NULL;
    char *word = parse_word(&r->p, &why);

    if (word != NULL) {
        store(r, arg, 0, word);
        return true;
    }
    if (why == NULL && arg->optional) {
        return true;
    }
    set_error(error, "%s: %s expected", r->name, arg->kind == ARG_FILE ? "filename" :
              arg->kind == ARG_DRIVE ? "block device name" : "string");
    if (why != NULL) {
        error_add_hint(error, "%s", why->message);
    }
    return false;
}

static bool read_rest(ArgReader *r, const CmdArg *arg, GError **error)
{
    skip_spaces(&r->p);
    if (*r->p == '\0') {
        if (!arg->optional) {
            set_error(error, "%s: string expected", r->name);
        }
        return arg->optional;
    }
    store(r, arg, 0, g_strdup(r->p));
    r->p += strlen(r->p);
    return true;
}

static bool read_integer(ArgReader *r, const CmdArg *arg, GError **error)
{
    uint64_t value;

    skip_spaces(&r->p);
    if (*r->p == '\0' && arg->optional) {
        return true;
    }
    if (arg->kind == ARG_DOT_INT32) {
        if (*r->p != '.') {
            return true;
        }
        r->p++;
        skip_spaces(&r->p);
    }
    if (!expr_eval(monitor_cpu(r->mon), &r->p, &value, error)) {
        return false;
    }
    if (arg->kind != ARG_INT64 && value > UINT32_MAX) {
        set_error(error, "'%s' has failed: integer is for 32-bit values", r->name);
        return false;
    }
    store(r, arg, value, NULL);
    return true;
}

static bool read_size(ArgReader *r, const CmdArg *arg, GError **error)
{
    g_autofree char *word = parse_word(&r->p, NULL);
    uint64_t value;

    if (word == NULL && arg->optional) {
        return true;
    }
    if (word == NULL || !parse_size_unit(word, arg->unit ? arg->unit : 1, &value, NULL)) {
        set_error(error, "invalid size");
        return false;
    }
    store(r, arg, value, NULL);
    return true;
}

static bool read_bool(ArgReader *r, const CmdArg *arg, GError **error)
{
    g_autofree char *word = parse_word(&r->p, NULL);

    if (word == NULL && arg->optional) {
        return true;
    }
    if (g_strcmp0(word, "on") != 0 && g_strcmp0(word, "off") != 0) {
        set_error(error, "Expected 'on' or 'off'");
        return false;
    }
    store(r, arg, word[1] == 'n', NULL);
    return true;
}

/* What QEMU counts in MiB is an expression, and never negative. */
static bool read_mib(ArgReader *r, const CmdArg *arg, GError **error)
{
    uint64_t value;

    skip_spaces(&r->p);
    if (*r->p == '\0' && arg->optional) {
        return true;
    }
    if (!expr_eval(monitor_cpu(r->mon), &r->p, &value, error)) {
        return false;
    }
    if (value > INT64_MAX || value > INT64_MAX / MIB) {
        set_error(error, value > INT64_MAX ? "enter a positive value" : "number too large");
        return false;
    }
    store(r, arg, value * MIB, NULL);
    return true;
}

/* The size a letter stands for; 0: not a size letter. */
static unsigned format_letter_size(char letter)
{
    switch (letter) {
    case 'b': return 1;
    case 'h': return 2;
    case 'w': return 4;
    case 'g': return 8;
    case 'L': return 8;
    default:  return 0;
    }
}

/*
 * "/" count, then format and size letters in any order. What is left out is as it was last time.
 */
static bool read_format(ArgReader *r, const CmdArg *arg, GError **error)
{
    CmdFormat format = { .count = 1 };

    skip_spaces(&r->p);
    if (*r->p == '/') {
        r->p++;
        if (g_ascii_isdigit(*r->p)) {
            uint64_t count = g_ascii_strtoull(r->p, (char **)&r->p, 10);

            format.count = MIN(count, INT32_MAX);
        }
        for (; *r->p != '\0'; r->p++) {
            if (strchr("oduxic", *r->p) != NULL) {
                format.letter = *r->p;
            } else if (format_letter_size(*r->p) != 0) {
                format.size = format_letter_size(*r->p);
            } else {
                break;
            }
        }
        if (*r->p != '\0' && !g_ascii_isspace(*r->p)) {
            set_error(error, "invalid char in format: '%c'", *r->p);
            return false;
        }
    }
    if (format.letter == 0) {
        format.letter = r->mon->format;
    }
    r->mon->format = format.letter;
    if (format.letter != 'i') {
        if (format.size == 0) {
            format.size = r->mon->format_size;
        }
        r->mon->format_size = format.size;
    }
    store(r, arg, 0, NULL);
    r->values->row[r->values->count - 1].format = format;
    return true;
}

/* The word behind a flag. */
static bool read_option_value(ArgReader *r, const CmdArg *arg, GError **error)
{
    char *word = parse_word(&r->p, NULL);

    if (word == NULL) {
        set_error(error, "%s: -%c wants %s", r->name, arg->flag, arg->name);
        return false;
    }
    store(r, arg, true, word);
    return true;
}

/* A flag stands here or not at all; another flag's letter is left for the flags that follow. */
static bool read_flag(ArgReader *r, const CmdArg *arg, GError **error)
{
    skip_spaces(&r->p);
    if (r->p[0] != '-' || r->p[1] == '\0' || g_ascii_isspace(r->p[1])) {
        return true;
    }
    if (r->p[1] == arg->flag) {
        r->p += 2;
        if (arg->kind == ARG_OPTION) {
            return read_option_value(r, arg, error);
        }
        store(r, arg, true, NULL);
        return true;
    }
    for (const CmdArg *other = r->cmd->args; other->name != NULL; other++) {
        if ((other->kind == ARG_FLAG || other->kind == ARG_OPTION) && other->flag == r->p[1]) {
            return true;
        }
    }
    set_error(error, "%s: unsupported option -%c", r->name, r->p[1]);
    return false;
}

static bool (*const readers[])(ArgReader *r, const CmdArg *arg, GError **error) = {
    [ARG_WORD] = read_word, [ARG_FILE] = read_word, [ARG_DRIVE] = read_word,
    [ARG_REST] = read_rest, [ARG_LINE] = read_rest, [ARG_MIB] = read_mib, [ARG_OPTION] = read_flag,
    [ARG_INT32] = read_integer, [ARG_INT64] = read_integer, [ARG_SIZE] = read_size,
    [ARG_BOOL] = read_bool, [ARG_FORMAT] = read_format, [ARG_FLAG] = read_flag,
    [ARG_DOT_INT32] = read_integer,
};

bool cmd_parse(Monitor *mon, const Command *cmd, const char *text, CmdValues *values,
               GError **error)
{
    g_autofree char *name = command_full_name(cmd);
    ArgReader r = { mon, cmd, name, text, values };

    memset(values, 0, sizeof(*values));
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (!readers[arg->kind](&r, arg, error)) {
            return false;
        }
    }
    skip_spaces(&r.p);
    if (*r.p != '\0') {
        set_error(error, "%s: extraneous characters at the end of line: '%s'", name, r.p);
        return false;
    }
    return true;
}

void cmd_values_clear(CmdValues *values)
{
    for (unsigned i = 0; i < values->count; i++) {
        g_free(values->row[i].text);
    }
    values->count = 0;
}

static int find_value(const CmdValues *values, const char *name)
{
    for (unsigned i = 0; i < values->count; i++) {
        if (g_str_equal(values->row[i].arg->name, name)) {
            return i;
        }
    }
    return -1;
}

bool cmd_given(const CmdValues *values, const char *name)
{
    return find_value(values, name) >= 0;
}

uint64_t cmd_number(const CmdValues *values, const char *name, uint64_t def)
{
    int i = find_value(values, name);

    return i >= 0 ? values->row[i].number : def;
}

const char *cmd_text(const CmdValues *values, const char *name)
{
    int i = find_value(values, name);

    return i >= 0 ? values->row[i].text : NULL;
}

CmdFormat cmd_format(const CmdValues *values, const char *name)
{
    int i = find_value(values, name);

    g_assert(i >= 0);
    return values->row[i].format;
}
