/*
 * A terminal's stream: ui/terminal*.c.  The first bytes say how large the screen is; ff in the
 * stream is a key or a look back instead, and what follows says which.
 */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "console.h"
#include "terminal.h"

enum { COLUMNS_MAX = 40, ROWS_MAX = 12 };

static void answer(void *opaque, const char *text, size_t len)
{
    g_assert(len > 0 && len < 32);
}

/* Every cell is a character with an attribute, the cursor is on the screen. */
static void check(const Terminal *terminal, unsigned columns, unsigned rows)
{
    uint32_t cells[COLUMNS_MAX * ROWS_MAX];
    unsigned column, row;

    terminal_view(terminal, cells);
    for (unsigned i = 0; i < columns * rows; i++) {
        uint32_t code = cells[i] & 0xffffff;

        g_assert(g_unichar_validate(code) && code >= ' ');
    }
    g_assert(!terminal_cursor(terminal, &column, &row) || (column < columns && row < rows));
}

static void press(Terminal *terminal, uint8_t which)
{
    char bytes[TERMINAL_KEY_MAX];

    if (which < 128) {
        terminal_look_back(terminal, (int)which - 64);
    } else {
        g_assert(terminal_key(terminal, CONSOLE_KEY_UP + which - 128, bytes) < sizeof(bytes));
        terminal_key(terminal, CONSOLE_KEY_F1 + which % 16, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned columns, rows;
    Terminal *terminal;

    if (size < 2) {
        return 0;
    }
    columns = data[0] % COLUMNS_MAX + 1;
    rows = data[1] % ROWS_MAX + 1;
    terminal = terminal_new(columns, rows, answer, NULL);
    for (size_t i = 2; i < size; i++) {
        if (data[i] == 0xff && i + 1 < size) {
            press(terminal, data[++i]);
        } else {
            terminal_write(terminal, &data[i], 1);
        }
        if (i % 16 == 0) {
            check(terminal, columns, rows);
        }
    }
    check(terminal, columns, rows);
    terminal_free(terminal);
    return 0;
}
