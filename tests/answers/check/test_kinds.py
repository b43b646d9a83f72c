"""The check reads values, names, polarity and relations by their kind, however they are written."""

from __future__ import annotations

import pytest

from benchmarks.claim_check import (
    bag_of_words,
    balanced_accuracy,
    keeps,
    our_check,
    read_labelled_claims,
)
from pipeline.answers.check.claims import find_claims
from pipeline.answers.check.grounding import COVERAGE, Verdict, check
from pipeline.answers.documents.chunks import cut
from pipeline.answers.documents.retrieval import Passage


def verdict(claim: str, source: str, title: str = "Notes", question: str = "") -> Verdict:
    passages = [
        Passage(title, chunk.heading, chunk.text, 1.0, (), chunk.context, "id", "paste:notes")
        for chunk in cut(source, title)
    ]
    (checked,) = check(claim, passages, question=question)
    return checked.verdict


def passage_of(text: str) -> Passage:
    return Passage("Notes", "", text, 1.0, (), "Notes", "id", "paste:notes")


@pytest.mark.parametrize(
    ("source", "same", "other"),
    [
        (
            "The choir has 42 singers.",
            "The choir has forty-two singers.",
            "The choir has 24 singers.",
        ),
        (
            "The fee is 250,000 euros.",
            "The fee is two hundred and fifty thousand euros.",
            "The fee is €25,000.",
        ),
        (
            "The hall seats 3 500 guests.",
            "The hall seats 3,500 guests.",
            "The hall seats 350 guests.",
        ),
        ("They sold a dozen boats.", "They sold 12 boats.", "They sold 20 boats."),
        (
            "A third of the voters stayed home.",
            "33.3 percent of the voters stayed home.",
            "30 percent of the voters stayed home.",
        ),
        ("The prize is £1.2m.", "The prize is £1.2 million.", "The prize is £1.2 billion."),
        (
            "The tunnel is 3 km long.",
            "The tunnel is 3,000 metres long.",
            "The tunnel is 3 miles long.",
        ),
        ("The tower is 2 km away.", "The tower is 2,000 m away.", "The tower is 200 m away."),
        ("The lake is 2000 feet deep.", "The lake is 2,000 ft deep.", "The lake is 1800 ft deep."),
        (
            "The film lasts 90 minutes.",
            "The film lasts 1 hour 30 minutes.",
            "The film lasts 1 hour 40 minutes.",
        ),
        (
            "The shop opens at 7 p.m. on Fridays.",
            "The shop opens at 19:00 on Fridays.",
            "The shop opens at 7 a.m. on Fridays.",
        ),
        (
            "The treaty was signed on 3 March 1954.",
            "The treaty was signed on Wednesday, March 3, 1954.",
            "The treaty was signed on Thursday, March 3, 1954.",
        ),
        (
            "The treaty was signed on 03.03.1954.",
            "The treaty was signed on 3 March 1954.",
            "The treaty was signed on 3 May 1954.",
        ),
        (
            "In June 41,250 visitors came.",
            "41,250 visitors came in June.",
            "41,250 visitors came in July.",
        ),
        (
            "He finished third in the race.",
            "He finished 3rd in the race.",
            "He finished fourth in the race.",
        ),
        ("The home side won 4-2.", "The home side won 4–2.", "The home side won 2-4."),
        (
            "It was -7 degrees at night.",
            "It was minus 7 degrees at night.",
            "It was 7 degrees at night.",
        ),
        (
            "At least 40 people attended the talk.",
            "At least forty people attended the talk.",
            "At most 40 people attended the talk.",
        ),
        (
            "The dam holds 1,240 cubic yards, more than 900 visitors saw it.",
            "More than 900 visitors saw the dam.",
            "Exactly 900 visitors saw the dam.",
        ),
        (
            "The tray holds 600 sheets.",
            "The tray holds 600 sheets.",
            "The tray holds 600 kilobytes.",
        ),
        (
            "The law applies in the United Kingdom.",
            "The law applies in the UK.",
            "The law applies in the US.",
        ),
        (
            "The European Space Agency built the probe.",
            "ESA built the probe.",
            "NASA built the probe.",
        ),
        ("Zoë Núñez leads the team.", "Zoe Nunez leads the team.", "Zara Nolan leads the team."),
        (
            "The neighbours organised a colourful parade.",
            "The neighbors organized a colorful parade.",
            "The neighbours organised a colourful market.",
        ),
        (
            "The German government paid the bill.",
            "The government of Germany paid the bill.",
            "The government of France paid the bill.",
        ),
    ],
)
def test_value_or_name_is_found_however_it_is_written(source: str, same: str, other: str) -> None:
    assert verdict(same, source) == Verdict.FOUND
    assert not verdict(other, source).is_found


@pytest.mark.parametrize(
    ("source", "same", "reverse"),
    [
        (
            "The bank doesn’t charge a fee.",
            "The bank does not charge a fee.",
            "The bank charges a fee.",
        ),
        (
            "The union no longer supports the plan.",
            "The union doesn't support the plan any more.",
            "The union supports the plan.",
        ),
        (
            "The crew failed to reach the summit.",
            "The crew did not reach the summit.",
            "The crew reached the summit.",
        ),
        (
            "The court rejected the appeal of the firm.",
            "The court refused the appeal of the firm.",
            "The court accepted the appeal of the firm.",
        ),
        (
            "Imports of steel rose in May.",
            "Imports of steel grew in May.",
            "Exports of steel rose in May.",
        ),
        (
            "The strike began before the election.",
            "The strike started before the election.",
            "The strike began after the election.",
        ),
        (
            "The price went from $30 to $45.",
            "The price went from 30 to 45 dollars.",
            "The price went from $45 to $30.",
        ),
        (
            "Most pupils passed the test.",
            "Most pupils passed the test.",
            "All pupils passed the test.",
        ),
        (
            "The merger may cost 200 jobs.",
            "The merger might cost 200 jobs.",
            "The merger costs 200 jobs.",
        ),
        (
            "Otto sued the newspaper in 2011.",
            "The newspaper was sued by Otto in 2011.",
            "The newspaper sued Otto in 2011.",
        ),
        (
            "The pool opens at 8:00 and closes at 20:30.",
            "The pool closes at 8:30 p.m.",
            "The pool closes at 8:00.",
        ),
        (
            "A filter that removes dust cleans the air.",
            "A filter cleans the air.",
            "A filter doesn't clean the air.",
        ),
    ],
)
def test_polarity_and_direction_count(source: str, same: str, reverse: str) -> None:
    assert verdict(same, source) == Verdict.FOUND
    assert not verdict(reverse, source).is_found


@pytest.mark.parametrize(
    ("source", "true", "false"),
    [
        (
            "The rule applies to all drivers except those under 18.",
            "The rule applies to drivers.",
            "The rule applies to drivers under 18.",
        ),
        (
            "All parts excluding the battery are covered for two years.",
            "Parts are covered for two years.",
            "The battery is covered for two years.",
        ),
        ("Nobody except the pilot survived.", "The pilot survived.", "The pilot drowned."),
        (
            "Flats in Rome and houses in Paris became dearer.",
            "Houses in Paris became dearer.",
            "Houses in Rome became dearer.",
        ),
        (
            "She worked for Acme in Berlin and for Zenit in Prague.",
            "In Prague she worked for Zenit.",
            "She worked for Zenit in Berlin.",
        ),
        (
            "Profit was 12.4 million euros in 2021 and 9.8 million euros in 2022.",
            "Profit in 2022 was €9.8m.",
            "Profit was 9.8 million euros in 2021.",
        ),
        (
            "Mira Sol joined the band in 2009 after leaving the army.",
            "Mira Sol joined the band in 2009.",
            "Mira Sol joined the army in 2009.",
        ),
        (
            "Version 2.1 added dark mode; version 2.2 added tabs.",
            "Dark mode came with version 2.1.",
            "Version 2.2 added dark mode.",
        ),
        (
            "The third stage was 180 km long and the fourth 95 km.",
            "The fourth stage was 95 km long.",
            "The fourth stage was 180 km long.",
        ),
    ],
)
def test_what_is_said_of_one_thing_is_not_found_of_another(
    source: str, true: str, false: str
) -> None:
    assert verdict(true, source).is_found
    assert not verdict(false, source).is_found


@pytest.mark.parametrize(
    ("source", "same", "other"),
    [
        (
            "The quarry was closed in 1958.",
            "The quarry was closed before 1960.",
            "The quarry was closed before 1958.",
        ),
        (
            "The song came out on 3 September 2007.",
            "The song came out after August 2007.",
            "The song came out after 5 September 2007.",
        ),
        (
            "The mint has housed the archive since 1966.",
            "The mint has housed the archive since the 1960s.",
            "The mint has housed the archive since the 1950s.",
        ),
        (
            "The film earned $1,204,455 abroad.",
            "The film earned more than $1.2 million abroad.",
            "The film earned more than $1.3 million abroad.",
        ),
        (
            "The storm caused damage estimated at $2.7 billion.",
            "The storm caused damage of less than $3 billion.",
            "The storm caused damage of over $3 billion.",
        ),
        (
            "Withdrawals before age 59½ usually cost a penalty.",
            "Withdrawals before the age of 59½ cost a penalty.",
            "Withdrawals before the age of 62½ cost a penalty.",
        ),
        (
            "The show was cancelled after two seasons.",
            "The show was cancelled after 2 seasons.",
            "The show was cancelled after one season.",
        ),
        (
            "The bakery is in Reno, NV, and opens at 6:0-14:0 on Friday.",
            "The bakery in Reno, Nevada, opens at 6 AM on Friday.",
            "The bakery in Reno, Utah, opens at 6 AM on Friday.",
        ),
        (
            "The appeal raised £164,000, including £90,000 from the Harbour Fund.",
            "The appeal raised £90,000 from the Harbour Fund.",
            "The appeal raised £164,000 from the Harbour Fund.",
        ),
        (
            "The film earned $72 million abroad, and $120.2 million in all.",
            "The film earned more than $120 million in all.",
            "The film earned less than $120 million in all.",
        ),
        (
            "The quake had a magnitude of 6.7.",
            "The quake had a magnitude under 7.",
            "The quake had a magnitude over 7.",
        ),
    ],
)
def test_bounds_of_dates_and_numbers_are_compared(source: str, same: str, other: str) -> None:
    assert verdict(same, source).is_found
    assert not verdict(other, source).is_found


@pytest.mark.parametrize(
    ("source", "same", "other"),
    [
        (
            "The governor did not arrive until January 1835.",
            "The governor arrived in January 1835.",
            "The governor did not arrive in January 1835.",
        ),
        (
            "Do not use vinegar on stone such as marble.",
            "Vinegar should be avoided on stone such as marble.",
            "Vinegar should be used on stone such as marble.",
        ),
        (
            "The population of the town declined by 440.",
            "The population of the town fell by 440.",
            "The population of the town rose by 440.",
        ),
        (
            "It is the second-longest bridge of the country.",
            "It is the second longest bridge of the country.",
            "It is the longest bridge of the country.",
        ),
        (
            "It is one of the oldest mills in the valley.",
            "It is among the oldest mills in the valley.",
            "It is the oldest mill in the valley.",
        ),
        (
            "The play was written by Aldo Grisanti and directed by his brother Franco.",
            "The play was directed by Franco.",
            "The play was written by Franco.",
        ),
        (
            "Joanna Pell lost to Mira Kosta in the final.",
            "Joanna Pell was beaten by Mira Kosta in the final.",
            "Joanna Pell defeated Mira Kosta in the final.",
        ),
        (
            "Two climbers were injured on Saturday.",
            "On Saturday two climbers were hurt.",
            "On Saturday two climbers were killed.",
        ),
        (
            "Numbers in the park have remained stable.",
            "Numbers in the park have stayed stable.",
            "Numbers in the park have increased.",
        ),
        (
            "The old mint was built in 1779 and has housed the town archive since 1966.",
            "The old mint has housed the town archive since 1966.",
            "The old mint has housed the town library since 1966.",
        ),
        (
            "Ardent was an airline that flew until it was taken over by Skylink.",
            "Ardent was taken over by Skylink.",
            "Ardent took over Skylink.",
        ),
        (
            "A team may request three pauses of one minute per match, and two in a half.",
            "A team may request three pauses of one minute per match.",
            "A team may request three pauses of one minute per half.",
        ),
        (
            "Mercury is farthest east on April 11, and farthest west on May 29.",
            "Mercury is farthest west on May 29.",
            "Mercury is farthest west on April 11.",
        ),
        (
            "The quota was opposed by the owners of small boats.",
            "The quota was opposed by the owners of the small boats.",
            "The quota was welcomed by the owners of small boats.",
        ),
    ],
)
def test_source_is_not_turned_around(source: str, same: str, other: str) -> None:
    assert verdict(same, source).is_found
    assert not verdict(other, source).is_found


@pytest.mark.parametrize(
    ("source", "same", "other"),
    [
        (
            "The depot in Graz has 40 buses. The depot in Linz has 25 buses.",
            "The depot in Linz has 25 buses.",
            "The depot in Graz has 25 buses.",
        ),
        (
            "Vega is a star. Vega is 25 light-years away. Rigel is 860 light-years away.",
            "Rigel is 860 light-years away.",
            "Vega is a star 860 light-years away.",
        ),
        (
            "The plant opened on 7 October 2025 with staff from Graz.",
            "The plant opened on 7 October 2025.",
            "The plant opened with 7 staff from Graz.",
        ),
        (
            "| Item | 2021 | 2022 |\n|---|---|---|\n| Revenue | 10 | 14 |\n| Costs | 8 | 9 |\n",
            "Revenue was 14 in 2022.",
            "Revenue was 10 in 2022.",
        ),
        (
            "| Drug | Dose | Approved |\n|---|---|---|\n| Axil | 5 | yes |\n| Bexol | 9 | no |\n",
            "Axil is approved.",
            "Bexol is approved.",
        ),
        (
            "The report was written by Chen and reviewed by Diaz.",
            "Chen wrote the report.",
            "Diaz wrote the report.",
        ),
        (
            "The film was directed by Jordan Peele and produced by Jason Blum.",
            "Jordan Peele directed the film.",
            "Jordan Blum directed the film.",
        ),
        (
            "# Not supported\n\n- Windows 7\n\n# Supported\n\n- Windows 11\n",
            "Windows 7 is not supported.",
            "Windows 7 is supported.",
        ),
        (
            "All rooms except the attic were painted.",
            "All rooms but the attic were painted.",
            "All rooms were painted.",
        ),
        (
            "The others signed the accord, but Norland did not.",
            "Norland did not sign the accord.",
            "Norland signed the accord.",
        ),
        (
            "The council chose steel instead of wood.",
            "The council chose steel.",
            "The council chose wood.",
        ),
        (
            "If the reactor overheats, the alarm sounds.",
            "The alarm sounds if the reactor overheats.",
            "The reactor overheats.",
        ),
        (
            "In 1999 Ann won the cup and in 2004 Bea won it.",
            "Ann won the cup in 1999.",
            "Bea won the cup in 1999.",
        ),
        (
            "- Free plan: 5 users, 1 GB storage\n- Team plan: 50 users, 100 GB storage\n",
            "The team plan has 100 GB of storage.",
            "The team plan has 1 GB of storage.",
        ),
        (
            "She worked at the lab until 2015.",
            "She worked at the lab until 2015.",
            "She worked at the lab since 2015.",
        ),
        (
            "The rate rose by 3 percent.",
            "The rate rose by 3 percent.",
            "The rate rose to 3 percent.",
        ),
        (
            "The shares were cheaper in Paris than in London.",
            "The shares were more expensive in London than in Paris.",
            "The shares were cheaper in London than in Paris.",
        ),
        (
            "Guests may have rice or noodles.",
            "Guests may have rice or noodles.",
            "Guests may have rice and noodles.",
        ),
        (
            "Write to help@example.org.",
            "Write to help@example.org.",
            "Write to support@example.org.",
        ),
        (
            "The bridge was closed twice in May.",
            "The bridge was closed twice in May.",
            "The bridge was closed once in May.",
        ),
    ],
)
def test_what_a_source_says_of_another_is_not_found(source: str, same: str, other: str) -> None:
    assert verdict(same, source).is_found
    assert not verdict(other, source).is_found


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        ("You must be 18 or older to enter.", "You must be at least 18 to enter."),
        ("Heron v2.4.1 fixes the leak.", "Heron version 2.4.1 fixes the leak."),
        ("The soup is made without cream.", "The soup is not made with cream."),
        ("The patient stopped smoking in 2010.", "The patient quit smoking in 2010."),
        ("New York is larger than Boston.", "Boston is smaller than New York."),
        ("Heron 2.4 was released on 7 October 2025.", "Heron 2.4 came out on 7 October 2025.[^1]"),
        ("The fee is 30 euros.", "The fee is 30 euros¹."),
    ],
)
def test_other_words_for_the_same_are_found(source: str, claim: str) -> None:
    assert verdict(claim, source).is_found


def test_objection_shows_values_as_they_are_written() -> None:
    source = "Exports rose from 10 to 15 euros in 2018, imports from 4 to 6 euros in 2020."
    (checked,) = check("Exports rose to 15 euros in 2020.", [passage_of(source)])
    assert not checked.verdict.is_found
    assert "Date(" not in checked.contradiction


def test_sentence_without_spaces_is_a_claim() -> None:
    text = "東京タワーの高さは333メートルです。1958年に完成しました。"
    assert len(find_claims(text)) == 2


def test_time_of_a_check_does_not_grow_with_the_square_of_a_sentence() -> None:
    source = "Heron 2.4 was made by Ann and Bob in 2025."
    for text in ("made by Ann and " * 2000, "a-" * 20_000 + "b", "One reviewer said that " * 2000):
        assert all(len(claim.text) <= 1000 for claim in find_claims(text))
        assert len(check(text, [passage_of(source)])) == len(find_claims(text))


def test_turns_of_a_transcript_belong_to_their_speakers() -> None:
    source = "Ada: I will call the landlord. The rent is 900.\nBen: I will bring the cake.\n"
    assert verdict("Ben will bring the cake.", source).is_found
    assert not verdict("Ada will bring the cake.", source).is_found
    assert verdict("Ada said the rent is 900.", source).is_found


def test_first_word_of_a_sentence_is_no_name_because_a_verb_may_follow() -> None:
    source = "The plant needs lime, and frost kills it."
    assert verdict("Since frost kills it, the plant needs lime.", source).is_found


def test_sentence_about_insurance_does_not_abstain() -> None:
    source = "Annuities are not covered by federal insurance."
    assert verdict("Annuities are not covered by federal insurance.", source) == Verdict.FOUND
    assert verdict("The price is not covered in the sources.", source) == Verdict.ABSTAINED
    assert verdict("The price is not mentioned.", source) == Verdict.ABSTAINED


def test_title_lends_its_name_and_front_matter_its_date() -> None:
    source = (
        "---\ntitle: Wren 4.1\ndate: 2024-11-05\n---\n\nOn a tablet of 2019 it starts in 2 s.\n"
    )
    passage = Passage("Wren 4.1", "", source, 1.0, (), "Wren 4.1, 2024-11-05", "id", "paste:wren")
    claims = ["Wren 4.1 was released in 2024.", "Wren 4.1 was released in 2019."]
    found = [check(claim, [passage])[0].verdict for claim in claims]
    assert found[0] == Verdict.FOUND
    assert not found[1].is_found


def test_pronoun_is_the_subject_before_and_items_belong_to_their_lead_in() -> None:
    source = "Lena Voss founded the club. She left it in 2015."
    assert verdict("Lena Voss left the club in 2015.", source) == Verdict.FOUND
    source = "The importer reads:\n\n- CSV files\n- Parquet files\n"
    assert verdict("The importer reads Parquet files.", source) == Verdict.FOUND


def test_sentences_are_joined_across_one_document_only() -> None:
    parts = ("The gallery opened in Basel in 1988.", "The café seats sixty people.")
    claim = "The gallery in Basel opened in 1988 and the café seats 60 people."
    passages = [
        Passage("A", "", text, 1.0, (), "A", document, "x")
        for text, document in zip(parts, ("one", "two"), strict=True)
    ]
    assert check(claim, passages)[0].verdict != Verdict.ACROSS
    assert verdict(claim, " ".join(parts)) == Verdict.ACROSS


def test_names_in_the_question_count_as_known() -> None:
    source = "The ferry carries 80 cars."
    assert not verdict("The Aurora ferry carries 80 cars.", source).is_found
    question = "How many cars does the Aurora carry?"
    assert verdict("The Aurora ferry carries 80 cars.", source, question=question).is_found


@pytest.mark.parametrize(
    "text",
    [
        "Hello there, I hope this helps you!",
        "Let me know if you want more details.",
        "Sure! Here is a summary of the report.",
        "If you have other questions, feel free to ask.",
        "Would you like a table of the prices?",
        "Thank you for your question.",
    ],
)
def test_what_is_said_to_the_reader_is_no_claim(text: str) -> None:
    assert find_claims(text) == []
    assert find_claims("Sure, the limit is 5.") != []


@pytest.mark.parametrize("half", ["choose", "report"])
def test_check_tells_true_from_false_better_than_a_bag_of_words(half: str) -> None:
    claims = [claim for claim in read_labelled_claims("sentences") if claim.half == half]
    ours, precision = balanced_accuracy(claims, our_check(COVERAGE))
    words, _ = balanced_accuracy(claims, bag_of_words(0.8))
    assert ours > 0.85 > words
    assert precision > 0.87


def test_check_of_sentences_as_models_word_them_is_better_than_a_bag_of_words() -> None:
    claims = [claim for claim in read_labelled_claims("answers") if claim.half == "report"]
    ours, precision = balanced_accuracy(claims, keeps)
    words, _ = balanced_accuracy(claims, bag_of_words(0.8))
    assert ours > 0.74 > words + 0.05
    assert precision > 0.74
