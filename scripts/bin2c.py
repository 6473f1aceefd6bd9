#!/usr/bin/env python3
"""Write a file as a C array: bin2c.py NAME INPUT OUTPUT."""
import sys

name, source, target = sys.argv[1:]
data = open(source, "rb").read()
with open(target, "w") as out:
    out.write(f"extern const unsigned char {name}[];\nextern const unsigned {name}_size;\n")
    out.write(f"const unsigned char {name}[] = {{\n")
    for at in range(0, len(data), 16):
        out.write("    " + " ".join(f"0x{byte:02x}," for byte in data[at:at + 16]) + "\n")
    out.write(f"}};\nconst unsigned {name}_size = {len(data)};\n")
