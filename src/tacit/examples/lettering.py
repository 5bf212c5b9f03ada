"""Letters on a picture: any script that a font of the machine has, and a readable stand-in for what none has."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from PIL import ImageDraw, ImageFont

#: Tried in order after Pillow's own font, which has the letters of English alone; by name, where systems keep their fonts.
FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Arial Unicode.ttf", "segoeui.ttf"),
    *("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSans-Regular.ttc", "wqy-zenhei.ttc", "wqy-microhei.ttc"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc", "simsun.ttc", "YuGothM.ttc", "malgun.ttf", "Nirmala.ttf"),
)
_NOWHERE = "\U0010fffe"  # no font has this one: what is drawn for it is what is drawn for anything missing
_PLAIN = {"→": "->", "←": "<-", "≥": ">=", "≤": "<=", "×": "x", "−": "-", "–": "-", "’": "'", "“": '"', "”": '"'}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Lettering:
    """Fonts of one size; `own` restricts it to Pillow's own font, which is the same on every machine."""

    size: int
    own: bool = False

    @property
    def fonts(self) -> tuple[Font, ...]:
        """The fonts in the order in which a letter is looked for."""
        return _fonts(self.size)[: 1 if self.own else None]

    @property
    def height(self) -> int:
        """Pixels from one line to the next."""
        return round(self.size * 1.35)

    def runs(self, text: str) -> list[tuple[str, Font]]:
        """Split a text into parts with the font that has their letters; what no font has becomes ASCII or its code.

        >>> [part for part, _ in Lettering(12, own=True).runs("4 → é 猫")]
        ['4 -> e \\\\u732b']
        """
        found: list[tuple[str, Font]] = []
        for letter in text:
            shown, font = _drawable(letter, self.fonts)
            if found and found[-1][1] is font:
                found[-1] = (found[-1][0] + shown, font)
            else:
                found.append((shown, font))
        return found

    def width(self, text: str) -> float:
        """Give the pixels that a text takes."""
        return sum(font.getlength(part) for part, font in self.runs(text))

    def draw(self, pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: tuple[int, int, int]) -> None:
        """Write one line with its upper left corner at `at`."""
        left, top = at
        for part, font in self.runs(text):
            if isinstance(font, ImageFont.FreeTypeFont):
                pen.text((left, top + self.size), part, fill=fill, font=font, anchor="ls")
            else:
                pen.text((left, top), part, fill=fill, font=font)
            left += font.getlength(part)

    def wrap(self, text: str, room: float, lines: int) -> list[str]:
        """Break a text into at most so many lines no wider than `room`, at spaces where there are some; ``...`` ends what is cut."""
        out: list[str] = []
        for paragraph in text.split("\n"):
            rest = paragraph.strip()
            while rest:
                cut = self._fitting(rest, room)
                if cut < len(rest):
                    space = rest.rfind(" ", 0, cut + 1)
                    cut = space if space > cut // 2 else cut
                out.append(rest[:cut].rstrip())
                rest = rest[cut:].lstrip()
                if len(out) > lines:
                    break
        if len(out) <= lines:
            return out
        last = out[lines - 1]
        while last and self.width(last + "...") > room:
            last = last[:-1]
        return [*out[: lines - 1], last + "..."]

    def _fitting(self, text: str, room: float) -> int:
        """Give how many letters fit, at least one."""
        used = 0.0
        for count, letter in enumerate(text):
            shown, font = _drawable(letter, self.fonts)
            used += font.getlength(shown)
            if used > room and count:
                return count
        return len(text)


@cache
def _fonts(size: int) -> tuple[Font, ...]:
    found: list[Font] = [ImageFont.load_default(size)]
    for name in FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(found)


@cache
def _missing(font: Font) -> bytes:
    return bytes(font.getmask(_NOWHERE))


@cache
def _has(font: Font, letter: str) -> bool:
    if letter.isspace() or unicodedata.combining(letter):
        return True
    try:
        return bytes(font.getmask(letter)) != _missing(font)
    except (UnicodeEncodeError, ValueError, OSError):
        return False


@cache
def _drawable(letter: str, fonts: tuple[Font, ...]) -> tuple[str, Font]:
    """Give what to draw for a letter, and the font for it."""
    if letter in "\t\r\v\f" or (unicodedata.category(letter) in ("Cc", "Cf", "Cs")):
        return " ", fonts[0]
    for font in fonts:
        if _has(font, letter):
            return letter, font
    plain = _PLAIN.get(letter) or "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    if plain.isascii() and plain:
        return plain, fonts[0]
    code = ord(letter)
    return (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:06x}"), fonts[0]
