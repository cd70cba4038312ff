"""The tills' logs: IXRetail POSLog with a vendor's namespace beside it, one file a store and night."""

from __future__ import annotations

from pathlib import Path

import duckdb

POSLOG_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/" '
    'xmlns:tv="http://till-vendor.example/poslog/1.0" MajorVersion="2">\n'
)
POSLOG = """
with item as (
    select visit_no, kind, count(*) as lines, sum(case when not void then net end) as paid, string_agg(
        '<LineItem EntryMethod="Scanned"' || case when void then ' VoidFlag="true"'
            else '' end || '><SequenceNumber>' || line_no
        || '</SequenceNumber><' || kind || ' ItemType="Stock"><ItemID>' || sku || '</ItemID><Description>'
        || replace(replace(title, '&', '&amp;'), '<', '&lt;') || '</Description><RegularSalesUnitPrice>' || unit_price
        || '</RegularSalesUnitPrice><ExtendedAmount>' || net || '</ExtendedAmount><DiscountAmount>' || discount
        || '</DiscountAmount><Quantity>' || qty || '</Quantity>'
        || case when origin is null then '' else '<TransactionLink ReasonCode="Return"><TransactionID>' || origin
                || '</TransactionID></TransactionLink>' end
        || '<tv:ScanMs>' || (200 + visit_no % 900) || '</tv:ScanMs></' || kind || '></LineItem>', ''
        order by line_no) as xml
    from till_line where (visit_no, lower(kind)) in (select (visit_no, kind) from till
         where d = {d}) group by visit_no, kind
), ticket as (
    select store, workstation, sequence, coalesce(lines, 0) as lines, till.kind <> 'control' as retail,
        '<Transaction' || case when training then ' TrainingModeFlag="true"' when cancelled then ' CancelFlag="true"'
            else '' end
        || '><RetailStoreID>' || node_id || '</RetailStoreID><WorkstationID>' || workstation
            || '</WorkstationID><SequenceNumber>'
        || sequence || '</SequenceNumber><BusinessDayDate>' || night(d) || '</BusinessDayDate><BeginDateTime>'
        || strftime(began_at, '%Y-%m-%dT%H:%M:%S') || '</BeginDateTime><EndDateTime>'
        || strftime(began_at + interval 2 minute, '%Y-%m-%dT%H:%M:%S') || '</EndDateTime><OperatorID>'
            || (10 + sequence % 7)
        || '</OperatorID><CurrencyCode>CNY</CurrencyCode>'
        || case till.kind when 'control' then
             '<ControlTransaction><ReasonCode>SignOn</ReasonCode><tv:Drawer>open</tv:Drawer></ControlTransaction>'
           else '<RetailTransaction Version="2.1">' || xml || '<LineItem><SequenceNumber>' || (lines + 90)
             || '</SequenceNumber><Tender TenderType="'
                 || pick(['Cash', 'CreditDebit', 'MobilePay'], u('tender', till.visit_no))
             || '" TypeCode="' || case till.kind when 'sale' then 'Sale' else 'Refund' end || '"><Amount>' || paid
             || '</Amount></Tender></LineItem>' || case when card_shown is null then '' else
                '<LoyaltyAccount><LoyaltyProgram><LoyaltyAccountID>' || card_shown
                || '</LoyaltyAccountID></LoyaltyProgram></LoyaltyAccount>' end
             || '<Total TotalType="TransactionGrandAmount">' || case till.kind when 'return' then -paid else paid end
             || '</Total></RetailTransaction>' end || '</Transaction>' as xml
    from till left join item on item.visit_no = till.visit_no and lower(item.kind) = till.kind where d = {d}
)
select store, sum(retail::int), sum(lines), string_agg(xml, chr(10) order by workstation, sequence)
       from ticket group by store order by store
"""


def deliver_tills(connection: duckdb.DuckDBPyConnection, d: int, folder: Path, ds: str) -> dict[str, int]:
    """One POSLog file a store; rows of both feeds that it holds."""
    tickets = lines = 0
    for store, retail, items, xml in connection.execute(POSLOG.format(d=d)).fetchall():
        (folder / f"poslog_{ds}_{store:03d}.xml").write_text(f"{POSLOG_HEAD}{xml}\n</POSLog>\n", encoding="utf-8", newline="\n")
        tickets, lines = tickets + int(retail), lines + int(items)
    return {"pos_transactions": tickets, "pos_transaction_lines": lines}
