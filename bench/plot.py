"""Line and bar charts as SVG. The same numbers always give the same text."""

import math
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


def _number(value):
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def _round_steps(top, count=5):
    """Returns about `count` round numbers from 0 to at least `top`."""
    step = 10 ** math.floor(math.log10(top / count))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if step * factor * count >= top)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def _decades(low, high):
    low, high = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**i for i in range(low, max(high, low + 1) + 1)]


class _Axis:
    """Maps values to pixels. ticks: the labelled values; the first and the last are the ends of the axis."""

    def __init__(self, ticks, begin, end, log=False):
        self.ticks, self.begin, self.end = ticks, begin, end
        self.scale = math.log10 if log else float

    def at(self, value):
        low, high = self.scale(self.ticks[0]), self.scale(self.ticks[-1])
        return round(self.begin + (self.scale(value) - low) / (high - low) * (self.end - self.begin), 1)


def _text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _page(title, parts, height=HEIGHT):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(LEFT, 22, title, "start", ' font-size="14" font-weight="bold"'), *parts, "</svg>", ""])


def _legend(names):
    parts = []
    for i, name in enumerate(names):
        y = TOP + 10 + 18 * i
        parts.append(f'<rect x="{WIDTH - RIGHT + 15}" y="{y - 9}" width="10" height="10" fill="{COLOURS[i]}"/>')
        parts.append(_text(WIDTH - RIGHT + 30, y, name, "start"))
    return parts


def lines(title, x_label, y_label, series, log_x=False, log_y=False):
    """series: (name, [(x, y)]) each. A linear axis begins at 0; on a logarithmic x the values themselves are labelled."""
    points = [point for _, those in series for point in those]
    xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
    x_axis = _Axis(xs if log_x else _round_steps(xs[-1]), LEFT, WIDTH - RIGHT, log_x)
    y_axis = _Axis(_decades(min(ys), max(ys)) if log_y else _round_steps(max(ys)), HEIGHT - BOTTOM, TOP, log_y)
    parts = []
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, _number(tick), "end"))
    last = -100
    for tick in x_axis.ticks:
        x = x_axis.at(tick)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}" stroke="#222"/>')
        if x - last > 40:
            parts.append(_text(x, HEIGHT - BOTTOM + 18, _number(float(f"{tick:.2g}"))))
            last = x
    for i, (_, those) in enumerate(series):
        at = [(x_axis.at(x), y_axis.at(y)) for x, y in those]
        path = " ".join(f"{x},{y}" for x, y in at)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{COLOURS[i]}"/>' for x, y in at]
    parts += _legend([name for name, _ in series])
    middle = (LEFT + WIDTH - RIGHT) // 2, (TOP + HEIGHT - BOTTOM) // 2
    parts.append(_text(middle[0], HEIGHT - 12, x_label))
    parts.append(_text(0, 0, y_label, more=f' transform="translate(16 {middle[1]}) rotate(-90)"'))
    return _page(title, parts)


def bars(title, x_label, names, rows):
    """Draws stacked bars, one below the other. rows: (label, [a value for each of names])."""
    left, line = 270, 26
    height = TOP + 28 + line * len(rows) + BOTTOM
    bottom = height - BOTTOM
    axis = _Axis(_round_steps(max(sum(values) for _, values in rows)), left, WIDTH - 30)
    parts = []
    for i, name in enumerate(names):
        parts.append(f'<rect x="{20 + 120 * i}" y="{TOP - 6}" width="10" height="10" fill="{COLOURS[i]}"/>')
        parts.append(_text(20 + 120 * i + 15, TOP + 3, name, "start"))
    for tick in axis.ticks:
        x = axis.at(tick)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP + 18}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(_text(x, bottom + 16, _number(tick)))
    for number, (label, values) in enumerate(rows):
        y, sum_ = TOP + 26 + line * number, 0
        parts.append(_text(left - 8, y + 13, label, "end"))
        for i, value in enumerate(values):
            x, end = axis.at(sum_), axis.at(sum_ + value)
            sum_ += value
            parts.append(f'<rect x="{x}" y="{y}" width="{round(end - x, 1)}" height="18" fill="{COLOURS[i]}"/>')
    parts.append(_text((left + WIDTH - 30) // 2, height - 12, x_label))
    return _page(title, parts, height)
