from tools.roles_page import PAGE, contract, written


def test_the_page_shows_the_table_that_decides() -> None:
    page = PAGE.read_text()
    assert written(page, contract()) == page, "run: python -m tools.roles_page"
    assert page.count("\n| `") > 30
