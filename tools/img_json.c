/* JSON text for --output=json. */
#include "img.h"

static void next(ImgJson *json, const char *name)
{
    if (json->out == NULL) {
        json->out = g_string_new(NULL);
        json->first = true;
    }
    if (json->depth > 0) {
        g_string_append(json->out, json->first ? "\n" : ",\n");
        g_string_append_printf(json->out, "%*s", (int)json->depth * 4, "");
    }
    if (name != NULL) {
        g_string_append_printf(json->out, "\"%s\": ", name);
    }
    json->first = false;
}

void img_json_begin(ImgJson *json, const char *name, char bracket)
{
    next(json, name);
    g_string_append_c(json->out, bracket);
    json->depth++;
    json->first = true;
}

void img_json_end(ImgJson *json, char bracket)
{
    json->depth--;
    g_string_append_printf(json->out, "\n%*s%c", (int)json->depth * 4, "", bracket);
    json->first = false;
}

void img_json_string(ImgJson *json, const char *name, const char *value)
{
    next(json, name);
    g_string_append_c(json->out, '"');
    for (; *value != '\0'; value++) {
        unsigned char c = *value;

        if (c == '"' || c == '\\') {
            g_string_append_printf(json->out, "\\%c", c);
        } else if (c < 0x20) {
            g_string_append_printf(json->out, "\\u%04x", c);
        } else {
            g_string_append_c(json->out, c);
        }
    }
    g_string_append_c(json->out, '"');
}

void img_json_number(ImgJson *json, const char *name, uint64_t value)
{
    next(json, name);
    g_string_append_printf(json->out, "%" G_GUINT64_FORMAT, value);
}

void img_json_bool(ImgJson *json, const char *name, bool value)
{
    next(json, name);
    g_string_append(json->out, value ? "true" : "false");
}

void img_json_print(ImgJson *json)
{
    printf("%s\n", json->out->str);
    g_string_free(json->out, TRUE);
    json->out = NULL;
}
