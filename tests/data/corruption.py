"""Ways in which a data set on disk goes wrong, drawn at random from a seed."""

import random
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

CELLS = (
    "../../secret.txt", "/etc/hostname", "C:\\x.png", "", " ", "nan", "NaN", "inf", "-inf", "1e309",
    "-1", "2", "0.5", "1;2", "None", "true", "a\tb", "é😀", "=1+1", "x" * 5000, "0" * 400, "1 -5",
    "1 2 3", "999999999999999999999", "\ufeff1", "ISIC_0000001.png", ".", "..", "%00", "~",
)  # fmt: skip

TEXT = {".csv", ".cfg", ".txt", ".yml", ".xml"}
IMAGES = {".png", ".jpg"}


def corrupt(root, seed):
    """Do one to three things to a tree; returns what was done, for the report."""
    rng = random.Random(seed)
    return [one_change(Path(root), rng) for _ in range(rng.randint(1, 3))]


def one_change(root, rng):
    files = sorted(p for p in root.rglob("*") if p.is_file() or p.is_symlink())
    folders = sorted(p for p in root.rglob("*") if p.is_dir() and not p.is_symlink())
    if not files:
        return "nothing left to change"
    path = rng.choice(files)
    if rng.random() < 0.4:  # tables are few among many images, and matter more
        tables = [p for p in files if p.suffix in TEXT]
        path = rng.choice(tables or files)
    changes = [remove, truncate, empty, flip_bytes, no_data, to_folder, link_out, link_nowhere]
    changes += [link_to_itself, rename, copy, append, swap]
    if path.suffix in TEXT:
        changes += [change_cell] * 6 + [drop_column, repeat_line, drop_line, shuffle_lines]
        changes += [no_header, other_separator, stray_quote, windows_lines, mark, utf_16, nul]
    if path.suffix in IMAGES:
        changes += [
            other_size,
            one_pixel,
            deep,
            colour,
            grey,
            transparent,
            cmyk,
            palette,
            greys,
        ] * 2
    if folders and rng.random() < 0.06:
        folder = rng.choice(folders)
        shutil.rmtree(folder)
        return f"removed the folder {folder.relative_to(root)}"
    change = rng.choice(changes)
    try:
        change(path, rng, files)
    except (OSError, ValueError, IndexError, AttributeError) as error:
        return f"{change.__name__} of {path.relative_to(root)} failed: {error}"
    return f"{change.__name__} {path.relative_to(root)}"


# Any file


def remove(path, rng, files):
    path.unlink()


def truncate(path, rng, files):
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def empty(path, rng, files):
    path.write_bytes(b"")


def flip_bytes(path, rng, files):
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 4, 50))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)


def no_data(path, rng, files):
    path.write_bytes(b"<html><body>404 Not Found</body></html>")


def to_folder(path, rng, files):
    path.unlink()
    path.mkdir()


def link_out(path, rng, files):
    path.unlink()
    path.symlink_to("/etc/hostname")


def link_nowhere(path, rng, files):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def link_to_itself(path, rng, files):
    path.unlink()
    path.symlink_to(path)


def rename(path, rng, files):
    suffix = rng.choice(("_2" + path.suffix, path.suffix.upper(), "é" + path.suffix, " "))
    path.rename(path.with_name(path.name.removesuffix(path.suffix) + suffix))


def copy(path, rng, files):
    other = rng.choice(files)
    shutil.copy(path, other.with_name(f"copy{rng.randrange(9)}-{other.stem}{path.suffix}"))


def append(path, rng, files):
    path.write_bytes(path.read_bytes() + bytes(rng.randrange(256) for _ in range(40)))


def swap(path, rng, files):
    other = rng.choice(files)
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


# Text


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def write_lines(path, lines, end="\n"):
    path.write_text(end.join(lines) + end, encoding="utf-8")


def separator(line):
    return max(",;:", key=line.count)


def change_cell(path, rng, files):
    lines = lines_of(path)
    at = rng.randrange(len(lines))
    cells = lines[at].split(separator(lines[at]))
    cells[rng.randrange(len(cells))] = rng.choice(CELLS)
    lines[at] = separator(lines[at]).join(cells)
    write_lines(path, lines)


def drop_column(path, rng, files):
    lines = lines_of(path)
    mark = separator(lines[0])
    at = rng.randrange(len(lines[0].split(mark)))
    rows = [line.split(mark) for line in lines]
    write_lines(path, [mark.join(row[:at] + row[at + 1 :]) for row in rows])


def repeat_line(path, rng, files):
    lines = lines_of(path)
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    write_lines(path, lines)


def drop_line(path, rng, files):
    lines = lines_of(path)
    del lines[rng.randrange(len(lines))]
    write_lines(path, lines)


def shuffle_lines(path, rng, files):
    lines = lines_of(path)
    rng.shuffle(lines)
    write_lines(path, lines)


def no_header(path, rng, files):
    write_lines(path, lines_of(path)[1:])


def other_separator(path, rng, files):
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(separator(text), rng.choice(";\t|")), encoding="utf-8")


def stray_quote(path, rng, files):
    text = path.read_text(encoding="utf-8")
    at = rng.randrange(len(text) + 1)
    path.write_text(text[:at] + rng.choice("\"'\\") + text[at:], encoding="utf-8")


def windows_lines(path, rng, files):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def mark(path, rng, files):
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def utf_16(path, rng, files):
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")


def nul(path, rng, files):
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + b"\0" + content[at:])


# Images


def store(path, pixels, mode=None):
    image = Image.fromarray(pixels)
    kind = "JPEG" if path.suffix == ".jpg" and mode not in ("RGBA", "P") else "PNG"
    (image.convert(mode) if mode else image).save(path, kind)


def noise(rng, *shape, dtype=np.uint8):
    top = np.iinfo(dtype).max
    return np.random.default_rng(rng.randrange(1 << 30)).integers(0, top, shape, dtype=dtype)


def other_size(path, rng, files):
    store(path, noise(rng, rng.randint(2, 80), rng.randint(2, 80)))


def one_pixel(path, rng, files):
    store(path, noise(rng, 1, 1))


def deep(path, rng, files):
    Image.fromarray(noise(rng, 20, 20, dtype=np.uint16)).save(path, "PNG")


def colour(path, rng, files):
    store(path, noise(rng, 20, 20, 3))


def grey(path, rng, files):
    with Image.open(path) as image:
        pixels = np.array(image.convert("L"))
    store(path, pixels)


def transparent(path, rng, files):
    store(path, noise(rng, 20, 20, 4))


def cmyk(path, rng, files):
    Image.fromarray(noise(rng, 20, 20, 3)).convert("CMYK").save(path, "JPEG")


def palette(path, rng, files):
    store(path, noise(rng, 20, 20, 3), "P")


def greys(path, rng, files):
    with Image.open(path) as image:
        shape = (image.height, image.width)
    store(path, noise(rng, *shape))
