#!/usr/bin/env python3
"""Makes a shared library one that is loaded on demand: writes a C++ file with a stub for each of
its functions that the given archives call, and the table that cli/on_demand.cpp fills by dlopen.

    tools/on_demand.py OUT NAME LIBRARY[,LIBRARY...] ARCHIVE...

A stub jumps to where its place in the table points. No stub is seen by another library.
"""

import pathlib
import struct
import sys

SHT_SYMTAB, SHT_DYNSYM, UNDEFINED = 2, 11, 0


def symbols(elf, table):
    """(name, is defined) of each global symbol of a 64-bit little-endian ELF file."""
    assert elf[:6] == b"\x7fELF\x02\x01", "no 64-bit little-endian ELF file"
    at, = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, at + i * size) for i in range(count)]
    for _, kind, _, _, offset, length, link, _, _, entry in sections:
        if kind != table:
            continue
        strings = sections[link][4]
        for place in range(offset, offset + length, entry):
            name, info, _, section = struct.unpack_from("<IBBH", elf, place)
            if info >> 4 != 0:  # not local
                end = elf.index(b"\0", strings + name)
                yield elf[strings + name:end].decode(), section != UNDEFINED


def members(archive):
    """The object files of an archive, as ar(5) has them."""
    assert archive.startswith(b"!<arch>\n"), "no archive, or a thin one"
    at = 8
    while at < len(archive):
        size = int(archive[at + 48:at + 58])
        body = archive[at + 60:at + 60 + size]
        if body.startswith(b"\x7fELF"):
            yield body
        at += 60 + size + size % 2


def main():
    out, name, libraries, *archives = sys.argv[1:]
    has, wants = set(), set()
    for library in libraries.split(","):
        has |= {one for one, defined in symbols(pathlib.Path(library).read_bytes(), SHT_DYNSYM)
                if defined}
    for archive in archives:
        for member in members(pathlib.Path(archive).read_bytes()):
            wants |= {one for one, defined in symbols(member, SHT_SYMTAB) if not defined}
    names = sorted(has & wants)
    text = [f"// Made by tools/on_demand.py for {name}.", '#include "cli/on_demand.hpp"', "",
            f'extern "C" [[gnu::visibility("hidden")]] void* dyad_{name}_table[];',
            f"void* dyad_{name}_table[{len(names) + 1}] = {{}};", "", "#ifdef __x86_64__",
            f'#define DYAD_JUMP(at) "jmp *dyad_{name}_table+" #at "(%rip)\\n"', "#else",
            f'#define DYAD_JUMP(at) "adrp x16, dyad_{name}_table+" #at "\\n" \\',
            f'    "ldr x16, [x16, :lo12:dyad_{name}_table+" #at "]\\nbr x16\\n"', "#endif",
            "#define DYAD_STUB(name, at) __asm__( \\",
            '    ".text\\n.globl " #name "\\n.hidden " #name "\\n.type " #name ", %function\\n" \\',
            '    #name ":\\n" DYAD_JUMP(at) ".size " #name ", .-" #name "\\n");']
    text += [f"DYAD_STUB({one}, {8 * at})" for at, one in enumerate(names)]
    text += ["", "namespace dyad::cli {",
             f"const std::vector<const char*>& {name}_functions() {{",
             "    static const std::vector<const char*> names{"]
    text += [f'        "{one}",' for one in names]
    text += ["    };", "    return names;", "}",
             f"void** {name}_table() noexcept {{ return dyad_{name}_table; }}",
             "}  // namespace dyad::cli", ""]
    pathlib.Path(out).write_text("\n".join(text))


if __name__ == "__main__":
    main()
