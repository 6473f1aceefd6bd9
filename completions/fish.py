"""Completions for fish."""
from model import FILE_KEYS, FOLDER_KEYS, ID_KEYS, img_arg_words
from bash_zsh import HEAD, grouped, kind_of


def quoted(text):
    return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"


def switch(name, subject, rows):
    """A function that prints the words of the first pattern that fits, each on its line."""
    yield f'function {name}'
    yield f'    switch {subject}'
    for patterns, words in rows:
        yield '        case ' + ' '.join(quoted(pattern) for pattern in patterns)
        yield '            printf \'%s\\n\' ' + ' '.join(quoted(word) for word in words)
    yield '    end'
    yield 'end'


TEXT = r'''
function __rhea_ids
    set -l words (commandline -opc)
    for option in (__rhea_id_options $argv[1])
        for i in (seq 2 (math (count $words) - 1))
            set -l next $words[(math $i + 1)]
            if test "x$words[$i]" = "x-$option"
                string replace -rf '.*,(?:id|node-name)=([^,]+).*' '$1' -- ",$next"
            end
        end
    end
end
function __rhea_text_words
    set -l option $argv[1]
    set -l text $argv[2]
    set -l part (string replace -r '.*,' '' -- $text)
    set -l type (string replace -r ',.*' '' -- $text | string replace -r '^[^=]*=' '')
    set -l key (string replace -r '=.*' '' -- $part)
    if not string match -q '*,*' -- $text
        if string match -q '*=*' -- $text
            contains -- $key driver type backend qom-type; and __rhea_types $option
        else
            __rhea_types $option
            set type ''
        end
    end
    if string match -q '*=*' -- $part
        __rhea_values $option:$type:$key
        __rhea_ids $key
    else
        __rhea_keys $option:$type
    end
end
function __rhea_text
    set -l text (commandline -ct)
    set -l before (string match -r '^.*[,=]' -- $text)
    set -l last (string replace -r '^.*[,=]' '' -- $text)
    test (count $before) = 0; and set before ''
    switch (string replace -r '.*,' '' -- $text)
        case FILE_KEYS
            printf '%s\n' $before(__fish_complete_path $last)
        case FOLDER_KEYS
            printf '%s\n' $before(__fish_complete_directories $last '')
        case '*'
            printf '%s\n' $before(__rhea_text_words $argv[1] $text)
    end
end'''


def rhea(tables):
    rows = tables.values()
    own = grouped((f'{option}:{kind}:{key}', words) for option, kind, key, words in rows if kind)
    common = grouped((f'{option}:*:{key}', words) for option, kind, key, words in rows if not kind)
    keys = grouped((f'{option}:{kind or "*"}', [name + '=' for name in names])
                   for option, kind, names in tables.keys())
    yield HEAD.format(name='rhea', shell='fish')
    yield from switch('__rhea_types', '$argv[1]', grouped(tables.types()))
    yield from switch('__rhea_keys', '$argv[1]', keys)
    yield from switch('__rhea_values', '$argv[1]', own + common)
    yield from switch('__rhea_id_options', '$argv[1]', grouped(ID_KEYS.items()))
    yield from (TEXT.replace('FILE_KEYS', ' '.join(quoted(key + '=*') for key in FILE_KEYS))
                .replace('FOLDER_KEYS', ' '.join(quoted(key + '=*') for key in FOLDER_KEYS))).split('\n')
    for option in tables.options:
        line = f'complete -c rhea -o {option.name} -d {quoted(option.help)}'
        kind = kind_of(option)
        if kind in ('file', 'folder'):
            line += ' -r -F' if kind == 'file' else " -x -a '(__fish_complete_directories)'"
        elif kind == 'words':
            line += f' -x -a {quoted(" ".join(option.words))}'
        elif kind == 'text':
            line += f" -x -a '(__rhea_text {option.name})'"
        elif kind == 'other':
            line += ' -x'
        yield line


def rhea_img(tables):
    yield HEAD.format(name='rhea-img', shell='fish')
    yield 'complete -c rhea-img -n __fish_use_subcommand -l help -d \'show the help\''
    yield 'complete -c rhea-img -n __fish_use_subcommand -l version -d \'show the version\''
    for command in tables.img:
        name = command['name']
        yield f'complete -c rhea-img -n __fish_use_subcommand -f -a {name} -d {quoted(command["help"])}'
        for option in command['options']:
            line = f'complete -c rhea-img -n \'__fish_seen_subcommand_from {name}\''
            line += f' -s {option["letter"]}' if 'letter' in option else ''
            line += f' -l {option["long"]}' if 'long' in option else ''
            line += f' -d {quoted(option["help"])}'
            words = img_arg_words(tables, option['arg']) if 'arg' in option else []
            if words is None:
                line += ' -r -F'
            elif 'arg' in option:
                line += ' -x' + (f' -a {quoted(" ".join(words))}' if words else '')
            yield line
