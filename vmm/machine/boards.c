/* The boards there are. */
#include <string.h>

#include "machine.h"
#include "none.h"
#include "pc.h"

const Board *const boards[] = { &pc_board_7_2, &none_board, NULL };

const Board *board_find(const char *name)
{
    for (const Board *const *board = boards; *board; board++) {
        if (strcmp((*board)->name, name) == 0 ||
            ((*board)->alias && strcmp((*board)->alias, name) == 0)) {
            return *board;
        }
    }
    return NULL;
}
