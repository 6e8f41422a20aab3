"""A small fixed probe of general ability: what a model knew before it learned a voice, it should still know."""

from ml.types import Message

# Plain questions with plain answers. Never change one: scores of different models would no longer pair up.
_PROBE = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How many days are in a week?", "There are seven days in a week."),
    ("What is two plus two?", "Two plus two is four."),
    ("What colour is a clear sky at noon?", "A clear sky at noon is blue."),
    ("At what temperature does water boil at sea level?", "Water boils at 100 degrees Celsius."),
    ("What does a thermometer measure?", "A thermometer measures temperature."),
    ("Name the first three letters of the alphabet.", "The first three letters are a, b and c."),
    ("What is the opposite of hot?", "The opposite of hot is cold."),
    ("Which planet do we live on?", "We live on the planet Earth."),
    ("What do bees make?", "Bees make honey."),
    ("How many months has a year?", "A year has twelve months."),
    ("What is ice made of?", "Ice is made of frozen water."),
    ("What does a Python list hold?", "A Python list holds values in order."),
    ("What does the len function return?", "The len function returns the number of items."),
    ("What is a file?", "A file is a named collection of data that is kept on a disk."),
    ("What does a comment in code do?", "A comment explains the code to people who read it."),
    ("What is the result of 10 minus 3?", "The result of 10 minus 3 is 7."),
    ("Which animal barks?", "A dog barks."),
    ("What is the past tense of go?", "The past tense of go is went."),
    ("What is the plural of child?", "The plural of child is children."),
    ("What do plants need to grow?", "Plants need light, water and air to grow."),
    ("What is a loop in a program?", "A loop repeats a part of a program."),
    ("In which direction does the sun rise?", "The sun rises in the east."),
    ("What is a list of ingredients and steps called?", "It is called a recipe."),
)  # fmt: skip


def probe_conversations() -> list[tuple[Message, ...]]:
    """Return the probe as conversations whose last message is the right answer."""
    return [(Message("user", asked), Message("assistant", said)) for asked, said in _PROBE]
