/* Values of properties on the wire. */
#pragma once

#include <json.h>

#include "property.h"

/* From the text a property's type prints. */
json_object *property_json_value(PropJson kind, const char *text);
/* The text a property's type reads.  NULL: not a string, integer or boolean. */
char *property_json_text(const char *property, json_object *value, GError **error);
