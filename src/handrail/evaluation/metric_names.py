"""The figures that there are: what each says, which belong to a task, and which way is better."""

from handrail.errors import RecipeError, did_you_mean

TASKS = ("binary", "multi-class", "multi-label", "regression")

DESCRIPTIONS: dict[str, str] = {
    "accuracy": "Share of rows that are right; with several labels a row, of rows whose every label is right.",
    "balanced_accuracy": "Mean over the classes of the share of their rows that are found.",
    "top_3_accuracy": "Share of rows whose true class is among the three most probable ones.",
    "top_5_accuracy": "Share of rows whose true class is among the five most probable ones.",
    "precision": "Of the rows called positive, the share that is (PPV); mean over classes or labels.",
    "recall": "Of the positive rows, the share that is found (TPR); mean over classes or labels.",
    "false_positive_rate": "Of the negative rows, the share that is called positive (FPR); mean over classes or labels.",
    "f1": "Harmonic mean of precision and recall; mean over classes or labels.",
    "f1_micro": "F1 over all decisions of all labels counted together.",
    "roc_auc": "Chance that a positive row scores above a negative one; mean over classes or labels.",
    "pr_auc": "Average precision: the area under precision against recall; mean over classes or labels.",
    "log_loss": "Mean negative logarithm of the probability given to the truth, in nats.",
    "calibration_error": "Mean gap between confidence and accuracy over 15 equal bins of confidence (ECE).",
    "r2": "Share of the target's variance that is explained; 0 is the mean's, 1 is perfect; mean over outputs.",
    "rmse": "Root of the mean squared error, in the target's units; mean over outputs.",
    "mae": "Mean absolute error, in the target's units; mean over outputs.",
    "mase": "Mean absolute error over that of the seasonal naive forecast on training rows; below 1 is better than naive.",
    "dice": "Overlap of found and true area: twice what both share over the sum of their areas; mean over the classes sought.",
    "iou": "Shared area over the area of both together (Jaccard); mean over the classes sought.",
    "pixel_accuracy": "Share of pixels that are right.",
    "map_50": "Mean over the classes of the average precision of boxes that overlap a true one by half or more (COCO's definition).",
    "map_50_95": "As mAP@0.5, averaged over the overlaps 0.5, 0.55 … 0.95 that a match needs (COCO's definition).",
    "recall_50": "Share of the true boxes that are found with an overlap of half or more.",
    "nats": "Mean negative logarithm of the probability given to the next token, in nats.",
    "perplexity": "exp(nats): among how many equally likely tokens the network in effect hesitates.",
    "bits": "nats / ln 2: bits for each token; for characters, bits a character.",
    "token_accuracy": "Share of tokens that are right.",
    "exact_match": "Share of rows whose whole answer is right.",
    "character_error_rate": "Edits from answer to truth over the truth's length, in characters.",
    "bleu": "Corpus BLEU-4: geometric mean of n-gram precisions with a brevity penalty, 0 to 1.",
}
_LOWER_IS_BETTER = frozenset(
    {
        "false_positive_rate",
        "log_loss",
        "calibration_error",
        "rmse",
        "mae",
        "mase",
        "nats",
        "perplexity",
        "bits",
    }
    | {"character_error_rate"}
)
_OF_ITEMS = {
    "mask": ("dice", "iou", "pixel_accuracy"),
    "boxes": ("map_50", "map_50_95", "recall_50"),
    "next-token": ("nats", "perplexity", "bits", "token_accuracy"),
    "sequence": ("exact_match", "token_accuracy", "character_error_rate", "bleu"),
}


def check_task(task: str) -> None:
    """Refuses an unknown task.

    Raises: RecipeError.
    """
    if task not in TASKS:
        raise RecipeError(f"'{task}' is no task.{did_you_mean(task, TASKS)}")


def metric_names(task: str, classes: int) -> list[str]:
    """The names of a task's figures, in the order of the report; the first is the main one.

    Raises: RecipeError for an unknown task.
    """
    if task in _OF_ITEMS:
        return list(_OF_ITEMS[task])
    check_task(task)
    if task == "regression":
        return ["r2", "rmse", "mae"]
    shared = ["precision", "recall", "false_positive_rate", "f1"]
    scored = ["roc_auc", "pr_auc", "log_loss"]
    if task == "multi-label":
        return ["accuracy", *shared, "f1_micro", *scored]
    top = [f"top_{k}_accuracy" for k in (3, 5) if task == "multi-class" and classes > k]
    return ["accuracy", "balanced_accuracy", *top, *shared, *scored, "calibration_error"]


def higher_is_better(name: str) -> bool:
    """Whether a larger figure is a better one.

    Raises: RecipeError for an unknown metric.
    """
    if name not in DESCRIPTIONS:
        raise RecipeError(f"'{name}' is no metric.{did_you_mean(name, DESCRIPTIONS)}")
    return name not in _LOWER_IS_BETTER
