"""How a reader gets about: predictions, the keyboard, searching, links into what is hidden, accessibility."""

import numpy as np
import pytest

from tests.browser.conftest import missing

CHAPTER = "03-relu-against-tanh"
HIDDEN = "document.querySelectorAll('.bd-article [hidden=\"until-found\"]').length"
# What people type, in either spelling, and the page that must be among the results.
SEARCHES = {
    "local response normalization": "06-local-response-normalisation",
    "local response normalisation": "06-local-response-normalisation",
    "LRN": "06-local-response-normalisation",
    "PCA": "09-augmentation",
    "color jitter": "09-augmentation",
    "data augmentation": "09-augmentation",
    "dropout": "10-dropout",
    "weight decay": "11-learning",
    "momentum": "11-learning",
    "learning rate": "11-learning",
    "initialization": "11-learning",
    "grouped convolution": "05-two-gpus",
    "model parallelism": "05-two-gpus",
    "max pooling": "07-overlapping-pooling",
    "backpropagation": "03-relu-against-tanh",
    "vanishing gradient": "03-relu-against-tanh",
    "feature map": "02-convolution",
    "stride": "02-convolution",
    "receptive field": "08-architecture",
    "nearest neighbors": "12-results",
    "fine-tuning": "13-code-of-2012",
}


def test_a_prediction_hides_its_result_until_a_choice_and_the_choice_stays(chapter):
    page = chapter(CHAPTER)
    hidden = page.run(HIDDEN)
    question = page.tab.locator("ul.ask").first
    question.locator("button").nth(0).click()
    assert 0 < page.run(HIDDEN) < hidden
    assert question.locator(".ask-reply").nth(0).is_visible()
    page.tab.reload()
    assert question.locator(".ask-reply").nth(0).is_visible() and "left" in score(page)


@pytest.mark.parametrize("name", [CHAPTER, "05-two-gpus"])  # the second has a folded text among it
def test_what_waits_is_laid_out_so_that_a_search_finds_it_and_takes_no_room(chapter, name):
    """Chromium alone reports what it does; the theme's own rule would take it off the page."""
    page = chapter(name)
    found = page.run(
        """[...document.querySelectorAll('.bd-article [hidden="until-found"]')].map((e) => {
            const style = getComputedStyle(e);
            return [style.display, style.contentVisibility, e.getBoundingClientRect().height];
        })"""
    )
    assert len(found) == page.run(HIDDEN) > 0
    assert all(display != "none" and content == "hidden" for display, content, _ in found), found
    assert max(height for *_, height in found) < 1, found


def test_the_focus_goes_on_to_a_result_that_is_shown(chapter):
    page = chapter(CHAPTER)
    page.tab.get_by_role("button", name="Show it").first.click()
    assert page.run("document.activeElement !== document.body && !document.activeElement.hidden")


def score(page):
    return page.run("document.querySelector('.ask-score').textContent")


def test_results_may_always_be_shown_and_a_chapter_begun_again(chapter):
    page = chapter(CHAPTER)
    hidden = page.run(HIDDEN)
    page.tab.get_by_role("button", name="Always show results").first.click()
    assert page.run(HIDDEN) == 0
    page.tab.reload()
    assert page.run(HIDDEN) == 0
    page.tab.get_by_role("button", name="Start this chapter again").click()
    page.tab.wait_for_function(f"{HIDDEN} === {hidden}")


def test_a_link_opens_what_is_hidden(chapter):
    page = chapter(f"{CHAPTER}.html#figure-3-2")
    assert page.tab.locator("#figure-3-2").is_visible()


def test_without_scripts_everything_can_be_read(chapter):
    page = chapter(CHAPTER, java_script_enabled=False)
    assert page.tab.locator("#figure-3-2").is_visible()
    assert page.tab.locator("details > summary", has_text="a) about a tenth").is_visible()


def test_the_keyboard_suffices(chapter):
    page = chapter(CHAPTER)
    choice = page.tab.locator("ul.ask button").first
    choice.focus()
    page.tab.keyboard.press("Enter")
    assert choice.get_attribute("aria-expanded") == "true"
    page.tab.keyboard.press("Tab")
    assert page.run("document.activeElement.textContent").startswith("b)")
    slider = page.tab.locator("figure[data-explore] input").first
    slider.focus()
    before = slider.get_attribute("aria-valuetext")
    page.tab.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") != before
    chosen = page.tab.locator("figure[data-explore] [role=radio][aria-checked=true]").first
    before = chosen.inner_text()
    chosen.focus()
    page.tab.keyboard.press("ArrowRight")
    assert page.run("document.activeElement.ariaChecked") == "true"
    assert chosen.inner_text() == page.run("document.activeElement.textContent") != before


def test_folded_cells_that_follow_each_other_open_with_one_bar(chapter):
    page = chapter("05-two-gpus")
    bar = page.tab.locator(".cell.tag_hide-input:has(+ .fold-follows) > details > summary").first
    follows = page.tab.locator(".fold-follows").first
    code, own_bar = follows.locator(".cell_input"), follows.locator("summary")
    assert bar.is_visible() and not code.is_visible() and not own_bar.is_visible()
    bar.click()
    code.wait_for(state="visible")
    assert not own_bar.is_visible()
    bar.click()
    code.wait_for(state="hidden")


def test_a_reader_points_at_a_number_with_the_mouse_the_keyboard_or_a_finger(chapter):
    page = chapter("02-convolution", viewport={"width": 390, "height": 900}, has_touch=True)
    figure = page.tab.locator("#figure-2-4")
    view, spoken = figure.locator('[data-part="view"]'), figure.locator('[data-part="result"]')
    output = view.locator("[data-grid]").nth(1)
    output.hover(position={"x": 5, "y": 5})
    assert "row 0, column 0" in view.locator("[data-said]").inner_text()
    view.focus()
    page.tab.keyboard.press("ArrowDown")
    assert "row 1, column 0" in view.locator("[data-said]").inner_text()
    assert spoken.text_content() == view.locator("[data-said]").inner_text()
    output.tap(position={"x": 5, "y": 5})
    assert "row 0, column 0" in spoken.text_content()
    assert figure.locator("[data-points]").nth(1).get_attribute("aria-valuetext") == "0"


def test_a_reader_edits_the_weights_of_a_kernel(chapter):
    page = chapter("02-convolution", viewport={"width": 390, "height": 900}, has_touch=True)
    figure = page.tab.locator("#figure-2-4")

    def numbers(panel: int) -> np.ndarray:
        texts = figure.locator("svg").nth(panel).locator("text").all_text_contents()
        side = round(len(texts) ** 0.5)
        return np.array([float(text) for text in texts]).reshape(side, side)

    def output() -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(numbers(0), (3, 3))
        return (windows * numbers(1)).sum((2, 3))

    before = numbers(3)
    field, refused = (
        figure.get_by_label("row 0, column 1", exact=True),
        figure.locator('[data-part="refused"]'),
    )
    field.tap()
    field.fill("5")
    assert numbers(1)[0, 1] == 5
    assert (numbers(3) == output()).all() and (numbers(3) != before).any()
    page.tab.keyboard.press("ArrowUp")
    assert field.input_value() == "6" and numbers(1)[0, 1] == 6 and (numbers(3) == output()).all()
    for wrong in ("1e99", ""):
        field.fill(wrong)
        assert numbers(1)[0, 1] == 6
        page.tab.keyboard.press("Tab")
        assert field.input_value() == "6" and refused.inner_text().endswith("row 0, column 1 stays 6.")
    page.tab.keyboard.press("-")  # focus is on the next field: a sign alone is no number yet
    page.tab.keyboard.press("3")
    assert page.run("document.activeElement.ariaLabel") == "row 0, column 2" and numbers(1)[0, 2] == -3
    figure.get_by_role("radio", name="Gabor").tap()
    assert figure.locator("input[type=number]").count() == 25 and numbers(1).shape == (5, 5)
    figure.get_by_role("radio", name="vertical edges").tap()
    assert (numbers(3) == before).all() and field.input_value() == "0"
    assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0 and page.errors == []


def test_a_network_learns_in_the_page_until_it_is_paused(chapter):
    page = chapter("11-learning", viewport={"width": 390, "height": 900})
    figure = page.tab.locator("#figure-11-6")
    said, start = figure.locator("[data-said]"), figure.locator('[data-act="start"]')
    begun = said.inner_text()
    start.focus()
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_function(
        "(begun) => document.querySelector('#figure-11-6 [data-said]').innerText !== begun", arg=begun
    )
    assert start.inner_text() == "pause"
    page.tab.keyboard.press("Enter")
    assert start.inner_text() == "start"
    assert figure.locator('[data-part="spoken"]').text_content() == said.inner_text()
    figure.get_by_role("radio", name="spirals").click()
    assert said.inner_text().startswith("After 0 updates")
    assert page.errors == []


@pytest.mark.parametrize("words", SEARCHES)
def test_a_search_finds_the_chapter(chapter, words):
    page = chapter(f"search.html?q={words.replace(' ', '+')}")
    page.tab.wait_for_function(
        "/finished|did not match/.test(document.querySelector('#search-results')?.textContent)"
    )
    found = page.run("[...document.querySelectorAll('#search-results a')].map((a) => a.getAttribute('href'))")
    assert any(SEARCHES[words] in address for address in found), found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(opened, theme):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe is not installed: pip install --group browser")
    opened.run("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    opened.run("() => Promise.all(document.getAnimations().map((each) => each.finished)).then(() => {})")
    found = Axe().run(opened.tab).response["violations"]
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]][:3]) for rule in found] == []
