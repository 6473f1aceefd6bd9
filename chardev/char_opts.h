/*
 * The options of a character device, as -chardev and the legacy words of -serial and friends give
 * them.
 *
 * A back end declares its options in a table; text is checked against it once, when it is set, so a
 * back end reads values without a way to fail.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "chardev.h"

typedef enum CharOptionKind {
    CHAR_OPTION_STRING, CHAR_OPTION_BOOL, CHAR_OPTION_NUMBER, CHAR_OPTION_SIZE,
} CharOptionKind;

typedef struct CharOption {
    const char *name;
    CharOptionKind kind;
    const char *help;
} CharOption;

/* Of a back end by name: its own (0) and those all take (1). NULL: none, or no such back end. */
enum { CHAR_OPTION_TABLES = 2 };
const CharOption *char_options_of(const char *backend, unsigned table);

typedef struct CharOpts {
    const ChardevType *type;
    char *id;
    GHashTable *values;                     /* name → text, both owned */
} CharOpts;

CharOpts *char_opts_new(const ChardevType *type, const char *id);
void char_opts_free(CharOpts *opts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CharOpts, char_opts_free)
bool char_opts_set(CharOpts *opts, const char *name, const char *text, GError **error);

const char *char_opts_string(const CharOpts *opts, const char *name);       /* NULL: not given */
bool char_opts_bool(const CharOpts *opts, const char *name, bool def);
uint64_t char_opts_number(const CharOpts *opts, const char *name, uint64_t def);

/* "BACKEND,id=ID,opts": the text after -chardev. */
CharOpts *char_opts_parse(const char *text, GError **error);
/*
 * A legacy word that makes a new device ("stdio", "unix:/x,server=on"); "mon:" in front asks for
 * a mux.
 */
CharOpts *char_opts_from_legacy(const char *label, const char *word, GError **error);
/* Options to be set one by one, for a back end by name. */
CharOpts *char_opts_for(const char *backend, const char *id, GError **error);

/* Opens what `opts` ask for, with mux=on as two: the mux and "<id>-base" below it. */
Chardev *chardev_open_opts(const CharOpts *opts, GError **error);
/* Puts a new back end under the front end of the one with that id. Refused for a mux. */
bool chardev_change(const CharOpts *opts, GError **error);

/* Is `text` an id: a letter, then letters, digits, '-', '.', '_'. */
bool char_id_valid(const char *text);
