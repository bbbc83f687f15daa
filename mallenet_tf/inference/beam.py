"""Denoises files on many machines, as an Apache Beam pipeline: `denoise --beam`."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shlex
import shutil
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from mallenet_tf.common.errors import UserError, optional_module, user_input
from mallenet_tf.common.startup import start_keras
from mallenet_tf.image_io.file_kinds import VIDEO_SUFFIXES, is_video_file, suffix_kind
from mallenet_tf.image_io.formats import IMAGE_SUFFIXES, result_path
from mallenet_tf.image_io.video_writer import video_result_path
from mallenet_tf.inference.batch import denoise_file, print_summary
from mallenet_tf.inference.batch_plan import Job
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import Outcome, summarize

_MAGIC = re.compile(r"[*?\[]")
_REPORT = "report.json"
# A process denoises one file at a time, since TensorFlow uses all cores for it.
_one_at_a_time = threading.Lock()


def denoise_on_beam(inputs: Sequence[str], output: str, options: Options, pipeline: str) -> int:
    """Denoises files as `batch.denoise_files` does, on the workers of a Beam runner.

    Each result is written under another name and renamed. One that exists is skipped, so that the
    same command continues a run that failed. `report.json` in the output folder has the counts, and
    the files that failed, were damaged or lost something.

    Args:
        inputs: Files, file patterns and folders, in any of Beam's file systems.
        output: A folder in one of them.
        options: What is done to each file.
        pipeline: Options of the pipeline, as on a command line.

    Returns:
        Exit status, as `denoise_files`.

    Raises:
        UserError: If apache-beam is not installed, an option does not fit, or nothing matches.
    """
    beam: Any = optional_module("apache_beam", "apache-beam>=2.70", "beam")
    options.refuse("--beam", "video", "frame_rate", "temporal_profile", "keep_times")
    settings = beam.options.pipeline_options.PipelineOptions(shlex.split(pipeline))
    output = _absolute(output)
    work = _Work(output, f"{output}/.mallenet-{uuid.uuid4().hex}", replace(options, json=True))
    if options.weights is not None:
        start_keras()
    Networks(options, video=False)  # Mistakes show before any worker starts.
    graph = beam.Pipeline(options=settings)  # Tells the file systems of the options.
    with user_input():
        patterns = [_pattern(text, options.recursive) for text in inputs]
        files = _file_systems()
        for pattern in patterns:
            if not files.match([pattern], limits=[1])[0].metadata_list:
                raise UserError(f"No such files. Received: {pattern!r}")
    found = graph | beam.Create(patterns) | "Find" >> beam.FlatMap(work.find)
    others = found | "Others" >> beam.Filter(lambda pair: not pair[0]) | beam.Map(_not_read)
    images = found | "Files" >> beam.Filter(lambda pair: pair[0]) | beam.GroupByKey()
    done = images | "Denoise" >> beam.Map(work.denoise)
    total = (done, others) | beam.Flatten() | beam.CombineGlobally(_merge)
    total | "Report" >> beam.Map(work.write_report)
    try:
        graph.run().wait_until_finish()
    finally:
        if files.exists(work.partial):
            files.delete([work.partial])
    with files.open(f"{output}/{_REPORT}") as file:
        summary = json.load(file)
    return print_summary(summary, options)


def _file_systems() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def _absolute(path: str) -> str:
    return path.rstrip("/") if "://" in path else os.path.abspath(os.path.expanduser(path))


def _pattern(text: str, recursive: bool) -> str:
    path = _absolute(text)
    if text.endswith("/") or os.path.isdir(path):
        return f"{path}/{'**' if recursive else '*'}"
    return path


@functools.lru_cache(maxsize=1)
def _networks(options: Options) -> Networks:
    """Loads the networks once in the process of a worker."""
    start_keras()
    return Networks(options, video=False)


def _not_read(found: tuple[str, str]) -> dict[str, Any]:
    return summarize([], {suffix_kind(Path(found[1])) or "unknown": 1}, 0.0)


def _merge(summaries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Adds summaries; of the files those stay of which there is something to say."""
    total = summarize([], {}, 0.0)
    for summary in summaries:
        for name, value in summary.items():
            if name == "not_read":
                total[name] = dict(Counter(total[name]) + Counter(value))
            elif name == "files":
                told = ("error", "damage", "warnings")
                total[name] += [file for file in value if any(file[key] for key in told)]
            else:
                total[name] += value
    return total


@dataclass(frozen=True)
class _Work:
    """What a worker does; files that are not whole are in a folder of their own, `partial`."""

    output: str
    partial: str
    options: Options

    def find(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Yields where the result of each file goes, "" for files that are not read, and it."""
        folder = _MAGIC.split(pattern)[0].rpartition("/")[0] + "/"
        videos = is_video_file(pattern)
        files = _file_systems()
        (match,) = files.match([pattern])
        for source in (found.path for found in match.metadata_list):
            place = Path(source.removeprefix(folder))
            if source.startswith(f"{self.output}/") or any(p.startswith(".") for p in place.parts):
                continue
            if place.suffix.lower() not in (VIDEO_SUFFIXES if videos else IMAGE_SUFFIXES):
                yield "", source
                continue
            place = video_result_path(place) if videos else result_path(place)
            yield f"{self.output}/{place.as_posix()}", source

    def denoise(self, found: tuple[str, Iterable[str]]) -> dict[str, Any]:
        """Denoises the file of a result, unless it exists; returns its part of the summary."""
        target, sources = found[0], sorted(set(found[1]))
        names = Job(Path(sources[0]), Path(target))  # Of files elsewhere, for messages alone.
        if len(sources) > 1:
            outcome = Outcome(names, error=f"Two inputs would be written to one file: {sources}")
        elif not self.options.overwrite and _file_systems().exists(target):
            outcome = Outcome(names, skipped=True)
        else:
            with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
                outcome = self._denoise_copy(sources[0], target, Path(folder))
        summary = summarize([outcome], {}, outcome.seconds)
        summary["files"][0] |= {"source": sources[0], "target": target}
        return summary

    def _denoise_copy(self, source: str, target: str, folder: Path) -> Outcome:
        """Denoises a copy of a file in a local folder; a failure is an outcome."""
        copy, results = folder / "in" / Path(source).name, folder / "out"
        job = Job(copy, results / Path(target).name, video=is_video_file(source))
        copy.parent.mkdir()
        try:
            with _file_systems().open(source) as remote, copy.open("wb") as local:
                shutil.copyfileobj(remote, local)
            outcome = denoise_file(job, _networks(self.options), self.options)
            if not outcome.error:
                written = sorted(results.iterdir(), key=lambda path: path == job.target)
                for path in written:  # The result is last: one that exists is whole.
                    with path.open("rb") as content:
                        self._put(content, f"{target.rpartition('/')[0]}/{path.name}")
        except (UserError, OSError) as error:
            return Outcome(job, error=str(error))
        reason = outcome.error and outcome.error.replace(str(copy), source)
        return replace(outcome, error=reason)

    def write_report(self, summary: dict[str, Any]) -> None:
        """Writes the summary of the run."""
        self._put(io.BytesIO(json.dumps(summary, indent=2).encode()), f"{self.output}/{_REPORT}")

    def _put(self, content: BinaryIO, target: str) -> None:
        files, partial = _file_systems(), f"{self.partial}/{uuid.uuid4().hex}"
        for folder in (self.partial, target.rpartition("/")[0]):
            try:
                files.exists(folder) or files.mkdirs(folder)
            except OSError:
                if not files.exists(folder):  # Another worker may have been faster.
                    raise
        with files.create(partial) as remote:
            shutil.copyfileobj(content, remote)
        files.rename([partial], [target])
