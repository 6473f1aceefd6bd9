/* JSON values → text as QMP writes it: ", " and ": " between, ASCII only, or indented by four. */
#pragma once

#include <glib.h>
#include <json.h>
#include <stdbool.h>

void json_text_append(GString *out, json_object *value, bool pretty);
