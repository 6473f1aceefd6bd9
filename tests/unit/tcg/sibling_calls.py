#!/usr/bin/env python3
"""Micro-ops pass control on by jumps.

One that calls the next instead leaves a frame behind, and a guest's loop over it would use up the host's stack.
Looks through the disassembly of libtcg.a: no function may call through the displacements micro-ops jump
through, nor call a micro-op directly, but for the loop in exec.c.
"""
import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INDIRECT = re.compile(r"\b(call|jmp)\s+\*(0x[0-9a-f]+)\(%")
THROUGH = re.compile(r"\b(call|jmp)\s+\*%(\w+)$")
LOAD = re.compile(r"\bmov\s+(0x[0-9a-f]+)\(%\w+\),%(\w+)$")
DIRECT = re.compile(r"\bcall\s+[0-9a-f]+ <([^+>]+)>$")
RELOCATION = re.compile(r"R_X86_64_(?:PLT32|PC32)\s+([^-+\s]+)")
NEXT = "0x20"                   # of the following micro-op's function: sizeof(UOp)
LOOP = {"run_block", "run_until_exit", "tcg_run", "interpret", "tcg_interpret_one"}


def functions(archive):
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", archive], check=True,
                          capture_output=True, text=True).stdout
    name, lines = None, []
    for line in text.splitlines():
        found = FUNCTION.match(line)
        if found:
            if name:
                yield name, lines
            name, lines = found.group(1), []
        elif name:
            lines.append(line.strip())
    if name:
        yield name, lines


def transfers(lines):
    """Indirect calls and jumps, with the displacement their target was loaded from."""
    loaded = {}
    for line in lines:
        load, through = LOAD.search(line), THROUGH.search(line)
        if load:
            loaded[load.group(2)] = load.group(1)
        yield from INDIRECT.findall(line)
        if through:
            yield through.group(1), loaded.get(through.group(2))


def calls(lines):
    """Names called directly: by relocation, or within the section."""
    for at, line in enumerate(lines):
        found = DIRECT.search(line)
        target = RELOCATION.search(lines[at + 1]) if found and at + 1 < len(lines) else None
        if target or found:
            yield (target or found).group(1)


def main(archive):
    code = list(functions(archive))
    micro_ops = {name for name, lines in code
                 if ("jmp", NEXT) in transfers(lines)}
    bad = []
    for name, lines in code:
        if name in LOOP:
            continue
        if ("call", NEXT) in transfers(lines):
            bad.append(f"{name} calls its successor")
        bad += [f"{name} calls the micro-op {target}" for target in calls(lines) if target in micro_ops]
    print("\n".join(sorted(set(bad))) or f"{len(micro_ops)} micro-ops jump")
    return 1 if bad or len(micro_ops) < 1000 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
