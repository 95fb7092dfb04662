"""From places on disk to a folder that is ready to train on: the list of books, the tokenizer and the ids, cached by content.

The second time, only the fingerprints of the same files are read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from paznja.cache import CACHE_BYTES, default_cache, store_in, trim_cache, using
from paznja.config import ReadingConfig
from paznja.corpus.corpus import read_corpus
from paznja.corpus.finding import file_fingerprints, find_files
from paznja.corpus.ledger import check_rules
from paznja.corpus.shelf import refuse
from paznja.corpus.store import READING_VERSION
from paznja.disk import put_in_place, remove_known, writing_to
from paznja.prepared import Prepared, find_prepared, is_prepared, is_prepared_file, read_prepared, write_prepared

PREPARING_VERSION = 2
"""The version of what the cache holds; raise it whenever the same files give different data than before."""


def prepare(
    places: Iterable[Path],
    *,
    held_out: Iterable[Path] | None = None,
    tokenizer: str = "characters",
    config: ReadingConfig | None = None,
    cache: Path | None = None,
    strict: bool = False,
    on_read: Callable[[int, int, Path], None] | None = None,
) -> Prepared:
    """Read the books at these places, or find them in the cache; calls `on_read(done, total, file)` after each file.

    Raises NoBooks if there is nothing, or too little, to learn from or, if `strict`, if a file cannot be read; TrainingFailed
    if the cache cannot be written to.
    """
    places = [Path(place) for place in places]
    held_out = None if held_out is None else [Path(place) for place in held_out]
    cache = cache or default_cache()
    config = config or ReadingConfig()
    check_rules(config.without)
    files = describe_files(places, held_out)
    fingerprint = _fingerprint(files, tokenizer, config, chosen=held_out is not None)
    folder = cache / fingerprint
    making = cache / f".{fingerprint}.{os.getpid()}.new"
    with using(cache):
        prepared = find_prepared(folder)
        if prepared is not None:
            if strict:
                refuse(prepared.unreadable)
            return prepared
        try:
            with writing_to(cache, "--cache"):
                store = store_in(cache)
                corpus = read_corpus(places, held_out=held_out, config=config, store=store, strict=strict, on_read=on_read)
                passing = [[bad.path.name, bad.reason] for bad in corpus.unreadable if bad.passing]
                if passing:  # under another name, so that these files are tried again next time
                    fingerprint = _hash([fingerprint, passing])
                    folder = cache / fingerprint
                remove_known(making, is_prepared_file)
                making.mkdir(mode=0o700)
                write_prepared(making, corpus, tokenizer, fingerprint, files)
                put_in_place(
                    making,
                    folder,
                    "--cache",
                    is_whole=lambda: find_prepared(folder) is not None,
                    is_own=is_prepared,
                    is_known=is_prepared_file,
                )
        finally:
            remove_known(making, is_prepared_file)
        trim_cache(cache, CACHE_BYTES, keep=folder)
        return read_prepared(folder, cached=False)


def describe_files(places: Iterable[Path], held_out: Iterable[Path] | None) -> tuple[tuple[str, str, str], ...]:
    """(name, SHA-256, "held out" or "") of every file that would be read, in order; NoBooks if a place does not exist."""
    apart = find_files(list(held_out or ()))
    apart_paths = {path.resolve() for path in apart}
    files = {path.resolve(): path for path in [*find_files(list(places)), *apart]}
    described = [(path.name, sha256, path.resolve() in apart_paths) for path, sha256 in file_fingerprints(files.values())]
    return tuple((name, sha256, "held out" if is_apart else "") for name, sha256, is_apart in sorted(described))


def _fingerprint(files: tuple[tuple[str, str, str], ...], tokenizer: str, config: ReadingConfig, *, chosen: bool) -> str:
    """A name for what `prepare` returns, from the files' contents and names; it does not depend on where they are."""
    whole = [PREPARING_VERSION, READING_VERSION, tokenizer, config.script, sorted(config.without), chosen, files]
    return _hash(whole)


def _hash(whole: list[Any]) -> str:
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogateescape")).hexdigest()[:32]
