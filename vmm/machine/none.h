/* The empty board; see none.c. */
#pragma once

#include "machine.h"

extern const Board none_board;
