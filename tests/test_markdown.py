"""HTML becomes Markdown without a change to a word."""

import pytest
from bs4 import BeautifulSoup

from include.crawlers.markdown import to_markdown


def convert(html: str) -> str:
    return to_markdown(BeautifulSoup(html, "lxml"))


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>One\n  two</p><p>three</p>", "One two\n\nthree"),
        ("loose <b>text</b><p>x</p>tail", "loose **text**\n\nx\n\ntail"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("<p>line<br>\n break</p>", "line\nbreak"),
        (
            "<p>it’s 2 * 3 &lt; 7 &amp; a_b — “so”; don't!</p>",
            "it’s 2 * 3 < 7 & a_b — “so”; don't!",
        ),
        ("<p>a&nbsp;b co&shy;operate</p>", "a\u00a0b cooperate"),
        ("<p><em> spaced </em>word <strong><em>both</em></strong></p>", "*spaced* word ***both***"),
        ("<p><i class='icon'></i>x <s>no</s> <q>yes</q></p>", "x ~~no~~ “yes”"),
        (
            "<p>see <a href='https://x.example'>this</a> <img src='a.png' alt='A chart'></p>",
            "see this",
        ),
        ("<p>ship it <img class='emoji' alt='🚢'></p>", "ship it 🚢"),
        ("<p>run <code>a  `b`</code> now</p>", "run `` a `b` `` now"),
        ("<h2>Two\nlines <a class='x' href='#a'>¶</a></h2>", "## Two lines"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n  - c"),
        ("<ol start='3'><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n\n- c"),
        ("<blockquote>a<p>b</p></blockquote>", "> a\n>\n> b"),
        ("<dl><dt>Term</dt><dd>What it means</dd></dl>", "Term\n\nWhat it means"),
        ("<figure><img alt='x'><figcaption>A rope.</figcaption></figure>", "A rope."),
        ("<p>a</p><hr><p>b</p>", "a\n\n---\n\nb"),
        (
            "<table><tr><th>a</th><th>b|c</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| a | b\\|c |\n| --- | --- |\n| 1 | 2 |",
        ),
        ("<script>x()</script><style>p{}</style><p>y<!-- no --></p>", "y"),
        ("<ul></ul><blockquote></blockquote><table></table><pre> </pre><h2></h2>", ""),
    ],
)
def test_each_element_has_its_form(html, markdown):
    assert convert(html) == markdown


CODE = "def f(x):\n\n\n\treturn  x   # a * b < c & d\n    "


@pytest.mark.parametrize(
    "html",
    [
        "<pre><code class='language-python'>{}</code></pre>",
        "<pre class='brush: python'>{}</pre>",
        "<div class='highlight-source-python'><pre>{}</pre></div>",
        "<div class='highlight' data-lang='python'><div><pre>\n{}</pre></div></div>",
        "<pre><code data-lang='python'><button>Copy</button>{}\n</code></pre>",
        "<table class='highlight language-python'><tr><td class='lineno'><pre>1\n2</pre></td><td class='code'>"
        "<pre data-lang='python'>{}</pre></td></tr></table>",
    ],
)
def test_code_comes_through_byte_for_byte_with_its_language(html):
    escaped = CODE.replace("&", "&amp;").replace("<", "&lt;")

    assert convert(html.format(escaped)) == f"```python\n{CODE}\n```"


def test_code_whose_lines_are_elements_keeps_its_lines():
    assert convert("<pre><div>a</div><div></div><div>  b</div></pre>") == "```\na\n\n  b\n```"
    assert convert("<pre>a<br>  b</pre>") == "```\na\n  b\n```"


def test_code_in_a_list_stands_at_the_margin_so_that_its_bytes_stay():
    html = "<ol><li>Do:<pre>a\n  b</pre>then</li><li>Done</li></ol>"

    assert convert(html) == "1. Do:\n\n```\na\n  b\n```\n\n   then\n\n2. Done"


def test_code_that_holds_a_fence_gets_another_fence():
    assert convert("<pre>```\nx\n```</pre>") == "~~~\n```\nx\n```\n~~~"
