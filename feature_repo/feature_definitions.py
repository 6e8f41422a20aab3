"""The features of a document and of an author: the measures of `ml/style.py`, rates per 1,000 words.

Every column is declared, so that nothing is guessed from files that may not exist yet. A feature
keeps its value until a newer one is measured: the views know no age at which one expires.
"""

from entities import author, document
from feast import FeatureService, FeatureView, Field, FileSource
from feast.types import Array, Float64, Int64, String

# What the first models know; what these names mean never changes.
FIRST_MEASURES = [
    Field(name="sentence_words", dtype=Float64),
    Field(name="word_characters", dtype=Float64),
    Field(name="vocabulary_richness", dtype=Float64, description="Moving type-token ratio."),
    Field(name="readability", dtype=Float64, description="Flesch reading ease."),
    Field(name="semicolon_rate", dtype=Float64),
    Field(name="exclamation_rate", dtype=Float64),
    Field(name="question_rate", dtype=Float64),
    Field(name="comma_rate", dtype=Float64),
    Field(name="function_word_rate", dtype=Float64),
    Field(name="code_share", dtype=Float64),
]
MORE_MEASURES = [
    Field(name="sentence_words_spread", dtype=Float64, description="Standard deviation."),
    Field(name="readability_grade", dtype=Float64, description="ARI, in years of school."),
    Field(name="question_share", dtype=Float64, description="Share of sentences."),
    Field(name="exclamation_share", dtype=Float64, description="Share of sentences."),
    Field(name="mtld", dtype=Float64, description="Richness whatever the length."),
    Field(name="yules_k", dtype=Float64, description="Repetition whatever the length."),
    Field(name="determiner_rate", dtype=Float64),
    Field(name="preposition_rate", dtype=Float64),
    Field(name="conjunction_rate", dtype=Float64),
    Field(name="auxiliary_rate", dtype=Float64),
    Field(name="negation_rate", dtype=Float64),
    Field(name="hedge_rate", dtype=Float64),
    Field(name="intensifier_rate", dtype=Float64),
    Field(name="first_person_rate", dtype=Float64),
    Field(name="first_person_plural_rate", dtype=Float64),
    Field(name="second_person_rate", dtype=Float64),
    Field(name="contraction_rate", dtype=Float64),
    Field(name="colon_rate", dtype=Float64),
    Field(name="dash_rate", dtype=Float64),
    Field(name="parenthesis_rate", dtype=Float64),
    Field(name="quotation_rate", dtype=Float64),
    Field(name="ellipsis_rate", dtype=Float64),
    Field(name="paragraph_words", dtype=Float64),
    Field(name="list_share", dtype=Float64, description="Share of lines."),
    Field(name="heading_share", dtype=Float64, description="Share of lines."),
]
FIRST_OF_DOCUMENT = [
    Field(name="written_by", dtype=String, description="The author's id."),
    Field(name="words", dtype=Int64),
    *FIRST_MEASURES,
    Field(name="kind_bucket", dtype=Int64, description="Hashed kind of document."),
]
FIRST_OF_AUTHOR = [
    Field(name="documents", dtype=Int64, description="Documents that the means are over."),
    Field(name="words", dtype=Float64),
    *FIRST_MEASURES,
]

document_style = FeatureView(
    name="document_style",
    entities=[document],
    schema=[
        Field(name="document_id", dtype=String),
        *FIRST_OF_DOCUMENT,
        *MORE_MEASURES,
        Field(name="topic", dtype=String, description="Its most telling word."),
        Field(name="host_bucket", dtype=Int64, description="Hashed host of its address."),
        Field(name="language_bucket", dtype=Int64, description="Hashed language."),
        Field(name="topic_bucket", dtype=Int64, description="Hashed topic."),
        Field(name="heading_buckets", dtype=Array(Int64), description="Hashed heading words."),
        Field(name="age_days", dtype=Float64, description="From publication to measurement."),
        Field(name="days_since_former", dtype=Float64, description="Since the author's last."),
    ],
    source=FileSource(
        name="document_style_history",
        path="../data/document_style.parquet",
        timestamp_field="event_timestamp",
    ),
    description="How one document is written, at every time at which it was measured.",
)

author_style = FeatureView(
    name="author_style",
    entities=[author],
    schema=[Field(name="author", dtype=String), *FIRST_OF_AUTHOR, *MORE_MEASURES],
    source=FileSource(
        name="author_style_history",
        path="../data/author_style.parquet",
        timestamp_field="event_timestamp",
    ),
    description="How an author writes: means over the documents that were there at that time.",
)

# A model version names the service that it was trained with: a change that matters is a new service,
# and the former ones stay, so that an older model still gets its own features after a rollback.
twin_v1 = FeatureService(
    name="twin_v1",
    features=[
        document_style[[field.name for field in FIRST_OF_DOCUMENT]],
        author_style[[field.name for field in FIRST_OF_AUTHOR]],
    ],
    description="What the first twins know of a document and of its author.",
)
twin_v2 = FeatureService(
    name="twin_v2",
    features=[document_style, author_style],
    description="All measures: style, topic, age and hashed sorts.",
)
