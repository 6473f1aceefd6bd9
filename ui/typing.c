/* Texts and key combinations, typed one after another. */
#include "typing.h"

#include <inttypes.h>

#include "keyboard.h"
#include "keys.h"
#include "rhea_error.h"
#include "vm_core.h"

#define JOBS_MAX        1024
#define WAITING_MAX     (4 * TYPING_TEXT_MAX)   /* characters of all texts */
#define FEED            64                      /* characters given to the keyboard at once */
#define HOLD_MS_DEFAULT 100
#define HOLD_MS_MAX     (60 * 1000)
#define KEYS_AT_ONCE    64

typedef struct Job {
    Vm *vm;
    const Keymap *map;
    Keyboard *keyboard;                 /* NULL: its turn has not come */
    TypedFn done;
    void *opaque;
    gunichar *text;                     /* of `length` characters; NULL: keys */
    size_t length, at;
    GArray *keys;                       /* unsigned, pressed together */
    int64_t hold_ns;
} Job;

static GQueue jobs = G_QUEUE_INIT;      /* the first is under way */

static void job_free(Job *job)
{
    keyboard_free(job->keyboard);
    g_free(job->text);
    if (job->keys != NULL) {
        g_array_unref(job->keys);
    }
    g_free(job);
}

static void job_end(Job *job, const GError *error)
{
    if (job->done != NULL) {
        job->done(job->opaque, error);
    }
    job_free(job);
}

/* ---- work ---- */

static void feed_text(Job *job)
{
    for (unsigned i = 0; i < FEED && job->at < job->length; i++) {
        keyboard_stroke(job->keyboard, keysym_of_character(job->text[job->at++]), false, false);
    }
}

static void start_first(void);

static void fail_all(TypistEnd why)
{
    g_autoptr(GError) error = NULL;
    GQueue failed = jobs;
    Job *job;

    if (why == TYPIST_RESET) {
        set_error(&error, "the machine was reset before everything was typed");
    } else {
        set_error(&error, "the guest has not read a key for %d seconds",
                  (int)(TYPIST_PATIENCE_NS / NS_PER_SEC));
    }
    g_queue_init(&jobs);
    while ((job = g_queue_pop_head(&failed)) != NULL) {
        job_end(job, error);
    }
}

static void on_drained(void *opaque, TypistEnd end)
{
    Job *job = opaque;

    if (end != TYPIST_DONE) {
        fail_all(end);
    } else if (job->at < job->length) {
        feed_text(job);
    } else {
        g_queue_pop_head(&jobs);
        start_first();
        job_end(job, NULL);
    }
}

static void start_first(void)
{
    Job *job = g_queue_peek_head(&jobs);

    if (job == NULL) {
        return;
    }
    job->keyboard = keyboard_new(job->vm, job->map, 0);
    keyboard_set_guest(job->keyboard);
    keyboard_on_drained(job->keyboard, on_drained, job);
    if (job->keys != NULL) {
        keyboard_chord(job->keyboard, (const unsigned *)(void *)job->keys->data, job->keys->len,
                       job->hold_ns);
    } else {
        feed_text(job);
    }
}

static void add_job(Job *job)
{
    g_queue_push_tail(&jobs, job);
    if (jobs.length == 1) {
        start_first();
    }
}

static bool has_room(Vm *vm, size_t length, GError **error)
{
    size_t waiting = length;

    if (!input_takes(vm, INPUT_KEY)) {
        set_error(error, "the machine has no keyboard");
        return false;
    }
    for (GList *link = jobs.head; link != NULL; link = link->next) {
        const Job *job = link->data;

        waiting += job->length - job->at;
    }
    if (jobs.length >= JOBS_MAX || waiting > WAITING_MAX) {
        set_error(error, "too many keys are waiting to be typed");
        return false;
    }
    return true;
}

/* ---- texts ---- */

static bool check_text(const Keymap *map, const char *layout, const gunichar *text, size_t length,
                       GError **error)
{
    KeyStroke strokes[KEYMAP_STROKES_MAX];

    for (size_t i = 0; i < length; i++) {
        if (keymap_character(map, text[i], strokes) == 0) {
            char utf8[7] = "";

            g_unichar_to_utf8(g_unichar_isprint(text[i]) ? text[i] : ' ', utf8);
            set_error(error, "layout '%s' has no keys for '%s' (U+%04" PRIX32 "), character %zu of "
                      "the text", layout, utf8, (uint32_t)text[i], i + 1);
            return false;
        }
    }
    return true;
}

/* NULL: it is none, too long, or cannot be typed. */
static gunichar *read_text(const char *utf8, const Keymap *map, const char *layout, size_t *length,
                           GError **error)
{
    g_autofree gunichar *text = NULL;

    if (!g_utf8_validate(utf8, -1, NULL)) {
        set_error(error, "the text is not UTF-8");
        return NULL;
    }
    *length = g_utf8_strlen(utf8, -1);
    if (*length == 0) {
        set_error(error, "there is no text to type");
        return NULL;
    }
    if (*length > TYPING_TEXT_MAX) {
        set_error(error, "the text has %zu characters, at most %d can be typed at once", *length,
                  TYPING_TEXT_MAX);
        return NULL;
    }
    text = g_utf8_to_ucs4_fast(utf8, -1, NULL);
    return check_text(map, layout, text, *length, error) ? g_steal_pointer(&text) : NULL;
}

bool typing_text(Vm *vm, const char *utf8, const char *layout, TypedFn done, void *opaque,
                 GError **error)
{
    const Keymap *map = keymap_find(layout, error);
    gunichar *text;
    size_t length;
    Job *job;

    if (map == NULL || (text = read_text(utf8, map, layout, &length, error)) == NULL) {
        return false;
    }
    if (!has_room(vm, length, error)) {
        g_free(text);
        return false;
    }
    job = g_new0(Job, 1);
    *job = (Job){ .vm = vm, .map = map, .done = done, .opaque = opaque, .text = text,
                  .length = length };
    add_job(job);
    return true;
}

/* ---- key combinations ---- */

static GArray *read_keys(const char *text, GError **error)
{
    g_auto(GStrv) names = g_strsplit(text, "-", KEYS_AT_ONCE + 1);
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(unsigned));

    for (char **name = names; *name != NULL; name++) {
        unsigned key = key_find(*name);

        if (key == KEY_INVALID) {
            set_error(error, "invalid parameter: %s", *name);
            error_suggest(error, nearest_name(*name, key_names(),
                                              g_strv_length((char **)key_names())));
            return NULL;
        }
        g_array_append_val(keys, key);
    }
    if (keys->len == 0) {
        set_error(error, "no keys were named");
        return NULL;
    }
    return g_steal_pointer(&keys);
}

bool typing_keys(Vm *vm, const char *text, unsigned hold_ms, GError **error)
{
    GArray *keys;
    Job *job;

    if (!has_room(vm, 0, error) || (keys = read_keys(text, error)) == NULL) {
        return false;
    }
    hold_ms = MIN(hold_ms != 0 ? hold_ms : HOLD_MS_DEFAULT, HOLD_MS_MAX);
    job = g_new0(Job, 1);
    *job = (Job){ .vm = vm, .map = keymap_find("en-us", NULL), .keys = keys,
                  .hold_ns = hold_ms * NS_PER_MS };
    add_job(job);
    return true;
}
