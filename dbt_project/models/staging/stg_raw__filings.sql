{{ filing_versions() }}
