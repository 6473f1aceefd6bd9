#!/usr/bin/env python3
"""The program's tables and the schema -> manual pages in roff.

usage: manual.py OUTDIR QMP-FOLDER TABLES.json SCHEMA.json...
"""
import os
import re
import sys

sys.dont_write_bytecode = True


def escape(text):
    """Text of a line: nothing in it is a request or an escape; what is no ASCII is named."""
    text = text.replace('\\', '\\e').replace('-', '\\-').replace('…', '...').replace("'", '\\(aq').replace('`', '\\(ga')
    text = text.replace('~', '\\(ti').replace('^', '\\(ha').replace('↔', '<->').replace('→', '->')
    text = ''.join(c if ord(c) < 128 else '\\[u%04X]' % ord(c) for c in text)
    return '\\&' + text if text.startswith('.') else text


def bold(text):
    return '\\fB' + escape(text) + '\\fR'


def italic(text):
    return '\\fI' + escape(text) + '\\fR'


def head(name, section, what, version):
    return [f'.TH {name.upper()} {section} "" "rhea {version}" "Rhea"', '.ad l', '.SH NAME',
            f'{escape(name)} \\- {escape(what)}']


def item(tag, *lines):
    return ['.TP', tag, *lines]


def arguments(text):
    """Words in capitals are what the user puts there."""
    return re.sub(r'\b([A-Z][A-Z0-9]+|N)\b', r'\\fI\1\\fR', escape(text))


# ---- rhea(1), rhea-img(1) ----

def rhea(tables):
    lines = head('rhea', 1, 'virtual PC', tables['version'])
    lines += ['.SH SYNOPSIS', '.B rhea', '[' + italic('option') + ' ...] [' + italic('disk image') + ']',
              '.SH DESCRIPTION',
              'Rhea runs a PC for x86\\-64 guests, on KVM or on its own software CPU.',
              'It takes the options of QEMU 7.2\\(aqs PC; an option may begin with one or two dashes.',
              'Its human monitor is described in', '.BR rhea\\-monitor (7),', 'its QMP in', '.BR rhea\\-qmp\\-ref (7).',
              '.SH OPTIONS']
    section = None
    for option in tables['options']:
        if option['section'] != section:
            section = option['section']
            lines += [f'.SS "{escape(section)}"']
        tag = bold('-' + option['name']) + (' ' + arguments(option['arg']) if 'arg' in option else '')
        lines += item(tag, escape(capital(option['help'])) + '.')
        for key in option['keys']:
            if key.get('help'):
                lines += ['.RS', *item(bold(key['name']) + values(key), escape(capital(key['help'])) + '.'), '.RE']
    lines += ['.SH KEYS', 'In the terminal of', '.BR \\-nographic ,', 'Ctrl\\-a c switches to the monitor and back, Ctrl\\-a x '
              'ends the program, Ctrl\\-a h lists the other keys.',
              '.SH ENVIRONMENT',
              *item('.B NO_COLOR', 'Where it is set, monitors use no colors.'),
              *item('.B XDG_STATE_HOME', 'The monitor on the terminal keeps its history in rhea/history in this folder '
                    '(~/.local/state).'),
              '.SH "EXIT STATUS"', '0 when the machine has ended, 1 when it could not start.',
              '.SH EXAMPLES', '.nf', '.B rhea \\-m 2G \\-nographic \\-kernel bzImage \\-append console=ttyS0',
              '.B rhea \\-drive file=disk.qcow2,if=virtio \\-nic user \\-monitor stdio', '.fi',
              '.SH "SEE ALSO"', '.BR rhea\\-img (1),', '.BR rhea\\-monitor (7),', '.BR rhea\\-qmp\\-ref (7)']
    return lines


def capital(text):
    return text[:1].upper() + text[1:]


def values(key):
    return '=' + escape('|'.join(key['values'])) if key.get('values') else ''


def rhea_img(tables):
    lines = head('rhea-img', 1, 'make, look at and change disk images', tables['version'])
    lines += ['.SH SYNOPSIS', '.B rhea\\-img', italic('command') + ' [' + italic('option') + ' ...] ' + italic('filename') +
              ' ...', '.SH DESCRIPTION', 'Works on images of the formats',
              escape(', '.join(row['name'] for row in tables['formats'])) + '.',
              'The options and the output are those of qemu\\-img 7.2.', '.SH COMMANDS']
    for command in tables['img']:
        lines += [f'.SS "{escape(command["name"])}"', bold('rhea-img ' + command['name']), escape(command['usage']), '.PP',
                  escape(capital(command['help'])) + '.']
        for option in command['options']:
            names = [bold('-' + option['letter'])] if 'letter' in option else []
            names += [bold('--' + option['long'])] if 'long' in option else []
            arg = ' ' + italic(option['arg']) if 'arg' in option else ''
            lines += item(', '.join(names) + arg, escape(capital(option['help'])) + '.')
    lines += ['.SH "OPTIONS OF NEW IMAGES"', 'What', '.B \\-o', 'takes, by format.']
    for row in tables['formats']:
        if row['create']:
            lines.append(f'.SS "{escape(row["name"])}"')
        for key in row['create']:
            lines += item(bold(key['name']), escape(capital(key['help'])) + '.')
    return lines + ['.SH "SEE ALSO"', '.BR rhea (1)']


# ---- rhea-monitor(7) ----

def command_lines(command, prefix):
    names = [command['name']] + ([command['alias']] if 'alias' in command else [])
    lines = [f'.SS "{escape(prefix + command["name"])}"',
             ' | '.join(bold(prefix + name) for name in names) + ' ' + escape(command['syntax'].replace('\n', ' ')), '.PP',
             escape(capital(command['help'])) + '.']
    for arg in command['args']:
        flag = arg.get('flag')
        tag = (bold(flag) + (' ' + italic(arg['name']) if arg['kind'] == 'option' else '') if flag else italic(arg['name']))
        words = ' One of ' + ', '.join(arg['values']) + '.' if arg.get('values') else ''
        lines += item(tag, escape(capital(arg['help']) + '.' + words))
    if 'example' in command:
        lines += ['.PP', 'Example:', bold(command['example'])]
    if 'qmp' in command:
        lines += ['.PP', 'QMP:', escape(command['qmp'])]
    return lines


MONITOR = '''Monitors stand on any character device:
.BR \\-monitor , \\-mon , \\-nographic .
On a terminal the Tab key completes commands, ids, properties, values, files and symbols, lines are kept across runs, and
long output stops after each page: space shows the next one, Enter a line, q ends it.
.B help
.I command
explains a command,
.B json
.I command
shows what QMP replies to it, and
.B watch
.I command
repeats it until a key is pressed.
.PP
Numbers are expressions: C operators, registers of the current CPU ($rip), and symbols of the guest.
Sizes may have a suffix (K, M, G, T).'''


def monitor(tables):
    lines = head('rhea-monitor', 7, "commands of Rhea's human monitor", tables['version'])
    lines += ['.SH DESCRIPTION', *MONITOR.split('\n'), '.SH COMMANDS']
    for command in tables['commands']:
        lines += command_lines(command, '')
    lines.append('.SH "INFO TOPICS"')
    for command in tables['topics']:
        lines += command_lines(command, 'info ')
    return lines + ['.SH "SEE ALSO"', '.BR rhea (1),', '.BR rhea\\-qmp\\-ref (7)']


# ---- rhea-qmp-ref(7) ----

def type_text(ref):
    return f'[{ref[0]}]' if isinstance(ref, list) else ref


def members(entries):
    lines = []
    for member in entries:
        note = ', optional' if member.optional else ''
        lines += item(bold(member.name) + escape(f' ({type_text(member.type)}{note})'), escape(capital(member.doc)) + '.')
    return lines


def entry_lines(entry):
    lines = [f'.SS "{escape(entry.name)}"', escape(entry.doc), *members(entry.members)]
    if getattr(entry, 'boxed', False):
        lines += ['.PP', 'Arguments: the members of', escape(entry.raw['args']) + '.']
    if getattr(entry, 'returns', None) is not None:
        lines += ['.PP', 'Returns', escape(f'{type_text(entry.returns)}: {entry.raw["returns"]["doc"]}.')]
    return lines


def type_lines(entry):
    lines = [f'.SS "{escape(entry.name)} ({entry.kind})"', escape(entry.doc)]
    if entry.kind == 'enum':
        for value, doc in entry.raw['values'].items():
            lines += item(bold(value), escape(capital(doc)) + '.')
    lines += members(entry.members)
    for value, ref in getattr(entry, 'cases', {}).items():
        lines += item(bold(entry.tag.name) + ' ' + escape(value), 'Also the members of ' + escape(ref) + '.')
    return lines


def qmp(schema, version):
    lines = head('rhea-qmp-ref', 7, 'commands, events and types of QMP', version)
    lines += ['.SH DESCRIPTION', 'Requests and replies are JSON objects, as QEMU 7.2 has them.  A client begins with',
              '.BR qmp_capabilities .']
    for kind, title in (('command', 'COMMANDS'), ('event', 'EVENTS')):
        lines.append('.SH ' + title)
        for entry in sorted(schema.of_kind(kind), key=lambda e: e.name):
            lines += entry_lines(entry)
    lines.append('.SH TYPES')
    for entry in sorted(schema.types.values(), key=lambda e: e.name):
        lines += type_lines(entry)
    return lines + ['.SH "SEE ALSO"', '.BR rhea (1),', '.BR rhea\\-monitor (7)']


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    outdir, qmp_folder, tables_json, *schema_files = sys.argv[1:]
    sys.path.insert(0, qmp_folder)
    from model import Tables
    from schema import Schema
    tables = Tables(tables_json).raw
    pages = {'rhea.1': rhea(tables), 'rhea-img.1': rhea_img(tables), 'rhea-monitor.7': monitor(tables),
             'rhea-qmp-ref.7': qmp(Schema(schema_files), tables['version'])}
    for name, lines in pages.items():
        with open(os.path.join(outdir, name), 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
