/*
 * Strings as QMP writes and reads them.
 *
 * In memory a string is UTF-8 with U+0000 as the two bytes c0 80, so that it stays a C string.
 * Surrogate halves and the 66 noncharacters are no characters here.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Appends what a string token (quotes included) stands for. */
bool json_string_decode(const char *token, size_t len, GString *out, GError **error);

/* Appends `text` in double quotes, everything but printable ASCII as an escape. */
void json_string_encode(const char *text, GString *out);
