{{ fundamental_versions() }}
