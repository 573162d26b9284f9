"""Where public modules and names of version 0.1 are now, so that what names them still works.

Recipes and run folders that name a class by its import path are read through `current_path`; programs that
import from an old place are answered by `MovedFinder`, with a warning that names the new one.
"""

import importlib
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = {
    "handrail.answering": "handrail.runs.answers.predict",
    "handrail.assembly": "handrail.runs.assembly",
    "handrail.augmentation.choose": "handrail.augmentation.defaults",
    "handrail.augmentation.warp": "handrail.augmentation.base",
    "handrail.data.audio_store": "handrail.data.stores.audio",
    "handrail.data.checks.finding": "handrail.data.finding",
    "handrail.data.convert": "handrail.data.writers",
    "handrail.data.drawing": "handrail.data.split.parts",
    "handrail.data.encoders.rows": "handrail.data.encoders.row_encoder",
    "handrail.data.encoders.stream": "handrail.data.encoders.text",
    "handrail.data.encoding": "handrail.recipe.sections",
    "handrail.data.findings": "handrail.data.finding",
    "handrail.data.fingerprint": "handrail.data.split.row_hashes",
    "handrail.data.images": "handrail.data.stores",
    "handrail.data.images.boxes": "handrail.data.stores.boxes",
    "handrail.data.images.cache": "handrail.data.stores.pixels.cache",
    "handrail.data.images.decode": "handrail.data.stores.pixels.decode",
    "handrail.data.images.masks": "handrail.data.stores.masks",
    "handrail.data.images.store": "handrail.data.stores.images",
    "handrail.data.items": "handrail.data.sources.media",
    "handrail.data.schema": "handrail.data.columns.schema",
    "handrail.data.series": "handrail.data.stores",
    "handrail.data.series.store": "handrail.data.stores.series",
    "handrail.data.series.window_store": "handrail.data.stores.series",
    "handrail.data.store": "handrail.data.stores.store",
    "handrail.data.stream": "handrail.data.streaming",
    "handrail.data.stream.parquet": "handrail.data.streaming.parquet",
    "handrail.data.stream.part": "handrail.data.streaming.part",
    "handrail.data.stream.rows": "handrail.data.streaming.row_file",
    "handrail.data.text": "handrail.data.encoders.tokenizers",
    "handrail.data.text.codes": "handrail.data.encoders.tokenizers",
    "handrail.data.text.passages": "handrail.data.sources.passages",
    "handrail.data.text.tokenizer": "handrail.data.encoders.tokenizers",
    "handrail.data.values": "handrail.data.columns.values",
    "handrail.data.windows": "handrail.data.forecast.windows",
    "handrail.decoders": "handrail.tasks",
    "handrail.decoders.boxes": "handrail.tasks.boxes",
    "handrail.decoders.classes": "handrail.tasks.classes",
    "handrail.decoders.decoder": "handrail.tasks.task",
    "handrail.decoders.mask": "handrail.tasks.masks",
    "handrail.decoders.next_token": "handrail.tasks.next_token",
    "handrail.decoders.ngrams": "handrail.tasks.next_token",
    "handrail.decoders.scoring": "handrail.tasks.scoring",
    "handrail.decoders.sequence": "handrail.tasks.sequence",
    "handrail.decoders.values": "handrail.tasks.values",
    "handrail.defaults": "handrail.runs.defaults",
    "handrail.ensemble": "handrail.pipeline.ensemble",
    "handrail.evaluation.baselines": "handrail.tasks.baselines",
    "handrail.evaluation.boxes": "handrail.evaluation.outcomes.boxes",
    "handrail.evaluation.forecasts": "handrail.data.forecast.season",
    "handrail.evaluation.masks": "handrail.evaluation.outcomes.masks",
    "handrail.evaluation.names": "handrail.evaluation.metric_names",
    "handrail.evaluation.outcome": "handrail.evaluation.outcomes",
    "handrail.evaluation.predictions": "handrail.evaluation.metrics",
    "handrail.evaluation.thresholds": "handrail.evaluation.calibration",
    "handrail.evaluation.tokens": "handrail.evaluation.outcomes.tokens",
    "handrail.export": "handrail.pipeline.export",
    "handrail.files": "handrail.tools.files",
    "handrail.folder": "handrail.runs.folder",
    "handrail.generation": "handrail.tasks.next_token",
    "handrail.kinds": "handrail.components.registry",
    "handrail.layers.additive_attention": "handrail.layers.attention",
    "handrail.layers.dropout": "handrail.layers.noise",
    "handrail.layers.locally_connected": "handrail.layers.convolution",
    "handrail.layers.maxout": "handrail.layers.activations",
    "handrail.layers.positions": "handrail.layers.steps",
    "handrail.layers.recurrent": "handrail.layers.steps",
    "handrail.layers.transformer_block": "handrail.layers.attention",
    "handrail.learning.clipping": "handrail.learning.optimizers",
    "handrail.learning.flat": "handrail.learning.fast.flat_step",
    "handrail.learning.gradient": "handrail.learning.rules.gradient",
    "handrail.learning.least_squares": "handrail.learning.rules.least_squares",
    "handrail.learning.rmsprop_momentum": "handrail.learning.lecture_optimizers",
    "handrail.learning.rosenblatt": "handrail.learning.rules.rosenblatt",
    "handrail.learning.stepping": "handrail.learning.fast.fused_adam",
    "handrail.learning.team": "handrail.learning.rule",
    "handrail.models.plain_net": "handrail.models.resnet",
    "handrail.models.volume_cnn": "handrail.models.cnn",
    "handrail.objectives._targets": "handrail.objectives.objective",
    "handrail.objectives.margins": "handrail.objectives.distances",
    "handrail.objectives.tokens": "handrail.objectives.likelihoods",
    "handrail.replicas": "handrail.runs.replicas",
    "handrail.runs.predict": "handrail.runs.answers.predict",
    "handrail.runs.predict_large": "handrail.runs.answers.predict_large",
    "handrail.sections": "handrail.recipe.sections",
    "handrail.settings": "handrail.recipe.dotted",
    "handrail.starter": "handrail.runs.template",
    "handrail.tasks.baselines.components": "handrail.learning.principal_components",
    "handrail.training.compilation": "handrail.training.speed.compilation",
    "handrail.training.features": "handrail.training.transfer.features",
    "handrail.training.freezing": "handrail.training.transfer",
    "handrail.training.joining": "handrail.training.distributed.join",
    "handrail.training.many": "handrail.training.train_many",
    "handrail.training.naming": "handrail.training.transfer.names",
    "handrail.training.parallel": "handrail.training.distributed.processes",
    "handrail.training.products": "handrail.training.speed.matmul",
    "handrail.training.progress": "handrail.training.callbacks",
    "handrail.training.pupil": "handrail.training.job",
    "handrail.training.records": "handrail.training.callbacks",
    "handrail.training.session": "handrail.training.train",
    "handrail.training.standing": "handrail.training.engine",
    "handrail.training.terms": "handrail.training.job",
    "handrail.training.validation": "handrail.training.engine",
    "handrail.training.weights": "handrail.training.transfer.weights",
    "handrail.training.whole_norm": "handrail.training.distributed.batch_norm",
    "handrail.tuning.found": "handrail.tuning.results",
    "handrail.tuning.settings": "handrail.recipe.sections",
}
# Names that have been changed, or that have not moved with their module.
NAMES = {
    "handrail.data.rows:moved": "handrail.data.rows:to_device",
    "handrail.evaluation.ledger:fingerprint": "handrail.data.split.hash_sets:fingerprint",
    "handrail.evaluation.metrics:mean_defined": "handrail.evaluation.metrics:nan_mean",
    "handrail.learning.rule:signed_targets": "handrail.learning.rule:sign_targets",
    "handrail.objectives.boxes:assigned": "handrail.objectives.boxes:assign_anchors",
    "handrail.training.transfer:transferred": "handrail.training.transfer:transfer_weights",
    "handrail.augmentation.warp:warped": "handrail.augmentation.base:warp",
    "handrail.data.convert:typed": "handrail.data.writers:infer_types",
    "handrail.data.dataset:prepare": "handrail.data.prepare:prepare",
    "handrail.data.dataset:reopen": "handrail.data.prepare:reopen",
    "handrail.data.series:SeriesStore": "handrail.data.stores.series:SeriesStore",
    "handrail.data.series:WindowStore": "handrail.data.stores.series:WindowStore",
    "handrail.data.split:PARTS": "handrail.data.split.draw:PARTS",
    "handrail.data.split:Share": "handrail.components.arguments:Fraction",
    "handrail.data.split:Split": "handrail.recipe.reading:Split",
    "handrail.data.split:TEST": "handrail.data.split.draw:TEST",
    "handrail.data.split:TRAIN": "handrail.data.split.draw:TRAIN",
    "handrail.data.split:VALIDATION": "handrail.data.split.draw:VALIDATION",
    "handrail.data.split:spread": "handrail.data.split.draw:spread",
    "handrail.data.split:spread_by_class": "handrail.data.split.draw:spread_by_class",
    "handrail.data.table:ReadOptions": "handrail.recipe.reading:ReadOptions",
    "handrail.data.task:Task": "handrail.data.task:TaskSpec",
    "handrail.data.text:read_passages": "handrail.data.sources.passages:read_passages",
    "handrail.data.windows:WindowPlan": "handrail.data.forecast.plan:WindowPlan",
    "handrail.data.windows:plan_windows": "handrail.data.forecast.plan:plan_windows",
    "handrail.data.windows:windowed": "handrail.data.forecast.windows:window_table",
    "handrail.decoders.boxes:BoxDecoder": "handrail.tasks.boxes:BoxTask",
    "handrail.decoders.boxes:found_boxes": "handrail.tasks.boxes:detect_boxes",
    "handrail.decoders.boxes:surest": "handrail.tasks.boxes:suppress",
    "handrail.decoders.classes:ClassDecoder": "handrail.tasks.classes:ClassTask",
    "handrail.decoders.decoder:Decoder": "handrail.tasks.task:Task",
    "handrail.decoders.mask:MaskDecoder": "handrail.tasks.masks:MaskTask",
    "handrail.decoders.next_token:NextTokenDecoder": "handrail.tasks.next_token:NextTokenTask",
    "handrail.decoders.next_token:steps_at_once": "handrail.tasks.scoring:steps_at_once",
    "handrail.decoders.next_token:token_credit": "handrail.tasks.next_token:token_accuracy",
    "handrail.decoders.ngrams:Counted": "handrail.tasks.next_token:NgramModel",
    "handrail.decoders.ngrams:counted": "handrail.tasks.next_token:ngram_outcomes",
    "handrail.decoders.sequence:SequenceDecoder": "handrail.tasks.sequence:SequenceTask",
    "handrail.decoders.values:ValueDecoder": "handrail.tasks.values:ValueTask",
    "handrail.decoders:make_decoder": "handrail.tasks:make_task",
    "handrail.evaluation.baselines:Forecast": "handrail.tasks.baselines:BaselineAnswers",
    "handrail.evaluation.predictions:Predictions": "handrail.evaluation.outcomes.table:TableOutcome",
    "handrail.fitting:check_source": "handrail.checking:check",
    "handrail.export:export_onnx": "handrail.run:export_onnx",
    "handrail.layers.anchors:moved_boxes": "handrail.layers.anchors:move_boxes",
    "handrail.layers.pooling:convolved_and_pooled": "handrail.layers.pooling:convolve_and_pool",
    "handrail.layers.steps:summed_up": "handrail.layers.steps:summarise",
    "handrail.learning.clipping:Limit": "handrail.components.arguments:Positive",
    "handrail.models.rbm:RestrictedPath": "handrail.layers.restricted:RestrictedPath",
    "handrail.objectives.margins:Labels": "handrail.objectives.distances:Real",
    "handrail.objectives.margins:Scores": "handrail.objectives.distances:Real",
    "handrail.answering:generate_text": "handrail.runs.answers.generate:generate_text",
    "handrail.runs.answers.predict:generate_text": "handrail.runs.answers.generate:generate_text",
    "handrail.runs.predict:generate_text": "handrail.runs.answers.generate:generate_text",
    "handrail.sections:Positive": "handrail.components.arguments:Positive",
    "handrail.shapes:accepted": "handrail.shapes:accepted_shapes",
    "handrail.shapes:spoken": "handrail.shapes:shape_name",
    "handrail.training.joining:joined": "handrail.training.distributed.join:join_processes",
    "handrail.training.naming:spoken_names": "handrail.training.transfer.names:by_model_names",
    "handrail.training.pupil:Pupil": "handrail.training.job:Job",
    "handrail.training.terms:Lesson": "handrail.training.job:TrainingData",
    "handrail.training.terms:Terms": "handrail.training.job:Setup",
    "handrail.training.terms:terms_of": "handrail.training.job:make_setup",
    "handrail.training.validation:Credit": "handrail.learning.rule:BatchMetrics",
    "handrail.training.weights:filled_from": "handrail.training.transfer.weights:fill_from",
}


def current_path(path: str) -> str:
    """`package.module:Name` of today for one of any time; other paths are returned as they are."""
    if path in NAMES:
        return NAMES[path]
    module, colon, name = path.partition(":")
    return MODULES.get(module, module) + colon + name


def forward(module: str) -> Callable[[str], Any]:
    """A module's `__getattr__`, which looks up names that have moved elsewhere, with a warning."""

    def look_up(name: str) -> Any:
        old = f"{module}:{name}"
        new = current_path(old)
        if new == old or name.startswith("__"):
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        target, _, attribute = new.partition(":")
        value = getattr(importlib.import_module(target), attribute)
        text = f"{module}.{name} has moved; import {attribute} from {target}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return value

    return look_up


class MovedFinder(MetaPathFinder):
    """Finds the modules of `MODULES`; asked last, when no other finder knows the name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _StandIn(), is_package=True) if fullname in MODULES else None


class _StandIn(Loader):
    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = forward(module.__name__)
