"""Completions for bash and zsh: the same look-up functions, and a function of each shell's own."""
from model import FILE_KEYS, FOLDER_KEYS, ID_KEYS, img_arg_words

HEAD = '# Completion of {name} for {shell}, made from the program\'s own tables.'


def one_of(patterns):
    return '|'.join(patterns)


def case(name, subject, rows):
    """A function that prints the words of the first pattern that fits."""
    yield f'{name}() {{'
    yield f'    case "{subject}" in'
    for patterns, words in rows:
        yield f'    {one_of(patterns)}) echo "{" ".join(words)}" ;;'
    yield '    esac'
    yield '}'


def grouped(rows):
    """Rows of the same words side by side, in order of the first of each."""
    groups = {}
    for pattern, words in rows:
        groups.setdefault(tuple(words), []).append(pattern)
    return [(patterns, words) for words, patterns in groups.items()]


def kind_of(option):
    if option.arg is None:
        return 'none'
    return ('file' if option.file else 'folder' if option.folder else 'words' if option.words
            else 'text' if option.text else 'other')


def lookups(tables):
    kinds = {}
    for option in tables.options:
        kinds.setdefault(kind_of(option), []).append(option.name)
    yield '# What an option takes: none, file, folder, words, text or other'
    yield from case('_rhea_kind', '$1', [(names, [kind]) for kind, names in kinds.items()])
    yield from case('_rhea_words', '$1', grouped((o.name, o.words) for o in tables.options if o.words))
    yield '# TYPE,key=value: the types of an option; the keys of OPTION TYPE; the values of OPTION TYPE KEY'
    yield from case('_rhea_types', '$1', grouped(tables.types()))
    keys = grouped((f'{option}:{kind or "*"}', [name + '=' for name in names])
                   for option, kind, names in tables.keys())
    yield from case('_rhea_keys', '$1:$2', keys)
    rows = tables.values()
    own = grouped((f'{option}:{kind}:{key}', words) for option, kind, key, words in rows if kind)
    common = grouped((f'{option}:*:{key}', words) for option, kind, key, words in rows if not kind)
    yield from case('_rhea_values', '$1:$2:$3', own + common)
    yield '# Options whose ids are the values of a key'
    yield from case('_rhea_id_options', '$1', list(grouped((key, options) for key, options in ID_KEYS.items())))


TEXT = r'''
# The words for the last part of "TYPE,key=value,…": OPTION TEXT
_rhea_text_words() {
    local option=$1 text=$2 part type key
    part=${text##*,}
    type=${text%%,*}
    type=${type#*=}
    key=${part%%=*}
    case "$text" in
    *,*) ;;
    *=*) case "$key" in driver|type|backend|qom-type) _rhea_types "$option" ;; esac ;;
    *) _rhea_types "$option"; type= ;;
    esac
    case "$part" in
    *=*) _rhea_values "$option" "$type" "$key"; _rhea_ids "$key" ;;
    *) _rhea_keys "$option" "$type" ;;
    esac
}
# file, folder or nothing: what the value of a key is
_rhea_key_kind() {
    case "${1##*,}" in
    FILE_KEYS) echo file ;;
    FOLDER_KEYS) echo folder ;;
    esac
}'''

BASH = r'''
# Ids that options on this line have given, for a key
_rhea_ids() {
    local option i id
    for option in $(_rhea_id_options "$1"); do
        for ((i = 1; i + 1 < ${#_rhea_line[@]}; i++)); do
            if [[ ${_rhea_line[i]} == -$option && ,${_rhea_line[i + 1]} =~ ,(id|node-name)=([^,]+) ]]; then
                echo "${BASH_REMATCH[2]}"
            fi
        done
    done
}
# What is typed so far stays, the part behind the last separator becomes one of the words.  Bash replaces
# what stands behind the last of its own word breaks.
_rhea_offer() {
    local before=$1 last=$2 words=$3 typed=$1$2 breaks= skip= word
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $breaks ]] && skip=${typed%"${typed##*[$breaks]}"}
    while IFS= read -r word; do
        [[ $word == "$last"* ]] || continue
        word=$before$word
        COMPREPLY+=("${word#"$skip"}")
    done < <(printf '%s\n' "$words")
}
_rhea_files() {
    compopt -o filenames 2>/dev/null
    _rhea_offer "$1" "$2" "$(compgen "$3" -- "$2")"
}
_rhea_lines() {
    printf '%s\n' $1
}
_rhea() {
    local line=${COMP_LINE:0:COMP_POINT} cur prev last
    local -a _rhea_line
    COMPREPLY=()
    read -ra _rhea_line <<<"$line"
    [[ $line == *[[:space:]] ]] && _rhea_line+=("")
    cur=${_rhea_line[-1]}
    prev=${_rhea_line[-2]}
    prev=${prev#-}
    last=${cur##*[,=]}
    case "$([[ ${_rhea_line[-2]} == -* ]] && _rhea_kind "${prev#-}")" in
    file) _rhea_files '' "$cur" -f ;;
    folder) _rhea_files '' "$cur" -d ;;
    words) _rhea_offer '' "$cur" "$(_rhea_lines "$(_rhea_words "${prev#-}")")" ;;
    other) ;;
    text)
        compopt -o nospace 2>/dev/null
        case "$(_rhea_key_kind "$cur")" in
        file) _rhea_files "${cur%"$last"}" "$last" -f ;;
        folder) _rhea_files "${cur%"$last"}" "$last" -d ;;
        *) _rhea_offer "${cur%"$last"}" "$last" "$(_rhea_lines "$(_rhea_text_words "${prev#-}" "$cur")")" ;;
        esac ;;
    *)
        if [[ $cur == -* ]]; then
            _rhea_offer '' "$cur" "$(_rhea_lines "OPTIONS")"
        else
            _rhea_files '' "$cur" -f
        fi ;;
    esac
}
complete -F _rhea rhea'''

ZSH = r'''
_rhea_ids() {
    local option i
    for option in $(_rhea_id_options "$1"); do
        for ((i = 2; i < CURRENT - 1; i++)); do
            if [[ $words[i] == -$option && ,$words[i+1] =~ ',(id|node-name)=([^,]+)' ]]; then
                echo $match[2]
            fi
        done
    done
}
_rhea() {
    setopt localoptions noksharrays
    local cur=$PREFIX prev=${words[CURRENT-1]} kind
    local -a found
    [[ $prev == -* ]] && kind=$(_rhea_kind "${${prev#-}#-}")
    case "$kind" in
    file) _files ;;
    folder) _files -/ ;;
    words) found=(${=$(_rhea_words "${${prev#-}#-}")}); compadd -- $found ;;
    other) ;;
    text)
        case "$(_rhea_key_kind "$cur")" in
        file) compset -P '*[,=]'; _files -S '' ;;
        folder) compset -P '*[,=]'; _files -/ -S '' ;;
        *)
            found=(${=$(_rhea_text_words "${${prev#-}#-}" "$cur")})
            compset -P '*[,=]'
            compadd -S '' -- $found ;;
        esac ;;
    *)
        if [[ $cur == -* ]]; then
            found=(
DESCRIBED
            )
            _describe -V option found
        else
            _files
        fi ;;
    esac
}
if [[ $funcstack[1] == _rhea ]]; then
    _rhea "$@"
else
    compdef _rhea rhea
fi'''


def filled(template, tables):
    options = ' '.join('-' + option.name for option in tables.options)
    described = '\n'.join(f"                '-{option.name}:{quote(option.help)}'" for option in tables.options)
    return (template.replace('FILE_KEYS', one_of(key + '=*' for key in FILE_KEYS))
            .replace('FOLDER_KEYS', one_of(key + '=*' for key in FOLDER_KEYS))
            .replace('OPTIONS', options).replace('DESCRIBED', described)).split('\n')


def quote(text):
    return text.replace("'", "'\\''").replace(':', '\\:')


def bash(tables):
    return [HEAD.format(name='rhea', shell='bash'), *lookups(tables), *filled(TEXT + BASH, tables)]


def zsh(tables):
    return ['#compdef rhea', HEAD.format(name='rhea', shell='zsh'), *lookups(tables), *filled(TEXT + ZSH, tables)]


# ---- rhea-img ----

def img_lookups(tables):
    options, values = [], []
    for command in tables.img:
        words = []
        for option in command['options']:
            names = ['-' + option['letter']] if 'letter' in option else []
            if 'long' in option and option['long'] != 'help':
                names.append('--' + option['long'] + ('=' if 'arg' in option else ''))
            words += names
            if 'arg' in option:
                found = img_arg_words(tables, option['arg'])
                values += [(f'{command["name"]}:{name.rstrip("=")}', ['FILE'] if found is None else found)
                           for name in names if found is None or found]
        options.append((command['name'], words))
    yield from case('_rhea_img_options', '$1', grouped(options))
    yield '# FILE: a file'
    yield from case('_rhea_img_values', '$1:$2', grouped(values))


IMG_BASH = r'''
_rhea_img_offer() {
    local skip=
    [[ $COMP_WORDBREAKS == *=* && $1 == *=* ]] && skip=${1%"${1##*=}"}
    if [[ $3 == FILE ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -P "${1%"$2"}" -- "$2"))
    else
        [[ $3 == *= ]] && compopt -o nospace 2>/dev/null
        COMPREPLY=($(compgen -W "$3" -P "${1%"$2"}" -- "$2"))
    fi
    COMPREPLY=("${COMPREPLY[@]#"$skip"}")
}
_rhea_img() {
    local line=${COMP_LINE:0:COMP_POINT} cur prev values
    local -a words
    COMPREPLY=()
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cur=${words[-1]}
    prev=${words[-2]}
    if ((${#words[@]} == 2)); then
        _rhea_img_offer "$cur" "$cur" "COMMANDS --help --version"
        return
    fi
    if [[ $cur == --*=* ]]; then
        values=$(_rhea_img_values "${words[1]}" "${cur%%=*}")
        [[ $values ]] && _rhea_img_offer "$cur" "${cur#*=}" "$values"
        return
    fi
    values=$(_rhea_img_values "${words[1]}" "$prev")
    if [[ $values == *= ]]; then
        compopt -o nospace 2>/dev/null
        _rhea_img_offer "$cur" "${cur##*,}" "$values"
    elif [[ $values ]]; then
        _rhea_img_offer "$cur" "$cur" "$values"
    elif [[ $cur == -* ]]; then
        _rhea_img_offer "$cur" "$cur" "$(_rhea_img_options "${words[1]}")"
    else
        _rhea_img_offer "$cur" "$cur" FILE
    fi
}
complete -F _rhea_img rhea-img'''

IMG_ZSH = r'''
_rhea_img_offer() {
    local -a found
    if [[ $1 == FILE ]]; then
        _files
    else
        found=(${=1})
        if [[ $1 == *= ]]; then compadd -S '' -- $found; else compadd -- $found; fi
    fi
}
_rhea-img() {
    setopt localoptions noksharrays
    local cur=$PREFIX values
    local -a found
    if ((CURRENT == 2)); then
        found=(
DESCRIBED
        )
        _describe -V command found
        return
    fi
    if [[ $cur == --*=* ]]; then
        compset -P '*='
        _rhea_img_offer "$(_rhea_img_values "$words[2]" "${cur%%=*}")"
        return
    fi
    values=$(_rhea_img_values "$words[2]" "$words[CURRENT-1]")
    if [[ -n $values ]]; then
        [[ $values == *= ]] && compset -P '*,'
        _rhea_img_offer "$values"
    elif [[ $cur == -* ]]; then
        found=(${=$(_rhea_img_options "$words[2]")})
        compadd -- ${found:#*=}
        compadd -S '' -- ${(M)found:#*=}
    else
        _files
    fi
}
if [[ $funcstack[1] == _rhea-img ]]; then
    _rhea-img "$@"
else
    compdef _rhea-img rhea-img
fi'''


def filled_img(template, tables):
    names = ' '.join(command['name'] for command in tables.img)
    described = '\n'.join(f"            '{command['name']}:{quote(command['help'])}'" for command in tables.img)
    return template.replace('COMMANDS', names).replace('DESCRIBED', described).split('\n')


def bash_img(tables):
    return [HEAD.format(name='rhea-img', shell='bash'), *img_lookups(tables), *filled_img(IMG_BASH, tables)]


def zsh_img(tables):
    return ['#compdef rhea-img', HEAD.format(name='rhea-img', shell='zsh'), *img_lookups(tables),
            *filled_img(IMG_ZSH, tables)]
