#!/usr/bin/env python3
"""QMP schema -> C types, tables, argument unpacking, events; a reference page; completion words.

usage: generate.py NAME OUTDIR SCHEMA.json...
writes NAME.h, NAME.c, NAME.md and NAME.words into OUTDIR.  The tables are called after NAME less
"_api".
"""

import os
import re
import sys

sys.dont_write_bytecode = True

from schema import SCALARS, Schema, SchemaError  # noqa: E402

C_SCALARS = {
    "bool": "bool", "int": "int64_t", "size": "uint64_t", "number": "double", "null": "uint8_t",
    "str": "char *", "any": "json_object *",
}
# Words a member cannot be called; GNU C predefines the last two.
C_KEYWORDS = set("auto break case char const continue default do double else enum extern float for "
                 "goto if inline int long register restrict return short signed sizeof static struct "
                 "switch typedef union unsigned void volatile while linux unix".split())
MAX_PLAIN_ARGS = 4              # past these a handler gets its arguments as one struct


def c_name(name):
    plain = re.sub(r"[^A-Za-z0-9]", "_", name)
    return plain + "_" if plain in C_KEYWORDS else plain


def snake(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def upper(name):
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def camel(name):
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_]", name.lower()))


def comment(text, indent=""):
    return f"{indent}/* {text} */"


class Emitter:
    def __init__(self, schema, name):
        self.schema = schema
        self.name = name
        self.symbols = name.removesuffix("_api")
        self.h = []
        self.c = []
        self.done = set()

    # ---- C spelling of types ----

    def c_entry(self, entry):
        """The C name of a type: ours start with Qmp, one with a header has its own."""
        return entry.name if "header" in entry.raw else "Qmp" + entry.name

    def c_prefix(self, entry):
        return upper(snake(self.c_entry(entry)))

    def c_lower(self, entry):
        return "qmp_" + snake(entry.name)

    def kind_of(self, ref):
        if isinstance(ref, list):
            return "array"
        return "scalar" if ref in SCALARS else self.schema.types[ref].kind

    def is_pointer(self, ref):
        return self.kind_of(ref) not in ("scalar", "enum") or ref in ("str", "any")

    def c_type(self, ref):
        if isinstance(ref, list):
            return "GPtrArray *" if self.is_pointer(ref[0]) else "GArray *"
        if ref in SCALARS:
            return C_SCALARS.get(ref, ref + "_t")
        name = self.c_entry(self.schema.types[ref])
        return name if self.kind_of(ref) == "enum" else name + " *"

    def declare(self, ref, name):
        kind = self.c_type(ref)
        return kind + name if kind.endswith("*") else f"{kind} {name}"

    def parameter(self, member):
        """How a handler or an event function takes this member."""
        name = c_name(member.name)
        if self.is_pointer(member.type):
            constant = "" if member.type == "any" else "const "
            return constant + self.declare(member.type, name)
        if member.optional:
            return f"const {self.c_type(member.type)} *{name}"
        return self.declare(member.type, name)

    def type_row(self, ref):
        if isinstance(ref, list):
            return f"&{self.array_row(ref)}"
        return f"&qmp_type_{ref}" if ref in SCALARS else f"&{self.row_name(ref)}"

    def row_name(self, ref):
        return f"qmp_{snake(ref)}_row"

    def array_row(self, ref):
        base = ref[0] if ref[0] in SCALARS else snake(ref[0])
        return f"{base}_array_row"

    def has_flag(self, member):
        """NULL says that a pointer is absent, but for `any` it is JSON's null."""
        return member.optional and (not self.is_pointer(member.type) or member.type == "any")

    # ---- header: enums and structs ----

    def emit_enum(self, entry):
        prefix = self.c_prefix(entry)
        if "header" in entry.raw:
            return
        self.h.append(comment(entry.doc))
        self.h.append(f"typedef enum {self.c_entry(entry)} {{")
        for value, doc in entry.raw["values"].items():
            self.h.append(f"    {prefix}_{upper(value)},  {comment(doc)}")
        self.h.append(f"}} {self.c_entry(entry)};")
        self.h.append(f"extern const char *const {self.c_lower(entry)}_names[];\n")

    def emit_fields(self, members):
        for member in members:
            if self.has_flag(member):
                self.h.append(f"    bool has_{c_name(member.name)};")
            note = comment(member.doc + ("; optional" if member.optional else ""))
            self.h.append(f"    {self.declare(member.type, c_name(member.name))};  {note}")

    def emit_struct(self, entry):
        """Structs that unions hold by value come first."""
        if entry.name in self.done:
            return
        self.done.add(entry.name)
        for ref in getattr(entry, "cases", {}).values():
            self.emit_struct(self.schema.types[ref])
        self.h.append(comment(entry.doc))
        self.h.append(f"struct {self.c_entry(entry)} {{")
        if entry.kind == "alternate":
            self.emit_alternate_body(entry)
        else:
            self.emit_fields(entry.members)
            if not entry.members:
                self.h.append("    char empty;")
        if getattr(entry, "cases", None):
            self.h.append("    union {")
            for value, ref in entry.cases.items():
                self.h.append(f"        Qmp{ref} {c_name(value)};")
            self.h.append("    } u;")
        self.h.append("};\n")

    def emit_alternate_body(self, entry):
        prefix = self.c_prefix(entry)
        self.h.append("    enum {")
        for member in entry.members:
            self.h.append(f"        {prefix}_{upper(member.name)},")
        self.h.append("    } choice;\n    union {")
        for member in entry.members:
            self.h.append(f"        {self.declare(member.type, c_name(member.name))};  "
                          + comment(member.doc))
        self.h.append("    } u;")

    def emit_helpers(self, entry):
        lower, name = self.c_lower(entry), self.c_entry(entry)
        self.h.append(f"void {lower}_free({name} *value);")
        self.h.append(f"G_DEFINE_AUTOPTR_CLEANUP_FUNC({name}, {lower}_free)")
        self.h.append(f"json_object *{lower}_to_json(const {name} *value);")
        self.h.append(f"/* An array that owns its elements. */\nGPtrArray *{lower}_list_new(void);")

    # ---- rows ----

    def features_row(self, features):
        names = ", ".join(f'"{feature}"' for feature in features)
        return f"(const char *const []){{ {names}, NULL }}" if features else "NULL"

    def member_row(self, struct, member, offset=None):
        field = offset or c_name(member.name)
        parts = [f'.name = "{member.name}"', f".type = {self.type_row(member.type)}",
                 f".offset = offsetof({struct}, {field})"]
        if member.optional:
            parts.append(".optional = true")
        if self.has_flag(member):
            flag = f"has_{c_name(member.name)}"
            parts.append(f".flagged = true, .has_offset = offsetof({struct}, {flag})")
        if member.features:
            parts.append(f".features = {self.features_row(member.features)}")
        return "    { " + ", ".join(parts) + " },"

    def emit_members(self, lower, struct, members):
        self.c.append(f"static const QmpMember {lower}_members[] = {{")
        self.c += [self.member_row(struct, member) for member in members]
        self.c.append("    {}\n};")

    def emit_row(self, lower, name, parts):
        self.c.append(f"static const QmpType {lower}_row = {{")
        self.c.append(f'    .name = "{name}",')
        self.c += [f"    {part}," for part in parts]
        self.c.append("};\n")

    def emit_enum_row(self, entry):
        lower, prefix = self.c_lower(entry), self.c_prefix(entry)
        static = "static " if "header" in entry.raw else ""
        self.c.append(f"{static}const char *const {lower}_names[] = {{")
        for value in entry.values:
            self.c.append(f'    [{prefix}_{upper(value)}] = "{value}",')
        self.c.append("    NULL\n};")
        if "header" in entry.raw:
            for number, value in enumerate(entry.values):
                self.c.append(f"G_STATIC_ASSERT({prefix}_{upper(value)} == {number});")
        self.emit_row(lower, entry.name, [
            ".kind = QMP_ENUM", f".slot_size = sizeof({self.c_entry(entry)})",
            f".values = {lower}_names",
            f".features = {self.features_row(entry.features)}"])

    def emit_struct_row(self, entry):
        lower = self.c_lower(entry)
        parts = [".kind = QMP_STRUCT", ".slot_size = sizeof(void *)",
                 f".size = sizeof({self.c_entry(entry)})", f".members = {lower}_members",
                 f".free = {lower}_release",
                 f".features = {self.features_row(entry.features)}"]
        if entry.kind == "union":
            position = entry.members.index(entry.tag)
            self.c.append(f"static const QmpType *const {lower}_cases[] = {{")
            values = self.schema.types[entry.tag.type].values
            prefix = self.c_prefix(self.schema.types[entry.tag.type])
            for value in values:
                row = f"&{self.row_name(entry.cases[value])}" if value in entry.cases else "NULL"
                self.c.append(f"    [{prefix}_{upper(value)}] = {row},")
            self.c.append("};")
            parts += [f".tag = &{lower}_members[{position}]", f".cases = {lower}_cases"]
            if entry.cases:
                parts.append(f".u_offset = offsetof({self.c_entry(entry)}, u)")
        self.emit_members(lower, self.c_entry(entry), entry.members)
        self.emit_row(lower, entry.name, parts)

    def emit_alternate_row(self, entry):
        lower = self.c_lower(entry)
        self.c.append(f"static const QmpMember {lower}_members[] = {{")
        for member in entry.members:
            self.c.append(self.member_row(self.c_entry(entry), member, f"u.{c_name(member.name)}"))
        self.c.append("    {}\n};")
        self.emit_row(lower, entry.name, [
            ".kind = QMP_ALTERNATE", ".slot_size = sizeof(void *)",
            f".size = sizeof({self.c_entry(entry)})", f".members = {lower}_members",
            f".free = {lower}_release"])

    def emit_type_functions(self, entry):
        lower = self.c_lower(entry)
        self.c.append(f"static void {lower}_release(void *value)\n{{\n"
                      f"    qmp_object_free(&{lower}_row, value);\n}}\n")
        self.c.append(f"void {lower}_free({self.c_entry(entry)} *value)\n{{\n"
                      f"    qmp_object_free(&{lower}_row, value);\n}}\n")
        self.c.append(f"json_object *{lower}_to_json(const {self.c_entry(entry)} *value)\n{{\n"
                      f"    return qmp_value_to_json(&{lower}_row, &value);\n}}\n")
        self.c.append(f"GPtrArray *{lower}_list_new(void)\n{{\n"
                      f"    return g_ptr_array_new_with_free_func({lower}_release);\n}}\n")

    def arrays(self):
        found = {}
        for entry in self.schema.entries:
            refs = [member.type for member in entry.members]
            for ref in refs + [getattr(entry, "returns", None)]:
                if isinstance(ref, list):
                    found[self.array_row(ref)] = ref
        return found

    # ---- commands ----

    def args_struct(self, entry):
        return "Qmp" + entry.raw["args"] if entry.boxed else f"Qmp{camel(entry.name)}Args"

    def takes_session(self, entry):
        return entry.raw.get("session") or entry.raw.get("async") or entry.raw.get("fd")

    def prototype(self, entry):
        first = "QmpSession *session" if self.takes_session(entry) else "Vm *vm"
        params = [first]
        if entry.boxed or len(entry.members) > MAX_PLAIN_ARGS:
            params.append(f"const {self.args_struct(entry)} *args")
        else:
            params += [self.parameter(member) for member in entry.members]
            params += ["json_object *all"] if entry.open else []
        kind = "bool "
        if entry.raw.get("async"):
            pass
        elif entry.returns == "any":
            params.append("json_object **value")
        elif entry.returns is not None:
            kind = self.c_type(entry.returns)
        params.append("GError **error")
        return f"{kind}qmp_{c_name(entry.name)}({', '.join(params)})"

    def call(self, entry):
        values = ["session" if self.takes_session(entry) else "session->vm"]
        if entry.boxed or len(entry.members) > MAX_PLAIN_ARGS:
            values.append("args")
        else:
            for member in entry.members:
                field = f"args->{c_name(member.name)}"
                if self.has_flag(member) and member.type != "any":
                    field = f"args->has_{c_name(member.name)} ? &{field} : NULL"
                values.append(field)
            values += ["args->all"] if entry.open else []
        if entry.returns == "any" and not entry.raw.get("async"):
            values.append("&any")
        return f"qmp_{c_name(entry.name)}({', '.join(values)}, error)"

    def emit_runner(self, entry):
        lower = c_name(entry.name)
        body = []
        if entry.boxed or entry.members or entry.open:
            body.append(f"    const {self.args_struct(entry)} *args = opaque;")
        if entry.raw.get("async"):
            body += [""] if body else []
            body.append(f"    return {self.call(entry)};")
        elif entry.returns == "any":
            body += ["    json_object *any = NULL;", "", f"    if (!{self.call(entry)}) {{",
                     "        return false;", "    }",
                     "    ret->pointer = any;", "    return true;"]
        elif entry.returns is not None:
            body += [""] if body else []
            body += [f"    ret->pointer = {self.call(entry)};", "    return ret->pointer != NULL;"]
        else:
            body += [""] if body else []
            body.append(f"    return {self.call(entry)};")
        self.c.append(f"static bool run_{lower}(QmpSession *session, const void *opaque,\n"
                      f"{' ' * (17 + len(lower))}QmpSlot *ret, GError **error)\n{{")
        self.c += body
        self.c.append("}\n")

    def emit_commands(self):
        commands = sorted(self.schema.of_kind("command"), key=lambda entry: entry.name)
        for entry in commands:
            self.emit_runner(entry)
        self.c.append(f"const QmpCommand {self.symbols}_commands[] = {{")
        for entry in commands:
            args = f"qmp_{c_name(entry.name)}_args_row"
            if entry.boxed:
                args = self.row_name(entry.raw["args"])
            parts = [f'"{entry.name}"', f".args = &{args}", f".run = run_{c_name(entry.name)}"]
            if entry.returns is not None:
                parts.append(f".ret = {self.type_row(entry.returns)}")
            parts += [f".{key} = true" for key in ("oob", "async", "fd") if entry.raw.get(key)]
            if entry.features:
                parts.append(f".features = {self.features_row(entry.features)}")
            self.c.append("    { " + ", ".join(parts) + " },")
        self.c.append("    {}\n};\n")

    def emit_args(self):
        """Argument and event data structs, which no schema entry names."""
        for entry in self.schema.of_kind("command", "event"):
            if entry.kind == "command" and entry.boxed:
                continue
            what = "args" if entry.kind == "command" else "data"
            struct = f"Qmp{camel(entry.name)}{what.capitalize()}"
            lower = f"qmp_{c_name(entry.name).lower()}_{what}"
            public = what == "args" and len(entry.members) > MAX_PLAIN_ARGS
            saved, self.h = self.h, self.h if public else self.c
            self.h.append(f"typedef struct {struct} {{")
            self.emit_fields(entry.members)
            is_open = what == "args" and entry.open
            if is_open:
                self.h.append("    json_object *all;  /* every argument, borrowed */")
            elif not entry.members:
                self.h.append("    char empty;")
            self.h.append(f"}} {struct};\n")
            self.h = saved
            self.emit_members(lower, struct, entry.members)
            self.emit_row(lower, struct, [
                ".kind = QMP_STRUCT", ".slot_size = sizeof(void *)", f".size = sizeof({struct})",
                f".members = {lower}_members"]
                + ([f".open = true, .all_offset = offsetof({struct}, all)"] if is_open else []))

    # ---- events ----

    def event_prototype(self, entry):
        params = ", ".join(self.parameter(member) for member in entry.members) or "void"
        return f"void qmp_event_{entry.name.lower()}({params})"

    def emit_event_function(self, number, entry):
        self.c.append(self.event_prototype(entry) + "\n{")
        if entry.members:
            struct = f"Qmp{camel(entry.name)}Data"
            self.c.append(f"    {struct} data = {{")
            for member in entry.members:
                field = c_name(member.name)
                if member.type == "any":
                    self.c.append(f"        .{field} = {field},")
                    if member.optional:
                        self.c.append(f"        .has_{field} = {field} != NULL,")
                elif self.has_flag(member):
                    self.c.append(f"        .has_{field} = {field} != NULL,")
                    self.c.append(f"        .{field} = {field} != NULL ? *{field} : 0,")
                elif self.is_pointer(member.type):
                    self.c.append(f"        .{field} = ({self.c_type(member.type)}){field},")
                else:
                    self.c.append(f"        .{field} = {field},")
            self.c.append("    };\n")
        data = "&data" if entry.members else "NULL"
        self.c.append(f"    qmp_event_emit(&{self.symbols}_events[{number}], {data});\n}}\n")

    def emit_events(self):
        events = sorted(self.schema.of_kind("event"), key=lambda entry: entry.name)
        self.c.append(f"const QmpEventType {self.symbols}_events[] = {{")
        for entry in events:
            parts = [f'"{entry.name}"']
            parts.append(f".data = &qmp_{entry.name.lower()}_data_row")
            if entry.rate_ms:
                parts.append(f".rate_ms = {entry.rate_ms}")
            if entry.rate_key:
                parts.append(f'.rate_key = "{entry.rate_key}"')
            if entry.features:
                parts.append(f".features = {self.features_row(entry.features)}")
            self.c.append("    { " + ", ".join(parts) + " },")
        self.c.append("    {}\n};\n")
        for number, entry in enumerate(events):
            self.emit_event_function(number, entry)

    # ---- files ----

    def emit_header(self):
        self.h.append("/* Generated from the QMP schema. */\n#pragma once\n")
        enums = self.schema.of_kind("enum")
        headers = {entry.raw["header"] for entry in enums if "header" in entry.raw}
        self.h += [f'#include "{header}"' for header in sorted(headers | {"qmp_dispatch.h"})]
        self.h.append("")
        structs = self.schema.of_kind("struct", "union", "alternate")
        for entry in enums:
            self.emit_enum(entry)
        self.h += [f"typedef struct Qmp{entry.name} Qmp{entry.name};" for entry in structs]
        self.h.append("")
        for entry in structs:
            self.emit_struct(entry)
        for entry in structs:
            self.emit_helpers(entry)
        self.h.append("")

    def emit_prototypes(self):
        for entry in self.schema.of_kind("command"):
            self.h.append(f"{comment(entry.doc)}\n{self.prototype(entry)};")
        self.h.append("")
        for entry in self.schema.of_kind("event"):
            self.h.append(f"{comment(entry.doc)}\n{self.event_prototype(entry)};")

    def emit_source(self):
        structs = self.schema.of_kind("struct", "union", "alternate")
        self.c.append(f'/* Generated from the QMP schema. */\n#include "{self.name}.h"\n')
        self.c.append('#include "qmp_events.h"\n')
        for entry in structs:
            self.c.append(f"static const QmpType {self.c_lower(entry)}_row;")
            self.c.append(f"static void {self.c_lower(entry)}_release(void *value);")
        for entry in self.schema.of_kind("enum"):
            self.emit_enum_row(entry)
        for row, ref in self.arrays().items():
            self.emit_row(row[:-4], f"[{ref[0]}]", [
                ".kind = QMP_ARRAY", ".slot_size = sizeof(void *)",
                f".element = {self.type_row(ref[0])}"])
        for entry in structs:
            if entry.kind == "alternate":
                self.emit_alternate_row(entry)
            else:
                self.emit_struct_row(entry)
            self.emit_type_functions(entry)
        self.emit_args()
        self.emit_commands()
        self.emit_events()

    def write(self, outdir):
        self.emit_header()
        self.emit_source()
        self.emit_prototypes()
        for suffix, lines in ((".h", self.h), (".c", self.c), (".md", reference(self.schema)),
                              (".words", words(self.schema))):
            with open(os.path.join(outdir, self.name + suffix), "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")


# ---- reference page and completion words ----

def type_text(ref):
    return f"[{ref[0]}]" if isinstance(ref, list) else ref


def member_lines(members):
    for member in members:
        note = ", optional" if member.optional else ""
        yield f"- `{member.name}` ({type_text(member.type)}{note}): {member.doc}"


def reference(schema):
    lines = ["# QMP reference", ""]
    for kind, title in (("command", "Commands"), ("event", "Events")):
        lines += [f"## {title}", ""]
        for entry in sorted(schema.of_kind(kind), key=lambda e: e.name):
            lines += [f"### {entry.name}", "", entry.doc, ""]
            if getattr(entry, "boxed", False):
                lines += [f"Arguments: the members of {entry.raw['args']}."]
            lines += list(member_lines(entry.members))
            if getattr(entry, "returns", None) is not None:
                lines += ["", f"Returns {type_text(entry.returns)}: {entry.raw['returns']['doc']}."]
            lines.append("")
    lines += ["## Types", ""]
    for entry in sorted(schema.types.values(), key=lambda e: e.name):
        lines += [f"### {entry.name} ({entry.kind})", "", entry.doc, ""]
        if entry.kind == "enum":
            lines += [f"- `{value}`: {doc}" for value, doc in entry.raw["values"].items()]
        lines += list(member_lines(entry.members))
        for value, ref in getattr(entry, "cases", {}).items():
            lines.append(f"- with `{entry.tag.name}` `{value}`: the members of {ref}")
        lines.append("")
    return lines


def words(schema):
    """One command a line, then its arguments as name=type."""
    for entry in sorted(schema.of_kind("command"), key=lambda e: e.name):
        members = schema.types[entry.raw["args"]].members if entry.boxed else entry.members
        yield " ".join([entry.name] + [f"{m.name}={type_text(m.type)}" for m in members])


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        schema = Schema(sys.argv[3:])
    except SchemaError as error:
        sys.exit(f"generate.py: {error}")
    Emitter(schema, sys.argv[1]).write(sys.argv[2])


if __name__ == "__main__":
    main()
