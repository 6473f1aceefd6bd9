"""What query-qmp-schema says, as a tree to compare with another program's."""


class Schema:
    def __init__(self, entries):
        self.entries = {entry['name']: entry for entry in entries}

    def names(self, kind):
        return {name for name, entry in self.entries.items() if entry['meta-type'] == kind}

    def __getitem__(self, name):
        return self.entries[name]

    def json_kind(self, name):
        """What JSON a type is: the branches of an alternate differ in it."""
        entry = self[name]
        kind = {'builtin': lambda: entry['json-type'], 'enum': lambda: 'string', 'array': lambda: 'array',
                'object': lambda: 'object', 'alternate': lambda: 'alternate'}
        return kind[entry['meta-type']]()


def _members(ours, a, theirs, b, path):
    """(path, our type, their type) of members both have; differences as strings."""
    mine = {member['name']: member for member in a['members']}
    other = {member['name']: member for member in b['members']}
    for name in sorted(mine.keys() | other.keys()):
        where = '%s.%s' % (path, name)
        if name not in mine:
            yield where + ' is missing'
        elif name not in other:
            yield where + ' is new'
        elif ('default' in mine[name]) != ('default' in other[name]):
            yield where + (' is optional' if 'default' in mine[name] else ' is not optional')
        else:
            yield where, mine[name]['type'], other[name]['type']


def _variants(ours, a, theirs, b, path):
    mine = {variant['case']: variant['type'] for variant in a.get('variants', [])}
    other = {variant['case']: variant['type'] for variant in b.get('variants', [])}
    if a.get('tag') != b.get('tag'):
        yield '%s is chosen by %s, not %s' % (path, a.get('tag'), b.get('tag'))
    for case in sorted(mine.keys() & other.keys()):
        yield '%s/%s' % (path, case), mine[case], other[case]


def _choices(ours, a, theirs, b, path):
    mine = {ours.json_kind(choice['type']): choice['type'] for choice in a['members']}
    other = {theirs.json_kind(choice['type']): choice['type'] for choice in b['members']}
    for kind in sorted(mine.keys() ^ other.keys()):
        yield '%s as %s is %s' % (path, kind, 'new' if kind in mine else 'missing')
    for kind in sorted(mine.keys() & other.keys()):
        yield path, mine[kind], other[kind]


def _values(ours, a, theirs, b, path):
    for value in sorted(set(a['values']) ^ set(b['values'])):
        yield '%s=%s is %s' % (path, value, 'new' if value in a['values'] else 'missing')


def differences(ours, name, theirs, other, path, seen=None):
    """How our type differs from theirs, a string each, members by their path."""
    seen = set() if seen is None else seen
    a, b = ours[name], theirs[other]
    if (name, other) in seen:
        return
    seen.add((name, other))
    if ours.json_kind(name) != theirs.json_kind(other) or a['meta-type'] != b['meta-type']:
        yield '%s is %s, not %s' % (path, _called(ours, name), _called(theirs, other))
        return
    parts = []
    if a['meta-type'] == 'object':
        parts = [*_members(ours, a, theirs, b, path), *_variants(ours, a, theirs, b, path)]
    elif a['meta-type'] == 'alternate':
        parts = _choices(ours, a, theirs, b, path)
    elif a['meta-type'] == 'enum':
        parts = _values(ours, a, theirs, b, path)
    elif a['meta-type'] == 'array':
        parts = [(path + '[]', a['element-type'], b['element-type'])]
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            yield from differences(ours, part[1], theirs, part[2], part[0], seen)


def _called(schema, name):
    kind = schema[name]['meta-type']
    return schema.json_kind(name) if kind == 'builtin' else kind
