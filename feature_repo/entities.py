"""Who and what has features: a document, and the author who wrote it."""

from feast import Entity, ValueType

document = Entity(
    name="document",
    join_keys=["document_id"],
    value_type=ValueType.STRING,
    description="One text of one author; the id is the hash of its canonical URL.",
)

author = Entity(
    name="author",
    join_keys=["author"],
    value_type=ValueType.STRING,
    description="A person whose voice may be learned; the id of the sources file.",
)
