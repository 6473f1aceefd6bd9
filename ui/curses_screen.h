/*
 * What to write for a sheet of cells to be on a terminal's screen, by the terminal's description
 * (terminfo, through ncursesw).
 *
 * It is terminfo alone and not curses' windows for two reasons: their writes wait for the terminal,
 * ours are bytes that the caller sends when the terminal takes them; and their colour pairs are too
 * few for a picture in true colour.
 *
 * One at a time: terminfo is the process's.  Any thread, one at a time.
 */
#pragma once

#include "curses_cells.h"
#include "curses_keys.h"

typedef enum CursesColors { CURSES_8, CURSES_16, CURSES_256, CURSES_TRUE } CursesColors;

typedef struct CursesScreen CursesScreen;

/*
 * `term`: a name of terminfo's.  `charset`: the locale's, what characters are written in.
 * `true_color`: the terminal has it whatever its description says.
 */
CursesScreen *curses_screen_new(const char *term, const char *charset, bool true_color,
                                GError **error);
void curses_screen_free(CursesScreen *screen);

/* To take the terminal and to give it back as it was; to be kept where a signal finds them. */
const char *curses_screen_enter(const CursesScreen *screen);
const char *curses_screen_leave(const CursesScreen *screen);
/* Keys as the description has them, for a CursesDecoder. */
const CursesSequence *curses_screen_keys(const CursesScreen *screen);
bool curses_screen_erase_is_8(const CursesScreen *screen);
bool curses_screen_is_utf8(const CursesScreen *screen);
CursesColors curses_screen_colors(const CursesScreen *screen);

/* Nothing is known of what the terminal shows: the next drawing writes all of it. */
void curses_screen_forget(CursesScreen *screen);
/* Appends what makes the terminal show the sheet. */
void curses_screen_draw(CursesScreen *screen, const CursesSheet *sheet, GByteArray *out);
