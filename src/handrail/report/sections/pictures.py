"""Turn the samples of a run folder into the figures of its page."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from handrail.components.pictures import from_plain
from handrail.report.figures.attention import attention_plot
from handrail.report.figures.boxes import box_grid
from handrail.report.figures.forecasts import MOST_PANELS, forecast_plots, horizon_plot, series_plot
from handrail.report.figures.maps import MOST_SPECTROGRAMS, filters_grid, mask_grid, spectrogram_grid
from handrail.report.figures.named import named_picture
from handrail.report.figures.samples import augmentation_grid, mistakes_grid, sample_grid
from handrail.report.figures.style import FigureView
from handrail.report.figures.texts import GeneratedText, HardText, hard_texts, text_sample
from handrail.report.figures.tiles import thumbnail
from handrail.report.samples.archive import Sections
from handrail.tools.words import plural

_WIDE = 680
_ORDER = "The images: the hardest of these rows, one in the middle, the easiest."
_PANELS = {"series": MOST_PANELS, "audio": MOST_SPECTROGRAMS}
_VERSIONS = 2  # augmented versions beside a series or a sound
Section = Mapping[str, Any]


@dataclass(frozen=True)
class Pictures:
    """Figures, and samples shown as text."""

    figures: tuple[FigureView, ...] = ()
    texts: tuple[HardText, ...] = ()
    generated: GeneratedText | None = None
    total: int = 0

    def __bool__(self) -> bool:
        return bool(self.figures or self.texts or self.generated)


def training_pictures(sections: Sections, augmentation: str) -> Pictures:
    """A sample of training rows, and augmented versions of some."""
    figures: list[FigureView] = []
    texts: tuple[HardText, ...] = ()
    if section := sections.get("samples"):
        if section["kind"] == "text":
            titles = section["titles"] or [""] * len(section["texts"])
            texts = tuple(hard_texts([""] * len(titles), section["texts"], titles, [""] * len(titles)))
        else:
            title = f"Training {_plural(section['kind'])}"
            figures.append(_many(section, section["titles"], name="samples", title=title))
    if section := sections.get("augmented"):
        figures.append(_augmentation(section, augmentation))
    return Pictures(tuple(figures), texts)


def _plural(kind: str) -> str:
    return {"image": "images", "audio": "sounds"}.get(kind, kind)


def _many(section: Section, titles: list[str], *, name: str, title: str) -> FigureView:
    if section["kind"] == "image":
        view = sample_grid(section["items"], titles, name=name, width=_WIDE, shape=section.get("shape"))
    elif section["kind"] == "audio":
        view = spectrogram_grid(section["items"].astype(np.float32), titles, name=name, width=_WIDE)
    else:
        view = series_plot(_cut_series(section["items"]), titles, name=name, width=_WIDE)
    return replace(view, title=title, wide=True)


def _cut_series(values: np.ndarray) -> list[np.ndarray]:
    """Series without the padding behind their ends."""
    lengths = [int(np.isfinite(series).any(axis=0).sum()) for series in values]
    return [series[:, :length] for series, length in zip(values, lengths, strict=True)]


def _augmentation(section: Section, augmentation: str) -> FigureView:
    steps = f"{augmentation}. " if augmentation else ""
    note = f"{steps}Drawn anew in each epoch; never on validation or test rows."
    originals, changed = section["originals"], section["changed"]
    if section["kind"] == "image":
        return augmentation_grid(originals, changed, note=note)
    originals, changed = originals[:3], changed[:3]
    items = [
        item
        for original, versions in zip(originals, changed, strict=True)
        for item in (original, *versions[:_VERSIONS])
    ]
    titles = ["original", *["augmented"] * _VERSIONS] * len(originals)
    if section["kind"] == "audio":
        view = spectrogram_grid(np.stack(items).astype(np.float32), titles, name="augmented")
    else:
        view = series_plot(items, titles, name="augmented")
    return replace(view, title=f"Augmented training {_plural(section['kind'])}", note=note)


def inside_pictures(sections: Sections) -> Pictures:
    """What was made in the course of training, filters, attention, and a text by the language model."""
    figures = _named(sections, "course", "model", marked=False)
    figures += _named(sections, "inside", "model", marked=False)
    if section := sections.get("filters"):
        figures.append(filters_grid(section["weights"].astype(np.float32)))
    if section := sections.get("attention"):
        figures += _attention(section)
    generated = None
    if section := sections.get("generated"):
        generated = text_sample(section["prompt"], section["text"], temperature=section["temperature"])
    return Pictures(tuple(figures), generated=generated)


def _named(sections: Sections, kind: str, part: str, *, marked: bool) -> list[FigureView]:
    """The pictures that the model or the task handed over."""
    names = [name for name in sections if name.rpartition("-")[0] == kind]
    return [
        named_picture(from_plain(sections[name]), f"{name}-{part}", marked=marked)
        for name in sorted(names, key=lambda name: int(name.rpartition("-")[2]))
    ]


def _attention(section: Section) -> list[FigureView]:
    views = []
    for layer, weights in zip(section["layers"], section["weights"].astype(np.float32), strict=True):
        title = f"Attention in layer {layer} of {section['of']}" if section["of"] > 1 else "Attention"
        name = f"attention-{layer}"
        if layer == section["layers"][-1]:
            tokens, there = section["tokens"], section["there"]
            side = f"{there} tokens" if there <= len(tokens) else f"the first {len(tokens)} of {there} tokens"
            size: Any = {"width": _WIDE, "columns": min(2, len(weights))}
            view = attention_plot(weights, tokens, title=title, name=name, **size)
            views.append(replace(view, side=side, wide=True, tall=True))
        else:
            view = attention_plot(weights, title=title, name=name)
            note = f"The same tokens as in layer {section['layers'][-1]}. {view.note}"
            views.append(replace(view, side="", note=note))
    return views


def answer_pictures(sections: Sections, part: str, *, marked: bool) -> Pictures:
    """Mistakes, masks, boxes and forecasts of a part."""
    figures = _named(sections, "picture", part, marked=marked)
    texts: tuple[HardText, ...] = ()
    total = 0
    if section := sections.get("masks"):
        columns = (section[key] for key in ("images", "truths", "answers", "classes"))
        view = mask_grid(*columns, name=f"masks-{part}", width=_WIDE, marked=marked)
        figures.append(replace(view, note=f"{view.note} {_ORDER}", wide=True, tall=True))
    if section := sections.get("boxes"):
        figures.append(_boxes(section, part, marked=marked))
    if section := sections.get("forecast"):
        figures += _forecasts(section, part, marked=marked)
    if (section := sections.get("mistakes")) and section["total"]:
        total = section["total"]
        if section["kind"] == "text":
            columns = (section[key] for key in ("rows", "texts", "truths", "answers", "sure"))
            texts = tuple(hard_texts(*columns))
        else:
            figures.append(_mistakes(section, part, marked=marked))
    return Pictures(tuple(figures), texts, total=total)


def _mistakes(section: Section, part: str, *, marked: bool) -> FigureView:
    name, side = f"mistakes-{part}", _of(len(section["items"]), section["total"])
    columns = [section[key] for key in ("truths", "answers", "sure")]
    if section["kind"] == "image":
        view = mistakes_grid(section["items"], *columns, name=name, width=_WIDE, marked=marked)
        return replace(view, side=side, wide=True)
    titles = [f"{answer} {sure:.0%}, is {truth}" for truth, answer, sure in zip(*columns, strict=True)]
    view = _many(section, titles, name=name, title="Most confident mistakes")
    note = f"The answer with its probability, then the truth. {view.note}"
    side = _of(min(len(titles), _PANELS[section["kind"]]), section["total"])
    return replace(view, side=side, note=note, marked=marked)


def _of(shown: int, total: int) -> str:
    return f"{shown} of {plural(total, 'mistake')}" if total > shown else plural(total, "mistake")


def _boxes(section: Section, part: str, *, marked: bool) -> FigureView:
    images = section["images"]
    size = np.array([images.shape[3], images.shape[2]] * 2, dtype=np.float64)
    truths, answers = [], []
    for padded_truth, padded_answer in zip(section["truths"], section["found"], strict=True):
        true, predicted = (boxes[boxes[:, 0] >= 0] for boxes in (padded_truth, padded_answer))
        truths.append((true[:, 1:] * size, true[:, 0].astype(np.int64)))
        answers.append((predicted[:, 2:] * size, predicted[:, 0].astype(np.int64), predicted[:, 1]))
    look: Any = {"name": f"boxes-{part}", "width": _WIDE, "marked": marked}
    view = box_grid(list(images), truths, answers, section["classes"], **look)
    return replace(view, note=f"{view.note} {_ORDER}", wide=True, tall=True)


def _forecasts(section: Section, part: str, *, marked: bool) -> list[FigureView]:
    views = []
    for place, window in enumerate(section["windows"]):
        curves = (section[key][place] for key in ("history", "truth", "answer", "naive"))
        name = f"forecast-{part}-{place}"
        look = {"name": name, "kind": section.get("kind", "forecast"), "marked": marked}
        for view in forecast_plots(*curves, names=section["names"], **look):
            views.append(replace(view, note=f"{window[0].upper()}{window[1:]}. {view.note}"))
    if section["network_error"].shape[1] > 1:
        pairs = zip(section["names"], section["network_error"], section["naive_error"], strict=True)
        views += [
            horizon_plot(network, naive, series=series, name=f"horizon-{part}-{place}", marked=marked)
            for place, (series, network, naive) in enumerate(list(pairs)[:2])
        ]
    return views


def thumbnails(sections: Sections, part: str) -> list[Markup]:
    """Very small pictures of the hardest rows, in their order."""
    section = sections.get("hardest")
    if not section:
        return []
    values = section["items"].astype(np.float32) if section["kind"] == "audio" else section["items"]
    names = [f"hard-{part}-{place}" for place in range(len(values))]
    return [thumbnail(item, section["kind"], name=name) for item, name in zip(values, names, strict=True)]
