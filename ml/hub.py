"""The door to the Hugging Face hub: what is fetched of a repository, and in words why it could not be had.

Which hub, as whom, and whether at all, is told by the client's own variables: HF_ENDPOINT (a mirror),
HF_TOKEN, HF_HUB_OFFLINE, HF_HOME (what was fetched is kept there). Pickles are never asked for.
"""

import logging
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

from ml.files import sha256

log = logging.getLogger(__name__)

# What the client calls a large file in its cache.
SHA256 = re.compile(r"[0-9a-f]{64}")
# The names under which transformers looks for weights; some repositories hold them a second time in another form.
WEIGHTS = ("model.safetensors", "model-*.safetensors")
# What a download may bring: weights, configuration, tokenizer.
WANTED = (*WEIGHTS, "*.json", "*.jinja", "*.model", "*.txt")


def fetch(name: str, commit: str, role: str, advice: str) -> Path:
    """Return the folder of a repository, as it is now or was at a commit; what is not here yet is downloaded.

    OSError says what `role` the model was to have, why it could not be had, and gives the `advice`.
    """
    from httpx2 import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():  # bars are for people
        disable_progress_bars()
    before = kept(name, commit)
    if before is None:
        log.info("getting the %s %s from the hub", role, name)
    try:
        folder = snapshot_download(name, revision=commit or None, allow_patterns=list(WANTED))
    except (ValueError, HTTPError, OSError) as error:
        raise OSError(
            f"The {role} {name!r} is no folder here and could not be had from the hub: {_why(error)}. {advice}"
        ) from None
    if not _has_weights(Path(folder)):
        raise FileNotFoundError(
            f"The {role} {name!r} has no *.safetensors on the hub (pickles are refused). {advice}"
        )
    if Path(folder) != before:
        _refuse_damaged(Path(folder))
    return Path(folder)


def kept(name: str, commit: str = "") -> Path | None:
    """Return the folder of a repository of which everything wanted is here; nobody is asked."""
    from huggingface_hub import snapshot_download

    wanted, version = list(WANTED), commit or None
    try:
        found = snapshot_download(
            name, revision=version, allow_patterns=wanted, local_files_only=True
        )
    except (ValueError, OSError):  # no name of a repository; not here, or not all of it
        return None
    return Path(found) if _has_weights(Path(found)) else None


def weights_size(name: str, commit: str = "") -> int:
    """Ask the hub how many bytes of weights a repository has; 0 where it does not say."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    try:
        told = HfApi().model_info(name, revision=commit or None, files_metadata=True).siblings
    except (ValueError, HTTPError, OSError):  # whoever fetches it next is told why
        return 0
    files = [(f.rfilename, f.size or 0) for f in told or ()]
    return sum(size for file, size in files if any(fnmatch(file, w) for w in WEIGHTS))


def commit_of(folder: Path) -> str:
    """Return which commit of its repository a folder of the hub's cache holds; empty for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else ""


def model_name(folder: str) -> str:
    """Return what people call a model: the last part of its name, in the hub's cache of its repository's."""
    place = Path(folder)
    # models--Qwen--Qwen3-0.6B/snapshots/<commit>
    return place.parent.parent.name.split("--", 2)[-1] if commit_of(place) else place.name


def _refuse_damaged(folder: Path) -> None:
    """Throw away a large file that does not hash to its name: the client names it so, and counts its bytes only."""
    for file in folder.iterdir():
        blob = file.resolve()
        if SHA256.fullmatch(blob.name) and sha256(blob) != blob.name:
            file.unlink()
            blob.unlink()
            raise OSError(
                f"{file.name} in {folder} is damaged: it is not what the hub promised. It is thrown away, so try again."
            )


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in WEIGHTS)


def _why(error: Exception) -> str:
    """Say why a download failed. The client's own words name addresses, which may hold what is nobody's business."""
    from huggingface_hub import errors

    known = {
        errors.HFValidationError: "that is no name of a repository",
        errors.GatedRepoError: "it is gated: accept its licence there, and set HF_TOKEN to a token of that account",
        errors.RepositoryNotFoundError: "there is no such repository, or it is private and HF_TOKEN does not open it",
        errors.RevisionNotFoundError: "that commit of it is not there any more",
        errors.LocalEntryNotFoundError: _absent(error.__cause__ or error),
        errors.HfHubHTTPError: _answered(error),
        ValueError: "what answers there is no hub; see HF_ENDPOINT",
        OSError: getattr(error, "strerror", "")
        or "a file came in another size than was promised, so try again",
    }
    lost = f"the connection failed ({type(error).__name__}); files that came whole are kept, so try again"
    return next((words for kind, words in known.items() if isinstance(error, kind)), lost)


def _absent(cause: BaseException) -> str:
    """Say why nobody could be asked for what is not here."""
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        return "HF_HUB_OFFLINE forbids downloads, and not all of it is here"
    said = _answered(cause) or f"it does not answer ({type(cause).__name__})"
    return f"{said}, and not all of the model is here"


def _answered(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if response is None:
        return ""
    refused = ", so HF_TOKEN is no good there" if response.status_code == 401 else ""
    return f"it answered {response.status_code}{refused}"
