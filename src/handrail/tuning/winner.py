"""The winner, trained anew: an ordinary run, whose figures say that its settings were chosen."""

from handrail.data.dataset import Dataset
from handrail.fitting import fit, resume
from handrail.run import Run
from handrail.runs.folder import write_json
from handrail.tuning.folder import SearchFolder
from handrail.tuning.results import Search


def fit_winner(folder: SearchFolder, data: Dataset, *, progress: str) -> Run:
    """Fit the winner's recipe with its replicas, then train on training and validation rows together. The
    seal stays shut.

    The first fit, on training rows, finds the number of epochs, the temperature and the threshold, for which
    rows are needed that the network has not learned from; the second uses them. `Run.test(refit=True)`
    measures the second.
    """
    search = Search(folder.path)
    run = _fitted(folder, search, progress)
    _say_that_it_was_chosen(run, search)
    run.refit(progress=progress)
    return run


def _fitted(folder: SearchFolder, search: Search, progress: str) -> Run:
    if (folder.run / "recipe.yaml").exists():
        return resume(folder.run, progress=progress)
    return fit(recipe=search.winner, out=folder.run, progress=progress)


def _say_that_it_was_chosen(run: Run, search: Search) -> None:
    summary, found = run.summary, search.summary
    note = (
        f"The settings were chosen as the best of {len(found['table'])} trials by {found['metric']} on these validation rows, or rows among "
        "them: all validation figures of this run are flattered by that choice. Test rows tell how good it is."
    )
    if note not in summary["notes"]:
        write_json(run.folder.validation, {**summary, "notes": [*summary["notes"], note]})
        run.report()
