"""Let a class guess which claims are made up before the verdicts show, and keep the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pipeline.answers.check.grounding import ClaimVerdict, Verdict
from pipeline.answers.model.prompts import Side

_IN_SOURCE, _MADE_UP = "in the source", "made up"


@dataclass(frozen=True)
class Guesses:
    """The guesses of a session about the claims of one comparison.

    Attributes:
        id: The id of the comparison.
        verdicts: By side, what the check says of each claim.
    """

    id: str
    verdicts: Mapping[Side, Sequence[ClaimVerdict]]

    def offer(self, place: DeltaGenerator) -> None:
        """Draw the switch that hides the verdicts, and the button that reveals the rest."""
        place.toggle(
            "Guess first",
            key=self._key("on"),
            help="Hides the verdicts. Vote on each claim; its verdict then shows.",
        )
        if self._is_on:
            place.button(
                "Reveal",
                icon=":material/visibility:",
                key=self._key("reveal"),
                on_click=lambda: st.session_state.update({self._key("revealed"): True}),
                disabled=self._is_revealed,
            )

    def show_score(self) -> None:
        """Draw how many guesses agree with the check; nothing while nobody guesses."""
        if not self._is_on:
            return
        claims = [(side, number) for side in Side for number in self._numbers(side)]
        voted = [claim for claim in claims if self._vote(*claim)]
        agreed = sum(self._agrees(*claim) for claim in voted)
        score = f"**{agreed:,} of {len(voted):,}** guesses agree with the check"
        left = len(claims) - len(voted)
        if not self._is_revealed:
            share = len(voted) / len(claims) if claims else 0.0
            st.progress(share, f"{score} · {left:,} of {len(claims):,} claims to go")
        elif not voted:
            st.progress(1.0, "All verdicts are revealed; nobody guessed.")
        else:
            st.progress(1.0, f"{score} · {left:,} of {len(claims):,} claims were not guessed")

    def hides(self, side: Side) -> bool:
        """Return whether the result of a side is hidden: until each of its claims is guessed."""
        return any(self.hides_claim(side, number) for number in self._numbers(side))

    def hides_claim(self, side: Side, number: int) -> bool:
        """Return whether the verdict on a claim is hidden; claims count from 1."""
        is_open = number in self._numbers(side) and not self._vote(side, number)
        return self._is_on and not self._is_revealed and is_open

    def ask(self, side: Side, number: int) -> None:
        """Draw the vote on a claim."""
        place = st.container(horizontal=True, gap="small")
        for vote in (_IN_SOURCE, _MADE_UP):
            place.button(
                vote.capitalize(),
                key=f"{self._key(side)} {number} {vote}",
                on_click=lambda vote=vote: self._votes.update({(side, number): vote}),
            )

    def describe(self, side: Side, number: int) -> str:
        """Return how a claim was guessed, as a sentence; empty without a vote."""
        vote = self._vote(side, number)
        if not self._is_on or not vote:
            return ""
        ending = "as the check says" if self._agrees(side, number) else "unlike the check"
        return f"Guessed: {vote}, {ending}."

    def _numbers(self, side: Side) -> list[int]:
        """Return the numbers of a side's claims to vote on: not where it declines to answer."""
        verdicts = enumerate(self.verdicts[side], 1)
        return [number for number, claim in verdicts if claim.verdict != Verdict.ABSTAINED]

    @property
    def _is_on(self) -> bool:
        return bool(st.session_state.get(self._key("on")))

    @property
    def _is_revealed(self) -> bool:
        return bool(st.session_state.get(self._key("revealed")))

    @property
    def _votes(self) -> dict[tuple[Side, int], str]:
        votes: dict[tuple[Side, int], str] = st.session_state.setdefault(self._key("votes"), {})
        return votes

    def _vote(self, side: Side, number: int) -> str:
        return self._votes.get((side, number), "")

    def _agrees(self, side: Side, number: int) -> bool:
        is_found = self.verdicts[side][number - 1].verdict.is_found
        return (self._vote(side, number) == _IN_SOURCE) == is_found

    def _key(self, name: str) -> str:
        return f"guess {self.id} {name}"
