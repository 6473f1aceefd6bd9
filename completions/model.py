"""The program's tables, in the form that completions of every shell have in common.

An option's argument is one of: nothing, a file, a folder, one of some words, or a text TYPE,key=value,…
with words for the type, keys for each type and words for some keys.
"""
import json
import re

# Options whose argument begins with a type that has keys of its own: the table it is in
TYPED = {'device': 'devices', 'object': 'objects', 'chardev': 'chardevs', 'netdev': 'netdevs', 'blockdev': 'blockdevs'}
FILES = re.compile(r'^(FILE|PATH)')
FOLDERS = re.compile(r'^FOLDER')
FILE_KEYS = 'bootfile file filename log logfile mem-path path romfile script downscript'.split()
FOLDER_KEYS = 'smb tftp'.split()
# Keys whose values are ids other options gave, and those options
ID_KEYS = {'netdev': ['netdev'], 'drive': ['drive', 'blockdev'], 'chardev': ['chardev'], 'iothread': ['object'],
           'memdev': ['object'], 'rng': ['object']}
DEVICES_WORDS = ['stdio', 'pty', 'null', 'none', 'mon:stdio', 'unix:', 'tcp:', 'file:']


class Text:
    """TYPE,key=value,…"""

    def __init__(self, types=(), keys=None, values=None):
        self.types = list(types)                # words for the type
        self.keys = keys or {}                  # type ('' for any): names
        self.values = values or {}              # (type, key), type '' for any: words


class Option:
    def __init__(self, raw):
        self.name, self.help = raw['name'], raw['help']
        self.arg = raw.get('arg')
        self.section = raw['section']
        self.keys = raw['keys']
        self.file = bool(self.arg and FILES.match(self.arg))
        self.folder = bool(self.arg and FOLDERS.match(self.arg))
        self.words = []
        self.text = None


def keys_of_syntax(arg):
    """Keys in "[,order=DRIVES][,menu=on|off]", and the words some take."""
    found = {}
    for key, value in re.findall(r'([a-z][\w.-]*)=([^,\[\]…=]+)', arg):
        found[key] = value.split('|') if '|' in value else []
    return found


def typed_text(table):
    keys, values = {}, {}
    for row in table:
        keys[row['name']] = sorted({key['name'] for key in row['keys']})
        for key in row['keys']:
            if key.get('values'):
                values[row['name'], key['name']] = key['values']
    return Text(sorted(keys), keys, merged(values))


def merged(values):
    """Words that are the same for every type that has the key are told once, for any type."""
    result = {}
    for key in {key for _, key in values}:
        rows = {name: words for (name, other), words in values.items() if other == key}
        first = next(iter(rows.values()))
        if all(words == first for words in rows.values()):
            result['', key] = first
        else:
            result.update({(name, key): words for name, words in rows.items()})
    return result


def plain_text(option, types=()):
    found = keys_of_syntax(option.arg)
    for key in option.keys:
        found[key['name']] = key.get('values') or found.get(key['name'], [])
    values = {('', key): words for key, words in found.items() if words}
    return Text(types, {'': sorted(found)}, values)


def first_words(option):
    """on|off, none, keyboard … where an argument is no more than that."""
    if re.fullmatch(r'[a-z][\w-]*(\|[a-z][\w-]*)+', option.arg):
        return option.arg.split('|')
    return {'display': ['none'], 'usbdevice': ['keyboard', 'mouse', 'tablet'], 'balloon': ['virtio', 'none']}.get(
        option.name, [])


def fill(option, tables):
    if option.arg is None or option.file or option.folder:
        return
    if option.name in TYPED:
        option.text = typed_text(tables[TYPED[option.name]])
    elif option.name in ('machine', 'M'):
        machine = next(Option(raw) for raw in tables['options'] if raw['name'] == 'machine')
        option.text = plain_text(machine, tables['machines'])
    elif option.name == 'cpu':
        option.words = tables['cpus']
    elif option.name == 'accel':
        option.text = plain_text(option, ['kvm', 'tcg'])
    elif option.name in ('nic', 'net'):
        option.text = plain_text(option, [row['name'] for row in tables['netdevs']] + ['nic', 'none'])
    elif option.name == 'drive':
        option.text = plain_text(option)
        option.text.keys[''] = sorted(set(option.text.keys['']) | set(DRIVE_VALUES) | set(DRIVE_KEYS))
        option.text.values.update({('', key): words for key, words in DRIVE_VALUES.items()})
        option.text.values['', 'format'] = [row['name'] for row in tables['formats']]
    elif option.arg.startswith('DEV'):
        option.words = DEVICES_WORDS
    elif first_words(option):
        option.words = first_words(option)
    elif option.keys or '=' in option.arg:
        option.text = plain_text(option)


DRIVE_KEYS = 'file format id serial index bus unit'.split()
DRIVE_VALUES = {
    'if': ['none', 'ide', 'scsi', 'virtio', 'floppy', 'pflash'], 'media': ['disk', 'cdrom'],
    'cache': ['none', 'writeback', 'writethrough', 'directsync', 'unsafe'], 'readonly': ['on', 'off'],
    'snapshot': ['on', 'off'], 'werror': ['enospc', 'ignore', 'report', 'stop'], 'rerror': ['ignore', 'report', 'stop'],
}


class Tables:
    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            self.raw = json.load(file)
        self.options = [Option(raw) for raw in self.raw['options']]
        for option in self.options:
            fill(option, self.raw)
        self.img = self.raw['img']
        self.formats = [row['name'] for row in self.raw['formats']]
        self.create = sorted({key['name'] for row in self.raw['formats'] for key in row['create']})

    def types(self):
        """(option, words)"""
        return [(o.name, o.text.types) for o in self.options if o.text and o.text.types]

    def keys(self):
        """(option, type or '', names)"""
        return [(o.name, kind, names) for o in self.options if o.text for kind, names in o.text.keys.items()]

    def values(self):
        """(option, type or '', key, words), those of one type first"""
        rows = [(o.name, kind, key, words) for o in self.options if o.text
                for (kind, key), words in o.text.values.items()]
        return sorted(rows, key=lambda row: (row[1] == '', row[:3]))


IMG_VALUES = {
    'cache': DRIVE_VALUES['cache'], 'ofmt': ['human', 'json'], 'prealloc': ['off', 'metadata', 'falloc', 'full'],
    'what': ['leaks', 'all'],
}


def img_arg_words(tables, arg):
    """Words an option of rhea-img takes; None: a file."""
    if arg in ('backing_file', 'base'):
        return None
    if arg == 'fmt':
        return tables.formats
    if arg == 'options':
        return [name + '=' for name in tables.create]
    return IMG_VALUES.get(arg, [])
