"""What every page of the book keeps to in a browser."""

from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.conftest import PAGES, Opened

WIDTHS = (360, 390, 768, 1200)
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
WIDE_CODE = """[...document.querySelectorAll(".bd-article div.highlight pre")]
    .filter((pre) => pre.scrollWidth > pre.clientWidth + 1)
    .map((pre) => pre.textContent.trim().split("\\n").sort((a, b) => b.length - a.length)[0])"""
FIRST_VIEW = 2_000_000  # bytes that a page may load before the reader does anything, not compressed
BROKEN = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.alt)"
FOLDED = "details:not([open]), .ask-reply[hidden], [hidden='until-found']"
# Puts a control to all of its positions and counts how many different views there are, with the others at
# their start or at their end: which layer changes makes no difference while nothing is changed.
VIEWS = """(figure, k, atEnd) => {
    const controls = [...figure.querySelectorAll("[data-control]")].map((node) => {
        const input = node.querySelector("input"), buttons = [...node.querySelectorAll("[role=radio]")];
        const at = () => input ? +input.value : buttons.findIndex((one) => one.ariaChecked === "true");
        const put = (place) => {
            if (!input) return buttons[place].click();
            input.value = place;
            input.dispatchEvent(new Event("input", { bubbles: true }));
        };
        const end = () => (input ? +input.max : buttons.length - 1);  // others may change it
        return { at, put, end, start: at() };
    });
    if (atEnd) controls.forEach((control) => control.put(control.end()));
    const views = new Set();
    for (let place = 0; place <= controls[k].end(); place++) {
        controls[k].put(place);
        if (controls[k].at() !== place) throw new Error(`control ${k} does not take its position ${place}`);
        views.add(figure.querySelector('[data-part="view"]').innerHTML + figure.querySelector("img")?.src);
    }
    controls.forEach((control) => control.put(control.start));
    return views.size;
}"""


def test_nothing_fails_and_nothing_is_asked_of_another_host(opened):
    assert opened.errors == []
    assert opened.elsewhere == []
    assert opened.run(BROKEN) == []
    assert opened.run("document.querySelectorAll('mjx-merror').length") == 0
    unset = "[...document.querySelectorAll('.math')].filter((e) => !e.querySelector('mjx-container')).length"
    assert opened.run(unset) == 0, "formulas that are not set"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways(opened, width):
    opened.resize(width)
    assert opened.run(SIDEWAYS) <= 0
    if width == 1200:
        assert opened.run(WIDE_CODE) == []


def test_the_first_view_is_light(browser, served, opened):
    name = opened.tab.url.rpartition("/")[2]
    page = Opened(browser, name, start=served, viewport={"width": 1200, "height": 900})
    page.tab.wait_for_load_state("networkidle")
    page.context.close()
    paths = {urlsplit(address).path for address in page.asked if address.startswith(served)}
    loaded = {path: (PAGES / unquote(path[1:])).stat().st_size for path in paths}
    assert len(loaded) > 10
    assert sum(loaded.values()) <= FIRST_VIEW, sorted(loaded.items(), key=lambda each: -each[1])[:5]


def test_every_control_changes_its_figure(opened):
    for figure in opened.tab.query_selector_all("figure[data-explore]"):
        for k in range(len(figure.query_selector_all("[data-control]"))):
            views = [
                figure.evaluate(f"(figure) => ({VIEWS})(figure, {k}, {end})") for end in ("false", "true")
            ]
            assert max(views) > 1, figure.get_attribute("id")


def test_every_question_answers(opened):
    opened.run("localStorage.clear()")
    opened.tab.reload()
    questions = opened.tab.query_selector_all("ul.ask")
    assert opened.run("document.querySelectorAll('.bd-article p > strong').length") or not questions
    for question in questions:
        choices = question.query_selector_all("button")
        for choice in choices:
            choice.evaluate("(button) => button.click()")
            reply = choice.evaluate("(button) => button.nextElementSibling.textContent.trim()")
            right = choice.evaluate("(button) => button.parentElement.classList.contains('ask-right')")
            assert right == reply.startswith("Right") and choice.get_attribute("aria-expanded") == "true"
        assert question.evaluate("(ul) => ul.querySelectorAll('.ask-right').length") == 1
    assert opened.run("document.querySelectorAll('.bd-article [hidden=\"until-found\"]').length") == 0
    if questions:
        score = opened.run("document.querySelector('.ask-score').textContent")
        assert score.startswith(("Predictions right", "Questions")) and "all answered" in score
    assert opened.errors == []


def test_a_print_has_everything_open(opened):
    opened.run("localStorage.clear()")
    opened.tab.reload()
    folded = f'document.querySelectorAll(".bd-article :is({FOLDED})").length'
    before = opened.run(folded)
    opened.run("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.run(folded) == 0
    opened.run("window.dispatchEvent(new Event('afterprint'))")
    assert opened.run(folded) == before
