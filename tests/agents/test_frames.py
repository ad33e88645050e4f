"""What goes over the pipe between a standby and the process that keeps its snapshot."""

import io

import pytest

from agents.frames import Kind, read_frame, write_frame


def pipe(*frames) -> io.BytesIO:
    stream = io.BytesIO()
    for frame in frames:
        write_frame(stream, *frame)
    stream.seek(0)
    return stream


def test_frames_come_out_as_they_went_in():
    frames = [(Kind.SHARD, b"one"), (Kind.SHARD, b""), (Kind.META, b"m" * 100_000)]
    stream = pipe(*frames)
    assert [read_frame(stream) for _ in frames] == frames
    assert read_frame(stream) is None


@pytest.mark.parametrize("left", [1, 5, 7])
def test_a_pipe_that_breaks_in_the_middle_of_a_frame_has_ended(left):
    stream = io.BytesIO(pipe((Kind.META, b"meta")).getvalue()[:left])
    assert read_frame(stream) is None
