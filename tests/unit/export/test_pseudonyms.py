"""What takes the place of personal data in texts and names."""

from __future__ import annotations

import pytest

from reconciler.export.pseudonyms import Pseudonyms

# -- personal data ---------------------------------------------------------------------------------------------


AMY = {"login": "amy.a", "firstname": "Amy", "lastname": "O'Able", "mail": "amy@example.org"}
BOB = {"login": "user1", "firstname": "Bob", "lastname": "van den Berg", "mail": "bob.b@example.org"}
ADMIN = {"login": "admin", "firstname": "Redmine", "lastname": "Admin", "mail": "root@localhost"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amy.a", "user3"),
        ("@Amy.A: look", "@User3: look"),
        ("see amy.abc and xamy.a", "see first3.abc and xamy.a"),
        ("amy.a_b, user1-x, `amy.a`.", "user3_b, user4-x, `user3`."),
        ("Amy O'Able", "First3 Last3"),
        ("O'Able, Amy", "Last3, First3"),
        ("amy\no'able", "first3\nlast3"),
        ("Amy_O'Able", "First3_Last3"),
        ("Ask Amy. Mrs O'Able knows.", "Ask First3. Mrs Last3 knows."),
        ("the verb to amy", "the verb to amy"),
        ("amy.pdf", "first3.pdf"),
        ("BobVan den Berg or Bob van-den-Berg", "First4Last4 or First4 Last4"),
        ("amy@example.org, AMY@Example.org.", "user3@example.net, user3@example.net."),
        ("mailto:bob.b@example.org?x", "mailto:user4@example.net?x"),
        ("_amy@example.org_", "_user3@example.net_"),
        ("not.amy@example.org", "person2@example.net"),
        ("else@example.org user1@example.org", "person1@example.net person3@example.net"),
        ("user1 and user5", "user4 and user5"),
        ("ssh amy.a@host, root@localhost", "ssh user3@host, user2@example.net"),
        ("Amy amy@example.org", "First3 user3@example.net"),
        ("Redmine's Admin is an admin", "Redmine's User2 is an user2"),
        ("日本語 amy.a 🛒", "日本語 user3 🛒"),
        ("", ""),
    ],
)
def test_what_is_replaced_in_a_text(text: str, expected: str) -> None:
    """Logins in any case as whole words, full names in both orders, single names as they are written, all mail
    addresses; in one pass, so that nothing is replaced twice."""
    texts = ["not.amy@example.org else@example.org", "USER1@example.org amy@example.org"]
    assert Pseudonyms([BOB, AMY, ADMIN], texts).text(text) == expected


PEOPLE = [
    {"login": "a", "firstname": "María José", "lastname": "Müller-Lüdenscheidt", "mail": "mj@corp.com"},
    {"login": "b", "firstname": "Pat", "lastname": "O'Brien", "mail": "pat@corp.com"},
    {"login": "c", "firstname": "Max", "lastname": "van der Berg", "mail": "vdb@corp.com"},
    {"login": "d", "firstname": "Jean", "lastname": "Picard", "mail": "jp@corp.com"},
    {"login": "zoe@corp.com", "firstname": "Zoe", "lastname": "Strauß", "mail": "zoe@home.org"},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mari\u0301a Jose\u0301 Mu\u0308ller-Lu\u0308denscheidt", "First1 Last1"),
        ("Mu\u0308ller-Lu\u0308denscheidt.pdf", "Last1.pdf"),
        ("Mu\u0308de", "Mu\u0308de"),
        ("Ask Müller Lüdenscheidt.", "Ask Last1."),
        ("MARÍA JOSÉ and MÜLLER-LÜDENSCHEIDT", "First1 and Last1"),
        ("Frau Lüdenscheidt", "Frau Last1"),
        ("Pat O’Brien, Mrs O’Brien, O’BRIEN", "First2 Last2, Mrs Last2, Last2"),
        ("M. PICARD and STRAUSS", "M. Last4 and Last5"),
        ("MAX_SIZE of PAT", "MAX_SIZE of PAT"),
        ("Mr Berg, der Mann", "Mr Last3, der Mann"),
        (
            "see picard.jpg and attachment:cv_picard.pdf, said picard",
            "see last4.jpg and attachment:cv_last4.pdf, said picard",
        ),
        ("mark-up by jean-luc", "mark-up by jean-luc"),
        ("zoe@corp.com or Zoe@home.org", "user5 or user5@example.net"),
        ("?to=x%40corp.com&cc=pat%40corp.com", "?to=person3%40example.net&cc=user2%40example.net"),
        ("mailto%3Ax%40corp.com%20Picard", "mailto%3Aperson3%40example.net%20Last4"),
        ("from root@buildhost.", "from person2@example.net."),
        ('"J P"@x.org', "person1@example.net"),
        ("actions/checkout@v4, left-pad@1", "actions/checkout@v4, left-pad@1"),
    ],
)
def test_how_else_somebody_is_written(text: str, expected: str) -> None:
    """Composed and decomposed accents, capitals, other hyphens and apostrophes, parts of names, file names in
    sentences, and addresses in each of their forms; one stand-in for each address."""
    texts = ['root@buildhost "J P"@x.org x%40corp.com', "x@corp.com"]
    assert Pseudonyms(PEOPLE, texts).text(text) == expected
