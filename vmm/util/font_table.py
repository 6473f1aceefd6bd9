#!/usr/bin/env python3
"""font_table.py UNIFONT.HEX OUT.C: the half-width glyphs of GNU Unifont a text screen shows, for font.h.

A line of Unifont is a code point and the bytes of its rows in hexadecimal: 16 of them for a half-width glyph.
"""
import sys

# First and last code point of what is taken.
WANTED = (
    (0x0020, 0x007e),       # ASCII
    (0x00a0, 0x024f),       # Latin
    (0x0370, 0x03ff),       # Greek
    (0x0400, 0x052f),       # Cyrillic
    (0x2010, 0x2027), (0x2030, 0x205e),         # punctuation
    (0x2070, 0x209c),       # superscripts and subscripts
    (0x20a0, 0x20c0),       # currency
    (0x2100, 0x218b),       # letters as symbols, number forms
    (0x2190, 0x23ff),       # arrows, mathematics, technical
    (0x2500, 0x26ff),       # boxes, blocks, shapes, miscellany
    (0x2713, 0x2718),       # check marks
    (0x2800, 0x28ff),       # Braille
)
BLANK = 0x2800                                  # Braille without dots, which Unifont draws
ROWS = 16


def read_glyphs(path):
    glyphs = {}
    with open(path, encoding='ascii') as lines:
        for line in lines:
            code, dots = line.strip().split(':')
            if len(dots) == 2 * ROWS:
                glyphs[int(code, 16)] = bytes.fromhex(dots)
    glyphs[BLANK] = bytes(ROWS)
    return glyphs


def main():
    glyphs = read_glyphs(sys.argv[1])
    codes = [code for first, last in WANTED for code in range(first, last + 1) if code in glyphs]
    missing = [code for code in range(0x20, 0x7f) if code not in glyphs]
    if missing:
        sys.exit('%s: not the half-width glyphs of Unifont: U+%04X is missing' % (sys.argv[1], missing[0]))
    starts = [i for i, code in enumerate(codes) if i == 0 or codes[i - 1] != code - 1]
    ends = starts[1:] + [len(codes)]
    with open(sys.argv[2], 'w', encoding='ascii') as out:
        out.write('/* Written by font_table.py. */\n#include "font.h"\n\nconst FontRange font_ranges[] = {\n')
        for start, end in zip(starts, ends):
            out.write('    { 0x%04x, 0x%04x, %d },\n' % (codes[start], codes[end - 1], start))
        out.write('};\nconst unsigned font_n_ranges = %d;\n\n' % len(starts))
        out.write('const uint8_t font_dots[][FONT_HEIGHT] = {\n')
        for code in codes:
            out.write('    { %s },\n' % ', '.join('%d' % row for row in glyphs[code]))
        out.write('};\n')


main()
