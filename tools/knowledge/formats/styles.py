"""What style sheets and inline styles hide from who looks at a page, as far as their plain forms tell."""

import re
from collections.abc import Callable, Iterator

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_ESCAPE = re.compile(r"\\(?!9\s*(?:!|\Z))")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_SIMPLE = re.compile(r"(?:[a-z][\w-]*)?(?:[.#][\w-]+)?")
_ELSEWHERE = re.compile(
    r"@media\s*(?:print\b|[^{]*\bmax-(?:device-)?width\s*:\s*\d{1,3}(?:\.\d+)?(?:px|r?em))"
)
_SIZE = re.compile(r"(?<![\w.#-])([-+]?(?:\d+(?:\.\d*)?|\.\d+))(px|pt|r?em|ex|ch|%|v[wh]|deg|)(?![\w.])")
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})(?![\w])")
_PIXELS = {"em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "%": 5.0, "vw": 5.0, "vh": 5.0, "pt": 1.3}
_EDGES = (
    "left",
    "top",
    "right",
    "bottom",
    "margin",
    "margin-left",
    "margin-top",
    "margin-right",
    "text-indent",
)
_WHITE = frozenset(
    {"white", "snow", "ivory", "ghostwhite", "floralwhite", "whitesmoke", "mintcream", "azure"}
)
_SMALLEST_FONT, _SMALLEST_SHARE, _PALE = 2.5, 0.1, 0xF0
_PRELUDE = 300
_FAR_BEFORE, _FAR_BEHIND = -400.0, 4_000.0


def hides(style: str) -> bool:
    """Whether declarations hide what they are for: not shown, tiny, pale, transparent, clipped or far away.

    Args:
        style: of an attribute or a rule; what is escaped in it is taken to be hidden for a reason.
    """
    bare = _QUOTED.sub("", _COMMENT.sub("", style.lower()))
    declared: dict[str, str] = {}
    for declaration in bare.split(";"):
        name, _, value = declaration.partition(":")
        if _ESCAPE.search(declaration):
            return True
        declared[name.strip()] = value.replace("!important", "").strip()
    background = declared.get("background-color", declared.get("background", ""))
    if _is_unseen(declared.get("color", ""), background):
        return True
    is_cut = declared.get("overflow", "").startswith(("hidden", "clip"))
    if is_cut and any(_is_thin(declared.get(side, "")) for side in ("width", "height")):
        return True
    return any(name in _TESTS and _TESTS[name](value) for name, value in declared.items())


def hiding_selectors(sheet: str) -> frozenset[str]:
    """Selectors of a style sheet, of a tag, class or id, whose rules hide; print and narrow screens aside."""
    return frozenset(
        selector for selector, style in _rules(sheet) if _SIMPLE.fullmatch(selector) and hides(style)
    )


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    around = ""
    for piece in _COMMENT.sub("", sheet.lower()).split("}"):
        opened, is_rule, style = piece.rpartition("{")
        outer, is_nested, selectors = opened.rpartition("{")
        if is_nested:
            around = outer.strip()
        if not is_rule:
            around = ""
        elif not _ELSEWHERE.search(around[-_PRELUDE:]):
            for selector in selectors.rpartition(";")[2].split(","):
                yield selector.strip(), style


def _numbers(value: str) -> list[tuple[float, str]]:
    return [(float(number), unit) for number, unit in _SIZE.findall(value)]


def _pixels(value: str) -> list[float]:
    return [number * _PIXELS.get(unit, 1.0) for number, unit in _numbers(value)]


def _is_tiny(value: str) -> bool:
    """A font's size: a share of the usual one, or pixels."""
    sizes = [number * (0.16 if unit == "%" else _PIXELS.get(unit, 1.0)) for number, unit in _numbers(value)]
    return bool(sizes) and sizes[0] < _SMALLEST_FONT


def _is_tiny_font(value: str) -> bool:
    """The size in a font's shorthand, after its weight, which has no unit."""
    return any(
        _is_tiny(word)
        for word in re.split(r"[\s]+|/.*", value)
        if re.match(r"0+(?:\D|\Z)|[\d.]+[a-z%]", word)
    )


def _is_faint(value: str) -> bool:
    return any(
        number * (0.01 if unit == "%" else 1) < _SMALLEST_SHARE for number, unit in _numbers(value)[:1]
    )


def _is_thin(value: str) -> bool:
    return any(0 <= size <= 1 for size in _pixels(value)[:1])


def _is_nothing(value: str) -> bool:
    return any(size == 0 for size in _pixels(value)[:1])


def _is_far(value: str) -> bool:
    return any(size <= _FAR_BEFORE or size >= _FAR_BEHIND for size in _pixels(value))


def _is_clipped(value: str) -> bool:
    sizes = _numbers(value)
    if value.startswith("rect"):
        return bool(sizes) and all(0 <= number <= 1 for number, _ in sizes)
    if value.startswith("inset"):
        return any(unit == "%" and number >= 50 for number, unit in sizes)
    return value.startswith(("circle", "ellipse", "polygon")) and all(number == 0 for number, _ in sizes)


def _is_moved_away(value: str) -> bool:
    return ("translate" in value and _is_far(value)) or any(
        _is_nothing(inner) for inner in re.findall(r"scale(?:3d|x|y)?\(([^)]*)", value)
    )


def _is_filtered(value: str) -> bool:
    return any(map(_is_faint, re.findall(r"opacity\(([^)]*)", value)))


def _is_unseen(colour: str, background: str) -> bool:
    """A colour that is transparent, or pale where no darker background stands beside it."""
    return bool(colour) and (
        _is_clear(colour) or (_is_pale(colour) and (_is_pale(background) or not _is_colour(background)))
    )


def _is_clear(colour: str) -> bool:
    if hexed := _HEX.match(colour):
        digits = hexed[0][1:]
        return (len(digits) == 4 and digits[3] in "01") or (len(digits) == 8 and int(digits[6:], 16) < 26)
    shares = _numbers(colour)
    return colour == "transparent" or (
        colour.startswith(("rgb", "hsl")) and len(shares) == 4 and _is_faint_share(shares[3])
    )


def _is_faint_share(share: tuple[float, str]) -> bool:
    number, unit = share
    return number * (0.01 if unit == "%" else 1) < _SMALLEST_SHARE


def _is_pale(colour: str) -> bool:
    if hexed := _HEX.search(colour):
        digits = hexed[0][1:]
        pairs = (
            [digits[at] * 2 for at in range(3)]
            if len(digits) < 6
            else [digits[at : at + 2] for at in (0, 2, 4)]
        )
        return all(int(pair, 16) >= _PALE for pair in pairs)
    numbers = _numbers(colour)
    if colour.startswith("rgb"):
        return len(numbers) >= 3 and all(
            number * (2.55 if unit == "%" else 1) >= _PALE for number, unit in numbers[:3]
        )
    if colour.startswith("hsl"):
        return len(numbers) >= 3 and numbers[2][0] >= 95
    return colour.split(" ", maxsplit=1)[0] in _WHITE


def _is_colour(background: str) -> bool:
    """Whether a background is plainly one colour."""
    return (
        re.fullmatch(
            r"#[0-9a-f]{3,8}|(?:rgb|hsl)\([^)]*\)|(?!none|inherit|initial|unset|transparent)[a-z]+",
            background,
        )
        is not None
    )


_TESTS: dict[str, Callable[[str], bool]] = {
    "display": lambda value: value.startswith("none"),
    "visibility": lambda value: value.startswith(("hidden", "collapse")),
    "content-visibility": lambda value: value.startswith("hidden"),
    "font-size": _is_tiny,
    "font": _is_tiny_font,
    "opacity": _is_faint,
    "-webkit-text-fill-color": _is_clear,
    "clip": _is_clipped,
    "clip-path": _is_clipped,
    "-webkit-clip-path": _is_clipped,
    "filter": _is_filtered,
    "-webkit-filter": _is_filtered,
    "transform": _is_moved_away,
    "translate": _is_far,
    "scale": _is_nothing,
    **dict.fromkeys(("width", "height", "max-width", "max-height"), _is_nothing),
    **dict.fromkeys(_EDGES, _is_far),
}
