/*
 * rhea-img: what its files share.  Each command is a row of img_commands[] (rhea_img.c) and a
 * function that gets its parsed arguments and returns the exit status.
 */
#pragma once

#include <getopt.h>
#include <stdio.h>

#include "block_driver.h"

#define ROUND_UP(n, to) (((n) + (to) - 1) / (to) * (to))

/* Long options without a letter, numbered below the letters. */
enum { IMG_OBJECT = 1, IMG_IMAGE_OPTS, IMG_TARGET_IMAGE_OPTS, IMG_OUTPUT, IMG_BACKING_CHAIN,
       IMG_START_OFFSET, IMG_MAX_LENGTH, IMG_PREALLOCATION, IMG_SHRINK, IMG_SIZE,
       IMG_TARGET_IS_ZERO };

typedef struct ImgArgs {
    bool given[128];
    const char *value[128];             /* the last one */
    GString *options;                   /* every -o, joined */
    bool json;
    char **names;                       /* what is not an option */
    int n_names;
} ImgArgs;

typedef struct ImgCommand {
    const char *name;
    int (*run)(ImgArgs *args);
    const char *letters;                /* as for getopt() */
    const char *longs;                  /* IMG_… as characters */
    const char *usage, *help;
} ImgCommand;
extern const ImgCommand img_commands[];
extern const struct option img_long_options[];

/* What an option is for: completions and the manual page read it. */
typedef struct ImgOptionHelp {
    int code;                           /* letter or IMG_…; 0 ends the table */
    const char *arg, *help;             /* arg NULL: it takes none */
    const char *command;                /* only there; NULL: wherever no other row fits */
} ImgOptionHelp;
extern const ImgOptionHelp img_option_help[];

int img_create(ImgArgs *args);
int img_info(ImgArgs *args);
int img_check(ImgArgs *args);
int img_map(ImgArgs *args);
int img_convert(ImgArgs *args);
int img_snapshot(ImgArgs *args);
int img_commit(ImgArgs *args);
int img_rebase(ImgArgs *args);
int img_resize(ImgArgs *args);
int img_compare(ImgArgs *args);
int img_measure(ImgArgs *args);

/* ---- errors: "rhea-img: …" on standard error; return 1 ---- */
int img_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);
int img_fail_usage(const char *format, ...) G_GNUC_PRINTF(1, 2);       /* and where help is */
int img_fail_error(GError *error);                                      /* frees it */

/* ---- images (img_open.c) ---- */
/* `image_opts`: `name` is a list of options; `cache`: NULL or a -t mode. Errors name the image. */
typedef struct ImgOpen {
    const char *name, *format, *cache;
    bool image_opts;
    unsigned flags;                     /* BLOCK_OPEN_* */
} ImgOpen;
BlockNode *img_open(const ImgOpen *how, GError **error);
/* The usual case: one image named on the command line, with -f, -U, --image-opts, -t. */
BlockNode *img_open_arg(ImgArgs *args, int n, unsigned flags, GError **error);
/* -o as pairs; NULL with an error. */
KeyVal *img_parse_options(const char *text, GError **error);
const BlockDriver *img_find_format(const char *name, GError **error);
/* Size as typed, or an error as QEMU words it. */
bool img_parse_size(const char *text, const char *what, uint64_t *bytes, GError **error);
/* Makes a read-only image show one of its snapshots. */
bool img_view_snapshot(BlockNode *node, const char *text, GError **error);
bool img_parse_prealloc(const char *text, BlockPrealloc *prealloc, GError **error);
/* Flushes and closes; what did not reach the disk is an error. */
bool img_finish(BlockNode *node, GError **error);

/* ---- progress (img_progress.c): "    (12.34/100%)" on one line ---- */
typedef struct ImgProgress { bool on; double last; } ImgProgress;
void img_progress_begin(ImgProgress *progress, ImgArgs *args);
void img_progress_set(ImgProgress *progress, uint64_t done, uint64_t total);
void img_progress_end(ImgProgress *progress);

/* ---- JSON as QEMU lays it out: 4 spaces a level (img_json.c) ---- */
typedef struct ImgJson { GString *out; unsigned depth; bool first; } ImgJson;
void img_json_begin(ImgJson *json, const char *name, char bracket);     /* name NULL: none */
void img_json_end(ImgJson *json, char bracket);
void img_json_string(ImgJson *json, const char *name, const char *value);
void img_json_number(ImgJson *json, const char *name, uint64_t value);
void img_json_bool(ImgJson *json, const char *name, bool value);
void img_json_print(ImgJson *json);                                     /* and frees it */

/* The table of snapshots of `info` and `snapshot -l`. */
void img_print_snapshots(const BlockInfo *info);
