"""Answers beside kept columns find a name that is free."""

from handrail.runs.answers.predict import describe_names, free_names


def test_answers_find_a_free_name_and_say_it() -> None:
    taken = ["prediction", "prediction_", "prediction_2", "probability_yes", "y"]
    names = free_names(["prediction", "probability_no", "probability_yes"], taken)
    assert names == {"prediction": "prediction_3", "probability_yes": "probability_yes_"}
    assert "'prediction' is called 'prediction_3'" in describe_names(names)[0]
    assert describe_names({}) == []
