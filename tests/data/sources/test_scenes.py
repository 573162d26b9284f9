"""Pictures of several shapes with masks and boxes."""

from collections import Counter
from typing import Any

import numpy as np

from handrail.data.sources import read


def store_of(source: str, name: str) -> Any:
    return read(source).stores[name]


def test_masks_lie_where_the_shapes_are() -> None:
    """Without noise a pixel is bright exactly where the mask names a shape, at one brightness a shape."""
    source = "toy:shape_masks,rows=200,noise=0,seed=3"
    labels = store_of(source, "mask").labels((32, 32)).numpy()
    pixels = store_of(source, "image").pixels((32, 32), 1)[:, 0].numpy()
    np.testing.assert_array_equal(pixels > 0, labels > 0)
    assert pixels[labels > 0].min() >= 127
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
    for picture, mask in zip(pixels, labels, strict=True):
        assert 1 <= len(np.unique(picture[mask > 0])) <= 3


def test_boxes_are_those_of_the_masks() -> None:
    """Of the same arguments both toys draw the same pictures; a box encloses its shape to the pixel."""
    arguments = "rows=300,side=40,seed=5"
    images = [store_of(f"toy:shape_{kind},{arguments}", "image") for kind in ("masks", "boxes")]
    np.testing.assert_array_equal(*(store.hashes for store in images))
    masks = store_of(f"toy:shape_masks,{arguments}", "mask").labels((40, 40)).numpy()
    store = store_of(f"toy:shape_boxes,{arguments}", "boxes")
    assert store.classes == ("circle", "cross", "square", "triangle")
    assert store.remarks == ()
    codes = {"circle": 1, "square": 2, "triangle": 3, "cross": 4}
    for place, mask in enumerate(masks):
        left = mask.copy()
        for box, label in zip(*store.boxes(place), strict=True):
            xmin, ymin, xmax, ymax = box.astype(int)
            inside = left[ymin:ymax, xmin:xmax]
            assert set(np.unique(inside)) <= {0, codes[store.classes[label]]}
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            inside[:] = 0
        assert not left.any()


def test_every_number_of_shapes_up_to_the_most_is_drawn_and_every_shape_as_often() -> None:
    store = store_of("toy:shape_boxes,rows=4000,side=24,most=3", "boxes")
    counts = Counter(len(store.boxes(place)[0]) for place in range(len(store)))
    assert set(counts) == {1, 2, 3}
    assert min(counts.values()) > 400
    kinds = np.bincount(np.concatenate([store.boxes(place)[1] for place in range(len(store))]))
    np.testing.assert_allclose(kinds / kinds.sum(), 0.25, atol=0.02)
