"""Settings inside Airflow: the platform's own, with the Airflow connections that people manage laid over them."""

from urllib.parse import urlencode, urlsplit

from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import SecretStr

from include.settings import Settings, load_settings


def platform_settings() -> Settings:
    """Load the settings and let `mongo_default` and `weaviate_default` override them where they exist."""
    settings = load_settings()
    return settings.model_copy(update={**_mongo(), **_weaviate(settings)})


def _mongo() -> dict[str, object]:
    from airflow.providers.mongo.hooks.mongo import MongoHook

    try:
        hook = MongoHook("mongo_default")
    except AirflowNotFoundException:
        return {}
    # The hook keeps the options (authSource, tls, replicaSet …) for a client that it makes itself.
    options = {k: str(v).lower() if isinstance(v, bool) else v for k, v in hook.extras.items()}
    if hook.allow_insecure:
        options |= {"tls": "true", "tlsAllowInvalidCertificates": "true"}
    if not options:
        return {"mongo_url": hook.uri}
    slash = "" if urlsplit(hook.uri).path else "/"
    return {"mongo_url": f"{hook.uri}{slash}?{urlencode(options)}"}


def _weaviate(settings: Settings) -> dict[str, object]:
    """Read the server's address, and the key and gRPC port where the provider's own hook looks for them."""
    from airflow.sdk import Connection

    try:
        connection = Connection.get("weaviate_default")
    except AirflowNotFoundException:
        return {}
    changes: dict[str, object] = {
        "vectors_url": f"weaviate://{connection.host}:{connection.port or 8080}"
    }
    extra = connection.extra_dejson
    if key := extra.get("api_key") or extra.get("token"):
        changes["vectors_api_key"] = SecretStr(key)
    if port := extra.get("grpc_port"):
        changes["weaviate_grpc_port"] = int(port) - settings.port_offset
    return changes
