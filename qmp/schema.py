"""The QMP schema: entries read from JSON files, and every rule they have to keep.

A mistake is a SchemaError that names file, entry and what is wrong.
"""

import json
import re

SCALARS = ("bool", "int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
           "size", "number", "null", "str", "any")
JSON_TYPES = {"bool": "boolean", "number": "number", "null": "null", "str": "string"}

# kind -> (pattern of its name, keys it must have, keys it may have)
KINDS = {
    "enum": (r"[A-Z][A-Za-z0-9]*", ("values",), ("header", "features")),
    "struct": (r"[A-Z][A-Za-z0-9]*", ("members",), ("features",)),
    "union": (r"[A-Z][A-Za-z0-9]*", ("members", "tag", "cases"), ("features",)),
    "alternate": (r"[A-Z][A-Za-z0-9]*", ("choices",), ("features",)),
    "command": (r"[a-z][a-z0-9_-]*", (), ("args", "open", "returns", "oob", "session", "async", "fd",
                        "features")),
    "event": (r"[A-Z][A-Z0-9_]*", (), ("data", "rate_ms", "rate_key", "features")),
}
MEMBER_NAME = r"[A-Za-z][A-Za-z0-9_.-]*"


class SchemaError(Exception):
    pass


class Member:
    def __init__(self, name, spec):
        self.name = name
        self.type = spec["type"]
        self.optional = spec.get("optional", False)
        self.doc = spec.get("doc", "")
        self.features = spec.get("features", [])


class Entry:
    """One object of a schema file.  `where` stands in front of every complaint about it."""

    def __init__(self, path, kind, raw):
        self.kind = kind
        self.name = raw[kind]
        self.where = f"{path}: {kind} '{self.name}'"
        self.raw = raw
        self.doc = raw.get("doc", "")
        self.features = raw.get("features", [])
        self.members = []

    def fail(self, text):
        raise SchemaError(f"{self.where}: {text}")


def _unique_keys(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise SchemaError(f"key '{key}' stands twice in one object")
        result[key] = value
    return result


class Schema:
    def __init__(self, paths):
        self.entries = []
        self.types = {}
        for path in paths:
            self._read_file(path)
        for entry in self.entries:
            self._check_entry(entry)
        self._check_used()

    def of_kind(self, *kinds):
        return [entry for entry in self.entries if entry.kind in kinds]

    # ---- reading ----

    def _read_file(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                raw_entries = json.load(file, object_pairs_hook=_unique_keys)
        except json.JSONDecodeError as error:
            raise SchemaError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
        except SchemaError as error:
            raise SchemaError(f"{path}: {error}") from error
        if not isinstance(raw_entries, list):
            raise SchemaError(f"{path}: the file must hold one array of entries")
        for number, raw in enumerate(raw_entries):
            self._add_entry(path, number, raw)

    def _add_entry(self, path, number, raw):
        kinds = [kind for kind in KINDS if isinstance(raw, dict) and kind in raw]
        if len(kinds) != 1 or not isinstance(raw[kinds[0]], str):
            raise SchemaError(f"{path}: entry {number + 1}: needs exactly one of "
                              + ", ".join(KINDS) + ", with its name")
        entry = Entry(path, kinds[0], raw)
        pattern, required, allowed = KINDS[entry.kind]
        if not re.fullmatch(pattern, entry.name):
            entry.fail(f"the name does not look like one (pattern {pattern})")
        for key in required:
            if key not in raw:
                entry.fail(f"'{key}' is missing")
        for key in raw:
            if key not in (entry.kind, "doc") + required + allowed:
                entry.fail(f"'{key}' is not a key of this kind of entry")
        for other in self.entries:
            if other.name == entry.name:
                entry.fail(f"the name is taken by {other.where}")
        if not entry.doc:
            entry.fail("'doc' is missing")
        self.entries.append(entry)
        if entry.kind not in ("command", "event"):
            self.types[entry.name] = entry

    # ---- rules ----

    def _check_entry(self, entry):
        getattr(self, "_check_" + entry.kind)(entry)
        self._check_features(entry, entry.features)

    def _check_features(self, entry, features):
        if not isinstance(features, list) or not all(isinstance(f, str) for f in features):
            entry.fail("'features' must be an array of names")

    def _check_type(self, entry, member, ref, array_ok=True):
        if isinstance(ref, list):
            if len(ref) != 1:
                entry.fail(f"'{member}': an array type is an array of exactly one type")
            if not array_ok:
                entry.fail(f"'{member}': arrays of arrays have no use on the wire")
            self._check_type(entry, member, ref[0], array_ok=False)
        elif not isinstance(ref, str) or (ref not in SCALARS and ref not in self.types):
            entry.fail(f"'{member}' has the unknown type '{ref}'")

    def _read_members(self, entry, raw, what):
        if not isinstance(raw, dict):
            entry.fail(f"'{what}' must be an object: name -> member")
        members = []
        for name, spec in raw.items():
            if not re.fullmatch(MEMBER_NAME, name):
                entry.fail(f"'{name}' cannot be the name of a member")
            if not isinstance(spec, dict) or "type" not in spec:
                entry.fail(f"'{name}' must be an object with at least 'type' and 'doc'")
            for key in spec:
                if key not in ("type", "doc", "optional", "features"):
                    entry.fail(f"'{name}': '{key}' is not a key of a member")
            if not isinstance(spec.get("optional", False), bool):
                entry.fail(f"'{name}': 'optional' must be true or false")
            if not spec.get("doc"):
                entry.fail(f"'{name}': 'doc' is missing")
            self._check_type(entry, name, spec["type"])
            self._check_features(entry, spec.get("features", []))
            members.append(Member(name, spec))
        return members

    def _check_enum(self, entry):
        values = entry.raw["values"]
        if not isinstance(values, dict) or not values:
            entry.fail("'values' must be an object: value -> what it means, with at least one")
        for value, doc in values.items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", value):
                entry.fail(f"'{value}' cannot be the name of a value")
            if not isinstance(doc, str) or not doc:
                entry.fail(f"value '{value}' has no doc")
        entry.values = list(values)

    def _check_struct(self, entry):
        entry.members = self._read_members(entry, entry.raw["members"], "members")

    def _check_union(self, entry):
        entry.members = self._read_members(entry, entry.raw["members"], "members")
        tags = [m for m in entry.members if m.name == entry.raw["tag"]]
        if not tags:
            entry.fail(f"the tag '{entry.raw['tag']}' is not one of its members")
        entry.tag = tags[0]
        enum = self.types.get(entry.tag.type) if isinstance(entry.tag.type, str) else None
        if enum is None or enum.kind != "enum" or entry.tag.optional:
            entry.fail(f"the tag '{entry.tag.name}' must be an enum that is always there")
        entry.cases = entry.raw["cases"]
        for value, ref in entry.cases.items():
            self._check_case(entry, enum, value, ref)

    def _check_case(self, entry, enum, value, ref):
        if value not in enum.raw["values"]:
            entry.fail(f"case '{value}' is not a value of {enum.name}")
        case = self.types.get(ref) if isinstance(ref, str) else None
        if case is None or case.kind != "struct":
            entry.fail(f"case '{value}' must be a struct")
        for name in case.raw["members"]:
            if name in entry.raw["members"]:
                entry.fail(f"case '{value}' brings a second member '{name}'")

    def _check_alternate(self, entry):
        seen = {}
        entry.members = self._read_members(entry, entry.raw["choices"], "choices")
        for member in entry.members:
            if member.optional:
                entry.fail(f"choice '{member.name}' cannot be optional")
            what = self._json_type(member.type)
            if what is None or what in seen:
                entry.fail(f"choice '{member.name}' cannot be told from "
                           f"'{seen.get(what, 'the others')}' by its JSON type")
            seen[what] = member.name

    def _json_type(self, ref):
        if isinstance(ref, list):
            return "array"
        if ref in self.types:
            kind = self.types[ref].kind
            return {"enum": "string", "struct": "object", "union": "object"}.get(kind)
        if ref == "any":
            return None
        return JSON_TYPES.get(ref, "number")

    def _check_command(self, entry):
        args = entry.raw.get("args", {})
        entry.boxed = isinstance(args, str)
        if entry.boxed:
            if args not in self.types or self.types[args].kind not in ("struct", "union"):
                entry.fail(f"'args' names '{args}', which is neither a struct nor a union")
        else:
            entry.members = self._read_members(entry, args, "args")
        entry.open = entry.raw.get("open", False)
        if not isinstance(entry.open, bool) or (entry.open and entry.boxed):
            entry.fail("'open' must be true or false, and true only where 'args' lists members")
        returns = entry.raw.get("returns")
        if returns is None:
            entry.returns = None
            return
        if not isinstance(returns, dict) or "type" not in returns or not returns.get("doc"):
            entry.fail("'returns' must be an object with 'type' and 'doc'")
        self._check_type(entry, "returns", returns["type"])
        entry.returns = returns["type"]
        if entry.returns in SCALARS and entry.returns not in ("str", "any"):
            entry.fail("a command returns a struct, an array, a string or 'any': "
                       "a number or bool could never get a second member")
        if isinstance(entry.returns, str) and entry.returns in self.types:
            if self.types[entry.returns].kind not in ("struct", "union"):
                entry.fail("a command returns a struct, an array, a string or 'any'")

    def _check_event(self, entry):
        entry.members = self._read_members(entry, entry.raw.get("data", {}), "data")
        entry.rate_ms = entry.raw.get("rate_ms", 0)
        entry.rate_key = entry.raw.get("rate_key")
        if entry.rate_key and entry.rate_key not in [m.name for m in entry.members]:
            entry.fail(f"'rate_key' names '{entry.rate_key}', which is not in 'data'")

    # ---- use ----

    def _check_used(self):
        used = set()
        for entry in self.of_kind("command", "event"):
            self._mark(entry, used)
        for entry in self.types.values():
            if entry.name not in used:
                entry.fail("no command or event uses it")

    def _mark(self, entry, used):
        refs = [member.type for member in entry.members]
        refs += list(getattr(entry, "cases", {}).values())
        refs += [r for r in (getattr(entry, "returns", None), entry.raw.get("args")) if r]
        for ref in refs:
            name = ref[0] if isinstance(ref, list) else ref
            if isinstance(name, str) and name in self.types and name not in used:
                used.add(name)
                self._mark(self.types[name], used)
