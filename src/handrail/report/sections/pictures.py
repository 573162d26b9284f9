"""From the material that a run has kept to the figures of its report."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from handrail.report.figures.attention import attention_plot
from handrail.report.figures.boxes import box_grid
from handrail.report.figures.figure import FigureView
from handrail.report.figures.forecasts import MOST_PANELS, forecast_plots, horizon_plot, series_plot
from handrail.report.figures.maps import MOST_SPECTROGRAMS, filters_grid, mask_grid, spectrogram_grid
from handrail.report.figures.samples import augmented_grid, mistakes_grid, sample_grid
from handrail.report.figures.texts import GeneratedText, HardText, generated_text, hard_texts
from handrail.report.figures.thumbnails import thumbnail
from handrail.report.samples.archive import Sections

_WIDE = 680
_ORDER = "The images: the hardest of these rows, one in the middle, the easiest."
_PANELS = {"series": MOST_PANELS, "audio": MOST_SPECTROGRAMS}
_CHANGED = 2  # versions of a series or a sound beside it
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Pictures:
    """Figures, and what is shown as text."""

    figures: tuple[FigureView, ...] = ()
    texts: tuple[HardText, ...] = ()
    generated: GeneratedText | None = None
    total: int = 0

    def __bool__(self) -> bool:
        return bool(self.figures or self.texts or self.generated)


def training_pictures(sections: Sections, augmentation: str) -> Pictures:
    """A sample of training rows, and what augmentation makes of some."""
    figures: list[FigureView] = []
    texts: tuple[HardText, ...] = ()
    if found := sections.get("samples"):
        if found["kind"] == "text":
            titles = found["titles"] or [""] * len(found["texts"])
            texts = tuple(hard_texts([""] * len(titles), found["texts"], titles, [""] * len(titles)))
        else:
            figures.append(
                _many(found, found["titles"], name="samples", title=f"Training {_plural(found['kind'])}")
            )
    if found := sections.get("augmented"):
        figures.append(_augmented(found, augmentation))
    return Pictures(tuple(figures), texts)


def _plural(kind: str) -> str:
    return {"image": "images", "audio": "sounds"}.get(kind, kind)


def _many(found: Found, titles: list[str], *, name: str, title: str) -> FigureView:
    """Items side by side, each with its title."""
    if found["kind"] == "image":
        view = sample_grid(found["items"], titles, name=name, width=_WIDE, shape=found.get("shape"))
    elif found["kind"] == "audio":
        view = spectrogram_grid(found["items"].astype(np.float32), titles, name=name, width=_WIDE)
    else:
        view = series_plot(_ended(found["items"]), titles, name=name, width=_WIDE)
    return replace(view, title=title, wide=True)


def _ended(values: np.ndarray) -> list[np.ndarray]:
    """Series without what is behind their ends."""
    lengths = [int(np.isfinite(one).any(axis=0).sum()) for one in values]
    return [one[:, :length] for one, length in zip(values, lengths, strict=True)]


def _augmented(found: Found, augmentation: str) -> FigureView:
    told = f"{augmentation}. " if augmentation else ""
    note = f"{told}Anew in each epoch; never on validation or test rows."
    originals, changed = found["originals"], found["changed"]
    if found["kind"] == "image":
        return augmented_grid(originals, changed, note=note)
    originals, changed = originals[:3], changed[:3]
    each = [
        one for first, others in zip(originals, changed, strict=True) for one in (first, *others[:_CHANGED])
    ]
    titles = ["original", *["augmented"] * _CHANGED] * len(originals)
    if found["kind"] == "audio":
        view = spectrogram_grid(np.stack(each).astype(np.float32), titles, name="augmented")
    else:
        view = series_plot(each, titles, name="augmented")
    return replace(view, title=f"Augmented training {_plural(found['kind'])}", note=note)


def inside_pictures(sections: Sections) -> Pictures:
    """Filters, attention, and what a language model writes."""
    figures: list[FigureView] = []
    if found := sections.get("filters"):
        figures.append(filters_grid(found["weights"].astype(np.float32)))
    if found := sections.get("attention"):
        figures += _attention(found)
    generated = None
    if found := sections.get("generated"):
        generated = generated_text(found["prompt"], found["text"], temperature=found["temperature"])
    return Pictures(tuple(figures), generated=generated)


def _attention(found: Found) -> list[FigureView]:
    """The last layer large, with its tokens; the first one small."""
    views = []
    for layer, weights in zip(found["layers"], found["weights"].astype(np.float32), strict=True):
        title = f"Attention in layer {layer} of {found['of']}" if found["of"] > 1 else "Attention"
        name = f"attention-{layer}"
        if layer == found["layers"][-1]:
            tokens = _tokens(len(found["tokens"]), found["there"])
            view = attention_plot(
                weights, found["tokens"], title=title, name=name, width=_WIDE, columns=min(2, len(weights))
            )
            views.append(replace(view, side=tokens, wide=True, tall=True))
        else:
            view = attention_plot(weights, title=title, name=name)
            views.append(
                replace(view, side="", note=f"The same tokens as in layer {found['layers'][-1]}. {view.note}")
            )
    return views


def _tokens(shown: int, there: int) -> str:
    return f"the first {shown} of {there} tokens" if there > shown else f"{there} tokens"


def answer_pictures(sections: Sections, part: str, *, marked: bool) -> Pictures:
    """Mistakes, masks, boxes and forecasts of a part."""
    figures: list[FigureView] = []
    texts: tuple[HardText, ...] = ()
    total = 0
    if found := sections.get("masks"):
        classes = found["classes"]
        view = mask_grid(
            found["images"],
            found["truths"],
            found["answers"],
            classes,
            name=f"masks-{part}",
            width=_WIDE,
            marked=marked,
        )
        figures.append(replace(view, note=f"{view.note} {_ORDER}", wide=True, tall=True))
    if found := sections.get("boxes"):
        figures.append(_boxes(found, part, marked=marked))
    if found := sections.get("forecast"):
        figures += _forecasts(found, part, marked=marked)
    if (found := sections.get("mistakes")) and found["total"]:
        total = found["total"]
        if found["kind"] == "text":
            texts = tuple(hard_texts(*(found[key] for key in ("rows", "texts", "truths", "answers", "sure"))))
        else:
            figures.append(_mistakes(found, part, marked=marked))
    return Pictures(tuple(figures), texts, total=total)


def _mistakes(found: Found, part: str, *, marked: bool) -> FigureView:
    name, side = f"mistakes-{part}", _of(len(found["items"]), found["total"])
    columns = [found[key] for key in ("truths", "answers", "sure")]
    if found["kind"] == "image":
        view = mistakes_grid(found["items"], *columns, name=name, width=_WIDE, marked=marked)
        return replace(view, side=side, wide=True)
    titles = [f"{answer} {sure:.0%}, is {truth}" for truth, answer, sure in zip(*columns, strict=True)]
    view = _many(found, titles, name=name, title="Most confident mistakes")
    note = f"The answer with its probability, then the truth. {view.note}"
    return replace(
        view, side=_of(min(len(titles), _PANELS[found["kind"]]), found["total"]), note=note, marked=marked
    )


def _of(shown: int, total: int) -> str:
    what = "mistake" if total == 1 else "mistakes"
    return f"{shown} of {total:,} {what}" if total > shown else f"{total} {what}"


def _boxes(found: Found, part: str, *, marked: bool) -> FigureView:
    images = found["images"]
    size = np.array([images.shape[3], images.shape[2]] * 2, dtype=np.float64)
    truths, answers = [], []
    for padded_truth, padded_answer in zip(found["truths"], found["found"], strict=True):
        true, said = (padded[padded[:, 0] >= 0] for padded in (padded_truth, padded_answer))
        truths.append((true[:, 1:] * size, true[:, 0].astype(np.int64)))
        answers.append((said[:, 2:] * size, said[:, 0].astype(np.int64), said[:, 1]))
    view = box_grid(
        list(images), truths, answers, found["classes"], name=f"boxes-{part}", width=_WIDE, marked=marked
    )
    return replace(view, note=f"{view.note} {_ORDER}", wide=True, tall=True)


def _forecasts(found: Found, part: str, *, marked: bool) -> list[FigureView]:
    views = []
    for place, window in enumerate(found["windows"]):
        history, truth, answer, naive = (found[key][place] for key in ("history", "truth", "answer", "naive"))
        name = f"forecast-{part}-{place}"
        for view in forecast_plots(history, truth, answer, naive, found["names"], name=name, marked=marked):
            views.append(replace(view, note=f"{window[0].upper()}{window[1:]}. {view.note}"))
    if found["network_error"].shape[1] > 1:
        pairs = zip(found["names"], found["network_error"], found["naive_error"], strict=True)
        views += [
            horizon_plot(network, naive, series=series, name=f"horizon-{part}-{place}", marked=marked)
            for place, (series, network, naive) in enumerate(list(pairs)[:2])
        ]
    return views


def thumbnails(sections: Sections, part: str) -> list[Markup]:
    """Very small pictures of the hardest rows, in their order."""
    found = sections.get("hardest")
    if not found:
        return []
    values = found["items"].astype(np.float32) if found["kind"] == "audio" else found["items"]
    return [thumbnail(one, found["kind"], name=f"hard-{part}-{place}") for place, one in enumerate(values)]
