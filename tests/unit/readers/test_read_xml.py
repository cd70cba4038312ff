"""XML: paths by local names, vendor namespaces, and malicious documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_retailer import SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
LINES = (
    {"name": "order_id", "physicalName": "SequenceNumber"},
    {"name": "line_id", "physicalName": "RetailTransaction/LineItem/SequenceNumber"},
    {
        "name": "line_type",
        "transformLogic": "case when {RetailTransaction/LineItem/Return/ItemID} is null then 'sale' else 'return' end",
    },
    {"name": "channel", "transformLogic": "'store'"},
    {
        "name": "product_id",
        "transformLogic": "coalesce({RetailTransaction/LineItem/Sale/ItemID}, "
        "{RetailTransaction/LineItem/Return/ItemID})",
    },
    {"name": "quantity", "transformLogic": "1"},
    {"name": "unit_price", "transformLogic": "1"},
    {"name": "currency", "transformLogic": "'CNY'"},
    {"name": "is_test", "physicalName": "@TrainingModeFlag"},
    {"name": "loyalty_id", "physicalName": "RetailTransaction//LoyaltyAccountID"},
)
ANSWER = (
    {"name": "response_id", "physicalName": "@id"},
    {"name": "order_id", "physicalName": "Order/No"},
    {"name": "comment", "physicalName": "Note"},
)
TICKET = """
<Transaction TrainingModeFlag="true"><SequenceNumber>7</SequenceNumber>
  <RetailTransaction>
    <LineItem><SequenceNumber>1</SequenceNumber><Sale><ItemID>S1</ItemID></Sale></LineItem>
    <LineItem><SequenceNumber>2</SequenceNumber><Tender><Amount>9</Amount></Tender></LineItem>
    <LineItem><SequenceNumber>3</SequenceNumber><Return><ItemID>S2</ItemID></Return></LineItem>
    <LoyaltyAccount><LoyaltyProgram><LoyaltyAccountID>M1</LoyaltyAccountID></LoyaltyProgram></LoyaltyAccount>
  </RetailTransaction>
</Transaction>"""


def tickets(retail: Retail, **more: Any) -> SmallRetailer:
    records = {"records": "RetailTransaction/LineItem[Sale|Return]"}
    return retail(
        contract(
            "tickets",
            entity="order_line",
            path="till/{ds}.xml",
            kind="xml",
            options={"recordTag": "Transaction"},
            properties=LINES,
            **records,
            **more,
        )
    )


def answers(retail: Retail, document: str, **more: Any) -> SmallRetailer:
    survey = retail(
        contract(
            path="survey/{ds}.xml",
            kind="xml",
            options={"recordTag": "Answer"},
            properties=ANSWER,
            quarantineTolerance=1,
            **more,
        )
    )
    survey.put("survey/2026-01-05.xml", document)
    return survey


def test_exploded_records_are_chosen_by_child_and_carry_their_ticket(retail: Retail) -> None:
    till = tickets(retail)
    till.put("till/2026-01-05.xml", f"<POSLog>{TICKET}</POSLog>")
    assert till.take().counts == (2, 2, 0, 0)
    assert till.rows("order_id, line_id, line_type, product_id, is_test, loyalty_id, _row") == [
        ("7", "1", "sale", "S1", True, "M1", 1),
        ("7", "3", "return", "S2", True, "M1", 2),
    ]


def test_vendor_namespaces_and_extra_elements_do_no_harm(retail: Retail) -> None:
    till = tickets(retail)
    body = TICKET.replace(
        "<Sale>",
        "<v:Weight xmlns:v='urn:vendor'>3</v:Weight><Sale><v:Promo xmlns:v='urn:vendor'><ItemID>X</ItemID></v:Promo>",
    )
    till.put(
        "till/2026-01-05.xml",
        "<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'><vendor:Header "
        f"xmlns:vendor='urn:vendor'/>{body}</POSLog>",
    )
    assert till.take().counts == (2, 2, 0, 0)
    assert till.rows("product_id") == [("S1",), ("S2",)]


def test_a_prefixed_namespace_is_read_by_local_names(retail: Retail) -> None:
    survey = answers(
        retail, "<a:As xmlns:a='urn:a'><a:Answer id='A1'><a:Order><a:No>O1</a:No></a:Order></a:Answer></a:As>"
    )
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("response_id, order_id") == [("A1", "O1")]


def test_records_without_the_wanted_path_are_no_rows(retail: Retail) -> None:
    document = "<As><Answer id='A1'><Order><No>O1</No></Order></Answer><Answer id='A2'><Control/></Answer></As>"
    assert answers(retail, document, where="Order").take().counts == (1, 1, 0, 0)


def test_a_bad_record_is_kept_whole_as_xml(retail: Retail) -> None:
    survey = answers(retail, "<As><Answer id='A1'><Note>caf&#233; &amp; bar</Note></Answer></As>")
    assert survey.take().counts == (1, 0, 1, 0)
    ((rule, raw),) = survey.quarantine("rule, raw")
    assert (rule, raw) == ("order_id_required", '<Answer id="A1"><Note>café &amp; bar</Note></Answer>')


def test_markup_in_a_value_is_text(retail: Retail) -> None:
    survey = answers(
        retail, "<As><Answer id='A1'><Order><No>O1</No></Order><Note><![CDATA[a < b & c]]></Note></Answer></As>"
    )
    survey.take()
    assert survey.rows("comment") == [("a < b & c",)]


def test_a_comment_inside_a_value_does_not_cut_it(retail: Retail) -> None:
    survey = answers(
        retail, "<As><Answer id='A1'><Order><No>O1</No></Order><Note>first<!-- aside --> second</Note></Answer></As>"
    )
    survey.take()
    assert survey.rows("comment") == [("first second",)]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16"])
def test_the_encoding_the_document_declares_is_followed(retail: Retail, encoding: str) -> None:
    survey = answers(retail, "")
    document = (
        f"<?xml version='1.0' encoding='{encoding}'?><As><Answer "
        "id='A1'><Order><No>O1</No></Order><Note>café</Note></Answer></As>"
    )
    survey.put("survey/2026-01-05.xml", document.encode(encoding))
    survey.take()
    assert survey.rows("comment") == [("café",)]


def test_a_billion_laughs_do_not_expand(retail: Retail) -> None:
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
    document = (
        f"<?xml version='1.0'?><!DOCTYPE As [<!ENTITY l0 'hahaha'>{entities}]><As><Answer "
        "id='A1'><Order><No>O1</No></Order><Note>&l11;</Note></Answer></As>"
    )
    survey = answers(retail, document)
    survey.take()
    kept = str(survey.rows("comment")) + str(survey.quarantine())
    assert "hahaha" not in kept
    assert len(kept) < 5000


def test_an_external_entity_is_not_fetched(retail: Retail, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    document = (
        f"<?xml version='1.0'?><!DOCTYPE As [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>"
        "<As><Answer id='A1'><Order><No>O1</No></Order><Note>&x;</Note></Answer></As>"
    )
    survey = answers(retail, document)
    survey.take()
    assert "top secret" not in str(survey.rows("comment")) + str(survey.quarantine())


def test_an_external_document_type_is_not_fetched(retail: Retail, tmp_path: Path) -> None:
    (tmp_path / "a.dtd").write_text("<!ENTITY x 'top secret'>")
    document = (
        f"<?xml version='1.0'?><!DOCTYPE As SYSTEM '{(tmp_path / 'a.dtd').as_uri()}'>"
        "<As><Answer id='A1'><Order><No>O1</No></Order><Note>&x;</Note></Answer></As>"
    )
    survey = answers(retail, document)
    survey.take()
    assert "top secret" not in str(survey.rows("comment")) + str(survey.quarantine())


def test_a_value_with_an_unresolved_entity_is_not_cut_in_silence(retail: Retail) -> None:
    document = (
        "<?xml version='1.0'?><!DOCTYPE As [<!ENTITY x 'y'>]><As><Answer "
        "id='A1'><Order><No>O&x;9</No></Order></Answer></As>"
    )
    survey = answers(retail, document)
    survey.take()
    assert survey.rows("order_id") in ([], [("Oy9",)])


def test_more_records_than_one_batch_keep_their_order(retail: Retail) -> None:
    count = 20_003
    document = "<As>" + "".join(f"<Answer id='A{n}'><Order><No>O</No></Order></Answer>" for n in range(count)) + "</As>"
    survey = answers(retail, document)
    assert survey.land().accepted == count
    (folder,) = (survey.settings.staged / "survey").rglob("*.parquet")
    wrong = survey.con.execute(
        "select count(*) from read_parquet(?) where response_id <> 'A' || (_row - 1)", [str(folder)]
    ).fetchone()
    assert wrong == (0,)


@pytest.mark.parametrize("bad", ["+2.50", "1_000", "2,50"])
def test_a_sum_of_xml_over_what_xpath_takes_for_no_number_is_a_bad_row(retail: Retail, bad: str) -> None:
    properties = [
        {"name": "response_id", "physicalName": "id"},
        {"name": "order_id", "transformLogic": "'o'"},
        {"name": "comment", "transformLogic": "{sum(a)}::decimal(18,4)"},
    ]
    survey = retail(
        contract(
            path="survey/{ds}.xml",
            kind="xml",
            options={"recordTag": "Answer"},
            properties=properties,
            quarantineTolerance=1,
        )
    )
    answers = [f"<Answer><id>A{number}</id><a>1</a><a>{text}</a></Answer>" for number, text in enumerate(("2.50", bad))]
    survey.put("survey/2026-01-05.xml", f"<Answers>{''.join(answers)}</Answers>")
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.rows("comment::double") == [(3.5,)]
    assert survey.quarantine("rule") == [("comment_logic",)]
