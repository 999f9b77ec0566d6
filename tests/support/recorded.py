"""What is recorded of the sites, file by file: rows and values, refusals, and what is read by no dataset.

Read through ``pas parse``; a new file needs a line in one of the three tables.
"""

# ruff: noqa: E501 - one line per dataset and payload

from __future__ import annotations

# fmt: off
#: Payload -> dataset -> rows, and the first and last of them in the columns of ``SHOWN``. A payload may hold nothing (an
#: empty index, a list of documents).
DATA: dict[str, dict[str, tuple[int | str, ...]]] = {
    "alpaca/payloads/market_data/corporate_actions_2020-08_2020-09.json": {
        "corporate_actions": (4, "AAPL | dividend | 2020-08-07 |  | 0.82", "AAPL | split | 2020-08-31 | 4.0 | "),
    },
    "alpaca/payloads/market_data/stocks_bars_1Day_raw_AAPL_KO_2020-08-25_2020-09-04.json": {
        "prices": (18, "AAPL | 2020-08-25 | 499.3", "KO | 2020-09-04 | 51.04"),
    },
    "apewisdom/filter_all-stocks_page1_2026-09-24.json": {
        "reddit_mentions": (100, "SPY | 1 | 232", "PLUG | 100 | 4"),
    },
    "benzinga/api_v2.1_calendar_ratings_AAPL_2024-01-12_first60.json": {
        "analyst_ratings": (60, "AAPL | Redburn Atlantic | downgrade | 200.0", "AAPL | B of A Securities | maintain | 210.0"),
    },
    "congress_disclosures/payloads/house/2023FD_trimmed_120_of_1549.xml": {
        "politician_trades": (0,),
    },
    "congress_disclosures/payloads/house/2026FD.zip": {
        "politician_trades": (0,),
    },
    "congress_disclosures/payloads/house/ptr_20034195_text_layer.pdf": {
        "politician_trades": (8, "Sheri Biggs |  | purchase | 2026-02-04 | 2026-03-21 | 1001.0", "Sheri Biggs |  | sale | 2026-02-17 | 2026-03-21 | 15001.0"),
    },
    "congress_disclosures/payloads/house/ptr_comments_and_subholding_of_report.pdf": {
        "politician_trades": (1, "George Whitesides | PL | sale | 2025-03-27 | 2025-08-13 | 50001.0"),
    },
    "congress_disclosures/payloads/house/ptr_long_subholding_of_section_report.pdf": {
        "politician_trades": (4, "David J. Taylor | AAPL | sale | 2025-10-30 | 2025-11-03 | 1001.0", "David J. Taylor | T | purchase | 2025-10-30 | 2025-11-03 | 1001.0"),
    },
    "congress_disclosures/payloads/house/ptr_new_transaction_type_report.pdf": {
        "politician_trades": (5, "Richard W. Allen | AZO | purchase | 2025-01-17 | 2025-02-20 | 15001.0", "Richard W. Allen |  | purchase | 2025-01-27 | 2025-02-20 | 100001.0"),
    },
    "congress_disclosures/payloads/house/ptr_single_page_transactions_only_report.pdf": {
        "politician_trades": (1, "Robert B. Aderholt | GSK | sale | 2025-07-28 | 2025-09-10 | 1001.0"),
    },
    "congress_disclosures/payloads/mirrors/capitol_watch_house_first80.json": {
        "politician_trades": (80, "Mark Alford | AMZN | sale_partial | 2026-03-16 |  | 1001.0", "Sheri Biggs |  | purchase | 2025-12-02 |  | 1001.0"),
    },
    "congress_disclosures/payloads/mirrors/capitol_watch_senate_first80.json": {
        "politician_trades": (80, "John Boozman | UNH | purchase | 2025-04-16 | 2026-08-20 | 1001.0", "Tommy Tuberville | AAPL | sale_partial | 2024-10-29 | 2026-08-05 | 15001.0"),
    },
    "congress_disclosures/payloads/mirrors/house_stock_watcher_all_transactions_first150_from_csv.json": {
        "politician_trades": (150, "Virginia Foxx | BP | purchase | 2021-09-27 |  | 1001.0", "Michael T. McCaul | ACN | sale_full | 2021-01-12 |  | 50001.0"),
    },
    "congress_disclosures/payloads/mirrors/kadoa_trades_first150.json": {
        "politician_trades": (137, "Jared Moskowitz | SPCX | purchase | 2026-06-12 | 2026-07-26 | 1001.0", "Alan Armstrong | AZN | purchase | 2026-03-31 | 2026-07-21 | 1001.0"),
    },
    "congress_disclosures/payloads/mirrors/senate_stock_watcher_all_transactions_first200.json": {
        "politician_trades": (197, "Ron L Wyden | BYND | sale_full | 2020-11-10 |  | 50001.0", "Jerry Moran | USB | purchase | 2020-08-21 |  | 1001.0"),
    },
    "congress_disclosures/payloads/mirrors/senate_stock_watcher_daily_summaries_first20.json": {
        "politician_trades": (94, "Susan M. Collins |  | purchase | 2021-02-11 | 2021-03-10 | 50001.0", "Thomas R. Carper | GSMYX | purchase | 2020-12-15 | 2021-01-07 | 1001.0"),
    },
    "congress_disclosures/payloads/senate_efd/ptr_electronic.html": {
        "politician_trades": (2, "Bernardo Moreno |  | sale_full | 2026-06-24 | 2026-07-24 | 1001.0", "Bernardo Moreno |  | sale_full | 2026-06-22 | 2026-07-24 | 1001.0"),
    },
    "congress_disclosures/payloads/senate_efd/ptr_electronic_tickers.html": {
        "politician_trades": (11, "Tommy Tuberville | WAB | sale_full | 2026-06-09 | 2026-07-16 | 1001.0", "Tommy Tuberville | TSCO | sale_full | 2026-06-08 | 2026-07-16 | 1001.0"),
    },
    "congress_disclosures/payloads/senate_efd/search_report_data_response.json": {
        "politician_trades": (0,),
    },
    "finviz/news_v3_row_fragment_2025-01_real.html": {
        "news_headlines": (1, "APEI | PR Newswire | Mark Arnold Appointed as Next President of Rasmussen University"),
    },
    "fred/payloads/fredgraph_DGS1MO_first60.csv": {
        "macro_series": (57, "DGS1MO | 2005-01-03 | 2005-01-04 | 1.99", "DGS1MO | 2005-03-24 | 2005-03-25 | 2.7"),
    },
    "fred/payloads/fredgraph_TB3MS_last40.csv": {
        "macro_series": (40, "TB3MS | 2023-02-01 | 2023-03-01 | 4.65", "TB3MS | 2026-05-01 | 2026-06-01 | 3.6"),
    },
    "fred/payloads/series_observations_CPILFESL.json": {
        "macro_series": (816, "CPILFESL | 1957-01-01 | 2025-01-15 | 28.5", "CPILFESL | 2024-12-01 | 2025-01-15 | 323.383"),
    },
    "fred/payloads/series_observations_GDP_all_vintages_trimmed_from_2018.json": {
        "macro_series": (167, "GDP | 2018-01-01 | 2018-04-27 | 19965.326", "GDP | 2024-07-01 | 2024-12-19 | 29374.914"),
    },
    "fred/payloads/series_observations_GDP_asof_2019-01-01_trimmed_from_2013.json": {
        "macro_series": (149, "GDP | 2013-01-01 | 2013-04-26 | 16010.2", "GDP | 2018-07-01 | 2018-12-21 | 20658.204"),
    },
    "fred/payloads/series_observations_GDP_latest.json": {
        "macro_series": (311, "GDP | 1947-01-01 | 1947-05-01 | 243.164", "GDP | 2024-07-01 | 2024-10-31 | 29374.914"),
    },
    "fred/payloads/series_observations_GDP_output_type_4_initial_release.json": {
        "macro_series": (132, "GDP | 1991-10-01 | 1992-01-29 | 5736.6", "GDP | 2024-07-01 | 2024-10-30 | 29349.924"),
    },
    "fundamentals/payloads/yahoo_quoteSummary_currency_mismatch_sample.json": {
        "fundamentals": (21, " | sharesOutstanding | snapshot |  | 67659001856.0", " | earningsGrowth | snapshot |  | 0.803"),
    },
    "quiverquant/api_historical_congresstrading_COIN_2021-12-11.json": {
        "politician_trades": (16, "Marie Newman | COIN | purchase | 2021-11-18 | 2021-12-08 | 15001.0", "Alan S. Lowenthal | COIN | purchase | 2021-04-14 | 2021-07-06 | 1001.0"),
    },
    "quiverquant/api_historical_govcontractsall_AMRC_2021-12-11.json": {
        "gov_contracts": (196, "AMRC | 2021-10-28 | DEPARTMENT OF THE INTERIOR (DOI) | 76000.0", "AMRC | 2019-10-31 | DEPARTMENT OF VETERANS AFFAIRS (VA) | 0.0"),
    },
    "quiverquant/api_historical_lobbying_HBI_2023-01-31_first100.json": {
        "lobbying": (100, "HBI | HANESBRANDS INC | 2023-01-23 | 140000.0", "HBI | HANESBRANDS INC | 2016-01-20 | 30000.0"),
    },
    "quiverquant/api_rows_quoted_2025_2026.json": {
        "insider_buying": (1, "NUS | WOODBURY EDWINA D | A | 2025-12-10 | 10.0"),
        "politician_trades": (3, "Josh Gottheimer | ORCL | sale | 2025-01-21 | 2025-02-10 | 1001.0", "Dan Newhouse | TGT |  | 2025-08-18 | 2025-09-17 | 1001.0"),
    },
    "sec_edgar/payloads/companyfacts/AAPL_CIK0000320193_trimmed.json": {
        "fundamentals": (1743, "cik0000320193 | AccountsReceivableNetCurrent | instant | 2020-03-28 | 15722000000.0", "cik0000320193 | EntityPublicFloat | instant | 2025-03-28 | 3253431000000.0"),
    },
    "sec_edgar/payloads/companyfacts/NVDA_CIK0001045810_trimmed.json": {
        "fundamentals": (1527, "cik0001045810 | AccountsReceivableNetCurrent | instant | 2021-01-31 | 2429000000.0", "cik0001045810 | EntityPublicFloat | instant | 2025-07-25 | 4000000000000.0"),
    },
    "sec_edgar/payloads/form4/form3_SNOW.xml": {
        "insider_buying": (0,),
    },
    "sec_edgar/payloads/form4/form4_SCWO_2025-04-30_award_X0508.xml": {
        "insider_buying": (1, "SCWO | Melkote Rajesh Ramaswamy | A | 2025-04-30 | 757756.0"),
    },
    "sec_edgar/payloads/form4/form4_SNOW_2022-12-13_option_exercise_and_sales.xml": {
        "insider_buying": (6, "SNOW | Scarpelli Michael | M | 2022-12-13 | 200000.0", "SNOW | Scarpelli Michael | S | 2022-12-13 | 4441.0"),
    },
    "sec_edgar/payloads/form4/form5_SNOW.xml": {
        "insider_buying": (0,),
    },
    "sec_edgar/payloads/index/daily_company.20221003_first80.idx": {
        "filings": (69, "cik0001700461 | 1-A POS | 2022-10-03 | 0001104659-22-105357", "cik0001776197 | POS AM | 2022-10-03 | 0001193125-22-256814"),
    },
    "sec_edgar/payloads/index/daily_form.20200318_trimmed.idx": {
        "filings": (121, "cik0001806014 | 1-A | 2020-03-18 | 0001140361-20-006155", "cik0001481832 | DEFR14A | 2020-03-18 | 0001481832-20-000026"),
        "insider_buying": (0,),
    },
    "sec_edgar/payloads/index/daily_form_bad_rows.idx.txt": {
        "filings": (10, "cik0001838675 | 1-A | 2021-02-05 | 0001213900-21-007106", "cik0001225152 | X-17A-5 | 2021-02-25 | 0001225152-21-000002"),
        "insider_buying": (0,),
    },
    "sec_edgar/payloads/index/daily_form_empty.idx": {
        "filings": (0,),
        "insider_buying": (0,),
    },
    "sec_edgar/payloads/submissions/CIK0000789019_MSFT_trimmed.json": {
        "filings": (86, "cik0000789019 | IRANNOTICE | 2026-01-28 | 0001193125-26-027232", "cik0000789019 | 10-Q | 2019-10-23 | 0001564590-19-037549"),
    },
    "sec_edgar/payloads/submissions/CIK0001009672-submissions-001_first25_of_205.json": {
        "filings": (25, "cik0001009672 | 4 | 2003-12-08 | 0001135080-03-000118", "cik0001009672 | 4 | 2003-11-05 | 0001135080-03-000094"),
    },
    "sec_edgar/payloads/submissions/CIK0001009672_filings_files_only.json": {
        "filings": (0,),
    },
    "sec_edgar/payloads/submissions/CIK0001771340_individual_owner.json": {
        "filings": (91, "cik0001771340 | 4 | 2025-12-09 | 0001104659-25-119764", "cik0001771340 | 3 | 2019-03-25 | 0001771340-19-000001"),
    },
    "senate_lda/payloads/filings_lockheed_2025_page_size_1_recorded_trimmed.json": {
        "lobbying": (1, "LMT | LOCKHEED MARTIN CORPORATION | 2025-03-31 | 30000.0"),
    },
    "senate_lda/payloads/filings_page1_recorded_2026.json": {
        "lobbying": (3, "LMT | LOCKHEED MARTIN CORPORATION | 2026-04-02 | 50000.0", " | CITY OF SOMERTON (AZ) | 2026-01-01 | "),
    },
    "senate_lda/payloads/filings_page2_last_recorded_2026.json": {
        "lobbying": (1, "LMT | LOCKHEED MARTIN AERONAUTIC SECTOR | 2026-04-02 | 31700.0"),
    },
    "universe/ivv_holdings_from_productdata_api_20260820_first60_and_nonequity.csv": {
        "securities": (60, "sym:NVDA:nvidia | NVDA | NVIDIA", "sym:ANET:arista-networks-inc | ANET | ARISTA NETWORKS INC"),
        "universe": (60, "sp500 | NVDA | listed | 2026-08-20", "sp500 | ANET | listed | 2026-08-20"),
    },
    "universe/iwm_holdings_ajax_2026-05-05_trimmed.csv": {
        "securities": (201, "sym:BE:bloom-energy-class-a-corp | BE | BLOOM ENERGY CLASS A CORP", "sym:SLND:southland-holdings-inc | SLND | SOUTHLAND HOLDINGS INC"),
        "universe": (201, "russell2000 | BE | listed | 2026-05-05", "russell2000 | SLND | listed | 2026-05-05"),
    },
    "universe/iwm_latest_holdings_2026-07-17_trimmed.csv": {
        "securities": (212, "sym:BTSG:brightspring-health-services-inc | BTSG | BRIGHTSPRING HEALTH SERVICES INC", "sym:FLYX:flyexclusive-inc-class-a | FLYX | FLYEXCLUSIVE INC CLASS A"),
        "universe": (212, "russell2000 | BTSG | listed | 2026-07-17", "russell2000 | FLYX | listed | 2026-07-17"),
    },
    "universe/sp400_wikipedia_2021-07_changes_rendered_rows.csv": {
        "securities": (50, "sym:AIRC:apartment-income-reit-corp | AIRC | Apartment Income REIT Corp.", "sym:GRUB:grubhub | GRUB | Grubhub"),
        "universe": (50, "sp400 | AIRC | added | 2020-12-21", "sp400 | GRUB | removed | 2021-06-15"),
    },
    "universe/sp400_wikipedia_2021-07_constituents_rendered_rows.csv": {
        "securities": (10, "sym:ACHC:acadia-healthcare | ACHC | Acadia Healthcare", "sym:YETI:yeti-holdings | YETI | Yeti Holdings"),
        "universe": (10, "sp400 | ACHC | listed | ", "sp400 | YETI | listed | "),
    },
    "universe/sp500_changes_since_2019.csv": {
        "securities": (0,),
        "universe": (294, "sp500 | TFX | added | 2019-01-18", "sp500 | FI | removed | 2025-11-11"),
    },
    "universe/sp500_constituents_datasets.csv": {
        "securities": (503, "cik0000066740 | MMM | 3M", "cik0001555280 | ZTS | Zoetis"),
        "universe": (503, "sp500 | MMM | listed | 1957-03-04", "sp500 | ZTS | listed | 2013-06-21"),
    },
    "universe/sp500_ticker_start_end.csv": {
        "securities": (0,),
        "universe": (1957, "sp500 | AAL | added | 1996-01-02", "sp500 | JNPR | removed | 2025-07-09"),
    },
    "universe/sp500_wikipedia_rev1352594942_tables_trimmed.html": {
        "securities": (25, "cik0000066740 | MMM | 3M", "sym:HOLX:hologic | HOLX | Hologic"),
        "universe": (25, "sp500 | MMM | listed | 1957-03-04", "sp500 | HOLX | removed | 2026-04-09"),
    },
    "universe/sp500_wikipedia_snapshot_20250630.csv": {
        "securities": (503, "cik0000066740 | MMM | 3M", "cik0001555280 | ZTS | Zoetis"),
        "universe": (503, "sp500 | MMM | listed | 1957-03-04", "sp500 | ZTS | listed | 2013-06-21"),
    },
    "universe/sp500_wikipedia_snapshot_20260821.csv": {
        "securities": (503, "cik0000066740 | MMM | 3M", "cik0001555280 | ZTS | Zoetis"),
        "universe": (503, "sp500 | MMM | listed | 1957-03-04", "sp500 | ZTS | listed | 2013-06-21"),
    },
    "usaspending/payloads/spending_by_award/contracts.json": {
        "gov_contracts": (2, "NOC | 2003-10-01 | National Aeronautics and Space Administration | 4345585999.01", " | 2018-10-01 | National Aeronautics and Space Administration | 2856157775.98"),
    },
    "usaspending/payloads/spending_by_award/contracts_many_fields.json": {
        "gov_contracts": (5, " | 2018-03-05 | National Aeronautics and Space Administration | 168657782.95", " | 2018-03-05 | National Aeronautics and Space Administration | 172213419.67"),
    },
    "usaspending/payloads/spending_by_award/idvs.json": {
        "gov_contracts": (3, "ORB | 2008-12-23 | National Aeronautics and Space Administration | 2890983472.11", " | 2010-09-23 | National Aeronautics and Space Administration | 2470736058.0"),
    },
    "usaspending/payloads/spending_by_award/lockheed_recorded_2026.json": {
        "gov_contracts": (3, "LMT | 2026-04-09 | Department of Defense | 4761000000.0", "LMT | 2026-02-24 | Department of Defense | 132901006.08"),
    },
    "usaspending/payloads/spending_by_transaction/documented_response.json": {
        "gov_contracts": (10, "SAI | 2012-06-20 | Department of Homeland Security | 15639242.36", "LDOS | 2017-07-06 | Department of Health and Human Services | 6339520.0"),
    },
    "wikimedia_pageviews/pageviews_daily_Python_programming_language_2021-01-01_03.json": {
        "wiki_views": (3, "Python_(programming_language) | 2021-01-01 | 7238", "Python_(programming_language) | 2021-01-03 | 8669"),
    },
    "wikimedia_pageviews/pageviews_monthly_Dan_Castellaneta_2020_partial_last_month.json": {
        "wiki_views": (9, "Dan_Castellaneta | 2020-01-01 | 55489", "Dan_Castellaneta | 2020-09-01 | 10907"),
    },
    "yahoo/chart_AAPL_1d_2020-01-01_2020-01-03.json": {
        "corporate_actions": (0,),
        "prices": (1, "AAPL | 2020-01-02 | 75.0875015258789"),
        "sp500_index": (1, "AAPL | 2020-01-02 | 75.0875015258789"),
    },
    "yahoo/chart_AAPL_1m_weekend_no_timestamp.json": {
        "corporate_actions": (0,),
        "prices": (0,),
        "sp500_index": (0,),
    },
    "yahoo/chart_BTC-USD_1d.json": {
        "corporate_actions": (0,),
        "prices": (3, "BTC-USD | 2020-01-01 | 7200.17431640625", "BTC-USD | 2020-01-03 | 7344.88427734375"),
        "sp500_index": (3, "BTC-USD | 2020-01-01 | 7200.17431640625", "BTC-USD | 2020-01-03 | 7344.88427734375"),
    },
    "yahoo/chart_MSFT_1d_2021-02-01_2022-01-31_with_dividends.json": {
        "corporate_actions": (4, "MSFT | dividend | 2021-02-17 |  | 0.56", "MSFT | dividend | 2021-11-17 |  | 0.62"),
        "prices": (252, "MSFT | 2021-02-01 | 239.64999389648438", "MSFT | 2022-01-28 | 308.260009765625"),
        "sp500_index": (252, "MSFT | 2021-02-01 | 239.64999389648438", "MSFT | 2022-01-28 | 308.260009765625"),
    },
    "yahoo/chart_NVDA_1d_2021-02-01_2022-01-31_with_split.json": {
        "corporate_actions": (1, "NVDA | split | 2021-07-20 | 4.0 | "),
        "prices": (252, "NVDA | 2021-02-01 | 52.948001861572266", "NVDA | 2022-01-28 | 22.84000015258789"),
        "sp500_index": (252, "NVDA | 2021-02-01 | 52.948001861572266", "NVDA | 2022-01-28 | 22.84000015258789"),
    },
    "yahoo/quoteSummary_balanceSheetHistory_AAPL.json": {
        "fundamentals": (0,),
    },
    "yahoo/quoteSummary_calendarEvents_AAPL.json": {
        "filings": (1, "AAPL |  |  | "),
    },
    "yahoo/quoteSummary_cashflowStatementHistory_AAPL.json": {
        "fundamentals": (4, "AAPL | netIncome | year | 2024-09-30 | 93736000000.0", "AAPL | netIncome | year | 2021-09-30 | 94680000000.0"),
    },
    "yahoo/quoteSummary_defaultKeyStatistics_AAPL.json": {
        "fundamentals": (19, "AAPL | sharesOutstanding | snapshot |  | 15022100480.0", "AAPL | enterpriseToRevenue | snapshot |  | 9.429"),
    },
    "yahoo/quoteSummary_financialData_AAPL.json": {
        "fundamentals": (20, "AAPL | totalCash | snapshot |  | 53774999552.0", "AAPL | numberOfAnalystOpinions | snapshot |  | 40.0"),
    },
    "yahoo/quoteSummary_incomeStatementHistory_AAPL.json": {
        "fundamentals": (8, "AAPL | totalRevenue | year | 2024-09-30 | 391035000000.0", "AAPL | netIncome | year | 2021-09-30 | 94680000000.0"),
    },
    "yahoo/quoteSummary_price_AAPL.json": {
        "fundamentals": (1, "AAPL | marketCap | snapshot | 2025-02-21 | 3688676720640.0"),
    },
    "yahoo/quoteSummary_summaryDetail_AAPL.json": {
        "fundamentals": (8, "AAPL | marketCap | snapshot |  | 3688676720640.0", "AAPL | priceToSalesTrailing12Months | snapshot |  | 9.320489"),
    },
    "yahoo/quoteSummary_upgradeDowngradeHistory_AAPL_first40.json": {
        "analyst_ratings": (40, "AAPL | Citigroup | maintain | ", "AAPL | JP Morgan | maintain | "),
    },
    "yahoo/timeseries_AAPL_balance-sheet_annual.json": {
        "fundamentals": (196, "AAPL | CashAndCashEquivalents | year | 2022-09-30 | 23646000000.0", "AAPL | GrossPPE | year | 2024-09-30 | 119128000000.0"),
    },
    "yahoo/timeseries_AAPL_balance-sheet_quarterly.json": {
        "fundamentals": (223, "AAPL | TradeandOtherPayablesNonCurrent | quarter | 2024-09-30 | 9254000000.0", "AAPL | CapitalStock | quarter | 2024-12-31 | 84768000000.0"),
    },
    "yahoo/timeseries_AAPL_cash-flow_annual.json": {
        "fundamentals": (142, "AAPL | IssuanceOfDebt | year | 2022-09-30 | 5465000000.0", "AAPL | OtherNonCashItems | year | 2024-09-30 | -2266000000.0"),
    },
    "yahoo/timeseries_AAPL_financials_annual.json": {
        "fundamentals": (111, "AAPL | NetIncomeContinuousOperations | year | 2022-09-30 | 99803000000.0", "AAPL | DilutedEPS | year | 2024-09-30 | 6.08"),
    },
    "yahoo/timeseries_ADH_financials_quarterly_empty.json": {
        "fundamentals": (0,),
    },
}

#: Payload -> the dataset it is tried as, and what is said of it.
ERRORS: dict[str, tuple[str, str]] = {
    'alpaca/payloads/errors.json': ('prices', 'pas: errors.json is in no format of prices (alpaca_bars, yahoo_chart): it begins \'[ { "op": "POST /v2/orders", "status": 422, "body": "\''),
    "congress_disclosures/payloads/house/ptr_8221321_paper_scan.pdf": ("politician_trades", "pas: house_clerk: no row can be read: a scan without text, unreadable in ptr_8221321_paper_scan.pdf"),
    "congress_disclosures/payloads/house/ptr_physical_scan_digitally_filled.pdf": ("politician_trades", "pas: house_clerk: no row can be read: a scan without text, unreadable in ptr_physical_scan_digitally_filled.pdf"),
    "congress_disclosures/payloads/senate_efd/ptr_paper.html": ("politician_trades", "pas: senate_efd: no row can be read: filed on paper, 5 scanned pages, unreadable in ptr_paper.html"),
    "fred/payloads/errors.json": ("macro_series", "pas: fred: a list came instead of an object in errors.json"),
    "quiverquant/api_error_bodies.json": ("politician_trades", "pas: quiver_api: Authentication credentials were not provided. in api_error_bodies.json"),
    'sec_edgar/payloads/errors/exchanges.json': ('insider_buying', 'pas: exchanges.json is in no format of insider_buying (quiver_api, quiver_page, sec_edgar): it begins \'[ { "uri": "https://data.sec.gov/submissions/CIK-00000000\''),
    "sec_edgar/payloads/errors/full_index_future_quarter_403.xml": ("insider_buying", "pas: sec_edgar: there is none (AccessDenied) in full_index_future_quarter_403.xml"),
    "sec_edgar/payloads/errors/submissions_unknown_cik_404.xml": ("filings", "pas: sec_index: there is none (NoSuchKey) in submissions_unknown_cik_404.xml"),
    "sec_edgar/payloads/errors/undeclared_automated_tool.html": ("insider_buying", "pas: sec_edgar: SEC.gov | Your Request Originates from an Undeclared Automated Tool in undeclared_automated_tool.html"),
    'senate_lda/payloads/errors.json': ('lobbying', "pas: senate_lda: field 'results': Request was throttled. Expected available in 4 seconds. in errors.json"),
    'wikimedia_pageviews/error_400_no_full_months.json': ('wiki_views', "pas: wikimedia: field 'items': no full months between dates in error_400_no_full_months.json"),
    'wikimedia_pageviews/error_404_unknown_article.json': ('wiki_views', "pas: wikimedia: field 'items': The date(s) you used are valid, but we either do not have data for those date(s), or the project you asked for is not loaded yet. Please check documentation for more information in error_404_unknown_article.json"),
    'wikimedia_pageviews/error_429_body.txt': ('wiki_views', "pas: error_429_body.txt is in no format of wiki_views (wikimedia): it begins 'You are making too many requests to the API. Please follow t'"),
    'yahoo/error_401_invalid_crumb.json': ('analyst_ratings', "pas: yahoo_summary: field 'quoteSummary': not a quoteSummary but 'finance': Invalid Crumb in error_401_invalid_crumb.json"),
    'yahoo/error_429_body.txt': ('prices', "pas: error_429_body.txt is in no format of prices (alpaca_bars, yahoo_chart): it begins 'Too Many Requests'"),
    'yahoo/error_chart_404_delisted.json': ('prices', "pas: yahoo_chart: field 'chart.error': Not Found: No data found, symbol may be delisted in error_chart_404_delisted.json"),
    'yahoo/error_quoteSummary_404_no_fundamentals.json': ('fundamentals', "pas: yahoo_summary: field 'quoteSummary.error': Not Found: No fundamentals data found for any of the summaryTypes=assetProfile in error_quoteSummary_404_no_fundamentals.json"),
    'yahoo/error_v7_download_400_no_data.txt': ('prices', 'pas: error_v7_download_400_no_data.txt is in no format of prices (alpaca_bars, yahoo_chart): it begins "400 Bad Request: Data doesn\'t exist for startDate = 15778368"'),
}

#: Why -> payloads that belong to no dataset.
NO_DATASET: dict[str, tuple[str, ...]] = {
    "the broker's: no dataset": (
        "alpaca/payloads/paper_recording_2026-10-08/account_after.json",
        "alpaca/payloads/paper_recording_2026-10-08/assets.json",
        "alpaca/payloads/paper_recording_2026-10-08/buy_notional_submit_then_filled.json",
        "alpaca/payloads/paper_recording_2026-10-08/fill_activities.json",
        "alpaca/payloads/paper_recording_2026-10-08/limit_buy_after_cancel.json",
        "alpaca/payloads/paper_recording_2026-10-08/limit_buy_resting.json",
        "alpaca/payloads/paper_recording_2026-10-08/positions_held.json",
        "alpaca/payloads/paper_recording_2026-10-08/sell_fractional_qty_submit_then_filled.json",
        "alpaca/payloads/trade_updates_stream.jsonl",
    ),
    "examples of a client library or a specification, partly of the broker, several answers in one file": (
        "alpaca/payloads/sdk_test_payloads/account.json",
        "alpaca/payloads/sdk_test_payloads/assets.json",
        "alpaca/payloads/sdk_test_payloads/corporate_actions.json",
        "alpaca/payloads/sdk_test_payloads/orders.json",
        "alpaca/payloads/sdk_test_payloads/positions.json",
        "alpaca/payloads/sdk_test_payloads/stocks.json",
        "alpaca/payloads/spec_examples/market_data_examples.json",
        "alpaca/payloads/spec_examples/trading_api_examples.json",
    ),
    "a specification, no answer": (
        "alpaca/spec/openapi_market_data_stocks_subset.json",
        "alpaca/spec/openapi_trading_v2_subset.json",
    ),
    "the text of a report that is recorded beside it, for comparison": (
        "congress_disclosures/payloads/house/ptr_comments_and_subholding_of_report.text.txt",
        "congress_disclosures/payloads/house/ptr_long_subholding_of_section_report.text.txt",
        "congress_disclosures/payloads/house/ptr_new_transaction_type_report.text.txt",
        "congress_disclosures/payloads/house/ptr_single_page_transactions_only_report.text.txt",
    ),
    "who files, without trades": (
        "congress_disclosures/payloads/mirrors/kadoa_filers_first20.json",
    ),
    "headers only": (
        "fred/payloads/http_exchange_headers_GDP_observations.json",
        "sec_edgar/payloads/submissions/response_headers_example.json",
        "senate_lda/payloads/response_headers_lda.senate.gov_2026-05-20.json",
    ),
    "calendars of releases: vintages state the days themselves": (
        "fred/payloads/release_dates_10_CPI.json",
        "fred/payloads/release_series_10_trimmed_to_CPIAUCSL.json",
        "fred/payloads/releases_dates_2025.json",
        "fred/payloads/releases_trimmed_to_12_of_315.json",
    ),
    "about series, not their values": (
        "fred/payloads/series_CPILFESL.json",
        "fred/payloads/series_GDP.json",
        "fred/payloads/series_release_GDP.json",
        "fred/payloads/series_updates_2024-11-03_trimmed_to_project_series.json",
        "fred/payloads/series_vintagedates_GDP.json",
    ),
    "a register that sources look identities up in": (
        "sec_edgar/payloads/company_tickers_trimmed_of_9610.json",
    ),
    "the feed of the moment: the daily index is complete": (
        "sec_edgar/payloads/current_feed/getcurrent_type4_atom_first12_of_100_entries.xml",
    ),
    "the list of a filing's documents: the complete text is fetched": (
        "sec_edgar/payloads/filing_index/0000950142-22-003095-index.html",
        "sec_edgar/payloads/filing_index/0001213900-24-004875-index.json",
    ),
    "the header of a filing without its document": (
        "sec_edgar/payloads/form4/form4_index-headers.html",
    ),
    "another call of the API, or its question: transactions are asked for by search": (
        "usaspending/payloads/autocomplete/agency.json",
        "usaspending/payloads/award_detail/contract.json",
        "usaspending/payloads/award_detail/idv.json",
        "usaspending/payloads/recipient/recipient_list.json",
        "usaspending/payloads/recipient/recipient_profile_triwest.json",
        "usaspending/payloads/spending_by_category/recipient.json",
        "usaspending/payloads/spending_by_category/recipient_page.json",
        "usaspending/payloads/spending_by_category/recipient_request.json",
        "usaspending/payloads/spending_by_transaction/documented_request.json",
        "usaspending/payloads/transactions/award_transactions.json",
    ),
    "a list of files": (
        "yahoo/MANIFEST.json",
    ),
    "a module of the summary that no dataset takes": (
        "yahoo/quoteSummary_assetProfile_AAPL.json",
        "yahoo/quoteSummary_earningsHistory_AAPL.json",
        "yahoo/quoteSummary_earnings_AAPL.json",
        "yahoo/quoteSummary_insiderHolders_AAPL.json",
        "yahoo/quoteSummary_insiderTransactions_AAPL_first25.json",
        "yahoo/quoteSummary_majorHoldersBreakdown_AAPL.json",
        "yahoo/quoteSummary_netSharePurchaseActivity_AAPL.json",
        "yahoo/quoteSummary_quoteType_AAPL.json",
        "yahoo/quoteSummary_recommendationTrend_AAPL.json",
    ),
    "lists and quotes of the moment": (
        "yahoo/quote_v7_AAPL.json",
        "yahoo/recommendationsBySymbol_AAPL.json",
        "yahoo/screener_predefined_aggressive_small_caps.json",
        "yahoo/screener_predefined_day_gainers.json",
        "yahoo/trending_US.json",
    ),
}

#: What is compared of a row.
SHOWN: dict[str, tuple[str, ...]] = {
    "analyst_ratings": ("symbol", "firm", "action", "target_current"),
    "corporate_actions": ("symbol", "action", "event_date", "ratio", "amount"),
    "filings": ("entity", "form", "filed", "accession"),
    "fundamentals": ("entity", "concept", "frequency", "event_date", "value"),
    "gov_contracts": ("symbol", "action_date", "agency", "amount"),
    "insider_buying": ("symbol", "insider", "code", "transaction_date", "shares"),
    "lobbying": ("symbol", "client", "event_date", "amount"),
    "macro_series": ("series_id", "event_date", "realtime_start", "value"),
    "news_headlines": ("symbol", "publisher", "headline"),
    "politician_trades": ("politician", "symbol", "transaction", "transaction_date", "report_date", "amount_low"),
    "prices": ("symbol", "event_date", "close"),
    "reddit_mentions": ("symbol", "rank", "mentions"),
    "securities": ("security_id", "symbol", "name"),
    "sp500_index": ("symbol", "event_date", "close"),
    "universe": ("index_name", "symbol", "event", "effective_date"),
    "wiki_views": ("article", "event_date", "views"),
}
# fmt: on
