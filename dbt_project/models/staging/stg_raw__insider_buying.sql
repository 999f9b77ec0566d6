{{ insider_versions() }}
