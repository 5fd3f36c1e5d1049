"""What is mended in finished pages."""

from tools.finished_pages import mend

ICONS = '<script defer src="../_static/scripts/fontawesome.js?digest=5"></script>'
SEARCH = '<script src="_static/searchtools.js"></script>\n<script src="searchindex.js"></script>'
OTHERS = '<script src="_static/doctools.js?v=9"></script>'


def test_scripts_that_a_page_does_not_use_are_not_loaded():
    page = f"<head>\n{ICONS}\n{OTHERS}\n{SEARCH}</head>"
    assert mend(page) == f"<head>\n{OTHERS}</head>"
    assert mend(page, searches=True) == f"<head>\n{OTHERS}\n{SEARCH}</head>"


def test_the_side_bar_is_a_landmark_and_its_buttons_have_names():
    button = '<summary><span class="toctree-toggle"></span></summary>'
    page = f'<div id="pst-primary-sidebar" class="a">{button}</div>'
    assert mend(page) == (
        '<div id="pst-primary-sidebar" role="region" aria-label="The book" class="a">'
        '<summary aria-label="Subpages"><span class="toctree-toggle"></span></summary></div>'
    )


def test_pages_that_an_earlier_build_left_stay_as_they_are():
    """Pages of source code are written anew only where the source changed, and mended after every build."""
    page = '<div id="pst-primary-sidebar" class="a"><summary><span class="toctree-toggle"></span></summary>'
    page += '<th class="head"><p></p></th><dl>\n<dd><em class="sig-param">x</em></dd>\n</dl>'
    assert mend(mend(page)) == mend(page) != page


def test_an_empty_corner_of_a_table_is_no_heading():
    page = '<tr><th class="head"><p></p></th><th class="head"><p>error</p></th></tr>'
    assert mend(page) == '<tr><td></td><th class="head"><p>error</p></th></tr>'


def test_works_cited_are_items_of_their_list():
    page = '<div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">x</div></div>'
    assert mend(page) == page.replace("doc-biblioentry", "listitem")


def test_parameters_of_a_signature_are_lines_and_other_lists_stay():
    page = '<dl>\n<dd><em class="sig-param">x</em>, </dd>\n<dd><em class="sig-param">y</em></dd>\n</dl>'
    assert mend(page).count('<span class="sig-line"><em class="sig-param">') == 2 and "<d" not in mend(page)
    described = "<dl>\n<dt>x</dt>\n<dd>number</dd>\n</dl>"
    assert mend(described) == described
