"""The summary as a picture: how late harm is seen, and how often a healthy change is restored."""

from collections.abc import Iterator
from html import escape
from math import inf, log10

from rivals.contest import OURS
from rivals.report import Results, over_bound

WIDTH, ROW, TOP = 920, 26, 74
NAMES, LEFT, RIGHT, PANEL = 190, 200, 580, 310
SLOWEST = 1000.0  # the bound, times
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.s{font-size:11px;fill:#52606d}"
    ".o{font-weight:600}.g{stroke:#d9dee4}.w{stroke:#52606d}.b{fill:#9fb3c8}.m{fill:#1769aa}"
)


def chart(results: Results, command: str) -> str:
    """An SVG picture; `command` makes it again and is written into it."""
    rules = results.rules
    height = TOP + ROW * len(rules) + 46
    title = "Harm seen, and healthy changes restored: Surefoot beside other rules"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}</title>",
        f"<desc>Made by: {escape(command)}</desc>",
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" class="o">{title}</text>',
        f'<text x="{LEFT}" y="44">delay over the bound, mean and p90</text>',
        f'<text x="{RIGHT}" y="44">false restores in four hours, 95 %</text>',
        *_grid(height - 40),
    ]
    for index, rule in enumerate(rules):
        parts += _row(results, rule, TOP + ROW * index + ROW // 2)
    parts.append(f'<text x="12" y="{height - 12}" class="s">{escape(command)}</text></svg>')
    return "\n".join(parts) + "\n"


def _slow(ratio: float) -> float:
    return LEFT + PANEL * log10(min(max(ratio, 0.1), SLOWEST) * 10) / 4


def _often(part: float) -> float:
    return RIGHT + PANEL * part


def _grid(bottom: float) -> Iterator[str]:
    for ratio in (0.1, 1, 10, 100, 1000):
        yield _tick(_slow(ratio), f"{ratio:g}x", bottom)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield _tick(_often(part), f"{part:.0%}", bottom)


def _tick(x: float, told: str, bottom: float) -> str:
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" class="g"/>'
    return f'{line}<text x="{x:.1f}" y="64" class="s" text-anchor="middle">{told}</text>'


def _row(results: Results, rule: str, y: float) -> Iterator[str]:
    own = rule == OURS
    kind = "o" if own else ""
    yield f'<text x="{NAMES}" y="{y + 4}" text-anchor="end" class="{kind}">{rule}</text>'
    mean = over_bound(results, rule, lambda score: score.mean)
    p90 = over_bound(results, rule, lambda score: score.p90)
    if mean == inf:
        yield f'<text x="{LEFT + 6}" y="{y + 4}" class="s">misses some in every cell</text>'
    else:
        yield _whisker(_slow(mean), _slow(p90), y)
        yield _dot(_slow(mean), y, own=own)
    false = results.pooled(rule, "null", lambda score: score.bad())
    low, high = false.interval
    yield _whisker(_often(low), _often(high), y)
    yield _dot(_often(false.part), y, own=own)


def _whisker(x1: float, x2: float, y: float) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y}" y2="{y}" class="w"/>'


def _dot(x: float, y: float, *, own: bool) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" class="{"m" if own else "b"}"/>'
