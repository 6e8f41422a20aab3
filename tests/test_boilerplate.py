"""What a host repeats is learned from all its pages at once, and goes; what an author repeats under a heading stays."""

import random

from builders import PARAGRAPH, document
from own_texts import WORDS, prose

from ml.boilerplate import NOTHING, learn_boilerplate, split_comments
from ml.text import clean
from ml.types import Document

BOX = (
    "SubscribeSign in\n\nShare this post\n\n#### Number {n}\n\nCopy link\n\nOther\n\n# Number {n}\n\n"
    "Maren Oduya\n\nJun {n}, 2024\n\n{n}\n\nSubscribe to my newsletter today!"
)
FOOT = "© 2024 Maren Oduya\n\nSubstack is the home for great culture\n\nShare"
FLAT_HEAD = (
    "Open in app Sign up Sign in Write Sign up Sign in Number {n} Maren Oduya · Follow "
    "· {n} min read Listen Share "
)
FLAT_FOOT = (
    " Sign up to discover human stories that deepen your understanding of the world. Free. "
    "Number {n} and other cards. To make this work we log user data; by using it you agree to all of it."
)


def page(number: int, text: str = "", host: str = "b.example") -> Document:
    body = text or f"{BOX}\n\n{prose(number)}\n\n## Conclusion\n\n{prose(99 + number)}\n\n{FOOT}"
    return document(
        body.format(n=number), url=f"https://{host}/{number}/", title=f"Number {number}"
    )


def flat(number: int) -> Document:
    return page(number, FLAT_HEAD + unlike_any(number) + FLAT_FOOT, "flat.example")


def unlike_any(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=200)) + "."


def cleaned(pages: list[Document], number: int) -> str:
    learned = learn_boilerplate(pages)
    return clean(pages[number], learned[pages[number].url.split("/")[2]]).text


def test_the_boxes_around_an_article_go_and_nothing_else_does():
    text = cleaned([page(n) for n in range(6)], 3)

    assert text == f"{prose(3)}\n\n## Conclusion\n\n{prose(102)}\n"


def test_a_page_without_line_breaks_is_freed_of_its_boxes_too():
    text = cleaned([flat(n) for n in range(6)], 3)

    assert text.strip() == unlike_any(3)


def test_the_order_of_arrival_does_not_matter():
    pages = [page(n) for n in range(6)] + [flat(n) for n in range(6)]
    marks = {h: b.mark for h, b in learn_boilerplate(pages).items()}
    random.Random(1).shuffle(pages)

    assert {h: b.mark for h, b in learn_boilerplate(pages).items()} == marks
    assert NOTHING.mark not in marks.values()


def test_what_few_pages_share_is_not_boilerplate():
    shared = [page(n, f"{prose(n)}\n\nA line that some pages share.") for n in range(3)]
    rest = [page(n, prose(n)) for n in range(3, 12)]

    assert "some pages share" in cleaned([*shared, *rest], 0)


def test_a_line_of_code_is_no_boilerplate():
    body = f"{PARAGRAPH * 3}\n\n```python\nfrom harbour import rope, tide, mast\n```\n\nPage "
    pages = [page(n, body + str(n)) for n in range(6)]

    assert "from harbour import" in cleaned(pages, 2)


def test_other_kinds_and_other_hosts_teach_nothing():
    posts = [document(BOX, kind="post", url=f"https://b.example/{n}") for n in range(6)]
    apart = [page(n, host=f"{n}.example") for n in range(6)]

    assert {b.mark for b in learn_boilerplate([*posts, *apart]).values()} == {NOTHING.mark}


def test_comments_are_split_off_where_they_are_announced():
    article, rest = split_comments(
        f"{PARAGRAPH * 9}\n\n#### Discussion about this post\n\nA reader wrote."
    )

    assert (article.strip(), rest.strip()) == ((PARAGRAPH * 9).strip(), "A reader wrote.")


def test_a_chapter_on_comments_is_the_authors():
    text = f"# On comments\n\n{PARAGRAPH}\n\n## Comments\n\nWrite few of them.\n\n## Discussion\n\n{PARAGRAPH}"

    assert split_comments(text) == (text, "")
