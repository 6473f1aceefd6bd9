#include "json_text.h"

#include <inttypes.h>

#include "json_string.h"

typedef struct Writer { GString *out; bool pretty; int depth; } Writer;

static void write_value(Writer *writer, json_object *value);

static void new_line(Writer *writer)
{
    if (writer->pretty) {
        g_string_append_printf(writer->out, "\n%*s", writer->depth * 4, "");
    }
}

static void open_container(Writer *writer, char bracket)
{
    g_string_append_c(writer->out, bracket);
    writer->depth++;
}

static void close_container(Writer *writer, char bracket)
{
    writer->depth--;
    new_line(writer);
    g_string_append_c(writer->out, bracket);
}

static void next_member(Writer *writer, bool first)
{
    if (!first) {
        g_string_append(writer->out, writer->pretty ? "," : ", ");
    }
    new_line(writer);
}

static void write_object(Writer *writer, json_object *object)
{
    bool first = true;

    open_container(writer, '{');
    json_object_object_foreach(object, key, value) {
        next_member(writer, first);
        first = false;
        json_string_encode(key, writer->out);
        g_string_append(writer->out, ": ");
        write_value(writer, value);
    }
    close_container(writer, '}');
}

static void write_array(Writer *writer, json_object *array)
{
    open_container(writer, '[');
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        next_member(writer, i == 0);
        write_value(writer, json_object_array_get_idx(array, i));
    }
    close_container(writer, ']');
}

/* json-c keeps integers above INT64_MAX unsigned; reading them signed gives INT64_MAX then. */
static void write_integer(Writer *writer, json_object *value)
{
    int64_t n = json_object_get_int64(value);

    if (n == INT64_MAX) {
        g_string_append_printf(writer->out, "%" PRIu64, json_object_get_uint64(value));
    } else {
        g_string_append_printf(writer->out, "%" PRId64, n);
    }
}

static void write_double(Writer *writer, double number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append(writer->out, g_ascii_formatd(text, sizeof(text), "%.17g", number));
}

static void write_value(Writer *writer, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        g_string_append(writer->out, "null");
        break;
    case json_type_boolean:
        g_string_append(writer->out, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_double:
        write_double(writer, json_object_get_double(value));
        break;
    case json_type_int:
        write_integer(writer, value);
        break;
    case json_type_string:
        json_string_encode(json_object_get_string(value), writer->out);
        break;
    case json_type_object:
        write_object(writer, value);
        break;
    case json_type_array:
        write_array(writer, value);
        break;
    }
}

void json_text_append(GString *out, json_object *value, bool pretty)
{
    Writer writer = { out, pretty, 0 };

    write_value(&writer, value);
}
