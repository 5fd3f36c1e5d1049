"""The workflows of GitHub: they parse, use actions that run today, and publish only under the own address."""

import re
from pathlib import Path

import pytest
import yaml

import dev

GITHUB = Path(__file__).resolve().parents[2] / ".github"
WORKFLOWS = {path.stem: path.read_text(encoding="utf-8") for path in (GITHUB / "workflows").glob("*.yml")}
# Below these, actions run on Node 20, which GitHub's machines no longer have.
OLDEST = {
    "actions/checkout": 5,
    "actions/deploy-pages": 5,
    "actions/setup-python": 6,
    "actions/upload-pages-artifact": 5,
    "astral-sh/setup-uv": 7,
}


def steps(name):
    """All steps of a workflow, in order."""
    jobs = yaml.safe_load(WORKFLOWS[name])["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_of_majors_that_still_run(name):
    used = [step["uses"] for step in steps(name) if "uses" in step]
    for action, version in (word.split("@v") for word in used):
        assert int(version.split(".")[0]) >= OLDEST[action], f"{action}@v{version}"
        if action == "astral-sh/setup-uv":  # from version 8 on it has no tag of a major alone
            assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_actions_are_kept_current():
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert [(entry["package-ecosystem"], entry["directory"]) for entry in updates] == [
        ("github-actions", "/")
    ]


def test_the_newest_python_is_tested():
    jobs = yaml.safe_load(WORKFLOWS["test"])["jobs"]
    tested = jobs["everything"]["strategy"]["matrix"]["python"]
    assert tested[0] == "3.11" and tested[-1] == ".".join(map(str, dev.NEWEST))


def test_pages_are_published_only_where_the_files_name_this_repository():
    words = [step.get("run", step.get("uses", "")) for step in steps("publish")]
    (check,) = [i for i, line in enumerate(words) if "adopt" in line]
    assert words[check] == 'python dev.py adopt --check "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"'
    assert check < words.index("python dev.py book")


def test_a_failure_of_any_weekly_job_is_reported():
    jobs = yaml.safe_load(WORKFLOWS["weekly"])["jobs"]
    assert set(jobs["report"]["needs"]) == set(jobs) - {"report"}
    assert "python3 dev.py test --machines" in [step.get("run") for step in jobs["machines"]["steps"]]
