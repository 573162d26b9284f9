"""The metrics: what each means, which belong to a task, and which direction is better."""

from handrail.errors import RecipeError, did_you_mean

TASKS = ("binary", "multi-class", "multi-label", "regression")

DESCRIPTIONS: dict[str, str] = {
    "accuracy": "Share of rows that are right; with several labels a row, every label of it must be right.",
    "balanced_accuracy": "Mean over the classes of the share of their rows that are found.",
    "top_3_accuracy": "Share of rows whose true class is among the three most probable ones.",
    "top_5_accuracy": "Share of rows whose true class is among the five most probable ones.",
    "precision": "Of the rows called positive, the share that is (PPV); mean over classes or labels.",
    "recall": "Of the positive rows, the share that is found (TPR); mean over classes or labels.",
    "false_positive_rate": "Share of negative rows called positive (FPR); mean over classes or labels.",
    "f1": "Harmonic mean of precision and recall; mean over classes or labels.",
    "f1_micro": "F1 over all decisions of all labels counted together.",
    "roc_auc": "Probability that a positive row scores above a negative one; mean over classes or labels.",
    "pr_auc": "Average precision: the area under precision against recall; mean over classes or labels.",
    "log_loss": "Mean negative logarithm of the probability given to the truth, in nats.",
    "calibration_error": "Mean gap between confidence and accuracy over 15 equal bins of confidence (ECE).",
    "r2": "Explained share of the target's variance; 0 as the mean, 1 perfect; mean over outputs.",
    "rmse": "Root of the mean squared error, in the target's units; mean over outputs.",
    "mae": "Mean absolute error, in the target's units; mean over outputs.",
    "mase": "Mean absolute error over that of repeating the last season (without one, the last value) on "
    "training rows; below 1 is better.",
    "nrmse": "Root of the mean squared error at the last step of a free run over the variance there; "
    "1 as the mean; root of the mean over targets.",
    "dice": "Overlap: twice the shared area over the sum of the predicted and the true area; "
    "mean over the classes.",
    "iou": "Shared area over the area of both together (Jaccard); mean over the classes.",
    "pixel_accuracy": "Share of pixels that are right.",
    "map_50": "Mean over the classes of the average precision of boxes that overlap a true one by half or "
    "more (COCO's definition).",
    "map_50_95": "As mAP@0.5, averaged over the overlaps 0.5, 0.55 … 0.95 that a match needs (COCO).",
    "recall_50": "Share of the true boxes that are found with an overlap of half or more.",
    "bit_error_rate": "Share of the bits that were asked for, and are wrong.",
    "nats": "Mean negative logarithm of the probability given to the next token, in nats.",
    "perplexity": "exp(nats): the effective number of equally likely tokens.",
    "bits": "nats / ln 2: bits per token; for characters, bits per character.",
    "token_accuracy": "Share of tokens that are right.",
    "exact_match": "Share of rows whose whole answer is right.",
    "character_error_rate": "Edits from answer to truth over the truth's length, in characters.",
    "bits_per_dim": "Bits for each value of the true picture (a byte of a channel of a pixel): mean negative "
    "logarithm of its probability given the text, or an upper bound on it.",
    "bits_per_token": "Bits for each token of the true picture, given the text and the tokens before.",
    "right_colour": "Share of the pictures that were made whose colour, read from the pixels, is right.",
    "right_shape": "Share of the pictures that were made whose shape, read from the pixels, is right.",
    "right_size": "Share of the pictures that were made whose size, read from the pixels, is right.",
    "right_place": "Share of the pictures that were made whose place, read from the pixels, is right.",
    "right_all": "Share of the pictures that were made where all of this is right at once.",
    "inertia": "Mean squared distance of a row to the centre of its cluster, in encoded units.",
    "silhouette": "How much nearer rows are to their own cluster than to the next, −1 to 1; mean over them.",
    "stability": "Agreement with the clusters that k-means finds in resampled training rows (10,000 at "
    "most): adjusted Rand index, 0 as by chance, 1 the same; mean over 10 resamples.",
    "label_information": "What clusters and labels tell of each other: mutual information, normalised.",
    "map_error": "Mean distance from a row to its nearest prototype, and from there along the map to its "
    "second-nearest one (Kaski & Lagus), in encoded units.",
    "quantisation_error": "Mean distance of a row to its nearest prototype, in encoded units.",
    "topographic_error": "Share of rows whose nearest and second-nearest prototypes are no neighbours "
    "on the map.",
    "recalled": "Share of the damaged cues from which the whole stored pattern comes back.",
    "unit_accuracy": "Share of the units that are right in what the damaged cues call up.",
    "false_recall": "Share of rows that were never stored, and that the memory takes for stored.",
    "log_likelihood": "Mean logarithm of the density of a row, in nats, in encoded units.",
    "energy_score": "Mean distance of a row to generated rows, less half that of these to each other, in "
    "encoded units; least for the law of the rows.",
    "sample_precision": "Share of generated rows that lie among the real ones (within the third-nearest "
    "neighbour of one).",
    "sample_recall": "Share of rows that lie among the generated ones.",
    "frechet_distance": "Squared distance of two normal laws with the means and covariances of real and "
    "generated rows, in features; 0 for the same.",
    "copying": "How much more often a generated row is nearest to a training row than to a held-out one than "
    "chance has it: 0 as by chance, 1 always.",
    "translation_error": "Mean distance of a translated row from its true partner, in encoded units.",
    "cycle_error": "Mean distance of a row from what it becomes on the way to the other domain and back, in "
    "encoded units; 0 also where nothing is changed.",
    "linear_probe": "Accuracy of a linear classifier of the label, fitted on the codes of training rows "
    "(5,000 at most).",
    "neighbour_probe": "Accuracy of the commonest label of the five nearest codes of training rows (of 5,000 "
    "at most).",
    "mutual_information_gap": "How much more of a factor one number of the code tells than any other does, "
    "over all there is to tell (MIG); mean over factors, 0 to 1.",
    "reconstruction_error": "Mean squared error of a row that is given back from its code, in encoded units.",
    "explained_variance": "Share of the variance about the mean training row that reconstructions keep.",
    "bleu": "Corpus BLEU-4: geometric mean of n-gram precisions with a brevity penalty, 0 to 1.",
}
_LOWER_IS_BETTER = frozenset(
    (
        *("false_positive_rate", "log_loss", "calibration_error", "rmse", "mae", "mase", "nrmse"),
        *("nats", "perplexity", "bits", "character_error_rate", "bit_error_rate", "inertia"),
        *("energy_score", "frechet_distance", "copying", "translation_error", "cycle_error"),
        *("bits_per_dim", "bits_per_token"),
        *("false_recall", "reconstruction_error", "map_error", "quantisation_error", "topographic_error"),
    )
)
_BY_TASK = {
    "mask": ("dice", "iou", "pixel_accuracy"),
    "boxes": ("map_50", "map_50_95", "recall_50"),
    "bit-sequence": ("bit_error_rate", "exact_match"),
    "next-token": ("nats", "perplexity", "bits", "token_accuracy"),
    "sequence": ("exact_match", "token_accuracy", "character_error_rate", "bleu"),
    "text-to-image": (
        *("bits_per_dim", "bits_per_token"),
        *("right_all", "right_colour", "right_shape", "right_size", "right_place"),
    ),
    "clusters": ("inertia", "silhouette", "stability", "label_information"),
    "map": (
        *("map_error", "quantisation_error", "topographic_error"),
        *("linear_probe", "neighbour_probe"),
    ),
    "memory": ("recalled", "unit_accuracy", "false_recall"),
    "density": ("log_likelihood", "linear_probe", "neighbour_probe", "mutual_information_gap"),
    "generation": ("energy_score", "sample_precision", "sample_recall", "frechet_distance", "copying"),
    "reconstruction": (
        *("reconstruction_error", "explained_variance"),
        *("linear_probe", "neighbour_probe", "mutual_information_gap"),
    ),
    "translation": ("energy_score", "translation_error", "cycle_error"),
}


def check_task(task: str) -> None:
    """Raises: `RecipeError` for an unknown task."""
    if task not in TASKS:
        raise RecipeError(f"'{task}' is no task.{did_you_mean(task, TASKS)}")


def metric_names(task: str, classes: int = 0) -> list[str]:
    """The names of a task's metrics, in the order of the report; the first is the main one.

    Raises: `RecipeError` for an unknown task.
    """
    if task in _BY_TASK:
        return list(_BY_TASK[task])
    check_task(task)
    if task == "regression":
        return ["r2", "rmse", "mae"]
    shared = ["precision", "recall", "false_positive_rate", "f1"]
    by_probability = ["roc_auc", "pr_auc", "log_loss"]
    if task == "multi-label":
        return ["accuracy", *shared, "f1_micro", *by_probability]
    top = [f"top_{k}_accuracy" for k in (3, 5) if task == "multi-class" and classes > k]
    return ["accuracy", "balanced_accuracy", *top, *shared, *by_probability, "calibration_error"]


def higher_is_better(name: str) -> bool:
    """Whether a larger value is better.

    Raises: `RecipeError` for an unknown metric.
    """
    if name not in DESCRIPTIONS:
        raise RecipeError(f"'{name}' is no metric.{did_you_mean(name, DESCRIPTIONS)}")
    return name not in _LOWER_IS_BETTER
