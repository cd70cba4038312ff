"""EPCIS 2.0 as XML: events with several element names in one list, mixed with extensions, mapped to the same entity as
the JSON feed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from small_retailer import SmallRetailer, contract

Retail = Callable[..., SmallRetailer]

EVENTS = "ObjectEvent|AggregationEvent|TransactionEvent|TransformationEvent|AssociationEvent"
WORD = "lower(regexp_extract({value}, '[^:/-]+$'))"
TRACE: tuple[dict[str, Any], ...] = (
    {"name": "event_id", "transformLogic": "coalesce({eventID}, {baseExtension/eventID})"},
    {"name": "event_type", "physicalName": "name()"},
    {
        "name": "action",
        "physicalName": "action",
        "quality": [
            {"metric": "invalidValues", "arguments": {"validValues": ["ADD", "OBSERVE", "DELETE"]}, "mustBe": 0}
        ],
    },
    {"name": "biz_step", "physicalName": "bizStep", "transformLogic": WORD},
    {"name": "disposition", "physicalName": "disposition", "transformLogic": WORD},
    {"name": "node_id", "transformLogic": "regexp_extract(coalesce({readPoint/id}, {bizLocation/id}), '[^:/]+$')"},
    {"name": "parent_id", "physicalName": "parentID"},
    {
        "name": "product_id",
        "transformLogic": "regexp_extract(coalesce({quantityList/quantityElement/epcClass}, "
        "{childQuantityList/quantityElement/epcClass}, "
        "{outputQuantityList/quantityElement/epcClass}, {extension/quantityList/quantityElement/epcClass}), '[^:/]+$')",
    },
    {
        "name": "quantity",
        "transformLogic": "coalesce({quantityList/quantityElement/quantity}, "
        "{childQuantityList/quantityElement/quantity}, "
        "{outputQuantityList/quantityElement/quantity}, {extension/quantityList/quantityElement/quantity})",
    },
    {"name": "transaction_type", "physicalName": "bizTransactionList/bizTransaction/@type", "transformLogic": WORD},
    {"name": "transaction_id", "physicalName": "bizTransactionList/bizTransaction"},
    {"name": "business_date", "transformLogic": "left({eventTime}, 10)"},
    {"name": "occurred_at", "physicalName": "eventTime"},
)
START = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- one delivery a night -->
<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2"
    xmlns:sbdh="http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
    xmlns:cbvmda="urn:epcglobal:cbv:mda" xmlns:wms="http://wms.example/epcis/"
    schemaVersion="2.0" creationDate="2026-01-05T20:00:00Z">
  <EPCISHeader><sbdh:StandardBusinessDocumentHeader>
    <sbdh:HeaderVersion>1.0</sbdh:HeaderVersion></sbdh:StandardBusinessDocumentHeader></EPCISHeader>
  <EPCISBody><EventList>
"""
OBJECT = """    <ObjectEvent>
      <eventTime>2026-01-05T08:00:00+08:00</eventTime><recordTime>2026-01-05T00:00:03Z</recordTime>
        <eventTimeZoneOffset>+08:00</eventTimeZoneOffset>
      <eventID>ni:///sha-256;1?ver=CBV2.0</eventID>
      <epcList><epc>urn:epc:id:sgtin:0614141.107346.2017</epc><epc>urn:epc:id:sgtin:0614141.107346.2018</epc></epcList>
      <action>OBSERVE</action><bizStep>https://ref.gs1.org/cbv/BizStep-shipping</bizStep>
        <disposition>urn:epcglobal:cbv:disp:in_transit</disposition>
      <readPoint><id>https://id.example.com/414/WH01</id><wms:id>no</wms:id></readPoint>
      <bizTransactionList><bizTransaction type="urn:epcglobal:cbv:btt:desadv">D-17</bizTransaction>
        <bizTransaction type="po">P-1</bizTransaction></bizTransactionList>
      <quantityList><quantityElement><epcClass>https://id.example.com/01/SKU-00017</epcClass><quantity>12</quantity>
        <uom>EA</uom></quantityElement></quantityList>
      <ilmd><cbvmda:lotNumber>L1</cbvmda:lotNumber><wms:quantity>99</wms:quantity></ilmd>
      <wms:dock><wms:door note="&lt;ObjectEvent&gt;">7</wms:door></wms:dock>
    </ObjectEvent>
"""
AGGREGATION = """    <AggregationEvent xmlns:v="urn:vendor:scan">
      <eventTime>2026-01-05T09:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset>
        <eventID>urn:uuid:2</eventID>
      <parentID>urn:epc:id:sscc:0614141.1234567890</parentID><childEPCs/>
      <action>ADD</action><bizStep>packing</bizStep><bizLocation><id>urn:epc:id:sgln:WH01</id></bizLocation>
      <childQuantityList><quantityElement><epcClass>urn:epc:class:SKU-00018</epcClass><quantity>3.5</quantity>
        </quantityElement></childQuantityList>
      <v:scan><![CDATA[</AggregationEvent>]]></v:scan>
    </AggregationEvent>
"""
TRANSACTION = """    <TransactionEvent><eventTime>2026-01-05T10:00:00.000Z</eventTime>
      <eventTimeZoneOffset>+00:00</eventTimeZoneOffset>
      <eventID>urn:uuid:3</eventID>
      <bizTransactionList><bizTransaction type="po">P-3</bizTransaction>
        </bizTransactionList><epcList/><action>DELETE</action></TransactionEvent>
"""
TRANSFORMATION = """    <extension><TransformationEvent><eventTime>2026-01-05T11:00:00Z</eventTime>
      <eventTimeZoneOffset>+00:00</eventTimeZoneOffset>
      <baseExtension><eventID>urn:uuid:4</eventID></baseExtension>
      <inputQuantityList><quantityElement><epcClass>urn:x:SKU-1</epcClass><quantity>5</quantity>
        </quantityElement></inputQuantityList>
      <outputQuantityList><quantityElement><epcClass>urn:x:SKU-2</epcClass><quantity>1</quantity>
        </quantityElement></outputQuantityList>
      <bizStep>commissioning</bizStep></TransformationEvent></extension>
"""
END = "  </EventList></EPCISBody>\n</epcis:EPCISDocument>\n"
DOCUMENT = START + OBJECT + AGGREGATION + TRANSACTION + TRANSFORMATION + END


@pytest.fixture
def traced(retail: Retail) -> SmallRetailer:
    written = contract(
        "trace",
        entity="trace_event",
        path="epcis/{ds}.xml",
        kind="xml",
        options={"recordTag": EVENTS},
        properties=TRACE,
        quarantineTolerance=1,
    )
    return retail(written)


def test_events_of_every_kind_become_trace_events(traced: SmallRetailer) -> None:
    traced.put("epcis/2026-01-05.xml", DOCUMENT)
    assert traced.take().counts == (4, 4, 0, 0)
    assert traced.rows(
        "event_id, event_type, action, biz_step, disposition, node_id, parent_id, product_id, quantity, "
        "transaction_type, transaction_id"
    ) == [
        (
            "ni:///sha-256;1?ver=CBV2.0",
            "ObjectEvent",
            "OBSERVE",
            "shipping",
            "in_transit",
            "WH01",
            None,
            "SKU-00017",
            Decimal(12),
            "desadv",
            "D-17",
        ),
        (
            "urn:uuid:2",
            "AggregationEvent",
            "ADD",
            "packing",
            None,
            "WH01",
            "urn:epc:id:sscc:0614141.1234567890",
            "SKU-00018",
            Decimal("3.5"),
            None,
            None,
        ),
        ("urn:uuid:3", "TransactionEvent", "DELETE", None, None, None, None, None, None, "po", "P-3"),
        ("urn:uuid:4", "TransformationEvent", None, "commissioning", None, None, None, "SKU-2", Decimal(1), None, None),
    ]
    assert traced.rows("distinct business_date", order="1") == [(date(2026, 1, 5),)]
    assert traced.rows("occurred_at")[0] == (datetime(2026, 1, 5),)


def test_a_bad_event_is_kept_whole_with_its_extensions(traced: SmallRetailer) -> None:
    traced.put("epcis/2026-01-05.xml", START + OBJECT.replace("OBSERVE", "LOOK") + TRANSACTION + END)
    assert traced.take().counts == (2, 1, 1, 0)
    ((raw,),) = traced.quarantine("raw")
    assert 'xmlns:wms="http://wms.example/epcis/"' in raw
    assert '<wms:door note="&lt;ObjectEvent&gt;">7</wms:door>' in raw


def test_an_epcis_document_that_breaks_off_is_refused(traced: SmallRetailer) -> None:
    traced.put("epcis/2026-01-05.xml", DOCUMENT.removesuffix("</epcis:EPCISDocument>\n"))
    assert "not well-formed" in traced.take().closed["readable_files"]
