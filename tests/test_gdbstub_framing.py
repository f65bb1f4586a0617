"""Packets on the line: checksums, escapes, run lengths, and whatever else may come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xemu.gdbstub import framing
from xemu.gdbstub.framing import Decoder, Kind, Piece, decode, encode


def pieces(data: bytes, *, cut: int = 0) -> list[Piece]:
    decoder = Decoder()
    if not cut:
        return list(decoder.feed(data))
    return [piece for at in range(0, len(data), cut) for piece in decoder.feed(data[at:at + cut])]


@pytest.mark.parametrize(("data", "line"), [
    (b"OK", b"$OK#9a"),
    (b"", b"$#00"),
    (b"}$#*", b"$}]}\x04}\x03}\n#62"),
    (b"0000", b"$0* #7a"),                       # a zero and three more: the manual's example
])
def test_a_packet_is_framed(data: bytes, line: bytes) -> None:
    assert encode(data) == line
    assert pieces(line) == [Piece(Kind.PACKET, data)]


@pytest.mark.parametrize("length", [*range(1, 140), 1000])
def test_run_lengths_never_look_like_something_else(length: int) -> None:
    text = framing.compress(b"x" * length)
    assert framing.expand(text) == b"x" * length
    assert not set(text) & set(b"#$+-")
    assert len(text) <= length


@given(st.binary(max_size=400), st.integers(1, 9), st.booleans())
def test_any_data_survives_in_any_pieces(data: bytes, cut: int, runs: bool) -> None:
    line = encode(data, runs=runs) + encode(data, runs=not runs)
    assert pieces(line, cut=cut) == [Piece(Kind.PACKET, data)] * 2


@given(st.binary(max_size=600), st.integers(1, 50))
def test_garbage_is_survived_and_a_packet_behind_it_is_seen(noise: bytes, cut: int) -> None:
    found = pieces(noise + b"#00" + encode(b"qC"), cut=cut)
    assert found[-1] == Piece(Kind.PACKET, b"qC")


def test_interrupts_come_between_packets_only() -> None:
    data = encode(b"X\x03,") + b"\x03" + encode(b"g")
    assert [piece.kind for piece in pieces(data)] == [Kind.PACKET, Kind.INTERRUPT, Kind.PACKET]


def test_a_wrong_checksum_is_damage_unless_nobody_checks() -> None:
    assert pieces(b"$OK#9b") == [Piece(Kind.DAMAGED)]
    assert pieces(b"$OK#zz") == [Piece(Kind.DAMAGED)]
    decoder = Decoder()
    decoder.checking = False
    assert list(decoder.feed(b"$OK#zz")) == [Piece(Kind.PACKET, b"OK")]


def test_a_packet_that_breaks_off_is_damage() -> None:
    assert pieces(b"$m0,4$g#67") == [Piece(Kind.DAMAGED), Piece(Kind.PACKET, b"g")]


def test_notifications_and_acknowledgements() -> None:
    assert pieces(b"+-" + encode(b"Stop:T05", start=b"%")) == [
        Piece(Kind.ACK), Piece(Kind.NAK), Piece(Kind.NOTIFICATION, b"Stop:T05")]


@pytest.mark.parametrize("text", [b"*\x20", b"a*", b"a*\x1f", b"a}"])
def test_malformed_escapes_and_runs(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


@pytest.mark.parametrize("start", [b"$", b""])
def test_what_waits_is_bounded(start: bytes) -> None:
    decoder = Decoder()
    found = list(decoder.feed(b"$"))
    for _ in range(50):
        found += decoder.feed(start + b"a" * 100_000)
        assert len(decoder._waiting) <= framing.LIMIT + 100_002
    assert Kind.PACKET not in [piece.kind for piece in found]
    assert list(decoder.feed(b"#00" + encode(b"g")))[-1] == Piece(Kind.PACKET, b"g")


def test_runs_do_not_blow_up() -> None:
    text = b"a" + b"*~" * 50_000
    with pytest.raises(ValueError, match="too long"):
        decode(text)
