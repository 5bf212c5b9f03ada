from tacit.instruments.layout import Grid, plain
from tacit.instruments.trial_table import trial_parts


def row(number, rung, validation, failure=None, **settings):
    costs = {"macs": 1000 * (number + 1)}
    settings = {"kernel": 3, **settings}
    return {"number": number, "rung": rung, "settings": settings, "steps": 8, "validation": validation, "failure": failure, "costs": costs}


def test_no_trials_are_no_table():
    assert trial_parts({}) == []
    assert trial_parts({"trials": []}) == []


def test_each_candidate_stands_once_with_what_is_different_between_them():
    rows = [row(0, 0, 0.5, width=4), row(1, 0, 0.75, width=8), row(1, 1, 0.7, width=8), row(2, 0, None, "MemoryError: no room", width=16)]
    text = plain(trial_parts({"trials": rows}))
    assert text.splitlines()[1:] == [
        "search: 3 candidates, 1 ended early, 1 failed",
        "  #  validation  steps   macs  width",
        "  2      0.7000      8  2,000      8",
        "  1      0.5000      8  1,000      4",
        "  candidate 3 failed: MemoryError: no room",
    ]


def test_the_best_ten_and_the_first_failures_are_shown():
    rows = [row(number, 0, number / 100, width=number) for number in range(14)]
    rows += [row(14 + number, 0, None, "RuntimeError", width=50 + number) for number in range(5)]
    first, *rest = trial_parts({"trials": rows})
    assert isinstance(first, Grid)
    assert first.title == "search: 19 candidates, 5 failed; the best 10"
    assert [cells[0] for cells in first.rows] == [str(number) for number in range(14, 4, -1)]
    assert rest[-1] == "  ... and 2 more failed"


def test_the_front_has_a_table_of_its_own():
    rows = [row(0, 0, 0.5, width=4), row(1, 0, 0.75, width=8)]
    *_, front = trial_parts({"trials": rows, "front": rows[::-1]})
    assert front.title.startswith("the front:")
    assert [cells[0] for cells in front.rows] == ["2", "1"]


def test_trials_of_an_earlier_release_without_numbers_are_shown_too():
    rows = [{"rung": 0, "settings": {"width": width}, "validation": 0.1 * width, "failure": None} for width in (1, 2)]
    assert [cells[-1] for cells in trial_parts({"trials": rows})[0].rows] == ["2", "1"]
