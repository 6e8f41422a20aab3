"""Ask the endpoint from a terminal: `python -m serving.ask "a question"`."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from openai import APIConnectionError, APIStatusError, DefaultHttpxClient, OpenAI
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape

from include.keys import api_key
from include.settings import Settings, load_settings


def ask(settings: Settings, question: str, console: Console) -> int:
    """Print the answer and its sources; returns an exit status."""
    url = settings.endpoint()
    # A proxy of the environment must not stand between this machine and itself.
    http = DefaultHttpxClient(trust_env=False)
    client = OpenAI(
        base_url=f"{url}/v1",
        api_key=api_key(settings),
        max_retries=1,
        timeout=120,
        http_client=http,
    )
    try:
        answer = client.chat.completions.create(
            model="twin", messages=[{"role": "user", "content": question}]
        )
    except APIConnectionError:
        console.print(f"[red]Nothing answers at {url}. Start the platform with `make up`.[/red]")
        return 1
    except APIStatusError as error:
        said = error.body.get("message") if isinstance(error.body, dict) else None
        console.print(f"[red]{escape(str(said or error.message))}[/red]")
        return 1
    console.print(Markdown(answer.choices[0].message.content or ""))
    for line in name_documents((answer.model_extra or {}).get("sources", [])):
        console.print(line)
    console.print(f"[dim]{answer.model}[/dim]")
    return 0


def name_documents(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Write a line for each document, with the numbers of its passages before it and its link behind."""
    numbers: dict[tuple[str, str], str] = {}
    for source in sources:
        document = escape(source["title"]), escape(source["url"])
        numbers[document] = numbers.get(document, "") + f"[{source['number']}]"
    return [f"{n} {title}  [blue]{link}[/blue]" for (title, link), n in numbers.items()]


if __name__ == "__main__":
    words = " ".join(sys.argv[1:]).strip()
    if not words:
        sys.stderr.write('Ask something: make ask Q="What do you think about backups?"\n')
        sys.exit(2)
    sys.exit(ask(load_settings(), words, Console()))
